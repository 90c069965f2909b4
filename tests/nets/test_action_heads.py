"""The critic with one head an action."""

import jax
import jax.numpy as jnp
import numpy as np

from goalward.nets.action_heads import ActionHeadsCritic
from goalward.nets.mlp import MLP


def test_all_ways_to_ask_agree_with_the_dot_product():
    critic = ActionHeadsCritic(3, MLP((8, 3 * 4)), MLP((8, 4)))
    states, futures = jax.random.normal(jax.random.key(0), (2, 5, 6))
    actions = jnp.array([2, 0, 1, 1, 2])
    params = critic.init(jax.random.key(1), (states, actions), futures)
    heads = MLP((8, 12)).apply({"params": params["params"]["state_encoder"]}, states)
    psi = MLP((8, 4)).apply({"params": params["params"]["future_encoder"]}, futures)
    table = critic.apply(params, (states, actions), futures, method="pairwise")
    for i in range(5):
        head = heads[i, 4 * int(actions[i]) : 4 * int(actions[i]) + 4]
        for j in range(5):
            np.testing.assert_allclose(table[i, j], np.dot(head, psi[j]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        critic.apply(params, (states, actions), futures), np.diag(table), rtol=1e-4, atol=1e-5
    )


def test_one_layer_on_one_hot_states_is_a_table():
    critic = ActionHeadsCritic(2, MLP((2 * 3,)), MLP((3,)))
    states = jnp.eye(4)
    params = critic.init(jax.random.key(0), (states, jnp.zeros(4, int)), states)
    phi = params["params"]["state_encoder"]["Dense_0"]["kernel"].reshape(4, 2, 3)
    psi = params["params"]["future_encoder"]["Dense_0"]["kernel"]
    for a in range(2):
        table = critic.apply(params, (states, jnp.full(4, a)), states, method="pairwise")
        np.testing.assert_allclose(table, phi[:, a] @ psi.T, rtol=1e-4, atol=1e-6)
