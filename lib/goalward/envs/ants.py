"""gymnasium's ant on MuJoCo: in the open, and in mazes."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array

from goalward.envs.body import Beginning, Body, View
from goalward.envs.models import gymnasium_spec, prepare
from goalward.protocol import Key
from goalward.tabular.grid import Grid

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
