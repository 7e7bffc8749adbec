"""Bluesky: two streams that must agree, replies of the application, and events that lie."""

import json
import os
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import libipld
import pyarrow as pa
import pytest

from talkworthy.connectors import bluesky as module
from talkworthy.connectors.bluesky import Bluesky
from talkworthy.connectors.contract import Parsed
from talkworthy.connectors.errors import AskForCredentials, GiveUp, Malformed, ResumeLost, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.schema import OBSERVATION, POST, TOMBSTONE

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
ALICE, BOB = "did:plc:aliceaaaaaaaaaaaaaaaaaaa", "did:plc:bobbbbbbbbbbbbbbbbbbbbbb"
SHARED = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[2] / ".." / "shared"))
CORPUS = SHARED / "data" / "fixtures_bluesky" / "jetstream_corpus"
corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared fixtures are not here")


def lines(*events: Any) -> Payload:
    body = b"\n".join(event if isinstance(event, bytes) else json.dumps(event).encode() for event in events)
    return Payload(body=body, content_type="application/x-ndjson", fetched_at=NOON)


def frames(*raw: bytes, cut: int = 0) -> Payload:
    body = b"".join(struct.pack("<I", len(frame)) + frame for frame in raw)
    return Payload(body=body[: len(body) - cut], content_type="application/vnd.ipld.dag-cbor-seq", fetched_at=NOON)


def commit(record: dict[str, Any] | None = None, *, did: str = ALICE, **more: Any) -> dict[str, Any]:
    told = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "3mptbyoeyc22k", "rev": "r", **more}
    if record is not None:
        told["record"] = {"text": "", "createdAt": "2026-07-04T11:59:58.000Z", **record}
    return {"did": did, "time_us": int(NOON.timestamp() * 1_000_000), "kind": "commit", "commit": told}


def only(parsed: Parsed) -> dict[str, Any]:
    rows: list[dict[str, Any]] = parsed.posts.to_pylist()
    assert len(rows) == 1
    return rows[0]


def parse(payload: Payload, **settings: Any) -> Parsed:
    return Bluesky().parse(payload, settings)


def test_the_uid_is_the_at_uri_and_the_address_is_that_of_the_application():
    post = only(parse(lines(commit({"text": "hello"}), commit(did=BOB, operation="delete"))))
    assert post["uid"] == f"bluesky::at://{ALICE}/app.bsky.feed.post/3mptbyoeyc22k"
    assert post["native_id"] == f"at://{ALICE}/app.bsky.feed.post/3mptbyoeyc22k"
    assert post["url"] == f"https://bsky.app/profile/{ALICE}/post/3mptbyoeyc22k"
    assert (post["channel"], post["origin"], post["site"]) == ("bluesky", None, "bsky.app")


def test_facets_are_counted_in_bytes_not_in_characters():
    text = "🎉 héllo @bob.test and #größe at example.com/…"
    raw = text.encode()

    def at(piece: str) -> dict[str, int]:
        start = raw.index(piece.encode())
        return {"byteStart": start, "byteEnd": start + len(piece.encode())}

    facet = "app.bsky.richtext.facet#"
    record = {
        "text": text,
        "tags": ["kept"],
        "facets": [
            {"index": at("@bob.test"), "features": [{"$type": facet + "mention", "did": BOB}]},
            {"index": at("#größe"), "features": [{"$type": facet + "tag", "tag": "größe"}]},
            {"index": at("example.com/…"), "features": [{"$type": facet + "link", "uri": "https://example.com/all"}]},
        ],
    }
    post = only(parse(lines(commit(record))))
    assert post["mentions"] == ["bob.test"]
    assert post["hashtags"] == ["größe", "kept"]
    assert post["links"] == ["https://example.com/all"]


