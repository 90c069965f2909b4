"""Runs: that killing changes nothing, that damage is noticed, and that complaints are one line."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

pytest.importorskip("ogbench")
pytest.importorskip("orbax.checkpoint")
pytest.importorskip("tensorboard")
from orbax.checkpoint import CheckpointManager
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from goalward.bench.data.collect import collect
from goalward.bench.data.names import Mendable, Unknown, parse
from goalward.bench.offline import presets
from goalward.bench.offline import train as room
from goalward.bench.offline.evaluate import Arena
from goalward.bench.offline.settings import Settings
from goalward.bench.offline.train import Run
from goalward.bench.records.runs import load_runs
from goalward.bench.runs import folder as folders
from goalward.bench.runs.checkpoints import Checkpoints
from goalward.bench.runs.folder import RunFolder

NAME = parse("pointmaze-medium-navigate-v0")
SMALL = Settings(
    "gcbc",
    NAME.text,
    steps=60,
    seeds=2,
    batch=32,
    width=16,
    log_every=10,
    eval_every=20,
    eval_episodes=1,
    checkpoint_every=10,
)

# Forks children that train, and kills them; nothing of JAX starts before the fork.
DRIVER = """
import os, random, signal, sys, time
from functools import partial
from pathlib import Path
from tqdm import tqdm
from goalward.bench.offline import train as room
from goalward.bench.offline.evaluate import Arena

out, data, kills, compiled = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
room.Arena = partial(Arena, max_steps=20)
settings = room.Settings({settings})
rng = random.Random(0)
metrics = out / "metrics.jsonl"
logs = lambda: metrics.read_bytes().count(b"\\n") if metrics.exists() else 0
while True:
    child = os.fork()
    if not child:
        room.jax.config.update("jax_compilation_cache_dir", compiled)
        room.jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        say = lambda line: print(line, flush=True)
        room.Run(settings, out, data, say).go(tqdm(disable=True))
        os._exit(0)
    if kills:
        kills -= 1
        before = logs()
        wait = rng.randint(1, 3)
        while logs() < before + wait and not os.waitid(
            os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
        ):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.2))  # an update, an evaluation, a checkpoint or its deletion
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


@pytest.fixture(autouse=True)
def short_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "Arena", partial(Arena, max_steps=20))


def run(data: Path, out: Path, said: list[str] | None = None, **changes) -> Run:
    """A run to its end."""
    settings = Settings(**{**vars(SMALL), **changes})
    made = Run(settings, out, data, say=(said if said is not None else []).append)
    made.go(Bar())
    return made


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "Arena", partial(Arena, max_steps=20))
        run(data, out)
    return out


def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def metrics(out: Path) -> list[dict]:
    """The lines, without the times."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in line.items() if k not in ("seconds", "updates_per_second")}
        for line in lines
    ]


def curve(out: Path, tag: str) -> list[list[tuple[int, float]]]:
    """Step and value of each point, of each seed, as TensorBoard reads them."""
    return [
        [(point.step, point.value) for point in reader.Reload().Scalars(tag)]
        for folder in sorted((out / "tensorboard").iterdir())
        for reader in [EventAccumulator(str(folder))]
    ]


def final_states(out: Path, data: Path, step: int = 60, **changes):
    """Those of a checkpoint, as the run's own learner reads them."""
    made = Run(Settings(**{**vars(SMALL), **changes}), out, data, say=print)
    example = room.fresh_states(made.agent, made.data, made.key, made.settings.seeds)
    checkpoints = Checkpoints(out / "checkpoints", SMALL.keep, print)
    return checkpoints._read(step, example)


