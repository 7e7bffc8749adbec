"""Webmention: claims, their verification, and what the sources say."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkworthy.connectors.contract import Parsed, Request
from talkworthy.connectors.errors import Malformed
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.connectors.webmention import connector

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SETTINGS = {"sites": "ours.example\nhttps://www.second.example/"}
SOURCE, TARGET = "https://dan.example/note/1", "https://ours.example/post"
SHARED = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[3] / "shared"))


def claim(body: str = f"source={SOURCE}&target={TARGET}", method: str = "POST") -> Request:
    return Request(method=method, path="/", query={}, headers={}, body=body.encode(), received_at=NOON)


def page(inner: str) -> bytes:
    return f"<!doctype html><html><head><title>Dan</title></head><body>{inner}</body></html>".encode()


def entry(inner: str) -> bytes:
    card = '<a class="p-author h-card" href="https://dan.example/"><img class="u-photo" src="/d.png" alt="">Dan</a>'
    time = '<time class="dt-published" datetime="2026-01-15T10:00:00+02:00"></time>'
    return page(f'<div class="h-entry">{card}{time}<a class="u-url" href="/note/1"></a>{inner}</div>')


def read(body: bytes, *, content_type: str = "text/html", **meta: Any) -> Parsed:
    given = {"source": SOURCE, "target": TARGET, "received_at": NOON.isoformat(), "status": 200, **meta}
    payload = Payload(body=body, content_type=content_type, url=SOURCE, fetched_at=NOON, meta=given)
    return connector.parse(payload, SETTINGS)


def answering(*replies: httpx.Response) -> Http:
    left = list(replies)
    return Http(transport=httpx.MockTransport(lambda _: left.pop(0)), sleep=lambda _: None, attempts=1)


def test_a_claim_is_accepted_and_waits_for_verification() -> None:
    answer = connector.receive(claim(), SETTINGS, None)
    assert (answer.status, len(answer.payloads)) == (202, 1)
    assert answer.cursor is not None
    assert answer.cursor["pending"][0][:2] == [SOURCE, TARGET]
    assert connector.parse(answer.payloads[0], SETTINGS).posts.num_rows == 0


def test_a_claim_told_twice_waits_once() -> None:
    first = connector.receive(claim(), SETTINGS, None)
    again = connector.receive(claim(), SETTINGS, first.cursor)
    assert again.cursor is not None
    assert len(again.cursor["pending"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        f"source={SOURCE}",
        f"target={TARGET}",
        f"source={TARGET}&target={TARGET}",
        f"source={TARGET}%23a&target={TARGET}%23b",
        f"source=javascript:alert(1)&target={TARGET}",
        f"source=ftp://dan.example/&target={TARGET}",
        f"source={SOURCE}&target=https://stranger.example/",
        f"source={SOURCE}&target=https://ours.example.evil.example/",
        f"source={SOURCE}&target=https://ours.example@evil.example/",
        f"source={SOURCE}&target=mailto:us@ours.example",
        "source=x&" * 5_000,
        "ü",
    ],
)
def test_a_claim_that_cannot_be_true_is_refused(body: str) -> None:
    answer = connector.receive(claim(body), SETTINGS, None)
    assert (answer.status, answer.payloads) == (400, ())


def test_a_flood_of_claims_is_held_back() -> None:
    cursor = {"pending": [[f"https://x.example/{number}", TARGET, "", 0, 0] for number in range(1_000)]}
    assert connector.receive(claim(), SETTINGS, cursor).status == 429


def test_a_source_is_read_and_then_no_longer_waits() -> None:
    waiting = connector.receive(claim(), SETTINGS, None).cursor
    found = connector.fetch(answering(httpx.Response(200, content=b"x")), SETTINGS, waiting, now=NOON)
    assert (len(found.payloads), found.cursor) == (1, {"pending": [], "likes": {}})


def test_a_source_within_our_network_is_not_read() -> None:
    waiting = {"pending": [["http://169.254.169.254/latest", TARGET, NOON.isoformat(), 0, 0]]}
    found = connector.fetch(answering(), SETTINGS, waiting, now=NOON)
    assert (found.payloads, found.cursor) == ((), {"pending": [], "likes": {}})
    assert "cannot be verified" in found.note


def test_a_source_that_is_down_is_asked_again_later_and_not_for_ever() -> None:
    cursor, now, asked = connector.receive(claim(), SETTINGS, None).cursor, NOON, 0
    for _ in range(200):
        found = connector.fetch(answering(httpx.Response(500)), SETTINGS, cursor, now=now)
        asked += found.cursor != cursor
        cursor, now = found.cursor, now + timedelta(hours=1)
    assert cursor is not None
    assert (asked, cursor["pending"]) == (6, [])


def test_a_reply_is_a_post_by_its_author() -> None:
    content = '<div class="e-content"><p>I <b>agree</b>.<script>x()</script></p></div>'
    (post,) = read(entry(f'<a class="u-in-reply-to" href="{TARGET}">re</a>{content}')).posts.to_pylist()
    assert (post["uid"], post["in_reply_to"], post["engagement_type"]) == (
        f"webmention:dan.example:{SOURCE}",
        TARGET,
        "REPLY",
    )
    assert (post["text"], post["author"]["name"], post["author"]["avatar"]) == (
        "I agree.",
        "Dan",
        "https://dan.example/d.png",
    )
    assert post["published_at"] == datetime(2026, 1, 15, 8, tzinfo=UTC)
    assert "script" not in post["html"]


def test_a_repost_repeats_our_page() -> None:
    (post,) = read(entry(f'<a class="u-repost-of" href="{TARGET}">again</a>')).posts.to_pylist()
    assert (post["engagement_type"], post["repeats"], post["text"]) == ("REPOST", TARGET, "")


def test_a_mention_keeps_its_title_and_words() -> None:
    inner = f'<h1 class="p-name">A review</h1><div class="e-content">They say <a href="{TARGET}">this</a>.</div>'
    (post,) = read(entry(inner)).posts.to_pylist()
    assert (post["kind"], post["title"], post["text"]) == ("article", "A review", "They say this.")
    assert TARGET in post["links"]


def test_likes_are_counted_and_a_like_taken_back_is_too() -> None:
    like = entry(f'<a class="u-like-of" href="{TARGET}">like</a>')
    html = {"content-type": "text/html"}
    cursor: Any = None
    counts = []
    for source, reply in (
        (SOURCE, httpx.Response(200, content=like, headers=html)),
        ("https://eve.example/2", httpx.Response(200, content=like, headers=html)),
        (SOURCE, httpx.Response(200, content=like, headers=html)),
        (SOURCE, httpx.Response(410)),
    ):
        cursor = connector.receive(claim(f"source={source}&target={TARGET}"), SETTINGS, cursor).cursor
        found = connector.fetch(answering(reply), SETTINGS, cursor, now=NOON)
        cursor = found.cursor
        parsed = connector.parse(found.payloads[0], SETTINGS)
        assert parsed.posts.num_rows == 0
        counts += parsed.observations.to_pylist()
    assert [(row["uid"], row["likes"]) for row in counts] == [(TARGET, 1), (TARGET, 2), (TARGET, 2), (TARGET, 1)]


def test_a_page_without_microformats_brings_what_stands_around_the_link() -> None:
    (post,) = read(page(f'<p>Elsewhere.</p><p>Look <a href="{TARGET}">here</a> now.</p>')).posts.to_pylist()
    assert (post["title"], post["text"], post["published_at"]) == ("Dan", "Look here now.", NOON)


@pytest.mark.parametrize(
    "inner",
    [
        "no link",
        TARGET,
        f"<!-- <a href='{TARGET}'>x</a> -->",
        f"<a href='{TARGET}/other'>x</a>",
        f"<a data-x='{TARGET}'>x</a>",
        "<a href='https://ours.example.evil.example/post'>x</a>",
    ],
)
def test_a_source_that_does_not_link_to_us_is_no_post_and_gone_if_it_was_one(inner: str) -> None:
    found = read(page(inner))
    assert found.posts.num_rows == 0
    assert [stone["uid"] for stone in found.tombstones.to_pylist()] in ([f"webmention:dan.example:{SOURCE}"], [])
    assert found.aside


def test_a_false_claim_about_one_page_does_not_remove_a_mention_of_another() -> None:
    found = read(page('<a href="https://ours.example/another">x</a>'))
    assert (found.posts.num_rows, found.tombstones.num_rows) == (0, 0)


def test_a_source_that_is_gone_is_a_deletion() -> None:
    (stone,) = read(b"", status=410).tombstones.to_pylist()
    assert stone["uid"] == f"webmention:dan.example:{SOURCE}"


@pytest.mark.parametrize(
    ("body", "content_type", "posts"),
    [
        (f'{{"a": ["{TARGET}"]}}'.encode(), "application/json", 1),
        (f'{{"a": ["{TARGET}x"]}}'.encode(), "application/json", 0),
        (f"see {TARGET} now".encode(), "text/plain", 1),
        (f"see {TARGET}/x".encode(), "text/plain", 0),
    ],
)
def test_sources_of_other_kinds_are_verified_too(body: bytes, content_type: str, posts: int) -> None:
    assert read(body, content_type=content_type).posts.num_rows == posts


def test_a_hostile_page_is_set_aside() -> None:
    with pytest.raises(Malformed):
        read(page("<div>" * 5_000 + f"<a href='{TARGET}'>x</a>"))


@pytest.mark.parametrize(
    ("reply", "ok"),
    [
        (httpx.Response(200, headers={"link": '</wm>; rel="webmention"'}), True),
        (httpx.Response(200, content=b'<link href="/wm" rel="webmention">'), True),
        (httpx.Response(200, content=b"<a rel='me' href='/x'>"), False),
        (httpx.Response(500), False),
    ],
)
def test_the_connection_test_looks_for_the_receiving_address(reply: httpx.Response, ok: bool) -> None:
    assert connector.check(answering(reply), SETTINGS, now=NOON).ok is ok


@pytest.mark.skipif(not (SHARED / "data/fixtures_microformats").exists(), reason="the recorded pages are not here")
@pytest.mark.parametrize(
    "folder",
    ["microformats-v2/h-entry", "microformats-v2/h-feed", "microformats-mixed/h-entry", "microformats-v1/hentry"],
)
def test_recorded_pages_are_read(folder: str) -> None:
    for file in (SHARED / "data/fixtures_microformats/microformats_tests" / folder).glob("*.html"):
        parsed = read(file.read_bytes() + f'<a href="{TARGET}">us</a>'.encode())
        parsed.posts.validate(full=True)
        assert parsed.posts.num_rows == 1
