"""Counts over time from the cubes: no post is read, and every count leads to the rows it counts."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from django.db.models import F, OuterRef, Q, Subquery, Sum, Value

from talkworthy.listening.models import DayCube, HourCube, Monitor
from talkworthy.listening.periods import HOUR, Bucket, Period
from talkworthy.listening.planning import wilson
from talkworthy.listening.whole_days import whole_days
from talkworthy.schema import SENTIMENTS
from talkworthy.workspaces.models import Member, Workspace

EVERY_POST = 0
"""The cube's number for no monitor: every post once."""

QUIET_HOURS = 6
"""So many hours in a row without a post of any kind are drawn as a gap."""

FEW = 30
"""Under so many posts a share or a change is said to rest on few."""


@dataclass(frozen=True)
class Coverage:
    """The hours that hold posts at all, from first to last; None where there is none."""

    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class Point:
    """One bucket of a series. `posts` is None where nothing of any kind was collected: a gap, not a zero."""

    bucket: Bucket
    posts: int | None


@dataclass(frozen=True)
class Change:
    """A count against the count of the period before: the ratio less one, with its 95 % interval.

    The interval is that of a ratio of two Poisson counts (normal on the logarithm). None where either count is 0.
    """

    now: int
    before: int
    ratio: float | None
    low: float | None
    high: float | None

    @property
    def is_few(self) -> bool:
        """Whether either count is under 30."""
        return min(self.now, self.before) < FEW

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out “no change”."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Share:
    """One part of a whole, with its 95 % Wilson interval and its share of the period before."""

    value: str
    posts: int
    of: int
    before: int
    of_before: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Part of the whole, 0 to 1."""
        return self.posts / self.of if self.of else 0.0

    @property
    def share_before(self) -> float | None:
        """The same in the period before; None where nothing was counted."""
        return self.before / self.of_before if self.of_before else None


@dataclass(frozen=True)
class Engagement:
    """What readers did with the posts of a period, as last counted."""

    posts: int
    replies: int
    shares: int
    likes: int


def coverage(*, viewer: Member) -> Coverage:
    """From when to when there are posts; `last` is the end of the newest hour."""
    held = HourCube.objects.filter(workspace_id=OuterRef("pk"), monitor=EVERY_POST, posts__gt=0)
    first, last = (Subquery(held.order_by(order).values("hour")[:1]) for order in ("hour", "-hour"))
    found = Workspace.objects.filter(pk=viewer.workspace_id).values_list(first, last).get()
    return Coverage(found[0], found[1] + HOUR if found[1] else None)


def standing_now(*, viewer: Member, now: datetime) -> datetime:
    """Now; or the end of the newest posts where these are over 30 days old, as in a recorded set."""
    last = coverage(viewer=viewer).last
    return last if last and last < now - timedelta(days=30) else now


def volume(
    monitors: Sequence[int],
    period: Period,
    *,
    viewer: Member,
    channels: Sequence[str] = (),
    sentiments: Sequence[str] = (),
) -> dict[int, tuple[Point, ...]]:
    """Posts of each monitor (0: every post) in each bucket of the period."""
    buckets = period.buckets()
    counted: dict[int, Counter[datetime]] = defaultdict(Counter)
    for cell in _cells({*monitors, EVERY_POST}, period, viewer, channels=channels, sentiments=sentiments):
        counted[cell.monitor][cell.at] += cell.posts
    alive = _collected(buckets, period, viewer, counted[EVERY_POST] if not channels and not sentiments else None)
    return {monitor: _points(buckets, counted[monitor], alive) for monitor in monitors}


def sentiment_over_time(
    monitor: int, period: Period, *, viewer: Member, channels: Sequence[str] = ()
) -> dict[str, tuple[Point, ...]]:
    """Posts of a monitor in each bucket, sentiment by sentiment; `undecided` is one of them."""
    buckets = period.buckets()
    counted: dict[str, Counter[datetime]] = defaultdict(Counter)
    for cell in _cells({monitor}, period, viewer, by="sentiment", channels=channels):
        counted[cell.value][cell.at] += cell.posts
    alive = _collected(buckets, period, viewer, None)
    return {sentiment: _points(buckets, counted[sentiment], alive) for sentiment in (*SENTIMENTS, *_others(counted))}


def totals(
    monitors: Sequence[int],
    period: Period,
    *,
    viewer: Member,
    channels: Sequence[str] = (),
    sentiments: Sequence[str] = (),
) -> dict[int, int]:
    """Posts of each monitor in the whole period."""
    found: Counter[int] = Counter()
    for cell in _cells(set(monitors), period, viewer, in_steps=False, channels=channels, sentiments=sentiments):
        found[cell.monitor] += cell.posts
    return {monitor: found[monitor] for monitor in monitors}


def feelings(monitor: int, period: Period, *, viewer: Member) -> Counter[str]:
    """Posts of a monitor in the whole period by sentiment; `undecided` is one of them."""
    found: Counter[str] = Counter()
    for cell in _cells({monitor}, period, viewer, by="sentiment", in_steps=False):
        found[cell.value or "undecided"] += cell.posts
    return found


def engagement(monitor: int, period: Period, *, viewer: Member, channels: Sequence[str] = ()) -> Engagement:
    """Posts of a monitor and what readers did with them."""
    names = ("posts", "replies", "shares", "likes")
    hours = _hours({monitor}, viewer, channels, ()).filter(hour__gte=period.since, hour__lt=period.until)
    found = hours.aggregate(**{name: Sum(name) for name in names})
    return Engagement(**{name: found[name] or 0 for name in names})


def change(now: int, before: int) -> Change:
    """How a count compares with the one before."""
    if not now or not before:
        return Change(now, before, None, None, None)
    width = 1.96 * math.sqrt(1 / now + 1 / before)
    ratio = now / before
    return Change(now, before, ratio - 1, ratio * math.exp(-width) - 1, ratio * math.exp(width) - 1)


def share_of_voice(
    monitors: Sequence[int], period: Period, *, viewer: Member, channels: Sequence[str] = ()
) -> list[Share]:
    """Each monitor's part of all their mentions, the largest first; a post of two monitors counts for each."""
    now = totals(monitors, period, viewer=viewer, channels=channels)
    before = totals(monitors, period.before, viewer=viewer, channels=channels)
    return _shares({str(key): n for key, n in now.items()}, {str(key): n for key, n in before.items()})


