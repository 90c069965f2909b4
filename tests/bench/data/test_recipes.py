"""The recipes: that a seed decides an episode, and that it is made as the benchmark's are."""

from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ogbench")
from goalward.bench.data import recipes as room
from goalward.bench.data.collect import collect
from goalward.bench.data.datasets import fingerprint, read
from goalward.bench.data.environments import make
from goalward.bench.data.names import Mendable, parse

NAVIGATE = parse("pointmaze-medium-navigate-v0")
STITCH = parse("pointmaze-large-stitch-v0")
TELEPORT = parse("pointmaze-teleport-navigate-v0")
POWDER = parse("powderworld-easy-play-v0")


def maze_of(name) -> np.ndarray:
    return make(name).unwrapped.maze_map


def cells(observations: np.ndarray) -> np.ndarray:
    """Row and column of the maze's cell: cells are 4 wide, the first one's centre is at -4."""
    return np.floor((observations[:, ::-1] + 6) / 4).astype(int)


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


def test_a_stitch_episode_ends_four_cells_from_its_start(tmp_path: Path) -> None:
    rows = read(collect(STITCH, tmp_path, 20, 200, seed=0)[0])
    where = cells(rows["observations"]).reshape(20, 201, 2)
    maze = maze_of(STITCH)
    for path in where:
        steps = room.distances(maze, tuple(path[0]))
        assert steps[tuple(path[-1])] == 4


def test_distances_are_shortest_paths() -> None:
    """Against powers of the maze's adjacency matrix."""
    maze = maze_of(STITCH)
    free = [tuple(map(int, c)) for c in np.argwhere(maze == 0)]
    near = np.array(
        [[sum(abs(a - b) for a, b in zip(x, y, strict=True)) == 1 for y in free] for x in free]
    )
    found = room.distances(maze, free[0])
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
    assert [c for c in free if not room.is_hallway(maze, c)] == [(1, 1), (1, 3), (3, 3)]


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


def test_a_scene_that_always_loses_its_cube_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(room, "_environment", lambda *_: None)
    monkeypatch.setattr(room, "seeded", lambda *_: nullcontext(np.random.default_rng(0)))
    monkeypatch.setattr(room, "_handle", lambda *_: tried.append(1) or {"qpos": np.zeros((2, 9))})
    monkeypatch.setattr(room, "in_sight", lambda qpos: len(tried) == 3)
    room.episode(parse("scene-play-v0"), 10, seed=0, number=4)
    assert len(tried) == 3
    monkeypatch.setattr(room, "in_sight", lambda qpos: False)
    with pytest.raises(Mendable, match="in each of 100 tries"):
        room.episode(parse("scene-play-v0"), 10, seed=0, number=4)


def test_a_cube_out_of_sight_spoils_a_scene() -> None:
    qpos = np.zeros((3, 20))
    qpos[:, 15:17] = (0.0, 0.02)
    assert room.in_sight(qpos)
    qpos[1, 15] = 0.3
    assert not room.in_sight(qpos)
    qpos[1, 15:17] = (-0.31, 0.07)  # in the drawer
    assert room.in_sight(qpos)
    qpos[1, 16] = 0.02
    assert not room.in_sight(qpos)
