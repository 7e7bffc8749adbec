"""The fast path of the heads: remembered sums, the same for everybody."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkworthy.analysis import reading
from talkworthy.analysis.heads import IN_PIPELINE, scorer_of
from talkworthy.analysis.scoring import Scorer, head, holds_phrase, rarity, weigh
from talkworthy.analysis.words import character_grams, pieces, read_words, words

TEXTS = (
    "Thanks @ann, this is NOT what I ordered!!! https://t.example/1 #fail",
    "soooo happy with it 😍😍 &amp; would buy again",
    "",
    "ठीक है 東京です",
    "Please add a dark mode, it would be great",
)


@pytest.mark.parametrize("name", IN_PIPELINE)
def test_remembered_sums_are_those_of_the_plain_features(name: str):
    held, weight = head(name), rarity()
    features, cues = reading.design(TEXTS, weight)
    plain = [
        np.divide(table, weight[block][:, None], where=weight[block][:, None] > 0, out=np.zeros_like(table))
        for block, table in (("words", held.words), ("characters", held.characters))
    ]
    expected = features @ np.vstack(plain) + cues @ held.cues + held.bias
    if held.phrase_weight:
        expected[:, 0] += held.phrase_weight * holds_phrase(name, TEXTS)
    np.testing.assert_allclose(Scorer([held]).logits(TEXTS), expected, atol=2e-4)


def test_what_was_read_before_changes_no_score():
    fresh, used = Scorer([head("sentiment")]), Scorer([head("sentiment")])
    used.logits(["again and again, happy people would order it", *TEXTS[::-1]])
    np.testing.assert_allclose(fresh.logits(TEXTS), used.logits(TEXTS), atol=1e-5)


def test_several_heads_at_once_score_as_each_alone():
    together = Scorer([head(name) for name in IN_PIPELINE]).score(TEXTS)
    for name in IN_PIPELINE:
        np.testing.assert_allclose(together[name], scorer_of(name).score(TEXTS)[name], atol=1e-5)


def test_forgetting_changes_no_score(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("talkworthy.analysis.scoring.MOST_REMEMBERED", 3)
    small = Scorer([head("complaint")])
    for text in TEXTS:
        np.testing.assert_allclose(small.logits([text]), scorer_of("complaint").logits([text]), atol=1e-5)


def test_threads_may_share_a_scorer():
    shared_by_all = Scorer([head("sentiment")])
    many = [f"{text} number {number}" for number in range(200) for text in TEXTS]
    alone = Scorer([head("sentiment")]).logits(many)
    with ThreadPoolExecutor(4) as threads:
        parts = list(threads.map(shared_by_all.logits, [many[start : start + 50] for start in range(0, len(many), 50)]))
    np.testing.assert_allclose(np.concatenate(parts), alone, atol=1e-5)


def test_links_and_names_are_all_alike():
    assert pieces("@ann see https://a.example") == pieces("@bob see www.b.example/x")


def test_words_keep_their_place_and_are_folded():
    found = words("SOOOO-good!!!")
    assert [(word.form, word.start, word.end) for word in found] == [
        ("soo", 0, 5),
        ("-", 5, 6),
        ("good", 6, 10),
        ("!!!", 10, 13),
    ]


def test_runs_of_characters_stay_within_their_word():
    numbers, owner = character_grams(["ab", "c"], (2,))
    assert owner.tolist() == [0, 0, 0, 1, 1]
    assert len(set(numbers.tolist())) == 5


def test_words_are_weighed_where_they_stand():
    text = "Danger &amp; awful service"
    for held in weigh(head("sentiment"), text, 0):
        assert text[held.start : held.end] == held.text


PIECES = (
    "word", "Word,", "STOP!", "http", "https", "http,", "HTTP", "xD", "XD.", "xDDd", "xoD!", "soooo", "sooo!", "www",
    "www.", "no?", "a", "-", "!", ".", "", "don't", "2nd", "word..", "e.g.,", "a,b", ":)", "x_y", "word-", "ok;", "ok:",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_the_short_way_to_the_words_of_a_piece_is_the_long_one(piece):
    assert words(piece) == read_words(piece)


@given(st.text(alphabet="abdDpPxXthps:/w.,!?;' @#-_3", max_size=12))
def test_the_short_way_is_the_long_one_whatever_the_piece(text):
    for piece in text.split():
        assert words(piece) == read_words(piece)
