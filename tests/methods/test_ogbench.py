"""The agents' fixed points against loops over recordings, enumeration and closed forms."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.envs import ogbench_grids
from goalward.envs.ogbench_grids import MOVES, Recording
from goalward.methods import ogbench
from goalward.tabular import dynamic_programming

N = 6
seeds = st.integers(0, 10_000)


def recording(seed, n=N, episodes=12, actions=MOVES):
    """Random states and actions in episodes of 1 to 7 rows."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 8, size=episodes)
    lengths[0] = 4
    terminals = np.concatenate([np.arange(m) == m - 1 for m in lengths])
    rows = len(terminals)
    return Recording(rng.integers(n, size=rows), rng.integers(actions, size=rows), terminals)


def split(data):
    """The episodes as lists of (state, action)."""
    episodes, current = [], []
    for s, a, end in zip(*data, strict=True):
        current.append((int(s), int(a)))
        if end:
            episodes.append(current)
            current = []
    return episodes


@given(seed=seeds)
def test_counts_equal_loops(seed):
    data = recording(seed)
    steps, uniform, geometric = (np.zeros((N, MOVES, N)) for _ in range(3))
    near = np.zeros((N, N), dtype=bool)
    gamma = 0.7
    for episode in split(data):
        last = len(episode) - 1
        for i, (s, a) in enumerate(episode[:-1]):
            steps[s, a, episode[i + 1][0]] += 1
            for j in range(i + 1, len(episode)):
                uniform[s, a, episode[j][0]] += 1 / (last - i)
                near[s, episode[j][0]] |= j - i <= 3
            for k in range(1, 150):
                goal = episode[min(i + k, last)][0]
                geometric[s, a, goal] += (1 - gamma) * gamma ** (k - 1)
    np.testing.assert_array_equal(ogbench.transition_counts(data, N), steps)
    np.testing.assert_allclose(ogbench.future_counts(data, N), uniform, atol=1e-12)
    np.testing.assert_allclose(ogbench.future_counts(data, N, gamma), geometric, atol=1e-12)
    np.testing.assert_array_equal(ogbench.states_ahead(data, N, 3), near)


@given(seed=seeds)
def test_cloning_minimises_its_loss(seed):
    futures = ogbench.future_counts(recording(seed), N)
    policy = ogbench.gcbc(futures)
    np.testing.assert_allclose(policy.sum(axis=-1), 1, atol=1e-12)
    loss = -(np.swapaxes(futures, 1, 2) * np.log(np.maximum(policy, 1e-300))).sum()
    rng = np.random.default_rng(seed)
    for _ in range(5):
        other = 0.9 * policy + 0.1 * rng.dirichlet(np.ones(MOVES), size=policy.shape[:2])
        assert loss <= -(np.swapaxes(futures, 1, 2) * np.log(other)).sum() + 1e-9


@given(seed=seeds)
def test_contrastive_with_weight_one_is_cloning(seed):
    futures = ogbench.future_counts(recording(seed), N, 0.8)
    seen = futures.sum(axis=1) > 0
    gap = np.abs(ogbench.crl(futures, 1.0) - ogbench.gcbc(futures))[seen]
    assert gap.max() <= 1e-12


