r"""Stitching with and without temporal differences (Bortkiewicz et al. 2025), one box, one grid.

An agent carries a box over a small grid; the goal $g$ is a cell where the box shall lie. In
training the box starts in a quarter of the grid beside the goal's, and no episode leaves the two;
a test goal lies in the quarter across the corner. Two values are learned from the same episodes,
$Q(s, a, g) = \gamma^k$ with $k$ the steps from the *next* state until the box first lies at $g$:

* Monte Carlo (`monte_carlo`, `monte_carlo_limit`): the average over what followed in the episode.
* Temporal differences (`temporal_differences`): $\gamma \max_{a'} Q(s', a', g)$ over actions seen.

Tables are indexed `[state, action, goal]`. `StitchingCritic` puts a network in the table's place;
its width and its kind are data, so that all of them are one compiled program.
"""

from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from goalward.nets.masked import MaskedMLP
from goalward.protocol import (
    ADAM,
    Key,
    LearnerState,
    Metrics,
    Params,
    check_discount,
    gradient_step,
    initial_state,
)
from goalward.tabular.box_world import BoxWorld, Episodes, Pairs, Seen

Values = Float[np.ndarray, "states actions goals"]


class MonteCarlo(NamedTuple):
    """Sums of returns and of weights, for each state, action and goal."""

    total: Values
    weight: Values

    @property
    def values(self) -> Values:
        """The average return; 0 where there is none."""
        return self.total / np.where(self.weight > 0, self.weight, 1)

    def later(self, newer: "MonteCarlo") -> "MonteCarlo":
        """Together with a newer round, in which these count half."""
        return MonteCarlo(self.total / 2 + newer.total, self.weight / 2 + newer.weight)


def monte_carlo(
    world: BoxWorld, data: Episodes, gamma: float, every_goal: bool = False
) -> MonteCarlo:
    r"""$\gamma^k$ of what followed each visit, for the commanded goal or for `every_goal`."""
    number, steps = data.actions.shape
    goals = np.tile(np.arange(world.cells), (number, 1)) if every_goal else data.goals[:, None]
    shape = (world.states, world.next_state.shape[1], world.cells)
    total, weight = np.zeros(shape), np.zeros(shape)
    future = np.zeros(goals.shape)
    for t in reversed(range(steps)):
        here = data.valid[:, t]
        arrived = world.arrived[data.states[:, t + 1, None], goals]
        # Where the move was not recorded the episode is over: nothing follows.
        future = np.where(here[:, None], np.where(arrived, 1.0, gamma * future), 0.0)
        at = data.states[here, t, None], data.actions[here, t, None], goals[here]
        np.add.at(total, at, future[here])
        np.add.at(weight, at, 1.0)
    return MonteCarlo(total, weight)


def monte_carlo_limit(
    world: BoxWorld,
    policy: Values,
    pairs: Pairs,
    gamma: float,
    steps: int = 60,
    filtered: bool = True,
) -> MonteCarlo:
    """`monte_carlo` of infinitely many `episodes`: how likely each move is, times what follows."""
    P = np.eye(world.states)[world.next_state]
    total, weight = np.zeros_like(policy), np.zeros_like(policy)
    for (quarter, target), inside in zip(pairs, world.inside(pairs), strict=True):
        goals = world.goals(target)
        move = policy[:, :, goals] * (inside[world.next_state][:, :, None] if filtered else 1.0)
        follows = [world.arrived[:, goals].astype(float)]  # by how many steps are left
        for _ in range(steps - 1):
            ahead = gamma * np.einsum("sag,sag->sg", move, follows[-1][world.next_state])
            follows.append(np.where(world.arrived[:, goals], 1.0, ahead))
        starts = world.starts(quarter)
        visits = np.zeros((world.states, len(goals)))
        visits[starts] = 1 / (len(pairs) * len(goals) * len(starts))
        for t in range(steps):
            taken = visits[:, None, :] * move
            total[:, :, goals] += taken * follows[steps - 1 - t][world.next_state]
            weight[:, :, goals] += taken
            visits = np.einsum("sax,sag->xg", P, taken, optimize=True)
    return MonteCarlo(total, weight)


def temporal_differences(world: BoxWorld, seen: Seen, gamma: float) -> Values:
    r"""The fixed point of $Q \leftarrow 1$ on arrival, else $\gamma\max_{a'} Q(s', a', g)$.

    Only actions `seen` in the data are backed up or maximised over; all others keep 0.
    """
    arrived, values = world.arrived[world.next_state], np.zeros((*seen.shape, world.cells))
    while True:
        best = np.where(seen[:, :, None], values, 0.0).max(1)
        new = np.where(arrived, 1.0, gamma * best[world.next_state]) * seen[:, :, None]
        if np.array_equal(new, values):
            return values
        values = new


def softmax_policy(values: Values, beta: float, uniform: float = 0.0) -> Values:
    """Actions in proportion to exp(beta * value), mixed with a share of uniform ones."""
    weight = np.exp(beta * (values - values.max(1, keepdims=True)))
    return (1 - uniform) * weight / weight.sum(1, keepdims=True) + uniform / values.shape[1]


def greedy_policy(values: Values) -> Values:
    """The best action; actions within 1e-12 of it share."""
    best = (values >= values.max(1, keepdims=True) - 1e-12).astype(float)
    return best / best.sum(1, keepdims=True)


