"""Working hours, targets and members of a team, read from the desk for what decides."""

from datetime import date, datetime

import holidays
from django.db.models import Count, Q

from talkworthy.routing.assignment import Candidate
from talkworthy.routing.deadlines import Shifts, Targets
from talkworthy.routing.models import Availability, Target, TeamHours, WorkingHours
from talkworthy.routing.states import LIVE
from talkworthy.workspaces.models import Member, Team, Workspace
from talkworthy.workspaces.permissions import Permission, Role, may


def hours_of(workspace: Workspace | int, team: Team | None) -> WorkingHours | None:
    """The working hours of a team: its own, unless it is deleted, else those of every team; None: around the clock."""
    number = workspace if isinstance(workspace, int) else workspace.pk
    own = TeamHours.objects.filter(team=team, team__deleted_at=None).select_related("hours").first() if team else None
    return own.hours if own else WorkingHours.objects.filter(workspace=number, is_default=True).first()


def shifts_of(hours: WorkingHours | None, *, now: datetime) -> Shifts | None:
    """Working hours with the holidays of the years around now."""
    if hours is None:
        return None
    days = frozenset(date.fromisoformat(day) for day in hours.days_off)
    shifts = {int(weekday): [(int(begin), int(end)) for begin, end in spans] for weekday, spans in hours.shifts.items()}
    return Shifts(
        hours.timezone, shifts, days | holidays_of(hours.country, years=(now.year - 1, now.year, now.year + 1))
    )


def holidays_of(country: str, *, years: tuple[int, ...]) -> frozenset[date]:
    """Public holidays of a country, or of a part of it written as DE-BY. An unknown one raises NotImplementedError."""
    if not country:
        return frozenset()
    code, _dash, part = country.partition("-")
    return frozenset(holidays.country_holidays(code, subdiv=part or None, years=years).keys())


def targets_of(workspace: Workspace | int, team: Team | None, priority: str) -> tuple[Targets, bool]:
    """The targets of a class: the team's own, else those of every team; and whether they count around the clock."""
    row = target_of(workspace, team, priority)
    return (minutes_of(row), row.around_the_clock) if row else (Targets(), False)


def target_of(workspace: Workspace | int, team: Team | None, priority: str) -> Target | None:
    """The row that holds of a class of a team: its own, else that of every team."""
    number = workspace if isinstance(workspace, int) else workspace.pk
    rows = Target.objects.filter(Q(team=team) | Q(team=None), workspace=number, priority=priority, deleted_at=None)
    return next(iter(sorted(rows, key=lambda held: held.team_id is None)), None)


def minutes_of(row: Target) -> Targets:
    """The minutes that a row promises."""
    return Targets(row.first_answer, row.next_answer, row.resolution, row.silent_assignee)


def candidates_of(team: Team) -> list[Candidate]:
    """The members of a team who may work on cases, with what they have in hand; nobody of a deleted one."""
    working = [role.value for role in Role if may(role.value, Permission.WORK_CASES)]
    members = (
        Member.objects.filter(teams=team, teams__deleted_at=None, role__in=working)
        .annotate(in_hand=Count("cases", filter=Q(cases__state__in=LIVE), distinct=True))
        .order_by("pk")
    )
    told = {row.member_id: row for row in Availability.objects.filter(member__teams=team)}
    found = []
    for member in members:
        row = told.get(member.pk) or Availability(member=member)
        found.append(
            Candidate(
                member=member.pk,
                state=row.state,
                away_until=row.away_until,
                capacity=row.capacity,
                open_cases=member.in_hand,
                languages=frozenset(row.languages),
                skills=frozenset(skill.casefold() for skill in row.skills),
                last_assigned_at=row.last_assigned_at,
            )
        )
    return found
