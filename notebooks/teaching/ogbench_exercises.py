# %% [markdown]
# # Exercises: OGBench
#
# This assignment belongs to the chapter [OGBench](ogbench.ipynb); keep it open beside
# you. 4 exercises, 20 points, about 90 minutes. You compute the expectile of the
# implicit agents, the exact distribution of sampled goals, the distances that QRL
# converges to, and transitions from the benchmark's files.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers.
#   Leave the arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. Further checks are hidden and use other
#   sizes and seeds.
# - `goalward assignments check` followed by this notebook's name says at home where you
#   stand.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# Two episodes end to end, as in the benchmark's files: states 4, 1, 3 and then 2, 0.
terminals = np.array([False, False, True, False, True])

# %% [markdown]
# ## 1. The expectile
#
# *easy · 15 minutes · 4 points*
#
# Numbers `x` (n,) with weights `w` (n,), not negative and not all zero, and
# $0<\kappa<1$. Return the number $v$ at which the pulls from above and below are in
# balance,
#
# $$\kappa\sum_{x_i>v}w_i\,(x_i-v)=(1-\kappa)\sum_{x_i<v}w_i\,(v-x_i).$$
#
# This is the minimum of the chapter's asymmetric square. It must be right to $10^{-5}$.
#
# <details><summary>Hint 1</summary>
#
# The left side falls as $v$ grows, the right side rises. Between which two numbers must
# $v$ lie?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Halve that interval until it is short. Or: for a guess of $v$ the weights are known,
# and then $v$ is a weighted mean; repeat.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "expectile", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expectile(x, w, kappa):
    """The kappa-expectile of numbers x (n,) with weights w (n,)."""
    ### BEGIN SOLUTION
    low, high = x.min(), x.max()
    for _ in range(100):
        v = (low + high) / 2
        above = kappa * (w * np.maximum(x - v, 0)).sum()
        below = (1 - kappa) * (w * np.maximum(v - x, 0)).sum()
        low, high = (v, high) if above > below else (low, v)
    return v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "expectile-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    expectile(np.array([0.0, 1.0]), np.array([1.0, 1.0]), 0.9),
    0.9,
    "the 0.9-expectile of 0 and 1",
    hint="0.9 (1 - v) = 0.1 v",
)
expect.close(
    expectile(np.array([0.0, 4.0]), np.array([3.0, 1.0]), 0.5),
    1.0,
    "the 0.5-expectile, which is the mean",
    hint="do the weights count?",
)

# %% nbgrader={"grade": true, "grade_id": "expectile-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden


def _by_candidates(x, w, kappa):
    # Between neighbouring values the balance is linear in v: solve it in each gap.
    order = np.argsort(x)
    x, w = x[order], w[order]
    for k in range(len(x) - 1):
        weight = np.where(np.arange(len(x)) > k, kappa, 1 - kappa) * w
        v = (weight * x).sum() / weight.sum()
        if x[k] - 1e-12 <= v <= x[k + 1] + 1e-12:
            return v
    return x[0]


rng = hidden.rng("expectile")
for _n, _kappa in (
    (1, 0.7),
    (5, 0.9),
    (8, 0.2),
    (30, 0.5),
    (12, 0.99),
    (28, 1 - 1e-8),  # large numbers ever rarer: reweighting takes 20 rounds
):
    _x, _w = rng.normal(size=_n) * 3 - 5, rng.uniform(0.1, 2.0, size=_n)
    if _n == 28:
        _rank = rng.permutation(_n)
        _x, _w = 1000 * 1.5 ** (_rank - 28.0) * rng.uniform(0.99, 1), 2.5**-_rank
    _answer = expectile(_x.copy(), _w.copy(), _kappa)
    expect.close(
        _answer,
        _by_candidates(_x, _w, _kappa),
        f"the {_kappa}-expectile of {_n} numbers",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Which goals are drawn
#
# *medium · 25 minutes · 5 points*
#
# Episodes lie end to end; `terminals[j]` is true in the last row of each. For a row $i$
# whose episode ends in row $e$, the benchmark draws the *row* of a goal in one of three
# ways:
#
# - with probability `p_current`: row $i$ itself;
# - with probability `p_future`: row $\min(i+k,\,e)$, where $k\ge1$ is geometric,
#   $\Pr(k)=(1-\gamma)\gamma^{k-1}$;
# - otherwise: any row of the whole data set, all equally likely.
#
# Return the exact table `G[i, j]`, the probability that row `j` is drawn for row `i`,
# shape (N, N).
#
# <details><summary>Hint 1</summary>
#
# Everything beyond the end is cut back to $e$. How likely is $i+k\ge e$?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $\Pr(k\ge m)=\gamma^{m-1}$. What remains in the last row of an episode, where $m=0$?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "goal_table", "locked": false, "schema_version": 3, "solution": true, "task": false}
def goal_table(terminals, gamma, p_current, p_future):
    """Probabilities G (N, N) of each goal row for each row; terminals (N,) bool."""
    ### BEGIN SOLUTION
    n = len(terminals)
    ends = np.flatnonzero(terminals)
    table = np.full((n, n), (1 - p_current - p_future) / n)
    for i in range(n):
        table[i, i] += p_current
        end = ends[ends >= i][0]
        for j in range(i + 1, end):
            table[i, j] += p_future * (1 - gamma) * gamma ** (j - i - 1)
        table[i, end] += p_future * gamma ** max(end - i - 1, 0)
    return table
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "goal_table-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    goal_table(terminals.copy(), 0.5, 0.0, 1.0),
    [
        [0, 0.5, 0.5, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1],
    ],
    "the table with futures only",
    hint="the last state of an episode gets all that would lie beyond it",
)

