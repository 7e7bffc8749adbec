"""Mastodon: recorded replies, servers that answer otherwise, paging, streams."""

import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkworthy.connectors.contract import Page, Parsed
from talkworthy.connectors.errors import AskForCredentials, GiveUp, Malformed, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.mastodon import Mastodon
from talkworthy.connectors.payload import Payload

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "mastodon" / "replies.json").read_text())
SHARED = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[2] / ".." / "shared")) / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared fixtures are not here")
SERVER = {"server": "https://social.test", "hashtags": "acme"}


def parse(body: Any, **settings: Any) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Mastodon().parse(Payload(body=raw, fetched_at=NOON), SERVER | settings)


def events(*told: Any) -> Parsed:
    body = b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in told)
    return Mastodon().parse(Payload(body=body, content_type="application/x-ndjson", fetched_at=NOON), SERVER)


def status(id: Any = "100", **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "created_at": "2026-08-01T11:00:00.000Z",
        "url": f"https://far.test/@dan/{id}",
        "content": "<p>hello</p>",
        "visibility": "public",
        "account": {"acct": "dan@far.test", "url": "https://far.test/@dan", "display_name": "Dan"},
        **more,
    }


def row(parsed: Parsed, id: str) -> dict[str, Any]:
    (found,) = [each for each in parsed.posts.to_pylist() if each["native_id"] == id]
    return found


def only(parsed: Parsed) -> dict[str, Any]:
    (found,) = parsed.posts.to_pylist()
    return found


# what a reply says


def test_the_uid_is_the_id_on_the_server_that_was_asked():
    post = only(parse([status()]))
    assert post["uid"] == "mastodon:social.test:100"
    assert (post["origin"], post["site"], post["author"]["handle"]) == ("social.test", "far.test", "dan@far.test")
    assert post["kind"] == "note"


def test_a_recorded_hashtag_page_is_read():
    post = only(parse(RECORDED["hashtag"]))
    assert post["hashtags"] == ["hoot"]
    assert post["text"].startswith("#hoot")
    assert post["engagement"]["taken_at"] == NOON
    assert post["author"]["handle"] == "admin@social.test" or "@social.test" in post["author"]["handle"]


def test_a_boost_repeats_the_post_that_comes_along():
    parsed = parse([RECORDED["boost"]])
    boost, original = row(parsed, "117020574424543529"), row(parsed, "117020574416668515")
    assert (boost["engagement_type"], boost["repeats"]) == ("REPOST", original["uid"])
    assert (boost["text"], original["text"], original["engagement"]["shares"]) == ("Toot!", "Toot!", 1)
    assert boost["engagement"] is None
    assert parse([RECORDED["boost"]], boosts=False).posts.num_rows == 0


def test_a_quote_names_the_quoted_post_and_leaves_out_the_line_for_old_clients():
    parsed = parse([RECORDED["quote"]])
    quote = row(parsed, "117020582925004921")
    assert (quote["engagement_type"], quote["repeats"]) == ("QUOTE", "mastodon:social.test:117020582917124092")
    assert quote["text"] == "yoooooooo"
    assert parsed.posts.num_rows == 2


@pytest.mark.parametrize(
    "told", [{"quote_id": "7"}, {"quote": {"id": "7"}}, {"quote": {"state": "accepted", "quoted_status_id": "7"}}]
)
def test_servers_say_in_several_ways_what_is_quoted(told: dict[str, Any]):
    assert only(parse([status(**told)]))["repeats"] == "mastodon:social.test:7"


def test_a_quote_that_was_withdrawn_quotes_nothing():
    assert only(parse([status(quote={"state": "revoked", "quoted_status": None})]))["engagement_type"] is None


def test_a_mention_is_the_post_in_the_notification():
    post = only(parse(RECORDED["mention"]))
    assert post["mentions"] == ["mastodonpy_test@social.test"]
    assert post["links"] == []
    assert post["native_id"] == "117020577157693549"


def test_likes_and_follows_in_the_notifications_are_no_posts():
    notes = [{"id": "1", "type": "favourite", "status": status()}, {"id": "2", "type": "follow", "account": {}}]
    assert parse(notes).posts.num_rows == 0


def test_a_poll_is_a_question_with_its_choices_in_the_text():
    post = only(parse([RECORDED["poll"]]))
    assert (post["kind"], post["text"]) == ("question", "nice\n- four twenty\n- sixty-nine")


