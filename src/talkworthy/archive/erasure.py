"""Erasure of a person's posts: invisible at once, gone from every file when the keeper next runs, with a receipt.

What is asked stands in `erasures/ID.json` until it is done; then only numbers, times and a hash remain there.
The keeper is run at least once a day, so an erasure is complete within 24 hours, or at once on demand.
"""

import base64
import html
import json
import quopri
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive.columns import accounts_of
from talkworthy.archive.durable import Damaged, write_durably
from talkworthy.archive.index import Numbers
from talkworthy.archive.overlay import ERASED
from talkworthy.archive.payloads import Payload
from talkworthy.archive.spool import Batch
from talkworthy.schema import TOMBSTONE, native_parts

if TYPE_CHECKING:
    from talkworthy.archive.keeper import Keeper
    from talkworthy.archive.posts import Archive

WITHIN = timedelta(hours=24)
HIDDEN, COMPLETE = "hidden", "complete"


@dataclass(frozen=True)
class Receipt:
    """How far an erasure has come, and what it removed. `state` is hidden (nobody sees it any more) or complete."""

    id: str
    state: str
    requested_at: datetime
    due_at: datetime
    completed_at: datetime | None
    posts: int
    files_rewritten: int
    payloads_emptied: int
    spooled_posts_removed: int
    waiting_for: str


@dataclass
class Erasure:
    """An erasure on its way. What names the person is kept only until it is complete."""

    id: str
    requested_at: str
    posts: int
    state: str = HIDDEN
    is_hidden: bool = False
    completed_at: str | None = None
    files_rewritten: int = 0
    payloads_emptied: int = 0
    spooled_posts_removed: int = 0
    waiting_for: str = ""
    ids: list[int] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)
    channel: str = ""
    author: str = ""
    needles: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    folder: str = ""

    @property
    def hidden_ids(self) -> Numbers:
        """The archive's numbers of the posts."""
        return np.array(self.ids, np.int64)

    def complete(self, keeper: "Keeper") -> bool:
        """Remove it from every file; False where a payload must be parsed first. A step of the keeper."""
        archive = keeper.archive
        keeper.rewrite_holding(self.hidden_ids)
        self.spooled_posts_removed += self._clear_spool(archive)
        emptied, waiting = self._clear_payloads(archive)
        self.payloads_emptied += emptied
        self.waiting_for = waiting
        if waiting:
            self.save()
            return False
        with archive.turn(), archive.index_guard:
            archive.index.forget(self.hidden_ids)
        return True

    def close(self, now: datetime) -> None:
        """Write the receipt and forget what named the person. To be called once no old file is left."""
        self.state, self.completed_at = COMPLETE, now.isoformat()
        self.ids, self.uids, self.needles, self.sources = [], [], [], []
        self.channel = self.author = ""
        self.save()

    def save(self) -> None:
        """Make its state durable."""
        kept = {name: value for name, value in asdict(self).items() if name != "folder"}
        write_durably(Path(self.folder) / f"{self.id}.json", json.dumps(kept).encode())

    def receipt(self) -> Receipt:
        """What the person who asked, or an auditor, is shown."""
        requested = datetime.fromisoformat(self.requested_at)
        return Receipt(
            id=self.id,
            state=self.state,
            requested_at=requested,
            due_at=requested + WITHIN,
            completed_at=datetime.fromisoformat(self.completed_at) if self.completed_at else None,
            posts=self.posts,
            files_rewritten=self.files_rewritten,
            payloads_emptied=self.payloads_emptied,
            spooled_posts_removed=self.spooled_posts_removed,
            waiting_for=self.waiting_for,
        )

    def _clear_spool(self, archive: "Archive") -> int:
        removed = 0
        for spooled in archive.spool.pending():
            with suppress(FileNotFoundError):
                batch = archive.spool.read(spooled)
                kept = Batch(*(self._without(table) for table in (batch.posts, batch.observations, batch.tombstones)))
                if kept != batch:
                    removed += batch.posts.num_rows - kept.posts.num_rows
                    archive.spool.rewrite(spooled, kept)
        return removed

    def _without(self, rows: pa.Table) -> pa.Table:
        erased = pc.is_in(rows["uid"], pa.array(self.uids, pa.string()))
        if self.author and "author" in rows.schema.names:
            by = pc.fill_null(pc.equal(accounts_of(rows["author"]), self.author), False)
            if self.channel:
                by = pc.and_(by, pc.equal(rows["channel"], self.channel))
            erased = pc.or_(erased, by)
        return rows.filter(pc.invert(erased)) if pc.any(erased).as_py() else rows

    def _clear_payloads(self, archive: "Archive") -> tuple[int, str]:
        """Empty raw payloads that hold, or may hold, what is erased; say which still wait to be parsed."""
        emptied, waiting = 0, []
        needles = Needles([*self.needles, self.author])
        limit = datetime.fromisoformat(self.requested_at).timestamp()
        for path in [*archive.payloads.damaged(), *archive.spool.damaged()]:  # nobody can say that they hold nothing
            path.unlink(missing_ok=True)
        for path in list(archive.payloads.every_file()):
            with suppress(FileNotFoundError):
                try:
                    payloads = archive.payloads.read(path)
                except Damaged:  # nobody can say that it does not hold them
                    path.unlink()
                    emptied += 1
                    continue
                of_source = path.parent.parent.name in self.sources and path.stat().st_mtime <= limit + 1
                concerned = [bool(payload.body) and (of_source or needles.may_be_in(payload)) for payload in payloads]
                if not any(concerned):
                    continue
                if path.parent.name == "pending":
                    waiting.append(f"{path.parent.parent.name}/{path.stem}")
                    continue
                archive.payloads.rewrite(path, [not yes for yes in concerned])
                emptied += sum(concerned)
        return emptied, ", ".join(waiting)


