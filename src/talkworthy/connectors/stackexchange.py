"""Stack Exchange: questions, answers and comments of one site, through API 2.3.

What people write there is licensed CC BY-SA; whoever shows it names the author and links to the post.
"""

import html as entities
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, ClassVar

from talkworthy.connectors.contract import Capabilities, Checked, Kind, Page, Parsed, Setting
from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, Malformed, TryLater
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
    read_object,
    record,
    text,
)
from talkworthy.connectors.replies import Response
from talkworthy.schema import post_uid

API = "https://api.stackexchange.com/2.3"
FILTER = "withbody"
PAGE_SIZE = 100
REQUESTS_A_FETCH = 6
WATCHED = 100
"""As many ids as one request takes."""
RECHECK = 3_600
"""Seconds between two looks at the watched questions."""
DAY = 86_400
DAYS = 7
QUOTA_WITHOUT_KEY = 300

_HOSTS = {
    "stackoverflow": "stackoverflow.com",
    "serverfault": "serverfault.com",
    "superuser": "superuser.com",
    "askubuntu": "askubuntu.com",
    "stackapps": "stackapps.com",
    "meta": "meta.stackexchange.com",
}


class StackExchange:
    """Resumes from the time of a question's last activity, which new answers and edits move and comments do not.

    Answers and comments are asked for by the ids of the questions just found; what is still to be asked stands in
    the cursor, so a fetch may stop anywhere when the API asks for a pause.
    """

    name: ClassVar[str] = "stackexchange"
    title: ClassVar[str] = "Stack Exchange"
    about: ClassVar[str] = "Questions, answers and comments on Stack Overflow and its sister sites."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="site",
            label="Site",
            required=True,
            default="stackoverflow",
            help="The site's name as in its address: stackoverflow, serverfault, unix, math.meta.",
            example="stackoverflow",
        ),
        Setting(
            name="tags",
            label="Tags",
            kind=Kind.LINES,
            help="One search a line; tags joined by a semicolon must all be present. Empty: the whole site.",
            example="django;sqlite\nduckdb",
        ),
        Setting(
            name="answers",
            label="Hear answers",
            kind=Kind.FLAG,
            default=True,
            help="One more request for each page of questions.",
        ),
        Setting(
            name="comments",
            label="Hear comments",
            kind=Kind.FLAG,
            default=False,
            help="On the questions and answers just heard; two more requests for each page of questions.",
        ),
        Setting(
            name="days",
            label="Days to look back at the start",
            kind=Kind.NUMBER,
            default=DAYS,
            help="Questions active since then.",
        ),
        Setting(
            name="key",
            label="Application key",
            help="From stackapps.com: 10,000 requests a day in place of 300. Stack Exchange calls it no secret.",
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
            "Replies cannot be sent yet.",
            "Without a key 300 requests a day are allowed for an address, so new posts come late.",
            "A comment is no activity: it is heard when its question is active anyway, or on the hourly look.",
            f"Deletions and votes are noticed for the {WATCHED} questions heard last, not for answers and comments.",
            "Posts are licensed CC BY-SA: show the author and the link with them.",
        ),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Do what is still to do, else look for active questions; stop at once when the API asks for a pause."""
        walk = _Walk(http, settings, cursor, now)
        try:
            while walk.requests < REQUESTS_A_FETCH and not walk.backoff and walk.step():
                pass
        except TryLater as error:
            if not walk.payloads:
                raise
            walk.backoff = max(walk.backoff, error.after)
        return walk.page()

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """The items of one wrapper; questions that were asked for and did not come are gone."""
        reply = read_object(payload.body)
        items = reply.get("items")
        if not isinstance(items, list):
            raise Malformed(f"a reply without items: {str(reply.get('error_message'))[:200]}")
        host = text(payload.meta.get("host")) or host_of(text(settings.get("site")) or "stackoverflow")
        reader = _Reader(host=host, taken_at=payload.fetched_at, questions=record(payload.meta.get("questions")))
        return gather(items, reader.read, gone=reader.missing(items, record(payload.meta.get("asked"))))

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Ask for one question of each search."""
        walk = _Walk(http, settings, None, now)
        try:
            found = {tags: walk.ask("questions", walk.search(tags) | {"pagesize": 1}) for tags in walk.searches}
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        silent = [tags for tags, reply in found.items() if tags and not reply.get("items")]
        message = f"{walk.host} answers; {walk.left} of {walk.quota} requests are left today."
        return Checked(ok=True, message=message + (f" Nobody asked under: {', '.join(silent)}." if silent else ""))


