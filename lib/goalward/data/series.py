"""Synthetic time series with known laws, ways to hide them, and pairs drawn from them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from goalward.data.sampling import fixed_stride_pairs
from goalward.protocol import Key


def plane_rotations(key: Key, angles: Float[Array, " planes"]) -> Float[Array, "2*planes 2*planes"]:
    """A rotation by the given angles (radians), each in one plane of a random orthonormal basis."""
    d = 2 * len(angles)
    basis = jax.random.orthogonal(key, d)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    blocks = jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)
    return basis @ jax.scipy.linalg.block_diag(*blocks) @ basis.T


def ou_step(
    key: Key, z: Float[Array, "*batch d"], Q: Float[Array, "d d"], rho: Float[Array, ""] | float
) -> Float[Array, "*batch d"]:
    r"""One step of $z' = \rho Qz + \sqrt{1-\rho^2}\,\epsilon$, which keeps $\mathcal N(0, I)$.

    The discrete Ornstein-Uhlenbeck process, with a rotation Q.
    """
    return rho * z @ Q.T + jnp.sqrt(1 - rho**2) * jax.random.normal(key, z.shape)


def spirals(
    key: Key,
    n: int,
    length: int = 61,
    turn: float = 0.12,
    growth: float = 0.03,
    noise: float = 0.02,
) -> Float[Array, "n length 2"]:
    """Outward spirals in the plane from random angles and radii between 0.2 and 0.5.

    Args:
        key: Randomness of starts and noise.
        n: How many series.
        length: States in each.
        turn: Radians a step.
        growth: Rate of the radius's exponential growth a step.
        noise: Standard deviation of the noise added to each coordinate.
    """
    key_angle, key_radius, key_noise = jax.random.split(key, 3)
    time = jnp.arange(length)
    angle = jax.random.uniform(key_angle, (n, 1), maxval=2 * jnp.pi) + turn * time
    radius = jax.random.uniform(key_radius, (n, 1), minval=0.2, maxval=0.5) * jnp.exp(growth * time)
    clean = radius[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    return clean + noise * jax.random.normal(key_noise, clean.shape)


def orthonormal_columns(key: Key, dim: int, columns: int) -> Float[Array, "dim columns"]:
    """Random orthonormal columns, uniform over all such sets.

    Raises:
        ValueError: If there are more columns than dimensions.
    """
    if columns > dim:
        raise ValueError(f"at most {dim} columns of {dim} numbers are orthonormal, not {columns}")
    return jax.random.orthogonal(key, dim)[:, :columns]


def sine_lift(
    z: Float[Array, "*batch d"], columns: Float[Array, "dim 2*d"]
) -> Float[Array, "*batch dim"]:
    r"""Show z in more dimensions, $2W_1z + W_2\sin z$, with $[W_1, W_2]$ the given columns.

    With `orthonormal_columns` the map is invertible: $2z = W_1^\top x$.
    """
    d = z.shape[-1]
    return 2 * z @ columns[:, :d].T + jnp.sin(z) @ columns[:, d:].T


class RandomLayer(NamedTuple):
    """One hidden layer of random weights: what `tanh_lift` shows points through."""

    V: Float[Array, "inputs hidden"]
    b: Float[Array, " hidden"]
    U: Float[Array, "hidden dim"]


def random_layer(
    key: Key, inputs: int, dim: int, hidden: int = 128, spread: float = 1.5
) -> RandomLayer:
    r"""Gaussian weights with standard deviations `spread`, 1 and $1/\sqrt{\text{hidden}}$."""
    key_v, key_b, key_u = jax.random.split(key, 3)
    V = spread * jax.random.normal(key_v, (inputs, hidden))
    U = jax.random.normal(key_u, (hidden, dim)) / jnp.sqrt(hidden)
    return RandomLayer(V, jax.random.normal(key_b, (hidden,)), U)


def tanh_lift(x: Float[Array, "*batch inputs"], layer: RandomLayer) -> Float[Array, "*batch dim"]:
    r"""Show x in other dimensions, bent: $U^\top\tanh(V^\top x+b)$."""
    return jnp.tanh(x @ layer.V + layer.b) @ layer.U


def standardise(
    x: Float[Array, "*batch dim"], reference: Float[Array, "*reference dim"]
) -> Float[Array, "*batch dim"]:
    """Shift and scale each coordinate by its mean and standard deviation in `reference`."""
    axes = tuple(range(reference.ndim - 1))
    return (x - reference.mean(axes)) / reference.std(axes)


def stride_pairs(
    series: Float[Array, "n length dim"], key: Key, stride: int, batch: int
) -> tuple[Float[Array, "batch dim"], Float[Array, "batch dim"]]:
    """Observations and those `stride` steps later in the same series, from uniform anchors."""
    n, length, _ = series.shape
    past, future = fixed_stride_pairs(key, n, length, stride, batch)
    rows = series.reshape(n * length, -1)
    return rows[past], rows[future]