def same(a, b) -> bool:
    return all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def test_a_run_leaves_a_folder_that_says_all(whole: Path, data: Path) -> None:
    lines = metrics(whole)
    assert [line["step"] for line in lines if "loss" in line] == [10, 20, 30, 40, 50, 60]
    assert [line["step"] for line in lines if "success" in line] == [20, 40, 60]
    assert np.shape(lines[0]["loss"]) == (2,)
    assert np.shape([line["success"] for line in lines if "success" in line]) == (3, 2, 5)
    assert sorted(p.name for p in (whole / "checkpoints").iterdir()) == ["40", "50", "60"]
    losses = np.array([line["loss"] for line in lines if "loss" in line])
    points = np.array(curve(whole, "training/loss"))
    np.testing.assert_array_equal(points[..., 0], 2 * [[10, 20, 30, 40, 50, 60]])
    np.testing.assert_allclose(points[..., 1], losses.T, rtol=1e-6)
    config = json.loads((whole / "config.json").read_text())
    assert config["method"] == "gcbc"
    assert config["data"] == room.fingerprint(data)
    assert config["transitions"] == 2000
    assert config["device"].startswith("cpu")
    assert config["versions"].keys() >= {"jax", "ogbench", "mujoco"}
    assert " at 0x" not in config["learner"]


def test_it_is_the_one_training_loop(whole: Path, data: Path) -> None:
    made = Run(SMALL, whole, data, say=print)
    begun = room.fresh_states(made.agent, made.data, made.key, seeds=2)
    begun = jax.device_put(begun, jax.devices()[0])  # as a run does; else all is compiled again
    states, _ = room.train(made.agent, made.data, made.key, 60, seeds=2, log_every=10, states=begun)
    assert same(states, final_states(whole, data))


