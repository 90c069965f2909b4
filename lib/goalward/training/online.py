"""The loop for learning while acting: act, store, update, as one program.

A round takes `unroll` steps in every environment, stores them, and makes `updates` gradient steps
on what is stored; rounds are scanned inside jit and vmapped over seeds. An episode that ended is
reset by the next step, whose action is not taken: its last observation is stored, and what comes
after the reset is another episode.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Num, PyTree

from goalward.data.replay import Replay, Steps, empty
from goalward.data.trajectories import Leaf
from goalward.protocol import (
    Agent,
    Batch,
    GoalEnvironment,
    Key,
    LearnerState,
    Metrics,
    Params,
    gradient_step,
)
from goalward.training.loop import Probe, Progress, terminal_progress

BLOCKS = "blocks"
"""The axis that is dealt out to devices."""


@dataclass(frozen=True)
class Rounds:
    """The sizes of a round.

    Attributes:
        envs: environments side by side.
        unroll: steps of each of them in a round.
        updates: gradient steps in a round.
        capacity: transitions kept, of all environments; whole rounds of them are.
        warmup: rounds at the beginning that only collect.
        blocks: parts of the environments, each with a replay buffer of its own. Each update
            averages the gradients of a batch from every block. Devices share the blocks, if their
            number divides that of the blocks; the numbers do not depend on how many there are.

    Raises:
        ValueError: a size is too small, or the blocks do not divide the environments.
    """

    envs: int
    unroll: int
    updates: int
    capacity: int
    warmup: int = 0
    blocks: int = 1

    def __post_init__(self) -> None:
        for field, least in (("envs", 1), ("unroll", 2), ("updates", 0), ("blocks", 1)):
            if getattr(self, field) < least:
                raise ValueError(f"{field} is at least {least}, not {getattr(self, field)}")
        if self.warmup < 0:
            raise ValueError(f"warmup is at least 0, not {self.warmup}")
        if self.envs % self.blocks:
            nearest = max(1, round(self.envs / self.blocks)) * self.blocks
            raise ValueError(
                f"{self.envs} environments cannot be parted into {self.blocks} blocks: take "
                f"{nearest} environments"
            )
        if self.capacity < self.per_round:
            raise ValueError(
                f"a capacity of {self.capacity} transitions does not hold a round: take at least "
                f"{self.per_round}"
            )

    @property
    def per_round(self) -> int:
        """Steps of all environments in a round."""
        return self.envs * self.unroll

    @property
    def rows(self) -> int:
        """Steps of each environment that are kept."""
        return self.capacity // self.per_round * self.unroll


@struct.dataclass
class Block:
    """Some of the environments, and what they have gone through.

    Attributes:
        envs: their states; the last of the leading axes is over environments.
        over: whether their episodes ended, so that the next step is a reset.
        replay: their last steps, a `Replay`.
        env_steps: steps of the environments so far, without resets.
        broken: how often the physics gave something that is not finite; the episode is dropped.
    """

    envs: Leaf
    over: Leaf
    replay: Any
    env_steps: Leaf
    broken: Leaf


@struct.dataclass
class OnlineState:
    """All that changes: the learner, the environments, the buffers. Seeds are the leading axis.

    Attributes:
        learner: a `LearnerState`: parameters, moments, step.
        blocks: a `Block`; the axis after the seeds' is over blocks.
        round: rounds made.
    """

    learner: Any
    blocks: Any
    round: Leaf


QUICKLY = {"xla_backend_optimization_level": 0}
"""How to compile what runs once: initial weights take longer to compile than to draw."""
SPECS = OnlineState(PartitionSpec(), PartitionSpec(None, BLOCKS), PartitionSpec())
"""Which axis of a state's parts is dealt out: that over blocks, the second."""


