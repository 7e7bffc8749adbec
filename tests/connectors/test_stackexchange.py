"""Stack Exchange: wrappers written by hand in the shape of the documentation of API 2.3."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from talkworthy.connectors.contract import Parsed
from talkworthy.connectors.errors import AskForCredentials, GiveUp, Malformed, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.connectors.stackexchange import StackExchange, host_of

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
T = int(NOON.timestamp())
OWNER = {
    "user_id": 12,
    "user_type": "registered",
    "display_name": "Al&#39;s",
    "link": "https://stackoverflow.com/users/12/al",
}


def question(number: int, at: int = T, **more: Any) -> dict[str, Any]:
    told = {"question_id": number, "title": "Why is &quot;x&quot; &lt; 3?", "body": "<p>It &lt; is</p>", "owner": OWNER}
    told |= {"tags": ["python", "math"], "score": -2, "answer_count": 1, "view_count": 40, "creation_date": at - 50}
    return told | {"last_activity_date": at, "link": f"https://stackoverflow.com/questions/{number}/why", **more}


def answer_to(number: int, own: int, **more: Any) -> dict[str, Any]:
    told = {"answer_id": own, "question_id": number, "is_accepted": True, "body": "<p>so</p>", "creation_date": T - 10}
    return told | {"owner": OWNER, "score": 5, "last_activity_date": T, "last_edit_date": T - 5, **more}


def comment_on(post: int, own: int, kind: str = "question") -> dict[str, Any]:
    told = {"comment_id": own, "post_id": post, "post_type": kind, "body": "me too", "creation_date": T - 3, "score": 0}
    return told | {"owner": {"user_type": "does_not_exist", "display_name": "user99"}}


def wrapper(*items: Any, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "has_more": False, "quota_max": 300, "quota_remaining": 200, **more}


def door(answer: Callable[[httpx.Request], Any]) -> tuple[Http, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = answer(request)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    transport = httpx.MockTransport(reply)
    return Http(transport=transport, resolve=lambda host, port: ["93.184.216.34"], sleep=lambda _: None), asked


def parse(*items: Any, **meta: Any) -> Parsed:
    payload = Payload(body=json.dumps(wrapper(*items)).encode(), fetched_at=NOON, meta=meta)
    return StackExchange().parse(payload, {"site": "stackoverflow"})


def test_a_question_is_read_with_entities_resolved():
    post = parse(question(7)).posts.to_pylist()[0]
    assert post["uid"] == "stackexchange:stackoverflow.com:7"
    assert (post["title"], post["text"], post["kind"]) == ('Why is "x" < 3?', "It < is", "question")
    assert (post["author"]["name"], post["author"]["id"]) == ("Al's", "12")
    assert (post["tags"], post["site"]) == (["python", "math"], "stackoverflow.com")
    counts = post["engagement"]
    assert (counts["likes"], counts["replies"], counts["views"], counts["taken_at"]) == (-2, 1, 40, NOON)


def test_an_accepted_answer_is_tied_to_its_question_and_tells_its_edit():
    post = parse(answer_to(7, 8), question(7)).posts.to_pylist()[0]
    assert (post["uid"], post["in_reply_to"]) == (
        "stackexchange:stackoverflow.com:8",
        "stackexchange:stackoverflow.com:7",
    )
    assert (post["root"], post["tags"], post["engagement_type"]) == (post["in_reply_to"], ["accepted"], "REPLY")
    assert post["edited_at"] == datetime.fromtimestamp(T - 5, UTC)


def test_numbers_of_comments_do_not_collide_with_those_of_posts():
    posts = parse(comment_on(7, 7), question(7)).posts.to_pylist()
    assert [post["native_id"] for post in posts] == ["comment-7", "7"]
    assert posts[0]["author"] == posts[1]["author"] | {"id": None, "name": "user99", "url": None}


def test_a_comment_on_an_answer_finds_its_question_where_the_fetch_knew_it():
    post = parse(comment_on(8, 9, "answer"), questions={"8": "7"}).posts.to_pylist()[0]
    assert (post["in_reply_to"], post["root"]) == (
        "stackexchange:stackoverflow.com:8",
        "stackexchange:stackoverflow.com:7",
    )
    assert parse(comment_on(8, 9, "answer")).posts.to_pylist()[0]["root"] is None


def test_questions_that_were_asked_for_and_did_not_come_are_gone():
    parsed = parse(question(7), asked={"7": T, "6": T - 9})
    assert parsed.tombstones["uid"].to_pylist() == ["stackexchange:stackoverflow.com:6"]
    assert parsed.tombstones["published_at"].to_pylist() == [datetime.fromtimestamp(T - 9, UTC)]
    assert parsed.posts["native_id"].to_pylist() == ["7"]


def test_an_unknown_item_is_set_aside():
    parsed = parse({"user_id": 3}, question(7), question(8) | {"creation_date": "soon"})
    assert parsed.posts["native_id"].to_pylist() == ["7"]
    assert len(parsed.aside) == 2


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error_id": 502}', b"\x1f\x8b", '{"items": 1}'.encode("utf-16")])
def test_what_is_no_wrapper_is_malformed(body: bytes):
    with pytest.raises(Malformed):
        StackExchange().parse(Payload(body=body, fetched_at=NOON), {})


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("stackoverflow", "stackoverflow.com"),
        ("unix", "unix.stackexchange.com"),
        ("math.meta", "math.meta.stackexchange.com"),
        ("pt.stackoverflow", "pt.stackoverflow.com"),
        ("meta.stackoverflow", "meta.stackoverflow.com"),
        ("mathoverflow.net", "mathoverflow.net"),
    ],
)
def test_the_origin_is_the_host_of_the_site(name: str, host: str):
    assert host_of(name) == host


def test_a_fetch_asks_for_active_questions_then_for_their_answers_and_comments():
    def answer(request: httpx.Request) -> Any:
        path = request.url.path
        if path.endswith("/answers"):
            return wrapper(answer_to(7, 8))
        return wrapper(comment_on(7, 9)) if path.endswith("/comments") else wrapper(question(7))

    http, asked = door(answer)
    page = StackExchange().fetch(http, {"tags": "python;math", "comments": True, "key": "k"}, None, now=NOON)
    assert [request.url.path.removeprefix("/2.3/") for request in asked] == [
        "questions",
        "questions/7/answers",
        "posts/7/comments",
        "posts/8/comments",
    ]
    first = asked[0].url.params
    assert (first["tagged"], first["sort"], first["order"], first["filter"]) == (
        "python;math",
        "activity",
        "asc",
        "withbody",
    )
    assert (first["min"], first["site"], first["key"]) == (str(T - 7 * 86_400), "stackoverflow", "k")
    assert page.cursor is not None and page.cursor["searches"] == {"python;math": {"since": T, "seen": [f"7@{T}"]}}
    assert page.more is False


def test_nothing_new_costs_one_request_and_keeps_nothing():
    http, asked = door(lambda request: wrapper(question(7)))
    cursor = {"searches": {"": {"since": T, "seen": [f"7@{T}"]}}, "looked": T}
    page = StackExchange().fetch(http, {}, cursor, now=NOON)
    assert (len(asked), page.payloads, page.more) == (1, (), False)


def test_a_known_question_that_is_answered_is_heard_again():
    http, asked = door(
        lambda request: wrapper(answer_to(7, 8) if "answers" in request.url.path else question(7, T + 9))
    )
    cursor = {"searches": {"": {"since": T, "seen": [f"7@{T}"]}}, "looked": T}
    page = StackExchange().fetch(http, {}, cursor, now=NOON)
    assert [request.url.path for request in asked] == ["/2.3/questions", "/2.3/questions/7/answers"]
    assert len(page.payloads) == 2


def test_a_pause_that_the_api_asks_for_ends_the_fetch_and_the_rest_waits_in_the_cursor():
    http, asked = door(lambda request: wrapper(question(7), backoff=33))
    page = StackExchange().fetch(http, {"key": "k"}, None, now=NOON)
    assert (len(asked), page.more) == (1, False)
    assert page.wait is not None and page.wait >= 33
    assert page.cursor is not None and page.cursor["todo"] == [["answers", ["7"], 1, T - 7 * 86_400]]
    http, asked = door(lambda request: wrapper(answer_to(7, 8)) if "answers" in request.url.path else wrapper())
    StackExchange().fetch(http, {"key": "k"}, page.cursor, now=NOON)
    assert asked[0].url.path == "/2.3/questions/7/answers"


def test_pages_go_on_while_there_is_more():
    def answer(request: httpx.Request) -> Any:
        page, since = int(request.url.params.get("page", 1)), int(request.url.params["min"])
        if since == T - 5 and page == 1:
            return wrapper(question(2, T - 5), has_more=True)
        if since == T - 5:
            return wrapper(question(3, T - 5))
        return wrapper(question(1, T - 5), has_more=True)

    http, asked = door(answer)
    page = StackExchange().fetch(http, {"answers": False}, {"looked": T}, now=NOON)
    assert [(request.url.params["min"], request.url.params["page"]) for request in asked] == [
        (str(T - 7 * 86_400), "1"),
        (str(T - 5), "1"),
        (str(T - 5), "2"),
    ]
    assert len(page.payloads) == 3


def test_a_spent_quota_waits_for_midnight():
    http, _ = door(lambda request: wrapper(quota_remaining=0))
    page = StackExchange().fetch(http, {}, None, now=NOON)
    assert page.wait == 12 * 3600


def test_without_a_key_fetches_are_spread_over_the_day():
    http, _ = door(lambda request: wrapper())
    assert StackExchange().fetch(http, {}, None, now=NOON).wait == 86_400 / 300


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (502, "too many requests from this IP, more requests available in 76 seconds", TryLater),
        (400, "site is required", GiveUp),
        (403, "key is not valid", AskForCredentials),
    ],
)
def test_errors_of_the_api_say_what_to_do(code: int, message: str, error: type[Exception]):
    http, _ = door(
        lambda request: httpx.Response(400, json={"error_id": code, "error_name": "x", "error_message": message})
    )
    with pytest.raises(error, match=message[:10]) as caught:
        StackExchange().fetch(http, {}, None, now=NOON)
    if isinstance(caught.value, TryLater):
        assert caught.value.after == 77


def test_watched_questions_are_looked_at_once_an_hour():
    http, asked = door(lambda request: wrapper() if request.url.path == "/2.3/questions" else wrapper(question(7)))
    cursor = {"recent": {"7": T - 50, "6": T - 60}, "looked": T - 3_601}
    page = StackExchange().fetch(http, {}, cursor, now=NOON)
    assert asked[1].url.path == "/2.3/questions/7;6"
    assert page.cursor is not None and page.cursor["recent"] == {"7": T - 50}
    assert StackExchange().parse(page.payloads[0], {}).tombstones["uid"].to_pylist() == [
        "stackexchange:stackoverflow.com:6"
    ]


def test_the_check_tells_what_is_left_of_the_day():
    http, _ = door(lambda request: wrapper())
    checked = StackExchange().check(http, {"tags": "nosuchtag"}, now=NOON)
    assert checked.ok and "200 of 300" in checked.message and "nosuchtag" in checked.message


def test_another_site_in_the_settings_is_not_asked_for_questions_of_the_first():
    http, asked = door(lambda request: wrapper(question(9 if request.url.params["site"] == "superuser" else 7)))
    page = StackExchange().fetch(http, {"site": "stackoverflow"}, None, now=NOON)
    assert page.cursor is not None and list(page.cursor["recent"]) == ["7"]
    before = len(asked)
    page = StackExchange().fetch(http, {"site": "superuser"}, page.cursor, now=NOON + timedelta(days=1))
    assert page.cursor is not None and list(page.cursor["recent"]) == ["9"]
    assert not [request for request in asked[before:] if "/questions/7" in request.url.path]
