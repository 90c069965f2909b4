"""Energies against double loops, their invariances, and gradients where encodings meet."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.nets.energies import COSINE, DOT, ENERGIES, L1, L2, SQUARED_L2, EnergyCritic
from goalward.nets.mlp import MLP


def codes(rows, seed, features=5):
    return np.random.default_rng(seed).normal(size=(rows, features))


def one(name, x, y):
    """The energy of one pair, in float64."""
    difference = x - y
    if name == "l2":
        return -np.sqrt(sum(d * d for d in difference) + 1e-6)
    if name == "squared_l2":
        return -sum(d * d for d in difference)
    if name == "l1":
        return -sum(abs(d) for d in difference)
    inner = sum(a * b for a, b in zip(x, y, strict=True))
    return inner if name == "dot" else inner / np.linalg.norm(x) / np.linalg.norm(y)


@pytest.mark.parametrize("name", ENERGIES)
def test_pairs_and_rows_are_those_of_loops(name):
    phi, psi = codes(4, 0), 3 * codes(6, 1)
    slow = np.array([[one(name, x, y) for y in psi] for x in phi])
    energy = ENERGIES[name]
    np.testing.assert_allclose(energy.pairs(jnp.array(phi), jnp.array(psi)), slow, rtol=1e-4)
    np.testing.assert_allclose(
        energy.rows(jnp.array(phi), jnp.array(psi[:4])), np.diag(slow), rtol=1e-5
    )


@pytest.mark.parametrize("energy", [L2, SQUARED_L2, L1])
def test_distances_do_not_move_with_the_origin_and_keep_small_differences(energy):
    phi, psi = 0.1 * codes(4, 0), 0.1 * codes(6, 1)
    far = np.float64(np.float32(phi + 300.0)), np.float64(np.float32(psi + 300.0))
    name = next(n for n, e in ENERGIES.items() if e is energy)
    slow = np.array([[one(name, x, y) for y in far[1]] for x in far[0]])
    fast = energy.pairs(jnp.array(far[0], jnp.float32), jnp.array(far[1], jnp.float32))
    np.testing.assert_allclose(fast, slow, rtol=3e-3)


def test_the_cosine_ignores_lengths_row_by_row_and_the_dot_product_does_not():
    phi, psi = jnp.array(codes(4, 0)), jnp.array(codes(6, 1))
    lengths = jnp.array([1.0, 5.0, 0.5, 20.0])[:, None]
    same = COSINE.pairs(phi, psi)
    np.testing.assert_allclose(COSINE.pairs(phi * lengths, psi), same, atol=1e-5)
    np.testing.assert_allclose(COSINE.pairs(phi[:1], psi[:2]), same[:1, :2], atol=1e-6)
    np.testing.assert_allclose(COSINE.pairs(phi, phi).diagonal(), 1.0, atol=1e-5)
    assert np.abs(DOT.pairs(phi * lengths, psi) - DOT.pairs(phi, psi)).max() > 1


@pytest.mark.parametrize("name", ENERGIES)
def test_gradients_are_finite_where_encodings_meet_and_at_zero(name):
    for phi in (jnp.array(codes(3, 0)), jnp.zeros((3, 5))):
        energy = ENERGIES[name]
        for form in (energy.rows, energy.pairs):
            for argument in (0, 1):
                slope = jax.grad(lambda x, y, f=form: f(x, y).sum(), argument)(phi, phi)
                assert np.isfinite(slope).all()


@pytest.mark.parametrize("name", ENERGIES)
def test_the_critics_pairs_have_its_rows_on_the_diagonal(name):
    critic = EnergyCritic(MLP((8, 4)), MLP((8, 4)), energy=ENERGIES[name])
    state, action, goal = (jnp.array(codes(6, *size)) for size in ((0, 3), (1, 2), (2, 2)))
    weights = critic.init(jax.random.key(0), (state, action), goal)
    rows = critic.apply(weights, (state, action), goal)
    pairs = critic.apply(weights, (state, action), goal, method="pairwise")
    assert pairs.shape == (6, 6)
    np.testing.assert_allclose(jnp.diagonal(pairs), rows, rtol=1e-3, atol=1e-4)
    columns = critic.apply(weights, (state, action), goal[:2], method="pairwise")
    np.testing.assert_allclose(columns, pairs[:, :2], rtol=1e-3, atol=1e-4)


class Same(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x


@pytest.mark.parametrize("name", [None, *ENERGIES])
def test_a_critic_has_its_own_energy_and_without_a_choice_the_distance(name):
    phi, psi = jnp.array(codes(3, 0)), jnp.array(codes(3, 1))
    energy = L2 if name is None else ENERGIES[name]
    critic = EnergyCritic(Same(), Same(), energy=None if name is None else energy)
    np.testing.assert_allclose(critic.apply({}, (phi,), psi), energy.rows(phi, psi))


@pytest.mark.parametrize("energy", [L2, SQUARED_L2])
def test_rounding_never_makes_a_square_negative(energy):
    phi = jnp.array(30 * codes(200, 0, 64))
    own = energy.pairs(phi, phi).diagonal()
    assert np.isfinite(own).all()
    assert (own <= 0).all()
    assert own.min() > -0.5  # beside distances of some 340
