"""A snapshot in, annotated posts in the order of their uid out, through an engine."""

import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from talkworthy.archive import Archive
from talkworthy.archive.duck import Duck
from talkworthy.engines.pieces import ANNOTATED, cut, gathered
from talkworthy.listening.streams import Onward, opened, spooled, whole
from talkworthy.schema import POST
from talkworthy.schema.formats import Wrong, post_to_json, read_jsonl, read_parquet

ENGINES = {"local": "local", "ray": "on_ray", "spark": "on_spark"}
SORTING = "1GB"
"""Memory in which posts are sorted; what does not fit goes to the folder of work."""

Warn = Callable[[str], None]
Told = Callable[[int, int | None], None]


class NoEngine(ValueError):
    """The engine is not installed here; the message says how it comes."""


class Engine(Protocol):
    """Has every piece annotated, wherever; yields the posts of each as it is done."""

    def __call__(self, folder: Path, pieces: int, *, tier: str, address: str | None) -> Iterator[int]: ...


@dataclass(frozen=True)
class Analysed:
    """What was done: posts, seconds of sorting and cutting, of annotating, and of writing, and the version read."""

    posts: int
    sorting: float
    annotating: float
    writing: float
    version: int | None = None

    def __str__(self) -> str:
        of = "" if self.version is None else f" of version {self.version}"
        return (
            f"{self.posts} posts{of}: sorted in {self.sorting:.1f} s, annotated in {self.annotating:.1f} s "
            f"({self.posts / max(self.annotating, 0.001):.0f} posts/s), written in {self.writing:.1f} s."
        )


@dataclass(frozen=True)
class Plan:
    """How it is done: which engine, where its cluster is, where all its nodes see files, and which analysers."""

    engine: str
    address: str | None = None
    work: Path | None = None
    tier: str = "fast"


def analyse_archive(
    folder: Path, target: Path | BinaryIO, plan: Plan, *, version: int | None = None, told: Told
) -> Analysed:
    """Annotate every post of an archive as of one version of its table, the newest unless named."""
    if not (folder / "posts" / "_delta_log").is_dir():
        raise ValueError(f"{folder} is no archive: name the folder that holds posts/, such as data/archive/WORKSPACE")
    with Archive(folder, memory=SORTING) as archive:
        chosen = archive.snapshot().version if version is None else version
        return _analysed(lambda _work: archive.by_uid(chosen), target, plan, version=chosen, told=told)


def analyse_file(source: Path | BinaryIO, target: Path | BinaryIO, plan: Plan, *, warn: Warn, told: Told) -> Analysed:
    """Annotate the posts of a file of JSON Lines or Parquet; only what a post has is kept of its lines."""
    return _analysed(lambda work: _sorted(source, work, warn), target, plan, version=None, told=told)


def _analysed(
    posts: Callable[[Path], Iterator[pa.RecordBatch]],
    target: Path | BinaryIO,
    plan: Plan,
    *,
    version: int | None,
    told: Told,
) -> Analysed:
    annotated = engine_named(plan.engine)
    with _folder(plan.work) as work:
        started = time.monotonic()
        pieces = cut(posts(work), work)
        sorted_at, done = time.monotonic(), 0
        for count in annotated(work, pieces, tier=plan.tier, address=plan.address):
            done += count
            told(done, None)
        annotated_at = time.monotonic()
        _write(gathered(work, pieces), target)
        written_at = time.monotonic()
    return Analysed(done, sorted_at - started, annotated_at - sorted_at, written_at - annotated_at, version)


def engine_named(name: str) -> Engine:
    """The engine; NoEngine where its extra is not installed."""
    try:
        return cast(Engine, import_module(f"{__package__}.{ENGINES[name]}").annotated)
    except ModuleNotFoundError as error:
        raise NoEngine(
            f"the engine {name} needs {error.name}, which is not installed: pip install 'talkworthy[{name}]'"
        ) from error


@contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    """A folder for pieces and parts, which hold what people wrote: it is gone afterwards, whatever happens."""
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="talkworthy-analyse-", dir=work)).resolve()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _sorted(source: Path | BinaryIO, work: Path, warn: Warn) -> Iterator[pa.RecordBatch]:
    """The posts of a file by uid; of several with one uid the earlier line first."""
    laid = work / "arrived.parquet"
    wrong = list[Wrong]()
    place = 0
    with opened(source) as (stream, head), ExitStack() as stack, pq.ParquetWriter(laid, _PLACED) as writer:
        for batch in _read(stream, head, wrong, stack):
            places = pa.array(range(place, place + batch.num_rows), pa.int64())
            writer.write_batch(batch.append_column("place", places).cast(_PLACED))
            place += batch.num_rows
    for found in wrong[:100]:
        warn(f"line {found.line}: {found.reason}")
    if wrong:
        warn(f"{len(wrong)} of {len(wrong) + place} lines could not be read and were left out.")
    duck = Duck(work / "scratch", memory=SORTING, threads=2)
    try:
        columns = ", ".join(f'"{name}"' for name in POST.names)
        quoted = str(laid).replace("'", "''")
        yield from duck.batches(f"SELECT {columns} FROM read_parquet('{quoted}') ORDER BY uid, place")
    finally:
        duck.close()
        laid.unlink(missing_ok=True)


_PLACED = pa.schema([*POST, pa.field("place", pa.int64())])


def _read(stream: IO[bytes], head: bytes, wrong: list[Wrong], stack: ExitStack) -> Iterator[pa.RecordBatch]:
    if head == b"PAR1":
        file = stream if isinstance(stream, io.BufferedReader) else stack.enter_context(spooled(stream))
        return read_parquet(file, wrong=wrong.append)
    return read_jsonl(stream, wrong=wrong.append)


def _write(posts: Iterator[pa.RecordBatch], target: Path | BinaryIO) -> None:
    with ExitStack() as stack:
        onto = stack.enter_context(whole(target)) if isinstance(target, Path) else target
        if isinstance(target, Path) and target.name.lower().endswith(".parquet"):
            writer = stack.enter_context(pq.ParquetWriter(Onward(onto), ANNOTATED, compression="zstd"))
            for batch in posts:
                writer.write_batch(batch)
            return
        for batch in posts:
            onto.write(b"".join(_line(row) for row in batch.to_pylist()))
        onto.flush()


def _line(row: dict[str, Any]) -> bytes:
    """A post as JSON; probabilities with the four digits that they are good for."""
    rounded = {name: round(row[name], 4) if row[name] is not None else None for name in _FLOATS}
    return json.dumps(post_to_json({**row, **rounded}), ensure_ascii=False).encode() + b"\n"


_FLOATS: Sequence[str] = [field.name for field in ANNOTATED if pa.types.is_floating(field.type)]
