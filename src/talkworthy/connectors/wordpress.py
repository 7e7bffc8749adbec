"""Comments on a WordPress site, read through its REST interface.

It resumes by number: pages are read from the newest comment back to the newest one known. (Times would not do:
`after` is read in the site's own zone, which may change.) As a comment tells neither that it was edited nor that
it is gone, the newest hundred are read at each visit and compared with what the cursor remembers of them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pyarrow as pa

from talkworthy.connectors.contract import (
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
from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, Malformed, TryLater, Unsure
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import absolute, clean, links, plain, site, storable
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.posting import accepted, answered, first_of, post_once, reason, same_words, since
from talkworthy.connectors.replies import Response
from talkworthy.schema import TOMBSTONE, post_uid, posts_table

PER_PAGE = 100
POLL = 120.0
REST = "https://api.w.org/"


class WordPress:
    """Comments under the posts and pages of a site."""

    name: ClassVar[str] = "wordpress"
    title: ClassVar[str] = "WordPress comments"
    about: ClassVar[str] = "Comments, pingbacks and trackbacks under the posts and pages of a WordPress site."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="url",
            label="Address of the site",
            kind=Kind.URL,
            required=True,
            help="Where the site begins; its REST interface is found from there.",
            example="https://blog.example.org/",
        ),
        Setting(
            name="username", label="Name", help="To answer, and where the site shows its comments to members alone."
        ),
        Setting(
            name="password",
            label="Application password",
            kind=Kind.SECRET,
            help="Made in WordPress under Users, Profile, Application Passwords; not the password for signing in.",
        ),
        Setting(
            name="since",
            label="Not before",
            help="A date; older comments are not read. Left empty, all are.",
            example="2025-01-01",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        send=True,
        edits=True,
        deletions=True,
        history=True,
        met_live=True,
        limits=(
            "Files are not attached to answers; where the site moderates comments, an answer waits there.",
            "Edits and deletions are noticed among the newest 100 comments only; WordPress does not announce them.",
            "Comments that wait for approval are not read; one approved late is read while it is among the newest 100.",
            "The site's own posts are not read here; its feed brings them.",
            "Handles are not told: an author is a name, and an id where the author is a member of the site.",
        ),
    )

    sending: ClassVar[SendingLimits] = SendingLimits(
        characters=65_000,
        visibilities=("public",),
        idempotent=True,
        needs=("username", "password"),
        scopes=("application password",),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """One page: the newest comments with their edits and deletions, or on the way back to those known."""
        address = str(settings.get("url") or "").strip()
        known = dict(cursor or {})
        known = known if known.get("of", address) == address else {}  # another site counts its comments anew
        known |= {"of": address, "root": known.get("root") or _root(http, settings)}
        page, top = known.pop("walk", None) or (1, 0)
        response = _asked(http, settings, known["root"], _params(settings, page))
        comments = _listed(response)
        numbers = [int(each["id"]) for each in comments]
        top, high = max([top, *numbers]), int(known.get("high") or 0)
        payload: Payload | None = response.payload(fetched_at=now) if comments else None
        if page == 1:
            payload = _compared(response, comments, known.get("recent") or {}, now)
            known["recent"] = _remembered(comments)
        if len(comments) >= PER_PAGE and min(numbers) > high:
            return Page(payloads=_those(payload), cursor={**known, "walk": [page + 1, top]}, more=True)
        return Page(payloads=_those(payload), cursor={**known, "high": max(top, high)}, wait=POLL)

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read a list of comments, and what is said to be gone."""
        comments = _loaded(payload.body)
        origin = _origin(str(settings.get("url") or payload.url or ""))
        edited = set(payload.meta.get("edited") or ())
        rows: dict[str, dict[str, Any]] = {}
        aside: list[SetAside] = []
        for comment in comments:
            try:
                row = _row(comment, origin, payload, edited)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                fragment = json.dumps(comment, default=str)[:2_000].encode()
                aside.append(SetAside(reason=f"not a comment: {error}", fragment=fragment))
                continue
            rows[row["uid"]] = row
        stones = [_stone(str(number), origin, payload) for number in payload.meta.get("gone") or ()]
        return Parsed(
            posts=posts_table(rows.values()),
            tombstones=pa.Table.from_pylist(stones, schema=TOMBSTONE),
            aside=tuple(aside),
        )

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Find the REST interface and read one comment."""
        try:
            response = _asked(http, settings, _root(http, settings), {"per_page": 1})
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        total = response.headers.get("x-wp-total", "?")
        return Checked(ok=True, message=f"{site(response.url)} shows {total} comments.", details={"comments": total})

    def send(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
        """Write a comment below the one that it answers, as the user of the application password."""
        return _sent(http, settings, outgoing, now=now)

    def find_sent(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
        """Look among the newest answers to that comment; WordPress itself refuses the same words twice."""
        return _found(http, settings, outgoing, now=now)


# asking


def _root(http: Http, settings: Mapping[str, Any]) -> str:
    """Where the REST interface lies: as the site says in its headers, else the usual place."""
    url = str(settings.get("url") or "").strip()
    if absolute(url) is None:
        raise GiveUp("Give the address of the site.")
    response = http.get(url, max_bytes=5_000_000)
    told = absolute(response.links.get(REST), response.url)
    if told:
        return told
    response.raise_for_status()
    return response.url.split("?", 1)[0].rstrip("/") + "/wp-json/"


def _asked(http: Http, settings: Mapping[str, Any], root: str, params: Mapping[str, Any]) -> Response:
    route = "wp/v2/comments"
    name, password = settings.get("username"), str(settings.get("password") or "")
    auth = (str(name), password.replace(" ", "")) if name else None
    # a site without pretty links has its routes in a query: …/?rest_route=/
    url = root.rstrip("/") + "/" + route
    response = http.get(url, params=params, auth=auth, accept="application/json")
    code = _code(response)
    if response.status == 404 and code in ("rest_no_route", ""):
        raise GiveUp(f"{site(url)} has no REST interface for comments; it may be switched off by a plugin.")
    if response.status in (401, 403):
        raise AskForCredentials(
            f"{site(url)} shows its comments to members only: give a name and an application password."
        )
    if response.status == 400 and code.endswith("invalid_page_number"):
        return replace(response, status=200, body=b"[]")  # the last page was exactly full
    response.raise_for_status()
    if not isinstance(response.json(), list):
        raise GiveUp(f"{site(url)} did not answer with comments.")
    return response


def _code(response: Response) -> str:
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    return str(answer.get("code") or "") if isinstance(answer, dict) else ""


def _params(settings: Mapping[str, Any], page: int) -> dict[str, Any]:
    return {"per_page": PER_PAGE, "page": page, "order": "desc", "orderby": "id", "after": _since(settings)}


def _those(payload: Payload | None) -> tuple[Payload, ...]:
    return () if payload is None else (payload,)


def _compared(
    response: Response, comments: Sequence[Mapping[str, Any]], recent: Mapping[str, str], now: datetime
) -> Payload | None:
    """The newest comments with what is edited and gone since the last visit; None where nothing changed."""
    hashes = _remembered(comments)
    oldest = min(map(int, hashes), default=0) if len(comments) >= PER_PAGE else 0
    gone = [number for number in recent if number not in hashes and int(number) > oldest]
    edited = [number for number, words in hashes.items() if recent.get(number, words) != words]
    if not gone and not edited and hashes.keys() <= recent.keys():
        return None
    return response.payload(fetched_at=now, edited=edited, gone=gone)


def _listed(response: Response) -> list[dict[str, Any]]:
    return [each for each in response.json() if isinstance(each, dict) and type(each.get("id")) is int]


def _since(settings: Mapping[str, Any]) -> str | None:
    given = str(settings.get("since") or "").strip()
    if not given:
        return None
    try:
        return datetime.fromisoformat(given).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        raise GiveUp(f"“{given}” is no date; write it as 2025-01-31.") from error


def _remembered(comments: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {str(each["id"]): _hash(each) for each in comments}


def _hash(comment: Mapping[str, Any]) -> str:
    words = json.dumps([comment.get("content"), comment.get("author_name")], sort_keys=True, default=str)
    return blake2b(words.encode(), digest_size=6).hexdigest()


# reading


def _loaded(body: bytes) -> list[Any]:
    try:
        comments = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {str(error)[:200]}") from error
    if not isinstance(comments, list):
        raise Malformed("not a list of comments")
    return comments


def _origin(url: str) -> str:
    """The host, and the path of a site that does not begin at the top: two sites of a host count their own ids."""
    parts = urlsplit(url)
    return ((parts.hostname or "wordpress") + parts.path.split("/wp-json")[0].rstrip("/")).replace(":", "_")


def _row(comment: Mapping[str, Any], origin: str, payload: Payload, edited: set[str]) -> dict[str, Any]:
    number = comment["id"]
    if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
        raise ValueError("without an id")
    address = absolute(_word(comment.get("link")))
    content = comment.get("content")
    html = str(content.get("rendered") or "") if isinstance(content, dict) else ""
    parent = comment.get("parent")
    answers = post_uid("wordpress", origin, str(parent)) if isinstance(parent, int) and parent > 0 else None
    article = address.split("#", 1)[0] if address else None
    kind = _word(comment.get("type")) or "comment"
    return {
        "uid": post_uid("wordpress", origin, str(number)),
        "url": address,
        "kind": "note",
        "author": _author(comment),
        "text": plain(html),
        "html": clean(html, base=article) if html else None,
        "published_at": _moment(comment),
        "edited_at": payload.fetched_at if str(number) in edited else None,
        "collected_at": payload.fetched_at,
        "in_reply_to": answers or article,
        "root": article,
        "engagement_type": "REPLY" if answers else "COMMENT",
        "links": links(html, article),
        "tags": [kind] if kind != "comment" else None,
        "media": None,
        "site": site(address),
        "visibility": "public",
    }


def _author(comment: Mapping[str, Any]) -> dict[str, Any] | None:
    number, name = comment.get("author"), _word(comment.get("author_name"))
    avatars = comment.get("author_avatar_urls")
    sizes = (
        {int(size): url for size, url in avatars.items() if str(size).isdigit()} if isinstance(avatars, dict) else {}
    )
    author = {
        "id": str(number) if isinstance(number, int) and number > 0 else None,
        "name": plain(name) or None if name else None,
        "url": absolute(_word(comment.get("author_url"))),
        "avatar": absolute(_word(sizes[max(sizes)])) if sizes else None,
    }
    return author if any(author.values()) else None


def _moment(comment: Mapping[str, Any]) -> datetime:
    given = _word(comment.get("date_gmt")) or _word(comment.get("date"))
    if not given:
        raise ValueError("without a date")
    moment = datetime.fromisoformat(given)
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    if not 1990 < moment.year < 9999:
        raise ValueError(f"of the year {moment.year}")
    return moment.astimezone(UTC)


def _stone(number: str, origin: str, payload: Payload) -> dict[str, Any]:
    return {
        "uid": post_uid("wordpress", origin, number),
        "published_at": None,
        "author_id": None,
        "channel": None,
        "deleted_at": payload.fetched_at,
        "reason": "deleted",
    }


def _word(value: object) -> str | None:
    return storable(value) or None if isinstance(value, str) else None


# sending


def _sent(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
    root, auth, parent = _root(http, settings), _pair(settings), _comment_answered(http, settings, outgoing)
    body = {"post": parent["post"], "parent": parent["id"], "content": outgoing.text}
    response = post_once(http, f"{root.rstrip('/')}/wp/v2/comments", json=body, auth=auth, accept="application/json")
    code, said = _code(response), reason(response, "message")
    if code == "comment_duplicate" or response.status == 409:
        there = _found(http, settings, outgoing, now=now)
        if there is not None:
            return there
        raise GiveUp("WordPress says that the same words stand there already.")
    if code == "comment_flood" or response.status == 429:
        raise TryLater("the site asks for a pause between comments", after=max(response.wait or 0.0, 20.0))
    if response.status in (401, 403) and code not in ("rest_comment_closed", "rest_comment_draft_post"):
        raise AskForCredentials(f"The site does not let this user write comments: {said or response.status}")
    if response.status >= 400:
        raise GiveUp(f"The site does not take it: {said or response.status}")
    return _as_sent(settings, accepted(response))


def _found(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
    root, parent = _root(http, settings), _comment_answered(http, settings, outgoing)
    params = {"parent": parent["id"], "per_page": PER_PAGE, "order": "desc", "orderby": "id"}
    address = f"{root.rstrip('/')}/wp/v2/comments"
    found = []
    for status in ("approve", "hold"):  # one that waits for approval is there all the same
        response = http.get(
            address, params=params | {"status": status}, auth=_pair(settings), accept="application/json"
        )
        if status == "hold" and response.status in (400, 401, 403):
            continue  # not everybody may see what waits
        found += _listed(response.raise_for_status())
    there = first_of(
        one
        for one in found
        if same_words(plain(str((one.get("content") or {}).get("rendered") or "")), outgoing.text)
        and _moment(one) >= since(outgoing, now)
    )
    return _as_sent(settings, there) if there else None


def _comment_answered(http: Http, settings: Mapping[str, Any], outgoing: Outgoing) -> dict[str, int]:
    """The comment that is answered and the post that it stands under."""
    number = str(answered(outgoing, "wordpress").get("native_id") or "")
    if not (number.isascii() and number.isdigit()):
        raise GiveUp("What it answers has no number on the site.")
    address = f"{_root(http, settings).rstrip('/')}/wp/v2/comments/{number}"
    response = http.get(address, auth=_pair(settings), accept="application/json")
    if response.status in (404, 410):
        raise GiveUp("What it answers was deleted.")
    if response.status in (401, 403):
        raise AskForCredentials("The site does not accept the name and the application password.")
    reply = response.raise_for_status().json()
    post = reply.get("post") if isinstance(reply, dict) else None
    if not isinstance(post, int):
        raise TryLater("the site did not say what the comment stands under")
    return {"id": int(number), "post": post}


def _as_sent(settings: Mapping[str, Any], comment: Mapping[str, Any]) -> Sent:
    number = comment.get("id")
    if not isinstance(number, int):
        raise Unsure("the site gave the comment no number")
    uid = post_uid("wordpress", _origin(str(settings.get("url") or "")), str(number))
    return Sent(uid=uid, url=absolute(_word(comment.get("link"))), at=_moment(comment))


def _pair(settings: Mapping[str, Any]) -> tuple[str, str]:
    name, password = str(settings.get("username") or ""), str(settings.get("password") or "").replace(" ", "")
    if not name or not password:
        raise AskForCredentials("Answering needs a name and an application password.")
    return name, password


connector = WordPress()
