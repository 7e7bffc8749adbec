"""Working time over shifts, nights, holidays and changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkworthy.routing.deadlines import NoWorkingTime, Shifts, Targets, due, plan, worked

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Shifts("Europe/Berlin", {day: [(9 * 60, 12 * 60), (13 * 60, 17 * 60)] for day in range(5)})
MONDAY = datetime(2026, 3, 2, 11, 30, tzinfo=BERLIN)


def test_around_the_clock_every_minute_counts() -> None:
    assert due(MONDAY, 90, None) == (MONDAY + timedelta(minutes=90)).astimezone(UTC)


def test_a_break_between_two_shifts_does_not_count() -> None:
    assert due(MONDAY, 60, OFFICE).astimezone(BERLIN) == datetime(2026, 3, 2, 13, 30, tzinfo=BERLIN)


def test_what_is_due_at_the_end_of_a_shift_stands_there() -> None:
    assert due(MONDAY, 30, OFFICE).astimezone(BERLIN) == datetime(2026, 3, 2, 12, 0, tzinfo=BERLIN)


def test_a_weekend_is_passed_over() -> None:
    friday = datetime(2026, 3, 6, 16, 30, tzinfo=BERLIN)
    assert due(friday, 60, OFFICE).astimezone(BERLIN) == datetime(2026, 3, 9, 9, 30, tzinfo=BERLIN)


def test_a_holiday_is_passed_over() -> None:
    free = Shifts(OFFICE.timezone, OFFICE.shifts, frozenset({date(2026, 3, 3)}))
    assert due(MONDAY, 5 * 60, free).astimezone(BERLIN) == datetime(2026, 3, 4, 9, 30, tzinfo=BERLIN)


def test_a_night_shift_over_the_spring_change_has_an_hour_less() -> None:
    night = Shifts("Europe/Berlin", {6: [(0, 6 * 60)]})
    start = datetime(2026, 3, 29, 0, 0, tzinfo=BERLIN)
    assert worked(start, start + timedelta(days=1), night) == timedelta(hours=5)


def test_a_night_shift_over_the_autumn_change_has_an_hour_more() -> None:
    night = Shifts("Europe/Berlin", {6: [(0, 6 * 60)]})
    start = datetime(2026, 10, 25, 0, 0, tzinfo=BERLIN)
    assert worked(start, start + timedelta(days=1), night) == timedelta(hours=7)


def test_a_shift_until_midnight_goes_on_in_the_next() -> None:
    late = Shifts("UTC", {0: [(22 * 60, 1440)], 1: [(0, 2 * 60)]})
    assert due(datetime(2026, 3, 2, 23, 0, tzinfo=UTC), 120, late) == datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


def test_hours_without_a_shift_promise_nothing() -> None:
    with pytest.raises(NoWorkingTime):
        due(MONDAY, 1, Shifts("UTC", {}))


@settings(max_examples=60, deadline=None)
@given(
    after=st.integers(0, 16 * 24 * 60),
    minutes=st.integers(1, 3_000),
    spans=st.lists(st.tuples(st.integers(0, 1400), st.integers(20, 600)), min_size=1, max_size=3),
)
def test_what_is_due_then_is_worked_until_then(after: int, minutes: int, spans: list[tuple[int, int]]) -> None:
    start = datetime(2026, 3, 20, tzinfo=UTC) + timedelta(minutes=after)
    shifts = Shifts(
        "America/New_York", {day: [(begin, min(1440, begin + length)) for begin, length in spans] for day in range(6)}
    )
    at = due(start, minutes, shifts)
    assert worked(start, at, shifts) == timedelta(minutes=minutes)
    assert worked(start, at - timedelta(seconds=1), shifts) < timedelta(minutes=minutes)


def test_an_answered_case_has_no_first_answer_to_give_but_the_next() -> None:
    targets = Targets(first_answer=10, next_answer=20, resolution=100, silent=5)
    found = plan(
        targets, None, opened_at=MONDAY, answered=True, asked_at=MONDAY + timedelta(minutes=30), owned_since=MONDAY
    )
    assert found.first_answer is None
    assert found.next_answer == MONDAY + timedelta(minutes=50)
    assert found.earliest == MONDAY + timedelta(minutes=50)
    assert found.silent == MONDAY + timedelta(minutes=5)
