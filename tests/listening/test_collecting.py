"""From a folder of files to the archive: twice is once, a fault stops nothing, and a crash loses nothing."""

import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from talkworthy import archive as river
from talkworthy.archive import Scan
from talkworthy.connectors.contract import Page
from talkworthy.connectors.payload import Payload
from talkworthy.listening import actions, collecting, cube
from talkworthy.listening.collecting import Listener, fetch_source, keep_page, parse_pending, source_key
from talkworthy.listening.models import HourCube, Source
from talkworthy.listening.stores import archive_of, http_for, payloads_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
GOOD = [
    {"uid": f"shop:example.net:{n}", "text": text, "published_at": f"2026-03-0{n}T10:00:00Z"}
    for n, text in enumerate(("Acme is fine", "nobody is named", "globex is late"), start=1)
]


def put(folder, name, *lines):
    """A file that nobody is writing any more."""
    path = folder / name
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    os.utime(path, (time.time() - 60, time.time() - 60))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "inbox"
    made.mkdir()
    return made


@pytest.fixture
def source(filled, folder, alice):
    return actions.create_source(
        filled, connector="files", name="Inbox", settings={"path": str(folder)}, by=alice, now=NOW
    )


def collect(source):
    with http_for(source.workspace) as http:
        fetch_source(source, http, now=NOW)
    archive = archive_of(source.workspace)
    parse_pending(source.workspace, archive=archive)
    return Listener(source.workspace).store_pending(now=NOW)


def stored(source):
    rows = archive_of(source.workspace).table(Scan(columns=("uid", "source", "monitors"), order=None)).to_pylist()
    return sorted(row["uid"] for row in rows if row["source"] == source_key(source))


def test_what_lies_in_the_folder_comes_into_the_archive_with_its_monitors(source, folder, agree):
    put(folder, "a.jsonl", *GOOD)
    assert collect(source).new == 3
    assert stored(source) == [post["uid"] for post in GOOD]
    post = archive_of(source.workspace).get("shop:example.net:1")
    assert post["monitors"] == [source.workspace.monitors.get(name="Acme").pk]
    agree(source.workspace)


def test_collecting_twice_changes_nothing(source, folder, agree):
    put(folder, "a.jsonl", *GOOD)
    collect(source)
    assert collect(source).new == 0
    assert len(stored(source)) == 3
    agree(source.workspace)


def test_the_same_posts_under_another_name_are_known(source, folder, agree):
    put(folder, "a.jsonl", *GOOD)
    collect(source)
    put(folder, "b.jsonl", *GOOD)
    assert collect(source).new == 0
    agree(source.workspace)


def test_the_source_says_what_came_and_when(source, folder):
    put(folder, "a.jsonl", *GOOD)
    collect(source)
    collect(source)
    source.refresh_from_db()
    assert (source.posts, source.last_arrival_at) == (3, NOW)
    assert source.last_post_at == datetime(2026, 3, 3, 10, tzinfo=UTC)


def test_a_broken_line_is_set_aside_with_its_reason_and_the_rest_goes_on(source, folder, agree):
    put(folder, "a.jsonl", GOOD[0], "{broken", GOOD[2])
    collect(source)
    assert len(stored(source)) == 2
    [aside] = payloads_of(source.workspace).aside(source_key(source))
    assert "line 2" in aside.reason and "{broken" in aside.reason
    agree(source.workspace)


def test_a_file_that_cannot_be_read_at_all_is_set_aside_and_the_others_come(source, folder):
    put(folder, "a.json", "<html>not what was expected</html>")
    put(folder, "b.jsonl", *GOOD)
    collect(source)
    assert len(stored(source)) == 3
    [aside] = payloads_of(source.workspace).aside(source_key(source))
    assert "not JSON" in aside.reason and aside.payload.body.startswith(b"<html>")


def test_what_was_set_aside_comes_once_the_reason_is_gone(source, folder, alice, agree):
    put(folder, "a.csv", "when,words", "3/4/2026,Acme by post", "5/6/2026,nothing to see")
    collect(source)
    assert payloads_of(source.workspace).count_aside(source_key(source)) == 1
    settings = {
        "path": str(folder),
        "columns": "text = words\npublished_at = when",
        "day_first": "day",
    }
    source = actions.change_source(source, settings=settings, by=alice, now=NOW)
    assert actions.replay_all_aside(source, by=alice, now=NOW) == 1
    assert parse_pending(source.workspace, archive=archive_of(source.workspace)) == 1
    Listener(source.workspace).store_pending(now=NOW)
    assert len(stored(source)) == 2
    assert payloads_of(source.workspace).count_aside(source_key(source)) == 0
    agree(source.workspace)


def test_a_fault_of_a_parser_sets_its_payload_aside(source, folder, monkeypatch, caplog):
    put(folder, "a.jsonl", *GOOD)
    monkeypatch.setattr(collecting, "_read", lambda *_: 1 / 0)
    collect(source)
    [aside] = payloads_of(source.workspace).aside(source_key(source))
    assert aside.reason == "The parser failed: ZeroDivisionError: division by zero"


def test_payloads_wait_while_their_connector_is_missing(source, folder, caplog):
    put(folder, "a.jsonl", *GOOD)
    with http_for(source.workspace) as http:
        fetch_source(source, http, now=NOW)
    Source.objects.filter(pk=source.pk).update(connector="not_installed")
    parse_pending(source.workspace, archive=archive_of(source.workspace))
    assert len(payloads_of(source.workspace).pending(source_key(source))) == 1
    Source.objects.filter(pk=source.pk).update(connector="files")
    collect(source)
    assert len(stored(source)) == 3


