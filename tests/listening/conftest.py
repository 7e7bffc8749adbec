"""What the tests of listening share: posts by hand, and the cubes counted a second way."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def _count(workspace):
    """Hour, day and month cells as one would count the archive's rows by hand."""
    from talkworthy.archive import Scan
    from talkworthy.listening import cube
    from talkworthy.listening.stores import archive_of

    hours, days, months = {}, {}, Counter()
    for row in archive_of(workspace).table(Scan(columns=cube.COLUMNS, order=None)).to_pylist():
        at, engagement = row["published_at"], row["engagement"] or {}
        language = row["detected_language"] or (row["language"] or "undecided")[:2].lower()
        values = {"language": language, **{name: row[name] or "" for name in cube.DIMENSIONS[2:]}}
        values["all"] = ""
        values["sentiment"] = row["sentiment"] or "undecided"
        for monitor in (0, *(row["monitors"] or ())):
            key = (monitor, at.replace(minute=0, second=0, microsecond=0), row["channel"], row["sentiment"])
            cell = hours.setdefault((*key[:3], key[3] or "undecided"), [0, 0, 0, 0])
            counts = (1, *(engagement.get(name) or 0 for name in ("replies", "shares", "likes")))
            for place, n in enumerate(counts):
                cell[place] += n
            for dimension, value in values.items():
                held = days.setdefault((monitor, at.date(), dimension, value[:200]), [0, 0, 0, 0])
                for place, n in enumerate(counts):
                    held[place] = held[place] + n if dimension in cube.ENGAGED or not place else None
                if dimension in cube.BY_MONTH:
                    months[monitor, at.date().replace(day=1), dimension, value[:200]] += 1
    return hours, days, dict(months)


def _cells(workspace):
    from talkworthy.listening.models import DayCube, HourCube, MonthCube

    hours = {
        (row.monitor, row.hour, row.channel, row.sentiment): [row.posts, row.replies, row.shares, row.likes]
        for row in HourCube.objects.filter(workspace=workspace)
    }
    days = {
        (row.monitor, row.day, row.dimension, row.value): [row.posts, row.replies, row.shares, row.likes]
        for row in DayCube.objects.filter(workspace=workspace)
    }
    months = {
        (row.monitor, row.month, row.dimension, row.value): row.posts
        for row in MonthCube.objects.filter(workspace=workspace)
    }
    return hours, days, months


@pytest.fixture
def agree():
    """Assert that the cubes of a workspace hold what its archive holds, and more than nothing."""

    def checked(workspace):
        counted = _count(workspace)
        assert counted[0] and _cells(workspace) == counted

    return checked


@pytest.fixture
def row():
    """A post as a row, numbered like those of `filled`."""

    def made(number, text="Acme again", **more):
        return {
            "uid": f"feed:example.org:{number}",
            "text": text,
            "published_at": NOW - timedelta(hours=number),
            "collected_at": NOW,
            "site": "example.org",
            **more,
        }

    return made


@pytest.fixture
def arrive():
    """Put rows, later counts and deletions into the spool as one fetch of the workspace's source."""

    def put(workspace, rows=(), *, seq=2, observations=(), tombstones=()):
        import pyarrow as pa

        from talkworthy.listening.collecting import Listener, source_key
        from talkworthy.listening.models import Source
        from talkworthy.schema import OBSERVATION, TOMBSTONE, posts_table

        key = source_key(Source.objects.get(workspace=workspace, name="Posts"))
        listener = Listener(workspace)
        listener.archive.spool.write(
            key,
            seq,
            posts_table([{**row, "source": key} for row in rows]),
            pa.Table.from_pylist(list(observations), schema=OBSERVATION),
            pa.Table.from_pylist(list(tombstones), schema=TOMBSTONE),
        )
        return listener

    return put
