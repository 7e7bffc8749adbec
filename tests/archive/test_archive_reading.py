import json
import shutil
from datetime import timedelta
from typing import Any

from talkworthy.archive import Archive, Keeper, Pace, Scan
from talkworthy.archive.reading import Reader


def uid(number: int) -> str:
    return f"test:example.org:{number}"


def numbers(cast: Any, *uids: str) -> list[int]:
    return [cast.archive.get(name)["id"] for name in uids]


def test_posts_are_read_by_name_at_once_and_those_gone_are_left_out(cast: Any, row: Any) -> None:
    cast.append(row(1), row(2), row(3))
    cast.bury(uid(2))
    found = cast.archive.named([uid(3), uid(2), uid(1), uid(9)])
    assert found["uid"].to_pylist() == [uid(1), uid(3)]
    assert cast.archive.named([]).num_rows == 0


def test_what_arrived_since_a_version_is_told_also_of_old_posts(cast: Any, row: Any) -> None:
    cast.append(row(100), row(101))
    seen = cast.archive.stats().version
    assert cast.archive.arrived(seen) == []
    cast.append(row(102))
    cast.append(row(1, "late"))
    assert cast.archive.arrived(seen) == numbers(cast, uid(1), uid(102))
    assert cast.archive.arrived(seen + 1) == numbers(cast, uid(1))


def test_an_edit_is_no_arrival(cast: Any, row: Any) -> None:
    cast.append(row(1), row(2))
    seen = cast.archive.stats().version
    edited = row(1, "other words")
    cast.append({**edited, "collected_at": edited["collected_at"] + timedelta(days=1)}, row(3))
    assert cast.archive.arrived(seen) == numbers(cast, uid(3))


def test_what_arrived_is_told_also_after_the_keeper_settled_it(cast: Any, row: Any) -> None:
    cast.append(row(1))
    seen = cast.archive.stats().version
    cast.append(row(2))
    Keeper(cast.archive).run_once(everything=True)
    assert not cast.archive.stats().new_files
    assert cast.archive.arrived(seen) == numbers(cast, uid(2))


def test_what_arrived_too_long_ago_is_not_told(cast: Any, row: Any) -> None:
    cast.append(row(1))
    seen = cast.archive.stats().version
    cast.append(row(2))
    Keeper(cast.archive, pace=Pace(patience=0)).run_once(everything=True)
    assert cast.archive.arrived(seen) is None
    seen = cast.archive.stats().version
    cast.append(row(3))
    cast.archive.forget_versions()
    assert cast.archive.arrived(seen) is None


def by(number: int) -> dict[str, Any]:
    return {"author": {"id": f"a{number}", "handle": f"ann{number}"}}


def texts_of(archive: Archive, **asked: Any) -> list[str]:
    return archive.table(Scan(columns=("text",), limit=3, **asked))["text"].to_pylist()  # type: ignore[no-any-return]


def test_the_newest_posts_of_an_author_are_found_without_reading_everybodys(cast: Any, row: Any) -> None:
    cast.append(*(row(n, f"post {n}", **by(n % 40), channel="feed" if n < 100 else "email") for n in range(200)))
    assert texts_of(cast.archive, authors=("a7",)) == ["post 167", "post 127", "post 87"]
    assert texts_of(cast.archive, authors=("a7",), channels=("feed",)) == ["post 87", "post 47", "post 7"]
    assert texts_of(cast.archive, authors=("a7", "a8"), order="oldest") == ["post 7", "post 8", "post 47"]
    assert texts_of(cast.archive, authors=("nobody",)) == []


def test_an_author_without_an_id_is_found_by_the_handle(cast: Any, row: Any) -> None:
    cast.append(*(row(n, f"post {n}", author={"handle": f"ann{n % 40}"}) for n in range(100)))
    cast.append(row(100, "post 100", **by(7)), row(101, "post 101"))
    assert texts_of(cast.archive, authors=("ann7",)) == ["post 87", "post 47", "post 7"]
    Keeper(cast.archive).run_once(everything=True)
    assert texts_of(Archive(cast.archive.path, threads=1), authors=("ann7",)) == ["post 87", "post 47", "post 7"]
    counted = cast.archive.count(Scan(authors=("ann7", "a7")), by=("author",)).to_pylist()
    assert [(one["author"], one["posts"]) for one in counted] == [("ann7", 3), ("a7", 1)]


