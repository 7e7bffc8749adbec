"""The timers of a case: set anew whenever team, class, owner or what was said last changes, or what is promised."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Min

from talkworthy.routing import deadlines
from talkworthy.routing.deadlines import NoWorkingTime, Shifts, Targets
from talkworthy.routing.hours import hours_of, minutes_of, shifts_of, target_of
from talkworthy.routing.models import Case, Escalation, EscalationStep, Message, Target, Timer
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
    _targets: dict[tuple[int | None, str], Target | None] = field(default_factory=dict)
    _shifts: dict[int | None, Shifts | None] = field(default_factory=dict)
    _steps: dict[int, list[EscalationStep]] | None = None

    def of(self, team: Team | None, priority: str) -> tuple[Targets, Shifts | None]:
        """The targets of a class of a team, and the hours in which they count; None: around the clock."""
        target = self.target(team, priority)
        if target is None:
            return Targets(), None
        return minutes_of(target), self.hours(target, team)

    def target(self, team: Team | None, priority: str) -> Target | None:
        """The row that holds of a class of a team."""
        number = team.pk if team else None
        if (number, priority) not in self._targets:
            self._targets[number, priority] = target_of(self.workspace, team, priority)
        return self._targets[number, priority]

    def hours(self, target: Target, team: Team | None) -> Shifts | None:
        """The hours in which its minutes count."""
        return None if target.around_the_clock else self._hours(team)

    def hours_of(self, team: Team | None, priority: str) -> Shifts | None:
        """The hours in which minutes of a class of a team count that no target promises."""
        target = self.target(team, priority)
        return self._hours(team) if target is None else self.hours(target, team)

    def _hours(self, team: Team | None) -> Shifts | None:
        number = team.pk if team else None
        if number not in self._shifts:
            self._shifts[number] = shifts_of(hours_of(self.workspace, team), now=self.now)
        return self._shifts[number]

    def steps(self) -> dict[int, list[EscalationStep]]:
        """The steps of escalation by the number of their target."""
        if self._steps is None:
            self._steps = {}
            rows = EscalationStep.objects.filter(
                target__workspace=self.workspace, target__deleted_at=None, deleted_at=None
            )
            for step in rows.select_related("target"):
                self._steps.setdefault(step.target_id or 0, []).append(step)
        return self._steps


def set_clocks(case: Case, *, now: datetime, promises: Promises | None = None, keeps_rung: bool = False) -> None:
    """Bring the timers and the case's own times in step with its targets; the case must be saved by the caller.

    A deadline that was missed is not forgotten by moving it: one that went by and has not rung yet rings now. With
    `keeps_rung`, for changes that are no other promise to this case, one that has rung stays what it was.
    """
    promises = promises or Promises(case.workspace_id, now)
    asked = _asked_since(case)
    wanted = _wanted(case, promises, asked)
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
    _set_steps(case, promises, asked)


def set_steps(case: Case, promises: Promises) -> None:
    """Bring the steps of escalation in step that are still to come; what was done once is not done again."""
    _set_steps(case, promises, _asked_since(case))


def _set_steps(case: Case, promises: Promises, asked: datetime | None) -> None:
    own = list(EscalationStep.objects.filter(case=case, deleted_at=None))
    if not own and not promises.steps():
        return
    held = list(Escalation.objects.filter(case=case).select_related("step__target"))
    counted = _counted_from(case, asked)
    wanted = dict(_steps_wanted(case, held, promises, counted)) | dict(_own_wanted(case, own, promises, counted))
    for row in held:
        due_at = wanted.pop((row.step_id, row.since), None)
        if row.done_at is not None:
            continue
        if due_at is None:
            row.delete()
        elif due_at != row.due_at:
            Escalation.objects.filter(pk=row.pk, done_at=None).update(due_at=due_at, claimed_until=None)
    Escalation.objects.bulk_create(
        Escalation(case=case, step_id=step, since=since, due_at=due_at) for (step, since), due_at in wanted.items()
    )


def _steps_wanted(
    case: Case, held: Sequence[Escalation], promises: Promises, counted: Mapping[str, datetime | None]
) -> Iterator[tuple[tuple[int, datetime], datetime]]:
    """What is due on the case when: (step, from when it is counted) and the moment."""
    target = _followed(case, held, promises, frozenset(filter(None, counted.values())))
    if target is None:
        return
    shifts = promises.hours(target, case.team)
    for step in promises.steps().get(target.pk, ()):
        since = counted[step.after]
        if since is None:
            continue
        try:
            due_at = deadlines.due(since, step.minutes, shifts)
        except NoWorkingTime:
            continue
        if due_at > step.created_at:
            yield (step.pk, since), due_at


def _own_wanted(
    case: Case, own: Sequence[EscalationStep], promises: Promises, counted: Mapping[str, datetime | None]
) -> Iterator[tuple[tuple[int, datetime], datetime]]:
    """The same of the steps that rules or an outcome gave to the case: counted from then on, whatever its class."""
    for step in own:
        since = counted[step.after]
        if since is None:
            continue
        since = max(since, step.created_at)
        try:
            yield (step.pk, since), deadlines.due(since, step.minutes, promises.hours_of(case.team, case.priority))
        except NoWorkingTime:
            continue


def _counted_from(case: Case, asked: datetime | None) -> dict[str, datetime | None]:
    """From when an answer is owed, and from when an owner has not begun; None where neither is so."""
    if case.state in SETTLED:
        return dict.fromkeys(EscalationStep.After.values)
    unanswered = case.opened_at if case.first_answered_at is None else asked
    silent = case.owned_since if case.owner_id and case.state == Case.State.NEW else None
    return {EscalationStep.After.UNANSWERED.value: unanswered, EscalationStep.After.SILENT.value: silent}


def _followed(
    case: Case, held: Sequence[Escalation], promises: Promises, counted: frozenset[datetime]
) -> Target | None:
    """Whose steps: those that were begun are gone on with, so that a raised class does not begin others."""
    begun = [
        row.step.target
        for row in held
        if row.done_at is not None and row.since in counted and row.step.deleted_at is None
    ]
    held_still = [target for target in begun if target is not None and target.deleted_at is None]
    return held_still[-1] if held_still else promises.target(case.team, case.priority)


def moves_by(case: Case, promises: Promises) -> bool:
    """Whether a deadline of the case would be another one by these promises; what has rung stays."""
    wanted = _wanted(case, promises, _asked_since(case))
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


def _wanted(case: Case, promises: Promises, asked: datetime | None) -> dict[str, datetime]:
    if case.state in SETTLED:
        return {}
    targets, shifts = promises.of(case.team, case.priority)
    answered = case.first_answered_at is not None
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


def _asked_since(case: Case) -> datetime | None:
    """When they wrote what has no answer yet: its first words, so that who writes again does not wait longer."""
    if not _is_asked(case):
        return None
    first = Message.objects.filter(
        conversation__cases=case, direction=Message.Direction.INWARD, at__gt=case.last_answered_at
    ).aggregate(at=Min("at"))["at"]
    return first or case.last_inward_at


def _missed(case: Case, kind: str, at: datetime) -> bool:
    return Timer.objects.filter(case=case, kind=kind, due_at=at, outcome__in=["missed", "met"]).exists()
