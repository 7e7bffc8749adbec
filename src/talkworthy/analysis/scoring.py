"""Linear heads over hashed text, all in one pass: texts in, one probability table per head out.

The sum that a piece of text adds to every head is kept once it was met, so that reading a post is a few
look-ups and additions. Nothing else is remembered: the same text always has the same score.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.analysis import lexicons, reading, words
from talkworthy.analysis.registry import Arrays, Model, model

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
Kind = TypeVar("Kind", bound=np.generic)

MOST_REMEMBERED = 120_000
"""Pieces; beyond, those that were met once only are forgotten."""
RARITY_STEP = 1 / 20
FEATURES = "features"


@cache
def rarity() -> Mapping[str, Floats]:
    """Weight of each place in the word and in the character table: rare features count more."""
    held = model(FEATURES).arrays()
    return {name: held[name].astype(np.float32) * np.float32(RARITY_STEP) for name in ("words", "characters")}


@dataclass(frozen=True)
class Head:
    """Weights of one model over the shared features: tables of (places, outputs), rarity folded in.

    `phrase_weight` is added where a text holds one of the turns of phrase listed under the model's name.
    """

    model: Model
    words: Floats
    characters: Floats
    cues: Floats
    bias: Floats
    phrase_weight: float = 0.0

    @property
    def width(self) -> int:
        """How many outputs it has."""
        return len(self.bias)


@cache
def head(name: str) -> Head:
    """The head of a model's name, its eight-bit weights unfolded."""
    card = model(name)
    return unfolded(card, card.arrays(), rarity())


def unfolded(card: Model, held: Arrays, weight: Mapping[str, Floats]) -> Head:
    """A head from the packed arrays of its file."""
    tables = {}
    for block in ("words", "characters"):
        table = held[block].astype(np.float32) * held[f"{block}_scale"]
        if f"{block}_places" in held:  # what a workspace's labels added to the shipped weights
            table[held[f"{block}_places"]] += held[f"{block}_added"]
        tables[block] = table * weight[block][:, None]
    phrased = float(held["phrase_weight"][0]) if "phrase_weight" in held else 0.0
    return Head(card, tables["words"], tables["characters"], held["cues"], held["bias"], phrased)


def probabilities(logits: Floats) -> Floats:
    """One column: the logistic function; several: softmax over them."""
    if logits.shape[1] == 1:
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float32)


