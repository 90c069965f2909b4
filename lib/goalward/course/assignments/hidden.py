"""The random cases of hidden tests: drawn from a teacher's secret, since the sources are public."""

import hashlib
import os
from pathlib import Path

import numpy as np

VARIABLE = "GOALWARD_SECRET"
FILE = "goalward_secret.txt"
# Without a secret the tests still run, on cases that anyone can draw.
PUBLIC = "public"


def secret(start: Path | None = None) -> str:
    """The teacher's secret: of the environment, else of the nearest folder above that has one."""
    if value := os.environ.get(VARIABLE):
        return value
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return (folder / FILE).read_text(encoding="utf-8").strip()
    return PUBLIC


def rng(exercise: str) -> np.random.Generator:
    """A generator that depends on the teacher's secret and the exercise's name alone."""
    digest = hashlib.sha256(f"{secret()}/{exercise}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