def channel_shares(monitor: int, period: Period, *, viewer: Member) -> list[Share]:
    """Where the posts of a monitor were said, channel by channel."""
    return _shares(_by_channel(monitor, period, viewer), _by_channel(monitor, period.before, viewer))


def dimension_shares(monitor: int, dimension: str, period: Period, *, viewer: Member) -> list[Share]:
    """Posts of a monitor by language, intent, source or site. The period is widened to whole days of UTC."""
    days = period.of_sources()
    return _shares(
        _by_dimension(monitor, dimension, days, viewer), _by_dimension(monitor, dimension, days.before, viewer)
    )


def sparklines(monitors: Sequence[Monitor], period: Period, *, viewer: Member) -> dict[int, tuple[Point, ...]]:
    """Volume of many monitors at once, for a list of them."""
    return volume([monitor.pk for monitor in monitors], period, viewer=viewer) if monitors else {}


def facets(monitor_ids: Sequence[int], period: Period, *, viewer: Member) -> dict[str, list[tuple[str, int]]]:
    """Channels and sentiments of the period with their counts, for the river's filter; monitors give any of them."""
    wanted = monitor_ids[0] if len(monitor_ids) == 1 else EVERY_POST
    counted = {name: Counter[str]() for name in ("channel", "sentiment")}
    for name, sums in counted.items():
        for cell in _cells({wanted}, period, viewer, by=name, in_steps=False):
            sums[cell.value] += cell.posts
    counted["language"] = Counter(_by_dimension(wanted, "language", period.of_sources(), viewer))
    return {name: [(value, n) for value, n in sums.most_common() if n > 0] for name, sums in counted.items()}


@dataclass(frozen=True)
class _Cell:
    """Posts of a monitor from a moment on that all belong to the moment's bucket; `value` as it was asked for."""

    monitor: int
    at: datetime
    value: str
    posts: int


def _cells(
    monitors: Collection[int],
    period: Period,
    viewer: Member,
    *,
    by: str = "",
    in_steps: bool = True,
    channels: Sequence[str] = (),
    sentiments: Sequence[str] = (),
) -> Iterator[_Cell]:
    """What the cubes hold of a period, `by` channel, sentiment, or neither; `in_steps` for each hour or day.

    Where the day cube can tell, whole days are read from it, and by the hour only what its borders cut off: a year
    then costs what a month does. What counts twice in that way is among the cells a second time, negative.
    """
    narrowed = {name for name, values in (("channel", channels), ("sentiment", sentiments)) if values}
    asked = narrowed | {by} - {""}
    hours = _hours(monitors, viewer, channels, sentiments)
    whole = whole_days(period, in_steps=in_steps)
    if len(asked) > 1 or len(whole.hours) * 2 > period.length // HOUR:
        hours = hours.filter(hour__gte=period.since, hour__lt=period.until)
        for monitor, at, value, posts in _summed(hours, "hour" if in_steps else "", by):
            yield _Cell(monitor, at or period.since, value, posts)
        return
    days = DayCube.objects.filter(
        workspace_id=viewer.workspace_id,
        monitor__in=sorted(monitors),
        dimension=next(iter(asked), "sentiment"),
        day__gte=period.since.date(),
        day__lt=_day_after(period.until),
        **({"value__in": [*channels, *sentiments]} if narrowed else {}),
    ).exclude(day__in=whole.by_hour)
    for monitor, day, value, posts in _summed(days, "day" if in_steps else "", "value" if by else ""):
        yield _Cell(monitor, whole.counts_at(day) if day else period.since, value, posts)
    if whole.hours:
        hours = hours.filter(hour__in=whole.hours)  # alone: beside a range, SQLite reads all hours of the range
        for monitor, at, value, posts in _summed(hours, "hour" if in_steps else "", by):
            yield _Cell(monitor, at or period.since, value, posts)
            if at and at.date() not in whole.by_hour:
                yield _Cell(monitor, whole.counts_at(at.date()), value, -posts)


