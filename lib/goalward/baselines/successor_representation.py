"""The successor representation learned by temporal differences (Dayan 1993), in a table."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from goalward.data.goals import GoalTransitions, goal_transitions
from goalward.data.trajectories import Dataset
from goalward.protocol import (
    PLAIN,
    Key,
    LearnerState,
    Metrics,
    check_discount,
    gradient_step,
    initial_state,
)


@dataclass(frozen=True)
class SuccessorRepresentation:
    """The learner for the recorded policy: one row of probabilities for each (state, action).

    Attributes:
        states: how many states; they are integers from 0.
        actions: how many actions.
        gamma: the discount.
        batch_size: transitions in a batch.
        learning_rate: where the state's step size starts.
        transform: the optimiser without its step size; the identity is the classical rule, which
            moves a row by `learning_rate / batch_size` of its temporal-difference error.
        tau: how far the target table moves towards the table after each update.
    """

    states: int
    actions: int
    gamma: float
    batch_size: int = 256
    learning_rate: float = 1.0
    transform: optax.GradientTransformation = PLAIN
    tau: float = 1.0

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: GoalTransitions) -> LearnerState:
        """A table in which every future state is equally likely."""
        table = jnp.full((self.states * self.actions, self.states), 1.0 / self.states)
        return initial_state(table, self.transform, self.learning_rate)

    def batch(self, data: Dataset, key: Key) -> GoalTransitions:
        """Transitions; their goals and random states are not used."""
        return goal_transitions(data, key, self.batch_size)

    def loss(
        self,
        params: Float[Array, "pairs states"],
        state: LearnerState,
        batch: GoalTransitions,
        key: Key,
    ) -> tuple[Float[Array, ""], Metrics]:
        r"""$\frac12\|M(s,a) - (1-\gamma)e_{s'} - \gamma\bar M(s',a')\|^2$, summed over futures."""
        arrived = jax.nn.one_hot(batch.next_state, self.states)
        target_table: Array = state.target_params
        later = target_table[batch.next_state * self.actions + batch.next_action]
        target = (1 - self.gamma) * arrived + self.gamma * later
        error = params[batch.state * self.actions + batch.action] - target
        return 0.5 * jnp.mean(jnp.sum(error**2, axis=1)), {}

    def update(
        self, state: LearnerState, batch: GoalTransitions, key: Key
    ) -> tuple[LearnerState, Metrics]:
        """One gradient step and one step of the target."""
        return gradient_step(self.loss, state, batch, key, self.transform, self.tau)
