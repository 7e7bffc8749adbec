"""A feed and its hub, from Flask-WebSub: asking, subscribing, confirming, delivery. Start it with start-websub."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from talkworthy.connectors.contract import Answer, Request
from talkworthy.connectors.feed import connector
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload

pytestmark = pytest.mark.peer

PORT = os.environ.get("WEBSUB_PORT", "18180")
BASE = f"http://localhost:{PORT}"
SETTINGS = {"url": f"{BASE}/feed.xml", "hub_secret": "a long and random text for the hub"}


class Receiver:
    """Our receiving address, with the cursor that a source would keep."""

    def __init__(self) -> None:
        self.cursor: Any = None
        self.payloads: list[Payload] = []
        self.refused = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                request = Request(
                    method=self.command,
                    path=parts.path,
                    query=parse_qs(parts.query),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=body,
                    received_at=datetime.now(UTC),
                )
                answer: Answer = connector.receive(request, SETTINGS, receiver.cursor)
                receiver.cursor = answer.cursor or receiver.cursor
                receiver.payloads += answer.payloads
                receiver.refused += answer.status == 403
                self.send_response(answer.status)
                self.end_headers()
                self.wfile.write(answer.body.encode())

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://localhost:{self.server.server_address[1]}/receive"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.server.shutdown()
    started.server.server_close()


def waited(condition: Any) -> bool:
    until = time.monotonic() + 15
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(condition())


def test_a_hub_confirms_and_delivers_signed_entries(receiver: Receiver) -> None:
    http = Http(allow_hosts={f"localhost:{PORT}"}, pace=0)
    httpx.post(f"{BASE}/ctl/add", json={"title": "Old", "content": "was there before"}).raise_for_status()
    now = datetime.now(UTC)
    page = connector.fetch(http, SETTINGS, None, now=now)
    assert page.cursor is not None
    assert page.cursor["websub"]["hub"] == f"{BASE}/hub"
    receiver.cursor = page.cursor
    asked = connector.subscribe(http, SETTINGS, page.cursor, callback=receiver.address, now=now)
    assert asked.note == ""
    receiver.cursor = asked.cursor
    assert waited(lambda: receiver.cursor["websub"].get("expires_at", 0) > time.time())

    title = f"New at {time.time()}"
    httpx.post(f"{BASE}/ctl/add", json={"title": title, "content": "<p>delivered at once</p>"}).raise_for_status()
    assert waited(lambda: receiver.payloads)
    posts = connector.parse(receiver.payloads[0], SETTINGS).posts.to_pylist()
    assert title in [post["title"] for post in posts]

    polled = connector.fetch(http, SETTINGS, receiver.cursor, now=datetime.now(UTC))
    again = connector.parse(polled.payloads[0], SETTINGS).posts.to_pylist()
    assert {post["uid"] for post in posts} <= {post["uid"] for post in again}
    assert receiver.refused == 0


def test_a_delivery_with_another_secret_is_refused(receiver: Receiver) -> None:
    receiver.cursor = {"websub": {"hub": f"{BASE}/hub", "topic": f"{BASE}/feed.xml", "callback": receiver.address}}
    reply = httpx.post(receiver.address, content=b"<feed/>", headers={"X-Hub-Signature": "sha256=" + "0" * 64})
    assert (reply.status_code, receiver.payloads) == (403, [])


def test_a_confirmation_of_what_we_did_not_ask_is_refused(receiver: Receiver) -> None:
    receiver.cursor = {"websub": {"hub": f"{BASE}/hub", "topic": f"{BASE}/feed.xml", "callback": receiver.address}}
    asked = {"hub.mode": "subscribe", "hub.topic": "https://other.example/", "hub.challenge": "x"}
    assert httpx.get(receiver.address, params=asked).status_code == 404
