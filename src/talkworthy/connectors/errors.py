"""What may go wrong with a channel; the class says what the caller does now."""

from talkworthy.connectors.payload import Cursor


class ConnectorError(Exception):
    """A fetch that did not work; the class says what the caller does now."""


class TryLater(ConnectorError):
    """The channel is busy, slow or down: come back after `after` seconds."""

    def __init__(self, message: str, *, after: float = 60.0) -> None:
        super().__init__(message)
        self.after = after


class GiveUp(ConnectorError):
    """It will not work without a change: the address is gone (410), the settings are wrong."""


class AskForCredentials(ConnectorError):
    """The channel refuses what we showed: a person must sign in again or give a new token."""


class Malformed(ConnectorError):
    """A payload that cannot be read at all."""


class Unsure(ConnectorError):
    """A reply left, and nobody knows whether the channel took it: look with `find_sent` before trying again."""


class ResumeLost(ConnectorError):
    """The cursor is too old for the channel: what lay between is lost, and `cursor` goes on from now."""

    def __init__(self, message: str, *, cursor: Cursor | None = None) -> None:
        super().__init__(message)
        self.cursor = cursor
