"""Whether our agents are the official ones: the same numbers from the same parameters and batch.

Success after training says little of that: two wrong agents may be equally good, two right ones
differ by luck. Here the official agent makes some updates and hands over its parameters, a batch,
its loss and its gradient; ours are computed from the same, and so are both agents' actions.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from goalward.bench.data.datasets import load
from goalward.bench.data.environments import make
from goalward.bench.data.names import Mendable
from goalward.bench.official.checkout import Official, impls_of, order, shared
from goalward.bench.offline.presets import Options, learner
from goalward.data.goal_mixtures import SubgoalBatch, ValueBatch, WaypointBatch
from goalward.data.nstep_goals import NStepBatch
from goalward.methods.sharsa import SHARSA
from goalward.protocol import Key, LearnerState, Params

UPDATES = 50
"""Made before the comparison, so that parameters and their targets are no longer alike."""

FLOWN = 16
"""Of methods whose actions need noise, so many actions are compared."""

Tree = Mapping[str, Any]


@dataclass(frozen=True)
class Parity:
    """Largest differences, each relative to the largest number of its kind.

    Attributes:
        loss: of the total loss.
        gradient: of each network's gradient, by our name for the network.
        action: of the actions without noise, which lie in [-1, 1]: not relative.
    """

    loss: float
    gradient: dict[str, float]
    action: float


def parity(
    method: str,
    env: str,
    data: Path,
    checkout: Path,
    python: str,
    extraction: str | None = None,
    alpha: float | None = None,
    width: int = 64,
    batch: int = 256,
) -> Parity:
    """Compare one loss, one gradient and the batch's actions.

    Args:
        method: one of `goalward.bench.official.checkout.OFFICIAL`.
        env: the data set's name.
        data: its data file.
        checkout: of the official repository.
        python: that has the official code's packages.
        extraction: how the policy follows the values, as in `offline.presets.Options`.
        alpha: its number, as there.

    Raises:
        Mendable: something is not there, or the official code fails.
    """
    name = shared(method, env)
    chosen = Options(1, width, batch, extraction=extraction, alpha=alpha)
    learner(method, name, chosen)  # complain first
    arena = make(name)
    size = arena.action_space.shape[0]
    load(data, arena.observation_space.shape, size)
    agent: Any = learner(method, name, replace(chosen, action=size))
    asked = order(method, agent, data, batch, width, UPDATES)
    asked["config"]["next_state_sample"] = 0.0  # else MQE's official loss draws single steps itself
    with (
        Official(python, impls_of(checkout, method), asked) as official,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder) / "snapshot.npz"
        official.ask({"snapshot": str(path)})
        with np.load(path) as file:
            told = tree_of(file)
        rows = our_batch(told["batch"])
        seen, goals = rows.state, rows.actor_goal
        # Flows need noise, whose numbers depend on how many rows there are: one by one.
        alone = isinstance(agent, SHARSA)
        parts = [slice(i, i + 1) for i in range(FLOWN)] if alone else [slice(None)]
        theirs = np.concatenate(
            [
                official.ask({"observations": seen[p].tolist(), "goals": goals[p].tolist()})[
                    "actions"
                ]
                for p in parts
            ]
        )

    params = our_params(method, told["params"], size)
    state = agent.init(jax.random.key(0), rows)
    if jax.tree.map(jnp.shape, state.params) != jax.tree.map(jnp.shape, params):
        raise Mendable(
            f"the official networks of {method} have other shapes than ours: is {checkout} at a "
            "commit that this version of the library knows?"
        )
    held = params | our_targets(method, told["params"], size)
    state = state.replace(params=params, target_params=held)
    (loss, _), gradient = jax.jit(jax.value_and_grad(partial(_loss, agent), has_aux=True))(
        params, state, rows, jax.random.key(0)
    )
    act = lambda seen, goal: agent.act(state, seen, goal, (), jax.random.key(0), 0.0)[0]  # noqa: E731
    ours = jax.vmap(act)(seen[: len(theirs)], goals[: len(theirs)])
    official_gradient = our_params(method, told["gradient"], size)
    return Parity(
        loss=abs(float(loss) - float(told["loss"])) / abs(float(told["loss"])),
        gradient={
            part: largest(jax.tree.map(jnp.subtract, gradient[part], grad)) / largest(grad)
            for part, grad in official_gradient.items()
        },
        action=float(np.abs(ours - np.clip(theirs, -1, 1)).max()),
    )


def _loss(
    agent: Any, params: Params, state: LearnerState, batch: ValueBatch, key: Key
) -> tuple[Array, Any]:
    """The agent's loss, with the noise that the official code draws from the same key."""
    if not isinstance(agent, SHARSA):
        return agent.loss(params, state, batch, key)  # type: ignore[no-any-return]
    assert isinstance(batch, NStepBatch)
    *_, key_high, key_low = jax.random.split(key, 5)
    parts = agent.parts(params, state.target_params, batch, key_high, key_low)
    return jnp.sum(jnp.stack(list(parts.values()))), {}


