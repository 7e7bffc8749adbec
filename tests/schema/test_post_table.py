"""Plain rows made into a table of posts."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from talkworthy.schema import ANNOTATIONS, AUTHOR, ENGAGEMENT, OBSERVATION, POST, TOMBSTONE, posts_table
from talkworthy.schema.post import MEDIA, PLACE, utc

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
LEAST = {"uid": "feed:acme.example:1", "text": "Hello", "published_at": NOON}


def fields() -> list[pa.Field]:
    """Every column that says something, of tables and of what stands inside a column."""
    structs = (AUTHOR, ENGAGEMENT, MEDIA, PLACE)
    inner = [kind.field(index) for kind in structs for index in range(kind.num_fields)]
    return [*POST, *ANNOTATIONS, *OBSERVATION, *TOMBSTONE, *inner]


def test_uid_text_and_time_suffice_for_a_post():
    (post,) = posts_table([LEAST]).to_pylist()
    told = {name: value for name, value in post.items() if value is not None}
    assert told == {
        **LEAST,
        "channel": "feed",
        "origin": "acme.example",
        "native_id": "1",
        "kind": "note",
        "visibility": "public",
    }


def test_what_the_row_says_stands_before_what_the_uid_says():
    (post,) = posts_table([{**LEAST, "channel": "blog", "native_id": "one"}]).to_pylist()
    assert (post["channel"], post["origin"], post["native_id"]) == ("blog", "acme.example", "one")


def test_a_foreign_uid_is_its_own_native_id():
    (post,) = posts_table([{**LEAST, "uid": "row-7"}]).to_pylist()
    assert (post["channel"], post["origin"], post["native_id"]) == ("", None, "row-7")


def test_a_native_id_with_colons_is_read_whole_off_the_uid():
    (post,) = posts_table([{**LEAST, "uid": "bluesky:bsky.social:at://did:plc:x/post/1"}]).to_pylist()
    assert post["native_id"] == "at://did:plc:x/post/1"


def test_a_post_of_pictures_alone_has_the_empty_text():
    (post,) = posts_table([{**LEAST, "text": None}]).to_pylist()
    assert post["text"] == ""


def test_a_key_that_is_no_column_is_refused_by_name():
    with pytest.raises(KeyError, match="likes, stars"):
        posts_table([LEAST, {**LEAST, "stars": 5, "likes": 3, "title": "T"}])


def test_no_rows_make_an_empty_table_of_the_same_columns():
    assert posts_table([]).schema.equals(POST, check_metadata=True)


def test_the_table_keeps_what_the_schema_says_of_its_columns():
    assert posts_table([LEAST]).schema.equals(POST, check_metadata=True)


def test_a_time_given_as_text_is_read():
    (post,) = posts_table(
        [{**LEAST, "published_at": "2026-07-04T14:00:00+02:00", "edited_at": "2026-07-04"}]
    ).to_pylist()
    assert (post["published_at"], post["edited_at"]) == (NOON, NOON.replace(hour=0))


def test_counts_and_author_are_columns_within_columns():
    row = {**LEAST, "author": {"handle": "alice"}, "engagement": {"likes": -3, "taken_at": NOON}}
    (post,) = posts_table([row]).to_pylist()
    assert (post["author"]["handle"], post["author"]["followers"]) == ("alice", None)
    assert (post["engagement"]["likes"], post["engagement"]["replies"]) == (-3, None)


@pytest.mark.parametrize(
    "told",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=-7))),
        "2026-07-04T12:00:00Z",
        "2026-07-04 12:00:00",
        "2026-07-04T21:00:00+09:00",
    ],
)
def test_one_moment_is_one_time_however_it_is_told(told: datetime | str):
    assert (utc(told), utc(told).tzinfo) == (NOON, UTC)


def test_no_time_stays_no_time():
    assert utc(None) is None


def test_words_that_are_no_time_are_refused():
    with pytest.raises(ValueError, match="yesterday"):
        utc("yesterday")


def test_every_column_says_what_it_means_and_what_null_means():
    for field in fields():
        said = {name.decode(): words.decode() for name, words in field.metadata.items()}
        assert said["meaning"], field.name
        assert field.nullable == bool(said["null"]), field.name
