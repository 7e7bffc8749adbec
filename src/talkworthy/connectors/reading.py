"""Values out of replies that others wrote: checked, bounded and fit for Arrow.

A reply may hold anything where a number or a word was promised. Readers take what is usable and answer None for
the rest; a piece without which a post cannot stand raises `Unusable`, and `gather` sets that piece aside.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from talkworthy.connectors.contract import Parsed, SetAside
from talkworthy.connectors.errors import Malformed
from talkworthy.schema import OBSERVATION, TOMBSTONE, posts_table

FRAGMENT_BYTES = 4_000
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
COUNTS = ("replies", "shares", "likes", "views")

PostRow = Mapping[str, Any]
"""Columns of a post, as `posts_table` takes them."""


class Unusable(ValueError):
    """One piece of a payload that cannot become a post, and why."""


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A post that its channel no longer shows."""

    uid: str
    published_at: datetime | None
    deleted_at: datetime


@dataclass(frozen=True, kw_only=True)
class Count:
    """Counts of a post whose words did not come along."""

    uid: str
    published_at: datetime
    taken_at: datetime
    replies: int | None = None
    shares: int | None = None
    likes: int | None = None
    views: int | None = None


Piece = PostRow | Gone | Count


def read_json(body: bytes) -> Any:
    """A JSON value; Malformed where the bytes hold none (also where it is nested too deep to read)."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error}") from error


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object; Malformed where the bytes hold something else."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise Malformed(f"expected a JSON object, found {type(value).__name__}")
    return value


def record(value: Any) -> Mapping[str, Any]:
    """The object, or an empty one where something else stands in its place."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """The list, or an empty one where something else stands in its place."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str | None:
    """Words, with what UTF-8 cannot carry replaced and NUL cut; None for the empty string and anything else."""
    if not isinstance(value, str) or not value:
        return None
    return value.encode("utf-8", "replace").decode().replace("\0", "") or None


def integer(value: Any) -> int | None:
    """A whole number of 64 bits, also written as text or as 12.0; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value) if not isinstance(value, str) or len(value) < 20 else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def moment(value: Any) -> datetime | None:
    """A time from epoch seconds or ISO 8601 (without zone: UTC), between 1970 and 2200; None for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str):
            read = datetime.fromisoformat(value)
            found = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return found if EARLIEST <= found < LATEST else None


def known(value: Any, name: str) -> Any:
    """The value, or Unusable where it is missing."""
    if value is None:
        raise Unusable(f"without a usable {name}")
    return value


def gather(
    items: Iterable[Any], read: Callable[[Mapping[str, Any]], Iterable[Piece]], *, gone: Iterable[Gone] = ()
) -> Parsed:
    """Read each item; what is unusable is set aside and the rest goes on. `gone` is known besides.

    The last of doubled posts stands. Counts of a post also become an observation, because a known post whose words
    did not change is not written again.
    """
    posts: dict[str, PostRow] = {}
    tombs = {one.uid: one for one in gone}
    counts: dict[str, Count] = {}
    aside: list[SetAside] = []
    for item in items:
        if not isinstance(item, dict):
            aside.append(SetAside(reason=f"expected an object, found {type(item).__name__}", fragment=_fragment(item)))
            continue
        try:
            pieces = list(read(item))
        except Unusable as error:
            aside.append(SetAside(reason=str(error), fragment=_fragment(item)))
            continue
        for piece in pieces:
            if isinstance(piece, Gone):
                tombs[piece.uid] = piece
                posts.pop(piece.uid, None)
                counts.pop(piece.uid, None)
            elif isinstance(piece, Count):
                counts[piece.uid] = piece
            else:
                posts[piece["uid"]] = piece
                tombs.pop(piece["uid"], None)
                counts.update(_counted(piece))
    return Parsed(
        posts=posts_table(posts.values()),
        observations=_observations(counts.values()),
        tombstones=_tombstones(tombs.values()),
        aside=tuple(aside),
    )


def counted(taken_at: datetime, **counts: int | None) -> dict[str, Any] | None:
    """The engagement of a post, or None where the reply counts nothing."""
    return {**counts, "taken_at": taken_at} if any(value is not None for value in counts.values()) else None


def _counted(post: PostRow) -> dict[str, Count]:
    engagement = post.get("engagement")
    if not engagement:
        return {}
    numbers = {name: engagement.get(name) for name in COUNTS}
    taken_at = engagement["taken_at"]
    return {post["uid"]: Count(uid=post["uid"], published_at=post["published_at"], taken_at=taken_at, **numbers)}


def _observations(counts: Iterable[Count]) -> pa.Table:
    return pa.Table.from_pylist([vars(count) for count in counts], schema=OBSERVATION)


def _tombstones(gone: Iterable[Gone]) -> pa.Table:
    rows = [{**vars(one), "author_id": None, "channel": None, "reason": "deleted"} for one in gone]
    return pa.Table.from_pylist(rows, schema=TOMBSTONE)


def _fragment(item: Any) -> bytes:
    try:
        return json.dumps(item, ensure_ascii=True, default=str).encode()[:FRAGMENT_BYTES]
    except RecursionError:
        return b"(nested too deep)"
