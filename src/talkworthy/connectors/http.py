"""The only door to the network: time-outs, sizes, pace, retries, and no way into the house's own network.

An address is checked after DNS has answered, on every redirect, and the connection goes to the very address
that was checked. An administrator may name hosts that are let through (`allow_hosts`).
"""

import base64
import hashlib
import ipaddress
import json as jsonlib
import queue
import random
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpcore
import httpx
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import connect as open_websocket
from websockets.typing import Subprotocol

from talkworthy.connectors.contract import (
    AskForCredentials,
    ConnectorError,
    GiveUp,
    Payload,
    TryLater,
)

USER_AGENT = "Talkworthy/0.1 (social listening; +https://github.com/talkworthy/talkworthy)"
MAX_BYTES = 20_000_000
MAX_LINE = 2_000_000
REDIRECTS = 5
ATTEMPTS = 3
PACE = 0.25
"""Seconds between two requests to one host, unless the caller says otherwise."""
PATIENCE = 10.0
"""Longest wait in seconds inside a call; a longer one becomes TryLater."""
HEARTBEAT = 15.0
SILENCE = 120.0
"""A stream without a byte for so many seconds is taken as broken."""

_NOT_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f\\]")
_RETRIED = frozenset({502, 503, 504})
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS"})
_ACROSS_ORIGINS = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "if-modified-since", "if-none-match", "user-agent"}
)
_KEPT_HEADERS = ("content-type", "date", "etag", "last-modified", "link", "location")

Auth: TypeAlias = tuple[str, str] | str | None
"""Name and password for Basic, or a token for Bearer."""
Resolve: TypeAlias = Callable[[str, int], list[str]]


class AddressRefused(GiveUp):
    """The address leads into a private network, or is none that we go to."""


class TooLarge(GiveUp):
    """The reply is larger than was allowed."""


class _Broken(TryLater):
    """The network failed on the way: worth another attempt at once."""


@dataclass(frozen=True, kw_only=True)
class Response:
    """A whole reply. `url` is where it came from after redirects, `moved` where to ask from now on."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    url: str
    moved: str | None = None
    """The address after the permanent redirects (301, 308) with which the way began."""

    @property
    def text(self) -> str:
        """The body as text, in the declared encoding or else UTF-8; wrong bytes become U+FFFD."""
        found = re.search(r"charset=\"?([\w.:-]+)", self.headers.get("content-type", ""), re.IGNORECASE)
        try:
            return self.body.decode(found[1] if found else "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; TryLater where it is none, as a server in trouble answers with a page of HTML."""
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise TryLater(f"{_where(self.url)} did not answer with JSON", after=300) from error

    @property
    def links(self) -> dict[str, str]:
        """Absolute addresses of the Link header (RFC 8288) by relation; the first of a relation counts."""
        return links_of(self.headers.get("link", ""), self.url)

    @property
    def wait(self) -> float | None:
        """Seconds that the server asks us to stay away, if it says so."""
        return wait_of(self.headers, now=time.time())

    def raise_for_status(self) -> Self:
        """Itself when the status is below 400; else the error that says what to do now."""
        if self.status >= 400:
            raise _error_of(self.status, self.headers, self.url)
        return self

    def payload(self, *, fetched_at: datetime, **meta: Any) -> Payload:
        """The reply as a payload to keep; cookies and the like are left out."""
        kept = {name: self.headers[name] for name in _KEPT_HEADERS if name in self.headers}
        return Payload(
            body=self.body,
            content_type=self.headers.get("content-type", "application/octet-stream"),
            url=self.url,
            fetched_at=fetched_at,
            headers=kept,
            meta=meta,
        )


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
        self._guard = Guard(allow_hosts=allow_hosts, resolve=resolve or _resolve)
        self._user_agent = user_agent
        self._attempts = attempts
        self._clock = clock
        self._sleep = sleep
        self._deadline = threading.local()
        self._turns = _Turns(pace=(PACE if transport is None else 0.0) if pace is None else pace, clock=clock)
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
            except _Broken:
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
        raise GiveUp(f"{_where(asked.url)} redirects more than {REDIRECTS} times")

    def _exchange(self, asked: "_Asked", *, max_bytes: int, until: float) -> Response:
        reply = self._open(asked, until=until)
        try:
            if _announced(reply.headers) > max_bytes and asked.method != "HEAD":
                raise TooLarge(f"{_where(asked.url)} sends more than {max_bytes} bytes")
            with _network_errors(asked.url):
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
        with _network_errors(asked.url):
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
        decoder = _decoder(reply.headers.get("content-encoding", ""), url)
        total = 0
        for chunk in _raw(reply):
            for piece in decoder(chunk):
                total += len(piece)
                if total > max_bytes:
                    raise TooLarge(f"{_where(url)} sends more than {max_bytes} bytes")
                yield piece
            if self._clock() > until:
                raise _Broken(f"{_where(url)} took too long")

    @property
    def _transport(self) -> httpx.BaseTransport:
        if self._given is not None:
            return self._given
        tls = self.tls_context
        with self._making:
            if self._made is None:
                self._made = _Transport(tls, _Backend(self._guard, self._remaining))
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
        yield from _lines(reply, url, heartbeat=heartbeat, max_line=max_line)

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
                raise _error_of(reply.status_code, reply.headers, asked.url)
            return reply
        raise GiveUp(f"{_where(asked.url)} redirects more than {REDIRECTS} times")

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


