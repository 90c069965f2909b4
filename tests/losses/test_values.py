"""Expectiles against bisection and their two known ends; the cross entropy by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.losses.values import cross_entropy, expectile

numbers = st.lists(st.floats(-5, 5, width=32), min_size=6, max_size=6)
SLOPE = jax.jit(jax.grad(lambda v, x, kappa: expectile(x - v, kappa).mean()))


def expectile_by_bisection(x, kappa):
    """The root of sum_i |kappa - 1(x_i < v)| (x_i - v), which falls as v grows."""
    low, high = min(x), max(x)
    for _ in range(200):
        v = (low + high) / 2
        pull = sum((kappa if a >= v else 1 - kappa) * (a - v) for a in x)
        low, high = (v, high) if pull > 0 else (low, v)
    return (low + high) / 2


@given(numbers, st.floats(0.05, 0.99))
def test_the_minimiser_is_the_expectile(x, kappa):
    v = expectile_by_bisection(x, kappa)
    assert abs(SLOPE(v, jnp.array(x), kappa)) < 1e-4


def test_by_hand():
    error = jnp.array([2.0, -1.0, 0.0])
    np.testing.assert_allclose(expectile(error, 0.9), [3.6, 0.1, 0.0], rtol=1e-6)
    np.testing.assert_allclose(expectile(error, 0.5), 0.5 * error**2, rtol=1e-6)
    # The advantage, not the error, chooses the weight, for every head alike; 0 counts as good.
    heads = jnp.stack([error, -error])
    loss = expectile(heads, 0.9, jnp.array([-1.0, 0.0, 3.0]))
    np.testing.assert_allclose(loss, [[0.4, 0.9, 0.0], [0.4, 0.9, 0.0]], rtol=1e-5)


@pytest.mark.parametrize(("kappa", "end"), [(0.5, np.mean), (1 - 1e-6, np.max), (1e-6, np.min)])
def test_from_the_mean_to_the_ends(kappa, end):
    x = np.array([0.3, -2.0, 1.7, 0.4])
    assert expectile_by_bisection(x, kappa) == pytest.approx(end(x), abs=1e-4)
    assert abs(SLOPE(float(end(x)), jnp.array(x), kappa)) < 1e-4


def test_cross_entropy_by_hand():
    """Against the two logarithms, and finite where the value is 0 or 1 in single precision."""
    y = np.array([0.0, 0.25, 1.0])
    p = np.array([0.1, 0.7, 0.6])
    x = np.log(p / (1 - p))
    expected = -y * np.log(p) - (1 - y) * np.log(1 - p)
    got = cross_entropy(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    np.testing.assert_allclose(cross_entropy(jnp.array([200.0, -200.0]), jnp.array(0.5)), 100.0)
    slope = jax.grad(lambda x: cross_entropy(jnp.full(2, x), jnp.array([0.2, 0.9])).mean())
    assert abs(slope(jnp.log(0.55 / 0.45))) < 1e-6
