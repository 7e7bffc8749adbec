"""Filters over files and streams of posts: what matches, what analysis says, and why. They need no workspace."""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from talkworthy.listening.streams import Onward, opened, spooled, whole
from talkworthy.query import CompiledQuery, Matcher, Query, check, compile_query, explain, parse
from talkworthy.query.check import printed
from talkworthy.query.match import Similarity
from talkworthy.query.tree import Similar, walk
from talkworthy.schema import ANNOTATIONS, POST
from talkworthy.schema.column import column
from talkworthy.schema.formats import (
    Wrong,
    post_to_json,
    read_jsonl_lines,
    read_parquet_pairs,
    with_columns,
)

Dialect = Literal["strict", "lenient"]
Warn = Callable[[str], None]

WARNED = 100
"""Lines that are named when they cannot be read; the summary counts all."""
FILLED = ("links", "hashtags", "mentions")
"""Columns of the post that the analysis fills where they are null."""
MONITORS = column("monitors", pa.list_(pa.string()), "names of the monitors that match, in the order of their file")
MORE = column("more", pa.string(), "keys of the line that no post has, as JSON", null="there were none")
_ADDED = tuple(each for each in ANNOTATIONS if each.name != "folded")


class BadMonitors(ValueError):
    """A file of monitors that cannot be used; the message names each monitor that is wrong."""


# monitors


def monitors_of(path: Path, *, dialect: Dialect, now: datetime, warn: Warn) -> dict[str, CompiledQuery]:
    """The queries of a YAML file, name → query, by name and in their order; BadMonitors says what is wrong."""
    compiled: dict[str, CompiledQuery] = {}
    wrong: list[str] = []
    for name, text in _written_monitors(path).items():
        found = check(text, dialect=dialect, stage="monitor")
        for problem in found.warnings:
            warn(f"monitor {name}: {printed(text, problem)}")
        if found.tree is None:
            wrong += [f"monitor {name}: {printed(text, problem)}" for problem in found.errors]
            continue
        compiled[name] = compile_query(found.tree, now=now, similarity=_meaning_for(found.tree))
    if wrong:
        raise BadMonitors("\n".join([f"{path}:", *wrong]))
    return compiled


