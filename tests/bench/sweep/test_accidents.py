"""A sweep on a real Ray cluster that loses a worker, a node and its driver: nothing else is lost.

The cluster is three nodes in this machine, in a process of its own. Trials are of one method, so
that they compile one program, and those that nobody disturbs compile it while the cluster starts.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")
pytest.importorskip("ogbench")
import jax
import numpy as np
import orbax.checkpoint as ocp

from goalward import cli

pytestmark = pytest.mark.slow
# A head that runs nothing, and two nodes, without what serves no trial: workers before there is a
# task, monitors. `{"remove": PID}` ends the node of that process; `{"run": [...]}` runs goalward.
HOST = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from ray.cluster_utils import Cluster
from goalward import cli

small = {
    "object_store_memory": 80 * 2**20,
    "include_dashboard": False,
    "include_log_monitor": False,
}
system = {
    "prestart_worker_first_driver": False,
    "enable_worker_prestart": False,
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 3,
}
head = {"num_cpus": 0, "no_monitor": True, "_system_config": system, **small}
cluster = Cluster(True, head_node_args=head)
nodes = [cluster.add_node(num_cpus=2, **small) for _ in range(2)]
print(json.dumps(cluster.address), flush=True)
for line in sys.stdin:
    order, done = json.loads(line), None
    if "remove" in order:
        pid = order["remove"]
        (lost,) = (n for n in nodes if n.all_processes["raylet"][0].process.pid == pid)
        cluster.remove_node(lost, allow_graceful=False)
    else:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = cli.main(order["run"])
        done = [status, out.getvalue().splitlines(), err.getvalue().splitlines()]
    print(json.dumps(done), flush=True)
cluster.shutdown()
"""
NAME = "pointmaze-medium-navigate-v0"
METHOD = "gcbc"
SIZES = {
    "steps": 300,
    "batch": 32,
    "width": 8,
    "log-every": 10,
    "checkpoint-every": 10,
    "eval-episodes": 1,
}
GOOD, BAD = (0, 1), 2
"""Seeds; the folder of the last one is damaged."""


@pytest.fixture
def cluster(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Where it is comes as its first line."""
    host = subprocess.Popen(
        [sys.executable, "-c", HOST],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    with host:
        try:
            yield host
        finally:
            # Workers are sessions of their own, and end with their nodes.
            os.killpg(host.pid, signal.SIGKILL)


@pytest.fixture
def environment(compiled: Path) -> Iterator[dict[str, str]]:
    """No news to anyone, little compiled twice, and names short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ray") as place:
        yield {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "disabled",
            "RAY_TMPDIR": place,
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }


def ask(cluster: subprocess.Popen[str], **order: object) -> Any:
    """What the cluster's process answers."""
    assert cluster.stdin is not None
    assert cluster.stdout is not None
    if order:
        cluster.stdin.write(json.dumps(order) + "\n")
        cluster.stdin.flush()
    return json.loads(cluster.stdout.readline())


def until(true: Callable[[], object], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def starts(folder: Path) -> list[dict]:
    path = folder / "starts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def metrics(folder: Path) -> list[dict]:
    """The lines, without the times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in line.items() if k not in ("seconds", "updates_per_second")}
        for line in lines
    ]


def states(folder: Path) -> list[np.ndarray]:
    """The numbers of the last checkpoint."""
    path = (folder / "checkpoints" / str(SIZES["steps"]) / "states").absolute()
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # on which devices
        return jax.tree.leaves(ocp.PyTreeCheckpointer().restore(path))


def test_whatever_is_lost_each_trial_ends_once_as_if_nothing_had_been(
    cluster: subprocess.Popen[str],
    environment: dict[str, str],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, file = tmp_path / "runs", tmp_path / "sweep.toml"
    fixed = {"env": NAME, "data": str(data), **SIZES}
    options = [f"--{key}={value}" for key, value in fixed.items()]
    for seed in GOOD:
        undisturbed = [METHOD, *options, f"--seed={seed}", f"--out={tmp_path / str(seed)}"]
        assert cli.main(["bench", "train", *undisturbed]) == 0
    address = ask(cluster)

    lines = [
        f"out = {str(out)!r}",
        'command = "bench train"',
        "[fixed]",
        *(f"{key} = {value!r}" for key, value in fixed.items()),
        f"method = {METHOD!r}",
        "[grid]",
        f"seed = {[*GOOD, BAD]}",
        "[resources]",
    ]
    command = ["sweep", str(file), f"--address={address}"]

    file.write_text("\n".join([*lines, "gpus = 1"]))
    status, _, (line,) = ask(cluster, run=command)
    assert status == 1
    assert "no node has what a trial takes (1 core, 1 GPU), but 2 cores or 0 cores" in line
    assert not list(out.glob("*/"))

    file.write_text("\n".join([*lines, "retries = 3"]))
    *good, bad = (out / f"{METHOD},{NAME},batch=32,seed={s},width=8" for s in (*GOOD, BAD))
    bad.mkdir()
    (bad / "config.json").write_text("{")

    def begun(folder: Path, times: int) -> Callable[[], bool]:
        return lambda: len(starts(folder)) >= times

    def saved(folder: Path) -> bool:  # the newest may still be incomplete
        return sum(p.name.isdigit() for p in folder.glob("checkpoints/*")) > 1

    told = tmp_path / "told.txt"
    with told.open("w") as log:
        driver = subprocess.Popen(
            [sys.executable, "-m", "goalward.cli", *command],
            stdout=log,
            stderr=log,
            env=environment,
        )
        try:
            until(lambda: any(map(saved, good)), "a trial saves")
            first, second = sorted(good, key=saved, reverse=True)
            os.kill(parent(starts(first)[-1]["keeper"]), signal.SIGKILL)
            until(lambda: saved(second), "the second trial saves")
            os.kill(child(starts(second)[-1]["keeper"]), signal.SIGKILL)
            until(begun(second, 2), "a trial that was killed itself is begun again")
            ask(cluster, remove=parent(parent(starts(second)[-1]["keeper"])))
            until(begun(second, 3), "the second trial is begun on another node")
            until(begun(first, 2), "the first trial is begun again")
            until(lambda: "begun again (2)" in told.read_text(), "the user is told")
        finally:
            driver.kill()
            driver.wait()
    status, said, complaints = ask(cluster, run=command)
    assert status == 1, complaints  # the one that can never be

    rows = [row.split()[:2] for row in said[-3:]]
    assert rows == [["finished", "100%"]] * 2 + [["failed", "0%"]]
    assert "config.json is damaged" in complaints[-1]
    assert sorted(p for p in out.iterdir() if p.is_dir()) == sorted([*good, bad])
    for seed, folder in zip(GOOD, good, strict=True):
        undisturbed = tmp_path / str(seed)
        assert metrics(folder) == metrics(undisturbed)
        pairs = zip(states(folder), states(undisturbed), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
        log = (folder / "log.txt").read_text()
        assert "going on from the checkpoint" in log
        assert log.count("== ") == len(starts(folder)) >= 2
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    capsys.readouterr()
    assert cli.main(["sweep", str(file), "--dry-run"]) == 0
    assert "3 trials of 1 core; 2 finished; 1 begun" in capsys.readouterr().out
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("*")}
