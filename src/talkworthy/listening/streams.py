"""Streams that come as they come and go on as they are written: pipes, packed files, files that must be whole."""

import fcntl
import gzip
import io
import os
import select
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

PIECE = 1 << 20
GATHERED = 0.003
"""Seconds for which more is awaited once something has come."""
_LARGER_PIPE = 1031
"""F_SETPIPE_SZ of Linux, which has no name elsewhere; other systems refuse it."""
PACKED = b"\x1f\x8b"


class Arriving(io.RawIOBase):
    """A stream whose `read` answers with what is there instead of waiting until it has as much as was asked for."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self.stream = stream
        self._ahead = b""
        self._handle = _handle(stream)

    def readable(self) -> bool:
        """Always."""
        return True

    def head(self, size: int) -> bytes:
        """The first bytes, which `read` will give again; fewer only where there are no more."""
        while len(self._ahead) < size and (more := self._some(PIECE)):
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; none at the end only."""
        if size < 0:
            return self.readall()
        found, self._ahead = self._ahead[:size], self._ahead[size:]
        if not found:
            found = self._some(size)
        while found and len(found) < size and self._handle is not None and self._is_ready():
            if not (more := self._some(size - len(found))):
                break
            found += more
        return found

    def readall(self) -> bytes:
        """All that is left."""
        return b"".join(iter(lambda: self.read(PIECE), b""))

    def readinto(self, buffer: Any) -> int:
        """As `read`, into a buffer."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _some(self, size: int) -> bytes:
        if self._handle is not None:
            return os.read(self._handle, size)
        return cast(bytes, getattr(self.stream, "read1", self.stream.read)(size))

    def _is_ready(self) -> bool:
        return bool(self._handle is not None and select.select([self._handle], [], [], GATHERED)[0])


def _handle(stream: BinaryIO) -> int | None:
    """The pipe or file behind a stream, made to hold more at a time; None where there is none."""
    try:
        handle = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    with suppress(OSError):
        fcntl.fcntl(handle, _LARGER_PIPE, PIECE)
    return handle


@contextmanager
def opened(source: Path | BinaryIO) -> Iterator[tuple[IO[bytes], bytes]]:
    """A file or a stream, unpacked if it is packed, with its first bytes, which can be read again."""
    if isinstance(source, Path):
        with source.open("rb") as raw:
            packed = raw.read(2) == PACKED
            raw.seek(0)
            with gzip.open(raw, "rb") if packed else raw as stream:
                head = stream.read(4)
                stream.seek(0)
                yield cast("IO[bytes]", stream), head
        return
    arriving = Arriving(source)
    if arriving.head(2) == PACKED:
        arriving = Arriving(cast("BinaryIO", gzip.GzipFile(fileobj=cast("Any", arriving))))
    yield cast("IO[bytes]", arriving), arriving.head(4)


@contextmanager
def spooled(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """A stream laid down in a file that is gone afterwards, for what has to be read from its end."""
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file, PIECE)
        file.seek(0)
        yield file


@contextmanager
def whole(target: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes its place when all is written, and is gone if not.

    What is no ordinary file, such as /dev/stdout, is written as it comes.
    """
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:
            yield stream
        return
    target = target.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.chmod(_mode(target))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _mode(target: Path) -> int:
    """Who may read it: as before, or as any new file."""
    with suppress(FileNotFoundError):
        return target.stat().st_mode & 0o777
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


class Onward(io.RawIOBase):
    """A stream that can only be written on, such as a pipe, for writers that ask where they are."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self.stream = stream
        self.place = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, piece: Any) -> int:
        """All of the piece."""
        self.stream.write(piece)
        self.place += len(piece)
        return len(piece)

    def tell(self) -> int:
        """Bytes written so far."""
        return self.place

    def flush(self) -> None:
        """Hand on what the stream holds back."""
        if not self.stream.closed:
            self.stream.flush()