def test_media_edits_and_replies_are_told():
    media = only(parse([RECORDED["media"]]))["media"]
    assert media[0]["type"] == "image"
    assert only(parse([RECORDED["edit"]]))["edited_at"] == datetime(2026, 8, 1, 13, 54, 0, 695000, tzinfo=UTC)
    reply = only(parse([RECORDED["reply"]]))
    assert (reply["in_reply_to"], reply["engagement_type"]) == ("mastodon:social.test:117020574386452629", "REPLY")


def test_a_content_warning_is_the_summary_and_emoji_keep_their_codes():
    post = only(parse([status(spoiler_text="food &amp; drink", sensitive=True, content="<p>:cake: yes<br>no</p>")]))
    assert (post["summary"], post["tags"], post["text"]) == ("food & drink", ["sensitive"], ":cake: yes\nno")


@pytest.mark.parametrize(
    ("told", "kept"),
    [("public", "public"), ("unlisted", "unlisted"), ("private", "members"), ("direct", "private"), ("new", "private")],
)
def test_a_visibility_that_is_not_known_is_taken_as_private(told: str, kept: str):
    assert only(parse([status(visibility=told)]))["visibility"] == kept


def test_links_are_those_of_the_author_not_of_hashtags_and_mentions():
    html = (
        '<p><a href="https://far.test/tags/x" class="mention hashtag">#<span>x</span></a> '
        '<span class="h-card"><a href="https://far.test/@bob" class="u-url mention">@bob</a></span> '
        '<a href="https://example.com/a?b=1&amp;c=2"><span class="invisible">https://</span>example.com/a…</a></p>'
    )
    assert only(parse([status(content=html)]))["links"] == ["https://example.com/a?b=1&c=2"]


def test_html_from_the_server_runs_nothing():
    post = only(parse([status(content="<p onclick='x()'>hi<script>alert(1)</script></p>")]))
    assert post["html"] == "<p>hi</p>"
    assert post["text"] == "hi"


def test_broken_posts_are_set_aside_and_the_rest_goes_on():
    bad = [
        None,
        3,
        {},
        status(created_at="soon"),
        status(created_at="2126-01-01T00:00:00Z"),
        status(account=None),
        {"id": "5", "created_at": "2026-08-01"},
    ]
    bad.append(status(media_attachments=[{"type": {}}], created_at=None))
    good = status(
        id=7,
        content=None,
        media_attachments=[{"type": []}, {"type": "image"}, 5],
        account={"acct": "dan", "followers_count": -1},
        favourites_count=2**80,
        tags="x",
    )
    parsed = parse([*bad, good])
    assert (only(parsed)["native_id"], len(parsed.aside)) == ("7", len(bad))
    assert only(parsed)["author"]["handle"] == "dan@social.test"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"error": "This method requires an authenticated user"}', b"3"]
)
def test_a_reply_without_posts_is_malformed(body: bytes):
    with pytest.raises(Malformed):
        parse(body)


@shared
def test_every_recorded_post_is_read():
    posts, aside = 0, 0
    with gzip.open(SHARED / "fixtures_vendor_api" / "mastodon_api" / "responses.jsonl.gz") as replies:
        for line in replies:
            reply = json.loads(line)
            path = reply["uri"].partition("?")[0].split("/api/", 1)[-1]
            single = path.startswith("v1/statuses/") and path.rpartition("/")[2].isdigit() and reply["method"] == "GET"
            if (single or path.startswith("v1/timelines/")) and reply["status"] == 200:
                parsed = parse(reply["body"])
                posts, aside = posts + parsed.posts.num_rows, aside + len(parsed.aside)
    assert (posts, aside) == (134, 0)


# events of a stream


@shared
def test_recorded_events_of_a_stream_are_read():
    folder = SHARED / "fixtures_activitypub" / "mastodon_streaming"
    parsed = events(*(path.read_bytes().strip() for path in sorted(folder.glob("msg.event_txt_*"))))
    assert (parsed.posts.num_rows, parsed.tombstones.num_rows, parsed.aside) == (5, 1, ())
    assert parsed.tombstones["uid"].to_pylist() == ["mastodon:social.test:104061222412800865"]


