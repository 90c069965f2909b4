"""Goal mixtures against the exact distribution of a small data set, enumerated row by row."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from goalward.data import trajectories
from goalward.data.goal_mixtures import (
    GoalMixture,
    goal_batch,
    goal_rows,
    subgoal_batch,
    waypoint_batch,
)
from offline_oracles import goal_table

GAMMA = 0.7
TRANSITIONS = (1, 2, 5)  # of three trajectories
ENDS = np.cumsum([n + 1 for n in TRANSITIONS]) - 1
ANCHORS = np.setdiff1d(np.arange(ENDS[-1] + 1), ENDS)
ROWS = np.arange(ENDS[-1] + 1)
DATA = trajectories.from_flat(
    np.stack([ROWS, 10 + ROWS], axis=1).astype(np.float32), 100 + ROWS, np.isin(ROWS, ENDS)
)
MIXTURES = {
    "value": GoalMixture(current=0.2, trajectory=0.5, random=0.3),
    "uniform": GoalMixture(trajectory=1.0, geometric=False),
    "stitch": GoalMixture(trajectory=0.5, random=0.5, geometric=False),
    "future": GoalMixture(trajectory=1.0),
    "anywhere": GoalMixture(random=1.0),
    "here": GoalMixture(current=1.0),
}

rows_of = jax.jit(goal_rows, static_argnums=(4, 5))
batch_of = jax.jit(goal_batch, static_argnums=(2, 3, 4, 5), static_argnames="goal_entries")
subgoals_of = jax.jit(subgoal_batch, static_argnums=(2, 3, 4, 5, 6), static_argnames="goal_entries")
waypoints_of = jax.jit(
    waypoint_batch, static_argnums=(2, 3, 4, 5, 6, 7), static_argnames="goal_entries"
)


def exact(mixture):
    return goal_table(np.isin(ROWS, ENDS), mixture, GAMMA)


@pytest.mark.parametrize("name", MIXTURES)
def test_goals_have_the_stated_distribution(name):
    each, mixture = 20_000, MIXTURES[name]
    now = np.repeat(ANCHORS, each)
    rows = np.asarray(rows_of(DATA, jax.random.key(1), jnp.array(now), GAMMA, mixture))
    table = exact(mixture)
    np.testing.assert_allclose(table[ANCHORS].sum(axis=1), 1)
    for anchor in ANCHORS:
        counts = np.bincount(rows[now == anchor], minlength=len(ROWS))
        possible = table[anchor] > 0
        assert counts[~possible].sum() == 0
        if possible.sum() > 1:
            assert chisquare(counts[possible], each * table[anchor, possible]).pvalue > 1e-3


def test_a_batch_is_transitions_with_two_independent_goals():
    mixtures = MIXTURES["value"], MIXTURES["stitch"]
    batch = batch_of(DATA, jax.random.key(0), 60_000, GAMMA, *mixtures)
    now, value, actor = (
        np.asarray(x)[:, 0].astype(int) for x in (batch.state, batch.value_goal, batch.actor_goal)
    )
    np.testing.assert_array_equal(batch.action, 100 + now)
    np.testing.assert_array_equal(batch.next_state[:, 0], now + 1)
    np.testing.assert_array_equal(batch.next_goal, batch.next_state)
    np.testing.assert_array_equal(batch.reward, np.where(now == value, 0, -1))
    np.testing.assert_array_equal(batch.mask, np.where(now == value, 0, 1))
    value_table, actor_table = (exact(mixture) for mixture in mixtures)
    joint = value_table[:, :, None] * actor_table[:, None, :] / len(ANCHORS)
    counts = np.zeros_like(joint)
    np.add.at(counts, (now, value, actor), 1)
    often = joint * len(now) >= 5
    assert counts[joint == 0].sum() == 0
    expected = joint[often] * counts[often].sum() / joint[often].sum()
    assert chisquare(counts[often], expected).pvalue > 1e-3


def test_success_is_the_same_row_not_the_same_observation():
    one_place = trajectories.from_flat(np.zeros((6, 1)), np.zeros(6), np.arange(6) % 3 == 2)
    batch = batch_of(
        one_place, jax.random.key(0), 20_000, GAMMA, MIXTURES["anywhere"], MIXTURES["anywhere"]
    )
    np.testing.assert_allclose(np.mean(batch.reward == 0), 1 / 4, atol=0.015)


def test_a_goal_may_be_a_part_of_an_observation():
    arguments = DATA, jax.random.key(0), 40, GAMMA, MIXTURES["value"], MIXTURES["stitch"]
    whole, part = batch_of(*arguments), batch_of(*arguments, goal_entries=(1,))
    for name in ("goal", "actor_goal", "next_goal"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:, [1]])
    np.testing.assert_array_equal(part.state, whole.state)


@pytest.mark.parametrize("mixture", [MIXTURES["uniform"], MIXTURES["future"]])
@pytest.mark.parametrize(("length", "tail"), [(1, "renormalise"), (9, "renormalise"), (9, "clip")])
def test_later_goals_stay_in_the_trajectory(length, tail, mixture):
    data = trajectories.from_trajectories(np.zeros((400, length + 1)), np.zeros((400, length + 1)))
    now = np.flatnonzero(~np.asarray(data.terminals))
    rows = np.asarray(rows_of(data, jax.random.key(0), jnp.array(now), 0.9, mixture, tail))
    time, later = now % (length + 1), rows % (length + 1)
    np.testing.assert_array_equal(rows // (length + 1), now // (length + 1))
    assert (later < length).all()
    np.testing.assert_array_equal(time == later, time == length - 1)
    assert (time <= later).all()


@pytest.mark.parametrize("shares", [{}, {"current": 0.5}, {"random": 1.5, "current": -0.5}])
def test_probabilities_add_up(shares):
    with pytest.raises(ValueError, match="add up to 1"):
        GoalMixture(**shares)


def subgoal_table(mixture, steps):
    """P(policy's goal row, row to name | present row), from the definition."""
    table = np.zeros((len(ROWS), len(ROWS), len(ROWS)))
    own, anywhere = (
        exact(replace(mixture, random=share, **shares)) * weight
        for weight, share, shares in (
            (1 - mixture.random, 0.0, scaled(mixture)),
            (mixture.random, 1.0, {"current": 0.0, "trajectory": 0.0}),
        )
    )
    for now in ANCHORS:
        ahead = min(now + steps, ENDS[now < ENDS][0] - 1)
        for goal in ANCHORS:
            table[now, goal, min(ahead, goal)] += own[now, goal]
            table[now, goal, ahead] += anywhere[now, goal]
    return table


def scaled(mixture):
    """The shares of goals from the same trajectory, if no others were drawn."""
    total = mixture.current + mixture.trajectory
    return {"current": mixture.current / total, "trajectory": mixture.trajectory / total}


@pytest.mark.parametrize(
    ("name", "steps"), [("stitch", 1), ("stitch", 2), ("stitch", 9), ("value", 3)]
)
def test_subgoals_have_the_stated_distribution(name, steps):
    value, mixture, n = MIXTURES["future"], MIXTURES[name], 60_000
    arguments = DATA, jax.random.key(steps), n, GAMMA, value, mixture
    batch, plain = subgoals_of(*arguments, steps), batch_of(*arguments)
    for field in fields(plain):  # of the same key, the same batch, and more
        np.testing.assert_array_equal(getattr(batch, field.name), getattr(plain, field.name))
    now, goal, low, subgoal = (
        np.asarray(x)[:, 0].astype(int)
        for x in (batch.state, batch.actor_goal, batch.low_goal, batch.subgoal)
    )
    last = ENDS[np.searchsorted(ENDS, now)] - 1
    np.testing.assert_array_equal(low, np.minimum(now + steps, last))
    np.testing.assert_array_equal(batch.subgoal, batch.subgoal_state)
    expected = n / len(ANCHORS) * subgoal_table(mixture, steps)
    np.testing.assert_allclose(expected.sum(), n)
    counts = np.zeros_like(expected)
    np.add.at(counts, (now, goal, subgoal), 1)
    assert counts[expected == 0].sum() == 0
    often = expected >= 5
    share = counts[often].sum() / expected[often].sum()
    assert chisquare(counts[often], share * expected[often]).pvalue > 1e-3


def test_a_subgoal_may_be_a_part_of_an_observation():
    arguments = DATA, jax.random.key(0), 40, GAMMA, MIXTURES["value"], MIXTURES["stitch"], 2
    whole, part = subgoals_of(*arguments), subgoals_of(*arguments, goal_entries=(1,))
    for name in ("low_goal", "subgoal"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:, [1]])
    np.testing.assert_array_equal(part.subgoal_state, whole.subgoal_state)


