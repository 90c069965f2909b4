"""Beside JaxGCRL without its packages: its networks written again, a small world, a stand-in."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import struct

from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.official.online import side as processes
from goalward.bench.official.online.agent import our_params, their_arguments
from goalward.bench.official.online.brax_env import BraxEnvironment, with_starts
from goalward.bench.official.online.compare import Race
from goalward.bench.official.online.parity import OnlineParity, judged
from goalward.bench.online.presets import ENCODING, FLAT_ADAM, agent
from goalward.bench.online.settings import OnlineSettings
from goalward.cli import main
from goalward.training.online import train

STATE, ACTION, GOAL, WIDTH, BATCH = 10, 2, 3, 8, 16
SETTINGS = OnlineSettings("contrastive_rl", "reacher", 100, batch=BATCH, width=WIDTH)
ENTRIES = (4, 5, 6)


def layers(key: jax.Array, *sizes: int) -> dict:
    keys = jax.random.split(key, len(sizes) - 1)
    return {
        f"Dense_{i}": {"kernel": jax.random.normal(k, (a, b)) / a**0.5, "bias": jnp.full(b, 0.1)}
        for i, (k, a, b) in enumerate(zip(keys, sizes, sizes[1:], strict=False))
    }


def theirs(key: jax.Array) -> dict:
    keys = jax.random.split(key, 4)
    actor = layers(keys[0], STATE + GOAL, WIDTH, WIDTH, ACTION)
    actor["Dense_3"] = layers(keys[1], WIDTH, ACTION)["Dense_0"]
    return {
        "actor": {"params": actor},
        "critic": {
            "sa_encoder": {"params": layers(keys[2], STATE + ACTION, WIDTH, WIDTH, ENCODING)},
            "g_encoder": {"params": layers(keys[3], GOAL, WIDTH, WIDTH, ENCODING)},
        },
        "alpha": {"log_alpha": jnp.asarray(0.3)},
    }


def dense(layer: dict, x: jax.Array) -> jax.Array:
    return x @ layer["kernel"] + layer["bias"]


def trunk(net: dict, x: jax.Array) -> jax.Array:
    for name in ("Dense_0", "Dense_1"):
        x = dense(net[name], x)
        x = x / (1 + jnp.exp(-x))
    return x


def distance(phi: jax.Array, psi: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum((phi - psi) ** 2, -1) + 1e-6)


def expected(params: dict, held: dict, batch: dict, noise: jax.Array) -> jax.Array:
    """The losses as the paper's code has them; gradients flow through `params` alone."""
    encode = lambda net, x: dense(net["params"]["Dense_2"], trunk(net["params"], x))  # noqa: E731
    state, action, goal = batch["state"], batch["action"], batch["goal"]
    net = params["actor"]["params"]
    hidden = trunk(net, jnp.concatenate([state, goal], 1))
    mean, raw = dense(net["Dense_2"], hidden), dense(net["Dense_3"], hidden)
    deviation = jnp.exp(-5 + 3.5 * (jnp.tanh(raw) + 1))
    act = jnp.tanh(mean + deviation * noise)
    density = -0.5 * noise**2 - jnp.log(deviation) - 0.5 * jnp.log(2 * jnp.pi)
    log_prob = jnp.sum(density - jnp.log(1 - act**2), -1)
    fixed = held["critic"]
    near = distance(
        encode(fixed["sa_encoder"], jnp.concatenate([state, act], 1)),
        encode(fixed["g_encoder"], goal),
    )
    actor = jnp.mean(jnp.exp(held["alpha"]["log_alpha"]) * log_prob + near)
    surplus = jax.lax.stop_gradient(jnp.mean(-log_prob + 0.5 * ACTION))
    alpha = jnp.exp(params["alpha"]["log_alpha"]) * surplus
    nets = params["critic"]
    phi = encode(nets["sa_encoder"], jnp.concatenate([state, action], 1))
    psi = encode(nets["g_encoder"], goal)
    table = -jax.vmap(lambda row: distance(row, psi))(phi)
    positive = jnp.diag(table)
    rows, columns = (jnp.log(jnp.sum(jnp.exp(table), axis)) for axis in (1, 0))
    critic = jnp.mean(rows + columns - 2 * positive) + 0.1 * jnp.mean(rows**2)
    return actor + alpha + critic


@pytest.fixture(scope="module")
def snapshot() -> dict:
    return jax.jit(made)()


