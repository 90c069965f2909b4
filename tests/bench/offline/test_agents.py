"""The course's methods in the benchmark's frame: by hand, and against exact futures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from goalward.bench.offline.agents import (
    OfflineCLearning,
    OfflineTDInfoNCE,
    Smallest,
)
from goalward.data import trajectories
from goalward.losses.contrastive import log_ratio_to_density
from goalward.nets.critics import GoalTableCritic, TableCritic
from goalward.nets.normalized import NormalizedMLP, ScaledInnerProductCritic
from goalward.nets.plain_policies import UnitGaussianPolicy
from goalward.protocol import PLAIN
from goalward.tabular import mdp, successor
from goalward.training.loop import train
from offline_oracles import (
    actor_by_hand,
    check_gradient,
    double,
    member,
    normalized_mlp,
    plain_update,
    policy_head,
    random_batch,
    random_state,
)

BATCH = random_batch(7)
GAMMA, BC = 0.8, 0.6


def towers(width=6, latent=4):
    return ScaledInnerProductCritic(*(NormalizedMLP((width, latent)) for _ in range(2)))


def neural(kind, actions=2, width=6, latent=4, **settings):
    actor = UnitGaussianPolicy(actions, (width,))
    return kind(actor=actor, critic=towers(width, latent), **settings)


def logit(params, k, x, *anchor):
    """A critic of the pair at one anchor and one candidate."""
    two = member(params["critic"], k)["params"]
    phi = normalized_mlp({"params": two["anchor_encoder"]}, *anchor)
    return phi @ normalized_mlp({"params": two["future_encoder"]}, x) / np.sqrt(4)


def mean_action(params, state, goal):
    return np.clip(policy_head(params["actor"], state, goal), -1, 1)


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def test_td_infonce_by_hand():
    agent = neural(OfflineTDInfoNCE, gamma=GAMMA, bc=BC, transform=PLAIN)
    state = random_state(agent, BATCH)
    metrics, gradient, after = plain_update(agent, state, BATCH)
    b, n = double(BATCH), len(BATCH.reward)
    target = double(state.target_params)

    def critic(params, held):
        total = 0.0
        for i, k in np.ndindex(n, 2):
            anchor = (b.state[i], b.action[i], b.goal[i])
            ahead = (b.next_state[i], mean_action(held, b.next_state[i], b.goal[i]), b.goal[i])
            near = [logit(params, k, b.next_state[j], *anchor) for j in range(n)]
            far = [logit(params, k, b.goal[j], *anchor) for j in range(n)]
            weights = softmax(
                [min(logit(target, c, b.goal[j], *ahead) for c in range(2)) for j in range(n)]
            )
            total -= (1 - GAMMA) * np.log(softmax(near)[i])
            total -= GAMMA * weights @ np.log(softmax(far))
        return total / (2 * n)

    def value(params, i, action):
        goal = b.actor_goal
        logits = [
            min(logit(params, k, goal[j], b.state[i], action, goal[i]) for k in range(2))
            for j in range(n)
        ]
        return np.log(n * softmax(logits)[i])

    def loss(params, held):
        return critic(params, held) + actor_by_hand(params, held, b, BC, value)

    held = double(state.params)
    np.testing.assert_allclose(metrics["critic"], critic(held, held), rtol=1e-5)
    np.testing.assert_allclose(metrics["actor"], actor_by_hand(held, held, b, BC, value), rtol=1e-5)
    check_gradient(loss, state.params, gradient, ["actor", "critic"])
    moved = jax.tree.map(lambda t, p: 0.995 * t + 0.005 * p, state.target_params, after.params)
    for found, expected in zip(*map(jax.tree.leaves, (after.target_params, moved)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_c_learning_by_hand():
    agent = neural(OfflineCLearning, gamma=GAMMA, bc=BC, transform=PLAIN)
    state = random_state(agent, BATCH)
    metrics, gradient, _ = plain_update(agent, state, BATCH)
    b, n = double(BATCH), len(BATCH.reward)
    target = double(state.target_params)

    def critic(params, held):
        total = 0.0
        for i, k in np.ndindex(n, 2):
            goal = b.goal[i - 1]
            after = mean_action(held, b.next_state[i], goal)
            ahead = min(logit(target, c, goal, b.next_state[i], after) for c in range(2))
            near = logit(params, k, b.next_goal[i], b.state[i], b.action[i])
            far = logit(params, k, goal, b.state[i], b.action[i])
            weight = GAMMA * min(np.exp(ahead), 20)
            total += (1 - GAMMA) * np.log(1 + np.exp(-near))
            total += weight * np.log(1 + np.exp(-far)) + np.log(1 + np.exp(far))
        return total / (2 * n)

    def value(params, i, action):
        return min(logit(params, k, b.actor_goal[i], b.state[i], action) for k in range(2))

    def loss(params, held):
        return critic(params, held) + actor_by_hand(params, held, b, BC, value)

    held = double(state.params)
    np.testing.assert_allclose(metrics["loss"], loss(held, held), rtol=1e-5)
    check_gradient(loss, state.params, gradient, ["actor", "critic"])


def test_the_smallest_logit_of_each_copy_counts():
    critic = TableCritic(3, 4)
    tables = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    params = {"params": {"table": jnp.asarray(tables)}}
    rows, columns = jnp.arange(3), jnp.arange(4)
    every = Smallest(critic).apply(params, rows, columns, method="pairwise")
    np.testing.assert_array_equal(every, tables.min(axis=0))
    np.testing.assert_array_equal(
        Smallest(critic).apply(params, rows, columns[:3]), np.diag(tables.min(axis=0))
    )


class FixedPolicy(nn.Module):
    """Takes an action by fixed odds: towards the goal with probability 0.8, on a line."""

    @staticmethod
    def right(state, goal):
        return jnp.where(goal > state, 0.8, 0.2)

    def __call__(self, state, goal):
        return self.right(state, goal)

    def sample(self, state, goal, key, temperature):
        chance = self.right(state, goal)
        return jax.random.bernoulli(key, chance).astype(jnp.int32), jnp.zeros(len(state))

    def log_prob(self, state, goal, action):
        return jnp.zeros(len(state))


STATES = 5


@pytest.fixture(scope="module")
def line():
    """A slippery line of five states, walked at random; action 1 is to the right."""
    P = np.zeros((STATES, 2, STATES))
    for s in range(STATES):
        ends = max(s - 1, 0), min(s + 1, STATES - 1)
        for a in range(2):
            P[s, a, ends[a]] += 0.9
            P[s, a, ends[1 - a]] += 0.1
    policy = mdp.uniform_policy(STATES, 2)
    states, actions = mdp.sample_trajectories(P, policy, np.random.default_rng(0), 100, 200)
    return (
        P,
        trajectories.from_trajectories(states.astype(np.int8), actions.astype(np.int8)),
        states,
    )


def exact(P):
    """Where the policy for each goal goes: [state, action, goal, future]."""
    states = np.arange(STATES)
    odds = np.asarray(FixedPolicy.right(states[:, None], states[None]), float)
    policies = [np.stack([1 - odds[:, g], odds[:, g]], axis=1) for g in range(STATES)]
    return np.stack([successor.successor_measure(P, pi, GAMMA) for pi in policies], axis=2)


def test_td_infonce_learns_the_futures_of_the_policy_for_each_goal(line):
    P, data, states = line
    agent = OfflineTDInfoNCE(
        actor=FixedPolicy(), critic=GoalTableCritic(STATES, 2, STATES), gamma=GAMMA,
        batch_size=256, learning_rate=0.01, tau=0.1,
    )  # fmt: skip
    state, _ = train(agent, data, jax.random.key(0), steps=1500)
    table = state.params["critic"]["params"]["table"][0, 0].reshape(STATES, 2, STATES, STATES)
    marginal = np.bincount(states[:, :-1].ravel()) / states[:, :-1].size
    found = np.asarray(log_ratio_to_density(table, jnp.log(marginal)))
    truth = exact(P)
    assert np.abs(found - truth).mean() < 0.015
    off = np.log(found) - np.log(truth)
    assert np.abs(off[truth > 0.02]).max() < 0.25
    # Neither the walker's own future nor that of the policy for another goal.
    walker = successor.successor_measure(P, mdp.uniform_policy(STATES, 2), GAMMA)
    assert np.abs(found - walker[:, :, None]).mean() > 0.04
    assert np.abs(found - np.roll(truth, 1, axis=2)).mean() > 0.04

    # The policy's value is this log ratio at the commanded goal, whatever constants rows have.
    s, a, g = (x.ravel() for x in np.indices((STATES, 2, STATES)))
    shift = jax.random.normal(jax.random.key(1), (*table.shape[:3], 1)).reshape(-1, 1)
    params = jax.tree.map(lambda x: x[0] + 3 * shift, state.params["critic"])
    value = jax.jit(agent.value)({"critic": params}, *map(jnp.asarray, (s, a, g)))
    own = found[s, a, g, g] / marginal[g]
    mean = (found / marginal).mean(axis=3)[s, a, g]
    np.testing.assert_allclose(value, np.log(own / mean), rtol=1e-3, atol=1e-3)


def test_c_learning_learns_how_likely_each_goal_is_under_its_own_policy(line):
    P, data, states = line
    agent = OfflineCLearning(
        actor=FixedPolicy(), critic=TowersOfTables(), gamma=GAMMA,
        batch_size=1024, learning_rate=0.01, tau=0.1,
    )  # fmt: skip
    state, _ = train(agent, data, jax.random.key(0), steps=1500)
    s, a, g = (jnp.asarray(x.ravel()) for x in np.indices((STATES, 2, STATES)))
    one = jax.tree.map(lambda x: x[0], state.params)
    found = np.asarray(jax.jit(agent.value)(one, s, a, g))
    marginal = np.bincount(states[:, :-1].ravel()) / states[:, :-1].size
    truth = np.log(exact(P)[s, a, g, g] / marginal[g])
    assert np.abs(found - truth).mean() < 0.1
    walker = successor.successor_measure(P, mdp.uniform_policy(STATES, 2), GAMMA)
    assert np.abs(found - np.log(walker[s, a, g] / marginal[g])).mean() > 0.2


class TowersOfTables(TableCritic):
    """A table whose anchor is a pair of indices."""

    anchors: int = 2 * STATES
    candidates: int = STATES

    def __call__(self, anchor, candidate):
        state, action = anchor
        return super().__call__(2 * state + action, candidate)


def test_what_td_infonce_cannot_take_is_said():
    for changes in ({"actor": None, "actions": 3}, {"goal_entries": (0,)}):
        settings = {"actor": UnitGaussianPolicy(2), "critic": towers(), "gamma": 0.9} | changes
        with pytest.raises(ValueError, match="takes an actor, and whole observations as goals"):
            OfflineTDInfoNCE(**settings)
