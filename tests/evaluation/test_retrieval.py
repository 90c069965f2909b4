"""Retrieval scores against counting by hand and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from goalward.evaluation.retrieval import rank_correlation, retrieval_accuracy


def test_accuracy_counts_rows_whose_own_column_wins():
    scores = np.array([[[3.0, 1.0], [2.0, 1.0]], [[0.0, 1.0], [5.0, 6.0]]])
    assert retrieval_accuracy(scores) == 0.5
    assert retrieval_accuracy(scores[0]) == 0.5
    # By rows two of three are right, by columns all, and the lowest scores are right nowhere.
    uneven = np.array([[5.0, 6.0, 0.0], [1.0, 7.0, 2.0], [3.0, 0.0, 4.0]])
    assert retrieval_accuracy(uneven) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="square"):
        retrieval_accuracy(np.zeros((2, 3)))


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6, 7))
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x.ravel(), y.ravel()).statistic)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1)
    assert rank_correlation(x, -(x**3)) == pytest.approx(-1)
    with pytest.raises(ValueError, match="sizes"):
        rank_correlation(x, y[:2])
    with pytest.raises(ValueError, match="equal"):
        rank_correlation(x, np.ones_like(x))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=3, max_size=30))
def test_equal_values_share_their_ranks(pairs):
    x, y = np.array(pairs, float).T
    if np.ptp(x) and np.ptp(y):
        expected = stats.spearmanr(x, y).statistic
        assert rank_correlation(x, y) == pytest.approx(expected, abs=1e-12)
