"""JaxGCRL's policy: its network by hand, and the range of its deviation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.nets.swish_policy import SwishGaussianPolicy

STATE, GOAL = 0.3 * jax.random.normal(jax.random.key(0), (2, 3, 2))
INPUT = np.concatenate([STATE, GOAL], axis=1)


def output(params: dict) -> np.ndarray:
    """Of the layers, one after the other."""
    x = INPUT
    for number in range(3):
        layer = params["params"]["head"][f"Dense_{number}"]
        x = x @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])
        x = x / (1 + np.exp(-x)) if number < 2 else x
    return x


@pytest.mark.parametrize("told", [{}, {"log_std_range": (-1.0, 0.5)}])
def test_mean_and_deviation_are_those_of_swish_layers(told: dict) -> None:
    policy = SwishGaussianPolicy(2, (8, 8), **told)
    low, high = told.get("log_std_range", (-5.0, 2.0))
    params = policy.init(jax.random.key(1), STATE, GOAL)
    mean, log_std = policy.apply(params, STATE, GOAL)
    expected = output(params)
    np.testing.assert_allclose(mean, expected[:, :2], atol=1e-6)
    centre, half = (low + high) / 2, (high - low) / 2
    np.testing.assert_allclose(log_std, centre + half * np.tanh(expected[:, 2:]), atol=1e-5)


def test_initial_weights_are_uniform_with_a_third_of_the_usual_variance() -> None:
    policy = SwishGaussianPolicy(2, (400,))
    kernel = policy.init(jax.random.key(1), STATE, GOAL)["params"]["head"]["Dense_0"]["kernel"]
    limit = np.sqrt(1 / 4)  # four numbers go in
    assert np.abs(kernel).max() <= limit
    assert jnp.std(kernel) == pytest.approx(limit / np.sqrt(3), rel=0.05)
