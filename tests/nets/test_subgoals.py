"""Representations of subgoals: their length, and the layers before it in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from goalward.nets.subgoals import SubgoalEncoder, to_sphere
from offline_oracles import double, normalized_mlp

RNG = np.random.default_rng(0)
STATE, GOAL = (jnp.asarray(RNG.normal(size=(6, 3)), jnp.float32) for _ in range(2))


def sphere(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True) * np.sqrt(x.shape[-1])


@given(st.integers(1, 12), st.sampled_from([1e-25, 1e-3, 1.0, 1e3, 1e25]), st.integers(0, 1000))
def test_length_is_the_root_of_the_dimension(dim, scale, seed):
    x = np.random.default_rng(seed).normal(size=(4, dim)).astype(np.float32)
    once = np.asarray(to_sphere(jnp.asarray(scale * x, jnp.float32)))
    np.testing.assert_allclose(once, sphere(x.astype(float)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_sphere(jnp.asarray(once)), once, rtol=1e-5)


def test_zero_has_no_direction():
    zero = jnp.zeros((2, 5))
    np.testing.assert_array_equal(to_sphere(zero), 0)
    assert np.isfinite(jax.grad(lambda x: to_sphere(x)[:, 0].sum())(zero)).all()


def test_layers_in_turn():
    net = SubgoalEncoder((7, 5, 4))
    params = jax.jit(net.init)(jax.random.key(0), STATE, GOAL)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases and scales of their own
    layers = {"params": double(params)["params"]["NormalizedMLP_0"]}
    by_hand = sphere(normalized_mlp(layers, STATE, GOAL))
    np.testing.assert_allclose(jax.jit(net.apply)(params, STATE, GOAL), by_hand, atol=1e-5)
