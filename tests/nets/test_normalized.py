"""OGBench's value networks against their layers written out in NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from goalward.nets.conv import ConvEncoder
from goalward.nets.critics import InnerProductCritic
from goalward.nets.normalized import FAN_AVG, GoalValue, NormalizedMLP, ScaledInnerProductCritic
from offline_oracles import double, goal_value, normalized_mlp

RNG = np.random.default_rng(0)
STATE, ACTION, GOAL = (jnp.asarray(RNG.normal(size=(6, n)), jnp.float32) for n in (3, 2, 3))


def test_layers_in_turn():
    net = NormalizedMLP((7, 5, 4))
    params = jax.jit(net.init)(jax.random.key(0), STATE)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases and scales of their own
    by_hand = normalized_mlp(double(params), STATE)
    np.testing.assert_allclose(jax.jit(net.apply)(params, STATE), by_hand, atol=1e-5)


def test_initial_weights_are_uniform_with_the_average_fan():
    weights = np.asarray(FAN_AVG(jax.random.key(0), (300, 100)))
    limit = np.sqrt(6 / 400)
    assert np.abs(weights).max() <= limit
    np.testing.assert_allclose(
        np.quantile(weights, [0.25, 0.75]), [-limit / 2, limit / 2], rtol=0.05
    )


def test_a_value_reads_state_action_and_goal():
    net = GoalValue((8,))
    for anchor, parts in [(STATE, (STATE, GOAL)), ((STATE, ACTION), (STATE, ACTION, GOAL))]:
        params = jax.jit(net.init)(jax.random.key(1), anchor, GOAL)
        by_hand = goal_value(double(params), *parts)
        np.testing.assert_allclose(jax.jit(net.apply)(params, anchor, GOAL), by_hand, atol=1e-5)


def test_images_go_through_one_encoder():
    images = jnp.asarray(RNG.integers(0, 256, size=(2, 5, 8, 8, 3)), jnp.uint8)
    encoder = ConvEncoder((4,), out=6)
    net = GoalValue((8,), encoder)
    params = jax.jit(net.init)(jax.random.key(2), images[0], images[1])
    inside = {"params": params["params"]["observation_encoder"]}
    codes = [np.asarray(encoder.apply(inside, x), np.float64) for x in images]
    by_hand = goal_value(double(params), *codes)
    np.testing.assert_allclose(jax.jit(net.apply)(params, *images), by_hand, atol=1e-5)


def test_the_scaled_inner_product():
    encoders = NormalizedMLP((8, 9)), NormalizedMLP((8, 9))
    critic, plain = ScaledInnerProductCritic(*encoders), InnerProductCritic(*encoders)
    anchor = (STATE, ACTION)
    params = jax.jit(plain.init)(jax.random.key(3), anchor, GOAL)
    for method in (None, "pairwise"):
        scaled, unscaled = (
            jax.jit(partial(c.apply, method=method))(params, anchor, GOAL) for c in (critic, plain)
        )
        np.testing.assert_allclose(3 * scaled, unscaled, rtol=1e-5)


def test_equal_networks_are_equal():
    assert hash(GoalValue((8, 8))) == hash(GoalValue((8, 8)))
    assert GoalValue((8, 8)) == GoalValue((8, 8)) != GoalValue((8, 9))
