r"""Behavioural cloning by a flow: a policy that can keep several ways of acting apart.

Lipman et al. 2023 for the loss; as a policy in Park et al. 2025. A Gaussian that imitates "left or
right" says "straight on"; a flow carries noise to both.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
from jaxtyping import Array, Float, Int, PyTree

from goalward.losses.flow import flow_matching
from goalward.nets.flow import integrate
from goalward.protocol import (
    ADAM,
    Key,
    LearnerState,
    Metrics,
    Params,
    gradient_step,
    initial_state,
)

Pairs = tuple[PyTree, Array]
"""What is told, arrays of equally many rows (or none), and the rows to imitate."""


@dataclass(frozen=True)
class FlowBC:
    """Imitates rows of numbers, given what is told of each.

    Attributes:
        field: a velocity field such as `goalward.nets.flow.VelocityField`.
        batch_size: rows in a batch.
        learning_rate: of Adam.
        flow_steps: of Euler's method.
    """

    field: nn.Module
    batch_size: int = 256
    learning_rate: float = 1e-3
    flow_steps: int = 10

    def init(self, key: Key, example: Pairs) -> LearnerState:
        """Fresh parameters."""
        told, x = example
        return initial_state(self.field.init(key, told, x, x[:, :1]), ADAM, self.learning_rate)

    def batch(self, data: Pairs, key: Key) -> Pairs:
        """Rows drawn evenly, with replacement."""
        rows: Int[Array, " batch"] = jax.random.randint(key, (self.batch_size,), 0, len(data[1]))
        return jax.tree.map(lambda leaf: leaf[rows], data)  # type: ignore[no-any-return]

    def loss(
        self, params: Params, state: LearnerState, batch: Pairs, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """Flow matching."""
        told, x = batch
        return flow_matching(lambda y, t: self.field.apply(params, told, y, t), x, key), {}  # type: ignore

    def update(self, state: LearnerState, batch: Pairs, key: Key) -> tuple[LearnerState, Metrics]:
        """One Adam step."""
        return gradient_step(self.loss, state, batch, key, ADAM)

    def sample(self, params: Params, told: PyTree, noise: Array) -> Array:
        """Where the flow carries noise, one row of it for each row of what is told."""
        field = lambda y, t: self.field.apply(params, told, y, t)  # noqa: E731
        return integrate(field, noise, self.flow_steps)  # type: ignore[arg-type]
