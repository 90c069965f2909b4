"""Runs a student's cells and calls their functions, locked in; takes and gives lines of JSON.

This file is a program of its own: the sandbox starts it where no other file of Goalward can be
read. The grader imports `encode` and `decode` from it, so that both sides speak alike. Only plain
data crosses: None, booleans, numbers, strings, lists, tuples, dictionaries, arrays of numbers.
"""

import base64
import json
import os
import sys
from typing import Any

import numpy as np

ARRAY_KINDS = "biufc"


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


def _answer(request: dict[str, Any], names: dict[str, Any]) -> Any:
    if "cell" in request:
        exec(compile(request["cell"], request["name"], "exec"), names)
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
    sys.modules["goalward"] = None  # type: ignore[assignment]  # its import fails
    names: dict[str, Any] = {"__name__": "__main__"}
    for line in requests:
        request = json.loads(line)
        if "fresh" in request:
            names = {"__name__": "__main__"}
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
