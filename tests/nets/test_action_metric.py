"""One metric for states and for states with an action: by hand, and with its far end held."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.nets.action_metric import ActionMetric
from goalward.nets.normalized import NormalizedMLP
from offline_oracles import double, metric_distance

RNG = np.random.default_rng(0)
S, T = (jnp.asarray(RNG.normal(size=(n, 3)), jnp.float32) for n in (4, 5))
A, B = (jnp.asarray(RNG.normal(size=(n, 2)), jnp.float32) for n in (4, 5))


def metric(scaled):
    return ActionMetric(NormalizedMLP((6, 12)), NormalizedMLP((5, 12)), 3, scaled)


@pytest.fixture(scope="module")
def params():
    return jax.jit(metric(False).init)(jax.random.key(1), (S, A), S)


@pytest.mark.parametrize("scaled", [False, True])
def test_all_pairs_of_all_kinds_of_points(params, scaled):
    net, copies = metric(scaled), double({"critic": jax.tree.map(lambda x: x[None], params)})
    every = jax.jit(lambda x, y: net.apply(params, x, y, method="pairwise"))
    kinds = {"s": (S, T), "sa": ((S, A), (T, B))}
    for x, _ in kinds.values():
        for _, y in kinds.values():
            row = lambda z, i: jax.tree.map(lambda leaf: leaf[i], z)  # noqa: E731
            expected = [
                [-metric_distance(copies, 0, row(x, i), row(y, j), 3, scaled) for j in range(5)]
                for i in range(4)
            ]
            np.testing.assert_allclose(every(x, y), expected, rtol=1e-4, atol=1e-5)
            own = net.apply(params, x, jax.tree.map(lambda leaf: leaf[:4], y))
            np.testing.assert_allclose(own, np.diag(expected), rtol=1e-4, atol=1e-5)


def test_held_points_pass_no_gradient_on(params):
    net = metric(False)

    def total(p, hold):
        return net.apply(p, (S, A), T, hold, method="pairwise").sum()

    free, held = (
        jax.jit(jax.grad(total), static_argnums=1)(params, hold) for hold in (False, True)
    )
    assert any(map(np.any, jax.tree.leaves(free["params"]["state_encoder"])))
    assert not any(map(np.any, jax.tree.leaves(held["params"]["state_encoder"])))
    for a, b in zip(
        *(jax.tree.leaves(g["params"]["action_encoder"]) for g in (free, held)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_without_a_state_encoder_points_have_actions():
    net = ActionMetric(None, NormalizedMLP((5, 12)), 3)
    assert set(net.init(jax.random.key(0), (S, A), (S, A))["params"]) == {"action_encoder"}
    with pytest.raises(ValueError, match="each point is a tuple"):
        net.init(jax.random.key(0), (S, A), S)
