"""Subgoals as short vectors: a goal as it looks from a state, on a sphere."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from goalward.nets.normalized import NormalizedMLP
from goalward.nets.unit import unit


def to_sphere(x: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
    r"""$\sqrt{d}\,x / \|x\|$: the same direction, so long that entries are about 1 in size.

    Zero has no direction and stays zero.
    """
    return unit(x) * jnp.sqrt(x.shape[-1])


class SubgoalEncoder(nn.Module):
    r"""$\phi([s; g])$: state and goal, joined, to a vector of length $\sqrt d$ (Park et al. 2023).

    Attributes:
        widths: hidden layers, and last the dimension $d$ of the vector.
    """

    widths: tuple[int, ...]

    @nn.compact
    def __call__(
        self, state: Shaped[Array, "batch *state"], goal: Shaped[Array, "batch *goal"]
    ) -> Float[Array, "batch dim"]:
        """What the goal is called in each state."""
        return to_sphere(NormalizedMLP(self.widths)(jnp.concatenate([state, goal], axis=-1)))
