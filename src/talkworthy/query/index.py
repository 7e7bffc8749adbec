"""Thousands of queries at once against each batch of posts.

The cost follows the matches: a query none of whose anchors stands in a batch costs nothing.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from talkworthy.query.batch import Batch, Vocabulary, batches, rows_in
from talkworthy.query.layout import Layout
from talkworthy.query.lists import Lists, Numbers, Words, either, run_starts
from talkworthy.query.match import CompiledQuery
from talkworthy.query.table import Table

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Matches(Generic[K]):
    """Which keys matched which rows: two arrays of equal length, ordered by row, then by the key's place in `keys`."""

    keys: tuple[K, ...]
    row_indices: Numbers
    key_positions: Numbers
    row_count: int

    def names(self, row: int) -> list[K]:
        """The keys that matched one row."""
        start, end = np.searchsorted(self.row_indices, [row, row + 1])
        return [self.keys[position] for position in self.key_positions[start:end].tolist()]

    def by_row(self) -> Iterator[list[K]]:
        """The keys that matched, row after row."""
        starts = np.searchsorted(self.row_indices, np.arange(self.row_count + 1)).tolist()
        positions = self.key_positions.tolist()
        for start, end in pairwise(starts):
            yield [self.keys[position] for position in positions[start:end]]

    def __len__(self) -> int:
        return len(self.row_indices)


class Matcher(Generic[K]):
    """Many compiled queries, matched together. Immutable: `with_query` and `without` give a new one.

    Rows are looked at 64 at a time, as the bits of a word. The anchors that stand in a batch give the queries and
    words worth a look; groups, exclusions, conditions and distances take bits away, each looked up for all that is
    left; only what a plan cannot tell (braces, windows, sentences, nested parts) is evaluated query by query.
    """

    def __init__(self, queries: Mapping[K, CompiledQuery]) -> None:
        self._queries = dict(queries)
        self.keys: tuple[K, ...] = tuple(self._queries)
        self._evaluate = [query.knowledge for query in self._queries.values()]
        plans = [query.plan for query in self._queries.values()]
        self._always = [position for position, plan in enumerate(plans) if plan is None]
        terms = {term for query in self._queries.values() for term in query.terms}
        self._vocabulary = Vocabulary(terms)
        self._layout = Layout(plans, self._vocabulary)

    def with_query(self, key: K, query: CompiledQuery) -> "Matcher[K]":
        """A matcher that has this query under this key as well."""
        return Matcher({**self._queries, key: query})

    def without(self, key: K) -> "Matcher[K]":
        """A matcher without that key; KeyError if it is not there."""
        kept = dict(self._queries)
        del kept[key]
        return Matcher(kept)

    def match(self, posts: pa.RecordBatch | pa.Table) -> Matches[K]:
        """Which queries match which posts."""
        keys = [np.zeros(0, dtype=np.int64)]
        for start, some in batches(posts):
            keys.append(self._match_batch(Batch(some, self._vocabulary)) + start * len(self.keys))
        found = np.concatenate(keys)
        return Matches(self.keys, *np.divmod(found, max(len(self.keys), 1)), posts.num_rows)

    def _match_batch(self, batch: Batch) -> Numbers:
        """Row times the number of queries, plus the query, of each match; in order."""
        count = len(self.keys)
        found = [np.zeros(0, dtype=np.int64)]
        for position in self._always:
            rows = rows_in(self._evaluate[position](batch, batch.all)[0])
            found.append(np.array(rows, dtype=np.int64) * count + position)
        sure, unsure = judged(self._layout, batch)
        found.append(rows_of(sure) * count + np.repeat(sure.queries, np.bitwise_count(sure.bits)))
        for position, alive in _alive_by_query(unsure):
            rows = rows_in(self._evaluate[position](batch, alive)[0] & alive)
            found.append(np.array(rows, dtype=np.int64) * count + position)
        keys = np.concatenate(found)
        keys.sort()
        return keys


class Judged(NamedTuple):
    """Queries with rows that may match: a query, a word's number, and the bits of the rows; ordered by query."""

    queries: Numbers
    words: Numbers
    bits: Words

    def taken(self, kept: "np.ndarray[Any, Any]") -> "Judged":
        return Judged(self.queries[kept], self.words[kept], self.bits[kept])

    def keeping(self, at: Numbers, bits: Words) -> "Judged":
        """Only these bits at some places; what has none left goes."""
        self.bits[at] &= bits
        return self.taken(np.flatnonzero(self.bits))


