"""One batch of posts prepared for many queries: tokens once, postings as bitsets, columns as they are asked for.

A set of rows is a Python integer whose bit i stands for row i: AND, OR and NOT of whole batches run in C.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.query import tokens
from talkworthy.query.languages import primary_code
from talkworthy.query.scanning import TokenFilter, scan
from talkworthy.schema.annotations import UNDECIDED

NOTHING, BORDER, LINK = 0, 1, 2
_CACHE = 400_000
_LONG_PIECE = 32
FEW, MANY = 4, 48

SHORT = 4096
"""Characters below which one expression over the whole text is sooner than arrays."""

ROWS, CHARACTERS = 4096, 1 << 19
"""The most posts of one batch, and about how many characters they may have together: arrays that fit the caches."""

PLACE = 32
"""Bits of a place in a key that puts a number or a term before it."""

Numbers = np.ndarray[Any, np.dtype[np.int64]]


class Vocabulary(dict[str, int]):
    """From a raw token to the number of the set of query terms it answers to; 0 where it answers to none.

    Tokens are looked at once and remembered; when too many were seen, all are forgotten.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        super().__init__()
        self.terms = frozenset(terms)
        self._wild: dict[str, list[tuple[str, re.Pattern[str] | None]]] = {}
        for term in self.terms:
            if tokens.is_wild(term):
                prefix = tokens.prefix_of(term)
                pattern = None if term == prefix + tokens.ANY else tokens.wildcard(term)
                self._wild.setdefault(prefix, []).append((term, pattern))
        self._prefix_lengths = sorted({len(prefix) for prefix in self._wild})
        self._filter: TokenFilter | None = None
        self._pieces: dict[str, tuple[int, ...]] = {}
        self.answers: list[tuple[str, ...]] = [(), (), ()]
        self.numbers_of: dict[str, list[int]] = {}
        self._numbers: dict[tuple[str, ...], int] = {(): NOTHING}
        self["\x00"] = BORDER

    def __missing__(self, raw: str) -> int:
        if tokens.is_link(raw):
            return LINK
        if len(self) > _CACHE:
            self.clear()
            self["\x00"] = BORDER
        number = self[raw] = self._number(self._answers(tokens.clean(raw)))
        return number

    def numbers_in(self, folded: str) -> "np.ndarray[Any, np.dtype[np.int32]]":
        """The numbers of the tokens of folded text that was joined with \\x00, BORDER for each of these; no links."""
        return self.numbers_found(folded) if len(folded) < SHORT else self.numbers_scanned(folded)

    def numbers_found(self, folded: str) -> "np.ndarray[Any, np.dtype[np.int32]]":
        """As `numbers_in`, by one expression over the whole text."""
        numbers = np.array(list(map(self.__getitem__, tokens.raw_tokens(folded))), dtype=np.int32)
        words: np.ndarray[Any, np.dtype[np.int32]] = numbers[numbers != LINK]
        return words

    def numbers_scanned(self, folded: str) -> "np.ndarray[Any, np.dtype[np.int32]]":
        """As `numbers_in`, by arrays."""
        if self._filter is None:
            self._filter = TokenFilter(self.terms)
        found = scan(folded)
        numbers = np.zeros(len(found.starts), dtype=np.int32)
        asked = np.flatnonzero(self._filter.may_answer(found))
        bounds = zip(found.starts[asked].tolist(), found.ends[asked].tolist(), strict=True)
        numbers[asked] = list(map(self.__getitem__, [folded[start:end] for start, end in bounds]))
        starts = found.starts
        if len(found.hard_starts):
            bounds = zip(found.hard_starts.tolist(), found.hard_ends.tolist(), strict=True)
            read = self._numbers_of_pieces([folded[start:end] for start, end in bounds])
            starts = np.concatenate((starts, np.repeat(found.hard_starts, [len(each) for each in read])))
            numbers = np.concatenate((numbers, np.array(list(chain.from_iterable(read)), dtype=np.int32)))
            order = np.argsort(starts, kind="stable")
            starts, numbers = starts[order], numbers[order]
        return np.insert(numbers, np.searchsorted(starts, found.borders), BORDER)

    def _numbers_of_pieces(self, pieces: list[str]) -> list[tuple[int, ...]]:
        """The numbers of the tokens of each piece of text without blanks; short pieces are remembered."""
        known = self._pieces
        if len(known) > _CACHE:
            known.clear()
        unread = {piece for piece in pieces if piece not in known}
        fresh: dict[str, tuple[int, ...]] = {}
        basic = [piece for piece in unread if tokens.is_basic(piece)]
        raw = tokens.raw_tokens("".join(f"{piece}\x00" for piece in basic))
        at = 0
        for piece in basic:
            end = raw.index("\x00", at)
            fresh[piece] = self._numbered(raw[at:end])
            at = end + 1
        for piece in unread.difference(basic):
            fresh[piece] = self._numbered(tokens.raw_tokens(piece))
        read = [known[piece] if piece in known else fresh[piece] for piece in pieces]
        known.update((piece, found) for piece, found in fresh.items() if len(piece) <= _LONG_PIECE)
        return read

    def _numbered(self, raw: Sequence[str]) -> tuple[int, ...]:
        return tuple(number for token in raw if (number := self[token]) != LINK)

    def _answers(self, token: str) -> tuple[str, ...]:
        if not token:
            return ()
        found = []
        for spelling in tokens.spellings(token):
            if spelling in self.terms:
                found.append(spelling)
            for length in self._prefix_lengths:
                if length > len(spelling):
                    break
                for term, pattern in self._wild.get(spelling[:length], ()):
                    if pattern is None or pattern.fullmatch(spelling):
                        found.append(term)
        return tuple(sorted(set(found)))

    def _number(self, answers: tuple[str, ...]) -> int:
        number = self._numbers.get(answers)
        if number is None:
            number = self._numbers[answers] = len(self.answers)
            self.answers.append(answers)
            for term in answers:
                self.numbers_of.setdefault(term, []).append(number)
        return number


