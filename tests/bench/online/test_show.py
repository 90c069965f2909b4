"""Films of what was learnt: that they show the evaluation's episodes, and what cannot be shown."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("orbax.checkpoint")
pytest.importorskip("tensorboard")
from PIL import Image

from goalward import cli
from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.online import environments
from goalward.bench.online import show as room
from goalward.bench.online.settings import OnlineSettings
from goalward.bench.runs.files import locked

COMMAND = [
    "bench", "online", "contrastive_rl", "--env", "point-maze", "--steps=2e2", "--envs=4",
    "--unroll=25", "--updates=3", "--batch=16", "--width=8", "--depth=1", "--capacity=3e2",
    "--eval-episodes=8", "--seeds=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("show") / "run"
    assert cli.main([*COMMAND, "--out", str(out)]) == 0
    return out


def test_online_and_show_as_they_are_typed(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*COMMAND, "--out", str(made)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a round: 100 steps (4 environments × 25) and 3 updates; updates to")
    assert lines[1].startswith("replay buffer: 300 transitions for each of 2 seeds, ")
    assert lines[2] == "the run has come to step 200: there is nothing left to train"
    assert lines[3] == "after 200 steps, mean of 2 seeds (lowest to highest)"
    assert lines[4].startswith("  goals reached   0.")
    assert cli.main(["bench", "show", str(made), "--goals", "3", "--out", str(tmp_path)]) == 0
    told, film, strip = capsys.readouterr().out.splitlines()
    assert "of 3 goals reached" in told
    with Image.open(film) as pictures:
        assert pictures.n_frames == 51 or pictures.n_frames > 10
        assert pictures.size == (3 * room.SIDE + 2 * 4, room.SIDE)
    with Image.open(strip) as picture:
        assert picture.size == (
            room.MOMENTS * room.SIDE + (room.MOMENTS - 1) * 4,
            3 * room.SIDE + 2 * 4,
        )
    assert sorted(path.name for path in made.iterdir()) == [
        "checkpoints", "config.json", "lock", "metrics.jsonl", "tensorboard",
    ]  # fmt: skip


def test_the_episodes_are_those_of_the_evaluation(made: Path) -> None:
    settings = room.read(made)
    run = room.Run(settings, made, print)
    _, states = run.read(room.Checkpoints(made / "checkpoints", 2, print))
    keys = jax.random.split(jax.random.key(0), settings.eval_episodes)
    for seed in range(2):
        learner = jax.tree.map(lambda leaf, seed=seed: leaf[seed], states.learner)
        seen = room.episode(run.agent, run.env, learner, keys)
        assert seen.observation.shape == (8, 101, 2)
        told = run.probe(learner)
        assert np.mean(seen.success[:, 1:].any(axis=1)) == told["success_any"]
        assert np.mean(seen.success[:, 1:]) == pytest.approx(float(told["time_near_goal"]))


def test_from_above_the_maze_is_drawn_as_it_is() -> None:
    maze = environments.make("point-maze")
    states = jax.tree.map(
        lambda leaf: leaf[None], maze.at(jnp.array([4.0, 0.0]), jnp.array([0.0, 3.0]))
    )
    picture = room.from_above(maze, room.bounds(maze, states), states, 0)
    side = room.SIDE // 5
    middle = lambda row, col: tuple(picture[row * side + side // 2, col * side + side // 2])  # noqa: E731
    assert middle(2, 2) == room.WALL
    assert middle(2, 1) == room.FREE
    assert middle(4, 0) == room.HERE
    assert middle(0, 3) == room.THERE


def test_elsewhere_the_first_number_runs_to_the_right_and_the_second_up() -> None:
    class Plane:
        goal_entries, reach = (0, 1), 0.1

    class States:
        observation, goal = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[0.0, 0.0]] * 2)

    view = room.bounds(Plane, States)
    picture = room.from_above(Plane, view, States, 0)
    rows, cols = np.nonzero((picture == room.HERE).all(axis=2))
    assert rows.mean() < room.SIDE / 2 < cols.mean()


DRAWN = """
import jax
from goalward.bench.online import environments, show
body = environments.make("reacher", "native")
states = jax.vmap(body.reset)(jax.random.split(jax.random.key(0), 2))
draw = show._drawing(body, states, False, print)
first, second = draw(states, 0), draw(states, 1)
above = show._drawing(body, states, True, print)(states, 0)
print(first.shape, bool((first != second).any()), bool((above != first).any()))
"""


def test_a_body_is_drawn_by_mujoco() -> None:
    pytest.importorskip("mujoco.mjx")
    done = subprocess.run(
        [sys.executable, "-c", DRAWN],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"MUJOCO_GL": "egl"},
    )
    if "cannot render" in done.stdout:
        pytest.skip(done.stdout)
    assert done.stdout == "(160, 160, 3) True True\n"


def test_without_a_way_to_draw_a_body_is_seen_from_above(monkeypatch: pytest.MonkeyPatch) -> None:
    mujoco = pytest.importorskip("mujoco")
    pytest.importorskip("mujoco.mjx")
    monkeypatch.delenv("DISPLAY", raising=False)
    glfw = type("GLContext", (), {"__module__": "mujoco.glfw"})
    monkeypatch.setattr(mujoco, "GLContext", glfw, raising=False)
    said: list[str] = []
    body = environments.make("reacher", "native")
    states = jax.vmap(body.reset)(jax.random.split(jax.random.key(0), 2))
    picture = room._drawing(body, states, False, said.append)(states, 0)
    assert picture.shape == (room.SIDE, room.SIDE, 3)
    assert said == [
        "MuJoCo was told of no way to draw without a screen (MUJOCO_GL=egl): drawn from above"
    ]


def test_what_cannot_be_shown_is_one_line(made: Path, tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="holds no run"):
        room.show(tmp_path, tmp_path)
    (tmp_path / "config.json").write_text('{"method": "gcbc"}')
    with pytest.raises(Mendable, match="no run of `bench online`"):
        room.show(tmp_path, tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(Mendable, match="is damaged"):
        room.show(tmp_path, tmp_path)
    config = json.loads((made / "config.json").read_text())
    del config["warmup_rounds"]  # a run from before there was such a setting
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert room.read(tmp_path) == room.read(made)
    with pytest.raises(Mendable, match="has no checkpoint yet"):
        room.show(tmp_path, tmp_path)
    with pytest.raises(Unknown, match="--learner is one of 0 to 1, not 2"):
        room.show(made, tmp_path, learner=2)
    with pytest.raises(Unknown, match="--goals must be at least 1"):
        room.show(made, tmp_path, goals=0)
    with locked(made), pytest.raises(Mendable, match="another command is at work"):
        room.show(made, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json"]


def test_settings_are_read_back(made: Path) -> None:
    assert room.read(made) == replace(
        OnlineSettings("contrastive_rl", "point-maze", 200),
        seeds=2, envs=4, unroll=25, updates=3, batch=16, width=8, depth=1, capacity=300,
        eval_episodes=8, eval_every=10, checkpoint_every=20,
    )  # fmt: skip
