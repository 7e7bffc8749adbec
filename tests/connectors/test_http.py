"""The door to the network: where it goes, what it takes, and what it refuses."""

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing

import httpcore
import httpx
import pytest

from talkworthy.connectors.errors import AskForCredentials, GiveUp, TryLater
from talkworthy.connectors.guard import AddressRefused
from talkworthy.connectors.http import Http
from talkworthy.connectors.replies import TooLarge

PUBLIC = "93.184.216.34"


def door(answer: Callable[[httpx.Request], httpx.Response], **options: object) -> Http:
    return Http(transport=httpx.MockTransport(answer), sleep=lambda _: None, **options)  # type: ignore[arg-type]


def ok(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b"fine")


class Server:
    """A listening socket that answers each connection with the given bytes and counts the connections."""

    def __init__(self, *answers: bytes, then: Callable[[socket.socket], None] = lambda _: None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.asked: list[bytes] = []
        self._answers, self._then = answers, then
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            with line:
                self.asked.append(line.recv(65_536))
                line.sendall(answer)
                self._then(line)

    def close(self) -> None:
        self._listening.close()
        self._thread.join(timeout=5)


@pytest.fixture
def served() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*answers: bytes, **options: Callable[[socket.socket], None]) -> Server:
        started.append(Server(*answers, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


SPELLINGS = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://any.localhost/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[fe80::1%25eth0]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://[64:ff9b::10.0.0.1]/",
]


@pytest.mark.parametrize("url", SPELLINGS)
def test_this_machine_is_refused_however_it_is_spelled(url: str) -> None:
    with pytest.raises(AddressRefused):
        door(ok).get(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "example.org",
        "",
        "http://",
        "http:///path",
        "http://name:secret@example.org/",
        "http://example.org:99999/",
        "http://exa mple.org/",
        "http://example.org\r\nX: y/",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_address_of_a_web_server_is_refused(url: str) -> None:
    with pytest.raises(GiveUp):
        door(ok).get(url)


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(AddressRefused) as refusal:
        door(ok).get("http://alice:hunter2@example.org/")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:192.168.0.1"])
def test_a_name_that_leads_into_a_private_network_is_refused_after_dns(address: str) -> None:
    http = Http(resolve=lambda host, port: [address], pace=0, attempts=1)
    with closing(http), pytest.raises(AddressRefused):
        http.get("http://innocent.example/")


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    http = Http(resolve=lambda host, port: [PUBLIC, "192.168.0.1"], pace=0, attempts=1)
    with closing(http), pytest.raises(AddressRefused):
        http.get("http://mixed.example/")


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]
    went: list[str] = []

    def connect(self: object, host: str, *rest: object, **options: object) -> httpcore.NetworkStream:
        went.append(host)
        raise httpcore.ConnectError("nothing is sent in tests")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    http = Http(resolve=lambda host, port: answers.pop(0), pace=0, attempts=1)
    with closing(http), pytest.raises(TryLater):
        http.get("http://rebinding.example/")
    assert went == [PUBLIC]


def test_a_name_that_turns_private_between_two_attempts_is_refused_at_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]

    def connect(self: object, host: str, *rest: object, **options: object) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("nothing is sent in tests")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    http = Http(resolve=lambda host, port: answers.pop(0), pace=0, sleep=lambda _: None)
    with closing(http), pytest.raises(AddressRefused):
        http.get("http://rebinding.example/")


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/", "http://2130706433/", "//[::1]/", "file:///etc/passwd", "http://localhost/"]
)
def test_a_redirect_into_this_machine_is_refused(target: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"location": target})

    with pytest.raises(GiveUp):
        door(answer).get("http://example.org/")
    assert asked == ["http://example.org/"]


