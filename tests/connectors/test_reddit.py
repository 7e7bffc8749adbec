"""Reddit: replies in the shape of the recorded ones, and the recorded ones themselves where they are at hand."""

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from talkworthy.connectors.contract import Parsed
from talkworthy.connectors.errors import AskForCredentials, GiveUp, Malformed, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.connectors.reddit import RECHECK, Reddit

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
T = int(NOON.timestamp())
SHARED = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[2] / ".." / "shared"))
RECORDED = SHARED / "data" / "fixtures_vendor_api" / "reddit_api" / "responses.jsonl.gz"
SIGNED = {"client_id": "app", "client_secret": "hush", "account": "u/acme"}


def link(number: str, at: int = T, **more: Any) -> dict[str, Any]:
    told = {"id": number, "name": f"t3_{number}", "title": "Our router", "selftext": "It *hums*.", "is_self": True}
    told |= {"author": "alice", "author_fullname": "t2_a", "created_utc": float(at), "edited": False, "score": 9}
    told |= {"num_comments": 4, "num_crossposts": 1, "subreddit": "selfhosted", "subreddit_type": "public"}
    return {"kind": "t3", "data": told | {"permalink": f"/r/selfhosted/comments/{number}/our_router/", **more}}


def comment(number: str, at: int = T, **more: Any) -> dict[str, Any]:
    told = {"id": number, "name": f"t1_{number}", "body": "same here, u/Bob_1 & /u/carol", "author": "dan"}
    told |= {"author_fullname": "t2_d", "created_utc": float(at), "edited": T + 60.0, "score": -1, "link_id": "t3_aa"}
    return {
        "kind": "t1",
        "data": told | {"parent_id": "t1_bb", "subreddit": "selfhosted", "score_hidden": False, **more},
    }


def listing(*children: Any, after: str | None = None) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"children": list(children), "after": after, "before": None}}


def parse(*children: Any) -> Parsed:
    return Reddit().parse(Payload(body=json.dumps(listing(*children)).encode(), fetched_at=NOON), {})


