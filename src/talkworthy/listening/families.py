"""Posts of one list that say the same: the newest stands for all, and the others are counted. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from talkworthy.analysis.duplicates import FEWEST_LETTERS, bare

Post = Mapping[str, Any]

NAMED = 3
"""Accounts that are named before the rest is counted."""


@dataclass(frozen=True)
class Family:
    """A post and its near copies in the list, in the list's order."""

    post: Post
    copies: tuple[Post, ...] = ()

    @property
    def posts(self) -> tuple[Post, ...]:
        """All of them."""
        return (self.post, *self.copies)


@dataclass(frozen=True)
class Spread:
    """Where a text stands: posts by channel, accounts by post, and followers in sum.

    An account counts once however often it posted. `told` is how many accounts say how many follow them; followers
    of two accounts may be the same people, so the sum is how often it could be read, not by how many.
    """

    channels: tuple[tuple[str, int], ...]
    accounts: tuple[str, ...]
    more_accounts: int
    followers: int
    told: int


def families(posts: Sequence[Post]) -> list[Family]:
    """The posts by text, each family where its first stands. A short text (“thanks”) is nobody's copy."""
    held: dict[object, list[Post]] = {}
    for post in posts:
        held.setdefault(_text_of(post), []).append(post)
    return [Family(same[0], tuple(same[1:])) for same in held.values()]


def first_families(posts: Sequence[Post], most: int) -> list[Family]:
    """The families of the longest beginning of a list that has no more of them than this."""
    texts: set[object] = set()
    for place, post in enumerate(posts):
        texts.add(_text_of(post))
        if len(texts) > most:
            return families(posts[:place])
    return families(posts)


def spread_of(posts: Sequence[Post]) -> Spread:
    """How far a text went."""
    channels: dict[str, int] = {}
    accounts: dict[tuple[str, str], tuple[str, int | None]] = {}
    for post in posts:
        channels[post["channel"]] = channels.get(post["channel"], 0) + 1
        author = post["author"] or {}
        name = author.get("name") or author.get("handle") or ""
        key = (post["channel"], author.get("id") or author.get("handle") or name)
        accounts.setdefault(key, (name, author.get("followers")))
    names = [name for name, _followers in accounts.values() if name]
    told = [followers for _name, followers in accounts.values() if followers is not None]
    ranked = tuple(sorted(channels.items(), key=lambda channel: -channel[1]))
    return Spread(ranked, tuple(names[:NAMED]), len(accounts) - len(names[:NAMED]), sum(told), len(told))


def _text_of(post: Post) -> object:
    """What is equal for near copies, and for no other post of the archive where the text is too short to tell."""
    family = post["near_hash"] if post["near_hash"] is not None else post["text_hash"]
    if family is None or len(bare(" ".join(filter(None, (post["title"], post["text"]))))) < FEWEST_LETTERS:
        return ("post", post["id"])
    return family
