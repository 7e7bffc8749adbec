"""Verbs on teams, on what their members take on, and on what is promised."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.models import Availability, Case, Target, TeamHours, WorkingHours
from talkworthy.routing.reckoning import begin_reckoning
from talkworthy.routing.states import LIVE
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import Member, Team, TeamMember, User, Workspace

PROMISES = ("first_answer", "next_answer", "resolution", "silent_assignee")
"""The minutes of a target."""

USUAL: dict[str, dict[str, Any]] = {
    Case.Priority.RISK: {
        "first_answer": 30, "next_answer": 30, "resolution": 480, "silent_assignee": 15, "around_the_clock": True,
    },
    Case.Priority.PURCHASE: {"first_answer": 60, "next_answer": 120, "resolution": 1440, "silent_assignee": 30},
    Case.Priority.CANCEL: {"first_answer": 60, "next_answer": 120, "resolution": 960, "silent_assignee": 30},
    Case.Priority.SERVICE: {"first_answer": 240, "next_answer": 480, "resolution": 2400, "silent_assignee": 120},
    Case.Priority.LOW: {"first_answer": 480, "next_answer": 960},
}  # fmt: skip
"""Targets that a workspace may begin with: a start to be changed, promised only once somebody takes them."""


def create_team(workspace: Workspace, *, name: str, about: str, colour: str, by: User | None, now: datetime) -> Team:
    """A team without members. Its word in queries is made of its name and stays."""
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        _refuse_taken(workspace.pk, name, but=None)
        team = Team.objects.create(
            workspace=workspace, name=name, slug=_free_slug(workspace, name), about=about, colour=colour, created_at=now
        )
        note_change(workspace, verb="create", thing=team, by=by, now=now, after={"name": name, "slug": team.slug})
    return team


def change_team(
    team: Team,
    *,
    name: str,
    about: str,
    colour: str,
    hours: WorkingHours | None,
    members: Collection[Member],
    leads: Collection[Member],
    by: User | None,
    now: datetime,
) -> Team:
    """What it is called, which hours it keeps (None: those of every team), who is in it and who leads it."""
    theirs = {member.workspace_id for member in members} | ({hours.workspace_id} if hours else set())
    if theirs - {team.workspace_id}:
        raise Refused(_("They are not in this workspace."))
    if not {member.pk for member in leads} <= {member.pk for member in members}:
        raise Refused(_("Who leads a team is a member of it: tick both, or neither."))
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=team.workspace_id)
        team = Team.objects.select_for_update().get(pk=team.pk)
        if team.deleted_at is not None:
            raise Refused(_("The team is deleted. Restore it first."))
        _refuse_taken(team.workspace_id, name, but=team.pk)
        before, after = apply_changes(team, {"name": name, "about": about, "colour": colour})
        if after:
            team.save(update_fields=list(after))
        for was, becomes, word in (
            (*_keep_hours(team, hours), "hours"),
            (*_keep_members(team, members, leads), "members"),
        ):
            if was != becomes:
                before[word], after[word] = was, becomes
        if after:
            note_change(workspace, verb="change", thing=team, by=by, now=now, before=before, after=after)
        if "hours" in after:
            why = _("“%(team)s” keeps other working hours") % {"team": team.name}
            begin_reckoning(workspace, why=why, by=by, now=now)
    return team


def delete_team(team: Team, *, by: User | None, now: datetime) -> Team:
    """Take a team away, with nothing of it lost. Refused while cases that are not settled lie with it."""
    with transaction.atomic():
        team = Team.objects.select_for_update().get(pk=team.pk)
        if team.deleted_at is not None:
            return team
        waiting = Case.objects.filter(team=team, state__in=LIVE).count()
        if waiting:
            raise Refused(
                ngettext(
                    "%(n)s open case lies with “%(team)s”. Give it to another team first.",
                    "%(n)s open cases lie with “%(team)s”. Give them to another team first.",
                    waiting,
                )
                % {"n": waiting, "team": team.name}
            )
        team.deleted_at = now
        team.save(update_fields=["deleted_at"])
        note_change(team.workspace, verb="delete", thing=team, by=by, now=now)
    return team


def restore_team(team: Team, *, by: User | None, now: datetime) -> Team:
    """Bring a deleted team back. Refused where another took its name or its word in queries."""
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=team.workspace_id)
        team = Team.objects.select_for_update().get(pk=team.pk)
        if team.deleted_at is None:
            return team
        _refuse_taken(team.workspace_id, team.name, but=team.pk)
        if Team.objects.filter(workspace=workspace, slug=team.slug, deleted_at=None).exists():
            raise Refused(_("Another team is called team:%(slug)s in queries now.") % {"slug": team.slug})
        team.deleted_at = None
        team.save(update_fields=["deleted_at"])
        note_change(workspace, verb="restore", thing=team, by=by, now=now)
    return team


def save_targets(
    workspace: Workspace, team: Team | None, rows: Mapping[str, Mapping[str, Any]], *, by: User | None, now: datetime
) -> int:
    """Set the targets of a team, or of every team without its own, by class; a class without a promise has no row.

    Returns how many differ from before. Open deadlines follow in the background.
    """
    changed = 0
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        held = {row.priority: row for row in Target.objects.filter(workspace=workspace, team=team, deleted_at=None)}
        for priority, told in rows.items():
            row = held.get(priority)
            if all(told.get(name) is None for name in PROMISES):
                changed += _drop_target(row, by=by, now=now)
                continue
            verb = "change" if row else "create"
            row = row or Target(workspace=workspace, team=team, priority=priority)
            wanted = {name: told.get(name) for name in PROMISES}
            wanted["around_the_clock"] = bool(told.get("around_the_clock"))
            before, after = apply_changes(row, wanted)
            if not after:
                continue
            row.save()
            changed += 1
            note_change(
                workspace,
                verb=verb,
                thing=row,
                by=by,
                now=now,
                before=before if verb == "change" else None,
                after=after,
                label=_label(row),
            )
        if changed:
            begin_reckoning(workspace, why=_why_targets(team), by=by, now=now)
    return changed


def begin_targets(workspace: Workspace, *, by: User | None, now: datetime) -> None:
    """Take the usual targets for every team. Refused where any are set already: nothing of one's own is overwritten."""
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        if Target.objects.filter(workspace=workspace, team=None, deleted_at=None).exists():
            raise Refused(_("There are targets already; they were left as they are."))
        save_targets(workspace, None, USUAL, by=by, now=now)


