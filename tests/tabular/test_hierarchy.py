"""Two levels on tables, against loops from the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.tabular import hierarchy
from goalward.tabular.grid import Grid

MAZE = Grid.parse(".....\n.###.\n.#...\n...#.")
NEXT, D, N = MAZE.next_state[:, :4], MAZE.distances, MAZE.states
seeds = st.integers(0, 10_000)


def random_values(seed):
    return np.random.default_rng(seed).normal(size=(N, N))


def random_walks(seed, n=7, last=9):
    rng = np.random.default_rng(seed)
    states, actions = np.zeros((n, last + 1), int), rng.integers(4, size=(n, last + 1))
    states[:, 0] = rng.integers(N, size=n)
    for t in range(last):
        states[:, t + 1] = NEXT[states[:, t], actions[:, t]]
    return states, actions


def greedy_by_loops(values, s, g):
    return max(range(4), key=lambda a: (values[NEXT[s, a], g], -a))


def subgoal_by_loops(values, s, g, steps):
    if D[s, g] <= steps:
        return g
    return max((w for w in range(N) if D[s, w] == steps), key=lambda w: values[w, g])


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 6))
def test_both_levels_take_the_best(seed, steps):
    values = random_values(seed)
    action, subgoal = (
        hierarchy.best_action(values, NEXT),
        hierarchy.best_subgoal(values, D, steps),
    )
    both = hierarchy.through(subgoal, action)
    for s in range(N):
        for g in range(N):
            w = subgoal_by_loops(values, s, g, steps)
            assert action[s, g] == greedy_by_loops(values, s, g)
            assert subgoal[s, g] == w
            assert both[s, g] == greedy_by_loops(values, s, w)


def test_exact_values_go_straight():
    action = hierarchy.best_action(-D, NEXT)
    for steps in (1, 2, 3, 20):
        both = hierarchy.through(hierarchy.best_subgoal(-D, D, steps), action)
        np.testing.assert_array_equal(hierarchy.arrival_times(both, NEXT), D)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_arrival_is_what_following_finds(seed):
    actions = np.random.default_rng(seed).integers(4, size=(N, N))
    times = hierarchy.arrival_times(actions, NEXT)
    for s in range(N):
        for g in range(N):
            place, t = s, 0
            while place != g and t < 4 * N:
                place, t = NEXT[place, actions[place, g]], t + 1
            assert times[s, g] == (t if place == g else np.inf)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_comparisons_one_by_one(steps):
    values = np.round(random_values(1))  # some are equal
    share = hierarchy.comparison_errors(values, D, steps)
    assert len(share) == D.max() + 1
    for d in range(len(share)):
        lost = []
        for s in range(N):
            for g in range(N):
                if D[s, g] != d:
                    continue
                for x in range(N):
                    for y in range(N):
                        if (
                            D[s, x] == D[s, y] == steps
                            and D[x, g] == d - steps
                            and D[y, g] == d + steps
                        ):
                            gap = values[y, g] - values[x, g]
                            lost.append(0.5 if gap == 0 else float(gap > 0))
        assert share[d] == pytest.approx(np.mean(lost)) if lost else np.isnan(share[d])


def counts_by_loops(states, actions, steps, random):
    flat, high, low = np.zeros((N, 4, N)), np.zeros((N, N, N)), np.zeros((N, 4, N))
    everything, last = states.ravel().tolist(), states.shape[1] - 1
    for walk, did in zip(states, actions, strict=True):
        for t in range(last):
            chances = [(walk[t + j], (1 - random) / (last - t), j) for j in range(1, last - t + 1)]
            chances += [(g, random / len(everything), None) for g in everything]
            for g, weight, ahead in chances:
                end = last if ahead is None else t + ahead
                w = walk[min(t + steps, end)]
                flat[walk[t], did[t], g] += weight
                high[walk[t], w, g] += weight
                low[walk[t], did[t], w] += weight
    return flat, high, low


@pytest.mark.parametrize("random", [0.0, 0.3])
@pytest.mark.parametrize("steps", [1, 3, 20])
def test_counts_row_by_row(steps, random):
    states, actions = random_walks(0)
    counts = hierarchy.hindsight_counts(states, actions, NEXT, steps, random)
    for name, expected in zip(
        counts._fields, counts_by_loops(states, actions, steps, random), strict=True
    ):
        np.testing.assert_allclose(getattr(counts, name), expected, atol=1e-12, err_msg=name)


@settings(max_examples=10, deadline=None)
@given(seeds, st.integers(1, 12), st.floats(0, 1))
def test_counts_agree_with_one_another(seed, steps, random):
    states, actions = random_walks(seed)
    flat, high, low = hierarchy.hindsight_counts(states, actions, NEXT, steps, random)
    np.testing.assert_allclose(flat.sum(axis=1), high.sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(high.sum(axis=2), low.sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(flat.sum(axis=2), low.sum(axis=2), atol=1e-9)
    assert flat.sum() == pytest.approx(states[:, 1:].size)


@pytest.mark.parametrize("beta", [0.0, 1.0, 30.0])
def test_imitation_by_loops(beta):
    values = random_values(2)
    flat, high, low = hierarchy.hindsight_counts(*random_walks(3), NEXT, 3)
    weigh = lambda later, s, g: min(np.exp(beta * (values[later, g] - values[s, g])), 100)  # noqa: E731

    def one(counts, s, g):
        weight = np.array([counts[s, a, g] * weigh(NEXT[s, a], s, g) for a in range(4)])
        return weight / weight.sum() if weight.sum() else np.full(4, 0.25)

    told = hierarchy.imitate(flat, values, NEXT, beta)
    towards = hierarchy.imitate(low, values, NEXT, beta)
    both = hierarchy.imitate_through(high, towards, values, beta)
    for s in range(N):
        for g in range(N):
            np.testing.assert_allclose(told[s, g], one(flat, s, g), rtol=1e-9)
            names = np.array([high[s, w, g] * weigh(w, s, g) for w in range(N)])
            expected = sum(names[w] * one(low, s, w) for w in range(N))
            expected = expected / names.sum() if names.sum() else np.full(4, 0.25)
            np.testing.assert_allclose(both[s, g], expected, rtol=1e-9, atol=1e-12)
    assert (flat.sum(axis=1) == 0).any()  # some pairs never occur


def test_without_values_two_levels_are_imitation_again_where_the_subgoal_decides():
    """Goals nearer than the subgoals are named themselves: then both levels say what one says."""
    flat, high, low = hierarchy.hindsight_counts(*random_walks(4), NEXT, 20)
    values = random_values(5)
    one = hierarchy.imitate(flat, values, NEXT, 0.0)
    both = hierarchy.imitate_through(high, hierarchy.imitate(low, values, NEXT, 0.0), values, 0.0)
    np.testing.assert_allclose(both, one, atol=1e-12)


def test_the_likeliest_action():
    policy = np.array([[[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]])
    np.testing.assert_allclose(hierarchy.most_likely(policy), [[[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]])
