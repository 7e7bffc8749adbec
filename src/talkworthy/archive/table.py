"""A Delta Lake table as a list of Parquet files: read the list, commit a change to it, nothing else.

Files are written here rather than by the library so that row groups, encodings and statistics fit how they are
read. Only whole files are added and removed. Commits of our own processes take turns by a lock; for any other
writer Delta's optimistic commit decides, and a commit that lost is tried again.
"""

import hashlib
import json
import logging
import os
import random
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake._internal import RemoveAction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from talkworthy.archive.durable import Damaged, sync_file, sync_folder

log = logging.getLogger(__name__)

_ATTEMPTS = 12
ROW_GROUP = 4_096
"""Rows that are skipped or read together: with 20,000 fifty posts from all over took 2.7 times as long to fetch."""
_CONFIGURATION: dict[str, str | None] = {
    "delta.logRetentionDuration": "interval 0 seconds",
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
    "delta.enableExpiredLogCleanup": "false",
}
_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


class UnreadableTable(RuntimeError):
    """The table uses a feature of Delta Lake that reading by file list would get wrong."""


class UnknownVersion(ValueError):
    """The table's log does not hold a version: it is not there yet, or the keeper has cut the log."""

    def __init__(self, version: int, newest: int) -> None:
        super().__init__(f"there is no version {version} any more, or not yet; the newest is {newest}")
        self.version, self.newest = version, newest


