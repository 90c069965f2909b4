"""Plain data crosses to the worker and back unchanged; anything else does not cross."""

import json
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from goalward.course.assignments import expect, sandbox, worker
from goalward.course.assignments.grading import Student

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
)
ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int32, np.uint32, np.bool_, np.complex64]),
    hnp.array_shapes(min_dims=0, min_side=0),
)


def across(value: Any) -> Any:
    return worker.decode(json.loads(json.dumps(worker.encode(value))))


@given(PLAIN)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    assert across(value) == value
    assert type(across(value)) is type(value)


@given(ARRAYS)
def test_arrays_come_back_as_they_were(value: np.ndarray) -> None:
    back = across(value)
    assert back.dtype == value.dtype
    np.testing.assert_array_equal(back, value)
    back[...] = 0  # and can be written


def test_arrays_of_jax_and_single_numbers_arrive_as_numpy_and_python() -> None:
    np.testing.assert_array_equal(across(jnp.arange(3.0)), [0, 1, 2])
    np.testing.assert_array_equal(across(jnp.ones(2, jnp.bfloat16)), [1, 1])
    assert across(np.float32(0.5)) == 0.5
    assert across(np.int64(3)) == 3
    assert math.isnan(across(float("nan")))
    assert across(np.array([{"a": 1}, None])) == [{"a": 1}, None]


@pytest.mark.parametrize("value", [print, (x for x in ()), object(), {1, 2}, b"bytes", slice(1)])
def test_other_things_do_not_cross(value: Any) -> None:
    with pytest.raises(TypeError, match="is not data"):
        worker.encode(value)


@pytest.mark.parametrize(
    "message",
    [
        {"array": ["|O", [1], ""]},
        {"array": ["<f8", [10**12], ""]},
        {"array": ["V8", [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", "x", ""]},
        {"array": 3},
        {"dict": [[{"list": []}, 1]]},
        {"eval": "1"},
        {"list": 1},
        {},
        [1],
    ],
)
def test_what_encode_does_not_make_is_refused(message: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        worker.decode(message)


def test_a_call_gives_what_a_direct_call_gives() -> None:
    code = """
def f(x, *, scale):
    x = x * scale
    return {"sum": x.sum(), "x": (x, None)}
def keeps(x, y):
    return x, y
def writes(x, y):
    x[0] = 1.0
    return x
def sorts(x, y):
    y.sort()
    return x
"""
    x = np.arange(4.0)
    with Student([("f", code)], sandbox.PLAIN) as student:
        answer = student.call("f", [x], {"scale": 2})
        with pytest.raises(sandbox.Failed, match="TypeError"):
            student.call("f", [], {})
        with pytest.raises(sandbox.Failed, match="no function g"):
            student.call("g", [], {})
        nothing = np.array([np.nan, -0.0])
        student.call("keeps", [nothing, float("nan")], {})
        for name, y in (("writes", [1, 2]), ("sorts", [2, 1])):
            with pytest.raises(sandbox.Failed, match="changed in place"):
                student.call(name, [nothing, y], {})
            with pytest.raises(sandbox.Failed, match="changed in place"):
                student.call(name, [nothing], {"y": y})
        student.call("sorts", [nothing, [1, 2]], {})
    assert answer["sum"] == 12
    np.testing.assert_array_equal(answer["x"][0], [0, 2, 4, 6])
    np.testing.assert_array_equal(x, np.arange(4.0))


RIGHT_IN_A_NOTEBOOK = {
    "help": "np.add.at?\n?np.add\ndef f(x): return x + 1\nf?",
    "a magic's result": "t = %timeit -o -n 1 -r 1 np.eye(3)\nhere = !pwd\ndef f(x): return x + 1",
    "a timed cell": "%%time\ndef f(x):\n    return x + 1",
    "a timed line": "%time one = 1\ndef f(x): return x + one",
    "display": "display(np.eye(2))\ndef f(x):\n    display(x)\n    return x + 1",
    "the shell": "get_ipython().run_line_magic('matplotlib', 'inline')\ndef f(x): return x + 1",
    "await": "import asyncio\nawait asyncio.sleep(0)\ndef f(x): return x + 1",
    "a remainder": "%matplotlib inline\ndef f(x):\n    return (x\n     % 7 + 1)",
    "text like a magic": "%matplotlib inline\ns = '''\n%a !b\n'''\ndef f(x): return x + len(s) - 6",
    "history": "len(In), len(Out), _\ndef f(x): return x + 1",
    "an import that is not used": "from goalward.losses import info_nce\ndef f(x): return x + 1",
}


@pytest.mark.parametrize("what", RIGHT_IN_A_NOTEBOOK)
def test_what_a_notebook_understands_a_worker_does(what: str) -> None:
    cells = [("given", "import numpy as np"), ("f", RIGHT_IN_A_NOTEBOOK[what])]
    with Student(cells, sandbox.PLAIN) as student:
        assert student.call("f", [3], {}) == 4


def test_names_of_a_notebook_come_back_when_it_starts_anew() -> None:
    with Student([("f", "def f(): return len(In)\nx = 1")], sandbox.PLAIN) as student:
        assert student.call("f", [], {}) == 1
        student.replace("f", "def f(): return get_ipython() is not None and 'x' not in globals()")
        assert student.call("f", [], {}) is True


def test_a_cell_that_failed_is_named_to_those_that_need_it() -> None:
    cells = [
        ("f", "import no_such_module\ndef f(x): return x"),
        ("g", "def g(x): return f(x)"),
        ("h", "import goalward.losses as losses\ndef h(x): return losses.info_nce(x)"),
        ("k", "def k(x): return unknown(x)"),
    ]
    said = "ModuleNotFoundError: No module named 'no_such_module'"
    with Student(cells, sandbox.PLAIN) as student:
        for name, message in {
            "f": f"its cell failed: {said}",
            "g": f"it uses f, whose cell failed: {said}",
            "h": "ImportError: goalward.losses.info_nce is not there when answers are graded: use "
            "NumPy and JAX",
            "k": "NameError: name 'unknown' is not defined",
        }.items():
            with pytest.raises(sandbox.Failed) as failure:
                student.call(name, [1], {})
            assert str(failure.value) == message


def test_expect_says_what_is_wrong() -> None:
    for answer, message in {
        None: "not attempted",
        "one": "should hold numbers, not str",
        (1.0,): "shape",
        (1.0, math.nan): "1 entries that are not finite",
        (1.0, 2.5): r"is 2.5 at index \(1,\) and should be 2: look again",
    }.items():
        with pytest.raises(AssertionError, match=message):
            expect.close(answer, [1, 2], "the answer", hint="look again")
    for answer, expected, place in (
        ([1.0, 1.9], [1, 2], r"1\.9 at index \(1,\)"),  # too small
        ([1.0, 2.5, 3.1], [1, 2, 3], r"2\.5 at index \(1,\)"),  # the worst of two
        ([0.001], [0], r"0\.001 at index \(0,\)"),
        ([1.001, 1000.0], [1, 1000], r"1\.001 at index \(0,\)"),
    ):
        with pytest.raises(AssertionError, match=place):
            expect.close(answer, expected, "the answer")
    expect.close([1000.05], [1000], "a large number, relative to its size")
    expect.close([1, 2.00001], np.array([1, 2]), "the answer")
    expect.close(jnp.float32(3), 3, "a number")