def waypoint_table(mixture, lam, single):
    """P(present row, value's goal, waypoint), waypoint by waypoint from its definition."""
    goals = exact(mixture)
    table = np.zeros((len(ROWS),) * 3)
    for now in ANCHORS:
        last = ENDS[now < ENDS][0] - 1  # that has an action
        for goal in ROWS:
            furthest = goal if now < goal <= last else now + 1 if goal == now else last
            furthest = max(furthest, now + 1)
            for k in range(1, furthest - now + 1):
                far = lam ** (k - 1) * ((1 - lam) if now + k < furthest else 1)
                share = single * (k == 1) + (1 - single) * far
                table[now, goal, now + k] = goals[now, goal] * share / len(ANCHORS)
    np.testing.assert_allclose(table.sum(), 1)
    return table


@pytest.mark.parametrize(
    ("name", "lam", "single"), [("future", 0.6, 0.3), ("value", 0.8, 0.0), ("anywhere", 0.5, 1.0)]
)
def test_waypoints_have_the_stated_distribution_whatever_the_goal(name, lam, single):
    """Never beyond a goal that lies ahead or the last state with an action; the goals as before."""
    key, mixtures = jax.random.key(2), (MIXTURES[name], MIXTURES["stitch"])
    batch = waypoints_of(DATA, key, 60_000, GAMMA, *mixtures, lam, single)
    plain = batch_of(DATA, key, 60_000, GAMMA, *mixtures)
    for f in fields(plain):
        np.testing.assert_array_equal(getattr(batch, f.name), getattr(plain, f.name))
    now, goal, waypoint = (
        np.asarray(x)[:, 0].astype(int) for x in (batch.state, batch.value_goal, batch.waypoint)
    )
    np.testing.assert_array_equal(waypoint - now, batch.steps)
    joint = waypoint_table(MIXTURES[name], lam, single)
    counts = np.zeros_like(joint)
    np.add.at(counts, (now, goal, waypoint), 1)
    often = joint * len(now) >= 5
    assert counts[joint == 0].sum() == 0
    expected = joint[often] * counts[often].sum() / joint[often].sum()
    assert chisquare(counts[often], expected).pvalue > 1e-3


def test_a_waypoint_is_a_whole_observation():
    batch = waypoints_of(
        DATA, jax.random.key(2), 50, GAMMA, MIXTURES["value"], MIXTURES["value"], 0.5, 0.2,
        goal_entries=(1,),
    )  # fmt: skip
    assert batch.waypoint.shape == (50, 2)
    assert batch.goal.shape == batch.actor_goal.shape == (50, 1)