class Guard:
    """Decides where we may go, and goes there."""

    def __init__(self, *, allow_hosts: Iterable[str], resolve: Resolve) -> None:
        self._allowed = frozenset(_plain_host(host) for host in allow_hosts)
        self._resolve = resolve

    def check_url(self, url: str, *, schemes: tuple[str, ...] = ("http", "https")) -> str:
        """The host of an address we may go to, as far as can be said before DNS; else AddressRefused."""
        try:
            parsed = httpx.URL(url)
        except (ValueError, httpx.InvalidURL) as error:
            raise AddressRefused(f"not an address: {_where(url)!r}") from error
        if _NOT_IN_ADDRESS.search(url):
            raise AddressRefused("an address holds no blanks, backslashes and control characters")
        if parsed.scheme not in schemes:
            raise AddressRefused(f"an address begins with {' or '.join(schemes)}, not {parsed.scheme[:20]!r}")
        if parsed.userinfo:
            raise AddressRefused("an address holds no name and password; give them in their own settings")
        host = parsed.raw_host.decode("ascii").strip("[]")
        if not host or (parsed.port or 1) > 65_535:
            raise AddressRefused(f"an address without a host or with a wrong port: {_where(url)!r}")
        self._check_name(host, parsed.port or (443 if parsed.scheme in ("https", "wss") else 80))
        return host

    def _check_name(self, host: str, port: int) -> None:
        if self.is_allowed(host, port):
            return
        name = _plain_host(host)
        if name == "localhost" or name.endswith(".localhost"):
            raise AddressRefused(f"{host} is this machine; an administrator may allow it")
        literal = _literal(name)
        if literal is not None and not is_public(literal):
            raise AddressRefused(f"{host} lies in a private network; an administrator may allow it")

    def is_allowed(self, host: str, port: int) -> bool:
        """Whether an administrator lets this host through."""
        name = _plain_host(host)
        return name in self._allowed or f"{name}:{port}" in self._allowed or f"[{name}]:{port}" in self._allowed

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of them public or the host allowed; else AddressRefused."""
        self._check_name(host, port)
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"no address is known for {host}") from error
        if not found:
            raise httpcore.ConnectError(f"no address is known for {host}")
        if not self.is_allowed(host, port):
            for address in found:
                if not is_public(address):
                    raise AddressRefused(f"{host} leads to {address}, a private network; an administrator may allow it")
        return found

    def connect(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """A TCP connection to a checked address."""
        broken: Exception | None = None
        try:
            for address in self.addresses(host, port):
                try:
                    return socket.create_connection((address, port), timeout)
                except OSError as error:
                    broken = error
        except httpcore.ConnectError as error:
            broken = error
        raise TryLater(f"no connection with {host}:{port}: {broken}") from broken


_REFUSED = tuple(
    ipaddress.ip_network(block)
    for block in (
        "168.63.129.16/32",  # the platform address of a cloud, public by number only
        "192.88.99.0/24",  # relays of 6to4
        "2001::/32",  # Teredo
        "5f00::/16",  # segment routing
    )
)
_GLOBAL_6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet; IPv4 within IPv6 counts as what it carries."""
    try:
        ip = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        carried = _carried(ip)
        if carried is not None:
            return is_public(str(carried))
        if ip not in _GLOBAL_6:
            return False
    if any(ip in block for block in _REFUSED):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_link_local)


