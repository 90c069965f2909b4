"""Presets: the benchmark's settings, and that each method trains in the one loop."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.bench.data.names import NAMES, Name, Unknown, parse
from goalward.bench.offline.presets import (
    METHODS,
    Options,
    learner,
)
from goalward.bench.offline.tuning import actor_goals, gamma, imitation, own_batch, zeta
from goalward.data.trajectories import from_trajectories
from goalward.losses.logistic import all_pairs_nce
from goalward.methods.hiql import HIQL
from goalward.protocol import Agent

NAVIGATE = parse("pointmaze-medium-navigate-v0")
POWDER = "powderworld-easy-play-v0"
READ_IMAGES = ("gcbc", "gcivl", "gciql", "hiql", "qrl", "contrastive_rl")


CASES = [
    *((method, "pointmaze-medium-navigate-v0", None) for method in METHODS),
    *((m, text, None) for m in READ_IMAGES for text in ("visual-cube-single-play-v0", POWDER)),
    *((m, "visual-cube-single-play-v0", "awr") for m in ("gciql", "qrl", "contrastive_rl")),
]


@pytest.mark.parametrize(("method", "text", "extraction"), CASES)
def test_a_method_trains_and_acts(method: str, text: str, extraction: str | None) -> None:
    """Traced, not compiled: an update keeps the state's shapes, and actions have the data's."""
    name, seen = parse(text), (8, 8, 6) if parse(text).images else (3,)
    kind = jnp.uint8 if name.images else jnp.float32
    actions = jnp.zeros((4, 11), jnp.int32) if name.discrete else jnp.zeros((4, 11, 2))
    rows = from_trajectories(jnp.zeros((4, 11, *seen), kind), actions)
    options = Options(2, 16, 16, 1e-3, extraction)
    agent = learner(method, name, options)
    assert isinstance(agent, Agent)
    assert agent == learner(method, name, options)
    assert hash(agent) == hash(learner(method, name, options))
    key = jax.random.key(0)

    def begin():
        return agent.init(key, agent.batch(rows, key))

    def update(state):
        return agent.update(state, agent.batch(rows, key), key)

    def act(state):
        return agent.act(state, jnp.zeros(seen, kind), jnp.ones(seen, kind), (), key, 0.0)[0]

    state = jax.eval_shape(begin)
    after, metrics = jax.eval_shape(update, state)
    assert [(x.shape, x.dtype) for x in jax.tree.leaves(state)] == [
        (x.shape, x.dtype) for x in jax.tree.leaves(after)
    ]
    assert jax.tree.structure(state) == jax.tree.structure(after)
    assert metrics["loss"].shape == ()
    action = jax.eval_shape(act, state)
    assert action.shape == (() if name.discrete else (2,))
    assert jnp.issubdtype(action.dtype, jnp.integer) == name.discrete


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("pointmaze-large-stitch-v0", (0.003, 0.0003, 0.03)),
        ("antmaze-large-navigate-v0", (0.3, 0.003, 0.1)),
        ("antmaze-medium-explore-v0", (0.01, 0.001, 0.003)),
        ("humanoidmaze-medium-stitch-v0", (0.1, 0.001, 0.1)),
        ("antsoccer-arena-stitch-v0", (0.1, 0.003, 0.3)),
        ("cube-double-play-v0", (1.0, 0.3, 3.0)),
        ("puzzle-4x4-noisy-v0", (0.03, 0.03, 0.1)),
    ],
)
def test_weights_of_imitation(text: str, weights: tuple[float, ...]) -> None:
    """As the benchmark's authors list them, command by command."""
    methods = ("gciql", "qrl", "contrastive_rl")
    assert tuple(imitation(method, parse(text)) for method in methods) == weights
    assert tuple(learner(m, parse(text), Options(2)).bc for m in methods) == weights


@pytest.mark.parametrize(
    ("text", "sharpness", "steps"),
    [
        ("pointmaze-giant-stitch-v0", 3.0, 25),
        ("antmaze-medium-explore-v0", 10.0, 25),
        ("antsoccer-arena-navigate-v0", 3.0, 25),
        ("humanoidmaze-large-stitch-v0", 3.0, 100),
        ("cube-double-play-v0", 3.0, 10),
        ("scene-noisy-v0", 3.0, 10),
        ("puzzle-4x5-noisy-v0", 3.0, 10),
    ],
)
def test_how_far_subgoals_lie(text: str, sharpness: float, steps: int) -> None:
    """As the benchmark's authors list them, command by command."""
    agent = learner("hiql", parse(text), Options(2))
    assert isinstance(agent, HIQL)
    assert (agent.sharpness, agent.high_sharpness) == (sharpness, sharpness)
    assert (agent.subgoal_steps, agent.kappa, agent.tau) == (steps, 0.7, 0.005)
    assert agent.representation.widths == (512, 512, 512, 10)


