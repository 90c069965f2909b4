"""The benchmark's mazes as grids: their tasks can be done, and walkers walk as they should."""

import numpy as np
import pytest

from goalward.envs import ogbench_grids
from goalward.envs.ogbench_grids import MOVES

MAZES = ogbench_grids.mazes()


def episodes(data):
    return np.split(data.states, np.flatnonzero(data.terminals)[:-1] + 1)


@pytest.mark.parametrize("name", list(MAZES))
def test_moves_are_probabilities_and_tasks_can_be_done(name):
    maze = MAZES[name]
    np.testing.assert_allclose(maze.P.sum(axis=2), 1.0)
    assert len(maze.tasks) == 5
    assert all(np.isfinite(maze.grid.distances[task]) for task in maze.tasks)


def test_sizes_of_the_published_maps():
    sizes = {name: (maze.grid.shape, maze.grid.states) for name, maze in MAZES.items()}
    assert sizes == {"medium": ((8, 8), 26), "large": ((9, 12), 46), "teleport": ((9, 12), 45)}


def test_entries_lead_to_all_exits_and_one_exit_is_a_trap():
    maze = MAZES["teleport"]
    assert maze.P[:, :, maze.entries].sum() == 0
    exits = np.zeros(maze.grid.states)
    exits[maze.exits] = 1 / 3
    row, col = maze.grid.cells[maze.entries[0]]
    above = maze.grid.index(row - 1, col)
    np.testing.assert_allclose(maze.P[above, 1], exits)
    trap = maze.grid.index(1, 7)
    np.testing.assert_array_equal(maze.P[trap], np.eye(maze.grid.states)[[trap] * MOVES])


@pytest.mark.parametrize(
    ("name", "kind"), [("large", "navigate"), ("teleport", "navigate"), ("medium", "stitch")]
)
def test_recorded_steps_are_possible(name, kind):
    maze = MAZES[name]
    data = ogbench_grids.collect(maze, kind, 20, 30, np.random.default_rng(0))
    assert data.terminals.sum() == 20
    assert data.terminals[-1]
    inside = np.flatnonzero(~data.terminals)
    assert (maze.P[data.states[inside], data.actions[inside], data.states[inside + 1]] > 0).all()
    again = ogbench_grids.collect(maze, kind, 20, 30, np.random.default_rng(0))
    np.testing.assert_array_equal(data.states, again.states)


def test_navigate_has_full_episodes_and_no_corridor_as_goal():
    maze = MAZES["large"]
    data = ogbench_grids.collect(maze, "navigate", 40, 50, np.random.default_rng(1), noise=0.0)
    assert {len(e) for e in episodes(data)} == {51}
    turned = set()  # without noise a walker turns back at goals only
    for e in episodes(data):
        turned |= {int(y) for x, y, z in zip(e, e[1:], e[2:], strict=False) if x == z}
    moved = maze.grid.next_state[:, :MOVES] != np.arange(maze.grid.states)[:, None]
    straight = ([True, True, False, False], [False, False, True, True])
    corridors = {s for s in range(maze.grid.states) if moved[s].tolist() in straight}
    assert corridors
    assert not turned & corridors


def test_stitch_without_noise_walks_four_moves_to_the_goal():
    maze = MAZES["large"]
    data = ogbench_grids.collect(maze, "stitch", 60, 8, np.random.default_rng(2), noise=0.0)
    for e in episodes(data):
        assert len(e) == 5
        assert maze.grid.distances[e[0], e[-1]] == 4
    noisy = ogbench_grids.collect(maze, "stitch", 60, 8, np.random.default_rng(2))
    assert max(len(e) for e in episodes(noisy)) == 9


def test_noise_is_the_share_of_random_moves():
    maze = MAZES["medium"]
    data = ogbench_grids.collect(maze, "navigate", 200, 50, np.random.default_rng(3), noise=1.0)
    share = np.bincount(data.actions[~data.terminals], minlength=MOVES) / (200 * 50)
    np.testing.assert_allclose(share, 0.25, atol=0.03)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'navigate' or 'stitch', not 'explore'"):
        ogbench_grids.collect(MAZES["medium"], "explore", 1, 1, np.random.default_rng(0))
