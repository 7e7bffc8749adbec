"""All connectors are deleted from a copy of the package: every page answers, and a source tells what it lacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

import talkworthy
from talkworthy.connectors.registry import own_connectors
from talkworthy.workspaces.models import Workspace

PACKAGE = Path(talkworthy.__file__).parent

WALK = """
import django
django.setup()
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone
from talkworthy.connectors.registry import connectors
from talkworthy.listening.collecting import MissingConnector, connector_of
from talkworthy.listening.models import Source
from talkworthy.workspaces.models import User, Workspace

assert not connectors(), connectors()
workspace, user = Workspace.objects.get(), User.objects.get(email="alice@example.org")
source = Source.objects.create(workspace=workspace, connector="mastodon", name="Tag", key="tag", due_at=timezone.now())
client = Client(headers={"host": "localhost"})
client.force_login(user)

def addresses(patterns, before=""):
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, path)
        elif "^" not in path and "<" not in path.replace("<slug:workspace>", ""):
            yield "/" + path.replace("<slug:workspace>", "acme")

known = [f"/acme/sources/{source.pk}/", "/acme/follow/?words=%40x%40y.example"]
answers = {}
for address in [*addresses(get_resolver().url_patterns), *known]:
    answer = client.get(address)
    answers[address] = answer.status_code
    getattr(answer, "close", lambda: None)()
assert not {address: code for address, code in answers.items() if code >= 500}
assert sum(code == 200 for code in answers.values()) > 40, answers
assert b"connector is not installed" in client.get(f"/acme/sources/{source.pk}/").content
try:
    connector_of(source)
except MissingConnector as missing:
    print(missing)
"""


def _copy_without_connectors(folder: Path) -> None:
    package, rooms = folder / "talkworthy", folder / "talkworthy" / "connectors"
    rooms.mkdir(parents=True)
    for part in PACKAGE.iterdir():
        if part.name not in ("connectors", "__pycache__"):
            (package / part.name).symlink_to(part)
    ours = {sys.modules[type(connector).__module__].__file__ for connector in own_connectors().values()}
    for file in (PACKAGE / "connectors").glob("*.py"):
        if str(file) not in ours:
            (rooms / file.name).symlink_to(file)


@pytest.mark.skipif("TALKWORTHY_DATABASE_URL" in os.environ, reason="the desk is copied as a file")
@pytest.mark.django_db
def test_without_any_connector_every_page_answers(tmp_path: Path, workspace: Workspace) -> None:
    _copy_without_connectors(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "desk.sqlite3").write_bytes(connection.connection.serialize())
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "talkworthy.web.settings",
        "TALKWORTHY_DATA": str(tmp_path / "data"),
        "TALKWORTHY_DATABASE_URL": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run([sys.executable, "-c", WALK], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "“mastodon” is not installed" in done.stdout
