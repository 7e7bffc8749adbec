"""What helps a head to be fitted: what other heads say of a text, and what the careful tier says of it.

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
    cut = task.parts.together(texts) if task.parts else [texts]
    designs = [reading.design(part, rarity) for part in cut]
    features = sparse.hstack([features for features, _ in designs]).tocsr()
    cues = np.hstack([cues for _, cues in designs])
    return features, cues if task.cues else np.zeros_like(cues)


def readers_of(task: Task, models: Path, data: Path, kept: Path | None = None) -> Floats:
    """Weights over the scaled features of all that is told of a text: (features with the cues last, readers).

    Of a text that is read in parts all is told of each part.
    """
    rarity = rarity_of(models)
    tables: list[Floats] = [np.zeros((2 * reading.WIDTH + len(reading.CUES), 0), np.float32)]
    for name in task.helped_by:
        card, arrays = packing.load(models, name)
        tables.append(np.asarray(raw_weights(unfolded(read_card(card), arrays, rarity), rarity) / 3, np.float32))
    if task.taught:
        tables.append(_readings(models, data, kept))
    readers = np.hstack(tables)
    return of_each_part(readers, len(task.parts.names)) if task.parts else readers


def of_each_part(readers: Floats, parts: int) -> Floats:
    """Readers of one text as those of its parts, whose features stand side by side, and their cues after them."""
    width, cues, told = 2 * reading.WIDTH, len(reading.CUES), readers.shape[1]
    found = np.zeros((parts * (width + cues), parts * told), np.float32)
    for place in range(parts):
        columns = slice(place * told, (place + 1) * told)
        at = parts * width + place * cues
        found[place * width : (place + 1) * width, columns] = readers[:width]
        found[at : at + cues, columns] = readers[width:]
    return found


def told_by(readers: Floats, features: sparse.csr_matrix, cues: Floats) -> Floats:
    """What readers tell of texts; nothing where there are none."""
    if not readers.shape[1]:
        return np.zeros((features.shape[0], 0), np.float32)
    known = features.shape[1]
    return np.asarray(features @ readers[:known] + cues @ readers[known:], np.float32)


def fold_in(fitted: Fitted, readers: Floats) -> Fitted:
    """The same head without readers: what they would tell is added to its own weights."""
    told = readers.shape[1]
    if not told:
        return fitted
    width = len(readers) // (2 * reading.WIDTH + len(reading.CUES)) * 2 * reading.WIDTH
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
