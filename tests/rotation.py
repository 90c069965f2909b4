"""What is tested by sample: another part each day, the same for everyone at the same commit."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).parents[1]


def day() -> int:
    """The day of the newest commit."""
    try:
        command = ["git", "log", "-1", "--format=%ct"]
        seconds = float(subprocess.check_output(command, cwd=ROOT, stderr=subprocess.DEVNULL))
    except (OSError, subprocess.CalledProcessError):
        seconds = time.time()
    return int(seconds // 86_400)


def todays(everything: Sequence[T], one_in: int) -> list[T]:
    """One in so many: all have had their turn after that many days."""
    return list(everything[day() % one_in :: one_in])
