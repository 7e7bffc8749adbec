"""One uid from origin and native id, and the archive's number for it.

The uid is `channel:origin:native id`: `mastodon:mastodon.social:1138…`, `hackernews:news.ycombinator.com:9127`.
Native ids are kept as they came (they may hold queries, paths and colons), channel and origin hold no colon.
"""

import hashlib
from datetime import datetime


def post_uid(channel: str, origin: str, native_id: str) -> str:
    """The one name of a post, the same whenever and however often it is collected."""
    if not channel or not native_id or ":" in channel:
        raise ValueError(f"a uid needs a channel without a colon and a native id, not {channel!r} and {native_id!r}")
    return f"{channel}:{origin.lower().replace(':', '_')}:{native_id}"


def native_parts(uid: str) -> tuple[str, str, str]:
    """Channel, origin and native id of a uid; a foreign uid (without two colons) has an empty channel and origin."""
    parts = uid.split(":", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", "", uid)


def archive_id(uid: str, published_at: datetime) -> int:
    """Epoch second in the upper bits, 31 bits of hash below: ordered by time and the same at every collection.

    Two posts of one second may share a number (one in two thousand million), so the uid is kept and checked.
    """
    digest = hashlib.blake2b(uid.encode(), digest_size=8).digest()
    return (int(published_at.timestamp()) << 31) | (int.from_bytes(digest, "big") & 0x7FFFFFFF)
