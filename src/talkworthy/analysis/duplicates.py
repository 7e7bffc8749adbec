"""Copies of posts: the same text, and nearly the same.

The same: equal after folding, with links, names, signs and blanks cut. Nearly the same: runs of four
letters in common, candidates found by MinHash and locality-sensitive hashing and then measured, so that no
pair below the stated likeness is joined, nor one in which a number or a name was exchanged.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import regex
from rapidfuzz.distance import Levenshtein
from rensa import RMinHash

from talkworthy.analysis import words
from talkworthy.query import tokens

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|(?<!\w)@[\w.\-@]+")
_SIGNS = regex.compile(r"[^\w\p{So}\p{Sk}]+")
_ASCII_SIGNS = str.maketrans({chr(code): " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")})
_NUMBER = re.compile(r"\d+")
RUN = 4
BANDS, BAND_ROWS = 21, 3
BANDS_SHARED = 2
PERMUTATIONS = BANDS * BAND_ROWS
MOST_COMPARED = 8
"""Candidates that a text is measured against, those that share most bands first: a wave of one template has many."""
ALIKE = 0.55
SLOPE = 25.0
"""How fast the probability of being a copy rises with the likeness."""
HELD, FEWEST_SHARED = 0.65, 0.35
"""What a text counts for that the other holds wholly, and how much of that one it must be."""
SHORTEST_NAME = 5
EXCHANGED = 0.02
"""The probability of being a copy where a word was exchanged."""
SEED = 42
FEWEST_LETTERS = 24
LONGEST = 4000
BANDS_KEPT = "bands"
"""A column that only `Copies` reads: the numbers of a text's bands, which are dear to make. No post keeps it."""
_KEPT = pa.binary(BANDS * np.dtype(np.uint32).itemsize)


def bare(text: str) -> str:
    """What counts of a text when copies are looked for: folded words with one blank between."""
    return bare_of(tokens.folded(None, text))


def bare_of(folded: str) -> str:
    """The same of a text that is folded already."""
    if "@" in folded or "://" in folded or "www." in folded:
        folded = _ADDRESS.sub(" ", folded)
    plain = folded.translate(_ASCII_SIGNS) if folded.isascii() else _SIGNS.sub(" ", folded)
    return " ".join(plain.split())


def text_hash(text: str) -> int | None:
    """A number that is equal for equal bare texts; None where nothing is left of the text."""
    core = bare(text)
    return _hash(core) if core else None


