"""Figures of how long things took: median and the ninetieth percentile. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Taken:
    """Lengths in seconds: how many, the middle one, and the one that nine of ten stay below."""

    n: int
    median: float | None
    p90: float | None


def taken(lengths: Sequence[float]) -> Taken:
    """Quantiles by linear interpolation between the two nearest (type 7); None where there is nothing."""
    ordered = sorted(lengths)
    return Taken(len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.9))


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that `share` of the ordered values do not exceed."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
