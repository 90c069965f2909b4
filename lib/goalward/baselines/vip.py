r"""Value-implicit pre-training (VIP; Ma et al. 2023): a code whose distances are values.

The value of a goal g is $V(x; g) = -\|\phi(x) - \phi(g)\|_2$, and the reward -1 a step.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, PyTree

from goalward.protocol import (
    Batch,
    Key,
    LearnerState,
    Metrics,
    check_discount,
    gradient_step,
    initial_state,
)


def vip_loss(
    first: Float[Array, "batch d"],
    current: Float[Array, "batch d"],
    following: Float[Array, "batch d"],
    goal: Float[Array, "batch d"],
    gamma: float,
) -> Float[Array, ""]:
    r"""VIP's objective on the codes of four frames of one series (Ma et al. 2023).

    $(1-\gamma)\,\mathbb E[-V(x_0; g)] +
    \log \mathbb E[\exp(1 + V(x_t; g) - \gamma V(x_{t+1}; g))]$: it draws the first frame to the
    goal, and makes each frame as much farther from the goal than the next as the reward of -1 says.
    """
    value = -_distance(first, goal)
    error = 1 - _distance(current, goal) + gamma * _distance(following, goal)
    return -(1 - gamma) * jnp.mean(value) + jax.nn.logsumexp(error) - jnp.log(len(error))


def _distance(x: Array, y: Array) -> Array:
    # The norm's gradient at zero is not a number; a small constant makes it zero.
    return jnp.sqrt(jnp.sum((x - y) ** 2, axis=-1) + 1e-6)


@dataclass(frozen=True)
class VIP:
    """Learns VIP's code from series of observations.

    Attributes:
        encoder: Observation to code.
        batch_size: Quadruples of frames a step.
        transform: Direction of a step, such as `optax.scale_by_adam()`.
        gamma: Discount per step.
        learning_rate: Step size, kept in the state.
    """

    encoder: nn.Module
    batch_size: int
    transform: optax.GradientTransformation
    gamma: float = 0.98
    learning_rate: float = 3e-4

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: Batch) -> LearnerState:
        """A fresh encoder."""
        params = self.encoder.init(key, example[0])
        return initial_state(params, self.transform, self.learning_rate)

    def batch(self, data: Float[Array, "n length obs"], key: Key) -> Batch:
        """Four frames of a series: first <= current < following <= goal, current uniform."""
        n, length, _ = data.shape
        key_row, key_current, key_first, key_goal = jax.random.split(key, 4)
        shape = (self.batch_size,)
        row = jax.random.randint(key_row, shape, 0, n)
        current = jax.random.randint(key_current, shape, 0, length - 1)
        first = jax.random.randint(key_first, shape, 0, current + 1)
        goal = jax.random.randint(key_goal, shape, current + 1, length)
        return tuple(data[row, time] for time in (first, current, current + 1, goal))

    def loss(
        self, params: PyTree, state: LearnerState, batch: Batch, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """`vip_loss` of the four frames' codes."""
        first, current, following, goal = (self.encode(params, x) for x in batch)
        return vip_loss(first, current, following, goal, self.gamma), {}

    def update(self, state: LearnerState, batch: Batch, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step on the encoder."""
        return gradient_step(self.loss, state, batch, key, self.transform)

    def encode(self, params: PyTree, x: Float[Array, "*batch obs"]) -> Float[Array, "*batch d"]:
        """The code."""
        return jnp.asarray(self.encoder.apply(params, x))