def set_availability(
    member: Member,
    *,
    state: str,
    away_until: datetime | None,
    capacity: int,
    languages: list[str],
    skills: list[str],
    by: User | None,
    now: datetime,
) -> Availability:
    """Say what a member takes on. Who is here is not away until any time."""
    with transaction.atomic():
        Member.objects.select_for_update().get(pk=member.pk)
        held = Availability.objects.filter(member=member).first() or Availability(member=member)
        before, after = apply_changes(
            held,
            {
                "state": state,
                "away_until": None if state == Availability.State.HERE else away_until,
                "capacity": capacity,
                "languages": languages,
                "skills": skills,
            },
        )
        is_new = held.pk is None
        if after or is_new:
            held.save(update_fields=None if is_new else list(after))
            note_change(
                member.workspace,
                verb="create" if is_new else "change",
                thing=held,
                by=by,
                now=now,
                before=before,
                after=after,
            )
    return held


def _keep_hours(team: Team, hours: WorkingHours | None) -> tuple[int | None, int | None]:
    """Give the team its hours; their numbers before and after."""
    held = TeamHours.objects.filter(team=team).first()
    was, becomes = held.hours_id if held else None, hours.pk if hours else None
    if hours is None:
        TeamHours.objects.filter(team=team).delete()
    elif was != becomes:
        TeamHours.objects.update_or_create(team=team, defaults={"hours": hours})
    return was, becomes


def _keep_members(
    team: Team, members: Collection[Member], leads: Collection[Member]
) -> tuple[dict[str, bool], dict[str, bool]]:
    """Bring the rows of members in step; number → leads it, before and after."""
    leading = {member.pk for member in leads}
    wanted = {member.pk: member.pk in leading for member in members}
    held = {row.member_id: row for row in TeamMember.objects.filter(team=team)}
    TeamMember.objects.filter(team=team).exclude(member__in=wanted).delete()
    for pk, is_lead in wanted.items():
        if pk not in held or held[pk].is_lead != is_lead:
            TeamMember.objects.update_or_create(team=team, member_id=pk, defaults={"is_lead": is_lead})
    was = {str(pk): held[pk].is_lead for pk in sorted(held)}
    return was, {str(pk): wanted[pk] for pk in sorted(wanted)}


def restore_targets(workspace: Workspace, numbers: Collection[int], *, by: User | None, now: datetime) -> list[Target]:
    """Bring targets back as they were, with their steps; open deadlines follow in the background.

    Refused where something else is promised for such a class by now.
    """
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        gone = Target.objects.filter(workspace=workspace, pk__in=numbers).exclude(deleted_at=None)
        rows = list(gone.select_related("workspace", "team"))
        for row in rows:
            if Target.objects.filter(
                workspace=workspace, team=row.team, priority=row.priority, deleted_at=None
            ).exists():
                raise Refused(
                    _("“%(class)s” was promised anew in the meantime; it was left as it is.")
                    % {"class": Case.Priority(row.priority).label}
                )
            row.deleted_at = None
            row.save(update_fields=["deleted_at"])
            after = {name: getattr(row, name) for name in (*PROMISES, "around_the_clock")}
            note_change(workspace, verb="restore", thing=row, by=by, now=now, after=after, label=_label(row))
        if rows:
            begin_reckoning(workspace, why=_why_targets(rows[0].team), by=by, now=now)
    return rows


def _drop_target(row: Target | None, *, by: User | None, now: datetime) -> int:
    """Take a target away; it can be brought back with its steps."""
    if row is None:
        return 0
    before = {name: getattr(row, name) for name in (*PROMISES, "around_the_clock")}
    note_change(row.workspace, verb="delete", thing=row, by=by, now=now, before=before, label=_label(row))
    row.deleted_at = now
    row.save(update_fields=["deleted_at"])
    return 1


def _why_targets(team: Team | None) -> str:
    if team is None:
        return _("The targets of every team were changed")
    return _("The targets of “%(team)s” were changed") % {"team": team.name}


def _label(row: Target) -> str:
    return f"{row.priority} ({row.team.slug})" if row.team else row.priority


def _refuse_taken(workspace: int, name: str, *, but: int | None) -> None:
    others = Team.objects.filter(workspace=workspace, deleted_at=None, name__iexact=name)
    if any(pk != but for pk in others.values_list("pk", flat=True)):
        raise Refused(_("There is a team “%(name)s” already. Choose another name.") % {"name": name})


def _free_slug(workspace: Workspace, name: str) -> str:
    """A word for queries that no team has, not even a deleted one, which may come back."""
    base = slugify(name)[:50].strip("-") or "team"
    taken = set(Team.objects.filter(workspace=workspace, slug__startswith=base).values_list("slug", flat=True))
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug
