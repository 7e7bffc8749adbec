"""Monitors, their mentions, corrections and jobs."""

import pytest

from talkworthy.listening.models import Correction, Job, Mark, Monitor
from talkworthy.listening.selectors.mentions import post_of_uid
from talkworthy.workspaces.models import AuditEntry, Member

pytestmark = pytest.mark.django_db

NEW = {"name": "Shop", "query": "acme AND shop"}


def told(answer, status=200):
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture
def acme(filled):
    return Monitor.objects.get(name="Acme")


def test_a_monitor_is_made_changed_paused_deleted_and_restored(program_of, bob, workspace):
    program = program_of(bob)
    made = told(program("POST", "/monitors", NEW), 201)
    assert made["owner"] == str(Member.objects.get(user=bob).pk)
    assert made["job"] == str(Job.objects.get(kind="rematch").pk)
    path = f"/monitors/{made['id']}"
    changed = told(program("PATCH", path, {"query": "acme NEAR/3 shop", "owner": None}))
    assert (changed["version"], changed["name"], changed["owner"]) == (2, "Shop", None)
    assert [each["version"] for each in told(program("GET", f"{path}/versions"))["versions"]] == [2, 1]
    assert told(program("POST", f"{path}/pause"))["paused_at"]
    assert told(program("POST", f"{path}/resume"))["paused_at"] is None
    assert told(program("DELETE", path)) == {"id": made["id"], "deleted": True}
    assert told(program("GET", path), 404)["code"] == "not-found"
    assert told(program("POST", f"{path}/restore"))["name"] == "Shop"
    assert AuditEntry.objects.filter(by=bob, noun="monitor", key=made["id"]).count() == 6


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"colour": "beige"}, {"kind": "thing"}, {"qeury": "x"}, {"owner": "x"}, {"query": ""}]
)
def test_a_monitor_that_cannot_be_is_refused(program_of, bob, workspace, wrong):
    assert told(program_of(bob)("POST", "/monitors", {**NEW, **wrong}), 422)["code"] == "invalid"
    assert not Monitor.objects.exists()


def test_a_query_that_cannot_be_used_is_refused_with_its_place(program_of, bob, workspace):
    answer = told(program_of(bob)("POST", "/monitors", {**NEW, "query": "acme AND (shop"}), 422)
    assert answer["code"] == "bad-query" and answer["errors"][0]["line"] == 1


def test_a_name_that_is_taken_is_refused(program_of, bob, acme):
    assert told(program_of(bob)("POST", "/monitors", {**NEW, "name": "Acme"}), 422)["code"] == "refused"


def test_the_owner_is_a_member_of_the_workspace(program_of, bob, dan, workspace):
    foreign = str(Member.objects.get(user=dan).pk)
    assert told(program_of(bob)("POST", "/monitors", {**NEW, "owner": foreign}), 404)["code"] == "not-found"


def test_a_viewer_changes_nothing_whatever_the_scopes(program_of, carol, acme):
    program, path = program_of(carol), f"/monitors/{acme.pk}"
    calls = [
        ("POST", "/monitors", NEW), ("PATCH", path, {"name": "x"}), ("DELETE", path, None),
        ("POST", f"{path}/pause", None), ("POST", f"{path}/resume", None), ("POST", f"{path}/restore", None),
        ("POST", "/backtests", {"query": "x"}), ("PUT", f"{path}/mentions/feed:example.org:0", {"right": True}),
        ("POST", "/corrections", {"post": "feed:example.org:0", "task": "sentiment", "new": "negative"}),
        ("DELETE", "/corrections/1", None),
    ]  # fmt: skip
    for method, address, body in calls:
        assert told(program(method, address, body), 403)["code"] == "not-allowed", address
    assert not Mark.objects.exists() and not Correction.objects.exists()