def test_contrastive_by_hand():
    """Two actions in state 0, three rows and one: ratios 2/3 over 3/4 and 1 over 3/4."""
    futures = np.zeros((2, 2, 2))
    futures[0, 0], futures[0, 1] = (1.0, 2.0), (0.0, 1.0)
    ratio = np.array([(2 / 3) / (3 / 4), 1 / (3 / 4)])
    for alpha in (0.5, 2.0, 3.0):
        expected = np.array([0.75, 0.25]) * ratio**alpha
        np.testing.assert_allclose(
            ogbench.crl(futures, alpha)[0, 1], expected / expected.sum(), atol=1e-12
        )
    behaviour = ogbench.crl(np.array([[[0.0, 3.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]))
    np.testing.assert_allclose(behaviour[0, 0], [0.75, 0.25])  # goal 0 was never seen
    np.testing.assert_allclose(behaviour[1], 0.5)


@given(seed=seeds, kappa=st.floats(0.01, 0.99))
def test_expectile_balances_the_two_sides(seed, kappa):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(3, 7)) - 4, rng.uniform(0.1, 1, size=(3, 7))
    v = ogbench.expectile(x, w, kappa)[:, None]
    above, below = (w * np.maximum(x - v, 0)).sum(1), (w * np.maximum(v - x, 0)).sum(1)
    np.testing.assert_allclose(kappa * above, (1 - kappa) * below, atol=1e-9)
    np.testing.assert_allclose(ogbench.expectile(x, w, 0.5), (w * x).sum(1) / w.sum(1), atol=1e-12)


@pytest.mark.parametrize("kappa", [0.0, 1.0, 1.5, -0.1])
def test_an_expectile_lies_between_the_extremes(kappa):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        ogbench.expectile(np.array([1.0, 2.0]), np.ones(2), kappa)


@pytest.mark.parametrize("gamma", [0.5, 0.99, 0.9999])
@pytest.mark.parametrize("kappa", [0.1, 0.99, 1 - 1e-7])
def test_fixed_points_end_at_every_scale_and_solve_their_equation(gamma, kappa):
    counts = np.random.default_rng(0).poisson(0.3, size=(12, 4, 12)).astype(float)
    known = counts.sum(axis=(1, 2)) > 0
    by_state, actions = counts.sum(axis=1), counts.sum(axis=2)
    outcomes = counts / np.maximum(actions, 1)[..., None]
    for values, x, w in (
        (ogbench.gcivl(counts, gamma, kappa), np.eye(12)[None], by_state),
        (ogbench.gciql(counts, gamma, kappa), outcomes, actions),
    ):
        x = -1 + gamma * x @ values  # [s, branch, g]
        weight = w[:, :, None] * np.where(x >= values[:, None], kappa, 1 - kappa)
        pull = (weight * (x - values[:, None])).sum(axis=1) / weight.sum(axis=1).clip(1e-9)
        pull[~known] = 0.0
        np.fill_diagonal(pull, 0.0)
        assert np.abs(pull).max() <= 1e-11 / (1 - gamma)


def test_what_does_not_end_says_how_far_it_came(monkeypatch):
    with pytest.raises(ArithmeticError, match="changed it by nan"):
        ogbench.expectile(np.array([1.0, np.nan]), np.ones(2), 0.9)
    monkeypatch.setattr(ogbench, "ROUNDS", 2)
    counts = np.random.default_rng(1).poisson(0.5, size=(6, 3, 6)).astype(float)
    with pytest.raises(ArithmeticError, match="after 2 rounds: the last one still changed"):
        ogbench.gcivl(counts, 0.9)
    with pytest.raises(ValueError, match="gamma"):
        ogbench.gcivl(counts, 1.0)


def backups(outcomes, gamma, kappa, rounds=700):
    """V[s, g] by repeating the backup; outcomes[s]: (weight, distribution) of each branch."""
    n = len(outcomes)
    V = np.zeros((n, n))
    for _ in range(rounds):
        new = np.zeros((n, n))
        for s, branches in enumerate(outcomes):
            w = np.array([weight for weight, _ in branches])[:, None]
            x = np.array([-1 + gamma * chances @ V for _, chances in branches])
            low, high = x.min(axis=0), x.max(axis=0)
            for _ in range(50):
                v = (low + high) / 2
                pull = (w * np.where(x >= v, kappa, 1 - kappa) * (x - v)).sum(axis=0)
                low, high = np.where(pull > 0, v, low), np.where(pull > 0, high, v)
            new[s] = (low + high) / 2
        np.fill_diagonal(new, 0.0)
        V = new
    return V


@pytest.mark.parametrize(("seed", "kappa"), [(0, 0.9), (1, 0.5), (2, 0.7), (3, 0.3)])
def test_implicit_values_equal_repeated_backups(seed, kappa):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.7, size=(4, 3, 4)).astype(float)
    counts[:, 0, 0] += 1  # every state has data
    gamma = 0.8
    next_states = [
        [(counts[s, :, x].sum(), np.eye(4)[x]) for x in range(4) if counts[s, :, x].sum()]
        for s in range(4)
    ]
    actions = [
        [(counts[s, a].sum(), counts[s, a] / counts[s, a].sum()) for a in range(3)
         if counts[s, a].sum()]
        for s in range(4)
    ]  # fmt: skip
    np.testing.assert_allclose(
        ogbench.gcivl(counts, gamma, kappa), backups(next_states, gamma, kappa, 120), atol=1e-8
    )
    np.testing.assert_allclose(
        ogbench.gciql(counts, gamma, kappa), backups(actions, gamma, kappa, 120), atol=1e-8
    )


def test_a_state_without_data_is_worth_waiting_for_ever():
    counts = np.zeros((2, MOVES, 2))
    counts[0, 1, 1] = 3.0
    np.testing.assert_allclose(ogbench.gcivl(counts, 0.9), [[0, -1], [-10, 0]], atol=1e-9)
    np.testing.assert_allclose(ogbench.gciql(counts, 0.9), [[0, -1], [-10, 0]], atol=1e-9)


@pytest.mark.parametrize("name", ["medium", "large"])
def test_without_chance_all_values_are_distances(name):
    maze, gamma = ogbench_grids.mazes()[name], 0.82
    counts = 5.0 * maze.P
    distances = maze.grid.distances
    np.testing.assert_array_equal(ogbench.qrl_distances(counts), distances)
    exact = -(1 - gamma**distances) / (1 - gamma)
    np.testing.assert_allclose(ogbench.discounted(distances, gamma), exact, atol=1e-12)
    np.testing.assert_allclose(ogbench.gcivl(counts, gamma, 0.999), exact, atol=1e-2)
    np.testing.assert_allclose(ogbench.gciql(counts, gamma, 1 - 1e-7), exact, atol=1e-5)


