"""The benchmark's settings: networks, goals and weights of each method in each family of tasks.

Park et al. 2025, as in their public configuration: three hidden layers of 512 units,
batches of 1024, Adam with step size 3e-4, and a weight of imitation that is tuned to the family.
Images are read by a small residual network, in batches of 256. Where actions are choices, no
gradient reaches them, and a policy imitates those that did well. How the policy follows the values
(`EXTRACTIONS`), and how strongly it imitates, can be chosen.
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
EXTRACTIONS = ("ddpg_bc", "awr")
"""How a policy follows values: it climbs them, or imitates actions by their advantage."""
SHARPNESS = 3.0
"""Of AWR, where the benchmark has no number of its own."""


@dataclass(frozen=True)
class Options:
    """What a preset leaves open.

    Attributes:
        action: how many numbers an action has, or how many there are to choose from.
        width: units of each hidden layer, and of encodings.
        batch: transitions in a batch.
        learning_rate: Adam's step size.
        extraction: one of `EXTRACTIONS`; the benchmark's choice if None.
        alpha: the weight of imitation in DDPG+BC, the sharpness of its weights in AWR; the
            benchmark's number if None.
    """

    action: int
    width: int = WIDTH
    batch: int = BATCH
    learning_rate: float = 3e-4
    extraction: str | None = None
    alpha: float | None = None

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


def by_imitation(name: Name, options: Options) -> bool:
    """Whether the policy imitates: asked for, or since no gradient reaches an action."""
    return name.discrete if options.extraction is None else options.extraction == "awr"


def extraction(method: str, name: Name, options: Options) -> dict[str, Any]:
    """The number of the policy's loss: AWR's sharpness, or the weight of imitation."""
    if by_imitation(name, options):
        return {"sharpness": _chosen(options, SHARPNESS)}
    return {"bc": _chosen(options, imitation(method, name))}


def _chosen(options: Options, own: float) -> float:
    return own if options.alpha is None else options.alpha


def subgoal_steps(name: Name) -> int:
    """How many steps ahead HIQL's subgoals lie: a fraction of what a task takes."""
    if name.family == "humanoidmaze":
        return 100
    return 25 if name.family in ("pointmaze", "antmaze", "antsoccer") else 10


def _together(name: Name, options: Options, network: nn.Module) -> nn.Module:
    """The network; where there are images, on the code of state and goal read together."""
    return _reading(name, options, EarlyFusion(options.eye), network)


def _apart(name: Name, options: Options, network: nn.Module) -> nn.Module:
    """The network; where there are images, on the codes of state and of goal."""
    return _reading(name, options, LateFusion(options.eye, options.eye), network)


def _state_read(name: Name, options: Options, network: nn.Module) -> nn.Module:
    """The network; where there are images, on the state's code, and the goal as it is."""
    return _reading(name, options, LateFusion(options.eye), network)


def _reading(name: Name, options: Options, reader: nn.Module, network: nn.Module) -> nn.Module:
    if not name.images:
        return network
    return Reading(reader, network, options.action if name.discrete else None)


def _policy(name: Name, options: Options) -> nn.Module:
    kind = CategoricalPolicy if name.discrete else UnitGaussianPolicy
    return kind(options.action, options.hidden)


def _shared(name: Name, options: Options) -> dict[str, Any]:
    return {
        "gamma": gamma(name),
        "actor": _together(name, options, _policy(name, options)),
        "crop": crop(name),
        "batch_size": options.batch,
        "learning_rate": options.learning_rate,
        "actor_goals": actor_goals(name),
    }


def _gcbc(name: Name, options: Options) -> Agent:
    return OfflineGCBC(**_shared(name, options) | {"actor_goals": ACTOR_GOALS})


def _gcivl(name: Name, options: Options) -> Agent:
    value = _together(name, options, GoalValue(options.hidden))
    alpha = _chosen(options, SHARPNESS if name.discrete else GCIVL.sharpness)
    return GCIVL(value=value, sharpness=alpha, **_shared(name, options))


def _gciql(name: Name, options: Options) -> Agent:
    return GCIQL(
        state_value=_together(name, options, GoalValue(options.hidden)),
        critic=_together(name, options, GoalValue(options.hidden)),
        **extraction("gciql", name, options),
        **_shared(name, options),
    )


