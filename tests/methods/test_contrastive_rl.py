"""Contrastive RL: its loss against loops, its optimum against the exact successor measure."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.data import trajectories
from goalward.data.goals import HindsightTransitions
from goalward.losses.contrastive import binary_nce, info_nce
from goalward.losses.policy import max_q
from goalward.methods.contrastive_rl import ContrastiveRL, greedy_policy, log_ratio
from goalward.nets.critics import EmbeddingCritic, InnerProductCritic
from goalward.nets.mlp import MLP
from goalward.nets.policies import TanhGaussianPolicy
from goalward.protocol import initial_state
from goalward.tabular import mdp, successor
from goalward.training.loop import train
from states import only_seed

GAMMA = 0.8


def tiny_world(seed=0, states=3, actions=2):
    rng = np.random.default_rng(seed)
    P = mdp.random_mdp(rng, states, actions, concentration=0.7)
    policy = rng.dirichlet(np.ones(actions), size=states)
    return P, policy, successor.successor_measure(P, policy, GAMMA)


def joint_distribution(occupancy, seed):
    """Uneven visits to the pairs, and the joint of pair and future that the sampler draws from."""
    pairs = occupancy.shape[0] * occupancy.shape[1]
    visits = np.random.default_rng(seed).dirichlet(np.ones(pairs))
    return visits[:, None] * occupancy.reshape(pairs, -1)


def expected_loss(f, joint):
    """The library's loss averaged over every batch of two, each with its probability."""
    cells = list(np.ndindex(*joint.shape))
    batches = np.array(list(itertools.product(cells, cells)))  # (batches, 2, (pair, future))
    weights = joint[tuple(np.moveaxis(batches, -1, 0))].prod(axis=1)
    logits = f[batches[:, :, None, 0], batches[:, None, :, 1]]
    total = jax.vmap(binary_nce)(logits)
    return jnp.sum(weights * total)


@pytest.mark.parametrize("seed", range(3))
def test_the_expected_loss_is_least_at_the_log_ratio(seed):
    _, _, occupancy = tiny_world(seed)
    joint = joint_distribution(occupancy, seed)
    best = log_ratio(occupancy, joint.sum(axis=0)).reshape(joint.shape)
    gradient = jax.jit(jax.grad(lambda f: expected_loss(f, joint)))
    np.testing.assert_allclose(gradient(jnp.asarray(best)), 0.0, atol=1e-6)
    # No free term in the anchor: a shifted row is worse, unlike under info_nce.
    assert np.abs(gradient(jnp.asarray(best).at[0].add(0.5))[0].sum()) > 1e-3
    wrong = np.log(occupancy).reshape(joint.shape)
    assert np.abs(gradient(jnp.asarray(wrong))).max() > 1e-3


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_for_a_fixed_goal_the_log_ratio_orders_actions_as_the_value_does(seed):
    P, policy, occupancy = tiny_world(seed, states=4, actions=3)
    marginal = np.random.default_rng(seed).dirichlet(np.ones(4))
    f = log_ratio(occupancy, marginal)
    for goal in range(4):
        reward = (1 - GAMMA) * P[:, :, goal]
        chain = np.einsum("sa,sax->sx", policy, P)
        V = np.linalg.solve(np.eye(4) - GAMMA * chain, (policy * reward).sum(axis=1))
        Q = reward + GAMMA * P @ V
        order = np.argsort(Q, axis=1)
        assert np.array_equal(order, np.argsort(f[:, :, goal], axis=1))
        assert np.array_equal(greedy_policy(f)[:, goal].argmax(axis=1), Q.argmax(axis=1))


def test_goals_that_are_never_reached_have_no_ratio():
    occupancy = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    f = log_ratio(occupancy, np.array([0.25, 0.75]))
    np.testing.assert_allclose(f[:, 0].diagonal(), np.log([4, 4 / 3]))
    assert f[0, 0, 1] == f[1, 0, 0] == -np.inf


