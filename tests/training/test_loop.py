"""The loop against the same updates written out, and against a solved problem."""

import json
import subprocess
import sys
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from goalward.protocol import ADAM, Learner, LearnerState, gradient_step, initial_state
from goalward.training.loop import fresh_states, state_shapes, train


@dataclass(frozen=True)
class Regression:
    """Least squares y = w x: a learner whose answer is known."""

    learning_rate: float = 0.1
    tau: float = 0.25
    noise: float = 0.0

    def init(self, key, example):
        params = {"w": jax.random.normal(key, example["x"].shape[1:])}
        return initial_state(params, optax.identity(), self.learning_rate)

    def batch(self, data, key):
        rows = jax.random.randint(key, (8,), 0, len(data["x"]))
        return jax.tree.map(lambda leaf: leaf[rows], data)

    def loss(self, params, state, batch, key):
        error = batch["x"] @ params["w"] - batch["y"]
        error = error + self.noise * jax.random.normal(key, error.shape)
        return jnp.mean(error**2) / 2, {"error": jnp.abs(error).mean()}

    def update(self, state, batch, key):
        return gradient_step(self.loss, state, batch, key, optax.identity(), self.tau)


WEIGHTS = jnp.array([1.0, -2.0, 0.5])


def made() -> dict:
    x = jax.random.normal(jax.random.key(3), (64, 3))
    return {"x": x, "y": x @ WEIGHTS}


@pytest.fixture
def data():
    return made()


def error_of(state: LearnerState) -> dict:
    return {"distance": jnp.linalg.norm(state.params["w"] - WEIGHTS)}


def test_it_solves_least_squares(data) -> None:
    assert isinstance(Regression(), Learner)
    states, history = train(
        Regression(), data, jax.random.key(0), 300, seeds=3, log_every=50, probe=error_of
    )
    np.testing.assert_allclose(states.params["w"], np.tile(WEIGHTS, (3, 1)), atol=1e-3)
    assert history["loss"].shape == history["distance"].shape == (3, 6)
    assert (history["distance"][:, -1] < 1e-3).all()
    assert (states.step == 300).all()


@pytest.mark.parametrize("seeds", [1, 2])
def test_it_is_the_loop_written_out(seeds: int, data) -> None:
    learner, key, steps = Regression(noise=0.5), jax.random.key(7), 6
    states, history = train(learner, data, key, steps, seeds=seeds, log_every=3)
    key_init, key_train = jax.random.split(key)
    for seed in range(seeds):
        key_example, key_params = jax.random.split(jax.random.split(key_init, seeds)[seed])
        state, losses = learner.init(key_params, learner.batch(data, key_example)), []
        for i in range(steps):
            step_key = jax.random.fold_in(jax.random.split(key_train, seeds)[seed], i)
            key_batch, key_update = jax.random.split(step_key)
            state, told = learner.update(state, learner.batch(data, key_batch), key_update)
            losses.append(float(told["loss"]))
        np.testing.assert_allclose(states.params["w"][seed], state.params["w"], rtol=1e-5)
        means = np.reshape(losses, (2, 3)).mean(axis=1)
        np.testing.assert_allclose(history["loss"][seed], means, rtol=1e-5)


def test_a_step_by_hand() -> None:
    state = initial_state({"w": jnp.array([1.0])}, optax.identity(), 0.1)
    batch = {"x": jnp.array([[2.0]]), "y": jnp.array([0.0])}
    state, metrics = Regression().update(state, batch, jax.random.key(0))
    # Loss (2w)²/2 = 2, gradient 4w = 4, so w = 1 - 0.1 * 4 = 0.6, target 0.75 + 0.25 * 0.6.
    assert metrics["loss"] == pytest.approx(2)
    assert state.params["w"][0] == pytest.approx(0.6)
    assert state.target_params["w"][0] == pytest.approx(0.9)


def test_adams_moments_are_kept_from_step_to_step(data) -> None:
    rate, params = 0.05, {"w": jnp.array([1.0, 0.0, -1.0])}
    state, optimiser = initial_state(params, ADAM, rate), optax.adam(rate)
    moments = optimiser.init(params)
    slope = jax.grad(lambda p: Regression().loss(p, state, data, jax.random.key(0))[0])
    for _ in range(5):
        state, _ = gradient_step(Regression().loss, state, data, jax.random.key(0), ADAM)
        change, moments = optimiser.update(slope(params), moments)
        params = optax.apply_updates(params, change)
    np.testing.assert_allclose(state.params["w"], params["w"], rtol=1e-5)


