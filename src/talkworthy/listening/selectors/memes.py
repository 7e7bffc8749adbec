"""What rises: phrases, hashtags and links said by more voices than before, with who carried them first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache

from talkworthy.analysis.memes import ENOUGH_POSTS, HASHTAG, LINK, Meme, Term, common_words, rising
from talkworthy.analysis.trends import Window
from talkworthy.archive import Scan
from talkworthy.listening.periods import Period
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Member

NEWEST, BASELINE, OTHERS, SHOWN = 12_000, 18_000, 2_000, 20
"""Posts that are read, newest first, of the period, of the one before it, and of whatever was said before, where that
one is too short to know everyday words; memes that are shown."""

COLUMNS = ("uid", "channel", "author", "title", "text", "links", "hashtags", "published_at", "engagement")
KEPT_FOR = 300
"""Seconds that an answer is kept, while the archive has not moved much."""


@dataclass(frozen=True)
class Rising:
    """The memes of a window, and what they were compared with."""

    memes: tuple[Meme, ...]
    since: datetime
    until: datetime
    posts: int
    baseline_since: datetime | None
    baseline: int
    is_cut: bool


def rising_memes(monitors: Sequence[int], period: Period, *, viewer: Member) -> Rising:
    """What rises among the mentions of the monitors (none: every post); reads at most 30,000 posts."""
    span = f"{period.since.timestamp():.0f}-{period.until.timestamp():.0f}"
    key = f"memes:{viewer.workspace_id}:{'-'.join(map(str, sorted(monitors)))}:{span}"
    kept: Rising | None = cache.get(key)
    if kept is not None:
        return kept
    found = _rising(tuple(monitors), period, viewer)
    cache.set(key, found, KEPT_FOR)
    return found


def query_of(meme: Meme) -> str:
    """The query that finds the posts of a meme: its name and its variants."""
    return " OR ".join(
        dict.fromkeys(_asked(term) for term in (meme.term, *(variant.term for variant in meme.variants)))
    )


def _rising(monitors: tuple[int, ...], period: Period, viewer: Member) -> Rising:
    archive = archive_of(viewer.workspace)
    posts = archive.table(
        Scan(columns=COLUMNS, monitors_any=monitors, since=period.since, until=period.until, limit=NEWEST)
    )
    is_cut = posts.num_rows == NEWEST
    since = posts["published_at"][-1].as_py() if is_cut else period.since
    before = period.before.since if not is_cut else None
    baseline = archive.table(Scan(columns=COLUMNS, monitors_any=monitors, since=before, until=since, limit=BASELINE))
    common = frozenset[str]()
    if monitors and baseline.num_rows < ENOUGH_POSTS:  # which words everybody uses, the other posts know
        common = common_words(archive.table(Scan(columns=COLUMNS, until=since, limit=OTHERS)))
    memes = rising(posts, baseline, window=Window(since, period.until), most=SHOWN, common=common)
    began = baseline["published_at"][-1].as_py() if baseline.num_rows else None
    return Rising(tuple(memes), since, period.until, posts.num_rows, began, baseline.num_rows, is_cut)


def _asked(term: Term) -> str:
    text = term.text.replace('"', " ")
    if term.kind == HASHTAG:
        return f"#{text}"
    return f'links:"{text}"' if term.kind == LINK else f'"{text}"'