def test_equal_actions_share_the_probability():
    policy = greedy_policy(np.array([[[1.0, 0.0], [1.0, 2.0], [0.0, 2.0]]]))
    np.testing.assert_array_equal(policy, [[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]])


def agent(**options):
    critic = EmbeddingCritic(states=4, actions=2, dim=8)
    return ContrastiveRL(critic=critic, actor=None, actions=2, gamma=GAMMA, **options)


def fresh(learner, seed=0):
    """A state with tables drawn by NumPy, which compiles nothing."""
    rng = np.random.default_rng(seed)
    tables = {
        name: jnp.asarray(rng.normal(size=(learner.ensemble, rows, 8)), jnp.float32)
        for name, rows in (("phi", 8), ("psi", 4))
    }
    params = {"actor": {}, "critic": {"params": tables}}
    return initial_state(params, learner.transform, learner.learning_rate)


def small_batch(seed=0, rows=5):
    rng = np.random.default_rng(seed)
    fields = {
        name: jnp.asarray(rng.integers(2 if name == "action" else 4, size=rows))
        for name in ("state", "action", "next_state", "next_goal", "goal")
    }
    return HindsightTransitions(**fields)


@pytest.mark.parametrize(
    ("contrast", "penalty"), [(binary_nce, 0.0), (info_nce, 0.0), (info_nce, 0.3)]
)
def test_the_critics_loss_is_the_double_loop(contrast, penalty):
    learner, batch = agent(contrast=contrast, partition_penalty=penalty, ensemble=2), small_batch()
    state = fresh(learner)
    weights = state.params["critic"]["params"]
    total = 0.0
    for k in range(2):
        phi, psi = np.asarray(weights["phi"][k]), np.asarray(weights["psi"][k])
        f = np.array(
            [
                [phi[2 * s + a] @ psi[g] for g in np.asarray(batch.goal)]
                for s, a in zip(np.asarray(batch.state), np.asarray(batch.action), strict=True)
            ]
        )
        for i in range(5):
            log_partition = np.log(np.exp(f[i]).sum())
            total += penalty * log_partition**2 / 5
            if contrast is info_nce:
                total += (log_partition - f[i, i]) / 5
            else:
                total += np.log1p(np.exp(-f[i, i])) / 5
                total += sum(np.log1p(np.exp(f[i, j])) / 20 for j in range(5) if j != i)
    loss = jax.jit(learner.critic_loss)(state.params, state, batch, jax.random.key(1))
    assert loss == pytest.approx(total / 2, rel=1e-5)


def test_training_finds_the_exact_log_ratio_and_acts_on_it():
    P, policy, occupancy = tiny_world(5, states=4)
    states, actions = mdp.sample_trajectories(P, policy, np.random.default_rng(1), 2000, 60)
    visits = np.zeros((4, 2))
    np.add.at(visits, (states[:, :-1], actions[:, :-1]), 1.0)
    marginal = np.einsum("sa,sax->x", visits / visits.sum(), occupancy)
    data = trajectories.from_trajectories(states, actions)
    learner = agent(batch_size=256, learning_rate=0.01)
    trained, _ = train(learner, data, jax.random.key(0), steps=1500)
    weights = jax.tree.map(lambda leaf: leaf[0, 0], trained.params["critic"]["params"])
    f = (weights["phi"] @ weights["psi"].T).reshape(4, 2, 4)
    exact = log_ratio(occupancy, marginal)
    assert np.abs(np.asarray(f) - exact)[occupancy > 0.02].max() < 0.25
    one = only_seed(trained)
    act = jax.jit(lambda s, g: learner.act(one, s, g, (), jax.random.key(0), 0.0)[0])
    for s, g in np.ndindex(4, 4):
        assert act(jnp.array(s), jnp.array(g)) == np.asarray(f)[s, :, g].argmax()


