"""Counts of what readers did with a post: a snapshot, and the time it was taken."""

import pyarrow as pa

from talkworthy.schema.column import TIME, column

UNTOLD = "the channel does not count it"

COUNTS = [
    column("replies", pa.int64(), "answers and comments", null=UNTOLD, unit="posts"),
    column("shares", pa.int64(), "reposts, boosts and quotes", null=UNTOLD, unit="posts"),
    column(
        "likes",
        pa.int64(),
        "likes, favourites and votes; may be negative where votes go both ways",
        null=UNTOLD,
        unit="votes",
    ),
    column("views", pa.int64(), "times shown", null=UNTOLD, unit="views"),
]

ENGAGEMENT = pa.struct([*COUNTS, column("taken_at", TIME, "when the counts were read", null="no count was read")])

OBSERVATION = pa.schema(
    [
        column("uid", pa.string(), "the post that was counted"),
        column("published_at", TIME, "the post's own time, which finds its row"),
        *COUNTS,
        column("taken_at", TIME, "when the counts were read"),
    ]
)
"""A later snapshot of a post's counts, kept apart from the post until the keeper folds it in."""