def test_an_edit_in_the_stream_is_the_same_post_again():
    edited = status(content="<p>new</p>", edited_at="2026-08-01T11:30:00Z")
    first = {"event": "update", "payload": json.dumps(status())}
    parsed = events(first, {"event": "status.update", "payload": json.dumps(edited)})
    assert (only(parsed)["text"], only(parsed)["edited_at"]) == ("new", datetime(2026, 8, 1, 11, 30, tzinfo=UTC))


def test_a_deletion_in_the_stream_leaves_a_tombstone_and_no_post():
    parsed = events({"event": "update", "payload": json.dumps(status())}, {"event": "delete", "payload": "100"})
    assert (parsed.posts.num_rows, parsed.tombstones["uid"].to_pylist()) == (0, ["mastodon:social.test:100"])


@pytest.mark.parametrize("id", ["01J0000000000000000000000A", "1E10", "007", "NaN"])
def test_a_deletion_names_ids_that_look_like_numbers_as_they_are(id: str):
    assert events({"event": "delete", "payload": id}).tombstones["uid"].to_pylist() == [f"mastodon:social.test:{id}"]


def test_events_of_other_kinds_are_passed_over_and_broken_ones_set_aside():
    parsed = events(
        {"event": "filters_changed"}, b"{", {"event": 3}, {"event": "update", "payload": "{"}, {"event": "delete"}
    )
    assert (parsed.posts.num_rows, len(parsed.aside)) == (0, 4)


# paging


class Server:
    """A server that keeps statuses by id and answers as Mastodon does."""

    def __init__(self, *ids: int, links: bool = True) -> None:
        self.statuses = {each: status(str(each)) for each in ids}
        self.links = links
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path.startswith("/api/v1/statuses/"):
            found = self.statuses.get(int(request.url.path.rpartition("/")[2]))
            return httpx.Response(200, json=found) if found else httpx.Response(404, json={})
        if "/timelines/" not in request.url.path:
            return httpx.Response(404)
        query = request.url.params
        ids = sorted(self.statuses, reverse=True)
        if "min_id" in query:
            newer = sorted(each for each in ids if each > int(query["min_id"]))
            ids = newer[: int(query["limit"])][::-1]
        ids = [each for each in ids if "max_id" not in query or each < int(query["max_id"])][: int(query["limit"])]
        headers = {}
        if ids and self.links:
            here = "https://social.test/api/v1/timelines/tag/acme"
            headers["link"] = f'<{here}?max_id={ids[-1]}>; rel="next", <{here}?min_id={ids[0]}>; rel="prev"'
        return httpx.Response(200, json=[self.statuses[each] for each in ids], headers=headers)

    @property
    def door(self) -> Http:
        return Http(transport=httpx.MockTransport(self), sleep=lambda seconds: None)


def read(server: Server, cursor: Any = None, now: datetime = NOON, **settings: Any) -> tuple[list[int], Page]:
    """All ids until there is nothing more, and the last page."""
    ids: list[int] = []
    for _ in range(50):
        page = Mastodon().fetch(server.door, SERVER | settings, cursor, now=now)
        cursor = json.loads(json.dumps(page.cursor))
        for payload in page.payloads:
            ids += map(int, Mastodon().parse(payload, SERVER).posts["native_id"].to_pylist())
        if not page.more:
            return ids, page
    raise AssertionError("it never ends")


@pytest.mark.parametrize("links", [True, False])
def test_a_new_source_reads_back_as_far_as_was_asked_and_then_only_what_is_new(links: bool):
    server = Server(*range(1000, 1500), links=links)
    ids, page = read(server, history=100)
    assert sorted(ids) == list(range(1500 - len(ids), 1500))
    assert 100 <= len(ids) <= 120
    server.statuses |= {each: status(str(each)) for each in range(1500, 1590)}
    ids, page = read(server, page.cursor, history=100)
    assert sorted(ids) == list(range(1500, 1590))
    assert read(server, page.cursor, history=100)[0] == []


def test_reading_on_from_any_page_loses_and_doubles_nothing():
    server = Server(*range(1000, 1100))
    _, page = read(server, history=0)
    server.statuses |= {each: status(str(each)) for each in range(1100, 1200)}
    cursor, seen = page.cursor, []
    for _ in range(4):
        first = Mastodon().fetch(server.door, SERVER, cursor, now=NOON)
        again = Mastodon().fetch(server.door, SERVER, cursor, now=NOON)
        assert [each.body for each in first.payloads] == [each.body for each in again.payloads]
        for each in first.payloads:
            seen += Mastodon().parse(each, SERVER).posts["native_id"].to_pylist()
        cursor = first.cursor
    assert sorted(map(int, seen)) == list(range(1100, 1200))