def judged(layout: Layout, batch: Batch) -> tuple[Judged, Judged]:
    """What matches by the plans alone, and what is left to be evaluated."""
    table = Table(layout, batch)
    left = _anchored(layout, table)
    left = _grouped(layout, table, left, layout.others, layout.members)
    excluded = np.flatnonzero(layout.excluded.having(0, left.queries))
    gone = _any_of(table, layout.excluded, left.queries[excluded], left.words[excluded])
    left = left.keeping(excluded, ~gone)
    left = _grouped(layout, table, left, layout.conditions, layout.members)
    for number in range(int(layout.beside.counts.max(initial=0))):
        at = np.flatnonzero(layout.beside.having(number, left.queries))
        if len(at):
            pairs = layout.beside.flat[layout.beside.starts[left.queries[at]] + number]
            left = left.keeping(at, table.close(pairs, left.words[at], left.bits[at]))
    complete = layout.complete[left.queries]
    sure = left.taken(complete)
    sure = _grouped(layout, table, sure._replace(bits=sure.bits.copy()), layout.doubtful, layout.sure_members)
    return sure, _without(left, sure)


def _anchored(layout: Layout, table: Table) -> Judged:
    """The queries any of whose anchors stand in the batch, and the rows."""
    atoms = layout.anchoring[table.slots[layout.anchoring] > 0]
    held = table.words[table.slots[atoms]]
    at, words = np.nonzero(held)
    bits = held[at, words]
    owners, queries = layout.anchored.taken(atoms[at])
    if not len(queries):
        return Judged(queries, queries, bits[:0])
    asked = np.flatnonzero(np.bincount(queries))
    local = np.zeros(len(layout.complete), dtype=np.int64)
    local[asked] = np.arange(len(asked))
    alive = np.zeros(len(asked) * table.width, dtype=np.uint64)
    np.bitwise_or.at(alive, local[queries] * table.width + words[owners], bits[owners])
    filled = np.flatnonzero(alive)
    return Judged(asked[filled // table.width], filled % table.width, alive[filled])


def _grouped(layout: Layout, table: Table, left: Judged, groups: Lists, members: Lists) -> Judged:
    """What holds a member of each of its query's groups: one group after the other, the rarest first."""
    for number in range(int(groups.counts.max(initial=0))):
        at = np.flatnonzero(groups.having(number, left.queries))
        if not len(at):
            break
        asked = groups.flat[groups.starts[left.queries[at]] + number]
        left = left.keeping(at, _any_of(table, members, asked, left.words[at]))
    return left


_AT_ONCE = 1 << 20
"""Look-ups that are made together: more would leave the caches."""


def _any_of(table: Table, members: Lists, asked: Numbers, words: Numbers) -> Words:
    """For each of some lists and words the rows that hold any member of the list."""
    ends = np.cumsum(members.counts[asked])
    parts, first = [], 0
    while first < len(asked):
        last = max(int(np.searchsorted(ends, (ends[first - 1] if first else 0) + _AT_ONCE)), first + 1)
        owners, atoms = members.taken(asked[first:last])
        table.fill(atoms)
        bits = table.flat[table.slots[atoms] * table.width + words[first:last][owners]]
        parts.append(either(bits, members.counts[asked[first:last]]))
        first = last
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def _without(left: Judged, sure: Judged) -> Judged:
    """What is left where what is sure is taken away; of a complete query that has no doubtful group, nothing."""
    width = int(left.words.max(initial=0)) + 1
    known = np.searchsorted(left.queries * width + left.words, sure.queries * width + sure.words)
    left.bits[known] &= ~sure.bits
    return left.taken(np.flatnonzero(left.bits))


def rows_of(some: Judged) -> Numbers:
    """The rows, one for each bit, in the order of the words."""
    spread = np.unpackbits(some.bits.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    at, bit = np.nonzero(spread)
    rows: Numbers = some.words[at] * 64 + bit
    return rows


def _alive_by_query(some: Judged) -> Iterator[tuple[int, int]]:
    """Each query that has to be evaluated, and the rows as one integer."""
    starts = run_starts(some.queries).tolist()
    words, bits = some.words.tolist(), some.bits.tolist()
    for start, end in pairwise([*starts, len(words)]):
        yield int(some.queries[start]), sum(bits[at] << (64 * words[at]) for at in range(start, end))
