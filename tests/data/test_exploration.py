"""Smooth actions: a stationary drift with the stated persistence."""

import numpy as np
import pytest

from goalward.data.exploration import smooth_actions


@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_the_drift_is_stationary_and_as_persistent_as_stated(persistence):
    actions = smooth_actions(np.random.default_rng(0), 40_000, 12, 2, persistence, spread=0.5)
    u = np.arctanh(actions.astype(float)) / 0.5
    assert actions.shape == (40_000, 12, 2)
    np.testing.assert_allclose(u.var(axis=0), 1.0, atol=0.05)
    np.testing.assert_allclose(u.mean(axis=0), 0.0, atol=0.03)
    np.testing.assert_allclose((u[:, 5] * u[:, 6]).mean(), persistence, atol=0.03)
    np.testing.assert_allclose((u[:, 2] * u[:, 5]).mean(), persistence**3, atol=0.03)
    np.testing.assert_allclose((u[..., 0] * u[..., 1]).mean(), 0.0, atol=0.02)


def test_a_persistence_of_one_is_refused():
    with pytest.raises(ValueError, match="persistence"):
        smooth_actions(np.random.default_rng(0), 1, 2, 1, persistence=1.0)
