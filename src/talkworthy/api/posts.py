"""Posts: found, opened, read as a thread, and brought in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema, Status
from pydantic import AfterValidator, Field

from talkworthy.api.ingesting import LARGEST_CALL, items_of, keep_items
from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import HIDDEN, NUMBERS_AS_TEXT, Counted, Id, Post, Posts, Thread, post_columns
from talkworthy.api.tokens import CallerRequest
from talkworthy.listening.filters import Filter
from talkworthy.listening.periods import Period, read_moment
from talkworthy.listening.selectors import mentions
from talkworthy.listening.selectors.monitors import monitor_or_404
from talkworthy.schema.formats import post_to_json
from talkworthy.workspaces.models import Member

router = Router(tags=["posts"])

EARLIEST, LATEST = datetime(1834, 1, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC)
"""The archive holds no post from before or after: its numbers begin with the time."""


def _place(text: str) -> str:
    if not is_number(text):
        raise ValueError("take it from `before` of the page before")
    return text


Place = Annotated[str, AfterValidator(_place)]


class Narrowed(Schema):
    """Which posts. Within one name any value will do, and every name must hold."""

    q: str = Field("", description="A query, in the query language.", max_length=20_000)
    channel: list[str] = []
    sentiment: list[str] = []
    language: list[str] = []
    intent: list[str] = []
    source: list[str] = Field([], description="As it stands in a post, such as source-12.")
    site: list[str] = []
    author: list[str] = Field([], description="The author's id in the channel, else the handle.")
    hashtag: list[str] = []
    since: str = Field("", description="Published at or after: a date or an ISO 8601 time.")
    until: str = Field("", description="Published before; a date counts whole.")


class Paged(Schema):
    """Which page."""

    before: Place | None = Field(None, description="From the page before.")
    limit: int = Field(40, ge=1, le=200)


class Asked(Narrowed):
    """Which posts, of which monitors."""

    monitor: list[Id] = Field([], description="Posts that this monitor found.")


class AskedPage(Asked, Paged):
    """Which posts, and which page of them."""


class AskedMentions(Narrowed, Paged):
    """Which mentions of one monitor, and which page of them."""


class Taken(Schema):
    """An item that is stored durably; `uid` is the name of its post."""

    index: int
    uid: str


class Left(Schema):
    """An item that was left out, and why."""

    index: int
    reason: str


class Kept(Schema):
    """What became of the items, by their place in the call."""

    accepted: list[Taken]
    errors: list[Left]


def _ingested() -> dict[str, Any]:
    own = {name: each for name, each in post_columns().items() if name not in {"id", "monitors"}}
    item = {"type": "object", "properties": own}
    whole = {"type": "object", "properties": {"posts": {"type": "array", "items": item}}, "required": ["posts"]}
    listed = {"type": "array", "items": item, "maxItems": LARGEST_CALL}
    return {"required": True, "content": {"application/json": {"schema": {"anyOf": [item, listed, whole]}}}}


@operation(router, "GET", "/posts", scope="posts:read", response=Posts)
def list_posts(request: CallerRequest, asked: Query[AskedPage]) -> dict[str, Any]:
    """The posts that a filter lets through, newest first, page by page."""
    known_names(request, AskedPage)
    return page_of(asked, request.auth.member, monitors=monitors_of(asked, request.auth.member))


@operation(router, "GET", "/posts/count", scope="posts:read", response=Counted)
def count_posts(request: CallerRequest, asked: Query[Asked]) -> dict[str, Any]:
    """How many posts a filter lets through."""
    known_names(request, Asked)
    viewer = request.auth.member
    found = mentions.count_mentions(
        filter_of(asked, monitors_of(asked, viewer)),
        viewer=viewer,
        period=span_of(asked, viewer) or Period(EARLIEST, LATEST, ZoneInfo("UTC")),
        now=timezone.now(),
    )
    return {"posts": found.posts, "reached": found.reached}


@operation(router, "POST", "/posts", scope="posts:write", response={202: Kept}, more={"requestBody": _ingested()})
def add_posts(request: CallerRequest) -> Status[dict[str, Any]]:
    """Bring posts: one, a list, or `{"posts": [...]}`, each with the columns of a post.

    The answer comes after they are durable; they are analysed and shown a moment later. The same post sent twice is
    one post, so a call that failed can be sent again. Items that cannot be used are named in `errors`, the rest is
    kept; where nothing can be used, the answer is 422.
    """
    judged = keep_items(request.auth, items_of(request.body), now=timezone.now())
    told = {
        "accepted": [{"index": each.index, "uid": each.uid} for each in judged if each.uid is not None],
        "errors": [{"index": each.index, "reason": each.reason} for each in judged if each.uid is None],
    }
    return Status(202, told)


@operation(router, "GET", "/posts/{path:key}", scope="posts:read", response=Post)
def get_post(request: CallerRequest, key: str) -> Post:
    """One post, by its id or its uid (percent-encoded)."""
    return post_shape(post_named(key, request.auth.member))


@operation(router, "GET", "/threads/{path:key}", scope="posts:read", response=Thread)
def get_thread(request: CallerRequest, key: str) -> dict[str, Any]:
    """The thread around a post, by its id or uid: oldest first, as far as it was collected."""
    viewer = request.auth.member
    return {"posts": [post_shape(post) for post in mentions.thread_of(post_named(key, viewer), viewer=viewer)]}


def post_named(key: str, viewer: Member) -> mentions.Post:
    """A post by id or uid; raises Http404."""
    if is_number(key):
        return mentions.post_or_404(int(key), viewer=viewer)
    post = mentions.post_of_uid(key, viewer=viewer)
    if post is None:
        raise Http404(
            _("There is no post of this id or uid (any more): it was deleted, erased, never collected, or waits.")
        )
    return post


def is_number(text: str) -> bool:
    """Whether it can be the archive's number of a post."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) < 20 and -(2**63) <= int(text) < 2**63


