"""Spans of time as people name them, and the buckets that charts count in. Pure: `now` comes in."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

Grain = Literal["hour", "day", "week", "month"]

NAMED: dict[str, timedelta] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "365d": timedelta(days=365),
}
"""Spans that end now; those of days begin at a local midnight and count today as their last day."""

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class BadPeriod(ValueError):
    """A span that cannot be read; the message is for the person who typed it."""


@dataclass(frozen=True)
class Bucket:
    """One step of a chart: `since` is included, `until` is not, both are full hours of UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Period:
    """A span of full hours, in the time zone whose days it is counted in."""

    since: datetime
    until: datetime
    zone: ZoneInfo
    name: str = "custom"

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.until - self.since

    @property
    def days(self) -> int:
        """Its length in days, rounded up."""
        return -(-self.length // DAY)

    @property
    def grain(self) -> Grain:
        """The step that gives between a handful and some hundred points."""
        if self.length <= timedelta(days=2, hours=2):
            return "hour"
        if self.length <= timedelta(days=125):
            return "day"
        return "week" if self.length <= timedelta(days=3 * 366) else "month"

    @property
    def before(self) -> "Period":
        """The span of the same length that ends where this one begins."""
        return replace(self, since=self.since - self.length, until=self.since, name="before")

    @property
    def with_before(self) -> "Period":
        """The span and the one before it, as one."""
        return replace(self, since=self.before.since, name="custom")

    def of_sources(self) -> "Period":
        """The same span in whole days of UTC, for counts that are kept by the day."""
        until = _ceiling_day(self.until)
        return replace(self, since=_floor_day(self.since), until=until, zone=ZoneInfo("UTC"))

    def buckets(self) -> tuple[Bucket, ...]:
        """Steps from first to last; the first and the last may be cut off by the period's ends."""
        borders = [self.since, *(border for border in _borders(self) if self.since < border < self.until), self.until]
        return tuple(Bucket(since, until) for since, until in pairwise(borders))

    @property
    def is_shifted(self) -> bool:
        """Whether the zone's days begin between two full hours of UTC, so that buckets begin up to 45 minutes late."""
        offset = self.since.astimezone(self.zone).utcoffset() or timedelta()
        return offset % HOUR != timedelta()


def read_period(
    name: str,
    *,
    since: str = "",
    until: str = "",
    now: datetime,
    zone: ZoneInfo,
    first: datetime | None = None,
    last: datetime | None = None,
) -> Period:
    """A period from what stands in an address; raises BadPeriod with what would do.

    `first` and `last` are the ends of what there is, for the period `all` (posts may be dated later than now). Days
    are those of `zone`.
    """
    end = _ceiling_hour(now)
    if since or until:
        start = read_moment(since, zone=zone) if since else (first or end - NAMED["30d"])
        stop = read_moment(until, zone=zone, end=True) if until else end
        if stop <= start:
            raise BadPeriod("The period ends before it begins.")
        return Period(_floor_hour(start), _ceiling_hour(stop), zone)
    if name == "all":
        start = _midnight(first.astimezone(zone).date(), zone) if first else end - NAMED["30d"]
        return Period(start, max(end, _ceiling_hour(last) if last else end), zone, "all")
    if name == "24h":
        return Period(end - NAMED["24h"], end, zone, name)
    if name not in NAMED:
        raise BadPeriod(f"“{name}” is not a period: choose {', '.join(NAMED)}, all, or two dates.")
    day = (end - timedelta(microseconds=1)).astimezone(zone).date()
    return Period(_midnight(day - NAMED[name] + DAY, zone), end, zone, name)


def read_moment(text: str, *, zone: ZoneInfo, end: bool = False) -> datetime:
    """A date (its midnight in `zone`, or the next one where it ends a span) or an ISO 8601 time, as UTC."""
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            return _midnight(day + DAY if end else day, zone)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise BadPeriod(f"“{text}” is not a date: write it like 2026-01-31.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _borders(period: Period) -> Iterator[datetime]:
    """The starts of steps around and within a period, oldest first."""
    if period.grain == "hour":
        moment = period.since
        while moment < period.until:
            yield moment
            moment += HOUR
        return
    day = period.since.astimezone(period.zone).date()
    last = period.until.astimezone(period.zone).date()
    while day <= last:
        if _begins(day, period.grain):
            yield _midnight(day, period.zone)
        day += DAY


def _begins(day: date, grain: Grain) -> bool:
    return grain == "day" or (grain == "week" and day.weekday() == 0) or (grain == "month" and day.day == 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first full hour of UTC that lies in the zone's day."""
    return _ceiling_hour(datetime.combine(day, time.min, zone).astimezone(UTC))


def _floor_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _ceiling_hour(moment: datetime) -> datetime:
    floor = _floor_hour(moment)
    return floor if floor == moment else floor + HOUR


def _floor_day(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _ceiling_day(moment: datetime) -> datetime:
    floor = _floor_day(moment)
    return floor if floor == moment else floor + DAY
