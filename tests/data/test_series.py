"""The synthetic series against the laws they are drawn from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import series


def test_plane_rotations_turn_by_the_given_angles():
    Q = np.asarray(series.plane_rotations(jax.random.key(0), jnp.array([0.3, 0.7])), float)
    np.testing.assert_allclose(Q @ Q.T, np.eye(4), atol=1e-5)
    turned = np.sort(np.angle(np.linalg.eigvals(Q)))
    np.testing.assert_allclose(turned, [-0.7, -0.3, 0.3, 0.7], atol=1e-4)


def test_ou_step_keeps_the_marginal_and_has_the_covariance():
    Q = series.plane_rotations(jax.random.key(1), jnp.array([0.5]))
    z = jax.random.normal(jax.random.key(2), (200_000, 2))
    after = np.asarray(series.ou_step(jax.random.key(3), z, Q, 0.8), float)
    np.testing.assert_allclose(np.cov(after.T), np.eye(2), atol=0.02)
    across = after.T @ np.asarray(z, float) / len(z)
    np.testing.assert_allclose(across, 0.8 * np.asarray(Q), atol=0.02)


def test_spirals_turn_and_grow_as_said():
    paths = np.asarray(series.spirals(jax.random.key(0), 50, noise=0.0), float)
    assert paths.shape == (50, 61, 2)
    as_complex = paths[..., 0] + 1j * paths[..., 1]
    step = as_complex[:, 1:] / as_complex[:, :-1]
    np.testing.assert_allclose(np.angle(step), 0.12, atol=1e-4)
    np.testing.assert_allclose(np.abs(step), np.exp(0.03), atol=1e-4)
    first = np.abs(as_complex[:, 0])
    assert first.min() >= 0.2
    assert first.max() <= 0.5
    noisy = np.asarray(series.spirals(jax.random.key(0), 50, noise=0.02), float)
    assert (noisy - paths).std() == pytest.approx(0.02, rel=0.05)


def test_the_sine_lift_can_be_undone():
    columns = series.orthonormal_columns(jax.random.key(0), 46, 8)
    z = jax.random.normal(jax.random.key(1), (10, 4))
    x = series.sine_lift(z, columns)
    np.testing.assert_allclose(x @ columns[:, :4] / 2, z, atol=1e-5)
    np.testing.assert_allclose(x @ columns[:, 4:], np.sin(z), atol=1e-5)


def test_too_many_orthonormal_columns_are_refused():
    with pytest.raises(ValueError, match="at most 3 columns"):
        series.orthonormal_columns(jax.random.key(0), 3, 4)


def test_the_tanh_lift_is_its_layer_written_out():
    layer = series.random_layer(jax.random.key(1), inputs=2, dim=46, hidden=4000, spread=1.5)
    V, b, U = (np.asarray(part, float) for part in layer)
    assert (V.shape, b.shape, U.shape) == ((2, 4000), (4000,), (4000, 46))
    np.testing.assert_allclose([V.std(), b.std(), U.std()], [1.5, 1, 4000**-0.5], rtol=0.05)
    x = np.random.default_rng(0).normal(size=(3, 2))
    by_hand = [[np.tanh(V.T @ p + b) @ column for column in U.T] for p in x]
    np.testing.assert_allclose(series.tanh_lift(jnp.asarray(x), layer), by_hand, atol=1e-4)


def test_standardise_uses_the_reference():
    reference = jnp.asarray(np.random.default_rng(0).normal(3, 2, size=(20, 30, 4)))
    own = np.asarray(series.standardise(reference, reference)).reshape(-1, 4)
    np.testing.assert_allclose(own.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(own.std(0), 1, atol=1e-4)
    shifted = series.standardise(reference + 2 * reference.std((0, 1)), reference)
    np.testing.assert_allclose(np.asarray(shifted).reshape(-1, 4).mean(0), 2, atol=1e-4)


def test_stride_pairs_stay_inside_a_series():
    rows = jnp.broadcast_to(jnp.arange(7.0)[:, None] * 100, (7, 12))
    data = (rows + jnp.arange(12.0))[..., None]
    past, future = series.stride_pairs(data, jax.random.key(0), 5, 4000)
    np.testing.assert_allclose(future - past, 5)
    np.testing.assert_array_equal(past // 100, future // 100)
    assert set(np.unique(np.asarray(past) % 100)) == set(range(7))
    assert set(np.unique(np.asarray(past) // 100)) == set(range(7))
