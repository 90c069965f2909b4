"""Statistics over data sets against SciPy, loops and enumeration; coverage by simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from goalward.evaluation.aggregate import (
    bootstrap_weights,
    difference_interval,
    improvement,
    improvement_interval,
    interquartile_mean,
    mean,
    optimality_gap,
    performance_profile,
    pool,
    profile_band,
    shared,
    stratified_interval,
)

RATES = st.integers(0, 10).map(lambda n: n / 10)  # with ties


@st.composite
def scores(draw: st.DrawFn, shapes: tuple[tuple[int, int], ...] = ()) -> list[np.ndarray]:
    shapes = shapes or tuple(
        draw(st.lists(st.tuples(st.integers(2, 5), st.integers(1, 4)), min_size=1, max_size=3))
    )
    return [draw(arrays(float, shape, elements=RATES)) for shape in shapes]


def equal(n: int) -> np.ndarray:
    return np.full(n, 1 / n)


@pytest.mark.parametrize("n", [4, 8, 20, 60])
def test_iqm_of_a_multiple_of_four_is_scipys_trimmed_mean(n: int) -> None:
    values = np.random.default_rng(n).exponential(size=n)
    assert interquartile_mean(values, equal(n)) == pytest.approx(stats.trim_mean(values, 0.25))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 10, 13])
def test_iqm_is_that_of_every_score_written_four_times(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    expected = stats.trim_mean(np.repeat(values, 4), 0.25)
    assert interquartile_mean(values, equal(n)) == pytest.approx(expected)


def test_iqm_of_weights_is_that_of_copies() -> None:
    values, copies = np.array([0.3, 0.9, 0.1, 0.5]), np.array([1, 2, 4, 1])
    expected = stats.trim_mean(np.repeat(values, copies), 0.25)
    assert interquartile_mean(values, copies / 8) == pytest.approx(expected)


def test_each_data_set_counts_the_same() -> None:
    tables = [np.ones((2, 5)), np.zeros((8, 1))]
    values, weights = pool(tables)
    assert weights.sum() == pytest.approx(1)
    assert mean(values, weights) == pytest.approx(0.5)


@given(scores())
def test_statistics_are_those_of_the_equations(tables: list[np.ndarray]) -> None:
    values, weights = pool(tables)
    gap = np.mean([np.mean([max(0.6 - x, 0) for x in t.ravel()]) for t in tables])
    assert optimality_gap(values, weights, 0.6) == pytest.approx(gap)
    above = np.mean([np.mean([x > 0.4 for x in t.ravel()]) for t in tables])
    assert performance_profile(values, weights, np.array([0.4])) == pytest.approx(above)


@given(scores(), st.randoms(use_true_random=False))
def test_the_order_of_seeds_does_not_count(tables: list[np.ndarray], random) -> None:
    shuffled = [t[random.sample(range(len(t)), len(t))] for t in tables]
    random.shuffle(shuffled)
    for statistic in (mean, interquartile_mean, optimality_gap):
        assert statistic(*pool(shuffled)) == pytest.approx(statistic(*pool(tables)), abs=1e-12)


@given(scores())
def test_a_profile_falls_and_its_area_is_the_mean(tables: list[np.ndarray]) -> None:
    values, weights = pool(tables)
    edges = np.linspace(0, 1, 11)
    profile = performance_profile(values, weights, edges)
    assert (np.diff(profile) <= 1e-12).all()
    assert profile[:-1].sum() / 10 == pytest.approx(mean(values, weights))  # scores are tenths
    band = profile_band(tables, edges, resamples=50)
    assert (band[1] <= band[2]).all()
    assert band[0] == pytest.approx(profile)


def resamples(table: np.ndarray) -> list[np.ndarray]:
    """Every way to draw the seeds of one data set, each as likely as any other."""
    return [table[list(rows)] for rows in itertools.product(range(len(table)), repeat=len(table))]


def assert_between(end: float, neighbours: np.ndarray) -> None:
    """An end of an interval lies between two quantiles of the enumeration, which has steps."""
    assert neighbours[0] - 1e-9 <= end <= neighbours[1] + 1e-9


TINY = [np.array([[0.1, 0.9], [0.4, 0.7]]), np.array([[0.2], [0.35], [0.8]])]


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_the_bootstrap_draws_from_all_resamples(statistic) -> None:
    drawn = [statistic(*pool(tables)) for tables in itertools.product(*map(resamples, TINY))]
    assert len(drawn) == 2**2 * 3**3
    found = statistic(pool(TINY)[0], bootstrap_weights(TINY, 100_000, np.random.default_rng(0)))
    assert stats.ks_2samp(np.round(drawn, 9), np.round(found, 9)).statistic < 0.01
    value, low, high = stratified_interval(TINY, statistic, resamples=100_000, confidence=0.8)
    assert value == pytest.approx(statistic(*pool(TINY)))
    assert_between(low, np.quantile(drawn, [0.09, 0.11]))
    assert_between(high, np.quantile(drawn, [0.89, 0.91]))


def test_a_seed_keeps_its_tasks_together() -> None:
    # Each seed has the same mean over its tasks: drawing seeds changes nothing.
    tables = [np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])]
    assert stratified_interval(tables, mean) == pytest.approx((0.5, 0.5, 0.5))


def test_data_sets_are_not_mixed() -> None:
    tables = [np.zeros((3, 2)), np.ones((4, 2))]
    assert stratified_interval(tables, mean) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize(("seeds", "least", "most"), [(4, 0.8, 0.9), (16, 0.9, 0.98)])
def test_the_interval_covers(seeds: int, least: float, most: float) -> None:
    """Nominally 95%; with few seeds the percentile interval is known to be too narrow."""
    rng = np.random.default_rng(0)
    centres = np.array([0.2, 0.5, 0.6, 0.9])

    def sample(seeds: int) -> list[np.ndarray]:
        return [
            c + 0.1 * rng.normal(size=(seeds, 1)) + 0.05 * rng.normal(size=(seeds, 5))
            for c in centres
        ]

    truth = interquartile_mean(*pool(sample(20_000)))
    hits = 0
    for _ in range(300):
        _, low, high = stratified_interval(sample(seeds), resamples=300)
        hits += low <= truth <= high
    assert least <= hits / 300 <= most


@given(scores(((3, 2), (2, 3))), scores(((4, 2), (2, 3))))
def test_improvement_is_mann_and_whitneys(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    shares = []
    for x, y in zip(a, b, strict=True):
        by_task = []
        for task in range(x.shape[1]):
            wins = 0.0
            for i in x[:, task]:
                for j in y[:, task]:
                    wins += 1.0 if i > j else 0.5 if i == j else 0.0
            by_task.append(wins / (len(x) * len(y)))
        shares.append(sum(by_task) / len(by_task))
    assert improvement(a, b) == pytest.approx(sum(shares) / 2)
    assert improvement(a, b) + improvement(b, a) == pytest.approx(1)
    value, low, high = improvement_interval(a, b, resamples=100)
    assert value == improvement(a, b)
    assert 0 <= low <= high <= 1 + 1e-12


def test_improvement_on_one_task_is_scipys_u() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 6, size=(9, 1)) / 5, rng.integers(0, 6, size=(7, 1)) / 5
    u = stats.mannwhitneyu(x.ravel(), y.ravel()).statistic
    assert improvement([x], [y]) == pytest.approx(u / 63)


@pytest.mark.parametrize("swap", [False, True])
def test_the_interval_of_improvement_draws_both_sides(swap: bool) -> None:
    few, many = [np.array([[0.2], [0.6]])], [np.array([[0.1], [0.4], [0.9]])]
    a, b = (many, few) if swap else (few, many)
    drawn = [improvement([x], [y]) for x in resamples(a[0]) for y in resamples(b[0])]
    assert len(drawn) == 4 * 27
    for confidence in (0.3, 0.5, 0.7, 0.9):
        _, low, high = improvement_interval(a, b, resamples=20_000, confidence=confidence)
        tail = (1 - confidence) / 2
        assert_between(low, np.quantile(drawn, [tail - 0.01, tail + 0.01]))
        assert_between(high, np.quantile(drawn, [0.99 - tail, 1.01 - tail]))


def test_the_difference_of_one_pair_is_welchs() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(1, 1, 5), rng.normal(0, 1, 5)
    b = (b - b.mean()) / b.std() * a.std() + b.mean()  # the same spread: 8 degrees of freedom
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    middle, low, high = difference_interval([(a, b)])
    assert middle == pytest.approx(a.mean() - b.mean())
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-3)
    a, b = rng.normal(1, 1, 8), rng.normal(0, 3, 4)  # rounding down widens, by little
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    _, low, high = difference_interval([(a, b)])
    assert 1 <= (high - low) / (expected.high - expected.low) < 1.15


def test_the_mean_difference_covers() -> None:
    rng = np.random.default_rng(2)
    spread = (0.1, 0.3, 1.0)
    hits = 0
    for _ in range(400):
        pairs = [(rng.normal(0.5, s, 4), rng.normal(0.2, s, 4)) for s in spread]
        _, low, high = difference_interval(pairs)
        hits += low <= 0.3 <= high
    assert 0.92 <= hits / 400 <= 0.99


def test_seeds_that_agree_leave_no_doubt() -> None:
    assert difference_interval([(np.ones(3), np.zeros(3))]) == (1.0, 1.0, 1.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    first, again, other = (stratified_interval(TINY, resamples=9, seed=n) for n in (1, 1, 2))
    assert first == again != other


def test_what_cannot_be_judged_is_refused() -> None:
    two = np.ones((2, 1))
    with pytest.raises(ValueError, match="at least one"):
        pool([])
    with pytest.raises(ValueError, match="finite"):
        pool([np.array([[np.nan]])])
    with pytest.raises(ValueError, match="2 seeds in each data set"):
        stratified_interval([two, np.ones((1, 5))])
    for other in ([two, two], [np.ones((2, 3))]):
        with pytest.raises(ValueError, match="same data sets, with the same tasks"):
            improvement([two], other)
    for pairs in ([], [(np.ones(3), np.ones(1))]):
        with pytest.raises(ValueError, match="at least 2 seeds on each side"):
            difference_interval(pairs)
    with pytest.raises(ValueError, match="finite values"):
        difference_interval([(np.ones(3), np.array([0.0, np.inf]))])


def test_summaries_are_of_data_sets_that_all_share():
    half_done = {("ours", "gcbc"): {"medium": 1, "large": 2}, ("ours", "gciql"): {"medium": 3}}
    assert shared(half_done) == (["medium"], ["ours gciql has no runs on large"])
    assert shared({**half_done, "qrl": ["large"]}) == (
        [],
        ["ours gciql has no runs on large", "qrl has no runs on medium"],
    )
    assert shared({"a": ["x", "y"], "b": ["y", "x"]}) == (["x", "y"], [])
    assert shared({}) == ([], [])
