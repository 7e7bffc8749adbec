"""Fit the careful heads over the vectors of the finished encoder, and blend each with the fast head of its name.

The network saw each row about once, in small steps; over its finished vectors a head is a regression of 384 weights
that is fitted to the end. This needs neither torch nor hours: `… training careful-TASK DATA MODELS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from talkworthy.analysis import evaluation, reading
from talkworthy.analysis.careful import ENCODER, LONGEST, LONGEST_REPORT, REPORTS, Encoder
from talkworthy.analysis.parts import scorer_of_parts
from talkworthy.analysis.registry import read_card
from talkworthy.analysis.scoring import holds_phrase, probabilities, unfolded
from talkworthy.analysis.training import fitting, packing
from talkworthy.analysis.training.careful import calibrating
from talkworthy.analysis.training.careful.beside import fast_text, said_unseen
from talkworthy.analysis.training.careful.examples import Example, parts_of
from talkworthy.analysis.training.heads import counts_of, measure, targets_of
from talkworthy.analysis.training.helping import rarity_of, raw_weights
from talkworthy.analysis.training.tasks import LANGUAGES, Task

Floats = npt.NDArray[np.float32]

THREADS = 2
STEPS = 200
# How much rows of a group count in the fit, where otherwise than for the fast head: of few vectors' weights all are
# shared, so that eight small languages are heard beside English only if they are counted often.
COUNTS = {"sentiment": tuple((language, 16.0) for language in LANGUAGES)}


@dataclass(frozen=True)
class CarefulTrained:
    """A packed careful head and its blend, its threshold, and what was measured, by set ("": the tenth held back)."""

    arrays: calibrating.Arrays
    blend: calibrating.Blend
    threshold: float
    measured: dict[str, evaluation.Measured]


def train(task: Task, data: Path, models: Path, kept: Path | None = None) -> CarefulTrained:
    """Fit, blend, measure and pack the careful head of a task; the encoder and the fast heads are those in `models`.

    `kept` is where a fast head that is taught finds what the encoder made of texts before.
    """
    _, held = packing.load(models, ENCODER)
    encoder = Encoder(held, threads=THREADS)
    parts = parts_of(task, data)
    fitted = fit_over(vectors_of(encoder, parts.fitted), parts.fitted, task)
    raw = raw_outputs(fitted, vectors_of(encoder, parts.calibrated))
    said = said_unseen(task, parts, models, data, kept)
    blend = calibrating.blended(task, raw, said, answers_of(parts.calibrated), counted(parts.calibrated, task))
    threshold = calibrating.threshold_of(task, blend.chances(raw, said))
    found = {}
    for name, rows in measured_rows(task, parts.measured, data).items():
        chances = blend.chances(raw_outputs(fitted, vectors_of(encoder, rows)), said_by(task, rows, models))
        found[name] = measure(chances, answers_of(rows), task, threshold)
    return CarefulTrained(calibrating.arrays_of(fitted.weights.T, fitted.bias, blend), blend, threshold, found)


def vectors_of(encoder: Encoder, examples: Sequence[Example]) -> Floats:
    """What the encoder makes of examples of one task, in half precision."""
    longest = LONGEST_REPORT if examples[0].task in REPORTS else LONGEST
    pieces = [encoder.pieces(held.text, held.target or "", longest=longest) for held in examples]
    return encoder.vectors(pieces).astype(np.float16).astype(np.float32)


def fit_over(vectors: Floats, examples: Sequence[Example], task: Task) -> fitting.Fitted:
    """A regression over vectors."""
    answers = answers_of(examples)
    counts = counted(examples, replace(task, counts=COUNTS.get(task.name, task.counts)))
    return fitting.fit(
        vectors,
        np.zeros((len(vectors), 0), np.float32),
        answers,
        strength=task.careful,
        weights=counts * fitting.balanced(answers) if task.even else counts,
        steps=STEPS,
    )


def raw_outputs(fitted: fitting.Fitted, vectors: Floats) -> Floats:
    """Raw outputs, one row a text."""
    return np.asarray(vectors @ fitted.weights + fitted.bias, np.float32)


def answers_of(examples: Sequence[Example]) -> Floats:
    """The answers of examples as a table."""
    return np.array([held.answer for held in examples], np.float32)


def counted(examples: Sequence[Example], task: Task) -> Floats:
    """How much each example counts."""
    return counts_of([held.group for held in examples], task)


def measured_rows(task: Task, apart: Sequence[Example], data: Path) -> dict[str, list[Example]]:
    """What a head is measured on, by name: its held-back tenth, groups of it, and other sets."""
    tenth = list(dict.fromkeys(apart))
    found = {"": tenth}
    for group, name in task.groups_measured:
        found[name] = [held for held in tenth if held.group == group]
    for name, rows in task.measured_on:
        read = rows(data)
        answers = targets_of(read, task.labels).tolist()
        found[name] = [
            Example(task.name, row.text, None, tuple(answer)) for row, answer in zip(read, answers, strict=True)
        ]
    return found


def said_by(task: Task, examples: Sequence[Example], models: Path) -> Floats:
    """What the fast head in the folder `models` says of examples."""
    rarity = rarity_of(models)
    card, arrays = packing.load(models, task.name)
    texts = list(map(fast_text, examples))
    if task.parts:
        return scorer_of_parts(task.parts, read_card(card), arrays, rarity).score(texts)[task.name]
    held = unfolded(read_card(card), arrays, rarity)
    logits = fitting.Fitted(raw_weights(held, rarity), held.bias).logits(*reading.design(texts, rarity))
    if held.phrase_weight:
        logits[:, 0] += held.phrase_weight * holds_phrase(task.name, texts)
    return probabilities(logits)