@given(seed=seeds)
def test_distances_solve_the_linear_programme(seed):
    """Feasible, and no entry can be larger: the shortest of all simple paths, enumerated."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.1, size=(4, 2, 4)).astype(float)
    edge = counts.sum(axis=1) > 0
    d = ogbench.qrl_distances(counts)
    for s, g in itertools.product(range(4), repeat=2):
        lengths = [0.0] if s == g else []
        others = [x for x in range(4) if x not in (s, g)]
        for k in range(3):
            for middle in itertools.permutations(others, k):
                path = (s, *middle, g)
                if s != g and all(edge[x, y] for x, y in itertools.pairwise(path)):
                    lengths.append(k + 1.0)
        assert d[s, g] == min(lengths, default=np.inf)


def test_greedy_prefers_means_or_best_cases_and_recorded_actions():
    counts = np.zeros((3, 3, 3))
    counts[0, 0, 1] = 2.0  # surely to 1
    counts[0, 1, 2], counts[0, 1, 0] = 1.0, 1.0  # to 2, or nowhere
    values = np.array([[-9.0] * 3, [-5.0] * 3, [-2.0] * 3])
    np.testing.assert_array_equal(ogbench.greedy(counts, values)[0, 0], [1, 0, 0])
    np.testing.assert_array_equal(ogbench.greedy(counts, values, True)[0, 0], [0, 1, 0])
    values[1] = -5.5  # now a tie; the action that was never taken gets nothing
    np.testing.assert_allclose(ogbench.greedy(counts, values)[0, 0], [0.5, 0.5, 0])
    np.testing.assert_allclose(ogbench.greedy(counts, values)[1, 0], 1 / 3)


def test_a_subgoal_is_the_best_state_ahead():
    """A corridor: from 0 the best state within two steps towards 4 is 2, towards 1 it is 1."""
    corridor = np.zeros((5, 2, 5))
    for s in range(5):
        corridor[s, 0, max(s - 1, 0)] = corridor[s, 1, min(s + 1, 4)] = 1.0
    index = np.arange(5)
    ahead = (np.abs(index[:, None] - index) <= 2) & (index[:, None] != index)
    values = -np.abs(index[:, None] - index).astype(float)
    lying = values.copy()
    lying[0, 4] = 0.0  # the state itself is no candidate; a wrong value of 0 changes nothing
    for table in (values, lying):
        policy = ogbench.hiql(corridor, ahead, table)
        np.testing.assert_array_equal(policy[0, 4], [0, 1])
        np.testing.assert_array_equal(policy[3, 0], [1, 0])
    misled = values.copy()
    misled[1, 4] = -9.0  # greedy stays in 0; the subgoal is 2, and the value of 1 for 2 is right
    np.testing.assert_array_equal(ogbench.greedy(corridor, misled)[0, 4], [1, 0])
    np.testing.assert_array_equal(ogbench.hiql(corridor, ahead, misled)[0, 4], [0, 1])
    onward = ahead & (index > index[:, None])  # who only ever went right has nothing on the left
    np.testing.assert_array_equal(ogbench.hiql(corridor, onward, values)[2, 0], [0, 1])
    nothing = np.zeros((5, 5), dtype=bool)
    np.testing.assert_array_equal(
        ogbench.hiql(corridor, nothing, values), ogbench.greedy(corridor, values)
    )


def test_success_is_the_chance_of_arriving_in_time():
    P = np.zeros((3, 1, 3))
    P[0, 0], P[1, 0], P[2, 0] = (0.5, 0.3, 0.2), (0, 0, 1), (1, 0, 0)  # the goal is left again
    policy = np.ones((3, 3, 1))
    expected = 0.3 * sum(0.5**k for k in range(3)) + 0.3 * 0.2  # 0 0 0 1, and 0 2 0 1
    assert ogbench.success(P, policy, 0, 1, 3) == pytest.approx(expected)
    assert ogbench.success(P, policy, 1, 1, 0) == 1.0
    assert ogbench.success(P, policy, 0, 1, 0) == 0.0


def test_one_who_trusts_the_portals_arrives_half_the_time():
    """Three exits: one right, one wrong (try again), one trap."""
    maze = ogbench_grids.mazes()["teleport"]
    distances = ogbench.qrl_distances(maze.P)
    trusting = ogbench.greedy(maze.P, ogbench.discounted(distances, 0.99), optimistic=True)
    chances = [ogbench.success(maze.P, trusting, *task, 200) for task in maze.tasks]
    np.testing.assert_allclose(chances, 0.5, atol=1e-3)
    reward = np.full(maze.P.shape[:2], -1.0)
    goal = maze.tasks[1][1]
    P = maze.P.copy()
    P[goal], reward[goal] = np.eye(len(P))[goal], 0.0
    _, best = dynamic_programming.value_iteration(P, reward, 0.99)
    sure = ogbench.gciql(maze.P, 0.99, 1 - 1e-7)[:, goal]
    np.testing.assert_allclose(sure, best, atol=1e-3)
