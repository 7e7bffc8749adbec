"""Touchpoints and promises: what is written, what is refused, and the monitor that is kept in step."""

from datetime import UTC, date, datetime

import pytest

from talkworthy.ecosystem import actions
from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.listening import actions as listening
from talkworthy.listening.models import Job, Monitor
from talkworthy.workspaces.models import AuditEntry

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def make(workspace, alice):
    def made(name="Check out", query="checkout OR basket", **more):
        return actions.create_touchpoint(
            workspace, name=name, kind="sales", query=query, **{"by": alice, "now": NOW, **more}
        )

    return made


@pytest.fixture
def checkout(make):
    return make()


def test_a_touchpoint_gets_a_short_name_and_a_line_in_the_trail(checkout, make):
    assert checkout.slug == "check-out"
    assert make().slug == "check-out-2"
    assert make("Касса").slug == "touchpoint"
    entry = AuditEntry.objects.filter(noun="touchpoint", verb="create").earliest("id")
    assert entry.after["query"] == "checkout OR basket" and entry.label == "Check out"


@pytest.mark.parametrize("query", ["(open", "", "state:open", "touchpoint:other", "acme -touchpoint:other"])
def test_a_query_that_cannot_tie_is_refused(make, query):
    with pytest.raises(actions.Refused):
        make(query=query)
    assert not Touchpoint.objects.exists() and not Monitor.objects.exists()


def test_a_monitor_carries_the_query_of_a_touchpoint(checkout):
    monitor = Monitor.objects.get(touchpoint=checkout)
    assert (monitor.name, monitor.kind, monitor.query) == ("Check out", "touchpoint", checkout.query)
    assert Job.objects.filter(monitor=monitor, kind="rematch", state="waiting").exists()


def test_the_monitor_follows_a_change_a_deletion_and_a_return(checkout, bob):
    changed = actions.change_touchpoint(checkout, name="Pay", query="pay", by=bob, now=NOW)
    monitor = Monitor.objects.get(touchpoint=checkout)
    assert (monitor.name, monitor.query, monitor.version) == ("Pay", "pay", 2)
    assert changed.slug == "check-out"
    actions.delete_touchpoint(changed, by=bob, now=NOW)
    monitor.refresh_from_db()
    assert monitor.deleted_at == NOW
    actions.restore_touchpoint(changed, by=bob, now=NOW)
    monitor.refresh_from_db()
    assert monitor.deleted_at is None and Monitor.objects.count() == 1


def test_a_monitor_of_the_same_name_stays_and_the_touchpoint_returns_beside_it(checkout, make, workspace, alice):
    actions.delete_touchpoint(checkout, by=alice, now=NOW)
    second = make()
    assert second.slug == "check-out"
    actions.restore_touchpoint(checkout, by=alice, now=NOW)
    assert checkout.slug == "check-out-2"
    names = Monitor.objects.filter(workspace=workspace, deleted_at=None).values_list("name", flat=True)
    assert sorted(names) == ["Check out", "Check out (touchpoint)"]


def test_a_name_that_a_monitor_has_is_told_apart_and_stays_so(make, workspace, alice):
    listening.create_monitor(
        workspace, name="Check out", kind="brand", colour="blue", owner=None, query="x", by=alice, now=NOW
    )
    touchpoint = make()
    actions.change_touchpoint(touchpoint, about="Where people pay", by=alice, now=NOW)
    assert Monitor.objects.get(touchpoint=touchpoint).name == "Check out (touchpoint)"


def test_what_changes_nothing_leaves_no_trace(checkout, alice):
    before = AuditEntry.objects.count()
    actions.change_touchpoint(checkout, name="Check out", by=alice, now=NOW)
    assert AuditEntry.objects.count() == before


def test_a_promise_is_written_changed_taken_away_and_brought_back(checkout, alice):
    promise = actions.add_promise(
        checkout, words="In two days", made_in="Home page", valid_from=date(2026, 1, 1), by=alice, now=NOW
    )
    actions.change_promise(promise, words="In three days", by=alice, now=NOW)
    promise.refresh_from_db()
    actions.delete_promise(promise, by=alice, now=NOW)
    actions.restore_promise(promise, by=alice, now=NOW)
    assert Promise.objects.get().words == "In three days" and Promise.objects.get().deleted_at is None
    verbs = AuditEntry.objects.filter(noun="promise").order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["create", "change", "delete", "restore"]


@pytest.mark.parametrize("wrong", [{"valid_to": date(2025, 12, 31)}, {"query": "(open"}])
def test_a_promise_that_cannot_hold_is_refused(checkout, alice, wrong):
    given = {"words": "In two days", "made_in": "Home page", "valid_from": date(2026, 1, 1), **wrong}
    with pytest.raises(actions.Refused):
        actions.add_promise(checkout, **given, by=alice, now=NOW)
    promise = actions.add_promise(
        checkout, words="In two days", made_in="Home page", valid_from=date(2026, 1, 1), by=alice, now=NOW
    )
    with pytest.raises(actions.Refused):
        actions.change_promise(promise, **wrong, by=alice, now=NOW)
