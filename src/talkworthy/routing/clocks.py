"""The timers of a case: set anew whenever team, class, owner or what was said last changes."""

from datetime import datetime

from talkworthy.routing import deadlines
from talkworthy.routing.deadlines import NoWorkingTime
from talkworthy.routing.hours import hours_of, shifts_of, targets_of
from talkworthy.routing.models import Case, Timer
from talkworthy.routing.states import SETTLED
from talkworthy.routing.telling import note_missed

PROMISED = (Timer.Kind.FIRST_ANSWER, Timer.Kind.NEXT_ANSWER, Timer.Kind.RESOLUTION)
KINDS = (*PROMISED, Timer.Kind.SILENT)


def set_clocks(case: Case, *, now: datetime) -> None:
    """Bring the timers and the case's own times in step with its targets; the case must be saved by the caller.

    A deadline that was missed is not forgotten by moving it: one that went by and has not rung yet rings now.
    """
    wanted = _wanted(case, now)
    running = {timer.kind: timer for timer in Timer.objects.filter(case=case, done_at=None, kind__in=KINDS)}
    for kind in KINDS:
        timer, at = running.get(kind), wanted.get(kind)
        if timer is not None and timer.due_at != at:
            _end(case, timer, "dropped" if at is None else "moved", now=now)
            timer = None
        if at is not None and timer is None and not _missed(case, kind, at):
            Timer.objects.create(case=case, kind=kind, due_at=at)
    case.first_answer_due_at = wanted.get(Timer.Kind.FIRST_ANSWER)
    case.next_answer_due_at = wanted.get(Timer.Kind.NEXT_ANSWER)
    case.resolution_due_at = wanted.get(Timer.Kind.RESOLUTION)
    times = (case.first_answer_due_at, case.next_answer_due_at, case.resolution_due_at)
    case.due_at = min(filter(None, times), default=None)


def _end(case: Case, timer: Timer, outcome: str, *, now: datetime) -> None:
    late = timer.kind in PROMISED and timer.due_at <= now
    timer.done_at, timer.outcome = now, "missed" if late else outcome
    timer.save(update_fields=["done_at", "outcome"])
    if late:
        note_missed(case, timer, now=now)


def _wanted(case: Case, now: datetime) -> dict[str, datetime]:
    if case.state in SETTLED:
        return {}
    targets, always = targets_of(case.workspace_id, case.team, case.priority)
    shifts = None if always else shifts_of(hours_of(case.workspace_id, case.team), now=now)
    answered = case.first_answered_at is not None
    asked = case.last_inward_at if _is_asked(case) else None
    silent = case.owned_since if case.owner_id and case.state == Case.State.NEW else None
    try:
        found = deadlines.plan(
            targets, shifts, opened_at=case.opened_at, answered=answered, asked_at=asked, owned_since=silent
        )
    except NoWorkingTime:
        return {}
    by_kind = {
        Timer.Kind.FIRST_ANSWER: found.first_answer,
        Timer.Kind.NEXT_ANSWER: found.next_answer,
        Timer.Kind.RESOLUTION: found.resolution,
        Timer.Kind.SILENT: found.silent,
    }
    return {kind.value: at for kind, at in by_kind.items() if at is not None}


def _is_asked(case: Case) -> bool:
    """Whether they wrote last."""
    said, answered = case.last_inward_at, case.last_answered_at
    return said is not None and answered is not None and said > answered


def _missed(case: Case, kind: str, at: datetime) -> bool:
    return Timer.objects.filter(case=case, kind=kind, due_at=at, outcome__in=["missed", "met"]).exists()
