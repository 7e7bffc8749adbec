"""Charts of long periods are read by the day, and must say what the hours say."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from talkworthy.archive.columns import ROWS
from talkworthy.listening import cube
from talkworthy.listening.models import DayCube, HourCube, MonthCube
from talkworthy.listening.periods import Period
from talkworthy.listening.selectors import series
from talkworthy.listening.whole_days import whole_days
from talkworthy.workspaces.models import Member, Workspace

SINCE, UNTIL = datetime(2025, 2, 3, 7, tzinfo=UTC), datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def carol_looks(carol, workspace):
    """Carol, who may read."""
    return Member.objects.get(user=carol, workspace=workspace)


@pytest.fixture
def counted(workspace):
    """Nine hundred posts over a year and more, many of them around midnight, counted; and a decoy workspace."""
    chance = random.Random(4)
    rows = []
    for number in range(900):
        at = SINCE - timedelta(days=30) + timedelta(days=chance.randrange(460), hours=chance.choice((0, 4, 5, 18, 23)))
        rows.append(
            {
                "published_at": at,
                "channel": chance.choice(("feed", "mastodon")),
                "sentiment": chance.choice(("negative", "positive", None)),
                "monitors": chance.choice(([1], [1, 2], [])),
                "site": chance.choice(("example.org", "example.net", None)),
                "engagement": chance.choice((None, {"likes": chance.randrange(9), "replies": 1})),
                "number": number,
            }
        )
    table = pa.Table.from_pylist([{name: row.get(name) for name in ROWS.names} for row in rows], schema=ROWS)
    cube.count_changes(workspace, "1", added=[table], removed=[], now=UNTIL)
    elsewhere = Workspace.objects.create(name="Elsewhere", slug="elsewhere")
    cube.count_changes(elsewhere, "1", added=[table], removed=[], now=UNTIL)
    return rows


def by_hand(rows, monitor, bucket, **asked):
    return sum(
        bucket.since <= row["published_at"] < bucket.until
        and (not monitor or monitor in row["monitors"])
        and all((row[name] or "undecided") in values for name, values in asked.items())
        for row in rows
    )


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
def test_a_year_by_the_day_is_the_year_by_the_hour(counted, carol_looks, zone):
    period = Period(SINCE, UNTIL, ZoneInfo(zone))
    assert period.grain == "week"
    asked = ({}, {"channels": ("feed",)}, {"sentiments": ("undecided",)})
    for narrowed in (*asked, {**asked[1], **asked[2]}):
        found = series.volume([0, 1, 2], period, viewer=carol_looks, **narrowed)
        by = {name.removesuffix("s"): values for name, values in narrowed.items()}
        for monitor, points in found.items():
            expected = [by_hand(counted, monitor, point.bucket, **by) for point in points]
            assert [point.posts or 0 for point in points] == expected
        whole = series.totals([0, 1, 2], period, viewer=carol_looks, **narrowed)
        assert whole == {monitor: sum(point.posts or 0 for point in points) for monitor, points in found.items()}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
@pytest.mark.parametrize("end", [UNTIL, datetime(2025, 4, 15, 23, tzinfo=UTC), datetime(2025, 11, 20, tzinfo=UTC)])
def test_a_month_of_a_viewers_days_is_the_month_by_the_hour(counted, carol_looks, zone, end):
    period = Period(end - timedelta(days=40, hours=5), end, ZoneInfo(zone))
    assert period.grain == "day"
    for sentiments in ((), ("negative",)):
        found = series.volume([0, 1], period, viewer=carol_looks, sentiments=sentiments)
        asked = {"sentiment": sentiments} if sentiments else {}
        for monitor, points in found.items():
            expected = [by_hand(counted, monitor, point.bucket, **asked) for point in points]
            assert [point.posts or 0 for point in points] == expected
            whole = series.totals([monitor], period, viewer=carol_looks, sentiments=sentiments)
            assert whole[monitor] == sum(expected)


def test_days_near_utc_take_few_hours(counted, carol_looks):
    period = Period(UNTIL - timedelta(days=40), UNTIL, ZoneInfo("Europe/Berlin"))
    borders = [bucket.since for bucket in period.buckets()]
    assert len(whole_days(period, borders).hours) < 40 + 24 + 24
    assert len(whole_days(period).hours) == 24


def test_a_year_of_sentiments_channels_and_facets_adds_up(counted, carol_looks):
    period = Period(SINCE, UNTIL, ZoneInfo("America/New_York"))
    for sentiment, points in series.sentiment_over_time(1, period, viewer=carol_looks, channels=("feed",)).items():
        expected = [by_hand(counted, 1, point.bucket, sentiment=(sentiment,), channel=("feed",)) for point in points]
        assert [point.posts or 0 for point in points] == expected
    whole = series.totals([1], period, viewer=carol_looks)[1]
    for sentiment, points in series.sentiment_over_time(1, period, viewer=carol_looks).items():
        expected = [by_hand(counted, 1, point.bucket, sentiment=(sentiment,)) for point in points]
        assert [point.posts or 0 for point in points] == expected
    assert sum(share.posts for share in series.channel_shares(1, period, viewer=carol_looks)) == whole
    facets = series.facets([1], period, viewer=carol_looks)
    assert sum(n for _, n in facets["channel"]) == sum(n for _, n in facets["sentiment"]) == whole


def test_a_year_costs_a_few_statements_and_few_hours(counted, carol_looks):
    period = Period(SINCE, UNTIL, ZoneInfo("America/New_York"))
    with CaptureQueriesContext(connection) as statements:
        series.volume([1, 2], period, viewer=carol_looks)
    assert len(statements) == 2
    HourCube.objects.filter(hour__hour=12).delete()
    DayCube.objects.filter(dimension="all").delete()
    assert sum(series.totals([0], period, viewer=carol_looks).values()) < len(counted) / 3


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
@pytest.mark.parametrize("days", [2, 30, 190])
def test_engagement_of_a_period_and_of_the_one_before_is_that_of_their_posts(counted, carol_looks, zone, days):
    period = Period(UNTIL - timedelta(days=days, hours=3), UNTIL, ZoneInfo(zone))
    for channels in ((), ("feed",)):
        found = series.engagement([0, 1, 2], period, viewer=carol_looks, channels=channels)
        for monitor, pair in found.items():
            for held, span in zip(pair, (period, period.before), strict=True):
                rows = [
                    row["engagement"] or {}
                    for row in counted
                    if by_hand([row], monitor, span, **({"channel": channels} if channels else {}))
                ]
                sums = [sum(row.get(name, 0) for row in rows) for name in ("replies", "shares", "likes")]
                assert (held.posts, [held.replies, held.shares, held.likes]) == (len(rows), sums)


@pytest.mark.parametrize("days", [1, 31, 59, 190, 330])
def test_a_dimension_by_the_month_is_the_dimension_by_the_day(counted, carol_looks, days):
    period = Period(UNTIL - timedelta(days=days), UNTIL, ZoneInfo("Europe/Berlin"))
    widened = period.of_sources()
    shares = series.dimension_shares(1, ("site", "community"), period, viewer=carol_looks)
    for share in shares["site"]:
        of = [row for row in counted if (row["site"] or "") == share.value]
        assert (share.posts, share.before) == (by_hand(of, 1, widened), by_hand(of, 1, widened.before))
    assert sum(share.posts for share in shares["site"]) == by_hand(counted, 1, widened)
    assert shares["community"][0].posts == by_hand(counted, 1, widened)


def test_the_counts_of_a_page_are_read_once_and_are_those_of_each_question(counted, carol_looks):
    for channels, zone in (((), "UTC"), ((), "America/New_York"), (("feed",), "America/New_York")):
        period = Period(SINCE, UNTIL, ZoneInfo(zone))
        with CaptureQueriesContext(connection) as statements:
            counts = series.Counts([1, 2], 1, period, viewer=carol_looks, channels=channels)
            asked = [getattr(counts, name) for name in READ_ONCE for _twice in range(2)]
        assert len(asked) == 2 * len(READ_ONCE) and len(statements) == (11 if channels else 10)
        narrowed: dict = {"viewer": carol_looks, "channels": channels}
        assert counts.volume == series.volume([1, 2, 0], period, **narrowed)
        assert counts.sentiment == series.sentiment_over_time(1, period, **narrowed)
        assert counts.share_of_voice == series.share_of_voice([1, 2], period, **narrowed)
        assert counts.channel_shares == series.channel_shares(1, period, viewer=carol_looks)
        before = series.totals([1], period.before, **narrowed)
        assert counts.engagement[1][1].posts == before[1]


READ_ONCE = ("volume", "sentiment", "engagement", "share_of_voice", "channel_shares", "dimension_shares")


def test_coverage_is_one_statement(counted, carol_looks):
    with CaptureQueriesContext(connection) as statements:
        covered = series.coverage(viewer=carol_looks)
    assert len(statements) == 1
    times = [row["published_at"] for row in counted]
    assert (covered.first, covered.last) == (min(times), max(times) + timedelta(hours=1))


def test_where_nothing_was_counted_there_is_no_coverage(carol_looks):
    assert series.coverage(viewer=carol_looks) == series.Coverage(None, None)


def test_an_older_desk_learns_its_days_from_its_hours(counted, carol_looks):
    from importlib import import_module

    from django.apps import apps
    from django.db import connection

    migration = import_module("talkworthy.listening.migrations.0004_days_by_channel_and_sentiment")
    cells = ("workspace_id", "day", "monitor", "dimension", "value", "posts")
    before = set(DayCube.objects.values_list(*cells))
    migration.forget_days(apps, connection.schema_editor())
    assert DayCube.objects.count() < len(before)
    migration.count_days(apps, connection.schema_editor())
    assert set(DayCube.objects.values_list(*cells)) == before


def test_an_older_desk_learns_engagement_and_months_from_what_it_counted(counted):
    from importlib import import_module

    from django.apps import apps

    migration = import_module("talkworthy.listening.migrations.0010_engagement_by_day_and_months")
    keys = ("workspace_id", "monitor", "dimension", "value", "posts")
    days, months = (*keys, "day", "replies", "shares", "likes"), (*keys, "month")
    before = set(DayCube.objects.values_list(*days)), set(MonthCube.objects.values_list(*months))
    MonthCube.objects.all().delete()
    DayCube.objects.filter(dimension="all").delete()
    DayCube.objects.update(replies=None, shares=None, likes=None)
    migration.sum_up(apps, connection.schema_editor())
    assert (set(DayCube.objects.values_list(*days)), set(MonthCube.objects.values_list(*months))) == before
    assert {row[-1] for row in before[1]} and DayCube.objects.filter(likes__gt=0).exists()
