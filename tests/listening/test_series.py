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
from talkworthy.listening.models import DayCube, HourCube
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
    assert len(whole_days(period, in_steps=True).hours) < 40 + 24 + 24
    assert len(whole_days(period, in_steps=False).hours) == 24


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
    DayCube.objects.filter(dimension="sentiment").delete()
    assert sum(series.totals([0], period, viewer=carol_looks).values()) < len(counted) / 3


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
