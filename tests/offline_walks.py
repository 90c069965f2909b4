"""Agents in OGBench's frame learn from aimless walks on a line to go where they are told."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture
from goalward.nets.normalized import NormalizedMLP
from goalward.nets.plain_policies import UnitGaussianPolicy
from goalward.protocol import Agent
from goalward.training.loop import train
from states import only_seed

WIDTHS, MLP_WIDTHS = (32, 32), (32, 32, 16)
ANYWHERE = GoalMixture(random=1.0)
SHARED = {"gamma": 0.9, "batch_size": 64, "learning_rate": 1e-2}
WALKER = SHARED | {"actor": UnitGaussianPolicy(1, WIDTHS)}
CLIMBER = WALKER | {"bc": 0.03, "actor_goals": ANYWHERE}
TOWERS = NormalizedMLP(MLP_WIDTHS), NormalizedMLP((24, 16))


@cache
def walks():
    """Aimless walks on a line from -1 to 1; an action is a velocity."""
    actions = np.random.default_rng(0).uniform(-1, 1, size=(300, 13, 1)).astype(np.float32)
    places = np.zeros_like(actions)
    places[:, 0] = actions[:, -1]
    for t in range(12):
        places[:, t + 1] = np.clip(places[:, t] + 0.4 * actions[:, t], -1, 1)
    return trajectories.from_trajectories(places, actions)


def check_it_walks_where_it_is_told(agent, steps=300):
    """After a few updates nine of ten greedy actions lead towards a goal that is not near."""
    assert isinstance(agent, Agent)
    assert hash(agent) == hash(replace(agent))
    trained, history = train(agent, walks(), jax.random.key(0), steps, log_every=steps)
    assert np.isfinite(history["loss"]).all()
    start, goal = (x.ravel() for x in np.meshgrid(*2 * [np.linspace(-0.8, 0.8, 9)]))

    @jax.jit
    @jax.vmap
    def action(s, g):
        return agent.act(state, s[None], g[None], (), jax.random.key(1), 0.0)[0][0]

    state = only_seed(trained)
    towards = np.asarray(action(jnp.asarray(start), jnp.asarray(goal))) * np.sign(goal - start)
    assert (towards[np.abs(goal - start) > 0.3] > 0).mean() > 0.9
