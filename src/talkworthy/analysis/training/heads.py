"""Train one linear head: fit with rows kept apart, calibrate on them, measure on the tenth never seen, pack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from talkworthy.analysis import evaluation, reading
from talkworthy.analysis.scoring import holds_phrase, probabilities
from talkworthy.analysis.training import fitting
from talkworthy.analysis.training.helping import design_of, fold_in, told_by
from talkworthy.analysis.training.sets import Row, fold_of, is_held_back
from talkworthy.analysis.training.tasks import YES, Task

Floats = npt.NDArray[np.float32]
Rarity = Mapping[str, Floats]
FOLDS = 5
FEW = 16_000  # rows up to which all folds are left out in turn, so that what is chosen is chosen on all rows
# A head that learned from rules says a part of what it believes, and the turns of phrase themselves the rest; what
# part was set by hand. Both are as sure together as the titles of reports allow whose kind people stated: they made the
# log odds 0.54 of what the rules alone would have them be.
PART, RULED_SHIFT = 0.27, -0.54


@dataclass(frozen=True)
class Trained:
    """A packed head, what was measured with the tenth of rows that it never saw, and on other sets by name."""

    arrays: dict[str, npt.NDArray[Any]]
    threshold: float
    measured: evaluation.Measured
    elsewhere: dict[str, evaluation.Measured]


def targets_of(rows: Sequence[Row], labels: Sequence[str]) -> Floats:
    """One column per label (softmax), or one column of yes and no; several names in one label are all yes."""
    if len(labels) == 1:
        return np.array([[float(row.label == YES)] for row in rows], np.float32)
    found = np.array([[float(label in row.label.split()) for label in labels] for row in rows], np.float32)
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1), np.float32)


def train(
    task: Task,
    rows: Sequence[Row],
    rarity: Rarity,
    readers: Floats,
    others: Mapping[str, Sequence[Row]],
) -> Trained:
    """Fit, calibrate, measure and pack; what `readers` (see `helping.py`) tell of a text is a feature of the head."""
    rows = [row for row in rows if any(label in row.label.split() for label in task.labels) or len(task.labels) == 1]
    texts = [row.text for row in rows]
    features, cues = design_of(task, texts, rarity)
    targets = targets_of(rows, task.labels)
    wholes = [row.whole for row in rows]
    unseen = np.array([is_held_back(whole) for whole in wholes])
    kept = np.flatnonzero(~unseen)
    fold = np.array([fold_of(whole, FOLDS) for whole in wholes])
    counts = counts_of([row.group for row in rows], task)
    told = told_by(readers, features, cues)
    small = len(kept) < FEW
    outside = np.zeros((len(rows), targets.shape[1]), np.float32)
    apart = range(FOLDS) if small else range(1)
    measured_rows = np.zeros(len(rows), np.bool_)
    for number in apart:
        held = kept[(fold[kept] == number)] if small else kept[fold[kept] == number][::2]
        seen = np.setdiff1d(kept, held)
        part = fit_rows(features[seen], cues[seen], told[seen], targets[seen], task, counts[seen])
        outside[held] = part.logits(sparse.hstack([features[held], sparse.csr_matrix(told[held])]).tocsr(), cues[held])
        measured_rows[held] = True
    scale, shift = fitting.calibrate(
        outside[measured_rows],
        targets[measured_rows],
        weights=even_counts(targets[measured_rows], task, counts[measured_rows]),
    )
    chances = probabilities((outside * scale + shift).astype(np.float32))
    threshold = (
        best_threshold(chances[measured_rows, 0], targets[measured_rows, 0], both=task.both)
        if len(task.labels) == 1
        else 0.0
    )
    whole = fit_rows(features[kept], cues[kept], told[kept], targets[kept], task, counts[kept])
    merged = fold_in(whole, readers)
    if task.phrase_weight:
        scale, shift, threshold = scale * PART, shift * PART + RULED_SHIFT, 0.5
    packed = packed_of(task, merged, scale, shift)
    if task.phrase_weight:
        packed["phrase_weight"] = np.array([task.phrase_weight], np.float32)
    tested = list(dict.fromkeys(row for row, apart in zip(rows, unseen, strict=True) if apart))
    groups = {name: [row for row in tested if row.group == group] for group, name in task.groups_measured}
    found = {}
    for name, held in {"": tested, **groups, **others}.items():
        design, signs = design_of(task, [row.text for row in held], rarity)
        logits = merged.logits(design, signs) * scale + shift
        if task.phrase_weight:
            logits += task.phrase_weight * holds_phrase(task.name, [row.text for row in held])[:, None]
        found[name] = measure(probabilities(logits.astype(np.float32)), targets_of(held, task.labels), task, threshold)
    return Trained(packed, threshold, found.pop(""), found)


def packed_of(task: Task, fitted: fitting.Fitted, scale: float, shift: Floats) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a head's file; of a text that is read in parts, those of each part under its name."""
    if task.parts is None:
        return fitting.pack(fitted, scale=scale, shift=shift)
    names = task.parts.names
    width, cues = 2 * reading.WIDTH, len(reading.CUES)
    packed: dict[str, npt.NDArray[Any]] = {}
    for place, name in enumerate(names):
        at = len(names) * width + place * cues
        own = np.vstack([fitted.weights[place * width : (place + 1) * width], fitted.weights[at : at + cues]])
        first = place == 0
        part = fitting.Fitted(own, fitted.bias if first else np.zeros_like(fitted.bias))
        arrays = fitting.pack(part, scale=scale, shift=shift if first else 0.0)
        packed |= {f"{name}_{array}": table for array, table in arrays.items()}
    return packed


