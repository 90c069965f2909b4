"""The benchmark's own numbers: sizes, discounts, goals and weights in each family of tasks.

Park et al. 2025, as in their public configuration; SHARSA's as in its authors' commands.
"""

from typing import Any

import jax.numpy as jnp

from goalward.baselines.offline import ACTOR_GOALS
from goalward.bench.data.names import Name
from goalward.data.crops import JointCrop
from goalward.data.goal_mixtures import GoalMixture

WIDTH = 512
BATCH = 1024
LAYERS = 3
LEARNING_RATE = 3e-4
IMAGE_BATCH = 256
INTERVALS = 8
"""In each component of an interval quasimetric."""
COMPONENTS = 8
"""Of a metric residual network."""
OWN_BATCHES = {"tmd": 512, "mqe": 256}
"""Of methods whose authors took another batch than the benchmark's."""
SUBGOAL_DIM = 10
"""Of HIQL's representations of subgoals, whatever the width."""
STABLE_DIM = 16
"""Of the encodings of stable contrastive RL, whatever the width."""
SHARPNESS = 3.0
"""Of AWR, where the benchmark has no number of its own."""
SHARSA_VALUE_GOALS = GoalMixture(current=0.2, trajectory=0.5, random=0.3, geometric=False)

_KINDS = ("pointmaze", "antmaze", "humanoidmaze", "antsoccer", "explore", "play", "noisy")
_IMITATION = {
    method: dict(zip(_KINDS, weights, strict=True))
    for method, weights in {
        "gciql": (0.003, 0.3, 0.1, 0.1, 0.01, 1.0, 0.03),
        "qrl": (0.0003, 0.003, 0.001, 0.003, 0.001, 0.3, 0.03),
        "contrastive_rl": (0.03, 0.1, 0.1, 0.3, 0.003, 3.0, 0.1),
    }.items()
}
"""Weight of imitation, by kind of data where that decides, else by family.

Contrastive methods that the benchmark's authors did not tune take contrastive RL's.
"""
_TUNED_AS = {"temporal_distances": "contrastive_rl", "tmd": "contrastive_rl"}
_IMITATION["mqe"] = dict.fromkeys(_KINDS, 0.1)  # its authors tuned it, and published no list


def gamma(name: Name) -> float:
    """The discount: longer mazes and slower bodies look further ahead."""
    return 0.995 if name.family == "humanoidmaze" or name.size == "giant" else 0.99


def actor_goals(name: Name) -> GoalMixture:
    """What the policy is told: goals of other trajectories too, where trajectories are short."""
    if name.kind == "explore":
        return GoalMixture(random=1.0)
    if name.kind == "stitch":
        return GoalMixture(trajectory=0.5, random=0.5, geometric=False)
    return ACTOR_GOALS


def imitation(method: str, name: Name) -> float:
    """The weight of imitating recorded actions."""
    table = _IMITATION[_TUNED_AS.get(method, method)]
    return table[name.kind if name.kind in table else name.family]


def own_batch(name: Name, method: str) -> int:
    """The number of transitions in a batch: of the method's authors, else the benchmark's."""
    return IMAGE_BATCH if name.images else OWN_BATCHES.get(method, BATCH)


def zeta(name: Name) -> float:
    """The weight of TMD's one-step loss: small in mazes of medium size, as in the paper."""
    return 0.01 if name.size == "medium" else 0.1


def crop(name: Name) -> JointCrop | None:
    """Pictures of hands and what they handle are shifted by up to three pixels, half of them."""
    hands = name.visual and name.family in ("cube", "scene", "puzzle")
    return JointCrop(pad=3, probability=0.5) if hands else None


def subgoal_steps(name: Name) -> int:
    """How many steps ahead HIQL's subgoals lie: a fraction of what a task takes."""
    if name.family == "humanoidmaze":
        return 100
    return 25 if name.family in ("pointmaze", "antmaze", "antsoccer") else 10


_SHARSA_GOALS = {
    "cube": GoalMixture(trajectory=1.0),
    "puzzle": GoalMixture(trajectory=0.5, random=0.5),
    "humanoidmaze": GoalMixture(trajectory=1.0, geometric=False),
}
"""Of the high level, in the families of tasks that its authors tuned it for."""


def sharsa(name: Name) -> dict[str, Any]:
    """SHARSA's discount, goals, subgoals and how its value joins two critics.

    Where its authors have no settings, their discount, the benchmark's goals and 25 steps.
    """
    return {
        "gamma": 0.999,
        "actor_goals": _SHARSA_GOALS.get(name.family, actor_goals(name)),
        "value_goals": SHARSA_VALUE_GOALS,
        "subgoal_steps": 50 if name.family in ("cube", "humanoidmaze") else 25,
        "aggregate": jnp.mean if name.family == "humanoidmaze" else jnp.min,
    }