def test_nothing_of_another_workspace_is_there(stranger, acme):
    path = f"/monitors/{acme.pk}"
    job = Job.objects.first()
    correction = Correction.objects.create(
        workspace=acme.workspace, uid="x", post_id=1, task="sentiment", new="neutral"
    )
    calls = [
        ("GET", path, None), ("PATCH", path, {"name": "x"}), ("DELETE", path, None), ("POST", f"{path}/pause", None),
        ("GET", f"{path}/versions", None), ("GET", f"{path}/mentions", None),
        ("PUT", f"{path}/mentions/feed:example.org:0", {"right": True}), ("GET", f"/jobs/{job.pk}", None),
        ("POST", "/backtests", {"query": "x", "monitor": str(acme.pk)}),
        ("POST", "/corrections", {"post": "feed:example.org:0", "task": "sentiment", "new": "negative"}),
        ("GET", "/corrections?post=feed:example.org:0", None), ("DELETE", f"/corrections/{correction.pk}", None),
    ]  # fmt: skip
    for method, address, body in calls:
        assert told(stranger(method, address, body), 404)["code"] == "not-found", address
    assert told(stranger("GET", "/monitors")) == {"monitors": []}
    assert told(stranger("GET", "/jobs")) == {"jobs": []}


def test_a_query_is_checked_without_being_saved(program_of, carol, filled):
    program = program_of(carol)
    good = told(program("POST", "/monitors/check", {"query": "globex OR initech"}))
    assert (good["verdict"], good["found"]) == ("valid", 4)
    bad = told(program("POST", "/monitors/check", {"query": "NOT acme"}))
    assert (bad["verdict"], bad["found"], bad["errors"][0]["code"]) == ("error", None, "E-NEGATIVE")
    assert Monitor.objects.count() == 2


def test_a_backtest_is_a_job_to_ask_for(program_of, bob, acme):
    program = program_of(bob)
    started = told(
        program("POST", "/backtests", {"query": "acme", "monitor": str(acme.pk), "since": "2026-01-01"}), 202
    )
    assert (started["kind"], started["state"], started["monitor"]) == ("backtest", "waiting", str(acme.pk))
    assert told(program("GET", f"/jobs/{started['id']}")) == started
    assert Job.objects.get(pk=started["id"]).request["since"] == "2026-01-01T00:00:00+00:00"


def test_a_job_tells_neither_files_nor_people(program_of, carol, workspace, alice):
    job = Job.objects.create(
        workspace=workspace, kind="erasure", by=alice, request={"author_id": "a7"}, result={"path": "/secret"}
    )
    answer = program_of(carol)("GET", f"/jobs/{job.pk}")
    assert told(answer)["result"] is None
    assert b"a7" not in answer.content and b"secret" not in answer.content


def test_a_mention_is_marked_and_the_mark_taken_back(program_of, bob, acme):
    program, path = program_of(bob), f"/monitors/{acme.pk}/mentions"
    marked = told(program("PUT", f"{path}/feed:example.org:0", {"right": False}))
    assert (marked["right"], marked["precision"], marked["marked"]) == (False, 0.0, 1)
    page = told(program("GET", f"{path}?limit=3"))
    assert page["marks"] == {"feed:example.org:0": False}
    assert all(str(acme.pk) in post["monitors"] for post in page["posts"]) and len(page["posts"]) == 3
    assert told(program("PUT", f"{path}/feed:example.org:0", {"right": None}))["marked"] == 0
    assert not Mark.objects.exists()


def test_a_post_that_is_not_there_is_not_marked(program_of, bob, acme):
    answer = program_of(bob)("PUT", f"/monitors/{acme.pk}/mentions/feed:example.org:99", {"right": True})
    assert told(answer, 404)["code"] == "not-found"
    assert not Mark.objects.exists()


def test_a_correction_is_made_and_undone(program_of, bob, filled):
    program, post = program_of(bob), "feed:example.org:3"
    viewer = Member.objects.get(workspace=filled, user=bob)
    before = post_of_uid(post, viewer=viewer)["sentiment"]
    made = told(program("POST", "/corrections", {"post": post, "task": "sentiment", "new": "negative"}), 201)
    assert (made["old"], made["new"]) == (before, "negative")
    assert post_of_uid(post, viewer=viewer)["sentiment"] == "negative"
    assert [each["id"] for each in told(program("GET", f"/corrections?post={post}"))["corrections"]] == [made["id"]]
    assert told(program("DELETE", f"/corrections/{made['id']}"))["undone_at"]
    assert post_of_uid(post, viewer=viewer)["sentiment"] == before


@pytest.mark.parametrize("wrong", [{"task": "text", "new": "x"}, {"task": "sentiment", "new": "sad"}])
def test_a_correction_to_something_unknown_is_refused(program_of, bob, filled, wrong):
    answer = program_of(bob)("POST", "/corrections", {"post": "feed:example.org:3", **wrong})
    assert told(answer, 422)["code"] == "refused"
