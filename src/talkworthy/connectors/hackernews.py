"""Hacker News: words through Algolia's search, everything and later changes through the Firebase API."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from talkworthy.connectors.contract import Capabilities, Checked, Kind, Page, Parsed, Setting
from talkworthy.connectors.errors import ConnectorError, Malformed, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import absolute, clean, links, plain, site
from talkworthy.connectors.payload import Cursor, Payload
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
    read_object,
    record,
    text,
)
from talkworthy.connectors.replies import Response
from talkworthy.schema import post_uid

SEARCH = "https://hn.algolia.com/api/v1/search_by_date"
ITEMS = "https://hacker-news.firebaseio.com/v0"
ORIGIN = "news.ycombinator.com"
HITS = 100
PAGES_A_FETCH = 5
ITEMS_A_FETCH = 60
OVERLAP = 900
"""Seconds before the newest hit that are searched again, as the index is filled late and not in order."""
KEPT = 400
"""How many collected items are watched for changes."""
TRIES = 8
"""An item that is announced but still null is asked for so many times."""
DAY = 86_400
DAYS = 7

_TAGS = {"both": "(story,comment,poll,job)", "stories": "(story,poll,job)", "comments": "comment"}
_STORIES = frozenset({"story", "poll", "job"})


class HackerNews:
    """Resumes from a time (search) or an item number (everything); both are inclusive, so nothing lies between."""

    name: ClassVar[str] = "hackernews"
    title: ClassVar[str] = "Hacker News"
    about: ClassVar[str] = "Stories and comments of Hacker News: those with your words, or all of them."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="words",
            label="Words or phrases",
            kind=Kind.LINES,
            help="One search a line, a phrase in quotation marks. Leave it empty to hear everything.",
            example='postgres\n"managed database"',
        ),
        Setting(
            name="what",
            label="What to hear",
            kind=Kind.CHOICE,
            default="both",
            choices=(("both", "Stories and comments"), ("stories", "Stories only"), ("comments", "Comments only")),
            help="Jobs and polls count as stories.",
        ),
        Setting(
            name="days",
            label="Days to look back at the start",
            kind=Kind.NUMBER,
            default=DAYS,
            help="For searches only: without words listening starts with the newest item.",
        ),
        Setting(
            name="follow",
            label="Follow changes",
            kind=Kind.FLAG,
            default=True,
            help=f"Read the newest {KEPT} collected items again when Hacker News says that they changed.",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        listen=True,
        edits=True,
        deletions=True,
        counts=True,
        history=True,
        met_live=False,
        limits=(
            "It has not met the live service.",
            "Replies cannot be sent: Hacker News has no interface for writing.",
            "Hacker News does not say when an item was edited, so an edit has no time.",
            "Scores of comments are not public.",
            f"Edits, deletions and new scores are followed for the newest {KEPT} collected items only.",
            "Changes are listed for a few minutes only; what changes while nobody listens is not heard of.",
            "A comment found without a search does not tell its story, only what it answers.",
        ),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Search or walk on, then read again what changed."""
        walk = _Walk(http, settings, cursor, now)
        try:
            if walk.words:
                walk.search()
            else:
                walk.newest()
            if settings.get("follow", True):
                walk.changes()
        except TryLater as error:
            if not walk.payloads:
                raise
            walk.more = False
            return walk.page(wait=error.after)
        return walk.page(wait=60.0)

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Hits of a search, or one item of the Firebase API."""
        taken_at = payload.fetched_at
        if payload.meta.get("item"):
            found = read_json(payload.body)
            return gather([found] if found is not None else [], lambda item: _item(item, taken_at))
        hits = read_object(payload.body).get("hits")
        if not isinstance(hits, list):
            raise Malformed("a reply of the search without hits")
        return gather(hits, lambda hit: _hit(hit, taken_at))

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Ask for the newest item and, where there are words, for one hit of each."""
        try:
            newest = http.get(f"{ITEMS}/maxitem.json").raise_for_status().json()
            found = {words: _hits_of(http, words, settings) for words in _words(settings)}
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        silent = [words for words, hits in found.items() if not hits]
        message = f"Hacker News answers; its newest item is {newest}."
        if silent:
            message += f" Nothing was ever found for: {', '.join(silent)}."
        return Checked(ok=True, message=message, details={words: f"{hits} hits" for words, hits in found.items()})