@pytest.mark.parametrize(
    "index", [{}, {"byteStart": -4, "byteEnd": 2}, {"byteStart": 3, "byteEnd": 900}, {"byteStart": "0"}]
)
def test_a_facet_that_points_outside_the_text_falls_back_to_the_did(index: dict[str, Any]):
    feature = {"$type": "app.bsky.richtext.facet#mention", "did": BOB}
    post = only(parse(lines(commit({"text": "hi", "facets": [{"index": index, "features": [feature]}]}))))
    assert post["mentions"] == [BOB]


def test_a_reply_names_its_parent_and_the_root_of_its_thread():
    parent, root = (f"at://{BOB}/app.bsky.feed.post/{key}" for key in ("3mpt7u2vlgs2c", "3mpt7u2vlgs2a"))
    post = only(parse(lines(commit({"reply": {"parent": {"uri": parent}, "root": {"uri": root}}}))))
    assert (post["in_reply_to"], post["root"]) == (f"bluesky::{parent}", f"bluesky::{root}")
    assert post["references"] == [f"bluesky::{root}", f"bluesky::{parent}"]
    assert post["engagement_type"] == "REPLY"


def test_a_quote_with_pictures_names_the_quoted_post_and_lists_the_pictures():
    quoted = f"at://{BOB}/app.bsky.feed.post/3mpt7u2vlgs2c"
    picture = {
        "alt": "a cat",
        "image": {"ref": {"$link": "bafkreicwsq23gkygrgpijv7ocssxdyjokfv3quss3f2dg4csds3jpeqkwe"}},
    }
    embed = {
        "$type": "app.bsky.embed.recordWithMedia",
        "record": {"$type": "app.bsky.embed.record", "record": {"uri": quoted}},
        "media": {"$type": "app.bsky.embed.images", "images": [picture, {"alt": "no picture"}]},
    }
    post = only(parse(lines(commit({"embed": embed}))))
    assert (post["engagement_type"], post["repeats"]) == ("QUOTE", f"bluesky::{quoted}")
    assert [(each["type"], each["alt"]) for each in post["media"]] == [("image", "a cat")]
    assert post["media"][0]["url"].startswith(f"https://cdn.bsky.app/img/feed_fullsize/plain/{ALICE}/bafkrei")


def test_a_card_is_a_link_and_a_label_is_a_tag_and_a_language_loses_its_region():
    embed = {"$type": "app.bsky.embed.external", "external": {"uri": "https://example.com/card"}}
    labels = {"values": [{"val": "spoiler"}, {"val": 3}]}
    post = only(parse(lines(commit({"embed": embed, "labels": labels, "langs": ["!", "pt-BR", "en"]}))))
    assert (post["links"], post["tags"], post["language"]) == (["https://example.com/card"], ["spoiler"], "pt")


def test_a_deletion_carries_no_record_and_leaves_a_tombstone():
    parsed = parse(lines(commit({"text": "stays"}, did=BOB), commit({"text": "goes"}), commit(operation="delete")))
    assert parsed.posts["text"].to_pylist() == ["stays"]
    (gone,) = parsed.tombstones.to_pylist()
    assert gone["uid"] == f"bluesky::at://{ALICE}/app.bsky.feed.post/3mptbyoeyc22k"
    assert (gone["author_id"], gone["reason"], gone["deleted_at"]) == (None, "deleted", NOON)


def test_a_post_that_is_written_anew_under_its_old_key_stands():
    parsed = parse(lines(commit({"text": "a"}), commit(operation="delete"), commit({"text": "b"})))
    assert (only(parsed)["text"], parsed.tombstones.num_rows) == ("b", 0)


def test_a_deletion_of_something_without_a_proper_name_is_set_aside():
    parsed = parse(lines(commit(operation="delete", rkey="a b"), commit({}, did=BOB)))
    assert (parsed.tombstones.num_rows, len(parsed.aside)) == (0, 1)


def test_a_repost_without_a_proper_name_is_set_aside():
    record = {"subject": {"uri": f"at://{BOB}/app.bsky.feed.post/3mpt7u2vlgs2c"}}
    parsed = parse(lines(commit(record, collection="app.bsky.feed.repost", rkey="\ud800"), commit({})), reposts=True)
    assert (parsed.posts.num_rows, len(parsed.aside)) == (1, 1)


