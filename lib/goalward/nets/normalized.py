"""The networks that OGBench's reference agents share: values with normalised layers (GELU)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.nets.critics import InnerProductCritic

FAN_AVG = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
"""Uniform initial weights of variance 2 / (inputs + outputs); one object, so that equal networks
compare equal and share compiled code."""


class NormalizedMLP(nn.Module):
    """Dense layers; after each but the last GELU, then layer normalisation.

    Attributes:
        widths: units of each layer in turn; the last entry is the output's dimension.
    """

    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Map the last axis of `x`; all axes before it are batch."""
        for width in self.widths[:-1]:
            x = nn.LayerNorm()(nn.gelu(nn.Dense(width, kernel_init=FAN_AVG)(x)))
        return nn.Dense(self.widths[-1], kernel_init=FAN_AVG)(x)


class GoalValue(nn.Module):
    """A value of state and goal, or of state, action and goal.

    Attributes:
        widths: hidden layers.
        observation_encoder: applied to both state and goal first (images), if given.
    """

    widths: tuple[int, ...] = (64, 64)
    observation_encoder: nn.Module | None = None

    @nn.compact
    def __call__(
        self, anchor: PyTree, goal: Shaped[Array, "batch *goal"]
    ) -> Float[Array, " batch"]:
        """The value of each anchor, a state or a tuple `(state, action)`, for its own goal."""
        state, *action = jax.tree.leaves(anchor)
        if self.observation_encoder is not None:
            state, goal = self.observation_encoder(state), self.observation_encoder(goal)
        inputs = jnp.concatenate([state, *action, goal], axis=-1)
        return NormalizedMLP((*self.widths, 1))(inputs)[..., 0]


class ScaledInnerProductCritic(InnerProductCritic):
    r"""Critic ``f(x, y) = phi(x) . psi(y) / sqrt(d)`` of two encoders with `d` outputs each.

    The scale keeps a wide critic's first logits as small as a narrow one's.
    """

    def encode_anchor(self, anchor: PyTree) -> Float[Array, "rows features"]:
        """``phi / sqrt(d)``."""
        phi = super().encode_anchor(anchor)
        return phi / jnp.sqrt(phi.shape[-1])
