"""Replies in which values were swapped for others, as no documentation tells and every service does one day."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkworthy.connectors.contract import Connector
from talkworthy.connectors.errors import ConnectorError, Malformed
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.connectors.registry import own_connectors

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
RECORDED = Path(__file__).parents[1] / "recorded"
ODD: list[Any] = [None, True, 0, -1, 2**70, 1e308, "", "x", "\ud800", "a\x00b", "0000-00-00", [], {}, [[]], [None]]
ODD += [{"a": 1}, "9" * 5_000, -62_135_596_801, "javascript:x", "http://[::1", 1.5, "t3_zz", "2026-07-04T11:00:00Z"]
ROUNDS = 150

HIT = {
    "objectID": "1",
    "created_at_i": 5,
    "title": "a",
    "comment_text": "b",
    "parent_id": 3,
    "story_id": 2,
    "_tags": [],
}
ITEM = {"id": 1, "type": "comment", "time": 5, "by": "alice", "text": "<p>a", "parent": 3, "kids": [4]}
LINK = {"name": "t3_aa", "created_utc": 5.0, "selftext": "*a*", "author": "alice", "score": 1, "permalink": "/r/x/aa/"}
TALK = {"number": 4, "url": "https://github.com/a/b/discussions/4", "createdAt": "2026-07-04T11:00:00Z", "body": "a"}
TALK |= {"comments": {"nodes": [{"databaseId": 1, "url": TALK["url"], "createdAt": "2026-07-04T11:00:00Z"}]}}
ASKED = {"question_id": 7, "title": "a", "body": "b", "creation_date": 5, "owner": {"user_id": 1}, "tags": ["c"]}
REPLIES: list[tuple[str, Any, dict[str, Any]]] = [
    ("hackernews", {"hits": [HIT]}, {}),
    ("hackernews", ITEM, {"item": True}),
    ("reddit", {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": LINK}]}}, {}),
    ("github", {"data": {"repository": {"discussions": {"nodes": [TALK]}}}}, {}),
    ("github", json.loads((RECORDED / "github" / "issue_comment.edited.json").read_bytes()), {}),
    ("github", json.loads((RECORDED / "github" / "discussion.transferred.json").read_bytes()), {}),
    (
        "discourse",
        json.loads((RECORDED / "discourse" / "posts_latest.json").read_bytes()),
        {"categories": {"1": ["a", True]}},
    ),
    ("stackexchange", {"items": [ASKED, {"answer_id": 8, "creation_date": 5}]}, {"asked": {"5": 3}}),
]
CURSORS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("hackernews", {"words": "a"}, {"searches": {"a": {"since": 5, "upper": 6, "top": 7}}, "recent": [1]}),
    ("hackernews", {}, {"item": 3, "missing": {"4": 1}, "recent": [1]}),
    ("reddit", {"subreddits": "a1"}, {"listings": {"/r/a1/new": {"since": 3, "after": "t3_x"}}, "watched": ["t3_a"]}),
    (
        "github",
        {"repositories": "a/b", "token": "t"},
        {"a/b": {"discussions": {"since": "2", "deep": [["i", "b", "2"]]}}},
    ),
    (
        "discourse",
        {"url": "https://f.example"},
        {"newest": 3, "before": 5, "watched": {"3": [1, 2, "x"]}, "liked": [3]},
    ),
    ("stackexchange", {"comments": True}, {"todo": [["answers", ["7"], 1, 3], ["comments", {"7": "7"}, 1, 3]]}),
]


def swapped(value: Any, chance: random.Random, share: float) -> Any:
    if chance.random() < share:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {name: swapped(inner, chance, share) for name, inner in value.items() if chance.random() > share / 2}
    return [swapped(inner, chance, share) for inner in value] if isinstance(value, list) else value


def own(name: str) -> Connector:
    return own_connectors()[name]


@pytest.mark.parametrize(("name", "reply", "meta"), REPLIES)
def test_a_reply_with_odd_values_is_read_or_refused_and_nothing_else(name: str, reply: Any, meta: dict[str, Any]):
    chance = random.Random(7)
    for _ in range(ROUNDS):
        body = json.dumps(swapped(reply, chance, chance.choice((0.02, 0.1, 0.3)))).encode()
        try:
            parsed = own(name).parse(
                Payload(body=body, fetched_at=NOON, meta=meta), {"url": "https://f.example", "pulls": True}
            )
        except Malformed:
            continue
        for table in (parsed.posts, parsed.observations, parsed.tombstones):
            table.validate(full=True)


@pytest.mark.parametrize(("name", "settings", "cursor"), CURSORS)
def test_a_mangled_cursor_breaks_no_fetch(name: str, settings: dict[str, Any], cursor: dict[str, Any]):
    chance = random.Random(7)
    http = Http(
        transport=httpx.MockTransport(any_of(chance)),
        resolve=lambda host, port: ["93.184.216.34"],
        sleep=lambda _: None,
    )
    for _ in range(ROUNDS):
        mangled = swapped(cursor, chance, 0.15)
        try:
            page = own(name).fetch(http, settings, mangled if isinstance(mangled, dict) else None, now=NOON)
        except ConnectorError:
            continue
        json.dumps(dict(page.cursor or {}))


def any_of(chance: random.Random) -> Callable[[httpx.Request], httpx.Response]:
    replies = [reply for _, reply, _ in REPLIES]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/access_token":
            return httpx.Response(200, json={"access_token": "t"})
        return httpx.Response(200, content=json.dumps(swapped(chance.choice(replies), chance, 0.05)))

    return answer
