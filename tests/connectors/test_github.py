"""GitHub: recorded deliveries, and replies in the shape of the documentation."""

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from talkworthy.connectors.contract import Parsed, Request
from talkworthy.connectors.errors import AskForCredentials, GiveUp, Malformed, TryLater
from talkworthy.connectors.github import EVENTS, GitHub
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
RECORDED = Path(__file__).parents[1] / "recorded" / "github"
SHARED = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[2] / ".." / "shared"))
DELIVERIES = SHARED / "data" / "fixtures_vendor_api" / "github_webhooks"
ACME = {"repositories": "acme/router", "webhook_secret": "hush"}
USER = {
    "login": "alice",
    "id": 1,
    "html_url": "https://github.com/alice",
    "avatar_url": "https://a.example/1",
    "type": "User",
}


def issue(number: int, at: str = "2026-07-04T11:00:00Z", **more: Any) -> dict[str, Any]:
    told = {"id": 900 + number, "number": number, "title": "It hums", "user": USER, "labels": [{"name": "bug"}]}
    told |= {"html_url": f"https://github.com/acme/router/issues/{number}", "created_at": "2026-07-01T00:00:00Z"}
    told |= {
        "updated_at": at,
        "comments": 2,
        "reactions": {"+1": 5, "-1": 2},
        "body": "Hey @bob, `@carol` <!-- no -->\n\n- a",
    }
    return told | more


def comment(own: int, number: int = 1, **more: Any) -> dict[str, Any]:
    told = {
        "id": own,
        "issue_url": f"https://api.github.com/repos/acme/router/issues/{number}",
        "user": None,
        "body": "yes",
    }
    told |= {"html_url": f"https://github.com/acme/router/issues/{number}#issuecomment-{own}"}
    return told | {"created_at": "2026-07-02T00:00:00Z", "updated_at": "2026-07-03T00:00:00Z", **more}


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


def parse(value: Any, **settings: Any) -> Parsed:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return GitHub().parse(Payload(body=body, fetched_at=NOON), settings)


def door(answer: Callable[[httpx.Request], Any]) -> tuple[Http, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.path.count("/") == 3 and request.url.path.startswith("/repos/"):
            return httpx.Response(200, json={"private": False, "has_issues": True, "full_name": request.url.path[7:]})
        found = answer(request)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    transport = httpx.MockTransport(reply)
    return Http(transport=transport, resolve=lambda host, port: ["93.184.216.34"], sleep=lambda _: None), asked


def delivery(body: bytes, event: str = "issues", *, secret: str = "hush", **headers: str) -> Request:
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    told = {"content-type": "application/json", "x-github-event": event, "x-github-delivery": "72d3162e"}
    told |= {"x-hub-signature-256": signature} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method="POST", path="/", query={}, headers=told, body=body, received_at=NOON)


def test_an_issue_is_read_with_its_labels_votes_and_names():
    post = parse([issue(12)]).posts.to_pylist()[0]
    assert (post["uid"], post["community"]) == ("github:github.com:acme/router#12", "acme/router")
    assert (post["title"], post["text"], post["tags"]) == ("It hums", "Hey @bob, @carol\n\n- a", ["bug"])
    assert post["mentions"] == ["bob"]
    assert post["engagement"] == {"replies": 2, "shares": None, "likes": 3, "views": None, "taken_at": NOON}
    assert post["author"]["handle"] == "alice" and post["author"]["automated"] is False
    assert post["edited_at"] is None


def test_a_comment_finds_its_issue_without_asking():
    post = parse([comment(7), issue(1)]).posts.to_pylist()[0]
    assert (post["uid"], post["in_reply_to"]) == ("github:github.com:issuecomment-7", "github:github.com:acme/router#1")
    assert (post["root"], post["author"], post["engagement_type"]) == (post["in_reply_to"], None, "COMMENT")
    assert post["edited_at"] == datetime(2026, 7, 3, tzinfo=UTC)


