"""Files of posts that are brought in or taken out: JSON Lines, Parquet, ActivityStreams 2.0, CSV; also in gzip."""

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from talkworthy.archive import unfit
from talkworthy.connectors.markup import clean, cleaned, plain
from talkworthy.listening.streams import PACKED, PIECE, Onward, opened, spooled, whole
from talkworthy.schema import ANNOTATIONS, POST
from talkworthy.schema.formats import (
    ENDINGS,
    FORMATS,
    Wrong,
    format_by_name,
    from_activitystreams,
    owned,
    post_from_json,
    read_csv,
    read_jsonl,
    read_parquet,
    suggest_mapping,
    to_activitystreams,
    write_csv,
    write_jsonl,
)
from talkworthy.schema.formats import Mapping as CsvMapping
from talkworthy.schema.formats.csv import TARGETS, head_of, sniff_delimiter

ROWS = 4_000
"""Posts of one chunk of an import."""
DESCRIBED = 1_000
"""Faults that are described each; further ones are only counted."""
LOOKED_AT = 4_000_000
"""Bytes of a file of rows from which its columns, delimiter and order of days are read."""
WHOLE = 64_000_000
"""Largest ActivityStreams document that is read at once; of a larger one the list of items is read in pieces."""
MAX_ITEM = 8 << 20
_MORE = "…and more like these"
_CHANNEL = "files"
_SAID = tuple(field for field in ANNOTATIONS if field.name not in ("text_hash", "near_hash", "folded"))
EXPORTED = pa.schema([*POST, *_SAID])
"""Columns of an export: the post, and what the analysis said of it."""
_CSV_COLUMNS = (*TARGETS, *(field.name for field in _SAID))


def format_of(name: str) -> str:
    """The format that a file's name tells; ValueError where it tells none."""
    if kind := format_by_name(name):
        return kind
    raise ValueError(
        f"The name {name} does not tell the format: rename the file to end with {', '.join(ENDINGS)} "
        f"(.gz may follow), or say --format {'|'.join(FORMATS)}."
    )


def pairs_of(mapping: Sequence[str]) -> dict[str, str]:
    """FIELD=COLUMN, each a pair; FIELD==VALUE makes the pair FIELD, =VALUE. ValueError for anything else."""
    pairs: dict[str, str] = {}
    for given in mapping:
        target, equals, column = (part.strip() for part in given.partition("="))
        if not (equals and target and column):
            raise ValueError(f"Not FIELD=COLUMN: {given!r}. Write it like --map text=body.")
        if target not in TARGETS:
            raise ValueError(f"No post has {target!r}. It may be: {', '.join(TARGETS)}.")
        if target in pairs:
            raise ValueError(f"{target} is given twice: {pairs[target]!r} and {column!r}.")
        pairs[target] = column
    return pairs


# reading


def bare_id(path: Path, format: str, *, mapping: Mapping[str, str]) -> str | None:
    """An id of the file that is unique within it alone, such as 17; None where ids say where they come from.

    It looks at the first posts. Rows without an id of their own have a hash of what stands in them, which is no
    such id. ValueError as with `import_batches`.
    """
    said = _said(mapping)
    if said.origin or (format == "csv" and not {"uid", "native_id"} & _columns_of_csv(path, said)):
        return None
    first = next(import_batches(path, format, mapping=mapping, faults=[]), None)
    beginning = f"{said.channel}::"
    uids: list[str] = first["uid"].to_pylist() if first is not None else []
    return next((uid.removeprefix(beginning) for uid in uids if uid.startswith(beginning)), None)


def _columns_of_csv(path: Path, said: "_Said") -> set[str]:
    return set(_csv_mapping(path, said).columns)


