"""Directions: vectors brought to length one, whatever their size."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def unit(x: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
    r"""$x / \|x\|$ over the last axis.

    Zero has no direction: it stays zero and passes no gradient on, where that of a plain norm is
    NaN. Entries are first divided by the largest, so that no square overflows or vanishes.
    """
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1, keepdims=True))
    some = largest > 0
    x = jnp.where(some, x / jnp.where(some, largest, 1.0), 0.0)
    square = jnp.sum(x**2, axis=-1, keepdims=True)  # at least 1 where there is a direction
    return x / jnp.sqrt(jnp.where(some, square, 1.0))
