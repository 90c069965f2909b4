"""Runs that are reached by links: people choose runs to compare by linking them."""

import json
from pathlib import Path

import pytest

from goalward.bench.records.runs import load_runs


def record(folder: Path) -> Path:
    folder.mkdir(parents=True)
    config = {"method": "gcbc", "env": "pointmaze-medium-navigate-v0", "seed": 0}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.jsonl").write_text('{"step": 1, "success": [[0.5]]}\n')
    return folder


@pytest.mark.parametrize("what", ["a run", "a folder of runs"])
def test_linked_runs_are_found_once(what: str, tmp_path: Path) -> None:
    run = record(tmp_path / "store" / "a")
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "b").symlink_to(run if what == "a run" else run.parent)
    (chosen / "again").symlink_to(run)
    (chosen / "up").symlink_to(tmp_path)  # leads back above
    (found,) = load_runs(chosen, say=pytest.fail)
    assert found.folder == chosen / "again"


def test_what_lies_among_checkpoints_is_no_run(tmp_path: Path) -> None:
    run = record(tmp_path / "checkpoints" / "a")
    record(run / "checkpoints" / "5")
    (found,) = load_runs(run, say=pytest.fail)
    assert found.folder == run
