"""What is laid over the files of posts when they are read, and what keeps deleted posts from coming back."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from talkworthy.archive.columns import CORRECTABLE, account_digests, accounts_of
from talkworthy.archive.duck import Duck
from talkworthy.archive.index import Numbers
from talkworthy.archive.scan import Overlay
from talkworthy.archive.table import Snapshot, Table

EVERY_REVISION = 2**31 - 1
ERASED = "erased"


@dataclass(frozen=True)
class _Cached:
    version: int
    value: pa.Table | None


class Overlays:
    """Computes the overlay of a moment; what did not change since the last moment is not computed again."""

    def __init__(self, duck: Duck, posts: Table, observations: Table, changes: Table, tombstones: Table) -> None:
        self._duck = duck
        self._posts = posts
        self._observations = observations
        self._changes = changes
        self._tombstones = tombstones
        self._guard = threading.RLock()
        self._cache: dict[str, _Cached] = {}
        self._edits: dict[str, pa.Table] = {}

    def view(self, version: int | None = None) -> tuple[Snapshot, Overlay]:
        """The posts' files at this moment, or at an older version, and what lies over them now.

        The overlay is read first: the keeper changes the posts before it takes away what it folded in, so a view
        may lay the same thing over twice, which changes nothing, but never misses it.
        """
        with self._guard:
            observed = self._fresh("observed", self._observations, self._observed)
            changed = self._fresh("changed", self._changes, self._changed)
            buried = self._fresh("buried", self._tombstones, self._buried)
            snapshot = self._posts.snapshot() if version is None else self._posts.at(version)
            dead = _joined([buried, *self._superseded(snapshot)])
        return snapshot, Overlay(dead=dead, observed=observed, changed=changed)

    def admitted(self, posts: pa.Table, hashes: Numbers) -> npt.NDArray[np.bool_]:
        """Which arriving posts no tombstone forbids."""
        with self._guard:
            stones = self._fresh("stones", self._tombstones, _stones)
        admitted = np.ones(posts.num_rows, bool)
        if stones is None or not posts.num_rows:
            return admitted
        collected, published = _micros(posts["collected_at"]), _micros(posts["published_at"])
        for stone in _applying(stones, False, hashes):
            late = collected[stone.positions] > stone.deleted_at
            admitted[stone.positions[np.logical_not(late) | stone.erased]] = False
        if pc.any(stones["account"]).as_py():
            authors = accounts_of(posts["author"]).to_pylist()
            for channels in (posts["channel"].to_pylist(), [""] * posts.num_rows):
                for stone in _applying(stones, True, account_digests(channels, authors)):
                    admitted[stone.positions[published[stone.positions] <= stone.deleted_at]] = False
        return admitted

    def buried_revisions(self) -> dict[int, int]:
        """By hash of the uid, the highest revision that a tombstone covers."""
        with self._guard:
            stones = self._fresh("stones", self._tombstones, _stones)
        if stones is None:
            return {}
        covered: dict[int, int] = {}
        for digest, revision in zip(stones["digest"].to_pylist(), stones["revision"].to_pylist(), strict=True):
            if digest is not None and revision is not None:
                covered[digest] = max(covered.get(digest, -1), revision)
        return covered

    def _fresh(self, name: str, table: Table, compute: Callable[[pa.Table], pa.Table]) -> pa.Table | None:
        snapshot = table.snapshot()
        cached = self._cache.get(name)
        if cached is None or cached.version != snapshot.version:
            value = compute(table.read(snapshot.files)) if snapshot.rows else None
            cached = _Cached(snapshot.version, value if value is not None and value.num_rows else None)
            self._cache[name] = cached
        return cached.value

    def _observed(self, rows: pa.Table) -> pa.Table:
        counts = ", ".join(f"arg_max({name}, taken_at) AS {name}" for name in ("replies", "shares", "likes", "views"))
        sql = f"SELECT id, {counts}, max(taken_at) AS taken_at FROM rows_given GROUP BY id"
        return self._duck.table(sql, tables={"rows_given": rows})

    def _changed(self, rows: pa.Table) -> pa.Table:
        corrected = ", ".join(
            f"bool_or(\"column\" = '{name}') AS has_{name}, "
            f"CAST(max(CASE WHEN \"column\" = '{name}' THEN value END) AS {kind}) AS {name}"
            for name, kind in CORRECTABLE.items()
        )
        monitor = "TRY_CAST(split_part(\"column\", ':', 2) AS INTEGER)"
        of_monitor = "starts_with(\"column\", 'monitor:') AND value"
        tied = ", ".join(
            f"coalesce(list({monitor}) FILTER ({of_monitor} = '{truth}'), []::INTEGER[]) AS {name}"
            for name, truth in (("gained", "true"), ("lost", "false"))
        )
        latest = 'SELECT * FROM rows_given QUALIFY row_number() OVER (PARTITION BY id, "column" ORDER BY seq DESC) = 1'
        return self._duck.table(
            f"SELECT id, {corrected}, {tied} FROM ({latest}) GROUP BY id ORDER BY id", tables={"rows_given": rows}
        )

    def _buried(self, rows: pa.Table) -> pa.Table:
        sql = "SELECT id, CAST(max(revision) AS INTEGER) AS upto FROM rows_given WHERE id IS NOT NULL GROUP BY id"
        return self._duck.table(sql, tables={"rows_given": rows})

    def _superseded(self, snapshot: Snapshot) -> list[pa.Table]:
        """Older revisions of edited posts. Only new files can hold edits whose older rows still stand."""
        with_edits = [file for file in snapshot.files if file.is_new and file.revision > 0]
        self._edits = {file.path: self._edits[file.path] for file in with_edits if file.path in self._edits}
        for file in with_edits:
            if file.path not in self._edits:
                self._edits[file.path] = self._edits_in(self._posts.absolute([file])[0])
        return list(self._edits.values())

    def _edits_in(self, path: str) -> pa.Table:
        rows = pq.read_table(path, columns=["id", "revision"], partitioning=None)
        rows = rows.filter(pc.greater(rows["revision"], 0))
        upto = pc.subtract(rows["revision"], pa.scalar(1, pa.int32()))
        return pa.table({"id": rows["id"].cast(pa.int64()), "upto": upto.cast(pa.int32())})


@dataclass(frozen=True)
class _Applying:
    positions: Numbers
    deleted_at: Numbers
    erased: npt.NDArray[np.bool_]


def _applying(stones: pa.Table, accounts: bool, hashes: Numbers) -> list[_Applying]:
    """The tombstones of posts, or of accounts, that meet any of the hashes."""
    chosen = stones.filter(pc.equal(stones["account"], accounts))
    met = chosen.filter(pc.is_in(chosen["digest"], pa.array(hashes)))
    found = []
    for stone in met.to_pylist():
        positions = np.flatnonzero(hashes == stone["digest"])
        times = np.full(len(positions), stone["deleted_at"], np.int64)
        found.append(_Applying(positions, times, np.full(len(positions), stone["erased"])))
    return found


def felt_or_tied(changed: pa.Table, monitors: Sequence[int]) -> Numbers:
    """The ids, in order, of posts whose sentiment was corrected, or that one of some monitors was tied to."""
    gained = changed["gained"].combine_chunks()
    gained = pa.concat_arrays(gained.chunks) if isinstance(gained, pa.ChunkedArray) else gained
    tied = pc.is_in(pc.list_flatten(gained), pa.array(monitors, pa.int32()))
    wanted = pc.fill_null(changed["has_sentiment"], False).to_numpy().copy()
    wanted[pc.list_parent_indices(gained).filter(tied).to_numpy(zero_copy_only=False)] = True
    ids: Numbers = changed["id"].to_numpy()[wanted]
    return ids


def _stones(rows: pa.Table) -> pa.Table:
    """The tombstones as what they forbid."""
    return pa.table(
        {
            "digest": rows["digest"],
            "account": pc.fill_null(rows["account"], False),
            "revision": rows["revision"],
            "deleted_at": rows["deleted_at"].cast(pa.int64()),
            "erased": pc.fill_null(pc.equal(rows["reason"], ERASED), False),
        }
    )


def _joined(tables: list[pa.Table | None]) -> pa.Table | None:
    """The highest revision of each id that is gone."""
    present = [table.cast(_DEAD) for table in tables if table is not None and table.num_rows]
    if not present:
        return None
    return pa.concat_tables(present).group_by("id").aggregate([("upto", "max")]).rename_columns({"upto_max": "upto"})


_DEAD = pa.schema([("id", pa.int64()), ("upto", pa.int32())])


def _micros(column: pa.ChunkedArray) -> Numbers:
    values: Numbers = pc.fill_null(column.cast(pa.int64()), -(2**62)).to_numpy()
    return values
