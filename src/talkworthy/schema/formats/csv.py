"""CSV and its kin: which column is what is said by a mapping, and can be guessed from the header and some rows."""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import IO, Any

import pyarrow as pa

from talkworthy.schema.formats.rows import Tell, Wrong, batch_of, ignore, post_from_json
from talkworthy.schema.formats.times import read_time
from talkworthy.schema.post import POST

ROWS = 2048
MAX_FIELD = 4 << 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
_NESTED = ("author", "engagement", "place")
_LISTS = tuple(column.name for column in POST if column.type == pa.list_(pa.string()))
TARGETS = tuple(
    chain.from_iterable(
        [f"{column.name}.{column.type.field(index).name}" for index in range(column.type.num_fields)]
        if column.name in _NESTED
        else [column.name]
        for column in POST
        if column.name != "media"
    )
)
"""What a column may be mapped to: columns of a post, and `author.handle`, `engagement.likes` and the like."""


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """How to read a file of rows: for each of `TARGETS` the header of its column.

    `native_id` or `uid` may be absent: then the id is a hash of the row. `channel`, `origin` and `published_at`
    stand for rows that tell none; without the latter such rows are wrong. `day_first` says how to read
    3/4/2025; null refuses such times.
    """

    columns: dict[str, str]
    channel: str = "files"
    origin: str = ""
    published_at: datetime | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    day_first: bool | None = None
    constants: dict[str, Any] = field(default_factory=dict)


def read_csv(stream: IO[bytes], mapping: Mapping, *, wrong: Tell = ignore) -> Iterator[pa.RecordBatch]:
    """Batches of posts; rows that cannot be read are told by number (the header is 1) and left out.

    Raises ValueError where the mapping names columns that the header lacks or things that no post has.
    """
    unknown = sorted(set(mapping.columns) - set(TARGETS))
    if unknown:
        raise ValueError(f"no post has: {', '.join(unknown)}")
    reader = csv.reader(_text(stream, mapping.encoding), delimiter=mapping.delimiter, strict=False)
    header = [name.strip() for name in _next_row(reader) or []]
    lacking = sorted(set(mapping.columns.values()) - set(header))
    if lacking:
        raise ValueError(f"the header has no column called: {', '.join(lacking)}")
    places = {target: header.index(name) for target, name in mapping.columns.items()}
    rows: list[dict[str, Any]] = []
    for number, cells in _numbered(reader, wrong):
        try:
            rows.append(_row(cells, places, mapping))
        except ValueError as error:
            wrong(Wrong(number, str(error), mapping.delimiter.join(cells)[:500].encode("utf-8", "replace")))
        if len(rows) == ROWS:
            yield batch_of(rows)
            rows = []
    if rows:
        yield batch_of(rows)


def _text(stream: IO[bytes], encoding: str) -> Iterator[str]:
    name = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    csv.field_size_limit(MAX_FIELD)
    try:
        text = io.TextIOWrapper(stream, encoding=name, errors="replace", newline="")
    except LookupError as error:
        raise ValueError(f"no encoding is called {encoding!r}") from error
    try:
        for line in text:
            yield line.replace("\x00", "")
    finally:
        text.detach()


