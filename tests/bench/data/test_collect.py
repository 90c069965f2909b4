"""Collecting: the files, that a seed decides them, and that no stop spoils or loses anything."""

import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ogbench")
from goalward.bench.data import collect as room
from goalward.bench.data.collect import collect
from goalward.bench.data.datasets import fingerprint, read
from goalward.bench.data.names import Mendable, Unknown, parse

NAVIGATE = parse("pointmaze-medium-navigate-v0")


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
    with pytest.raises(Unknown, match="--seed is at least 0"):
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
from goalward.bench.data.collect import collect
from goalward.bench.data.names import parse

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


# Kills itself, or one of its two workers, after as many episodes as given.
KILLER = """
import os, signal, sys
from multiprocessing import active_children
from pathlib import Path
from goalward.bench.data.collect import collect
from goalward.bench.data.names import parse

left = int(sys.argv[3])
def tick():
    global left
    left -= 1
    if left == 0:
        whom = os.getpid() if sys.argv[2] == "all" else active_children()[0].pid
        os.kill(whom, signal.SIGKILL)
collect(parse("pointmaze-medium-navigate-v0"), Path(sys.argv[1]), 12, 60, seed=3, jobs=2, tick=tick)
"""


@pytest.mark.parametrize(("victim", "moment"), [("all", 3), ("one", 2)])
def test_killed_with_several_processes_none_stays_and_nothing_is_lost(
    navigated: tuple[Path, Path], tmp_path: Path, victim: str, moment: int
) -> None:
    command = [sys.executable, "-c", KILLER, tmp_path, victim, str(moment)]
    # The output ends when the last process that holds it has ended.
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if victim == "one" and done.returncode == 0:
        # The others had made the rest before anybody saw that it was gone.
        found = sorted(fingerprint(path) for path in tmp_path.iterdir())
        assert found == sorted(fingerprint(path) for path in navigated)
        return
    assert done.returncode == (-signal.SIGKILL if victim == "all" else 1)
    (kept,) = tmp_path.iterdir()
    made = len(list(kept.glob("[0-9]*.npz")))
    assert made >= moment
    if victim == "one":
        assert done.stderr.splitlines()[-1].endswith(
            f"Mendable: a process died after {made} of 13 episodes, kept in {kept}; the same "
            "command goes on from there, with fewer --jobs if memory is short"
        )
    again = collect(NAVIGATE, tmp_path, 12, 60, seed=3, jobs=2)
    assert [fingerprint(p) for p in again] == [fingerprint(p) for p in navigated]
    assert sorted(tmp_path.iterdir()) == sorted(again)


def test_joined_files_are_numpys_own(tmp_path: Path) -> None:
    """Byte for byte, from parts of different lengths."""
    rng, parts = np.random.default_rng(0), []
    for number, rows in enumerate((3, 1, 40)):
        parts.append(
            {
                "observations": rng.integers(0, 9, (rows, 64, 64, 3)).astype(np.uint8),
                "actions": rng.integers(0, 9, rows).astype(np.int32),
                "terminals": np.arange(1, rows + 1) == rows,
                "qpos": rng.normal(size=(rows, 2)).astype(np.float32),
            }
        )
        np.savez_compressed(tmp_path / f"{number}.npz", **parts[-1])
    room.join([tmp_path / f"{number}.npz" for number in range(3)], tmp_path / "joined.npz")
    whole = {field: np.concatenate([part[field] for part in parts]) for field in parts[0]}
    np.savez_compressed(tmp_path / "whole.npz", **whole)
    assert fingerprint(tmp_path / "joined.npz") == fingerprint(tmp_path / "whole.npz")


def test_memory_holds_one_episode_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def filmed(name, steps, seed, number):
        rows = steps + 1
        return {
            "observations": np.full((rows, 64, 64, 3), number, np.uint8),
            "actions": np.zeros((rows, 2), np.float32),
            "terminals": np.arange(1, rows + 1) == rows,
        }

    monkeypatch.setattr(room, "episode", filmed)
    size = 51 * 64 * 64 * 3
    tracemalloc.start()
    try:
        path = collect(NAVIGATE, tmp_path, 20, 50)[0]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size < peak < 4 * size
    frames = read(path)["observations"]
    assert (frames == np.repeat(np.arange(20), 51)[:, None, None, None]).all()


def test_a_disk_full_of_episodes_keeps_them_and_no_half_file(
    navigated: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*call):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array_header_1_0", full)
        with pytest.raises(OSError, match="No space left"):
            collect(NAVIGATE, tmp_path, 12, 60, seed=3)
    (kept,) = tmp_path.iterdir()
    assert {p.name for p in kept.iterdir()} == {f"{number}.npz" for number in range(13)}
    again = collect(NAVIGATE, tmp_path, 12, 60, seed=3)
    assert [fingerprint(p) for p in again] == [fingerprint(p) for p in navigated]


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
