"""HIQL: losses and gradients by hand, how it acts, and that it crosses a corridor it never saw."""

from dataclasses import fields, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture, SubgoalBatch
from goalward.methods.hiql import HIQL
from goalward.nets.normalized import GoalValue
from goalward.nets.plain_policies import CategoricalPolicy, UnitGaussianPolicy
from goalward.nets.subgoals import SubgoalEncoder
from goalward.protocol import PLAIN
from goalward.training.loop import train
from offline_oracles import (
    check_gradient,
    double,
    gaussian_log_prob,
    goal_value,
    member,
    normalized_mlp,
    plain_update,
    policy_head,
    random_batch,
    random_state,
)

DIM = 4
AGENT = HIQL(
    actor=UnitGaussianPolicy(2, (6,)),
    high_actor=UnitGaussianPolicy(DIM, (5,)),
    representation=SubgoalEncoder((6, DIM)),
    value=GoalValue((7, 5)),
    gamma=0.9,
    kappa=0.8,
    sharpness=40.0,
    high_sharpness=100.0,
    transform=PLAIN,
)


def subgoal_batch():
    rng, batch = np.random.default_rng(3), random_batch()
    more = {
        name: jnp.asarray(rng.normal(size=batch.state.shape), jnp.float32)
        for name in ("low_goal", "subgoal_state", "subgoal")
    }
    return SubgoalBatch(**{f.name: getattr(batch, f.name) for f in fields(batch)}, **more)


BATCH = subgoal_batch()


def sphere(x):
    return np.sqrt(x.shape[-1]) * x / np.linalg.norm(x, axis=-1, keepdims=True)


def phi(params, s, g):
    return sphere(
        normalized_mlp(
            {"params": params["representation"]["params"]["NormalizedMLP_0"]}, np.append(s, g)
        )
    )


def by_hand(params, held, target, batch, low_trains_phi=False):
    """Row by row from the three objectives; `held` are parameters that get no gradient."""
    v = lambda p, k, s, z: goal_value(member(p["value"], k), s, z)  # noqa: E731
    V = lambda s, g: sum(v(held, k, s, phi(held, s, g)) for k in (0, 1)) / 2  # noqa: E731
    value = low = high = 0.0
    weights = {"high": [], "low": []}
    for i in range(len(batch.reward)):
        row = jax.tree.map(lambda x, i=i: x[i], batch)
        s, after, g = row.state, row.next_state, row.goal
        z, z_after = phi(held, s, g), phi(held, after, g)  # the target has no phi of its own
        q = [row.reward + 0.9 * row.mask * v(target, k, after, z_after) for k in (0, 1)]
        better = min(q) >= (v(target, 0, s, z) + v(target, 1, s, z)) / 2
        errors = [q[k] - v(params, k, s, phi(params, s, g)) for k in (0, 1)]
        value += (0.8 if better else 0.2) * (errors[0] ** 2 + errors[1] ** 2)

        told = row.actor_goal
        weight = min(np.exp(100.0 * (V(row.subgoal_state, told) - V(s, told))), 100.0)
        name = phi(held, s, row.subgoal)
        high -= weight * gaussian_log_prob(params["high_actor"], s, told, name)
        weights["high"].append(weight)

        w = row.low_goal
        weight = min(np.exp(40.0 * (V(after, w) - V(s, w))), 100.0)
        name = phi(params if low_trains_phi else held, s, w)
        low -= weight * gaussian_log_prob(params["actor"], s, name, row.action)
        weights["low"].append(weight)
    assert all(min(x) < 1 < max(x) == 100 for x in weights.values())  # some are capped
    return np.array([value, low, high]) / len(batch.reward)


def test_an_update_by_hand():
    state = random_state(AGENT, BATCH)
    metrics, gradient, after = plain_update(AGENT, state, BATCH)
    batch, target, held = double(BATCH), double(state.target_params), double(state.params)
    parts = by_hand(held, held, target, batch)
    told = [metrics[name] for name in ("value", "actor", "high_actor")]
    np.testing.assert_allclose(told, parts, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], parts.sum(), rtol=1e-5)
    total = lambda params, held: by_hand(params, held, target, batch).sum()  # noqa: E731
    names = ["representation", "value", "actor", "high_actor"]
    check_gradient(total, state.params, gradient, names)
    slow = jax.tree.map(lambda t, p: 0.995 * t + 0.005 * p, state.target_params, after.params)
    for new, expected in zip(*map(jax.tree.leaves, (after.target_params, slow)), strict=True):
        np.testing.assert_allclose(new, expected, atol=1e-6)


def test_the_low_level_trains_the_representation_only_if_told():
    state = random_state(AGENT, BATCH)
    batch, target = double(BATCH), double(state.target_params)
    for told in (False, True):
        agent = replace(AGENT, low_level_represents=told)
        gradient = jax.jit(jax.grad(agent.extract))(state.params, BATCH)
        low = lambda params, held: by_hand(params, held, target, batch, told)[1]  # noqa: B023, E731
        check_gradient(low, state.params, gradient, ["representation", "actor"])
        assert not any(map(np.any, jax.tree.leaves(gradient["value"])))


