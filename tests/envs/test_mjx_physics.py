"""MJX against MuJoCo from the same states; one compiled two-link arm for what is not slow."""

import importlib.util
from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.envs.bodies import ANT_REST, make
from goalward.envs.body import BodyState

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mujoco.mjx") is None, reason="needs mujoco-mjx"
)
KEYS = jax.random.split(jax.random.key(0), 8)
Step = Callable[[BodyState, jax.Array, jax.Array], BodyState]


@cache
def stepper(name: str, kind: str) -> Step:
    """Many steps at once, compiled once for all tests."""
    return jax.jit(jax.vmap(make(name, kind).step))


def starts(name: str, keys: jax.Array = KEYS) -> BodyState:
    return jax.jit(jax.vmap(make(name).reset))(keys)


def gaps(name: str, kind: str, states: BodyState, steps: int) -> list[float]:
    """The largest differences in position after one step, each from the same state."""
    other, own = stepper(name, kind), stepper(name, "native")
    found = []
    for i in range(steps):
        size = (len(states.time), make(name, kind).action_size)
        action = jax.random.uniform(jax.random.key(i), size, minval=-1)
        keys = KEYS[: len(states.time)]
        after, expected = other(states, action, keys), own(states, action, keys)
        found.append(float(jnp.abs(after.qpos - expected.qpos).max()))
        states = expected
    return found


def test_mjx_is_mujoco_step_by_step() -> None:
    states = expected = starts("reacher")
    arm, own = stepper("reacher", "jax"), stepper("reacher", "native")
    for i in range(50):
        action = jax.random.uniform(jax.random.key(i), (8, 2), minval=-1)
        states, expected = arm(states, action, KEYS), own(expected, action, KEYS)
    np.testing.assert_allclose(states.observation, expected.observation, atol=1e-3)
    np.testing.assert_array_equal(states.success, expected.success)
    assert (states.time == 50).all()


def test_environments_side_by_side_are_alone() -> None:
    states, arm = starts("reacher"), stepper("reacher", "jax")
    action = jax.random.uniform(jax.random.key(1), (8, 2), minval=-1)
    after = arm(states, action, KEYS)
    same = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[3], leaf.shape), states)
    alone = arm(same, jnp.broadcast_to(action[3], action.shape), KEYS)
    np.testing.assert_allclose(after.observation[3], alone.observation[3], rtol=1e-5, atol=1e-6)
    sick = arm(states.replace(qvel=states.qvel.at[0, 0].set(jnp.nan)), action, KEYS)
    assert jnp.isnan(sick.observation[0]).any()
    np.testing.assert_array_equal(sick.observation[1:], after.observation[1:])


@pytest.mark.slow
def test_the_ant_on_mjx_flies_as_in_mujoco_and_lands_nearby() -> None:
    ant = make("ant")
    high = jnp.array(ANT_REST).at[2].set(3.0)
    spin = 0.3 * jax.random.normal(jax.random.key(2), (8, 14))
    flying = jax.jit(jax.vmap(lambda qvel: ant.at(high, qvel, jnp.zeros(2))))(spin)
    # Ten steps of 0.05 s fall 1.2 m, and the legs reach less than 1 m down.
    assert max(gaps("ant", "jax", flying, 10)) < 1e-3
    standing = starts("ant")
    assert max(gaps("ant", "jax", standing, 10)) < 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_warp_is_mujoco_too() -> None:
    pytest.importorskip("warp")
    states = starts("reacher", KEYS[:2])
    assert max(gaps("reacher", "warp", states, 3)) < 1e-5