class _Walk:
    """One fetch: what it has brought, and the cursor as far as it is covered."""

    def __init__(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, now: datetime) -> None:
        before = dict(cursor or {})
        self.http, self.settings, self.now = http, settings, now
        self.words = _words(settings)
        self.payloads: list[Payload] = []
        self.more = False
        self.searches: dict[str, Any] = dict(record(before.get("searches")))
        self.item: int | None = integer(before.get("item"))
        self.missing: dict[str, int] = {
            key: integer(tries) or 0 for key, tries in record(before.get("missing")).items()
        }
        self.recent: list[int] = _numbers(listed(before.get("recent")))

    def search(self) -> None:
        """A few pages of each search, newest first, down to where the last walk began."""
        for words in self.words:
            state = dict(record(self.searches.get(words)))
            start = self.now.timestamp() - DAY * (integer(self.settings.get("days", DAYS)) or 0)
            since = integer(state.get("since"))
            state["since"] = int(start) if since is None else since
            for _ in range(PAGES_A_FETCH):
                state = self._search_page(words, state)
                self.searches[words] = state
                if state.get("upper") is None:
                    break
            self.more = self.more or state.get("upper") is not None

    def _search_page(self, words: str, state: dict[str, Any]) -> dict[str, Any]:
        upper, floor = integer(state.get("upper")), int(state["since"]) - OVERLAP
        response = self.http.get(SEARCH, params=_query(words, self.settings, floor, upper)).raise_for_status()
        hits = [record(hit) for hit in listed(record(response.json()).get("hits"))]
        times = [at for at in (integer(hit.get("created_at_i")) for hit in hits) if at is not None]
        if self._watch(hit.get("objectID") for hit in hits):
            self.payloads.append(response.payload(fetched_at=self.now, words=words))
        top = min(max([*times, integer(state.get("top")) or 0, int(state["since"])]), int(self.now.timestamp()))
        if len(hits) < HITS or not times:
            return {"since": top}
        oldest = min(times)
        lower = oldest if upper is None or oldest < upper else upper - 1
        return {"since": state["since"], "top": top, "upper": lower}

    def newest(self) -> None:
        """Items after the last number; one that is announced but not yet shown is asked for again."""
        top = integer(self._json("maxitem"))
        if top is None:
            raise TryLater("Hacker News does not tell its newest item", after=300)
        if self.item is None:
            self.item = max(top - 1, 0)
        for absent in _numbers(list(self.missing)[:ITEMS_A_FETCH]):
            self._take(absent)
        last = min(top, self.item + ITEMS_A_FETCH)
        for number in range(self.item + 1, last + 1):
            self._take(number)
            self.item = number
        self.more = last < top

    def changes(self) -> None:
        """Read again those of the watched items that Hacker News lists as changed."""
        watched = set(self.recent)
        for number in sorted(watched.intersection(_numbers(listed(record(self._json("updates")).get("items"))))):
            self._keep(self._get(f"item/{number}"))

    def _take(self, number: int) -> None:
        response = self._get(f"item/{number}")
        if response.body.strip() == b"null":
            tries = self.missing.pop(str(number), 0) + 1
            if tries < TRIES:
                self.missing[str(number)] = tries
            return
        self.missing.pop(str(number), None)
        if _is_wanted(record(response.json()), self.settings):
            self._keep(response)
            self._watch([number])

    def _keep(self, response: Response) -> None:
        if response.body.strip() != b"null":
            self.payloads.append(response.payload(fetched_at=self.now, item=True))

    def _get(self, path: str) -> Response:
        return self.http.get(f"{ITEMS}/{path}.json").raise_for_status()

    def _json(self, path: str) -> Any:
        return self._get(path).json()

    def _watch(self, numbers: Iterable[Any]) -> bool:
        """Note items for later changes; whether one of them is new."""
        found = set(_numbers(numbers))
        fresh = found.difference(self.recent)
        self.recent = sorted(found.union(self.recent))[-KEPT:]
        return bool(fresh)

    def page(self, *, wait: float) -> Page:
        """What was brought so far."""
        cursor: dict[str, Any] = {"recent": self.recent}
        if self.words:
            cursor["searches"] = {words: self.searches[words] for words in self.words if words in self.searches}
        else:
            cursor |= {"item": self.item, "missing": self.missing}
        return Page(payloads=tuple(self.payloads), cursor=cursor, more=self.more, wait=None if self.more else wait)


def _words(settings: Mapping[str, Any]) -> tuple[str, ...]:
    given = settings.get("words") or ()
    lines = given.splitlines() if isinstance(given, str) else given
    return tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))


