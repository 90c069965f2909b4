# %% [markdown]
# # Exercises: SHARSA
#
# This assignment belongs to the chapter [A long way, taken in fewer and longer strides](sharsa.ipynb);
# keep it open beside you. 4 exercises, 20 points, about 100 minutes. You build targets of several
# steps, find where linear values come to rest, code flow matching, and compute what the best of $N$
# draws does.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers. Leave the
#   arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. Further checks are hidden and use other sizes and seeds.
# - `goalward assignments check` followed by this notebook's name says at home where you stand.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# %% [markdown]
# ## 1. Targets of several steps
#
# *medium · 25 minutes · 5 points*
#
# An episode has the rewards `rewards` ($r_0,\dots,r_{T-1}$), and `values` ($V_0,\dots,V_T$) are what we
# believe of its states. `arrived` says whether the last state ended the task (then nothing comes after
# it) or the recording merely stopped there. Return for each $t<T$ the target
#
# $$\sum_{k=0}^{m-1}\gamma^kr_{t+k}+\gamma^m\,V_{t+m},\qquad m=\min(n,\,T-t),$$
#
# without the second term where the last state is used and the episode has `arrived`.
#
# <details><summary>Hint</summary>
#
# The discount of the value is $\gamma^m$, with the steps really taken, not $\gamma^n$.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "nstep_targets", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nstep_targets(rewards, values, n, gamma, arrived):
    """Targets (T,); rewards (T,), values (T + 1,), n steps at most, arrived True or False."""
    ### BEGIN SOLUTION
    T = len(rewards)
    targets = np.zeros(T)
    for t in range(T):
        m = min(n, T - t)
        targets[t] = np.sum(gamma ** np.arange(m) * rewards[t : t + m])
        if t + m < T or not arrived:
            targets[t] += gamma**m * values[t + m]
    return targets
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "nstep_targets-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_rewards, _values = np.array([1.0, 2.0, 4.0]), np.array([9.0, 10.0, 20.0, 40.0])
for _arrived, _expected in ((True, [7.0, 4.0, 4.0]), (False, [7.0, 14.0, 24.0])):
    expect.close(
        nstep_targets(_rewards.copy(), _values.copy(), 2, 0.5, _arrived),
        _expected,
        f"targets of two steps, arrived = {_arrived},",
        hint="which discount does the value get, and does the last state's value count?",
    )

