"""What learners of a critic $f(s, a, g, x)$ share: fresh parameters, scores, one gradient step.

The critic scores how likely $x$ is to lie in the future of $(s, a)$ under the policy for the
commanded goal $g$. A learner adds its hyper-parameters, its batches and its loss.
"""

from typing import Any

import flax.linen as nn
import optax
from jaxtyping import Array, Float

from goalward.data.goals import GoalFutures, GoalTransitions
from goalward.protocol import (
    Key,
    LearnerState,
    LossFn,
    Metrics,
    Params,
    gradient_step,
    initial_state,
)


class GoalCritic:
    """The shared part of a frozen dataclass that has these attributes and a `loss`.

    Attributes:
        critic: a Linen module with `critic((state, action, goal), future)`, matching rows, and
            `pairwise`, all pairs.
        learning_rate: where the state's step size starts.
        transform: the optimiser without its step size.
        tau: how far the target critic moves towards the critic after each update; 1 where no
            target is used.
    """

    critic: nn.Module
    learning_rate: float
    transform: optax.GradientTransformation
    tau: float = 1.0
    loss: LossFn

    def init(self, key: Key, example: GoalTransitions | GoalFutures) -> LearnerState:
        """Fresh parameters, shaped for the example batch."""
        params = self.critic.init(key, example.anchor, example.candidate)
        return initial_state(params, self.transform, self.learning_rate)

    def pairwise(self, params: Params, anchor: Any, future: Any) -> Float[Array, "rows columns"]:
        """Scores of every future for every anchor `(state, action, goal)`."""
        return self.critic.apply(params, anchor, future, method="pairwise")  # type: ignore

    def update(
        self, state: LearnerState, batch: GoalTransitions | GoalFutures, key: Key
    ) -> tuple[LearnerState, Metrics]:
        """One gradient step and one step of the target."""
        return gradient_step(self.loss, state, batch, key, self.transform, self.tau)
