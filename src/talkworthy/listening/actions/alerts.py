"""Verbs on alerts, their rules, and saved views."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from talkworthy.listening.actions.problems import Refused
from talkworthy.listening.models import Alert, AlertRule, Monitor, SavedView, Source
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import Member, User, Workspace


def create_alert_rule(
    workspace: Workspace,
    *,
    kind: str,
    owner: Member,
    monitor: Monitor | None = None,
    source: Source | None = None,
    threshold: float,
    minimum: int = 5,
    by_mail: bool = False,
    by: User | None,
    now: datetime,
) -> AlertRule:
    """Add a rule; without monitor and source it watches each one of the workspace."""
    with transaction.atomic():
        rule = AlertRule.objects.create(
            workspace=workspace,
            kind=kind,
            owner=owner,
            monitor=monitor,
            source=source,
            threshold=threshold,
            minimum=minimum,
            by_mail=by_mail,
        )
        note_change(workspace, verb="create", thing=rule, by=by, now=now, after={"kind": kind, "threshold": threshold})
    return rule


def change_alert_rule(rule: AlertRule, *, by: User | None, now: datetime, **changes: Any) -> AlertRule:
    """Change a rule."""
    with transaction.atomic():
        before, after = apply_changes(rule, changes)
        if after:
            rule.save()
            note_change(rule.workspace, verb="change", thing=rule, by=by, now=now, before=before, after=after)
    return rule


def delete_alert_rule(rule: AlertRule, *, by: User | None, now: datetime) -> None:
    """Remove a rule and its alerts."""
    with transaction.atomic():
        note_change(
            rule.workspace,
            verb="delete",
            thing=rule,
            by=by,
            now=now,
            before={"kind": rule.kind, "threshold": rule.threshold},
        )
        rule.delete()


def see_alert(alert: Alert, *, by: User, now: datetime) -> None:
    """Say that somebody has looked."""
    Alert.objects.filter(pk=alert.pk, seen_at=None).update(seen_at=now, seen_by=by)


def see_all_alerts(workspace: Workspace, *, by: User, now: datetime) -> int:
    """Say that somebody has looked at every one; returns how many were new."""
    return Alert.objects.filter(workspace=workspace, seen_at=None).update(seen_at=now, seen_by=by)


def save_view(member: Member, *, name: str, address: str, shared: bool = False) -> SavedView:
    """Keep a filter of the river under a name; the same name replaces."""
    if not name.strip():
        raise Refused(_("A view needs a name."))
    try:
        view, _created = SavedView.objects.update_or_create(
            member=member,
            name=name.strip(),
            defaults={"workspace": member.workspace, "address": address, "shared": shared},
        )
    except IntegrityError as error:  # two saves of one name at the same moment
        raise Refused(_("This view was saved at the same moment by another page. Look again.")) from error
    return view


def delete_view(view: SavedView) -> None:
    """Forget a view."""
    view.delete()
