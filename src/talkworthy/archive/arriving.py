"""Arriving posts as rows of the archive: which can be taken, which are new, and which edit one that stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive.columns import ARRIVING, FILED, relaxed
from talkworthy.archive.index import Numbers
from talkworthy.archive.table import completed

WORDS = (
    "url", "kind", "title", "text", "html", "summary", "language", "in_reply_to", "root", "engagement_type",
    "repeats", "tags", "media", "rating", "visibility",
)  # fmt: skip
"""The columns whose change is an edit; a new edit time or another number of followers alone is none."""


def as_arriving(posts: pa.Table) -> pa.Table:
    """The table with exactly the columns of ARRIVING; raises ValueError for one that is not among them."""
    unknown = set(posts.schema.names) - set(ARRIVING.names)
    if unknown:
        raise ValueError(f"not columns of an arriving post: {', '.join(sorted(unknown))}")
    arriving = completed(posts, _PLAIN)
    for problem in unfit(arriving):
        raise ValueError(f"row {problem.row}: {problem.reason}")
    return arriving


@dataclass(frozen=True)
class Unfit:
    """A row that the archive cannot take, and why."""

    row: int
    reason: str


def unfit(posts: pa.Table) -> list[Unfit]:
    """The rows that `append` would refuse as a whole, so that they can be set aside before."""
    seconds = pc.divide(posts["published_at"].cast(pa.int64()), 1_000_000)
    bad_time = pc.or_kleene(
        pc.is_null(seconds), pc.or_(pc.less(seconds, _SECONDS[0]), pc.greater(seconds, _SECONDS[1]))
    )
    bad_uid = pc.or_kleene(pc.is_null(posts["uid"]), pc.equal(posts["uid"], ""))
    found = []
    for reason, bad in ((_NO_UID, bad_uid), (_NO_TIME, bad_time)):
        found += [Unfit(row, reason) for row in np.flatnonzero(bad.to_numpy()).tolist()]
    return found


_SECONDS = (-(2**32), 2**32 - 1)
_NO_UID = "a post needs a uid"
_NO_TIME = "a post needs a time of publication between 1833 and 2106: its number in the archive begins with it"


_PLAIN = relaxed(ARRIVING)


def newest_of_each(posts: pa.Table) -> pa.Table:
    """One row of each uid: of several in a batch the one edited or collected last."""
    uids = posts["uid"].to_pylist()
    if len(set(uids)) == len(uids):
        return posts
    ages = posts.select(["edited_at", "collected_at"]).to_pylist()
    newest: dict[str, int] = {}
    for place, (uid, age) in enumerate(zip(uids, ages, strict=True)):
        other = newest.get(uid)
        if other is None or _age(age) >= _age(ages[other]):
            newest[uid] = place
    return posts.take(pa.array(sorted(newest.values())))


def _age(times: Mapping[str, datetime | None]) -> tuple[datetime, datetime]:
    return times["collected_at"] or _EPOCH, times["edited_at"] or _EPOCH


_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


def as_filed(posts: pa.Table, ids: Numbers) -> pa.Table:
    columns = {name: posts[name] for name in ARRIVING.names}
    columns["id"] = pa.array(ids)
    columns["day"] = posts["published_at"].cast(pa.date32())
    columns["revision"] = pa.array(np.zeros(posts.num_rows, np.int32))
    return pa.table([columns[field.name] for field in FILED], schema=FILED)


@dataclass(frozen=True)
class SortedOut:
    """Arriving rows as new and edited, the edited as they stood, known ones as they stand, and counts of these."""

    new: pa.Table
    edited: pa.Table
    previous: pa.Table
    known: pa.Table
    observed: Sequence[Mapping[str, Any]]


def is_later(arrived: pa.Table, stood: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each arriving row was collected no earlier than the one that stands."""
    ours, theirs = (pc.fill_null(rows["collected_at"].cast(pa.int64()), 0) for rows in (arrived, stood))
    later: np.ndarray[Any, np.dtype[np.bool_]] = pc.greater_equal(ours, theirs).to_numpy()
    return later


def differs_from(arrived: pa.Table, stood: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each arriving row says something else than the one that stands."""
    ours, theirs = (rows.select(WORDS).to_pylist() for rows in (arrived, stood))
    return np.array([one != other for one, other in zip(ours, theirs, strict=True)], bool)


def as_edits(arrived: pa.Table, before: pa.Table) -> pa.Table:
    """Arriving rows in the place of those that stood: their number and time stay, the revision goes up."""
    kept = {name: before[name] for name in ("id", "day", "published_at")}
    kept["revision"] = pc.add(before["revision"], pa.scalar(1, pa.int32()))
    kept["engagement"] = _coalesced(arrived["engagement"], before["engagement"])
    columns = [(kept[field.name] if field.name in kept else arrived[field.name]).cast(field.type) for field in FILED]
    return pa.table(columns, schema=FILED)


def _coalesced(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> pa.Array:
    values = [
        one if one is not None else other for one, other in zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
    ]
    return pa.array(values, ours.type)
