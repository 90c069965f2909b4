"""What losses leave free, by enumeration and closed forms; the mixture against single agents."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data.goals import HindsightTransitions
from goalward.data.trajectories import from_trajectories
from goalward.losses import contrastive, logistic, preferences
from goalward.methods import jaxgcrl
from goalward.methods.contrastive_rl import ContrastiveRL
from goalward.nets.energies import COSINE, DOT, L2, EnergyCritic
from goalward.nets.mlp import MLP
from goalward.nets.policies import TanhGaussianPolicy

RNG = np.random.default_rng(0)
M = RNG.dirichlet(np.full(4, 3.0), size=6)
P = M.mean(axis=0)
RATIO = M / P
MINIBATCH = {
    "forward": contrastive.info_nce,
    "backward": lambda F: contrastive.info_nce(F, axis=0),
    "symmetric": contrastive.symmetric_info_nce,
    "logistic": logistic.all_pairs_nce,
    "DPO": preferences.dpo,
    "IPO": preferences.ipo,
    "SPPO": preferences.sppo,
    "FB": preferences.forward_backward,
}
ROWS, COLUMNS = RNG.normal(size=(6, 1)), RNG.normal(size=(1, 4))
B = 128.0


def logits(seed):
    return np.random.default_rng(seed).normal(size=M.shape)


def slope(name, F, batch=B):
    loss = jaxgcrl.POPULATION[name]
    return np.array(jax.grad(lambda F: loss(F, jnp.array(M), batch))(jnp.array(F)))


@pytest.mark.parametrize("name", ["logistic", "DPO", "IPO", "SPPO", "FB"])
def test_the_mean_over_all_batches_of_two_up_to_a_constant(name):
    pairs = list(itertools.product(range(6), range(4)))
    batches = np.array(list(itertools.product(pairs, pairs)))  # (batch, row, (anchor, goal))
    anchor, goal = batches[..., 0], batches[..., 1]
    weight = (M / 6)[anchor, goal].prod(axis=1)

    def enumerated(F):
        table = jnp.array(F[anchor[:, :, None], goal[:, None, :]])
        return float((weight * np.array(jax.vmap(MINIBATCH[name])(table))).sum())

    def population(F):
        return float(jaxgcrl.POPULATION[name](jnp.array(F), jnp.array(M), 2.0))

    difference = enumerated(logits(1)) - enumerated(logits(2))
    np.testing.assert_allclose(population(logits(1)) - population(logits(2)), difference, rtol=1e-4)


@pytest.mark.parametrize("name", ["forward", "backward", "symmetric"])
def test_the_limit_of_large_batches(name):
    rng, size = np.random.default_rng(3), 512
    pairs = rng.choice(24, size=(60, size), p=(M / 6).ravel())
    F = logits(1)
    table = jnp.array(F[(pairs // 4)[:, :, None], (pairs % 4)[:, None, :]])
    slow = np.array(jax.vmap(MINIBATCH[name])(table)).mean()
    fast = jaxgcrl.POPULATION[name](jnp.array(F), jnp.array(M), float(size))
    np.testing.assert_allclose(fast, slow, atol=0.02)


@pytest.mark.parametrize(
    ("name", "optimum"),
    [
        ("forward", np.log(RATIO) + ROWS),
        ("backward", np.log(RATIO) + COLUMNS),
        ("symmetric", np.log(RATIO) + 0.7),
        ("logistic", np.log(RATIO) - np.log(B - 1)),
        ("DPO", np.log(RATIO) + ROWS),
        ("SPPO", (RATIO - (1 - 1 / B)) / (RATIO + (1 - 1 / B))),
        ("FB", RATIO),
    ],
)
def test_the_optimum_and_what_it_leaves_free(name, optimum):
    np.testing.assert_allclose(slope(name, optimum), 0.0, atol=1e-6)
    for free, tilt in (("rows", ROWS), ("columns", COLUMNS), ("constant", 0.7)):
        stays = np.abs(slope(name, optimum + tilt)).max() < 1e-6
        allowed = {"rows": ("forward", "DPO"), "columns": ("backward",)}.get(
            free, ("forward", "backward", "symmetric", "DPO")
        )
        assert stays == (name in allowed)


@pytest.mark.parametrize("name", ["forward", "DPO", "IPO"])
def test_the_rows_of_the_gradient_sum_to_zero_without_the_penalty(name):
    np.testing.assert_allclose(slope(name, logits(1)).sum(axis=1), 0.0, atol=1e-6)


def test_descent_keeps_the_tilt_of_forward_and_the_penalty_removes_it():
    starts = jnp.array(np.stack([np.broadcast_to(2 * ROWS, M.shape)] * 2), jnp.float32)
    F = np.array(
        jaxgcrl.descend(
            "forward", jnp.array(M, jnp.float32), starts, jnp.array([0.0, 0.1]), steps=2000
        )
    )
    # Adam rescales each entry, so a row's mean drifts a little; the tilt stays.
    assert jaxgcrl.unexplained(F[0] - np.log(RATIO), M > 0, "rows") < 0.02
    assert np.corrcoef(F[0].mean(axis=1), ROWS[:, 0])[0, 1] > 0.9
    assert jaxgcrl.offsets(F[0] - np.log(RATIO), M > 0, axis=1).std() > 1
    np.testing.assert_allclose(F[1], np.log(RATIO) - np.log(B), atol=0.02)
    partition = jaxgcrl.log_partition(jnp.array(F[1]), jnp.array(M), B)
    np.testing.assert_allclose(partition, 0.0, atol=0.01)


def test_greedy_accuracy_counts_ties_and_leaves_the_own_state_out():
    occupancy = np.random.default_rng(1).integers(1, 3, size=(5, 3, 5)).astype(float)
    F = np.random.default_rng(2).normal(size=(5, 3, 5))
    right = [
        occupancy[s, F[s, :, g].argmax(), g] == occupancy[s, :, g].max()
        for s in range(5)
        for g in range(5)
        if g != s
    ]
    assert jaxgcrl.greedy_accuracy(F, occupancy) == pytest.approx(np.mean(right))


@pytest.mark.parametrize("free", ["rows", "columns", "constant", "nothing"])
def test_what_is_free_is_removed_and_nothing_else(free):
    known = np.random.default_rng(3).uniform(size=M.shape) < 0.7
    tilts = {"rows": ROWS, "columns": COLUMNS, "constant": 0.7, "nothing": 0.0}
    noise = logits(4)
    told = jaxgcrl.unexplained(noise + tilts[free], known, free)
    assert told == pytest.approx(jaxgcrl.unexplained(noise, known, free))
    if free == "nothing":
        assert told == pytest.approx(np.sqrt((noise[known] ** 2).mean()))
    else:
        assert jaxgcrl.unexplained(tilts[free] * np.ones(M.shape), known, free) < 1e-9
        assert told < np.sqrt((noise[known] ** 2).mean())
    by_hand = [noise[i][known[i]].mean() for i in range(6)]
    np.testing.assert_allclose(jaxgcrl.offsets(noise, known, axis=1), by_hand)
    with pytest.raises(ValueError, match="free is"):
        jaxgcrl.unexplained(noise, known, "all")


COMMON = {
    "gamma": 0.9, "actor": TanhGaussianPolicy(2, (8,)), "batch_size": 6, "bc": 0.0,
    "random_goals": 0.0, "target_entropy": -1.0,
}  # fmt: skip
ENCODERS = (MLP((8, 3)), MLP((8, 3)))
MIXED = jaxgcrl.MixedContrastiveRL(critic=EnergyCritic(*ENCODERS), **COMMON)
INITIAL = jax.jit(MIXED.init)
GRADED = jax.jit(jax.value_and_grad(MIXED.loss, has_aux=True))
ROWS_OF_DATA = HindsightTransitions(
    *(jnp.array(np.random.default_rng(k).normal(size=(6, 2)), jnp.float32) for k in range(5))
)


def mixture(energy, losses, penalty):
    return jaxgcrl.Mixture(
        jax.nn.one_hot(energy, 3), jnp.array(losses, jnp.float32), jnp.array(penalty, jnp.float32)
    )


@pytest.mark.parametrize(
    ("number", "energy", "losses", "contrast", "penalty"),
    [
        (0, L2, (0.5, 0.5), contrastive.symmetric_info_nce, 0.1),
        (1, DOT, (1, 0), contrastive.info_nce, 0.0),
        (2, COSINE, (0, 1), MINIBATCH["backward"], 0.3),
    ],
)
def test_a_pure_mixture_is_the_single_agent(number, energy, losses, contrast, penalty):
    single = ContrastiveRL(
        critic=EnergyCritic(*ENCODERS, energy=energy), contrast=contrast,
        partition_penalty=penalty, **COMMON,
    )  # fmt: skip
    pure, key = mixture(number, losses, penalty), jax.random.key(1)
    state = INITIAL(jax.random.key(0), (pure, ROWS_OF_DATA))
    alone = jax.jit(single.init)(jax.random.key(0), ROWS_OF_DATA)
    jax.tree.map(np.testing.assert_array_equal, state.params, alone.params)
    found = GRADED(state.params, state, (pure, ROWS_OF_DATA), key)
    wanted = jax.jit(jax.value_and_grad(single.loss, has_aux=True))(
        alone.params, alone, ROWS_OF_DATA, key
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5), found, wanted)


def test_weights_mix_and_the_mixture_travels_with_the_batch():
    ends, halves = [mixture(0, (1, 0), 0.0), mixture(0, (0, 1), 0.0)], mixture(0, (0.5, 0.5), 0.0)
    state, key = INITIAL(jax.random.key(0), (halves, ROWS_OF_DATA)), jax.random.key(1)
    value = lambda mix: float(GRADED(state.params, state, (mix, ROWS_OF_DATA), key)[0][0])  # noqa: E731
    assert value(halves) == pytest.approx(np.mean([value(end) for end in ends]), rel=1e-5)
    walks = from_trajectories(jnp.zeros((3, 5, 2)), jnp.zeros((3, 5, 2)))
    mix, rows = MIXED.batch((halves, walks), key)
    assert mix is halves
    assert rows.state.shape == (6, 2)
