"""Each method with the benchmark's settings: its networks and losses for a data set.

Park et al. 2025, as in their public configuration (`goalward.bench.offline.tuning` has the
numbers): three hidden layers, layer norms, and Adam. Images are read by a small residual network.
Where actions are choices, no gradient reaches them, and a policy imitates those that did well. How
the policy follows the values (`EXTRACTIONS`), and how strongly it imitates, can be chosen.
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
from goalward.bench.data.names import Name, Unknown
from goalward.bench.offline.agents import (
    OfflineCLearning,
    OfflineContrastiveRL,
    OfflineStableContrastiveRL,
    OfflineTDInfoNCE,
)
from goalward.bench.offline.tuning import (
    BATCH,
    COMPONENTS,
    INTERVALS,
    LAYERS,
    LEARNING_RATE,
    SHARPNESS,
    STABLE_DIM,
    SUBGOAL_DIM,
    WIDTH,
    actor_goals,
    crop,
    gamma,
    imitation,
    sharsa,
    subgoal_steps,
    zeta,
)
from goalward.bench.runs.options import named
from goalward.losses.logistic import all_pairs_nce
from goalward.methods.hiql import HIQL
from goalward.methods.mqe import MQE
from goalward.methods.sharsa import SHARSA
from goalward.methods.temporal_distances import CMD
from goalward.methods.tmd import TMD
from goalward.nets.action_metric import ActionMetric
from goalward.nets.critics import InnerProductCritic
from goalward.nets.flow import VelocityField
from goalward.nets.images import EarlyFusion, ImpalaEncoder, LateFusion, Reading
from goalward.nets.normalized import GoalValue, NormalizedMLP, ScaledInnerProductCritic
from goalward.nets.plain_policies import CategoricalPolicy, UnitGaussianPolicy
from goalward.nets.quasimetric import IQECritic
from goalward.nets.stable import StableMLP
from goalward.nets.subgoals import SubgoalEncoder
from goalward.protocol import Agent

EXTRACTIONS = ("ddpg_bc", "awr")
"""How a policy follows values: it climbs them, or imitates actions by their advantage."""


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
    learning_rate: float = LEARNING_RATE
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


def _metric(
    method: str, options: Options, states: bool = True, scaled: bool = True
) -> ActionMetric:
    if options.width % (2 * COMPONENTS):
        raise Unknown(
            f"{method} takes a --width that {2 * COMPONENTS} divides, not {options.width}"
        )
    psi = options.encoder if states else None
    return ActionMetric(psi, options.encoder, COMPONENTS, scaled)


def _temporal_distances(name: Name, options: Options) -> Agent:
    return CMD(
        critic=_metric("temporal_distances", options, states=False),
        contrast=all_pairs_nce,
        **extraction("temporal_distances", name, options),
        **_shared(name, options),
    )


def _tmd(name: Name, options: Options) -> Agent:
    return TMD(
        critic=_metric("tmd", options, scaled=False),
        temperature=options.width**0.5,
        zeta=zeta(name),
        action_weight=1.0,
        hold_goals=False,
        **extraction("tmd", name, options),
        **_shared(name, options),
    )


def _mqe(name: Name, options: Options) -> Agent:
    return MQE(
        critic=_metric("mqe", options),
        **extraction("mqe", name, options),
        **_shared(name, options),
    )


def _sharsa(name: Name, options: Options) -> Agent:
    return SHARSA(
        high_actor=VelocityField(options.hidden),
        value=GoalValue(options.hidden),
        critic=GoalValue(options.hidden),
        actions=options.action,
        **_shared(name, options) | sharsa(name) | {"actor": VelocityField(options.hidden)},
    )


@dataclass(frozen=True)
class Preset:
    """A method in the benchmark.

    Attributes:
        make: the learner with its settings for a data set.
        extractions: those of `EXTRACTIONS` that it has; none if it follows no values.
        images: whether it has a version for images.
    """

    make: Callable[[Name, Options], Agent]
    extractions: tuple[str, ...] = ()
    images: bool = False


METHODS = {
    "gcbc": Preset(_gcbc, images=True),
    "gcivl": Preset(_gcivl, ("awr",), images=True),
    "gciql": Preset(_gciql, EXTRACTIONS, images=True),
    "hiql": Preset(_hiql, ("awr",), images=True),
    "qrl": Preset(_qrl, EXTRACTIONS, images=True),
    "contrastive_rl": Preset(_contrastive_rl, EXTRACTIONS, images=True),
    "stable_contrastive_rl": Preset(_stable_contrastive_rl, ("ddpg_bc",)),
    "c_learning": Preset(partial(_contrastive, OfflineCLearning), ("ddpg_bc",)),
    "td_infonce": Preset(partial(_contrastive, OfflineTDInfoNCE), ("ddpg_bc",)),
    "temporal_distances": Preset(_temporal_distances, ("ddpg_bc",)),
    "tmd": Preset(_tmd, ("ddpg_bc",)),
    "mqe": Preset(_mqe, ("ddpg_bc",)),
    "sharsa": Preset(_sharsa),
}


def learner(method: str, name: Name, options: Options) -> Agent:
    """A method of the benchmark, with its settings for a data set.

    Raises:
        Unknown: no method is called that (the nearest is offered), it is not one for images, or its
            policy cannot follow its values in the way that the options ask for.
    """
    preset = named("method", method, METHODS)
    if name.images and not preset.images:
        there = ", ".join(method for method, preset in METHODS.items() if preset.images)
        raise Unknown(f"{method} has no version for the images of {name.text}: take {there}")
    _check(method, preset.extractions, name, options)
    return preset.make(name, options)


def _check(method: str, there: tuple[str, ...], name: Name, options: Options) -> None:
    asked = options.extraction
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