# %% nbgrader={"grade": true, "grade_id": "goal_table-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("goal_table")
for _lengths, _gamma, _current, _future in (
    ((3, 5, 1, 2), 0.9, 0.2, 0.5),
    ((7,), 0.6, 0.0, 1.0),
    ((2, 2), 0.3, 1.0, 0.0),
    ((4, 6), 0.8, 0.0, 0.0),
    ((5, 2), 0.999, 0.1, 0.6),
):
    _lengths = [int(v) for v in rng.permutation(_lengths)]
    _terminals = np.concatenate([np.arange(v) == v - 1 for v in _lengths])
    _N, _first = sum(_lengths), 0
    _table = np.full((_N, _N), (1 - _current - _future) / _N)
    for _length in _lengths:
        for _i in range(_length):
            _table[_first + _i, _first + _i] += _current
            _left = _future
            for _j in range(_i + 1, _length - 1):  # stop here, or go on
                _table[_first + _i, _first + _j] += _left * (1 - _gamma)
                _left *= _gamma
            _table[_first + _i, _first + _length - 1] += _left
        _first += _length
    expect.close(
        goal_table(_terminals.copy(), _gamma, _current, _future),
        _table,
        f"the table for mixture ({_current}, {_future}, rest)",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. QRL without a network
#
# *medium · 20 minutes · 5 points*
#
# `states` (m,) and `next_states` (m,) are recorded steps between states $0\dots n-1$.
# Return the largest table $d(s,g)$, shape (n, n), with $d(s,s)=0$, at most 1 for each
# recorded step, and no detour shorter than the direct way. Where no chain of recorded
# steps leads from $s$ to $g$ nothing bounds the distance: write the number `far` there,
# which may be any number, $-1$ for example.
#
# <details><summary>Hint 1</summary>
#
# Start with 0, 1 and infinity. Allow the states as waypoints one after another.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Steps have a direction: $d(s,g)$ and $d(g,s)$ may differ. Replace the infinities last.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "fit_qrl_tabular", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_qrl_tabular(states, next_states, n, far):
    """Distances d (n, n) from recorded steps; `far` where no way is known."""
    ### BEGIN SOLUTION
    d = np.full((n, n), np.inf)
    d[states, next_states] = 1.0
    np.fill_diagonal(d, 0.0)
    for waypoint in range(n):
        d = np.minimum(d, d[:, [waypoint]] + d[[waypoint], :])
    return np.where(np.isinf(d), far, d)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "fit_qrl_tabular-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    fit_qrl_tabular(np.array([0, 2, 1]), np.array([1, 0, 1]), 3, 100.0),
    [[0, 1, 100], [100, 0, 100], [1, 2, 0]],
    "distances from the steps 0→1, 2→0 and a bump in 1",
    hint="rows are starts, columns goals; nobody ever left 1",
)

