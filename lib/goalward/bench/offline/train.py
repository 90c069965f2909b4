"""A run of the benchmark: train, evaluate, log, checkpoint; go on where it was stopped.

What a run leaves is `goalward.bench.runs.folder`. The same command goes on from the newest
checkpoint. Updates draw their batches by number, so a run that was killed at any moment ends with
the same bits as one that was not.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np

from goalward.bench.data.datasets import fingerprint, load, locate
from goalward.bench.data.names import Mendable, parse
from goalward.bench.offline.evaluate import Arena
from goalward.bench.offline.presets import learner
from goalward.bench.offline.settings import FREE, Settings
from goalward.bench.runs.folder import BarPart, RunFolder, notes, passed
from goalward.protocol import Agent, LearnerState
from goalward.training.loop import fresh_states, placing, state_shapes, train

PACKAGES = ("jax", "flax", "optax", "numpy", "ogbench", "mujoco")


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
        self.folder = RunFolder(out, settings.keep, settings.seeds, say)
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
            **notes(self.agent, PACKAGES),
        }
        self.key = jax.random.key(settings.seed)
        self.step = 0
        self.success: np.ndarray | None = None

    def go(self, bar: Any) -> None:
        """Run to the end, from the newest checkpoint if there is one.

        Args:
            bar: a `tqdm` bar.

        Raises:
            Mendable: the folder is another run's or in use, its checkpoints cannot be read or
                written, or a loss is not finite.
        """
        with self.folder.held(self.config, (*FREE, "file")):
            states = self._resume()
            bar.reset(total=max(self.settings.steps, self.step))
            bar.initial = bar.n = self.step  # not of this command's making: no part of its speed
            try:
                self._loop(states, bar)
            except KeyboardInterrupt:
                raise Mendable(
                    f"stopped at update {self.step}; the same command goes on from update "
                    f"{self.folder.checkpoints.newest or 0}"
                ) from None

    def _loop(self, states: LearnerState, bar: Any) -> None:
        wanted = self.settings
        while self.step < wanted.steps:
            length = min(wanted.log_every, wanted.steps - self.step)
            begun = time.perf_counter()
            states, metrics = self._train(states, length, bar)
            took = time.perf_counter() - begun
            before, self.step = self.step, self.step + length
            self.folder.seconds += took
            last = self.step == wanted.steps
            self.folder.log(self.step, metrics | {"updates_per_second": round(length / took, 2)})
            if last or passed(wanted.eval_every, before, self.step):
                self._evaluate(states)
            told = {"loss": f"{np.mean(metrics['loss']):.3g}"}
            if self.success is not None:
                told["success"] = f"{self.success.mean():.2f}"
            bar.set_postfix(told)
            if last or passed(wanted.checkpoint_every, before, self.step):
                self.folder.checkpoints.save(self.step, states)

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
            states, history = some(length, length, BarPart(bar))
        except FloatingPointError as error:
            told = str(error)
            try:
                some(length, 1, BarPart(None))  # to name the very update
            except FloatingPointError as exact:
                told = str(exact)
            raise Mendable(f"{told}; {self.folder.last_checkpoint}") from None
        return states, {name: values[:, 0].tolist() for name, values in history.items()}

    def _evaluate(self, states: LearnerState) -> None:
        entropy = (self.settings.seed, self.step)
        begun = time.perf_counter()
        self.success = self.arena.success(self.agent, states, self.settings.eval_episodes, entropy)
        self.folder.seconds += time.perf_counter() - begun
        self.folder.log(self.step, {"success": self.success.tolist()})
        tasks = " ".join(f"{rate:.2f}" for rate in self.success.mean(axis=0))
        self.say(f"update {self.step}: success {self.success.mean():.3f} (tasks {tasks})")

    def _resume(self) -> LearnerState:
        """The states to go on from; what was logged after them is dropped."""
        seeds = self.settings.seeds
        found = self.folder.checkpoints.restore(state_shapes(self.agent, self.data, seeds))
        if found is None:
            self.step, states = 0, fresh_states(self.agent, self.data, self.key, seeds)
        else:
            self.step, states = found
        for entry in self.folder.take_up(self.step):
            if "success" in entry:
                self.success = np.array(entry["success"])
        if self.step >= self.settings.steps:
            self.say(f"the run has come to update {self.step}: there is nothing left to train")
            if self.success is None:
                self._evaluate(states)
        elif found is not None:
            self.say(f"going on from the checkpoint of update {self.step}")
        # Fresh or restored, to the compiled code they are the same.
        return jax.device_put(states, placing(self.settings.seeds))  # type: ignore[no-any-return]