# %% nbgrader={"grade": true, "grade_id": "nstep_targets-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("nstep_targets")
for _T, _n in ((1, 1), (7, 1), (7, 3), (6, 6), (4, 9)):
    for _arrived in (True, False):
        _r, _V, _gamma = (
            rng.normal(size=_T),
            rng.normal(size=_T + 1),
            rng.uniform(0.5, 1),
        )
        _answer = nstep_targets(_r.copy(), _V.copy(), _n, _gamma, _arrived)
        _end = 0.0 if _arrived else _V[_T]
        _expected = []
        for _t in range(_T):  # backwards from where the target looks
            _m = min(_n, _T - _t)
            _x = _end if _t + _m == _T else _V[_t + _m]
            for _k in reversed(range(_m)):
                _x = _r[_t + _k] + _gamma * _x
            _expected.append(_x)
        expect.close(
            _answer, _expected, f"targets of {_n} steps of {_T}, arrived = {_arrived},"
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Where backups come to rest
#
# *medium · 25 minutes · 5 points*
#
# A process moves by `P[s, s']` (rows may sum to less than one: with the rest it ends) and pays `r[s]` on
# leaving $s$. Values are $\Phi\theta$ with `features` $\Phi$, (S, F). Return the $\theta$ at which
# backups of $n$ steps come to rest,
#
# $$\Phi^\top\big(r_n+\gamma^nP^n\Phi\theta-\Phi\theta\big)=0,\qquad r_n=\sum_{k=0}^{n-1}\gamma^kP^kr.$$
#
# <details><summary>Hint</summary>
#
# Collect what multiplies $\theta$; that is an F × F matrix. `np.linalg.solve` does the rest.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "rest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rest(P, r, features, gamma, n):
    """The resting point theta (F,); P (S, S), r (S,), features (S, F)."""
    ### BEGIN SOLUTION
    ahead, paid = np.eye(len(P)), np.zeros(len(P))
    for k in range(n):
        paid += gamma**k * ahead @ r
        ahead = ahead @ P
    matrix = features.T @ (features - gamma**n * ahead @ features)
    return np.linalg.solve(matrix, features.T @ paid)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "rest-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_line, _cost = np.eye(3, k=1), -np.ones(3)
expect.close(
    rest(_line.copy(), _cost.copy(), np.eye(3), 0.5, 2),
    [-1.75, -1.5, -1.0],
    "with a feature for each state the resting point",
    hint="it should be the exact values: -1.75, -1.5, -1",
)
_flat = np.ones((3, 1))
for _n, _expected in ((1, -1.5), (2, -16 / 11), (3, -17 / 12)):
    expect.close(
        rest(_line.copy(), _cost.copy(), _flat.copy(), 0.5, _n),
        [_expected],
        f"with a constant feature and n = {_n} the resting point",
        hint="with n = 3 it is the mean of the exact values",
    )

# %% nbgrader={"grade": true, "grade_id": "rest-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("rest")
for _states, _wide, _n in ((5, 2, 1), (6, 3, 2), (7, 3, 5)):
    _P = rng.dirichlet(np.ones(_states + 1), _states)[:, :_states]
    _r = rng.normal(size=_states)
    _features = rng.normal(size=(_states, _wide))
    _gamma = rng.uniform(0.6, 0.95)
    _theta = expect.array(
        rest(_P.copy(), _r.copy(), _features.copy(), _gamma, _n), (_wide,), "theta"
    )
    _target = _features @ _theta
    for _ in range(_n):  # a backup of n steps, one after the other
        _target = _r + _gamma * _P @ _target
    expect.close(
        _features.T @ (_target - _features @ _theta),
        np.zeros(_wide),
        f"what the features still see of the target's error, n = {_n},",
        atol=1e-4,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. A flow by hand
#
# *medium · 25 minutes · 5 points*
#
# The field of velocities is linear, $v(x,t)=xW+t\,c$, with `W` (d, d) and `c` (d,). Given noise `x0`, data
# `x1`, both (rows, d), and times `t`, (rows,), return two things:
#
# 1. the loss of flow matching, the mean over rows *and entries* of $(v(x_t,t)-(x_1-x_0))^2$ with
#    $x_t=(1-t)x_0+t\,x_1$;
# 2. where Euler's method in `steps` steps carries `x0`: $x\leftarrow x+\frac1K\,v(x,k/K)$ for
#    $k=0,\dots,K-1$.


# %% nbgrader={"grade": false, "grade_id": "flow", "locked": false, "schema_version": 3, "solution": true, "task": false}
def flow(W, c, x0, x1, t, steps):
    """The loss, and where x0 is carried (rows, d)."""

    ### BEGIN SOLUTION
    def v(x, time):
        return x @ W + time * c

    time = t[:, None]
    error = v((1 - time) * x0 + time * x1, time) - (x1 - x0)
    x = x0
    for k in range(steps):
        x = x + v(x, k / steps) / steps
    return np.mean(error**2), x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "flow-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _both(W, c, x0, x1, t, steps):
    """Your two answers, after a look at their number."""
    answer = flow(W.copy(), c.copy(), x0.copy(), x1.copy(), t.copy(), steps)
    two = isinstance(answer, tuple | list) and len(answer) == 2
    assert two, "flow should return two things: the loss and where x0 is carried"
    return expect.array(answer[0], (), "the loss"), expect.array(
        answer[1], x0.shape, "ends"
    )


_x0, _x1 = np.array([[0.0, 2.0]]), np.array([[4.0, 3.0]])
_loss, _ends = _both(2 * np.eye(2), np.ones(2), _x0, _x1, np.array([0.25]), 2)
expect.close(
    _loss, 8.5625, "the loss", hint="the line is at (1, 2.25) and moves by (4, 1)"
)
expect.close(
    _ends, [[0.25, 8.25]], "after two steps", hint="the first step is taken at time 0"
)

# %% nbgrader={"grade": true, "grade_id": "flow-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("flow")
for _rows, _d, _steps in ((4, 1, 1), (6, 3, 4), (3, 2, 10)):
    _W, _c = rng.normal(size=(_d, _d)) / _d, rng.normal(size=_d)
    _x0, _x1 = rng.normal(size=(2, _rows, _d))
    _t = rng.random(_rows)
    _loss, _ends = _both(_W, _c, _x0, _x1, _t, _steps)
    _total = 0.0
    _expected = _x0.tolist()
    for _i in range(_rows):
        for _j in range(_d):
            _v = sum(
                ((1 - _t[_i]) * _x0[_i, _l] + _t[_i] * _x1[_i, _l]) * _W[_l, _j]
                for _l in range(_d)
            )
            _total += (_v + _t[_i] * _c[_j] - _x1[_i, _j] + _x0[_i, _j]) ** 2
        for _k in range(_steps):
            _now = list(_expected[_i])
            for _j in range(_d):
                _v = sum(_now[_l] * _W[_l, _j] for _l in range(_d))
                _expected[_i][_j] = _now[_j] + (_v + _k / _steps * _c[_j]) / _steps
    expect.close(_loss, _total / (_rows * _d), f"the loss of {_rows} rows")
    expect.close(_ends, _expected, f"the ends after {_steps} steps")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The best of N
#
# *hard · 25 minutes · 5 points*
#
# A proposal is drawn from `law` (W,), a distribution; its value is `score` (W,). Draw `count` of them
# independently and keep the one of highest value. Where several of the draws have that value, one of
# those draws is kept at random. Return the exact law of what is kept, (W,). `count` may be large, so
# don't try all draws.
#
# <details><summary>Hint 1</summary>
#
# What is the probability that *all* draws have a value of at most $x$?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# First the law of the best value, then share it among the proposals that have it, in proportion to
# `law`.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "best", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best(law, score, count):
    """The law (W,) of the best of `count` draws; law (W,), score (W,)."""
    ### BEGIN SOLUTION
    kept = np.zeros(len(law))
    for x in np.unique(score):
        upto, below = law[score <= x].sum(), law[score < x].sum()
        group = score == x
        if law[group].sum() > 0:
            kept[group] = (upto**count - below**count) * law[group] / law[group].sum()
    return kept
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "best-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_law, _score = np.array([0.5, 0.2, 0.3]), np.array([1.0, 3.0, 3.0])
for _count, _expected in (
    (1, _law),
    (2, [0.25, 0.3, 0.45]),
    (4, [0.0625, 0.375, 0.5625]),
):
    expect.close(
        best(_law.copy(), _score.copy(), _count),
        _expected,
        f"the law of the best of {_count}",
        hint="the first is kept only if all draws are the first; the others share the rest 2 : 3",
    )

# %% nbgrader={"grade": true, "grade_id": "best-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
import itertools

from goalward.course.assignments import hidden

rng = hidden.rng("best")
for _size, _count in ((4, 3), (5, 2), (3, 5)):
    _law = rng.dirichlet(np.ones(_size))
    _law[-1] = 0.0  # never proposed
    _law = _law / _law.sum()
    _score = rng.permutation(_size // 2 + np.arange(_size) % (_size - 1)).astype(float)
    _kept = np.zeros(_size)
    for _draws in itertools.product(range(_size), repeat=_count):
        _best = [w for w in _draws if _score[w] == _score[list(_draws)].max()]
        for _w in _best:
            _kept[_w] += np.prod(_law[list(_draws)]) / len(_best)
    expect.close(
        best(_law.copy(), _score.copy(), _count),
        _kept,
        f"the law of the best of {_count} among {_size} proposals, one of them of chance 0",
    )
_law, _score = rng.dirichlet(np.ones(40)), rng.permutation(40) / 7
_many = expect.array(
    best(_law.copy(), _score.copy(), 50), (40,), "the law of the best of 50"
)
_order = np.argsort(_score)
_reached = np.cumsum(_law[_order])
expect.close(
    np.cumsum(_many[_order]), _reached**50, "the distribution of the best value of 50"
)
### END HIDDEN TESTS
