"""CRTR: its loss against loops, its targets against enumeration, its batch against the shortcut."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from goalward.data.trajectories import from_trajectories
from goalward.methods import crtr as method
from goalward.protocol import Learner
from goalward.training.loop import train


class Scaled(nn.Module):
    """An encoder that multiplies each feature by a weight of its own."""

    @nn.compact
    def __call__(self, x):
        return x * self.param("weight", nn.initializers.ones, (x.shape[-1],))


def tables(seed, contexts, states=4):
    rng = np.random.default_rng(seed)
    return list(rng.dirichlet(np.ones(states**2), size=contexts).reshape(-1, states, states))


def test_logits_and_loss_are_the_equation():
    learner = method.CRTR(Scaled(), batch_size=5, scale=3.0)
    assert isinstance(learner, Learner)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 4))
    weight = np.array([1.0, 0.5, 2.0, 1.5])
    params = {"params": {"weight": jnp.asarray(weight)}}
    logits = np.zeros((5, 5))
    for i in range(5):
        for j in range(5):
            logits[i, j] = -3.0 * np.mean((weight * x[i] - weight * y[j]) ** 2)
    got = learner.logits(params, jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(got, logits, atol=1e-5)
    loss = 0.0
    for i in range(5):
        loss -= (logits[i, i] - np.log(sum(np.exp(logits[i, j]) for j in range(5)))) / 10
        loss -= (logits[i, i] - np.log(sum(np.exp(logits[j, i]) for j in range(5)))) / 10
    batch = {"state": jnp.asarray(x, jnp.float32), "future": jnp.asarray(y, jnp.float32)}
    state = learner.init(jax.random.key(0), batch)
    value, _ = learner.loss(params, state, batch, jax.random.key(0))
    assert value == pytest.approx(loss, rel=1e-5)


def test_an_update_lowers_the_loss_by_the_states_own_step_size():
    learner = method.CRTR(Scaled(), batch_size=4, learning_rate=0.01)
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)
    batch = {"state": x, "future": x + 0.1}
    state = learner.init(jax.random.key(0), batch)
    after, metrics = learner.update(state, batch, jax.random.key(0))
    assert float(learner.loss(after.params, after, batch, jax.random.key(0))[0]) < metrics["loss"]
    moved = jax.tree.leaves(after.params)[0] - 1
    np.testing.assert_allclose(np.abs(moved), 0.01, rtol=1e-3)


def test_a_batch_repeats_trajectories_and_looks_ahead():
    numbered = np.stack(np.meshgrid(np.arange(40), np.arange(11), indexing="ij"), axis=-1)
    data = from_trajectories(numbered, np.zeros((40, 11)))
    learner = method.CRTR(Scaled(), batch_size=24, gamma=0.5)
    for repeats in (1, 3):
        batches = [
            learner.batch((repeats, data), key) for key in jax.random.split(jax.random.key(0), 60)
        ]
        states = np.stack([b["state"] for b in batches])
        futures = np.stack([b["future"] for b in batches])
        np.testing.assert_array_equal(states[..., 0], futures[..., 0])
        assert all((np.bincount(row)[np.unique(row)] == repeats).all() for row in states[..., 0])
        early = states[..., 1] < 4  # the end of the trajectory is far away
        ahead = (futures - states)[..., 1]
        assert ahead.min() == 1
        assert ahead[early].mean() == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("gamma", [-0.1, 1.0])
def test_a_discount_must_be_one(gamma):
    with pytest.raises(ValueError, match="discount"):
        method.CRTR(Scaled(), gamma=gamma)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_information_is_that_within_contexts_plus_their_entropy(seed, contexts):
    joints = tables(seed, contexts)
    total = within = 0.0
    for joint in joints:
        for x in range(4):
            for y in range(4):
                p = joint[x, y] / contexts
                total += p * np.log(p / (joint.sum(1)[x] * joint.sum(0)[y] / contexts**2))
                within += p * np.log(joint[x, y] / (joint.sum(1)[x] * joint.sum(0)[y]))
    got = method.decompose(joints)
    assert got.total == pytest.approx(total, abs=1e-10)
    assert got.within == pytest.approx(within, abs=1e-10)
    assert got.context == pytest.approx(np.log(contexts), abs=1e-12)
    assert got.total == pytest.approx(got.within + got.context, abs=1e-10)


def test_the_table_of_all_contexts_has_a_block_for_each_in_their_order():
    first, second = np.array([[0.2, 0.8]]).T @ np.array([[0.5, 0.5]]), np.array([[1.0]])
    table = method.all_contexts([first, second])
    np.testing.assert_allclose(table, [[0.05, 0.05, 0], [0.2, 0.2, 0], [0, 0, 0.5]])


def test_the_log_ratio_is_that_of_the_conditional_to_the_marginal_of_futures():
    joint = np.array([[0.3, 0.1], [0.0, 0.6]])
    expected = np.log([[0.75 / 0.3, 0.25 / 0.7], [1e-300, 1.0 / 0.7]])
    got = method.log_ratio(joint)
    np.testing.assert_allclose(got[[0, 0, 1], [0, 1, 1]], expected[[0, 0, 1], [0, 1, 1]])
    assert got[1, 0] == -np.inf
    assert np.isfinite(method.information(joint))


def test_one_negative_loss_is_the_sum_over_all_triples():
    joint, critic = tables(3, 1)[0], np.random.default_rng(4).normal(size=(4, 4))
    total = 0.0
    for x in range(4):
        for future in range(4):
            for y in range(4):
                chance = joint[x, future] * joint[:, y].sum()
                total += chance * np.log(1 + np.exp(critic[x, y] - critic[x, future]))
    assert method.one_negative_loss(critic, joint) == pytest.approx(total, abs=1e-12)
    flat = np.zeros((4, 4))
    assert method.one_negative_loss(flat, joint) == pytest.approx(np.log(2))
    rows = critic + np.arange(4.0)[:, None]  # a term of the anchor alone
    assert method.one_negative_loss(rows, joint) == pytest.approx(total, abs=1e-12)


def test_negatives_of_the_same_context_leave_the_conditional_log_ratio():
    joint = tables(5, 1)[0]
    found = minimize(
        lambda f: method.one_negative_loss(f.reshape(4, 4), joint), np.zeros(16), method="BFGS",
        options={"gtol": 1e-9},
    ).x.reshape(4, 4)  # fmt: skip
    want = method.log_ratio(joint)
    centred = [f - (f @ joint.sum(0))[:, None] for f in (found, want)]
    np.testing.assert_allclose(*centred, atol=1e-3)


def test_repeats_decide_whether_the_context_or_the_time_is_learned():
    """A state shows a code of its episode, and the time as one number in seven."""
    rng = np.random.default_rng(0)
    n, steps = 200, 12
    code = np.repeat(np.sign(rng.normal(size=(n, 1, 12))), steps + 1, axis=1)
    time = np.broadcast_to(np.eye(steps + 1)[None], (n, steps + 1, steps + 1))
    data = from_trajectories(
        np.concatenate([code, time], -1).astype(np.float32), np.zeros((n, steps + 1))
    )
    learner = method.CRTR(nn.Dense(16), batch_size=32, learning_rate=0.01, gamma=0.5)
    repeats = jnp.array([1, 2])
    axes = (0, jax.tree.map(lambda _: None, data))
    states, history = train(
        learner, (repeats, data), jax.random.key(0), 300, seeds=2, data_axis=axes, log_every=300
    )
    weights = np.asarray(states.params["params"]["kernel"])
    share = [np.sum(w[12:] ** 2) / np.sum(w**2) for w in weights]
    assert share[1] > share[0] + 0.15
    assert history["loss"][0, -1] < history["loss"][1, -1]