def _next_row(reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from error


def _numbered(reader: Iterator[list[str]], wrong: Tell) -> Iterator[tuple[int, list[str]]]:
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            wrong(Wrong(number, f"not CSV: {error}", b""))
            continue
        if cells is None:
            return
        if any(cells):
            yield number, cells


def _row(cells: Sequence[str], places: dict[str, int], mapping: Mapping) -> dict[str, Any]:
    raw: dict[str, Any] = dict(mapping.constants)
    for target, place in places.items():
        value = cells[place].strip() if place < len(cells) else ""
        if value:
            _put(raw, target, value[1:] if value[0] == "'" and value[1:2] in _FORMULA else value)
    for name in ("published_at", "edited_at", "collected_at"):
        if name in raw:
            raw[name] = read_time(raw[name], day_first=mapping.day_first)
    raw.setdefault("published_at", mapping.published_at)
    if "uid" not in raw:
        channel, origin = raw.get("channel", mapping.channel), raw.get("origin", mapping.origin)
        native = raw.get("native_id") or hashlib.blake2b("\x1f".join(cells).encode(), digest_size=12).hexdigest()
        raw["native_id"] = native
        raw["uid"] = f"{channel.replace(':', '_')}:{origin.lower().replace(':', '_')}:{native}"
    return post_from_json(raw)


def _put(raw: dict[str, Any], target: str, value: str) -> None:
    name, _, inner = target.partition(".")
    if inner:
        raw.setdefault(name, {})[inner] = _number(value) if name == "engagement" and inner != "taken_at" else value
    elif name in _LISTS:
        raw[name] = [item.strip() for item in re.split(r"[|;,]\s*|\s{2,}", value.strip("[]")) if item.strip("'\" ")]
    else:
        raw[name] = value


def _number(value: str) -> str:
    """A count as people write it: 1,234 and 1.2K are read, 1.234 is left as it is."""
    found = re.fullmatch(r"([\d.,]+)\s*([KkMm])", value)
    if found:
        return str(int(float(found[1].replace(",", ".")) * (1_000 if found[2] in "Kk" else 1_000_000)))
    return value.replace(",", "") if re.fullmatch(r"-?\d{1,3}(,\d{3})+", value) else value


# guessing

_NAMES: dict[str, tuple[str, ...]] = {
    "uid": ("uid",),
    "native_id": (
        "native_id", "id", "tweet_id", "post_id", "message_id", "comment_id", "review_id", "status_id",
        "id_str", "issue_id", "ticket_id", "msg_id", "conv_id", "document_id", "guid",
    ),
    "text": (
        "text", "content", "body", "message", "tweet", "post", "comment", "review", "full_text", "tweet_text",
        "post_text", "review_text", "comment_text", "selftext", "description", "status", "snippet",
        "message_text", "sentence",
    ),
    "title": ("title", "subject", "headline", "post_title", "summary"),
    "published_at": (
        "published_at", "created_at", "date", "time", "timestamp", "datetime", "created", "created_utc",
        "published", "post_date", "tweet_created", "posted_at", "posted", "publish_date", "created_time", "at",
        "review_date",
    ),
    "edited_at": ("edited_at", "updated_at", "edited", "updated", "modified"),
    "url": ("url", "link", "permalink", "address", "post_url", "tweet_url", "uri"),
    "channel": ("channel", "platform", "network", "source_type"),
    "language": ("language", "lang", "tweet_lang"),
    "author.handle": (
        "author.handle", "handle", "username", "user_name", "screen_name", "author", "user", "author_handle",
        "name", "account", "from", "nickname", "user_screen_name",
    ),
    "author.name": ("author.name", "author_name", "display_name", "full_name", "user_display_name", "userfullname"),
    "author.id": ("author.id", "author_id", "user_id", "userid", "from_id"),
    "author.followers": (
        "author.followers", "followers", "followers_count", "user_followers_count", "follower_count",
    ),
    "author.url": ("author.url", "author_url", "profile_url", "user_url"),
    "in_reply_to": (
        "in_reply_to", "in_response_to_tweet_id", "in_reply_to_status_id", "parent_id", "reply_to", "parent",
    ),
    "rating": ("rating", "stars", "score_stars", "review_rating", "star_rating"),
    "engagement.likes": (
        "engagement.likes", "likes", "like_count", "favorites", "favourites", "favorite_count", "score", "ups",
        "points",
        "num_points",
        "upvotes",
    ),
    "engagement.shares": (
        "engagement.shares", "shares", "retweets", "retweet_count", "reposts", "share_count", "reblogs",
    ),
    "engagement.replies": (
        "engagement.replies", "replies", "reply_count", "comments", "num_comments", "comment_count",
    ),
    "engagement.views": ("engagement.views", "views", "view_count", "impressions"),
    "hashtags": ("hashtags", "hash_tags"),
    "tags": ("tags", "labels", "categories", "flair", "topics"),
    "community": ("community", "subreddit", "forum", "group", "board", "category"),
    "place.country": ("place.country", "country"),
    "place.city": ("place.city", "city"),
}  # fmt: skip


def suggest_mapping(header: Sequence[str], sample: Sequence[Sequence[str]], *, delimiter: str = ",") -> Mapping:
    """A first mapping for a person to correct, from the names of the columns and what stands in them.

    Where no name says which column is the text, it is the one with the longest words; the time is the one
    that can be read as a time.
    """
    free = {_folded(name): name for name in reversed([name.strip() for name in header]) if name.strip()}
    columns: dict[str, str] = {}
    for target, names in _NAMES.items():
        for name in names:
            if name in free and _fits(target, _cells(header, sample, free[name])):
                columns[target] = free.pop(name)
                break
    if "text" not in columns and free:
        longest = max(free.values(), key=lambda name: _mean_length(_cells(header, sample, name)))
        if _share(_cells(header, sample, longest) or [""], lambda cell: " " in cell) > 0.5:
            columns["text"] = longest
            free = {key: name for key, name in free.items() if name != longest}
    if "published_at" not in columns:
        for name in free.values():
            cells = _cells(header, sample, name)
            if cells and not all(re.fullmatch(r"\d+(\.\d+)?", cell) for cell in cells) and _fits("published_at", cells):
                columns["published_at"] = name
                break
    times = _cells(header, sample, columns.get("published_at", ""))
    return Mapping(columns=columns, delimiter=delimiter, day_first=_day_first(times))


def sniff_delimiter(head: str) -> str:
    """The delimiter of a file by its first lines: comma, semicolon, tab or bar."""
    lines = head.splitlines()[:20]
    return max(",;\t|", key=lambda mark: (min((line.count(mark) for line in lines[:1]), default=0), mark == ","))


def head_of(stream: IO[bytes], *, encoding: str = "utf-8", delimiter: str = ",", rows: int = 2_000) -> list[list[str]]:
    """The first rows of a file, header first, for `suggest_mapping`."""
    return list(islice(csv.reader(_text(stream, encoding), delimiter=delimiter), rows + 1))


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "_", name.strip().lower()).strip("_")


