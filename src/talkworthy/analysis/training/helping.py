"""What helps a head to be fitted: what other heads say of a text, and what the encoder of the careful tier makes of it.

All of it is linear in the features that the head itself counts, so it folds into the head's own weights.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import sparse

from talkworthy.analysis import reading
from talkworthy.analysis.registry import read_card
from talkworthy.analysis.scoring import FEATURES, RARITY_STEP, Floats, Head, unfolded
from talkworthy.analysis.training import packing
from talkworthy.analysis.training.fitting import Fitted
from talkworthy.analysis.training.tasks import Task
from talkworthy.analysis.training.teaching import lesson


def rarity_of(models: Path) -> Mapping[str, Floats]:
    """How much each feature weighs, by block, from the folder of models."""
    _, held = packing.load(models, FEATURES)
    return {block: table.astype(np.float32) * np.float32(RARITY_STEP) for block, table in held.items()}


def design_of(task: Task, texts: Sequence[str], rarity: Mapping[str, Floats]) -> tuple[sparse.csr_matrix, Floats]:
    """What the head of a task counts in texts, and the cues; those of parts side by side."""
    if task.parts is None:
        return reading.design(texts, rarity)
    _, cut = task.parts
    designs = [reading.design(part, rarity) for part in cut(texts)]
    return sparse.hstack([features for features, _ in designs]).tocsr(), np.hstack([cues for _, cues in designs])


def readers_of(task: Task, models: Path, data: Path, kept: Path | None = None) -> Floats:
    """Weights over the scaled features of all that is told of a text: (features with the cues last, readers)."""
    rarity = rarity_of(models)
    tables: list[Floats] = [np.zeros((2 * reading.WIDTH + len(reading.CUES), 0), np.float32)]
    for name in task.helped_by:
        card, arrays = packing.load(models, name)
        tables.append(np.asarray(raw_weights(unfolded(read_card(card), arrays, rarity), rarity) / 3, np.float32))
    if task.taught:
        tables.append(_readings(models, data, kept))
    return np.hstack(tables)


def told_by(readers: Floats, features: sparse.csr_matrix, cues: Floats) -> Floats:
    """What readers tell of texts; nothing where there are none."""
    if not readers.shape[1]:
        return np.zeros((features.shape[0], 0), np.float32)
    known = features.shape[1]
    return np.asarray(features @ readers[:known] + cues @ readers[known:], np.float32)


def fold_in(fitted: Fitted, readers: Floats) -> Fitted:
    """The same head without readers: what they would tell is added to its own weights."""
    width, told = 2 * reading.WIDTH, readers.shape[1]
    if not told:
        return fitted
    own = np.vstack([fitted.weights[:width], fitted.weights[width + told :]])
    return Fitted(own + readers @ fitted.weights[width : width + told], fitted.bias)


@lru_cache(maxsize=1)
def _readings(models: Path, data: Path, kept: Path | None) -> Floats:
    """The lesson of a folder of data, learned once for all heads that are trained in turn."""
    return lesson(data, rarity_of(models), kept)


def raw_weights(held: Head, rarity: Mapping[str, Floats]) -> Floats:
    """Weights of a head over the scaled features, as `fitting.fit` finds them: rarity taken out again."""
    tables = []
    for block, table in (("words", held.words), ("characters", held.characters)):
        weight = rarity[block][:, None]
        tables.append(np.divide(table, weight, where=weight > 0, out=np.zeros_like(table)))
    return np.vstack([*tables, held.cues])
