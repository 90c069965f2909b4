"""What a replay buffer takes, said before it is made; refused where the device has not so much."""

import os
from pathlib import Path

import jax
from jaxtyping import PyTree

from goalward.bench.data.names import Unknown
from goalward.bench.online.settings import OnlineSettings

SHARE = 0.8
"""Of what is free: the rest is for networks, physics and the sampler's tables."""


def size(tree: PyTree) -> int:
    """Bytes of arrays, or of what only has their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def free() -> int:
    """Bytes that the device has left; a CPU's is the machine's memory."""
    told = jax.devices()[0].memory_stats()
    if told and "bytes_limit" in told:
        return int(told["bytes_limit"]) - int(told.get("bytes_in_use", 0))
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        (available,) = (line for line in lines if line.startswith("MemAvailable:"))
        return int(available.split()[1]) * 1024
    except (OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def announced(settings: OnlineSettings, replay: PyTree) -> str:
    """What there is to say about a replay buffer that is about to be made.

    Args:
        settings: of the run.
        replay: shapes of the buffers of all seeds.

    Raises:
        Unknown: it does not fit; a capacity is named that does.
    """
    rounds = settings.sizes
    kept, bytes_ = rounds.rows * rounds.envs, size(replay)
    there = SHARE * free()
    if bytes_ > there:
        fitting = int(there / (bytes_ / kept)) // rounds.per_round * rounds.per_round
        mend = f"--capacity {fitting}" if fitting else "fewer --envs or --seeds"
        raise Unknown(
            f"a replay buffer of {told(bytes_)} ({kept:,} transitions for each of "
            f"{settings.seeds} seeds) does not fit into the "
            f"{told(free())} that are free: take {mend}"
        )
    several = f" for each of {settings.seeds} seeds" if settings.seeds > 1 else ""
    return f"replay buffer: {kept:,} transitions{several}, {told(bytes_)}"


def told(bytes_: float) -> str:
    """So many bytes, in words."""
    return f"{bytes_ / 1e9:.1f} GB" if bytes_ >= 1e9 else f"{bytes_ / 1e6:.1f} MB"
