"""How fast ours and JaxGCRL train, side by side in its environments.

Both run in the Python that has its packages, each in a process of its own, on the same
environment with the same sizes, in turns.
"""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from platform import machine
from statistics import median
from typing import Any

import numpy as np

from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.official.checkout import commit
from goalward.bench.official.compare import writable
from goalward.bench.official.online.agent import their_arguments
from goalward.bench.official.online.side import INSTALLED, side
from goalward.bench.official.online.worlds import ENVS, METHOD
from goalward.bench.online.settings import OnlineSettings
from goalward.bench.runs.files import write_whole


@dataclass(frozen=True)
class Race:
    """What to time.

    Attributes:
        env: one of `ENVS`.
        envs: environments of each side.
        episode: steps of an episode, and one.
        unroll: steps of each environment in a round.
        rounds: timed in each repeat.
        repeats: how often each side is timed, in turn.
        batch: transitions in a batch.
        width: units of each hidden layer.
        seeds: learners of ours at once, in a last row, if more than one.
    """

    env: str
    envs: int = 256
    episode: int = 1001
    unroll: int = 62
    rounds: int = 1
    repeats: int = 3
    batch: int = 256
    width: int = 256
    seeds: int = 1

    def __post_init__(self) -> None:
        check_env(self.env)
        for field in ("envs", "unroll", "rounds", "repeats", "batch", "width", "seeds"):
            if getattr(self, field) < 1:
                raise Unknown(f"--{field} must be at least 1, not {getattr(self, field)}")
        if not 3 <= self.episode <= 1001:
            raise Unknown(f"--episode must be between 3 and 1001, not {self.episode}")
        if self.envs * (self.episode - 1) % self.batch:
            fit = self.batch // np.gcd(self.batch, self.episode - 1)
            near = int(max(1, round(self.envs / fit)) * fit)
            raise Unknown(
                "JaxGCRL wants --envs times (--episode - 1) to be a multiple of --batch: take "
                f"--envs {near}"
            )

    @property
    def updates(self) -> int:
        """Of a round: every step of a window of each environment is used once."""
        return self.envs * (self.episode - 1) // self.batch

    @property
    def settings(self) -> OnlineSettings:
        """Of ours: what `bench online` would train with."""
        return OnlineSettings(
            METHOD,
            self.env,
            self.rounds * self.envs * self.unroll,
            envs=self.envs,
            unroll=self.unroll,
            updates=self.updates,
            batch=self.batch,
            width=self.width,
            energy="l2",
            loss="symmetric",
        )


def check_env(env: str) -> None:
    """See that both sides have the environment.

    Raises:
        Unknown: they have not.
    """
    if env not in ENVS:
        raise Unknown(f"beside JaxGCRL there is no {env!r}: take {', '.join(ENVS)}")


def compare(
    wanted: Race, official: str, python: str, out: Path, tick: Callable[[], Any] = lambda: None
) -> list[str]:
    """Time both, write what was found to `out`, and return the table's lines.

    Args:
        wanted: what to time.
        official: as for `parity`.
        python: that has JaxGCRL's packages.
        out: a JSON file.
        tick: called `stages` times.

    Raises:
        Mendable: something is not there, or one side fails.
    """
    writable(out)
    settings = wanted.settings
    asked = asdict(wanted) | {"parity": False, "seed": 0, "config": their_arguments(settings)}
    asked |= {"ours": asdict(settings)}
    sides = {"JaxGCRL": ("theirs", 1), "ours": ("ours", 1)}
    if wanted.seeds > 1:
        sides[f"ours, {wanted.seeds} seeds in all"] = ("ours", wanted.seeds)
    with ExitStack() as stack:
        timers = {}
        for name, (program, seeds) in sides.items():
            words = asked | {"seeds": seeds}
            timers[name] = stack.enter_context(side(program, official, python, words))
            tick()
        if len({timer.told["device"] for timer in timers.values()}) > 1:
            raise Mendable("the two sides run on different devices: set JAX_PLATFORMS for both")
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(wanted.repeats):
            for name, timer in timers.items():
                taken[name].append(float(timer.ask({"epoch": 1})["seconds"]))
                tick()
        told = {name: timer.told for name, timer in timers.items()}
    rows = []
    for name, (_, seeds) in sides.items():
        middle = median(taken[name])
        rows.append(
            {
                "name": name,
                "seeds": seeds,
                "first_seconds": round(told[name]["first"], 1),
                "seconds": [round(seconds, 4) for seconds in taken[name]],
                "env_steps_per_second": round(
                    seeds * wanted.rounds * wanted.envs * wanted.unroll / middle, 1
                ),
                "updates_per_second": round(seeds * wanted.rounds * wanted.updates / middle, 2),
                "times_official": round(seeds * median(taken["JaxGCRL"]) / middle, 3),
            }
        )
    found = {
        "method": METHOD,
        **asdict(wanted),
        "updates": wanted.updates,
        "commit": "installed" if official == INSTALLED else commit(Path(official)),
        "device": told["ours"]["device"],
        "machine": f"{machine()}, {os.cpu_count()} cores",
        "versions": told["JaxGCRL"]["versions"],
        "rows": rows,
    }
    write_whole(out, json.dumps(found, indent=1) + "\n")
    return table(found)


def stages(wanted: Race) -> int:
    """How often `compare` says that it is further."""
    return (2 + (wanted.seeds > 1)) * (1 + wanted.repeats)


def table(found: dict[str, Any]) -> list[str]:
    """The lines to print of what was found."""
    lines = [
        f"{found['method']} beside JaxGCRL in {found['env']}: {found['envs']} environments, "
        f"{found['unroll']} steps of each and {found['updates']} updates a round, batch "
        f"{found['batch']}, width {found['width']}, on {found['device']}",
        "a second, acting, relabelling and updates included; median of "
        f"{found['repeats']} times {found['rounds']} rounds",
    ]
    for row in found["rows"]:
        lines.append(
            f"  {row['name']:24}{row['env_steps_per_second']:11.1f} steps"
            f"{row['updates_per_second']:10.1f} updates{row['times_official']:8.2f} times"
            f"   (first round and compilation {row['first_seconds']:.0f} s)"
        )
    return lines
