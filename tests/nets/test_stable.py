"""The stable networks against layers written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.nets.stable import (
    COLD,
    OneHotCritic,
    ShallowEncoder,
    StableMLP,
    symmetric_uniform,
    with_last_scale,
    with_normalisation,
)


def normalised(x):
    """Mean 0 and variance 1 over the last axis."""
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)


@pytest.mark.parametrize("normalise", [False, True])
def test_normalisation_stands_between_the_layer_and_the_relu(normalise):
    net = StableMLP((5, 7, 3), normalise, last_scale=0.5)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 2))
    params = net.init(jax.random.key(0), jnp.asarray(x))
    params = jax.tree.map(lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape), params)
    layers = params["params"]
    for k in range(2):
        x = x @ np.asarray(layers[f"Dense_{k}"]["kernel"]) + np.asarray(
            layers[f"Dense_{k}"]["bias"]
        )
        if normalise:
            norm = layers[f"LayerNorm_{k}"]
            x = normalised(x) * np.asarray(norm["scale"]) + np.asarray(norm["bias"])
        x = np.maximum(x, 0)
    x = x @ np.asarray(layers["last"]["kernel"]) + np.asarray(layers["last"]["bias"])
    got = net.apply(params, jnp.asarray(np.random.default_rng(0).normal(size=(4, 2))))
    np.testing.assert_allclose(got, x, atol=1e-5)


def test_hidden_units_do_not_notice_the_scale_of_the_input():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 4)), jnp.float32)
    net = StableMLP((16, 3), last_scale=1.0)
    params = net.init(jax.random.key(0), x)
    np.testing.assert_allclose(net.apply(params, 50 * x), net.apply(params, x), atol=1e-3)
    plain = StableMLP((16, 3), normalise=False, last_scale=1.0)
    params = plain.init(jax.random.key(0), x)
    np.testing.assert_allclose(plain.apply(params, 50 * x), 50 * plain.apply(params, x), rtol=1e-4)


def test_the_last_layer_starts_cold_and_the_others_do_not():
    params = StableMLP((64, 64, 16)).init(jax.random.key(0), jnp.zeros((1, 64)))["params"]
    last = np.asarray(params["last"]["kernel"])
    assert 0.9 * COLD < np.abs(last).max() <= COLD
    assert np.all(np.asarray(params["last"]["bias"]) == 0)
    # Glorot's bound with the gain of a relu: sqrt(2) sqrt(6 / (in + out)).
    bound = np.sqrt(2) * np.sqrt(6 / 128)
    hidden = np.abs(np.asarray(params["Dense_1"]["kernel"]))
    assert 0.97 * bound < hidden.max() <= bound * (1 + 1e-6)


def test_a_scale_of_the_last_layer_is_a_factor_on_fresh_parameters():
    x = jnp.ones((1, 3))
    unit = StableMLP((8, 4), last_scale=1.0).init(jax.random.key(3), x)
    small = StableMLP((8, 4), last_scale=0.01).init(jax.random.key(3), x)
    rescaled = with_last_scale(unit, 0.01)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), rescaled, small)


def test_a_number_among_the_parameters_switches_normalisation():
    """And no gradient moves it, nor the numbers of a norm that is switched off."""
    rng = np.random.default_rng(2)
    x = jnp.asarray(rng.normal(size=(6, 4)), jnp.float32)
    either = StableMLP((8, 8, 3), normalise=None, last_scale=1.0)
    params = either.init(jax.random.key(0), x)
    params = jax.tree.map(lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape), params)
    slope = jax.jit(jax.grad(lambda p: (either.apply(p, x) ** 2).sum()))
    for on in (True, False):
        switched = with_normalisation(params, on)
        plain = {k: v for k, v in switched["params"].items() if k != "normalise"}
        if not on:
            plain = {k: v for k, v in plain.items() if "Norm" not in k}
        fixed = StableMLP((8, 8, 3), normalise=on, last_scale=1.0)
        wanted = fixed.apply({"params": plain}, x)
        np.testing.assert_array_equal(either.apply(switched, x), wanted)
        slopes = slope(switched)["params"]
        assert slopes["normalise"] == 0
        assert np.any(slopes["LayerNorm_0"]["scale"]) == on


def test_symmetric_uniform_fills_its_range():
    drawn = np.asarray(symmetric_uniform(0.3)(jax.random.key(0), (200, 200)))
    np.testing.assert_allclose([drawn.min(), drawn.max()], [-0.3, 0.3], rtol=1e-2)
    assert abs(drawn.mean()) < 0.01
    assert drawn.std() == pytest.approx(0.3 / np.sqrt(3), rel=0.02)


def test_an_empty_network_says_what_is_missing():
    with pytest.raises(ValueError, match="at least one width"):
        StableMLP(()).init(jax.random.key(0), jnp.zeros((1, 2)))


def convolution(x, kernel, bias, stride, padding):
    """A loop over windows; x (height, width, bands), kernel (rows, columns, bands, channels)."""
    x = np.pad(x, [(padding, padding), (padding, padding), (0, 0)])
    rows, columns = (
        (size - n) // stride + 1 for size, n in zip(x.shape[:2], kernel.shape[:2], strict=True)
    )
    out = np.empty((rows, columns, kernel.shape[-1]))
    for i, j in np.ndindex(rows, columns):
        top, left = i * stride, j * stride
        window = x[top : top + kernel.shape[0], left : left + kernel.shape[1]]
        out[i, j] = np.tensordot(window, kernel, axes=3) + bias
    return out


def test_the_encoder_is_three_convolutions():
    net = ShallowEncoder(channels=(2, 3, 4))
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, size=(2, 16, 16, 3)), jnp.uint8)
    params = net.init(jax.random.key(0), image)
    layers = params["params"]
    for n in range(2):
        x = np.asarray(image[n]) / 255.0
        for k, (stride, padding) in enumerate(((4, 2), (2, 1), (1, 1))):
            layer = layers[f"Conv_{k}"]
            x = convolution(
                x, np.asarray(layer["kernel"]), np.asarray(layer["bias"]), stride, padding
            )
            x = np.maximum((x - x.mean()) / np.sqrt(x.var() + 1e-6), 0)
        np.testing.assert_allclose(net.apply(params, image)[n], x.ravel(), atol=1e-4)
    paper = jax.eval_shape(
        lambda x: ShallowEncoder().init_with_output(jax.random.key(0), x)[0],
        jnp.zeros((1, 48, 48, 3), jnp.uint8),
    )
    assert paper.shape == (1, 64 * 6 * 6)


def test_integer_actions_enter_as_unit_vectors():
    tower = StableMLP((8, 4), last_scale=1.0)
    critic = OneHotCritic(tower, tower.clone(), actions=3)
    rng = np.random.default_rng(0)
    state, goal = jnp.asarray(rng.normal(size=(2, 5, 6)), jnp.float32)
    action = jnp.array([0, 1, 2, 1, 0])
    params = critic.init(jax.random.key(0), (state, action), goal)
    joined = np.concatenate([state, np.eye(3, dtype=np.float32)[action]], axis=1)
    phi = tower.apply({"params": params["params"]["anchor_encoder"]}, jnp.asarray(joined))
    psi = tower.apply({"params": params["params"]["future_encoder"]}, goal)
    pairwise = critic.apply(params, (state, action), goal, method="pairwise")
    np.testing.assert_allclose(pairwise, phi @ psi.T, atol=1e-5)
    matched = critic.apply(params, (state, action), goal)
    np.testing.assert_allclose(matched, np.diagonal(pairwise), atol=1e-5)
