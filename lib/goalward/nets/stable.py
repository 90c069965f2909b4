"""Networks of Stable Contrastive RL: normalised layers, cold last layers, a shallow wide encoder.

Zheng et al. 2024, Section 4 and their released code. Normalisation and initial scale are separate
switches, so that each can be studied alone.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.nets.critics import InnerProductCritic

COLD = 1e-12
"""The paper's scale of the last layer's weights: all representations start (nearly) alike."""

HIDDEN = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")
"""Uniform weights after Glorot and Bengio, with the gain of a relu."""


def symmetric_uniform(scale: float) -> nn.initializers.Initializer:
    """Weights uniform between -scale and scale."""

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -scale, scale)

    return init


class StableMLP(nn.Module):
    """Dense layers, each followed by normalisation and then relu, and a linear last layer.

    Attributes:
        widths: units of each layer in turn; the last entry is the output's dimension.
        normalise: whether each hidden layer's units are brought to mean 0 and variance 1 (and
            then scaled and shifted by learned numbers), before the relu (Ba et al. 2016). None
            leaves it to the parameters: see `with_normalisation`.
        last_scale: the last layer's weights start uniform in plus and minus this.
    """

    widths: Sequence[int]
    normalise: bool | None = True
    last_scale: float = COLD

    @nn.compact
    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Map the last axis of `x`; all axes before it are batch.

        Raises:
            ValueError: if `widths` is empty.
        """
        if not self.widths:
            raise ValueError("StableMLP needs at least one width: the output's dimension")
        on = self.normalise
        if on is None:
            switch = self.param("normalise", nn.initializers.ones, ())
            on = jax.lax.stop_gradient(switch) > 0
        for width in self.widths[:-1]:
            x = nn.Dense(width, kernel_init=HIDDEN)(x)
            x = nn.relu(x if on is False else jnp.where(on, nn.LayerNorm()(x), x))
        init = symmetric_uniform(self.last_scale)
        return nn.Dense(self.widths[-1], kernel_init=init, name="last")(x)


class ShallowEncoder(nn.Module):
    """Three convolutions and nothing more, for images with values from 0 to 255.

    The paper's encoder of 48 by 48 images: kernels of 8, 4 and 3 pixels, strides 4, 2 and 1.

    Attributes:
        channels: of each convolution in turn.
        normalise: as in `StableMLP`.
    """

    channels: tuple[int, int, int] = (32, 64, 64)
    normalise: bool = True

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "batch height width bands"]
    ) -> Float[Array, "batch features"]:
        """The features of the last convolution, flattened."""
        x = images.astype(jnp.float32) / 255.0
        shapes = ((8, 4, 2), (4, 2, 1), (3, 1, 1))
        for channels, (kernel, stride, padding) in zip(self.channels, shapes, strict=True):
            x = nn.Conv(
                channels, (kernel, kernel), (stride, stride), padding, kernel_init=HIDDEN
            )(x)  # fmt: skip
            if self.normalise:
                x = nn.LayerNorm(reduction_axes=(-3, -2, -1), feature_axes=-1)(x)
            x = nn.relu(x)
        return x.reshape(len(x), -1)


class OneHotCritic(InnerProductCritic):
    """An `InnerProductCritic` of integer actions: the anchor's action enters as a unit vector.

    Attributes:
        actions: how many actions there are.
    """

    actions: int = 2

    def encode_anchor(self, anchor: PyTree) -> Float[Array, "rows features"]:
        """``phi`` of states and integer actions."""
        state, action = anchor
        return super().encode_anchor((state, jax.nn.one_hot(action, self.actions)))


def with_last_scale(params: PyTree, scale: float | Float[Array, ""]) -> PyTree:
    """The same parameters, every last layer of a `StableMLP` multiplied by `scale`.

    From a network made with `last_scale=1`, this gives the one with `last_scale=scale`: so a
    sweep over initial scales is a sweep over initial states, and needs no second compilation.
    """

    def rescaled(path: tuple[jax.tree_util.DictKey, ...], leaf: Array) -> Array:
        names = [entry.key for entry in path]
        return leaf * scale if names[-2:] == ["last", "kernel"] else leaf

    return jax.tree_util.tree_map_with_path(rescaled, params)


def with_normalisation(params: PyTree, on: bool | Float[Array, ""]) -> PyTree:
    """The same parameters, with the layers of every `StableMLP` normalised or not.

    For networks made with `normalise=None`: the switch is a number among the parameters, which no
    gradient moves, so that networks with and without train in one loop.
    """

    def switched(path: tuple[jax.tree_util.DictKey, ...], leaf: Array) -> Array:
        return jnp.full_like(leaf, on) if path[-1].key == "normalise" else leaf

    return jax.tree_util.tree_map_with_path(switched, params)
