"""Feeds: what is asked, what is read, what a hub may do."""

import hashlib
import hmac
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkworthy.connectors.contract import Request
from talkworthy.connectors.errors import GiveUp, Malformed
from talkworthy.connectors.feed import connector
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
URL = "https://blog.example/feed.xml"
SETTINGS: dict[str, Any] = {"url": URL, "hub_secret": "a secret of some length"}
SHARED = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[3] / "shared"))


def rss(*items: str, head: str = "") -> bytes:
    return f"<rss version='2.0'><channel><title>Blog</title>{head}{''.join(items)}</channel></rss>".encode()


def item(words: str = "Words", **tags: str) -> str:
    given = {"guid": "https://blog.example/1", "title": "Title", "pubDate": "Thu, 15 Jan 2026 10:00:00 GMT", **tags}
    tagged = "".join(f"<{tag}>{text}</{tag}>" for tag, text in given.items() if text)
    return f"<item><description>{words}</description>{tagged}</item>"


def answering(*replies: httpx.Response) -> tuple[Http, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return replies[min(len(asked), len(replies)) - 1]

    return Http(transport=httpx.MockTransport(answer), sleep=lambda _: None), asked


def parsed(body: bytes, **meta: Any) -> list[dict[str, Any]]:
    payload = Payload(body=body, content_type="application/xml", url=URL, fetched_at=NOON, meta=meta)
    return connector.parse(payload, SETTINGS).posts.to_pylist()


def test_an_item_is_an_article_with_its_words_made_plain_and_safe() -> None:
    words = (
        "&lt;p onclick='x()'&gt;Hello &lt;a href='/more'&gt;more&lt;/a&gt;&lt;script&gt;bad()&lt;/script&gt;&lt;/p&gt;"
    )
    (post,) = parsed(rss(item(words, link="https://blog.example/2026/1", author="eve@blog.example (Eve)")))
    assert (post["kind"], post["title"], post["text"], post["community"]) == ("article", "Title", "Hello more", "Blog")
    assert post["links"] == ["https://blog.example/more"]
    assert "onclick" not in post["html"] and "script" not in post["html"]
    assert (post["author"]["name"], post["author"]["handle"]) == ("Eve", "eve@blog.example")
    assert post["published_at"] == datetime(2026, 1, 15, 10, tzinfo=UTC)


def test_a_bare_guid_counts_within_its_feed_only() -> None:
    (post,) = parsed(rss(item(guid="").replace("</item>", "<guid isPermaLink='false'>17</guid></item>")))
    assert post["uid"] == "feed:blog.example:/feed.xml#17"


def test_without_guid_the_address_is_the_id_and_without_that_the_words() -> None:
    (by_link,) = parsed(rss(item(guid="", link="https://blog.example/2")))
    assert by_link["native_id"] == "https://blog.example/2"
    assert (
        parsed(rss(item(guid="")))[0]["uid"]
        == parsed(rss(item(guid="")))[0]["uid"]
        != parsed(rss(item("Other", guid="")))[0]["uid"]
    )


def test_a_time_to_come_is_not_believed() -> None:
    (post,) = parsed(rss(item(pubDate="Thu, 15 Jan 2099 10:00:00 GMT")))
    assert post["published_at"] == NOON


def test_an_undated_entry_keeps_the_time_of_the_visit_on_which_it_was_first_seen() -> None:
    body = rss(item(pubDate=""))
    http, _ = answering(
        httpx.Response(200, content=body), httpx.Response(200, content=rss(item("Changed", pubDate="")))
    )
    first = connector.fetch(http, SETTINGS, None, now=NOON)
    second = connector.fetch(http, SETTINGS, first.cursor, now=NOON + timedelta(days=2))
    times = [
        connector.parse(page.payloads[0], SETTINGS).posts.to_pylist()[0]["published_at"] for page in (first, second)
    ]
    assert times == [NOON, NOON]


def test_an_edit_is_noticed_by_its_words_and_keeps_the_uid() -> None:
    http, _ = answering(httpx.Response(200, content=rss(item())), httpx.Response(200, content=rss(item("Other words"))))
    first = connector.fetch(http, SETTINGS, None, now=NOON)
    second = connector.fetch(http, SETTINGS, first.cursor, now=NOON + timedelta(hours=1))
    (before,), (after,) = (connector.parse(page.payloads[0], SETTINGS).posts.to_pylist() for page in (first, second))
    assert (before["uid"], before["edited_at"]) == (after["uid"], None)
    assert after["edited_at"] == NOON + timedelta(hours=1)


def test_a_feed_that_says_nothing_new_brings_no_payload() -> None:
    http, _ = answering(
        httpx.Response(200, content=rss(item())), httpx.Response(200, content=rss(item(), head="<ttl>5</ttl>"))
    )
    first = connector.fetch(http, SETTINGS, None, now=NOON)
    second = connector.fetch(http, SETTINGS, first.cursor, now=NOON)
    assert (len(first.payloads), len(second.payloads)) == (1, 0)


def test_validators_are_sent_back_and_304_brings_nothing() -> None:
    given = {"etag": '"e"', "last-modified": "Thu, 15 Jan 2026 10:00:00 GMT", "cache-control": "max-age=7200"}
    http, asked = answering(httpx.Response(200, content=rss(item()), headers=given), httpx.Response(304))
    first = connector.fetch(http, SETTINGS, None, now=NOON)
    second = connector.fetch(http, SETTINGS, first.cursor, now=NOON)
    assert (asked[1].headers["if-none-match"], asked[1].headers["if-modified-since"]) == ('"e"', given["last-modified"])
    assert (first.wait, second.payloads, second.cursor) == (7200, (), first.cursor)


def test_a_feed_that_is_gone_is_given_up() -> None:
    http, _ = answering(httpx.Response(410))
    with pytest.raises(GiveUp):
        connector.fetch(http, SETTINGS, None, now=NOON)


def test_a_lasting_redirect_is_followed_from_then_on_and_noted() -> None:
    moved = httpx.Response(301, headers={"location": "https://new.example/feed"})
    http, asked = answering(moved, httpx.Response(200, content=rss(item())), httpx.Response(304))
    page = connector.fetch(http, SETTINGS, None, now=NOON)
    assert "moved to https://new.example/feed" in page.note
    connector.fetch(http, SETTINGS, page.cursor, now=NOON)
    assert str(asked[2].url) == "https://new.example/feed"
    (post,) = connector.parse(page.payloads[0], SETTINGS).posts.to_pylist()
    assert post["origin"] == "blog.example"


def test_another_address_in_the_settings_is_asked_though_the_first_feed_had_moved() -> None:
    moved = httpx.Response(301, headers={"location": "https://new.example/feed"})
    there = httpx.Response(200, content=rss(item()), headers={"etag": '"1"'})
    http, asked = answering(moved, there, httpx.Response(200, content=rss(item())))
    page = connector.fetch(http, SETTINGS, None, now=NOON)
    again = connector.fetch(http, {"url": "https://other.example/feed"}, page.cursor, now=NOON)
    assert str(asked[2].url) == "https://other.example/feed" and "if-none-match" not in asked[2].headers
    assert len(again.payloads) == 1


PAGE = b"""<!doctype html><html><head><link rel="alternate" type="application/rss+xml" href="/rss?a=1&amp;b=2">
<link rel='alternate' type='text/html' href='/no'>
<LINK href=/atom type=application/atom+xml rel=alternate></head></html>"""


def test_the_connection_test_of_a_page_names_its_feeds() -> None:
    http, _ = answering(httpx.Response(200, content=PAGE, headers={"content-type": "text/html"}))
    checked = connector.check(http, {"url": "https://blog.example/"}, now=NOON)
    assert not checked.ok
    assert list(checked.details.values()) == ["https://blog.example/rss?a=1&b=2", "https://blog.example/atom"]


def test_a_page_is_no_feed_and_is_not_kept() -> None:
    http, _ = answering(httpx.Response(200, content=PAGE))
    with pytest.raises(GiveUp, match="It offers"):
        connector.fetch(http, SETTINGS, None, now=NOON)


def test_deleted_entries_become_tombstones() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0"><title>x</title>
    <at:deleted-entry ref="tag:x,2026:1" when="2026-01-15T11:00:00Z"/></feed>"""
    payload = Payload(body=body, content_type="application/atom+xml", url=URL, fetched_at=NOON)
    (stone,) = connector.parse(payload, SETTINGS).tombstones.to_pylist()
    assert (stone["uid"], stone["deleted_at"].hour) == ("feed:blog.example:tag:x,2026:1", 11)


def test_what_is_no_feed_is_malformed() -> None:
    for body in (
        b"",
        b"{}",
        b"<html><body>no</body></html>",
        b"plain words",
        b'{"version": "https://jsonfeed.org/version/1"}',
    ):
        with pytest.raises(Malformed):
            parsed(body)


# WebSub


def cursor(**hub: Any) -> dict[str, Any]:
    return {"websub": {"hub": "https://hub.example/", "topic": URL, "callback": "https://us.example/in", **hub}}


def call(method: str = "POST", body: bytes = b"", query: dict[str, str] | None = None, **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = {name: [value] for name, value in (query or {}).items()}
    return Request(method=method, path="/", query=asked, headers=given, body=body, received_at=NOON)


def signed(body: bytes, method: str = "sha256", secret: str = SETTINGS["hub_secret"]) -> str:
    return f"{method}={hmac.new(secret.encode(), body, method).hexdigest()}"


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signed_delivery_is_kept(method: str) -> None:
    body = rss(item())
    answer = connector.receive(call(body=body, x_hub_signature=signed(body, method)), SETTINGS, cursor())
    assert (answer.status, answer.payloads[0].body) == (202, body)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "sha256=00",
        "md5=" + hashlib.md5(b"x").hexdigest(),
        "sha256=ü",
        signed(b"other"),
        signed(b"x", secret="guess"),
    ],
)
def test_a_delivery_without_the_right_signature_is_refused(signature: str) -> None:
    answer = connector.receive(call(body=b"x", x_hub_signature=signature), SETTINGS, cursor())
    assert (answer.status, answer.payloads) == (403, ())


@pytest.mark.parametrize(("settings", "known"), [(SETTINGS, None), (SETTINGS, {}), ({"url": URL}, cursor())])
def test_a_delivery_that_is_not_expected_is_refused(settings: dict[str, Any], known: Any) -> None:
    body = b"x"
    assert connector.receive(call(body=body, x_hub_signature=signed(body)), settings, known).status == 404


def test_a_confirmation_is_echoed_and_its_lease_remembered() -> None:
    asked = {"hub.mode": "subscribe", "hub.topic": URL, "hub.challenge": "c1", "hub.lease_seconds": "3600"}
    answer = connector.receive(call("GET", query=asked), SETTINGS, cursor())
    assert (answer.status, answer.body) == (200, "c1")
    assert answer.cursor is not None
    assert answer.cursor["websub"]["expires_at"] == NOON.timestamp() + 3600


@pytest.mark.parametrize(
    "wrong", [{"hub.topic": "https://other.example/"}, {"hub.mode": "unsubscribe"}, {"hub.challenge": ""}]
)
def test_a_confirmation_of_what_was_not_asked_is_refused(wrong: dict[str, str]) -> None:
    asked = {"hub.mode": "subscribe", "hub.topic": URL, "hub.challenge": "c1", **wrong}
    assert connector.receive(call("GET", query=asked), SETTINGS, cursor()).status == 404


def test_delivery_is_asked_for_once_and_renewed_before_its_end() -> None:
    http, asked = answering(httpx.Response(202))
    now, known = NOON, cursor(callback=None)
    for _ in range(3):
        known = dict(connector.subscribe(http, SETTINGS, known, callback="https://us.example/in", now=now).cursor or {})
    assert len(asked) == 1
    assert b"hub.secret=a+secret" in asked[0].content
    known["websub"].update(confirmed_at=now.timestamp(), expires_at=now.timestamp() + 86_400)
    for hours, times in ((1, 1), (23, 2)):
        connector.subscribe(http, SETTINGS, known, callback="https://us.example/in", now=now + timedelta(hours=hours))
        assert len(asked) == times


def test_without_a_secret_no_delivery_is_asked_for() -> None:
    http, asked = answering(httpx.Response(202))
    connector.subscribe(http, {"url": URL}, cursor(callback=None), callback="https://us.example/in", now=NOON)
    assert asked == []


@pytest.mark.skipif(not (SHARED / "data/fixtures_feeds").exists(), reason="the recorded feeds are not here")
@pytest.mark.parametrize(
    "folder",
    ["encoding", "illformed", "json", "wellformed/atom10", "wellformed/rss", "wellformed/rdf", "wellformed/base"],
)
def test_recorded_feeds_are_read(folder: str) -> None:
    read = 0
    for file in sorted((SHARED / "data/fixtures_feeds/feedparser" / folder).rglob("*")):
        if file.is_file():
            try:
                posts = connector.parse(
                    Payload(body=file.read_bytes(), content_type="application/xml", url=URL, fetched_at=NOON), SETTINGS
                ).posts
            except Malformed:
                continue
            posts.validate(full=True)
            read += 1
    assert read
