"""Counts that are kept as posts arrive, so that a chart costs the same whatever the number of posts.

Three cubes: hour × monitor × channel × sentiment with engagement, day × monitor × one more dimension, and the same by
month where a dimension has many values. Monitor 0 counts every post once. A batch is applied once, by its name; what
changes later is corrected by negative rows. Where a process ended between storing and counting, nobody can tell what
was not counted: all is counted anew. Distinct authors cannot be added up, so they are not here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection, transaction
from django.utils import timezone

from talkworthy.archive import Appended, Archive, Scan
from talkworthy.listening.models import Batch, DayCube, HourCube, MonthCube
from talkworthy.workspaces.models import Workspace

EVERY_POST = 0
DIMENSIONS = ("all", "language", "intent", "source", "site", "community", "channel", "sentiment")
ENGAGED = ("all", "channel")
"""Those whose days hold engagement too."""
BY_MONTH = ("language", "intent", "source", "site", "community")
"""Those that are summed by the month too; the others are asked in a viewer's days."""
COLUMNS = (
    "id",
    "uid",
    "published_at",
    "channel",
    "sentiment",
    "language",
    "detected_language",
    "intent",
    "source",
    "site",
    "community",
    "engagement",
    "monitors",
)
"""What counting needs of a post."""

REMEMBERED = timedelta(days=30)
"""How long it is written down that a batch was counted."""
SCANS = 3
"""How often counting anew begins again because somebody corrected a post meanwhile, before they have to wait."""

CUBES = (HourCube, DayCube, MonthCube)
_COUNTS = ("posts", "replies", "shares", "likes")
_HOUR_KEYS = ("monitor", "hour", "channel", "sentiment")
_DAY_KEYS = ("monitor", "day", "dimension", "value")
_MONTH_KEYS = ("monitor", "month", "dimension", "value")


@dataclass(frozen=True)
class Begun:
    """What was written down of batches that will be counted."""

    cut_short: bool
    """Earlier ones were begun and never counted."""
    unheard_of: bool
    """None of these was begun before, as far as anybody remembers (see `prune_batches`)."""
    counted: bool = False
    """Some of these were counted before: they were stored, and what came after was cut short."""


def begin(workspace: Workspace, names: Sequence[str], *, now: datetime) -> Begun:
    """Write down, before batches are stored, that they will be counted."""
    cut_short = Batch.objects.filter(workspace=workspace, applied_at=None).exists()
    known = Batch.objects.filter(workspace=workspace, name__in=names)
    unheard_of = not known.exists()
    counted = known.exclude(applied_at=None).exists()
    rows = [Batch(workspace=workspace, name=name, created_at=now) for name in names]
    Batch.objects.bulk_create(rows, ignore_conflicts=True)
    return Begun(cut_short, unheard_of, counted)


def prune_batches(workspace: Workspace, *, now: datetime) -> int:
    """Forget batches that were counted long ago; returns how many.

    One that comes again all the same is known to the archive, and so was counted: it is begun before it is stored,
    and forgotten only once it was counted.
    """
    old = Batch.objects.filter(workspace=workspace, applied_at__lt=now - REMEMBERED)
    return old.delete()[0]


def count_stored(
    workspace: Workspace,
    names: Sequence[str],
    *,
    added: Iterable[pa.Table],
    removed: Iterable[pa.Table],
    now: datetime,
    also: Callable[[], object] = lambda: None,
) -> bool:
    """Count what storing these batches changed, once: False where each of them was counted before.

    `also` is called in the same transaction: what it writes is there exactly when the batches are counted.
    """
    waiting = Batch.objects.filter(workspace=workspace, name__in=names, applied_at=None)
    with transaction.atomic():
        if not waiting.update(applied_at=now):
            return False
        _apply(workspace, added, removed)
        also()
    return True


def count_appended(workspace: Workspace, name: str, appended: Appended, *, now: datetime) -> bool:
    """Count what an append changed, once: False where the batch of this name was counted before."""
    return count_changes(
        workspace,
        name,
        added=[appended.new, appended.edited, appended.recounted.rows],
        removed=[appended.previous, appended.recounted.previous],
        now=now,
    )


