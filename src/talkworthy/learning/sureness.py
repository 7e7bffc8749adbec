"""What a least probability would do: how many stored answers become "undecided", and how often the rest is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from talkworthy.analysis.training.comparing import Share, wilson
from talkworthy.archive import Scan
from talkworthy.learning.differing import CHANCES
from talkworthy.learning.newest import first_of_days
from talkworthy.learning.quality import UNDECIDED
from talkworthy.learning.sampling import URN
from talkworthy.learning.selectors import labels
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Member

Floats = npt.NDArray[np.float64]

STEPS = tuple(percent / 100 for percent in range(30, 100, 5))


@dataclass(frozen=True)
class Step:
    """One least probability. `now`: it is the one that holds; `right`: of the labels that would still be answered."""

    least: float
    undecided: int
    posts: int
    right: Share
    lost: int
    """Labels whose right answer would not be given any more."""
    now: bool

    @property
    def percent(self) -> str:
        """As the form takes it."""
        return f"{100 * self.least:.2f}".rstrip("0").rstrip(".")

    @property
    def share(self) -> float:
        """How many of the posts are undecided."""
        return self.undecided / self.posts if self.posts else 0.0


def steps(task: str, *, asked: float | None, held: float, viewer: Member, now: datetime) -> list[Step]:
    """The steps in order, with the one that holds and the one that is asked for among them.

    Of posts of the newest days; labels are those drawn by lot. A label whose post was undecided tells nothing here:
    nobody kept what would have been answered.
    """
    archive = archive_of(viewer.workspace)
    scan = Scan(columns=("id", task, CHANCES[task]), since=first_of_days(archive, now=now), until=now, limit=URN)
    posts = archive.table(scan)
    chances = posts.filter(posts[task].is_valid())[CHANCES[task]].to_numpy().astype(np.float64)
    told = labels(viewer=viewer, task=task).filter(drawn=True).exclude(answer__in=("", UNDECIDED))
    rows = [
        (answer, value, probability)
        for answer, value, probability in told.values_list("answer", "value", "probability")
        if probability is not None
    ]
    values = sorted({*STEPS, held, *(() if asked is None else (asked,))})
    return [_step(least, chances, rows, now=least == held) for least in values]


def _step(least: float, chances: Floats, rows: Sequence[tuple[str, str, float]], *, now: bool) -> Step:
    kept = [answer == value for answer, value, probability in rows if probability >= least]
    lost = sum(answer == value for answer, value, probability in rows if probability < least)
    return Step(least, int((chances < least).sum()), len(chances), wilson(sum(kept), len(kept)), lost, now)
