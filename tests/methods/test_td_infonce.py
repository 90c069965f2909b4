"""TD InfoNCE: the count estimator and the learner against exact and slow answers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from goalward.baselines import mc_info_nce
from goalward.data import trajectories
from goalward.data.goals import GoalTransitions, goal_transitions
from goalward.losses import contrastive
from goalward.methods import td_infonce
from goalward.nets.critics import GoalTableCritic, InnerProductCritic
from goalward.nets.mlp import MLP
from goalward.protocol import LearnerState
from goalward.tabular import mdp, successor
from goalward.tabular.grid import ACTIONS, Grid
from goalward.training.loop import train

GAMMA = 0.9


@pytest.fixture(scope="module")
def world():
    """A random world, a policy, and 20,000 transitions of it."""
    rng = np.random.default_rng(0)
    P = mdp.random_mdp(rng, 4, 2, concentration=0.7)
    policy = rng.dirichlet(np.ones(2), size=4)
    states, actions = mdp.sample_trajectories(P, policy, rng, n=400, horizon=50)
    return P, policy, states, actions


def by_iteration(states, actions, gamma, rounds=400):
    """The fixed point by sweeping the sampled Bellman equation over a dictionary of visits."""
    visits = {}
    for i in range(len(states)):
        for t in range(states.shape[1] - 1):
            pair = states[i, t], actions[i, t]
            visits.setdefault(pair, []).append((states[i, t + 1], actions[i, t + 1]))
    table = np.full((4, 2, 4), 0.25)
    for _ in range(rounds):
        updated = np.zeros_like(table)
        for pair, successors in visits.items():
            for next_state, next_action in successors:
                updated[pair][next_state] += (1 - gamma) / len(successors)
                updated[pair] += gamma * table[next_state, next_action] / len(successors)
        table = updated
    return table


def test_counts_count(world):
    _, _, states, actions = world
    counts = td_infonce.transition_counts(states, actions, 4, 2)
    assert counts.sum() == 400 * 50
    pairs = states * 2 + actions
    expected = sum(((pairs[:, t] == 3) & (pairs[:, t + 1] == 6)).sum() for t in range(50))
    assert counts[3, 6] == expected


def test_the_fixed_point_is_where_sweeping_the_data_ends(world):
    _, _, states, actions = world
    counts = td_infonce.transition_counts(states[:8], actions[:8], 4, 2)
    solved = td_infonce.td_fixed_point(counts, 2, GAMMA)
    swept = by_iteration(states[:8], actions[:8], GAMMA)
    np.testing.assert_allclose(solved, swept, atol=1e-10)
    np.testing.assert_allclose(solved.sum(axis=2), 1.0, atol=1e-10)


def test_with_true_probabilities_the_fixed_point_is_exact(world):
    P, policy, _, _ = world
    joint = np.einsum("sax,xb->saxb", P, policy).reshape(8, 8)
    np.testing.assert_allclose(
        td_infonce.td_fixed_point(joint, 2, GAMMA),
        successor.successor_measure(P, policy, GAMMA),
        atol=1e-12,
    )


def test_with_much_data_the_fixed_point_is_near_the_truth_and_counts_from_the_next_state(world):
    P, policy, states, actions = world
    solved = td_infonce.td_fixed_point(
        td_infonce.transition_counts(states, actions, 4, 2), 2, GAMMA
    )
    off = {
        start: np.abs(solved - successor.successor_measure(P, policy, GAMMA, start)).mean()
        for start in ("next", "current")
    }
    assert off["next"] < 0.008
    assert off["current"] > 0.02


def test_pairs_that_were_never_visited_are_zero():
    counts = np.zeros((4, 4))
    counts[0, 0] = 5
    solved = td_infonce.td_fixed_point(counts, 2, 0.5)
    np.testing.assert_allclose(solved[0, 0], [1.0, 0.0])
    assert (solved.reshape(4, 2)[1:] == 0).all()


def test_bad_counts_are_refused():
    with pytest.raises(ValueError, match="square"):
        td_infonce.td_fixed_point(np.zeros((3, 4)), 2, 0.5)
    with pytest.raises(ValueError, match="gamma"):
        td_infonce.td_fixed_point(np.zeros((4, 4)), 2, 1.0)


def random_batch(seed, batch=6, states=4, actions=2):
    rng = np.random.default_rng(seed)
    draw = {
        name: jnp.asarray(rng.integers(actions if "action" in name else states, size=batch))
        for name in ("state", "action", "next_state", "next_action", "goal", "random")
    }
    return GoalTransitions(**draw)


def random_state(learner, seed, batch):
    keys = jax.random.split(jax.random.key(seed), 2)
    state = learner.init(keys[0], batch)
    shapes = jax.tree.map(lambda x: jax.random.normal(keys[1], x.shape), state.params)
    other = jax.tree.map(lambda x: jax.random.normal(keys[0], x.shape), state.params)
    return state.replace(params=shapes, target_params=other)


def loss_by_loops(table, target, batch, next_action, gamma):
    """The two terms for a table `[state, action, goal, future]`, one row and candidate a time."""
    table, target = np.asarray(table, float), np.asarray(target, float)
    b = jax.tree.map(np.asarray, batch)
    total = 0.0
    for i in range(len(b.state)):
        row = table[b.state[i], b.action[i], b.goal[i]]
        ahead = target[b.next_state[i], next_action[i], b.goal[i]]
        own = np.exp(row[b.next_state[i]]) / sum(np.exp(row[x]) for x in b.next_state)
        total -= (1 - gamma) * np.log(own)
        for r in b.random:
            weight = np.exp(ahead[r]) / sum(np.exp(ahead[x]) for x in b.random)
            total -= gamma * weight * np.log(np.exp(row[r]) / sum(np.exp(row[x]) for x in b.random))
    return total / len(b.state)


def greedy_by_loops(target, batch, actions):
    target = np.asarray(target, float)
    b = jax.tree.map(np.asarray, batch)
    chosen = []
    for i in range(len(b.state)):
        ratios = []
        for action in range(actions):
            row = target[b.next_state[i], action, b.goal[i]]
            ratios.append(row[b.goal[i]] - np.log(sum(np.exp(row[r]) for r in b.random)))
        chosen.append(int(np.argmax(ratios)))
    return chosen


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("greedy", [False, True])
def test_the_learners_loss_is_the_double_loop(seed, greedy):
    policy = td_infonce.GreedyAction(2) if greedy else td_infonce.recorded_action
    learner = td_infonce.TDInfoNCE(GoalTableCritic(4, 2, goals=4), GAMMA, policy)
    batch = random_batch(seed)
    state = random_state(learner, seed, batch)
    table, target = (
        p["params"]["table"].reshape(4, 2, 4, 4) for p in (state.params, state.target_params)
    )
    next_action = greedy_by_loops(target, batch, 2) if greedy else np.asarray(batch.next_action)
    value, _ = learner.loss(state.params, state, batch, jax.random.key(0))
    expected = loss_by_loops(table, target, batch, next_action, GAMMA)
    assert float(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("policy", [td_infonce.recorded_action, td_infonce.GreedyAction(2)])
def test_no_gradient_reaches_the_target_critic(policy):
    learner = td_infonce.TDInfoNCE(GoalTableCritic(4, 2, goals=4), GAMMA, policy)
    batch = random_batch(5)
    state = random_state(learner, 5, batch)

    def value(target):
        moved = state.replace(target_params=target)
        return learner.loss(state.params, moved, batch, jax.random.key(0))[0]

    for leaf in jax.tree.leaves(jax.grad(value)(state.target_params)):
        np.testing.assert_array_equal(leaf, 0.0)


def test_greedy_ignores_the_free_constant_of_each_row_and_breaks_ties_at_random():
    batch = random_batch(1, batch=200)
    constants = jnp.array([5.0, -3.0])

    def score(anchor, future, method=None):
        state, action, _ = anchor
        rows = (constants[action] + 0.0 * state)[:, None]
        return rows[:, 0] if method is None else jnp.broadcast_to(rows, (200, 200))

    chosen = td_infonce.GreedyAction(2)(score, batch, jax.random.key(0))
    assert 60 < int(chosen.sum()) < 140


def test_greedy_keeps_to_the_actions_that_are_allowed():
    batch = random_batch(4, batch=50)
    seen = jnp.array([[True, False], [False, True], [True, True], [True, False]])
    learner = td_infonce.TDInfoNCE(GoalTableCritic(4, 2, goals=4), GAMMA)
    state = random_state(learner, 4, batch)

    def score(anchor, future, method=None):
        return learner.critic.apply(state.target_params, anchor, future, method=method)

    key = jax.random.key(0)
    free = np.asarray(td_infonce.GreedyAction(2)(score, batch, key))
    kept = np.asarray(td_infonce.GreedyAction(2, lambda s: seen[s])(score, batch, key))
    may = np.asarray(seen)[np.asarray(batch.next_state)]
    forbidden = ~may[np.arange(50), free]
    assert 0 < forbidden.sum() < 50
    np.testing.assert_array_equal(kept[~forbidden], free[~forbidden])
    np.testing.assert_array_equal(kept[forbidden], 1 - free[forbidden])


def test_the_full_batch_gradient_vanishes_at_the_fixed_point_and_nowhere_near(world):
    """All next states are candidates, so the marginal is exact; the loss is the library's."""
    _, _, states, actions = world
    states, actions = states[:12], actions[:12]
    counts = td_infonce.transition_counts(states, actions, 4, 2)
    solved = td_infonce.td_fixed_point(counts, 2, GAMMA).reshape(8, 4)
    future = states[:, 1:].ravel()
    marginal = np.bincount(future, minlength=4) / future.size
    pairs = states * 2 + actions
    now, later = pairs[:, :-1].ravel(), pairs[:, 1:].ravel()

    def slope(f):
        def loss(f, target):
            logits = f[now][:, future]
            return contrastive.td_info_nce(logits, logits, target[later][:, future], GAMMA)

        return float(jnp.abs(jax.grad(loss)(f, f)).max())

    at_rest = jnp.asarray(np.log(solved / marginal), dtype=jnp.float32)
    assert slope(at_rest) < 1e-6
    shifted = (1 - GAMMA) * np.repeat(np.eye(4), 2, axis=0) + GAMMA * solved
    assert slope(jnp.asarray(np.log(shifted / marginal), dtype=jnp.float32)) > 1e-3


