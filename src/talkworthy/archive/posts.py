"""The archive: every post of a workspace, appended once, read as it stands now.

One process writes (`append`, `observe`, `bury`, `change`), one keeper puts in order what was written, any number
read. Four Delta tables: `posts`, and what was learnt later about them, `observations`, `changes`, `tombstones`,
which readers lay over the posts until the keeper has folded them in.
"""

import functools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from talkworthy.archive.columns import (
    ARRIVING,
    BURIED,
    CHANGED,
    CORRECTABLE,
    FILED,
    HASH_BITS,
    OBSERVED,
    ROWS,
    STORED,
    digests,
    numbers,
    relaxed,
)
from talkworthy.archive.duck import Duck, MissingFile
from talkworthy.archive.durable import lock
from talkworthy.archive.erasure import Receipt, begin_erasure, erasure_receipt
from talkworthy.archive.index import FLUSH_AT, INDEXED, MONITOR, THREAD, UID, Index, Numbers
from talkworthy.archive.overlay import Overlays, account_digests
from talkworthy.archive.payloads import JSON, PayloadStore
from talkworthy.archive.scan import By, Overlay, Scan, conditions, grouped, select, tables
from talkworthy.archive.spool import Spool
from talkworthy.archive.table import ROW_GROUP, DataFile, Snapshot, Table, completed
from talkworthy.schema import OBSERVATION, TOMBSTONE

NEW_LEVEL = 1
SPAN = 150_000
THREAD_LIMIT = 5_000

WORDS = (
    "url", "kind", "title", "text", "html", "summary", "language", "in_reply_to", "root", "engagement_type",
    "repeats", "tags", "media", "rating", "visibility",
)  # fmt: skip
"""The columns whose change is an edit; a new edit time or another number of followers alone is none."""


class StaleRead(RuntimeError):
    """The keeper put the files away while they were read, and rows were already handed out: read again."""


_NO_ROWS = ROWS.empty_table()


@dataclass(frozen=True)
class Recounted:
    """Posts whose counts changed: whole rows with the new counts, and the same rows, one by one, with the old ones."""

    rows: pa.Table
    previous: pa.Table


@dataclass(frozen=True)
class Appended:
    """What an append changed, for those who count posts.

    `new`: rows that were not here before. `edited` and `previous`: rows whose words changed, and the same rows, one
    by one, as they stood before. All have the columns of STORED. `known`: rows that were here already, unchanged.
    `recounted`: known rows whose counts changed. `refused`: rows that were deleted or erased before. `repeated`: the
    archive had this append already, and says again what it did then as far as the files still tell (not of counts).
    """

    version: int
    new: pa.Table
    edited: pa.Table
    previous: pa.Table
    recounted: Recounted = Recounted(_NO_ROWS, _NO_ROWS)
    known: int = 0
    refused: int = 0
    repeated: bool = False


@dataclass(frozen=True)
class FileList:
    """The posts table at one version, for other engines: read these files, lay nothing over them."""

    version: int
    rows: int
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Stats:
    """How much there is. `rows` counts dead rows too; `waiting` are rows of the three tables not yet folded in."""

    version: int
    rows: int
    files: int
    new_files: int
    bytes: int
    waiting: Mapping[str, int]
    oldest: datetime | None
    newest: datetime | None