class Needles:
    """Texts by which a raw payload is known to hold an erased post, in the ways that formats write them."""

    def __init__(self, texts: Iterable[str]) -> None:
        forms = {form for text in texts if text for form in _written_forms(text)}
        self._pattern = re.compile(b"|".join(re.escape(form) for form in sorted(forms))) if forms else None

    def may_be_in(self, payload: Payload) -> bool:
        """Whether the payload holds one of them, or cannot be searched, which counts as holding it."""
        about = json.dumps([payload.url, dict(payload.headers), dict(payload.meta)], ensure_ascii=False).encode()
        if self._pattern is None:
            return False
        return any(self._pattern.search(part) for part in (about, *_readings(payload.body))) or not _is_plain(
            payload.body
        )


def _written_forms(text: str) -> Iterator[bytes]:
    yield text.encode()
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
    yield json.dumps(text)[1:-1].replace("/", "\\/").encode()
    yield html.escape(text).encode()
    yield html.escape(text, quote=False).encode()
    yield quote(text).encode()
    yield quote(text, safe="").encode()


def _readings(body: bytes) -> Iterator[bytes]:
    """A body as it is, and as mail encodes and folds it."""
    yield body
    if b"quoted-printable" in body.lower():
        yield quopri.decodestring(body)
    for block in re.findall(rb"(?:[A-Za-z0-9+/]{20,}={0,2}\r?\n?)+", body) if b"base64" in body.lower() else ():
        with suppress(ValueError):
            yield base64.b64decode(re.sub(rb"\s", b"", block))


def _is_plain(body: bytes) -> bool:
    """Whether a body can be searched for text: it is UTF-8 and not packed."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def begin_erasure(archive: "Archive", *, author: tuple[str, str] | None, uids: Sequence[str], now: datetime) -> Receipt:
    """Hide the posts, and write down what is to be removed. The written request comes first: a crash loses nothing."""
    if not uids and not author:
        raise ValueError("an erasure names an account or posts")
    folder = archive.path / "erasures"
    folder.mkdir(exist_ok=True)
    channel, account = author or ("", "")
    erasure = Erasure(
        uuid.uuid4().hex, now.isoformat(), 0, uids=list(uids), channel=channel, author=account, folder=str(folder)
    )
    erasure.save()
    _hide(archive, erasure)
    return erasure.receipt()


def _hide(archive: "Archive", erasure: Erasure) -> None:
    """Bury the posts and note by what they are known. Twice is once."""
    now = datetime.fromisoformat(erasure.requested_at)
    stones = [_stone(uid, None, None, now) for uid in erasure.uids]
    if erasure.author:
        stones.append(_stone("", erasure.author, erasure.channel or None, now))
    gone = archive.bury(pa.Table.from_pylist(stones, schema=TOMBSTONE)).to_pylist()
    erasure.posts += len(gone)
    erasure.ids = sorted({*erasure.ids, *(post["id"] for post in gone)})
    erasure.uids = sorted({*erasure.uids, *(post["uid"] for post in gone)})
    erasure.sources = sorted({*erasure.sources, *(_folder_name(post["source"]) for post in gone if post["source"])})
    named = {native_parts(uid)[2] for uid in erasure.uids}
    erasure.needles = sorted(
        {
            *(name for name in named if len(name) > 3),
            *erasure.needles,
            *(text for post in gone for text in _signs(post, erasure.author)),
        }
    )
    erasure.is_hidden = True
    erasure.save()


def _signs(post: Mapping[str, Any], account: str) -> list[str]:
    """Texts that give a post away in a raw payload; shorter ones would meet everywhere."""
    author = post["author"] or {} if account else {}
    signs = [post["native_id"], post["url"], post["text"], author.get("handle"), author.get("url")]
    return [sign for sign in signs if sign and len(sign) > 3]


def _stone(uid: str, author: str | None, channel: str | None, now: datetime) -> dict[str, Any]:
    return {
        "uid": uid,
        "published_at": None,
        "author_id": author,
        "channel": channel,
        "deleted_at": now,
        "reason": ERASED,
    }


def _folder_name(source: str) -> str:
    return quote(source, safe="").replace(".", "%2E")


def due_erasures(archive: "Archive") -> list[Erasure]:
    """Erasures that are not complete; one whose hiding was cut short by a crash is hidden first."""
    due = []
    for path in sorted((archive.path / "erasures").glob("*.json")):
        erasure = _read(path)
        if erasure.state == COMPLETE:
            continue
        if not erasure.is_hidden:
            _hide(archive, erasure)
        due.append(erasure)
    return due


def erasure_receipt(archive: "Archive", id: str) -> Receipt:
    """The receipt of an erasure as it stands. Raises KeyError where there is none of this id."""
    path = archive.path / "erasures" / f"{id}.json"
    if not re.fullmatch(r"[0-9a-f]{32}", id) or not path.exists():
        raise KeyError(f"there is no erasure {id}")
    return _read(path).receipt()


def _read(path: Path) -> Erasure:
    return Erasure(**json.loads(path.read_bytes()), folder=str(path.parent))
