"""Ours as it is timed beside the official implementation: an update a dispatch, or many.

Each timer goes on where it stopped, so that a first call compiles and warms up.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jaxtyping import Array

from goalward.data.trajectories import Dataset
from goalward.protocol import Key, Learner, LearnerState
from goalward.training.loop import fresh_states, placing, train

Timer = Callable[[int], float]
"""From a number of updates to the seconds they took."""


class Stepwise:
    """Ours in the official form: a loop on the host, a dispatch an update.

    The batch is drawn in that dispatch, where the official code draws it on the host.
    """

    def __init__(self, agent: Learner, data: Dataset) -> None:
        self.agent, self.data = agent, data
        self.key, self.step = jax.random.key(0), 0
        states = _begin(agent, data, self.key, 1)
        self.state = jax.tree.map(lambda leaf: leaf[0], states)

    def __call__(self, updates: int) -> float:
        """The seconds of so many updates."""
        begun = time.perf_counter()
        metrics = None
        for _ in range(updates):
            self.state, metrics = _update(self.agent, self.state, self.data, self.key, self.step)
            self.step += 1
        jax.block_until_ready((self.state, metrics))
        return time.perf_counter() - begun


class Scanned:
    """Ours as `bench train` runs it: many updates a dispatch, for all seeds at once."""

    def __init__(self, agent: Learner, data: Dataset, seeds: int, dispatch: int) -> None:
        self.agent, self.data, self.seeds, self.dispatch = agent, data, seeds, dispatch
        self.key, self.step = jax.random.key(0), 0
        self.states = _begin(agent, data, self.key, seeds)

    def __call__(self, updates: int) -> float:
        """The seconds of so many updates of each seed, a multiple of a dispatch's."""
        begun = time.perf_counter()
        self.states, _ = train(
            self.agent,
            self.data,
            self.key,
            updates,
            seeds=self.seeds,
            states=self.states,
            log_every=self.dispatch,
            progress=Silent(),
            first=self.step,
        )
        jax.block_until_ready(self.states)
        self.step += updates
        return time.perf_counter() - begun


class Silent:
    """A bar that shows nothing."""

    total = 0

    def update(self, n: int) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing was shown."""


def _begin(agent: Learner, data: Dataset, key: Key, seeds: int) -> LearnerState:
    # Put in place, or all would be compiled again after the first dispatch.
    states = fresh_states(agent, data, key, seeds)
    return jax.device_put(states, placing(seeds))  # type: ignore[no-any-return]


@partial(jax.jit, static_argnums=0)
def _update(
    agent: Any, state: LearnerState, data: Dataset, key: Key, step: Array | int
) -> tuple[LearnerState, Any]:
    key_batch, key_update = jax.random.split(jax.random.fold_in(key, step))
    return agent.update(state, agent.batch(data, key_batch), key_update)  # type: ignore
