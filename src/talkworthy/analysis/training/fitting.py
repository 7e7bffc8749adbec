"""Fit, calibrate and pack one linear head; seeded, so that the same rows give the same file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from talkworthy.analysis import reading
from talkworthy.analysis.scoring import RARITY_STEP, probabilities

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

MOST_RARE = 9.0


@dataclass(frozen=True)
class Fitted:
    """Weights over the scaled features of `reading.design`: (features, outputs), the cues last."""

    weights: Floats
    bias: Floats

    def logits(self, features: sparse.csr_matrix, cues: Floats) -> Floats:
        """Raw outputs, one row a text."""
        known = features.shape[1]
        return np.asarray(features @ self.weights[:known] + cues @ self.weights[known:] + self.bias, np.float32)


def learn_rarity(texts: Sequence[str]) -> Arrays:
    """How rare each place is among texts, in steps of eight bits; a place never met weighs as the median one."""
    flat = {block: np.ones(reading.WIDTH, np.float32) for block in ("words", "characters")}
    seen = {block: np.zeros(reading.WIDTH) for block in flat}
    for start in range(0, len(texts), 20_000):
        features, _ = reading.design(texts[start : start + 20_000], flat)
        present = np.bincount(features.indices, minlength=2 * reading.WIDTH)
        seen["words"] += present[: reading.WIDTH]
        seen["characters"] += present[reading.WIDTH :]
    packed = {}
    for block, count in seen.items():
        weight = np.minimum(np.log((1 + len(texts)) / (1 + count)), MOST_RARE)
        packed[block] = np.round(weight / RARITY_STEP).astype(np.uint8)
    return packed


def fit(
    features: sparse.csr_matrix | Floats,
    cues: Floats,
    targets: Floats,
    *,
    strength: float,
    weights: Floats | None = None,
    reach: Floats | None = None,
    fewest: int = 1,
    steps: int = 80,
) -> Fitted:
    """Regularised regression onto target probabilities: (texts, outputs), rows of one column are yes or no.

    `strength` is the inverse of regularisation (as C of scikit-learn), `weights` counts rows more or less, `reach`
    says how far the weights of the first features may go, beside 1 for the others: (features, outputs). Of features
    counted sparsely, one that stands in fewer rows than `fewest` has no weight.
    """
    width, outputs = features.shape[1] + cues.shape[1], targets.shape[1]
    reaches = np.ones((width, outputs), np.float32)
    if reach is not None:
        reaches[: len(reach)] = reach
    if isinstance(features, np.ndarray):
        met = np.arange(width)
        matrix = np.hstack([features, cues])
        flipped = matrix.T
    else:
        matrix = sparse.hstack([features, sparse.csr_matrix(cues)]).tocsr().astype(np.float32)
        met = np.flatnonzero(np.bincount(matrix.indices, minlength=width) >= max(fewest, 1))
        matrix = matrix[:, met]
        flipped = matrix.T.tocsr()
    counted = np.ones(len(targets), np.float32) if weights is None else weights.astype(np.float32)
    height = len(met)
    far = np.vstack([reaches[met], np.ones((1, outputs), np.float32)])

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        table = flat.reshape(height + 1, outputs).astype(np.float32)
        scaled = table * far
        logits = matrix @ scaled[:-1] + scaled[-1]
        guessed = probabilities(logits)
        safe = np.clip(guessed, 1e-7, 1 - 1e-7)
        if outputs == 1:
            miss = -(targets * np.log(safe) + (1 - targets) * np.log(1 - safe)).sum(axis=1)
        else:
            miss = -(targets * np.log(safe)).sum(axis=1)
        slope = (guessed - targets) * counted[:, None]
        gradient = np.vstack([flipped @ slope, slope.sum(axis=0, keepdims=True)]) * far * strength
        gradient[:-1] += table[:-1]
        value = strength * float((miss * counted).sum()) + 0.5 * float((table[:-1].astype(np.float64) ** 2).sum())
        return value, gradient.astype(np.float64).ravel()

    start = np.zeros((height + 1) * outputs)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps, "maxcor": 8})
    table = found.x.reshape(height + 1, outputs).astype(np.float32) * far
    whole = np.zeros((width, outputs), np.float32)
    whole[met] = table[:-1]
    return Fitted(whole, table[-1])


def telling(features: sparse.csr_matrix, targets: Floats, *, least: float) -> Floats:
    """How far each weight may go: `least`, and how much oftener its feature stands where the answer is yes than where
    it is no, or the other way round, as a difference of logarithms (Wang and Manning 2012). (features, outputs).
    """
    there = (features > 0).astype(np.float32).T.tocsr()
    yes, no = there @ targets + 1, there @ (1 - targets) + 1
    share = np.log(yes / np.maximum(targets.sum(axis=0), 1)) - np.log(no / np.maximum((1 - targets).sum(axis=0), 1))
    return np.asarray(least + np.abs(share), np.float32)


def balanced(targets: Floats) -> Floats:
    """A weight per row that makes every answer weigh the same in all; one column: yes and no."""
    whole = np.hstack([1 - targets, targets]) if targets.shape[1] == 1 else targets
    share = whole.sum(axis=0)
    return np.asarray(whole @ (len(whole) / (len(share) * np.maximum(share, 1))), np.float32)


def calibrate(logits: Floats, targets: Floats, *, weights: Floats | None = None) -> tuple[float, Floats]:
    """Scale and shift of raw outputs that make their probabilities true on rows kept apart."""
    outputs = targets.shape[1]
    counted = np.ones(len(targets)) if weights is None else weights

    def loss(found: npt.NDArray[np.float64]) -> float:
        safe = np.clip(probabilities((logits * found[0] + found[1:]).astype(np.float32)), 1e-6, 1 - 1e-6)
        miss = -targets * np.log(safe)
        if outputs == 1:
            miss = miss - (1 - targets) * np.log(1 - safe)
        return float((miss.sum(axis=1) * counted).mean()) + 1e-3 * float(((found[1:]) ** 2).sum())

    start = np.concatenate([[1.0], np.zeros(outputs)])
    found = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-3, "fatol": 1e-6})
    return float(found.x[0]), found.x[1:].astype(np.float32)


def pack(fitted: Fitted, *, scale: float = 1.0, shift: Floats | float = 0.0, smallest: float = 0.5) -> Arrays:
    """Weights in eight bits, the calibration folded in; those under `smallest` steps are dropped."""
    packed: Arrays = {}
    width = reading.WIDTH
    for block, rows in (("words", slice(0, width)), ("characters", slice(width, 2 * width))):
        table = fitted.weights[rows] * scale
        step = np.maximum(np.quantile(np.abs(table), 0.9999, axis=0), 1e-6) / 127
        whole = np.clip(np.round(table / step), -127, 127)
        whole[np.abs(table / step) < smallest] = 0
        packed[block] = whole.astype(np.int8)
        packed[f"{block}_scale"] = step.astype(np.float32)
    packed["cues"] = (fitted.weights[2 * width :] * scale).astype(np.float32)
    packed["bias"] = (fitted.bias * scale + shift).astype(np.float32)
    return packed