class _Walk:
    """One fetch: what it has brought, what it still has to ask, and what the API allows."""

    def __init__(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, now: datetime) -> None:
        self.http, self.settings, self.now = http, settings, now
        self.site = _site_name(text(settings.get("site")) or "stackoverflow")
        before = dict(cursor or {})
        before = before if before.get("of", self.site) == self.site else {}  # another site has numbers of its own
        self.host = host_of(self.site)
        self.searches = _lines(settings.get("tags")) or ("",)
        self.payloads: list[Payload] = []
        self.requests, self.backoff = 0, 0.0
        self.quota = QUOTA_WITHOUT_KEY if not settings.get("key") else 10_000
        self.left: int | None = None
        self.state = {tags: dict(record(record(before.get("searches")).get(tags))) for tags in self.searches}
        self.todo = _jobs(before.get("todo"))
        self.recent = {str(key): integer(at) or 0 for key, at in record(before.get("recent")).items() if integer(key)}
        self.looked = integer(before.get("looked")) or int(now.timestamp())
        self.waiting = list(self.searches)

    def step(self) -> bool:
        """One request; False when there is nothing left to ask for now."""
        if self.todo:
            self._do(*self.todo[0])
        elif self.waiting:
            self._questions(self.waiting[0])
        elif self.recent and self.now.timestamp() - self.looked >= RECHECK:
            self._look_again()
        else:
            return False
        return True

    def search(self, tags: str) -> dict[str, Any]:
        return {"tagged": tags or None, "sort": "activity", "order": "asc"}

    def _questions(self, tags: str) -> None:
        state = self.state[tags]
        start = int(self.now.timestamp()) - DAY * (integer(self.settings.get("days", DAYS)) or 0)
        since, page = integer(state.get("since")) or start, integer(state.get("page")) or 1
        seen = {mark for mark in map(text, listed(state.get("seen"))) if mark}
        found = self.ask("questions", self.search(tags) | {"min": since, "page": page}, unless=seen)
        items = [record(item) for item in listed(found.get("items"))]
        self._watch(items)
        moved = [str(integer(item.get("question_id"))) for item in items if _mark(item) not in seen]
        self._ask_for_replies([number for number in moved if number in self.recent], since)
        last = max([since, *(integer(item.get("last_activity_date")) or 0 for item in items)])
        if found.get("has_more"):
            self.state[tags] = {"since": last} if last > since else {"since": since, "page": page + 1}
            return
        at_last = [_mark(item) for item in items if item.get("last_activity_date") == last]
        self.state[tags] = {"since": last, "seen": at_last}
        self.waiting.remove(tags)

    def _ask_for_replies(self, ids: Sequence[str], since: int) -> None:
        if ids and self.settings.get("answers", True):
            self.todo.append(["answers", list(ids), 1, since])
        if ids and self.settings.get("comments", False):
            self.todo.append(["comments", {number: number for number in ids}, 1, since])

    def _do(self, kind: str, ids: Any, page: int, since: int) -> None:
        numbers = ";".join(map(str, ids))
        path = f"questions/{numbers}/answers" if kind == "answers" else f"posts/{numbers}/comments"
        sort = {"sort": "activity" if kind == "answers" else "creation", "order": "asc", "min": since, "page": page}
        roots = {"questions": dict(ids)} if kind == "comments" and isinstance(ids, dict) else {}
        found = self.ask(path, sort, unless=frozenset(), **roots)
        self.todo.pop(0)
        if kind == "answers" and self.settings.get("comments", False):
            answers = _pairs(found, "answer_id", "question_id")
            if answers:
                self.todo.append(["comments", answers, 1, since])
        if found.get("has_more"):
            self.todo.insert(0, [kind, ids, page + 1, since])

    def _look_again(self) -> None:
        numbers = list(self.recent)
        found = self.ask(f"questions/{';'.join(numbers)}", {}, unless=frozenset(), asked=dict(self.recent))
        present = {str(integer(record(item).get("question_id"))) for item in listed(found.get("items"))}
        self.recent = {key: at for key, at in self.recent.items() if key in present}
        self.looked = int(self.now.timestamp())
        if self.recent and self.settings.get("comments", False):
            since = self.looked - 2 * RECHECK
            self.todo.append(["comments", {number: number for number in self.recent}, 1, since])

    def _watch(self, items: Sequence[Mapping[str, Any]]) -> None:
        numbered = ((integer(item.get("question_id")), integer(item.get("creation_date")) or 0) for item in items)
        found = {str(number): at for number, at in numbered if number is not None}
        kept = {key: at for key, at in self.recent.items() if key not in found} | found
        self.recent = dict(list(kept.items())[-WATCHED:])

    def ask(
        self, path: str, params: Mapping[str, Any], *, unless: Set[str] | None = None, **meta: Any
    ) -> dict[str, Any]:
        """One reply as its wrapper; quota and back-off are noted, errors of the API become ours.

        It is kept as a payload unless all it tells is among the marks `unless`; None keeps nothing.
        """
        self.requests += 1
        common = {"site": self.site, "filter": FILTER, "pagesize": PAGE_SIZE, "key": text(self.settings.get("key"))}
        response = self.http.get(f"{API}/{path}", params=common | dict(params))
        reply = _wrapper(response)
        self.quota = integer(reply.get("quota_max")) or self.quota
        self.left = integer(reply.get("quota_remaining"))
        self.backoff = max(self.backoff, float(integer(reply.get("backoff")) or 0))
        came = {_mark(record(item)) for item in listed(reply.get("items"))}
        if unless is not None and (came - unless or "asked" in meta):
            self.payloads.append(response.payload(fetched_at=self.now, host=self.host, **meta))
        return reply

    def page(self) -> Page:
        """What was brought, and a pause that makes the day's quota last."""
        unfinished = bool(self.todo or self.waiting)
        share = DAY / max(self.quota, 1) * max(self.requests, 1)
        left = self.left if self.left is not None else self.quota
        wait = max(self.backoff, 60.0, share)
        if left <= 0:
            wait = max(wait, _until_midnight(self.now))
        cursor: dict[str, Any] = {"of": self.site, "searches": self.state, "todo": self.todo}
        cursor |= {"recent": self.recent, "looked": self.looked}
        more = unfinished and not self.backoff and left > 0
        return Page(payloads=tuple(self.payloads), cursor=cursor, more=more, wait=None if more else wait)


