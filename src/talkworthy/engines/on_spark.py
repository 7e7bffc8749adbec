"""On Spark: a row a piece, through `mapInArrow`. Needs the extra `spark`, and Java 17 or newer."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from talkworthy.engines.pieces import annotate

FAILURES = "8"
"""How often a task may fail before the work ends: a node that goes takes all its running tasks with it."""


def annotated(folder: Path, pieces: int, *, tier: str, address: str | None) -> Iterator[int]:
    """Posts in each piece, when all are done, on the master at `address`; without one as Spark is set up here.

    Spark runs a task again whose executor is gone. A session that this starts it also ends; where the program has one
    already, that is used, and left.
    """
    running = SparkSession.getActiveSession()
    session = running or _session(address)
    try:
        numbers = session.range(0, pieces, 1, numPartitions=max(pieces, 1))
        done = numbers.mapInArrow(_annotating(str(folder), tier), "posts bigint")
        yield from (int(row.posts) for row in done.collect())
    finally:
        if running is None:
            session.stop()


def _session(address: str | None) -> SparkSession:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else it takes whatever is called python3
    builder = SparkSession.builder.appName("talkworthy analyse")
    settings = {
        "spark.task.maxFailures": FAILURES,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    if address is not None:
        builder = builder.master(address)
    return builder.getOrCreate()


def _annotating(folder: str, tier: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def annotated_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            posts = [annotate(Path(folder), number, tier=tier) for number in batch.column(0).to_pylist()]
            yield pa.RecordBatch.from_pydict({"posts": pa.array(posts, pa.int64())})

    return annotated_batches
