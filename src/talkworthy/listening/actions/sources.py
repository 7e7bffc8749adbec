"""Verbs on sources."""

import secrets as chance
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.connectors.contract import Checked, Kind
from talkworthy.connectors.errors import ConnectorError
from talkworthy.connectors.registry import connector_named
from talkworthy.listening.actions.problems import Refused
from talkworthy.listening.collecting import source_key
from talkworthy.listening.models import AlertRule, Source
from talkworthy.listening.stores import http_for, payloads_of
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.credentials import opened, sealed
from talkworthy.workspaces.models import User, Workspace


def create_source(
    workspace: Workspace,
    *,
    connector: str,
    name: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, Any] | None = None,
    keep: str = Source.Keep.ALL,
    sample_percent: float = 1.0,
    interval: int = 300,
    by: User | None,
    now: datetime,
) -> Source:
    """Add a source; it is fetched at once."""
    plain, secret = _settings(connector, {**settings, **(secrets or {})})
    with transaction.atomic():
        source = Source.objects.create(
            workspace=workspace,
            connector=connector,
            name=name.strip() or connector,
            settings=plain,
            secrets=sealed(secret),
            key=chance.token_urlsafe(32),
            keep=keep,
            sample_percent=sample_percent,
            interval=interval,
            due_at=now,
        )
        note_change(
            workspace,
            verb="create",
            thing=source,
            by=by,
            now=now,
            after={"connector": connector, "name": source.name, "settings": plain},
        )
    return source


def change_source(source: Source, *, by: User | None, now: datetime, **changes: Any) -> Source:
    """Change name, settings, secrets, what is kept or the pace; it is fetched again at once.

    A secret that is left empty stays as it was.
    """
    settings, secret = changes.pop("settings", None), changes.pop("secrets", None)
    with transaction.atomic():
        source = Source.objects.select_for_update().get(pk=source.pk)
        if settings is not None or secret:
            given = {name: value for name, value in (secret or {}).items() if value}
            known = {**opened(source.secrets), **given}
            plain, sealing = _settings(
                source.connector, {**(source.settings if settings is None else settings), **known}
            )
            changes["settings"] = plain
            if given:
                source.secrets = sealed(sealing)
        before, after = apply_changes(source, changes)
        if secret and any(secret.values()):
            after["secrets"] = sorted(name for name, value in secret.items() if value)
        source.due_at = now
        source.failures, source.last_error = 0, ""
        if source.state in {Source.State.REFUSED, Source.State.GONE, Source.State.RETRYING}:
            source.state = Source.State.NEW
        source.save()
        note_change(source.workspace, verb="change", thing=source, by=by, now=now, before=before, after=after)
    return source


def pause_source(source: Source, *, by: User | None, now: datetime) -> None:
    """Stop fetching; what it brought stays."""
    _set(source, "pause", by=by, now=now, state=Source.State.PAUSED)


def resume_source(source: Source, *, by: User | None, now: datetime) -> None:
    """Fetch again, from where it stopped."""
    _set(source, "resume", by=by, now=now, state=Source.State.NEW, due_at=now, failures=0)


def delete_source(source: Source, *, by: User | None, now: datetime) -> None:
    """Take it away; its posts stay, and it can be restored."""
    _set(source, "delete", by=by, now=now, deleted_at=now)


def restore_source(source: Source, *, by: User | None, now: datetime) -> None:
    """Bring a deleted source back; it goes on from its cursor."""
    _set(source, "restore", by=by, now=now, deleted_at=None, due_at=now)


def fetch_now(source: Source, *, by: User | None, now: datetime) -> None:
    """Make it due at once."""
    Source.objects.filter(pk=source.pk).update(due_at=now, failures=0)


def check_settings(workspace: Workspace, *, connector: str, settings: Mapping[str, Any], now: datetime) -> Checked:
    """Try settings on the channel without keeping anything; never raises for what the channel does."""
    found = connector_named(connector)
    if found is None:
        return Checked(ok=False, message=_("This connector is not installed."))
    try:
        plain, secret = _settings(connector, settings)
        with http_for(workspace) as http:
            return found.check(http, {**plain, **secret}, now=now)
    except (Refused, ConnectorError) as error:
        return Checked(ok=False, message=str(error))


def replay_aside(source: Source, *, seq: int, index: int, by: User | None, now: datetime) -> bool:
    """Read a payload that was set aside once more; False where it is not there any more."""
    store = payloads_of(source.workspace)
    for aside in store.aside(source_key(source)):
        if (aside.seq, aside.index) == (seq, index):
            store.replay(aside)
            note_change(
                source.workspace, verb="replay", thing=source, by=by, now=now, after={"seq": seq, "index": index}
            )
            return True
    return False


def replay_all_aside(source: Source, *, by: User | None, now: datetime) -> int:
    """Read everything that was set aside once more; returns how much that was."""
    store = payloads_of(source.workspace)
    asides = store.aside(source_key(source))
    for aside in asides:
        store.replay(aside)
    if asides:
        note_change(source.workspace, verb="replay", thing=source, by=by, now=now, after={"payloads": len(asides)})
    return len(asides)


def ensure_alert_rules(workspace: Workspace, *, owner: Any) -> None:
    """Give a new workspace the rules that everybody wants."""
    usual = {
        AlertRule.Kind.UNUSUAL: 0.001,
        AlertRule.Kind.SILENT: 3.0,
        AlertRule.Kind.EMPTY: 3.0,
        AlertRule.Kind.DRIFT: 0.0025,
    }
    for kind, threshold in usual.items():
        AlertRule.objects.get_or_create(
            workspace=workspace, kind=kind, monitor=None, source=None, defaults={"owner": owner, "threshold": threshold}
        )


def _settings(connector: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plain and secret settings, checked against what the connector declares."""
    found = connector_named(connector)
    if found is None:
        raise Refused(_("The connector “%(name)s” is not installed.") % {"name": connector})
    plain: dict[str, Any] = {}
    secret: dict[str, Any] = {}
    for setting in found.settings:
        value = given.get(setting.name, setting.default)
        if value in (None, "") and setting.required:
            raise Refused(_("“%(label)s” is needed. %(help)s") % {"label": setting.label, "help": setting.help})
        if value in (None, ""):
            continue
        if setting.kind is Kind.CHOICE and value not in dict(setting.choices):
            raise Refused(_("“%(label)s” cannot be “%(value)s”.") % {"label": setting.label, "value": value})
        (secret if setting.kind is Kind.SECRET else plain)[setting.name] = value
    unknown = given.keys() - {setting.name for setting in found.settings}
    if unknown:
        raise Refused(_("This connector has no setting “%(name)s”.") % {"name": sorted(unknown)[0]})
    return plain, secret


def _set(source: Source, verb: str, *, by: User | None, now: datetime, **changes: Any) -> None:
    with transaction.atomic():
        before, after = apply_changes(source, changes)
        if not after:
            return
        source.save(update_fields=list(changes))
        note_change(source.workspace, verb=verb, thing=source, by=by, now=now, before=before, after=after)
