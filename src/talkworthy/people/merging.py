"""What a merge shows and what a split gives back. Pure.

A merge moves nothing: the part points at the whole, and every row stays with the record that it was written for. So a
split only takes the pointer away, however often and in whatever order the two were merged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

SINGLE = frozenset({"given_name", "family_name", "birthday"})
"""Attributes of which a person has one: two values of them disagree."""

Parents = Mapping[int, int | None]
"""For each record the one that holds it, or None."""


class Circle(ValueError):
    """A record would come to be a part of itself."""


@dataclass(frozen=True)
class Known:
    """One thing that one record says: of whom, from where, since when."""

    record: int
    name: str
    value: str
    source: str
    at: datetime


@dataclass(frozen=True)
class Shown:
    """A value with every row that says so, the newest first."""

    name: str
    value: str
    rows: tuple[Known, ...]
    is_disputed: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Where it came from, each once."""
        return tuple(dict.fromkeys(row.source for row in self.rows))


@dataclass(frozen=True)
class Split:
    """The records that go, and those that stay."""

    goes: frozenset[int]
    stays: frozenset[int]


def root_of(parents: Parents, record: int) -> int:
    """The record at the end of the chain. Raises Circle where there is no end."""
    seen = {record}
    while (parent := parents.get(record)) is not None:
        if parent in seen:
            raise Circle(f"record {parent} is a part of itself")
        seen.add(parent)
        record = parent
    return record


def held_by(parents: Parents, record: int) -> frozenset[int]:
    """The record and every record below it."""
    below: dict[int, list[int]] = {}
    for part, parent in parents.items():
        if parent is not None:
            below.setdefault(parent, []).append(part)
    found, waiting = {record}, [record]
    while waiting:
        for part in below.get(waiting.pop(), ()):
            if part in found:
                raise Circle(f"record {part} is a part of itself")
            found.add(part)
            waiting.append(part)
    return frozenset(found)


def merged(parents: Parents, part: int, whole: int) -> dict[int, int | None]:
    """The records after the root of `part` was put below the root of `whole`. Raises Circle where they are one."""
    ours, theirs = root_of(parents, whole), root_of(parents, part)
    if ours == theirs:
        raise Circle(f"records {part} and {whole} are one already")
    return {**parents, theirs: ours}


def split_off(parents: Parents, part: int) -> Split:
    """What goes with a part, and what stays with the one that held it. Raises ValueError where nothing holds it."""
    if parents.get(part) is None:
        raise ValueError(f"record {part} is no part of another one")
    everything = held_by(parents, root_of(parents, part))
    goes = held_by(parents, part)
    return Split(goes, everything - goes)


def shown(rows: Iterable[Known]) -> list[Shown]:
    """What is known, each value once with all who say it; the newest value of a name first."""
    values: dict[tuple[str, str], list[Known]] = {}
    for row in rows:
        values.setdefault((row.name, row.value.strip().casefold()), []).append(row)
    grouped = [sorted(found, key=lambda row: row.at, reverse=True) for found in values.values()]
    several = _named_often(found[0].name for found in grouped)
    return [
        Shown(found[0].name, found[0].value, tuple(found), found[0].name in SINGLE & several)
        for found in sorted(grouped, key=lambda found: (found[0].name, -found[0].at.timestamp()))
    ]


def value_of(known: Sequence[Shown], name: str) -> str:
    """The newest value of a name; empty where there is none."""
    return next((each.value for each in known if each.name == name), "")


def _named_often(names: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]