def test_an_update_is_an_edit_of_the_same_post():
    post = only(parse(lines(commit({"text": "old"}), commit({"text": "new"}, operation="update"))))
    assert (post["text"], post["edited_at"]) == ("new", NOON)


def account(**status: Any) -> dict[str, Any]:
    at = int(NOON.timestamp() * 1_000_000)
    return {"did": ALICE, "time_us": at, "kind": "account", "account": {"did": ALICE, **status}}


def test_a_deleted_account_takes_all_its_posts_along():
    (gone,) = parse(lines(account(active=False, status="deleted"), commit({}, did=BOB))).tombstones.to_pylist()
    assert (gone["uid"], gone["author_id"], gone["channel"]) == ("", ALICE, "bluesky")


@pytest.mark.parametrize("status", ["takendown", "suspended", "deactivated", None])
def test_an_account_that_may_come_back_keeps_its_posts(status: str | None):
    assert parse(lines(account(active=False, status=status), commit({}, did=BOB))).tombstones.num_rows == 0


def test_likes_and_follows_are_no_posts_and_reposts_only_where_wanted():
    subject = {"uri": f"at://{BOB}/app.bsky.feed.post/3mpt7u2vlgs2c"}
    like = commit({"subject": subject}, collection="app.bsky.feed.like")
    repost = commit({"subject": subject}, collection="app.bsky.feed.repost")
    assert parse(lines(like, repost)).posts.num_rows == 0
    post = only(parse(lines(like, repost), reposts=True))
    assert (post["engagement_type"], post["repeats"], post["text"]) == ("REPOST", f"bluesky::{subject['uri']}", "")
    assert post["url"] == f"https://bsky.app/profile/{BOB}/post/3mpt7u2vlgs2c"


