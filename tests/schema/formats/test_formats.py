"""Files of posts: what is read, what is told as wrong, and that writing and reading give the same."""

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkworthy.connectors.markup import clean, plain
from talkworthy.schema import POST, posts_table
from talkworthy.schema.formats import (
    Mapping,
    Understood,
    Wrong,
    from_activitystreams,
    post_from_json,
    post_to_json,
    read_csv,
    read_jsonl,
    read_jsonl_lines,
    read_parquet,
    read_parquet_pairs,
    read_time,
    suggest_mapping,
    to_activitystreams,
    with_columns,
    write_csv,
    write_jsonl,
    write_parquet,
)
from talkworthy.schema.formats.csv import TARGETS

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SHARED = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[4] / "shared"))
FULL: dict[str, Any] = {
    "uid": "mastodon:m.example:1",
    "url": "https://m.example/@alice/1",
    "kind": "article",
    "author": {"id": "7", "handle": "alice", "name": "Älice", "followers": 12, "verified": False},
    "title": "A title",
    "text": 'Words with "quotes", a\nline break and 日本語',
    "html": "<p>Words</p>",
    "language": "de",
    "published_at": NOON,
    "edited_at": datetime(2026, 1, 15, 13, 0, 0, 250_000, tzinfo=UTC),
    "in_reply_to": "mastodon:m.example:0",
    "engagement_type": "REPLY",
    "links": ["https://example.org/"],
    "hashtags": ["Straße"],
    "mentions": ["bob@example.org"],
    "media": [{"type": "image", "url": "https://example.org/a.png", "alt": None}],
    "rating": 4.5,
    "place": {"country": "deu", "latitude": 52.5},
    "engagement": {"likes": -3, "replies": 0, "taken_at": NOON},
}
BARE: dict[str, Any] = {"uid": "feed:b.example:x:y", "text": "", "published_at": NOON}


def table(*rows: dict[str, Any]) -> pa.Table:
    return posts_table(rows or (FULL, BARE))


def read(text: str | bytes) -> tuple[list[dict[str, Any]], list[Wrong]]:
    wrong: list[Wrong] = []
    raw = text.encode() if isinstance(text, str) else text
    rows = [row for batch in read_jsonl(io.BytesIO(raw), wrong=wrong.append) for row in batch.to_pylist()]
    return rows, wrong


def line(**more: Any) -> str:
    return json.dumps({"uid": "a:b:1", "text": "hi", "published_at": "2026-01-15T12:00:00Z", **more})


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_what_is_written_is_read_again_without_loss(format: str) -> None:
    sink = io.BytesIO()
    write, read_back = (write_jsonl, read_jsonl) if format == "jsonl" else (write_parquet, read_parquet)
    assert write([table()], sink) == 2
    sink.seek(0)
    again = pa.Table.from_batches(list(read_back(sink)))
    assert again.schema.equals(POST)
    assert again.to_pylist() == table().to_pylist()


def test_three_keys_suffice_and_the_uid_tells_the_rest() -> None:
    (row,), wrong = read(line(uid="mastodon:m.example:4:2"))
    assert (row["channel"], row["origin"], row["native_id"], row["kind"]) == ("mastodon", "m.example", "4:2", "note")
    assert not wrong


def test_a_foreign_uid_is_its_own_native_id() -> None:
    (row,), _ = read(line(uid="t3_abc"))
    assert (row["uid"], row["channel"], row["origin"], row["native_id"]) == ("t3_abc", "", None, "t3_abc")


def test_unknown_keys_do_no_harm_and_an_unknown_kind_is_a_note() -> None:
    (row,), wrong = read(line(mood={"deep": [1]}, kind="Tweet"))
    assert (row["kind"], wrong) == ("note", [])


