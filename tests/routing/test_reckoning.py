"""Open deadlines follow changed targets, hours and teams: said before, done in the background, each case once."""

from datetime import timedelta

import pytest
from tests.conftest import NOW

from talkworthy.responding.selectors.case import history_of
from talkworthy.routing import actions, reckoning
from talkworthy.routing.actions import hours as hours_actions
from talkworthy.routing.actions import teams
from talkworthy.routing.falling_due import ring_due
from talkworthy.routing.models import Case, CaseChange, Conversation, Reckoning, Target, Timer, WorkingHours
from talkworthy.routing.reckoning import ahead_of, reckon_due
from talkworthy.workspaces.models import AuditEntry

LATER = NOW + timedelta(minutes=5)
TARGETS = "/acme/settings/targets/"


@pytest.fixture
def promised(workspace, conversation):
    """A service case with an answer promised within an hour, and a decoy of another class."""
    Target.objects.create(workspace=workspace, priority="service", first_answer=60)
    Target.objects.create(workspace=workspace, priority="low", first_answer=60)
    far = Conversation.objects.create(workspace=workspace, channel="email", root="x", first_at=NOW, last_at=NOW)
    actions.open_case(far, title="Decoy", priority="low", by=None, now=NOW)
    return actions.open_case(conversation, title="Broken", by=None, now=NOW)[0]


def promise(workspace, minutes, by, *, now=LATER):
    """Another target of the class of service."""
    return teams.save_targets(workspace, None, {"service": {"first_answer": minutes}}, by=by, now=now)


def dues(case):
    """By when the case says that it is due, and the timers that run."""
    case.refresh_from_db()
    running = Timer.objects.filter(case=case, done_at=None).values_list("due_at", flat=True)
    return case.due_at, list(running)


def test_a_changed_target_moves_open_deadlines_with_reason_and_audit(workspace, promised, alice):
    promise(workspace, 30, alice)
    assert dues(promised)[0] == NOW + timedelta(minutes=60)  # a worker does it, not whoever saves
    assert reckon_due(now=LATER) == 1
    assert dues(promised) == (NOW + timedelta(minutes=30), [NOW + timedelta(minutes=30)])
    change = CaseChange.objects.get(what="deadlines")
    assert (change.case, change.by, change.why) == (promised, alice, "The targets of every team were changed")
    assert "First answer" in history_of(promised)[0].words
    entry = AuditEntry.objects.get(verb="reckon")
    assert entry.after == {"cases": 2, "moved": 1}
    assert reckon_due(now=LATER) == 0


def test_a_target_that_stays_begins_nothing(workspace, promised, alice):
    promise(workspace, 60, alice)
    assert not Reckoning.objects.exists()


def test_a_deadline_that_has_rung_stays_what_it_was(workspace, promised, alice):
    rung = NOW + timedelta(minutes=61)
    ring_due(now=rung)
    promise(workspace, 600, alice, now=rung)
    reckon_due(now=rung)
    assert dues(promised) == (NOW + timedelta(minutes=60), [])
    actions.assign_case(promised, owner=None, team=None, by=alice, now=rung)
    actions.retitle_case(promised, title="Still broken", by=alice, now=rung)
    assert dues(promised) == (NOW + timedelta(minutes=60), [])
    actions.set_priority(promised, priority="low", by=alice, now=rung)
    assert not Timer.objects.filter(case=promised, done_at=None).exists()  # the same minute: it has rung


def test_settled_cases_are_left_alone(workspace, promised, alice):
    actions.resolve_case(promised, by=alice, now=LATER)
    promise(workspace, 30, alice)
    reckon_due(now=LATER)
    assert dues(promised) == (None, [])
    assert not CaseChange.objects.filter(what="deadlines").exists()


def test_hours_time_zone_and_holidays_move_deadlines(workspace, promised, alice):
    every_day = {str(day): [[0, 1440]] for day in range(7)}
    hours = WorkingHours(workspace=workspace)
    hours = hours_actions.save_hours(hours, name="All", shifts=every_day, is_default=True, by=alice, now=LATER)
    while reckon_due(now=LATER):
        pass
    assert dues(promised)[0] == NOW + timedelta(minutes=60)  # every minute counted before, too
    hours_actions.save_hours(hours, days_off=[NOW.date().isoformat()], by=alice, now=LATER)
    while reckon_due(now=LATER):
        pass
    due = dues(promised)[0]
    assert due.date() == NOW.date() + timedelta(days=1) and (due.hour, due.minute) == (1, 0)
    hours_actions.save_hours(hours, timezone="Asia/Tokyo", by=alice, now=LATER)
    while reckon_due(now=LATER):
        pass
    assert dues(promised)[0] != due
    hours_actions.delete_hours(hours, by=alice, now=LATER)
    while reckon_due(now=LATER):
        pass
    assert dues(promised)[0] == NOW + timedelta(minutes=60)


