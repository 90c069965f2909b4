"""The joint crop against slices of the padded image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.data.crops import JointCrop


def numbered(batch, height, width, start=0):
    """Images in which every pixel has a number of its own."""
    size = (batch, height, width, 1)
    return np.arange(start, start + np.prod(size)).reshape(size)


def shift_of(before, after, pad):
    """The only offset at which the padded image holds the window."""
    padded = np.pad(before, [(pad, pad), (pad, pad), (0, 0)], mode="edge")
    height, width = before.shape[:2]
    found = [
        (i, j)
        for i in range(2 * pad + 1)
        for j in range(2 * pad + 1)
        if np.array_equal(padded[i : i + height, j : j + width], after)
    ]
    assert len(found) == 1
    return found[0]


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_state_and_goal_are_shifted_alike(seed):
    state, goal = numbered(3, 6, 7), numbered(3, 6, 7, start=5_000)
    seen, aim = JointCrop(pad=2, probability=1.0)(
        jax.random.key(seed), jnp.asarray(state), jnp.asarray(goal)
    )
    for row in range(3):
        offset = shift_of(state[row], np.asarray(seen[row]), 2)
        assert offset == shift_of(goal[row], np.asarray(aim[row]), 2)


def test_every_shift_occurs_about_as_often():
    state = jnp.broadcast_to(numbered(1, 4, 4), (4_000, 4, 4, 1))
    seen, _ = jax.jit(JointCrop(1, 1.0))(jax.random.key(0), state, state)
    centre = np.asarray(seen)[:, 1, 1, 0]
    values, counts = np.unique(centre, return_counts=True)
    assert sorted(values) == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    np.testing.assert_allclose(counts / 4_000, 1 / 9, atol=5 * np.sqrt(1 / 9 / 4_000))


def test_a_coin_for_each_batch():
    state, goal = numbered(8, 5, 5), numbered(8, 5, 5, start=900)
    crop = jax.jit(jax.vmap(JointCrop(2, 0.3), in_axes=(0, None, None)))
    seen, aim = crop(jax.random.split(jax.random.key(0), 500), state, goal)
    untouched = (np.asarray(seen) == state).all(axis=(2, 3, 4))
    same = np.all(untouched, axis=1)
    assert np.array_equal(same, (np.asarray(aim) == goal).all(axis=(1, 2, 3, 4)))
    assert abs(same.mean() - 0.7) < 5 * np.sqrt(0.21 / 500)
    # In a cropped batch almost all rows move: one shift in 25 is none.
    assert untouched[~same].mean() < 0.1


@pytest.mark.parametrize(("pad", "probability"), [(0, 0.5), (2, 1.5)])
def test_impossible_settings_are_refused(pad, probability):
    with pytest.raises(ValueError, match="JointCrop needs"):
        JointCrop(pad, probability)