def _cells(header: Sequence[str], sample: Sequence[Sequence[str]], name: str) -> list[str]:
    places = [at for at, given in enumerate(header) if given.strip() == name]
    return [row[places[0]].strip() for row in sample if places and places[0] < len(row) and row[places[0]].strip()]


def _mean_length(cells: Sequence[str]) -> float:
    return sum(map(len, cells)) / len(cells) if cells else 0.0


def _fits(target: str, cells: Sequence[str]) -> bool:
    """Whether most of the cells can be what the name of their column promises."""
    if not cells:
        return True
    if target in ("published_at", "edited_at"):
        return _share(cells, lambda cell: _is_time(cell)) > 0.5
    if target.startswith("engagement.") or target in ("rating", "author.followers"):
        return _share(cells, lambda cell: re.fullmatch(r"-?[\d.,]+\s*[KkMm]?", cell) is not None) > 0.8
    if target == "author.handle":
        return _mean_length(cells) < 40
    if target == "text":
        return _share(cells, lambda cell: re.fullmatch(r"[\d.]+", cell) is None) > 0.5
    return True


def _share(cells: Sequence[str], test: Any) -> float:
    return sum(1 for cell in cells if test(cell)) / len(cells)


def _is_time(cell: str) -> bool:
    try:
        read_time(cell, day_first=True)
    except ValueError:
        try:
            read_time(cell, day_first=False)
        except ValueError:
            return False
    return True


def _day_first(times: Sequence[str]) -> bool | None:
    pairs = [
        (int(found[1]), int(found[2])) for cell in times if (found := re.match(r"(\d{1,2})[/-](\d{1,2})[/-]\d", cell))
    ]
    if any(first > 12 for first, _ in pairs):
        return True
    return False if any(second > 12 for _, second in pairs) else None


def write_csv(
    batches: Iterable[pa.RecordBatch | pa.Table], stream: IO[bytes], *, columns: Sequence[str] = TARGETS
) -> int:
    """Write posts with a header of `TARGETS`, lists joined with `|`; the number written.

    A cell that a spreadsheet would take as a formula is led by an apostrophe, which `read_csv` takes off again.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    count = 0
    for batch in batches:
        for start in range(0, batch.num_rows, 4096):
            rows = batch.slice(start, 4096).to_pylist()
            writer.writerows([_cell(row, column) for column in columns] for row in rows)
            count += len(rows)
    text.flush()
    text.detach()
    return count


def _cell(row: dict[str, Any], column: str) -> str:
    name, _, inner = column.partition(".")
    value = row.get(name)
    if inner:
        value = (value or {}).get(inner)
    if value is None:
        return ""
    if isinstance(value, list):
        return "|".join(str(item) for item in value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).replace("+00:00", "Z")
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in _FORMULA else text
