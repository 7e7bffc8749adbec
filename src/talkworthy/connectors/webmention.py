"""Webmention (W3C): other sites tell us that they link to ours; each claim is verified before it counts.

What was told waits in the cursor until its source has been read, so nothing is lost when a source is down
for a while. There is no history to ask for: who did not tell us then does not appear.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, ClassVar
from urllib.parse import parse_qs

import mf2py
import pyarrow as pa
from bs4 import BeautifulSoup

from talkworthy.connectors.contract import Answer, Capabilities, Checked, Kind, Page, Parsed, Request, SetAside, Setting
from talkworthy.connectors.errors import ConnectorError, Malformed, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import MAX_DEPTH, absolute, clean, depth, links, plain, site, storable
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.schema import OBSERVATION, TOMBSTONE, post_uid, posts_table
from talkworthy.schema.formats import read_time

MAX_PAGE = 1_000_000
PENDING = 1_000
AT_ONCE = 10
ATTEMPTS = 6
"""How often a source that does not answer is asked, at doubling intervals from five minutes."""
FIRST_PAUSE = 300.0
LIKERS = 2_000
POLL = 30.0
_LINKING = re.compile(
    r"<(?:a|area|link|img|video|audio|source|iframe|blockquote|q|del|ins)\b[^<>]{0,8000}>", re.IGNORECASE
)
_ADDRESSED = re.compile(r"\b(?:href|src|cite)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_LIKES = ("like-of", "favorite-of", "like", "favorite")
_REPOSTS = ("repost-of", "repost")
_ANSWERS = ("in-reply-to", "reply-to")


class Webmention:
    """Replies, mentions, reposts and likes of our pages on other sites."""

    name: ClassVar[str] = "webmention"
    title: ClassVar[str] = "Webmention"
    about: ClassVar[str] = (
        "Replies to our pages, and mentions, reposts and likes of them, on other sites that tell us so."
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="sites",
            label="Our sites",
            kind=Kind.LINES,
            required=True,
            help="Hosts whose pages may be the target, one a line; subdomains are named on their own.",
            example="example.org\nblog.example.org",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        receive=True,
        edits=True,
        deletions=True,
        counts=True,
        limits=(
            "Only sites that send Webmentions are heard.",
            "Edits and deletions are known when the other site tells us again.",
            "A like is a count at the address of our page; the number is that of the likes told to us.",
            "A source of more than 1 MB is not read.",
        ),
    )

    def receive(self, request: Request, settings: Mapping[str, Any], cursor: Cursor | None) -> Answer:
        """Check source and target as the specification says, and keep the claim for verification."""
        if request.method != "POST":
            return Answer(status=405, body="Send source and target with POST.")
        claim = _claim(request.body, settings)
        if isinstance(claim, str):
            return Answer(status=400, body=claim)
        source, target = claim
        pending = [each for each in (cursor or {}).get("pending") or [] if each[:2] != [source, target]]
        if len(pending) >= PENDING:
            return Answer(status=429, body="Too many claims wait for verification. Try again later.")
        pending.append([source, target, request.received_at.isoformat(), 0, 0])
        payload = Payload(
            body=request.body,
            content_type="application/x-www-form-urlencoded",
            fetched_at=request.received_at,
            meta={"claim": True},
        )
        return Answer(
            status=202,
            body="Accepted for verification.",
            payloads=(payload,),
            cursor={**(cursor or {}), "pending": pending},
        )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Read the sources of the claims that wait, a few at a time."""
        known = dict(cursor or {})
        pending = list(known.get("pending") or [])
        at = now.timestamp()
        due = [each for each in pending if each[4] <= at][:AT_ONCE]
        left = [each for each in pending if each not in due]
        payloads: list[Payload] = []
        notes: list[str] = []
        likes = {target: list(sources) for target, sources in (known.get("likes") or {}).items()}
        for claim in due:
            try:
                payload = _source(http, claim, now)
            except TryLater as error:
                left.extend(_again(claim, at, error, notes))
                continue
            except ConnectorError as error:
                notes.append(f"{claim[0]} cannot be verified: {error}.")
                continue
            payloads.append(_counted(payload, likes))
        known.update(pending=left, likes=likes)
        more = any(each[4] <= at for each in left)
        return Page(
            payloads=tuple(payloads), cursor=known, more=more, wait=None if more else POLL, note=" ".join(notes[:3])
        )

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read a verified source; of the claim itself nothing is believed."""
        if payload.meta.get("claim"):
            return Parsed()
        source = str(payload.meta.get("source") or payload.url or "")
        target = str(payload.meta.get("target") or "")
        if not source or not target:
            raise Malformed("a source without its target")
        uid = post_uid("webmention", site(source) or "web", source)
        if payload.meta.get("status") == 410:
            return _gone(uid, payload)
        markup = _text(payload)
        if not _links_to(markup, payload, target):
            ours = any(_is_ours(link, settings) for link in _addresses(markup, source))
            aside = (SetAside(reason=f"{source} does not link to {target}", fragment=payload.body[:500]),)
            return Parsed(aside=aside) if ours else _gone(uid, payload, aside)
        if "html" not in payload.content_type:
            return Parsed(posts=posts_table([_bare(uid, source, target, markup, payload)]))
        return _entry(uid, source, target, markup, payload)

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Look whether our first site tells others where to send Webmentions."""
        hosts = _hosts(settings)
        if not hosts:
            return Checked(ok=False, message="Name at least one of our sites.")
        try:
            response = http.get(f"https://{hosts[0]}/", max_bytes=MAX_PAGE).raise_for_status()
        except ConnectorError as error:
            return Checked(ok=False, message=f"{hosts[0]} cannot be read: {error}")
        told = response.links.get("webmention")
        for tag in re.findall(r"<(?:link|a)\b[^<>]{0,4000}>", response.text[:500_000], re.IGNORECASE):
            if told is None and re.search(r"\brel\s*=\s*[\"']?[^\"'<>]*\bwebmention\b", tag, re.IGNORECASE):
                found = _ADDRESSED.search(tag)
                told = absolute(next(filter(None, found.groups()), None), response.url) if found else None
        if told is None:
            message = (
                f'{hosts[0]} does not say where to send Webmentions: add <link rel="webmention" href="…"> to its pages.'
            )
            return Checked(ok=False, message=message)
        return Checked(ok=True, message=f"{hosts[0]} asks for Webmentions at {told}.", details={"endpoint": told})


