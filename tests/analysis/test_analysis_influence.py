"""Influence of accounts: pairs that are compared, and the three parts with what led to them."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from talkworthy.analysis import evaluate_file
from talkworthy.analysis import influence as heard
from talkworthy.analysis.evaluation import auc
from talkworthy.analysis.influence import COUNTS, Record, judged, judged_pairs, percentiles, relevance, signs
from talkworthy.analysis.labelled import MissingColumn, UnknownLabel
from talkworthy.analysis.training.influence import fitted, read_pairs, splits

LOUD = {"follower_count": 90_000.0, "mentions_received": 800.0, "retweets_received": 300.0}
QUIET = {"follower_count": 200.0, "mentions_received": 2.0, "retweets_received": 1.0}


def test_of_two_accounts_the_one_that_others_act_on_is_the_louder_and_every_term_is_shown():
    found = judged(LOUD, QUIET)
    assert found.probability > 0.8
    assert {term.count for term in found.terms} == set(LOUD)
    total = sum(term.gain for term in found.terms)
    assert found.probability == pytest.approx(1 / (1 + np.exp(-total)))
    assert abs(found.terms[0].gain) == max(abs(term.gain) for term in found.terms)


def test_the_chances_of_both_sides_of_a_pair_are_one():
    assert judged(LOUD, QUIET).probability + judged(QUIET, LOUD).probability == pytest.approx(1)


def test_where_nothing_is_known_of_both_nothing_is_said():
    assert judged({"follower_count": 9.0}, {"posts": 3.0}) == heard.Judged(0.5, ())


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="follower_count cannot be -1"):
        judged({"follower_count": -1.0}, QUIET)


@pytest.mark.parametrize("known", [(0,), (0, 3, 4, 8), (3, 4, 8)])
def test_of_the_counts_that_an_archive_knows_more_is_never_taken_for_less(known: tuple[int, ...]):
    assert (heard.weights_for(known) > 0).all()


def test_many_pairs_at_once_are_judged_as_one_by_one():
    first, second = (np.array([[counts.get(name, np.nan) for name in COUNTS]]) for counts in (LOUD, QUIET))
    assert judged_pairs(first, second)[0] == pytest.approx(judged(LOUD, QUIET).probability)


def test_relevance_is_drawn_to_the_usual_while_there_are_few_posts():
    assert relevance(1, 1, usual=0.1) == pytest.approx((1 + 0.3) / 4)
    assert relevance(90, 100, usual=0.1) > 0.85
    assert relevance(0, 0, usual=0.1) == pytest.approx(0.1)
    assert relevance(0, 100, usual=0.1, likeness=0.9) > relevance(0, 100, usual=0.1)


def test_credibility_is_the_sum_of_signs_that_are_shown():
    known = Record(posts=40, days=60, answered=30, copies=0, followers=500, following=100, verified=True)
    spam = Record(posts=400, days=1, answered=0, copies=390, followers=3, following=5_000)
    assert {sign.name for sign in signs(known)} == {"verified", "answered", "known for"}
    assert {sign.name for sign in signs(spam) if sign.points < 0} == {"copies", "follows more", "haste"}
    assert heard.credibility(signs(known)) > 0.8 > 0.1 > heard.credibility(signs(spam))
    assert heard.credibility(()) == 0.5


def test_each_of_the_three_parts_can_sink_the_whole():
    assert heard.whole(0.8, 0.8, 0.8) == pytest.approx(0.8)
    assert heard.whole(1.0, 1.0, 0.0) == heard.whole(0.0, 1.0, 1.0) == 0


def test_the_scale_is_the_percentage_that_lies_below_equals_counting_half():
    assert percentiles(np.array([0.1, 0.9, 0.5, 0.5])).tolist() == [12, 87, 50, 50]
    assert percentiles(np.zeros(0)).tolist() == []


def test_people_who_act_count_more_than_their_pagerank_but_not_alone():
    two = heard.people_heard(np.array([10.0, 10.0, 20.0]), np.array([0.01, 0.05, 0.01]), 1_000)
    assert two[0] < two[1] < two[2]


ROWS = [
    {"Choice": 1, **{f"A_{name}": count for name, count in LOUD.items()}, **{f"B_{n}": c for n, c in QUIET.items()}},
    {"Choice": 0, **{f"A_{name}": count for name, count in QUIET.items()}, **{f"B_{n}": c for n, c in LOUD.items()}},
]


def test_pairs_of_accounts_are_measured_in_every_form(tmp_path: Path):
    lines = "\n".join(json.dumps(row) for row in ROWS)
    (tmp_path / "pairs.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "pairs.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    table = "\n".join(",".join(map(str, cells)) for cells in (ROWS[0], *(row.values() for row in ROWS)))
    (tmp_path / "pairs.csv").write_text(table, encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "pairs.parquet")
    for name in ("pairs.jsonl", "pairs.jsonl.gz", "pairs.csv", "pairs.parquet"):
        found = evaluate_file("influence", tmp_path / name)
        assert (found["auc"], found["accuracy"], found["n"]) == (1.0, 1.0, 2), name
        assert found["counts"] == list(LOUD)
        assert found["pairs_per_second"] > 0
        assert 0 < found["calibration_error"] < 0.5


def test_pairs_without_counts_are_refused(tmp_path: Path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"Choice": 1, "A_posts": 1, "B_posts": 2}), encoding="utf-8")
    with pytest.raises(MissingColumn, match="A_follower_count"):
        evaluate_file("influence", path)


def test_a_choice_that_is_no_yes_or_no_is_refused(tmp_path: Path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({**ROWS[0], "Choice": "both"}), encoding="utf-8")
    with pytest.raises(UnknownLabel, match="'both'"):
        evaluate_file("influence", path)


def test_people_never_seen_are_ranked_better_than_by_their_followers(shared: Path):
    pairs = read_pairs(shared / "influencer_pairs_peerindex/pairs_train.csv.gz")
    ours, followers = [], []
    for seen, unseen in splits(pairs, many=8):
        ratios = pairs.differences(unseen)
        ours.append(auc(pairs.won[unseen] > 0, ratios @ fitted(pairs, seen)))
        followers.append(auc(pairs.won[unseen] > 0, ratios[:, COUNTS.index("follower_count")]))
    assert np.mean(ours) > np.mean(followers) + 0.01


def test_the_shipped_weights_are_calibrated(shared: Path):
    found = evaluate_file("influence", shared / "influencer_pairs_peerindex/pairs_train.csv.gz")
    assert found["auc"] >= 0.85
    assert found["calibration_error"] < 0.05
