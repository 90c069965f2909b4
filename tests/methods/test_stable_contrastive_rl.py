"""Stable contrastive RL: losses against loops, the cold start against its linear theory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines.c_learning import CLearningControl
from goalward.data.crops import JointCrop
from goalward.data.goals import HindsightTransitions
from goalward.losses.contrastive import binary_nce, info_nce
from goalward.methods.stable_contrastive_rl import StableContrastiveRL, cold_start_matrix
from goalward.nets.conv import ConvEncoder
from goalward.nets.critics import EmbeddingCritic, InnerProductCritic
from goalward.nets.policies import TanhGaussianPolicy
from goalward.nets.stable import StableMLP
from goalward.protocol import ADAM, PLAIN, gradient_step, initial_state

ROWS = 6


def table_agent(**options):
    critic = EmbeddingCritic(states=4, actions=2, dim=3)
    return StableContrastiveRL(critic=critic, actor=None, actions=2, gamma=0.8, **options)


def table_batch():
    rng = np.random.default_rng(0)
    fields = {
        name: rng.integers(2 if name == "action" else 4, size=ROWS)
        for name in ("state", "action", "next_state", "next_goal", "goal")
    }
    return HindsightTransitions(**fields)


def tables(seed=0):
    rng = np.random.default_rng(seed)
    return {"phi": rng.normal(size=(2, 8, 3)), "psi": rng.normal(size=(2, 4, 3))}


def state_of(agent, weights):
    params = {"params": jax.tree.map(np.float32, weights)}
    return initial_state({"actor": {}, "critic": params}, ADAM, 1e-3)


def test_the_balanced_loss_is_the_double_loop():
    """Positives weigh 1, each of a row's negatives 1 / (B - 1)."""
    agent, batch, weights = table_agent(), table_batch(), tables()
    total = 0.0
    for k in range(2):
        for i in range(ROWS):
            anchor = weights["phi"][k][2 * batch.state[i] + batch.action[i]]
            for j in range(ROWS):
                f = anchor @ weights["psi"][k][batch.goal[j]]
                loss = np.log1p(np.exp(-f)) if i == j else np.log1p(np.exp(f)) / (ROWS - 1)
                total += loss / ROWS / 2
    state = state_of(agent, weights)
    loss = jax.jit(agent.critic_loss)(state.params, state, batch, jax.random.key(0))
    assert float(loss) == pytest.approx(total, rel=1e-5)


def test_the_bootstrap_switch_is_c_learning_with_the_smaller_target():
    agent, batch = table_agent(bootstrap=True), table_batch()
    state = state_of(agent, tables(0))
    target = state_of(agent, tables(1)).params
    state = state.replace(target_params=target)
    key = jax.random.key(2)
    twin = CLearningControl(critic=agent.critic, actor=None, actions=2, gamma=0.8)
    goal = np.roll(batch.goal, 1)

    @jax.jit
    def both(state, batch, goal):
        losses = [x.critic_loss(state.params, state, batch, key) for x in (agent, twin)]
        return losses, agent.propose(state.params, batch.next_state, goal, key)[0]

    (got, other_loss), action = jax.tree.map(np.asarray, both(state, batch, goal))
    assert got == pytest.approx(float(other_loss), rel=1e-6)
    # By hand, from the actions that the agent draws.
    f, later = tables(0), tables(1)

    def score(weights, k, s, a, g):
        return weights["phi"][k][2 * s + a] @ weights["psi"][k][g]

    total = 0.0
    for i in range(ROWS):
        s, a, g = batch.state[i], batch.action[i], goal[i]
        bar = min(score(later, k, batch.next_state[i], action[i], g) for k in range(2))
        w = min(np.exp(bar), 20.0)
        for k in range(2):
            own, other = score(f, k, s, a, batch.next_goal[i]), score(f, k, s, a, g)
            total += 0.2 * np.log1p(np.exp(-own)) + 0.8 * w * np.log1p(np.exp(-other))
            total += np.log1p(np.exp(other))
    assert got == pytest.approx(total / ROWS / 2, rel=1e-4)


