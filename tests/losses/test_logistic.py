"""The loss over all pairs: a slow double loop, and where its minimum lies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.losses.contrastive import binary_nce
from goalward.losses.logistic import all_pairs_nce

LOGITS = 3 * np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32)


def test_a_double_loop():
    total = 0.0
    for i in range(5):
        for j in range(5):
            probability = 1 / (1 + np.exp(-float(LOGITS[i, j])))
            total -= np.log(probability if i == j else 1 - probability)
    assert all_pairs_nce(jnp.array(LOGITS)) == pytest.approx(total / 25, rel=1e-6)


def test_large_logits_stay_finite():
    assert all_pairs_nce(jnp.eye(3) * 400 - 200) == pytest.approx(0, abs=1e-6)
    assert all_pairs_nce(200 - jnp.eye(3) * 400) == pytest.approx(200)


def test_it_is_the_balanced_loss_with_other_weights():
    """Constant logits: the balanced loss is stationary at 0, this one at -log(B - 1)."""
    for loss, best in [(binary_nce, 0.0), (all_pairs_nce, -np.log(4))]:
        slope = jax.jit(jax.grad(lambda c, loss=loss: loss(jnp.full((5, 5), c))))(best)
        assert slope == pytest.approx(0, abs=1e-6)
