# %% [markdown]
# # Exercises: horizon generalization
#
# Five exercises to the chapter [One inequality carries short walks to distant
# goals](horizon_generalization.ipynb); keep it open beside you. 20 points, about 110 minutes. You
# write the whole road from short random walks to distant goals: relax a table of distances, measure
# one, score a policy exactly, put a network in the table's place, and then run the experiment.
#
# - Use NumPy and JAX, in any style: loops or not. `goalward` itself is not there when you are graded.
# - Your functions get NumPy arrays and plain numbers and leave them as they are. They return arrays
#   or numbers and have 10 seconds a call.
# - Write your answer in place of the line that raises `NotImplementedError`, then run the check
#   below it. No message means that the check passes.
# - When you hand in, further checks with other sizes and seeds decide about most of the points. At
#   home `goalward assignments check` says where you stand.
#
# Throughout, a table `d[s, g]` holds the cost from state $s$ (row) to goal $g$ (column). Infinity,
# `np.inf`, means that nothing is known about the pair. A world of $S$ states is its table of next
# states, `next_state[s, a]` $= f(s, a)$.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax
import jax.numpy as jnp
import numpy as np

# A corridor that winds through three walls. Only exercise 5 needs what follows.
CORRIDOR = [".......", "######.", ".......", ".######", ".......", "######.", "......."]


def read_maze(rows):
    """Next states (S, 5), for up, down, left, right, stay; and true distances (S, S)."""
    free = [
        (r, c)
        for r, row in enumerate(rows)
        for c, mark in enumerate(row)
        if mark == "."
    ]
    number = {cell: state for state, cell in enumerate(free)}
    moves = [(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)]
    after = [
        [number.get((r + dr, c + dc), number[r, c]) for dr, dc in moves]
        for r, c in free
    ]
    next_state = np.array(after)
    distances = np.full((len(free), len(free)), np.inf)
    steps, within = 0, np.eye(len(free), dtype=bool)
    while np.isinf(distances).any():
        distances[within & np.isinf(distances)] = steps
        steps, within = steps + 1, within[next_state].any(axis=1)
    return next_state, distances


def wander(next_state, n_walks, steps, seed):
    """Random walks (n_walks, steps + 1): any start, any action."""
    rng = np.random.default_rng(seed)
    walks = [rng.integers(len(next_state), size=n_walks)]
    for _ in range(steps):
        walks.append(
            next_state[walks[-1], rng.integers(next_state.shape[1], size=n_walks)]
        )
    return np.stack(walks, axis=1)


def half_way(distances):
    """The planner: chance [s, g, w] that it aims at w when you stand in s and want g.

    Uniform over the states other than s whose distances from s and to g are both within one step
    of half the way; g itself where there is none.
    """
    half, here = distances[:, :, None] / 2, np.eye(len(distances), dtype=bool)
    fits = np.abs(distances[:, None, :] - half) <= 1
    fits &= np.abs(distances.T[None, :, :] - half) <= 1
    fits &= ~here[:, None, :]
    fits |= ~fits.any(axis=2, keepdims=True) & here[None, :, :]
    return fits / fits.sum(axis=2, keepdims=True)


NEXT_STATE, DISTANCES = read_maze(CORRIDOR)
MAZE = {
    "walks": wander(NEXT_STATE, 300, 20, seed=0),
    "next_state": NEXT_STATE,
    "distances": DISTANCES,
    "waypoints": half_way(DISTANCES),
}

# %% [markdown]
# ## 1. Two legs at a time
#
# *easy · 15 minutes · 3 points*
#
# The triangle inequality says that no detour is shorter than the direct way:
# $d(s, g) \le d(s, w) + d(w, g)$ for all $s, w, g$. Write two functions that get a square table `d`
# of shape (S, S), with zeros on the diagonal and infinity where nothing is known.
#
# 1. `path_relax(d)` returns the table of the best two-leg journeys, shape (S, S):
#    $$d'(s, g) = \min_w \; d(s, w) + d(w, g).$$
#    Relax *once*: both legs are entries of the table that you were given.
# 2. `breach(d)` returns one number, the largest excess of a direct distance over a detour:
#    $$\max\Bigl(0,\; \max_{s, w, g} \; d(s, g) - d(s, w) - d(w, g)\Bigr).$$
#    It is 0 exactly if `d` is a quasimetric. It is infinite if some direct distance is unknown though
#    a detour is known. Where no detour is known either, there is nothing to breach.
#
# <details><summary>Hint 1</summary>
#
# Which $w$ makes sure that a journey never gets longer? Staying at the start is a first leg, too, and
# costs 0.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Without loops: `d[:, :, None]` has the axes start, waypoint, and one for the goal to come. Which
# shape must the second leg have? Over which axis do you take the minimum?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Infinity minus infinity is not a number. So compare `d` with the best detours only where a detour
# is known. (What is the largest excess over *any* detour, if you know the excess over the best one?)
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "path_relax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def path_relax(d):
    """The cheapest two-leg journey for every pair: (S, S)."""
    ### BEGIN SOLUTION
    return np.min(d[:, :, None] + d[None, :, :], axis=1)
    ### END SOLUTION


