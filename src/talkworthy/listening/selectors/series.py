"""Counts over time from the cubes: no post is read, and every count leads to the rows it counts."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import Any, Literal

from django.db.models import Case, F, OuterRef, Q, Subquery, Sum, Value, When

from talkworthy.listening.models import DayCube, HourCube, Monitor, MonthCube
from talkworthy.listening.periods import HOUR, Bucket, Period
from talkworthy.listening.planning import wilson
from talkworthy.listening.whole_days import whole_days
from talkworthy.schema import SENTIMENTS
from talkworthy.workspaces.models import Member, Workspace

EVERY_POST = 0
"""The cube's number for no monitor: every post once."""

QUIET_HOURS = 6
"""So many hours in a row without a post of any kind are drawn as a gap."""

LONG = timedelta(days=124)
"""A period and the one before it are read by the month where together they are longer."""

FEW = 30
"""Under so many posts a share or a change is said to rest on few."""


@dataclass(frozen=True)
class Coverage:
    """The hours that hold posts at all, from first to last; None where there is none."""

    first: datetime | None
    last: datetime | None

    def standing_now(self, now: datetime) -> datetime:
        """Now; or the end of the newest posts where these are over 30 days old, as in a recorded set."""
        return self.last if self.last and self.last < now - timedelta(days=30) else now


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
    """The moment up to which a workspace is looked at: see `Coverage.standing_now`."""
    return coverage(viewer=viewer).standing_now(now)


def volume(
    monitors: Sequence[int],
    period: Period,
    *,
    viewer: Member,
    channels: Sequence[str] = (),
    sentiments: Sequence[str] = (),
    alive: Sequence[bool] | None = None,
) -> dict[int, tuple[Point, ...]]:
    """Posts of each monitor (0: every post) in each bucket of the period.

    `alive` is what `collected` answers, where that is known already.
    """
    buckets = period.buckets()
    counted: dict[int, Counter[datetime]] = defaultdict(Counter)
    for cell in _cells({*monitors, EVERY_POST}, period, viewer, channels=channels, sentiments=sentiments):
        counted[cell.monitor][cell.at] += cell.posts
    if alive is None and (channels or sentiments):
        alive = collected(period, viewer=viewer)
    elif alive is None:
        alive = _collected(buckets, period, counted[EVERY_POST])
    return {monitor: _points(buckets, counted[monitor], alive) for monitor in monitors}


def collected(period: Period, *, viewer: Member) -> tuple[bool, ...]:
    """Whether anything was collected around each bucket. A quiet hour is no gap, six of them in a row are."""
    known = Counter[datetime]()
    for cell in _cells({EVERY_POST}, period, viewer):
        known[cell.at] += cell.posts
    return _collected(period.buckets(), period, known)


def sentiment_over_time(
    monitor: int,
    period: Period,
    *,
    viewer: Member,
    channels: Sequence[str] = (),
    alive: Sequence[bool] | None = None,
) -> dict[str, tuple[Point, ...]]:
    """Posts of a monitor in each bucket, sentiment by sentiment, `undecided` too; `alive` as in `volume`."""
    buckets = period.buckets()
    counted: dict[str, Counter[datetime]] = defaultdict(Counter)
    for cell in _cells({monitor}, period, viewer, by="sentiment", channels=channels):
        counted[cell.value][cell.at] += cell.posts
    alive = collected(period, viewer=viewer) if alive is None else alive
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
    for cell in _cells(set(monitors), period, viewer, steps=WHOLE, channels=channels, sentiments=sentiments):
        found[cell.monitor] += cell.posts
    return {monitor: found[monitor] for monitor in monitors}


def feelings(monitor: int, period: Period, *, viewer: Member) -> Counter[str]:
    """Posts of a monitor in the whole period by sentiment; `undecided` is one of them."""
    found: Counter[str] = Counter()
    for cell in _cells({monitor}, period, viewer, by="sentiment", steps=WHOLE):
        found[cell.value or "undecided"] += cell.posts
    return found


def engagement(
    monitors: Sequence[int], period: Period, *, viewer: Member, channels: Sequence[str] = ()
) -> dict[int, tuple[Engagement, Engagement]]:
    """Posts of each monitor and what readers did with them, in the period and in the one before."""
    sums = {monitor: ([0] * len(COUNTS), [0] * len(COUNTS)) for monitor in monitors}
    for cell in _cells(set(monitors), period, viewer, steps=COMPARED, channels=channels, counts=COUNTS):
        held = sums[cell.monitor][cell.at < period.since]
        for place, n in enumerate(cell.counts):
            held[place] += n
    return {monitor: (Engagement(*now), Engagement(*before)) for monitor, (now, before) in sums.items()}


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
    return voices_compared(engagement(monitors, period, viewer=viewer, channels=channels))


def voices_compared(counted: Mapping[int, tuple[Engagement, Engagement]]) -> list[Share]:
    """The same, from what was counted of each."""
    now, before = ({str(key): pair[place].posts for key, pair in counted.items()} for place in (0, 1))
    return _shares(now, before)


