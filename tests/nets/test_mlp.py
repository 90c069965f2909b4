"""The perceptrons against the layers written out by hand in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from goalward.nets.mlp import MLP, ResidualMLP


def swish(x):
    return x / (1 + np.exp(-x))


def dense(params, index, x):
    layer = params["params"][f"Dense_{index}"]
    return x @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])


def test_mlp_is_its_layers_in_turn():
    net = MLP((5, 7, 3))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2)))
    params = net.init(jax.random.key(0), x)
    by_hand = dense(params, 2, swish(dense(params, 1, swish(dense(params, 0, x)))))
    np.testing.assert_allclose(net.apply(params, x), by_hand, atol=1e-5)


def test_mlp_final_activation_and_activation_are_used():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 2)))
    plain, bounded = MLP((4, 3), nn.relu), MLP((4, 3), nn.relu, final_activation=nn.tanh)
    params = plain.init(jax.random.key(0), x)
    by_hand = dense(params, 1, np.maximum(dense(params, 0, x), 0))
    np.testing.assert_allclose(plain.apply(params, x), by_hand, atol=1e-5)
    np.testing.assert_allclose(bounded.apply(params, x), np.tanh(by_hand), atol=1e-5)


def test_mlp_without_widths_says_what_is_missing():
    with pytest.raises(ValueError, match="at least one width"):
        MLP(()).init(jax.random.key(0), jnp.zeros((1, 2)))


def test_mlp_maps_any_batch_shape_and_starts_with_unit_gain():
    x = jnp.asarray(np.random.default_rng(2).normal(size=(3, 5, 400)))
    net = MLP((300,))
    out = np.asarray(net.apply(net.init(jax.random.key(0), x), x))
    assert out.shape == (3, 5, 300)
    assert 0.9 < out.std() < 1.1


def test_residual_mlp_is_its_blocks_in_turn():
    net = ResidualMLP(width=6, blocks=2, out=3)
    x = jnp.asarray(np.random.default_rng(3).normal(size=(4, 2)))
    params = net.init(jax.random.key(0), x)
    h = swish(dense(params, 0, x))
    for block in range(2):
        inner = dense(params, 2 + 2 * block, swish(dense(params, 1 + 2 * block, h)))
        h = swish(h + inner)
    np.testing.assert_allclose(net.apply(params, x), dense(params, 5, h), atol=1e-5)


def test_residual_mlp_counts_its_parameters():
    net = ResidualMLP(width=64, blocks=5, out=32)
    params = net.init(jax.random.key(0), jnp.zeros((1, 46)))
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == (46 * 64 + 64) + 10 * (64 * 64 + 64) + (64 * 32 + 32)
