"""Fit shipped heads again on what the people of a workspace said: a regularised update around the shipped weights.

What is learned is a difference to the shipped weights that is held small: a feature that no label speaks of keeps
its weight, and few labels move little. How much they may move, and how much corrections count, is chosen on labels
that were not fitted. Only labels drawn by lot choose, calibrate and measure: corrections are made where an answer
was wrong, so that any change at all looks good on them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize, minimize_scalar

from talkworthy.analysis import intent, reading
from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import Floats, Scorer, head, probabilities, rarity
from talkworthy.analysis.training.comparing import Answers, Comparison, compare
from talkworthy.analysis.training.heads import best_threshold
from talkworthy.analysis.training.sets import fold_of

Bools = npt.NDArray[np.bool_]
Arrays = dict[str, npt.NDArray[Any]]
Features: TypeAlias = "sparse.csr_matrix | npt.NDArray[np.float32]"
Progress = Callable[[int, int], None]
"""Told how far it is, of how much; raises to stop the work."""

TASKS: Mapping[str, tuple[str, ...]] = {"sentiment": ("sentiment",), "intent": intent.WISHES}
"""What can be trained again: the heads that answer each task."""

FEWEST = 20
"""Labels below which nothing is fitted."""
STRENGTHS = (0.0, 0.1, 0.3, 1.0, 3.0)
"""How far labels may move weights (the inverse of regularisation, as C of scikit-learn); 0: not at all."""
SHARES = (0.25, 1.0)
"""How much a correction counts beside a label drawn by lot."""
UNSURE_STRENGTH, UNSURE_SHARE = 0.1, 0.25
"""What is taken where too few labels were drawn by lot to choose."""
ENOUGH_TO_CHOOSE = 20
ENOUGH_TO_CALIBRATE = 20
ENOUGH_TO_HOLD = 300
"""Labels drawn by lot from which a fifth of all labels is kept apart for ever; below, every label is in its turn."""
SCALES = (0.3, 3.0)
HELD_SCALE = 0.35
"""How far, in the logarithm, the factor that makes probabilities true is expected to be from 1: few labels that are
right by chance would make every answer sure."""
SIGNS = np.float32(0.3)
"""How much cues count beside words: every text has them, so a change of theirs reaches what no label speaks of."""
FOLDS = 5
THIRDS = 3
HELD = 0
"""The fold that is kept apart."""
MANY = 2_000
"""Rows from which one split chooses, not three folds."""
STEPS = 40
FEW = 800
"""Rows up to which they are turned into as many columns as there are rows: the same fit, in a fraction of the time."""
PROPER = 1e-4
"""Changes of a weight below this are not written."""


@dataclass(frozen=True)
class Labelled:
    """A text and the answer that a person gave; `drawn` where the post was drawn by lot, not found to be wrong."""

    text: str
    answer: str
    drawn: bool


class TooFewLabels(ValueError):
    """There is too little to learn from; `found` of the `needed` labels are there."""

    def __init__(self, found: int, needed: int) -> None:
        super().__init__(f"{found} labels, where at least {needed} are needed")
        self.found, self.needed = found, needed


@dataclass(frozen=True)
class Adapted:
    """New heads of a task as arrays (see `own_heads`), their thresholds, and how they compare with the shipped ones."""

    task: str
    arrays: Arrays
    thresholds: Mapping[str, float]
    comparison: Comparison
    fitted: int
    strengths: Mapping[str, float]


@dataclass(frozen=True)
class _Rows:
    """Labels ready to be fitted: features of the places that occur, what the shipped heads say, which were drawn.

    Where `back` is given, the features are turned: a change of theirs is `back` times that of the places.
    """

    features: Features
    back: Floats | None
    places: npt.NDArray[np.int64]
    shipped: Mapping[str, Floats]
    targets: Mapping[str, Floats]
    drawn: Bools
    fold: npt.NDArray[np.int64]
    inner: npt.NDArray[np.int64]
    """Another split of the same rows, for what is chosen among those that are fitted."""

    def __len__(self) -> int:
        return len(self.fold)


@dataclass(frozen=True)
class _Head:
    """What was learned of one head: the change of weights over the rows' features, and of the bias, then scaled."""

    change: Floats
    shift: Floats
    scale: float
    strength: float
    threshold: float

    def logits(self, shipped: Floats, features: Features) -> Floats:
        """Raw outputs where the shipped head says `shipped`."""
        return np.asarray((shipped + features @ self.change) * self.scale + self.shift, np.float32)