def test_wrong_lines_are_told_with_number_and_reason_and_the_rest_goes_on() -> None:
    text = "\n".join(
        ["", line(uid="a:b:1"), "no json", '{"text": "x"}', line(author="x"), "[]", "null", line(uid="a:b:2")]
    )
    rows, wrong = read(text)
    assert [row["uid"] for row in rows] == ["a:b:1", "a:b:2"]
    assert [(found.line, found.reason.split(":")[0]) for found in wrong] == [
        (3, "not JSON"),
        (4, "uid is missing"),
        (5, "author should be an object"),
        (6, "not a JSON object"),
        (7, "not a JSON object"),
    ]


def test_a_line_too_long_is_passed_over_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkworthy.schema.formats.jsonl.BLOCK", 64)
    monkeypatch.setattr("talkworthy.schema.formats.jsonl.MAX_LINE", 200)
    rows, wrong = read(line(uid="a:b:1") + "\n" + line(text="x" * 1_000) + "\n" + line(uid="a:b:2"))
    assert [row["uid"] for row in rows] == ["a:b:1", "a:b:2"]
    assert [(found.line, found.reason) for found in wrong] == [(2, "a line of more than 200 bytes")]


def test_blocks_cut_in_the_middle_of_a_character_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkworthy.schema.formats.jsonl.BLOCK", 7)
    rows, wrong = read(
        "\n".join(json.dumps(json.loads(line(text=word)), ensure_ascii=False) for word in ("日本", "Straße"))
    )
    assert ([row["text"] for row in rows], wrong) == (["日本", "Straße"], [])


@pytest.mark.parametrize(
    "hostile", [b"[" * 100_000, b'{"a":' * 100_000, b'{"links":' + b"[" * 100_000, b"null", b"\xff\xfe"]
)
def test_hostile_lines_do_not_end_the_process(hostile: bytes) -> None:
    rows, wrong = read(hostile + b"\n" + line().encode())
    assert (len(rows), len(wrong)) == (1, 1)


def test_numbers_and_texts_are_read_leniently() -> None:
    (row,), _ = read(
        line(uid=5, engagement={"likes": "12", "views": 3.0}, author={"id": 9, "verified": "true"}, rating="4.5")
    )
    assert (row["uid"], row["engagement"]["likes"], row["engagement"]["views"]) == ("5", 12, 3)
    assert (row["author"]["id"], row["author"]["verified"], row["rating"]) == ("9", True, 4.5)


def test_lines_stay_beside_their_posts() -> None:
    text = "\n".join(
        [line(uid="a:b:1", extra=1), "wrong", line(uid="a:b:2", published_at="yesterday"), line(uid="a:b:3")]
    )
    pairs = list(read_jsonl_lines(io.BytesIO(text.encode())))
    assert [
        (json.loads(raw)["uid"], post["uid"])
        for lines, batch in pairs
        for raw, post in zip(lines, batch.to_pylist(), strict=True)
    ] == [
        ("a:b:1", "a:b:1"),
        ("a:b:3", "a:b:3"),
    ]


def test_columns_are_added_to_a_line_and_replace_those_it_has() -> None:
    assert with_columns(b'{"a": 1}\r', {"monitors": ["ü"]}) == '{"a": 1, "monitors": ["ü"]}'.encode()
    assert with_columns(b"{}", {"m": 1}) == b'{"m": 1}'
    assert json.loads(with_columns(b'{"m": 2, "b": 3}', {"m": 1})) == {"m": 1, "b": 3}


