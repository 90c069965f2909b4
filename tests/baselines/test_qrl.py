"""Quasimetric RL: its loss and gradient by hand, and the distances it ends up with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines.qrl import QRL
from goalward.data import trajectories
from goalward.nets.normalized import NormalizedMLP
from goalward.nets.plain_policies import UnitGaussianPolicy
from goalward.nets.quasimetric import IQECritic
from goalward.protocol import PLAIN
from goalward.training.loop import train
from offline_oracles import (
    check_gradient,
    double,
    gaussian_log_prob,
    iqe_distance,
    normalized_mlp,
    plain_update,
    policy_head,
    random_batch,
    random_state,
)
from offline_walks import CLIMBER, MLP_WIDTHS, check_it_walks_where_it_is_told
from states import only_seed

BATCH = random_batch()
AGENT = QRL(
    actor=UnitGaussianPolicy(2, (6,)),
    critic=IQECritic(NormalizedMLP((7, 12)), components=3),
    dynamics=NormalizedMLP((5, 12)),
    bc=0.7,
    transform=PLAIN,
)


def by_hand(params, held, batch):
    """Row by row from the equations; `held` are parameters that get no gradient."""

    def encode(p, s):
        return normalized_mlp({"params": p["critic"]["params"]["encoder"]}, s)

    def distance(p, x, y):
        return iqe_distance(x, y, 3, 1 / (1 + np.exp(-p["critic"]["params"]["mix_logit"])))

    def predict(p, z, action):
        return z + normalized_mlp(p["dynamics"], z, action)

    def value_of(p, actor, s, told):
        z = encode(p, s)
        proposed = np.clip(policy_head(actor, s, told), -1, 1)
        return -distance(p, predict(p, z, proposed), encode(p, told))

    n = len(batch.reward)
    spread = excess = held_excess = dynamics = q = size = cloning = 0.0
    for i in range(n):
        s, a, after, g, told = (
            x[i] for x in (batch.state, batch.action, batch.next_state, batch.goal,
                           batch.actor_goal)
        )  # fmt: skip
        z, next_z = encode(params, s), encode(params, after)
        far = distance(params, z, encode(params, g))
        spread += 100 * np.log(1 + np.exp(5 - far / 100)) / n
        excess += max(distance(params, z, next_z) - 1, 0) ** 2 / n
        held_excess += max(distance(held, encode(held, s), encode(held, after)) - 1, 0) ** 2 / n
        guess = predict(params, z, a)
        dynamics += (distance(params, next_z, guess) + distance(params, guess, next_z)) / (2 * n)
        q += value_of(held, params["actor"], s, told) / n
        size += abs(value_of(held, held["actor"], s, told)) / n
        cloning += gaussian_log_prob(params["actor"], s, told, a) / n
    quasimetric = spread + np.exp(held["log"]) * excess
    quasimetric += np.exp(params["log"]) * (0.05 - held_excess)
    return quasimetric, dynamics, -q / (size + 1e-6) - 0.7 * cloning


def test_an_update_by_hand():
    state = random_state(AGENT, BATCH)
    metrics, gradient, after = plain_update(AGENT, state, BATCH)
    batch, params = double(BATCH), double(state.params)
    parts = dict(
        zip(("quasimetric", "dynamics", "actor"), by_hand(params, params, batch), strict=True)
    )
    for name, part in parts.items():
        np.testing.assert_allclose(metrics[name], part, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(metrics["loss"], sum(parts.values()), rtol=1e-5)
    np.testing.assert_allclose(metrics["multiplier"], np.exp(params["log"]), rtol=1e-6)
    total = lambda params, held: sum(by_hand(params, held, batch))  # noqa: E731
    check_gradient(total, state.params, gradient, ["actor", "critic", "dynamics", "log"])
    for new, expected in zip(
        *map(jax.tree.leaves, (after.target_params, after.params)), strict=True
    ):
        np.testing.assert_array_equal(new, expected)


def test_distances_on_a_ring_count_steps():
    """One way round a ring of 4: one step forwards is three steps back."""
    n = 4
    walks = (np.arange(60)[:, None] + np.arange(21)) % n
    shortest = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
    agent = QRL(
        actor=UnitGaussianPolicy(1, (4,)),
        critic=IQECritic(NormalizedMLP((32, 32)), components=8),
        dynamics=NormalizedMLP((16, 32)),
        epsilon=0.0025,
        learning_rate=3e-3,
        batch_size=64,
    )
    observations = np.eye(n, dtype=np.float32)[walks]
    data = trajectories.from_trajectories(observations, np.zeros((60, 21, 1), np.float32))
    trained, _ = train(agent, data, jax.random.key(0), 1500)
    params = only_seed(trained.params)

    @jax.jit
    def distances(params):
        z = agent.encode(params, jnp.eye(n))
        return agent.distance(params, z[:, None], z[None, :])

    learned = distances(params)
    np.testing.assert_allclose(learned, shortest, rtol=0.1, atol=0.05)


def test_goals_are_whole_observations():
    with pytest.raises(ValueError, match="goal_entries"):
        QRL(actor=AGENT.actor, critic=AGENT.critic, dynamics=AGENT.dynamics, goal_entries=(0,))


def test_it_walks_where_it_is_told():
    agent = QRL(
        **CLIMBER,
        critic=IQECritic(NormalizedMLP(MLP_WIDTHS), components=4),
        dynamics=NormalizedMLP(MLP_WIDTHS),
    )
    check_it_walks_where_it_is_told(agent)
