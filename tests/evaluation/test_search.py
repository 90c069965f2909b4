"""Best-first search: what it expands, what it keeps, when it stops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.evaluation.search import best_first_search
from goalward.tabular.grid import Grid


def search(grid, table, start, goal, budget=10_000, keep=None):
    ways = grid.next_state.tolist()
    return best_first_search(
        start, goal, ways.__getitem__, lambda s: [table[n] for n in s], budget, keep
    )


def some_grid(seed):
    rng = np.random.default_rng(seed)
    grid = Grid(rng.uniform(size=(6, 6)) < 0.75)
    start, goal = rng.integers(grid.states, size=2)
    return rng, grid, int(start), int(goal)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_perfect_heuristic_expands_as_many_nodes_as_the_way_has_moves(seed):
    _, grid, start, goal = some_grid(seed)
    d = grid.distances[:, goal]
    got = search(grid, d, start, goal)
    assert got.found == np.isfinite(d[start])
    if got.found:
        assert got.expanded == d[start] == len(got.path) - 1
        again = search(grid, d, start, goal, keep=1)
        assert (again.expanded, len(again.path)) == (got.expanded, len(got.path))
        assert search(grid, d, start, goal, budget=got.expanded).found
        if got.expanded:
            short = search(grid, d, start, goal, budget=got.expanded - 1)
            assert not short.found
            assert short.path == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_any_heuristic_finds_every_goal_in_reach_along_a_real_path(seed):
    rng, grid, start, goal = some_grid(seed)
    got = search(grid, rng.normal(size=grid.states), start, goal)
    within = np.isfinite(grid.distances[start])
    assert got.found == within[goal]
    assert got.expanded <= within.sum()
    if got.found:
        assert (got.path[0], got.path[-1]) == (start, goal)
        assert len(set(got.path)) == len(got.path)
        for before, after in zip(got.path[:-1], got.path[1:], strict=True):
            assert after in grid.next_state[before]
    else:
        assert got.expanded == within.sum()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_constant_heuristic_is_breadth_first(seed):
    _, grid, start, goal = some_grid(seed)
    got = search(grid, np.zeros(grid.states), start, goal)
    d = grid.distances[start]
    if got.found:
        assert len(got.path) - 1 == d[goal]
        if start != goal:
            assert (d < d[goal] - 1).sum() < got.expanded <= (d < d[goal]).sum()


def test_the_start_is_no_exception():
    _, grid, start, _ = some_grid(0)
    assert search(grid, np.zeros(grid.states), start, start) == (True, 0, [start])


def test_it_goes_on_from_the_best_open_node_wherever_that_is():
    # 0 has the children 1 and 2; 1 looks better and leads to 3, which looks worse than 2.
    ways = {0: [1, 2], 1: [3], 2: [4], 3: [5], 4: [9], 5: [9], 9: []}
    looks = {1: 1.0, 2: 2.0, 3: 3.0, 4: 0.0, 5: 0.0}
    expanded = []

    def successors(node):
        expanded.append(node)
        return ways[node]

    def heuristic(nodes):
        return [looks[n] for n in nodes]

    got = best_first_search(0, 9, successors, heuristic, 100)
    assert expanded == [0, 1, 2, 4]
    assert got == (True, 4, [0, 2, 4, 9])
    expanded.clear()
    got = best_first_search(0, 9, successors, heuristic, 100, keep=1)
    assert expanded == [0, 1, 3, 5]
    assert got == (True, 4, [0, 1, 3, 5, 9])


def test_without_search_a_dead_end_is_the_end_and_no_node_comes_twice():
    ways = {0: [1, 2], 1: [0], 2: [9], 9: []}
    got = best_first_search(0, 9, ways.__getitem__, lambda s: [float(n) for n in s], 100, keep=1)
    assert got == (False, 2, [])
    asked = []

    def heuristic(nodes):
        asked.extend(nodes)
        return [float(n) for n in nodes]

    assert best_first_search(0, 9, ways.__getitem__, heuristic, 100).found
    assert sorted(asked) == [1, 2]
    twice = {0: [1, 1, 2], 1: [3], 2: [3], 3: [4], 4: []}
    got = best_first_search(0, 9, twice.__getitem__, lambda s: [0.0] * len(s), 100)
    assert got == (False, 5, [])
