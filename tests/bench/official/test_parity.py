"""Official parameters in our form: our networks must compute what theirs would."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("ogbench")
from goalward.bench.data.names import Unknown, parse
from goalward.bench.official.parity import our_batch, our_params, our_targets, parity
from goalward.bench.offline.presets import Options, learner
from goalward.data.goal_mixtures import SubgoalBatch, ValueBatch, WaypointBatch
from goalward.nets.normalized import NormalizedMLP

ENV, STATE, ACTION = "pointmaze-medium-navigate-v0", 3, 2
KEYS = jax.random.split(jax.random.key(0), 9)
S, G = (jax.random.normal(key, (5, STATE)) for key in KEYS[:2])
A = jax.random.normal(KEYS[2], (5, ACTION))
WIDTH = 16  # two components of eight intervals
SIZES = Options(ACTION, width=WIDTH)


def plain(inputs: int, outputs: int, key: jax.Array) -> dict:
    """Parameters of layers as the official code keeps them, without its names around them."""
    net = NormalizedMLP((WIDTH,) * 3 + (outputs,))
    return net.init(key, jnp.zeros((1, inputs)))["params"]


def several(inputs: int, outputs: int, key: jax.Array) -> dict:
    return jax.vmap(lambda k: plain(inputs, outputs, k))(jax.random.split(key, 2))


def policy() -> dict:
    layers = plain(2 * STATE, 1, KEYS[3])
    net = {f"Dense_{i}": layers[f"Dense_{i}"] for i in range(3)}
    return {
        "actor_net": net,
        "mean_net": {"kernel": jnp.ones((WIDTH, ACTION)), "bias": jnp.zeros(2)},
    }


def test_the_critic_is_told_its_inputs_in_another_order() -> None:
    critic, target = (several(2 * STATE + ACTION, 1, key) for key in KEYS[4:6])
    official = {
        "modules_actor": policy(),
        "modules_value": {"value_net": plain(2 * STATE, 1, KEYS[6])},
        "modules_critic": {"value_net": critic},
        "modules_target_critic": {"value_net": target},
    }
    agent = learner("gciql", parse(ENV), SIZES)
    ours = our_params("gciql", official, ACTION)
    for theirs, params in (
        (critic, ours),
        (target, ours | our_targets("gciql", official, ACTION)),
    ):
        inputs = jnp.concatenate([S, G, A], axis=-1)  # the official order
        net = NormalizedMLP((WIDTH,) * 3 + (1,))
        expected = jax.vmap(lambda p: net.apply({"params": p}, inputs)[:, 0])(theirs)  # noqa: B023
        np.testing.assert_allclose(agent.scores(params, S, A, G), expected, rtol=1e-5, atol=1e-6)


def test_the_official_mixture_weighs_the_mean() -> None:
    layers, alpha = plain(STATE, WIDTH, KEYS[7]), 0.7
    official = {
        "modules_actor": policy(),
        "modules_value": {"phi": layers, "alpha": {"value": jnp.asarray(alpha)}},
        "modules_dynamics": plain(WIDTH + ACTION, WIDTH, KEYS[8]),
        "modules_lam": {"log_value": jnp.asarray(0.5)},
    }
    agent = learner("qrl", parse(ENV), SIZES)
    params = our_params("qrl", official, ACTION)
    x, y = (np.asarray(NormalizedMLP((WIDTH,) * 4).apply({"params": layers}, z)) for z in (S, G))
    lengths = np.array([[_union(a[i], b[i]) for i in (slice(8), slice(8, 16))]
                        for a, b in zip(x, y, strict=True)])  # fmt: skip
    weight = 1 / (1 + np.exp(-alpha))
    expected = weight * lengths.mean(-1) + (1 - weight) * lengths.max(-1)
    ours = agent.distance(params, agent.encode(params, S), agent.encode(params, G))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    assert params["log"] == 0.5


def test_contrastive_towers_and_imitation() -> None:
    official = {"modules_actor": policy()} | {
        f"modules_{name}": {
            "phi": make(STATE + extra, WIDTH, KEYS[i]), "psi": make(STATE, WIDTH, KEYS[i + 1])
        }
        for name, make, extra, i in (("critic", several, ACTION, 4), ("value", plain, 0, 6))
    }  # fmt: skip
    agent = learner("contrastive_rl", parse(ENV), replace(SIZES, extraction="awr"))
    params = our_params("contrastive_rl", official, ACTION)
    fresh = agent.init(KEYS[8], agent_batch()).params
    assert jax.tree.map(jnp.shape, fresh) == jax.tree.map(jnp.shape, params)
    net, value = NormalizedMLP((WIDTH,) * 4), official["modules_value"]
    phi, psi = (net.apply({"params": value[k]}, x) for k, x in (("phi", S), ("psi", G)))
    expected = (phi * psi).sum(-1) / np.sqrt(WIDTH)
    np.testing.assert_allclose(agent.value_of_state(params, S, G), expected, rtol=1e-5, atol=1e-6)
    del official["modules_value"]
    assert set(our_params("contrastive_rl", official, ACTION)) == {"actor", "critic"}


def test_quasimetrics_without_dynamics() -> None:
    official = {
        "modules_actor": policy(),
        "modules_value": {"phi": plain(STATE, WIDTH, KEYS[7]), "alpha": {"value": jnp.zeros(())}},
        "modules_lam": {"log_value": jnp.zeros(())},
    }
    agent = learner("qrl", parse(ENV), replace(SIZES, extraction="awr"))
    fresh = agent.init(KEYS[8], agent_batch()).params
    params = our_params("qrl", official, ACTION)
    assert jax.tree.map(jnp.shape, fresh) == jax.tree.map(jnp.shape, params)


def official_distance(x: np.ndarray, y: np.ndarray, divisor: float) -> np.ndarray:
    """As the releases have it: masks pick the halves of each of eight parts."""
    parts = []
    for a, b in zip(np.split(x, 8, axis=-1), np.split(y, 8, axis=-1), strict=True):
        first = np.arange(a.shape[-1]) < a.shape[-1] // 2
        largest = np.maximum((a - b) * first, 0).max(axis=-1)
        parts.append(largest + np.sqrt((((a - b) * ~first) ** 2).sum(axis=-1)))
    return np.mean(parts, axis=0) / divisor


@pytest.mark.parametrize("method", ["temporal_distances", "tmd", "mqe"])
def test_metrics_of_states_and_actions(method: str) -> None:
    phi, psi = several(STATE + ACTION, WIDTH, KEYS[4]), several(STATE, WIDTH, KEYS[6])
    official = {"modules_actor": policy(), "modules_critic": {"phi": phi}}
    if method != "temporal_distances":
        official = {
            "modules_actor": policy(),
            "modules_phi": {"phi": phi},
            "modules_psi": {"phi": psi},
            "modules_backup_coeff": {"value": jnp.zeros(())},
        }
    agent = learner(method, parse(ENV), SIZES)
    params = our_params(method, official, ACTION)
    fresh = jax.eval_shape(agent.init, KEYS[8], agent_batch()).params
    assert jax.tree.map(jnp.shape, fresh) == jax.tree.map(jnp.shape, params)

    def encode(tree: dict, x: jax.Array) -> np.ndarray:
        net = NormalizedMLP((WIDTH,) * 4)
        return np.asarray(jax.vmap(lambda p: net.apply({"params": p}, x))(tree))

    start = encode(phi, jnp.concatenate([S, A], axis=-1))
    if method == "temporal_distances":
        to, goal = encode(phi, jnp.concatenate([G, A], axis=-1)), (G, A)
    else:
        to, goal = encode(psi, G), G
    expected = official_distance(start, to, 1 if method == "tmd" else np.sqrt(WIDTH))
    found = agent.distance(params, (S, A), goal)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def agent_batch() -> ValueBatch:
    row = jnp.zeros(len(S))
    return ValueBatch(
        state=S, action=A, next_state=S, next_goal=S, goal=G, actor_goal=G, reward=row, mask=row
    )


def _union(left: np.ndarray, right: np.ndarray) -> float:
    """The length of the union of intervals, by its end points."""
    ends = np.sort(np.concatenate([left, right]))
    middles = (ends[1:] + ends[:-1]) / 2
    covered = ((left[:, None] <= middles) & (middles < right[:, None])).any(axis=0)
    return float(np.sum(np.diff(ends) * covered))


def test_a_batch_of_two_levels() -> None:
    names = ("observations", "next_observations", "value_goals", "high_actor_goals",
             "low_actor_goals", "high_actor_targets")  # fmt: skip
    told = {name: np.full((4, STATE), i, np.float32) for i, name in enumerate(names)}
    told |= {"actions": np.zeros((4, ACTION)), "rewards": -np.ones(4), "masks": np.ones(4)}
    batch = our_batch(told)
    assert isinstance(batch, SubgoalBatch)
    fields = ("state", "next_state", "goal", "actor_goal", "low_goal", "subgoal")
    assert [float(getattr(batch, field)[0, 0]) for field in fields] == [0, 1, 2, 3, 4, 5]


def test_a_batch_with_waypoints() -> None:
    names = ("observations", "next_observations", "value_goals", "actor_goals",
             "intermediate_value_goals")  # fmt: skip
    told = {name: np.full((4, STATE), i, np.float32) for i, name in enumerate(names)}
    told |= {"actions": np.zeros((4, ACTION)), "rewards": -np.ones(4), "masks": np.ones(4)}
    batch = our_batch(told | {"intermediate_value_goals_offsets": np.arange(1, 5)})
    assert isinstance(batch, WaypointBatch)
    fields = ("state", "next_state", "goal", "actor_goal", "waypoint")
    assert [float(getattr(batch, field)[0, 0]) for field in fields] == [0, 1, 2, 3, 4]
    assert batch.steps.tolist() == [1, 2, 3, 4]


def test_two_levels_that_learn_by_sarsa() -> None:
    critic, target = (several(3 * STATE, 1, key) for key in KEYS[4:6])
    high, low = plain(3 * STATE + 1, STATE, KEYS[6]), plain(2 * STATE + ACTION + 1, ACTION, KEYS[7])
    official = {
        "modules_high_value": {"value_net": plain(2 * STATE, 1, KEYS[8])},
        "modules_high_critic": {"value_net": critic},
        "modules_target_high_critic": {"value_net": target},
        "modules_high_actor_flow": {"mlp": high},
        "modules_low_actor_flow": {"mlp": low},
    }
    agent = learner("sharsa", parse(ENV), SIZES)
    params = our_params("sharsa", official, ACTION)
    held = our_targets("sharsa", official, ACTION)
    names = ("observations", "next_observations", "high_value_goals", "high_actor_goals",
             "high_value_actions", "high_value_next_observations", "high_actor_actions",
             "low_actor_goals")  # fmt: skip
    told = {name: np.full((4, STATE), i, np.float32) for i, name in enumerate(names)}
    told |= {"actions": np.zeros((4, ACTION)), "high_value_subgoal_steps": np.arange(1, 5)}
    told |= {f"high_value_{name}": np.ones(4) for name in ("rewards", "masks")}
    batch = our_batch(told)
    fields = ("state", "next_state", "goal", "actor_goal", "value_subgoal", "value_next",
              "subgoal", "low_goal")  # fmt: skip
    assert [float(getattr(batch, field)[0, 0]) for field in fields] == list(range(8))
    assert batch.steps.tolist() == [1, 2, 3, 4]
    fresh = jax.eval_shape(agent.init, KEYS[8], batch).params
    assert jax.tree.map(jnp.shape, fresh) == jax.tree.map(jnp.shape, params)
    subgoal, time = jax.random.normal(KEYS[0], (5, STATE)), jnp.full((5, 1), 0.3)
    inputs = jnp.concatenate([S, G, subgoal], axis=-1)  # the official order
    net = NormalizedMLP((WIDTH,) * 3 + (1,))
    for theirs, ours in ((critic, params), (target, held)):
        expected = jax.vmap(lambda p: net.apply({"params": p}, inputs)[:, 0])(theirs)
        one = [jax.tree.map(lambda leaf, i=i: leaf[i], ours["critic"]) for i in range(2)]
        found = [agent.critic.apply(weights, (S, subgoal), G) for weights in one]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for tree, part, x in ((high, "high_actor", G), (low, "actor", A)):
        field = agent.high_actor if part == "high_actor" else agent.actor
        net = NormalizedMLP((WIDTH,) * 3 + (x.shape[1],))
        expected = net.apply({"params": tree}, jnp.concatenate([S, subgoal, x, time], axis=-1))
        found = field.apply(params[part], (S, subgoal), x, time)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_wrong_call_is_one_line(tmp_path) -> None:
    with pytest.raises(Unknown, match="the official code has no td_infonce; it has gcbc"):
        parity("td_infonce", ENV, tmp_path, tmp_path, "python")
    with pytest.raises(Unknown, match="has images"):
        parity("gcbc", "powderworld-easy-play-v0", tmp_path, tmp_path, "python")
