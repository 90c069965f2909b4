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
    x, y = (_components_first(z, 2 * components) for z in _same_rank(x, y))
    asymmetric = jnp.max(jax.nn.relu(x[:, ::2] - y[:, ::2]), axis=0)
    symmetric = jnp.sqrt(jnp.sum((x[:, 1::2] - y[:, 1::2]) ** 2, axis=0) + SOFTENING)
    return jnp.mean(asymmetric + symmetric, axis=0)


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
    x, y = _same_rank(x, y)
    union = _union_of_rows if x.shape == y.shape else _union_of_pairs
    lengths = union(_components_first(x, components), _components_first(y, components))
    return mix * jnp.max(lengths, axis=0) + (1 - mix) * jnp.mean(lengths, axis=0)


def _union_of_rows(left: Array, right: Array) -> Array:
    """Length of the union of the intervals along the first axis, all of them against all.

    An interval adds what lies beyond the furthest end of those that begin before it. Three times
    as fast as `_union_of_pairs` for matching rows, and ten times as slow for all pairs of rows.
    """
    left, right = (jnp.moveaxis(z, 0, -1) for z in (left, jnp.maximum(left, right)))
    before = jnp.where(_earlier(left), right[..., None, :], -jnp.inf)
    reached = jnp.maximum(left, jnp.max(before, axis=-1))
    return jnp.sum(jax.nn.relu(right - reached), axis=-1)


def _union_of_pairs(left: Array, right: Array) -> Array:
    """The same, in the order of their left ends; the two arrays broadcast."""
    place = jnp.sum(_earlier(jnp.moveaxis(left, 0, -1)), axis=-1)
    order = jax.nn.one_hot(jnp.moveaxis(place, -1, 0), len(left), axis=0)  # faster than a gather
    lengths, furthest = jnp.zeros(()), jnp.min(left, axis=0)
    for chosen in order:
        start = jnp.maximum(jnp.sum(chosen * left, axis=0), furthest)
        end = jnp.sum(chosen * right, axis=0)
        lengths += jax.nn.relu(end - start)
        furthest = jnp.maximum(furthest, end)
    return lengths


def _earlier(left: Array) -> Array:
    """`[i, j]`: interval `j` begins before `i`; of equal beginnings, the first named."""
    one, other, number = left[..., :, None], left[..., None, :], jnp.arange(left.shape[-1])
    return (other < one) | ((other == one) & (number < number[:, None]))


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


def _same_rank(x: Array, y: Array) -> tuple[Array, Array]:
    rank = max(x.ndim, y.ndim)
    return tuple(z.reshape((1,) * (rank - z.ndim) + z.shape) for z in (x, y))  # type: ignore


def _components_first(z: Array, parts: int) -> Array:
    """``(..., dim)`` to ``(dim / parts, parts, ...)``: long loops over pairs, short ones inside."""
    return jnp.moveaxis(z.reshape(*z.shape[:-1], parts, -1), (-1, -2), (0, 1))