VALUES = (
    st.none()
    | st.text(max_size=8)
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.just([])
    | st.just({})
)
ROWS = st.fixed_dictionaries(
    {
        "uid": st.sampled_from(["a:b:1", "x", "a:b", "::"]),
        "published_at": st.sampled_from(["2026-01-15T12:00:00Z", "2026-01-15", "no"]),
    },
    optional={
        name: VALUES | st.lists(VALUES, max_size=2)
        for name in (
            "text",
            "kind",
            "channel",
            "author",
            "links",
            "rating",
            "edited_at",
            "engagement",
            "media",
            "title",
        )
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_the_quick_way_and_the_lenient_way_agree(rows: list[dict[str, Any]]) -> None:
    from talkworthy.schema.formats import jsonl

    lines = [json.dumps(row).encode() for row in rows]
    quick = jsonl._quick(b"\n".join(lines), len(lines))
    if quick is None:
        return
    quick.validate(full=True)
    assert quick.to_pylist() == [{**dict.fromkeys(POST.names), **post_from_json(row)} for row in rows]


def test_a_null_in_a_list_is_left_out_whichever_way_a_line_is_read() -> None:
    from talkworthy.schema.formats import jsonl

    line = b'{"uid": "a:b:1", "published_at": "2026-01-15T12:00:00Z", "links": [null, "https://a.example"]}'
    assert jsonl._quick(line, 1) is None and jsonl._quick(line.replace(b"null, ", b""), 1) is not None


def test_parquet_with_other_columns_and_other_types_is_read() -> None:
    given_table = pa.table(
        {
            "uid": pa.array(["a:b:1", "a:b:2"]).dictionary_encode(),
            "text": pa.array(["x", None], pa.large_string()),
            "published_at": pa.array([1_768_478_400_000_000_000] * 2, pa.timestamp("ns")),
            "mood": [1, 2],
        }
    )
    sink = io.BytesIO()
    pa.parquet.write_table(given_table, sink)  # type: ignore[attr-defined]
    sink.seek(0)
    ((raw, posts),) = list(read_parquet_pairs(sink))
    assert raw.column("mood").to_pylist() == [1, 2]
    assert [(post["text"], post["published_at"]) for post in posts.to_pylist()] == [("x", NOON), ("", NOON)]


def test_wrong_rows_of_parquet_are_told() -> None:
    sink = io.BytesIO()
    pa.parquet.write_table(
        pa.table({"uid": ["a:b:1", None], "text": ["x", "y"], "published_at": ["2026-01-15"] * 2}), sink
    )  # type: ignore[attr-defined]
    sink.seek(0)
    wrong: list[Wrong] = []
    assert [batch.num_rows for batch in read_parquet(sink, wrong=wrong.append)] == [1]
    assert [(found.line, found.reason) for found in wrong] == [(2, "uid is missing")]


# CSV


def test_csv_is_written_and_read_again() -> None:
    sink = io.BytesIO()
    posts = table(
        FULL, BARE, {**BARE, "uid": "a:b:2", "text": "@alice =1+1"}, {**BARE, "uid": "a:b:3", "text": "-5 'x'"}
    )
    write_csv([posts], sink)
    sink.seek(0)
    again = [
        row for batch in read_csv(sink, Mapping(columns={name: name for name in TARGETS})) for row in batch.to_pylist()
    ]
    expected = [{**row, "media": None} for row in posts.to_pylist()]
    assert again == expected


def test_a_cell_that_a_spreadsheet_would_run_is_led_by_an_apostrophe() -> None:
    sink = io.BytesIO()
    write_csv([table({**BARE, "text": "=cmd|'/c calc'!A0"})], sink, columns=["text"])
    assert sink.getvalue().decode().splitlines()[1] == "'=cmd|'/c calc'!A0"


def test_a_mapping_is_guessed_from_header_and_rows() -> None:
    header = ["tweet_id", "airline_sentiment", "name", "retweet_count", "text", "tweet_created", "tweet_location"]
    rows = [
        [
            "570306133677760513",
            "neutral",
            "cairdin",
            "0",
            "@VirginAmerica What @dhepburn said.",
            "2015-02-24 11:35:52 -0800",
            "LA",
        ]
    ]
    assert suggest_mapping(header, rows).columns == {
        "native_id": "tweet_id",
        "text": "text",
        "published_at": "tweet_created",
        "author.handle": "name",
        "engagement.shares": "retweet_count",
    }


def test_without_a_telling_header_the_longest_words_are_the_text_and_what_reads_as_a_time_is_the_time() -> None:
    mapping = suggest_mapping(
        ["a", "b", "c"],
        [["7", "31/12/2025 18:00", "a long sentence that somebody wrote"], ["8", "1/12/2025", "and more"]],
    )
    assert (mapping.columns, mapping.day_first) == ({"text": "c", "published_at": "b"}, True)


def test_rows_that_cannot_be_read_are_told_by_number() -> None:
    raw = 'when;words\n2026-01-15;"one\ntwo"\nnever;x\n;y\n2026-01-16;é\n'.encode("latin-1")
    mapping = Mapping(
        columns={"published_at": "when", "text": "words"}, delimiter=";", encoding="latin-1", origin="survey"
    )
    wrong: list[Wrong] = []
    rows = [row for batch in read_csv(io.BytesIO(raw), mapping, wrong=wrong.append) for row in batch.to_pylist()]
    assert [row["text"] for row in rows] == ["one\ntwo", "é"]
    assert all(row["uid"].startswith("files:survey:") for row in rows)
    assert [found.line for found in wrong] == [3, 4]


def test_a_mapping_to_what_is_not_there_is_refused() -> None:
    for columns in ({"text": "nothing"}, {"colour": "a"}):
        with pytest.raises(ValueError, match=r"no column|no post"):
            list(read_csv(io.BytesIO(b"a,b\n1,2\n"), Mapping(columns=columns)))


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-15T12:00:00Z",
        "2026-01-15T13:00:00+01:00",
        "2026-01-15 04:00:00 -0800",
        "2026-01-15 12:00:00 UTC",
        "Thu, 15 Jan 2026 12:00:00 GMT",
        "Thu Jan 15 12:00:00 +0000 2026",
        "1768478400",
        "1768478400000",
        "2026/01/15 12:00",
        "15/01/2026 12:00",
        "1/15/2026 12:00 PM",
        "15.01.2026 12:00",
    ],
)
def test_a_time_is_read_as_people_and_programs_write_it(text: str) -> None:
    assert read_time(text) == NOON