def test_pull_requests_are_heard_only_when_asked_for():
    pull = issue(3, pull_request={}, html_url="https://github.com/acme/router/pull/3")
    told = [pull, comment(8, html_url="https://github.com/acme/router/pull/3#issuecomment-8"), issue(1)]
    assert parse(told).posts["native_id"].to_pylist() == ["acme/router#1"]
    assert parse(told, pulls=True).posts["native_id"].to_pylist() == [
        "acme/router#3",
        "issuecomment-8",
        "acme/router#1",
    ]


def test_one_broken_issue_is_set_aside():
    parsed = parse([issue(1), issue(2, html_url="javascript:alert(1)"), None, issue(3, created_at="never")])
    assert parsed.posts["native_id"].to_pylist() == ["acme/router#1"]
    assert len(parsed.aside) == 3


def test_a_script_in_an_issue_is_not_kept():
    post = parse([issue(1, body="<script>alert(1)</script><img src=x onerror=y> <b>hi</b>")]).posts.to_pylist()[0]
    assert "script" not in post["html"] and "onerror" not in post["html"] and "hi" in post["text"]


def test_a_transfer_from_elsewhere_buries_the_old_issue():
    parsed = parse(recorded("issues.opened.with-transfer"))
    assert parsed.posts["native_id"].to_pylist() == ["Codertocat/Hello-World#1"]
    assert parsed.tombstones["uid"].to_pylist() == ["github:github.com:octo-org/octo-repo#1"]


def test_a_transferred_discussion_goes_on_under_its_new_name():
    parsed = parse(recorded("discussion.transferred"))
    assert parsed.posts["native_id"].to_pylist() == ["Codertocat/friendly-octo-succotash#1"]
    assert parsed.tombstones["uid"].to_pylist() == ["github:github.com:Codertocat/Hello-World#4"]


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("issues.deleted", "Codertocat/Hello-World#1"),
        ("issue_comment.deleted", "issuecomment-492700400"),
        ("discussion_comment.deleted", "discussioncomment-550062"),
    ],
)
def test_a_deletion_becomes_a_tombstone(name: str, uid: str):
    parsed = parse(recorded(name))
    assert parsed.posts.num_rows == 0
    assert parsed.tombstones["uid"].to_pylist() == [f"github:github.com:{uid}"]


def test_an_edited_comment_keeps_its_uid_and_tells_its_edit():
    post = parse(recorded("issue_comment.edited")).posts.to_pylist()[0]
    assert (post["native_id"], post["text"]) == (
        "issuecomment-492700400",
        "You are totally right! I'll get this fixed today.",
    )
    assert post["edited_at"] == datetime(2019, 5, 15, 15, 20, 22, tzinfo=UTC)


def test_a_comment_on_a_discussion_hangs_below_it():
    post = parse(recorded("discussion_comment.created")).posts.to_pylist()[0]
    assert (post["in_reply_to"], post["root"]) == ("github:github.com:Codertocat/Hello-World#4",) * 2


def test_a_delivery_from_a_private_repository_is_for_members():
    told = {"action": "opened", "issue": issue(1), "repository": {"full_name": "acme/router", "private": True}}
    assert parse(told).posts["visibility"].to_pylist() == ["members"]


@pytest.mark.parametrize("body", [b"", b"{}", b'"x"', b"\xff", b"payload=%7B", b'{"message": "Not Found"}'])
def test_what_is_neither_page_nor_delivery_is_malformed(body: bytes):
    with pytest.raises(Malformed):
        parse(body)


@pytest.mark.skipif(not DELIVERIES.is_dir(), reason="the shared fixtures are not here")
def test_every_recorded_delivery_is_read_without_a_piece_set_aside():
    files = [path for event in sorted(EVENTS) for path in sorted((DELIVERIES / event).glob("*.json"))]
    assert len(files) == 44
    for path in files:
        parsed = parse(path.read_bytes(), pulls=True)
        assert parsed.aside == (), path.name
        assert parsed.posts.num_rows + parsed.tombstones.num_rows > 0, path.name


