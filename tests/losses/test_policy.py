"""Policy extraction: by hand, and what each loss does not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.losses.policy import awr, ddpg_bc, max_q

Q, LOG_PROB, DATA = (jnp.array(x) for x in ([1.0, -3.0], [0.5, 0.1], [-1.0, -2.0]))


def test_both_by_hand():
    # means: q -1, |q| 2, log_prob 0.3, data_log_prob -1.5
    assert max_q(Q, LOG_PROB, DATA, 0.2, 0.5) == pytest.approx(0.8 * (0.15 + 1) + 0.2 * 1.5)
    assert ddpg_bc(Q, LOG_PROB, DATA, 0.2, 0.5) == pytest.approx((0.15 + 1) / 2 + 0.2 * 1.5)
    assert max_q(Q, LOG_PROB, DATA) == pytest.approx(1.0)


@given(st.floats(0.01, 100))
def test_ddpg_bc_does_not_care_for_the_values_units(scale):
    gradient = jax.grad(lambda q: ddpg_bc(q * scale, LOG_PROB, DATA))
    np.testing.assert_allclose(gradient(Q), jax.grad(lambda q: ddpg_bc(q, LOG_PROB, DATA))(Q),
                               rtol=1e-3)  # fmt: skip
    # No gradient flows through the size of the values.
    np.testing.assert_allclose(gradient(Q), -0.25, rtol=1e-3)


def test_weighted_imitation_by_hand_and_its_cap():
    advantage = jnp.array([0.1, -0.3, 5.0, 1e4])
    log_prob = jnp.array([-1.0, -2.0, -0.5, 0.7])
    weight = np.array([np.e, np.exp(-3.0), 100.0, 100.0])  # e^50 is above the cap
    np.testing.assert_allclose(awr(advantage, log_prob), -np.mean(weight * log_prob), rtol=1e-5)
    by_advantage, by_log_prob = jax.grad(awr, argnums=(0, 1))(advantage, log_prob)
    np.testing.assert_array_equal(by_advantage, 0.0)
    np.testing.assert_allclose(by_log_prob, -weight / 4, rtol=1e-5)


@given(st.floats(-2, 2), st.floats(0.1, 5))
def test_a_common_advantage_scales_the_cloning_loss(advantage, sharpness):
    equal = awr(jnp.full(2, advantage), DATA, sharpness, cap=1e6)
    np.testing.assert_allclose(equal, 1.5 * np.exp(sharpness * advantage), rtol=1e-4)
