"""A cloned flow: flow matching, then Euler's method; it keeps two ways apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines.flow_bc import FlowBC
from goalward.losses.flow import flow_matching
from goalward.nets.flow import VelocityField
from goalward.training.loop import train
from states import only_seed

CLONER = FlowBC(VelocityField((32, 32)), learning_rate=5e-3, flow_steps=3)


def two_ways(count):
    """Told -1 or 1, the data are near 3 or, as often, near -3, times what is told."""
    rng = np.random.default_rng(0)
    told = rng.choice([-1.0, 1.0], size=(count, 1))
    side = rng.choice([3.0, 1.0], size=(count, 1))
    return jnp.asarray(told, jnp.float32), jnp.asarray(told * side, jnp.float32)


def test_rows_stay_together_and_the_loss_is_that_of_the_field():
    data = two_ways(500)
    told, x = CLONER.batch(data, jax.random.key(0))
    assert x.shape == (256, 1)
    assert len(np.unique(np.asarray(x))) == 4
    assert np.all(np.asarray(x / told) > 0)
    state = CLONER.init(jax.random.key(1), (told, x))
    key = jax.random.key(2)
    field = lambda y, t: CLONER.field.apply(state.params, told, y, t)  # noqa: E731
    loss, _ = CLONER.loss(state.params, state, (told, x), key)
    assert float(loss) == pytest.approx(float(flow_matching(field, x, key)), rel=1e-5)
    y = x
    for k in range(3):
        y = y + field(y, jnp.full_like(y, k / 3)) / 3
    np.testing.assert_allclose(CLONER.sample(state.params, told, x), y, atol=1e-5)


def test_it_learns_what_is_told_and_both_ways():
    state, _ = train(CLONER, two_ways(2000), jax.random.key(0), 500)
    params = only_seed(state.params)
    sampler = FlowBC(CLONER.field, flow_steps=20)
    noise = jax.random.normal(jax.random.key(1), (2000, 1))
    for told in (-1.0, 1.0):
        x = np.asarray(sampler.sample(params, jnp.full((2000, 1), told), noise)) * told
        near = [np.abs(x - place) < 0.4 for place in (1, 3)]
        assert np.mean(near[0] | near[1]) > 0.85
        assert 0.35 < np.mean(near[0]) < 0.65
