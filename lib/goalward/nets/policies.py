"""Policies that are told a goal: a distribution over actions for each state and goal."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from goalward.nets.mlp import MLP
from goalward.protocol import Key

EDGE = 1e-4
"""Recorded actions are kept this far from -1 and 1, where the density is not finite."""


class TanhGaussianPolicy(nn.Module):
    r"""$a=\tanh(u)$ with $u$ normal, mean and deviation from a network of state and goal.

    Attributes:
        actions: dimension of the action; each entry lies in (-1, 1).
        widths: hidden layers.
        observation_encoder: applied to both state and goal first (images), if given.
        log_std_range: the least and the largest logarithm of a deviation.
    """

    actions: int
    widths: tuple[int, ...] = (64, 64)
    observation_encoder: nn.Module | None = None
    log_std_range: tuple[float, float] = (-5.0, 1.0)

    def setup(self) -> None:
        self.head = MLP((*self.widths, 2 * self.actions), activation=nn.relu)

    def __call__(
        self, state: Shaped[Array, "batch *state"], goal: Shaped[Array, "batch *goal"]
    ) -> tuple[Float[Array, "batch actions"], Float[Array, "batch actions"]]:
        """Mean and logarithm of the deviation of $u$, before the tanh."""
        if self.observation_encoder is not None:
            state, goal = self.observation_encoder(state), self.observation_encoder(goal)
        mean, log_std = jnp.split(self.head(jnp.concatenate([state, goal], axis=-1)), 2, axis=-1)
        low, high = self.log_std_range
        return mean, low + (high - low) * jax.nn.sigmoid(log_std)

    def sample(
        self,
        state: Shaped[Array, "batch *state"],
        goal: Shaped[Array, "batch *goal"],
        key: Key,
        temperature: float | Float[Array, ""] = 1.0,
    ) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
        r"""An action and its log density; gradients flow through both.

        `temperature` scales the deviation; at 0 the action is $\tanh$ of the mean. The log density
        is that at temperature 1.
        """
        mean, log_std = self(state, goal)
        noise = jax.random.normal(key, mean.shape)
        u = mean + temperature * jnp.exp(log_std) * noise
        return jnp.tanh(u), _log_density(u, mean, log_std)

    def log_prob(
        self,
        state: Shaped[Array, "batch *state"],
        goal: Shaped[Array, "batch *goal"],
        action: Float[Array, "batch actions"],
    ) -> Float[Array, " batch"]:
        """The log density of recorded actions, in nats."""
        u = jnp.arctanh(jnp.clip(action, -1 + EDGE, 1 - EDGE))
        return _log_density(u, *self(state, goal))


def _log_density(u: Array, mean: Array, log_std: Array) -> Array:
    normal = -0.5 * ((u - mean) * jnp.exp(-log_std)) ** 2 - log_std - 0.5 * jnp.log(2 * jnp.pi)
    # log(1 - tanh(u)^2), without cancellation at large u
    volume = 2 * (jnp.log(2.0) - u - jax.nn.softplus(-2 * u))
    return jnp.sum(normal - volume, axis=-1)
