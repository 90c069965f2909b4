"""The sweep file: which trials there are, what each is called, and what each may take of a node.

The file is checked against the command's own options and names before anything starts.
"""

import argparse
import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any

from goalward.bench import commands
from goalward.bench.data.names import Unknown
from goalward.bench.records.runs import FREE
from goalward.bench.sweep.checks import CHECKS, check

KEYS = ("out", "command", "fixed", "grid", "resources")
LONGEST = 150
"""Characters of a folder's name; file systems end at 255."""


@dataclass(frozen=True)
class Resources:
    """What a trial takes of a node.

    Attributes:
        cpus: cores; its threads are as many.
        gpus: GPUs, or the share of one.
        retries: how often a trial is begun again after its worker or node was lost.
    """

    cpus: float = 1
    gpus: float = 0
    retries: int = 3

    def __str__(self) -> str:
        def several(number: float, what: str) -> str:
            return f"{number:g} {what}" + ("s" if number != 1 else "")

        return several(self.cpus, "core") + (f", {several(self.gpus, 'GPU')}" if self.gpus else "")


@dataclass(frozen=True)
class Trial:
    """One run of the command, in a folder of its own.

    Attributes:
        folder: where it lies.
        arguments: the command line after `goalward`, without `--out`.
        kind: its method and environment, whose trials take about as long.
        steps: how many it makes in all, in the command's own unit.
    """

    folder: Path
    arguments: tuple[str, ...]
    kind: tuple[str, str]
    steps: int

    @property
    def name(self) -> str:
        """What tells it from the others: its settings."""
        return self.folder.name

    @property
    def command(self) -> list[str]:
        """The whole command line after `goalward`."""
        return [*self.arguments, f"--out={self.folder}"]


@dataclass(frozen=True)
class Plan:
    """A sweep file that was read.

    Attributes:
        out: the folder of the trials' folders.
        trials: in the order of the grid, the last key fastest.
        resources: of each trial.
    """

    out: Path
    trials: tuple[Trial, ...]
    resources: Resources


