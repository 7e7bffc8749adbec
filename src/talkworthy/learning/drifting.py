"""Whether a model meets other posts than before: recent days against a reference, each figure with its chance. Pure.

Days are not alike and neighbours resemble each other, so what chance does is told by blocks of seven days in a row,
drawn from the reference and compared with each other; a block keeps the shape of a week.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import fisher_exact

from talkworthy.analysis.training.comparing import ENOUGH, wilson

RECENT, REFERENCE, BLOCK = 14, 84, 7
"""Days."""
LEAST_DAYS = {"recent": 7, "reference": 42}
LEAST_POSTS = 300
"""Posts in each of both below which nothing is told."""
DRAWS = 4_000
CHANCE = 0.0025
"""Below this probability a figure warns: four figures a task, so that a task whose posts stay as they are is warned of
about once in a hundred weeks."""
NOTABLE = {"shares": 0.01, "confidence": 0.02, "undecided": 0.03, "precision": 0.0}
"""So much of a figure that it is worth a warning, however surely it is no chance: Jensen-Shannon divergence in bits,
and differences of shares."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Days:
    """What a model answered, a row a day: posts by answer (the last column is "undecided") and sums of probability."""

    answers: tuple[str, ...]
    posts: Floats
    chances: Floats


@dataclass(frozen=True)
class Labelled:
    """Labels drawn by lot of the posts of a span: how many answers were right, of how many."""

    right: int = 0
    n: int = 0


@dataclass(frozen=True)
class Figure:
    """One comparison: recent and reference, the difference with its 95 % interval, and what chance would do.

    Of `shares` the difference is the Jensen-Shannon divergence, and both sides are empty.
    """

    name: str
    recent: float | None
    reference: float | None
    difference: float
    low: float
    high: float
    probability: float
    n: int
    """Recent posts or labels."""
    warns: bool

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def compared(
    recent: Days, reference: Days, *, seed: int, labels: tuple[Labelled, Labelled] | None = None
) -> list[Figure]:
    """Every figure that can be told; none where there are too few posts or days."""
    days = (("recent", recent), ("reference", reference))
    told = all(
        (side.posts.sum(axis=1) > 0).sum() >= LEAST_DAYS[name] and side.posts.sum() >= LEAST_POSTS
        for name, side in days
    )
    found = _of_posts(recent, reference, seed) if told else []
    if labels is not None and min(labels[0].n, labels[1].n) >= ENOUGH:
        found.append(_of_labels(*labels))
    return found


def divergence(one: Floats, other: Floats) -> Floats:
    """Jensen-Shannon divergence of two distributions in bits, 0 to 1; along the last axis."""
    one, other = _shares(one), _shares(other)
    middle = (one + other) / 2

    def towards(shares: Floats) -> Floats:
        safe = np.where(shares > 0, shares / np.where(middle > 0, middle, 1), 1)
        return np.asarray((shares * np.log2(safe)).sum(axis=-1), np.float64)

    return np.asarray((towards(one) + towards(other)) / 2, np.float64)


def stability(recent: Floats, reference: Floats) -> float:
    """The population stability index, as the field states it: under 0.1 stable, from 0.25 on changed."""
    one, other = (np.clip(_shares(side), 1e-4, None) for side in (recent, reference))
    return float(((one - other) * np.log(one / other)).sum())


def _shares(counts: Floats) -> Floats:
    return np.asarray(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-12), np.float64)


def _of_posts(recent: Days, reference: Days, seed: int) -> list[Figure]:
    chance = np.random.default_rng(seed)
    ours = _pseudo(reference, RECENT, chance), _pseudo(reference, REFERENCE, chance)
    noise = _single_days(recent, chance), _single_days(reference, chance)
    real = (_sums(recent), _sums(reference))
    n = int(recent.posts.sum())
    figures = []
    for name, of, apart in (
        ("shares", _decided, divergence),
        ("confidence", _confidence, np.subtract),
        ("undecided", _undecided, np.subtract),
    ):
        figures.append(_figure(name, of, apart, real, ours, noise, n))
    return figures


Sums = tuple[Floats, Floats]
"""Posts by answer, and the sum of probabilities; with a first axis of draws, or without."""


