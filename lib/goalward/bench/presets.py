"""The benchmark's settings: networks, goals and weights of each method in each family of tasks.

Park et al. 2025, as in their public configuration: three hidden layers of 512 units,
batches of 1024, Adam with step size 3e-4, and a weight of imitation that is tuned to the family.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from goalward.baselines.gciql import GCIQL
from goalward.baselines.gcivl import GCIVL
from goalward.baselines.offline import ACTOR_GOALS, OfflineGCBC
from goalward.baselines.qrl import QRL
from goalward.bench.agents import (
    OfflineCLearning,
    OfflineContrastiveRL,
    OfflineStableContrastiveRL,
    OfflineTDInfoNCE,
)
from goalward.bench.names import Name, Unknown
from goalward.data.goal_mixtures import GoalMixture
from goalward.losses.logistic import all_pairs_nce
from goalward.methods.hiql import HIQL
from goalward.nets.critics import InnerProductCritic
from goalward.nets.normalized import GoalValue, NormalizedMLP, ScaledInnerProductCritic
from goalward.nets.plain_policies import UnitGaussianPolicy
from goalward.nets.quasimetric import IQECritic
from goalward.nets.stable import StableMLP
from goalward.nets.subgoals import SubgoalEncoder
from goalward.protocol import Agent

WIDTH = 512
BATCH = 1024
LAYERS = 3
INTERVALS = 8
"""In each component of an interval quasimetric."""
SUBGOAL_DIM = 10
"""Of HIQL's representations of subgoals, whatever the width."""
STABLE_DIM = 16
"""Of the encodings of stable contrastive RL, whatever the width."""


@dataclass(frozen=True)
class Sizes:
    """What a preset leaves open.

    Attributes:
        action: how many numbers an action has.
        width: units of each hidden layer, and of a critic's encodings.
        batch: transitions in a batch.
        learning_rate: Adam's step size.
    """

    action: int
    width: int = WIDTH
    batch: int = BATCH
    learning_rate: float = 3e-4

    @property
    def hidden(self) -> tuple[int, ...]:
        """The hidden layers."""
        return (self.width,) * LAYERS

    @property
    def encoder(self) -> NormalizedMLP:
        """From a state, or a state and an action, to an encoding."""
        return NormalizedMLP((*self.hidden, self.width))


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
    table = _IMITATION[method]
    return table[name.kind if name.kind in table else name.family]


def subgoal_steps(name: Name) -> int:
    """How many steps ahead HIQL's subgoals lie: a fraction of what a task takes."""
    if name.family == "humanoidmaze":
        return 100
    return 25 if name.family in ("pointmaze", "antmaze", "antsoccer") else 10


def _shared(name: Name, sizes: Sizes) -> dict[str, Any]:
    return {
        "gamma": gamma(name),
        "actor": UnitGaussianPolicy(sizes.action, sizes.hidden),
        "batch_size": sizes.batch,
        "learning_rate": sizes.learning_rate,
        "actor_goals": actor_goals(name),
    }


def _gcbc(name: Name, sizes: Sizes) -> Agent:
    return OfflineGCBC(**_shared(name, sizes) | {"actor_goals": ACTOR_GOALS})


def _gcivl(name: Name, sizes: Sizes) -> Agent:
    return GCIVL(value=GoalValue(sizes.hidden), **_shared(name, sizes))


def _gciql(name: Name, sizes: Sizes) -> Agent:
    return GCIQL(
        state_value=GoalValue(sizes.hidden),
        critic=GoalValue(sizes.hidden),
        bc=imitation("gciql", name),
        **_shared(name, sizes),
    )


def _hiql(name: Name, sizes: Sizes) -> Agent:
    sharpness = 10.0 if name.kind == "explore" else 3.0
    return HIQL(
        representation=SubgoalEncoder((*sizes.hidden, SUBGOAL_DIM)),
        value=GoalValue(sizes.hidden),
        high_actor=UnitGaussianPolicy(SUBGOAL_DIM, sizes.hidden),
        subgoal_steps=subgoal_steps(name),
        sharpness=sharpness,
        high_sharpness=sharpness,
        **_shared(name, sizes),
    )


def _qrl(name: Name, sizes: Sizes) -> Agent:
    if sizes.width % INTERVALS:
        raise Unknown(f"qrl takes a --width that {INTERVALS} divides, not {sizes.width}")
    return QRL(
        critic=IQECritic(sizes.encoder, sizes.width // INTERVALS),
        dynamics=sizes.encoder,
        bc=imitation("qrl", name),
        **_shared(name, sizes),
    )


def _contrastive(agent: Callable[..., Agent], name: Name, sizes: Sizes) -> Agent:
    return agent(
        critic=ScaledInnerProductCritic(sizes.encoder, sizes.encoder),
        bc=imitation("contrastive_rl", name),
        **_shared(name, sizes),
    )


def _stable_contrastive_rl(name: Name, sizes: Sizes) -> Agent:
    towers = (StableMLP((*sizes.hidden, STABLE_DIM)) for _ in range(2))
    return OfflineStableContrastiveRL(
        critic=InnerProductCritic(*towers),
        bc=imitation("contrastive_rl", name),
        **_shared(name, sizes),
    )


METHODS: dict[str, Callable[[Name, Sizes], Agent]] = {
    "gcbc": _gcbc,
    "gcivl": _gcivl,
    "gciql": _gciql,
    "hiql": _hiql,
    "qrl": _qrl,
    "contrastive_rl": partial(_contrastive, partial(OfflineContrastiveRL, contrast=all_pairs_nce)),
    "stable_contrastive_rl": _stable_contrastive_rl,
    "c_learning": partial(_contrastive, OfflineCLearning),
    "td_infonce": partial(_contrastive, OfflineTDInfoNCE),
}


def learner(method: str, name: Name, sizes: Sizes) -> Agent:
    """A method of the benchmark, with its settings for a data set.

    Raises:
        Unknown: no method is called that.
    """
    if method not in METHODS:
        raise Unknown(f"no method is called {method!r}; there are {', '.join(METHODS)}")
    return METHODS[method](name, sizes)
