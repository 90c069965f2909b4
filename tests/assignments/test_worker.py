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
    expect.close([1, 2.00001], np.array([1, 2]), "the answer")
    expect.close(jnp.float32(3), 3, "a number")
