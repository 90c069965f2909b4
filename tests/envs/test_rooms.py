"""Random rooms: connected, large enough, and walks that respect walls."""

import numpy as np
import pytest

from goalward.envs import rooms
from goalward.tabular.grid import Grid


@pytest.fixture(scope="module")
def floors():
    return rooms.random_rooms(np.random.default_rng(0), 300)


def test_floors_are_connected_large_and_new_each_time(floors):
    assert floors.shape == (300, 6, 6)
    assert floors.mean((1, 2)).min() >= 0.45
    assert all(np.isfinite(Grid(floor).distances).all() for floor in floors[:60])
    assert len({floor.tobytes() for floor in floors}) == 300


def test_walls_are_as_frequent_as_asked_where_nothing_is_cut_off():
    assert rooms.random_rooms(np.random.default_rng(1), 50, (5, 4), p_wall=0.0).all()
    # A single row is cut by its first wall: the part around a random free cell, by enumeration.
    got = rooms.random_rooms(np.random.default_rng(2), 20_000, (1, 3), 0.3, least=0.0)
    chance = {}
    for bits in np.ndindex(2, 2, 2):
        p = np.prod([0.7 if b else 0.3 for b in bits])
        for cell in np.flatnonzero(bits):
            part = {cell}
            for _ in range(3):
                part |= {n for c in part for n in (c - 1, c + 1) if 0 <= n < 3 and bits[n]}
            name = tuple(n in part for n in range(3))
            chance[name] = chance.get(name, 0) + p / sum(bits)
    everything = sum(chance.values())
    for name, p in chance.items():
        share = (got[:, 0] == name).all(1).mean()
        assert share == pytest.approx(p / everything, abs=0.015), name


def test_a_share_that_no_room_covers_is_refused():
    with pytest.raises(ValueError, match=r"below 1 - p_wall"):
        rooms.random_rooms(np.random.default_rng(0), 1, p_wall=0.6, least=0.45)


def test_neighbours_are_those_of_the_gridworld(floors):
    for floor, ways in zip(floors[:40], rooms.neighbours(floors[:40]), strict=True):
        grid, cells = Grid(floor), np.flatnonzero(floor)
        for state, cell in enumerate(cells):
            for action in range(4):
                after = grid.next_state[state, action]
                want = rooms.BLOCKED if after == state else cells[after]
                assert ways[cell, action] == want


def test_walks_take_open_ways_and_turn_back_only_in_dead_ends(floors):
    walks = rooms.walks(np.random.default_rng(1), floors, 30)
    assert walks.shape == (300, 31)
    ways = rooms.neighbours(floors)
    turned = 0
    for room in range(300):
        for t in range(30):
            here, there = walks[room, t], walks[room, t + 1]
            options = set(ways[room, here]) - {rooms.BLOCKED}
            assert there in options
            if t and there == walks[room, t - 1]:
                assert len(options) == 1
                turned += 1
    assert turned > 20


def test_walks_start_anywhere_and_choose_evenly():
    floors = np.ones((20_000, 2, 3), dtype=bool)
    walks = rooms.walks(np.random.default_rng(2), floors, 2)
    starts = np.bincount(walks[:, 0], minlength=6) / len(walks)
    np.testing.assert_allclose(starts, 1 / 6, atol=0.012)
    first = np.bincount(walks[walks[:, 0] == 1, 1], minlength=6)
    np.testing.assert_allclose(first / first.sum(), [1 / 3, 0, 1 / 3, 0, 1 / 3, 0], atol=0.03)
    # From 0 to 1, then on to 2 or 4, never back.
    second = np.bincount(walks[(walks[:, 0] == 0) & (walks[:, 1] == 1), 2], minlength=6)
    np.testing.assert_allclose(second / second.sum(), [0, 0, 0.5, 0, 0.5, 0], atol=0.05)


def test_an_agent_sees_the_walls_and_where_it_is(floors):
    cells = np.array([np.flatnonzero(floor)[[0, -1]] for floor in floors])
    seen = rooms.observe(floors, cells)
    assert seen.shape == (300, 2, 72)
    np.testing.assert_array_equal(seen[:, 0, :36], ~floors.reshape(300, 36))
    np.testing.assert_array_equal(seen[:, 1, :36], ~floors.reshape(300, 36))
    np.testing.assert_array_equal(seen[..., 36:].argmax(-1), cells)
    assert (seen[..., 36:].sum(-1) == 1).all()
    floor = floors[3]
    places = rooms.every_place(floor)
    np.testing.assert_array_equal(places[:, 36:].argmax(1), np.flatnonzero(floor))
    np.testing.assert_array_equal(places[0, :36], ~floor.ravel())


def test_rooms_are_compared_by_their_walls(floors):
    np.testing.assert_array_equal(
        rooms.same_room(floors[[0, 5, 299]], floors[:10]), [True, True, False]
    )
    assert [grid.states for grid in rooms.grids(floors[:3])] == floors[:3].sum((1, 2)).tolist()