def test_each_goal_comes_from_its_own_place():
    """The value's is the state itself, the policy's a later one; subgoals lie 3 steps ahead."""
    rows, length = np.arange(60.0), 12
    data = trajectories.from_trajectories(
        np.stack([rows, 100 + rows], axis=-1).reshape(-1, length, 2), np.zeros((5, length, 2))
    )
    agent = replace(
        AGENT,
        value_goals=GoalMixture(current=1.0),
        actor_goals=GoalMixture(trajectory=1.0, geometric=False),
        goal_entries=(1,),
        subgoal_steps=3,
        batch_size=400,
    )
    batch = jax.tree.map(np.asarray, jax.jit(agent.batch)(data, jax.random.key(0)))
    now = batch.state[:, 0]
    last = now - now % length + length - 2  # that has an action
    np.testing.assert_array_equal(batch.goal, 100 + now[:, None])
    np.testing.assert_array_equal(batch.reward, 0)
    far = batch.actor_goal[:, 0] - 100
    assert ((now <= far) & (far <= last)).all()
    assert np.mean(far > now + 3) > 0.3
    low = np.minimum(now + 3, last)
    np.testing.assert_array_equal(batch.low_goal, 100 + low[:, None])
    named = np.minimum(low, far)
    np.testing.assert_array_equal(batch.subgoal_state, np.stack([named, 100 + named], axis=-1))
    np.testing.assert_array_equal(batch.subgoal, 100 + named[:, None])


def test_acting_is_naming_then_going():
    state = random_state(AGENT, BATCH)
    params = double(state.params)
    act = jax.jit(partial(AGENT.act, temperature=0.0))
    for s, g in zip(BATCH.state, BATCH.goal, strict=True):
        z = sphere(policy_head(params["high_actor"], s, g))
        expected = np.clip(policy_head(params["actor"], s, z), -1, 1)
        for seed in (0, 1):  # greedy: the key has no effect
            action, carry = act(state, s, g, (), jax.random.key(seed))
            np.testing.assert_allclose(action, expected, atol=1e-5)
            assert carry == ()


def test_at_temperature_one_both_levels_draw():
    state, n = random_state(AGENT, BATCH), 40_000
    low = state.params["actor"]["params"]  # made to heed what it is told
    steep = low | {"Dense_0": low["Dense_0"] | {"kernel": 4 * low["Dense_0"]["kernel"]}}
    state = state.replace(params=state.params | {"actor": {"params": steep}})
    params, rng = double(state.params), np.random.default_rng(5)
    s, g = BATCH.state[0], BATCH.goal[0]

    @jax.jit
    def draw(temperature):
        def one(key):
            name = AGENT.name_subgoal(state.params, s[None], g[None], key, temperature)[0]
            return name, AGENT.act(state, s, g, (), key, temperature)[0]

        return jax.vmap(one)(jax.random.split(jax.random.key(0), n))

    for temperature in (1.0, 0.5):
        names, actions = draw(temperature)
        mean = policy_head(params["high_actor"], s, g)
        drawn = sphere(mean + temperature * rng.normal(size=(n, DIM)))
        np.testing.assert_allclose(np.linalg.norm(names, axis=1), np.sqrt(DIM), rtol=1e-5)
        np.testing.assert_allclose(np.mean(names, axis=0), drawn.mean(axis=0), atol=0.05)
        means = policy_head(params["actor"], np.tile(s, (n, 1)), drawn)
        expected = np.clip(means + temperature * rng.normal(size=means.shape), -1, 1)
        np.testing.assert_allclose(np.mean(actions, axis=0), expected.mean(axis=0), atol=0.02)
        np.testing.assert_allclose(np.std(actions, axis=0), expected.std(axis=0), atol=0.02)


CELLS, STEPS = 9, 4


def corridor():
    """Walks of 4 steps along 9 cells, mostly one way; no record links cells further apart."""
    rng = np.random.default_rng(0)
    cells = np.zeros((600, STEPS + 1), int)
    cells[:, 0] = rng.integers(CELLS, size=600)
    actions = (rng.integers(2, size=(600, 1)) + (rng.random(cells.shape) < 0.2)) % 2
    for t in range(STEPS):
        cells[:, t + 1] = np.clip(cells[:, t] + 2 * actions[:, t] - 1, 0, CELLS - 1)
    return trajectories.from_trajectories(np.eye(CELLS, dtype=np.float32)[cells], actions)


def test_short_walks_make_a_policy_for_far_goals():
    """From every cell the first step is towards the goal, however far it is."""
    agent = HIQL(
        actor=CategoricalPolicy(2, (32,)),
        high_actor=UnitGaussianPolicy(6, (32,)),
        representation=SubgoalEncoder((6,)),
        value=GoalValue((32,)),
        subgoal_steps=3,
        actor_goals=GoalMixture(trajectory=0.5, random=0.5, geometric=False),
        gamma=0.9,
        kappa=0.9,
        sharpness=5.0,
        high_sharpness=5.0,
        tau=0.1,
        learning_rate=1e-2,
        batch_size=128,
    )
    state, _ = train(agent, corridor(), jax.random.key(0), 750)
    state = jax.tree.map(lambda leaf: leaf[0], state)
    every = jnp.eye(CELLS)
    act = lambda s, g: agent.act(state, s, g, (), jax.random.key(0), 0.0)[0]  # noqa: E731
    chosen = np.asarray(jax.jit(jax.vmap(jax.vmap(act, (None, 0)), (0, None)))(every, every))
    cells, goals = np.indices((CELLS, CELLS))
    apart = cells != goals
    np.testing.assert_array_equal(chosen[apart], (goals > cells)[apart])


@pytest.mark.parametrize("change", [{"kappa": 1.0}, {"subgoal_steps": 0}])
def test_settings_are_checked(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(AGENT, **change)


def test_the_high_level_speaks_the_representations_language():
    agent = replace(AGENT, high_actor=UnitGaussianPolicy(DIM + 1, (5,)))
    with pytest.raises(ValueError, match="high_actor gives 5 numbers, but representation 4"):
        jax.eval_shape(agent.init, jax.random.key(0), BATCH)
