"""Where we may go: no way into the house's own network, however it is spelled and whatever DNS answers.

A host is checked after DNS has answered, and the connection goes to the very address that was checked. An
administrator may name hosts that are let through.
"""

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeAlias

import httpcore
import httpx

from talkworthy.connectors.errors import GiveUp, TryLater

_NOT_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f\\]")
Resolve: TypeAlias = Callable[[str, int], list[str]]


class AddressRefused(GiveUp):
    """The address leads into a private network, or is none that we go to."""


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
            raise AddressRefused(f"not an address: {where(url)!r}") from error
        if _NOT_IN_ADDRESS.search(url):
            raise AddressRefused("an address holds no blanks, backslashes and control characters")
        if parsed.scheme not in schemes:
            raise AddressRefused(f"an address begins with {' or '.join(schemes)}, not {parsed.scheme[:20]!r}")
        if parsed.userinfo:
            raise AddressRefused("an address holds no name and password; give them in their own settings")
        host = parsed.raw_host.decode("ascii").strip("[]")
        if not host or (parsed.port or 1) > 65_535:
            raise AddressRefused(f"an address without a host or with a wrong port: {where(url)!r}")
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


def resolved(host: str, port: int) -> list[str]:
    """The addresses that DNS gives, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def where(url: str) -> str:
    """An address for messages and logs: without name, password and query."""
    return re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0][:300])[:200]


class Backend(httpcore.NetworkBackend):
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


class Transport(httpx.HTTPTransport):
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


def _least(first: float | None, second: float | None) -> float | None:
    present = [value for value in (first, second) if value is not None]
    return min(present) if present else None