def answers_of(task: str) -> tuple[str, ...]:
    """What a label of a task may say; "undecided" teaches nothing."""
    return model("sentiment").labels if task == "sentiment" else (*intent.WISHES, intent.OTHER)


def adapt(task: str, labels: Sequence[Labelled], *, told: Progress, seed: int = 1) -> Adapted:
    """Learn from labels, and compare with the shipped heads on labels that were not fitted. TooFewLabels where few.

    Each text counts once: with its last label, and as drawn by lot where one of its labels was.
    """
    kept = _once([held for held in labels if held.answer in answers_of(task)])
    if len(kept) < FEWEST:
        raise TooFewLabels(len(kept), FEWEST)
    rows = _rows(task, kept)
    names = TASKS[task]
    apart = int(rows.drawn.sum()) >= ENOUGH_TO_HOLD
    turns = (HELD,) if apart else tuple(range(FOLDS))
    steps, done = len(names) * (len(turns) + (0 if apart else 1)), 0
    after = {name: np.zeros_like(rows.shipped[name]) for name in names}
    thresholds = {name: np.full(len(rows), model(name).threshold, np.float32) for name in names}
    learned: dict[str, _Head] = {}
    for turn in turns:
        seen, unseen = np.flatnonzero(rows.fold != turn), np.flatnonzero(rows.fold == turn)
        for name in names:
            found = _learned(name, rows, seen)
            after[name][unseen] = found.logits(rows.shipped[name][unseen], rows.features[unseen])
            thresholds[name][unseen] = found.threshold
            learned[name] = found
            done += 1
            told(done, steps)
    if not apart:
        for name in names:
            learned[name] = _learned(name, rows, np.arange(len(rows)))
            done += 1
            told(done, steps)
    measured = rows.fold == HELD if apart else np.ones(len(rows), np.bool_)
    truth = [held.answer for held in kept]
    before = _answers(task, rows.shipped, {name: np.full(len(rows), model(name).threshold) for name in names})
    compared = compare(
        truth,
        before,
        _answers(task, after, thresholds),
        drawn=rows.drawn,
        measured=measured,
        kept_apart=apart,
        seed=seed,
    )
    fitted = int((~measured).sum()) if apart else len(rows)
    return Adapted(
        task,
        _arrays(names, learned, rows),
        {name: held.threshold for name, held in learned.items()},
        compared,
        fitted,
        {name: held.strength for name, held in learned.items()},
    )


def _once(labels: Sequence[Labelled]) -> list[Labelled]:
    found: dict[str, Labelled] = {}
    for held in labels:
        key = " ".join(held.text.lower().split())
        before = found.pop(key, None)
        found[key] = Labelled(held.text, held.answer, held.drawn or bool(before and before.drawn))
    return list(found.values())


def _rows(task: str, labels: Sequence[Labelled]) -> _Rows:
    texts = [held.text for held in labels]
    names = TASKS[task]
    features, cues = reading.design(texts, rarity())
    whole = sparse.hstack([features, sparse.csr_matrix(cues * SIGNS)]).tocsc()
    places = np.flatnonzero(np.diff(whole.indptr)).astype(np.int64)
    scorer = Scorer([head(name) for name in names])
    logits, shipped, column = scorer.logits(texts), {}, 0
    for each in scorer.heads:
        shipped[each.model.name] = logits[:, column : column + each.width]
        column += each.width
    there = whole[:, places].tocsr().astype(np.float32)
    turned, back = _turned(there) if len(labels) <= FEW else (there, None)
    return _Rows(
        turned,
        back,
        places,
        shipped,
        {name: _targets(name, labels) for name in names},
        np.array([held.drawn for held in labels], np.bool_),
        np.array([fold_of(text, FOLDS) for text in texts], np.int64),
        np.array([fold_of(text, THIRDS) for text in texts], np.int64),
    )


