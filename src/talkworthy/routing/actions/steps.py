"""Verbs on the steps of escalation of a target, and on those that rules and outcomes give to a case."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.routing.actions.cases import may_own
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.clocks import Promises, set_steps
from talkworthy.routing.escalating import step_in_words
from talkworthy.routing.models import Case, CaseChange, Escalation, EscalationStep, Target
from talkworthy.routing.reckoning import begin_reckoning
from talkworthy.routing.steps import MOST_STEPS, Step
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Member, Team, User


def add_step(
    target: Target,
    *,
    after: str,
    minutes: int,
    does: str,
    member: Member | None = None,
    team: Team | None = None,
    by: User | None,
    now: datetime,
) -> EscalationStep:
    """A further step; open cases for which it is still to come get it in the background."""
    for thing in (member, team):
        if thing is not None and thing.workspace_id != target.workspace_id:
            raise Refused(_("They are not in this workspace."))
    if does == EscalationStep.Does.REASSIGN and member is not None and not may_own(member):
        raise Refused(_("%(who)s may not work on cases. Give it to somebody who may.") % {"who": member})
    if does == EscalationStep.Does.INFORM and team is not None:
        raise Refused(_("Members are told, not teams: choose a member, or whoever leads the team."))
    if does == EscalationStep.Does.RAISE:
        member = team = None
    with transaction.atomic():
        target = Target.objects.select_for_update().select_related("workspace").get(pk=target.pk)
        if target.deleted_at is not None:
            raise Refused(_("Promise something for the class first: a step belongs to a target."))
        if EscalationStep.objects.filter(target=target, deleted_at=None).count() >= MOST_STEPS:
            raise Refused(_("More than %(n)d steps for one class help nobody.") % {"n": MOST_STEPS})
        step = EscalationStep.objects.create(
            target=target, after=after, minutes=minutes, does=does, member=member, team=team, created_at=now
        )
        _note(step, "create", by=by, now=now)
    return step


def delete_step(step: EscalationStep, *, by: User | None, now: datetime) -> None:
    """Take a step away, with those of it that are still to come; what it did stays."""
    with transaction.atomic():
        if EscalationStep.objects.filter(pk=step.pk, deleted_at=None).update(deleted_at=now):
            Escalation.objects.filter(step=step, done_at=None).delete()
            _note(step, "delete", by=by, now=now)


def restore_step(step: EscalationStep, *, by: User | None, now: datetime) -> None:
    """Bring a step back, as a new one is: it tells nobody of what would have been due before."""
    with transaction.atomic():
        rows = EscalationStep.objects.filter(pk=step.pk).exclude(deleted_at=None)
        if rows.update(deleted_at=None, created_at=now):
            _note(step, "restore", by=by, now=now)


def carry_steps(
    case: Case, steps: Sequence[Step], *, origin: Mapping[str, Any], by: User | None, now: datetime
) -> list[EscalationStep]:
    """Let a case carry steps of rules or of an outcome, counted from now on; what it carries already it gets once."""
    with transaction.atomic():
        case = Case.objects.select_for_update(of=("self",)).select_related("team", "workspace").get(pk=case.pk)
        held = {
            (one.minutes, one.does, one.after, one.member_id, one.team_id)
            for one in EscalationStep.objects.filter(case=case, deleted_at=None)
        }
        carried = []
        for step in steps:
            member, team = whom_of(case.workspace_id, step)
            told = (step.minutes, step.does, step.after, member.pk if member else None, team.pk if team else None)
            if told in held:
                continue
            held.add(told)
            carried.append(
                EscalationStep.objects.create(
                    case=case,
                    origin=dict(origin),
                    minutes=step.minutes,
                    does=step.does,
                    after=step.after,
                    member=member,
                    team=team,
                    created_at=now,
                )
            )
        if carried:
            _note_steps(case, new=carried, by=by, now=now)
    return carried


def follow_outcome(case: Case, outcome: str, steps: Sequence[Step], *, by: User | None, now: datetime) -> None:
    """Triage was answered otherwise: the steps of the earlier outcome that are still to come go, its own come."""
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)
        rows = EscalationStep.objects.filter(case=case, deleted_at=None).select_related("member__user", "team")
        gone = [step for step in rows if step.origin.get("outcome") not in (None, outcome)]
        EscalationStep.objects.filter(pk__in=[step.pk for step in gone]).update(deleted_at=now)
        Escalation.objects.filter(step__in=gone, done_at=None).delete()
        if gone:
            _note_steps(case, old=gone, by=by, now=now)
        carry_steps(case, steps, origin={"outcome": outcome}, by=by, now=now)


def whom_of(workspace: int, step: Step) -> tuple[Member | None, Team | None]:
    """The member or team that a step names by number, address or word; neither: whoever leads, or they are gone."""
    member, team = None, None
    if step.member is not None:
        members = Member.objects.filter(workspace=workspace).select_related("user")
        name = "pk" if isinstance(step.member, int) else "user__email__iexact"
        member = members.filter(**{name: step.member}).first()
    if step.team is not None:
        name = "pk" if isinstance(step.team, int) else "slug"
        team = Team.objects.filter(workspace=workspace, deleted_at=None, **{name: step.team}).first()
    return member, team


def refuse_unknown(workspace: int, step: Step) -> None:
    """Raises Refused where a step names somebody who is not here, or gives a case to who may not work on it."""
    member, team = whom_of(workspace, step)
    if (step.member is not None and member is None) or (step.team is not None and team is None):
        whom = step.member if step.member is not None else step.team
        raise Refused(_("“%(whom)s” is not in this workspace.") % {"whom": whom})
    if step.does == EscalationStep.Does.REASSIGN and member is not None and not may_own(member):
        raise Refused(_("%(who)s may not work on cases. Give it to somebody who may.") % {"who": member})


def _note_steps(
    case: Case,
    *,
    old: Sequence[EscalationStep] = (),
    new: Sequence[EscalationStep] = (),
    by: User | None,
    now: datetime,
) -> None:
    """What comes and goes into the history, and what is due on the case into step with it."""
    told = [
        [f"{step.minutes} min {step.get_after_display()}: {step_in_words(step)}" for step in held]
        for held in (old, new)
    ]
    CaseChange.objects.create(
        case=case, what="steps", old="; ".join(told[0]) or None, new="; ".join(told[1]) or None, by=by, at=now
    )
    set_steps(case, Promises(case.workspace_id, now))


def _note(step: EscalationStep, verb: str, *, by: User | None, now: datetime) -> None:
    if step.target is None:  # a case's own stands in its history
        raise Refused(_("The step belongs to a case, not to a target."))
    told: dict[str, Any] = {"after": step.after, "minutes": step.minutes, "does": step_in_words(step)}
    told |= {"class": step.target.priority, "team": step.target.team_id}
    note_change(step.target.workspace, verb=verb, thing=step, by=by, now=now, after=told)
    begin_reckoning(step.target.workspace, why=_("The steps of escalation were changed"), by=by, now=now)
