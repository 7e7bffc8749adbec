"""Verbs on the steps of escalation of a target."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.routing.actions.cases import may_own
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.escalating import step_in_words
from talkworthy.routing.models import Escalation, EscalationStep, Target
from talkworthy.routing.reckoning import begin_reckoning
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Member, Team, User

MOST = 10
"""Steps of one target."""


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
        if EscalationStep.objects.filter(target=target, deleted_at=None).count() >= MOST:
            raise Refused(_("More than %(n)d steps for one class help nobody.") % {"n": MOST})
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


def _note(step: EscalationStep, verb: str, *, by: User | None, now: datetime) -> None:
    told: dict[str, Any] = {"after": step.after, "minutes": step.minutes, "does": step_in_words(step)}
    told |= {"class": step.target.priority, "team": step.target.team_id}
    note_change(step.target.workspace, verb=verb, thing=step, by=by, now=now, after=told)
    begin_reckoning(step.target.workspace, why=_("The steps of escalation were changed"), by=by, now=now)
