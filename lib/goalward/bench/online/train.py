"""A run that learns while acting: act and update, evaluate, log, checkpoint; go on where stopped.

What a run leaves is `goalward.bench.runs.folder`; steps count those of all environments together,
and whole rounds are made. All that changes is one state, and a round draws its randomness by
number: so a run that was killed at any moment ends with the same bits as one that was not.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import jax.monitoring
import numpy as np

from goalward.bench.data.names import Mendable
from goalward.bench.online import environments, memory, presets
from goalward.bench.online.settings import FREE, OnlineSettings
from goalward.bench.runs.checkpoints import Checkpoints
from goalward.bench.runs.folder import BarPart, RunFolder, notes, passed
from goalward.evaluation.goal_reaching import GoalReaching
from goalward.protocol import Key, Metrics
from goalward.training.online import OnlineState, fresh_states, train

PACKAGES = ("jax", "flax", "optax", "numpy", "mujoco", "mujoco-mjx", "warp-lang")
BROKEN = 1e-3
"""Steps whose physics may fail, as a share of all, before a run stops; the first ten may."""
COMPILING = ("backend_compile_duration", "jaxpr_to_mlir_module_duration")
MEASURED = ("success_any", "time_near_goal")
COLLECTED = ("env_steps", "broken")
"""What there is to tell of a round without updates."""


class Run:
    """A run in its folder.

    Args:
        settings: what to do.
        out: the folder, new or of the same run.
        say: told a line when there is news.

    Raises:
        Unknown, Mendable: the settings cannot be, or something is missing.
    """

    def __init__(self, settings: OnlineSettings, out: Path, say: Callable[[str], Any]) -> None:
        self.settings, self.out, self.say = settings, out, say
        self.folder = RunFolder(out, settings.keep, settings.seeds, say, unit="step")
        presets.check(settings)  # complain before anything is built
        self.env = environments.make(settings.env, settings.physics)
        self.agent = presets.agent(settings, self.env)
        self.sizes = settings.sizes
        self.probe = GoalReaching(self.env, self.agent, settings.eval_episodes)
        self.key = jax.random.key(settings.seed)
        # The environments' own class may refuse what is not an array: their leaves are enough.
        self.shapes = jax.eval_shape(lambda key: self.plain(self._fresh(key)), self.key)
        self.config = {
            **asdict(settings),
            "environment": environments.describe(self.env, settings.env),
            **notes(self.agent, [p for p in PACKAGES if _installed(p)]),
        }
        self.rounds = -(-settings.steps // self.sizes.per_round)
        self.round = 0
        self.measured: dict[str, np.ndarray] = {}

    def _fresh(self, key: Key) -> OnlineState:
        states: OnlineState = fresh_states(
            self.agent, self.env, self.sizes, key, self.settings.seeds
        )
        self.structure = jax.tree.structure(states.blocks.envs)
        return states

    @property
    def step(self) -> int:
        """Steps of each learner's environments so far."""
        return self.round * self.sizes.per_round

    def go(self, bar: Any) -> None:
        """Run to the end, from the newest checkpoint if there is one.

        Args:
            bar: a `tqdm` bar, in steps.

        Raises:
            Mendable: the folder is another run's or in use, its checkpoints cannot be read or
                written, or a loss or the physics are not finite.
        """
        sizes, wanted = self.sizes, self.settings
        with self.folder.held(self.config, FREE):
            waiting = f"; the first {sizes.warmup:,} only collect" if sizes.warmup else ""
            self.say(
                f"a round: {sizes.per_round:,} steps ({sizes.envs} environments × {sizes.unroll}) "
                f"and {sizes.updates:,} updates; updates to data {wanted.ratio}{waiting}"
            )
            self.say(memory.announced(wanted, self.shapes.blocks.replay))
            states = self._resume()
            bar.reset(total=self.rounds * sizes.per_round)
            bar.initial = bar.n = self.step  # not of this command's making: no part of its speed
            try:
                self._loop(states, bar)
            except KeyboardInterrupt:
                raise Mendable(
                    f"stopped at step {self.step}; the same command goes on from step "
                    f"{self.folder.checkpoints.newest or 0}"
                ) from None

    def _loop(self, states: OnlineState, bar: Any) -> None:
        wanted, sizes = self.settings, self.sizes
        while self.round < self.rounds:
            begun = time.perf_counter()
            with compiling() as compiled:
                states, metrics = self._train(states, BarPart(bar, sizes.per_round))
            took = time.perf_counter() - begun
            learnt = self.round >= sizes.warmup
            before, self.round = self.step, self.round + 1
            self.folder.seconds += took
            speed = {"compile_seconds": round(sum(compiled), 3)}
            if not compiled:
                speed = {"env_steps_per_second": round(sizes.per_round / took, 2)}
                if learnt:
                    speed["updates_per_second"] = round(sizes.updates / took, 2)
            told = metrics if learnt else {name: metrics[name] for name in COLLECTED}
            self.folder.log(self.step, told | speed)
            self._look_at_physics(states, metrics)
            last = self.round == self.rounds
            if last or passed(wanted.eval_every, before, self.step):
                self._evaluate(states)
            shown = {"loss": f"{np.mean(metrics['loss']):.3g}"} if learnt else {}
            if self.measured:
                shown["success"] = f"{self.measured['success_any'].mean():.2f}"
            bar.set_postfix(shown)
            if last or passed(wanted.checkpoint_every, before, self.step):
                self.folder.checkpoints.save(self.step, self.kept(self.plain(states)))

    def _train(self, states: OnlineState, bar: BarPart) -> tuple[OnlineState, dict[str, Any]]:
        try:
            states, history = train(
                self.agent,
                self.env,
                self.sizes,
                self.key,
                1,
                seeds=self.settings.seeds,
                states=states,
                progress=bar,
            )
        except FloatingPointError as error:
            raise Mendable(f"{error}; {self.folder.last_checkpoint}") from None
        return states, {name: values[:, 0].tolist() for name, values in history.items()}

    def _evaluate(self, states: OnlineState) -> None:
        begun = time.perf_counter()
        told = jax.device_get(evaluated(self.probe, states.learner))
        self.measured = {name: np.asarray(told[name]) for name in MEASURED}
        self.folder.seconds += time.perf_counter() - begun
        values = {name: rates.tolist() for name, rates in self.measured.items()}
        counts = np.asarray(states.blocks.env_steps).sum(axis=1).tolist()
        self.folder.log(self.step, {"env_steps": counts, **values})
        means = {name: rates.mean() for name, rates in self.measured.items()}
        self.say(
            f"step {self.step}: reached {means['success_any']:.3f} of the goals, near them "
            f"{means['time_near_goal']:.3f} of the time"
        )

    def _look_at_physics(self, states: OnlineState, metrics: dict[str, Any]) -> None:
        broken, steps = sum(metrics["broken"]), sum(metrics["env_steps"])
        if broken <= max(10, BROKEN * steps):
            return
        seed, block, _, number = np.argwhere(np.asarray(states.blocks.replay.steps.broken))[-1]
        number += block * (self.sizes.envs // self.sizes.blocks)
        raise Mendable(
            f"the physics failed (NaN) in {broken} of {steps} steps up to step {self.step}, more "
            f"than {BROKEN:.1%}; environment {number} of seed {seed} was one: look at the body, or "
            f"take other --physics; {self.folder.last_checkpoint}"
        )

    def plain(self, states: OnlineState) -> OnlineState:
        """The states with the leaves of the environments' in place of their own class."""
        envs = tuple(jax.tree.leaves(states.blocks.envs))
        return states.replace(blocks=states.blocks.replace(envs=envs))  # type: ignore

    def kept(self, plain: OnlineState) -> OnlineState:
        """What a checkpoint holds of plain states, or of their shapes."""
        if not self.settings.light_checkpoints:
            return plain
        return plain.replace(blocks=plain.blocks.replace(replay=()))  # type: ignore

    def read(self, checkpoints: Checkpoints) -> tuple[int, OnlineState] | None:
        """The newest good checkpoint: its step and its states, light ones without a buffer."""
        found = checkpoints.restore(self.kept(self.shapes))
        if found is None:
            return None
        step, plain = found
        envs = jax.tree.unflatten(self.structure, plain.blocks.envs)
        return step, plain.replace(blocks=plain.blocks.replace(envs=envs))

    def _resume(self) -> OnlineState:
        """The states to go on from; what was logged after them is dropped."""
        found = self.read(self.folder.checkpoints)
        states: OnlineState
        if found is None:
            step, states = 0, self._fresh(self.key)
        else:
            step, states = found
        self.round = step // self.sizes.per_round
        for entry in self.folder.take_up(step):
            if MEASURED[0] in entry:
                self.measured = {name: np.array(entry[name]) for name in MEASURED}
        if self.round >= self.rounds:
            self.say(f"the run has come to step {step}: there is nothing left to train")
            if not self.measured:
                self._evaluate(states)
            return states
        if found is not None:
            self.say(f"going on from the checkpoint of step {step}")
            if self.settings.light_checkpoints:
                states = self._refilled(states, self._fresh(self.key).blocks.replay)
        return states

    def _refilled(self, states: OnlineState, empty: Any) -> OnlineState:
        """Light states with a replay buffer that the agents fill anew, without learning."""
        rounds = min(self.round, self.sizes.rows // self.sizes.unroll)
        self.say(
            f"the checkpoint is light: {rounds * self.sizes.per_round:,} steps are made without "
            "learning to fill the replay buffer again; the run is not the same to the bit"
        )
        states = states.replace(blocks=states.blocks.replace(replay=empty))  # type: ignore
        only = replace(self.sizes, updates=0)
        key = jax.random.fold_in(self.key, self.round)
        seeds = self.settings.seeds
        states, _ = train(
            self.agent,
            self.env,
            only,
            key,
            rounds,
            seeds=seeds,
            states=states,
            progress=BarPart(None),
        )
        return states.replace(round=states.round - rounds)  # type: ignore[attr-defined, no-any-return]


@partial(jax.jit, static_argnums=0)
def evaluated(probe: GoalReaching, learners: Any) -> Metrics:
    """What a probe finds of each seed's learner."""
    return jax.vmap(probe)(learners)


@contextmanager
def compiling() -> Iterator[list[float]]:
    """The seconds of each compilation that happens meanwhile."""
    found: list[float] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event.endswith(COMPILING):
            found.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
