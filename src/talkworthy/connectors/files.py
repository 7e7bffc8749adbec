"""Files of posts in a folder: JSON Lines, Parquet, CSV and ActivityStreams 2.0, also packed with gzip.

It can resume: of each file the cursor keeps how far it was read, so a file that grows is read on from there.
"""

import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import pyarrow as pa
import pyarrow.parquet as pq

from talkworthy.connectors.contract import Capabilities, Checked, Kind, Page, Parsed, SetAside, Setting
from talkworthy.connectors.errors import GiveUp, Malformed, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import clean, cleaned, plain
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.schema import POST, TOMBSTONE
from talkworthy.schema.formats import (
    Mapping as CsvMapping,
)
from talkworthy.schema.formats import (
    Wrong,
    format_by_name,
    from_activitystreams,
    owned,
    post_from_json,
    read_csv,
    read_jsonl,
    read_parquet,
    suggest_mapping,
)
from talkworthy.schema.formats.csv import head_of, sniff_delimiter

BLOCK = 2_000_000
"""Bytes of one payload, unpacked, as far as the format lets itself be cut."""
PAGE_BYTES = 8_000_000
PAGE_PAYLOADS = 64
WHOLE = 64_000_000
"""Largest ActivityStreams document that is read, unpacked."""
MOST_UNPACKED = 512_000_000
"""Largest Parquet file within gzip, which has to be held in memory; others are read from where they lie."""
ROWS = 4_096
SETTLED = 3.0
"""A file untouched for so many seconds is taken as finished."""
POLL = 5.0
MAX_ASIDE = 1_000
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".download", ".swp", "~")


