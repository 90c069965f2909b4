"""The two-link arm: geometry against MuJoCo's, time against one step at a time."""

import mujoco
import numpy as np

from goalward.envs.reacher import GOAL_ENTRIES, SCALE, Reacher, fingertip

ARM = Reacher()
RNG = np.random.default_rng(0)
START = ARM.reset(RNG, 6)
ACTIONS = RNG.uniform(-1, 1, size=(6, 12, 2))


def test_the_fingertip_is_where_mujoco_has_it():
    data = mujoco.MjData(ARM.model)
    for state in START:
        data.qpos[:] = state[:2]
        mujoco.mj_forward(ARM.model, data)
        np.testing.assert_allclose(fingertip(state[:2]), data.site_xpos[0, :2], atol=1e-12)


def test_steps_add_up_to_the_sequence_whatever_the_threads():
    together = ARM.simulate(START, ACTIONS)
    states = START
    for t in range(12):
        states = ARM.step(states, ACTIONS[:, t])
        np.testing.assert_allclose(states, together[:, t], atol=1e-9)
    alone = Reacher(threads=1).simulate(START, ACTIONS)
    np.testing.assert_array_equal(alone, together)


def test_it_is_mujocos_own_integration():
    data = mujoco.MjData(ARM.model)
    data.qpos[:], data.qvel[:] = START[0, :2], START[0, 2:]
    for action in ACTIONS[0]:
        data.ctrl[:] = action
        mujoco.mj_step(ARM.model, data, nstep=ARM.substeps)
    expected = ARM.simulate(START, ACTIONS)[0, -1]
    np.testing.assert_allclose(expected, [*data.qpos, *data.qvel], atol=1e-9)


def test_torques_are_cut_off_and_friction_stops_the_arm():
    strong = ARM.simulate(START, 50 * np.sign(ACTIONS))
    np.testing.assert_allclose(strong, ARM.simulate(START, np.sign(ACTIONS)), atol=1e-12)
    coasting = ARM.simulate(strong[:, -1], np.zeros((6, 60, 2)))
    assert np.abs(coasting[:, -1, 2:]).max() < 1e-2 < np.abs(strong[:, -1, 2:]).max()


def test_observations_hold_what_they_say():
    observation = ARM.observe(START)
    np.testing.assert_allclose(
        observation[:, GOAL_ENTRIES], SCALE * fingertip(START[:, :2]), rtol=1e-5
    )
    np.testing.assert_allclose(observation[:, 2:4] ** 2 + observation[:, 4:6] ** 2, 1, rtol=1e-5)
    np.testing.assert_allclose(
        np.arctan2(observation[:, 4:6], observation[:, 2:4]), START[:, :2], rtol=1e-4
    )
    goals = observation[:, :2] + np.array([0.38, 0.0], np.float32)
    assert ARM.success(observation, goals).all()
    assert not ARM.success(observation, goals + np.array([0.04, 0.0], np.float32)).any()


def test_an_episode_remembers_that_the_goal_was_reached():
    path = ARM.observe(ARM.simulate(START, ACTIONS))
    goals = path[:, 4, GOAL_ENTRIES].copy()
    goals[0] = [100.0, 0.0]
    for steps in (1, 12):
        asked = np.repeat(goals[:, None], steps, axis=1)
        expected = ARM.success(path[:, :steps], asked).any(axis=1)
        reached = ARM.episodes(lambda seen, t: ACTIONS[:, t], START, goals, steps)
        np.testing.assert_array_equal(reached, expected)
    assert reached[1:].all()
    assert not reached[0]
