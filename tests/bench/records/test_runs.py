"""Recorded runs, whole and damaged, in the files that `goalward bench train` writes."""

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goalward.bench.data.names import Mendable
from goalward.bench.records.runs import (
    FREE,
    HEAD,
    SEEDS,
    by_method,
    differing,
    last_shared_step,
    load_runs,
    table,
)

ENV = "pointmaze-medium-navigate-v0"


def record(folder: Path, success: dict[int, Any], log: bool = True, **config: Any) -> Path:
    """A run's files: a log before each evaluation."""
    folder.mkdir(parents=True)
    settings = {"method": "gcbc", "env": ENV, "steps": max(success, default=10), "seeds": 2}
    settings |= {"seed": 0, "batch": 32, "width": 16, "device": "cpu cpu"}
    settings |= {"learning_rate": 0.001, "transitions": 12_000} | config
    (folder / "config.json").write_text(json.dumps(settings, indent=1))
    with (folder / "metrics.jsonl").open("w") as file:
        for step, rates in success.items():
            if log:
                line = {"step": step, "loss": [1.0], "updates_per_second": 5.0 * step}
                file.write(json.dumps(line | {"seconds": 1.0}) + "\n")
            file.write(json.dumps({"step": step, "success": rates, "seconds": 1.5}) + "\n")
    return folder


def heard(folder: Path) -> tuple[list, list[str]]:
    lines: list[str] = []
    return load_runs(folder, lines.append), lines


RATES = {10: [[0.0, 0.5], [0.25, 1.0]], 20: [[0.5, 0.5], [0.5, 1.0]]}


def test_a_run_is_read_as_it_was_measured(tmp_path: Path) -> None:
    record(tmp_path / "a" / "b", RATES)
    ((run,), lines) = heard(tmp_path)
    assert (run.implementation, run.method, run.env, run.seeds) == ("ours", "gcbc", ENV, 2)
    assert run.steps.tolist() == [10, 20]
    np.testing.assert_array_equal(run.success, [RATES[10], RATES[20]])
    np.testing.assert_array_equal(run.at(10), RATES[10])
    assert run.updates_per_second == 75  # the median of 50 and 100
    assert lines == []
    with pytest.raises(Mendable, match="not evaluated after 15 updates, but after 10, 20"):
        run.at(15)


def test_what_train_writes_is_what_is_read(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tqdm import tqdm

    from goalward.bench.offline import train as room

    rates = np.random.default_rng(0).random((2, 5))
    monkeypatch.setattr(room.Arena, "success", lambda *_: rates)
    settings = room.Settings("gcbc", ENV, 20, seeds=2, batch=32, width=16, log_every=10)
    room.Run(settings, tmp_path / "run", data, print).go(tqdm(disable=True))
    ((run,), lines) = heard(tmp_path)
    assert (run.method, run.env, run.seeds, lines) == ("gcbc", ENV, 2, [])
    np.testing.assert_array_equal(run.at(20), rates)
    assert table([run])[0][3:6] == ("2", "20", "32 × 16")


def test_a_run_that_learnt_while_acting_counts_steps_of_its_environments(tmp_path: Path) -> None:
    told = {"method": "sac_her", "env": "point-maze", "steps": 600, "unroll": 25, "batch": 16}
    (tmp_path / "config.json").write_text(json.dumps(told))
    lines = (
        {"step": 200, "env_steps": [198, 198], "loss": [1, 1], "updates_per_second": 30.0},
        {"step": 200, "env_steps": [198, 198], "success_any": [0.5, 1.0], "time_near_goal": [0, 0]},
    )
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ((run,), said) = heard(tmp_path)
    assert (run.unit, run.seeds, run.steps.tolist(), said) == ("environment steps", 2, [200], [])
    np.testing.assert_array_equal(run.at(200), [[0.5], [1.0]])
    assert table([run])[0][HEAD.index("updates")] == "200 of 600 environment steps"
    with pytest.raises(Mendable, match="not evaluated after 100 environment steps, but after 200"):
        run.at(100)


def test_a_run_that_is_being_written_is_read_as_far_as_it_has_come(tmp_path: Path) -> None:
    path = record(tmp_path / "run", RATES, steps=30) / "metrics.jsonl"
    path.write_text(path.read_text()[:-20])
    ((run,), lines) = heard(tmp_path)
    assert run.steps.tolist() == [10]
    assert lines == [
        f"{tmp_path / 'run'}: 1 unreadable line of metrics.jsonl passed over; "
        "a run that is being written may end in half a line"
    ]
    assert table([run])[0][HEAD.index("updates")] == "10 of 30"


def _spoil(name: str, text: str | bytes | None) -> Any:
    def spoil(folder: Path) -> None:
        if text is None:
            (folder / name).unlink()
        elif isinstance(text, bytes):
            (folder / name).write_bytes(text)
        else:
            (folder / name).write_text(text)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_spoil("config.json", '{"method": "gc'), "damaged or not written to its end"),
        (_spoil("config.json", b"\x00\xff\xfe"), "damaged or not written to its end"),
        (_spoil("config.json", "[1]"), "names no method and data set"),
        (_spoil("config.json", '{"model_type": "bert"}'), "names no method and data set"),
        (_spoil("metrics.jsonl", None), "no evaluation yet"),
        (_spoil("metrics.jsonl", ""), "no evaluation yet"),
        (_spoil("metrics.jsonl", '{"step": 5, "loss": [1.0], "seconds": 1}\n'), "no evaluation"),
        (
            _spoil("metrics.jsonl", '{"step":1,"success":[[0]]}\n{"step":2,"success":[[0],[1]]}\n'),
            "different numbers of seeds or tasks",
        ),
    ],
)
def test_what_cannot_be_used_is_left_out_in_one_line(tmp_path: Path, spoil: Any, why: str) -> None:
    record(tmp_path / "good", RATES)
    spoil(record(tmp_path / "spoiled", RATES))
    ((run,), lines) = heard(tmp_path)
    assert run.folder == tmp_path / "good"
    (line,) = lines
    assert line.startswith(f"{tmp_path / 'spoiled'} is left out: ")
    assert why in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 30, "success": [[0.5, 2.0], [0, 0]]}',
        '{"step": 30, "success": [[NaN, 0.0], [0, 0]]}',
        '{"step": 30, "success": [[0.5], [0, 0]]}',
        '{"step": 30, "success": [0.5, 0.5]}',
        '{"step": 30, "success": null}',
        '{"success": [[0.5, 0.5], [0, 0]]}',
        '{"step": null}',
        "[]",
        "5",
        "\x00\x00",
    ],
)
def test_a_line_that_is_no_evaluation_is_passed_over(tmp_path: Path, line: str) -> None:
    with (record(tmp_path / "run", RATES) / "metrics.jsonl").open("a") as file:
        file.write(line + "\n")
    ((run,), (told,)) = heard(tmp_path)
    assert run.steps.tolist() == [10, 20]
    assert "1 unreadable line " in told


