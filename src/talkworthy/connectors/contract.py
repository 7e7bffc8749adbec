"""What a connector is: the words between a channel and the rest of the house.

A connector is one file: its settings, its capabilities, `fetch` (network, through the one door) and `parse`
(pure). The payload that `fetch` brings is made durable, with the cursor that covers it, before `parse` sees it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

import pyarrow as pa

from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.schema import OBSERVATION, POST, TOMBSTONE


class Kind(StrEnum):
    """What a setting holds; the form and its check follow from it."""

    TEXT = "text"
    URL = "url"
    SECRET = "secret"  # noqa: S105 - the name of a kind, no password
    NUMBER = "number"
    FLAG = "flag"
    CHOICE = "choice"
    LINES = "lines"
    FOLDER = "folder"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a source, as the guided form asks for it."""

    name: str
    label: str
    kind: Kind = Kind.TEXT
    help: str = ""
    required: bool = False
    default: Any = None
    choices: tuple[tuple[str, str], ...] = ()
    example: str = ""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What the channel allows, and in `limits` what it does not, in sentences for people."""

    listen: bool = True
    send: bool = False
    resume: bool = True
    stream: bool = False
    receive: bool = False
    edits: bool = False
    deletions: bool = False
    counts: bool = False
    history: bool = False
    any_channel: bool = False
    """Whether its payloads name whatever uid they like: then a source may change only what it brought itself."""
    met_live: bool = False
    """Whether this connector has met the live service or a real server of its kind."""
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one fetch brought, the cursor that covers it, and when to come back.

    `more` means: call again at once. `wait` is the shortest pause in seconds that the channel asks for.
    """

    payloads: tuple[Payload, ...] = ()
    cursor: Cursor | None = None
    more: bool = False
    wait: float | None = None
    note: str = ""
    """A sentence for the source's page, such as a feed that moved or is gone."""


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A piece of a payload that could not be read, and why."""

    reason: str
    fragment: bytes


def _empty(schema: pa.Schema) -> pa.Table:
    return schema.empty_table()


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What a payload says: tables of schema POST, OBSERVATION and TOMBSTONE, and what was unreadable."""

    posts: pa.Table = field(default_factory=lambda: _empty(POST))
    observations: pa.Table = field(default_factory=lambda: _empty(OBSERVATION))
    tombstones: pa.Table = field(default_factory=lambda: _empty(TOMBSTONE))
    aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A call that reached one of our receiving addresses."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to say back, and what must be durable before it is said."""

    status: int = 202
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    payloads: tuple[Payload, ...] = ()
    cursor: Cursor | None = None


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The outcome of a connection test, with a sentence for the person who asked for it."""

    ok: bool
    message: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that goes with a reply."""

    name: str
    content_type: str
    body: bytes
    alt: str = ""


@dataclass(frozen=True, kw_only=True)
class SendingLimits:
    """What a channel takes. `count` says how it counts a text: characters, graphemes, or with links at a fixed size."""

    characters: int | None = None
    count: str = "characters"
    link_length: int | None = None
    """Characters that any link counts as; None: as many as it has."""
    subject: bool = False
    visibilities: tuple[str, ...] = ("public",)
    """Of public, unlisted, members, private: in the channel's usual order, the default first."""
    attachments: int = 0
    attachment_types: tuple[str, ...] = ()
    attachment_bytes: int = 0
    alt_text: bool = False
    threads: bool = True
    """Whether an answer stands under what it answers."""
    addressed: bool = False
    """Whether the text must name whom it answers, so that they are told."""
    recallable: bool = False
    """Whether what was sent can be taken back through the channel."""
    idempotent: bool = False
    """Whether the channel itself refuses a second post with the same key."""
    searchable: bool = True
    """Whether `find_sent` can tell after a crash if the reply is there; where not, a person is asked."""
    needs: tuple[str, ...] = ()
    """Names of the settings without which it cannot send."""
    scopes: tuple[str, ...] = ()
    """What the credentials must allow, in the channel's words."""


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """One reply as it leaves. `key` is its own for ever: the same reply sent again has the same key."""

    key: str
    text: str
    subject: str = ""
    language: str | None = None
    visibility: str = "public"
    in_reply_to: Mapping[str, Any] = field(default_factory=dict)
    """The post that it answers, as a row of schema POST; empty where it begins a thread."""
    thread: Sequence[Mapping[str, Any]] = ()
    """Earlier posts of the thread, oldest first, for channels that need the root or the references."""
    attachments: tuple[Attachment, ...] = ()
    began_at: datetime | None = None
    """When sending was first tried; None at the first try. `find_sent` need not look further back."""
    automatic: bool = False
    """No person decided to send it: channels that know such a mark are given it."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What the channel accepted. `uid` is the uid that the same post has when listening brings it back."""

    uid: str
    url: str | None = None
    at: datetime | None = None


@runtime_checkable
class Connector(Protocol):
    """A channel we can listen to."""

    name: ClassVar[str]
    """Lower case, stable: it is the `channel` of its posts and the name in addresses and settings."""
    title: ClassVar[str]
    """As people call the channel."""
    about: ClassVar[str]
    """One sentence: what is heard here."""
    settings: ClassVar[tuple[Setting, ...]]
    capabilities: ClassVar[Capabilities]

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Bring what came since `cursor`; raise TryLater, GiveUp, AskForCredentials or ResumeLost."""

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read one payload. Pure; raises Malformed where nothing of it can be read."""

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Try the settings without keeping anything."""


@runtime_checkable
class Streaming(Protocol):
    """A connector that can stay connected and be told at once."""

    def stream(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None) -> Iterator[Page]:
        """Yield pages as they come, with an empty one at least every 15 seconds so that the caller can stop it.

        The caller keeps a page durable before it asks for the next. Ends or raises when the connection breaks.
        """


@runtime_checkable
class Receiving(Protocol):
    """A connector that others call: webhooks, Webmention, WebSub."""

    def receive(self, request: Request, settings: Mapping[str, Any], cursor: Cursor | None) -> Answer:
        """Verify a call and say what must be kept before it is acknowledged. Pure: no network."""


@runtime_checkable
class Subscribing(Protocol):
    """A receiving connector that must ask to be called and renew it (WebSub)."""

    def subscribe(
        self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, callback: str, now: datetime
    ) -> Page:
        """Ask for, or renew, delivery to the address `callback`; a page without payloads moves the cursor."""


@runtime_checkable
class Sending(Protocol):
    """A connector that can answer on its channel."""

    sending: ClassVar[SendingLimits]

    def send(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
        """Post it once; raise TryLater (nothing was posted), GiveUp, AskForCredentials, or Unsure.

        What was surely not accepted raises TryLater; where the connection broke after the request had left, Unsure.
        """

    def find_sent(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
        """Whether this reply is already there: asked before any second try. None: it is not; raises like `fetch`."""


@runtime_checkable
class Limiting(Protocol):
    """A sending connector whose servers differ in what they take, and say so."""

    def limits(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Mapping[str, Any]:
        """Fields of SendingLimits as this very server has them, as JSON; raises like `fetch`."""