@pytest.fixture(scope="module")
def trained(world):
    _, _, states, actions = world
    learner = td_infonce.TDInfoNCE(
        GoalTableCritic(4, 2), GAMMA, batch_size=128, learning_rate=0.02, tau=1.0
    )
    data = trajectories.from_trajectories(states.astype(np.int8), actions.astype(np.int8))
    state, history = train(learner, data, jax.random.key(0), steps=1500, seeds=2)
    return state, history


def test_training_finds_the_successor_measure(world, trained):
    P, policy, states, _ = world
    table = trained[0].params["params"]["table"].reshape(2, 4, 2, 4)
    marginal = np.bincount(states[:, 1:].ravel(), minlength=4) / states[:, 1:].size
    density = contrastive.log_ratio_to_density(table, jnp.log(jnp.asarray(marginal)))
    exact = successor.successor_measure(P, policy, GAMMA)
    current = successor.successor_measure(P, policy, GAMMA, "current")
    for estimate in np.asarray(density):
        assert np.abs(estimate - exact).mean() < 0.01
        assert np.abs(estimate - current).mean() > 0.02
        one_step = np.abs(estimate - P).mean()
        assert one_step > 0.05  # it looks further than the next state


def test_random_states_have_the_marginal_of_next_states(world):
    _, _, states, actions = world
    data = trajectories.from_trajectories(states, actions)
    batch = goal_transitions(data, jax.random.key(0), 40_000)
    marginal = np.bincount(states[:, 1:].ravel(), minlength=4) / states[:, 1:].size
    for drawn in (batch.random, batch.goal, batch.next_state):
        frequency = np.bincount(np.asarray(drawn), minlength=4) / 40_000
        np.testing.assert_allclose(frequency, marginal, atol=0.015)
    joint = np.histogram2d(np.asarray(batch.random), np.asarray(batch.next_state), bins=4)[0]
    np.testing.assert_allclose(joint / 40_000, np.outer(marginal, marginal), atol=0.01)
    recorded = {(s, a, x, b) for s, a, x, b in zip(
        states[:, :-1].ravel(), actions[:, :-1].ravel(), states[:, 1:].ravel(),
        actions[:, 1:].ravel(), strict=True,
    )}  # fmt: skip
    drawn = zip(*(np.asarray(x[:500]) for x in (
        batch.state, batch.action, batch.next_state, batch.next_action)), strict=True)  # fmt: skip
    assert all(each in recorded for each in drawn)


