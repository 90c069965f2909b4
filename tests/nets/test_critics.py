"""Critics: all pairs agree with one pair at a time, and with the plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from goalward.nets.critics import (
    EmbeddingCritic,
    GoalTableCritic,
    InnerProductCritic,
    L2Critic,
    MLPCritic,
    TableCritic,
)
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


def test_an_embedding_critic_reads_its_vectors_by_state_and_action():
    critic = EmbeddingCritic(states=3, actions=2, dim=4)
    state, action, goal = jnp.array([2, 0, 1]), jnp.array([1, 0, 1]), jnp.array([0, 2, 2])
    params = critic.init(jax.random.key(5), (state, action), goal)
    phi, psi = (np.asarray(params["params"][name]) for name in ("phi", "psi"))
    assert phi.shape == (6, 4)
    expected = [phi[5] @ psi[0], phi[0] @ psi[2], phi[3] @ psi[2]]  # row 2 s + a
    np.testing.assert_allclose(critic.apply(params, (state, action), goal), expected, rtol=1e-5)
    logits = critic.apply(params, (state, action), goal[:2], method="pairwise")
    table = phi.reshape(3, 2, 4)[np.asarray(state), np.asarray(action)] @ psi[[0, 2]].T
    np.testing.assert_allclose(logits, table, rtol=1e-5)


@pytest.mark.parametrize("eye", [None, nn.Dense(5)])
def test_an_inner_product_critic_multiplies_what_its_two_towers_say(eye):
    critic = InnerProductCritic(nn.Dense(7), nn.Dense(7), observation_encoder=eye)
    actions = jax.random.normal(jax.random.key(6), (6, 2))
    futures = STATES[::-1] + 1
    params = critic.init(jax.random.key(7), (STATES, actions), futures)

    def layer(name, x):
        told = params["params"][name]
        return np.asarray(x @ told["kernel"] + told["bias"])

    seen, ahead = (x if eye is None else layer("observation_encoder", x) for x in (STATES, futures))
    phi = layer("anchor_encoder", np.concatenate([seen, actions], axis=-1))
    psi = layer("future_encoder", ahead)
    own = critic.apply(params, (STATES, actions), futures)
    np.testing.assert_allclose(own, np.sum(phi * psi, axis=-1), rtol=1e-4)
    logits = critic.apply(params, (STATES, actions), futures[:4], method="pairwise")
    np.testing.assert_allclose(logits, phi @ psi[:4].T, rtol=1e-4, atol=1e-5)


def test_a_goal_table_has_a_row_for_each_state_action_and_goal():
    critic = GoalTableCritic(states=3, actions=2, goals=4)
    table = jnp.arange(72.0).reshape(3, 2, 4, 3)
    params = {"params": {"table": table.reshape(24, 3)}}
    anchors = (jnp.array([2, 0, 1]), jnp.array([1, 1, 0]), jnp.array([3, 0, 2]))
    futures = jnp.array([1, 2, 0])
    own = critic.apply(params, anchors, futures)
    np.testing.assert_array_equal(own, table[(*anchors, futures)])
    logits = critic.apply(params, anchors, futures[:2], method="pairwise")
    np.testing.assert_array_equal(logits, table[anchors][:, futures[:2]])
    # With one policy the commanded goal is ignored.
    alone = GoalTableCritic(states=3, actions=2)
    params = {"params": {"table": table[:, :, 0].reshape(6, 3)}}
    np.testing.assert_array_equal(
        alone.apply(params, anchors, futures), table[anchors[0], anchors[1], 0, futures]
    )
