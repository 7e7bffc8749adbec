"""Discourse: recorded replies, and deliveries in the shape that its source gives them."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkworthy.connectors.contract import Parsed, Request
from talkworthy.connectors.discourse import Discourse, without_quotes
from talkworthy.connectors.errors import AskForCredentials, GiveUp, Malformed, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
T = int(NOON.timestamp())
RECORDED = Path(__file__).parents[1] / "recorded" / "discourse"
FORUM = {"url": "https://forum.acme.example/talk/"}
SITE = {
    "categories": [
        {"id": 6, "name": "Support", "slug": "support", "read_restricted": False},
        {"id": 9, "name": "Staff"},
    ]
}
KNOWN = {"categories": {"6": ["Support", False]}, "learned": T}


def post(number: int, *, topic: int = 11, own: int | None = None, **more: Any) -> dict[str, Any]:
    told = {"id": own or 100 + number, "topic_id": topic, "post_number": number, "post_type": 1, "username": "alice"}
    told |= {
        "name": "Alice",
        "user_id": 7,
        "avatar_template": "/a/{size}.png",
        "created_at": "2026-07-01T10:00:00.000Z",
    }
    told |= {
        "updated_at": "2026-07-01T10:00:00.000Z",
        "cooked": "<p>It hums.</p>",
        "topic_slug": "router",
        "version": 1,
    }
    told |= {"topic_title": "My router", "category_id": 6, "reads": 5, "reply_count": 1, "reply_to_post_number": None}
    return told | {
        "actions_summary": [{"id": 2, "count": 3}],
        "hidden": False,
        "deleted_at": None,
        "user_deleted": False,
        **more,
    }


def parse(value: Any, **meta: Any) -> Parsed:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Discourse().parse(Payload(body=body, fetched_at=NOON, meta=meta), FORUM)


def posts(*values: Any) -> Parsed:
    return parse({"latest_posts": list(values)}, categories={"6": ["Support", False], "9": ["Staff", True]})


def door(answer: Callable[[httpx.Request], Any]) -> tuple[Http, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = answer(request)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    transport = httpx.MockTransport(reply)
    return Http(transport=transport, resolve=lambda host, port: ["93.184.216.34"], sleep=lambda _: None), asked


def delivery(body: bytes, event: str, kind: str = "post", *, secret: str = "hush") -> Request:
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    told = {"x-discourse-event": event, "x-discourse-event-type": kind, "x-discourse-event-signature": signature}
    return Request(method="POST", path="/", query={}, headers=told, body=body, received_at=NOON)


def test_the_recorded_list_of_posts_is_read():
    parsed = parse((RECORDED / "posts_latest.json").read_bytes())
    assert parsed.aside == ()
    assert parsed.posts["native_id"].to_pylist() == ["11/2", "11/1", "7/1", "2/1"]
    first = parsed.posts.to_pylist()[0]
    assert (first["text"], first["author"]["handle"]) == ("holla bullhonky.", "johndoe")


def test_the_recorded_post_is_read():
    assert parse((RECORDED / "post.json").read_bytes()).posts["native_id"].to_pylist() == ["8/1"]


def test_a_first_post_has_the_title_and_the_name_of_its_category():
    told = posts(post(1, tags=["wifi", {"id": 3, "name": "lan"}])).posts.to_pylist()[0]
    assert told["uid"] == "discourse:forum.acme.example:11/1"
    assert told["url"] == "https://forum.acme.example/talk/t/router/11/1"
    assert (told["kind"], told["title"], told["community"], told["tags"]) == (
        "article",
        "My router",
        "Support",
        ["wifi", "lan"],
    )
    assert told["engagement"] == {"replies": 1, "shares": None, "likes": 3, "views": 5, "taken_at": NOON}
    assert told["author"]["avatar"] == "https://forum.acme.example/a/96.png"
    assert (told["in_reply_to"], told["root"], told["edited_at"]) == (None, None, None)


def test_replies_are_tied_to_the_post_they_answer_and_to_the_first():
    plain, answer = posts(post(2), post(3, reply_to_post_number=2)).posts.to_pylist()
    assert (plain["in_reply_to"], plain["engagement_type"]) == ("discourse:forum.acme.example:11/1", "COMMENT")
    assert (answer["in_reply_to"], answer["engagement_type"]) == ("discourse:forum.acme.example:11/2", "REPLY")
    assert (answer["root"], answer["title"], answer["kind"]) == ("discourse:forum.acme.example:11/1", None, "note")


def test_quoted_words_of_others_are_not_the_authors():
    quote = (
        '<aside class="quote no-group" data-username="bob"><div class="title">bob:</div><aside class="onebox">x</aside>'
    )
    cooked = (
        quote + '<blockquote>I hate it</blockquote></aside><p>I love it <a class="mention" href="/u/bob">@bob</a></p>'
    )
    told = posts(post(2, cooked=cooked)).posts.to_pylist()[0]
    assert (told["text"], told["mentions"]) == ("I love it @bob", ["bob"])
    assert "hate" not in told["html"]


@pytest.mark.parametrize(
    ("cooked", "kept"),
    [
        ("<aside class=quote>a</aside>b", "b"),
        ("a</aside>b", "a</aside>b"),
        ('<aside class="note">a</aside>b', '<aside class="note">a</aside>b'),
        ('a<aside class="quote">never closed', "a"),
        ("<aside" * 50_000, "<aside" * 50_000),
    ],
)
def test_only_quotes_are_cut_whatever_is_missing(cooked: str, kept: str):
    assert without_quotes(cooked) == kept


@pytest.mark.parametrize("gone", [{"deleted_at": "2026-07-02T00:00:00Z"}, {"user_deleted": True}, {"hidden": True}])
def test_what_is_deleted_or_hidden_becomes_a_tombstone(gone: dict[str, Any]):
    parsed = posts(post(2, **gone), post(3))
    assert parsed.tombstones["uid"].to_pylist() == ["discourse:forum.acme.example:11/2"]
    assert parsed.posts["native_id"].to_pylist() == ["11/3"]


@pytest.mark.parametrize("silent", [{"post_type": 3}, {"post_type": 4}, {"topic_archetype": "private_message"}])
def test_private_messages_whispers_and_notes_of_the_machine_are_not_kept(silent: dict[str, Any]):
    parsed = posts(post(2, **silent), post(3))
    assert parsed.posts["native_id"].to_pylist() == ["11/3"]
    assert (parsed.tombstones.num_rows, parsed.aside) == (0, ())


def test_an_edit_tells_its_time_and_a_mere_touch_does_not():
    edited = post(2, version=2, updated_at="2026-07-02T00:00:00Z")
    touched = post(3, updated_at="2026-07-02T00:00:00Z")
    assert posts(edited, touched).posts["edited_at"].to_pylist() == [datetime(2026, 7, 2, tzinfo=UTC), None]


def test_a_restricted_category_is_for_members():
    assert posts(post(1, category_id=9)).posts["visibility"].to_pylist() == ["members"]


def test_one_broken_post_is_set_aside():
    parsed = posts(post(1), post(2, topic_id="x"), 7, post(3, created_at=None))
    assert parsed.posts["native_id"].to_pylist() == ["11/1"]
    assert len(parsed.aside) == 3


@pytest.mark.parametrize("body", [b"", b"[]", b'{"errors": ["no"]}', b"<!doctype html>", b"\xfe\xff"])
def test_what_holds_no_posts_is_malformed(body: bytes):
    with pytest.raises(Malformed):
        parse(body)


def test_a_fetch_learns_categories_and_reads_the_newest_posts():
    http, asked = door(
        lambda request: SITE if request.url.path.endswith("site.json") else {"latest_posts": [post(1, own=15)]}
    )
    page = Discourse().fetch(http, FORUM | {"api_key": "hush", "api_username": "bot"}, None, now=NOON)
    assert [request.url.path for request in asked] == ["/talk/site.json", "/talk/posts.json"]
    assert (asked[1].headers["api-key"], asked[1].headers["api-username"]) == ("hush", "bot")
    assert page.cursor is not None and page.cursor["newest"] == 15
    assert "hush" not in json.dumps(page.cursor)
    assert Discourse().parse(page.payloads[0], FORUM).posts["community"].to_pylist() == ["Support"]


def test_an_unchanged_page_of_posts_is_not_kept_again():
    http, _ = door(lambda request: {"latest_posts": [post(1, own=15)]})
    first = Discourse().fetch(http, FORUM, KNOWN, now=NOON)
    assert len(first.payloads) == 1
    assert Discourse().fetch(http, FORUM, first.cursor, now=NOON).payloads == ()
    http, _ = door(lambda request: {"latest_posts": [post(1, own=15, actions_summary=[{"id": 2, "count": 4}])]})
    assert len(Discourse().fetch(http, FORUM, first.cursor, now=NOON).payloads) == 1


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_fetch_walks_down_to_the_newest_known_post_in_either_manner(exclusive: bool):
    everything = [number for number in range(1, 301) if not 130 < number < 215]

    def answer(request: httpx.Request) -> Any:
        before = int(request.url.params.get("before", 10_000 if exclusive else 300))
        if exclusive:
            found = [number for number in everything if number < before][-50:]
        else:
            found = [number for number in everything if before - 50 < number <= before]
        return {"latest_posts": [post(1, topic=number, own=number) for number in reversed(found)]}

    http, _ = door(answer)
    cursor: Any = KNOWN | {"newest": 100}
    seen: set[str] = set()
    for _ in range(5):
        page = Discourse().fetch(http, FORUM, cursor, now=NOON)
        cursor = page.cursor
        seen.update(
            uid for payload in page.payloads for uid in Discourse().parse(payload, FORUM).posts["native_id"].to_pylist()
        )
        if not page.more:
            break
    assert cursor["newest"] == 300
    assert {f"{number}/1" for number in everything if number > 100} <= seen


def test_a_post_that_vanished_from_the_newest_is_looked_up_and_buried():
    def answer(request: httpx.Request) -> Any:
        if request.url.path.endswith("/posts/14.json"):
            return httpx.Response(404, json={"errors": ["not found"]})
        return {"latest_posts": [post(5, own=15), post(3, own=13)]}

    http, asked = door(answer)
    watched = {"14": [11, 4, "2026-07-01T10:00:00Z"], "2": [1, 2, None]}
    page = Discourse().fetch(http, FORUM, KNOWN | {"newest": 15, "watched": watched}, now=NOON)
    assert len(asked) == 2
    assert Discourse().parse(page.payloads[-1], FORUM).tombstones.to_pylist()[0] == {
        "uid": "discourse:forum.acme.example:11/4",
        "published_at": datetime(2026, 7, 1, 10, tzinfo=UTC),
        "author_id": None,
        "channel": None,
        "deleted_at": NOON,
        "reason": "deleted",
    }
    assert page.cursor is not None and set(page.cursor["watched"]) == {"15", "13"}


def test_topics_of_a_category_are_read_with_all_their_posts():
    topic = {"id": 11, "title": "My router", "bumped_at": "2026-07-03T00:00:00Z", "category_id": 6, "tags": ["wifi"]}
    stream = {"posts": [post(1, topic_title=None)], "stream": [101, 102]}

    def answer(request: httpx.Request) -> Any:
        if request.url.path.endswith("/t/11.json"):
            return topic | {"post_stream": stream}
        if request.url.path.endswith("/t/11/posts.json"):
            return {"post_stream": {"posts": [post(2)]}}
        return {"topic_list": {"topics": [topic, topic | {"id": 3, "bumped_at": "2026-06-01T00:00:00Z"}]}}

    http, asked = door(answer)
    cursor = KNOWN | {"topics": {"/c/support/6.json": {"since": "2026-07-02T00:00:00+00:00"}}}
    page = Discourse().fetch(http, FORUM | {"what": "topics", "categories": "support/6"}, cursor, now=NOON)
    assert [request.url.path for request in asked] == [
        "/talk/c/support/6.json",
        "/talk/t/11.json",
        "/talk/t/11/posts.json",
    ]
    assert asked[2].url.params.get_list("post_ids[]") == ["102"]
    found = [row for payload in page.payloads for row in Discourse().parse(payload, FORUM).posts.to_pylist()]
    assert [row["native_id"] for row in found] == ["11/1", "11/2"]
    assert (found[0]["title"], found[0]["tags"]) == ("My router", ["wifi"])
    assert page.cursor is not None and page.cursor["topics"]["/c/support/6.json"] == {
        "since": "2026-07-03T00:00:00+00:00"
    }


def test_topics_are_listed_page_by_page_down_to_what_is_known():
    pages = [[{"id": 9, "pinned": True, "bumped_at": "2025-01-01"}, {"id": 8, "bumped_at": "2026-07-03"}], []]
    pages[1] = [{"id": 7, "bumped_at": "2026-07-02"}, {"id": 6, "bumped_at": "2026-06-01"}]

    def answer(request: httpx.Request) -> Any:
        if "/t/" in request.url.path:
            return {"post_stream": {"posts": [], "stream": []}}
        return {"topic_list": {"topics": pages[int(request.url.params["page"])]}}

    http, asked = door(answer)
    cursor = KNOWN | {"topics": {"/latest.json": {"since": "2026-07-01T00:00:00+00:00"}}}
    Discourse().fetch(http, FORUM | {"what": "topics"}, cursor, now=NOON)
    paths = [request.url.path.removeprefix("/talk") for request in asked]
    assert paths == ["/latest.json", "/latest.json", "/t/7.json", "/t/8.json"]


def test_topics_of_one_moment_are_all_read_or_read_again_where_a_fetch_stops():
    moved = [{"id": number, "bumped_at": f"2026-07-03T00:00:0{number // 9}Z"} for number in range(1, 13)]
    refused = {"/talk/t/12.json"}

    def answer(request: httpx.Request) -> Any:
        if request.url.path in refused:
            refused.clear()
            return httpx.Response(500)
        if "/t/" in request.url.path:
            return {"post_stream": {"posts": [post(1)], "stream": []}}
        return {"topic_list": {"topics": [] if int(request.url.params["page"]) else moved}}

    http, asked = door(answer)
    cursor: Any = KNOWN | {"topics": {"/latest.json": {"since": "2026-07-01T00:00:00+00:00"}}}
    for _ in range(3):
        cursor = Discourse().fetch(http, FORUM | {"what": "topics"}, cursor, now=NOON).cursor
    read = [request.url.path for request in asked if "/t/" in request.url.path]
    assert {int(path.split("/")[3].removesuffix(".json")) for path in read} == set(range(1, 13))
    assert read.count("/talk/t/12.json") == 2 and read.count("/talk/t/1.json") == 1


def test_a_forum_that_was_put_in_the_place_of_another_is_read_from_its_own_beginning():
    http, asked = door(lambda request: SITE if "site" in request.url.path else {"latest_posts": []})
    cursor = Discourse().fetch(http, FORUM, KNOWN | {"newest": 900_000, "seen": "x"}, now=NOON).cursor
    assert cursor is not None and cursor["newest"] == 900_000
    page = Discourse().fetch(http, {"url": "https://other.example/"}, cursor, now=NOON)
    assert page.cursor is not None and page.cursor["newest"] == 0
    assert str(asked[-2].url) == "https://other.example/site.json"


def test_what_a_search_finds_is_asked_for_whole():
    found = {"posts": [{"id": 101, "topic_id": 11, "created_at": "2026-07-03T00:00:00Z", "blurb": "It h…"}]}
    found["posts"].append({"id": 99, "topic_id": 3, "created_at": "2026-06-01T00:00:00Z", "blurb": "old"})
    found["topics"] = [{"id": 11, "title": "My router", "tags": []}]
    http, asked = door(lambda request: found if "search" in request.url.path else post(1, topic_title=None))
    cursor = KNOWN | {"searched": "2026-07-01T00:00:00Z"}
    page = Discourse().fetch(http, FORUM | {"what": "search", "query": "router crash"}, cursor, now=NOON)
    assert asked[0].url.params["q"] == "router crash order:latest"
    assert [request.url.path for request in asked[1:]] == ["/talk/posts/101.json"]
    assert Discourse().parse(page.payloads[0], FORUM).posts["title"].to_pylist() == ["My router"]


def test_a_signed_delivery_is_kept_as_it_came_and_read():
    body = json.dumps({"post": post(2, category_slug="support") | {"actions_summary": None}}).encode()
    answer = Discourse().receive(delivery(body, "post_edited"), FORUM | {"webhook_secret": "hush"}, KNOWN)
    assert (answer.status, answer.payloads[0].body) == (202, body)
    told = Discourse().parse(answer.payloads[0], FORUM).posts.to_pylist()[0]
    assert told["community"] == "Support"


def test_a_delivery_without_counts_does_not_hide_those_that_are_known():
    told = post(2)
    del told["actions_summary"]
    parsed = parse({"post": told}, event="post_created")
    assert parsed.posts.to_pylist()[0]["engagement"] is None
    assert parsed.observations.num_rows == 0


def test_a_delivery_with_a_wrong_signature_is_refused():
    body = json.dumps({"post": post(2)}).encode()
    settings = FORUM | {"webhook_secret": "hush"}
    assert Discourse().receive(delivery(body, "post_created", secret="guess"), settings, None).status == 403
    refused = Discourse().receive(delivery(body, "post_created", secret=""), FORUM, None)
    assert (refused.status, refused.payloads) == (403, ())


def test_deliveries_of_deletions_become_tombstones():
    assert parse({"post": post(2)}, event="post_destroyed").tombstones["uid"].to_pylist() == [
        "discourse:forum.acme.example:11/2"
    ]
    topic = {"topic": {"id": 11, "created_at": "2026-07-01T10:00:00Z"}}
    assert parse(topic, event="topic_destroyed").tombstones["uid"].to_pylist() == ["discourse:forum.acme.example:11/1"]


def test_a_recovered_post_is_a_post_again():
    assert parse({"post": post(2)}, event="post_recovered").posts["native_id"].to_pylist() == ["11/2"]


def test_a_like_is_noted_and_the_post_is_read_at_the_next_fetch():
    body = json.dumps({"like": {"post": post(2), "user": {"username": "bob"}}}).encode()
    answer = Discourse().receive(delivery(body, "post_liked", "like"), FORUM | {"webhook_secret": "hush"}, KNOWN)
    assert (answer.status, answer.payloads) == (202, ())
    http, asked = door(lambda request: post(2))
    page = Discourse().fetch(http, FORUM | {"what": "webhook"}, answer.cursor, now=NOON)
    assert [request.url.path for request in asked] == ["/talk/posts/102.json"]
    assert Discourse().parse(page.payloads[0], FORUM).observations["likes"].to_pylist() == [3]
    assert page.cursor is not None and page.cursor["liked"] == []


@pytest.mark.parametrize(
    ("kind", "event", "body", "status"),
    [
        ("ping", "ping", b'{"ping": "OK"}', 200),
        ("user", "user_created", b"{}", 202),
        ("post", "post_created", b"{", 400),
    ],
)
def test_what_we_do_not_hear_is_answered_and_let_go(kind: str, event: str, body: bytes, status: int):
    answer = Discourse().receive(delivery(body, event, kind), FORUM | {"webhook_secret": "hush"}, None)
    assert (answer.status, answer.payloads) == (status, ())


@pytest.mark.parametrize(("status", "error"), [(403, AskForCredentials), (404, GiveUp), (503, TryLater)])
def test_refusals_say_what_to_do(status: int, error: type[Exception]):
    http, _ = door(lambda request: httpx.Response(status, json={}))
    with pytest.raises(error):
        Discourse().fetch(http, FORUM, KNOWN, now=NOON)


def test_the_forum_says_how_long_to_wait():
    reply = {"errors": ["slow down"], "error_type": "rate_limit", "extras": {"wait_seconds": 21}}
    http, _ = door(lambda request: httpx.Response(429, json=reply))
    with pytest.raises(TryLater) as caught:
        Discourse().fetch(http, FORUM, KNOWN, now=NOON)
    assert caught.value.after == 21


def test_the_check_says_what_is_missing():
    http, _ = door(lambda request: SITE if "site" in request.url.path else {"latest_posts": [post(1)]})
    assert Discourse().check(http, FORUM, now=NOON).message == "forum.acme.example answers, with 2 categories."
    assert not Discourse().check(http, FORUM | {"what": "search"}, now=NOON).ok