def _written_monitors(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except UnicodeDecodeError as error:
        raise BadMonitors(f"{path} is not UTF-8.") from error
    except yaml.YAMLError as error:
        raise BadMonitors(
            f"{path} is not YAML: {error}\nA query that begins with a quote, or holds a colon and a blank, stands on "
            'a line of its own:\nname: |\n  "new coffee" AND NOT tea'
        ) from error
    if not isinstance(root, yaml.MappingNode) or not root.value:
        raise BadMonitors(f"{path} should hold monitors, one a line, as name: query.")
    monitors: dict[str, str] = {}
    for key, value in root.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
        line = key.start_mark.line + 1
        if name in monitors:
            raise BadMonitors(f"{path}, line {line}: monitor {name} is there twice.")
        if not isinstance(value, yaml.ScalarNode):
            raise BadMonitors(f"{path}, line {line}: the query of monitor {name} should be text.")
        _refuse_cut(path, name, value, text)
        monitors[name] = value.value
    return monitors


def _refuse_cut(path: Path, name: str, value: Any, text: str) -> None:
    """YAML takes ` #tag` for a comment and drops it, and the monitor would silently find something else."""
    if value.style is not None:
        return
    rest = re.match(r"[ \t]+(#\w[^\n]*)", text[value.end_mark.index :])
    if rest:
        raise BadMonitors(
            f"{path}, line {value.end_mark.line + 1}: in monitor {name}, YAML takes {rest[1]!r} for a comment. "
            f"Put the query on a line of its own:\n{name}: |\n  {value.value} {rest[1]}".rstrip()
        )


# filters


@dataclass(frozen=True)
class Piece:
    """Some posts beside what they came as: lines of JSON, or rows with all their columns."""

    posts: pa.RecordBatch
    lines: Sequence[bytes] = ()
    rows: pa.RecordBatch | None = None

    def taken(self, kept: pa.Array) -> "Piece":
        """Those posts only; `kept` are their places."""
        lines = [self.lines[place] for place in kept.to_pylist()] if self.lines else ()
        return Piece(self.posts.take(kept), lines, None if self.rows is None else self.rows.take(kept))


def match_posts(
    monitors: Path,
    source: Path | BinaryIO,
    target: Path | BinaryIO,
    *,
    matched: bool,
    dialect: Dialect,
    now: datetime,
    warn: Warn,
) -> None:
    """Write each post of the source again with `monitors`, the names of those that match; `matched` drops the rest.

    Lines keep all their keys. What analysis said of a post is looked at where the line tells it.
    """
    queries = monitors_of(monitors, dialect=dialect, now=now, warn=warn)
    matcher = Matcher(queries)
    told = sorted({name for query in queries.values() for name in query.columns} & set(ANNOTATIONS.names))
    with _through(source, target, (MONITORS,), warn) as (pieces, write):
        for piece in pieces:
            names = list(matcher.match(_annotated(piece, told)).by_row())
            if matched:
                kept = [row for row, found in enumerate(names) if found]
                piece, names = piece.taken(pa.array(kept, pa.int64())), [names[row] for row in kept]
            write(piece, {"monitors": pa.array(names, MONITORS.type)})


def analyse_posts(source: Path | BinaryIO, target: Path | BinaryIO, *, tier: str, warn: Warn) -> None:
    """Write each post of the source again with what analysis says of it.

    `links`, `hashtags` and `mentions` are added where the channel did not tell them. The first of near copies has
    no `near_hash` where the others come much later.
    """
    from talkworthy.analysis import NearDuplicates, Pipeline, default_pipeline
    from talkworthy.analysis.duplicates import Duplicates

    ready = default_pipeline(tier).analysers
    window = Duplicates(NearDuplicates())
    pipeline = Pipeline([window if isinstance(each, Duplicates) else each for each in ready], name=tier)
    added = (*(POST.field(name) for name in FILLED), *_ADDED)
    with _through(source, target, added, warn) as (pieces, write):
        for piece in pieces:
            said = pipeline.run(piece.posts)
            write(piece, {each.name: said.column(each.name) for each in added})


def explained(
    text: str,
    source: Path | BinaryIO,
    *,
    dialect: Dialect,
    as_json: bool,
    now: datetime,
    warn: Warn,
) -> Iterator[str]:
    """For each post of the source what the query found in it, as lines for a person or one JSON object."""
    parsed = parse(text, dialect=dialect, stage="search")
    query = compile_query(parsed, now=now, similarity=_meaning_for(parsed))
    told = sorted(query.columns & set(ANNOTATIONS.names))
    faults = _Faults(warn)
    with opened(source) as (stream, head), ExitStack() as stack:
        for piece in _pieces(stream, head, source, faults, stack):
            for post in _annotated(piece, told).to_pylist():
                found = explain(query, post, now=now)
                if as_json:
                    yield json.dumps({"uid": post["uid"], **found.as_json()}, ensure_ascii=False)
                    continue
                yield f"{post['uid']}: {'matches' if found.matches else 'does not match'}"
                yield from (f"  {line}" for line in str(found).splitlines())
                yield from (f"  because of: {branch.text}" for branch in found.failed)
    faults.sum_up()


class _Write(Protocol):
    def __call__(self, piece: Piece, columns: Mapping[str, pa.Array], /) -> None: ...


@dataclass
class _Faults:
    """Counts what could not be read, and names the first of it."""

    warn: Warn
    wrong: int = 0
    read: int = 0

    def __call__(self, found: Wrong) -> None:
        self.wrong += 1
        if self.wrong <= WARNED:
            self.warn(f"line {found.line}: {found.reason}")

    def sum_up(self) -> None:
        """Say at the end how much was left out."""
        if self.wrong:
            none = "" if self.read else " Is it JSON Lines: one object with uid, text and published_at a line?"
            self.warn(f"{self.wrong} of {self.wrong + self.read} lines could not be read and were left out.{none}")


@contextmanager
def _through(
    source: Path | BinaryIO, target: Path | BinaryIO, added: Sequence[pa.Field], warn: Warn
) -> Iterator[tuple[Iterator[Piece], _Write]]:
    """What comes in, and what writes it again with columns added."""
    faults = _Faults(warn)
    with ExitStack() as stack:
        stream, head = stack.enter_context(opened(source))
        as_parquet = _is_parquet(target, head)
        onto = stack.enter_context(whole(target)) if isinstance(target, Path) else target
        writer = _ParquetRows(onto, added) if as_parquet else _Lines(onto, added)
        yield _pieces(stream, head, source, faults, stack), writer.write
        writer.end()
        faults.sum_up()


def _is_parquet(target: Path | BinaryIO, head: bytes) -> bool:
    """A file's name says what is written; a stream goes on as what came in, but a terminal gets lines."""
    if isinstance(target, Path):
        return target.name.lower().endswith(".parquet")
    return head == b"PAR1" and not target.isatty()


def _pieces(
    stream: IO[bytes], head: bytes, source: Path | BinaryIO, faults: _Faults, stack: ExitStack
) -> Iterator[Piece]:
    name = source.name.lower().removesuffix(".gz") if isinstance(source, Path) else ""
    if name.endswith((".csv", ".tsv")):
        raise ValueError(f"{name} is CSV; this reads JSON Lines and Parquet. `talkworthy import` reads CSV.")
    if head == b"PAR1":
        file = stream if isinstance(stream, io.BufferedReader) else stack.enter_context(spooled(stream))
        for rows, posts in read_parquet_pairs(file, wrong=faults):
            faults.read += posts.num_rows
            if posts.num_rows:
                yield Piece(posts, rows=rows)
        return
    for lines, posts in read_jsonl_lines(stream, wrong=faults):
        faults.read += len(lines)
        yield Piece(posts, lines=lines)


def _annotated(piece: Piece, names: Sequence[str]) -> pa.RecordBatch:
    """The posts with annotations that their lines or rows hold; null where one does not fit its column."""
    posts = piece.posts
    if not names:
        return posts
    given = [json.loads(line) for line in piece.lines] if piece.rows is None else []
    for name in names:
        kind = ANNOTATIONS.field(name).type
        posts = posts.append_column(name, _given(piece.rows, given, name, kind))
    return posts


def _given(rows: pa.RecordBatch | None, lines: Sequence[Mapping[str, Any]], name: str, kind: pa.DataType) -> pa.Array:
    if rows is not None:
        return rows.column(name).cast(kind) if name in rows.schema.names else pa.nulls(rows.num_rows, kind)
    wanted = str if pa.types.is_string(kind) else (int, float)
    values = [line.get(name) for line in lines]
    return pa.array([value if isinstance(value, wanted) else None for value in values], kind, safe=False)


# writing


@dataclass
class _Lines:
    """Lines of JSON, each batch handed on at once."""

    stream: IO[bytes]
    added: Sequence[pa.Field]

    def write(self, piece: Piece, columns: Mapping[str, pa.Array]) -> None:
        """The lines as they came, with the columns at their end."""
        if not piece.posts.num_rows:
            return
        names = list(columns)
        kept = {name: piece.posts.column(name).is_valid().to_pylist() for name in names if name in FILLED}
        values = zip(*(_values(columns[name]) for name in names), strict=True)
        lines = piece.lines or [
            json.dumps(post_to_json(row), ensure_ascii=False, default=str).encode() for row in _rows(piece)
        ]
        if names == [MONITORS.name]:
            out = [_with_monitors(line, tuple(found)) for line, (found,) in zip(lines, values, strict=True)]
        else:
            out = [
                with_columns(line, _told(names, row, kept, at))
                for at, (line, row) in enumerate(zip(lines, values, strict=True))
            ]
        self.stream.write(b"\n".join([*out, b""]))
        self.stream.flush()

    def end(self) -> None:
        """Nothing is held back."""


def _told(names: Sequence[str], row: Sequence[Any], kept: Mapping[str, Sequence[bool]], at: int) -> dict[str, Any]:
    """What is added to one line: not what is null, and not what the channel told."""
    return {
        name: value
        for name, value in zip(names, row, strict=True)
        if value is not None and not (name in kept and kept[name][at])
    }


def _with_monitors(line: bytes, names: tuple[str, ...]) -> bytes:
    """As `with_columns`, for a value that is nearly always one of a few."""
    body = line.rstrip()
    if b'"monitors"' in line or len(body) < 3:
        return with_columns(line, {MONITORS.name: names})
    return body[:-1] + _written(names)


@lru_cache(maxsize=4_096)
def _written(names: tuple[str, ...]) -> bytes:
    return (", " + json.dumps({MONITORS.name: names}, ensure_ascii=False)[1:]).encode()


def _rows(piece: Piece) -> list[dict[str, Any]]:
    return piece.rows.to_pylist() if piece.rows is not None else []


def _values(values: pa.Array) -> list[Any]:
    """Plain values; probabilities with the four digits that they are good for."""
    if pa.types.is_floating(values.type):
        return [None if value is None else round(value, 4) for value in values.to_pylist()]
    return list(values.to_pylist())


@dataclass
class _ParquetRows:
    """One Parquet file; its columns are those of the first rows."""

    stream: IO[bytes]
    added: Sequence[pa.Field]
    _writer: list[pq.ParquetWriter] = field(default_factory=list)

    def write(self, piece: Piece, columns: Mapping[str, pa.Array]) -> None:
        """The rows with all their columns, or the posts of the lines, with the columns at their end."""
        rows = piece.posts.append_column(MORE, _more(piece.lines)) if piece.rows is None else piece.rows
        for each in self.added:
            place = rows.schema.get_field_index(each.name)
            if place < 0:
                rows = rows.append_column(each, columns[each.name])
            else:
                rows = rows.set_column(place, each, columns[each.name])
        if not self._writer:
            self._writer.append(pq.ParquetWriter(Onward(self.stream), rows.schema, compression="zstd"))
        if rows.num_rows:
            self._writer[0].write_batch(rows)

    def end(self) -> None:
        """Write what makes it a Parquet file."""
        if not self._writer:
            names = {each.name for each in self.added}
            schema = pa.schema([*(each for each in [*POST, MORE] if each.name not in names), *self.added])
            self._writer.append(pq.ParquetWriter(Onward(self.stream), schema, compression="zstd"))
        self._writer[0].close()
        self.stream.flush()


def _more(lines: Iterable[bytes]) -> pa.Array:
    known = set(POST.names)
    found = []
    for line in lines:
        other = {name: value for name, value in json.loads(line).items() if name not in known}
        found.append(json.dumps(other, ensure_ascii=False) if other else None)
    return pa.array(found, pa.string())


def _meaning_for(query: Query) -> Similarity | None:
    """What knows meanings, for a query that asks for one: loading it costs what a plain filter need not pay."""
    if not any(isinstance(node, Similar) for node in walk(query.root)):
        return None
    from talkworthy.analysis.meaning import MEANING

    return MEANING