def page_of(asked: AskedPage | AskedMentions, viewer: Member, *, monitors: Sequence[int]) -> dict[str, Any]:
    """A page of posts as it is answered."""
    page = mentions.mentions(
        filter_of(asked, monitors),
        viewer=viewer,
        period=span_of(asked, viewer),
        now=timezone.now(),
        before=int(asked.before) if asked.before else None,
        limit=asked.limit,
    )
    older = None if page.older is None else str(page.older)
    return {"posts": [post_shape(post) for post in page.posts], "before": older, "reached": page.reached}


def monitors_of(asked: Asked, viewer: Member) -> list[int]:
    """The monitors that are asked for; raises Http404 for one that is not the viewer's."""
    return [monitor_or_404(int(number), viewer=viewer).pk for number in asked.monitor]


def filter_of(asked: Narrowed, monitors: Sequence[int]) -> Filter:
    """The filter that the asked one is."""
    return Filter(
        words=asked.q.strip(),
        monitors=tuple(monitors),
        channels=tuple(asked.channel),
        sentiments=tuple(asked.sentiment),
        languages=tuple(asked.language),
        intents=tuple(asked.intent),
        sources=tuple(asked.source),
        sites=tuple(asked.site),
        authors=tuple(asked.author),
        hashtags=tuple(asked.hashtag),
    )


def span_of(asked: Narrowed, viewer: Member) -> Period | None:
    """The span to the second, its dates in the workspace's time zone; None: all there is. Raises BadPeriod."""
    if not (asked.since or asked.until):
        return None
    zone = ZoneInfo(viewer.workspace.timezone)
    since = read_moment(asked.since, zone=zone) if asked.since else EARLIEST
    until = read_moment(asked.until, zone=zone, end=True) if asked.until else LATEST
    return Period(max(since, EARLIEST), max(min(until, LATEST), EARLIEST), zone)


def post_shape(post: Mapping[str, Any]) -> Post:
    """A post as it is answered: ids as text, without what is not known."""
    shown = {name: value for name, value in post.items() if name not in HIDDEN}
    shown["monitors"] = [str(number) for number in post["monitors"] or ()]
    for name in NUMBERS_AS_TEXT:
        shown[name] = None if post[name] is None else str(post[name])
    return Post(post_to_json(shown))