def test_every_data_set_has_settings() -> None:
    for name in NAMES.values():
        for method in METHODS:
            if name.images and method not in READ_IMAGES:
                with pytest.raises(Unknown, match=f"{method} has no version for the images of "):
                    learner(method, name, Options(2))
                continue
            agent = learner(method, name, Options(2))
            # SHARSA's authors look further than the benchmark's.
            assert agent.gamma == (0.999 if method == "sharsa" else gamma(name))
            assert agent.batch_size == 1024
        assert own_batch(name, "qrl") == (256 if name.images else 1024)


def test_images_and_choices() -> None:
    """As the benchmark's authors list them: crops of hands, and imitation where one chooses."""
    for text, pad in (("visual-puzzle-4x5-play-v0", 3), ("visual-scene-noisy-v0", 3)):
        agent = learner("gciql", parse(text), Options(5))
        assert (agent.crop.pad, agent.crop.probability, agent.sharpness) == (pad, 0.5, None)
        assert agent.bc == imitation("gciql", parse(text.removeprefix("visual-")))
    for text in ("visual-antmaze-medium-stitch-v0", "scene-play-v0", POWDER):
        assert learner("gciql", parse(text), Options(5)).crop is None
    for method in ("gcivl", "gciql", "hiql", "qrl", "contrastive_rl"):
        assert learner(method, parse(POWDER), Options(8)).sharpness == 3
    hierarchy = learner("hiql", parse(POWDER), Options(8))
    assert (hierarchy.high_sharpness, hierarchy.subgoal_steps) == (3, 10)
    assert hierarchy.low_level_represents
    assert not learner("hiql", NAVIGATE, Options(2)).low_level_represents
    assert learner("gcivl", parse("visual-scene-play-v0"), Options(5)).sharpness == 10


def test_a_chosen_extraction() -> None:
    imitating = Options(2, 8, extraction="awr")
    for method in ("gciql", "qrl", "contrastive_rl"):
        assert learner(method, NAVIGATE, imitating).sharpness == 3
        climbing = learner(method, NAVIGATE, Options(2, 8, extraction="ddpg_bc", alpha=0.5))
        assert (climbing.bc, climbing.sharpness) == (0.5, None)
        assert learner(method, NAVIGATE, Options(2, 8, alpha=0.5)) == climbing
        sharp = learner(method, NAVIGATE, Options(2, 8, extraction="awr", alpha=0.0))
        assert sharp.sharpness == 0
    assert learner("qrl", NAVIGATE, imitating).dynamics is None
    assert learner("contrastive_rl", NAVIGATE, imitating).state_critic is not None
    assert learner("gcivl", NAVIGATE, Options(2, alpha=4.0)).sharpness == 4
    both = learner("hiql", NAVIGATE, Options(2, extraction="awr", alpha=4.0))
    assert (both.sharpness, both.high_sharpness) == (4, 4)
    for method in ("td_infonce", "c_learning", "stable_contrastive_rl"):
        assert learner(method, NAVIGATE, Options(2, 8, alpha=0.5)).bc == 0.5


