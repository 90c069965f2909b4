"""A small convolutional encoder for small images."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped


class ConvEncoder(nn.Module):
    """3 by 3 convolutions of stride 2, then one dense layer.

    Each convolution is written as a matrix product of nine shifted slices: under a vmap over
    seeds, where every copy has kernels of its own, XLA's convolution is many times slower on a CPU.

    Attributes:
        channels: of each convolution in turn.
        out: dimension of the encoding.
    """

    channels: tuple[int, ...] = (8, 16)
    out: int = 64

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "*batch height width bands"]
    ) -> Float[Array, "*batch {self.out}"]:
        """Encode images with values from 0 to 255."""
        x = images.astype(jnp.float32) / 255.0
        for channels in self.channels:
            x = nn.relu(nn.Dense(channels)(_patches(x)))
        return nn.relu(nn.Dense(self.out)(x.reshape(*x.shape[:-3], -1)))


def _patches(x: Array) -> Array:
    """The 3 by 3 neighbourhood of every second pixel, padded with zeros as `SAME` pads."""
    height, width = x.shape[-3:-1]
    up, left = ((1 if size % 2 else 0) for size in (height, width))
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 3) + [(up, 1), (left, 1), (0, 0)])
    slices = [x[..., i : i + height : 2, j : j + width : 2, :] for i in range(3) for j in range(3)]
    return jnp.concatenate(slices, axis=-1)