class _Reader:
    """Reads the items of one reply."""

    def __init__(self, *, host: str, taken_at: datetime, questions: Mapping[str, Any]) -> None:
        self.host, self.taken_at, self.questions = host, taken_at, questions

    def read(self, item: Mapping[str, Any]) -> Iterator[Piece]:
        """A question, an answer or a comment."""
        if "comment_id" in item:
            yield self._comment(item)
        elif "answer_id" in item:
            yield self._answer(item)
        elif "question_id" in item:
            yield self._question(item)
        else:
            raise Unusable("neither a question, an answer nor a comment")

    def missing(self, items: Sequence[Any], asked: Mapping[str, Any]) -> list[Gone]:
        """Questions that were asked for by number and did not come."""
        present = {str(integer(record(item).get("question_id"))) for item in items}
        return [
            Gone(uid=self._uid(number), published_at=moment(at) if at else None, deleted_at=self.taken_at)
            for number, at in asked.items()
            if number not in present
        ]

    def _question(self, item: Mapping[str, Any]) -> dict[str, Any]:
        number = known(integer(item.get("question_id")), "question_id")
        views = integer(item.get("view_count"))
        return self._post(item, str(number), f"https://{self.host}/q/{number}", views=views) | {
            "kind": "question",
            "title": _words(item.get("title")),
            "tags": [tag for tag in map(text, listed(item.get("tags"))) if tag],
        }

    def _answer(self, item: Mapping[str, Any]) -> dict[str, Any]:
        number = known(integer(item.get("answer_id")), "answer_id")
        question = integer(item.get("question_id"))
        return self._post(item, str(number), f"https://{self.host}/a/{number}") | {
            "engagement_type": "REPLY",
            "in_reply_to": self._uid(question) if question is not None else None,
            "root": self._uid(question) if question is not None else None,
            "tags": ["accepted"] if item.get("is_accepted") is True else [],
        }

    def _comment(self, item: Mapping[str, Any]) -> dict[str, Any]:
        number = known(integer(item.get("comment_id")), "comment_id")
        parent = known(integer(item.get("post_id")), "post_id")
        question = integer(self.questions.get(str(parent)))
        question = parent if item.get("post_type") == "question" else question
        anchor = f"https://{self.host}/q/{parent}#comment{number}_{parent}"
        return self._post(item, f"comment-{number}", anchor) | {
            "engagement_type": "COMMENT",
            "in_reply_to": self._uid(parent),
            "root": self._uid(question) if question is not None else None,
        }

    def _post(self, item: Mapping[str, Any], native_id: str, address: str, views: int | None = None) -> dict[str, Any]:
        body = text(item.get("body")) or ""
        url = absolute(_words(item.get("link"))) or address
        replies = integer(item.get("answer_count"))
        return {
            "uid": self._uid(native_id),
            "url": url,
            "site": site(url),
            "kind": "note",
            "author": _author(record(item.get("owner"))),
            "text": plain(body),
            "html": clean(body) or None,
            "published_at": known(moment(item.get("creation_date")), "creation_date"),
            "edited_at": moment(item.get("last_edit_date")),
            "links": links(body),
            "engagement": counted(self.taken_at, replies=replies, likes=integer(item.get("score")), views=views),
        }

    def _uid(self, native_id: object) -> str:
        return post_uid("stackexchange", self.host, str(native_id))


