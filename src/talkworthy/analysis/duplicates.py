"""Copies of posts: the same text, and nearly the same.

The same: equal after folding, with links, names, signs and blanks cut. Nearly the same: runs of four
letters in common, found by MinHash and locality-sensitive hashing and then measured.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import regex
from rensa import RMinHash, RMinHashLSH

from talkworthy.analysis.scoring import full_texts
from talkworthy.query import tokens

_CUT = regex.compile(r"(?:https?://|www\.)\S+|(?<!\w)@[\w.\-@]+|[^\w\p{So}\p{Sk}]+")
PERMUTATIONS = 64
BANDS = 16
RUN = 4
ALIKE = 0.7
SEED = 42
FEWEST_LETTERS = 24


def bare(text: str) -> str:
    """What counts of a text when copies are looked for: folded words with one blank between."""
    return _CUT.sub(" ", tokens.folded(None, text)).strip()


def text_hash(text: str) -> int | None:
    """A number that is equal for equal bare texts; None where nothing is left of the text."""
    core = bare(text)
    return _hash(core) if core else None


def _hash(core: str) -> int:
    return int.from_bytes(hashlib.blake2b(core.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


def runs(core: str) -> list[str]:
    """The distinct runs of letters that are compared, blanks included; sorted, so that nothing depends on chance."""
    return sorted({core[at : at + RUN] for at in range(max(len(core) - RUN + 1, 1))})


def likeness(one: str, other: str) -> float:
    """Runs in common over runs in all (Jaccard), 0 to 1, of two bare texts."""
    first, second = set(runs(one)), set(runs(other))
    return len(first & second) / len(first | second)


@dataclass
class NearDuplicates:
    """A window over the last posts, carried by the caller from batch to batch.

    `near` answers with the hash of the first text of each family. What is older than `size` texts is
    forgotten, oldest first. It holds state: use one per stream, in one thread.
    """

    size: int = 50_000
    alike: float = ALIKE
    _families: "OrderedDict[int, int]" = field(default_factory=OrderedDict)
    _cores: dict[int, str] = field(default_factory=dict)
    _young: RMinHashLSH = field(default_factory=lambda: _index())
    _old: RMinHashLSH = field(default_factory=lambda: _index())
    _added: int = 0

    def near(self, cores: Sequence[str]) -> list[int | None]:
        """For each bare text the hash of the first near copy in the window; None where it stands alone.

        The first of a family has no near copy yet when it is met, so it is named only once a second one
        comes in the same call.
        """
        found: list[int | None] = []
        place: dict[int, list[int]] = {}
        for row, core in enumerate(cores):
            number = self._family(core) if len(core) >= FEWEST_LETTERS else None
            found.append(number)
            if number is not None:
                place.setdefault(number, []).append(row)
        for rows in place.values():
            own = _hash(cores[rows[0]])
            if len(rows) == 1 and own == found[rows[0]] and own not in self._repeated:
                found[rows[0]] = None
        return found

    _repeated: set[int] = field(default_factory=set)

    def _family(self, core: str) -> int:
        own = _hash(core)
        if own in self._families:
            family = self._families[own]
            self._repeated.add(family)
            return family
        sketch = _sketch(core)
        for key in sorted(set(self._young.query(sketch)) | set(self._old.query(sketch))):
            other = _signed(key)
            if other in self._cores and likeness(core, self._cores[other]) >= self.alike:
                family = self._families[other]
                self._repeated.add(family)
                self._remember(own, family, core, sketch)
                return family
        self._remember(own, own, core, sketch)
        return own

    def _remember(self, own: int, family: int, core: str, sketch: RMinHash) -> None:
        self._families[own] = family
        self._cores[own] = core
        self._young.insert(_unsigned(own), sketch)
        self._added += 1
        if self._added >= self.size:
            self._old, self._young, self._added = self._young, _index(), 0
        while len(self._families) > 2 * self.size:
            gone, _ = self._families.popitem(last=False)
            self._cores.pop(gone, None)
            self._repeated.discard(gone)


def _index() -> RMinHashLSH:
    return RMinHashLSH(ALIKE, PERMUTATIONS, BANDS)


def _sketch(core: str) -> RMinHash:
    sketch = RMinHash(PERMUTATIONS, SEED)
    sketch.update(runs(core))
    return sketch


def _unsigned(number: int) -> int:
    return number & 0xFFFFFFFFFFFFFFFF


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


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
    """Fills `text_hash` and `near_hash`; near copies are looked for within the batch, or in a given window."""

    name = "duplicates"
    requires = ("title", "text", "folded")
    assigns = ("text_hash", "near_hash")

    def __init__(self, window: NearDuplicates | None = None) -> None:
        self.window = window

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with both columns."""
        folded = batch.column("folded").to_pylist()
        cores = [_CUT.sub(" ", text).strip() if text else "" for text in folded]
        window = self.window if self.window is not None else NearDuplicates(size=max(len(cores), 1))
        exact = [_hash(core) if core else None for core in cores]
        batch = batch.append_column("text_hash", pa.array(exact, pa.int64()))
        return batch.append_column("near_hash", pa.array(window.near(cores), pa.int64()))
