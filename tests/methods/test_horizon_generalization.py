"""Horizon generalization: the tabular pipeline and the critic against exact answers."""

from functools import partial
from itertools import pairwise

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data.trajectories import from_trajectories
from goalward.evaluation.horizon import broken_waypoints
from goalward.methods import horizon_generalization as method
from goalward.nets.critics import TableCritic
from goalward.nets.quasimetric import MRNCritic
from goalward.protocol import Learner
from goalward.tabular import mdp, paths
from goalward.tabular.grid import Grid
from goalward.tabular.successor import state_successor_measure

# A corridor with a bend: 12 states, longest distance 11, walks much shorter than that.
GRID = Grid.parse("""
#########
#.......#
#######.#
#######.#
#####...#
#########
""")
S, F, D = GRID.states, GRID.next_state, GRID.distances
WALK = 5
BETA, STEPS = 0.5, 60


@pytest.fixture(scope="module")
def walks():
    rng = np.random.default_rng(0)
    return mdp.sample_trajectories(GRID.P, mdp.uniform_policy(S, 5), rng, 3000, WALK)[0]


@pytest.fixture(scope="module")
def results(walks):
    evaluate = partial(method.evaluate, next_state=F, distances=D, beta=BETA, steps=STEPS)
    return {
        "random": evaluate(np.zeros((S, S))),
        "raw": evaluate(method.distance_tables(walks, S).raw),
        "relaxed": evaluate(method.distance_tables(walks, S).relaxed),
        "exact": evaluate(4 * D),
    }


