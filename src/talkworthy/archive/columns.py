"""The columns of the archive's tables."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.schema import ANNOTATIONS, OBSERVATION, POST, TOMBSTONE
from talkworthy.schema.column import TIME, column

MONITORS = column(
    "monitors", pa.list_(pa.int32()), "ids of the monitors that matched, at arrival or by a backfill", null="none"
)


def relaxed(schema: pa.Schema) -> pa.Schema:
    """The same columns with null allowed everywhere and nothing said about them, as engines hand them out."""
    return pa.schema([pa.field(field.name, _relaxed(field.type)) for field in schema])


def _relaxed(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _relaxed(field.type)) for field in kind])
    return pa.list_(_relaxed(kind.value_type)) if pa.types.is_list(kind) else kind


ARRIVING = pa.schema([*POST, *ANNOTATIONS, MONITORS])
"""What `Archive.append` takes."""

STORED = pa.schema(
    [
        column("id", pa.int64(), "epoch second and 31 bits of the uid's hash: the archive's number, ordered by time"),
        column("day", pa.date32(), "day of published_at in UTC, for engines that group by it"),
        *ARRIVING,
    ]
)
"""What readers get, documented."""

REVISION = column("revision", pa.int32(), "0 as first stored, one more with each edit; the highest of an id is the row")

FILED = relaxed(pa.schema([STORED.field("id"), REVISION, *list(STORED)[1:]]))
"""What the files of the posts table hold. What has statistics stands first: Delta looks at 32 columns only."""

ROWS = relaxed(STORED)
"""STORED as readers get it."""

OBSERVED = pa.schema([column("id", pa.int64(), "the archive's number of the post"), *OBSERVATION])
BURIED = pa.schema(
    [
        column(
            "id",
            pa.int64(),
            "the archive's number of the post that is gone",
            null="it is not here, or an account is meant",
        ),
        column("revision", pa.int32(), "the highest revision of the post that is gone", null="as id"),
        column("digest", pa.int64(), "hash of the uid, or of the account, which keeps it from coming back"),
        column("account", pa.bool_(), "whether every post of one account is meant"),
        *(field.with_nullable(True) for field in TOMBSTONE),
    ]
)
CHANGED = pa.schema(
    [
        column("id", pa.int64(), "the archive's number of the post"),
        column("uid", pa.string(), "the post"),
        column("published_at", TIME, "the post's own time"),
        column("column", pa.string(), "a column of annotations (CORRECTABLE), or monitor:ID"),
        column(
            "value", pa.string(), "the new value as text; for a monitor true or false", null="the value is taken away"
        ),
        column("seq", pa.int64(), "the highest of a post and column holds", unit="nanoseconds since 1970"),
        column("by", pa.string(), "who or what changed it", null="the system"),
    ]
)

CORRECTABLE = {
    "detected_language": "VARCHAR",
    "language_probability": "FLOAT",
    "sentiment": "VARCHAR",
    "sentiment_score": "FLOAT",
    "sentiment_probability": "FLOAT",
    "intent": "VARCHAR",
    "intent_probability": "FLOAT",
    "urgency": "TINYINT",
    "analysed_by": "VARCHAR",
}
"""What is changed after a post was filed: people correct four of them, all are made anew by another model."""

HASH_BITS = 31
_MASK = (1 << HASH_BITS) - 1


def digests(uids: pa.ChunkedArray | pa.Array | Sequence[str]) -> npt.NDArray[np.int64]:
    """The 64-bit hash of each uid; its lower 31 bits stand in the archive's number too."""
    values = uids if isinstance(uids, Sequence) else uids.to_pylist()
    return np.frombuffer(b"".join(map(_digest, values)), dtype=">i8").astype(np.int64)


@lru_cache(maxsize=32_768)  # whoever stores posts asks for each of them several times
def _digest(uid: str) -> bytes:
    return hashlib.blake2b(uid.encode(), digest_size=8).digest()


def accounts_of(authors: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """What each author is known by on its channel: the id, the handle where the channel gives none."""
    return pc.coalesce(pc.struct_field(authors, "id"), pc.struct_field(authors, "handle"))


def account_digests(channels: Sequence[str | None], authors: Sequence[str | None]) -> npt.NDArray[np.int64]:
    """The hash of each account; an account tombstone without a channel stands for it in every channel."""
    return digests(
        [f"account\n{channel or ''}\n{author or ''}" for channel, author in zip(channels, authors, strict=True)]
    )


def numbers(hashes: npt.NDArray[np.int64], published_at: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int64]:
    """`schema.archive_id` of many posts at once."""
    micros = (
        pc.cast(published_at, pa.int64()).to_numpy(zero_copy_only=False) if len(published_at) else np.empty(0, np.int64)
    )
    number: npt.NDArray[np.int64] = (np.floor_divide(micros, 1_000_000) << HASH_BITS) | (hashes & _MASK)
    return number


def seconds_of(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The second of 1970 on in which each post was published, read off its number."""
    return ids >> HASH_BITS