@pytest.mark.parametrize("claimed", ["2126-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "yesterday", 7, None])
def test_a_time_that_cannot_be_true_is_replaced_by_the_one_in_the_key(claimed: Any):
    event = {**commit({"createdAt": claimed}), "time_us": 1783175888090631}
    published = only(parse(lines(event)))["published_at"]
    assert published.replace(microsecond=0) == datetime(2026, 7, 4, 14, 38, 6, tzinfo=UTC)


def test_a_time_that_cannot_be_true_in_a_key_that_tells_none_becomes_the_time_it_was_seen():
    assert only(parse(lines(commit({"createdAt": "2126-01-01T00:00:00Z"}, rkey="self"))))["published_at"] == NOON


def test_profiles_that_came_along_give_authors_their_names():
    payload = lines(commit({}))
    profile = {ALICE: {"handle": "alice.test", "displayName": "Alice", "followersCount": 7, "verification": None}}
    named = Payload(body=payload.body, content_type=payload.content_type, fetched_at=NOON, meta={"profiles": profile})
    author = only(parse(named))["author"]
    assert (author["id"], author["handle"], author["name"], author["followers"]) == (ALICE, "alice.test", "Alice", 7)


def test_broken_events_are_set_aside_and_the_rest_goes_on():
    broken = [b"{", b"[1]", commit({"text": 5}), commit({}, rkey="a/../b"), {**commit({}), "did": "alice"}, b"\xff\xfe"]
    parsed = parse(lines(*broken, commit({"text": "fine \ud800\0"}, did=BOB)))
    assert parsed.posts["text"].to_pylist() == ["fine ?"]
    assert len(parsed.aside) == len(broken)


@pytest.mark.parametrize("body", [b"", b"\n\n", b"{}", b"\x00\x01", b"[[[[" * 50_000])
def test_bytes_without_any_event_are_malformed(body: bytes):
    with pytest.raises(Malformed):
        parse(Payload(body=body, content_type="application/x-ndjson", fetched_at=NOON))


# the repository stream


def corpus_frames() -> list[bytes]:
    with pa.CompressedInputStream(pa.OSFile(str(CORPUS / "frames.bin.zst")), "zstd") as stream:
        raw = stream.read()
    found, offset = [], 0
    while offset < len(raw):
        (length,) = struct.unpack_from("<I", raw, offset)
        found.append(raw[offset + 4 : offset + 4 + length])
        offset += 4 + length
    return found


@corpus
def test_jetstream_and_the_repository_stream_say_the_same_of_150_frames():
    raw = corpus_frames()
    assert len(raw) == 150
    by_frame = parse(frames(*raw), reposts=True)
    body = (CORPUS / "expected_v1.jsonl").read_bytes()
    by_line = parse(Payload(body=body, content_type="application/x-ndjson", fetched_at=NOON), reposts=True)
    assert not by_frame.aside
    assert not by_line.aside
    assert by_frame.posts.num_rows > 25
    assert by_frame.posts.sort_by("uid").equals(by_line.posts.sort_by("uid"))
    assert by_frame.tombstones["uid"].to_pylist() == by_line.tombstones["uid"].to_pylist() != []


@corpus
def test_a_repository_stream_that_breaks_off_keeps_what_was_whole():
    raw = corpus_frames()
    whole, cut = parse(frames(*raw)), parse(frames(*raw, cut=100))
    assert [each.reason for each in cut.aside] == ["a frame is cut off"]
    assert cut.posts.num_rows >= whole.posts.num_rows - 1


def frame(kind: str, body: dict[str, Any], op: int = 1) -> bytes:
    header = {"op": op, "t": kind} if kind else {"op": op}
    return bytes(libipld.encode_dag_cbor(header)) + bytes(libipld.encode_dag_cbor(body))


def test_a_frame_without_its_record_is_set_aside_by_name():
    path = "app.bsky.feed.post/3mptbyoeyc22k"
    told = {"repo": ALICE, "time": "2026-07-04T12:00:00Z", "seq": 4, "tooBig": True, "blocks": b""}
    parsed = parse(
        frames(
            frame("#commit", {**told, "ops": [{"action": "create", "path": path, "cid": None}]}),
            frame("#commit", {**told, "ops": [{"action": "delete", "path": path, "cid": None}]}),
        )
    )
    assert [each.fragment for each in parsed.aside] == [f"at://{ALICE}/{path}".encode()]
    assert parsed.tombstones.num_rows == 1


def test_frames_of_noise_are_set_aside():
    gone = frame("#account", {"did": ALICE, "active": False, "status": "deleted", "time": "2026-07-04T12:00:00Z"})
    parsed = parse(frames(b"\xff\xff", b"", frame("#commit", {}), gone))
    assert (len(parsed.aside), parsed.tombstones.num_rows) == (3, 1)


# replies of the application


def view(key: str = "3mptbyoeyc22k", **more: Any) -> dict[str, Any]:
    return {
        "uri": f"at://{ALICE}/app.bsky.feed.post/{key}",
        "author": {
            "did": ALICE,
            "handle": "alice.test",
            "displayName": "Alice",
            "verification": {"verifiedStatus": "valid"},
        },
        "record": {"text": "hello", "createdAt": "2026-07-04T11:59:58.000Z"},
        "indexedAt": "2026-07-04T11:59:59.000Z",
        "likeCount": 3,
        "repostCount": 2,
        "quoteCount": 1,
        "replyCount": 4,
        "labels": [{"val": "spam"}, {"val": "old", "neg": True}],
        **more,
    }


def reply(body: Any) -> Payload:
    return Payload(body=json.dumps(body).encode(), fetched_at=NOON)


def test_a_found_post_has_the_uid_of_the_stream_and_counts_with_their_time():
    found = parse(reply({"posts": [view()]}))
    post, heard = only(found), only(parse(lines(commit({"text": "hello"}))))
    assert (post["uid"], post["published_at"]) == (heard["uid"], heard["published_at"])
    assert post["engagement"] == {"replies": 4, "shares": 3, "likes": 3, "views": None, "taken_at": NOON}
    assert found.observations.to_pylist()[0]["likes"] == 3
    assert (post["author"]["handle"], post["author"]["verified"], post["tags"]) == ("alice.test", True, ["spam"])


def test_a_feed_gives_reposts_only_where_wanted():
    again = {
        "post": view(),
        "reason": {
            "$type": "app.bsky.feed.defs#reasonRepost",
            "uri": f"at://{BOB}/app.bsky.feed.repost/3mpt7u2vlgs2c",
            "by": {"did": BOB, "handle": "bob.test"},
            "indexedAt": "2026-07-04T11:59:59.000Z",
        },
    }
    assert parse(reply({"feed": [again]})).posts.num_rows == 0
    original, repost = parse(reply({"feed": [again]}), reposts=True).posts.to_pylist()
    assert (repost["repeats"], repost["author"]["handle"], repost["text"]) == (original["uid"], "bob.test", "hello")


def test_notifications_are_mentions_replies_and_quotes_but_not_likes():
    notes = [{**view("3mptbyoeyc22k"), "reason": "mention"}, {**view("3mptbyoeyc22l"), "reason": "like"}]
    parsed = parse(reply({"notifications": notes}))
    assert only(parsed)["uid"].endswith("22k")
    assert parsed.observations.num_rows == 0


def test_one_bad_view_does_not_spoil_the_page():
    bad = [None, 3, {}, view(uri="at://nobody/x/y"), view(author=None), view(record={"text": None})]
    parsed = parse(reply({"posts": [*bad, view(likeCount=2**70, labels="x")]}))
    assert (parsed.posts.num_rows, len(parsed.aside)) == (1, len(bad))


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"posts": 3}'])
def test_a_reply_of_another_shape_is_malformed(body: bytes):
    with pytest.raises(Malformed):
        parse(Payload(body=body, fetched_at=NOON))


def test_tables_have_the_shared_schemas_even_when_empty():
    parsed = parse(lines(commit(operation="delete")))
    assert (parsed.posts.schema, parsed.observations.schema, parsed.tombstones.schema) == (POST, OBSERVATION, TOMBSTONE)


# asking


def door(*answers: httpx.Response) -> tuple[Http, list[httpx.Request]]:
    asked: list[httpx.Request] = []
    waiting = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return next(waiting)

    return Http(transport=httpx.MockTransport(answer), sleep=lambda seconds: None), asked


def session(name: str = "first") -> httpx.Response:
    return httpx.Response(200, json={"accessJwt": f"{name}-access", "refreshJwt": f"{name}-refresh"})


SEARCH = {"way": "search", "query": "acme", "handle": "alice.test", "password": "app-pass", "history": 3}


def test_a_search_sweeps_from_the_newest_to_where_the_last_one_began():
    pages = [{"posts": [view("3mptbyoeyc22k")], "cursor": "25"}, {"posts": [view("3mptbyoeyc22l")]}, {"posts": []}]
    http, asked = door(session(), *(httpx.Response(200, json=page) for page in pages))
    first = Bluesky().fetch(http, SEARCH, None, now=NOON)
    assert (first.more, first.cursor) == (
        True,
        {"since": None, "top": "2026-07-04T11:59:58.000Z", "page": "25", "left": 2, "of": "query acme"},
    )
    second = Bluesky().fetch(http, SEARCH, first.cursor, now=NOON)
    assert (second.more, second.cursor) == (False, {"since": "2026-07-04T11:59:58.000Z", "of": "query acme"})
    Bluesky().fetch(http, SEARCH, second.cursor, now=NOON)
    assert [request.url.params.get("cursor") for request in asked[1:]] == [None, "25", None]
    assert asked[3].url.params["since"] == "2026-07-04T11:49:58.000Z"
    assert all(request.headers["authorization"] == "Bearer first-access" for request in asked[1:])
    assert "app-pass" not in "".join(str(request.url) for request in asked)


def test_a_cursor_of_another_search_is_not_used():
    http, asked = door(session(), httpx.Response(200, json={"posts": []}))
    Bluesky().fetch(http, SEARCH, {"since": "2026-07-04T11:59:58.000Z", "of": "query rival"}, now=NOON)
    assert "since" not in asked[1].url.params


def test_the_first_sweep_stops_at_the_history_that_was_asked_for():
    many = [view(f"3mptbyoeyc22{letter}") for letter in "abcd"]
    http, asked = door(session(), httpx.Response(200, json={"posts": many, "cursor": "100"}))
    page = Bluesky().fetch(http, SEARCH, None, now=NOON)
    assert (page.more, page.cursor) == (False, {"since": "2026-07-04T11:59:58.000Z", "of": "query acme"})
    assert len(asked) == 2


def test_an_expired_session_is_renewed_once_by_its_refresh_token():
    expired = httpx.Response(400, json={"error": "ExpiredToken", "message": "Token has expired"})
    found = httpx.Response(200, json={"posts": [view()]})
    http, asked = door(session(), expired, session("second"), found)
    Bluesky().fetch(http, SEARCH, None, now=NOON)
    assert [request.url.path.rpartition(".")[2] for request in asked] == [
        "createSession",
        "searchPosts",
        "refreshSession",
        "searchPosts",
    ]
    assert asked[2].headers["authorization"] == "Bearer first-refresh"
    assert asked[3].headers["authorization"] == "Bearer second-access"


def test_a_wrong_app_password_asks_for_credentials():
    http, _ = door(httpx.Response(401, json={"error": "AuthenticationRequired", "message": "Invalid password"}))
    with pytest.raises(AskForCredentials, match="Invalid password"):
        Bluesky().fetch(http, SEARCH, None, now=NOON)
    with pytest.raises(AskForCredentials):
        Bluesky().fetch(http, {"way": "mentions"}, None, now=NOON)


def test_a_busy_server_is_asked_later():
    http, _ = door(session(), httpx.Response(429, headers={"retry-after": "90"}))
    with pytest.raises(TryLater) as error:
        Bluesky().fetch(http, SEARCH, None, now=NOON)
    assert error.value.after == 90


def test_accounts_take_turns_and_each_keeps_its_place():
    feeds = [{"feed": [{"post": view()}]}, {"feed": []}]
    http, asked = door(*(httpx.Response(200, json=feed) for feed in feeds))
    settings = {"way": "author", "actors": "alice.test\n@bob.test"}
    first = Bluesky().fetch(http, settings, None, now=NOON)
    second = Bluesky().fetch(http, settings, first.cursor, now=NOON)
    assert [request.url.params["actor"] for request in asked] == ["alice.test", "bob.test"]
    assert (first.more, second.more) == (True, False)
    assert second.cursor == {"places": {"alice.test": {"since": "2026-07-04T11:59:59.000Z"}, "bob.test": {}}, "turn": 0}


def test_an_account_that_is_gone_does_not_keep_the_others_waiting():
    gone = httpx.Response(400, json={"error": "InvalidRequest", "message": "Profile not found"})
    http, _ = door(gone, httpx.Response(200, json={"feed": [{"post": view()}]}))
    settings = {"way": "author", "actors": "gone.test\nalice.test"}
    first = Bluesky().fetch(http, settings, None, now=NOON)
    assert (first.more, first.note) == (True, "gone.test: Bluesky does not accept this request: Profile not found.")
    assert only(parse(Bluesky().fetch(http, settings, first.cursor, now=NOON).payloads[0]))["text"] == "hello"
    with pytest.raises(GiveUp):
        Bluesky().fetch(door(gone)[0], settings | {"actors": "gone.test"}, None, now=NOON)


def test_a_page_that_the_server_forgot_begins_the_sweep_anew():
    forgot = httpx.Response(400, json={"error": "InvalidRequest", "message": "bad cursor"})
    http, asked = door(session(), forgot, httpx.Response(200, json={"posts": [view()]}))
    page = Bluesky().fetch(http, SEARCH, {"since": None, "top": None, "page": "900", "left": 50}, now=NOON)
    assert len(page.payloads) == 1
    assert [request.url.params.get("cursor") for request in asked[1:]] == ["900", None]


def test_settings_that_cannot_work_say_so():
    http, _ = door()
    for settings in ({"way": "search"}, {"way": "author"}, {"way": "guess"}, {**SEARCH, "service": "bsky.social"}):
        with pytest.raises(GiveUp):
            Bluesky().fetch(http, settings, None, now=NOON)
    with pytest.raises(GiveUp):
        next(iter(Bluesky().stream(http, {"way": "search"}, None)))


# staying on a stream


class Wire:
    """A WebSocket that says what it was given, then falls silent."""

    def __init__(self, *messages: bytes | str | None) -> None:
        self.messages = list(messages)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def recv(self, timeout: float | None = None) -> bytes | str | None:
        message = self.messages.pop(0) if self.messages else None
        if message == "closed":
            raise TryLater("the connection is closed")
        return message


class WiredHttp(Http):
    """The door with a prepared WebSocket behind it."""

    def __init__(self, wire: Wire, answer: Any = lambda request: httpx.Response(404)) -> None:
        super().__init__(transport=httpx.MockTransport(answer), sleep=lambda seconds: None)
        self.wire = wire
        self.opened: list[str] = []

    def websocket(self, url: str, **options: Any) -> Any:
        self.opened.append(url)
        return self.wire


def listen(
    settings: dict[str, Any], cursor: dict[str, Any] | None, *messages: bytes | str
) -> tuple[Iterator[Any], WiredHttp]:
    http = WiredHttp(Wire(*messages))
    return Bluesky().stream(http, settings, cursor), http


def test_jetstream_goes_on_a_few_seconds_before_its_cursor_and_never_moves_it_back():
    at = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1_000_000)
    event = {**commit({"text": "hello"}), "time_us": at + 9}
    pages, http = listen({"reposts": True}, {"time_us": at}, json.dumps(event), json.dumps({**event, "time_us": 5}))
    page = next(iter(pages))
    assert f"cursor={at - 5_000_000}" in http.opened[0]
    assert http.opened[0].startswith(
        "wss://jetstream2.us-east.bsky.network/subscribe?wantedCollections=app.bsky.feed.post&"
    )
    assert page.cursor == {"time_us": at + 9}
    assert only(parse(page.payloads[0]))["text"] == "hello"
    quiet = next(iter(pages))
    assert (quiet.payloads, quiet.cursor) == ((), {"time_us": at + 9})


