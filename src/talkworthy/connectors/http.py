"""The only door to the network: time-outs, sizes, pace, retries, and no way into the house's own network.

An address is checked after DNS has answered, on every redirect, and the connection goes to the very address
that was checked (`guard`). An administrator may name hosts that are let through (`allow_hosts`).
"""

import base64
import hashlib
import json as jsonlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpx

from talkworthy.connectors.errors import GiveUp, TryLater
from talkworthy.connectors.guard import AddressRefused, Backend, Guard, Resolve, Transport, resolved, where
from talkworthy.connectors.replies import (
    Broken,
    Response,
    TooLarge,
    announced,
    decoder,
    error_of,
    lines,
    network_errors,
    raw,
    remaining_of,
    wait_of,
)
from talkworthy.connectors.websocket import HEARTBEAT, WebSocket

USER_AGENT = "Talkworthy/0.1 (social listening; +https://github.com/talkworthy/talkworthy)"
MAX_BYTES = 20_000_000
MAX_LINE = 2_000_000
REDIRECTS = 5
ATTEMPTS = 3
PACE = 0.25
"""Seconds between two requests to one host, unless the caller says otherwise."""
PATIENCE = 10.0
"""Longest wait in seconds inside a call; a longer one becomes TryLater."""
SILENCE = 120.0
"""A stream without a byte for so many seconds is taken as broken."""
_RETRIED = frozenset({502, 503, 504})
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS"})
_ACROSS_ORIGINS = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "if-modified-since", "if-none-match", "user-agent"}
)
Auth: TypeAlias = tuple[str, str] | str | None
"""Name and password for Basic, or a token for Bearer."""


