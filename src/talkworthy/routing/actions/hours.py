"""Verbs on working hours."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.models import TeamHours, WorkingHours
from talkworthy.routing.reckoning import begin_reckoning
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import User, Workspace


def save_hours(hours: WorkingHours, *, by: User | None, now: datetime, **changes: Any) -> WorkingHours:
    """Keep working hours, new or changed: name, timezone, shifts, country, days_off, is_default.

    Those that become the default take that from the ones that were. Open deadlines follow in the background.
    """
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=hours.workspace_id)
        is_new = hours.pk is None
        held = hours if is_new else WorkingHours.objects.select_for_update().get(pk=hours.pk)
        _refuse_taken(held, changes.get("name", held.name))
        before, after = apply_changes(held, changes)
        if held.is_default:
            _leave_default(workspace, but=held.pk, by=by, now=now)
        held.save()
        if is_new:
            note_change(workspace, verb="create", thing=held, by=by, now=now, after=after)
        elif after:
            note_change(workspace, verb="change", thing=held, by=by, now=now, before=before, after=after)
        if after.keys() - {"name"} and (held.is_default or not is_new):
            why = _("The working hours “%(name)s” were changed") % {"name": held.name}
            begin_reckoning(workspace, why=why, by=by, now=now)
    return held


def delete_hours(hours: WorkingHours, *, by: User | None, now: datetime) -> None:
    """Remove working hours for good. Refused while a team keeps them."""
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=hours.workspace_id)
        teams = [row.team.name for row in TeamHours.objects.filter(hours=hours).select_related("team")]
        if teams:
            raise Refused(
                _("“%(name)s” is kept by: %(teams)s. Give these teams other hours first.")
                % {"name": hours.name, "teams": ", ".join(sorted(teams))}
            )
        before = {
            name: getattr(hours, name) for name in ("name", "timezone", "shifts", "country", "days_off", "is_default")
        }
        note_change(workspace, verb="delete", thing=hours, by=by, now=now, before=before)
        was_default = hours.is_default
        hours.delete()
        if was_default:
            why = _("The working hours “%(name)s” were deleted") % {"name": before["name"]}
            begin_reckoning(workspace, why=why, by=by, now=now)


def _leave_default(workspace: Workspace, *, but: int | None, by: User | None, now: datetime) -> None:
    for other in WorkingHours.objects.filter(workspace=workspace, is_default=True):
        if other.pk == but:
            continue
        before, after = apply_changes(other, {"is_default": False})
        other.save(update_fields=["is_default"])
        note_change(workspace, verb="change", thing=other, by=by, now=now, before=before, after=after)


def _refuse_taken(hours: WorkingHours, name: str) -> None:
    others = WorkingHours.objects.filter(workspace=hours.workspace_id, name__iexact=name)
    if any(other.pk != hours.pk for other in others):
        raise Refused(_("There are working hours “%(name)s” already. Choose another name.") % {"name": name})