@dataclass(slots=True)
class Segment:
    """The tokens of one title or body, or of one sentence of it: places `start` to `end` of the batch."""

    start: int
    end: int
    name: str
    row: int
    batch: "Batch"

    def at(self, term: str) -> list[int]:
        """Where a query term stands, in order."""
        if not self.batch.bits[term] >> self.row & 1:
            return []
        places = self.batch.places(term)
        return places[bisect_left(places, self.start) : bisect_left(places, self.end)]


@dataclass(slots=True)
class WordIndex:
    """The words of a short column such as the author's name: distinct values, their tokens, and where tokens occur."""

    rows: list[int]
    values: list[str]
    tokens: list[list[tuple[str, ...]]]
    having: dict[str, list[int]]
    _wild: dict[str, list[int]] = field(default_factory=dict)

    def values_having(self, term: str) -> list[int]:
        """Numbers of the values in which a token answers to the term."""
        if not tokens.is_wild(term):
            return self.having.get(term, [])
        if term not in self._wild:
            pattern = tokens.wildcard(term)
            numbers = {n for spelling, values in self.having.items() if pattern.fullmatch(spelling) for n in values}
            self._wild[term] = sorted(numbers)
        return self._wild[term]


class TermRows(dict[str, int]):
    """The rows that hold a query term, made when they are first asked for."""

    def __init__(self, batch: "Batch") -> None:
        super().__init__()
        self._batch = batch

    def __missing__(self, term: str) -> int:
        found = self[term] = self._batch.rows_holding(term)
        return found