def read(path: Path) -> Plan:
    """Read a sweep file.

    Raises:
        Unknown: it cannot be read, or asks for what there is not; the message begins with its name.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return _plan(told)
    except OSError as error:
        raise Unknown(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise Unknown(f"{path} is not a text in UTF-8") from None
    except ValueError as error:  # of the syntax, with its line, or of the content
        raise Unknown(f"{path}: {error}") from None


def _plan(told: Mapping[str, Any]) -> Plan:
    _known(told, KEYS, "the file")
    out, command = told.get("out"), told.get("command")
    if not isinstance(out, str) or not out:
        raise Unknown('say where the trials\' folders go: out = "runs/NAME"')
    parsers = _parsers()
    if command not in parsers:
        raise Unknown(f"command is {' or '.join(map(_toml, parsers))}, not {_toml(command)}")
    fixed, grid = _table(told, "fixed"), _table(told, "grid")
    if not grid:
        raise Unknown("[grid] is empty: list at least one setting in it, such as seed = [0, 1]")
    options = _Options(command, parsers[command])
    folder = Path(out).expanduser().absolute()
    return Plan(folder, _trials(options, folder, fixed, grid), _resources(told))


def _trials(
    options: "_Options", out: Path, fixed: dict[str, Any], grid: dict[str, Any]
) -> tuple[Trial, ...]:
    constant = {key: options.value(key, value, "fixed") for key, value in fixed.items()}
    swept: dict[str, list[Any]] = {}
    for key, values in grid.items():
        if not isinstance(values, list):
            raise Unknown(f"{key} in [grid] is no list: {key} = [{_toml(values)}], or in [fixed]")
        if not values:
            raise Unknown(f"{key} in [grid] is empty: list its values, or leave it out")
        if key in fixed:
            raise Unknown(f"{key} is in [fixed] and in [grid]: take one of them out")
        swept[key] = [options.value(key, value, "grid") for value in values]
        for number, value in enumerate(swept[key]):
            if value in swept[key][:number]:
                raise Unknown(f"{key} in [grid] has {_toml(values[number])} twice: take one out")
    trials = []
    for combination in product(*swept.values()):
        settings = constant | dict(zip(swept, combination, strict=True))
        parsed = options.parse(settings)
        check(options.command, parsed)
        named = {k: v for k, v in settings.items() if k in swept or options.tells(k)}
        trials.append(
            Trial(
                out / name(named),
                (*options.command.split(), *options.line(settings)),
                (str(parsed.method), str(parsed.env)),
                int(parsed.steps),
            )
        )
    return tuple(trials)


def name(settings: Mapping[str, Any]) -> str:
    """A folder's name for settings: method and environment, then the others by the alphabet.

    Different settings have different names, whatever their values hold; the order does not matter.
    """
    first = [key for key in ("method", "env") if key in settings]
    others = sorted(key for key in settings if key not in first)
    whole = ",".join([*(_text(settings[k]) for k in first),
                      *(f"{k}={_text(settings[k])}" for k in others)])  # fmt: skip
    plain = re.sub(r"[^\w.+=,-]", "_", whole, flags=re.ASCII)
    values = [_text(value) for value in settings.values()]
    if plain == whole and len(whole) <= LONGEST and not any(re.search("[,=]", v) for v in values):
        return whole
    exact = repr(sorted((key, _text(value)) for key, value in settings.items()))
    return f"{plain[:LONGEST]}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"


class _Options:
    """The options of a command, asked of its own parser."""

    def __init__(self, command: str, parser: argparse.ArgumentParser) -> None:
        self.command, self.parser = command, parser
        self.actions = {
            (action.option_strings or [action.dest])[-1].lstrip("-"): action
            for action in parser._actions
        }
        del self.actions["out"]

    def value(self, key: str, value: Any, where: str) -> Any:
        """A value as the command understands it, true or false for an option without one.

        Raises:
            Unknown: the command has no such option, or the option no such value.
        """
        if key == "out":
            raise Unknown(f"out stands at the top of the file, not in [{where}]")
        if key not in self.actions:
            _known([key], self.actions, f"[{where}]: `goalward {self.command}`")
        action = self.actions[key]
        if isinstance(value, list):
            raise Unknown(f"{key} is a list: move it to [grid]")
        if action.nargs == 0:
            if not isinstance(value, bool):
                raise Unknown(f"{key} is true or false, not {_toml(value)}")
            return value
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unknown(f"{key} in [{where}] is a number or a text, not {_toml(value)}")
        kind: Callable[[str], Any] = action.type if callable(action.type) else str
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)  # 1e6
        try:
            made = kind(str(value))
        except (ValueError, TypeError, argparse.ArgumentTypeError):
            raise Unknown(f"{key} in [{where}] cannot be {_toml(value)}") from None
        # A relative path is the user's, not one of whichever node.
        return made.expanduser().absolute() if isinstance(made, Path) else made

    def tells(self, key: str) -> bool:
        """Whether another value of a setting makes another run, and not the same one go on."""
        return key.replace("-", "_") not in FREE and self.actions[key].type is not Path

    def line(self, settings: Mapping[str, Any]) -> list[str]:
        """The arguments for settings."""
        found: list[str] = []
        for key, value in settings.items():
            if not self.actions[key].option_strings:
                found.insert(0, _text(value))
            elif not isinstance(value, bool):
                found.append(f"--{key}={_text(value)}")
            elif value:
                found.append(f"--{key}")
        return found

    def parse(self, settings: Mapping[str, Any]) -> argparse.Namespace:
        """What the command's parser makes of settings.

        Raises:
            Unknown: it complains.
        """
        return self.parser.parse_args([*self.line(settings), "--out=."])


def _parsers() -> dict[str, argparse.ArgumentParser]:
    """The commands that a sweep may run, and their parsers."""
    parsers: dict[str, argparse.ArgumentParser] = {}

    def add(name: str, *_: Any) -> argparse.ArgumentParser:
        parsers[f"bench {name}"] = parser = _Parser(add_help=False, allow_abbrev=False)
        return parser

    commands.register(add)
    return {command: parsers[command] for command in CHECKS}


class _Parser(argparse.ArgumentParser):
    """argparse, whose complaints are raised."""

    def error(self, message: str) -> Any:
        raise Unknown(message.replace("--", ""))


def _resources(told: Mapping[str, Any]) -> Resources:
    table = _table(told, "resources")
    names = [field.name for field in fields(Resources)]
    _known(table, names, "[resources]")
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise Unknown(f"{key} in [resources] is a number, not {_toml(value)}")
        if value < 0 or (key == "cpus" and not value):
            raise Unknown(f"{key} in [resources] is above 0, not {value}")
        whole = key == "retries" or value > 1
        if whole and value != int(value):
            raise Unknown(
                f"{key} in [resources] is a whole number{' above 1' * (key != 'retries')}, "
                f"not {value}"
            )
    return Resources(**table)


def _table(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = told.get(name, {})
    if not isinstance(table, dict):
        raise Unknown(f"{name} is a table of settings: begin it with [{name}]")
    return table


def _known(keys: Iterable[str], known: Iterable[str], where: str) -> None:
    known = list(known)
    for key in keys:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise Unknown(f"{where} has no {key!r}: {hint}")


def _text(value: Any) -> str:
    """A value as it stands on the command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml(value: Any) -> str:
    """A value about as the file says it."""
    if isinstance(value, bool):
        return _text(value)
    return f'"{value}"' if isinstance(value, str) else str(value)
