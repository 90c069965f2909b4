"""The bodies of JaxGCRL's benchmark on MuJoCo: two-link arm, pusher, ants.

Goals, radii, numbers observed and steps an action are the benchmark's (Bortkiewicz et al. 2025).
Results are not comparable with its own all the same:

1. The physics are MuJoCo's (MJX or native); most of the benchmark's bodies run on Brax's
   `spring` or `generalized`.
2. Success is a distance of at most the radius; there it is below.
3. The goal's marker has no joints and no mass.
"""

import os
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
from jaxtyping import Array

from goalward.envs.body import MARKER, Beginning, Body, View
from goalward.protocol import Key


def gymnasium_spec(name: str) -> mujoco.MjSpec:
    """One of the models in the gymnasium package.

    Raises:
        ValueError: the package is missing.
    """
    try:
        import gymnasium
    except ModuleNotFoundError:
        raise ValueError("this body's model is gymnasium's: install 'goalward[online]'") from None
    folder = os.path.join(os.path.dirname(gymnasium.__file__), "envs", "mujoco", "assets")
    return mujoco.MjSpec.from_file(os.path.join(folder, name))


def prepare(spec: mujoco.MjSpec, marker: float, height: float = 0.0, **option: Any) -> None:
    """What every model gets: few solver steps, a goal marker of this radius."""
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    spec.option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    spec.option.iterations, spec.option.ls_iterations = 1, 4
    for name, value in option.items():
        setattr(spec.option, name, value)
    body = spec.worldbody.add_body(name=MARKER, mocap=True, pos=[0, 0, height])
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=[marker, 0, 0],
        rgba=[0.9, 0.2, 0.2, 0.6],
        contype=0,
        conaffinity=0,
    )


def reacher_spec() -> mujoco.MjSpec:
    """gymnasium's two-link arm without its movable target."""
    spec = gymnasium_spec("reacher.xml")
    spec.delete(spec.body("target"))
    prepare(spec, marker=0.009)
    spec.body("fingertip").add_site(name="tip")
    return spec


def reacher_begin(key: Key) -> Beginning:
    """Nearly stretched and at rest; the goal's distance and direction uniform, up to 0.2 m."""
    keys = jax.random.split(key, 4)
    distance = jax.random.uniform(keys[2], maxval=0.2)
    angle = jax.random.uniform(keys[3], maxval=2 * jnp.pi)
    return Beginning(
        qpos=jax.random.uniform(keys[0], (2,), minval=-0.1, maxval=0.1),
        qvel=jax.random.uniform(keys[1], (2,), minval=-0.005, maxval=0.005),
        goal=jnp.array([distance * jnp.cos(angle), distance * jnp.sin(angle), 0.01]),
    )


def reacher_view(view: View) -> Array:
    """Cosines and sines of both angles, then the fingertip's position and velocity."""
    return jnp.concatenate([jnp.cos(view.qpos), jnp.sin(view.qpos), view.tip, view.tip_velocity])


REACHER = Body(
    name="reacher",
    spec=reacher_spec,
    begin=reacher_begin,
    observe=reacher_view,
    observation_size=10,
    action_size=2,
    goal_entries=(4, 5, 6),
    reach=0.05,
    substeps=2,
    tip="tip",
)


ALL = {body.name: body for body in (REACHER,)}


@cache
def make(name: str, physics: str = "jax") -> Body:
    """A body by its name; equal arguments give the same object, and so share compiled code.

    Args:
        name: one of `ALL`.
        physics: `"jax"`, `"warp"` or `"native"`.

    Raises:
        ValueError: there is no such body (the nearest name is offered) or no such physics, or a
            package is missing.
    """
    if name not in ALL:
        near = get_close_matches(name, ALL, 1, 0)[0]
        raise ValueError(f"unknown body {name!r}: did you mean {near!r}? ({', '.join(ALL)})")
    return replace(ALL[name], physics=physics)
