"""What a text means, as a vector: the mean of the vectors of its word pieces. English; tables, no network.

Two texts of the same meaning lie close together, whatever words they use; word order and negation are not seen. Of the
two tables `meaning` asks what is said in general, `matter` whether it is one question, report or piece of news.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import regex

from talkworthy.analysis.registry import model

Floats = npt.NDArray[np.float32]

_CACHE = 100_000
_LONGEST = 100
_CHARACTERS = 4_000
"""As much of a text as is read: a long one says what it is about sooner."""

_UNKNOWN = "[UNK]"
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_UNSEEN = regex.compile(r"[\p{Mn}\p{Cf}[\p{Cc}--\s]]", regex.V1)
_IDEOGRAPH = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")


class Pieces:
    """Cuts texts into the word pieces that the tables know; what a word was cut into is remembered."""

    def __init__(self) -> None:
        self._words: dict[str, tuple[int, ...]] = {}

    def of(self, text: str) -> list[int]:
        """The numbers of the pieces of a text, links left out."""
        return [piece for word in words_of(text) for piece in self.of_word(word)]

    def of_word(self, word: str) -> tuple[int, ...]:
        """The numbers of the pieces of a word; none where a part of it is not known."""
        known = self._words.get(word)
        if known is None:
            if len(self._words) > _CACHE:
                self._words.clear()
            known = self._words[word] = tuple(self._cut(word))
        return known

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        pieces = model("meaning").arrays()["pieces"].tobytes().decode("utf-8").split("\n")
        return {piece: number for number, piece in enumerate(pieces) if piece != _UNKNOWN}

    def _cut(self, word: str) -> list[int]:
        """WordPiece: the longest known beginning, then the longest known continuation; nothing where one is missing."""
        vocabulary = self._vocabulary
        found: list[int] = []
        start = 0
        while start < len(word) <= _LONGEST:
            for end in range(len(word), start, -1):
                number = vocabulary.get(word[start:end] if start == 0 else f"##{word[start:end]}")
                if number is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return []
        return found


class Meaning:
    """One of the two tables, read when it is first asked. The same text always has the same vector.

    `table` is for one that is being trained.
    """

    def __init__(
        self, name: str = "meaning", *, pieces: Pieces | None = None, table: npt.NDArray[np.int8] | None = None
    ) -> None:
        self._name = name
        self._pieces = pieces or Pieces()
        self._given = table

    def vectors(self, texts: Sequence[str]) -> Floats:
        """A vector of length one a text; all zeros for a text without a known word. Links are left out."""
        found = self._means(texts)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        np.divide(found, length, out=found, where=length > 0)
        return found

    def nearest(self, text: str, other: str, count: int = 3) -> list[str]:
        """The words of another text that do most to make it like a text; a common word has little weight."""
        words = [word for word in dict.fromkeys(words_of(other)) if word.isalnum() and self._pieces.of_word(word)]
        if not words:
            return []
        likeness = self._means(words) @ self.vectors([text])[0]
        return [words[at] for at in np.argsort(-likeness, kind="stable")[:count]]

    def _means(self, texts: Sequence[str]) -> Floats:
        found = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        for at, text in enumerate(texts):
            if pieces := self._pieces.of(text):
                found[at] = self._table[pieces].mean(axis=0, dtype=np.float32)
        return found

    @cached_property
    def _table(self) -> npt.NDArray[np.int8]:
        return model(self._name).arrays()["vectors"] if self._given is None else self._given


def words_of(text: str) -> Iterator[str]:
    """Words and signs as the model knows them: small letters, no accents, each ideograph alone; no links."""
    plain = _UNSEEN.sub("", unicodedata.normalize("NFD", _LINK.sub(" ", text[:_CHARACTERS]).lower()))
    yield from _WORD.findall(_IDEOGRAPH.sub(r" \1 ", plain))


PIECES = Pieces()
MEANING = Meaning(pieces=PIECES)
"""The one that is shared: its table is read once."""
MATTER = Meaning("matter", pieces=PIECES)
"""Moved until questions, reports and headlines of one matter lay close together."""
