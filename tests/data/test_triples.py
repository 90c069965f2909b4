"""The Gaussian triple against scipy's densities and its own samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from goalward.data.triples import random_triple, two_views

PARTS = {"a": slice(0, 3), "b": slice(3, 5), "c": slice(5, 8)}


@given(st.integers(0, 1000), st.sampled_from(["ac", "ab", "bc", "ca"]), st.sampled_from([0.0, 1.5]))
def test_log_ratios_are_those_of_the_densities(seed, names, shared):
    rng = np.random.default_rng(seed)
    triple = random_triple(rng, (3, 2, 3), noise=0.7, shared=shared)
    draws = dict(zip("abc", triple.sample(rng, 4), strict=True))
    x, y = (draws[name] for name in names)
    i, j = (PARTS[name] for name in names)
    both = np.r_[np.arange(8)[i], np.arange(8)[j]]
    joint = multivariate_normal(triple.mean[both], triple.cov[np.ix_(both, both)])
    left = multivariate_normal(triple.mean[i], triple.cov[i, i])
    right = multivariate_normal(triple.mean[j], triple.cov[j, j])
    got = triple.log_ratio(x, y, names)
    for k in range(4):
        for m in range(4):
            exact = joint.logpdf(np.r_[x[k], y[m]]) - left.logpdf(x[k]) - right.logpdf(y[m])
            assert got[k, m] == pytest.approx(exact, abs=1e-7)


def test_samples_have_the_moments_of_the_recipe():
    rng = np.random.default_rng(0)
    hidden, view_a, view_c = np.diag([1.0, 2.0]), rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    mean = np.array([1.0, -1.0])
    triple = two_views(hidden, view_a, view_c, 0.5, 0.8, mean)
    drawn = np.hstack(triple.sample(rng, 200_000))
    b = mean + rng.normal(size=(200_000, 2)) * np.sqrt([1.0, 2.0])
    common = 0.8 * rng.normal(size=(200_000, 3))
    a, c = (b @ v.T + common + 0.5 * rng.normal(size=common.shape) for v in (view_a, view_c))
    recipe = np.hstack([a, b, c])
    np.testing.assert_allclose(drawn.mean(0), recipe.mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(recipe.T), atol=0.15)


def test_the_markov_triple_keeps_both_pairs_and_cuts_the_third():
    triple = random_triple(np.random.default_rng(1), (3, 2, 3), noise=0.7, shared=1.5)
    cut = triple.markov()
    np.testing.assert_array_equal(cut.cov[:5, :5], triple.cov[:5, :5])
    np.testing.assert_array_equal(cut.cov[3:, 3:], triple.cov[3:, 3:])
    np.testing.assert_allclose(cut.cov, cut.cov.T, atol=1e-12)
    precision = np.linalg.inv(cut.cov)
    np.testing.assert_allclose(precision[:3, 5:], 0, atol=1e-9)  # independent given B
    assert np.abs(np.linalg.inv(triple.cov)[:3, 5:]).max() > 0.1
    plain = random_triple(np.random.default_rng(1), (3, 2, 3), noise=0.7)
    np.testing.assert_allclose(plain.markov().cov, plain.cov, atol=1e-12)


def test_views_of_different_size_share_nothing():
    with pytest.raises(ValueError, match="equal sizes"):
        two_views(np.eye(2), np.ones((3, 2)), np.ones((4, 2)), 1.0, shared=1.0)
    assert two_views(np.eye(2), np.ones((3, 2)), np.ones((4, 2)), 1.0).dims == (3, 2, 4)


def test_a_random_triple_follows_the_papers_recipe():
    """B has covariance M^T M; M, both views and the mean are uniform on (-1, 1), in this order."""
    rng = np.random.default_rng(5)
    root, view_a, view_c = (rng.uniform(-1, 1, size=s) for s in ((3, 3), (4, 3), (4, 3)))
    mean = rng.uniform(-1, 1, size=3)
    triple = random_triple(np.random.default_rng(5), (4, 3, 4), noise=0.5, shared=0.7)
    b = root.T @ root
    np.testing.assert_allclose(triple.cov[4:7, 4:7], b)
    np.testing.assert_allclose(triple.cov[:4, 4:7], view_a @ b)
    np.testing.assert_allclose(triple.cov[:4, 7:], view_a @ b @ view_c.T + 0.49 * np.eye(4))
    np.testing.assert_allclose(triple.mean, np.r_[view_a @ mean, mean, view_c @ mean])
    plain = random_triple(np.random.default_rng(5)).cov  # the paper's sizes and noise
    assert plain.shape == (80, 80)
    np.testing.assert_allclose(np.linalg.eigvalsh(plain[:32, :32])[0], 4.0)
