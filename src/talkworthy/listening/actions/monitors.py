"""Verbs on monitors and on what they found."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from talkworthy.analysis.meaning import MEANING
from talkworthy.listening.actions.problems import Refused
from talkworthy.listening.models import Job, Mark, Monitor, MonitorVersion
from talkworthy.query import QueryError, compile_query, parse
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import Member, User, Workspace

COLOURS = ("blue", "orange", "teal", "purple", "pink", "green", "amber", "slate", "red", "cyan")


def create_monitor(
    workspace: Workspace,
    *,
    name: str,
    kind: str,
    colour: str,
    owner: Member | None,
    query: str,
    by: User | None,
    now: datetime,
) -> Monitor:
    """Add a monitor and match stored history against it in the background."""
    _check(query)
    try:
        with transaction.atomic():
            monitor = Monitor.objects.create(
                workspace=workspace,
                name=name.strip(),
                kind=kind,
                colour=colour,
                owner=owner,
                query=query,
                changed_at=now,
            )
            MonitorVersion.objects.create(monitor=monitor, version=1, query=query, by=by, at=now)
            note_change(workspace, verb="create", thing=monitor, by=by, now=now, after={"name": name, "query": query})
            _rematch(monitor, by=by, now=now)
    except IntegrityError as error:
        raise _name_taken(name) from error
    return monitor


def change_monitor(monitor: Monitor, *, by: User | None, now: datetime, **changes: Any) -> Monitor:
    """Change fields; a changed query is a new version, and history is matched again in the background."""
    if "query" in changes:
        _check(changes["query"])
    try:
        with transaction.atomic():
            monitor = Monitor.objects.select_for_update().get(pk=monitor.pk)
            before, after = apply_changes(monitor, changes)
            if not after:
                return monitor
            monitor.changed_at = now
            if "query" in after:
                monitor.version += 1
                MonitorVersion.objects.create(
                    monitor=monitor, version=monitor.version, query=monitor.query, by=by, at=now
                )
            monitor.save()
            note_change(monitor.workspace, verb="change", thing=monitor, by=by, now=now, before=before, after=after)
            if "query" in after:
                _rematch(monitor, by=by, now=now)
    except IntegrityError as error:
        raise _name_taken(str(changes.get("name"))) from error
    return monitor


def pause_monitor(monitor: Monitor, *, by: User | None, now: datetime) -> None:
    """Let it find nothing new; what it found stays."""
    _set(monitor, "pause", by=by, now=now, paused_at=now)


def resume_monitor(monitor: Monitor, *, by: User | None, now: datetime) -> None:
    """Find again, also what came in between."""
    with transaction.atomic():
        _set(monitor, "resume", by=by, now=now, paused_at=None)
        _rematch(monitor, by=by, now=now)


def delete_monitor(monitor: Monitor, *, by: User | None, now: datetime) -> None:
    """Take it away; it can be restored with everything that it found."""
    _set(monitor, "delete", by=by, now=now, deleted_at=now)


def restore_monitor(monitor: Monitor, *, by: User | None, now: datetime) -> None:
    """Bring a deleted monitor back, and find what came in between."""
    try:
        with transaction.atomic():
            _set(monitor, "restore", by=by, now=now, deleted_at=None)
            _rematch(monitor, by=by, now=now)
    except IntegrityError as error:
        raise _name_taken(monitor.name) from error


def start_backtest(
    workspace: Workspace,
    *,
    query: str,
    monitor: Monitor | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    by: User | None,
    now: datetime,
) -> Job:
    """Run a query over stored history before it is saved, and compare it with the saved version."""
    _check(query)
    request = {"query": query, "since": _text(since), "until": _text(until)}
    return Job.objects.create(
        workspace=workspace, kind=Job.Kind.BACKTEST, monitor=monitor, by=by, request=request, created_at=now
    )


def mark_mention(monitor: Monitor, uid: str, *, right: bool | None, by: User | None, now: datetime) -> Mark | None:
    """Say whether a mention rightly belongs to the monitor; None takes the mark back."""
    if right is None:
        Mark.objects.filter(monitor=monitor, uid=uid).delete()
        return None
    values = {"right": right, "version": monitor.version, "by": by, "at": now}
    mark, _created = Mark.objects.update_or_create(monitor=monitor, uid=uid, defaults=values)
    return mark


def _check(query: str) -> None:
    try:
        parse(query, stage="monitor")
    except QueryError as error:
        raise Refused(str(error)) from error


def _set(monitor: Monitor, verb: str, *, by: User | None, now: datetime, **changes: Any) -> None:
    with transaction.atomic():
        before, after = apply_changes(monitor, changes)
        if not after:
            return
        monitor.changed_at = now
        monitor.save(update_fields=[*changes, "changed_at"])
        note_change(monitor.workspace, verb=verb, thing=monitor, by=by, now=now, before=before, after=after)


def rematch_asking(workspace: Workspace, columns: Collection[str], *, by: User | None, now: datetime) -> int:
    """Match history again for the monitors whose query asks one of these columns; returns how many there are."""
    listening = Monitor.objects.filter(workspace=workspace, deleted_at=None, paused_at=None).order_by("pk")
    found = [monitor for monitor in listening if _columns_asked(monitor.query, now=now) & {*columns}]
    for monitor in found:
        _rematch(monitor, by=by, now=now)
    return len(found)


def _columns_asked(query: str, *, now: datetime) -> frozenset[str]:
    try:
        return compile_query(parse(query, stage="monitor"), now=now, similarity=MEANING).columns
    except QueryError:  # the language grew since: nothing is matched with it
        return frozenset()


def _rematch(monitor: Monitor, *, by: User | None, now: datetime) -> None:
    """Queue the matching of history; a run that waits or is under way for an older version makes way."""
    Job.objects.filter(monitor=monitor, kind=Job.Kind.REMATCH, state=Job.State.WAITING).update(
        state=Job.State.STOPPED, ended_at=now
    )
    Job.objects.create(
        workspace=monitor.workspace,
        kind=Job.Kind.REMATCH,
        monitor=monitor,
        by=by,
        request={"version": monitor.version},
        created_at=now,
    )


def _name_taken(name: str) -> Refused:
    return Refused(_("There is a monitor called “%(name)s” already. Choose another name.") % {"name": name})


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