def _numbers(values: Iterable[Any]) -> list[int]:
    return [number for number in map(integer, values) if number is not None]


def _query(words: str, settings: Mapping[str, Any], floor: int, upper: int | None) -> dict[str, Any]:
    bounds = [f"created_at_i>={max(floor, 0)}"] + ([f"created_at_i<={upper}"] if upper is not None else [])
    return {
        "query": words,
        "tags": _TAGS.get(str(settings.get("what")), _TAGS["both"]),
        "numericFilters": ",".join(bounds),
        "hitsPerPage": HITS,
        "advancedSyntax": "true",
        "typoTolerance": "false",
    }


def _hits_of(http: Http, words: str, settings: Mapping[str, Any]) -> int:
    query = _query(words, settings, 0, None) | {"hitsPerPage": 1}
    return integer(record(http.get(SEARCH, params=query).raise_for_status().json()).get("nbHits")) or 0


def _is_wanted(item: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    what, kind = settings.get("what") or "both", text(item.get("type"))
    if kind == "pollopt":
        return False
    return what == "both" or (kind in _STORIES) == (what == "stories")


def _hit(hit: Mapping[str, Any], taken_at: datetime) -> Iterator[Piece]:
    number = known(integer(hit.get("objectID")), "objectID")
    comment = text(hit.get("comment_text"))
    parent, story = integer(hit.get("parent_id")), integer(hit.get("story_id"))
    answers = comment is not None or parent is not None
    replies = None if answers else integer(hit.get("num_comments"))
    yield _post(
        number,
        at=known(moment(hit.get("created_at_i")) or moment(hit.get("created_at")), "time"),
        author=text(hit.get("author")),
        title=None if answers else text(hit.get("title")),
        words=comment or text(hit.get("story_text")) or text(hit.get("text")),
        address=None if answers else text(hit.get("url")),
        parent=parent,
        root=story if answers else None,
        counts=counted(taken_at, replies=replies, likes=integer(hit.get("points"))),
        poll="poll" in listed(hit.get("_tags")),
    )


def _item(item: Mapping[str, Any], taken_at: datetime) -> Iterator[Piece]:
    number = known(integer(item.get("id")), "id")
    at = moment(item.get("time"))
    if item.get("deleted") is True or item.get("dead") is True:
        yield Gone(uid=_uid(number), published_at=at, deleted_at=taken_at)
        return
    kind = text(item.get("type"))
    if kind == "pollopt":
        return
    if kind not in {*_STORIES, "comment"}:
        raise Unusable(f"an item of unknown type {str(kind)[:40]!r}")
    answers = kind == "comment"
    replies = len(listed(item.get("kids"))) if answers else integer(item.get("descendants"))
    yield _post(
        number,
        at=known(at, "time"),
        author=text(item.get("by")),
        title=None if answers else text(item.get("title")),
        words=text(item.get("text")),
        address=None if answers else text(item.get("url")),
        parent=integer(item.get("parent")),
        root=None,
        counts=counted(taken_at, replies=replies, likes=integer(item.get("score"))),
        poll=kind == "poll",
    )


def _post(
    number: int,
    *,
    at: datetime,
    author: str | None,
    title: str | None,
    words: str | None,
    address: str | None,
    parent: int | None,
    root: int | None,
    counts: dict[str, Any] | None,
    poll: bool,
) -> dict[str, Any]:
    html = clean(words) if words else None
    outward = absolute(address)
    kind = "note" if parent is not None else "question" if poll else "page" if outward else "article"
    return {
        "uid": _uid(number),
        "url": f"https://{ORIGIN}/item?id={number}",
        "site": site(f"https://{ORIGIN}"),
        "kind": kind,
        "author": {"id": author, "handle": author, "url": f"https://{ORIGIN}/user?id={author}"} if author else None,
        "title": _plain_title(title),
        "text": plain(words) if words else "",
        "html": html or None,
        "published_at": at,
        "in_reply_to": _uid(parent) if parent is not None else None,
        "root": _uid(root) if root is not None else None,
        "engagement_type": None if parent is None else "COMMENT" if root in (None, parent) else "REPLY",
        "links": ([outward] if outward else []) + (links(words) if words else []),
        "engagement": counts,
    }


def _plain_title(title: str | None) -> str | None:
    return re.sub(r"\s+", " ", title).strip() or None if title else None


def _uid(number: int) -> str:
    return post_uid("hackernews", ORIGIN, str(number))


connector = HackerNews()
