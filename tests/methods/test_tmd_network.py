"""TMD: each part of the loss and its gradient by hand, and a minimum that no code takes."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.methods.tmd import TMD
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
from offline_walks import CLIMBER, TOWERS, check_it_walks_where_it_is_told

GAMMA, TEMPERATURE, BEYOND, DIAGONAL, BC = 0.8, 1.7, 0.6, 0.3, 0.4
AGENT = TMD(
    actor=UnitGaussianPolicy(2, (6,)),
    critic=ActionMetric(NormalizedMLP((6, 8)), NormalizedMLP((5, 8)), components=2),
    gamma=GAMMA,
    zeta=0.7,
    action_weight=1.3,
    temperature=TEMPERATURE,
    linear_beyond=BEYOND,
    diagonal=DIAGONAL,
    hold_goals=False,
    bc=BC,
    transform=PLAIN,
)
BATCH = random_batch(7)


def parts_by_hand(params, held, batch, hold_goals=False):
    """Contrast, action invariance and one-step loss; `held` are parameters without a gradient."""
    n = len(batch.reward)
    now = [(batch.state[i], batch.action[i]) for i in range(n)]
    contrast = action = step = 0.0
    beyond = 0
    for k in (0, 1):

        def d(x, y, p=params, k=k):
            return metric_distance(p, k, x, y, 2)

        for j in range(n):
            near = [np.exp(-d(now[i], batch.goal[j]) / TEMPERATURE) for i in range(n)]
            contrast -= np.log(near[j] / sum(near)) / (2 * n)
            action += d(batch.state[j], now[j]) / (2 * n)
            for i in range(n):
                here = d_to_held(params, held, k, now[i], batch.goal[j], hold_goals)
                ahead = d(batch.next_state[i], batch.goal[j], held)
                weight = (1 - DIAGONAL) / n**2 + (DIAGONAL / n if i == j else 0)
                step += weight * linex_of(here, ahead, GAMMA, BEYOND) / 2
                beyond += here - ahead > BEYOND
    assert 0 < beyond < 2 * n * n  # the loss's two branches
    return np.array([contrast, action, step])


def d_to_held(params, held, k, x, y, hold):
    """A distance whose far end has no gradient, if `hold`: its encoder is the held one."""
    if not hold:
        return metric_distance(params, k, x, y, 2)
    mixed = params["critic"]["params"] | {
        "state_encoder": held["critic"]["params"]["state_encoder"]
    }
    return metric_distance({"critic": {"params": mixed}}, k, x, y, 2)


def test_an_update_by_hand():
    state = random_state(AGENT, BATCH)
    metrics, gradient, _ = plain_update(AGENT, state, BATCH)
    batch, held = double(BATCH), double(state.params)
    weights = np.array([1.0, 1.3, 0.7])

    def value(params, i, action):
        there = (batch.state[i], action)
        return -max(metric_distance(params, k, there, batch.actor_goal[i], 2) for k in (0, 1))

    def loss(params, held):
        actor = actor_by_hand(params, held, batch, BC, value)
        return weights @ parts_by_hand(params, held, batch) + actor

    critic = weights @ parts_by_hand(held, held, batch)
    np.testing.assert_allclose(metrics["critic"], critic, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], loss(held, held), rtol=1e-5)
    check_gradient(loss, state.params, gradient, ["actor", "critic"])


def test_the_papers_weights_and_held_goals():
    agent = replace(AGENT, action_weight=None, hold_goals=True)
    state, batch = random_state(agent, BATCH), double(BATCH)
    both = jax.jit(jax.value_and_grad(agent.critic_loss))
    loss, gradient = both(state.params, state, BATCH, jax.random.key(0))
    weights = np.array([1.0, 0.7, 0.7])

    def by_hand(params, held):
        return weights @ parts_by_hand(params, held, batch, hold_goals=True)

    held = double(state.params)
    np.testing.assert_allclose(loss, by_hand(held, held), rtol=1e-5)
    check_gradient(by_hand, state.params, gradient, ["critic"])
    # The psi of the goals learns from the contrast and the action alone.
    alone = jax.jit(jax.grad(agent.one_step))(state.params, BATCH)["critic"]["params"]
    assert not any(map(np.any, jax.tree.leaves(alone["state_encoder"])))
    assert any(map(np.any, jax.tree.leaves(alone["action_encoder"])))


def test_no_way_is_longer_than_by_the_best_action():
    """d(s, g) <= d(s, (s, a)) + d((s, a), g) whatever the weights are."""
    state = random_state(AGENT, BATCH)
    s, g, params = BATCH.state, BATCH.goal, state.params
    d = jax.jit(AGENT.distance)
    for action in (BATCH.action, -BATCH.action):
        detour = d(params, s, (s, action)) + d(params, (s, action), g)
        assert (d(params, s, g) <= detour + 1e-5).all()


@pytest.mark.parametrize("change", [{"goal_entries": (0,)}, {"sharpness": 1.0}])
def test_settings_are_checked(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(AGENT, **change)


def test_goals_are_futures():
    assert (AGENT.value_goals.trajectory, AGENT.value_goals.geometric) == (1.0, True)
    assert jnp.isfinite(AGENT.temperature)


def test_it_walks_where_it_is_told():
    agent = TMD(**CLIMBER, critic=ActionMetric(*TOWERS, 2), temperature=4.0)
    check_it_walks_where_it_is_told(agent)