def train(
    agent: Agent,
    env: GoalEnvironment,
    sizes: Rounds,
    key: Key,
    rounds: int,
    *,
    seeds: int = 1,
    states: OnlineState | None = None,
    log_every: int = 1,
    probe: Probe | None = None,
    progress: Progress | None = None,
    variants: PyTree | None = None,
) -> tuple[OnlineState, dict[str, Num[np.ndarray, "seeds logs"]]]:
    """Let `seeds` copies of an agent act and learn, each in environments of its own.

    Args:
        agent: frozen and hashable; its `batch` draws from a `goalward.data.trajectories.Dataset`.
        env: pure; hashable too.
        sizes: of a round.
        key: split into one key a seed. A round draws its randomness by number, so a run that goes
            on from its `states` with the same key is the same run.
        rounds: how many to make, a multiple of `log_every`.
        seeds: how many copies.
        states: to go on from; their memory is used again, so they are gone afterwards.
        log_every: rounds of a dispatch, after which there is a log.
        probe: a function of one learner's state, evaluated at each log.
        progress: a bar in rounds; by default one on the terminal.
        variants: what differs between the seeds beside their keys, with a leading axis over them.
            The agent's `batch` is given the pair of its variant and the data.

    Returns:
        The states and the history: each metric of the updates averaged since the log before,
        `env_steps` and `broken` as counts so far, each probe's value at the log.

    Raises:
        ValueError: `log_every` does not divide `rounds`.
        FloatingPointError: a loss is not finite; it names the seed and the rounds.
    """
    if rounds < 1 or log_every < 1 or rounds % log_every:
        raise ValueError(f"rounds ({rounds}) must be a multiple of log_every ({log_every})")
    if states is None:
        states = fresh_states(agent, env, sizes, key, seeds, variants)
    states = jax.device_put(states, placing(sizes))
    keys = _keys(key, seeds)
    bar = terminal_progress() if progress is None else progress
    bar.total = rounds
    first, logs = int(states.round[0]), []
    for start in range(first, first + rounds, log_every):
        states, told = _run(agent, env, sizes, probe, log_every, states, keys, variants, start)
        told = jax.device_get(told)
        if not np.isfinite(told["loss"]).all():
            bar.close()
            seed = int(np.flatnonzero(~np.isfinite(told["loss"]))[0])
            raise FloatingPointError(
                f"the loss of seed {seed} is not finite in rounds {start} to {start + log_every}: "
                "lower the learning rate or look at the environment"
            )
        logs.append(told)
        bar.update(log_every)
    bar.close()
    return states, {name: np.stack([log[name] for log in logs], axis=1) for name in logs[0]}


def fresh_states(
    agent: Agent,
    env: GoalEnvironment,
    sizes: Rounds,
    key: Key,
    seeds: int = 1,
    variants: PyTree | None = None,
) -> OnlineState:
    """The states that `train`, given the same arguments, begins with.

    Of their shapes and types alone `jax.eval_shape` knows, without computing anything.
    """
    # A program inside another is compiled as that one is.
    make = _fresh if isinstance(key, jax.core.Tracer) else _fresh_at_once
    states: OnlineState = make(agent, env, sizes, key, seeds, variants)
    return states


def _fresh(
    agent: Agent, env: GoalEnvironment, sizes: Rounds, key: Key, seeds: int, variants: PyTree
) -> OnlineState:
    parts = sizes.envs // sizes.blocks
    goal = len(env.goal_entries)

    def block(key: Key, number: Array) -> Block:
        keys = jax.random.split(jax.random.fold_in(key, number), parts)
        return Block(
            envs=jax.vmap(env.reset)(keys),
            over=jnp.zeros(parts, bool),
            replay=empty(sizes.rows, parts, env.observation_size, env.action_size, goal),
            env_steps=jnp.zeros((), jnp.int32),
            broken=jnp.zeros((), jnp.int32),
        )

    def one(key: Key, variant: PyTree) -> OnlineState:
        key_learner, key_envs = jax.random.split(jax.random.split(key)[0])
        blocks = jax.vmap(block, in_axes=(None, 0))(key_envs, jnp.arange(sizes.blocks))
        replay: Replay = jax.tree.map(lambda leaf: leaf[0], blocks.replay)
        shapes = jax.eval_shape(lambda: _batch(agent, replay, variant, key))
        example = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        learner = agent.init(key_learner, example)
        return OnlineState(learner, blocks, jnp.zeros((), jnp.int32))

    return jax.vmap(one, in_axes=(0, None if variants is None else 0))(_keys(key, seeds), variants)


