"""The online loop: what it stores against the environment's own story, and what it comes to."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from goalward.baselines.goal_actor_critic import GoalActorCritic
from goalward.data.goals import HindsightTransitions
from goalward.envs.point_maze import PointMaze
from goalward.evaluation.goal_reaching import GoalReaching
from goalward.losses.contrastive import symmetric_info_nce
from goalward.methods.contrastive_rl import ContrastiveRL
from goalward.nets.critics import InnerProductCritic
from goalward.nets.normalized import NormalizedMLP
from goalward.nets.policies import TanhGaussianPolicy
from goalward.protocol import GoalEnvironment
from goalward.tabular.grid import Grid
from goalward.training.online import Rounds, fresh_states, train


@struct.dataclass
class Told:
    observation: jax.Array
    goal: jax.Array
    reward: jax.Array
    success: jax.Array
    terminated: jax.Array
    truncated: jax.Array


@dataclass(frozen=True)
class Story:
    """Each observation tells what happened: episode's name, steps, sum of actions, its length.

    An episode of length 1 or 2 ends in a fall, one of length 3 in physics that fail, others run
    out of time.
    """

    observation_size = 4
    action_size = 1
    goal_entries = (0,)
    reach = 0.5
    horizon = 5

    def reset(self, key):
        key_name, key_length = jax.random.split(key)
        length = jax.random.randint(key_length, (), 1, 6)
        return self._told(jax.random.uniform(key_name), jnp.zeros(()), jnp.zeros(()), length)

    def step(self, state, action, key):
        name, time, done, length = state.observation
        broken = (length == 3) & (time == 2)
        return self._told(jnp.where(broken, jnp.nan, name), time + 1, done + action[0], length)

    def _told(self, name, time, done, length):
        return Told(
            observation=jnp.stack([name, time, done, length.astype(jnp.float32)]),
            goal=jnp.stack([1 - name]),
            reward=jnp.zeros(()),
            success=jnp.zeros((), bool),
            terminated=(time >= length) & (length < 3),
            truncated=(time >= length) & (length >= 3),
        )


SIZES = Rounds(envs=4, unroll=6, updates=2, capacity=4 * 24)
ACTOR = TanhGaussianPolicy(1, (8,))
SMALL = ContrastiveRL(
    gamma=0.8, critic=InnerProductCritic(NormalizedMLP((8, 4)), NormalizedMLP((8, 4))),
    actor=ACTOR, batch_size=16, goal_entries=(0,), bc=0.0, random_goals=0.0, target_entropy=-1.0,
)  # fmt: skip
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def told():
    """Three rounds of two seeds, in which each keeps a record of everything."""
    return train(SMALL, Story(), SIZES, KEY, 3, seeds=2, log_every=1)


def test_the_environment_is_one():
    assert isinstance(Story(), GoalEnvironment)
    assert isinstance(PointMaze(Grid.open(2, 2)), GoalEnvironment)


def test_streams_tell_the_environments_story(told):
    states, _ = told
    steps = jax.tree.map(lambda leaf: np.asarray(leaf)[:, 0], states.blocks.replay.steps)
    names = set()
    for seed, stream in np.ndindex(2, 4):
        seen = steps.observations[seed, :18, stream]
        last, fallen, broken = (
            getattr(steps, field)[seed, :18, stream] for field in ("last", "fallen", "broken")
        )
        assert np.isfinite(seen).all()
        for t in range(18):
            name, time, done, length = seen[t]
            assert steps.commanded[seed, t, stream, 0] == np.float32(1) - name
            if t == 0 or last[t - 1]:
                assert (time, done) == (0, 0)
                assert name not in names
                names.add(name)
            else:
                before = seen[t - 1]
                assert (name, time, length) == (before[0], before[1] + 1, before[3])
                action = steps.actions[seed, t - 1, stream, 0]
                np.testing.assert_allclose(done, before[2] + action, rtol=1e-6)
            assert last[t] == (time == length or (length == 3 and time == 2))
            assert fallen[t] == (time == length < 3)
            assert broken[t] == (length == 3 and time == 2)
    assert len(names) > 20


def test_steps_and_failures_are_counted(told):
    states, history = told
    steps = states.blocks.replay.steps
    written = np.arange(24)[:, None] < 18
    last, broken = (np.asarray(x)[:, 0] & written for x in (steps.last, steps.broken))
    np.testing.assert_array_equal(history["env_steps"][:, -1], (~last & written).sum((1, 2)))
    np.testing.assert_array_equal(history["broken"][:, -1], broken.sum((1, 2)))
    assert broken.any()
    assert (np.asarray(states.learner.step) == 6).all()
    assert (np.asarray(states.round) == 3).all()
    assert np.isfinite(history["loss"]).all()


def test_no_batch_knows_a_failed_episode(told):
    states, _ = told
    one = jax.tree.map(lambda leaf: leaf[0, 0], states.blocks.replay)
    batch = SMALL.batch(one.view(), KEY)
    ends = {}
    seen, broken = np.asarray(one.steps.observations), np.asarray(one.steps.broken)
    for t, e in np.argwhere(broken):
        ends[float(seen[t, e, 0])] = True
    assert ends
    assert not set(np.asarray(batch.state[:, 0]).tolist()) & set(ends)


def test_a_run_that_goes_on_is_the_same_run(told):
    whole, _ = told
    cut, _ = train(SMALL, Story(), SIZES, KEY, 1, seeds=2)
    again, history = train(SMALL, Story(), SIZES, KEY, 2, seeds=2, states=cut)
    jax.tree.map(np.testing.assert_array_equal, again, whole)
    # There is one copy of the buffers in memory: that of the states that are over is used again.
    assert cut.blocks.replay.steps.observations.is_deleted()
    assert history["loss"].shape == (2, 2)


def test_seeds_differ_and_their_shapes_are_known(told):
    states, _ = told
    shapes = jax.eval_shape(partial(fresh_states, SMALL, Story(), SIZES, seeds=2), KEY)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), shapes) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), states
    )
    for leaf in jax.tree.leaves(states.learner.params):
        assert not np.array_equal(leaf[0], leaf[1])
    assert not np.array_equal(*np.asarray(states.blocks.replay.steps.observations))


@dataclass(frozen=True, kw_only=True)
class Shifting(GoalActorCritic):
    """Its loss pulls the entropy weight to its variant."""

    actor_loss = None

    def batch(self, data, key):
        variant, rest = data
        return variant, super().batch(rest, key)

    def init(self, key, example):
        return super().init(key, example[1])

    def loss(self, params, state, batch, key):
        variant, _ = batch
        return (params["log_entropy_weight"] - variant) ** 2, {}


SHIFTING = Shifting(
    gamma=0.8, critic=SMALL.critic, actor=ACTOR, batch_size=4, goal_entries=(0,),
    target_entropy=0.0, learning_rate=0.5,
)  # fmt: skip
WAITING = Rounds(envs=2, unroll=2, updates=40, capacity=100, warmup=1)


def test_variants_warm_up_and_probes():
    targets = np.array([1.0, -2.0])
    states, history = train(
        SHIFTING, Story(), WAITING, KEY, 4, seeds=2, log_every=2, probe=weight,
        variants=jnp.asarray(targets),
    )  # fmt: skip
    # Round 0 only collects, and each of the others makes 40 updates.
    assert (np.asarray(states.learner.step) == 120).all()
    losses, weights = adam(targets, 120)
    np.testing.assert_allclose(history["loss"][:, 0], losses[:40].mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(history["loss"][:, 1], losses[40:].mean(axis=0), rtol=1e-2)
    np.testing.assert_allclose(history["weight"].T, weights[[39, 119]], rtol=1e-3)


def adam(targets, updates):
    """Adam's way from 0 to each target by the square of the distance, step size 0.5."""
    w, m, v = (np.zeros(len(targets)) for _ in range(3))
    losses, weights = [], []
    for t in range(1, updates + 1):
        losses.append((w - targets) ** 2)
        gradient = 2 * (w - targets)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        w = w - 0.5 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        weights.append(w)
    return np.array(losses), np.array(weights)


