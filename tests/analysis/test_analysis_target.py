"""Feelings towards a named target."""

import json
from pathlib import Path

import pytest

from talkworthy.analysis import evaluate_file, masking
from talkworthy.analysis.masking import MASK, towards
from talkworthy.analysis.target import towards_targets
from talkworthy.analysis.training.sets import is_held_back, read

BOTH = "I love the Acme phone so much, but the Bolt charger is terrible and broke at once"


def test_the_target_is_masked_and_what_is_close_stands_in_a_second_line():
    read = towards("on most days we really do like acme a lot more than all the others", "Acme")
    assert read.split("\n") == [
        f"on most days we really do like {MASK} a lot more than all the others",
        f"days we really do like {MASK} a lot more than all",
    ]


def test_a_target_inside_another_word_is_taken_only_where_it_stands_nowhere_alone():
    assert towards("Acmes and Acme", "Acme").startswith(f"Acmes and {MASK}")


@pytest.mark.parametrize("name", ["Zenith", "", "  "])
def test_a_text_without_the_target_has_nothing_close_to_it(name: str):
    assert towards("we like\nAcme", name) == "we like Acme\n"


def test_both_lines_are_parts_and_stand_where_they_stood():
    read = towards("we like Acme a lot", "acme")
    whole, close = masking.parts(read)
    assert whole.text == close.text == f"we like {MASK} a lot"
    assert read[close.start :] == close.text
    assert masking.target_scorer().weigh(read, 2)


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
