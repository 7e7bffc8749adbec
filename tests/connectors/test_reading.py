"""Values out of replies that others wrote."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from talkworthy.connectors.errors import Malformed
from talkworthy.connectors.reading import (
    Count,
    Gone,
    Piece,
    counted,
    gather,
    integer,
    known,
    moment,
    read_json,
    read_object,
    text,
)

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)


def read(item: Mapping[str, Any]) -> Iterator[Piece]:
    uid = f"x:y:{known(text(item.get('id')), 'id')}"
    if item.get("gone"):
        yield Gone(uid=uid, published_at=NOON, deleted_at=NOON)
    elif "only" in item:
        yield Count(uid=uid, published_at=NOON, taken_at=NOON, likes=item["only"])
    else:
        likes = counted(NOON, likes=integer(item.get("likes")))
        yield {"uid": uid, "text": item.get("text", ""), "published_at": NOON, "engagement": likes}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe{", b"[" * 100_000, b"\xe4"])
def test_what_is_no_json_is_malformed(body: bytes):
    with pytest.raises(Malformed):
        read_json(body)


def test_a_list_is_no_object():
    with pytest.raises(Malformed, match="found list"):
        read_object(b"[]")


@pytest.mark.parametrize(
    ("value", "found"),
    [("a", "a"), ("", None), (None, None), (7, None), (["a"], None), ("a\0b", "ab"), ("\0", None), ("a\ud800", "a?")],
)
def test_text_is_words_that_every_store_takes(value: Any, found: str | None):
    assert text(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (7, 7),
        ("7", 7),
        (7.0, 7),
        (True, None),
        (None, None),
        ("x", None),
        (2**63, None),
        (-(2**63), -(2**63)),
        (float("inf"), None),
        (float("nan"), None),
        ("9" * 5_000, None),
        ([], None),
        ("", None),
    ],
)
def test_an_integer_has_64_bits_at_most(value: Any, found: int | None):
    assert integer(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (NOON.timestamp(), NOON),
        ("2026-07-04T12:00:00Z", NOON),
        ("2026-07-04T14:00:00.000+02:00", NOON),
        ("2026-07-04 12:00:00", NOON),
        (True, None),
        (1e300, None),
        (-5, None),
        ("0000-00-00", None),
        ("9999-01-01", None),
        ("yesterday", None),
        ({}, None),
    ],
)
def test_a_moment_is_a_time_that_can_be_true(value: Any, found: datetime | None):
    assert moment(value) == found


def test_the_last_of_doubled_posts_stands():
    parsed = gather([{"id": "1", "text": "a"}, {"id": "2"}, {"id": "1", "text": "b"}], read)
    assert parsed.posts["text"].to_pylist() == ["b", ""]


def test_counts_of_a_post_are_an_observation_and_no_counts_are_none():
    parsed = gather([{"id": "1", "likes": 3}, {"id": "2"}, {"id": "3", "only": 5}], read)
    assert parsed.observations["uid"].to_pylist() == ["x:y:1", "x:y:3"]
    assert parsed.observations["likes"].to_pylist() == [3, 5]
    assert parsed.posts["engagement"].to_pylist()[1] is None


def test_what_is_said_last_of_a_post_counts_gone_or_there():
    buried = gather([{"id": "1", "likes": 3}, {"id": "1", "gone": True}], read)
    assert (buried.posts.num_rows, buried.observations.num_rows, buried.tombstones.num_rows) == (0, 0, 1)
    back = gather([{"id": "1", "gone": True}, {"id": "1"}], read)
    assert (back.posts.num_rows, back.tombstones.num_rows) == (1, 0)


def test_what_is_known_to_be_gone_besides_becomes_a_tombstone():
    parsed = gather([{"id": "2"}], read, gone=[Gone(uid="x:y:1", published_at=None, deleted_at=NOON)])
    assert parsed.tombstones.to_pylist()[0]["uid"] == "x:y:1"


def test_an_unusable_piece_is_set_aside_with_its_reason_and_a_bounded_fragment():
    parsed = gather([{"id": None, "text": "x" * 100_000}, 7, {"id": "1"}], read)
    assert parsed.posts.num_rows == 1
    assert [piece.reason for piece in parsed.aside] == ["without a usable id", "expected an object, found int"]
    assert len(parsed.aside[0].fragment) == 4_000
    assert json.loads(parsed.aside[1].fragment) == 7
