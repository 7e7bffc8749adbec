"""Mastodon and the servers that speak its interface: Pleroma, Akkoma, GoToSocial, Pixelfed, Friendica, Iceshrimp …

A post's uid is `mastodon:<server that was asked>:<id on that server>`: deletions and replies are told by that id
alone. The same post read through two servers is two uids with one url. Ids are numbers on Mastodon and words
elsewhere; they are never normalised, and ordered by length, then letters.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import chain
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import nh3

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
    Setting,
)
from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, Malformed, TryLater, Unsure
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import absolute, clean, plain, shortened, site
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.posting import accepted, answered, first_of, multipart, post_once, reason, same_words, since
from talkworthy.connectors.reading import (
    Gone,
    Piece,
    Unusable,
    counted,
    gather,
    integer,
    known,
    listed,
    moment,
    read_json,
    record,
    text,
)
from talkworthy.connectors.replies import Response
from talkworthy.connectors.websocket import WebSocket
from talkworthy.schema import native_parts, post_uid

LIMIT = 40
"""Posts in one page, the most that Mastodon gives."""
FULL = 20
"""A page of so many posts may have a next one; some servers give no more than this."""
LOOK_BACK = 300
"""Seconds between two readings of the newest page for edits, late arrivals and deletions."""
ASK_ABOUT = 5
"""Missing posts that are asked for by name in one look back."""
HEARTBEAT = 10.0
BATCH = 200
DEPTH = 3
MAX_HTML = 200_000
ORIGINS = {"hashtag": "hashtags", "list": "lists", "account": "accounts"}
"""What is read, and the setting that names which."""
STREAMS = {
    "hashtag": "hashtag",
    "local": "public:local",
    "public": "public",
    "list": "list",
    "home": "user",
    "mentions": "user:notification",
}
VISIBILITY = {
    "public": "public",
    "unlisted": "unlisted",
    "private": "members",
    "mutuals_only": "members",
    "local": "members",
    "direct": "private",
}
MEDIA = {"image": "image", "gifv": "video", "video": "video", "audio": "audio"}
_ANCHOR = re.compile(r"<a ([^>]*)>")
_HREF = re.compile(r'href="([^"]*)"')
_CLASS = re.compile(r'class="([^"]*)"')
_QUOTE_LINE = re.compile(r'<(p|span) class="(?:quote-inline|[^"]* quote-inline)">.{0,2000}?</\1>', re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,4000}")
_COMPATIBLE = re.compile(r"compatible; ([\w .-]+?) v?(\d[\w.+~-]*)")


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where one timeline was left: ids of the newest and the oldest post seen, and posts still wanted from before."""

    newest: str | None = None
    oldest: str | None = None
    left: int = 0
    looked: int = 0
    """When the newest page was last read again, in epoch seconds."""
    recent: tuple[str, ...] = ()
    id: str | None = None
    """The server's id of the list or account that a person named."""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "_Place":
        found = {name: kept[name] for name in cls.__dataclass_fields__ if name in kept}
        return cls(**found | {"recent": tuple(found.get("recent", ()))})

    def kept(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items() if value}


