"""Contrastive losses against slow loops, finite differences and their known optima."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.losses import contrastive


def random_logits(seed, rows=5, columns=5, scale=2.0):
    return scale * np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def slow_softmax(row):
    return [np.exp(x) / sum(np.exp(y) for y in row) for x in row]


def slow_info_nce(logits):
    rows = [slow_softmax(row) for row in logits.astype(float)]
    return -sum(np.log(row[i]) for i, row in enumerate(rows)) / len(rows)


def slow_td_info_nce(next_logits, random_logits, target_logits, gamma):
    total = 0.0
    batch, candidates = random_logits.shape
    for i in range(batch):
        total -= (1 - gamma) * np.log(slow_softmax(next_logits[i].astype(float))[i])
        predicted = slow_softmax(random_logits[i].astype(float))
        weight = slow_softmax(target_logits[i].astype(float))
        for j in range(candidates):
            total -= gamma * weight[j] * np.log(predicted[j])
    return total / batch


def slow_c_learning(next_logits, random_logits, target_logits, gamma, clip):
    def bce(x, label):
        probability = 1 / (1 + np.exp(-float(x)))
        return -np.log(probability) if label else -np.log(1 - probability)

    batch, candidates = random_logits.shape
    total = 0.0
    for i in range(batch):
        total += (1 - gamma) * bce(next_logits[i, i], 1) / batch
        for j in range(candidates):
            weight = min(np.exp(float(target_logits[i, j])), clip)
            each = gamma * weight * bce(random_logits[i, j], 1) + bce(random_logits[i, j], 0)
            total += each / (batch * candidates)
    return total


def c_learning(next_logits, *others):
    """The loss of a table, of which the diagonal holds the next states."""
    return contrastive.c_learning(jnp.diagonal(next_logits), *others)


@pytest.mark.parametrize("seed", range(3))
def test_info_nce_is_the_double_loop(seed):
    logits = random_logits(seed)
    assert contrastive.info_nce(jnp.asarray(logits)) == pytest.approx(
        slow_info_nce(logits), rel=1e-5
    )
    assert contrastive.info_nce(jnp.asarray(logits), axis=0) == pytest.approx(
        slow_info_nce(logits.T), rel=1e-5
    )
    assert contrastive.symmetric_info_nce(jnp.asarray(logits)) == pytest.approx(
        (slow_info_nce(logits) + slow_info_nce(logits.T)) / 2, rel=1e-5
    )


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.95])
def test_td_losses_are_the_double_loops(gamma):
    following, random, target = random_logits(0), random_logits(1, 5, 7), random_logits(2, 5, 7)
    arrays = [jnp.asarray(x) for x in (following, random, target)]
    assert contrastive.td_info_nce(*arrays, gamma) == pytest.approx(
        slow_td_info_nce(following, random, target, gamma), rel=1e-5
    )
    for clip in (1.5, 20.0):
        assert c_learning(*arrays, gamma, clip) == pytest.approx(
            slow_c_learning(following, random, target, gamma, clip), rel=1e-5
        )


def test_binary_nce_is_the_double_loop():
    logits = random_logits(4)
    expected = 0.0
    for i in range(5):
        for j in range(5):
            probability = 1 / (1 + np.exp(-float(logits[i, j])))
            expected += -np.log(probability) / 5 if i == j else -np.log(1 - probability) / 20
    assert contrastive.binary_nce(jnp.asarray(logits)) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.floats(-50, 50))
def test_a_constant_in_a_row_changes_nothing(seed, shift):
    following, random, target = (jnp.asarray(random_logits(seed + i)) for i in range(3))
    rows = shift * jnp.arange(5)[:, None] / 5
    np.testing.assert_allclose(
        contrastive.info_nce(following + rows), contrastive.info_nce(following), atol=1e-3
    )
    np.testing.assert_allclose(
        contrastive.td_info_nce(following + rows, random + rows, target + rows, 0.9),
        contrastive.td_info_nce(following, random, target, 0.9),
        atol=1e-3,
    )


@pytest.mark.parametrize("loss", [contrastive.td_info_nce, c_learning])
def test_no_gradient_flows_through_the_target_but_it_matters(loss):
    following, random, target = (jnp.asarray(random_logits(i)) for i in range(3))
    gradient = jax.grad(lambda t: loss(following, random, t, 0.9))(target)
    np.testing.assert_array_equal(gradient, 0.0)
    assert loss(following, random, target, 0.9) != loss(following, random, -target, 0.9)


@pytest.mark.parametrize("loss", [contrastive.td_info_nce, c_learning])
def test_gradients_are_those_of_finite_differences(loss):
    following, random, target = (jnp.asarray(random_logits(i, scale=0.7)) for i in range(3))
    for argument in (0, 1):
        arrays = [following, random]

        def value(x, arrays=arrays, argument=argument):
            inputs = [x if k == argument else a for k, a in enumerate(arrays)]
            return loss(*inputs, target, 0.8)

        gradient = jax.grad(value)(arrays[argument])
        for i, j in [(0, 0), (1, 3), (4, 4)]:
            step = jnp.zeros((5, 5)).at[i, j].set(1e-2)
            slope = (value(arrays[argument] + step) - value(arrays[argument] - step)) / 2e-2
            np.testing.assert_allclose(gradient[i, j], slope, atol=2e-3)


def test_the_td_loss_is_least_where_the_model_predicts_its_target():
    # With the same candidates in both terms the minimum over logits is the mixture itself.
    target = jnp.asarray(random_logits(5, 4, 4))
    mixture = 0.3 * jnp.eye(4) + 0.7 * jax.nn.softmax(target, axis=1)
    best = jnp.log(mixture)
    gradient = jax.grad(lambda f: contrastive.td_info_nce(f, f, target, 0.7))(best)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        contrastive.info_nce,
        contrastive.binary_nce,
        lambda f: contrastive.td_info_nce(f, f, f, 0.9),
        lambda f: c_learning(f, f, f, 0.9),
    ],
)
def test_extreme_logits_give_finite_losses_and_gradients(loss):
    extreme = jnp.array([[200.0, -200.0], [150.0, -150.0]])
    value, gradient = jax.value_and_grad(loss)(extreme)
    assert jnp.isfinite(value)
    assert jnp.isfinite(gradient).all()


def test_each_loss_is_stationary_at_the_ratio_it_is_named_for():
    """A batch whose pairs fill a table of counts; the best logits are known from the counts."""
    counts = np.array([[4, 1, 2, 3], [1, 5, 1, 1], [2, 2, 6, 2]])
    x, y = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    pairs = np.outer(counts.sum(axis=1), counts.sum(axis=0))
    negatives = (pairs - counts) / (pairs.sum() - counts.sum())
    positives = counts / counts.sum()

    def slope(loss, table):
        gradient = jax.grad(lambda f: loss(f[x[:, None], y[None, :]]))
        return np.abs(gradient(jnp.asarray(table, dtype=jnp.float32))).max()

    without_free_term = np.log(positives / negatives)
    with_free_term = np.log(positives / counts.sum(axis=0)) + np.array([[3.0], [-2.0], [0.5]])
    assert slope(contrastive.binary_nce, without_free_term) < 1e-6
    assert slope(contrastive.info_nce, with_free_term) < 1e-6
    assert slope(contrastive.binary_nce, with_free_term) > 1e-2
    assert slope(contrastive.info_nce, with_free_term + np.arange(4)) > 1e-2


def test_a_ratio_turns_back_into_the_density():
    rng = np.random.default_rng(0)
    density = rng.dirichlet(np.ones(4), size=3)
    log_marginal = jnp.log(jnp.asarray([0.1, 0.2, 0.3, 0.4]))
    ratio = jnp.log(jnp.asarray(density)) - log_marginal
    np.testing.assert_allclose(
        contrastive.log_ratio_to_density(ratio, log_marginal, normalise=False), density, atol=1e-6
    )
    shifted = ratio + jnp.array([[3.0], [-5.0], [0.0]])
    np.testing.assert_allclose(
        contrastive.log_ratio_to_density(shifted, log_marginal), density, atol=1e-6
    )


def test_a_batch_of_one_has_no_negatives():
    with pytest.raises(ValueError, match="at least 2"):
        contrastive.binary_nce(jnp.zeros((1, 1)))
    for axis in (0, 1):
        with pytest.raises(ValueError, match="at least 2"):
            contrastive.info_nce(jnp.zeros((1, 1)), axis=axis)


def test_half_squares_are_those_of_the_differences_even_far_from_the_origin():
    rng = np.random.default_rng(0)
    for far in (0.0, 1000.0):
        x = (far + rng.normal(size=(2, 3, 4))).astype(np.float32)
        y = (far + 0.02 * rng.normal(size=(5, 4))).astype(np.float32)
        slow = [[[-0.5 * ((a - b) ** 2).sum() for b in y] for a in rows] for rows in x]
        np.testing.assert_allclose(
            contrastive.half_squares(jnp.array(x), jnp.array(y)), slow, rtol=2e-3, atol=1e-4
        )
