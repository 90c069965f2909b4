"""Whether the agent that `bench online` trains is JaxGCRL's: losses, gradients and a step."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from goalward.bench.data.names import Mendable
from goalward.bench.official.online.agent import our_params, their_arguments
from goalward.bench.official.online.side import side
from goalward.bench.official.online.worlds import METHOD
from goalward.bench.official.parity import largest, tree_of
from goalward.bench.online.presets import agent
from goalward.bench.online.settings import OnlineSettings
from goalward.data.goals import HindsightTransitions
from goalward.protocol import Params

UPDATES = 20
"""Made before parity is looked at, so that Adam's moments are not zero."""
ENV, SIZES = "reacher", {"observation": 10, "action": 2, "goal_entries": (4, 5, 6)}
"""Sizes of their reacher."""


@dataclass(frozen=True)
class OnlineParity:
    """Largest differences, each relative to the largest number of its kind.

    Attributes:
        loss: of the sum of all losses.
        gradient: of each network's gradient, by our name for the network.
        added: of what one step of Adam adds to each network's parameters.
        parameters: of the parameters after it, whose rounding would hide most of the step.
    """

    loss: float
    gradient: dict[str, float]
    added: dict[str, float]
    parameters: dict[str, float]


def parity(official: str, python: str, energy: str = "l2", loss: str = "symmetric") -> OnlineParity:
    """Compare losses, gradients and one step, from the same parameters and relabelled batch.

    Args:
        official: a checkout of JaxGCRL, or `jaxgcrl` for the package that their Python has.
        python: that has its packages.
        energy: one of `agent.ENERGIES`.
        loss: one of `agent.LOSSES`.

    Raises:
        Mendable: something is not there, or the official code fails.
    """
    settings = OnlineSettings(METHOD, ENV, 1, width=64, energy=energy, loss=loss)
    config = their_arguments(settings)
    asked = {"parity": True, "seed": 0, "config": config, "updates": UPDATES, **SIZES}
    with side("theirs", official, python, asked) as theirs, tempfile.TemporaryDirectory() as at:
        path = Path(at) / "snapshot.npz"
        theirs.ask({"snapshot": str(path)})
        with np.load(path) as file:
            told = tree_of(file)
    return judged(settings, told)


def judged(settings: OnlineSettings, told: dict[str, Any]) -> OnlineParity:
    """Our losses, gradients and step beside those of a snapshot."""
    space: Any = SimpleNamespace(action_size=SIZES["action"], goal_entries=SIZES["goal_entries"])
    ours: Any = agent(settings, space)
    ours = replace(ours, transform=noting(ours.transform))
    rows = {name: jnp.asarray(value) for name, value in told["batch"].items()}
    batch = HindsightTransitions(next_state=rows["state"], next_goal=rows["goal"], **rows)
    params = our_params(told["params"])
    state = ours.init(jax.random.key(0), batch)
    if jax.tree.map(jnp.shape, state.params) != jax.tree.map(jnp.shape, params):
        raise Mendable("JaxGCRL's networks have other shapes than ours: is it version 0.2.8?")
    mu, nu = (ravel_pytree(our_params(told[name]))[0] for name in ("mu", "nu"))
    moments = optax.ScaleByAdamState(count=jnp.asarray(told["count"]), mu=mu, nu=nu)
    state = state.replace(params=params, opt_state=(moments, params))
    key = jax.random.key(0)
    (loss, _), gradient = jax.jit(jax.value_and_grad(ours.loss, has_aux=True))(
        params, state, batch, key
    )
    after, _ = jax.jit(ours.update)(state, batch, key)

    def apart(mine: Params, his: Params) -> float:
        return largest(jax.tree.map(jnp.subtract, mine, his)) / largest(his)

    _, direction = after.opt_state
    added = jax.tree.map(lambda leaf: -state.learning_rate * leaf, direction)
    wanted, steps, arrived = (our_params(told[name]) for name in ("gradient", "added", "after"))
    return OnlineParity(
        loss=abs(float(loss) - float(told["loss"])) / abs(float(told["loss"])),
        gradient={part: apart(gradient[part], wanted[part]) for part in wanted},
        added={part: apart(added[part], steps[part]) for part in wanted},
        parameters={part: apart(after.params[part], arrived[part]) for part in wanted},
    )


def noting(transform: optax.GradientTransformation) -> optax.GradientTransformation:
    """The same optimiser, whose state is a pair: its own, and the direction that it last gave."""

    def update(gradient: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        direction, now = transform.update(gradient, state[0], params)
        return direction, (now, direction)

    return optax.GradientTransformation(lambda params: (transform.init(params), params), update)