def breach(d):
    """How far the table is from obeying the triangle inequality: a number, 0 or more."""
    ### BEGIN SOLUTION
    detour = path_relax(d)
    reachable = np.isfinite(detour)
    return np.max(d[reachable] - detour[reachable], initial=0.0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "path_relax-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _capped(table):
    """The table with a million in place of infinity, so that it can be compared."""
    return table if table is None else np.minimum(table, 1e6)


_inf = np.inf
_d = np.array(
    [[0, 2, _inf, 10], [_inf, 0, 3, _inf], [1, _inf, 0, 4], [_inf, _inf, _inf, 0]]
)
_once = np.array([[0, 2, 5, 10], [4, 0, 3, 7], [1, 3, 0, 4], [_inf, _inf, _inf, 0]])
_answer = expect.array(_capped(path_relax(_d.copy())), (4, 4), "path_relax(d)")
assert np.all(np.diag(_answer) == 0), (
    "path_relax: from a state to itself the cost stays 0"
)
assert np.all(_answer <= _capped(_d)), (
    "path_relax: a journey got longer. With w = s the first leg costs nothing, so that cannot be"
)
assert _answer[0, 3] != 9, (
    "path_relax: 9 from 0 to 3 takes three legs. Relax once, and read both legs from the old table"
)
assert _answer[3, 0] == 1e6, (
    "path_relax: no two legs lead from 3 to 0, so that stays infinite"
)
expect.close(
    _answer,
    _capped(_once),
    "path_relax(d), with a million for infinity,",
    hint="the first leg goes from s to w, the second from w to g",
)

_cliff = np.array([[0.0, 1.0], [9.0, 0.0]])
expect.close(
    breach(_cliff.copy()),
    0.0,
    "breach of a cliff (1 down, 9 up)",
    hint="a quasimetric need not be symmetric",
)
_long = np.array([[0.0, 2, 9], [5, 0, 3], [1, 4, 0]])
expect.close(
    breach(_long.copy()), 4.0, "breach of a table where 0 to 2 costs 9, or 2 + 3 via 1,"
)
_row = np.array(
    [[0, 1, 5, 9], [_inf, 0, 1, 5], [_inf, _inf, 0, 1], [_inf, _inf, _inf, 0]]
)
expect.close(
    breach(_row.copy()),
    3.0,
    "breach of a row of states with steps of 1, where 2 steps cost 5 and 3 steps cost 9,",
    hint="compare with detours of two legs, as they stand in the table",
)
_apart = np.array([[0.0, _inf], [_inf, 0.0]])
expect.close(
    breach(_apart.copy()),
    0.0,
    "breach of two states without a known way between them",
    hint="where no detour is known either, there is nothing to breach",
)
expect.close(
    _capped(breach(_d.copy())),
    1e6,
    "breach where a detour is known and the direct way is not (a million for infinity)",
)

# %% nbgrader={"grade": true, "grade_id": "path_relax-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("path_relax")


def _cut_table(size, unknown):
    """A random table of distances; a share of its pairs is unknown."""
    known = _rng.uniform(size=(size, size)) >= unknown
    return np.where(
        np.eye(size), 0.0, np.where(known, _rng.uniform(0.5, 9.0, known.shape), np.inf)
    )


def _two_legs(table):
    """The best two-leg journeys, pair by pair."""
    best = np.full(table.shape, np.inf)
    for s in range(len(table)):
        for g in range(len(table)):
            best[s, g] = min(table[s, w] + table[w, g] for w in range(len(table)))
    return best


for _size, _unknown in ((6, 0.0), (6, 0.3), (11, 0.6), (11, 0.8)):
    _table = _cut_table(_size, _unknown)
    expect.close(
        _capped(path_relax(_table.copy())),
        _capped(_two_legs(_table)),
        f"path_relax of a table of {_size} states (a million for infinity)",
    )

# Whole steps, so that single precision counts exactly: a ring with one-way streets.
_size, _radius = int(_rng.integers(20, 40)), int(_rng.integers(1, 3))
_ring = (np.arange(_size)[None, :] - np.arange(_size)[:, None]) % _size * 1.0
_known = np.where(_ring <= _radius, _ring, np.inf)
for _round in range(1, 4):
    _known = np.asarray(path_relax(_known), dtype=float)
    expect.close(
        _capped(_known),
        np.where(_ring <= _radius * 2**_round, _ring, 1e6),
        f"a ring known up to {_radius}, after {_round} rounds (a million for infinity)",
        hint="each round should double the radius that is known, no more and no less",
    )

for _size in (6, 11):
    _table = _cut_table(_size, 0.0)
    _excess = [
        _table[s, g] - _table[s, w] - _table[w, g]
        for s in range(_size)
        for w in range(_size)
        for g in range(_size)
    ]
    expect.close(
        breach(_table.copy()),
        max(_excess),
        f"breach of a table of {_size} states",
        atol=1e-4,
    )
_lag = np.arange(6.0)[None, :] - np.arange(6.0)[:, None]
_weight = _rng.uniform(0.5, 2.0)
_row = np.where(_lag < 0, np.inf, _lag + _weight * _lag**2)
expect.close(
    breach(_row.copy()),
    2 * _weight * 6,
    "breach where long ways cost more than in proportion",
)
_points = _rng.normal(size=(6, 1, 3))
_hills = np.maximum(_points - _points.swapaxes(0, 1), 0).sum(2)
expect.close(breach(_hills.copy()), 0.0, "breach of a quasimetric", atol=1e-4)
_hills[:3, 3:] = np.inf
expect.close(
    breach(_hills.copy()), 0.0, "breach of a quasimetric with unknown pairs", atol=1e-4
)
_hills[0, 2] = np.inf
expect.close(
    _capped(breach(_hills.copy())),
    1e6,
    "breach of a table with one pair forgotten (a million for infinity)",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Measure the walks
#
# *medium · 20 minutes · 4 points*
#
# The data are walks: an integer array `states` of shape (walks, time), where `states[i, t]` is the
# state of walk $i$ at time $t$. Write `hitting_times(states, n)` for a world of $n$ states. It returns
# an array of shape (n, n): for every pair $s \ne g$ the average, over *every* visit $(i, t)$ of $s$, of
#
# $$\text{the number of steps } u - t \text{ to the first } u > t \text{ with } \texttt{states[i, u]} = g.$$
#
# - Visits after which the same walk never comes to $g$ do not count.
# - All visits of all walks weigh the same.
# - Where no visit of $s$ is followed by $g$, the entry is infinite. The diagonal is 0.
#
# Some of the $n$ states may not occur at all. For time, think of a thousand walks of 20 steps and
# some tens of states.
#
# <details><summary>Hint 1</summary>
#
# Keep two tables, the sum of the waits and their number, and divide once at the end.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Go through a walk backwards in time. Then you always know when each state is visited next: keep one
# array with that time for each of the $n$ states, and update a single entry a step.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# At time $t$, with $s$ = `states[i, t]`, the waits to *all* goals are that array minus $t$. Only the
# states that are still to come may enter the sum and the number.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "hitting_times", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hitting_times(states, n):
    """Mean number of steps from each visit of s to the next visit of g: (n, n)."""
    ### BEGIN SOLUTION
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for walk in states:
        next_visit = np.full(n, np.inf)
        for t in reversed(range(len(walk))):
            next_visit[walk[t]] = t
            ahead = np.isfinite(next_visit)
            total[walk[t], ahead] += next_visit[ahead] - t
            count[walk[t], ahead] += 1
    mean = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    mean[np.arange(n), np.arange(n)] = 0
    return mean
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "hitting_times-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _capped(table):
    """The table with a million in place of infinity, so that it can be compared."""
    return table if table is None else np.minimum(table, 1e6)


def _measured(walks, n):
    """Your answer, after a look at its shape."""
    return expect.array(
        _capped(hitting_times(np.array(walks), n)), (n, n), "the answer"
    )


_answer = _measured([[0, 1, 2, 2]], 4)
assert np.all(np.diag(_answer) == 0), "the diagonal should be 0: one is there already"
assert _answer[0, 2] == 2, (
    f"in the walk 0-1-2-2 it takes 2 steps from 0 to 2, not {_answer[0, 2]}"
)
assert _answer[2, 0] == 1e6, (
    "time runs forwards: in the walk 0-1-2-2 nothing leads from 2 to 0"
)
assert _answer[0, 3] == 1e6, (
    "a state that no walk visits is infinitely far, as far as we know"
)
assert np.isclose(_measured([[0, 1, 1, 1]], 4)[0, 1], 1), (
    "in the walk 0-1-1-1 only the first visit of 1 counts: the wait from 0 is 1 step"
)
assert np.isclose(_measured([[0, 0, 1, 2]], 4)[0, 1], 1.5), (
    "in the walk 0-0-1-2 both visits of 0 count: waits of 2 and 1 steps"
)
assert np.isclose(_measured([[0, 1, 0, 2]], 4)[0, 1], 1), (
    "in the walk 0-1-0-2 the second visit of 0 is not followed by 1 and does not count"
)
assert np.isclose(_measured([[0, 0, 0, 1], [0, 1, 1, 1]], 4)[0, 1], 1.75), (
    "waits of 3, 2, 1 in one walk and 1 in another: all four weigh the same"
)
assert _measured([[0, 0, 0, 1], [2, 0, 0, 0]], 4)[1, 2] == 1e6, (
    "a wait ends with its walk: after 1, where the first walk ends, nothing comes"
)
expect.close(
    _measured([[0, 1, 2, 1], [3, 3, 2, 2]], 4),
    [[0, 1, 2, 1e6], [1e6, 0, 1, 1e6], [1e6, 1, 0, 1e6], [1e6, 1e6, 1.5, 0]],
    "the answer for the walks 0-1-2-1 and 3-3-2-2 (a million for infinity)",
)

# %% nbgrader={"grade": true, "grade_id": "hitting_times-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("hitting_times")


def _waits(walks, n):
    """The averages, pair by pair, from the definition."""
    mean = np.full((n, n), 1e6)
    for s in range(n):
        for g in range(n):
            waits = [
                int(np.flatnonzero(walk[t:] == g)[0])
                for walk in walks
                for t in np.flatnonzero(walk == s)
                if (walk[t:] == g).any()
            ]
            if waits:
                mean[s, g] = np.mean(waits)
    mean[np.arange(n), np.arange(n)] = 0
    return mean


for _walks, _time, _visited, _n in ((5, 9, 3, 5), (40, 15, 9, 9), (3, 1, 4, 6)):
    # Low numbers come more often, so that visits of one state are spread unevenly over the walks.
    _states = np.minimum(
        _rng.integers(_visited, size=(_walks, _time)),
        _rng.integers(_visited, size=(_walks, _time)),
    )
    expect.close(
        _measured(_states, _n),
        _waits(_states, _n),
        f"the answer for {_walks} walks of {_time} states (a million for infinity)",
    )

# Up and down a ladder: a neighbour is one step away in one direction, a long way in the other.
_size = int(_rng.integers(5, 9))
_start = _rng.integers(_size, size=(30, 1))
_ladder = (_start + np.arange(int(_rng.integers(10, 20)))) % _size
expect.close(
    _measured(_ladder, _size),
    _waits(_ladder, _size),
    "the answer for walks round a ring, always in the same direction,",
)
_many = _rng.integers(20, size=(100, 20))
_once = _measured(_many, 20)
expect.close(
    _measured(np.tile(_many, (2, 1)), 20),
    _once,
    "the answer for the same walks counted twice",
)
_place = _rng.permutation(20)
expect.close(
    _measured(_place[_many], 20)[np.ix_(_place, _place)],
    _once,
    "the answer after the states got other numbers, told in the old ones,",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Success without a single rollout
#
# *medium · 20 minutes · 4 points*
#
# A policy for every goal is an array `policy[s, g, a]` $= \pi(a \mid s, g)$ of shape (S, S, A). The
# world is `next_state[s, a]`, shape (S, A). Write `exact_success(policy, next_state, horizon)`: the
# table, shape (S, S), of the probability of having reached $g$ from $s$ within `horizon` steps.
#
# Once at the goal one has succeeded, whatever happens afterwards. So with $v_h$ for `horizon` $= h$,
#
# $$v_0(s, g) = \mathbb 1[s = g], \qquad
# v_{h+1}(s, g) = \sum_a \pi(a \mid s, g)\; v_h(f(s, a), g) \;\text{ for } s \ne g, \qquad
# v_h(g, g) = 1.$$
#
# No sampling: the answer is exact. For time, think of 30 states, 5 actions and 200 steps.
#
# <details><summary>Hint 1</summary>
#
# First write it with loops over $s$, $g$ and $a$ for one step, into a new table. Then repeat.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `v[next_state]` has the axes state, action, goal. Put the policy's axes into the same order (or let
# `einsum` do it) and sum over the action.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The diagonal needs care after *every* step, not only at the end: otherwise a walker who has been at
# the goal and leaves it again is forgotten.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "exact_success", "locked": false, "schema_version": 3, "solution": true, "task": false}
def exact_success(policy, next_state, horizon):
    """Probability of reaching g from s within the horizon, for every pair: (S, S)."""
    ### BEGIN SOLUTION
    v = np.eye(len(next_state))
    for _ in range(horizon):
        v = np.einsum("sga,sag->sg", policy, v[next_state])
        np.fill_diagonal(v, 1)
    return v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "exact_success-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Three cells in a row, actions left and right; right with probability 3/4, whatever the goal.
_row = np.array([[0, 1], [0, 2], [1, 2]])
_mostly_right = np.tile([0.25, 0.75], (3, 3, 1))
_within_2 = np.array([[1, 0.9375, 0.5625], [0.25, 1, 0.75], [0.0625, 0.4375, 1]])


def _success(policy, next_state, horizon):
    """Your answer, after a look at its shape."""
    answer = exact_success(policy.copy(), next_state.copy(), horizon)
    return expect.array(
        answer, (len(next_state),) * 2, f"the answer for horizon {horizon}"
    )


expect.close(_success(_mostly_right, _row, 0), np.eye(3), "success, horizon 0,")
_answer = _success(_mostly_right, _row, 1)
assert np.allclose(np.diag(_answer), 1), "from the goal itself success is 1"
assert not np.isclose(_answer[0, 1], 0.25), (
    "from 0 to 1 in one step is a move to the right: 0.75. Rows are starts, columns are goals"
)
expect.close(
    _answer, [[1, 0.75, 0], [0.25, 1, 0.75], [0, 0.25, 1]], "success, horizon 1,"
)
_answer = _success(_mostly_right, _row, 2)
assert not np.isclose(_answer[0, 1], 0.1875), (
    "0.1875 is the chance to be in cell 1 after two steps. Having been there counts, too"
)
expect.close(_answer, _within_2, "success, horizon 2,")

# Four cells in a row and a policy that looks at its goal: straight there.
_row = np.array([[0, 1], [0, 2], [1, 3], [2, 3]])
_right = np.arange(4)[:, None] < np.arange(4)[None, :]
_straight = np.stack([~_right, _right], axis=2) * 1.0
for _horizon in (1, 2, 3):
    expect.close(
        _success(_straight, _row, _horizon),
        np.abs(np.arange(4)[:, None] - np.arange(4)[None, :]) <= _horizon,
        f"success of the straight way, horizon {_horizon},",
        hint="policy[s, g] is for standing in s and wanting g",
    )

# %% nbgrader={"grade": true, "grade_id": "exact_success-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("exact_success")


def _by_powers(policy, next_state, horizon):
    """For each goal, the power of the Markov chain that stops there."""
    n = len(next_state)
    success = np.empty((n, n))
    for g in range(n):
        chain = np.zeros((n, n))
        for s in range(n):
            for a in range(next_state.shape[1]):
                chain[s, next_state[s, a]] += policy[s, g, a]
        chain[g] = np.arange(n) == g
        success[:, g] = np.linalg.matrix_power(chain, horizon)[:, g]
    return success


_some = int(_rng.integers(4, 12))
for _n, _actions, _horizons in ((5, 2, (0, 1, _some)), (9, 6, (2, 60))):
    _world = _rng.integers(_n, size=(_n, _actions))
    _policy = _rng.dirichlet(np.ones(_actions), size=(_n, _n))
    for _horizon in _horizons:
        expect.close(
            _success(_policy, _world, _horizon),
            _by_powers(_policy, _world, _horizon),
            f"success in a random world of {_n} states, horizon {_horizon},",
            atol=1e-4,
        )

# A policy that never moves when it should: success is 1 at the goal and nowhere else.
_n = int(_rng.integers(4, 8))
_world = np.stack([np.arange(_n), (np.arange(_n) + 1) % _n], axis=1)
_lazy = np.zeros((_n, _n, 2))
_lazy[..., 0] = 1
expect.close(
    _success(_lazy, _world, 50), np.eye(_n), "success of a policy that always stays"
)
_keen = _lazy[..., ::-1]
_round = (np.arange(_n)[None, :] - np.arange(_n)[:, None]) % _n
expect.close(
    _success(_keen, _world, _n // 2),
    _round <= _n // 2,
    f"success on a one-way ring of {_n} states within {_n // 2} steps",
)
_world = _rng.integers(30, size=(30, 5))
_policy = _rng.dirichlet(np.ones(5), size=(30, 30))
expect.close(
    _success(_policy, _world, 200),
    _by_powers(_policy, _world, 200),
    "success in a world of 30 states within 200 steps",
    atol=1e-4,
)
### END HIDDEN TESTS

# %% [markdown]
# ## 4. A network that cannot break the inequality
#
# *medium · 25 minutes · 4 points*
#
# The encoder of an MRN critic turns a state into $2m$ numbers: a first half $x_1 \dots x_m$ and a
# second half $x'$. You get the encodings as rows of arrays: `x`, shape (B, 2m), of states and `y`,
# shape (C, 2m), of goals. Write two functions.
#
# 1. `mrn_distance(x, y)` returns the distances of all pairs, shape (B, C):
#    $$d_{ij} = \max_{k \le m} \bigl(x_{ik} - y_{jk}\bigr)_+ + \sqrt{\lVert x'_i - y'_j \rVert^2 + 10^{-12}},
#    \qquad (z)_+ = \max(z, 0).$$
# 2. `critic_loss(x, y)`, with as many states as goals ($B = C$) and true pairs in the same row, returns
#    three things: the backward InfoNCE loss of the logits $f_{ij} = -d_{ij}$,
#    $$L = -\frac1B \sum_j \log \frac{e^{f_{jj}}}{\sum_i e^{f_{ij}}},$$
#    a number, and its gradients with respect to `x` and to `y`, each of shape (B, 2m).
#
# Everything must stay finite: also where the second halves of a state and a goal are equal, and also
# where all distances are in the thousands. All entries are floats. Derive the gradients by hand or
# let JAX do it.
#
# <details><summary>Hint 1</summary>
#
# `x[:, None, :] - y[None, :, :]` holds the differences of all pairs, shape (B, C, 2m).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Backward: for each *goal*, so for each column $j$, the states $i$ compete. Which axis of the logits
# does the softmax run along? And what keeps a log-softmax from overflowing? (`jax.nn.log_softmax`
# knows. The [refresher](../0_start/refresher.ipynb) tells why.)
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `jax.value_and_grad` takes `argnums=(0, 1)`. What is the slope of the square root at 0, and what does
# the $10^{-12}$ do about it?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "critic_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mrn_distance(x, y):
    """Distances of all pairs of a state and a goal: (B, C)."""
    ### BEGIN SOLUTION
    gap = x[:, None, :] - y[None, :, :]
    climb, walk = jnp.split(gap, 2, axis=-1)
    uphill = jnp.max(jax.nn.relu(climb), axis=-1)
    return uphill + jnp.sqrt(jnp.sum(walk**2, axis=-1) + 1e-12)
    ### END SOLUTION


def critic_loss(x, y):
    """Backward InfoNCE and its gradients: a number, (B, 2m), (B, 2m)."""

    ### BEGIN SOLUTION
    def loss(x, y):
        log_share = jax.nn.log_softmax(-mrn_distance(x, y), axis=0)
        return -jnp.mean(jnp.diagonal(log_share))

    value, slopes = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *slopes
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "critic_loss-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _loss_and_slopes(x, y):
    """Your three answers, after a look at their shapes."""
    answer = critic_loss(x.copy(), y.copy())
    three = isinstance(answer, tuple | list) and len(answer) == 3
    assert three, (
        "critic_loss should return three things: the loss, its gradient in x, its gradient in y"
    )
    shapes = ((), x.shape, y.shape)
    names = ("the loss", "the gradient in x", "the gradient in y")
    return [
        expect.array(a, s, n) for a, s, n in zip(answer, shapes, names, strict=True)
    ]


_x = np.array([[1.0, 0, 0, 0], [1, 2, 3, 4], [-1, -2, 0, 0]])
_y = np.array([[0.0, 0, 0, 0], [0, 0, 0, 4], [0, 0, 3, 0]])
_d = expect.array(mrn_distance(_x.copy(), _y.copy()), (3, 3), "mrn_distance(x, y)")
assert (_d >= 0).all(), "mrn_distance: a distance is negative; what does (z)_+ do?"
assert not np.isclose(_d[0, 1], 17, atol=1e-3), (
    "mrn_distance: the second halves enter with their distance, not with its square"
)
expect.close(_d, [[1, 5, 4], [7, 5, 6], [0, 4, 3]], "mrn_distance(x, y)", atol=1e-3)
for _seed in range(5):
    _z = np.sin(np.arange(12.0) ** 2 + _seed).reshape(3, 4)
    _d = expect.array(mrn_distance(_z.copy(), _z.copy()), (3, 3), "mrn_distance(z, z)")
    assert np.allclose(np.diag(_d), 0, atol=1e-3), (
        "mrn_distance: from z to z the distance is 0"
    )
    assert (_d[:, None, :] <= _d[:, :, None] + _d[None, :, :] + 1e-4).all(), (
        "mrn_distance breaks the triangle inequality, which it should keep for all encodings"
    )
    assert np.abs(_d - _d.T).max() > 0.1, (
        "mrn_distance is symmetric: only a climb should cost"
    )
expect.array(
    mrn_distance(_z[:2].copy(), _z.copy()),
    (2, 3),
    "mrn_distance of 2 states and 3 goals",
)

_value, _, _ = _loss_and_slopes(_x, _y)
assert not np.isclose(_value, 1.179791, atol=1e-4), (
    "the loss is that of a softmax over goals. Backward: for each goal the states compete"
)
assert not np.isclose(_value, 3 * 1.071462, atol=1e-4), (
    "the loss is a mean over goals, not a sum"
)
assert not np.isclose(_value, 0.480367, atol=1e-4), (
    "the true state competes as well: it belongs below the fraction, too"
)
expect.close(_value, 1.071462, "the loss", hint="the logits are minus the distances")
_x, _y = (
    np.sin(np.arange(12.0) ** 2).reshape(3, 4),
    np.cos(np.arange(12.0) ** 2).reshape(3, 4),
)
_, _slope_x, _slope_y = _loss_and_slopes(_x, _y)
_step = 1e-3 * np.sin(np.arange(12.0)).reshape(3, 4)
_up, _down = (_loss_and_slopes(_x + sign * _step, _y)[0] for sign in (1, -1))
expect.close(
    np.sum(_slope_x * _step) * 1e3,
    (_up - _down) * 500,
    "the slope of the loss along one direction of x, by your gradient,",
    rtol=1e-2,
    atol=1e-3,
    hint="the second number is from two losses of yours, a small step apart",
)
expect.close(
    _slope_y.sum(axis=0),
    -_slope_x.sum(axis=0),
    "the gradient in y, summed over goals,",
    atol=1e-4,
    hint="the loss depends on x - y alone, so these sums and those of the gradient in x cancel",
)
_loss_and_slopes(
    _x, np.concatenate([_y[:, :2], _x[:, 2:]], axis=1)
)  # equal second halves
_loss_and_slopes(_x * 2000, _y * 2000)  # long distances

# %% nbgrader={"grade": true, "grade_id": "critic_loss-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("critic_loss")


def _encodings(size, half):
    """Encodings on a lattice, where no two differences tie and none is 0 in the first half."""
    x, y = _rng.integers(-100, 100, (2, size, 2 * half)) / 100
    return x + 0.001 * np.arange(1, 2 * half + 1), y


def _by_pairs(x, y):
    """Distances, loss and both gradients, one pair at a time."""
    size, half = len(x), x.shape[1] // 2
    d, slope = np.zeros((size, size)), np.zeros((size, size, 2 * half))
    for i in range(size):
        for j in range(size):
            climb, walk = x[i, :half] - y[j, :half], x[i, half:] - y[j, half:]
            length = np.sqrt(walk @ walk + 1e-12)
            d[i, j] = max(climb.max(), 0) + length
            slope[i, j, climb.argmax()] = climb.max() > 0
            slope[i, j, half:] = walk / length
    loss, slope_x, slope_y = 0.0, np.zeros_like(x), np.zeros_like(y)
    for j in range(size):
        weight = np.exp(d[:, j].min() - d[:, j])
        loss += (d[j, j] - d[:, j].min() + np.log(weight.sum())) / size
        pull = (
            ((np.arange(size) == j) - weight / weight.sum())[:, None]
            * slope[:, j]
            / size
        )
        slope_x += pull
        slope_y[j] -= pull.sum(0)
    return d, loss, slope_x, slope_y


for _case, _size, _half, _scale in (
    ("three pairs", 3, 2, 1.0),
    ("six pairs", 6, 3, 1.5),
    ("six pairs close by", 6, 3, 0.2),
    ("six pairs far apart", 6, 3, 900.0),
    ("six pairs with equal second halves", 6, 3, 1.0),
):
    _x, _y = (_scale * z for z in _encodings(_size, _half))
    if "equal" in _case:
        _y[0, _half:], _y[1, _half:] = _x[0, _half:], _x[-1, _half:]
    _truth = _by_pairs(_x, _y)
    _names = ("the loss", "the gradient in x", "the gradient in y")
    expect.close(
        mrn_distance(_x.copy(), _y.copy()),
        _truth[0],
        f"mrn_distance of {_case}",
        atol=1e-3,
    )
    for _answer, _expected, _name in zip(
        _loss_and_slopes(_x, _y), _truth[1:], _names, strict=True
    ):
        expect.close(_answer, _expected, f"{_name} for {_case}", rtol=1e-3, atol=1e-3)
_x, _y = _encodings(3, 2)
expect.close(
    mrn_distance(_x[:2].copy(), _y.copy()),
    _by_pairs(_x, _y)[0][:2],
    "mrn_distance with fewer states than goals",
    atol=1e-3,
)
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Short walks, distant goals
#
# *hard · 30 minutes · 5 points*
#
# Now the experiment. It can call your answers to exercises 1 to 3, so get those right first. Write
#
# `carry_far(walks, next_state, distances, waypoints, beta, horizon, radius)`
#
# with the walks (walks, T + 1) that are all there is to learn from, the world `next_state` (S, A), the
# true `distances` $D$ (S, S), used for judging only, and a planner: `waypoints[s, g, w]`, shape
# (S, S, S), is the chance that it aims at $w$ when you stand in $s$ and want $g$. Make two tables:
#
# - *raw*: the measured hitting times, with the number of steps $T$ of a walk for pairs never seen;
# - *relaxed*: the measured hitting times, unknown where never seen, relaxed until nothing changes. (You
#   may rely on it that the walks join all states, so that nothing stays unknown.)
#
# Each table $d$ gives a policy, and with the planner another one:
#
# $$\pi(a \mid s, g) \propto e^{-\beta\, d(f(s, a),\, g)}, \qquad
# \pi_{\text{plan}}(a \mid s, g) = \sum_w \texttt{waypoints}[s, g, w]\; \pi(a \mid s, w).$$
#
# Compute the success of both within `horizon` steps and return an array of shape (2, 3): the first row
# for *raw*, the second for *relaxed*; in each row, with $c$ = `radius`,
#
# 1. success nearby: without planner, the mean over the pairs with $0 < D(s, g) \le c$;
# 2. $\eta$: without planner, the mean over the pairs with $c < D(s, g) \le 2c$, divided by the first
#    number;
# 3. planning invariance: the mean over all pairs, also those with $s = g$, without the planner,
#    divided by the mean with it.
#
# When it works, try it on a corridor 30 steps long, with walks of 20 steps. Open a cell of your own
# below and predict before you run: which of the six numbers will be far from 1?
#
# ```
# carry_far(**MAZE, beta=0.3, horizon=200, radius=15)
# ```
#
# <details><summary>What you should see</summary>
#
# Nearby both tables do well, the relaxed one better: 0.82 and 0.99. When the distance doubles, the raw
# table keeps a sixth of its success, the relaxed one nine tenths. From the same walks: that is horizon
# generalization. The planner rescues the raw table (invariance 0.74) and has nothing to add to the
# relaxed one (0.98). With $\beta = 3$ both get worse, even nearby: a sharp policy trusts the noise in
# the averages and gets stuck between two cells.
#
# </details>
#
# <details><summary>Hint 1</summary>
#
# Write one function inside that turns a table $d$ into the three numbers, and call it twice.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# How many rounds of `path_relax` are enough? A round doubles the number of legs, and no shortest
# journey has more than $S$ of them. And why must the unknown pairs stay infinite until the relaxation
# is over? If you fill in $T$ first, every unknown pair offers itself as a shortcut.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `d[next_state]` has the axes state, action, goal; the policy's are state, goal, action. Normalise over
# the action. For the planner, read the sum as an `einsum`: which letter disappears?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "carry_far", "locked": false, "schema_version": 3, "solution": true, "task": false}
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    """Success nearby, eta and planning invariance, for the raw and the relaxed table: (2, 3)."""

    ### BEGIN SOLUTION
    def judge(d):
        weight = np.exp(-beta * d[next_state].transpose(0, 2, 1))
        policy = weight / weight.sum(axis=2, keepdims=True)
        planned = np.einsum("sgw,swa->sga", waypoints, policy)
        alone = np.asarray(exact_success(policy, next_state, horizon))
        helped = np.asarray(exact_success(planned, next_state, horizon))
        near = alone[(distances > 0) & (distances <= radius)].mean()
        far = alone[(distances > radius) & (distances <= 2 * radius)].mean()
        return near, far / near, alone.mean() / helped.mean()

    measured = np.asarray(hitting_times(walks, len(next_state)))
    raw = np.where(np.isinf(measured), walks.shape[1] - 1, measured)
    relaxed = measured
    for _ in range(int(np.ceil(np.log2(len(next_state))))):
        relaxed = np.asarray(path_relax(relaxed))
    return np.array([judge(raw), judge(relaxed)])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "carry_far-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from copy import deepcopy

from goalward.course.assignments import expect

_COLUMNS = ("success nearby", "η", "planning invariance")


def _compare_runs(world, expected, what, hints=("", "")):
    """Your six numbers against the expected ones, one by one."""
    answer = expect.array(carry_far(**deepcopy(world)), (2, 3), f"carry_far {what}")
    for row, (table, hint) in enumerate(zip(("raw", "relaxed"), hints, strict=True)):
        for column, name in enumerate(_COLUMNS):
            expect.close(
                answer[row, column],
                expected[row, column],
                f"{name} of the {table} table {what}",
                rtol=3e-3,
                atol=3e-3,
                hint=hint,
            )


_RADIUS_15 = np.array([[0.818923, 0.158201, 0.741675], [0.992052, 0.920196, 0.979678]])
_RADIUS_8 = np.array([[0.973183, 0.558050, 0.741675], [0.996604, 0.986897, 0.979678]])
_maze = MAZE | {"beta": 0.3, "horizon": 200}
_raw_hint = (
    "are exercises 2 and 3 right? Which pairs count, and what do unknown pairs get?"
)
_relaxed_hint = "do you relax until nothing changes, and before anything is filled in?"
for _radius, _expected in ((15, _RADIUS_15), (8, _RADIUS_8)):
    _compare_runs(
        _maze | {"radius": _radius},
        _expected,
        f"in the corridor, radius {_radius},",
        (_raw_hint, _relaxed_hint),
    )
# With β = 0 a policy does not look at its goal: neither table nor planner can matter.
_blind = deepcopy(_maze | {"beta": 0.0, "radius": 15})
_random = expect.array(carry_far(**_blind), (2, 3), "carry_far with β = 0")
expect.close(_random[:, 2], np.ones(2), "planning invariance of a random walk (β = 0)")
expect.close(
    _random[1], _random[0], "the relaxed row for a random walk (β = 0)", atol=1e-4
)

# %% nbgrader={"grade": true, "grade_id": "carry_far-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden
from goalward.evaluation import horizon as scores
from goalward.tabular import paths

_rng = hidden.rng("carry_far")


def _one_way_world(n):
    """A ring with one street in one direction, one short cut a state at random, and staying."""
    states = np.arange(n)
    after = np.stack(
        [(states + 1) % n, (states - _rng.integers(1, 4, n)) % n, states], axis=1
    )
    distances = np.where(np.eye(n, dtype=bool), 0.0, np.inf)
    for s, row in enumerate(after):
        distances[s, row[row != s]] = 1
    return after, paths.floyd_warshall(distances)


def _winding(rows, turns):
    """A corridor that turns at random places."""
    width = int(_rng.integers(4, 7))
    drawing = []
    for i in range(turns):
        drawing += ["." * width] * rows
        if i + 1 < turns:
            gap = int(_rng.integers(width))
            drawing.append("".join("." if c == gap else "#" for c in range(width)))
    return read_maze(drawing)


for _name, (_next, _true) in (
    ("in a one-way world", _one_way_world(int(_rng.integers(14, 20)))),
    ("in a winding corridor", _winding(1, 4)),
    ("in a small maze", _winding(2, 2)),
):
    _n, _steps = len(_next), int(_rng.integers(6, 9))
    while True:  # until the walks join all states
        _walks = wander(_next, 8 * _n, _steps, seed=int(_rng.integers(2**31)))
        _mean, _ = paths.mc_hitting_times(_walks, _n)
        _closed = paths.floyd_warshall(_mean)
        if np.isfinite(_closed).all():
            break
    _case = {"beta": _rng.uniform(0.2, 0.6), "horizon": int(4 * _true.max())}
    _radius = max(2, int(_true.max() * _rng.uniform(0.25, 0.45)))
    _expected = []
    for _d in (np.where(np.isinf(_mean), _steps, _mean), _closed):
        _policy = paths.boltzmann_policy(_d, _next, _case["beta"])
        _planned = paths.midpoint_planner_policy(_policy, _true)
        _alone, _helped = (
            paths.success_within(p, _next, _case["horizon"])
            for p in (_policy, _planned)
        )
        _near = _alone[(_true > 0) & (_true <= _radius)].mean()
        _eta = scores.horizon_eta(_alone, _true, _radius)
        _expected.append([_near, _eta, scores.planning_invariance(_alone, _helped)])
    _world = {
        "walks": _walks,
        "next_state": _next,
        "distances": _true,
        "waypoints": half_way(_true),
        "radius": _radius,
    }
    _compare_runs(_world | _case, np.array(_expected), _name)
### END HIDDEN TESTS
