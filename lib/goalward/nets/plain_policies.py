"""Policies without a deviation to learn: a Gaussian of deviation 1, and a choice among a few.

The reference agents of OGBench clone with these: a Gaussian's log density is then a squared error.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from goalward.nets.mlp import MLP
from goalward.nets.normalized import FAN_AVG
from goalward.protocol import Key

SMALL = nn.initializers.variance_scaling(0.01, "fan_avg", "uniform")
"""Of the last layer: a fresh policy does nearly the same everywhere."""


class _Head(nn.Module):
    """A perceptron on state and goal (GELU), its last layer small.

    Attributes:
        actions: the output's dimension.
        widths: hidden layers.
        observation_encoder: applied to both state and goal first (images), if given.
    """

    actions: int
    widths: tuple[int, ...] = (64, 64)
    observation_encoder: nn.Module | None = None

    @nn.compact
    def __call__(
        self, state: Shaped[Array, "batch *state"], goal: Shaped[Array, "batch *goal"]
    ) -> Float[Array, "batch actions"]:
        """The means of a Gaussian, or the logits of a choice."""
        if self.observation_encoder is not None:
            state, goal = self.observation_encoder(state), self.observation_encoder(goal)
        hidden = MLP(self.widths, nn.gelu, final_activation=nn.gelu, kernel_init=FAN_AVG)(
            jnp.concatenate([state, goal], axis=-1)
        )
        return nn.Dense(self.actions, kernel_init=SMALL)(hidden)


class UnitGaussianPolicy(_Head):
    r"""$a \sim N(\mu(s, g), I)$ with an unbounded mean; actions taken are clipped to [-1, 1]."""

    def sample(
        self,
        state: Shaped[Array, "batch *state"],
        goal: Shaped[Array, "batch *goal"],
        key: Key,
        temperature: float | Float[Array, ""] = 1.0,
    ) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
        """A clipped action and the Gaussian's log density there; gradients flow through both.

        `temperature` scales the deviation; at 0 the action is the clipped mean. The log density is
        that at temperature 1.
        """
        mean = self(state, goal)
        action = jnp.clip(mean + temperature * jax.random.normal(key, mean.shape), -1, 1)
        return action, _log_density(action, mean)

    def log_prob(
        self,
        state: Shaped[Array, "batch *state"],
        goal: Shaped[Array, "batch *goal"],
        action: Float[Array, "batch actions"],
    ) -> Float[Array, " batch"]:
        """The Gaussian's log density at recorded actions, in nats."""
        return _log_density(action, self(state, goal))


class CategoricalPolicy(_Head):
    """A choice among `actions` actions, numbered from 0."""

    def sample(
        self,
        state: Shaped[Array, "batch *state"],
        goal: Shaped[Array, "batch *goal"],
        key: Key,
        temperature: float | Float[Array, ""] = 1.0,
    ) -> tuple[Int[Array, " batch"], Float[Array, " batch"]]:
        """An action and its log probability at temperature 1.

        `temperature` divides the logits; at 0 the action is the likeliest one.
        """
        logits = jax.nn.log_softmax(self(state, goal))
        action = jax.random.categorical(key, logits / jnp.maximum(temperature, 1e-6))
        return action, _pick(logits, action)

    def log_prob(
        self,
        state: Shaped[Array, "batch *state"],
        goal: Shaped[Array, "batch *goal"],
        action: Int[Array, " batch"],
    ) -> Float[Array, " batch"]:
        """The log probability of recorded actions, in nats."""
        return _pick(jax.nn.log_softmax(self(state, goal)), action)


def _log_density(action: Array, mean: Array) -> Array:
    return jnp.sum(-0.5 * (action - mean) ** 2 - 0.5 * jnp.log(2 * jnp.pi), axis=-1)


def _pick(logits: Array, action: Array) -> Array:
    return jnp.take_along_axis(logits, action[:, None], axis=1)[:, 0]
