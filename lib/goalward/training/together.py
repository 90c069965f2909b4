"""Several learners in one compiled loop, each as if it were alone."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import PyTree

from goalward.protocol import Batch, Key, Learner, LearnerState, Metrics


@dataclass(frozen=True)
class Together:
    """Learners that train side by side on the same data, for the same number of updates.

    Most of a small training run is compiling, and what learners have in common (the loop, the
    draws from the data) is compiled once. Each gets the keys that it would get alone, so each
    comes to the parameters that it would come to alone. The fields of the state hold a tuple or,
    for the step sizes, an array over learners. The loss is the sum of theirs; what learner 0 logs
    as `x` is logged as `0/x`.

    Attributes:
        learners: all of them, each frozen and hashable.
        own_data: whether the data are a tuple with a part for each learner, not shared by all.
    """

    learners: tuple[Learner, ...]
    own_data: bool = False

    def init(self, key: Key, example: Batch) -> LearnerState:
        """Each learner's state before its first update."""
        states = [
            learner.init(key, part) for learner, part in zip(self.learners, example, strict=True)
        ]
        return _join(states)

    def batch(self, data: PyTree, key: Key) -> Batch:
        """A batch for each."""
        parts = data if self.own_data else (data,) * len(self.learners)
        return tuple(
            learner.batch(part, key) for learner, part in zip(self.learners, parts, strict=True)
        )

    def loss(
        self, params: PyTree, state: LearnerState, batch: Batch, key: Key
    ) -> tuple[jnp.ndarray, Metrics]:
        """The sum of the losses."""
        parts = zip(self.learners, params, batch, strict=True)
        losses = [
            learner.loss(own, self.state_of(state, i), part, key)[0]
            for i, (learner, own, part) in enumerate(parts)
        ]
        return jnp.sum(jnp.stack(losses)), {}

    def update(self, state: LearnerState, batch: Batch, key: Key) -> tuple[LearnerState, Metrics]:
        """One update of each."""
        states, losses, logged = [], [], {}  # type: ignore[var-annotated]
        for i, (learner, part) in enumerate(zip(self.learners, batch, strict=True)):
            own, metrics = learner.update(self.state_of(state, i), part, key)
            states.append(own)
            losses.append(metrics["loss"])
            logged |= {f"{i}/{name}": value for name, value in metrics.items()}
        return _join(states), {"loss": jnp.sum(jnp.stack(losses)), **logged}

    def state_of(self, state: LearnerState, number: int) -> LearnerState:
        """One learner's own state."""
        return state.replace(  # type: ignore[attr-defined,no-any-return]
            params=state.params[number],  # type: ignore[index]
            target_params=state.target_params[number],  # type: ignore[index]
            opt_state=state.opt_state[number],
            learning_rate=state.learning_rate[..., number],
        )


def _join(states: list[LearnerState]) -> LearnerState:
    return LearnerState(
        params=tuple(s.params for s in states),
        target_params=tuple(s.target_params for s in states),
        opt_state=tuple(s.opt_state for s in states),
        step=states[0].step,
        learning_rate=jnp.stack([s.learning_rate for s in states], axis=-1),
    )