def counts_of(groups: Sequence[str], task: Task) -> Floats:
    """How much each row counts, by its group."""
    known = dict(task.counts)
    return np.array([known.get(group, 1.0) for group in groups], np.float32)


def even_counts(targets: Floats, task: Task, counts: Floats) -> Floats:
    """How much rows count when a head is made true to them: where several answers weigh the same, they do so here."""
    return counts * fitting.balanced(targets) if task.even and len(task.labels) > 1 else counts


def fit_rows(
    features: sparse.csr_matrix, cues: Floats, told: Floats, targets: Floats, task: Task, counts: Floats
) -> fitting.Fitted:
    """Fit a head of the task to rows; `told` is what readers say of them, `counts` how much each counts."""
    joined = sparse.hstack([features, sparse.csr_matrix(told)]).tocsr()
    answers = [targets[:, [place]] for place in range(targets.shape[1])] if task.apart else [targets]
    fitted = [
        fitting.fit(
            joined,
            cues,
            answer,
            strength=task.strength,
            weights=counts * fitting.balanced(targets) if task.even else counts,
            reach=reach_of(features, told, answer, task),
            fewest=task.fewest,
        )
        for answer in answers
    ]
    return fitting.Fitted(np.hstack([held.weights for held in fitted]), np.concatenate([held.bias for held in fitted]))


def reach_of(features: sparse.csr_matrix, told: Floats, targets: Floats, task: Task) -> Floats:
    """How far the weights of the counted features may go, and those of what is told."""
    outputs = targets.shape[1]
    counted = np.ones((features.shape[1], outputs), np.float32)
    if task.telling:
        counted = fitting.telling(features, targets, least=task.telling)
    return np.vstack([counted, np.full((told.shape[1], outputs), task.trust, np.float32)])


def best_threshold(chances: Floats, truth: Floats, *, both: bool = False) -> float:
    """The probability from which "yes" gives the best F1 on rows that were not fitted; `both`: the best macro F1."""
    order = np.argsort(-chances, kind="stable")
    hits = np.cumsum(truth[order])
    said = np.arange(1, len(hits) + 1)
    f1 = 2 * hits / (said + truth.sum())
    if both:
        misses = len(hits) - truth.sum()
        right_no = misses - (said - hits)
        f1 = (f1 + 2 * right_no / np.maximum((len(hits) - said) + misses, 1)) / 2
    return round(float(np.clip(chances[order][int(f1.argmax())], 0.05, 0.95)), 3)


def measure(chances: Floats, targets: Floats, task: Task, threshold: float) -> evaluation.Measured:
    """The usual figures; one column is compared with the threshold."""
    if len(task.labels) == 1:
        truth = ["yes" if value else "no" for value in targets[:, 0]]
        guess = ["yes" if value >= threshold else "no" for value in chances[:, 0]]
        return evaluation.measured(
            truth,
            guess,
            positive="yes",
            scores=chances[:, 0],
            confidence=np.where(chances[:, 0] >= 0.5, chances[:, 0], 1 - chances[:, 0]),
        )
    truth = [task.labels[place] for place in targets.argmax(axis=1)]
    guess = [task.labels[place] for place in chances.argmax(axis=1)]
    return evaluation.measured(truth, guess, confidence=chances.max(axis=1))