def test_a_signed_delivery_is_kept_as_it_came():
    body = json.dumps({"action": "opened", "issue": issue(1), "repository": {"full_name": "Acme/Router"}}).encode()
    answer = GitHub().receive(delivery(body), ACME, None)
    assert (answer.status, answer.payloads[0].body) == (202, body)
    assert answer.payloads[0].meta == {"event": "issues", "delivery": "72d3162e"}


def test_a_delivery_as_a_form_is_unpacked():
    body = json.dumps({"action": "opened", "issue": issue(1), "repository": {"full_name": "acme/router"}})
    form = urlencode({"payload": body}).encode()
    answer = GitHub().receive(delivery(form, content_type="application/x-www-form-urlencoded"), ACME, None)
    assert answer.payloads[0].body == body.encode()


def test_a_delivery_that_is_not_signed_with_our_secret_is_refused():
    body = b'{"repository": {"full_name": "acme/router"}}'
    for request in (
        delivery(body, secret="guess"),
        delivery(body, x_hub_signature_256=""),
        delivery(body, x_hub_signature_256="é"),
    ):
        answer = GitHub().receive(request, ACME, None)
        assert (answer.status, answer.payloads) == (403, ())


def test_without_a_secret_nothing_is_accepted():
    answer = GitHub().receive(delivery(b"{}", secret=""), {"repositories": "acme/router"}, None)
    assert (answer.status, answer.payloads) == (403, ())


@pytest.mark.parametrize(
    ("event", "body", "status"),
    [
        ("ping", b"{}", 200),
        ("push", b'{"repository": {"full_name": "acme/router"}}', 202),
        ("issues", b'{"repository": {"full_name": "dan/other"}}', 202),
        ("issues", b"{", 400),
    ],
)
def test_what_we_do_not_hear_is_answered_and_let_go(event: str, body: bytes, status: int):
    answer = GitHub().receive(delivery(body, event), ACME, None)
    assert (answer.status, answer.payloads) == (status, ())


def test_a_fetch_asks_since_the_days_that_were_set_and_goes_on_from_the_last_change():
    http, asked = door(
        lambda request: [comment(7)] if "comments" in request.url.path else [issue(1), issue(2, "2026-07-04T11:30:00Z")]
    )
    page = GitHub().fetch(http, {"repositories": ["acme/router"], "days": 3}, None, now=NOON)
    assert [request.url.path for request in asked] == [
        "/repos/acme/router",
        "/repos/acme/router/issues",
        "/repos/acme/router/issues/comments",
    ]
    params = asked[1].url.params
    assert (params["since"], params["state"], params["sort"], params["direction"]) == (
        "2026-07-01T12:00:00Z",
        "all",
        "updated",
        "asc",
    )
    assert page.cursor == {
        "acme/router": {
            "private": False,
            "issues": {"since": "2026-07-04T11:30:00Z"},
            "comments": {"since": "2026-07-03T00:00:00Z"},
        }
    }


def test_an_unchanged_page_is_asked_for_with_its_etag_and_costs_nothing():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"e1"':
            return httpx.Response(304)
        return httpx.Response(
            200, json=[issue(1)] if request.url.path.endswith("issues") else [], headers={"etag": '"e1"'}
        )

    http, asked = door(answer)
    cursor: Any = {"acme/router": {"private": False, "issues": {"since": "2026-07-04T11:00:00Z"}}}
    first = GitHub().fetch(http, {"repositories": "acme/router"}, cursor, now=NOON)
    assert len(first.payloads) == 1
    second = GitHub().fetch(http, {"repositories": "acme/router"}, first.cursor, now=NOON)
    assert second.payloads == ()
    assert second.cursor == first.cursor
    assert [request.headers.get("if-none-match") for request in asked] == [None, None, '"e1"', '"e1"']


