"""Files that are torn, cut short, emptied or gone: what was accepted comes back, and what cannot is named."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from talkworthy.archive import Archive, Damaged, Keeper, Payload, Scan
from talkworthy.schema import POST, posts_table

EVERYTHING = Scan(columns=("id", "uid"))


def uid(number: int) -> str:
    return f"test:example.org:{number}"


def cut(path: Path, *, to: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * to)])


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name))


def again(cast: Any) -> Archive:
    """The same archive, opened by the next process."""
    cast.archive.close()
    return Archive(cast.archive.path, memory="256MB", threads=1)


@pytest.mark.parametrize("left", [0.0, 0.5, 0.97])
def test_posts_that_a_torn_entry_of_the_log_listed_are_listed_again(cast: Any, row: Any, left: float) -> None:
    cast.append(row(1), row(2))
    cast.append(row(3), row(4))
    cut(newest(cast.archive.posts.folder, "_delta_log/*.json"), to=left)
    archive = again(cast)
    assert archive.count(EVERYTHING)["posts"].to_pylist() == [4]
    assert archive.appended("feed") == 2
    assert archive.get(uid(4)) is not None
    assert again(cast).count(EVERYTHING)["posts"].to_pylist() == [4]


def test_what_was_appended_under_a_torn_entry_is_appended_once(cast: Any, row: Any, table: Any) -> None:
    cast.append(row(1))
    cast.append(row(2))
    cut(newest(cast.archive.posts.folder, "_delta_log/*.json"))
    archive = again(cast)
    assert archive.append(table(row(2)), transactions={"feed": 2}).repeated
    assert archive.append(table(row(3)), transactions={"feed": 3}).new.num_rows == 1
    assert archive.count(EVERYTHING)["posts"].to_pylist() == [3]


def test_a_file_whose_commit_never_came_is_not_listed_because_another_entry_is_torn(cast: Any, row: Any) -> None:
    cast.append(row(1))
    orphan = cast.archive.posts.folder / "new" / "0-orphan.parquet"
    orphan.write_bytes(newest(cast.archive.posts.folder, "new/*.parquet").read_bytes())
    cast.append(row(2))
    cut(newest(cast.archive.posts.folder, "_delta_log/*.json"))
    assert again(cast).count(EVERYTHING)["posts"].to_pylist() == [2]


@pytest.mark.parametrize("settled", [False, True])
def test_a_damaged_file_of_posts_is_named_and_heals_when_it_is_put_back(cast: Any, row: Any, settled: bool) -> None:
    cast.append(row(1), row(2))
    if settled:
        Keeper(cast.archive).run_once(everything=True)
    path = newest(cast.archive.posts.folder, "settled/*.parquet" if settled else "new/*.parquet")
    whole = path.read_bytes()
    cut(path)
    archive = again(cast)
    assert archive.damaged() == [path]
    with pytest.raises(Damaged) as told:
        archive.table(EVERYTHING)
    assert told.value.path == path
    path.write_bytes(whole)
    archive = again(cast)
    assert archive.damaged() == []
    assert archive.table(EVERYTHING).num_rows == 2


def test_a_missing_file_of_posts_is_named(cast: Any, row: Any) -> None:
    cast.append(row(1))
    path = newest(cast.archive.posts.folder, "new/*.parquet")
    path.unlink()
    assert again(cast).damaged() == [path]


@pytest.mark.parametrize("name", ["manifest.json", "*.run"])
def test_a_damaged_index_is_made_anew_and_nothing_is_appended_twice(cast: Any, row: Any, table: Any, name: str) -> None:
    cast.append(*(row(number) for number in range(20)))
    Keeper(cast.archive).run_once(everything=True)
    found = list((cast.archive.path / "index").glob(name))
    assert found
    for path in found:
        cut(path, to=0.4)
    archive = again(cast)
    assert archive.get(uid(7)) is not None
    assert archive.append(table(row(7), row(30)), transactions={"feed": 2}).new["uid"].to_pylist() == [uid(30)]
    assert archive.count(EVERYTHING)["posts"].to_pylist() == [21]


def test_a_damaged_batch_of_the_spool_is_told_from_one_that_is_gone(cast: Any, row: Any) -> None:
    spool = cast.archive.spool
    posts = posts_table([{name: value for name, value in row(1).items() if name in POST.names}])
    spooled = spool.write("feed", 1, posts)
    cut(newest(spool.folder, "*/*.arrow"))
    with pytest.raises(Damaged):
        spool.read(spooled)
    spool.put_aside(spooled)
    assert spool.pending() == []
    assert spool.damaged() == cast.archive.damaged()
    with pytest.raises(FileNotFoundError):
        spool.read(spooled)


@pytest.mark.parametrize("left", [0.0, 0.4, 0.95])
def test_a_damaged_payload_is_told_from_one_that_is_gone_and_can_be_put_aside(cast: Any, left: float) -> None:
    store = cast.archive.payloads
    ref = store.keep("feed", [Payload(bytes(range(256)) * 40, "a/b", None, datetime.now(UTC))], {"n": 1})
    cut(newest(store.folder, "*/pending/*.arrow"), to=left)
    with pytest.raises(Damaged):
        store.load(ref)
    store.put_aside(ref)
    assert (store.pending(), store.cursor("feed")) == ([], {"n": 1})
    assert store.damaged() == cast.archive.damaged()
    with pytest.raises(FileNotFoundError):
        store.load(ref)
    assert store.keep("feed", []).seq > ref.seq


def test_an_erasure_removes_what_cannot_be_read_any_more(cast: Any, row: Any, table: Any) -> None:
    cast.archive.append(table(row(1)), transactions={"feed": 1})
    store = cast.archive.payloads
    for number in (1, 2):
        ref = store.keep("other", [Payload(b"words" * number, "a/b", None, datetime.now(UTC))])
        cut(newest(store.folder, "other/pending/*.arrow"))
        store.put_aside(ref) if number == 1 else store.done(ref)
    cast.archive.erase(uids=[uid(1)])
    Keeper(cast.archive).run_once()
    assert [path for path in store.folder.rglob("*") if path.suffix in {".arrow", ".damaged"}] == []
