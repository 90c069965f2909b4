"""The bodies of JaxGCRL's benchmark on MuJoCo: a two-link arm, a pusher, ants, an arm over a table.

Goals, starts, radii, steps an action and what is observed are the benchmark's (Bortkiewicz et al.
2025), whose numbers these bodies' are not to be compared with all the same:

1. All: the physics are MuJoCo's, where the benchmark's are mostly Brax's `spring` and
   `generalized`; Newton's method makes at most 4 steps. Success is a distance of at most the
   radius, there below it. The goal's marker has no joints and no mass. Training and evaluation
   draw goals alike.
2. `reacher`: as the benchmark's, with gymnasium's model.
3. `pusher`: the benchmark's easy one. The tip observed is the middle between the two fingers, not
   the hand's centre of mass. The goal lies at the puck's height, there 48 mm lower, so that the
   radius is 100 mm on the table, there 88 mm. Contacts have no friction.
4. `ant`: contacts begin at a distance of 1 cm; the first orientation is a unit quaternion.
5. `ant-u-maze`, `ant-big-maze`: as `ant`; walls meet the torso and the feet, not the thighs.
6. `arm-reach`, `arm-push`: a UR5e with six joints, there a Panda with seven, so one observed
   angle less; shoulder pan, shoulder lift, elbow and wrist are moved, within other angles. No
   gripper: no action, opening and force of one; the cube is pushed with a ball, which alone of the
   arm touches cube and table. The cube lies on the table, there it drops onto it.
"""

import os
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array

from goalward.envs.body import MARKER, Beginning, Body, View
from goalward.protocol import Key
from goalward.tabular.grid import Grid


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


def prepare(
    spec: mujoco.MjSpec,
    marker: float,
    above: tuple[float, float, float],
) -> None:
    """What every model gets: few solver steps, a camera above, a marker where the goal is.

    Args:
        spec: the model to change.
        marker: the radius of the marker, in metres.
        above: where the camera `above` is, looking down.
    """
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    spec.option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    # With fewer, an ant at random actions flies off or becomes NaN within a hundred steps.
    spec.option.iterations, spec.option.ls_iterations = 4, 8
    # Fewer links, less to compile.
    spec.compiler.fusestatic = True
    spec.worldbody.add_camera(name="above", pos=above)
    body = spec.worldbody.add_body(name=MARKER, mocap=True)
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

FEET = ("left_ankle_geom", "right_ankle_geom", "third_ankle_geom", "fourth_ankle_geom")
CELL = 4.0
"""Metres a cell of the ant's mazes."""

U_MAZE = """
#####
#...#
###.#
#...#
#####
"""
BIG_MAZE = """
########
#..##..#
#..#...#
##...###
#..#...#
#.#..#.#
#...#..#
########
"""


def ant_spec(maze: str | None = None) -> mujoco.MjSpec:
    """gymnasium's ant, of which only the feet touch the ground; in a maze, torso and feet walls.

    Args:
        maze: a drawing of walls as `Grid.parse` reads it; cell (i, j) lies at (4i, 4j) metres.
    """
    spec = gymnasium_spec("ant.xml")
    middle = CELL * (np.array(Grid.parse(maze).shape) - 1) / 2 if maze else np.zeros(2)
    prepare(spec, marker=0.5, above=(*middle, 28 if maze is None else 3.5 * max(middle)))
    for geom in spec.geoms:
        geom.contype = 0
    for name in FEET:
        ankle = spec.geom(name)
        ankle.parent.add_geom(
            name=name.replace("ankle_geom", "foot"),
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[0.08, 0, 0],
            pos=ankle.fromto[3:],
            mass=0,
            contype=1,
            conaffinity=0,
        )
    if maze is not None:
        spec.geom("torso_geom").contype = 2
        for foot in FEET:
            spec.geom(foot.replace("ankle_geom", "foot")).contype = 3
        for corner, size in blocks(~Grid.parse(maze).free):
            centre = CELL * (np.array(corner) + (np.array(size) - 1) / 2)
            half = CELL * np.array(size) / 2
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[*centre, CELL / 4],
                size=[*half, CELL / 4],
                rgba=[0.7, 0.5, 0.3, 1],
                contype=0,
                conaffinity=2,
            )
        # Four feet on the ground and a body in a corner: MJX keeps the deepest of all pairs.
        spec.add_numeric(name="max_contact_points", size=1, data=[8])
    return spec


def blocks(wall: np.ndarray) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Rectangles, as corners and sizes, that cover each wall cell once; few, as each costs time."""
    left, found = wall.copy(), []
    for i, j in np.argwhere(wall):
        if left[i, j]:
            width = int(np.argmin(np.append(left[i, j:], False)))
            height = int(np.argmin(np.append(left[i:, j : j + width].all(axis=1), False)))
            left[i : i + height, j : j + width] = False
            found.append(((int(i), int(j)), (height, width)))
    return found


ANT_REST = (0.0, 0.0, 0.55, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0, 1.0)


def ant_rest(key: Key) -> tuple[Array, Array]:
    """Standing at the origin, disturbed: positions by up to 0.1, velocities by a normal of 0.1."""
    key_qpos, key_qvel = jax.random.split(key)
    qpos = jnp.array(ANT_REST) + jax.random.uniform(key_qpos, (15,), minval=-0.1, maxval=0.1)
    qpos = qpos.at[3:7].divide(jnp.linalg.norm(qpos[3:7]))
    return qpos, 0.1 * jax.random.normal(key_qvel, (14,))


def ant_begin(key: Key) -> Beginning:
    """The goal on a circle of 10 m around the origin."""
    key_rest, key_goal = jax.random.split(key)
    angle = jax.random.uniform(key_goal, maxval=2 * jnp.pi)
    return Beginning(*ant_rest(key_rest), 10 * jnp.array([jnp.cos(angle), jnp.sin(angle)]))


def maze_begin(maze: str, key: Key) -> Beginning:
    """In the middle of cell (1, 1); the goal the middle of another free cell, all alike."""
    key_rest, key_goal = jax.random.split(key)
    qpos, qvel = ant_rest(key_rest)
    start, *goals = Grid.parse(maze).cells
    goal = CELL * jax.random.choice(key_goal, jnp.array(goals, jnp.float32))
    return Beginning(qpos.at[:2].set(CELL * start), qvel, goal)


def ant_view(view: View) -> Array:
    """Positions, of which the first two say where the torso is, then velocities."""
    return jnp.concatenate([view.qpos, view.qvel])


def ant_fallen(observation: Array) -> Array:
    """The torso lower than 0.2 m or higher than 1 m."""
    return (observation[2] < 0.2) | (observation[2] > 1.0)


ANT = Body(
    name="ant",
    spec=ant_spec,
    begin=ant_begin,
    observe=ant_view,
    observation_size=29,
    action_size=8,
    goal_entries=(0, 1),
    reach=0.5,
    substeps=5,
    fallen=ant_fallen,
)
MAZES = [
    replace(ANT, name=name, spec=partial(ant_spec, maze), begin=partial(maze_begin, maze))
    for name, maze in (("ant-u-maze", U_MAZE), ("ant-big-maze", BIG_MAZE))
]


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


ALL = {body.name: body for body in (REACHER, PUSHER, ANT, *MAZES, ARM_REACH, ARM_PUSH)}


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
