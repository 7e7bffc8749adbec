"""What came over the network, kept as it came before anything reads it.

A file holds the payloads of one fetch and the cursor that covers them: they become durable together, by one
rename. `pending/` waits to be parsed, `done/` is kept for a while so that a mended parser can be run again,
`aside/` holds single payloads that no parser understood.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa

from talkworthy.archive.durable import Damaged, lock, sync_folder, write_durably

JSON = Any
Cursor = Mapping[str, JSON]

_COLUMNS = pa.schema(
    [
        pa.field("body", pa.large_binary(), nullable=False),
        pa.field("content_type", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("fetched_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("headers", pa.string(), nullable=False),
        pa.field("meta", pa.string(), nullable=False),
    ]
)
_NAME = re.compile(r"(\d{12})\.arrow")


@dataclass(frozen=True)
class Payload:
    """One answer, event or message as the channel sent it."""

    body: bytes
    content_type: str
    url: str | None
    fetched_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class PayloadRef:
    """The payloads of one fetch: `seq` grows with each fetch of a source and is never used twice."""

    source: str
    seq: int


@dataclass(frozen=True)
class Aside:
    """A payload that was set aside, why, and when."""

    source: str
    seq: int
    index: int
    reason: str
    set_aside_at: datetime
    payload: Payload


class PayloadStore:
    """The payloads of one workspace. Any number of processes may keep and read at once."""

    def __init__(self, folder: Path, *, floor: Callable[[str], int] = lambda source: 0) -> None:
        """`floor` says the highest number of a source that is in use elsewhere, should this folder not know better."""
        self.folder = Path(folder)
        self._floor = floor

    def keep(
        self,
        source: str,
        payloads: Sequence[Payload],
        cursor: Cursor | None = None,
        *,
        settle: Callable[[Cursor, Cursor | None], Cursor] | None = None,
    ) -> PayloadRef:
        """Make payloads and the cursor that covers them durable, in one step.

        After the return nothing short of losing the disk loses them. Raises OSError otherwise, and then neither
        payload nor cursor has moved: the caller acknowledges nothing. Without a cursor the source's cursor stays.
        `settle` makes one cursor of this one and of that which stands at this moment.
        """
        home = self._home(source)
        with lock(home / "lock"):
            seq = self._next(source, home)
            if cursor is not None and settle is not None:
                cursor = settle(cursor, self.cursor(source))
            write_durably(home / "pending" / _name(seq), _pack(payloads, {"cursor": cursor}))
            self._note(home, seq, cursor)
        return PayloadRef(source, seq)

    def pending(self, source: str | None = None) -> list[PayloadRef]:
        """What waits to be parsed, oldest first within each source. Work through a source in this order."""
        sources = [source] if source is not None else self.sources()
        return [PayloadRef(name, seq) for name in sources for seq in _numbers(self._path(name) / "pending")]

    def load(self, ref: PayloadRef) -> list[Payload]:
        """The payloads of a fetch, pending or done. Raises FileNotFoundError once they are retired, or Damaged."""
        return self._found(ref)[0]

    def put_aside(self, ref: PayloadRef) -> Path:
        """Keep a damaged file that waits apart, so that the others go on; where it lies now."""
        path = self._path(ref.source) / "pending" / _name(ref.seq)
        return path.replace(path.with_suffix(".damaged"))

    def damaged(self) -> list[Path]:
        """Where the files lie that were put aside."""
        return sorted(self.folder.glob("*/pending/*.damaged"))

    def done(self, ref: PayloadRef) -> None:
        """Say that everything in it is stored or set aside. Twice is once."""
        home = self._path(ref.source)
        with suppress(FileNotFoundError):
            (home / "pending" / _name(ref.seq)).rename(home / "done" / _name(ref.seq))
            sync_folder(home / "pending")

    def set_aside(self, ref: PayloadRef, index: int, reason: str) -> None:
        """Keep one payload of a fetch apart with the reason why it could not be read. Twice is once."""
        payload = self.load(ref)[index]
        notes = {"reason": reason, "set_aside_at": datetime.now(UTC).isoformat()}
        path = self._path(ref.source) / "aside" / f"{ref.seq:012d}-{index:06d}.arrow"
        write_durably(path, _pack([payload], notes))

    def aside(self, source: str, *, limit: int | None = None) -> list[Aside]:
        """What was set aside and not yet replayed, oldest first; the first `limit` where one is given."""
        found = []
        for path in sorted((self._path(source) / "aside").glob("*.arrow"))[:limit]:
            payloads, notes = _unpack(path)
            seq, index = path.stem.split("-")
            at = datetime.fromisoformat(notes["set_aside_at"])
            found.append(Aside(source, int(seq), int(index), notes["reason"], at, payloads[0]))
        return found

    def count_aside(self, source: str) -> int:
        """How many payloads are set aside, without opening them."""
        return sum(1 for _path in (self._path(source) / "aside").glob("*.arrow"))

    def replay(self, aside: Aside) -> PayloadRef:
        """Queue a payload that was set aside once more, under a new number, and take it off the list."""
        ref = self.keep(aside.source, [aside.payload])
        self.drop(aside)
        return ref

    def again(self, ref: PayloadRef) -> PayloadRef:
        """Queue the payloads of a fetch once more, under a new number. Raises FileNotFoundError as `load` does."""
        return self.keep(ref.source, self.load(ref))

    def drop(self, aside: Aside) -> None:
        """Take a payload off the list of those set aside, for good."""
        folder = self._path(aside.source) / "aside"
        with suppress(FileNotFoundError):
            (folder / f"{aside.seq:012d}-{aside.index:06d}.arrow").unlink()
            sync_folder(folder)

    def cursor(self, source: str) -> Cursor | None:
        """The newest cursor that is durable, or None where the source has none yet."""
        home = self._path(source)
        seq, cursor = self._state(home)
        for later in sorted(number for number in _all_numbers(home) if number > seq):
            with suppress(FileNotFoundError):
                noted = self._found(PayloadRef(source, later))[1]["cursor"]
                cursor = noted if noted is not None else cursor
        return cursor

    def sources(self) -> list[str]:
        """Every source that ever kept a payload."""
        return sorted(unquote(home.name) for home in self.folder.glob("*/") if (home / "pending").is_dir())

    def retire(self, *, now: datetime, keep_days: float) -> int:
        """Remove done payloads whose file is older than `keep_days` days. Returns how many fetches went."""
        limit = now.timestamp() - keep_days * 86400
        removed = 0
        for source in self.sources():
            home = self._home(source)
            with lock(home / "lock"):
                self._settle(source, home)
                removed += _remove_older(home / "done", limit)
        return removed

    def every_file(self) -> Iterator[Path]:
        """Each payload file of each source, whatever its state."""
        for source in self.sources():
            for state in ("pending", "done", "aside"):
                yield from sorted((self._path(source) / state).glob("*.arrow"))

    def rewrite(self, path: Path, keep: Sequence[bool]) -> None:
        """Replace a payload file by one whose dropped payloads are empty; their places and the cursor stay."""
        with lock(path.parent.parent / "lock"), suppress(FileNotFoundError):
            payloads, notes = _unpack(path)
            if path.parent.name == "aside" and not any(keep):
                path.unlink()
                sync_folder(path.parent)
                return
            kept = [payload if stays else _emptied(payload) for payload, stays in zip(payloads, keep, strict=True)]
            write_durably(path, _pack(kept, notes))

    def read(self, path: Path) -> list[Payload]:
        """The payloads in one of `every_file`."""
        return _unpack(path)[0]

    def lift(self, source: str) -> None:
        """Number what comes next above the floor: after a restore the archive may be newer than this folder."""
        home = self._home(source)
        with lock(home / "lock"):
            floor = self._floor(source)
            if floor > max(self._state(home)[0], _highest(home)):
                self._note(home, floor, self.cursor(source))

    def _next(self, source: str, home: Path) -> int:
        """The next number. A folder that is new, or was removed, begins above what the archive holds."""
        known = max(self._state(home)[0], _highest(home))
        return (known or self._floor(source)) + 1

    def _path(self, source: str) -> Path:
        if not source:
            raise ValueError("a source has a name")
        return self.folder / quote(source, safe="").replace(".", "%2E")

    def _home(self, source: str) -> Path:
        home = self._path(source)
        for state in ("pending", "done", "aside"):
            (home / state).mkdir(parents=True, exist_ok=True)
        return home

    def _found(self, ref: PayloadRef) -> tuple[list[Payload], dict[str, JSON]]:
        """Payloads and notes of a fetch, which another process may move from pending to done meanwhile."""
        home = self._path(ref.source)
        with suppress(FileNotFoundError):
            return _unpack(home / "pending" / _name(ref.seq))
        return _unpack(home / "done" / _name(ref.seq))

    def _state(self, home: Path) -> tuple[int, Cursor | None]:
        """The highest number and the newest cursor that were noted; files with higher numbers are newer still."""
        try:
            noted = json.loads((home / "state.json").read_bytes())
        except FileNotFoundError:
            return 0, None
        return noted["seq"], noted["cursor"]

    def _note(self, home: Path, seq: int, cursor: Cursor | None) -> None:
        moved = cursor if cursor is not None else self._state(home)[1]
        write_durably(home / "state.json", json.dumps({"seq": seq, "cursor": moved}).encode())

    def _settle(self, source: str, home: Path) -> None:
        """Note what a killed `keep` left only in its file, before that file may go."""
        highest = _highest(home)
        if highest > self._state(home)[0]:
            self._note(home, highest, self.cursor(source))


def _name(seq: int) -> str:
    return f"{seq:012d}.arrow"


def _numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def _all_numbers(home: Path) -> set[int]:
    return {*_numbers(home / "pending"), *_numbers(home / "done")}


def _highest(home: Path) -> int:
    return max(_all_numbers(home), default=0)


def _remove_older(folder: Path, limit: float) -> int:
    removed = 0
    for path in folder.glob("*.arrow"):
        if path.stat().st_mtime < limit:
            path.unlink()
            removed += 1
    return removed


def _emptied(payload: Payload) -> Payload:
    return Payload(b"", "application/x-erased", None, payload.fetched_at)


def _pack(payloads: Sequence[Payload], notes: Mapping[str, JSON]) -> memoryview:
    rows = {
        "body": [payload.body for payload in payloads],
        "content_type": [payload.content_type for payload in payloads],
        "url": [payload.url for payload in payloads],
        "fetched_at": [payload.fetched_at for payload in payloads],
        "headers": [json.dumps(dict(payload.headers)) for payload in payloads],
        "meta": [json.dumps(dict(payload.meta)) for payload in payloads],
    }
    schema = _COLUMNS.with_metadata({"talkworthy": json.dumps(notes)})
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(pa.Table.from_pydict(rows, schema=schema))
    return sink.getbuffer()


def _unpack(path: Path) -> tuple[list[Payload], dict[str, JSON]]:
    try:
        with pa.OSFile(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        notes = json.loads((table.schema.metadata or {})[b"talkworthy"])
        return [_payload(row) for row in table.to_pylist()], notes
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise Damaged(path, error) from error
    except OSError as error:
        if error.errno is not None:  # what the system refuses says nothing about the file
            raise
        raise Damaged(path, error) from error


def _payload(row: Mapping[str, Any]) -> Payload:
    headers, meta = json.loads(row["headers"]), json.loads(row["meta"])
    return Payload(row["body"], row["content_type"], row["url"], row["fetched_at"], headers, meta)
