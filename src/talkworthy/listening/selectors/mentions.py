"""The river: posts that a filter lets through, page by page, and how many there are."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.analysis.meaning import MEANING
from talkworthy.archive import Archive, Scan
from talkworthy.listening.filters import LARGEST, LONGEST_WORDS, Filter
from talkworthy.listening.models import Correction, Mark, Monitor, SavedView
from talkworthy.listening.periods import Period
from talkworthy.listening.searching import columns_for, matching, narrowed
from talkworthy.listening.selectors import series
from talkworthy.listening.stores import archive_of
from talkworthy.listening.ties import Ties
from talkworthy.listening.voices import account_of, ties_for
from talkworthy.query import CompiledQuery, compile_query, parse
from talkworthy.workspaces.models import Member

Post = Mapping[str, Any]
"""A row of the archive as plain values: the columns of `archive.STORED`."""

COLUMNS = tuple(
    name
    for name in (
        "id",
        "uid",
        "channel",
        "origin",
        "native_id",
        "url",
        "kind",
        "author",
        "title",
        "text",
        "summary",
        "language",
        "published_at",
        "edited_at",
        "collected_at",
        "in_reply_to",
        "root",
        "engagement_type",
        "repeats",
        "links",
        "hashtags",
        "mentions",
        "tags",
        "media",
        "entities",
        "rating",
        "place",
        "site",
        "community",
        "engagement",
        "source",
        "detected_language",
        "language_probability",
        "sentiment",
        "sentiment_score",
        "sentiment_probability",
        "intent",
        "intent_probability",
        "urgency",
        "text_hash",
        "near_hash",
        "analysed_by",
        "monitors",
    )
)
"""What a card shows and a query may ask."""

PAGE = 40
FIRST_LOOK, GROWTH, LARGEST_LOOK = 400, 6, 60_000
"""Candidates of a search by words are read in looks that grow, so that a common word is found at once."""


MOST_ARRIVED = 20_000
"""So many posts that came at once are looked through; of more the page says to load it again."""


@dataclass(frozen=True)
class Mentions:
    """One page of the river, newest first. `older` is the id to go on before; None at the end.

    `reached` is set where the time ran out before the page was full: how far back it looked.
    """

    posts: tuple[Post, ...]
    older: int | None = None
    reached: datetime | None = None


@dataclass(frozen=True)
class Counted:
    """How many posts a filter lets through; `reached` as in Mentions: then there are at least so many."""

    posts: int
    reached: datetime | None = None


def mentions(
    asked: Filter,
    *,
    viewer: Member,
    period: Period | None,
    now: datetime,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE,
    seconds: float = 2.5,
    columns: tuple[str, ...] = COLUMNS,
) -> Mentions:
    """The newest posts that a filter lets through; raises QueryError for words that cannot be used."""
    asked = with_monitors(asked, viewer=viewer)
    archive = archive_of(viewer.workspace)
    compiled = compiled_words(asked.words, now=now)
    scan = scan_of(asked, period, compiled, before=before, after=after)
    if scan is None:
        return Mentions(())
    if compiled is None:
        rows = archive.table(replace(scan, columns=columns, limit=limit + 1)).to_pylist()
        return Mentions(tuple(rows[:limit]), rows[limit - 1]["id"] if len(rows) > limit else None)
    found: list[int] = []
    last, reached = None, None
    ties = ties_for(compiled, viewer.workspace)
    for look in _looks(archive, scan, compiled, first=limit + 1, seconds=seconds, ties=ties):
        found += look.matched["id"].to_pylist()
        last, reached = look.last, look.reached
        if len(found) > limit:
            break
    posts = archive.table(Scan(columns=columns, ids=tuple(found[:limit]))).to_pylist()
    if len(found) > limit:
        return Mentions(tuple(posts), found[limit - 1])
    return Mentions(tuple(posts), last if reached else None, reached)


def count_mentions(asked: Filter, *, viewer: Member, period: Period, now: datetime, seconds: float = 4.0) -> Counted:
    """How many posts a filter lets through: from the cube where it holds them, else counted in the archive."""
    asked = with_monitors(asked, viewer=viewer)
    quick = cube_count(asked, period, viewer=viewer)
    if quick is not None:
        return Counted(quick)
    archive = archive_of(viewer.workspace)
    compiled = compiled_words(asked.words, now=now)
    scan = scan_of(asked, period, compiled)
    if scan is None:
        return Counted(0)
    if compiled is None:
        return Counted(archive.count(scan)["posts"][0].as_py())
    ties = ties_for(compiled, viewer.workspace)
    total, start = 0, time.monotonic()
    for batch in archive.scan(replace(scan, columns=columns_for(compiled))):
        total += pc.sum(matching(batch, compiled, ties)).as_py() or 0
        if time.monotonic() - start > seconds:
            return Counted(total, batch["published_at"][-1].as_py().astimezone(UTC))
    return Counted(total)


def cube_count(asked: Filter, period: Period, *, viewer: Member) -> int | None:
    """The count where the hour cube holds it: at most one monitor, and nothing but channels and sentiments besides."""
    asked = with_monitors(asked, viewer=viewer)
    plain = replace(asked, channels=(), sentiments=(), monitors=(), period="", since="", until="")
    if plain.narrows or len(asked.monitors) > 1:
        return None
    monitor = asked.monitors[0] if asked.monitors else series.EVERY_POST
    found = series.totals([monitor], period, viewer=viewer, channels=asked.channels, sentiments=asked.sentiments)
    return found[monitor]


def preview(
    query: CompiledQuery, *, viewer: Member, limit: int = 8, seconds: float = 0.8
) -> tuple[tuple[Post, ...], int, datetime | None]:
    """The newest posts that a query finds, how many it found, and how far back it looked (None: to the end)."""
    archive, scan = archive_of(viewer.workspace), scan_of(Filter(), None, query)
    found: list[int] = []
    reached = None
    for look in _looks(archive, scan, query, first=FIRST_LOOK, seconds=seconds) if scan else ():
        found += look.matched["id"].to_pylist()
        reached = look.reached
    posts = archive.table(Scan(columns=COLUMNS, ids=tuple(found[:limit]))).to_pylist()
    return tuple(posts), len(found), reached


def post_or_404(post_id: int, *, viewer: Member) -> Post:
    """One post by the archive's number."""
    post = archive_of(viewer.workspace).get(post_id) if abs(post_id) < LARGEST else None
    if post is None:
        raise Http404(
            _("This post is not in the archive (any more): it was deleted by its author, erased, or never collected.")
        )
    return post


