"""The preference losses against double loops written from their equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.losses import preferences
from goalward.losses.contrastive import info_nce

ALL = [
    preferences.dpo,
    preferences.ipo,
    preferences.sppo,
    preferences.forward_backward,
    preferences.flat_nce,
]


def table(batch, seed=0, scale=2.0):
    return scale * np.random.default_rng(seed).normal(size=(batch, batch))


def by_loops(name, F):
    B, total = len(F), 0.0
    for i in range(B):
        if name == "forward_backward":
            total += -F[i, i] * B
        for j in range(B):
            lead = F[i, i] - F[i, j]
            if name == "dpo":
                total += -np.log(1 / (1 + np.exp(-lead)))
            elif name == "ipo":
                total += (lead - 1) ** 2
            elif name == "sppo":
                total += B * (F[i, i] - 1) ** 2 if i == j else (F[i, j] + 1) ** 2
            elif name == "forward_backward":
                total += 0.5 * F[i, j] ** 2 / (B - 1) * B if i != j else 0.0
    return total / B**2


@pytest.mark.parametrize("name", ["dpo", "ipo", "sppo", "forward_backward"])
@pytest.mark.parametrize("batch", [2, 5, 9])
def test_values_are_those_of_loops_over_the_equations(name, batch):
    F = table(batch, seed=batch)
    loss = getattr(preferences, name)(jnp.array(F))
    np.testing.assert_allclose(loss, by_loops(name, F), rtol=1e-5)


@pytest.mark.parametrize("batch", [2, 7])
def test_flat_nce_is_one_and_has_the_gradient_of_info_nce(batch):
    F = jnp.array(table(batch))
    value, gradient = jax.value_and_grad(preferences.flat_nce)(F)
    np.testing.assert_allclose(value, 1.0, rtol=1e-6)
    np.testing.assert_allclose(gradient, jax.grad(info_nce)(F), atol=1e-6)


@pytest.mark.parametrize("loss", [preferences.dpo, preferences.ipo, preferences.flat_nce])
def test_what_depends_on_leads_alone_does_not_see_a_tilt_of_the_rows(loss):
    F = jnp.array(table(6))
    tilted = F + jnp.arange(6.0)[:, None]
    np.testing.assert_allclose(loss(F), loss(tilted), rtol=1e-5)
    np.testing.assert_allclose(jax.grad(loss)(tilted).sum(axis=1), 0.0, atol=1e-5)
    if loss is not preferences.flat_nce:  # whose value is always 1
        assert abs(loss(F) - loss(F + jnp.arange(6.0)[None, :])) > 0.01


@pytest.mark.parametrize("loss", [preferences.sppo, preferences.forward_backward])
def test_the_others_see_it(loss):
    F = jnp.array(table(6))
    assert abs(loss(F) - loss(F + jnp.arange(6.0)[:, None])) > 0.01


def test_forward_backward_is_minimal_at_the_ratio_of_probabilities():
    # Expected over batches with pairs of a joint table: -sum p(x,y) f + 1/2 sum p(x) p(y) f^2.
    rng = np.random.default_rng(0)
    joint = rng.uniform(size=(3, 4))
    joint /= joint.sum()
    ratio = joint / (joint.sum(1, keepdims=True) * joint.sum(0))
    batches = rng.choice(12, size=(4000, 8), p=joint.ravel())

    def expected(scale):
        f = scale * ratio
        x, y = batches // 4, batches % 4
        logits = jnp.array(f)[x[:, :, None], y[:, None, :]]
        return float(jax.vmap(preferences.forward_backward)(logits).mean())

    assert expected(1.0) < min(expected(0.8), expected(1.2))


@pytest.mark.parametrize("loss", ALL)
def test_large_logits_are_finite_and_a_single_row_is_refused(loss):
    F = jnp.array(table(4, scale=50.0))
    assert np.isfinite(loss(F))
    assert np.isfinite(jax.grad(loss)(F)).all()
    with pytest.raises(ValueError, match="at least 2"):
        loss(jnp.zeros((1, 1)))