def test_a_redirect_to_a_name_that_leads_into_a_private_network_is_refused(served: Callable[..., Server]) -> None:
    server = served(b"HTTP/1.1 302 Found\r\nLocation: http://inside.example/\r\nContent-Length: 0\r\n\r\n")
    http = Http(resolve=lambda host, port: ["127.0.0.1"], allow_hosts={f"outside.example:{server.port}"}, pace=0)
    with closing(http), pytest.raises(AddressRefused, match=r"inside\.example"):
        http.get(f"http://outside.example:{server.port}/")


def test_an_allowed_host_is_reached_in_a_private_network(served: Callable[..., Server]) -> None:
    server = served(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    http = Http(resolve=lambda host, port: ["127.0.0.1"], allow_hosts={"wiki.example"}, pace=0)
    with closing(http):
        assert http.get(f"http://wiki.example:{server.port}/a?b=c").body == b"hello"
    assert server.asked[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: wiki.example:")


def test_a_socket_for_mail_is_refused_in_a_private_network_too() -> None:
    with pytest.raises(AddressRefused):
        Http(resolve=lambda host, port: ["10.0.0.1"]).socket("mail.example", 993)


def test_a_websocket_is_refused_in_a_private_network_too() -> None:
    http = Http(resolve=lambda host, port: ["127.0.0.1"], pace=0)
    for url in ("ws://innocent.example/", "ws://127.0.0.1/", "https://example.org/"):
        with pytest.raises(AddressRefused):
            http.websocket(url)


def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, served: Callable[..., Server]
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = served(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with closing(Http(allow_hosts={"127.0.0.1"}, pace=0)) as http:
        assert http.get(f"http://127.0.0.1:{server.port}/").text == "ok"


def test_redirects_are_followed_and_permanent_ones_noted() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/old":
            return httpx.Response(301, headers={"location": "/new"})
        if request.url.path == "/new":
            return httpx.Response(302, headers={"location": "https://elsewhere.example/today"})
        return httpx.Response(200, content=b"here")

    response = door(answer).get("https://example.org/old")
    assert (response.url, response.moved) == ("https://elsewhere.example/today", "https://example.org/new")


def test_endless_redirects_are_given_up() -> None:
    with pytest.raises(GiveUp, match="redirects more than"):
        door(lambda request: httpx.Response(302, headers={"location": "/again"})).get("http://example.org/")


def test_credentials_are_not_shown_to_another_origin() -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(302, headers={"location": "https://other.example/"}) if len(seen) == 1 else ok(request)

    door(answer).get(
        "https://example.org/", auth="token", headers={"X-Api-Key": "key", "Cookie": "a=b", "If-None-Match": "e"}
    )
    assert seen[0]["authorization"] == "Bearer token"
    assert not {"authorization", "x-api-key", "cookie"} & set(seen[1])
    assert seen[1]["if-none-match"] == "e"


def test_credentials_are_not_shown_to_the_same_host_without_tls() -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(302, headers={"location": "http://example.org/"}) if len(seen) == 1 else ok(request)

    door(answer).get("https://example.org/", auth=("alice", "secret"))
    assert "authorization" not in seen[1]


def test_what_was_sent_is_not_sent_on_to_another_origin() -> None:
    with pytest.raises(AddressRefused):
        door(lambda request: httpx.Response(307, headers={"location": "https://other.example/"})).post(
            "https://example.org/token", data={"client_secret": "x"}
        )


@pytest.mark.parametrize("target", ["http://[", "//[x]/", "http://[::1"])
def test_a_redirect_to_what_is_no_address_is_given_up(target: str) -> None:
    with pytest.raises(GiveUp, match="no address"):
        door(lambda _: httpx.Response(302, headers={"location": target})).get("https://example.org/")


def test_a_post_that_is_redirected_with_303_is_asked_with_get() -> None:
    asked: list[tuple[str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.content))
        return httpx.Response(303, headers={"location": "/done"}) if len(asked) == 1 else ok(request)

    door(answer).post("https://example.org/", json={"a": 1})
    assert asked == [("POST", b'{"a": 1}'), ("GET", b"")]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_stopped_while_it_is_unpacked(encoding: str) -> None:
    packed = gzip.compress(bytes(50_000_000)) if encoding == "gzip" else zlib.compress(bytes(50_000_000))

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(packed))

    with pytest.raises(TooLarge):
        door(answer).get("http://example.org/", max_bytes=1_000_000)


def test_packed_replies_are_unpacked() -> None:
    raw = zlib.compressobj(wbits=-15)
    streams = {
        "gzip": gzip.compress(b"hello ") + gzip.compress(b"there"),
        "deflate": zlib.compress(b"hello there"),
        "Deflate": raw.compress(b"hello there") + raw.flush(),
        "identity": b"hello there",
    }
    for encoding, packed in streams.items():
        reply = httpx.Response(200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(packed))
        assert door(lambda _, reply=reply: reply).get("http://example.org/").body == b"hello there"  # type: ignore[misc]


def test_a_broken_packed_stream_and_an_unknown_encoding_are_refused() -> None:
    for encoding, error in (("gzip", TryLater), ("br", GiveUp)):
        reply = httpx.Response(200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(b"not packed"))
        with pytest.raises(error):
            door(lambda _, reply=reply: reply).get("http://example.org/")  # type: ignore[misc]


def test_a_reply_that_announces_too_much_is_not_read() -> None:
    with pytest.raises(TooLarge):
        door(lambda _: httpx.Response(200, headers={"content-length": "999999999"})).get("http://example.org/")


def test_a_server_that_drips_its_headers_does_not_hold_us(served: Callable[..., Server]) -> None:
    def drip(line: socket.socket) -> None:
        for _ in range(100):
            if over.wait(0.05):
                return
            try:
                line.sendall(b"X-A: b\r\n")
            except OSError:
                return

    over = threading.Event()
    server = served(b"HTTP/1.1 200 OK\r\n", then=drip)
    with (
        closing(Http(allow_hosts={"127.0.0.1"}, pace=0, attempts=1)) as http,
        pytest.raises(TryLater, match="too long"),
    ):
        http.get(f"http://127.0.0.1:{server.port}/", timeout=0.3)
    over.set()


def test_a_broken_connection_is_tried_again_for_a_get_and_not_for_a_post() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        raise httpx.ConnectError("down")

    with pytest.raises(TryLater):
        door(answer).get("http://example.org/")
    with pytest.raises(TryLater):
        door(answer).post("http://example.org/", json={})
    assert asked == ["GET", "GET", "GET", "POST"]


def test_a_server_in_trouble_is_asked_again_and_its_last_answer_returned() -> None:
    statuses = [503, 502, 200]
    assert door(lambda _: httpx.Response(statuses.pop(0))).get("http://example.org/").status == 200


def test_a_long_retry_after_is_left_to_the_caller() -> None:
    slept: list[float] = []
    http = Http(
        transport=httpx.MockTransport(lambda _: httpx.Response(503, headers={"retry-after": "120"})), sleep=slept.append
    )
    with pytest.raises(TryLater) as later:
        http.get("http://example.org/").raise_for_status()
    assert (later.value.after, slept) == (120, [])


def test_one_host_is_asked_at_its_pace_and_another_at_once() -> None:
    now, slept = [1000.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    http = Http(transport=httpx.MockTransport(ok), pace=2.0, clock=lambda: now[0], sleep=sleep)
    http.get("http://example.org/1")
    http.get("http://other.example/")
    http.get("http://example.org/2")
    now[0] += 10
    http.get("http://example.org/3")
    assert slept == [2.0]


def test_a_host_whose_limit_is_spent_is_left_alone_until_its_reset() -> None:
    now, asked = [1000.0], []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("authorization"))
        return httpx.Response(200, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "300"})

    http = door(answer, clock=lambda: now[0])
    http.get("http://example.org/", auth="a")
    with pytest.raises(TryLater) as later:
        http.get("http://example.org/", auth="a")
    assert 299 < later.value.after <= 300
    http.get("http://example.org/", auth="another account")
    now[0] += 301
    http.get("http://example.org/", auth="a")
    assert asked == ["Bearer a", "Bearer another account", "Bearer a"]


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (401, {}, AskForCredentials),
        (403, {}, AskForCredentials),
        (403, {"retry-after": "5"}, TryLater),
        (404, {}, GiveUp),
        (410, {}, GiveUp),
        (422, {}, GiveUp),
        (429, {}, TryLater),
        (500, {}, TryLater),
    ],
)
def test_a_status_says_what_to_do_now(status: int, headers: dict[str, str], error: type[Exception]) -> None:
    response = door(lambda _: httpx.Response(status, headers=headers)).get("http://example.org/?q=private+words")
    with pytest.raises(error) as raised:
        response.raise_for_status()
    assert "private" not in str(raised.value)


