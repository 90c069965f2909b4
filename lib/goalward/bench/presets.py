"""The benchmark's settings: networks, goals and weights of each method in each family of tasks.

Park et al. 2025, as in their public configuration: three hidden layers of 512 units,
batches of 1024, Adam with step size 3e-4, and a weight of imitation that is tuned to the family.
Images are read by a small residual network, in batches of 256. Where actions are choices, no
gradient reaches them, and a policy imitates those that did well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn

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
from goalward.data.crops import JointCrop
from goalward.data.goal_mixtures import GoalMixture
from goalward.losses.logistic import all_pairs_nce
from goalward.methods.hiql import HIQL
from goalward.nets.critics import InnerProductCritic
from goalward.nets.images import EarlyFusion, ImpalaEncoder, LateFusion, Reading
from goalward.nets.normalized import GoalValue, NormalizedMLP, ScaledInnerProductCritic
from goalward.nets.plain_policies import CategoricalPolicy, UnitGaussianPolicy
from goalward.nets.quasimetric import IQECritic
from goalward.nets.stable import StableMLP
from goalward.nets.subgoals import SubgoalEncoder
from goalward.protocol import Agent

WIDTH = 512
BATCH = 1024
LAYERS = 3
IMAGE_BATCH = 256
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
        action: how many numbers an action has, or how many there are to choose from.
        width: units of each hidden layer, and of encodings.
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

    @property
    def eye(self) -> ImpalaEncoder:
        """From an image to an encoding."""
        return ImpalaEncoder(out=self.width)


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


def own_batch(name: Name) -> int:
    """The benchmark's number of transitions in a batch."""
    return IMAGE_BATCH if name.images else BATCH


def crop(name: Name) -> JointCrop | None:
    """Pictures of hands and what they handle are shifted by up to three pixels, half of them."""
    hands = name.visual and name.family in ("cube", "scene", "puzzle")
    return JointCrop(pad=3, probability=0.5) if hands else None


def sharpness(name: Name) -> dict[str, Any]:
    """How strongly good actions are preferred, where the policy has to imitate."""
    return {"sharpness": 3.0} if name.discrete else {}


def subgoal_steps(name: Name) -> int:
    """How many steps ahead HIQL's subgoals lie: a fraction of what a task takes."""
    if name.family == "humanoidmaze":
        return 100
    return 25 if name.family in ("pointmaze", "antmaze", "antsoccer") else 10


def _together(name: Name, sizes: Sizes, network: nn.Module) -> nn.Module:
    """The network; where there are images, on the code of state and goal read together."""
    return _reading(name, sizes, EarlyFusion(sizes.eye), network)


def _apart(name: Name, sizes: Sizes, network: nn.Module) -> nn.Module:
    """The network; where there are images, on the codes of state and of goal."""
    return _reading(name, sizes, LateFusion(sizes.eye, sizes.eye), network)


def _state_read(name: Name, sizes: Sizes, network: nn.Module) -> nn.Module:
    """The network; where there are images, on the state's code, and the goal as it is."""
    return _reading(name, sizes, LateFusion(sizes.eye), network)


def _reading(name: Name, sizes: Sizes, reader: nn.Module, network: nn.Module) -> nn.Module:
    if not name.images:
        return network
    return Reading(reader, network, sizes.action if name.discrete else None)


def _policy(name: Name, sizes: Sizes) -> nn.Module:
    kind = CategoricalPolicy if name.discrete else UnitGaussianPolicy
    return kind(sizes.action, sizes.hidden)


def _shared(name: Name, sizes: Sizes) -> dict[str, Any]:
    return {
        "gamma": gamma(name),
        "actor": _together(name, sizes, _policy(name, sizes)),
        "crop": crop(name),
        "batch_size": sizes.batch,
        "learning_rate": sizes.learning_rate,
        "actor_goals": actor_goals(name),
    }


def _gcbc(name: Name, sizes: Sizes) -> Agent:
    return OfflineGCBC(**_shared(name, sizes) | {"actor_goals": ACTOR_GOALS})


def _gcivl(name: Name, sizes: Sizes) -> Agent:
    value = _together(name, sizes, GoalValue(sizes.hidden))
    return GCIVL(value=value, **sharpness(name), **_shared(name, sizes))


def _gciql(name: Name, sizes: Sizes) -> Agent:
    return GCIQL(
        state_value=_together(name, sizes, GoalValue(sizes.hidden)),
        critic=_together(name, sizes, GoalValue(sizes.hidden)),
        bc=imitation("gciql", name),
        **sharpness(name),
        **_shared(name, sizes),
    )


def _hiql(name: Name, sizes: Sizes) -> Agent:
    alpha = 10.0 if name.kind == "explore" else 3.0
    return HIQL(
        representation=_together(name, sizes, SubgoalEncoder((*sizes.hidden, SUBGOAL_DIM))),
        value=_state_read(name, sizes, GoalValue(sizes.hidden)),
        high_actor=_together(name, sizes, UnitGaussianPolicy(SUBGOAL_DIM, sizes.hidden)),
        low_level_represents=name.images,
        subgoal_steps=subgoal_steps(name),
        sharpness=alpha,
        high_sharpness=alpha,
        **_shared(name, sizes) | {"actor": _state_read(name, sizes, _policy(name, sizes))},
    )


def _qrl(name: Name, sizes: Sizes) -> Agent:
    if sizes.width % INTERVALS:
        raise Unknown(f"qrl takes a --width that {INTERVALS} divides, not {sizes.width}")
    encoder = nn.Sequential((sizes.eye, sizes.encoder)) if name.images else sizes.encoder
    return QRL(
        critic=IQECritic(encoder, sizes.width // INTERVALS),
        dynamics=None if name.discrete else sizes.encoder,
        bc=imitation("qrl", name),
        **sharpness(name),
        **_shared(name, sizes),
    )


def _contrastive_rl(name: Name, sizes: Sizes) -> Agent:
    def critic() -> nn.Module:
        return _apart(name, sizes, ScaledInnerProductCritic(sizes.encoder, sizes.encoder))

    return OfflineContrastiveRL(
        critic=critic(),
        state_critic=critic() if name.discrete else None,
        contrast=all_pairs_nce,
        bc=imitation("contrastive_rl", name),
        **sharpness(name),
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
    "contrastive_rl": _contrastive_rl,
    "stable_contrastive_rl": _stable_contrastive_rl,
    "c_learning": partial(_contrastive, OfflineCLearning),
    "td_infonce": partial(_contrastive, OfflineTDInfoNCE),
}

READ_IMAGES = ("gcbc", "gcivl", "gciql", "hiql", "qrl", "contrastive_rl")


def learner(method: str, name: Name, sizes: Sizes) -> Agent:
    """A method of the benchmark, with its settings for a data set.

    Raises:
        Unknown: no method is called that, or it is not one for images.
    """
    if method not in METHODS:
        raise Unknown(f"no method is called {method!r}; there are {', '.join(METHODS)}")
    if name.images and method not in READ_IMAGES:
        raise Unknown(
            f"{method} has no version for the images of {name.text}: take {', '.join(READ_IMAGES)}"
        )
    return METHODS[method](name, sizes)
