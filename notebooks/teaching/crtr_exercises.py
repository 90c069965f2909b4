# %% [markdown]
# # Exercises: contrastive representations for temporal reasoning
#
# Four exercises to the chapter [Naming the room is not knowing the way](crtr.ipynb); keep it open
# beside you. 20 points, about 90 minutes. You split what two states tell of each other, build the
# batch that leaves the context out, and write the two measures by which the chapter judges.
#
# - Use NumPy and JAX, in any style: loops or not. `goalward` itself is not there when you are graded.
# - Your functions get NumPy arrays and plain numbers and leave them as they are. They return arrays
#   or numbers and have 10 seconds a call.
# - Write your answer in place of the line that raises `NotImplementedError`, then run the check
#   below it. No message means that the check passes.
# - When you hand in, further checks with other sizes and seeds decide about most of the points. At
#   home `goalward assignments check` says where you stand.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import heapq  # noqa: F401

import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# A corridor of six cells; actions left and right. For exercise 4.
CORRIDOR = np.array([[0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 5]])

# %% [markdown]
# ## 1. Time and context
#
# *easy · 20 minutes · 4 points*
#
# There are $C$ contexts (rooms, say), context $c$ with probability `p[c]`, not all equal. In context
# $c$ the pair of a state and its future follows the table `joints[c]`, shape (n, n), which sums to
# one: row $x$, column $x_+$. A state shows its context, so states of different contexts are
# different states. All entries are positive.
#
# 1. `conditional_critic(joints)` returns the best critic against negatives of the same context,
#    $\log\frac{p(x_+\mid x,c)}{p(x_+\mid c)}$, shape (C, n, n).
# 2. `informations(joints, p)` returns two numbers, in nats: $I(X;X_+)$ and $I(X;X_+\mid C)$.
#
# <details><summary>Hint 1</summary>
#
# $p(x_+\mid x,c)$ is the table divided by its row sums; $p(x_+\mid c)$ are its column sums.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $I(X;X_+\mid C)$ is the mean of the critic over pairs and contexts. The other information follows
# from it and from the entropy $H(C)=-\sum_c p_c\log p_c$, or from one large table with a block for
# each context.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "informations", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conditional_critic(joints):
    """log p(x+ | x, c) / p(x+ | c): (C, n, n)."""
    ### BEGIN SOLUTION
    rows, columns = joints.sum(axis=2), joints.sum(axis=1)
    return np.log(joints / rows[:, :, None] / columns[:, None, :])
    ### END SOLUTION


def informations(joints, p):
    """I(X; X+) and I(X; X+ | C), in nats: two numbers."""
    ### BEGIN SOLUTION
    within = p @ (joints * conditional_critic(joints)).sum(axis=(1, 2))
    return within - np.sum(p * np.log(p)), within
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "informations-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_joints = np.array([[[0.4, 0.1], [0.1, 0.4]], [[0.1, 0.3], [0.3, 0.3]]])
_critic = expect.array(
    conditional_critic(_joints.copy()), (2, 2, 2), "conditional_critic(joints)"
)
expect.close(
    _critic[0], np.log([[1.6, 0.4], [0.4, 1.6]]), "the critic of the first context"
)
expect.close(
    _critic[1],
    np.log([[0.25 / 0.4, 0.75 / 0.6], [0.5 / 0.4, 0.5 / 0.6]]),
    "the critic of the second context",
    hint="rows of p(x+ | x, c) sum to one; the denominator depends on the column",
)
_two = expect.array(
    informations(_joints[:1].copy(), np.array([1.0])),
    (2,),
    "informations of one context",
)
expect.close(_two, [0.192745, 0.192745], "informations of one context (there H(C) = 0)")
expect.close(
    informations(np.full((2, 2, 2), 0.25), np.array([0.5, 0.5])),
    [np.log(2), 0.0],
    "informations where a state tells nothing but its context",
)