def test_a_cold_critic_starts_at_known_losses():
    tower = StableMLP((32, 8), normalise=True)
    critic = InnerProductCritic(tower, tower.clone())

    @jax.jit
    def cold(x, y, key):
        logits = critic.apply(critic.init(key, x, y), x, y, method="pairwise")
        few = [logits[:rows, :rows] for rows in (2, 7, 64)]
        return logits, [binary_nce(f) for f in few], [info_nce(f) for f in few]

    x, y = np.float32(np.random.default_rng(0).normal(size=(2, 64, 5)))
    logits, binary, picked = cold(x, y, jax.random.key(0))
    assert np.abs(logits).max() < 1e-10
    np.testing.assert_allclose(binary, 2 * np.log(2), atol=1e-6)
    np.testing.assert_allclose(picked, np.log([2, 7, 64]), atol=1e-5)


def linear_loss(params, x, y):
    return binary_nce((x @ params["W"].T) @ (y @ params["V"].T).T)


SLOPE = jax.jit(jax.grad(linear_loss))


@pytest.mark.parametrize("seed", range(3))
def test_the_matrix_is_the_slope_of_cold_layers(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(9, 4)) + 2.0
    y = np.hstack([x[:, :2] + 0.3 * rng.normal(size=(9, 2)), rng.normal(size=(9, 1))])
    W, V = 1e-4 * rng.normal(size=(2, 4)), 1e-4 * rng.normal(size=(2, 3))
    A = cold_start_matrix(x, y)
    slope = SLOPE({"W": W, "V": V}, x, y)
    np.testing.assert_allclose(-slope["W"], V @ A.T, rtol=2e-2, atol=1e-8)
    np.testing.assert_allclose(-slope["V"], W @ A, rtol=2e-2, atol=1e-8)
    # The definition: the mean over positives minus the mean over negatives, halved.
    positive = np.mean([np.outer(x[i], y[i]) for i in range(9)], axis=0)
    others = [np.outer(x[i], y[j]) for i in range(9) for j in range(9) if i != j]
    np.testing.assert_allclose(A, (positive - np.mean(others, axis=0)) / 2, rtol=1e-10)


def test_plain_descent_grows_at_the_predicted_rate_and_adam_at_once():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 5))
    y = x @ rng.normal(size=(5, 4)) + 0.1 * rng.normal(size=(64, 4))
    cold = {"W": 1e-12 * rng.normal(size=(3, 5)), "V": 1e-12 * rng.normal(size=(3, 4))}
    cold = jax.tree.map(np.float32, cold)
    rate = 1e-2

    def loss(params, state, batch, key):
        return linear_loss(params, x, y), {}

    size = {}
    for name, transform in {"plain": PLAIN, "adam": ADAM}.items():
        state = initial_state(cold, transform, rate)
        step = jax.jit(lambda s, t=transform: gradient_step(loss, s, None, jax.random.key(0), t)[0])
        size[name] = []
        for _ in range(400):
            state = step(state)
            size[name].append(np.linalg.norm(state.params["W"]))
    top = np.linalg.svd(cold_start_matrix(x, y), compute_uv=False)[0]
    growth = np.log(size["plain"][399] / size["plain"][300]) / 99
    assert growth == pytest.approx(np.log1p(rate * top), rel=0.01)
    assert size["plain"][399] < 1e-6 < 1e-2 < size["adam"][20]


def image_agent(**options):
    eyes = ConvEncoder((2,), out=4)
    tower = StableMLP((8, 4), last_scale=0.1)
    return StableContrastiveRL(
        critic=InnerProductCritic(tower, tower.clone(), eyes),
        actor=TanhGaussianPolicy(2, (8,), eyes.clone()), gamma=0.9, batch_size=ROWS, **options,
    )  # fmt: skip


