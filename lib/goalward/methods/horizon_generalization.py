"""Horizon generalization: train on nearby goals, act on distant ones (Myers et al. 2025).

Two roads to a distance ``d(s, g)`` between states, and one policy on top of it.

* Tables (`distance_tables`): average the hitting times of short walks, then relax them until the
  triangle inequality holds; App. F.2.
* Networks: `DistanceCritic`, contrastive learning with logits ``-d``; the critic module decides
  whether the triangle inequality holds (MRN, IQE) or not (L2, MLP); App. F.3.

The policy prefers actions whose next state is near: ``pi(a | s, g)`` proportional to
``exp(-beta d(next state, g))``. A planner replaces the goal by a waypoint half way (`planned`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Num, PyTree, Shaped

from goalward.data.sampling import future_pairs
from goalward.data.trajectories import Dataset
from goalward.losses.contrastive import info_nce
from goalward.protocol import (
    Key,
    LearnerState,
    Metrics,
    Params,
    check_discount,
    gradient_step,
    initial_state,
)
from goalward.tabular import paths

Table = Float[np.ndarray, "states goals"]
Waypoint = Callable[[Array, Array, Key], Array]
Act = Callable[[Array, Array, PyTree, Key], tuple[Array, PyTree]]

backward_info_nce = partial(info_nce, axis=0)
"""Softmax over states for each goal: a term that depends on the goal alone cancels."""


class Tables(NamedTuple):
    """Two distances between states, measured on the same walks; in steps."""

    raw: Table
    """Metric regression: mean hitting times, and for pairs never seen the length of the walks."""
    relaxed: Table
    """The same means made to obey the triangle inequality; pairs never seen start unknown."""
    seen: Bool[np.ndarray, "states goals"]
    """Whether the goal follows the state in some walk."""


def distance_tables(states: Int[np.ndarray, "walks time"], n_states: int) -> Tables:
    """Measure hitting times on walks, as they are and relaxed (Myers et al. 2025, App. F.2)."""
    mean, count = paths.mc_hitting_times(states, n_states)
    far = states.shape[1] - 1.0
    return Tables(np.where(np.isinf(mean), far, mean), paths.floyd_warshall(mean), count > 0)


class Evaluation(NamedTuple):
    """Exact success of a policy from every state to every goal."""

    direct: Table
    """Given the goal."""
    planned: Table
    """Given, at every step, a waypoint half way to the goal."""


def evaluate(
    d: Table,
    next_state: Int[np.ndarray, "states actions"],
    distances: Table,
    beta: float,
    steps: int,
) -> Evaluation:
    """Success within ``steps`` of ``pi(a | s, g)`` proportional to ``exp(-beta d(next, g))``.

    The planner uses ``distances``, the true shortest path lengths, whatever ``d`` believes.
    """
    policy = paths.boltzmann_policy(d, next_state, beta)
    planned = paths.midpoint_planner_policy(policy, distances)
    return Evaluation(
        paths.success_within(policy, next_state, steps),
        paths.success_within(planned, next_state, steps),
    )


def successor_distance(logits: Float[Array, "states states"]) -> Float[Array, "states states"]:
    """``d(s, g) = f(g, g) - f(s, g)``, from logits of all pairs of states.

    Zero on the diagonal; terms of ``f`` that depend on the goal alone cancel (Myers et al. 2025,
    eq. 5). For a critic with logits ``-d`` and ``d(g, g) = 0`` it gives ``d`` back.
    """
    return jnp.diagonal(logits)[None, :] - logits


def cell_code(cells: Int[np.ndarray, "states 2"]) -> Callable[[Array], Array]:
    """Features of a position in a maze: how much of it lies in which cell, by bilinear weights.

    At a cell's centre this is the one-hot code of the cell; so it is beyond all cells, where it
    is that of the nearest. Coordinates would put two sides of a wall close together.
    """
    rows, columns = np.asarray(cells, np.float32).T
    numbers = np.arange(len(rows))

    def features(position: Float[Array, "*batch 2"]) -> Float[Array, "*batch states"]:
        down, across = jnp.abs(position[..., :1] - rows), jnp.abs(position[..., 1:] - columns)
        weight = jax.nn.relu(1 - down) * jax.nn.relu(1 - across)
        gap = down**2 + across**2
        # Two minima in place of an argmin, which is five times slower on a CPU.
        is_least = gap == jnp.min(gap, axis=-1, keepdims=True)
        first = jnp.min(jnp.where(is_least, numbers, len(rows)), axis=-1, keepdims=True)
        inside = jnp.any(weight > 0, axis=-1, keepdims=True)
        weight = jnp.where(inside, weight, (numbers == first).astype(weight.dtype))
        return weight / jnp.sum(weight, axis=-1, keepdims=True)

    return features


@dataclass(frozen=True)
class DistanceCritic:
    """Contrastive critic: of all states in the batch, which one went on to reach this goal?

    Attributes:
        critic: Module with ``pairwise(states, goals)``, the logits of all pairs.
        features: What the critic sees of an observation (a one-hot code, say).
        gamma: Futures lie a geometric number of steps ahead, in (0, 1); the tail beyond the end
            of a trajectory is renormalised.
        batch_size: Pairs in a batch; the other states are each goal's negatives.
        learning_rate: Of Adam.
        objective: From logits to the loss; backward InfoNCE by default (App. F.3).
    """

    critic: nn.Module
    features: Callable[[Array], Array]
    gamma: float = 0.9
    batch_size: int = 256
    learning_rate: float = 3e-3
    objective: Callable[[Array], Array] = backward_info_nce

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: dict[str, Array]) -> LearnerState:
        """Fresh parameters; ``example`` is a batch."""
        params = self.critic.init(
            key,
            self.features(example["state"]),
            self.features(example["future"]),
            method="pairwise",
        )
        return initial_state(params, optax.scale_by_adam(), self.learning_rate)

    def batch(self, data: Dataset, key: Key) -> dict[str, Array]:
        """States, and for each a state from its own future."""
        current, future = future_pairs(data, key, self.batch_size, self.gamma)
        return {"state": data.observations[current], "future": data.observations[future]}

    def logits(self, params: Params, states: Array, goals: Array) -> Float[Array, "rows columns"]:
        """Logits of all pairs of observations: row = state, column = goal."""
        seen = self.features(states), self.features(goals)
        return jnp.asarray(self.critic.apply(params, *seen, method="pairwise"))

    def loss(
        self, params: Params, state: LearnerState, batch: dict[str, Array], key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """The objective on the batch's logits, and how often the true state scores highest."""
        logits = self.logits(params, batch["state"], batch["future"])
        hits = jnp.argmax(logits, axis=0) == jnp.arange(self.batch_size)
        return self.objective(logits), {"accuracy": jnp.mean(hits)}

    def update(
        self, state: LearnerState, batch: dict[str, Array], key: Key
    ) -> tuple[LearnerState, Metrics]:
        """One Adam step."""
        return gradient_step(self.loss, state, batch, key, optax.scale_by_adam())


