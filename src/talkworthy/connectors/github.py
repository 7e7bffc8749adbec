"""GitHub: issues, discussions and their comments, by asking and by webhook.

A uid holds the reference that people write, `owner/name#12`: issues, pull requests and discussions share the
numbers of their repository, and a comment tells the number of what it answers but not its id. Comments have the
names of their anchors, `issuecomment-492700400` and `discussioncomment-550062`.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

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
from talkworthy.connectors.markdown import rendered
from talkworthy.connectors.markup import absolute, links, plain, site
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.posting import accepted, answered, first_of, marker, post_once, reason, since
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
from talkworthy.schema import post_uid

API = "https://api.github.com"
VERSION = "2022-11-28"
DAYS = 30
PER_PAGE = 100
PAGES_A_FETCH = 3
EVENTS = frozenset({"issues", "issue_comment", "discussion", "discussion_comment"})

_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
_PLACE = re.compile(
    r"https?://([^/]{1,253})/([^/]{1,100}/[^/]{1,100})/(issues|pull|discussions)/(\d{1,18})(?:#(.{1,100}))?"
)
_NAMES = re.compile(r"(?<![\w@/.`-])@([A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))(?![\w/-])")
_CODE = re.compile(r"<(pre|code)\b[^<>]*>[^<]*(?:<(?!/\1>)[^<]*)*</\1>")

_COMMENT = """
fragment Spoken on DiscussionComment {
  databaseId url body createdAt lastEditedAt isAnswer upvoteCount
  author { __typename login url avatarUrl ... on User { databaseId } ... on Bot { databaseId } }
}
fragment Talk on Discussion {
  id number url title body createdAt updatedAt lastEditedAt upvoteCount
  category { name } labels(first: 20) { nodes { name } }
  author { __typename login url avatarUrl ... on User { databaseId } ... on Bot { databaseId } }
  comments(last: 50, before: $before) {
    totalCount pageInfo { hasPreviousPage startCursor }
    nodes { ...Spoken replies(last: 20) { totalCount nodes { ...Spoken replyTo { databaseId } } } }
  }
}
"""
_TALKS = (
    "query($owner: String!, $name: String!, $after: String, $before: String) { "
    "repository(owner: $owner, name: $name) { discussions(first: 20, after: $after, "
    "orderBy: {field: UPDATED_AT, direction: DESC}) { pageInfo { hasNextPage endCursor } nodes { ...Talk } } } }"
    + _COMMENT
)
_MORE = "query($id: ID!, $before: String) { node(id: $id) { ...Talk } }" + _COMMENT


class GitHub:
    """Resumes from `since`, the time of the last change, which is inclusive; an unchanged page costs nothing (304)."""

    name: ClassVar[str] = "github"
    title: ClassVar[str] = "GitHub"
    about: ClassVar[str] = "Issues, discussions and their comments in repositories of your choice."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="repositories",
            label="Repositories",
            kind=Kind.LINES,
            required=True,
            help="One a line, as owner/name.",
            example="acme/router\nacme/docs",
        ),
        Setting(
            name="token",
            label="Access token",
            kind=Kind.SECRET,
            help="Fine-grained, to read issues and discussions, and to write them for answers. Needed for discussions "
            "and private repositories.",
        ),
        Setting(
            name="discussions",
            label="Hear discussions",
            kind=Kind.FLAG,
            default=True,
            help="Without a token discussions are heard by webhook only.",
        ),
        Setting(
            name="pulls",
            label="Hear pull requests",
            kind=Kind.FLAG,
            default=False,
            help="Their description and conversation; not the comments on lines of code.",
        ),
        Setting(
            name="days",
            label="Days to look back at the start",
            kind=Kind.NUMBER,
            default=DAYS,
            help="Whatever was changed since then is collected.",
        ),
        Setting(
            name="webhook_secret",
            label="Webhook secret",
            kind=Kind.SECRET,
            help="The same words as in the webhook's settings at GitHub; without it no delivery is accepted.",
        ),
        Setting(
            name="api",
            label="Address of the API",
            kind=Kind.URL,
            default=API,
            help="For GitHub Enterprise Server: https://your.host/api/v3.",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        send=True,
        listen=True,
        receive=True,
        edits=True,
        deletions=True,
        counts=True,
        history=True,
        met_live=False,
        limits=(
            "Comments on lines of code are not answered; files are not attached.",
            "It has not met the live service.",
            "Deleted issues and comments are told by webhook only.",
            "Without a token 60 requests an hour are allowed for an address, and discussions cannot be asked for.",
            "GitHub does not say when an issue was edited; its webhook and comments do.",
            "Likes are thumbs up less thumbs down; for discussions they are upvotes.",
            "Of a discussion's comment the newest 20 replies are read at each look.",
            "After a transfer the issue has a new uid; its comments keep theirs.",
        ),
    )

    sending: ClassVar[SendingLimits] = SendingLimits(
        characters=65_000,
        visibilities=("public",),
        addressed=True,
        needs=("token",),
        scopes=("issues: write", "pull requests: write", "discussions: write"),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Ask each repository for what changed."""
        walk = _Walk(http, settings, cursor, now)
        try:
            for name in walk.repositories:
                walk.hear(name)
        except TryLater as error:
            if not walk.payloads:
                raise
            return walk.page(wait=error.after)
        if walk.failed and len(walk.failed) == len(walk.repositories):
            raise walk.failed[0]
        return walk.page(wait=None if walk.more else 60.0)

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """A page of issues or comments, a reply of GraphQL, or a delivery; its shape says which."""
        found = read_json(payload.body)
        reader = _Reader(payload, settings)
        if isinstance(found, list):
            return gather(found, reader.of_page)
        if isinstance(found, dict) and "data" in found:
            return gather(_talks(record(found["data"])), reader.talk)
        if isinstance(found, dict) and "action" in found:
            return gather([found], reader.delivered)
        raise Malformed("neither issues nor comments nor a delivery of GitHub's")

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Read each repository's card."""
        try:
            walk = _Walk(http, settings, None, now)
            cards = {name: record(walk.get(f"/repos/{name}").json()) for name in walk.repositories}
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        if not cards:
            return Checked(ok=False, message="Name a repository: there is nothing to hear yet.")
        mute = [
            name
            for name, card in cards.items()
            if card.get("has_issues") is False and card.get("has_discussions") is False
        ]
        message = f"GitHub answers for {len(cards)} repositories."
        return Checked(
            ok=True, message=message + (f" Neither issues nor discussions: {', '.join(mute)}." if mute else "")
        )

    def send(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
        """Comment on the issue, pull request or discussion; a mark that nobody sees holds the key."""
        return _sent(http, settings, outgoing, now=now)

    def find_sent(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
        """Look for the mark among the comments since."""
        return _found(http, settings, outgoing, now=now)

    def receive(self, request: Request, settings: Mapping[str, Any], cursor: Cursor | None) -> Answer:
        """Verify the signature over the bytes as they came, and keep what we hear of; the rest is let go."""
        secret = text(settings.get("webhook_secret"))
        if secret is None:
            return Answer(status=403, body="no webhook secret is set for this source")
        expected = "sha256=" + hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
        signature = request.headers.get("x-hub-signature-256", "").encode("utf-8", "replace")
        if not hmac.compare_digest(expected.encode(), signature):
            return Answer(status=403, body="the signature does not fit")
        event = request.headers.get("x-github-event", "")
        if event == "ping":
            return Answer(status=200, body="pong")
        if event not in EVENTS:
            return Answer(status=202, body="not heard here")
        body = _delivered(request)
        try:
            name = text(record(record(read_json(body)).get("repository")).get("full_name")) or ""
        except Malformed:
            return Answer(status=400, body="the delivery is no JSON")
        if name.lower() not in {one.lower() for one in _named(settings)}:
            return Answer(status=202, body="not a repository of this source")
        meta = {"event": event, "delivery": request.headers.get("x-github-delivery", "")[:100]}
        return Answer(status=202, payloads=(Payload(body=body, fetched_at=request.received_at, meta=meta),))


class _Walk:
    """One fetch: what was brought, and the cursor as far as it is covered."""

    def __init__(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, now: datetime) -> None:
        self.http, self.settings, self.now = http, settings, now
        self.api = (text(settings.get("api")) or API).rstrip("/")
        self.token = text(settings.get("token"))
        self.repositories = _repositories(settings)
        self.states = {name: dict(record(record(cursor or {}).get(name))) for name in self.repositories}
        self.start = (now - timedelta(days=integer(settings.get("days", DAYS)) or 0)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.payloads: list[Payload] = []
        self.more = False
        self.notes: list[str] = []
        self.failed: list[ConnectorError] = []

    def hear(self, name: str) -> None:
        """The streams of one repository; one that is gone or closed to us does not silence the others."""
        try:
            self._streams(name)
        except (GiveUp, AskForCredentials) as error:
            self.failed.append(error)
            self.notes.append(str(error))

    def _streams(self, name: str) -> None:
        state = self.states[name]
        if "private" not in state:
            state["private"] = record(self.get(f"/repos/{name}").json()).get("private") is True
        for stream, path in (("issues", f"/repos/{name}/issues"), ("comments", f"/repos/{name}/issues/comments")):
            for _ in range(PAGES_A_FETCH):
                if not self._page(name, stream, path):
                    break
            else:
                self.more = True
        if self.token and self.settings.get("discussions", True):
            self._discussions(name)

    def _page(self, name: str, stream: str, path: str) -> bool:
        """One page of a stream, oldest change first; whether there is another."""
        state = record(self.states[name].get(stream))
        since, page = text(state.get("since")) or self.start, integer(state.get("page")) or 1
        params = {"since": since, "sort": "updated", "direction": "asc", "per_page": PER_PAGE, "page": page}
        params |= {"state": "all"} if stream == "issues" else {}
        response = self.get(path, params, etag=text(state.get("etag")))
        if response.status == 304:
            return False
        if response.status == 410:
            self.notes.append(f"{name} has no {stream}: they are switched off.")
            return False
        items = [record(item) for item in listed(response.json())]
        if items:
            self.payloads.append(response.payload(fetched_at=self.now, private=self.states[name]["private"]))
        last = max([since, *(at for at in (text(item.get("updated_at")) for item in items) if at)])
        whole = len(items) < PER_PAGE
        if whole:
            etag = response.headers.get("etag")
            fresh: dict[str, Any] = {"since": since, "page": page, "etag": etag} if last == since else {"since": last}
        else:
            fresh = {"since": last} if last > since else {"since": since, "page": page + 1}
        self.states[name][stream] = fresh
        return not whole

    def _discussions(self, name: str) -> None:
        """Pages of discussions, newest change first, and behind them the comments that a page left out."""
        state = dict(record(self.states[name].get("discussions")))
        done = False
        for _ in range(PAGES_A_FETCH):
            if state.get("deep"):
                self._older_comments(name, state)
            elif done:
                return
            else:
                done = self._talks(name, state)
            self.states[name]["discussions"] = {key: value for key, value in state.items() if value}
        self.more = self.more or not done or bool(state.get("deep"))

    def _talks(self, name: str, state: dict[str, Any]) -> bool:
        """One page of discussions; whether it reaches down to what is known."""
        since = text(state.get("since")) or self.start
        owner, _, short = name.partition("/")
        found = self._ask(_TALKS, {"owner": owner, "name": short, "after": text(state.get("after"))}, name)
        talks = record(record(found.get("repository")).get("discussions"))
        nodes = [record(node) for node in listed(talks.get("nodes"))]
        times = [at for at in (text(node.get("updatedAt")) for node in nodes) if at]
        top = max([*times, text(state.get("top")) or "", since])
        state["deep"] = listed(state.get("deep")) + _deeper(nodes, since)
        onward = record(talks.get("pageInfo"))
        done = not times or min(times) <= since or onward.get("hasNextPage") is not True
        state |= (
            {"since": top, "top": None, "after": None}
            if done
            else {"since": since, "top": top, "after": onward.get("endCursor")}
        )
        return done

    def _older_comments(self, name: str, state: dict[str, Any]) -> None:
        """Comments before those of a page, as far back as they are new."""
        job, *rest = listed(state.get("deep")) or [None]
        number, before, since = [*map(text, listed(job)), None, None, None][:3]
        state["deep"] = rest
        if number is not None:
            found = self._ask(_MORE, {"id": number, "before": before}, name)
            state["deep"] = rest + _deeper([record(found.get("node"))], since or self.start)

    def _ask(self, query: str, variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """Data of a GraphQL query; kept as a payload, errors become ours."""
        address = re.sub(r"/v3$", "", self.api) + "/graphql"
        body = {"query": query, "variables": dict(variables)}
        response = _judged(self.http.post(address, json=body, auth=self.token, headers=self._headers()))
        reply = record(response.raise_for_status().json())
        errors = [record(error) for error in listed(reply.get("errors"))]
        kinds = {text(error.get("type")) for error in errors}
        if "RATE_LIMITED" in kinds:
            raise TryLater("GitHub's limit of points is spent", after=response.wait or 900.0)
        if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
            raise AskForCredentials(f"the token may not read the discussions of {name}")
        if errors and not reply.get("data"):
            raise TryLater(f"GitHub could not answer for {name}: {text(errors[0].get('message'))}", after=300.0)
        self.payloads.append(response.payload(fetched_at=self.now, private=self.states[name].get("private") is True))
        return record(reply.get("data"))

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, etag: str | None = None) -> Response:
        """One reply of the REST interface: below 400, or 410."""
        headers = self._headers() | ({"If-None-Match": etag} if etag else {})
        response = _judged(self.http.get(self.api + path, params=params, auth=self.token, headers=headers))
        if response.status == 404:
            raise GiveUp(
                f"GitHub shows no {path.removeprefix('/repos/')}: it is misspelt, or private and needs a token"
            )
        return response if response.status == 410 else response.raise_for_status()

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}

    def page(self, *, wait: float | None) -> Page:
        """What was brought so far."""
        note = " ".join(dict.fromkeys(self.notes))
        return Page(
            payloads=tuple(self.payloads), cursor=self.states, more=self.more and wait is None, wait=wait, note=note
        )


class _Reader:
    """Reads issues, discussions and comments, in the words of REST, of webhooks and of GraphQL."""

    def __init__(self, payload: Payload, settings: Mapping[str, Any]) -> None:
        self.taken_at = payload.fetched_at
        self.private = payload.meta.get("private") is True
        self.pulls = settings.get("pulls") is True
        self.origin = _origin(text(settings.get("api")) or API)

    def of_page(self, item: Mapping[str, Any]) -> Iterator[Piece]:
        """One issue or comment of a REST page."""
        yield from self._comment(item) if "issue_url" in item else self._issue(item)

    def delivered(self, found: Mapping[str, Any]) -> Iterator[Piece]:
        """What a webhook tells: written, edited, deleted, or moved to another repository."""
        self.private = record(found.get("repository")).get("private") is True
        action, changes = found.get("action"), record(found.get("changes"))
        edited = action == "edited" and bool(changes.keys() & {"body", "title"})
        thing = found.get("issue") if "issue" in found else found.get("discussion")
        if "comment" in found:
            yield from self._delivered_comment(found)
            return
        yield from self._delivered_thing(record(thing), action, edited=edited)
        if "answer" in found:
            yield from ({**_row(answer), "tags": ["answer"]} for answer in self._comment(record(found["answer"])))
        for key, place in (
            ("old_issue", "old_repository"),
            ("new_issue", "new_repository"),
            ("new_discussion", "new_repository"),
        ):
            if key in changes:
                yield from self._moved(key, record(changes[key]), record(changes.get(place)))

    def _delivered_comment(self, found: Mapping[str, Any]) -> Iterator[Piece]:
        comment = record(found["comment"])
        if found.get("action") == "deleted":
            uid = self._uid(_anchor(comment))
            yield Gone(uid=uid, published_at=moment(comment.get("created_at")), deleted_at=self.taken_at)
            return
        yield from self._comment(comment)

    def _delivered_thing(self, thing: Mapping[str, Any], action: Any, *, edited: bool) -> Iterator[Piece]:
        if action in ("deleted", "transferred"):
            uid = self._uid(_reference(thing))
            yield Gone(uid=uid, published_at=moment(thing.get("created_at")), deleted_at=self.taken_at)
            return
        for post in self._issue(thing):
            yield {**post, "edited_at": moment(thing.get("updated_at"))} if edited and isinstance(post, dict) else post

    def _moved(self, key: str, thing: Mapping[str, Any], repository: Mapping[str, Any]) -> Iterator[Piece]:
        """The other end of a transfer."""
        if key.startswith("new_"):
            self.private = repository.get("private") is True
            yield from self._issue(thing)
            return
        name, number = text(repository.get("full_name")), integer(thing.get("number"))
        if name is None or number is None:
            raise Unusable("moved from an unknown place")
        at = moment(thing.get("created_at"))
        yield Gone(uid=self._uid(f"{name}#{number}"), published_at=at, deleted_at=self.taken_at)

    def _issue(self, item: Mapping[str, Any]) -> Iterator[Piece]:
        """An issue, a pull request or a discussion."""
        if not self.pulls and ("pull_request" in item or _place(item)[2] == "pull"):
            return
        category = text(record(item.get("category")).get("name"))
        labels = [text(record(label).get("name")) for label in listed(item.get("labels"))]
        counts = (
            None if category else counted(self.taken_at, replies=integer(item.get("comments")), likes=_thumbs(item))
        )
        yield self._post(item, _reference(item)) | {
            "kind": "article",
            "title": text(item.get("title")),
            "tags": [tag for tag in [category, *labels] if tag],
            "engagement": counts,
        }

    def _comment(self, item: Mapping[str, Any]) -> Iterator[Piece]:
        place = _place(item)
        if place[2] == "pull" and not self.pulls:
            return
        talk = self._uid(f"{place[1]}#{place[3]}")
        parent = integer(item.get("parent_id"))
        talked = place[2] == "discussions"
        changed = moment(item.get("updated_at"))
        yield self._post(item, _anchor(item)) | {
            "kind": "note",
            "edited_at": changed if changed != moment(item.get("created_at")) else None,
            "in_reply_to": self._uid(f"discussioncomment-{parent}") if talked and parent is not None else talk,
            "root": talk,
            "engagement_type": "REPLY" if talked and parent is not None else "COMMENT",
            "engagement": None if talked else counted(self.taken_at, likes=_thumbs(item)),
        }

    def _post(self, item: Mapping[str, Any], native_id: str) -> dict[str, Any]:
        body = text(item.get("body")) or ""
        html = rendered(body, html=True)
        url = absolute(text(item.get("html_url")))
        return {
            "uid": self._uid(native_id),
            "url": url,
            "site": site(url),
            "author": _author(record(item.get("user"))),
            "text": plain(html),
            "html": html or None,
            "published_at": known(moment(item.get("created_at")), "created_at"),
            "links": links(html),
            "mentions": list(dict.fromkeys(_NAMES.findall(plain(_CODE.sub(" ", html))))),
            "community": _place(item)[1],
            "visibility": "members" if self.private else "public",
        }

    def talk(self, item: Mapping[str, Any]) -> Iterator[Piece]:
        """A discussion or one of its comments, in GraphQL's words."""
        likes = integer(item.get("upvoteCount"))
        renamed = {
            "html_url": item.get("url"),
            "body": item.get("body"),
            "title": item.get("title"),
            "id": item.get("databaseId"),
            "number": item.get("number"),
            "created_at": item.get("createdAt"),
            "user": _renamed_author(record(item.get("author"))),
            "category": item.get("category"),
            "labels": record(item.get("labels")).get("nodes"),
            "parent_id": item.get("parent"),
        }
        edited = {"edited_at": moment(item.get("lastEditedAt"))}
        if "number" in item:
            replies = integer(record(item.get("comments")).get("totalCount"))
            for post in self._issue(renamed):
                yield {**_row(post), **edited, "engagement": counted(self.taken_at, replies=replies, likes=likes)}
            return
        replies = integer(record(item.get("replies")).get("totalCount"))
        answer = {"tags": ["answer"]} if item.get("isAnswer") is True else {}
        for post in self._comment(renamed):
            yield {**_row(post), **edited, **answer, "engagement": counted(self.taken_at, replies=replies, likes=likes)}

    def _uid(self, native_id: str) -> str:
        return post_uid("github", self.origin, native_id)


def _row(post: Piece) -> Mapping[str, Any]:
    return post if isinstance(post, dict) else {}


def _talks(data: Mapping[str, Any]) -> list[Any]:
    """Discussions and, after each, its comments and their replies, in one list."""
    nodes = listed(record(record(data.get("repository")).get("discussions")).get("nodes"))
    found: list[Any] = []
    for talk in [*nodes, *([data["node"]] if data.get("node") else [])]:
        found.append(talk)
        for comment in listed(record(record(talk).get("comments")).get("nodes")):
            found.append(comment)
            replies = listed(record(record(comment).get("replies")).get("nodes"))
            parent = record(comment).get("databaseId")
            found += [{**reply, "parent": parent} if isinstance(reply, dict) else reply for reply in replies]
    return found


def _deeper(talks: Sequence[Mapping[str, Any]], since: str) -> list[list[Any]]:
    """Discussions of which more comments were written since then than one reply shows."""
    found: list[list[Any]] = []
    for talk in talks:
        comments = record(talk.get("comments"))
        page, nodes = record(comments.get("pageInfo")), listed(comments.get("nodes"))
        first = text(record(nodes[0]).get("createdAt")) if nodes else None
        if page.get("hasPreviousPage") is True and first and first > since and text(talk.get("id")):
            found.append([talk["id"], page.get("startCursor"), since])
    return found


def _judged(response: Response) -> Response:
    """The reply, or TryLater where GitHub's first or second limit is reached, which it tells with 403 too."""
    if response.status not in (403, 429):
        return response
    spent = response.headers.get("x-ratelimit-remaining") == "0"
    second = b"secondary rate limit" in response.body.lower() or b"abuse detection" in response.body.lower()
    if response.status == 429 or spent or second or "retry-after" in response.headers:
        raise TryLater("GitHub's rate limit is reached", after=response.wait or 60.0)
    return response


def _delivered(request: Request) -> bytes:
    """The JSON of a delivery; GitHub's default is to send it as a field of a form."""
    if "form-urlencoded" not in request.headers.get("content-type", ""):
        return request.body
    fields = parse_qs(request.body.decode("utf-8", "replace"), max_num_fields=10)
    return fields.get("payload", [""])[0].encode()


def _place(item: Mapping[str, Any]) -> tuple[str, str, str, str, str | None]:
    """Host, repository, sort, number and anchor of an address on GitHub."""
    found = _PLACE.fullmatch(text(item.get("html_url")) or "")
    if found is None:
        raise Unusable("without a usable html_url")
    host, name, sort, number, anchor = found.groups()
    return host, name, sort, number, anchor


def _reference(item: Mapping[str, Any]) -> str:
    _, name, _, number, _ = _place(item)
    return f"{name}#{number}"


def _anchor(item: Mapping[str, Any]) -> str:
    kind = "discussioncomment" if _place(item)[2] == "discussions" else "issuecomment"
    return f"{kind}-{known(integer(item.get('id')), 'id')}"


def _author(user: Mapping[str, Any]) -> dict[str, Any] | None:
    login, number = text(user.get("login")), integer(user.get("id"))
    if login is None:
        return None
    return {
        "id": str(number) if number is not None else None,
        "handle": login,
        "url": absolute(text(user.get("html_url"))),
        "avatar": absolute(text(user.get("avatar_url"))),
        "automated": user.get("type") == "Bot",
    }


def _renamed_author(author: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "login": author.get("login"),
        "id": author.get("databaseId"),
        "html_url": author.get("url"),
        "avatar_url": author.get("avatarUrl"),
        "type": author.get("__typename"),
    }


def _thumbs(item: Mapping[str, Any]) -> int | None:
    reactions = record(item.get("reactions"))
    up, down = integer(reactions.get("+1")), integer(reactions.get("-1"))
    return None if up is None and down is None else (up or 0) - (down or 0)


def _named(settings: Mapping[str, Any]) -> list[str]:
    given = settings.get("repositories") or ()
    lines = given.splitlines() if isinstance(given, str) else given
    return [line.strip().removeprefix("https://github.com/").strip("/") for line in lines if line.strip()]


def _repositories(settings: Mapping[str, Any]) -> tuple[str, ...]:
    names = _named(settings)
    wrong = [name for name in names if not _REPOSITORY.fullmatch(name)]
    if wrong:
        raise GiveUp(f"not a repository as owner/name: {', '.join(wrong)[:200]}")
    return tuple(dict.fromkeys(names))


def _origin(api: str) -> str:
    host = site(api) or "api.github.com"
    return host.removeprefix("api.")


# sending

_DISCUSSION = """
query($owner: String!, $name: String!, $number: Int!) { repository(owner: $owner, name: $name) {
  discussion(number: $number) { id comments(last: 100) { nodes {
    id databaseId body url createdAt replies(last: 100) { nodes { databaseId body url createdAt } } } } } } }
"""
_ADD = """
mutation($on: ID!, $body: String!, $under: ID) {
  addDiscussionComment(input: {discussionId: $on, body: $body, replyToId: $under}) {
    comment { databaseId url createdAt } } }
"""


def _sent(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
    place = _answered_place(outgoing)
    body = f"{_addressed(outgoing)}\n\n{marker(outgoing.key)}"
    if place.sort == "discussions":
        return _sent_in_discussion(http, settings, outgoing, place, body)
    address = f"{_api(settings)}/repos/{place.name}/issues/{place.number}/comments"
    response = _taken(post_once(http, address, json={"body": body}, auth=_token(settings), headers=_HEADERS))
    return _as_sent(settings, accepted(response), "issuecomment", response)


def _found(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
    place = _answered_place(outgoing)
    if place.sort == "discussions":
        talk = _discussion(http, settings, place)
        comments = [record(one) for one in listed(record(talk.get("comments")).get("nodes"))]
        replies = [record(one) for top in comments for one in listed(record(top.get("replies")).get("nodes"))]
        there = first_of(one for one in [*comments, *replies] if marker(outgoing.key) in str(one.get("body")))
        return _as_sent(settings, there, "discussioncomment", None) if there else None
    address: str | None = f"{_api(settings)}/repos/{place.name}/issues/{place.number}/comments"
    params: dict[str, Any] | None = {"since": since(outgoing, now).strftime("%Y-%m-%dT%H:%M:%SZ"), "per_page": PER_PAGE}
    for _page in range(10):
        if address is None:
            return None
        response = _judged(http.get(address, params=params, auth=_token(settings), headers=_HEADERS)).raise_for_status()
        there = first_of(one for one in listed(response.json()) if marker(outgoing.key) in str(record(one).get("body")))
        if there:
            return _as_sent(settings, record(there), "issuecomment", None)
        address, params = response.links.get("next"), None
    raise TryLater("there are too many newer comments to find ours", after=600.0)


_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}


@dataclass(frozen=True)
class _Spot:
    """Where an answer goes: repository, issues, pull or discussions, its number, and the comment that it answers."""

    name: str
    sort: str
    number: int
    comment: int | None


def _answered_place(outgoing: Outgoing) -> _Spot:
    post = answered(outgoing, "github")
    found = _PLACE.fullmatch(str(post.get("url") or ""))
    if found is None:
        raise GiveUp("What it answers has no address on GitHub.")
    _host, name, sort, number, _anchor_of = found.groups()
    comment = re.fullmatch(r"(?:discussion|issue)comment-(\d+)", str(post.get("native_id") or ""))
    return _Spot(name, sort, int(number), int(comment[1]) if comment else None)


def _addressed(outgoing: Outgoing) -> str:
    """GitHub's issues are flat: who is answered is told by their name."""
    handle = str(record(outgoing.in_reply_to.get("author")).get("handle") or "")
    named = {each.lower() for each in _NAMES.findall(outgoing.text)}
    return outgoing.text if not handle or handle.lower() in named else f"@{handle} {outgoing.text}"


def _sent_in_discussion(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, place: _Spot, body: str) -> Sent:
    talk = _discussion(http, settings, place)
    under = None
    for top in (record(one) for one in listed(record(talk.get("comments")).get("nodes"))):
        below = {integer(record(one).get("databaseId")) for one in listed(record(top.get("replies")).get("nodes"))}
        if place.comment is not None and place.comment in below | {integer(top.get("databaseId"))}:
            under = top.get("id")  # a reply stands below the comment that began the branch
    asked = {"query": _ADD, "variables": {"on": talk.get("id"), "body": body, "under": under}}
    response = _taken(post_once(http, _graph(settings), json=asked, auth=_token(settings), headers=_HEADERS))
    reply = accepted(response)
    comment = record(record(record(reply.get("data")).get("addDiscussionComment")).get("comment"))
    if not comment:
        _judge_errors(reply)
    return _as_sent(settings, comment, "discussioncomment", response)


def _discussion(http: Http, settings: Mapping[str, Any], place: _Spot) -> Mapping[str, Any]:
    owner, _, name = place.name.partition("/")
    asked = {"query": _DISCUSSION, "variables": {"owner": owner, "name": name, "number": place.number}}
    response = _judged(http.post(_graph(settings), json=asked, auth=_token(settings), headers=_HEADERS))
    reply = record(response.raise_for_status().json())
    talk = record(record(record(reply.get("data")).get("repository")).get("discussion"))
    if not talk:
        _judge_errors(reply)
        raise GiveUp("What it answers was deleted.")
    return talk


def _judge_errors(reply: Mapping[str, Any]) -> None:
    """Raise what errors of GraphQL mean: each says that nothing was written."""
    errors = [record(error) for error in listed(reply.get("errors"))]
    kinds = {text(error.get("type")) for error in errors}
    said = text(errors[0].get("message")) if errors else None
    if "RATE_LIMITED" in kinds:
        raise TryLater("GitHub's limit of points is spent", after=900.0)
    if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        raise AskForCredentials(f"the token may not write here: {said}")
    if errors:
        raise GiveUp(f"GitHub does not take it: {said}")


def _taken(response: Response) -> Response:
    """The reply to a comment, or what it means that it was not taken."""
    response = _judged(response)
    if response.status in (404, 410):
        raise GiveUp("What it answers was deleted, or the token does not see it.")
    if response.status == 403:
        raise AskForCredentials(f"The token may not write here: {reason(response, 'message')}")
    if response.status == 422:
        raise GiveUp(f"GitHub does not take it: {reason(response, 'message')}")
    return response.raise_for_status()


def _as_sent(settings: Mapping[str, Any], comment: Mapping[str, Any], kind: str, response: "Response | None") -> Sent:
    number = integer(comment.get("id")) or integer(comment.get("databaseId"))
    if number is None:
        raise Unsure("GitHub gave the comment no number")
    url = text(comment.get("html_url")) or text(comment.get("url"))
    at = moment(comment.get("created_at")) or moment(comment.get("createdAt"))
    return Sent(uid=post_uid("github", _origin(_api(settings)), f"{kind}-{number}"), url=absolute(url), at=at)


def _api(settings: Mapping[str, Any]) -> str:
    return (text(settings.get("api")) or API).rstrip("/")


def _graph(settings: Mapping[str, Any]) -> str:
    return re.sub(r"/v3$", "", _api(settings)) + "/graphql"


def _token(settings: Mapping[str, Any]) -> str:
    token = text(settings.get("token"))
    if token is None:
        raise AskForCredentials("Answering needs an access token that may write issues and discussions.")
    return token


connector = GitHub()
