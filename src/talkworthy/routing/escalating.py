"""Steps of escalation: told, given on, raised, after so long without an answer. Each happens once, and can be undone.

A step is marked as done in the transaction that does it, after a conditional claim: a worker that dies in between
leaves it to be done, and two workers do it once.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.notifying.actions import notify
from talkworthy.routing import actions, assignment
from talkworthy.routing.hours import candidates_of
from talkworthy.routing.models import Case, CaseChange, CaseRole, Escalation, EscalationStep
from talkworthy.routing.playbook import PRIORITIES
from talkworthy.routing.states import SETTLED
from talkworthy.states.claims import claimed
from talkworthy.workspaces.models import Member, Team, User

log = logging.getLogger(__name__)

BATCH = 100


def escalate_due(*, now: datetime) -> int:
    """Take the steps that are due; returns how many."""
    done = 0
    due = Escalation.objects.filter(done_at=None, due_at__lte=now).order_by("due_at", "pk")
    for escalation in claimed(due, now=now, most=BATCH):
        try:
            with transaction.atomic():
                escalate(escalation, now=now)
        except Exception:  # one case must not keep the others waiting; its claim ends, and it is tried again
            log.exception("escalation %s failed", escalation.pk)
        done += 1
    return done


def escalate(escalation: Escalation, *, now: datetime) -> None:
    """Take one step, in the caller's transaction; one that was taken already does nothing."""
    case = Case.objects.select_for_update().get(pk=escalation.case_id)
    rows = Escalation.objects.select_related("step__member", "step__team", "step__target")
    held = rows.select_for_update(of=("self",)).filter(pk=escalation.pk, done_at=None).first()
    if held is None:
        return
    target = held.step.target
    if held.step.deleted_at is not None or case.state in SETTLED or (target and target.deleted_at):
        held.delete()
        return
    held.done_at, held.claimed_until = now, None  # before it is taken: what it changes sets the other steps anew
    held.save(update_fields=["done_at", "claimed_until"])
    before = CaseChange.objects.filter(case=case).order_by("-pk").values_list("pk", flat=True).first() or 0
    why = _("%(n)d minutes of working time %(of)s") % {"n": held.step.minutes, "of": held.step.get_after_display()}
    did = _STEPS[EscalationStep.Does(held.step.does)](case, held, why, now)
    CaseChange.objects.create(case=case, what="escalated", new=did, why=why, at=now)
    left = CaseChange.objects.filter(case=case, pk__gt=before).order_by("pk").values_list("pk", flat=True)
    Escalation.objects.filter(pk=held.pk).update(changes=list(left))


def undo_escalation(escalation: Escalation, *, by: User, now: datetime) -> int:
    """Take back what a step did, as far as nothing was changed since; returns how much was left as it is."""
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=escalation.case_id)
        rows = Escalation.objects.filter(pk=escalation.pk, undone_at=None, done_at__isnull=False)
        if not rows.update(undone_at=now, undone_by=by):
            raise actions.Refused(_("It was undone already."))
        changes = list(CaseChange.objects.filter(case=case, pk__in=escalation.changes))
        fields = [change for change in changes if change.what in ("owner", "team", "priority", "state")]
        _undone, left = actions.undo_changes(fields, by=by, now=now)
        for change in changes:
            if change.what == "role" and isinstance(change.new, dict):
                for role in CaseRole.objects.filter(case=case, member=change.new["member"], role=change.new["role"]):
                    actions.end_role(role, by=by, now=now)
        told = step_in_words(escalation.step)
        CaseChange.objects.create(case=case, what="escalation undone", new=told, by=by, at=now)
    return left


def origin_in_words(step: EscalationStep) -> str:
    """What gave a step to its case; empty where it stands with the class."""
    if step.origin.get("rules"):
        return _("by the rule “%(name)s”") % {"name": ", ".join(step.origin["rules"])}
    return _("by the outcome “%(name)s”") % {"name": step.origin["outcome"]} if step.origin.get("outcome") else ""


def step_in_words(step: EscalationStep) -> str:
    """What a step does, in words."""
    if step.does == EscalationStep.Does.RAISE:
        return str(step.get_does_display())
    whom = step.member.user if step.member else step.team.name if step.team else _("whoever leads the team")
    return f"{step.get_does_display()} {whom}"


def leads_of(team: Team | None) -> list[Member]:
    """Whoever leads a team, in a steady order."""
    if team is None:
        return []
    rows = team.memberships.filter(is_lead=True).select_related("member__user").order_by("pk")
    return [row.member for row in rows]


def _inform(case: Case, escalation: Escalation, why: str, now: datetime) -> str:
    """Those who are named are informed from now on, and told."""
    step = escalation.step
    told = [step.member] if step.member else leads_of(case.team)
    for member in told:
        _role, is_new = CaseRole.objects.get_or_create(
            case=case, member=member, role=CaseRole.Role.INFORMED, defaults={"at": now}
        )
        if is_new:
            part = {"member": member.pk, "role": CaseRole.Role.INFORMED.value}
            CaseChange.objects.create(case=case, what="role", new=part, why=why, at=now)
        words = _("%(case)s: %(why)s.") % {"case": case, "why": why}
        key = f"step {escalation.pk}"
        notify(member, kind="missed", text=words, address=actions.address_of(case), key=key, now=now)
    if not told:
        return _("nobody was told: the team has no lead")
    return _("told: %(who)s") % {"who": ", ".join(str(member.user) for member in told)}


def _reassign(case: Case, escalation: Escalation, why: str, now: datetime) -> str:
    """The case goes to whom the step names, as far as they may work on cases."""
    step = escalation.step
    owner, team = step.member, step.team
    if team is not None:
        owner = _best_of(team, case, now=now)
    elif owner is None:
        owner = next((lead for lead in leads_of(case.team) if actions.may_own(lead)), None)
    if (owner is None and team is None) or (owner is not None and not actions.may_own(owner)):
        return _("given to nobody: there is nobody who may work on cases")
    if owner is not None and owner.pk == case.owner_id and team in (None, case.team):
        return _("left with %(who)s, who has it already") % {"who": owner.user}
    actions.assign_case(case, owner=owner, team=team, by=None, now=now, why=why)
    return _("given to %(who)s") % {"who": owner.user if owner else team}


def _best_of(team: Team, case: Case, *, now: datetime) -> Member | None:
    need = assignment.Need(case.language[:2], but=case.owner_id)
    chosen = assignment.choose(candidates_of(team), need, now=now).member
    return Member.objects.select_related("user").filter(pk=chosen).first() if chosen else None


def _raise(case: Case, escalation: Escalation, why: str, now: datetime) -> str:
    """One class up; deadlines follow."""
    place = PRIORITIES.index(case.priority)
    if place == 0:
        return _("left in the highest class")
    actions.set_priority(case, priority=PRIORITIES[place - 1], by=None, now=now, why=why)
    return _("raised to %(class)s") % {"class": Case.Priority(PRIORITIES[place - 1]).label}


_STEPS: dict[EscalationStep.Does, Callable[[Case, Escalation, str, datetime], str]] = {
    EscalationStep.Does.INFORM: _inform,
    EscalationStep.Does.REASSIGN: _reassign,
    EscalationStep.Does.RAISE: _raise,
}
