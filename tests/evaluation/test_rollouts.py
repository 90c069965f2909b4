"""Batched rollouts against a plain Python loop, on a counter whose every step is known."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from goalward.evaluation.rollouts import rollouts


@struct.dataclass
class CounterState:
    observation: jax.Array
    goal: jax.Array
    reward: jax.Array
    success: jax.Array
    terminated: jax.Array
    truncated: jax.Array


@dataclass(frozen=True)
class Counter:
    """Counts up by the action; ends beyond the goal."""

    def at(self, value, goal):
        return CounterState(
            observation=value,
            goal=goal,
            reward=jnp.where(value == goal, 1.0, 0.0),
            success=value == goal,
            terminated=value > goal,
            truncated=jnp.zeros((), bool),
        )

    def reset(self, key):
        return self.at(jnp.zeros((), int), jnp.ones((), int))

    def step(self, state, action, key):
        return self.at(state.observation + action, state.goal)


def one_up(observation, goal, carry, key):
    return jnp.ones((), int), carry + 1


STARTS = jax.vmap(Counter().at)(jnp.array([0, 3, 5]), jnp.array([2, 4, 20]))


def test_episodes_run_until_their_end_and_stay_there():
    out = rollouts(Counter(), one_up, STARTS, jax.random.key(0), 6, carry=jnp.zeros(3, int))
    np.testing.assert_array_equal(
        out.states.observation,
        [[0, 1, 2, 3, 3, 3, 3], [3, 4, 5, 5, 5, 5, 5], [5, 6, 7, 8, 9, 10, 11]],
    )
    np.testing.assert_array_equal(out.alive.sum(1), [3, 2, 6])
    np.testing.assert_array_equal(out.success, [True, True, False])
    np.testing.assert_array_equal(out.steps_to_success, [2, 1, 7])


def test_the_start_does_not_count_as_success():
    start = jax.vmap(Counter().at)(jnp.array([4]), jnp.array([4]))
    out = rollouts(Counter(), one_up, start, jax.random.key(0), 3, carry=jnp.zeros(1, int))
    assert not out.success.any()


def test_carry_is_each_episodes_own_and_keys_differ():
    def act(observation, goal, carry, key):
        return jax.random.randint(key, (), 0, 1000) + carry, carry

    starts = jax.vmap(Counter().at)(jnp.zeros(4, int), jnp.full(4, 10**6))
    carry = jnp.array([0, 10_000, 20_000, 30_000])
    actions = rollouts(Counter(), act, starts, jax.random.key(0), 5, carry=carry).actions
    np.testing.assert_array_equal(actions // 10_000, np.arange(4)[:, None] * np.ones((1, 5)))
    assert len(np.unique(np.asarray(actions) % 10_000)) > 15


def test_running_out_of_time_ends_an_episode_and_memory_is_handed_on():
    class Timed(Counter):
        def at(self, value, goal):
            return super().at(value, goal).replace(truncated=value >= 6)

    def more_each_time(observation, goal, carry, key):
        return carry, carry + 1

    starts = jax.vmap(Timed().at)(jnp.zeros(1, int), jnp.full(1, 100))
    carry = jnp.ones(1, int)
    out = rollouts(Timed(), more_each_time, starts, jax.random.key(0), 6, carry=carry)
    np.testing.assert_array_equal(out.states.observation, [[0, 1, 3, 6, 6, 6, 6]])


def test_action_and_world_draw_from_different_keys():
    class Random(Counter):
        def step(self, state, action, key):
            return self.at(jax.random.randint(key, (), 0, 10**6), state.goal)

    def act(observation, goal, carry, key):
        return jax.random.randint(key, (), 0, 10**6), carry

    starts = jax.vmap(Counter().at)(jnp.zeros(2, int), jnp.full(2, 10**7))
    out = rollouts(Random(), act, starts, jax.random.key(0), 5)
    assert (out.actions != out.states.observation[:, 1:]).all()


def test_no_steps_is_an_error():
    with pytest.raises(ValueError, match="at least 1 step"):
        rollouts(Counter(), one_up, STARTS, jax.random.key(0), 0, carry=jnp.zeros(3, int))
