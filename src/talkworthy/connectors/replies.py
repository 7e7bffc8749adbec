"""What comes back: whole replies and streams of lines, in bounded memory, and what a status asks us to do."""

import json as jsonlib
import math
import queue
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import urljoin

import httpcore
import httpx

from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, TryLater
from talkworthy.connectors.guard import where
from talkworthy.connectors.payload import Payload

_KEPT_HEADERS = ("content-type", "date", "etag", "last-modified", "link", "location")
LONGEST_WAIT = 86_400.0
"""Seconds that a server may keep us away at once; it is asked again then, whatever it said."""


class TooLarge(GiveUp):
    """The reply is larger than was allowed."""


class Broken(TryLater):
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
            raise TryLater(f"{where(self.url)} did not answer with JSON", after=300) from error

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
            raise error_of(self.status, self.headers, self.url)
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


class network_errors:  # noqa: N801 - reads as a statement
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
            raise GiveUp(f"{where(self._url)} cannot be asked: {error}") from error
        if isinstance(error, httpx.TimeoutException | httpcore.TimeoutException):
            raise Broken(f"{where(self._url)} took too long") from error
        if isinstance(error, httpx.TransportError | httpcore.NetworkError | httpcore.ProtocolError | OSError):
            raise Broken(f"no answer from {where(self._url)}: {error}") from error


def announced(headers: Mapping[str, str]) -> int:
    """Bytes that a reply says it has; 0 where it does not say."""
    length = headers.get("content-length", "").strip()
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def raw(reply: httpx.Response) -> Iterator[bytes]:
    """The body as it comes, packed or not."""
    stream = reply.stream
    if not isinstance(stream, httpx.SyncByteStream):
        raise GiveUp("a reply that cannot be read here")
    yield from stream


Box: TypeAlias = "queue.Queue[bytes | ConnectorError | None]"


def lines(reply: httpx.Response, url: str, *, heartbeat: float, max_line: int) -> Iterator[bytes | None]:
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
        with network_errors(url):
            for chunk in raw(reply):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > max_line or any(len(line) > max_line for line in lines):
                    raise TooLarge(f"{where(url)} sends a line of more than {max_line} bytes")
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


def decoder(encoding: str, url: str) -> Callable[[bytes], Iterator[bytes]]:
    """Unpacks in pieces of at most 64 KiB, so that a bomb is noticed before it goes off."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return lambda chunk: iter((chunk,))
    if name not in ("gzip", "x-gzip", "deflate"):
        raise GiveUp(f"{where(url)} sends an encoding that was not asked for: {name[:40]}")
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
            raise Broken(f"{where(url)} sends a broken {name} stream") from error

    return unpack


def has_left(error: ConnectorError) -> bool:
    """Whether a request that broke may have reached the server: it was not when no connection came about."""
    unconnected = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    below = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)
    return isinstance(error, Broken) and not isinstance(error.__cause__, unconnected + below)


def wait_of(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that a reply asks us to stay away: Retry-After, RateLimit (both drafts), X-RateLimit-Reset.

    `now` is epoch seconds. A reset counts only where nothing is left. Never longer than LONGEST_WAIT.
    """
    seconds = _told_wait(headers, now=now)
    if seconds is None or math.isnan(seconds):
        return None
    return min(seconds, LONGEST_WAIT)


def _told_wait(headers: Mapping[str, str], *, now: float) -> float | None:
    after = headers.get("retry-after", "").strip()
    if after:
        return _seconds_until(after, now=now)
    if remaining_of(headers) != 0:
        return None
    for name in ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"):
        if headers.get(name, "").strip():
            return _seconds_until(headers[name].strip(), now=now)
    found = re.search(r"(?:\breset|;\s*t)\s*=\s*(\d+)", headers.get("ratelimit", ""))
    return float(found[1]) if found else None


def remaining_of(headers: Mapping[str, str]) -> int | None:
    """Requests that a reply says are left; None where it does not say."""
    for name in ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"):
        with suppress(ValueError, OverflowError):
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


def error_of(status: int, headers: Mapping[str, str], url: str) -> ConnectorError:
    """What a status of 400 and above means for a connector: try later, ask for credentials, or give up."""
    folded = httpx.Headers(dict(headers))
    wait = wait_of(folded, now=time.time())
    place = where(url)
    if status in (408, 425, 429) or status >= 500:
        return TryLater(f"{place} answered {status}", after=wait if wait is not None else 60.0)
    if status == 403 and wait is not None:
        return TryLater(f"{place} answered 403 and asks for a pause", after=wait)
    if status in (401, 403, 407):
        return AskForCredentials(f"{place} answered {status}: the name, password or token is not accepted")
    if status in (404, 410):
        return GiveUp(f"{place} answered {status}: there is nothing at this address")
    return GiveUp(f"{place} answered {status}")
