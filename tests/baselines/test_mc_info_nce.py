"""Monte Carlo InfoNCE: its perfect answer, its bias and its learner."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines import mc_info_nce
from goalward.data import sampling, trajectories
from goalward.losses.contrastive import log_ratio_to_density
from goalward.nets.critics import GoalTableCritic
from goalward.tabular import mdp, successor
from goalward.training.loop import train

GAMMA, HORIZON = 0.8, 12


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    P = mdp.random_mdp(rng, 4, 2, concentration=0.7)
    policy = rng.dirichlet(np.ones(2), size=4)
    states, actions = mdp.sample_trajectories(P, policy, rng, n=3000, horizon=HORIZON)
    return P, policy, states, actions


def by_loops(states, actions, gamma):
    total, visits, marginal = np.zeros((4, 2, 4)), np.zeros((4, 2, 1)), np.zeros(4)
    for path, moves in zip(states, actions, strict=True):
        for t in range(len(path) - 1):
            weights = np.array([gamma**k for k in range(len(path) - 1 - t)])
            weights /= weights.sum()
            for k, weight in enumerate(weights):
                total[path[t], moves[t], path[t + 1 + k]] += weight
                marginal[path[t + 1 + k]] += weight
            visits[path[t], moves[t]] += 1
    return total / np.maximum(visits, 1), marginal / marginal.sum()


def test_counting_is_the_triple_loop(world):
    _, _, states, actions = world
    few, moves = states[:20], actions[:20]
    table, marginal = by_loops(few, moves, GAMMA)
    np.testing.assert_allclose(mc_info_nce.by_counts(few, moves, 4, 2, GAMMA), table, atol=1e-12)
    np.testing.assert_allclose(mc_info_nce.future_marginal(few, 4, GAMMA), marginal, atol=1e-12)


def test_counting_tends_to_the_stated_limit_which_is_biased(world):
    P, policy, states, actions = world
    counted = mc_info_nce.by_counts(states, actions, 4, 2, GAMMA)
    limit = mc_info_nce.infinite_data_limit(P, policy, GAMMA, HORIZON)
    exact = successor.successor_measure(P, policy, GAMMA)
    np.testing.assert_allclose(limit.sum(axis=2), 1.0, atol=1e-12)
    assert np.abs(counted - limit).mean() < 0.004
    assert np.abs(limit - exact).mean() > 0.006


def test_the_bias_vanishes_with_longer_episodes(world):
    P, policy, _, _ = world
    exact = successor.successor_measure(P, policy, GAMMA)
    off = [
        np.abs(mc_info_nce.infinite_data_limit(P, policy, GAMMA, T) - exact).mean()
        for T in (1, 10, 100, 1000)
    ]
    assert off == sorted(off, reverse=True)
    assert off[3] == pytest.approx(off[2] / 10, rel=0.1)  # falls like one over the length
    np.testing.assert_allclose(mc_info_nce.infinite_data_limit(P, policy, GAMMA, 1), P, atol=1e-12)


def test_drawn_futures_have_the_stated_marginal(world):
    _, _, states, actions = world
    data = trajectories.from_trajectories(states[:50], actions[:50])
    _, future = sampling.future_pairs(data, jax.random.key(0), 60_000, GAMMA)
    drawn = np.bincount(np.asarray(data.observations)[np.asarray(future)], minlength=4) / 60_000
    np.testing.assert_allclose(drawn, mc_info_nce.future_marginal(states[:50], 4, GAMMA), atol=0.01)


def test_training_finds_the_counted_answer(world):
    _, _, states, actions = world
    learner = mc_info_nce.MCInfoNCE(
        GoalTableCritic(4, 2), GAMMA, batch_size=128, learning_rate=0.02
    )
    data = trajectories.from_trajectories(states, actions)
    state, _ = train(learner, data, jax.random.key(0), steps=1500)
    marginal = jnp.log(jnp.asarray(mc_info_nce.future_marginal(states, 4, GAMMA)))
    table = state.params["params"]["table"].reshape(4, 2, 4)
    density = np.asarray(log_ratio_to_density(table, marginal))
    counted = mc_info_nce.by_counts(states, actions, 4, 2, GAMMA)
    assert np.abs(density - counted).mean() < 0.012


def test_a_horizon_of_nothing_is_refused(world):
    P, policy, _, _ = world
    with pytest.raises(ValueError, match="horizon"):
        mc_info_nce.infinite_data_limit(P, policy, GAMMA, 0)
