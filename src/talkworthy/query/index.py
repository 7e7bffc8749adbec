"""Thousands of queries at once against each batch of posts.

The cost follows the matches: a query none of whose anchors stands in a batch costs nothing.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from talkworthy.query.batch import Batch, Vocabulary, rows_in
from talkworthy.query.match import SLICE, CompiledQuery
from talkworthy.query.plan import Plan

K = TypeVar("K", bound=Hashable)
WIDE = 48
"""A token in more rows of a slice than this has its queries evaluated on the whole slice."""

GATE = 4
"""Words of 64 bits in a signature."""

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Words = np.ndarray[Any, np.dtype[np.uint64]]


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

    Three sieves: the anchors of the queries against the tokens of the batch give pairs of query and row; sets of
    tokens decide most pairs; what is left (phrases, distances, fields) is evaluated on those rows only. A query
    whose anchors stand in many rows is evaluated over the whole batch at once instead.
    """

    def __init__(self, queries: Mapping[K, CompiledQuery]) -> None:
        self._queries = dict(queries)
        self.keys: tuple[K, ...] = tuple(self._queries)
        self._evaluate = [query.knowledge for query in self._queries.values()]
        plans = [query.plan for query in self._queries.values()]
        self._tests = [_test(plan) for plan in plans]
        self._always = [position for position, plan in enumerate(plans) if plan is None]
        terms = {term for query in self._queries.values() for term in query.terms}
        self._anchors = _Anchors(plans, Vocabulary(terms))

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
        batch = Batch(posts, self._anchors.vocabulary)
        pairs, wide = self._anchors.candidates(batch)
        rows: list[int] = []
        positions: list[int] = []
        for position in [*self._always, *wide]:
            matched = rows_in(self._evaluate[position](batch, batch.all)[0])
            rows += matched
            positions += [position] * len(matched)
        self._judge(batch, pairs, rows, positions)
        row_array, position_array = np.array(rows, dtype=np.int64), np.array(positions, dtype=np.int64)
        order = np.lexsort((position_array, row_array))
        return row_array[order], position_array[order]

    def _judge(self, batch: Batch, pairs: tuple[list[int], list[int]], rows: list[int], positions: list[int]) -> None:
        """Add the pairs that match: by their tokens where these decide, else by evaluation."""
        row_terms: list[set[str] | None] = [None] * batch.size
        unsure: dict[int, int] = {}
        last, test = -1, _test(None)
        for position, row in zip(*pairs, strict=True):
            if position != last:
                last, test = position, self._tests[position]
            terms = row_terms[row]
            if terms is None:
                terms = row_terms[row] = batch.row_terms(row)
            sure = test.complete
            for at_once, perhaps in test.groups:
                if at_once.isdisjoint(terms):
                    if perhaps is None or perhaps.isdisjoint(terms):
                        break
                    sure = False
            else:
                if not test.excluded.isdisjoint(terms):
                    continue
                if sure:
                    rows.append(row)
                    positions.append(position)
                else:
                    unsure[position] = unsure.get(position, 0) | 1 << row
        for position, alive in unsure.items():
            matched = rows_in(self._evaluate[position](batch, alive)[0] & alive)
            rows += matched
            positions += [position] * len(matched)


class _Test(NamedTuple):
    """A plan laid out for the inner loop: groups that fail most often first, None for an empty set."""

    groups: tuple[tuple[frozenset[str], frozenset[str] | None], ...]
    excluded: frozenset[str]
    complete: bool


def _test(plan: Plan | None) -> _Test:
    if plan is None:
        return _Test((), frozenset(), False)
    ordered = sorted(plan.groups, key=lambda group: group.terms == plan.anchors)
    return _Test(tuple((group.sure, group.maybe or None) for group in ordered), plan.excluded, plan.complete)


