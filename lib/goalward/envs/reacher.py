"""A two-link arm in MuJoCo that should bring its fingertip to a point.

MuJoCo's physics stand outside jit: many arms advance together, spread over threads. A state is an
array `(arms, 4)`: the two joint angles in radians, then their velocities in radians a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np
from jaxtyping import Bool, Float, Num
from mujoco import rollout

XML = """
<mujoco model="two-link arm">
  <option timestep="0.01" gravity="0 0 0" integrator="implicitfast"/>
  <default>
    <joint type="hinge" axis="0 0 1" damping="0.08" armature="0.005"/>
    <geom type="capsule" size="0.01" density="1000" contype="0" conaffinity="0"/>
    <motor ctrllimited="true" ctrlrange="-1 1" gear="0.25"/>
  </default>
  <worldbody>
    <body name="upper">
      <joint name="shoulder"/>
      <geom fromto="0 0 0 0.1 0 0"/>
      <body name="lower" pos="0.1 0 0">
        <joint name="elbow" limited="true" range="-150 150"/>
        <geom fromto="0 0 0 0.1 0 0"/>
        <site name="fingertip" pos="0.1 0 0"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="shoulder"/>
    <motor joint="elbow"/>
  </actuator>
</mujoco>
"""

States = Float[np.ndarray, "arms 4"]
LINKS = (0.1, 0.1)
"""Lengths of the two links in metres."""

SCALE = 10.0
"""Observed positions are metres times this, so that all entries are of similar size."""

GOAL_ENTRIES = (0, 1)
"""Where an observation holds the fingertip: a goal is these entries of an observation."""


@dataclass(frozen=True)
class Reacher:
    """The arm; gravity is off and its joints are damped.

    Attributes:
        substeps: physics steps of 0.01 s for each action, which is held meanwhile.
        reach: the goal counts as reached within this distance, in units of an observation.
        threads: how many threads advance the arms.
    """

    substeps: int = 5
    reach: float = 0.4
    threads: int = 2

    @cached_property
    def model(self) -> mujoco.MjModel:
        """The compiled model."""
        return mujoco.MjModel.from_xml_string(XML)

    def reset(self, rng: np.random.Generator, arms: int) -> States:
        """Angles uniform over the joints' ranges, at rest."""
        limit = np.deg2rad([180.0, 150.0])
        angles = rng.uniform(-limit, limit, size=(arms, 2))
        return np.concatenate([angles, np.zeros((arms, 2))], axis=1)

    def simulate(
        self, states: States, actions: Num[np.ndarray, "arms steps 2"]
    ) -> Float[np.ndarray, "arms steps 4"]:
        """The states after each action of a sequence; actions are torques, cut off at -1 and 1."""
        control = np.repeat(np.asarray(actions, dtype=np.float64), self.substeps, axis=1)
        times = np.zeros((len(states), 1))
        data = [mujoco.MjData(self.model) for _ in range(self.threads)]
        physics, _ = rollout.rollout(
            self.model, data, np.concatenate([times, states], axis=1), control
        )
        return physics[:, self.substeps - 1 :: self.substeps, 1:5]

    def step(self, states: States, actions: Num[np.ndarray, "arms 2"]) -> States:
        """The states after one action each."""
        return self.simulate(states, actions[:, None])[:, 0]

    def episodes(
        self,
        act: Callable[[np.ndarray, int], Num[np.ndarray, "arms 2"]],
        states: States,
        goals: Float[np.ndarray, "arms 2"],
        steps: int,
    ) -> Bool[np.ndarray, " arms"]:
        """Whether each arm reaches its goal within `steps` actions `act(observations, t)`."""
        reached = np.zeros(len(states), dtype=bool)
        for t in range(steps):
            states = self.step(states, act(self.observe(states), t))
            reached |= self.success(self.observe(states), goals)
        return reached

    def observe(self, states: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 8"]:
        """Fingertip, cosines and sines of both angles, velocities; entries of similar size."""
        angles, velocities = states[..., :2], states[..., 2:]
        tip = SCALE * fingertip(angles)
        return np.concatenate(
            [tip, np.cos(angles), np.sin(angles), velocities / 5.0], axis=-1
        ).astype(np.float32)

    def success(
        self, observations: Float[np.ndarray, "*batch 8"], goals: Float[np.ndarray, "*batch 2"]
    ) -> Bool[np.ndarray, "*batch"]:
        """Whether the fingertip is within reach of the goal."""
        return np.linalg.norm(observations[..., GOAL_ENTRIES] - goals, axis=-1) <= self.reach


def fingertip(angles: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
    """Where the fingertip is, in metres from the shoulder: the sum of two turned links."""
    absolute = np.cumsum(angles, axis=-1)
    return np.stack(
        [(np.array(LINKS) * turn(absolute)).sum(axis=-1) for turn in (np.cos, np.sin)], axis=-1
    )
