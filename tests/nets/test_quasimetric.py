"""MRN and IQE: the axioms of a quasimetric, slow oracles, and gradients where norms have none."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from goalward.nets.mlp import MLP
from goalward.nets.quasimetric import IQECritic, MRNCritic, iqe, mrn

DISTANCES = {
    "mrn": jax.jit(lambda x, y: mrn(jnp.asarray(x), jnp.asarray(y), components=2)),
    "iqe": jax.jit(lambda x, y: iqe(jnp.asarray(x), jnp.asarray(y), components=2, mix=0.3)),
}
points = st.lists(
    st.lists(st.floats(-10, 10, width=32), min_size=8, max_size=8), min_size=3, max_size=3
)


def mrn_by_hand(x, y, components):
    parts = []
    for a, b in zip(np.split(x, components), np.split(y, components), strict=True):
        half = len(a) // 2
        parts.append(
            max(max(u - v, 0.0) for u, v in zip(a[:half], b[:half], strict=True))
            + np.sqrt(((a[half:] - b[half:]) ** 2).sum())
        )
    return np.mean(parts)


def union_length(intervals):
    """Length of a union of intervals by counting the elementary pieces that one of them covers."""
    ends = sorted({end for interval in intervals for end in interval})
    return sum(
        high - low
        for low, high in itertools.pairwise(ends)
        if any(left <= low and high <= right for left, right in intervals)
    )


def iqe_by_hand(x, y, components, mix):
    lengths = [
        union_length([(u, max(u, v)) for u, v in zip(a, b, strict=True)])
        for a, b in zip(np.split(x, components), np.split(y, components), strict=True)
    ]
    return mix * max(lengths) + (1 - mix) * np.mean(lengths)


@settings(max_examples=60, deadline=None)
@given(points)
def test_functions_equal_their_definitions(xyz):
    x, y, _ = np.array(xyz, dtype=np.float32)
    by_hand = mrn_by_hand(x, y, 2)
    np.testing.assert_allclose(DISTANCES["mrn"](x, y), by_hand, rtol=1e-5, atol=2e-6)
    by_hand = iqe_by_hand(x, y, 2, 0.3)
    np.testing.assert_allclose(DISTANCES["iqe"](x, y), by_hand, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", DISTANCES)
@settings(max_examples=60, deadline=None)
@given(xyz=points)
def test_axioms(name, xyz):
    distance = DISTANCES[name]
    x, y, z = jnp.array(xyz, dtype=jnp.float32)
    assert distance(x, x) <= 1e-5
    assert distance(x, y) >= 0
    assert distance(x, z) <= distance(x, y) + distance(y, z) + 1e-4


@pytest.mark.parametrize("name", DISTANCES)
def test_asymmetric_and_invariant_to_a_shift(name):
    distance = DISTANCES[name]
    x, y = jax.random.normal(jax.random.key(0), (2, 8))
    assert abs(distance(x, y) - distance(y, x)) > 0.01
    np.testing.assert_allclose(distance(x + 3, y + 3), distance(x, y), rtol=1e-4)


@pytest.mark.parametrize("name", DISTANCES)
def test_gradients(name):
    distance = DISTANCES[name]
    x, y = jax.random.normal(jax.random.key(1), (2, 8))
    check_grads(distance, (x, y), order=1, modes=["rev"], rtol=2e-2, atol=2e-2)
    at_the_same_place = jax.grad(distance, argnums=(0, 1))(x, x)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in at_the_same_place)


@pytest.mark.parametrize("critic", [MRNCritic, IQECritic])
def test_critic_is_a_quasimetric_after_any_weights(critic):
    encoder = MLP((16, 8), activation=nn.swish)
    module = critic(encoder, components=2)
    states = jax.random.normal(jax.random.key(0), (20, 5))
    params = jax.jit(module.init)(jax.random.key(1), states, states)
    distance = np.asarray(-module.apply(params, states, states, method="pairwise"), np.float64)
    detour = (distance[:, :, None] + distance[None, :, :]).min(axis=1)
    assert np.all(distance <= detour + 1e-4)
    assert np.all(np.abs(np.diag(distance)) <= 1e-5)
    assert np.abs(distance - distance.T).max() > 1e-3
    rows = module.apply(params, states[:7], states[7:14])
    np.testing.assert_allclose(rows, np.diag(distance[:7, 7:14]), rtol=1e-4, atol=1e-5)
    loss = lambda p: jnp.sum(module.apply(p, states, states, method="pairwise") ** 2)  # noqa: E731
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(jax.jit(jax.grad(loss))(params)))


def test_bad_split_is_named():
    with pytest.raises(ValueError, match="equal parts"):
        mrn(jnp.zeros(6), jnp.zeros(6), components=2)
    with pytest.raises(ValueError, match="equal parts"):
        iqe(jnp.zeros(6), jnp.zeros(6), components=4)


def test_all_pairs_are_the_rows_one_by_one() -> None:
    # Whole numbers, so that intervals begin and end at the same places.
    x, y = (
        jax.random.randint(key, (5, 12), 0, 4).astype(float)
        for key in jax.random.split(jax.random.key(1))
    )
    rows = [jnp.repeat(x, 5, axis=0), jnp.tile(y, (5, 1))]

    def pairs(x, y):
        return iqe(x[:, None], y[None, :], components=2, mix=0.3)

    np.testing.assert_allclose(pairs(x, y).ravel(), iqe(*rows, components=2, mix=0.3), rtol=1e-6)
    apart = [x + 0.1 * jnp.arange(12), y + 0.13 * jnp.arange(12)]  # no ties: one gradient
    rows = [jnp.repeat(apart[0], 5, axis=0), jnp.tile(apart[1], (5, 1))]
    one = jax.grad(lambda *a: pairs(*a).sum(), (0, 1))(*apart)
    other = jax.grad(lambda *a: iqe(*a, components=2, mix=0.3).sum(), (0, 1))(*rows)
    np.testing.assert_allclose(one[0], other[0].reshape(5, 5, 12).sum(1), atol=1e-5)
    np.testing.assert_allclose(one[1], other[1].reshape(5, 5, 12).sum(0), atol=1e-5)
