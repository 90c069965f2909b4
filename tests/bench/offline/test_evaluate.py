"""Evaluation: a walker that knows the way reaches the goal it wants, and no other."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("ogbench")
import gymnasium

from goalward.bench.data.environments import make, seeded
from goalward.bench.data.names import parse
from goalward.bench.data.recipes import distances
from goalward.bench.offline.evaluate import Arena

NAME = parse("pointmaze-medium-navigate-v0")
GOALS = np.array([(6, 6), (1, 6), (4, 2), (6, 1), (1, 1)])
"""The cells of the five tasks' goals, in order."""


def ways() -> np.ndarray:
    """Which neighbouring cell leads to each goal cell: `[goal row, goal column, row, column]`."""
    maze = make(NAME).unwrapped.maze_map
    table = np.zeros((8, 8, 8, 8, 2), int)
    for goal in map(tuple, np.argwhere(maze == 0).tolist()):
        steps = distances(maze, goal)
        for cell in steps:
            near = [(cell[0] + i, cell[1] + j) for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0))]
            table[goal + cell] = min((c for c in [cell, *near] if c in steps), key=steps.get)
    return table


WAYS = jnp.array(ways())


@dataclass(frozen=True)
class Guide:
    """Walks to the goal if it lies in the cell that its state names; else stands still."""

    def act(self, state, observation, goal, carry, key, temperature):
        here, there = (jnp.floor((x[::-1] + 6) / 4).astype(int) for x in (observation, goal))
        following = WAYS[there[0], there[1], here[0], here[1]]
        target = jnp.where((here == there).all(), goal, 4.0 * following[::-1] - 4)
        wanted = (there == state).all()
        return jnp.where(wanted, 5 * (target - observation), 0.0), carry


def test_each_seed_in_each_task() -> None:
    """Five seeds, of which each goes for the next task's goal: a shifted identity."""
    arena = Arena(NAME, seeds=5, max_steps=450)
    assert (arena.tasks, arena.observation, arena.action) == (5, (2,), 2)
    wanted = jnp.array(np.roll(GOALS, -1, axis=0))
    success = arena.success(Guide(), wanted, episodes=1, entropy=(0,))
    np.testing.assert_array_equal(success, np.roll(np.eye(5), 1, axis=1))


@dataclass(frozen=True)
class Straight:
    """Walks towards the goal, through walls if it could."""

    def act(self, state, observation, goal, carry, key, temperature):
        return jnp.clip(5 * (goal - observation), -1, 1), carry


def test_numbers_decide_everything() -> None:
    """Also in the teleporting maze, whose portals are drawn from NumPy's global generator."""
    arena = Arena(parse("pointmaze-teleport-navigate-v0"), seeds=1, max_steps=120)
    states = jnp.zeros(1)
    found = []
    for world in range(2):
        np.random.seed(world)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        found.append(arena.success(Straight(), states, 4, (3, 7)))
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(*found)
    assert ((found[0] * 4) % 1 == 0).all()


def test_success_is_the_packages_own_count() -> None:
    """One lane, against the plain loop over the environment with the same random numbers."""
    arena = Arena(NAME, seeds=1, max_steps=150)
    arena.lanes, arena.shape, arena.tasks = arena.lanes[:1], (1, 1), 1  # task 1 alone
    episodes = 3
    found = arena.success(Straight(), jnp.zeros(1), episodes, (5,))
    env, won = make(NAME, max_episode_steps=150), 0.0
    with seeded(env, 5) as rng:
        env.unwrapped.action_space.seed(int(rng.integers(2**31)))
        for _ in range(episodes):
            observation, told = env.reset(seed=int(rng.integers(2**31)), options={"task_id": 1})
            over = False
            while not over:
                action = np.clip(5 * (told["goal"] - observation), -1, 1)
                observation, _, ended, cut, info = env.step(action)
                over = ended or cut
            won += info["success"]
    assert found.item() == won / episodes


class Falls(gymnasium.Wrapper):
    """Episodes end after a step, every second one with success."""

    episode = 0

    def step(self, action):
        self.episode += 1
        seen, reward, _, _, _ = self.env.step(action)
        return seen, reward, True, False, {"success": float(self.episode % 2)}


def test_an_episode_that_ends_otherwise_is_no_success() -> None:
    arena = Arena(NAME, seeds=1, max_steps=5)
    arena.lanes, arena.shape, arena.tasks = [Falls(make(NAME))], (1, 1), 1
    found = arena.rates(lambda *told: np.zeros((1, 1, 2)), episodes=4, entropy=(0,))
    assert found.item() == 0.5


def test_making_a_maze_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make(NAME).reset(options={"task_id": 1})
    assert list(tmp_path.iterdir()) == []
    assert tempfile.gettempdir() == str(tmp_path)


def test_a_hands_environment_is_decided_by_its_seed() -> None:
    """Its package makes an unseeded action space at each look."""
    env = make(parse("cube-single-play-v0"))
    goals = []
    for _ in range(2):
        with seeded(env, 1):
            _, told = env.reset(seed=3, options={"task_id": 2})
        goals.append(told["goal"])
    np.testing.assert_array_equal(*goals)
    assert env.action_space is env.action_space


def test_the_number_of_workers_changes_nothing() -> None:
    seen = []
    for workers in (1, 3):
        arena = Arena(parse("antmaze-medium-navigate-v0"), 1, max_steps=30, workers=workers)
        seen.append([])

        def policy(observations, goals, step, told=seen[-1], size=arena.action):
            told.append((observations.copy(), goals.copy()))
            return np.sin(np.arange(5 * size) + step).reshape(1, 5, size)

        arena.rates(policy, episodes=2, entropy=(7,))
    assert len(seen[0]) == 60
    np.testing.assert_equal(seen[0], seen[1])
    # Where a step draws from what all environments share, they step one after the other.
    assert Arena(parse("pointmaze-teleport-stitch-v0"), 1, workers=3).workers == 1