class Archive:
    """The archive of one workspace, at a folder. Threads may share it; other processes open their own.

    `memory` and `threads` bound what the query engine takes, for instance "512MB" and 2.
    """

    def __init__(self, path: Path | str, *, memory: str = "512MB", threads: int = 2) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.payloads = PayloadStore(self.path / "payloads", floor=self.appended)
        self.spool = Spool(self.path / "spool")
        self.posts = Table(self.path / "posts", FILED)
        self.observations = Table(self.path / "observations", OBSERVED)
        self.tombstones = Table(self.path / "tombstones", BURIED)
        self.changes = Table(self.path / "changes", CHANGED)
        self.index = Index(self.path / "index", self.posts.folder)
        self.duck = Duck(self.path / "scratch", memory=memory, threads=threads)
        self._guard = threading.RLock()
        self._turns = 0
        self.index_guard = threading.RLock()
        with lock(self.path / "commit.lock"):
            for table in (self.posts, self.observations, self.tombstones, self.changes):
                table.create()
        for source in self.payloads.sources():
            self.payloads.lift(source)
        self._overlays = Overlays(self.duck, self.posts, self.observations, self.changes, self.tombstones)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the engine's memory."""
        self.duck.close()

    def writing(self, *, wait: float = 0.0) -> AbstractContextManager[None]:
        """Be the one process that writes, for as long as the block runs. Raises Locked after `wait` seconds."""
        return lock(self.path / "writer.lock", wait=wait)

    # Writing

    def append(
        self, posts: pa.Table, *, transactions: Mapping[str, int], cursors: Mapping[str, JSON] | None = None
    ) -> Appended:
        """Add posts (columns of ARRIVING; absent ones are null) exactly once.

        `transactions` maps each source to the sequence number of the payloads that the posts come from; append a
        source's numbers in their order. A number that the archive has, or a lower one, adds nothing: rows of that
        source are passed over. `cursors` maps sources to the cursor that these payloads reached; it becomes part
        of the same commit. Raises OSError where the disk is full; nothing was added then, try again later.
        """
        arriving = _arriving(posts)
        with self.turn():
            if min(transactions.values(), default=1) < 1:
                raise ValueError("sequence numbers begin at 1")
            covered = {name for name, seq in transactions.items() if (self.posts.transaction(name) or 0) >= seq}
            if covered and covered == transactions.keys():
                return self._told_again(transactions)
            if covered:
                arriving = arriving.filter(
                    pc.invert(pc.fill_null(pc.is_in(arriving["source"], pa.array(sorted(covered))), False))
                )
            return self._append(
                arriving, {name: seq for name, seq in transactions.items() if name not in covered}, cursors or {}
            )

    def observe(self, observations: pa.Table) -> Recounted:
        """Add later counts of posts (columns of OBSERVATION); the latest of a post is what readers see.

        Returns the posts whose counts that changed. Counts of a post that is not here yet wait for it.
        """
        if not observations.num_rows:
            return Recounted(_NO_ROWS, _NO_ROWS)
        with self.turn():
            ids = self._numbers_of(observations)
            rows = observations.select(OBSERVATION.names).add_column(0, "id", pa.array(ids)).cast(OBSERVED)
            recounted = _recounted(rows.to_pylist(), self._fetched(sorted(set(ids.tolist()))))
            self._add(self.observations, rows)
        return recounted

    def bury(self, tombstones: pa.Table) -> pa.Table:
        """Make posts, or all posts of accounts, invisible at once (columns of TOMBSTONE); the keeper removes them.

        Returns the rows that vanished, as they stood, so that counts can be corrected. A post deleted in its
        channel comes back only if it is collected there again later, an erased one never.
        """
        if not tombstones.num_rows:
            return ROWS.empty_table()
        with self.turn():
            buried, gone = self._buried(tombstones)
            self._add(self.tombstones, buried)
        return gone

    def change(self, changes: pa.Table) -> int:
        """Correct annotations, or tie monitors to posts and untie them (columns of CHANGED; `seq` may be null).

        Of several changes of one post and column the one with the highest `seq` holds.
        """
        if not changes.num_rows:
            return 0
        with self.turn():
            rows = _changed(changes)
            self._add(self.changes, rows)
            tied = rows.filter(pc.and_(pc.starts_with(rows["column"], "monitor:"), pc.equal(rows["value"], "true")))
            keys = np.array([int(name.split(":", 1)[1]) for name in tied["column"].to_pylist()], np.int64)
            with self.index_guard:
                self.index.add(MONITOR, keys, np.array(tied["id"].to_pylist(), np.int64), self.posts.snapshot())
        return int(changes.num_rows)

    # Reading

    def scan(self, scan: Scan) -> Iterator[pa.RecordBatch]:
        """The posts that a scan asks for, piece by piece, in its order, as they stand now.

        Memory stays bounded whatever the number of posts. Raises StaleRead in the rare case that a reading
        without order outlasts the keeper's patience; one in order goes on where it was.
        """
        if scan.limit == 0 or scan.ids == ():
            return
        told, left = 0, scan
        while True:
            try:
                for batch, rest in self._pieces(left):
                    left = rest
                    told += batch.num_rows
                    yield batch
                return
            except MissingFile as error:
                if told and scan.order is None:
                    raise StaleRead(f"the files of {self.path} changed while they were read: read again") from error

    def table(self, scan: Scan) -> pa.Table:
        """All rows of a scan at once; for pages."""
        schema = pa.schema([ROWS.field(name) for name in scan.columns])
        return pa.Table.from_batches([batch.cast(schema) for batch in self.scan(scan)], schema=schema)

    def count(self, scan: Scan, *, by: Sequence[By] = (), engagement: bool = False) -> pa.Table:
        """How many posts in each group, the largest first; with `engagement` also replies, shares and likes in sum.

        A post counts once for each of its monitors or hashtags where these are the groups. Order and limit of the
        scan do not matter.
        """
        return self._retried(lambda: self._count(scan, tuple(by), engagement))

    def get(self, post: str | int) -> Mapping[str, Any] | None:
        """One post by uid or by the archive's number, as plain values, or None where it is not here (any more)."""
        ids = [post] if isinstance(post, int) else self._find(UID, [post])
        for row in self._fetched(ids).to_pylist():
            if isinstance(post, int) or row["uid"] == post:
                return dict(row)
        return None

    def thread(self, uid: str) -> pa.Table:
        """The whole thread that a post belongs to, oldest first, as far as it was collected (columns of STORED)."""
        seen: set[int] = set()
        found: list[pa.Table] = []
        wanted = {uid}
        asked: set[str] = set()
        while wanted and len(seen) < THREAD_LIMIT:
            ids = {*self._find(UID, sorted(wanted)), *self._find(THREAD, sorted(wanted))} - seen
            asked |= wanted
            seen |= ids
            rows = self._fetched(sorted(ids))
            links = [
                (row["uid"], row["root"], row["in_reply_to"])
                for row in rows.select(["uid", "root", "in_reply_to"]).to_pylist()
            ]
            found.append(rows)
            wanted = {name for link in links for name in link if name} - asked
        return _thread_of(uid, pa.concat_tables(found))

    def snapshot(self) -> FileList:
        """The posts as files for other engines. Fold first (Keeper.run_once) where corrections matter to them."""
        snapshot = self.posts.snapshot()
        return FileList(snapshot.version, snapshot.rows, tuple(self.posts.absolute(snapshot.files)))

    def cursor(self, source: str) -> JSON | None:
        """The newest cursor of a source that was committed with its rows, or None."""
        return self.cursors().get(source)

    def cursors(self) -> dict[str, JSON]:
        """The newest committed cursor of every source."""
        cursors: dict[str, JSON] = {}
        for commit in self.posts.history(None):
            cursors = {**json.loads(commit.get("cursors", "{}")), **cursors}
            if commit.get("talkworthy") == "all cursors":
                break
        return cursors

    def appended(self, source: str) -> int:
        """The highest sequence number of a source that the archive holds; 0 where there is none."""
        return self.posts.transaction(source) or 0

    def stats(self) -> Stats:
        """How much there is, read off the tables' lists without reading a post."""
        snapshot = self.posts.snapshot()
        files = [file for file in snapshot.files if file.rows]
        waiting = {
            "observations": self.observations.snapshot().rows,
            "changes": self.changes.snapshot().rows,
            "tombstones": self.tombstones.snapshot().rows,
        }
        return Stats(
            version=snapshot.version,
            rows=snapshot.rows,
            files=len(files),
            new_files=sum(file.is_new for file in files),
            bytes=sum(file.size for file in files),
            waiting=waiting,
            oldest=_when(min(file.low for file in files)) if files else None,
            newest=_when(max(file.high for file in files)) if files else None,
        )

    def view(self) -> tuple[Snapshot, Overlay]:
        """The files of posts at this moment and what readers lay over them; for the keeper."""
        return self._overlays.view()

    # Erasing

    def erase(
        self, *, author: tuple[str, str] | None = None, uids: Sequence[str] = (), now: datetime | None = None
    ) -> Receipt:
        """Erase all posts of an account (channel, author id), or posts by uid.

        Nobody sees them after the return; the next run of the keeper removes them from every file, older versions
        and raw payloads too. The receipt says until when; ask `erasure_status` with its id.
        """
        return begin_erasure(self, author=author, uids=uids, now=now or datetime.now(UTC))

    def erasure_status(self, id: str) -> Receipt:
        """How far an erasure has come. Raises KeyError where there is none of this id."""
        return erasure_receipt(self, id)

    def index_everything(self) -> None:
        """Write the index for all new files, before they go; for the keeper, in its turn."""
        with self.index_guard:
            snapshot = self.posts.snapshot()
            self.index.follow(snapshot)
            self.index.flush(snapshot)

    def forget_versions(self) -> None:
        """Remove older versions from the tables' logs, in a turn; the newest cursors are said once more."""
        notes = {"cursors": json.dumps(self.cursors()), "talkworthy": "all cursors"}
        self.posts.commit(notes=notes)
        for table in (self.posts, self.observations, self.changes, self.tombstones):
            table.forget_versions()

    # How writing is done

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A writer's turn: one thread of one process at a time. The keeper takes turns too."""
        with self._guard:
            between = nullcontext() if self._turns else lock(self.path / "commit.lock")
            with between:
                self._turns += 1
                try:
                    yield
                finally:
                    self._turns -= 1

    def _append(self, arriving: pa.Table, transactions: Mapping[str, int], cursors: Mapping[str, JSON]) -> Appended:
        snapshot = self.posts.snapshot()
        arriving = _newest_of_each(arriving)
        hashes = digests(arriving["uid"])
        admitted = self._overlays.admitted(arriving, hashes)
        refused = arriving.num_rows - int(admitted.sum())
        if refused:
            arriving, hashes = arriving.filter(pa.array(admitted)), hashes[admitted]
        rows = _filed(arriving, numbers(hashes, arriving["published_at"]))
        sorted_out = self._sorted_out(rows, hashes, snapshot)
        new, edited = sorted_out.new, sorted_out.edited
        if sorted_out.observed:
            self._add(self.observations, pa.Table.from_pylist(list(sorted_out.observed), schema=OBSERVED))
        written = pa.concat_tables([new, edited]).sort_by("id")
        notes = {"transactions": json.dumps(dict(transactions)), "edited": json.dumps(edited["id"].to_pylist())}
        adds = [self.posts.write(written, "new", level=NEW_LEVEL, notes=notes)] if written.num_rows else []
        version = self.posts.commit(adds, transactions=transactions, notes={"cursors": json.dumps(dict(cursors))})
        if adds:
            with self.index_guard:
                self.index.learn(adds[0].path, written.select(list(INDEXED)))
                self.index.flush(self.posts.snapshot(), at_least=FLUSH_AT)
        return Appended(
            version,
            new.select(STORED.names),
            edited.select(STORED.names),
            sorted_out.previous.select(STORED.names),
            _recounted(sorted_out.observed, sorted_out.known.select(STORED.names)),
            known=rows.num_rows - written.num_rows,
            refused=refused,
        )

    def _sorted_out(self, rows: pa.Table, hashes: Numbers, snapshot: Snapshot) -> "_SortedOut":
        with self.index_guard:
            self.index.follow(snapshot)
            positions, ids = self.index.find(UID, hashes)
        if not len(ids):
            return _SortedOut(rows, rows.slice(0, 0), rows.slice(0, 0), rows.slice(0, 0), [])
        stored = self._fetched(sorted(set(ids.tolist())), revisions=True)
        standing = {uid: place for place, uid in enumerate(stored["uid"].to_pylist())}
        places = np.array([standing.get(uid, -1) for uid in rows["uid"].to_pylist()], np.int64)
        fresh = self._risen(rows, hashes, positions[places[positions] < 0], ids[places[positions] < 0])
        new = fresh.filter(pa.array(places < 0))
        back = np.flatnonzero(places >= 0)
        arrived, stood = rows.take(pa.array(back)), stored.take(pa.array(places[back]))
        later = _is_later(arrived, stood)
        differs = later & _differs(arrived, stood)
        same, before = stood.filter(pa.array(later & ~differs)), stood.filter(pa.array(differs))
        observed = _later_counts(arrived.filter(pa.array(later & ~differs)), same)
        return _SortedOut(new, _as_edits(arrived.filter(pa.array(differs)), before), before, same, observed)

    def _risen(self, rows: pa.Table, hashes: Numbers, positions: Numbers, ids: Numbers) -> pa.Table:
        """Rows that stand again after a deletion take a revision above the one that was buried."""
        buried = self._overlays.buried_revisions()
        revisions = rows["revision"].to_numpy().copy()
        for position in positions.tolist():
            revisions[position] = max(revisions[position], buried.get(int(hashes[position]), -1) + 1)
        return rows.set_column(
            rows.schema.names.index("revision"), FILED.field("revision"), pa.array(revisions, pa.int32())
        )

    def _told_again(self, transactions: Mapping[str, int]) -> Appended:
        """What an append that the archive already holds did, read off its file where that still stands."""
        snapshot = self.posts.snapshot()
        wanted = json.dumps(dict(transactions))
        newest = sorted((file for file in snapshot.files if file.is_new), key=lambda file: -file.modified)
        for file in newest:
            path = self.posts.absolute([file])[0]
            notes = pq.read_schema(path).metadata or {}
            if notes.get(b"transactions", b"").decode() == wanted:
                rows = completed(pq.read_table(path, partitioning=None), FILED)
                return self._told_from(rows, json.loads(notes[b"edited"]), snapshot)
        empty = ROWS.empty_table()
        return Appended(snapshot.version, empty, empty, empty, repeated=True)

    def _told_from(self, rows: pa.Table, edits: Sequence[int], snapshot: Snapshot) -> Appended:
        is_edit = pc.is_in(rows["id"], pa.array(edits, pa.int64()))
        edited = rows.filter(is_edit)
        older = self._revisions(edited["id"].to_pylist(), snapshot)
        places = {
            (row["id"], row["revision"]): place
            for place, row in enumerate(older.select(["id", "revision"]).to_pylist())
        }
        pairs = edited.select(["id", "revision"]).to_pylist()
        before = [places.get((row["id"], row["revision"] - 1)) for row in pairs]
        stand = [place is not None for place in before]
        edited = edited.filter(pa.array(stand, pa.bool_())).select(STORED.names)
        previous = older.take(pa.array([place for place in before if place is not None], pa.int64())).select(
            STORED.names
        )
        return Appended(
            snapshot.version, rows.filter(pc.invert(is_edit)).select(STORED.names), edited, previous, repeated=True
        )

    def _revisions(self, ids: Sequence[int], snapshot: Snapshot) -> pa.Table:
        """Every revision of posts that the files hold, with counts and corrections but whether dead or not."""
        overlay = replace(self.view()[1], dead=None)
        files = holding(snapshot.files, ids)
        if not files:
            return FILED.empty_table()
        scan = Scan(ids=tuple(ids))
        sql = select(FILED.names, scan, self.posts.absolute(files), overlay, low=min(ids), high=max(ids) + 1)
        return self.duck.table(sql, tables(scan, overlay)).cast(FILED)

    def _buried(self, tombstones: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The rows for the tombstones table, and the posts that they make vanish."""
        rows = tombstones.select(TOMBSTONE.names).to_pylist()
        uids = sorted({row["uid"] for row in rows if row["uid"]})
        accounts = sorted({(row["channel"] or "", row["author_id"]) for row in rows if not row["uid"]})
        found = self._fetched(self._find(UID, uids), revisions=True)
        named_posts = found.filter(pc.is_in(found["uid"], pa.array(uids, pa.string())))
        of_accounts = [self._posts_of(channel, author) for channel, author in accounts]
        vanished = _unique_by_id(pa.concat_tables([named_posts, *of_accounts]))
        return _tombstone_rows(rows, vanished), vanished.select(STORED.names)

    def _posts_of(self, channel: str, author: str) -> pa.Table:
        scan = Scan(columns=("id",), authors=(author,), channels=(channel,) if channel else (), order=None)
        ids = [number for batch in self.scan(scan) for number in batch.column(0).to_pylist()]
        return self._fetched(ids, revisions=True)

    def _numbers_of(self, rows: pa.Table) -> Numbers:
        """The archive's numbers of posts named by uid and time; as the index has them, else as they would be."""
        hashes = digests(rows["uid"])
        ids = numbers(hashes, rows["published_at"])
        with self.index_guard:
            self.index.follow(self.posts.snapshot())
            positions, found = self.index.find(UID, hashes)
        ids[positions] = found
        return ids

    def _add(self, table: Table, rows: pa.Table) -> None:
        table.commit([table.write(rows, "new", level=NEW_LEVEL)])

    # How reading is done

    def _pieces(self, scan: Scan) -> Iterator[tuple[pa.RecordBatch, Scan]]:
        """Batches, each with the scan for what comes after it."""
        snapshot, overlay = self.view()
        if scan.ids is not None and scan.order and scan.limit is None:
            scan = replace(scan, limit=len(scan.ids))
        if scan.order is None:
            for batch in self._streamed(scan, snapshot, overlay):
                yield batch, scan
        elif scan.limit is None:
            for batch in self._ordered(scan, snapshot, overlay):
                scan = _beyond(scan, batch)
                yield _without(batch, scan.columns), scan
        else:
            for rows in self._page(scan, snapshot, overlay):
                for batch in rows.to_batches():
                    left = scan.limit or 0
                    scan = replace(_beyond(scan, batch), limit=max(left - batch.num_rows, 0))
                    yield _without(batch, scan.columns), scan

    def _streamed(self, scan: Scan, snapshot: Snapshot, overlay: Overlay) -> Iterator[pa.RecordBatch]:
        files = _between(snapshot.files, scan.low, scan.high)
        if files:
            sql = select(scan.columns, scan, self.posts.absolute(files), overlay, low=scan.low, high=scan.high)
            yield from self.duck.batches(sql, tables(scan, overlay))

    def _ordered(self, scan: Scan, snapshot: Snapshot, overlay: Overlay) -> Iterator[pa.RecordBatch]:
        """Everything in order: one span of ids after the other, each sorted by itself."""
        columns = ("id", *(name for name in scan.columns if name != "id"))
        direction = "DESC" if scan.order == "newest" else "ASC"
        for low, high in _spans(snapshot.files, scan, first=SPAN, growth=1):
            files = _between(snapshot.files, low, high)
            sql = select(columns, scan, self.posts.absolute(files), overlay, low=low, high=high)
            yield from self.duck.batches(f"{sql} ORDER BY id {direction}", tables(scan, overlay))

    def _page(self, scan: Scan, snapshot: Snapshot, overlay: Overlay) -> Iterator[pa.Table]:
        """A limited number of rows in order: find their ids first, then fetch only those rows."""
        columns = ("id", *(name for name in scan.columns if name != "id"))
        left = scan.limit or 0
        for ids, checked in self._ids(scan, snapshot, overlay):
            rows = self._rows(
                ids[:left] if checked else ids,
                columns,
                snapshot,
                overlay,
                newest=scan.order == "newest",
                scan=None if checked else scan,
            ).slice(0, left)
            left -= rows.num_rows
            yield rows
            if left <= 0:
                return

    def _ids(self, scan: Scan, snapshot: Snapshot, overlay: Overlay) -> Iterator[tuple[list[int], bool]]:
        """Ids in order, piece by piece, and whether their rows were seen to meet the conditions."""
        if scan.ids is not None:
            yield [number for number in scan.ids if scan.low <= number < scan.high], False
        elif not (scan.monitors_any or scan.monitors_all):
            for ids in self._ids_by_span(scan, snapshot, overlay):
                yield ids, True
        elif len(conditions(scan)) == 1:
            for ids in self._candidates(scan, snapshot, scan.limit or 0):
                yield ids, False
        else:
            yield from ((ids, True) for ids in self._ids_by_monitor(scan, snapshot, overlay))

    def _ids_by_span(self, scan: Scan, snapshot: Snapshot, overlay: Overlay) -> Iterator[list[int]]:
        """Ids of matching posts, span after span, the spans growing as long as too few match."""
        direction = "DESC" if scan.order == "newest" else "ASC"
        for low, high in _spans(snapshot.files, scan, first=SPAN, growth=3):
            files = _between(snapshot.files, low, high)
            sql = select(["id"], scan, self.posts.absolute(files), overlay, low=low, high=high)
            found = self.duck.table(f"{sql} ORDER BY id {direction} LIMIT {scan.limit}", tables(scan, overlay))
            yield found["id"].to_pylist()

    def _ids_by_monitor(self, scan: Scan, snapshot: Snapshot, overlay: Overlay) -> Iterator[list[int]]:
        """Ids of matching posts among the candidates that the index names.

        Where a monitor matches much and the other conditions little, reading on span after span is cheaper.
        """
        newest = scan.order == "newest"
        for ids in self._candidates(scan, snapshot, 4 * (scan.limit or 0)):
            yield self._rows(ids, ("id",), snapshot, overlay, newest=newest, scan=scan)["id"].to_pylist()
            scan = replace(scan, before=ids[-1]) if newest else replace(scan, after=ids[-1])
            if self._is_dense(scan, snapshot):
                yield from self._ids_by_span(scan, snapshot, overlay)
                return

    def _is_dense(self, scan: Scan, snapshot: Snapshot) -> bool:
        rows = sum(file.rows for file in _between(snapshot.files, scan.low, scan.high))
        keys = scan.monitors_all[:1] or scan.monitors_any
        with self.index_guard:
            return sum(self.index.count(MONITOR, key, scan.low, scan.high) for key in keys) > rows / 50

    def _candidates(self, scan: Scan, snapshot: Snapshot, size: int) -> Iterator[list[int]]:
        """What the index says of the monitors of a scan, in order, in growing pieces; it may say too much."""
        newest = scan.order == "newest"
        keys = scan.monitors_all[:1] or scan.monitors_any
        low, high = scan.low, scan.high
        while True:
            with self.index_guard:
                self.index.follow(snapshot)
                pages = [self.index.page(MONITOR, key, low, high, size, newest=newest) for key in keys]
            found = np.unique(np.concatenate(pages))
            ids = (found[::-1] if newest else found)[:size].tolist()
            if ids:
                yield ids
            if len(ids) < size:
                return
            low, high = (low, ids[-1]) if newest else (ids[-1] + 1, high)
            size = min(size * 4, 50_000)

    def _rows(
        self,
        ids: Sequence[int],
        columns: Sequence[str],
        snapshot: Snapshot,
        overlay: Overlay,
        *,
        newest: bool = True,
        scan: Scan | None = None,
    ) -> pa.Table:
        """The living rows of these ids, in order; where a scan is given only those that meet its conditions."""
        schema = pa.schema([FILED.field(name) for name in columns])
        files = holding(snapshot.files, ids)
        if not files:
            return schema.empty_table()
        chosen = replace(scan, ids=tuple(ids)) if scan is not None else Scan(ids=tuple(ids))
        sql = select(columns, chosen, self.posts.absolute(files), overlay, low=min(ids), high=max(ids) + 1)
        direction = "DESC" if newest else "ASC"
        return self.duck.table(f"{sql} ORDER BY id {direction}", tables(chosen, overlay)).cast(schema)

    def _fetched(self, ids: Sequence[int], *, revisions: bool = False) -> pa.Table:
        """Whole living rows of ids, oldest first."""
        columns = FILED.names if revisions else STORED.names

        def read() -> pa.Table:
            snapshot, overlay = self.view()
            return self._rows(ids, columns, snapshot, overlay, newest=False)

        return self._retried(read)

    def _find(self, kind: str, uids: Sequence[str]) -> list[int]:
        with self.index_guard:
            self.index.follow(self.posts.snapshot())
            _, ids = self.index.find(kind, digests(uids))
        return sorted(set(ids.tolist()))

    def _count(self, scan: Scan, by: tuple[By, ...], engagement: bool) -> pa.Table:
        snapshot, overlay = self.view()
        files = _between(snapshot.files, scan.low, scan.high)
        if not files:
            names = [*by, "posts", *(["engagement"] if engagement else [])]
            zero = {name: pa.array([0] if not by else [], pa.int64()) for name in names}
            return pa.table(zero)
        sql = grouped(scan, by, self.posts.absolute(files), overlay, engagement=engagement)
        return self.duck.table(sql, tables(scan, overlay))

    def _retried(self, read: Callable[[], pa.Table]) -> pa.Table:
        """Read again where the keeper put files away in between."""
        for _ in range(5):
            with suppress(MissingFile):
                return read()
        return read()


def _arriving(posts: pa.Table) -> pa.Table:
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


def _newest_of_each(posts: pa.Table) -> pa.Table:
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


def _filed(posts: pa.Table, ids: Numbers) -> pa.Table:
    columns = {name: posts[name] for name in ARRIVING.names}
    columns["id"] = pa.array(ids)
    columns["day"] = posts["published_at"].cast(pa.date32())
    columns["revision"] = pa.array(np.zeros(posts.num_rows, np.int32))
    return pa.table([columns[field.name] for field in FILED], schema=FILED)


@dataclass(frozen=True)
class _SortedOut:
    """Arriving rows as new and edited, the edited as they stood, known ones as they stand, and counts of these."""

    new: pa.Table
    edited: pa.Table
    previous: pa.Table
    known: pa.Table
    observed: Sequence[Mapping[str, Any]]


def _is_later(arrived: pa.Table, stood: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each arriving row was collected no earlier than the one that stands."""
    ours, theirs = (pc.fill_null(rows["collected_at"].cast(pa.int64()), 0) for rows in (arrived, stood))
    later: np.ndarray[Any, np.dtype[np.bool_]] = pc.greater_equal(ours, theirs).to_numpy()
    return later


def _differs(arrived: pa.Table, stood: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each arriving row says something else than the one that stands."""
    ours, theirs = (rows.select(WORDS).to_pylist() for rows in (arrived, stood))
    return np.array([one != other for one, other in zip(ours, theirs, strict=True)], bool)


def _later_counts(arrived: pa.Table, stood: pa.Table) -> list[dict[str, Any]]:
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


def _recounted(observed: Sequence[Mapping[str, Any]], stood: pa.Table) -> Recounted:
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


def _as_edits(arrived: pa.Table, before: pa.Table) -> pa.Table:
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


def _unique_by_id(rows: pa.Table) -> pa.Table:
    places = {number: place for place, number in enumerate(rows["id"].to_pylist())}
    return rows.take(pa.array(sorted(places.values()), pa.int64()))


def _tombstone_rows(asked: Sequence[Mapping[str, Any]], vanished: pa.Table) -> pa.Table:
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
    author = (post["author"] or {}).get("id")
    return author == stone["author_id"] and stone["channel"] in (None, "", post["channel"])


def _changed(changes: pa.Table) -> pa.Table:
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


def _between(files: Sequence[DataFile], low: int, high: int) -> list[DataFile]:
    """Files that may hold ids from low up to but not high."""
    return [file for file in files if file.rows and file.high >= low and file.low < high]


def holding(files: Sequence[DataFile], ids: Sequence[int]) -> list[DataFile]:
    """Files that may hold any of these ids."""
    asked = np.unique(np.array(ids, np.int64))
    firsts = np.searchsorted(asked, [file.low for file in files], "left")
    lasts = np.searchsorted(asked, [file.high for file in files], "right")
    return [file for file, first, last in zip(files, firsts, lasts, strict=True) if file.rows and last > first]


def _spans(files: Sequence[DataFile], scan: Scan, *, first: int, growth: int) -> Iterator[tuple[int, int]]:
    """Ranges of ids that together hold all a scan can match, in its order, of about so many rows each."""
    newest = scan.order == "newest"
    pieces = sorted(_pieces_of(_between(files, scan.low, scan.high)), reverse=newest)
    low, high, size, rows = scan.low, scan.high, first, 0
    for start, end, count in pieces:
        rows += count
        if rows < size:
            continue
        cut = start if newest else end
        if low < cut < high:
            yield (cut, high) if newest else (low, cut)
            low, high = (low, cut) if newest else (cut, high)
            rows, size = 0, size * growth
    if pieces:
        yield low, high


def _pieces_of(files: Sequence[DataFile]) -> Iterator[tuple[int, int, int]]:
    """Files cut into ranges of ids, as if their rows lay evenly between the lowest and the highest."""
    for file in files:
        parts = max(1, file.rows // ROW_GROUP)
        width = file.high - file.low + 1
        for part in range(parts):
            yield file.low + width * part // parts, file.low + width * (part + 1) // parts, file.rows // parts


def _beyond(scan: Scan, batch: pa.RecordBatch) -> Scan:
    """The scan for what comes after a batch."""
    if not batch.num_rows:
        return scan
    last = batch.column("id")[-1].as_py()
    return replace(scan, before=last) if scan.order == "newest" else replace(scan, after=last)


def _without(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    return batch.select(list(columns))


def _thread_of(uid: str, rows: pa.Table) -> pa.Table:
    """Of rows reached from a post, those that hang together with it, oldest first."""
    rows = _unique_by_id(rows)
    links = {
        row["uid"]: {row["root"], row["in_reply_to"]} - {None}
        for row in rows.select(["uid", "root", "in_reply_to"]).to_pylist()
    }
    tied, grown = {uid}, True
    while grown:
        reached = {name for name, ends in links.items() if name in tied or ends & tied}
        reached |= {end for name in reached for end in links[name]}
        grown = not reached <= tied
        tied |= reached
    return rows.filter(pc.is_in(rows["uid"], pa.array(sorted(tied), pa.string()))).sort_by("id")


def _when(number: int) -> datetime:
    return datetime.fromtimestamp(number >> HASH_BITS, UTC)
