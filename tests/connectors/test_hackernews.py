"""Hacker News: replies written by hand in the shape that the documentation of both interfaces gives."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from talkworthy.connectors.contract import Parsed
from talkworthy.connectors.errors import Malformed, TryLater
from talkworthy.connectors.hackernews import HITS, TRIES, HackerNews
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
T = int(NOON.timestamp())
STORY = {"id": 8863, "type": "story", "by": "dhouston", "time": T - 60, "title": "My YC app", "score": 111}
STORY |= {"descendants": 71, "kids": [8952], "url": "http://www.getdropbox.com/u/2/screencast.html"}
COMMENT = {"id": 2921983, "type": "comment", "by": "norvig", "parent": 2921506, "time": T - 30, "kids": [1, 2]}
COMMENT |= {
    "text": 'Aw shucks, you&#x27;re kind.<p>Read <a href="https:&#x2F;&#x2F;norvig.com&#x2F;" rel="nofollow">this</a>'
}


def hit(number: int, at: int = T, **more: Any) -> dict[str, Any]:
    told = {"objectID": str(number), "author": "alice", "created_at_i": at, "title": "A router", "points": 3}
    return told | {"num_comments": 2, "url": "https://acme.example/router", "_tags": ["story"], **more}


def door(answer: Mapping[str, Any] | Any) -> Http:
    def reply(request: httpx.Request) -> httpx.Response:
        path = urlsplit(str(request.url)).path
        found = answer(request) if callable(answer) else answer.get(path)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, content=json.dumps(found))

    return Http(
        transport=httpx.MockTransport(reply), resolve=lambda host, port: ["93.184.216.34"], sleep=lambda _: None
    )


def item(value: Any) -> Parsed:
    return HackerNews().parse(Payload(body=json.dumps(value).encode(), fetched_at=NOON, meta={"item": True}), {})


def hits(*values: Any) -> Parsed:
    return HackerNews().parse(Payload(body=json.dumps({"hits": values}).encode(), fetched_at=NOON), {})


def test_a_story_becomes_a_page_with_its_outward_link_and_counts():
    post = item(STORY).posts.to_pylist()[0]
    assert post["uid"] == "hackernews:news.ycombinator.com:8863"
    assert post["url"] == "https://news.ycombinator.com/item?id=8863"
    assert (post["kind"], post["title"], post["text"]) == ("page", "My YC app", "")
    assert post["links"] == ["http://www.getdropbox.com/u/2/screencast.html"]
    assert post["engagement"] == {"replies": 71, "shares": None, "likes": 111, "views": None, "taken_at": NOON}
    assert post["author"]["handle"] == "dhouston"


def test_a_comment_is_plain_text_and_tells_what_it_answers():
    post = item(COMMENT).posts.to_pylist()[0]
    assert post["text"] == "Aw shucks, you're kind.\n\nRead this"
    assert post["in_reply_to"] == "hackernews:news.ycombinator.com:2921506"
    assert (post["root"], post["engagement_type"], post["kind"]) == (None, "COMMENT", "note")
    assert post["links"] == ["https://norvig.com/"]


def test_counts_of_an_item_are_an_observation_too():
    observation = item(STORY).observations.to_pylist()[0]
    assert (observation["uid"], observation["likes"], observation["taken_at"]) == (
        "hackernews:news.ycombinator.com:8863",
        111,
        NOON,
    )


@pytest.mark.parametrize("flag", ["deleted", "dead"])
def test_an_item_that_is_gone_becomes_a_tombstone_and_no_post(flag: str):
    parsed = item({"id": 5, "type": "comment", "time": T, "parent": 4, "text": "secret", flag: True})
    assert parsed.posts.num_rows == 0
    assert parsed.tombstones.to_pylist()[0]["uid"] == "hackernews:news.ycombinator.com:5"
    assert parsed.tombstones.to_pylist()[0]["published_at"] == NOON


def test_an_item_not_yet_shown_is_nothing():
    assert item(None).posts.num_rows == 0


def test_search_and_item_give_a_story_the_same_uid_and_words():
    found = hits(hit(8863, T - 60, title="My YC app", author="dhouston", url=STORY["url"]))
    first, second = found.posts.to_pylist()[0], item(STORY).posts.to_pylist()[0]
    same = ("uid", "title", "text", "url", "kind", "published_at", "author", "links")
    assert [first[name] for name in same] == [second[name] for name in same]


def test_a_comment_found_by_search_knows_its_story_and_carries_no_title():
    told = hit(
        9,
        comment_text="<i>nice</i> router",
        story_title="A router",
        parent_id=8,
        story_id=7,
        points=None,
        num_comments=None,
    )
    post = hits(told, hit(7)).posts.to_pylist()[0]
    assert (post["in_reply_to"], post["root"]) == (
        "hackernews:news.ycombinator.com:8",
        "hackernews:news.ycombinator.com:7",
    )
    assert (post["title"], post["text"], post["engagement_type"]) == (None, "nice router", "REPLY")


def test_one_broken_hit_is_set_aside_and_the_rest_goes_on():
    parsed = hits(hit(1), hit(2) | {"objectID": None}, "nonsense", hit(3, at=10**15))
    assert parsed.posts["native_id"].to_pylist() == ["1"]
    assert [piece.reason for piece in parsed.aside] == [
        "without a usable objectID",
        "expected an object, found str",
        "without a usable time",
    ]


def test_a_script_in_a_comment_is_not_kept():
    post = item(COMMENT | {"text": "<script>alert(1)</script><b onclick=x>hi</b>"}).posts.to_pylist()[0]
    assert (post["text"], post["html"]) == ("hi", "<b>hi</b>")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"hits": {}}', b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_reply_is_malformed(body: bytes):
    with pytest.raises(Malformed):
        HackerNews().parse(Payload(body=body, fetched_at=NOON), {})


def test_a_search_asks_for_the_words_since_the_days_that_were_set():
    asked: list[dict[str, list[str]]] = []

    def answer(request: httpx.Request) -> Any:
        asked.append(parse_qs(request.url.query.decode()))
        return {"hits": [hit(1), hit(2)]} if "algolia" in request.url.host else {"items": []}

    page = HackerNews().fetch(door(answer), {"words": ["acme"], "what": "stories", "days": 2}, None, now=NOON)
    assert asked[0]["query"] == ["acme"]
    assert asked[0]["tags"] == ["(story,poll,job)"]
    assert asked[0]["numericFilters"] == [f"created_at_i>={T - 2 * 86_400 - 900}"]
    assert page.cursor == {"searches": {"acme": {"since": T}}, "recent": [1, 2]}
    assert (len(page.payloads), page.more) == (1, False)


def test_a_search_walks_down_full_pages_and_goes_on_from_the_newest():
    def answer(request: httpx.Request) -> Any:
        if "algolia" not in request.url.host:
            return {"items": []}
        upper = next((int(part[14:]) for part in request.url.params["numericFilters"].split(",") if "<=" in part), T)
        return {"hits": [hit(at, at) for at in range(upper, max(upper - HITS, T - 250), -1)]}

    page = HackerNews().fetch(door(answer), {"words": "acme"}, {"searches": {"acme": {"since": T - 900}}}, now=NOON)
    found = {uid for payload in page.payloads for uid in HackerNews().parse(payload, {}).posts["uid"].to_pylist()}
    assert len(found) == 250
    assert page.cursor is not None and page.cursor["searches"] == {"acme": {"since": T}}


def test_a_search_is_not_caught_in_a_second_that_holds_more_than_a_page():
    def answer(request: httpx.Request) -> Any:
        if "algolia" not in request.url.host:
            return {"items": []}
        bounds = request.url.params["numericFilters"]
        return {
            "hits": [hit(number) for number in range(HITS)]
            if "<=" not in bounds or str(T) in bounds.split("<=")[1]
            else []
        }

    page = HackerNews().fetch(door(answer), {"words": "acme"}, None, now=NOON)
    assert page.more is False


def test_hits_that_are_known_are_not_kept_again():
    answer = {"/api/v1/search_by_date": {"hits": [hit(1)]}, "/v0/updates.json": {"items": []}}
    page = HackerNews().fetch(door(answer), {"words": "acme"}, {"recent": [1]}, now=NOON)
    assert page.payloads == ()


def test_changed_items_among_the_collected_ones_are_read_again():
    answer = {
        "/api/v1/search_by_date": {"hits": []},
        "/v0/updates.json": {"items": [8863, 77], "profiles": ["pg"]},
        "/v0/item/8863.json": STORY | {"deleted": True},
    }
    page = HackerNews().fetch(door(answer), {"words": "acme"}, {"recent": [8863]}, now=NOON)
    assert [HackerNews().parse(payload, {}).tombstones.num_rows for payload in page.payloads] == [1]


def test_without_words_every_item_after_the_last_is_read_and_late_ones_are_asked_for_again():
    answer = {"/v0/maxitem.json": 13, "/v0/updates.json": {}, "/v0/item/12.json": None}
    answer |= {"/v0/item/11.json": STORY | {"id": 11}, "/v0/item/13.json": COMMENT | {"id": 13}}
    page = HackerNews().fetch(door(answer), {}, {"item": 10}, now=NOON)
    assert page.cursor == {"item": 13, "missing": {"12": 1}, "recent": [11, 13]}
    later = HackerNews().fetch(door(answer | {"/v0/item/12.json": COMMENT | {"id": 12}}), {}, page.cursor, now=NOON)
    assert [HackerNews().parse(payload, {}).posts["native_id"].to_pylist() for payload in later.payloads] == [["12"]]
    assert later.cursor is not None and later.cursor["missing"] == {}


def test_an_item_that_never_shows_is_given_up():
    answer = {"/v0/maxitem.json": 1, "/v0/updates.json": {}, "/v0/item/1.json": None}
    cursor: Any = {"item": 0}
    for _ in range(TRIES):
        cursor = HackerNews().fetch(door(answer), {}, cursor, now=NOON).cursor
    assert cursor["missing"] == {}


def test_the_first_fetch_without_words_starts_with_the_newest_item():
    answer = {"/v0/maxitem.json": 8863, "/v0/updates.json": {}, "/v0/item/8863.json": STORY}
    page = HackerNews().fetch(door(answer), {}, None, now=NOON)
    assert page.cursor is not None and page.cursor["item"] == 8863


def test_a_busy_server_keeps_what_was_brought_and_says_when_to_come_back():
    def answer(request: httpx.Request) -> Any:
        if "algolia" in request.url.host:
            return {"hits": [hit(1)]}
        return httpx.Response(429, headers={"retry-after": "120"})

    page = HackerNews().fetch(door(answer), {"words": "acme"}, None, now=NOON)
    assert (len(page.payloads), page.wait) == (1, 120.0)
    with pytest.raises(TryLater):
        HackerNews().fetch(door(answer), {}, {"item": 5}, now=NOON + timedelta(hours=1))


def test_the_check_names_words_that_nobody_ever_wrote():
    def answer(request: httpx.Request) -> Any:
        if "algolia" not in request.url.host:
            return 99
        return {"hits": [], "nbHits": 5 if request.url.params["query"] == "acme" else 0}

    checked = HackerNews().check(door(answer), {"words": "acme\nxyzzy"}, now=NOON)
    assert checked.ok and "xyzzy" in checked.message and "acme" not in checked.message
