"""Velocity fields: the layers in NumPy; Euler's method by hand and against exact flows."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.nets.flow import VelocityField, integrate
from offline_oracles import double, normalized_mlp

RNG = np.random.default_rng(0)
STATE, GOAL, X, T = (jnp.asarray(RNG.normal(size=(6, d)), jnp.float32) for d in (3, 2, 4, 1))


@pytest.mark.parametrize("condition", [(STATE, GOAL), STATE, ()], ids=["two", "one", "none"])
def test_layers_in_turn(condition):
    net = VelocityField((7, 5))
    params = jax.jit(net.init)(jax.random.key(0), condition, X, T)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases and scales of their own
    layers = {"params": double(params)["params"]["NormalizedMLP_0"]}
    by_hand = normalized_mlp(layers, *jax.tree.leaves(condition), X, T)
    got = jax.jit(net.apply)(params, condition, X, T)
    assert got.shape == X.shape
    np.testing.assert_allclose(got, by_hand, atol=1e-5)


def test_two_steps_by_hand():
    """From 1, the field x + 10 t: 1 -> 1 + 1/2 = 1.5 -> 1.5 + (1.5 + 5) / 2."""
    x = integrate(lambda x, t: x + 10 * t, jnp.array([[1.0]]), 2)
    assert float(x[0, 0]) == pytest.approx(4.75)


@settings(max_examples=20)
@given(st.integers(1, 12), st.floats(-2, 2, width=32), st.integers(-3, 3))
def test_a_linear_field_is_a_power(steps, rate, start):
    """x' = a x by Euler is (1 + a / K)^K; the field 3 t² gives the sum of its left ends."""
    x = integrate(lambda x, t: rate * x, jnp.array([start / 2, 1.0]), steps)
    np.testing.assert_allclose(
        x, np.array([start / 2, 1]) * (1 + rate / steps) ** steps, rtol=1e-4, atol=1e-30
    )
    y = integrate(lambda x, t: 3 * t**2 + 0 * x, jnp.zeros((2, 1)), steps)
    expected = sum(3 * (k / steps) ** 2 for k in range(steps)) / steps
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_twice_the_steps_halve_the_error():
    field = lambda x, t: x * jnp.cos(3 * t)  # noqa: E731
    truth = np.exp(np.sin(3.0) / 3)
    errors = [float(integrate(field, jnp.ones((1, 1)), k)[0, 0]) - truth for k in (20, 40, 80)]
    for coarse, fine in itertools.pairwise(errors):
        assert fine / coarse == pytest.approx(0.5, abs=0.05)


def test_no_step_is_refused():
    with pytest.raises(ValueError, match="at least 1 step"):
        integrate(lambda x, t: x, jnp.ones((1, 1)), 0)
