"""Implicit Q-learning: its loss and gradient by hand, and the values it ends up with."""

import jax
import numpy as np
import pytest

from goalward.baselines.gciql import GCIQL
from goalward.baselines.offline import VALUE_GOALS
from goalward.data import trajectories
from goalward.nets.critics import EmbeddingCritic, TableCritic
from goalward.nets.normalized import GoalValue
from goalward.nets.plain_policies import UnitGaussianPolicy
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
    policy_head,
    random_batch,
    random_state,
)
from offline_walks import CLIMBER, WIDTHS, check_it_walks_where_it_is_told

BATCH = random_batch()
AGENT = GCIQL(
    actor=UnitGaussianPolicy(2, (6,)),
    critic=GoalValue((7, 5)),
    state_value=GoalValue((6,)),
    gamma=0.9,
    kappa=0.8,
    bc=0.7,
    transform=PLAIN,
)


def by_hand(params, held, target, batch):
    """Row by row from the equations; `held` are parameters that get no gradient."""
    Q = lambda p, k, s, a, g: goal_value(member(p["critic"], k), s, a, g)  # noqa: E731
    V = lambda p, s, g: goal_value(p["value"], s, g)  # noqa: E731
    n, fit, actor_q, size, cloning = len(batch.reward), 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        s, a, after, g, told = (
            x[i] for x in (batch.state, batch.action, batch.next_state, batch.goal,
                           batch.actor_goal)
        )  # fmt: skip
        error = min(Q(target, k, s, a, g) for k in range(2)) - V(params, s, g)
        fit += (0.8 if error >= 0 else 0.2) * error**2 / n
        wanted = batch.reward[i] + 0.9 * batch.mask[i] * V(held, after, g)
        fit += sum((wanted - Q(params, k, s, a, g)) ** 2 for k in range(2)) / n
        proposed = np.clip(policy_head(params["actor"], s, told), -1, 1)
        actor_q += min(Q(held, k, s, proposed, told) for k in range(2)) / n
        fixed = np.clip(policy_head(held["actor"], s, told), -1, 1)
        size += abs(min(Q(held, k, s, fixed, told) for k in range(2))) / n
        cloning += gaussian_log_prob(params["actor"], s, told, a) / n
    return fit, -actor_q / (size + 1e-6) - 0.7 * cloning


def test_an_update_by_hand():
    state = random_state(AGENT, BATCH)
    metrics, gradient, after = plain_update(AGENT, state, BATCH)
    batch, target = double(BATCH), double(state.target_params)
    fit, actor = by_hand(double(state.params), double(state.params), target, batch)
    np.testing.assert_allclose(metrics["critic"], fit, rtol=1e-5)
    np.testing.assert_allclose(metrics["actor"], actor, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], fit + actor, rtol=1e-5)
    total = lambda params, held: sum(by_hand(params, held, target, batch))  # noqa: E731
    check_gradient(total, state.params, gradient, ["actor", "critic", "value"])
    check_target(state, after)


def test_values_of_a_random_world_are_those_of_the_recorded_rows():
    """The means over luck make it less optimistic than the expectile over all that happened."""
    rng = np.random.default_rng(1)
    P = mdp.random_mdp(rng, 4, 2, concentration=0.5)
    states, actions = mdp.sample_trajectories(P, np.full((4, 2), 0.5), rng, n=8, horizon=8)
    terminals = np.tile(np.arange(states.shape[1]) == states.shape[1] - 1, 8)
    rows = states.ravel(), actions.ravel(), terminals, VALUE_GOALS, 0.8, 0.9
    exact, lucky = implicit_values(*rows, luck=False), implicit_values(*rows, luck=True)
    assert np.nanmean(lucky - exact) > 0.3
    agent = GCIQL(
        actor=None, actions=2, critic=EmbeddingCritic(4, 2, 8), state_value=TableCritic(4, 4),
        gamma=0.8, tau=0.05, learning_rate=0.02, batch_size=256,
    )  # fmt: skip
    data = trajectories.from_trajectories(states, actions)
    trained, _ = train(agent, data, jax.random.key(0), 3000)
    learned = np.asarray(trained.params["value"]["params"]["table"])[0]
    np.testing.assert_allclose(learned, exact, atol=0.15)


def test_bad_settings_are_refused():
    networks = {name: getattr(AGENT, name) for name in ("actor", "critic", "state_value")}
    with pytest.raises(ValueError, match="kappa"):
        GCIQL(**networks, gamma=0.9, kappa=0.0)
    with pytest.raises(ValueError, match="actor_goals"):
        GCIQL(**networks, gamma=0.9, random_goals=0.5)


def test_it_walks_where_it_is_told():
    agent = GCIQL(**CLIMBER, critic=GoalValue(WIDTHS), state_value=GoalValue(WIDTHS), tau=0.02)
    check_it_walks_where_it_is_told(agent)