class CommitLost(RuntimeError):
    """Another writer changed the files that were to be replaced; read them anew and try again."""


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table: path within the folder, rows, bytes, and the range of ids in it."""

    path: str
    rows: int
    size: int
    low: int
    high: int
    revision: int
    modified: int

    @property
    def is_new(self) -> bool:
        """Whether it came by an append and no keeper has put it in order yet."""
        return self.path.startswith("new/")


@dataclass(frozen=True)
class Snapshot:
    """The files that make up a table at one version, oldest ids first."""

    version: int
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        """Rows in all files, dead ones included."""
        return sum(file.rows for file in self.files)


class Table:
    """One Delta table. Threads may share it."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.folder = Path(folder)
        self.schema = schema
        self.shape = shape_of(schema)
        self._guard = threading.RLock()
        self._delta: DeltaTable | None = None
        self._snapshot: Snapshot | None = None
        self._read: dict[str, pa.Table] = {}

    def create(self) -> None:
        """Make the table where it is not there, and add columns that a newer version of the product brought.

        Call it under the commit lock: the last entry of the log is set aside where a power cut has torn it.
        """
        with self._guard:
            torn = self._set_aside_torn()
            if not DeltaTable.is_deltatable(str(self.folder)):
                self.folder.mkdir(parents=True, exist_ok=True)
                DeltaTable.create(
                    str(self.folder), schema=_delta_schema(self.schema), mode="ignore", configuration=_CONFIGURATION
                )
            for place in ("new", "settled"):
                (self.folder / place).mkdir(exist_ok=True)
            delta = DeltaTable(str(self.folder))
            known = {field.name for field in delta.schema().fields}
            missing = [field for field in _delta_schema(self.schema).fields if field.name not in known]
            if missing:
                delta.alter.add_columns(missing)
            self._delta = None
            if torn:
                self._list_again()

    def snapshot(self) -> Snapshot:
        """The newest version. Cheap where nothing changed. Raises UnreadableTable."""
        with self._guard:
            delta = self._newest()
            if self._snapshot is None or self._snapshot.version != delta.version():
                self._snapshot = _snapshot_of(delta)
            return self._snapshot

    def at(self, version: int) -> Snapshot:
        """An older version, or the newest. Raises UnknownVersion where the log does not reach back to it."""
        newest = self.snapshot()
        if version == newest.version:
            return newest
        try:
            delta = DeltaTable(str(self.folder), version=version)
        except DeltaError as error:
            raise UnknownVersion(version, newest.version) from error
        _check_protocol(delta)
        return _snapshot_of(delta)

    def transaction(self, application: str) -> int | None:
        """The highest sequence number that an application has committed."""
        with self._guard:
            return self._newest().transaction_version(application)

    def history(self, limit: int | None) -> list[dict[str, Any]]:
        """The newest commits first, as Delta tells them."""
        with self._guard:
            return list(self._newest().history(limit))

    def write(self, rows: pa.Table, place: str, *, level: int, notes: Mapping[str, str] | None = None) -> AddAction:
        """Write a file that no version lists yet; `commit` lists it. Raises OSError, leaving nothing."""
        path = f"{place}/{self.shape}-{uuid.uuid4().hex}.parquet"
        target = self.folder / path
        try:
            write_parquet(rows.replace_schema_metadata(dict(notes) if notes else None), target, level=level)
            sync_file(target)
        except BaseException:
            with suppress(OSError):
                target.unlink()
            raise
        return added(rows, path, target.stat().st_size)

    def commit(
        self,
        add: Sequence[AddAction] = (),
        remove: Iterable[DataFile] = (),
        *,
        transactions: Mapping[str, int] | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> int:
        """List and unlist files in one step; the version. Raises CommitLost where a file to remove is gone."""
        removed = list(remove)
        for folder in {Path(action.path).parent for action in add}:
            sync_folder(self.folder / folder)
        properties = CommitProperties(
            custom_metadata=dict(notes or {}),
            app_transactions=[Transaction(name, seq) for name, seq in (transactions or {}).items()] or None,
        )
        with self._guard:
            for attempt in range(_ATTEMPTS):
                delta = self._newest()
                _check_listed(removed, self.snapshot())
                actions = [*add, *(_removal(file) for file in removed)]
                try:
                    delta.create_write_transaction(
                        actions,  # type: ignore[arg-type]
                        mode="append",
                        schema=delta.schema(),
                        commit_properties=properties,
                        post_commithook_properties=_HOOKS,
                    )
                    break
                except CommitFailedError:
                    if attempt == _ATTEMPTS - 1:
                        raise
                    self._delta = None
                    time.sleep(random.uniform(0.5, 1.5) * 0.01 * 2**attempt)  # noqa: S311 no secret hangs on it
            version = self._newest().version()
            sync_file(self._entry(version))  # the library leaves it to the system, and a power cut may leave it empty
            sync_folder(self.folder / "_delta_log")
            for file in removed:
                with suppress(FileNotFoundError):
                    os.utime(self.folder / file.path)
            if version % 50 == 0:
                self.checkpoint()
            return version

    def checkpoint(self) -> None:
        """Write a checkpoint, so that opening the table does not replay its log."""
        with self._guard:
            self._newest().create_checkpoint()

    def forget_versions(self) -> None:
        """Remove log entries that the newest checkpoint covers; older versions can then not be named any more."""
        with self._guard:
            delta = self._newest()
            delta.create_checkpoint()
            limit = delta.version()
            log = self.folder / "_delta_log"
            for path in log.iterdir():
                number = path.name.split(".", 1)[0]
                if number.isdigit() and int(number) < limit:
                    path.unlink(missing_ok=True)
            sync_folder(log)
            self._delta = None

    def remove_unlisted(self, *, older_than: float) -> int:
        """Delete files that the newest version has not listed for so many seconds.

        Call it under the commit lock: a file that an append is about to list would go too. Returns how many went.
        """
        listed = {file.path for file in self.snapshot().files}
        limit = time.time() - older_than
        removed = 0
        for place in ("new", "settled"):
            for path in (self.folder / place).iterdir():
                if f"{place}/{path.name}" not in listed and _last_touched(path) <= limit:
                    path.unlink(missing_ok=True)
                    removed += 1
            sync_folder(self.folder / place)
        return removed

    def added_since(self, version: int) -> list[str] | None:
        """The new files that later versions listed, also those replaced meanwhile; None where the log is cut."""
        log = self.folder / "_delta_log"
        paths: list[str] = []
        for number in range(version + 1, self.snapshot().version + 1):
            try:
                lines = (log / f"{number:020d}.json").read_text(encoding="utf-8").splitlines()
            except FileNotFoundError:
                return None
            added = [action["add"]["path"] for action in map(json.loads, lines) if "add" in action]
            paths += [path for path in added if path.startswith("new/")]
        return paths

    def _set_aside_torn(self) -> bool:
        """Put away the newest entries of the log that cannot be read, down to one that can."""
        entries = sorted((self.folder / "_delta_log").glob("[0-9]*.json"), reverse=True)
        torn = list(takewhile(lambda path: not _is_whole(path), entries))
        for path in torn:
            log.error("%s was torn by a crash or is damaged: it is put aside, and what it listed is looked for", path)
            path.replace(path.with_name(f"{path.name}.torn"))
        return bool(torn)

    def _list_again(self) -> None:
        """List whole files that name transactions which no entry of the log has: those that torn entries listed."""
        known = {file.path for file in self.snapshot().files}
        for path in sorted((self.folder / "new").iterdir(), key=_last_touched):
            name = f"new/{path.name}"
            notes = _notes_of(path) if name not in known and path.suffix == ".parquet" else {}
            transactions = json.loads(notes.get("transactions", "{}"))
            if transactions and all((self.transaction(source) or 0) < seq for source, seq in transactions.items()):
                rows = pq.read_table(path, columns=["id", "published_at", "revision"], partitioning=None)
                log.error("%s is listed again", path)
                self.commit([added(rows, name, path.stat().st_size)], transactions=transactions)

    def _entry(self, version: int) -> Path:
        return self.folder / "_delta_log" / f"{version:020d}.json"

    def damaged(self) -> list[Path]:
        """The listed files that are gone, or have not the length and the end that they were written with."""
        return [self.folder / file.path for file in self.snapshot().files if not _is_as_written(self.folder, file)]

    def log_length(self) -> int:
        """Entries in the log, which older versions could be read by."""
        return len(list((self.folder / "_delta_log").glob("*.json")))

    def absolute(self, files: Iterable[DataFile]) -> list[str]:
        """Paths that a Parquet reader can open."""
        return [str(self.folder / file.path) for file in files]

    def read(self, files: Iterable[DataFile] | None = None) -> pa.Table:
        """Whole files as one table, kept in memory for the next time; for the small tables."""
        chosen = self.snapshot().files if files is None else files
        self._read = {file.path: self._rows_of(file) for file in chosen}
        return pa.concat_tables(self._read.values()) if self._read else self.schema.empty_table()

    def _rows_of(self, file: DataFile) -> pa.Table:
        if file.path in self._read:
            return self._read[file.path]
        path = self.folder / file.path
        try:
            return completed(pq.read_table(path, partitioning=None), self.schema)
        except pa.ArrowInvalid as error:
            raise Damaged(path, error) from error

    def _newest(self) -> DeltaTable:
        if self._delta is None:
            self._delta = DeltaTable(str(self.folder))
            _check_protocol(self._delta)
            self._snapshot = None
        elif self._has_moved(self._delta.version()):
            try:
                self._delta.update_incremental()
            except DeltaError:  # the log that it stood on was cleaned away
                self._delta = DeltaTable(str(self.folder))
            _check_protocol(self._delta)
        return self._delta

    def _has_moved(self, version: int) -> bool:
        """Whether there is a newer version: asked at every read, and cheaper than to have the library look."""
        log = self.folder / "_delta_log"
        if (log / f"{version + 1:020d}.json").exists():
            return True
        return not (log / f"{version:020d}.json").exists()


def shape_of(schema: pa.Schema) -> str:
    """Eight letters that differ where columns differ; each file's name begins with those of its columns."""
    return hashlib.blake2b(str(schema.remove_metadata()).encode(), digest_size=4).hexdigest()


def completed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with exactly the columns of a schema; those that an older version did not write are null."""
    given = set(table.schema.names)
    columns = [
        table[field.name].cast(field.type) if field.name in given else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def write_parquet(rows: pa.Table, target: Path, *, level: int) -> None:
    """A Parquet file with ids delta-coded, low-cardinality columns as dictionaries, and all else zstd."""
    names = set(rows.schema.names)
    pq.write_table(
        rows,
        str(target),
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=level,
        use_dictionary=[name for name in _DICTIONARY if name.split(".")[0] in names],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in ("id", "seq") if name in names},
        write_statistics=[name for name in ("id", "published_at", "revision", "day") if name in names],
        store_schema=True,
    )


_DICTIONARY = (
    "day", "channel", "origin", "kind", "language", "engagement_type", "site", "community", "visibility", "source",
    "detected_language", "sentiment", "intent", "analysed_by", "urgency", "column", "value", "reason", "by", "revision",
    "author.id", "author.handle", "author.name", "author.verified_type", "place.continent", "place.country",
    "place.region", "place.city", "monitors.list.element", "hashtags.list.element", "tags.list.element",
    "media.list.element.type", "rating",
)  # fmt: skip


def added(rows: pa.Table, path: str, size: int) -> AddAction:
    """What Delta lists of a file: its rows and the ranges by which readers skip it."""
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    for name in ("id", "published_at", "revision"):
        if name in rows.schema.names and rows.num_rows:
            bounds = pc.min_max(rows[name]).as_py()
            if bounds["min"] is not None:
                low[name], high[name] = _plain(bounds["min"]), _plain(bounds["max"])
    stats = {"numRecords": rows.num_rows, "minValues": low, "maxValues": high, "nullCount": {}}
    return AddAction(
        path=path,
        size=size,
        partition_values={},
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=json.dumps(stats),
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _removal(file: DataFile) -> RemoveAction:
    return RemoveAction(
        path=file.path,
        data_change=True,
        deletion_timestamp=int(time.time() * 1000),
        size=file.size,
        partition_values={},
    )


def _snapshot_of(delta: DeltaTable) -> Snapshot:
    actions = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    files = [
        DataFile(
            path=action["path"],
            rows=action["num_records"] or 0,
            size=action["size_bytes"],
            low=_bound(action, "min.id", 0),
            high=_bound(action, "max.id", 2**63 - 1),
            revision=_bound(action, "max.revision", 0),
            modified=action["modification_time"],
        )
        for action in actions
    ]
    return Snapshot(delta.version(), tuple(sorted(files, key=lambda file: (file.low, file.path))))


def _bound(action: Mapping[str, Any], name: str, absent: int) -> int:
    value = action.get(name)
    return absent if value is None else int(value)


def _check_listed(removed: Sequence[DataFile], snapshot: Snapshot) -> None:
    gone = {file.path for file in removed} - {file.path for file in snapshot.files}
    if gone:
        raise CommitLost(f"{len(gone)} files were replaced by another writer meanwhile, such as {min(gone)}")


def _check_protocol(delta: DeltaTable) -> None:
    protocol = delta.protocol()
    features = {*(protocol.reader_features or ()), *(protocol.writer_features or ())}
    if "deletionVectors" in features or delta.metadata().configuration.get("delta.enableDeletionVectors") == "true":
        raise UnreadableTable(
            f"{delta.table_uri} lists deletion vectors, which reading by file list would ignore: deleted posts would "
            "come back. Rewrite the table without them (in Spark: REORG TABLE … APPLY (PURGE), then drop the feature)."
        )
    if "columnMapping" in features:
        raise UnreadableTable(f"{delta.table_uri} maps column names, which reading by file list would miss.")


def _delta_schema(schema: pa.Schema) -> Schema:
    return Schema.from_arrow(pa.schema([field.remove_metadata().with_nullable(True) for field in schema]))


def _is_whole(entry: Path) -> bool:
    """Whether an entry of the log can be read."""
    try:
        actions = [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        return False
    return any("commitInfo" in action for action in actions)


def _notes_of(path: Path) -> dict[str, str]:
    """What was noted in a Parquet file; nothing where it is not whole."""
    try:
        notes = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return {}
    return {name.decode(): value.decode() for name, value in notes.items()}


def _is_as_written(folder: Path, file: DataFile) -> bool:
    try:
        with (folder / file.path).open("rb") as opened:
            opened.seek(-4, os.SEEK_END)
            return opened.read() == b"PAR1" and opened.tell() == file.size
    except OSError:
        return False


def _last_touched(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return float("inf")
