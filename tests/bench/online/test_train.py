"""Runs that learn while acting: that killing changes nothing, and what they leave."""

import asyncio
import json
import random
import shutil
import subprocess
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

pytest.importorskip("orbax.checkpoint")
pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.online import memory
from goalward.bench.online import train as room
from goalward.bench.online.settings import OnlineSettings
from goalward.bench.online.train import Run
from goalward.bench.runs.checkpoints import Checkpoints

SMALL = OnlineSettings(
    "contrastive_rl", "point-maze", steps=800, seeds=2, envs=4, unroll=25, updates=3, batch=16,
    width=8, depth=1, capacity=300, eval_every=200, eval_episodes=8, checkpoint_every=100,
)  # fmt: skip

DRIVER = """
import os, random, signal, sys, time
from pathlib import Path
from tqdm import tqdm
from goalward.bench.online import train as room

out, kills, compiled = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
rng = random.Random(0)
metrics = out / "metrics.jsonl"
logs = lambda: metrics.read_bytes().count(b"\\n") if metrics.exists() else 0
while True:
    child = os.fork()
    if not child:
        room.jax.config.update("jax_compilation_cache_dir", compiled)
        room.jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        room.Run(room.OnlineSettings({settings}), out, lambda line: print(line, flush=True)).go(
            tqdm(disable=True)
        )
        os._exit(0)
    if kills:
        kills -= 1
        before, wait = logs(), rng.randint(1, 2)
        while logs() < before + wait and not os.waitid(
            os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
        ):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if status == 0:
        sys.exit(0)
    if not os.WIFSIGNALED(status):
        sys.exit(f"a child failed with {{status}}")
    print("killed", flush=True)
"""


class Bar:
    """In place of tqdm's."""

    def __init__(self) -> None:
        self.total, self.initial, self.n, self.told = 0, 0, 0, {}

    def reset(self, total: int) -> None:
        self.total, self.n = total, 0

    def update(self, n: int) -> None:
        self.n += n

    def set_postfix(self, told: dict[str, str]) -> None:
        self.told = told


def run(out: Path, said: list[str] | None = None, bar: Bar | None = None, **changes) -> Run:
    """A run to its end."""
    made = Run(replace(SMALL, **changes), out, (said if said is not None else []).append)
    made.go(bar or Bar())
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("online") / "whole"
    run(out)
    return out


def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


TIMES = ("seconds", "updates_per_second", "env_steps_per_second", "compile_seconds")


