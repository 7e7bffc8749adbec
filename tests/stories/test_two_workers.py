"""Two workers on one desk are killed at random moments: nothing is lost, nothing doubled, no deadline forgotten.

`STORY_CASES=1000 STORY_SEED=7 pytest tests/stories/test_two_workers.py` is the long run.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from tests.stories.desk_processes import clock
from tests.stories.social_server import SocialServer

from talkworthy.schema import post_uid

CASES = int(os.environ.get("STORY_CASES", "40"))
SEED = int(os.environ.get("STORY_SEED", "1"))
DESK = os.environ.get("TALKWORTHY_DATABASE_URL", "")
PATIENCE = 180 + CASES * 0.6
KILLS_APART = (0.2, 2.0)
pytestmark = pytest.mark.django_db  # so that it runs on PostgreSQL, too


class Processes:
    """The script that forks the processes of the desk, and those that it forked."""

    def __init__(self, folder, server, began, database):
        environment = {
            **os.environ,
            "TALKWORTHY_DATA": str(folder),
            "TALKWORTHY_DATABASE_URL": database,
            "TALKWORTHY_ALLOW_HOSTS": server.host,
            "TALKWORTHY_PROCESSES": "0",
            "TALKWORTHY_LOG_LEVEL": "ERROR",
            "OMP_NUM_THREADS": "1",
        }
        script = Path(__file__).with_name("desk_processes.py")
        self.child = subprocess.Popen(
            [sys.executable, str(script), str(began)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert json.loads(self.child.stdout.readline()) == "ready"

    def ask(self, do, **how):
        print(json.dumps({"do": do, **how}), file=self.child.stdin, flush=True)
        return json.loads(self.child.stdout.readline() or "null")

    def end(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(20)


@contextmanager
def database_of_the_story(folder):
    """An empty database of the story's own where the tests run on PostgreSQL; else SQLite in the folder."""
    if not DESK:
        yield ""
        return
    name = f"story_{os.getpid()}"
    with closing(psycopg.connect(DESK, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield DESK.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def story(tmp_path):
    """The server, the processes, and the file that sends people home."""
    began = time.time()
    server = SocialServer(clock(began), seed=SEED)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with database_of_the_story(tmp_path) as database:
        processes = Processes(tmp_path, server, began, database)
        pids = []
        try:
            yield server, processes, tmp_path / "closing time", pids
        finally:
            (tmp_path / "closing time").touch()
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            processes.end()
            server.shutdown()
            server.server_close()


def test_workers_that_are_killed_lose_nothing_double_nothing_and_forget_no_deadline(story):
    server, processes, closing_time, pids = story
    assert processes.ask("prepare", server=server.host, keyed=server.keyed)
    workers = [processes.ask("work") for _ in range(2)]
    people = [processes.ask("live", seed=SEED + number, until=str(closing_time)) for number in range(2)]
    pids += [*workers, *people]
    mentions, killed = _tell_and_kill(server, processes, workers, pids)
    _wait_for(processes, lambda left: left["decided"] >= len(mentions) and left["scheduled"] >= CASES // 4)
    server.breaks = False
    closing_time.touch()
    _wait_for(processes, lambda left: not any(left[name] for name in left.keys() - {"decided", "scheduled"}))
    found = processes.ask("check")
    print(f"\n{len(mentions)} mentions, {killed} workers killed, {len(server.kept)} replies: {found['counts']}")
    assert found["wrong"] == []
    _every_mention_has_its_case_once(server, mentions, found)
    _every_reply_was_sent_once(server, found)
    assert set(found["events"]) == set(server.events) and len(found["events"]) == found["counts"]["cases"]
    assert killed >= 4 and len(server.kept) >= CASES // 5


def _tell_and_kill(server, processes, workers, pids):
    """Mentions come in bursts, some answer us, and every now and then one worker dies and another begins."""
    chance = random.Random(SEED)
    mentions, talked, killed = {}, set(), 0
    next_kill = time.monotonic() + chance.uniform(*KILLS_APART)
    while len(mentions) < CASES or killed < 4:
        for _ in range(chance.randint(0, 6)):
            if len(mentions) < CASES:
                by = f"zoe{len(mentions)}"
                mentions[server.tell(f"My Acme router {len(mentions)} is broken", by=by)] = by
        for reply in [one for one in list(server.kept) if one["id"] not in talked]:
            talked.add(reply["id"])
            asker = mentions.get(reply["in_reply_to_id"])
            if asker is not None and chance.random() < 0.3:
                server.tell("Thanks, but it is still broken", by=asker, under=reply["id"])
        if time.monotonic() > next_kill:
            place = chance.randrange(2)
            os.kill(workers[place], signal.SIGKILL)
            killed += 1
            workers[place] = processes.ask("work")
            pids.append(workers[place])
            next_kill = time.monotonic() + chance.uniform(*KILLS_APART)
        time.sleep(chance.uniform(0.0, 0.3))
    return mentions, killed


def _uid(server, number):
    return post_uid("mastodon", server.host, number)


def _wait_for(processes, done):
    until = time.monotonic() + PATIENCE
    while not done(left := processes.ask("waiting")):
        assert time.monotonic() < until, f"still waiting: {left}"
        time.sleep(0.5)


def _every_mention_has_its_case_once(server, mentions, found):
    uids = {_uid(server, number) for number in mentions}
    told = {_uid(server, note["id"]) for note in server.told}
    cases = [found["decisions"][uid] for uid in sorted(uids)]
    assert len(set(cases)) == len(uids) == found["counts"]["cases"] and None not in cases
    assert told <= found["messages"].keys() and found["stored"] == len(told)
    for note in server.told:  # what answers us is in the case of what we answered
        under = note["status"]["in_reply_to_id"]
        if under is not None:
            ours = found["messages"][_uid(server, under)]
            assert found["messages"][_uid(server, note["id"])] == ours


def _every_reply_was_sent_once(server, found):
    posts = {}
    for status in server.kept:
        posts.setdefault(status["key"], []).append(status["id"])
    doubled = {key: ids for key, ids in posts.items() if len(ids) > 1}
    assert not doubled and posts.keys() <= found["deliveries"].keys()
    for key, (state, uid, error) in found["deliveries"].items():
        assert state in ("delivered", "stopped"), f"{key} is {state}: {error}"
        sent = [_uid(server, number) for number in posts.get(key, [])]
        assert sent == ([uid] if state == "delivered" else []), f"{key} is {state}, and on the channel: {sent}"
