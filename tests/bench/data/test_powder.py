"""A powder world from end to end: collected, learned from and acted in."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("ogbench")
pytest.importorskip("orbax.checkpoint")
from goalward.bench.data.collect import collect
from goalward.bench.data.names import Unknown, parse
from goalward.bench.offline import presets
from goalward.bench.offline import train as room
from goalward.bench.offline.evaluate import Arena
from goalward.bench.offline.settings import Settings
from goalward.bench.offline.train import Run
from goalward.nets.images import ImpalaEncoder
from goalward.training.loop import fresh_states

NAME = parse("powderworld-easy-play-v0")
SMALL = Settings(
    "gcbc", NAME.text, steps=4, seeds=2, batch=4, width=8, log_every=1, checkpoint_every=2,
    eval_every=4, eval_episodes=1,
)  # fmt: skip


class Bar:
    """In place of tqdm's."""

    total = initial = n = 0

    def reset(self, total: int) -> None:
        """Begin."""

    def update(self, n: int) -> None:
        """Go on."""

    def set_postfix(self, told: dict[str, str]) -> None:
        """Tell."""


def lines(out: Path) -> list[dict]:
    """What was logged, without the times."""
    found = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if "second" not in k} for line in found]


def test_collect_train_stop_go_on_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "Arena", partial(Arena, max_steps=4))
    # A smaller network: less to compile.
    monkeypatch.setattr(presets, "ImpalaEncoder", partial(ImpalaEncoder, (2,)))
    monkeypatch.setattr(presets, "LAYERS", 1)
    data = collect(NAME, tmp_path, 2, 20)[0]
    for out, stops in ((tmp_path / "whole", (4,)), (tmp_path / "parts", (2, 4))):
        for steps in stops:
            settings = Settings(**{**vars(SMALL), "steps": steps, "eval_every": 4})
            run = Run(settings, out, data, say=print)
            run.go(Bar())
    assert run.data.observations.dtype == np.uint8
    assert run.data.actions.dtype == np.int32
    whole, parts = lines(tmp_path / "whole"), lines(tmp_path / "parts")
    assert [line["loss"] for line in whole if "loss" in line] == [
        line["loss"] for line in parts if "loss" in line
    ]
    assert whole[-1] == parts[-1]
    assert np.array(whole[-1]["success"]).shape == (2, 5)
    # The first update's loss, from the fresh policy's logits.
    keys = jax.random.split(jax.random.split(run.key)[1], 2)
    states = fresh_states(run.agent, run.data, run.key, 2)
    for seed, logged in enumerate(whole[0]["loss"]):
        batch = run.agent.batch(run.data, jax.random.split(jax.random.fold_in(keys[seed], 0))[0])
        params = jax.tree.map(lambda leaf, seed=seed: leaf[seed], states.params["actor"])
        logits = np.asarray(run.agent.actor.apply(params, batch.state, batch.actor_goal), float)
        assert logits.shape == (4, 8)
        taken = logits[np.arange(4), np.asarray(batch.action)]
        expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - taken)
        np.testing.assert_allclose(logged, expected, rtol=1e-4)


class Fair:
    """Chooses at random, and the likeliest action is the last one."""

    def act(self, state, observation, goal, carry, key, temperature):
        assert observation.dtype == goal.dtype == jnp.uint8
        logits = jnp.log(jnp.where(jnp.arange(8) == 7, 0.3, 0.1))
        return jax.random.categorical(key, logits / jnp.maximum(temperature, 1e-6)), carry


def test_choices_are_drawn_at_the_benchmarks_temperature() -> None:
    """Fresh draws in each lane and at each step, the same for the same numbers."""
    arena = Arena(NAME, seeds=2, max_steps=30)
    assert (arena.observation, arena.action, arena.workers) == ((32, 32, 6), 8, 1)
    taken: list[int] = []
    for lane in arena.lanes:
        step = lane.step
        lane.step = lambda action, step=step: taken.append(int(action)) or step(action)  # type: ignore
    arena.lanes = arena.lanes[:2]
    arena.shape, arena.tasks = (2, 1), 1
    arena.success(Fair(), jnp.zeros(2), 1, (0,))
    first, taken[:] = taken.copy(), []
    arena.success(Fair(), jnp.zeros(2), 1, (0,))
    assert taken == first
    assert len(first) == 60
    # 3^(1/0.3) = 38.9 times as likely as any other: 85 per cent.
    assert 0.65 < np.mean(np.array(first) == 7) < 0.98
    assert first[::2] != first[1::2]


def test_images_have_batches_of_their_own() -> None:
    assert Settings("gcbc", NAME.text, 1).batch == 256
    assert Settings("gcbc", "scene-play-v0", 1).batch == 1024
    with pytest.raises(Unknown, match="td_infonce has no version for the images of powderworld"):
        Run(Settings("td_infonce", NAME.text, 1), Path("no"), None, print)