def channel_shares(monitor: int, period: Period, *, viewer: Member) -> list[Share]:
    """Where the posts of a monitor were said, channel by channel."""
    counted = Counter[str](), Counter[str]()
    for cell in _cells({monitor}, period, viewer, by="channel", steps=COMPARED):
        counted[cell.at < period.since][cell.value] += cell.posts
    return _shares(*counted)


def dimension_shares(
    monitor: int, dimensions: Sequence[str], period: Period, *, viewer: Member
) -> dict[str, list[Share]]:
    """Posts of a monitor by language, intent, source, site, community. The period is widened to whole days of UTC."""
    counted = _by_dimensions(monitor, dimensions, period.of_sources(), viewer)
    return {dimension: _shares(*counted[dimension]) for dimension in dimensions}


def sparklines(monitors: Sequence[Monitor], period: Period, *, viewer: Member) -> dict[int, tuple[Point, ...]]:
    """Volume of many monitors at once, for a list of them."""
    return volume([monitor.pk for monitor in monitors], period, viewer=viewer) if monitors else {}


def facets(monitor_ids: Sequence[int], period: Period, *, viewer: Member) -> dict[str, list[tuple[str, int]]]:
    """Channels and sentiments of the period with their counts, for the river's filter; monitors give any of them."""
    wanted = monitor_ids[0] if len(monitor_ids) == 1 else EVERY_POST
    counted = {name: Counter[str]() for name in ("channel", "sentiment")}
    for name, sums in counted.items():
        for cell in _cells({wanted}, period, viewer, by=name, steps=WHOLE):
            sums[cell.value] += cell.posts
    counted["language"], _before = _by_dimensions(wanted, ("language",), period.of_sources(), viewer)["language"]
    return {name: [(value, n) for value, n in sums.most_common() if n > 0] for name, sums in counted.items()}


class Counts:
    """What the charts of one page ask of the cubes, each thing read once."""

    def __init__(
        self,
        monitors: Sequence[int],
        focus: int,
        period: Period,
        *,
        viewer: Member,
        channels: Sequence[str] = (),
        sentiments: Sequence[str] = (),
    ) -> None:
        self.monitors, self.focus, self.period, self.viewer = monitors, focus, period, viewer
        self.channels, self.sentiments = channels, sentiments

    @cached_property
    def volume(self) -> dict[int, tuple[Point, ...]]:
        """`volume` of the compared monitors, and of every post."""
        return volume(
            [*self.monitors, EVERY_POST],
            self.period,
            viewer=self.viewer,
            channels=self.channels,
            sentiments=self.sentiments,
            alive=self.collected if self.channels or self.sentiments else None,
        )

    @cached_property
    def collected(self) -> Sequence[bool]:
        """`collected` of the period."""
        if self.channels or self.sentiments:
            return collected(self.period, viewer=self.viewer)
        return [point.posts is not None for point in self.volume[EVERY_POST]]

    @cached_property
    def sentiment(self) -> dict[str, tuple[Point, ...]]:
        """`sentiment_over_time` of the focus."""
        return sentiment_over_time(
            self.focus, self.period, viewer=self.viewer, channels=self.channels, alive=self.collected
        )

    @cached_property
    def engagement(self) -> dict[int, tuple[Engagement, Engagement]]:
        """`engagement` of the focus and the compared monitors."""
        return engagement([*self.monitors, self.focus], self.period, viewer=self.viewer, channels=self.channels)

    @cached_property
    def share_of_voice(self) -> list[Share]:
        """`share_of_voice` of the compared monitors."""
        return voices_compared({monitor: self.engagement[monitor] for monitor in self.monitors})

    @cached_property
    def channel_shares(self) -> list[Share]:
        """`channel_shares` of the focus."""
        return channel_shares(self.focus, self.period, viewer=self.viewer)

    @cached_property
    def dimension_shares(self) -> dict[str, list[Share]]:
        """`dimension_shares` of the focus, all of them."""
        asked = ("language", "intent", "site", "community")
        return dimension_shares(self.focus, asked, self.period, viewer=self.viewer)


COUNTS = ("posts", "replies", "shares", "likes")

Steps = Literal["buckets", "whole", "compared"]
BUCKETS: Steps = "buckets"
WHOLE: Steps = "whole"
COMPARED: Steps = "compared"
"""Whether a moment's bucket is asked for, the period as a whole, or the period and the one before it."""


@dataclass(frozen=True)
class _Cell:
    """Counts of a monitor from a moment on that all belong to the moment's step; `value` as it was asked for."""

    monitor: int
    at: datetime
    value: str
    counts: tuple[int, ...]

    @property
    def posts(self) -> int:
        return self.counts[0]