def test_a_damaged_payload_is_put_aside_and_the_others_come(source, folder, caplog):
    store = payloads_of(source.workspace)
    store.keep(source_key(source), [river.Payload(b"x" * 100, "a/b", None, NOW)])
    [torn] = store.folder.glob("*/pending/*.arrow")
    torn.write_bytes(torn.read_bytes()[:50])
    put(folder, "a.jsonl", *GOOD)
    collect(source)
    assert len(stored(source)) == 3
    assert [path.name for path in store.damaged()] == [f"{torn.stem}.damaged"]


@pytest.mark.parametrize(("keep", "uids"), [("all", "123"), ("matched", "13")])
def test_only_what_its_source_wants_is_kept(source, folder, agree, keep, uids):
    Source.objects.filter(pk=source.pk).update(keep=keep)
    put(folder, "a.jsonl", *GOOD)
    collect(source)
    assert stored(source) == [f"shop:example.net:{n}" for n in uids]
    agree(source.workspace)


def test_of_a_sample_every_mention_and_a_share_of_the_rest_is_kept(source, folder):
    Source.objects.filter(pk=source.pk).update(keep="sample", sample_percent=20)
    rest = [{**GOOD[1], "uid": f"shop:example.net:r{n}"} for n in range(200)]
    put(folder, "a.jsonl", *GOOD, *rest)
    collect(source)
    kept = stored(source)
    assert "shop:example.net:1" in kept and 20 < len(kept) < 70
    collect(source)
    assert stored(source) == kept


def test_a_fetch_that_fails_keeps_what_came_before(source, folder):
    store = payloads_of(source.workspace)
    kept = Page(payloads=(Payload(body=b"{}", fetched_at=NOW),), cursor={"page": 1})
    keep_page(store, source, kept, known=None)
    assert store.cursor(source_key(source)) == {"page": 1} and keep_page(store, source, Page(), known=None) is None


def boom(*_args, **_more):
    raise RuntimeError("the power went")


def after(function):
    def went(*args, **more):
        function(*args, **more)
        boom()

    return went


POINTS = ["append", "appended", "observe", "observed", "bury", "buried", "count", "counted", "noted", "removed one"]


@pytest.mark.parametrize("more_came", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_storing_cut_short_anywhere_and_done_again_counts_all_once(
    filled, arrive, row, agree, monkeypatch, point, more_came
):
    later = NOW + timedelta(hours=1)
    likes = {"replies": None, "shares": None, "likes": 7, "views": None, "taken_at": later}
    known = row(5, "Wo kann ich Acme kaufen?", engagement=likes)
    edited = row(3, "Now acme and globex are named", collected_at=later)
    seen = {"uid": "feed:example.org:0", "published_at": NOW, **likes}
    gone = {"uid": "feed:example.org:6", "deleted_at": NOW, "reason": "deleted"}
    arrive(filled, [row(40), known], seq=2)
    listener = arrive(filled, [edited, row(41)], seq=3, observations=[seen], tombstones=[gone])
    archive = listener.archive
    places = {
        "append": (archive, "append", boom),
        "appended": (archive, "append", after(archive.append)),
        "observe": (archive, "observe", boom),
        "observed": (archive, "observe", after(archive.observe)),
        "bury": (archive, "bury", boom),
        "buried": (archive, "bury", after(archive.bury)),
        "count": (cube, "count_stored", boom),
        "counted": (cube, "count_stored", after(cube.count_stored)),
        "noted": (collecting, "_note_arrivals", boom),
        "removed one": (archive.spool, "remove", after(archive.spool.remove)),
    }
    with monkeypatch.context() as patched:
        patched.setattr(*places[point])
        with pytest.raises(RuntimeError, match="the power went"):
            listener.store_pending(now=NOW)
    if more_came:
        arrive(filled, [row(42)], seq=4)
    Listener(filled).store_pending(now=NOW)
    agree(filled)
    posts = sum(HourCube.objects.filter(workspace=filled, monitor=0).values_list("posts", flat=True))
    assert posts == 12 + 2 - 1 + more_came
    assert archive.spool.pending() == []


@pytest.mark.parametrize("step", ["keep", "write", "done"])
def test_fetching_and_parsing_cut_short_and_done_again_brings_all_once(source, folder, monkeypatch, agree, step):
    put(folder, "a.jsonl", *GOOD)
    archive = archive_of(source.workspace)
    place = {
        "keep": (collecting, "keep_page", after(collecting.keep_page)),
        "write": (archive.spool, "write", after(archive.spool.write)),
        "done": (archive.payloads, "done", boom),
    }[step]
    with monkeypatch.context() as patched, suppress(RuntimeError):
        patched.setattr(*place)
        collect(source)
    collect(source)
    assert len(stored(source)) == 3
    agree(source.workspace)


def test_a_damaged_batch_of_the_spool_is_parsed_again_and_holds_nobody_up(source, folder, agree):
    put(folder, "a.jsonl", *GOOD[:2])
    archive = archive_of(source.workspace)
    with http_for(source.workspace) as http:
        fetch_source(source, http, now=NOW)
    parse_pending(source.workspace, archive=archive)
    (spooled,) = archive.spool.pending()
    path = next(archive.spool.folder.glob("*/*.arrow"))
    path.write_bytes(path.read_bytes()[:100])
    put(folder, "b.jsonl", GOOD[2])
    collect(source)
    collect(source)
    assert stored(source) == [post["uid"] for post in GOOD]
    assert spooled not in archive.spool.pending()
    assert archive.damaged() == archive.spool.damaged() != []
    agree(source.workspace)