def image_batch():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, size=(4, ROWS, 6, 6, 1)).astype(np.uint8)
    names = ("state", "next_state", "next_goal", "goal")
    images = dict(zip(names, map(jnp.asarray, pictures), strict=True))
    action = jnp.asarray(rng.uniform(-0.9, 0.9, size=(ROWS, 2)), jnp.float32)
    return HindsightTransitions(action=action, **images)


@pytest.fixture(scope="module")
def state():
    """Networks of all image agents: neither cloning nor crops change them."""
    return jax.jit(image_agent().init)(jax.random.key(0), image_batch())


def test_the_crop_enters_the_imitation_and_nothing_else(state):
    batch, key = image_batch(), jax.random.key(1)
    plain, cropped = image_agent(bc=0.4), image_agent(bc=0.4, crop=JointCrop(2, 1.0))

    @jax.jit
    def losses(params):
        seen, aim = JointCrop(2, 1.0)(jax.random.split(key)[0], batch.state, batch.goal)
        actor = [agent.extract(params, batch, key) for agent in (plain, cropped)]
        critic = [agent.critic_loss(params, state, batch, key) for agent in (plain, cropped)]
        imitated = [
            plain.data_log_prob(params, b).mean()
            for b in (batch, batch.replace(state=seen, goal=aim))
        ]
        return actor, critic, imitated

    actor, critic, imitated = losses(state.params)
    assert actor[1] - actor[0] == pytest.approx(0.4 * float(imitated[0] - imitated[1]), rel=1e-3)
    assert abs(actor[1] - actor[0]) > 1e-5
    assert critic[0] == critic[1]


@pytest.mark.parametrize("crop", [None, JointCrop(2, 1.0)])
def test_imitation_is_told_the_goal_that_was_reached(state, crop):
    """The policy trains on random goals too, but what it imitates led to its own row's future."""
    agent, batch = image_agent(bc=0.4, random_goals=0.5, crop=crop), image_batch()
    key = jax.random.key(1)
    moved = np.r_[ROWS - 1, np.arange(ROWS // 2 - 1), np.arange(ROWS // 2, ROWS)]

    @jax.jit
    def both(params):
        crop_key, actor_key = jax.random.split(key)
        seen, aim = batch.state, batch.goal
        if crop is not None:
            seen, aim = crop(crop_key, seen, aim)
        goal = batch.goal[moved]
        action, _ = agent.propose(params, batch.state, goal, actor_key)
        logits = agent.scores(params, batch.state, action, goal)
        recorded = agent.data_log_prob(params, batch.replace(state=seen, goal=aim))
        by_hand = -0.6 * jnp.mean(jnp.min(logits, axis=0)) - 0.4 * jnp.mean(recorded)
        return agent.extract(params, batch, key), by_hand

    steep = jax.tree.map(lambda leaf: 4 * np.asarray(leaf), state.params["critic"])
    got, expected = both(state.params | {"critic": steep})  # so the action drawn is seen
    assert float(got) == pytest.approx(float(expected), rel=1e-4)


def test_the_defaults_are_those_of_the_released_code():
    agent = image_agent()
    assert (agent.ensemble, agent.bc, agent.tau, agent.clip) == (2, 0.05, 0.005, 20.0)
    assert (agent.random_goals, agent.crop, agent.bootstrap) == (0.0, None, False)


def test_the_contrast_is_a_choice():
    batch, weights = table_batch(), tables()
    losses = {}
    for contrast in (binary_nce, info_nce):
        agent = table_agent(contrast=contrast)
        state = state_of(agent, weights)

        @jax.jit
        def both(state, batch, agent=agent):
            loss = agent.critic_loss(state.params, state, batch, jax.random.key(0))
            logits = agent.scores(state.params, batch.state, batch.action, batch.goal, "pairwise")
            return loss, jnp.stack([agent.contrast(f) for f in logits])

        losses[contrast], each = both(state, batch)
        np.testing.assert_allclose(losses[contrast], np.mean(each), rtol=1e-6)
    assert abs(losses[binary_nce] - losses[info_nce]) > 0.1
