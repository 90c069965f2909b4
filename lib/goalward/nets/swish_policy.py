"""The policy of JaxGCRL (Bortkiewicz et al. 2025): swish, and a deviation squashed by a tanh."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from goalward.nets.mlp import MLP
from goalward.nets.policies import TanhGaussianPolicy

UNIFORM = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Initial weights; one object, so that equal agents compare equal and share compiled code."""


class SwishGaussianPolicy(TanhGaussianPolicy):
    r"""A `TanhGaussianPolicy` whose log deviation is $\tanh$, stretched over its range."""

    log_std_range: tuple[float, float] = (-5.0, 2.0)

    def setup(self) -> None:
        self.head = MLP((*self.widths, 2 * self.actions), nn.swish, kernel_init=UNIFORM)

    def __call__(
        self, state: Shaped[Array, "batch *state"], goal: Shaped[Array, "batch *goal"]
    ) -> tuple[Float[Array, "batch actions"], Float[Array, "batch actions"]]:
        """Mean and logarithm of the deviation of $u$, before the tanh."""
        if self.observation_encoder is not None:
            state, goal = self.observation_encoder(state), self.observation_encoder(goal)
        mean, raw = jnp.split(self.head(jnp.concatenate([state, goal], axis=-1)), 2, axis=-1)
        low, high = self.log_std_range
        return mean, low + (high - low) * (jnp.tanh(raw) + 1) / 2