def test_nothing_to_read_names_the_mend(tmp_path: Path) -> None:
    with pytest.raises(Mendable, match=r"no folder .*nowhere: name one that holds runs"):
        load_runs(tmp_path / "nowhere")
    with pytest.raises(Mendable, match="holds no run with an evaluation: make one with `goalward"):
        load_runs(tmp_path)


def test_checkpoints_are_not_searched(tmp_path: Path) -> None:
    record(tmp_path / "run", RATES)
    record(tmp_path / "run" / "checkpoints" / "5", RATES)
    assert [run.folder for run in load_runs(tmp_path)] == [tmp_path / "run"]


def test_runs_of_other_seeds_are_joined(tmp_path: Path) -> None:
    record(tmp_path / "0", RATES)
    record(tmp_path / "1", {20: [[1.0, 0.0]], 30: [[0.0, 0.0]]}, seed=1)
    record(tmp_path / "2", RATES, implementation="official")
    record(tmp_path / "3", RATES, env="pointmaze-large-navigate-v0")
    found = by_method(load_runs(tmp_path))
    assert list(found) == [("official", "gcbc"), ("ours", "gcbc")]
    assert found["ours", "gcbc"].keys() == {ENV, "pointmaze-large-navigate-v0"}
    run = found["ours", "gcbc"][ENV]
    assert (run.steps.tolist(), run.seeds) == ([20], 3)
    np.testing.assert_array_equal(run.at(20), [*RATES[20], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"seed": 1, "batch": 64}, "with another batch"),
        ({"seed": 1, "data": "f00"}, "with another data"),
        ({"seed": 1, "alpha": 3.0}, "with another alpha"),
        ({"seed": 1, "extraction": "awr"}, "with another extraction"),
        ({"seed": 1, "learner": "GCBC(gamma=0.9)"}, "with another learner"),
        ({"seed": 1, "a_setting_of_tomorrow": 2}, "with another a_setting_of_tomorrow"),
        ({}, "the same run twice"),
    ],
)
def test_runs_that_are_not_alike_are_not_joined(tmp_path: Path, config: dict, why: str) -> None:
    record(tmp_path / "0", RATES, seed=5)
    record(tmp_path / "1", RATES)
    record(tmp_path / "2", RATES, **config)
    with pytest.raises(Mendable, match=why):
        by_method(load_runs(tmp_path))


def test_runs_are_alike_whatever_their_seeds_and_devices(tmp_path: Path) -> None:
    record(tmp_path / "0", RATES, data="f00")
    record(tmp_path / "1", RATES, data="f00", seed=3, seeds=9, device="gpu", implementation="x")
    record(tmp_path / "2", RATES, data="ba5", learning_rate=0.1, implementation="x")
    first, other, another = sorted(load_runs(tmp_path), key=lambda run: run.folder)
    assert differing(first, other) == []
    assert differing(first, another) == ["learning_rate", "data"]