def our_params(method: str, official: Tree, action: int) -> dict[str, Params]:
    """Official parameters, or a gradient, in our form.

    Args:
        official: the official agent's tree.
        action: how many numbers an action has.
    """
    part = {name.removeprefix("modules_"): tree for name, tree in official.items()}
    if method == "hiql":
        return {
            "representation": _network(part["goal_rep"]["layers_0"]),
            "value": _network(part["value"]["value_net"]),
            "actor": _policy(part["low_actor"]),
            "high_actor": _policy(part["high_actor"]),
        }
    if method == "sharsa":
        return {
            "value": _network(part["high_value"]["value_net"]),
            "critic": _network(_subgoal_before_goal(part["high_critic"]["value_net"])),
            "high_actor": _network(part["high_actor_flow"]["mlp"]),
            "actor": _network(part["low_actor_flow"]["mlp"]),
        }
    ours = {"actor": _policy(part["actor"])}
    if method in ("gcivl", "gciql"):
        ours["value"] = _network(part["value"]["value_net"])
    if method == "gciql":
        ours["critic"] = _network(_goal_last(part["critic"]["value_net"], action))
    if method == "contrastive_rl":
        # The value is there where the policy imitates by advantage.
        ours |= {name: _towers(part[name]) for name in ("critic", "value") if name in part}
    if method == "temporal_distances":
        ours["critic"] = _arrays({"action_encoder": part["critic"]["phi"]})
    if method in ("tmd", "mqe"):
        two = {"state_encoder": part["psi"]["phi"], "action_encoder": part["phi"]["phi"]}
        ours["critic"] = _arrays(two)
    if method == "qrl":
        # The official mixture weighs the mean where ours weighs the maximum.
        mix = -jnp.asarray(part["value"]["alpha"]["value"])
        ours["critic"] = _arrays({"encoder": part["value"]["phi"], "mix_logit": mix})
        if "dynamics" in part:  # where the policy is improved through them
            ours["dynamics"] = _arrays(part["dynamics"])
        ours["log"] = jnp.asarray(part["lam"]["log_value"])
    return ours


def our_targets(method: str, official: Tree, action: int) -> dict[str, Params]:
    """The official target networks in our form, of methods that have some."""
    if method in ("gcivl", "hiql"):
        return {"value": _network(official["modules_target_value"]["value_net"])}
    if method == "gciql":
        net = official["modules_target_critic"]["value_net"]
        return {"critic": _network(_goal_last(net, action))}
    if method == "sharsa":
        net = official["modules_target_high_critic"]["value_net"]
        return {"critic": _network(_subgoal_before_goal(net))}
    return {}


def our_batch(official: Tree) -> ValueBatch:
    """An official batch in our form."""
    rows = {name: jnp.asarray(values) for name, values in official.items()}
    if "high_value_goals" in rows:
        return NStepBatch(
            state=rows["observations"],
            action=rows["actions"],
            next_state=rows["next_observations"],
            next_goal=rows["next_observations"],
            goal=rows["high_value_goals"],
            actor_goal=rows["high_actor_goals"],
            reward=rows["high_value_rewards"].astype(jnp.float32),
            mask=rows["high_value_masks"].astype(jnp.float32),
            steps=rows["high_value_subgoal_steps"].astype(jnp.int32),
            value_subgoal=rows["high_value_actions"],
            value_next=rows["high_value_next_observations"],
            subgoal=rows["high_actor_actions"],
            low_goal=rows["low_actor_goals"],
        )
    levels = "high_actor_goals" in rows
    fields = {
        "state": rows["observations"],
        "action": rows["actions"],
        "next_state": rows["next_observations"],
        "next_goal": rows["next_observations"],
        "goal": rows["value_goals"],
        "actor_goal": rows["high_actor_goals" if levels else "actor_goals"],
        "reward": rows["rewards"].astype(jnp.float32),
        "mask": rows["masks"].astype(jnp.float32),
    }
    if "intermediate_value_goals" in rows:
        steps = rows["intermediate_value_goals_offsets"].astype(jnp.int32).reshape(-1)
        return WaypointBatch(**fields, waypoint=rows["intermediate_value_goals"], steps=steps)
    if not levels:
        return ValueBatch(**fields)
    target = rows["high_actor_targets"]
    low = rows["low_actor_goals"]
    return SubgoalBatch(**fields, low_goal=low, subgoal_state=target, subgoal=target)


def _policy(tree: Tree) -> Params:
    return _arrays({"MLP_0": tree["actor_net"], "Dense_0": tree["mean_net"]})


def _network(tree: Tree) -> Params:
    return _arrays({"NormalizedMLP_0": tree})


def _towers(tree: Tree) -> Params:
    return _arrays({"anchor_encoder": tree["phi"], "future_encoder": tree["psi"]})


def _goal_last(tree: Tree, action: int) -> dict[str, Any]:
    """The first layer of state, goal, action told them as state, action, goal."""
    first = dict(tree["Dense_0"])
    state = (first["kernel"].shape[-2] - action) // 2
    order = np.r_[:state, 2 * state : 2 * state + action, state : 2 * state]
    return {**tree, "Dense_0": first | {"kernel": first["kernel"][..., order, :]}}


def _subgoal_before_goal(tree: Tree) -> dict[str, Any]:
    """The first layer of state, goal, subgoal told them as state, subgoal, goal."""
    return _goal_last(tree, tree["Dense_0"]["kernel"].shape[-2] // 3)


def _arrays(tree: Tree) -> Params:
    return {"params": jax.tree.map(jnp.asarray, dict(tree))}


def tree_of(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Nested dictionaries from names with slashes."""
    tree: dict[str, Any] = {}
    for name, leaf in flat.items():
        *path, last = name.split("/")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = leaf
    return tree


def largest(tree: Params) -> float:
    return max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(tree))
