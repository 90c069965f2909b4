"""MQE: the loss and its gradient by hand, where waypoints lie; its tables against exact answers."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.baselines.offline import ACTOR_GOALS
from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture, WaypointBatch, waypoint_batch
from goalward.methods import mqe as method
from goalward.methods.mqe import MQE
from goalward.nets.action_metric import ActionMetric
from goalward.nets.normalized import NormalizedMLP
from goalward.nets.plain_policies import UnitGaussianPolicy
from goalward.protocol import PLAIN
from goalward.tabular import distances, mdp, paths
from offline_oracles import (
    actor_by_hand,
    check_gradient,
    double,
    linex_of,
    metric_distance,
    plain_update,
    random_batch,
    random_state,
)
from offline_walks import CLIMBER, TOWERS, check_it_walks_where_it_is_told

GAMMA, BEYOND, DIAGONAL, BC = 0.8, 0.3, 0.3, 0.4
AGENT = MQE(
    actor=UnitGaussianPolicy(2, (6,)),
    critic=ActionMetric(NormalizedMLP((6, 8)), NormalizedMLP((5, 8)), components=2, scaled=True),
    gamma=GAMMA,
    linear_beyond=BEYOND,
    diagonal=DIAGONAL,
    bc=BC,
    transform=PLAIN,
)


def with_waypoints(batch):
    rng, told = np.random.default_rng(4), {f.name: getattr(batch, f.name) for f in fields(batch)}
    waypoint = jnp.asarray(rng.normal(size=batch.state.shape), jnp.float32)
    return WaypointBatch(**told, waypoint=waypoint, steps=jnp.arange(len(batch.reward)) % 4 + 1)


BATCH = with_waypoints(random_batch(7))


def critic_by_hand(params, held, batch, in_probability=False):
    """Row by row and goal by goal; `held` are parameters that get no gradient."""
    n, total, beyond = len(batch.reward), 0.0, 0
    for k in (0, 1):
        d = lambda x, y, p=params, k=k: metric_distance(p, k, x, y, 2, scaled=True)  # noqa: E731
        for i in range(n):
            now = batch.state[i], batch.action[i]
            for j in range(n):
                here, ahead = d(now, batch.goal[j]), d(batch.waypoint[i], batch.goal[j], held)
                weight = (1 - DIAGONAL) / n**2 + (DIAGONAL / n if i == j else 0)
                total += weight * linex_of(here, ahead, GAMMA ** batch.steps[i], BEYOND) / 2
                beyond += here - ahead > BEYOND
            chosen = d(batch.state[i], now)
            total += ((np.exp(-chosen) - 1) if in_probability else chosen) ** 2 / (2 * n)
    assert 0 < beyond < 2 * n * n  # the loss's two branches
    return total


def test_an_update_by_hand():
    state = random_state(AGENT, BATCH)
    metrics, gradient, _ = plain_update(AGENT, state, BATCH)
    batch, held = double(BATCH), double(state.params)

    def value(params, i, action):
        there, goal = (batch.state[i], action), batch.actor_goal[i]
        return -max(metric_distance(params, k, there, goal, 2, scaled=True) for k in (0, 1))

    def loss(params, held):
        actor = actor_by_hand(params, held, batch, BC, value)
        return critic_by_hand(params, held, batch) + actor

    np.testing.assert_allclose(metrics["critic"], critic_by_hand(held, held, batch), rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], loss(held, held), rtol=1e-5)
    check_gradient(loss, state.params, gradient, ["actor", "critic"])


def test_the_action_invariance_in_probability():
    agent = replace(AGENT, in_probability=True)
    state, batch = random_state(agent, BATCH), double(BATCH)
    both = jax.jit(jax.value_and_grad(agent.critic_loss))
    loss, gradient = both(state.params, state, BATCH, jax.random.key(0))
    by_hand = lambda params, held: critic_by_hand(params, held, batch, True)  # noqa: E731
    held = double(state.params)
    np.testing.assert_allclose(loss, by_hand(held, held), rtol=1e-5)
    check_gradient(by_hand, state.params, gradient, ["critic"])


def test_the_batch_is_the_frames_with_waypoints_between_state_and_goal():
    rows, length = np.arange(60.0, dtype=np.float32), 12
    data = trajectories.from_trajectories(
        rows.reshape(-1, length, 1), np.zeros((5, length, 2), np.float32)
    )
    told = {"gamma": 0.95, "lam": 0.7, "single": 0.25, "tail": "renormalise"}
    agent = replace(AGENT, batch_size=2000, **told)

    @jax.jit
    def both(key):
        goals = {"value_goals": GoalMixture(trajectory=1.0), "actor_goals": ACTOR_GOALS}
        return agent.batch(data, key), waypoint_batch(data, key, 2000, **told, **goals)

    batch, expected = both(jax.random.key(1))
    for leaf, other in zip(*map(jax.tree.leaves, (batch, expected)), strict=True):
        np.testing.assert_array_equal(leaf, other)
    now, way, goal = (np.asarray(x)[:, 0] for x in (batch.state, batch.waypoint, batch.goal))
    np.testing.assert_array_equal(way - now, batch.steps)
    assert (way // length == now // length).all()
    assert (way <= np.maximum(goal, now + 1)).all()
    far = goal - now > 6  # every fourth waypoint is the next state, and 30 % of the others
    assert abs(np.mean(batch.steps[far] == 1) - (0.25 + 0.75 * 0.3)) < 0.07


@pytest.mark.parametrize("change", [{"lam": 1.0}, {"single": 1.5}, {"single": -0.1}])
def test_settings_are_checked(change):
    with pytest.raises(ValueError, match="discount" if "lam" in change else "single"):
        replace(AGENT, **change)


DISCOUNT = 0.9


def world(seed, states=5, actions=3):
    rng = np.random.default_rng(seed)
    P = mdp.random_mdp(rng, states, actions, concentration=0.3)
    return P, rng.dirichlet(np.ones(actions), size=states)


def corridor(n, behaviour=(0.8, 0.1, 0.1)):
    """Right, left, stay; the exact distance is -log gamma a cell."""
    cells = np.arange(n)
    next_state = np.stack([np.minimum(cells + 1, n - 1), np.maximum(cells - 1, 0), cells], 1)
    away = np.abs(cells[:, None] - cells)
    return np.eye(n)[next_state], np.tile(behaviour, (n, 1)), next_state, away


def far(n):
    return np.where(np.eye(n) > 0, 1.0, np.exp(-20.0))


def share_by_hand(k, lam, p):
    return (p if k == 1 else 0.0) + (1 - p) * (1 - lam) * lam ** (k - 1)


@pytest.mark.parametrize(("lam", "p"), [(0.7, 0.2), (0.0, 0.0), (0.9, 1.0), (1.0, 0.3), (0.5, 0)])
def test_waypoints_are_geometric_with_a_share_of_single_steps_and_the_rest_at_the_end(lam, p):
    for steps in (1, 2, 7):
        weights = method.waypoint_weights(lam, p, steps)
        by_hand = [share_by_hand(k, lam, p) for k in range(1, steps)]
        np.testing.assert_allclose(weights[:-1], by_hand, atol=1e-15)
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("lam", "p"), [(0.8, 0.0), (0.8, 0.3), (0.0, 0.4), (0.95, 0.2), (0.5, 1)])
def test_the_operator_is_the_discounted_sum_over_offsets(lam, p):
    P, policy = world(0)
    total, ahead = np.zeros_like(P), P
    for k in range(1, 800):
        total += share_by_hand(k, lam, p) * DISCOUNT**k * ahead
        ahead = ahead @ mdp.state_transitions(P, policy)
    np.testing.assert_allclose(
        method.waypoint_operator(P, policy, DISCOUNT, lam, p), total, atol=1e-12
    )


def stopped_by_hand(P, policy, lam, p, goal, steps=400):
    """Push the probability of still looking forward in time; who meets the goal leaves."""
    chain = mdp.state_transitions(P, policy)
    weights = [share_by_hand(k, lam, p) for k in range(1, steps + 1)]
    weights[-1] += 1 - sum(weights)
    total = np.zeros_like(P)
    for s in range(P.shape[0]):
        for a in range(P.shape[1]):
            seeking = P[s, a].copy()
            for k in range(1, steps + 1):
                later = sum(weights[k - 1 :])
                total[s, a, goal] += DISCOUNT**k * seeking[goal] * later
                seeking[goal] = 0.0
                total[s, a] += DISCOUNT**k * seeking * weights[k - 1]
                seeking = seeking @ chain
    return total


@pytest.mark.parametrize(("lam", "p"), [(0.8, 0.0), (0.8, 0.3), (0.0, 0.4), (0.5, 1.0), (1.0, 0.2)])
def test_stopping_at_the_goal_takes_all_later_waypoints_to_it(lam, p):
    P, policy = world(1, states=4)
    operator = method.waypoint_operator(P, policy, DISCOUNT, lam, p, stop_at_goal=True)
    for goal in range(4):
        by_hand = stopped_by_hand(P, policy, lam, p, goal)
        np.testing.assert_allclose(operator[..., goal], by_hand, atol=1e-10)


def test_the_two_ends_are_one_step_and_monte_carlo():
    P, policy = world(2)
    h = np.random.default_rng(0).uniform(size=(5, 5))
    np.fill_diagonal(h, 1.0)
    for lam, p in ((0.9, 1.0), (0.0, 0.0), (0.0, 0.5)):
        for stop in (False, True):
            operator = method.waypoint_operator(P, policy, DISCOUNT, lam, p, stop)
            np.testing.assert_allclose(method.backup(operator, h), DISCOUNT * P @ h)
    operator = method.waypoint_operator(P, policy, DISCOUNT, 1.0, 0.0, stop_at_goal=True)
    hitting = distances.pair_hitting_transform(P, policy, DISCOUNT, start="next")
    np.testing.assert_allclose(method.backup(operator, h), hitting, atol=1e-12)


def empirical_by_hand(states, actions, n_states, n_actions, lam, p, goal=None):
    """One visit and one offset at a time."""
    horizon = states.shape[1] - 1
    weights = method.waypoint_weights(lam, p, horizon)
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions))
    for walk, taken in zip(states, actions, strict=True):
        for t in range(horizon):
            count[walk[t], taken[t]] += 1
            for k in range(1, horizon + 1):
                offset = min(k, horizon - t)
                for u in range(1, offset + 1):
                    if goal is not None and walk[t + u] == goal:
                        offset = u
                        break
                waypoint = walk[t + offset]
                total[walk[t], taken[t], waypoint] += weights[k - 1] * DISCOUNT**offset
    return total / np.maximum(count, 1)[..., None]


@pytest.mark.parametrize(("lam", "p"), [(0.8, 0.0), (0.6, 0.3), (0.95, 0.1), (0.3, 1.0)])
def test_the_mean_over_recorded_visits_by_loops(lam, p):
    P, policy = world(3, states=4)
    policy[2] = [1, 0, 0]  # two pairs are never tried
    states, actions = mdp.sample_trajectories(P, policy, np.random.default_rng(0), 6, 5)
    got = method.empirical_operator(states, actions, 4, 3, DISCOUNT, lam, p)
    np.testing.assert_allclose(got, empirical_by_hand(states, actions, 4, 3, lam, p), atol=1e-12)
    assert not got[2, 1:].any()
    stopped = method.empirical_operator(states, actions, 4, 3, DISCOUNT, lam, p, stop_at_goal=True)
    for goal in range(4):
        by_hand = empirical_by_hand(states, actions, 4, 3, lam, p, goal)
        np.testing.assert_allclose(stopped[..., goal], by_hand, atol=1e-12)


def test_the_last_action_of_a_trajectory_was_not_taken():
    states, actions = np.array([[0, 1, 2]]), np.array([[0, 1, 0]])
    other = np.array([[0, 1, 1]])
    first, second = (
        method.empirical_operator(states, a, 3, 2, DISCOUNT, 0.5, 0.2) for a in (actions, other)
    )
    np.testing.assert_array_equal(first, second)
    assert not first[2].any()


def test_many_recordings_tell_what_the_process_tells():
    P, policy = world(4, states=3, actions=2)
    states, actions = mdp.sample_trajectories(P, policy, np.random.default_rng(0), 3000, 60)
    # The discount leaves nothing of what the end of the recordings cuts off.
    for stop in (False, True):
        exact = method.waypoint_operator(P, policy, 0.6, 0.5, 0.2, stop)
        measured = method.empirical_operator(states, actions, 3, 2, 0.6, 0.5, 0.2, stop)
        np.testing.assert_allclose(measured, exact, atol=0.01)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    lam=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    p=st.sampled_from([0.0, 0.2, 1.0]),
    stop=st.booleans(),
    relax=st.booleans(),
)
def test_no_sweep_falls_below_the_optimal_distance(seed, lam, p, stop, relax):
    P, policy = world(seed, states=4)
    operator = method.waypoint_operator(P, policy, DISCOUNT, lam, p, stop)
    tables, q = method.sweeps(operator, far(4), 12, relax)
    optimal = distances.optimal_successor_distance(P, DISCOUNT)
    pairs = distances.optimal_pair_hitting_transform(P, DISCOUNT, start="next")
    assert np.all(method.distance(tables) >= optimal - 1e-9)
    assert np.all(q <= pairs + 1e-12)
    np.testing.assert_array_equal(method.distance(tables)[:, range(4), range(4)], 0)
    if relax:
        assert paths.triangle_violation(method.distance(tables[-1])) < 1e-9


def test_single_steps_find_the_optimal_distance_and_count_their_sweeps():
    P, policy, _, away = corridor(9)
    operator = method.waypoint_operator(P, policy, DISCOUNT, 0.7, 1.0)
    tables, _ = method.sweeps(operator, far(9), 8)
    exact = -np.log(DISCOUNT) * away
    assert len(tables) == 9
    for n, table in enumerate(tables):  # one cell a sweep: nothing further is known
        known = np.isclose(method.distance(table), exact, atol=1e-9)
        np.testing.assert_array_equal(known, away <= n)
    P, policy = world(5, states=8)
    operator = method.waypoint_operator(P, policy, DISCOUNT, 0.7, 1.0)
    learned = method.distance(method.sweeps(operator, far(8), 300)[0][-1])
    optimal = distances.optimal_successor_distance(P, DISCOUNT)
    np.testing.assert_allclose(learned, optimal, atol=1e-6)


def test_a_far_waypoint_is_fast_first_and_biased_in_the_end():
    P, policy, _, away = corridor(31)
    ahead = np.triu(np.ones((31, 31), dtype=bool), 1)
    error = {}
    for lam, p, stop in ((0.9, 0.0, False), (0.9, 0.2, False), (0.9, 0.2, True), (0.9, 1.0, False)):
        operator = method.waypoint_operator(P, policy, 0.98, lam, p, stop)
        d = method.distance(method.sweeps(operator, far(31), 40)[0])
        error[p, stop] = np.abs(d + np.log(0.98) * away)[:, ahead].mean(axis=1)
    assert error[0.2, False][3] < 0.5 * error[1.0, False][3]
    assert error[1.0, False][-1] < 1e-9 < error[0.2, False][-1] < error[0.0, False][-1]
    assert error[0.2, True][-1] < 0.3 * error[0.2, False][-1]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), lam=st.sampled_from([0.3, 0.95, 1.0]))
def test_where_nothing_is_left_to_chance_stop_and_join_are_exact_in_one_sweep(seed, lam):
    rng = np.random.default_rng(seed)
    P = np.eye(6)[rng.integers(6, size=(6, 2))]
    policy = rng.dirichlet([1, 1], size=6)
    operator = method.waypoint_operator(P, policy, DISCOUNT, lam, 0.2, stop_at_goal=True)
    tables, q = method.sweeps(operator, np.eye(6), 1, relax=True)
    optimal = np.minimum(distances.optimal_successor_distance(P, DISCOUNT), 30)
    learned = np.minimum(method.distance(tables[1]), 30)  # of no way, rounding may leave 1e-16
    np.testing.assert_allclose(learned, optimal, atol=1e-9)
    pairs = distances.optimal_pair_hitting_transform(P, DISCOUNT, start="next")
    np.testing.assert_allclose(q, pairs, atol=1e-9)


def test_errors_are_nats_added_after_each_sweep_and_spare_the_goal():
    P, policy = world(7, states=4)
    operator = method.waypoint_operator(P, policy, DISCOUNT, 0.5, 0.2)
    nats = np.random.default_rng(0).normal(scale=0.3, size=(2, 4, 4))
    nats[0, 0, 1] = -50.0  # no distance falls below zero
    tables, q = method.sweeps(operator, far(4), 2, errors=nats)
    h = far(4)
    for n in range(2):
        by_hand = operator @ h
        d = -np.log(by_hand.max(axis=1)) + nats[n]
        d[range(4), range(4)] = 0.0
        h = np.exp(-np.maximum(d, 0.0))
        np.testing.assert_allclose(tables[n + 1], h, atol=1e-12)
    np.testing.assert_allclose(q, by_hand, atol=1e-12)
    assert tables[1][0, 1] == 1.0


def test_joining_is_path_relaxation_of_distances():
    h = np.exp(-np.array([[0.0, 1, 9], [9, 0, 1], [9, 9, 0]]))
    joined = method.distance(method.joined(h))
    np.testing.assert_allclose(joined, [[0, 1, 2], [9, 0, 1], [9, 9, 0]], atol=1e-12)


def test_greedy_tells_tiny_probabilities_apart_and_shares_ties():
    q = np.zeros((2, 3, 2))
    q[0, :, 1] = [1e-30, 1.001e-30, 1e-31]
    q[0, :, 0] = [0.3, 0.3 * (1 + 1e-12), 0.2]
    q[1, 2, 0] = 1e-300
    policy = method.greedy(q)
    np.testing.assert_array_equal(policy[0, 1], [0, 1, 0])
    np.testing.assert_array_equal(policy[0, 0], [0.5, 0.5, 0])
    np.testing.assert_array_equal(policy[1, 0], [0, 0, 1])
    np.testing.assert_allclose(policy[1, 1], [1 / 3] * 3)  # nothing known of this goal


@pytest.mark.parametrize(
    ("change", "message"),
    [({"lam": 1.1}, "lam"), ({"p": -0.1}, "p must"), ({"gamma": 1.0}, "discount")],
)
def test_what_is_no_probability_is_named(change, message):
    P, policy = world(6)
    values = {"gamma": 0.9, "lam": 0.5, "p": 0.5} | change
    with pytest.raises(ValueError, match=message):
        method.waypoint_operator(P, policy, values["gamma"], values["lam"], values["p"])


def test_it_walks_where_it_is_told():
    agent = MQE(**CLIMBER, critic=ActionMetric(*TOWERS, 2, scaled=True), lam=0.8)
    check_it_walks_where_it_is_told(agent)
