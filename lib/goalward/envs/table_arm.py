"""ogbench's arm over a table on MuJoCo, a UR5e: it reaches, or pushes a cube."""

import os
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import mujoco
from jaxtyping import Array

from goalward.envs.body import Beginning, Body, View
from goalward.envs.models import prepare
from goalward.protocol import Key

ARM_LOW = (-1.2, -2.2, 0.5, -2.6)
ARM_HIGH = (1.2, -0.2, 2.4, -0.2)
ARM_REST = (0.0, -1.6, 1.9, -1.87, -1.5708, 0.0)
"""Angles in radians; the arm's four moved joints are shoulder pan, shoulder lift, elbow, wrist."""

CUBE = 0.03
"""Half a side of the cube that the arm pushes, in metres."""


def ogbench_arm() -> mujoco.MjSpec:
    """The UR5e in the ogbench package, drawn by the shapes that stand for its meshes.

    Raises:
        ValueError: the package is missing.
    """
    try:
        import ogbench
    except ModuleNotFoundError:
        raise ValueError("this body's model is ogbench's: install 'goalward[online]'") from None
    folder = os.path.join(os.path.dirname(ogbench.__file__), "manipspace", "descriptions")
    spec = mujoco.MjSpec.from_file(os.path.join(folder, "universal_robots_ur5e", "ur5e.xml"))
    for geom in spec.geoms:
        if geom.type == mujoco.mjtGeom.mjGEOM_MESH:
            spec.delete(geom)
        else:
            geom.group, geom.contype, geom.conaffinity = 0, 0, 0
    for part in (*spec.meshes, *spec.keys):
        spec.delete(part)
    return spec


def arm_spec(cube: bool = False) -> mujoco.MjSpec:
    """ogbench's UR5e, joints unlimited, as its motors aim within limits; with a cube or not."""
    spec = ogbench_arm()
    prepare(spec, marker=0.03, above=(0, 0.5, 1.6))
    # The motors' damping is too stiff for an explicit step.
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    for joint in spec.joints:
        joint.limited = False
    spec.site("attachment_site").name = "tip"
    if cube:
        spec.worldbody.add_geom(
            name="table",
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            size=[1, 1, 0.1],
            contype=0,
            conaffinity=1,
        )
        hand = spec.body("wrist_3_link")
        hand.add_geom(
            name="hand",
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[0.04, 0, 0],
            pos=spec.site("tip").pos,
            mass=0,
            contype=1,
            conaffinity=0,
        )
        body = spec.worldbody.add_body(name="cube", pos=[0, 0, CUBE])
        body.add_freejoint()
        body.add_geom(
            name="cube",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[CUBE] * 3,
            rgba=[0, 0.4, 0, 1],
            contype=1,
            conaffinity=1,
        )
    return spec


def arm_control(action: Array) -> Array:
    """Angles to aim at: four between their ends, the last two fixed."""
    low, high = jnp.array(ARM_LOW), jnp.array(ARM_HIGH)
    return jnp.concatenate([low + (action + 1) / 2 * (high - low), jnp.array(ARM_REST[4:])])


def reach_begin(key: Key) -> Beginning:
    """At rest; the goal uniform in a box in front of the arm."""
    low, high = jnp.array([-0.2, 0.3, 0.1]), jnp.array([0.2, 0.7, 0.5])
    goal = jax.random.uniform(key, (3,), minval=low, maxval=high)
    return Beginning(jnp.array(ARM_REST), jnp.zeros(6), goal)


def reach_view(view: View) -> Array:
    """Six angles, then the tip's position and velocity."""
    return jnp.concatenate([view.qpos, view.tip, view.tip_velocity])


def push_begin(key: Key) -> Beginning:
    """At rest; the cube in one square of the table, the goal in the one beside it."""
    keys = jax.random.split(key)
    cube, goal = (
        jnp.array([x, 0.6, CUBE])
        + jnp.zeros(3).at[:2].set(jax.random.uniform(key, (2,), minval=-0.1, maxval=0.1))
        for x, key in zip((-0.1, 0.1), keys, strict=True)
    )
    upright = jnp.array([1.0, 0.0, 0.0, 0.0])
    return Beginning(jnp.concatenate([jnp.array(ARM_REST), cube, upright]), jnp.zeros(12), goal)


def push_view(view: View) -> Array:
    """The cube's position, six angles, then the tip's position and velocity."""
    return jnp.concatenate([view.qpos[6:9], view.qpos[:6], view.tip, view.tip_velocity])


ARM_REACH = Body(
    name="arm-reach",
    spec=arm_spec,
    begin=reach_begin,
    observe=reach_view,
    observation_size=12,
    action_size=4,
    goal_entries=(6, 7, 8),
    reach=0.1,
    substeps=25,
    horizon=100,
    tip="tip",
    control=arm_control,
)
ARM_PUSH = replace(
    ARM_REACH,
    name="arm-push",
    spec=partial(arm_spec, True),
    begin=push_begin,
    observe=push_view,
    observation_size=15,
    goal_entries=(0, 1, 2),
    horizon=150,
)
