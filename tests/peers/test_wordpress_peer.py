"""Comments of a real WordPress: new ones, edits, deletions, paging. Start it with start-wordpress."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from talkworthy.connectors.contract import Page, Parsed
from talkworthy.connectors.http import Http
from talkworthy.connectors.wordpress import connector

pytestmark = pytest.mark.peer

URL = os.environ.get("WP_URL", "http://localhost:18120")
KEPT = Path(os.environ.get("PEERS_DIR", "/tmp/peers")) / "wordpress/admin.apppass"
PASSWORD = os.environ.get("WP_APP_PASSWORD") or (KEPT.read_text().strip() if KEPT.exists() else "")
SETTINGS = {"url": URL + "/"}


@pytest.fixture
def admin() -> httpx.Client:
    if not PASSWORD:
        pytest.skip("WP_APP_PASSWORD: the application password of admin, as start-wordpress prints it")
    return httpx.Client(base_url=URL + "/wp-json/wp/v2", auth=("admin", PASSWORD), timeout=30)


@pytest.fixture
def http() -> Http:
    return Http(allow_hosts={httpx.URL(URL).netloc.decode()}, pace=0)


def said(client: httpx.Client, words: str, **more: Any) -> int:
    reply = client.post("/comments", json={"post": 1, "content": f"{words} {uuid4()}", **more})
    assert reply.status_code == 201, reply.text
    return int(reply.json()["id"])


def caught_up(http: Http, cursor: Any = None) -> tuple[list[Parsed], Page]:
    parsed: list[Parsed] = []
    while True:
        page = connector.fetch(http, SETTINGS, cursor, now=datetime.now(UTC))
        cursor = page.cursor
        parsed += [connector.parse(payload, SETTINGS) for payload in page.payloads]
        if not page.more:
            return parsed, page


def test_comments_edits_and_deletions_are_heard(admin: httpx.Client, http: Http) -> None:
    first = said(admin, "A <b>first</b> word, see https://example.org/")
    answer = said(admin, "An answer", parent=first)
    parsed, page = caught_up(http)
    posts = {row["native_id"]: row for each in parsed for row in each.posts.to_pylist()}
    assert posts[str(first)]["text"].startswith("A first word")
    assert posts[str(first)]["engagement_type"] == "COMMENT"
    assert posts[str(answer)]["in_reply_to"] == posts[str(first)]["uid"]

    parsed, page = caught_up(http, page.cursor)
    assert parsed == []

    admin.post(f"/comments/{first}", json={"content": "A second word"}).raise_for_status()
    admin.delete(f"/comments/{answer}", params={"force": True}).raise_for_status()
    newest = said(admin, "And a new one")
    parsed, page = caught_up(http, page.cursor)
    posts = {row["native_id"]: row for each in parsed for row in each.posts.to_pylist()}
    assert posts[str(first)]["text"] == "A second word"
    assert posts[str(first)]["edited_at"] is not None
    assert str(newest) in posts
    gone = [row["uid"] for each in parsed for row in each.tombstones.to_pylist()]
    assert gone == [f"wordpress:{httpx.URL(URL).host}:{answer}"]


def test_every_comment_of_many_pages_is_read_once_or_more(
    admin: httpx.Client, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkworthy.connectors.wordpress.PER_PAGE", 3)
    numbers = {said(admin, f"Comment number {number}") for number in range(8)}
    parsed, _ = caught_up(http)
    assert numbers <= {int(row["native_id"]) for each in parsed for row in each.posts.to_pylist()}


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_the_site_may_live_in_any_time_zone(
    zone: str, admin: httpx.Client, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkworthy.connectors.wordpress.PER_PAGE", 3)
    admin.post("/settings", json={"timezone": zone}).raise_for_status()
    _, page = caught_up(http)
    numbers = {said(admin, f"In {zone}, number {number}") for number in range(7)}
    parsed, _ = caught_up(http, page.cursor)
    posts = {int(row["native_id"]): row for each in parsed for row in each.posts.to_pylist()}
    assert numbers <= posts.keys()
    assert all(abs((posts[number]["published_at"] - datetime.now(UTC)).total_seconds()) < 120 for number in numbers)


def test_the_connection_test_counts(http: Http) -> None:
    checked = connector.check(http, SETTINGS, now=datetime.now(UTC))
    assert checked.ok, checked.message
