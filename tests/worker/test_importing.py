"""Long work from the command line: here where no worker runs, else by the worker, and the same either way."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from django.utils import timezone

from talkworthy.cli import main
from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import claim_this, run_job
from talkworthy.listening.models import Job
from talkworthy.listening.stores import archive_of
from talkworthy.worker.importing import (
    JobFailed,
    UnknownWorkspace,
    backtest_now,
    erase_now,
    export_now,
    import_now,
    workspace_named,
)
from talkworthy.worker.loop import only_worker
from talkworthy.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
LINES = [
    {"uid": "shop:example.net:1", "channel": "shop", "text": "Acme is late", "published_at": "2026-03-01T10:00:00Z"},
    {"uid": "shop:example.net:2", "channel": "shop", "text": "nobody", "published_at": "2026-03-01T11:00:00Z"},
]


def silent(*_):
    pass


@pytest.fixture
def lines(tmp_path):
    """A file of two posts and a line that is none."""
    path = tmp_path / "from outside" / "posts.jsonl"
    path.parent.mkdir()
    path.write_text("\n".join([*map(json.dumps, LINES), "{no post"]) + "\n")
    return path


def brought(path, workspace=None):
    return import_now(path, "jsonl", workspace=workspace, mapping={}, told=silent)


def test_a_file_is_stored_matched_and_left_where_it_is(filled, lines):
    posts, faults = brought(lines)
    assert posts == 2 and len(faults) == 1 and faults[0].startswith("line 3")
    acme = filled.monitors.get(name="Acme").pk
    assert archive_of(filled).get("shop:example.net:1")["monitors"] == [acme]
    assert lines.exists() and not list((lines.parents[1] / "files" / "imports").iterdir())


def test_a_second_import_changes_nothing(filled, lines, agree_with):
    brought(lines)
    rows = archive_of(filled).stats().rows
    brought(lines)
    assert archive_of(filled).stats().rows == rows
    agree_with(filled)


@pytest.fixture
def agree_with():
    from talkworthy.listening import cube

    def checked(workspace):
        assert cube.differences(workspace, archive_of(workspace)) == {}

    return checked


def test_a_file_that_is_broken_off_fails_with_its_reason(filled, tmp_path):
    path = tmp_path / "posts.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(JobFailed, match="not a parquet file"):
        import_now(path, "parquet", workspace=None, mapping={}, told=silent)
    assert Job.objects.get(kind="import").state == "failed"


def test_posts_go_out_as_they_came_in(filled, lines, tmp_path):
    brought(lines)
    until = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    target = tmp_path / "out.jsonl"
    assert export_now("acme", target, "jsonl", workspace="acme", since=None, until=until) == 1
    (row,) = [json.loads(line) for line in target.read_text().splitlines()]
    assert (row["uid"], row["text"]) == ("shop:example.net:1", "Acme is late")


def test_single_posts_are_erased_with_a_receipt(filled, lines):
    brought(lines)
    receipt = erase_now(channel="", author_id="", uids=["shop:example.net:1"], why="asked", workspace=None)
    assert receipt["posts"] == 1
    assert archive_of(filled).get("shop:example.net:1") is None and archive_of(filled).get("shop:example.net:2")


def test_a_backtest_says_what_a_change_adds(filled, lines):
    brought(lines)
    found = backtest_now("nobody", monitor="Acme", workspace=None, since=None, until=None, told=silent)
    assert found["added"] > 0 and found["kept"] < found["matched"]
    with pytest.raises(UnknownWorkspace, match=r"no monitor called “Other”\. There are: Acme, Rival"):
        backtest_now("nobody", monitor="Other", workspace=None, since=None, until=None, told=silent)


def test_a_workspace_is_named_where_there_are_several(workspace):
    assert workspace_named(None) == workspace
    other = Workspace.objects.create(name="Other", slug="other")
    assert workspace_named("other") == other
    with pytest.raises(UnknownWorkspace, match="--workspace: acme, other"):
        workspace_named(None)
    with pytest.raises(UnknownWorkspace):
        workspace_named("nowhere")
    Workspace.objects.all().delete()
    with pytest.raises(UnknownWorkspace, match="no workspace yet"):
        workspace_named(None)


def test_where_a_worker_runs_it_does_the_work(filled, lines):
    told = []

    def the_worker_meanwhile(done, total):
        told.append((done, total))
        run_job(claim_this(Job.objects.get(kind="import"), now=timezone.now()), Listener(filled))

    with only_worker():
        posts, _faults = import_now(lines, "jsonl", workspace=None, mapping={}, told=the_worker_meanwhile)
    assert posts == 2 and told == [(0, None)]
    assert archive_of(filled).get("shop:example.net:1") is not None


def test_the_command_says_that_ids_name_no_origin_and_goes_on(filled, tmp_path):
    path = tmp_path / "Survey 2026.jsonl"
    path.write_text('{"uid": "17", "text": "Acme broke", "published_at": "2026-03-04T12:00:00Z"}\n')
    result = CliRunner().invoke(main, ["import", str(path)])
    assert result.exit_code == 0, result.output
    assert "Ids such as 17" in result.output and "--map origin==survey-2026" in result.output
    assert archive_of(filled).get("files::17") is not None
    told = CliRunner().invoke(main, ["import", str(path), "--map", "origin==survey-2026"])
    assert "Ids such as" not in told.output
    assert archive_of(filled).get("files:survey-2026:17") is not None


@pytest.mark.parametrize(
    ("typed", "uid"), [("\n", "files:posts:17"), ("shop\n", "files:shop:17"), ("-\n", "files::17")]
)
def test_on_a_terminal_the_origin_is_asked_for(filled, tmp_path, monkeypatch, typed, uid):
    path = tmp_path / "posts.jsonl"
    path.write_text('{"uid": "17", "text": "Acme broke", "published_at": "2026-03-04T12:00:00Z"}\n')
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    result = CliRunner().invoke(main, ["import", str(path)], input=typed)
    assert result.exit_code == 0, result.output
    assert "Origin (- for none) [posts]" in result.output
    assert archive_of(filled).get(uid) is not None