class Files:
    """Posts from files in a folder that is watched."""

    name: ClassVar[str] = "files"
    title: ClassVar[str] = "Files"
    about: ClassVar[str] = (
        "Posts from files in a folder, which is watched: JSON Lines, Parquet, CSV, ActivityStreams 2.0."
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="path",
            label="Folder or file",
            kind=Kind.FOLDER,
            required=True,
            help="On the machine where Talkworthy runs. Of a folder, every file of a known format is read.",
            example="/srv/talkworthy/inbox",
        ),
        Setting(
            name="columns",
            label="Columns of CSV files",
            kind=Kind.LINES,
            help="One a line, what it is = header of the column. Left empty, the columns are guessed from the header.",
            example="text = tweet_text\npublished_at = created\nauthor.handle = user",
        ),
        Setting(
            name="day_first",
            label="3/4/2025 in CSV files",
            kind=Kind.CHOICE,
            help="How such a date is read; where it is left open, rows with such a date are set aside.",
            choices=(("", "left open"), ("day", "3 April"), ("month", "4 March")),
            default="",
        ),
        Setting(
            name="encoding",
            label="Encoding of CSV files",
            help="The other formats are always UTF-8.",
            default="utf-8",
        ),
        Setting(
            name="origin",
            label="Origin",
            help="Where posts come from that name no server themselves; part of their uid.",
            example="survey-2026",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        edits=True,
        deletions=True,
        counts=True,
        history=True,
        met_live=True,
        any_channel=True,
        limits=(
            "It changes and deletes its own posts: those it brought, and those of its channel and its origin.",
            "Deletions are known from ActivityStreams files only; a line taken out of another file removes no post.",
            "A change in the middle of a file is noticed only if the file became shorter or begins otherwise.",
            "An ActivityStreams document is read whole and may have 64 MB.",
            "A CSV row without an id gets one from its contents, so a corrected row is another post.",
            "Where a CSV file has no column with a time, its rows get the time at which the file was last changed.",
        ),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Bring the next blocks of files that are new, longer or changed."""
        files = _files(_path(settings))
        known = {name: _Place(*place) for name, place in ((cursor or {}).get("files") or {}).items()}
        places = {file.name: known.get(file.name) for file in files}
        payloads: list[Payload] = []
        notes: list[str] = []
        size = 0
        more = False
        for file in files:
            reader = _Reader(file, settings, places[file.name], now)
            for payload, place in reader.blocks(notes):
                places[file.name] = place
                if payload is not None:
                    payloads.append(payload)
                    size += len(payload.body)
                if size >= PAGE_BYTES or len(payloads) >= PAGE_PAYLOADS:
                    more = True
                    break
            if more:
                break
        kept = {name: place.as_list() for name, place in places.items() if place is not None}
        return Page(
            payloads=tuple(payloads),
            cursor={"files": kept},
            more=more,
            wait=None if more else POLL,
            note=" ".join(notes[:5]),
        )

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read one block."""
        kind = str(payload.meta.get("format") or "") or _sniffed(payload)
        body = _unpacked(payload.body)
        aside: list[SetAside] = []

        def wrong(found: Wrong) -> None:
            if len(aside) < MAX_ASIDE:
                aside.append(SetAside(reason=f"line {found.line}: {found.reason}", fragment=found.fragment))

        if kind == "activitystreams":
            return _document(body, payload, settings)
        try:
            batches = list(_batches(kind, body, payload, settings, wrong))
        except (ValueError, pa.ArrowException) as error:
            raise Malformed(str(error)) from error
        if not batches and aside and not payload.meta.get("format"):
            raise Malformed(aside[0].reason)
        posts = pa.Table.from_batches([_own(batch, settings) for batch in batches], schema=POST)
        return Parsed(posts=posts, aside=tuple(aside))

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Look what lies in the folder."""
        try:
            files = _files(_path(settings))
        except (GiveUp, TryLater) as error:
            return Checked(ok=False, message=str(error))
        if not files:
            return Checked(ok=True, message="The folder can be read; it holds no file of a known format yet.")
        counts: dict[str, int] = {}
        for file in files:
            counts[file.format] = counts.get(file.format, 0) + 1
        details = {kind: str(count) for kind, count in sorted(counts.items())}
        table = next((file for file in files if file.format == "csv"), None)
        if table:
            details["columns"] = _guess_in_words(table, settings)
        return Checked(ok=True, message=f"{len(files)} files can be read.", details=details)


@dataclass(frozen=True)
class _File:
    name: str
    path: Path
    format: str
    packed: bool
    size: int
    changed: float


@dataclass(frozen=True)
class _Place:
    """How far a file was read: bytes (unpacked) or rows, of which state of the file, and how it begins."""

    size: int = 0
    changed: float = 0.0
    offset: int = 0
    head: str = ""
    head_bytes: int = 0

    def as_list(self) -> list[Any]:
        return [self.size, self.changed, self.offset, self.head, self.head_bytes]


def _path(settings: Mapping[str, Any]) -> Path:
    given = str(settings.get("path") or "").strip()
    if not given:
        raise GiveUp("Name the folder that is to be read.")
    path = Path(given).expanduser()
    if not path.exists():
        raise GiveUp(f"There is no folder or file {path}; it must lie on the machine where Talkworthy runs.")
    return path


def _files(path: Path) -> list[_File]:
    """Files of a known format, the oldest change first; links that lead out of the folder are passed over."""
    try:
        candidates = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        root = path.resolve() if path.is_dir() else path.resolve().parent
        found = [_described(each, root) for each in candidates if each.resolve().is_relative_to(root)]
    except PermissionError as error:
        raise GiveUp(f"{path} may not be read by the account that Talkworthy runs under.") from error
    except OSError as error:
        raise TryLater(f"{path} cannot be read now: {error.strerror}") from error
    return sorted((file for file in found if file), key=lambda file: (file.changed, file.name))


def _described(path: Path, root: Path) -> _File | None:
    name = path.name.lower()
    if name.startswith(".") or name.endswith(_UNFINISHED):
        return None
    packed = name.endswith(".gz")
    kind = format_by_name(name)
    if kind is None:
        return None
    state = path.stat()
    relative = path.resolve().relative_to(root).as_posix()
    return _File(relative, path, kind, packed, state.st_size, state.st_mtime)


class _Reader:
    """Reads one file on from its place."""

    def __init__(self, file: _File, settings: Mapping[str, Any], place: _Place | None, now: datetime) -> None:
        self.file = file
        self.settings = settings
        self.now = now
        self.settled = abs(now.timestamp() - file.changed) >= SETTLED
        self.place = place or _Place()

    def blocks(self, notes: list[str]) -> Iterator[tuple[Payload | None, _Place]]:
        """Payloads, each with the place behind it."""
        place, file = self.place, self.file
        if (place.size, place.changed) == (file.size, file.changed):
            return
        try:
            if place.offset and not self._goes_on():
                place = _Place()
            if file.format in ("parquet", "activitystreams"):
                yield from self._whole(place) if self.settled else ()
            else:
                yield from self._lines(place)
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            if self.settled:
                notes.append(f"{file.name} cannot be read: {error}.")
                yield None, self._behind(place.offset, done=True)

    def _goes_on(self) -> bool:
        """Whether the file is the one we began to read, and not shorter."""
        if not self.file.packed and self.file.size < self.place.offset and self.file.format != "parquet":
            return False
        with self.file.path.open("rb") as raw:
            return _digest(raw.read(self.place.head_bytes)) == self.place.head

    def _behind(self, offset: int, *, done: bool) -> _Place:
        with self.file.path.open("rb") as raw:
            head = raw.read(256)
        if done:
            return _Place(self.file.size, self.file.changed, offset, _digest(head), len(head))
        return _Place(0, 0.0, offset, _digest(head), len(head))

    def _opened(self) -> IO[bytes]:
        opened = gzip.open(self.file.path, "rb") if self.file.packed else self.file.path.open("rb")  # noqa: SIM115
        return cast("IO[bytes]", opened)

    def _lines(self, place: _Place) -> Iterator[tuple[Payload | None, _Place]]:
        table = self.file.format == "csv"
        with self._opened() as stream:
            header = stream.readline(BLOCK) if table else b""
            if table and not header.endswith(b"\n") and not self.settled:
                return
            meta = self._csv_meta() if table else {}
            offset = max(place.offset, len(header))
            stream.seek(offset)
            while True:
                block, ended = _block(stream, self.settled, quoted=table)
                if block:
                    payload = self._payload(header + block, {**meta, "offset": offset})
                    offset += len(block)
                    yield payload, self._behind(offset, done=False)
                if ended:
                    break
        yield None, self._behind(offset, done=self.settled)

    def _whole(self, place: _Place) -> Iterator[tuple[Payload | None, _Place]]:
        if self.file.format == "activitystreams":
            with self._opened() as stream:
                body = stream.read(WHOLE + 1)
            if len(body) > WHOLE:
                raise OSError(f"it has more than {WHOLE} bytes")
            yield self._payload(body, {}), self._behind(len(body), done=True)
            return
        source = self._unpacked() if self.file.packed else self.file.path
        rows = 0
        with pq.ParquetFile(source) as parquet:
            for batch in parquet.iter_batches(batch_size=ROWS):
                rows += batch.num_rows
                if rows > place.offset:
                    sink = io.BytesIO()
                    pq.write_table(pa.Table.from_batches([batch]), sink, compression="zstd")
                    yield self._payload(sink.getvalue(), {"offset": rows}), self._behind(rows, done=False)
        yield None, self._behind(rows, done=True)

    def _unpacked(self) -> io.BytesIO:
        with self._opened() as stream:
            body = stream.read(MOST_UNPACKED + 1)
        if len(body) > MOST_UNPACKED:
            raise OSError(f"it has more than {MOST_UNPACKED} bytes when unpacked; Parquet needs no packing")
        return io.BytesIO(body)

    def _csv_meta(self) -> dict[str, Any]:
        return _mapping_of(self.file, self.settings)

    def _payload(self, body: bytes, meta: Mapping[str, Any]) -> Payload:
        types = {"jsonl": "application/x-ndjson", "parquet": "application/vnd.apache.parquet", "csv": "text/csv"}
        return Payload(
            body=body,
            content_type=types.get(self.file.format, "application/activity+json"),
            fetched_at=self.now,
            meta={"format": self.file.format, "file": self.file.name, **meta},
        )


def _block(stream: IO[bytes], settled: bool, *, quoted: bool) -> tuple[bytes, bool]:
    """Whole lines of about BLOCK bytes, and whether the end was reached; a line without end waits for it.

    In CSV a line break between quotes ends no line.
    """
    block = stream.read(BLOCK)
    while True:
        ended = len(block) < BLOCK or not (more := stream.read(1))
        if ended and settled:
            return block, True
        cut = _last_line_end(block, quoted)
        if cut or ended:
            if not ended:
                stream.seek(-1, io.SEEK_CUR)
            stream.seek(cut - len(block), io.SEEK_CUR)
            return block[:cut], ended
        if len(block) > WHOLE:
            return block, False
        block += more + stream.read(BLOCK)


def _last_line_end(block: bytes, quoted: bool) -> int:
    """The number of bytes up to and with the last line break that ends a line; 0 where there is none."""
    end = len(block)
    quotes = block.count(b'"') if quoted else 0
    while (found := block.rfind(b"\n", 0, end)) >= 0:
        quotes -= block.count(b'"', found, end) if quoted else 0
        if quotes % 2 == 0:
            return found + 1
        end = found
    return 0


def _digest(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=8).hexdigest()


def _mapping_of(file: _File, settings: Mapping[str, Any]) -> dict[str, Any]:
    encoding = str(settings.get("encoding") or "utf-8")
    with gzip.open(file.path, "rb") if file.packed else file.path.open("rb") as stream:
        head = stream.read(200_000)
    try:
        delimiter = "\t" if ".tsv" in file.name.lower() else sniff_delimiter(head.decode(encoding, "replace"))
        rows = head_of(io.BytesIO(head), encoding=encoding, delimiter=delimiter)
    except (LookupError, ValueError) as error:
        raise GiveUp(f"{file.name} is not read: {error}.") from error
    guess = suggest_mapping(rows[0] if rows else [], rows[1:], delimiter=delimiter)
    columns = _said_columns(settings) or guess.columns
    return {
        "columns": columns,
        "delimiter": delimiter,
        "encoding": encoding,
        "day_first": guess.day_first,
        "changed": datetime.fromtimestamp(file.changed, UTC).isoformat(),
    }


def _said_columns(settings: Mapping[str, Any]) -> dict[str, str]:
    given = settings.get("columns") or ()
    lines = given.splitlines() if isinstance(given, str) else [str(line) for line in given]
    pairs = [line.split("=", 1) for line in lines if "=" in line]
    return {target.strip(): name.strip() for target, name in pairs}


def _guess_in_words(file: _File, settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{target} = {name}" for target, name in _mapping_of(file, settings)["columns"].items())


# reading


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    inflater = zlib.decompressobj(31)
    try:
        unpacked = inflater.decompress(body, WHOLE)
    except zlib.error as error:
        raise Malformed("a broken gzip stream") from error
    if inflater.unconsumed_tail:
        raise Malformed(f"more than {WHOLE} bytes when unpacked")
    return unpacked


def _sniffed(payload: Payload) -> str:
    """The format of a payload that does not say: of a file that was sent, not found."""
    body = _unpacked(payload.body).lstrip(b"\xef\xbb\xbf \r\n\t")
    if body.startswith(b"PAR1"):
        return "parquet"
    if "csv" in payload.content_type:
        return "csv"
    if body.startswith((b"{", b"[")):
        first = body.split(b"\n", 1)[0]
        return "jsonl" if re.search(rb'"uid"\s*:', first) and first.startswith(b"{") else "activitystreams"
    return "jsonl"


def _batches(
    format: str, body: bytes, payload: Payload, settings: Mapping[str, Any], wrong: Any
) -> Iterator[pa.RecordBatch]:
    if format == "jsonl":
        yield from read_jsonl(io.BytesIO(body), wrong=wrong)
    elif format == "parquet":
        yield from read_parquet(io.BytesIO(body), wrong=wrong)
    elif format == "csv":
        yield from read_csv(io.BytesIO(body), _csv_mapping(body, payload.meta, settings), wrong=wrong)
    else:
        raise Malformed(f"no format is called {format!r}")


def _csv_mapping(body: bytes, meta: Mapping[str, Any], settings: Mapping[str, Any]) -> CsvMapping:
    encoding = str(meta.get("encoding") or settings.get("encoding") or "utf-8")
    delimiter = str(meta.get("delimiter") or sniff_delimiter(body[:20_000].decode("utf-8", "replace")))
    columns = meta.get("columns")
    if not columns:
        rows = head_of(io.BytesIO(body), encoding=encoding, delimiter=delimiter)
        columns = _said_columns(settings) or suggest_mapping(rows[0] if rows else [], rows[1:]).columns
    untimed = (
        datetime.fromisoformat(str(meta["changed"])) if meta.get("changed") and "published_at" not in columns else None
    )
    said = {"day": True, "month": False}.get(str(settings.get("day_first") or ""), meta.get("day_first"))
    return CsvMapping(
        columns=dict(columns),
        origin=str(settings.get("origin") or ""),
        published_at=untimed,
        delimiter=delimiter,
        encoding=encoding,
        day_first=said,
    )


def _document(body: bytes, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
    """ActivityStreams, or a JSON list of posts of our own schema."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {str(error)[:200]}") from error
    if isinstance(document, list) and any(isinstance(item, dict) and "uid" in item for item in document):
        return _listed(document, settings)
    found = from_activitystreams(document, seen_at=payload.fetched_at, plain=plain, clean=clean)
    aside = tuple(SetAside(reason=reason, fragment=_fragment(piece)) for reason, piece in found.aside[:MAX_ASIDE])
    if not (found.posts or found.tombstones or aside):
        raise Malformed("a document without any object")
    return Parsed(
        posts=pa.Table.from_pylist(found.posts, schema=POST),
        tombstones=pa.Table.from_pylist(found.tombstones, schema=TOMBSTONE),
        aside=aside,
    )


def _listed(items: Sequence[object], settings: Mapping[str, Any]) -> Parsed:
    rows, aside = [], []
    for item in items:
        try:
            rows.append(post_from_json(item))
        except ValueError as error:
            aside.append(SetAside(reason=str(error), fragment=_fragment(item)))
    posts = _own(pa.RecordBatch.from_pylist(rows, schema=POST), settings)
    return Parsed(posts=pa.Table.from_batches([posts], schema=POST), aside=tuple(aside[:MAX_ASIDE]))


def _fragment(piece: object) -> bytes:
    return json.dumps(piece, ensure_ascii=True, default=str)[:2_000].encode()


def _own(batch: pa.RecordBatch, settings: Mapping[str, Any]) -> pa.RecordBatch:
    return cleaned(owned(batch, channel="files", origin=str(settings.get("origin") or "")))


connector = Files()
