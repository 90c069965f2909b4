"""OGBench's frame: which goal goes where, and agents in it that learn to go where they are told."""

from dataclasses import dataclass

import jax
import numpy as np
import pytest

from goalward.baselines.gcivl import GCIVL
from goalward.baselines.offline import OfflineActorCritic, OfflineGCBC
from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture, goal_batch
from goalward.losses.logistic import all_pairs_nce
from goalward.methods.contrastive_rl import ContrastiveRL
from goalward.nets.conv import ConvEncoder
from goalward.nets.normalized import GoalValue, NormalizedMLP, ScaledInnerProductCritic
from goalward.nets.plain_policies import CategoricalPolicy, UnitGaussianPolicy
from goalward.protocol import PLAIN
from offline_oracles import (
    check_gradient,
    double,
    gaussian_log_prob,
    member,
    normalized_mlp,
    plain_update,
    policy_head,
    random_batch,
    random_state,
)
from offline_walks import ANYWHERE, SHARED, WALKER, WIDTHS, check_it_walks_where_it_is_told

BATCH = random_batch()


@dataclass(frozen=True, kw_only=True)
class Contrastive(OfflineActorCritic, ContrastiveRL):
    """Contrastive RL in the frame."""


def contrastive(width, latent, actions=2, **settings):
    encoders = (NormalizedMLP((width, latent)) for _ in range(2))
    return Contrastive(
        actor=UnitGaussianPolicy(actions, (width,)), critic=ScaledInnerProductCritic(*encoders),
        contrast=all_pairs_nce, value_goals=GoalMixture(trajectory=1.0), **settings,
    )  # fmt: skip


def test_cloning_is_told_the_policys_goal():
    agent = OfflineGCBC(actor=UnitGaussianPolicy(2, (6,)), gamma=0.9, transform=PLAIN)
    state = random_state(agent, BATCH)
    metrics, gradient, _ = plain_update(agent, state, BATCH)
    batch = double(BATCH)

    def loss(params, held):
        goal = batch.actor_goal
        return -gaussian_log_prob(params["actor"], batch.state, goal, batch.action).mean()

    np.testing.assert_allclose(metrics["loss"], loss(double(state.params), None), rtol=1e-5)
    check_gradient(loss, state.params, gradient, ["actor"])


def test_contrastive_rl_in_the_frame_by_hand():
    agent = contrastive(6, 4, gamma=0.9, bc=0.7, transform=PLAIN)
    state = random_state(agent, BATCH)
    metrics, gradient, _ = plain_update(agent, state, BATCH)
    batch, n = double(BATCH), len(BATCH.reward)

    def logit(params, k, s, a, g):
        towers = member(params["critic"], k)["params"]
        phi = normalized_mlp({"params": towers["anchor_encoder"]}, s, a)
        return phi @ normalized_mlp({"params": towers["future_encoder"]}, g) / np.sqrt(4)

    def parts(params, held):
        critic = q = size = cloning = 0.0
        for i in range(n):
            s, a, told = batch.state[i], batch.action[i], batch.actor_goal[i]
            for j, k in np.ndindex(n, 2):
                chance = 1 / (1 + np.exp(-logit(params, k, s, a, batch.goal[j])))
                critic -= np.log(chance if i == j else 1 - chance) / (2 * n * n)
            smaller = [
                min(
                    logit(held, k, s, np.clip(policy_head(p["actor"], s, told), -1, 1), told)
                    for k in range(2)
                )
                for p in (params, held)
            ]
            q, size = q + smaller[0] / n, size + abs(smaller[1]) / n
            cloning += gaussian_log_prob(params["actor"], s, told, a) / n
        return critic, -q / (size + 1e-6) - 0.7 * cloning

    critic, actor = parts(double(state.params), double(state.params))
    np.testing.assert_allclose(metrics["critic"], critic, rtol=1e-5)
    np.testing.assert_allclose(metrics["actor"], actor, rtol=1e-5)
    total = lambda params, held: sum(parts(params, held))  # noqa: E731
    check_gradient(total, state.params, gradient, ["actor", "critic"])


@pytest.mark.parametrize(
    "agent",
    [
        OfflineGCBC(**WALKER),
        GCIVL(**WALKER, value=GoalValue(WIDTHS), actor_goals=ANYWHERE, tau=0.02),
        contrastive(32, 16, actions=1, **SHARED, bc=0.3, actor_goals=ANYWHERE),
    ],
    ids=["GCBC", "GCIVL", "Contrastive"],
)
def test_it_walks_where_it_is_told(agent):
    """The frame's three ways to a policy: imitation, weighted imitation, climbing the critic."""
    check_it_walks_where_it_is_told(agent)


def test_images_and_a_few_actions():
    """An encoder of one's own for values and policy; discrete actions for imitation."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(4, 5, 6, 6, 3)).astype(np.uint8)
    data = trajectories.from_trajectories(images, rng.integers(3, size=(4, 5)))
    actor = CategoricalPolicy(3, (8,), ConvEncoder((4,), out=8))
    agent = GCIVL(
        actor=actor, value=GoalValue((8,), ConvEncoder((4,), out=8)), gamma=0.9, batch_size=16
    )

    @jax.jit
    def once(key):
        batch = agent.batch(data, key)
        state, metrics = agent.update(agent.init(key, batch), batch, key)
        return metrics, agent.act(state, *data.observations[:2], (), key)[0]

    metrics, action = once(jax.random.key(0))
    assert np.isfinite(metrics["loss"])
    assert action.shape == ()
    assert 0 <= action < 3


def test_the_batch_is_that_of_the_mixtures():
    rows = np.arange(60, dtype=np.float32)
    seen = np.stack([rows, 100 + rows], axis=-1).reshape(5, 12, 2)
    data, mine = trajectories.from_trajectories(seen, seen), GoalMixture(trajectory=1.0)
    agent = OfflineGCBC(**WALKER, value_goals=mine, tail="renormalise", goal_entries=(1,))

    @jax.jit
    def both(key):
        told = mine, agent.actor_goals, "renormalise", (1,)
        return agent.batch(data, key), goal_batch(data, key, 64, 0.9, *told)

    jax.tree.map(np.testing.assert_array_equal, *both(jax.random.key(3)))
