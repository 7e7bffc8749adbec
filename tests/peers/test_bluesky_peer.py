"""Bluesky against a real PDS: posts are written through its interface and heard on its repository stream."""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from talkworthy.connectors import bluesky
from talkworthy.connectors.bluesky import Bluesky
from talkworthy.connectors.contract import Parsed
from talkworthy.connectors.errors import AskForCredentials, ResumeLost
from talkworthy.connectors.http import Http

pytestmark = pytest.mark.peer
PDS = os.environ.get("TALKWORTHY_PEER_PDS", "http://localhost:18101")
HOST = httpx.URL(PDS).netloc.decode()
SETTINGS = {"way": "firehose", "relay": PDS, "service": PDS, "appview": PDS, "replay": True, "reposts": True}


class Account:
    """An account of the PDS that writes through its own interface."""

    def __init__(self, name: str, password: str) -> None:
        self.client = httpx.Client(base_url=PDS, timeout=20)
        body = {"identifier": name, "password": password}
        session = self.client.post("/xrpc/com.atproto.server.createSession", json=body).raise_for_status().json()
        self.did = session["did"]
        self.client.headers["authorization"] = f"Bearer {session['accessJwt']}"

    def call(self, method: str, **body: Any) -> dict[str, Any]:
        reply = self.client.post(f"/xrpc/com.atproto.{method}", json=body)
        reply.raise_for_status()
        found: dict[str, Any] = reply.json() if reply.content else {}
        return found

    def post(self, text: str, **more: Any) -> dict[str, Any]:
        record = {"$type": "app.bsky.feed.post", "text": text, "createdAt": now_iso(), **more}
        return self.call("repo.createRecord", repo=self.did, collection="app.bsky.feed.post", record=record)


def now_iso() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def alice() -> Iterator[Account]:
    account = Account("alice.test", "alice-pass")
    yield account
    account.client.close()


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(allow_hosts={HOST}, pace=0) as door:
        yield door


def heard(http: Http, cursor: Any, **settings: Any) -> tuple[list[Parsed], Any]:
    """Everything that one fetch brings, and the cursor behind it."""
    page = Bluesky().fetch(http, SETTINGS | settings, cursor, now=datetime.now(UTC))
    parsed = [Bluesky().parse(payload, SETTINGS | settings) for payload in page.payloads]
    assert not any(each.aside for each in parsed)
    return parsed, page.cursor


def rows(parsed: list[Parsed]) -> dict[str, dict[str, Any]]:
    return {post["uid"]: post for each in parsed for post in each.posts.to_pylist()}


def gone(parsed: list[Parsed]) -> list[dict[str, Any]]:
    return [row for each in parsed for row in each.tombstones.to_pylist()]


def test_a_post_is_heard_edited_and_deleted(alice: Account, http: Http):
    _, cursor = heard(http, None)
    word = uuid.uuid4().hex
    first = alice.post(f"🎉 {word}", langs=["de-AT"])
    ref = {"uri": first["uri"], "cid": first["cid"]}
    reply = alice.post("an answer", reply={"root": ref, "parent": ref})
    parsed, cursor = heard(http, cursor)
    posts = rows(parsed)
    uid = f"bluesky::{first['uri']}"
    assert (posts[uid]["text"], posts[uid]["language"]) == (f"🎉 {word}", "de")
    assert posts[f"bluesky::{reply['uri']}"]["in_reply_to"] == uid

    rkey = first["uri"].rpartition("/")[2]
    place = {"repo": alice.did, "collection": "app.bsky.feed.post", "rkey": rkey}
    edited = {"$type": "app.bsky.feed.post", "text": "edited", "createdAt": now_iso()}
    alice.call("repo.putRecord", **place, record=edited)
    parsed, cursor = heard(http, cursor)
    assert rows(parsed)[uid]["text"] == "edited"
    assert rows(parsed)[uid]["edited_at"] is not None

    alice.call("repo.deleteRecord", **place)
    parsed, cursor = heard(http, cursor)
    assert [row["uid"] for row in gone(parsed)] == [uid]
    assert heard(http, cursor)[0] == []


def test_the_same_cursor_brings_the_same_posts_again(alice: Account, http: Http):
    _, cursor = heard(http, None)
    for number in range(5):
        alice.post(f"post {number}")
    once, twice = rows(heard(http, cursor)[0]), rows(heard(http, cursor)[0])
    assert list(once) == list(twice)
    assert len(once) == 5


def test_a_repost_is_heard_and_names_what_it_repeats(alice: Account, http: Http):
    _, cursor = heard(http, None)
    post = alice.post("worth repeating")
    record = {"subject": {"uri": post["uri"], "cid": post["cid"]}, "createdAt": now_iso()}
    alice.call("repo.createRecord", repo=alice.did, collection="app.bsky.feed.repost", record=record)
    (repost,) = [row for row in rows(heard(http, cursor)[0]).values() if row["engagement_type"] == "REPOST"]
    assert repost["repeats"] == f"bluesky::{post['uri']}"


def test_an_account_that_is_deleted_takes_its_posts_along(http: Http):
    _, cursor = heard(http, None)
    name = f"c{uuid.uuid4().hex[:10]}.test"
    admin = ("admin", os.environ.get("TALKWORTHY_PEER_PDS_ADMIN", "admin-pass"))
    body = {"email": f"{name}@example.test", "handle": name, "password": "carol-pass"}
    httpx.post(f"{PDS}/xrpc/com.atproto.server.createAccount", json=body).raise_for_status()
    carol = Account(name, "carol-pass")
    carol.post("not for long")
    carol.client.close()
    httpx.post(f"{PDS}/xrpc/com.atproto.admin.deleteAccount", json={"did": carol.did}, auth=admin).raise_for_status()
    parsed, _ = heard(http, cursor)
    assert [(row["uid"], row["author_id"]) for row in gone(parsed)] == [("", carol.did)]


def test_the_stream_brings_a_post_while_it_stays_open(alice: Account, http: Http):
    pages = Bluesky().stream(http, SETTINGS, heard(http, None)[1])
    post = alice.post("live")
    page = next(page for page in pages if page.payloads)
    assert f"bluesky::{post['uri']}" in rows([Bluesky().parse(page.payloads[0], SETTINGS)])
    pages.close()  # type: ignore[attr-defined]


def test_a_cursor_from_the_future_loses_the_resume(http: Http):
    with pytest.raises(ResumeLost):
        heard(http, {"seq": 10**9})


def test_a_wrong_app_password_asks_for_credentials(http: Http):
    settings = SETTINGS | {"way": "mentions", "handle": "alice.test", "password": "wrong"}
    with pytest.raises(AskForCredentials):
        Bluesky().fetch(http, settings, None, now=datetime.now(UTC))


def test_handles_are_resolved_by_a_real_server(http: Http):
    account = Account("bob.test", "bob-pass")
    assert bluesky._dids(http, SETTINGS | {"actors": "bob.test"}) == [account.did]
    account.client.close()