def _hiql(name: Name, options: Options) -> Agent:
    alpha = _chosen(options, 10.0 if name.kind == "explore" else SHARPNESS)
    return HIQL(
        representation=_together(name, options, SubgoalEncoder((*options.hidden, SUBGOAL_DIM))),
        value=_state_read(name, options, GoalValue(options.hidden)),
        high_actor=_together(name, options, UnitGaussianPolicy(SUBGOAL_DIM, options.hidden)),
        low_level_represents=name.images,
        subgoal_steps=subgoal_steps(name),
        sharpness=alpha,
        high_sharpness=alpha,
        **_shared(name, options) | {"actor": _state_read(name, options, _policy(name, options))},
    )


def _qrl(name: Name, options: Options) -> Agent:
    if options.width % INTERVALS:
        raise Unknown(f"qrl takes a --width that {INTERVALS} divides, not {options.width}")
    encoder = nn.Sequential((options.eye, options.encoder)) if name.images else options.encoder
    return QRL(
        critic=IQECritic(encoder, options.width // INTERVALS),
        dynamics=None if by_imitation(name, options) else options.encoder,
        **extraction("qrl", name, options),
        **_shared(name, options),
    )


def _contrastive_rl(name: Name, options: Options) -> Agent:
    def critic() -> nn.Module:
        return _apart(name, options, ScaledInnerProductCritic(options.encoder, options.encoder))

    return OfflineContrastiveRL(
        critic=critic(),
        state_critic=critic() if by_imitation(name, options) else None,
        contrast=all_pairs_nce,
        **extraction("contrastive_rl", name, options),
        **_shared(name, options),
    )


def _contrastive(agent: Callable[..., Agent], name: Name, options: Options) -> Agent:
    return agent(
        critic=ScaledInnerProductCritic(options.encoder, options.encoder),
        **extraction("contrastive_rl", name, options),
        **_shared(name, options),
    )


def _stable_contrastive_rl(name: Name, options: Options) -> Agent:
    towers = (StableMLP((*options.hidden, STABLE_DIM)) for _ in range(2))
    return OfflineStableContrastiveRL(
        critic=InnerProductCritic(*towers),
        **extraction("contrastive_rl", name, options),
        **_shared(name, options),
    )


METHODS: dict[str, Callable[[Name, Options], Agent]] = {
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

_FOLLOW = {
    "gcbc": (),
    "gcivl": ("awr",),
    "hiql": ("awr",),
    **dict.fromkeys(("gciql", "qrl", "contrastive_rl"), EXTRACTIONS),
    **dict.fromkeys(("stable_contrastive_rl", "c_learning", "td_infonce"), ("ddpg_bc",)),
}
"""The extractions of each method; imitation alone follows no values."""


def learner(method: str, name: Name, options: Options) -> Agent:
    """A method of the benchmark, with its settings for a data set.

    Raises:
        Unknown: no method is called that, it is not one for images, or its policy cannot follow
            its values in the way that the options ask for.
    """
    if method not in METHODS:
        raise Unknown(f"no method is called {method!r}; there are {', '.join(METHODS)}")
    if name.images and method not in READ_IMAGES:
        raise Unknown(
            f"{method} has no version for the images of {name.text}: take {', '.join(READ_IMAGES)}"
        )
    _check(method, name, options)
    return METHODS[method](name, options)


def _check(method: str, name: Name, options: Options) -> None:
    asked, there = options.extraction, _FOLLOW[method]
    if asked is not None and asked not in EXTRACTIONS:
        raise Unknown(f"no extraction is called {asked!r}; there are {', '.join(EXTRACTIONS)}")
    if not there and (asked, options.alpha) != (None, None):
        raise Unknown(f"{method} follows no values: leave out --extraction and --alpha")
    if asked is not None and asked not in there:
        raise Unknown(f"{method} has no extraction {asked!r}: take {', '.join(there)}")
    if asked == "ddpg_bc" and name.discrete:
        raise Unknown(
            f"the actions of {name.text} are choices, which no gradient reaches: take awr"
        )
    if options.alpha is not None and not options.alpha >= 0:
        raise Unknown(f"--alpha must be at least 0, not {options.alpha}")