def import_batches(path: Path, format: str, *, mapping: Mapping[str, str], faults: list[str]) -> Iterator[pa.Table]:
    """The posts of a file in tables of schema POST, at most `ROWS` each; the same chunks at every reading.

    `mapping` is from a column of the post to a header of the CSV file, or to `=value` for a value that every post
    has that tells none (in the other formats for `channel` and `origin` only); an empty one is guessed. A post
    whose uid does not begin with its channel gets one that does. HTML is made safe. What cannot be read, or could
    not be stored, is left out, with a line in `faults`: after `DESCRIBED` of them always the same line. ValueError
    where the file is no such file, or broken off: the posts before that place have been yielded.
    """
    said = _said(mapping)
    if format != "csv" and (said.columns or set(said.constants) - {"channel", "origin"}):
        raise ValueError("Only the columns of CSV are mapped; elsewhere say no more than channel==… and origin==….")

    def wrong(line: str) -> None:
        faults.append(line if len(faults) < DESCRIBED else _MORE)

    try:
        for table in _chunks(_read(path, format, said, wrong)):
            fit = _fit(table, wrong)
            if fit.num_rows:
                yield fit
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path.name} is broken off or damaged, bring it again: {error}") from error


@dataclass(frozen=True)
class _Said:
    """A mapping, taken apart."""

    columns: Mapping[str, str]
    constants: Mapping[str, str]

    @property
    def channel(self) -> str:
        return self.constants.get("channel", _CHANNEL).replace(":", "_")

    @property
    def origin(self) -> str:
        return self.constants.get("origin", "")


def _said(mapping: Mapping[str, str]) -> _Said:
    constants = {target: value[1:].strip() for target, value in mapping.items() if value.startswith("=")}
    return _Said({target: name for target, name in mapping.items() if target not in constants}, constants)


_Fault = Callable[[str], None]


def _read(path: Path, format: str, said: _Said, wrong: _Fault) -> Iterator[pa.RecordBatch]:
    def unread(found: Wrong) -> None:
        wrong(f"line {found.line}: {found.reason}")

    if format == "jsonl":
        with _opened(path) as stream:
            yield from _own(read_jsonl(stream, wrong=unread), said)
    elif format == "parquet":
        with _seekable(path) as file:
            yield from _own(read_parquet(file, wrong=unread), said)
    elif format == "csv":
        read_as = _csv_mapping(path, said)
        with _opened(path) as stream:
            yield from _own(read_csv(stream, read_as, wrong=unread), said)
    elif format == "activitystreams":
        yield from _own(_documents(path, wrong), said)
    else:
        raise ValueError(f"No format is called {format!r}; there are {', '.join(FORMATS)}.")


def _own(batches: Iterable[pa.RecordBatch], said: _Said) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield cleaned(owned(batch, channel=said.channel, origin=said.origin))


def _chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        at = 0
        while at < batch.num_rows:
            part = batch.slice(at, ROWS - rows)
            held.append(part)
            at, rows = at + part.num_rows, rows + part.num_rows
            if rows == ROWS:
                yield pa.Table.from_batches(held, schema=POST).combine_chunks()
                held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held, schema=POST).combine_chunks()