# claims


def _claim(body: bytes, settings: Mapping[str, Any]) -> tuple[str, str] | str:
    """Source and target of a call, or what is wrong with it."""
    if len(body) > 20_000:
        return "Too long."
    try:
        form = parse_qs(body.decode("ascii"), max_num_fields=20)
    except ValueError:
        return "Send source and target as a form."
    source, target = (form.get(name, [""])[0].strip() for name in ("source", "target"))
    if absolute(source) is None or absolute(target) is None or len(source) > 4_000 or len(target) > 4_000:
        return "Source and target have to be addresses of the web."
    if _bare_address(source) == _bare_address(target):
        return "Source and target are the same."
    if not _is_ours(target, settings):
        return "The target is not one of our pages."
    return storable(source), storable(target)


def _bare_address(address: str) -> str:
    return address.split("#", 1)[0]


def _hosts(settings: Mapping[str, Any]) -> list[str]:
    given = settings.get("sites") or ()
    lines = given.splitlines() if isinstance(given, str) else [str(line) for line in given]
    hosts = [(site(line) if "//" in line else site(f"https://{line.strip()}")) for line in lines if line.strip()]
    return [host for host in hosts if host]


def _is_ours(address: str, settings: Mapping[str, Any]) -> bool:
    return site(address) in _hosts(settings)


def _source(http: Http, claim: list[Any], now: datetime) -> Payload:
    response = http.get(claim[0], accept="text/html, application/json;q=0.8, */*;q=0.5", max_bytes=MAX_PAGE)
    if response.status != 410:
        response.raise_for_status()
    return response.payload(
        fetched_at=now, source=claim[0], target=claim[1], received_at=claim[2], status=response.status
    )


def _again(claim: list[Any], at: float, error: TryLater, notes: list[str]) -> list[list[Any]]:
    """The claim with one attempt more behind it; nothing when it was the last."""
    attempt = int(claim[3]) + 1
    if attempt >= ATTEMPTS:
        notes.append(f"{claim[0]} cannot be verified: {error}.")
        return []
    return [[*claim[:3], attempt, at + max(error.after, FIRST_PAUSE * 2**attempt)]]


def _counted(payload: Payload, likes: dict[str, list[str]]) -> Payload:
    """The payload with the number of likes that its target has now, where it is one of them or no longer is."""
    source, target = str(payload.meta["source"]), str(payload.meta["target"])
    key = blake2b(source.encode(), digest_size=6).hexdigest()
    held = likes.get(target, [])
    likes_it = payload.meta["status"] != 410 and _is_like(payload, target)
    if likes_it == (key in held):
        return _with_likes(payload, len(held)) if likes_it else payload
    likes[target] = [*held, key][-LIKERS:] if likes_it else [each for each in held if each != key]
    return _with_likes(payload, len(likes[target]))


def _with_likes(payload: Payload, number: int) -> Payload:
    meta = {**payload.meta, "likes": number}
    return Payload(
        body=payload.body,
        content_type=payload.content_type,
        url=payload.url,
        fetched_at=payload.fetched_at,
        headers=payload.headers,
        meta=meta,
    )


