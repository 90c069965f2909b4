"""A prepared list of measurements, each with a time limit: what is finished is kept.

Made for a device that is lent for minutes: the parts that nothing else can tell come first, and
each leaves its line in `record.jsonl` as it ends, also when it fails or runs out of time.
"""

import json
import os
import shlex
import signal
import string
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goalward.bench.data.names import Mendable, Unknown

LOG = "record.jsonl"
WORDS = 300
"""The most characters that are kept of what a failing part said last."""
_ABOUT = """
import importlib.metadata as m, json, jax, sys
d = jax.devices()[0]
known = {p.metadata["Name"]: p.version for p in m.distributions()}
names = ("jax", "jaxlib", "flax", "optax", "numpy", "mujoco", "mujoco-mjx")
versions = {"python": sys.version.split()[0]} | {n: known[n] for n in names if n in known}
print(json.dumps({"device": f"{d.platform} ({d.device_kind})", "versions": versions}))
"""


@dataclass(frozen=True)
class Part:
    """A measurement.

    Attributes:
        name: by which it is found again.
        command: with `{python}`, `{out}` and what the user names, see `run`.
        seconds: its limit.
        variables: of its environment.
    """

    name: str
    command: str
    seconds: float
    variables: Mapping[str, str] = field(default_factory=dict)


def read(path: Path) -> list[Part]:
    """Parts from a TOML file: `[[part]]` with name, command, seconds and perhaps variables.

    Raises:
        Mendable: the file is missing or damaged.
        Unknown: a part lacks something, has too much, or has another's name.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Mendable(f"{path} cannot be read: {error.strerror or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise Mendable(f"{path} is no TOML: {error}") from error
    parts = []
    for number, entry in enumerate(told.get("part", []), 1):
        try:
            part = Part(**entry)
        except TypeError as error:
            raise Unknown(
                f"part {number} of {path} needs name, command and seconds, and may have "
                f"variables: {error}"
            ) from error
        if not (isinstance(part.seconds, int | float) and part.seconds > 0):
            raise Unknown(f"part {number} of {path}: seconds must be above 0, not {part.seconds!r}")
        parts.append(part)
    if not parts:
        raise Unknown(f"{path} has no [[part]]")
    if len({part.name for part in parts}) < len(parts):
        raise Unknown(f"{path} has two parts of the same name")
    return parts


def run(
    parts: list[Part],
    out: Path,
    named: Mapping[str, str],
    say: Callable[[str], Any] = lambda line: None,
) -> list[dict[str, Any]]:
    """Run each part, write its line, and return the lines.

    Args:
        parts: in order.
        out: a folder for the lines and for what the parts write.
        named: what stands for the names in braces in a command; a part that needs another is left
            out, and its line says so.
        say: told a line as each part ends.

    Raises:
        Mendable: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / LOG).open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise Mendable(
            f"{out} cannot be written ({error.strerror or error}): name another folder with --out"
        ) from error
    about = _about()
    known = {"python": shlex.quote(sys.executable), "out": shlex.quote(str(out.resolve()))}
    known |= {name: shlex.quote(value) for name, value in named.items()}
    lines = []
    for part in parts:
        line = {"part": part.name, **_one(part, known, out), "limit": part.seconds, **about}
        lines.append(line)
        with (out / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        reason = f": {line['reason']}" if "reason" in line else ""
        say(f"{part.name}: {line['status']} after {line['seconds']:.0f} s{reason}")
    return lines


def _one(part: Part, known: Mapping[str, str], out: Path) -> dict[str, Any]:
    used = {name for _, name, *_ in string.Formatter().parse(part.command) if name}
    if lacking := sorted(used - set(known)):
        options = ", ".join(f"--with {name}=..." for name in lacking)
        return {"status": "left out", "reason": f"it needs {options}", "seconds": 0.0}
    words = shlex.split(part.command.format(**known))
    begun = time.perf_counter()
    log = out / f"{part.name}.log"
    with log.open("w", encoding="utf-8") as errors:
        try:
            process = subprocess.Popen(
                words,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # so that all that it starts ends with it
                env={**os.environ, **{k: v.format(**known) for k, v in part.variables.items()}},
            )
        except OSError as error:
            reason = f"{words[0]} does not run: {error.strerror or error}"
            return {
                "command": shlex.join(words),
                "status": "failed",
                "reason": reason,
                "seconds": 0.0,
            }
        told: dict[str, Any] = {"command": shlex.join(words)}
        try:
            output, _ = process.communicate(timeout=part.seconds)
            told["status"] = "done" if process.returncode == 0 else "failed"
        except subprocess.TimeoutExpired:
            _end(process)
            output, _ = process.communicate()
            told |= {"status": "out of time", "reason": f"more than {part.seconds:g} s"}
        except BaseException:
            _end(process)
            process.wait()
            raise
    told["seconds"] = round(time.perf_counter() - begun, 2)
    if told["status"] == "failed":
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = said[-1] if said else f"exit status {process.returncode}"
        told["reason"] = last[-WORDS:]
    told["output"] = output.strip().splitlines()[-20:]
    return told


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _about() -> dict[str, Any]:
    """Device, versions and commit; asked in a process of its own, which then frees the device."""
    done = subprocess.run(
        [sys.executable, "-c", _ABOUT], capture_output=True, text=True, check=False
    )
    told = json.loads(done.stdout) if done.returncode == 0 else {"device": "unknown"}
    try:
        here = Path(__file__).parent
        git = ["git", "-C", str(here), "rev-parse", "HEAD"]
        asked = subprocess.run(git, capture_output=True, text=True, check=True)
        told["commit"] = asked.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        told["commit"] = "unknown"
    return told  # type: ignore[no-any-return]
