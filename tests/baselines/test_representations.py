"""PCA, VIP, the autoencoder and plans without a model, against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from goalward.baselines.autoencoder import Autoencoder
from goalward.baselines.pca import fit_pca
from goalward.baselines.straight_line import repeat_goal, straight_line
from goalward.baselines.vip import VIP, vip_loss
from goalward.nets.mlp import MLP
from goalward.protocol import Learner
from goalward.training.loop import train


def test_pca_codes_are_uncorrelated_with_the_largest_eigenvalues():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 3
    codes = np.asarray(fit_pca(jnp.asarray(x), 2).encode(jnp.asarray(x)), float)
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1]
    np.testing.assert_allclose(np.cov(codes.T), np.diag(eigenvalues[:2]), atol=1e-2, rtol=1e-3)
    np.testing.assert_allclose(codes.mean(0), 0, atol=1e-4)


def test_pca_refuses_more_directions_than_there_are():
    with pytest.raises(ValueError, match="keeps 1 to 3 components"):
        fit_pca(jnp.ones((10, 3)), 4)


def test_straight_line_divides_the_segment_and_repeat_goal_stays():
    start, end = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[4.0, 8.0], [1.0, 5.0]])
    line = straight_line(start, end, 3)
    np.testing.assert_allclose(line[0], [[1, 2], [2, 4], [3, 6]], atol=1e-6)
    np.testing.assert_allclose(line[1], [[1, 2], [1, 3], [1, 4]], atol=1e-6)
    np.testing.assert_allclose(repeat_goal(end, 2), [[[4, 8]] * 2, [[1, 5]] * 2])
    with pytest.raises(ValueError, match="at least 1 waypoint"):
        straight_line(start, end, 0)


def test_vip_loss_is_the_equation_written_slowly():
    rng = np.random.default_rng(0)
    first, current, following, goal = frames = rng.normal(size=(4, 7, 3))
    gamma = 0.9

    def distance(x, y):
        return np.sqrt(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)))

    attract = np.mean([distance(first[i], goal[i]) for i in range(7)])
    repel = np.mean(
        [
            np.exp(1 - distance(current[i], goal[i]) + gamma * distance(following[i], goal[i]))
            for i in range(7)
        ]
    )
    got = vip_loss(*map(jnp.asarray, frames), gamma=gamma)
    assert float(got) == pytest.approx((1 - gamma) * attract + np.log(repel), abs=1e-4)


def test_vip_loss_has_a_gradient_where_two_codes_meet():
    x = jnp.ones((4, 3))
    gradient = jax.grad(lambda x: vip_loss(x, x, x, x, 0.9))(x)
    assert np.isfinite(gradient).all()


def test_vip_frames_are_of_one_series_and_in_order():
    series = (100.0 * jnp.arange(5)[:, None] + jnp.arange(9.0))[..., None]
    vip = VIP(MLP((2,)), 3000, optax.scale_by_adam())
    first, current, following, goal = vip.batch(series, jax.random.key(0))
    assert (first <= current).all()
    np.testing.assert_allclose(following, current + 1)
    assert (following <= goal).all()
    assert set(np.unique(np.asarray(current) % 100)) == set(range(8))
    assert set(np.unique(np.asarray(goal) % 100)) == set(range(1, 9))
    for frame in (current, following, goal):
        np.testing.assert_array_equal(frame // 100, first // 100)


def test_vip_orders_a_line_by_time():
    series = jnp.tile(jnp.linspace(-1, 1, 21)[:, None], (4, 1, 1))
    vip = VIP(MLP((16, 1)), 64, optax.scale_by_adam(), gamma=0.9, learning_rate=1e-2)
    assert isinstance(vip, Learner)
    states, _ = train(vip, series, jax.random.key(0), 300, log_every=100)
    code = vip.encode(jax.tree.map(lambda x: x[0], states.params), series[0])[:, 0]
    steps = np.diff(np.asarray(code))
    assert (steps > 0).all() or (steps < 0).all()


def test_a_linear_autoencoder_finds_the_principal_plane():
    rng = np.random.default_rng(1)
    scales = np.array([3.0, 2.0, 0.3, 0.2])
    x = rng.normal(size=(40, 50, 4)) * scales
    learner = Autoencoder(MLP((2,)), MLP((4,)), 256, optax.scale_by_adam(), 1e-2)
    assert isinstance(learner, Learner)
    _, history = train(learner, jnp.asarray(x), jax.random.key(0), 900, log_every=300)
    assert history["loss"][0, -1] == pytest.approx(0.3**2 + 0.2**2, rel=0.15)
