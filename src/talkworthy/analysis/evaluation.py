"""How good an answer is: pure figures from true and guessed labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class PerClass:
    """Precision, recall and F1 of one label, 0 to 1, and how often it was true."""

    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True)
class Measured:
    """All figures are 0 to 1. `f1` and `auc` are of the positive class, and None where there is none."""

    n: int
    accuracy: float
    macro_f1: float
    macro_recall: float
    f1: float | None
    auc: float | None
    calibration_error: float | None
    classes: dict[str, PerClass]


def measured(
    truth: Sequence[str],
    guess: Sequence[str],
    *,
    positive: str | None = None,
    scores: Floats | None = None,
    confidence: Floats | None = None,
) -> Measured:
    """All figures at once.

    Macro figures are means over the labels that are true somewhere. `scores` rank rows for `auc` (higher is
    more likely `positive`). `confidence` is the probability given to each guess: where it was thresholded
    elsewhere than at a half, give the probability of the likelier answer.
    """
    if len(truth) != len(guess):
        raise ValueError(f"{len(truth)} true labels, but {len(guess)} guesses")
    true, guessed = np.array(truth, object), np.array(guess, object)
    labels = sorted(set(truth) | set(guess))
    classes = {label: _per_class(true == label, guessed == label) for label in labels}
    present = [held for held in classes.values() if held.n]
    right = true == guessed
    correct = right
    if confidence is not None and scores is not None and positive is not None:
        correct = (true == positive) == (np.asarray(scores) >= 0.5)
    return Measured(
        n=len(true),
        accuracy=float(right.mean()) if len(true) else 0.0,
        macro_f1=_mean([held.f1 for held in present]),
        macro_recall=_mean([held.recall for held in present]),
        f1=classes[positive].f1 if positive in classes else None,
        auc=auc(true == positive, scores) if positive is not None and scores is not None else None,
        calibration_error=calibration_error(correct, confidence) if confidence is not None else None,
        classes=classes,
    )


def _per_class(true: npt.NDArray[np.bool_], guessed: npt.NDArray[np.bool_]) -> PerClass:
    hits, said, there = int((true & guessed).sum()), int(guessed.sum()), int(true.sum())
    precision = hits / said if said else 0.0
    recall = hits / there if there else 0.0
    return PerClass(precision, recall, 2 * hits / (said + there) if said + there else 0.0, there)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def auc(positive: npt.NDArray[np.bool_], scores: Floats) -> float | None:
    """Chance that a positive row ranks before a negative one, ties half; None where either is missing."""
    positive = np.asarray(positive, np.bool_)
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        return None
    _, place, counts = np.unique(np.asarray(scores), return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    return float((rank[place][positive].sum() - ups * (ups + 1) / 2) / (ups * downs))


def calibration_error(correct: npt.NDArray[np.bool_], confidence: Floats, *, bins: int = 15) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over equal-width bins, by rows in each."""
    correct, confidence = np.asarray(correct, np.float64), np.asarray(confidence, np.float64)
    if not len(correct):
        return 0.0
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.abs(np.bincount(place, confidence, bins) - np.bincount(place, correct, bins))
    return float(gaps.sum() / len(correct))
