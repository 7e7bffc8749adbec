"""What to read from the archive, and the SQL that reads it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Literal

import pyarrow as pa

from talkworthy.archive.columns import CORRECTABLE, FILED, HASH_BITS, STORED
from talkworthy.archive.duck import quoted
from talkworthy.archive.table import shape_of

LARGEST = 2**63 - 1

By = Literal[
    "hour",
    "day",
    "channel",
    "language",
    "sentiment",
    "intent",
    "monitor",
    "site",
    "author",
    "hashtag",
    "source",
    "kind",
]


@dataclass(frozen=True)
class Scan:
    """Which posts to read, in what order. Every condition must hold; within one tuple any value will do.

    `since` is included, `until` is not. `contains` holds groups: of each group one text must occur, letter for
    letter, in the column `folded`, so fold the texts as that column was. `before` and `after` are ids for paging:
    older than, newer than. `order` None gives no order, and is the cheapest way to read everything.
    """

    columns: tuple[str, ...] = tuple(STORED.names)
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[int, ...] | None = None
    monitors_any: tuple[int, ...] = ()
    monitors_all: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sentiments: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    """Their ids on the channel; their handles where it gives none."""
    hashtags: tuple[str, ...] = ()
    contains: tuple[tuple[str, ...], ...] = ()
    order: Literal["newest", "oldest"] | None = "newest"
    before: int | None = None
    after: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        unknown = set(self.columns) - set(STORED.names)
        if unknown or not self.columns:
            raise ValueError(f"not columns of the archive: {', '.join(sorted(unknown)) or '(none named)'}")
        if self.limit is not None and self.limit < 0:
            raise ValueError("a limit is not negative")
        if self.order is None and self.limit is not None:
            raise ValueError("a limit without an order would give any rows; name the order")

    @property
    def low(self) -> int:
        """The lowest id that can match."""
        since = int(self.since.timestamp() // 1) << HASH_BITS if self.since else -LARGEST
        return max(since, self.after + 1 if self.after is not None else -LARGEST, min(self.ids or (-LARGEST,)))

    @property
    def high(self) -> int:
        """The lowest id above all that can match."""
        until = (int(-(-self.until.timestamp() // 1)) << HASH_BITS) if self.until else LARGEST
        highest = max(self.ids) + 1 if self.ids else LARGEST
        return min(until, self.before if self.before is not None else LARGEST, highest)


@dataclass(frozen=True)
class Overlay:
    """What was learnt after the posts were filed and is not yet folded in; None where there is nothing.

    `dead` (id, upto): revisions up to that one are gone. `observed`: newest counts by id. `changed`: corrections
    and monitors gained and lost by id.
    """

    dead: pa.Table | None = None
    observed: pa.Table | None = None
    changed: pa.Table | None = None

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """The tables under the names that the SQL gives them."""
        named = {"dead": self.dead, "observed": self.observed, "changed": self.changed, "shape": _SHAPE}
        return {name: table for name, table in named.items() if table is not None}

    @property
    def is_empty(self) -> bool:
        """Whether the files alone say how things stand."""
        return self.dead is None and self.observed is None and self.changed is None


def select(columns: Sequence[str], scan: Scan, paths: Sequence[str], overlay: Overlay, *, low: int, high: int) -> str:
    """SQL for the rows of a scan within a range of ids, in the files given."""
    needed = set(columns) | _needed(scan)
    where = " AND ".join([f"id >= {low}", f"id < {high}", *conditions(scan)])
    return f"SELECT {', '.join(map(named, columns))} FROM ({current(needed, paths, overlay)}) WHERE {where}"


def current(columns: Iterable[str], paths: Sequence[str], overlay: Overlay) -> str:
    """SQL for the rows of files as they stand now: the newest revision, counts and corrections, without the dead."""
    wanted = sorted({"id", *columns})
    joins, values = [], {name: f"p.{named(name)}" for name in wanted}
    if overlay.observed is not None and "engagement" in wanted:
        joins.append("LEFT JOIN observed o ON o.id = p.id")
        values["engagement"] = _ENGAGEMENT
    if overlay.changed is not None and {*CORRECTABLE, "monitors"} & set(wanted):
        joins.append("LEFT JOIN changed c ON c.id = p.id")
        for name in CORRECTABLE.keys() & set(wanted):
            values[name] = f"CASE WHEN c.has_{name} THEN c.{name} ELSE p.{name} END"
        if "monitors" in wanted:
            values["monitors"] = _MONITORS
    if overlay.dead is not None:
        joins.append("ANTI JOIN dead d ON d.id = p.id AND p.revision <= d.upto")
    chosen = ", ".join(f"{value} AS {named(name)}" for name, value in values.items())
    return f"SELECT {chosen} FROM {_files(paths)} p {' '.join(joins)}"


def _files(paths: Sequence[str]) -> str:
    """The rows of files as SQL; columns that an older version did not write are null."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(PurePath(path).name.split("-")[0], []).append(path)
    lists = [f"read_parquet([{', '.join(map(quoted, group))}], hive_partitioning = false)" for group in groups.values()]
    if groups.keys() <= {_CURRENT}:
        return lists[0]
    return "(FROM shape UNION ALL BY NAME " + " UNION ALL BY NAME ".join(f"FROM {files}" for files in lists) + ")"


_SHAPE = FILED.empty_table()
_CURRENT = shape_of(FILED)


