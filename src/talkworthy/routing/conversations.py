"""Which posts belong to one conversation: by replies, references and the channel's thread, in whatever order. Pure.

A post names the posts that it belongs to; whoever names the same one belongs together. That holds also where the
one that is named was never collected: two answers to a missing post are one conversation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a post says that it stands: uids, known here or not."""

    uid: str
    parent: str = ""
    root: str = ""
    references: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Its own uid and every one that it names."""
        return frozenset(filter(None, (self.uid, self.parent, self.root, *self.references)))

    @property
    def top(self) -> str:
        """The first post of its thread, as far as it says."""
        return self.root or (self.references[0] if self.references else "") or self.parent or self.uid


@dataclass(frozen=True)
class Group:
    """Posts of one conversation in the order given, and the conversations (the oldest first) that they belong to.

    More than one conversation: they were one all along, and the first of them goes on.
    """

    uids: tuple[str, ...]
    conversations: tuple[int, ...]
    root: str


def assemble(
    places: Sequence[Place], *, held: Mapping[str, Iterable[int]], roots: Mapping[int, str] | None = None
) -> list[Group]:
    """Put posts together. `held`: name → conversations that hold or await it; `roots`: conversation → its root."""
    union = _Union()
    for place in places:
        for name in sorted(place.names):
            union.tie(place.uid, name)
    for name, numbers in held.items():
        if name in union.above:
            for number in numbers:
                union.tie(name, f"\0{number}")
    by_uid = {place.uid: place for place in places}
    members: dict[str, list[str]] = {}
    for uid in by_uid:
        members.setdefault(union.head(uid), []).append(uid)
    conversations: dict[str, list[int]] = {}
    for number in sorted({number for numbers in held.values() for number in numbers}):
        if f"\0{number}" in union.above:
            conversations.setdefault(union.head(f"\0{number}"), []).append(number)
    groups = []
    for head, uids in members.items():
        numbers = tuple(conversations.get(head, ()))
        known = (roots or {}).get(numbers[0], "") if numbers else ""
        groups.append(Group(tuple(uids), numbers, _root(known, [by_uid[uid] for uid in uids])))
    return groups


def _root(known: str, places: Sequence[Place]) -> str:
    """The first post as far as known: upwards from what was known, while a post says that it answers another."""
    by_uid = {place.uid: place for place in places}
    root, seen = known or places[0].top, set[str]()
    while root in by_uid and by_uid[root].top != root and root not in seen:
        seen.add(root)
        root = by_uid[root].top
    return root


class _Union:
    """Names that belong together, by the name above each."""

    def __init__(self) -> None:
        self.above: dict[str, str] = {}

    def head(self, name: str) -> str:
        path = []
        while self.above.setdefault(name, name) != name:
            path.append(name)
            name = self.above[name]
        for passed in path:
            self.above[passed] = name
        return name

    def tie(self, one: str, other: str) -> None:
        first, second = self.head(one), self.head(other)
        if first != second:
            self.above[second] = first
