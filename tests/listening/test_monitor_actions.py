"""Monitors have versions; history is matched again, and a query can be tried before it is saved."""

from datetime import UTC, datetime

import pytest

from talkworthy.archive import Scan
from talkworthy.listening import actions
from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.models import Job, Mark, Monitor
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import AuditEntry, Workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def run_all(workspace):
    while job := claim_job(now=NOW):
        run_job(job, Listener(workspace))
        job.refresh_from_db()
        assert job.state == "done", job.error


def tied(workspace, monitor):
    scan = Scan(columns=("uid",), monitors_any=(monitor.pk,), order=None)
    return sorted(int(uid.rsplit(":", 1)[1]) for uid in archive_of(workspace).table(scan)["uid"].to_pylist())


@pytest.fixture
def acme(filled):
    run_all(filled)
    return Monitor.objects.get(workspace=filled, name="Acme")


def test_a_changed_query_is_a_new_version_with_its_author(acme, bob):
    changed = actions.change_monitor(acme, query="acme AND app", by=bob, now=NOW)
    assert changed.version == 2
    assert next((v.version, v.query, v.by) for v in acme.versions.all()) == (2, "acme AND app", bob)
    entry = AuditEntry.objects.filter(verb="change").latest("id")
    assert entry.before == {"query": "acme"} and entry.after == {"query": "acme AND app"}


def test_a_new_name_is_no_new_version_and_no_new_matching(acme, bob):
    actions.change_monitor(acme, name="Acme Inc.", by=bob, now=NOW)
    assert Monitor.objects.get(pk=acme.pk).version == 1
    assert not Job.objects.filter(state="waiting").exists()


def test_what_changes_nothing_leaves_no_trace(acme, bob):
    before = AuditEntry.objects.count()
    actions.change_monitor(acme, query="acme", name="Acme", by=bob, now=NOW)
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("query", ["globex", "acme OR globex", "acme NOT initech", "nothing", "zzz"])
def test_history_matched_again_is_what_a_full_match_finds(filled, acme, alice, agree, query):
    actions.change_monitor(acme, query=query, by=alice, now=NOW)
    run_all(filled)
    fresh = actions.create_monitor(
        filled, name="Twin", kind="brand", colour="red", owner=None, query=query, by=alice, now=NOW
    )
    run_all(filled)
    assert tied(filled, acme) == tied(filled, fresh)
    agree(filled)


def test_the_job_says_how_many_were_tied_and_untied(filled, acme, alice):
    actions.change_monitor(acme, query="globex OR kaufen", by=alice, now=NOW)
    run_all(filled)
    result = Job.objects.filter(kind="rematch", monitor=acme).first().result
    assert {**result, "version": None} == {"tied": 2, "untied": 6, "mentions": 4, "version": None}
    assert tied(filled, acme) == [2, 5, 8, 11]


def test_matching_history_twice_changes_nothing_the_second_time(filled, acme, alice, agree):
    actions.pause_monitor(acme, by=alice, now=NOW)
    actions.resume_monitor(acme, by=alice, now=NOW)
    run_all(filled)
    assert Job.objects.filter(monitor=acme).first().result["tied"] == 0
    agree(filled)


def test_the_other_monitor_keeps_its_mentions(filled, acme, alice):
    rival = Monitor.objects.get(workspace=filled, name="Rival")
    before = tied(filled, rival)
    actions.change_monitor(acme, query="globex", by=alice, now=NOW)
    run_all(filled)
    assert tied(filled, rival) == before == [2, 4, 8, 10]


def test_a_paused_monitor_finds_nothing_new_and_catches_up_when_it_goes_on(filled, acme, alice, arrive, row, agree):
    actions.pause_monitor(acme, by=alice, now=NOW)
    arrive(filled, [row(50, "acme while nobody listened")]).store_pending(now=NOW)
    assert 50 not in tied(filled, acme)
    actions.resume_monitor(acme, by=alice, now=NOW)
    run_all(filled)
    assert 50 in tied(filled, acme)
    agree(filled)


def test_a_deleted_monitor_comes_back_with_what_it_found_and_what_came_in_between(
    filled, acme, alice, arrive, row, agree
):
    before = tied(filled, acme)
    actions.delete_monitor(acme, by=alice, now=NOW)
    arrive(filled, [row(51, "acme in between")]).store_pending(now=NOW)
    actions.restore_monitor(acme, by=alice, now=NOW)
    run_all(filled)
    assert tied(filled, acme) == [*before, 51]
    agree(filled)


