"""Reads of long work, asked as a viewer."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.archive import Scan
from talkworthy.listening.models import DayCube, Job, Source
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Member

RECENT = 50
"""Jobs that are listed."""


def jobs(*, viewer: Member, kinds: Sequence[str] = ()) -> QuerySet[Job]:
    """The latest jobs, newest first."""
    found = Job.objects.filter(workspace_id=viewer.workspace_id).select_related("by", "monitor")
    return (found.filter(kind__in=kinds) if kinds else found)[:RECENT]


def job_or_404(job_id: int, *, viewer: Member) -> Job:
    """A job of the viewer's workspace."""
    found = Job.objects.filter(workspace_id=viewer.workspace_id, pk=job_id)
    job = found.select_related("by", "monitor", "workspace").first()
    if job is None:
        raise Http404(_("There is no such job."))
    return job


def time_left(job: Job, *, now: datetime) -> timedelta | None:
    """How long it will take if it goes on as it did; None while that cannot be said."""
    if job.state != Job.State.RUNNING or not job.total or not job.done or job.started_at is None:
        return None
    passed = now - job.started_at
    if passed < timedelta(seconds=2):
        return None
    return passed * (max(job.total - job.done, 0) / job.done)


def channels(*, viewer: Member) -> list[str]:
    """The channels of which the workspace has posts or sources."""
    cells = DayCube.objects.filter(workspace_id=viewer.workspace_id, monitor=0, dimension="channel")
    counted = cells.values_list("value", flat=True)
    sources = Source.objects.filter(workspace_id=viewer.workspace_id).values_list("connector", flat=True)
    return sorted({*counted.distinct(), *sources.distinct()})


def has_posts(*, viewer: Member) -> bool:
    """Whether anything was collected yet."""
    return DayCube.objects.filter(workspace_id=viewer.workspace_id, monitor=0).exists()


def posts_of(channel: str, author_id: str, *, viewer: Member) -> int:
    """How many posts of an account are stored."""
    counted = archive_of(viewer.workspace).count(Scan(channels=(channel,), authors=(author_id,)))
    return int(counted["posts"][0].as_py()) if counted.num_rows else 0


def source_brought(job: Job) -> int | None:
    """The source under which a stopped import's posts stand; None where it brought none."""
    if job.kind != Job.Kind.IMPORT or job.state != Job.State.STOPPED:
        return None
    found = Source.objects.filter(workspace_id=job.workspace_id, key=f"import-{job.pk}", deleted_at=None)
    return found.values_list("pk", flat=True).first()
