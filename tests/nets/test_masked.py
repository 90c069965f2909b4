import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.nets.masked import MaskedMLP

NET = MaskedMLP(units=12, actions=3)
X = jax.random.normal(jax.random.key(0), (5, 4))


def shaken(width):
    """Parameters with biases that are not zero."""
    params = NET.init(jax.random.key(1), X, jnp.array(width))
    return jax.tree.map(lambda p: p + 0.1 * jax.random.normal(jax.random.key(2), p.shape), params)


@pytest.mark.parametrize("width", [1, 5, 12])
def test_it_is_an_ordinary_network_on_the_units_that_exist(width):
    params = shaken(width)
    p = {name: np.asarray(value, np.float64) for name, value in params["params"].items()}
    x = np.asarray(X, np.float64)
    rows = x.shape[1]
    for layer in ("hidden0", "hidden1"):
        x = x @ p[layer][:rows, :width] + p[f"{layer}_bias"][:width]
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-6)
        x, rows = np.maximum(x, 0), width
    expected = x @ p["out"][:width] + p["out_bias"]
    np.testing.assert_allclose(NET.apply(params, X, jnp.array(width)), expected, atol=2e-5)


def test_units_that_do_not_exist_are_never_trained():
    params = shaken(5)
    gradient = jax.grad(lambda p: jnp.sum(NET.apply(p, X, jnp.array(5)) ** 2))(params)["params"]
    for name in ("hidden0", "hidden1"):
        assert not np.any(gradient[name][:, 5:])
        assert not np.any(gradient[f"{name}_bias"][5:])
        assert np.any(gradient[name][:, :5])
    assert not np.any(gradient["hidden1"][5:])
    assert not np.any(gradient["out"][5:])


def test_fresh_weights_have_variance_one_over_the_inputs_that_exist():
    big = MaskedMLP(units=400, actions=300)
    params = big.init(jax.random.key(0), jnp.ones((1, 50)), jnp.array(25))["params"]
    for name, fan_in in (("hidden0", 50), ("hidden1", 25), ("out", 25)):
        assert np.var(params[name]) == pytest.approx(1 / fan_in, rel=0.1)
        assert not np.any(params[f"{name}_bias"])


def test_one_program_serves_all_widths():
    params = shaken(12)
    apply = jax.jit(NET.apply)
    for width in (3, 7):
        expected = NET.apply(params, X, jnp.array(width))
        np.testing.assert_allclose(apply(params, X, jnp.array(width)), expected, atol=1e-5)
    assert apply._cache_size() == 1
