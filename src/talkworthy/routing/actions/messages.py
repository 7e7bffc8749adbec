"""What a further message does to the case that works on its conversation. All in the caller's transaction."""

from datetime import datetime

from talkworthy.routing.clocks import set_clocks
from talkworthy.routing.models import Case, CaseChange, Message, Timer
from talkworthy.routing.states import LIVE

ANSWERED = (Timer.Kind.FIRST_ANSWER, Timer.Kind.NEXT_ANSWER, Timer.Kind.SILENT)


def note_message(case: Case, message: Message, *, now: datetime) -> None:
    """Write a new message into the history: theirs starts the clocks and ends waiting, ours stops them."""
    held = Case.objects.select_for_update().get(pk=case.pk)
    CaseChange.objects.create(case=held, what="message", new={"uid": message.uid, "from": message.direction}, at=now)
    state = held.state
    if message.direction == Message.Direction.INWARD:
        held.last_inward_at = max(held.last_inward_at or message.at, message.at)
        if held.state in (Case.State.WAITING, Case.State.SNOOZED):
            held.state, held.snoozed_until = Case.State.OPEN, None
    elif message.direction == Message.Direction.OUTWARD and (held.last_answered_at or held.opened_at) < message.at:
        for timer in Timer.objects.filter(case=held, done_at=None, kind__in=ANSWERED):
            timer.done_at, timer.outcome = now, "met" if message.at <= timer.due_at else "missed"
            timer.save(update_fields=["done_at", "outcome"])
        held.first_answered_at = held.first_answered_at or message.at
        held.last_answered_at = message.at
        if held.state in (Case.State.NEW, Case.State.OPEN):
            held.state = Case.State.WAITING
    if held.state != state:
        CaseChange.objects.create(case=held, what="state", old=state, new=held.state, why="message", at=now)
        Timer.objects.filter(case=held, kind=Timer.Kind.SNOOZE, done_at=None).update(done_at=now, outcome="dropped")
    set_clocks(held, now=now)
    held.version += 1
    held.changed_at = now
    held.save()


def note_change_of(message: Message, what: str, *, now: datetime) -> None:
    """Write an edit or a deletion into the history of the cases that work on it."""
    for case in Case.objects.filter(conversations=message.conversation_id, state__in=LIVE):
        CaseChange.objects.create(case=case, what=what, new={"uid": message.uid}, at=now)