def metrics(out: Path) -> list[dict]:
    """The lines, without the times."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


def final_states(out: Path, step: int = 800, **changes):
    made = Run(replace(SMALL, **changes), out, print)
    found, states = made.read(Checkpoints(out / "checkpoints", 2, print))
    assert found == step
    return states


def same(a, b) -> bool:
    return all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def test_a_run_leaves_a_folder_that_says_all(whole: Path) -> None:
    lines = metrics(whole)
    logs = [line for line in lines if "loss" in line]
    evaluations = [line for line in lines if "success_any" in line]
    assert [line["step"] for line in logs] == list(range(100, 900, 100))
    assert [line["step"] for line in evaluations] == [200, 400, 600, 800]
    assert {len(line[k]) for line in lines for k in line if k != "step"} == {2}
    assert logs[3]["env_steps"] == [400, 400]
    assert logs[4]["env_steps"] == [496, 496]  # each environment's first reset
    assert logs[-1]["broken"] == [0, 0]
    assert sorted(p.name for p in (whole / "checkpoints").iterdir()) == ["700", "800"]
    config = json.loads((whole / "config.json").read_text())
    assert config.items() >= {"method": "contrastive_rl", "env": "point-maze", "envs": 4}.items()
    assert "PointMaze" in config["environment"]
    assert " at 0x" not in config["learner"]
    reader = EventAccumulator(str(whole / "tensorboard" / "seed1")).Reload()
    points = [(p.step, p.value) for p in reader.Scalars("success/time near goal")]
    wanted = [(line["step"], line["time_near_goal"][1]) for line in evaluations]
    np.testing.assert_allclose(points, wanted, rtol=1e-6)


def test_speeds_leave_compilation_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with room.compiling() as found:
        double = jax.jit(lambda x: x + x)
        double(1.0)
        count = len(found)
        double(2.0)
    assert (count > 0, len(found)) == (True, count)
    told = iter([[1.5, 0.25], [], []])
    monkeypatch.setattr(room, "compiling", lambda: nullcontext(next(told)))
    run(tmp_path / "run", steps=300)
    lines = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text().splitlines())
    first, _, last = (line for line in lines if "loss" in line)
    assert first["compile_seconds"] == 1.75
    assert "env_steps_per_second" not in first
    ratio = last["env_steps_per_second"] / last["updates_per_second"]
    assert ratio == pytest.approx(100 / 3, rel=1e-2)


def test_it_is_the_one_loop(whole: Path) -> None:
    made = Run(SMALL, whole, print)
    states, _ = room.train(made.agent, made.env, made.sizes, made.key, 8, seeds=2)
    assert same(states, final_states(whole))
    told = room.GoalReaching(made.env, made.agent, 8, seed=0)
    found = room.evaluated(told, states.learner)
    for name in room.MEASURED:
        assert found[name].tolist() == metrics(whole)[-1][name]


def test_how_often_one_looks_changes_no_bit(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", eval_every=800, checkpoint_every=800)
    assert same(final_states(tmp_path / "run"), final_states(whole))


class Killed(BaseException):
    """What `FileOperations` raises."""


class FileOperations:
    """Counts what the main thread does to files below a folder; from a certain one on it fails.

    Not within the event loops of the checkpoints' storage, which no exception stops as a kill does.
    """

    EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.move")

    def __init__(self) -> None:
        self.folder, self.left = "", None
        sys.addaudithook(self._see)

    def _see(self, event: str, told: tuple) -> None:
        if not self.folder or event not in self.EVENTS:
            return
        if threading.current_thread() is not threading.main_thread() or _in_a_loop():
            return
        if any(str(part).startswith(self.folder) for part in told if not isinstance(part, int)):
            if self.left <= 0:
                raise Killed
            self.left -= 1


def _in_a_loop() -> bool:
    try:
        return asyncio.get_running_loop() is not None
    except RuntimeError:
        return False


@pytest.fixture(scope="module")
def operations() -> FileOperations:
    return FileOperations()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files left open
def test_stopped_within_any_file_operation_it_ends_with_the_same_bits(
    whole: Path, tmp_path: Path, operations: FileOperations
) -> None:
    rng, stops = random.Random(0), 0
    wanted, lines = final_states(whole), metrics(whole)
    while stops < 20:
        out, begun = tmp_path / str(stops), stops
        for _ in range(100):
            operations.folder, operations.left = str(out), rng.randint(1, 60)
            try:
                run(out)
            except Killed:
                stops += 1
            else:
                break
            finally:
                operations.folder = ""
            if stops == 20:
                run(out)
                break
        assert stops > begun
        assert metrics(out) == lines
        assert same(final_states(out), wanted)


def test_killed_at_any_moment_it_ends_with_the_same_bits(
    whole: Path, tmp_path: Path, compiled: Path
) -> None:
    settings = ", ".join(f"{k}={v!r}" for k, v in vars(SMALL).items())
    done = subprocess.run(
        [sys.executable, "-c", DRIVER.format(settings=settings), tmp_path / "run", "3", compiled],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("killed") >= 2
    assert "going on from the checkpoint of step" in done.stdout
    assert metrics(tmp_path / "run") == metrics(whole)
    assert same(final_states(tmp_path / "run"), final_states(whole))


def test_light_checkpoints_fill_the_buffer_again(whole: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "run", []
    made = run(out, steps=500, light_checkpoints=True)
    full = sum(p.stat().st_size for p in (whole / "checkpoints/800").rglob("*"))
    light = sum(p.stat().st_size for p in (out / "checkpoints/500").rglob("*"))
    assert light < full
    kept = final_states(out, 500, light_checkpoints=True)
    assert same(kept.learner.params, made_states(made, 5).learner.params)
    run(out, said, steps=600, light_checkpoints=True)
    assert said[2] == "going on from the checkpoint of step 500"
    assert said[3].startswith("the checkpoint is light: 300 steps are made without learning")
    again = Run(replace(SMALL, steps=500, light_checkpoints=True), out, print)
    empty = room.fresh_states(made.agent, made.env, made.sizes, made.key, 2).blocks.replay
    again.round = 5
    filled = again._refilled(kept, empty)
    assert same(filled.learner, made_states(made, 5).learner)  # nothing was learnt
    assert filled.round.tolist() == [5, 5]
    np.testing.assert_array_equal(filled.blocks.replay.written, [[75], [75]])


def made_states(made: Run, rounds: int):
    return room.train(made.agent, made.env, made.sizes, made.key, rounds, seeds=2)[0]


def test_a_longer_run_goes_on_and_a_finished_one_says_so(whole: Path, tmp_path: Path) -> None:
    out, said, bar = copy(whole, tmp_path), [], Bar()
    assert run(out, said).step == 800
    assert said[-1] == "the run has come to step 800: there is nothing left to train"
    assert metrics(out) == metrics(whole)
    longer = run(out, bar=bar, steps=801)  # whole rounds are made
    assert longer.step == 900
    assert (bar.total, bar.initial, bar.n) == (900, 800, 900)
    assert set(bar.told) == {"loss", "success"}
    assert metrics(out)[:-2] == metrics(whole)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch": 17}, "batch was 16, now 17"),
        ({"penalty": 0.0}, "penalty was None, now 0.0"),
        ({"envs": 2, "capacity": 150}, "envs was 4, now 2, capacity was 300, now 150"),
        ({"light_checkpoints": True}, "light_checkpoints was False, now True"),
        ({"method": "sac_her"}, "method was contrastive_rl, now sac_her"),
        ({"warmup_rounds": 2}, "warmup_rounds was 0, now 2"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(changes: dict, told: str, whole: Path) -> None:
    before = (whole / "config.json").read_text()
    with pytest.raises(Mendable) as error:
        run(whole, **changes)
    assert told in str(error.value)
    assert (whole / "config.json").read_text() == before


def test_memory_is_announced_and_what_does_not_fit_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, said = Run(SMALL, tmp_path / "run", print), []
    taken = memory.size(made.shapes.blocks.replay)
    a_row = 4 * (2 + 2 + 2) + 3 + 4 + 4  # numbers, flags, what the sampler needs to know
    assert taken == 2 * (300 * a_row + 2 * 4)
    monkeypatch.setattr(memory, "free", lambda: taken / memory.SHARE * 0.99)
    with pytest.raises(Unknown, match=r"does not fit into the .* free: take --capacity 200$"):
        run(tmp_path / "run", said)
    assert said == [
        "a round: 100 steps (4 environments × 25) and 3 updates; updates to data 1:33.3"
    ]
    assert not (tmp_path / "run" / "checkpoints" / "100").exists()
    shapes = Run(replace(SMALL, capacity=200), tmp_path / "run", print).shapes
    assert memory.announced(replace(SMALL, capacity=200), shapes.blocks.replay).startswith(
        "replay buffer: 200 transitions for each of 2 seeds, "
    )
    monkeypatch.setattr(memory, "free", lambda: 1)
    with pytest.raises(Unknown, match="take fewer --envs or --seeds"):
        run(tmp_path / "run")


class Impatient(Bar):
    """Somebody stops the run by hand."""

    def update(self, n: int) -> None:
        super().update(n)
        if self.n >= 300:
            raise KeyboardInterrupt


def test_the_first_rounds_only_collect(tmp_path: Path) -> None:
    out, said, bar, later = tmp_path / "run", [], Impatient(), Bar()
    with pytest.raises(Mendable, match="goes on from step 200"):
        run(out, said, bar, steps=500, warmup_rounds=3)
    assert said[0].endswith("3 updates; updates to data 1:33.3; the first 3 only collect")
    assert "loss" not in bar.told
    waiting = final_states(out, 200, warmup_rounds=3)
    made = Run(replace(SMALL, steps=500, warmup_rounds=3), out, print)
    begin = room.fresh_states(made.agent, made.env, made.sizes, made.key, 2)
    assert same(waiting.learner, begin.learner)  # nothing was learnt
    np.testing.assert_array_equal(waiting.blocks.replay.written, [[50], [50]])
    made = run(out, bar=later, steps=500, warmup_rounds=3)
    assert "loss" in later.told
    logs = [line for line in metrics(out) if "env_steps" in line and "success_any" not in line]
    assert ["loss" in line for line in logs] == [False] * 3 + [True] * 2
    assert [line["env_steps"] for line in logs[:2]] == [[100, 100], [200, 200]]
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    updating = {line["step"] for line in lines if "updates_per_second" in line}
    assert updating <= {400, 500}
    assert same(final_states(out, 500, warmup_rounds=3), made_states(made, 5))
    assert made.sizes.warmup == 3


def test_stopping_by_hand_says_where_it_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match=r"stopped at step 200; .* goes on from step 200"):
        run(tmp_path / "run", bar=Impatient())


def test_a_loss_that_is_not_finite_names_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "run", steps=200)

    def fail(*_, **__):
        raise FloatingPointError("the loss of seed 1 is not finite in rounds 2 to 3: lower it")

    monkeypatch.setattr(room, "train", fail)
    with pytest.raises(Mendable, match=r"seed 1 .* the last checkpoint is .*checkpoints/200$"):
        run(tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"envs": 0}, "envs is at least 1"),
        ({"unroll": 1}, "unroll is at least 2"),
        ({"capacity": 99}, "take at least 100"),
        ({"blocks": 3}, "take 3 environments"),
        ({"gamma": 1.0}, "--gamma must be at least 0 and below 1"),
        ({"learning_rate": 0.0}, "--learning-rate must be above 0"),
        ({"penalty": -1.0}, "--penalty must be at least 0"),
        ({"steps": 0}, "--steps must be at least 1"),
        ({"warmup_rounds": -1}, "--warmup-rounds must be at least 0, not -1"),
        ({"warmup_rounds": 8}, "--warmup-rounds 8 are 800 steps, and --steps is 800; take fewer"),
        ({"eval_every": 0}, "--eval-every must be at least 1"),
        ({"seed": -2}, "--seed is at least 0"),
    ],
)
def test_sizes_that_cannot_be_name_the_nearest_that_can(changes: dict, told: str) -> None:
    with pytest.raises(Unknown, match=told):
        replace(SMALL, **changes)


def test_numbers_that_follow_from_others() -> None:
    settings = OnlineSettings("sac_her", "point-maze", 1_000_000)
    assert (settings.updates, settings.capacity) == (256 * 62 // 16, 2_560_000)
    assert (settings.eval_every, settings.checkpoint_every) == (50_000, 100_000)
    assert settings.ratio == "1:16"
    assert replace(settings, envs=1, unroll=2, updates=4).ratio == "2:1"
