"""Intervals against SciPy, and their coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from goalward.evaluation.intervals import (
    interval,
    paired_interval,
    ratio_interval,
    student_quantile,
)


@given(st.integers(1, 200), st.floats(0.5, 0.999))
def test_student_quantile_is_scipys(degrees: int, probability: float) -> None:
    expected = stats.t.ppf(probability, degrees)
    assert student_quantile(probability, degrees) == pytest.approx(expected, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("seeds", [2, 5, 9])
def test_below_ten_values_it_is_students_t(seeds: int) -> None:
    values = 2.0 ** np.arange(seeds)
    low, high = stats.t.interval(0.95, seeds - 1, loc=values.mean(), scale=stats.sem(values))
    assert interval(values) == pytest.approx((values.mean(), low, high), rel=1e-4)


@pytest.mark.parametrize("seeds", [10, 30])
def test_from_ten_values_it_is_the_percentile_bootstrap(seeds: int) -> None:
    values = np.random.default_rng(1).exponential(size=seeds)
    mean, low, high = interval(values)
    expected = stats.bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(2), n_resamples=10_000
    ).confidence_interval
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.03)
    assert interval(values) == interval(values)


def test_coverage_is_nominal() -> None:
    rng = np.random.default_rng(0)
    hits = [
        low <= 3 <= high for _, low, high in (interval(rng.normal(3, 2, 5)) for _ in range(400))
    ]
    assert 0.92 <= np.mean(hits) <= 0.98


def test_pairs_remove_what_the_seeds_share() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 100, 6)
    _, low, high = paired_interval(shared + 1 + rng.normal(0, 0.1, 6), shared)
    assert 0.7 < low < 1 < high < 1.3


def test_a_ratio_is_geometric() -> None:
    mean, low, high = ratio_interval(np.array([10.0, 1000.0]), np.array([1.0, 1.0]))
    assert mean == pytest.approx(100)
    assert low * high == pytest.approx(mean**2, rel=1e-3)


@pytest.mark.parametrize("values", [[1.0], [[1.0, 2.0]], [1.0, np.nan]])
def test_what_is_no_sample_is_refused(values: list) -> None:
    with pytest.raises(ValueError, match="interval needs"):
        interval(np.array(values))


def test_pairs_must_pair_up() -> None:
    with pytest.raises(ValueError, match="same seeds"):
        paired_interval(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="positive"):
        ratio_interval(np.array([1.0, -1.0]), np.ones(2))
