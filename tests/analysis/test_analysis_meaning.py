"""Vectors of meaning: what lies close together, what cannot be judged, and how well pairs are told apart."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from talkworthy.analysis.meaning import MEANING, Meaning, words_of
from talkworthy.query import compile_query
from talkworthy.query.explain import post_batch
from talkworthy.query.match import LIKENESS


def test_the_same_meaning_lies_closer_than_another_one_whatever_the_words():
    asked, same, other = MEANING.vectors(
        ["the app is slow", "this software takes forever to load", "we baked bread on Sunday"]
    )
    assert asked @ same > asked @ other + 0.2


def test_the_same_text_has_the_same_vector_of_length_one_alone_and_among_others():
    alone = Meaning().vectors(["Café isn't #great @acme"])[0]
    assert np.array_equal(alone, MEANING.vectors(["x", "Café isn't #great @acme"])[1])
    assert np.linalg.norm(alone) == pytest.approx(1)


def test_a_text_without_a_known_word_has_no_vector_and_links_are_not_read():
    assert not MEANING.vectors(["", "https://example.org/slow", "\U00013000"]).any()
    assert list(words_of("Füße: www.example.org 東京!")) == ["fuße", ":", "東", "京", "!"]


def test_the_nearest_words_are_those_that_mean_about_the_same():
    assert MEANING.nearest("the app is slow", "my dog says that software bores me", 1) == ["software"]
    assert MEANING.nearest("the app is slow", "!!!") == []


def test_a_query_for_a_meaning_finds_posts_in_other_words():
    query = compile_query('similar:"the app is slow"~0.5', similarity=MEANING)
    for text, expected in (("this app takes forever to load", True), ("we baked bread on Sunday", False)):
        assert query.match(post_batch({"text": text})).to_pylist() == [expected]


def test_pairs_that_ask_the_same_are_told_from_others_no_worse_than_stated(shared: Path):
    with gzip.open(shared / "related_questions_qatarliving/val.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    first, second = (MEANING.vectors([row[name] for row in rows]) for name in ("question", "rel_question"))
    likeness = (first * second).sum(axis=1)
    alike = np.array([row["labels"].strip() in ("PerfectMatch", "Relevant") for row in rows])
    above = (likeness[alike][:, None] > likeness[~alike][None, :]).mean()
    assert above >= 0.69
    assert (alike & (likeness >= LIKENESS)).sum() / (likeness >= LIKENESS).sum() >= 0.59