def test_a_cursor_older_than_jetstream_remembers_says_what_is_lost_and_where_to_go_on():
    pages, _ = listen({}, {"time_us": 1_000})
    with pytest.raises(ResumeLost) as error:
        next(iter(pages))
    assert error.value.cursor is not None
    listen({}, dict(error.value.cursor))[0].__next__()


def test_authors_are_named_where_asked_and_again_when_their_identity_changed():
    profiles = iter(["alice.test", "alice.example"])

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params.get_list("actors") == [ALICE]
        return httpx.Response(200, json={"profiles": [{"did": ALICE, "handle": next(profiles), "banner": "x"}]})

    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    first = json.dumps({**commit({"text": "a"}), "time_us": now})
    renamed = json.dumps({"did": ALICE, "time_us": now, "kind": "identity", "identity": {"did": ALICE}})
    http = WiredHttp(Wire(first, None, None, first, None, None, renamed, first), answer)
    pages = Bluesky().stream(http, {"names": True}, None)
    named = [parse(page.payloads[0]).posts.to_pylist()[0]["author"]["handle"] for page in pages_with_posts(pages, 3)]
    assert named == ["alice.test", "alice.test", "alice.example"]


def pages_with_posts(pages: Iterator[Any], count: int) -> list[Any]:
    return [next(page for page in pages if page.payloads) for _ in range(count)]


