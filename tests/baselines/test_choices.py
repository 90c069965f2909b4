"""Offline agents that choose among actions, and crops of their images."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines.gciql import GCIQL
from goalward.baselines.offline import OfflineGCBC
from goalward.baselines.qrl import QRL
from goalward.bench.offline.agents import OfflineContrastiveRL
from goalward.data.crops import JointCrop
from goalward.data.trajectories import from_trajectories
from goalward.losses.logistic import all_pairs_nce
from goalward.nets.images import Reading
from goalward.nets.normalized import GoalValue, NormalizedMLP, ScaledInnerProductCritic
from goalward.nets.plain_policies import CategoricalPolicy
from goalward.nets.quasimetric import IQECritic
from offline_oracles import (
    double,
    goal_value,
    iqe_distance,
    member,
    normalized_mlp,
    policy_head,
    random_batch,
    random_state,
)

CHOICES = jnp.array([0, 2, 1, 1, 0, 2, 0, 2, 1])
BATCH = dataclasses.replace(random_batch(), action=CHOICES)
ROWS = double(BATCH)
ONE_HOT = np.eye(3)[CHOICES]
ACTOR = Reading(None, CategoricalPolicy(3, (5,)), actions=3)


def tower() -> NormalizedMLP:
    return NormalizedMLP((4, 6))


def inner_critic() -> Reading:
    return Reading(None, ScaledInnerProductCritic(tower(), tower()), actions=3)


def metrics_of(agent, state):
    """The loss's value and parts, and how its actor's part changes with the other networks."""
    key = jax.random.key(0)
    return jax.jit(agent.loss)(state.params, state, BATCH, key)[1]


def network(params):
    """Without the wrapping that reads images and choices."""
    return {"params": params["params"]["network"]}


def imitation(params, advantage, sharpness):
    """Row by row: the recorded action's log probability, weighted."""
    total = 0.0
    for i, choice in enumerate(CHOICES):
        logits = policy_head(network(params["actor"]), ROWS.state[i], ROWS.actor_goal[i])
        log_prob = logits[choice] - np.log(np.exp(logits).sum())
        total -= min(np.exp(sharpness * advantage[i]), 100.0) * log_prob / len(CHOICES)
    return total


def test_implicit_q_learning_imitates_what_did_well():
    agent = GCIQL(
        actor=ACTOR,
        critic=Reading(None, GoalValue((5,)), actions=3),
        state_value=GoalValue((4,)),
        gamma=0.9,
        kappa=0.8,
        sharpness=2.0,
    )
    state = random_state(agent, BATCH)
    metrics, params, target = metrics_of(agent, state), double(state.params), double(
        state.target_params
    )  # fmt: skip

    def q(p, goal):
        return [
            goal_value(network(member(p["critic"], k)), ROWS.state, ONE_HOT, goal) for k in range(2)
        ]

    def v(states, goal):
        return goal_value(params["value"], states, goal)

    advantage = np.min(q(params, ROWS.actor_goal), axis=0) - v(ROWS.state, ROWS.actor_goal)
    np.testing.assert_allclose(metrics["actor"], imitation(params, advantage, 2.0), rtol=1e-5)
    error = np.min(q(target, ROWS.goal), axis=0) - v(ROWS.state, ROWS.goal)
    wanted = ROWS.reward + 0.9 * ROWS.mask * v(ROWS.next_state, ROWS.goal)
    fit = np.mean(np.where(error >= 0, 0.8, 0.2) * error**2)
    fit += sum(np.mean((wanted - one) ** 2) for one in q(params, ROWS.goal))
    np.testing.assert_allclose(metrics["critic"], fit, rtol=1e-5)

    def actors(params):
        return agent.extract(params, BATCH, jax.random.key(0))

    gradient = jax.jit(jax.grad(actors))(state.params)
    assert all(
        (leaf == 0).all() for leaf in jax.tree.leaves([gradient["critic"], gradient["value"]])
    )
    assert any((leaf != 0).any() for leaf in jax.tree.leaves(gradient["actor"]))