def _fit(posts: pa.Table, wrong: _Fault) -> pa.Table:
    bad = {row.row: row.reason for row in unfit(posts)}
    if not bad:
        return posts
    for row, reason in bad.items():
        wrong(f"{posts['uid'][row].as_py()}: {reason}")
    return posts.take(pa.array([row for row in range(posts.num_rows) if row not in bad], pa.int64()))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked if they are packed, whatever its name says."""
    with opened(path) as (stream, _):
        yield stream


@contextmanager
def _seekable(path: Path) -> Iterator[Path | IO[bytes]]:
    """The file as Parquet needs it, which begins to read at the end."""
    with path.open("rb") as raw:
        packed = raw.read(2) == PACKED
    if not packed:
        yield path
        return
    with opened(path) as (stream, _), spooled(stream) as file:
        yield file


# rows, read


def _csv_mapping(path: Path, said: _Said) -> CsvMapping:
    with _opened(path) as stream:
        encoding = _encoding(stream)
    with _opened(path) as stream:
        head = stream.read(LOOKED_AT)
    text = head.decode(encoding, "replace")
    bare = path.name.lower().removesuffix(".gz")
    delimiter = "\t" if bare.endswith(".tsv") else sniff_delimiter(text)
    rows = head_of(io.BytesIO(head), encoding=encoding, delimiter=delimiter, rows=20_000)
    header = [name.strip() for name in rows[0]] if rows else []
    columns = dict(said.columns) or _guessed(header, rows[1:], said)
    for name in columns.values():
        if name not in header:
            raise ValueError(f"The file has no column {name!r}; it has: {', '.join(header)}.")
    _want(columns, said, header)
    return CsvMapping(
        columns=columns,
        channel=said.channel,
        origin=said.origin,
        delimiter=delimiter,
        encoding=encoding,
        day_first=_day_first(header, rows[1:], columns),
        constants=dict(said.constants),
    )


def _guessed(header: Sequence[str], sample: Sequence[Sequence[str]], said: _Said) -> dict[str, str]:
    guess = suggest_mapping(header, sample).columns
    return {target: name for target, name in guess.items() if target not in said.constants}


def _want(columns: Mapping[str, str], said: _Said, header: Sequence[str]) -> None:
    """Words and a time must come from somewhere: a time of our own making would differ at the next import."""
    for target, example in (("text", "body"), ("published_at", "date")):
        told = {*columns, *said.constants}
        if target not in told and (target != "text" or "title" not in told):
            also = ", or --map published_at==2026-01-31 for all" if target == "published_at" else ""
            raise ValueError(
                f"Which column holds {target}? Say it, like --map {target}={example}{also}. "
                f"The file has: {', '.join(header) or 'no header'}."
            )


def _day_first(header: Sequence[str], sample: Sequence[Sequence[str]], columns: Mapping[str, str]) -> bool | None:
    """Whether 3/4/2025 is the third of April, by the days above 12 in the column of times."""
    if "published_at" not in columns:
        return None
    place = header.index(columns["published_at"])
    times = [[row[place]] for row in sample if place < len(row)]
    return suggest_mapping(["published_at"], times).day_first


def _encoding(stream: IO[bytes]) -> str:
    """The encoding of a text: by its first bytes, or UTF-8 unless most of what is not ASCII is no UTF-8."""
    first = stream.read(PIECE)
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if first.startswith(mark):
            return name
    if first[1:200:2].count(0) > len(first[1:200:2]) * 0.8:
        return "utf-16-le"
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    broken = well = 0
    piece = first
    while piece:
        if not piece.isascii():
            text = decoder.decode(piece)
            lost = text.count("\ufffd")
            broken += lost
            well += len(text) - len(text.encode("ascii", "ignore")) - lost
        piece = stream.read(PIECE)
    return "utf-8" if broken <= well else "cp1252"


# documents, read


def _documents(path: Path, wrong: _Fault) -> Iterator[pa.RecordBatch]:
    """Posts of an ActivityStreams document, or of a JSON list of posts of our own schema."""
    seen_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    with _opened(path) as stream:
        head = stream.read(WHOLE + 1)
        pieces = _items_of(head) if len(head) <= WHOLE else _streamed(head, stream)
        del head
        rows: list[dict[str, Any]] = []
        for piece in pieces:
            rows += _posts_of(piece, seen_at, wrong)
            if len(rows) >= ROWS:
                yield pa.RecordBatch.from_pylist(rows, schema=POST)
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=POST)


def _items_of(body: bytes) -> Iterator[object]:
    try:
        document = json.loads(body.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {str(error)[:200]}. Posts one a line are JSON Lines: --format jsonl.") from error
    items = document.get("orderedItems") if isinstance(document, dict) else document
    yield from items if isinstance(items, list) else (document,)


_LIST = re.compile(r'^\s*\[|"(?:orderedItems|items)"\s*:\s*\[')


def _streamed(head: bytes, stream: IO[bytes]) -> Iterator[object]:
    """The items of the first list of a document too large to be read at once."""
    decoder, characters = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")("replace")
    text = characters.decode(head.removeprefix(codecs.BOM_UTF8))
    del head
    found = _LIST.search(text[:PIECE])
    if found is None:
        raise ValueError(f"A document of more than {WHOLE} bytes must be a list or a collection with orderedItems.")
    at = found.end()
    while True:
        at = _after(text, at, " \t\r\n,")
        try:
            if text[at : at + 1] == "]":
                return
            item, at = decoder.raw_decode(text, at)
        except RecursionError:
            raise ValueError("not JSON: nested too deeply") from None
        except ValueError:
            more = stream.read(PIECE)
            if not more or len(text) - at > MAX_ITEM:
                raise ValueError(f"not JSON from here on: {text[at : at + 60]!r}") from None
            text, at = text[at:] + characters.decode(more), 0
            continue
        yield item
        if at > MAX_ITEM:
            text, at = text[at:], 0


def _after(text: str, at: int, passed: str) -> int:
    while at < len(text) and text[at] in passed:
        at += 1
    return at


def _posts_of(piece: object, seen_at: datetime, wrong: _Fault) -> list[dict[str, Any]]:
    if isinstance(piece, dict) and "uid" in piece:
        try:
            return [post_from_json(piece)]
        except ValueError as error:
            wrong(f"{str(piece['uid'])[:80]}: {error}")
            return []
    found = from_activitystreams(piece, seen_at=seen_at, plain=plain, clean=clean)
    for reason, aside in found.aside:
        name = aside.get("id") if isinstance(aside, dict) else aside
        wrong(f"{str(name)[:80]}: {reason}")
    for gone in found.tombstones:
        wrong(f"{gone['uid'] or gone['author_id']}: a deletion; an import removes nothing, `talkworthy erase` does")
    return [post for post in found.posts if _is_timed(post, seen_at, wrong)]


def _is_timed(post: Mapping[str, Any], seen_at: datetime, wrong: _Fault) -> bool:
    """A time of our own making would differ at the next import, and the post would come twice."""
    if post["published_at"] != seen_at:
        return True
    wrong(f"{post['uid']}: it tells no time of publication")
    return False


# writing


def export_file(
    batches: Iterable[pa.RecordBatch], target: Path | BinaryIO, format: str, *, told: Callable[[int], None]
) -> int:
    """Write posts with what the analysis said of them; the number written.

    `told` hears that number after each batch. A file is there whole or not at all; one named .gz is packed.
    """
    writer = _WRITERS.get(format)
    if writer is None:
        raise ValueError(f"No format is called {format!r}; there are {', '.join(_WRITERS)}.")
    counted = _counted(batches, told)
    if not isinstance(target, Path):
        return writer(counted, target)
    with whole(target) as stream:
        if not target.name.lower().endswith(".gz"):
            return writer(counted, stream)
        with gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=6, mtime=0) as packed:
            return writer(counted, cast("IO[bytes]", packed))


def _counted(batches: Iterable[pa.RecordBatch], told: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    count = 0
    for batch in batches:
        if batch.num_rows:
            yield _exported(batch)
            count += batch.num_rows
            told(count)


def _exported(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Exactly the columns of `EXPORTED`, without the nulls that engines allow everywhere."""
    held = set(batch.schema.names)
    arrays = [
        batch.column(field.name).cast(field.type) if field.name in held else pa.nulls(batch.num_rows, field.type)
        for field in EXPORTED
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=EXPORTED)


