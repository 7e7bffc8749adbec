"""What the careful tier learns from: the rows of every task side by side, in an order that the seed decides."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from talkworthy.analysis.masking import NAME as TARGET
from talkworthy.analysis.training.heads import targets_of
from talkworthy.analysis.training.sets import Row, fold_of, is_held_back, labelled, read
from talkworthy.analysis.training.tasks import TASKS, Task

FOLDS = 20
SMALL = 4_000
# How many rows of a task one pass over everything takes; a task with fewer is read again.
TAKEN = {
    "sentiment": 42_000,
    "target-sentiment": 9_000,
    "offensive": 13_000,
    "complaint": 4_400,
    "purchase": 2_400,
    "issue-type": 2_400,
    "suggestion": 4_000,
    "help": 3_500,
    "praise": 4_500,
}
POOL = 24  # batches whose texts are sorted by length together


@dataclass(frozen=True)
class Example:
    """One text, or a text and what it speaks of, with the answer that a task gives; `group` as in `Row`."""

    task: str
    text: str
    target: str | None
    answer: tuple[float, ...]
    group: str = ""


def is_kept_apart(text: str, *, small: bool) -> bool:
    """Whether a text calibrates and sets thresholds: one in twenty, one in seven where there are few rows."""
    return fold_of(text, FOLDS) < (3 if small else 1)


def targeted_rows(data: Path) -> list[tuple[Row, str]]:
    """Tweets and restaurant reviews, each with its target."""
    names = {"-1": "negative", "0": "neutral", "1": "positive"}
    return [
        (Row(row["text"], names[str(row["polarity"])], name), row["target"])
        for name in ("twitter_train", "restaurants_train")
        for row in read(data / f"targeted_sentiment/{name}.jsonl.gz")
    ]


def examples_of(task: Task, data: Path) -> list[Example]:
    """All rows of a task."""
    pairs = targeted_rows(data) if task.name == TARGET else [(row, "") for row in task.rows(data)]
    wanted = [
        pair for pair in pairs if len(task.labels) == 1 or any(label in pair[0].label.split() for label in task.labels)
    ]
    answers = targets_of([row for row, _ in wanted], task.labels).tolist()
    return [
        Example(task.name, row.text, target or None, tuple(answer), row.group)
        for (row, target), answer in zip(wanted, answers, strict=True)
    ]


@dataclass(frozen=True)
class Parts:
    """Examples to fit, to calibrate with, and to measure on; no text is in two of them."""

    fitted: list[Example]
    calibrated: list[Example]
    measured: list[Example]


def parts_of(task: Task, data: Path) -> Parts:
    """The rows of a task by their texts' own hashes."""
    every = examples_of(task, data)
    small = len(every) < SMALL
    measured = [held for held in every if is_held_back(held.text)]
    rest = [held for held in every if not is_held_back(held.text)]
    apart = [held for held in rest if is_kept_apart(held.text, small=small)]
    return Parts([held for held in rest if not is_kept_apart(held.text, small=small)], apart, measured)


def mixture(data: Path, *, seed: int) -> list[Example]:
    """One pass over all tasks, shuffled; a task's rows are all read before one is read again."""
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    drawn = []
    for task in TASKS:
        rows = parts_of(task, data).fitted
        if task.name == "sentiment":  # all languages, and as much of the larger English set as there is room for
            foreign = [row for row in rows if row.group]
            english = [row for row in rows if not row.group]
            chance.shuffle(english)
            rows = foreign + english[: TAKEN["sentiment"] - len(foreign)]
        drawn += _repeated(rows, TAKEN[task.name], chance)
    chance.shuffle(drawn)
    return drawn


def _repeated(rows: Sequence[Example], wanted: int, chance: random.Random) -> list[Example]:
    found: list[Example] = []
    while len(found) < wanted:
        again = list(rows)
        chance.shuffle(again)
        found += again[: wanted - len(found)]
    return found


def batches(lengths: Sequence[int], size: int, *, seed: int) -> Iterator[list[int]]:
    """Places of examples in batches of about one length; the order of batches is shuffled within a pool."""
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    for start in range(0, len(lengths), size * POOL):
        pool = sorted(range(start, min(start + size * POOL, len(lengths))), key=lambda place: lengths[place])
        cut = [pool[at : at + size] for at in range(0, len(pool), size)]
        chance.shuffle(cut)
        yield from cut


def watched(data: Path, most: int) -> list[Example]:
    """Some rows of each task out of those that calibrate, to be looked at while the network is trained."""
    found = []
    for task in TASKS:
        rows = parts_of(task, data).calibrated
        found += rows[:: max(len(rows) // most, 1)][:most]
    return found


def texts_for_pieces(data: Path) -> Iterator[str]:
    """Texts that say which pieces are worth keeping: those of every task and sentences in many languages."""
    for task in TASKS:
        yield from (row.text for row in examples_of(task, data)[::2])
    for name in ("afrisenti/train", "nusax/train"):
        yield from (row.text for row in labelled(data, f"{name}.jsonl.gz")[::6])


OUTPUTS = {task.name: len(task.labels) for task in TASKS}
