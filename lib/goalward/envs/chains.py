"""Where a point of a MuJoCo model is, as a function of its joints alone.

A reset then needs no physics, and the point's velocity is this function's derivative.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array, Float

SLIDE, HINGE = int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtJoint.mjJNT_HINGE)


def place(model: mujoco.MjModel, site: str) -> Callable[[Array], Array]:
    """A site's position in the world, in metres, as a function of `qpos` (radians, metres).

    Raises:
        ValueError: on the way to the world stands a joint that is neither a hinge nor a slide.
    """
    number = model.site(site).id
    body = model.site_bodyid[number]
    turns: list[Callable[[Array, Array], Array]] = []
    while body:
        first = model.body_jntadr[body]
        for joint in reversed(range(first, first + model.body_jntnum[body])):
            turns.append(_joint(model, joint))
        turns.append(_fixed(model.body_quat[body], model.body_pos[body]))
        body = model.body_parentid[body]
    # Constants of NumPy belong to no trace, whoever asks first.
    start = np.asarray(model.site_pos[number], np.float32)

    def position(qpos: Float[Array, " nq"]) -> Float[Array, "3"]:
        point = jnp.asarray(start)
        for turn in turns:
            point = turn(qpos, point)
        return point

    return position


def moving(
    model: mujoco.MjModel, position: Callable[[Array], Array]
) -> Callable[[Array, Array], tuple[Array, Array]]:
    """A point's position and velocity (metres a second), from `qpos` and `qvel`."""
    joints = np.isin(model.jnt_type, (HINGE, SLIDE))
    angles, speeds = model.jnt_qposadr[joints], model.jnt_dofadr[joints]

    def both(
        qpos: Float[Array, " nq"], qvel: Float[Array, " nv"]
    ) -> tuple[Float[Array, "3"], Float[Array, "3"]]:
        change = jnp.zeros_like(qpos).at[angles].set(qvel[speeds])
        return jax.jvp(position, (qpos,), (change,))

    return both


def _joint(model: mujoco.MjModel, joint: int) -> Callable[[Array, Array], Array]:
    entry, kind = model.jnt_qposadr[joint], model.jnt_type[joint]
    axis, anchor = (a[joint].astype(np.float32) for a in (model.jnt_axis, model.jnt_pos))
    rest = float(model.qpos0[entry])
    if kind == SLIDE:
        return lambda qpos, point: point + axis * (qpos[entry] - rest)
    if kind == HINGE:
        return lambda qpos, point: _turn(axis, qpos[entry] - rest, point - anchor) + anchor
    raise ValueError(f"joint {model.joint(joint).name!r} is neither a hinge nor a slide")


def _fixed(quat: np.ndarray, offset: np.ndarray) -> Callable[[Array, Array], Array]:
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat)
    turn, shift = matrix.reshape(3, 3).astype(np.float32), np.asarray(offset, np.float32)
    return lambda qpos, point: jnp.dot(turn, point) + shift


def _turn(axis: np.ndarray, angle: Array, vector: Array) -> Array:
    """Rodrigues' formula: a vector turned about an axis of length 1."""
    along = jnp.dot(axis, vector) * axis
    return along + jnp.cos(angle) * (vector - along) + jnp.sin(angle) * jnp.cross(axis, vector)