def test_each_seed_learns_from_its_own_data(data) -> None:
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), data, {**data, "y": 3 * data["y"]})
    states, _ = train(Regression(), both, jax.random.key(0), 300, seeds=2, data_axis=0)
    expected = jnp.stack([WEIGHTS, 3 * WEIGHTS])
    np.testing.assert_allclose(states.params["w"], expected, atol=1e-3)


def test_step_sizes_and_data_may_differ_by_seed(data) -> None:
    learner = Regression()
    twice = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), data)
    key = jax.random.key(0)
    states, _ = train(learner, twice, key, 10, seeds=2, data_axis=0)
    rates = jnp.array([0.0, 0.1])
    swept, _ = train(learner, data, key, 10, seeds=2, states=states.replace(learning_rate=rates))
    np.testing.assert_array_equal(swept.params["w"][0], states.params["w"][0])
    assert (swept.params["w"][1] != states.params["w"][1]).any()


def test_same_key_same_result(data) -> None:
    first, _ = train(Regression(), data, jax.random.key(0), 20)
    second, _ = train(Regression(), data, jax.random.key(0), 20)
    np.testing.assert_array_equal(first.params["w"], second.params["w"])


def test_a_cut_run_that_is_continued_is_the_same_run(data) -> None:
    key = jax.random.key(0)
    whole, _ = train(Regression(), data, key, 30, seeds=2, log_every=10)
    states = fresh_states(Regression(), data, key, seeds=2)
    for first, steps in ((0, 20), (20, 10)):
        states, _ = train(
            Regression(), data, key, steps, seeds=2, states=states, first=first, log_every=10
        )
    np.testing.assert_array_equal(states.params["w"], whole.params["w"])
    other, _ = train(Regression(), data, key, 10, seeds=2, states=states, log_every=10)
    again, _ = train(Regression(), data, key, 10, seeds=2, states=states, log_every=10, first=30)
    assert (other.params["w"] != again.params["w"]).any()


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_with_its_seed(data, broken) -> None:
    data = {**data, "y": data["y"].at[0].set(broken)}
    with pytest.raises(FloatingPointError, match=r"seed 0 .* steps 0 to 20 \(nor is its error\)"):
        train(Regression(), data, jax.random.key(0), 20, log_every=20)
    two = jax.tree.map(lambda *leaves: jnp.stack(leaves), made(), data)
    with pytest.raises(FloatingPointError, match="seed 1 "):
        train(Regression(), two, jax.random.key(0), 20, seeds=2, data_axis=0, log_every=20)


def test_steps_must_fill_the_logs(data) -> None:
    with pytest.raises(ValueError, match="multiple of log_every"):
        train(Regression(), data, jax.random.key(0), 10, log_every=3)


def test_progress_is_told_every_step(data) -> None:
    class Bar:
        total, done, closed = None, 0, False

        def update(self, n):
            self.done += n

        def close(self):
            self.closed = True

    bar = Bar()
    train(Regression(), data, jax.random.key(0), 20, log_every=5, progress=bar)
    assert (bar.total, bar.done, bar.closed) == (20, 20, True)


ON_DEVICES = """
import json, sys
sys.path.insert(0, "tests/training")
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
from test_loop import Regression, made
from goalward.training.loop import train
key = jax.random.key(3)
states, history = train(Regression(), made(), key, 6, seeds=4, log_every=3)
assert len(states.params["w"].sharding.device_set) == int(sys.argv[1])
cut, _ = train(Regression(), made(), key, 3, seeds=4, log_every=3)
again, _ = train(Regression(), made(), key, 3, seeds=4, log_every=3, states=cut, first=3)
assert np.array_equal(again.params["w"], states.params["w"])
print(json.dumps([states.params["w"].tolist(), history["loss"].tolist()]))
"""


def test_seeds_are_dealt_out_to_devices() -> None:
    def found(devices: int) -> list:
        asked = [sys.executable, "-c", ON_DEVICES, str(devices)]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    for many, one in zip(found(2), found(1), strict=True):
        np.testing.assert_allclose(many, one, rtol=1e-5)


def test_shapes_are_those_of_fresh_states():
    data = {"x": jnp.arange(6.0).reshape(3, 2), "y": jnp.arange(3.0)}
    states = fresh_states(Regression(), data, jax.random.key(0), seeds=3)
    shapes = state_shapes(Regression(), data, seeds=3)
    described = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(shapes)]
    assert described == [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(states)]
