"""C-learning and the successor representation find the fixed point that they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines.c_learning import CLearning
from goalward.baselines.successor_representation import SuccessorRepresentation
from goalward.data import trajectories
from goalward.data.goals import GoalTransitions
from goalward.losses.contrastive import log_ratio_to_density
from goalward.nets.critics import GoalTableCritic
from goalward.tabular import mdp, successor
from goalward.training.loop import train

GAMMA = 0.8


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    P = mdp.random_mdp(rng, 4, 2, concentration=0.7)
    policy = rng.dirichlet(np.ones(2), size=4)
    states, actions = mdp.sample_trajectories(P, policy, rng, n=400, horizon=50)
    exact = successor.successor_measure(P, policy, GAMMA)
    return trajectories.from_trajectories(states, actions), states, exact


def test_the_successor_representation_is_learned(world):
    data, _, exact = world
    learner = SuccessorRepresentation(4, 2, GAMMA, batch_size=64, learning_rate=0.5)
    state, _ = train(learner, data, jax.random.key(0), steps=2000)
    assert np.abs(np.asarray(state.params).reshape(4, 2, 4) - exact).mean() < 0.02


def test_c_learning_learns_probabilities_without_normalising(world):
    data, states, exact = world
    learner = CLearning(GoalTableCritic(4, 2), GAMMA, batch_size=128, learning_rate=0.02, tau=1.0)
    state, _ = train(learner, data, jax.random.key(0), steps=2000)
    marginal = np.bincount(states[:, 1:].ravel(), minlength=4) / states[:, 1:].size
    density = log_ratio_to_density(
        state.params["params"]["table"].reshape(4, 2, 4), jnp.log(jnp.asarray(marginal)), False
    )
    assert np.abs(np.asarray(density) - exact).mean() < 0.025


def test_one_classical_update_by_hand():
    learner = SuccessorRepresentation(3, 2, 0.5, batch_size=1, learning_rate=0.1)
    one = {name: jnp.array([0]) for name in ("goal", "random")}
    batch = GoalTransitions(
        state=jnp.array([1]), action=jnp.array([0]), next_state=jnp.array([2]),
        next_action=jnp.array([1]), **one,
    )  # fmt: skip
    state = learner.init(jax.random.key(0), batch)
    table = jax.random.uniform(jax.random.key(1), (6, 3))
    slow = jax.random.uniform(jax.random.key(2), (6, 3))
    state = state.replace(params=table, target_params=slow)
    after, _ = learner.update(state, batch, jax.random.key(3))
    expected = np.array(table)
    target = 0.5 * np.array([0, 0, 1]) + 0.5 * np.array(slow)[2 * 2 + 1]
    expected[1 * 2 + 0] += 0.1 * (target - expected[1 * 2 + 0])
    np.testing.assert_allclose(after.params, expected, atol=1e-6)
    np.testing.assert_array_equal(after.target_params, after.params)
