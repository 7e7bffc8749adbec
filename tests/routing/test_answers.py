"""What an answer does to the clocks of its case, whoever tells of it."""

from datetime import datetime, timedelta

import pytest
from tests.conftest import NOW

from talkworthy.notifying.actions import add_endpoint
from talkworthy.notifying.models import Event
from talkworthy.routing import actions
from talkworthy.routing.actions.messages import note_answer, note_message
from talkworthy.routing.falling_due import ring_due
from talkworthy.routing.models import Case, CaseChange, Message, Target, Timer
from talkworthy.workspaces.models import User

SOON, LATE = NOW + timedelta(minutes=20), NOW + timedelta(minutes=90)


@pytest.fixture
def promised(case: Case) -> Case:
    """The case, whose class is answered within an hour and settled within four."""
    Target.objects.create(
        workspace=case.workspace, priority=case.priority, first_answer=60, resolution=240, around_the_clock=True
    )
    return actions.set_priority(
        actions.set_priority(case, priority="low", by=None, now=NOW), priority=case.priority, by=None, now=NOW
    )


def ours(case: Case, at: datetime) -> Message:
    """Our answer as listening brings it back."""
    return Message.objects.create(
        workspace=case.workspace, conversation=case.conversations.get(), uid="mastodon:x:9", direction="outward", at=at
    )


def told_late(case: Case) -> list[str]:
    """The promises of which the history says that they were missed."""
    return list(CaseChange.objects.filter(case=case, what="missed").values_list("new", flat=True))


def first_answer(case: Case) -> Timer:
    """The timer of the first answer."""
    return Timer.objects.filter(case=case, kind="first_answer").latest("pk")


def test_an_answer_in_time_stops_the_clock_and_waits_for_them(promised: Case) -> None:
    note_answer(promised, at=SOON, how={"uid": "a"}, by=None, now=SOON)
    promised.refresh_from_db()
    assert (promised.state, promised.first_answered_at, promised.last_answered_at) == ("waiting", SOON, SOON)
    assert first_answer(promised).outcome == "met"
    assert told_late(promised) == []


def test_an_answer_does_the_same_whether_it_was_sent_from_here_or_heard_of(promised: Case) -> None:
    note_message(promised, ours(promised, SOON), now=SOON)
    promised.refresh_from_db()
    assert (promised.state, promised.first_answered_at) == ("waiting", SOON)
    assert first_answer(promised).outcome == "met"


def test_a_sent_answer_that_is_heard_of_later_changes_nothing_more(promised: Case) -> None:
    note_answer(promised, at=SOON, how={"uid": "a"}, by=None, now=SOON)
    actions.set_state(promised, state="open", by=None, now=LATE)
    note_message(promised, ours(promised, SOON), now=LATE)
    promised.refresh_from_db()
    assert (promised.state, promised.last_answered_at) == ("open", SOON)


def test_a_deadline_that_went_by_before_it_rang_is_told_when_the_answer_comes(promised: Case) -> None:
    note_answer(promised, at=LATE, how={"uid": "a"}, by=None, now=LATE)
    assert told_late(promised) == ["first_answer"]
    assert ring_due(now=LATE) == 0


def test_a_deadline_that_went_by_before_it_rang_is_not_forgotten_by_moving_or_settling(promised: Case) -> None:
    actions.set_priority(promised, priority="risk", by=None, now=LATE)
    assert told_late(promised) == ["first_answer"]
    actions.resolve_case(promised, by=None, now=LATE)
    assert told_late(promised) == ["first_answer"]
    assert not Timer.objects.filter(case=promised, done_at=None).exists()


def test_programs_hear_that_an_answer_changed_the_state(promised: Case, alice: User) -> None:
    add_endpoint(promised.workspace, name="CRM", url="https://crm.example/", events=["case.state"], by=alice, now=NOW)
    note_message(promised, ours(promised, SOON), now=SOON)
    assert [event.data["was"] for event in Event.objects.all()] == ["new"]


def theirs(case: Case, minutes: int, uid: str) -> None:
    """They write at that minute."""
    at = NOW + timedelta(minutes=minutes)
    asked = Message.objects.create(
        workspace=case.workspace, conversation=case.conversations.get(), uid=uid, direction="inward", at=at
    )
    note_message(case, asked, now=max(at, LATE))


@pytest.fixture
def answered(promised: Case) -> Case:
    """Answered once, and answered again within an hour."""
    Target.objects.update(next_answer=60)
    note_answer(promised, at=SOON, how={"uid": "a"}, by=None, now=SOON)
    return promised


def due(case: Case) -> float | None:
    """The minutes after the opening at which the next answer is due."""
    case.refresh_from_db()
    return (case.next_answer_due_at - NOW) / timedelta(minutes=1) if case.next_answer_due_at else None


def test_who_writes_again_before_the_answer_does_not_wait_longer(answered: Case) -> None:
    assert due(answered) is None
    for minutes, uid in ((100, "first"), (130, "again"), (155, "and again")):
        theirs(answered, minutes, uid)
        assert due(answered) == 160
    rows = CaseChange.objects.filter(case=answered, what="deadlines")
    [told] = [row for row in rows if "next_answer" in row.new]
    assert told.why == "counted from their first message that has no answer" and told.old is None
    assert ring_due(now=NOW + timedelta(minutes=161)) == 1 and told_late(answered) == ["next_answer"]


def test_an_earlier_message_that_arrives_late_moves_the_next_answer_forward_and_says_so(answered: Case) -> None:
    theirs(answered, 130, "second")
    theirs(answered, 110, "first")
    assert due(answered) == 170
    told = CaseChange.objects.filter(case=answered, what="deadlines").latest("pk")
    later = {"next_answer": (NOW + timedelta(minutes=190)).isoformat()}
    assert (told.old, told.new) == (later, {"next_answer": (NOW + timedelta(minutes=170)).isoformat()})


def test_the_next_question_after_an_answer_is_counted_anew(answered: Case) -> None:
    theirs(answered, 100, "first")
    note_answer(answered, at=NOW + timedelta(minutes=120), how={"uid": "b"}, by=None, now=NOW + timedelta(minutes=120))
    assert due(answered) is None
    theirs(answered, 200, "second")
    assert due(answered) == 260
