"""Processes that understand posts answer as this one does, and whatever befalls them loses and doubles nothing."""

import logging
import os
import signal
import threading
from datetime import UTC, datetime

import pytest

from talkworthy.archive import Scan
from talkworthy.listening import actions, collecting
from talkworthy.listening.collecting import Listener, source_key
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.models import Job, Source
from talkworthy.listening.stores import archive_of
from talkworthy.listening.understanding import Monitors, NotUnderstood, Understanders, pieces, understood
from talkworthy.schema import posts_table

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
TEXTS = (
    "Acme is wonderful, I love it",
    "my acme router is broken and support never answers @acme",
    "¿Dónde puedo comprar Acme? https://example.org/a",
    "アクメはどこで買えますか",
    "",
    "globex is slow again!!! 😡 #globex",
    "nothing about anybody",
)


def rows(start, count, source="x"):
    return posts_table(
        {
            "uid": f"feed:example.net:{number}",
            "text": f"{TEXTS[number % len(TEXTS)]} {number % 50}" if TEXTS[number % len(TEXTS)] else "",
            "published_at": NOW,
            "collected_at": NOW,
            "source": source,
        }
        for number in range(start, start + count)
    )


@pytest.fixture(scope="module")
def pool():
    with Understanders(2) as made:
        yield made


