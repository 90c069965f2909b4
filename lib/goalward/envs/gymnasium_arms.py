"""gymnasium's arms on MuJoCo: one of two links that reaches, one that pushes a puck."""

import jax
import jax.numpy as jnp
import mujoco
from jaxtyping import Array

from goalward.envs.body import Beginning, Body, View
from goalward.envs.models import gymnasium_spec, prepare
from goalward.protocol import Key


def reacher_spec() -> mujoco.MjSpec:
    """gymnasium's two-link arm without its movable target."""
    spec = gymnasium_spec("reacher.xml")
    spec.delete(spec.body("target"))
    prepare(spec, marker=0.009, above=(0, 0, 0.8))
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


PUSHER_OBJECT = (0.45, -0.05, -0.275)
"""Where the pusher's puck is when its two slides stand at 0, in metres."""


def pusher_spec() -> mujoco.MjSpec:
    """gymnasium's arm over a table; its puck a capsule that the table does not touch."""
    spec = gymnasium_spec("pusher_v5.xml")
    spec.delete(spec.body("goal"))
    prepare(spec, marker=0.03, above=(0.3, -0.2, 2))
    (puck,) = spec.body("object").geoms
    # MJX meets cylinders only by descent on a distance field, and the puck slides in a plane.
    puck.type, puck.contype, puck.conaffinity = mujoco.mjtGeom.mjGEOM_CAPSULE, 2, 0
    for joint in spec.body("object").joints:
        joint.limited = False
    for geom in spec.body("r_wrist_roll_link").geoms:
        geom.contype, geom.conaffinity = 0, 3
    spec.geom("table").conaffinity = 0
    spec.body("tips_arm").add_site(name="tip", pos=[0.1, 0, 0])
    return spec


def pusher_begin(key: Key) -> Beginning:
    """The puck in a rectangle, the goal in one further back, the arm at rest.

    The puck's offset from the middle is scaled up where it lies within 0.17 m of the goal's.
    """
    keys = jax.random.split(key, 3)
    low, high = jnp.array([-0.3, -0.2]), jnp.array([0.0, 0.2])
    puck, goal = jax.random.uniform(keys[0], (2, 2), minval=low, maxval=high)
    goal = goal - jnp.array([0.25, 0.0])
    puck = puck * jnp.maximum(1.0, 0.17 / jnp.linalg.norm(puck - goal))
    speeds = jax.random.uniform(keys[1], (7,), minval=-0.005, maxval=0.005)
    return Beginning(
        qpos=jnp.concatenate([jnp.zeros(7), puck]),
        qvel=jnp.concatenate([speeds, jnp.zeros(2)]),
        goal=_on_table(goal),
    )


def _on_table(slides: Array) -> Array:
    """The position of something moved along y, then along x."""
    return jnp.array(PUSHER_OBJECT) + jnp.array([slides[1], slides[0], 0.0])


def pusher_view(view: View) -> Array:
    """Seven angles, the tip's position, the puck's, and the angles' velocities."""
    return jnp.concatenate([view.qpos[:7], view.tip, _on_table(view.qpos[7:]), view.qvel[:7]])


PUSHER = Body(
    name="pusher",
    spec=pusher_spec,
    begin=pusher_begin,
    observe=pusher_view,
    observation_size=20,
    action_size=7,
    goal_entries=(10, 11, 12),
    reach=0.1,
    substeps=5,
    tip="tip",
)
