"""The one place where DuckDB is spoken to: SQL and Arrow tables in, Arrow out."""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa

from talkworthy.archive.durable import Damaged


class MissingFile(RuntimeError):
    """A file of the list is gone: the keeper replaced it after the list was read."""


class Duck:
    """An engine in memory; threads may share it. Nothing is ever stored by it but spilled scratch."""

    def __init__(self, scratch: Path, *, memory: str, threads: int) -> None:
        self._scratch = scratch
        self._settings = {"memory_limit": memory, "threads": threads}
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._process = 0
        self._numbers = count()
        self._guard = threading.Lock()

    def table(self, sql: str, tables: Mapping[str, pa.Table] | None = None) -> pa.Table:
        """The whole result. `tables` are named in the SQL."""
        with _Reading():
            cursor = self._cursor(tables)
            try:
                result: pa.Table = cursor.sql(sql).to_arrow_table()
                return result
            finally:
                cursor.close()

    def batches(
        self, sql: str, tables: Mapping[str, pa.Table] | None = None, *, rows: int = 8192
    ) -> Iterator[pa.RecordBatch]:
        """The result piece by piece, in bounded memory."""
        with _Reading():
            cursor = self._cursor(tables)
            try:
                yield from cursor.sql(sql).to_arrow_reader(rows)
            finally:
                cursor.close()

    def let_go(self) -> None:
        """Begin anew with the next question. What goes on is not disturbed; with its end the memory is given back."""
        with self._guard:
            self._connection = None

    def close(self) -> None:
        """Give back the memory."""
        with self._guard:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _cursor(self, tables: Mapping[str, pa.Table] | None) -> duckdb.DuckDBPyConnection:
        cursor = self._connected().cursor()
        for name, table in (tables or {}).items():
            cursor.register(name, table)
        return cursor

    def _connected(self) -> duckdb.DuckDBPyConnection:
        """The process's own connection: one made before a fork is not touched after it."""
        with self._guard:
            if self._connection is None or self._process != os.getpid():
                self._connection = self._connect()
                self._process = os.getpid()
            return self._connection

    def _connect(self) -> duckdb.DuckDBPyConnection:
        scratch = self._scratch / str(os.getpid())
        scratch.mkdir(parents=True, exist_ok=True)
        scratch /= str(next(self._numbers))  # made and removed by the engine, should it need it
        connection = duckdb.connect(":memory:")
        settings = {
            **self._settings,
            "temp_directory": str(scratch),
            "TimeZone": "UTC",
            "parquet_metadata_cache": True,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        for name, value in settings.items():
            connection.execute(f"SET GLOBAL {name} = {quoted(value) if isinstance(value, str) else value}")
        return connection


class _Reading:
    """Turns DuckDB's complaint about a vanished file into MissingFile, about an unreadable one into Damaged."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        told = str(error)
        if isinstance(error, duckdb.IOException) and ".parquet" in told and "No " in told:
            raise MissingFile(told.splitlines()[0]) from error
        named = _FILE.search(told)
        if isinstance(error, duckdb.Error) and named:
            raise Damaged(named[0], told.splitlines()[0]) from error


_FILE = re.compile(r"/[^'\"]+\.parquet")


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
