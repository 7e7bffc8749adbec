"""After an erasure nothing of the person is left: not in posts, counts, marks, corrections nor exported files."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from talkworthy.archive.durable import lock
from talkworthy.listening import actions, jobs
from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import claim_job, exports_of, run_job
from talkworthy.listening.models import Correction, Job, Mark, Monitor
from talkworthy.listening.stores import archive_of, folder_of
from talkworthy.workspaces.models import AuditEntry, Workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
THEIRS = [f"feed:example.org:{n}" for n in (0, 3, 6, 9)]
"""The posts of author a0."""


def run_all(workspace):
    while job := claim_job(now=NOW):
        run_job(job, Listener(workspace))


def erase(workspace, by, **asked):
    request = {"channel": "", "author_id": "", "uids": [], "why": "They asked", **asked}
    job = actions.start_erasure(workspace, **request, by=by, now=NOW)
    run_all(workspace)
    job.refresh_from_db()
    return job


@pytest.fixture
def worked(filled, alice):
    """A workspace in which people have marked, corrected, tried and exported."""
    run_all(filled)
    acme = Monitor.objects.get(workspace=filled, name="Acme")
    for uid in (THEIRS[0], "feed:example.org:1"):
        actions.mark_mention(acme, uid, right=True, by=alice, now=NOW)
        actions.correct_annotation(filled, uid=uid, task="sentiment", new="neutral", by=alice, now=NOW)
    actions.start_backtest(filled, query="acme", monitor=acme, by=alice, now=NOW)
    actions.start_export(filled, query="", format="jsonl", by=alice, now=NOW)
    run_all(filled)
    return filled


def left(workspace):
    found = archive_of(workspace)
    return [n for n in range(12) if found.get(f"feed:example.org:{n}") is not None]


def test_every_post_of_the_account_is_gone_and_the_counts_agree(worked, alice, agree):
    job = erase(worked, alice, channel="feed", author_id="a0")
    assert job.state == "done", job.error
    assert left(worked) == [1, 2, 4, 5, 7, 8, 10, 11]
    agree(worked)


def test_single_posts_can_be_erased(worked, alice, agree):
    assert erase(worked, alice, uids=["feed:example.org:4"]).state == "done"
    assert 4 not in left(worked) and len(left(worked)) == 11
    agree(worked)


def test_the_receipt_counts_what_went(worked, alice):
    result = erase(worked, alice, channel="feed", author_id="a0").result
    assert result["posts"] == 4 and result["files_rewritten"] >= 1
    assert (result["marks"], result["corrections"], result["exports"]) == (1, 1, 1)
    assert result["state"] and result["completed_at"] != "None"


def test_marks_corrections_lists_and_exports_go_and_those_of_others_stay(worked, alice):
    export = Job.objects.get(kind="export")
    assert exports_of(export).exists()
    erase(worked, alice, channel="feed", author_id="a0")
    assert list(Mark.objects.values_list("uid", flat=True)) == ["feed:example.org:1"]
    assert list(Correction.objects.values_list("uid", flat=True)) == ["feed:example.org:1"]
    assert not exports_of(export).exists()
    listed = Job.objects.get(kind="backtest").result["sample"]
    assert listed and not set(listed) & set(THEIRS)


def test_no_file_holds_their_words_or_their_number(filled, alice, arrive, row):
    secret = row(77, "Acme zyzzyva", author={"id": "quuxling", "handle": "q", "name": "Q", "followers": 1})
    arrive(filled, [secret]).store_pending(now=NOW)
    erase(filled, alice, channel="feed", author_id="quuxling")
    held = [path for path in Path(folder_of(filled)).rglob("*") if path.is_file() and b"zyzzyva" in path.read_bytes()]
    assert held == [] and archive_of(filled).get("feed:example.org:77") is None
    assert "quuxling" not in str(Job.objects.get(kind="erasure").request)
    assert not any("quuxling" in str([entry.before, entry.after]) for entry in AuditEntry.objects.all())


def test_an_erased_post_that_is_fetched_again_stays_away(worked, alice, arrive, row, agree):
    erase(worked, alice, channel="feed", author_id="a0")
    again = row(0, "Acme is wonderful, I love it", author={"id": "a0", "handle": "ann0"})
    arrive(worked, [again], seq=9).store_pending(now=NOW)
    assert 0 not in left(worked)
    agree(worked)


@pytest.mark.parametrize("point", ["counting", "the desk"])
def test_an_erasure_that_was_cut_short_is_finished_by_the_next_try(worked, alice, agree, monkeypatch, point):
    job = actions.start_erasure(worked, channel="feed", author_id="a0", uids=[], why="They asked", by=alice, now=NOW)
    place = {"counting": (jobs.cube, "count_changes"), "the desk": (jobs, "_erase_from_desk")}[point]

    def killed(*_args, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(*place, killed)
        run_job(claim_job(now=NOW), Listener(worked))
    Job.objects.filter(pk=job.pk).update(claimed_until=NOW)
    run_job(claim_job(now=NOW.replace(hour=13)), Listener(worked))
    job.refresh_from_db()
    assert job.state == "done", job.error
    assert job.result["marks"] == 1 and not Mark.objects.filter(uid__in=THEIRS).exists()
    assert THEIRS[0] not in str(job.request)
    agree(worked)


def test_an_erasure_waits_for_a_keeper_that_is_at_work(filled, alice):
    held = threading.Event()

    def keep():
        with lock(archive_of(filled).path / "keeper.lock"):
            held.set()
            time.sleep(0.2)

    keeper = threading.Thread(target=keep)
    keeper.start()
    held.wait(5)
    job = erase(filled, alice, channel="feed", author_id="a0")
    keeper.join()
    assert (job.state, job.request["author_id"]) == ("done", "erased"), job.error


def test_an_erasure_that_has_begun_is_finished_though_somebody_stops_it(worked, alice, client_of, monkeypatch):
    kept = jobs._erase_from_desk

    def stopped(job, uids):
        page = client_of(alice).get(f"/acme/jobs/{job.pk}/").content.decode()
        assert f"/acme/jobs/{job.pk}/stop/" not in page
        client_of(alice).post(f"/acme/jobs/{job.pk}/stop/")
        return kept(job, uids)

    monkeypatch.setattr(jobs, "_erase_from_desk", stopped)
    job = erase(worked, alice, channel="feed", author_id="a0")
    assert (job.state, job.request["author_id"]) == ("done", "erased")
    assert not Mark.objects.filter(uid__in=THEIRS).exists()


def test_an_erasure_needs_a_reason_and_somebody(filled, alice):
    for asked, why in (({"why": " ", "uids": ["x"]}, "Say why"), ({"channel": "feed"}, "Name a channel")):
        with pytest.raises(actions.Refused, match=why):
            erase(filled, alice, **asked)


def test_the_same_account_in_another_workspace_is_not_touched(worked, alice):
    decoy = Workspace.objects.create(name="Decoy", slug="decoy")
    monitor = Monitor.objects.create(workspace=decoy, name="Decoy", query="acme")
    Mark.objects.create(monitor=monitor, uid=THEIRS[0], version=1, right=True)
    erase(worked, alice, channel="feed", author_id="a0")
    assert Mark.objects.filter(monitor=monitor).count() == 1
