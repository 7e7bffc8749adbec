"""Whether two texts speak of the same matter, in the same words or in others: a probability, and why.

Four looks are added up with fitted weights (the `similar` model): words and the parts of identifiers, runs of
characters, meaning in general, and the matter; each of the whole text and of its title alone. Where it is told which
sites texts link to, a rare one in common is a fifth. How rare a word or a site is, is counted in the collection that is
compared, so that the name of a product weighs little where everybody writes it.
"""

from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
import regex
from scipy import sparse

from talkworthy.analysis import reading, words
from talkworthy.analysis.meaning import MATTER, MEANING
from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import rarity

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

NAME = "similar"
LOOKS = (
    "words", "words of titles", "characters", "characters of titles",
    "meaning", "meaning of titles", "matter", "matter of titles", "sites",
)  # fmt: skip
RUNS = (3, 4, 5)
LONGEST = 6_000
_WIDTH = 1 << 20
_SENTENCE = regex.compile(r"(?<=[.!?…。！？])\s+|\n+")
_WORD = regex.compile(r"\w+(?:[._]\w+)*")
_PARTS = regex.compile(r"(?<=[\p{Ll}\d])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|[._]")


class Vectors(Protocol):
    """What makes vectors of meaning: the shipped table, or an encoder that was fitted for it."""

    def vectors(self, texts: Sequence[str], /) -> Floats:
        """A vector of length one a text; all zeros where nothing can be said of it."""
        ...


@dataclass(frozen=True)
class Shared:
    """Why two texts are alike: the words they share, the weightiest first, and how close they are in each look.

    `sentence` is that of the second text which is nearest to the first.
    """

    words: tuple[tuple[str, float], ...]
    looks: tuple[tuple[str, float], ...]
    sentence: str = ""


