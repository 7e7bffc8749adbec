"""A query over stored history: the backtest before it is saved, and the matching of history after."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive import CHANGED, STORED, Archive, Scan, seconds_of
from talkworthy.listening.searching import columns_for, found_in, narrowed
from talkworthy.listening.ties import Ties
from talkworthy.query import CompiledQuery

SLICES = 40
SAMPLE = 50
LISTED = 200
SLICES_AT_ONCE = 2
DAY = 86_400
CHANGES_AT_ONCE = 20_000

Ids = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
"""Told how far it is, of how much; raises to stop the work."""


@dataclass
class Findings:
    """What one query finds in a stretch of history."""

    ids: list[Ids] = field(default_factory=list)

    @property
    def all_ids(self) -> Ids:
        """Every id, in order."""
        return np.sort(np.concatenate(self.ids)) if self.ids else np.empty(0, np.int64)

    @property
    def days(self) -> dict[str, int]:
        """How many on each day: an id begins with its second."""
        days, counts = np.unique(seconds_of(self.all_ids) // DAY, return_counts=True)
        named = np.datetime_as_string(days.astype("datetime64[D]")).tolist() if len(days) else []
        return dict(zip(named, counts.tolist(), strict=True))


def backtest(
    archive: Archive,
    query: CompiledQuery,
    *,
    monitor: int | None,
    since: datetime | None,
    until: datetime | None,
    seed: int,
    progress: Progress,
    ties: Ties | None = None,
) -> dict[str, Any]:
    """Compare what a query would find with what the saved version of a monitor found.

    Returns counts, days, and up to LISTED uids each that were added and lost, and a sample of SAMPLE to mark.
    """
    began = time.perf_counter()
    new, old = Findings(), Findings()
    slices = list(slices_of(archive, since, until))

    def look(piece: tuple[datetime, datetime]) -> tuple[Ids, Ids]:
        found = _found(archive, query.apart(), *piece, ties, columns=("id",))
        if monitor is None:
            return found["id"].to_numpy(), np.empty(0, np.int64)
        stood = Scan(columns=("id",), monitors_any=(monitor,), since=piece[0], until=piece[1], order=None)
        return found["id"].to_numpy(), archive.table(stood)["id"].to_numpy()

    with ThreadPoolExecutor(SLICES_AT_ONCE, thread_name_prefix="backtest") as looking:
        for number, (found, stood) in enumerate(looking.map(look, slices), start=1):
            new.ids.append(found)
            old.ids.append(stood)
            progress(number, len(slices))
    found, stood = new.all_ids, old.all_ids
    added, lost = np.setdiff1d(found, stood), np.setdiff1d(stood, found)
    before, after = old.days, new.days
    chance = random.Random(seed)  # noqa: S311 - a sample that anybody can repeat
    return {
        "matched": len(found),
        "kept": len(found) - len(added),
        "added": len(added),
        "lost": len(lost),
        "scanned": _posts_between(archive, since, until),
        "seconds": round(time.perf_counter() - began, 3),
        "days": [
            {"day": day, "old": before.get(day, 0), "new": after.get(day, 0)}
            for day in sorted(after.keys() | before.keys())
        ],
        "added_sample": _uids(archive, added[-LISTED:]),
        "lost_sample": _uids(archive, lost[-LISTED:]),
        "sample": _uids(archive, np.array(sorted(chance.sample(found.tolist(), min(SAMPLE, len(found)))), np.int64)),
    }


def _posts_between(archive: Archive, since: datetime | None, until: datetime | None) -> int:
    if since is None and until is None:
        return archive.stats().rows
    found: int = archive.count(Scan(since=since, until=until, order=None))["posts"][0].as_py()
    return found


def rematch(
    archive: Archive,
    query: CompiledQuery,
    *,
    monitor: int,
    progress: Progress,
    ties: Ties | None = None,
    besides: Sequence[int] = (),
) -> tuple[int, int]:
    """Tie a monitor to every stored post that its query finds, and untie the others: (tied, untied). `besides` stay.

    Runs on after a crash: what is tied already is not tied again.
    """
    tied = untied = 0
    kept = pa.array(besides, pa.int64())
    slices = list(slices_of(archive, None, None))
    for number, (start, end) in enumerate(slices):
        found = _found(archive, query, start, end, ties)
        stood = archive.table(
            Scan(columns=("id", "uid", "published_at"), monitors_any=(monitor,), since=start, until=end, order=None)
        )
        more = found.filter(pc.invert(pc.is_in(found["id"], stood["id"])))
        fewer = stood.filter(pc.invert(pc.or_(pc.is_in(stood["id"], found["id"]), pc.is_in(stood["id"], kept))))
        _change(archive, more, monitor, value="true")
        _change(archive, fewer, monitor, value="false")
        tied, untied = tied + more.num_rows, untied + fewer.num_rows
        progress(number + 1, len(slices))
    return tied, untied


_TIED = ("id", "uid", "published_at")


def _found(
    archive: Archive,
    query: CompiledQuery,
    since: datetime,
    until: datetime,
    ties: Ties | None,
    *,
    columns: tuple[str, ...] = _TIED,
) -> pa.Table:
    schema = pa.schema([STORED.field(name) for name in columns])
    needed = tuple(dict.fromkeys((*columns, *columns_for(query, always=()))))
    scan = narrowed(Scan(columns=needed, since=since, until=until, order=None), query)
    if scan is None:
        return schema.empty_table()
    pieces = [found_in(batch, query, ties).select(columns) for batch in archive.scan(scan)]
    return pa.Table.from_batches([piece.cast(schema) for piece in pieces], schema=schema)


def slices_of(archive: Archive, since: datetime | None, until: datetime | None) -> Iterator[tuple[datetime, datetime]]:
    """The stretch of history that is asked for and there, in pieces of equal length."""
    stats = archive.stats()
    if stats.oldest is None or stats.newest is None:
        return
    start = max(stats.oldest, since) if since else stats.oldest
    end = min(stats.newest + timedelta(seconds=1), until) if until else stats.newest + timedelta(seconds=1)
    if start >= end:
        return
    pieces = min(SLICES, max(1, stats.rows // 50_000))
    step = (end - start) / pieces
    for number in range(pieces):
        yield start + step * number, end if number == pieces - 1 else start + step * (number + 1)


def _uids(archive: Archive, ids: Ids) -> list[str]:
    if not len(ids):
        return []
    found: list[str] = archive.table(Scan(columns=("id", "uid"), ids=tuple(int(number) for number in ids)))[
        "uid"
    ].to_pylist()
    return found


def _change(archive: Archive, posts: pa.Table, monitor: int, *, value: str) -> None:
    for start in range(0, posts.num_rows, CHANGES_AT_ONCE):
        piece = posts.slice(start, CHANGES_AT_ONCE)
        n = piece.num_rows
        columns: Mapping[str, Any] = {
            "id": piece["id"],
            "uid": piece["uid"],
            "published_at": piece["published_at"],
            "column": pa.array([f"monitor:{monitor}"] * n, pa.string()),
            "value": pa.array([value] * n, pa.string()),
            "seq": pa.nulls(n, pa.int64()),
            "by": pa.array(["rematch"] * n, pa.string()),
        }
        archive.change(pa.table({name: columns[name] for name in CHANGED.names}))