def test_it_cannot_come_back_under_a_name_that_was_taken(filled, acme, alice):
    actions.delete_monitor(acme, by=alice, now=NOW)
    made = {"kind": "brand", "colour": "red", "owner": None, "query": "acme", "by": alice, "now": NOW}
    actions.create_monitor(filled, name="Acme", **made)
    acme.refresh_from_db()
    with pytest.raises(actions.Refused, match="called “Acme” already"):
        actions.restore_monitor(acme, by=alice, now=NOW)
    with pytest.raises(actions.Refused, match="called “Rival” already"):
        actions.create_monitor(filled, name="Rival", **made)


def test_the_same_name_in_another_workspace_is_no_matter(acme, alice):
    decoy = Workspace.objects.create(name="Decoy", slug="decoy")
    made = actions.create_monitor(
        decoy, name="Acme", kind="brand", colour="red", owner=None, query="acme", by=alice, now=NOW
    )
    assert made.workspace == decoy


@pytest.mark.parametrize(("query", "why"), [("acme AND (", "\\("), ("", "empty|nothing|query"), ('"open', '"')])
def test_a_query_that_cannot_be_read_is_refused_with_its_reason(filled, acme, alice, query, why):
    with pytest.raises(actions.Refused, match=why):
        actions.change_monitor(acme, query=query, by=alice, now=NOW)
    with pytest.raises(actions.Refused):
        actions.start_backtest(filled, query=query, by=alice, now=NOW)
    assert Monitor.objects.get(pk=acme.pk).query == "acme"


def test_a_change_stops_the_matching_that_waits_for_the_version_before(acme, alice):
    actions.change_monitor(acme, query="globex", by=alice, now=NOW)
    actions.change_monitor(acme, query="initech", by=alice, now=NOW)
    states = Job.objects.filter(monitor=acme).order_by("pk").values_list("state", "request__version")
    assert list(states) == [("done", 1), ("stopped", 2), ("waiting", 3)]


def test_a_backtest_says_what_a_new_query_would_add_and_lose_and_changes_nothing(filled, acme, alice, agree):
    before = tied(filled, acme)
    job = actions.start_backtest(filled, query="globex OR kaufen", monitor=acme, by=alice, now=NOW)
    run_all(filled)
    job.refresh_from_db()
    result = job.result
    assert [result[name] for name in ("matched", "kept", "added", "lost", "scanned")] == [4, 2, 2, 6, 12]
    assert sorted(result["added_sample"]) == ["feed:example.org:2", "feed:example.org:8"]
    assert len(result["lost_sample"]) == 6 and len(result["sample"]) == 4
    assert sum(day["new"] for day in result["days"]) == 4 and sum(day["old"] for day in result["days"]) == 8
    assert tied(filled, acme) == before
    agree(filled)


def test_a_backtest_looks_at_the_asked_stretch_only(filled, acme, alice):
    since = datetime(2026, 3, 4, 6, 30, tzinfo=UTC)
    job = actions.start_backtest(filled, query="acme", monitor=acme, since=since, by=alice, now=NOW)
    run_all(filled)
    job.refresh_from_db()
    assert (job.result["matched"], job.result["added"], job.result["lost"]) == (4, 0, 0)


def test_a_job_that_was_stopped_changes_nothing_any_more(filled, acme, alice):
    job = actions.start_backtest(filled, query="acme", by=alice, now=NOW)
    claimed = claim_job(now=NOW)
    actions.stop_job(job, by=alice, now=NOW)
    run_job(claimed, Listener(filled))
    job.refresh_from_db()
    assert (job.state, job.result) == ("stopped", None)


def test_work_whose_worker_died_is_done_by_the_next_and_given_up_after_three(filled, acme, alice):
    job = actions.start_backtest(filled, query="acme", by=alice, now=NOW)
    assert claim_job(now=NOW) == job and claim_job(now=NOW) is None
    for hour in (13, 14, 15):
        claimed = claim_job(now=NOW.replace(hour=hour))
        assert claimed == job
    run_job(claimed, Listener(filled))
    job.refresh_from_db()
    assert job.state == "failed" and "ended 3 times" in job.error


def test_a_mark_replaces_the_one_before_and_can_be_taken_back(acme, bob):
    uid = "feed:example.org:0"
    actions.mark_mention(acme, uid, right=True, by=bob, now=NOW)
    actions.mark_mention(acme, uid, right=False, by=bob, now=NOW)
    assert [(mark.right, mark.version) for mark in Mark.objects.filter(monitor=acme)] == [(False, 1)]
    actions.mark_mention(acme, uid, right=None, by=bob, now=NOW)
    assert not Mark.objects.exists()