def host_of(site_name: str) -> str:
    """The host of a site from the name that the API uses for it."""
    name = _site_name(site_name)
    if name in _HOSTS:
        return _HOSTS[name]
    if name.endswith((".com", ".net", ".org")):
        return name
    if name.endswith(".stackoverflow"):
        return f"{name}.com"
    if name.startswith("meta.") and name.removeprefix("meta.") in _HOSTS:
        return f"meta.{_HOSTS[name.removeprefix('meta.')]}"
    return f"{name}.stackexchange.com"


def _site_name(given: str) -> str:
    return given.strip().lower().removeprefix("https://").strip("/")


def _wrapper(response: Response) -> dict[str, Any]:
    """The wrapper object, or the error that it stands for."""
    if response.status >= 500 and not response.body.lstrip().startswith(b"{"):
        response.raise_for_status()
    reply = dict(record(response.json()))
    code = integer(reply.get("error_id"))
    if code is None:
        response.raise_for_status()
        return reply
    message = f"Stack Exchange answers: {text(reply.get('error_message')) or reply.get('error_name')}"
    if code in (500, 502, 503, 429):
        raise TryLater(message, after=_pause(message))
    if code in (401, 402, 403, 405, 406):
        raise AskForCredentials(message)
    raise GiveUp(message)


def _pause(message: str) -> float:
    found = re.search(r"(\d{1,7}) seconds", message)
    return float(found[1]) + 1 if found else 300.0


def _until_midnight(now: datetime) -> float:
    """Seconds to the end of the day in UTC, when the quota begins anew."""
    return DAY - (now.timestamp() % DAY)


def _mark(item: Mapping[str, Any]) -> str:
    """A question at one moment of its life."""
    return f"{integer(item.get('question_id'))}@{integer(item.get('last_activity_date'))}"


def _jobs(given: Any) -> list[list[Any]]:
    """What is still to be asked: kind, numbers (for comments with their questions), page, since."""
    jobs = []
    for job in map(listed, listed(given)):
        kind, ids, page, since = [*job, None, None, None, None][:4]
        numbers = {str(key): str(integer(root)) for key, root in record(ids).items() if integer(key) is not None}
        plain_numbers = [str(number) for number in map(integer, listed(ids)) if number is not None]
        wanted: Any = numbers if kind == "comments" else plain_numbers
        if kind in ("answers", "comments") and wanted:
            jobs.append([kind, wanted, integer(page) or 1, integer(since) or 0])
    return jobs


def _pairs(reply: Mapping[str, Any], key: str, value: str) -> dict[str, str]:
    items = (record(item) for item in listed(reply.get("items")))
    found = ((integer(item.get(key)), integer(item.get(value))) for item in items)
    return {str(first): str(second) for first, second in found if first is not None and second is not None}


def _author(owner: Mapping[str, Any]) -> dict[str, Any] | None:
    name, number = _words(owner.get("display_name")), integer(owner.get("user_id"))
    if name is None and number is None:
        return None
    return {
        "id": str(number) if number is not None else None,
        "handle": None,
        "name": name,
        "url": absolute(_words(owner.get("link"))),
        "avatar": absolute(_words(owner.get("profile_image"))),
    }


def _words(value: Any) -> str | None:
    """Text in which the API wrote entities, as it does in titles, names and addresses."""
    given = text(value)
    return text(entities.unescape(given)) if given else None


def _lines(given: Any) -> tuple[str, ...]:
    lines = given.splitlines() if isinstance(given, str) else given or ()
    return tuple(dict.fromkeys(line.strip().strip(";") for line in lines if line.strip().strip(";")))


connector = StackExchange()