def test_what_touches_no_update_may_differ(tmp_path: Path) -> None:
    free = dict.fromkeys(FREE, 7) | {"device": "gpu", "devices": 2, "versions": {}, "file": "x"}
    record(tmp_path / "0", RATES)
    record(tmp_path / "1", RATES, seed=1, extraction=None, alpha=None, **free)
    assert by_method(load_runs(tmp_path))["ours", "gcbc"][ENV].seeds == 4
    pytest.importorskip("ogbench")
    from goalward.bench.offline import settings

    assert settings.FREE == FREE
    asked = {"learning_rate", "extraction", "alpha", "batch", "width", "method", "env"}
    assert {f.name for f in fields(settings.Settings)} == {*FREE, *SEEDS, *asked}


def test_two_implementations_share_what_both_say(tmp_path: Path) -> None:
    record(tmp_path / "0", RATES, learner="GCBC()", alpha=0.3)
    record(tmp_path / "1", RATES, implementation="official", commit="1d4", alpha=0.3)
    record(tmp_path / "2", RATES, implementation="official", commit="1d4", seed=1)
    ours, official, older = sorted(load_runs(tmp_path), key=lambda run: run.folder)
    assert differing(ours, official) == differing(official, ours) == []
    assert differing(ours, older) == differing(older, official) == ["alpha"]


def test_runs_without_a_shared_evaluation_are_not_joined(tmp_path: Path) -> None:
    record(tmp_path / "0", RATES)
    record(tmp_path / "1", {15: [[1.0, 0.0]]}, seed=1)
    with pytest.raises(Mendable, match=r"share no evaluation.*--eval-every"):
        by_method(load_runs(tmp_path))


def test_runs_are_compared_where_all_were_evaluated(tmp_path: Path) -> None:
    record(tmp_path / "0", RATES)
    record(tmp_path / "1", {30: RATES[20], 10: RATES[10]}, method="qrl")
    runs = load_runs(tmp_path)
    assert last_shared_step(runs) == 10
    assert last_shared_step(runs[1:]) == 30
    record(tmp_path / "2", {15: [[1.0, 0.0]]}, method="crl")
    with pytest.raises(Mendable, match="share no evaluation: train all"):
        last_shared_step(load_runs(tmp_path))


def test_the_table_says_what_there_is(tmp_path: Path) -> None:
    record(tmp_path / "0", RATES, implementation="official", steps=20_000)
    record(tmp_path / "1", RATES, log=False)
    record(tmp_path / "2", {20: [[0.0, 0.0], [0.0, 0.5]]}, env="pointmaze-large-navigate-v0")
    rows = table(load_runs(tmp_path))
    assert [len(row) for row in rows] == [len(HEAD)] * 2
    sizes = ("32 × 16", "0.001", "12,000")
    assert rows == [
        ("official", "gcbc", ENV, "2", "20 of 20,000", *sizes, "75", "0.62", "cpu cpu"),
        ("ours", "gcbc", "2", "2", "20", *sizes, "100", "0.12 to 0.62", "cpu cpu"),
    ]
    rows = table([run for run in load_runs(tmp_path) if run.folder.name == "1"])
    assert rows[0][HEAD.index("updates/s")] == "–"


def test_no_simulator_is_needed() -> None:
    heavy = "{'jax', 'flax', 'optax', 'mujoco', 'gymnasium', 'ogbench', 'orbax'}"
    code = f"import sys, goalward.bench.records.runs; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_page_on_recorded_runs_shows_the_runs_that_are_recorded() -> None:
    folder = Path(__file__).parents[3] / "notebooks" / "9_analysis"
    pair = json.loads((folder / "analysis.ipynb").read_text(encoding="utf-8"))
    shown = [o.get("data", {}) for c in pair["cells"] for o in c.get("outputs", [])]
    (text,) = [
        "".join(data["text/plain"])
        for data in shown
        if "".join(data.get("text/plain", "")).startswith(HEAD[0])
    ]
    joined = by_method(load_runs(folder / "runs", pytest.fail)).values()
    rows = table(run for by_env in joined for run in by_env.values())
    assert text.splitlines() == ["  ".join(row) for row in (HEAD, *rows)], (
        "the runs changed: `goalward run analysis`"
    )
    assert sum(p.stat().st_size for p in (folder / "runs").rglob("*") if p.is_file()) < 1e6


def test_the_page_puts_no_methods_beside_each_other_on_different_data(tmp_path: Path) -> None:
    """A sweep that is half done: no data set has runs of all methods."""
    large, rates = "pointmaze-large-navigate-v0", {10: [[0.5] * 5, [0.75] * 5]}
    record(tmp_path / "runs" / "gcbc", rates)
    record(tmp_path / "runs" / "qrl", rates, method="qrl", env=large)
    root = Path(__file__).parents[3]
    page = (root / "notebooks/9_analysis/analysis.py").read_text(encoding="utf-8")
    script = tmp_path / "page.py"
    script.write_text(
        page.replace('RUNS = "runs"', f"RUNS = {str(tmp_path / 'runs')!r}"), encoding="utf-8"
    )
    environ = os.environ | {"GOALWARD_SCALE": "smoke", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environ, check=True
    )
    for line in (
        "no summary: no data set has runs of all methods",
        "no profiles: no data set has runs of all methods",
        f"ours GCBC has no runs on {large}",
        "no two methods have runs on the same data set: nothing to compare",
    ):
        assert line in done.stdout
