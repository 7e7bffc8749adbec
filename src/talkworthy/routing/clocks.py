"""The timers of a case: set anew whenever team, class, owner or what was said last changes, or what is promised."""

from dataclasses import dataclass, field
from datetime import datetime

from talkworthy.routing import deadlines
from talkworthy.routing.deadlines import NoWorkingTime, Shifts, Targets
from talkworthy.routing.hours import hours_of, shifts_of, targets_of
from talkworthy.routing.models import Case, Timer
from talkworthy.routing.states import SETTLED
from talkworthy.routing.telling import note_missed
from talkworthy.workspaces.models import Team

PROMISED = (Timer.Kind.FIRST_ANSWER, Timer.Kind.NEXT_ANSWER, Timer.Kind.RESOLUTION)
KINDS = (*PROMISED, Timer.Kind.SILENT)


@dataclass
class Promises:
    """What a workspace promises by team and class, each read once: for one case, or for many after each other."""

    workspace: int
    now: datetime
    _targets: dict[tuple[int | None, str], tuple[Targets, bool]] = field(default_factory=dict)
    _shifts: dict[int | None, Shifts | None] = field(default_factory=dict)

    def of(self, team: Team | None, priority: str) -> tuple[Targets, Shifts | None]:
        """The targets of a class of a team, and the hours in which they count; None: around the clock."""
        number = team.pk if team else None
        if (number, priority) not in self._targets:
            self._targets[number, priority] = targets_of(self.workspace, team, priority)
        targets, always = self._targets[number, priority]
        if always or targets == Targets():
            return targets, None
        if number not in self._shifts:
            self._shifts[number] = shifts_of(hours_of(self.workspace, team), now=self.now)
        return targets, self._shifts[number]


def set_clocks(case: Case, *, now: datetime, promises: Promises | None = None, keeps_rung: bool = False) -> None:
    """Bring the timers and the case's own times in step with its targets; the case must be saved by the caller.

    A deadline that was missed is not forgotten by moving it: one that went by and has not rung yet rings now. With
    `keeps_rung`, for changes that are no other promise to this case, one that has rung stays what it was.
    """
    wanted = _wanted(case, promises or Promises(case.workspace_id, now))
    if keeps_rung:
        wanted |= _rung(case, wanted)
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
    case.due_at = min(filter(None, times_of(case).values()), default=None)


def moves_by(case: Case, promises: Promises) -> bool:
    """Whether a deadline of the case would be another one by these promises; what has rung stays."""
    wanted = _wanted(case, promises)
    wanted |= _rung(case, wanted)
    return any(at != wanted.get(kind) for kind, at in times_of(case).items())


def times_of(case: Case) -> dict[str, datetime | None]:
    """By when what is promised, as the case holds it."""
    return {
        Timer.Kind.FIRST_ANSWER.value: case.first_answer_due_at,
        Timer.Kind.NEXT_ANSWER.value: case.next_answer_due_at,
        Timer.Kind.RESOLUTION.value: case.resolution_due_at,
    }


def _end(case: Case, timer: Timer, outcome: str, *, now: datetime) -> None:
    late = timer.kind in PROMISED and timer.due_at <= now
    timer.done_at, timer.outcome = now, "missed" if late else outcome
    timer.save(update_fields=["done_at", "outcome"])
    if late:
        note_missed(case, timer, now=now)


def _wanted(case: Case, promises: Promises) -> dict[str, datetime]:
    if case.state in SETTLED:
        return {}
    targets, shifts = promises.of(case.team, case.priority)
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


def _rung(case: Case, wanted: dict[str, datetime]) -> dict[str, datetime]:
    """The promised times of a live case that would be others now, and have rung."""
    if case.state in SETTLED:
        return {}
    held = {kind: at for kind, at in times_of(case).items() if at is not None and at != wanted.get(kind)}
    return {kind: at for kind, at in held.items() if _missed(case, kind, at)}


def _is_asked(case: Case) -> bool:
    """Whether they wrote last."""
    said, answered = case.last_inward_at, case.last_answered_at
    return said is not None and answered is not None and said > answered


def _missed(case: Case, kind: str, at: datetime) -> bool:
    return Timer.objects.filter(case=case, kind=kind, due_at=at, outcome__in=["missed", "met"]).exists()
