"""Verbs on how a workspace answers: autonomy, approval rules, accounts, the drafter, its manner."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.connectors.contract import Limiting
from talkworthy.connectors.errors import ConnectorError
from talkworthy.connectors.registry import connector_named
from talkworthy.listening.collecting import settings_of
from talkworthy.listening.models import Source
from talkworthy.listening.stores import http_for
from talkworthy.responding.actions.problems import Refused
from talkworthy.responding.approval import BadCondition, check_condition
from talkworthy.responding.autonomy import LEVELS
from talkworthy.responding.models import ApprovalRule, Autonomy, Drafter, Manner, Sender
from talkworthy.responding.sending import has_credentials, sending_connector
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.credentials import LockedCredentials, sealed
from talkworthy.workspaces.models import Team, User, Workspace

BY_PERSONS = ("escalate_crisis", "respond_current_only", "research")
"""Outcomes that a machine never answers, whatever is set."""


def set_autonomy(workspace: Workspace, *, outcome: str, by: User, now: datetime, **changes: Any) -> Autonomy:
    """How far a machine may go with an outcome."""
    level = changes.get("level", "suggest")
    if level not in LEVELS:
        raise Refused(_("There is no level “%(level)s”.") % {"level": level})
    if outcome in BY_PERSONS and level == "send":
        raise Refused(_("What may be a crisis is answered by persons alone."))
    with transaction.atomic():
        row, _is_new = Autonomy.objects.get_or_create(workspace=workspace, outcome=outcome)
        before, after = apply_changes(row, changes)
        row.save()
        if after:
            note_change(workspace, verb="change", thing=row, by=by, now=now, before=before, after=after)
    return row


def save_approval_rule(
    workspace: Workspace,
    *,
    name: str,
    condition: Mapping[str, Any],
    team: Team | None,
    count: int,
    by_another: bool,
    enabled: bool,
    rule: ApprovalRule | None = None,
    by: User,
    now: datetime,
) -> ApprovalRule:
    """Make or change a rule; one that nobody could meet is refused."""
    try:
        check_condition(condition)
    except BadCondition as error:
        raise Refused(_("A rule knows no “%(part)s”.") % {"part": error.part}) from error
    if count < 1:
        raise Refused(_("A rule asks for one approval at least. Turn it off instead."))
    values = {
        "name": name.strip(),
        "condition": dict(condition),
        "team": team,
        "count": count,
        "by_another": by_another,
        "enabled": enabled,
    }
    with transaction.atomic():
        verb = "create" if rule is None else "change"
        rule = rule or ApprovalRule(workspace=workspace)
        before, after = apply_changes(rule, values)
        rule.save()
        note_change(workspace, verb=verb, thing=rule, by=by, now=now, before=before, after=after)
    return rule


def delete_approval_rule(rule: ApprovalRule, *, by: User, now: datetime) -> None:
    """Away with it; what waits for it alone is approved when it is asked again."""
    with transaction.atomic():
        note_change(rule.workspace, verb="delete", thing=rule, by=by, now=now, before={"name": rule.name})
        rule.delete()


def turn_sender(source: Source, *, on: bool, by: User, now: datetime) -> Sender:
    """Let an account answer, or not any more; turned on, its server is asked what it takes."""
    if on and sending_connector(source) is None:
        raise Refused(_("Nobody can answer on this channel."))
    if on and not has_credentials(source):
        raise Refused(
            _("“%(name)s” lacks what sending needs. Give it in the settings of the source.") % {"name": source}
        )
    limits = limits_asked(source, now=now) if on else {}
    with transaction.atomic():
        sender, _is_new = Sender.objects.get_or_create(source=source)
        before, after = apply_changes(sender, {"enabled": on, "limits": limits, "asked_at": now})
        sender.save()
        note_change(source.workspace, verb="change", thing=sender, by=by, now=now, before=before, after=after)
    return sender


def limits_asked(source: Source, *, now: datetime) -> dict[str, Any]:
    """What this very server says that it takes; nothing where it does not say, or cannot be reached."""
    connector: object = connector_named(source.connector)
    if not isinstance(connector, Limiting):
        return {}
    try:
        with http_for(source.workspace) as http:
            return dict(connector.limits(http, settings_of(source), now=now))
    except (ConnectorError, LockedCredentials):
        return {}


def save_drafter(
    workspace: Workspace,
    *,
    url: str,
    model: str,
    token: str | None,
    instructions: str,
    enabled: bool,
    by: User,
    now: datetime,
) -> Drafter:
    """Where drafts may be asked for. A token that is not given (None) stays as it was."""
    with transaction.atomic():
        drafter = Drafter.objects.filter(workspace=workspace).first() or Drafter(workspace=workspace)
        values = {"url": url.strip(), "model": model.strip(), "instructions": instructions, "enabled": enabled}
        before, after = apply_changes(drafter, values)
        if token is not None:
            drafter.secret = sealed({"token": token}) if token else b""
            after["token"] = bool(token)
        drafter.save()
        note_change(workspace, verb="change", thing=drafter, by=by, now=now, before=before, after=after)
    return drafter


def save_manner(workspace: Workspace, *, by: User, now: datetime, **changes: Any) -> Manner:
    """How the workspace speaks."""
    with transaction.atomic():
        manner, _is_new = Manner.objects.get_or_create(workspace=workspace)
        before, after = apply_changes(manner, changes)
        manner.save()
        if after:
            note_change(workspace, verb="change", thing=manner, by=by, now=now, before=before, after=after)
    return manner