def _carried(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip in _SIX_TO_FOUR:
        return ip.sixtofour
    return None


def _literal(host: str) -> str | None:
    """The address that a host spells, also as 2130706433, 0x7f.1 or 0177.0.0.1; None for a name."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(host.split("%", 1)[0]))
    with suppress(OSError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return None


def _plain_host(host: str) -> str:
    name = host.strip().lower()
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    return name.rstrip(".")


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Backend(httpcore.NetworkBackend):
    """Connects httpcore to checked addresses, and holds every read and write to the deadline of its request."""

    def __init__(self, guard: Guard, remaining: Callable[[], float | None]) -> None:
        self._guard = guard
        self._remaining = remaining
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        broken: Exception | None = None
        for address in self._guard.addresses(host, port):
            try:
                stream = self._plain.connect_tcp(
                    address, port, _least(timeout, self._remaining()), local_address, socket_options
                )
                return _Stream(stream, self._remaining)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                broken = error
        raise broken or httpcore.ConnectError(f"no address is known for {host}")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        raise AddressRefused("a socket file is no address")


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, remaining: Callable[[], float | None]) -> None:
        self._stream = stream
        self._remaining = remaining

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _least(timeout, self._remaining()))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _least(timeout, self._remaining()))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _least(timeout, self._remaining())
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._remaining)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Transport(httpx.HTTPTransport):
    """httpx's transport over our own connections; proxies of the environment are not used."""

    def __init__(self, tls: ssl.SSLContext, backend: httpcore.NetworkBackend) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=64,
            max_keepalive_connections=16,
            keepalive_expiry=15.0,
            http1=True,
            http2=False,
            network_backend=backend,
        )


class _Turns:
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
        spent = _remaining_of(headers) == 0
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
        url = urljoin(self.url, target)
        url = quote(url, safe="%/:=&?~#+!$,;'@()*[]|")
        same = _origin(self.url) == _origin(url)
        headers = httpx.Headers(
            [(name, value) for name, value in self.headers.items() if same or name.lower() in _ACROSS_ORIGINS]
        )
        if status in (307, 308) and self.body is not None and not same:
            raise AddressRefused(f"{_where(self.url)} wants what we sent to go to {_where(url)}")
        if self.method in _IDEMPOTENT or status in (307, 308):
            return _Asked(method=self.method, url=url, headers=headers, body=self.body)
        headers.pop("content-type", None)
        return _Asked(method="GET", url=url, headers=headers, body=None)