def _hash(core: str) -> int:
    digest = hashlib.blake2b(core.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def likeness(one: str, other: str) -> float:
    """Distinct runs of four letters in common over those in all (Jaccard), 0 to 1, of two bare texts."""
    first, second = _runs(one), _runs(other)
    return len(first & second) / len(first | second)


def copied(one: str, other: str) -> float:
    """The probability that two texts are copies of each other, edited or not."""
    first, second = bare(one), bare(other)
    if not first or not second:
        return 0.0
    if first == second:
        return 1.0
    if exchanged(first, second):
        return EXCHANGED
    return float(1 / (1 + np.exp(-SLOPE * (_closeness(first, second) - ALIKE))))


def exchanged(one: str, other: str) -> tuple[str, str] | None:
    """A word of each that the other has another one for: a number, a name. Then they fill one template, and tell
    different things. A slip of the hand, a word cut short, and what one of them has more exchange nothing.
    """
    first, second = one[:LONGEST].split(), other[:LONGEST].split()
    numbers = [Counter(found for word in words for found in _NUMBER.findall(word)) for words in (first, second)]
    only = numbers[0] - numbers[1], numbers[1] - numbers[0]
    if only[0] and only[1]:
        return min(only[0]), min(only[1])
    mine, theirs = Counter(first) - Counter(second), Counter(second) - Counter(first)
    if not mine or not theirs:
        return None
    left = _alone(mine, second)
    right = _alone(theirs, first) if left is not None else None
    return (left, right) if left is not None and right is not None else None


def _alone(words: Iterable[str], others: Sequence[str]) -> str | None:
    """The first word that stands for none of the others, nor in their letters: a blank that was lost or added makes
    other words of the same letters. One that the others have, less often, is missing there all the same."""
    together = "".join(others)
    known = sorted(set(others))
    for word in sorted(words):
        if word in known and len(word) >= SHORTEST_NAME:
            return word
        if word not in together and not any(_misspelt(word, other) for other in known):
            return word
    return None


def _misspelt(word: str, other: str) -> bool:
    """Whether two words differ by a slip or two, or one is the other cut short."""
    if word == other or (min(len(word), len(other)) > 2 and (word.startswith(other) or other.startswith(word))):
        return True
    if abs(len(word) - len(other)) > 2 or word.isdecimal() or other.isdecimal():
        return False
    most = 1 if min(len(word), len(other)) < 6 else 2
    return Levenshtein.distance(word, other, score_cutoff=most) <= most


def is_copy(core: str, other: str, *, alike: float = ALIKE) -> bool:
    """Whether two bare texts are alike enough, and fill no template with different things."""
    return _closeness(core, other) >= alike and exchanged(core, other) is None


def _closeness(one: str, other: str) -> float:
    """Likeness; a text that is wholly held in the other, and is a good part of it, is as like as can be asked."""
    first, second = _runs(one), _runs(other)
    both = len(first & second)
    like, held = both / len(first | second), both / min(len(first), len(second))
    return max(like, held * HELD) if held > 0.9 and like > FEWEST_SHARED else like


def _runs(core: str) -> set[str]:
    core = core[:LONGEST]
    return {core[at : at + RUN] for at in range(max(len(core) - RUN + 1, 1))}


def band_keys(cores: Sequence[str]) -> list[list[int]]:
    """For each bare text a number per band: texts that share one are likely alike."""
    return cast(list[list[int]], _bands(cores).tolist())


def _shared_keys(table: npt.NDArray[np.uint64]) -> list[list[int]]:
    """The band keys that several of these texts have: the others can join none of them."""
    _, place, count = np.unique(table, return_inverse=True, return_counts=True)
    shared = (count > 1)[place].reshape(table.shape)
    found: list[list[int]] = [[] for _ in table]
    for row in np.flatnonzero(shared.any(axis=1)).tolist():
        found[row] = table[row][shared[row]].tolist()
    return found


def bands_of(column: pa.Array) -> npt.NDArray[np.uint32]:
    """A row of numbers for each text of a column BANDS_KEPT."""
    width = _KEPT.byte_width
    held = np.frombuffer(column.buffers()[1] or b"", np.uint8)[column.offset * width :][: len(column) * width]
    return held.view(np.uint32).reshape(len(column), BANDS)


def kept_bands(cores: Sequence[str]) -> pa.Array:
    """The column BANDS_KEPT of bare texts."""
    return _as_kept(_bands(cores))


def _as_kept(table: npt.NDArray[np.uint64]) -> pa.Array:
    folded = (table ^ (table >> np.uint64(32))).astype(np.uint32)
    return pa.Array.from_buffers(_KEPT, len(folded), [None, pa.py_buffer(folded.tobytes())])


def _bands(cores: Sequence[str]) -> npt.NDArray[np.uint64]:
    short = [core[:LONGEST] for core in cores]
    if not short:
        return np.zeros((0, BANDS), np.uint64)
    numbers, owner = words.character_grams(short, (RUN,))
    ends = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(short)))])
    digests = RMinHash.digest_matrix_from_flat_token_hashes(
        numbers.astype(np.uint64), ends.astype(np.uint64), PERMUTATIONS, SEED
    )
    table = np.array(digests.to_rows(), np.uint64).reshape(len(short), BANDS, BAND_ROWS)
    keys = np.arange(BANDS, dtype=np.uint64) * _SPREAD
    for row in range(BAND_ROWS):
        keys = (keys ^ table[:, :, row]) * _SPREAD
        keys = keys ^ (keys >> np.uint64(29))
    return keys


@dataclass
class _Half:
    """Half of a window: bare texts by their hash, the family of each, and texts by band."""

    family: dict[int, int] = field(default_factory=dict)
    core: dict[int, str] = field(default_factory=dict)
    bands: dict[int, int] = field(default_factory=dict)