_ENGAGEMENT = """CASE WHEN o.id IS NULL OR o.taken_at < p.engagement.taken_at THEN p.engagement ELSE struct_pack(
 replies := coalesce(o.replies, p.engagement.replies), shares := coalesce(o.shares, p.engagement.shares),
 likes := coalesce(o.likes, p.engagement.likes), views := coalesce(o.views, p.engagement.views),
 taken_at := o.taken_at) END"""
_MONITORS = """CASE WHEN c.id IS NULL THEN p.monitors ELSE list_sort(list_distinct(list_concat(
 list_filter(coalesce(p.monitors, []::INTEGER[]), lambda m: NOT list_contains(c.lost, m)), c.gained))) END"""


ACCOUNT_OF = "coalesce(author.id, author.handle)"
"""What an author is known by on its channel: the id, the handle where the channel gives none."""
LONG = 500
"""More ids than these are handed over as a table: as text they take longer to read than their rows."""


def tables(scan: Scan, overlay: Overlay) -> dict[str, pa.Table]:
    """The tables that the SQL of a scan names."""
    wanted = {"wanted": pa.table({"id": pa.array(scan.ids, pa.int64())})} if scan.ids and len(scan.ids) > LONG else {}
    return {**overlay.tables, **wanted}


def conditions(scan: Scan) -> list[str]:
    """The conditions of a scan beyond its range of ids, as SQL."""
    found = [
        f"{column} IN ({', '.join(quoted(value) for value in values)})"
        for column, values in _equalities(scan).items()
        if values
    ]
    if scan.authors:
        found.append(f"{ACCOUNT_OF} IN ({', '.join(map(quoted, scan.authors))})")
    if scan.since is not None:
        found.append(f"published_at >= {_moment(scan.since)}")
    if scan.until is not None:
        found.append(f"published_at < {_moment(scan.until)}")
    if scan.ids is not None:
        listed = "SELECT id FROM wanted" if len(scan.ids) > LONG else ", ".join(map(str, scan.ids))
        found.append(f"id IN ({listed})" if scan.ids else "false")
    if scan.monitors_any:
        found.append(f"list_has_any(monitors, {_integers(scan.monitors_any)})")
    if scan.monitors_all:
        found.append(f"list_has_all(monitors, {_integers(scan.monitors_all)})")
    if scan.hashtags:
        texts = ", ".join(quoted(tag.lower()) for tag in scan.hashtags)
        found.append(f"list_has_any(list_transform(hashtags, lambda t: lower(t)), [{texts}])")
    for group in scan.contains:
        found.append("(" + (" OR ".join(f"contains(folded, {quoted(text)})" for text in group) or "false") + ")")
    return found


def _equalities(scan: Scan) -> dict[str, tuple[str, ...]]:
    return {
        "channel": scan.channels,
        "source": scan.sources,
        "detected_language": scan.languages,
        "sentiment": scan.sentiments,
        "intent": scan.intents,
        "kind": scan.kinds,
        "site": scan.sites,
    }


def _needed(scan: Scan) -> set[str]:
    """The columns that the conditions of a scan read."""
    needed = {column.split(".")[0] for column, values in _equalities(scan).items() if values}
    flags = {
        "published_at": scan.since is not None or scan.until is not None,
        "author": bool(scan.authors),
        "monitors": bool(scan.monitors_any or scan.monitors_all),
        "hashtags": bool(scan.hashtags),
        "folded": bool(scan.contains),
    }
    return needed | {name for name, used in flags.items() if used}


GROUPS: Mapping[str, tuple[str, str]] = {
    "hour": ("date_trunc('hour', published_at)", "published_at"),
    "day": ("CAST(published_at AS DATE)", "published_at"),
    "channel": ("channel", "channel"),
    "language": ("detected_language", "detected_language"),
    "sentiment": ("sentiment", "sentiment"),
    "intent": ("intent", "intent"),
    "monitor": ("unnest(monitors)", "monitors"),
    "site": ("site", "site"),
    "author": (ACCOUNT_OF, "author"),
    "hashtag": ("unnest(list_distinct(list_transform(hashtags, lambda t: lower(t))))", "hashtags"),
    "source": ("source", "source"),
    "kind": ("kind", "kind"),
}


def grouped(scan: Scan, by: Sequence[By], paths: Sequence[str], overlay: Overlay, *, engagement: bool) -> str:
    """SQL that counts the posts of a scan in groups, the largest first."""
    columns = {"id", *(GROUPS[name][1] for name in by), *(["engagement"] if engagement else [])}
    keys = "".join(f"{GROUPS[name][0]} AS {named(name)}, " for name in by)
    total = ", CAST(coalesce(sum(weight), 0) AS BIGINT) AS engagement" if engagement else ""
    weight = f"{_WEIGHT} AS weight" if engagement else "id"
    rows = select(sorted(columns), scan, paths, overlay, low=scan.low, high=scan.high)
    chosen = ", ".join(map(named, by)) + ", " if by else ""
    counted = f"SELECT {chosen}count(*) AS posts{total} FROM (SELECT {keys}{weight} FROM ({rows}))"
    return f"{counted} GROUP BY ALL ORDER BY posts DESC" if by else counted


_WEIGHT = "coalesce(engagement.replies, 0) + coalesce(engagement.shares, 0) + coalesce(engagement.likes, 0)"


def named(column: str) -> str:
    """A column's name as SQL."""
    return f'"{column}"'


def _integers(values: Iterable[int]) -> str:
    return "[" + ", ".join(str(int(value)) for value in values) + "]::INTEGER[]"


def _moment(value: datetime) -> str:
    return f"make_timestamptz({round(value.timestamp() * 1_000_000)})"
