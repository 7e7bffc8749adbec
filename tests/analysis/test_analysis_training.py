"""Fitting heads: what a weight may become, and what a head makes of rows."""

import numpy as np
from scipy import sparse

from talkworthy.analysis.training import fitting

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
