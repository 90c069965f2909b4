"""A run of the benchmark: train, evaluate, log, checkpoint; go on where it was stopped.

A run is a folder: `config.json` (what was asked for, on which data, with which versions),
`metrics.jsonl` (a line a log, a line an evaluation; readable while it grows), the same for
TensorBoard in `tensorboard`, and `checkpoints`. The same command goes on from the newest
checkpoint. Updates draw their batches by number, so a run that was killed at any moment ends with
the same bits as one that was not.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import jax
import numpy as np

from goalward.bench.data.datasets import fingerprint, load, locate
from goalward.bench.data.names import Mendable, parse
from goalward.bench.offline.checkpoints import Checkpoints
from goalward.bench.offline.evaluate import Arena
from goalward.bench.offline.events import Events
from goalward.bench.offline.presets import learner
from goalward.bench.offline.settings import FREE, Settings
from goalward.protocol import Agent, LearnerState
from goalward.training.loop import fresh_states, placing, state_shapes, train

PACKAGES = ("jax", "flax", "optax", "numpy", "ogbench", "mujoco")
UNREADABLE = "[]\\"
"""Characters of a path that the checkpoints' storage takes for patterns."""
NOTED = ("versions", "device", "devices")
"""What may change too, but is told, since the last bits may."""


class Run:
    """A run in its folder.

    Args:
        settings: what to do.
        out: the folder, new or of the same run.
        data: a data file; the downloaded one if None.
        say: told a line when there is news.
    """

    def __init__(
        self, settings: Settings, out: Path, data: Path | None, say: Callable[[str], Any]
    ) -> None:
        self.settings, self.out, self.say = settings, out, say
        if spoiling := [c for c in UNREADABLE if c in str(out.absolute())]:
            raise Mendable(
                f"{out.absolute()} holds {spoiling[0]!r}: a checkpoint below such a folder could "
                "not be read again; name another one with --out"
            )
        self.name = parse(settings.env)
        learner(settings.method, self.name, settings.options(1))  # complain first
        path = locate(self.name, data)
        self.arena = Arena(self.name, settings.seeds, workers=settings.eval_workers)
        held = load(path, self.arena.observation, self.arena.action, self.name.discrete)
        self.data = jax.device_put(held, placing(settings.seeds, all_of=True))
        wanted = settings.options(self.arena.action)
        self.agent: Agent = learner(settings.method, self.name, wanted)
        self.config = {
            **asdict(settings),
            "data": fingerprint(path),
            "file": path.name,
            "transitions": int(self.data.size),
            "learner": re.sub(r" at 0x[0-9a-f]+", "", repr(self.agent)),
            "versions": {"python": python_version(), **{p: version(p) for p in PACKAGES}},
            "device": device_name(),
            "devices": jax.device_count(),
        }
        self.key = jax.random.key(settings.seed)
        self.step = 0
        self.seconds = 0.0
        self.success: np.ndarray | None = None

    def go(self, bar: Any) -> None:
        """Run to the end, from the newest checkpoint if there is one.

        Args:
            bar: a `tqdm` bar.

        Raises:
            Mendable: the folder is another run's or in use, its checkpoints cannot be read or
                written, or a loss is not finite.
        """
        try:
            with _locked(self.out):
                self._go(bar)
        except OSError as error:
            raise Mendable(
                f"{self.out} cannot be written ({error.strerror or error}): make room, or name "
                "another folder with --out; what is there is kept"
            ) from error

    def _go(self, bar: Any) -> None:
        self._compare()
        self.checkpoints = Checkpoints(self.out / "checkpoints", self.settings.keep, self.say)
        states = self._resume()
        bar.reset(total=max(self.settings.steps, self.step))
        bar.initial = bar.n = self.step  # not of this command's making: no part of its speed
        try:
            self._loop(states, bar)
        except KeyboardInterrupt:
            raise Mendable(
                f"stopped at update {self.step}; the same command goes on from update "
                f"{self.checkpoints.newest or 0}"
            ) from None
        finally:
            self.checkpoints.manager.close()
            self.events.close()

    def _loop(self, states: LearnerState, bar: Any) -> None:
        wanted = self.settings
        while self.step < wanted.steps:
            length = min(wanted.log_every, wanted.steps - self.step)
            begun = time.perf_counter()
            states, metrics = self._train(states, length, bar)
            took = time.perf_counter() - begun
            before, self.step = self.step, self.step + length
            self.seconds += took
            last = self.step == wanted.steps
            self._log(metrics | {"updates_per_second": round(length / took, 2)})
            if last or _passed(wanted.eval_every, before, self.step):
                self._evaluate(states)
            told = {"loss": f"{np.mean(metrics['loss']):.3g}"}
            if self.success is not None:
                told["success"] = f"{self.success.mean():.2f}"
            bar.set_postfix(told)
            if last or _passed(wanted.checkpoint_every, before, self.step):
                self.checkpoints.save(self.step, states)

    def _train(self, states: LearnerState, length: int, bar: Any) -> tuple[LearnerState, dict]:
        def some(length: int, every: int, told: Any) -> tuple[LearnerState, dict]:
            return train(
                self.agent,
                self.data,
                self.key,
                length,
                seeds=self.settings.seeds,
                states=states,
                log_every=every,
                progress=told,
                first=self.step,
            )

        try:
            states, history = some(length, length, _Part(bar))
        except FloatingPointError as error:
            told = str(error)
            try:
                some(length, 1, _Part(None))  # to name the very update
            except FloatingPointError as exact:
                told = str(exact)
            newest = self.checkpoints.newest
            look = "there is no checkpoint yet"
            if newest is not None:
                look = f"the last checkpoint is {self.checkpoints.folder / str(newest)}"
            raise Mendable(f"{told}; {look}") from None
        return states, {name: values[:, 0].tolist() for name, values in history.items()}

    def _evaluate(self, states: LearnerState) -> None:
        entropy = (self.settings.seed, self.step)
        begun = time.perf_counter()
        self.success = self.arena.success(self.agent, states, self.settings.eval_episodes, entropy)
        self.seconds += time.perf_counter() - begun
        self._log({"success": self.success.tolist()})
        tasks = " ".join(f"{rate:.2f}" for rate in self.success.mean(axis=0))
        self.say(f"update {self.step}: success {self.success.mean():.3f} (tasks {tasks})")

    def _log(self, values: dict[str, Any]) -> None:
        entry = {"step": self.step, **values, "seconds": round(self.seconds, 3)}
        with (self.out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.events.add(entry)

    def _compare(self) -> None:
        """Write the configuration, unless the folder holds another one."""
        path = self.out / "config.json"
        if path.exists():
            try:
                old = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise Mendable(f"{path} is damaged: name another folder with --out") from error
            fixed = [k for k in self.config if k not in (*FREE, *NOTED, "file")]
            differing = [k for k in fixed if old.get(k) != self.config[k]]
            if differing:
                told = ", ".join(
                    f"{k} was {_short(old.get(k))}, now {_short(self.config[k])}"
                    for k in differing
                    if k != "learner"
                )
                told = told or "this version of the library gives the method other settings"
                raise Mendable(
                    f"{self.out} holds another run ({told}): name another folder with --out, or "
                    "repeat that run's command"
                )
            for key in NOTED:
                if old.get(key) != self.config[key]:
                    self.say(f"the {key} changed since the run began: bits may differ from here on")
        write_whole(path, json.dumps(self.config, indent=1) + "\n")

    def _resume(self) -> LearnerState:
        """The states to go on from; what was logged after them is dropped."""
        seeds = self.settings.seeds
        found = self.checkpoints.restore(state_shapes(self.agent, self.data, seeds))
        if found is None:
            self.step, states = 0, fresh_states(self.agent, self.data, self.key, seeds)
        else:
            self.step, states = found
        path, kept = self.out / "metrics.jsonl", []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
            except ValueError:  # half a line, after a kill
                continue
            if entry["step"] <= self.step:
                kept.append(line)
                self.seconds = entry["seconds"]
                if "success" in entry:
                    self.success = np.array(entry["success"])
        write_whole(path, "".join(line + "\n" for line in kept))
        begun = time.time() - self.seconds
        self.events = Events(self.out / "tensorboard", self.settings.seeds, begun)
        for line in kept:
            self.events.add(json.loads(line))
        if self.step >= self.settings.steps:
            self.say(f"the run has come to update {self.step}: there is nothing left to train")
            if self.success is None:
                self._evaluate(states)
        elif found is not None:
            self.say(f"going on from the checkpoint of update {self.step}")
        # Fresh or restored, to the compiled code they are the same.
        return jax.device_put(states, placing(self.settings.seeds))  # type: ignore[no-any-return]


class _Part:
    """A bar for a part of a run: it neither begins nor ends with it."""

    def __init__(self, bar: Any) -> None:
        self.bar, self.total = bar, 0

    def update(self, n: int) -> None:
        if self.bar is not None:
            self.bar.update(n)

    def close(self) -> None:
        pass


def _passed(every: int, before: int, now: int) -> bool:
    """Whether a multiple of `every` lies between, `now` included."""
    return now // every > before // every


def device_name() -> str:
    """The device that JAX computes on, and its kind."""
    device = jax.devices()[0]
    return f"{device.platform} ({device.device_kind})"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:16]}…"


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once, so that a kill leaves the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Mendable(f"another command is at work in {folder}: wait for it") from None
        yield
