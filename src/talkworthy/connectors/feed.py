"""Feeds: RSS, Atom, RDF and JSON Feed, asked for in turn or delivered by WebSub.

A feed holds its newest entries only and cannot be asked for older ones, so it resumes from what it still
shows: the cursor keeps ETag and Last-Modified, and of the entries a short hash that tells edits.
"""

import calendar
import hashlib
import hmac
import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, ClassVar
from urllib.parse import urlsplit

import feedparser
import pyarrow as pa

from talkworthy.connectors.contract import Answer, Capabilities, Checked, Kind, Page, Parsed, Request, SetAside, Setting
from talkworthy.connectors.errors import ConnectorError, GiveUp, Malformed
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import absolute, clean, links, plain, site, storable
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.replies import Response
from talkworthy.schema import TOMBSTONE, post_uid, posts_table

FEED_TYPES = ("application/atom+xml", "application/rss+xml", "application/feed+json", "application/rdf+xml")
ACCEPT = ", ".join((*FEED_TYPES, "application/xml;q=0.9", "*/*;q=0.5"))
REMEMBERED = 300
"""Entries whose hash the cursor keeps."""
POLL = 600.0
LONGEST_WAIT = 86_400.0
LEASE = 10 * 86_400
ASK_AGAIN = 600.0
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


