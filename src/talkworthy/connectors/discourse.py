"""Discourse forums: the newest posts, some categories or tags, or a search; and what the forum's webhooks tell.

The native id of a post is `topic/number`, as in its address: a reply tells the number of what it answers, not the
id, so threads can be tied without asking further. A post that is moved to another topic becomes another post.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, ClassVar
from urllib.parse import quote

from talkworthy.connectors.contract import (
    Answer,
    Capabilities,
    Checked,
    Kind,
    Outgoing,
    Page,
    Parsed,
    Request,
    SendingLimits,
    Sent,
    Setting,
)
from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, Malformed, TryLater, Unsure
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import absolute, clean, links, plain, site
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.posting import accepted, answered, first_of, marker, post_once, reason
from talkworthy.connectors.reading import (
    Gone,
    Piece,
    counted,
    gather,
    integer,
    known,
    listed,
    moment,
    read_object,
    record,
    text,
)
from talkworthy.connectors.replies import Response
from talkworthy.schema import post_uid

PAGES_A_FETCH = 5
TOPICS_A_FETCH = 10
POSTS_A_FETCH = 20
REPLIES_A_TOPIC = 100
OLD_WINDOW = 50
"""Older versions answer with the posts of fifty ids, however few they are; newer ones with fifty posts."""
WATCHED = 100
LOOKS_A_FETCH = 5
WORDS_A_DAY = 86_400

REGULAR, MODERATOR = 1, 2
LIKE = 2
_EVENTS = frozenset({"post", "topic", "like"})
_ASIDE = re.compile(r"<aside\b([^<>]*)>|</aside\s*>", re.IGNORECASE)
_QUOTE = re.compile(r"class\s*=\s*[\"']?[^\"'<>]*\bquote\b", re.IGNORECASE)
_MENTION = re.compile(r"<a\b[^<>]{0,500}\bclass=\"mention(?:-group)?\"[^<>]{0,500}>@([^<>\s]{1,60})</a>")
_META = re.compile(r"<div class=\"meta\">(?:[^<]|<(?!/?div))*</div>")


class Discourse:
    """Resumes from the number of the newest post (posts), or the time of the last activity (topics, search)."""

    name: ClassVar[str] = "discourse"
    title: ClassVar[str] = "Discourse"
    about: ClassVar[str] = "Topics and replies of a Discourse forum: all of them, some categories or tags, or a search."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="url",
            label="Address of the forum",
            kind=Kind.URL,
            required=True,
            help="Of its front page; a forum in a folder with the folder.",
            example="https://forum.acme.example",
        ),
        Setting(
            name="what",
            label="What to hear",
            kind=Kind.CHOICE,
            default="posts",
            choices=(
                ("posts", "Every public post as it is written"),
                ("topics", "Topics of some categories or tags, with their replies"),
                ("search", "What the forum's search finds"),
                ("webhook", "Only what the forum's webhooks tell"),
            ),
            help="Webhooks are heard whatever is chosen, once their secret is set.",
        ),
        Setting(
            name="categories",
            label="Categories",
            kind=Kind.LINES,
            help="For topics: one a line, as slug/number at the end of the category's address.",
            example="support/6",
        ),
        Setting(name="tags", label="Tags", kind=Kind.LINES, help="For topics: one a line.", example="router"),
        Setting(
            name="query",
            label="Search",
            help="For searches: as typed into the forum's own search.",
            example="router crash",
        ),
        Setting(
            name="api_key",
            label="API key",
            kind=Kind.SECRET,
            help="For forums that show their posts to members only. Made under Admin, API, with the scope to read.",
        ),
        Setting(
            name="api_username",
            label="Name of the key's account",
            help="Whose eyes the key reads with.",
            example="system",
        ),
        Setting(
            name="webhook_secret",
            label="Webhook secret",
            kind=Kind.SECRET,
            help="The same words as in the webhook's settings; without it no delivery is accepted.",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        send=True,
        listen=True,
        receive=True,
        edits=True,
        deletions=True,
        counts=True,
        history=False,
        met_live=False,
        limits=(
            "Private messages are not answered; files are not attached.",
            "It has not met the live service.",
            "Older edits, deletions and likes are told by webhook; by asking, the newest fifty posts are seen again.",
            f"Of those, at most {LOOKS_A_FETCH} vanished posts are looked up at each fetch.",
            "A webhook tells of a like but not how many there are: the post is asked for at the next fetch.",
            f"Of a long topic the first twenty posts and the newest {REPLIES_A_TOPIC} are read.",
            "A post that is moved to another topic is heard as a new one.",
            "Private messages and whispers are never kept.",
        ),
    )

    sending: ClassVar[SendingLimits] = SendingLimits(
        characters=32_000,
        visibilities=("public",),
        needs=("api_key",),
        scopes=("posts: edit, or a key without limits",),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Bring what is new, look for what vanished, and read again what was liked."""
        walk = _Walk(http, settings, cursor, now)
        try:
            walk.learn_categories()
            walk.hear()
            walk.look_again()
        except TryLater as error:
            if not walk.payloads:
                raise
            walk.more = False
            return walk.page(wait=error.after)
        return walk.page(wait=60.0)

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Posts of a list, of a topic or of a delivery; and the one post whose address answered 404."""
        meta = payload.meta
        reader = _Reader(payload, settings)
        if "gone" in meta:
            return gather([], reader.read, gone=reader.vanished(record(meta["gone"])))
        reply = read_object(payload.body)
        event = text(meta.get("event")) or ""
        if event == "topic_destroyed":
            return gather([reply.get("topic")], reader.ended)
        posts = _posts_of(reply)
        if posts is None:
            raise Malformed("no posts of a Discourse forum")
        return gather(posts, reader.destroyed if event == "post_destroyed" else reader.read)

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Read the forum's card and what the source would read."""
        try:
            walk = _Walk(http, settings, None, now)
            walk.learn_categories()
            paths = walk.paths()
            found = {path: walk.get(path, params).json() for path, params in paths}
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        if not paths and walk.what != "webhook":
            return Checked(ok=False, message="Name a category, a tag or a search: there is nothing to hear yet.")
        empty = [
            path for path, reply in found.items() if not _posts_of(record(reply)) and not _topics_of(record(reply))
        ]
        message = f"{walk.host} answers, with {len(walk.categories)} categories."
        return Checked(ok=True, message=message + (f" Nothing stands in {', '.join(empty)}." if empty else ""))

    def send(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
        """Write a post below the one that it answers; a mark that the forum does not show holds the key."""
        return _sent(http, settings, outgoing, now=now)

    def find_sent(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
        """Look for the mark among the last posts of the topic."""
        return _found(http, settings, outgoing, now=now)

    def receive(self, request: Request, settings: Mapping[str, Any], cursor: Cursor | None) -> Answer:
        """Verify the signature over the bytes as they came; a like is noted for the next fetch."""
        secret = text(settings.get("webhook_secret"))
        if secret is None:
            return Answer(status=403, body="no webhook secret is set for this source")
        expected = "sha256=" + hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
        signature = request.headers.get("x-discourse-event-signature", "").encode("utf-8", "replace")
        if not hmac.compare_digest(expected.encode(), signature):
            return Answer(status=403, body="the signature does not fit")
        kind = request.headers.get("x-discourse-event-type", "")
        event = request.headers.get("x-discourse-event", "")[:60]
        if kind == "ping":
            return Answer(status=200, body="pong")
        if kind not in _EVENTS or (kind == "topic" and event != "topic_destroyed"):
            return Answer(status=202, body="not heard here")
        try:
            body = read_object(request.body)
        except Malformed:
            return Answer(status=400, body="the delivery is no JSON")
        if kind == "like":
            return Answer(status=202, cursor=_with_liked(cursor, record(record(body.get("like")).get("post"))))
        meta = {"event": event, "categories": (cursor or {}).get("categories") or {}}
        return Answer(status=202, payloads=(Payload(body=request.body, fetched_at=request.received_at, meta=meta),))


class _Walk:
    """One fetch: what was brought, and the cursor as far as it is covered."""

    def __init__(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, now: datetime) -> None:
        self.http, self.settings, self.now = http, settings, now
        self.base = base_of(settings)
        self.host = site(self.base) or ""
        self.what = settings.get("what") or "posts"
        known = dict(cursor or {})
        self.state = known if known.get("of", self.base) == self.base else {}  # another forum has numbers of its own
        self.state = {**self.state, "of": self.base}
        self.payloads: list[Payload] = []
        self.more = False
        self.categories: dict[str, Any] = dict(record(self.state.get("categories")))

    def learn_categories(self) -> None:
        """Names of categories, once a day; posts tell their numbers only."""
        learned = integer(self.state.get("learned")) or 0
        if self.categories and self.now.timestamp() - learned < WORDS_A_DAY:
            return
        response = self.get("/site.json", {})
        found = [record(one) for one in listed(record(response.json()).get("categories"))]
        self.categories = {
            str(integer(one.get("id"))): [text(one.get("name")), one.get("read_restricted") is True] for one in found
        }
        self.state |= {"categories": self.categories, "learned": int(self.now.timestamp())}

    def hear(self) -> None:
        """What the settings ask for."""
        if self.what == "posts":
            self._posts()
        elif self.what == "topics":
            for path, params in self.paths():
                self._topics(path, params)
        elif self.what == "search":
            for path, params in self.paths():
                self._search(path, params)

    def paths(self) -> list[tuple[str, dict[str, Any]]]:
        """Addresses that list what we hear."""
        if self.what == "posts":
            return [("/posts.json", {})]
        if self.what == "search":
            query = text(self.settings.get("query"))
            return [("/search.json", {"q": f"{query} order:latest"})] if query else []
        if self.what != "topics":
            return []
        categories = [f"/c/{quote(one)}.json" for one in _lines(self.settings.get("categories"))]
        tags = [f"/tag/{quote(one, safe='')}.json" for one in _lines(self.settings.get("tags"))]
        return [(path, {"order": "activity"}) for path in [*categories, *tags] or ["/latest.json"]]

    def _posts(self) -> None:
        """Newest first, down to the newest known; the first page again each time, which shows edits and counts."""
        newest, before = integer(self.state.get("newest")), integer(self.state.get("before"))
        top = integer(self.state.get("top")) or newest or 0
        for _ in range(PAGES_A_FETCH):
            response = self.get("/posts.json", {"before": before} if before else {})
            posts = [record(post) for post in listed(record(response.json()).get("latest_posts"))]
            numbers = [number for number in (integer(post.get("id")) for post in posts) if number is not None]
            seen = _seen(posts) if before is None else None
            if posts and (seen is None or seen != self.state.get("seen")):
                self._keep(response)
            if before is None:
                self._notice(posts, numbers)
                top = max([top, *numbers])
                self.state = {**self.state, "seen": seen}
            lowest = min(numbers, default=before or 0)
            if newest is None or lowest <= newest or (before is None and not numbers):
                self.state = {**self.state, "newest": top, "before": None, "top": None}
                return
            before = lowest if before is None or lowest < before else before - OLD_WINDOW
            if before <= newest:
                self.state = {**self.state, "newest": top, "before": None, "top": None}
                return
            self.state = {**self.state, "before": before, "top": top}
        self.more = True

    def _notice(self, posts: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> None:
        """Posts that stood among the newest and do so no longer are looked up one by one."""
        watched = record(self.state.get("watched"))
        present = set(map(str, numbers))
        floor = min(numbers, default=0)
        lost = [key for key in watched if key not in present and (integer(key) or 0) >= floor]
        seen = {
            str(integer(post.get("id"))): [post.get("topic_id"), post.get("post_number"), post.get("created_at")]
            for post in posts
        }
        kept = dict(list({**seen, **{key: watched[key] for key in lost[LOOKS_A_FETCH:]}}.items())[:WATCHED])
        self.state = {**self.state, "watched": kept}
        for key in lost[:LOOKS_A_FETCH]:
            self._look(key, watched[key])

    def _look(self, key: str, known_as: Any) -> None:
        response = self._ask(f"/posts/{key}.json", {})
        if response.status in (403, 404, 410):
            self.payloads.append(response.payload(fetched_at=self.now, gone=_place(known_as)))
        else:
            response.raise_for_status()
            self._keep(response)

    def _topics(self, path: str, params: Mapping[str, Any]) -> None:
        """Topics with activity since the last time, oldest first, so that a stop loses none."""
        states = dict(record(self.state.get("topics")))
        mine = dict(record(states.get(path)))
        since = text(mine.get("since"))
        topics = self._moved(path, params, since)
        fresh = sorted((topic for topic in topics if _activity(topic) > (since or "")), key=_activity)
        fresh = fresh if since is not None else fresh[-TOPICS_A_FETCH:]
        taken = 0
        for at, together in groupby(fresh, key=_activity):  # the place stands behind all of one moment, or before them
            if taken >= TOPICS_A_FETCH:
                self.more = True
                return
            for topic in together:
                self._topic(topic)
                taken += 1
            states[path] = {"since": at}
            self.state = {**self.state, "topics": states}

    def _moved(self, path: str, params: Mapping[str, Any], since: str | None) -> list[Mapping[str, Any]]:
        """Pages of a list of topics down to what is known; pinned topics stand before newer ones."""
        found: list[Mapping[str, Any]] = []
        for page in range(PAGES_A_FETCH):
            topics = _topics_of(record(self.get(path, {**params, "page": page}).json()))
            found += map(record, topics)
            if since is None or not topics or _activity(found[-1]) <= since:
                break
        return list({integer(topic.get("id")): topic for topic in found}.values())

    def _topic(self, topic: Mapping[str, Any]) -> None:
        number = integer(topic.get("id"))
        if number is None:
            return
        response = self._ask(f"/t/{number}.json", {})
        if response.status in (403, 404, 410):
            return
        about = _about(record(response.raise_for_status().json()))
        self._keep(response, **about)
        stream = record(record(response.json()).get("post_stream"))
        there = {integer(record(post).get("id")) for post in listed(stream.get("posts"))}
        rest = [one for one in map(integer, listed(stream.get("stream"))) if one is not None and one not in there]
        newest = rest[-REPLIES_A_TOPIC:]
        for start in range(0, len(newest), POSTS_A_FETCH):
            params = {"post_ids[]": newest[start : start + POSTS_A_FETCH]}
            self._keep(self.get(f"/t/{number}/posts.json", params), **about)

    def _search(self, path: str, params: Mapping[str, Any]) -> None:
        """A search shows the beginning of a post only, so each new one is asked for whole."""
        reply = record(self.get(path, params).json())
        since = text(self.state.get("searched"))
        about = {integer(record(topic).get("id")): _about(record(topic)) for topic in listed(reply.get("topics"))}
        found = [record(post) for post in listed(reply.get("posts"))]
        fresh = sorted((post for post in found if (text(post.get("created_at")) or "") > (since or "")), key=_created)
        taken = 0
        for at, together in groupby(fresh, key=_created):
            if taken >= POSTS_A_FETCH:
                self.more = True
                return
            for post in together:
                self._whole(post, about.get(integer(post.get("topic_id")), {}))
                taken += 1
            self.state = {**self.state, "searched": at}

    def _whole(self, post: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        response = self._ask(f"/posts/{integer(post.get('id'))}.json", {})
        if response.status < 400:
            self._keep(response, **about)
        elif response.status not in (403, 404, 410):
            response.raise_for_status()

    def look_again(self) -> None:
        """Posts of which a webhook told that they were liked."""
        liked = [one for one in map(integer, listed(self.state.get("liked"))) if one is not None]
        for number in liked[:POSTS_A_FETCH]:
            response = self._ask(f"/posts/{number}.json", {})
            if response.status < 400:
                self._keep(response)
            self.state = {**self.state, "liked": liked[liked.index(number) + 1 :]}

    def _keep(self, response: Response, **about: Any) -> None:
        self.payloads.append(response.payload(fetched_at=self.now, categories=self.categories, **about))

    def get(self, path: str, params: Mapping[str, Any]) -> Response:
        """One reply below 400."""
        response = self._ask(path, params)
        if response.status in (401, 403):
            raise AskForCredentials(f"{self.host} shows {path} to members only: it needs an API key")
        if response.status == 404:
            raise GiveUp(f"{self.host} has no {path}: the address is wrong, or the forum hides it")
        return response.raise_for_status()

    def _ask(self, path: str, params: Mapping[str, Any]) -> Response:
        key, account = text(self.settings.get("api_key")), text(self.settings.get("api_username"))
        headers = {"Api-Key": key, "Api-Username": account or "system"} if key else {}
        response = self.http.get(self.base + path, params=params, headers=headers, accept="application/json")
        if response.status == 429:
            extras = record(record(response.json() if response.body.startswith(b"{") else {}).get("extras"))
            raise TryLater(
                f"{self.host} asks for a pause", after=float(integer(extras.get("wait_seconds")) or response.wait or 60)
            )
        return response

    def page(self, *, wait: float) -> Page:
        """What was brought so far."""
        cursor = {key: value for key, value in self.state.items() if value is not None}
        return Page(payloads=tuple(self.payloads), cursor=cursor, more=self.more, wait=None if self.more else wait)


class _Reader:
    """Reads the posts of one payload."""

    def __init__(self, payload: Payload, settings: Mapping[str, Any]) -> None:
        self.base = base_of(settings)
        self.host = site(self.base) or "discourse"
        self.taken_at = payload.fetched_at
        self.meta = payload.meta
        self.categories = record(payload.meta.get("categories"))

    def read(self, post: Mapping[str, Any]) -> Iterator[Piece]:
        """A post, or its tombstone; private messages, whispers and the notes of the machine are passed over."""
        if not _is_public_talk(post):
            return
        uid, at = self._uid(post), moment(post.get("created_at"))
        if post.get("deleted_at") or post.get("user_deleted") is True or post.get("hidden") is True:
            yield Gone(uid=uid, published_at=at, deleted_at=self.taken_at)
            return
        number = known(integer(post.get("post_number")), "post_number")
        answered = integer(post.get("reply_to_post_number"))
        topic = known(integer(post.get("topic_id")), "topic_id")
        cooked = without_quotes(text(post.get("cooked")) or "")
        url = f"{self.base}/t/{quote(text(post.get('topic_slug')) or '-', safe='')}/{topic}/{number}"
        category = listed(self.categories.get(str(integer(post.get("category_id")) or self.meta.get("category_id"))))
        yield {
            "uid": uid,
            "url": url,
            "site": site(url),
            "kind": "article" if number == 1 else "note",
            "author": self._author(post),
            "title": (text(post.get("topic_title")) or text(self.meta.get("title"))) if number == 1 else None,
            "text": plain(cooked),
            "html": clean(cooked, base=self.base) or None,
            "published_at": known(at, "created_at"),
            "edited_at": moment(post.get("updated_at")) if (integer(post.get("version")) or 1) > 1 else None,
            "in_reply_to": self._uid_of(topic, answered or 1) if number > 1 else None,
            "root": self._uid_of(topic, 1) if number > 1 else None,
            "engagement_type": None if number == 1 else "REPLY" if (answered or 1) > 1 else "COMMENT",
            "links": links(cooked, self.base),
            "mentions": list(dict.fromkeys(_MENTION.findall(cooked))),
            "tags": _names(post.get("tags") or self.meta.get("tags")),
            "community": text(category[0] if category else None) or text(post.get("category_slug")),
            "visibility": "members" if len(category) > 1 and category[1] is True else "public",
            "engagement": self._counts(post),
        }

    def destroyed(self, post: Mapping[str, Any]) -> Iterator[Piece]:
        """A post that the forum says is gone."""
        if _is_public_talk(post):
            yield Gone(uid=self._uid(post), published_at=moment(post.get("created_at")), deleted_at=self.taken_at)

    def ended(self, topic: Mapping[str, Any]) -> Iterator[Piece]:
        """The first post of a topic that is gone; its replies are told one by one, or not at all."""
        number = known(integer(topic.get("id")), "id")
        yield Gone(uid=self._uid_of(number, 1), published_at=moment(topic.get("created_at")), deleted_at=self.taken_at)

    def vanished(self, place: Mapping[str, Any]) -> list[Gone]:
        """A post whose address answers no more."""
        topic, number = integer(place.get("topic")), integer(place.get("number"))
        if topic is None or number is None:
            return []
        return [Gone(uid=self._uid_of(topic, number), published_at=moment(place.get("at")), deleted_at=self.taken_at)]

    def _counts(self, post: Mapping[str, Any]) -> dict[str, Any] | None:
        """Counts, where likes are told; a delivery leaves them out, and half a count would hide the whole one."""
        if not isinstance(post.get("actions_summary"), list):
            return None
        actions = (record(action) for action in listed(post.get("actions_summary")))
        likes = next((integer(action.get("count")) for action in actions if integer(action.get("id")) == LIKE), 0)
        replies, views = integer(post.get("reply_count")), integer(post.get("reads"))
        return counted(self.taken_at, replies=replies, likes=likes or 0, views=views)

    def _author(self, post: Mapping[str, Any]) -> dict[str, Any] | None:
        handle, number = text(post.get("username")), integer(post.get("user_id"))
        if handle is None:
            return None
        picture = (text(post.get("avatar_template")) or "").replace("{size}", "96")
        return {
            "id": str(number) if number is not None else None,
            "handle": handle,
            "name": text(post.get("name")) or text(post.get("display_username")),
            "url": f"{self.base}/u/{quote(handle, safe='')}",
            "avatar": absolute(picture, self.base) if picture else None,
            "automated": number is not None and number < 0,
        }

    def _uid(self, post: Mapping[str, Any]) -> str:
        topic = known(integer(post.get("topic_id")), "topic_id")
        return self._uid_of(topic, known(integer(post.get("post_number")), "post_number"))

    def _uid_of(self, topic: int, number: int) -> str:
        return post_uid("discourse", self.host, f"{topic}/{number}")


def base_of(settings: Mapping[str, Any]) -> str:
    """The forum's address without a slash at the end; it may lie in a folder."""
    return re.sub(r"[?#].*$", "", text(settings.get("url")) or "", flags=re.DOTALL).rstrip("/")


def without_quotes(cooked: str) -> str:
    """Cooked HTML without quoted posts and previews of pages: they are the words of others."""
    kept: list[str] = []
    depth, start = 0, 0
    for found in _ASIDE.finditer(cooked):
        opens = found[1] is not None
        if depth == 0 and opens and (_QUOTE.search(found[1][:2_000]) or "onebox" in found[1][:2_000]):
            kept.append(cooked[start : found.start()])
            depth = 1
        elif depth:
            depth += 1 if opens else -1
            start = found.end()
    return _META.sub("", "".join([*kept, cooked[start:] if depth == 0 else ""]))


def _is_public_talk(post: Mapping[str, Any]) -> bool:
    spoken = integer(post.get("post_type")) in (REGULAR, MODERATOR, None)
    return spoken and post.get("topic_archetype") != "private_message"


def _seen(posts: Iterable[Mapping[str, Any]]) -> str:
    """A short word for what a page of posts says, so that an unchanged one is not kept again."""
    told = [(post.get("id"), post.get("version"), post.get("hidden"), post.get("actions_summary")) for post in posts]
    return hashlib.blake2b(repr(told).encode("utf-8", "replace"), digest_size=8).hexdigest()


def _posts_of(reply: Mapping[str, Any]) -> list[Any] | None:
    """Posts in the several shapes in which the forum tells them; None where there is none of these shapes."""
    for found in (reply.get("latest_posts"), record(reply.get("post_stream")).get("posts")):
        if isinstance(found, list):
            return found
    if isinstance(reply.get("post"), dict):
        return [reply["post"]]
    return [reply] if "cooked" in reply and "post_number" in reply else None


def _topics_of(reply: Mapping[str, Any]) -> list[Any]:
    return listed(record(reply.get("topic_list")).get("topics")) or listed(reply.get("topics"))


def _about(topic: Mapping[str, Any]) -> dict[str, Any]:
    """What a post does not tell of its topic."""
    return {
        "title": text(topic.get("title")),
        "category_id": integer(topic.get("category_id")),
        "tags": _names(topic.get("tags")),
    }


def _names(given: Any) -> list[str]:
    """Tags, which are names in older versions and objects with a name in newer ones."""
    names = (text(one) or text(record(one).get("name")) for one in listed(given))
    return [name for name in names if name]


def _activity(topic: Mapping[str, Any]) -> str:
    return _iso(topic.get("bumped_at")) or _iso(topic.get("last_posted_at")) or _iso(topic.get("created_at"))


def _created(post: Mapping[str, Any]) -> str:
    return text(post.get("created_at")) or ""


def _iso(value: Any) -> str:
    at = moment(value)
    return at.isoformat() if at else ""


def _place(known_as: Any) -> dict[str, Any]:
    parts = [*listed(known_as), None, None, None]
    return {"topic": parts[0], "number": parts[1], "at": parts[2]}


def _with_liked(cursor: Cursor | None, post: Mapping[str, Any]) -> Cursor | None:
    number = integer(post.get("id"))
    if number is None or not _is_public_talk(post):
        return cursor
    liked = [one for one in listed((cursor or {}).get("liked")) if one != number]
    return {**(cursor or {}), "liked": [*liked, number][-WATCHED:]}


def _lines(given: Any) -> Iterable[str]:
    lines = given.splitlines() if isinstance(given, str) else given or ()
    return dict.fromkeys(line.strip().strip("/") for line in lines if line.strip().strip("/"))


# sending


def _sent(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
    base, (topic, number) = base_of(settings), _answered_place(outgoing)
    body = {
        "topic_id": topic,
        "raw": f"{outgoing.text}\n\n{marker(outgoing.key)}",
        "reply_to_post_number": number if number > 1 else None,
    }
    response = post_once(
        http,
        f"{base}/posts.json",
        json={name: value for name, value in body.items() if value is not None},
        headers=_key_of(settings),
        accept="application/json",
    )
    said = reason(response, "errors", "error")
    if response.status == 429:
        extras = record(record(accepted(response) if response.body.startswith(b"{") else {}).get("extras"))
        wait = integer(extras.get("wait_seconds")) or response.wait or 60
        raise TryLater("the forum asks for a pause", after=float(wait))
    if response.status in (401, 403):
        raise AskForCredentials(f"The key may not write here: {said or response.status}")
    if response.status in (404, 410):
        raise GiveUp("What it answers was deleted.")
    if response.status == 422 and (there := _found(http, settings, outgoing, now=now)) is not None:
        return there  # the forum takes the same words once
    if response.status >= 400:
        raise GiveUp(f"The forum does not take it: {said or response.status}")
    return _as_sent(settings, accepted(response), topic)


def _found(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
    base, (topic, _number) = base_of(settings), _answered_place(outgoing)
    response = http.get(
        f"{base}/t/{topic}/last.json",
        params={"include_raw": "true"},
        headers=_key_of(settings),
        accept="application/json",
    )
    if response.status in (404, 410):
        raise GiveUp("What it answers was deleted.")
    posts = _posts_of(record(response.raise_for_status().json())) or []
    there = first_of(post for post in map(record, posts) if marker(outgoing.key) in str(post.get("raw") or ""))
    return _as_sent(settings, there, topic) if there else None


def _answered_place(outgoing: Outgoing) -> tuple[int, int]:
    """Topic and number of the post that is answered."""
    topic, _, number = str(answered(outgoing, "discourse").get("native_id") or "").partition("/")
    if not (topic.isascii() and topic.isdigit() and number.isascii() and number.isdigit()):
        raise GiveUp("What it answers has no place in the forum.")
    return int(topic), int(number)


def _as_sent(settings: Mapping[str, Any], reply: Mapping[str, Any], topic: int) -> Sent:
    host = site(base_of(settings)) or ""
    if reply.get("action") == "enqueued":  # the forum's moderators look first; it is theirs now
        waiting = integer(record(reply.get("pending_post")).get("id")) or 0
        return Sent(uid=post_uid("discourse", host, f"pending/{waiting}"))
    post = record(reply.get("post")) or reply
    number = integer(post.get("post_number"))
    if number is None:
        raise Unsure("the forum gave the post no number")
    place = integer(post.get("topic_id")) or topic
    url = f"{base_of(settings)}/t/{quote(text(post.get('topic_slug')) or '-', safe='')}/{place}/{number}"
    return Sent(uid=post_uid("discourse", host, f"{place}/{number}"), url=url, at=moment(post.get("created_at")))


def _key_of(settings: Mapping[str, Any]) -> dict[str, str]:
    key = text(settings.get("api_key"))
    if key is None:
        raise AskForCredentials("Answering needs an API key that may write posts.")
    return {"Api-Key": key, "Api-Username": text(settings.get("api_username")) or "system"}


connector = Discourse()