def test_stitching_two_halves_of_different_paths():
    """Two paths share the middle of an H; the learner joins them, averaging cannot."""
    grid = Grid.parse(".#.\n...\n.#.")  # an H: two columns joined in the middle
    up, down, left, right, stay = range(len(ACTIONS))
    routes = {(0, 0): [down, right, right, up], (2, 2): [up, left, left, down]}
    paths, moves = [], []
    for start, actions in routes.items():
        path = [grid.index(*start)]
        taken = actions + [stay] * 5
        for action in taken[:-1]:
            path.append(int(grid.next_state[path[-1], action]))
        paths.append(path)
        moves.append(taken)
    data = trajectories.from_trajectories(np.array(paths), np.array(moves))
    critic = GoalTableCritic(grid.states, 5, goals=grid.states)
    start, goal = grid.index(0, 0), grid.index(2, 0)
    marginal = np.bincount(np.array(paths)[:, 1:].ravel(), minlength=grid.states) / 16
    learner = td_infonce.TDInfoNCE(
        critic, GAMMA, td_infonce.GreedyAction(5), 64, learning_rate=0.05, tau=0.2
    )
    state, _ = train(learner, data, jax.random.key(1), steps=500)
    row = np.asarray(state.params["params"]["table"]).reshape(
        grid.states, 5, grid.states, grid.states
    )[start, down, goal]
    chances = marginal * np.exp(row)
    assert chances[goal] / chances.sum() == pytest.approx(GAMMA, abs=0.1)  # there after two moves
    averaged = mc_info_nce.by_counts(np.array(paths), np.array(moves), grid.states, 5, GAMMA)
    assert averaged[start, down, goal] == 0  # no recorded path connects the two


