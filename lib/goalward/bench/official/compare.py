"""Ours and the official implementation side by side: updates per second on the same machine.

Both train on the same file with the same sizes and settings, in turns, so that whatever else the
machine does falls on both alike. Compilation, the first updates and evaluation are not timed.
"""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from platform import machine, python_version
from statistics import median
from typing import Any

import jax

from goalward.bench.data.datasets import fingerprint, load
from goalward.bench.data.environments import make
from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.official.checkout import (
    OFFICIAL,
    PACKAGES,
    Official,
    commit,
    impls_of,
    order,
    shared,
)
from goalward.bench.official.timers import Scanned, Stepwise, Timer
from goalward.bench.offline.presets import Options, learner
from goalward.bench.offline.tuning import BATCH, WIDTH
from goalward.bench.runs.files import device_name, write_whole
from goalward.data.trajectories import Dataset
from goalward.protocol import Learner
from goalward.training.loop import state_shapes

COMPILING = 5
"""The first updates, which may compile: the official QRL does so in its first three."""
DISPATCH = 500
"""The most updates of a dispatch: as many as `bench train` makes by default."""


@dataclass(frozen=True)
class Comparison:
    """What to compare.

    Attributes:
        method: one of `OFFICIAL`.
        env: the data set's name.
        updates: timed in each repeat.
        repeats: how often each is timed, in turn.
        warmup: made before and not timed, compilation among them.
        batch: transitions in a batch.
        width: units of each hidden layer.
        extraction: how the policy follows the values, as in `offline.presets.Options`.
        alpha: its number, as there.
        seeds: learners of ours side by side, in the last row of the table.
    """

    method: str
    env: str
    updates: int = 500
    repeats: int = 3
    warmup: int = 100
    batch: int = BATCH
    width: int = WIDTH
    extraction: str | None = None
    alpha: float | None = None
    seeds: int = 1

    def __post_init__(self) -> None:
        for field in ("updates", "repeats", "batch", "width", "seeds"):
            if getattr(self, field) < 1:
                raise Unknown(f"--{field} must be at least 1, not {getattr(self, field)}")
        if self.warmup < COMPILING:
            raise Unknown(
                f"--warmup must be at least {COMPILING}, not {self.warmup}: the official QRL "
                "compiles three times"
            )
        if self.updates > DISPATCH and self.updates % DISPATCH:
            raise Unknown(
                f"--updates above {DISPATCH} must be a multiple of it, the updates of a dispatch, "
                f"which {self.updates} is not"
            )

    def options(self, action: int) -> Options:
        """What is chosen for the method's preset.

        Args:
            action: how many numbers an action has.
        """
        return Options(action, self.width, self.batch, extraction=self.extraction, alpha=self.alpha)

    @property
    def dispatch(self) -> int:
        """Updates of a dispatch when ours is scanned."""
        return min(self.updates, DISPATCH)


@dataclass(frozen=True)
class Row:
    """Updates per second of one contender.

    Attributes:
        name: who, and in which form.
        seeds: learners at once; the updates of all of them are counted.
        repeats: one number a repeat.
    """

    name: str
    seeds: int
    repeats: list[float]

    @property
    def median(self) -> float:
        """The middle one of the repeats."""
        return median(self.repeats)


