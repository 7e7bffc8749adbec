"""Posts, events, frames and mails in which values and bytes were swapped for others: read, set aside or refused."""

import json
import random
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import libipld
import pytest

from talkworthy.connectors.bluesky import Bluesky
from talkworthy.connectors.contract import Connector, Page
from talkworthy.connectors.email import Email
from talkworthy.connectors.errors import ConnectorError, Malformed
from talkworthy.connectors.http import Http
from talkworthy.connectors.mastodon import Mastodon
from talkworthy.connectors.payload import Payload

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
MASTODON = json.loads((Path(__file__).parents[1] / "recorded" / "mastodon" / "replies.json").read_text())
POSTS = [body for name, body in MASTODON.items() if not name.startswith(("instance", "nodeinfo"))]
ODD: list[Any] = [None, True, 0, -1, 2**70, 1e308, "", "x" * 5_000, "\ud800", "a\x00b", "9999-12-31T23:59:59-14:00", []]
ODD += [
    {},
    [[]],
    [None],
    {"id": {}},
    {"uri": 3},
    {"$link": 5},
    "http://[::1",
    "at://",
    "did:plc:x",
    "0001-01-01T00:00:00Z",
]
ROUNDS = 150

DID = "did:plc:aliceaaaaaaaaaaaaaaaaaaa"
REF = {"uri": f"at://{DID}/app.bsky.feed.post/3mpt7u2vlgs2c", "cid": "bafkreicwsq23gkygrgpijv7ocssxdyjokfv3quss3f2d"}
IMAGES = {"$type": "app.bsky.embed.images", "images": [{"alt": "a", "image": {"ref": {"$link": REF["cid"]}}}]}
RECORD = {
    "text": "hello @bob.test #tag",
    "createdAt": "2026-07-04T11:59:58.000Z",
    "langs": ["en"],
    "tags": ["a"],
    "labels": {"values": [{"val": "a"}]},
    "reply": {"parent": REF, "root": REF},
    "facets": [
        {
            "index": {"byteStart": 6, "byteEnd": 15},
            "features": [{"$type": "app.bsky.richtext.facet#mention", "did": DID}],
        }
    ],
    "embed": {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": REF}, "media": IMAGES},
}
COMMIT = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "3mptbyoeyc22k", "record": RECORD}
REPOST = COMMIT | {"collection": "app.bsky.feed.repost", "record": {"subject": REF, "createdAt": RECORD["createdAt"]}}
EVENTS = [{"did": DID, "time_us": 1783175888085434, "kind": "commit", "commit": commit} for commit in (COMMIT, REPOST)]
AUTHOR = {"did": DID, "handle": "alice.test", "labels": [{"val": "bot"}], "verification": {"verifiedStatus": "valid"}}
VIEW = {"uri": REF["uri"], "author": AUTHOR, "record": RECORD, "indexedAt": RECORD["createdAt"], "likeCount": 3}
AGAIN = {"$type": "app.bsky.feed.defs#reasonRepost", "by": AUTHOR, "uri": REF["uri"], "indexedAt": RECORD["createdAt"]}
VIEWS = {"posts": [VIEW], "feed": [{"post": VIEW, "reason": AGAIN}], "notifications": [VIEW | {"reason": "mention"}]}
MAIL = b"""From: =?utf-8?q?J=C3=B6rg?= <j@ext.test>
Subject: =?utf-8?b?R3LDvMOfZQ==?=
Message-ID: <a@x>
References: <b@x> <c@x>
Date: Sat, 1 Aug 2026 13:00:00 +0200
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1; format=flowed
Content-Transfer-Encoding: quoted-printable

gr=FC=DFe =

On 1 Aug 2026 at 10:00, Bob <b@x.test> wrote:
> old
--b
Content-Type: text/html

<p>a<blockquote>b</blockquote>
--b
Content-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.pdf

x
--b--
"""


def swapped(value: Any, chance: random.Random, share: float) -> Any:
    if chance.random() < share:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {name: swapped(inner, chance, share) for name, inner in value.items() if chance.random() > share / 2}
    return [swapped(inner, chance, share) for inner in value] if isinstance(value, list) else value


