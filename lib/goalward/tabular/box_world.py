"""A box on a small grid: what it takes to lay it into another quarter, and walks that try.

After the one-box task of Bortkiewicz et al. 2025, "Is Temporal Difference Learning the Gold
Standard for Stitching in RL?". A policy is `policy[state, action, goal]`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

Policy = Float[np.ndarray, "states actions goals"]
Pairs = Int[np.ndarray, "pairs 2"]
Seen = Bool[np.ndarray, "states actions"]
PICK, PUT = 4, 5
"""The actions after up, down, left and right."""


@dataclass(frozen=True)
class BoxWorld:
    """A grid of `size` by `size` cells, cut into four quarters, with one agent and one box.

    State `agent * (cells + 1) + box`, where `box == cells` means that the agent carries it. A
    carried box lies nowhere. Picking up needs the box underfoot, putting down a carried one; an
    action that cannot be done changes nothing. Quarters are numbered row by row.
    """

    size: int = 4

    @property
    def cells(self) -> int:
        """How many cells there are; each is a goal."""
        return self.size**2

    @property
    def states(self) -> int:
        """Agent's cell times box's cell, or carried."""
        return self.cells * (self.cells + 1)

    def state(self, agent: ArrayLike, box: ArrayLike) -> Int[np.ndarray, "*n"]:
        """The number of a state; `box == cells` means carried."""
        return np.array(np.asarray(agent) * (self.cells + 1) + box)

    @cached_property
    def agent(self) -> Int[np.ndarray, " states"]:
        """The agent's cell in each state."""
        return np.arange(self.states) // (self.cells + 1)

    @cached_property
    def box(self) -> Int[np.ndarray, " states"]:
        """Where the box lies in each state; `cells` where it is carried."""
        return np.arange(self.states) % (self.cells + 1)

    @cached_property
    def next_state(self) -> Int[np.ndarray, "states 6"]:
        """Where each action leads: up, down, left, right, pick up, put down."""
        n, carried = self.size, self.box == self.cells
        row, col = self.agent // n, self.agent % n
        moved = [
            np.clip(row + dr, 0, n - 1) * n + np.clip(col + dc, 0, n - 1)
            for dr, dc in ((-1, 0), (1, 0), (0, -1), (0, 1))
        ]
        pick = np.where(self.box == self.agent, self.cells, self.box)
        put = np.where(carried, self.agent, self.box)
        after = [self.state(agent, self.box) for agent in moved]
        return np.stack([*after, self.state(self.agent, pick), self.state(self.agent, put)], 1)

    @cached_property
    def arrived(self) -> Bool[np.ndarray, "states goals"]:
        """Whether the box lies at the goal."""
        return self.box[:, None] == np.arange(self.cells)

    @cached_property
    def quarter(self) -> Int[np.ndarray, " cells"]:
        """Which quarter each cell belongs to."""
        cell, half = np.arange(self.cells), self.size // 2
        return cell // self.size // half * 2 + cell % self.size // half

    def pairs(self, diagonal: bool) -> Pairs:
        """Ordered pairs (box's quarter, goal's quarter) that share a side, or only a corner."""
        every = [(b, g) for b in range(4) for g in range(4) if b != g]
        return np.array([(b, g) for b, g in every if (b + g == 3) == diagonal])

    def starts(self, quarter: int | np.integer) -> Int[np.ndarray, " starts"]:
        """All states with agent and box, which lies, in that quarter."""
        inside = np.flatnonzero(self.quarter == quarter)
        return self.state(inside[:, None], inside[None, :]).ravel()

    def goals(self, quarter: int | np.integer) -> Int[np.ndarray, " goals"]:
        """The cells of that quarter."""
        return np.flatnonzero(self.quarter == quarter)

    def inside(self, pairs: Pairs) -> Bool[np.ndarray, "pairs states"]:
        """Whether the agent is within the smallest rectangle around both quarters of a pair."""
        half = (
            self.agent // self.size // (self.size // 2),
            self.agent % self.size // (self.size // 2),
        )
        fits = np.ones((len(pairs), self.states), bool)
        for place, of in zip(half, (pairs // 2, pairs % 2), strict=True):
            fits &= (of.min(1)[:, None] <= place) & (place <= of.max(1)[:, None])
        return fits


class Episodes(NamedTuple):
    """Recorded moves; `valid` is False after the end of an episode."""

    states: Int[np.ndarray, "episodes time+1"]
    actions: Int[np.ndarray, "episodes time"]
    valid: Bool[np.ndarray, "episodes time"]
    goals: Int[np.ndarray, " episodes"]


def episodes(
    world: BoxWorld,
    policy: Policy,
    pairs: Pairs,
    rng: np.random.Generator,
    number: int,
    steps: int = 60,
    filtered: bool = True,
) -> Episodes:
    """Follow a policy: a random pair, its goal commanded, agent and box in the box's quarter.

    `filtered` ends an episode before the move that would leave the pair's two quarters; that move
    is not recorded. Reaching the goal does not end it.
    """
    pair = rng.integers(len(pairs), size=number)
    goal = np.stack([world.goals(q) for q in range(4)])[
        pairs[pair, 1], rng.integers(world.cells // 4, size=number)
    ]
    starts = np.stack([world.starts(q) for q in range(4)])
    state = starts[pairs[pair, 0], rng.integers(starts.shape[1], size=number)]
    inside, alive = world.inside(pairs), np.ones(number, bool)
    reached = np.cumsum(policy, axis=1)
    states, actions, valid = [state], [], []
    for _ in range(steps):
        share = rng.uniform(size=(number, 1)) * reached[state, -1, goal][:, None]
        action = (reached[state, :, goal] <= share).sum(1)
        after = world.next_state[state, action]
        if filtered:
            alive = alive & inside[pair, after]
        state = np.where(alive, after, state)
        states.append(state)
        actions.append(action)
        valid.append(alive)
    return Episodes(np.stack(states, 1), np.stack(actions, 1), np.stack(valid, 1), goal)


def seen_moves(world: BoxWorld, data: Episodes) -> Seen:
    """Which action was taken in which state, whatever the goal."""
    seen = np.zeros(world.next_state.shape, bool)
    seen[data.states[:, :-1][data.valid], data.actions[data.valid]] = True
    return seen


def arrival(world: BoxWorld, policy: Policy, steps: int = 60) -> Float[np.ndarray, "states goals"]:
    """The exact chance that the box lies at the goal within so many steps, from every state."""
    by_action = np.ascontiguousarray(np.moveaxis(policy, 1, 0))
    chance = world.arrived.astype(float)
    for _ in range(steps):
        ahead = np.zeros_like(chance)
        for probability, after in zip(by_action, world.next_state.T, strict=True):
            ahead += probability * chance[after]
        chance = np.where(world.arrived, 1.0, ahead)
    return chance


def over_pairs(
    world: BoxWorld, table: Float[np.ndarray, "states goals"], pairs: Pairs
) -> Float[np.ndarray, "pairs starts targets"]:
    """A table's entries at all starts and goals of each pair."""
    return np.stack([table[np.ix_(world.starts(b), world.goals(g))] for b, g in pairs])