def test_temperature_one_draws_from_the_softmax_of_the_critic():
    learner = agent()
    state = fresh(learner)
    n = 40_000
    action, log_prob = jax.jit(learner.propose)(
        state.params, jnp.full(n, 1), jnp.full(n, 2), jax.random.key(4)
    )
    f = learner.value(state.params, jnp.array([1, 1]), jnp.arange(2), jnp.array([2, 2]))
    chance = jax.nn.softmax(f)
    np.testing.assert_allclose(np.bincount(action) / n, chance, atol=5 * 0.5 / np.sqrt(n))
    np.testing.assert_allclose(log_prob[:9], jnp.log(chance)[action[:9]], rtol=1e-5)


def continuous_agent(**options):
    uniform = nn.initializers.glorot_uniform()  # compiles faster than the default
    tower = MLP((32, 16), activation=nn.relu, kernel_init=uniform)
    critic = InnerProductCritic(tower, tower.clone())
    return ContrastiveRL(
        critic=critic, actor=TanhGaussianPolicy(1, (32,)), gamma=0.5, batch_size=64,
        learning_rate=5e-3, **options,
    )  # fmt: skip


def test_a_policy_network_learns_to_go_where_it_is_told():
    """One step, in which the action is where one ends up: the best action is the goal."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-0.9, 0.9, size=(3000, 2, 1)).astype(np.float32)
    places = np.zeros_like(actions)
    places[:, 1] = actions[:, 0]
    data = trajectories.from_trajectories(places, actions)
    learner = continuous_agent(bc=0.05)
    trained, _ = train(learner, data, jax.random.key(0), steps=800)
    params = only_seed(trained.params)
    goals = jnp.linspace(-0.7, 0.7, 8)[:, None]
    action, _ = learner.propose(params, jnp.zeros((8, 1)), goals, jax.random.key(1), 0.0)
    assert np.abs(action - goals).max() < 0.25


def test_the_actors_term_leaves_the_critic_alone_and_uses_the_smaller_value():
    learner = continuous_agent(ensemble=2, bc=0.3, entropy=0.1, random_goals=0.5)
    names = ("state", "next_state", "next_goal", "goal")
    rows = np.random.default_rng(0).normal(size=(4, 6, 1)).astype(np.float32)
    shape = dict(zip(names, map(jnp.asarray, rows), strict=True))
    batch = HindsightTransitions(action=jnp.tanh(shape["goal"]), **shape)
    state = jax.jit(learner.init)(jax.random.key(0), batch)
    key = jax.random.key(1)
    value, gradient = jax.jit(jax.value_and_grad(learner.extract))(state.params, batch, key)
    assert all((g == 0).all() for g in jax.tree.leaves(gradient["critic"]))
    assert any((g != 0).any() for g in jax.tree.leaves(gradient["actor"]))
    goal = jnp.concatenate([batch.goal[jnp.array([5, 0, 1])], batch.goal[3:]])
    action, log_prob = learner.propose(state.params, batch.state, goal, key)
    scores = [
        learner.critic.apply(
            jax.tree.map(lambda leaf, k=k: leaf[k], state.params["critic"]),
            (batch.state, action), goal,
        )
        for k in range(2)
    ]  # fmt: skip
    data_log_prob = learner.data_log_prob(state.params, batch)
    expected = max_q(jnp.minimum(*scores), log_prob, data_log_prob, 0.3, 0.1)
    assert value == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("gamma", [1.0, 1.5])
def test_a_discount_of_one_or_beyond_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma must be at least 0 and below 1"):
        ContrastiveRL(critic=EmbeddingCritic(4, 2), actor=None, actions=2, gamma=gamma)


def test_an_agent_needs_exactly_one_way_to_act():
    with pytest.raises(ValueError, match="give an actor"):
        ContrastiveRL(critic=EmbeddingCritic(4, 2), actor=None, gamma=GAMMA)
