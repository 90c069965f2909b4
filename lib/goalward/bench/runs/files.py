"""Files that a kill leaves whole, a folder that one command holds, and where it all ran."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goalward.bench.data.names import Mendable


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once, so that a kill leaves the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the lock goes with the process, however it ends.

    Raises:
        Mendable: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Mendable(f"another command is at work in {folder}: wait for it") from None
        yield


def device_name() -> str:
    """The device that JAX computes on, and its kind."""
    import jax

    device = jax.devices()[0]
    return f"{device.platform} ({device.device_kind})"
