"""Example-based control: its values against exact probabilities, its parts against loops."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.data import trajectories
from goalward.methods import laeo
from goalward.methods.laeo import LAEO, best_example, log_mean_exp, mean_log
from goalward.nets.action_heads import ActionHeadsCritic
from goalward.nets.critics import InnerProductCritic
from goalward.nets.mlp import MLP
from goalward.nets.policies import TanhGaussianPolicy
from goalward.tabular import dynamic_programming, mdp, successor
from goalward.training.loop import train
from states import only_seed

GAMMA = 0.8


def random_task(seed, states=5, actions=3):
    """A world, a policy, the data's marginal, and the chance that each state is a success."""
    rng = np.random.default_rng(seed)
    P = mdp.random_mdp(rng, states, actions, concentration=0.7)
    policy = rng.dirichlet(np.ones(actions), size=states)
    return P, policy, rng.dirichlet(np.ones(states)), rng.uniform(size=states)


def stops_in_success(P, policy, chance, gamma, rounds=400):
    """Walk, stop after each step with probability 1 - gamma: how often is that a success?"""
    Q = np.zeros(P.shape[:2])
    for _ in range(rounds):
        for s in range(len(P)):
            for a in range(P.shape[1]):
                V = (policy * Q).sum(axis=1)
                Q[s, a] = P[s, a] @ ((1 - gamma) * chance + gamma * V)
    return Q


@given(seed=st.integers(0, 10_000), gamma=st.sampled_from([0.0, 0.5, 0.8]))
def test_the_exact_log_ratio_gives_the_probability_of_success(seed, gamma):
    P, policy, marginal, chance = random_task(seed, states=4, actions=2)
    prior = chance @ marginal
    examples = chance * marginal / prior  # what success examples look like, by Bayes
    log_ratio = np.log(successor.successor_measure(P, policy, gamma)) - np.log(marginal)
    Q = prior * np.exp(log_mean_exp(log_ratio, examples))
    np.testing.assert_allclose(Q, stops_in_success(P, policy, chance, gamma, 100), atol=1e-8)


def test_it_is_the_value_of_an_implicit_reward():
    P, policy, marginal, chance = random_task(3)
    examples = chance * marginal / (chance @ marginal)
    log_ratio = np.log(successor.successor_measure(P, policy, GAMMA)) - np.log(marginal)
    reward = (1 - GAMMA) * examples / marginal
    exact, _ = dynamic_programming.policy_evaluation(P, policy, P @ reward, GAMMA)
    np.testing.assert_allclose(np.exp(log_mean_exp(log_ratio, examples)), exact, rtol=1e-10)


@given(seed=st.integers(0, 10_000))
def test_aggregates_against_loops(seed):
    rng = np.random.default_rng(seed)
    logits, weights = rng.normal(size=(2, 3, 4)), rng.dirichlet(np.ones(4))
    means, logs, largest = log_mean_exp(logits), mean_log(logits), best_example(logits)
    weighted, weighted_logs = log_mean_exp(logits, weights), mean_log(logits, weights)
    for i in range(2):
        for j in range(3):
            row = logits[i, j]
            np.testing.assert_allclose(means[i, j], np.log(sum(np.exp(x) for x in row) / 4))
            np.testing.assert_allclose(logs[i, j], sum(row) / 4)
            assert largest[i, j] == max(row)
            total = sum(w * np.exp(x) for w, x in zip(weights, row, strict=True))
            np.testing.assert_allclose(weighted[i, j], np.log(total))
            np.testing.assert_allclose(weighted_logs[i, j], weights @ row)
    assert (logs <= means + 1e-12).all()
    assert (means <= largest + 1e-12).all()
    assert (weighted_logs <= weighted + 1e-12).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("array", [np.array, jnp.array])
