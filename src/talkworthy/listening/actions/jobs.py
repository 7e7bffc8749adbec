"""Verbs that start or stop long work."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.listening.actions.problems import Refused
from talkworthy.listening.models import PROGRESSED, Job
from talkworthy.query import QueryError, parse
from talkworthy.schema.formats import FORMATS
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import User, Workspace

UNTOLD = frozenset({"path", "author_id", "uids", "accounts", "records"})
"""What the trail does not hold: it cannot be changed later, so a person who is erased must not stand in it."""


def start_import(
    workspace: Workspace,
    *,
    path: Path,
    name: str,
    format: str,
    mapping: Mapping[str, str] | None = None,
    by: User | None,
    now: datetime,
) -> Job:
    """Read a file of posts in the background. The file is removed when it is done."""
    _known(format)
    request: dict[str, Any] = {"path": str(path), "name": name, "format": format, "mapping": dict(mapping or {})}
    return _started(workspace, Job.Kind.IMPORT, request, by=by, now=now)


def start_export(
    workspace: Workspace,
    *,
    query: str,
    format: str,
    since: datetime | None = None,
    until: datetime | None = None,
    monitors: Sequence[int] = (),
    by: User | None,
    now: datetime,
) -> Job:
    """Write the posts that a query finds to a file in the background; an empty query finds every post."""
    _known(format)
    if query.strip():
        try:
            parse(query, stage="search")
        except QueryError as error:
            raise Refused(str(error)) from error
    request = {
        "query": query,
        "format": format,
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        "monitors": list(monitors),
    }
    return _started(workspace, Job.Kind.EXPORT, request, by=by, now=now)


def start_erasure(
    workspace: Workspace, *, channel: str, author_id: str, uids: Sequence[str], why: str, by: User | None, now: datetime
) -> Job:
    """Erase a person's posts, from older versions and payloads too. This cannot be undone."""
    if not why.strip():
        raise Refused(_("Say why: the reason stands in the receipt."))
    if not uids and not (channel and author_id):
        raise Refused(_("Name a channel and an account, or the posts."))
    request = {"channel": channel, "author_id": author_id, "uids": list(uids), "why": why}
    return _started(workspace, Job.Kind.ERASURE, request, by=by, now=now)


def start_person_erasure(
    workspace: Workspace,
    *,
    accounts: Sequence[tuple[str, str]],
    records: Sequence[int],
    why: str,
    by: User | None,
    now: datetime,
) -> Job:
    """Erase everything of a person: the posts of their accounts, what every room derived, and their records."""
    if not why.strip():
        raise Refused(_("Say why: the reason stands in the receipt."))
    request = {
        "channel": "",
        "author_id": "",
        "uids": [],
        "accounts": [list(account) for account in accounts],
        "records": list(records),
        "why": why,
    }
    return _started(workspace, Job.Kind.ERASURE, request, by=by, now=now)


def start_link_search(workspace: Workspace, *, by: User | None, now: datetime) -> Job:
    """Look in the background for records that may be of one person; one search at a time."""
    open_states = (Job.State.WAITING, Job.State.RUNNING)
    running = Job.objects.filter(workspace=workspace, kind=Job.Kind.LINK, state__in=open_states).first()
    return running or _started(workspace, Job.Kind.LINK, {}, by=by, now=now)


def stop_job(job: Job, *, by: User | None, now: datetime) -> None:
    """Stop it before its end, or before it began; an erasure that has begun is finished."""
    open_states = [Job.State.WAITING, *([] if job.kind == Job.Kind.ERASURE else [Job.State.RUNNING])]
    if Job.objects.filter(pk=job.pk, state__in=open_states).update(state=Job.State.STOPPED, ended_at=now):
        note_change(job.workspace, verb="stop", thing=job, by=by, now=now)


def restart_job(job: Job, *, by: User | None, now: datetime) -> None:
    """Begin a failed one again, as if it had not been tried: it goes on from where it can."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job.pk)
        if job.state != Job.State.FAILED:
            raise Refused(_("It did not fail: there is nothing to begin again."))
        path = job.request.get("path")
        if path and not Path(path).exists():
            raise Refused(_("The file that was sent in is not here any more. Send it again."))
        error = job.error
        job.request.pop(PROGRESSED, None)
        job.state, job.attempts, job.error, job.ended_at, job.claimed_until = Job.State.WAITING, 0, "", None, None
        job.save(update_fields=["state", "attempts", "error", "ended_at", "claimed_until", "request"])
        note_change(job.workspace, verb="restart", thing=job, by=by, now=now, before={"error": error[:500]})


def _started(workspace: Workspace, kind: str, request: dict[str, Any], *, by: User | None, now: datetime) -> Job:
    with transaction.atomic():
        job = Job.objects.create(workspace=workspace, kind=kind, by=by, request=request, created_at=now)
        told = {name: value for name, value in request.items() if name not in UNTOLD}
        note_change(workspace, verb="start", thing=job, by=by, now=now, after=told)
    return job


def _known(format: str) -> None:
    if format not in FORMATS:
        raise Refused(_("“%(format)s” is none of: %(formats)s.") % {"format": format, "formats": ", ".join(FORMATS)})