class Batch:
    """Posts of one record batch, prepared as far as the queries ask."""

    def __init__(self, posts: pa.RecordBatch | pa.Table, vocabulary: Vocabulary) -> None:
        self.posts = posts
        self.size = posts.num_rows
        self.all = (1 << self.size) - 1
        self.vocabulary = vocabulary
        self.answers = vocabulary.answers
        self.cache: dict[Any, Any] = {}
        self._lists: dict[str, list[Any] | None] = {}
        self._row_terms: list[set[str] | None] | None = None
        self._segments_of: dict[int, list[int]] | None = None
        self._bounds: tuple[Numbers, Numbers, Numbers, Numbers] | None = None
        self._index_tokens()

    # text ----------------------------------------------------------------------------------------------------------

    def _index_tokens(self) -> None:
        """Tokenise titles and texts, and note for each query term the rows it occurs in."""
        titles, texts = self.column("title"), self.column("text")
        self.titles, self.texts = titles, texts
        names, rows, written = self._segments()
        ascii_at = [at for at, text in enumerate(written) if text.isascii()]
        other_at = [at for at, text in enumerate(written) if not text.isascii()]
        folded = [_joined([written[at] for at in ascii_at]).lower()] if ascii_at else []
        if other_at:
            folded.append(tokens.fold_joined(_joined([written[at] for at in other_at])))
        order = ascii_at + other_at
        self.segment_rows = [rows[at] for at in order]
        self.segment_names = [names[at] for at in order]
        self.row_array = np.array(self.segment_rows, dtype=np.int64)
        self._post_numbers(self.vocabulary.numbers_in("\x00".join(folded)))

    def _segments(self) -> tuple[list[str], list[int], list[str]]:
        names: list[str] = []
        rows: list[int] = []
        written: list[str] = []
        for name, column in (("title", self.titles), ("text", self.texts)):
            if column is None:
                continue
            kept = [row for row, text in enumerate(column) if text]
            rows += kept
            names += [name] * len(kept)
            written += [column[row] for row in kept]
        self.has_titles = "title" in names
        return names, rows, written

    def _post_numbers(self, numbers: "np.ndarray[Any, np.dtype[np.int32]]") -> None:
        borders = numbers == BORDER
        self._array = numbers
        self.length = len(numbers)
        self._listed: list[int] | None = None
        self.segment_starts = [0, *(np.flatnonzero(borders) + 1).tolist()]
        self._segment_of = np.cumsum(borders)
        self.bits = TermRows(self)
        self._slices: dict[int, tuple[int, int]] = {}
        self._places_of: dict[str, list[int]] = {}
        places = np.flatnonzero(numbers > LINK)
        keys = (numbers[places].astype(np.int64) << PLACE) | places
        keys.sort()
        self.place_numbers, self.places_by_number = keys >> PLACE, keys & ((1 << PLACE) - 1)
        if len(keys):
            starts = np.flatnonzero(np.concatenate(([True], self.place_numbers[1:] != self.place_numbers[:-1])))
            bounds = pairwise([*starts.tolist(), len(keys)])
            self._slices = dict(zip(self.place_numbers[starts].tolist(), bounds, strict=True))

    def rows_at(self, places: Numbers) -> Numbers:
        """The row of each place."""
        rows: Numbers = self.row_array[self._segment_of[places]]
        return rows

    def segments_at(self, row_array: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """For each of some rows its segments: the number of the asking row, where the segment starts, where it ends."""
        if self._bounds is None:
            order = np.argsort(self.row_array, kind="stable")
            starts = np.array(self.segment_starts, dtype=np.int64)
            ends = np.concatenate((starts[1:] - 1, [len(self._array)]))
            counts = np.bincount(self.row_array, minlength=self.size)
            self._bounds = (np.cumsum(counts) - counts, counts, starts[order], ends[order])
        first, counts, starts, ends = self._bounds
        many = counts[row_array]
        asking = np.repeat(np.arange(len(row_array)), many)
        at = np.arange(len(asking)) + np.repeat(first[row_array] - np.cumsum(many) + many, many)
        return asking, starts[at], ends[at]

    def rows_holding(self, term: str) -> int:
        """The rows that hold a term, put together from the tokens that answer to it."""
        found, powers = 0, _powers(self.size)
        for number in self.vocabulary.numbers_of.get(term, ()):
            if number not in self._slices:
                continue
            start, end = self._slices[number]
            rows = self.rows_at(self.places_by_number[start:end])
            if end - start > MANY:
                flags = np.zeros(self.size, dtype=np.bool_)
                flags[rows] = True
                found |= bits_from(flags)
            else:
                for row in rows.tolist():
                    found |= powers[row]
        return found

    def rows_with_any(self, terms: frozenset[str], alive: int) -> int:
        """The rows among some that hold at least one of some terms: few rows are looked at one by one."""
        if not alive:
            return 0
        if len(terms) > 2 and alive.bit_count() <= FEW:
            found = 0
            for row in rows_in(alive):
                if not terms.isdisjoint(self.row_terms(row)):
                    found |= 1 << row
            return found
        found, bits = 0, self.bits
        for term in terms:
            found |= bits[term]
        return found & alive

    def row_terms(self, row: int) -> set[str]:
        """The query terms that one row holds."""
        if self._row_terms is None:
            self._row_terms = [None] * self.size
        found = self._row_terms[row]
        if found is None:
            numbers, answer = self.numbers, self.answers.__getitem__
            here: set[int] = set()
            for segment in self._segment_numbers(row):
                here.update(numbers[self.segment_starts[segment] : self._segment_end(segment)])
            found = self._row_terms[row] = set().union(*map(answer, here))
        return found

    @property
    def numbers(self) -> list[int]:
        """The number of each place's token, as `Vocabulary` gives it."""
        if self._listed is None:
            self._listed = self._array.tolist()
        return self._listed

    def places(self, term: str) -> list[int]:
        """All places of a term in the batch, in order."""
        found = self._places_of.get(term)
        if found is None:
            found = []
            for number in self.vocabulary.numbers_of.get(term, ()):
                if number in self._slices:
                    start, end = self._slices[number]
                    found += self.places_by_number[start:end].tolist()
            found.sort()
            self._places_of[term] = found
        return found

    def segment_number(self, place: int) -> int:
        """The segment that a place lies in."""
        return bisect_right(self.segment_starts, place) - 1

    def term_rows(self, term: str, name: str | None) -> int:
        """Rows that hold the term, in one field or in both."""
        if name is None or not self.bits[term]:
            return self.bits[term]
        if not self.has_titles:
            return self.bits[term] if name == "text" else 0
        key = ("term", term, name)
        if key not in self.cache:
            self.cache[key] = self._rows_of_places(self.places(term), name)
        found: int = self.cache[key]
        return found

    def phrase_rows(self, terms: tuple[str, ...], name: str | None) -> int:
        """Rows that hold the terms side by side, in order."""
        key = ("phrase", terms, name)
        if key not in self.cache:
            self.cache[key] = self._rows_of_places(self._phrase_places(terms), name)
        found: int = self.cache[key]
        return found

    def _phrase_places(self, terms: tuple[str, ...]) -> list[int]:
        numbers, answers, last = self.numbers, self.answers, len(self._array)
        rarest = min(range(len(terms)), key=lambda at: self.bits[terms[at]].bit_count())
        found = []
        for place in self.places(terms[rarest]):
            first = place - rarest
            if first < 0 or first + len(terms) > last:
                continue
            if all(term in answers[numbers[first + at]] for at, term in enumerate(terms)):
                found.append(first)
        return found

    def _rows_of_places(self, places: list[int], name: str | None) -> int:
        found = 0
        for place in places:
            segment = self.segment_number(place)
            if name is None or self.segment_names[segment] == name:
                found |= 1 << self.segment_rows[segment]
        return found

    def segments(self, row: int) -> list[Segment]:
        """The title and body of one row, as far as they have words."""
        found = []
        for number in self._segment_numbers(row):
            key = ("segment", number)
            if key not in self.cache:
                self.cache[key] = self._segment(number)
            found.append(self.cache[key])
        return found

    def _segment_numbers(self, row: int) -> list[int]:
        if self._segments_of is None:
            self._segments_of = {}
            for number, of_row in enumerate(self.segment_rows):
                self._segments_of.setdefault(of_row, []).append(number)
        return self._segments_of.get(row, [])

    def _segment_end(self, number: int) -> int:
        starts = self.segment_starts
        return starts[number + 1] - 1 if number + 1 < len(starts) else len(self._array)

    def _segment(self, number: int) -> Segment:
        start, end = self.segment_starts[number], self._segment_end(number)
        return Segment(start, end, self.segment_names[number], self.segment_rows[number], self)

    def original(self, segment: Segment) -> tuple[str, list[tokens.Token], int]:
        """The text that a segment was read from, its tokens, and the place of the first."""
        key = ("original", segment.row, segment.name)
        if key not in self.cache:
            column = self.titles if segment.name == "title" else self.texts
            text = column[segment.row] if column is not None else ""
            whole = next(s for s in self.segments(segment.row) if s.name == segment.name)
            self.cache[key] = (text, tokens.located(text), whole.start)
        found: tuple[str, list[tokens.Token], int] = self.cache[key]
        return found

    def sentences(self, segment: Segment) -> list[Segment]:
        """The sentences of a segment that have words."""
        key = ("sentences", segment.row, segment.name)
        if key not in self.cache:
            text, located, first = self.original(segment)
            self.cache[key] = [
                Segment(first + start, first + end, segment.name, segment.row, self)
                for start, end in tokens.sentence_spans(text, located)
            ]
        found: list[Segment] = self.cache[key]
        return found

    # columns -------------------------------------------------------------------------------------------------------

    def column(self, path: str) -> list[Any] | None:
        """The values of a column or of a field of a struct column (`author.name`); None where the batch lacks it."""
        if path not in self._lists:
            self._lists[path] = self._read(path)
        return self._lists[path]

    def _read(self, path: str) -> list[Any] | None:
        array = self.array(path)
        return None if array is None else array.to_pylist()

    def array(self, path: str) -> pa.Array | pa.ChunkedArray | None:
        """The Arrow column, or field of a struct column, at a path; None where the batch lacks it."""
        name, _, below = path.partition(".")
        if name not in self.posts.schema.names:
            return None
        array = self.posts.column(name)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if not below:
            return array
        if not pa.types.is_struct(array.type) or array.type.get_field_index(below) < 0:
            return None
        return pc.struct_field(array, below)

    def strings(self, path: str) -> dict[str, int]:
        """Distinct strings of a column (also of a list column), and the rows that hold them."""
        key = ("strings", path)
        if key not in self.cache:
            self.cache[key] = _rows_by_value(self.lists(path))
        found: dict[str, int] = self.cache[key]
        return found

    def lists(self, path: str) -> list[list[str]]:
        """What each row holds in a column; what channels leave out is read from the text where it stands there."""
        key = ("lists", path)
        if key not in self.cache:
            self.cache[key] = self._values(path)
        found: list[list[str]] = self.cache[key]
        return found

    def _values(self, path: str) -> list[list[str]]:
        column = self.column(path)
        if path == "links":
            given = [_strings(value) for value in column] if column is not None else [[] for _ in range(self.size)]
            return [[*values, *tokens.links_in(self.written(row))] for row, values in enumerate(given)]
        if path in ("hashtags", "mentions"):
            read = tokens.hashtags_in if path == "hashtags" else tokens.mentions_in
            values = column if column is not None else [None] * self.size
            return [read(self.written(row)) if value is None else _strings(value) for row, value in enumerate(values)]
        return [_strings(value) for value in column] if column is not None else [[] for _ in range(self.size)]

    def written(self, row: int) -> str:
        """Title and text of a row."""
        title = self.titles[row] if self.titles is not None else None
        text = self.texts[row] if self.texts is not None else None
        return f"{title}\n{text or ''}" if title else text or ""

    def known(self, path: str) -> int:
        """Rows in which a column says something; an empty list says that there is none."""
        key = ("known", path)
        if key not in self.cache:
            column = self.column(path)
            if path in ("links", "hashtags", "mentions"):
                self.cache[key] = self.all
            elif column is None:
                self.cache[key] = 0
            else:
                self.cache[key] = bits_from(np.array([value is not None for value in column], dtype=np.bool_))
        found: int = self.cache[key]
        return found

    def spelled(self, path: str, shape: Callable[[str], Iterable[str]]) -> dict[str, int]:
        """Rows by the spellings of a column's values, folded; `shape` gives the spellings of one value."""
        key = ("spelled", path, shape)
        if key not in self.cache:
            found: dict[str, int] = {}
            for value, rows in self.strings(path).items():
                for spelling in shape(value):
                    found[spelling] = found.get(spelling, 0) | rows
            self.cache[key] = found
        spelled: dict[str, int] = self.cache[key]
        return spelled

    def words(self, path: str) -> WordIndex:
        """The words of a short column."""
        key = ("words", path)
        if key not in self.cache:
            self.cache[key] = _word_index(self.strings(path))
        found: WordIndex = self.cache[key]
        return found

    def numbers_at(self, path: str) -> tuple["np.ndarray[Any, np.dtype[np.float64]]", int] | None:
        """A numeric column as floats (NaN where null) with the rows that are known; None where the batch lacks it."""
        key = ("numbers", path)
        if key not in self.cache:
            column = self.column(path)
            if column is None:
                self.cache[key] = None
            else:
                values = np.array([np.nan if value is None else float(value) for value in column], dtype=np.float64)
                self.cache[key] = (values, bits_from(~np.isnan(values)))
        found: tuple[np.ndarray[Any, np.dtype[np.float64]], int] | None = self.cache[key]
        return found

    def times(self) -> tuple["np.ndarray[Any, np.dtype[np.int64]]", int]:
        """`published_at` in microseconds since 1970 (0 where null), and the rows that have it."""
        if "times" not in self.cache:
            column = self.column("published_at") or [None] * self.size
            micros = np.array([_micros(value) for value in column], dtype=np.int64)
            self.cache["times"] = (micros, bits_from(np.array([value is not None for value in column], dtype=np.bool_)))
        found: tuple[np.ndarray[Any, np.dtype[np.int64]], int] = self.cache["times"]
        return found

    def languages(self) -> dict[str, int]:
        """Rows by language code: the declared one, else the detected one unless that is undecided."""
        if "languages" not in self.cache:
            declared, detected = self.column("language"), self.column("detected_language")
            found: dict[str, int] = {}
            for row in range(self.size):
                tag = declared[row] if declared is not None else None
                if not tag:
                    tag = detected[row] if detected is not None else None
                    tag = None if tag == UNDECIDED else tag
                if tag:
                    code = primary_code(tag)
                    found[code] = found.get(code, 0) | 1 << row
            self.cache["languages"] = found
        languages: dict[str, int] = self.cache["languages"]
        return languages


def batches(posts: pa.RecordBatch | pa.Table) -> Iterator[tuple[int, pa.RecordBatch | pa.Table]]:
    """Posts in parts that are best looked at together, each with the place of its first row."""
    written = sum(posts.column(name).nbytes for name in ("title", "text") if name in posts.schema.names)
    each = max(min(ROWS, CHARACTERS * posts.num_rows // max(written, 1)), ROWS // 16)
    for start in range(0, posts.num_rows, each):
        yield start, posts.slice(start, each)


def bits_from(flags: "np.ndarray[Any, np.dtype[np.bool_]]") -> int:
    """Rows from a boolean array."""
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def rows_in(bits: int) -> list[int]:
    """The rows of a set, in order."""
    if bits.bit_count() > 3:
        packed = np.frombuffer(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), dtype=np.uint8)
        listed: list[int] = np.flatnonzero(np.unpackbits(packed, bitorder="little")).tolist()
        return listed
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return found


def _powers(size: int) -> list[int]:
    """1 << row for each row of a batch of that size and more; made once, and never changed, as threads share it."""
    return _powers_of(-(-size // ROWS))


@cache
def _powers_of(batches_long: int) -> list[int]:
    return [1 << row for row in range(batches_long * ROWS)]


def _joined(written: Sequence[str]) -> str:
    joined = "\x00".join(written)
    if joined.count("\x00") >= len(written):
        joined = "\x00".join(text.replace("\x00", " ") for text in written)
    return joined


def _strings(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    return [
        item if isinstance(item, str) else str(item.get("type", "")) if isinstance(item, dict) else str(item)
        for item in value
    ]


def _rows_by_value(lists: list[list[str]]) -> dict[str, int]:
    found: dict[str, list[int]] = {}
    for row, values in enumerate(lists):
        for value in values:
            found.setdefault(value, []).append(row)
    return {value: _bits(rows) for value, rows in found.items()}


def _bits(rows: list[int]) -> int:
    found = 0
    for row in rows:
        found |= 1 << row
    return found


def _word_index(strings: dict[str, int]) -> WordIndex:
    rows, values, spelled, having = [], [], [], dict[str, list[int]]()
    for number, (value, bits) in enumerate(strings.items()):
        read = [tokens.spellings(token) for token in tokens.tokenise(value)]
        rows.append(bits)
        values.append(value)
        spelled.append(read)
        for spelling in {spelling for spellings in read for spelling in spellings}:
            having.setdefault(spelling, []).append(number)
    return WordIndex(rows, values, spelled, having)


def _micros(value: Any) -> int:
    if not isinstance(value, datetime):
        return 0
    return int(np.datetime64(value.replace(tzinfo=None), "us").astype(np.int64))