def test_full_pages_go_on_also_where_a_hundred_issues_changed_in_one_second():
    def answer(request: httpx.Request) -> Any:
        if request.url.path.endswith("comments"):
            return []
        since, page = request.url.params["since"], int(request.url.params["page"])
        if since == "2026-07-04T11:00:00Z" and page == 2:
            return [issue(500)]
        return [issue(number) for number in range(1, 101)]

    http, asked = door(answer)
    page = GitHub().fetch(http, {"repositories": "acme/router"}, None, now=NOON)
    assert [request.url.params["page"] for request in asked if request.url.path.endswith("issues")] == ["1", "1", "2"]
    assert len(page.payloads) == 3


def test_a_repository_that_is_gone_does_not_silence_the_others():
    def answer(request: httpx.Request) -> Any:
        return httpx.Response(404, json={}) if "gone" in request.url.path else [issue(1)]

    http, _ = door(answer)
    page = GitHub().fetch(http, {"repositories": "acme/gone\nacme/router"}, None, now=NOON)
    assert page.payloads and "acme/gone" in page.note
    with pytest.raises(GiveUp):
        GitHub().fetch(http, {"repositories": "acme/gone"}, None, now=NOON)


@pytest.mark.parametrize(
    ("reply", "error", "after"),
    [
        (
            httpx.Response(403, json={}, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}),
            TryLater,
            30.0,
        ),
        (httpx.Response(403, json={"message": "You have exceeded a secondary rate limit"}), TryLater, 60.0),
        (httpx.Response(403, json={"message": "Resource not accessible"}), AskForCredentials, None),
        (httpx.Response(401, json={"message": "Bad credentials"}), AskForCredentials, None),
    ],
)
def test_limits_and_refusals_are_told_apart(reply: httpx.Response, error: type[Exception], after: float | None):
    http, _ = door(lambda request: reply)
    with pytest.raises(error) as caught:
        GitHub().fetch(http, {"repositories": "acme/router"}, None, now=NOON)
    if isinstance(caught.value, TryLater):
        assert caught.value.after == after


def talk(number: int, at: str, *comments: Any, older: bool = False) -> dict[str, Any]:
    author = {"__typename": "Bot", "login": "dependabot", "url": "https://github.com/apps/dependabot", "databaseId": 9}
    told = {"id": f"D_{number}", "number": number, "url": f"https://github.com/acme/router/discussions/{number}"}
    told |= {
        "title": "Ideas",
        "body": "**Hum**",
        "createdAt": "2026-07-01T00:00:00Z",
        "updatedAt": at,
        "lastEditedAt": None,
    }
    told |= {"upvoteCount": 6, "category": {"name": "Q&A"}, "labels": {"nodes": [{"name": "ui"}]}, "author": author}
    page = {"hasPreviousPage": older, "startCursor": "c1"}
    return told | {"comments": {"totalCount": 2, "pageInfo": page, "nodes": list(comments)}}


def said(own: int, *replies: Any, **more: Any) -> dict[str, Any]:
    told = {
        "databaseId": own,
        "url": f"https://github.com/acme/router/discussions/4#discussioncomment-{own}",
        "body": "so",
    }
    told |= {
        "createdAt": "2026-07-04T10:00:00Z",
        "lastEditedAt": "2026-07-04T10:30:00Z",
        "isAnswer": False,
        "upvoteCount": 1,
    }
    return told | {"author": None, "replies": {"totalCount": len(replies), "nodes": list(replies)}, **more}


def discussions(*talks: Any, onward: bool = False) -> dict[str, Any]:
    found = {"pageInfo": {"hasNextPage": onward, "endCursor": "e1"}, "nodes": list(talks)}
    return {"data": {"repository": {"discussions": found}}}


