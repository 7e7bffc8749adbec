"""Feelings towards a named target."""

import json
from pathlib import Path

import pytest

from talkworthy.analysis import evaluate_file
from talkworthy.analysis.masking import MASK, towards
from talkworthy.analysis.target import towards_targets
from talkworthy.analysis.training.sets import is_held_back, read

BOTH = "I love the Acme phone so much, but the Bolt charger is terrible and broke at once"


def test_the_target_is_masked_and_what_is_close_is_marked():
    assert towards("we like Acme a lot", "acme") == f"we like {MASK} a lot ŧwe ŧlike ŧa ŧlot"


def test_a_target_inside_another_word_is_taken_only_where_it_stands_nowhere_alone():
    assert towards("Acmes and Acme", "Acme").startswith(f"Acmes and {MASK}")


@pytest.mark.parametrize("target", ["Zenith", "", "  "])
def test_a_text_without_the_target_is_read_as_it_is(target: str):
    assert towards("we like Acme", target) == "we like Acme"


def test_two_targets_of_one_post_fare_differently():
    found = towards_targets([BOTH, BOTH], ["Acme phone", "Bolt charger"])
    assert [held.sentiment for held in found] == ["positive", "negative"]


def test_the_careful_tier_tells_two_targets_apart():
    found = towards_targets([BOTH, BOTH], ["Acme phone", "Bolt charger"], tier="careful")
    assert [held.sentiment for held in found] == ["positive", "negative"]
    assert towards_targets([], []) == []


def test_targets_of_unseen_tweets_are_judged_no_worse_than_stated(shared: Path, tmp_path: Path):
    rows = [row for row in read(shared / "targeted_sentiment/twitter_train.jsonl.gz") if is_held_back(row["text"])]
    unseen = tmp_path / "unseen.jsonl"
    unseen.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    assert evaluate_file("target-sentiment", unseen)["accuracy"] >= 0.62
