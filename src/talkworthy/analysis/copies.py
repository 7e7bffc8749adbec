"""Near copies of posts that arrived earlier: a bounded window, looked through for a whole piece at once.

`Duplicates` finds copies within a piece, wherever that is understood. Whoever stores the pieces, one after the other,
carries this over them, so that copies which arrive minutes or hours apart are one family too.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from talkworthy.analysis.duplicates import (
    BANDS,
    BANDS_KEPT,
    BANDS_SHARED,
    FEWEST_LETTERS,
    MOST_COMPARED,
    bands_of,
    bare_of,
    is_copy,
)

Keys = npt.NDArray[np.uint32]

SIZE = 32_768
"""Texts that are remembered."""
LETTERS = 4_000_000
"""Letters that they may have together: fewer texts are remembered where they are long."""
ROOM = 2
"""Places of each band for one text: with fewer, texts that are not alike take each other's."""
FIRST = 1_024


class _Text(NamedTuple):
    """A text that was met: folded, with its hash, that of its family, and the post that brought it."""

    hash: int
    family: int
    uid: str
    folded: str


class Copies:
    """The newest texts of a stream and their bands. One a stream, in one thread."""

    def __init__(self, size: int = SIZE, *, letters: int = LETTERS) -> None:
        self.size, self.letters = size, letters
        self._texts: list[_Text | None] = []
        """A text has a number, as it came, and lies at this number modulo the room that there is."""
        self._bands: Keys = np.zeros((0, BANDS), np.uint32)
        self._places: dict[int, int] = {}
        """Where a text lies, by its hash."""
        self._oldest = self._next = self._held = 0
        self._make_room(min(FIRST, size))

    def __len__(self) -> int:
        return len(self._places)

    def joined(self, posts: pa.RecordBatch) -> pa.Array:
        """`near_hash` of each post, seen with all that came before; from now on these came before, too.

        The posts are a piece that `Duplicates` annotated, with the column BANDS_KEPT.
        """
        while len(self._texts) < min(len(self) + len(posts), self.size):
            self._make_room(min(2 * len(self._texts), self.size))
        own, near = posts.column("text_hash").to_pylist(), posts.column("near_hash").to_pylist()
        uids, folded = posts.column("uid").to_pylist(), posts.column("folded").to_pylist()
        bands = bands_of(posts.column(BANDS_KEPT))
        likely = self._likely(bands)
        families: dict[int, int] = {}
        fresh: dict[int, _Text] = {}
        rows: list[int] = []
        for row, (text, among) in enumerate(zip(own, near, strict=True)):
            if text is None:
                continue
            place = self._places.get(text)
            known = self._texts[place] if place is not None else fresh.get(text)
            if known is not None:
                family = known.family
                near[row] = family if family != text or known.uid != uids[row] else among
            else:
                family = self._family(text, among, families, folded[row], uids[row], likely.get(row, ()))
                near[row] = family if among is not None or family != text else None
                fresh[text] = _Text(text, family, uids[row], folded[row])
                rows.append(row)
            if among is not None:
                families.setdefault(among, family)
        self._remember([*fresh.values()], bands[rows])
        return pa.array(near, pa.int64())

    def _family(
        self,
        text: int,
        among: int | None,
        families: Mapping[int, int],
        folded: str,
        uid: str,
        places: Sequence[int],
    ) -> int:
        """That of the piece's own family, where it joined one; of an earlier text; else of the text itself."""
        if among is not None and among in families:
            return families[among]
        found = self._alike(folded, uid, places) if places else None
        return found if found is not None else text if among is None else among

    def _alike(self, folded: str, uid: str, places: Sequence[int]) -> int | None:
        """The family of the first text that this one is a copy of; a post that was edited is no copy of itself."""
        core = bare_of(folded)
        if len(core) < FEWEST_LETTERS:
            return None
        for place in places:
            other = self._texts[place]
            if other is None or other.uid == uid:
                continue
            earlier = bare_of(other.folded)
            if len(earlier) >= FEWEST_LETTERS and is_copy(core, earlier):
                return other.family
        return None

    def _likely(self, bands: Keys) -> dict[int, list[int]]:
        """Rows with the places that share several bands with them, those that share most first."""
        if not self._places or not len(bands):
            return {}
        places = self._slots[_COLUMNS, bands & self._mask]
        places = np.where(self._bands[places, _COLUMNS] == bands, places, -1 - _COLUMNS)
        ordered = np.sort(places, axis=1)
        shared = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        found = {}
        for row in np.flatnonzero(shared).tolist():
            counted = Counter(place for place in places[row].tolist() if place >= 0)
            found[row] = [place for place, n in counted.most_common(MOST_COMPARED) if n >= BANDS_SHARED]
        return found

    def _remember(self, texts: Sequence[_Text], bands: Keys) -> None:
        texts, bands = texts[-self.size :], bands[-self.size :]
        self._held += sum(len(text.folded) for text in texts)
        while self._places and (len(self) + len(texts) > len(self._texts) or self._held > self.letters):
            self._forget_oldest()
        places = np.arange(self._next, self._next + len(texts)) % len(self._texts)
        for place, text in zip(places.tolist(), texts, strict=True):
            self._texts[place] = text
            self._places[text.hash] = place
        self._next += len(texts)
        self._index(places, bands)

    def _forget_oldest(self) -> None:
        place = self._oldest % len(self._texts)
        gone = self._texts[place]
        if gone is not None:
            del self._places[gone.hash]
            self._held -= len(gone.folded)
        self._texts[place] = None
        self._oldest += 1

    def _index(self, places: npt.NDArray[np.int64], bands: Keys) -> None:
        """Let texts be found by their bands."""
        self._bands[places] = bands
        self._slots[_COLUMNS, bands & self._mask] = places[:, None]

    def _make_room(self, capacity: int) -> None:
        """Lay what is remembered, oldest first, into so many places."""
        held = [number % len(self._texts) for number in range(self._oldest, self._next)]
        texts, bands = [self._texts[place] for place in held], self._bands[held]
        self._texts = [*texts, *([None] * (capacity - len(held)))]
        self._places = {text.hash: place for place, text in enumerate(texts) if text is not None}
        self._bands = np.zeros((capacity, BANDS), np.uint32)
        self._mask = np.uint32((1 << (ROOM * capacity - 1).bit_length()) - 1)
        self._slots = np.zeros((BANDS, int(self._mask) + 1), np.int32)
        self._oldest, self._next = 0, len(held)
        self._index(np.arange(len(held)), bands)


_COLUMNS = np.arange(BANDS)
