"""JaxGCRL or ours at work in the Python that has its packages, a process for each."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import goalward
from goalward.bench.data.names import Mendable
from goalward.bench.official.checkout import Official

INSTALLED = "jaxgcrl"
"""Stands for the package that their Python has, in the place of a checkout."""


@contextmanager
def side(program: str, official: str, python: str, asked: dict[str, Any]) -> Iterator[Official]:
    """A side at work in their Python, which sees this library and nothing beside it."""
    checkout = "" if official == INSTALLED else str(Path(official).resolve())
    if checkout and not (Path(checkout) / "jaxgcrl/agents/crl/crl.py").is_file():
        raise Mendable(
            f"{official} is no checkout of JaxGCRL: clone MichalBortkiewicz/JaxGCRL and name that "
            f"folder with --official, or name the installed package: --official {INSTALLED}"
        )
    assert goalward.__file__ is not None
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "goalward").symlink_to(Path(goalward.__file__).resolve().parent)
        order = asked | {"official": checkout}
        words = ("-m", f"goalward.bench.official.online.{program}")
        with Official(python, Path(folder), order, words, {"PYTHONPATH": folder}) as started:
            yield started