def test_a_look_back_finds_edits_late_posts_and_deletions():
    server = Server(*range(1000, 1050))
    _, page = read(server, history=0)
    del server.statuses[1030]
    server.statuses[1040] = status("1040", content="<p>edited</p>", edited_at="2026-08-01T11:59:00Z")
    later = datetime(2026, 8, 1, 12, 10, tzinfo=UTC)
    page = Mastodon().fetch(server.door, SERVER, page.cursor, now=later)
    parsed = [Mastodon().parse(payload, SERVER) for payload in page.payloads]
    gone = [uid for each in parsed for uid in each.tombstones["uid"].to_pylist()]
    edited = [post["text"] for each in parsed for post in each.posts.to_pylist() if post["edited_at"]]
    assert (gone, edited) == (["mastodon:social.test:1030"], ["edited"])
    once_more = Mastodon().fetch(server.door, SERVER, page.cursor, now=datetime(2026, 8, 1, 12, 30, tzinfo=UTC))
    assert all(Mastodon().parse(payload, SERVER).tombstones.num_rows == 0 for payload in once_more.payloads)


def test_a_post_that_left_the_page_but_still_stands_is_not_gone():
    server = Server(*range(1000, 1050))
    _, page = read(server, history=0)
    hidden = server.statuses.pop(1030)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=hidden) if request.url.path.endswith("/1030") else server(request)

    http = Http(transport=httpx.MockTransport(answer))
    page = Mastodon().fetch(http, SERVER, page.cursor, now=datetime(2026, 8, 1, 12, 10, tzinfo=UTC))
    assert all(Mastodon().parse(payload, SERVER).tombstones.num_rows == 0 for payload in page.payloads)


def test_a_refusal_to_show_a_post_does_not_bury_it():
    server = Server(*range(1000, 1050))
    _, page = read(server, history=0)
    del server.statuses[1030]

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={}) if request.url.path.endswith("/1030") else server(request)

    http = Http(transport=httpx.MockTransport(answer))
    page = Mastodon().fetch(http, SERVER, page.cursor, now=datetime(2026, 8, 1, 12, 10, tzinfo=UTC))
    assert all(Mastodon().parse(payload, SERVER).tombstones.num_rows == 0 for payload in page.payloads)


def test_a_link_that_leads_astray_is_not_believed():
    astray = {"link": f'<https://social.test/?min_id={"9" * 40}>; rel="prev"'}
    page = Mastodon().fetch(answering(httpx.Response(200, json=[status("5")], headers=astray)), SERVER, None, now=NOON)
    assert page.cursor is not None
    assert page.cursor["places"]["acme"]["newest"] == "5"


def test_an_account_that_is_gone_does_not_keep_the_others_waiting():
    settings = {"server": "social.test", "what": "account", "accounts": "gone\ndan@far.test"}
    http = answering(httpx.Response(404, json={}), httpx.Response(200, json=[]))
    page = Mastodon().fetch(http, settings, None, now=NOON)
    assert (page.more, page.cursor and page.cursor["turn"]) == (True, 1)
    assert "gone" in page.note
    with pytest.raises(GiveUp):
        answers = answering(httpx.Response(404, json={}), httpx.Response(200, json=[]))
        Mastodon().fetch(answers, settings | {"accounts": "gone"}, None, now=NOON)


def test_ids_that_are_words_are_ordered_too():
    ulids = ["01J0000000000000000000000A", "01J0000000000000000000000B", "01J0000000000000000000000C"]
    pages = iter([[status(ulids[1]), status(ulids[0])], [status(ulids[2])]])
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=next(pages))

    http = Http(transport=httpx.MockTransport(answer))
    first = Mastodon().fetch(http, SERVER | {"history": 0}, None, now=NOON)
    Mastodon().fetch(http, SERVER | {"history": 0}, first.cursor, now=NOON)
    assert asked[1].url.params["min_id"] == ulids[1]


def test_hashtags_take_turns_and_each_keeps_its_place():
    server = Server(5, 6)
    settings = SERVER | {"hashtags": "#acme\nrival", "history": 0}
    first = Mastodon().fetch(server.door, settings, None, now=NOON)
    second = Mastodon().fetch(server.door, settings, first.cursor, now=NOON)
    assert [request.url.path.rpartition("/")[2] for request in server.asked] == ["acme", "rival"]
    assert (first.more, second.more) == (True, False)


