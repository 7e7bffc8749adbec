"""The shared words: posts, authors, engagement and annotations as Arrow schemas.

Everything that crosses from one room to another is a table of one of these schemas. Each column carries
its unit, its meaning and what null means in the field's metadata; `docs/reference/posts.md` is compared
with them by a test.
"""

from talkworthy.schema.annotations import ANNOTATIONS, INTENTS, SENTIMENTS
from talkworthy.schema.author import AUTHOR
from talkworthy.schema.engagement import ENGAGEMENT, OBSERVATION
from talkworthy.schema.identifiers import archive_id, native_parts, post_uid
from talkworthy.schema.post import ENGAGEMENT_TYPES, KINDS, POST, TOMBSTONE, posts_table

__all__ = [
    "ANNOTATIONS",
    "AUTHOR",
    "ENGAGEMENT",
    "ENGAGEMENT_TYPES",
    "INTENTS",
    "KINDS",
    "OBSERVATION",
    "POST",
    "SENTIMENTS",
    "TOMBSTONE",
    "archive_id",
    "native_parts",
    "post_uid",
    "posts_table",
]
