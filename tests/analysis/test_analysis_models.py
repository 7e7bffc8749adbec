"""The models: listed, whole, described, and no worse than stated."""

import re
from pathlib import Path

import pytest

from talkworthy.analysis import evaluation, registry
from talkworthy.analysis.labelled import evaluate_file
from talkworthy.analysis.training.cards import replaced

PAGE = Path(__file__).parents[2] / "docs/reference/models.md"


def test_the_page_of_models_is_that_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    assert replaced(page, registry.models().values()) == page, (
        "run: python -m talkworthy.analysis.training cards docs/reference/models.md"
    )


@pytest.mark.parametrize("name", list(registry.models()))
def test_every_model_is_the_file_that_is_listed(name: str):
    assert registry.model(name).arrays()


def test_a_damaged_model_is_refused():
    card = registry.model("complaint")
    other = registry.Model(**{**vars(card), "sha256": "0" * 64})
    with pytest.raises(registry.DamagedModel, match=r"complaint\.npz is not the file"):
        other.arrays()


def test_an_unknown_model_is_named_with_those_there_are():
    with pytest.raises(registry.UnknownModel, match=r"no model named 'horoscope'; there are .*sentiment"):
        registry.model("horoscope")


def test_all_weights_together_stay_under_forty_megabytes():
    folder = Path(registry.__file__).parent / "models"
    assert sum(file.stat().st_size for file in folder.glob("*.npz")) < 40_000_000


def test_no_set_that_forbids_commercial_use_is_named_in_a_card():
    for card in registry.models().values():
        assert not any(re.search(r"\bNC\b", source) for source in card.trained_on), card.name


# Floors a little below what was measured on rows that nothing was fitted to or chosen by.
@pytest.mark.parametrize(
    ("task", "file", "measure", "floor"),
    [
        ("sentiment", "tweeteval/sentiment_val.jsonl.gz", "macro_recall", 0.68),
        ("sentiment", "umsab_multilingual_sentiment/val.jsonl.gz", "macro_f1", 0.57),
        ("language", "umsab_multilingual_sentiment/val.jsonl.gz", "accuracy", 0.93),
        ("language", "afrisenti/dev.jsonl.gz", "accuracy", 0.95),
        ("offensive", "tweeteval/offensive_val.jsonl.gz", "macro_f1", 0.74),
        ("suggestion", "suggestion_mining/forum_val.jsonl.gz", "f1", 0.75),
    ],
)
def test_a_model_is_no_worse_than_stated(shared: Path, task: str, file: str, measure: str, floor: float):
    assert evaluate_file(task, shared / file)[measure] >= floor


@pytest.mark.parametrize(
    ("task", "file", "most"),
    [
        ("sentiment", "tweeteval/sentiment_val.jsonl.gz", 0.05),
        ("sentiment", "umsab_multilingual_sentiment/val.jsonl.gz", 0.05),
        ("offensive", "tweeteval/offensive_val.jsonl.gz", 0.05),
        ("suggestion", "suggestion_mining/forum_val.jsonl.gz", 0.07),
    ],
)
def test_a_model_is_as_often_right_as_it_says(shared: Path, task: str, file: str, most: float):
    assert evaluate_file(task, shared / file)["calibration_error"] < most


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    import numpy as np

    assert evaluation.calibration_error(np.array([True, True, False, False]), np.full(4, 0.9)) == pytest.approx(0.4)
    assert evaluation.calibration_error(np.array([True] * 9 + [False]), np.full(10, 0.9)) == pytest.approx(0)
