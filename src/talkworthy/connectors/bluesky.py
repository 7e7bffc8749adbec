"""Bluesky: the network's event stream (Jetstream or the repositories themselves), search, authors, mentions.

The uid of a post is its AT-URI, `bluesky::at://did:plc:…/app.bsky.feed.post/3m…`: every way of reading tells it,
deletions too, and it survives a change of handle and of server. The streams resume because their servers keep
a window of past events; sequence numbers have gaps by design, so a gap is no sign of loss.
"""

import contextlib
import hashlib
import json
import re
import struct
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

import libipld
import pyarrow as pa

from talkworthy.connectors.contract import (
    Attachment,
    Capabilities,
    Checked,
    Kind,
    Outgoing,
    Page,
    Parsed,
    SendingLimits,
    Sent,
    SetAside,
    Setting,
)
from talkworthy.connectors.errors import (
    AskForCredentials,
    ConnectorError,
    GiveUp,
    Malformed,
    ResumeLost,
    TryLater,
    Unsure,
)
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import site
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.posting import accepted, answered, post_once
from talkworthy.connectors.reading import COUNTS, counted, integer, listed, moment, read_json, text
from talkworthy.connectors.reading import record as mapping
from talkworthy.connectors.replies import Response
from talkworthy.connectors.websocket import WebSocket
from talkworthy.schema import OBSERVATION, TOMBSTONE, post_uid, posts_table

POSTS = "app.bsky.feed.post"
REPOSTS = "app.bsky.feed.repost"
JETSTREAM_KEEPS = timedelta(hours=24)
"""What the public instances promise to replay; they may hold more."""
REWIND = timedelta(seconds=5)
BATCH = 500
BATCH_BYTES = 4_000_000
HEARTBEAT = 10.0
SITTING = 20.0
"""Seconds that one fetch of a stream may take."""
LAG = timedelta(seconds=10)
LINGER = 0.5
"""Seconds that a started batch waits for company."""
PAGE = 100
OVERLAP = timedelta(minutes=10)
SWEEP = 5_000
"""Posts that one sweep of a list reads at most, after the first."""
FRAGMENT = 2_000
REASONS = ("mention", "reply", "quote")
PROFILE = ("handle", "displayName", "avatar", "description", "followersCount", "followsCount", "verification", "labels")
STREAMS = ("jetstream", "firehose")
_AT_URI = re.compile(r"at://(did:[a-z]+:[a-zA-Z0-9._:%-]{1,2000})/([a-zA-Z0-9.-]{1,317})/([A-Za-z0-9_~.:-]{1,512})")
_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_TID = "234567abcdefghijklmnopqrstuvwxyz"
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

_MISSHAPEN = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)
"""What a record of the wrong shape raises while it is read."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing the stream told, the same whichever stream told it."""

    did: str
    at: datetime
    operation: str
    """create, update, delete; or account_deleted."""
    collection: str = ""
    rkey: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"at://{self.did}/{self.collection}/{self.rkey}"


