"""MQE: the loss and its gradient by hand, where waypoints lie, and what a backup carries home."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines.offline import ACTOR_GOALS
from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture, WaypointBatch, waypoint_batch
from goalward.methods.mqe import MQE
from goalward.nets.action_metric import ActionMetric
from goalward.nets.normalized import NormalizedMLP
from goalward.nets.plain_policies import UnitGaussianPolicy
from goalward.protocol import PLAIN
from offline_oracles import (
    actor_by_hand,
    check_gradient,
    double,
    linex_of,
    metric_distance,
    plain_update,
    random_batch,
    random_state,
)

GAMMA, BEYOND, DIAGONAL, BC = 0.8, 0.3, 0.3, 0.4
AGENT = MQE(
    actor=UnitGaussianPolicy(2, (6,)),
    critic=ActionMetric(NormalizedMLP((6, 8)), NormalizedMLP((5, 8)), components=2, scaled=True),
    gamma=GAMMA,
    linear_beyond=BEYOND,
    diagonal=DIAGONAL,
    bc=BC,
    transform=PLAIN,
)


def with_waypoints(batch):
    rng, told = np.random.default_rng(4), {f.name: getattr(batch, f.name) for f in fields(batch)}
    waypoint = jnp.asarray(rng.normal(size=batch.state.shape), jnp.float32)
    return WaypointBatch(**told, waypoint=waypoint, steps=jnp.arange(len(batch.reward)) % 4 + 1)


BATCH = with_waypoints(random_batch(7))


def critic_by_hand(params, held, batch, in_probability=False):
    """Row by row and goal by goal; `held` are parameters that get no gradient."""
    n, total, beyond = len(batch.reward), 0.0, 0
    for k in (0, 1):
        d = lambda x, y, p=params, k=k: metric_distance(p, k, x, y, 2, scaled=True)  # noqa: E731
        for i in range(n):
            now = batch.state[i], batch.action[i]
            for j in range(n):
                here, ahead = d(now, batch.goal[j]), d(batch.waypoint[i], batch.goal[j], held)
                weight = (1 - DIAGONAL) / n**2 + (DIAGONAL / n if i == j else 0)
                total += weight * linex_of(here, ahead, GAMMA ** batch.steps[i], BEYOND) / 2
                beyond += here - ahead > BEYOND
            chosen = d(batch.state[i], now)
            total += ((np.exp(-chosen) - 1) if in_probability else chosen) ** 2 / (2 * n)
    assert 0 < beyond < 2 * n * n  # the loss's two branches
    return total


def test_an_update_by_hand():
    state = random_state(AGENT, BATCH)
    metrics, gradient, _ = plain_update(AGENT, state, BATCH)
    batch, held = double(BATCH), double(state.params)

    def value(params, i, action):
        there, goal = (batch.state[i], action), batch.actor_goal[i]
        return -max(metric_distance(params, k, there, goal, 2, scaled=True) for k in (0, 1))

    def loss(params, held):
        actor = actor_by_hand(params, held, batch, BC, value)
        return critic_by_hand(params, held, batch) + actor

    np.testing.assert_allclose(metrics["critic"], critic_by_hand(held, held, batch), rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], loss(held, held), rtol=1e-5)
    check_gradient(loss, state.params, gradient, ["actor", "critic"])


def test_the_action_invariance_in_probability():
    agent = replace(AGENT, in_probability=True)
    state, batch = random_state(agent, BATCH), double(BATCH)
    both = jax.jit(jax.value_and_grad(agent.critic_loss))
    loss, gradient = both(state.params, state, BATCH, jax.random.key(0))
    by_hand = lambda params, held: critic_by_hand(params, held, batch, True)  # noqa: E731
    held = double(state.params)
    np.testing.assert_allclose(loss, by_hand(held, held), rtol=1e-5)
    check_gradient(by_hand, state.params, gradient, ["critic"])


def test_the_batch_is_the_frames_with_waypoints_between_state_and_goal():
    rows, length = np.arange(60.0, dtype=np.float32), 12
    data = trajectories.from_trajectories(
        rows.reshape(-1, length, 1), np.zeros((5, length, 2), np.float32)
    )
    told = {"gamma": 0.95, "lam": 0.7, "single": 0.25, "tail": "renormalise"}
    agent = replace(AGENT, batch_size=2000, **told)

    @jax.jit
    def both(key):
        goals = {"value_goals": GoalMixture(trajectory=1.0), "actor_goals": ACTOR_GOALS}
        return agent.batch(data, key), waypoint_batch(data, key, 2000, **told, **goals)

    batch, expected = both(jax.random.key(1))
    for leaf, other in zip(*map(jax.tree.leaves, (batch, expected)), strict=True):
        np.testing.assert_array_equal(leaf, other)
    now, way, goal = (np.asarray(x)[:, 0] for x in (batch.state, batch.waypoint, batch.goal))
    np.testing.assert_array_equal(way - now, batch.steps)
    assert (way // length == now // length).all()
    assert (way <= np.maximum(goal, now + 1)).all()
    far = goal - now > 6  # every fourth waypoint is the next state, and 30 % of the others
    assert abs(np.mean(batch.steps[far] == 1) - (0.25 + 0.75 * 0.3)) < 0.07


@pytest.mark.parametrize("change", [{"lam": 1.0}, {"single": 1.5}, {"single": -0.1}])
def test_settings_are_checked(change):
    with pytest.raises(ValueError, match="discount" if "lam" in change else "single"):
        replace(AGENT, **change)
