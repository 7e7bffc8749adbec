"""Reddit: new posts and comments of subreddits, a search, and mentions of your account, through OAuth."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from talkworthy.connectors.contract import (
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
from talkworthy.connectors.markdown import rendered
from talkworthy.connectors.markup import absolute, links, plain, site
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.posting import accepted, answered, first_of, post_once, same_words, since
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

TOKENS = "https://www.reddit.com/api/v1/access_token"
API = "https://oauth.reddit.com"
HOST = "www.reddit.com"
ORIGIN = "reddit.com"
LIMIT = 100
LISTED = 1_000
"""No listing goes further back than this, whatever is asked."""
NEARLY_LISTED = 900
"""A listing that ends earlier than this was read whole; Reddit leaves some of the thousand out."""
PAGES_A_FETCH = 4
WATCHED = 1_000
RECHECK = 600
"""Seconds between two looks at a hundred of the watched."""
OVERLAP = 120
"""Seconds before the newest post that are read again, as listings are not strictly in order."""

_NAMES = re.compile(r"(?<![\w/])/?u/([A-Za-z0-9_-]{3,20})(?![\w-])")
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,24}|u_[A-Za-z0-9_-]{3,22}")
_FULLNAME = re.compile(r"t[13]_[a-z0-9]{1,15}")
_WITHHELD = frozenset({"[deleted]", "[removed]", "[removed by reddit]", "[deleted by user]"})
_BELOW = re.compile(r"/comments/([a-z0-9]{1,15})/")
_CLOSED = frozenset({"private", "gold_only", "employees_only"})
_IMAGE = re.compile(r"\.(?:jpe?g|png|gif|webp)$", re.IGNORECASE)


class Reddit:
    """Resumes from a time and walks newest first with `after`.

    `before` is not used: a listing asked for what is newer than a deleted post stays empty for ever. Deletions,
    edits and votes are learned by asking for the newest collected posts again, a hundred at a time in turn.
    """

    name: ClassVar[str] = "reddit"
    title: ClassVar[str] = "Reddit"
    about: ClassVar[str] = "Posts and comments of subreddits, what a search finds, and mentions of your account."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="client_id",
            label="Client id",
            required=True,
            help="Under the name of the app at reddit.com/prefs/apps.",
        ),
        Setting(
            name="client_secret",
            label="Client secret",
            kind=Kind.SECRET,
            required=True,
            help="The app's “secret”; not the password of the account.",
        ),
        Setting(
            name="account",
            label="Your Reddit account",
            required=True,
            help="Named in the user agent, as Reddit asks; without u/.",
            example="acme_support",
        ),
        Setting(
            name="subreddits",
            label="Subreddits",
            kind=Kind.LINES,
            help="One a line, without r/. Leave it empty to search all of Reddit.",
            example="selfhosted\nsysadmin",
        ),
        Setting(
            name="what",
            label="What to hear",
            kind=Kind.CHOICE,
            default="both",
            choices=(("both", "Posts and comments"), ("posts", "Posts only"), ("comments", "Comments only")),
            help="A search finds posts only.",
        ),
        Setting(
            name="query",
            label="Search",
            help="Hear only posts that Reddit's search finds, in the subreddits above or everywhere.",
            example='"acme router"',
        ),
        Setting(
            name="mentions",
            label="Hear mentions of the account",
            kind=Kind.FLAG,
            default=False,
            help="Comments that name u/account; needs a refresh token with the scopes read and privatemessages.",
        ),
        Setting(
            name="refresh_token",
            label="Refresh token",
            kind=Kind.SECRET,
            help="Of the account, for mentions and answers (scopes submit and history); the rest works without one.",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        send=True,
        listen=True,
        edits=True,
        deletions=True,
        counts=True,
        history=False,
        met_live=False,
        limits=(
            "Private messages are not sent; files are not attached.",
            "It has not met the live service.",
            f"Reddit lists the newest {LISTED:,} posts of a place only; what is older is lost to a new source.",
            f"Edits, deletions and votes are followed for the newest {WATCHED:,} collected posts and comments.",
            "The search finds posts, not comments.",
            "Deleted and removed posts are forgotten here too, as Reddit's terms demand.",
            "Commercial use needs an agreement with Reddit.",
        ),
    )

    sending: ClassVar[SendingLimits] = SendingLimits(
        characters=10_000,
        visibilities=("public",),
        needs=("refresh_token",),
        scopes=("submit", "history", "read"),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Walk each listing down to what is known, then ask again for some of the newest."""
        walk = _Walk(http, settings, cursor, now)
        try:
            for listing in walk.listings:
                walk.read(listing)
            walk.look_again()
        except TryLater as error:
            if not walk.payloads:
                raise
            walk.more = False
            return walk.page(wait=error.after)
        return walk.page(wait=60.0)

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """A listing of posts (t3) and comments (t1); other things in it are passed over."""
        reply = read_object(payload.body)
        children = record(reply.get("data")).get("children")
        if reply.get("kind") != "Listing" or not isinstance(children, list):
            raise Malformed("no listing of Reddit's")
        return gather(children, lambda child: _read(child, payload.fetched_at))

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Sign in and read one post of each listing."""
        try:
            walk = _Walk(http, settings, None, now)
            if not walk.listings:
                return Checked(
                    ok=False, message="Name a subreddit, a search, or mentions: there is nothing to hear yet."
                )
            found = {path: _children(walk.get(path, _params(path, settings) | {"limit": 1})) for path in walk.listings}
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        silent = [path for path, children in found.items() if not children]
        message = "Reddit answers." + (f" Nothing stands in {', '.join(silent)}." if silent else "")
        return Checked(ok=True, message=message)

    def send(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
        """Comment below the post or comment that it answers, as the account of the refresh token."""
        return _sent(http, settings, outgoing, now=now)

    def find_sent(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
        """Look among the newest comments of the account."""
        return _found(http, settings, outgoing, now=now)


class _Walk:
    """One fetch: a token that lives as long as it, what was brought, and the cursor as far as it is covered."""

    def __init__(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, now: datetime) -> None:
        before = dict(cursor or {})
        self.http, self.settings, self.now = http, settings, now
        self.agent = f"linux:talkworthy:0.1 (by /u/{_ascii(settings.get('account')) or 'unknown'})"
        self.listings = listings_of(settings)
        self.payloads: list[Payload] = []
        self.more, self.note = False, ""
        self.wait = 0.0
        self.states = {path: dict(record(record(before.get("listings")).get(path))) for path in self.listings}
        self.watched: list[str] = [name for name in listed(before.get("watched")) if _is_fullname(name)]
        self.turn = integer(before.get("turn")) or 0
        self.looked = integer(before.get("looked")) or int(now.timestamp())
        self._token: str | None = None

    def read(self, path: str) -> None:
        """Some pages of a listing, newest first, until one holds what was known before."""
        for _ in range(PAGES_A_FETCH):
            state = self.states[path] = self._read_page(path, self.states[path])
            if not state.get("after"):
                return
        self.more = True

    def _read_page(self, path: str, state: Mapping[str, Any]) -> dict[str, Any]:
        since, after, read = integer(state.get("since")), state.get("after"), integer(state.get("read")) or 0
        params = _params(path, self.settings) | {"limit": LIMIT, "after": after if _is_fullname(after) else None}
        response = self.get(path, params)
        children = _children(response)
        if self._watch(children):
            self.payloads.append(response.payload(fetched_at=self.now, listing=path))
        times = [at for at in (integer(record(child.get("data")).get("created_utc")) for child in children) if at]
        top = min(max([*times, integer(state.get("top")) or 0, since or 0]), int(self.now.timestamp()))
        onward = record(record(response.json()).get("data")).get("after")
        done = {"since": top or int(self.now.timestamp())}
        if since is None or not times or min(times) < since - OVERLAP:
            return done
        read += len(children)
        if not onward and read < NEARLY_LISTED:
            return done
        if not onward or read >= LISTED:
            self.note = f"More was written in {path} than Reddit lists; some of it was missed."
            return done
        return {"since": since, "top": top, "after": onward, "read": read}

    def look_again(self) -> None:
        """Ask for a hundred of the watched posts: their words, votes, or that they are gone."""
        if not self.watched or self.more or self.now.timestamp() - self.looked < RECHECK:
            return
        start = self.turn if self.turn < len(self.watched) else 0
        names = self.watched[start : start + LIMIT]
        response = self.get("/api/info", {"id": ",".join(names), "raw_json": 1})
        if _children(response):
            self.payloads.append(response.payload(fetched_at=self.now, listing="/api/info"))
        self.looked = int(self.now.timestamp())
        self.turn = start + len(names) if start + len(names) < len(self.watched) else 0

    def get(self, path: str, params: Mapping[str, Any]) -> Response:
        """Ask with the token; TryLater as Reddit's own counters say."""
        if self.wait:
            raise TryLater("Reddit's requests are spent for now", after=self.wait)
        response = self.http.get(f"{API}{path}", params=params, auth=self.token(), headers={"User-Agent": self.agent})
        left, reset = _number(response, "x-ratelimit-remaining"), _number(response, "x-ratelimit-reset")
        if left is not None and left < 2:
            self.wait = max(self.wait, reset or 60.0)
        if response.status == 429:
            raise TryLater("Reddit asks for a pause", after=response.wait or reset or 60.0)
        if response.status == 403:
            raise AskForCredentials(f"Reddit does not let this app read {path}: it is private, or a scope is missing")
        if response.status == 404:
            raise GiveUp(f"Reddit knows no {path}: it is misspelt, banned or gone")
        return response.raise_for_status()

    def token(self) -> str:
        """An access token, asked for once in a fetch: it is a secret, so the cursor cannot hold it."""
        if self._token is None:
            self._token = self._new_token()
        return self._token

    def _new_token(self) -> str:
        refresh = text(self.settings.get("refresh_token"))
        grant = (
            {"grant_type": "refresh_token", "refresh_token": refresh}
            if refresh
            else {"grant_type": "client_credentials"}
        )
        pair = (str(self.settings.get("client_id") or ""), str(self.settings.get("client_secret") or ""))
        response = self.http.post(TOKENS, data=grant, auth=pair, headers={"User-Agent": self.agent})
        if response.status in (400, 401, 403):
            raise AskForCredentials("Reddit does not accept the client id and secret, or the refresh token")
        reply = record(response.raise_for_status().json())
        found = text(reply.get("access_token"))
        if found is None:
            raise AskForCredentials(f"Reddit gives no token: {str(reply.get('error') or 'no reason given')[:100]}")
        return found

    def _watch(self, children: Sequence[Mapping[str, Any]]) -> bool:
        """Note what came for a later look; whether anything of it is new."""
        names = [name for child in children if _is_fullname(name := record(child.get("data")).get("name"))]
        known_names = set(self.watched)
        fresh = [name for name in reversed(names) if name not in known_names]
        self.watched = [*self.watched, *fresh][-WATCHED:]
        return bool(fresh)

    def page(self, *, wait: float) -> Page:
        """What was brought so far."""
        cursor = {"listings": self.states, "watched": self.watched, "turn": self.turn, "looked": self.looked}
        more = self.more and not self.wait
        pause = None if more else max(wait, self.wait)
        return Page(payloads=tuple(self.payloads), cursor=cursor, more=more, wait=pause, note=self.note)