def _is_like(payload: Payload, target: str) -> bool:
    markup = _text(payload)
    if "html" not in payload.content_type or not _links_to(markup, payload, target):
        return False
    try:
        entry = _entry_of(markup, str(payload.meta["source"]), target)
    except Malformed:
        return False
    return entry is not None and _points(entry, _LIKES, target)


# reading


def _text(payload: Payload) -> str:
    found = re.search(r"charset=\"?([\w.:-]+)", payload.content_type, re.IGNORECASE)
    declared = re.search(rb"<meta[^<>]{0,200}charset=[\"']?([\w-]+)", payload.body[:4_096], re.IGNORECASE)
    name = found[1] if found else declared[1].decode("ascii", "ignore") if declared else "utf-8"
    try:
        return storable(payload.body[:MAX_PAGE].decode(name, "replace"))
    except LookupError:
        return storable(payload.body[:MAX_PAGE].decode("utf-8", "replace"))


def _addresses(markup: str, base: str) -> Iterator[str]:
    for tag in _LINKING.findall(re.sub(r"<!--.*?(?:-->|$)", "", markup, flags=re.DOTALL)):
        for groups in _ADDRESSED.findall(tag):
            address = absolute(next(filter(None, groups), "").replace("&amp;", "&"), base)
            if address:
                yield address


def _links_to(markup: str, payload: Payload, target: str) -> bool:
    """Whether a document holds the target: as a link in HTML, as a value in JSON, as text elsewhere."""
    if "html" in payload.content_type:
        return target in _addresses(markup, payload.url or "")
    if "json" in payload.content_type:
        try:
            return json.dumps(target) in json.dumps(json.loads(markup))
        except (ValueError, RecursionError):
            return False
    return re.search(re.escape(target) + r"(?![\w/%-])", markup) is not None


def _gone(uid: str, payload: Payload, aside: tuple[SetAside, ...] = ()) -> Parsed:
    stone = {
        "uid": uid,
        "published_at": None,
        "author_id": None,
        "channel": None,
        "deleted_at": payload.fetched_at,
        "reason": "deleted",
    }
    stones = pa.Table.from_pylist([stone], schema=TOMBSTONE)
    return Parsed(tombstones=stones, observations=_likes(payload), aside=aside)


def _likes(payload: Payload) -> pa.Table:
    """How many like our page now; it is named by its address, as its uid is not known here."""
    number = payload.meta.get("likes")
    if not isinstance(number, int):
        return OBSERVATION.empty_table()
    row = {
        "uid": str(payload.meta["target"]),
        "published_at": payload.fetched_at,
        "replies": None,
        "shares": None,
        "likes": number,
        "views": None,
        "taken_at": payload.fetched_at,
    }
    return pa.Table.from_pylist([row], schema=OBSERVATION)


def _bare(uid: str, source: str, target: str, text: str, payload: Payload) -> dict[str, Any]:
    """A post from a source without microformats: what stands around the link."""
    return {
        "uid": uid,
        "url": source,
        "kind": "page",
        "text": text[:2_000],
        "published_at": _received(payload),
        "collected_at": payload.fetched_at,
        "links": [target],
        "site": site(source),
        "visibility": "public",
    }


def _received(payload: Payload) -> datetime:
    try:
        return read_time(payload.meta.get("received_at"))
    except ValueError:
        return payload.fetched_at


def _entry(uid: str, source: str, target: str, markup: str, payload: Payload) -> Parsed:
    entry = _entry_of(markup, source, target)
    if entry is None:
        soup = _soup(markup)
        title = soup.title.get_text(" ", strip=True)[:500] if soup.title else None
        row = _bare(uid, source, target, _around(soup, source, target) or title or "", payload)
        return Parsed(posts=posts_table([{**row, "title": title or None}]), observations=_likes(payload))
    if _points(entry, _LIKES, target):
        return Parsed(observations=_likes(payload))
    return Parsed(posts=posts_table([_row(uid, source, target, entry, payload)]), observations=_likes(payload))


