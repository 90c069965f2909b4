"""LINEX: its minimiser by golden section, its slope by differences, its tail by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from goalward.losses.distances import linex, pairs_mean

nats = st.lists(st.floats(0.0, 12.0, width=32), min_size=3, max_size=8)


@given(nats, st.floats(0.5, 0.99), st.integers(0, 5))
def test_the_minimiser_averages_discounted_probabilities(targets, gamma, shift):
    targets = np.array(targets)
    steps = (np.arange(len(targets)) + shift) % 6 + 1  # a discount of its own for each row

    def mean(d):  # the definition in float64
        return np.mean(gamma**steps * np.exp(d - targets) - d)

    best = optimize.minimize_scalar(mean, bracket=(-5, 20), tol=1e-12).x
    expected = -np.log(np.mean(gamma**steps * np.exp(-targets)))
    assert best == pytest.approx(expected, abs=1e-5)
    slope = jax.grad(lambda d: linex(d, jnp.array(targets), steps * jnp.log(gamma)).mean())
    assert abs(slope(jnp.float32(expected))) < 1e-4


def test_by_hand():
    loss = linex(jnp.array([2.0, 1.0]), jnp.array([1.0, 3.0]), jnp.log(jnp.array([0.5, 0.25])))
    np.testing.assert_allclose(loss, [0.5 * np.e - 2, 0.25 * np.exp(-2) - 1], rtol=1e-6)
    # Targets of shape (rows, 1) serve all columns.
    table = linex(jnp.zeros((2, 3)), jnp.array([[0.0], [1.0]]))
    np.testing.assert_allclose(table, [[1.0] * 3, [np.exp(-1)] * 3], rtol=1e-6)


def test_far_above_its_target_it_is_linear_and_cannot_overflow():
    d = jnp.array([-5.0, 2.9, 3.1, 500.0])
    loss, slope = jax.vmap(
        jax.value_and_grad(lambda d: linex(d, jnp.zeros(()), jnp.log(0.9), 3.0))
    )(d)
    np.testing.assert_allclose(
        loss, [0.9 * np.exp(-5) + 5, 0.9 * np.exp(2.9) - 2.9, 3.1, 500.0], rtol=1e-5
    )
    np.testing.assert_allclose(
        slope, [0.9 * np.exp(-5) - 1, 0.9 * np.exp(2.9) - 1, 1.0, 1.0], rtol=1e-5
    )


def test_it_is_a_bregman_divergence_up_to_what_the_target_fixes():
    rng = np.random.default_rng(0)
    d, target = rng.uniform(0, 6, (2, 50))
    p, q = np.exp(-target), np.exp(-d)  # of F = -log, from the target to the distance
    divergence = -np.log(p) + np.log(q) + (p - q) / q
    loss = linex(jnp.array(d), jnp.array(target))
    np.testing.assert_allclose(loss, divergence - target + 1, rtol=1e-5, atol=1e-5)


def test_own_pairs_weigh_more():
    table = np.random.default_rng(0).normal(size=(2, 4, 4))
    total = 0.0
    for k, i, j in np.ndindex(2, 4, 4):
        total += table[k, i, j] * (0.7 / 32 + (0.3 / 8 if i == j else 0))
    assert pairs_mean(jnp.array(table), 0.3) == pytest.approx(total, rel=1e-5)
    assert pairs_mean(jnp.array(table[0]), 0.0) == pytest.approx(table[0].mean(), rel=1e-5)
