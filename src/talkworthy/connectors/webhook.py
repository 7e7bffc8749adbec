"""A signed webhook: any program that can send JSON can bring posts.

Signatures are those of Standard Webhooks, or a plain HMAC of the body. There is nothing to fetch and so
nothing to resume: what was not delivered must be sent again by the sender.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import pyarrow as pa

from talkworthy.connectors.contract import Answer, Capabilities, Checked, Kind, Page, Parsed, Request, SetAside, Setting
from talkworthy.connectors.errors import Malformed
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import clean, cleaned, plain
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.schema import POST, TOMBSTONE, post_uid
from talkworthy.schema.formats import from_activitystreams, owned, post_from_json, read_time

MAX_BODY = 10_000_000
REMEMBERED = 500
TOLERANCE = 300
"""Seconds that a signed time may lie before or after ours."""
SHORTEST_SECRET = 16
_NESTED = ("author", "engagement", "place")


class Webhook:
    """Posts that another program sends."""

    name: ClassVar[str] = "webhook"
    title: ClassVar[str] = "Webhook"
    about: ClassVar[str] = "Posts that another program sends to an address of ours, signed, as JSON."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="secret",
            label="Secret",
            kind=Kind.SECRET,
            required=True,
            help="Shared with the sender. For Standard Webhooks as whsec_ and base64, else any long random text.",
        ),
        Setting(
            name="signature",
            label="Signature",
            kind=Kind.CHOICE,
            help="How the sender signs.",
            choices=(("standard", "Standard Webhooks"), ("hmac", "HMAC-SHA256 of the body in a header")),
            default="standard",
        ),
        Setting(
            name="header",
            label="Header of the signature",
            help="For HMAC only: hexadecimal or base64, with or without sha256= in front.",
            default="X-Hub-Signature-256",
        ),
        Setting(
            name="items",
            label="Where the items are",
            help="A JSON pointer to the list of items, for JSON in the sender's own words; empty for the whole body.",
            example="/data/messages",
        ),
        Setting(
            name="fields",
            label="What is what",
            kind=Kind.LINES,
            help="One a line: column of a post = JSON pointer within an item. Empty where the sender sends our posts.",
            example="native_id = /id\ntext = /body\npublished_at = /created\nauthor.name = /user/name",
        ),
        Setting(
            name="origin",
            label="Origin",
            help="Where posts come from that name no server themselves; part of their uid.",
            example="shop",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        resume=False,
        receive=True,
        edits=True,
        deletions=True,
        counts=True,
        any_channel=True,
        limits=(
            "It changes and deletes its own posts: those it brought, and those of its channel and its origin.",
            "Nothing is fetched: what the sender did not deliver is not known here.",
            "A plain HMAC holds no time, so an old call can be sent again; it changes nothing, as ids stay the same.",
            "A call may have 10 MB.",
        ),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Nothing: others call us."""
        return Page(cursor=cursor, wait=3_600)

    def receive(self, request: Request, settings: Mapping[str, Any], cursor: Cursor | None) -> Answer:
        """Verify the signature; a call that came before is acknowledged and not kept again."""
        if request.method != "POST":
            return Answer(status=405, body="Send posts with POST.")
        if len(request.body) > MAX_BODY:
            return Answer(status=413, body=f"At most {MAX_BODY} bytes.")
        name = _verified(request, settings)
        if name is None:
            return Answer(status=401, body="The signature is missing, wrong or too old.")
        if not request.body.strip():
            return Answer(status=400, body="There is nothing in it.")
        seen: dict[str, Any] = dict((cursor or {}).get("seen") or {})
        if name in seen:
            return Answer(status=200, body="Received before.")
        seen[name] = int(request.received_at.timestamp())
        newest = dict(sorted(seen.items(), key=lambda item: item[1])[-REMEMBERED:])
        payload = Payload(
            body=request.body,
            content_type=request.headers.get("content-type", "application/json"),
            fetched_at=request.received_at,
        )
        return Answer(status=202, body="Kept.", payloads=(payload,), cursor={**(cursor or {}), "seen": newest})

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read our own posts, ActivityStreams 2.0, or JSON in the sender's words."""
        document = _loaded(payload.body)
        fields = _fields(settings)
        if fields:
            return _mapped(document, fields, payload, settings)
        if _is_ours(document):
            return _ours(document, payload, settings)
        found = from_activitystreams(document, seen_at=payload.fetched_at, plain=plain, clean=clean)
        if not (found.posts or found.tombstones):
            reason = found.aside[0][0] if found.aside else "nothing in it"
            raise Malformed(f"neither posts nor ActivityStreams ({reason}); the settings may say what is what")
        return Parsed(
            posts=pa.Table.from_pylist(found.posts, schema=POST),
            tombstones=pa.Table.from_pylist(found.tombstones, schema=TOMBSTONE),
            aside=tuple(SetAside(reason=reason, fragment=_fragment(piece)) for reason, piece in found.aside),
        )

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Look at the settings; nothing is called."""
        secret = str(settings.get("secret") or "")
        if len(secret) < SHORTEST_SECRET:
            return Checked(ok=False, message=f"The secret needs at least {SHORTEST_SECRET} characters.")
        wrong = [line for line in _lines(settings.get("fields")) if "=" not in line or "/" not in line.split("=", 1)[1]]
        if wrong:
            return Checked(ok=False, message=f"This says not what is what: {wrong[0]}")
        return Checked(ok=True, message="Ready: calls with the right signature will be kept.")


# signatures


def _verified(request: Request, settings: Mapping[str, Any]) -> str | None:
    """A name of the call that is the same when it is sent again; None where it is not to be trusted."""
    secret = str(settings.get("secret") or "")
    if len(secret) < SHORTEST_SECRET:
        return None
    if settings.get("signature", "standard") == "hmac":
        return _verified_hmac(request, secret, str(settings.get("header") or "X-Hub-Signature-256").lower())
    return _verified_standard(request, secret)


def _verified_standard(request: Request, secret: str) -> str | None:
    name, sent = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if not name or not re.fullmatch(r"\d{1,12}", sent):
        return None
    if abs(int(sent) - request.received_at.timestamp()) > TOLERANCE:
        return None
    signed = b".".join((name.encode("utf-8", "replace"), sent.encode(), request.body))
    wanted = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()
    given = [
        part.removeprefix("v1,")
        for part in request.headers.get("webhook-signature", "").split()
        if part.startswith("v1,")
    ]
    if not any(hmac.compare_digest(wanted.encode(), each.encode("utf-8", "replace")) for each in given[:10]):
        return None
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:24]


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def _verified_hmac(request: Request, secret: str, header: str) -> str | None:
    given = request.headers.get(header, "").strip().removeprefix("sha256=").encode("utf-8", "replace")
    digest = hmac.new(secret.encode(), request.body, hashlib.sha256).digest()
    matches = hmac.compare_digest(digest.hex().encode(), given.lower())
    matches |= hmac.compare_digest(base64.b64encode(digest), given)
    return hashlib.sha256(request.body).hexdigest()[:24] if matches else None


# reading


def _loaded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        lines = [line for line in body.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines] if len(lines) > 1 else _refuse(error)
        except (ValueError, RecursionError):
            return _refuse(error)


def _refuse(error: Exception) -> Any:
    raise Malformed(f"not JSON: {str(error)[:200]}") from error


def _is_ours(document: object) -> bool:
    if isinstance(document, list):
        return any(isinstance(item, dict) and "uid" in item for item in document)
    return (
        isinstance(document, dict)
        and bool({"uid", "posts", "deleted"} & document.keys())
        and "@context" not in document
    )


def _ours(document: Any, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
    held = document if isinstance(document, dict) and "uid" not in document else {"posts": document}
    items, gone = _list(held.get("posts")), _list(held.get("deleted"))
    stones = [stone for item in gone if (stone := _stone(item, payload, settings))]
    return _parsed(((item, item) for item in items), payload, settings, stones)


def _stone(item: object, payload: Payload, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    given = item if isinstance(item, dict) else {"uid": item}
    uid = given.get("uid")
    if not isinstance(uid, str) or not uid:
        return None
    try:
        deleted = read_time(given["deleted_at"]) if given.get("deleted_at") else payload.fetched_at
    except ValueError:
        deleted = payload.fetched_at
    ours = uid if uid.count(":") >= 2 else post_uid("webhook", str(settings.get("origin") or ""), uid)
    return {
        "uid": ours,
        "published_at": None,
        "author_id": None,
        "channel": None,
        "deleted_at": deleted,
        "reason": "deleted",
    }


def _mapped(document: Any, fields: Mapping[str, str], payload: Payload, settings: Mapping[str, Any]) -> Parsed:
    pointer = str(settings.get("items") or "").strip()
    try:
        held = pointed(document, pointer)
    except LookupError as error:
        raise Malformed(f"there is nothing at {pointer}") from error
    return _parsed(((item, _renamed(item, fields)) for item in _list(held)), payload, settings, [])


def _renamed(item: object, fields: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for target, pointer in fields.items():
        try:
            value = pointed(item, pointer)
        except LookupError:
            continue
        name, _, inner = target.partition(".")
        if inner and name in _NESTED:
            row.setdefault(name, {})[inner] = value
        else:
            row[name] = value
    return row if {"text", "html", "title", "media"} & row.keys() else {}


def _parsed(
    items: Iterable[tuple[Any, Any]], payload: Payload, settings: Mapping[str, Any], stones: Sequence[dict[str, Any]]
) -> Parsed:
    rows: list[dict[str, Any]] = []
    aside: list[SetAside] = []
    for raw, item in items:
        try:
            rows.append(post_from_json(_completed(item, raw, payload, settings)))
        except ValueError as error:
            aside.append(SetAside(reason=str(error), fragment=_fragment(raw)))
    batch = owned(
        pa.RecordBatch.from_pylist(rows, schema=POST), channel="webhook", origin=str(settings.get("origin") or "")
    )
    return Parsed(
        posts=pa.Table.from_batches([cleaned(batch)], schema=POST),
        tombstones=pa.Table.from_pylist(list(stones), schema=TOMBSTONE),
        aside=tuple(aside),
    )


def _completed(item: Any, raw: Any, payload: Payload, settings: Mapping[str, Any]) -> Any:
    """An item with a uid, a time and words, as far as they follow from what it says."""
    if not isinstance(item, dict):
        return item
    if not item:
        raise ValueError("no words where the settings say they are")
    row = dict(item)
    if not row.get("uid"):
        native = row.get("native_id")
        if native in (None, ""):
            native = hashlib.blake2b(_fragment(raw), digest_size=12).hexdigest()
        if not isinstance(native, str | int | float):
            raise ValueError("native_id should be text")
        channel = str(row.get("channel") or "webhook").replace(":", "_")
        row.update(
            native_id=str(native),
            uid=post_uid(channel, str(row.get("origin") or settings.get("origin") or ""), str(native)),
        )
    if not row.get("published_at"):
        row["published_at"] = payload.fetched_at.isoformat()
    if not row.get("text") and isinstance(row.get("html"), str):
        row["text"] = plain(row["html"])
    return row


def pointed(document: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to; LookupError where nothing is."""
    found = document
    for part in pointer.split("/")[1:] if pointer else ():
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            if not name.isascii() or not name.isdigit() or len(name) > 9:
                raise LookupError(pointer)
            found = found[int(name)]
        elif isinstance(found, dict):
            found = found[name]
        else:
            raise LookupError(pointer)
    return found


def _fields(settings: Mapping[str, Any]) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in _lines(settings.get("fields")) if "=" in line]
    return {target.strip(): pointer.strip() for target, pointer in pairs}


def _lines(given: object) -> list[str]:
    lines = (
        given.splitlines()
        if isinstance(given, str)
        else [str(line) for line in given]
        if isinstance(given, list | tuple)
        else []
    )
    return [line.strip() for line in lines if line.strip()]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _fragment(piece: object) -> bytes:
    return json.dumps(piece, ensure_ascii=True, sort_keys=True, default=str)[:4_000].encode()


connector = Webhook()