def made() -> dict:
    """A step of their networks, and all that it was made of."""
    keys = jax.random.split(jax.random.key(5), 4)
    params = theirs(keys[0])
    batch = {
        "state": jax.random.normal(keys[1], (BATCH, STATE)),
        "action": jnp.tanh(jax.random.normal(keys[2], (BATCH, ACTION))),
        "goal": jax.random.normal(keys[3], (BATCH, GOAL)),
    }
    noise = jax.random.normal(jax.random.split(jax.random.key(0))[1], (BATCH, ACTION))
    loss, gradient = jax.value_and_grad(expected)(params, params, batch, noise)
    adam = optax.adam(3e-4)
    moments = adam.init(params)
    # As after many batches: no second moment is of a number's own rounding.
    other = jax.tree.map(lambda x: jnp.full_like(x, jnp.abs(x).max()), gradient)
    steps, moments = adam.update(other, moments)
    steps, _ = adam.update(gradient, moments)
    return {
        "params": params,
        "batch": batch,
        "loss": loss,
        "gradient": gradient,
        "count": moments[0].count,
        "mu": moments[0].mu,
        "nu": moments[0].nu,
        "added": steps,
        "after": optax.apply_updates(params, steps),
    }


def worst(found: OnlineParity) -> float:
    each = (found.gradient, found.added, found.parameters)
    return max(found.loss, *(value for parts in each for value in parts.values()))


def test_losses_gradients_and_step_are_those_of_their_networks(snapshot: dict) -> None:
    found = judged(SETTINGS, snapshot)
    assert worst(found) < 1e-5


@pytest.mark.parametrize("part", ["loss", "gradient", "added", "after", "mu", "nu"])
def test_a_snapshot_that_differs_is_told(snapshot: dict, part: str) -> None:
    other = snapshot | {part: jax.tree.map(lambda x: 1.05 * x, snapshot[part])}
    assert worst(judged(SETTINGS, other)) > 2e-3


def test_other_shapes_say_so(snapshot: dict) -> None:
    with pytest.raises(Mendable, match="other shapes"):
        judged(replace(SETTINGS, width=2 * WIDTH), snapshot)


def test_both_sides_are_given_the_same_settings() -> None:
    told = OnlineSettings(
        "contrastive_rl", "reacher", 100, batch=32, width=48, depth=3, learning_rate=1e-3,
        gamma=0.9, energy="squared_l2", loss="backward", penalty=0.2,
    )  # fmt: skip
    assert their_arguments(told) == {
        "energy_fn": "l2",
        "contrastive_loss_fn": "bwd_infonce",
        "batch_size": 32,
        "h_dim": 48,
        "n_hidden": 3,
        "repr_dim": 64,
        "logsumexp_penalty_coeff": 0.2,
        "discounting": 0.9,
        "policy_lr": 1e-3,
        "critic_lr": 1e-3,
        "alpha_lr": 1e-3,
    }
    race = Race("ant", envs=32, unroll=50, batch=64, width=96)
    assert their_arguments(race.settings).items() >= {
        "batch_size": 64, "h_dim": 96, "energy_fn": "norm", "contrastive_loss_fn": "sym_infonce",
        "logsumexp_penalty_coeff": 0.1,
    }.items()  # fmt: skip
    assert (race.settings.envs, race.settings.unroll, race.settings.updates) == (32, 50, 500)


def test_one_long_vector_is_the_same_adam(snapshot: dict) -> None:
    params, gradient = our_params(snapshot["params"]), our_params(snapshot["gradient"])
    one, _ = FLAT_ADAM.update(gradient, FLAT_ADAM.init(params))
    adam = optax.scale_by_adam()
    other, _ = adam.update(gradient, adam.init(params))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), one, other)


@struct.dataclass
class Inner:
    obs: jax.Array
    reward: jax.Array
    done: jax.Array
    metrics: dict


class World:
    """A point as brax would have it; it falls when it leaves the unit square."""

    state_dim, action_size, goal_indices, goal_reach_thresh = 3, 2, np.array([0, 1]), 0.2

    def reset(self, rng: jax.Array) -> Inner:
        zero = jnp.zeros(())
        return Inner(jax.random.uniform(rng, (5,)), zero, zero, {"success": zero})

    def step(self, state: Inner, action: jax.Array) -> Inner:
        obs = state.obs.at[:2].add(0.1 * action).at[2].add(1)
        near = (jnp.linalg.norm(obs[:2] - obs[3:]) < 0.2).astype(float)
        fell = jnp.any(jnp.abs(obs[:2]) > 1).astype(float)
        return state.replace(obs=obs, reward=near, done=fell, metrics={"success": near})