def test_a_cursor_of_another_server_is_not_used():
    server = Server(5, 6)
    _, page = read(server, history=0)
    Mastodon().fetch(server.door, SERVER | {"server": "other.test", "history": 0}, page.cursor, now=NOON)
    assert "min_id" not in server.asked[-1].url.params


def test_the_token_is_shown_to_the_server_and_to_nobody_else():
    server = Server(5, 6)
    page = Mastodon().fetch(server.door, SERVER | {"token": "very-secret"}, None, now=NOON)
    assert server.asked[0].headers["authorization"] == "Bearer very-secret"
    told = json.dumps(page.cursor) + "".join(str(request.url) for request in server.asked) + repr(page.payloads)
    assert "very-secret" not in told


def answering(*answers: httpx.Response) -> Http:
    waiting = iter(answers)
    return Http(transport=httpx.MockTransport(lambda request: next(waiting)), sleep=lambda seconds: None)


@pytest.mark.parametrize(
    ("code", "error"), [(422, AskForCredentials), (401, AskForCredentials), (410, GiveUp), (500, TryLater)]
)
def test_a_refusal_says_what_to_do(code: int, error: type[Exception]):
    with pytest.raises(error):
        Mastodon().fetch(answering(httpx.Response(code, json={"error": "no"})), SERVER, None, now=NOON)


def test_a_spent_limit_is_waited_for():
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2126-08-01T12:05:00.000Z"}
    http = answering(httpx.Response(200, json=[status("5")], headers=headers), httpx.Response(200, json=[]))
    page = Mastodon().fetch(http, SERVER, None, now=NOON)
    with pytest.raises(TryLater):
        Mastodon().fetch(http, SERVER, page.cursor, now=NOON)


def test_an_account_is_looked_up_once_and_searched_where_there_is_no_lookup():
    found = {"id": "77", "acct": "dan@far.test"}
    answers = [httpx.Response(404, json={}), httpx.Response(200, json=[{"id": "1", "acct": "dan"}, found])]
    http = answering(*answers, httpx.Response(200, json=[status("5")]), httpx.Response(200, json=[]))
    settings = {"server": "social.test", "what": "account", "accounts": "@dan@far.test", "history": 0}
    page = Mastodon().fetch(http, settings, None, now=NOON)
    Mastodon().fetch(http, settings, page.cursor, now=NOON)
    assert page.cursor is not None
    assert page.cursor["places"]["dan@far.test"]["id"] == "77"


def test_settings_that_cannot_work_say_so():
    for settings in ({}, {"server": "social.test"}, SERVER | {"what": "all"}, SERVER | {"history": -1}):
        with pytest.raises(GiveUp):
            Mastodon().fetch(answering(), settings, None, now=NOON)


# what a server is


def test_the_check_says_what_the_server_runs():
    http = answering(httpx.Response(200, json=RECORDED["instance_v2"]), httpx.Response(200, json=RECORDED["hashtag"]))
    checked = Mastodon().check(http, SERVER, now=NOON)
    assert checked.ok
    assert (
        checked.message
        == "https://social.test runs Mastodon 4.7.0-alpha.2+pr-39999-68e5caf; its first page holds 1 posts."
    )
    assert checked.details["stream"] == "wss://streaming.mastodon.social"


def test_a_compatible_server_is_recognised_by_its_version():
    told = {"version": "2.7.2 (compatible; Akkoma 3.13.2-0-g1234)", "urls": {"streaming_api": "wss://social.test"}}
    http = answering(httpx.Response(404), httpx.Response(200, json=told), httpx.Response(200, json=[]))
    details = Mastodon().check(http, SERVER, now=NOON).details
    assert (details["software"], details["version"]) == ("Akkoma", "3.13.2-0-g1234")


def test_a_server_of_another_kind_is_named():
    links = {"links": [{"rel": "x", "href": "https://social.test/nodeinfo/2.0"}]}
    about = {"software": {"name": "lemmy", "version": "0.19"}}
    http = answering(*[httpx.Response(404)] * 2, httpx.Response(200, json=links), httpx.Response(200, json=about))
    checked = Mastodon().check(http, SERVER, now=NOON)
    assert not checked.ok
    assert "runs lemmy 0.19, which does not offer the interface of Mastodon" in checked.message


# staying on a stream