def _summed(cells: Any, at: str, by: str) -> Iterator[tuple[int, Any, str, int]]:
    """Monitor, moment, value and posts, summed over the moments and values that are not asked for."""
    nothing = Value("")
    keys = ("monitor", F(at) if at else nothing, F(by) if by else nothing)
    yield from cells.order_by().values_list(*keys).annotate(n=Sum("posts"))


def _day_after(until: datetime) -> date:
    """The first day of UTC of which a period has no hour."""
    return until.date() + timedelta(days=1) if until.hour else until.date()


def _hours(monitors: Iterable[int], viewer: Member, channels: Sequence[str], sentiments: Sequence[str]) -> Any:
    """The cells of the hour cube that count, of all time."""
    asked = Q(workspace_id=viewer.workspace_id, monitor__in=sorted(monitors))
    if channels:
        asked &= Q(channel__in=channels)
    if sentiments:
        asked &= Q(sentiment__in=sentiments)
    return HourCube.objects.filter(asked)


def _collected(
    buckets: Sequence[Bucket], period: Period, viewer: Member, known: Mapping[datetime, int] | None
) -> list[bool]:
    """Whether anything was collected around each bucket. A quiet hour is no gap, six of them in a row are."""
    if known is None:
        known = Counter[datetime]()
        for cell in _cells({EVERY_POST}, period, viewer):
            known[cell.at] += cell.posts
    empty = [posts <= 0 for posts in _sums(buckets, known)]
    return [not gap for gap in long_runs(empty, least=QUIET_HOURS if period.grain == "hour" else 1)]


def long_runs(flags: Sequence[bool], *, least: int) -> list[bool]:
    """The flags that stand in a run of at least so many."""
    found: list[bool] = []
    for flag, run in groupby(flags):
        length = sum(1 for _ in run)
        found += [flag and length >= least] * length
    return found


def _points(buckets: Sequence[Bucket], counted: Mapping[datetime, int], alive: Sequence[bool]) -> tuple[Point, ...]:
    sums = _sums(buckets, counted)
    return tuple(
        Point(bucket, posts if posts or there else None)
        for bucket, posts, there in zip(buckets, sums, alive, strict=True)
    )


def _sums(buckets: Sequence[Bucket], counted: Mapping[datetime, int]) -> list[int]:
    """Hours summed into buckets, which stand in order and touch."""
    sums, place = [0] * len(buckets), 0
    for hour in sorted(counted):
        while place < len(buckets) and hour >= buckets[place].until:
            place += 1
        if place < len(buckets) and hour >= buckets[place].since:
            sums[place] += counted[hour]
    return sums


def _by_channel(monitor: int, period: Period, viewer: Member) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for cell in _cells({monitor}, period, viewer, by="channel", in_steps=False):
        counted[cell.value] += cell.posts
    return dict(counted)


def _by_dimension(monitor: int, dimension: str, days: Period, viewer: Member) -> dict[str, int]:
    last = days.until - timedelta(days=1)
    rows = DayCube.objects.filter(
        workspace_id=viewer.workspace_id,
        monitor=monitor,
        dimension=dimension,
        day__gte=days.since.date(),
        day__lte=last.date(),
    )
    return dict(rows.values_list("value").annotate(n=Sum("posts")))


def _shares(now: Mapping[str, int], before: Mapping[str, int]) -> list[Share]:
    of, of_before = sum(now.values()), sum(before.values())
    found = [
        Share(value, posts, of, before.get(value, 0), of_before, *wilson(posts, of))
        for value, posts in now.items()
        if posts > 0
    ]
    return sorted(found, key=lambda share: (-share.posts, share.value))


def _others(counted: Mapping[str, object]) -> list[str]:
    """Values of the cube beyond the known ones, such as the empty one of a post that nobody analysed."""
    return sorted(set(counted) - set(SENTIMENTS))