def matched_beta(values: Values, entropy: float = float(np.log(3)), top: float = 1e5) -> float:
    """The sharpness at which `softmax_policy` has this entropy, in nats, on average over all
    states and goals (ln(6 / 2) is the paper's target for six actions, over its batches)."""
    low, high = 0.0, top
    for _ in range(50):
        beta = (low + high) / 2
        policy = softmax_policy(values, beta)
        found = -np.mean(np.sum(policy * np.log(np.maximum(policy, 1e-300)), axis=1))
        low, high = (beta, high) if found > entropy else (low, beta)
    return (low + high) / 2


def coordinates(world: BoxWorld) -> Float[np.ndarray, "cells 2"]:
    """Row and column of each cell, in [-1, 1]."""
    cell = np.arange(world.cells)
    return np.stack([cell // world.size, cell % world.size], 1) * 2 / (world.size - 1) - 1


def inputs(
    world: BoxWorld,
    place: Float[Array, "cells 2"],
    state: Int[Array, "*batch"],
    goal: Int[Array, "*batch"],
) -> Float[Array, "*batch 7"]:
    """What a network sees: the places of agent, box and goal (`place` has one for each cell; a
    carried box is where the agent is), and 1 if the box is carried, else -1."""
    agent, box = jnp.asarray(world.agent)[state], jnp.asarray(world.box)[state]
    carried = box == world.cells
    parts = (place[agent], place[jnp.where(carried, agent, box)], place[goal])
    return jnp.concatenate([*parts, jnp.where(carried, 1.0, -1.0)[..., None]], axis=-1)


class Rows(NamedTuple):
    """What one network learns from; the first `number` of the rows are drawn."""

    width: Int[Array, ""]
    place: Float[Array, "cells 2"]
    """Where the network is told that each cell lies."""
    bootstraps: Bool[Array, ""]
    """Whether it learns by temporal differences; else from the labels."""
    number: Int[Array, ""]
    state: Int[Array, " rows"]
    action: Int[Array, " rows"]
    goal: Int[Array, " rows"]
    label: Float[Array, " rows"]
    seen: Float[Array, "states actions"]


@dataclass(frozen=True)
class StitchingCritic:
    r"""$Q = \sigma(\text{network})$ by cross entropy to a label or to a bootstrapped target.

    The target is $\gamma\max_{a'}\bar Q(s', a', g)$ over actions seen in $s'$, or 1 on arrival.

    Attributes:
        critic: maps coordinates and a width to a logit for each action.
        world, gamma: what the rows' numbers mean; the discount.
        steps: after so many updates the step size has fallen to 0, along a cosine.
        batch_size: rows in a batch.
        learning_rate: the first step size.
        tau: how far the slow copy that targets come from moves at each update.
    """

    critic: MaskedMLP
    world: BoxWorld
    gamma: float
    steps: int
    batch_size: int = 128
    learning_rate: float = 3e-3
    tau: float = 0.02

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: Rows) -> LearnerState:
        """Fresh parameters, scaled for the width of the example."""
        seen = inputs(self.world, example.place, example.state, example.goal)
        params = self.critic.init(key, seen, example.width)
        return initial_state(params, ADAM, self.learning_rate)

    def batch(self, data: Rows, key: Key) -> Rows:
        """Rows drawn uniformly, with replacement."""
        row = jax.random.randint(key, (self.batch_size,), 0, data.number)
        return data._replace(
            state=data.state[row], action=data.action[row], goal=data.goal[row],
            label=data.label[row],
        )  # fmt: skip

    def loss(
        self, params: Params, state: LearnerState, batch: Rows, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """Binary cross entropy between the action's value and its target."""
        after = jnp.asarray(self.world.next_state)[batch.state, batch.action]
        ahead = nn.sigmoid(self._logits(state.target_params, batch, after))
        best = jnp.max(ahead * batch.seen[after], axis=-1)
        arrived = jnp.asarray(self.world.arrived)[after, batch.goal]
        bootstrapped = jnp.where(arrived, 1.0, self.gamma * best)
        target = jnp.where(batch.bootstraps, bootstrapped, batch.label)
        logits = self._logits(params, batch, batch.state)
        logit = jnp.take_along_axis(logits, batch.action[:, None], axis=-1)[:, 0]
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logit, target)), {}

    def update(self, state: LearnerState, batch: Rows, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step, with the step size of this update."""
        first = state.learning_rate
        now = first * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(state.step / self.steps, 1.0)))
        state = state.replace(learning_rate=now)  # type: ignore[attr-defined]
        state, metrics = gradient_step(self.loss, state, batch, key, ADAM, self.tau)
        return state.replace(learning_rate=first), metrics  # type: ignore[attr-defined]

    def values(self, params: Params, data: Rows) -> Float[Array, "states actions goals"]:
        """The network's table."""
        states, goals = jnp.mgrid[: self.world.states, : self.world.cells]
        logits = self._logits(params, data._replace(goal=goals), states)
        return jnp.swapaxes(nn.sigmoid(logits), 1, 2)

    def _logits(self, params: Params, batch: Rows, state: Array) -> Float[Array, "*batch actions"]:
        seen = inputs(self.world, batch.place, state, batch.goal)
        return jnp.asarray(self.critic.apply(params, seen, batch.width))
