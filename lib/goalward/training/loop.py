"""The one training loop: scanned over steps inside jit, vmapped over seeds."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding
from jaxtyping import Array, Float, PyTree
from tqdm import tqdm

from goalward.protocol import Key, Learner, LearnerState, Metrics

SEEDS = "seeds"
"""The axis that is dealt out to devices."""

Probe = Callable[[LearnerState], Metrics]


@runtime_checkable
class Progress(Protocol):
    """A progress bar: what `train` tells while it runs (`tqdm.tqdm` is one)."""

    total: Any

    def update(self, n: int) -> Any:
        """`n` more steps are done."""

    def close(self) -> None:
        """All steps are done."""


def terminal_progress(label: str = "train") -> tqdm:
    """A bar on standard error where that is a terminal, silent elsewhere."""
    return tqdm(desc=label, unit="step", file=sys.stderr, disable=not sys.stderr.isatty())


def train(
    learner: Learner,
    data: PyTree,
    key: Key,
    steps: int,
    *,
    seeds: int = 1,
    data_axis: int | PyTree | None = None,
    states: LearnerState | None = None,
    log_every: int | None = None,
    probe: Probe | None = None,
    progress: Progress | None = None,
    first: int = 0,
) -> tuple[LearnerState, dict[str, Float[np.ndarray, "seeds logs"]]]:
    """Train `seeds` copies of a learner at once.

    Each seed has its own key for initialisation, batches and losses. A dispatch runs
    `log_every` updates; the bar moves between dispatches. Where there are several devices, and
    their number divides that of the seeds, each trains its share of them on all the data.

    Args:
        learner: frozen and hashable; equal learners share their compiled code.
        data: what `learner.batch` draws from, on the device.
        key: split into one key a seed.
        steps: updates in all, a multiple of `log_every`.
        seeds: how many copies.
        data_axis: 0 where each leaf of the data has a leading axis over seeds, else None; or a
            hashable pytree of these, as `jax.vmap` takes them, where only some leaves have it
            (`goalward.data.trajectories.window_axes` makes one).
        states: states to go on from (leading axis over seeds) in place of fresh ones: the way to
            resume, or to sweep a step size.
        log_every: updates between logs; a tenth of the steps or fewer, by default.
        probe: a function of one state, evaluated at each log (an error against an oracle, say).
            Pass the same function object again to reuse compiled code.
        progress: a bar; by default one on the terminal.
        first: the number of the first update. Updates draw their batches by number, so a run cut
            at any log and continued with the same `key`, its `states` and `first` is the same run.

    Returns:
        The states and the history: each metric averaged since the log before, each probe's value
        at the log.

    Raises:
        ValueError: if `log_every` does not divide `steps`.
        FloatingPointError: if the loss is not finite at a log; it names the seed and the steps.
    """
    log_every = _default_log_every(steps) if log_every is None else log_every
    if steps < 1 or log_every < 1 or steps % log_every:
        raise ValueError(f"steps ({steps}) must be a multiple of log_every ({log_every})")
    if states is None:
        states = fresh_states(learner, data, key, seeds, data_axis)
    keys = jax.random.split(jax.random.split(key)[1], seeds)
    if _dealt_out(seeds, data_axis):
        states, data = jax.device_put((states, data), (placing(seeds), placing(seeds, all_of=True)))

    bar = terminal_progress() if progress is None else progress
    bar.total = steps
    logs = []
    for start in range(first, first + steps, log_every):
        states, metrics = _run(learner, probe, log_every, data_axis, states, data, keys, start)
        metrics = jax.device_get(metrics)
        if not np.isfinite(metrics["loss"]).all():
            bar.close()
            seed = int(np.flatnonzero(~np.isfinite(metrics["loss"]))[0])
            parts = [
                k for k, v in metrics.items() if k != "loss" and not np.isfinite(v[seed]).all()
            ]
            nor = f" (nor is its {', '.join(parts)})" if parts else ""
            raise FloatingPointError(
                f"the loss of seed {seed} is not finite in steps {start} to {start + log_every}"
                f"{nor}: lower the learning rate or look at the data"
            )
        logs.append(metrics)
        bar.update(log_every)
    bar.close()
    history = {name: np.stack([log[name] for log in logs], axis=1) for name in logs[0]}
    return states, history


def fresh_states(
    learner: Learner,
    data: PyTree,
    key: Key,
    seeds: int = 1,
    data_axis: int | PyTree | None = None,
) -> LearnerState:
    """The states that `train`, given the same arguments, begins with."""
    keys = jax.random.split(jax.random.split(key)[0], seeds)
    states: LearnerState = _init(learner, data, keys, data_axis)
    return states


def state_shapes(learner: Learner, data: PyTree, seeds: int = 1) -> LearnerState:
    """The shapes and types of `fresh_states`, of which nothing is computed."""
    keys = jax.random.split(jax.random.key(0), seeds)
    shapes: LearnerState = jax.eval_shape(lambda d, k: _fresh(learner, d, k, None), data, keys)
    return shapes


def placing(seeds: int, all_of: bool = False) -> Sharding:
    """Where `train` keeps states, whose leading axis is over seeds, or (`all_of`) its data."""
    devices = jax.devices()
    if not _dealt_out(seeds, None):
        return SingleDeviceSharding(devices[0])
    spec = PartitionSpec() if all_of else PartitionSpec(SEEDS)
    return NamedSharding(Mesh(np.array(devices), SEEDS), spec)


def _dealt_out(seeds: int, data_axis: int | PyTree | None) -> bool:
    return data_axis is None and jax.device_count() > 1 and seeds % jax.device_count() == 0


def _default_log_every(steps: int) -> int:
    """The largest divisor of `steps` that is at most a tenth of them and at most 500."""
    return max(d for d in range(1, min(500, max(1, steps // 10)) + 1) if steps % d == 0)


def _fresh(
    learner: Learner, data: PyTree, keys: Array, data_axis: int | PyTree | None
) -> LearnerState:
    def init(data: PyTree, key: Key) -> LearnerState:
        key_example, key_init = jax.random.split(key)
        return learner.init(key_init, learner.batch(data, key_example))

    return jax.vmap(init, in_axes=(data_axis, 0))(data, keys)


# It runs once: with less optimisation it compiles three times faster, to the same numbers.
_init = jax.jit(
    _fresh, static_argnums=(0, 3), compiler_options={"xla_backend_optimization_level": 1}
)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run(
    learner: Learner,
    probe: Probe | None,
    length: int,
    data_axis: int | PyTree | None,
    states: LearnerState,
    data: PyTree,
    keys: Array,
    start: Array,
) -> tuple[LearnerState, Metrics]:
    def one_seed(
        state: LearnerState, data: PyTree, key: Key, start: Array
    ) -> tuple[LearnerState, Metrics]:
        def step(state: LearnerState, i: Array) -> tuple[LearnerState, Metrics]:
            key_batch, key_update = jax.random.split(jax.random.fold_in(key, i))
            return learner.update(state, learner.batch(data, key_batch), key_update)

        state, metrics = jax.lax.scan(step, state, start + jnp.arange(length))
        metrics = jax.tree.map(lambda m: m.mean(0), dict(metrics))
        return state, metrics if probe is None else {**metrics, **probe(state)}

    def all_seeds(
        states: LearnerState, data: PyTree, keys: Array, start: Array
    ) -> tuple[LearnerState, Metrics]:
        if len(keys) == 1 and data_axis is None:
            # The same without a batch axis in every product: a fifth faster on a CPU.
            single = jax.tree.map(lambda leaf: leaf[0], states)
            states, metrics = one_seed(single, data, keys[0], start)
            return jax.tree.map(lambda leaf: leaf[None], (states, metrics))  # type: ignore
        return jax.vmap(one_seed, in_axes=(0, data_axis, 0, None))(states, data, keys, start)

    if _dealt_out(len(keys), data_axis):
        split, whole = PartitionSpec(SEEDS), PartitionSpec()
        all_seeds = jax.shard_map(
            all_seeds,
            mesh=placing(len(keys)).mesh,  # type: ignore[attr-defined]
            in_specs=(split, whole, split, whole),
            out_specs=split,
            check_vma=False,  # the loops inside begin with constants, which do not vary
        )
    return all_seeds(states, data, keys, start)
