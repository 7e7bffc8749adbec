"""Whether two texts speak of the same matter, in the same words or in others: a probability, and why.

Three looks are added up with fitted weights (the `similar` model): words and the parts of identifiers, runs of
characters, and meaning; each of the whole text and of its title alone. How rare a word is, is counted in the
collection that is compared, so that the name of a product weighs little where everybody writes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
import regex
from scipy import sparse

from talkworthy.analysis import reading, words
from talkworthy.analysis.meaning import MEANING
from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import rarity

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

NAME = "similar"
LOOKS = ("words", "words of titles", "characters", "characters of titles", "meaning", "meaning of titles")
RUNS = (3, 4, 5)
LONGEST = 6_000
_WIDTH = 1 << 20
_WORD = regex.compile(r"\w+(?:[._]\w+)*")
_PARTS = regex.compile(r"(?<=[\p{Ll}\d])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|[._]")


class Vectors(Protocol):
    """What makes vectors of meaning: the shipped table, or an encoder that was fitted for it."""

    def vectors(self, texts: Sequence[str], /) -> Floats:
        """A vector of length one a text; all zeros where nothing can be said of it."""
        ...


@dataclass(frozen=True)
class Shared:
    """Why two texts are alike: the words they share, the weightiest first, and how close they are in each look."""

    words: tuple[tuple[str, float], ...]
    looks: tuple[tuple[str, float], ...]


class Collection:
    """Texts to be compared with each other. The first line of a text of several lines is its title."""

    def __init__(self, texts: Sequence[str], *, meaning: Vectors = MEANING) -> None:
        short = [text[:LONGEST] for text in texts]
        titles = [title_of(text) for text in short]
        self._names: list[str] = []
        rows = _counted([words_of(text) for text in [*short, *titles]], self._names)
        grams = (rows @ _grams(self._names)).tocsr()
        of_words, of_grams = rows[: len(short)], grams[: len(short)]
        self._words = [_weighed(part, of_words) for part in (of_words, rows[len(short) :])]
        self._grams = [_weighed(part, of_grams) for part in (of_grams, grams[len(short) :])]
        self._meant = [meaning.vectors(short), meaning.vectors(titles)]
        self.size = len(short)

    def probabilities(self, first: Sequence[int], second: Sequence[int]) -> Floats:
        """For each two places in the collection the probability that they are of one matter."""
        one, other = np.asarray(first, np.int64), np.asarray(second, np.int64)
        tables = [*self._words, *self._grams]
        found = [np.asarray(table[one].multiply(table[other]).sum(axis=1)).ravel() for table in tables]
        found += [(table[one] * table[other]).sum(axis=1) for table in self._meant]
        return _chance(np.stack(found, axis=1))

    def likeness(self, asked: Sequence[int]) -> Floats:
        """A row for each place asked for: the probability beside every text of the collection."""
        places = np.asarray(asked, np.int64)
        weights = _weights()
        total = np.full((len(places), self.size), weights[-1], np.float32)
        for weight, table in zip(weights, [*self._words, *self._grams], strict=False):
            total += weight * (table[places] @ table.T).toarray()
        for weight, meant in zip(weights[len(LOOKS) - 2 :], self._meant, strict=False):
            total += weight * (meant[places] @ meant.T)
        return np.asarray(1 / (1 + np.exp(-total)), np.float32)

    def why(self, first: int, second: int, *, most: int = 8) -> Shared:
        """What the two share."""
        both = self._words[0][[first]].multiply(self._words[0][[second]]).tocoo()
        order = np.argsort(-both.data, kind="stable")[:most]
        shared = tuple((self._names[both.col[at]], round(float(both.data[at]), 4)) for at in order)
        looks = self._looks(first, second)
        return Shared(shared, tuple((name, round(float(value), 4)) for name, value in zip(LOOKS, looks, strict=True)))

    def _looks(self, first: int, second: int) -> list[float]:
        tables = [*self._words, *self._grams]
        found = [float(table[[first]].multiply(table[[second]]).sum()) for table in tables]
        return found + [float(table[first] @ table[second]) for table in self._meant]

    def looks(self, first: Sequence[int], second: Sequence[int]) -> Floats:
        """The six likenesses of each two places, in the order of LOOKS: what the weights are fitted on."""
        return np.array([self._looks(one, other) for one, other in zip(first, second, strict=True)], np.float32)


def likeness(first: Sequence[str], second: Sequence[str]) -> Floats:
    """For each text of `first` the probability that the one beside it in `second` is of the same matter."""
    places = {text: place for place, text in enumerate(dict.fromkeys([*first, *second]))}
    return Collection(list(places)).probabilities([places[text] for text in first], [places[text] for text in second])


def vectors(texts: Sequence[str]) -> sparse.csr_matrix:
    """One row of length one a text: words and runs of characters by their shipped rarity, for texts met singly."""
    features, _ = reading.design(texts, rarity())
    length = np.sqrt(np.asarray(features.multiply(features).sum(axis=1)).ravel())
    length[length == 0] = 1
    return (sparse.diags((1 / length).astype(np.float32)) @ features).tocsr()


def title_of(text: str) -> str:
    """The first line of a text."""
    return text.partition("\n")[0]


def words_of(text: str) -> list[str]:
    """Words in small letters, and besides the parts of names such as `readFile` and `dfs.block_size`."""
    found = []
    for written in _WORD.findall(text):
        found.append(written.lower())
        parts = [part for part in _PARTS.split(written) if part]
        if len(parts) > 1:
            found += [part.lower() for part in parts]
    return found


def _counted(listed: Sequence[Sequence[str]], names: list[str]) -> sparse.csr_matrix:
    numbers: dict[str, int] = {}
    columns = [numbers.setdefault(word, len(numbers)) for text in listed for word in text]
    names += numbers
    starts = np.concatenate([[0], np.cumsum([len(text) for text in listed])])
    rows = np.repeat(np.arange(len(listed)), np.diff(starts))
    ones = np.ones(len(columns), np.float32)
    shape = (len(listed), max(len(numbers), 1))
    return sparse.csr_matrix((ones, (rows, np.array(columns, np.int64))), shape=shape)


def _grams(names: Sequence[str]) -> sparse.csr_matrix:
    numbers, owner = words.character_grams([name[:40] for name in names], RUNS)
    places = (numbers & np.uint32(_WIDTH - 1)).astype(np.int64)
    shape = (max(len(names), 1), _WIDTH)
    return sparse.csr_matrix((np.ones(len(places), np.float32), (owner, places)), shape=shape)


def _weighed(counts: sparse.csr_matrix, collection: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows of length one: the logarithm of how often, times how rare in the collection."""
    held = np.bincount(collection.indices, minlength=collection.shape[1])
    rare = (np.log((1 + collection.shape[0]) / (1 + held)) + 1).astype(np.float32)
    weighed = counts.copy()
    weighed.data = (1 + np.log(weighed.data)) * rare[weighed.indices]
    length = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    length[length == 0] = 1
    return (sparse.diags((1 / length).astype(np.float32)) @ weighed).tocsr()


@cache
def _weights() -> Floats:
    return np.asarray(model(NAME).arrays()["weights"], np.float32)


def _chance(looks: Floats) -> Floats:
    weights = _weights()
    return np.asarray(1 / (1 + np.exp(-(looks @ weights[:-1] + weights[-1]))), np.float32)
