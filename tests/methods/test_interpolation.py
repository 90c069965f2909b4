"""The chain against the exact joint Gaussian, the loss against a double loop and its optimum."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.losses.contrastive import info_nce, symmetric_info_nce
from goalward.methods.interpolation import (
    GaussMarkov,
    TemporalContrastive,
    cayley,
    dual_norm_penalty,
    nearest,
    temporal_logits,
)
from goalward.nets.mlp import MLP
from goalward.protocol import Learner
from goalward.training.loop import train

seeds = st.integers(0, 10_000)


def random_matrix(rng, d, size=0.9):
    """Not symmetric, not normal, spectral norm `size`."""
    A = rng.normal(size=(d, d))
    return size * A / np.linalg.norm(A, 2)


def simulate_covariance(A, c, n):
    """Covariance of psi_0, ..., psi_n for psi_0 ~ N(0, cI) and psi' = F psi + noise, by recursion.

    Written as one linear map of independent noises, so that no precision matrix enters.
    """
    d, F = len(A), c / (c + 1) * A
    rows = [np.hstack([np.sqrt(c) * np.eye(d), np.zeros((d, n * d))])]
    for i in range(1, n + 1):
        row = F @ rows[-1]
        row[:, i * d : (i + 1) * d] += np.sqrt(c / (c + 1)) * np.eye(d)
        rows.append(row)
    noise_to_chain = np.vstack(rows)
    return noise_to_chain @ noise_to_chain.T


def condition(cov, wanted, given_at, value):
    """Mean and covariance of some coordinates of a centred Gaussian given others."""
    gain = cov[np.ix_(wanted, given_at)] @ np.linalg.inv(cov[np.ix_(given_at, given_at)])
    return gain @ value, cov[np.ix_(wanted, wanted)] - gain @ cov[np.ix_(given_at, wanted)]


@given(seeds, st.integers(1, 4), st.integers(1, 6), st.floats(0.2, 20))
def test_waypoints_are_the_exact_conditional(seed, d, n, c):
    rng = np.random.default_rng(seed)
    A, start, end = random_matrix(rng, d, 1.3), rng.normal(size=d), rng.normal(size=d)
    cov = simulate_covariance(A, c, n + 1)
    at = np.arange(len(cov))
    ends = np.r_[at[:d], at[-d:]]
    mean, posterior = condition(cov, at[d:-d], ends, np.r_[start, end])
    got_mean, got_cov = GaussMarkov(A, c).waypoints(start, end, n)
    np.testing.assert_allclose(got_mean.ravel(), mean, atol=1e-8)
    np.testing.assert_allclose(got_cov, posterior, atol=1e-8)


@given(seeds, st.integers(1, 4), st.floats(0.2, 20))
def test_prediction_and_retrodiction_are_the_exact_conditionals(seed, d, c):
    rng = np.random.default_rng(seed)
    chain, value = GaussMarkov(random_matrix(rng, d, 1.3), c), rng.normal(size=d)
    cov = simulate_covariance(chain.A, c, 1)
    past, future = np.arange(d), np.arange(d, 2 * d)
    for got, exact in (
        (chain.predict(value), condition(cov, future, past, value)),
        (chain.retrodict(value), condition(cov, past, future, value)),
    ):
        np.testing.assert_allclose(got[0], exact[0], atol=1e-8)
        np.testing.assert_allclose(got[1], exact[1], atol=1e-8)


def test_one_waypoint_is_the_formula_for_one():
    rng = np.random.default_rng(3)
    A, c, start, end = random_matrix(rng, 3), 2.0, rng.normal(size=3), rng.normal(size=3)
    cov = np.linalg.inv((c + 1) / c * np.eye(3) + c / (c + 1) * A.T @ A)
    mean, got = GaussMarkov(A, c).waypoints(start, end, 1)
    np.testing.assert_allclose(mean[0], cov @ (A @ start + A.T @ end), atol=1e-12)
    np.testing.assert_allclose(got, cov, atol=1e-12)


@given(seeds, st.integers(1, 4), st.integers(1, 9), st.floats(0.5, 50))
def test_the_linear_time_smoother_is_the_dense_solve(seed, d, n, c):
    rng = np.random.default_rng(seed)
    chain = GaussMarkov(random_matrix(rng, d, 1.2), c)
    start, end = rng.normal(size=(2, 3, d))
    mean, cov = chain.waypoints(start, end, n)
    smooth_mean, smooth_cov = chain.smooth(start, end, n)
    np.testing.assert_allclose(smooth_mean, mean, atol=1e-9)
    blocks = cov.reshape(n, d, n, d)
    np.testing.assert_allclose(smooth_cov, [blocks[i, :, i] for i in range(n)], atol=1e-9)


def test_samples_have_the_posterior_moments():
    rng = np.random.default_rng(0)
    chain = GaussMarkov(random_matrix(rng, 2), 3.0)
    start, end = rng.normal(size=(2, 2))
    mean, cov = chain.waypoints(start, end, 3)
    paths = chain.sample(rng.normal(size=(200_000, 3, 2)), start, end)
    np.testing.assert_allclose(paths.mean(0), mean, atol=0.01)
    np.testing.assert_allclose(np.cov(paths.reshape(len(paths), -1).T), cov, atol=0.02)


def test_identity_and_weak_constraint_give_the_straight_line():
    rng = np.random.default_rng(1)
    start, end = rng.normal(size=(2, 3))
    mean, _ = GaussMarkov(np.eye(3), 1e6).waypoints(start, end, 9)
    line = start + np.arange(1, 10)[:, None] / 10 * (end - start)
    np.testing.assert_allclose(mean, line, atol=1e-7)


def test_the_consistent_pair_keeps_its_marginal():
    rng = np.random.default_rng(2)
    Q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    rho = 0.9
    chain = GaussMarkov(Q / rho, rho**2 / (1 - rho**2))
    mean_map, cov = chain.predict(np.eye(4))
    np.testing.assert_allclose(
        chain.c * mean_map.T @ mean_map + cov, chain.c * np.eye(4), atol=1e-12
    )
    np.testing.assert_allclose(chain.consistency, 1, atol=1e-12)
    assert GaussMarkov(1.5 * Q, chain.c).consistency == pytest.approx(1.5 * 0.9)


def test_jax_and_numpy_agree_and_batches_are_rows():
    rng = np.random.default_rng(5)
    A, start, end = random_matrix(rng, 3), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    exact = GaussMarkov(A, 2.0)
    chain = GaussMarkov(jnp.asarray(A), jnp.asarray(2.0))
    for method in ("waypoints", "smooth"):
        mean, cov = jax.jit(getattr(chain, method), static_argnums=2)(
            jnp.asarray(start), jnp.asarray(end), 5
        )
        want_mean, want_cov = getattr(exact, method)(start, end, 5)
        np.testing.assert_allclose(mean, want_mean, atol=1e-5)
        np.testing.assert_allclose(cov, want_cov, atol=1e-5)
        row, _ = getattr(exact, method)(start[2], end[2], 5)
        np.testing.assert_allclose(row, want_mean[2], atol=1e-12)


def test_no_waypoints_is_an_error_that_says_so():
    chain = GaussMarkov(np.eye(2), 1.0)
    for method in (chain.waypoints, chain.smooth):
        with pytest.raises(ValueError, match="at least 1"):
            method(np.zeros(2), np.zeros(2), 0)


def test_logits_are_the_double_loop_with_half_and_sum():
    rng = np.random.default_rng(0)
    past, future = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    A = random_matrix(rng, 3)
    slow = [[-0.5 * sum((A @ p - f)[k] ** 2 for k in range(3)) for f in future] for p in past]
    got = temporal_logits(*map(jnp.asarray, (past, future, A)))
    np.testing.assert_allclose(got, slow, atol=1e-5)


@given(seeds)
def test_cayley_is_a_rotation_by_the_closed_form(seed):
    X = np.random.default_rng(seed).normal(size=(4, 4))
    S = X - X.T
    Q = np.asarray(cayley(jnp.asarray(X)), float)
    np.testing.assert_allclose(Q @ Q.T, np.eye(4), atol=1e-4)
    np.testing.assert_allclose(Q, (np.eye(4) + S) @ np.linalg.inv(np.eye(4) - S), atol=1e-4)
    assert np.linalg.det(Q) == pytest.approx(1, abs=1e-3)


def test_dual_penalty_pulls_codes_in_and_raises_the_multiplier_only_above_c():
    codes, multiplier = 2.0 * jnp.ones((6, 3)), jnp.asarray(0.5)
    to_codes, to_multiplier = jax.grad(dual_norm_penalty, (0, 1))(codes, multiplier, 1.0)
    np.testing.assert_allclose(to_codes, np.exp(0.5) * 2 * codes / codes.size, rtol=1e-5)
    assert float(to_multiplier) == pytest.approx(1.0 - 4.0)
    assert float(jax.grad(dual_norm_penalty, 1)(codes, multiplier, 9.0)) == pytest.approx(5.0)


def test_nearest_is_the_brute_force_search():
    rng = np.random.default_rng(0)
    bank, queries = rng.normal(size=(50, 3)), rng.normal(size=(7, 2, 3))
    slow = np.linalg.norm(queries[:, :, None] - bank, axis=-1).argmin(-1)
    np.testing.assert_array_equal(nearest(jnp.asarray(bank), jnp.asarray(queries)), slow)


def test_far_from_the_origin_differences_survive():
    """Codes 1,000 away, 0.02 apart."""
    bank = 1000 + 0.02 * np.random.default_rng(0).normal(size=(200, 3))
    queries = bank[::7] + 0.001
    got = nearest(jnp.asarray(bank), jnp.asarray(queries))
    slow = np.linalg.norm(np.float32(queries)[:, None] - np.float32(bank), axis=-1).argmin(-1)
    np.testing.assert_array_equal(got, slow)
    logits = temporal_logits(*map(jnp.asarray, (queries, bank[:5], np.eye(3))))
    difference = np.float32(queries)[:, None] - np.float32(bank[:5])
    np.testing.assert_allclose(logits, -0.5 * (difference**2).sum(-1), atol=1e-5)


def test_the_learned_chain_has_the_second_moment_not_the_variance():
    learner = TemporalContrastive(MLP((2,)), ou_pairs, optax.scale_by_adam())
    codes = 3 + np.random.default_rng(0).normal(size=(50, 2))
    A = random_matrix(np.random.default_rng(1), 2)
    chain = learner.chain({"A": jnp.asarray(A)}, jnp.asarray(codes))
    assert float(chain.c) == pytest.approx(np.mean(codes**2), rel=1e-5)
    np.testing.assert_allclose(chain.A, A, rtol=1e-6)


RHO, ANGLE = 0.8, 0.5
Q = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])


def ou_pairs(data, key):
    first, second = jax.random.normal(key, (2, 256, 2))
    return first, RHO * first @ jnp.asarray(Q).T + np.sqrt(1 - RHO**2) * second


def trained(symmetric):
    learner = TemporalContrastive(
        MLP((2,)), ou_pairs, optax.scale_by_adam(), 1e-2, symmetric=symmetric
    )
    assert isinstance(learner, Learner)
    states, _ = train(learner, jnp.zeros(()), jax.random.key(0), 500, log_every=500)
    params = jax.tree.map(lambda x: x[0], states.params)
    z = jax.random.normal(jax.random.key(1), (4000, 2))
    return learner.chain(params, learner.encode(params, z)), params


def test_learning_finds_the_closed_form_optimum_of_the_one_directional_loss():
    chain, params = trained(symmetric=False)
    assert float(chain.c) == pytest.approx(RHO**2 / (1 - RHO**2), rel=0.08)
    np.testing.assert_allclose(chain.consistency, 1, atol=0.06)
    singular = np.linalg.svd(np.asarray(chain.A), compute_uv=False)
    np.testing.assert_allclose(singular, 1 / RHO, rtol=0.06)
    # The future is the past turned by Q, not by its inverse: psi = K z, so A K = K Q / rho.
    K = np.asarray(params["encoder"]["params"]["Dense_0"]["kernel"]).T
    np.testing.assert_allclose(np.asarray(chain.A) @ K, K @ Q / RHO, atol=0.25)


def test_learning_finds_the_other_optimum_of_the_symmetric_loss():
    chain, _ = trained(symmetric=True)
    v = 0.5 * (-1 + np.sqrt(9 - 8 * RHO))
    assert float(chain.c) == pytest.approx(1 / v - 1, rel=0.08)
    singular = np.linalg.svd(np.asarray(chain.A), compute_uv=False)
    np.testing.assert_allclose(singular, 1, atol=0.05)


@pytest.mark.parametrize("symmetric", [False, True])
def test_loss_is_the_critic_with_the_chosen_contrast(symmetric):
    learner = TemporalContrastive(
        MLP((3,)), ou_pairs, optax.scale_by_adam(), symmetric=symmetric, c=1.0
    )
    batch = ou_pairs(None, jax.random.key(2))
    batch = (3 * batch[0], 3 * batch[1])
    state = learner.init(jax.random.key(3), batch)
    params = {**state.params, "A": jnp.asarray(random_matrix(np.random.default_rng(0), 3))}
    loss, metrics = learner.loss(params, state, batch, jax.random.key(0))
    past, future = (np.asarray(learner.encode(params, x), float) for x in batch)
    difference = (past @ np.asarray(params["A"], float).T)[:, None] - future[None]
    logits = jnp.asarray(-0.5 * (difference**2).sum(-1))
    nce = symmetric_info_nce(logits) if symmetric else info_nce(logits)
    assert float(metrics["info_nce"]) == pytest.approx(float(nce), abs=1e-3)
    size = np.mean(np.concatenate([past, future]) ** 2)
    penalty = 1e-3 * size + np.log(1e-3) * (1.0 - size)
    assert float(loss) == pytest.approx(float(nce) + penalty, abs=1e-2)


def test_the_norm_constraint_holds_the_codes_at_c():
    learner = TemporalContrastive(MLP((2,)), ou_pairs, optax.scale_by_adam(), 2e-2, c=0.5)
    _, history = train(learner, jnp.zeros(()), jax.random.key(0), 900, log_every=300)
    assert history["mean_square"][0, -1] == pytest.approx(0.5, rel=0.1)


def test_an_orthogonal_transition_stays_orthogonal():
    learner = TemporalContrastive(MLP((2,)), ou_pairs, optax.scale_by_adam(), 1e-2, orthogonal=True)
    states, _ = train(learner, jnp.zeros(()), jax.random.key(0), 200, log_every=100)
    A = np.asarray(learner.transition(jax.tree.map(lambda x: x[0], states.params)))
    np.testing.assert_allclose(A @ A.T, np.eye(2), atol=1e-4)
    assert np.abs(A - np.eye(2)).max() > 0.1
