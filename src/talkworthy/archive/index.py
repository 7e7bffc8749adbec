"""Sorted runs of (key, id): where a uid, and posts of monitors, threads and authors lie, without reading a post.

A mention stands under its monitor, channel and sentiment, as they are in the files: so a river of a monitor that is
filtered by either reads what it shows and no more. What was corrected or tied since is laid over by who reads.

Derived from the posts table and never more than a hint: what it finds is read and checked. It names the new files
that it covers; files beyond those are read into memory by whoever needs them, so readers in other processes are
as fresh as the table. Removing the folder costs one reading of the table.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from talkworthy.archive.columns import accounts_of, digests
from talkworthy.archive.durable import Damaged, sync_file, write_durably
from talkworthy.archive.table import Snapshot
from talkworthy.schema import SENTIMENTS

log = logging.getLogger(__name__)

Numbers = npt.NDArray[np.int64]

UID, MENTION, THREAD, ACCOUNT = KINDS = ("uid", "mention", "thread", "account")
INDEXED = ("id", "uid", "monitors", "channel", "sentiment", "root", "in_reply_to", "author.id", "author.handle")
FLUSH_AT = 65_536
_GROWTH = 4
_EMPTY = np.empty((2, 0), np.int64)
_CHANNEL_BITS, _SENTIMENT_BITS = 8, 2
_FELT = pa.array(SENTIMENTS)


@dataclass
class _Runs:
    """What is on disk: the manifest's stamp, the new files covered, and the mapped runs of each kind."""

    stamp: tuple[int, int] | None = None
    covered: frozenset[str] = frozenset()
    names: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    runs: dict[str, list[Numbers]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    kinds: frozenset[str] = frozenset(KINDS)
    """Those that are held; an index of an older version of the product has fewer until the keeper adds them."""


class Index:
    """The index of one posts table. `follow` it to a snapshot, then ask. Not for several threads at once."""

    def __init__(self, folder: Path, posts: Path) -> None:
        self.folder = folder
        self.posts = posts
        self._disk = _Runs()
        self._memory: dict[str, dict[str, Numbers]] = {}

    def follow(self, snapshot: Snapshot) -> None:
        """Take in what the table gained since."""
        self._reload()
        wanted = {file.path for file in snapshot.files if file.is_new or self._disk.stamp is None} - self._disk.covered
        for path in self._memory.keys() - wanted:
            del self._memory[path]
        for path in wanted - self._memory.keys():
            try:
                rows = pq.ParquetFile(self.posts / path).read(columns=list(INDEXED))
            except pa.ArrowInvalid as error:
                raise Damaged(self.posts / path, error) from error
            self.learn(path, rows)

    def learn(self, path: str, posts: pa.Table) -> None:
        """Take in a file of posts whose rows are at hand."""
        self._memory[path] = {kind: _sorted(*entries) for kind, entries in _entries(posts).items()}

    def add_mentions(self, posts: pa.Table, snapshot: Snapshot) -> None:
        """Write the mentions of posts that no new file holds, such as those of a backfill. Call it under the lock."""
        self.follow(snapshot)
        if self._disk.stamp is None:
            self.flush(snapshot)
        mentions = _sorted(*_mentions(posts))
        if mentions.shape[1] and self.has(MENTION):
            self._store(self._disk.covered, {MENTION: mentions})

    def flush(self, snapshot: Snapshot, *, at_least: int = 0) -> None:
        """Write what is in memory, once it is so many posts. Call it under the commit lock, after `follow`."""
        if sum(runs[UID].shape[1] for runs in self._memory.values()) < max(at_least, 0) or not self._memory:
            return
        covered = frozenset(file.path for file in snapshot.files if file.is_new)
        fresh = {kind: _merged([runs[kind] for runs in self._memory.values()]) for kind in KINDS}
        self._store(covered, fresh)
        self._memory.clear()

    def has(self, kind: str) -> bool:
        """Whether every post stands in it under its keys of a kind."""
        self._reload()
        return kind in self._disk.kinds

    def complete(self, snapshot: Snapshot) -> None:
        """Index in every post what an older version of the product did not. Call it under the lock."""
        self.follow(snapshot)
        for kind in sorted(set(KINDS) - self._disk.kinds):
            pieces = [_EMPTY]
            for file in snapshot.files:
                if file.path not in self._memory:
                    rows = pq.ParquetFile(self.posts / file.path).read(columns=list(_READ[kind]))
                    pieces.append(_sorted(*_FOUND[kind](rows)))
            self._disk.kinds |= {kind}
            self._store(self._disk.covered, {kind: _merged(pieces)})

    def rebuild(self, snapshot: Snapshot) -> None:
        """Forget the runs and read the table anew; also drops entries of posts that are gone."""
        self._memory.clear()
        self._disk = _Runs()
        (self.folder / "manifest.json").unlink(missing_ok=True)
        self.follow(snapshot)
        if not self._memory:
            self._store(frozenset(), {})
        self.flush(snapshot)
        self.sweep()

    def find(self, kind: str, keys: Numbers) -> tuple[Numbers, Numbers]:
        """Positions in `keys` and the ids found there, pair by pair; a key may have none or several."""
        positions, ids = [], []
        for run in self._all(kind):
            first, last = np.searchsorted(run[0], keys, "left"), np.searchsorted(run[0], keys, "right")
            counts = last - first
            if not counts.any():
                continue
            hit = np.repeat(np.arange(len(keys)), counts)
            within = np.arange(len(hit)) - np.repeat(np.cumsum(counts) - counts, counts)
            positions.append(hit)
            ids.append(run[1][np.repeat(first, counts) + within])
        if not ids:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        pairs = np.unique(np.stack([np.concatenate(positions), np.concatenate(ids)]), axis=1)
        return pairs[0], pairs[1]

    def page(self, kind: str, keys: Numbers, low: int, high: int, limit: int, *, newest: bool) -> Numbers:
        """At most `limit` ids of some keys from low up to but not high, in order, the newest or the oldest of them."""
        found = [_EMPTY[1]]
        for run in self._all(kind):
            for first, last in _ranges(run, keys, low, high):
                found.append(
                    run[1][max(first, last - limit) : last] if newest else run[1][first : min(last, first + limit)]
                )
        ids = np.unique(np.concatenate(found))
        return ids[::-1][:limit] if newest else ids[:limit]

    def count(self, kind: str, keys: Numbers, low: int, high: int) -> int:
        """About how many ids of some keys lie from low up to but not high."""
        return sum(last - first for run in self._all(kind) for first, last in _ranges(run, keys, low, high))

    def forget(self, ids: Numbers) -> None:
        """Drop all entries of posts that are gone, and the runs that held them. Call it under the commit lock."""
        self._reload()
        self._memory.clear()
        if self._disk.stamp is None:
            return
        kept = {kind: _merged(self._disk.runs[kind] or [_EMPTY]) for kind in KINDS}
        kept = {kind: run[:, ~np.isin(run[1], ids)] for kind, run in kept.items()}
        covered, self._disk = self._disk.covered, _Runs(kinds=self._disk.kinds)
        self._store(covered, kept)
        self.sweep()

    def sweep(self) -> None:
        """Delete runs that the manifest does not name. Call it under the commit lock."""
        self._reload()
        named = {name for names in self._disk.names.values() for name in names}
        for path in self.folder.glob("*.run"):
            if path.name not in named:
                path.unlink(missing_ok=True)

    def _all(self, kind: str) -> list[Numbers]:
        return [*self._disk.runs[kind], *(runs[kind] for runs in self._memory.values())]

    def _reload(self) -> None:
        for _ in range(5):
            stamp = self._stamp()
            if stamp == self._disk.stamp:
                return
            try:
                self._disk = self._opened(stamp)
            except FileNotFoundError:
                continue
            except (ValueError, KeyError) as error:
                log.error("the index in %s is damaged and is made anew: %s", self.folder, error)
                (self.folder / "manifest.json").unlink(missing_ok=True)
                break
            return
        self._disk = _Runs()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = (self.folder / "manifest.json").stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _opened(self, stamp: tuple[int, int] | None) -> _Runs:
        if stamp is None:
            return _Runs()
        manifest = json.loads((self.folder / "manifest.json").read_bytes())
        names = {kind: list(manifest["runs"].get(kind, [])) for kind in KINDS}
        lengths = manifest.get("lengths", {})
        kept = {
            name: run for kind in KINDS for name, run in zip(self._disk.names[kind], self._disk.runs[kind], strict=True)
        }
        runs = {
            kind: [kept[name] if name in kept else self._mapped(name, lengths.get(name)) for name in names[kind]]
            for kind in KINDS
        }
        return _Runs(stamp, frozenset(manifest["covered"]), names, runs, frozenset(KINDS) & manifest["runs"].keys())

    def _mapped(self, name: str, rows: int | None) -> Numbers:
        run: Numbers = np.memmap(self.folder / name, dtype=np.int64, mode="r").reshape(2, -1)
        if rows is not None and run.shape[1] != rows:
            raise ValueError(f"{name} holds {run.shape[1]} entries instead of {rows}")
        return run

    def _store(self, covered: Iterable[str], fresh: Mapping[str, Numbers]) -> None:
        """Add a run of each kind, merging it with those that are not much longer, and name them in the manifest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        names: dict[str, list[str]] = {}
        lengths: dict[str, int] = {}
        dropped: list[str] = []
        for kind in sorted(self._disk.kinds):
            run, older = fresh.get(kind, _EMPTY), list(zip(self._disk.names[kind], self._disk.runs[kind], strict=True))
            if not run.shape[1]:
                names[kind] = [name for name, _ in older]
                lengths |= {name: last.shape[1] for name, last in older}
                continue
            while older and older[-1][1].shape[1] < _GROWTH * run.shape[1]:
                name, last = older.pop()
                run = _merged([last, run])
                dropped.append(name)
            fresh_name = self._written(kind, run)
            names[kind] = [*(name for name, _ in older), fresh_name]
            lengths |= {name: last.shape[1] for name, last in older} | {fresh_name: run.shape[1]}
        manifest = {"covered": sorted(covered), "runs": names, "lengths": lengths}
        write_durably(self.folder / "manifest.json", json.dumps(manifest).encode())
        for name in dropped:
            (self.folder / name).unlink(missing_ok=True)
        self._reload()

    def _written(self, kind: str, run: Numbers) -> str:
        name = f"{kind}-{uuid.uuid4().hex}.run"
        with (self.folder / name).open("wb") as file:
            np.ascontiguousarray(run).tofile(file)
        sync_file(self.folder / name)
        return name


def _ranges(run: Numbers, keys: Numbers, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Where in a run the ids of each key lie that are not under low and under high."""
    stored, ids = np.asarray(run[0]), np.asarray(run[1])
    firsts, lasts = np.searchsorted(stored, keys, "left"), np.searchsorted(stored, keys, "right")
    held = np.flatnonzero(lasts > firsts)
    for first, last in zip(firsts[held].tolist(), lasts[held].tolist(), strict=True):
        below, above = np.searchsorted(ids[first:last], [low, high], "left").tolist()
        if below < above:
            yield first + below, first + above


def _sorted(keys: Numbers, ids: Numbers) -> Numbers:
    order = np.lexsort((ids, keys))
    return np.stack([keys[order], ids[order]])


def _merged(runs: Sequence[Numbers]) -> Numbers:
    """One run of several, each pair once."""
    keys, ids = (np.concatenate([run[row] for run in runs]) for row in (0, 1))
    merged = _sorted(keys, ids)
    if merged.shape[1] < 2:
        return merged
    fresh = np.concatenate([[True], (np.diff(merged[0]) != 0) | (np.diff(merged[1]) != 0)])
    return merged[:, fresh]


def _entries(posts: pa.Table) -> dict[str, tuple[Numbers, Numbers]]:
    return {kind: found(posts) for kind, found in _FOUND.items()}


def mention_keys(monitors: Iterable[int], channels: Sequence[str] = (), sentiments: Sequence[str] = ()) -> Numbers:
    """The keys under which posts of some monitors stand: of these channels and sentiments, or of all."""
    of_channel = _channel_codes(channels) if channels else np.arange(1 << _CHANNEL_BITS)
    felt = _sentiment_codes(pa.array(sentiments, pa.string())) if sentiments else np.arange(1 << _SENTIMENT_BITS)
    numbers = np.array(list(monitors), np.int64)[:, None, None]
    return np.unique(_mention_key(numbers, of_channel[None, :, None], felt[None, None, :]))


def _mention_key(monitor: Numbers, channel: Numbers, sentiment: Numbers) -> Numbers:
    key: Numbers = (monitor << (_CHANNEL_BITS + _SENTIMENT_BITS)) | (channel << _SENTIMENT_BITS) | sentiment
    return key


def _channel_codes(channels: Sequence[str | None]) -> Numbers:
    """A small number for each channel; two may share one, as what is found is read and checked."""
    named = {channel: place for place, channel in enumerate(dict.fromkeys(channels))}
    codes = digests([channel or "" for channel in named]) & ((1 << _CHANNEL_BITS) - 1)
    return codes[[named[channel] for channel in channels]] if named else _EMPTY[1]


def _sentiment_codes(sentiments: pa.ChunkedArray | pa.Array) -> Numbers:
    """A small number for each sentiment; what is none shares the last."""
    codes: Numbers = pc.fill_null(pc.index_in(sentiments, _FELT), len(_FELT) - 1).cast(pa.int64()).to_numpy()
    return codes


def _uids(posts: pa.Table) -> tuple[Numbers, Numbers]:
    return digests(posts["uid"]), _numpy(posts["id"])


def _mentions(posts: pa.Table) -> tuple[Numbers, Numbers]:
    lists = posts["monitors"].combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    monitors = pc.list_flatten(lists).cast(pa.int64()).to_numpy(zero_copy_only=False)
    channels = _channel_codes(posts["channel"].take(pa.array(parents)).to_pylist())
    sentiments = _sentiment_codes(posts["sentiment"])[parents]
    return _mention_key(monitors, channels, sentiments), _numpy(posts["id"])[parents]


def _threads(posts: pa.Table) -> tuple[Numbers, Numbers]:
    found = [_hashed(posts[name], _numpy(posts["id"])) for name in ("root", "in_reply_to")]
    return np.concatenate([keys for keys, _ in found]), np.concatenate([ids for _, ids in found])


def _of_accounts(posts: pa.Table) -> tuple[Numbers, Numbers]:
    return _hashed(accounts_of(posts["author"]), _numpy(posts["id"]))


def _hashed(uids: pa.ChunkedArray, ids: Numbers) -> tuple[Numbers, Numbers]:
    present = pc.is_valid(uids)
    return digests(uids.filter(present)), ids[present.to_numpy()]


def _numpy(column: Any) -> Numbers:
    numbers: Numbers = column.to_numpy() if len(column) else np.empty(0, np.int64)
    return numbers


_FOUND: Mapping[str, Callable[[pa.Table], tuple[Numbers, Numbers]]] = {
    UID: _uids,
    MENTION: _mentions,
    THREAD: _threads,
    ACCOUNT: _of_accounts,
}
_READ = {
    UID: ("id", "uid"),
    MENTION: ("id", "monitors", "channel", "sentiment"),
    THREAD: ("id", "root", "in_reply_to"),
    ACCOUNT: ("id", "author.id", "author.handle"),
}
