"""Whose posts a source may change.

Most connectors read one channel and name its posts themselves. Some take whatever uid their sender writes (webhooks,
files): they may change, delete and count only what they brought, or what comes from their own channel and origin.
Else whoever holds the secret of one webhook could delete the posts of every source.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive import Archive, Batch, Scan
from talkworthy.schema import TOMBSTONE, native_parts

_SAID = ("title", "text", "html", "url")
"""Columns by which a post that came again from elsewhere is recognised as the same, and passed over without a word."""


@dataclass(frozen=True)
class Speaker:
    """A source that may speak for its own posts only; `channel` and `origin` are those of ids that name none."""

    key: str
    channel: str
    origin: str

    def owns(self, uid: str, brought_by: str | None) -> bool:
        """Whether it may change the post; without an origin of its own only what it brought."""
        channel, origin, _ = native_parts(uid)
        return brought_by == self.key or bool(self.origin and (channel, origin) == (self.channel, self.origin))


@dataclass(frozen=True)
class Heard:
    """What is left of a batch, and in sentences what was refused."""

    batch: Batch
    refused: tuple[str, ...] = ()


def heard(batch: Batch, speaker: Speaker, archive: Archive, *, waiting: Mapping[str, str]) -> Heard:
    """The batch without what it may not change. `waiting`: uid → source of posts that are stored together with it."""
    stones = [*_of_accounts(batch.tombstones, speaker, archive), *_of_posts(batch.tombstones)]
    uids = {*batch.posts["uid"].to_pylist(), *batch.observations["uid"].to_pylist(), *(row["uid"] for row in stones)}
    there = {row["uid"]: row for row in archive.named(sorted(uids)).to_pylist()}
    brought = {**waiting, **{uid: row["source"] for uid, row in there.items()}}

    def owns(uid: str) -> bool:
        return speaker.owns(uid, brought.get(uid))

    held = [uid in brought and not owns(uid) for uid in batch.posts["uid"].to_pylist()]
    foreign = batch.posts.filter(pa.array(held, pa.bool_())).to_pylist() if any(held) else []
    edited = [row["uid"] for row in foreign if _differs(row, there.get(row["uid"]))]
    counted = [uid for uid in batch.observations["uid"].to_pylist() if not owns(uid)]
    deleted = [row["uid"] for row in stones if not owns(row["uid"])]
    nameless = pc.sum(pc.equal(batch.tombstones["uid"], "")).as_py() or 0
    kept = Batch(
        _without(batch.posts, {row["uid"] for row in foreign}),
        _without(batch.observations, set(counted)),
        pa.Table.from_pylist([row for row in stones if owns(row["uid"])], schema=TOMBSTONE),
    )
    if not (foreign or counted or deleted or nameless):
        return Heard(batch)
    return Heard(kept, tuple(_refusals(edited=edited, counted=counted, deleted=deleted)))


def _of_posts(tombstones: pa.Table) -> list[dict[str, Any]]:
    return [row for row in tombstones.to_pylist() if row["uid"]]


def _of_accounts(tombstones: pa.Table, speaker: Speaker, archive: Archive) -> Iterable[dict[str, Any]]:
    """The deletion of an account, as that of each of its posts which this source brought."""
    for row in tombstones.to_pylist():
        if row["uid"] or not row["author_id"]:
            continue
        channels = (row["channel"],) if row["channel"] else ()
        scan = Scan(
            columns=("uid", "published_at"),
            authors=(row["author_id"],),
            channels=channels,
            sources=(speaker.key,),
            order=None,
        )
        for post in archive.table(scan).to_pylist():
            yield {**row, **post, "author_id": None, "channel": None}


def _differs(row: Mapping[str, Any], standing: Mapping[str, Any] | None) -> bool:
    return standing is None or any(row[name] != standing[name] for name in _SAID)


def _without(table: pa.Table, uids: set[str]) -> pa.Table:
    if not uids:
        return table
    return table.filter(pc.invert(pc.is_in(table["uid"], pa.array(sorted(uids), pa.string()))))


def _refusals(**refused: Sequence[str]) -> Iterable[str]:
    for what, uids in refused.items():
        if uids:
            more = f" and {len(uids) - 1} more" if len(uids) > 1 else ""
            yield f"Not {what}, as another source brought it: {uids[0]}{more}"