def reads(connector: Connector, body: bytes, content_type: str = "application/json") -> None:
    """Reading ends in tables that hold together, or says that it cannot."""
    payload = Payload(body=body, content_type=content_type, url="https://social.test/x", fetched_at=NOON)
    try:
        parsed = connector.parse(payload, {"reposts": True})
    except Malformed:
        return
    for table in (parsed.posts, parsed.observations, parsed.tombstones):
        table.validate(full=True)


@pytest.mark.parametrize("share", [0.02, 0.08, 0.3])
def test_odd_posts_of_mastodon(share: float):
    chance = random.Random(f"mastodon {share}")
    for _ in range(ROUNDS):
        body = swapped(chance.choice(POSTS), chance, share)
        reads(Mastodon(), json.dumps(body).encode())
        name = chance.choice(["update", "status.update", "notification", "delete", "conversation", 5])
        told = [{"event": name, "payload": each} for each in (body, json.dumps(body))]
        reads(Mastodon(), "\n".join(map(json.dumps, told)).encode(), "application/x-ndjson")


@pytest.mark.parametrize("share", [0.02, 0.08, 0.3])
def test_odd_events_and_views_of_bluesky(share: float):
    chance = random.Random(f"bluesky {share}")
    for _ in range(ROUNDS):
        told = [swapped(each, chance, share) for each in EVENTS]
        reads(Bluesky(), "\n".join(map(json.dumps, told)).encode(), "application/x-ndjson")
        reads(Bluesky(), json.dumps(swapped(VIEWS, chance, share)).encode())


def damaged(raw: bytes, chance: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(chance.randrange(20)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed[: chance.randrange(len(changed)) + 1])


def test_damaged_frames_of_bluesky():
    chance = random.Random("frames")
    op = {"action": "delete", "path": "app.bsky.feed.post/3mptbyoeyc22k", "cid": None}
    body = {"repo": DID, "time": "2026-07-04T12:00:00Z", "seq": 4, "blocks": b"", "ops": [op]}
    frame = bytes(libipld.encode_dag_cbor({"op": 1, "t": "#commit"})) + bytes(libipld.encode_dag_cbor(body))
    for _ in range(ROUNDS):
        reads(
            Bluesky(), damaged((struct.pack("<I", len(frame)) + frame) * 3, chance), "application/vnd.ipld.dag-cbor-seq"
        )


def test_damaged_mails():
    chance = random.Random("mails")
    for _ in range(ROUNDS):
        reads(Email(), damaged(MAIL, chance), "message/rfc822")


@pytest.mark.parametrize(
    ("connector", "settings"),
    [
        (Mastodon(), {"server": "social.test", "hashtags": "a"}),
        (Mastodon(), {"server": "social.test", "what": "account", "accounts": "dan@far.test"}),
        (Mastodon(), {"server": "social.test", "what": "list", "lists": "Press"}),
        (Bluesky(), {"way": "author", "actors": "a.test"}),
        (Bluesky(), {"way": "search", "query": "a", "handle": "a.test", "password": "p"}),
    ],
)
def test_odd_replies_bring_a_page_or_say_what_to_do(connector: Connector, settings: dict[str, Any]):
    chance = random.Random(str(settings))
    held = [
        *POSTS,
        VIEWS | {"cursor": "5"},
        {"accessJwt": "a", "refreshJwt": "b", "id": "7"},
        [{"id": "3", "title": "Press"}],
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.dumps(swapped(chance.choice(held), chance, 0.05)).encode()
        return httpx.Response(chance.choice([200] * 9 + [400]), content=body)

    http = Http(transport=httpx.MockTransport(answer), sleep=lambda seconds: None)
    cursor = None
    for _ in range(ROUNDS):
        try:
            page = connector.fetch(http, settings, cursor, now=NOON)
        except ConnectorError as error:
            assert str(error)
            continue
        assert isinstance(page, Page)
        cursor = json.loads(json.dumps(page.cursor))