def _figure(
    name: str,
    of: Callable[[Sums], Floats],
    apart: Callable[[Floats, Floats], Floats],
    real: tuple[Sums, Sums],
    ours: tuple[Sums, Sums],
    noise: tuple[Sums, Sums],
    n: int,
) -> Figure:
    """A difference beside those that chance makes; a figure of shares has no two sides that one number tells."""
    sides = [of(side) for side in real]
    difference = float(apart(sides[0], sides[1]))
    by_chance = apart(of(ours[0]), of(ours[1]))
    low, high = np.quantile(apart(of(noise[0]), of(noise[1])), [0.025, 0.975])
    probability = float((1 + (np.abs(by_chance) >= abs(difference)).sum()) / (1 + DRAWS))
    single = sides[0].ndim == 0
    return Figure(
        name,
        float(sides[0]) if single else None,
        float(sides[1]) if single else None,
        difference,
        float(low),
        float(high),
        probability,
        n,
        probability < CHANCE and abs(difference) >= NOTABLE[name],
    )


def _decided(sums: Sums) -> Floats:
    return np.asarray(sums[0][..., :-1], np.float64)


def _confidence(sums: Sums) -> Floats:
    return np.asarray(sums[1] / np.maximum(sums[0].sum(axis=-1), 1), np.float64)


def _undecided(sums: Sums) -> Floats:
    return np.asarray(sums[0][..., -1] / np.maximum(sums[0].sum(axis=-1), 1), np.float64)


def _sums(days: Days) -> Sums:
    return np.asarray(days.posts.sum(axis=0), np.float64), np.asarray(days.chances.sum(), np.float64)


def _pseudo(days: Days, length: int, chance: np.random.Generator) -> Sums:
    """Spans of so many days, put together from blocks of days in a row of the reference."""
    starts = chance.integers(0, len(days.posts) - BLOCK + 1, (DRAWS, length // BLOCK))
    posts = np.lib.stride_tricks.sliding_window_view(days.posts, BLOCK, axis=0).sum(axis=-1)
    chances = np.lib.stride_tricks.sliding_window_view(days.chances, BLOCK).sum(axis=-1)
    return posts[starts].sum(axis=1), chances[starts].sum(axis=1)


def _single_days(days: Days, chance: np.random.Generator) -> Sums:
    """The span with its days drawn again: for intervals."""
    drawn = chance.integers(0, len(days.posts), (DRAWS, len(days.posts)))
    return days.posts[drawn].sum(axis=1), days.chances[drawn].sum(axis=1)


def _of_labels(recent: Labelled, reference: Labelled) -> Figure:
    """Whether answers are right less often on labels drawn by lot: Fisher's exact test."""
    table = [[side.right, side.n - side.right] for side in (recent, reference)]
    probability = float(fisher_exact(table).pvalue)
    one, other = wilson(recent.right, recent.n), wilson(reference.right, reference.n)
    difference = one.value - other.value
    low = difference - float(np.hypot(one.value - one.low, other.high - other.value))
    high = difference + float(np.hypot(one.high - one.value, other.value - other.low))
    warns = probability < CHANCE and difference < 0
    return Figure("precision", one.value, other.value, difference, low, high, probability, recent.n, warns)


def weeks(days: Days) -> list[dict[str, Any]]:
    """Seven days at a time, from the first on: posts, shares of all answers, mean probability."""
    found = []
    for start in range(0, len(days.posts) - BLOCK + 1, BLOCK):
        posts, total = days.posts[start : start + BLOCK].sum(axis=0), days.posts[start : start + BLOCK].sum()
        chances = float(days.chances[start : start + BLOCK].sum())
        shares = dict(zip(days.answers, (posts / max(total, 1)).round(4).tolist(), strict=True))
        found.append(
            {"start": start, "posts": int(total), "shares": shares, "confidence": round(chances / max(total, 1), 4)}
        )
    return found


def joined(answers: Sequence[str]) -> tuple[str, ...]:
    """The answers in the order of Days: "undecided" last, whether or not it was ever said."""
    return (*(answer for answer in sorted(answers) if answer != "undecided"), "undecided")
