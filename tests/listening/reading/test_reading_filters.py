import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from talkworthy.listening.filters import Filter, read_filter
from talkworthy.listening.periods import BadPeriod, read_period
from talkworthy.query import check

NOW = datetime(2026, 3, 29, 12, 20, tzinfo=UTC)
BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")


def test_an_address_reads_back_as_the_filter_it_was_made_of():
    asked = Filter(words='"a b" OR c&d', monitors=(3, 1), channels=("mastodon",), sentiments=("negative",), period="7d")
    assert read_filter(QueryDict(asked.address)) == asked


def test_a_monitor_that_is_no_number_is_left_out():
    assert read_filter(QueryDict("monitor=x&monitor=2")).monitors == (2,)


def test_a_value_that_is_switched_twice_is_gone():
    asked = Filter().toggled("channels", "feed")
    assert asked.channels == ("feed",)
    assert asked.toggled("channels", "feed") == Filter()


def test_a_filter_as_a_query_holds_its_facets_and_passes_the_check():
    query = Filter(words="a OR b", channels=("mastodon", "feed"), sentiments=("negative",)).query
    assert query == '(a OR b) AND channel:("mastodon" OR "feed") AND sentiment:"negative"'
    assert check(query, stage="search").verdict != "error"


def test_seven_days_begin_at_a_local_midnight_and_count_today():
    period = read_period("7d", now=NOW, zone=BERLIN)
    assert period.since == datetime(2026, 3, 22, 23, tzinfo=UTC)
    assert period.until == datetime(2026, 3, 29, 13, tzinfo=UTC)


def test_the_day_on_which_clocks_change_has_23_hours():
    period = read_period("", since="2026-03-28", until="2026-03-30", now=NOW, zone=BERLIN)
    assert [bucket.until - bucket.since for bucket in period.buckets()] == [
        timedelta(hours=24),
        timedelta(hours=23),
        timedelta(hours=24),
    ]


def test_days_of_a_zone_between_hours_begin_at_the_next_full_hour_and_say_so():
    period = read_period("", since="2026-03-01", until="2026-03-02", now=NOW, zone=KOLKATA)
    assert period.since == datetime(2026, 2, 28, 19, tzinfo=UTC)
    assert period.is_shifted


def test_buckets_touch_and_cover_the_whole_period():
    for name in ("24h", "7d", "30d", "90d", "365d"):
        period = read_period(name, now=NOW, zone=BERLIN)
        buckets = period.buckets()
        assert (buckets[0].since, buckets[-1].until) == (period.since, period.until)
        assert all(one.until == two.since for one, two in itertools.pairwise(buckets))


@pytest.mark.parametrize(
    "given",
    [
        {"name": "fortnight"},
        {"name": "", "since": "yesterday"},
        {"name": "", "since": "2026-03-02", "until": "2026-03-01"},
    ],
)
def test_a_period_that_cannot_be_read_is_refused_with_a_sentence(given):
    with pytest.raises(BadPeriod):
        read_period(**given, now=NOW, zone=BERLIN)
