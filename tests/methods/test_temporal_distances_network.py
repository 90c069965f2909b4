"""CMD: both variants' losses and gradients by hand."""

import jax
import numpy as np

from goalward.losses.logistic import all_pairs_nce
from goalward.methods.temporal_distances import CMD
from goalward.nets.action_metric import ActionMetric
from goalward.nets.normalized import NormalizedMLP
from goalward.nets.plain_policies import UnitGaussianPolicy
from goalward.protocol import PLAIN
from offline_oracles import (
    actor_by_hand,
    check_gradient,
    double,
    member,
    metric_distance,
    normalized_mlp,
    plain_update,
    random_batch,
    random_state,
)
from offline_walks import CLIMBER, MLP_WIDTHS, check_it_walks_where_it_is_told

BC = 0.4
BATCH = random_batch(7)


def agent(**settings):
    return CMD(
        actor=UnitGaussianPolicy(2, (6,)),
        critic=ActionMetric(None, NormalizedMLP((5, 8)), components=2, scaled=True),
        gamma=0.8,
        bc=BC,
        transform=PLAIN,
        **settings,
    )


PAPER = agent(potential=NormalizedMLP((4, 1)))
OGBENCH = agent(contrast=all_pairs_nce)


def distance(params, k, x, y):
    return metric_distance(params, k, x, y, 2, scaled=True)


def logits(params, k, batch):
    """Rows and goals; each goal comes with the action of the row before."""
    n = len(batch.reward)
    table = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            there = batch.goal[j], batch.action[(j - 1) % n]
            table[i, j] = -distance(params, k, (batch.state[i], batch.action[i]), there)
            if "potential" in params:
                table[i, j] += normalized_mlp(member(params["potential"], k), batch.goal[j])[0]
    return table


def symmetric(table):
    n, total = len(table), 0.0
    for i in range(n):
        row, column = np.exp(table[i]).sum(), np.exp(table[:, i]).sum()
        total -= (np.log(np.exp(table[i, i]) / row) + np.log(np.exp(table[i, i]) / column)) / 2
    return total / n


def binary(table):
    chance = 1 / (1 + np.exp(-table))
    return -np.log(np.where(np.eye(len(table), dtype=bool), chance, 1 - chance)).mean()


def check(learner, contrast, names):
    state = random_state(learner, BATCH)
    metrics, gradient, _ = plain_update(learner, state, BATCH)
    batch, held = double(BATCH), double(state.params)
    assert set(state.params) == set(names)

    def critic(params):
        return np.mean([contrast(logits(params, k, batch)) for k in (0, 1)])

    def value(params, i, action):
        there = batch.actor_goal[i], batch.action[i - 1]
        return -max(distance(params, k, (batch.state[i], action), there) for k in (0, 1))

    def loss(params, held):
        return critic(params) + actor_by_hand(params, held, batch, BC, value)

    np.testing.assert_allclose(metrics["critic"], critic(held), rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], loss(held, held), rtol=1e-5)
    check_gradient(loss, state.params, gradient, names)


def test_the_papers_variant_by_hand():
    check(PAPER, symmetric, ["actor", "critic", "potential"])


def test_the_benchmarks_variant_by_hand():
    check(OGBENCH, binary, ["actor", "critic"])


def test_one_encoder_reads_both_ends_and_copies_differ():
    params = jax.jit(PAPER.init)(jax.random.key(0), BATCH).params
    assert set(params["critic"]["params"]) == {"action_encoder"}
    kernel = params["critic"]["params"]["action_encoder"]["Dense_0"]["kernel"]
    assert kernel.shape == (2, 5, 5)
    assert (kernel[0] != kernel[1]).any()
    first = params["potential"]["params"]["Dense_0"]["kernel"]
    assert first.shape == (2, 3, 4)
    assert (first[0] != first[1]).any()
    assert (PAPER.value_goals.trajectory, PAPER.value_goals.geometric) == (1.0, True)


def test_it_walks_where_it_is_told():
    agent = CMD(
        **CLIMBER,
        critic=ActionMetric(None, NormalizedMLP(MLP_WIDTHS), 2, scaled=True),
        potential=NormalizedMLP((16, 1)),
    )
    check_it_walks_where_it_is_told(agent)
