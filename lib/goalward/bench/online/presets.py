"""Each method that learns while acting, with its networks and losses for an environment.

Networks and numbers are the public configuration of JaxGCRL (Bortkiewicz et al. 2025), where it has
them: two hidden layers of 256 with swish, encodings of 64 numbers, an entropy of -1/2 for each
number of an action, half of the value-based methods' goals relabelled. `contrastive_rl` is their
agent, which `goalward bench parity` checks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optax
from jaxtyping import Array

from goalward.baselines.sac_her import SACHER
from goalward.baselines.td3_her import TD3HER, Within
from goalward.bench.data.names import Unknown
from goalward.bench.online.settings import OnlineSettings
from goalward.bench.runs.options import named
from goalward.losses.contrastive import info_nce, symmetric_info_nce
from goalward.losses.logistic import all_pairs_nce
from goalward.losses.preferences import dpo, forward_backward, ipo, sppo
from goalward.methods.contrastive_rl import ContrastiveRL
from goalward.nets.energies import ENERGIES, EnergyCritic
from goalward.nets.mlp import MLP
from goalward.nets.normalized import GoalValue
from goalward.nets.swish_policy import UNIFORM, SwishGaussianPolicy
from goalward.protocol import Agent, GoalEnvironment

ENCODING = 64
"""Numbers in an encoding."""
PENALTY = 0.1
NOISE = math.log(0.2)
"""Logarithm of the deviation with which TD3 explores."""
FLAT_ADAM = optax.flatten(optax.scale_by_adam())
"""Adam on one long vector: the same numbers with fewer operations. One object, as `ADAM` is."""


def backward_info_nce(logits: Array) -> Array:
    """Each future tells its own state and action from the others."""
    return info_nce(logits, axis=0)


def both_directions(logits: Array) -> Array:
    """The sum, not the mean, of both directions, as in the paper: the penalty weighs against it."""
    return 2 * symmetric_info_nce(logits)


LOSSES: dict[str, Callable[..., Any]] = {
    "symmetric": both_directions,
    "forward": info_nce,
    "backward": backward_info_nce,
    "logistic": all_pairs_nce,
    "dpo": dpo,
    "ipo": ipo,
    "sppo": sppo,
    "forward_backward": forward_backward,
}
"""What trains them; the first is what is taken if none is asked for."""


def _shared(settings: OnlineSettings, env: GoalEnvironment) -> dict[str, Any]:
    return {
        "gamma": settings.gamma,
        "batch_size": settings.batch,
        "learning_rate": settings.learning_rate,
        "goal_entries": tuple(env.goal_entries),
        "bc": 0.0,
        "transform": FLAT_ADAM,
    }


def _policy(settings: OnlineSettings, env: GoalEnvironment, **told: Any) -> SwishGaussianPolicy:
    hidden = (settings.width,) * settings.depth
    return SwishGaussianPolicy(env.action_size, hidden, **told)


def _contrastive_rl(settings: OnlineSettings, env: GoalEnvironment) -> Agent:
    layers = (*(settings.width,) * settings.depth, ENCODING)
    return ContrastiveRL(
        critic=EnergyCritic(
            MLP(layers, kernel_init=UNIFORM),
            MLP(layers, kernel_init=UNIFORM),
            energy=_of("energy", settings.energy, ENERGIES),
        ),
        actor=_policy(settings, env),
        contrast=_of("loss", settings.loss, LOSSES),
        partition_penalty=PENALTY if settings.penalty is None else settings.penalty,
        random_goals=0.0,
        target_entropy=-0.5 * env.action_size,
        **_shared(settings, env),
    )


def _sac_her(settings: OnlineSettings, env: GoalEnvironment) -> Agent:
    return SACHER(
        critic=GoalValue((settings.width,) * settings.depth),
        actor=_policy(settings, env),
        reached=Within(float(env.reach)),
        target_entropy=-0.5 * env.action_size,
        **_shared(settings, env),
    )


def _td3_her(settings: OnlineSettings, env: GoalEnvironment) -> Agent:
    return TD3HER(
        critic=GoalValue((settings.width,) * settings.depth),
        actor=_policy(settings, env, log_std_range=(NOISE, NOISE)),
        reached=Within(float(env.reach)),
        **_shared(settings, env),
    )


@dataclass(frozen=True)
class Preset:
    """A method that learns while acting.

    Attributes:
        make: the agent with its settings for an environment.
        options: settings of this method alone.
    """

    make: Callable[[OnlineSettings, GoalEnvironment], Agent]
    options: tuple[str, ...] = ()


OPTIONS = ("energy", "loss", "penalty")
METHODS = {
    "contrastive_rl": Preset(_contrastive_rl, OPTIONS),
    "sac_her": Preset(_sac_her),
    "td3_her": Preset(_td3_her),
}


def agent(settings: OnlineSettings, env: GoalEnvironment) -> Agent:
    """The method that the settings name, for an environment.

    Raises:
        Unknown: there is no such method, energy or loss (the nearest is offered), or the method
            has no such setting.
    """
    check(settings)
    return METHODS[settings.method].make(settings, env)


def check(settings: OnlineSettings) -> None:
    """See that there are such a method, energy and loss.

    Raises:
        Unknown: there are not.
    """
    preset = _of("method", settings.method, METHODS)
    for option in OPTIONS:
        if getattr(settings, option) is not None and option not in preset.options:
            raise Unknown(f"{settings.method} has no {option}: leave out --{option}")
    if settings.method == "contrastive_rl":
        _of("energy", settings.energy, ENERGIES)
        _of("loss", settings.loss, LOSSES)
        if settings.batch < 2:
            raise Unknown("contrastive_rl tells transitions apart: --batch is at least 2, not 1")


def _of(what: str, name: str | None, there: dict[str, Any]) -> Any:
    """What is called so, the first if nothing is asked for."""
    if name is None:
        return next(iter(there.values()))
    return named(what, name, there)