# %% nbgrader={"grade": true, "grade_id": "informations-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("informations")
for _contexts, _n in ((3, 4), (6, 3), (2, 7)):
    _joints = _rng.dirichlet(np.full(_n * _n, 0.7), size=_contexts).reshape(-1, _n, _n)
    _joints = (_joints + 1e-4) / (1 + 1e-4 * _n * _n)
    _p = _rng.dirichlet(np.ones(_contexts)) * 0.9 + 0.1 / _contexts
    _total = _within = 0.0
    _wanted = np.zeros(_joints.shape)
    for _c in range(_contexts):
        for _x in range(_n):
            for _y in range(_n):
                _row, _column = _joints[_c, _x].sum(), _joints[_c, :, _y].sum()
                _ratio = _joints[_c, _x, _y] / (_row * _column)
                _wanted[_c, _x, _y] = np.log(_ratio)
                _total += _p[_c] * _joints[_c, _x, _y] * np.log(_ratio / _p[_c])
                _within += _p[_c] * _joints[_c, _x, _y] * np.log(_ratio)
    expect.close(
        conditional_critic(_joints.copy()),
        _wanted,
        f"the critic of {_contexts} contexts",
    )
    expect.close(
        informations(_joints.copy(), _p.copy()),
        [_total, _within],
        f"informations of {_contexts} contexts with unequal probabilities",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 2. The batch
#
# *medium · 25 minutes · 6 points*
#
# Write `crtr_batch(seed, M, T, B, R, gamma)`. The data are `M` trajectories with the states
# $0,\dots,T$. Return an integer array of shape (B, 3), a pair in each row: trajectory, anchor's time
# $t$, future's time $t+\Delta$.
#
# - $B/R$ *different* trajectories, drawn uniformly, each in exactly $R$ rows. `R` divides `B`, and
#   $B/R\le M$.
# - Each row has its own anchor, uniform on $0,\dots,T-1$, and its own offset,
#   $\Pr(\Delta=k)\propto\gamma^{k-1}$ for $k=1,\dots,T-t$.
# - The order of rows is yours. The same seed gives the same batch, another seed another.
#
# <details><summary>Hint 1</summary>
#
# `np.random.default_rng(seed)` has a `choice` without replacement; `np.repeat` does the rest.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The truncated geometric: weights $\gamma^{0},\dots,\gamma^{T-t-1}$, divided by their sum. Cutting
# off (`min(k, T - t)`) is another distribution.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "crtr_batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def crtr_batch(seed, M, T, B, R, gamma):
    """Rows (trajectory, t, t + offset): (B, 3) integers."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    trajectories = np.repeat(rng.choice(M, size=B // R, replace=False), R)
    rows = []
    for trajectory in trajectories:
        t = rng.integers(T)
        weights = gamma ** np.arange(T - t)
        offset = 1 + rng.choice(T - t, p=weights / weights.sum())
        rows.append([trajectory, t, t + offset])
    return np.array(rows)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "crtr_batch-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_rows = expect.array(
    crtr_batch(0, 10, 8, 12, 3, 0.9), (12, 3), "crtr_batch(0, 10, 8, 12, 3, 0.9)"
)
assert np.all(_rows == np.round(_rows)), "crtr_batch: rows hold whole numbers"
_names, _counts = np.unique(_rows[:, 0], return_counts=True)
assert np.all(_counts == 3), (
    "crtr_batch: with R = 3 each trajectory stands in exactly 3 rows"
)
assert np.all((_names >= 0) & (_names < 10)), "crtr_batch: trajectories are 0 to M - 1"
assert np.all((_rows[:, 1] >= 0) & (_rows[:, 2] <= 8)), "crtr_batch: times are 0 to T"
assert np.all(_rows[:, 2] > _rows[:, 1]), (
    "crtr_batch: the future is at least one step ahead"
)
expect.close(crtr_batch(0, 10, 8, 12, 3, 0.9), _rows, "the same seed again")
assert not np.array_equal(
    np.sort(_rows, axis=0),
    np.sort(
        expect.array(crtr_batch(1, 10, 8, 12, 3, 0.9), (12, 3), "with seed 1"), axis=0
    ),
), "crtr_batch: another seed should give another batch"

# %% nbgrader={"grade": true, "grade_id": "crtr_batch-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("crtr_batch")
for _R in (1, int(_rng.integers(2, 5))):
    _T, _M, _gamma = int(_rng.integers(4, 7)), 30, float(_rng.uniform(0.4, 0.7))
    _B = 20 * _R
    _all = []
    for _ in range(80):
        _batch = crtr_batch(int(_rng.integers(2**31)), _M, _T, _B, _R, _gamma)
        _batch = expect.array(_batch, (_B, 3), f"a batch with R = {_R}").astype(int)
        _times_used = np.unique(_batch[:, 0], return_counts=True)[1]
        assert np.all(_times_used == _R), (
            f"with R = {_R} each trajectory stands in R rows"
        )
        assert np.all((_batch[:, 1:] >= 0) & (_batch[:, 1:] <= _T)), "times are 0 to T"
        _all.append(_batch[np.argsort(_batch[:, 0], kind="stable")])
    _all = np.array(_all)
    _rows = _all.reshape(-1, 3)
    _share = np.bincount(_rows[:, 0], minlength=_M) / len(_rows) * _M
    assert len(_share) == _M, "trajectories are 0 to M - 1"
    assert np.abs(_share - 1).max() < 0.5, "all trajectories should be equally likely"
    _in = np.zeros((len(_all), _M))
    np.put_along_axis(_in, _all[:, :, 0], 1.0, axis=1)
    _both = np.array([np.mean(_in * np.roll(_in, _k, axis=1)) for _k in range(1, _M)])
    _chance = 20 * 19 / (_M * (_M - 1))
    assert np.abs(_both / _chance - 1).max() < 0.15, (
        "any two trajectories should be as likely to stand in a batch as any other two"
    )
    _anchors = np.bincount(_rows[:, 1], minlength=_T + 1) / len(_rows)
    expect.close(
        _anchors, [*[1 / _T] * _T, 0], "how often each anchor is drawn", atol=0.045
    )
    for _t in range(_T):
        _left = _T - _t
        _ahead = (_rows[:, 2] - _rows[:, 1])[_rows[:, 1] == _t]
        assert _ahead.min() >= 1, "offsets are at least 1"
        assert _ahead.max() <= _left, "offsets are at most T - t"
        _chance = _gamma ** np.arange(_left)
        expect.close(
            np.bincount(_ahead, minlength=_left + 1)[1:] / len(_ahead),
            _chance / _chance.sum(),
            f"how often each offset is drawn, {_left} steps before the end",
            atol=0.11,
        )
    if _R > 1:
        _copies = _rows[:, 1].reshape(-1, _R)
        _equal = np.mean(_copies[:, 0] == _copies[:, 1])
        assert abs(_equal - 1 / _T) < 0.1, (
            "copies of a trajectory have anchors of their own"
        )
        _steps = (_rows[:, 2] - _rows[:, 1]).reshape(-1, _R)
        assert abs(np.corrcoef(_steps[:, 0], _steps[:, 1])[0, 1]) < 0.2, (
            "copies of a trajectory have offsets of their own"
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Ranks that tie
#
# *medium · 20 minutes · 4 points*
#
# Distances in a room are small whole numbers, so many are equal. Write `spearman(x, y)` for two
# arrays of the same length: the correlation of their *ranks*, where equal values share the mean of
# the ranks that they take up. (The values 5, 7, 7, 9 have the ranks 1, 2.5, 2.5, 4.) Neither array
# is constant.
#
# <details><summary>Hint 1</summary>
#
# The shared rank of a value is the number of smaller ones, plus half of (the number of equal ones,
# itself included, plus one).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Subtract the mean from both lists of ranks; the correlation is their inner product over the product
# of their lengths. The formula with $6\sum d^2$ holds without ties only.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "spearman", "locked": false, "schema_version": 3, "solution": true, "task": false}
def spearman(x, y):
    """Rank correlation with shared ranks: a number between -1 and 1."""

    ### BEGIN SOLUTION
    def ranks(values):
        smaller = (values[:, None] > values[None, :]).sum(axis=1)
        equal = (values[:, None] == values[None, :]).sum(axis=1)
        return smaller + (equal + 1) / 2

    return np.corrcoef(ranks(x), ranks(y))[0, 1]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "spearman-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 8.0, 27.0, 64.0])),
    1.0,
    "spearman of x and its cube",
    hint="only the order counts",
)
expect.close(
    spearman(np.array([5.0, 7.0, 7.0, 9.0]), np.array([4.0, 3.0, 2.0, 1.0])),
    -0.9486833,
    "spearman(5 7 7 9, 4 3 2 1)",
    hint="the two sevens share the rank 2.5",
)

# %% nbgrader={"grade": true, "grade_id": "spearman-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from scipy.stats import spearmanr

from goalward.course.assignments import hidden

_rng = hidden.rng("spearman")
for _n, _levels in ((9, 4), (30, 6), (40, 1000)):
    _x = _rng.normal(size=_n)
    _y = np.floor(_levels * (1 / (1 + np.exp(-_x - _rng.normal(size=_n)))))
    _order = _rng.permutation(_n)
    for _a, _b in ((_x, _y), (_y, -_x), (_y[_order], np.floor(2 * _x[_order]))):
        expect.close(
            spearman(_a.copy(), _b.copy()),
            spearmanr(_a, _b).statistic,
            f"spearman of {_n} values with {len(set(_b))} different ones on one side",
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Best-first search
#
# *medium · 25 minutes · 6 points*
#
# A world is its table of next states, `next_state[s, a]`. `h[s]` says how far $s$ looks from the
# goal; no two values are equal. Write `expansions(next_state, h, start, goal, budget)`, the number
# of states that best-first search expands:
#
# - *Open* at first: the start. Repeat: take the open state with the smallest `h` and **expand** it,
#   which counts one.
# - If the goal is among its next states, stop and return the count. Otherwise open those next states
#   that have never been open.
# - Return $-1$ if nothing is open any more, or after `budget` expansions without the goal.
# - If the start is the goal, the answer is 0.
#
# <details><summary>Hint 1</summary>
#
# `heapq` from the standard library keeps a queue of pairs `(h[s], s)`. A sorted list does as well.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Keep a set of all states that have ever been open, the start included.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "expansions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expansions(next_state, h, start, goal, budget):
    """States expanded until the goal is a child; -1 if it is not found."""
    ### BEGIN SOLUTION
    if start == goal:
        return 0
    waiting, known = [start], {start}
    for count in range(1, budget + 1):
        if not waiting:
            return -1
        state = min(waiting, key=lambda s: h[s])
        waiting.remove(state)
        for child in next_state[state].tolist():
            if child == goal:
                return count
            if child not in known:
                known.add(child)
                waiting.append(child)
    return -1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "expansions-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_h = np.abs(np.arange(6) - 5.0)
expect.close(
    expansions(CORRIDOR.copy(), _h.copy(), 0, 5, 100),
    5,
    "expansions in the corridor with a perfect h",
    hint="stop when the goal is a child: five moves, five expansions",
)
expect.close(
    expansions(CORRIDOR.copy(), _h.copy(), 5, 5, 100), 0, "from the goal itself"
)
expect.close(
    expansions(CORRIDOR.copy(), _h.copy(), 0, 5, 4),
    -1,
    "the same with a budget of 4",
)
expect.close(
    expansions(CORRIDOR.copy(), np.array([0.3, 0.2, 0.6, 0.4, 0.1, 0.0]), 2, 5, 100),
    5,
    "expansions from cell 2 where h first leads the wrong way",
    hint="2, 1, 0, then back to cell 3, which is still open, and 4",
)

# %% nbgrader={"grade": true, "grade_id": "expansions-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden
from goalward.evaluation.search import best_first_search

_rng = hidden.rng("expansions")
_found = 0
for _case in range(60):
    _n = int(_rng.integers(6, 25))
    _next = _rng.integers(_n, size=(_n, 2))
    _h = _rng.permutation(_n) / 3 + _rng.uniform(0, 0.1)
    _start, _goal = (int(x) for x in _rng.choice(_n, 2, replace=False))
    _budget = _n if _case % 3 else int(_rng.integers(1, 5))
    _got = best_first_search(
        _start,
        _goal,
        _next.tolist().__getitem__,
        lambda s, h=_h: [h[n] for n in s],
        _budget,
    )
    _found += _got.found
    expect.close(
        expansions(_next.copy(), _h.copy(), _start, _goal, _budget),
        _got.expanded if _got.found else -1,
        f"expansions in a random world of {_n} states with a budget of {_budget}",
    )
assert 10 < _found < 55
### END HIDDEN TESTS
