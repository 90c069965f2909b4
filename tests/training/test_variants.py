"""Several learners in one loop do what each does alone."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.protocol import ADAM, Learner, gradient_step, initial_state
from goalward.training.loop import train
from goalward.training.variants import OneOf


@dataclass(frozen=True)
class Towards:
    """Pulls one number towards a constant, by the square or by the absolute distance."""

    aim: float
    square: bool = True

    def init(self, key, example):
        return initial_state({"x": jax.random.normal(key, ())}, ADAM, 0.1)

    def batch(self, data, key):
        return data + 0.1 * jax.random.normal(key, (4,))

    def loss(self, params, state, batch, key):
        distance = params["x"] - self.aim * batch
        error = jnp.mean(distance**2 if self.square else jnp.abs(distance))
        return error + 0.01 * jax.random.normal(key, ()), {"distance": distance.mean()}

    def update(self, state, batch, key):
        return gradient_step(self.loss, state, batch, key, ADAM, 0.5)


ALONE = Towards(1.0), Towards(-2.0), Towards(3.0, square=False)
TOGETHER = OneOf(ALONE, tau=0.5)


def run(learner, data, axis, **options):
    return train(learner, data, jax.random.key(0), 20, seeds=3, data_axis=axis, **options)


@pytest.mark.parametrize("which", range(3))
def test_each_learner_is_the_same_as_alone(which):
    data = jnp.array([1.0, 2.0, 3.0])
    alone, history = run(ALONE[which], data, 0)
    state, together = run(TOGETHER, (jnp.asarray(which), data), (None, 0))
    assert isinstance(TOGETHER, Learner)
    for one, other in zip(jax.tree.leaves(alone), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    np.testing.assert_allclose(history["loss"], together["loss"], rtol=1e-4)


def test_each_seed_may_be_another_learner():
    data, fresh = jnp.ones(3), run(ALONE[0], jnp.ones(3), 0)[0]
    mixed, _ = run(TOGETHER, (jnp.array([0, 2, 1]), data), (0, 0), states=fresh)
    for seed, which in enumerate([0, 2, 1]):
        same, _ = run(TOGETHER, (jnp.asarray(which), data), (None, 0), states=fresh)
        assert float(mixed.params["x"][seed]) == pytest.approx(float(same.params["x"][seed]), 1e-5)


def test_another_learner_compiles_nothing(monkeypatch):
    calls = []
    learner = OneOf((*ALONE[:2],), tau=0.25)
    compiled = Towards.loss
    monkeypatch.setattr(Towards, "loss", lambda *a: calls.append(1) or compiled(*a))
    run(learner, (jnp.asarray(0), jnp.ones(3)), (None, 0))
    traced = len(calls)
    run(learner, (jnp.asarray(1), jnp.ones(3)), (None, 0))
    assert len(calls) == traced