class Http:
    """The door. One for a process; safe for threads.

    `allow_hosts` holds "host" or "host:port" that may lie in a private network. `pace` is the seconds between
    two requests to one host (0.25; none where a test brings its own transport). `resolve`, `clock` (monotonic
    seconds) and `sleep` can be replaced in tests, as can `transport`.
    """

    def __init__(
        self,
        *,
        allow_hosts: Iterable[str] = frozenset(),
        transport: httpx.BaseTransport | None = None,
        user_agent: str = USER_AGENT,
        pace: float | None = None,
        attempts: int = ATTEMPTS,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._guard = Guard(allow_hosts=allow_hosts, resolve=resolve or resolved)
        self._user_agent = user_agent
        self._attempts = attempts
        self._clock = clock
        self._sleep = sleep
        self._deadline = threading.local()
        self._turns = Turns(pace=(PACE if transport is None else 0.0) if pace is None else pace, clock=clock)
        self._tls: ssl.SSLContext | None = None
        self._given = transport
        self._made: httpx.BaseTransport | None = None
        self._making = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        if self._made is not None:
            self._made.close()
            self._made = None

    @property
    def tls_context(self) -> ssl.SSLContext:
        """The trusted certificates, for libraries that do STARTTLS themselves."""
        with self._making:
            if self._tls is None:
                self._tls = httpx.create_ssl_context()
            return self._tls

    # requests

    def get(self, url: str, **options: Any) -> Response:
        """`request("GET", …)`."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        """`request("POST", …)`."""
        return self.request("POST", url, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Auth = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        max_bytes: int = MAX_BYTES,
        timeout: float = 30.0,
        accept: str | None = None,
    ) -> Response:
        """Ask and read the whole reply; a status of 400 and above comes back as it is.

        `auth` is a pair for Basic or a token for Bearer, and is not shown to another origin after a redirect.
        `timeout` is seconds for the whole exchange, per attempt. Raises TryLater for a broken network or a
        channel that asks for a longer pause, GiveUp for an address we do not go to and a reply above
        `max_bytes` (counted after decompression).
        """
        asked = _Asked(
            method=method.upper(),
            url=_with_params(url, params),
            headers=self._headers(headers, auth, accept),
            body=None,
        ).with_body(json=json, data=data, content=content)
        attempts = self._attempts if asked.method in _IDEMPOTENT else 1
        for attempt in range(1, attempts + 1):
            pause = min(2.0 ** (attempt - 1), PATIENCE) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret
            try:
                response = self._follow(asked, max_bytes=max_bytes, timeout=timeout)
            except Broken:
                if attempt == attempts:
                    raise
            else:
                pause = response.wait if response.wait is not None else pause
                if response.status not in _RETRIED or attempt == attempts or pause > PATIENCE:
                    return response
            self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _headers(self, headers: Mapping[str, str] | None, auth: Auth, accept: str | None) -> httpx.Headers:
        merged = httpx.Headers({"user-agent": self._user_agent, "accept-encoding": "gzip, deflate"})
        merged["accept"] = accept or "*/*"
        merged.update(dict(headers or {}))
        if auth is not None:
            merged["authorization"] = _authorization(auth)
        return merged

    def _follow(self, asked: "_Asked", *, max_bytes: int, timeout: float) -> Response:
        moved, permanent = None, True
        until = self._clock() + timeout
        for _ in range(REDIRECTS + 1):
            response = self._exchange(asked, max_bytes=max_bytes, until=until)
            target = response.headers.get("location")
            if response.status not in (301, 302, 303, 307, 308) or not target:
                return Response(
                    status=response.status, headers=response.headers, body=response.body, url=asked.url, moved=moved
                )
            permanent = permanent and response.status in (301, 308)
            asked = asked.redirected(response.status, target)
            moved = asked.url if permanent else moved
        raise GiveUp(f"{where(asked.url)} redirects more than {REDIRECTS} times")

    def _exchange(self, asked: "_Asked", *, max_bytes: int, until: float) -> Response:
        reply = self._open(asked, until=until)
        try:
            if announced(reply.headers) > max_bytes and asked.method != "HEAD":
                raise TooLarge(f"{where(asked.url)} sends more than {max_bytes} bytes")
            with network_errors(asked.url):
                body = b"".join(self._chunks(reply, asked.url, max_bytes=max_bytes, until=until))
        finally:
            reply.close()
            self._deadline.at = None
        return Response(status=reply.status_code, headers=reply.headers, body=body, url=asked.url)

    def _open(self, asked: "_Asked", *, until: float | None, silence: float = 30.0) -> httpx.Response:
        """Check, wait for our turn, send; the reply's body is not read yet."""
        host = self._guard.check_url(asked.url)
        self._sleep_until_turn(host, asked)
        self._deadline.at = until
        left = silence if until is None else max(until - self._clock(), 0.001)
        times = dict.fromkeys(("connect", "read", "write", "pool"), left)
        with network_errors(asked.url):
            request = httpx.Request(
                asked.method, asked.url, headers=asked.headers, content=asked.body, extensions={"timeout": times}
            )
            reply = self._transport.handle_request(request)
        self._turns.learn(host, asked.credential, reply.status_code, reply.headers)
        return reply

    def _sleep_until_turn(self, host: str, asked: "_Asked") -> None:
        wait = self._turns.wait(host, asked.credential)
        if wait > 0:
            self._sleep(wait)

    def _chunks(self, reply: httpx.Response, url: str, *, max_bytes: int, until: float) -> Iterator[bytes]:
        unpacked = decoder(reply.headers.get("content-encoding", ""), url)
        total = 0
        for chunk in raw(reply):
            for piece in unpacked(chunk):
                total += len(piece)
                if total > max_bytes:
                    raise TooLarge(f"{where(url)} sends more than {max_bytes} bytes")
                yield piece
            if self._clock() > until:
                raise Broken(f"{where(url)} took too long")

    @property
    def _transport(self) -> httpx.BaseTransport:
        if self._given is not None:
            return self._given
        tls = self.tls_context
        with self._making:
            if self._made is None:
                self._made = Transport(tls, Backend(self._guard, self._remaining))
            return self._made

    def _remaining(self) -> float | None:
        at = getattr(self._deadline, "at", None)
        return None if at is None else max(at - self._clock(), 0.001)

    # long connections

    def stream_lines(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Auth = None,
        accept: str | None = "text/event-stream",
        heartbeat: float = HEARTBEAT,
        max_line: int = MAX_LINE,
    ) -> Iterator[bytes | None]:
        """Lines without their ends as a server sends them (SSE, NDJSON), and None after `heartbeat` quiet seconds.

        Ends when the server ends it. Raises like `raise_for_status`, and TryLater when the line breaks.
        """
        sent = self._headers(headers, auth, accept)
        sent["accept-encoding"] = "identity"
        asked = _Asked(method="GET", url=_with_params(url, params), headers=sent, body=None)
        reply = self._open_stream(asked)
        yield from lines(reply, url, heartbeat=heartbeat, max_line=max_line)

    def _open_stream(self, asked: "_Asked") -> httpx.Response:
        for _ in range(REDIRECTS + 1):
            reply = self._open(asked, until=None, silence=SILENCE)
            target = reply.headers.get("location")
            if reply.status_code in (301, 302, 303, 307, 308) and target:
                reply.close()
                asked = asked.redirected(reply.status_code, target)
                continue
            if reply.status_code >= 400:
                reply.close()
                raise error_of(reply.status_code, reply.headers, asked.url)
            return reply
        raise GiveUp(f"{where(asked.url)} redirects more than {REDIRECTS} times")

    def websocket(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Auth = None,
        subprotocols: Iterable[str] = (),
        timeout: float = 30.0,
        max_bytes: int = 5_000_000,
    ) -> "WebSocket":
        """A WebSocket (ws:, wss:) as a context manager. Redirects are not followed."""
        full = _with_params(url, params)
        host = self._guard.check_url(full, schemes=("ws", "wss"))
        parts = urlsplit(full)
        self._sleep_until_turn(host, _Asked(method="GET", url=full, headers=httpx.Headers(), body=None))
        secure = parts.scheme == "wss"
        sent = dict(headers or {})
        if auth is not None:
            sent["Authorization"] = _authorization(auth)
        plain = self._guard.connect(host, parts.port or (443 if secure else 80), timeout=timeout)
        return WebSocket(
            full,
            plain,
            tls=self.tls_context if secure else None,
            headers=sent,
            subprotocols=tuple(subprotocols),
            user_agent=self._user_agent,
            timeout=timeout,
            max_bytes=max_bytes,
        )

    def socket(
        self, host: str, port: int, *, tls: Literal["implicit", "starttls", "none"] = "implicit", timeout: float = 30.0
    ) -> socket.socket:
        """A connected socket to a checked address, under TLS where `tls` is "implicit".

        With "starttls" the caller's library upgrades it, with `tls_context` and this host's name.
        """
        plain = self._guard.connect(host, port, timeout=timeout)
        if tls != "implicit":
            return plain
        try:
            return self.tls_context.wrap_socket(plain, server_hostname=host)
        except OSError as error:
            plain.close()
            raise TryLater(f"no TLS connection with {host}:{port}: {error}") from error


class Turns:
    """Who may ask which host when: a pace for all, and pauses that a host asked for."""

    def __init__(self, *, pace: float, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._clock = clock
        self._free: dict[str, float] = {}
        self._held: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def wait(self, host: str, credential: str) -> float:
        """Take the next turn and return the seconds until it; TryLater where the host asked for a longer pause."""
        with self._lock:
            now = self._clock()
            held = self._held.get((host, credential), 0.0)
            if held - now > PATIENCE:
                raise TryLater(f"{host} asked for a pause", after=held - now)
            turn = max(now, held, self._free.get(host, 0.0))
            self._free[host] = turn + self._pace
            return turn - now

    def learn(self, host: str, credential: str, status: int, headers: Mapping[str, str]) -> None:
        """Remember a pause that a reply asks for."""
        spent = remaining_of(headers) == 0
        if not spent and status not in (429, 503):
            return
        pause = wait_of(headers, now=time.time())
        if pause:
            with self._lock:
                self._forget()
                self._held[(host, credential)] = self._clock() + pause

    def _forget(self) -> None:
        if len(self._held) + len(self._free) < 10_000:
            return
        now = self._clock()
        self._held = {key: at for key, at in self._held.items() if at > now}
        self._free = {host: at for host, at in self._free.items() if at > now}


@dataclass(frozen=True, kw_only=True)
class _Asked:
    method: str
    url: str
    headers: httpx.Headers
    body: bytes | None = field(repr=False)

    @property
    def credential(self) -> str:
        """Whose limit a request counts against, without keeping the secret."""
        return hashlib.sha256(self.headers.get("authorization", "").encode()).hexdigest()[:16]

    def with_body(self, *, json: Any, data: Mapping[str, Any] | None, content: bytes | None) -> "_Asked":
        headers = self.headers.copy()
        body = content
        if json is not None:
            body = jsonlib.dumps(json, ensure_ascii=False).encode()
            headers.setdefault("content-type", "application/json")
        elif data is not None:
            body = urlencode(data, doseq=True).encode()
            headers.setdefault("content-type", "application/x-www-form-urlencoded")
        return _Asked(method=self.method, url=self.url, headers=headers, body=body)

    def redirected(self, status: int, target: str) -> "_Asked":
        """What to ask next; another origin is shown no credentials, and is sent no body."""
        try:
            url = quote(urljoin(self.url, target), safe="%/:=&?~#+!$,;'@()*[]|")
        except ValueError as error:
            raise GiveUp(f"{where(self.url)} redirects to what is no address") from error
        same = _origin(self.url) == _origin(url)
        headers = httpx.Headers(
            [(name, value) for name, value in self.headers.items() if same or name.lower() in _ACROSS_ORIGINS]
        )
        if status in (307, 308) and self.body is not None and not same:
            raise AddressRefused(f"{where(self.url)} wants what we sent to go to {where(url)}")
        if self.method in _IDEMPOTENT or status in (307, 308):
            return _Asked(method=self.method, url=url, headers=headers, body=self.body)
        headers.pop("content-type", None)
        return _Asked(method="GET", url=url, headers=headers, body=None)


def _authorization(auth: tuple[str, str] | str) -> str:
    if isinstance(auth, str):
        return f"Bearer {auth}"
    return "Basic " + base64.b64encode(f"{auth[0]}:{auth[1]}".encode()).decode()


def _with_params(url: str, params: Mapping[str, Any] | None) -> str:
    present = {name: value for name, value in (params or {}).items() if value is not None}
    if not present:
        return url
    address, hash_sign, fragment = url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(present, doseq=True)}{hash_sign}{fragment}"


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        default = {"https": 443, "http": 80}.get(parts.scheme)
        return parts.scheme, (parts.hostname or ""), parts.port or default
    except ValueError:
        return "", url, None