def count_changes(
    workspace: Workspace, name: str, *, added: Iterable[pa.Table], removed: Iterable[pa.Table], now: datetime
) -> bool:
    """Add posts to the cubes and take others out, in one transaction with the name of the batch."""
    with transaction.atomic():
        _row, created = Batch.objects.get_or_create(workspace=workspace, name=name, defaults={"applied_at": now})
        if not created:
            return False
        _apply(workspace, added, removed)
    return True


def _apply(workspace: Workspace, added: Iterable[pa.Table], removed: Iterable[pa.Table]) -> None:
    more, less = list(added), list(removed)
    hours = _netted([_hours(table, 1) for table in more] + [_hours(table, -1) for table in less], _HOUR_KEYS)
    days = _netted([_days(table, 1) for table in more] + [_days(table, -1) for table in less], _DAY_KEYS)
    _put(workspace, Cells(hours, days, 0))


def hold(workspace: Workspace) -> None:
    """Wait until nobody changes posts or counts of a workspace, and let nobody until this transaction ends.

    Whoever changes a post that is stored takes it before the change: so that counting anew sees either both the
    change and its name, or neither.
    """
    Workspace.objects.select_for_update().filter(pk=workspace.pk).values_list("pk").first()


@dataclass(frozen=True)
class Cells:
    """What was counted."""

    hours: pa.Table
    days: pa.Table
    posts: int


def rebuild(workspace: Workspace, archive: Archive, *, also: Callable[[], object] = lambda: None) -> int:
    """Count everything anew from the archive, and take every batch as counted; returns the number of posts.

    Readers see the old counts until then. Nothing may be stored meanwhile; what is corrected meanwhile is seen.
    `also` is called in the same transaction.
    """

    def scan() -> Cells:
        hours, days, total = pa.table({}), pa.table({}), 0
        for batch in archive.scan(Scan(columns=COLUMNS, order=None)):
            table = pa.Table.from_batches([batch])
            total += table.num_rows
            hours = _netted([hours, _hours(table, 1)], _HOUR_KEYS)
            days = _netted([days, _days(table, 1)], _DAY_KEYS)
        return Cells(hours, days, total)

    def put(cells: Cells) -> None:
        for cube in CUBES:
            cube.objects.filter(workspace=workspace).delete()
        _put(workspace, cells)
        Batch.objects.filter(workspace=workspace, applied_at=None).update(applied_at=timezone.now())
        also()

    return _counted_anew(workspace, scan, put)


def recount_monitor(workspace: Workspace, archive: Archive, monitor: int) -> int:
    """Count one monitor's mentions anew, after history was matched again. Nothing may be stored meanwhile."""

    def scan() -> Cells:
        hours, days, total = pa.table({}), pa.table({}), 0
        for batch in archive.scan(Scan(columns=COLUMNS, monitors_any=(monitor,), order=None)):
            table = pa.Table.from_batches([batch])
            own = pa.array([[monitor]] * table.num_rows, pa.list_(pa.int32()))
            table = table.set_column(table.schema.get_field_index("monitors"), "monitors", own)
            total += table.num_rows
            hours = _netted([hours, _only(_hours(table, 1), monitor)], _HOUR_KEYS)
            days = _netted([days, _only(_days(table, 1), monitor)], _DAY_KEYS)
        return Cells(hours, days, total)

    def put(cells: Cells) -> None:
        for cube in CUBES:
            cube.objects.filter(workspace=workspace, monitor=monitor).delete()
        _put(workspace, cells)

    return _counted_anew(workspace, scan, put)


def _counted_anew(workspace: Workspace, scan: Callable[[], Cells], put: Callable[[Cells], None]) -> int:
    """Scan without holding anybody up, and put the counts in place unless a post was changed meanwhile."""
    for _try in range(SCANS):
        before = _newest_batch(workspace)
        cells = scan()
        with transaction.atomic():
            hold(workspace)
            if _newest_batch(workspace) == before:
                put(cells)
                return cells.posts
    with transaction.atomic():
        hold(workspace)
        cells = scan()
        put(cells)
    return cells.posts


