"""A writer and a keeper are killed at random moments; nothing is lost and nothing doubled.

ARCHIVE_CRASH_SECONDS makes it longer than the few seconds it takes otherwise.
"""

import json
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from talkworthy.archive import Archive, Keeper, Scan

SECONDS = float(os.environ.get("ARCHIVE_CRASH_SECONDS", "9"))
FETCHES = 60 if SECONDS < 30 else int(SECONDS * 2)
POSTS = 7

_PROGRAM = """
    import json, os, random, signal, sys, time
    from datetime import UTC, datetime, timedelta
    from talkworthy.archive import Archive, Keeper, Pace, Payload
    from talkworthy.schema import posts_table

    START = datetime(2026, 3, 1, tzinfo=UTC)

    def hour(number):
        return START + timedelta(hours=number)

    def parsed(payload):
        first = json.loads(payload.body)["first"]
        given = {"collected_at": payload.fetched_at, "source": "feed"}
        rows = [
            {"uid": f"test:x:{n}", "text": f"post {n}", "published_at": hour(n * 7919 % 4000), **given}
            for n in range(first, first + POSTS)
        ]
        again = {"uid": "test:x:0", "text": f"edited {first}", "published_at": START, **given}
        return posts_table([*rows, again] if first else rows)

    def work():
        archive = Archive(sys.argv[1], memory="128MB", threads=1)
        keeper = Keeper(archive, pace=Pace(settle_files=5, leave=1, fold_rows=5, small_files=3, patience=0))
        with archive.writing(wait=30):
            while True:
                cursor = archive.payloads.cursor("feed") or {"next": 0}
                if (first := cursor["next"]) < FETCHES * POSTS:
                    body = json.dumps({"first": first}).encode()
                    fetched = Payload(body, "application/json", None, datetime.now(UTC))
                    archive.payloads.keep("feed", [fetched], {"next": first + POSTS})
                for ref in archive.payloads.pending("feed"):
                    for payload in archive.payloads.load(ref):
                        archive.spool.write("feed", ref.seq, parsed(payload))
                    archive.payloads.done(ref)
                for spooled in archive.spool.pending():
                    batch = archive.spool.read(spooled)
                    seqs = {"feed": spooled.seq}
                    archive.append(batch.posts, transactions=seqs, cursors={"feed": {"seq": spooled.seq}})
                    archive.spool.remove(spooled)
                keeper.run_once()
                if first >= FETCHES * POSTS:
                    return

    chance, kills, deadline = random.Random(5), 0, time.monotonic() + SECONDS
    while True:
        child = os.fork()  # no thread runs in this process yet
        if not child:
            try:
                work()
                os._exit(0)
            finally:
                os._exit(1)
        wait = chance.uniform(0.0, 0.5) if time.monotonic() < deadline else 300
        until = time.monotonic() + wait
        while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < until:
            time.sleep(0.002)
        if ended[0]:
            print(json.dumps({"kills": kills, "status": ended[1]}))
            break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is posix")
def test_a_writer_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    program = textwrap.dedent(_PROGRAM)
    for name, value in (("FETCHES", FETCHES), ("POSTS", POSTS), ("SECONDS", SECONDS)):
        program = program.replace(name, str(value))
    command = [sys.executable, "-c", program, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 320, check=False)
    outcome = json.loads(told.stdout or "{}")
    assert outcome.get("status") == 0, told.stderr
    assert outcome["kills"] > 5
    _check(tmp_path)


def _check(folder: Path) -> None:
    archive = Archive(folder, memory="128MB", threads=1)
    wanted = [f"test:x:{number}" for number in range(FETCHES * POSTS)]
    _agrees(archive, wanted)
    Keeper(archive).run_once(everything=True)
    assert archive.stats().rows == len(wanted)
    _agrees(archive, wanted)
    archive.index.rebuild(archive.posts.snapshot())
    _agrees(archive, wanted)
    assert archive.payloads.pending() == []
    assert archive.spool.pending() == []
    assert archive.cursor("feed") == {"seq": archive.appended("feed")}
    assert json.loads(json.dumps(archive.payloads.cursor("feed"))) == {"next": FETCHES * POSTS}


def _agrees(archive: Archive, wanted: list[str]) -> None:
    rows = archive.table(Scan(columns=("uid", "text"))).to_pylist()
    assert sorted(row["uid"] for row in rows) == sorted(wanted)
    texts = {row["uid"]: row["text"] for row in rows}
    assert texts.pop("test:x:0") == f"edited {(FETCHES - 1) * POSTS}"
    assert all(text == f"post {uid.rsplit(':', 1)[1]}" for uid, text in texts.items())
    assert archive.count(Scan())["posts"].to_pylist() == [len(wanted)]
    assert all(archive.get(uid) for uid in random.Random(1).sample(wanted, 10))


_FULL = """
    import os, resource, sys
    from datetime import UTC, datetime
    from talkworthy.archive import Archive, Scan
    from talkworthy.schema import posts_table

    def posts(first, count, text):
        at = datetime(2026, 3, 1, tzinfo=UTC)
        numbers = range(first, first + count)
        return posts_table({"uid": f"test:x:{n}", "text": text(), "published_at": at} for n in numbers)

    archive = Archive(sys.argv[1], memory="128MB", threads=1)
    archive.append(posts(0, 3, lambda: "small"), transactions={"feed": 1})
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
    large = posts(3, 50, lambda: os.urandom(4000).hex())
    try:
        archive.append(large, transactions={"feed": 2})
    except OSError:
        print("refused")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(archive.count(Scan())["posts"][0], archive.append(large, transactions={"feed": 2}).new.num_rows)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of file sizes are posix")
def test_a_full_disk_refuses_an_append_which_can_be_tried_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_FULL), str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert told.stdout.split() == ["refused", "3", "50"], told.stderr
    assert Archive(tmp_path).stats().rows == 53
