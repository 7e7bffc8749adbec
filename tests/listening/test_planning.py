"""When a source is fetched again, what falls into a sample, and what is unusual."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from talkworthy.listening.planning import (
    LONGEST_PAUSE,
    how_unusual,
    is_sampled,
    is_silent,
    next_fetch,
    next_try,
    wilson,
)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def seconds(moment):
    return (moment - NOW).total_seconds()


def test_the_next_fetch_comes_after_the_interval():
    assert seconds(next_fetch(now=NOW, interval=300, wait=None, more=False)) == 300


def test_a_channel_that_asks_for_a_longer_pause_gets_it_and_a_shorter_one_does_not_hurry():
    assert seconds(next_fetch(now=NOW, interval=300, wait=900, more=False)) == 900
    assert seconds(next_fetch(now=NOW, interval=300, wait=5, more=False)) == 300


def test_what_has_more_is_fetched_at_once_unless_the_channel_asks_for_a_pause():
    assert seconds(next_fetch(now=NOW, interval=300, wait=None, more=True)) == 0
    assert seconds(next_fetch(now=NOW, interval=300, wait=7, more=True)) == 7


def test_tries_are_spread_further_apart_with_each_failure():
    waits = [seconds(next_try(now=NOW, failures=n, after=60, jitter=0.5)) for n in range(1, 6)]
    assert waits == [60, 120, 240, 480, 960]


@given(some.integers(0, 10_000), some.floats(1, 86_400), some.floats(0, 1))
def test_no_try_comes_sooner_than_asked_nor_after_the_longest_pause(failures, after, jitter):
    wait = seconds(next_try(now=NOW, failures=failures, after=after, jitter=jitter))
    assert after - 0.001 <= wait <= max(after, 1.25 * LONGEST_PAUSE.total_seconds()) + 0.001


@pytest.mark.parametrize("asked", [1e300, math.inf, math.nan, 2.5e11, 86_401.0])
def test_a_channel_that_asks_for_an_absurd_pause_is_looked_at_after_a_day(asked):
    assert seconds(next_fetch(now=NOW, interval=300, wait=asked, more=False)) == 86_400
    assert seconds(next_fetch(now=NOW, interval=300, wait=asked, more=True)) == 86_400
    assert seconds(next_try(now=NOW, failures=3, after=asked, jitter=0.5)) == 86_400


def test_jitter_spreads_the_tries_of_many_sources():
    waits = {next_try(now=NOW, failures=4, after=60, jitter=n / 10) for n in range(11)}
    assert len(waits) == 11


@given(some.text(max_size=40), some.floats(0, 100))
def test_a_post_is_in_every_larger_sample_too(uid, percent):
    if is_sampled(uid, percent):
        assert is_sampled(uid, percent) and is_sampled(uid, 100)
    assert not is_sampled(uid, 0)


def test_a_sample_has_about_the_size_that_was_asked_for():
    taken = sum(is_sampled(f"feed:example.org:{n}", 10) for n in range(10_000))
    assert 900 < taken < 1100


def test_the_interval_of_a_share_is_the_one_in_the_books():
    low, high = wilson(45, 50)
    assert (round(low, 4), round(high, 4)) == (0.7864, 0.9565)


def test_nothing_is_known_of_a_share_that_was_never_looked_at():
    assert wilson(0, 0) == (0.0, 1.0)


@given(some.integers(0, 500), some.integers(0, 500))
def test_the_share_lies_in_its_interval(right, wrong):
    low, high = wilson(right, right + wrong)
    share = right / (right + wrong) if right + wrong else 0.5
    assert 0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1


def test_poisson_counts_get_the_poisson_probability():
    found = how_unusual(3, [1] * 100)
    mean = 1 + 0.5 / math.sqrt(100)
    assert found.probability == pytest.approx(1 - math.exp(-mean) * (1 + mean + mean * mean / 2))


def test_a_flood_is_unusual_and_the_usual_is_not():
    earlier = [3, 5, 4, 2, 6, 4, 3, 5, 4, 4, 5, 3, 2, 6]
    assert how_unusual(40, earlier).probability < 1e-6 < 0.2 < how_unusual(5, earlier).probability


def test_counts_that_always_jump_need_a_larger_jump():
    calm, wild = [10] * 30, [0, 30] * 15
    assert how_unusual(25, calm).probability < 0.001 < how_unusual(25, wild).probability


def test_the_first_mention_after_silence_is_no_sensation():
    assert how_unusual(1, [0] * 28).probability > 0.05


@given(some.integers(0, 300), some.lists(some.integers(0, 100), max_size=60))
def test_it_is_a_probability_whatever_came_before(count, earlier):
    assert 0 <= how_unusual(count, earlier).probability <= 1


def test_silence_is_longer_than_three_times_the_longest_gap():
    arrivals = [NOW - timedelta(hours=hour) for hour in (10, 12, 13, 15, 16)]
    assert is_silent(now=NOW, arrivals=arrivals, factor=3) == (True, timedelta(hours=10), timedelta(hours=6))
    assert is_silent(now=NOW - timedelta(hours=5), arrivals=arrivals, factor=3)[0] is False


def test_with_few_arrivals_nothing_is_said_of_silence():
    arrivals = [NOW - timedelta(days=day) for day in (40, 41, 42, 43)]
    assert is_silent(now=NOW, arrivals=arrivals, factor=3)[0] is False


def test_a_pause_under_an_hour_is_never_silence():
    arrivals = [NOW - timedelta(minutes=minute) for minute in (50, 51, 52, 53, 54)]
    assert is_silent(now=NOW, arrivals=arrivals, factor=3)[0] is False
