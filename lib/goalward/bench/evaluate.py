"""Success in the benchmark's own environment: five fixed goals, greedy actions.

Each seed of a run has one environment for each task. They step side by side, and one jitted call a
step computes the actions of all seeds in all tasks.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from goalward.bench.environments import make, seeded
from goalward.bench.names import Name
from goalward.protocol import Agent, LearnerState


class Arena:
    """The environments in which a run is evaluated.

    Args:
        name: the data set's, which says the environment.
        seeds: how many learners there are.
        max_steps: actions before an episode is given up; the benchmark's own number by default.
    """

    def __init__(self, name: Name, seeds: int, max_steps: int | None = None) -> None:
        settings = {} if max_steps is None else {"max_episode_steps": max_steps}
        first = make(name, **settings)
        self.tasks: int = first.unwrapped.num_tasks
        count = seeds * self.tasks
        self.lanes = [first, *(make(name, **settings) for _ in range(count - 1))]
        self.shape = (seeds, self.tasks)
        space = first.action_space
        self.low, self.high = space.low, space.high

    @property
    def observation(self) -> int:
        """How many numbers an observation has."""
        return int(self.lanes[0].observation_space.shape[0])

    @property
    def action(self) -> int:
        """How many numbers an action has."""
        return len(self.low)

    def success(
        self, agent: Agent, states: LearnerState, episodes: int, entropy: Sequence[int]
    ) -> Float[np.ndarray, "seeds tasks"]:
        """The share of episodes of each task in which each seed's agent was at the goal.

        Args:
            states: with a leading axis over seeds.
            episodes: of each task.
            entropy: numbers from which everything random follows.
        """
        won = np.zeros(len(self.lanes))
        with seeded(self.lanes[0], *entropy) as rng:
            for env in self.lanes:
                env.unwrapped.action_space.seed(int(rng.integers(2**31)))
            left = np.full(len(self.lanes), episodes)
            starts = [self._start(lane, rng) for lane in range(len(self.lanes))]
            observations, goals = (np.stack(part) for part in zip(*starts, strict=True))
            while left.any():
                actions = self._act(agent, states, observations, goals)
                for lane in np.flatnonzero(left).tolist():
                    seen, _, ended, cut, told = self.lanes[lane].step(actions[lane])
                    observations[lane] = seen
                    if ended or cut:
                        won[lane] += float(told["success"])
                        left[lane] -= 1
                        if left[lane]:
                            observations[lane], goals[lane] = self._start(lane, rng)
        return won.reshape(self.shape) / episodes

    def _start(self, lane: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        observation, told = self.lanes[lane].reset(
            seed=int(rng.integers(2**31)), options={"task_id": lane % self.tasks + 1}
        )
        return observation.astype(np.float32), told["goal"].astype(np.float32)

    def _act(
        self, agent: Agent, states: LearnerState, observations: np.ndarray, goals: np.ndarray
    ) -> np.ndarray:
        shaped = (leaf.reshape(*self.shape, -1) for leaf in (observations, goals))
        actions = np.asarray(_greedy(agent, states, *shaped))
        return np.clip(actions.reshape(len(self.lanes), -1), self.low, self.high)


@partial(jax.jit, static_argnums=0)
def _greedy(
    agent: Any, states: LearnerState, observations: Array, goals: Array
) -> Float[Array, "seeds tasks actions"]:
    key = jax.random.key(0)  # has no effect at temperature 0

    def one(state: LearnerState, observation: Array, goal: Array) -> Array:
        action, _ = agent.act(state, observation, goal, (), key, jnp.zeros(()))
        return action

    return jax.vmap(jax.vmap(one, in_axes=(None, 0, 0)))(states, observations, goals)
