"""Recorded runs, read back: what `goalward bench train` or `online` has written, in any state.

NumPy is all that it takes, so that runs can be looked at where none could be made. A run that
cannot be used is left out with a line that says why; one that is still being written is read as far
as it has come.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from goalward.bench.data.names import Mendable

OURS = "ours"
"""The implementation of a run whose configuration names none."""

HEAD = ("implementation", "method", "data sets", "seeds", "updates", "batch × width", "step size",
        "transitions", "updates/s", "success", "device")  # fmt: skip


SEEDS = ("seed", "seeds")
"""What tells runs apart that are joined to one."""

FREE = ("steps", "log_every", "eval_every", "eval_episodes", "eval_workers",
        "checkpoint_every", "keep")  # fmt: skip
"""Settings that touch no update, as `goalward.bench.offline.settings.FREE`."""

NOTES = ("implementation", "file", "device", "devices", "versions")
"""What a configuration says about where and by what a run was made."""


@dataclass(frozen=True, eq=False)
class RecordedRun:
    """What a run has measured so far.

    Attributes:
        folder: where it lies.
        config: its `config.json`.
        steps: updates before each evaluation, rising; steps of the environments (of each learner,
            resets included) in a run that learnt while acting.
        success: the share of episodes at the goal, in each evaluation; in a run that learnt while
            acting, of all goals as one task, and at any time.
        updates_per_second: the median over its logs, of all seeds side by side; NaN without logs.
    """

    folder: Path
    config: Mapping[str, Any]
    steps: Int[np.ndarray, " evaluations"]
    success: Float[np.ndarray, "evaluations seeds tasks"]
    updates_per_second: float

    @property
    def implementation(self) -> str:
        """Whose code made it."""
        return str(self.config.get("implementation", OURS))

    @property
    def method(self) -> str:
        """What was trained."""
        return str(self.config["method"])

    @property
    def env(self) -> str:
        """The data set's name."""
        return str(self.config["env"])

    @property
    def seeds(self) -> int:
        """How many learners there are."""
        return self.success.shape[1]

    @property
    def unit(self) -> str:
        """What `steps` counts."""
        return "environment steps" if "unroll" in self.config else "updates"

    def at(self, step: int) -> Float[np.ndarray, "seeds tasks"]:
        """The evaluation after so many steps.

        Raises:
            Mendable: there was none.
        """
        if step not in self.steps:
            raise Mendable(
                f"{self.folder} was not evaluated after {step} {self.unit}, but after "
                f"{', '.join(map(str, self.steps))}"
            )
        return self.success[int(np.flatnonzero(self.steps == step)[0])]


