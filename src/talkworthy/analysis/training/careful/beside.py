"""What the fast tier says of rows that it did not see: it is fitted anew without those that calibrate."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from talkworthy.analysis.masking import NAME as TARGET
from talkworthy.analysis.masking import towards
from talkworthy.analysis.scoring import holds_phrase, probabilities
from talkworthy.analysis.training import fitting
from talkworthy.analysis.training.careful.examples import Example, Parts
from talkworthy.analysis.training.heads import PART, RULED_SHIFT, counts_of, even_counts, fit_rows
from talkworthy.analysis.training.helping import design_of, rarity_of, readers_of, told_by
from talkworthy.analysis.training.tasks import Task

Floats = npt.NDArray[np.float32]


def fast_text(held: Example) -> str:
    """An example as the fast tier reads it."""
    return towards(held.text, held.target) if held.task == TARGET and held.target else held.text


def said_unseen(task: Task, parts: Parts, models: Path, data: Path, kept: Path | None = None) -> Floats:
    """Probabilities of the rows that calibrate, by a head that was fitted to the others."""
    readers = readers_of(task, models, data, kept)
    rows = [*parts.fitted, *parts.calibrated]
    texts = list(map(fast_text, rows))
    features, cues = design_of(task, texts, rarity_of(models))
    told = told_by(readers, features, cues)
    answers = np.array([held.answer for held in rows], np.float32)
    seen = np.arange(len(rows)) < len(parts.fitted)
    counts = counts_of([held.group for held in rows], task)
    fitted = fit_rows(features[seen], cues[seen], told[seen], answers[seen], task, counts[seen])
    joined = sparse.hstack([features[~seen], sparse.csr_matrix(told[~seen])]).tocsr()
    logits = fitted.logits(joined, cues[~seen])
    scale, shift = fitting.calibrate(logits, answers[~seen], weights=even_counts(answers[~seen], task, counts[~seen]))
    logits = (logits * scale + shift).astype(np.float32)
    if task.phrase_weight:
        phrases = holds_phrase(task.name, texts[len(parts.fitted) :])[:, None]
        logits = logits * PART + RULED_SHIFT + task.phrase_weight * phrases
    return probabilities(logits.astype(np.float32))
