"""Steps of escalation: told, given on, raised, each once, shown on the case, and undone."""

from datetime import timedelta

import pytest
from django.test import Client
from tests.conftest import NOW

from talkworthy.notifying.models import Notification
from talkworthy.routing import actions, escalating
from talkworthy.routing.actions import teams
from talkworthy.routing.actions.messages import note_message
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.actions.steps import add_step, delete_step, restore_step
from talkworthy.routing.escalating import escalate_due, undo_escalation
from talkworthy.routing.hours import target_of
from talkworthy.routing.models import (
    Case,
    CaseChange,
    CaseRole,
    Conversation,
    Escalation,
    EscalationStep,
    Message,
    Target,
    TeamHours,
    WorkingHours,
)
from talkworthy.routing.reckoning import reckon_due
from talkworthy.workspaces.models import AuditEntry, Member, TeamMember

TARGETS = "/acme/settings/targets/"
BEFORE = NOW - timedelta(days=1)


@pytest.fixture
def lead(agents, bob):
    """Bob leads Support."""
    TeamMember.objects.filter(team=agents, member__user=bob).update(is_lead=True)
    return Member.objects.get(user=bob)


@pytest.fixture
def target(workspace):
    """Service is promised within eight hours; risk has a step of its own, that no raised case may begin."""
    risk = Target.objects.create(workspace=workspace, priority="cancel", first_answer=60)
    add_step(risk, after="unanswered", minutes=5, does="raise", by=None, now=BEFORE)
    return Target.objects.create(workspace=workspace, priority="service", first_answer=480)


@pytest.fixture
def steps(target, lead):
    """The lead is told after half an hour, has the case after an hour, and then the class is raised."""
    told = [(30, "inform"), (60, "reassign"), (90, "raise")]
    return [
        add_step(target, after="unanswered", minutes=minutes, does=does, by=None, now=BEFORE) for minutes, does in told
    ]


@pytest.fixture
def waiting(steps, conversation, agents, carol):
    """A case of Support that Carol has, and a settled decoy."""
    far = Conversation.objects.create(
        workspace=conversation.workspace, channel="email", root="x", first_at=NOW, last_at=NOW
    )
    decoy, _new = actions.open_case(far, title="Decoy", team=agents, by=None, now=NOW)
    actions.resolve_case(decoy, by=None, now=NOW)
    owner = Member.objects.get(user=carol)
    return actions.open_case(conversation, title="Broken", team=agents, owner=owner, by=None, now=NOW)[0]


def after(minutes):
    """So long after the case was opened."""
    return NOW + timedelta(minutes=minutes)


