"""Gridworlds: moves against a walk by hand, distances against Manhattan and matrix powers."""

import numpy as np
import pytest

from goalward.tabular.grid import ACTIONS, MOVES, Grid

MAZE = """
#####
#..##
#.#.#
#...#
#####
"""


def test_moves_walk_as_they_are_named():
    grid = Grid.open(2, 3)
    middle = grid.index(0, 1)
    reached = {
        name: tuple(grid.cells[grid.next_state[middle, a]]) for a, name in enumerate(ACTIONS)
    }
    assert reached == {
        "up": (0, 1),
        "down": (1, 1),
        "left": (0, 0),
        "right": (0, 2),
        "stay": (0, 1),
    }
    assert len(MOVES) == len(ACTIONS)


def test_walls_and_borders_stop_a_move():
    grid = Grid.parse(MAZE)
    assert grid.shape == (5, 5)
    assert grid.states == 7
    for state, (row, col) in enumerate(grid.cells):
        for action, (down, right) in enumerate(MOVES):
            free = MAZE.split()[row + down][col + right] == "."
            expected = grid.index(row + down, col + right) if free else state
            assert grid.next_state[state, action] == expected
    unwalled = Grid.parse("..")
    assert unwalled.next_state[0].tolist() == [0, 0, 0, 1, 0]


def test_the_table_of_probabilities_is_the_table_of_moves():
    grid = Grid.parse(MAZE)
    np.testing.assert_array_equal(grid.P.argmax(axis=2), grid.next_state)
    np.testing.assert_array_equal(grid.P.sum(axis=2), 1.0)


def test_distances_without_walls_are_manhattan():
    grid = Grid.open(4, 5)
    manhattan = np.abs(grid.cells[:, None] - grid.cells[None]).sum(axis=2)
    np.testing.assert_array_equal(grid.distances, manhattan)


def test_distances_with_walls_are_the_first_power_that_arrives():
    grid = Grid.parse(MAZE)
    step = grid.P.sum(axis=1) > 0
    expected = np.full((7, 7), np.inf)
    reached = np.eye(7, dtype=bool)
    for steps in range(8):
        expected[reached & np.isinf(expected)] = steps
        reached = (reached.astype(int) @ step.astype(int)) > 0
    np.testing.assert_array_equal(grid.distances, expected)


def test_unreachable_cells_are_infinitely_far():
    distances = Grid.parse(".#.").distances
    assert np.isinf(distances[0, 1])
    assert np.isinf(distances[1, 0])


def test_scale_multiplies_every_cell():
    grid = Grid.parse(MAZE, scale=3)
    assert grid.states == 7 * 9
    assert grid.shape == (15, 15)


def test_an_image_puts_values_where_the_cells_are():
    grid = Grid.parse(MAZE)
    picture = grid.image(np.arange(7.0))
    assert np.isnan(picture).sum() == 18
    for state, (row, col) in enumerate(grid.cells):
        assert picture[row, col] == state


@pytest.mark.parametrize("layout", ["#.\n#", "ab", "##"])
def test_bad_layouts_are_refused(layout):
    with pytest.raises(ValueError, match="layout"):
        Grid.parse(layout)


def test_a_wall_has_no_index():
    with pytest.raises(ValueError, match="not a free cell"):
        Grid.parse(MAZE).index(0, 0)
    with pytest.raises(ValueError, match="not a free cell"):
        Grid.open(2, 2).index(-1, 0)
