"""The replay buffer against a list of episodes kept in plain Python."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.data import sampling
from goalward.data.goals import hindsight_transitions
from goalward.data.replay import Replay, Steps, empty

ENVS, CHUNK, CHUNKS = 3, 4, 3
"""A ring of 12 rows, written 4 at a time."""


@cache
def insert():
    """Compiled once."""
    return jax.jit(Replay.insert)


def stream(last, broken):
    """Rows that say who they are: (environment, episode, step), (number), (episode)."""
    rows, episodes = [], np.zeros(ENVS, int)
    times = np.zeros(ENVS, int)
    for t in range(len(last)):
        rows.append([(e, episodes[e], times[e]) for e in range(ENVS)])
        ended = last[t]
        times = np.where(ended, 0, times + 1)
        episodes = episodes + ended
    told = np.array(rows, dtype=np.float32).reshape(len(last), ENVS, 3)
    number = np.arange(len(last), dtype=np.float32)[:, None, None] * np.ones((1, ENVS, 1))
    return Steps(
        observations=jnp.asarray(told),
        actions=jnp.asarray(number, jnp.float32),
        commanded=jnp.asarray(told[..., 1:2]),
        last=jnp.asarray(last),
        fallen=jnp.asarray(last & (told[..., 2] % 2 == 1)),
        broken=jnp.asarray(broken),
    )


def filled(steps, chunks):
    replay = empty(CHUNKS * CHUNK, ENVS, 3, 1, 1)
    for i in range(chunks):
        part = jax.tree.map(lambda leaf, i=i: leaf[i * CHUNK : (i + 1) * CHUNK], steps)
        replay = insert()(replay, part)
    return replay


def transitions(steps, chunks):
    """Which (observation, next observation) pairs may be drawn, by going through the streams."""
    rows = chunks * CHUNK
    first = max(0, rows - CHUNKS * CHUNK)
    seen, last, broken = (np.asarray(x) for x in (steps.observations, steps.last, steps.broken))
    found = {}
    for e in range(ENVS):
        episode = []
        for t in range(first, rows):
            episode.append(tuple(seen[t, e].tolist()))
            if last[t, e] or t == rows - 1:
                if not (broken[t, e] and last[t, e]):
                    for i, one in enumerate(episode[:-1]):
                        found[one] = episode[i + 1 :]
                episode = []
    return found


flags = st.lists(st.booleans(), min_size=20 * ENVS, max_size=20 * ENVS)


@given(flags, flags, st.integers(1, 5))
def test_every_transition_there_is_and_no_other(ends, breaks, chunks):
    last = np.array(ends).reshape(20, ENVS) & (np.arange(20)[:, None] % 3 > 0)
    broken = last & np.array(breaks).reshape(20, ENVS)
    steps = stream(last, broken)
    data = filled(steps, chunks).view()
    expected = transitions(steps, chunks)
    rows = data.row(jnp.arange(int(data.size)))
    seen = np.asarray(data.observations)
    drawn = [tuple(row) for row in seen[rows].tolist()]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == set(expected)
    order = [(one[0], one[1], one[2]) for one in drawn]
    assert sorted(order, key=lambda one: one[0]) == order or chunks > CHUNKS
    for row, one in zip(np.asarray(rows), drawn, strict=True):
        futures = expected[one]
        assert int(data.left[row]) == len(futures)
        for k, future in enumerate(futures, 1):
            assert tuple(seen[int(data.later(jnp.asarray(row), k))].tolist()) == future


def test_all_transitions_and_the_truncated_geometric():
    """Every transition as likely as any other; futures by the exact, renormalised law."""
    rng = np.random.default_rng(0)
    last = rng.random((20, ENVS)) < 0.15
    steps = stream(last, np.zeros_like(last))
    data = filled(steps, 5).view()
    expected = transitions(steps, 5)
    gamma, draws = 0.7, 20_000
    now, future = jax.jit(lambda key: sampling.future_pairs(data, key, draws, gamma))(
        jax.random.key(1)
    )
    seen = np.asarray(data.observations)
    counts: dict = {}
    for a, b in zip(seen[now].tolist(), seen[future].tolist(), strict=True):
        counts[tuple(a), tuple(b)] = counts.get((tuple(a), tuple(b)), 0) + 1
    exact = {}
    for one, futures in expected.items():
        law = gamma ** np.arange(len(futures))
        for later, p in zip(futures, law / law.sum(), strict=True):
            exact[one, later] = p / len(expected)
    assert set(counts) <= set(exact)
    gap = sum(abs(counts.get(pair, 0) / draws - p) for pair, p in exact.items()) / 2
    assert gap < 0.03


def test_batches_say_what_was_commanded_and_who_fell():
    last = np.zeros((20, ENVS), bool)
    last[3::4] = True
    last[:, 1] = np.arange(20) % 5 == 4
    steps = stream(last, np.zeros_like(last))
    data = filled(steps, 5).view()
    batch = hindsight_transitions(data, jax.random.key(0), 500, 0.9, goal_entries=(1,))
    np.testing.assert_array_equal(batch.commanded, batch.state[:, 1:2])
    np.testing.assert_array_equal(batch.next_state[:, 2], batch.state[:, 2] + 1)
    np.testing.assert_array_equal(batch.next_state[:, 0], batch.state[:, 0])
    np.testing.assert_array_equal(batch.next_goal, batch.next_state[:, 1:2])
    # An end at step 3 is made a fall here, one at step 4 (environment 1) is not.
    falls = (batch.next_state[:, 2] == 3) & (batch.next_state[:, 0] != 1)
    np.testing.assert_array_equal(batch.terminated, falls)
    assert 0.1 < np.mean(batch.terminated) < 0.5


def test_an_empty_buffer_has_no_transition():
    replay = empty(6, 2, 3, 1, 1)
    assert int(replay.view().size) == 0
    one = stream(np.zeros((1, ENVS), bool), np.zeros((1, ENVS), bool))
    assert int(empty(6, ENVS, 3, 1, 1).insert(one).view().size) == 0


def test_a_ring_takes_whole_parts():
    steps = stream(np.zeros((5, ENVS), bool), np.zeros((5, ENVS), bool))
    with pytest.raises(ValueError, match="a divisor of that at once, not 5"):
        empty(12, ENVS, 3, 1, 1).insert(steps)
