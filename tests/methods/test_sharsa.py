"""SHARSA: an update by hand, how it draws and acts, and that it crosses a corridor it never saw."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture
from goalward.data.nstep_goals import NStepBatch
from goalward.methods.sharsa import SHARSA
from goalward.nets.flow import VelocityField
from goalward.nets.normalized import GoalValue
from goalward.protocol import PLAIN
from goalward.training.loop import train
from offline_oracles import (
    check_gradient,
    check_target,
    double,
    goal_value,
    member,
    normalized_mlp,
    plain_update,
    random_batch,
    random_state,
)
from states import only_seed

AGENT = SHARSA(
    actor=VelocityField((6,)),
    high_actor=VelocityField((5,)),
    value=GoalValue((7,)),
    critic=GoalValue((6, 5)),
    actions=2,
    gamma=0.9,
    subgoal_steps=4,
    candidates=7,
    flow_steps=3,
    transform=PLAIN,
)


def nstep_rows():
    rng, batch = np.random.default_rng(3), random_batch()
    steps = jnp.asarray([0, 1, 4] * 3)
    at_goal = jnp.asarray([1.0, 1.0, 0.0] * 3)
    more = {
        name: jnp.asarray(rng.normal(size=batch.state.shape), jnp.float32)
        for name in ("value_subgoal", "value_next", "subgoal", "low_goal")
    }
    base = {f.name: getattr(batch, f.name) for f in fields(batch)}
    base |= {"reward": 0.9**steps * at_goal, "mask": 1 - at_goal}
    return NStepBatch(**base, **more, steps=steps)


BATCH = nstep_rows()
KEY = jax.random.key(1)  # that plain_update gives to the loss


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def bernoulli(logit, y):
    return -y * np.log(sigmoid(logit)) - (1 - y) * np.log(1 - sigmoid(logit))


def field(params, name, s, g, x, t):
    layers = {"params": params[name]["params"]["NormalizedMLP_0"]}
    return normalized_mlp(layers, s, g, x, t)


def noise_and_times(key, dim):
    key_noise, key_time = jax.random.split(key)
    return np.asarray(jax.random.normal(key_noise, (9, dim))), np.asarray(
        jax.random.uniform(key_time, (9, 1))
    )


def by_hand(params, held, target, batch, aggregate=min):
    """Row by row from the four objectives; `held` are parameters that get no gradient."""
    key_high, key_low = jax.random.split(KEY)
    high, low = noise_and_times(key_high, 3), noise_and_times(key_low, 2)
    parts = np.zeros(4)
    for i in range(9):
        row = jax.tree.map(lambda x, i=i: x[i], batch)
        s, g, w = row.state, row.goal, row.value_subgoal
        both = [sigmoid(goal_value(member(target["critic"], k), s, w, g)) for k in (0, 1)]
        parts[0] += bernoulli(goal_value(params["value"], s, g), aggregate(both)) / 9
        onward = 0.9**row.steps * sigmoid(goal_value(held["value"], row.value_next, g))
        y = 0.9**row.steps if row.mask == 0 else onward
        for k in (0, 1):
            parts[1] += bernoulli(goal_value(member(params["critic"], k), s, w, g), y) / 9
        for j, name, (x0, t), told, x1 in (
            (2, "high_actor", high, row.actor_goal, row.subgoal),
            (3, "actor", low, row.low_goal, row.action),
        ):
            place = (1 - t[i]) * x0[i] + t[i] * x1
            v = field(params, name, s, told, place, t[i])
            parts[j] += np.mean((v - (x1 - x0[i])) ** 2) / 9
    return parts


def test_the_values_target_may_be_the_mean():
    agent, state = replace(AGENT, aggregate=jnp.mean), random_state(AGENT, BATCH)
    value = jax.jit(agent.value_loss)(state.params, state.target_params, BATCH)
    batch, target, held = double(BATCH), double(state.target_params), double(state.params)
    assert float(value) == pytest.approx(by_hand(held, held, target, batch, np.mean)[0], rel=1e-4)


def test_an_update_by_hand():
    state = random_state(AGENT, BATCH)
    metrics, gradient, after = plain_update(AGENT, state, BATCH)
    batch, target, held = double(BATCH), double(state.target_params), double(state.params)
    parts = by_hand(held, held, target, batch)
    told = [metrics[name] for name in ("value", "critic", "high_actor", "actor")]
    np.testing.assert_allclose(told, parts, rtol=1e-4)
    np.testing.assert_allclose(metrics["loss"], parts.sum(), rtol=1e-5)
    total = lambda params, held: by_hand(params, held, target, batch).sum()  # noqa: E731
    check_gradient(total, state.params, gradient, ["value", "critic", "high_actor", "actor"])
    check_target(state, after)


def euler(params, name, s, g, x, steps=3):
    for k in range(steps):
        x = x + field(params, name, s, g, x, np.array([k / steps])) / steps
    return x


def test_acting_is_choosing_among_draws_then_following():
    state = random_state(AGENT, BATCH)
    params, act = double(state.params), jax.jit(AGENT.act)
    chosen, clipped = set(), 0
    for i, (s, g) in enumerate(zip(BATCH.state, BATCH.goal, strict=True)):
        key = jax.random.key(i)
        key_high, key_low = jax.random.split(key)
        noise = np.asarray(jax.random.normal(key_high, (7, 3)))
        drawn = [euler(params, "high_actor", s, g, x) for x in noise]
        least = [
            min(goal_value(member(params["critic"], k), s, w, g) for k in (0, 1)) for w in drawn
        ]
        chosen.add(int(np.argmax(least)))
        x = np.asarray(jax.random.normal(key_low, (1, 2)))[0]
        action = euler(params, "actor", s, drawn[np.argmax(least)], x)
        clipped += np.sum(np.abs(action) > 1)
        for temperature in (0.0, 1.0):
            got, carry = act(state, s, g, (), key, temperature)
            np.testing.assert_allclose(got, np.clip(action, -1, 1), atol=1e-4)
            assert carry == ()
    assert len(chosen) > 2
    assert 0 < clipped < 18


def test_settings_reach_the_batch():
    rows = np.arange(60.0, dtype=np.float32)
    seen = np.stack([rows, 100 + rows], axis=-1).reshape(-1, 12, 2)
    data = trajectories.from_trajectories(seen, seen)
    agent = replace(
        AGENT,
        value_goals=GoalMixture(random=1.0),
        actor_goals=GoalMixture(current=1.0),
        goal_entries=(1,),
        subgoal_steps=3,
        batch_size=400,
    )
    batch = jax.tree.map(np.asarray, jax.jit(agent.batch)(data, jax.random.key(0)))
    now = batch.state[:, 0]
    last = now - now % 12 + 10
    np.testing.assert_array_equal(batch.low_goal[:, 0], 100 + np.minimum(now + 3, last))
    np.testing.assert_array_equal(batch.actor_goal, 100 + now[:, None])
    np.testing.assert_array_equal(batch.subgoal, batch.actor_goal)
    near = (batch.goal[:, 0] - 100 >= now) & (batch.goal[:, 0] - 100 <= last)
    assert near.mean() < 0.5
    assert np.all(near[batch.mask == 0])
    published = replace(agent, end_is_success=True)
    other = jax.tree.map(np.asarray, jax.jit(published.batch)(data, jax.random.key(0)))
    np.testing.assert_array_equal(other.mask == 0, batch.steps < 3)
    assert np.sum(other.mask == 0) > np.sum(batch.mask == 0)


@pytest.mark.parametrize("name", ["subgoal_steps", "candidates", "flow_steps"])
def test_nothing_to_take_is_refused(name):
    with pytest.raises(ValueError, match="at least 1"):
        replace(AGENT, **{name: 0})


def test_short_walks_make_a_policy_for_far_goals():
    """A corridor 2 long, walks of half of it, both ways: far goals are in the right direction."""
    rng = np.random.default_rng(0)
    start, way = rng.uniform(-1, 1, 500), rng.choice([-1.0, 1.0], (500, 1))
    action = way * rng.uniform(0.5, 1, (500, 11))
    place = np.clip(start[:, None] + 0.1 * np.cumsum(action, axis=1), -1, 1)
    place = np.concatenate([start[:, None], place[:, :-1]], axis=1)[..., None]
    data = trajectories.from_trajectories(place.astype(np.float32), action[..., None])
    agent = SHARSA(
        actor=VelocityField((32,)),
        high_actor=VelocityField((32,)),
        value=GoalValue((32,)),
        critic=GoalValue((32,)),
        actions=1,
        gamma=0.9,
        subgoal_steps=4,
        candidates=16,
        tau=0.05,
        batch_size=128,
        learning_rate=5e-3,
        actor_goals=GoalMixture(trajectory=0.5, random=0.5),
    )
    state, _ = train(agent, data, jax.random.key(0), 300)
    state = only_seed(state)
    keys = jax.random.split(jax.random.key(1), 60)
    act = jax.jit(
        jax.vmap(lambda s, g, k: agent.act(state, s, g, (), k)[0][0], in_axes=(None, None, 0))
    )
    for s, g in ((-0.8, 0.8), (0.8, -0.8), (0.0, 0.9), (0.0, -0.9)):
        actions = np.asarray(act(jnp.array([s]), jnp.array([g]), keys))
        assert np.mean(np.sign(actions) == np.sign(g - s)) > 0.9, (s, g, actions.mean())