def test_quasimetric_rl_imitates_what_came_closer():
    critic = IQECritic(NormalizedMLP((5, 6)), components=3)
    agent = QRL(actor=ACTOR, critic=critic, dynamics=None, sharpness=1.5)
    state = random_state(agent, BATCH)
    metrics, params = metrics_of(agent, state), double(state.params)
    assert set(params) == {"actor", "critic", "log"}
    assert set(metrics) == {"quasimetric", "actor", "multiplier"}
    leaves = params["critic"]["params"]
    code = lambda s: normalized_mlp({"params": leaves["encoder"]}, s)  # noqa: E731
    mix = 1 / (1 + np.exp(-leaves["mix_logit"]))

    def distances(states):
        return np.array(
            [
                iqe_distance(code(s), code(g), 3, mix)
                for s, g in zip(states, ROWS.actor_goal, strict=True)
            ]
        )

    closer = distances(ROWS.state) - distances(ROWS.next_state)
    np.testing.assert_allclose(metrics["actor"], imitation(params, closer, 1.5), rtol=1e-5)
    for networks in ({"dynamics": None}, {"dynamics": tower(), "sharpness": 1.0}):
        with pytest.raises(ValueError, match="dynamics"):
            QRL(actor=ACTOR, critic=critic, **networks)


def test_contrastive_rl_compares_actions_with_their_state():
    agent = OfflineContrastiveRL(
        actor=ACTOR,
        critic=inner_critic(),
        state_critic=inner_critic(),
        contrast=all_pairs_nce,
        gamma=0.9,
        sharpness=2.0,
    )
    state = random_state(agent, BATCH)
    metrics, params = metrics_of(agent, state), double(state.params)

    def table(p, goal, *anchor):
        leaves = p["params"]["network"]
        phi = normalized_mlp({"params": leaves["anchor_encoder"]}, *anchor)
        psi = normalized_mlp({"params": leaves["future_encoder"]}, goal)
        return phi @ psi.T / np.sqrt(6)

    def cross_entropy(logits):
        own = 1 / (1 + np.exp(-logits))
        return -np.where(np.eye(len(own), dtype=bool), np.log(own), np.log(1 - own)).mean()

    twins = [member(params["critic"], k) for k in range(2)]
    told = ROWS.actor_goal
    q = np.min([np.diagonal(table(p, told, ROWS.state, ONE_HOT)) for p in twins], axis=0)
    advantage = q - np.diagonal(table(params["value"], told, ROWS.state))
    np.testing.assert_allclose(metrics["actor"], imitation(params, advantage, 2.0), rtol=1e-5)
    loss = np.mean([cross_entropy(table(p, ROWS.goal, ROWS.state, ONE_HOT)) for p in twins])
    loss += cross_entropy(table(params["value"], ROWS.goal, ROWS.state))
    np.testing.assert_allclose(metrics["critic"], loss, rtol=1e-5)
    for missing in ({"sharpness": None}, {"state_critic": None}):
        with pytest.raises(ValueError, match="needs a state_critic"):
            dataclasses.replace(agent, **missing)


def test_a_rows_images_share_one_window_and_half_of_the_batches_are_not_cropped():
    places = jnp.arange(25, dtype=jnp.uint8).reshape(5, 5, 1)  # a pixel says where it was
    data = from_trajectories(jnp.broadcast_to(places, (3, 4, 5, 5, 1)), jnp.zeros((3, 4), int))
    agent = OfflineGCBC(actor=ACTOR, gamma=0.9, batch_size=12, crop=JointCrop(1, 0.5))
    keys = jax.random.split(jax.random.key(0), 300)
    drawn = jax.jit(jax.vmap(lambda key: agent.batch(data, key)))(keys)
    for field in ("next_state", "next_goal", "goal", "actor_goal"):
        np.testing.assert_array_equal(getattr(drawn, field), drawn.state)
    centres = np.asarray(drawn.state)[:, :, 2, 2, 0]
    moved = (centres != 12).any(axis=1)
    assert 0.4 < moved.mean() < 0.6  # 3.5 deviations of a fair coin
    found = np.bincount(centres[moved].ravel(), minlength=25).reshape(5, 5)
    assert found.sum() == found[1:4, 1:4].sum()
    np.testing.assert_allclose(found[1:4, 1:4] / found.sum(), 1 / 9, atol=0.03)
