"""Files that are whole or absent, and locks that a dead process cannot hold."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Locked(RuntimeError):
    """Another process holds the lock; `path` names the file, `holder` the process id it wrote there (or '')."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is held by process {holder or 'unknown'}: only one may hold it; stop that one first")
        self.path = path
        self.holder = holder


class Damaged(RuntimeError):
    """A file cannot be read: cut short, overwritten, or gone. `path` names it; what else is stored is not touched."""

    def __init__(self, path: Path | str, why: object = "") -> None:
        super().__init__(f"{path} is damaged. Put it back from a backup; nothing else is lost. {why}".rstrip())
        self.path = Path(path)


def write_durably(path: Path, content: bytes | memoryview) -> None:
    """Put content at path so that a reader sees all of it or nothing, also after a power cut.

    Raises OSError (disk full, I/O error) with nothing left behind; an older file at path then stands unchanged.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file that a library wrote survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def lock(path: Path, *, wait: float | None = None) -> Iterator[None]:
    """Hold an exclusive lock between processes; it falls when the process dies.

    `wait` is in seconds: None waits for ever, 0 does not wait. Raises Locked when the time is over.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(handle, path, wait)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, wait: float | None) -> None:
    if wait is None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Locked(path, os.pread(handle, 32, 0).decode(errors="replace")) from None
        time.sleep(0.01)


def remove_drafts(folder: Path, *, older_than: float = 3600) -> int:
    """Remove what writers left half written: those that are dead, and any after so many seconds. Returns how many."""
    limit = time.time() - older_than
    removed = 0
    for draft in folder.rglob(".*.tmp"):
        writer = draft.name.split(".")[-3]
        with suppress(FileNotFoundError):
            if draft.stat().st_mtime <= limit or (writer.isdigit() and not lives(int(writer))):
                draft.unlink()
                removed += 1
    return removed


def lives(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
