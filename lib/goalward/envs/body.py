"""A body with MuJoCo's physics that should reach goals: what all bodies have in common.

The description of a body is short: a model, where an episode begins, what is seen of it, which
part of that is the goal. Its physics run as MJX inside jit (`"jax"`, anywhere), as Warp's kernels
(`"warp"`, fast on a GPU), or as MuJoCo itself in threads (`"native"`, fast on a CPU).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax.numpy as jnp
import mujoco
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from goalward.envs import chains
from goalward.envs.physics import Advance, advance, check_physics
from goalward.protocol import Key

MARKER = "goal"
"""The body that shows where the goal is; it collides with nothing."""


class View(NamedTuple):
    """What an observation is made of.

    Attributes:
        qpos: the joints' positions, in radians and metres.
        qvel: their velocities, a second.
        tip: where the body's tip is, in metres; zeros for a body without one.
        tip_velocity: its velocity, in metres a second.
    """

    qpos: Float[Array, " nq"]
    qvel: Float[Array, " nv"]
    tip: Float[Array, "3"]
    tip_velocity: Float[Array, "3"]


class Beginning(NamedTuple):
    """How an episode begins: the joints' positions and velocities, and the goal."""

    qpos: Float[Array, " nq"]
    qvel: Float[Array, " nv"]
    goal: Float[Array, " goal"]


@struct.dataclass
class BodyState:
    """How a body stands, where it should go, and how that went.

    Attributes:
        observation: what is seen.
        goal: what the observation's `goal_entries` should be.
        reward: 1 within reach of the goal, else 0.
        success: whether it is within reach.
        terminated: whether it fell.
        truncated: whether the episode's steps are used up.
        time: steps taken.
        qpos: the joints' positions.
        qvel: their velocities.
        warmstart: the last accelerations, from which the solver of contacts begins.
    """

    observation: Float[Array, "*batch observation"]
    goal: Float[Array, "*batch goal"]
    reward: Float[Array, "*batch"]
    success: Bool[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    truncated: Bool[Array, "*batch"]
    time: Int[Array, "*batch"]
    qpos: Float[Array, "*batch nq"]
    qvel: Float[Array, "*batch nv"]
    warmstart: Float[Array, "*batch nv"]


def never(observation: Array) -> Array:
    """A body that cannot fall."""
    return jnp.zeros((), bool)


def unchanged(action: Array) -> Array:
    """Motors that take the action as it is."""
    return action


@dataclass(frozen=True)
class Body:
    """A body, its goals and its physics; an environment of `goalward.protocol.GoalEnvironment`.

    Attributes:
        name: what it is called.
        spec: builds its model. A mocap body named `goal`, if there is one, shows the goal.
        begin: draws the start and the goal of an episode.
        observe: what is seen; from positions and velocities only.
        observation_size: how many numbers that is.
        action_size: how many numbers an action has; each lies in [-1, 1], what is beyond is cut.
        goal_entries: which entries of an observation are the goal.
        reach: success is a Euclidean distance of at most this, after the step.
        substeps: physics steps for each action, which is held meanwhile.
        horizon: steps until an episode is truncated.
        tip: the site whose position and velocity `observe` is shown.
        fallen: whether an observation is one of a body that fell, which ends the episode.
        control: the motors' inputs for an action.
        physics: `"jax"`, `"warp"` or `"native"`.

    Raises:
        ValueError: there is no goal, or one that an observation does not hold; or such physics
            are not known or not installed.
    """

    name: str
    spec: Callable[[], mujoco.MjSpec]
    begin: Callable[[Key], Beginning]
    observe: Callable[[View], Array]
    observation_size: int
    action_size: int
    goal_entries: tuple[int, ...]
    reach: float
    substeps: int
    horizon: int = 1001
    tip: str | None = None
    fallen: Callable[[Array], Array] = never
    control: Callable[[Array], Array] = unchanged
    physics: str = "jax"

    def __post_init__(self) -> None:
        if not self.goal_entries:
            raise ValueError(f"body {self.name!r} has no goal: name its goal_entries")
        if not all(0 <= entry < self.observation_size for entry in self.goal_entries):
            raise ValueError(
                f"body {self.name!r}: goal_entries {self.goal_entries} must lie among its "
                f"{self.observation_size} observed numbers"
            )
        check_physics(self.physics)

    @cached_property
    def model(self) -> mujoco.MjModel:
        """The compiled model."""
        return self.spec().compile()

    def reset(self, key: Key) -> BodyState:
        """A fresh episode; it costs no physics."""
        start = self.begin(key)
        return self.at(start.qpos, start.qvel, start.goal)

    def at(
        self, qpos: Float[Array, " nq"], qvel: Float[Array, " nv"], goal: Float[Array, " goal"]
    ) -> BodyState:
        """A fresh episode that begins so."""
        return self._state(qpos, qvel, jnp.zeros_like(qvel), goal, jnp.zeros((), jnp.int32))

    def step(self, state: BodyState, action: Float[Array, " action"], key: Key) -> BodyState:
        """Hold the action for some physics steps; `key` is not used, as nothing is random."""
        control = self.control(jnp.clip(action, -1, 1))
        moved = self._advance(state.qpos, state.qvel, state.warmstart, control)
        return self._state(*moved, state.goal, state.time + 1)

    def posed(self, state: BodyState) -> mujoco.MjData:
        """MuJoCo's own data for one state, its goal marked: to draw it."""
        data = mujoco.MjData(self.model)
        data.qpos[:], data.qvel[:] = np.asarray(state.qpos), np.asarray(state.qvel)
        marker = self.model.body(MARKER).mocapid[0] if self._marked else -1
        if marker >= 0:
            goal = np.asarray(state.goal)
            data.mocap_pos[marker, : len(goal)] = goal
        mujoco.mj_forward(self.model, data)
        return data

    @cached_property
    def _marked(self) -> bool:
        return mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_BODY, MARKER) >= 0

    @cached_property
    def _advance(self) -> Advance:
        return advance(self.model, self.substeps, self.physics)

    @cached_property
    def _tip(self) -> Callable[[Array, Array], tuple[Array, Array]]:
        if self.tip is None:
            return lambda qpos, qvel: (jnp.zeros(3), jnp.zeros(3))
        return chains.moving(self.model, chains.place(self.model, self.tip))

    def _state(
        self, qpos: Array, qvel: Array, warmstart: Array, goal: Array, time: Array
    ) -> BodyState:
        observation = self.observe(View(qpos, qvel, *self._tip(qpos, qvel)))
        if observation.shape != (self.observation_size,):
            raise ValueError(
                f"body {self.name!r} is said to show {self.observation_size} numbers, "
                f"but `observe` returns the shape {observation.shape}"
            )
        reached = observation[np.array(self.goal_entries)]
        success = jnp.linalg.norm(reached - goal) <= self.reach
        return BodyState(
            observation=observation,
            goal=goal,
            reward=success.astype(jnp.float32),
            success=success,
            terminated=self.fallen(observation),
            truncated=time >= self.horizon,
            time=time,
            qpos=qpos,
            qvel=qvel,
            warmstart=warmstart,
        )