def listings_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths to read, from the settings."""
    names = "+".join(_subreddits(settings.get("subreddits")))
    what, query = settings.get("what") or "both", text(settings.get("query"))
    found = []
    if query:
        found.append(f"/r/{names}/search" if names else "/search")
    elif names and what != "comments":
        found.append(f"/r/{names}/new")
    if names and not query and what != "posts":
        found.append(f"/r/{names}/comments")
    if settings.get("mentions"):
        found.append("/message/mentions")
    return tuple(found)


def _params(path: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    if not path.endswith("/search"):
        return {"raw_json": 1}
    restrict = {"restrict_sr": 1} if path != "/search" else {}
    return {"q": settings.get("query"), "sort": "new", "t": "all", "type": "link", "raw_json": 1, **restrict}


def _read(child: Mapping[str, Any], taken_at: datetime) -> Iterator[Piece]:
    data = record(child.get("data"))
    if child.get("kind") == "t3":
        yield from _link(data, taken_at)
    elif child.get("kind") == "t1" and data.get("author") is not None:
        yield from _comment(data, taken_at)


def _link(data: Mapping[str, Any], taken_at: datetime) -> Iterator[Piece]:
    uid = _uid("t3", data)
    at = known(moment(data.get("created_utc")), "created_utc")
    words = text(data.get("selftext")) or ""
    nameless = data.get("author") in (None, "[deleted]")
    if words.strip().lower() in _WITHHELD or data.get("removed_by_category") or (nameless and not words):
        yield Gone(uid=uid, published_at=at, deleted_at=taken_at)
        return
    origin = text(data.get("crosspost_parent"))
    outward = (
        None
        if data.get("is_self") is True
        else absolute(text(data.get("url_overridden_by_dest")) or text(data.get("url")))
    )
    copied = _uid_of(origin) if origin and _is_fullname(origin) else None
    said = {} if words else {"text": ""}
    yield (
        _post(uid, at, data, words)
        | said
        | {
            "kind": "article" if data.get("is_self") is True else _kind(data, outward),
            "title": text(data.get("title")),
            "summary": _warning(data),
            "engagement_type": "REPOST" if copied else None,
            "repeats": copied,
            "links": list(dict.fromkeys([*([outward] if outward else []), *links(_html(words))])),
            "tags": [flair] if (flair := text(data.get("link_flair_text"))) else [],
            "media": _media(outward),
            "engagement": counted(
                taken_at,
                replies=integer(data.get("num_comments")),
                likes=integer(data.get("score")),
                shares=integer(data.get("num_crossposts")),
            ),
        }
    )


def _comment(data: Mapping[str, Any], taken_at: datetime) -> Iterator[Piece]:
    uid = _uid("t1", data)
    at = known(moment(data.get("created_utc")), "created_utc")
    words = text(data.get("body")) or ""
    if words.strip().lower() in _WITHHELD:
        yield Gone(uid=uid, published_at=at, deleted_at=taken_at)
        return
    parent, link = text(data.get("parent_id")), text(data.get("link_id"))
    answers_post = bool(parent and parent.startswith("t3_"))
    below = _BELOW.search(text(data.get("context")) or "")
    root = link if link and _is_fullname(link) else parent if answers_post else f"t3_{below[1]}" if below else None
    yield _post(uid, at, data, words) | {
        "kind": "note",
        "in_reply_to": _uid_of(parent) if parent and _is_fullname(parent) else None,
        "root": _uid_of(root) if root else None,
        "engagement_type": "COMMENT" if answers_post else "REPLY",
        "engagement": None if data.get("score_hidden") is True else counted(taken_at, likes=integer(data.get("score"))),
    }


def _post(uid: str, at: datetime, data: Mapping[str, Any], words: str) -> dict[str, Any]:
    html = _html(words)
    path = text(data.get("permalink")) or text(data.get("context")) or _path_of(data)
    url = absolute(path.split("?")[0], f"https://{HOST}") if path else None
    return {
        "uid": uid,
        "url": url,
        "site": site(url),
        "author": _author(data),
        "text": plain(html),
        "html": html or None,
        "published_at": at,
        "edited_at": moment(data.get("edited")) if data.get("edited") is not True else None,
        "links": links(html),
        "mentions": list(dict.fromkeys(_NAMES.findall(words))),
        "community": text(data.get("subreddit")),
        "visibility": "members" if text(data.get("subreddit_type")) in _CLOSED else "public",
    }


def _path_of(data: Mapping[str, Any]) -> str | None:
    """Where a comment can be read; older replies do not say it."""
    link, number, place = text(data.get("link_id")), text(data.get("id")), text(data.get("subreddit"))
    if not (link and _is_fullname(link) and number and place):
        return None
    return f"/r/{quote(place, safe='')}/comments/{link.removeprefix('t3_')}/_/{quote(number, safe='')}"


def _author(data: Mapping[str, Any]) -> dict[str, Any] | None:
    name = text(data.get("author"))
    if name is None or name == "[deleted]":
        return None
    return {
        "id": text(data.get("author_fullname")),
        "handle": name,
        "name": None,
        "url": f"https://{HOST}/user/{quote(name, safe='')}",
    }


def _kind(data: Mapping[str, Any], outward: str | None) -> str:
    if data.get("is_video") is True:
        return "video"
    if data.get("is_gallery") is True or (outward and _IMAGE.search(outward.split("?")[0])):
        return "image"
    return "page"


def _media(outward: str | None) -> list[dict[str, Any]]:
    if outward and _IMAGE.search(outward.split("?")[0]):
        return [{"type": "image", "url": outward, "alt": None}]
    return []


def _warning(data: Mapping[str, Any]) -> str | None:
    """What Reddit writes over posts for adults and over spoilers."""
    words = [word for flag, word in (("over_18", "NSFW"), ("spoiler", "Spoiler")) if data.get(flag) is True]
    return ", ".join(words) or None


def _html(words: str) -> str:
    return rendered(words, base=f"https://{HOST}/")


def _uid(kind: str, data: Mapping[str, Any]) -> str:
    name = text(data.get("name")) or f"{kind}_{text(data.get('id'))}"
    return _uid_of(known(name if _is_fullname(name) and name.startswith(f"{kind}_") else None, "name"))


def _uid_of(fullname: str) -> str:
    return post_uid("reddit", ORIGIN, fullname)


def _is_fullname(value: Any) -> bool:
    return isinstance(value, str) and _FULLNAME.fullmatch(value) is not None


def _subreddits(given: Any) -> list[str]:
    lines = given.splitlines() if isinstance(given, str) else given or ()
    names = [line.strip().strip("/").removeprefix("r/") for line in lines if line.strip()]
    wrong = [name for name in names if not _SUBREDDIT.fullmatch(name)]
    if wrong:
        raise GiveUp(f"not a name of a subreddit: {', '.join(wrong)[:200]}")
    return list(dict.fromkeys(names))


def _children(response: Response) -> list[Mapping[str, Any]]:
    return [record(child) for child in listed(record(record(response.json()).get("data")).get("children"))]


def _number(response: Response, header: str) -> float | None:
    try:
        return max(float(response.headers.get(header, "")), 0.0)
    except ValueError:
        return None


def _ascii(value: Any) -> str:
    return re.sub(r"[^\w-]", "", str(value or "").removeprefix("u/"), flags=re.ASCII)[:30]


# sending


def _sent(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
    walk, thing = _writer(http, settings, now), _thing_answered(outgoing)
    response = post_once(
        http,
        f"{API}/api/comment",
        data={"thing_id": thing, "text": outgoing.text, "api_type": "json"},
        auth=walk.token(),
        headers={"User-Agent": walk.agent},
    )
    if response.status == 429:
        raise TryLater("Reddit asks for a pause", after=response.wait or _number(response, "x-ratelimit-reset") or 60.0)
    if response.status in (401, 403):
        raise AskForCredentials("Reddit does not let this account write here: a scope is missing, or it is banned")
    reply = record(accepted(response.raise_for_status()).get("json"))
    _judge(listed(reply.get("errors")), _number_in(reply))
    data = record(record(first_of(listed(record(reply.get("data")).get("things")))).get("data"))
    return _as_sent(data)


def _found(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
    walk, thing = _writer(http, settings, now), _thing_answered(outgoing)
    account = _ascii(settings.get("account"))
    comments = _children(walk.get(f"/user/{account}/comments", {"limit": LIMIT, "sort": "new", "raw_json": 1}))
    for data in (record(child.get("data")) for child in comments):
        at = moment(data.get("created_utc"))
        says = same_words(str(data.get("body") or ""), outgoing.text)
        if data.get("parent_id") == thing and at and at >= since(outgoing, now) and says:
            return _as_sent(data)
    return None


def _writer(http: Http, settings: Mapping[str, Any], now: datetime) -> _Walk:
    if text(settings.get("refresh_token")) is None:
        raise AskForCredentials("Answering needs a refresh token of the account with the scope “submit”.")
    return _Walk(http, settings, None, now)


def _thing_answered(outgoing: Outgoing) -> str:
    name = answered(outgoing, "reddit").get("native_id")
    if not _is_fullname(name):
        raise GiveUp("What it answers has no name on Reddit.")
    return str(name)


_GONE = frozenset({"DELETED_COMMENT", "DELETED_LINK", "THREAD_LOCKED", "TOO_OLD", "COMMENT_LOCKED", "NO_THING_ID"})


def _judge(errors: Sequence[Any], wait: float | None) -> None:
    """Raise what Reddit's errors mean: [code, sentence, field] each, and nothing was written."""
    for error in errors:
        code, said = (str(part or "") for part in [*listed(error), "", ""][:2])
        if code == "RATELIMIT":
            raise TryLater(said or "Reddit asks for a pause", after=wait or _seconds_in(said))
        if code in ("USER_REQUIRED", "SUBREDDIT_NOTALLOWED", "BANNED_FROM_SUBREDDIT"):
            raise AskForCredentials(f"Reddit does not let this account write here: {said}")
        raise GiveUp(
            said or "What it answers is locked or gone." if code in _GONE else f"Reddit does not take it: {said}"
        )


def _number_in(reply: Mapping[str, Any]) -> float | None:
    wait = reply.get("ratelimit")
    return float(wait) if isinstance(wait, int | float) and not isinstance(wait, bool) and wait > 0 else None


def _seconds_in(said: str) -> float:
    found = re.search(r"(\d+) (second|minute|milli)", said)
    units = {"second": 1.0, "minute": 60.0, "milli": 0.001}
    return max(5.0, float(found[1]) * units[found[2]]) + 5.0 if found else 600.0


def _as_sent(data: Mapping[str, Any]) -> Sent:
    name = data.get("name") or f"t1_{data.get('id')}"
    if not _is_fullname(name):
        raise Unsure("Reddit gave the comment no name")
    path = text(data.get("permalink"))
    url = absolute(path, f"https://{HOST}") if path else None
    return Sent(uid=_uid_of(str(name)), url=url, at=moment(data.get("created_utc")))


connector = Reddit()