def pending(case):
    """The minutes after the opening at which further steps are due."""
    rows = Escalation.objects.filter(case=case, done_at=None)
    return [(row.due_at - NOW) // timedelta(minutes=1) for row in rows]


def test_the_steps_are_taken_one_after_the_other_each_once(waiting, lead):
    assert pending(waiting) == [30, 60, 90]
    assert escalate_due(now=after(29)) == 0
    assert [escalate_due(now=after(31)), escalate_due(now=after(32))] == [1, 0]
    assert CaseRole.objects.get(case=waiting).member == lead
    assert Notification.objects.filter(member=lead, kind="missed").count() == 1
    escalate_due(now=after(61))
    waiting.refresh_from_db()
    assert waiting.owner == lead
    escalate_due(now=after(91))
    waiting.refresh_from_db()
    assert waiting.priority == "cancel"
    assert pending(waiting) == []  # the raised class begins no steps of its own for the same question
    told = CaseChange.objects.filter(what="escalated").order_by("pk").values_list("new", flat=True)
    assert list(told) == ["told: Bob", "given to Bob", "raised to Cancel"]
    assert not CaseChange.objects.filter(case__title="Decoy", what="escalated").exists()


def test_an_answer_ends_what_is_to_come_and_the_next_question_begins_anew(waiting):
    escalate_due(now=after(31))
    answer = Message.objects.create(
        workspace=waiting.workspace,
        conversation=waiting.conversations.get(),
        uid="a",
        direction="outward",
        at=after(40),
    )
    note_message(waiting, answer, now=after(40))
    assert pending(waiting) == []
    for number, minutes in enumerate((50, 55)):  # who writes again does not wait longer
        asked = Message.objects.create(
            workspace=waiting.workspace, conversation=answer.conversation, uid=f"q{number}", at=after(minutes)
        )
        note_message(waiting, asked, now=after(minutes))
    assert pending(waiting) == [80, 110, 140]


def test_minutes_count_in_working_hours_and_follow_them(waiting, agents, workspace):
    hours = WorkingHours.objects.create(
        workspace=workspace, name="Tomorrow", shifts={str(day): [[0, 1440]] for day in range(7)},
        days_off=[NOW.date().isoformat()],
    )  # fmt: skip
    TeamHours.objects.create(team=agents, hours=hours)
    actions.retitle_case(waiting, title="Still broken", by=None, now=NOW)
    first = Escalation.objects.filter(case=waiting, done_at=None).first()
    assert first.due_at.date() == NOW.date() + timedelta(days=1)


def test_a_silent_owner_loses_the_case_to_whom_the_step_names(target, agents, carol, bob, conversation, lead):
    add_step(target, after="silent", minutes=15, does="reassign", team=agents, by=None, now=BEFORE)
    owner = Member.objects.get(user=carol)
    case, _new = actions.open_case(conversation, title="Broken", team=agents, owner=owner, by=None, now=NOW)
    escalate_due(now=after(16))
    case.refresh_from_db()
    assert case.owner == lead
    assert pending(case) == [31]  # who has it now is given the time, too
    actions.take_case(case, member=lead, now=after(20))
    assert pending(case) == []


def test_a_worker_that_dies_in_the_middle_leaves_the_step_to_be_done_once(waiting, monkeypatch):
    def dies(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setitem(escalating._STEPS, EscalationStep.Does.INFORM, dies)
        with pytest.raises(KeyboardInterrupt):
            escalate_due(now=after(31))
    assert escalate_due(now=after(32)) == 0  # its claim holds still
    assert [escalate_due(now=after(35)), escalate_due(now=after(36))] == [1, 0]
    assert CaseChange.objects.filter(what="escalated").count() == 1


def test_what_a_step_did_is_undone_and_not_done_again(waiting, carol, alice, lead):
    for minutes in (31, 61, 91):
        escalate_due(now=after(minutes))
    for row in Escalation.objects.filter(case=waiting).order_by("-due_at"):
        assert undo_escalation(row, by=alice, now=after(95)) == 0
        with pytest.raises(Refused):
            undo_escalation(row, by=alice, now=after(95))
    waiting.refresh_from_db()
    assert (waiting.priority, waiting.owner) == ("service", Member.objects.get(user=carol))
    assert not CaseRole.objects.filter(case=waiting).exists()
    assert pending(waiting) == [] and escalate_due(now=after(500)) == 0
    assert CaseChange.objects.filter(what="escalation undone", by=alice).count() == 3


def test_what_somebody_changed_since_is_left(waiting, alice):
    escalate_due(now=after(61))
    actions.assign_case(waiting, owner=None, by=alice, now=after(70))
    row = Escalation.objects.get(case=waiting, step__does="reassign")
    assert undo_escalation(row, by=alice, now=after(80)) == 1
    waiting.refresh_from_db()
    assert waiting.owner is None


def test_a_new_step_tells_nobody_of_old_cases_and_open_ones_get_it(waiting, target, alice):
    add_step(target, after="unanswered", minutes=10, does="inform", by=alice, now=after(20))
    late = add_step(target, after="unanswered", minutes=200, does="raise", by=alice, now=after(20))
    while reckon_due(now=after(20)):
        pass
    assert pending(waiting) == [30, 60, 90, 200]
    delete_step(late, by=alice, now=after(21))
    assert pending(waiting) == [30, 60, 90]
    restore_step(late, by=alice, now=after(22))
    while reckon_due(now=after(22)):
        pass
    assert pending(waiting) == [30, 60, 90, 200]
    verbs = AuditEntry.objects.filter(noun="escalation step", by=alice).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["create", "create", "delete", "restore"]


def test_a_target_that_was_removed_comes_back_with_its_steps_and_running_deadlines(
    client_of, waiting, target, alice, workspace
):
    def reckoned(now):
        while reckon_due(now=now):
            pass
        waiting.refresh_from_db()
        return waiting.first_answer_due_at, pending(waiting)

    before = reckoned(NOW)
    assert before == (NOW + timedelta(hours=8), [30, 60, 90])
    escalate_due(now=after(31))
    none = {"service": {}, "cancel": {"first_answer": 60}}
    teams.save_targets(workspace, None, none, by=alice, now=after(32))
    assert target_of(workspace, None, "service") is None
    assert reckoned(after(32)) == (None, [])
    assert escalate_due(now=after(61)) == 0
    with pytest.raises(Refused):
        add_step(target, after="unanswered", minutes=5, does="raise", by=alice, now=after(33))
    [back] = teams.restore_targets(workspace, [target.pk], by=alice, now=after(40))
    assert reckoned(after(40)) == (before[0], [60, 90])  # what was done before is not done again
    assert (back.first_answer, target_of(workspace, None, "service")) == (480, target)
    assert list(AuditEntry.objects.filter(noun="target", by=alice).values_list("verb", flat=True).order_by("pk")) == [
        "delete",
        "restore",
    ]


def test_a_removed_target_is_not_brought_back_over_a_new_one(target, alice, workspace, client_of, bob, dan):
    page = client_of(alice)
    answer = page.post(TARGETS, {"cancel-first_answer": "60"})
    target.refresh_from_db()
    back = f"{TARGETS}restore/{target.pk}/"
    assert target.deleted_at is not None and back in page.get(answer.headers["Location"]).content.decode()
    assert client_of(bob).post(back).status_code == 403
    assert client_of(dan).post(f"/elsewhere/settings/targets/restore/{target.pk}/").status_code in (302, 403, 404)
    assert Target.objects.get(pk=target.pk).deleted_at is not None
    page.post(TARGETS, {"cancel-first_answer": "60", "service-first_answer": "30"})
    assert "was promised anew in the meantime" in page.post(back, follow=True).content.decode()
    page.post(TARGETS, {"cancel-first_answer": "60"})
    assert "It is as it was." in page.post(back, follow=True).content.decode()
    assert target_of(workspace, None, "service") == target


def test_nobody_gets_a_case_who_may_not_work_on_it(target, dan, alice, workspace, carol):
    Member.objects.filter(user=carol).update(role="viewer")
    viewer, stranger = Member.objects.get(user=carol), Member.objects.get(user=dan)
    for member in (viewer, stranger):
        with pytest.raises(Refused):
            add_step(target, after="silent", minutes=5, does="reassign", member=member, by=alice, now=NOW)


def test_a_team_without_a_lead_is_said_and_the_case_stays(waiting, agents):
    TeamMember.objects.update(is_lead=False)
    escalate_due(now=after(61))
    told = CaseChange.objects.filter(what="escalated").order_by("pk").values_list("new", flat=True)
    assert list(told) == [
        "nobody was told: the team has no lead",
        "given to nobody: there is nobody who may work on cases",
    ]


def test_steps_are_added_shown_and_taken_away_on_the_page_of_targets(client_of, alice, target, lead):
    page = client_of(alice)
    told = {"target": target.pk, "minutes": 45, "after": "unanswered", "does": "inform", "whom": f"member-{lead.pk}"}
    assert page.post(f"{TARGETS}steps/", {**told, "minutes": "0"}).status_code == 422
    assert page.post(f"{TARGETS}steps/", {**told, "whom": "team-1"}).status_code == 422
    assert page.post(f"{TARGETS}steps/", told).status_code == 302
    words = page.get(TARGETS).content.decode()
    assert "after 45 min without an answer" in words and "Tell Bob" in words
    step = EscalationStep.objects.get(minutes=45)
    page.post(f"{TARGETS}steps/{step.pk}/delete/")
    assert "after 45 min" not in page.get(TARGETS).content.decode()
    page.post(f"{TARGETS}steps/{step.pk}/restore/")
    assert "after 45 min" in page.get(TARGETS).content.decode()


def test_agents_change_no_steps_and_strangers_find_none(client_of, bob, dan, target, lead):
    step = EscalationStep.objects.get()
    agent = client_of(bob)
    assert agent.post(f"{TARGETS}steps/", {}).status_code == 403
    assert agent.post(f"{TARGETS}steps/{step.pk}/delete/").status_code == 403
    assert agent.post(f"{TARGETS}steps/{step.pk}/restore/").status_code == 403
    assert client_of(dan).post(f"/elsewhere/settings/targets/steps/{step.pk}/delete/").status_code in (403, 404)
    assert EscalationStep.objects.get().deleted_at is None


def test_the_case_says_what_comes_next_and_undoes_what_was_done(client_of, bob, carol, waiting):
    page: Client = client_of(bob)
    address = f"/acme/cases/{waiting.number}/"
    assert "Tell whoever leads the team" in page.get(address).content.decode()
    escalate_due(now=after(31))
    row = Escalation.objects.get(case=waiting, step__minutes=30)
    words = page.get(address).content.decode()
    assert f"/acme/routing/escalations/{row.pk}/undo/" in words and "Give the case to whoever leads the team" in words
    page.post(f"/acme/routing/escalations/{row.pk}/undo/")
    assert not CaseRole.objects.filter(case=waiting).exists()
    Member.objects.filter(user=carol).update(role="viewer")
    assert client_of(carol).post(f"/acme/routing/escalations/{row.pk}/undo/").status_code == 403
    assert Case.objects.get(pk=waiting.pk).state == "new"
