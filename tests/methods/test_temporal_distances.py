"""CMD: distances read off contrastive critics, against exact tables and loops from equations."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.losses.contrastive import info_nce
from goalward.methods import temporal_distances as method
from goalward.nets.critics import TableCritic
from goalward.nets.mlp import MLP
from goalward.nets.quasimetric import MRNCritic
from goalward.protocol import Learner
from goalward.tabular import distances, mdp, paths
from goalward.tabular.successor import state_successor_measure
from goalward.training.loop import fresh_states, train
from states import only_seed

COUNTED = jax.jit(jax.value_and_grad(method.counted_info_nce), static_argnums=2)
WRITTEN_OUT = jax.jit(
    jax.value_and_grad(lambda t, s, g, axis: info_nce(t[s[:, None], g[None, :]], axis)),
    static_argnums=3,
)


def table_of(states, **settings):
    critic = TableCritic(states, states)
    return method.StateContrast(critic, lambda s: s, states, **settings)


@given(seed=st.integers(0, 10_000), gamma=st.floats(0.3, 0.97))
@settings(max_examples=30, deadline=None)
def test_the_change_of_variables_of_the_best_critic_is_the_exact_successor_distance(seed, gamma):
    rng = np.random.default_rng(seed)
    P, policy = mdp.random_mdp(rng, 5, 3, 0.2), rng.dirichlet(np.ones(3), size=5)
    measure = state_successor_measure(P, policy, gamma, start="current")
    critic = method.optimal_critic(measure, rng.dirichlet(np.ones(5)))
    d = method.change_of_variables(critic)
    np.testing.assert_allclose(d, distances.successor_distance(P, policy, gamma), atol=1e-7)
    # Any term in the goal cancels, and a term in the state does not.
    np.testing.assert_allclose(method.change_of_variables(critic + rng.normal(size=5)), d)
    shifted = method.change_of_variables(critic + np.arange(5.0)[:, None])
    np.testing.assert_allclose(shifted - d, np.arange(5.0)[None, :] - np.arange(5.0)[:, None])


def test_the_best_critic_of_two_states_by_pencil():
    measure, marginal = np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0.25, 0.75])
    expected = np.log([[2, 2 / 3], [1e-300, 4 / 3]])
    got = method.optimal_critic(measure, marginal)
    np.testing.assert_allclose(got[measure > 0], expected[measure > 0])
    assert got[1, 0] == -np.inf


@given(seed=st.integers(0, 10_000), batch=st.integers(2, 12))
@settings(max_examples=20, deadline=None)
def test_counting_a_batch_is_the_same_as_writing_it_out(seed, batch):
    rng = np.random.default_rng(seed)
    table = jnp.asarray(rng.normal(size=(4, 4)), jnp.float32)
    s, g = rng.integers(4, size=(2, 12))
    s[batch:], g[batch:] = s[0], g[0]  # equal shapes share their compiled code
    counts = np.zeros((4, 4), np.float32)
    np.add.at(counts, (s, g), 1)
    for axis in (0, 1):
        got, slope = COUNTED(table, counts, axis)
        expected, slope_expected = WRITTEN_OUT(table, s, g, axis)
        np.testing.assert_allclose(got, expected, atol=1e-5)
        np.testing.assert_allclose(slope, slope_expected, atol=1e-5)


def test_the_learners_loss_is_symmetric_infonce_of_potential_less_metric():
    encoder, potential = MLP((8, 6)), nn.Dense(1, use_bias=False)
    codes = jnp.eye(3)
    critic = method.PotentialCritic(MRNCritic(encoder), potential)
    learner = method.StateContrast(critic, lambda s: jax.nn.one_hot(s, 3), 3, rows=0.5)

    @jax.jit
    def parts(key):
        state = learner.init(key, jnp.zeros((3, 3)))
        inside = state.params["params"]
        z = encoder.apply({"params": inside["critic"]["encoder"]}, codes)
        c = potential.apply({"params": inside["potential"]}, codes)[:, 0]
        return state, z, c, learner.logits(state.params)

    state, z, c, got = jax.tree.map(np.asarray, parts(jax.random.key(0)))
    table = np.zeros((3, 3))
    for s in range(3):
        for g in range(3):
            # The first half of an encoding is one-way, the second a norm.
            table[s, g] = c[g] - max(0.0, (z[s, :3] - z[g, :3]).max())
            table[s, g] -= np.linalg.norm(z[s, 3:] - z[g, 3:])
    np.testing.assert_allclose(got, table, atol=1e-5)
    pairs = [(0, 0), (0, 1), (0, 1), (1, 2), (2, 2)]
    counts = np.zeros((3, 3), np.float32)
    for s, g in pairs:
        counts[s, g] += 1
    logits = np.array([[table[s, g] for _, g in pairs] for s, _ in pairs])
    picked = [
        np.mean([x[i] - np.log(np.exp(x).sum()) for i, x in enumerate(m)])
        for m in (logits, logits.T)
    ]

    @jax.jit
    def losses(state):
        return [
            replace(learner, rows=rows).loss(state.params, state, counts, jax.random.key(0))[0]
            for rows in (0.5, 1.0, 0.0)
        ]

    expected = [-np.mean(picked), -picked[0], -picked[1]]
    np.testing.assert_allclose(losses(state), expected, atol=1e-5)


@pytest.mark.parametrize("first", [0, 1])
def test_pairs_are_states_and_their_futures_so_far_ahead_as_the_discount_says(first):
    gamma, steps, n = 0.7, 40, 200_000
    walks = np.tile(np.arange(steps + 1), (3, 1))  # the state is the time
    learner = table_of(steps + 1, gamma=gamma, batch_size=n, first=first, anchors=0.5)
    assert isinstance(learner, Learner)
    counts = np.asarray(jax.jit(learner.batch)(walks, jax.random.key(0)))
    assert counts.sum() == n
    s, g = np.nonzero(counts)
    assert s.max() == steps // 2 - 1
    assert (g - s).min() == first
    np.testing.assert_allclose(counts.sum(1)[: steps // 2], 2 * n / steps, rtol=0.05)
    ahead = np.array([np.trace(counts, k) for k in range(first, first + 8)]) / n
    np.testing.assert_allclose(ahead, (1 - gamma) * gamma ** np.arange(8), atol=0.006)


def test_near_the_end_of_a_walk_the_future_is_renormalised():
    walks = np.array([[0, 1, 2]])
    learner = table_of(3, gamma=0.5, batch_size=100_000)
    counts = np.asarray(jax.jit(learner.batch)(walks, jax.random.key(1)))
    p = counts / counts.sum(1, keepdims=True).clip(1)
    np.testing.assert_allclose(p[0], [4 / 7, 2 / 7, 1 / 7], atol=0.01)
    np.testing.assert_allclose(p[1], [0, 2 / 3, 1 / 3], atol=0.01)
    assert counts[2].sum() == 0  # no anchor without a step left


def test_a_table_learns_the_distance_from_any_start_but_not_by_the_forward_loss():
    rng, n, gamma, steps = np.random.default_rng(1), 5, 0.7, 1000
    P = mdp.random_mdp(rng, n, 1, concentration=1.0)
    walks = mdp.sample_trajectories(P, np.ones((n, 1)), rng, 4000, 40)[0]
    exact = distances.successor_distance(P, np.ones((n, 1)), gamma)
    cosine = optax.scale_by_schedule(optax.cosine_decay_schedule(1.0, steps))
    shared = {
        "gamma": gamma,
        "batch_size": 256,
        "learning_rate": 0.03,
        "anchors": 0.5,
        "transform": optax.chain(optax.scale_by_adam(), cosine),
    }
    offsets = np.linspace(-1.5, 1.5, n, dtype=np.float32)[None, :, None]
    errors, learned = {}, {}
    for rows, first in ((0.5, 0), (1.0, 0), (0.5, 1)):
        learner = table_of(n, rows=rows, first=first, **shared)
        state = fresh_states(learner, walks, jax.random.key(0))
        params = jax.tree.map(lambda t: np.asarray(t) + offsets, state.params)
        state = train(learner, walks, jax.random.key(0), steps, states=state.replace(params=params))
        table = np.asarray(jax.jit(learner.logits)(only_seed(state[0].params)))
        learned[rows, first] = table
        errors[rows, first] = np.abs(method.change_of_variables(table) - exact).mean()
    assert errors[0.5, 0] < 0.05
    assert errors[1.0, 0] > 0.5
    assert errors[0.5, 1] > 0.3
    # Nothing pulls the forward logits' rows back; what Adam lets them drift is the same in all.
    drift = learned[1.0, 0].mean(1) - offsets[0, :, 0]
    assert np.ptp(drift) < 0.3 * np.ptp(offsets)
    assert np.ptp(learned[0.5, 0].mean(1)) < 0.3 * np.ptp(offsets)


def test_distillation_by_loops_and_where_its_gradients_go():
    rng = np.random.default_rng(3)
    d, logits, own = rng.normal(2, 1, (4, 4)), rng.normal(size=(4, 4)), rng.normal(2, 1, 4)
    weight, margin = 0.7, 0.3
    above = below = 0.0
    slope = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            gap = d[i, j] - (own[j] - logits[i, j])
            if i == j:
                above += max(0.0, gap) ** 2 / 4
                slope[i, j] = 2 * max(0.0, gap) / 4
            else:
                below += max(0.0, -gap) ** 2 / 16
                slope[i, j] = -2 * max(0.0, -gap) / 16 / weight
    assert above > 0.01
    assert below > 0.01
    arrays = [np.float32(x) for x in (d, logits, own, weight)]
    metric, dual = jax.jit(method.distillation, static_argnums=4)(*arrays, margin)
    np.testing.assert_allclose(metric, above + below / weight, rtol=1e-5)
    np.testing.assert_allclose(dual, weight * (margin - above), rtol=1e-5)

    def total(d, logits, own, weight):
        return sum(method.distillation(d, logits, own, weight, margin))

    got = jax.tree.map(np.asarray, jax.jit(jax.grad(total, argnums=(0, 1, 2, 3)))(*arrays))
    np.testing.assert_allclose(got[0], slope, atol=1e-6)
    assert not got[1].any()
    assert not got[2].any()
    np.testing.assert_allclose(got[3], margin - above, rtol=1e-5)


def test_a_potential_and_a_metric_hold_the_triangle_inequality_whatever_the_weights():
    critic = method.PotentialCritic(MRNCritic(MLP((8, 8))), nn.Dense(1))
    learner = method.StateContrast(critic, lambda s: jax.nn.one_hot(s, 6), 6)

    @jax.jit
    def distance(key):
        params = learner.init(key, jnp.zeros((6, 6))).params
        params = jax.tree.map(lambda leaf: 3 * leaf + 1, params)
        return method.change_of_variables(learner.logits(params))

    for seed in range(3):
        d = np.asarray(distance(jax.random.key(seed)), np.float64)
        assert paths.triangle_violation(d) < 1e-4
        assert d.min() > -1e-4
        assert np.abs(d - d.T).max() > 0.1