class _Anchors:
    """From the tokens of a batch to pairs of query and row worth a look.

    A gate keeps most pairs out: each query's next group of tokens as a signature of a few words of bits, against
    the signature of all tokens of the row. Two tokens may share a bit, so a gate lets too much through, never too
    little.
    """

    def __init__(self, plans: Sequence[Plan | None], vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._anchored: dict[str, list[int]] = {}
        gates: list[frozenset[str]] = []
        for position, plan in enumerate(plans):
            for term in plan.anchors if plan else ():
                self._anchored.setdefault(term, []).append(position)
            others = [group.terms for group in plan.groups if group.terms != plan.anchors] if plan else []
            gates.append(min(others, key=len) if others else frozenset())
        self._bits = {term: number % (64 * GATE) for number, term in enumerate(sorted(frozenset().union(*gates)))}
        self._gates = _words_of_bits([self._signature(gate) for gate in gates])
        self._ungated = np.array([not gate for gate in gates], dtype=np.bool_)
        self._queries: list[int] = []
        self._starts: list[int] = []
        self._counts: list[int] = []
        self._signatures: list[int] = []
        self._arrays = (np.zeros(0, dtype=np.int64),) * 3
        self._signature_words = _words_of_bits([])

    def _signature(self, terms: Iterable[str]) -> int:
        found = 0
        for term in terms:
            if term in self._bits:
                found |= 1 << self._bits[term]
        return found

    def candidates(self, batch: Batch) -> tuple[tuple[list[int], list[int]], list[int]]:
        """Distinct pairs (query, row) as two lists, and the queries to be evaluated on the whole batch instead."""
        queries, starts, counts = self._known()
        numbers, rows = batch.occurrences()
        often = np.bincount(numbers, minlength=len(starts)) > WIDE
        wide = sorted(
            {
                query
                for number in np.flatnonzero(often & (counts > 0)).tolist()
                for query in queries[starts[number] : starts[number] + counts[number]].tolist()
            }
        )
        signatures = self._row_signatures(batch.size, numbers, rows)
        kept = (counts[numbers] > 0) & ~often[numbers]
        numbers, rows = numbers[kept], rows[kept]
        many = counts[numbers]
        if not len(many):
            return ([], []), wide
        ends = np.cumsum(many)
        paired = queries[np.repeat(starts[numbers] - ends + many, many) + np.arange(ends[-1])]
        paired_rows = np.repeat(rows, many)
        passed = self._ungated[paired]
        for word, gate in zip(signatures, self._gates, strict=True):
            passed |= (word[paired_rows] & gate[paired]) != 0
        if wide:
            passed &= ~np.isin(paired, wide)
        keys = _distinct(paired[passed] * batch.size + paired_rows[passed])
        return ((keys // batch.size).tolist(), (keys % batch.size).tolist()), wide

    def _row_signatures(self, size: int, numbers: Numbers, rows: Numbers) -> list[Words]:
        found = []
        for word in self._signature_words:
            signature = np.zeros(size, dtype=np.uint64)
            np.bitwise_or.at(signature, rows, word[numbers])
            found.append(signature)
        return found

    def _known(self) -> tuple[Numbers, Numbers, Numbers]:
        """Queries by the number of a token, as one array with a start and a count for each number."""
        answers = self.vocabulary.answers
        if len(self._starts) < len(answers):
            for terms in answers[len(self._starts) :]:
                found = {query for term in terms for query in self._anchored.get(term, ())}
                self._starts.append(len(self._queries))
                self._counts.append(len(found))
                self._queries.extend(found)
                self._signatures.append(self._signature(terms))
            self._arrays = (
                np.array(self._queries, dtype=np.int64),
                np.array(self._starts, dtype=np.int64),
                np.array(self._counts, dtype=np.int64),
            )
            self._signature_words = _words_of_bits(self._signatures)
        queries, starts, counts = self._arrays
        return queries, starts, counts


def _words_of_bits(signatures: Sequence[int]) -> list[Words]:
    """Signatures as GATE arrays of 64 bits each."""
    low = (1 << 64) - 1
    return [
        np.array([signature >> (64 * word) & low for signature in signatures], dtype=np.uint64) for word in range(GATE)
    ]


def _distinct(keys: Numbers) -> Numbers:
    """Sorted, without doubles: for arrays of this size quicker than numpy's unique."""
    keys.sort()
    return keys[np.concatenate(([True], keys[1:] != keys[:-1]))] if len(keys) else keys
