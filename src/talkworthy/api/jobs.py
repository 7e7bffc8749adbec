"""Long work and how far it is."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from talkworthy.api.routes import operation
from talkworthy.api.shapes import Id, Moment
from talkworthy.api.tokens import CallerRequest
from talkworthy.listening.models import Job
from talkworthy.listening.selectors import jobs

router = Router(tags=["jobs"])


class JobShape(Schema):
    """Work that somebody waits for: a backtest, an import, an export, an erasure, or matching history again."""

    id: Id
    kind: str
    state: str = Field(description="waiting, running, done, failed or stopped")
    monitor: Id | None
    done: int
    total: int | None
    unit: str
    seconds_left: float | None = Field(description="If it goes on as it did; null while that cannot be said.")
    error: str
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    result: dict[str, Any] | None = Field(description="Of a backtest, what it found; of other work null.")


class Jobs(Schema):
    """The latest jobs, newest first."""

    jobs: list[JobShape]


@operation(router, "GET", "/jobs", scope="monitors:read", response=Jobs)
def list_jobs(request: CallerRequest) -> dict[str, Any]:
    """The latest jobs, newest first."""
    now = timezone.now()
    return {"jobs": [job_shape(job, now=now) for job in jobs.jobs(viewer=request.auth.member)]}


@operation(router, "GET", "/jobs/{int:job_id}", scope="monitors:read", response=JobShape)
def get_job(request: CallerRequest, job_id: int) -> dict[str, Any]:
    """One job and how far it is."""
    return job_shape(jobs.job_or_404(job_id, viewer=request.auth.member), now=timezone.now())


def job_shape(job: Job, *, now: datetime) -> dict[str, Any]:
    """A job as it is answered; files and people that others' work is about are left out."""
    left = jobs.time_left(job, now=now)
    return {
        "id": str(job.pk),
        "kind": str(job.kind),
        "state": str(job.state),
        "monitor": None if job.monitor_id is None else str(job.monitor_id),
        "done": job.done,
        "total": job.total,
        "unit": job.unit,
        "seconds_left": left.total_seconds() if left is not None else None,
        "error": job.error,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "result": job.result if job.kind == Job.Kind.BACKTEST else None,
    }
