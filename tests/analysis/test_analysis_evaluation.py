"""Figures of quality, and labelled files."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from talkworthy.analysis import evaluate_file
from talkworthy.analysis.evaluation import auc, measured
from talkworthy.analysis.labelled import MissingColumn, UnknownLabel, UnknownTask

ROWS = [
    {"text": "I love this so much, thank you!", "label_name": "positive"},
    {"text": "worst service ever, I am so angry", "label_name": "negative"},
    {"text": "the office opens at nine", "label_name": "neutral"},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three labelled posts as JSON Lines."""
    path = tmp_path / "posts.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n", encoding="utf-8")
    return path


def test_macro_figures_are_means_over_the_true_labels():
    found = measured(["a", "a", "a", "b"], ["a", "a", "b", "b"])
    assert found.accuracy == 0.75
    assert found.macro_recall == pytest.approx((2 / 3 + 1) / 2)
    assert found.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert found.classes["b"].precision == 0.5


def test_a_guess_that_is_never_true_does_not_enter_the_means():
    found = measured(["a", "a"], ["a", "c"])
    assert found.macro_recall == 0.5
    assert found.classes["c"].n == 0


def test_auc_counts_ties_half():
    assert auc(np.array([True, False]), np.array([0.5, 0.5])) == 0.5
    assert auc(np.array([True, True, False]), np.array([0.9, 0.4, 0.5])) == 0.5
    assert auc(np.array([True, True]), np.array([0.9, 0.4])) is None


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="2 true labels, but 1 guesses"):
        measured(["a", "b"], ["a"])


def test_a_file_is_measured(file: Path):
    found = evaluate_file("sentiment", file)
    assert found["n"] == 3
    assert found["accuracy"] == 1.0
    assert found["posts_per_second"] > 0
    assert set(found["classes"]) == {"positive", "neutral", "negative"}


def test_csv_parquet_and_gzip_are_read_alike(file: Path, tmp_path: Path):
    csv = tmp_path / "posts.csv"
    csv.write_text(
        "text,label_name\n" + "".join(f'"{row["text"]}",{row["label_name"]}\n' for row in ROWS), encoding="utf-8"
    )
    packed = tmp_path / "posts.jsonl.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    parquet = tmp_path / "posts.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), parquet)
    figures = [evaluate_file("sentiment", path)["macro_f1"] for path in (file, csv, packed, parquet)]
    assert figures == [1.0] * 4


def test_a_column_may_be_named(tmp_path: Path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"words": "I love this so much", "mood": "glad"}) + "\n", encoding="utf-8")
    assert evaluate_file("sentiment", path, text="words", label="mood", mapping={"glad": "positive"})["accuracy"] == 1.0


def test_a_label_that_is_not_understood_stops_and_says_how_to_map_it(tmp_path: Path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"text": "hello", "label": "lukewarm"}) + "\n", encoding="utf-8")
    with pytest.raises(
        UnknownLabel, match="'lukewarm' is no label of sentiment; map it to one of positive, neutral, negative"
    ):
        evaluate_file("sentiment", path)


def test_a_missing_column_is_named(tmp_path: Path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"a": 1}) + "\n", encoding="utf-8")
    with pytest.raises(MissingColumn, match="no column for the text; the file has a"):
        evaluate_file("complaint", path, label="a")


def test_an_unknown_task_is_refused(file: Path):
    with pytest.raises(UnknownTask, match="no task named 'astrology'"):
        evaluate_file("astrology", file)
