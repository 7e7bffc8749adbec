"""A query over the archive: the archive sieves by what every match must have, the query itself has the last word."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from talkworthy.archive import Archive, Scan
from talkworthy.listening.ties import Posts, Ties, with_ties
from talkworthy.query import CompiledQuery

ALWAYS = ("id", "uid", "published_at")
MATCHED = (
    *ALWAYS,
    "channel",
    "source",
    "origin",
    "native_id",
    "url",
    "kind",
    "author",
    "title",
    "text",
    "language",
    "detected_language",
    "in_reply_to",
    "root",
    "engagement_type",
    "links",
    "hashtags",
    "mentions",
    "tags",
    "media",
    "entities",
    "rating",
    "place",
    "site",
    "community",
    "engagement",
    "sentiment",
    "intent",
    "urgency",
)
"""Every column that a query may look at."""
_SIEVED = {"channel": "channels", "sentiment": "sentiments", "intent": "intents", "source": "sources"}


def columns_for(query: CompiledQuery, *, always: tuple[str, ...] = ALWAYS) -> tuple[str, ...]:
    """The columns that evaluating a query needs: fewer where it looks at words alone."""
    ties = ("monitors",) if "touchpoint" in query.columns else ()
    heard = ("channel", "author") if "influence" in query.columns else ()
    return tuple(dict.fromkeys((*always, *(name for name in MATCHED if name in query.columns), *ties, *heard)))


def narrowed(scan: Scan, query: CompiledQuery) -> Scan | None:
    """The scan with what every match must have added to it; None where nothing can match both."""
    sieve = query.prefilter
    if sieve is None:
        return scan
    changes: dict[str, tuple[str, ...]] = {}
    for column, allowed in sieve.values:
        name = _SIEVED.get(column)
        if name is None:
            continue
        stood = changes.get(name, getattr(scan, name))
        left = tuple(value for value in allowed if value in stood) if stood else allowed
        if not left:
            return None
        changes[name] = left
    return replace(
        scan,
        contains=(*scan.contains, *sieve.words),
        since=_later(scan.since, sieve.since),
        until=_earlier(scan.until, sieve.until),
        **changes,  # type: ignore[arg-type]
    )


def matching(posts: Posts, query: CompiledQuery, ties: Ties | None) -> pa.BooleanArray:
    """For each post whether a query matches; `ties` say what it asks besides, None where it does not."""
    return query.match(posts if ties is None else with_ties(posts, ties))


def found_in(batch: pa.RecordBatch, query: CompiledQuery, ties: Ties | None = None) -> pa.RecordBatch:
    """The rows of a batch that a query matches."""
    return batch.filter(matching(batch, query, ties)) if batch.num_rows else batch


def search(
    archive: Archive, query: CompiledQuery | None, scan: Scan, *, ties: Ties | None = None
) -> Iterator[pa.RecordBatch]:
    """The posts of a scan that a query matches, in the scan's order, up to its limit; without a query all of them.

    Reads no more than it must: a page of the newest ends as soon as it is full.
    """
    if query is None:
        yield from archive.scan(scan)
        return
    sieved = narrowed(replace(scan, limit=None), query)
    if sieved is None:
        return
    needed = tuple(dict.fromkeys((*scan.columns, *columns_for(query))))
    left = scan.limit
    for batch in archive.scan(replace(sieved, columns=needed)):
        found = found_in(batch, query, ties).select(list(scan.columns))
        if left is not None:
            found = found.slice(0, left)
            left -= found.num_rows
        if found.num_rows:
            yield found
        if left == 0:
            return


def _later(first: datetime | None, second: datetime | None) -> datetime | None:
    return max(filter(None, (first, second)), default=None)


def _earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    return min(filter(None, (first, second)), default=None)
