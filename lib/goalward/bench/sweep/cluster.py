"""Trials on Ray: its core places them, and begins them again where a worker or a node is lost."""

import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from goalward.bench.data.names import Mendable
from goalward.bench.sweep.plan import Resources, Trial
from goalward.bench.sweep.process import Lost, run_trial

ANSWER = 5.0
"""Seconds for a port to answer."""
JOIN = 30.0
"""Seconds for a cluster to let a command join; Ray itself would try for many minutes."""
MEMORY = 80 * 2**20
"""Bytes of the object store, which a sweep has no use for; Ray's least."""
EVERY = 1.0
"""Seconds between looks at the trials' folders."""
GONE = 60.0
"""Seconds for a lost node to come back where no other has room for a trial."""

QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
PROBE = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR')"


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be a driver: of a cluster, or of this machine alone, which Ray then runs on for as long.

    Args:
        address: HOST:PORT of the cluster's head, or auto for the one that this machine belongs to;
            None for this machine.

    Raises:
        Mendable: nobody answers there, or it is no cluster that can be joined.
    """
    # Before Ray is imported: it tells nobody that it is used.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is not None:
        _probe(address)
    import ray

    if address is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        ray.init(
            address="local",
            num_cpus=cores if cores != os.cpu_count() else None,  # else Ray knows of containers
            include_dashboard=False,
            object_store_memory=MEMORY,
            **QUIET,
        )
    else:
        ray.init(address=address, **QUIET)
    try:
        yield
    finally:
        ray.shutdown()


def _probe(address: str) -> None:
    """Join a cluster in a process that can be ended: Ray's own patience is long.

    Raises:
        Mendable: it did not work out.
    """
    host, colon, port = address.rpartition(":")
    mend = "start one there with `ray start --head`, or name another --address"
    if address != "auto":
        if "//" in address or not (host and colon and port.isdigit()):
            raise Mendable(f"--address is HOST:PORT of a cluster's head, or auto, not {address}")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
        except (OSError, OverflowError) as error:
            raise Mendable(f"no Ray cluster answers at {address} ({error}): {mend}") from None
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", PROBE, address],
            capture_output=True,
            text=True,
            timeout=JOIN,
        )
    except subprocess.TimeoutExpired:
        raise Mendable(
            f"no Ray cluster answers at {address} within {JOIN:g} seconds: {mend}"
        ) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Mendable(
            f"the Ray cluster at {address} cannot be joined ({lines[-1]}): if it was started with "
            f"a token, set RAY_AUTH_MODE=token here too; else {mend}"
        )


def check_room(resources: Resources, nodes: Sequence[Mapping[str, Any]]) -> None:
    """See that some node has what a trial takes.

    Args:
        resources: of a trial.
        nodes: as `ray.nodes` lists them.

    Raises:
        Mendable: none has.
    """
    held = [node["Resources"] for node in nodes if node["Alive"]]
    if any(
        one.get("CPU", 0) >= resources.cpus and one.get("GPU", 0) >= resources.gpus for one in held
    ):
        return
    have = {(one.get("CPU", 0), one.get("GPU", 0)) for one in held}
    told = " or ".join(str(Resources(cpus, gpus)) for cpus, gpus in sorted(have, reverse=True))
    raise Mendable(
        f"no node has what a trial takes ({resources}), but {told or 'there is none'}: change "
        "[resources], or add a node"
    )


def outcomes(
    trials: Sequence[Trial], resources: Resources, sweep: str, jobs: int | None
) -> Iterator[dict[Trial, str]]:
    """Run trials on the cluster that is joined.

    Args:
        trials: what to run, in this order.
        resources: of each.
        sweep: what `holding` yielded.
        jobs: how many at a time at most; as many as there is room for if None.

    Yields:
        About every `EVERY` seconds, what has ended since: why it failed, empty where it did not.

    Raises:
        Mendable: no node has room for a trial, or none has any longer.
    """
    import ray

    check_room(resources, ray.nodes())
    task = ray.remote(run_trial).options(
        num_cpus=resources.cpus,
        num_gpus=resources.gpus,
        max_retries=resources.retries,
        retry_exceptions=[Lost],
        scheduling_strategy="SPREAD",  # trials are alike: each node has as many as the next
    )
    asked: dict[Any, Trial] = {}
    waiting, seen = deque(trials), time.monotonic()
    while waiting or asked:
        while waiting and (jobs is None or len(asked) < jobs):
            trial = waiting.popleft()
            asked[task.remote(trial, resources, os.getcwd(), sweep)] = trial
        ended, _ = ray.wait(list(asked), num_returns=len(asked), timeout=EVERY)
        yield {asked.pop(one): _reason(one) for one in ended}
        try:
            check_room(resources, ray.nodes())
            seen = time.monotonic()
        except Mendable:
            if time.monotonic() - seen > GONE:
                raise


def _reason(task: Any) -> str:
    """Why a task that has ended failed; empty where it did not."""
    import ray

    try:
        status = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        return str(error.cause).splitlines()[0]
    except ray.exceptions.RayError as error:
        return f"its worker or node was lost too often ({type(error).__name__})"
    return f"exit status {status}" if status else ""
