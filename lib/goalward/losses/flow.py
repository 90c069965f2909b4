r"""Flow matching: learn a field of velocities that carries noise to data (Lipman et al. 2023).

Noise $x_0\sim N(0,I)$ and a data point $x_1$ are joined by a straight line. At time $t$ it is at
$x_t=(1-t)\,x_0+t\,x_1$ and moves with velocity $x_1-x_0$. Many lines cross a place; the field there
is their mean velocity, $v(x,t)=\mathbb E[x_1-x_0\mid x_t=x]$. Who follows it from noise at $t=0$
arrives at $t=1$ with the data's distribution: see `goalward.nets.flow.integrate`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from goalward.protocol import Key

Points = Float[Array, "*batch dim"]
Times = Float[Array, "*batch 1"]
Velocity = Callable[[Points, Times], Points]
"""From places and times to velocities; a condition, if any, is bound to it."""


def flow_matching(velocity: Velocity, x1: Points, key: Key) -> Float[Array, ""]:
    """`line_velocity_error` with fresh noise, and for each row a uniform time.

    The field that minimises its mean is $v$ above; the least value is not zero, but the variance
    of the velocities of the lines that cross.
    """
    key_noise, key_time = jax.random.split(key)
    x0 = jax.random.normal(key_noise, x1.shape)
    t = jax.random.uniform(key_time, (*x1.shape[:-1], 1))
    return line_velocity_error(velocity, x0, x1, t)


def line_velocity_error(velocity: Velocity, x0: Points, x1: Points, t: Times) -> Float[Array, ""]:
    r"""The mean, over rows and entries, of $(v((1-t)x_0+t\,x_1,\,t)-(x_1-x_0))^2$."""
    return jnp.mean((velocity((1 - t) * x0 + t * x1, t) - (x1 - x0)) ** 2)
