"""Quasimetric embeddings: distances that obey the triangle inequality whatever the weights are.

Both functions measure from embedding ``x`` to embedding ``y`` along the last axis and broadcast
over the others. They are zero (to rounding) at ``x = y``, never negative, may differ from ``y`` to
``x``, and have finite gradients everywhere, ``x = y`` included.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

# Inside the square root of the symmetric part: the plain norm has no gradient at x = y. Adding a
# constant to the squared norm is one more coordinate, so the triangle inequality survives.
SOFTENING = 1e-12


def mrn(
    x: Float[Array, "*#batch dim"], y: Float[Array, "*#batch dim"], components: int = 1
) -> Float[Array, "..."]:
    """Metric residual network: ``max_i relu(x_i - y_i)`` plus a Euclidean norm.

    Each of ``components`` equal parts of the embedding is halved; the first half gives the
    asymmetric maximum, the second the symmetric norm; parts are averaged. ``d(x, x) = 1e-6``.
    Source: Liu et al. 2023, "Metric residual networks for sample efficient goal-conditioned
    reinforcement learning", eq. 5; averaged components as in Myers et al. 2024 (CMD).

    Raises:
        ValueError: the embedding does not divide into ``2 * components`` equal pieces.
    """
    _check_split(x.shape[-1], 2 * components, "mrn")
    difference = x - y
    difference = difference.reshape(*difference.shape[:-1], components, 2, -1)
    asymmetric = jnp.max(jax.nn.relu(difference[..., 0, :]), axis=-1)
    symmetric = jnp.sqrt(jnp.sum(difference[..., 1, :] ** 2, axis=-1) + SOFTENING)
    return jnp.mean(asymmetric + symmetric, axis=-1)


def iqe(
    x: Float[Array, "*#batch dim"],
    y: Float[Array, "*#batch dim"],
    components: int = 1,
    mix: Float[Array, ""] | float = 0.0,
) -> Float[Array, "..."]:
    """Interval quasimetric embedding: length of the union of intervals ``[x_i, max(x_i, y_i)]``.

    The embedding is cut into ``components`` equal parts with one union each. ``mix`` in [0, 1]
    goes from their mean (0) to their maximum (1), the *maxmean* reduction. ``d(x, x) = 0``.
    Source: Wang & Isola 2022, "Improved representation of asymmetrical distances with interval
    quasimetric embeddings", Sec. 3.

    Raises:
        ValueError: the embedding does not divide into ``components`` equal pieces.
    """
    _check_split(x.shape[-1], components, "iqe")
    left, right = jnp.broadcast_arrays(
        x.reshape(*x.shape[:-1], components, -1), y.reshape(*y.shape[:-1], components, -1)
    )
    order = jnp.argsort(left, axis=-1)
    left = jnp.take_along_axis(left, order, axis=-1)
    right = jnp.maximum(left, jnp.take_along_axis(right, order, axis=-1))
    # With left ends in order, an interval adds what lies beyond the furthest right end so far.
    covered = jax.lax.cummax(right, axis=right.ndim - 1)
    before = jnp.concatenate([left[..., :1], covered[..., :-1]], axis=-1)
    lengths = jnp.sum(jax.nn.relu(right - jnp.maximum(left, before)), axis=-1)
    return mix * jnp.max(lengths, axis=-1) + (1 - mix) * jnp.mean(lengths, axis=-1)


class MRNCritic(nn.Module):
    """Critic ``f(s, g) = -mrn(phi(s), phi(g))``; ONE encoder, else it is not a quasimetric."""

    encoder: nn.Module
    components: int = 1

    def __call__(
        self, state: Float[Array, "*batch state_dim"], goal: Float[Array, "*batch state_dim"]
    ) -> Float[Array, "*batch"]:
        """Distance from each state to its goal, in nats of the critic."""
        return mrn(self.encoder(state), self.encoder(goal), self.components)

    def pairwise(
        self, states: Float[Array, "rows state_dim"], goals: Float[Array, "columns state_dim"]
    ) -> Float[Array, "rows columns"]:
        """Logits ``[i, j] = -d(states[i], goals[j])``."""
        x, y = self.encoder(states), self.encoder(goals)
        return -mrn(x[:, None], y[None, :], self.components)


class IQECritic(nn.Module):
    """Critic ``f(s, g) = -iqe(phi(s), phi(g))`` with one encoder and a learned maxmean mixture."""

    encoder: nn.Module
    components: int = 4

    def setup(self) -> None:
        self.mix_logit = self.param("mix_logit", nn.initializers.zeros, ())

    def __call__(
        self, state: Float[Array, "*batch state_dim"], goal: Float[Array, "*batch state_dim"]
    ) -> Float[Array, "*batch"]:
        """Distance from each state to its goal, in nats of the critic."""
        mix = jax.nn.sigmoid(self.mix_logit)
        return iqe(self.encoder(state), self.encoder(goal), self.components, mix)

    def pairwise(
        self, states: Float[Array, "rows state_dim"], goals: Float[Array, "columns state_dim"]
    ) -> Float[Array, "rows columns"]:
        """Logits ``[i, j] = -d(states[i], goals[j])``."""
        x, y = self.encoder(states), self.encoder(goals)
        return -iqe(x[:, None], y[None, :], self.components, jax.nn.sigmoid(self.mix_logit))


def _check_split(size: int, parts: int, name: str) -> None:
    if parts < 1 or size % parts:
        raise ValueError(f"{name}: an embedding of {size} does not divide into {parts} equal parts")
