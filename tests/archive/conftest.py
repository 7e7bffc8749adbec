from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from talkworthy.archive import ARRIVING, Archive, Payload
from talkworthy.schema import OBSERVATION, TOMBSTONE, posts_table

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNOTATED = set(ARRIVING.names) - set(posts_table([]).schema.names)


def post_row(number: int, text: str = "", **given: Any) -> dict[str, Any]:
    """Post `number`, an hour after the one before it; collected a day after NOON."""
    row = {
        "uid": f"test:example.org:{number}",
        "text": text or f"words of {number}",
        "published_at": NOON + timedelta(hours=number),
    }
    return {**row, "collected_at": NOON + timedelta(days=1), "source": "feed", **given}


def arriving(*rows: dict[str, Any]) -> pa.Table:
    """A table of ARRIVING from plain rows."""
    table = posts_table([{name: value for name, value in row.items() if name not in ANNOTATED} for row in rows])
    for name in ARRIVING.names:
        if name in ANNOTATED:
            field = ARRIVING.field(name)
            table = table.append_column(name, pa.array([row.get(name) for row in rows], field.type))
    return table


class Cast:
    """An archive and short words for writing to it."""

    def __init__(self, path: Path) -> None:
        self.archive = Archive(path, memory="256MB", threads=1)
        self.seq = 0

    def append(self, *rows: dict[str, Any], **options: Any) -> Any:
        self.seq += 1
        return self.archive.append(
            arriving(*rows), transactions=options.pop("transactions", {"feed": self.seq}), **options
        )

    def bury(
        self,
        *uids: str,
        author: tuple[str, str] | None = None,
        reason: str = "deleted",
        at: datetime = NOON + timedelta(days=2),
    ) -> pa.Table:
        stones: list[dict[str, Any]] = [{"uid": uid, "deleted_at": at, "reason": reason} for uid in uids]
        if author:
            stones.append({"uid": "", "channel": author[0], "author_id": author[1], "deleted_at": at, "reason": reason})
        return self.archive.bury(
            pa.Table.from_pylist(
                [{name: stone.get(name) for name in TOMBSTONE.names} for stone in stones], schema=TOMBSTONE
            )
        )

    def observe(self, number: int, likes: int, taken_at: datetime) -> Any:
        row = {
            "uid": f"test:example.org:{number}",
            "published_at": NOON + timedelta(hours=number),
            "likes": likes,
            "taken_at": taken_at,
        }
        return self.archive.observe(
            pa.Table.from_pylist([{name: row.get(name) for name in OBSERVATION.names}], schema=OBSERVATION)
        )

    def change(self, uid: str, column: str, value: str | None) -> None:
        post = self.archive.get(uid)
        assert post is not None
        self.archive.change(
            pa.table(
                {
                    "id": [post["id"]],
                    "uid": [uid],
                    "published_at": [post["published_at"]],
                    "column": [column],
                    "value": pa.array([value], pa.string()),
                }
            )
        )

    def texts(self, scan: Any) -> list[str]:
        return [text for batch in self.archive.scan(scan) for text in batch.column("text").to_pylist()]


@pytest.fixture
def cast(tmp_path: Path) -> Iterator[Cast]:
    made = Cast(tmp_path / "archive")
    yield made
    made.archive.close()


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    return post_row


@pytest.fixture
def table() -> Callable[..., pa.Table]:
    return arriving


@pytest.fixture
def payload() -> Callable[..., Payload]:
    def make(body: bytes | str, content_type: str = "application/json") -> Payload:
        return Payload(
            body.encode() if isinstance(body, str) else body,
            content_type,
            "https://example.org/api",
            NOON,
            {"etag": "1"},
            {"page": 2},
        )

    return make