_fresh_at_once = jax.jit(_fresh, static_argnums=(0, 1, 2, 4), compiler_options=QUICKLY)


def collect(
    agent: Agent, env: GoalEnvironment, learner: LearnerState, block: Block, key: Key, unroll: int
) -> Block:
    """Act for `unroll` steps in a block's environments, and store what happened."""

    def one(envs: Any, over: Array, key: Key) -> tuple[Any, Array, Steps]:
        key_act, key_step, key_reset = jax.random.split(key, 3)
        action, _ = agent.act(learner, envs.observation, envs.goal, (), key_act)
        after, fresh = env.step(envs, action, key_step), env.reset(key_reset)
        broken = ~over & ~jnp.all(jnp.isfinite(after.observation))
        after = jax.tree.map(lambda new, old: jnp.where(over | broken, new, old), fresh, after)
        row = Steps(
            observations=envs.observation,
            actions=action,
            commanded=envs.goal,
            last=over | broken,
            fallen=over & envs.terminated,
            broken=broken,
        )
        return after, (after.terminated | after.truncated) & ~over & ~broken, row

    def step(moment: tuple[Any, Array], number: Array) -> tuple[tuple[Any, Array], Steps]:
        keys = jax.random.split(jax.random.fold_in(key, number), len(block.over))
        envs, over, row = jax.vmap(one)(*moment, keys)
        return (envs, over), row

    (envs, over), steps = jax.lax.scan(step, (block.envs, block.over), jnp.arange(unroll))
    return Block(
        envs=envs,
        over=over,
        replay=block.replay.insert(steps),
        env_steps=block.env_steps + jnp.sum(~steps.last),
        broken=block.broken + jnp.sum(steps.broken),
    )


