"""Contrastive RL as JaxGCRL has it, made of our parts; and JaxGCRL's parameters in our form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

from goalward.losses.contrastive import info_nce, symmetric_info_nce
from goalward.methods.contrastive_rl import ContrastiveRL
from goalward.nets.energies import DOT, L2, SQUARED_L2, EnergyCritic
from goalward.nets.mlp import MLP
from goalward.nets.swish_policy import UNIFORM, SwishGaussianPolicy
from goalward.protocol import ADAM, Params

FLAT = optax.flatten(optax.scale_by_adam())
"""Adam on one long vector: the same numbers with fewer operations."""

Tree = Mapping[str, Any]


def _backward(logits: Array) -> Array:
    return info_nce(logits, axis=0)


def _symmetric(logits: Array) -> Array:
    return 2 * symmetric_info_nce(logits)  # theirs is the sum of both, ours the mean


LOSSES: dict[str, Callable[[Array], Array]] = {
    "fwd_infonce": info_nce,
    "bwd_infonce": _backward,
    "sym_infonce": _symmetric,
}
ENERGIES = {"norm": L2, "l2": SQUARED_L2, "dot": DOT}
"""By their names. Their cosine divides by the length of the whole batch, and their `binary_nce`
has no negatives: these two are not imitated."""


@dataclass(frozen=True)
class Config:
    """The settings that both sides are given.

    Attributes:
        energy: one of `ENERGIES`.
        loss: one of `LOSSES`.
        batch: transitions in a batch.
        width: units of each of two hidden layers.
        encoding: numbers in an encoding.
        penalty: weight of the squared log partition function.
        gamma: the discount.
        learning_rate: Adam's step size.
    """

    energy: str = "norm"
    loss: str = "sym_infonce"
    batch: int = 256
    width: int = 256
    encoding: int = 64
    penalty: float = 0.1
    gamma: float = 0.99
    learning_rate: float = 3e-4

    @property
    def theirs(self) -> dict[str, Any]:
        """As arguments of their class."""
        return {
            "energy_fn": self.energy,
            "contrastive_loss_fn": self.loss,
            "batch_size": self.batch,
            "h_dim": self.width,
            "n_hidden": 2,
            "repr_dim": self.encoding,
            "logsumexp_penalty_coeff": self.penalty,
            "discounting": self.gamma,
            **dict.fromkeys(("policy_lr", "critic_lr", "alpha_lr"), self.learning_rate),
        }


def agent(
    config: Config,
    action: int,
    goal_entries: tuple[int, ...],
    transform: optax.GradientTransformation = ADAM,
) -> ContrastiveRL:
    """Our agent with their networks and losses.

    Args:
        config: the settings.
        action: how many numbers an action has.
        goal_entries: which entries of an observation make a goal.
        transform: the optimiser without its step size.
    """
    tower = MLP((config.width, config.width, config.encoding), kernel_init=UNIFORM)
    return ContrastiveRL(
        gamma=config.gamma,
        critic=EnergyCritic(tower, tower.clone(), energy=ENERGIES[config.energy]),
        actor=SwishGaussianPolicy(action, (config.width, config.width)),
        contrast=LOSSES[config.loss],
        partition_penalty=config.penalty,
        batch_size=config.batch,
        learning_rate=config.learning_rate,
        transform=transform,
        target_entropy=-0.5 * action,
        random_goals=0.0,
        bc=0.0,
        goal_entries=goal_entries,
    )


def our_params(official: Tree) -> dict[str, Params]:
    """Their parameters in our form; a gradient or Adam's moments likewise."""
    actor = official["actor"]["params"]
    head = {name: _arrays(actor[name]) for name in ("Dense_0", "Dense_1")}
    mean, deviation = (_arrays(actor[name]) for name in ("Dense_2", "Dense_3"))
    head["Dense_2"] = {
        part: jnp.concatenate([mean[part], deviation[part]], axis=-1) for part in mean
    }
    critic = official["critic"]
    towers = {
        ours: {name: _arrays(layer, ensemble=True) for name, layer in critic[his]["params"].items()}
        for ours, his in (("anchor_encoder", "sa_encoder"), ("future_encoder", "g_encoder"))
    }
    return {
        "actor": {"params": {"head": head}},
        "critic": {"params": towers},
        "log_entropy_weight": jnp.asarray(official["alpha"]["log_alpha"]),
    }


def _arrays(layer: Tree, ensemble: bool = False) -> dict[str, Array]:
    """A layer's arrays, with an axis in front for the one critic of an ensemble if asked for."""
    arrays = {name: jnp.asarray(leaf) for name, leaf in layer.items()}
    return {name: leaf[None] for name, leaf in arrays.items()} if ensemble else arrays
