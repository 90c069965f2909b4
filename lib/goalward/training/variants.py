"""Several learners as one, compiled once: which of them learns is part of the data."""

from dataclasses import dataclass

import jax
import optax
from jaxtyping import Array, Float, Int, PyTree

from goalward.protocol import (
    ADAM,
    Batch,
    Key,
    Learner,
    LearnerState,
    Metrics,
    Params,
    gradient_step,
)


@dataclass(frozen=True)
class OneOf:
    """Learners that draw the same batches, have parameters of one shape and differ in the loss.

    Its data is a pair, a number that says which of them learns and what they draw from. With
    `data_axis=(None, axes)` all seeds of a call to `goalward.training.loop.train` are the same
    learner, and only its loss is computed; the next call with another number compiles nothing.
    With `(0, axes)` each seed has its own number, and all losses are computed for all seeds.

    Attributes:
        learners: the first of them also draws the batches and the fresh parameters.
        transform: everyone's optimiser without its step size, which the state holds.
        tau: how far everyone's target parameters move after an update.
    """

    learners: tuple[Learner, ...]
    transform: optax.GradientTransformation = ADAM
    tau: float = 1.0

    def init(self, key: Key, example: Batch) -> LearnerState:
        """The first learner's fresh state."""
        return self.learners[0].init(key, example[1])

    def batch(self, data: tuple[Int[Array, ""], PyTree], key: Key) -> Batch:
        """Which learner, and a batch of the first one's."""
        which, rest = data
        return which, self.learners[0].batch(rest, key)

    def loss(
        self, params: Params, state: LearnerState, batch: Batch, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """That learner's loss; what it would log is left out, as the others log other things."""
        which, rest = batch
        losses = [
            lambda *arguments, loss=learner.loss: loss(*arguments)[0] for learner in self.learners
        ]
        return jax.lax.switch(which, losses, params, state, rest, key), {}

    def update(self, state: LearnerState, batch: Batch, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step on that loss."""
        return gradient_step(self.loss, state, batch, key, self.transform, self.tau)
