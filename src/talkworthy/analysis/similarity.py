"""How alike two texts are in their words: cosine of weighted words, word pairs and runs of characters, 0 to 1.

Rare features weigh more (the `features` model). It sees shared words and spellings, not shared meaning.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from talkworthy.analysis import reading
from talkworthy.analysis.scoring import rarity

Floats = npt.NDArray[np.float32]


def vectors(texts: Sequence[str]) -> sparse.csr_matrix:
    """One row of length one a text; a text without words is all zeros."""
    features, _ = reading.design(texts, rarity())
    length = np.sqrt(np.asarray(features.multiply(features).sum(axis=1)).ravel())
    length[length == 0] = 1
    return (sparse.diags((1 / length).astype(np.float32)) @ features).tocsr()


def likeness(first: Sequence[str], second: Sequence[str]) -> Floats:
    """How alike each text of `first` is to the one beside it in `second`."""
    one, other = vectors(first), vectors(second)
    return np.asarray(one.multiply(other).sum(axis=1), np.float32).ravel()