def test_impossible_examples_and_large_logits(array):
    inf = np.inf
    rows = [[-inf, -inf], [-inf, 0.0], [1000.0, 0.0], [2000.0, 1999.0], [-2000.0, -1999.0]]
    close = np.log((1 + np.exp(-1)) / 2)
    expected = [-inf, np.log(0.5), 1000 - np.log(2), 2000 + close, -1999 + close]
    np.testing.assert_allclose(log_mean_exp(array(rows)), expected, rtol=1e-6)
    np.testing.assert_allclose(log_mean_exp(array(rows[2])), expected[2], rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("array", [np.array, jnp.array])
@pytest.mark.parametrize("beside", [1000.0, -np.inf])
def test_an_example_without_weight_has_no_say(array, beside):
    logits, weights = array([[beside, 1.0, 3.0]]), array([0.0, 0.25, 0.75])
    mean = np.log(0.25 * np.exp(1.0) + 0.75 * np.exp(3.0))
    np.testing.assert_allclose(log_mean_exp(logits, weights), mean, rtol=1e-6)
    np.testing.assert_allclose(mean_log(logits, weights), 2.5, rtol=1e-6)
    np.testing.assert_allclose(best_example(logits, weights), 3.0)


def test_the_smaller_of_two_critics_scores_counts_for_few_actions():
    learner = LAEO(
        gamma=GAMMA,
        actor=None,
        actions=3,
        critic=ActionHeadsCritic(3, MLP((3 * 2,)), MLP((2,))),
        ensemble=2,
    )
    states, examples = jnp.asarray(np.eye(5)[:4]), jnp.asarray(np.eye(5)[2:])
    data = trajectories.from_trajectories(np.eye(5)[None, :4], np.zeros((1, 4), int))

    @jax.jit
    def both(key):
        params = learner.init(key, learner.batch(data, key)).params
        own = [jax.tree.map(lambda leaf, k=k: leaf[k], params["critic"]) for k in (0, 1)]
        anchors = jnp.repeat(states, 3, axis=0), jnp.tile(jnp.arange(3), 4)
        logits = [learner.critic.apply(p, anchors, examples, method="pairwise") for p in own]
        return learner.action_values(params, states, examples), logits

    got, logits = jax.tree.map(np.asarray, both(jax.random.key(1)))
    scores = np.log(np.exp(logits).mean(axis=2)).reshape(2, 4, 3)
    np.testing.assert_allclose(got, scores.min(axis=0), rtol=1e-4, atol=1e-6)
    for wrong in (scores[0], scores[1], scores.max(axis=0), scores.mean(axis=0)):
        assert np.abs(got - wrong).max() > 1e-3


@partial(jax.jit, static_argnums=0)
def first_loss(learner, data, key):
    """A batch, the state before any update, and the loss: compiled as one."""
    batch = learner.batch(data, jax.random.key(1))
    state = learner.init(jax.random.key(2), batch)
    return batch, state, learner.loss(state.params, state, batch, key)


def test_the_learned_model_finds_the_probabilities_of_success():
    P, _, _, _ = random_task(4)
    policy = mdp.uniform_policy(5, 3)
    states, actions = mdp.sample_trajectories(P, policy, np.random.default_rng(0), 200, 100)
    data = trajectories.from_trajectories(np.eye(5, dtype=np.float32)[states], actions)
    critic = ActionHeadsCritic(3, MLP((3 * 8,)), MLP((8,)))
    learner = LAEO(
        gamma=GAMMA, actor=None, actions=3, critic=critic, batch_size=128, learning_rate=0.003
    )
    state = only_seed(train(learner, data, jax.random.key(0), steps=600, log_every=600)[0])
    marginal = np.bincount(states[:, 1:].ravel(), minlength=5) / states[:, 1:].size
    success = np.array([0, 1, 0, 1, 0])
    everyone = np.eye(5, dtype=np.float32)
    examples = everyone[np.repeat([1, 3], [50, int(50 * marginal[3] / marginal[1])])]
    scores = jax.jit(learner.action_values)(state.params, everyone, examples)
    exact = stops_in_success(P, policy, success, GAMMA, 100)
    learned = (marginal @ success) * np.exp(np.asarray(scores))
    assert np.abs(learned - exact).mean() < 0.4 * exact.std()
    assert np.corrcoef(learned.ravel(), exact.ravel())[0, 1] > 0.9


def continuous(**options):
    critic = InnerProductCritic(MLP((16, 4)), MLP((16, 4)))
    actor = TanhGaussianPolicy(1, widths=(16,))
    return LAEO(gamma=0.5, actor=actor, critic=critic, **options)


@pytest.fixture(scope="module")
def drift():
    """One step that moves by the action; the examples lie far right."""
    rng = np.random.default_rng(0)
    start = rng.uniform(-0.2, 0.2, size=(500, 1, 1))
    action = rng.uniform(-0.9, 0.9, size=(500, 2, 1))
    states = np.concatenate([start, start + action[:, :1]], axis=1).astype(np.float32)
    data = trajectories.from_trajectories(states, action.astype(np.float32))
    return data, jnp.linspace(0.5, 0.9, 7)[:, None]


def test_the_actor_raises_the_smaller_of_the_critics_scores(drift):
    learner = continuous(batch_size=5, ensemble=2)
    key = jax.random.key(3)
    examples = jnp.linspace(-2.0, 2.0, 7)[:, None]  # so wide that the critics change places
    batch, state, (_, metrics) = first_loss(learner, (drift[0], examples), key)
    assert isinstance(batch, laeo.ExampleFutures)
    np.testing.assert_array_equal(batch.examples, examples)
    nothing = jnp.zeros_like(batch.goal)

    @jax.jit
    def by_parts(key):
        action, _ = learner.propose(state.params, batch.state, nothing, key)
        logits = [
            learner.critic.apply(
                jax.tree.map(lambda leaf, k=k: leaf[k], state.params["critic"]),
                (batch.state, action),
                batch.examples,
                method="pairwise",
            )
            for k in range(2)
        ]
        told = (batch.state, nothing, batch.action)
        return logits, learner.actor.apply(state.params["actor"], *told, method="log_prob")

    logits, log_prob = jax.tree.map(np.asarray, by_parts(jax.random.split(key)[1]))
    assert 0 < np.mean(logits[0] < logits[1]) < 1
    score = 0.0
    for i in range(5):
        rows = [table[i] for table in logits]
        score += min(np.log(np.exp(row).sum() / 7) for row in rows) / 5
    expected = -0.5 * score - 0.5 * np.mean(log_prob)
    np.testing.assert_allclose(metrics["actor"], expected, rtol=1e-4, atol=1e-5)


def test_the_actor_goes_to_the_examples(drift):
    learner = continuous(batch_size=32, learning_rate=5e-3, bc=0.05)
    state = only_seed(train(learner, drift, jax.random.key(0), steps=200, log_every=200)[0])
    place, key = jnp.zeros(1), jax.random.key(0)
    act = jax.jit(lambda goal: learner.act(state, place, goal, (), key, 0.0))
    action, carry = act(place - 1)
    assert carry == ()
    np.testing.assert_array_equal(action, act(place + 1)[0])
    assert float(action[0]) > 0.3
