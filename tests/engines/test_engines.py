"""Every engine gives the same posts; one that runs on a cluster also where a worker is killed in the middle.

Ray and Spark are extras: their tests run where they are installed, Spark's where there is a Java besides.
"""

import gc
import importlib.util
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from talkworthy.archive import Archive, UnknownVersion
from talkworthy.engines import NoEngine, Plan, analyse_archive, analyse_file, pieces, running
from talkworthy.schema import posts_table
from talkworthy.schema.formats import write_jsonl

MOODS = ("I love it", "My router is broken and nobody answers", "Wo kann ich das kaufen?", "ok", "C'est nul")
NOON = "2026-03-01T12:00:00"


def posts(count):
    """Posts against the order of their uids, of few moods, so that near copies are among them."""
    return posts_table(
        {
            "uid": f"test::{(7 * number) % count:05d}",
            "text": f"{MOODS[number % 5]} {number // 50}",
            "published_at": NOON,
        }
        for number in range(count)
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "posts.jsonl"
    with path.open("wb") as stream:
        write_jsonl([posts(600)], stream)
    return path


@pytest.fixture
def small(monkeypatch):
    """Pieces so small that there are many."""
    monkeypatch.setitem(pieces.cut.__kwdefaults__, "size", 50)


def analysed(file, target, engine="local", **given):
    done = analyse_file(file, target, Plan(engine, **given), warn=lambda _: None, told=lambda *_: None)
    assert done.posts == 600
    return target.read_bytes()


def test_the_posts_come_out_in_the_order_of_their_uid_with_annotations(file, tmp_path, small):
    analysed(file, tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.schema.names == pieces.ANNOTATED.names
    assert found["uid"].to_pylist() == [f"test::{number:05d}" for number in range(600)]
    assert set(found["detected_language"].to_pylist()) >= {"en", "de"} and found["near_hash"].null_count < 600


def test_what_is_said_of_a_post_does_not_hang_on_its_piece(file, tmp_path, monkeypatch):
    found = []
    for size in (37, 600):
        monkeypatch.setitem(pieces.cut.__kwdefaults__, "size", size)
        analysed(file, tmp_path / "out.parquet")
        found.append(pq.read_table(tmp_path / "out.parquet").drop_columns(["near_hash"]))
    assert found[0] == found[1]


def test_of_two_lines_with_one_uid_the_earlier_stands_first(tmp_path):
    lines = tmp_path / "twice.jsonl"
    lines.write_text("".join(f'{{"uid": "1", "text": "{word}", "published_at": "{NOON}"}}\n' for word in "zab"))
    target = tmp_path / "out.parquet"
    analyse_file(lines, target, Plan("local"), warn=lambda _: None, told=lambda *_: None)
    assert pq.read_table(target)["text"].to_pylist() == ["z", "a", "b"]


def test_a_piece_done_twice_is_the_same_piece(tmp_path):
    assert pieces.cut(posts(60).to_batches(), tmp_path, size=40) == 2
    made = []
    for _ in range(2):
        assert pieces.annotate(tmp_path, 1) == 20
        made.append((tmp_path / "part-00001.parquet").read_bytes())
    assert made[0] == made[1]


def test_nothing_is_left_in_the_folder_of_work_even_where_the_engine_fails(file, tmp_path, monkeypatch):
    work = tmp_path / "work"
    analysed(file, tmp_path / "out.jsonl", work=work)
    monkeypatch.setattr(running, "engine_named", lambda _: lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        analysed(file, tmp_path / "other.jsonl", work=work)
    assert list(work.iterdir()) == [] and not (tmp_path / "other.jsonl").exists()


def test_an_engine_that_is_not_installed_says_how_it_comes(monkeypatch):
    monkeypatch.setitem(running.ENGINES, "ray", "local_ray")
    with pytest.raises(NoEngine, match=r"pip install 'talkworthy\[ray\]'"):
        running.engine_named("ray")


def test_the_local_engine_has_no_cluster(file, tmp_path):
    with pytest.raises(ValueError, match="leave out --address"):
        analysed(file, tmp_path / "out.jsonl", address="auto")


@pytest.fixture
def archive(tmp_path):
    with Archive(tmp_path / "archive", memory="256MB", threads=1) as made:
        rows = posts(20)
        source = pa.array(["feed"] * 20, pa.string())
        rows = rows.set_column(rows.schema.get_field_index("source"), "source", source)
        made.append(rows.slice(0, 12), transactions={"feed": 1})
        made.append(rows.slice(12), transactions={"feed": 2})
        yield made


def of_archive(archive, tmp_path, version=None):
    target = tmp_path / "out.parquet"
    done = analyse_archive(archive.path, target, Plan("local"), version=version, told=lambda *_: None)
    return done, pq.read_table(target)["uid"].to_pylist()


def test_a_snapshot_of_the_archive_is_read_as_of_its_version(archive, tmp_path):
    newest, uids = of_archive(archive, tmp_path)
    assert uids == sorted(posts(20)["uid"].to_pylist())
    older, fewer = of_archive(archive, tmp_path, newest.version - 1)
    assert (older.posts, older.version) == (12, newest.version - 1)
    assert fewer == sorted(posts(20)["uid"].to_pylist()[:12])


def test_what_was_erased_since_stays_away_from_an_older_version_too(archive, tmp_path):
    version = archive.snapshot().version
    archive.erase(uids=["test::00007"])
    _, uids = of_archive(archive, tmp_path, version)
    assert len(uids) == 19 and "test::00007" not in uids


def test_a_version_that_is_not_there_is_named(archive, tmp_path):
    with pytest.raises(UnknownVersion, match="no version 99"):
        of_archive(archive, tmp_path, 99)


def test_a_folder_that_is_no_archive_is_left_as_it_is(tmp_path):
    with pytest.raises(ValueError, match="is no archive"):
        analyse_archive(tmp_path, tmp_path / "out.jsonl", Plan("local"), told=lambda *_: None)
    assert list(tmp_path.iterdir()) == []


# On clusters


@pytest.fixture
def two_nodes():
    """A Ray cluster of two nodes on this machine; the second may be killed."""
    if not importlib.util.find_spec("ray"):
        pytest.skip("ray is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster, second
    cluster.shutdown()


@pytest.fixture
def spark_address(monkeypatch):
    """Two executors, each a process of its own."""
    if not importlib.util.find_spec("pyspark") or not shutil.which("java"):
        pytest.skip("pyspark or java is not installed")
    import pyspark

    monkeypatch.setenv("SPARK_HOME", str(Path(pyspark.__file__).parent))
    return "local-cluster[2,1,1024]"


def once_a_part_is_done(work, strike):
    """Strike when the first piece has come back; returns a list that says whether it was struck in the middle."""
    told = []

    def watch():
        while not (parts := list(work.glob("*/part-*.parquet"))):
            time.sleep(0.02)
        strike()
        told.append(len(parts))

    threading.Thread(target=watch, daemon=True).start()
    return told


@pytest.mark.filterwarnings("default")
def test_ray_gives_the_same_posts_where_a_node_dies_in_the_middle(file, tmp_path, small, two_nodes):
    cluster, second = two_nodes
    work = tmp_path / "work"
    struck = once_a_part_is_done(work, lambda: cluster.remove_node(second, allow_graceful=False))
    found = analysed(file, tmp_path / "ray.jsonl", "ray", address=cluster.address, work=work)
    assert struck and struck[0] < 12
    assert found == analysed(file, tmp_path / "local.jsonl")


@pytest.mark.filterwarnings("default")
def test_spark_gives_the_same_posts_where_an_executor_dies_in_the_middle(file, tmp_path, small, spark_address):
    work = tmp_path / "work"

    def strike():
        os.kill(executors()[0], signal.SIGKILL)

    struck = once_a_part_is_done(work, strike)
    found = analysed(file, tmp_path / "spark.jsonl", "spark", address=spark_address, work=work)
    gc.collect()
    assert struck and struck[0] < 12
    assert found == analysed(file, tmp_path / "local.jsonl")


def executors():
    """Executors that this process's own Spark has started: its Java's grandchildren and below."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, _ in rows}

    def is_ours(pid):
        while pid > 1 and pid != os.getpid():
            pid = parents.get(pid, 1)
        return pid == os.getpid()

    return [int(pid) for pid, _, words in rows if "CoarseGrainedExecutorBackend" in words and is_ours(int(pid))]
