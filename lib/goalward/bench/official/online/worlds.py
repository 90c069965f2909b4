"""What JaxGCRL acts in, for the Python that has its packages; and the packages that it lacks there.

Nothing of ours is imported here.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

WORLDS = {"reacher": ("jaxgcrl.envs.reacher", "Reacher"), "ant": ("jaxgcrl.envs.ant", "Ant")}
"""Module and class of their environments."""
NO_PHYSICS = "no-physics"
"""A world in which nothing has to be computed: what is left is relabelling and updates."""
ENVS = (*WORLDS, NO_PHYSICS)
METHOD = "contrastive_rl"
OFFLINE_ONLY = ("data", "updates", "warmup", "extraction", "alpha")
"""Options of a comparison on a data set."""
ONLINE_ONLY = ("envs", "episode", "unroll", "rounds")
"""Options of a comparison in an environment."""
NEEDS = ("jax", "flax", "optax", "numpy", "mujoco", "brax", "jaxgcrl", "jaxtyping", "tqdm")


def prepare(official: str) -> None:
    """Put their checkout in front, and empty modules where theirs asks for what brax left out."""
    if official:
        sys.path.insert(0, official)
    for name in ("brax.v1", "brax.v1.envs", *(() if find_spec("wandb") else ("wandb",))):
        module = ModuleType(name)
        for part in ("Env", "Wrapper", "State"):
            setattr(module, part, type(part, (), {}))
        sys.modules.setdefault(name, module)
    if "brax.v1" in sys.modules:
        sys.modules["brax.v1"].envs = sys.modules["brax.v1.envs"]  # type: ignore[attr-defined]


def world(name: str) -> Any:
    """Their environment of that name, or the one without physics."""
    if name == NO_PHYSICS:
        return _no_physics()
    module, kind = WORLDS[name]
    env = getattr(import_module(module), kind)()
    # A JAX array is no key of the caches into which their code puts it.
    env.goal_indices = import_module("numpy").asarray(env.goal_indices)
    return env


def _no_physics() -> Any:
    jnp, np = import_module("jax.numpy"), import_module("numpy")
    base = import_module("brax.envs.base")

    class NoPhysics(base.Env):  # type: ignore[misc, name-defined]
        """A point that the action moves a little; sizes are those of their reacher."""

        state_dim, goal_indices, goal_reach_thresh = 10, np.array([4, 5, 6]), 0.05
        observation_size, action_size, backend = 13, 2, "none"

        def reset(self, rng: Any) -> Any:
            draw = import_module("jax").random.uniform(rng, (13,))
            zero = jnp.zeros(())
            return base.State(draw, draw, zero, zero, {"success": zero})

        def step(self, state: Any, action: Any) -> Any:
            moved = state.obs.at[4:6].add(0.01 * action)
            near = jnp.linalg.norm(moved[4:7] - moved[10:13]) < self.goal_reach_thresh
            success = near.astype(jnp.float32)
            state.metrics.update(success=success)
            return state.replace(pipeline_state=moved, obs=moved, reward=success)

    return NoPhysics()
