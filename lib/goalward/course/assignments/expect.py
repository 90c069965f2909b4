"""What the test cells of an assignment say about an answer: each raises AssertionError in a line.

An answer is plain data: a number, a nested list, a NumPy or JAX array, or None.
"""

from typing import Any

import numpy as np


def array(answer: Any, shape: tuple[int, ...] | None, what: str) -> np.ndarray:
    """The answer as a float64 array, after its shape and finiteness are checked.

    Args:
        answer: what the student's function returned.
        shape: the shape it must have; None accepts any.
        what: what the answer is, such as "the loss", to begin the message with.

    Raises:
        AssertionError: if it is None, holds no numbers, or has another shape or infinite entries.
    """
    assert answer is not None, f"{what} is None: not attempted, or a `return` is missing"
    try:
        values = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise AssertionError(f"{what} should hold numbers, not {type(answer).__name__}") from None
    if shape is not None:
        assert values.shape == shape, f"{what} should have shape {shape}, not {values.shape}"
    finite = np.isfinite(values)
    assert finite.all(), f"{what} has {np.sum(~finite)} entries that are not finite"
    return values


def close(
    answer: Any,
    expected: Any,
    what: str,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    hint: str = "",
) -> None:
    """The answer equals the expected one: |answer - expected| <= atol + rtol |expected|.

    Args:
        answer: what the student's function returned.
        expected: what an independent oracle says, of the shape the answer must have.
        what: what the answer is, to begin the message with.
        rtol: relative tolerance; the default passes single precision.
        atol: absolute tolerance.
        hint: what to look at, to end the message with.

    Raises:
        AssertionError: as `array`, or if an entry is off: says where, and by how much.
    """
    truth = np.asarray(expected, dtype=np.float64)
    values = array(answer, truth.shape, what)
    excess = np.abs(values - truth) - (atol + rtol * np.abs(truth))
    if not (excess > 0).any():
        return
    worst = np.unravel_index(np.argmax(excess), truth.shape)
    place = f" at index {tuple(int(i) for i in worst)}" if truth.shape else ""
    raise AssertionError(
        f"{what} is {values[worst]:.6g}{place} and should be {truth[worst]:.6g}"
        + (f": {hint}" if hint else "")
    )
