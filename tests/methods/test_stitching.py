"""Both values against loops, enumeration and breadth-first search; the network against NumPy."""

from collections import deque
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.methods import stitching as method
from goalward.nets.masked import MaskedMLP
from goalward.tabular import box_world as boxes
from goalward.tabular.box_world import BoxWorld

W = BoxWorld()
BESIDE, ACROSS = W.pairs(False), W.pairs(True)
GAMMA = 0.9


def random_policy(seed):
    draw = np.random.default_rng(seed).dirichlet(np.ones(6), size=(W.states, W.cells))
    return np.moveaxis(draw, 2, 1)


def walks(seed=0, number=400, steps=25):
    rng = np.random.default_rng(seed)
    return boxes.episodes(W, random_policy(seed), BESIDE, rng, number, steps)


@pytest.mark.parametrize("every_goal", [False, True])
def test_monte_carlo_averages_what_followed_each_visit(every_goal):
    data = walks()
    returns = {}
    for s, a, valid, g in zip(data.states, data.actions, data.valid, data.goals, strict=True):
        lived = int(valid.sum())
        for t in range(lived):
            for goal in range(16) if every_goal else [int(g)]:
                value = 0.0
                for k in range(t + 1, lived + 1):
                    if W.box[s[k]] == goal:
                        value = GAMMA ** (k - t - 1)
                        break
                returns.setdefault((int(s[t]), int(a[t]), goal), []).append(value)
    got = method.monte_carlo(W, data, GAMMA, every_goal)
    expected, count = np.zeros(got.values.shape), np.zeros(got.values.shape)
    for at, values in returns.items():
        expected[at], count[at] = np.mean(values), len(values)
    np.testing.assert_allclose(got.values, expected, atol=1e-12)
    np.testing.assert_array_equal(got.weight, count)
    assert (expected > 0).sum() > 20


def test_an_older_round_counts_half():
    old, new = (method.monte_carlo(W, walks(seed), GAMMA) for seed in (0, 1))
    both = old.later(new)
    np.testing.assert_allclose(both.weight, old.weight / 2 + new.weight)
    np.testing.assert_allclose(both.total, old.total / 2 + new.total)
    assert np.all(both.values[both.weight == 0] == 0)


@pytest.mark.parametrize("filtered", [True, False])
def test_the_limit_is_the_sum_over_all_action_sequences(filtered):
    policy, pairs, steps = random_policy(2), BESIDE[:3], 3
    inside = W.inside(pairs)
    total, weight = np.zeros_like(policy), np.zeros_like(policy)
    for i, (b, target) in enumerate(pairs):
        for start, g in product(W.starts(b)[::5], W.goals(target)):
            for actions in product(range(6), repeat=steps):
                s, chance, path = start, 1.0, []
                for a in actions:
                    after = W.next_state[s, a]
                    chance *= policy[s, a, g]
                    if filtered and not inside[i, after]:
                        break
                    path.append((s, a, after))
                    s = after
                if len(path) < len(actions):  # the same cut episode, once for each of its ends
                    chance /= 6 ** (len(actions) - len(path) - 1)
                for t, (s, a, _) in enumerate(path):
                    later = [k for k, (*_, x) in enumerate(path[t:]) if W.box[x] == g]
                    weight[s, a, g] += chance
                    total[s, a, g] += chance * (GAMMA ** later[0] if later else 0)
    got = _limit_of_some_starts(policy, pairs, steps, filtered)
    scale = len(pairs) * 4 * len(W.starts(0)[::5])
    np.testing.assert_allclose(got.weight, weight / scale, atol=1e-12)
    np.testing.assert_allclose(got.total, total / scale, atol=1e-12)


def _limit_of_some_starts(policy, pairs, steps, filtered):
    class Fewer(BoxWorld):
        def starts(self, quarter):
            return super().starts(quarter)[::5]

    return method.monte_carlo_limit(Fewer(), policy, pairs, GAMMA, steps, filtered)


def test_many_episodes_come_to_the_limit():
    policy = random_policy(4)
    data = boxes.episodes(W, policy, BESIDE, np.random.default_rng(0), 60_000, 12)
    sampled = method.monte_carlo(W, data, GAMMA)
    limit = method.monte_carlo_limit(W, policy, BESIDE, GAMMA, 12)
    np.testing.assert_allclose(sampled.weight / 60_000, limit.weight, atol=4e-3)
    often = sampled.weight > 400
    assert often.sum() > 100
    np.testing.assert_allclose(sampled.values[often], limit.values[often], atol=0.12)
    assert abs((sampled.values - limit.values)[often].mean()) < 0.003


