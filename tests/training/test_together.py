"""Learners side by side come to what each comes to alone."""

import jax
import jax.numpy as jnp
import numpy as np

from goalward.baselines.mc_info_nce import MCInfoNCE
from goalward.baselines.successor_representation import SuccessorRepresentation
from goalward.data.trajectories import from_trajectories, split_by_seed
from goalward.nets.critics import GoalTableCritic
from goalward.protocol import Learner
from goalward.training.loop import train
from goalward.training.together import Together

STATES = np.random.default_rng(0).integers(3, size=(8, 6))
DATA = from_trajectories(STATES, STATES % 2)
SR = SuccessorRepresentation(3, 2, 0.8, batch_size=4, learning_rate=0.3, tau=0.5)
MC = MCInfoNCE(GoalTableCritic(3, 2), 0.8, batch_size=4, learning_rate=0.02)
BOTH = Together((SR, MC))


def test_each_learns_as_if_it_were_alone():
    assert isinstance(BOTH, Learner)
    assert hash(BOTH) == hash(Together((SR, MC)))
    windows, axes = split_by_seed(DATA, 2)
    options = {"steps": 6, "log_every": 3, "seeds": 2, "data_axis": axes}
    key = jax.random.key(0)
    state, history = train(BOTH, windows, key, **options)
    total = 0.0
    for i, learner in enumerate((SR, MC)):
        alone, log = train(learner, windows, key, **options)
        own = BOTH.state_of(state, i)
        total += log["loss"]
        np.testing.assert_allclose(history[f"{i}/loss"], log["loss"], rtol=1e-5)
        for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)


def test_the_loss_is_the_sum_and_each_has_its_step_size():
    key = jax.random.key(1)
    batch = BOTH.batch(DATA, key)
    state = BOTH.init(key, batch)
    np.testing.assert_allclose(state.learning_rate, [0.3, 0.02])
    parts = [
        learner.loss(state.params[i], BOTH.state_of(state, i), batch[i], key)[0]
        for i, learner in enumerate((SR, MC))
    ]
    np.testing.assert_allclose(BOTH.loss(state.params, state, batch, key)[0], sum(parts), rtol=1e-6)
    still = BOTH.update(state.replace(learning_rate=jnp.array([0.0, 0.1])), batch, key)[0]
    np.testing.assert_array_equal(still.params[0], state.params[0])
    assert np.abs(still.params[1]["params"]["table"]).max() > 0


def test_each_may_have_its_own_data():
    other = from_trajectories(3 - STATES, STATES % 2)
    apart = Together((SR, SR), own_data=True)
    first, second = apart.batch((DATA, other), jax.random.key(2))
    np.testing.assert_array_equal(first.state, SR.batch(DATA, jax.random.key(2)).state)
    np.testing.assert_array_equal(second.state, 3 - first.state)
