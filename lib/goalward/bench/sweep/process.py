"""A trial as a process of its own, which dies with whoever started it.

`run_trial` is what a node is asked to do. It starts this module as a small keeper, and the keeper
starts the command; both are a session of their own. The keeper's standard input is a pipe that only
`run_trial`'s process holds open. However that process ends, the pipe ends too, and the keeper kills
the session: no orphan goes on writing. Keeper and command hold the trial's lock together, so the
next to begin the trial, on whatever node, waits until both are gone.
"""

import fcntl
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO

from goalward.bench.data.names import Mendable
from goalward.bench.runs.files import write_whole
from goalward.bench.sweep.plan import Resources, Trial

LOG, STARTS, FINISHED, LOCK = "log.txt", "starts.jsonl", "finished.json", "sweep.lock"
"""Files of a trial's folder; the last one of the sweep's too."""
PATIENCE = 60.0
"""Seconds to wait for the lock of a trial that was lost."""
IN_USE = 75
"""Exit status where that was not enough."""
KILLED = 128
"""What shells add to a signal's number."""
SHARE = 0.9
"""Of a GPU's memory, for the trials that share it; the rest is the driver's."""

PYTHON = (sys.executable, "-P", "-m")
"""Runs a module as the installed command would, whatever lies in the working folder."""


class Lost(Exception):
    """A trial was killed, or its folder not let go: it may well run if begun again."""


@contextmanager
def holding(out: Path, alone: bool = True) -> Iterator[str]:
    """Hold a sweep's folder; yield what its trials know this sweep by.

    Args:
        out: the folder, made if it is not there.
        alone: as the sweep, or with others that run one trial each.

    Raises:
        Mendable: someone else holds it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Mendable(
                f"another sweep is at work in {out}: wait for it, or name another folder with out"
            ) from None
        if not alone:
            yield ""
            return
        sweep = f"{socket.gethostname()} {os.getpid()} {time.time()}"
        file.truncate(0)
        file.write(sweep)
        file.flush()
        os.fsync(file.fileno())
        yield sweep


def finished(folder: Path, arguments: Sequence[str]) -> bool:
    """Whether a trial's command, as it stands now, has ended well."""
    try:
        told = json.loads((folder / FINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(told == list(arguments))


def run_trial(trial: Trial, resources: Resources, place: str, sweep: str) -> int:
    """Run a trial to its end, here and now; go on where an earlier attempt was stopped.

    Args:
        trial: what to run.
        resources: what it may take.
        place: the folder that the command is given in.
        sweep: what `holding` yielded; empty for none.

    Returns:
        The command's exit status.

    Raises:
        Lost: it was killed, or an earlier attempt is still at work in its folder.
        Mendable: the sweep's folder is not the one that the sweep sees.
    """
    out = trial.folder.parent
    if sweep and _text(out / LOCK) != sweep:
        raise Mendable(f"{socket.gethostname()} does not see {out}: every node must see out")
    if not Path(place).is_dir():
        raise Mendable(
            f"{socket.gethostname()} does not see {place}: every node must see the folder that the "
            "command is given in"
        )
    trial.folder.mkdir(exist_ok=True)
    keeper = [*PYTHON, __name__, str(trial.folder), sweep, json.dumps(trial.arguments)]
    with (trial.folder / LOG).open("ab") as log:
        started = subprocess.Popen(
            keeper,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=place,
            env=environment(resources),
            start_new_session=True,
        )
        try:
            status = started.wait()
        finally:
            assert started.stdin is not None
            started.stdin.close()
            started.wait()
    if status == IN_USE:
        raise Lost(f"an earlier attempt is still at work in {trial.folder}")
    if status < 0 or status > KILLED:
        raise Lost(f"killed by signal {-status if status < 0 else status - KILLED}")
    return status


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def environment(resources: Resources) -> dict[str, str]:
    """The variables of a trial's process: as many threads as cores, its share of a GPU's memory."""
    threads = str(max(1, int(resources.cpus)))
    counts = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    made = {**os.environ, **dict.fromkeys(counts, threads), "PYTHONUNBUFFERED": "1"}
    if not resources.gpus:
        return made | {"JAX_PLATFORMS": "cpu"}
    made.setdefault("JAX_PLATFORMS", "cuda,cpu")  # rather fail than take to the processor
    if resources.gpus < 1:
        made["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{SHARE * resources.gpus:.3f}"
    return made


def _keep(folder: Path, sweep: str, arguments: Sequence[str]) -> int:
    """The keeper: run the command; kill it, and itself, when standard input ends."""
    Thread(target=_end_with_input, daemon=True).start()
    with (folder / LOCK).open("a") as lock:
        if not _locked(lock):
            return IN_USE
        if finished(folder, arguments):
            return 0
        _note_start(folder, sweep, arguments)
        command = [*PYTHON, "goalward.cli", *arguments, f"--out={folder}"]
        # Whoever of both lives holds the lock.
        status = subprocess.run(command, stdin=subprocess.DEVNULL, pass_fds=[lock.fileno()])
        if status.returncode == 0:
            write_whole(folder / FINISHED, json.dumps(list(arguments)))
    return status.returncode if status.returncode >= 0 else KILLED - status.returncode


def _end_with_input() -> None:
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


def _locked(lock: IO[str]) -> bool:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.1)


def _note_start(folder: Path, sweep: str, arguments: Sequence[str]) -> None:
    node, when = socket.gethostname(), time.strftime("%Y-%m-%d %H:%M:%S")
    with (folder / STARTS).open("a", encoding="utf-8") as file:
        told = {"sweep": sweep, "node": node, "when": when, "keeper": os.getpid()}
        file.write(json.dumps(told) + "\n")
    print(f"== {when} on {node}: goalward {shlex.join(arguments)}", flush=True)


if __name__ == "__main__":
    sys.exit(_keep(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])))