class NearDuplicates:
    """A window over the last posts, carried by the caller from batch to batch.

    `near` answers with the hash of the first text of each family. Between `size` and twice `size` distinct
    texts are remembered, the oldest forgotten first. It holds state: one a stream, in one thread.
    """

    def __init__(self, size: int = 50_000, *, alike: float = ALIKE) -> None:
        self.size = size
        self.alike = alike
        self._young, self._old = _Half(), _Half()
        self._repeated: set[int] = set()

    def near(self, cores: Sequence[str]) -> list[int | None]:
        """For each bare text (see `bare`) the hash of its family's first; None where it stands alone so far.

        Texts of fewer than 24 letters are too short to tell, and only their exact copies are families.
        """
        return self.near_hashed(cores, [_hash(core) if core else None for core in cores])

    def near_hashed(
        self,
        cores: Sequence[str],
        hashes: Sequence[int | None],
        *,
        only: bool = False,
        bands: npt.NDArray[np.uint64] | None = None,
    ) -> list[int | None]:
        """As `near`, for callers that have hashes or bands already; `only`: nothing came before, nor comes after."""
        table = _bands(cores) if bands is None else bands
        found: list[int | None] = []
        for core, own, keys in zip(cores, hashes, _shared_keys(table) if only else table.tolist(), strict=True):
            found.append(None if own is None else self._family(core, own, keys))
        return [family if family in self._repeated else None for family in found]

    def _family(self, core: str, own: int, keys: Sequence[int]) -> int:
        for half in (self._young, self._old):
            if own in half.family:
                self._repeated.add(half.family[own])
                return half.family[own]
        family = own
        if len(core) >= FEWEST_LETTERS:
            family = self._alike(core, keys) or own
        self._remember(own, family, core, keys)
        return family

    def _alike(self, core: str, keys: Sequence[int]) -> int | None:
        for half in (self._young, self._old):
            if not half.bands:
                continue
            shared = [other for key in keys if (other := half.bands.get(key)) is not None]
            if len(shared) < BANDS_SHARED:
                continue
            for other, bands in Counter(shared).most_common(MOST_COMPARED):
                if bands >= BANDS_SHARED and is_copy(core, half.core[other], alike=self.alike):
                    self._repeated.add(half.family[other])
                    return half.family[other]
        return None

    def _remember(self, own: int, family: int, core: str, keys: Sequence[int]) -> None:
        if len(self._young.family) >= self.size:
            self._young, self._old = _Half(), self._young
            kept = set(self._old.family.values())
            self._repeated = {held for held in self._repeated if held in kept}
        self._young.family[own] = family
        if len(core) >= FEWEST_LETTERS:
            self._young.core[own] = core
            for key in keys:
                self._young.bands.setdefault(key, own)


class Folded:
    """Fills `folded`."""

    name = "folded"
    requires = ("title", "text")
    assigns = ("folded",)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with title and text as the matcher reads them; null where both are empty."""
        found = tokens.folded_all(batch.column("title").to_pylist(), batch.column("text").to_pylist())
        return batch.append_column("folded", pa.array([text or None for text in found], pa.string()))


class Duplicates:
    """Fills `text_hash` and `near_hash`; near copies are looked for within the batch, or in a given window.

    The bands of each text come along, for whoever asks the pipeline to keep them.
    """

    name = "duplicates"
    requires = ("title", "text", "folded")
    assigns = ("text_hash", "near_hash")

    def __init__(self, window: NearDuplicates | None = None) -> None:
        self.window = window

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with all of them."""
        folded = batch.column("folded").to_pylist()
        cores = [bare_of(text) if text else "" for text in folded]
        window = NearDuplicates(size=max(len(cores), 1)) if self.window is None else self.window
        exact = [_hash(core) if core else None for core in cores]
        table = _bands(cores)
        near = window.near_hashed(cores, exact, only=self.window is None, bands=table)
        batch = batch.append_column("text_hash", pa.array(exact, pa.int64()))
        batch = batch.append_column("near_hash", pa.array(near, pa.int64()))
        return batch.append_column(BANDS_KEPT, _as_kept(table))
