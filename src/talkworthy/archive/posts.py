"""The archive: every post of a workspace, appended once, read as it stands now.

One process writes (`append`, `observe`, `bury`, `change`), one keeper puts in order what was written, any number
read. Four Delta tables: `posts`, and what was learnt later about them, `observations`, `changes`, `tombstones`,
which readers lay over the posts until the keeper has folded them in.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from talkworthy.archive.arriving import (
    SortedOut,
    as_arriving,
    as_edits,
    as_filed,
    differs_from,
    is_later,
    newest_of_each,
)
from talkworthy.archive.columns import (
    BURIED,
    CHANGED,
    FILED,
    HASH_BITS,
    OBSERVED,
    ROWS,
    STORED,
    digests,
    numbers,
)
from talkworthy.archive.duck import Duck, MissingFile
from talkworthy.archive.durable import lock
from talkworthy.archive.erasure import Receipt, begin_erasure, erasure_receipt
from talkworthy.archive.index import FLUSH_AT, THREAD, UID, Index, Numbers
from talkworthy.archive.later import NONE_RECOUNTED, Recounted, as_changes, as_tombstones, later_counts, recounted
from talkworthy.archive.overlay import Overlays
from talkworthy.archive.payloads import JSON, PayloadStore
from talkworthy.archive.reading import Reader
from talkworthy.archive.scan import By, Overlay, Scan
from talkworthy.archive.spool import Spool
from talkworthy.archive.table import Snapshot, Table, completed
from talkworthy.schema import OBSERVATION, TOMBSTONE

NEW_LEVEL = 1
THREAD_LIMIT = 5_000


class StaleRead(RuntimeError):
    """The keeper put the files away while they were read, and rows were already handed out: read again."""


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
    recounted: Recounted = NONE_RECOUNTED
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
        self._reader = Reader(self.posts, self._overlays, self.index, self.index_guard, self.duck)

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
        arriving = as_arriving(posts)
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
            return NONE_RECOUNTED
        with self.turn():
            ids = self._numbers_of(observations)
            rows = observations.select(OBSERVATION.names).add_column(0, "id", pa.array(ids)).cast(OBSERVED)
            changed = recounted(rows.to_pylist(), self._reader.fetched(sorted(set(ids.tolist()))))
            self._add(self.observations, rows)
        return changed

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
            self._add(self.changes, as_changes(changes))
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
                for batch, rest in self._reader.pieces(left):
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
        return self._reader.count(scan, tuple(by), engagement=engagement)

    def get(self, post: str | int) -> Mapping[str, Any] | None:
        """One post by uid or by the archive's number, as plain values, or None where it is not here (any more)."""
        ids = [post] if isinstance(post, int) else self._reader.find(UID, [post])
        for row in self._reader.fetched(ids).to_pylist():
            if isinstance(post, int) or row["uid"] == post:
                return dict(row)
        return None

    def named(self, uids: Sequence[str]) -> pa.Table:
        """The posts of these uids that are here, oldest first, in one reading (columns of STORED)."""
        rows = self._reader.fetched(self._reader.find(UID, uids))
        return rows.filter(pc.is_in(rows["uid"], pa.array(uids, pa.string())))

    def arrived(self, since: int) -> list[int] | None:
        """The numbers of the posts that came after a version of `stats`, whenever they were published.

        None where that is too long ago to be told. Edits and corrections of posts that were here are no arrivals.
        """
        paths = self.posts.added_since(since)
        ids: list[int] = []
        for path in paths or ():
            try:
                file = pq.ParquetFile(self.posts.folder / path)
            except FileNotFoundError:
                return None
            edited = set(json.loads((file.schema_arrow.metadata or {}).get(b"edited", b"[]")))
            ids += [number for number in file.read(columns=["id"])["id"].to_pylist() if number not in edited]
        return None if paths is None else sorted(ids)

    def thread(self, uid: str) -> pa.Table:
        """The whole thread that a post belongs to, oldest first, as far as it was collected (columns of STORED)."""
        seen: set[int] = set()
        found: list[pa.Table] = []
        wanted = {uid}
        asked: set[str] = set()
        while wanted and len(seen) < THREAD_LIMIT:
            ids = {*self._reader.find(UID, sorted(wanted)), *self._reader.find(THREAD, sorted(wanted))} - seen
            asked |= wanted
            seen |= ids
            rows = self._reader.fetched(sorted(ids))
            links = [
                (row["uid"], row["root"], row["in_reply_to"])
                for row in rows.select(["uid", "root", "in_reply_to"]).to_pylist()
            ]
            found.append(rows)
            wanted = {name for link in links for name in link if name} - asked
        return _thread_of(uid, pa.concat_tables(found))

    def answers(self, uids: Sequence[str]) -> pa.Table:
        """The posts that answer any of these directly, oldest first (columns of STORED)."""
        rows = self._reader.fetched(sorted(self._reader.find(THREAD, sorted(set(uids)))))
        return rows.filter(pc.is_in(rows["in_reply_to"], pa.array(sorted(set(uids)), pa.string())))

    def snapshot(self) -> FileList:
        """The posts as files for other engines. Fold first (Keeper.run_once) where corrections matter to them."""
        snapshot = self.posts.snapshot()
        return FileList(snapshot.version, snapshot.rows, tuple(self.posts.absolute(snapshot.files)))

    def by_uid(self, version: int | None = None) -> Iterator[pa.RecordBatch]:
        """Every post (columns of POST) in the order of its uid, which no other reading offers: for batch work.

        `version` names an older list of files (`snapshot`), which the log and the keeper's patience must still
        have; what was learnt since lies over it too, so what was deleted stays away. Raises UnknownVersion, and
        StaleRead where its files are gone.
        """
        try:
            yield from self._reader.by_uid(version)
        except MissingFile as error:
            raise StaleRead(f"the files of {self.path} were put away: read again, or name a newer version") from error

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

    def damaged(self) -> list[Path]:
        """The files of the archive that are gone or cut short; what they hold is read again once they are back."""
        tables = (self.posts, self.observations, self.changes, self.tombstones)
        put_aside = [*self.spool.damaged(), *self.payloads.damaged()]
        return [*(path for table in tables for path in table.damaged()), *put_aside]

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
        arriving = newest_of_each(arriving)
        hashes = digests(arriving["uid"])
        admitted = self._overlays.admitted(arriving, hashes)
        refused = arriving.num_rows - int(admitted.sum())
        if refused:
            arriving, hashes = arriving.filter(pa.array(admitted)), hashes[admitted]
        rows = as_filed(arriving, numbers(hashes, arriving["published_at"]))
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
                self.index.learn(adds[0].path, written)
                self.index.flush(self.posts.snapshot(), at_least=FLUSH_AT)
        return Appended(
            version,
            new.select(STORED.names),
            edited.select(STORED.names),
            sorted_out.previous.select(STORED.names),
            recounted(sorted_out.observed, sorted_out.known.select(STORED.names)),
            known=rows.num_rows - written.num_rows,
            refused=refused,
        )

    def _sorted_out(self, rows: pa.Table, hashes: Numbers, snapshot: Snapshot) -> SortedOut:
        with self.index_guard:
            self.index.follow(snapshot)
            positions, ids = self.index.find(UID, hashes)
        if not len(ids):
            return SortedOut(rows, rows.slice(0, 0), rows.slice(0, 0), rows.slice(0, 0), [])
        stored = self._reader.fetched(sorted(set(ids.tolist())), revisions=True)
        standing = {uid: place for place, uid in enumerate(stored["uid"].to_pylist())}
        places = np.array([standing.get(uid, -1) for uid in rows["uid"].to_pylist()], np.int64)
        fresh = self._risen(rows, hashes, positions[places[positions] < 0], ids[places[positions] < 0])
        new = fresh.filter(pa.array(places < 0))
        back = np.flatnonzero(places >= 0)
        arrived, stood = rows.take(pa.array(back)), stored.take(pa.array(places[back]))
        later = is_later(arrived, stood)
        differs = later & differs_from(arrived, stood)
        same, before = stood.filter(pa.array(later & ~differs)), stood.filter(pa.array(differs))
        observed = later_counts(arrived.filter(pa.array(later & ~differs)), same)
        return SortedOut(new, as_edits(arrived.filter(pa.array(differs)), before), before, same, observed)

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
        older = self._reader.revisions(edited["id"].to_pylist(), snapshot)
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

    def _buried(self, tombstones: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The rows for the tombstones table, and the posts that they make vanish."""
        rows = tombstones.select(TOMBSTONE.names).to_pylist()
        uids = sorted({row["uid"] for row in rows if row["uid"]})
        accounts = sorted({(row["channel"] or "", row["author_id"]) for row in rows if not row["uid"]})
        found = self._reader.fetched(self._reader.find(UID, uids), revisions=True)
        named_posts = found.filter(pc.is_in(found["uid"], pa.array(uids, pa.string())))
        of_accounts = [self._posts_of(channel, author) for channel, author in accounts]
        vanished = _unique_by_id(pa.concat_tables([named_posts, *of_accounts]))
        return as_tombstones(rows, vanished), vanished.select(STORED.names)

    def _posts_of(self, channel: str, author: str) -> pa.Table:
        scan = Scan(columns=("id",), authors=(author,), channels=(channel,) if channel else (), order=None)
        ids = [number for batch in self.scan(scan) for number in batch.column(0).to_pylist()]
        return self._reader.fetched(ids, revisions=True)

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


def _unique_by_id(rows: pa.Table) -> pa.Table:
    places = {number: place for place, number in enumerate(rows["id"].to_pylist())}
    return rows.take(pa.array(sorted(places.values()), pa.int64()))


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
