"""Event files, as TensorBoard's own reader reads them."""

from pathlib import Path

import pytest

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from goalward.bench.runs.events import Events

ENTRIES = [
    {"step": 10, "loss": [2.0, 3.0], "updates_per_second": 50.0, "seconds": 0.5},
    {"step": 20, "loss": [1.0, 2.5], "updates_per_second": 40.0, "seconds": 1.0},
    {"step": 20, "success": [[0.0, 1.0], [0.5, 0.25]], "seconds": 2.0},
]


def write(folder: Path, entries: list[dict]) -> Events:
    events = Events(folder, 2, begun=1000.0)
    for entry in entries:
        events.add(entry)
    return events


def curves(folder: Path) -> dict[str, list[tuple[int, float, float]]]:
    """Step, value and time of each point of each curve in a folder."""
    reader = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    return {
        tag: [(point.step, point.value, point.wall_time) for point in reader.Scalars(tag)]
        for tag in reader.Tags()["scalars"]
    }


def test_each_seed_has_its_curves(tmp_path: Path) -> None:
    write(tmp_path, ENTRIES).close()
    assert curves(tmp_path / "seed1") == {
        "training/loss": [(10, 3.0, 1000.5), (20, 2.5, 1001.0)],
        "speed/updates per second": [(10, 50.0, 1000.5), (20, 40.0, 1001.0)],
        "success/mean": [(20, 0.375, 1002.0)],
        "success/task 1": [(20, 0.5, 1002.0)],
        "success/task 2": [(20, 0.25, 1002.0)],
    }
    assert curves(tmp_path / "seed0")["success/mean"] == [(20, 0.5, 1002.0)]


def test_they_are_readable_while_they_grow_and_after_a_kill(tmp_path: Path) -> None:
    events = write(tmp_path, ENTRIES[:2])
    assert len(curves(tmp_path / "seed0")["training/loss"]) == 2
    events.close()
    (path,) = (tmp_path / "seed0").iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    assert len(curves(tmp_path / "seed0")["training/loss"]) == 1


def test_what_was_dropped_is_gone(tmp_path: Path) -> None:
    write(tmp_path, ENTRIES).close()
    write(tmp_path, ENTRIES[:1]).close()
    assert curves(tmp_path / "seed0") == {
        "training/loss": [(10, 2.0, 1000.5)],
        "speed/updates per second": [(10, 50.0, 1000.5)],
    }
