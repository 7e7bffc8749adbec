"""What to do next, decided without clock, network or database."""

import itertools
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_PAUSE = timedelta(hours=6)
LONGEST_WAIT = timedelta(days=1)
"""A channel that asks for a longer pause is looked at after this one: it may say anything, also the year 9999."""
GIVE_UP_AFTER = 12
"""Failures in a row after which a source is looked at once in LONGEST_PAUSE only."""


def next_fetch(*, now: datetime, interval: float, wait: float | None, more: bool) -> datetime:
    """When to fetch again after a success: at once where the channel has more, never sooner than it asks."""
    pause = _bounded(wait or 0)
    return now + timedelta(seconds=pause if more else max(interval, pause))


def next_try(*, now: datetime, failures: int, after: float, jitter: float) -> datetime:
    """When to try again after `failures` in a row: doubling from `after` seconds, spread by jitter (0 to 1)."""
    after = _bounded(after)
    pause = min(after * 2 ** min(max(failures - 1, 0), 20), LONGEST_PAUSE.total_seconds())
    return now + timedelta(seconds=max(after, pause * (0.75 + 0.5 * jitter)))


def _bounded(seconds: float) -> float:
    """A pause as long as any may be; what is no number is the longest."""
    longest = LONGEST_WAIT.total_seconds()
    return max(seconds, 0.0) if seconds < longest else longest


def is_sampled(uid: str, percent: float) -> bool:
    """Whether a post falls into a sample: the same answer for the same post, whenever it is asked."""
    return zlib.crc32(uid.encode()) % 10_000 < percent * 100


def wilson(right: int, n: int, *, z: float = 1.959964) -> tuple[float, float]:
    """The interval (95 % unless told) in which a share lies, seen `right` times in `n`; (0, 1) where n is 0.

    Source: E. B. Wilson, 1927, Probable inference, the law of succession, and statistical inference.
    """
    if n == 0:
        return 0.0, 1.0
    share = right / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


@dataclass(frozen=True)
class Unusual:
    """How far a count stands out from what came before."""

    count: int
    expected: float
    variance: float
    probability: float
    """Of a count at least as high, were nothing going on."""
    n: int
    """Earlier periods that the expectation rests on."""


def how_unusual(count: int, earlier: Sequence[int]) -> Unusual:
    """Compare a count with those of earlier, like periods.

    The counts are taken as negative binomial with their mean and variance (Poisson where the variance is not
    above the mean), half a mention added to the mean so that silence does not make the first one a sensation.
    """
    n = len(earlier)
    mean = sum(earlier) / n if n else 0.0
    variance = sum((value - mean) ** 2 for value in earlier) / (n - 1) if n > 1 else mean
    expected = mean + 0.5 / max(n, 1) ** 0.5
    return Unusual(count, expected, variance, _at_least(count, expected, max(variance, expected)), n)


def _at_least(count: int, mean: float, variance: float) -> float:
    """P(X >= count) of a negative binomial with this mean and variance, or of a Poisson where they are equal."""
    below = 0.0
    if variance <= mean * 1.0001:
        for k in range(count):
            below += math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
    else:
        size = mean * mean / (variance - mean)
        p = size / (size + mean)
        for k in range(count):
            below += math.exp(
                math.lgamma(k + size) - math.lgamma(size) - math.lgamma(k + 1) + size * math.log(p) + k * math.log1p(-p)
            )
    return min(1.0, max(0.0, 1.0 - below))


def is_silent(*, now: datetime, arrivals: Sequence[datetime], factor: float) -> tuple[bool, timedelta, timedelta]:
    """Whether nothing came for unusually long: (yes or no, how long, how long would be unusual).

    Unusual is `factor` times the longest of the last gaps between arrivals, and never under an hour; with fewer
    than five arrivals nothing can be said.
    """
    ordered = sorted(arrivals)
    if len(ordered) < 5:
        return False, timedelta(), timedelta()
    gaps = [later - earlier for earlier, later in itertools.pairwise(ordered)]
    limit = max(max(gaps) * factor, timedelta(hours=1))
    quiet = now - ordered[-1]
    return quiet > limit, quiet, limit