def weight(state):
    return {"weight": state.params["log_entropy_weight"]}


def test_a_loss_that_is_not_finite_is_told():
    with pytest.raises(FloatingPointError, match="the loss of seed 1 is not finite in rounds 0 to"):
        train(
            SHIFTING, Story(), WAITING, KEY, 4, seeds=2, log_every=2, probe=weight,
            variants=jnp.array([1.0, jnp.nan]),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"envs": 0}, "envs is at least 1, not 0"),
        ({"unroll": 1}, "unroll is at least 2, not 1"),
        ({"warmup": -1}, "warmup is at least 0, not -1"),
        ({"blocks": 3}, "take 3 environments"),
        ({"capacity": 23}, "does not hold a round: take at least 24"),
    ],
)
def test_sizes_that_cannot_be(sizes, said):
    with pytest.raises(ValueError, match=said):
        Rounds(**{"envs": 4, "unroll": 6, "updates": 1, "capacity": 96} | sizes)


def test_rounds_must_be_whole():
    with pytest.raises(ValueError, match="must be a multiple of log_every"):
        train(SMALL, Story(), SIZES, KEY, 3, log_every=2)
    assert Rounds(4, 6, 1, 96 + 23).rows == 24


def on_devices():
    """Three rounds of two seeds with four blocks of environments: what came of them."""
    sizes = Rounds(envs=8, unroll=6, updates=3, capacity=8 * 12, blocks=4)
    states, history = train(SMALL, Story(), sizes, KEY, 3, seeds=2)
    told = [*jax.tree.leaves(states.learner.params), states.blocks.replay.steps.observations]
    told += [history["loss"], history["env_steps"]]
    return len(states.blocks.over.sharding.device_set), [np.asarray(x).tolist() for x in told]


