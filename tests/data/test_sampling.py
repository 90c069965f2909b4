"""Samplers: offsets against the probabilities they stand for, and never across an end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.data import sampling, trajectories


def offset_probabilities(length, gamma, tail):
    """The distribution written down from its definition, one offset at a time."""
    mass = np.array([(1 - gamma) * gamma ** (d - 1) for d in range(1, length + 1)])
    if tail == "clip":
        mass[-1] += gamma**length
        return mass
    return mass / mass.sum()


@pytest.mark.parametrize("tail", ["renormalise", "clip"])
@pytest.mark.parametrize(("length", "gamma"), [(1, 0.9), (4, 0.5), (8, 0.9), (30, 0.95)])
def test_offsets_have_the_stated_distribution(length, gamma, tail):
    draws = 60_000
    offsets = sampling.geometric_offsets(
        jax.random.key(length), jnp.full(draws, length), gamma, tail
    )
    frequency = np.bincount(np.asarray(offsets), minlength=length + 1)[1:] / draws
    expected = offset_probabilities(length, gamma, tail)
    np.testing.assert_allclose(frequency, expected, atol=5 * 0.5 / np.sqrt(draws))


@pytest.mark.parametrize("tail", ["renormalise", "clip"])
@pytest.mark.parametrize(("length", "gamma"), [(0, 0.9), (3, 0.5), (7, 0.9)])
def test_with_the_present_as_a_future_offsets_begin_at_zero(length, gamma, tail):
    draws = 60_000
    lengths = jnp.full(draws, length)
    offsets = sampling.geometric_offsets(jax.random.key(length), lengths, gamma, tail, first=0)
    frequency = np.bincount(np.asarray(offsets), minlength=length + 1) / draws
    expected = offset_probabilities(length + 1, gamma, tail)  # one more, and one step earlier
    np.testing.assert_allclose(frequency, expected, atol=5 * 0.5 / np.sqrt(draws))


def test_pairs_may_hold_the_present():
    rows = np.arange(40).reshape(4, 10)
    data = trajectories.from_trajectories(rows, rows)
    now, future = sampling.future_pairs(data, jax.random.key(3), 60_000, 0.8, first=0)
    ahead = np.asarray(future - now)[np.asarray(now) % 10 == 7]
    frequency = np.bincount(ahead, minlength=3) / len(ahead)
    expected = offset_probabilities(3, 0.8, "renormalise")
    np.testing.assert_allclose(frequency, expected, atol=0.03)


@pytest.mark.parametrize(
    ("length", "lam", "single"), [(1, 0.9, 0.2), (6, 0.8, 0.3), (4, 0.0, 0.5), (9, 0.9, 0.0)]
)
def test_waypoints_are_geometric_clipped_and_some_single_steps(length, lam, single):
    draws = 60_000
    offsets = sampling.waypoint_offsets(jax.random.key(7), jnp.full(draws, length), lam, single)
    frequency = np.bincount(np.asarray(offsets), minlength=length + 1)[1:] / draws
    expected = (1 - single) * offset_probabilities(length, lam, "clip")
    expected[0] += single
    np.testing.assert_allclose(frequency, expected, atol=5 * 0.5 / np.sqrt(draws))


def test_the_tails_differ_and_renormalising_is_biased_towards_the_present():
    lengths = jnp.full(20_000, 5)
    mean = {
        tail: float(sampling.geometric_offsets(jax.random.key(0), lengths, 0.95, tail).mean())
        for tail in ("renormalise", "clip")
    }
    assert mean["renormalise"] < 3 < 4 < mean["clip"]


@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    gamma=st.floats(0.1, 0.999),
    seed=st.integers(0, 1000),
)
def test_pairs_never_cross_an_end_and_stay_in_the_window(lengths, gamma, seed):
    terminals = np.concatenate([[0] * n + [1] for n in lengths])
    trajectory = np.cumsum(np.r_[0, terminals[:-1]])
    data = trajectories.from_flat(trajectory, trajectory, terminals)
    key = jax.random.key(seed)
    for tail in ("renormalise", "clip"):
        now, future = sampling.future_pairs(data, key, 64, gamma, tail)
        assert (trajectory[now] == trajectory[future]).all()
        assert (np.asarray(now) < np.asarray(future)).all()
    now, following = sampling.transitions(data, key, 64)
    assert (trajectory[now] == trajectory[following]).all()
    assert (np.asarray(following) - np.asarray(now) == 1).all()


def test_anchors_are_uniform_over_transitions():
    data = trajectories.from_flat(np.zeros(6), np.zeros(6), np.array([0, 1, 0, 0, 0, 1]))
    rows = sampling.uniform_anchors(data, jax.random.key(0), 40_000)
    frequency = np.bincount(np.asarray(rows), minlength=6) / 40_000
    np.testing.assert_allclose(frequency, [0.25, 0, 0.25, 0.25, 0.25, 0], atol=0.01)


def test_fixed_strides_are_uniform_over_all_that_fit():
    now, future = sampling.fixed_stride_pairs(jax.random.key(1), 2, 5, 3, 20_000)
    assert (np.asarray(future) - np.asarray(now) == 3).all()
    frequency = np.bincount(np.asarray(now), minlength=10) / 20_000
    expected = np.zeros(10)
    expected[[0, 1, 5, 6]] = 0.25
    np.testing.assert_allclose(frequency, expected, atol=0.02)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="tail"):
        sampling.geometric_offsets(jax.random.key(0), jnp.ones(2, int), 0.9, "drop")
    with pytest.raises(ValueError, match="first"):
        sampling.geometric_offsets(jax.random.key(0), jnp.ones(2, int), 0.9, first=2)
    with pytest.raises(ValueError, match="stride"):
        sampling.fixed_stride_pairs(jax.random.key(0), 2, 5, 5, 1)


@pytest.mark.parametrize("gamma", [1.0, 1.0 - 1e-9, 1.5, -0.1, float("nan")])
def test_a_discount_of_one_or_beyond_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma must be at least 0 and below 1"):
        sampling.geometric_offsets(jax.random.key(0), jnp.full(4, 3), gamma)


def test_a_discount_of_zero_means_the_next_state():
    offsets = sampling.geometric_offsets(jax.random.key(0), jnp.full(50, 3), 0.0)
    assert (np.asarray(offsets) == 1).all()


def test_pairs_keep_to_the_window_and_to_the_tail_that_is_asked_for():
    rows = np.arange(40).reshape(4, 10)
    data = trajectories.from_trajectories(rows, rows).window(9, 9)  # the second trajectory
    for tail in ("renormalise", "clip"):
        now, future = sampling.future_pairs(data, jax.random.key(3), 60_000, 0.8, tail)
        np.testing.assert_array_equal(np.unique(now), np.arange(10, 19))
        ahead = np.asarray(future - now)[np.asarray(now) == 13]
        frequency = np.bincount(ahead, minlength=7)[1:] / len(ahead)
        np.testing.assert_allclose(frequency, offset_probabilities(6, 0.8, tail), atol=0.03)


def test_where_a_pair_starts_says_nothing_about_how_far_it_reaches():
    rows = np.arange(64 * 40).reshape(64, 40)
    data = trajectories.from_trajectories(rows, rows)
    now, future = sampling.future_pairs(data, jax.random.key(0), 30_000, 0.5)
    assert abs(np.corrcoef(now // 40, future - now)[0, 1]) < 0.03
    offsets = sampling.geometric_offsets(jax.random.key(1), jnp.full(30_000, 39), 0.5)
    assert abs(np.corrcoef(offsets[1:], offsets[:-1])[0, 1]) < 0.03
    now, _ = sampling.fixed_stride_pairs(jax.random.key(2), 64, 40, 3, 30_000)
    assert abs(np.corrcoef(now // 40, now % 40)[0, 1]) < 0.03


def test_repeated_pairs_take_each_trajectory_exactly_so_often():
    count, length, batch = 50, 7, 24
    rows = np.arange(count * (length + 1)).reshape(count, length + 1)
    data = trajectories.from_trajectories(rows, rows)
    draw = jax.jit(
        jax.vmap(sampling.repeated_future_pairs, (None, 0, None, None, None)), static_argnums=2
    )
    keys = jax.random.split(jax.random.key(0), 400)
    for repeats in (1, 2, 4, 24):
        anchor, future = map(np.asarray, draw(data, keys, batch, repeats, 0.9))
        chosen = anchor // (length + 1)
        np.testing.assert_array_equal(chosen, future // (length + 1))
        assert (anchor < future).all()
        groups = chosen.reshape(len(keys), batch // repeats, repeats)
        assert (groups == groups[..., :1]).all()
        assert all(len(set(g[:, 0])) == batch // repeats for g in groups)
        share = np.bincount(groups[..., 0].ravel(), minlength=count) * count / groups[..., 0].size
        np.testing.assert_allclose(share, 1, atol=5 * np.sqrt(count / groups[..., 0].size))
        time = anchor % (length + 1)
        np.testing.assert_allclose(
            np.bincount(time.ravel(), minlength=length + 1) / time.size,
            [*[1 / length] * length, 0],
            atol=0.02,
        )
        if repeats > 1:  # copies have anchors of their own
            pairs = time.reshape(-1, repeats)
            assert abs(np.corrcoef(pairs[:, 0], pairs[:, 1])[0, 1]) < 0.2
            assert (pairs[:, 0] != pairs[:, 1]).mean() == pytest.approx(1 - 1 / length, abs=0.05)


@pytest.mark.parametrize("first", [0, 1])
def test_repeated_pairs_have_the_stated_offsets(first):
    rows = np.arange(40 * 6).reshape(40, 6)
    data = trajectories.from_trajectories(rows, rows)
    anchor, future = map(
        np.asarray,
        sampling.repeated_future_pairs(data, jax.random.key(1), 80_000, 2000, 0.7, first=first),
    )
    for time in range(5):
        ahead = (future - anchor)[anchor % 6 == time]
        left = 5 - time
        expected = 0.7 ** np.arange(left + 1 - first)
        frequency = np.bincount(ahead, minlength=left + 1)[first:] / len(ahead)
        np.testing.assert_allclose(frequency, expected / expected.sum(), atol=0.02)


def test_repeated_pairs_stay_in_their_window():
    rows = np.arange(30 * 5).reshape(30, 5)
    data = trajectories.from_trajectories(rows, rows).window(10 * 4, 8 * 4)
    anchor, _ = sampling.repeated_future_pairs(data, jax.random.key(0), 400, 50, 0.5)
    assert set(np.asarray(anchor) // 5) == set(range(10, 18))


def test_repeated_pairs_refuse_what_they_cannot_do():
    rows = np.arange(12).reshape(3, 4)
    data = trajectories.from_trajectories(rows, rows)
    for repeats in (0, 5):
        with pytest.raises(ValueError, match="repeats must divide the batch of 12"):
            sampling.repeated_future_pairs(data, jax.random.key(0), 12, repeats, 0.9)
    uneven = trajectories.from_flat(np.arange(5), np.arange(5), np.array([0, 1, 0, 0, 1]))
    with pytest.raises(ValueError, match="equal length"):
        sampling.repeated_future_pairs(uneven, jax.random.key(0), 4, 2, 0.9)


def test_unequal_parts_leave_all_trajectories_equally_likely():
    rows = np.arange(3 * 3).reshape(3, 3)
    data = trajectories.from_trajectories(rows, rows)
    draw = jax.jit(
        jax.vmap(sampling.repeated_future_pairs, (None, 0, None, None, None)), static_argnums=2
    )
    anchor, _ = draw(data, jax.random.split(jax.random.key(0), 4000), 4, 2, 0.5)
    share = np.bincount(np.asarray(anchor).ravel() // 3, minlength=3) / anchor.size
    np.testing.assert_allclose(share, 1 / 3, atol=0.02)