def test_the_same_learner_trains_deep_networks():
    """A walk on the unit circle: observations are angles as vectors, actions are vectors."""
    rng = np.random.default_rng(0)
    actions = rng.choice([-0.3, 0.3], size=(40, 31))
    angles = np.cumsum(np.c_[rng.uniform(0, 6, size=40), actions[:, :-1]], axis=1)
    observations = np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)
    data = trajectories.from_trajectories(observations, actions[..., None].astype(np.float32))
    critic = InnerProductCritic(MLP((16, 4)), MLP((16, 4)))
    learner = td_infonce.TDInfoNCE(critic, 0.5, batch_size=64, learning_rate=1e-2)
    _, history = train(learner, data, jax.random.key(0), steps=200, log_every=50)
    assert history["loss"][0, -1] < history["loss"][0, 0] - 0.1


def test_one_update_moves_parameters_by_the_states_step_size_and_the_target_by_tau():
    learner = td_infonce.TDInfoNCE(
        GoalTableCritic(4, 2), GAMMA, transform=optax.identity(), tau=0.25, learning_rate=0.5
    )
    batch = random_batch(2)
    state: LearnerState = learner.init(jax.random.key(0), batch)
    gradient = jax.grad(lambda p: learner.loss(p, state, batch, jax.random.key(0))[0])(state.params)
    after, metrics = learner.update(state, batch, jax.random.key(0))
    moved = after.params["params"]["table"]
    np.testing.assert_allclose(moved, -0.5 * gradient["params"]["table"], atol=1e-7)
    np.testing.assert_allclose(after.target_params["params"]["table"], 0.25 * moved, atol=1e-7)
    assert metrics["loss"].shape == ()
