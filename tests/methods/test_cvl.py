"""Contrastive Value Learning: its values against dynamic programming, its parts against loops."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.data import trajectories
from goalward.data.rewards import RewardedFutures, rewarded_futures
from goalward.losses.contrastive import info_nce
from goalward.methods.cvl import CVL, FourierFeatures, reward_weighted_q
from goalward.nets.action_heads import ActionHeadsCritic
from goalward.nets.critics import EmbeddingCritic, InnerProductCritic
from goalward.nets.mlp import MLP
from goalward.nets.policies import TanhGaussianPolicy
from goalward.tabular import dynamic_programming, mdp, successor
from goalward.training.loop import train
from states import only_seed

GAMMA = 0.8


def random_world(seed, states=5, actions=3):
    rng = np.random.default_rng(seed)
    P = mdp.random_mdp(rng, states, actions, concentration=0.7)
    policy = rng.dirichlet(np.ones(actions), size=states)
    reward, marginal = rng.normal(size=states), rng.dirichlet(np.ones(states))
    return P, policy, reward, marginal


def by_backups(P, policy, reward, gamma, rounds=2000):
    """The value of arriving, by repeating the Bellman equation for single states and actions."""
    Q = np.zeros(P.shape[:2])
    for _ in range(rounds):
        V = (policy * Q).sum(axis=1)
        for s in range(len(P)):
            for a in range(P.shape[1]):
                Q[s, a] = P[s, a] @ (reward + gamma * V)
    return Q


@given(seed=st.integers(0, 10_000), gamma=st.sampled_from([0.0, 0.5, 0.9]))
def test_the_exact_log_ratio_gives_the_exact_values(seed, gamma):
    P, policy, reward, marginal = random_world(seed)
    log_ratio = np.log(successor.successor_measure(P, policy, gamma)) - np.log(marginal)
    Q = reward_weighted_q(log_ratio, reward, gamma, marginal)
    np.testing.assert_allclose(Q, by_backups(P, policy, reward, gamma, 400), atol=1e-10)
    solved, _ = dynamic_programming.policy_evaluation(P, policy, P @ reward, gamma)
    np.testing.assert_allclose(Q, solved, atol=1e-10)


def test_counting_the_present_gives_another_value():
    P, policy, reward, marginal = random_world(1)
    current = successor.successor_measure(P, policy, GAMMA, start="current")
    Q = reward_weighted_q(np.log(current) - np.log(marginal), reward, GAMMA, marginal)
    exact = by_backups(P, policy, reward, GAMMA)
    np.testing.assert_allclose(Q, reward[:, None] + GAMMA * exact, atol=1e-10)


@given(seed=st.integers(0, 10_000))
def test_normalising_takes_off_what_infonce_leaves_free(seed):
    P, policy, reward, marginal = random_world(seed)
    free = 3 * np.random.default_rng(seed).normal(size=(*policy.shape, 1))
    log_ratio = np.log(successor.successor_measure(P, policy, GAMMA)) - np.log(marginal)
    exact = by_backups(P, policy, reward, GAMMA, 200)
    normalised = reward_weighted_q(log_ratio + free, reward, GAMMA, marginal, normalise=True)
    np.testing.assert_allclose(normalised, exact, atol=1e-10)
    raw = reward_weighted_q(log_ratio + free, reward, GAMMA, marginal)
    np.testing.assert_allclose(raw, np.exp(free[..., 0]) * exact, rtol=1e-8, atol=1e-10)


def test_draws_stand_for_the_marginal():
    rng = np.random.default_rng(0)
    logits, reward, counts = rng.normal(size=(2, 3)), rng.normal(size=3), np.array([1, 2, 5])
    draws = np.repeat(np.arange(3), counts)
    for normalise in (False, True):
        np.testing.assert_allclose(
            reward_weighted_q(logits[:, draws], reward[draws], 0.5, normalise=normalise),
            reward_weighted_q(logits, reward, 0.5, counts / 8, normalise),
        )


def test_large_logits_stay_finite_where_normalised():
    value = jax.jit(lambda f, r: reward_weighted_q(f, r, 0.5, normalise=True))
    Q = value(np.float32([[1000.0, 0.0]]), np.float32([2.0, 9.0]))
    np.testing.assert_allclose(Q, [4.0], rtol=1e-6)


def test_fourier_features_are_unbiased_and_their_error_falls_with_the_root():
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(2, 12, 3)) * 0.8, jnp.float32)
    truth = np.exp(np.sum(np.asarray(x) * np.asarray(y), axis=1))

    def terms(key):
        features = FourierFeatures.draw(key, 3, 128)
        return features(x) * features(y)

    draws = np.asarray(jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), 1000)))
    many = draws.sum(axis=2)
    few = draws[..., :8].sum(axis=2) * 128 / 8  # what eight features would have said
    error = many.std(axis=0) / np.sqrt(len(many))
    assert (np.abs(many.mean(axis=0) - truth) < 5 * error).all()
    np.testing.assert_allclose(few.std(axis=0) / many.std(axis=0), 4.0, rtol=0.2)


@jax.jit
def drawn(key):
    return FourierFeatures.draw(key, 2, 4000)


def test_on_unit_vectors_the_features_are_the_papers():
    features = drawn(jax.random.key(0))
    x = np.array([[0.6, -0.8], [1.0, 0.0]], np.float32)
    frequencies, phases = map(np.asarray, (features.frequencies, features.phases))
    expected = [
        [np.sqrt(2 * np.e / 4000) * np.cos(frequencies[:, k] @ row + phases[k]) for k in range(16)]
        for row in x
    ]
    seen = np.asarray(features(jnp.asarray(x)))
    np.testing.assert_allclose(seen[:, :16], expected, rtol=1e-4, atol=1e-6)


def test_long_vectors_are_refused_or_take_an_offset():
    waves = drawn(jax.random.key(0))
    long = np.array([[14.0, 0.0], [10.0, -5.0]], np.float32)
    with pytest.raises(ValueError, match="offset"):
        waves(jnp.asarray(long))
    kept = waves(jnp.asarray(long), offset=98.0)
    assert jnp.isfinite(kept).all()
    angles = long @ np.asarray(waves.frequencies) + np.asarray(waves.phases)
    size = np.exp(np.array([[0.0], [62.5 - 98.0]]))
    expected = size * np.sqrt(2 / 4000) * np.cos(angles)
    for row, one in zip(kept, expected, strict=True):
        np.testing.assert_allclose(row, one, rtol=1e-3, atol=1e-4 * np.abs(one).max())


def test_phases_fill_the_circle_and_are_independent_of_the_frequencies():
    waves = drawn(jax.random.key(0))
    turns, frequencies = np.asarray(waves.phases) / (2 * np.pi), np.asarray(waves.frequencies)
    assert np.abs(np.histogram(turns, 4, (0, 1))[0] / 4000 - 0.25).max() < 0.03
    for row in (*frequencies, *frequencies.reshape(-1, 2).T):
        assert abs(np.corrcoef(row, turns)[0, 1]) < 0.06
    assert abs(frequencies.std() - 1) < 0.05


@partial(jax.jit, static_argnums=0)
def first_loss(learner, data, key):
    """A batch, the state before any update, and the loss: compiled as one."""
    batch = learner.batch(data, jax.random.key(1))
    state = learner.init(jax.random.key(2), batch)
    return batch, state, learner.loss(state.params, state, batch, key)


def discrete(**options):
    critic = ActionHeadsCritic(3, MLP((3 * 8,)), MLP((8,)))
    return CVL(gamma=GAMMA, actor=None, actions=3, critic=critic, **options)


@pytest.fixture(scope="module")
def recorded():
    P, _, reward, _ = random_world(4)
    policy = mdp.uniform_policy(5, 3)
    rng = np.random.default_rng(0)
    states, actions = mdp.sample_trajectories(P, policy, rng, n=200, horizon=100)
    one_hot = np.eye(5, dtype=np.float32)[states]
    return P, policy, reward, states, trajectories.from_trajectories(one_hot, actions)


def test_the_loss_is_the_double_loop(recorded):
    learner = discrete(batch_size=6)
    batch, state, (value, _) = first_loss(learner, recorded[-1], jax.random.key(3))
    weights = only_seed(state.params["critic"])
    anchor, expected = (batch.state, batch.action), 0.0
    softmax = dataclasses.replace(learner, contrast=info_nce)

    @jax.jit
    def parts(params):
        f = learner.critic.apply(weights, anchor, batch.goal, method="pairwise")
        return f, softmax.critic_loss(params, state, batch, jax.random.key(0))

    f, picked_loss = map(np.asarray, parts(state.params))
    for i in range(6):
        for j in range(6):
            p = 1 / (1 + np.exp(-f[i, j]))
            expected -= np.log(p) / 6 if i == j else np.log(1 - p) / 30
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    picked = [f[i, i] - np.log(np.exp(f[i]).sum()) for i in range(6)]
    np.testing.assert_allclose(picked_loss, -np.mean(picked), rtol=1e-5)


def test_one_model_learns_the_values_of_any_reward(recorded):
    P, policy, reward, states, data = recorded
    learner = discrete(batch_size=128, learning_rate=0.003, normalise=True)
    state = only_seed(train(learner, data, jax.random.key(0), steps=600, log_every=600)[0])
    marginal = jnp.asarray(np.bincount(states[:, 1:].ravel(), minlength=5) / states[:, 1:].size)
    everyone = jnp.eye(5)
    values = jax.jit(lambda r: learner.action_values(state.params, everyone, everyone, r, marginal))
    for r in (reward, -reward, np.eye(5)[2]):
        Q = values(r.astype(np.float32))
        exact = by_backups(P, policy, r, GAMMA, 200)
        assert np.abs(Q - exact).mean() < 0.4 * exact.std()
        assert np.corrcoef(np.ravel(Q), exact.ravel())[0, 1] > 0.9


@pytest.fixture(scope="module")
def two_critics():
    """Tables of two critics, rewards of both signs, and what each critic says by itself."""
    rng = np.random.default_rng(0)
    phi, psi = rng.normal(size=(2, 15, 4)), rng.normal(size=(2, 5, 4))
    reward = np.array([-3.0, 1.0, 0.5, -2.0, -1.0])
    marginal = np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    f = np.einsum("kpd,kxd->kpx", phi, psi).reshape(2, 5, 3, 5)
    params = jax.tree.map(np.float32, {"critic": {"params": {"phi": phi, "psi": psi}}})
    return params, f, jnp.asarray(reward), jnp.asarray(marginal)


def by_loops(f, reward, marginal, gamma, normalise):
    Q = np.zeros(f.shape[:-1])
    for row in np.ndindex(Q.shape):
        weights = [np.exp(f[row][j]) * marginal[j] for j in range(len(reward))]
        total = sum(weights) if normalise else 1.0
        Q[row] = sum(w * r for w, r in zip(weights, reward, strict=True)) / total / (1 - gamma)
    return Q


@pytest.mark.parametrize("normalise", [False, True])
def test_the_smaller_of_two_critics_is_the_smaller_value(two_critics, normalise):
    # Where rewards are negative the smaller ratio makes the larger value.
    params, f, reward, marginal = two_critics
    learner = CVL(
        gamma=GAMMA, actor=None, actions=3, critic=EmbeddingCritic(5, 3, 4), ensemble=2,
        normalise=normalise,
    )  # fmt: skip
    state = jnp.asarray(np.repeat(np.arange(5), 3))  # each pair once
    action = jnp.asarray(np.tile(np.arange(3), 5))
    batch = RewardedFutures(
        state=state, action=jnp.zeros_like(action), next_state=state,
        goal=state, next_goal=state, candidate=jnp.arange(5), reward=reward,
    )  # fmt: skip

    @jax.jit
    def both(params):
        everyone = jnp.arange(5)
        return (
            learner.action_values(params, everyone, everyone, reward, marginal),
            learner.task_value(params, batch, action),
        )

    Q, seen = both(params)
    each = by_loops(f, reward, marginal, GAMMA, normalise)
    assert 0.2 < (each[0] < each[1]).mean() < 0.8  # either critic is the smaller one somewhere
    np.testing.assert_allclose(Q, np.minimum(*each), rtol=1e-4, atol=1e-4)
    each = by_loops(f, reward, np.full(5, 0.2), GAMMA, normalise)
    np.testing.assert_allclose(seen, np.minimum(*each).ravel(), rtol=1e-4, atol=1e-4)


def continuous(**options):
    critic = InnerProductCritic(MLP((16, 4)), MLP((16, 4)))
    actor = TanhGaussianPolicy(1, widths=(16,))
    return CVL(gamma=0.5, actor=actor, critic=critic, **options)


@pytest.fixture(scope="module")
def drift():
    """One step that moves by the action; arriving far right is rewarded."""
    rng = np.random.default_rng(0)
    start = rng.uniform(-0.2, 0.2, size=(500, 1, 1))
    action = rng.uniform(-0.9, 0.9, size=(500, 2, 1))
    states = np.concatenate([start, start + action[:, :1]], axis=1).astype(np.float32)
    data = trajectories.from_trajectories(states, action.astype(np.float32))
    return data, jnp.asarray(states[..., 0].ravel() > 0.4, jnp.float32)


def test_the_actor_is_trained_on_draws_from_the_marginal(drift):
    learner = continuous(batch_size=5, bc=0.3)
    key = jax.random.key(3)
    batch, state, (_, metrics) = first_loss(learner, drift, key)
    assert isinstance(batch, RewardedFutures)
    np.testing.assert_array_equal(batch.reward, batch.candidate[:, 0] > 0.4)
    assert not np.allclose(batch.candidate, batch.goal)
    nothing = jnp.zeros_like(batch.goal)
    weights = only_seed(state.params["critic"])

    @jax.jit
    def by_parts(key):
        action, _ = learner.propose(state.params, batch.state, nothing, key)
        logits = learner.critic.apply(
            weights, (batch.state, action), batch.candidate, method="pairwise"
        )
        told = (batch.state, nothing, batch.action)
        return logits, learner.actor.apply(state.params["actor"], *told, method="log_prob")

    f, log_prob = map(np.asarray, by_parts(jax.random.split(key)[1]))
    q = 0.0
    reward = np.asarray(batch.reward)
    for i in range(5):
        for j in range(5):
            q += np.exp(f[i, j]) * reward[j] / (5 * 5 * (1 - 0.5))
    np.testing.assert_allclose(metrics["actor"], -0.7 * q - 0.3 * log_prob.mean(), rtol=1e-4)


def test_rewarded_batches_keep_the_learners_discount_tail_and_entries():
    rows = np.arange(400).reshape(20, 20)
    data = trajectories.from_trajectories(
        np.stack([rows, -rows], axis=-1).astype(np.float32), rows[..., None].astype(np.float32)
    )
    rewards = jnp.arange(400.0)
    learner = dataclasses.replace(
        continuous(batch_size=16), gamma=0.9, tail="clip", goal_entries=(1,)
    )

    @jax.jit
    def draw(key):
        ours = learner.batch((data, rewards), key)
        return ours, rewarded_futures(data, rewards, key, 16, 0.9, "clip", (1,))

    jax.tree.map(np.testing.assert_array_equal, *draw(jax.random.key(0)))


def test_the_actors_loss_leaves_the_model_alone(drift):
    learner = continuous(batch_size=5, bc=0.3)
    batch, state, _ = first_loss(learner, drift, jax.random.key(3))
    gradient = jax.jit(jax.grad(learner.extract))(state.params, batch, jax.random.key(0))
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(gradient["critic"]))
    assert any((leaf != 0).any() for leaf in jax.tree.leaves(gradient["actor"]))


def test_the_actor_goes_where_the_reward_is_and_ignores_commands(drift):
    learner = continuous(batch_size=32, learning_rate=5e-3, bc=0.05)
    state = only_seed(train(learner, drift, jax.random.key(0), steps=200, log_every=200)[0])
    observation, key = jnp.zeros(1), jax.random.key(0)
    act = jax.jit(lambda goal: learner.act(state, observation, goal, (), key, 0.0))
    action, carry = act(observation - 1)
    told_otherwise, _ = act(observation + 1)
    assert carry == ()
    np.testing.assert_array_equal(action, told_otherwise)
    assert float(action[0]) > 0.4