def _turned(features: sparse.csr_matrix) -> tuple[Floats, Floats]:
    """The rows over the directions in which they differ, and these directions as columns of the places.

    A change of weights that is held small lies in these directions, so nothing is lost.
    """
    values, vectors = np.linalg.eigh((features @ features.T).toarray().astype(np.float64))
    kept = values > 1e-6 * values[-1]
    length = np.sqrt(values[kept])
    back = features.T @ (vectors[:, kept] / length).astype(np.float32)
    return (vectors[:, kept] * length).astype(np.float32), np.asarray(back, np.float32)


def _targets(name: str, labels: Sequence[Labelled]) -> Floats:
    if name == "sentiment":
        return np.array([[held.answer == label for label in model(name).labels] for held in labels], np.float32)
    return np.array([[held.answer == name] for held in labels], np.float32)


def _learned(name: str, rows: _Rows, seen: npt.NDArray[np.int64]) -> _Head:
    """Fit one head on some of the rows; what is chosen is chosen among these."""
    drawn = rows.drawn[seen]
    targets, shipped, features = rows.targets[name][seen], rows.shipped[name][seen], rows.features[seen]
    strength, share, outside = UNSURE_STRENGTH, UNSURE_SHARE, None
    if drawn.sum() >= ENOUGH_TO_CHOOSE:
        strength, share, outside = _chosen(features, shipped, targets, drawn, rows.inner[seen])
    change, shift = _fit(features, shipped, targets, _weights(drawn, share), strength)
    scale, threshold = 1.0, model(name).threshold
    if outside is not None:
        inside = drawn & ~np.isnan(outside[:, 0])
        logits = outside[inside]
        if len(logits) >= ENOUGH_TO_CALIBRATE:
            scale = _calibrated(logits, targets[inside])
        if shipped.shape[1] == 1 and targets[inside].sum() >= ENOUGH_TO_CHOOSE:
            chances = probabilities((logits * scale).astype(np.float32))
            threshold = best_threshold(chances[:, 0], targets[inside, 0])
    return _Head(change, shift * scale, scale, strength, threshold)


def _calibrated(logits: Floats, targets: Floats) -> float:
    """The factor that makes probabilities true on labels that were not fitted, held near 1 where these are few.

    A factor alone: an answer that no label happened to give must not be ruled out.
    """

    def missed(power: float) -> float:
        misses = _misses((logits * np.exp(power)).astype(np.float32), targets)
        return float(misses.sum()) + 0.5 * (power / HELD_SCALE) ** 2

    low, high = np.log(SCALES)
    return float(np.exp(minimize_scalar(missed, bounds=(low, high), method="bounded").x))


def _weights(drawn: Bools, share: float) -> Floats:
    return np.where(drawn, 1.0, share).astype(np.float32)


def _chosen(
    features: Features, shipped: Floats, targets: Floats, drawn: Bools, fold: npt.NDArray[np.int64]
) -> tuple[float, float, Floats]:
    """The strength and the share of corrections that say most of labels left out, and what was said of these.

    Of those that are not surely worse than the best, by one standard error, the one that moves least: in a narrow
    stream of posts bold changes look as good as careful ones, and do harm once the stream widens.
    """
    folds = range(1 if len(fold) >= MANY else THIRDS)
    tried: list[tuple[float, float, Floats, Floats]] = []
    for strength in STRENGTHS:
        for share in SHARES if strength and not drawn.all() else SHARES[-1:]:
            outside = np.full_like(shipped, np.nan)
            for number in folds:
                held, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
                weights = _weights(drawn[rest], share)
                change, shift = _fit(features[rest], shipped[rest], targets[rest], weights, strength)
                outside[held] = shipped[held] + features[held] @ change + shift
            told = drawn & ~np.isnan(outside[:, 0])
            tried.append((strength, share, outside, _misses(outside[told], targets[told])))
    least = min((missed for _strength, _share, _outside, missed in tried), key=lambda missed: float(missed.mean()))
    for strength, share, outside, missed in tried:
        worse = missed - least
        if worse.mean() <= worse.std() / np.sqrt(len(worse)):
            return strength, share, outside
    return tried[0][:3]