def post_of_uid(uid: str, *, viewer: Member) -> Post | None:
    """One post by its uid."""
    return archive_of(viewer.workspace).get(uid)


def posts_of_uids(uids: Sequence[str], *, viewer: Member) -> list[Post]:
    """Posts by uid in the order asked for; those that are gone are left out."""
    rows = archive_of(viewer.workspace).named(uids).select(list(COLUMNS)).to_pylist()
    found = {post["uid"]: post for post in rows}
    return [found[uid] for uid in uids if uid in found]


def posts_of_ids(ids: Sequence[int], *, viewer: Member) -> list[Post]:
    """Posts by the archive's numbers, newest first; those that are gone are left out."""
    return archive_of(viewer.workspace).table(Scan(columns=COLUMNS, ids=tuple(ids))).to_pylist() if ids else []


def completed(posts: Sequence[Post], columns: Collection[str], *, viewer: Member) -> list[Post]:
    """Posts with columns that they were read without, where there are any."""
    missing = sorted({name for name in columns if name in COLUMNS and posts and name not in posts[0]})
    if not missing:
        return list(posts)
    scan = Scan(columns=("id", *missing), ids=tuple(post["id"] for post in posts))
    more = {row["id"]: row for row in archive_of(viewer.workspace).table(scan).to_pylist()}
    return [{**dict.fromkeys(missing), **post, **more.get(post["id"], {})} for post in posts]


def thread_of(post: Post, *, viewer: Member) -> list[Post]:
    """The thread around a post, oldest first, as far as it was collected."""
    return archive_of(viewer.workspace).thread(post["uid"]).select(list(COLUMNS)).to_pylist()  # type: ignore[no-any-return]


def posts_of_author(post: Post, *, viewer: Member, limit: int = 5) -> list[Post]:
    """The newest other posts of a post's author in the same channel."""
    account = account_of(post["author"] or {})
    if not account:
        return []
    scan = Scan(columns=COLUMNS, authors=(account,), channels=(post["channel"],), limit=limit + 1)
    rows = archive_of(viewer.workspace).table(scan).to_pylist()
    return [row for row in rows if row["id"] != post["id"]][:limit]


@dataclass(frozen=True)
class Arrived:
    """Posts that came since a version of the archive, newest first, wherever in time they belong.

    `is_cut`: there are more than these.
    """

    posts: tuple[Post, ...]
    is_cut: bool = False


def arrived(
    asked: Filter, *, viewer: Member, period: Period | None, now: datetime, since: int, after: int, limit: int = 100
) -> Arrived:
    """What a filter lets through of the posts that came since a version.

    Where that is too long ago to be told, those newer than the post `after`. Raises QueryError as `mentions`.
    """
    asked = with_monitors(asked, viewer=viewer)
    archive = archive_of(viewer.workspace)
    ids = archive.arrived(since)
    if ids is None:
        found = mentions(asked, viewer=viewer, period=period, now=now, after=after, limit=limit, seconds=0.8)
        return Arrived(found.posts, found.older is not None)
    compiled = compiled_words(asked.words, now=now)
    scan = scan_of(asked, period, compiled)
    if scan is None or not ids:
        return Arrived(())
    newest = tuple(ids[-MOST_ARRIVED:])
    rows = archive.table(replace(scan, ids=newest))
    if compiled is not None:
        rows = rows.filter(matching(rows, compiled, ties_for(compiled, viewer.workspace)))
    return Arrived(tuple(rows.slice(0, limit).to_pylist()), rows.num_rows > limit or len(ids) > len(newest))


