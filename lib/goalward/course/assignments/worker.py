"""Runs a student's cells and calls their functions, locked in; takes and gives lines of JSON.

This file is a program of its own: the sandbox starts it where no other file of Goalward can be
read. The grader imports `encode` and `decode` from it, so that both sides speak alike. Only plain
data crosses: None, booleans, numbers, strings, lists, tuples, dictionaries, arrays of numbers.
"""

import ast
import asyncio
import base64
import inspect
import json
import os
import sys
from contextlib import suppress
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

ARRAY_KINDS = "biufc"
COMPILING = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
LIBRARY = "goalward"


def encode(value: Any) -> Any:
    """Plain data as JSON data; arrays by dtype, shape and bytes.

    Raises:
        TypeError: if the value is something else, such as a function or a generator.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.generic):
        return encode(np.asarray(value)) if value.dtype.kind == "c" else encode(value.item())
    if isinstance(value, int | float):
        return value
    if isinstance(value, tuple | list):
        return {type(value).__name__: [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind == "V":  # bfloat16 and its kin
            array = array.astype(np.float32)
        if array.dtype.kind in ARRAY_KINDS:
            data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
            return {"array": [array.dtype.str, list(array.shape), data]}
        return encode(array.tolist())
    raise TypeError(f"a {type(value).__name__} is not data: give numbers, lists or arrays")


def decode(value: Any) -> Any:
    """What `encode` made, as plain data again.

    Raises:
        ValueError: if it is nothing that `encode` makes.
    """
    if not isinstance(value, dict):
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise ValueError("unknown data")
    if len(value) != 1:
        raise ValueError("unknown data")
    ((kind, content),) = value.items()
    if kind == "array":
        dtype, shape, data = content
        dtype = np.dtype(str(dtype))
        if dtype.kind not in ARRAY_KINDS:
            raise ValueError(f"no arrays of {dtype}")
        return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()
    if kind in ("tuple", "list"):
        items = [decode(item) for item in content]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict":
        return {decode(key): decode(item) for key, item in content}
    raise ValueError(f"unknown kind of data: {kind}")


def _lock(limits: dict[str, int]) -> None:
    """Give up what an answer needs not: memory, big files, processes, processor time."""
    try:
        import resource
    except ImportError:  # not a Unix
        return
    for name, limit in {"RLIMIT_CORE": 0, **limits}.items():
        hard = resource.getrlimit(getattr(resource, name))[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(getattr(resource, name), (limit, limit))
    try:
        # If memory gets short, the system shall end this process, not the grader.
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        # One core: XLA then starts few threads.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    except (OSError, AttributeError):
        pass


class Shell:
    """Stands in for IPython's shell: magics and shell commands do nothing, `%time` runs its code.

    Args:
        names: what the cells have defined.
    """

    def __init__(self, names: dict[str, Any]) -> None:
        self.user_ns = names

    def run_line_magic(self, name: str, line: str, *_: Any, **__: Any) -> Any:
        """`%name line`."""
        if name == "time":
            _run(line, name, self.user_ns)

    def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
        """`%%name line` above a cell."""
        if name in ("capture", "prun", "time"):
            _run(cell, name, self.user_ns)

    def getoutput(self, *_: Any, **__: Any) -> list[str]:
        """`x = !command`."""
        return []

    def __getattr__(self, name: str) -> Any:
        """Whatever else a shell can do: nothing."""
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def notebook_names() -> dict[str, Any]:
    """The names that every notebook has before its first cell."""
    names: dict[str, Any] = {"__name__": "__main__", "In": [""], "Out": {}}
    names |= {"_": "", "__": "", "___": "", "_ih": [""], "_oh": {}, "_i": ""}
    shell = Shell(names)
    names |= {"get_ipython": lambda: shell, "display": lambda *_, **__: None}
    return names


def python_of(code: str) -> str:
    """A cell's code as Python: what Python does not parse, IPython's own transformer rewrites."""
    try:
        compile(code, "cell", "exec", COMPILING | ast.PyCF_ONLY_AST)
    except Exception:
        with suppress(Exception):  # then Python says what is wrong with it
            from IPython.core.inputtransformer2 import TransformerManager

            return str(TransformerManager().transform_cell(code))
    return code


def _run(code: str, name: str, names: dict[str, Any]) -> None:
    """Run a cell as a notebook does, with `await` outside functions."""
    waiting = eval(compile(python_of(code), name, "exec", COMPILING), names)
    if inspect.iscoroutine(waiting):
        _loop().run_until_complete(waiting)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all cells: a task that a cell begins goes on in the next."""
    return asyncio.new_event_loop()


class _Withheld:
    """Something of the library: it can be imported, not used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise ImportError(f"{self._name} is not there when answers are graded: use NumPy and JAX")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self()


class _Withholding(Loader, MetaPathFinder):
    """Finds the library's modules, empty.

    An import that is never used costs nothing, here as at home, and a function that uses it says
    so, instead of taking all that its cell defines down with it.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module, if it is the library's."""
        if name.partition(".")[0] == LIBRARY:
            return ModuleSpec(name, self, is_package=True)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Whatever it is asked for, it has and withholds."""

        def withheld(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return _Withheld(f"{module.__name__}.{name}")

        module.__getattr__ = withheld  # type: ignore[method-assign]


def _answer(request: dict[str, Any], names: dict[str, Any]) -> Any:
    if "cell" in request:
        _run(request["cell"], request["name"], names)
        return None
    if request["call"] not in names:
        raise NameError(f"there is no function {request['call']}")
    args, kwargs = decode(request["args"]), decode(request["kwargs"])
    answer = names[request["call"]](*args, **kwargs)
    given, left = [request["args"], request["kwargs"]], [encode(args), encode(kwargs)]
    if json.dumps(left) != json.dumps(given):  # as text, where one NaN equals another
        raise ValueError("leave the arguments as they are: one of them was changed in place")
    return answer


def main() -> None:
    """Answer requests until there are no more."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # what a student prints goes nowhere
        os.dup2(nowhere, descriptor)
    _lock(json.loads(sys.argv[1]))
    sys.meta_path.insert(0, _Withholding())
    names = notebook_names()
    for line in requests:
        request = json.loads(line)
        if "fresh" in request:
            names = notebook_names()
            reply: dict[str, Any] = {"value": None}
        else:
            try:
                reply = {"value": encode(_answer(request, names))}
            except BaseException as error:
                reply = {"error": type(error).__name__, "message": str(error)[:1000]}
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()
