"""When something is said more than usual: the burst score and the stretch of time that it covers.

Formulas with a worked example: docs/formulas/bursts.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import copysign, log, sqrt

import numpy as np
import numpy.typing as npt

PRIOR = 0.5  # what is added to a baseline count, so that never seen is not the same as impossible
RAISED = 2.0  # how many times the expected rate is a burst; what is more than that counts no further
BINS = 96


@dataclass(frozen=True)
class Window:
    """A stretch of time: from `start`, up to but without `end`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"a window must end after it starts, not from {self.start} to {self.end}")

    @property
    def span(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True)
class Burst:
    """The stretch in which a count ran above its baseline the most, and the middle of its busiest bin."""

    began: datetime
    ended: datetime
    peak: datetime


def expected(before: float, total_before: float, total_now: float) -> float:
    """How many to expect now: the share before, half a count added, of all that is counted now."""
    return total_now * (before + PRIOR) / (total_before + 1)


def burst_score(now: float, before: float, *, total_now: float, total_before: float, at_most: float = RAISED) -> float:
    """How sure it is that more is counted than the baseline lets expect: a signed root of a log likelihood ratio.

    Of the rate that fits the count best, but at most twice the expected one, against the expected one: a word that
    was never said before is no surer a rise than another of as many voices. 2 is unusual, 4 is news; below 0 where
    less was counted than expected. Without a limit it is the root of the Poisson deviance.
    """
    usual = expected(before, total_before, total_now)
    if usual <= 0:
        return 0.0
    ratio = min(now / usual, at_most)
    likelihood = (now * log(ratio) if now else 0.0) - (ratio - 1) * usual
    return copysign(sqrt(max(2 * likelihood, 0.0)), now - usual)


def burst(times: npt.NDArray[np.datetime64], window: Window, usual: float, *, bins: int = BINS) -> Burst | None:
    """When a count ran above its baseline, from the times of the posts and the count expected in the window.

    The stretch of bins with the greatest sum of n·ln 2 - e (n counted and e expected in a bin): the log
    likelihood ratio of twice the usual rate against the usual one. None where no bin has more than that.
    """
    start = np.datetime64(window.start.replace(tzinfo=None), "us").astype(np.int64)
    width = window.span / timedelta(microseconds=1) / bins
    place = ((times.astype("datetime64[us]").astype(np.int64) - start) / width).astype(np.int64)
    counts = np.bincount(place[(place >= 0) & (place < bins)], minlength=bins)
    gain = counts * log(RAISED) - (RAISED - 1) * usual / bins
    best, running, begin, found = 0.0, 0.0, 0, None
    for number, value in enumerate(gain.tolist()):
        if running <= 0:
            running, begin = 0.0, number
        running += value
        if running > best:
            best, found = running, (begin, number + 1)
    if found is None:
        return None
    peak = found[0] + int(counts[found[0] : found[1]].argmax())
    bin_span = window.span / bins
    return Burst(
        window.start + found[0] * bin_span, window.start + found[1] * bin_span, window.start + (peak + 0.5) * bin_span
    )
