"""WebSockets over checked connections."""

import socket
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import connect as open_websocket
from websockets.typing import Subprotocol

from talkworthy.connectors.errors import TryLater
from talkworthy.connectors.guard import where
from talkworthy.connectors.replies import error_of

HEARTBEAT = 15.0


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
            raise error_of(error.response.status_code, dict(error.response.headers.raw_items()), self._url) from error
        except (InvalidHandshake, WebSocketException, OSError, ValueError) as error:
            self._plain.close()
            raise TryLater(f"no WebSocket with {where(self._url)}: {error}") from error
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
            raise TryLater(f"{where(self._url)} closed the connection: {error}", after=5) from error

    def send(self, message: bytes | str) -> None:
        """Send one message."""
        try:
            self._open.send(message)
        except WebSocketException as error:
            raise TryLater(f"{where(self._url)} closed the connection: {error}", after=5) from error
