"""The careful tier and the cascade: pure as the fast one, asked where it should be, and able to say why."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from talkworthy.analysis import careful, default_pipeline, why
from talkworthy.analysis.labelled import evaluate_file
from talkworthy.analysis.tiers import CASCADE, was_careful

Posts = Callable[..., pa.RecordBatch]
SURE = "I love love love it, thank you so much, best support ever!"
UNSURE = "It is fine I suppose, but the old one was better"
RUDE = "The crew was rude and the rest of the day was a day"
LATE = "I want a refund, you charged me twice and nobody answers!"


def test_the_careful_tier_says_so(posts: Posts):
    row = default_pipeline("careful").run(posts(RUDE)).to_pylist()[0]
    assert row["analysed_by"] == "careful 1.0"
    assert (row["sentiment"], row["intent"]) == ("negative", "complaint")


def test_a_post_reads_the_same_to_the_careful_tier_alone_and_among_others(posts: Posts):
    others = ("lovely day", "Der Zug ist schon wieder zu spät, und niemand sagt einem etwas", "", SURE * 9, LATE)
    alone = default_pipeline("careful").run(posts(LATE)).to_pylist()[0]
    among = default_pipeline("careful").run(posts(*others)).to_pylist()[4]
    assert {**among, "uid": None, "native_id": None} == {**alone, "uid": None, "native_id": None}


def test_a_cascade_asks_the_careful_tier_where_the_fast_one_is_unsure(posts: Posts):
    sure, unsure = default_pipeline(CASCADE).run(posts(SURE, UNSURE)).to_pylist()
    assert (sure["analysed_by"], unsure["analysed_by"]) == ("cascade 1.0: fast", "cascade 1.0: careful")
    assert (was_careful(sure), was_careful(unsure)) == (False, True)
    assert sure["sentiment_score"] == default_pipeline().run(posts(SURE)).to_pylist()[0]["sentiment_score"]
    careful_one = default_pipeline("careful").run(posts(UNSURE)).to_pylist()[0]
    assert unsure["sentiment_score"] == careful_one["sentiment_score"]


def test_hostile_texts_go_through_the_careful_tier(posts: Posts):
    texts = ["\x00\x01", "a" * 100_000, "ﷺ" * 500, "👨‍👩‍👧‍👦" * 200, "", " \n\t ", "@" * 5000, "<s></s><pad>"]
    assert default_pipeline("careful").run(posts(*texts)).num_rows == len(texts)


def test_an_empty_batch_stays_empty_in_every_tier(posts: Posts):
    for tier in ("careful", CASCADE):
        assert default_pipeline(tier).run(posts(LATE).slice(0, 0)).num_rows == 0


def test_a_careful_answer_names_the_words_whose_absence_would_change_it(posts: Posts):
    row = default_pipeline("careful").run(posts(RUDE)).to_pylist()[0]
    said = why(row, "sentiment")
    assert (said.answer, said.model) == ("negative", "careful-sentiment")
    assert said.evidence[0].what == "rude"
    assert said.evidence[0].weight > 0
    assert why(row, "intent").model.startswith("careful-")
    assert why(row, "urgency").answer == str(row["urgency"])
    assert why({**row, "analysed_by": "fast 1.0"}, "sentiment").model == "sentiment"


def test_a_missing_careful_model_is_told_plainly():
    with pytest.raises(careful.NotInstalled, match="the careful tier is not installed"):
        careful.careful_head("meaning")


@pytest.mark.parametrize(
    ("task", "file", "measure", "floor"),
    [
        ("offensive", "tweeteval/offensive_val.jsonl.gz", "macro_f1", 0.77),
        ("suggestion", "suggestion_mining/forum_val.jsonl.gz", "f1", 0.70),
    ],
)
def test_a_careful_model_is_no_worse_than_stated(shared: Path, task: str, file: str, measure: str, floor: float):
    assert evaluate_file(task, shared / file, tier="careful")[measure] >= floor
