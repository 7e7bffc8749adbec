"""Comments of a WordPress site, against its REST interface as documented."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from talkworthy.connectors.contract import Page, Parsed
from talkworthy.connectors.errors import AskForCredentials, GiveUp
from talkworthy.connectors.http import Http
from talkworthy.connectors.wordpress import connector

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SETTINGS: dict[str, Any] = {"url": "https://blog.example/"}


def comment(number: int, words: str = "Words", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "post": 1,
        "parent": 0,
        "author": 0,
        "author_name": "Dan &amp; Co",
        "author_url": "https://dan.example/",
        "date": "2026-01-15T07:00:00",
        "date_gmt": "2026-01-15T12:00:00",
        "content": {"rendered": f"<p>{words}</p>"},
        "link": f"https://blog.example/2026/hello/#comment-{number}",
        "type": "comment",
        "author_avatar_urls": {"24": "https://g.example/24", "96": "https://g.example/96"},
        **more,
    }


class Site:
    """A site with comments; it answers as WordPress does."""

    def __init__(self, *comments: dict[str, Any], root: str = "https://blog.example/wp-json/") -> None:
        self.comments = list(comments)
        self.root = root
        self.asked: list[httpx.Request] = []
        self.http = Http(transport=httpx.MockTransport(self.answer), sleep=lambda _: None)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if "comments" not in str(request.url):
            return httpx.Response(200, headers={"link": f'<{self.root}>; rel="https://api.w.org/"'})
        size, page = int(request.url.params["per_page"]), int(request.url.params.get("page", 1))
        newest = sorted(self.comments, key=lambda each: -each["id"])
        if page > 1 and (page - 1) * size >= len(newest):
            return httpx.Response(400, json={"code": "rest_comment_invalid_page_number"})
        held = newest[(page - 1) * size : page * size]
        return httpx.Response(200, content=json.dumps(held), headers={"x-wp-total": str(len(newest))})

    def visit(self, cursor: Any = None, *, now: datetime = NOON, **settings: Any) -> tuple[list[Parsed], Page]:
        parsed: list[Parsed] = []
        while True:
            page = connector.fetch(self.http, {**SETTINGS, **settings}, cursor, now=now)
            parsed += [connector.parse(payload, SETTINGS) for payload in page.payloads]
            cursor = json.loads(json.dumps(page.cursor))
            if not page.more:
                return parsed, page


def numbers(parsed: list[Parsed]) -> list[str]:
    return [row["native_id"] for each in parsed for row in each.posts.to_pylist()]


def test_a_comment_is_a_post_that_answers_its_article() -> None:
    ((parsed,), _) = Site(comment(7, "See <a href='/x'>this</a><script>bad()</script>")).visit()
    (post,) = parsed.posts.to_pylist()
    assert (post["uid"], post["text"], post["published_at"]) == ("wordpress:blog.example:7", "See this", NOON)
    assert (post["in_reply_to"], post["root"], post["engagement_type"]) == ("https://blog.example/2026/hello/",) * 2 + (
        "COMMENT",
    )
    assert (post["author"]["name"], post["author"]["avatar"], post["author"]["id"]) == (
        "Dan & Co",
        "https://g.example/96",
        None,
    )
    assert post["links"] == ["https://blog.example/x"]
    assert "script" not in post["html"]


def test_an_answer_answers_a_comment() -> None:
    ((parsed,), _) = Site(comment(8, parent=7, author=3)).visit()
    (post,) = parsed.posts.to_pylist()
    assert (post["in_reply_to"], post["engagement_type"], post["author"]["id"]) == (
        "wordpress:blog.example:7",
        "REPLY",
        "3",
    )


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250])
def test_all_comments_are_read_back_to_the_first_and_then_only_new_ones(count: int) -> None:
    site = Site(*(comment(number) for number in range(1, count + 1)))
    parsed, page = site.visit()
    assert sorted(map(int, numbers(parsed))) == list(range(1, count + 1))
    assert site.visit(page.cursor)[0] == []
    site.comments.append(comment(900))
    parsed, _ = site.visit(page.cursor)
    assert "900" in numbers(parsed)
    assert len(parsed) == 1


def test_many_new_comments_are_read_back_to_those_known() -> None:
    site = Site(*(comment(number) for number in range(1, 150)))
    _, page = site.visit()
    site.comments += [comment(number) for number in range(200, 500)]
    parsed, _ = site.visit(page.cursor)
    assert set(range(200, 500)) <= set(map(int, numbers(parsed)))


def test_reading_that_was_broken_off_goes_on_at_its_page() -> None:
    site = Site(*(comment(number) for number in range(1, 251)))
    first = connector.fetch(site.http, SETTINGS, None, now=NOON)
    site.comments.append(comment(251))
    parsed, page = site.visit(first.cursor)
    assert set(range(1, 151)) <= set(map(int, numbers(parsed)))
    parsed, _ = site.visit(page.cursor)
    assert "251" in numbers(parsed)


def test_edits_and_deletions_among_the_newest_are_noticed() -> None:
    site = Site(comment(1), comment(2), comment(3))
    _, page = site.visit()
    site.comments = [comment(1, "Other words"), comment(3)]
    (parsed,), _ = site.visit(page.cursor, now=NOON + timedelta(hours=1))
    edited = {row["native_id"]: row["edited_at"] for row in parsed.posts.to_pylist()}
    assert edited == {"1": NOON + timedelta(hours=1), "3": None}
    assert [stone["uid"] for stone in parsed.tombstones.to_pylist()] == ["wordpress:blog.example:2"]


def test_comments_that_are_pushed_out_of_the_newest_are_not_taken_for_deleted() -> None:
    site = Site(*(comment(number) for number in range(1, 101)))
    _, page = site.visit()
    site.comments += [comment(number) for number in range(101, 131)]
    parsed, _ = site.visit(page.cursor)
    assert sum(each.tombstones.num_rows for each in parsed) == 0


def test_a_site_without_pretty_links_is_asked_by_its_query() -> None:
    site = Site(comment(1), root="https://blog.example/index.php?rest_route=/")
    site.visit()
    assert site.asked[1].url.params["rest_route"] == "/wp/v2/comments"


def test_the_application_password_is_sent_without_its_blanks_and_not_in_the_address() -> None:
    site = Site(comment(1))
    site.visit(username="alice", password="abcd efgh")
    assert site.asked[1].headers["authorization"] == "Basic YWxpY2U6YWJjZGVmZ2g="
    assert "abcd" not in str(site.asked[1].url)


def test_two_sites_of_one_host_count_their_own_ids() -> None:
    page = connector.fetch(Site(comment(1)).http, SETTINGS, None, now=NOON)
    origins = [
        connector.parse(page.payloads[0], {"url": url}).posts.to_pylist()[0]["origin"]
        for url in ("https://blog.example/", "https://blog.example/de/")
    ]
    assert origins == ["blog.example", "blog.example/de"]


def test_what_is_no_comment_is_set_aside() -> None:
    page = connector.fetch(Site(comment(1), {"id": 2, "date_gmt": "never"}).http, SETTINGS, None, now=NOON)
    parsed = connector.parse(page.payloads[0], SETTINGS)
    assert (parsed.posts.num_rows, len(parsed.aside)) == (1, 1)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (httpx.Response(401, json={"code": "rest_cannot_read"}), AskForCredentials),
        (httpx.Response(404, json={"code": "rest_no_route"}), GiveUp),
        (httpx.Response(200, json={"a": 1}), GiveUp),
    ],
)
def test_a_site_that_does_not_show_its_comments_says_what_to_do(reply: httpx.Response, error: type[Exception]) -> None:
    http = Http(
        transport=httpx.MockTransport(lambda request: reply if "comments" in str(request.url) else httpx.Response(200))
    )
    with pytest.raises(error):
        connector.fetch(http, SETTINGS, None, now=NOON)
    assert not connector.check(http, SETTINGS, now=NOON).ok


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(GiveUp, match="no date"):
        Site(comment(1)).visit(since="last year")


def test_another_site_in_the_settings_is_read_from_its_own_beginning() -> None:
    page = connector.fetch(Site(comment(900)).http, SETTINGS, None, now=NOON)
    other = Site(comment(3), root="https://other.example/wp-json/")
    page = connector.fetch(other.http, {"url": "https://other.example/"}, page.cursor, now=NOON)
    assert other.asked[-1].url.host == "other.example"
    assert page.cursor is not None and page.cursor["high"] == 3
    assert [payload.meta["gone"] for payload in page.payloads] == [[]]