def test_unseen_pairs_are_far_in_one_table_and_a_chain_of_walks_in_the_other(walks):
    mean, count = paths.mc_hitting_times(walks, S)
    raw, relaxed, seen = method.distance_tables(walks, S)
    np.testing.assert_array_equal(seen, count > 0)
    unseen = count == 0
    assert unseen.mean() > 0.3
    np.testing.assert_array_equal(raw[unseen], WALK)
    np.testing.assert_allclose(raw[~unseen], mean[~unseen])
    # In a corridor every way passes every cell between: the chain of steps bounds the distance.
    end = np.argsort(D[D.argmax() // S])
    legs = sum(mean[a, b] for a, b in pairwise(end))
    assert D.max() <= relaxed[end[0], end[-1]] <= legs
    assert paths.triangle_violation(relaxed) < 1e-9
    assert np.all(relaxed <= mean)


def test_relaxation_alone_carries_short_walks_to_far_goals(results):
    far = D > 2 * WALK - 2
    success = {name: result.direct[far].mean() for name, result in results.items()}
    assert success["raw"] < success["random"] + 0.15
    assert success["relaxed"] > success["raw"] + 0.3
    assert success["exact"] > 0.99


def test_a_planner_with_true_distances_rescues_the_raw_table_and_nothing_else(results):
    gain = {name: r.planned.mean() - r.direct.mean() for name, r in results.items()}
    assert gain["raw"] > 0.1
    assert abs(gain["relaxed"]) < 0.03
    assert gain["random"] == pytest.approx(0, abs=1e-12)


def test_the_planner_asks_the_true_distances_not_the_learned_ones(walks):
    raw = method.distance_tables(walks, S).raw
    policy = paths.boltzmann_policy(raw, F, BETA)
    expected = paths.success_within(paths.midpoint_planner_policy(policy, D), F, STEPS)
    got = method.evaluate(raw, F, D, BETA, STEPS).planned
    np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize("seed", range(3))
def test_true_distances_are_planning_invariant_and_double(seed):
    maze = Grid(np.random.default_rng(seed).uniform(size=(7, 7)) < 0.7)
    d = maze.distances
    assert broken_waypoints(paths.greedy_actions(d, maze.next_state), d) == 0
    for c in (1, 2, 5):
        known = np.where(d <= c, d, np.inf)
        np.testing.assert_array_equal(paths.floyd_warshall(known), d)
        for n in range(6):
            np.testing.assert_array_equal(known == d, (d <= c * 2**n) | np.isinf(d))
            known = paths.min_plus(known, known)


def table_learner(states, **options):
    return method.DistanceCritic(TableCritic(states, states), lambda s: s, **options)


def test_the_table_critic_finds_the_exact_successor_distance():
    """Backward InfoNCE on a table: f(g, g) - f(s, g) = log p(g | g) - log p(g | s)."""
    rng, n, gamma, length = np.random.default_rng(1), 4, 0.7, 40
    P = mdp.random_mdp(rng, n, 1, concentration=2.0)
    policy = np.ones((n, 1))
    states, actions = mdp.sample_trajectories(P, policy, rng, 4000, length)
    learner = table_learner(n, gamma=gamma, batch_size=256, learning_rate=0.03)
    assert isinstance(learner, Learner)
    data = from_trajectories(states, actions)

    @jax.jit
    def fit(key):
        state = learner.init(key, learner.batch(data, key))

        def step(state, key):
            state = state.replace(learning_rate=0.03 / (1 + state.step / 100))
            return learner.update(state, learner.batch(data, key), key)[0], state.params

        return jax.lax.scan(step, state, jax.random.split(key, 1500))[1]

    params = jax.tree.map(lambda p: p[-700:].mean(0), fit(jax.random.key(0)))
    index = jnp.arange(n)
    got = method.successor_distance(learner.logits(params, index, index))
    measure = state_successor_measure(P, policy, gamma)
    exact = np.log(np.diag(measure))[None, :] - np.log(measure)
    assert np.abs(exact).max() > 0.3
    np.testing.assert_allclose(got, exact, atol=0.06)


def test_futures_are_as_far_ahead_as_the_discount_says():
    time = np.tile(np.arange(401), (50, 1))  # a state that counts the steps
    data = from_trajectories(time, np.zeros_like(time))
    for gamma in (0.5, 0.9):
        learner = table_learner(401, gamma=gamma, batch_size=20_000)
        batch = learner.batch(data, jax.random.key(0))
        ahead = batch["future"] - batch["state"]
        assert ahead.min() >= 1
        assert ahead.mean() == pytest.approx(1 / (1 - gamma), rel=0.05)


def test_the_loss_asks_which_state_went_on_to_the_goal():
    learner = table_learner(3, batch_size=3)
    table = jnp.asarray(np.random.default_rng(3).normal(size=(3, 3)), jnp.float32)
    batch = {"state": jnp.array([0, 1, 2]), "future": jnp.array([1, 2, 0])}
    logits = np.asarray(table)[:, [1, 2, 0]]
    by_hand = -np.mean(
        [logits[j, j] - np.log(sum(np.exp(logits[i, j]) for i in range(3))) for j in range(3)]
    )
    params = {"params": {"table": table}}
    state = learner.init(jax.random.key(0), batch)
    loss, _ = learner.loss(params, state, batch, jax.random.key(0))
    assert loss == pytest.approx(by_hand, rel=1e-5)
    shifted = {"params": {"table": table + jnp.array([5.0, -3.0, 1.0])}}  # a term of the goal alone
    again, _ = learner.loss(shifted, state, batch, jax.random.key(0))
    assert again == pytest.approx(by_hand, rel=1e-5)


def test_successor_distance_gives_a_quasimetric_back_and_drops_goal_terms():
    logits = -jnp.asarray(D, jnp.float32)
    shifted = logits + jnp.arange(S, dtype=jnp.float32)
    np.testing.assert_allclose(method.successor_distance(shifted), D, atol=1e-5)


def test_cell_code_is_one_hot_at_centres_and_a_blend_between():
    code = method.cell_code(GRID.cells)
    np.testing.assert_allclose(code(jnp.asarray(GRID.cells, jnp.float32)), np.eye(S))
    between = code(jnp.asarray((GRID.cells[0] + GRID.cells[1]) / 2, jnp.float32))
    np.testing.assert_allclose(between, 0.5 * np.eye(S)[0] + 0.5 * np.eye(S)[1], atol=1e-6)


def test_lookahead_prefers_what_the_critic_scores_near():
    class Line(nn.Module):
        def pairwise(self, states, goals):
            return -jnp.abs(states[:, None, 0] - goals[None, :, 0])

    actions = jnp.array([[-1.0], [0.0], [1.0]])
    act = method.lookahead(Line().pairwise, actions, lambda s, a: s + a, beta=0.5)
    keys = jax.random.split(jax.random.key(0), 20_000)
    taken = jax.vmap(lambda k: act(jnp.array([0.0]), jnp.array([5.0]), (), k)[0])(keys)[:, 0]
    weight = np.exp(-0.5 * np.array([6.0, 5.0, 4.0]))
    shares = [(taken == a).mean() for a in (-1, 0, 1)]
    np.testing.assert_allclose(shares, weight / weight.sum(), atol=0.02)


def test_waypoints_lie_half_way_and_a_planned_policy_aims_at_them():
    cell = partial(_cell, jnp.asarray(GRID.cells))
    waypoint = method.midpoint_waypoint(D, cell, GRID.cells, slack=0.5)
    s, g = np.unravel_index(D.argmax(), D.shape)
    at, to = jnp.asarray(GRID.cells[s], jnp.float32), jnp.asarray(GRID.cells[g], jnp.float32)
    key = jax.random.key(0)
    halfway = int(cell(waypoint(at, to, key)))
    assert abs(D[s, halfway] - D[s, g] / 2) <= 0.5
    assert abs(D[halfway, g] - D[s, g] / 2) <= 0.5
    np.testing.assert_array_equal(waypoint(at, at, key), at)
    aim = method.planned(lambda observation, goal, carry, key: (goal, carry), waypoint)
    assert abs(D[s, int(cell(aim(at, to, (), key)[0]))] - D[s, g] / 2) <= 0.5


def _cell(cells, position):
    return jnp.argmin(jnp.sum((cells - position) ** 2, axis=-1))


def test_one_learner_serves_any_critic():
    learner = method.DistanceCritic(
        MRNCritic(nn.Dense(8)), method.cell_code(GRID.cells), batch_size=16
    )
    assert hash(learner) == hash(learner)
    positions = jnp.asarray(GRID.cells, jnp.float32)[None, :8]
    data = from_trajectories(positions, jnp.zeros((1, 8), jnp.int32))
    batch = learner.batch(data, jax.random.key(1))
    state = jax.jit(learner.init)(jax.random.key(0), batch)
    new, metrics = jax.jit(learner.update)(state, batch, jax.random.key(3))
    assert np.isfinite(metrics["loss"])
    assert int(new.step) == 1


def one_way_street(n=6):
    """A ring with one direction: the way there is never the way back."""
    return (np.arange(n)[None, :] - np.arange(n)[:, None]) % n * 1.0


def test_both_planners_look_for_waypoints_on_the_way_there_not_back():
    d = one_way_street()
    places = np.arange(6.0)[:, None]
    waypoint = method.midpoint_waypoint(d, lambda o: o[0].astype(int), places, slack=0.5)
    named = np.broadcast_to(np.eye(6)[None], (6, 6, 6))  # the action is the goal it is told
    planned = paths.midpoint_planner_policy(named, d, slack=0.5)
    keys = jax.random.split(jax.random.key(0), (6, 6, 40))
    every = jax.vmap(jax.vmap(jax.vmap(waypoint, (None, None, 0)), (None, 0, 0)), (0, None, 0))
    aims = np.asarray(jax.jit(every)(jnp.asarray(places), jnp.asarray(places), keys))[..., 0]
    for s in range(6):
        for g in range(6):
            between = [w for w in range(6) if w != s and abs(d[s, w] - d[s, g] / 2) <= 0.5]
            between = [w for w in between if abs(d[w, g] - d[s, g] / 2) <= 0.5] or [g]
            np.testing.assert_allclose(planned[s, g], np.eye(6)[between].mean(0))
            assert set(aims[s, g].astype(int)) == set(between), (s, g)


def test_a_place_as_far_from_here_but_off_the_way_is_no_waypoint():
    # A branch: 3 - 0 - 1 - 2. From 0 both 1 and 3 are one step away, but only 1 leads to 2.
    d = np.array([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 3], [1, 2, 3, 0]], float)
    places = np.arange(4.0)[:, None]
    waypoint = method.midpoint_waypoint(d, lambda o: o[0].astype(int), places, slack=0.5)
    keys = jax.random.split(jax.random.key(0), 20)
    aims = jax.vmap(waypoint, (None, None, 0))(jnp.array([0.0]), jnp.array([2.0]), keys)
    np.testing.assert_array_equal(aims, np.ones((20, 1)))


def test_a_planner_plans_from_here_to_the_goal():
    told = method.planned(
        lambda here, goal, carry, key: (goal, carry), lambda here, goal, key: 10 * here + goal
    )
    action, _ = told(jnp.array([1.0]), jnp.array([2.0]), (), jax.random.key(0))
    np.testing.assert_array_equal(action, [12.0])


@pytest.mark.filterwarnings("error")
def test_both_planners_aim_at_a_goal_that_is_out_of_reach():
    d = np.array([[0, 1, 2], [np.inf, 0, 1], [np.inf, np.inf, 0]])
    named = np.broadcast_to(np.eye(3)[None], (3, 3, 3))
    planned = paths.midpoint_planner_policy(named, d, slack=0.5)
    places = np.arange(3.0)[:, None]
    waypoint = method.midpoint_waypoint(d, lambda o: o[0].astype(int), places, slack=0.5)
    for s, g in ((1, 0), (2, 0), (2, 1)):
        np.testing.assert_array_equal(planned[s, g], np.eye(3)[g])
        at, to = jnp.asarray(places[s]), jnp.asarray(places[g])
        assert waypoint(at, to, jax.random.key(0)) == g
    np.testing.assert_array_equal(planned[0, 2], np.eye(3)[1])


def test_beyond_all_cells_the_code_is_that_of_the_nearest():
    code = method.cell_code(GRID.cells)
    far_away = jnp.asarray([[-5.0, 1.0], [3.0, 40.0], [1.0, -2.5]])
    nearest = [_cell(jnp.asarray(GRID.cells), p) for p in far_away]
    np.testing.assert_array_equal(code(far_away), np.eye(S)[np.array(nearest)])
    two = method.cell_code(np.array([[1, 1], [1, 2]]))
    np.testing.assert_array_equal(two(jnp.array([-2.0, 1.5])), [1, 0])


def test_a_draw_follows_the_weights_and_never_takes_a_weight_of_zero():
    weights = jnp.array([0.0, 3.0, 0.0, 1.0, 0.0])
    keys = jax.random.split(jax.random.key(0), 20_000)
    drawn = np.asarray(jax.vmap(lambda k: method._draw(k, weights))(keys))
    share = np.bincount(drawn, minlength=5) / len(drawn)
    np.testing.assert_allclose(share, [0, 0.75, 0, 0.25, 0], atol=0.02)
    assert set(drawn) == {1, 3}


def test_the_accuracy_is_the_share_of_goals_whose_own_state_scores_highest():
    learner = table_learner(3, batch_size=3)
    # Column winners: goal 0 own, goals 1 and 2 lose to state 0. Row winners differ.
    table = jnp.array([[3.0, 3.0, 3.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    batch = {"state": jnp.arange(3), "future": jnp.arange(3)}
    params = {"params": {"table": table}}
    state = learner.init(jax.random.key(0), batch)
    _, metrics = learner.loss(params, state, batch, jax.random.key(0))
    assert metrics["accuracy"] == pytest.approx(1 / 3)
