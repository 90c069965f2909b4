"""Fields of velocities that carry noise to data, and how to follow them."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from goalward.nets.normalized import NormalizedMLP


class VelocityField(nn.Module):
    """A velocity for each condition, place and time: a perceptron with normalised layers.

    Attributes:
        widths: hidden layers.
    """

    widths: tuple[int, ...] = (64, 64)

    @nn.compact
    def __call__(
        self, condition: PyTree, x: Float[Array, "*batch dim"], t: Float[Array, "*batch 1"]
    ) -> Float[Array, "*batch dim"]:
        """The velocity at place `x` and time `t`, from 0 (noise) to 1 (data).

        Args:
            condition: what the data depend on, arrays with the same leading axes; `()` if nothing.
        """
        inputs = jnp.concatenate([*jax.tree.leaves(condition), x, t], axis=-1)
        return NormalizedMLP((*self.widths, x.shape[-1]))(inputs)


def integrate(
    velocity: Callable[[Array, Array], Array], x0: Float[Array, "*batch dim"], steps: int
) -> Float[Array, "*batch dim"]:
    r"""Follow a field from time 0 to time 1 by Euler's method.

    $x\leftarrow x+\frac1K\,v(x,\,k/K)$ for $k=0,\dots,K-1$. From noise and a field that has learned
    by `goalward.losses.flow.flow_matching`, the ends are samples of the data.

    Args:
        velocity: from places and times to velocities, a condition bound to it.
        x0: where to begin.
        steps: $K$.

    Raises:
        ValueError: there is no step.
    """
    if steps < 1:
        raise ValueError(f"integrate needs at least 1 step, not {steps}")

    def step(k: Array, x: Array) -> Array:
        t = jnp.full((*x.shape[:-1], 1), k / steps, x.dtype)
        return x + velocity(x, t) / steps

    ends: Array = jax.lax.fori_loop(0, steps, step, x0)
    return ends