def test_monte_carlo_is_blind_across_the_corner_and_knows_what_the_paper_says():
    uniform = np.full((W.states, 6, 16), 1 / 6)
    limit = method.monte_carlo_limit(W, uniform, BESIDE, 0.95)
    assert not np.any(boxes.over_pairs(W, limit.values.max(1), ACROSS))
    chance = boxes.arrival(W, method.greedy_policy(limit.values))
    assert boxes.over_pairs(W, chance, BESIDE).mean() == pytest.approx(1, abs=1e-9)
    assert boxes.over_pairs(W, chance, ACROSS).mean() == pytest.approx(0.2589, abs=5e-4)


@given(st.integers(0, 1000), st.floats(0.1, 1.0))
@settings(max_examples=8)
def test_temporal_differences_are_the_discount_to_the_distance_among_seen_moves(seed, share):
    seen = np.random.default_rng(seed).uniform(size=(W.states, 6)) < share
    values = method.temporal_differences(W, seen, GAMMA)
    before = [[] for _ in range(W.states)]
    for s, a in np.argwhere(seen):
        before[W.next_state[s, a]].append(s)
    for g in (0, 7, 15):
        distance = np.full(W.states, np.inf)
        queue = deque(np.flatnonzero(W.box == g))
        distance[W.box == g] = 0
        while queue:
            x = queue.popleft()
            for s in before[x]:
                if np.isinf(distance[s]):
                    distance[s] = distance[x] + 1
                    queue.append(s)
        expected = np.where(seen, GAMMA ** distance[W.next_state], 0.0)
        np.testing.assert_allclose(values[:, :, g], expected, atol=1e-12)


def test_a_carried_box_does_not_lie():
    values = method.temporal_differences(W, np.ones((W.states, 6), bool), GAMMA)
    at = W.state(0, 0)
    assert values[at, boxes.PICK, 2] == pytest.approx(GAMMA**3)  # pick up, two moves, put down
    assert values[at, boxes.PICK, 15] == pytest.approx(GAMMA**7)
    carrying = W.state(2, 16)
    assert values[carrying, boxes.PUT, 2] == 1


@given(st.integers(0, 1000), st.floats(0, 200), st.floats(0, 1))
def test_the_softmax_over_actions(seed, beta, share):
    values = np.random.default_rng(seed).uniform(size=(3, 6, 2))
    policy = method.softmax_policy(values, beta, share)
    for s, g in product(range(3), range(2)):
        weight = np.exp(beta * (values[s, :, g] - values[s, :, g].max()))
        expected = (1 - share) * weight / weight.sum() + share / 6
        np.testing.assert_allclose(policy[s, :, g], expected, atol=1e-12)


def test_greedy_shares_among_the_best():
    values = np.array([[[0.2], [0.5], [0.5], [0.1], [0.5 - 1e-14], [0.0]]])
    np.testing.assert_allclose(
        method.greedy_policy(values)[0, :, 0], [0, 1 / 3, 1 / 3, 0, 1 / 3, 0]
    )


@given(st.integers(0, 1000), st.floats(0.2, 1.6))
def test_matched_sharpness_has_the_entropy_that_was_asked_for(seed, entropy):
    values = np.random.default_rng(seed).uniform(size=(20, 6, 5))
    policy = method.softmax_policy(values, method.matched_beta(values, entropy))
    found = np.mean([-np.sum(p * np.log(p)) for p in policy.transpose(0, 2, 1).reshape(-1, 6)])
    assert found == pytest.approx(entropy, abs=1e-6)


def test_the_default_entropy_is_that_of_three_even_actions():
    values = np.random.default_rng(0).uniform(size=(20, 6, 5))
    assert method.matched_beta(values) == pytest.approx(method.matched_beta(values, 1.0986123))


