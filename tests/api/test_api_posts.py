"""Posts: found, opened and brought in."""

from urllib.parse import quote

import pytest

from talkworthy.api import ingesting
from talkworthy.listening.collecting import Listener, keep_page, parse_pending
from talkworthy.listening.models import Monitor, Source
from talkworthy.listening.selectors.mentions import post_of_uid
from talkworthy.listening.stores import payloads_of
from talkworthy.workspaces.models import Member

pytestmark = pytest.mark.django_db


def uids(answer):
    assert answer.status_code == 200, answer.content
    return [post["uid"] for post in answer.json()["posts"]]


def stored(workspace, now):
    listener = Listener(workspace)
    parse_pending(workspace, archive=listener.archive)
    listener.store_pending(now=now)


def test_posts_come_newest_first_page_by_page(program_of, carol, filled):
    program, found, before = program_of(carol), [], ""
    while before is not None:
        page = program("GET", f"/posts?limit=5{before and f'&before={before}'}").json()
        found += [post["uid"] for post in page["posts"]]
        before = page["before"]
    assert found == [f"feed:example.org:{number}" for number in range(12)]


def test_ids_are_text(program_of, carol, filled):
    post = program_of(carol)("GET", "/posts?q=acme&limit=1").json()["posts"][0]
    assert isinstance(post["id"], str) and all(isinstance(number, str) for number in post["monitors"])


def test_a_query_finds_what_it_says_and_nothing_else(program_of, carol, filled):
    program = program_of(carol)
    assert uids(program("GET", "/posts?q=globex")) == ["feed:example.org:2", "feed:example.org:8"]
    assert program("GET", "/posts/count?q=globex").json()["posts"] == 2


def test_a_query_that_cannot_be_used_is_told_with_its_place(program_of, carol, filled):
    answer = program_of(carol)("GET", "/posts?q=(acme")
    assert answer.status_code == 422
    told = answer.json()
    assert told["code"] == "bad-query" and told["errors"][0]["code"] == "E-BRACKET"


def test_a_monitor_narrows_the_posts(program_of, carol, filled):
    rival = Monitor.objects.get(name="Rival")
    found = uids(program_of(carol)("GET", f"/posts?monitor={rival.pk}"))
    assert found == [f"feed:example.org:{number}" for number in (2, 4, 8, 10)]


def test_a_monitor_of_another_workspace_is_not_there(stranger, filled):
    assert stranger("GET", f"/posts?monitor={Monitor.objects.get(name='Acme').pk}").status_code == 404


def test_times_are_taken_to_the_second(program_of, carol, filled):
    program = program_of(carol)
    assert uids(program("GET", "/posts?since=2026-03-04T11:00:00Z")) == ["feed:example.org:0", "feed:example.org:1"]
    assert uids(program("GET", "/posts?since=2026-03-04T11:00:01Z")) == ["feed:example.org:0"]
    assert uids(program("GET", "/posts?until=2026-03-04T01:30:00Z")) == ["feed:example.org:11"]


