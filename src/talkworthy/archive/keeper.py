"""The keeper puts in order what was written: one process, now and then, beside the writer and the readers.

Each step reads some files and replaces them by others in one commit; what it does not reach it does the next
time, and a step that was killed leaves files that no version lists, which the next run removes.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive.columns import BURIED, FILED, HASH_BITS
from talkworthy.archive.duck import quoted
from talkworthy.archive.durable import lives, lock, remove_drafts
from talkworthy.archive.erasure import due_erasures
from talkworthy.archive.index import Numbers
from talkworthy.archive.overlay import ERASED
from talkworthy.archive.posts import Archive
from talkworthy.archive.reading import holding
from talkworthy.archive.scan import LARGEST, Overlay, Scan, current, named
from talkworthy.archive.table import DataFile, Snapshot, Table

TARGET_ROWS = 160_000
LEVEL = 3
LOG_LENGTH = 200
INDEXED_AT_ONCE = 50_000
MENTIONED = ("id", "monitors", "channel", "sentiment")


@dataclass(frozen=True)
class Retention:
    """How long things are kept, in days; None is for ever. `sources` names sources with a shorter time of their own."""

    posts: float | None = None
    sources: Mapping[str, float] = field(default_factory=dict)
    payloads: float = 14
    tombstones: float = 400
    orphans: float = 30


@dataclass(frozen=True)
class Pace:
    """When a step is worth its reading and writing.

    `settle_files`, `settle_rows`: new files or rows that make a settling. `leave`: newest files left alone, so that
    a writer that was killed can still ask what its last appends did. `fold_rows`, `fold_files`, `fold_hours`: later
    counts, corrections and deletions, their files, or hours that the oldest of them waits, that make a folding.
    `depth`: files that may cover one moment. `small_files`: small neighbours that make a merging. `patience`: seconds
    for which readers may still open files that were replaced.
    """

    settle_files: int = 32
    settle_rows: int = 100_000
    settle_at_once: int = 500_000
    leave: int = 4
    fold_rows: int = 50_000
    fold_files: int = 256
    fold_hours: float = 6
    depth: int = 6
    small_files: int = 8
    patience: float = 600


@dataclass(frozen=True)
class Kept:
    """What a run of the keeper did."""

    settled_rows: int = 0
    folded_files: int = 0
    merged_files: int = 0
    retired_posts: int = 0
    retired_payloads: int = 0
    removed_files: int = 0
    erasures_completed: int = 0


class Keeper:
    """The keeper of one archive."""

    def __init__(self, archive: Archive, *, retention: Retention | None = None, pace: Pace | None = None) -> None:
        self.archive = archive
        self.retention = retention or Retention()
        self.pace = pace or Pace()
        self._posts = archive.posts
        self._checked: set[tuple[str, str, int]] = set()

    def run_once(self, *, now: datetime | None = None, everything: bool = False, wait: float | None = 0) -> Kept:
        """Do what is due; with `everything` also what could wait, so that one file list holds all that is known.

        Raises Locked where another keeper is still at work after `wait` seconds (None: wait until it is done).
        """
        now = now or datetime.now(UTC)
        with lock(self.archive.path / "keeper.lock", wait=wait):
            erasures = due_erasures(self.archive)
            thorough = everything or bool(erasures)
            for erasure in erasures:
                erasure.files_rewritten += len(self._places(erasure.hidden_ids, self._posts.snapshot().files))
            settled = self.settle(everything=thorough)
            folded = self.fold(now, everything=thorough)
            merged = self.merge()
            retired = self.retire_posts(now)
            payloads = self.archive.payloads.retire(now=now, keep_days=self.retention.payloads)
            complete = [erasure for erasure in erasures if erasure.complete(self)]
            removed = self.sweep(patience=0 if complete else self.pace.patience, versions=bool(complete))
            for erasure in complete:
                erasure.close(now)
        if settled or folded or merged or retired:
            self.archive.duck.let_go()  # else sorting keeps some 180 MB for ever
        return Kept(settled, folded, merged, retired, payloads, removed, len(complete))

    # The steps

    def settle(self, *, everything: bool = False) -> int:
        """Sort what was appended into files ordered by time, dropping what edits replaced. Returns rows settled."""
        settled = 0
        while files := self._to_settle(everything):
            settled += self._settle(files)
        return settled

    def fold(self, now: datetime, *, everything: bool = False) -> int:
        """Write later counts, corrections and deletions into the posts that they are about. Returns files rewritten."""
        tables = (self.archive.observations, self.archive.changes, self.archive.tombstones)
        snapshots = [table.snapshot() for table in tables]
        if not (everything or self._fold_is_due(snapshots, now)):
            return 0
        waiting = [table.read(snapshot.files) for table, snapshot in zip(tables, snapshots, strict=True)]
        ids = np.unique(np.concatenate([_ids(rows) for rows in waiting]))
        if not len(ids) and not any(snapshot.files for snapshot in snapshots):
            return 0
        places = self._places(ids, [file for file in self._posts.snapshot().files if not file.is_new])
        for file in places:
            self._rewrite([file])
        folded = np.unique(np.concatenate([*places.values(), np.empty(0, np.int64)]))
        fresh = self._ids_of([file for file in self._posts.snapshot().files if file.is_new])
        done = np.setdiff1d(folded, fresh)
        self._index_changed(np.intersect1d(done, _ids(waiting[1])))
        leftovers = (self._left_observations, self._left_changes, self._left_tombstones)
        for table, snapshot, rows, left in zip(tables, snapshots, waiting, leftovers, strict=True):
            self._replace(table, snapshot.files, left(rows, done, fresh, now))
        return len(places)

    def _index_changed(self, ids: Numbers) -> None:
        """Let the index know posts whose corrections and monitors no reader lays over it any more."""
        for start in range(0, len(ids), INDEXED_AT_ONCE):
            scan = Scan(columns=MENTIONED, ids=tuple(ids[start : start + INDEXED_AT_ONCE].tolist()))
            posts = self.archive.table(scan)
            with self.archive.turn(), self.archive.index_guard:
                self.archive.index.add_mentions(posts, self._posts.snapshot())

    def merge(self) -> int:
        """Merge files where many cover one moment, and neighbours that are small. Returns files merged."""
        merged = 0
        for _ in range(1000):
            settled = [file for file in self._posts.snapshot().files if not file.is_new]
            crowd = _deepest(settled, self.pace.depth) or _small_neighbours(settled, self.pace.small_files)
            if not crowd:
                break
            self._rewrite(crowd)
            merged += len(crowd)
        return merged

    def retire_posts(self, now: datetime) -> int:
        """Remove posts older than they are kept. Returns how many."""
        retired = 0
        if self.retention.posts is not None:
            retired += self._retire("true", _oldest_kept(now, self.retention.posts))
        for source, days in self.retention.sources.items():
            retired += self._retire(f"source = {quoted(source)}", _oldest_kept(now, days))
        return retired

    def sweep(self, *, patience: float, versions: bool = False) -> int:
        """Remove files that no version lists, and what killed processes left. Returns how many files went."""
        removed = 0
        archive = self.archive
        with archive.turn():
            tables = (archive.posts, archive.observations, archive.changes, archive.tombstones)
            if versions or any(table.log_length() > LOG_LENGTH for table in tables):
                archive.forget_versions()
            for table in tables:
                removed += table.remove_unlisted(older_than=patience)
            with archive.index_guard:
                archive.index.complete(archive.posts.snapshot())
                archive.index.sweep()
        remove_drafts(archive.path)
        _remove_scratch(archive.path / "scratch")
        return removed

    def rewrite_holding(self, ids: Numbers) -> int:
        """Rewrite the files that hold these posts, as they stand now. Returns how many."""
        places = self._places(ids, self._posts.snapshot().files)
        for file in places:
            self._rewrite([file])
        return len(places)

    # How

    def _to_settle(self, everything: bool) -> list[DataFile]:
        new = sorted(
            (file for file in self._posts.snapshot().files if file.is_new), key=lambda file: (file.modified, file.path)
        )
        if not everything:
            new = new[: -self.pace.leave or None]
            if len(new) < self.pace.settle_files and sum(file.rows for file in new) < self.pace.settle_rows:
                return []
        rows = list(accumulate(file.rows for file in new))
        return [file for file, before in zip(new, [0, *rows], strict=False) if before < self.pace.settle_at_once]

    def _settle(self, files: list[DataFile]) -> int:
        """Settle the oldest new files.

        What edits among them replace goes first, file by file: once an edit is settled nothing says any more that
        older rows are dead.
        """
        edits = self._edited_ids(files)
        if len(edits):
            others = [file for file in self._posts.snapshot().files if file not in files]
            for file in self._places(edits, others):
                if file.is_new:
                    files.append(file)
                else:
                    self._rewrite([file])
        self._rewrite(files)
        return sum(file.rows for file in files)

    def _rewrite(self, files: Sequence[DataFile], *, condition: str = "true") -> None:
        """Replace files by others that hold their rows as they stand now, in order, as far as the condition holds."""
        _, overlay = self.archive.view()
        adds = []
        for low, high in self._stretches(files):
            within = [file for file in files if file.high >= low and file.low < high]
            rows = current(FILED.names, self._posts.absolute(within), overlay)
            chosen = f"id >= {low} AND id < {high} AND ({condition})"
            columns = ", ".join(map(named, FILED.names))
            sql = f"SELECT {columns} FROM ({rows}) WHERE {chosen} ORDER BY id, revision"
            sorted_rows = self.archive.duck.table(sql, overlay.tables)
            if sorted_rows.num_rows:
                adds.append(self._posts.write(sorted_rows.cast(FILED), "settled", level=LEVEL))
        with self.archive.turn():
            self.archive.index_everything()
            self._posts.commit(adds, files, notes={"talkworthy": "keeper"})

    def _stretches(self, files: Sequence[DataFile]) -> Iterator[tuple[int, int]]:
        """Ranges of ids that together hold the rows of files, each about as many as one file should.

        Each is sorted by itself: sorting half a million whole rows at once took 400 MB more.
        """
        ids = np.sort(self._ids_of(files))
        pieces = max(-(-len(ids) // TARGET_ROWS), 1)
        cuts = [int(ids[len(ids) * piece // pieces]) for piece in range(1, pieces)]
        yield from pairwise([-LARGEST, *dict.fromkeys(cuts), LARGEST])

    def _replace(self, table: Table, files: Sequence[DataFile], left: pa.Table) -> None:
        """Put the rows that are left in the place of files of a small table."""
        if not files or (len(files) == 1 and files[0].rows == left.num_rows and not left.num_rows):
            return
        with self.archive.turn():
            adds = [table.write(left, "settled", level=LEVEL)] if left.num_rows else []
            table.commit(adds, files, notes={"talkworthy": "keeper"})

    def _fold_is_due(self, snapshots: Sequence[Snapshot], now: datetime) -> bool:
        fresh = [file for snapshot in snapshots for file in snapshot.files if file.is_new]
        oldest = min((file.modified for file in fresh), default=None)
        waited = oldest is not None and now.timestamp() - oldest / 1000 > self.pace.fold_hours * 3600
        return waited or len(fresh) >= self.pace.fold_files or sum(file.rows for file in fresh) >= self.pace.fold_rows

    def _places(self, ids: Numbers, files: Sequence[DataFile]) -> dict[DataFile, Numbers]:
        """Which of the files really hold which of the ids."""
        places = {}
        wanted = pa.table({"id": pa.array(ids)})
        for file in holding(files, ids.tolist()):
            paths = self._posts.absolute([file])
            found = self.archive.duck.table(
                f"SELECT DISTINCT id FROM ({current(['id'], paths, Overlay())}) SEMI JOIN wanted USING (id)",
                {"wanted": wanted},
            )
            if found.num_rows:
                places[file] = _ids(found)
        return places

    def _edited_ids(self, files: Sequence[DataFile]) -> Numbers:
        edited = [file for file in files if file.revision > 0]
        if not edited:
            return np.empty(0, np.int64)
        paths = self._posts.absolute(edited)
        sql = f"SELECT DISTINCT id FROM ({current(['id', 'revision'], paths, Overlay())}) WHERE revision > 0"
        return _ids(self.archive.duck.table(sql, Overlay().tables))

    def _ids_of(self, files: Sequence[DataFile]) -> Numbers:
        if not files:
            return np.empty(0, np.int64)
        return _ids(self.archive.duck.table(current(["id"], self._posts.absolute(files), Overlay()), Overlay().tables))

    def _left_observations(self, rows: pa.Table, done: Numbers, fresh: Numbers, now: datetime) -> pa.Table:
        """Counts of posts that wait to be settled, or that may still arrive."""
        recent = pc.greater(
            rows["taken_at"], pa.scalar(now - timedelta(days=self.retention.orphans), rows["taken_at"].type)
        )
        return rows.filter(pc.and_(_not_in(rows["id"], done), pc.or_(_in(rows["id"], fresh), recent)))

    def _left_changes(self, rows: pa.Table, done: Numbers, fresh: Numbers, now: datetime) -> pa.Table:
        limit = int((now - timedelta(days=self.retention.orphans)).timestamp() * 1e9)
        recent = pc.greater(rows["seq"], limit)
        return rows.filter(pc.and_(_not_in(rows["id"], done), pc.or_(_in(rows["id"], fresh), recent)))

    def _left_tombstones(self, rows: pa.Table, done: Numbers, fresh: Numbers, now: datetime) -> pa.Table:
        """Tombstones without what they were about: a hash that keeps the post from coming back."""
        limit = now - timedelta(days=self.retention.tombstones)
        unsettled, left, bare = set(fresh.tolist()), [], {}
        for stone in rows.sort_by("deleted_at").to_pylist():
            if stone["id"] in unsettled:
                left.append(stone)
            elif stone["reason"] == ERASED or stone["deleted_at"] >= limit:
                kept = {name: stone[name] for name in ("digest", "account", "revision", "deleted_at", "reason")}
                bare[stone["digest"], stone["account"], stone["reason"]] = {**dict.fromkeys(BURIED.names), **kept}
        return pa.Table.from_pylist([*left, *bare.values()], schema=BURIED)

    def _retire(self, condition: str, limit: int) -> int:
        retired = 0
        for file in [file for file in self._posts.snapshot().files if file.low < limit]:
            if (file.path, condition, limit) not in self._checked:
                self._checked.add((file.path, condition, limit))
                retired += self._retire_from(file, f"id < {limit} AND ({condition})")
        return retired

    def _retire_from(self, file: DataFile, old: str) -> int:
        rows = current(["id", "source"], self._posts.absolute([file]), Overlay())
        sql = f"SELECT count(*) AS posts FROM ({rows}) WHERE {old}"
        count = int(self.archive.duck.table(sql, Overlay().tables)["posts"][0].as_py())
        if count:
            self._rewrite([file], condition=f"NOT coalesce({old}, false)")
        return count


def _ids(rows: pa.Table) -> Numbers:
    ids: Numbers = rows["id"].drop_null().cast(pa.int64()).to_numpy()
    return ids


def _in(column: pa.ChunkedArray, ids: Numbers) -> pa.ChunkedArray:
    return pc.is_in(column, pa.array(ids))


def _not_in(column: pa.ChunkedArray, ids: Numbers) -> pa.ChunkedArray:
    return pc.invert(_in(column, ids))


def _deepest(files: Sequence[DataFile], depth: int) -> list[DataFile]:
    """The files that cover the most crowded moment, where more than `depth` do."""
    if len(files) <= depth:
        return []
    lows, highs = np.array([file.low for file in files]), np.array([file.high for file in files])
    crowds = np.searchsorted(np.sort(lows), lows, "right") - np.searchsorted(np.sort(highs), lows, "left")
    if crowds.max() <= depth:
        return []
    moment = lows[int(crowds.argmax())]
    return [file for file in files if file.low <= moment <= file.high]


def _small_neighbours(files: Sequence[DataFile], least: int) -> list[DataFile]:
    """Neighbours in time that together make one file of the usual size."""
    group: list[DataFile] = []
    rows = 0
    for file in files:
        if file.rows >= TARGET_ROWS // 2 or rows + file.rows > TARGET_ROWS:
            if len(group) >= least:
                return group
            group, rows = [], 0
        if file.rows < TARGET_ROWS // 2:
            group.append(file)
            rows += file.rows
    return group if len(group) >= least else []


def _oldest_kept(now: datetime, days: float) -> int:
    """The lowest number that is kept. It moves once a day, so that a day's posts are retired together."""
    return int((now - timedelta(days=days)).timestamp()) // 86400 * 86400 << HASH_BITS


def _remove_scratch(folder: Path) -> None:
    """Remove what the query engine of a killed process had spilled."""
    with suppress(FileNotFoundError):
        for place in folder.iterdir():
            if place.name.isdigit() and not lives(int(place.name)):
                shutil.rmtree(place, ignore_errors=True)
