"""What need not be run again: a record of a run of exactly this code stands for the run.

A chapter's record at laptop scale proves that its code, the library modules that it reaches, what
shows its figures and claims, and the versions of packages have run together. Where any of these
differ, the chapter has to run. Of the others a fifth is run again each day, in rotation.
"""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from goalward.course.papers import chapters
from goalward.course.run import notebook
from goalward.course.run.fingerprint import fingerprint, frame
from goalward.course.run.record import records, versions

SHARE = 5
"""One in so many of what is on record is run again each day."""


def proven(root: Path, library: Path | None = None) -> list[str]:
    """The chapters whose record stands for a run of the code as it is, with these versions.

    Args:
        root: the repository.
        library: the folder of the package `goalward`, where it is not the one that runs.
    """
    where = () if library is None else (library,)
    installed = versions()
    found = []
    for slug, source in chapters(root).items():
        known = records(root, slug).get("laptop", {})
        told = [known.get(name) for name in ("fingerprint", "frame", "versions")]
        # Cheap to compare before what takes a walk through the library.
        if told[2] != installed or told[:2] != [fingerprint(source, *where), frame(source, *where)]:
            continue
        if not notebook.verify(source):
            found.append(slug)
    return found


def today(root: Path) -> int:
    """The day of the newest commit, counted from 1970: what rotations turn by."""
    try:
        command = ["git", "log", "-1", "--format=%ct"]
        seconds = float(subprocess.check_output(command, cwd=root, stderr=subprocess.DEVNULL))
    except (OSError, ValueError, subprocess.CalledProcessError):
        seconds = time.time()
    return int(seconds // 86_400)


def turn(names: Sequence[str], day: int, share: int = SHARE) -> list[str]:
    """Those of some names whose day it is: each once in `share` days."""
    return [name for place, name in enumerate(names) if (place - day) % share == 0]
