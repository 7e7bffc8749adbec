"""A server that speaks as much of Mastodon's interface as the desk uses, on a real port, and counts what it took."""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 40
US = {"id": "9", "acct": "acme", "username": "acme", "display_name": "Acme"}
OFTEN = 0.15
"""How often a call breaks: before the reply was taken, or after it, with and without an answer."""


class SocialServer(ThreadingHTTPServer):
    """Mentions that were told, statuses that were taken with their keys, and events that were called in."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, clock: Callable[[], datetime], *, seed: int, keyed: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.clock, self.keyed = clock, keyed
        self.chance = random.Random(seed)
        self.guard = threading.Lock()
        self.told: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self.events: Counter[str] = Counter()
        self.breaks = True
        self._number = 1000

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def tell(self, words: str, *, by: str, under: str | None = None) -> str:
        """Somebody mentions us; returns the id of what they wrote."""
        with self.guard:
            number = self._next()
            at = self.clock().isoformat().replace("+00:00", "Z")
            account = {"id": f"a-{by}", "acct": f"{by}@far.example", "username": by, "display_name": by.title()}
            account |= {"url": f"https://far.example/@{by}", "created_at": at, "followers_count": 3, "bot": False}
            status = {"id": number, "created_at": at, "in_reply_to_id": under, "visibility": "public", "language": "en"}
            status |= {"uri": f"https://far.example/{number}", "url": f"https://far.example/@{by}/{number}"}
            status |= {"content": f"<p>{words}</p>", "account": account, "mentions": [], "media_attachments": []}
            note = {"id": number, "type": "mention", "created_at": at, "account": account, "status": status}
            self.told.append(note)
            return number

    def take(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        """A reply of ours: one status a key where this server knows keys, else one a call."""
        there = next((one for one in self.kept if self.keyed and one["key"] == key), None)
        if there is not None:
            return there
        number = self._next()
        taken = {
            "id": number,
            "key": key,
            "content": f"<p>{body['status']}</p>",
            "in_reply_to_id": body.get("in_reply_to_id"),
            "account": US,
            "created_at": self.clock().isoformat().replace("+00:00", "Z"),
            "url": f"http://{self.host}/@acme/{number}",
        }
        self.kept.append(taken)
        return taken

    def status(self, number: str) -> dict[str, Any] | None:
        """A status by its id, of theirs or ours."""
        theirs = (note["status"] for note in self.told)
        return next((one for one in [*theirs, *self.kept] if one["id"] == number), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed is no fault of ours."""

    def _next(self) -> str:
        self._number += 1
        return str(self._number)


class _Handler(BaseHTTPRequestHandler):
    server: SocialServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two would wait for each other's acknowledgement

    def do_GET(self) -> None:
        path, server = urlsplit(self.path).path, self.server
        asked = parse_qs(urlsplit(self.path).query)
        with server.guard:
            if path == "/api/v1/notifications":
                after = int(asked.get("min_id", ["0"])[0])
                if "min_id" in asked:  # the page that follows next, the newest of it first
                    page = [note for note in server.told if int(note["id"]) > after][:PAGE][::-1]
                else:
                    before = int(asked.get("max_id", ["999999999"])[0])
                    page = [note for note in server.told if int(note["id"]) < before][::-1][:PAGE]
                self._answer(200, page)
            elif path == "/api/v1/accounts/verify_credentials":
                self._answer(200, US)
            elif path == f"/api/v1/accounts/{US['id']}/statuses":
                self._answer(200, server.kept[::-1][:PAGE])
            elif path.endswith("/context"):
                number = path.split("/")[4]
                below = [one for one in server.kept if one["in_reply_to_id"] == number]
                self._answer(200, {"ancestors": [], "descendants": below})
            elif path == "/api/v2/search":  # by its address, as for a post of another server
                self._answer(200, {"statuses": [server.status(asked["q"][0].rsplit("/", 1)[1])]})
            elif path.startswith("/api/v1/statuses/") and (found := server.status(path.rsplit("/", 1)[1])):
                self._answer(200, found)
            else:
                self._answer(404, {"error": "Record not found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        if self.path == "/hook":
            with server.guard:
                server.events[self.headers["webhook-id"]] += 1
            self._answer(200, {})
            return
        with server.guard:
            broken = server.breaks and server.chance.random() < OFTEN
            way = server.chance.choice(["before", "after", "silent"]) if broken else ""
            taken = server.take(body, self.headers["idempotency-key"]) if way != "before" else {}
        if way == "silent":
            self.close_connection = True
            self.connection.close()
        else:
            self._answer(502 if way else 200, taken if not way else {"error": "Bad gateway"})

    def _answer(self, code: int, body: Any) -> None:
        held = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(held)))
        self.end_headers()
        self.wfile.write(held)

    def log_message(self, format: str, *values: Any) -> None:
        """Nothing: what was asked is not of interest."""
