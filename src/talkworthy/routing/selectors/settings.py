"""Reads of teams, working hours and targets for their pages, asked as a viewer."""

from datetime import datetime

from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.routing.models import Availability, Case, EscalationStep, Target, WorkingHours
from talkworthy.routing.states import LIVE
from talkworthy.workspaces.models import Member, Team, TeamMember


def teams(*, viewer: Member) -> QuerySet[Team]:
    """The teams by name, with their members, hours, and how many cases lie with them."""
    members = TeamMember.objects.select_related("member__user").order_by("-is_lead", "member__user__name", "pk")
    return (
        Team.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None)
        .select_related("hours__hours")
        .prefetch_related(Prefetch("memberships", members))
        .annotate(live=Count("cases", filter=Q(cases__state__in=LIVE)))
        .order_by("name", "pk")
    )


def team_or_404(number: int, *, viewer: Member, deleted: bool = False) -> Team:
    """A team of the viewer's workspace; a deleted one only where asked for."""
    found = Team.objects.filter(workspace_id=viewer.workspace_id, pk=number, deleted_at__isnull=not deleted).first()
    if found is None:
        raise Http404(_("There is no such team."))
    return found


def all_hours(*, viewer: Member) -> QuerySet[WorkingHours]:
    """The working hours by name, with the teams that keep them."""
    return WorkingHours.objects.filter(workspace_id=viewer.workspace_id).prefetch_related("teams__team")


def hours_or_404(number: int, *, viewer: Member) -> WorkingHours:
    """Working hours of the viewer's workspace."""
    found = WorkingHours.objects.filter(workspace_id=viewer.workspace_id, pk=number).first()
    if found is None:
        raise Http404(_("There are no such working hours."))
    return found


def targets(team: Team | None, *, viewer: Member) -> dict[str, Target]:
    """The targets of a team, or of every team without its own, by class."""
    rows = Target.objects.filter(workspace_id=viewer.workspace_id, team=team, deleted_at=None)
    return {row.priority: row for row in rows}


def target_or_404(number: int, *, viewer: Member) -> Target:
    """A target of the viewer's workspace."""
    found = Target.objects.filter(workspace_id=viewer.workspace_id, pk=number, deleted_at=None).first()
    if found is None:
        raise Http404(_("There is no such target."))
    return found


def targets_gone(team: Team | None, *, at: datetime, viewer: Member) -> list[Target]:
    """The targets that were taken away at that moment."""
    rows = Target.objects.filter(workspace_id=viewer.workspace_id, team=team, deleted_at=at)
    return sorted(rows, key=lambda row: Case.Priority.values.index(row.priority))


def steps(team: Team | None, *, viewer: Member) -> list[EscalationStep]:
    """The steps of escalation of a team's targets, or of those of every team, in the order of class and minutes."""
    rows = EscalationStep.objects.filter(
        target__workspace_id=viewer.workspace_id, target__team=team, target__deleted_at=None, deleted_at=None
    ).select_related("target", "member__user", "team")
    places = {value: place for place, value in enumerate(Case.Priority.values)}
    return sorted(rows, key=lambda step: (places[step.target.priority] if step.target else 0, step.minutes, step.pk))


def step_or_404(number: int, *, viewer: Member) -> EscalationStep:
    """A step of the viewer's workspace, deleted or not."""
    rows = EscalationStep.objects.filter(target__workspace_id=viewer.workspace_id)
    found = rows.select_related("target__workspace", "target__team", "member__user", "team").filter(pk=number).first()
    if found is None:
        raise Http404(_("There is no such step."))
    return found


def cases_by_default(*, viewer: Member) -> int:
    """How many live cases lie with nobody, or with a team that follows what holds of every team."""
    live = Case.objects.filter(workspace_id=viewer.workspace_id, state__in=LIVE)
    return live.filter(Q(team=None) | Q(team__hours=None)).count()


def availability(*, viewer: Member) -> Availability:
    """What the viewer takes on; not saved yet where they never said."""
    return Availability.objects.filter(member=viewer).first() or Availability(member=viewer)
