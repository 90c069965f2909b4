"""HIQL: losses and gradients by hand, how it acts, and that it crosses a corridor it never saw;
how noise misleads one level and two along a line, against drawn noise and powers of a matrix."""

from dataclasses import fields, replace
from functools import partial
from math import erfc, sqrt

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture, SubgoalBatch
from goalward.methods import ogbench
from goalward.methods.hiql import HIQL, ValueAlone, chain_success, p_wrong
from goalward.nets.normalized import GoalValue
from goalward.nets.plain_policies import CategoricalPolicy, UnitGaussianPolicy
from goalward.nets.subgoals import SubgoalEncoder
from goalward.protocol import PLAIN
from goalward.training.loop import train
from offline_oracles import (
    check_gradient,
    check_target,
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
from states import only_seed

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
    check_target(state, after)


def test_the_low_level_trains_the_representation_if_told():
    state = random_state(AGENT, BATCH)
    batch, target = double(BATCH), double(state.target_params)
    agent = replace(AGENT, low_level_represents=True)

    @jax.jit
    def slopes(params):
        rows = BATCH.state, BATCH.next_state, BATCH.goal
        held = jax.grad(lambda p: agent.advantage(p, *rows).sum())(params)
        return jax.grad(agent.extract)(params, BATCH), held

    gradient, held = slopes(state.params)
    assert not any(map(np.any, jax.tree.leaves(held)))
    low = lambda params, held: by_hand(params, held, target, batch, True)[1]  # noqa: E731
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
    state, _ = train(agent, corridor(), jax.random.key(0), 400)
    state = only_seed(state)
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


@pytest.mark.parametrize(
    ("distance", "steps", "sigma"),
    [(40, 1, 0.3), (40, 5, 0.3), (5, 1, 0.3), (10, 5, 0.5), (3, 3, 1.0), (25, 10, 0.1)],
)
def test_how_often_noise_wins(distance, steps, sigma):
    z = np.random.default_rng(0).normal(size=(2, 400_000))
    nearer, further = (
        -abs(distance + d) * (1 + sigma * x) for d, x in ((-steps, z[0]), (steps, z[1]))
    )
    share = np.mean(nearer < further)
    assert abs(p_wrong(distance, sigma, steps) - share) < 0.004


def test_only_the_ratio_of_distance_and_steps_counts():
    assert p_wrong(40, 0.3, 5) == pytest.approx(p_wrong(8, 0.3))
    assert p_wrong(7, 0.2, 7) == pytest.approx(p_wrong(1, 0.2))
    errors = [p_wrong(d, 0.2) for d in (1, 5, 20, 100, 10_000)]
    assert np.all(np.diff(errors) > 0)
    assert errors[-1] == pytest.approx(0.5, abs=1e-3)


def wrong(scale, sigma):
    """Phi(-sqrt 2 / (sigma sqrt(scale^2 + 1))) from the complementary error function."""
    return erfc(1 / (sigma * sqrt(scale**2 + 1))) / 2


@pytest.mark.parametrize("steps", [None, 1, 3, 7, 12])
def test_success_on_a_chain_by_powers_of_its_matrix(steps):
    distance, sigma, horizon, size = 12, 0.3, 40, 60
    chain = np.zeros((size, size))
    chain[0, 0] = 1
    for d in range(1, size):
        right = 1 - wrong(d, sigma)
        if steps is not None and d > steps:
            high, low = wrong(d / steps, sigma), wrong(steps, sigma)
            right = 1 - high - low + 2 * high * low
        chain[d, d - 1] = right
        chain[d, min(d + 1, size - 1)] += 1 - right
    arrived = chain_success(distance, sigma, horizon, steps)
    assert arrived.shape == (horizon + 1,)
    for t in (0, 11, 12, 13, 14, 25, 40):
        assert arrived[t] == pytest.approx(np.linalg.matrix_power(chain, t)[distance, 0], abs=1e-12)


def test_success_on_a_chain_by_drawing_the_noise():
    """Every value is drawn anew each time it is looked at; the walker does what they say."""
    distance, sigma, horizon, k, n = 6, 0.5, 12, 3, 40_000
    rng = np.random.default_rng(1)
    value = lambda d: -np.abs(d) * (1 + sigma * rng.normal(size=n))  # noqa: E731
    at = np.full(n, distance)
    arrived = [0.0]
    for _ in range(horizon):
        side = np.where(value(at - k) > value(at + k), -1, 1)  # where the subgoal lies
        side = np.where(at <= k, -1, side)
        gap = np.where(at <= k, at, k)
        step = np.where(value(gap - 1) > value(gap + 1), side, -side)
        at = np.where(at == 0, 0, at + step)
        arrived.append(np.mean(at == 0))
    np.testing.assert_allclose(chain_success(distance, sigma, horizon, k), arrived, atol=0.01)


def test_a_subgoal_next_door_or_at_the_goal_is_no_hierarchy():
    flat = chain_success(20, 0.3, 60)
    np.testing.assert_allclose(chain_success(20, 0.3, 60, 1000), flat, atol=1e-12)
    # One step ahead the low level is right but for 2 in 10,000.
    np.testing.assert_allclose(chain_success(20, 0.2, 60, 1), chain_success(20, 0.2, 60), atol=1e-3)


class Table(nn.Module):
    """One number for each pair of states."""

    states: int

    @nn.compact
    def __call__(self, state, goal):
        table = self.param("table", nn.initializers.normal(1.0), (self.states, self.states))
        return table[state, goal]


LINE = 6
VALUE = ValueAlone(
    value=Table(LINE),
    value_goals=GoalMixture(current=0.2, random=0.8),
    gamma=0.9,
    kappa=0.8,
    tau=0.1,
    learning_rate=3e-2,
    batch_size=256,
)


def line_walks():
    """Along six cells: left, right or stay, all equally likely."""
    rng = np.random.default_rng(0)
    cells, actions = np.zeros((200, 21), int), rng.integers(3, size=(200, 21))
    cells[:, 0] = rng.integers(LINE, size=200)
    for t in range(20):
        cells[:, t + 1] = np.clip(cells[:, t] + actions[:, t] - 1, 0, LINE - 1)
    return cells, actions


def test_the_value_alone_by_hand():
    """A success is the same state, wherever in the data; the smaller next value chooses."""
    data = trajectories.from_trajectories(*line_walks())

    @jax.jit
    def first(key):
        batch = VALUE.batch(data, key)
        state, later = (VALUE.init(k, batch) for k in jax.random.split(key))
        state = state.replace(target_params=later.params)
        return batch, state, VALUE.loss(state.params, state, batch, key)[0]

    batch, state, loss = jax.tree.map(np.asarray, first(jax.random.key(0)))
    np.testing.assert_array_equal(batch.mask, batch.state != batch.goal)
    np.testing.assert_array_equal(batch.reward, -batch.mask)
    share = np.mean(batch.state == batch.goal)
    assert share > 0.3  # a fifth are the state itself, a sixth of the others happen to be
    now, slow = (p["value"]["params"]["table"] for p in (state.params, state.target_params))
    total = 0.0
    rows = np.stack([batch.state, batch.next_state, batch.goal], axis=1)
    for s, after, g in rows:
        reward, mask = (0, 0) if s == g else (-1, 1)
        q = [reward + 0.9 * mask * slow[i][after, g] for i in (0, 1)]
        ahead = reward + 0.9 * mask * min(slow[i][after, g] for i in (0, 1))
        weight = 0.8 if ahead >= (slow[0][s, g] + slow[1][s, g]) / 2 else 0.2
        total += weight * sum((q[i] - now[i][s, g]) ** 2 for i in (0, 1))
    np.testing.assert_allclose(loss, total / len(batch.state), rtol=1e-5)


def test_the_value_alone_comes_to_the_exact_expectile():
    """Where goals do not depend on what came next; hindsight goals favour what led to them."""
    cells, actions = line_walks()
    state, _ = train(VALUE, trajectories.from_trajectories(cells, actions), jax.random.key(0), 1500)
    learned = np.asarray(state.params["value"]["params"]["table"])[0].mean(axis=0)
    counts = np.zeros((LINE, 3, LINE))
    np.add.at(counts, (cells[:, :-1], actions[:, :-1], cells[:, 1:]), 1.0)
    exact = ogbench.gcivl(counts, 0.9, 0.8)
    assert np.abs(exact).max() > 4
    np.testing.assert_allclose(learned, exact, atol=0.25)