def _misses(logits: Floats, targets: Floats) -> Floats:
    """The log loss of each row."""
    safe = np.clip(probabilities(logits), 1e-6, 1 - 1e-6)
    miss = -targets * np.log(safe)
    if targets.shape[1] == 1:
        miss = miss - (1 - targets) * np.log(1 - safe)
    return np.asarray(miss.sum(axis=1), np.float32)


def _fit(
    features: Features, shipped: Floats, targets: Floats, weights: Floats, strength: float
) -> tuple[Floats, Floats]:
    """The change of weights and bias: the loss of the rows against the squared length of the change."""
    width, outputs = features.shape[1], targets.shape[1]
    if not strength:
        return np.zeros((width, outputs), np.float32), np.zeros(outputs, np.float32)
    flipped = features.T if isinstance(features, np.ndarray) else features.T.tocsr()

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        table = flat.reshape(width + 1, outputs).astype(np.float32)
        guessed = probabilities(shipped + features @ table[:-1] + table[-1])
        safe = np.clip(guessed, 1e-7, 1 - 1e-7)
        miss = -targets * np.log(safe)
        if outputs == 1:
            miss = miss - (1 - targets) * np.log(1 - safe)
        slope = (guessed - targets) * weights[:, None]
        gradient = np.vstack([flipped @ slope, slope.sum(axis=0, keepdims=True)]) * strength + table
        value = strength * float((miss.sum(axis=1) * weights).sum()) + 0.5 * float((flat**2).sum())
        return value, gradient.astype(np.float64).ravel()

    found = minimize(loss, np.zeros((width + 1) * outputs), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    table = found.x.reshape(width + 1, outputs).astype(np.float32)
    return table[:-1], table[-1]


def _answers(task: str, logits: Mapping[str, Floats], thresholds: Mapping[str, npt.NDArray[Any]]) -> Answers:
    """The likeliest answer of each row and its probability, whatever it is: measured without "undecided"."""
    if task == "sentiment":
        labels = model("sentiment").labels
        chances = probabilities(logits["sentiment"])
        first = chances.argmax(axis=1)
        return Answers([labels[place] for place in first], chances[np.arange(len(first)), first])
    each = {name: probabilities(held)[:, 0] for name, held in logits.items()}
    margins = np.stack([intent.odds(each[name]) - intent.odds(thresholds[name]) for name in TASKS[task]], axis=1)
    first, rows = margins.argmax(axis=1), np.arange(len(margins))
    likely = np.stack([each[name] for name in TASKS[task]], axis=1)[rows, first]
    yes = margins[rows, first] >= 0
    names = [TASKS[task][place] if said else intent.OTHER for place, said in zip(first, yes, strict=True)]
    return Answers(names, np.where(yes, likely, 1 - likely).astype(np.float32))


def _arrays(names: Sequence[str], learned: Mapping[str, _Head], rows: _Rows) -> Arrays:
    """The shipped arrays of each head with what was learned beside them, the calibration folded in."""
    found: Arrays = {}
    width, places = reading.WIDTH, rows.places
    for name in names:
        card, own = model(name), learned[name]
        held: Arrays = dict(card.arrays())
        change = (own.change if rows.back is None else rows.back @ own.change) * np.float32(own.scale)
        for block, low in (("words", 0), ("characters", width)):
            held[f"{block}_scale"] = (held[f"{block}_scale"] * own.scale).astype(np.float32)
            inside = (places >= low) & (places < low + width)
            moved = inside & (np.abs(change).max(axis=1) > PROPER)
            held[f"{block}_places"] = (places[moved] - low).astype(np.int32)
            held[f"{block}_added"] = change[moved].astype(np.float32)
        cues = np.zeros((len(reading.CUES), change.shape[1]), np.float32)
        signs = places >= 2 * width
        cues[places[signs] - 2 * width] = change[signs] * SIGNS
        held["cues"] = (held["cues"] * own.scale + cues).astype(np.float32)
        held["bias"] = (held["bias"] * own.scale + own.shift).astype(np.float32)
        if "phrase_weight" in held:
            held["phrase_weight"] = (held["phrase_weight"] * own.scale).astype(np.float32)
        found |= {f"{name}.{part}": array for part, array in held.items()}
    return found