@pytest.mark.parametrize("text", ["", "soon", "3/4/2026", "99999-01-01", "2026-13-45", "1e400", "0001-01-01"])
def test_what_is_no_time_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_time(text)


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e300, float("inf"), float("nan")])
def test_a_number_without_measure_is_no_time_and_no_rating(number: float) -> None:
    with pytest.raises(ValueError, match="not a time"):
        read_time(number)
    post = {"uid": "a:b:c", "text": "x", "published_at": "2026-01-01"}
    with pytest.raises(ValueError, match="published_at: not a time"):
        post_from_json({**post, "published_at": number})
    if abs(number) != 1e300:
        with pytest.raises(ValueError, match="rating should be a number"):
            post_from_json({**post, "rating": number})


def test_a_rating_that_is_no_number_is_left_out_of_json() -> None:
    assert post_to_json({"uid": "a:b:c", "rating": float("nan"), "place": {"latitude": float("inf")}}) == {
        "uid": "a:b:c"
    }


# ActivityStreams


def understood(document: object) -> Understood:
    return from_activitystreams(document, seen_at=NOON, plain=plain, clean=clean)


NOTE = {
    "id": "https://m.example/users/alice/statuses/1?x=%2F",
    "type": "Note",
    "attributedTo": "https://m.example/users/alice",
    "content": '<p>Hello <a href="https://x.example/" class="mention">@bob</a>, see <a href="https://y.example/">this</a></p><script>bad()</script>',
    "published": "2026-01-15T12:00:00Z",
    "to": ["https://www.w3.org/ns/activitystreams#Public"],
    "tag": [{"type": "Hashtag", "name": "#Tea"}, {"type": "Mention", "name": "@bob@x.example"}],
    "inReplyTo": "https://x.example/notes/9",
}


def test_a_note_is_a_post_and_its_id_is_never_normalised() -> None:
    (post,) = understood({"type": "Create", "object": NOTE}).posts
    assert post["uid"] == "activitypub:m.example:https://m.example/users/alice/statuses/1?x=%2F"
    assert (post["text"], post["links"]) == ("Hello @bob, see this", ["https://y.example/"])
    assert "script" not in post["html"]
    assert (post["hashtags"], post["mentions"], post["author"]["handle"]) == (
        ["Tea"],
        ["bob@x.example"],
        "alice@m.example",
    )
    assert (post["in_reply_to"], post["engagement_type"]) == (
        "activitypub:x.example:https://x.example/notes/9",
        "REPLY",
    )