class WebSocket:
    """One WebSocket connection; use it as a context manager."""

    def __init__(
        self,
        url: str,
        plain: socket.socket,
        *,
        tls: ssl.SSLContext | None,
        headers: Mapping[str, str],
        subprotocols: tuple[str, ...],
        user_agent: str,
        timeout: float,
        max_bytes: int,
    ) -> None:
        self._url = url
        self._plain = plain
        self._opening = open_websocket(
            url,
            sock=plain,
            ssl=tls,
            additional_headers=dict(headers),
            user_agent_header=user_agent,
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            proxy=None,
            open_timeout=timeout,
            max_size=max_bytes,
            legacy=False,  # connects when it is entered, so that a refusal is told there
        )

    def __enter__(self) -> Self:
        try:
            self._open = self._opening.__enter__()
        except InvalidStatus as error:
            raise _error_of(error.response.status_code, dict(error.response.headers.raw_items()), self._url) from error
        except (InvalidHandshake, WebSocketException, OSError, ValueError) as error:
            self._plain.close()
            raise TryLater(f"no WebSocket with {_where(self._url)}: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opening.__exit__(kind, error, trace)

    def recv(self, timeout: float | None = HEARTBEAT) -> bytes | str | None:
        """The next message; None after `timeout` quiet seconds. TryLater when the connection is over."""
        try:
            return self._open.recv(timeout)
        except TimeoutError:
            return None
        except WebSocketException as error:
            raise TryLater(f"{_where(self._url)} closed the connection: {error}", after=5) from error

    def send(self, message: bytes | str) -> None:
        """Send one message."""
        try:
            self._open.send(message)
        except WebSocketException as error:
            raise TryLater(f"{_where(self._url)} closed the connection: {error}", after=5) from error


class _network_errors:  # noqa: N801 - reads as a statement
    """Turns what the network does to us into TryLater, and our own bad requests into GiveUp."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ConnectorError):
            return
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            raise GiveUp(f"{_where(self._url)} cannot be asked: {error}") from error
        if isinstance(error, httpx.TimeoutException | httpcore.TimeoutException):
            raise _Broken(f"{_where(self._url)} took too long") from error
        if isinstance(error, httpx.TransportError | httpcore.NetworkError | httpcore.ProtocolError | OSError):
            raise _Broken(f"no answer from {_where(self._url)}: {error}") from error


def _announced(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "").strip()
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def _raw(reply: httpx.Response) -> Iterator[bytes]:
    stream = reply.stream
    if not isinstance(stream, httpx.SyncByteStream):
        raise GiveUp("a reply that cannot be read here")
    yield from stream


Box: TypeAlias = "queue.Queue[bytes | ConnectorError | None]"


def _lines(reply: httpx.Response, url: str, *, heartbeat: float, max_line: int) -> Iterator[bytes | None]:
    """Read in a thread, so that silence can be told while a read waits; the bounded queue holds the server back."""
    box: Box = queue.Queue(maxsize=64)
    over = threading.Event()
    reader = threading.Thread(target=_read_into, args=(reply, url, box, over, max_line), daemon=True)
    reader.start()
    try:
        while True:
            try:
                found = box.get(timeout=heartbeat)
            except queue.Empty:
                yield None
                continue
            if found is None:
                return
            if isinstance(found, ConnectorError):
                raise found
            yield found
    finally:
        over.set()
        _hang_up(reply)
        reader.join(timeout=5)
        reply.close()


def _read_into(reply: httpx.Response, url: str, box: Box, over: threading.Event, max_line: int) -> None:
    def put(found: bytes | ConnectorError | None) -> bool:
        while not over.is_set():
            with suppress(queue.Full):
                box.put(found, timeout=0.5)
                return True
        return False

    rest = b""
    try:
        with _network_errors(url):
            for chunk in _raw(reply):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > max_line or any(len(line) > max_line for line in lines):
                    raise TooLarge(f"{_where(url)} sends a line of more than {max_line} bytes")
                if not all(put(line.removesuffix(b"\r")) for line in lines):
                    return
    except ConnectorError as error:
        put(error)
        return
    if rest:
        put(rest.removesuffix(b"\r"))
    put(None)


def _hang_up(reply: httpx.Response) -> None:
    stream = reply.extensions.get("network_stream")
    line = stream.get_extra_info("socket") if stream is not None else None
    if line is not None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def _decoder(encoding: str, url: str) -> Callable[[bytes], Iterator[bytes]]:
    """Unpacks in pieces of at most 64 KiB, so that a bomb is noticed before it goes off."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return lambda chunk: iter((chunk,))
    if name not in ("gzip", "x-gzip", "deflate"):
        raise GiveUp(f"{_where(url)} sends an encoding that was not asked for: {name[:40]}")
    inflater = zlib.decompressobj(47)
    begun = False

    def unpack(chunk: bytes) -> Iterator[bytes]:
        nonlocal inflater, begun
        try:
            while chunk:
                if inflater.eof:
                    inflater = zlib.decompressobj(47)
                try:
                    piece = inflater.decompress(chunk, 65_536)
                except zlib.error:
                    if begun or name != "deflate":
                        raise
                    inflater = zlib.decompressobj(-15)
                    piece = inflater.decompress(chunk, 65_536)
                begun = True
                chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                yield piece
        except zlib.error as error:
            raise _Broken(f"{_where(url)} sends a broken {name} stream") from error

    return unpack


def has_left(error: ConnectorError) -> bool:
    """Whether a request that broke may have reached the server: it was not when no connection came about."""
    unconnected = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    below = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)
    return isinstance(error, _Broken) and not isinstance(error.__cause__, unconnected + below)


