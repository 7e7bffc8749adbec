"""Likeness of texts, and how it is measured on pairs."""

import json
from pathlib import Path

import pytest

from talkworthy.analysis import evaluate_file
from talkworthy.analysis.similarity import likeness


def test_texts_that_share_rare_words_are_more_alike_than_those_that_share_common_ones():
    asked = ["which bank in doha is good"] * 3
    same, common, none = likeness(asked, ["a good bank in Doha please", "which is it, in here", "zwölf Boxkämpfer"])
    assert same > common > none


def test_a_text_is_wholly_like_itself_and_nothing_like_an_empty_one():
    assert likeness(["mill street", "mill street"], ["mill street", ""]).tolist() == pytest.approx([1, 0], abs=1e-5)


@pytest.mark.parametrize("task", ["similar", "duplicate"])
def test_pairs_are_measured(tmp_path: Path, task: str):
    rows = [
        {"text_a": "the bridge on Mill Street is closed", "text_b": "The bridge on Mill Street is closed!", "label": 1},
        {"text_a": "the bridge on Mill Street is closed", "text_b": "zwölf Boxkämpfer jagen Viktor", "label": 0},
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = evaluate_file(task, path)
    assert (found["auc"], found["f1"]) == (1.0, 1.0)


def test_related_questions_are_ranked_no_worse_than_stated(shared: Path):
    assert evaluate_file("similar", shared / "related_questions_qatarliving/val.csv.gz")["auc"] >= 0.71