def test_killed_at_any_moment_it_ends_with_the_same_bits(
    whole: Path, data: Path, tmp_path: Path, compiled: Path
) -> None:
    settings = ", ".join(f"{k}={v!r}" for k, v in vars(SMALL).items())
    code = DRIVER.format(settings=settings)
    out, kills = tmp_path / "run", 4
    done = subprocess.run(
        [sys.executable, "-c", code, out, data, str(kills), compiled],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("killed") >= 2
    assert "going on from the checkpoint of update" in done.stdout
    assert metrics(out) == metrics(whole)
    for tag in ("training/loss", "success/mean", "success/task 5"):
        assert curve(out, tag) == curve(whole, tag)
    assert same(final_states(out, data), final_states(whole, data))
    assert not [p for p in (out / "checkpoints").iterdir() if not p.name.isdigit()]


def test_a_method_of_many_parts_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is restored holds the targets and the optimiser's moments of all networks."""
    monkeypatch.setattr(presets, "LAYERS", 1)  # less to compile
    monkeypatch.setattr(Arena, "success", lambda *_: np.zeros((1, 5)))
    whole, parts, hiql = tmp_path / "whole", tmp_path / "parts", {"method": "hiql", "seeds": 1}
    for out, stops in ((whole, (20,)), (parts, (10, 20))):
        for steps in stops:
            run(data, out, **hiql, steps=steps)
    states = [final_states(out, data, 20, **hiql) for out in (whole, parts)]
    assert same(*states)
    assert not same(states[0].params, states[0].target_params)
    logged = [[line for line in metrics(out) if "loss" in line] for out in (whole, parts)]
    assert logged[0] == logged[1]
    assert logged[0][-1].keys() == {"step", "loss", "value", "actor", "high_actor"}


@pytest.mark.parametrize(
    ("method", "batch"), [("temporal_distances", 1024), ("tmd", 512), ("mqe", 256)]
)
def test_distances_train_and_are_read_back(
    method: str, batch: int, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings(method, NAME.text, steps=1).batch == batch
    monkeypatch.setattr(presets, "LAYERS", 1)  # less to compile
    run(data, tmp_path / "run", method=method, steps=4, seeds=1, log_every=2, eval_every=4)
    (read,) = load_runs(tmp_path, pytest.fail)
    assert (read.method, read.implementation, read.steps.tolist()) == (method, "ours", [4])
    lines = [line for line in metrics(tmp_path / "run") if "loss" in line]
    assert [line.keys() >= {"critic", "actor"} for line in lines] == [True, True]
    parts = [line["critic"][0] + line["actor"][0] for line in lines]
    np.testing.assert_allclose([line["loss"][0] for line in lines], parts, rtol=1e-5)


def test_a_longer_run_goes_on(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, said, asked = copy(whole, tmp_path), [], []

    def success(self, agent, states, episodes, entropy):
        asked.append((episodes, entropy))
        return np.zeros((2, 5))

    monkeypatch.setattr(Arena, "success", success)
    longer = run(data, out, said, steps=70)
    assert said[0] == "going on from the checkpoint of update 60"
    assert longer.step == 70
    assert asked == [(1, (SMALL.seed, 70))]  # the same whenever the run comes to this update
    assert metrics(out)[:-2] == metrics(whole)
    assert json.loads((out / "config.json").read_text())["steps"] == 70


def test_a_finished_run_says_so(whole: Path, data: Path, tmp_path: Path) -> None:
    out, said = copy(whole, tmp_path), []
    again = run(data, out, said)
    assert said == ["the run has come to update 60: there is nothing left to train"]
    assert metrics(out) == metrics(whole)
    (out / "metrics.jsonl").unlink()
    np.testing.assert_array_equal(run(data, out).success, again.success)


def flip(folder: Path) -> None:
    """One bit in the middle of each file of numbers."""
    for path in (folder / "states").glob("**/d/*"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def halve(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose_half(folder: Path) -> None:
    for path in sorted(p for p in folder.rglob("*") if p.is_file())[::2]:
        path.unlink()


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("damage", [flip, halve, lose_half, empty])
def test_of_damaged_checkpoints_the_last_good_one_is_used(
    damage: Callable[[Path], None], whole: Path, data: Path, tmp_path: Path
) -> None:
    out, said = copy(whole, tmp_path), []
    damage(out / "checkpoints" / "60")
    run(data, out, said)
    assert same(final_states(out, data), final_states(whole, data))
    assert metrics(out) == metrics(whole)
    if damage is not empty:  # which is no checkpoint at all
        assert said[0].startswith("the checkpoint of update 60 is incomplete or damaged and was ")
        assert said[0].endswith("that of update 50 is tried")
        assert (out / "damaged" / "60").is_dir()
    assert "going on from the checkpoint of update 50" in said


def test_a_kill_within_the_first_checkpoint_begins_anew(
    whole: Path, data: Path, tmp_path: Path
) -> None:
    out, said = copy(whole, tmp_path), []
    for step in ("40", "50"):
        shutil.rmtree(out / "checkpoints" / step)
    (out / "checkpoints" / "60" / "sums.json").unlink()
    run(data, out, said)
    assert "incomplete or damaged" in said[0]
    assert metrics(out) == metrics(whole)
    assert same(final_states(out, data), final_states(whole, data))


def test_without_a_good_checkpoint_nothing_is_overwritten(
    whole: Path, data: Path, tmp_path: Path
) -> None:
    out = copy(whole, tmp_path)
    before = (out / "metrics.jsonl").read_text()
    for step in ("40", "50", "60"):
        halve(out / "checkpoints" / step)
    with pytest.raises(Mendable, match=r"no checkpoint in .* can be read: begin anew"):
        run(data, out)
    assert (out / "metrics.jsonl").read_text() == before


def test_checkpoints_of_other_networks_are_refused(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = copy(whole, tmp_path)
    config = json.loads((out / "config.json").read_text())
    monkeypatch.setattr(RunFolder, "compare", lambda *_: None)
    with pytest.raises(Mendable, match="are of other networks than this command's"):
        run(data, out, width=config["width"] * 2)
    assert (out / "checkpoints" / "60").is_dir()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch": 16}, "batch was 32, now 16"),
        ({"width": 32, "seed": 1}, "seed was 0, now 1, width was 16, now 32"),
        ({"seeds": 1}, "seeds was 2, now 1"),
        ({"method": "gcivl"}, "method was gcbc, now gcivl"),
        ({"learning_rate": 0.1}, "learning_rate was 0.0003, now 0.1"),
        ({"env": "pointmaze-medium-stitch-v0"}, "env was pointmaze-medium-navigate-v0, now"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(
    changes: dict, told: str, whole: Path, data: Path
) -> None:
    before = (whole / "config.json").read_text()
    with pytest.raises(Mendable) as error:
        run(data, whole, **changes)
    assert told in str(error.value)
    assert "name another folder with --out" in str(error.value)
    assert (whole / "config.json").read_text() == before


def test_other_data_are_refused(whole: Path, tmp_path: Path) -> None:
    other = collect(NAME, tmp_path, 3, 20)[0]
    with pytest.raises(Mendable, match=r"data was .*…, now .*…, transitions was 2000, now 60"):
        run(other, whole)


def test_two_commands_do_not_share_a_folder(whole: Path, data: Path) -> None:
    with folders.locked(whole), pytest.raises(Mendable, match="another command is at work in"):
        run(data, whole)


def test_a_damaged_configuration_is_one_line(whole: Path, data: Path, tmp_path: Path) -> None:
    out = copy(whole, tmp_path)
    (out / "config.json").write_text("{")
    with pytest.raises(Mendable, match=r"config.json is damaged: name another folder"):
        run(data, out)


def test_a_changed_version_is_told(whole: Path, data: Path, tmp_path: Path) -> None:
    out, said = copy(whole, tmp_path), []
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps(config | {"device": "gpu (H100)"}))
    run(data, out, said)
    assert said[0] == "the device changed since the run began: bits may differ from here on"


@pytest.mark.parametrize("healthy", [20, 0])
def test_a_loss_that_is_not_finite_names_seed_update_and_checkpoint(
    healthy: int, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    if healthy:
        run(data, out, steps=healthy)
    train = room.train

    def poison(learner, data, *rest, **named):
        data = data.replace(observations=data.observations.at[:].set(np.nan))
        return train(learner, data, *rest, **named)

    monkeypatch.setattr(room, "train", poison)
    with pytest.raises(Mendable) as error:
        run(data, out)
    told = str(error.value)
    assert f"the loss of seed 0 is not finite in steps {healthy} to {healthy + 1}:" in told
    newest = f"the last checkpoint is {out / 'checkpoints' / '20'}"
    assert told.endswith(newest if healthy else "there is no checkpoint yet")
    assert [line["step"] for line in metrics(out)][-1:] == [20] * bool(healthy)


def exhaust(*_, **__) -> None:
    raise ValueError("RESOURCE_EXHAUSTED: Error writing x: No space left on device [28]")


def fail(path: Path, text: str) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_keeps_what_is_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    run(data, out, steps=20)
    usage = shutil.disk_usage(out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(Mendable) as error:
            run(data, out)
    told = str(error.value)
    assert "the checkpoint of update 30 cannot be written" in told
    assert "0.0 MB are free); 20 is kept: make room and repeat the command" in told
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointManager, "save", exhaust)
        with pytest.raises(Mendable, match=r"checkpoints \(No space left on device\); 20 is kept"):
            run(data, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "write_whole", fail)
        with pytest.raises(Mendable, match=r"run cannot be written \(No space left on device\)"):
            run(data, out)
    again: list[str] = []
    run(data, out, again, steps=30)
    assert again[0] == "going on from the checkpoint of update 20"


def test_stopping_by_hand_says_where_it_goes_on(data: Path, tmp_path: Path) -> None:
    class Impatient(Bar):
        def update(self, n: int) -> None:
            super().update(n)
            if self.n >= 30:
                raise KeyboardInterrupt

    with pytest.raises(Mendable, match=r"stopped at update 20; .* goes on from update 20"):
        Run(SMALL, tmp_path / "run", data, say=print).go(Impatient())


def test_the_bar_shows_loss_and_success(data: Path, tmp_path: Path) -> None:
    bar = Bar()
    Run(SMALL, tmp_path / "run", data, say=print).go(bar)
    assert (bar.total, bar.initial, bar.n) == (60, 0, 60)
    assert set(bar.told) == {"loss", "success"}


def test_settings_that_make_no_sense() -> None:
    for field in ("steps", "seeds", "batch", "log_every", "keep"):
        with pytest.raises(Unknown, match=f"--{field.replace('_', '-')} must be at least 1, not 0"):
            Settings(**{**vars(SMALL), field: 0})
    with pytest.raises(Unknown, match="above 0"):
        Settings(**{**vars(SMALL), "learning_rate": float("nan")})