def _write_jsonl(batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> int:
    return write_jsonl(map(_rounded, batches), stream)


def _write_csv(batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> int:
    return write_csv(map(_rounded, batches), stream, columns=_CSV_COLUMNS)


def _rounded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The probabilities with the four digits that they are good for, as text would show seventeen."""
    for place, field in enumerate(batch.schema):
        if field.type == pa.float32():
            digits = pc.round(batch.column(place).cast(pa.float64()), 4)
            batch = batch.set_column(place, pa.field(field.name, pa.float64()), digits)
    return batch


def _write_parquet(batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> int:
    count = 0
    with pq.ParquetWriter(Onward(stream), EXPORTED, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _write_collection(batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> int:
    """An OrderedCollection, written as it comes: one item a line, their number at the end."""
    context = "https://www.w3.org/ns/activitystreams"
    stream.write(f'{{"@context": "{context}", "type": "OrderedCollection", "orderedItems": ['.encode())
    count = 0
    for batch in batches:
        for post in batch.to_pylist():
            item = {name: value for name, value in to_activitystreams(post).items() if name != "@context"}
            stream.write((",\n" if count else "\n").encode() + json.dumps(item, ensure_ascii=False).encode())
            count += 1
    stream.write(f'\n], "totalItems": {count}}}\n'.encode())
    return count


_WRITERS: dict[str, Callable[[Iterable[pa.RecordBatch], IO[bytes]], int]] = {
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "activitystreams": _write_collection,
    "csv": _write_csv,
}