class Mastodon:
    """The fediverse as one server sees it."""

    name: ClassVar[str] = "mastodon"
    title: ClassVar[str] = "Mastodon and compatible servers"
    about: ClassVar[str] = "Posts of the fediverse: a hashtag, a server's timelines, a list, accounts, your mentions."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="server",
            label="Server",
            kind=Kind.URL,
            required=True,
            help="The server to ask. It knows the posts of its own people and of those whom they follow.",
            example="https://mastodon.social",
        ),
        Setting(
            name="what",
            label="What to read",
            kind=Kind.CHOICE,
            required=True,
            default="hashtag",
            choices=(
                ("hashtag", "Hashtags"),
                ("local", "Everything written on this server"),
                ("public", "Everything public that this server knows"),
                ("account", "Posts of some accounts"),
                ("list", "Lists of my account"),
                ("home", "The home timeline of my account"),
                ("mentions", "Mentions of my account"),
            ),
            help="Lists, home and mentions need a token; many servers ask for one for all the others too.",
        ),
        Setting(
            name="hashtags", label="Hashtags", kind=Kind.LINES, help="One a line, with or without #.", example="acme"
        ),
        Setting(
            name="accounts",
            label="Accounts",
            kind=Kind.LINES,
            help="One a line, such as acme@mastodon.social; without a server where the account lives on this one.",
            example="acme@mastodon.social",
        ),
        Setting(
            name="lists",
            label="Lists",
            kind=Kind.LINES,
            help="Titles or numbers of lists, one a line.",
            example="Press",
        ),
        Setting(
            name="token",
            label="Access token",
            kind=Kind.SECRET,
            help="Made on the server under Preferences, Development, New application; the scope “read” suffices to "
            "hear, “write:statuses” and “write:media” are needed to answer.",
        ),
        Setting(name="boosts", label="Boosts too", kind=Kind.FLAG, default=True, help="Boosts as posts of their own."),
        Setting(
            name="history",
            label="Earlier posts at first",
            kind=Kind.NUMBER,
            default=200,
            help="How many posts back a new source reads; 0 begins with the newest page.",
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
        met_live=False,
        limits=(
            "A reply to a post that the server has not seen is sent only if the server can fetch it.",
            "A server shows what reached it: a hashtag on a small server misses most of the fediverse.",
            "Posts that reach the server late are filed by their own date; those older than the newest 40 are missed.",
            "Between two readings, edits and deletions show among the newest 40 posts only; a stream tells all.",
            "Deletions told while no stream is open are learned only where a post vanished from the newest page.",
            "Accounts have no stream; they are asked again and again.",
            "Servers without a way to read on from a post (min_id) are not supported.",
            "The same post read through two servers counts as two; they share their address.",
            "Followers-only and direct posts are heard only where the account of the token may read them.",
        ),
    )

    sending: ClassVar[SendingLimits] = SendingLimits(
        characters=500,
        count="graphemes",
        link_length=23,
        visibilities=("public", "unlisted", "members", "private"),
        attachments=4,
        attachment_types=("image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4", "audio/mpeg"),
        attachment_bytes=10_000_000,
        alt_text=True,
        addressed=True,
        needs=("token",),
        scopes=("read", "write:statuses", "write:media"),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Read one page of one timeline; several hashtags, lists or accounts take turns."""
        targets = _targets(settings)
        key = f"{_server(settings)} {_what(settings)}"
        kept = cursor if cursor and cursor.get("key") == key else {}
        turn = int(kept.get("turn", 0)) % len(targets)
        places = {name: record(kept.get("places")).get(name, {}) for name in targets}
        place = _Place.of(places[targets[turn]])
        note = ""
        try:
            payloads, place, more = _step(http, settings, targets[turn], place, now=now)
        except GiveUp as error:
            if len(targets) == 1:
                raise
            payloads, more, note = [], False, f"{targets[turn]}: {error}"  # the others go on
        places[targets[turn]] = place.kept()
        onward = turn if more else turn + 1
        after = {"key": key, "turn": onward % len(targets), "places": places}
        return Page(payloads=tuple(payloads), cursor=after, more=more or onward < len(targets), note=note)

    def stream(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None) -> Iterator[Page]:
        """Connect, catch up by pages, then hear what comes; WebSocket first, server-sent events where there is none."""
        what = _what(settings)
        if what not in STREAMS:
            raise GiveUp("A server has no stream of single accounts; they are asked again and again.")
        targets = _targets(settings)
        base = _streaming_base(http, settings)
        with ExitStack() as open_ones:
            try:
                socket = open_ones.enter_context(_socket(http, settings, base, targets[0]))
            except (TryLater, GiveUp) as error:
                if len(targets) > 1:
                    raise TryLater(f"Several timelines at once need a WebSocket: {error}", after=300) from error
                batches = _event_batches(http, settings, base, targets[0])
                first = next(batches, [])  # opens the connection before the pages are caught up
                yield from _follow(self, http, settings, cursor, chain([first], batches))
                return
            for other in targets[1:]:
                socket.send(json.dumps({"type": "subscribe", **_subscription(http, settings, other)}))
            yield from _follow(self, http, settings, cursor, _socket_batches(socket))

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read posts, notifications or stream events, whichever the payload holds."""
        origin = _origin(settings, payload)
        boosts = _flag(settings, "boosts", default=True)
        reader = _Reader(origin=origin, boosts=boosts, now=payload.fetched_at)
        if payload.content_type.startswith("application/x-ndjson"):
            return gather(_lines_of(payload.body), reader.event)
        body = read_json(payload.body)
        if isinstance(body, dict):
            body = body.get("statuses", [body] if "id" in body or "gone" in body else None)
        if not isinstance(body, list):
            raise Malformed("the reply holds no posts")
        return gather(body, reader.item)

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Find out what the server runs, then read one page."""
        try:
            base = _server(settings)
            kind = _instance(http, base)
            details = {"software": kind.software, "version": kind.version, "stream": kind.stream or ""}
            if not kind.speaks:
                message = f"{base} runs {kind.software} {kind.version}, which does not offer the interface of Mastodon."
                return Checked(ok=False, message=message, details=details)
            page = self.fetch(http, settings, None, now=now)
            posts = sum(self.parse(payload, settings).posts.num_rows for payload in page.payloads)
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        message = f"{base} runs {kind.software} {kind.version}; its first page holds {posts} posts."
        return Checked(ok=True, message=message, details=details | {"posts": str(posts)})

    def send(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
        """Post a reply under the status that it answers, naming its author; files first, with their descriptions."""
        return _sent(http, settings, outgoing, now=now)

    def find_sent(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
        """Look among the answers to the status, and the newest of our own statuses."""
        return _found(http, settings, outgoing, now=now)

    def limits(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Mapping[str, Any]:
        """What this server takes: its length of a post, its files, and whether it knows keys."""
        return _limits(http, settings)


# --- pages -------------------------------------------------------------------------------------------------------


def _step(
    http: Http, settings: Mapping[str, Any], target: str, place: _Place, *, now: datetime
) -> tuple[list[Payload], _Place, bool]:
    """One page of a timeline: of what came before while that is wanted, else of what came since."""
    history = _number(settings, "history")
    path, params, place = _timeline(http, settings, target, place)
    if place.newest is None:
        page = _page(http, settings, path, params)
        left = max(0, history - len(page.ids))
        place = replace(place, left=left if page.ids else 0, looked=int(now.timestamp()))
        place = replace(place, newest=page.newest, oldest=page.oldest, recent=page.ids[:LIMIT])
        return [page.payload(now)] if page.ids else [], place, place.left > 0
    if place.left > 0:
        page = _page(http, settings, path, [*params, ("max_id", place.oldest or "")])
        further = page.oldest is not None and page.oldest != place.oldest
        left = max(0, place.left - len(page.ids)) if further else 0
        return (
            [page.payload(now)] if page.ids else [],
            replace(place, oldest=page.oldest or place.oldest, left=left),
            left > 0,
        )
    page = _page(http, settings, path, [*params, ("min_id", place.newest)])
    newer = [each for each in page.ids if _order(each) > _order(place.newest or "")]
    newest = max([place.newest, page.newest or "", *newer], key=_order)
    more = len(newer) >= FULL and newest != place.newest
    place = replace(place, newest=newest)
    if more or now.timestamp() - place.looked < LOOK_BACK:
        return [page.payload(now)] if newer else [], place, more
    again, place = _look_back(http, settings, path, params, place, now=now)
    return [*([page.payload(now)] if newer else []), *again], place, False


def _look_back(
    http: Http,
    settings: Mapping[str, Any],
    path: str,
    params: Sequence[tuple[str, str]],
    place: _Place,
    *,
    now: datetime,
) -> tuple[list[Payload], _Place]:
    """Read the newest page again, and ask by name for posts that vanished from it."""
    page = _page(http, settings, path, params)
    payloads = [page.payload(now)]
    seen = set(page.ids)
    floor = _order(min(page.ids, key=_order)) if page.ids else (0, "")
    missing = [each for each in place.recent if each not in seen and _order(each) >= floor]
    if _what(settings) != "mentions":
        gone = [each for each in missing[:ASK_ABOUT] if _is_gone(http, settings, each)]
        if gone:
            body = json.dumps({"gone": gone}).encode()
            payloads.append(Payload(body=body, url=page.reply.url, fetched_at=now))
        missing = missing[ASK_ABOUT:]
    recent = (*page.ids, *missing)[: 2 * LIMIT]
    return payloads, replace(place, looked=int(now.timestamp()), recent=recent)


def _is_gone(http: Http, settings: Mapping[str, Any], id: str) -> bool:
    """Whether the server says that a post is no more; a refusal of any other kind says nothing."""
    reply = http.get(f"{_server(settings)}/api/v1/statuses/{quote(id, safe='')}", auth=_token(settings))
    return reply.status in (404, 410)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A page of a timeline as it came, and the ids in it."""

    reply: Response
    ids: tuple[str, ...]
    newest: str | None
    oldest: str | None

    def payload(self, now: datetime) -> Payload:
        return self.reply.payload(fetched_at=now)


def _page(http: Http, settings: Mapping[str, Any], path: str, params: Sequence[tuple[str, str]]) -> _Read:
    query = urlencode([*params, ("limit", str(LIMIT))])
    reply = http.get(f"{_server(settings)}{path}?{query}", auth=_token(settings), accept="application/json")
    if reply.status == 422 and not _token(settings):
        raise AskForCredentials(f"{_server(settings)} shows this timeline only with a token.")
    items = reply.raise_for_status().json()
    if not isinstance(items, list):
        raise TryLater(f"{_server(settings)} answered without a list of posts.", after=300)
    ids = tuple(native for item in items if (native := _id(record(item).get("id"))))
    newest, oldest = max(ids, key=_order, default=None), min(ids, key=_order, default=None)
    newest = _linked(reply.links.get("prev"), ("min_id", "since_id"), like=newest) or newest
    oldest = _linked(reply.links.get("next"), ("max_id",), like=oldest) or oldest
    return _Read(reply=reply, ids=ids, newest=newest, oldest=oldest)


def _linked(url: str | None, names: Iterable[str], *, like: str | None) -> str | None:
    """The id in a Link header, where it is of the kind that the page holds; the address itself is not followed."""
    query = parse_qs(urlsplit(url or "").query)
    found = next((query[name][0] for name in names if query.get(name)), None)
    return found if found and like and len(found) == len(like) else None


def _order(id: str) -> tuple[int, str]:
    return len(id), id


def _timeline(
    http: Http, settings: Mapping[str, Any], target: str, place: _Place
) -> tuple[str, list[tuple[str, str]], _Place]:
    """Path and parameters of a timeline; names of lists and accounts are looked up once."""
    what = _what(settings)
    if what == "hashtag":
        return f"/api/v1/timelines/tag/{quote(target, safe='')}", [], place
    if what in ("local", "public"):
        return "/api/v1/timelines/public", [("local", "true")] if what == "local" else [], place
    if what == "home":
        return "/api/v1/timelines/home", [], place
    if what == "mentions":
        return "/api/v1/notifications", [("types[]", "mention")], place
    if place.id is None:
        place = replace(
            place, id=_list_id(http, settings, target) if what == "list" else _account_id(http, settings, target)
        )
    number = quote(place.id or "", safe="")
    if what == "list":
        return f"/api/v1/timelines/list/{number}", [], place
    return f"/api/v1/accounts/{number}/statuses", [], place


def _list_id(http: Http, settings: Mapping[str, Any], title: str) -> str:
    reply = http.get(f"{_server(settings)}/api/v1/lists", auth=_token(settings)).raise_for_status()
    for each in map(record, listed(reply.json())):
        if title in (each.get("id"), each.get("title")):
            return str(each["id"])
    raise GiveUp(f"The account has no list called “{title}”.")


def _account_id(http: Http, settings: Mapping[str, Any], name: str) -> str:
    """The id of an account on this server; servers without a lookup are searched."""
    base, token = _server(settings), _token(settings)
    reply = http.get(f"{base}/api/v1/accounts/lookup", params={"acct": name}, auth=token)
    if reply.status == 200 and (native := _id(record(reply.json()).get("id"))):
        return native
    found = http.get(f"{base}/api/v1/accounts/search", params={"q": name, "resolve": "true", "limit": 5}, auth=token)
    if found.status == 200:
        for each in map(record, listed(found.json())):
            if _handle(each, _host(base)).lower() in (name.lower(), f"{name.lower()}@{_host(base)}") and _id(
                each.get("id")
            ):
                return str(each["id"])
    if found.status in (401, 403) and not token:
        raise AskForCredentials(f"{base} looks up {name} only with a token.")
    raise GiveUp(f"{base} knows no account {name}.")


# --- the stream ----------------------------------------------------------------------------------------------------


def _socket(http: Http, settings: Mapping[str, Any], base: str, target: str) -> WebSocket:
    """A WebSocket; the token travels in headers, since addresses end up in logs."""
    token = _token(settings)
    query = urlencode(_subscription(http, settings, target))
    protocols = (token,) if token and _TOKEN.fullmatch(token) else ()
    return http.websocket(f"{base}/api/v1/streaming?{query}", auth=token, subprotocols=protocols)


def _subscription(http: Http, settings: Mapping[str, Any], target: str) -> dict[str, str]:
    what = _what(settings)
    if what == "hashtag":
        return {"stream": "hashtag", "tag": target}
    if what == "list":
        return {"stream": "list", "list": _list_id(http, settings, target)}
    return {"stream": STREAMS[what]}


def _follow(
    connector: Mastodon,
    http: Http,
    settings: Mapping[str, Any],
    cursor: Cursor | None,
    batches: Iterator[list[str]],
) -> Iterator[Page]:
    """Catch up by pages first: the open stream keeps what comes meanwhile."""
    more = True
    while more:
        page = connector.fetch(http, settings, cursor, now=datetime.now(UTC))
        cursor, more = page.cursor, page.more
        yield page
    for batch in batches:
        cursor = _advanced(cursor or {}, batch, event="notification" if _what(settings) == "mentions" else "update")
        body = "\n".join(batch).encode("utf-8", "replace")
        kept = Payload(
            body=body, content_type="application/x-ndjson", url=_server(settings), fetched_at=datetime.now(UTC)
        )
        yield Page(payloads=(kept,) if batch else (), cursor=cursor)


def _socket_batches(socket: WebSocket) -> Iterator[list[str]]:
    """Messages as lines, in batches of what came within a moment; an empty batch as a heartbeat."""
    over: ConnectorError | None = None
    while over is None:
        batch: list[str] = []
        wait = HEARTBEAT
        try:
            while len(batch) < BATCH and (message := socket.recv(wait)) is not None:
                line = _one_line(message.decode("utf-8", "replace") if isinstance(message, bytes) else message)
                batch += [line] if line else []
                wait = 0.2
        except ConnectorError as error:
            over = error
        yield batch
    raise over


def _event_batches(http: Http, settings: Mapping[str, Any], base: str, target: str) -> Iterator[list[str]]:
    """Server-sent events as the same lines that a WebSocket carries."""
    told = _subscription(http, settings, target)
    path = told.pop("stream").replace(":", "/")
    address = re.sub(r"^ws", "http", base) + f"/api/v1/streaming/{path}"
    lines = http.stream_lines(address, params=told, auth=_token(settings), heartbeat=HEARTBEAT)
    event = ""
    data: list[str] = []
    for line in lines:
        if line is None:
            yield []
        elif not line:
            if event and data:
                yield [json.dumps({"event": event, "payload": "\n".join(data)})]
            event, data = "", []
        elif not line.startswith(b":"):
            name, _, value = line.decode("utf-8", "replace").partition(":")
            value = value.removeprefix(" ")
            event = value if name == "event" else event
            data += [value] if name == "data" else []


def _one_line(message: str) -> str:
    return message.replace("\r", " ").replace("\n", " ").strip()


def _advanced(cursor: Cursor, batch: Sequence[str], *, event: str) -> Cursor:
    """The cursor behind the newest post of a batch, per hashtag or list where the stream says which."""
    places = dict(record(cursor.get("places")))
    for line in batch:
        with suppress(ValueError, RecursionError):
            told = record(json.loads(line))
            if told.get("event") != event:
                continue
            native = _id(record(_unwrapped(told)).get("id"))
            name = _named(places, [str(each).lower() for each in listed(told.get("stream"))[1:]])
            place = _Place.of(places[name]) if name is not None else _Place()
            if native and name is not None and _order(native) > _order(place.newest or ""):
                recent = (native, *place.recent)[: 2 * LIMIT]
                places[name] = replace(place, newest=native, recent=recent).kept()
    return {**cursor, "places": places}


def _named(places: Mapping[str, Mapping[str, Any]], stream: Sequence[str]) -> str | None:
    """The timeline that a stream's name means; None where several are read and it is none of them."""
    if len(places) == 1:
        return next(iter(places))
    return next((name for name, place in places.items() if name.lower() in stream or place.get("id") in stream), None)


@dataclass(frozen=True, kw_only=True)
class _Instance:
    """What a server says of itself."""

    software: str
    version: str
    stream: str | None = None
    speaks: bool = True


def _instance(http: Http, base: str) -> _Instance:
    """Ask in the newest way first: /api/v2/instance, /api/v1/instance, then nodeinfo."""
    for version in ("v2", "v1"):
        told = _answer(http, f"{base}/api/{version}/instance")
        if isinstance(told.get("version"), str):
            urls = record(record(told.get("configuration")).get("urls")) or record(told.get("urls"))
            stream = text(urls.get("streaming")) or text(urls.get("streaming_api"))
            named = _COMPATIBLE.search(told["version"])
            software, number = (named[1], named[2]) if named else ("Mastodon", told["version"])
            return _Instance(software=software, version=number[:60], stream=stream)
    links = listed(_answer(http, f"{base}/.well-known/nodeinfo").get("links"))
    href = next((absolute(text(record(each).get("href"))) for each in reversed(links)), None)
    about = record(_answer(http, href).get("software")) if href else {}
    if not about:
        raise GiveUp(f"{base} answers like no server of the fediverse.")
    return _Instance(software=text(about.get("name")) or "?", version=text(about.get("version")) or "?", speaks=False)


def _answer(http: Http, url: str) -> Mapping[str, Any]:
    reply = http.get(url, accept="application/json")
    if reply.status != 200:
        return {}
    try:
        return record(json.loads(reply.body))
    except (ValueError, RecursionError):
        return {}


def _streaming_base(http: Http, settings: Mapping[str, Any]) -> str:
    """Where the server streams; a token never goes to an unencrypted place because a reply says so."""
    base = _server(settings)
    secure = base.startswith("https:")
    told = urlsplit("")
    with suppress(GiveUp):
        told = urlsplit(_instance(http, base).stream or "")
    netloc = told.netloc if told.scheme in ("ws", "wss", "http", "https") and told.netloc else urlsplit(base).netloc
    return f"{'wss' if secure else 'ws'}://{netloc}"


# --- from replies to posts ------------------------------------------------------------------------------------------


def _lines_of(body: bytes) -> Iterator[Any]:
    """Events of a stream, one a line; what is no JSON comes as it is, to be set aside."""
    lines = [line for line in body.splitlines() if line.strip()]
    if not lines:
        raise Malformed("no event in these bytes")
    for line in lines:
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            yield line.decode("utf-8", "replace")


def _unwrapped(told: Mapping[str, Any]) -> Any:
    """What an event carries: JSON within JSON, or plain JSON from some servers."""
    carried = told.get("payload")
    if isinstance(carried, str):
        try:
            return json.loads(carried)
        except (ValueError, RecursionError):
            return carried
    return carried


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Reads items of one server, taken at one time."""

    origin: str
    boosts: bool
    now: datetime

    def event(self, told: Mapping[str, Any]) -> Iterator[Piece]:
        """Pieces of a stream event; those about other things than posts give none."""
        event, carried = told.get("event"), told.get("payload")
        if event in ("update", "status.update", "notification", "conversation"):
            held = _unwrapped(told)
            yield from self.item(known(held if isinstance(held, dict) else None, "payload"))
        elif event == "delete":
            native = carried.get("id") if isinstance(carried, dict) else carried
            yield self._gone(known(_id(native), "id"))
        elif not isinstance(event, str):
            raise Unusable("an event without a name")

    def item(self, item: Mapping[str, Any]) -> Iterator[Piece]:
        """Pieces of a post, a notification, a conversation, or a list of posts that are gone."""
        if isinstance(item.get("gone"), list):
            yield from (self._gone(native) for each in item["gone"] if (native := _id(each)))
        elif "last_status" in item:
            yield from self._status(record(item["last_status"])) if item["last_status"] else ()
        elif isinstance(item.get("type"), str) and "content" not in item:
            if item["type"] in ("mention", "quote"):
                yield from self._status(record(item.get("status")))
        else:
            yield from self._status(item)

    def _gone(self, native: str) -> Gone:
        return Gone(uid=self._uid(native), published_at=None, deleted_at=self.now)

    def _uid(self, native: str) -> str:
        return post_uid("mastodon", self.origin, native)

    def _status(self, status: Mapping[str, Any], depth: int = 0) -> Iterator[Piece]:
        """The post, before it what it boosts or quotes, as far as the reply holds that."""
        native = known(_id(status.get("id")), "id")
        known(status.get("account"), "author")
        known("content" in status or None, "content")
        boosted, quoted = record(status.get("reblog")), _quoted(status)
        inner = boosted or record(record(status.get("quote")).get("quoted_status") or status.get("quote"))
        if inner.get("account") and depth < DEPTH and (self.boosts or not boosted):
            with suppress(Unusable):
                yield from self._status(inner, depth + 1)
        if boosted and not self.boosts:
            return
        said = boosted or status
        row = self._said(said, has_quote=quoted is not None)
        parent = _id(said.get("in_reply_to_id")) if not boosted else None
        repeats = _id(boosted.get("id")) if boosted else quoted
        kind = "REPOST" if boosted else "REPLY" if parent else "QUOTE" if quoted else None
        url = absolute(text(status.get("url"))) or absolute(text(status.get("uri")))
        yield row | {
            "uid": self._uid(native),
            "url": url,
            "site": site(url),
            "author": self._author(record(status.get("account"))),
            "published_at": self._published(status),
            "edited_at": moment(status.get("edited_at")),
            "collected_at": self.now,
            "in_reply_to": self._uid(parent) if parent else None,
            "engagement_type": kind,
            "repeats": self._uid(repeats) if repeats else None,
            "visibility": VISIBILITY.get(str(status.get("visibility", "public")), "private"),
            "engagement": None if boosted else self._counts(status),
        }

    def _published(self, status: Mapping[str, Any]) -> datetime:
        at: datetime = known(moment(status.get("created_at")), "time")
        if at > self.now + timedelta(days=1):
            raise Unusable("a time that is still to come")
        return at

    def _said(self, status: Mapping[str, Any], *, has_quote: bool) -> dict[str, Any]:
        """The columns that hold what was said."""
        html = (text(status.get("content")) or "")[:MAX_HTML]
        html = _QUOTE_LINE.sub("", html) if has_quote else html
        options = [text(record(each).get("title")) for each in listed(record(status.get("poll")).get("options"))]
        choices = "".join(f"\n- {option}" for option in options if option)
        media = [record(each) for each in listed(status.get("media_attachments"))]
        others = [_media_url(each) for each in media if str(each.get("type")) not in MEDIA]
        warning = text(status.get("spoiler_text"))
        return {
            "kind": "question" if options else "note",
            "text": (plain(html) + choices).strip(),
            "html": clean(html) or None,
            "summary": plain(warning) if warning else None,
            "language": _language(status.get("language")),
            "links": list(dict.fromkeys([*_links(html), *(url for url in others if url)])),
            "hashtags": _names(status.get("tags"), "name"),
            "mentions": [_handle(record(each), self.origin) for each in listed(status.get("mentions")) if record(each)],
            "tags": ["sensitive"] if status.get("sensitive") is True else None,
            "media": [
                {"type": MEDIA[each["type"]], "url": url, "alt": text(each.get("description"))}
                for each in media
                if str(each.get("type")) in MEDIA and (url := _media_url(each))
            ],
        }

    def _counts(self, status: Mapping[str, Any]) -> dict[str, Any] | None:
        boosts, quotes = _count(status.get("reblogs_count")), _count(status.get("quotes_count"))
        shares = integer((boosts or 0) + (quotes or 0)) if boosts is not None or quotes is not None else None
        replies, likes = _count(status.get("replies_count")), _count(status.get("favourites_count"))
        return counted(self.now, replies=replies, shares=shares, likes=likes, views=None)

    def _author(self, account: Mapping[str, Any]) -> dict[str, Any] | None:
        url = absolute(text(account.get("url")))
        lasting = text(account.get("uri")) or url or _id(account.get("id"))
        handle = _handle(account, self.origin) or None
        if not lasting and not handle:
            return None
        bio = text(account.get("note"))
        return {
            "id": lasting,
            "handle": handle,
            "name": text(account.get("display_name")) or text(account.get("username")),
            "url": url,
            "avatar": absolute(text(account.get("avatar"))),
            "bio": plain(bio[:MAX_HTML]) or None if bio else None,
            "followers": _count(account.get("followers_count")),
            "following": _count(account.get("following_count")),
            "verified": None,
            "verified_type": None,
            "automated": account["bot"] if isinstance(account.get("bot"), bool) else None,
        }


def _quoted(status: Mapping[str, Any]) -> str | None:
    """The id of the quoted post: Mastodon nests it, Pleroma and Iceshrimp give `quote_id` or the post itself."""
    told = record(status.get("quote"))
    nested = record(told.get("quoted_status")).get("id") or told.get("quoted_status_id")
    plain_one = told.get("id") if "state" not in told else None
    return _id(nested) or _id(plain_one) or _id(status.get("quote_id"))


def _links(html: str) -> list[str]:
    """Addresses of anchors that are neither mention nor hashtag."""
    simple = nh3.clean(shortened(html), tags={"a"}, attributes={"a": {"href", "class"}}, link_rel=None)
    found = []
    for anchor in _ANCHOR.findall(simple):
        classes = _CLASS.search(anchor)
        href = _HREF.search(anchor)
        if href and not {"mention", "hashtag"} & set((classes[1] if classes else "").split()):
            found.append(absolute(unescape(href[1])))
    return [url for url in found if url]


def _names(items: Any, name: str) -> list[str]:
    return [found.lstrip("#") for each in listed(items) if (found := text(record(each).get(name)))]


def _media_url(media: Mapping[str, Any]) -> str | None:
    return absolute(text(media.get("url"))) or absolute(text(media.get("remote_url")))


def _handle(account: Mapping[str, Any], origin: str) -> str:
    """The whole handle: local accounts get the server's name."""
    name = (text(account.get("acct")) or text(account.get("username")) or "").lstrip("@")
    return name if not name or "@" in name else f"{name}@{origin}"


def _language(value: Any) -> str | None:
    code = (text(value) or "").partition("-")[0].partition("_")[0].lower()
    return code if 2 <= len(code) <= 3 and code.isascii() and code.isalpha() else None


def _id(value: Any) -> str | None:
    """An id as text; some servers send numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    found = text(value)
    return found if found and len(found) <= 500 and not any(mark.isspace() for mark in found) else None


def _count(value: Any) -> int | None:
    number = integer(value)
    return number if number is not None and number >= 0 else None


# --- settings --------------------------------------------------------------------------------------------------------


def _server(settings: Mapping[str, Any]) -> str:
    """Scheme and host of the server, without a path; a bare host gets https."""
    told = str(settings.get("server") or "").strip()
    parts = urlsplit(told if "://" in told else f"https://{told}")
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise GiveUp(f"“{told}” is not the address of a server.")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _host(base: str) -> str:
    return urlsplit(base).netloc


def _origin(settings: Mapping[str, Any], payload: Payload) -> str:
    """The server that issued the ids: the one in the settings, else where the payload came from."""
    try:
        return _host(_server(settings))
    except (GiveUp, ValueError):
        return site(payload.url) or ""


def _what(settings: Mapping[str, Any]) -> str:
    what = str(settings.get("what") or "hashtag")
    if what not in STREAMS and what not in ORIGINS:
        raise GiveUp(f"“{what}” is nothing that Mastodon shows; choose one of the list.")
    return what


def _targets(settings: Mapping[str, Any]) -> list[str]:
    """The hashtags, lists or accounts to read; one nameless target where there is only one timeline."""
    name = ORIGINS.get(_what(settings))
    if name is None:
        return [""]
    value = settings.get(name) or ""
    told = value.replace(",", "\n").splitlines() if isinstance(value, str) else [str(each) for each in value]
    found = list(dict.fromkeys(each for line in told if (each := line.strip().lstrip("#@"))))
    if not found:
        raise GiveUp(f"Name at least one of the {name} to read.")
    return found


def _token(settings: Mapping[str, Any]) -> str | None:
    return str(settings.get("token") or "").strip() or None


def _flag(settings: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = settings.get(name)
    return default if value is None or value == "" else value in (True, 1, "1", "true", "on", "yes")


def _number(settings: Mapping[str, Any], name: str) -> int:
    value = settings.get(name)
    number = integer(200 if value is None or value == "" else value)
    if number is None or number < 0:
        raise GiveUp(f"“{name}” must be a whole number.")
    return number


# --- sending ---------------------------------------------------------------------------------------------------------

SHOWN_TO = {"public": "public", "unlisted": "unlisted", "members": "private", "private": "direct"}
"""Our word for who sees it, in Mastodon's words."""
KEYED = frozenset({"Mastodon", "Pleroma", "Akkoma", "glitch"})
"""Servers that are known to answer a second post with the same key with the first one, for an hour."""
WAITS = 5
"""Looks at a file that the server is still working on."""


def _sent(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
    base, token = _server(settings), _sending_token(settings)
    parent = _status_answered(http, settings, outgoing)
    body: dict[str, Any] = {
        "status": _addressed(outgoing.text, record(parent.get("account")), _host(base)),
        "in_reply_to_id": parent["id"],
        "visibility": SHOWN_TO.get(outgoing.visibility, "public"),
        "language": outgoing.language,
        "media_ids": [_uploaded(http, settings, file) for file in outgoing.attachments] or None,
    }
    if text(parent.get("spoiler_text")):
        body["spoiler_text"] = parent["spoiler_text"]
    response = post_once(
        http,
        f"{base}/api/v1/statuses",
        json={name: value for name, value in body.items() if value},
        headers={"Idempotency-Key": outgoing.key},
        auth=token,
    )
    if response.status == 422:
        raise GiveUp(f"{_host(base)} does not take it: {reason(response, 'error') or 'no reason given'}")
    if response.status == 404:
        raise GiveUp("What it answers was deleted.")
    return _as_sent(settings, accepted(response.raise_for_status()))


def _found(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
    base, token = _server(settings), _sending_token(settings)
    me = record(http.get(f"{base}/api/v1/accounts/verify_credentials", auth=token).raise_for_status().json())
    parent = _status_answered(http, settings, outgoing)
    below = http.get(f"{base}/api/v1/statuses/{quote(str(parent['id']), safe='')}/context", auth=token)
    newest = http.get(
        f"{base}/api/v1/accounts/{quote(str(me.get('id')), safe='')}/statuses", params={"limit": LIMIT}, auth=token
    ).raise_for_status()
    statuses = [
        *listed(newest.json()),
        *(listed(record(below.json()).get("descendants")) if below.status == 200 else []),
    ]
    words = _addressed(outgoing.text, record(parent.get("account")), _host(base))
    for status in map(record, statuses):
        ours = record(status.get("account")).get("id") == me.get("id")
        answers = _id(status.get("in_reply_to_id")) == parent["id"]
        at = moment(status.get("created_at"))
        if ours and answers and at and at >= since(outgoing, now) and _says(status, words):
            return _as_sent(settings, status)
    return None


def _says(status: Mapping[str, Any], words: str) -> bool:
    """Whether a status says these words; the server shortens handles and links when it shows them."""
    said = plain(str(status.get("content") or ""))
    return same_words(_without_addresses(said), _without_addresses(words))


def _without_addresses(words: str) -> str:
    return re.sub(r"https?://\S+|@[\w.-]+(?:@[\w.-]+)?", " ", words)


def _status_answered(http: Http, settings: Mapping[str, Any], outgoing: Outgoing) -> dict[str, Any]:
    """The status that is answered, as the server of the account knows it, with its id there."""
    post, base, token = answered(outgoing, "mastodon"), _server(settings), _sending_token(settings)
    if post.get("origin") == native_parts(post_uid("mastodon", _host(base), "0"))[1]:  # a port is written otherwise
        response = http.get(f"{base}/api/v1/statuses/{quote(str(post.get('native_id')), safe='')}", auth=token)
        if response.status in (404, 410):
            raise GiveUp("What it answers was deleted.")
        found = record(response.raise_for_status().json())
    else:
        asked = {"q": post.get("url"), "resolve": "true", "type": "statuses", "limit": 1}
        response = http.get(f"{base}/api/v2/search", params=asked, auth=token, timeout=60.0).raise_for_status()
        found = record(first_of(listed(record(response.json()).get("statuses"))))
    number = _id(found.get("id"))
    if number is None:
        raise GiveUp(f"{_host(base)} does not find what it answers: {post.get('url')}")
    return {**found, "id": number}


def _addressed(words: str, account: Mapping[str, Any], host: str) -> str:
    """The words, naming whom they answer: without a name nobody is told."""
    name = text(account.get("acct")) or ""
    short = name.partition("@")[0]
    known_as = {name.lower(), short.lower(), f"{short}@{host}".lower()}
    named = {each.lower() for each in re.findall(r"(?<![\w/])@([\w.-]+(?:@[\w.-]+\w)?)", words)}
    return words if not name or known_as & named else f"@{name} {words}"


def _uploaded(http: Http, settings: Mapping[str, Any], file: Attachment) -> str:
    """The id of an uploaded file. Nothing is posted by it, so whatever breaks is tried again."""
    base, token = _server(settings), _sending_token(settings)
    content, kind = multipart({"description": file.alt}, "file", file)
    response = http.post(
        f"{base}/api/v2/media", content=content, headers={"Content-Type": kind}, auth=token, timeout=120.0
    )
    if response.status == 422:
        raise GiveUp(f"{_host(base)} does not take {file.name}: {reason(response, 'error')}")
    number = _id(record(response.raise_for_status().json()).get("id"))
    if number is None:
        raise TryLater(f"{_host(base)} gave no number to {file.name}")
    for _look in range(WAITS if response.status == 202 else 0):
        if http.get(f"{base}/api/v1/media/{number}", auth=token).raise_for_status().status == 200:
            return number
    if response.status == 202:
        raise TryLater(f"{_host(base)} is still working on {file.name}", after=15.0)
    return number


def _as_sent(settings: Mapping[str, Any], status: Mapping[str, Any]) -> Sent:
    number = _id(status.get("id"))
    if number is None:
        raise Unsure("the server gave the post no id")
    uid = post_uid("mastodon", _host(_server(settings)), number)
    return Sent(uid=uid, url=absolute(text(status.get("url"))), at=moment(status.get("created_at")))


def _sending_token(settings: Mapping[str, Any]) -> str:
    token = _token(settings)
    if token is None:
        raise AskForCredentials("Answering needs an access token with the scope “write:statuses”.")
    return token


def _limits(http: Http, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the instance tells of itself; what it does not tell is left as declared."""
    base = _server(settings)
    told_of = _answer(http, f"{base}/api/v2/instance") or _answer(http, f"{base}/api/v1/instance")
    statuses = record(record(told_of.get("configuration")).get("statuses"))
    media = record(record(told_of.get("configuration")).get("media_attachments"))
    known_of = {
        "characters": integer(statuses.get("max_characters")) or integer(told_of.get("max_toot_chars")),
        "link_length": integer(statuses.get("characters_reserved_per_url")),
        "attachments": integer(statuses.get("max_media_attachments")),
        "attachment_types": [kind for kind in listed(media.get("supported_mime_types")) if isinstance(kind, str)],
        "attachment_bytes": integer(media.get("image_size_limit")),
    }
    with suppress(GiveUp):
        known_of["idempotent"] = _instance(http, base).software in KEYED
    return {name: value for name, value in known_of.items() if value not in (None, [], 0)}


connector = Mastodon()