def test_a_page_of_html_where_json_was_due_is_tried_later() -> None:
    for body in (b"<html>", b"[" * 100_000, b"\xff\xfe"):
        with pytest.raises(TryLater):
            door(lambda _, body=body: httpx.Response(200, content=body)).get("http://example.org/").json()  # type: ignore[misc]


def test_cookies_are_not_kept_in_a_payload() -> None:
    from datetime import UTC, datetime

    response = door(lambda _: httpx.Response(200, headers={"set-cookie": "s=1", "etag": "e"})).get(
        "http://example.org/"
    )
    payload = response.payload(fetched_at=datetime(2026, 1, 1, tzinfo=UTC), page=2)
    assert (dict(payload.headers), dict(payload.meta)) == ({"etag": "e"}, {"page": 2})


def test_lines_of_a_stream_come_without_their_ends() -> None:
    reply = httpx.Response(200, stream=httpx.ByteStream(b"event: a\r\ndata: b\n\nlast"))
    assert list(door(lambda _: reply).stream_lines("http://example.org/")) == [b"event: a", b"data: b", b"", b"last"]


def test_a_quiet_stream_gives_a_heartbeat_and_can_be_left(served: Callable[..., Server]) -> None:
    over = threading.Event()
    server = served(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n", then=lambda _: over.wait(5) and None
    )
    with closing(Http(allow_hosts={"127.0.0.1"}, pace=0)) as http:
        lines = http.stream_lines(f"http://127.0.0.1:{server.port}/", heartbeat=0.05)
        assert [next(lines), next(lines)] == [b"data: 1", None]
        lines.close()  # type: ignore[attr-defined]
    over.set()


