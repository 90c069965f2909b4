"""How tests compile: their programs run for a moment, so XLA spends little on their speed."""

import os
from importlib.metadata import version

OPTIMISED = "--xla_cpu_multi_thread_eigen=false"
"""Workers run side by side, one thread each."""
OLDER = "--xla_cpu_use_fusion_emitters=false"
"""XLA's older way to write kernels compiles in two thirds of the time."""
SWITCH = "JAX_DISABLE_MOST_OPTIMIZATIONS"


def settings() -> dict[str, str]:
    """What a process needs before JAX starts; those that it starts inherit it."""
    flags = os.environ.get("XLA_FLAGS", OPTIMISED)
    # XLA ends a process with a flag that it does not know.
    if OLDER not in flags and version("jaxlib").startswith("0.10."):
        flags = f"{flags} {OLDER}"
    return {"XLA_FLAGS": flags, SWITCH: "1"}


def optimised() -> dict[str, str]:
    """The environment of a process that compiles as it does for users."""
    return {**os.environ, "XLA_FLAGS": OPTIMISED, SWITCH: "0"}
