"""OGBench's frame: which goal goes where, and agents in it that learn to go where they are told."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines.gciql import GCIQL
from goalward.baselines.gcivl import GCIVL
from goalward.baselines.offline import OfflineActorCritic, OfflineGCBC
from goalward.baselines.qrl import QRL
from goalward.data import trajectories
from goalward.data.goal_mixtures import GoalMixture, goal_batch
from goalward.losses.logistic import all_pairs_nce
from goalward.methods.contrastive_rl import ContrastiveRL
from goalward.methods.mqe import MQE
from goalward.methods.temporal_distances import CMD
from goalward.methods.tmd import TMD
from goalward.nets.action_metric import ActionMetric
from goalward.nets.conv import ConvEncoder
from goalward.nets.normalized import GoalValue, NormalizedMLP, ScaledInnerProductCritic
from goalward.nets.plain_policies import CategoricalPolicy, UnitGaussianPolicy
from goalward.nets.quasimetric import IQECritic
from goalward.protocol import PLAIN, Agent
from goalward.training.loop import train
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


@pytest.fixture(scope="module")
def walks():
    """Aimless walks on a line from -1 to 1; an action is a velocity."""
    actions = np.random.default_rng(0).uniform(-1, 1, size=(300, 13, 1)).astype(np.float32)
    places = np.zeros_like(actions)
    places[:, 0] = actions[:, -1]
    for t in range(12):
        places[:, t + 1] = np.clip(places[:, t] + 0.4 * actions[:, t], -1, 1)
    return trajectories.from_trajectories(places, actions)


WIDTHS, MLP_WIDTHS = (32, 32), (32, 32, 16)
ANYWHERE = GoalMixture(random=1.0)
SHARED = {"gamma": 0.9, "batch_size": 128, "learning_rate": 3e-3}
WALKER = SHARED | {"actor": UnitGaussianPolicy(1, WIDTHS)}
FEW = WALKER | {"batch_size": 64, "bc": 0.03, "actor_goals": ANYWHERE}
TOWERS = NormalizedMLP(MLP_WIDTHS), NormalizedMLP((24, 16))


@pytest.mark.parametrize(
    "agent",
    [
        OfflineGCBC(**WALKER),
        GCIVL(**WALKER, value=GoalValue(WIDTHS), actor_goals=ANYWHERE, tau=0.02),
        GCIQL(
            **WALKER, critic=GoalValue(WIDTHS), state_value=GoalValue(WIDTHS), bc=0.03,
            actor_goals=ANYWHERE, tau=0.02,
        ),
        QRL(
            **WALKER, critic=IQECritic(NormalizedMLP(MLP_WIDTHS), components=4), bc=0.03,
            dynamics=NormalizedMLP(MLP_WIDTHS), actor_goals=ANYWHERE,
        ),
        contrastive(32, 16, actions=1, **SHARED, bc=0.03, actor_goals=ANYWHERE),
        CMD(**FEW, critic=ActionMetric(None, NormalizedMLP(MLP_WIDTHS), 2, scaled=True),
            potential=NormalizedMLP((16, 1))),
        TMD(**FEW, critic=ActionMetric(*TOWERS, 2), temperature=4.0),
        MQE(**FEW, critic=ActionMetric(*TOWERS, 2, scaled=True), lam=0.8),
    ],
    ids=lambda agent: type(agent).__name__,
)  # fmt: skip
def test_each_learns_to_walk_where_it_is_told(agent, walks):
    assert isinstance(agent, Agent)
    assert hash(agent) == hash(agent.__class__(**vars(agent)))
    trained, history = train(agent, walks, jax.random.key(0), steps=800, seeds=2)
    assert np.isfinite(history["loss"]).all()
    start, goal = (x.ravel() for x in np.meshgrid(*2 * [np.linspace(-0.8, 0.8, 9)]))
    far = np.abs(goal - start) > 0.3

    @jax.jit
    @jax.vmap
    def actions(state):
        act = lambda s, g: agent.act(state, s[None], g[None], (), jax.random.key(1), 0.0)[0][0]  # noqa: E731
        return jax.vmap(act)(jnp.asarray(start), jnp.asarray(goal))

    towards = np.asarray(actions(trained)) * np.sign(goal - start)
    assert (towards[:, far] > 0).mean() > 0.9


def test_images_and_a_few_actions():
    """An encoder of one's own for values and policy; discrete actions for imitation."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(4, 5, 6, 6, 3)).astype(np.uint8)
    data = trajectories.from_trajectories(images, rng.integers(3, size=(4, 5)))
    actor = CategoricalPolicy(3, (8,), ConvEncoder((4,), out=8))
    agent = GCIVL(
        actor=actor, value=GoalValue((8,), ConvEncoder((4,), out=8)), gamma=0.9, batch_size=16
    )
    trained, history = train(agent, data, jax.random.key(0), steps=2)
    assert np.isfinite(history["loss"]).all()
    one = jax.tree.map(lambda leaf: leaf[0], trained)
    action, _ = agent.act(one, data.observations[0], data.observations[1], (), jax.random.key(0))
    assert action.shape == ()
    assert 0 <= action < 3


def test_the_batch_is_that_of_the_mixtures(walks):
    agent = OfflineGCBC(**WALKER, value_goals=ANYWHERE, tail="renormalise", goal_entries=(0,))
    key = jax.random.key(3)
    expected = goal_batch(walks, key, 128, 0.9, ANYWHERE, agent.actor_goals, "renormalise", (0,))
    for leaf, other in zip(*map(jax.tree.leaves, (agent.batch(walks, key), expected)), strict=True):
        np.testing.assert_array_equal(leaf, other)
