"""The pieces in which posts are annotated: files in one folder that every worker sees.

`posts-00007.parquet` becomes `part-00007.parquet`, by one rename. The same piece gives the same part wherever and
however often it is done, so a worker that died, was too slow or did it twice changes nothing.
"""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from talkworthy.analysis import default_pipeline
from talkworthy.archive.durable import write_durably
from talkworthy.schema import ANNOTATIONS, POST

PIECE = 16_384
"""Posts in a piece. Near copies are looked for within one, so it is the same number for every engine."""
ANNOTATED = pa.schema([*POST, *(field for field in ANNOTATIONS if field.name != "folded")])
"""The columns of a part: the post's, then what analysis says, but for the folded text, which only searches read."""


def cut(posts: Iterable[pa.RecordBatch], folder: Path, *, size: int = PIECE) -> int:
    """Write posts into files of so many each, in the order in which they come; returns how many files."""
    count, held, rows = 0, list[pa.RecordBatch](), 0
    for batch in posts:
        held.append(batch)
        rows += batch.num_rows
        while rows >= size:
            table = pa.Table.from_batches(held)
            _write(table.slice(0, size), _posts(folder, count))
            held, rows = table.slice(size).to_batches(), rows - size
            count += 1
    if rows:
        _write(pa.Table.from_batches(held), _posts(folder, count))
        count += 1
    return count


def annotate(folder: Path, number: int, *, tier: str = "fast") -> int:
    """Annotate one piece, and return how many posts it has: what every worker runs."""
    table = pq.read_table(_posts(folder, number), partitioning=None).cast(POST)
    said = [default_pipeline(tier).run(batch) for batch in table.combine_chunks().to_batches()]
    _write(pa.Table.from_batches(said).select(ANNOTATED.names).cast(ANNOTATED), _part(folder, number))
    return int(table.num_rows)


def gathered(folder: Path, pieces: int) -> Iterator[pa.RecordBatch]:
    """The annotated posts of all pieces in order."""
    for number in range(pieces):
        yield from pq.read_table(_part(folder, number), partitioning=None).to_batches()


def _posts(folder: Path, number: int) -> Path:
    return folder / f"posts-{number:05d}.parquet"


def _part(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.parquet"


def _write(table: pa.Table, path: Path) -> None:
    content = io.BytesIO()
    pq.write_table(table, content, compression="zstd")
    write_durably(path, content.getbuffer())
