"""Soft actor-critic with hindsight, and the entropy weight that agents may learn: by hand."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from goalward.baselines.sac_her import SACHER
from goalward.baselines.td3_her import TD3HER, Within
from goalward.data.goals import HindsightTransitions, partly_commanded
from goalward.envs.point_maze import PointMaze
from goalward.evaluation.goal_reaching import GoalReaching
from goalward.nets.mlp import MLP
from goalward.nets.policies import TanhGaussianPolicy
from goalward.tabular.grid import Grid
from goalward.training.online import Rounds, train

ROWS = 6


class Joined(nn.Module):
    """A value of state, action and goal."""

    widths: tuple[int, ...] = (8, 1)

    @nn.compact
    def __call__(self, anchor, goal):
        return MLP(self.widths)(jnp.concatenate([*anchor, goal], axis=-1))[..., 0]


@pytest.fixture(scope="module")
def case():
    """An agent, a state whose targets differ from its parameters, and a batch."""
    agent = SACHER(
        gamma=0.8, critic=Joined(), actor=TanhGaussianPolicy(1, (8,)), reached=Within(0.4),
        random_goals=0.5, target_entropy=-0.7,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.uniform(-1, 1, shape), jnp.float32)  # noqa: E731
    batch = HindsightTransitions(
        state=draw(ROWS, 2), action=draw(ROWS, 1), next_state=draw(ROWS, 2),
        next_goal=draw(ROWS, 2), goal=draw(ROWS, 2), commanded=draw(ROWS, 2),
        terminated=jnp.array([0, 1, 0, 0, 1, 0], bool),
    )  # fmt: skip
    # Rows 1 and 3 end at their goals: one of the commanded ones, one of the reached.
    near = batch.next_goal.at[1].set(batch.commanded[1]).at[3].set(batch.goal[3])
    batch = batch.replace(next_goal=near)
    state = agent.init(jax.random.key(0), batch)
    target = agent.init(jax.random.key(1), batch).params
    params = state.params | {"log_entropy_weight": jnp.asarray(np.log(0.3), jnp.float32)}
    return agent, state.replace(params=params, target_params=target), batch


def values(agent, params, state, action, goal):
    """Both critics' values, one row at a time."""
    both = [jax.tree.map(lambda leaf, i=i: leaf[i], params["critic"]) for i in range(2)]
    return np.array(
        [agent.critic.apply(w, (state[None], action[None]), goal[None])[0] for w in both]
    )


def test_the_critics_loss_by_hand(case):
    agent, state, batch = case
    key = jax.random.key(3)
    goals = [*np.asarray(batch.commanded[:3]), *np.asarray(batch.goal[3:])]
    action, log_prob = agent.actor.apply(
        state.params["actor"], batch.next_state, jnp.array(goals), key, 1.0, method="sample"
    )
    total = 0.0
    for i, goal in enumerate(goals):
        there = np.linalg.norm(batch.next_goal[i] - goal) <= 0.4
        later = values(agent, state.target_params, batch.next_state[i], action[i], goal).min()
        later -= 0.3 * log_prob[i]
        wanted = (0 if there else -1) + 0.8 * (0 if batch.terminated[i] else later)
        now = values(agent, state.params, batch.state[i], batch.action[i], goal)
        total += ((now - wanted) ** 2).sum()
    found = agent.critic_loss(state.params, state, batch, key)
    np.testing.assert_allclose(found, total / (2 * ROWS), rtol=1e-5)


def test_no_gradient_through_the_target(case):
    agent, state, batch = case
    gradient = jax.grad(agent.critic_loss)(state.params, state, batch, jax.random.key(3))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient["actor"]))
    assert gradient["log_entropy_weight"] == 0