def test_a_line_without_end_is_refused() -> None:
    reply = httpx.Response(200, stream=httpx.ByteStream(b"x" * 10_000))
    with pytest.raises(TooLarge):
        list(door(lambda _: reply).stream_lines("http://example.org/", max_line=1_000))


def test_a_stream_that_asks_for_credentials_says_so() -> None:
    with pytest.raises(AskForCredentials):
        list(door(lambda _: httpx.Response(401)).stream_lines("http://example.org/"))


def test_a_websocket_tells_messages_silence_and_its_end() -> None:
    from websockets.sync.server import ServerConnection, serve

    def greet(line: ServerConnection) -> None:
        line.send("hello")
        assert line.recv() == "go"

    with serve(greet, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        with Http(allow_hosts={"127.0.0.1"}, pace=0).websocket(f"ws://127.0.0.1:{port}/") as line:
            assert [line.recv(5), line.recv(0.05)] == ["hello", None]
            line.send("go")
            with pytest.raises(TryLater):
                line.recv(5)
        server.shutdown()


def test_a_server_without_websocket_says_so_as_it_does_elsewhere() -> None:
    import http

    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection, serve

    def refuse(line: ServerConnection, request: Request) -> Response:
        return line.respond(http.HTTPStatus.NOT_FOUND, "")

    with serve(lambda line: None, "127.0.0.1", 0, process_request=refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        with pytest.raises(GiveUp), Http(allow_hosts={"127.0.0.1"}, pace=0).websocket(f"ws://127.0.0.1:{port}/"):
            pass
        server.shutdown()
