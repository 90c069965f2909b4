"""Q-learning on a lock: its batches walked by hand, its values by dynamic programming."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from goalward.baselines.nstep_dqn import NStepDQN, exact_values, lock
from goalward.nets.mlp import MLP
from goalward.tabular import dynamic_programming
from goalward.training.loop import train
from states import only_seed

AGENT = NStepDQN(MLP((8, 2), nn.relu), gamma=0.9, most=4, batch_size=3000)

KEY = jax.random.key(0)


def test_values_are_those_of_dynamic_programming():
    right = np.array([0, 1, 1, 0])
    P = np.zeros((5, 2, 5))
    P[4, :, 4] = 1
    for s in range(4):
        P[s, right[s], s + 1] = 1
        P[s, 1 - right[s], s] = 1
    reward = -np.ones((5, 2))
    reward[4] = 0
    Q, _ = dynamic_programming.value_iteration(P, reward, 0.9)
    np.testing.assert_allclose(exact_values(right, 0.9), Q[:4], atol=1e-8)


def test_no_two_states_look_alike():
    one = lock(np.random.default_rng(0), 16, 4, 1)
    assert len(np.unique(one.codes, axis=0)) == 16
    assert set(np.unique(one.codes)) == {-1.0, 1.0}
    assert set(one.right) == {0, 1}
    with pytest.raises(ValueError, match="at most 16"):
        lock(np.random.default_rng(0), 17, 4, 1)


@pytest.mark.parametrize("n", [1, 3, 4])
def test_without_errors_a_batch_is_a_walk(n):
    one = lock(np.random.default_rng(1), 6, 5, n, tau=0.2).replace(errors=np.float32(0))
    batch = jax.jit(AGENT.batch)(one, jax.random.key(0))
    batch = {name: np.asarray(x) for name, x in batch.items()}
    number = {tuple(code): s for s, code in enumerate(np.asarray(one.codes))}
    seen = set()
    for i in range(300):
        place = number[tuple(batch["state"][i])]
        seen.add((place, int(batch["action"][i])))
        paid, worth = 0.0, 1.0
        for k in range(n):
            if place == 6:
                break
            paid, worth = paid - worth, worth * 0.9
            place += int(k > 0 or batch["action"][i] == one.right[place])
        assert batch["paid"][i] == pytest.approx(paid, rel=1e-5)
        assert batch["worth"][i] == pytest.approx(worth if place < 6 else 0.0, rel=1e-5)
        if place < 6:
            assert number[tuple(batch["ahead"][i])] == place
    assert len(seen) == 12
    assert batch["tau"] == pytest.approx(0.2)


def test_the_expert_errs_as_often_as_told():
    one = lock(np.random.default_rng(1), 60, 8, 2).replace(errors=np.float32(0.3))
    batch = jax.jit(AGENT.batch)(one, jax.random.key(0))
    number = {tuple(code): s for s, code in enumerate(np.asarray(one.codes))}
    now, after = (
        np.array([number[tuple(code)] for code in np.asarray(batch[name])])
        for name in ("state", "ahead")
    )
    first = np.asarray(batch["action"]) == one.right[now]
    inside = now < 57
    for moved in (True, False):
        chosen = inside & (first == moved)
        steps = (after - now)[chosen] - int(moved)
        assert set(steps) == {0, 1}
        assert steps.mean() == pytest.approx(0.7, abs=0.04)


def test_loss_and_update_by_hand():
    agent = NStepDQN(nn.Dense(2), gamma=0.9, most=4, batch_size=50, learning_rate=0.5, scale=3.0)
    one = jax.tree.map(jnp.asarray, lock(np.random.default_rng(2), 6, 5, 3, tau=0.25))
    batch = agent.batch(one, jax.random.key(1))
    state = agent.init(jax.random.key(2), batch)
    other = agent.init(jax.random.key(3), batch).params
    state = state.replace(target_params=other)

    def q(params, codes):
        layer = params["params"]
        return 3 * (np.asarray(codes) @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"]))

    target = np.asarray(batch["paid"]) + np.asarray(batch["worth"]) * q(other, batch["ahead"]).max(
        axis=1
    )
    own = q(state.params, batch["state"])[np.arange(50), np.asarray(batch["action"])]
    loss, _ = agent.loss(state.params, state, batch, jax.random.key(0))
    assert float(loss) == pytest.approx(np.mean((own - target) ** 2), rel=1e-5)
    after, _ = jax.jit(agent.update)(state, batch, jax.random.key(0))
    mixed = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, other, after.params)
    for got, expected in zip(
        jax.tree.leaves(after.target_params), jax.tree.leaves(mixed), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    held = jax.grad(lambda p: agent.loss(p, state.replace(target_params=p), batch, KEY)[0])
    free = jax.grad(lambda p: agent.loss(p, state, batch, KEY)[0])
    same = state.replace(target_params=state.params)
    np.testing.assert_allclose(
        held(state.params)["params"]["bias"],
        jax.grad(lambda p: agent.loss(p, same, batch, KEY)[0])(state.params)["params"]["bias"],
        rtol=1e-5,
    )
    assert np.any(free(state.params)["params"]["bias"])


def test_it_learns_a_short_lock():
    agent = NStepDQN(MLP((32, 2), nn.relu), gamma=0.9, most=2, batch_size=64, learning_rate=3e-3)
    one = jax.tree.map(jnp.asarray, lock(np.random.default_rng(3), 8, 8, 1, tau=0.1))
    state, _ = train(agent, one, jax.random.key(0), 1000)
    params = only_seed(state.params)
    q = np.asarray(agent.values(params, one.codes))
    np.testing.assert_allclose(q, exact_values(np.asarray(one.right), 0.9), atol=0.3)
