"""A run's folder, whatever is trained: what was asked for, what was measured, where to go on.

`config.json` (what was asked for, with which versions), `metrics.jsonl` (a line a log, a line an
evaluation; readable while it grows), the same for TensorBoard in `tensorboard`, and `checkpoints`.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import jax

from goalward.bench.data.names import Mendable
from goalward.bench.runs.checkpoints import Checkpoints
from goalward.bench.runs.events import Events
from goalward.bench.runs.files import device_name, locked, write_whole
from goalward.protocol import Agent

UNREADABLE = "[]\\"
"""Characters of a path that the checkpoints' storage takes for patterns."""
NOTED = ("versions", "device", "devices")
"""What may change when a run goes on, but is told, since the last bits may."""
UNTOLD = ("learner", "environment")
"""Long values: where they alone differ, the library has changed."""


def notes(agent: Agent, packages: Sequence[str]) -> dict[str, Any]:
    """What every configuration says about the learner, the versions and the device."""
    return {
        "learner": re.sub(r" at 0x[0-9a-f]+", "", repr(agent)),
        "versions": {"python": python_version(), **{p: version(p) for p in packages}},
        "device": device_name(),
        "devices": jax.device_count(),
    }


class RunFolder:
    """A run's folder while the run is made.

    Args:
        out: the folder, new or of the same run.
        keep: how many checkpoints are kept.
        seeds: learners in the run.
        say: told a line when there is news.
        unit: what steps count.

    Raises:
        Mendable: checkpoints could not be read again in a folder of such a name.
    """

    def __init__(
        self, out: Path, keep: int, seeds: int, say: Callable[[str], Any], unit: str = "update"
    ) -> None:
        if spoiling := [c for c in UNREADABLE if c in str(out.absolute())]:
            raise Mendable(
                f"{out.absolute()} holds {spoiling[0]!r}: a checkpoint below such a folder could "
                "not be read again; name another one with --out"
            )
        self.out, self.keep, self.seeds, self.say, self.unit = out, keep, seeds, say, unit
        self.seconds = 0.0
        """How long the run took so far, its interruptions left out."""

    @contextmanager
    def held(self, config: Mapping[str, Any], free: Sequence[str]) -> Iterator[None]:
        """Hold the folder, which is this run's.

        Args:
            config: what to write to `config.json`.
            free: its keys that may change when a run goes on.

        Raises:
            Mendable: the folder is another run's or in use, or cannot be written.
        """
        try:
            with locked(self.out):
                self.compare(config, free)
                self.checkpoints = Checkpoints(
                    self.out / "checkpoints", self.keep, self.say, self.unit
                )
                try:
                    yield
                finally:
                    self.checkpoints.manager.close()
                    if hasattr(self, "events"):
                        self.events.close()
        except OSError as error:
            raise Mendable(
                f"{self.out} cannot be written ({error.strerror or error}): make room, or name "
                "another folder with --out; what is there is kept"
            ) from error

    def compare(self, config: Mapping[str, Any], free: Sequence[str]) -> None:
        """Write the configuration, unless the folder holds another one.

        Raises:
            Mendable: it does.
        """
        path = self.out / "config.json"
        if path.exists():
            try:
                old = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise Mendable(f"{path} is damaged: name another folder with --out") from error
            fixed = [k for k in config if k not in (*free, *NOTED)]
            differing = [k for k in fixed if old.get(k) != config[k]]
            if differing:
                told = ", ".join(
                    f"{k} was {_short(old.get(k))}, now {_short(config[k])}"
                    for k in differing
                    if k not in UNTOLD
                )
                told = told or "this version of the library gives the method other settings"
                raise Mendable(
                    f"{self.out} holds another run ({told}): name another folder with --out, or "
                    "repeat that run's command"
                )
            for key in NOTED:
                if old.get(key) != config[key]:
                    self.say(f"the {key} changed since the run began: bits may differ from here on")
        write_whole(path, json.dumps(config, indent=1) + "\n")

    def take_up(self, step: int) -> list[dict[str, Any]]:
        """What was logged up to a step; the rest, and half a line after a kill, is dropped."""
        path, kept = self.out / "metrics.jsonl", []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry["step"] <= step:
                kept.append((line, entry))
                self.seconds = entry["seconds"]
        write_whole(path, "".join(line + "\n" for line, _ in kept))
        self.events = Events(self.out / "tensorboard", self.seeds, time.time() - self.seconds)
        for _, entry in kept:
            self.events.add(entry)
        return [entry for _, entry in kept]

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Add a line."""
        entry = {"step": step, **values, "seconds": round(self.seconds, 3)}
        with (self.out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.events.add(entry)

    @property
    def last_checkpoint(self) -> str:
        """Where to look after an accident, in words."""
        newest = self.checkpoints.newest
        if newest is None:
            return "there is no checkpoint yet"
        return f"the last checkpoint is {self.checkpoints.folder / str(newest)}"


def passed(every: int, before: int, now: int) -> bool:
    """Whether a multiple of `every` lies between, `now` included."""
    return now // every > before // every


class BarPart:
    """A bar for a part of a run: it neither begins nor ends with it.

    Args:
        bar: the run's; None shows nothing.
        each: how much of the run a step of the part is.
    """

    def __init__(self, bar: Any, each: int = 1) -> None:
        self.bar, self.each, self.total = bar, each, 0

    def update(self, n: int) -> None:
        """`n` more steps are done."""
        if self.bar is not None:
            self.bar.update(n * self.each)

    def close(self) -> None:
        """The part is done."""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:16]}…"
