"""Collecting: the files, that a seed decides them, and that the recipe is followed."""

import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ogbench")
from goalward.bench import collect as room
from goalward.bench.collect import collect
from goalward.bench.datasets import fingerprint, read
from goalward.bench.names import Mendable, Unknown, parse

NAVIGATE = parse("pointmaze-medium-navigate-v0")
STITCH = parse("pointmaze-large-stitch-v0")
TELEPORT = parse("pointmaze-teleport-navigate-v0")
POWDER = parse("powderworld-easy-play-v0")


def maze_of(name) -> np.ndarray:
    return room._environment(name, 60).unwrapped.maze_map


def cells(observations: np.ndarray) -> np.ndarray:
    """Row and column of the maze's cell: cells are 4 wide, the first one's centre is at -4."""
    return np.floor((observations[:, ::-1] + 6) / 4).astype(int)


@pytest.fixture(scope="module")
def navigated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return collect(NAVIGATE, tmp_path_factory.mktemp("data"), 12, 60, seed=3)


def test_files_have_the_benchmarks_fields(navigated: tuple[Path, Path]) -> None:
    for path, episodes in zip(navigated, (12, 1), strict=True):
        arrays = read(path)
        rows = episodes * 61
        assert {k: (v.shape, v.dtype.name) for k, v in arrays.items()} == {
            "observations": ((rows, 2), "float32"),
            "actions": ((rows, 2), "float32"),
            "terminals": ((rows,), "bool"),
            "qpos": ((rows, 2), "float32"),
            "qvel": ((rows, 2), "float32"),
        }
        assert (np.flatnonzero(arrays["terminals"]) == np.arange(1, episodes + 1) * 61 - 1).all()
        assert np.abs(arrays["actions"]).max() <= 1
        np.testing.assert_array_equal(arrays["observations"], arrays["qpos"])
    assert sorted(p.name for p in navigated[0].parent.iterdir()) == sorted(
        p.name for p in navigated
    )


def test_a_step_in_the_open_is_a_fifth_of_the_action(navigated: tuple[Path, Path]) -> None:
    arrays = read(navigated[0])
    inside = ~arrays["terminals"][:-1]
    moved = np.diff(arrays["observations"], axis=0)[inside]
    wanted = 0.2 * arrays["actions"][:-1][inside]
    # Walls hold some steps back; most are free.
    assert np.mean(np.abs(moved - wanted).max(axis=1) < 1e-4) > 0.5


def test_the_walker_stays_in_free_cells(navigated: tuple[Path, Path]) -> None:
    where = cells(read(navigated[0])["observations"])
    assert (maze_of(NAVIGATE)[where[:, 0], where[:, 1]] == 0).all()


def test_same_seed_same_bytes_whatever_the_number_of_processes(
    navigated: tuple[Path, Path], tmp_path: Path
) -> None:
    again = collect(NAVIGATE, tmp_path / "jobs", 12, 60, seed=3, jobs=2)
    assert [fingerprint(p) for p in again] == [fingerprint(p) for p in navigated]
    other = collect(NAVIGATE, tmp_path / "seed", 12, 60, seed=4)
    assert fingerprint(other[0]) != fingerprint(navigated[0])


def test_the_rest_of_the_world_keeps_its_random_numbers(tmp_path: Path) -> None:
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    collect(NAVIGATE, tmp_path, 1, 5)
    assert np.random.random() == expected  # noqa: NPY002


def test_a_stitch_episode_ends_four_cells_from_its_start(tmp_path: Path) -> None:
    rows = read(collect(STITCH, tmp_path, 20, 200, seed=0)[0])
    where = cells(rows["observations"]).reshape(20, 201, 2)
    maze = maze_of(STITCH)
    for path in where:
        steps = room._distances(maze, tuple(path[0]))
        assert steps[tuple(path[-1])] == 4


def test_distances_are_shortest_paths() -> None:
    """Against powers of the maze's adjacency matrix."""
    maze = maze_of(STITCH)
    free = [tuple(map(int, c)) for c in np.argwhere(maze == 0)]
    near = np.array(
        [[sum(abs(a - b) for a, b in zip(x, y, strict=True)) == 1 for y in free] for x in free]
    )
    found = room._distances(maze, free[0])
    reached = np.eye(len(free), dtype=bool)[0]
    for step in range(len(free)):
        assert {free[i] for i in np.flatnonzero(reached)} == {
            c for c, d in found.items() if d <= step
        }
        reached = reached | reached @ near


def test_hallways_are_no_goals() -> None:
    maze = np.ones((5, 5), int)
    maze[1, 1:4] = maze[2:4, 3] = 0
    free = [(1, 1), (1, 2), (1, 3), (2, 3), (3, 3)]
    assert [c for c in free if not room._hallway(maze, c)] == [(1, 1), (1, 3), (3, 3)]


