"""How posts are read: which files, which ids first, and then only those rows."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from talkworthy.archive.columns import FILED, STORED, digests
from talkworthy.archive.duck import Duck, MissingFile
from talkworthy.archive.index import ACCOUNT, MENTION, Index, Numbers, mention_keys
from talkworthy.archive.overlay import Overlays, felt_or_tied
from talkworthy.archive.scan import By, Overlay, Scan, conditions, grouped, select, tables
from talkworthy.archive.table import ROW_GROUP, DataFile, Snapshot, Table
from talkworthy.schema import POST

SPAN = 150_000


@dataclass(frozen=True)
class _Indexed:
    """What the index is asked for a scan; `says_all`: nearly all that it finds meets every condition."""

    kind: str
    keys: Numbers
    says_all: bool
    monitors: tuple[int, ...] = ()


class Reader:
    """Reads one posts table as it stands now. Threads may share it."""

    def __init__(
        self, posts: Table, overlays: Overlays, index: Index, index_guard: threading.RLock, duck: Duck
    ) -> None:
        self.posts = posts
        self.overlays = overlays
        self.index = index
        self.index_guard = index_guard
        self.duck = duck

    def pieces(self, scan: Scan) -> Iterator[tuple[pa.RecordBatch, Scan]]:
        """Batches, each with the scan for what comes after it."""
        snapshot, overlay = self.overlays.view()
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

    def by_uid(self, version: int | None) -> Iterator[pa.RecordBatch]:
        """Every living post, sorted by uid: in memory as far as the engine's limit goes, then in its scratch."""
        snapshot, overlay = self.overlays.view(version)
        scan = Scan(columns=tuple(POST.names), order=None)
        if snapshot.files:
            paths = self.posts.absolute(snapshot.files)
            sql = select(scan.columns, scan, paths, overlay, low=scan.low, high=scan.high)
            yield from self.duck.batches(f"{sql} ORDER BY uid", tables(scan, overlay))

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
            return
        indexed = self._indexed(scan)
        if indexed is None:
            yield from ((ids, True) for ids in self._ids_by_span(scan, snapshot, overlay))
        elif indexed.says_all:
            yield from ((ids, False) for ids in self._candidates(indexed, scan, snapshot, overlay, scan.limit or 0))
        else:
            yield from ((ids, True) for ids in self._ids_by_index(indexed, scan, snapshot, overlay))

    def _ids_by_span(self, scan: Scan, snapshot: Snapshot, overlay: Overlay) -> Iterator[list[int]]:
        """Ids of matching posts, span after span, the spans growing as long as too few match."""
        direction = "DESC" if scan.order == "newest" else "ASC"
        for low, high in _spans(snapshot.files, scan, first=SPAN, growth=3):
            files = _between(snapshot.files, low, high)
            sql = select(["id"], scan, self.posts.absolute(files), overlay, low=low, high=high)
            found = self.duck.table(f"{sql} ORDER BY id {direction} LIMIT {scan.limit}", tables(scan, overlay))
            yield found["id"].to_pylist()

    def _ids_by_index(
        self, indexed: "_Indexed", scan: Scan, snapshot: Snapshot, overlay: Overlay
    ) -> Iterator[list[int]]:
        """Ids of matching posts among the candidates that the index names.

        Where a key has many posts and the other conditions little, reading on span after span is cheaper.
        """
        newest = scan.order == "newest"
        for ids in self._candidates(indexed, scan, snapshot, overlay, 4 * (scan.limit or 0)):
            yield self._rows(ids, ("id",), snapshot, overlay, newest=newest, scan=scan)["id"].to_pylist()
            scan = replace(scan, before=ids[-1]) if newest else replace(scan, after=ids[-1])
            if self._is_dense(indexed, scan, snapshot):
                yield from self._ids_by_span(scan, snapshot, overlay)
                return

    def _is_dense(self, indexed: "_Indexed", scan: Scan, snapshot: Snapshot) -> bool:
        rows = sum(file.rows for file in _between(snapshot.files, scan.low, scan.high))
        with self.index_guard:
            return self.index.count(indexed.kind, indexed.keys, scan.low, scan.high) > rows / 50

    def _indexed(self, scan: Scan) -> "_Indexed | None":
        """The keys of the index of which a matching post has at least one: those of authors, else of mentions."""
        with self.index_guard:
            kinds = [kind for kind in (ACCOUNT, MENTION) if self.index.has(kind)]
        asked = len(conditions(scan)) - (scan.since is not None) - (scan.until is not None)
        if scan.authors and ACCOUNT in kinds:
            return _Indexed(ACCOUNT, digests(scan.authors), asked == 1)
        monitors = scan.monitors_all[:1] or scan.monitors_any
        if not monitors or MENTION not in kinds:
            return None
        says_all = asked == 1 + bool(scan.channels) + bool(scan.sentiments) and len(scan.monitors_all) < 2
        return _Indexed(MENTION, mention_keys(monitors, scan.channels, scan.sentiments), says_all, monitors)

    def _candidates(
        self, indexed: "_Indexed", scan: Scan, snapshot: Snapshot, overlay: Overlay, size: int
    ) -> Iterator[list[int]]:
        """What the index says of the monitors or authors of a scan, in order, in growing pieces; maybe too much."""
        newest = scan.order == "newest"
        changed = overlay.changed if indexed.monitors else None
        beside = felt_or_tied(changed, indexed.monitors) if changed is not None else np.empty(0, np.int64)
        low, high = scan.low, scan.high
        while True:
            with self.index_guard:
                self.index.follow(snapshot)
                page = self.index.page(indexed.kind, indexed.keys, low, high, size, newest=newest)
            first, last = np.searchsorted(beside, [low, high], "left")
            found = np.unique(np.concatenate([page, beside[first:last]]))
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

    def fetched(self, ids: Sequence[int], *, revisions: bool = False) -> pa.Table:
        """Whole living rows of ids, oldest first; with `revisions` their revision too."""
        columns = FILED.names if revisions else STORED.names

        def read() -> pa.Table:
            snapshot, overlay = self.overlays.view()
            return self._rows(ids, columns, snapshot, overlay, newest=False)

        return self._retried(read)

    def find(self, kind: str, uids: Sequence[str]) -> list[int]:
        """The numbers that the index has for uids; it may say too much."""
        with self.index_guard:
            self.index.follow(self.posts.snapshot())
            _, ids = self.index.find(kind, digests(uids))
        return sorted(set(ids.tolist()))

    def count(self, scan: Scan, by: tuple[By, ...], *, engagement: bool) -> pa.Table:
        """How many living rows in each group, the largest first."""
        return self._retried(lambda: self._count(scan, by, engagement))

    def _count(self, scan: Scan, by: tuple[By, ...], engagement: bool) -> pa.Table:
        snapshot, overlay = self.overlays.view()
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

    def revisions(self, ids: Sequence[int], snapshot: Snapshot) -> pa.Table:
        """Every revision of posts that the files hold, with counts and corrections but whether dead or not."""
        overlay = replace(self.overlays.view()[1], dead=None)
        files = holding(snapshot.files, ids)
        if not files:
            return FILED.empty_table()
        scan = Scan(ids=tuple(ids))
        sql = select(FILED.names, scan, self.posts.absolute(files), overlay, low=min(ids), high=max(ids) + 1)
        return self.duck.table(sql, tables(scan, overlay)).cast(FILED)


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
