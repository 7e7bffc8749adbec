from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from talkworthy.archive import Spool
from talkworthy.schema import OBSERVATION, POST, TOMBSTONE, posts_table

ROWS = [{"uid": "test:x:1", "text": "a", "published_at": "2026-01-01"}]


def test_a_batch_comes_back_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    stone: dict[str, Any] = {
        "uid": "test:x:9",
        "deleted_at": posts_table(ROWS)["published_at"][0].as_py(),
        "reason": "deleted",
    }
    stones = pa.Table.from_pylist([{name: stone.get(name) for name in TOMBSTONE.names}], schema=TOMBSTONE)
    spooled = spool.write("feed", 3, posts_table(ROWS), tombstones=stones)
    batch = Spool(tmp_path).read(spooled)
    assert batch.posts.schema.equals(POST)
    assert batch.posts["uid"].to_pylist() == ["test:x:1"]
    assert batch.observations.schema.names == OBSERVATION.names
    assert batch.tombstones["uid"].to_pylist() == ["test:x:9"]


def test_batches_wait_in_the_order_of_each_source(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for source, seq in [("b/c", 10), ("a", 2), ("b/c", 9), ("a", 11)]:
        spool.write(source, seq, posts_table(ROWS))
    assert [(spooled.source, spooled.seq) for spooled in spool.pending()] == [
        ("a", 2),
        ("a", 11),
        ("b/c", 9),
        ("b/c", 10),
    ]


def test_a_batch_that_was_removed_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spooled, decoy = spool.write("a", 1, posts_table(ROWS)), spool.write("a", 2, posts_table(ROWS))
    spool.remove(spooled)
    spool.remove(spooled)
    assert spool.pending() == [decoy]
    with pytest.raises(FileNotFoundError):
        spool.read(spooled)


def test_writing_a_number_again_replaces_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write("a", 1, posts_table(ROWS * 2))
    spooled = spool.write("a", 1, posts_table(ROWS))
    assert spool.pending() == [spooled]
    assert spool.read(spooled).posts.num_rows == 1


def test_a_table_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises((pa.ArrowInvalid, ValueError)):
        Spool(tmp_path).write("a", 1, pa.table({"uid": ["x"]}))
