"""Retrieval scores against counting by hand and scipy."""

import numpy as np
import pytest
from scipy import stats

from goalward.evaluation.retrieval import rank_correlation, retrieval_accuracy


def test_accuracy_counts_rows_whose_own_column_wins():
    scores = np.array([[[3.0, 1.0], [2.0, 1.0]], [[0.0, 1.0], [5.0, 6.0]]])
    assert retrieval_accuracy(scores) == 0.5
    assert retrieval_accuracy(scores[0]) == 0.5
    assert retrieval_accuracy(np.array([[1.0, 2.0], [0.0, 1.0]])) == 0.5  # rows, not columns
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
