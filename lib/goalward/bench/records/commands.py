"""`goalward bench record`: what the command line calls."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Add = Callable[..., argparse.ArgumentParser]
PLACES = {
    "data": "a data file, for updates offline",
    "env": "its data set's name",
    "ogbench": "a clone of seohongpark/ogbench",
    "jaxgcrl": "a clone of MichalBortkiewicz/JaxGCRL",
    "python": "runs the official code; by default the one that runs this",
    "notebooks": "the course's folder of that name; by default the one here",
}


def register(add: Add) -> None:
    """Add the command to the command line."""
    recording = add(
        "record",
        _record,
        "run a prepared list of measurements, each with a time limit; keep what is finished",
        "goalward bench record --tiny --out runs/trial",
    )
    recording.add_argument(
        "list", type=Path, nargs="?", metavar="LIST.toml", help="the parts; else those for a GPU"
    )
    recording.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the record's folder; again to go on"
    )
    recording.add_argument(
        "--tiny", action="store_true", help="with the smallest sizes, to try the list on a CPU"
    )
    recording.add_argument("--commit", help="of the code that runs, where git does not say")
    for name, told in PLACES.items():
        recording.add_argument(f"--{name}", metavar=name.upper(), help=told)


def _record(options: argparse.Namespace) -> int:
    from goalward.bench.records.parts import DEFAULT, read, record

    parts = read(options.list or DEFAULT, options.tiny)
    given: dict[str, Any] = {name: getattr(options, name) for name in PLACES}
    given["python"] = given["python"] or sys.executable
    given["notebooks"] = given["notebooks"] or ("notebooks" if Path("notebooks").is_dir() else None)
    places = {name: value for name, value in given.items() if value}
    lines = record(
        parts,
        options.out,
        places,
        options.commit or _commit(),
        lambda line: print(line, flush=True),
    )
    print(f"record: {options.out / 'record.jsonl'}")
    return int(any(line["status"] in ("failed", "out of time") for line in lines))


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
