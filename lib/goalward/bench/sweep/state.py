"""How far a trial has come: what its folder says, and nothing else.

One table of all of them: state, progress, speed, success, retries, node and log.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from goalward.bench.sweep.plan import Trial
from goalward.bench.sweep.process import LOG, STARTS, finished

HEAD = ("state", "progress", "speed", "success", "retries", "node", "log")
SUCCESS = ("success_any", "success")
"""What an evaluation is told by, the first that it has."""
COUNTED = ("running", "waiting", "finished", "failed")
"""The states that the last line of a screen counts."""
SPEEDS = {"env_steps_per_second": "steps/s", "updates_per_second": "updates/s"}


class Watch:
    """A trial as its folder shows it; reads only what was written since it last looked.

    Args:
        trial: whose folder to read.
        sweep: whose starts are counted.

    Attributes:
        step: how far it has come, in the unit of its steps.
        seconds: how long that took, its interruptions left out.
        speed: as last logged, with its unit.
        success: as last evaluated, the mean over its seeds.
        node: where it was last begun.
        starts: how often this sweep has begun it.
        state: new, begun or finished; running, waiting or failed in a sweep's hands.
    """

    def __init__(self, trial: Trial, sweep: str = "") -> None:
        self.trial, self.sweep = trial, sweep
        self.state, self.node, self.starts = "new", "", 0
        self.file: tuple[int, int] = (0, 0)
        self._forget()

    def _forget(self) -> None:
        self.step, self.seconds, self.speed = 0, 0.0, ""
        self.success = float("nan")

    def look(self) -> "Watch":
        """Read what is new."""
        folder = self.trial.folder
        starts = [told for line in _lines(folder / STARTS) if (told := _entry(line))]
        if starts:
            self.node = str(starts[-1].get("node", ""))
            self.starts = sum(told.get("sweep") == self.sweep for told in starts)
        self._read(folder / "metrics.jsonl")
        if self.state in ("new", "begun") and folder.is_dir():
            done = finished(folder, self.trial.arguments)
            self.state = "finished" if done else "begun"
        return self

    def _read(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except OSError:
            return
        with file:
            status = os.fstat(file.fileno())
            which, read = self.file
            if which != status.st_ino or status.st_size < read:  # written anew, to go on
                read = 0
                self._forget()
            file.seek(read)
            for line in file:
                if not line.endswith(b"\n"):  # being written
                    break
                read += len(line)
                self._take(_entry(line))
            self.file = (status.st_ino, read)

    def _take(self, entry: dict[str, Any]) -> None:
        self.step = int(entry.get("step", self.step))
        self.seconds = float(entry.get("seconds", self.seconds))
        for key, unit in SPEEDS.items():
            if key in entry:
                self.speed = f"{np.sum(entry[key]):,.0f} {unit}"
                break
        for key in SUCCESS:
            if key in entry:
                self.success = float(np.mean(entry[key]))
                break

    @property
    def row(self) -> tuple[str, ...]:
        """What the table says, in the columns of `HEAD`."""
        return (
            self.state,
            f"{min(1.0, self.step / self.trial.steps):.0%}",
            self.speed or "–",
            "–" if np.isnan(self.success) else f"{self.success:.2f}",
            str(max(0, self.starts - 1)),
            self.node or "–",
            str(self.log),
        )

    @property
    def log(self) -> Path:
        """Its output, as the user may name it."""
        path = self.trial.folder / LOG
        return path.relative_to(here) if path.is_relative_to(here := Path.cwd()) else path


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _entry(line: str | bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:  # half a line, after a kill
        return {}
    return told if isinstance(told, dict) else {}


def last_words(path: Path) -> str:
    """The last line of a log, which says why a command failed."""
    lines = [line for line in _lines(path) if line.strip()]
    return lines[-1].removeprefix("goalward: ") if lines else "it said nothing"


def table(watches: Sequence[Watch]) -> list[str]:
    """The lines of the table, the head first."""
    rows = [HEAD, *(watch.row for watch in watches)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def estimate(watches: Sequence[Watch]) -> float | None:
    """Seconds of work that are left, all trials together; None before the first has logged.

    A trial takes as long as those of its method and environment that have logged, or as all that
    have: the median.
    """
    paces: dict[tuple[str, str], list[float]] = {}
    for watch in watches:
        if watch.step and watch.seconds > 0:
            paces.setdefault(watch.trial.kind, []).append(watch.seconds / watch.step)
    if not paces:
        return None
    usual = median([pace for several in paces.values() for pace in several])
    return sum(
        max(0, watch.trial.steps - watch.step) * median(paces.get(watch.trial.kind, [usual]))
        for watch in watches
        if watch.state != "finished"
    )


class Screen:
    """The table on a terminal, drawn over itself; silent elsewhere."""

    def __init__(self) -> None:
        self.drawn, self.live = 0, sys.stderr.isatty()

    def draw(self, watches: Sequence[Watch]) -> None:
        """Show what runs and what failed, as far as there is room, and how many there are."""
        if not self.live:
            return
        size = shutil.get_terminal_size()
        shown = [watch for watch in watches if watch.state in ("running", "failed")]
        lines = table(shown[: max(1, size.lines - 4)])
        counts = {state: sum(w.state == state for w in watches) for state in COUNTED}
        lines.append(", ".join(f"{n} {state}" for state, n in counts.items() if n))
        self.clear()
        print("\n".join(line[: size.columns - 1] for line in lines), file=sys.stderr, flush=True)
        self.drawn = len(lines)

    def clear(self) -> None:
        """Take it away, for a line that stays."""
        if self.drawn:
            print(f"\x1b[{self.drawn}F\x1b[J", end="", file=sys.stderr, flush=True)
        self.drawn = 0
