"""A workspace with a small archive, filled the way posts arrive, and the cast."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from talkworthy.listening import cube
from talkworthy.listening.collecting import Listener
from talkworthy.listening.models import Monitor, MonitorVersion, Source
from talkworthy.listening.stores import archive_of, close_archives
from talkworthy.schema import posts_table
from talkworthy.workspaces.models import Member, User, Workspace

NOW = datetime.now(UTC).replace(minute=20, second=0, microsecond=0)


def post(number: int, text: str, *, ago: timedelta, **more: Any) -> dict[str, Any]:
    """A row of a Mastodon post, told so long ago."""
    return {
        "uid": f"mastodon:example.social:{number}",
        "channel": "mastodon",
        "text": text,
        "url": f"https://example.social/@ann/{number}",
        "site": "example.social",
        "published_at": NOW - ago,
        "author": {"id": f"a{number % 5}", "handle": f"ann{number % 5}", "name": "Ann"},
        "source": "source-1",
        **more,
    }


@dataclass
class Room:
    """What a test needs to look around."""

    workspace: Workspace
    alice: Member
    bob: Member
    carol: Member
    dan: User
    google: Monitor
    apple: Monitor
    source: Source

    post = staticmethod(post)

    def add(self, rows: list[dict[str, Any]], name: str) -> None:
        """Let posts arrive."""
        add_posts(self.workspace, self.source, rows, name)


def add_posts(workspace: Workspace, source: Source, rows: list[dict[str, Any]], name: str) -> None:
    listener = Listener(workspace)
    table = listener.understand(posts_table(rows), now=NOW)
    appended = archive_of(workspace).append(table, transactions={f"source-{source.pk}": int(name)})
    cube.count_appended(workspace, name, appended, now=NOW)


@pytest.fixture
def room(db: None, tmp_path: Path, settings: Any) -> Iterator[Room]:
    """Sixty posts over twenty days: google in every second, apple in every third; and a decoy workspace."""
    settings.DATA = tmp_path
    close_archives()
    workspace = Workspace.objects.create(name="Acme", slug="acme")
    users = {
        name: User.objects.create_user(f"{name}@example.org", name=name.title())
        for name in ("alice", "bob", "carol", "dan")
    }
    roles = {"alice": "administrator", "bob": "analyst", "carol": "viewer"}
    members = {
        name: Member.objects.create(workspace=workspace, user=users[name], role=role) for name, role in roles.items()
    }
    elsewhere = Workspace.objects.create(name="Elsewhere", slug="elsewhere")
    Member.objects.create(workspace=elsewhere, user=users["dan"], role="administrator")
    Monitor.objects.create(workspace=elsewhere, name="Decoy", query="google")
    source = Source.objects.create(workspace=workspace, connector="mastodon", name="Timeline", key="k")
    google = Monitor.objects.create(
        workspace=workspace, name="Google", colour="blue", query="google", owner=members["alice"]
    )
    apple = Monitor.objects.create(workspace=workspace, name="Apple", kind="rival", colour="orange", query="apple")
    for monitor in (google, apple):
        MonitorVersion.objects.create(monitor=monitor, version=1, query=monitor.query, by=users["alice"])
    rows = []
    for number in range(60):
        words = [
            "google" if number % 2 == 0 else "somebody",
            "and apple" if number % 3 == 0 else "",
            "is so bad, I hate it" if number % 4 == 0 else "is wonderful, I love it",
        ]
        rows.append(post(number, " ".join(words), ago=timedelta(hours=8 * number, minutes=30)))
    found = Room(workspace, members["alice"], members["bob"], members["carol"], users["dan"], google, apple, source)
    found.add(rows, "1")
    yield found
    close_archives()


@pytest.fixture
def client_of() -> Callable[[Member | User], Client]:
    """A browser of somebody who has signed in."""

    def made(who: Member | User) -> Client:
        client = Client()
        client.force_login(
            who.user if isinstance(who, Member) else who, backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        return client

    return made