class Wire:
    """A WebSocket that says what it was given, then falls silent."""

    def __init__(self, *messages: Any) -> None:
        self.messages = [json.dumps(each) for each in messages]
        self.sent: list[str] = []

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def recv(self, timeout: float | None = None) -> str | None:
        return self.messages.pop(0) if self.messages else None

    def send(self, message: str) -> None:
        self.sent.append(message)


class WiredHttp(Http):
    """The door with a prepared stream behind it."""

    def __init__(self, server: Server, wire: Wire | None, events: tuple[bytes | None, ...] = ()) -> None:
        super().__init__(transport=httpx.MockTransport(server))
        self.wire, self.events, self.opened = wire, events, []

    def websocket(self, url: str, **options: Any) -> Any:
        self.opened.append((url, options))
        if self.wire is None:
            raise TryLater("no WebSocket")
        return self.wire

    def stream_lines(self, url: str, **options: Any) -> Iterator[bytes | None]:
        self.opened.append((url, options))
        yield from self.events


def test_a_stream_catches_up_first_and_moves_the_cursor_with_what_comes():
    server = Server(5, 6)
    wire = Wire({"stream": ["hashtag", "acme"], "event": "update", "payload": json.dumps(status("9"))})
    http = WiredHttp(server, wire)
    pages = Mastodon().stream(http, SERVER | {"history": 0, "token": "very-secret"}, None)
    caught_up, live, quiet = next(pages), next(pages), next(pages)
    assert caught_up.payloads[0].body.startswith(b"[")
    assert live.cursor is not None and live.cursor["places"]["acme"]["newest"] == "9"
    assert only(Mastodon().parse(live.payloads[0], SERVER))["uid"] == "mastodon:social.test:9"
    assert (quiet.payloads, quiet.cursor) == ((), live.cursor)
    url, options = http.opened[0]
    assert url == "wss://social.test/api/v1/streaming?stream=hashtag&tag=acme"
    assert (options["auth"], options["subprotocols"]) == ("very-secret", ("very-secret",))


def test_notifications_on_the_home_stream_do_not_move_its_cursor():
    told = {
        "stream": ["user"],
        "event": "notification",
        "payload": {"id": "999", "type": "mention", "status": status("8")},
    }
    pages = Mastodon().stream(WiredHttp(Server(5, 6), Wire(told)), SERVER | {"what": "home", "history": 0}, None)
    _, live = next(pages), next(pages)
    assert live.cursor is not None
    assert live.cursor["places"][""]["newest"] == "6"
    assert only(Mastodon().parse(live.payloads[0], SERVER))["native_id"] == "8"


def test_several_hashtags_share_one_stream():
    wire = Wire({"stream": ["hashtag", "rival"], "event": "update", "payload": status("9")})
    settings = SERVER | {"hashtags": ["acme", "Rival"], "history": 0}
    pages = Mastodon().stream(WiredHttp(Server(5, 6), wire), settings, None)
    live = [next(pages) for _ in range(3)][-1]
    assert [json.loads(each) for each in wire.sent] == [{"type": "subscribe", "stream": "hashtag", "tag": "Rival"}]
    assert live.cursor is not None
    assert [live.cursor["places"][name]["newest"] for name in ("acme", "Rival")] == ["6", "9"]


def test_a_server_without_websocket_is_heard_by_server_sent_events():
    told = (
        b":thump",
        b"event: update",
        b"data: " + json.dumps(status("9")).encode(),
        b"",
        None,
        b"event: delete",
        b"data: 9",
        b"",
    )
    http = WiredHttp(Server(5, 6), None, told)
    pages = Mastodon().stream(http, SERVER | {"what": "local", "history": 0}, None)
    _, update, quiet, delete = pages
    assert [url for url, _ in http.opened] == [
        "wss://social.test/api/v1/streaming?stream=public%3Alocal",
        "https://social.test/api/v1/streaming/public/local",
    ]
    assert http.opened[-1][0] == "https://social.test/api/v1/streaming/public/local"
    assert only(Mastodon().parse(update.payloads[0], SERVER))["native_id"] == "9"
    assert quiet.payloads == ()
    assert Mastodon().parse(delete.payloads[0], SERVER).tombstones.num_rows == 1


def test_accounts_have_no_stream():
    with pytest.raises(GiveUp):
        next(Mastodon().stream(answering(), {"server": "social.test", "what": "account", "accounts": "dan"}, None))