def _newest_batch(workspace: Workspace) -> int | None:
    return Batch.objects.filter(workspace=workspace).order_by("-pk").values_list("pk", flat=True).first()


def _put(workspace: Workspace, cells: Cells) -> None:
    _add(HourCube, workspace, _HOUR_KEYS, _COUNTS, cells.hours)
    _add(DayCube, workspace, _DAY_KEYS, _COUNTS, cells.days)
    _add(MonthCube, workspace, _MONTH_KEYS, ("posts",), _months(cells.days))


def _only(cells: pa.Table, monitor: int) -> pa.Table:
    return cells.filter(pc.equal(cells["monitor"], monitor)) if cells.num_rows else cells


def differences(workspace: Workspace, archive: Archive) -> dict[str, tuple[int, int]]:
    """Where cube and archive disagree: month and sentiment → (posts in the cube, in the archive). Empty is well."""
    counted: dict[str, int] = {}
    cells = HourCube.objects.filter(workspace=workspace, monitor=EVERY_POST)
    for hour, sentiment, posts in cells.values_list("hour", "sentiment", "posts"):
        key = f"{hour:%Y-%m} {sentiment}"
        counted[key] = counted.get(key, 0) + posts
    stored: dict[str, int] = {}
    for row in archive.count(Scan(), by=("day", "sentiment")).to_pylist():
        key = f"{row['day']:%Y-%m} {row['sentiment'] or 'undecided'}"
        stored[key] = stored.get(key, 0) + row["posts"]
    months = counted.keys() | stored.keys()
    pairs = {month: (counted.get(month, 0), stored.get(month, 0)) for month in sorted(months)}
    return {month: pair for month, pair in pairs.items() if pair[0] != pair[1]}


def _hours(posts: pa.Table, sign: int) -> pa.Table:
    if not posts.num_rows:
        return pa.table({})
    rows, monitors = _per_monitor(posts)
    engagement = _counts(posts)
    table = pa.table(
        {
            "monitor": monitors,
            "hour": pc.floor_temporal(posts["published_at"], unit="hour").take(rows),
            "channel": posts["channel"].take(rows),
            "sentiment": pc.fill_null(posts["sentiment"], "undecided").take(rows),
            "posts": pa.array([sign] * len(rows), pa.int64()),
            **{name: pc.multiply(column, sign).take(rows) for name, column in engagement.items()},
        }
    )
    return _grouped(table, _HOUR_KEYS, _COUNTS)


def _days(posts: pa.Table, sign: int) -> pa.Table:
    if not posts.num_rows:
        return pa.table({})
    rows, monitors = _per_monitor(posts)
    days = pc.cast(pc.floor_temporal(posts["published_at"], unit="day"), pa.date32()).take(rows)
    declared = pc.utf8_lower(pc.utf8_slice_codeunits(posts["language"], 0, 2))
    engagement = {name: pc.multiply(column, sign).take(rows) for name, column in _counts(posts).items()}
    values = {
        "all": pa.array([""] * posts.num_rows, pa.string()),
        "language": pc.coalesce(posts["detected_language"], declared, pa.scalar("undecided")),
        "intent": posts["intent"],
        "source": posts["source"],
        "site": posts["site"],
        "community": posts["community"],
        "channel": posts["channel"],
        "sentiment": pc.fill_null(posts["sentiment"], "undecided"),
    }
    pieces = []
    for dimension in DIMENSIONS:
        value = pc.utf8_slice_codeunits(pc.fill_null(values[dimension], ""), 0, 200).take(rows)
        counts = engagement if dimension in ENGAGED else {}
        table = (
            pa.table({"monitor": monitors, "day": days, "value": value, **counts})
            .group_by(["monitor", "day", "value"])
            .aggregate([([], "count_all"), *((name, "sum") for name in counts)])
        )
        unknown = pa.nulls(table.num_rows, pa.int64())
        pieces.append(
            pa.table(
                {
                    "monitor": table["monitor"],
                    "day": table["day"],
                    "dimension": pa.array([dimension] * table.num_rows, pa.string()),
                    "value": table["value"],
                    "posts": pc.multiply(table["count_all"], sign),
                    **{name: table[f"{name}_sum"] if counts else unknown for name in _COUNTS[1:]},
                }
            )
        )
    return pa.concat_tables(pieces)