class Feed:
    """Entries of a feed."""

    name: ClassVar[str] = "feed"
    title: ClassVar[str] = "Feed (RSS, Atom, JSON Feed)"
    about: ClassVar[str] = "Articles and posts of a site that offers a feed: RSS, Atom, RDF or JSON Feed."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="url",
            label="Address of the feed",
            kind=Kind.URL,
            required=True,
            help="A page's own address will do for the connection test, which finds the feeds it offers.",
            example="https://example.org/feed.xml",
        ),
        Setting(name="username", label="Name", help="Only where the feed asks for a name and password."),
        Setting(name="password", label="Password", kind=Kind.SECRET, help="Belongs to the name above."),
        Setting(
            name="hub_secret",
            label="Secret for WebSub",
            kind=Kind.SECRET,
            help="A long random text. With it, and where the feed names a hub, new entries are delivered at once.",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        receive=True,
        edits=True,
        deletions=True,
        counts=True,
        met_live=True,
        limits=(
            "A feed shows its newest entries only; what left it between two visits is lost.",
            "Deletions are known only where a feed says so with deleted-entry; an entry that merely disappears stays.",
            "Entries without a time get that of the visit on which they were first seen.",
            "Edits are noticed for the newest 300 entries.",
            "Counts are those of comments, and only where the feed tells them.",
        ),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Ask for the feed; a page without payload when nothing changed. GiveUp when it is gone (410)."""
        known = _of_this_feed(cursor, settings)
        response = _asked(http, settings, known)
        if response.moved:
            known["url"] = response.moved
        note = f"The feed has moved to {response.moved}." if response.moved else ""
        if response.status == 304:
            return Page(cursor=known, wait=_wait(response), note=note)
        response.raise_for_status()
        body = _body_hash(response.body)
        if body == known.get("body"):
            return Page(cursor=known, wait=_wait(response), note=note)
        read = _read(response.body, response.headers.get("content-type", ""), response.url)
        if read is None and _is_page(response):
            raise GiveUp(f"{response.url} is a web page, no feed. {_offer(response)}".strip())
        known.update(_validators(response), body=body, websub=_hub(response, read, known.get("websub")))
        fresh = _changes(read, known.get("seen") or {}, now)
        known["seen"] = fresh.seen
        if not fresh.any:
            return Page(cursor=known, wait=_wait(response), note=note)
        payload = response.payload(fetched_at=now, edited=fresh.edited, first_seen=fresh.first_seen)
        return Page(payloads=(payload,), cursor=known, wait=_wait(response), note=note)

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read the entries of a feed."""
        read = _read(payload.body, payload.content_type, payload.url or "")
        if read is None:
            raise Malformed("not a feed")
        feed_url = str(settings.get("url") or payload.url or "")
        rows: dict[str, dict[str, Any]] = {}
        aside: list[SetAside] = []
        for entry in read.entries:
            try:
                row = _row(entry, read, payload, feed_url)
            except ValueError as error:
                aside.append(SetAside(reason=str(error), fragment=repr(entry.key)[:500].encode("utf-8", "replace")))
                continue
            rows.setdefault(row["uid"], row)
        stones = [
            {
                "uid": _uid(feed_url, reference),
                "published_at": None,
                "author_id": None,
                "channel": None,
                "deleted_at": when or payload.fetched_at,
                "reason": "deleted",
            }
            for reference, when in read.deleted
        ]
        return Parsed(
            posts=posts_table(rows.values()),
            tombstones=pa.Table.from_pylist(stones, schema=TOMBSTONE),
            aside=tuple(aside),
        )

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Ask once; of a web page, name the feeds that it offers."""
        try:
            response = _asked(http, settings, {}).raise_for_status()
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        read = _read(response.body, response.headers.get("content-type", ""), response.url)
        if read is None:
            offered = _offered(response)
            details = {f"feed {number}": address for number, address in enumerate(offered, 1)}
            return Checked(ok=False, message=f"This is no feed. {_offer(response)}".strip(), details=details)
        hub = _hub(response, read, None)
        details = {"entries": str(len(read.entries)), "hub": hub.get("hub", "none: the feed is asked for in turn")}
        return Checked(ok=True, message=f"{read.title or 'The feed'} has {len(read.entries)} entries.", details=details)

    def subscribe(
        self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, callback: str, now: datetime
    ) -> Page:
        """Ask the feed's hub for delivery, or renew it; nothing where no hub or no secret is known."""
        known = _of_this_feed(cursor, settings)
        hub = dict(known.get("websub") or {})
        secret = str(settings.get("hub_secret") or "")
        if not hub.get("hub") or not secret or not _is_due(hub, callback, now):
            return Page(cursor=known)
        form = {
            "hub.mode": "subscribe",
            "hub.topic": hub["topic"],
            "hub.callback": callback,
            "hub.secret": secret[:199],
            "hub.lease_seconds": str(LEASE),
        }
        hub.update(asked_at=now.timestamp(), callback=callback)
        try:
            status = http.post(hub["hub"], data=form).status
            note = "" if status < 300 else f"The hub {site(hub['hub'])} refused delivery ({status})."
        except ConnectorError as error:  # the feed is asked for in turn all the same
            note = f"The hub cannot be asked for delivery: {error}."
        return Page(cursor={**known, "websub": hub}, note=note)

    def receive(self, request: Request, settings: Mapping[str, Any], cursor: Cursor | None) -> Answer:
        """Confirm what we asked a hub for, and take what it delivers under our signature."""
        known = _of_this_feed(cursor, settings)
        hub = dict(known.get("websub") or {})
        if request.method == "GET":
            return _confirmed(request, known, hub)
        secret = str(settings.get("hub_secret") or "")
        if request.method != "POST" or not hub.get("topic") or not secret:
            return Answer(status=404, body="Nothing is expected here.")
        if not _is_signed(request, secret[:199]):
            return Answer(status=403, body="The signature is missing or wrong.")
        payload = Payload(
            body=request.body,
            content_type=request.headers.get("content-type", "application/xml"),
            url=hub["topic"],
            fetched_at=request.received_at,
            meta={"delivered": True},
        )
        return Answer(status=202, payloads=(payload,))


# asking


def _of_this_feed(cursor: Cursor | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The cursor, or a new one where it tells of the feed that stood in the settings before."""
    address = str(settings.get("url") or "").strip()
    known = dict(cursor or {})
    return {**(known if known.get("of", address) == address else {}), "of": address}


def _asked(http: Http, settings: Mapping[str, Any], known: Mapping[str, Any]) -> Response:
    url = str(known.get("url") or settings.get("url") or "").strip()
    if not url:
        raise GiveUp("Give the address of the feed.")
    headers = {}
    if known.get("etag"):
        headers["If-None-Match"] = str(known["etag"])
    if known.get("modified"):
        headers["If-Modified-Since"] = str(known["modified"])
    name, password = settings.get("username"), settings.get("password")
    return http.get(url, headers=headers, accept=ACCEPT, auth=(str(name), str(password or "")) if name else None)


def _validators(response: Response) -> dict[str, Any]:
    return {"etag": response.headers.get("etag"), "modified": response.headers.get("last-modified")}


def _wait(response: Response) -> float:
    """Seconds until the next visit: as long as the server says that its answer stays fresh, up to a day."""
    age = re.search(r"max-age\s*=\s*(\d{1,9})", response.headers.get("cache-control", ""))
    return min(max(float(age[1]) if age else POLL, POLL), LONGEST_WAIT)


def _is_page(response: Response) -> bool:
    start = response.body[:2_000].lower()
    return b"<html" in start or b"<!doctype html" in start


def _offered(response: Response) -> list[str]:
    """Feeds that a web page names in its head."""
    found: list[str] = []
    for tag in re.findall(r"<link\b[^<>]{0,2000}>", response.text[:300_000], re.IGNORECASE):
        pairs = re.findall(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", tag)
        given = {name.lower(): unescape(first or second or third) for name, first, second, third in pairs}
        if "alternate" in given.get("rel", "").lower().split() and given.get("type", "").lower() in FEED_TYPES:
            address = absolute(given.get("href"), response.url)
            found.extend([address] if address else [])
    return list(dict.fromkeys(found))


def _offer(response: Response) -> str:
    offered = _offered(response)
    return f"It offers: {', '.join(offered[:5])}" if offered else ""


@dataclass(frozen=True)
class _Fresh:
    seen: dict[str, list[Any]]
    edited: list[str]
    first_seen: dict[str, str]
    any: bool


def _changes(read: "_Read | None", seen: Mapping[str, Any], now: datetime) -> _Fresh:
    """What is new since the last visit, by a hash of each entry; what cannot be read is new."""
    if read is None:
        return _Fresh(dict(seen), [], {}, any=True)
    kept: dict[str, list[Any]] = {}
    edited: list[str] = []
    first_seen: dict[str, str] = {}
    fresh = bool(read.deleted)
    for entry in read.entries[:REMEMBERED]:
        key, words = _short(entry.key), _short(entry.words)
        before = seen.get(key)
        since = before[1] if before else int(now.timestamp())
        kept[key] = [words, since]
        fresh = fresh or before is None or before[0] != words
        if before and before[0] != words:
            edited.append(key)
        if entry.published is None:
            first_seen[key] = datetime.fromtimestamp(since, UTC).isoformat()
    older = {key: value for key, value in seen.items() if key not in kept}
    for key, value in list(older.items())[: max(0, REMEMBERED - len(kept))]:
        kept[key] = value
    return _Fresh(kept, edited, first_seen, any=fresh or len(read.entries) > REMEMBERED)


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _body_hash(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()


# WebSub


def _hub(response: Response, read: "_Read | None", before: object) -> dict[str, Any]:
    """The hub and topic that a feed names, in its headers or in itself, with what is known of them."""
    told = response.links
    hub = told.get("hub") or (read.hub if read else None)
    if not hub or absolute(hub) is None:
        return {}
    topic = told.get("self") or (read.own_url if read else None) or response.url
    known = dict(before) if isinstance(before, dict) else {}
    same = known.get("hub") == hub and known.get("topic") == topic
    return known if same else {"hub": hub, "topic": topic}


def _is_due(hub: Mapping[str, Any], callback: str, now: datetime) -> bool:
    if hub.get("callback") != callback:
        return True
    at = now.timestamp()
    asked, expires = float(hub.get("asked_at") or 0), float(hub.get("expires_at") or 0)
    lease = expires - float(hub.get("confirmed_at") or 0)
    return expires - at < max(lease / 5, 60) and at - asked >= min(
        ASK_AGAIN, max(lease / 5, 1) if expires else ASK_AGAIN
    )


def _confirmed(request: Request, known: dict[str, Any], hub: dict[str, Any]) -> Answer:
    asked = {name: values[0] for name, values in request.query.items() if values}
    mode, topic = asked.get("hub.mode"), asked.get("hub.topic")
    if not hub.get("topic") or topic != hub["topic"] or mode not in ("subscribe", "denied"):
        return Answer(status=404, body="That was not asked for.")
    at = request.received_at.timestamp()
    if mode == "denied":
        hub.update(denied_at=at, expires_at=0)
        return Answer(status=200, cursor={**known, "websub": hub})
    challenge = asked.get("hub.challenge", "")
    if not challenge or len(challenge) > 2_000 or not hub.get("callback"):
        return Answer(status=404, body="That was not asked for.")
    lease = asked.get("hub.lease_seconds", "")
    seconds = int(lease) if lease.isascii() and lease.isdigit() and len(lease) < 10 else LEASE
    hub.update(confirmed_at=at, expires_at=at + seconds)
    return Answer(status=200, body=challenge, cursor={**known, "websub": hub})


def _is_signed(request: Request, secret: str) -> bool:
    method, _, given = request.headers.get("x-hub-signature", "").partition("=")
    if method not in ("sha1", "sha256", "sha384", "sha512") or not given:
        return False
    wanted = hmac.new(secret.encode(), request.body, method).hexdigest()
    return hmac.compare_digest(wanted.encode(), given.strip().lower().encode())


# reading


@dataclass(frozen=True, kw_only=True)
class _Entry:
    key: str
    """The entry's own id, or its address, or a hash of its words."""
    url: str | None = None
    title: str | None = None
    html: str = ""
    text: str | None = None
    summary: str | None = None
    published: datetime | None = None
    updated: datetime | None = None
    author: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()
    media: tuple[Mapping[str, Any], ...] = ()
    comments: int | None = None
    answers: str | None = None
    language: str | None = None
    base: str | None = None
    related: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What an edit would change."""
        return "\x1f".join((self.title or "", self.html or self.text or "", self.summary or ""))


@dataclass(frozen=True, kw_only=True)
class _Read:
    title: str | None
    entries: list[_Entry]
    hub: str | None = None
    own_url: str | None = None
    deleted: list[tuple[str, datetime | None]] = field(default_factory=list)


def _read(body: bytes, content_type: str, url: str) -> _Read | None:
    """A feed in our words; None where the body is none."""
    start = body[:64].lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"{"):
        return _read_json(body, url)
    if not start or (b"<" not in body[:4_096] and b"\x00<" not in body[:4_096]):
        return None
    headers = {"content-type": content_type, "content-location": url}
    try:
        found = feedparser.parse(
            io.BytesIO(body), response_headers=headers, resolve_relative_uris=False, sanitize_html=False
        )
    except (ValueError, TypeError, AttributeError, LookupError, AssertionError, RecursionError):
        return None  # what feedparser lets through on hostile input
    if not found.get("version") and not found.entries:
        return None
    about = found.feed
    ways = {str(link.get("rel")): str(link.get("href") or "") for link in reversed(about.get("links") or [])}
    language = about.get("language")
    return _Read(
        title=_one_line(about.get("title")),
        entries=[_entry(entry, language if isinstance(language, str) else None) for entry in found.entries],
        hub=absolute(ways.get("hub"), url),
        own_url=absolute(ways.get("self"), url),
        deleted=list(_deleted(body)),
    )


def _entry(entry: Mapping[str, Any], language: str | None) -> _Entry:
    contents = [part for part in entry.get("content") or [] if isinstance(part, dict) and part.get("value")]
    summary = entry.get("summary_detail") or {}
    main: Mapping[str, Any] = max(contents, key=lambda part: len(part["value"]), default=summary)
    value = str(main.get("value") or "")
    is_html = "html" in str(main.get("type") or "") or re.search(r"<\w+[^<>]*>|&#?\w+;", value) is not None
    updated = dict(entry).get("updated_parsed")  # feedparser's own `get` warns, and gives the published time instead
    title = _one_line(entry.get("title"))
    address = absolute(entry.get("link"), main.get("base"))
    abstract = str(summary.get("value") or "") if contents else ""
    key = str(entry.get("id") or address or _short(f"{title}\x1f{value}"))
    return _Entry(
        key=storable(key),
        url=address,
        title=title,
        html=value if is_html else "",
        text=None if is_html else storable(value.strip()),
        summary=plain(abstract) if abstract and abstract != value else None,
        published=_moment(entry.get("published_parsed") or entry.get("created_parsed") or updated),
        updated=_moment(updated),
        author=_author(entry.get("author_detail"), entry.get("author")),
        tags=tuple(dict.fromkeys(_terms(entry.get("tags")))),
        media=tuple(_enclosures(entry)),
        comments=_count(entry.get("slash_comments") or entry.get("thr_total")),
        answers=_answered(entry),
        language=str(main.get("language") or "") or language,
        base=main.get("base") or address,
        related=_related(entry),
    )


def _terms(tags: object) -> Iterator[str]:
    for tag in tags if isinstance(tags, list) else ():
        term = tag.get("label") or tag.get("term")
        if isinstance(term, str) and plain(term):
            yield plain(term)


def _enclosures(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    given = [*(entry.get("enclosures") or []), *(entry.get("media_content") or [])]
    for medium in given:
        kind = str(medium.get("type") or medium.get("medium") or "").split("/")[0]
        address = absolute(medium.get("href") or medium.get("url"))
        if kind in ("image", "video", "audio") and address:
            yield {"type": kind, "url": address, "alt": None}


def _related(entry: Mapping[str, Any]) -> tuple[str, ...]:
    given = [link for link in entry.get("links") or [] if link.get("rel") in ("via", "related")]
    return tuple(filter(None, (absolute(link.get("href")) for link in given)))


def _answered(entry: Mapping[str, Any]) -> str | None:
    answered = entry.get("thr_in-reply-to")
    if isinstance(answered, dict) and answered.get("ref"):
        return str(answered["ref"])
    return None


def _author(detail: object, said: object) -> Mapping[str, Any] | None:
    given = detail if isinstance(detail, dict) else {}
    name = given.get("name") or (said if isinstance(said, str) else None)
    email, href = given.get("email"), absolute(given.get("href"))
    # feedparser knows top-level domains of up to four letters only
    whole = (
        re.fullmatch(r"([^\s()<>]+@[^\s()<>]+)\s*(?:\(([^()]*)\))?", said.strip()) if isinstance(said, str) else None
    )
    if whole:
        email, name = whole[1], whole[2]
    if not (name or email or href):
        return None
    return {"name": plain(str(name)) or None if name else None, "handle": email or None, "url": href}


def _deleted(body: bytes) -> Iterator[tuple[str, datetime | None]]:
    """Tombstones of RFC 6721."""
    for found in re.findall(rb"<(?:[\w.-]+:)?deleted-entry\b([^<>]{0,4000})>", body):
        pairs = re.findall(r"([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", found.decode("utf-8", "replace"))
        given = {name.lower(): unescape(first or second) for name, first, second in pairs}
        if given.get("ref"):
            yield storable(given["ref"]), _iso(given.get("when"))


def _read_json(body: bytes, url: str) -> _Read | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    version, items = document.get("version"), document.get("items")
    if not isinstance(version, str) or "jsonfeed.org" not in version or not isinstance(items, list):
        return None
    language = document.get("language")
    hubs = document.get("hubs")
    hub = next((each.get("url") for each in hubs if isinstance(each, dict)), None) if isinstance(hubs, list) else None
    default = _json_author(document)
    return _Read(
        title=_one_line(document.get("title")),
        entries=[_json_entry(item, language, default, url) for item in items if isinstance(item, dict)],
        hub=absolute(hub if isinstance(hub, str) else None, url),
        own_url=absolute(_word(document.get("feed_url")), url),
    )


def _json_entry(item: Mapping[str, Any], language: object, author: Mapping[str, Any] | None, url: str) -> _Entry:
    html, text = _word(item.get("content_html")) or "", _word(item.get("content_text"))
    address = absolute(_word(item.get("url")) or _word(item.get("external_url")), url)
    title = _one_line(item.get("title"))
    given = item.get("id")
    key = (
        str(given) if isinstance(given, str | int | float) and str(given) else address or _short(f"{title}{html}{text}")
    )
    tags = item.get("tags")
    outside = absolute(_word(item.get("external_url")), url)
    return _Entry(
        key=storable(key),
        url=address,
        title=title,
        html=html,
        text=None if html else storable(text or ""),
        summary=_word(item.get("summary")),
        published=_iso(item.get("date_published")) or _iso(item.get("date_modified")),
        updated=_iso(item.get("date_modified")),
        author=_json_author(item) or author,
        tags=tuple(storable(tag) for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        media=tuple(_json_media(item, url)),
        language=_word(item.get("language")) or _word(language),
        base=address or url,
        related=(outside,) if outside and outside != address else (),
    )


def _json_author(holder: Mapping[str, Any]) -> Mapping[str, Any] | None:
    authors = holder.get("authors")
    given = next((each for each in authors if isinstance(each, dict)), None) if isinstance(authors, list) else None
    given = given or holder.get("author")
    if not isinstance(given, dict):
        return None
    author = {
        "name": _word(given.get("name")),
        "url": absolute(_word(given.get("url"))),
        "avatar": absolute(_word(given.get("avatar"))),
    }
    return author if any(author.values()) else None


def _json_media(item: Mapping[str, Any], url: str) -> Iterator[Mapping[str, Any]]:
    attached = item.get("attachments")
    for each in attached if isinstance(attached, list) else ():
        kind = str(each.get("mime_type") or "").split("/")[0] if isinstance(each, dict) else ""
        address = absolute(_word(each.get("url")), url) if kind in ("image", "video", "audio") else None
        if address:
            yield {"type": kind, "url": address, "alt": _word(each.get("title"))}
    image = absolute(_word(item.get("image")), url)
    if image:
        yield {"type": "image", "url": image, "alt": None}


def _word(value: object) -> str | None:
    return storable(value) if isinstance(value, str) and value else None


def _one_line(value: object) -> str | None:
    return re.sub(r"\s+", " ", plain(value)) or None if isinstance(value, str) else None


def _count(value: object) -> int | None:
    text = str(value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, time.struct_time | tuple):
        return None
    try:
        moment = datetime.fromtimestamp(calendar.timegm(value), UTC)
    except (ValueError, OverflowError, TypeError, OSError):
        return None
    return moment if moment >= _EARLIEST else None


def _iso(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC) if moment else None
    except (ValueError, OverflowError):
        return None
    return moment if moment and moment >= _EARLIEST else None


def _row(entry: _Entry, read: _Read, payload: Payload, feed_url: str) -> dict[str, Any]:
    uid = _uid(feed_url, entry.key)
    key = _short(entry.key)
    first_seen = _iso((payload.meta.get("first_seen") or {}).get(key)) or payload.fetched_at
    latest = payload.fetched_at + timedelta(days=1)
    published = entry.published if entry.published and entry.published <= latest else first_seen
    edited = entry.updated if entry.updated and published < entry.updated <= latest else None
    if key in (payload.meta.get("edited") or ()) and (edited is None or edited <= published):
        edited = payload.fetched_at
    text = entry.text if entry.text is not None else plain(entry.html)
    found = links(entry.html or entry.text or "", entry.base)
    return {
        "uid": uid,
        "url": entry.url,
        "kind": "article" if entry.title else "note",
        "author": dict(entry.author) if entry.author else None,
        "title": entry.title,
        "text": text,
        "html": clean(entry.html, base=entry.base) if entry.html else None,
        "summary": entry.summary,
        "language": _language(entry.language),
        "published_at": published,
        "edited_at": edited,
        "collected_at": payload.fetched_at,
        "in_reply_to": _uid(feed_url, entry.answers) if entry.answers else None,
        "engagement_type": "COMMENT" if entry.answers else None,
        "links": [link for link in dict.fromkeys([*found, *entry.related]) if link != entry.url],
        "tags": list(entry.tags) or None,
        "media": [dict(medium) for medium in {medium["url"]: medium for medium in entry.media}.values()],
        "site": site(entry.url) or site(feed_url),
        "community": read.title,
        "visibility": "public",
        "engagement": None if entry.comments is None else {"replies": entry.comments, "taken_at": payload.fetched_at},
    }


def _language(given: str | None) -> str | None:
    found = re.match(r"[A-Za-z]{2,3}(?![A-Za-z])", given or "")
    return found[0].lower() if found else None


def _uid(feed_url: str, key: str) -> str:
    """Ids are the feed's own; a bare one (a number, say) is unique within its feed only, so its path is part of it."""
    try:
        parts = urlsplit(feed_url)
        origin, path = parts.hostname or "feed", f"{parts.path}?{parts.query}" if parts.query else parts.path
    except ValueError:
        origin, path = "feed", ""
    native = key if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", key) else f"{path}#{key}"
    return post_uid("feed", origin, native)


connector = Feed()
