"""What a further message does to the case that works on its conversation. All in the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from talkworthy.notifying.actions import tell
from talkworthy.routing.clocks import PROMISED, set_clocks
from talkworthy.routing.models import Case, CaseChange, Message, Timer
from talkworthy.routing.states import CASE, LIVE
from talkworthy.routing.telling import data_of, note_missed
from talkworthy.workspaces.models import User

ANSWERED = (Timer.Kind.FIRST_ANSWER, Timer.Kind.NEXT_ANSWER, Timer.Kind.SILENT)


def note_message(case: Case, message: Message, *, now: datetime) -> None:
    """Write a new message into the history: theirs starts the clocks and ends waiting, ours stops them."""
    held = Case.objects.select_for_update().get(pk=case.pk)
    CaseChange.objects.create(case=held, what="message", new={"uid": message.uid, "from": message.direction}, at=now)
    if message.direction == Message.Direction.INWARD:
        held.last_inward_at = max(held.last_inward_at or message.at, message.at)
        if held.state in (Case.State.WAITING, Case.State.SNOOZED):
            _move(held, Case.State.OPEN, why="message", by=None, now=now)
    elif message.direction == Message.Direction.OUTWARD and (held.last_answered_at or held.opened_at) < message.at:
        _stop_clocks(held, at=message.at, why="message", by=None, now=now)
    before = held.next_answer_due_at
    _keep(held, now=now)
    if held.next_answer_due_at not in (before, None):
        _note_next(held, before, now=now)


def note_answer(case: Case, *, at: datetime, how: Mapping[str, Any], by: User | None, now: datetime) -> None:
    """Write an answer that the channel has taken into the history; it stops the clocks as any message of ours does."""
    held = Case.objects.select_for_update().get(pk=case.pk)
    CaseChange.objects.create(case=held, what="sent", new=dict(how), by=by, at=now)
    _stop_clocks(held, at=at, why="answered", by=by, now=now)
    _keep(held, now=now)


def note_change_of(message: Message, what: str, *, now: datetime) -> None:
    """Write an edit or a deletion into the history of the cases that work on it."""
    for case in Case.objects.filter(conversations=message.conversation_id, state__in=LIVE):
        CaseChange.objects.create(case=case, what=what, new={"uid": message.uid}, at=now)


def _note_next(held: Case, before: datetime | None, *, now: datetime) -> None:
    """From when the next answer is counted: whoever writes again before we answered does not move it."""
    kind = Timer.Kind.NEXT_ANSWER.value
    old, new = ({kind: at.isoformat()} if at else None for at in (before, held.next_answer_due_at))
    why = _("counted from their first message that has no answer")
    CaseChange.objects.create(case=held, what="deadlines", old=old, new=new, why=why, at=now)


def _stop_clocks(held: Case, *, at: datetime, why: str, by: User | None, now: datetime) -> None:
    """What an answer given at that time ends: the timers that ask for one, and our being asked."""
    for timer in Timer.objects.filter(case=held, done_at=None, kind__in=ANSWERED):
        timer.done_at, timer.outcome = now, "met" if at <= timer.due_at else "missed"
        timer.save(update_fields=["done_at", "outcome"])
        if timer.outcome == "missed" and timer.kind in PROMISED:
            note_missed(held, timer, now=now)
    held.first_answered_at = min(held.first_answered_at or at, at)
    held.last_answered_at = max(held.last_answered_at or at, at)
    if held.state in (Case.State.NEW, Case.State.OPEN):
        _move(held, Case.State.WAITING, why=why, by=by, now=now)


def _move(held: Case, state: Case.State, *, why: str, by: User | None, now: datetime) -> None:
    """To another state because of a message; a snooze ends with it."""
    was, held.state, held.snoozed_until = held.state, CASE.step(held.state, state), None
    CaseChange.objects.create(case=held, what="state", old=was, new=held.state, by=by, why=why, at=now)
    Timer.objects.filter(case=held, kind=Timer.Kind.SNOOZE, done_at=None).update(done_at=now, outcome="dropped")
    tell(held.workspace, type="case.state", data=data_of(held, was=was, by=by.email if by else None), now=now)


def _keep(held: Case, *, now: datetime) -> None:
    set_clocks(held, now=now)
    held.version += 1
    held.changed_at = now
    held.save()
