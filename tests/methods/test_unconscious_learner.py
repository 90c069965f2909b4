"""The bridge against enumeration, Bessel functions and quadrature; the learner against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaln, ive, logsumexp

from goalward.data.triples import two_views
from goalward.methods import unconscious_learner as unconscious
from goalward.nets.mlp import MLP
from goalward.protocol import Learner
from goalward.training.loop import train
from states import only_seed

seeds = st.integers(0, 10_000)


@given(seeds, st.floats(0.1, 60.0))
def test_lse_is_the_log_mean_over_the_bank(seed, scale):
    rng = np.random.default_rng(seed)
    ab, bc = scale * rng.normal(size=(3, 7)), scale * rng.normal(size=(7, 4))
    got = unconscious.lse_scores(ab, bc)
    ess = unconscious.effective_sample_size(ab, bc)
    for i in range(3):
        for j in range(4):
            both = ab[i] + bc[:, j]
            assert got[i, j] == pytest.approx(logsumexp(both) - np.log(7), rel=1e-9, abs=1e-9)
            weight = np.exp(both - both.max())
            assert ess[i, j] == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=1e-6)


def test_lse_survives_where_products_underflow():
    ab, bc = np.array([[0.0, -900.0]]), np.array([[-900.0], [0.0]])
    np.testing.assert_allclose(unconscious.lse_scores(ab, bc), -900.0)


@given(seeds)
def test_what_is_ruled_out_has_no_say(seed):
    """Log ratios of minus infinity: whole rows, whole columns, single entries, all of a pair."""
    rng = np.random.default_rng(seed)
    ab, bc = rng.normal(size=(3, 6)), rng.normal(size=(6, 4))
    ab[0], bc[:, 1] = -np.inf, -np.inf
    ab[1, :3], bc[3:, 2], ab[2, 0] = -np.inf, -np.inf, -np.inf
    got = unconscious.lse_scores(ab, bc)
    ess = unconscious.effective_sample_size(ab, bc)
    for i, j in np.ndindex(3, 4):
        weight = np.exp(ab[i] + bc[:, j])
        if (i, j) == (1, 2) or i == 0 or j == 1:
            assert got[i, j] == -np.inf
            assert ess[i, j] == 0
        else:
            assert got[i, j] == pytest.approx(np.log(weight.mean()), rel=1e-9)
            assert ess[i, j] == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=1e-6)


@given(seeds)
def test_a_finite_alphabet_is_recovered_exactly(seed):
    rng = np.random.default_rng(seed)
    p_b = rng.dirichlet(np.ones(5))
    p_a, p_c = rng.dirichlet(np.ones(3), size=5), rng.dirichlet(np.ones(4), size=5)
    joint = np.einsum("b,ba,bc->abc", p_b, p_a, p_c)
    a, c = joint.sum((1, 2)), joint.sum((0, 1))
    exact = np.log(joint.sum(1) / np.outer(a, c))
    ab = np.log(joint.sum(2) / np.outer(a, p_b))
    bc = np.log(joint.sum(0) / np.outer(p_b, c))
    # A bank in which each letter stands as often as it occurs, by shifting one of the logits.
    got = unconscious.lse_scores(ab, bc + np.log(5 * p_b)[:, None])
    np.testing.assert_allclose(got, exact, atol=1e-12)


def test_a_sampled_bank_tends_to_the_exact_ratio():
    triple = two_views(np.eye(1), np.ones((1, 1)), -np.ones((1, 1)), noise=0.8)
    rng = np.random.default_rng(0)
    (a, _, c), (_, bank, _) = triple.sample(rng, 6), triple.sample(rng, 200_000)
    got = unconscious.lse_scores(triple.log_ratio(a, bank, "ab"), triple.log_ratio(bank, c, "bc"))
    np.testing.assert_allclose(got, triple.log_ratio(a, c), atol=0.03)


@given(st.floats(1e-3, 200.0), st.integers(2, 40))
def test_the_integral_is_the_bessel_formula(kappa, d):
    order = d / 2 - 1
    formula = gammaln(d / 2) + order * np.log(2 / kappa) + np.log(ive(order, kappa)) + kappa
    assert unconscious.log_vmf_integral(kappa, d) == pytest.approx(formula, rel=1e-9, abs=1e-9)


def test_the_integral_in_three_dimensions_and_at_zero():
    kappa = np.array([0.5, 3.0, 80.0])
    exact = kappa + np.log(-np.expm1(-2 * kappa) / (2 * kappa))  # log sinh(kappa) / kappa
    np.testing.assert_allclose(unconscious.log_vmf_integral(kappa, 3), exact, rtol=1e-12)
    assert unconscious.log_vmf_integral(0.0, 8) == 0
    for bad in ((1.0, 1), (-1.0, 3)):
        with pytest.raises(ValueError, match="log_vmf_integral takes"):
            unconscious.log_vmf_integral(*bad)


@given(st.floats(-1.0, 1.0), st.floats(0.5, 20.0))
def test_the_law_is_the_average_over_the_circle(cosine, tau):
    a, c = np.array([1.0, 0.0]), np.array([cosine, np.sqrt(1 - cosine**2)])
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    b = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    exact = logsumexp(tau * b @ a + tau * b @ c) - np.log(2000)
    assert unconscious.sphere_bridge(cosine, tau, 2) == pytest.approx(exact, abs=1e-8)


@given(st.floats(0.5, 40.0), st.integers(2, 30))
def test_the_law_increases(tau, d):
    values = unconscious.sphere_bridge(np.linspace(-1, 1, 50), tau, d)
    assert (np.diff(values) > 0).all()


@given(seeds, st.floats(0.1, 5.0))
def test_the_gaussian_bridge_is_the_integral(seed, variance):
    a, c = np.random.default_rng(seed).normal(size=(2, 2))
    exact = 0.0
    for x, y in zip(a, c, strict=True):

        def weight(b, x=x, y=y):
            exponent = -0.5 * (x - b) ** 2 - 0.5 * (b - y) ** 2 - 0.5 * b**2 / variance
            return np.exp(exponent) / np.sqrt(2 * np.pi * variance)

        exact += np.log(quad(weight, -np.inf, np.inf)[0])
    assert unconscious.gaussian_bridge(a, c, variance) == pytest.approx(exact, abs=1e-6)


def test_the_gaussian_bridge_tends_to_a_quarter_of_the_squared_distance():
    a, c = np.random.default_rng(0).normal(size=(2, 50, 3))
    wide = unconscious.gaussian_bridge(a, c, 1e7)
    quarter = -0.25 * ((a - c) ** 2).sum(1)
    np.testing.assert_allclose(wide - wide[0], quarter - quarter[0], atol=1e-5)


@pytest.fixture(scope="module")
def fresh():
    """A learner with a shared and a separate encoder, a batch, the state before any update."""
    learner = unconscious.UnconsciousLearner(
        MLP((6, 3), nn.relu), (("a", "b"), ("b", "c"), ("b2", "c")), batch_size=4, scale=5.0
    )
    rng = np.random.default_rng(0)
    sizes = {"a": 5, "b": 4, "c": 2}
    batch = tuple(
        tuple(jnp.asarray(rng.normal(size=(4, sizes[name[0]])), jnp.float32) for name in names)
        for names in learner.pairs
    )
    return learner, batch, jax.jit(learner.init)(jax.random.key(0), batch)


def test_a_name_is_one_encoder(fresh):
    learner, batch, state = fresh
    assert isinstance(learner, Learner)
    assert set(state.params["encoders"]) == {"a", "b", "c", "b2"}
    b = learner.encode(state.params, "b", batch[0][1])
    np.testing.assert_allclose(np.linalg.norm(b, axis=1), 1, atol=1e-5)
    assert not np.allclose(b, learner.encode(state.params, "b2", batch[0][1]), atol=1e-3)


def test_the_loss_sums_both_directions_of_every_pair(fresh):
    """Each pair with a scale of its own, as after some updates."""
    learner, batch, state = fresh
    np.testing.assert_allclose(state.params["log_scale"], np.log(5.0), rtol=1e-6)
    scales = np.array([5.0, 2.0, 9.0])
    params = state.params | {"log_scale": jnp.log(jnp.asarray(scales, jnp.float32))}
    got, _ = jax.jit(learner.loss)(params, state, batch, jax.random.key(1))
    total = 0.0
    for i, (names, (x, y)) in enumerate(zip(learner.pairs, batch, strict=True)):
        u, v = (
            np.asarray(learner.encode(state.params, name, side), float)
            for name, side in zip(names, (x, y), strict=True)
        )
        f = scales[i] * u @ v.T
        np.testing.assert_allclose(learner.logits(params, i, x, y), f, atol=1e-4)
        for k in range(4):
            total -= 0.5 * (f[k, k] - logsumexp(f[k])) / 4
            total -= 0.5 * (f[k, k] - logsumexp(f[:, k])) / 4
    np.testing.assert_allclose(got, total, rtol=1e-4)


def test_one_blank_observation_spoils_nothing(fresh):
    """An all-zero row has the code 0 while the biases are 0, where a norm has no slope."""
    learner, batch, state = fresh
    blank = jax.tree.map(lambda x: x.at[0].set(0.0), batch)
    update = jax.jit(learner.update)
    after, metrics = update(state, blank, jax.random.key(0))
    for leaf in jax.tree.leaves((after.params, metrics)):
        assert np.isfinite(leaf).all()
    # Adam's first moments are a tenth of the slope: not drowned by one of a tiny length.
    usual, _ = update(state, batch, jax.random.key(0))
    sizes = [max(np.abs(m).max() for m in jax.tree.leaves(s.opt_state.mu)) for s in (usual, after)]
    assert sizes[1] < 10 * sizes[0]


def test_batches_keep_rows_together_and_pairs_apart(fresh):
    learner, _, _ = fresh
    rows = {n: jnp.arange(1.0, n + 1)[:, None] for n in (50, 30)}
    data = ((rows[50], 2 * rows[50]), (rows[50], 3 * rows[50]), (rows[30], 4 * rows[30]))
    seen = [[], [], []]
    batch = jax.jit(learner.batch)
    for key in range(100):
        drawn = batch(data, jax.random.key(key))
        for i, (x, y) in enumerate(drawn):
            assert x.shape == (4, 1)
            np.testing.assert_array_equal(y, (2 + i) * x)
            seen[i] += np.asarray(x)[:, 0].astype(int).tolist()
        assert not np.array_equal(drawn[0][0], drawn[1][0])
    # 400 draws of rows 1 to 50, or 30: 8 or 13 a row on average, and none more often than 30 times.
    for rows_seen, size in zip(seen, (50, 50, 30), strict=True):
        times = np.bincount(rows_seen, minlength=size + 1)
        assert len(times) == size + 1
        assert times[0] == 0 < times[1:].min()
        assert times.max() < 30


def test_learning_aligns_two_modalities_that_were_never_paired():
    rng = np.random.default_rng(1)
    b = rng.normal(size=(1200, 3))
    views = [rng.normal(size=(3, 6)) for _ in range(2)]
    a, c = ((b @ v + 0.1 * rng.normal(size=(1200, 6))).astype(np.float32) for v in views)
    b = b.astype(np.float32)
    data = jax.tree.map(jnp.asarray, ((a[:500], b[:500]), (b[500:1000], c[500:1000])))
    learner = unconscious.UnconsciousLearner(
        MLP((16, 3), nn.relu), (("a", "b"), ("b", "c")), learning_rate=0.01
    )
    state, _ = train(learner, data, jax.random.key(0), 300)
    params = only_seed(state.params)
    cosines = learner.encode(params, "a", jnp.asarray(a[1000:])) @ (
        learner.encode(params, "c", jnp.asarray(c[1000:])).T
    )
    blocks = np.asarray(cosines).reshape(10, 20, 10, 20)[range(10), :, range(10)]
    assert np.mean(blocks.argmax(2) == np.arange(20)) > 0.4  # chance is 0.05
