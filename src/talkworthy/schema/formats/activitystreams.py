"""ActivityStreams 2.0 documents: objects, activities around them, collections, tombstones."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from talkworthy.schema.formats.rows import post_from_json
from talkworthy.schema.formats.times import read_time
from talkworthy.schema.identifiers import native_parts, post_uid

CHANNEL = "activitypub"
PUBLIC = ("https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public")
MAX_DEPTH = 6
_URN = "urn:talkworthy:"

_KINDS = {
    "Note": "note",
    "Article": "article",
    "Question": "question",
    "Page": "page",
    "Image": "image",
    "Video": "video",
    "Audio": "audio",
    "Event": "event",
    "ChatMessage": "message",
}
_TYPES = {kind: name for name, kind in _KINDS.items() if name != "ChatMessage"} | {
    "review": "Article",
    "message": "Note",
}
_MEDIA = {"Image": "image", "Video": "video", "Audio": "audio"}
_WRAPPERS = frozenset(("Create", "Update", "Add", "Offer", "Accept"))
_COLLECTIONS = frozenset(("Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage"))


@dataclass
class Understood:
    """What a document says: rows of POST, rows of TOMBSTONE, and pieces set aside as (reason, piece)."""

    posts: list[dict[str, Any]] = field(default_factory=list)
    tombstones: list[dict[str, Any]] = field(default_factory=list)
    aside: list[tuple[str, Any]] = field(default_factory=list)


Reading = Callable[[str], str]


def from_activitystreams(
    document: object, *, seen_at: datetime, plain: Reading, clean: Reading, channel: str = CHANNEL
) -> Understood:
    """Read one document with everything in it.

    `plain` and `clean` turn HTML from outside into text and into safe HTML. A post without a time gets
    `seen_at`. What is no post (a Like, a Follow, a Person) and what lacks an id is set aside with its reason.
    Nothing is fetched: a piece that is only an address is set aside too.
    """
    reader = _Reader(seen_at=seen_at, plain=plain, clean=clean, channel=channel, found=Understood())
    reader.read(document, depth=0)
    return reader.found


@dataclass(frozen=True)
class _Reader:
    seen_at: datetime
    plain: Reading
    clean: Reading
    channel: str
    found: Understood

    def read(self, piece: object, *, depth: int, edited: str | None = None) -> None:
        if depth > MAX_DEPTH:
            self.set_aside("nested too deeply", piece)
        elif isinstance(piece, list):
            for item in piece:
                self.read(item, depth=depth + 1, edited=edited)
        elif not isinstance(piece, dict):
            self.set_aside("only an address" if isinstance(piece, str) else "not an object", piece)
        else:
            self._read_object(piece, depth=depth, edited=edited)

    def set_aside(self, reason: str, piece: object) -> None:
        self.found.aside.append((reason, piece))

    def _read_object(self, piece: dict[str, Any], *, depth: int, edited: str | None) -> None:
        types = _types(piece)
        kind = next((name for name in types if name in _KINDS), None)
        if _COLLECTIONS & set(types):
            self._read_collection(piece, depth=depth)
        elif "Tombstone" in types:
            self._bury(piece, piece)
        elif "Delete" in types or "Remove" in types:
            self._delete(piece, types)
        elif "Announce" in types:
            self._announce(piece, depth=depth)
        elif "Undo" in types:
            self._undo(piece)
        elif _WRAPPERS & set(types):
            moved = _text(piece.get("updated")) or _text(piece.get("published"))
            self.read(piece.get("object"), depth=depth + 1, edited=moved if "Update" in types else None)
        elif kind:
            self._post(piece, kind, edited)
        else:
            self.set_aside(f"{types[0]} is no post" if types else "an object without a type", piece)

    def _read_collection(self, piece: dict[str, Any], *, depth: int) -> None:
        pieces = [item for name in ("orderedItems", "items") for item in _list(piece.get(name))]
        pages = [page for name in ("first", "next") if isinstance(page := piece.get(name), dict)]
        for item in pieces + pages:
            self.read(item, depth=depth + 1)
        if not pieces and not pages:
            self.set_aside("a collection without items", piece)

    def _post(self, piece: dict[str, Any], kind: str, edited: str | None) -> None:
        try:
            self.found.posts.append(post_from_json(self._row(piece, kind, edited)))
        except ValueError as error:
            self.set_aside(str(error), piece)

    def _row(self, piece: dict[str, Any], kind: str, edited: str | None) -> dict[str, Any]:
        address = _id(piece)
        if not address:
            raise ValueError("an object without an id")
        url = _url(piece.get("url")) or (address if _is_web(address) else None)
        html = self._html(piece)
        published = _text(piece.get("published")) or _text(piece.get("updated")) or self.seen_at.isoformat()
        updated = _text(piece.get("updated")) or edited
        tags = [tag for tag in _list(piece.get("tag")) if isinstance(tag, dict)]
        answered = _id(_first(piece.get("inReplyTo")))
        quoted = next((found for name in ("quoteUrl", "quoteUri", "quote") if (found := _id(piece.get(name)))), None)
        row: dict[str, Any] = {
            **self._identity(address),
            "url": url,
            "kind": _KINDS[kind],
            "author": self._author(_first(piece.get("attributedTo")) or _first(piece.get("actor"))),
            "title": self._words(_natural(piece, "name")),
            "text": self.plain(html) if html else self._source(piece),
            "html": self.clean(html) if re.search(r"[<&]", html) else None,
            "summary": self._words(_natural(piece, "summary")),
            "language": _language(piece),
            "published_at": published,
            "edited_at": updated if updated and _later(updated, published) else None,
            "in_reply_to": self._uid(answered),
            "engagement_type": "QUOTE" if quoted else ("COMMENT" if kind == "Page" else "REPLY") if answered else None,
            "repeats": self._uid(quoted),
            "links": _links(piece, html, url),
            "hashtags": _named(tags, "Hashtag", "#"),
            "mentions": _named(tags, "Mention", "@"),
            "media": _media(piece, kind),
            "site": _site(url),
            "community": _id(_first(piece.get("audience"))),
            "visibility": _visibility(piece, kind),
            "engagement": self._counts(piece),
        }
        return row

    def _identity(self, address: str) -> dict[str, Any]:
        uid = self._uid(address)
        if uid is None:
            raise ValueError("an object without an id")
        channel, origin, native = native_parts(uid)
        return {"uid": uid, "channel": channel, "origin": origin or None, "native_id": native}

    def _uid(self, address: str | None) -> str | None:
        if not address:
            return None
        if address.startswith(_URN):
            return address.removeprefix(_URN)
        return post_uid(self.channel, _host(address), address)

    def _html(self, piece: dict[str, Any]) -> str:
        return _natural(piece, "content") or ""

    def _source(self, piece: dict[str, Any]) -> str:
        source = piece.get("source")
        return (_text(source.get("content")) or "") if isinstance(source, dict) else ""

    def _words(self, text: str | None) -> str | None:
        return (self.plain(text) or None) if text else None

    def _author(self, actor: object) -> dict[str, Any] | None:
        if isinstance(actor, str):
            return {"id": actor, "handle": _handle(actor, None), "url": actor if _is_web(actor) else None}
        if not isinstance(actor, dict):
            return None
        address = _id(actor)
        return {
            "id": address,
            "handle": _handle(address, _text(actor.get("preferredUsername"))),
            "name": self._words(_natural(actor, "name")),
            "url": _url(actor.get("url")) or (address if address and _is_web(address) else None),
            "avatar": _url(_first(actor.get("icon"))),
            "bio": self._words(_natural(actor, "summary")),
            "automated": True if {"Service", "Application"} & set(_types(actor)) else None,
        }

    def _counts(self, piece: dict[str, Any]) -> dict[str, Any] | None:
        counts = {
            name: total
            for name, source in (("replies", "replies"), ("shares", "shares"), ("likes", "likes"))
            if isinstance(held := piece.get(source), dict) and isinstance(total := held.get("totalItems"), int)
        }
        return {**counts, "taken_at": self.seen_at} if counts else None

    def _announce(self, piece: dict[str, Any], *, depth: int) -> None:
        inner = _first(piece.get("object"))
        if isinstance(inner, dict):
            self.read(inner, depth=depth + 1)
            if not set(_types(inner)) & set(_KINDS):
                return
        address, repeated = _id(piece), _id(inner)
        if not address or not repeated:
            self.set_aside("an Announce without an id or an object", piece)
            return
        row = {
            **self._identity(address),
            "url": _url(piece.get("url")),
            "author": self._author(_first(piece.get("actor"))),
            "text": "",
            "published_at": _text(piece.get("published")) or self.seen_at.isoformat(),
            "engagement_type": "REPOST",
            "repeats": self._uid(repeated),
            "site": _site(_url(piece.get("url"))),
            "visibility": _visibility(piece, "Announce"),
        }
        try:
            self.found.posts.append(post_from_json(row))
        except ValueError as error:
            self.set_aside(str(error), piece)

    def _undo(self, piece: dict[str, Any]) -> None:
        inner = _first(piece.get("object"))
        if isinstance(inner, dict) and {"Announce", "Create"} & set(_types(inner)):
            gone = inner if "Announce" in _types(inner) else _first(inner.get("object"))
            self._bury(gone, piece)
        else:
            self.set_aside("Undo of what is no post", piece)

    def _delete(self, piece: dict[str, Any], types: list[str]) -> None:
        gone = _first(piece.get("object"))
        actor = _id(_first(piece.get("actor")))
        if "Remove" in types:
            self.set_aside("Remove takes out of a collection, the post stands", piece)
        elif actor and _id(gone) == actor:
            self._tombstone(piece, uid="", author_id=actor, channel=self.channel)
        else:
            self._bury(gone, piece)

    def _bury(self, gone: object, piece: dict[str, Any]) -> None:
        uid = self._uid(_id(gone))
        if uid is None:
            self.set_aside("a deletion that does not say of what", piece)
            return
        self._tombstone(gone if isinstance(gone, dict) else piece, uid=uid, author_id=None, channel=None)

    def _tombstone(self, piece: Mapping[str, Any], *, uid: str, author_id: str | None, channel: str | None) -> None:
        told = _text(piece.get("deleted")) or _text(piece.get("published"))
        try:
            deleted = read_time(told) if told and author_id is None else self.seen_at
        except ValueError:
            deleted = self.seen_at
        self.found.tombstones.append(
            {
                "uid": uid,
                "published_at": None,
                "author_id": author_id,
                "channel": channel,
                "deleted_at": deleted,
                "reason": "deleted",
            }
        )


# reading JSON-LD without a processor: what appears in the field


def _types(piece: Mapping[str, Any]) -> list[str]:
    given = piece.get("type", piece.get("@type"))
    return [name.rsplit("#", 1)[-1].rsplit(":", 1)[-1] for name in _list(given) if isinstance(name, str)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _first(value: object) -> Any:
    """The first of a list; a Person before groups and the like."""
    if not isinstance(value, list):
        return value
    persons = [item for item in value if isinstance(item, dict) and "Person" in _types(item)]
    return (persons or value or [None])[0]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _id(value: object) -> str | None:
    if isinstance(value, dict):
        return _text(value.get("id")) or _text(value.get("@id")) or _text(value.get("href"))
    return _text(value)


def _natural(piece: Mapping[str, Any], name: str) -> str | None:
    """A text that may come in several languages: the plain one, or else the first."""
    plain = piece.get(name)
    if isinstance(plain, str) and plain:
        return plain
    mapped = piece.get(f"{name}Map")
    if isinstance(mapped, dict):
        return next((text for text in mapped.values() if isinstance(text, str) and text), None)
    return None


def _language(piece: Mapping[str, Any]) -> str | None:
    given = piece.get("language")
    if isinstance(given, dict):
        given = given.get("identifier")
    if isinstance(given, str) and given:
        return given
    for name in ("contentMap", "nameMap"):
        mapped = piece.get(name)
        if isinstance(mapped, dict) and len(mapped) == 1:
            return str(next(iter(mapped)))
    return None


def _url(value: object) -> str | None:
    """An address from a string, a Link or a list of them, HTML pages first."""
    found = [item for item in _list(value) if isinstance(item, str | dict)]
    pages = [item for item in found if isinstance(item, str) or "html" in str(item.get("mediaType", "html"))]
    for item in pages + found:
        address = item if isinstance(item, str) else item.get("href") or item.get("url")
        if isinstance(address, str) and _is_web(address):
            return address
    return None


def _is_web(address: str) -> bool:
    return address.startswith(("https://", "http://"))


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").replace(":", "_")
    except ValueError:
        return ""


def _site(url: str | None) -> str | None:
    return _host(url).removeprefix("www.") or None if url else None


def _handle(address: str | None, name: str | None) -> str | None:
    host = _host(address or "")
    if not name and address:
        found = re.search(r"/(?:@|users?/|u/|profile/|author/|accounts/|people/)([^/?#@]+)/?$", address)
        name = found[1] if found else None
    return f"{name}@{host}" if name and host else name


def _named(tags: list[dict[str, Any]], type: str, mark: str) -> list[str]:
    names = [name for tag in tags if type in _types(tag) and (name := _text(tag.get("name")))]
    return list(dict.fromkeys(name.lstrip(mark) for name in names if name.lstrip(mark)))


def _links(piece: Mapping[str, Any], html: str, own: str | None) -> list[str]:
    """Addresses in the words and attached pages, without those of mentions and hashtags."""
    found: list[str] = []
    for opening in re.findall(r"<a\s[^<>]{0,4000}>", html):
        target = re.search(r"\bhref\s*=\s*[\"']?(https?://[^\"'\s<>]+)", opening)
        if target and not re.search(r"\bclass\s*=\s*[\"'][^\"']*\b(?:mention|hashtag)\b", opening):
            found.append(target[1].replace("&amp;", "&"))
    for attachment in _list(piece.get("attachment")):
        if isinstance(attachment, dict) and {"Link", "Page"} & set(_types(attachment)):
            found.extend(filter(None, [_url(attachment.get("href")) or _url(attachment.get("url"))]))
    return [link for link in dict.fromkeys(found) if link != own]


def _media(piece: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = list(_attached(piece))
    if kind in _MEDIA:
        own = next((item for item in _list(piece.get("url")) if isinstance(item, dict) and _is_medium(item)), None)
        address = _url(own) if own else None
        found += [{"type": _MEDIA[kind], "url": address, "alt": None}] if address else []
    return found


def _attached(piece: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for attachment in _list(piece.get("attachment")) + _list(piece.get("image")):
        if not isinstance(attachment, dict):
            continue
        types, media_type = _types(attachment), str(attachment.get("mediaType", ""))
        medium = next((_MEDIA[name] for name in types if name in _MEDIA), media_type.split("/")[0])
        address = _url(attachment.get("url")) or _url(attachment.get("href"))
        if medium in ("image", "video", "audio") and address:
            yield {"type": medium, "url": address, "alt": _text(attachment.get("name"))}


def _is_medium(link: Mapping[str, Any]) -> bool:
    return str(link.get("mediaType", "")).split("/")[0] in ("image", "video", "audio")


def _visibility(piece: Mapping[str, Any], kind: str) -> str:
    to = {_id(item) for item in _list(piece.get("to"))}
    cc = {_id(item) for item in _list(piece.get("cc"))}
    if kind == "ChatMessage":
        return "private"
    if to & set(PUBLIC) or not (to | cc) - {None}:
        return "public"
    if cc & set(PUBLIC):
        return "unlisted"
    return "members" if any(str(item).endswith("/followers") for item in to | cc) else "private"


def _later(updated: str, published: str) -> bool:
    try:
        return read_time(updated) > read_time(published)
    except ValueError:
        return False


# writing


def to_activitystreams(post: Mapping[str, Any]) -> dict[str, Any]:
    """A row of POST as an object of ActivityStreams 2.0.

    The id is the channel's own where it is an address of ActivityPub; else `urn:talkworthy:` and the uid, so
    that reading it back gives the same uid. A repost becomes an Announce.
    """
    if post.get("engagement_type") == "REPOST" and post.get("repeats"):
        return _trimmed(
            {
                "@context": "https://www.w3.org/ns/activitystreams",
                "id": _address_of(post["uid"]),
                "type": "Announce",
                "actor": _actor(post.get("author")),
                "published": _iso(post["published_at"]),
                "object": _address_of(post["repeats"]),
                **_audience(post.get("visibility")),
            }
        )
    answer = post.get("in_reply_to")
    language = post.get("language")
    content = post.get("html") or _escaped(post.get("text") or "")
    return _trimmed(
        {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": _address_of(post["uid"]),
            "type": _TYPES.get(post.get("kind") or "note", "Note"),
            "url": post.get("url"),
            "attributedTo": _actor(post.get("author")),
            "name": post.get("title"),
            "summary": _escaped(post["summary"]) if post.get("summary") else None,
            "content": content,
            "contentMap": {language: content} if language else None,
            "published": _iso(post["published_at"]),
            "updated": _iso(post.get("edited_at")),
            "inReplyTo": _address_of(answer) if answer else None,
            "quoteUrl": _address_of(post["repeats"]) if post.get("repeats") else None,
            "tag": _tags(post),
            "attachment": _attachments(post),
            "audience": post.get("community"),
            **_audience(post.get("visibility")),
            **_totals(post.get("engagement")),
        }
    )


def _address_of(uid: str) -> str:
    channel, _, native = native_parts(uid)
    if not channel and _is_web(uid):
        return uid
    return native if channel == CHANNEL and _is_web(native) else _URN + uid


def _actor(author: Mapping[str, Any] | None) -> Any:
    if not author:
        return None
    icon = {"type": "Image", "url": author["avatar"]} if author.get("avatar") else None
    return _trimmed(
        {
            "id": author.get("id"),
            "type": "Service" if author.get("automated") else "Person",
            "preferredUsername": (author.get("handle") or "").split("@")[0] or None,
            "name": author.get("name"),
            "url": author.get("url"),
            "summary": author.get("bio"),
            "icon": icon,
        }
    )


def _tags(post: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    hashtags = [{"type": "Hashtag", "name": f"#{name}"} for name in post.get("hashtags") or ()]
    mentions = [{"type": "Mention", "name": f"@{name}"} for name in post.get("mentions") or ()]
    return hashtags + mentions or None


def _attachments(post: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    media = [
        _trimmed({"type": medium["type"].capitalize(), "url": medium["url"], "name": medium.get("alt")})
        for medium in post.get("media") or ()
    ]
    links = [{"type": "Link", "href": link} for link in post.get("links") or ()]
    return media + links or None


def _audience(visibility: str | None) -> dict[str, Any]:
    if visibility == "public":
        return {"to": [PUBLIC[0]]}
    return (
        {"cc": [PUBLIC[0]]}
        if visibility == "unlisted"
        else {"to": ["urn:talkworthy-audience:" + (visibility or "private")]}
    )


def _totals(engagement: Mapping[str, Any] | None) -> dict[str, Any]:
    counts = engagement or {}
    return {
        name: {"type": "Collection", "totalItems": counts[name]}
        for name in ("replies", "shares", "likes")
        if counts.get(name) is not None
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")


def _trimmed(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
