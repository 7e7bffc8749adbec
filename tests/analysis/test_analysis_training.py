"""Fitting heads: what a weight may become, and what a head makes of rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse

from talkworthy.analysis.masking import towards
from talkworthy.analysis.training import fitting
from talkworthy.analysis.training.careful.examples import Example
from talkworthy.analysis.training.careful.heads import measured_rows
from talkworthy.analysis.training.heads import counts_of, fit_rows, reach_of
from talkworthy.analysis.training.sets import Row, is_held_back
from talkworthy.analysis.training.tasks import task

# Four posts over three features: the first stands in both offensive ones, the second in one of each, the third in all.
FEATURES = sparse.csr_matrix(np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1], [0, 0, 1]], np.float32))
OFFENSIVE = np.array([[1], [1], [0], [0]], np.float32)
NO_CUES = np.zeros((4, 0), np.float32)


def test_a_feature_that_tells_answers_apart_may_go_further():
    first, second, third = fitting.telling(FEATURES, OFFENSIVE, least=0.3)[:, 0]
    assert np.isclose(first, 0.3 + np.log(3))
    assert second == third == np.float32(0.3)


def test_each_of_several_answers_has_its_own_reach():
    reach = fitting.telling(FEATURES, np.hstack([OFFENSIVE, 1 - OFFENSIVE]), least=0.0)
    assert reach.shape == (3, 2)
    assert np.allclose(reach[:, 0], reach[:, 1])


def test_a_weight_that_may_not_go_anywhere_stays_nothing():
    reach = np.array([[0], [1], [1]], np.float32)
    fitted = fitting.fit(FEATURES, NO_CUES, OFFENSIVE, strength=1.0, reach=reach)
    free = fitting.fit(FEATURES, NO_CUES, OFFENSIVE, strength=1.0)
    assert fitted.weights[0, 0] == 0
    assert free.weights[0, 0] > 0.1


def test_reach_makes_weights_larger_where_it_is_larger():
    reach = np.array([[3], [1], [1]], np.float32)
    fitted = fitting.fit(FEATURES, NO_CUES, OFFENSIVE, strength=0.1, reach=reach)
    free = fitting.fit(FEATURES, NO_CUES, OFFENSIVE, strength=0.1)
    assert fitted.weights[0, 0] > 2 * free.weights[0, 0]


def test_a_feature_of_fewer_rows_than_asked_for_has_no_weight():
    kept, dropped = (fitting.fit(FEATURES, NO_CUES, OFFENSIVE, strength=1.0, fewest=fewest) for fewest in (2, 3))
    assert kept.weights[0, 0] > 0.1
    assert not dropped.weights[:2].any()


def test_what_is_told_may_go_further_where_it_is_trusted():
    trusted = replace(task("offensive"), telling=0.0, trust=2.0)
    told = np.zeros((4, 1), np.float32)
    assert reach_of(FEATURES, told, OFFENSIVE, trusted).tolist() == [[1], [1], [1], [2]]


def test_answers_that_are_told_apart_by_themselves_are_fitted_one_by_one():
    both = np.hstack([OFFENSIVE, 1 - OFFENSIVE])
    none = np.zeros((4, 0), np.float32)
    apart = replace(task("issue-type"), fewest=1, telling=0.0)
    fitted = fit_rows(FEATURES, NO_CUES, none, both, apart, np.ones(4, np.float32))
    alone = fitting.fit(FEATURES, NO_CUES, OFFENSIVE, strength=apart.strength)
    assert np.allclose(fitted.weights[:, 0], alone.weights[:, 0], atol=1e-3)
    assert np.allclose(fitted.weights[:, 1], -alone.weights[:, 0], atol=1e-2)


def test_rows_of_a_group_count_as_their_task_says():
    assert counts_of(["", "de", ""], replace(task("sentiment"), counts=(("de", 3.0),))).tolist() == [1, 3, 1]


def test_columns_that_are_all_there_are_fitted_like_sparse_ones():
    sparsely = fitting.fit(FEATURES, NO_CUES, OFFENSIVE, strength=0.5)
    densely = fitting.fit(FEATURES.toarray(), NO_CUES, OFFENSIVE, strength=0.5)
    assert np.allclose(sparsely.weights, densely.weights, atol=1e-3)


def test_what_a_careful_head_is_measured_on_has_its_groups_apart(tmp_path: Path):
    german, english = (Example("offensive", text, None, (1.0,), text) for text in ("de", "en"))
    found = measured_rows(replace(task("offensive"), measured_on=()), [english, german, german], tmp_path)
    assert list(found.values()) == [[english, german], [english], [german]]


def test_rows_made_from_one_post_are_held_back_together():
    post = next(text for number in range(99) if is_held_back(text := f"Acme beats Bolt {number} times"))
    rows = [Row(towards(post, target), "1", post=post) for target in ("Acme", "Bolt")]
    assert len({row.text for row in rows}) == 2
    assert all(is_held_back(row.whole) for row in rows)
    assert Row("alone", "1").whole == "alone"