def test_the_actors_loss_and_that_of_the_entropy_weight(case):
    agent, state, batch = case
    key = jax.random.key(4)
    goal = jnp.concatenate([batch.commanded[:3], batch.goal[3:]])
    sample = lambda params: agent.actor.apply(  # noqa: E731
        params["actor"], batch.state, goal, key, 1.0, method="sample"
    )
    action, log_prob = sample(state.params)
    q = [values(agent, state.params, batch.state[i], action[i], goal[i]).min() for i in range(ROWS)]
    surplus = -float(log_prob.mean()) + 0.7
    expected = 0.3 * float(log_prob.mean()) - np.mean(q) + 0.3 * surplus
    loss, gradient = jax.value_and_grad(agent.extract)(state.params, batch, key)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    # The weight's own gradient, in its logarithm; the critics have none.
    np.testing.assert_allclose(gradient["log_entropy_weight"], 0.3 * surplus, rtol=1e-5)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient["critic"]))

    def actor(params):
        action, log_prob = sample(params)
        return jnp.mean(0.3 * log_prob - agent.value(state.params, batch.state, action, goal))

    by_hand = jax.grad(actor)(state.params)["actor"]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        gradient["actor"],
        by_hand,
    )


def test_the_entropy_weight_rises_while_the_policy_is_too_sure(case):
    agent, state, batch = case
    for target, sign in ((-20.0, 1), (20.0, -1)):
        asked = replace(agent, target_entropy=target)
        gradient = jax.grad(asked.extract)(state.params, batch, jax.random.key(4))
        assert sign * gradient["log_entropy_weight"] > 0


def test_a_fall_has_no_future_in_td3_either(case):
    _, state, batch = case
    batch = batch.replace(terminated=batch.terminated.at[5].set(True))
    agent = TD3HER(
        gamma=0.8, critic=Joined(), actor=TanhGaussianPolicy(1, (8,)), reached=Within(0.4),
        random_goals=0.5, smoothing=0.0,
    )  # fmt: skip
    params = {name: state.params[name] for name in ("actor", "critic")}
    target = {name: state.target_params[name] for name in ("actor", "critic")}
    held = state.replace(params=params, target_params=target)
    key = jax.random.key(0)
    goals = jnp.concatenate([batch.commanded[:3], batch.goal[3:]])
    action, _ = agent.propose(target, batch.next_state, goals, key, 0.0)
    total, worth = 0.0, {True: 0.0, False: 0.0}
    for i, goal in enumerate(goals):
        there = np.linalg.norm(batch.next_goal[i] - goal) <= 0.4
        later = values(agent, target, batch.next_state[i], action[i], goal).min()
        later, fell = np.clip(later, 0, 1), bool(batch.terminated[i])
        worth[fell] += 0 if there else later
        later = 0 if there or fell else later
        now = values(agent, params, batch.state[i], batch.action[i], goal)
        total += ((now - (there + 0.8 * later)) ** 2).sum()
    assert min(worth.values()) > 0.1  # there is a value to lose by a fall, and one to keep
    found = agent.critic_loss(params, held, batch, key)
    np.testing.assert_allclose(found, total / (2 * ROWS), rtol=1e-5)


def test_goals_that_are_not_relabelled(case):
    _, _, batch = case
    mixed = partly_commanded(batch, 0.5)
    np.testing.assert_array_equal(mixed[:3], batch.commanded[:3])
    np.testing.assert_array_equal(mixed[3:], batch.goal[3:])
    unknown = partly_commanded(batch.replace(commanded=None), 0.5)
    np.testing.assert_array_equal(unknown[:3], np.roll(batch.goal, 1, axis=0)[:3])
    np.testing.assert_array_equal(unknown[3:], batch.goal[3:])


def test_it_learns_to_go_there_and_to_stay():
    env = PointMaze(Grid.open(1, 3), speed=0.3, horizon=12)
    agent = SACHER(
        gamma=0.9, critic=Joined((32, 32, 1)), actor=TanhGaussianPolicy(2, (32,)),
        reached=Within(env.reach), learning_rate=3e-3, random_goals=0.5, target_entropy=-1.0,
        batch_size=128,
    )  # fmt: skip
    sizes = Rounds(envs=32, unroll=13, updates=50, capacity=32 * 13 * 8)
    probe = GoalReaching(env, agent, 128)
    _, history = train(agent, env, sizes, jax.random.key(0), 12, log_every=12, probe=probe)
    assert history["success_any"][0, -1] > 0.9
    # Walking straight there and staying is near in 0.87 of the steps.
    assert history["time_near_goal"][0, -1] > 0.65