def test_names_that_cannot_be_had_leave_the_stream_going():
    http = WiredHttp(Wire(json.dumps(commit({"text": "a"}))), lambda request: httpx.Response(500))
    page = next(iter(Bluesky().stream(http, {"names": True}, None)))
    assert only(parse(page.payloads[0]))["author"]["handle"] is None


def heard(seq: int, collection: str = "app.bsky.feed.post", did: str = ALICE) -> bytes:
    ops = [{"action": "delete", "path": f"{collection}/3mptbyoeyc22k", "cid": None}]
    body = {"seq": seq, "repo": did, "time": "2026-07-04T12:00:00Z", "blocks": b"", "tooBig": False, "ops": ops}
    return frame("#commit", body)


def test_the_repository_stream_keeps_frames_about_posts_and_does_not_mind_gaps():
    pages, http = listen({"way": "firehose"}, {"seq": 7}, heard(9), heard(15, "app.bsky.feed.like"), heard(40))
    page = next(iter(pages))
    assert http.opened == ["wss://bsky.network/xrpc/com.atproto.sync.subscribeRepos?cursor=7"]
    assert page.payloads[0].meta["frames"] == 2
    assert page.cursor == {"seq": 40, "at": "2026-07-04T12:00:00.000Z", "of": "relay https://bsky.network"}


