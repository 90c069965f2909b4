"""Implicit V-learning: its loss and gradient by hand, and the values it ends up with."""

import jax
import numpy as np
import pytest
from flax import linen as nn

from goalward.baselines.gcivl import GCIVL
from goalward.baselines.offline import VALUE_GOALS
from goalward.data import trajectories
from goalward.nets.critics import TableCritic
from goalward.nets.normalized import GoalValue
from goalward.nets.plain_policies import CategoricalPolicy, UnitGaussianPolicy
from goalward.protocol import PLAIN
from goalward.tabular import mdp
from goalward.training.loop import train
from offline_oracles import (
    check_gradient,
    check_target,
    double,
    gaussian_log_prob,
    goal_value,
    implicit_values,
    member,
    plain_update,
    random_batch,
    random_state,
)

BATCH = random_batch()
AGENT = GCIVL(
    actor=UnitGaussianPolicy(2, (6,)),
    value=GoalValue((7, 5)),
    gamma=0.9,
    kappa=0.8,
    sharpness=2.0,
    transform=PLAIN,
)


def by_hand(params, held, target, batch):
    """Row by row from the equations; `held` are parameters that get no gradient."""
    V = lambda p, k, s, g: goal_value(member(p["value"], k), s, g)  # noqa: E731
    value = actor = 0.0
    for i in range(len(batch.reward)):
        s, a, after, g, told = (
            x[i] for x in (batch.state, batch.action, batch.next_state, batch.goal,
                           batch.actor_goal)
        )  # fmt: skip
        q = [batch.reward[i] + 0.9 * batch.mask[i] * V(target, k, after, g) for k in range(2)]
        advantage = min(q) - (V(target, 0, s, g) + V(target, 1, s, g)) / 2
        weight = 0.8 if advantage >= 0 else 0.2
        value += sum(weight * (q[k] - V(params, k, s, g)) ** 2 for k in range(2)) / len(
            batch.reward
        )
        closer = sum(V(held, k, after, told) - V(held, k, s, told) for k in range(2)) / 2
        log_prob = gaussian_log_prob(params["actor"], s, told, a)
        actor -= min(np.exp(2.0 * closer), 100.0) * log_prob / len(batch.reward)
    return value, actor


@pytest.mark.parametrize("apart", [0.0, -40.0])
def test_an_update_by_hand(apart):
    """With the second target far below the first, their mean would choose the other weight."""
    state = random_state(AGENT, BATCH)
    held = state.target_params["value"]["params"]["NormalizedMLP_0"]["Dense_2"]
    held["bias"] = held["bias"].at[1].add(apart)
    metrics, gradient, after = plain_update(AGENT, state, BATCH)
    batch, target = double(BATCH), double(state.target_params)
    value, actor = by_hand(double(state.params), double(state.params), target, batch)
    np.testing.assert_allclose(metrics["value"], value, rtol=1e-5)
    np.testing.assert_allclose(metrics["actor"], actor, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], value + actor, rtol=1e-5)
    total = lambda params, held: sum(by_hand(params, held, target, batch))  # noqa: E731
    check_gradient(total, state.params, gradient, ["actor", "value"])
    check_target(state, after)


class OneHot(nn.Module):
    """Numbers to unit vectors."""

    n: int

    def __call__(self, x):
        return jax.nn.one_hot(x, self.n)


def table_agent(n, kappa, gamma):
    actor = CategoricalPolicy(2, (4,), OneHot(n))
    return GCIVL(
        actor=actor, value=TableCritic(n, n), gamma=gamma, kappa=kappa, tau=0.05,
        learning_rate=0.01, batch_size=256,
    )  # fmt: skip


def learned_values(agent, states, actions, steps):
    data = trajectories.from_trajectories(states, actions)
    trained, _ = train(agent, data, jax.random.key(0), steps)
    return np.asarray(trained.params["value"]["params"]["table"])[0].mean(axis=0)


def test_values_of_a_random_world_are_those_of_the_recorded_rows():
    rng = np.random.default_rng(1)
    P = mdp.random_mdp(rng, 4, 2, concentration=0.5)
    states, actions = mdp.sample_trajectories(P, np.full((4, 2), 0.5), rng, n=8, horizon=8)
    terminals = np.tile(np.arange(states.shape[1]) == states.shape[1] - 1, 8)
    exact = implicit_values(
        states.ravel(), actions.ravel(), terminals, VALUE_GOALS, 0.8, 0.9, luck=True
    )
    learned = learned_values(table_agent(4, 0.9, 0.8), states, actions, 3000)
    np.testing.assert_allclose(learned, exact, atol=0.15)


def test_in_a_sure_world_values_count_steps():
    """One way round a ring of 6: V tends to -(1 - gamma^d) / (1 - gamma) as kappa does to 1."""
    n, gamma = 6, 0.8
    states = (np.arange(12)[:, None] + np.arange(14)) % n
    actions = np.zeros_like(states)
    ahead = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
    closed = -(1 - gamma**ahead) / (1 - gamma)
    terminals = np.tile(np.arange(14) == 13, 12)
    rows = states.ravel(), actions.ravel(), terminals
    exact = implicit_values(*rows, VALUE_GOALS, gamma, 0.999, luck=True)
    np.testing.assert_allclose(exact, closed, atol=1e-2)
    learned = learned_values(table_agent(n, 0.99, gamma), states, actions, 3000)
    np.testing.assert_allclose(learned, closed, atol=0.1)


def test_an_expectile_is_between_zero_and_one():
    with pytest.raises(ValueError, match="kappa"):
        GCIVL(actor=AGENT.actor, value=AGENT.value, gamma=0.9, kappa=1.0)