def holds_phrase(name: str, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which texts hold a turn of phrase from the lists of this name."""
    found = pc.match_substring_regex(pa.array(texts, pa.string()), lexicons.turns_of_phrase(name))
    return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


class Scorer:
    """Scores texts by several heads at once."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.heads = tuple(heads)
        weight = rarity()
        squared = {block: (weight[block] ** 2)[:, None] for block in ("words", "characters")}
        # The last column of each table is the squared length of the block, added up like the weights.
        self._words = np.hstack([held.words for held in self.heads] + [squared["words"]])
        self._characters = np.hstack([held.characters for held in self.heads] + [squared["characters"]])
        self._cues = np.hstack([held.cues for held in self.heads])
        self._bias = np.concatenate([held.bias for held in self.heads])
        self._lock = Lock()
        self._forget()
        self._last: tuple[list[pa.Array], dict[str, Floats]] | None = None

    def _forget(self) -> None:
        width = self._words.shape[1]
        self._rows: dict[str, int] = {}
        self._sums = np.zeros((4096, 2 * width), np.float32)
        self._first = np.zeros(4096, np.uint32)
        self._after = np.zeros(4096, np.uint32)
        self._valence = np.zeros(4096, np.float32)
        self._negates = np.zeros(4096, np.bool_)
        self._marks = np.zeros((4096, 5), np.bool_)
        self._met = np.zeros(4096, np.int64)

    def _forget_rare(self) -> None:
        """Keep the pieces that were met more than once, unless they are too many, and count them anew."""
        held = list(self._rows)
        kept = np.flatnonzero(self._met > 1)
        if not 0 < len(kept) < MOST_REMEMBERED * 2 // 3:
            self._forget()
            return
        self._rows = {held[at]: row for row, at in enumerate(kept.tolist())}
        for name in ("_sums", "_first", "_after", "_valence", "_negates", "_marks"):
            setattr(self, name, getattr(self, name)[kept])
        self._met = np.zeros(len(kept), np.int64)

    def _learn(self, fresh: Sequence[str]) -> None:
        known = len(self._rows) - len(fresh)
        while len(self._first) < len(self._rows):
            self._first, self._after = _doubled(self._first), _doubled(self._after)
            self._valence, self._negates, self._marks = (
                _doubled(self._valence),
                _doubled(self._negates),
                _doubled(self._marks),
            )
            self._sums, self._met = _doubled(self._sums), _doubled(self._met)
        of_pieces = reading.features_of(fresh)
        new = slice(known, len(self._rows))
        width = self._words.shape[1]
        self._sums[new, :width] = of_pieces.words @ self._words
        self._sums[new, width:] = of_pieces.characters @ self._characters
        self._first[new], self._after[new] = of_pieces.first, of_pieces.last
        self._valence[new], self._negates[new], self._marks[new] = of_pieces.valence, of_pieces.negates, of_pieces.marks

    def logits(self, texts: Sequence[str]) -> Floats:
        """Raw outputs of all heads side by side, one row a text; threads take turns."""
        with self._lock:
            return self._logits(texts)

    def _logits(self, texts: Sequence[str]) -> Floats:
        if len(self._rows) > MOST_REMEMBERED:
            self._forget_rare()
        fresh: list[str] = []
        layout = reading.lay_out(texts, self._rows, fresh)
        if fresh:
            self._learn(fresh)
        self._met += np.bincount(layout.ids, minlength=len(self._met))
        width = self._words.shape[1]
        sums = reading.summed(layout.ids, layout.starts, len(self._first)) @ self._sums
        _, places = reading.pairs_between(layout, self._first, self._after)
        sums[:, :width] += reading.summed(places.astype(np.int64), layout.starts, reading.WIDTH) @ self._words
        of_words, of_characters = _unit(sums[:, :width]), _unit(sums[:, width:])
        found = reading.cues(layout.ids, layout.starts, layout.owner, self._valence, self._negates, self._marks)
        logits = np.asarray(of_words + of_characters + found @ self._cues + self._bias, np.float32)
        self._add_phrases(logits, texts)
        return logits

    def _add_phrases(self, logits: Floats, texts: Sequence[str]) -> None:
        column = 0
        for held in self.heads:
            if held.phrase_weight:
                logits[:, column] += held.phrase_weight * holds_phrase(held.model.name, texts)
            column += held.width

    def score(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Probabilities by head name: shape (texts, 1) for yes-or-no heads, else (texts, labels)."""
        logits = self.logits(texts)
        found, column = {}, 0
        for held in self.heads:
            found[held.model.name] = probabilities(logits[:, column : column + held.width])
            column += held.width
        return found

    def score_batch(self, batch: pa.RecordBatch) -> dict[str, Floats]:
        """As `score`, of title and text of posts; analysers that ask for the same batch in turn share the work."""
        columns = [batch.column("title"), batch.column("text")]
        if self._last is not None and all(map(_same, columns, self._last[0])):
            return self._last[1]
        found = self.score(full_texts(batch))
        self._last = (columns, found)
        return found


def full_texts(batch: pa.RecordBatch) -> list[str]:
    """Title and text of each post, a line apart; what the models read."""
    texts = batch.column("text").to_pylist()
    titles = batch.column("title")
    if titles.null_count == len(titles):
        return [text or "" for text in texts]
    return [
        f"{title}\n{text or ''}" if title else text or "" for title, text in zip(titles.to_pylist(), texts, strict=True)
    ]


def _same(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays are the same memory; both are held, so an address is not used twice."""
    if len(one) != len(other) or one.offset != other.offset:
        return False
    return [part and part.address for part in one.buffers()] == [part and part.address for part in other.buffers()]


def _unit(sums: Floats) -> Floats:
    length = np.sqrt(sums[:, -1:])
    return np.divide(sums[:, :-1], length, out=np.zeros_like(sums[:, :-1]), where=length > 0)


def _doubled(array: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
    return np.concatenate([array, np.zeros_like(array)])


@dataclass(frozen=True)
class Weighed:
    """A stretch of a text and what it added to one output of a head."""

    text: str
    start: int
    end: int
    weight: float


def weigh(held: Head, text: str, output: int) -> list[Weighed]:
    """What each word of a text added to one output of a head, pairs shared between their words, in reading order.

    Signs that stand for the whole text (valence, length) are not tied to a word and are left out. Offsets are
    in characters of `text`.
    """
    numbers: list[int] = []
    forms: list[str] = []
    position = 0
    raw: list[tuple[int, int]] = []
    for piece in text.split()[: reading.MOST_PIECES]:
        position = text.index(piece, position)
        for word in words.words(piece):
            forms.append(word.form[: reading.LONGEST_WORD])
            raw.append((position + word.start, position + word.end))
            numbers.append(words.word_hash(forms[-1]))
        position += len(piece)
    if not forms:
        return []
    weight = rarity()
    mask = np.uint32(reading.WIDTH - 1)
    hashes = np.array(numbers, np.uint32)
    single = words.mixed(hashes) & mask
    before = np.concatenate([[reading.BEGINNING], hashes[:-1]]).astype(np.uint32)
    pair = words.pair_hashes(before, hashes) & mask
    of_words = held.words[single, output].copy()
    shared = held.words[pair, output]
    of_words[0] += shared[0]
    of_words[:-1] += shared[1:] / 2
    of_words[1:] += shared[1:] / 2
    gram, owner = words.character_grams(forms)
    gram = gram & mask
    of_grams = np.bincount(owner, held.characters[gram, output], len(forms))
    word_length = np.sqrt((weight["words"][single] ** 2).sum() + (weight["words"][pair] ** 2).sum()) or 1.0
    gram_length = np.sqrt((weight["characters"][gram] ** 2).sum()) or 1.0
    total = of_words / word_length + of_grams / gram_length
    found = [Weighed(text[start:end], start, end, float(value)) for (start, end), value in zip(raw, total, strict=True)]
    return found + _phrases(held, text)


def _phrases(held: Head, text: str) -> list[Weighed]:
    if not held.phrase_weight:
        return []
    match = re.search(lexicons.turns_of_phrase(held.model.name), text)
    return [Weighed(match.group(), match.start(), match.end(), held.phrase_weight)] if match else []
