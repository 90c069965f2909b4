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

from dataclasses import replace
from difflib import get_close_matches
from functools import cache

from goalward.envs.ants import ANT, ANT_REST, BIG_MAZE, CELL, FEET, MAZES, U_MAZE, blocks
from goalward.envs.body import Body
from goalward.envs.gymnasium_arms import PUSHER, PUSHER_OBJECT, REACHER
from goalward.envs.models import gymnasium_spec, prepare
from goalward.envs.table_arm import ARM_PUSH, ARM_REACH

__all__ = [
    "ALL",
    "ANT",
    "ANT_REST",
    "ARM_PUSH",
    "ARM_REACH",
    "BIG_MAZE",
    "CELL",
    "FEET",
    "MAZES",
    "PUSHER",
    "PUSHER_OBJECT",
    "REACHER",
    "U_MAZE",
    "Body",
    "blocks",
    "gymnasium_spec",
    "make",
    "prepare",
]
"""The bodies, and what one of your own builds on."""

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