def lookahead(
    logits: Callable[[Array, Array], Array],
    actions: Float[Array, "actions action_dim"],
    outcome: Callable[[Array, Array], Array],
    beta: float,
) -> Act:
    """Policy over a fixed set of actions, ``exp(beta logits(outcome(s, a), g))`` normalised.

    ``logits(states, goals)`` scores all pairs. ``outcome(observation, action)`` is the next
    observation: the tabular ``next_state`` for a continuous world whose one-step effect is known.
    """

    def act(observation: Array, goal: Array, carry: PyTree, key: Key) -> tuple[Array, PyTree]:
        after = jax.vmap(outcome, in_axes=(None, 0))(observation, actions)
        chance = jax.nn.softmax(beta * logits(after, goal[None])[:, 0])
        return actions[_draw(key, chance)], carry

    return act


def planned(act: Act, waypoint: Waypoint) -> Act:
    """The same policy behind a planner: at every step it is given ``waypoint(s, g)`` as goal."""

    def plan_and_act(
        observation: Array, goal: Array, carry: PyTree, key: Key
    ) -> tuple[Array, PyTree]:
        plan_key, act_key = jax.random.split(key)
        return act(observation, waypoint(observation, goal, plan_key), carry, act_key)

    return plan_and_act


def midpoint_waypoint(
    distances: Table,
    cell: Callable[[Array], Array],
    cells: Num[np.ndarray, "states dim"],
    slack: float = 1.0,
) -> Waypoint:
    """A random waypoint half way to the goal, for positions that lie in numbered cells.

    Uniform over cells as in `paths.midpoint_planner_policy`; the goal itself where there is none.
    """
    table, centres = jnp.asarray(distances), jnp.asarray(cells, jnp.float32)

    def waypoint(observation: Array, goal: Array, key: Key) -> Array:
        s, g = cell(observation), cell(goal)
        half = table[s, g] / 2
        near = (jnp.abs(table[s] - half) <= slack) & (jnp.abs(table[:, g] - half) <= slack)
        near = near.at[s].set(False)
        return jnp.where(near.any(), centres[_draw(key, near)], goal)

    return waypoint


def _draw(key: Key, weights: Shaped[Array, " choices"]) -> Int[Array, ""]:
    """A choice in proportion to its weight, from one random number; never one of weight 0."""
    reached = jnp.cumsum(weights.astype(jnp.float32))
    share = jax.random.uniform(key) * reached[-1]
    return jnp.argmax(reached > share)