def test_the_repository_stream_of_some_accounts_keeps_theirs_only():
    settings = {"way": "firehose", "actors": BOB}
    pages, _ = listen(settings, {"seq": 7}, heard(9), heard(10, did=BOB))
    page = next(iter(pages))
    assert (page.payloads[0].meta["frames"], page.cursor["seq"]) == (1, 10)


def test_an_event_from_the_future_does_not_carry_the_cursor_away():
    far = {**commit({"text": "a"}), "time_us": 10**17}
    page = next(iter(listen({}, None, json.dumps(far))[0]))
    assert page.cursor["time_us"] < 10**16
    assert len(page.payloads) == 1


def test_an_outdated_cursor_loses_the_resume_once_and_then_goes_on():
    outdated = frame("#info", {"name": "OutdatedCursor"})
    pages, _ = listen({"way": "firehose"}, {"seq": 7}, outdated, heard(900))
    with pytest.raises(ResumeLost) as error:
        next(iter(pages))
    assert error.value.cursor == {"seq": 899, "lost": True}
    pages, _ = listen({"way": "firehose"}, dict(error.value.cursor), outdated, heard(900))
    assert next(iter(pages)).cursor["seq"] == 900


def test_error_frames_say_what_to_do():
    future = frame("", {"error": "FutureCursor"}, op=-1)
    slow = frame("", {"error": "ConsumerTooSlow", "message": "too slow"}, op=-1)
    with pytest.raises(ResumeLost):
        next(iter(listen({"way": "firehose"}, {"seq": 7}, future)[0]))
    with pytest.raises(TryLater, match="too slow"):
        next(iter(listen({"way": "firehose"}, {"seq": 7}, slow)[0]))


def test_what_came_before_the_end_of_a_connection_is_kept():
    pages, _ = listen({"way": "firehose"}, {"seq": 7}, heard(9), "closed")
    assert next(iter(pages)).cursor["seq"] == 9
    with pytest.raises(TryLater):
        next(iter(pages))
    last_word = frame("", {"error": "FutureCursor"}, op=-1)
    with pytest.raises(ResumeLost):
        next(iter(listen({"way": "firehose"}, {"seq": 7}, last_word, "closed")[0]))


def test_one_fetch_of_a_stream_ends_when_the_stream_is_quiet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LINGER", 0.01)
    http = WiredHttp(Wire(heard(9), heard(10)))
    page = Bluesky().fetch(http, {"way": "firehose"}, {"seq": 7}, now=datetime(2026, 7, 4, 12, 0, 5, tzinfo=UTC))
    assert (len(page.payloads), page.more, page.cursor["seq"]) == (1, False, 10)