def test_portals_are_taken_and_decided_by_the_seed(tmp_path: Path) -> None:
    found = []
    for world in range(2):
        np.random.seed(world)  # noqa: NPY002
        found.append(collect(TELEPORT, tmp_path / str(world), 4, 150, seed=0)[0])
    first, again = found
    assert fingerprint(first) == fingerprint(again)
    rows = read(first)
    jumps = np.abs(np.diff(rows["observations"], axis=0)).max(axis=1)[~rows["terminals"][:-1]]
    assert (jumps > 4).any()


@pytest.mark.parametrize("text", ["cube-single-play-v0", "puzzle-3x3-noisy-v0"])
def test_scripted_hands(text: str, tmp_path: Path) -> None:
    name = parse(text)
    first, again = (collect(name, tmp_path / n, 1, 40, seed=2)[0] for n in "ab")
    assert fingerprint(first) == fingerprint(again)
    rows = read(first)
    width = {"cube": 28, "puzzle": 55}[name.family]
    assert rows["observations"].shape == (41, width)
    assert rows["actions"].shape == (41, 5)
    assert ("button_states" in rows) == (name.family == "puzzle")
    assert np.abs(np.diff(rows["observations"][:, :6], axis=0)).max() > 1e-3  # the arm moves


def test_a_powder_world_is_painted_stroke_by_stroke(tmp_path: Path) -> None:
    """An action in three is an element, then come two coordinates; the last three bands show it."""
    first = collect(POWDER, tmp_path / "a", 4, 45, seed=1)
    again = collect(POWDER, tmp_path / "b", 4, 45, seed=1, jobs=2)
    assert [fingerprint(p) for p in first] == [fingerprint(p) for p in again]
    rows = read(first[0])
    assert {k: (v.shape, v.dtype.name) for k, v in rows.items()} == {
        "observations": ((184, 32, 32, 6), "uint8"),
        "actions": ((184,), "int32"),
        "terminals": ((184,), "bool"),
    }
    assert (np.flatnonzero(rows["terminals"]) == np.arange(1, 5) * 46 - 1).all()
    actions, shown = (
        rows[k].reshape(4, 46, *rows[k].shape[1:]) for k in ("actions", "observations")
    )
    assert actions[:, ::3].max() == 1  # plant or stone
    assert actions.max() == 7
    told = shown[..., 3:]
    assert (told[:, ::3] == 0).all()
    colours = told[:, 1::3, 0, 0]
    assert (told[:, 1::3] == colours[:, :, None, None]).all()
    assert len({(int(e), *map(int, c)) for e, c in zip(actions[:, :45:3].flat,
                colours.reshape(-1, 3), strict=True)}) == 2  # fmt: skip
    column = np.arange(32) // 4 == actions[:, 1:45:3, None]
    marked = column[:, :, None, :, None] * colours[:, :, None, None]
    np.testing.assert_array_equal(told[:, 2::3], np.broadcast_to(marked, told[:, 2::3].shape))


def test_lines_and_fillings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RANDOM_STROKES", 0.0)
    for shapes, length in (({"Line": 1.0}, 8), ({"Fill": 1.0}, 64)):
        monkeypatch.setattr(room, "DRAWINGS", shapes)
        rows = read(collect(POWDER, tmp_path / str(length), 1, 6 * length - 1)[0])
        strokes = rows["actions"].reshape(2, length, 3)
        for elements, x, y in np.moveaxis(strokes, -1, 1):
            assert len(set(elements)) == 1
            assert len(set(zip(x, y, strict=True))) == length
            assert length == 64 or 1 in (len(set(x)), len(set(y)))


