import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from talkworthy.archive import Archive, Keeper, Locked, Pace, Retention, Scan

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=5)
EAGER = Pace(settle_files=1, settle_rows=1, leave=0, fold_rows=1, depth=1, small_files=2, patience=0)


def uid(number: int) -> str:
    return f"test:example.org:{number}"


def written(cast: Any, row: Any) -> list[dict[str, Any]]:
    """Forty posts with edits, counts, corrections and deletions; what readers see of them."""
    for start in range(0, 40, 5):
        cast.append(*[row(number, monitors=[number % 3], sentiment="neutral") for number in range(start, start + 5)])
    cast.append(row(3, "edited", sentiment="negative", collected_at=LATER))
    cast.append(row(3, "edited twice", collected_at=LATER + timedelta(days=1)))
    cast.observe(4, 44, LATER)
    cast.observe(4, 40, LATER - timedelta(days=1))
    cast.change(uid(5), "sentiment", "positive")
    cast.change(uid(6), "monitor:8", "true")
    cast.change(uid(7), "monitor:1", "false")
    cast.bury(uid(8), at=LATER)
    rows: list[dict[str, Any]] = cast.archive.table(Scan(order="oldest")).to_pylist()
    return rows


def test_the_keeper_changes_nothing_that_readers_see(cast: Any, row: Any) -> None:
    before = written(cast, row)
    Keeper(cast.archive, pace=EAGER).run_once()
    for archive in (cast.archive, Archive(cast.archive.path)):
        assert archive.table(Scan(order="oldest")).to_pylist() == before
        assert archive.table(Scan(monitors_any=(8,), limit=9))["uid"].to_pylist() == [uid(6)]


def test_after_the_keeper_the_files_alone_hold_what_readers_see(cast: Any, row: Any) -> None:
    before = written(cast, row)
    Keeper(cast.archive).run_once(everything=True)
    stats = cast.archive.stats()
    assert (stats.rows, stats.new_files) == (len(before), 0)
    assert (stats.waiting["observations"], stats.waiting["changes"]) == (0, 0)
    assert cast.archive.view()[1].is_empty


def test_the_keeper_twice_is_the_keeper_once(cast: Any, row: Any) -> None:
    before = written(cast, row)
    keeper = Keeper(cast.archive, pace=EAGER)
    keeper.run_once()
    again = keeper.run_once()
    assert (again.settled_rows, again.merged_files, again.folded_files) == (0, 0, 0)
    assert cast.archive.table(Scan(order="oldest")).to_pylist() == before


def test_nothing_due_is_nothing_done(cast: Any, row: Any) -> None:
    cast.append(row(1))
    cast.observe(1, 5, LATER)
    done = Keeper(cast.archive).run_once()
    assert (done.settled_rows, done.folded_files) == (0, 0)
    assert cast.archive.stats().new_files == 1


def test_writing_goes_on_after_the_keeper(cast: Any, row: Any) -> None:
    written(cast, row)
    Keeper(cast.archive, pace=EAGER).run_once()
    done = cast.append(row(3, "edited thrice", collected_at=LATER + timedelta(days=9)), row(50), row(9))
    assert (done.new["uid"].to_pylist(), done.edited["text"].to_pylist(), done.known) == (
        [uid(50)],
        ["edited thrice"],
        1,
    )
    assert done.previous["text"].to_pylist() == ["edited twice"]
    assert cast.append(row(8)).refused == 1
    assert cast.append(row(8, collected_at=LATER + timedelta(days=9))).new.num_rows == 1
    assert cast.archive.get(uid(8)) is not None
    Keeper(cast.archive, pace=EAGER).run_once()
    assert cast.archive.get(uid(8)) is not None
    assert cast.archive.get(uid(3))["text"] == "edited thrice"


def test_counts_of_a_post_that_has_not_arrived_wait_for_it(cast: Any, row: Any) -> None:
    cast.append(row(2))
    cast.observe(1, 77, LATER)
    Keeper(cast.archive).run_once(now=LATER, everything=True)
    cast.append(row(1))
    assert cast.archive.get(uid(1))["engagement"]["likes"] == 77
    Keeper(cast.archive).run_once(now=LATER + timedelta(days=100), everything=True)
    assert cast.archive.stats().waiting["observations"] == 0
    assert cast.archive.get(uid(1))["engagement"]["likes"] == 77


def test_counts_of_posts_that_never_arrive_are_dropped_in_the_end(cast: Any, row: Any) -> None:
    cast.append(row(2))
    cast.observe(1, 77, LATER)
    Keeper(cast.archive).run_once(now=LATER + timedelta(days=31), everything=True)
    assert cast.archive.stats().waiting["observations"] == 0


def test_many_overlapping_files_become_few_in_order(cast: Any, row: Any) -> None:
    for start in range(8):
        cast.append(*[row(number) for number in range(start, 64, 8)])
        Keeper(cast.archive, pace=Pace(settle_files=1, leave=0, depth=3, small_files=50)).run_once()
    files = [file for file in cast.archive.posts.snapshot().files if file.rows]
    assert len(files) <= 4
    assert cast.archive.table(Scan(columns=("native_id",), order="oldest"))["native_id"].to_pylist() == [
        str(n) for n in range(64)
    ]