class Bluesky:
    """Bluesky and every other server of the AT Protocol."""

    name: ClassVar[str] = "bluesky"
    title: ClassVar[str] = "Bluesky"
    about: ClassVar[str] = (
        "Public posts on Bluesky: everything as it is written, a search, some authors, or your mentions."
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="way",
            label="What to read",
            kind=Kind.CHOICE,
            required=True,
            default="jetstream",
            choices=(
                ("jetstream", "Everything as it is written (Jetstream)"),
                ("firehose", "Everything, from the repositories themselves"),
                ("search", "Posts that a search finds"),
                ("author", "Posts of some accounts"),
                ("mentions", "Mentions of, replies to and quotes of my account"),
            ),
            help="Search and mentions need an account; the others do not.",
        ),
        Setting(
            name="query", label="Search", help="As typed into Bluesky's own search.", example='"acme router" lang:en'
        ),
        Setting(
            name="actors",
            label="Accounts",
            kind=Kind.LINES,
            help="Handles or DIDs, one a line. With a stream: hear these accounts only (Jetstream: 200 at most).",
            example="acme.example\nsupport.acme.example",
        ),
        Setting(name="handle", label="Handle", help="The account that signs in.", example="acme.example"),
        Setting(
            name="password",
            label="App password",
            kind=Kind.SECRET,
            help="Made under Settings, Privacy and security, App passwords; never the account's own password.",
        ),
        Setting(
            name="service",
            label="Server of the account",
            kind=Kind.URL,
            default="https://bsky.social",
            help="Where the account signs in; change it for an account on its own server.",
        ),
        Setting(
            name="appview",
            label="Public reading address",
            kind=Kind.URL,
            default="https://public.api.bsky.app",
            help="Where authors' posts, names and handles are read without signing in.",
        ),
        Setting(
            name="jetstream",
            label="Jetstream address",
            kind=Kind.URL,
            default="https://jetstream2.us-east.bsky.network",
            help="One of the public instances, or your own.",
        ),
        Setting(
            name="relay",
            label="Repository stream address",
            kind=Kind.URL,
            default="https://bsky.network",
            help="A relay (everything), or one server (its accounts only).",
        ),
        Setting(
            name="reposts", label="Reposts too", kind=Kind.FLAG, default=False, help="Reposts as posts of their own."
        ),
        Setting(
            name="names",
            label="Look up handles and names",
            kind=Kind.FLAG,
            default=False,
            help="The streams name authors by DID only. One request for 25 new authors; always on for named accounts.",
        ),
        Setting(
            name="replay",
            label="Start with what the stream still holds",
            kind=Kind.FLAG,
            default=False,
            help="Otherwise a new source starts from now.",
        ),
        Setting(
            name="history",
            label="Earlier posts at first",
            kind=Kind.NUMBER,
            default=200,
            help="How many posts back a new search, author or mentions source reads.",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        send=True,
        resume=True,
        stream=True,
        edits=True,
        deletions=True,
        counts=True,
        history=True,
        met_live=True,
        limits=(
            "Answers are public; direct messages are not sent.",
            "Only the two streams tell deletions and edits; search, authors and mentions do not.",
            "The streams carry no counts: likes and reposts are counted by search and authors only.",
            "The streams name authors by DID; handles and names are looked up only where asked.",
            "Public Jetstream instances replay about 24 hours; a longer silence loses what lay between, and says so.",
            "An account that is suspended or deactivated keeps its posts here until its deletion is told.",
            "A repost in a stream has no text; it names the post that it repeats.",
            "Search and mentions sign in; servers allow about 300 sign-ins a day, so read them from a running worker.",
            "Direct messages and posts hidden by their author's settings are not read.",
        ),
    )

    sending: ClassVar[SendingLimits] = SendingLimits(
        characters=300,
        count="graphemes",
        visibilities=("public",),
        attachments=4,
        attachment_types=("image/jpeg", "image/png", "image/gif", "image/webp"),
        attachment_bytes=1_000_000,
        alt_text=True,
        idempotent=True,
        needs=("handle", "password"),
        scopes=("app password",),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Read one page, or for the streams what they have ready within a few seconds."""
        ways = {"search": _searched, "author": _authored, "mentions": _mentioned, **dict.fromkeys(STREAMS, _caught_up)}
        way = _option(settings, "way")
        if way not in ways:
            raise GiveUp(f"“{way}” is no way of reading Bluesky; choose one of the list.")
        return _belonging(ways[way](http, settings, _own_cursor(cursor, settings), now=now), settings)

    def stream(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None) -> Iterator[Page]:
        """Stay on a stream; search, authors and mentions have none and raise GiveUp."""
        way = _option(settings, "way")
        if way not in STREAMS:
            raise GiveUp("Search, authors and mentions are asked again and again; only the two streams stay open.")
        listen = _jetstream if way == "jetstream" else _firehose
        with contextlib.closing(listen(http, settings, _own_cursor(cursor, settings))) as pages:
            for page in pages:
                yield _belonging(page, settings)

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read stream events, repository frames, or a reply of search, author feed or notifications."""
        reposts = _flag(settings, "reposts")
        if payload.content_type.startswith("application/vnd.ipld") or payload.meta.get("frames"):
            return _parsed_events(_frame_events(payload.body), payload, reposts=reposts)
        if payload.content_type.startswith("application/x-ndjson"):
            return _parsed_events(_line_events(payload.body), payload, reposts=reposts)
        return _parsed_reply(payload, reposts=reposts)

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Sign in where needed and read a little."""
        way = _option(settings, "way")
        try:
            if way in STREAMS:
                return _checked_stream(http, settings, way)
            page = self.fetch(http, settings, None, now=now)
            parsed = [self.parse(payload, settings) for payload in page.payloads]
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        count = sum(each.posts.num_rows for each in parsed)
        return Checked(
            ok=True, message=f"Bluesky answers; the first page holds {count} posts.", details={"posts": str(count)}
        )

    def send(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
        """Write the record under a key that follows from the reply: a second try meets the first."""
        return _sent(http, settings, outgoing, now=now)

    def find_sent(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
        """Read the record of that key: it is there, or it is not."""
        return _found(http, settings, outgoing, now=now)


def _read_from(settings: Mapping[str, Any]) -> str:
    """What a cursor belongs to, where it means nothing elsewhere: the search, the account, the relay."""
    names = {"search": "query", "mentions": "handle", "firehose": "relay"}
    name = names.get(_option(settings, "way"))
    return f"{name} {_option(settings, name)}" if name else ""


def _own_cursor(cursor: Cursor | None, settings: Mapping[str, Any]) -> Cursor | None:
    return cursor if cursor and cursor.get("of", _read_from(settings)) == _read_from(settings) else None


def _belonging(page: Page, settings: Mapping[str, Any]) -> Page:
    of = _read_from(settings)
    return replace(page, cursor={**page.cursor, "of": of}) if of and page.cursor is not None else page


# --- reading the streams -------------------------------------------------------------------------------------------


def _jetstream(
    http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, patience: float = HEARTBEAT
) -> Generator[Page, None, None]:
    """Pages of Jetstream events; the cursor is the time of the last event in microseconds."""
    start = datetime.now(UTC)
    names = _Names(http, settings) if _wants_names(settings) else None
    position = _jetstream_start(settings, cursor, now=start)
    query = [("wantedCollections", POSTS)]
    if _flag(settings, "reposts"):
        query.append(("wantedCollections", REPOSTS))
    query += [("wantedDids", did) for did in _dids(http, settings, most=200)]
    query.append(("cursor", str(position)))
    url = _address(settings, "jetstream", "/subscribe", query, scheme="ws")
    with http.websocket(url) as socket:
        for messages in _batches(socket, patience):
            lines = [line for line in (_as_text(each) for each in messages) if line]
            latest = _microseconds(datetime.now(UTC) + timedelta(minutes=10))
            position = max([position, *(at for line in lines if (at := _time_us(line)) < latest)])
            if not lines:
                yield Page(cursor={"time_us": position})
                continue
            meta = {"profiles": names.of(*_authors(lines))} if names else {}
            body = "\n".join(lines).encode("utf-8", "surrogatepass")
            payload = Payload(
                body=body, content_type="application/x-ndjson", url=url, fetched_at=datetime.now(UTC), meta=meta
            )
            yield Page(payloads=(payload,), cursor={"time_us": position})


def _jetstream_start(settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> int:
    """Where to begin, in microseconds; rewound a little, since instances differ by some seconds."""
    oldest = now - JETSTREAM_KEEPS
    if cursor is None or "time_us" not in cursor:
        begin = oldest if _flag(settings, "replay") else now
        return _microseconds(begin)
    at = int(cursor["time_us"])
    if at < _microseconds(oldest - timedelta(minutes=5)):
        raise ResumeLost(
            "Jetstream keeps about 24 hours, and this source was silent for longer: posts between may be lost.",
            cursor={"time_us": _microseconds(oldest)},
        )
    return at - int(REWIND.total_seconds() * 1_000_000)


def _firehose(
    http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, patience: float = HEARTBEAT
) -> Generator[Page, None, None]:
    """Pages of repository frames that concern posts; the cursor is the number of the last frame read."""
    names = _Names(http, settings) if _wants_names(settings) else None
    position = int(cursor["seq"]) if cursor and "seq" in cursor else None
    tolerant = bool(cursor and cursor.get("lost"))
    if position is None and _flag(settings, "replay"):
        position, tolerant = 0, True
    query = [("cursor", str(position))] if position is not None else []
    url = _address(settings, "relay", "/xrpc/com.atproto.sync.subscribeRepos", query, scheme="ws")
    wanted = {POSTS, REPOSTS} if _flag(settings, "reposts") else {POSTS}
    hear = set(_dids(http, settings))
    outdated, at = False, cursor.get("at") if cursor else None
    with http.websocket(url) as socket:
        for messages in _batches(socket, patience):
            frames = []
            for frame in (each for each in messages if isinstance(each, bytes)):
                told = _frame_news(frame, wanted)
                outdated = outdated or told.outdated
                if outdated and told.seq is not None and not tolerant:
                    raise ResumeLost(
                        "The repository stream no longer holds where this source stopped: posts between are lost.",
                        cursor={"seq": told.seq - 1, "lost": True},
                    )
                if told.seq is not None:
                    position, at = max(position or 0, told.seq), told.at
                if told.wanted and (not hear or told.did in hear):
                    frames.append(frame)
            after: Cursor | None = {"seq": position, "at": at} if position is not None else None
            if not frames:
                yield Page(cursor=after)
                continue
            meta: dict[str, Any] = {"frames": len(frames)}
            if names:
                meta["profiles"] = names.of({_frame_did(frame) for frame in frames} - {""})
            yield Page(payloads=(_frames_payload(frames, url, meta),), cursor=after)


@dataclass(frozen=True, kw_only=True)
class _News:
    """What a frame says to the reader of the stream: its number, and whether it is to be kept."""

    seq: int | None = None
    at: str | None = None
    did: str = ""
    wanted: bool = False
    outdated: bool = False


def _frame_news(frame: bytes, wanted: set[str]) -> _News:
    """Look into a frame just far enough to know whether to keep it; unreadable ones are kept for `parse` to judge."""
    try:
        header, body = libipld.decode_dag_cbor_multi(frame)
        if header.get("op") == -1:
            raise _refused(str(body.get("error")), str(body.get("message") or ""))
        kind, seq = header.get("t"), body.get("seq")
        seq = seq if isinstance(seq, int) else None
        at, did = _iso(moment(body.get("time"))), str(body.get("repo") or body.get("did") or "")
        if kind == "#info":
            return _News(outdated=body.get("name") == "OutdatedCursor")
        if kind == "#commit":
            touched = {str(op.get("path", "")).split("/", 1)[0] for op in body.get("ops") or ()}
            kept = bool(touched & wanted) or bool(body.get("tooBig"))
            return _News(seq=seq, at=at, did=did, wanted=kept)
        return _News(seq=seq, at=at, did=did, wanted=kind in ("#account", "#tombstone"))
    except _MISSHAPEN:
        return _News(wanted=True)


def _refused(error: str, message: str) -> ConnectorError:
    """An error frame as what to do now."""
    if error == "FutureCursor":
        return ResumeLost("The stream was numbered anew by its server; reading goes on from now.", cursor=None)
    return TryLater(f"The repository stream closed: {error} {message}".strip(), after=30.0)


def _frames_payload(frames: Sequence[bytes], url: str, meta: Mapping[str, Any]) -> Payload:
    """Frames one after the other, each behind its length as 32 bits, little-endian."""
    body = b"".join(struct.pack("<I", len(frame)) + frame for frame in frames)
    return Payload(
        body=body, content_type="application/vnd.ipld.dag-cbor-seq", url=url, fetched_at=datetime.now(UTC), meta=meta
    )


def _batches(socket: WebSocket, patience: float) -> Iterator[list[bytes | str]]:
    """Messages as they come, in batches that wait at most half a second; an empty batch as a heartbeat.

    A connection that ends gives what it said before: the last message may say why it ends.
    """
    over: ConnectorError | None = None
    while over is None:
        first = socket.recv(patience)
        if first is None:
            yield []
            continue
        batch, size, until = [first], len(first), time.monotonic() + LINGER
        while len(batch) < BATCH and size < BATCH_BYTES and (left := until - time.monotonic()) > 0:
            try:
                message = socket.recv(left)
            except ConnectorError as error:
                over = error
                break
            if message is None:
                break
            batch.append(message)
            size += len(message)
        yield batch
    raise over


def _caught_up(http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
    """Read a stream until it is quiet or has caught up, for those who ask now and then."""
    payloads: list[Payload] = []
    after: Cursor | None = cursor
    until = time.monotonic() + SITTING
    listen = _jetstream if _option(settings, "way") == "jetstream" else _firehose
    pages = listen(http, settings, cursor, patience=2.0)
    more = False
    try:
        for page in pages:
            quiet = not page.payloads and page.cursor == after
            payloads += page.payloads
            after = page.cursor or after
            more = not quiet and _lag(after, now) > LAG
            if quiet or not more or len(payloads) >= 20 or time.monotonic() > until:
                break
    finally:
        pages.close()
    return Page(payloads=tuple(payloads), cursor=after, more=more)


def _lag(cursor: Cursor | None, now: datetime) -> timedelta:
    """How far behind a stream's cursor is."""
    if cursor and "time_us" in cursor:
        return now - datetime.fromtimestamp(cursor["time_us"] / 1_000_000, UTC)
    at = moment(cursor.get("at")) if cursor else None
    return now - at if at else timedelta(0)


def _checked_stream(http: Http, settings: Mapping[str, Any], way: str) -> Checked:
    page = _caught_up(http, settings, None, now=datetime.now(UTC))
    count = sum(len(each.body) for each in page.payloads)
    return Checked(
        ok=True, message=f"The stream is open ({way}); {count} bytes came at once.", details={"bytes": str(count)}
    )


class _Names:
    """Handles and names of authors, asked for once an hour at most; while nobody answers they stay unknown."""

    def __init__(self, http: Http, settings: Mapping[str, Any]) -> None:
        self.http, self.settings = http, settings
        self.known: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self.rest_until = 0.0

    def of(self, dids: Iterable[str], changed: Iterable[str] = ()) -> dict[str, Mapping[str, Any]]:
        """What is known of these DIDs, asking for those that are not, or whose identity changed."""
        for did in changed:
            self.known.pop(did, None)
        wanted, now = sorted(set(dids)), time.monotonic()
        asked = [did for did in wanted if did not in self.known or self.known[did][0] < now - 3600]
        for start in range(0, len(asked), 25):
            if self.rest_until < now:
                self._ask(asked[start : start + 25])
        return {did: self.known[did][1] for did in wanted if did in self.known}

    def _ask(self, dids: Sequence[str]) -> None:
        if len(self.known) > 50_000:
            self.known.clear()
        url = _address(self.settings, "appview", "/xrpc/app.bsky.actor.getProfiles", [("actors", did) for did in dids])
        try:
            profiles = self.http.get(url, timeout=10.0).raise_for_status().json()["profiles"]
            self.known.update(dict.fromkeys(dids, (time.monotonic(), {})))
            for profile in profiles:
                self.known[str(profile["did"])] = (time.monotonic(), {key: profile.get(key) for key in PROFILE})
        except (ConnectorError, *_MISSHAPEN):
            self.rest_until = time.monotonic() + 300


# --- asking ----------------------------------------------------------------------------------------------------------


def _searched(http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
    """One page of a search, newest first; the sweep goes back to where the last one began."""
    query = _option(settings, "query")
    if not query:
        raise GiveUp("A search needs words to search for.")
    sweep = _Sweep.of(cursor, settings)
    params = [("q", query), ("sort", "latest"), ("limit", str(PAGE))]
    if sweep.since:
        params.append(("since", _iso(sweep.since - OVERLAP) or ""))
    reply, payload = _asked(http, settings, "app.bsky.feed.searchPosts", params, sweep, signed=True, now=now)
    return sweep.page(payload, reply, [_listed_at(post) for post in listed(reply.get("posts"))])


def _mentioned(http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
    """One page of notifications: mentions, replies and quotes."""
    sweep = _Sweep.of(cursor, settings)
    params = [("limit", str(PAGE)), *(("reasons", reason) for reason in REASONS)]
    method = "app.bsky.notification.listNotifications"
    reply, payload = _asked(http, settings, method, params, sweep, signed=True, now=now)
    return sweep.page(
        payload, reply, [moment(mapping(note).get("indexedAt")) for note in listed(reply.get("notifications"))]
    )


def _authored(http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
    """One page of one account's posts; accounts take turns, and each has its own place in the cursor."""
    actors = _lines(settings, "actors")
    if not actors:
        raise GiveUp("Name at least one account to read.")
    places = dict(cursor.get("places", {})) if cursor else {}
    turn = int(cursor.get("turn", 0)) % len(actors) if cursor else 0
    actor = actors[turn]
    sweep = _Sweep.of(places.get(actor), settings)
    params = [("actor", actor), ("limit", str(PAGE)), ("filter", "posts_with_replies")]
    try:
        reply, payload = _asked(http, settings, "app.bsky.feed.getAuthorFeed", params, sweep, signed=False, now=now)
        page = sweep.page(payload, reply, [_fed_at(item) for item in listed(reply.get("feed"))])
    except GiveUp as error:
        if len(actors) == 1:
            raise
        page = Page(cursor=places.get(actor, {}), note=f"{actor}: {error}")  # the others go on
    places[actor] = page.cursor
    onward = turn if page.more else turn + 1
    after = {"places": {name: place for name, place in places.items() if name in actors}, "turn": onward % len(actors)}
    return Page(payloads=page.payloads, cursor=after, more=page.more or onward < len(actors), note=page.note)


@dataclass(frozen=True, kw_only=True)
class _Sweep:
    """Reading a list that is newest first, page by page, down to where the last sweep began."""

    since: datetime | None = None
    top: datetime | None = None
    place: str | None = None
    left: int

    @classmethod
    def of(cls, cursor: Cursor | None, settings: Mapping[str, Any]) -> "_Sweep":
        kept = cursor or {}
        first = max(1, _number(settings, "history"))
        return cls(
            since=moment(kept.get("since")),
            top=moment(kept.get("top")),
            place=kept.get("page"),
            left=int(kept.get("left", first if not kept.get("since") else SWEEP)),
        )

    def page(self, payload: Payload, reply: Mapping[str, Any], times: Sequence[datetime | None]) -> Page:
        """The page that was read, and where the next one is."""
        known = [each for each in times if each is not None]
        top = max([*known, *([self.top] if self.top else [])], default=None)
        place, left = reply.get("cursor"), self.left - len(times)
        reached = bool(self.since and known and min(known) < self.since - OVERLAP)
        if place and times and left > 0 and not reached and place != self.place:
            after = {"since": _iso(self.since), "top": _iso(top), "page": str(place), "left": left}
            return Page(payloads=(payload,), cursor=after, more=True)
        note = ""
        if place and left <= 0 and self.since and not reached:
            note = f"More than {SWEEP} posts came since the last reading; the oldest of them were left out."
        newest = max([each for each in (top, self.since) if each], default=None)
        return Page(payloads=(payload,), cursor={"since": _iso(newest)} if newest else {}, note=note)


def _asked(
    http: Http,
    settings: Mapping[str, Any],
    method: str,
    params: Sequence[tuple[str, str]],
    sweep: _Sweep,
    *,
    signed: bool,
    now: datetime,
) -> tuple[Mapping[str, Any], Payload]:
    """Call a method of the public interface; the reply, and the same as a payload to keep."""

    def ask(place: str | None) -> Response:
        query = [*params, *([("cursor", place)] if place else [])]
        url = _address(settings, "service" if signed else "appview", f"/xrpc/{method}", query)
        reply = http.get(url, headers=_signed_in(http, settings) if signed else {})
        if signed and reply.status in (400, 401) and _error(reply.body) in ("ExpiredToken", "InvalidToken"):
            reply = http.get(url, headers=_signed_in(http, settings, again=True))
        return reply

    response = ask(sweep.place)
    if response.status == 400 and sweep.place:
        response = ask(None)  # the server forgot the page: begin the sweep anew
    if response.status == 400:
        raise GiveUp(f"Bluesky does not accept this request: {_error(response.body, 'message') or 'no reason given'}.")
    response.raise_for_status()
    return mapping(response.json()), response.payload(fetched_at=now, method=method)


_SESSIONS: "WeakKeyDictionary[Http, dict[tuple[str, str, str], Mapping[str, str]]]" = WeakKeyDictionary()
"""Tokens of this process, as long as its door to the network lives: sign-ins are counted by the servers."""


def _signed_in(http: Http, settings: Mapping[str, Any], *, again: bool = False) -> dict[str, str]:
    """Headers of a session; `again` renews it, by its refresh token where that still works."""
    handle, password = _option(settings, "handle"), _option(settings, "password")
    if not handle or not password:
        raise AskForCredentials("Bluesky wants a handle and an app password for this.")
    sessions = _SESSIONS.setdefault(http, {})
    key = (_option(settings, "service"), handle, password)
    if key not in sessions or again:
        sessions[key] = _session(http, settings, sessions.pop(key, None), handle, password)
    return {"Authorization": f"Bearer {sessions[key]['access']}"}


def _session(
    http: Http, settings: Mapping[str, Any], old: Mapping[str, str] | None, handle: str, password: str
) -> Mapping[str, str]:
    if old:
        url = _address(settings, "service", "/xrpc/com.atproto.server.refreshSession")
        response = http.post(url, headers={"Authorization": f"Bearer {old['refresh']}"})
        if response.status == 200:
            return _tokens(response.body)
    url = _address(settings, "service", "/xrpc/com.atproto.server.createSession")
    response = http.post(url, json={"identifier": handle.lstrip("@"), "password": password})
    if response.status in (400, 401):
        reason = _error(response.body, "message") or "no reason given"
        raise AskForCredentials(f"Bluesky does not accept the handle and app password: {reason}.")
    response.raise_for_status()
    return _tokens(response.body)


def _tokens(body: bytes) -> Mapping[str, str]:
    try:
        reply = json.loads(body)
        return {"access": str(reply["accessJwt"]), "refresh": str(reply["refreshJwt"])}
    except _MISSHAPEN as error:
        raise TryLater("The server signed us in without giving a session.") from error


def _dids(http: Http, settings: Mapping[str, Any], *, most: int | None = None) -> list[str]:
    """The DIDs of the accounts in the settings; handles are resolved."""
    actors = _lines(settings, "actors")
    if most is not None and len(actors) > most:
        raise GiveUp(f"Jetstream takes {most} accounts in one address, and {len(actors)} are named.")
    return [actor if actor.startswith("did:") else _resolved(http, settings, actor) for actor in actors]


def _resolved(http: Http, settings: Mapping[str, Any], handle: str) -> str:
    url = _address(
        settings, "appview", "/xrpc/com.atproto.identity.resolveHandle", [("handle", handle.lstrip("@").lower())]
    )
    response = http.get(url)
    if response.status == 400:
        raise GiveUp(f"Nobody on Bluesky has the handle {handle}.")
    response.raise_for_status()
    did = str(mapping(response.json()).get("did", ""))
    if not _DID.fullmatch(did):
        raise TryLater(f"The server gave no DID for {handle}.")
    return did


# --- from bytes to events ------------------------------------------------------------------------------------------


def _line_events(body: bytes) -> Iterator[Event | SetAside | None]:
    """Events of Jetstream, one JSON object a line; None for those that are not about posts."""
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            yield _told_event(told)
        except _MISSHAPEN as error:
            yield SetAside(reason=f"not a Jetstream event ({type(error).__name__})", fragment=line[:FRAGMENT])


def _told_event(told: Mapping[str, Any]) -> Event | None:
    did, at = _did(told["did"]), _from_microseconds(told["time_us"])
    kind = told.get("kind") or {"com": "commit", "id": "identity", "acc": "account"}.get(str(told.get("type")), "")
    if kind == "account":
        return _account_event(told["account"], did, at)
    if kind != "commit":
        return None
    commit = told["commit"]
    operation = {"c": "create", "u": "update", "d": "delete"}.get(commit["operation"], str(commit["operation"]))
    record = commit.get("record")
    return Event(
        did=did,
        at=at,
        operation=operation,
        collection=str(commit["collection"]),
        rkey=str(commit["rkey"]),
        record=record if isinstance(record, Mapping) else {},
    )


def _account_event(account: Mapping[str, Any], did: str, at: datetime) -> Event | None:
    gone = account.get("active") is False and account.get("status") == "deleted"
    return Event(did=did, at=at, operation="account_deleted") if gone else None


def _frame_events(body: bytes) -> Iterator[Event | SetAside | None]:
    """Events of repository frames, each behind its length as 32 bits, little-endian."""
    offset = 0
    while offset < len(body):
        if offset + 4 > len(body):
            yield SetAside(reason="a frame is cut off", fragment=body[offset:][:FRAGMENT])
            return
        (length,) = struct.unpack_from("<I", body, offset)
        frame = body[offset + 4 : offset + 4 + length]
        offset += 4 + length
        if len(frame) < length:
            yield SetAside(reason="a frame is cut off", fragment=frame[:FRAGMENT])
            return
        try:
            yield from _opened_frame(frame)
        except _MISSHAPEN as error:
            yield SetAside(reason=f"not a repository frame ({type(error).__name__})", fragment=frame[:FRAGMENT])


def _opened_frame(frame: bytes) -> Iterator[Event | SetAside | None]:
    header, body = libipld.decode_dag_cbor_multi(frame)
    kind = header.get("t")
    if kind == "#account":
        yield _account_event(body, _did(body["did"]), _frame_time(body))
    elif kind == "#tombstone":
        yield Event(did=_did(body["did"]), at=_frame_time(body), operation="account_deleted")
    elif kind == "#commit":
        yield from _commit_events(body)
    else:
        yield None


def _commit_events(body: Mapping[str, Any]) -> Iterator[Event | SetAside | None]:
    did, at = _did(body["repo"]), _frame_time(body)
    _, blocks = libipld.decode_car(body["blocks"]) if body.get("blocks") else ({}, {})
    for op in body.get("ops") or ():
        collection, _, rkey = str(op["path"]).partition("/")
        if collection not in (POSTS, REPOSTS):
            yield None
            continue
        record = blocks.get(op.get("cid")) if op.get("cid") else None
        if op["action"] != "delete" and not isinstance(record, Mapping):
            yield SetAside(
                reason="the frame leaves out the record (too big)", fragment=f"at://{did}/{op['path']}".encode()
            )
            continue
        yield Event(did=did, at=at, operation=str(op["action"]), collection=collection, rkey=rkey, record=record or {})


def _frame_time(body: Mapping[str, Any]) -> datetime:
    at = moment(body.get("time"))
    if at is None:
        raise ValueError("a frame without a time")
    return at


# --- from events and replies to posts --------------------------------------------------------------------------------


def _parsed_events(events: Iterable[Event | SetAside | None], payload: Payload, *, reposts: bool) -> Parsed:
    """Posts and tombstones of a stream; the last word on a post wins."""
    profiles = mapping(payload.meta.get("profiles"))
    rows: dict[str, dict[str, Any]] = {}
    gone: dict[str, dict[str, Any]] = {}
    aside: list[SetAside] = []
    seen = 0
    for event in events:
        seen += 1
        if isinstance(event, SetAside):
            aside.append(event)
        elif event is not None:
            try:
                _take(event, profiles, rows, gone, reposts=reposts)
            except _MISSHAPEN as error:
                fragment = repr(event.record).encode("utf-8", "replace")[:FRAGMENT]
                aside.append(SetAside(reason=f"not a post ({type(error).__name__}: {event.uri})", fragment=fragment))
    if not seen or len(aside) == seen:
        raise Malformed("None of these bytes is an event of Bluesky.")
    return _parsed(rows, gone, aside, payload)


def _take(
    event: Event,
    profiles: Mapping[str, Any],
    rows: dict[str, dict[str, Any]],
    gone: dict[str, dict[str, Any]],
    *,
    reposts: bool,
) -> None:
    if event.operation == "account_deleted":
        gone[event.did] = _author_tombstone(event)
    elif event.collection not in (POSTS, REPOSTS) or (event.collection == REPOSTS and not reposts):
        return
    elif not _AT_URI.fullmatch(event.uri):
        raise ValueError("not an AT-URI")
    elif event.operation == "delete":
        gone[event.uri] = _tombstone(event)
        rows.pop(_uid(event.uri), None)
    elif event.operation in ("create", "update"):
        build = _post if event.collection == POSTS else _repost
        author = _author(event.did, mapping(profiles.get(event.did)))
        row = build(event.uri, event.record, author, seen_at=event.at)
        if event.operation == "update":
            row["edited_at"] = event.at
        rows[row["uid"]] = row
        gone.pop(event.uri, None)


def _parsed_reply(payload: Payload, *, reposts: bool) -> Parsed:
    """A reply of search, author feed or notifications."""
    reply = read_json(payload.body)
    lists = [name for name in ("posts", "feed", "notifications") if isinstance(mapping(reply).get(name), list)]
    if not lists:
        raise Malformed("The reply holds neither posts nor a feed nor notifications.")
    rows: dict[str, dict[str, Any]] = {}
    aside: list[SetAside] = []
    for name in lists:
        for item in reply[name]:
            try:
                for row in _item_rows(name, item, payload.fetched_at, reposts=reposts):
                    rows[row["uid"]] = row
            except _MISSHAPEN as error:
                fragment = json.dumps(item).encode()[:FRAGMENT]
                aside.append(SetAside(reason=f"not a post ({type(error).__name__})", fragment=fragment))
    return _parsed(rows, {}, aside, payload)


def _item_rows(name: str, item: Mapping[str, Any], now: datetime, *, reposts: bool) -> Iterator[dict[str, Any]]:
    if name == "notifications":
        if item["reason"] in REASONS:
            yield _viewed(item, now, with_counts=False)
        return
    post = item["post"] if name == "feed" else item
    reason = mapping(item.get("reason")) if name == "feed" else {}
    if not str(reason.get("$type", "")).endswith("#reasonRepost"):
        yield _viewed(post, now, with_counts=True)
    elif reposts:
        original = _viewed(post, now, with_counts=True)
        yield original
        if _AT_URI.fullmatch(str(reason.get("uri"))):
            record = {"subject": {"uri": post["uri"]}, "createdAt": reason.get("indexedAt")}
            by = _author(_did(reason["by"]["did"]), reason["by"])
            row = _repost(str(reason["uri"]), record, by, seen_at=moment(reason.get("indexedAt")) or now)
            yield row | {"text": original["text"], "language": original["language"]}


def _viewed(view: Mapping[str, Any], now: datetime, *, with_counts: bool) -> dict[str, Any]:
    """A post as the application shows it: the record, its author by name, and counts."""
    author = _author(_did(view["author"]["did"]), view["author"])
    row = _post(str(view["uri"]), view["record"], author, seen_at=moment(view.get("indexedAt")) or now)
    labels = [text(mapping(label).get("val")) for label in view.get("labels") or () if not mapping(label).get("neg")]
    row["tags"] = sorted({*(row["tags"] or ()), *(label for label in labels if label)}) or None
    if with_counts:
        shares = [integer(view.get("repostCount")), integer(view.get("quoteCount"))]
        told = [each for each in shares if each is not None]
        row["engagement"] = counted(
            now,
            replies=integer(view.get("replyCount")),
            shares=integer(sum(told)) if told else None,
            likes=integer(view.get("likeCount")),
            views=None,
        )
    return row


def _post(uri: str, record: Mapping[str, Any], author: dict[str, Any], *, seen_at: datetime) -> dict[str, Any]:
    """A row of schema POST from a record of type app.bsky.feed.post."""
    if not isinstance(record["text"], str):
        raise TypeError("a post without text")
    words = text(record["text"]) or ""
    parts = _facets(record)
    embed = _embed(record.get("embed"), author["id"])
    reply = mapping(record.get("reply"))
    parent, root = _ref(reply.get("parent")), _ref(reply.get("root"))
    url = _web_address(uri)
    return {
        "uid": _uid(uri),
        "url": url,
        "kind": "note",
        "author": author,
        "text": words,
        "language": _language(record.get("langs")),
        "published_at": _published(uri, record, seen_at),
        "in_reply_to": parent,
        "root": root,
        "references": ([root] if root != parent else []) + [parent] if parent and root else None,
        "engagement_type": "REPLY" if parent else "QUOTE" if embed.quoted else None,
        "repeats": embed.quoted,
        "links": _unique([*parts.links, *embed.links]),
        "hashtags": _unique([*parts.hashtags, *(text(tag) or "" for tag in listed(record.get("tags")))]),
        "mentions": _unique(parts.mentions),
        "tags": _self_labels(record) or None,
        "media": embed.media,
        "site": site(url) if url else None,
        "visibility": "public",
    }


def _repost(uri: str, record: Mapping[str, Any], author: dict[str, Any], *, seen_at: datetime) -> dict[str, Any]:
    """A repost: its author, its time, and what it repeats; the stream tells no text."""
    repeated = _ref(record["subject"])
    if repeated is None:
        raise ValueError("a repost of nothing")
    url = _web_address(str(record["subject"]["uri"]))
    return {
        "uid": _uid(uri),
        "url": url,
        "author": author,
        "published_at": _published(uri, record, seen_at),
        "engagement_type": "REPOST",
        "repeats": repeated,
        "links": [],
        "hashtags": [],
        "mentions": [],
        "media": [],
        "site": site(url),
        "visibility": "public",
    }


def _author(did: str, profile: Mapping[str, Any]) -> dict[str, Any]:
    handle = text(profile.get("handle"))
    vouched = mapping(profile.get("verification"))
    states = [vouched.get("verifiedStatus"), vouched.get("trustedVerifierStatus")]
    labels = [mapping(label).get("val") for label in listed(profile.get("labels"))]
    return {
        "id": did,
        "handle": handle if handle and handle != "handle.invalid" else None,
        "name": text(profile.get("displayName")),
        "url": f"https://bsky.app/profile/{did}",
        "avatar": text(profile.get("avatar")),
        "bio": text(profile.get("description")),
        "followers": integer(profile.get("followersCount")),
        "following": integer(profile.get("followsCount")),
        "verified": "valid" in states if vouched else None,
        "verified_type": None,
        "automated": True if "bot" in labels else None,
    }


def _tombstone(event: Event) -> dict[str, Any]:
    return {"uid": _uid(event.uri), "deleted_at": event.at, "reason": "deleted"}


def _author_tombstone(event: Event) -> dict[str, Any]:
    return {"uid": "", "author_id": event.did, "channel": "bluesky", "deleted_at": event.at, "reason": "deleted"}


def _parsed(
    rows: Mapping[str, dict[str, Any]],
    gone: Mapping[str, dict[str, Any]],
    aside: Sequence[SetAside],
    payload: Payload,
) -> Parsed:
    complete = [row | {"collected_at": payload.fetched_at} for row in rows.values()]
    counts = [
        {"uid": row["uid"], "published_at": row["published_at"], **dict.fromkeys(COUNTS), **row["engagement"]}
        for row in rows.values()
        if row.get("engagement")
    ]
    return Parsed(
        posts=posts_table(complete),
        observations=pa.Table.from_pylist(counts, schema=OBSERVATION),
        tombstones=pa.Table.from_pylist(list(gone.values()), schema=TOMBSTONE),
        aside=tuple(aside),
    )


# --- parts of a record -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Parts:
    links: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()


def _facets(record: Mapping[str, Any]) -> _Parts:
    """Links, hashtags and mentions; their places are counted in bytes of UTF-8, and may be nonsense."""
    raw = str(record["text"]).encode("utf-8", "replace")
    links, hashtags, mentions = [], [], []
    for facet in listed(record.get("facets")):
        index = mapping(mapping(facet).get("index"))
        for feature in map(mapping, listed(mapping(facet).get("features"))):
            kind = str(feature.get("$type", "")).rpartition("#")[2]
            if kind == "link":
                links.append(text(feature.get("uri")) or "")
            elif kind == "tag":
                hashtags.append((text(feature.get("tag")) or "").lstrip("#"))
            elif kind == "mention":
                shown = _slice(raw, index).strip().lstrip("@")
                mentions.append(shown or text(feature.get("did")) or "")
    return _Parts(links=tuple(links), hashtags=tuple(hashtags), mentions=tuple(mentions))


def _slice(raw: bytes, index: Mapping[str, Any]) -> str:
    start, end = index.get("byteStart"), index.get("byteEnd")
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= len(raw):
        return ""
    return raw[start:end].decode("utf-8", "ignore").replace("\0", "")


@dataclass(frozen=True, kw_only=True)
class _Embed:
    links: tuple[str, ...] = ()
    media: tuple[dict[str, Any], ...] = ()
    quoted: str | None = None


def _embed(value: object, did: str) -> _Embed:
    """What a post carries besides its words: pictures, a film, a card, a quoted post."""
    embed = mapping(value)
    kind = str(embed.get("$type", "")).partition("#")[0].rpartition(".")[2]
    if kind == "recordWithMedia":
        inner = _embed(embed.get("media"), did)
        return _Embed(links=inner.links, media=inner.media, quoted=_ref(mapping(embed.get("record")).get("record")))
    if kind == "record":
        return _Embed(quoted=_ref(embed.get("record")))
    if kind == "external":
        link = text(mapping(embed.get("external")).get("uri"))
        return _Embed(links=(link,) if link else ())
    if kind == "images":
        pictures = [_picture(mapping(each), did) for each in listed(embed.get("images"))]
        return _Embed(media=tuple(each for each in pictures if each))
    if kind == "video":
        cid = _cid(embed.get("video"))
        film = {"type": "video", "url": f"https://video.bsky.app/watch/{quote(did, safe=':')}/{cid}/playlist.m3u8"}
        return _Embed(media=(film | {"alt": text(embed.get("alt")) or None},) if cid else ())
    return _Embed()


def _picture(image: Mapping[str, Any], did: str) -> dict[str, Any] | None:
    cid = _cid(image.get("image"))
    if not cid:
        return None
    url = f"https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{cid}@jpeg"
    return {"type": "image", "url": url, "alt": text(image.get("alt")) or None}


def _cid(blob: object) -> str | None:
    """The content id of a blob: bytes in a repository, `$link` in JSON, plain text in old posts."""
    held = mapping(blob)
    ref = held.get("ref", held.get("cid"))
    if isinstance(ref, Mapping):
        ref = ref.get("$link")
    if isinstance(ref, bytes):
        return libipld.encode_cid(ref)
    return ref if isinstance(ref, str) and ref.isalnum() else None


def _ref(value: object) -> str | None:
    """The uid of the post that a strong reference names; None where it names no post."""
    uri = mapping(value).get("uri")
    return _uid(uri) if isinstance(uri, str) and _AT_URI.fullmatch(uri) and f"/{POSTS}/" in uri else None


def _self_labels(record: Mapping[str, Any]) -> list[str]:
    values = listed(mapping(record.get("labels")).get("values"))
    return sorted({label for each in values if (label := text(mapping(each).get("val")))})


def _language(langs: object) -> str | None:
    """The first declared language, without region or script."""
    for lang in listed(langs):
        code = str(lang).partition("-")[0].lower()
        if 2 <= len(code) <= 3 and code.isascii() and code.isalpha():
            return code
    return None


def _published(uri: str, record: Mapping[str, Any], seen_at: datetime) -> datetime:
    """The author's own time where it is believable, else the one in the record's key, else when it was seen."""
    latest = seen_at + timedelta(minutes=10)
    for told in (moment(record.get("createdAt")), _tid_time(uri.rpartition("/")[2])):
        if told and _EARLIEST <= told <= latest:
            return told
    return seen_at


def _tid_time(rkey: str) -> datetime | None:
    """The time that a record key of the usual kind holds: microseconds above ten bits of clock id."""
    if len(rkey) != 13 or any(letter not in _TID for letter in rkey):
        return None
    number = 0
    for letter in rkey:
        number = number * 32 + _TID.index(letter)
    try:
        return _from_microseconds(number >> 10)
    except _MISSHAPEN:
        return None


def _uid(uri: str) -> str:
    return post_uid("bluesky", "", uri)


def _web_address(uri: str) -> str | None:
    found = _AT_URI.fullmatch(uri)
    if not found:
        raise ValueError("not an AT-URI")
    did, collection, rkey = found.groups()
    return f"https://bsky.app/profile/{did}/post/{rkey}" if collection == POSTS else None


def _listed_at(post: object) -> datetime | None:
    """The time a search sorts by: the earlier of the author's and the index's."""
    view = mapping(post)
    times = [moment(mapping(view.get("record")).get("createdAt")), moment(view.get("indexedAt"))]
    return min((each for each in times if each), default=None)


def _fed_at(item: object) -> datetime | None:
    """The time a feed sorts by: the repost's, or the post's."""
    entry = mapping(item)
    reason = mapping(entry.get("reason"))
    return moment(reason.get("indexedAt")) or moment(mapping(entry.get("post")).get("indexedAt"))


# --- settings and small readings -------------------------------------------------------------------------------------


def _option(settings: Mapping[str, Any], name: str) -> str:
    default = next(each.default for each in Bluesky.settings if each.name == name)
    value = settings.get(name)
    return str(value if value not in (None, "") else default or "").strip()


def _flag(settings: Mapping[str, Any], name: str) -> bool:
    return settings.get(name) in (True, 1, "1", "true", "on", "yes")


def _number(settings: Mapping[str, Any], name: str) -> int:
    try:
        return int(_option(settings, name))
    except ValueError as error:
        raise GiveUp(f"“{name}” must be a whole number.") from error


def _lines(settings: Mapping[str, Any], name: str) -> list[str]:
    value = settings.get(name) or ""
    lines = value.splitlines() if isinstance(value, str) else [str(each) for each in value]
    return [line.strip().lstrip("@") for line in lines if line.strip()]


def _wants_names(settings: Mapping[str, Any]) -> bool:
    return _flag(settings, "names") or bool(_lines(settings, "actors"))


def _address(
    settings: Mapping[str, Any], name: str, path: str, query: Sequence[tuple[str, str]] = (), *, scheme: str = "http"
) -> str:
    """An address below a server of the settings, with https or wss as asked."""
    parts = urlsplit(_option(settings, name))
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.netloc:
        raise GiveUp(f"“{_option(settings, name)}” is not the address of a server.")
    secure = "s" if parts.scheme in ("https", "wss") else ""
    below = parts.path.rstrip("/")
    return urlunsplit(
        (scheme + secure, parts.netloc, below if below.endswith(path) else below + path, urlencode(query), "")
    )


def _error(body: bytes, name: str = "error") -> str:
    try:
        return str(mapping(json.loads(body)).get(name) or "")[:300]
    except (ValueError, RecursionError):
        return ""


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))


def _did(value: object) -> str:
    if not isinstance(value, str) or len(value) > 2048 or not _DID.fullmatch(value):
        raise ValueError("not a DID")
    return value


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _from_microseconds(value: object) -> datetime:
    if not isinstance(value, int):
        raise TypeError("a time that is no number")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)


def _as_text(message: bytes | str) -> str:
    line = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
    return line.replace("\r", " ").replace("\n", " ").strip()


def _time_us(line: str) -> int:
    try:
        value = json.loads(line).get("time_us")
    except (ValueError, RecursionError, AttributeError):
        return 0
    return value if isinstance(value, int) else 0


def _authors(lines: Sequence[str]) -> tuple[set[str], set[str]]:
    """The authors in a batch of Jetstream events, and the accounts whose identity changed."""
    authors: set[str] = set()
    changed: set[str] = set()
    for line in lines:
        with contextlib.suppress(*_MISSHAPEN):
            told = json.loads(line)
            if told.get("kind") == "identity":
                changed.add(_did(told["did"]))
            elif "record" in mapping(told.get("commit")):
                authors.add(_did(told["did"]))
    return authors, changed


def _frame_did(frame: bytes) -> str:
    try:
        _, body = libipld.decode_dag_cbor_multi(frame)
        return _did(body.get("repo") or body.get("did"))
    except _MISSHAPEN:
        return ""


# --- sending ---------------------------------------------------------------------------------------------------------

_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?')\]]")
_HANDLE = re.compile(r"(?<![\w@/.])@((?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]{2,63})(?![\w-])")
_TAG = re.compile(r"(?<![\w&/])#([^\W\d_][\w-]{0,63})")


def _sent(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
    parent = _record_answered(http, settings, outgoing)
    root = mapping(mapping(parent["value"]).get("reply")).get("root") or {"uri": parent["uri"], "cid": parent["cid"]}
    written = {
        "$type": POSTS,
        "text": outgoing.text,
        "createdAt": _iso(outgoing.began_at or now),
        "langs": [outgoing.language] if outgoing.language else None,
        "reply": {"root": root, "parent": {"uri": parent["uri"], "cid": parent["cid"]}},
        "facets": _marked(http, settings, outgoing.text) or None,
        "embed": _pictures(http, settings, outgoing.attachments),
    }
    body = {
        "repo": _option(settings, "handle").lstrip("@"),
        "collection": POSTS,
        "rkey": _own_key(outgoing, now),
        "record": {name: value for name, value in written.items() if value is not None},
    }
    try:
        response = _write(http, settings, "com.atproto.repo.createRecord", json=body)
    except Unsure:  # some servers answer 500 where the record is there already
        there = _found(http, settings, outgoing, now=now)
        if there is None:
            raise
        return there
    if response.status in (400, 409):
        there = _found(http, settings, outgoing, now=now)
        if there is not None:
            return there
        raise GiveUp(f"Bluesky does not take it: {_error(response.body, 'message') or 'no reason given'}")
    return _as_sent(accepted(response.raise_for_status()), now)


def _found(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
    place = [
        ("repo", _option(settings, "handle").lstrip("@")),
        ("collection", POSTS),
        ("rkey", _own_key(outgoing, now)),
    ]
    response = _read(http, settings, "com.atproto.repo.getRecord", place)
    if response.status in (400, 404) and _error(response.body) in ("RecordNotFound", "InvalidRequest"):
        return None
    return _as_sent(mapping(response.raise_for_status().json()), now)


def _own_key(outgoing: Outgoing, now: datetime) -> str:
    """A record key of the usual kind (TID) that is the same at every try: the first try's second, the rest its own."""
    noise = int.from_bytes(hashlib.blake2b(outgoing.key.encode(), digest_size=8).digest())
    second = int((outgoing.began_at or now).timestamp())
    number = ((second * 1_000_000 + noise % 1_000_000) << 10) | (noise >> 32) % 1024
    letters = ""
    for _place in range(13):
        letters = _TID[number % 32] + letters
        number //= 32
    return letters


def _record_answered(http: Http, settings: Mapping[str, Any], outgoing: Outgoing) -> dict[str, Any]:
    """Address, hash and words of the post that is answered, as they are now."""
    uri = str(answered(outgoing, "bluesky").get("native_id") or "")
    found = _AT_URI.fullmatch(uri)
    if not found:
        raise GiveUp("What it answers has no address on Bluesky.")
    repo, collection, rkey = found.groups()
    place = [("repo", repo), ("collection", collection), ("rkey", rkey)]
    response = _read(http, settings, "com.atproto.repo.getRecord", place)
    if response.status in (400, 404):
        raise GiveUp("What it answers was deleted.")
    record = mapping(response.raise_for_status().json())
    if not record.get("uri") or not record.get("cid"):
        raise TryLater("Bluesky did not say what it answers")
    return dict(record)


def _marked(http: Http, settings: Mapping[str, Any], words: str) -> list[dict[str, Any]]:
    """Links, mentions and hashtags, by where they stand in the bytes."""
    found: list[tuple[re.Match[str], dict[str, str]]] = [
        (match, {"$type": "app.bsky.richtext.facet#link", "uri": match[0]}) for match in _LINK.finditer(words)
    ]
    for match in _HANDLE.finditer(words):
        with contextlib.suppress(GiveUp):  # nobody has this handle: it stays plain words
            did = _resolved(http, settings, match[1])
            found.append((match, {"$type": "app.bsky.richtext.facet#mention", "did": did}))
    taken = [match.span() for match, _ in found]
    for match in _TAG.finditer(words):
        if not any(start <= match.start() < end for start, end in taken):
            found.append((match, {"$type": "app.bsky.richtext.facet#tag", "tag": match[1]}))
    return [
        {
            "index": {
                "byteStart": len(words[: match.start()].encode()),
                "byteEnd": len(words[: match.end()].encode()),
            },
            "features": [feature],
        }
        for match, feature in sorted(found, key=lambda each: each[0].start())
    ]


def _pictures(http: Http, settings: Mapping[str, Any], files: Sequence[Attachment]) -> dict[str, Any] | None:
    """The pictures as an embed; uploading posts nothing, so it may be repeated."""
    images = []
    for file in files:
        response = _write(
            http,
            settings,
            "com.atproto.repo.uploadBlob",
            content=file.body,
            headers={"Content-Type": file.content_type},
        )
        if response.status in (400, 413):
            raise GiveUp(f"Bluesky does not take {file.name}: {_error(response.body, 'message')}")
        images.append({"alt": file.alt, "image": accepted(response.raise_for_status()).get("blob")})
    return {"$type": "app.bsky.embed.images", "images": images} if images else None


def _write(http: Http, settings: Mapping[str, Any], method: str, **options: Any) -> Response:
    """Call a method that writes; a session that ran out is renewed, as such a call wrote nothing."""
    url = _address(settings, "service", f"/xrpc/{method}")
    headers = options.pop("headers", {})
    response = post_once(http, url, headers=headers | _signed_in(http, settings), **options)
    if response.status in (400, 401) and _error(response.body) in ("ExpiredToken", "InvalidToken"):
        response = post_once(http, url, headers=headers | _signed_in(http, settings, again=True), **options)
    return response


def _read(http: Http, settings: Mapping[str, Any], method: str, query: Sequence[tuple[str, str]]) -> Response:
    url = _address(settings, "service", f"/xrpc/{method}", query)
    response = http.get(url, headers=_signed_in(http, settings))
    if response.status in (400, 401) and _error(response.body) in ("ExpiredToken", "InvalidToken"):
        response = http.get(url, headers=_signed_in(http, settings, again=True))
    return response


def _as_sent(reply: Mapping[str, Any], now: datetime) -> Sent:
    uri = str(reply.get("uri") or "")
    if not _AT_URI.fullmatch(uri):
        raise Unsure("Bluesky gave the post no address")
    at = moment(mapping(reply.get("value")).get("createdAt")) or _tid_time(uri.rpartition("/")[2]) or now
    return Sent(uid=_uid(uri), url=_web_address(uri), at=at)


connector = Bluesky()