def version(*, viewer: Member) -> int:
    """A number that moves when the archive holds something new; cheap to ask each second."""
    return archive_of(viewer.workspace).posts.snapshot().version


def monitors_of(*, viewer: Member) -> list[Monitor]:
    """The workspace's monitors by name."""
    return list(
        Monitor.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None)
        .select_related("owner__user")
        .order_by("name")
    )


def with_monitors(asked: Filter, *, viewer: Member) -> Filter:
    """The filter with every monitor named where it asks for what any of them found; every post where there is none."""
    if not asked.found:
        return asked
    found = Monitor.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).order_by("pk")
    return replace(asked, found="", monitors=asked.monitors or tuple(found.values_list("pk", flat=True)))


def views_of(*, viewer: Member) -> list[SavedView]:
    """The viewer's saved views and those that others share, by name."""
    views = SavedView.objects.filter(workspace_id=viewer.workspace_id).select_related("member__user").order_by("name")
    return [view for view in views if view.shared or view.member_id == viewer.pk]


def corrections_of(post: Post, *, viewer: Member) -> list[Correction]:
    """What people corrected of a post, newest first."""
    return list(
        Correction.objects.filter(workspace_id=viewer.workspace_id, post_id=post["id"], uid=post["uid"]).select_related(
            "by"
        )
    )


def marks_of(posts: Sequence[Post], monitor: Monitor) -> dict[str, bool]:
    """What people said of a monitor's mentions: uid → right."""
    uids = [post["uid"] for post in posts]
    return dict(Mark.objects.filter(monitor=monitor, uid__in=uids).values_list("uid", "right"))


def compiled_words(words: str, *, now: datetime) -> CompiledQuery | None:
    """The words of a filter made ready, None where there are none; raises QueryError, and ValueError for too many."""
    if len(words) > LONGEST_WORDS:
        raise ValueError("longer than a filter may be")
    return compile_query(parse(words, stage="search"), now=now, similarity=MEANING) if words else None


def scan_of(
    asked: Filter,
    period: Period | None,
    compiled: CompiledQuery | None,
    *,
    before: int | None = None,
    after: int | None = None,
) -> Scan | None:
    """What to read for a filter: its facets exactly, its words by what a match must have. None: nothing can match."""
    scan = Scan(
        columns=COLUMNS,
        since=period.since if period else None,
        until=period.until if period else None,
        monitors_any=asked.monitors,
        channels=asked.channels,
        sources=asked.sources,
        languages=asked.languages,
        sentiments=asked.sentiments,
        intents=asked.intents,
        sites=asked.sites,
        authors=asked.authors,
        hashtags=asked.hashtags,
        before=before,
        after=after,
    )
    return narrowed(scan, compiled) if compiled else scan


@dataclass(frozen=True)
class _Look:
    """Matching rows of a stretch, newest first; `last` is the lowest id seen, `reached` its time where time ran out."""

    matched: pa.Table
    last: int | None = None
    reached: datetime | None = None


def _looks(
    archive: Archive,
    scan: Scan,
    compiled: CompiledQuery,
    *,
    first: int,
    seconds: float,
    ties: Ties | None = None,
) -> Iterator[_Look]:
    """The scan stretch by stretch, newest first, until its end or until the time is over.

    It reads the columns that the query looks at; who shows posts fetches theirs by id.
    """
    start, size, before = time.monotonic(), max(first, FIRST_LOOK), scan.before
    columns = columns_for(compiled)
    while True:
        rows = archive.table(replace(scan, columns=columns, limit=size, before=before))
        matched = rows.filter(matching(rows, compiled, ties))
        if rows.num_rows < size:
            yield _Look(matched)
            return
        before = rows["id"][-1].as_py()
        over = time.monotonic() - start > seconds
        yield _Look(matched, before, rows["published_at"][-1].as_py().astimezone(UTC) if over else None)
        if over:
            return
        size = min(size * GROWTH, LARGEST_LOOK)


def corrected_tasks(post_ids: Sequence[int], *, viewer: Member) -> dict[int, set[str]]:
    """Which annotations of which posts stand as people corrected them."""
    found: dict[int, set[str]] = {}
    rows = Correction.objects.filter(workspace_id=viewer.workspace_id, post_id__in=post_ids, undone_at=None)
    for post_id, task in rows.values_list("post_id", "task"):
        found.setdefault(post_id, set()).add(task)
    return found
