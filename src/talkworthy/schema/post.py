"""A post: one thing somebody said in a place we may read.

Words are those of ActivityStreams 2.0 where it has them.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from talkworthy.schema.author import AUTHOR
from talkworthy.schema.column import TIME, column
from talkworthy.schema.engagement import ENGAGEMENT

UNTOLD = "the channel does not say"

KINDS = ("note", "article", "question", "page", "image", "video", "audio", "event", "review", "message")
ENGAGEMENT_TYPES = ("COMMENT", "REPLY", "REPOST", "QUOTE")

PLACE = pa.struct(
    [
        column("continent", pa.string(), "name, lower case", null=UNTOLD),
        column("country", pa.string(), "ISO 3166-1 alpha-3, lower case", null=UNTOLD),
        column("region", pa.string(), "code below the country, such as usa.fl", null=UNTOLD),
        column("city", pa.string(), "code below the region, such as deu.berlin.berlin", null=UNTOLD),
        column("latitude", pa.float64(), "north of the equator", null=UNTOLD, unit="degrees"),
        column("longitude", pa.float64(), "east of Greenwich", null=UNTOLD, unit="degrees"),
    ]
)

MEDIA = pa.struct(
    [
        column("type", pa.string(), "image, video or audio"),
        column("url", pa.string(), "address of the medium"),
        column("alt", pa.string(), "description given by the author", null="none was given"),
    ]
)

POST = pa.schema(
    [
        column("uid", pa.string(), "channel, origin and native id joined with colons; the one name of a post"),
        column("channel", pa.string(), "kind of place: mastodon, bluesky, feed, email …"),
        column("origin", pa.string(), "server or site that issued the native id", null="a channel of one origin"),
        column("native_id", pa.string(), "the channel's own id, never normalised"),
        column("url", pa.string(), "address where a person can read it", null="it has no public address"),
        column("kind", pa.string(), "ActivityStreams type in lower case: note, article, question, page …"),
        column("author", AUTHOR, "who wrote it", null="unknown or withheld"),
        column("title", pa.string(), "headline or subject", null="the kind has none"),
        column("text", pa.string(), "what was said, as plain text; the empty string where only media was posted"),
        column("html", pa.string(), "what was said, as sanitised HTML", null="plain text says it all"),
        column("summary", pa.string(), "content warning or abstract", null="none was given"),
        column("language", pa.string(), "ISO 639 code that the author or channel declared", null="not declared"),
        column("published_at", TIME, "when it was first published"),
        column("edited_at", TIME, "when its words last changed", null="never, or " + UNTOLD),
        column("collected_at", TIME, "when it reached us", null="not collected yet"),
        column(
            "in_reply_to",
            pa.string(),
            "uid of the post that it answers (an address where the uid is not known)",
            null="it answers nothing",
        ),
        column("root", pa.string(), "uid of the first post of its thread", null="it is the first, or unknown"),
        column("references", pa.list_(pa.string()), "uids of its ancestors, oldest first", null=UNTOLD),
        column("engagement_type", pa.string(), "COMMENT, REPLY, REPOST or QUOTE", null="an original post"),
        column("repeats", pa.string(), "uid of the post that it reposts or quotes", null="it repeats nothing"),
        column("links", pa.list_(pa.string()), "addresses in it", null="not read yet"),
        column("hashtags", pa.list_(pa.string()), "hashtags without #, as written", null="not read yet"),
        column("mentions", pa.list_(pa.string()), "handles mentioned, without @", null="not read yet"),
        column("tags", pa.list_(pa.string()), "labels, categories or flair given in the channel", null=UNTOLD),
        column("media", pa.list_(MEDIA), "images, videos and sound", null="not read yet"),
        column("entities", pa.list_(pa.string()), "Wikidata numbers of what it names, such as Q29", null="not read"),
        column("rating", pa.float64(), "stars given by a reviewer", null="not a review", unit="0 to 5"),
        column("place", PLACE, "where it was said", null=UNTOLD),
        column("site", pa.string(), "host of the address, without www.", null="it has no public address"),
        column(
            "community",
            pa.string(),
            "subreddit, forum category, repository, list or blog within the site",
            null="the channel has none",
        ),
        column("visibility", pa.string(), "public, unlisted, members or private"),
        column("engagement", ENGAGEMENT, "the newest counts known", null="never counted"),
        column("source", pa.string(), "id of the source that brought it", null="not collected by a source"),
    ]
)

TOMBSTONE = pa.schema(
    [
        column("uid", pa.string(), "the post that is gone; a pattern of one author where the uid is empty"),
        column(
            "published_at",
            TIME,
            "the post's own time, which finds its row",
            null="not known: every day is looked through",
        ),
        column("author_id", pa.string(), "set where every post of one account is gone", null="one post only"),
        column("channel", pa.string(), "channel of the account", null="one post only"),
        column("deleted_at", TIME, "when it was deleted, or when we learned of it"),
        column("reason", pa.string(), "deleted (by its author or channel), erased (a person asked), retention"),
    ]
)

_REQUIRED_DEFAULTS: dict[str, Any] = {"text": "", "kind": "note", "visibility": "public"}


def posts_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A table of schema POST from plain rows; `uid`, `text` and `published_at` suffice.

    Absent columns become null; channel, origin and native_id are read off the uid. Times may be datetimes or
    ISO 8601 text; a time without zone is UTC. Unknown keys raise KeyError: nothing is silently dropped.
    """
    complete = []
    for row in rows:
        unknown = row.keys() - set(POST.names)
        if unknown:
            raise KeyError(f"not columns of a post: {', '.join(sorted(unknown))}")
        post = {name: row.get(name) for name in POST.names}
        for name, value in _REQUIRED_DEFAULTS.items():
            if post[name] is None:
                post[name] = value
        channel, origin, native_id = (
            str(row["uid"]).split(":", 2) if str(row["uid"]).count(":") >= 2 else ("", "", str(row["uid"]))
        )
        if post["channel"] is None:
            post["channel"] = channel
        if post["origin"] is None:
            post["origin"] = origin or None
        if post["native_id"] is None:
            post["native_id"] = native_id
        for name in ("published_at", "edited_at", "collected_at"):
            post[name] = utc(post[name])
        complete.append(post)
    return pa.Table.from_pylist(complete, schema=POST)


def utc(value: datetime | str | None) -> datetime | None:
    """A time as UTC; text is read as ISO 8601, and a time without a zone is taken as UTC."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
