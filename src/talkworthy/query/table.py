"""What stands in one batch: for each atom the rows that hold it, and for phrases and distances the places."""

from typing import Any

import numpy as np

from talkworthy.query.batch import PLACE, Batch
from talkworthy.query.layout import Layout
from talkworthy.query.lists import Lists, Numbers, Words, distinct, run_starts

_PLACES = (1 << PLACE) - 1
_ROWS_AT_ONCE = 1 << 14
_ONE = np.uint64(1)


class Table:
    """`words[slots[atom]]` are the rows that hold an atom, 64 of them a word; slot 0 is that of what stands nowhere."""

    def __init__(self, layout: Layout, batch: Batch) -> None:
        layout.follow_vocabulary()
        self.layout, self.batch = layout, batch
        self.width = (batch.size + 63) // 64
        owners, terms, at, bits = self._terms()
        self.keys = self._placed_keys()
        phrases, firsts = self._phrases()
        self.keys = np.concatenate((self.keys, (phrases << PLACE) | firsts))
        present = np.flatnonzero(np.bincount(terms, minlength=layout.first_phrase))
        present = np.concatenate((present, phrases[run_starts(phrases)]))
        self.slots = np.zeros(layout.first_filled + layout.filled, dtype=np.int64)
        self.slots[present] = np.arange(1, len(present) + 1)
        self._free = len(present) + 1
        self.words = np.zeros((self._free + layout.filled, self.width), dtype=np.uint64)
        self.flat: Words = self.words.reshape(-1)
        np.bitwise_or.at(self.flat, self.slots[terms] * self.width + at[owners], bits[owners])
        rows = batch.rows_at(firsts)
        np.bitwise_or.at(self.flat, self.slots[phrases] * self.width + (rows >> 6), _bit(rows))

    def _terms(self) -> tuple[Numbers, Numbers, Numbers, Words]:
        """Which words hold which terms: owners and terms, and of the owners the number of the word and its bits."""
        rows = self.batch.rows_at(self.batch.places_by_number)
        keys = distinct(self.batch.place_numbers * (64 * self.width) + rows)
        word_keys = keys >> 6
        starts = run_starts(word_keys)
        bits = np.bitwise_or.reduceat(_bit(keys), starts) if len(keys) else np.zeros(0, dtype=np.uint64)
        numbers, at = np.divmod(word_keys[starts], max(self.width, 1))
        owners, terms = self.layout.answers.taken(numbers)
        return owners, terms, at, bits

    def _placed_keys(self) -> Numbers:
        """Each place of a term that has to be known by place: the term before the place, in order."""
        owners, terms = self.layout.placed_answers.taken(self.batch.place_numbers)
        keys = (terms << PLACE) | self.batch.places_by_number[owners]
        keys.sort()
        return keys

    def _phrases(self) -> tuple[Numbers, Numbers]:
        """Each phrase that stands somewhere, with the place of its first token, in order."""
        phrases, layout = self.layout.phrases, self.layout
        nothing = np.zeros(0, dtype=np.int64)
        if not len(phrases.counts):
            return nothing, nothing
        counts = np.bincount(self.keys >> PLACE, minlength=layout.placed)
        by_term = Lists(self.keys & _PLACES, np.cumsum(counts) - counts, counts)
        longest = int(phrases.counts.max())
        offsets = np.arange(len(phrases.flat)) - np.repeat(phrases.starts, phrases.counts)
        rarest = np.minimum.reduceat(counts[phrases.flat] * longest + offsets, phrases.starts)
        asked = np.flatnonzero(rarest >= longest)
        pivot = rarest[asked] % longest
        owners, places = by_term.taken(phrases.flat[phrases.starts[asked] + pivot])
        firsts = places - pivot[owners]
        found, firsts = asked[owners][firsts >= 0], firsts[firsts >= 0]
        for offset in range(longest):
            longer = np.flatnonzero(phrases.counts[found] > offset)
            terms = phrases.flat[phrases.starts[found[longer]] + offset]
            missing = longer[~self._stands(terms, firsts[longer] + offset)]
            found, firsts = np.delete(found, missing), np.delete(firsts, missing)
        keys = ((found + layout.first_phrase) << PLACE) | firsts
        keys.sort()
        return keys >> PLACE, keys & _PLACES

    def _stands(self, terms: Numbers, places: Numbers) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        wanted = (terms << PLACE) | places
        stands: np.ndarray[Any, np.dtype[np.bool_]] = self._at(np.searchsorted(self.keys, wanted)) == wanted
        return stands

    def _at(self, positions: Numbers) -> Numbers:
        """The keys at some positions; one that is no key where a position lies behind the last."""
        if not len(self.keys):
            return np.full(len(positions), -1, dtype=np.int64)
        found: Numbers = np.where(positions < len(self.keys), self.keys[np.minimum(positions, len(self.keys) - 1)], -1)
        return found

    # what is put together when it is first asked for -----------------------------------------------------------------

    def fill(self, atoms: Numbers) -> None:
        """Make sure that the big groups and conditions among some atoms have their rows."""
        first = self.layout.first_filled
        if not self.layout.filled:
            return
        asked = atoms[atoms >= first]
        asked = asked[self.slots[asked] == 0]
        for atom in np.unique(asked).tolist():
            self.slots[atom] = self._free
            self.words[self._free] = self._filled(atom - first)
            self._free += 1

    def _filled(self, number: int) -> Words:
        big = len(self.layout.big)
        if number < big:
            slots = self.slots[self.layout.big[number]]
            members: Words = np.bitwise_or.reduce(self.words[slots[slots > 0]], axis=0)
            return members
        true, _ = self.layout.asking[number - big](self.batch, self.batch.all)
        held = (true & self.batch.all).to_bytes(8 * self.width, "little")
        return np.frombuffer(held, dtype="<u8").astype(np.uint64)

    # distances -------------------------------------------------------------------------------------------------------

    def close(self, pairs: Numbers, at: Numbers, bits: Words) -> Words:
        """Of the rows in some words those in which both sides of a NEAR stand close enough."""
        found = np.zeros(len(bits), dtype=np.uint64)
        spread = np.unpackbits(bits.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        entries, bit = np.nonzero(spread)
        for first in range(0, len(entries), _ROWS_AT_ONCE):
            some, rows = entries[first : first + _ROWS_AT_ONCE], bit[first : first + _ROWS_AT_ONCE]
            near = self._are_close(pairs[some], at[some] * 64 + rows)
            np.bitwise_or.at(found, some[near], _bit(rows[near]))
        return found

    def _are_close(self, pairs: Numbers, rows: Numbers) -> Numbers:
        """Which of some rows have both sides of their pair close together, perhaps several times."""
        layout = self.layout
        asking, atoms = self._held(layout.rare_side, pairs, rows)
        segments, starts, ends = self.batch.segments_at(rows[asking])
        asking, atoms = asking[segments], atoms[segments]
        first = np.searchsorted(self.keys, (atoms << PLACE) | starts)
        many = np.searchsorted(self.keys, (atoms << PLACE) | ends) - first
        each = np.repeat(np.arange(len(first)), many)
        places = self.keys[np.arange(len(each)) + np.repeat(first - np.cumsum(many) + many, many)] & _PLACES
        lasts = places + layout.lengths[atoms[each]]
        asking, starts, ends = asking[each], starts[each], ends[each]
        beside, others = self._held(layout.other_side, pairs[asking], rows[asking])
        asking, places, lasts = asking[beside], places[beside], lasts[beside]
        pair, lengths = pairs[asking], layout.lengths[others]
        distance = np.minimum(layout.distance[pair], self.batch.length)
        after = self._between(others, lasts, np.minimum(lasts + distance, ends[beside] - 1))
        before = self._between(others, np.maximum(places - distance - lengths, starts[beside]), places - lengths)
        return asking[(after & layout.may_follow[pair]) | (before & layout.may_precede[pair])]

    def _held(self, sides: Lists, pairs: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
        """Of one side of some pairs the atoms that stand in their rows."""
        asking, atoms = sides.taken(pairs)
        row = rows[asking]
        held = (self.flat[self.slots[atoms] * self.width + (row >> 6)] & _bit(row)) != 0
        return asking[held], atoms[held]

    def _between(self, atoms: Numbers, low: Numbers, high: Numbers) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Whether an atom begins at one of the places from low to high."""
        found = self._at(np.searchsorted(self.keys, (atoms << PLACE) | low))
        return (found >= 0) & (low <= high) & (found <= (atoms << PLACE) | np.maximum(high, 0))


def _bit(rows: Numbers) -> Words:
    """The bit of each row within its word."""
    return _ONE << (rows & 63).astype(np.uint64)
