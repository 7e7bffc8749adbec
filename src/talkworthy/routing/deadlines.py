"""When an answer is due: minutes of working time, over shifts, nights, holidays and changes of the clock. Pure."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FURTHEST = 400
"""Days that are looked ahead: a team that does not work for longer has no working time."""


class NoWorkingTime(ValueError):
    """The hours hold no shift within the days that are looked ahead."""


@dataclass(frozen=True)
class Shifts:
    """When a team works. `shifts`: weekday 0 (Monday) to 6 → [from, to) in minutes of the local day."""

    timezone: str
    shifts: Mapping[int, Sequence[tuple[int, int]]]
    days_off: frozenset[date] = frozenset()


@dataclass(frozen=True)
class Targets:
    """Minutes until each; None: no promise."""

    first_answer: int | None = None
    next_answer: int | None = None
    resolution: int | None = None
    silent: int | None = None


@dataclass(frozen=True)
class Deadlines:
    """When what is due, in UTC; None where nothing is promised."""

    first_answer: datetime | None = None
    next_answer: datetime | None = None
    resolution: datetime | None = None
    silent: datetime | None = None

    @property
    def earliest(self) -> datetime | None:
        """What falls due first of the answers and the resolution."""
        return min(filter(None, (self.first_answer, self.next_answer, self.resolution)), default=None)


def due(start: datetime, minutes: int, shifts: Shifts | None) -> datetime:
    """The moment at which so many minutes of working time have passed since `start`. Raises NoWorkingTime.

    Without shifts every minute counts. A deadline that falls on the end of a shift stands there, not on the next day.
    """
    start = start.astimezone(UTC)
    if shifts is None:
        return start + timedelta(minutes=minutes)
    left = timedelta(minutes=minutes)
    for begin, end in _spans(start, shifts):
        if end <= start:
            continue
        begin = max(begin, start)
        if left <= end - begin:
            return begin + left
        left -= end - begin
    raise NoWorkingTime(f"no shift holds {minutes} minutes within {FURTHEST} days")


def worked(start: datetime, end: datetime, shifts: Shifts | None) -> timedelta:
    """The working time between two moments; nothing where the end comes first."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if end <= start:
        return timedelta(0)
    if shifts is None:
        return end - start
    total = timedelta(0)
    for begin, close in _spans(start, shifts):
        if begin >= end:
            break
        total += max(timedelta(0), min(close, end) - max(begin, start))
    return total


class WorkedTime:
    """The working time between moments of a period, its shifts laid out once: for many lengths."""

    def __init__(self, shifts: Shifts | None, *, since: datetime, until: datetime) -> None:
        self._begins: list[float] = []
        self._spans: list[tuple[float, float]] = []
        """End of each shift, and the seconds worked before it."""
        self._always = shifts is None
        if shifts is None:
            return
        total, day = 0.0, since
        while day < until:
            for begin, end in _spans(day, shifts):
                if self._begins and begin.timestamp() <= self._begins[-1]:
                    continue
                if begin >= until:
                    break
                self._begins.append(begin.timestamp())
                self._spans.append((end.timestamp(), total))
                total += (end - begin).total_seconds()
            day += timedelta(days=FURTHEST - 2)

    def between(self, start: datetime, end: datetime) -> float:
        """Seconds of working time; nothing where the end comes first. Without shifts every second counts."""
        if end <= start:
            return 0.0
        return (end - start).total_seconds() if self._always else self._until(end) - self._until(start)

    def _until(self, at: datetime) -> float:
        moment = at.timestamp()
        place = bisect_right(self._begins, moment) - 1
        if place < 0:
            return 0.0
        end, before = self._spans[place]
        return before + min(moment, end) - self._begins[place]


def plan(
    targets: Targets,
    shifts: Shifts | None,
    *,
    opened_at: datetime,
    answered: bool,
    asked_at: datetime | None = None,
    owned_since: datetime | None = None,
) -> Deadlines:
    """What is due when. `asked_at`: when they first wrote what has no answer; None where they wait for nothing."""
    first = targets.first_answer if not answered else None
    following = targets.next_answer if answered and asked_at else None
    return Deadlines(
        first_answer=None if first is None else due(opened_at, first, shifts),
        next_answer=None if following is None or asked_at is None else due(asked_at, following, shifts),
        resolution=None if targets.resolution is None else due(opened_at, targets.resolution, shifts),
        silent=None if targets.silent is None or owned_since is None else due(owned_since, targets.silent, shifts),
    )


def _spans(start: datetime, shifts: Shifts) -> Iterator[tuple[datetime, datetime]]:
    """The shifts from the day before `start` on, in UTC, in order; overlapping ones are one."""
    zone = ZoneInfo(shifts.timezone)
    day = start.astimezone(zone).date() - timedelta(days=1)
    reached = datetime.min.replace(tzinfo=UTC)
    for _ in range(FURTHEST):
        if day not in shifts.days_off:
            for begin, end in sorted(shifts.shifts.get(day.weekday(), ())):
                opened, closed = max(_at(day, begin, zone), reached), _at(day, end, zone)
                if closed > opened:
                    reached = closed
                    yield opened, closed
        day += timedelta(days=1)


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """A minute of a local day in UTC; 1440 is the midnight after. A time that the clock skips is that after the gap."""
    day, minute = (day + timedelta(days=1), minute - 1440) if minute >= 1440 else (day, minute)
    return datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone).astimezone(UTC)