def door(answer: Callable[[httpx.Request], Any]) -> tuple[Http, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.path == "/api/v1/access_token":
            return httpx.Response(200, json={"access_token": "tok", "token_type": "bearer", "expires_in": 86_400})
        found = answer(request)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    transport = httpx.MockTransport(reply)
    return Http(transport=transport, resolve=lambda host, port: ["93.184.216.34"], sleep=lambda _: None), asked


def test_a_post_is_read_with_its_markdown_as_plain_text_and_html():
    post = parse(link("aa")).posts.to_pylist()[0]
    assert (post["uid"], post["title"]) == ("reddit:reddit.com:t3_aa", "Our router")
    assert (post["text"], post["html"]) == ("It hums.", "<p>It <em>hums</em>.</p>\n")
    assert post["url"] == "https://www.reddit.com/r/selfhosted/comments/aa/our_router/"
    assert (post["kind"], post["community"], post["engagement_type"]) == ("article", "selfhosted", None)
    assert post["engagement"] == {"replies": 4, "shares": 1, "likes": 9, "views": None, "taken_at": NOON}


def test_a_comment_tells_what_it_answers_its_edit_and_whom_it_names():
    post = parse(comment("cc"), link("aa")).posts.to_pylist()[0]
    assert (post["in_reply_to"], post["root"]) == ("reddit:reddit.com:t1_bb", "reddit:reddit.com:t3_aa")
    assert (post["engagement_type"], post["edited_at"]) == ("REPLY", datetime.fromtimestamp(T + 60, UTC))
    assert post["mentions"] == ["Bob_1", "carol"]
    assert post["engagement"]["likes"] == -1
    assert post["url"] == "https://www.reddit.com/r/selfhosted/comments/aa/_/cc"


def test_a_hidden_score_is_not_counted():
    assert parse(comment("cc", score_hidden=True)).observations.num_rows == 0


@pytest.mark.parametrize(
    "gone",
    [
        comment("cc", body="[deleted]", author="[deleted]"),
        comment("cc", body="[removed]"),
        link("cc", selftext="[removed]"),
        link("cc", selftext="", author="[deleted]", is_self=False),
        link("cc", removed_by_category="moderator"),
    ],
)
def test_what_was_deleted_or_removed_becomes_a_tombstone(gone: dict[str, Any]):
    parsed = parse(gone, link("dd"))
    assert parsed.posts["native_id"].to_pylist() == ["t3_dd"]
    assert parsed.tombstones["uid"].to_pylist() == [f"reddit:reddit.com:{gone['data']['name']}"]
    assert parsed.tombstones["published_at"].to_pylist() == [NOON]


def test_words_whose_account_is_gone_stay_without_an_author():
    post = parse(comment("cc", author="[deleted]", author_fullname=None)).posts.to_pylist()[0]
    assert (post["author"], post["text"]) == (None, "same here, u/Bob_1 & /u/carol")


def test_a_crosspost_repeats_its_original():
    post = parse(link("aa", crosspost_parent="t3_zz", is_self=False, selftext="", url="/r/other/zz")).posts.to_pylist()[
        0
    ]
    assert (post["engagement_type"], post["repeats"]) == ("REPOST", "reddit:reddit.com:t3_zz")


def test_a_picture_is_a_medium_and_a_warning_is_a_summary():
    told = link("aa", is_self=False, selftext="", url="https://i.redd.it/x.jpg?s=1", over_18=True, spoiler=True)
    post = parse(told).posts.to_pylist()[0]
    assert (post["kind"], post["summary"]) == ("image", "NSFW, Spoiler")
    assert post["media"] == [{"type": "image", "url": "https://i.redd.it/x.jpg?s=1", "alt": None}]
    assert post["links"] == ["https://i.redd.it/x.jpg?s=1"]


def test_html_that_somebody_writes_stays_text():
    post = parse(comment("cc", body="<script>alert(1)</script> [x](javascript:alert)")).posts.to_pylist()[0]
    assert "<script" not in post["html"] and "href" not in post["html"]
    assert post["text"].startswith("<script>alert(1)</script>")


def test_messages_and_ends_of_lists_are_passed_over_and_broken_things_set_aside():
    more, message = {"kind": "more", "data": {"children": ["x"]}}, {"kind": "t4", "data": {"body": "psst"}}
    parsed = parse(more, message, 7, link("aa", name="t3_../x"), link("dd"))
    assert parsed.posts["native_id"].to_pylist() == ["t3_dd"]
    assert [piece.reason for piece in parsed.aside] == ["expected an object, found int", "without a usable name"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error": 403}', b'{"kind": "Listing"}', b"\x00", b"<html>"])
def test_what_is_no_listing_is_malformed(body: bytes):
    with pytest.raises(Malformed):
        Reddit().parse(Payload(body=body, fetched_at=NOON), {})


def test_a_fetch_signs_in_and_reads_posts_and_comments():
    http, asked = door(lambda request: listing(link("aa") if "new" in request.url.path else comment("cc")))
    page = Reddit().fetch(http, SIGNED | {"subreddits": "r/selfhosted\nsysadmin"}, None, now=NOON)
    assert [request.url.path for request in asked] == [
        "/api/v1/access_token",
        "/r/selfhosted+sysadmin/new",
        "/r/selfhosted+sysadmin/comments",
    ]
    assert parse_qs(asked[0].content.decode()) == {"grant_type": ["client_credentials"]}
    assert asked[0].headers["authorization"].startswith("Basic ")
    assert asked[1].headers["authorization"] == "Bearer tok"
    assert "by /u/acme" in asked[1].headers["user-agent"]
    assert (asked[1].url.params["raw_json"], asked[1].url.params["limit"]) == ("1", "100")
    assert page.cursor is not None and page.cursor["watched"] == ["t3_aa", "t1_cc"]
    assert "tok" not in json.dumps(page.cursor) and "hush" not in json.dumps(page.cursor)


def test_a_walk_goes_down_to_what_was_known():
    pages = {None: listing(link("a3", T), after="t3_a3"), "t3_a3": listing(link("a2", T - 50), after="t3_a2")}
    pages["t3_a2"] = listing(link("a1", T - 900), after="t3_a1")
    http, asked = door(lambda request: pages[request.url.params.get("after")])
    cursor = {"listings": {"/r/x1/new": {"since": T - 600}}, "looked": T}
    page = Reddit().fetch(http, SIGNED | {"subreddits": ["x1"], "what": "posts"}, cursor, now=NOON)
    assert len(asked) == 4
    assert page.cursor is not None and page.cursor["listings"] == {"/r/x1/new": {"since": T}}
    assert (page.more, page.note) == (False, "")


def test_a_long_walk_stops_and_goes_on_where_it_was():
    def answer(request: httpx.Request) -> Any:
        number = int((request.url.params.get("after") or "t3_0")[3:]) + 1
        return listing(link(str(number), T - number), after=f"t3_{number}")

    http, asked = door(answer)
    settings = SIGNED | {"subreddits": ["x1"], "what": "posts"}
    first = Reddit().fetch(http, settings, {"listings": {"/r/x1/new": {"since": T - 600}}}, now=NOON)
    assert first.more
    Reddit().fetch(http, settings, first.cursor, now=NOON)
    assert asked[6].url.params["after"] == "t3_4"


def test_more_than_a_thousand_new_posts_are_told_as_a_loss():
    many = [link(f"z{number}", T) for number in range(100)]
    cursor = {"listings": {"/r/x1/new": {"since": T - 600, "top": T, "after": "t3_zz", "read": 900}}}
    http, _ = door(lambda request: listing(*many, after="t3_yy"))
    page = Reddit().fetch(http, SIGNED | {"subreddits": ["x1"], "what": "posts"}, cursor, now=NOON)
    assert "missed" in page.note
    assert page.cursor is not None and page.cursor["listings"] == {"/r/x1/new": {"since": T}}


def test_a_post_from_the_future_does_not_stop_the_listening():
    http, _ = door(lambda request: listing(link("aa", T + 10**9)))
    page = Reddit().fetch(http, SIGNED | {"subreddits": ["x1"], "what": "posts"}, None, now=NOON)
    assert page.cursor is not None and page.cursor["listings"] == {"/r/x1/new": {"since": T}}


def test_a_short_listing_that_ends_is_no_loss():
    http, _ = door(lambda request: listing(link("aa")))
    cursor = {"listings": {"/r/x1/new": {"since": T - 600}}}
    assert Reddit().fetch(http, SIGNED | {"subreddits": ["x1"], "what": "posts"}, cursor, now=NOON).note == ""


def test_a_listing_without_news_is_not_kept_again():
    http, _ = door(lambda request: listing(link("aa")))
    page = Reddit().fetch(http, SIGNED | {"subreddits": ["x1"], "what": "posts"}, {"watched": ["t3_aa"]}, now=NOON)
    assert page.payloads == ()


def test_the_watched_are_read_again_in_turn():
    http, asked = door(
        lambda request: listing(comment("c1", body="[removed]")) if "info" in request.url.path else listing()
    )
    watched = [f"t1_c{number}" for number in range(150)]
    page = Reddit().fetch(http, SIGNED | {"mentions": True}, {"watched": watched, "looked": T - RECHECK}, now=NOON)
    assert asked[-1].url.path == "/api/info"
    assert asked[-1].url.params["id"].split(",") == watched[:100]
    assert page.cursor is not None and page.cursor["turn"] == 100
    assert Reddit().parse(page.payloads[-1], {}).tombstones.num_rows == 1


def test_a_search_asks_for_the_newest_in_its_subreddits_only():
    http, asked = door(lambda request: listing())
    Reddit().fetch(http, SIGNED | {"subreddits": "x1", "query": '"acme router"'}, None, now=NOON)
    assert [request.url.path for request in asked[1:]] == ["/r/x1/search"]
    params = asked[1].url.params
    assert (params["q"], params["restrict_sr"], params["sort"]) == ('"acme router"', "1", "new")


def test_mentions_use_the_refresh_token():
    http, asked = door(
        lambda request: listing(comment("cc", link_id=None, context="/r/x1/comments/aa/t/cc/?context=3"))
    )
    page = Reddit().fetch(http, SIGNED | {"mentions": True, "refresh_token": "again"}, None, now=NOON)
    assert parse_qs(asked[0].content.decode())["refresh_token"] == ["again"]
    assert asked[1].url.path == "/message/mentions"
    post = Reddit().parse(page.payloads[0], {}).posts.to_pylist()[0]
    assert (post["root"], post["url"]) == ("reddit:reddit.com:t3_aa", "https://www.reddit.com/r/x1/comments/aa/t/cc/")


def test_spent_requests_are_a_pause():
    headers = {"x-ratelimit-remaining": "1.0", "x-ratelimit-reset": "240"}
    http, asked = door(lambda request: httpx.Response(200, json=listing(link("aa")), headers=headers))
    page = Reddit().fetch(http, SIGNED | {"subreddits": ["x1"]}, None, now=NOON)
    assert (page.wait, page.more, len(asked), len(page.payloads)) == (240, False, 2, 1)


@pytest.mark.parametrize(
    ("status", "error"), [(429, TryLater), (403, AskForCredentials), (404, GiveUp), (500, TryLater)]
)
def test_refusals_say_what_to_do(status: int, error: type[Exception]):
    http, _ = door(lambda request: httpx.Response(status, json={"message": "x"}))
    with pytest.raises(error):
        Reddit().fetch(http, SIGNED | {"subreddits": ["x1"]}, None, now=NOON)


def test_a_wrong_secret_asks_for_credentials_without_telling_it():
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"message": "Unauthorized", "error": 401})

    http = Http(
        transport=httpx.MockTransport(answer), resolve=lambda host, port: ["93.184.216.34"], sleep=lambda _: None
    )
    with pytest.raises(AskForCredentials) as caught:
        Reddit().fetch(http, SIGNED | {"subreddits": ["x1"]}, None, now=NOON)
    assert "hush" not in str(caught.value)


def test_a_name_that_is_no_subreddit_is_refused():
    http, asked = door(lambda request: listing())
    with pytest.raises(GiveUp, match="not a name"):
        Reddit().fetch(http, SIGNED | {"subreddits": ["../api/me"]}, None, now=NOON)
    assert asked == []


def test_the_check_names_a_place_where_nothing_stands():
    http, _ = door(lambda request: listing() if "comments" in request.url.path else listing(link("aa")))
    checked = Reddit().check(http, SIGNED | {"subreddits": ["x1"]}, now=NOON)
    assert checked.ok and "/r/x1/comments" in checked.message and "/new" not in checked.message
    assert not Reddit().check(http, SIGNED, now=NOON).ok


@pytest.mark.skipif(not RECORDED.is_file(), reason="the shared fixtures are not here")
def test_every_recorded_listing_is_read_without_a_piece_set_aside():
    posts = 0
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        for line in lines:
            body = json.loads(line)["body"]
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            try:
                parsed = Reddit().parse(Payload(body=raw, fetched_at=NOON), {})
            except Malformed:
                continue
            assert parsed.aside == ()
            posts += parsed.posts.num_rows
            assert None not in parsed.posts["url"].to_pylist()
    assert posts > 500
