"""Thousands of queries at once against each batch of posts.

An index from anchor terms to queries finds the few queries that can match a batch; only those are evaluated, each
over the whole batch at once.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from talkworthy.query.batch import Batch, Vocabulary, rows_in
from talkworthy.query.match import SLICE, CompiledQuery

K = TypeVar("K", bound=Hashable)
Numbers = np.ndarray[Any, np.dtype[np.int64]]


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
    """Many compiled queries, matched together. Immutable: `with_query` and `without` give a new one."""

    def __init__(self, queries: Mapping[K, CompiledQuery]) -> None:
        self._queries = dict(queries)
        self.keys: tuple[K, ...] = tuple(self._queries)
        self._evaluate = [query.knowledge for query in self._queries.values()]
        terms: set[str] = set()
        self._anchored: dict[str, list[int]] = {}
        self._always: list[int] = []
        for position, query in enumerate(self._queries.values()):
            terms |= query.terms
            if query.anchors is None:
                self._always.append(position)
            else:
                for term in query.anchors:
                    self._anchored.setdefault(term, []).append(position)
        self._vocabulary = Vocabulary(terms)

    def with_query(self, key: K, query: CompiledQuery) -> "Matcher[K]":
        """A matcher that has this query under this key as well."""
        return Matcher({**self._queries, key: query})

    def without(self, key: K) -> "Matcher[K]":
        """A matcher without that key; KeyError if it is not there."""
        return Matcher(
            {kept: query for kept, query in self._queries.items() if kept != key or _missing(key, self._queries)}
        )

    def match(self, posts: pa.RecordBatch | pa.Table) -> Matches[K]:
        """Which queries match which posts."""
        rows: list[Numbers] = []
        positions: list[Numbers] = []
        for start in range(0, posts.num_rows, SLICE):
            found_rows, found_positions = self._match_slice(posts.slice(start, SLICE))
            rows.append(found_rows + start)
            positions.append(found_positions)
        empty = np.zeros(0, dtype=np.int64)
        return Matches(
            self.keys,
            np.concatenate(rows) if rows else empty,
            np.concatenate(positions) if positions else empty,
            posts.num_rows,
        )

    def _match_slice(self, posts: pa.RecordBatch | pa.Table) -> tuple[Numbers, Numbers]:
        batch = Batch(posts, self._vocabulary)
        rows: list[int] = []
        positions: list[int] = []
        evaluate, everything = self._evaluate, batch.all
        for position in self._candidates(batch):
            true = evaluate[position](batch, everything)[0]
            if true:
                matched = rows_in(true)
                rows += matched
                positions += [position] * len(matched)
        row_array, position_array = np.array(rows, dtype=np.int64), np.array(positions, dtype=np.int64)
        order = np.lexsort((position_array, row_array))
        return row_array[order], position_array[order]

    def _candidates(self, batch: Batch) -> list[int]:
        """Queries of which an anchor stands in the batch, and those without anchors."""
        anchored = self._anchored
        found: set[int] = set(self._always)
        found.update(*(anchored[term] for term in batch.bits.keys() & anchored.keys()))
        return sorted(found)


def _missing(key: object, queries: Mapping[Any, CompiledQuery]) -> bool:
    if key not in queries:
        raise KeyError(key)
    return False
