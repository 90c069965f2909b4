"""Cloning against the enumerated joint, its limit against a solver, the repair's guarantee."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from goalward.baselines import gcbc
from goalward.data.goals import GoalFutures
from goalward.data.trajectories import from_trajectories
from goalward.methods import imitating_past_successes as ips
from goalward.nets.mlp import MLP
from goalward.protocol import Agent
from goalward.tabular import mdp, successor
from goalward.tabular.dynamic_programming import policy_evaluation
from goalward.training.loop import train
from states import only_seed

seeds = st.integers(0, 10_000)


def world(seed, states=4, actions=3, gamma=0.8):
    """A random process, a random policy for each goal, which goals are commanded, first states."""
    rng = np.random.default_rng(seed)
    P = mdp.random_mdp(rng, states, actions, 0.3)
    policy = rng.dirichlet(np.ones(actions), size=(states, states))
    return P, policy, rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states)), gamma


def relabelled_joint(P, policy, p_goal, start, gamma, steps=150):
    """p(g', s, a, g) by walking forward in time: command, visit, action, outcome; loops."""
    n, m = P.shape[:2]
    joint = np.zeros((n, n, m, n))
    for command in range(n):
        chain = np.einsum("sa,sax->sx", policy[:, command], P)
        visits, now = np.zeros(n), start.copy()
        for t in range(steps):
            visits += (1 - gamma) * gamma**t * now
            now = now @ chain
        for s in range(n):
            for a in range(m):
                ahead = P[s, a].copy()
                for k in range(steps):
                    chance = p_goal[command] * visits[s] * policy[s, command, a]
                    joint[command, s, a] += chance * (1 - gamma) * gamma**k * ahead
                    ahead = ahead @ chain
    return joint


def learn(P, policy, p_goal, start, gamma):
    """Everything that relabelled data say: outcomes, commands, cloned and average policy."""
    outcomes = ips.outcome_probabilities(P, policy, gamma)
    commanded = ips.commanded_given_state(P, policy, p_goal, start, gamma)
    cloned = ips.ocbc(policy, commanded, outcomes)
    return outcomes, commanded, cloned, ips.average_policy(policy, commanded)


@pytest.mark.parametrize("seed", range(3))
def test_cloning_is_the_conditional_of_the_enumerated_joint(seed):
    setting = world(seed)
    joint = relabelled_joint(*setting)
    outcomes, commanded, cloned, average = learn(*setting)
    by_state = joint.sum(axis=(2, 3)).T
    np.testing.assert_allclose(commanded, by_state / by_state.sum(1, keepdims=True), atol=1e-9)
    pair = joint.sum(axis=(0, 3))
    np.testing.assert_allclose(average, pair / pair.sum(1, keepdims=True), atol=1e-9)
    triple = np.moveaxis(joint.sum(axis=0), 1, 2)
    np.testing.assert_allclose(cloned, triple / triple.sum(2, keepdims=True), atol=1e-9)
    # Only what the commanded task itself achieved: the guaranteed step.
    own = np.einsum("gsag->sga", joint)
    step = ips.own_successes(setting[1], commanded, outcomes)
    np.testing.assert_allclose(step, own / own.sum(2, keepdims=True), atol=1e-9)


def test_values_are_those_of_policy_evaluation():
    P, policy, _, _, gamma = world(5)
    values = ips.goal_values(policy, ips.outcome_probabilities(P, policy, gamma))
    for g in range(4):
        reward = (1 - gamma) * P[:, :, g]  # paid on arrival
        np.testing.assert_allclose(
            values[:, g], policy_evaluation(P, policy[:, g], reward, gamma)[1], atol=1e-12
        )


def test_cloning_a_policy_that_ignores_its_goal_is_the_known_special_case():
    P, policy, p_goal, start, gamma = world(1)
    same = np.repeat(policy[:, :1], 4, axis=1)
    occupancy = successor.successor_measure(P, same[:, 0], gamma)
    cloned = learn(P, same, p_goal, start, gamma)[2]
    np.testing.assert_allclose(cloned, gcbc.exact_policy(occupancy, same[:, 0]), atol=1e-12)


def test_bad_tables_are_refused():
    P, policy, _, _, _ = world(0)
    with pytest.raises(ValueError, match="must sum to one"):
        ips.discounted_visits(P, 2 * policy, 0.5)
    with pytest.raises(ValueError, match="gamma must be in"):
        ips.discounted_visits(P, policy, 1.0)


@given(seeds, st.floats(0.05, 0.95), st.sampled_from([2, 3, 5]), st.sampled_from([2, 4]))
def test_the_commanded_tasks_own_successes_never_make_a_state_worse(seed, gamma, states, actions):
    P, policy, p_goal, start, _ = world(seed, states, actions)
    values, _ = ips.iterate(ips.own_successes, P, policy, p_goal, start, gamma, rounds=4)
    assert np.diff(values, axis=0).min() >= -1e-12


@given(seeds)
def test_one_step_gains_the_variance_over_the_mean(seed):
    P, policy, p_goal, start, gamma = world(seed)
    outcomes, commanded, _, _ = learn(P, policy, p_goal, start, gamma)
    Q = np.stack([outcomes[g, :, :, g] for g in range(4)], axis=1)
    mean = (policy * Q).sum(2)
    variance = (policy * (Q - mean[:, :, None]) ** 2).sum(2)
    gain = (ips.own_successes(policy, commanded, outcomes) * Q).sum(2) - mean
    np.testing.assert_allclose(gain, variance / mean, atol=1e-12)


def test_iterating_alternates_collection_and_steps():
    setting = world(7)
    P, policy, p_goal, start, gamma = setting
    values, policies = ips.iterate(ips.ocbc, *setting, rounds=2)
    assert len(policies) == 3
    for k in range(3):
        exact = np.stack(
            [
                policy_evaluation(P, policy[:, g], (1 - gamma) * P[:, :, g], gamma)[1]
                for g in range(4)
            ],
            axis=1,
        )
        np.testing.assert_allclose(values[k], exact, atol=1e-12)
        np.testing.assert_array_equal(policies[k], policy)
        policy = learn(P, policy, p_goal, start, gamma)[2]


@given(seeds)
def test_normalising_divides_the_average_out(seed):
    P, policy, p_goal, start, gamma = world(seed)
    outcomes, commanded, _, _ = learn(P, policy, p_goal, start, gamma)
    got = ips.normalised_ocbc(policy, commanded, outcomes)
    flat = ips.normalised_ocbc(policy, commanded, outcomes, base=np.full((4, 4, 3), 1 / 3))
    for s in range(4):
        for g in range(4):
            mixed = np.zeros(3)
            for a in range(3):
                share = commanded[s] * policy[s, :, a]  # who took this action here
                mixed[a] = (share / share.sum()) @ outcomes[:, s, a, g]
            np.testing.assert_allclose(flat[s, g], mixed / mixed.sum(), atol=1e-10)
            mixed *= policy[s, g]
            np.testing.assert_allclose(got[s, g], mixed / mixed.sum(), atol=1e-10)


def test_outcomes_that_never_follow_leave_the_policy_alone():
    P = np.eye(3)[:, None, :].repeat(2, axis=1)  # nobody ever moves
    policy = np.random.default_rng(0).dirichlet(np.ones(2), size=(3, 3))
    outcomes, commanded, cloned, average = learn(P, policy, np.ones(3) / 3, np.ones(3) / 3, 0.5)
    np.testing.assert_allclose(cloned[0, 1], average[0])
    step = ips.own_successes(policy, commanded, outcomes)
    np.testing.assert_allclose(step[0, 1], policy[0, 1])
    policy[..., 0], policy[..., 1] = 0.0, 1.0  # and an action that nobody takes
    step = ips.normalised_ocbc(policy, commanded, outcomes)
    np.testing.assert_allclose(step, policy)


def bandit(seed, actions=4, goals=3):
    rng = np.random.default_rng(seed)
    R = rng.dirichlet(np.full(goals, 0.5), size=actions)
    policy = rng.dirichlet(np.ones(actions), size=(1, goals))
    return R, policy, rng.dirichlet(np.ones(goals))


def clone_bandit(R, policy, p, steps):
    outcomes = ips.bandit_outcomes(R[None])
    for _ in range(steps):
        policy = ips.ocbc(policy, p[None], outcomes)
    return policy


def mismatch(weights, R, p):
    """KL from the commanded goals to the outcomes that the average policy produces."""
    return float(np.sum(p * np.log(p / (weights @ R))))


@given(seeds)
def test_cloning_a_bandit_is_bayes_rule(seed):
    R, policy, p = bandit(seed)
    got = clone_bandit(R, policy, p, 1)
    for g in range(3):
        joint = [sum(p[c] * policy[0, c, a] for c in range(3)) * R[a, g] for a in range(4)]
        np.testing.assert_allclose(got[0, g], np.array(joint) / sum(joint), atol=1e-12)


@given(seeds)
def test_iterated_cloning_lowers_the_mismatch_at_every_step(seed):
    R, policy, p = bandit(seed)
    before = np.inf
    for _ in range(10):
        now = mismatch(ips.average_policy(policy, p[None])[0], R, p)
        assert now <= before + 1e-12
        before, policy = now, clone_bandit(R, policy, p, 1)


@pytest.mark.parametrize("seed", range(2))
def test_the_limit_of_cloning_matches_the_commanded_goals(seed):
    R, policy, p = bandit(seed)
    limit = ips.average_policy(clone_bandit(R, policy, p, 3000), p[None])[0]
    solved = minimize(
        mismatch,
        np.full(4, 0.25),
        args=(R, p),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(limit @ R, solved.x @ R, atol=1e-3)


def test_the_two_by_two_bandit():
    R, p = np.array([[1.0, 0.0], [0.6, 0.4]]), np.array([0.5, 0.5])
    outcomes = ips.bandit_outcomes(R[None])

    def J(policy):
        return float(ips.goal_values(policy, outcomes)[0] @ p)

    uniform, best = np.full((1, 2, 2), 0.5), np.eye(2)[None]
    assert J(uniform) == pytest.approx(0.5)
    assert J(clone_bandit(R, uniform, p, 1)) == pytest.approx(0.625)
    assert J(clone_bandit(R, uniform, p, 200)) == pytest.approx(0.5, abs=1e-6)
    assert J(best) == pytest.approx(0.7)
    assert J(clone_bandit(R, best, p, 1)) == pytest.approx(0.625)
    assert J(ips.normalised_ocbc(best, p[None], outcomes)) == pytest.approx(0.7)
    skewed = np.array([0.9, 0.1])
    limit = clone_bandit(R, uniform, skewed, 2000)
    np.testing.assert_allclose(ips.average_policy(limit, skewed[None])[0], [0.75, 0.25], atol=1e-6)


@pytest.fixture(scope="module")
def fresh():
    """A learner, five relabelled examples and the state before the first update."""
    agent = ips.NormalisedOCBC(
        MLP((16, 3)), MLP((16, 3)), gamma=0.5, batch_size=8192, tau=0.25, floor=1e-2
    )
    rng = np.random.default_rng(0)
    state, future = (jnp.asarray(rng.normal(size=(5, 2)), jnp.float32) for _ in range(2))
    batch = GoalFutures(state, jnp.asarray(rng.integers(3, size=5)), state, future)
    return agent, batch, jax.jit(agent.init)(jax.random.key(0), batch)


def test_the_loss_is_the_mean_surprise_of_the_recorded_actions(fresh):
    agent, batch, state = fresh
    got, metrics = agent.loss(state.params, state, batch, jax.random.key(1))
    pairs = jnp.concatenate([batch.state, batch.future], axis=1)
    tables = (
        agent.conditional.apply(state.params["conditional"], pairs),
        agent.marginal.apply(state.params["marginal"], batch.state),
    )
    total = 0.0
    for table in tables:
        for i in range(5):
            p = np.exp(np.asarray(table[i], float))
            total -= np.log(p[int(batch.action[i])] / p.sum()) / 5
    np.testing.assert_allclose(got, total, rtol=1e-5)
    np.testing.assert_allclose(metrics["conditional"] + metrics["marginal"], got, rtol=1e-6)


def test_the_agent_acts_by_the_ratio_of_cloned_to_slow_average(fresh):
    agent, batch, state = fresh
    assert isinstance(agent, Agent)
    moved, _ = jax.jit(agent.update)(state, batch, jax.random.key(2))
    slow = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, state.params, moved.params)
    cloned = np.exp(agent.log_cloned(moved.params, batch.state, batch.future)) + 1e-2
    ratio = cloned / (np.exp(agent.log_average(slow, batch.state)) + 2e-2)
    got = agent.log_ratio(moved, batch.state, batch.future)
    np.testing.assert_allclose(np.exp(got), ratio, rtol=1e-5)
    act = jax.jit(agent.act, static_argnums=5)
    best, carry = act(moved, batch.state, batch.future, (), jax.random.key(3), 0.0)
    np.testing.assert_array_equal(best, ratio.argmax(1))
    assert carry == ()
    many = [jnp.tile(x[:1], (20_000, 1)) for x in (batch.state, batch.future)]
    drawn, _ = act(moved, *many, (), jax.random.key(4))
    frequency = np.bincount(drawn, minlength=3) / 20_000
    np.testing.assert_allclose(frequency, ratio[0] / ratio[0].sum(), atol=0.02)


def test_the_two_networks_start_apart(fresh):
    *_, state = fresh
    last = [
        state.params[name]["params"]["Dense_1"]["kernel"] for name in ("conditional", "marginal")
    ]
    assert not np.allclose(*last)


def test_outcomes_follow_their_state_after_a_geometric_number_of_steps(fresh):
    agent = fresh[0]
    steps = np.arange(100.0, dtype=np.float32)[None, :, None]
    clock = steps + 1000 * np.arange(3.0, dtype=np.float32)[:, None, None]
    data = from_trajectories(clock, np.arange(300).reshape(3, 100))
    batch = jax.jit(agent.batch)(data, jax.random.key(0))
    ahead = np.asarray(batch.future - batch.state)[:, 0]
    which, when = np.divmod(np.asarray(batch.state)[:, 0], 1000)
    np.testing.assert_array_equal(batch.action, which * 100 + when)
    assert ahead.min() >= 1
    assert ahead.max() < 99
    for k in (1, 2, 3):  # the last few steps, where the end is near, change little
        assert abs(np.mean(ahead == k) - 0.5**k) < 0.03


def test_the_networks_learn_the_exact_tables_of_a_bandit():
    """Three states in one step: start, and two outcomes; the action decides between them."""
    R, rng = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]), np.random.default_rng(2)
    behaviour = np.array([0.6, 0.3, 0.1])
    action = rng.choice(3, size=(4000, 2), p=behaviour)
    outcome = (rng.random(4000) < R[action[:, 0], 1]).astype(int)
    rows = np.eye(3, dtype=np.float32)[np.stack([np.zeros(4000, int), 1 + outcome], axis=1)]
    agent = ips.NormalisedOCBC(
        MLP((16, 3)), MLP((16, 3)), gamma=0.5, batch_size=256, learning_rate=0.02
    )
    state, _ = train(agent, from_trajectories(rows, action), jax.random.key(0), 200)
    params = only_seed(state.params)
    origin, outcomes = jnp.eye(3)[:1].repeat(2, axis=0), jnp.eye(3)[1:]
    exact = ips.ocbc(
        np.tile(behaviour, (1, 2, 1)), np.full((1, 2), 0.5), ips.bandit_outcomes(R[None])
    )[0]
    np.testing.assert_allclose(np.exp(agent.log_cloned(params, origin, outcomes)), exact, atol=0.05)
    np.testing.assert_allclose(np.exp(agent.log_average(params, origin))[0], behaviour, atol=0.05)
