"""How counts that are kept by the day of UTC make up buckets that are days of somebody else's. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from talkworthy.listening.periods import HOUR, Period

NOON = 12


@dataclass(frozen=True)
class WholeDays:
    """What to read of a period besides whole days, and where each day counts.

    `by_hour`: days that are read by the hour alone, as the period ends within them. `hours`: all hours to read.
    Of a day that one border cuts, only the hours on the shorter side are read: they count for themselves, and are
    taken off where their day counts, which is `counts_at`.
    """

    by_hour: frozenset[date]
    hours: tuple[datetime, ...]
    _places: Mapping[date, datetime]

    def counts_at(self, day: date) -> datetime:
        """The moment at which a whole day is counted: its midnight, or the border with most of it behind."""
        return self._places.get(day) or _midnight(day)


def whole_days(period: Period, borders: Iterable[datetime] = ()) -> WholeDays:
    """How to read a period by the day, as one or in the parts that some borders make of it."""
    ends = {period.since, period.until}
    by_hour = {end.date() for end in ends if end.hour}
    places: dict[date, datetime] = {}
    beyond: list[datetime] = []
    for border in sorted({*borders} - ends):
        day = border.date()
        if not border.hour or day in by_hour:
            continue
        if day in places:
            by_hour.add(day)
        is_early = border.hour <= NOON
        places[day] = border if is_early else _midnight(day)
        beyond += _hours(_midnight(day), border) if is_early else _hours(border, _midnight(day + timedelta(days=1)))
    within = [
        hour
        for day in sorted(by_hour)
        for hour in _hours(_midnight(day), _midnight(day + timedelta(days=1)))
        if period.since <= hour < period.until
    ]
    beyond = [hour for hour in beyond if hour.date() not in by_hour]
    return WholeDays(frozenset(by_hour), tuple(sorted((*within, *beyond))), places)


def _hours(since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        yield since
        since += HOUR


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
