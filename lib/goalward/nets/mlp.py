"""Multi-layer perceptrons: the plain one and the residual one."""

from collections.abc import Callable, Sequence

import jax
from flax import linen as nn
from jaxtyping import Array, Float

Activation = Callable[[jax.Array], jax.Array]


class MLP(nn.Module):
    """Dense layers with an activation between them and a linear last layer.

    Attributes:
        widths: Units of each layer in turn; the last entry is the output's dimension.
        activation: Applied after every layer but the last.
        final_activation: Applied after the last layer; None leaves it linear.
        kernel_init: Initial weights; the default has variance 1 / fan-in. Biases start at zero.
    """

    widths: Sequence[int]
    activation: Activation = nn.swish
    final_activation: Activation | None = None
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Map the last axis of `x`; all axes before it are batch.

        Raises:
            ValueError: If `widths` is empty.
        """
        if not self.widths:
            raise ValueError("MLP needs at least one width: the output's dimension")
        for width in self.widths[:-1]:
            x = self.activation(nn.Dense(width, kernel_init=self.kernel_init)(x))
        x = nn.Dense(self.widths[-1], kernel_init=self.kernel_init)(x)
        return x if self.final_activation is None else self.final_activation(x)


class ResidualMLP(nn.Module):
    """A tower of residual blocks, each act(x + W2 act(W1 x)), between two linear maps.

    With width 64, 5 blocks and out 32 it is the encoder of Eysenbach et al. 2024.

    Attributes:
        width: Units of every hidden layer.
        blocks: Number of residual blocks.
        out: Dimension of the output.
        activation: Used inside and after each block.
        kernel_init: Initial weights; the default has variance 1 / fan-in. Biases start at zero.
    """

    width: int
    blocks: int
    out: int
    activation: Activation = nn.swish
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Map the last axis of `x`; all axes before it are batch."""
        x = self.activation(nn.Dense(self.width, kernel_init=self.kernel_init)(x))
        for _ in range(self.blocks):
            inner = self.activation(nn.Dense(self.width, kernel_init=self.kernel_init)(x))
            x = self.activation(x + nn.Dense(self.width, kernel_init=self.kernel_init)(inner))
        return nn.Dense(self.out, kernel_init=self.kernel_init)(x)
