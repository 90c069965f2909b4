"""Readers of images against slow convolutions in NumPy, and what copies of them share."""

import jax
import jax.numpy as jnp
import numpy as np

from goalward.baselines.offline import apply_members, init_members
from goalward.nets.images import EarlyFusion, ImpalaEncoder, LateFusion, Reading
from goalward.nets.normalized import GoalValue, ScaledInnerProductCritic
from goalward.nets.normalized import NormalizedMLP as Tower
from goalward.nets.plain_policies import CategoricalPolicy
from offline_oracles import double, gelu, goal_value

ENCODER = ImpalaEncoder(channels=(2, 3), blocks=1, out=4)


def convolution(layer, x):
    """3 by 3, pixel by pixel; beyond the border lie zeros."""
    height, width, _ = x.shape
    out = np.zeros((height, width, len(layer["bias"])))
    for i, j in np.ndindex(height, width):
        out[i, j] = layer["bias"]
        for a, b in np.ndindex(3, 3):
            y, z = i + a - 1, j + b - 1
            if 0 <= y < height and 0 <= z < width:
                out[i, j] += x[y, z] @ layer["kernel"][a, b]
    return out


def pooled(x):
    """The largest in a window of three pixels, every two pixels; odd sizes begin one before."""
    height, width, bands = x.shape
    out = np.full(((height + 1) // 2, (width + 1) // 2, bands), -np.inf)
    for i, j in np.ndindex(out.shape[:2]):
        top, left = 2 * i - height % 2, 2 * j - width % 2
        out[i, j] = x[max(top, 0) : top + 3, max(left, 0) : left + 3].max(axis=(0, 1))
    return out


def impala(params, image):
    """The encoder, one image at a time."""
    layers, x, at = params["params"], image / 255, 0
    for _ in range(2):
        x, *inner = pooled(convolution(layers[f"_Convolution_{at}"], x)), at + 1, at + 2
        block = convolution(layers[f"_Convolution_{inner[0]}"], np.maximum(x, 0))
        x = x + convolution(layers[f"_Convolution_{inner[1]}"], np.maximum(block, 0))
        at += 3
    last = layers["Dense_0"]
    return gelu(np.maximum(x, 0).ravel() @ last["kernel"] + last["bias"])


def some_images(*shape):
    return jnp.asarray(np.random.default_rng(0).integers(0, 256, shape), jnp.uint8)


def random_params(init, *arguments):
    """Parameters of the right shapes; those of a real start take long to compile."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(init, jax.random.key(0), *arguments)
    return jax.tree.map(lambda x: jnp.asarray(0.3 * rng.normal(size=x.shape), x.dtype), shapes)


def test_the_encoder_by_hand():
    images = some_images(2, 6, 5, 3)
    params = random_params(ENCODER.init, images)
    expected = [impala(double(params), np.asarray(image)) for image in images]
    for values in (images, images.astype(jnp.int32)):
        found = jax.jit(ENCODER.apply)(params, values)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    stacked = jax.jit(ENCODER.apply)(params, jnp.stack([images, images]))
    np.testing.assert_allclose(stacked, [expected, expected], rtol=1e-4, atol=1e-5)


def test_the_benchmarks_small_encoder():
    """Its number of parameters, counted by hand from 64 by 64 pixels of two pictures."""
    encoder = ImpalaEncoder()
    params = jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, 64, 64, 6), jnp.uint8))
    stages = [(6, 16), (16, 32), (32, 32)]
    wanted = sum(9 * i * o + o + 2 * (9 * o * o + o) for i, o in stages) + 8 * 8 * 32 * 512 + 512
    assert sum(x.size for x in jax.tree.leaves(params)) == wanted


def test_copies_side_by_side_learn_as_one_by_one():
    """Values and gradients under a vmap, where the convolutions have a rule of their own."""
    images = some_images(2, 4, 4, 3)
    params = random_params(
        lambda key: jax.vmap(lambda k: ENCODER.init(k, images))(jnp.stack([key] * 2))
    )

    def loss(params, images):
        return (ENCODER.apply(params, images) ** 2).sum()

    together = jax.jit(jax.vmap(jax.value_and_grad(loss), in_axes=(0, None)))(params, images)
    for copy in range(2):
        single = jax.tree.map(lambda x, copy=copy: x[copy], params)
        alone = jax.jit(jax.value_and_grad(loss))(single, images)
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(a, b[copy], rtol=1e-4, atol=1e-5)


def test_twins_share_their_reader_and_choices_are_one_hot():
    reader = EarlyFusion(ENCODER)
    critic = Reading(reader, GoalValue((5,)), actions=3)
    state, goal = some_images(2, 2, 4, 4, 3)
    action = jnp.array([2, 0])
    params = random_params(lambda k: init_members(critic, k, 2, (state, action), goal))
    leaves = params["params"]
    assert {x.shape[0] for x in jax.tree.leaves(leaves["network"])} == {2}
    single = jax.eval_shape(reader.init, jax.random.key(0), state, goal)["params"]
    assert jax.tree.map(jnp.shape, leaves["shared"]) == jax.tree.map(jnp.shape, single)
    found = apply_members(critic, params, (state, action), goal)
    exact = double(leaves)
    codes = [
        impala({"params": exact["shared"]["encoder"]}, np.concatenate([s, g], axis=-1))
        for s, g in zip(np.asarray(state), np.asarray(goal), strict=True)
    ]
    for twin in range(2):
        network = jax.tree.map(lambda x, twin=twin: x[twin], exact["network"])
        expected = goal_value({"params": network}, np.array(codes), np.eye(3)[[2, 0]])
        np.testing.assert_allclose(found[twin], expected, rtol=1e-4, atol=1e-5)


def test_pairs_of_codes_read_one_by_one():
    """Each matching pair is the table's diagonal, and no row knows another row's goal."""
    critic = Reading(
        LateFusion(ENCODER, ImpalaEncoder((2,), out=4)),
        ScaledInnerProductCritic(Tower((6,)), Tower((6,))),
        actions=3,
    )
    state, goal = some_images(2, 3, 4, 4, 3)
    anchor = (state, jnp.array([2, 0, 1]))
    params = random_params(critic.init, anchor, goal)
    readers = params["params"]["shared"]
    assert set(readers) == {"state_encoder", "goal_encoder"}
    table = critic.apply(params, anchor, goal, method="pairwise")
    np.testing.assert_allclose(jnp.diagonal(table), critic.apply(params, anchor, goal), atol=1e-6)
    moved = critic.apply(params, anchor, jnp.roll(goal, 1, axis=0), method="pairwise")
    np.testing.assert_allclose(moved, jnp.roll(table, 1, axis=1), atol=1e-6)


def test_a_policy_reads_images():
    policy = Reading(EarlyFusion(ENCODER), CategoricalPolicy(3, (5,)))
    state, goal = some_images(2, 2, 4, 4, 3)
    params = random_params(policy.init, state, goal)
    logits = policy.apply(params, state, goal)
    action, log_prob = policy.apply(params, state, goal, jax.random.key(1), 0.0, method="sample")
    np.testing.assert_array_equal(action, np.argmax(logits, axis=1))
    again = policy.apply(params, state, goal, action, method="log_prob")
    np.testing.assert_allclose(log_prob, again, atol=1e-6)
    np.testing.assert_allclose(again, jax.nn.log_softmax(logits).max(axis=1), atol=1e-6)
    assert jnp.issubdtype(action.dtype, jnp.integer)