def test_posts_are_kept_as_long_as_was_said(cast: Any, row: Any) -> None:
    old, young = NOON - timedelta(days=40), NOON - timedelta(days=20)
    cast.append(
        row(1, published_at=old),
        row(2, published_at=young),
        row(3, published_at=young, source="chatty"),
        row(4, published_at=NOON, source="chatty"),
        row(5, published_at=young, source=None),
    )
    done = Keeper(cast.archive, retention=Retention(posts=30, sources={"chatty": 10})).run_once(now=NOON)
    assert done.retired_posts == 2
    assert cast.archive.count(Scan())["posts"].to_pylist() == [3]
    assert {cast.archive.get(uid(number)) is None for number in (1, 3)} == {True}
    assert None not in [cast.archive.get(uid(number)) for number in (2, 4, 5)]


def test_old_tombstones_go_but_those_of_erasures_stay(cast: Any, row: Any) -> None:
    cast.bury(uid(1), at=NOON)
    cast.bury(uid(2), at=NOON, reason="erased")
    Keeper(cast.archive).run_once(now=NOON + timedelta(days=500), everything=True)
    assert cast.archive.stats().waiting["tombstones"] == 1
    assert cast.append(row(1), row(2, collected_at=NOON + timedelta(days=600))).refused == 1


def test_only_one_keeper_is_at_work(cast: Any) -> None:
    from talkworthy.archive.durable import lock

    with lock(cast.archive.path / "keeper.lock"), pytest.raises(Locked, match=r"keeper\.lock"):
        Keeper(Archive(cast.archive.path)).run_once()


def test_the_engine_gives_its_memory_back_and_whoever_reads_goes_on(cast: Any, row: Any) -> None:
    for number in range(30):
        cast.append(row(number))
    duck = cast.archive.duck
    sql = "SELECT n, repeat('x', 200) || n AS words FROM range(400000) t(n) ORDER BY words"
    reading = duck.batches(sql)
    first = next(reading)
    engine = duck._connection
    Keeper(cast.archive).run_once()
    assert duck._connection is engine
    Keeper(cast.archive, pace=Pace(settle_files=1, leave=0)).run_once()
    assert duck._connection is not engine
    del engine
    assert len(cast.texts(Scan())) == 30
    assert first.num_rows + sum(batch.num_rows for batch in reading) == 400_000


def test_replaced_files_stay_for_patient_readers_and_then_go(cast: Any, row: Any) -> None:
    written(cast, row)
    Keeper(cast.archive).run_once(everything=True)
    folder = cast.archive.posts.folder
    assert len(list(folder.rglob("*.parquet"))) > cast.archive.stats().files
    Keeper(cast.archive, pace=Pace(patience=0)).run_once()
    data = [path for place in ("new", "settled") for path in (folder / place).iterdir()]
    assert len(data) == cast.archive.stats().files


def test_a_file_that_a_killed_append_left_is_removed(cast: Any, row: Any) -> None:
    cast.append(row(1))
    orphan = cast.archive.posts.folder / "new" / f"{'0' * 32}.parquet"
    orphan.write_bytes(b"half")
    past = time.time() - 3600
    os.utime(orphan, (past, past))
    Keeper(cast.archive).run_once()
    assert not orphan.exists()
    assert cast.archive.get(uid(1)) is not None


def test_a_long_log_is_cut_and_cursors_and_numbers_survive(
    cast: Any, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkworthy.archive.keeper.LOG_LENGTH", 3)
    reader = Archive(cast.archive.path)
    cast.append(row(1), transactions={"a": 4}, cursors={"a": 1})
    assert reader.count(Scan())["posts"].to_pylist() == [1]
    for number in range(2, 8):
        cast.append(row(number), transactions={"b": number}, cursors={"b": number})
    Keeper(cast.archive).run_once()
    assert cast.archive.posts.log_length() <= 2
    for archive in (cast.archive, reader, Archive(cast.archive.path)):
        assert (archive.cursor("a"), archive.cursor("b"), archive.appended("a")) == (1, 7, 4)
        assert archive.count(Scan())["posts"].to_pylist() == [7]
    assert cast.append(row(9), transactions={"a": 4}).repeated


def test_the_keeper_works_beside_a_writer_in_another_process(cast: Any, row: Any) -> None:
    program = """
import sys
from datetime import UTC, datetime, timedelta
from talkworthy.archive import Archive
from talkworthy.schema import posts_table
archive = Archive(sys.argv[1], memory="128MB", threads=1)
for n in range(40):
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=n * 37 % 41)
    edit = {"uid": "test:example.org:0", "text": f"edit {n}", "published_at": at}
    edit["collected_at"] = at + timedelta(days=n)
    new = {"uid": f"test:example.org:{n}", "text": "x", "published_at": at}
    archive.append(posts_table([new, edit]), transactions={"feed": n + 1})
"""
    child = subprocess.Popen([sys.executable, "-c", program, str(cast.archive.path)])
    keeper = Keeper(cast.archive, pace=EAGER)
    while child.poll() is None:
        keeper.run_once()
        counted = cast.archive.table(Scan(columns=("uid",)))["uid"].to_pylist()
        assert len(counted) == len(set(counted))
    assert child.returncode == 0
    keeper.run_once()
    assert cast.archive.stats().rows == 40
    assert cast.archive.get(uid(0))["text"] == "edit 39"


def test_drafts_of_dead_writers_go_and_those_of_living_ones_stay(cast: Any) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    drafts = [cast.archive.path / "payloads" / f".x.arrow.{process}.00ff.tmp" for process in (dead.pid, os.getpid())]
    drafts[0].parent.mkdir(exist_ok=True)
    for draft in drafts:
        draft.write_bytes(b"half")
    Keeper(cast.archive).run_once()
    assert [draft.exists() for draft in drafts] == [False, True]