def test_the_adapter_tells_what_brax_tells() -> None:
    env = BraxEnvironment(World(), horizon=3)
    assert (env.observation_size, env.action_size, env.goal_entries, env.reach) == (
        3,
        2,
        (0, 1),
        0.2,
    )
    key = jax.random.key(1)
    state = env.reset(key)
    inner = World().reset(jax.random.key_data(key))
    for time in range(1, 4):
        action = jnp.array([1.0, -0.5])
        state, inner = env.step(state, action, key), World().step(inner, action)
        np.testing.assert_allclose(state.observation, inner.obs[:3])
        np.testing.assert_allclose(state.goal, inner.obs[3:])
        assert bool(state.success) == bool(inner.metrics["success"])
        assert bool(state.terminated) == bool(inner.done)
        assert bool(state.truncated) == (time == 3)
    fallen = env.step(state, jnp.array([20.0, 0.0]), key)
    assert bool(fallen.terminated)
    assert not bool(state.terminated)


def test_starts_are_their_resets_all_of_them() -> None:
    key = jax.random.key(2)
    env = with_starts(World(), 10, 3, key)
    there = {
        tuple(np.round(np.asarray(World().reset(k).obs, float), 5))
        for k in jax.random.key_data(jax.random.split(key, 3))
    }
    drawn = jax.vmap(env.reset)(jax.random.split(jax.random.key(3), 50))
    whole = np.concatenate([drawn.observation, drawn.goal], axis=1)
    assert {tuple(np.round(row.astype(float), 5)) for row in whole} == there
    assert not np.any(drawn.time)


def test_our_loop_runs_in_their_world() -> None:
    env = with_starts(World(), 7, 4, jax.random.key(0))
    settings = replace(SETTINGS, envs=4, unroll=8, updates=2, capacity=64)
    _, history = train(
        agent(settings, env),
        env,
        settings.sizes,
        jax.random.key(0),
        2,
        progress=SimpleNamespace(total=0, update=lambda n: None, close=lambda: None),
    )
    assert np.isfinite(history["loss"]).all()
    assert int(history["env_steps"][0, -1]) <= 64


STAND_IN = """
import json, sys
asked = json.loads(sys.argv[1])
def say(x): print(json.dumps(x), flush=True)
if {missing}: say({{"missing": ["brax"]}}); sys.exit()
say({{"device": "cpu (cpu)", "versions": {{"jax": "0"}}, "first": 1.0}})
for line in sys.stdin:
    say({{"seconds": (2.0 if sys.argv[0] == "theirs" else 1.0) * asked["seeds"] ** 0.5}})
"""


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch):
    """Both programs replaced by one that says how long it took."""

    def use(missing: bool = False) -> None:
        class Fake(processes.Official):
            def __init__(self, python, folder, asked, words, variables) -> None:
                name = words[1].rsplit(".", 1)[1]
                code = STAND_IN.format(missing=missing).replace("sys.argv[0]", repr(name))
                super().__init__(python, folder, asked, ("-c", code), variables)

        monkeypatch.setattr(processes, "Official", Fake)

    return use


def words(out: Path, *more: str) -> list[str]:
    return [
        *("bench", "compare", "contrastive_rl", "--env", "reacher", "--official", "jaxgcrl"),
        *("--python", sys.executable, "--out", str(out), "--envs", "64", "--seeds", "4", *more),
    ]


def test_the_race_counts_steps_updates_and_times(tmp_path: Path, stand_in, capsys) -> None:
    stand_in()
    out = tmp_path / "race.json"
    assert main(words(out)) == 0
    found = json.loads(out.read_text())
    official, one, four = found["rows"]
    assert found["updates"] == 64 * 1000 // 256
    assert official["env_steps_per_second"] == 64 * 62 / 2
    assert official["updates_per_second"] == 125
    assert one["times_official"] == 2
    assert four["times_official"] == 4  # four learners in twice the time of one
    assert "4.00 times" in capsys.readouterr().out


def test_what_lacks_is_named(tmp_path: Path, stand_in, capsys) -> None:
    stand_in(missing=True)
    assert main(words(tmp_path / "race.json")) != 0
    assert "brax" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--envs", "10"), "take --envs 32"),
        (("--episode", "2000"), "--episode must be between 3 and 1001"),
        (("--updates", "5"), "--updates means nothing beside JaxGCRL"),
        (("--official", "nowhere"), "no checkout of JaxGCRL"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, more: tuple, told: str, capsys) -> None:
    assert main(words(tmp_path / "race.json", *more)) != 0
    assert told in capsys.readouterr().err
    assert not (tmp_path / "race.json").exists()


def test_another_method_and_a_lacking_file(capsys: pytest.CaptureFixture[str]) -> None:
    base = ["--official", "x", "--python", sys.executable]
    assert main(["bench", "parity", "gciql", "--env", "reacher", *base]) != 0
    assert "contrastive_rl alone" in capsys.readouterr().err
    assert main(["bench", "parity", "gciql", "--env", "antmaze-large-stitch-v0", *base]) != 0
    assert "--data" in capsys.readouterr().err
    with pytest.raises(Unknown, match="reacher"):
        Race("humanoid")