def compare(
    wanted: Comparison,
    data: Path,
    checkout: Path,
    python: str,
    out: Path,
    tick: Callable[[], Any] = lambda: None,
) -> list[str]:
    """Time both, write what was found to `out`, and return the table's lines.

    Args:
        wanted: what to compare.
        data: the data file of both.
        checkout: of the official repository.
        python: that has the official code's packages.
        out: a JSON file.
        tick: called `stages` times.

    Raises:
        Mendable: something is not there, or the official code fails.
    """
    name = shared(wanted.method, wanted.env)
    learner(wanted.method, name, wanted.options(1))  # complain first
    impls = impls_of(checkout, wanted.method)
    writable(out)
    env = make(name)
    held = load(data, env.observation_space.shape, env.action_space.shape[0])
    agent = learner(wanted.method, name, wanted.options(env.action_space.shape[0]))
    asked = order(wanted.method, agent, data, wanted.batch, wanted.width, wanted.warmup)
    with Official(python, impls, asked) as official:
        if official.told["device"] != device_name():
            raise Mendable(
                f"the official code runs on {official.told['device']}, ours on {device_name()}: "
                "install the same jax for both, or set JAX_PLATFORMS=cpu for both"
            )
        tick()
        forms: dict[tuple[str, int], Timer] = {
            ("official", 1): official,
            ("ours, a dispatch an update", 1): Stepwise(agent, held),
            ("ours, scanned", 1): Scanned(agent, held, 1, wanted.dispatch),
        }
        if wanted.seeds > 1:
            together = Scanned(agent, held, wanted.seeds, wanted.dispatch)
            forms[f"ours, scanned, {wanted.seeds} seeds in all", wanted.seeds] = together
        for form, timer in forms.items():
            if form != ("official", 1):  # which warmed up when it started
                timer(_at_least(wanted.warmup, wanted.dispatch))
                tick()
        rows = race(forms, wanted.updates, wanted.repeats, tick)
    found = {
        **asdict(wanted),
        "official": OFFICIAL[wanted.method],
        "commit": commit(checkout),
        "data": fingerprint(data),
        "transitions": int(held.size),
        "device": device_name(),
        "machine": f"{machine()}, {os.cpu_count()} cores",
        "parameters": {"official": official.told["parameters"], "ours": _size(agent, held)},
        "versions": {
            "official": official.told["versions"],
            "ours": {
                "python": python_version(),
                **{p: version(p) for p in PACKAGES if p != "distrax"},
            },
        },
        "updates_per_second": [
            {
                "name": row.name,
                "seeds": row.seeds,
                "median": round(row.median, 3),
                "low": round(min(row.repeats), 3),
                "high": round(max(row.repeats), 3),
                "repeats": [round(rate, 3) for rate in row.repeats],
                "times_official": round(row.median / rows[0].median, 3),
            }
            for row in rows
        ],
    }
    write_whole(out, json.dumps(found, indent=1) + "\n")
    return table(found)


def stages(wanted: Comparison) -> int:
    """How often `compare` ticks."""
    return (3 + (wanted.seeds > 1)) * (1 + wanted.repeats)


def race(
    forms: dict[tuple[str, int], Timer],
    updates: int,
    repeats: int,
    tick: Callable[[], Any] = lambda: None,
) -> list[Row]:
    """Updates per second of each timer, all in turn, so many times."""
    rows = [Row(name, seeds, []) for name, seeds in forms]
    for _ in range(repeats):
        for row, timer in zip(rows, forms.values(), strict=True):
            row.repeats.append(row.seeds * updates / timer(updates))
            tick()
    return rows


def table(found: dict[str, Any]) -> list[str]:
    """The lines to print of what was found."""
    official, ours = found["parameters"]["official"], found["parameters"]["ours"]
    lines = [
        f"{found['method']} (official: {found['official']}) on {found['env']}: batch "
        f"{found['batch']}, width {found['width']}, on {found['device']}",
        f"updates per second, median (lowest to highest) of {found['repeats']} times "
        f"{found['updates']}",
    ]
    for row in found["updates_per_second"]:
        spread = f"({row['low']:.1f} to {row['high']:.1f})"
        times = f"{row['times_official']:6.2f} times"
        lines.append(f"  {row['name']:30}{row['median']:10.1f}  {spread:24}{times}")
    lines.append(f"trained parameters: {official} official, {ours} ours")
    return lines


def _at_least(warmup: int, dispatch: int) -> int:
    """The multiple of a dispatch's updates that is not below the warm-up's."""
    return -(-warmup // dispatch) * dispatch


def _size(agent: Learner, data: Dataset) -> int:
    state = state_shapes(agent, data)
    return sum(leaf.size for leaf in jax.tree.leaves(state.params))


def writable(out: Path) -> None:
    """Complain now rather than after the measurement."""
    if out.is_dir():
        raise Unknown(f"{out} is a folder: name a file with --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise Mendable(
            f"{out} cannot be written ({error.strerror or error}): name another file with --out"
        ) from error
