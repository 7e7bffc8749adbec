"""Train one linear head: fit with rows kept apart, calibrate on them, measure on the tenth never seen, pack."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from talkworthy.analysis import evaluation, reading
from talkworthy.analysis.scoring import RARITY_STEP, Head, head, probabilities
from talkworthy.analysis.training import fitting
from talkworthy.analysis.training.sets import Row, fold_of, is_held_back
from talkworthy.analysis.training.tasks import YES, Task

Floats = npt.NDArray[np.float32]
FOLDS = 5


@dataclass(frozen=True)
class Trained:
    """A packed head and what was measured with the tenth of rows that it never saw."""

    arrays: dict[str, npt.NDArray[Any]]
    threshold: float
    measured: evaluation.Measured
    n: int


def targets_of(rows: Sequence[Row], labels: Sequence[str]) -> Floats:
    """One column per label (softmax), or one column of yes and no; several names in one label are all yes."""
    if len(labels) == 1:
        return np.array([[float(row.label == YES)] for row in rows], np.float32)
    found = np.array([[float(label in row.label.split()) for label in labels] for row in rows], np.float32)
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1), np.float32)


def train(task: Task, rows: Sequence[Row], soft: tuple[Sequence[str], Floats] | None, rarity: dict[str, npt.NDArray[Any]]) -> Trained:
    """Fit, calibrate, measure and pack. `soft` are unlabelled texts with a teacher's probabilities, or None."""
    rows = [row for row in rows if any(label in row.label.split() for label in task.labels) or len(task.labels) == 1]
    weight = {block: table.astype(np.float32) * np.float32(RARITY_STEP) for block, table in rarity.items()}
    texts = [row.text for row in rows]
    features, cues = reading.design(texts, weight)
    targets = targets_of(rows, task.labels)
    unseen = np.array([is_held_back(text) for text in texts])
    kept = np.flatnonzero(~unseen)
    fold = np.array([fold_of(text, FOLDS) for text in texts])
    helpers = [head(name) for name in task.helped_by]
    told = told_by(helpers, features, cues)
    small = len(kept) < 8000
    outside = np.zeros((len(rows), targets.shape[1]), np.float32)
    apart = range(FOLDS) if small else range(1)
    measured_rows = np.zeros(len(rows), np.bool_)
    for number in apart:
        held = kept[(fold[kept] == number)] if small else kept[fold[kept] == number][::2]
        seen = np.setdiff1d(kept, held)
        part = _fit(features[seen], cues[seen], told[seen], targets[seen], task)
        outside[held] = part.logits(sparse.hstack([features[held], sparse.csr_matrix(told[held])]).tocsr(), cues[held])
        measured_rows[held] = True
    scale, shift = fitting.calibrate(outside[measured_rows], targets[measured_rows], weights=None)
    chances = probabilities((outside * scale + shift).astype(np.float32))
    threshold = best_threshold(chances[measured_rows, 0], targets[measured_rows, 0]) if len(task.labels) == 1 else 0.0
    whole = _fit(features[kept], cues[kept], told[kept], targets[kept], task)
    merged = fold_in(whole, helpers)
    packed = fitting.pack(merged, scale=scale, shift=shift)
    tested = np.flatnonzero(unseen)
    logits = merged.logits(features[tested], cues[tested]) * scale + shift
    measured = measure(probabilities(logits.astype(np.float32)), targets[tested], task, threshold)
    return Trained(packed, threshold, measured, len(tested))


def told_by(helpers: Sequence[Head], features: sparse.csr_matrix, cues: Floats) -> Floats:
    """Raw outputs of other heads as features: they are linear in the same features, so they fold in later."""
    if not helpers:
        return np.zeros((features.shape[0], 0), np.float32)
    found = []
    for held in helpers:
        raw = _raw(held)
        found.append(features @ raw[: features.shape[1]] + cues @ raw[features.shape[1] :])
    return np.asarray(np.hstack(found) / 3, np.float32)


def _raw(held: Head) -> Floats:
    from talkworthy.analysis.scoring import rarity

    weight = rarity()
    tables = [np.divide(getattr(held, block), weight[block][:, None], where=weight[block][:, None] > 0, out=np.zeros_like(getattr(held, block))) for block in ("words", "characters")]
    return np.vstack([*tables, held.cues])


def _fit(features: sparse.csr_matrix, cues: Floats, told: Floats, targets: Floats, task: Task) -> fitting.Fitted:
    joined = sparse.hstack([features, sparse.csr_matrix(told)]).tocsr()
    return fitting.fit(joined, cues, targets, strength=task.strength, weights=fitting.balanced(targets))


def fold_in(fitted: fitting.Fitted, helpers: Sequence[Head]) -> fitting.Fitted:
    """The same head without helpers: what they would say is added to its own weights."""
    width = 2 * reading.WIDTH
    told = sum(held.width for held in helpers)
    own = np.vstack([fitted.weights[:width], fitted.weights[width + told :]])
    at = width
    for held in helpers:
        own += _raw(held) @ fitted.weights[at : at + held.width] / 3
        at += held.width
    return fitting.Fitted(own, fitted.bias)


def best_threshold(chances: Floats, truth: Floats) -> float:
    """The probability from which "yes" gives the best F1 on rows that were not fitted."""
    order = np.argsort(-chances)
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + truth.sum())
    return round(float(np.clip(chances[order][int(f1.argmax())], 0.05, 0.95)), 3)


def measure(chances: Floats, targets: Floats, task: Task, threshold: float) -> evaluation.Measured:
    """The usual figures; one column is compared with the threshold."""
    if len(task.labels) == 1:
        truth = ["yes" if value else "no" for value in targets[:, 0]]
        guess = ["yes" if value >= threshold else "no" for value in chances[:, 0]]
        return evaluation.measured(truth, guess, positive="yes", scores=chances[:, 0], confidence=np.where(chances[:, 0] >= 0.5, chances[:, 0], 1 - chances[:, 0]))
    truth = [task.labels[place] for place in targets.argmax(axis=1)]
    guess = [task.labels[place] for place in chances.argmax(axis=1)]
    return evaluation.measured(truth, guess, confidence=chances.max(axis=1))
