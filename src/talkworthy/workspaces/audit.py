"""The trail: one row for each change, written in the transaction that makes it."""

from datetime import datetime
from typing import Any

from django.db import models

from talkworthy.workspaces.models import AuditEntry, User, Workspace


def note_change(
    workspace: Workspace,
    *,
    verb: str,
    thing: models.Model,
    by: User | None,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    why: str = "",
    label: str | None = None,
) -> AuditEntry:
    """Write down who did what to which thing. `before` and `after` hold the fields that changed, never secrets.

    The trail outlives an erasure: of persons it holds no name, so their `label` is given.
    """
    return AuditEntry.objects.create(
        workspace=workspace,
        by=by,
        at=now,
        verb=verb,
        noun=str(type(thing)._meta.verbose_name),
        key=str(thing.pk),
        label=(str(thing) if label is None else label)[:200],
        before=before,
        after=after,
        why=why,
    )


def apply_changes(thing: models.Model, changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the fields and return those that differ, as they were and as they are, in words that JSON can hold."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in changes.items():
        old = getattr(thing, name)
        if old != value:
            before[name], after[name] = _plain(old), _plain(value)
            setattr(thing, name, value)
    return before, after


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return value.pk if isinstance(value, models.Model) else str(value)
