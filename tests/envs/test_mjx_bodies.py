"""Bodies on MuJoCo against MuJoCo itself: kinematics, physics, goals, falls, walls."""

import importlib.metadata
from dataclasses import replace

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from goalward.envs import bodies, chains, physics
from goalward.envs.bodies import ALL, CELL, blocks, make
from goalward.envs.body import BodyState
from goalward.protocol import GoalEnvironment
from goalward.tabular.grid import Grid

TIPS = [name for name, body in ALL.items() if body.tip]
TABLE = {
    "reacher": (10, 2, (4, 5, 6), 0.05, 1001),
    "pusher": (20, 7, (10, 11, 12), 0.1, 1001),
    "ant": (29, 8, (0, 1), 0.5, 1001),
    "ant-u-maze": (29, 8, (0, 1), 0.5, 1001),
    "ant-big-maze": (29, 8, (0, 1), 0.5, 1001),
    "arm-reach": (12, 4, (6, 7, 8), 0.1, 100),
    "arm-push": (15, 4, (0, 1, 2), 0.1, 150),
}
MANY = jax.random.split(jax.random.key(0), 2000)


def drawn(name: str) -> BodyState:
    """Many first states of a body."""
    return jax.jit(jax.vmap(make(name, "native").reset))(MANY)


def by_mujoco(
    body: bodies.Body, qpos: np.ndarray, qvel: np.ndarray, control: np.ndarray
) -> np.ndarray:
    """Positions and velocities after one action, by MuJoCo's own step."""
    data = mujoco.MjData(body.model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, control
    mujoco.mj_step(body.model, data, nstep=body.substeps)
    return np.concatenate([data.qpos, data.qvel])


@pytest.mark.parametrize("name", ALL)
def test_sizes_and_radii_are_the_benchmarks(name: str) -> None:
    body = make(name, "native")
    found = (body.observation_size, body.action_size, body.goal_entries, body.reach, body.horizon)
    assert found == TABLE[name]
    assert isinstance(body, GoalEnvironment)
    assert body is make(name, "native")
    state = body.reset(jax.random.key(0))
    assert body.control(jnp.zeros(body.action_size)).shape == (body.model.nu,)
    assert state.qpos.shape == (body.model.nq,)
    assert state.qvel.shape == (body.model.nv,)
    assert len(body.goal_entries) == len(state.goal)


def bent() -> mujoco.MjModel:
    """A body that turns and then slides, on one that turns, all of it askew."""
    spec = mujoco.MjSpec()
    first = spec.worldbody.add_body(pos=[0.1, 0.2, 0.3], quat=[0.8, 0.6, 0, 0])
    first.add_joint(axis=[0, 0.6, 0.8], pos=[0.1, 0, 0.2])
    second = first.add_body(pos=[0, -0.1, 0.2], quat=[0.6, 0, 0.8, 0])
    second.add_joint(axis=[1, 0, 0], pos=[0, 0.3, 0], ref=0.4)
    slide = second.add_joint(axis=[0, 1, 0])
    slide.type = mujoco.mjtJoint.mjJNT_SLIDE
    for body in (first, second):
        body.add_geom(size=[0.1, 0, 0])
    second.add_site(name="tip", pos=[0.3, 0.1, -0.2])
    return spec.compile()


@pytest.mark.parametrize("name", [*TIPS, "bent"])
def test_a_tip_is_and_moves_where_mujoco_has_it(name: str) -> None:
    model = bent() if name == "bent" else ALL[name].model
    both = jax.jit(chains.moving(model, chains.place(model, "tip")))
    rng = np.random.default_rng(0)
    data, moved = mujoco.MjData(model), np.zeros(6)
    for _ in range(5):
        data.qpos[:], data.qvel[:] = rng.normal(size=model.nq), rng.normal(size=model.nv)
        place, velocity = both(jnp.array(data.qpos), jnp.array(data.qvel))
        mujoco.mj_forward(model, data)
        kind = mujoco.mjtObj.mjOBJ_SITE
        mujoco.mj_objectVelocity(model, data, kind, data.site("tip").id, moved, 0)
        np.testing.assert_allclose(place, data.site("tip").xpos, atol=1e-5)
        np.testing.assert_allclose(velocity, moved[3:], atol=2e-5)


def test_a_tip_behind_a_free_joint_is_refused() -> None:
    spec = mujoco.MjSpec()
    ball = spec.worldbody.add_body(name="ball")
    ball.add_freejoint(name="loose")
    ball.add_geom(size=[0.1, 0, 0])
    ball.add_site(name="tip")
    with pytest.raises(ValueError, match="'loose' is neither a hinge nor a slide"):
        chains.place(spec.compile(), "tip")


@pytest.mark.parametrize(("name", "thing"), [("pusher", "object"), ("arm-push", "cube")])
def test_a_goal_is_compared_with_where_the_thing_is(name: str, thing: str) -> None:
    body = make(name, "native")
    state = body.reset(jax.random.key(1))
    data = body.posed(state)
    seen = state.observation[np.array(body.goal_entries)]
    np.testing.assert_allclose(seen, data.body(thing).xpos, atol=1e-6)
    np.testing.assert_allclose(data.body("goal").xpos, state.goal, atol=1e-6)


def uniform(values: jax.Array, low: float, high: float) -> bool:
    """The largest gap to the uniform distribution's, at a level of about 1e-4 for 2000 draws."""
    ordered = (np.sort(np.asarray(values)) - low) / (high - low)
    gap = np.abs(ordered - (np.arange(len(ordered)) + 0.5) / len(ordered)).max()
    return bool(gap < 2.2 / len(ordered) ** 0.5 and ordered[0] >= 0 and ordered[-1] <= 1)


def test_goals_and_starts_are_drawn_as_described() -> None:
    reacher = drawn("reacher")
    x, y, z = reacher.goal.T
    assert uniform(jnp.hypot(x, y), 0, 0.2)
    assert uniform(jnp.arctan2(y, x), -np.pi, np.pi)
    assert set(np.asarray(z).tolist()) == {np.float32(0.01)}
    assert all(uniform(q, -0.1, 0.1) for q in reacher.qpos.T)
    assert all(uniform(q, -0.005, 0.005) for q in reacher.qvel.T)
    ant = drawn("ant")
    np.testing.assert_allclose(jnp.linalg.norm(ant.goal, axis=1), 10, rtol=1e-5)
    assert uniform(jnp.arctan2(*ant.goal.T), -np.pi, np.pi)
    rest = np.array(bodies.ANT_REST)
    assert all(uniform(ant.qpos[:, i], rest[i] - 0.1, rest[i] + 0.1) for i in (0, 1, 2, 7, 14))
    np.testing.assert_allclose(jnp.linalg.norm(ant.qpos[:, 3:7], axis=1), 1, rtol=1e-5)
    assert abs(float(ant.qvel.std()) - 0.1) < 0.002
    reach = drawn("arm-reach")
    for values, low in zip(reach.goal.T, (-0.2, 0.3, 0.1), strict=True):
        assert uniform(values, low, low + 0.4)
    push = drawn("arm-push")
    for things, x in ((push.qpos[:, 6:9], -0.1), (push.goal, 0.1)):
        assert uniform(things[:, 0], x - 0.1, x + 0.1)
        assert uniform(things[:, 1], 0.5, 0.7)
        np.testing.assert_allclose(things[:, 2], 0.03, rtol=1e-6)


def test_the_pushers_goal_lies_further_back_than_its_puck() -> None:
    pusher = drawn("pusher")
    goal = pusher.goal - jnp.array(bodies.PUSHER_OBJECT)
    assert uniform(goal[:, 0], -0.2, 0.2)
    assert uniform(goal[:, 1], -0.55, -0.25)
    np.testing.assert_allclose(goal[:, 2], 0, atol=1e-6)
    rng = np.random.default_rng(0)
    first = rng.uniform([-0.3, -0.2], [0, 0.2], size=(200_000, 2))
    asked = rng.uniform([-0.55, -0.2], [-0.25, 0.2], size=(200_000, 2))
    near = 0.17 / np.linalg.norm(first - asked, axis=1, keepdims=True)
    expected = np.where(near > 1, near * first, first)
    for found, wanted in zip(pusher.qpos[:, 7:].T, expected.T, strict=True):
        ranks = np.searchsorted(np.sort(wanted), np.sort(np.asarray(found))) / len(wanted)
        assert np.abs(ranks - (np.arange(len(MANY)) + 0.5) / len(MANY)).max() < 0.05
    distances = np.asarray(jnp.linalg.norm(pusher.qpos[:, 7:] - goal[:, 1::-1], axis=1))
    ranks = np.searchsorted(np.sort(np.linalg.norm(expected - asked, axis=1)), np.sort(distances))
    assert np.abs(ranks / 200_000 - (np.arange(len(MANY)) + 0.5) / len(MANY)).max() < 0.05


@pytest.mark.parametrize("name", ["ant-u-maze", "ant-big-maze"])
def test_a_mazes_goals_are_its_other_free_cells_and_no_wall_is_missing(name: str) -> None:
    layout = {"ant-u-maze": bodies.U_MAZE, "ant-big-maze": bodies.BIG_MAZE}[name]
    grid = Grid.parse(layout)
    states = drawn(name)
    cells, counts = np.unique(np.asarray(states.goal) / CELL, axis=0, return_counts=True)
    others = [tuple(cell) for cell in grid.cells.tolist() if cell != [1, 1]]
    assert [tuple(cell) for cell in cells.astype(int).tolist()] == sorted(others)
    expected = len(MANY) / len(others)
    assert np.abs(counts - expected).max() < 4.5 * expected**0.5
    np.testing.assert_array_equal(states.qpos[:, :2], np.full((len(MANY), 2), CELL))
    covered = np.zeros(grid.shape, int)
    for (i, j), (height, width) in blocks(~grid.free):
        covered[i : i + height, j : j + width] += 1
    np.testing.assert_array_equal(covered, ~grid.free)


@pytest.mark.parametrize("name", ["ant-u-maze", "ant-big-maze"])
def test_a_wall_stands_in_every_wall_cell_and_nowhere_else(name: str) -> None:
    model = ALL[name].model
    grid = Grid.parse({"ant-u-maze": bodies.U_MAZE, "ant-big-maze": bodies.BIG_MAZE}[name])
    boxes = model.geom_type == mujoco.mjtGeom.mjGEOM_BOX
    low = (model.geom_pos - model.geom_size)[boxes]
    high = (model.geom_pos + model.geom_size)[boxes]
    for cell in np.ndindex(grid.shape):
        for offset in (-0.49, 0.0, 0.49):
            point = np.array([*((np.array(cell) + offset) * CELL), 0.3])
            inside = ((low <= point) & (point <= high)).all(axis=1).any()
            assert inside == (not grid.free[cell])


def test_success_flips_exactly_at_the_radius() -> None:
    ant = make("ant", "native")
    rest = jnp.array(bodies.ANT_REST)
    for reach, success in ((0.5, True), (np.nextafter(np.float32(0.5), np.float32(1)), False)):
        state = ant.at(rest, jnp.zeros(14), jnp.array([0.0, reach], jnp.float32))
        assert bool(state.success) == success
        assert float(state.reward) == success
        assert not state.terminated


def test_success_is_judged_after_the_step() -> None:
    ant = make("ant", "native")
    state = ant.at(jnp.array(bodies.ANT_REST), jnp.zeros(14), jnp.array([0.55, 0.0]))
    assert not state.success
    state = state.replace(qvel=state.qvel.at[0].set(3.0))
    assert ant.step(state, jnp.zeros(8), jax.random.key(0)).success


@pytest.mark.parametrize(("height", "fallen"), [(0.19, 1), (0.21, 0), (0.99, 0), (1.01, 1)])
def test_an_ant_falls_by_its_height(height: float, fallen: int) -> None:
    ant = make("ant", "native")
    state = ant.at(jnp.array(bodies.ANT_REST).at[2].set(height), jnp.zeros(14), jnp.zeros(2))
    assert bool(state.terminated) == fallen
    assert not state.truncated


def test_time_runs_out_without_a_fall() -> None:
    for name in ("ant", "arm-reach"):
        body = make(name, "native")
        state = body.reset(jax.random.key(0))
        for time, over in ((body.horizon - 2, False), (body.horizon - 1, True)):
            late = state.replace(time=jnp.array(time))
            after = body.step(late, jnp.zeros(body.action_size), jax.random.key(0))
            assert bool(after.truncated) == over
            assert not after.terminated


@pytest.mark.parametrize("name", ALL)
def test_native_physics_are_mujocos_in_any_batch(name: str) -> None:
    body = make(name, "native")
    states = jax.vmap(body.reset)(MANY[:4])
    actions = 2 * jax.random.uniform(MANY[9], (4, body.action_size), minval=-1)
    after = jax.jit(jax.vmap(body.step))(states, actions, MANY[:4])
    for i in range(4):
        state = jax.tree.map(lambda leaf, i=i: leaf[i], states)
        alone = body.step(state, actions[i], MANY[0])
        for one, of_all in zip(jax.tree.leaves(alone), jax.tree.leaves(after), strict=True):
            np.testing.assert_allclose(one, of_all[i], rtol=1e-4, atol=2e-5)
        control = np.asarray(body.control(jnp.clip(actions[i], -1, 1)))
        expected = by_mujoco(body, np.asarray(state.qpos), np.asarray(state.qvel), control)
        found = np.concatenate([after.qpos[i], after.qvel[i]])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    twice = jax.tree.map(lambda leaf: leaf.reshape(2, 2, *leaf.shape[1:]), (states, actions))
    nested = jax.vmap(jax.vmap(lambda s, a: body.step(s, a, MANY[0])))(*twice)
    np.testing.assert_allclose(nested.qpos.reshape(4, -1), after.qpos, atol=2e-5)


@pytest.mark.filterwarnings("ignore")
def test_numbers_that_are_none_stay_so_and_stay_alone() -> None:
    ant = make("ant", "native")
    states = jax.vmap(ant.reset)(MANY[:3])
    sick = states.replace(qpos=states.qpos.at[1, 4].set(jnp.nan))
    step = jax.vmap(lambda state: ant.step(state, jnp.zeros(8), MANY[0]))
    healthy, after = step(states), step(sick)
    assert jnp.isnan(after.observation[1]).all()
    assert not after.terminated[1]
    np.testing.assert_array_equal(after.qpos[::2], healthy.qpos[::2])


def contacts(body: bodies.Body, data: mujoco.MjData) -> set[str]:
    """The names of what touches something."""
    mujoco.mj_forward(body.model, data)
    return {body.model.geom(int(g)).name for c in data.contact for g in c.geom}


def test_feet_alone_touch_the_ground_and_the_marker_touches_nothing() -> None:
    ant = make("ant", "native")
    state = ant.at(jnp.array(bodies.ANT_REST).at[2].set(0.0), jnp.zeros(14), jnp.zeros(2))
    feet = {name.replace("ankle_geom", "foot") for name in bodies.FEET}
    assert contacts(ant, ant.posed(state)) == {"floor", *feet}
    for name in ALL:
        model = ALL[name].model
        marker = np.flatnonzero(model.geom_bodyid == model.body("goal").id)
        assert len(marker) == 1
        assert model.geom_contype[marker] == model.geom_conaffinity[marker] == 0


def test_walls_stop_the_ant() -> None:
    rest = jnp.array(bodies.ANT_REST)
    qvel = jnp.zeros(14).at[0].set(-4.0)
    furthest = {}
    for name in ("ant", "ant-u-maze"):
        ant = make(name, "native")
        step = jax.jit(ant.step)
        state = ant.at(rest.at[:2].set(CELL), qvel, jnp.zeros(2))
        low = []
        for _ in range(60):
            state = step(state.replace(qvel=state.qvel.at[0].set(-4.0)), jnp.zeros(8), MANY[0])
            low.append(float(state.qpos[0]))
        furthest[name] = min(low)
    assert furthest["ant"] < -5
    # The wall's face is at 2 m, the torso's radius 0.25 m.
    assert furthest["ant-u-maze"] > 1.9


def test_what_cannot_be_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="unknown body 'ant-umaze': did you mean 'ant-u-maze'"):
        make("ant-umaze")
    with pytest.raises(ValueError, match="unknown physics 'wrap': did you mean 'warp'"):
        make("reacher", "wrap")
    with pytest.raises(ValueError, match="has no goal"):
        replace(ALL["reacher"], goal_entries=())
    with pytest.raises(ValueError, match="must lie among its 10"):
        replace(ALL["reacher"], goal_entries=(10,))
    with pytest.raises(ValueError, match="said to show 11 numbers"):
        replace(ALL["reacher"], observation_size=11).reset(MANY[0])
    versions = {"mujoco-mjx": mujoco.__version__, "warp-lang": "1.17.0"}

    def version(package: str) -> str:
        if package not in versions:
            raise importlib.metadata.PackageNotFoundError(package)
        return versions[package]

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(ValueError, match=r"warp-lang 1\.17\.0 does not fit: install"):
        physics.check_physics("warp")
    del versions["warp-lang"]
    with pytest.raises(ValueError, match=r"warp-lang is not installed: install 'goalward\[warp\]'"):
        physics.check_physics("warp")
    versions["mujoco-mjx"] = "3.1.0"
    with pytest.raises(ValueError, match="does not fit mujoco"):
        physics.check_physics("jax")
    del versions["mujoco-mjx"]
    with pytest.raises(ValueError, match=r"install 'goalward\[online\]'"):
        physics.check_physics("jax")
    physics.check_physics("native")
