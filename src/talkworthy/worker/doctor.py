"""A look at everything that must be well, with the remedy where it is not."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from talkworthy import __version__
from talkworthy.connectors.registry import connectors
from talkworthy.listening import cube
from talkworthy.listening.models import Job, Source
from talkworthy.listening.stores import archive_of
from talkworthy.web.configuration import VARIABLES
from talkworthy.workspaces.models import User, Workspace

SECRET = {
    "TALKWORTHY_SECRET_KEY",
    "TALKWORTHY_DATABASE_URL",
    "TALKWORTHY_EMAIL_URL",
    "TALKWORTHY_OIDC_CLIENT_SECRET",
}
LEAST_DISK = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `ok` None: a fact, neither well nor ill."""

    ok: bool | None
    what: str
    remedy: str = ""


def examine(say: Callable[[str], object]) -> int:
    """Say every finding; returns 1 where something is wrong, else 0."""
    wrong = 0
    for finding in findings():
        sign = {True: "ok  ", False: "BAD ", None: "    "}[finding.ok]
        say(f"{sign} {finding.what}" + (f"\n      → {finding.remedy}" if finding.remedy and not finding.ok else ""))
        wrong += finding.ok is False
    return 1 if wrong else 0


def findings() -> Iterator[Finding]:
    """Settings, disk, desk, connectors, and each workspace's archive, cubes and sources."""
    yield Finding(None, f"Talkworthy {__version__}, Python {sys.version.split()[0]}")
    for variable in VARIABLES:
        value = os.environ.get(variable.name)
        shown = "(set)" if value and variable.name in SECRET else value or f"{variable.default or '(empty)'} (default)"
        yield Finding(None, f"{variable.name} = {shown}")
    free = shutil.disk_usage(settings.DATA).free
    yield Finding(
        free > LEAST_DISK,
        f"{free / 1e9:.1f} GB free in {settings.DATA}",
        "Make room: nothing new can be kept on a full disk.",
    )
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield Finding(
            False, f"The desk does not answer: {error}", "Check TALKWORTHY_DATABASE_URL and whether the server runs."
        )
        return
    yield Finding(
        not behind,
        f"desk: {connection.vendor}, {len(behind)} changes to apply",
        "Run `talkworthy run`, which applies them.",
    )
    if behind:
        return
    yield Finding(
        User.objects.exists(), f"{User.objects.count()} accounts", "Run `talkworthy run` once: it makes the first one."
    )
    yield Finding(bool(connectors()), f"{len(connectors())} connectors: {', '.join(connectors())}")
    for workspace in Workspace.objects.all():
        yield from _of(workspace)


def _of(workspace: Workspace) -> Iterator[Finding]:
    archive = archive_of(workspace)
    stats = archive.stats()
    name = f"workspace {workspace.slug}"
    waiting = len(archive.payloads.pending()) + len(archive.spool.pending())
    yield Finding(
        None,
        f"{name}: {stats.rows:,} rows in {stats.files} files, {stats.bytes / 1e6:.1f} MB, {waiting} fetches waiting",
    )
    damaged = archive.damaged()
    yield Finding(
        not damaged,
        f"{name}: every file of the archive is as it was written",
        f"Put back from a backup: {', '.join(map(str, damaged))}. docs/operate/archive.md says what is missing.",
    )
    if damaged:
        return
    found = cube.differences(workspace, archive)
    yield Finding(
        not found,
        f"{name}: cubes agree with the archive",
        f"They disagree in {', '.join(found)}; the worker counts anew each night.",
    )
    for source in Source.objects.filter(workspace=workspace, deleted_at=None).exclude(
        state__in=[Source.State.HEALTHY, Source.State.PAUSED, Source.State.NEW]
    ):
        yield Finding(
            False,
            f"{name}: source “{source}” is {source.get_state_display()}: {source.last_error}",
            "Open its page; it says what to do.",
        )
    stuck = Job.objects.filter(
        workspace=workspace, state=Job.State.WAITING, created_at__lt=timezone.now() - timedelta(hours=1)
    ).count()
    yield Finding(
        not stuck,
        f"{name}: {stuck} jobs have waited for over an hour",
        "Is a worker running? `talkworthy listen` is one.",
    )
