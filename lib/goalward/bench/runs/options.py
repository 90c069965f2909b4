"""What the command line of every kind of run shares."""

import argparse
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeVar

from goalward.bench.data.names import Unknown

T = TypeVar("T")
Add = Callable[..., argparse.ArgumentParser]
"""Adds a command: its name, what it runs, what it does, an example."""


def add_options(
    parser: argparse.ArgumentParser, *options: tuple[str, Callable[[str], Any], str, str]
) -> None:
    """Options with defaults that the settings know: left out here, and not imported for this."""
    for option, kind, letter, told in options:
        parser.add_argument(
            f"--{option}", type=kind, metavar=letter, help=told, default=argparse.SUPPRESS
        )


def chosen(options: argparse.Namespace, settings: type) -> dict[str, Any]:
    """What was asked for, of a dataclass of settings; the rest has its defaults."""
    asked = vars(options)
    return {f.name: asked[f.name] for f in fields(settings) if f.name in asked}


def named(what: str, name: str, there: Mapping[str, T]) -> T:
    """What is called so.

    Args:
        what: the kind of thing, for the message.
        name: what it should be called.
        there: all of them by name.

    Raises:
        Unknown: there is none; the nearest is offered.
    """
    if name not in there:
        near = get_close_matches(name, there, 1, 0.0)[0]
        raise Unknown(f"no {what} is called {name!r}: did you mean {near}? ({', '.join(there)})")
    return there[name]


def share_cores(seeds: int) -> None:
    """Let a CPU's cores count as devices, as many as divide the seeds: each trains its share."""
    import jax

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = int(os.environ.get("NPROC", cores or 1))  # as many as XLA takes itself
    count = max(n for n in range(1, max(1, seeds) + 1) if seeds % n == 0 and n <= cores)
    # Too late where JAX has begun, and not needed where its own variable says how many.
    if count > 1 and "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", count)
