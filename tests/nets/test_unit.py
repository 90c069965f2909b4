"""Unit vectors against NumPy in double precision, at all sizes, and their slope."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.nets.unit import unit


@given(st.integers(1, 12), st.floats(-30, 30), st.integers(0, 1000))
def test_only_the_direction_counts(dim, power, seed):
    x = np.random.default_rng(seed).normal(size=(4, dim)) * 10.0**power
    wanted = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(unit(jnp.asarray(x, jnp.float32)), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e25])
def test_the_slope_is_that_of_a_direction(size):
    """The derivative of x / |x| is (1 - u u^T) / |x|; nothing along x, and no loss of scale."""
    x = np.array([3.0, -1.0, 2.0])
    got = jax.jacobian(unit)(jnp.asarray(size * x, jnp.float32))
    u = x / np.linalg.norm(x)
    wanted = (np.eye(3) - np.outer(u, u)) / np.linalg.norm(x)
    np.testing.assert_allclose(np.asarray(got, float) * size, wanted, atol=1e-5)


def test_zero_stays_zero_and_pulls_at_nothing():
    """Beside a row with a direction, so that neither spoils the other."""
    x = jnp.array([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    np.testing.assert_array_equal(unit(x), [[0, 0, 0], [0, 1, 0]])
    slope = jax.grad(lambda x: unit(x).sum())(x)
    np.testing.assert_allclose(slope, [[0, 0, 0], [0.5, 0, 0.5]], atol=1e-6)