def test_an_update_says_when_the_words_changed() -> None:
    (post,) = understood({"type": "Update", "object": NOTE, "published": "2026-01-15T14:00:00Z"}).posts
    assert post["edited_at"] == datetime(2026, 1, 15, 14, tzinfo=UTC)


def test_an_announce_repeats_a_post() -> None:
    (post,) = understood(
        {"id": "https://x.example/a/1", "type": "Announce", "actor": "https://x.example/u/bob", "object": NOTE["id"]}
    ).posts
    assert (post["engagement_type"], post["repeats"]) == ("REPOST", f"activitypub:m.example:{NOTE['id']}")


def test_deletions_become_tombstones_of_a_post_or_of_an_account() -> None:
    actor = "https://m.example/u/a"
    post = {"type": "Delete", "actor": actor, "object": {"id": NOTE["id"], "type": "Tombstone"}}
    gone = understood([post, {"type": "Delete", "actor": actor, "object": actor}]).tombstones
    assert [(stone["uid"], stone["author_id"]) for stone in gone] == [
        (f"activitypub:m.example:{NOTE['id']}", None),
        ("", "https://m.example/u/a"),
    ]


def test_a_like_a_person_and_a_note_without_id_are_set_aside_with_a_reason() -> None:
    found = understood(
        {
            "type": "OrderedCollection",
            "orderedItems": [{"type": "Like"}, {"type": "Person"}, {"type": "Note"}, "https://x.example/1", NOTE],
        }
    )
    assert len(found.posts) == 1
    assert [reason for reason, _ in found.aside] == [
        "Like is no post",
        "Person is no post",
        "an object without an id",
        "only an address",
    ]


def test_a_document_without_end_is_given_up() -> None:
    endless: dict[str, Any] = {"type": "Create"}
    endless["object"] = endless
    assert [reason for reason, _ in understood(endless).aside] == ["nested too deeply"]


def test_posts_written_as_activitystreams_keep_their_uid_and_words() -> None:
    for row in table().to_pylist():
        (again,) = understood(to_activitystreams(row)).posts
        for name in (
            "uid",
            "kind",
            "published_at",
            "edited_at",
            "in_reply_to",
            "hashtags",
            "mentions",
            "language",
            "title",
        ):
            assert again[name] == row[name] or not (again[name] or row[name]), name


@pytest.mark.skipif(not (SHARED / "data/fixtures_activitypub").exists(), reason="the recorded documents are not here")
def test_recorded_documents_are_read_or_set_aside_with_a_reason() -> None:
    counted = {"posts": 0, "tombstones": 0}
    for file in (SHARED / "data/fixtures_activitypub").rglob("*.json"):
        try:
            document = json.loads(file.read_bytes())
        except ValueError:
            continue
        found = understood(document)
        assert found.posts or found.tombstones or found.aside, file
        counted["posts"] += len(found.posts)
        counted["tombstones"] += len(found.tombstones)
        pa.Table.from_pylist(found.posts, schema=POST).validate(full=True)
    assert counted["posts"] > 70
    assert counted["tombstones"] > 10


def test_rows_without_a_time_get_the_one_that_the_mapping_gives() -> None:
    rows = [
        row
        for batch in read_csv(io.BytesIO(b"t\nhi\n"), Mapping(columns={"text": "t"}, published_at=NOON))
        for row in batch.to_pylist()
    ]
    wrong: list[Wrong] = []
    assert [row["published_at"] for row in rows] == [NOON]
    assert list(read_csv(io.BytesIO(b"t\nhi\n"), Mapping(columns={"text": "t"}), wrong=wrong.append)) == []
    assert [found.reason for found in wrong] == ["published_at is missing"]
