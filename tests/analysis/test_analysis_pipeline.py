"""The pipeline: checked when it is put together, pure when it runs."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from talkworthy.analysis import Pipeline, PipelineError, default_pipeline
from talkworthy.analysis.duplicates import Duplicates, Folded
from talkworthy.analysis.language import Language
from talkworthy.analysis.urgency import Urgency
from talkworthy.schema import ANNOTATIONS, POST

Posts = Callable[..., pa.RecordBatch]
LATE = "I want a refund, you charged me twice and nobody answers!"


def test_a_pipeline_refuses_an_analyser_whose_columns_nothing_provides():
    with pytest.raises(PipelineError, match="'urgency' requires folded"):
        Pipeline([Urgency(), Folded()])


def test_a_pipeline_refuses_two_makers_of_one_column():
    with pytest.raises(PipelineError, match="assigns detected_language, which 'language' assigns already"):
        Pipeline([Language(), Language()])


def test_annotations_follow_the_columns_of_the_post_in_the_order_of_the_schema(posts: Posts):
    found = default_pipeline().run(posts(LATE))
    assert found.schema.names == POST.names + ANNOTATIONS.names
    assert found.schema.field("urgency").type == pa.int8()


def test_every_annotation_of_a_post_with_text_is_filled_but_the_near_copy(posts: Posts):
    row = default_pipeline().run(posts(LATE)).to_pylist()[0]
    assert [name for name in ANNOTATIONS.names if row[name] is None] == ["near_hash"]


def test_an_annotation_that_nothing_assigns_is_null(posts: Posts):
    row = Pipeline([Folded(), Duplicates()]).run(posts(LATE)).to_pylist()[0]
    assert row["sentiment"] is None
    assert row["text_hash"] is not None


def test_running_twice_changes_nothing(posts: Posts):
    once = default_pipeline().run(posts(LATE, "¡Qué maravilla de sitio, gracias!"))
    assert default_pipeline().run(once).equals(once)


def test_a_post_reads_the_same_alone_and_among_others(posts: Posts):
    alone = default_pipeline().run(posts(LATE)).to_pylist()[0]
    among = default_pipeline().run(posts("lovely day", "Der Zug ist schon wieder zu spät", "", LATE)).to_pylist()[3]
    assert {**among, "uid": None, "native_id": None} == {**alone, "uid": None, "native_id": None}


def test_empty_text_has_no_hash_and_is_undecided(posts: Posts):
    row = default_pipeline().run(posts("")).to_pylist()[0]
    assert (row["text_hash"], row["near_hash"], row["folded"]) == (None, None, None)
    assert row["detected_language"] == "undecided"
    assert row["urgency"] == 0


def test_an_empty_batch_stays_empty():
    empty = pa.RecordBatch.from_pylist([], schema=POST)
    found = default_pipeline().run(empty)
    assert found.num_rows == 0
    assert found.schema.names == POST.names + ANNOTATIONS.names


def test_hostile_texts_go_through(posts: Posts):
    texts = [
        "\x00\x01",
        "a" * 100_000,
        "ﷺ" * 500,
        "👨‍👩‍👧‍👦" * 200,
        "\u202e‮evil",
        "((((((",
        "&#0;&amp",
        " \n\t ",
        "#" * 5000,
        "@" * 5000,
    ]
    assert default_pipeline().run(posts(*texts)).num_rows == len(texts)


def test_an_unknown_tier_is_refused():
    with pytest.raises(ValueError, match="no tier named 'psychic'"):
        default_pipeline("psychic")


def test_what_a_channel_told_of_links_is_kept_and_the_rest_is_read(posts: Posts):
    found = default_pipeline().run(
        posts(
            {"text": "see https://a.example/x", "links": ["https://told.example"]},
            "see https://a.example/x. #Launch @ann",
        )
    )
    assert found.column("links").to_pylist() == [["https://told.example"], ["https://a.example/x"]]
    assert found.column("hashtags").to_pylist() == [[], ["Launch"]]
    assert found.column("mentions").to_pylist() == [[], ["ann"]]
