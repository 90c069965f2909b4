"""A sweep on a real Ray cluster that loses a worker, a node and its driver: nothing else is lost.

The cluster is three nodes in this machine, in a process of its own.
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

import pytest

pytest.importorskip("ray")
pytest.importorskip("ogbench")
import jax
import numpy as np
import orbax.checkpoint as ocp

from goalward import cli

pytestmark = pytest.mark.slow
# A head that runs nothing, and two nodes; the line `remove PID` ends the node of that process.
HOST = """
import sys
from ray.cluster_utils import Cluster

small = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
health = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 3,
}
cluster = Cluster(True, head_node_args={"num_cpus": 0, "_system_config": health, **small})
nodes = [cluster.add_node(num_cpus=2, **small) for _ in range(2)]
print(cluster.address, flush=True)
for line in sys.stdin:
    pid = int(line.split()[1])
    (lost,) = (n for n in nodes if n.all_processes["raylet"][0].process.pid == pid)
    cluster.remove_node(lost, allow_graceful=False)
    print("removed", flush=True)
cluster.shutdown()
"""
NAME = "pointmaze-medium-navigate-v0"
SIZES = {
    "steps": 300,
    "batch": 32,
    "width": 8,
    "log-every": 10,
    "checkpoint-every": 10,
    "eval-episodes": 1,
}
GOOD, BAD = ("gcbc", "gcivl"), "gciql"


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
    cluster: subprocess.Popen[str], environment: dict[str, str], data: Path, tmp_path: Path
) -> None:
    out, file = tmp_path / "runs", tmp_path / "sweep.toml"
    fixed = {"env": NAME, "data": str(data), **SIZES}
    lines = [
        f"out = {str(out)!r}",
        'command = "bench train"',
        "[fixed]",
        *(f"{key} = {value!r}" for key, value in fixed.items()),
        "[grid]",
        f"method = {[*GOOD, BAD]}",
        "[resources]",
    ]
    assert cluster.stdin is not None
    assert cluster.stdout is not None
    address = cluster.stdout.readline().strip()
    command = [sys.executable, "-m", "goalward.cli", "sweep", str(file), f"--address={address}"]

    file.write_text("\n".join([*lines, "gpus = 1"]))
    refused = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "no node has what a trial takes (1 core, 1 GPU), but 2 cores or 0 cores" in line
    assert not list(out.glob("*/"))

    file.write_text("\n".join([*lines, "retries = 3"]))
    first, second, bad = (out / f"{m},{NAME},batch=32,width=8" for m in (*GOOD, BAD))

    bad.mkdir()
    (bad / "config.json").write_text("{")

    def begun(folder: Path, times: int) -> Callable[[], bool]:
        return lambda: len(starts(folder)) >= times

    def saved(folder: Path) -> Callable[[], bool]:
        return lambda: any(p.name.isdigit() for p in folder.glob("checkpoints/*"))

    told = tmp_path / "told.txt"
    with told.open("w") as log:
        driver = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            until(saved(first), "the first trial saves")
            os.kill(parent(starts(first)[-1]["keeper"]), signal.SIGKILL)
            until(saved(second), "the second trial saves")
            os.kill(child(starts(second)[-1]["keeper"]), signal.SIGKILL)
            until(begun(second, 2), "a trial that was killed itself is begun again")
            node = parent(parent(starts(second)[-1]["keeper"]))
            cluster.stdin.write(f"remove {node}\n")
            cluster.stdin.flush()
            assert cluster.stdout.readline() == "removed\n"
            until(begun(second, 3), "the second trial is begun on another node")
            until(begun(first, 2), "the first trial is begun again")
            until(lambda: "begun again (2)" in told.read_text(), "the user is told")
        finally:
            driver.kill()
            driver.wait()
    again = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert again.returncode == 1, again.stderr  # the one that can never be

    rows = again.stdout.splitlines()[-3:]
    assert [row.split()[:2] for row in rows] == [["finished", "100%"]] * 2 + [["failed", "0%"]]
    assert "config.json is damaged" in again.stderr
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == sorted(
        p.name for p in (first, second, bad)
    )
    for method, folder in zip(GOOD, (first, second), strict=True):
        undisturbed = tmp_path / method
        options = [f"--{key}={value}" for key, value in fixed.items()]
        assert cli.main(["bench", "train", method, *options, f"--out={undisturbed}"]) == 0
        assert metrics(folder) == metrics(undisturbed)
        pairs = zip(states(folder), states(undisturbed), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
        log = (folder / "log.txt").read_text()
        assert "going on from the checkpoint" in log
        assert log.count("== ") == len(starts(folder)) >= 2
    before = {p: p.stat().st_mtime_ns for p in first.rglob("*")}
    wanted = [sys.executable, "-m", "goalward.cli", "sweep", str(file), "--dry-run"]
    shown = subprocess.run(wanted, capture_output=True, text=True, env=environment).stdout
    assert "3 trials of 1 core; 2 finished; 1 begun" in shown
    assert before == {p: p.stat().st_mtime_ns for p in first.rglob("*")}