@pytest.fixture
def waiting(filled, monkeypatch):
    """Four groups of 70 posts in the spool of a workspace, each worth a process."""
    monkeypatch.setattr(collecting, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(collecting, "POSTS_A_BATCH", 70)
    key = source_key(Source.objects.get(workspace=filled, name="Posts"))
    for number in range(4):
        archive_of(filled).spool.write(key, number + 2, rows(70 * number, 70, key))
    return filled


def held(workspace):
    columns = ("uid", "monitors", "sentiment", "intent", "urgency", "detected_language", "text_hash")
    found = archive_of(workspace).table(Scan(columns=columns, order=None)).to_pylist()
    return sorted((row for row in found if row["uid"].startswith("feed:example.net:")), key=lambda row: row["uid"])


def test_a_process_answers_as_this_one_does(pool):
    monitors = Monitors(((3, "acme"), (5, "globex OR router"), (8, "likes >")), NOW)
    matching = monitors.matching()
    for piece in pieces(rows(0, 2_100)):
        answer = pool.ask(piece, monitors).result()
        assert answer.equals(understood(piece, matching))
        assert {3, 5} == {key for keys in answer["monitors"].to_pylist() for key in keys}


def test_a_monitor_that_asks_for_touchpoints_sees_those_of_the_same_piece(pool):
    queries = ((3, "acme AND touchpoint:support"), (5, "support"), (7, "acme -touchpoint:support"), (9, "globex"))
    monitors = Monitors(queries, NOW, ((5, "support"),))
    (piece,) = pieces(rows(0, 7))
    answer = pool.ask(piece, monitors).result()
    assert answer["monitors"].to_pylist() == [[7], [5, 3], [7], [], [], [9], []]
    assert answer.equals(understood(piece, monitors.matching()))


def test_what_the_process_cannot_do_is_said_and_the_process_stays(pool):
    pool.ask(rows(0, 3).to_batches()[0], Monitors()).result()
    stood = pool.pids()
    with pytest.raises(NotUnderstood, match="text"):
        pool.ask(rows(0, 3).to_batches()[0].drop_columns(["text"]), Monitors()).result()
    for _more in range(2):
        pool.ask(rows(0, 3).to_batches()[0], Monitors()).result()
    assert pool.pids() == stood


@pytest.mark.django_db
def test_with_processes_the_same_is_stored_as_without(waiting, pool, agree):
    listener = Listener(waiting, understanders=pool)
    assert listener.store_pending(now=NOW).new == 280
    posts = [
        row for number in range(4) for row in Listener(waiting).understand(rows(70 * number, 70), now=NOW).to_pylist()
    ]
    alone = {row["uid"]: row for row in posts}
    assert held(waiting) == [{name: alone[row["uid"]][name] for name in row} for row in held(waiting)]
    agree(waiting)


@pytest.mark.django_db
def test_processes_that_are_killed_in_the_middle_lose_nothing(waiting, pool, agree):
    listener = Listener(waiting, understanders=pool)
    append, killed = listener.archive.append, []

    def kill_and_append(*args, **more):
        for pid in pool.pids():
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        return append(*args, **more)

    listener.archive.append = kill_and_append
    try:
        assert listener.store_pending(now=NOW).new == 280
    finally:
        listener.archive.append = append
    assert len(set(killed)) > 2 and len(held(waiting)) == 280
    agree(waiting)


@pytest.mark.django_db
def test_without_any_process_left_posts_are_understood_where_they_are_stored(waiting, agree, caplog):
    with Understanders(1) as ended:
        pass
    with caplog.at_level(logging.WARNING, logger="talkworthy.listening.collecting"):
        assert Listener(waiting, understanders=ended).store_pending(now=NOW).new == 280
    assert "understood where they are stored" in caplog.text
    agree(waiting)


@pytest.mark.django_db
def test_a_monitor_made_after_posts_were_looked_at_still_finds_them(waiting, pool, alice):
    listener = Listener(waiting, understanders=pool)
    listener.store_pending(now=NOW, leave=2)
    made = actions.create_monitor(
        waiting, name="Slow", kind="topic", colour="blue", owner=None, query="slow", by=alice, now=NOW
    )
    listener.store_pending(now=NOW)
    found = [row for row in held(waiting) if int(row["uid"].rpartition(":")[2]) >= 140]
    assert len(found) == 140 and {made.pk in row["monitors"] for row in found} == {True, False}


@pytest.mark.django_db
def test_few_posts_wake_no_process(filled):
    with Understanders(1) as pool:
        Listener(filled, understanders=pool).understand(rows(0, collecting.WORTH_A_PROCESS - 1), now=NOW)
        assert pool.pids() == []


@pytest.mark.django_db
def test_an_import_that_is_interrupted_goes_on_in_the_next_process(workspace, alice, tmp_path):
    file = tmp_path / "posts.jsonl"
    file.write_text('{"uid": "shop:example.net:1", "text": "Acme", "published_at": "2026-03-01T10:00:00Z"}\n')
    actions.start_import(workspace, path=file, name="posts.jsonl", format="jsonl", mapping={}, by=alice, now=NOW)
    stopping = threading.Event()
    stopping.set()
    job = claim_job(now=NOW)
    run_job(job, Listener(workspace, stopping=stopping))
    job.refresh_from_db()
    assert (job.state, job.attempts, file.exists()) == (Job.State.WAITING, 0, True)
    run_job(claim_job(now=NOW), Listener(workspace))
    job.refresh_from_db()
    assert (job.state, archive_of(workspace).stats().rows) == (Job.State.DONE, 1)


COPY = "The router of {} lost its connection again this morning, and nobody told us why it did"


def copies(names, start, key):
    """Posts that say nearly the same, each with an end of its own."""
    return posts_table(
        {
            "uid": f"feed:example.net:{start + place}",
            "text": COPY.format("Acme") + f" https://example.org/{name} {'!' * place}",
            "published_at": NOW,
            "collected_at": NOW,
            "source": key,
        }
        for place, name in enumerate(names)
    )


@pytest.mark.django_db
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("others", [False, True])
def test_copies_that_come_in_other_batches_are_one_family(filled, pool, monkeypatch, restarts, others):
    monkeypatch.setattr(collecting, "WORTH_A_PROCESS", 1)
    key = source_key(Source.objects.get(workspace=filled, name="Posts"))
    listener = Listener(filled, understanders=pool if others else None)
    waves = (("a",), ("b", "c"), ("d",))
    for number, names in enumerate(waves):
        listener.archive.spool.write(key, number + 2, copies(names, 10 * number, key))
        listener.archive.spool.write(key, number + 10, rows(3 + number, 1, key))
        listener.store_pending(now=NOW)
        if restarts:
            listener = Listener(filled, understanders=pool if others else None)
    found = (
        archive_of(filled).table(Scan(columns=("uid", "text", "text_hash", "near_hash"), order="oldest")).to_pylist()
    )
    family = {row["uid"]: row for row in found if "lost its connection" in row["text"]}
    first = family.pop("feed:example.net:0")
    assert first["near_hash"] is None and len(family) == 3
    assert {row["near_hash"] for row in family.values()} == {first["text_hash"]}
    assert [row["near_hash"] for row in found if row["uid"] == "feed:example.net:5"] == [None]


@pytest.mark.django_db
def test_texts_of_erased_posts_are_not_kept_to_find_copies(filled, alice):
    key = source_key(Source.objects.get(workspace=filled, name="Posts"))
    listener = Listener(filled)
    listener.archive.spool.write(key, 2, copies(("a",), 0, key))
    listener.store_pending(now=NOW)
    assert "lost its connection" in remembered(listener)
    asked = {"uids": ["feed:example.net:0"], "channel": "", "author_id": "", "why": "asked"}
    actions.start_erasure(filled, **asked, by=alice, now=NOW)
    while job := claim_job(now=NOW):
        run_job(job, listener)
    listener.archive.spool.write(key, 3, copies(("b",), 10, key))
    listener.store_pending(now=NOW)
    assert "/a" not in remembered(listener) and "/b" in remembered(listener)


def remembered(listener):
    return " ".join(text.folded for text in listener._copies._texts if text is not None)