# %% nbgrader={"grade": true, "grade_id": "fit_qrl_tabular-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("fit_qrl_tabular")
for _n, _m, _far in (
    (6, 9, 50.0),
    (15, 30, -1.0),
    (25, 24, 1000.0),
    (12, 11, 4.5),  # nearer than some true distances
    (4, 1, 7.5),
):
    if _m == _n - 1:  # one long chain through all states, shuffled
        _order = rng.permutation(_n)
        _from, _to = _order[:-1], _order[1:]
    else:
        _from, _to = rng.integers(_n, size=_m), rng.integers(_n, size=_m)
    _d = np.full((_n, _n), np.inf)
    for _s in range(_n):  # breadth first
        _d[_s, _s], _front, _steps = 0.0, {_s}, 0
        while _front:
            _steps += 1
            _front = {
                int(y) for x, y in zip(_from, _to, strict=True) if int(x) in _front
            }
            _front = {y for y in _front if np.isinf(_d[_s, y])}
            for _y in _front:
                _d[_s, _y] = _steps
    expect.close(
        fit_qrl_tabular(_from.copy(), _to.copy(), _n, _far),
        np.where(np.isinf(_d), _far, _d),
        f"the distances between {_n} states, against breadth-first search",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The next observation
#
# *hard · 30 minutes · 6 points*
#
# In the benchmark's files each episode has one row more than it has transitions: the
# last row holds the last observation, and its action means nothing. Given
# `observations` (N, d), `actions` (N, k) and `terminals` (N,), return four arrays
# `(rows, next_rows, next_observations, compact)`:
#
# - `rows` (M,): the rows that begin a transition, in order;
# - `next_rows` (N,): for *every* row the row of the next observation; the last row of
#   an episode is its own next;
# - `next_observations` (M, d): what follows each of `rows`;
# - `compact` (N,): 1.0 where a row's action is valid, else 0.0.
#
# Row numbers are integers, so that one can index with them. The file may be cut off: if
# its last row is not terminal, treat it as the end of its episode.
#
# <details><summary>Hint 1</summary>
#
# Which rows have no successor? The terminal ones, and the last.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# An episode may have one row only. Then it has no transition.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "transitions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def transitions(observations, actions, terminals):
    """(rows, next_rows, next_observations, compact) from a compact file."""
    ### BEGIN SOLUTION
    last = terminals.astype(bool).copy()
    last[-1] = True
    index = np.arange(len(last))
    successor = np.where(last, index, index + 1)
    begins = np.flatnonzero(~last)
    return begins, successor, observations[begins + 1], (~last).astype(float)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "transitions-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_seen = np.array([[4.0], [1.0], [3.0], [2.0], [0.0]])
_found = transitions(_seen.copy(), np.zeros((5, 2)), terminals.copy())
assert _found is not None, "transitions returned None: not attempted, or no `return`"
assert len(_found) == 4, "four arrays are asked for"
for _part, _expected, _name in zip(
    _found,
    ([0, 1, 3], [1, 2, 2, 4, 4], [[1.0], [3.0], [0.0]], [1, 1, 0, 1, 0]),
    ("rows", "next_rows", "next_observations", "compact"),
    strict=True,
):
    expect.close(
        _part, _expected, _name, hint="3 and 2 stand beside each other by accident only"
    )
for _part, _name in zip(_found, ("rows", "next_rows"), strict=False):
    assert np.asarray(_part).dtype.kind in "iu", f"{_name} should be integers"

# %% nbgrader={"grade": true, "grade_id": "transitions-hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("transitions")
for _lengths, _cut in (
    ((4, 2, 3), False),
    ((1, 5, 1, 3), False),
    ((3, 4), True),
    ((6,), True),
):
    _ends = np.concatenate([np.arange(v) == v - 1 for v in _lengths])
    if _cut:
        _ends[-1] = False
    _N = len(_ends)
    _obs, _act = rng.normal(size=(_N, 3)), rng.normal(size=(_N, 2))
    _rows, _next, _after, _valid, _row = [], [], [], [], 0
    for _length in _lengths:
        for _step in range(_length):
            _more = _step + 1 < _length
            _next.append(_row + 1 if _more else _row)
            _valid.append(1.0 if _more else 0.0)
            if _more:
                _rows.append(_row)
                _after.append(_obs[_row + 1])
            _row += 1
    _found = transitions(_obs.copy(), _act.copy(), _ends.copy())
    assert _found is not None, (
        "transitions returned None: not attempted, or no `return`"
    )
    assert len(_found) == 4, "four arrays are asked for"
    for _part, _expected, _name in zip(
        _found,
        (_rows, _next, _after, _valid),
        ("rows", "next_rows", "next_observations", "compact"),
        strict=True,
    ):
        expect.close(_part, _expected, _name + (", file cut off" if _cut else ""))
    for _part, _name in zip(_found, ("rows", "next_rows"), strict=False):
        assert np.asarray(_part).dtype.kind in "iu", f"{_name} should be integers"
### END HIDDEN TESTS