def test_an_index_of_an_older_version_learns_the_authors_from_the_keeper(cast: Any, row: Any) -> None:
    cast.append(*(row(n, f"post {n}", **by(n)) for n in range(5)))
    Keeper(cast.archive).run_once(everything=True)
    manifest = cast.archive.path / "index" / "manifest.json"
    older = json.loads(manifest.read_bytes())
    del older["runs"]["account"]
    manifest.write_text(json.dumps(older))
    archive = Archive(cast.archive.path, threads=1)
    cast.archive = archive
    cast.append(row(9, "post 9", **by(3)))
    assert not archive.index.has("account")
    assert texts_of(archive, authors=("a3",)) == ["post 9", "post 3"]
    Keeper(archive).run_once()
    assert archive.index.has("account")
    assert texts_of(archive, authors=("a3",)) == ["post 9", "post 3"]
    cast.append(row(10, "post 10", **by(3)))
    Keeper(archive).run_once(everything=True)
    assert texts_of(Archive(archive.path, threads=1), authors=("a3",)) == ["post 10", "post 9", "post 3"]


def test_an_older_index_learns_channels_and_sentiments_of_mentions_from_the_keeper(cast: Any, row: Any) -> None:
    cast.append(*(row(n, f"post {n}", monitors=[3], sentiment="negative") for n in range(3)))
    Keeper(cast.archive).run_once(everything=True)
    manifest = cast.archive.path / "index" / "manifest.json"
    older = json.loads(manifest.read_bytes())
    older["runs"]["monitor"] = older["runs"].pop("mention")
    manifest.write_text(json.dumps(older))
    archive = Archive(cast.archive.path, threads=1)
    assert texts_of(archive, monitors_any=(3,), sentiments=("negative",)) == ["post 2", "post 1", "post 0"]
    Keeper(archive).run_once()
    assert archive.index.has("mention")
    assert texts_of(archive, monitors_any=(3,), sentiments=("negative",)) == ["post 2", "post 1", "post 0"]
    assert not list(archive.index.folder.glob("monitor-*"))


def mentions_of(cast: Any, *sentiments: str) -> list[str]:
    """The posts of monitor 3 with a sentiment, read by somebody who just came."""
    archive = Archive(cast.archive.path, threads=1)
    scan = Scan(columns=("uid",), monitors_any=(3,), sentiments=sentiments, limit=9)
    return archive.table(scan)["uid"].to_pylist()  # type: ignore[no-any-return]


def test_mentions_are_found_by_what_they_became_before_and_after_the_keeper(cast: Any, row: Any) -> None:
    cast.append(*(row(n, monitors=[3] if n < 4 else [], sentiment="negative") for n in range(6)))
    Keeper(cast.archive).run_once(everything=True)
    cast.change(uid(1), "sentiment", "positive")
    cast.change(uid(4), "monitor:3", "true")
    edited = row(1, "other words", monitors=[3, 5], sentiment="neutral")
    cast.append({**edited, "collected_at": edited["collected_at"] + timedelta(days=1)})
    for _ in range(2):
        assert mentions_of(cast, "negative") == [uid(4), uid(3), uid(2), uid(0)]
        assert mentions_of(cast, "positive") == [uid(1)]
        assert mentions_of(cast, "neutral") == []
        assert mentions_of(cast) == [uid(4), uid(3), uid(2), uid(1), uid(0)]
        Keeper(cast.archive).run_once(everything=True)
    assert not cast.archive.stats().waiting["changes"]


def test_what_was_tied_is_found_after_the_index_was_lost(cast: Any, row: Any) -> None:
    cast.append(*(row(n, sentiment="negative") for n in range(6)))
    Keeper(cast.archive).run_once(everything=True)
    cast.change(uid(4), "monitor:3", "true")
    shutil.rmtree(cast.archive.index.folder)
    assert mentions_of(cast, "negative") == [uid(4)]
    Keeper(cast.archive).run_once(everything=True)
    assert mentions_of(cast, "negative") == [uid(4)]


def test_a_filtered_monitor_reads_the_rows_that_it_shows(cast: Any, row: Any, monkeypatch: Any) -> None:
    channels, felt = ("feed", "email"), ("negative", "positive", None)
    cast.append(*(row(n, monitors=[3], channel=channels[n % 2], sentiment=felt[n % 3]) for n in range(600)))
    asked: list[int] = []
    rows = Reader._rows
    monkeypatch.setattr(Reader, "_rows", lambda self, ids, *a, **k: asked.append(len(ids)) or rows(self, ids, *a, **k))
    scan = Scan(columns=("uid",), monitors_any=(3,), channels=("email",), sentiments=("negative",), limit=9)
    found = cast.archive.table(scan)["uid"].to_pylist()
    assert found == [uid(n) for n in range(599, 0, -1) if n % 2 and n % 3 == 0][:9]
    assert asked == [9]