def wait_of(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that a reply asks us to stay away: Retry-After, RateLimit (both drafts), X-RateLimit-Reset.

    `now` is epoch seconds. A reset counts only where nothing is left.
    """
    after = headers.get("retry-after", "").strip()
    if after:
        return _seconds_until(after, now=now)
    if _remaining_of(headers) != 0:
        return None
    for name in ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"):
        if headers.get(name, "").strip():
            return _seconds_until(headers[name].strip(), now=now)
    found = re.search(r"(?:\breset|;\s*t)\s*=\s*(\d+)", headers.get("ratelimit", ""))
    return float(found[1]) if found else None


def _remaining_of(headers: Mapping[str, str]) -> int | None:
    for name in ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"):
        with suppress(ValueError):
            return int(float(headers[name])) if name in headers else _nothing()
    found = re.search(r"(?:\bremaining|;\s*r)\s*=\s*(\d+)", headers.get("ratelimit", ""))
    return int(found[1]) if found else None


def _nothing() -> int:
    raise ValueError("no such header")


def _seconds_until(text: str, *, now: float) -> float | None:
    """Seconds, an epoch in seconds or milliseconds, an HTTP date or an ISO date, as seconds from now."""
    with suppress(ValueError):
        number = float(text)
        if number > 1e12:
            number /= 1000
        return max(number - now, 0.0) if number > 1e9 else max(number, 0.0)
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        with suppress(ValueError, TypeError, IndexError):
            moment = read(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            return max(moment.timestamp() - now, 0.0)
    return None


_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s\",;]*))?)*)")


def links_of(header: str, base: str) -> dict[str, str]:
    """Absolute addresses of a Link header (RFC 8288) by lower-case relation; the first of a relation counts."""
    found: dict[str, str] = {}
    for target, parameters in _LINK.findall(header[:65_536]):
        relation = re.search(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\",;]+))", parameters, re.IGNORECASE)
        for name in ((relation[1] or relation[2]) if relation else "").lower().split():
            with suppress(ValueError):
                found.setdefault(name, urljoin(base, target.strip()))
    return found


def _error_of(status: int, headers: Mapping[str, str], url: str) -> ConnectorError:
    folded = httpx.Headers(dict(headers))
    wait = wait_of(folded, now=time.time())
    where = _where(url)
    if status in (408, 425, 429) or status >= 500:
        return TryLater(f"{where} answered {status}", after=wait if wait is not None else 60.0)
    if status == 403 and wait is not None:
        return TryLater(f"{where} answered 403 and asks for a pause", after=wait)
    if status in (401, 403, 407):
        return AskForCredentials(f"{where} answered {status}: the name, password or token is not accepted")
    if status in (404, 410):
        return GiveUp(f"{where} answered {status}: there is nothing at this address")
    return GiveUp(f"{where} answered {status}")


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


def _where(url: str) -> str:
    """An address for messages and logs: without name, password and query."""
    return re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0][:300])[:200]


def _least(first: float | None, second: float | None) -> float | None:
    present = [value for value in (first, second) if value is not None]
    return min(present) if present else None