def _row(uid: str, source: str, target: str, entry: Mapping[str, Any], payload: Payload) -> dict[str, Any]:
    given = entry.get("properties") or {}
    content = _first(given.get("content"))
    html = str(content.get("html") or "") if isinstance(content, dict) else ""
    words = plain(html) if html else _word(content) or _word(_first(given.get("summary"))) or ""
    name = _word(_first(given.get("name")))
    published = _time(given.get("published")) or _received(payload)
    updated = _time(given.get("updated"))
    answers, reposts = _points(entry, _ANSWERS, target), _points(entry, _REPOSTS, target)
    titled = name and not words.startswith(name[:60]) and name != words
    rating = _first(given.get("rating"))
    return {
        "uid": uid,
        "url": absolute(_word(_first(given.get("url"))), source) or source,
        "kind": "article" if titled else "note",
        "author": _author(_first(given.get("author")), source),
        "title": name if titled else None,
        "text": "" if reposts else words or name or "",
        "html": clean(html, base=source) if html and not reposts else None,
        "summary": _word(_first(given.get("summary"))) if words else None,
        "published_at": published,
        "edited_at": updated if updated and updated > published else None,
        "collected_at": payload.fetched_at,
        "in_reply_to": target if answers else None,
        "engagement_type": "REPOST" if reposts else "REPLY" if answers else None,
        "repeats": target if reposts else None,
        "links": list(dict.fromkeys([*links(html, source), target])),
        "tags": [tag for each in _list(given.get("category")) if (tag := _word(each))] or None,
        "media": [
            {"type": kind, "url": address, "alt": _alt(each)}
            for prop, kind in (("photo", "image"), ("video", "video"), ("audio", "audio"))
            for each in _list(given.get(prop))
            if (address := absolute(_word(each), source))
        ],
        "rating": _stars(rating),
        "site": site(source),
        "visibility": "public",
    }


def _stars(value: object) -> float | None:
    found = re.fullmatch(r"\s*([0-5](?:\.\d+)?)\s*", _word(value) or "")
    return min(float(found[1]), 5.0) if found else None


def _alt(value: object) -> str | None:
    return _word(value.get("alt")) if isinstance(value, dict) else None


def _author(card: object, source: str) -> dict[str, Any] | None:
    if isinstance(card, dict):
        given = card.get("properties") or {}
        author = {
            "name": _word(_first(given.get("name"))),
            "url": absolute(_word(_first(given.get("url"))), source),
            "avatar": absolute(_word(_first(given.get("photo"))), source),
            "handle": _word(_first(given.get("nickname"))),
        }
        return author if any(author.values()) else None
    name = _word(card)
    return {"url": absolute(name)} if name and absolute(name) else {"name": name} if name else None


def _entry_of(markup: str, source: str, target: str) -> Mapping[str, Any] | None:
    """The h-entry that speaks of the target, or else the first of the page."""
    if depth(markup) > MAX_DEPTH:
        raise Malformed("HTML nested too deeply")
    try:
        found = mf2py.parse(doc=_soup(markup), url=source)
    except (RecursionError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise Malformed(f"microformats that cannot be read: {type(error).__name__}") from error
    entries = list(_entries(found.get("items"), 0))
    speaking = (
        each for each in entries if target in json.dumps(each.get("properties"), ensure_ascii=False, default=str)
    )
    return next(speaking, entries[0] if entries else None)


def _entries(items: object, level: int) -> Iterator[Mapping[str, Any]]:
    for item in _list(items):
        if not isinstance(item, dict) or level > 5:
            continue
        types = set(_list(item.get("type")))
        if types & {"h-entry", "h-review", "h-event"}:
            yield item
        elif "h-feed" in types or not types & {"h-card", "h-cite"}:
            yield from _entries(item.get("children"), level + 1)


def _soup(markup: str) -> BeautifulSoup:
    try:
        return BeautifulSoup(markup if "<" in markup else f"<p>{markup}</p>", "html5lib")
    except (RecursionError, ValueError, AssertionError) as error:
        raise Malformed("HTML that cannot be read") from error


def _around(soup: BeautifulSoup, source: str, target: str) -> str:
    """The words of the paragraph that holds the link."""
    for anchor in soup.find_all("a", href=True):
        if absolute(str(anchor["href"]), source) == target:
            block = anchor.find_parent(("p", "li", "blockquote", "td", "div", "article", "body")) or anchor
            return storable(block.get_text(" ", strip=True))[:2_000]
    return ""


def _points(entry: Mapping[str, Any], properties: tuple[str, ...], target: str) -> bool:
    given = entry.get("properties") or {}
    return any(
        target in (_word(each), _word(_first(_inner(each, "url"))))
        for name in properties
        for each in _list(given.get(name))
    )


def _inner(value: object, name: str) -> object:
    return (value.get("properties") or {}).get(name) if isinstance(value, dict) else None


def _time(value: object) -> datetime | None:
    try:
        moment = read_time(_word(_first(value)))
    except ValueError:
        return None
    return moment if datetime(1990, 1, 1, tzinfo=UTC) < moment else None


def _first(value: object) -> Any:
    return value[0] if isinstance(value, list) and value else None if isinstance(value, list) else value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _word(value: object) -> str | None:
    found = value.get("value") if isinstance(value, dict) else value
    return storable(found).strip() or None if isinstance(found, str) else None


connector = Webmention()
