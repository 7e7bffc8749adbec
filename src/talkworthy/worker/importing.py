"""Long work done at once, for the command line: in this process where no worker runs, else by the worker."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.utils import timezone

from talkworthy.analysis.meaning import MEANING
from talkworthy.archive import Scan
from talkworthy.listening import actions
from talkworthy.listening.collecting import Listener
from talkworthy.listening.exchange import export_file
from talkworthy.listening.jobs import claim_this, run_job
from talkworthy.listening.models import Job, Monitor
from talkworthy.listening.searching import search
from talkworthy.listening.stores import archive_of
from talkworthy.listening.voices import ties_for
from talkworthy.query import compile_query, parse
from talkworthy.worker.loop import AlreadyRunning, only_worker, understanders
from talkworthy.workspaces.models import Workspace

Told = Callable[[int, int | None], None]


class UnknownWorkspace(ValueError):
    """There is none of that name, or there are several and none was named."""


class JobFailed(ValueError):
    """The work ended without its result; the message says why."""


def import_now(
    file: Path, form: str, *, workspace: str | None, mapping: Mapping[str, str], told: Told
) -> tuple[int, list[str]]:
    """Bring a file of posts in; returns how many were read, and what was left out."""
    chosen = workspace_named(workspace)
    folder = Path(settings.DATA) / "files" / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{time.time_ns()}-{file.name}"
    shutil.copyfile(file, copy)
    job = actions.start_import(
        chosen, path=copy, name=file.name, format=form, mapping=mapping, by=None, now=timezone.now()
    )
    result = _done(job, told)
    return int(result["posts"]), list(result["faults"])


def export_now(
    query: str,
    target: Path | BinaryIO,
    form: str,
    *,
    workspace: str | None,
    since: datetime | None,
    until: datetime | None,
) -> int:
    """Write the posts that a query finds; returns how many."""
    compiled = (
        compile_query(parse(query, stage="search"), now=timezone.now(), similarity=MEANING) if query.strip() else None
    )
    scan = Scan(since=since, until=until, order="oldest")
    chosen = workspace_named(workspace)
    found = search(archive_of(chosen), compiled, scan, ties=ties_for(compiled, chosen))
    return export_file(found, target, form, told=lambda _done: None)


def erase_now(
    *, channel: str, author_id: str, uids: Sequence[str], why: str, workspace: str | None
) -> Mapping[str, Any]:
    """Erase, and return the receipt."""
    chosen = workspace_named(workspace)
    job = actions.start_erasure(
        chosen, channel=channel, author_id=author_id, uids=uids, why=why, by=None, now=timezone.now()
    )
    return _done(job, lambda _done, _total: None)


def backtest_now(
    query: str,
    *,
    monitor: str | None,
    workspace: str | None,
    since: datetime | None,
    until: datetime | None,
    told: Told,
) -> Mapping[str, Any]:
    """Run a query over history; returns the result of the job."""
    chosen = workspace_named(workspace)
    compared = None
    if monitor is not None:
        compared = Monitor.objects.filter(workspace=chosen, name=monitor, deleted_at=None).first()
        if compared is None:
            names = ", ".join(Monitor.objects.filter(workspace=chosen, deleted_at=None).values_list("name", flat=True))
            raise UnknownWorkspace(f"There is no monitor called “{monitor}”. There are: {names}.")
    job = actions.start_backtest(
        chosen, query=query, monitor=compared, since=since, until=until, by=None, now=timezone.now()
    )
    return _done(job, told)


def workspace_named(slug: str | None) -> Workspace:
    """The workspace of a slug, or the only one."""
    found = list(Workspace.objects.filter(slug=slug) if slug else Workspace.objects.all())
    if len(found) == 1:
        return found[0]
    slugs = ", ".join(Workspace.objects.values_list("slug", flat=True))
    if not slugs:
        raise UnknownWorkspace("There is no workspace yet. Run `talkworthy run` once: it makes the first one.")
    raise UnknownWorkspace(f"Name one with --workspace: {slugs}.")


def _done(job: Job, told: Told) -> Mapping[str, Any]:
    """Run the job here, or wait for the worker that runs elsewhere; raises JobFailed."""
    try:
        with only_worker(), understanders() or nullcontext() as pool:
            run_job(claim_this(job, now=timezone.now()), Listener(job.workspace, understanders=pool))
    except AlreadyRunning:
        while not _ended(job):
            told(job.done, job.total)
            time.sleep(0.3)
    job.refresh_from_db()
    if job.state != Job.State.DONE:
        raise JobFailed(job.error or f"The job ended as {job.state}.")
    return dict(job.result or {})


def _ended(job: Job) -> bool:
    job.refresh_from_db()
    return job.state not in {Job.State.WAITING, Job.State.RUNNING}
