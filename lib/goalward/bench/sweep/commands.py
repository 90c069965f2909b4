"""`goalward sweep`: what the command line calls."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Add = Callable[..., argparse.ArgumentParser]
MOST = 125
"""Failed trials that the exit status counts; from 126 on a shell means something else."""


def register(add: Add, need: Callable[[str], Any]) -> None:
    """Add the command to the command line.

    Args:
        add: adds a command and gives its parser.
        need: complains where an extra is not installed.
    """

    def run(options: argparse.Namespace) -> int:
        return _sweep(options, need)

    sweep = add(
        "sweep",
        run,
        "run every combination of a file's settings, on this machine or on a Ray cluster; go on "
        "where an earlier sweep was stopped",
        "goalward sweep energies.toml --dry-run",
    )
    sweep.add_argument("file", type=Path, metavar="FILE", help="what to run: a TOML file")
    sweep.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of a Ray cluster's head, or auto for the cluster that this machine is in; without "
        "it, this machine alone",
    )
    sweep.add_argument(
        "--jobs", type=int, metavar="N", help="trials at a time; by default as many as have room"
    )
    sweep.add_argument(
        "--dry-run",
        action="store_true",
        help="start nothing: show the trials, how far each has come, and how long the rest takes",
    )
    sweep.add_argument(
        "--trial",
        type=int,
        metavar="N",
        help="run the trial of this number alone, here and without Ray: for arrays of jobs",
    )
    assert sweep.epilog is not None
    sweep.epilog += (
        f"\n\nThe exit status is the number of trials that failed, {MOST} for more than that; "
        "\n130 after Ctrl-C. The same command goes on."
    )


def _sweep(options: argparse.Namespace, need: Callable[[str], Any]) -> int:
    from goalward.bench.data.names import Unknown
    from goalward.bench.sweep.plan import read
    from goalward.bench.sweep.process import holding
    from goalward.bench.sweep.state import Watch

    if options.jobs is not None and options.jobs < 1:
        raise Unknown(f"--jobs is at least 1, not {options.jobs}")
    plan = read(options.file)
    if options.dry_run:
        _show([Watch(trial).look() for trial in plan.trials], plan.resources, options.jobs)
        return 0
    if options.trial is not None:
        return _one(plan, options.trial)
    need("cluster")
    with holding(plan.out) as sweep:
        watches = [Watch(trial, sweep).look() for trial in plan.trials]
        return _all(plan, watches, sweep, options)


def _show(watches: Sequence[Any], resources: Any, jobs: int | None) -> None:
    from goalward.bench.sweep.state import table

    for number, line in enumerate(table(watches)):
        print(f"{number or '':>4}  {line}")
    print(_told(watches, resources, jobs))


def _told(watches: Sequence[Any], resources: Any, jobs: int | None) -> str:
    """How many trials there are, and how long they will take, as far as that is known."""
    from goalward.bench.sweep.state import estimate

    count = len(watches)
    told = [f"{count} trial{'s' * (count != 1)} of {resources}"]
    for state in ("finished", "begun"):
        if some := sum(watch.state == state for watch in watches):
            told.append(f"{some} {state}")
    left = estimate(watches)
    if left is None:
        told.append("how long they take is known once one has logged")
    elif left:
        told.append(f"about {_duration(left)} of work left")
        if jobs:
            told.append(f"{_duration(left / min(jobs, count))} with {min(jobs, count)} at a time")
    return "; ".join(told)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _one(plan: Any, number: int) -> int:
    from goalward.bench.data.names import Mendable, Unknown
    from goalward.bench.sweep.process import Lost, holding, run_trial
    from goalward.bench.sweep.state import Watch, last_words

    count = len(plan.trials)
    if not 1 <= number <= count:
        raise Unknown(f"--trial is at least 1 and at most {count}, not {number}")
    trial = plan.trials[number - 1]
    log = Watch(trial).log
    print(f"trial {number} of {count}: {log}", flush=True)
    with holding(plan.out, alone=False):
        try:
            status = run_trial(trial, plan.resources, os.getcwd(), "")
        except Lost as error:
            raise Mendable(f"{log}: {error}; the same command goes on") from None
    if status:
        print(f"goalward: {log}: {last_words(log)}", file=sys.stderr)
    return status


def _all(plan: Any, watches: Sequence[Any], sweep: str, options: argparse.Namespace) -> int:
    from goalward.bench.sweep.state import Screen, last_words, table

    print(_told(watches, plan.resources, options.jobs), flush=True)
    left = {watch.trial: watch for watch in watches if watch.state != "finished"}
    screen = Screen()
    try:
        if left:
            _on_ray(plan, left, sweep, options, screen)
    except KeyboardInterrupt:
        screen.clear()
        print("goalward: stopped; the same command goes on", file=sys.stderr)
        return 130
    finally:
        screen.clear()
    failed = [watch for watch in watches if watch.state == "failed"]
    for watch in failed:
        print(f"goalward: {watch.log}: {last_words(watch.log)}", file=sys.stderr)
    print("\n".join(table(watches)))
    return min(len(failed), MOST)


def _on_ray(
    plan: Any, left: dict[Any, Any], sweep: str, options: argparse.Namespace, screen: Any
) -> None:
    from goalward.bench.sweep.cluster import connected, outcomes

    def say(line: str) -> None:
        screen.clear()
        print(line, flush=True)

    with connected(options.address):
        for watch in left.values():
            watch.state = "waiting"
        for ended in outcomes(list(left), plan.resources, sweep, options.jobs):
            for trial, watch in left.items():
                if watch.state in ("waiting", "running"):
                    _follow(watch, ended.get(trial), say)
            screen.draw(list(left.values()))


def _follow(watch: Any, reason: str | None, say: Callable[[str], None]) -> None:
    """Say what became of a trial: begun, begun again, ended."""
    before = watch.starts
    watch.look()
    if watch.starts > before:
        again = f" again ({watch.starts - 1})" if watch.starts > 1 else ""
        watch.state = "running"
        say(f"begun{again} on {watch.node}: {watch.log}")
    if reason is not None:
        watch.state = "failed" if reason else "finished"
        say(f"{watch.state}{f' ({reason})' * bool(reason)}: {watch.log}")
