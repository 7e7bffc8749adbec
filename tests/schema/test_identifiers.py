"""The one name of a post, and the archive's number for it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkworthy.schema import archive_id, native_parts, post_uid

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
SECONDS = st.integers(0, 4_000_000_000)


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def test_a_uid_is_channel_origin_and_native_id():
    assert post_uid("hackernews", "news.ycombinator.com", "9127") == "hackernews:news.ycombinator.com:9127"


def test_a_native_id_stays_as_the_channel_wrote_it():
    native = "https://social.example/@Alice/1?x=1:2"
    uid = post_uid("mastodon", "social.example", native)
    assert native_parts(uid) == ("mastodon", "social.example", native)


def test_the_origin_is_one_whatever_its_capitals():
    assert post_uid("feed", "Acme.Example", "1") == post_uid("feed", "acme.example", "1")


def test_native_ids_of_other_capitals_are_other_posts():
    assert post_uid("feed", "acme.example", "a") != post_uid("feed", "acme.example", "A")


def test_an_origin_with_a_port_holds_no_colon_in_the_uid():
    assert native_parts(post_uid("discourse", "forum.example:8443", "7")) == ("discourse", "forum.example_8443", "7")


@pytest.mark.parametrize(("channel", "native_id"), [("", "1"), ("feed", ""), ("fe:ed", "1")])
def test_a_uid_that_could_not_be_read_again_is_refused(channel: str, native_id: str):
    with pytest.raises(ValueError, match="a uid needs"):
        post_uid(channel, "acme.example", native_id)


@pytest.mark.parametrize("uid", ["1", "a:1", ""])
def test_a_foreign_uid_has_neither_channel_nor_origin(uid: str):
    assert native_parts(uid) == ("", "", uid)


@given(st.text("abc", min_size=1), st.text("abc.", min_size=0), st.text(min_size=1))
def test_the_parts_of_a_uid_are_what_it_was_made_of(channel: str, origin: str, native_id: str):
    assert native_parts(post_uid(channel, origin, native_id)) == (channel, origin, native_id)


def test_the_number_of_a_post_never_changes_from_one_version_to_the_next():
    assert archive_id("hackernews:news.ycombinator.com:9127", NOON) == 3829320686737080103


@given(st.text(), SECONDS)
def test_the_same_post_has_the_same_number_at_every_collection(uid: str, second: int):
    assert archive_id(uid, at(second)) == archive_id(uid, at(second))


@given(st.text(), st.text(), SECONDS, st.integers(1, 1_000_000))
def test_a_later_second_has_a_higher_number_whatever_the_uids(earlier: str, later: str, second: int, more: int):
    assert archive_id(earlier, at(second)) < archive_id(later, at(second + more))


@given(st.text(), SECONDS)
def test_the_second_of_publication_can_be_read_off_the_number(uid: str, second: int):
    assert archive_id(uid, at(second)) >> 31 == second


def test_posts_of_one_second_have_numbers_of_their_own():
    assert len({archive_id(f"feed:acme.example:{n}", NOON) for n in range(2_000)}) == 2_000


def test_the_zone_in_which_a_time_is_told_does_not_change_the_number():
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    assert archive_id("feed:acme.example:1", elsewhere) == archive_id("feed:acme.example:1", NOON)


@given(st.text(), st.integers(-4_000_000_000, 4_000_000_000))
def test_every_number_fits_into_a_column_of_the_archive(uid: str, second: int):
    assert -(2**63) <= archive_id(uid, at(0) + timedelta(seconds=second)) < 2**63