def test_discussions_are_read_with_answers_and_replies():
    posts = parse(discussions(talk(4, "2026-07-04T11:00:00Z", said(1, said(2), isAnswer=True)))).posts.to_pylist()
    assert [post["native_id"] for post in posts] == ["acme/router#4", "discussioncomment-1", "discussioncomment-2"]
    assert (posts[0]["tags"], posts[0]["author"]["automated"]) == (["Q&A", "ui"], True)
    assert (posts[0]["engagement"]["likes"], posts[0]["engagement"]["replies"]) == (6, 2)
    assert (posts[1]["tags"], posts[1]["in_reply_to"]) == (["answer"], "github:github.com:acme/router#4")
    assert (posts[2]["in_reply_to"], posts[2]["engagement_type"]) == ("github:github.com:discussioncomment-1", "REPLY")
    assert posts[2]["edited_at"] == datetime(2026, 7, 4, 10, 30, tzinfo=UTC)


def test_discussions_are_asked_for_with_a_token_until_one_is_known():
    pages = {
        None: discussions(talk(4, "2026-07-04T11:00:00Z"), onward=True),
        "e1": discussions(talk(3, "2026-07-01T00:00:00Z")),
    }

    def answer(request: httpx.Request) -> Any:
        if request.url.path != "/graphql":
            return []
        return pages[json.loads(request.content)["variables"]["after"]]

    http, asked = door(answer)
    cursor = {"acme/router": {"discussions": {"since": "2026-07-02T00:00:00Z"}}}
    page = GitHub().fetch(http, {"repositories": "acme/router", "token": "tok"}, cursor, now=NOON)
    assert len([request for request in asked if request.url.path == "/graphql"]) == 2
    assert page.cursor is not None and page.cursor["acme/router"]["discussions"] == {"since": "2026-07-04T11:00:00Z"}
    assert all(request.headers["authorization"] == "Bearer tok" for request in asked)
    assert "tok" not in json.dumps(page.cursor)


def test_more_new_comments_than_one_reply_shows_are_asked_for_too():
    def answer(request: httpx.Request) -> Any:
        if request.url.path != "/graphql":
            return []
        if "id" in json.loads(request.content)["variables"]:
            return {"data": {"node": talk(4, "2026-07-04T11:00:00Z", said(9))}}
        return discussions(talk(4, "2026-07-04T11:00:00Z", said(10), older=True))

    http, asked = door(answer)
    page = GitHub().fetch(http, {"repositories": "acme/router", "token": "tok"}, None, now=NOON)
    assert json.loads(asked[-1].content)["variables"] == {"id": "D_4", "before": "c1"}
    found = [uid for payload in page.payloads for uid in GitHub().parse(payload, {}).posts["native_id"].to_pylist()]
    assert "discussioncomment-9" in found and "discussioncomment-10" in found
    assert page.more is False


@pytest.mark.parametrize(("kind", "error"), [("RATE_LIMITED", TryLater), ("FORBIDDEN", AskForCredentials)])
def test_errors_of_graphql_say_what_to_do(kind: str, error: type[Exception]):
    def answer(request: httpx.Request) -> Any:
        return {"errors": [{"type": kind, "message": "x"}], "data": None} if request.url.path == "/graphql" else []

    http, _ = door(answer)
    with pytest.raises(error):
        GitHub().fetch(http, {"repositories": "acme/router", "token": "tok"}, None, now=NOON)


def test_a_name_that_is_no_repository_is_refused():
    http, asked = door(lambda request: [])
    with pytest.raises(GiveUp, match="owner/name"):
        GitHub().fetch(http, {"repositories": "../../user"}, None, now=NOON)
    assert asked == []


def test_the_check_answers_for_the_repositories():
    http, _ = door(lambda request: [])
    assert GitHub().check(http, {"repositories": "acme/router"}, now=NOON).ok
    assert not GitHub().check(http, {"repositories": ""}, now=NOON).ok