class Collection:
    """Texts to be compared with each other. The first line of a text of several lines is its title."""

    def __init__(
        self,
        texts: Sequence[str],
        *,
        sites: Sequence[Sequence[str]] = (),
        meaning: Vectors = MEANING,
        matter: Vectors = MATTER,
    ) -> None:
        self._short = [text[:LONGEST] for text in texts]
        self.size = len(self._short)
        titles = [title_of(text) for text in self._short]
        titled = [place for place, title in enumerate(titles) if title != self._short[place]]
        parts = [titles[place] for place in titled]
        self._numbers: dict[str, int] = {}
        rows = _counted([words_of(text) for text in [*self._short, *parts]], self._numbers)
        self._names = list(self._numbers)
        grams = (rows @ _grams(self._names)).tocsr()
        self._rarity = [_rarity(counts[: self.size]) for counts in (rows, grams)]
        of_titles = np.arange(self.size)
        of_titles[titled] = self.size + np.arange(len(titled))
        weighed = [_weighed(counts, rare) for counts, rare in zip((rows, grams), self._rarity, strict=True)]
        self._words, self._grams = ([table[: self.size], table[of_titles]] for table in weighed)
        self._sites = _of_sites(sites, self.size)
        self._vectors = (meaning, matter)
        self._meant: list[Floats] = []
        for table in self._vectors:
            meant = table.vectors([*self._short, *parts])
            self._meant += [meant[: self.size], meant[of_titles]]

    def with_sites(self, sites: Sequence[Sequence[str]]) -> "Collection":
        """The same texts, and which sites each of them links to: for the order; as a probability it says too much."""
        other = copy(self)
        other._sites = _of_sites(sites, self.size)
        return other

    def probabilities(self, first: Sequence[int], second: Sequence[int]) -> Floats:
        """For each two places in the collection the probability that they are of one matter."""
        return _chance(self.looks(first, second))

    def likeness(self, asked: Sequence[int]) -> Floats:
        """A row for each place asked for: the probability beside every text of the collection."""
        places = np.asarray(asked, np.int64)
        weights = _weights()
        total = np.full((len(places), self.size), weights[-1], np.float32)
        for weight, table in zip(weights, [*self._words, *self._grams], strict=False):
            total += weight * (table[places] @ table.T).toarray()
        for weight, meant in zip(weights[4:-2], self._meant, strict=True):
            total += weight * (meant[places] @ meant.T)
        if self._sites.nnz:
            total += weights[-2] * np.minimum((self._sites[places] @ self._sites.T).toarray(), 1)
        return np.asarray(1 / (1 + np.exp(-total)), np.float32)

    def beside(self, text: str) -> "Beside":
        """A text that need not be of the collection beside each that is; much cheaper than a collection anew."""
        short = text[:LONGEST]
        parts = (short, title_of(short))
        known = [Counter(words_of(part)) for part in parts]
        tables = [*self._words, *self._grams]
        asked = [self._by_words(words) for words in known] + [self._by_grams(words) for words in known]
        looks = [table @ row for table, row in zip(tables, asked, strict=True)]
        meant = [table.vectors(parts) for table in self._vectors]
        for number, held in enumerate(self._meant):
            looks.append(held @ meant[number // 2][number % 2])
        looks.append(np.zeros(self.size, np.float32))
        found = np.stack(looks, axis=1).astype(np.float32) if self.size else np.zeros((0, len(LOOKS)), np.float32)
        return Beside(self, text, asked[0], found, _chance(found))

    def looks_beside(self, place: int) -> Floats:
        """The likenesses of one place beside every text, a column a look."""
        found = [table @ table[[place]].toarray().ravel() for table in (*self._words, *self._grams)]
        found += [table @ table[place] for table in self._meant]
        found.append(np.minimum(self._sites @ self._sites[[place]].toarray().ravel(), 1))
        return np.stack(found, axis=1).astype(np.float32)

    def why(self, first: int, second: int, *, most: int = 8) -> Shared:
        """What the two share."""
        words = self._shared(self._words[0][[first]].toarray().ravel(), second, most)
        return self._told(words, self.looks([first], [second])[0], self._short[first], second)

    def looks(self, first: Sequence[int], second: Sequence[int]) -> Floats:
        """The likenesses of each two places, in the order of LOOKS: what the weights are fitted on."""
        one, other = np.asarray(first, np.int64), np.asarray(second, np.int64)
        tables = [*self._words, *self._grams]
        found = [np.asarray(table[one].multiply(table[other]).sum(axis=1)).ravel() for table in tables]
        found += [(table[one] * table[other]).sum(axis=1) for table in self._meant]
        found.append(np.minimum(np.asarray(self._sites[one].multiply(self._sites[other]).sum(axis=1)).ravel(), 1))
        return np.stack(found, axis=1).astype(np.float32)

    def _shared(self, row: Floats, place: int, most: int) -> tuple[tuple[str, float], ...]:
        other = self._words[0][[place]]
        both = other.data * row[other.indices]
        order = [at for at in np.argsort(-both, kind="stable")[:most] if both[at] > 0]
        return tuple((self._names[other.indices[at]], round(float(both[at]), 4)) for at in order)

    def _told(self, words: tuple[tuple[str, float], ...], looks: Floats, text: str, place: int) -> Shared:
        told = tuple((name, round(float(value), 4)) for name, value in zip(LOOKS, looks, strict=True))
        return Shared(words, told, self._nearest_sentence(text, place))

    def _nearest_sentence(self, text: str, place: int) -> str:
        sentences: list[str] = [part.strip() for part in _SENTENCE.split(self._short[place]) if part.strip()]
        if len(sentences) < 2:
            return sentences[0] if sentences else ""
        asked = set(words_of(text))
        meant = self._vectors[1].vectors([text, *sentences])
        common = np.array([self._common(asked, sentence) for sentence in sentences])
        return sentences[int(np.argmax(meant[1:] @ meant[0] + common))]

    def _common(self, asked: set[str], sentence: str) -> float:
        """The share of a sentence's words, by their rarity, that are asked for."""
        words = [self._numbers[word] for word in words_of(sentence) if word in self._numbers]
        rare = self._rarity[0][words]
        same = [self._names[word] in asked for word in words]
        return float(rare[same].sum() / rare.sum()) if words else 0.0

    def _by_words(self, words: Counter[str]) -> Floats:
        """The row of length one that a text would have, were it of the collection; words that are new only shorten."""
        found = np.zeros(len(self._names) or 1, np.float32)
        new = 0.0
        for word, count in words.items():
            number = self._numbers.get(word)
            if number is None:
                new += ((1 + np.log(count)) * (np.log(1 + self.size) + 1)) ** 2
            else:
                found[number] = (1 + np.log(count)) * self._rarity[0][number]
        length = np.sqrt(float((found**2).sum()) + new)
        return found / np.float32(length or 1.0)

    def _by_grams(self, words: Counter[str]) -> Floats:
        counts = np.array(list(words.values()), np.float32)
        row = sparse.csr_matrix(counts[None]) @ _grams(list(words)) if words else sparse.csr_matrix((1, _WIDTH))
        return np.asarray(_weighed(row.tocsr(), self._rarity[1]).toarray().ravel(), np.float32)


@dataclass(frozen=True)
class Beside:
    """A text beside all of a collection: `chances` that each is of its matter, and `looks`, a row a text."""

    collection: Collection
    text: str
    words: Floats
    looks: Floats
    chances: Floats

    def why(self, place: int, *, most: int = 8) -> Shared:
        """What the text shares with the one at a place."""
        words = self.collection._shared(self.words, place, most)
        return self.collection._told(words, self.looks[place], self.text, place)


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
    return [word for written in _WORD.findall(text) for word in _with_parts(written)]


@lru_cache(maxsize=100_000)
def _with_parts(written: str) -> tuple[str, ...]:
    parts = [part.lower() for part in _PARTS.split(written) if part]
    return (written.lower(), *parts) if len(parts) > 1 else (written.lower(),)


def _counted(listed: Sequence[Sequence[str]], numbers: dict[str, int]) -> sparse.csr_matrix:
    """A row of counts a text; a word that is met first is given the next number."""
    columns = [numbers.setdefault(word, len(numbers)) for text in listed for word in text]
    rows = np.repeat(np.arange(len(listed)), np.array([len(text) for text in listed], np.int64))
    ones = np.ones(len(columns), np.float32)
    shape = (len(listed), max(len(numbers), 1))
    return sparse.csr_matrix((ones, (rows, np.array(columns, np.int64))), shape=shape)


def _of_sites(sites: Sequence[Sequence[str]], size: int) -> sparse.csr_matrix:
    """A row a text: the product of two rows is how rare the sites in common are, 1 for a site that only two name."""
    if not sites:
        return sparse.csr_matrix((size, 1), dtype=np.float32)
    counts = _counted([sorted(set(named)) for named in sites], {})
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    rare = np.log(size / np.maximum(held, 1)) / np.log(max(size / 2, 2))
    counts.data = np.sqrt(np.maximum(rare, 0)).astype(np.float32)[counts.indices]
    return counts


def _grams(names: Sequence[str]) -> sparse.csr_matrix:
    numbers, owner = words.character_grams([name[:40] for name in names], RUNS)
    places = (numbers & np.uint32(_WIDTH - 1)).astype(np.int64)
    shape = (max(len(names), 1), _WIDTH)
    return sparse.csr_matrix((np.ones(len(places), np.float32), (owner, places)), shape=shape)


def _rarity(collection: sparse.csr_matrix) -> Floats:
    """How rare each column is in a collection."""
    held = np.bincount(collection.indices, minlength=collection.shape[1])
    return np.asarray(np.log((1 + collection.shape[0]) / (1 + held)) + 1, np.float32)


def _weighed(counts: sparse.csr_matrix, rare: Floats) -> sparse.csr_matrix:
    """Rows of length one: the logarithm of how often, times how rare."""
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