def test_half_of_the_strokes_are_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted where a drawing takes up again what it had begun."""
    monkeypatch.setattr(room, "DRAWINGS", {"Fill": 1.0})
    rows = read(collect(POWDER, tmp_path, 2, 299)[0])
    x, y = np.moveaxis(rows["actions"].reshape(2, 100, 3), -1, 0)[1:]
    place = 8 * y + x
    # Of neighbouring strokes a quarter belong to the drawing, which moves on by one place.
    steps = np.abs(np.diff(place, axis=1))
    along = np.minimum(np.abs(steps - 1), np.abs(steps - 8)) == 0
    assert 0.2 < along.mean() < 0.5


def test_pictures_of_scripted_hands() -> None:
    name = parse("visual-puzzle-3x3-play-v0")
    # A fresh process may still choose how to draw.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            rows = pool.submit(room.episode, name, 1, 2, 0).result()
        except Mendable as error:
            pytest.skip(str(error))
    pictures = rows.pop("observations")
    assert (pictures.shape, pictures.dtype) == ((2, 64, 64, 3), np.uint8)
    assert pictures.std() > 10
    plain = room.episode(parse("puzzle-3x3-play-v0"), 1, 2, 0)
    plain.pop("observations")
    for field, values in plain.items():
        np.testing.assert_array_equal(rows[field], values)


def test_a_cube_out_of_sight_spoils_a_scene() -> None:
    qpos = np.zeros((3, 20))
    qpos[:, 15:17] = (0.0, 0.02)
    assert room._in_sight(qpos)
    qpos[1, 15] = 0.3
    assert not room._in_sight(qpos)
    qpos[1, 15:17] = (-0.31, 0.07)  # in the drawer
    assert room._in_sight(qpos)
    qpos[1, 16] = 0.02
    assert not room._in_sight(qpos)


def test_what_cannot_be_collected_is_one_line(navigated: tuple[Path, Path], tmp_path: Path) -> None:
    for text in (
        "antmaze-medium-navigate-v0",
        "humanoidmaze-large-stitch-v0",
        "antsoccer-arena-stitch-v0",
    ):
        with pytest.raises(Unknown, match=f"{text} was collected by a trained expert that is not"):
            collect(parse(text), tmp_path, 1, 10)
    with pytest.raises(Unknown, match="at least 1"):
        collect(NAVIGATE, tmp_path, 0, 10)
    with pytest.raises(Unknown, match="--seed at least 0"):
        collect(NAVIGATE, tmp_path, 1, 10, seed=-1)
    with pytest.raises(Mendable, match="already there: name another folder"):
        collect(NAVIGATE, navigated[0].parent, 1, 10)
    assert list(tmp_path.iterdir()) == []
    for path in navigated:  # nor is one of the two overwritten
        alone = tmp_path / path.name
        alone.write_text("someone's")
        with pytest.raises(Mendable, match=f"{alone} is already there: name another folder"):
            collect(NAVIGATE, tmp_path, 1, 10)
        alone.unlink()


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file, **fields):
        file.write(b"PK")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", full)
        with pytest.raises(OSError, match="No space left"):
            collect(NAVIGATE, tmp_path, 1, 5)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    made = collect(NAVIGATE, tmp_path, 1, 5)
    assert sorted(tmp_path.iterdir()) == sorted(made)


# Killed while it puts a finished file in its place, for the time whose number is given.
KILLED = """
import os, signal, sys
from pathlib import Path
from goalward.bench.collect import collect
from goalward.bench.names import parse

count, replace = 0, os.replace
def dying(*paths):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*paths)
os.replace = dying
collect(parse("pointmaze-medium-navigate-v0"), Path(sys.argv[1]), 12, 60, seed=3)
"""


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(
    navigated: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, episode = [], room.episode
    monkeypatch.setattr(room, "episode", lambda *call: made.append(call[-1]) or episode(*call))
    # In the sixth episode; between the two files, after thirteen.
    for moment, left in ((6, list(range(5, 13))), (15, [])):
        out = tmp_path / str(moment)
        done = subprocess.run([sys.executable, "-c", KILLED, out, str(moment)], check=False)
        assert done.returncode == -signal.SIGKILL
        assert [p.name for p in out.glob("*.npz")] == [navigated[0].name][: moment > 14]
        made.clear()
        ticks: list[None] = []
        again = collect(NAVIGATE, out, 12, 60, seed=3, tick=lambda told=ticks: told.append(None))
        assert made == left
        assert len(ticks) == 13
        assert [fingerprint(p) for p in again] == [fingerprint(p) for p in navigated]
        assert sorted(out.iterdir()) == sorted(again)


def test_stopped_by_hand_it_keeps_what_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[None] = []

    def impatient() -> None:
        ticks.append(None)
        if len(ticks) == 3:
            raise KeyboardInterrupt

    with pytest.raises(Mendable, match=r"stopped after 3 of 11 episodes, kept in .*; the same"):
        collect(NAVIGATE, tmp_path, 10, 5, tick=impatient)
    (kept,) = tmp_path.iterdir()
    (kept / "1.npz").write_bytes((kept / "1.npz").read_bytes()[:-30])
    with pytest.raises(Mendable, match=r"1.npz was damaged and is deleted: repeat the command"):
        collect(NAVIGATE, tmp_path, 10, 5)
    made = collect(NAVIGATE, tmp_path, 10, 5)
    whole = collect(NAVIGATE, tmp_path / "whole", 10, 5)
    assert [fingerprint(p) for p in made] == [fingerprint(p) for p in whole]


def test_the_benchmarks_own_sizes() -> None:
    sizes = {
        "pointmaze-medium-navigate-v0": (1000, 1000),
        "pointmaze-giant-navigate-v0": (500, 2000),
        "pointmaze-giant-stitch-v0": (5000, 200),
        "cube-triple-play-v0": (3000, 1000),
        "puzzle-4x6-noisy-v0": (5000, 1000),
        "scene-play-v0": (1000, 1000),
        "visual-cube-quadruple-noisy-v0": (5000, 1000),
        "powderworld-easy-play-v0": (1000, 1000),
        "powderworld-medium-play-v0": (3000, 1000),
        "powderworld-hard-play-v0": (5000, 1000),
    }
    assert {text: room.official_size(parse(text)) for text in sizes} == sizes
