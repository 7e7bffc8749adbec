"""Starting everything: the desk made ready, the first workspace filled, web and worker side by side."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from talkworthy.web.configuration import configuration

if TYPE_CHECKING:
    from talkworthy.workspaces.models import User

ADMINISTRATOR = "admin@localhost.localdomain"
PATIENCE = 30.0
"""Seconds for which the web may take to answer, and a child to end."""


def start(*, worker: bool, recorded: bool) -> int:
    """Make ready, start web and worker, print the address, and wait. Returns the exit status."""
    os.umask(0o077)  # what people wrote is for the account that runs this, and for nobody else on the machine
    password = prepare(recorded=recorded)
    children = {"web": _child("web")}
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # also where a shell started us in the background and ignores it
    try:
        _wait_for_web(children["web"])
        if worker:  # after the web, so that the first page does not wait for what the worker loads
            children["worker"] = _child("listen")
        _greet(password)
        return _watch(children)
    except KeyboardInterrupt:
        click.echo("\nStopping …")
        return 0
    finally:
        _end(children)


def prepare(*, recorded: bool) -> str | None:
    """`make_ready`, unless this very version made this very desk ready before. Returns a new password.

    Asking the desk itself takes a second of importing, which every start would wait for.
    """
    mark, desk = configuration().data / "ready", _desk_described()
    if mark.exists() and mark.read_text() == desk:
        return None
    click.echo("Making the database ready …")
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "talkworthy.web.settings")
    django.setup()
    password = make_ready(recorded=recorded)
    mark.write_text(desk)
    return password


def _desk_described() -> str:
    """What a desk that is ready was made ready for: versions, changes of the schema, and which desk."""
    rooms = Path(__file__).parents[1]
    changes = sorted(str(path.relative_to(rooms)) for path in rooms.glob("*/migrations/0*.py"))
    chosen = configuration()
    database = Path(chosen.database["NAME"])
    made = database.stat().st_ino if database.exists() else json.dumps(chosen.database, sort_keys=True, default=str)
    versions = [version(name) for name in ("talkworthy", "django", "django-allauth")]
    return hashlib.sha256(repr([versions, changes, made]).encode()).hexdigest()


def make_ready(*, recorded: bool) -> str | None:
    """Bring the desk up to date; at the first start make workspace and administrator. Returns a new password."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from talkworthy.workspaces.actions import one_time_password
    from talkworthy.workspaces.models import User

    configuration().data.mkdir(parents=True, exist_ok=True)
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
    if User.objects.exists():
        return None
    password = one_time_password()
    user = User.objects.create_user(ADMINISTRATOR, password, name="Administrator", must_change_password=True)
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    _first_workspace(User.objects.get(pk=user.pk), recorded=recorded)
    connection.close()
    return password


def _first_workspace(user: "User", *, recorded: bool) -> None:
    from django.utils import timezone

    from talkworthy.listening.recorded import fill_workspace, recorded_workspace
    from talkworthy.routing.recorded import fill_desk
    from talkworthy.workspaces.actions import create_workspace
    from talkworthy.workspaces.models import Member, Workspace

    now = timezone.now()
    described = recorded_workspace()
    name = described["name"] if recorded else "My organisation"
    workspace = create_workspace(name=name, by=user, now=now)
    if not recorded:
        return
    Workspace.objects.filter(pk=workspace.pk).update(is_sample=True)
    workspace.refresh_from_db()
    click.echo("First start: reading and analysing the recorded posts …")
    owner = Member.objects.get(workspace=workspace, user=user)
    posts = fill_workspace(workspace, owner=owner, now=now)
    fill_desk(workspace, owner=owner, now=now)
    click.echo(f"{posts:,} posts are in the workspace “{workspace.name}”.")


def _child(verb: str) -> "subprocess.Popen[bytes]":
    """A process of its own group, so that Ctrl-C reaches it through us alone."""
    return subprocess.Popen([sys.executable, "-m", "talkworthy.cli", verb], start_new_session=True, env=os.environ)  # noqa: S603


def _wait_for_web(web: "subprocess.Popen[bytes]") -> None:
    bind = configuration().bind
    host = "127.0.0.1" if bind in {"0.0.0.0", "::"} else bind  # noqa: S104 - compared, not bound
    address = f"http://{host}:{configuration().port}/health"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if web.poll() is not None:
            raise OSError(
                "The web did not start. Is something else listening on port "
                f"{configuration().port}? Set TALKWORTHY_PORT."
            )
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise OSError(f"The web did not answer within {PATIENCE:.0f} seconds; the lines above may say why.")


def _greet(password: str | None) -> None:
    click.echo(f"\n  Talkworthy is at {click.style(configuration().public_address, bold=True)}")
    if password:
        click.echo(f"\n  Sign in as   {ADMINISTRATOR}\n  Password     {password}")
        click.echo("\n  It is shown this once, and changed when you first sign in.")
    click.echo(f"\n  Data lies in {configuration().data}. Ctrl-C stops everything.\n")


def _watch(children: "dict[str, subprocess.Popen[bytes]]") -> int:
    """Wait until one of them ends by itself; start a worker that died again."""
    deaths = 0
    while True:
        time.sleep(0.5)
        if (status := children["web"].poll()) is not None:
            click.echo(f"The web ended with status {status}.", err=True)
            return status or 1
        worker = children.get("worker")
        if worker is not None and worker.poll() is not None:
            deaths += 1
            if deaths > 5:
                click.echo("The worker ended again and again; the lines above say why.", err=True)
                return 1
            click.echo("The worker ended; starting it again.", err=True)
            time.sleep(deaths)
            children["worker"] = _child("listen")


def _end(children: "dict[str, subprocess.Popen[bytes]]") -> None:
    for child in children.values():
        if child.poll() is None:
            child.terminate()
    for child in children.values():
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
