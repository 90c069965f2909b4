"""The box world against a simulator written with cells and words, and chains of matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.tabular import box_world as boxes
from goalward.tabular.box_world import BoxWorld

W = BoxWorld()
MOVES = {0: (-1, 0), 1: (1, 0), 2: (0, -1), 3: (0, 1)}


def simulate(size, agent, box, action):
    """One step; agent and box as (row, column), box None if carried."""
    if action in MOVES:
        to = tuple(x + d for x, d in zip(agent, MOVES[action], strict=True))
        return (to if all(0 <= x < size for x in to) else agent), box
    if action == 4 and box == agent:
        return agent, None
    if action == 5 and box is None:
        return agent, agent
    return agent, box


def random_policy(seed, world=W):
    draw = np.random.default_rng(seed).dirichlet(np.ones(6), size=(world.states, world.cells))
    return np.moveaxis(draw, 2, 1)


@pytest.mark.parametrize("size", [4, 6])
def test_every_move_is_that_of_the_simulator(size):
    world = BoxWorld(size)
    cells = [(r, c) for r in range(size) for c in range(size)]
    for i, agent in enumerate(cells):
        for j, box in enumerate([*cells, None]):
            state = world.state(i, j)
            for action in range(6):
                there, lies = simulate(size, agent, box, action)
                k = world.cells if lies is None else cells.index(lies)
                expected = world.state(cells.index(there), k)
                assert world.next_state[state, action] == expected
            assert [cells[g] for g in np.flatnonzero(world.arrived[state])] == [box] * (
                box is not None
            )


def test_quarters_and_pairs():
    assert W.quarter.reshape(4, 4).tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2
    assert {tuple(p) for p in W.pairs(True)} == {(0, 3), (3, 0), (1, 2), (2, 1)}
    beside = {tuple(p) for p in W.pairs(False)}
    assert beside == {(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2)}
    for quarter in range(4):
        starts = W.starts(quarter)
        assert len(set(starts)) == 16
        assert set(W.quarter[W.agent[starts]]) == {quarter} == set(W.quarter[W.box[starts]])
        assert W.goals(quarter).tolist() == np.flatnonzero(W.quarter == quarter).tolist()


def test_the_rectangle_around_two_quarters():
    for diagonal in (False, True):
        pairs = W.pairs(diagonal)
        for inside, pair in zip(W.inside(pairs), pairs, strict=True):
            allowed = set(range(4)) if diagonal else set(pair)
            expected = [W.quarter[a] in allowed for a in W.agent]
            assert inside.tolist() == expected


@pytest.mark.parametrize("filtered", [True, False])
def test_episodes_obey_the_world_and_end_where_they_should(filtered):
    pairs = W.pairs(False)
    data = boxes.episodes(W, random_policy(0), pairs, np.random.default_rng(1), 300, 40, filtered)
    ended = 0
    for s, a, valid, g in zip(data.states, data.actions, data.valid, data.goals, strict=True):
        box, target = W.quarter[W.box[s[0]]], W.quarter[g]
        assert box == W.quarter[W.agent[s[0]]]
        assert [box, target] in pairs.tolist()
        lived = int(valid.sum())
        assert valid[:lived].all()
        for t in range(lived):
            assert s[t + 1] == W.next_state[s[t], a[t]]
        left = [W.quarter[W.agent[x]] not in (box, target) for x in s[: lived + 1]]
        if filtered:
            assert not any(left)
            if lived < 40:  # the next move would have left
                away = W.next_state[s[lived], a[lived]]
                assert W.quarter[W.agent[away]] not in (box, target)
                ended += 1
        else:
            assert lived == 40
            ended += any(left)
    assert ended > 30


def test_episodes_follow_the_policy_for_their_goal():
    policy = random_policy(3)
    data = boxes.episodes(
        W, policy, W.pairs(False), np.random.default_rng(0), 200_000, 1, filtered=False
    )
    state, goal = 17 * 0 + 1, 2  # agent in cell 0, box in cell 1, both of quarter 0; goal beside it
    taken = data.actions[(data.states[:, 0] == state) & (data.goals == goal), 0]
    assert len(taken) == pytest.approx(200_000 / (8 * 16 * 4), rel=0.2)
    share = np.bincount(taken, minlength=6) / len(taken)
    np.testing.assert_allclose(share, policy[state, :, goal], atol=0.09)
    assert set(data.goals) == set(range(16))


def test_seen_moves_are_the_recorded_ones():
    data = boxes.episodes(W, random_policy(1), W.pairs(False), np.random.default_rng(0), 20, 30)
    expected = np.zeros((W.states, 6), bool)
    for s, a, valid in zip(data.states, data.actions, data.valid, strict=True):
        for t in range(30):
            if valid[t]:
                expected[s[t], a[t]] = True
    assert np.array_equal(boxes.seen_moves(W, data), expected)


@given(st.integers(0, 15), st.integers(0, 20))
def test_the_chance_of_arrival_is_that_of_the_absorbing_chain(goal, steps):
    policy = random_policy(5)
    chain = np.zeros((W.states, W.states))
    for s in range(W.states):
        if W.box[s] == goal:
            chain[s, s] = 1
        else:
            np.add.at(chain[s], W.next_state[s], policy[s, :, goal])
    expected = np.linalg.matrix_power(chain, steps)[:, W.box == goal].sum(1)
    np.testing.assert_allclose(boxes.arrival(W, policy, steps)[:, goal], expected, atol=1e-12)


def test_entries_of_pairs():
    table = np.random.default_rng(0).normal(size=(W.states, W.cells))
    pairs = W.pairs(False)
    picked = boxes.over_pairs(W, table, pairs)
    assert picked.shape == (8, 16, 4)
    for i, (b, g) in enumerate(pairs):
        for j, s in enumerate(W.starts(b)):
            for k, cell in enumerate(W.goals(g)):
                assert picked[i, j, k] == table[s, cell]
