"""A network whose width is data: of its units only the first so many exist."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from goalward.protocol import Key


class MaskedMLP(nn.Module):
    """Two hidden layers with layer normalisation, of which only the first `width` units exist.

    `width` is an argument, not an attribute: networks of all widths are one compiled program. On
    the units that exist it is an ordinary network of that width, from its fresh parameters on.
    """

    units: int
    actions: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "*batch inputs"], width: Int[Array, ""]
    ) -> Float[Array, "*batch actions"]:
        """Logits of all actions' values."""
        mask = (jnp.arange(self.units) < width).astype(x.dtype)
        fan_in: Array | int = x.shape[-1]
        for layer in range(2):
            x = _dense(self, f"hidden{layer}", x, self.units, fan_in) * mask
            mean = jnp.sum(x, -1, keepdims=True) / width
            variance = jnp.sum(mask * (x - mean) ** 2, -1, keepdims=True) / width
            x = nn.relu((x - mean) * jax.lax.rsqrt(variance + 1e-6)) * mask
            fan_in = width
        return _dense(self, "out", x, self.actions, fan_in)


def _dense(module: nn.Module, name: str, x: Array, units: int, fan_in: Array | int) -> Array:
    """A linear layer with weights of variance 1 / fan_in, which may be traced."""

    def draw(key: Key) -> Array:
        return jax.random.normal(key, (x.shape[-1], units)) / jnp.sqrt(fan_in)

    bias = module.param(f"{name}_bias", nn.initializers.zeros, (units,))
    return x @ module.param(name, draw) + bias