def test_what_a_network_sees():
    place = method.coordinates(W)
    assert place[0].tolist() == [-1, -1]
    assert place[3].tolist() == [-1, 1]
    assert place[12].tolist() == [1, -1]
    state = jnp.array([int(W.state(1, 4)), int(W.state(7, 16))])
    x = np.asarray(method.inputs(W, jnp.asarray(place, jnp.float32), state, jnp.array([15, 2])))
    np.testing.assert_allclose(x[0], [*place[1], *place[4], *place[15], -1], atol=1e-6)
    np.testing.assert_allclose(x[1], [*place[7], *place[7], *place[2], 1], atol=1e-6)


LEARNER = method.StitchingCritic(MaskedMLP(8, 6), W, GAMMA, steps=10, batch_size=32)


INIT, VALUES, LOSS = (jax.jit(f) for f in (LEARNER.init, LEARNER.values, LEARNER.loss))


def rows(bootstraps, seed=0):
    rng = np.random.default_rng(seed)
    return method.Rows(
        width=jnp.array(6),
        place=jnp.asarray(method.coordinates(W), jnp.float32),
        bootstraps=jnp.array(bootstraps),
        number=jnp.array(50),
        state=jnp.asarray(rng.integers(W.states, size=80)),
        action=jnp.asarray(rng.integers(6, size=80)),
        goal=jnp.asarray(rng.integers(4, size=80)),
        label=jnp.asarray(np.arange(80) / 80, jnp.float32),
        seen=jnp.asarray(rng.uniform(size=(W.states, 6)) < 0.6, jnp.float32),
    )


@pytest.mark.parametrize("bootstraps", [False, True])
def test_the_loss_is_the_cross_entropy_to_the_label_or_to_the_best_seen_action(bootstraps):
    data = rows(bootstraps)
    state = INIT(jax.random.key(0), data)
    other = INIT(jax.random.key(1), data).params
    state = state.replace(target_params=other)
    now, slow = (np.asarray(VALUES(p, data)) for p in (state.params, other))
    expected = []
    for s, a, g, label in zip(data.state, data.action, data.goal, data.label, strict=True):
        after = W.next_state[s, a]
        best = max([0.0, *(slow[after, b, g] for b in range(6) if data.seen[after, b])])
        target = (1.0 if W.box[after] == g else GAMMA * best) if bootstraps else float(label)
        q = now[s, a, g]
        expected.append(-target * np.log(q) - (1 - target) * np.log(1 - q))
    loss, _ = LOSS(state.params, state, data, jax.random.key(0))
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-5)
    gradient = jax.grad(lambda p: LOSS(p, state, data, jax.random.key(0))[0])(other)
    assert any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_the_table_of_a_network_has_state_action_goal_in_this_order():
    data = rows(False)
    params = INIT(jax.random.key(0), data).params
    table = VALUES(params, data)
    assert table.shape == (W.states, 6, W.cells)
    s, g = 100, 3
    seen = method.inputs(W, data.place, jnp.array(s), jnp.array(g))
    logits = LEARNER.critic.apply(params, seen, data.width)
    np.testing.assert_allclose(table[s, :, g], jax.nn.sigmoid(logits), atol=1e-6)


def test_a_batch_has_rows_of_the_data_and_none_beyond_their_number():
    data = rows(False)
    batch = LEARNER.batch(data, jax.random.key(0))
    index = np.rint(np.asarray(batch.label) * 80).astype(int)
    assert index.max() < 50
    assert len(set(index)) > 15
    for name in ("state", "action", "goal"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(data, name)[index])


def test_the_step_size_falls_along_a_cosine_and_the_slow_copy_follows():
    data = rows(False)
    state = INIT(jax.random.key(0), data)
    moved, update = [], jax.jit(LEARNER.update)
    for _ in range(11):
        new, _ = update(state, data, jax.random.key(0))
        size = [jnp.max(jnp.abs(a - b)) for a, b in zip(
            jax.tree.leaves(new.params), jax.tree.leaves(state.params), strict=True)]  # fmt: skip
        moved.append(float(max(size)))
        mean = jax.tree.map(lambda s, p: 0.98 * s + 0.02 * p, state.target_params, new.params)
        for a, b in zip(jax.tree.leaves(mean), jax.tree.leaves(new.target_params), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
        state = new
    assert moved[0] == pytest.approx(3e-3, rel=0.01)  # Adam's first step is its step size
    assert moved[5] == pytest.approx(moved[0] / 2, rel=0.2)
    assert moved[10] < 1e-9
    assert float(state.learning_rate) == pytest.approx(3e-3)