def test_a_team_that_keeps_other_hours_takes_its_cases_along(workspace, promised, agents, alice):
    actions.assign_case(promised, owner=None, team=agents, by=alice, now=NOW)
    off = WorkingHours.objects.create(
        workspace=workspace, name="Tomorrow", shifts={str(day): [[0, 1440]] for day in range(7)},
        days_off=[NOW.date().isoformat()],
    )  # fmt: skip
    told = {"name": agents.name, "about": "", "colour": "blue", "members": [], "leads": []}
    teams.change_team(agents, hours=off, **told, by=alice, now=LATER)
    reckon_due(now=LATER)
    assert dues(promised)[0].date() == NOW.date() + timedelta(days=1)
    assert CaseChange.objects.get(what="deadlines").why == "“Support” keeps other working hours"


def test_a_worker_that_dies_leaves_no_case_behind_and_takes_none_twice(workspace, promised, alice, monkeypatch):
    monkeypatch.setattr(reckoning, "PIECE", 1)
    Target.objects.filter(priority="low").update(first_answer=10)
    promise(workspace, 30, alice)
    follow, dies = reckoning._follow, [False, True, False]

    def dying(*args, **kwargs):
        moved = follow(*args, **kwargs)
        if dies.pop(0):
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(reckoning, "_follow", dying)
    assert reckon_due(now=LATER) == 1
    with pytest.raises(KeyboardInterrupt):
        reckon_due(now=LATER)
    assert CaseChange.objects.filter(what="deadlines").count() == 1
    assert reckon_due(now=LATER) == 0  # its claim holds still
    after = LATER + timedelta(minutes=3)
    while reckon_due(now=after):
        pass
    assert CaseChange.objects.filter(what="deadlines").count() == 2
    assert Reckoning.objects.get().looked == 2


def test_how_many_move_is_known_before_and_nothing_is_saved(workspace, promised, alice):
    ahead = ahead_of(workspace, lambda: promise(workspace, 30, alice), now=LATER)
    assert (ahead.moved, ahead.looked, ahead.concerned, ahead.is_all) == (1, 1, 1, True)
    assert Target.objects.get(priority="service").first_answer == 60
    assert not Reckoning.objects.exists()


def test_of_many_cases_only_some_are_looked_at_and_the_page_says_so(workspace, promised, alice, monkeypatch):
    monkeypatch.setattr(reckoning, "LOOKED_AT", 0)
    ahead = ahead_of(workspace, lambda: promise(workspace, 30, alice), now=LATER)
    assert (ahead.looked, ahead.concerned, ahead.is_all) == (0, 1, False)


def test_the_page_says_how_many_deadlines_move_before_it_saves(workspace, promised, alice, client_of):
    page = client_of(alice)
    told = {"service-first_answer": "30", "low-first_answer": "60"}
    asked = page.post(TARGETS, told)
    words = asked.content.decode()
    assert asked.status_code == 200 and "The deadlines of 1 open case move" in words
    assert Target.objects.get(priority="service").first_answer == 60
    sure = asked.context["ahead"].sure
    other = page.post(TARGETS, {**told, "service-first_answer": "20", "sure": sure})
    assert other.status_code == 200  # another answer is asked about again
    assert page.post(TARGETS, {**told, "sure": sure}).status_code == 302
    assert Target.objects.get(priority="service").first_answer == 30


def test_the_page_of_hours_asks_first_too(workspace, promised, alice, client_of):
    page = client_of(alice)
    told = {"name": "Office", "timezone": "Europe/Berlin", "day_0": "09:00-12:00", "is_default": "on"}
    asked = page.post("/acme/settings/hours/", told)
    assert asked.status_code == 200 and "open case" in asked.content.decode()
    assert not WorkingHours.objects.exists()
    assert page.post("/acme/settings/hours/", {**told, "sure": asked.context["ahead"].sure}).status_code == 302
    assert WorkingHours.objects.get().name == "Office"
    assert (
        "are counted around the clock then"
        in page.get(f"/acme/settings/hours/{WorkingHours.objects.get().pk}/").content.decode()
    )


def test_the_case_is_not_a_new_version_for_whoever_works_on_it(workspace, promised, alice):
    version = Case.objects.get(pk=promised.pk).version
    promise(workspace, 30, alice)
    reckon_due(now=LATER)
    assert Case.objects.get(pk=promised.pk).version == version