def _cells(
    monitors: Collection[int],
    period: Period,
    viewer: Member,
    *,
    by: str = "",
    steps: Steps = BUCKETS,
    channels: Sequence[str] = (),
    sentiments: Sequence[str] = (),
    counts: Sequence[str] = COUNTS[:1],
) -> Iterator[_Cell]:
    """What the cubes hold of a period, `by` channel, sentiment, or neither, for each of its steps.

    Where the day cube can tell, whole days are read from it, and by the hour only what its borders cut off: a year
    then costs what a month does. What counts twice in that way is among the cells a second time, negative.
    """
    narrowed = {name for name, values in (("channel", channels), ("sentiment", sentiments)) if values}
    asked = narrowed | {by} - {""}
    middle = period.since
    borders = [bucket.since for bucket in period.buckets()] if steps == BUCKETS else [middle]
    period = period.with_before if steps == COMPARED else period
    hours = _hours(monitors, viewer, channels, sentiments)
    whole = whole_days(period, borders)
    if len(asked) > 1 or len(whole.hours) * 2 > period.length // HOUR:
        hours = hours.filter(hour__gte=period.since, hour__lt=period.until)
        at = _place("hour", middle) if steps == COMPARED else F("hour") if steps == BUCKETS else None
        for monitor, found, value, sums in _summed(hours, at, by, counts):
            yield _Cell(monitor, _moment(found, period, middle), value, sums)
        return
    days = DayCube.objects.filter(
        workspace_id=viewer.workspace_id,
        monitor__in=sorted(monitors),
        dimension=next(iter(asked), "all"),
        day__gte=period.since.date(),
        day__lt=_day_after(period.until),
        **({"value__in": [*channels, *sentiments]} if narrowed else {}),
    ).exclude(day__in=whole.by_hour)
    border = middle.date() if whole.counts_at(middle.date()) >= middle else middle.date() + timedelta(days=1)
    at = _place("day", border) if steps == COMPARED else F("day") if steps == BUCKETS else None
    for monitor, found, value, sums in _summed(days, at, "value" if by else "", counts):
        moment = whole.counts_at(found) if isinstance(found, date) else _moment(found, period, middle)
        yield _Cell(monitor, moment, value, sums)
    if whole.hours:
        hours = hours.filter(hour__in=whole.hours)  # alone: beside a range, SQLite reads all hours of the range
        for monitor, hour, value, sums in _summed(hours, F("hour") if steps != WHOLE else None, by, counts):
            yield _Cell(monitor, hour or period.since, value, sums)
            if hour and hour.date() not in whole.by_hour:
                yield _Cell(monitor, whole.counts_at(hour.date()), value, tuple(-n for n in sums))


def _place(column: str, border: date) -> Case:
    """1 before a border, else 2."""
    return Case(When(**{f"{column}__lt": border}, then=Value(1)), default=Value(2))


def _moment(found: Any, period: Period, middle: datetime) -> datetime:
    """The moment of an hour or of a place; the beginning where neither was asked."""
    if isinstance(found, datetime):
        return found
    return middle if found == 2 else period.since


def _summed(
    cells: Any, at: F | Case | None, by: str, counts: Sequence[str]
) -> Iterator[tuple[int, Any, str, tuple[int, ...]]]:
    """Monitor, moment, value and sums over the moments and values that are not asked for."""
    keys = ("monitor", at or Value(0), F(by) if by else Value(""))
    sums = {f"sum_of_{name}": Sum(name) for name in counts}
    for monitor, found, value, *summed in cells.order_by().values_list(*keys).annotate(**sums):
        yield monitor, found, value, tuple(n or 0 for n in summed)


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


def _collected(buckets: Sequence[Bucket], period: Period, known: Mapping[datetime, int]) -> tuple[bool, ...]:
    empty = [posts <= 0 for posts in _sums(buckets, known)]
    return tuple(not gap for gap in long_runs(empty, least=QUIET_HOURS if period.grain == "hour" else 1))


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


def _by_dimensions(
    monitor: int, dimensions: Sequence[str], days: Period, viewer: Member
) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """Posts by the values of some dimensions, in whole days of UTC and in as many before; by the month where it can."""
    both, middle = days.with_before, days.since.date()
    since, until = both.since.date(), both.until.date()
    months = [] if both.length <= LONG else [*_months(since, middle), *_months(middle, until)]
    cells = {"workspace_id": viewer.workspace_id, "monitor": monitor, "dimension__in": dimensions}
    by_day = DayCube.objects.filter(**cells, day__gte=since, day__lt=until)
    if months:
        by_day = DayCube.objects.filter(**cells, day__in=_days_beside(months, since, until))
    counted = {dimension: (Counter[str](), Counter[str]()) for dimension in dimensions}
    for column, found in (("day", by_day), ("month", MonthCube.objects.filter(**cells, month__in=months))):
        keys = ("dimension", "value", _place(column, middle))
        for dimension, value, place, posts in found.order_by().values_list(*keys).annotate(n=Sum("posts")):
            counted[dimension][2 - place][value] += posts
    return counted


def _months(since: date, until: date) -> Iterator[date]:
    """The months that lie wholly between two days."""
    month = since if since.day == 1 else _next_month(since)
    while _next_month(month) <= until:
        yield month
        month = _next_month(month)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _days_beside(months: Iterable[date], since: date, until: date) -> list[date]:
    """The days between two that lie in none of the months."""
    held = {(month.year, month.month) for month in months}
    days = (since + timedelta(days=n) for n in range((until - since).days))
    return [day for day in days if (day.year, day.month) not in held]


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
