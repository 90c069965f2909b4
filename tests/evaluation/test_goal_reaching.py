"""The probe against episodes stepped one at a time."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from goalward.envs.point_maze import PointMaze
from goalward.evaluation.goal_reaching import GoalReaching
from goalward.tabular.grid import Grid


@dataclass(frozen=True)
class Straight:
    """Goes straight to the goal, and is told how fast by its state; noisy unless greedy."""

    def act(self, state, observation, goal, carry, key, temperature=1.0):
        noise = 100 * temperature * jax.random.normal(key, (2,))
        return state * jnp.clip(5 * (goal - observation), -1, 1) + noise, carry


@dataclass(frozen=True)
class Falling(PointMaze):
    """A point maze with a fall after some steps."""

    falls: int = 3

    def step(self, state, action, key):
        after = super().step(state, action, key)
        return after.replace(terminated=after.time == self.falls)


def by_hand(env, agent, state, episodes):
    near = np.zeros((episodes, env.horizon), bool)
    for i, key in enumerate(jax.random.split(jax.random.key(0), episodes)):
        key_start, key_steps = jax.random.split(key)
        now = env.reset(key_start)
        for t, key_step in enumerate(jax.random.split(key_steps, env.horizon)):
            action, _ = agent.act(state, now.observation, now.goal, (), key, 0.0)
            now = env.step(now, action, jax.random.split(key_step)[1])
            near[i, t] = np.linalg.norm(now.observation - now.goal) <= env.reach
            if now.terminated:
                break
    return near.any(axis=1).mean(), near.mean()


def test_it_counts_episodes_and_steps():
    grid = Grid.parse("...\n.#.\n...")
    for env in (PointMaze(grid, horizon=6, noise=0.05), Falling(grid, horizon=6)):
        probe = GoalReaching(env, Straight(), 12)
        told = jax.jit(probe)(jnp.asarray(1.0))
        reached, near = by_hand(env, Straight(), 1.0, 12)
        np.testing.assert_allclose(told["success_any"], reached, rtol=1e-6)
        np.testing.assert_allclose(told["time_near_goal"], near, rtol=1e-6)
        assert 0 < near < reached < 1


def test_a_start_at_the_goal_is_no_success_of_the_agent():
    """Only states after an action count: an agent that runs away never reaches."""
    env = PointMaze(Grid.open(1, 1), horizon=3, speed=0.9, reach=0.1)
    told = GoalReaching(env, Straight(), 200)(jnp.asarray(-1.0))
    assert told["success_any"] < 0.2


def test_all_agents_meet_the_same_episodes():
    env = PointMaze(Grid.open(2, 2), horizon=4)
    a, b = (GoalReaching(env, Straight(), 16)(jnp.asarray(1.0)) for _ in range(2))
    assert a == b
    assert GoalReaching(env, Straight(), 16) == GoalReaching(env, Straight(), 16)
    other = GoalReaching(env, Straight(), 16, seed=1)(jnp.asarray(1.0))
    assert other["time_near_goal"] != a["time_near_goal"]
