"""How often a task's answers are right, told from the labels of posts that were drawn by lot, and from these alone."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet

from talkworthy.analysis.evaluation import calibration_error
from talkworthy.analysis.training.comparing import ENOUGH, Share, wilson
from talkworthy.learning.actions import SURE
from talkworthy.learning.models import Label
from talkworthy.learning.selectors import labels
from talkworthy.workspaces.models import Member

UNDECIDED = "undecided"
DRAWS = 200
NARROWS = ("language", "channel", "model", "answer", "value")
"""By what the labels of a task can be narrowed."""


@dataclass(frozen=True)
class Asked:
    """Which labels of a task: each field that is not empty must agree."""

    language: str = ""
    channel: str = ""
    model: str = ""
    answer: str = ""
    value: str = ""
    drawn: bool = False


@dataclass(frozen=True)
class Row:
    """What is measured on some labels: how many answers are right, and how far probabilities are from that."""

    name: str
    right: Share
    calibration_error: float | None
    """None where too few answers have a probability."""

    @property
    def few(self) -> bool:
        """Too few to tell."""
        return self.right.n < ENOUGH


@dataclass(frozen=True)
class ValueRow:
    """Of one value: how many of its answers are right, and how many that should have it do."""

    value: str
    precision: Share
    recall: Share


@dataclass(frozen=True)
class Quality:
    """What the labels drawn by lot say of a task."""

    whole: Row
    values: Sequence[ValueRow]
    languages: Sequence[Row]
    channels: Sequence[Row]
    models: Sequence[Row]
    by_chance: float | None
    """The calibration error that so many labels would show of probabilities that are exactly true."""

    @property
    def missing(self) -> int:
        """How many more labels are needed until anything is told."""
        return max(0, ENOUGH - self.whole.right.n)


@dataclass(frozen=True)
class Cell:
    """Of some labels: how many of the answers are right, and how many of the posts were answered rightly.

    They differ by the posts of which the model said "undecided".
    """

    precision: Share
    recall: Share


@dataclass(frozen=True)
class Crossed:
    """Each task's models beside the languages, or channels, of the labels, those with the most labels first."""

    by: str
    values: Sequence[str]
    rows: Sequence[tuple[str, str, Sequence[Cell]]]
    """Task, model, and a cell for all labels and for each value: of none where there is no such label."""


@dataclass(frozen=True)
class _Held:
    value: str
    answer: str
    probability: float | None
    language: str
    channel: str
    model: str


def labels_asked(task: str, asked: Asked, *, viewer: Member) -> QuerySet[Label]:
    """The labels that hold, narrowed, the newest first."""
    found = labels(viewer=viewer, task=task).order_by("-pk")
    given = {name: getattr(asked, name) for name in NARROWS if getattr(asked, name)}
    return found.filter(**given, **({"drawn": True} if asked.drawn else {}))


def quality(task: str, asked: Asked, *, viewer: Member) -> Quality:
    """Measure the answers on labels drawn by lot; an answer that was "undecided" is not right, and is no class."""
    named = ("value", "answer", "probability", "language", "channel", "model")
    found = labels_asked(task, asked, viewer=viewer).filter(drawn=True).exclude(answer="")
    rows = [_Held(*row) for row in found.values_list(*named)]
    values = sorted({row.value for row in rows} | {row.answer for row in rows if row.answer != UNDECIDED})
    return Quality(
        whole=_row("", rows),
        values=[_of_value(value, rows) for value in values],
        languages=_grouped(rows, lambda row: row.language),
        channels=_grouped(rows, lambda row: row.channel),
        models=_grouped(rows, lambda row: row.model),
        by_chance=_by_chance(
            [row.probability for row in rows if row.probability is not None and row.answer != UNDECIDED]
        ),
    )


def crossed(*, viewer: Member) -> list[Crossed]:
    """Models beside languages and beside channels, told from all labels drawn by lot, in one statement."""
    found = labels(viewer=viewer).filter(task__in=SURE, drawn=True).exclude(answer="").order_by()
    named = ("task", "value", "answer", "probability", "language", "channel", "model")
    models: dict[tuple[str, str], list[_Held]] = {}
    for task, *row in found.values_list(*named):
        models.setdefault((task, row[-1]), []).append(_Held(*row))
    ordered = sorted(models.items(), key=lambda one: (SURE.index(one[0][0]), -len(one[1]), one[0][1]))
    crossings = []
    ways: tuple[tuple[str, Callable[[_Held], str]], ...] = (
        ("language", lambda row: row.language),
        ("channel", lambda row: row.channel),
    )
    for by, told in ways:
        counts = Counter(told(row) for rows in models.values() for row in rows)
        values = sorted((value for value in counts if value), key=lambda value: (-counts[value], value))
        rows = [
            (task, model, [_cell(held), *(_cell([row for row in held if told(row) == value]) for value in values)])
            for (task, model), held in ordered
        ]
        crossings.append(Crossed(by, values, rows))
    return crossings


def _cell(rows: Sequence[_Held]) -> Cell:
    right = sum(row.answer == row.value for row in rows)
    return Cell(wilson(right, sum(row.answer != UNDECIDED for row in rows)), wilson(right, len(rows)))


def _by_chance(probabilities: Sequence[float]) -> float | None:
    """What is left of the error where there is none: few labels in a bin are seldom right as often as they should."""
    if len(probabilities) < ENOUGH:
        return None
    chance, sure = np.random.default_rng(1), np.array(probabilities, np.float32)
    return float(np.mean([calibration_error(chance.random(len(sure)) < sure, sure) for _draw in range(DRAWS)]))


def _of_value(value: str, rows: Sequence[_Held]) -> ValueRow:
    hits = sum(row.answer == row.value == value for row in rows)
    answered = sum(row.answer == value for row in rows)
    truly = sum(row.value == value for row in rows)
    return ValueRow(value, wilson(hits, answered), wilson(hits, truly))


def _grouped(rows: Sequence[_Held], named: Callable[[_Held], str]) -> list[Row]:
    """One row a group, those with the most labels first; labels without a name stay out."""
    groups: dict[str, list[_Held]] = {}
    for row in rows:
        if named(row):
            groups.setdefault(named(row), []).append(row)
    return [_row(name, of) for name, of in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))]


def _row(name: str, rows: Sequence[_Held]) -> Row:
    sure = [row for row in rows if row.probability is not None and row.answer != UNDECIDED]
    error = None
    if len(sure) >= ENOUGH:
        right = np.array([row.answer == row.value for row in sure], np.bool_)
        error = calibration_error(right, np.array([row.probability for row in sure], np.float32))
    return Row(name, wilson(sum(row.answer == row.value for row in rows), len(rows)), error)
