"""Steps to a goal against a walk through each trajectory; batches against their own rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture
from goalward.data.nstep_goals import nstep_batch, nstep_goal


def walk(now, goal, last, n, end_is_success):
    """Step by step: stop at the goal, at the last row, or after n steps."""
    for steps in range(n):
        if now + steps == goal:
            return steps, True
        if now + steps == last:
            return steps, end_is_success
    return n, False


@given(st.integers(0, 12), st.integers(0, 30), st.integers(0, 12), st.integers(1, 8), st.booleans())
def test_steps_are_those_of_a_walk(now, goal, more, n, end_is_success):
    rows = [jnp.array([x]) for x in (now, goal, now + more)]
    steps, reached = nstep_goal(*rows, n, end_is_success)
    assert (int(steps[0]), bool(reached[0])) == walk(now, goal, now + more, n, end_is_success)


def test_by_hand():
    """At the goal; within n; exactly n; beyond; behind; elsewhere; at the end; past the end."""
    now, last = jnp.full(8, 10), jnp.array([20, 20, 20, 20, 20, 20, 12, 12])
    goal = jnp.array([10, 12, 13, 15, 8, 40, 12, 30])
    steps, reached = nstep_goal(now, goal, last, 3)
    np.testing.assert_array_equal(steps, [0, 2, 3, 3, 3, 3, 2, 2])
    np.testing.assert_array_equal(reached, [1, 1, 0, 0, 0, 0, 1, 0])
    _, published = nstep_goal(now, goal, last, 3, end_is_success=True)
    np.testing.assert_array_equal(published, [1, 1, 0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize("published", [False, True])
def test_a_batch_says_what_its_rows_say(published):
    """Observations are row numbers, so every field can be told from the state's."""
    count, length, n, gamma = 40, 9, 3, 0.9
    numbers = np.arange(count * length, dtype=np.float32)
    seen = np.stack([numbers, 1000 + numbers], axis=-1).reshape(count, length, 2)
    data = trajectories.from_trajectories(seen, seen[..., :1])
    mixture = GoalMixture(current=0.2, trajectory=0.5, random=0.3, geometric=False)
    future = GoalMixture(trajectory=1.0)
    draw = jax.jit(
        lambda key: nstep_batch(data, key, 4000, gamma, mixture, future, n, "clip", (1,), published)
    )
    batch = jax.tree.map(np.asarray, draw(jax.random.key(0)))
    now, goal = batch.state[:, 0].astype(int), batch.goal[:, 0].astype(int) - 1000
    told = batch.actor_goal[:, 0].astype(int) - 1000
    last = now - now % length + length - 2
    by_hand = [walk(*row, n, published) for row in zip(now, goal, last, strict=True)]
    steps, reached = np.array(by_hand).T
    np.testing.assert_array_equal(batch.steps, steps)
    np.testing.assert_array_equal(batch.mask, 1 - reached)
    np.testing.assert_allclose(batch.reward, gamma**steps * reached, rtol=1e-6)
    np.testing.assert_array_equal(batch.value_next[:, 0], now + steps)
    np.testing.assert_array_equal(batch.value_subgoal, 1000 + now[:, None] + steps[:, None])
    np.testing.assert_array_equal(batch.low_goal[:, 0] - 1000, np.minimum(now + n, last))
    way = [walk(*row, n, False)[0] for row in zip(now, told, last, strict=True)]
    np.testing.assert_array_equal(batch.subgoal[:, 0] - 1000, now + way)
    np.testing.assert_array_equal(batch.action[:, 0], now)
    np.testing.assert_array_equal(batch.next_state[:, 0], now + 1)
    np.testing.assert_array_equal(batch.next_goal[:, 0], 1001 + now)
    assert ((now <= told) & (told <= last)).all()
    assert np.mean(goal == now) > 0.2
    assert 0.2 < np.mean((goal < now - 8) | (goal > now + 8)) < 0.4
    assert len({*map(tuple, (np.stack([goal, told], axis=1)))}) > 1000  # drawn apart


def test_the_two_goals_are_drawn_apart():
    """From the same mixture, value and policy get the same goal only by chance."""
    numbers = np.arange(2000, dtype=np.float32).reshape(100, 20, 1)
    data = trajectories.from_trajectories(numbers, numbers)
    anywhere = GoalMixture(random=1.0)
    batch = nstep_batch(data, jax.random.key(0), 500, 0.9, anywhere, anywhere, 3)
    assert np.mean(np.asarray(batch.goal == batch.actor_goal)) < 0.02