@pytest.mark.parametrize("wrong", ["limit=201", "limit=0", "before=x", "monitor=x", "since=soon", "monitr=1"])
def test_a_parameter_that_cannot_be_used_is_refused(program_of, carol, filled, wrong):
    answer = program_of(carol)("GET", f"/posts?{wrong}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_post_is_opened_by_uid_and_by_id(program_of, carol, filled):
    program = program_of(carol)
    post = program("GET", f"/posts/{quote('feed:example.org:3', safe='')}").json()
    assert post["text"] == "nothing about anybody"
    assert program("GET", f"/posts/{post['id']}").json() == post


def test_a_post_of_another_workspace_is_not_there(stranger, filled):
    for path in ("posts", "threads"):
        answer = stranger("GET", f"/{path}/feed:example.org:3")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_a_thread_holds_answer_and_question(program_of, bob, filled, settings):
    from django.utils import timezone

    program = program_of(bob)
    reply = {"uid": "feed:example.org:r", "text": "so it is", "in_reply_to": "feed:example.org:0"}
    assert program("POST", "/posts", reply | {"published_at": "2026-03-04T12:30:00Z"}).status_code == 202
    stored(filled, timezone.now())
    assert uids(program("GET", "/threads/feed:example.org:r")) == ["feed:example.org:0", "feed:example.org:r"]


def test_what_was_accepted_is_durable_and_becomes_a_post(program_of, bob, carol, filled):
    from django.utils import timezone

    sent = [
        {"uid": "shop:acme.example:1", "text": "acme, again", "published_at": "2026-03-04T10:00:00Z"},
        {"text": "b"},
    ]
    answer = program_of(bob)("POST", "/posts", sent)
    assert answer.status_code == 202
    told = answer.json()
    assert told["accepted"][0] == {"index": 0, "uid": "shop:acme.example:1"} and told["errors"] == []
    assert len(payloads_of(filled).pending()) == 1
    stored(filled, timezone.now())
    viewer = Member.objects.get(workspace=filled, user=carol)
    assert post_of_uid("shop:acme.example:1", viewer=viewer)["monitors"]
    assert post_of_uid(told["accepted"][1]["uid"], viewer=viewer)["text"] == "b"


def test_the_same_post_sent_twice_is_one_post(program_of, bob, filled):
    from django.utils import timezone

    program = program_of(bob)
    for _time in range(2):
        program(
            "POST", "/posts", {"posts": [{"uid": "s:e:1", "text": "twice", "published_at": "2026-03-04T10:00:00Z"}]}
        )
        stored(filled, timezone.now())
    assert uids(program("GET", "/posts?q=twice")) == ["s:e:1"]
    assert Source.objects.filter(name="API").count() == 1


def test_what_was_read_can_be_sent_again(program_of, bob, filled):
    program = program_of(bob)
    page = program("GET", "/posts?limit=12").json()["posts"]
    answer = program("POST", "/posts", page)
    assert [each["uid"] for each in answer.json()["accepted"]] == [post["uid"] for post in page]


def test_each_item_that_cannot_be_used_is_named_and_the_rest_is_kept(program_of, bob, workspace):
    sent = [
        {"uid": "s:e:1", "text": "good"},
        {"uid": "s:e:2", "text": "bad time", "published_at": "soon"},
        "no object",
        {"uid": "s:e:3", "txet": "a slip"},
        {"uid": "s:e:4", "text": "before our time", "published_at": "1066-10-14T09:00:00Z"},
        {"uid": "s:e:5", "text": "good too"},
    ]
    told = program_of(bob)("POST", "/posts", sent).json()
    assert told["accepted"] == [{"index": 0, "uid": "s:e:1"}, {"index": 5, "uid": "s:e:5"}]
    assert [each["index"] for each in told["errors"]] == [1, 2, 3, 4]
    assert "txet" in told["errors"][2]["reason"]


@pytest.mark.parametrize("body", ['[{"txet": "x"}]', "[]", '"x"', "[null]"])
def test_a_call_without_a_usable_post_is_refused_and_nothing_is_kept(program_of, bob, workspace, body):
    answer = program_of(bob)("POST", "/posts", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert not payloads_of(workspace).pending()


def test_a_body_that_is_no_json_is_refused(program_of, bob, workspace):
    answer = program_of(bob)("POST", "/posts", "{")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-json")


def test_a_call_that_is_too_large_is_refused(program_of, bob, workspace, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = program_of(bob)("POST", "/posts", {"uid": "s:e:1", "text": "x" * 200})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 20_000_000
    answer = program_of(bob)("POST", "/posts", [{"text": "x"}] * 5_001)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_a_paused_source_takes_nothing(program_of, bob, workspace):
    program = program_of(bob)
    program("POST", "/posts", {"uid": "s:e:1", "text": "x"})
    Source.objects.filter(name="API").update(state=Source.State.PAUSED)
    answer = program("POST", "/posts", {"uid": "s:e:2", "text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "paused")
    assert len(payloads_of(workspace).pending()) == 1


def test_a_source_that_is_paused_during_a_call_stays_paused(program_of, bob, monkeypatch):
    def pausing(*given, **more):
        Source.objects.filter(name="API").update(state=Source.State.PAUSED)
        return keep_page(*given, **more)

    monkeypatch.setattr(ingesting, "keep_page", pausing)
    assert program_of(bob)("POST", "/posts", {"uid": "s:e:1", "text": "x"}).status_code == 202
    assert Source.objects.get(name="API").state == "paused"


def test_nothing_is_acknowledged_that_could_not_be_stored(program_of, bob, workspace, tmp_path):
    (tmp_path / "archive").mkdir(exist_ok=True)
    home = tmp_path / "archive" / str(workspace.uid)
    home.write_text("a file where the folder should be")
    answer = program_of(bob)("POST", "/posts", {"uid": "s:e:1", "text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "try-later")
    assert answer.headers["Retry-After"]
