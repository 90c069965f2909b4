"""Success in the benchmark's own environment: five fixed goals, mostly greedy actions.

Each seed of a run has one environment for each task. They step side by side, and one jitted call a
step computes the actions of all seeds in all tasks.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Shaped

from goalward.bench.data.environments import make, seeded
from goalward.bench.data.names import Name
from goalward.protocol import Agent, Key, LearnerState

CHOICE_TEMPERATURE = 0.3
"""Of choices among a few actions, as the benchmark evaluates them; vectors are greedy."""


Policy = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""From observations and goals, with leading axes over seeds and tasks, and the number of the step
to actions with the same axes."""


class Arena:
    """The environments in which a run is evaluated.

    Args:
        name: the data set's, which says the environment.
        seeds: how many learners there are.
        max_steps: actions before an episode is given up; the benchmark's own number by default.
        workers: threads that step the environments; the results do not depend on it. MuJoCo lets
            other threads run while it computes, so bodies and hands gain, point mazes do not.
    """

    def __init__(
        self, name: Name, seeds: int, max_steps: int | None = None, workers: int = 1
    ) -> None:
        settings = {} if max_steps is None else {"max_episode_steps": max_steps}
        first = make(name, **settings)
        self.tasks: int = first.unwrapped.num_tasks
        count = seeds * self.tasks
        self.lanes = [first, *(make(name, **settings) for _ in range(count - 1))]
        self.shape = (seeds, self.tasks)
        self.space = first.action_space
        self.discrete = name.discrete
        self.temperature = CHOICE_TEMPERATURE if name.discrete else 0.0
        # Portals and powders draw from NumPy's global generator at a step, and what draws pictures
        # belongs to a thread: one environment after the other.
        self.workers = 1 if name.size == "teleport" or name.images else workers

    @property
    def observation(self) -> tuple[int, ...]:
        """The shape of an observation."""
        shape: tuple[int, ...] = self.lanes[0].observation_space.shape
        return shape

    @property
    def action(self) -> int:
        """How many numbers an action has, or how many actions there are to choose from."""
        return int(self.space.n if self.discrete else self.space.shape[0])

    def success(
        self, agent: Agent, states: LearnerState, episodes: int, entropy: Sequence[int]
    ) -> Float[np.ndarray, "seeds tasks"]:
        """The share of episodes of each task in which each seed's agent was at the goal.

        Args:
            states: with a leading axis over seeds.
            episodes: of each task.
            entropy: numbers from which everything random follows.
        """
        key = jax.random.key(np.random.SeedSequence(entropy).generate_state(1)[0])
        states = jax.device_put(states, jax.devices()[0])

        def policy(observations: np.ndarray, goals: np.ndarray, step: int) -> np.ndarray:
            told = (observations, goals, key, step, self.temperature)
            return np.asarray(_actions(agent, states, *told))

        return self.rates(policy, episodes, entropy)

    def rates(
        self, policy: Policy, episodes: int, entropy: Sequence[int]
    ) -> Float[np.ndarray, "seeds tasks"]:
        """`success` of anything that acts."""
        won, steps = np.zeros(len(self.lanes)), 0
        with ExitStack() as stack:
            rng = stack.enter_context(seeded(self.lanes[0], *entropy))
            over: Callable = map
            if self.workers > 1:
                over = stack.enter_context(ThreadPoolExecutor(self.workers)).map
            for env in self.lanes:
                env.unwrapped.action_space.seed(int(rng.integers(2**31)))
            left = np.full(len(self.lanes), episodes)
            starts = [self._start(lane, rng) for lane in range(len(self.lanes))]
            observations, goals = (np.stack(part) for part in zip(*starts, strict=True))
            while left.any():
                actions = self._act(policy, observations, goals, steps)
                steps += 1
                running = np.flatnonzero(left).tolist()
                stepped = list(over(lambda lane: self.lanes[lane].step(actions[lane]), running))  # noqa: B023
                for lane, (seen, _, ended, cut, told) in zip(running, stepped, strict=True):
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
        kind = np.uint8 if len(self.observation) == 3 else np.float32  # images stay bytes
        return observation.astype(kind), told["goal"].astype(kind)

    def _act(
        self, policy: Policy, observations: np.ndarray, goals: np.ndarray, step: int
    ) -> np.ndarray:
        shape = (*self.shape, *self.observation)
        actions = policy(observations.reshape(shape), goals.reshape(shape), step)
        if self.discrete:
            return actions.reshape(-1)
        return np.clip(actions.reshape(len(self.lanes), -1), self.space.low, self.space.high)


@partial(jax.jit, static_argnums=0)
def _actions(
    agent: Any,
    states: LearnerState,
    observations: Array,
    goals: Array,
    key: Key,
    step: int | Array,
    temperature: float | Array,
) -> Shaped[Array, "seeds tasks *action"]:
    keys = jax.random.split(jax.random.fold_in(key, step), observations.shape[:2])

    def one(state: LearnerState, observation: Array, goal: Array, key: Key) -> Array:
        action, _ = agent.act(state, observation, goal, (), key, temperature)
        return action

    return jax.vmap(jax.vmap(one, in_axes=(None, 0, 0, 0)))(states, observations, goals, keys)
