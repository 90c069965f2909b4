"""Contrastive RL of `bench online` in JaxGCRL's words: its settings, its parameters."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from goalward.bench.online.presets import ENCODING, PENALTY
from goalward.bench.online.settings import OnlineSettings
from goalward.protocol import Params

Tree = Mapping[str, Any]

ENERGIES = {"l2": "norm", "squared_l2": "l2", "dot": "dot"}
"""What JaxGCRL calls our energies. Its cosine divides by the length of the whole batch: another."""
LOSSES = {"symmetric": "sym_infonce", "forward": "fwd_infonce", "backward": "bwd_infonce"}
"""What JaxGCRL calls our losses. Its `binary_nce` has no negatives: none of ours."""


def their_arguments(settings: OnlineSettings) -> dict[str, Any]:
    """The settings of a run as arguments of JaxGCRL's class; energy and loss are named in them."""
    assert settings.energy is not None
    assert settings.loss is not None
    rates = dict.fromkeys(("policy_lr", "critic_lr", "alpha_lr"), settings.learning_rate)
    return {
        "energy_fn": ENERGIES[settings.energy],
        "contrastive_loss_fn": LOSSES[settings.loss],
        "batch_size": settings.batch,
        "h_dim": settings.width,
        "n_hidden": settings.depth,
        "repr_dim": ENCODING,
        "logsumexp_penalty_coeff": PENALTY if settings.penalty is None else settings.penalty,
        "discounting": settings.gamma,
        **rates,
    }


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
