"""Parquet files of posts."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from talkworthy.schema.formats.rows import Tell, Wrong, batch_of, conform, ignore, post_from_json
from talkworthy.schema.post import POST

ROWS = 4096


def read_parquet(source: Path | IO[bytes], *, wrong: Tell = ignore) -> Iterator[pa.RecordBatch]:
    """Batches of posts. Raises ValueError (ArrowInvalid is one) where it is no Parquet file."""
    for _, batch in read_parquet_pairs(source, wrong=wrong):
        yield batch


def read_parquet_pairs(
    source: Path | IO[bytes], *, wrong: Tell = ignore
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Rows as they came, with all their columns, beside their posts: row i belongs to row i."""
    row = 1
    with pq.ParquetFile(source) as file:
        for raw in file.iter_batches(batch_size=ROWS):
            if raw.num_rows:
                yield _pair(raw, row, wrong)
            row += raw.num_rows


def _pair(raw: pa.RecordBatch, first: int, wrong: Tell) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    try:
        return raw, conform(raw)
    except (ValueError, pa.ArrowException):
        kept, rows = [], []
        for at, given in enumerate(raw.to_pylist()):
            try:
                rows.append(post_from_json(given))
                kept.append(at)
            except ValueError as error:
                wrong(Wrong(first + at, str(error), repr(given)[:500].encode()))
        return raw.take(pa.array(kept, pa.int64())), batch_of(rows)


def write_parquet(batches: Iterable[pa.RecordBatch | pa.Table], target: Path | IO[bytes]) -> int:
    """Write posts with Zstandard; the number written. The file is complete when this returns."""
    count = 0
    with pq.ParquetWriter(target, POST, compression="zstd") as writer:
        for batch in batches:
            table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
            if table.num_rows:
                writer.write_table(table.cast(POST))
            count += table.num_rows
    return count
