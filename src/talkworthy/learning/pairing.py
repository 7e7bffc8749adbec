"""What people said of pairs of posts, and what each limit would make of these pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from talkworthy.analysis.training.comparing import CHANCE, Share, wilson
from talkworthy.learning.selectors import pairs
from talkworthy.workspaces.models import Member

ENOUGH, ENOUGH_OF_EACH = 30, 8
"""Pairs below which no limit is recommended: in all, and of either kind."""
STEPS = tuple(percent / 100 for percent in range(30, 100, 5))


@dataclass(frozen=True)
class Step:
    """One limit: of the pairs that it shows how many are of one matter, and how many that are it would not show.

    `right`: pairs that it treats as people said. `now`: it is the one that holds.
    """

    least: float
    shown: Share
    missed: int
    right: int
    now: bool

    @property
    def percent(self) -> str:
        """As the form takes it."""
        return f"{100 * self.least:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Judged:
    """All pairs, and each limit; `best` is the one that treats most pairs as people said, where there are enough.

    `is_better`: more often right than the limit that holds, by more than chance.
    """

    n: int
    same: int
    steps: Sequence[Step]
    best: Step | None
    is_better: bool
    held: float


def judged(*, viewer: Member, held: float) -> Judged:
    """Every limit on the workspace's own pairs. They were shown because they are likely: they are no sample."""
    rows = list(pairs(viewer=viewer).values_list("probability", "same"))
    return weighed([(probability, same) for probability, same in rows], held=held)


def weighed(rows: Sequence[tuple[float, bool]], *, held: float) -> Judged:
    """Every limit on pairs of probability and truth."""
    steps = [_step(least, rows, now=least == held) for least in sorted({*STEPS, held})]
    same = sum(truth for _probability, truth in rows)
    if len(rows) < ENOUGH or min(same, len(rows) - same) < ENOUGH_OF_EACH:
        return Judged(len(rows), same, steps, None, False, held)
    best = max(steps, key=lambda step: (step.right, step.now, -abs(step.least - held)))
    mended = sum(_is_right(row, best.least) and not _is_right(row, held) for row in rows)
    broken = sum(_is_right(row, held) and not _is_right(row, best.least) for row in rows)
    chance = float(binomtest(mended, mended + broken).pvalue) if mended + broken else 1.0
    return Judged(len(rows), same, steps, best, mended > broken and chance < CHANCE, held)


def _step(least: float, rows: Sequence[tuple[float, bool]], *, now: bool) -> Step:
    shown = [truth for probability, truth in rows if probability >= least]
    missed = sum(truth for probability, truth in rows if probability < least)
    return Step(least, wilson(sum(shown), len(shown)), missed, sum(_is_right(row, least) for row in rows), now)


def _is_right(row: tuple[float, bool], least: float) -> bool:
    return (row[0] >= least) == row[1]
