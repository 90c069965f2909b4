"""Agents whose critic is a distance: what those that learn one offline have in common.

They differ in the loss of the distance. The policy goes where the distance to its goal is shortest.
"""

from dataclasses import dataclass

from jaxtyping import Array, Float, PyTree, Shaped

from goalward.baselines.offline import FUTURE, OfflineActorCritic, apply_members
from goalward.data.goal_mixtures import GoalMixture
from goalward.nets.action_metric import ActionMetric
from goalward.protocol import Params

Rows = Shaped[Array, "batch ..."]


@dataclass(frozen=True, kw_only=True)
class MetricActorCritic(OfflineActorCritic):
    """An `OfflineActorCritic` with copies of an `ActionMetric`; a subclass adds `critic_loss`.

    A point is a state, or a tuple of a state and an action, as the metric has them.
    """

    critic: ActionMetric
    value_goals: GoalMixture = FUTURE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.goal_entries is not None:
            raise ValueError("a quasimetric takes whole observations as goals: drop goal_entries")
        if self.sharpness is not None:
            raise ValueError("the policy follows the distance: give bc, and no sharpness")

    def distance(self, params: Params, x: PyTree, y: PyTree) -> Float[Array, "members batch"]:
        """From each point to its own, by each copy."""
        return -apply_members(self.critic, params["critic"], x, y)

    def distances(
        self, params: Params, x: PyTree, y: PyTree, hold: bool = False
    ) -> Float[Array, "members rows columns"]:
        """From every point to every other; with `hold` no gradient reaches the encodings of `y`."""
        return -apply_members(self.critic, params["critic"], x, y, hold, method="pairwise")

    def value(
        self, params: Params, state: Rows, action: Rows, goal: PyTree
    ) -> Float[Array, " batch"]:
        """Minus the largest of the copies' distances to the goal, a point."""
        return -self.distance(params, (state, action), goal).max(axis=0)
