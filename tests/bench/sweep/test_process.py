"""A trial's process: what it leaves, and that no orphan of it goes on, with a stand-in command."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from goalward.bench.data.names import Mendable
from goalward.bench.sweep import process
from goalward.bench.sweep.plan import Resources, Trial
from goalward.bench.sweep.process import (
    FINISHED,
    LOCK,
    LOG,
    STARTS,
    Lost,
    environment,
    finished,
    holding,
    run_trial,
)

# In place of `python -m MODULE`: the keeper itself, or a command that does as its method says.
STAND_IN = """
import json, os, sys, time
from pathlib import Path

module, *rest = sys.argv[1:]
if module.endswith("process"):
    from goalward.bench.sweep import process
    process.PYTHON = (sys.executable, __file__)
    process.PATIENCE = 1.0
    sys.exit(process._keep(Path(rest[0]), rest[1], json.loads(rest[2])))
method, out = rest[2], Path(rest[-1].removeprefix("--out="))
print("said", method)
print("complained", file=sys.stderr)
with (out / "ran").open("a") as file:
    file.write(f"{os.getpid()}\\n")
if method == "sleeps":
    time.sleep(60)
if method == "dies":
    os.kill(os.getpid(), 9)
sys.exit(3 if method == "fails" else 0)
"""


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Trial]:
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN)
    monkeypatch.setattr(process, "PYTHON", (sys.executable, str(stand_in)))
    (tmp_path / "out").mkdir()

    def make(method: str) -> Trial:
        arguments = ("bench", "train", method, "--env=e")
        return Trial(tmp_path / "out" / method, arguments, (method, "e"), 1)

    return make


def run(trial: Trial, sweep: str = "") -> int:
    return run_trial(trial, Resources(), str(trial.folder.parent), sweep)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free(lock: Path) -> bool:
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_what_ended_well_is_not_begun_again(trial: Callable[[str], Trial]) -> None:
    made = trial("learns")
    with holding(made.folder.parent) as sweep:
        assert run(made, sweep) == 0
        (start,) = (json.loads(line) for line in lines(made.folder / STARTS))
        assert start["sweep"] == sweep
        head, *told = lines(made.folder / LOG)
        assert head.startswith("== 2")
        assert head.endswith(f"on {start['node']}: goalward bench train learns --env=e")
        assert sorted(told) == ["complained", "said learns"]
        assert finished(made.folder, made.arguments)
        assert not finished(made.folder, (*made.arguments, "--steps=2"))
        assert run(made, sweep) == 0
    assert len(lines(made.folder / "ran")) == len(lines(made.folder / STARTS)) == 1


def test_what_failed_is_begun_again(trial: Callable[[str], Trial]) -> None:
    made = trial("fails")
    assert [run(made), run(made)] == [3, 3]
    assert not (made.folder / FINISHED).exists()
    assert lines(made.folder / LOG).count("said fails") == 2
    assert len(lines(made.folder / "ran")) == 2


def test_what_was_killed_is_lost(trial: Callable[[str], Trial]) -> None:
    made = trial("dies")
    with pytest.raises(Lost, match="killed by signal 9"):
        run(made)
    assert not (made.folder / FINISHED).exists()
    assert lines(made.folder / LOG)[-1] == "complained"


def test_it_dies_with_whoever_runs_it(trial: Callable[[str], Trial]) -> None:
    """The worker of a lost node, or the command of `--trial`, is killed: nothing is left."""
    made = trial("sleeps")
    code = (
        "import sys; from goalward.bench.sweep import process; from pathlib import Path\n"
        f"process.PYTHON = {process.PYTHON!r}\n"
        f"made = process.Trial(Path({str(made.folder)!r}), {made.arguments!r}, ('m', 'e'), 1)\n"
        "process.run_trial(made, process.Resources(), '.', '')"
    )
    worker = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: lines(made.folder / "ran"))
    (pid,) = map(int, lines(made.folder / "ran"))
    keeper = json.loads(lines(made.folder / STARTS)[0])["keeper"]
    assert os.getpgid(pid) == keeper
    worker.kill()
    worker.wait()
    # A killed process counts as gone while a thread of it still closes its files.
    until(lambda: not lives(pid) and not lives(keeper) and free(made.folder / LOCK))
    assert not (made.folder / FINISHED).exists()


def test_the_command_holds_the_lock_without_its_keeper(trial: Callable[[str], Trial]) -> None:
    made = trial("sleeps")
    made.folder.mkdir()
    keeper = subprocess.Popen(
        [*process.PYTHON, process.__name__, made.folder, "", json.dumps(made.arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with keeper:
        until(lambda: lines(made.folder / "ran"))
        (pid,) = map(int, lines(made.folder / "ran"))
        keeper.kill()
        keeper.wait()
        assert lives(pid)
        with pytest.raises(Lost, match="an earlier attempt is still at work"):
            run(made)  # after its patience
        assert len(lines(made.folder / "ran")) == 1
        os.kill(pid, signal.SIGKILL)
        until(lambda: free(made.folder / LOCK))


def test_the_next_attempt_waits_for_the_lock(trial: Callable[[str], Trial]) -> None:
    made = trial("learns")
    made.folder.mkdir()
    code = f"import fcntl, time; f = open({str(made.folder / LOCK)!r}, 'a'); fcntl.flock(f, 2)\n"
    holder = subprocess.Popen(
        [sys.executable, "-c", code + "print(flush=True); time.sleep(0.7)"], stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert run(made) == 0
        assert holder.poll() == 0


def test_a_node_that_sees_other_folders_is_told(trial: Callable[[str], Trial]) -> None:
    made = trial("learns")
    out = made.folder.parent
    with holding(out), pytest.raises(Mendable, match=r"does not see .*: every node must see out"):
        run(made, "another sweep")
    (out / LOCK).unlink()
    with pytest.raises(Mendable, match="every node must see out"):
        run(made, "a sweep")
    with pytest.raises(Mendable, match="every node must see the folder that the command is given"):
        run_trial(made, Resources(), str(out / "nowhere"), "")
    assert list(out.iterdir()) == []


def test_a_folder_is_of_one_sweep_or_of_single_trials(tmp_path: Path) -> None:
    out, busy = tmp_path / "new" / "runs", "another sweep is at work in .*: wait for it"
    with holding(out) as sweep:
        for alone in (True, False):
            with pytest.raises(Mendable, match=busy), holding(out, alone):
                pass
        assert (out / LOCK).read_text() == sweep
    single = holding(out, alone=False), holding(out, alone=False)
    with single[0], single[1], pytest.raises(Mendable, match=busy), holding(out):
        pass
    with holding(out) as another:
        assert (out / LOCK).read_text() == another != sweep


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        (Resources(cpus=4), {"OMP_NUM_THREADS": "4", "NPROC": "4", "JAX_PLATFORMS": "cpu"}),
        (Resources(cpus=0.5), {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}),
        (Resources(gpus=0.5), {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.450"}),
        (Resources(gpus=0.25), {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.225"}),
        (Resources(gpus=1), {"JAX_PLATFORMS": "cuda,cpu", "XLA_PYTHON_CLIENT_MEM_FRACTION": None}),
    ],
)
def test_as_many_threads_as_cores_and_its_share_of_a_gpu(
    resources: Resources, told: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION", raising=False)
    made = environment(resources)
    assert {key: made.get(key) for key in told} == told
    assert made["PATH"] == os.environ["PATH"]
    monkeypatch.setenv("JAX_PLATFORMS", "rocm")
    wanted = "rocm" if resources.gpus else "cpu"
    assert environment(resources)["JAX_PLATFORMS"] == wanted
