"""What is learnt of posts after they were filed, as rows of its own tables: counts, deletions, corrections."""

import functools
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive.columns import BURIED, CHANGED, CORRECTABLE, ROWS, account_digests, digests


@dataclass(frozen=True)
class Recounted:
    """Posts whose counts changed: whole rows with the new counts, and the same rows, one by one, with the old ones."""

    rows: pa.Table
    previous: pa.Table


NONE_RECOUNTED = Recounted(ROWS.empty_table(), ROWS.empty_table())


def later_counts(arrived: pa.Table, stood: pa.Table) -> list[dict[str, Any]]:
    """Later counts of posts that are otherwise as they were, as rows of OBSERVED."""
    changed = _counts_differ(arrived["engagement"], stood["engagement"])
    arrived, stood = arrived.filter(changed), stood.filter(changed)
    rows = []
    for post, before in zip(
        arrived.select(["uid", "engagement", "collected_at"]).to_pylist(),
        stood.select(["id", "published_at", "engagement"]).to_pylist(),
        strict=True,
    ):
        counts = post["engagement"]
        taken_at = counts["taken_at"] or post["collected_at"]
        if taken_at is not None:
            place = {"id": before["id"], "uid": post["uid"], "published_at": before["published_at"]}
            rows.append({**place, **{name: counts[name] for name in _COUNTS}, "taken_at": taken_at})
    return rows


def _counts_differ(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether any count is told now that is not as it was."""
    differ = []
    for name in _COUNTS:
        told, known = pc.struct_field(ours, name), pc.struct_field(theirs, name)
        differ.append(pc.and_(pc.is_valid(told), pc.fill_null(pc.not_equal(told, known), True)))
    return functools.reduce(pc.or_, differ)


def recounted(observed: Sequence[Mapping[str, Any]], stood: pa.Table) -> Recounted:
    """The posts that change by these counts, of those that stand."""
    stood = stood.filter(pc.is_in(stood["id"], pa.array([counts["id"] for counts in observed], pa.int64())))
    newest: dict[int, Mapping[str, Any]] = {}
    for counts in observed:
        known = newest.get(counts["id"])
        if known is None or counts["taken_at"] >= known["taken_at"]:
            newest[counts["id"]] = counts
    places, engagements = [], []
    for place, post in enumerate(stood.select(["id", "engagement"]).to_pylist()):
        before, later = post["engagement"] or {}, newest.get(post["id"])
        if later is None or (before.get("taken_at") and before["taken_at"] > later["taken_at"]):
            continue
        counts = {name: before.get(name) if later[name] is None else later[name] for name in _COUNTS}
        if any(counts[name] != before.get(name) for name in _COUNTS):
            places.append(place)
            engagements.append({**counts, "taken_at": later["taken_at"]})
    previous = stood.take(pa.array(places, pa.int64()))
    field = ROWS.field("engagement")
    rows = previous.set_column(ROWS.get_field_index("engagement"), field, pa.array(engagements, field.type))
    return Recounted(rows, previous)


_COUNTS = ("replies", "shares", "likes", "views")


def as_tombstones(asked: Sequence[Mapping[str, Any]], vanished: pa.Table) -> pa.Table:
    """A row for each account, each post named, and each post that vanishes with an account."""
    standing = {row["uid"]: row for row in vanished.select(["id", "uid", "published_at", "revision"]).to_pylist()}
    authors = {row["uid"]: row for row in vanished.select(["uid", "channel", "author"]).to_pylist()}
    rows = []
    for stone in asked:
        whole = not stone["uid"]
        rows.append({**stone, "account": whole, "digest": _digest_of(stone), **_place(standing.get(stone["uid"]))})
        if whole:
            for uid, post in authors.items():
                if _is_by(post, stone):
                    single = {**stone, "uid": uid, "account": False, "author_id": None, "channel": None}
                    rows.append({**single, "digest": int(digests([uid])[0]), **_place(standing[uid])})
    return pa.Table.from_pylist([{name: row.get(name) for name in BURIED.names} for row in rows], schema=BURIED)


def _digest_of(stone: Mapping[str, Any]) -> int:
    if stone["uid"]:
        return int(digests([stone["uid"]])[0])
    return int(account_digests([stone["channel"]], [stone["author_id"]])[0])


def _place(post: Mapping[str, Any] | None) -> dict[str, Any]:
    return (
        {} if post is None else {"id": post["id"], "revision": post["revision"], "published_at": post["published_at"]}
    )


def _is_by(post: Mapping[str, Any], stone: Mapping[str, Any]) -> bool:
    author = post["author"] or {}
    account = author.get("id") if author.get("id") is not None else author.get("handle")
    return account == stone["author_id"] and stone["channel"] in (None, "", post["channel"])


def as_changes(changes: pa.Table) -> pa.Table:
    """Changes with the columns of CHANGED; raises ValueError for a column that cannot be changed."""
    named = changes["column"].to_pylist()
    wrong = sorted({name for name in named if name not in CORRECTABLE and not _MONITOR.fullmatch(name)})
    if wrong:
        raise ValueError(f"not a column that can be changed: {', '.join(wrong)}")
    now = time.time_ns()
    given = changes["seq"].to_pylist() if "seq" in changes.schema.names else [None] * changes.num_rows
    seqs = pa.array([now + place if seq is None else seq for place, seq in enumerate(given)], pa.int64())
    columns = {field.name: changes[field.name] for field in CHANGED if field.name in changes.schema.names}
    columns["seq"] = seqs
    columns.setdefault("by", pa.nulls(changes.num_rows, pa.string()))
    return pa.table([columns[field.name].cast(field.type) for field in CHANGED], schema=CHANGED)


_MONITOR = re.compile(r"monitor:\d+")
