"""A prepared list of measurements, each with a time limit; what is finished is kept.

Time on a GPU is short and comes seldom. The parts run one after the other, each in a process and a
folder of its own; as each ends, a line of `record.jsonl` says how, on which device, with which
versions and commit. The same command does what is still missing.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from string import Formatter
from typing import Any

from goalward.bench.data.names import Mendable, Unknown

DEFAULT = Path(__file__).with_name("gpu.toml")
LINES = "record.jsonl"
KEYS = {"name", "seconds", "command", "tiny", "environment", "tiny_environment"}
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "mujoco", "mujoco-mjx")
DEVICE = "import jax; d = jax.devices()[0]; print(f'{d.platform} ({d.device_kind})')"
"""A program: the device must not stay taken by the process that waits for the parts."""
STARTING = 180.0
"""Seconds for a device to show itself."""
DYING = 10.0
"""Seconds from asking a part to end to ending it."""


@dataclass(frozen=True)
class Part:
    """One measurement.

    Attributes:
        name: of its folder, too.
        seconds: its time limit.
        command: a command line; `goalward` and `python` stand for this installation's.
        environment: variables that it is given.
    """

    name: str
    seconds: float
    command: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def lacks(self, places: Mapping[str, str]) -> list[str]:
        """The names in braces that nothing is given for."""
        texts = [self.command, *self.environment.values()]
        asked = {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}
        return sorted(asked - {"out"} - places.keys())


def read(path: Path, tiny: bool = False) -> list[Part]:
    """The parts of a list.

    Args:
        path: a TOML file of `[[part]]` tables.
        tiny: with the sizes of a trial.

    Raises:
        Unknown: it is no such file.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unknown(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise Unknown(f"{path}: {error}") from None
    parts = []
    for entry in told.get("part", []):
        if unknown := entry.keys() - KEYS:
            raise Unknown(f"{path}: a part has no {min(unknown)!r}; it has {', '.join(KEYS)}")
        if missing := {"name", "seconds", "command"} - entry.keys():
            raise Unknown(f"{path}: a part lacks its {min(missing)}")
        command = entry["command"] + (f" {entry.get('tiny', '')}" if tiny else "")
        given = entry.get("environment", {}) | (entry.get("tiny_environment", {}) if tiny else {})
        parts.append(Part(entry["name"], float(entry["seconds"]), command, given))
    names = [part.name for part in parts]
    if len(set(names)) < len(names) or not names:
        raise Unknown(f"{path}: give at least one [[part]], and each a name of its own")
    return parts


def record(
    parts: list[Part],
    out: Path,
    places: Mapping[str, str],
    commit: str,
    say: Callable[[str], Any] = print,
) -> list[dict[str, Any]]:
    """Run what is not yet finished, and tell of each.

    Args:
        parts: in the order in which to run them.
        out: the folder of the record and of the parts' folders.
        places: what stands for names in braces, beside `{out}`, a part's own folder.
        commit: of the code that runs.
        say: told a line a part.

    Returns:
        The lines of this call, as in `record.jsonl`.

    Raises:
        Mendable: the folder cannot be written, or the device does not show itself.
    """
    path, lines = out / LINES, []
    try:
        out.mkdir(parents=True, exist_ok=True)
        about = {
            "device": _device(),
            "versions": {"python": python_version()} | _versions(),
            "commit": commit,
        }
        for part in parts:
            if part.name in finished(path):
                say(f"{part.name}: finished before")
                continue
            line = {"part": part.name, **_run(part, out / part.name, places), **about}
            line["date"] = datetime.now(UTC).isoformat(timespec="seconds")
            lines.append(line)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
            reason = f" ({line['reason']})" if line["reason"] else ""
            say(f"{part.name}: {line['status']}{reason}, {line['seconds']:.0f} s")
    except OSError as error:
        raise Mendable(
            f"{out} cannot be written ({error.strerror or error}): name another folder with --out"
        ) from error
    return lines


def finished(path: Path) -> set[str]:
    """The names of the parts that a record says are finished."""
    found = set()
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError, KeyError):  # half a line, after a kill
            line = json.loads(text)
            if line["status"] == "finished":
                found.add(line["part"])
    return found


def _run(part: Part, folder: Path, places: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"status": "left out", "reason": "", "seconds": 0.0, "files": []}
    if lacking := part.lacks(places):
        options = " ".join(f"--{name}" for name in lacking)
        return told | {"reason": f"it needs {options}", "command": part.command}
    folder.mkdir(exist_ok=True)
    held = {**places, "out": str(folder.absolute())}
    words = shlex.split(part.command.format(**{k: shlex.quote(v) for k, v in held.items()}))
    programs = {"python": [sys.executable], "goalward": [sys.executable, "-m", "goalward.cli"]}
    given = {k: v.format(**held) for k, v in part.environment.items()}
    begun = time.perf_counter()
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*programs.get(words[0], words[:1]), *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **given},
            start_new_session=True,
        )
        try:
            process.wait(part.seconds)
        except subprocess.TimeoutExpired:
            told |= {"status": "out of time", "reason": f"its limit is {part.seconds:g} s"}
        finally:
            _end(process)
    told["seconds"] = round(time.perf_counter() - begun, 2)
    if told["status"] != "out of time":
        last = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip()
        failed = process.returncode != 0
        told["status"] = "failed" if failed else "finished"
        told["reason"] = (last.splitlines() or [f"exit status {process.returncode}"])[-1] * failed
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    told["files"] = [p.relative_to(folder.parent).as_posix() for p in files]
    return told | {"command": shlex.join(words)}


def _end(process: subprocess.Popen) -> None:
    """End a process and all that it started."""
    for sign, patience in ((signal.SIGTERM, DYING), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _device() -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-c", DEVICE], capture_output=True, text=True, timeout=STARTING
        )
    except subprocess.TimeoutExpired:
        raise Mendable(f"no device shows itself within {STARTING:g} seconds") from None
    if done.returncode:
        raise Mendable(f"JAX finds no device ({(done.stderr.strip() or '?').splitlines()[-1]})")
    return done.stdout.strip().splitlines()[-1]


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
