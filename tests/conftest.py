"""The cast, a data folder of its own, and a workspace with posts that came through the real pipeline."""

import os
import tempfile

os.environ["TALKWORTHY_DATA"] = tempfile.mkdtemp(prefix="talkworthy-tests-")
os.environ["DJANGO_SETTINGS_MODULE"] = "talkworthy.web.settings"
os.environ["TALKWORTHY_LOG_LEVEL"] = "ERROR"
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # fits in this process are small: threads cost more than they give

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from talkworthy.workspaces.models import Member, User, Workspace

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ROLES = {"alice": "administrator", "bob": "analyst", "carol": "viewer"}


@pytest.fixture(scope="session", autouse=True)
def _data_folder_is_removed() -> Iterator[None]:
    yield
    import shutil

    shutil.rmtree(os.environ["TALKWORTHY_DATA"], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL only what touches the desk is run: the rest has nothing that could differ."""
    if "TALKWORTHY_DATABASE_URL" not in os.environ:
        return
    of_the_desk = [item for item in items if _touches_the_desk(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(of_the_desk)])
    items[:] = of_the_desk


def _touches_the_desk(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return bool(item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(fixtures))


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_quickly() -> Iterator[None]:
    """A million rounds for each of the cast cost more than most tests; what is compared is the same."""
    from django.test import override_settings

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(autouse=True)
def _own_archives(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test that touches the desk has archives of its own."""
    if "db" not in request.fixturenames and "transactional_db" not in request.fixturenames:
        yield
        return
    settings = request.getfixturevalue("settings")
    from talkworthy.listening.stores import close_archives

    settings.DATA = tmp_path
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    close_archives()
    yield
    close_archives()


def _user(name: str) -> "User":
    from talkworthy.workspaces.models import User

    return User.objects.create_user(f"{name}@example.org", "correct horse battery", name=name.title())


@pytest.fixture
def cast(db: None) -> "dict[str, Any]":
    """Acme and its members."""
    from talkworthy.workspaces.models import Member, Workspace

    workspace = Workspace.objects.create(name="Acme", slug="acme")
    users = {name: _user(name) for name in ROLES}
    for name, role in ROLES.items():
        Member.objects.create(workspace=workspace, user=users[name], role=role)
    return {"workspace": workspace, **users}


@pytest.fixture
def workspace(cast: "dict[str, Any]") -> "Workspace":
    """Acme, with Alice, Bob and Carol."""
    found: Workspace = cast["workspace"]
    return found


@pytest.fixture
def alice(cast: "dict[str, Any]") -> "User":
    """Administrator of Acme."""
    found: User = cast["alice"]
    return found


@pytest.fixture
def bob(cast: "dict[str, Any]") -> "User":
    """Analyst of Acme."""
    found: User = cast["bob"]
    return found


@pytest.fixture
def carol(cast: "dict[str, Any]") -> "User":
    """Viewer of Acme."""
    found: User = cast["carol"]
    return found


@pytest.fixture
def dan(cast: "dict[str, Any]") -> "User":
    """A stranger: a member of another workspace only."""
    from talkworthy.workspaces.models import Member, Workspace

    dan = _user("dan")
    elsewhere = Workspace.objects.create(name="Elsewhere", slug="elsewhere")
    Member.objects.create(workspace=elsewhere, user=dan, role="administrator")
    return dan


@pytest.fixture
def client_of() -> "Callable[[User | Member], Client]":
    """A browser of somebody who has signed in."""
    from django.test import Client

    def made(who: "User | Member") -> Client:
        client = Client()
        client.force_login(getattr(who, "user", who), backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return made


@pytest.fixture
def filled(workspace: "Workspace", alice: "User") -> "Workspace":
    """Acme with two monitors and twelve posts of a feed, stored as posts are stored."""
    from talkworthy.listening import actions
    from talkworthy.listening.collecting import Listener, source_key
    from talkworthy.listening.models import Source
    from talkworthy.schema import posts_table

    for name, query in (("Acme", "acme"), ("Rival", "globex OR initech")):
        actions.create_monitor(
            workspace, name=name, kind="brand", colour="blue", owner=None, query=query, by=alice, now=NOW
        )
    source = Source.objects.create(workspace=workspace, connector="files", name="Posts", key="k" * 43, state="paused")
    listener = Listener(workspace)
    listener.archive.spool.write(source_key(source), 1, posts_table(_posts(source_key(source))))
    listener.store_pending(now=NOW)
    return workspace


def _posts(source: str) -> list[dict[str, Any]]:
    texts = [
        "Acme is wonderful, I love it", "The acme app crashes all the time, please help", "globex is slow again",
        "nothing about anybody", "acme and initech in one post", "Wo kann ich Acme kaufen?",
    ]  # fmt: skip
    return [
        {
            "uid": f"feed:example.org:{number}",
            "text": texts[number % len(texts)],
            "published_at": NOW - timedelta(hours=number),
            "collected_at": NOW,
            "url": f"https://example.org/{number}",
            "site": "example.org",
            "author": {"id": f"a{number % 3}", "handle": f"ann{number % 3}", "name": "Ann", "followers": 10 * number},
            "source": source,
        }
        for number in range(12)
    ]
