"""Where a run acts: the point maze, bodies on MuJoCo, and environments in a file of the user's."""

import hashlib
import importlib.util
import re
import sys
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from goalward.bench.data.names import Mendable, Unknown
from goalward.envs.point_maze import PointMaze
from goalward.protocol import GoalEnvironment
from goalward.tabular.grid import Grid

POINT_MAZE = "point-maze"
NEEDED = ("reset", "step", "observation_size", "action_size", "goal_entries", "reach", "horizon")
"""What an environment has, in the order in which what lacks is named."""
SHOWN = ("observation", "goal", "reward", "success", "terminated", "truncated")
"""What its states have."""


@cache
def point_maze() -> PointMaze:
    """Five by five cells with a wall of three; from a corner to anywhere.

    Always the same object, so that what was compiled for it is used again.
    """
    grid = Grid.parse(".....\n..#..\n..#..\n..#..\n.....")
    return PointMaze(grid, speed=0.2, horizon=100, start_cell=grid.index(4, 0))


def make(name: str, physics: str = "jax") -> GoalEnvironment:
    """An environment by its name, or from `path/to/file.py:name`.

    Raises:
        Unknown: there is none of this name (the nearest is offered), no such physics, or what the
            file holds is no environment.
        Mendable: an extra or the file is missing.
    """
    if ".py:" in name:
        return _own(name)
    if name == POINT_MAZE:
        return point_maze()
    try:
        from goalward.envs import bodies
    except ModuleNotFoundError as error:
        raise Mendable(
            f"every environment but {POINT_MAZE} needs MuJoCo ({error.name} is missing): "
            "run `make setup-online`"
        ) from None
    if name not in bodies.ALL:
        there = (POINT_MAZE, *bodies.ALL)
        near = get_close_matches(name, there, 1, 0.0)[0]
        raise Unknown(
            f"no environment is called {name!r}: did you mean {near}? There are "
            f"{', '.join(there)}, and your own as path/to/file.py:name"
        )
    try:
        return bodies.make(name, physics)
    except ValueError as error:
        raise Unknown(str(error)) from None


def known(name: str, physics: str) -> None:
    """See that there are such an environment and physics; no device is used, no user's file run.

    Raises:
        Unknown, Mendable: as `make` does.
    """
    if ".py:" in name:
        _place(name)
    else:
        make(name, physics)  # a description, until it acts


def _place(name: str) -> tuple[Path, str]:
    """The file of the user's, and what it should call an environment."""
    place, _, what = name.rpartition(":")
    if not Path(place).is_file():
        raise Mendable(f"there is no file {place}: --env takes path/to/file.py:name")
    return Path(place), what


def _own(name: str) -> GoalEnvironment:
    """What a file of the user's calls so: an environment, or what makes one without arguments."""
    path, what = _place(name)
    key = f"goalward_env_{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
        found = getattr(module, what, None)
        if isinstance(found, type) or (callable(found) and not hasattr(found, "reset")):
            found = found()
    except Exception as error:  # whatever the user's file does
        raise Mendable(f"{path} cannot be run: {type(error).__name__}: {error}") from None
    if found is None:
        there = [n for n, v in vars(module).items() if isinstance(v, type) or hasattr(v, "reset")]
        near = get_close_matches(what, there, 1, 0.0)
        raise Unknown(
            f"{path} holds nothing called {what!r}" + (f": did you mean {near[0]}?" if near else "")
        )
    check(found, name)
    return found  # type: ignore[no-any-return]


def check(env: Any, name: str) -> None:
    """See that something is an environment with goals.

    Raises:
        Unknown: it is not; what lacks is named.
    """
    import jax

    for attribute in NEEDED:
        if not hasattr(env, attribute):
            why = {"goal_entries": ": it has no goal; say which entries of an observation are one"}
            raise Unknown(f"{name} lacks {attribute}{why.get(attribute, '')}")
    entries, size = tuple(env.goal_entries), env.observation_size
    if not entries or not all(0 <= entry < size for entry in entries):
        raise Unknown(
            f"{name} has no goal: its goal_entries {entries} must name some of the "
            f"{size} entries of an observation"
        )
    try:
        hash(env)
    except TypeError:
        raise Unknown(f"{name} is not hashable: make it a frozen dataclass") from None
    key = jax.random.key(0)
    try:
        state = jax.eval_shape(env.reset, key)
        action = jax.ShapeDtypeStruct((env.action_size,), "float32")
        after = jax.eval_shape(env.step, state, action, key)
    except Exception as error:  # whatever the user's code does
        told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unknown(f"{name} cannot be traced by JAX: {told}") from None
    for attribute in SHOWN:
        if not hasattr(state, attribute):
            raise Unknown(f"the states of {name} lack {attribute}")
    for attribute, shape in (("observation", (size,)), ("goal", (len(entries),))):
        if getattr(state, attribute).shape != shape:
            raise Unknown(
                f"{name}: {attribute} has the shape {getattr(state, attribute).shape}, not {shape}"
            )
    shapes = [[(x.shape, x.dtype) for x in jax.tree.leaves(tree)] for tree in (state, after)]
    if shapes[0] != shapes[1]:
        raise Unknown(f"{name}: a state has other shapes or types after a step than after a reset")


def describe(env: GoalEnvironment, name: str) -> str:
    """What tells an environment from another, in a configuration."""
    if ".py:" in name:
        return hashlib.sha256(Path(name.rpartition(":")[0]).read_bytes()).hexdigest()
    return re.sub(r" at 0x[0-9a-f]+", "", repr(env))
