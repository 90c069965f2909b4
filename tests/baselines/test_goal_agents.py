"""Cloning, C-learning and the hindsight actor-critic: by hand, and where the answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from goalward.baselines import gcbc
from goalward.baselines.c_learning import CLearning, CLearningControl
from goalward.baselines.gcbc import GCBC
from goalward.baselines.td3_her import TD3HER, Within
from goalward.baselines.vip import VIP
from goalward.data import trajectories
from goalward.data.goals import HindsightTransitions
from goalward.nets.critics import EmbeddingCritic, InnerProductCritic
from goalward.nets.mlp import MLP
from goalward.nets.policies import TanhGaussianPolicy
from goalward.protocol import ADAM
from goalward.tabular import mdp, successor
from goalward.training.loop import train

SHARED = {"actor": TanhGaussianPolicy(1, (32,)), "gamma": 0.5, "batch_size": 64,
          "learning_rate": 5e-3}  # fmt: skip
CRITIC = InnerProductCritic(MLP((32, 16), activation=nn.relu), MLP((32, 16)))


@pytest.fixture(scope="module")
def places():
    """One step, in which the action is where one ends up: the best action is the goal."""
    actions = np.random.default_rng(0).uniform(-0.9, 0.9, size=(3000, 2, 1)).astype(np.float32)
    observations = np.zeros_like(actions)
    observations[:, 1] = actions[:, 0]
    return trajectories.from_trajectories(observations, actions)


@pytest.mark.parametrize(
    "agent",
    [
        GCBC(**SHARED),
        CLearningControl(critic=CRITIC, bc=0.01, **SHARED),
        TD3HER(critic=CRITIC, reached=Within(0.2), bc=0.01, **SHARED),
    ],
    ids=lambda agent: type(agent).__name__,
)
def test_each_learns_to_go_where_it_is_told(agent, places):
    trained, _ = train(agent, places, jax.random.key(0), steps=1000)
    one = jax.tree.map(lambda leaf: leaf[0], trained)
    goals = jnp.linspace(-0.6, 0.6, 7)[:, None]
    act = jax.vmap(lambda g: agent.act(one, jnp.zeros(1), g, (), jax.random.key(1), 0.0)[0])
    assert np.abs(act(goals) - goals).max() < 0.3


def test_cloning_tends_to_bayes_rule():
    rng = np.random.default_rng(0)
    P = mdp.random_mdp(rng, 3, 2)
    behaviour = rng.dirichlet(np.ones(2), size=3)
    M = successor.successor_measure(P, behaviour, 0.8)
    cloned = gcbc.exact_policy(M, behaviour)
    for s, g in np.ndindex(3, 3):
        weights = [behaviour[s, a] * M[s, a, g] for a in range(2)]
        np.testing.assert_allclose(cloned[s, g], np.array(weights) / sum(weights))
    unreachable = gcbc.exact_policy(np.zeros((3, 2, 3)), behaviour)
    np.testing.assert_array_equal(unreachable, np.broadcast_to(behaviour[:, None], (3, 3, 2)))


def discrete_batch():
    fields = {"state": [0, 1, 2], "action": [1, 0, 1], "next_state": [1, 2, 0],
              "next_goal": [1, 2, 0], "goal": [2, 2, 0]}  # fmt: skip
    return HindsightTransitions(**{name: jnp.array(value) for name, value in fields.items()})


def tables(state, k):
    weights = state["critic"]["params"]
    return (np.asarray(weights["phi"][k]) @ np.asarray(weights["psi"][k]).T).reshape(3, 2, 3)


def with_other_target(agent):
    state = agent.init(jax.random.key(0), discrete_batch())
    other = jax.tree.map(lambda leaf: 1.5 * jnp.roll(leaf, 1, axis=1), state.params)
    return state.replace(target_params=other)


def test_the_hindsight_critic_by_hand():
    agent = TD3HER(
        critic=EmbeddingCritic(3, 2, 4), actor=None, actions=2, gamma=0.9, random_goals=0.34,
        reached=lambda achieved, goal: (achieved == goal).astype(jnp.float32),
    )  # fmt: skip
    batch = discrete_batch().replace(goal=jnp.array([2, 0, 1]))
    state = agent.init(jax.random.key(0), batch)
    # Of the two values that bootstrap, one lies inside (0, 1) and one above.
    other = jax.tree.map(lambda leaf: 1.3 * jnp.abs(jnp.roll(leaf, 1, axis=1)), state.params)
    state = state.replace(target_params=other)
    q = [tables(state.params, k) for k in range(2)]
    slow = np.minimum(*(tables(state.target_params, k) for k in range(2)))
    goals = [1, 0, 1]  # the first row's goal is the last row's
    low, high = sorted([slow[2, :, 0].max(), slow[0, :, 1].max()])
    assert 0.1 < low < 0.9 < 1.1 < high, (low, high)
    total = 0.0
    for s, a, after, g in zip([0, 1, 2], [1, 0, 1], [1, 2, 0], goals, strict=True):
        reward = float(after == g)
        wanted = reward + 0.9 * (1 - reward) * np.clip(slow[after, :, g].max(), 0, 1)
        total += sum((q[k][s, a, g] - wanted) ** 2 for k in range(2)) / 6
    for seed in range(6):  # the best next action, whatever the key
        loss, _ = agent.loss(state.params, state, batch, jax.random.key(seed))
        assert loss == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_c_learning_for_control_by_hand(seed):
    agent = CLearningControl(
        critic=EmbeddingCritic(3, 2, 4), actor=None, actions=2, gamma=0.9, clip=1.2
    )
    state, batch, key = with_other_target(agent), discrete_batch(), jax.random.key(seed)
    f = [tables(state.params, k) for k in range(2)]
    slow = np.minimum(*(tables(state.target_params, k) for k in range(2)))
    goals = jnp.array([0, 2, 2])  # each row's goal is its neighbour's
    key_critic, _ = jax.random.split(key)
    follow, _ = agent.propose(state.params, batch.next_state, goals, key_critic)
    rows = zip([0, 1, 2], [1, 0, 1], [1, 2, 0], np.asarray(goals), np.asarray(follow), strict=True)
    total = 0.0
    for s, a, after, g, then in rows:
        weight = min(np.exp(slow[after, then, g]), 1.2)
        for k in range(2):
            total += 0.1 * np.log1p(np.exp(-f[k][s, a, after])) / 6
            total += 0.9 * weight * np.log1p(np.exp(-f[k][s, a, g])) / 6
            total += np.log1p(np.exp(f[k][s, a, g])) / 6
    loss, _ = agent.loss(state.params, state, batch, key)
    assert loss == pytest.approx(total, rel=1e-5)
    gradient = jax.grad(
        lambda target: agent.loss(state.params, state.replace(target_params=target), batch, key)[0]
    )(state.target_params)
    assert all((g == 0).all() for g in jax.tree.leaves(gradient))


@pytest.mark.parametrize("gamma", [1.0, 1.5, -0.5])
def test_a_discount_of_one_or_beyond_is_refused(gamma):
    options = {"critic": CRITIC, "gamma": gamma, "actor": TanhGaussianPolicy(1)}
    for make in (
        lambda: CLearningControl(**options),
        lambda: TD3HER(reached=Within(0.1), **options),
        lambda: GCBC(gamma=gamma, actor=TanhGaussianPolicy(1)),
        lambda: CLearning(critic=CRITIC, gamma=gamma),
        lambda: VIP(MLP((2,)), 8, ADAM, gamma),
    ):
        with pytest.raises(ValueError, match="gamma must be at least 0 and below 1"):
            make()


def test_imitation_is_of_the_goal_that_was_reached_and_with_weight_one_it_is_cloning():
    agent = CLearningControl(critic=CRITIC, bc=1.0, **SHARED)
    rows = np.random.default_rng(0).normal(size=(5, 6, 1)).astype(np.float32)
    batch = HindsightTransitions(*map(jnp.asarray, rows))
    batch = batch.replace(action=jnp.tanh(batch.action))
    state = jax.jit(agent.init)(jax.random.key(0), batch)
    params = state.params
    cloning, _ = GCBC(**SHARED).loss(params, state, batch, jax.random.key(1))
    actor = agent.extract(params, batch, jax.random.key(1))
    assert float(actor) == pytest.approx(float(cloning), rel=1e-5)
    log_prob = agent.actor.apply(
        params["actor"], batch.state, batch.goal, batch.action, method="log_prob"
    )
    assert float(cloning) == pytest.approx(-float(log_prob.mean()), rel=1e-5)
