"""What listening does when others call: somebody's posts on a timeline, handed out, and exchanges that are due."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from talkworthy.archive import Scan
from talkworthy.archive.columns import STORED
from talkworthy.hooks import joins
from talkworthy.hooks.specs import TimelineRow
from talkworthy.listening.actions.jobs import start_person_erasure
from talkworthy.listening.models import Correction, Job, Mark, Voice
from talkworthy.listening.stores import archive_of
from talkworthy.listening.voices import begin_counting, forget_voices
from talkworthy.people.forgetting import records_of
from talkworthy.people.models import CrmAccount
from talkworthy.people.retention import begin, due_for_erasure
from talkworthy.people.selectors import accounts_of
from talkworthy.workspaces.models import Workspace

TOLD = ("id", "uid", "channel", "author", "title", "text", "published_at")
MADE_BY_US = frozenset({"folded"})
"""Columns that only help to search."""


@joins
def timeline_rows(
    workspace: Workspace,
    accounts: Sequence[tuple[str, str]],
    identities: Sequence[int],
    before: datetime | None,
    limit: int,
) -> Sequence[TimelineRow]:
    """What the accounts wrote, as far as it is stored."""
    rows = [
        row
        for channel, authors in _by_channel(accounts).items()
        for row in archive_of(workspace)
        .table(Scan(columns=TOLD, channels=(channel,), authors=authors, until=before, limit=limit))
        .to_pylist()
    ]
    rows.sort(key=lambda row: row["published_at"], reverse=True)
    return [
        TimelineRow(
            at=row["published_at"],
            kind="post",
            channel=row["channel"],
            title=row["title"] or "",
            text=row["text"] or "",
            address=reverse("listening:post", args=(workspace.slug, row["id"])),
        )
        for row in rows[:limit]
    ]


@joins
def data_exported(
    workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The posts with everything that analysis made of them, corrections, and marks."""
    archive = archive_of(workspace)
    columns = tuple(name for name in STORED.names if name not in MADE_BY_US)
    tables = [
        archive.table(Scan(columns=columns, channels=(channel,), authors=found))
        for channel, found in _by_channel(authors).items()
    ]
    named = [post["id"] for uid in uids if (post := archive.get(uid))]
    if named:
        tables.append(archive.table(Scan(columns=columns, ids=tuple(named))))
    posts = {row["uid"]: _plain(row) for table in tables for row in table.to_pylist()}
    known = list(posts)
    corrections = [
        {"uid": row.uid, "task": row.task, "old": row.old, "new": row.new, "at": row.at.isoformat()}
        for start in range(0, len(known), 500)
        for row in Correction.objects.filter(workspace=workspace, uid__in=known[start : start + 500])
    ]
    marks = [
        {"uid": row.uid, "monitor": row.monitor_id, "right": row.right, "at": row.at.isoformat()}
        for start in range(0, len(known), 500)
        for row in Mark.objects.filter(monitor__workspace=workspace, uid__in=known[start : start + 500])
    ]
    voices = [
        _plain({name: value for name, value in row.items() if name not in ("id", "workspace_id", "acts")})
        for channel, account in authors
        for row in Voice.objects.filter(workspace=workspace, channel=channel, account=account).values()
    ]
    found = {
        "posts": list(posts.values()),
        "listening.Correction": corrections,
        "listening.Mark": marks,
        "listening.Voice": voices,
    }
    return {name: rows for name, rows in found.items() if rows}


@joins
def data_forgotten(
    workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]], now: datetime
) -> Mapping[str, int]:
    """How far the accounts are heard, with what said so."""
    return {"voices": forget_voices(workspace, authors)}


@joins
def work_due(now: datetime) -> int:
    """Begin what is due: exchanges with CRMs, counting who is heard, erasing records whose day has come: jobs do it."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    begun = 0
    for account in CrmAccount.objects.filter(free, due_at__lte=now).select_related("workspace")[:5]:
        next_time = now + timedelta(hours=account.every_hours)
        if CrmAccount.objects.filter(pk=account.pk, due_at=account.due_at).update(due_at=next_time):
            Job.objects.create(
                workspace=account.workspace, kind=Job.Kind.SYNC, request={"account": account.pk}, created_at=now
            )
            begun += 1
    return begun + begin_counting(now=now) + _begin_erasures(now)


def _begin_erasures(now: datetime) -> int:
    begun = 0
    for person in due_for_erasure(now=now):
        with transaction.atomic():
            if begin(person, now=now):
                start_person_erasure(
                    person.workspace,
                    accounts=accounts_of(person),
                    records=records_of(person),
                    why="The day came until which the record was kept.",
                    by=None,
                    now=now,
                )
                begun += 1
    return begun


def _by_channel(accounts: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for channel, account in accounts:
        found.setdefault(channel, []).append(account)
    return {channel: tuple(each) for channel, each in found.items()}


def _plain(value: Any) -> Any:
    """A row as JSON can hold it."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.as_py() if isinstance(value, pa.Scalar) else value
