"""Parsed posts on their way to analysis and the archive: Arrow IPC files, rename = commit.

The seam between connectors and archive; a message broker could stand here without either noticing.
"""

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive.durable import Damaged, sync_folder, write_durably
from talkworthy.schema import OBSERVATION, POST, TOMBSTONE

LARGEST_COUNT = 10**12
"""A higher count is none: sums of such pass 64 bits, and then whatever adds them up fails, or turns below zero."""
_COUNTS = frozenset({"replies", "shares", "likes", "views", "followers"})


@dataclass(frozen=True, order=True)
class Spooled:
    """What one fetch of a source was parsed into; `seq` is the number of its payloads."""

    source: str
    seq: int


@dataclass(frozen=True)
class Batch:
    """Posts, later counts and deletions of one fetch, as tables of POST, OBSERVATION and TOMBSTONE."""

    posts: pa.Table
    observations: pa.Table
    tombstones: pa.Table


class Spool:
    """The spool of one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def write(
        self,
        source: str,
        seq: int,
        posts: pa.Table,
        observations: pa.Table | None = None,
        tombstones: pa.Table | None = None,
    ) -> Spooled:
        """Hand over what a fetch was parsed into; the same number again replaces it. Raises OSError."""
        self.folder.joinpath(_quoted(source)).mkdir(parents=True, exist_ok=True)
        sink = io.BytesIO()
        counts = OBSERVATION.empty_table() if observations is None else observations
        _write_stream(sink, _believable(posts.cast(POST)))
        _write_stream(sink, _believable(counts.cast(OBSERVATION)))
        _write_stream(sink, (TOMBSTONE.empty_table() if tombstones is None else tombstones).cast(TOMBSTONE))
        spooled = Spooled(source, seq)
        write_durably(self._path(spooled), sink.getbuffer())
        return spooled

    def pending(self) -> list[Spooled]:
        """What waits, in the order in which each source's batches must be appended."""
        found = []
        for home in sorted(self.folder.glob("*/")):
            numbers = sorted(int(path.stem) for path in home.glob("[0-9]*.arrow"))
            found += [Spooled(unquote(home.name), seq) for seq in numbers]
        return found

    def read(self, spooled: Spooled) -> Batch:
        """The tables of a batch, read whole. Raises FileNotFoundError where it is gone, or Damaged."""
        path = self._path(spooled)
        try:
            with pa.OSFile(str(path)) as file:
                posts, observations, tombstones = (pa.ipc.open_stream(file).read_all() for _ in range(3))
        except pa.ArrowInvalid as error:
            raise Damaged(path, error) from error
        return Batch(posts, observations, tombstones)

    def remove(self, spooled: Spooled) -> None:
        """Take a batch off once the archive holds it. Twice is once."""
        path = self._path(spooled)
        with suppress(FileNotFoundError):
            path.unlink()
            sync_folder(path.parent)

    def put_aside(self, spooled: Spooled) -> Path:
        """Keep a damaged batch apart, so that the others go on; where it lies now."""
        path = self._path(spooled)
        return path.replace(path.with_suffix(".damaged"))

    def damaged(self) -> list[Path]:
        """Where the batches lie that were put aside."""
        return sorted(self.folder.glob("*/*.damaged"))

    def rewrite(self, spooled: Spooled, batch: Batch) -> None:
        """Replace a waiting batch, as erasure does; a batch that went meanwhile stays gone."""
        if self._path(spooled).exists():
            self.write(spooled.source, spooled.seq, batch.posts, batch.observations, batch.tombstones)

    def _path(self, spooled: Spooled) -> Path:
        return self.folder / _quoted(spooled.source) / f"{spooled.seq:012d}.arrow"


def _believable(rows: pa.Table) -> pa.Table:
    """The rows without counts beyond LARGEST_COUNT either way."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_struct(field.type) and any(_is_count(inner) for inner in field.type):
            rows = rows.set_column(place, field, _believable_struct(rows.column(place), field.type))
        elif _is_count(field):
            rows = rows.set_column(place, field, _believable_count(rows.column(place)))
    return rows


def _is_count(field: pa.Field) -> bool:
    return field.name in _COUNTS


def _believable_struct(column: pa.ChunkedArray, kind: pa.StructType) -> pa.ChunkedArray:
    fields = [kind.field(place) for place in range(kind.num_fields)]
    told = [pc.struct_field(column, field.name) for field in fields]
    kept = [
        _believable_count(values) if _is_count(field) else values for field, values in zip(fields, told, strict=True)
    ]
    if all(one is other for one, other in zip(told, kept, strict=True)):
        return column
    arrays = [pa.concat_arrays(values.chunks) for values in kept]
    return pa.chunked_array([pa.StructArray.from_arrays(arrays, fields=fields, mask=_missing(column))])


def _missing(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(pc.is_null(column).chunks)


def _believable_count(values: pa.ChunkedArray) -> pa.ChunkedArray:
    is_one = pc.and_(pc.less_equal(values, LARGEST_COUNT), pc.greater_equal(values, -LARGEST_COUNT))
    if pc.all(is_one, min_count=0).as_py():
        return values
    return pc.if_else(is_one, values, pa.scalar(None, values.type))


def _quoted(source: str) -> str:
    return quote(source, safe="").replace(".", "%2E")


def _write_stream(sink: io.BytesIO, table: pa.Table) -> None:
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
