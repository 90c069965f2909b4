"""Critics: all pairs agree with one pair at a time, and with the plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from goalward.nets.critics import L2Critic, MLPCritic, TableCritic
from goalward.nets.mlp import MLP

STATES = jax.random.normal(jax.random.key(0), (6, 3))
GOALS = jax.random.normal(jax.random.key(1), (4, 3))


def encoder():
    return MLP((8, 5), activation=nn.swish)


@pytest.mark.parametrize("critic", [L2Critic(encoder(), encoder()), MLPCritic((8, 8))])
def test_pairwise_equals_one_pair_at_a_time(critic):
    params = critic.init(jax.random.key(2), STATES, GOALS, method="pairwise")
    logits = critic.apply(params, STATES, GOALS, method="pairwise")
    assert logits.shape == (6, 4)
    for i in range(6):
        repeated = jnp.broadcast_to(STATES[i], GOALS.shape)
        np.testing.assert_allclose(logits[i], critic.apply(params, repeated, GOALS), rtol=2e-5)


def test_l2_uses_its_two_encoders_and_has_finite_gradients():
    critic = L2Critic(encoder(), encoder())
    params = critic.init(jax.random.key(3), STATES, STATES)
    phi = encoder().apply({"params": params["params"]["state_encoder"]}, STATES)
    psi = encoder().apply({"params": params["params"]["goal_encoder"]}, STATES)
    expected = -np.linalg.norm(phi - psi, axis=-1)
    np.testing.assert_allclose(critic.apply(params, STATES, STATES), expected, rtol=1e-5)
    zeros = jax.tree.map(jnp.zeros_like, params)  # both encodings coincide
    gradient = jax.grad(lambda p: critic.apply(p, STATES, STATES).sum())(zeros)
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradient))


def test_mlp_is_a_perceptron_on_the_concatenated_pair():
    critic = MLPCritic((8, 7))
    params = critic.init(jax.random.key(4), STATES, STATES)["params"]
    kernel = jnp.concatenate([params["state_layer"]["kernel"], params["goal_layer"]["kernel"]])
    hidden = jnp.concatenate([STATES, STATES], axis=-1) @ kernel + params["state_layer"]["bias"]
    expected = MLP((7, 1)).apply({"params": params["tail"]}, jax.nn.swish(hidden))[:, 0]
    logits = critic.apply({"params": params}, STATES, STATES)
    np.testing.assert_allclose(logits, expected, rtol=1e-5)


def test_table_reads_row_then_column():
    critic = TableCritic(anchors=3, candidates=4)
    table = jnp.arange(12.0).reshape(3, 4)
    params = {"params": {"table": table}}
    anchors, candidates = jnp.array([2, 0]), jnp.array([1, 3])
    np.testing.assert_array_equal(critic.apply(params, anchors, candidates), [9.0, 3.0])
    logits = critic.apply(params, anchors, candidates, method="pairwise")
    np.testing.assert_array_equal(logits, [[9.0, 11.0], [1.0, 3.0]])
    initial = critic.init(jax.random.key(0), anchors, candidates)
    assert initial["params"]["table"].shape == (3, 4)
