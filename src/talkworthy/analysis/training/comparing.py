"""Two models on the same labels: what each gets right, with intervals, and whether the difference is chance."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from talkworthy.analysis import evaluation

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

ENOUGH = 30
"""Labels drawn by lot below which nothing is said of a difference."""
CHANCE = 0.05
DRAWS = 1_000
Z = 1.959964


@dataclass(frozen=True)
class Answers:
    """What a model answers to each label, and with which probability."""

    names: Sequence[str]
    confidence: Floats


@dataclass(frozen=True)
class Share:
    """A share of n, 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Figures:
    """How one model does on labels; `classes` by answer."""

    right: Share
    macro_f1: Share
    calibration_error: float
    classes: dict[str, evaluation.PerClass]


@dataclass(frozen=True)
class Difference:
    """After less before, in shares: with its 95 % interval, and how probable so much is by chance alone."""

    value: float
    low: float
    high: float
    probability: float
    mended: int
    broken: int


@dataclass(frozen=True)
class Comparison:
    """Before and after on labels that were not fitted. `verdict` is better, worse, chance or few.

    The figures are of labels drawn by lot. `corrections` are those of what people corrected: they were made where
    the model was wrong, so they say nothing of how often it is.
    """

    verdict: str
    kept_apart: bool
    before: Figures | None
    after: Figures | None
    difference: Difference | None
    corrections_before: Share | None
    corrections_after: Share | None

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def compare(
    truth: Sequence[str],
    before: Answers,
    after: Answers,
    *,
    drawn: Bools,
    measured: Bools,
    kept_apart: bool,
    seed: int = 1,
) -> Comparison:
    """Compare on the measured rows: figures on those drawn by lot, corrections apart."""
    by_lot, corrected = np.flatnonzero(measured & drawn), np.flatnonzero(measured & ~drawn)
    right_before, right_after = _right(truth, before), _right(truth, after)
    found = len(by_lot) > 0
    difference = _difference(right_before[by_lot], right_after[by_lot], seed) if found else None
    return Comparison(
        verdict=_verdict(len(by_lot), difference),
        kept_apart=kept_apart,
        before=figures(truth, before, by_lot, seed=seed) if found else None,
        after=figures(truth, after, by_lot, seed=seed) if found else None,
        difference=difference,
        corrections_before=wilson(int(right_before[corrected].sum()), len(corrected)) if len(corrected) else None,
        corrections_after=wilson(int(right_after[corrected].sum()), len(corrected)) if len(corrected) else None,
    )


def figures(truth: Sequence[str], said: Answers, rows: npt.NDArray[np.int64], *, seed: int = 1) -> Figures:
    """The figures of one model on some rows."""
    true = [truth[row] for row in rows]
    guess = [said.names[row] for row in rows]
    found = evaluation.measured(true, guess, confidence=np.asarray(said.confidence)[rows])
    hits = sum(one == other for one, other in zip(true, guess, strict=True))
    low, high = _macro_interval(true, guess, seed)
    return Figures(
        right=wilson(hits, len(true)),
        macro_f1=Share(found.macro_f1, low, high, len(true)),
        calibration_error=found.calibration_error or 0.0,
        classes=found.classes,
    )


def wilson(hits: int, n: int) -> Share:
    """A share with Wilson's 95 % interval; of nothing, nothing is known."""
    if not n:
        return Share(0.0, 0.0, 1.0, 0)
    share, square = hits / n, Z * Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    reach = Z * float(np.sqrt(share * (1 - share) / n + square / (4 * n * n))) / (1 + square / n)
    return Share(share, max(0.0, middle - reach), min(1.0, middle + reach), n)


def _right(truth: Sequence[str], said: Answers) -> Bools:
    return np.array([one == other for one, other in zip(truth, said.names, strict=True)], np.bool_)


def _difference(before: Bools, after: Bools, seed: int) -> Difference:
    """McNemar's exact test on the rows that only one of both gets right, and a bootstrap interval of the difference."""
    mended, broken = int((after & ~before).sum()), int((before & ~after).sum())
    probability = float(binomtest(mended, mended + broken).pvalue) if mended + broken else 1.0
    change = after.astype(np.float64) - before
    chance = np.random.default_rng(seed)
    means = change[chance.integers(0, len(change), (DRAWS, len(change)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(change.mean()), float(low), float(high), probability, mended, broken)


def _macro_interval(truth: Sequence[str], guess: Sequence[str], seed: int) -> tuple[float, float]:
    """A bootstrap interval of the mean F1 over the answers that are true somewhere."""
    names = sorted({*truth, *guess})
    place = {name: number for number, name in enumerate(names)}
    true, said = np.array([place[name] for name in truth]), np.array([place[name] for name in guess])
    chance = np.random.default_rng(seed)
    found = []
    for _draw in range(min(DRAWS, 400)):
        rows = chance.integers(0, len(true), len(true))
        table = np.bincount(true[rows] * len(names) + said[rows], minlength=len(names) ** 2).reshape(len(names), -1)
        there, told = table.sum(axis=1), table.sum(axis=0)
        f1 = 2 * np.diag(table) / np.maximum(there + told, 1)
        found.append(float(f1[there > 0].mean()))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _verdict(n: int, difference: Difference | None) -> str:
    if difference is None or n < ENOUGH:
        return "few"
    if difference.probability >= CHANCE:
        return "chance"
    return "better" if difference.value > 0 else "worse"