@pytest.mark.parametrize(
    ("method", "name", "asked", "told"),
    [
        ("gciql", NAVIGATE, {"extraction": "sac"}, "no extraction is called 'sac'; there are ddpg"),
        ("gcbc", NAVIGATE, {"extraction": "awr"}, "leave out --extraction and --alpha"),
        ("gcbc", NAVIGATE, {"alpha": 1.0}, "leave out --extraction and --alpha"),
        ("gcivl", NAVIGATE, {"extraction": "ddpg_bc"}, "'ddpg_bc': take awr"),
        ("td_infonce", NAVIGATE, {"extraction": "awr"}, "'awr': take ddpg_bc"),
        ("gciql", parse(POWDER), {"extraction": "ddpg_bc"}, "are choices, .*: take awr"),
        ("gciql", NAVIGATE, {"alpha": -1.0}, "--alpha must be at least 0, not -1.0"),
        ("gciql", NAVIGATE, {"alpha": float("nan")}, "--alpha must be at least 0, not nan"),
    ],
)
def test_extractions_that_are_not_there(
    method: str, name: Name, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(Unknown, match=told):
        learner(method, name, Options(2, 8, **asked))


def test_quasimetrics_have_their_authors_numbers() -> None:
    name = parse("antmaze-large-stitch-v0")
    cmd, tmd, mqe = (learner(m, name, Options(8)) for m in ("temporal_distances", "tmd", "mqe"))
    for agent, scaled, states in ((cmd, True, False), (tmd, False, True), (mqe, True, True)):
        metric = agent.critic
        assert (metric.components, metric.scaled, agent.ensemble) == (8, scaled, 2)
        assert (metric.state_encoder is not None) == states
        assert metric.action_encoder.widths == (512,) * 4
        goals = agent.value_goals
        assert (goals.trajectory, goals.geometric, agent.tail) == (1.0, True, "clip")
    assert cmd.potential is None
    assert cmd.contrast is all_pairs_nce
    assert (tmd.action_weight, tmd.hold_goals, tmd.linear_beyond, tmd.diagonal) == (
        1,
        False,
        3,
        0.5,
    )
    assert tmd.temperature == 512**0.5
    assert learner("tmd", name, Options(8, 64)).temperature == 8
    assert (mqe.lam, mqe.single, mqe.linear_beyond, mqe.diagonal) == (0.95, 0.2, 5, 0.5)
    assert not mqe.in_probability
    assert [agent.bc for agent in (cmd, tmd, mqe)] == [0.1, 0.1, 0.1]
    soccer = parse("antsoccer-arena-stitch-v0")
    assert [learner(m, soccer, Options(8)).bc for m in ("tmd", "mqe")] == [0.3, 0.1]
    sizes = {
        "pointmaze-medium-stitch-v0": 0.01,
        "antmaze-giant-stitch-v0": 0.1,
        "scene-play-v0": 0.1,
    }
    for text, weight in sizes.items():
        assert learner("tmd", parse(text), Options(8)).zeta == zeta(parse(text)) == weight
    assert [own_batch(name, m) for m in ("temporal_distances", "tmd", "mqe")] == [1024, 512, 256]
    for method in ("temporal_distances", "tmd", "mqe"):
        with pytest.raises(Unknown, match=f"{method} takes a --width that 16 divides, not 24"):
            learner(method, name, Options(8, 24))


def test_horizons_and_goals() -> None:
    assert gamma(NAVIGATE) == 0.99
    assert gamma(parse("antmaze-giant-stitch-v0")) == 0.995
    assert gamma(parse("humanoidmaze-medium-navigate-v0")) == 0.995
    assert actor_goals(NAVIGATE).trajectory == 1
    stitch = actor_goals(parse("antmaze-large-stitch-v0"))
    assert (stitch.trajectory, stitch.random, stitch.geometric) == (0.5, 0.5, False)
    assert actor_goals(parse("antmaze-large-explore-v0")).random == 1
    # Cloning is told futures alone, whatever the data.
    for text in ("antmaze-large-stitch-v0", "antmaze-large-explore-v0"):
        assert learner("gcbc", parse(text), Options(2)).actor_goals.trajectory == 1
    contrastive = learner("contrastive_rl", parse("antmaze-large-stitch-v0"), Options(2))
    assert contrastive.value_goals.trajectory == 1
    assert contrastive.value_goals.geometric
    assert contrastive.ensemble == 2


def test_the_contrastive_critic_counts_all_pairs_alike() -> None:
    """Mean cross entropy over the whole table, as the benchmark's critic has it."""
    rng = np.random.default_rng(0)
    rows = from_trajectories(*(rng.normal(size=(4, 11, d)).astype(np.float32) for d in (3, 2)))
    agent = learner("contrastive_rl", NAVIGATE, Options(2, 8, 16, 1e-3))
    key = jax.random.key(0)

    @jax.jit
    def both():
        batch = agent.batch(rows, key)
        state = agent.init(key, batch)
        there = batch.state, batch.action, batch.goal
        logits = agent.scores(state.params, *there, "pairwise")
        return logits, agent.critic_loss(state.params, state, batch, key)

    logits, loss = both()
    own = 1 / (1 + np.exp(-np.asarray(logits, float)))
    by_hand = -np.where(np.eye(16, dtype=bool), np.log(own), np.log(1 - own)).mean()
    np.testing.assert_allclose(float(loss), by_hand, rtol=1e-5)


def test_unknown_methods_and_widths() -> None:
    with pytest.raises(Unknown, match=r"no method is called 'sac': did you mean sharsa\?"):
        learner("sac", NAVIGATE, Options(2))
    with pytest.raises(Unknown, match="a --width that 8 divides, not 12"):
        learner("qrl", NAVIGATE, Options(2, 12))