def _months(days: pa.Table) -> pa.Table:
    """Cells of days summed by the month, of the dimensions that are."""
    if not days.num_rows:
        return days
    chosen = days.filter(pc.is_in(days["dimension"], pa.array(BY_MONTH)))
    months = chosen.append_column("month", pc.floor_temporal(chosen["day"], unit="month"))
    return _netted([months], _MONTH_KEYS, ("posts",))


def _per_monitor(posts: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Row numbers and monitors: each post once under 0, and once under each of its monitors."""
    everything = pa.array(range(posts.num_rows), pa.int64())
    monitors = posts["monitors"].combine_chunks()
    if isinstance(monitors, pa.ChunkedArray):
        monitors = pa.concat_arrays(monitors.chunks) if monitors.num_chunks else pa.array([], posts["monitors"].type)
    rows = pa.concat_arrays([everything, pc.cast(pc.list_parent_indices(monitors), pa.int64())])
    keys = pa.concat_arrays(
        [pa.array([EVERY_POST] * posts.num_rows, pa.int64()), pc.cast(pc.list_flatten(monitors), pa.int64())]
    )
    return rows, keys


def _counts(posts: pa.Table) -> dict[str, pa.ChunkedArray]:
    names = ("replies", "shares", "likes")
    return {name: pc.fill_null(pc.struct_field(posts["engagement"], name), 0) for name in names}


def _grouped(table: pa.Table, keys: tuple[str, ...], counts: tuple[str, ...]) -> pa.Table:
    summed = table.group_by(list(keys)).aggregate([(name, "sum") for name in counts])
    return summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])


def _netted(tables: list[pa.Table], keys: tuple[str, ...], counts: tuple[str, ...] = _COUNTS) -> pa.Table:
    filled = [table.select([*keys, *counts]) for table in tables if table.num_rows]
    if not filled:
        return pa.table({})
    netted = _grouped(pa.concat_tables(filled, promote_options="permissive"), keys, counts)
    zero = [pc.fill_null(pc.equal(netted[name], 0), True) for name in counts]
    nothing = zero[0]
    for other in zero[1:]:
        nothing = pc.and_(nothing, other)
    return netted.filter(pc.invert(nothing))


def _add(
    model: type[HourCube] | type[DayCube] | type[MonthCube],
    workspace: Workspace,
    keys: tuple[str, ...],
    counts: tuple[str, ...],
    cells: pa.Table,
) -> None:
    """Add cells to what stands there, and drop those that come to nothing."""
    if not cells.num_rows:
        return
    table = model._meta.db_table
    columns = ["workspace_id", *keys, *counts]
    places = ", ".join(["%s"] * len(columns))
    unique = ", ".join(["workspace_id", *keys])
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in counts)
    statement = (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT ({unique}) DO UPDATE SET {sums}"
    )
    values = (map(_stored, cells[name].to_pylist()) for name in keys)
    rows = list(zip(repeat(workspace.pk), *values, *(cells[name].to_pylist() for name in counts), strict=False))
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
    negative = pc.any(pc.less(cells["posts"], 0)).as_py()
    if negative:
        model.objects.filter(workspace=workspace, posts__lte=0).delete()


@lru_cache(maxsize=10_000)
def _stored(value: Any) -> Any:
    """A value as the database takes it: else each time and day would be adapted once a row."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return connection.ops.adapt_datefield_value(value) if isinstance(value, date) else value