def averaged(transform: optax.GradientTransformation, axis: str) -> optax.GradientTransformation:
    """The same optimiser, given the mean of the gradients of all devices along a mapped axis."""

    def update(gradient: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return transform.update(jax.lax.pmean(gradient, axis), state, params)

    return optax.GradientTransformation(transform.init, update)


def _batch(agent: Agent, replay: Replay, variant: PyTree, key: Key) -> Batch:
    data = replay.view()
    return agent.batch(data if variant is None else (variant, data), key)


def _keys(key: Key, seeds: int) -> Array:
    return jax.random.split(key, seeds)


def _devices(sizes: Rounds) -> int:
    """How many devices share the blocks."""
    return jax.device_count() if sizes.blocks % jax.device_count() == 0 else 1


def _mesh(sizes: Rounds) -> Mesh:
    return Mesh(np.array(jax.devices()[: _devices(sizes)]), BLOCKS)


def placing(sizes: Rounds) -> OnlineState:
    """Where `train` keeps the states: a sharding for each of their parts."""
    specs, mesh = (SPECS.learner, SPECS.blocks, SPECS.round), _mesh(sizes)
    return OnlineState(*(NamedSharding(mesh, spec) for spec in specs))


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4), donate_argnums=5)
def _run(
    agent: Agent,
    env: GoalEnvironment,
    sizes: Rounds,
    probe: Callable[[LearnerState], Metrics] | None,
    length: int,
    states: OnlineState,
    keys: Array,
    variants: PyTree,
    start: Array,
) -> tuple[OnlineState, dict[str, Array]]:
    devices = _devices(sizes)
    here = sizes.blocks // devices

    def update(
        learner: LearnerState, replays: Replay, variant: PyTree, key: Key, numbers: Array
    ) -> tuple[LearnerState, Metrics]:
        def of_block(replay: Replay, number: Array) -> tuple[Batch, Key]:
            key_batch, key_loss = jax.random.split(jax.random.fold_in(key, number))
            return _batch(agent, replay, variant, key_batch), key_loss

        if sizes.blocks == 1:
            batch, key_loss = of_block(jax.tree.map(lambda leaf: leaf[0], replays), numbers[0])
            return agent.update(learner, batch, key_loss)
        batches, loss_keys = _map(of_block, here)(replays, numbers)

        def loss(
            params: Params, state: LearnerState, batches: Batch, keys: Key
        ) -> tuple[Array, Metrics]:
            each = _map(lambda batch, key: agent.loss(params, state, batch, key), here)
            value, metrics = each(batches, keys)
            return value.mean(), jax.tree.map(jnp.mean, metrics)

        transform = agent.transform  # type: ignore[attr-defined]
        if devices > 1:
            transform = averaged(transform, BLOCKS)
        learner, metrics = gradient_step(
            loss,
            learner,
            batches,
            loss_keys,
            transform,
            agent.tau,  # type: ignore[attr-defined]
        )
        return learner, jax.lax.pmean(metrics, BLOCKS) if devices > 1 else metrics

    def one_seed(
        state: OnlineState, key: Key, variant: PyTree, start: Array
    ) -> tuple[OnlineState, dict[str, Array]]:
        numbers = jnp.arange(here)
        if devices > 1:
            numbers += here * jax.lax.axis_index(BLOCKS)
        key = jax.random.split(key)[1]

        def one_round(state: OnlineState, number: Array) -> tuple[OnlineState, Metrics]:
            key_act, key_learn = jax.random.split(jax.random.fold_in(key, number))

            def act(block: Block, part: Array) -> Block:
                part_key = jax.random.fold_in(key_act, part)
                return collect(agent, env, state.learner, block, part_key, sizes.unroll)

            blocks = _map(act, here)(state.blocks, numbers)

            def learn(learner: LearnerState) -> tuple[LearnerState, Metrics]:
                def step(learner: LearnerState, i: Array) -> tuple[LearnerState, Metrics]:
                    key_step = jax.random.fold_in(key_learn, i)
                    return update(learner, blocks.replay, variant, key_step, numbers)

                learner, each = jax.lax.scan(step, learner, jnp.arange(sizes.updates))
                return learner, {name: value.mean(0) for name, value in each.items()}

            def wait(learner: LearnerState) -> tuple[LearnerState, Metrics]:
                told = jax.eval_shape(learn, learner)[1]
                return learner, jax.tree.map(lambda m: jnp.zeros(m.shape, m.dtype), told)

            told: Metrics
            if sizes.updates == 0:
                learner, told = state.learner, {"loss": jnp.zeros(())}  # only acting
            elif sizes.warmup == 0:
                learner, told = learn(state.learner)
            else:
                learner, told = jax.lax.cond(number >= sizes.warmup, learn, wait, state.learner)
            return OnlineState(learner, blocks, state.round + 1), told

        state, each = jax.lax.scan(one_round, state, start + jnp.arange(length))
        learned = jnp.maximum(jnp.sum(start + jnp.arange(length) >= sizes.warmup), 1)
        metrics = {name: value.sum(0) / learned for name, value in each.items()}
        for name in ("env_steps", "broken"):
            count = getattr(state.blocks, name).sum()
            metrics[name] = jax.lax.psum(count, BLOCKS) if devices > 1 else count
        return state, metrics if probe is None else {**metrics, **probe(state.learner)}

    def all_seeds(
        states: OnlineState, keys: Array, variants: PyTree, start: Array
    ) -> tuple[OnlineState, dict[str, Array]]:
        each = lambda state, key, variant: one_seed(state, key, variant, start)  # noqa: E731
        return _map(each, len(keys), (0, 0, None if variants is None else 0))(
            states, keys, variants
        )

    if devices > 1:
        whole = PartitionSpec()
        all_seeds = jax.shard_map(
            all_seeds,
            mesh=_mesh(sizes),
            in_specs=(SPECS, whole, whole, whole),
            out_specs=(SPECS, whole),
            check_vma=False,  # the loops inside begin with constants, which do not vary
        )
    return all_seeds(states, keys, variants, start)


def _map(function: Callable, count: int, axes: tuple[int | None, ...] | int = 0) -> Callable:
    """`jax.vmap`, without the extra axis in every product where there is but one to map over."""
    if count > 1:
        return jax.vmap(function, in_axes=axes)

    def single(*arguments: Any) -> Any:
        alone = jax.tree.map(lambda leaf: leaf[0], arguments)
        return jax.tree.map(lambda leaf: leaf[None], function(*alone))

    return single