ON_FOUR = """
import json, sys
import jax
jax.config.update("jax_num_cpu_devices", 4)
sys.path.insert(0, "tests/training")
from test_online import on_devices
print(json.dumps(on_devices()))
"""


def test_devices_share_the_environments_and_come_to_the_same():
    done = subprocess.run([sys.executable, "-c", ON_FOUR], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    devices, shared = json.loads(done.stdout)
    assert devices == 4
    _, told = on_devices()
    for many, one in zip(shared, told, strict=True):
        np.testing.assert_allclose(many, one, atol=1e-5)
    # Each episode of each block begins anew: its name is its own.
    seen = np.array(told[-3])
    name, time = seen[..., 0], seen[..., 1]
    names = name[(time == 0) & (name > 0)]
    assert len(names) > 40
    assert len(set(names.tolist())) == len(names)


class Distance(InnerProductCritic):
    """Minus the distance of the codes."""

    def __call__(self, anchor, future):
        """Matching rows."""
        return -soft_norm(self.encode_anchor(anchor) - self.encode_future(future))

    def pairwise(self, anchors, futures):
        """All pairs."""
        return -soft_norm(self.encode_anchor(anchors)[:, None] - self.encode_future(futures))


def soft_norm(difference):
    return jnp.sqrt(jnp.sum(difference**2, axis=-1) + 1e-6)


# Point maze: the agent, and the two commonest mistakes beside it.
@dataclass(frozen=True, kw_only=True)
class Mistaken(ContrastiveRL):
    """Variant 0 is right; 1 gives every state another episode's future; 2 acts without a goal."""

    def init(self, key, example):
        return super().init(key, example[1])

    def batch(self, data, key):
        variant, rest = data
        return variant, super().batch(rest, key)

    def loss(self, params, state, batch, key):
        variant, rows = batch
        goal = jnp.where(variant == 1, jnp.roll(rows.goal, 1, axis=0), rows.goal)
        rows = HindsightTransitions(
            state=rows.state, action=rows.action, next_state=rows.next_state,
            next_goal=rows.next_goal, goal=goal,
        )  # fmt: skip
        return super().loss({**params, "blind": variant == 2}, state, rows, key)

    def propose(self, params, state, goal, key, temperature=1.0):
        params = dict(params)
        goal = jnp.where(params.pop("blind", False), jnp.zeros_like(goal), goal)
        return super().propose(params, state, goal, key, temperature)


def test_an_agent_learns_the_point_maze_and_mistaken_ones_do_not():
    free = np.ones((5, 5), bool)
    free[1:4, 2] = False
    grid = Grid(free)
    env = PointMaze(grid, speed=0.2, horizon=100, start_cell=int(grid.numbers[4, 0]))
    towers = NormalizedMLP((64, 64, 16)), NormalizedMLP((64, 64, 16))
    agent = Mistaken(
        gamma=0.97, critic=Distance(*towers), actor=TanhGaussianPolicy(2, (64, 64)),
        contrast=symmetric_info_nce, partition_penalty=0.1, learning_rate=1e-3, bc=0.0,
        random_goals=0.0, target_entropy=-1.0, batch_size=64,
    )  # fmt: skip
    sizes = Rounds(envs=32, unroll=100, updates=100, capacity=32_000)
    _, history = train(
        agent, env, sizes, KEY, 15, seeds=4, log_every=15, probe=GoalReaching(env, agent, 100),
        variants=jnp.array([0, 0, 1, 2]),
    )  # fmt: skip
    reached = history["success_any"][:, -1]
    assert reached[:2].mean() >= 0.7
    assert (reached[2:] < 0.3).all()
