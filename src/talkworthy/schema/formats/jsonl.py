"""JSON Lines: one post a line, the columns of schema POST as keys, `author` and `engagement` as objects.

Blocks of lines go through Arrow's own reader; a block that it refuses is read again line by line, leniently,
and what is wrong is told with its line.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from talkworthy.schema.formats.rows import Tell, Wrong, batch_of, conform, ignore, post_from_json, post_to_json
from talkworthy.schema.post import POST

BLOCK = 1 << 20
"""Bytes read at a time; the memory of a reader is a few times this."""
MAX_LINE = 8 << 20
"""A longer line is no post."""
MAX_BRACKETS = 500
SHORT_LINE = 150
FRAGMENT = 500


def read_jsonl(stream: IO[bytes], *, wrong: Tell = ignore) -> Iterator[pa.RecordBatch]:
    """Batches of posts; blank lines are passed over, wrong lines told and left out."""
    for _, batch in read_jsonl_lines(stream, wrong=wrong):
        yield batch


def read_jsonl_lines(stream: IO[bytes], *, wrong: Tell = ignore) -> Iterator[tuple[list[bytes], pa.RecordBatch]]:
    """Lines as they came, with their posts: row i of the batch is line i. For filters that pass lines on."""
    for first, block in _blocks(stream, wrong):
        lines = [(first + at, line) for at, line in enumerate(block.split(b"\n")) if line and not line.isspace()]
        if not lines:
            continue
        quick = _quick(block, len(lines)) if all(_is_plain(line) for _, line in lines) else None
        if quick is not None and quick.num_rows == len(lines):
            yield [line for _, line in lines], quick
            continue
        kept, rows = _line_by_line(lines, wrong)
        if rows:
            yield kept, batch_of(rows)


def _blocks(stream: IO[bytes], wrong: Tell) -> Iterator[tuple[int, bytes]]:
    """Whole lines in blocks, each with the number of its first line."""
    number, rest, skipping = 1, b"", False
    while chunk := stream.read(BLOCK):
        if number == 1 and not rest:
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        if skipping:
            _, newline, chunk = chunk.partition(b"\n")
            if not newline:
                continue
            number, skipping = number + 1, False
        whole, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            yield number, whole
            number += whole.count(b"\n") + 1
        if len(rest) > MAX_LINE:
            wrong(Wrong(number, f"a line of more than {MAX_LINE} bytes", rest[:FRAGMENT]))
            rest, skipping = b"", True
    if rest and not skipping:
        yield number, rest


def _is_plain(line: bytes) -> bool:
    """Whether Arrow's reader may see it: a bare null, or very many brackets, would take the process with it.

    Braces at both ends of every line also mean that each line is one row.
    """
    bare = line.strip()
    return bare[:1] == b"{" and bare[-1:] == b"}" and line.count(b"{") + line.count(b"[") <= MAX_BRACKETS


def _quick(block: bytes, rows: int) -> pa.RecordBatch | None:
    if b"\\u0000" in block:
        return None
    # columns that no line has cost time by the line, looking for their names costs time by the byte
    schema = _named(block) if len(block) < SHORT_LINE * rows else _LOOSE
    try:
        block.decode()
        table = arrow_json.read_json(
            io.BytesIO(block),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        found = conform(table)
    except (ValueError, pa.ArrowException):
        return None
    return None if any(map(_holds_nothing, found.columns)) else found


def _holds_nothing(column: pa.Array) -> bool:
    """Whether a list holds a null, which the lenient way leaves out."""
    return bool(pa.types.is_list(column.type) and column.flatten().null_count)


def _named(block: bytes) -> pa.Schema:
    """Only the columns that a block names."""
    return pa.schema([field for field in _LOOSE if b'"%s"' % field.name.encode() in block])


def _loose(type: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(type):
        return pa.string()
    if pa.types.is_struct(type):
        return pa.struct([pa.field(field.name, _loose(field.type)) for field in type])
    if pa.types.is_list(type):
        return pa.list_(_loose(type.value_type))
    return type


_LOOSE = pa.schema([pa.field(field.name, _loose(field.type)) for field in POST])


def _line_by_line(lines: list[tuple[int, bytes]], wrong: Tell) -> tuple[list[bytes], list[dict[str, Any]]]:
    kept: list[bytes] = []
    rows: list[dict[str, Any]] = []
    for number, line in lines:
        try:
            row = post_from_json(_loaded(line))
        except ValueError as error:
            wrong(Wrong(number, str(error), line[:FRAGMENT]))
            continue
        kept.append(line)
        rows.append(row)
    return kept, rows


def _loaded(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error


def with_columns(line: bytes, columns: Mapping[str, Any]) -> bytes:
    """A line of a JSON object with more keys at its end; a key that it has already is replaced."""
    if not columns:
        return line
    if any(b'"%s"' % name.encode() in line for name in columns):
        return json.dumps({**json.loads(line), **columns}, ensure_ascii=False).encode()
    more = json.dumps(columns, ensure_ascii=False).encode()
    body = line.rstrip()[:-1].rstrip()
    return body + (b"" if body == b"{" else b", ") + more[1:]


def write_jsonl(batches: Iterable[pa.RecordBatch | pa.Table], stream: IO[bytes]) -> int:
    """Write posts, one a line, empty columns left out; the number written."""
    count = 0
    for batch in batches:
        for part in _slices(batch):
            stream.write(b"".join(json.dumps(post_to_json(row), ensure_ascii=False).encode() + b"\n" for row in part))
            count += len(part)
    return count


def _slices(batch: pa.RecordBatch | pa.Table) -> Iterator[list[dict[str, Any]]]:
    used = [name for name in batch.schema.names if not pc.all(batch.column(name).is_null()).as_py()]
    lean = batch.select(used)
    for start in range(0, lean.num_rows, 4096):
        yield lean.slice(start, 4096).to_pylist()