def load_runs(folder: str | Path, say: Callable[[str], Any] = print) -> list[RecordedRun]:
    """The runs in a folder and the folders below it, in the order of their names.

    Args:
        folder: where to look.
        say: told in one line of each run that is left out, or read in part.

    Raises:
        Mendable: there is no such folder, or no run in it that has been evaluated.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise Mendable(f"there is no folder {folder}: name one that holds runs of `bench train`")
    found = []
    for path in _configurations(folder):
        try:
            found.append(_load(path.parent, say))
        except Mendable as error:
            say(f"{path.parent} is left out: {error}")
        except OSError as error:
            say(f"{path.parent} is left out: it cannot be read ({error.strerror or error})")
    if not found:
        raise Mendable(
            f"{folder} holds no run with an evaluation: make one with `goalward bench train … "
            f"--out {folder}/NAME`"
        )
    return sorted(found, key=lambda r: (r.implementation, r.method, r.env, str(r.folder)))


def by_method(runs: Iterable[RecordedRun]) -> dict[tuple[str, str], dict[str, RecordedRun]]:
    """The runs of each implementation of each method, one for each data set.

    Runs that differ in their seed alone are joined to one with more seeds, at the evaluations that
    they share.

    Raises:
        Mendable: two runs of a method on a data set are not alike, or are the same.
    """
    together: dict[tuple[str, str], dict[str, list[RecordedRun]]] = {}
    for run in runs:
        key = (run.implementation, run.method)
        together.setdefault(key, {}).setdefault(run.env, []).append(run)
    return {
        key: {env: _joined(several) for env, several in envs.items()}
        for key, envs in together.items()
    }


def differing(a: RecordedRun, b: RecordedRun) -> list[str]:
    """The settings that two runs would have to share to be compared, and do not.

    That is everything but their seeds, what touches no update, and notes. Two implementations say
    different things about themselves: of these, what both say. A setting that is left out is None.
    """
    keys = [*a.config, *(key for key in b.config if key not in a.config)]
    if a.implementation != b.implementation:
        keys = [
            k for k in keys if k in ("extraction", "alpha") or (k in a.config and k in b.config)
        ]
    ignored = {*SEEDS, *FREE, *NOTES}
    return [k for k in keys if k not in ignored and a.config.get(k) != b.config.get(k)]


def last_shared_step(runs: Sequence[RecordedRun]) -> int:
    """The last update after which all of the runs were evaluated: where to compare them.

    Raises:
        Mendable: there is none.
    """
    shared = set.intersection(*(set(run.steps.tolist()) for run in runs))
    if not shared:
        raise Mendable(
            f"the runs on {runs[0].env} share no evaluation: train all of them with the same "
            "--eval-every"
        )
    return max(shared)


def table(runs: Iterable[RecordedRun]) -> list[tuple[str, ...]]:
    """What there is, in the columns of `HEAD`: one row for runs that differ in the data set alone.

    Speed and success, the latter after the last evaluation, are from the lowest to the highest.
    """
    alike: dict[tuple[str, ...], list[RecordedRun]] = {}
    for run in runs:
        asked, done = run.config.get("steps"), f"{run.steps[-1]:,}"
        counted = f" {run.unit}" if run.unit != "updates" else ""
        unfinished = isinstance(asked, int) and asked > run.steps[-1]
        key = (
            run.implementation,
            run.method,
            str(run.seeds),
            (f"{done} of {asked:,}" if unfinished else done) + counted,
            f"{run.config.get('batch', '?')} × {run.config.get('width', '?')}",
            str(run.config.get("learning_rate", "?")),
            f"{size:,}" if isinstance(size := run.config.get("transitions"), int) else "?",
            str(run.config.get("device", "?")),
        )
        alike.setdefault(key, []).append(run)
    rows = []
    for (side, method, *settings, device), group in alike.items():
        names = {run.env for run in group}
        speeds = [f"{s:,.0f}" for s in sorted(run.updates_per_second for run in group) if s > 0]
        rates = sorted(f"{run.success[-1].mean():.2f}" for run in group)
        rows.append(
            (
                side,
                method,
                group[0].env if len(names) == 1 else str(len(names)),
                *settings,
                _range(speeds),
                _range(rates),
                device,
            )
        )
    return rows


def _range(told: Sequence[str]) -> str:
    """The first and the last of numbers in order, as one number where they look the same."""
    return " to ".join(dict.fromkeys([*told[:1], *told[-1:]])) or "–"


def _configurations(folder: Path) -> list[Path]:
    """The `config.json` of each run below a folder, links followed; each run once."""
    found, seen = [], set()
    for place, inner, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back, or to what was found already
            inner.clear()
            continue
        seen.add(real)
        inner[:] = sorted(name for name in inner if name != "checkpoints")
        if "config.json" in files:
            found.append(Path(place) / "config.json")
    return sorted(found)


def _load(folder: Path, say: Callable[[str], Any]) -> RecordedRun:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8", errors="replace"))
    except ValueError:
        raise Mendable("its config.json is damaged or not written to its end") from None
    if not isinstance(config, dict) or not {"method", "env"} <= config.keys():
        raise Mendable("its config.json names no method and data set")
    path = folder / "metrics.jsonl"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    success: dict[int, np.ndarray] = {}
    speeds, unreadable = [], 0
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            step, speed = int(entry["step"]), float(entry.get("updates_per_second", np.nan))
            if "success" in entry:
                success[step] = _rates(entry["success"])
            elif "success_any" in entry:
                success[step] = _rates([[rate] for rate in entry["success_any"]])
            if speed > 0:
                speeds.append(speed)
        except (ValueError, TypeError, KeyError):
            unreadable += 1
    if unreadable:
        say(
            f"{folder}: {unreadable} unreadable line{'s' * (unreadable > 1)} of metrics.jsonl "
            "passed over; a run that is being written may end in half a line"
        )
    if not success:
        raise Mendable("it has no evaluation yet")
    if len({rates.shape for rates in success.values()}) > 1:
        raise Mendable("its evaluations are of different numbers of seeds or tasks")
    steps = sorted(success)
    return RecordedRun(
        folder,
        config,
        np.array(steps),
        np.stack([success[step] for step in steps]),
        float(np.median(speeds)) if speeds else float("nan"),
    )


def _rates(told: Any) -> np.ndarray:
    rates = np.array(told, dtype=float)
    if rates.ndim != 2 or not rates.size or not ((rates >= 0) & (rates <= 1)).all():
        raise ValueError
    return rates


def _joined(runs: Sequence[RecordedRun]) -> RecordedRun:
    """One run with the seeds of several."""
    first, shared = runs[0], runs[0].steps
    if len(runs) == 1:
        return first
    known: dict[Any, Path] = {}
    for run in runs:
        if keys := differing(first, run):
            raise Mendable(
                f"{first.folder} and {run.folder} are runs of {run.method} on {run.env} with "
                f"another {keys[0]}: move one of them to another folder"
            )
        twin = known.setdefault(run.config.get("seed"), run.folder)
        if twin != run.folder:
            raise Mendable(f"{twin} and {run.folder} are the same run twice: move one of them away")
        shared = np.intersect1d(shared, run.steps)
    if not len(shared) or len({run.success.shape[2] for run in runs}) > 1:
        raise Mendable(
            f"{first.folder} and its other seeds share no evaluation: train all of them with the "
            "same --eval-every"
        )
    success = np.concatenate([r.success[np.isin(r.steps, shared)] for r in runs], axis=1)
    speed = float(np.mean([run.updates_per_second for run in runs]))
    return RecordedRun(first.folder, first.config, shared, success, speed)
