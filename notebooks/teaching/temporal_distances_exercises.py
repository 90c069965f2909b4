# %% [markdown]
# # Exercises: A distance for a world of chance
#
# This assignment belongs to the chapter [A distance for a world of chance](temporal_distances.ipynb);
# keep it open beside you. 4 exercises, 20 points, about 95 minutes. You compute the successor distance
# of a chain, read it off a critic of state-action pairs, estimate it from recordings, and find the
# one of the best policy.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers. Leave the
#   arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. Further checks are hidden and use other sizes and seeds.
# - `goalward assignments check` followed by this notebook's name says at home where you stand.
#
# Distances are in nats. A table `d[s, g]` is read from row to column. Time 0 counts: who starts at the
# goal has reached it.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# From 0 to 1 with chance one half, else stay; from 1 back to 0.
coin = np.array([[0.5, 0.5], [1.0, 0.0]])

# %% [markdown]
# ## 1. The distance of a chain
#
# *medium · 25 minutes · 5 points*
#
# `P[s, x]` is the chance that a step from $s$ leads to $x$; every state is reached from every other
# sooner or later. Return $d(s,g)=-\log\mathbb E[\gamma^{H(s,g)}]$ for all pairs, shape (S, S), exact to
# five digits.
#
# <details><summary>Hint 1</summary>
#
# Equation (1) of the chapter: the discounted sum of visits, $(I-\gamma P)^{-1}$, holds all you need.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Divide each column by its own diagonal entry.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "chain_distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def chain_distance(P, gamma):
    """Successor distances (S, S) of the chain P (S, S)."""
    ### BEGIN SOLUTION
    visits = np.linalg.inv(np.eye(len(P)) - gamma * P)
    return np.log(np.diag(visits))[None, :] - np.log(visits)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "chain_distance-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# From 0 the wait for 1 is geometric: half of gamma, plus half of gamma times the same again.
_wait = 0.5 * 0.8 / (1 - 0.5 * 0.8)
expect.close(
    chain_distance(coin.copy(), 0.8),
    [[0.0, -np.log(_wait)], [-np.log(0.8), 0.0]],
    "the distance of the coin",
    hint="is it zero from a state to itself, and from 1 to 0 that of one sure step?",
)

# %% nbgrader={"grade": true, "grade_id": "chain_distance-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("chain_distance")


def _first_visits(P, gamma):
    """E[gamma^H] by letting time run: what arrives at the goal first in step t."""
    n = len(P)
    total = np.eye(n)
    for _goal in range(n):
        for _start in range(n):
            if _start == _goal:
                continue
            _where = np.eye(n)[_start]
            for _t in range(1, int(40 / (1 - gamma))):
                _where = _where @ P
                total[_start, _goal] += gamma**_t * _where[_goal]
                _where[_goal] = 0.0
    return total


for _n, _gamma in ((3, 0.5), (5, 0.9), (4, 0.97)):
    _P = rng.dirichlet(np.full(_n, 0.7), size=_n) * 0.9 + 0.1 / _n
    expect.close(
        chain_distance(_P.copy(), _gamma),
        -np.log(_first_visits(_P, _gamma)),
        f"the distance of a random chain of {_n} states",
        hint="compare with -log E[gamma^H]; which diagonal entry divides, the goal's "
        "or the start's?",
        rtol=1e-4,
        atol=1e-4,
    )
_ring = np.roll(np.eye(6), 1, axis=1)
expect.close(
    chain_distance(_ring, 0.9),
    -np.log(0.9) * ((np.arange(6)[None, :] - np.arange(6)[:, None]) % 6),
    "the distance on a ring without chance",
    hint="each step costs -log(gamma)",
    atol=1e-4,
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Change of variables
#
# *easy · 15 minutes · 4 points*
#
# A critic of state-action pairs has converged: `logits[s, a, g]` is
# $f(s,a,g)=\log p_\gamma(g\mid s,a)+c(g)$ with some unknown $c(g)$, which may be as large as a thousand
# either way. The policy is `policy[s, a]`, and may be zero for some actions. Return
#
# $$d((s,a),g)=\log p_\gamma(g\mid g)-\log p_\gamma(g\mid s,a),\qquad
# p_\gamma(g\mid g)=\sum_a\pi(a\mid g)\,p_\gamma(g\mid g,a),$$
#
# shape (S, A, S).
#
# <details><summary>Hint</summary>
#
# $f(g,g)=\log\sum_a\pi(a\mid g)\,e^{f(g,a,g)}$. Take the largest $f(g,a,g)$ out of the sum before you
# exponentiate.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "pair_distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pair_distance(logits, policy):
    """Distances (S, A, S) from critic logits (S, A, S) and a policy (S, A)."""
    ### BEGIN SOLUTION
    own = np.einsum("gag->ga", logits)
    top = own.max(axis=1, keepdims=True)
    at_goal = np.log(np.sum(policy * np.exp(own - top), axis=1)) + top[:, 0]
    return at_goal[None, None, :] - logits
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "pair_distance-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_p = np.array([[[0.5, 0.5], [0.8, 0.2]], [[0.1, 0.9], [0.3, 0.7]]])
_answer = pair_distance(np.log(_p), np.array([[1.0, 0.0], [0.5, 0.5]]))
expect.close(
    _answer,
    [
        [[0.0, np.log(0.8 / 0.5)], [np.log(0.5 / 0.8), np.log(0.8 / 0.2)]],
        [
            [np.log(0.5 / 0.1), np.log(0.8 / 0.9)],
            [np.log(0.5 / 0.3), np.log(0.8 / 0.7)],
        ],
    ],
    "the distance of two states with two actions",
    hint="f(g, g) averages over the actions of the goal, as probabilities",
)

# %% nbgrader={"grade": true, "grade_id": "pair_distance-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("pair_distance")
for _n, _actions, _size in ((3, 2, 1.0), (4, 3, 900.0), (5, 1, 5.0)):
    _policy = rng.dirichlet(np.ones(_actions), size=_n)
    if _actions == 3:
        _policy[:, 0] = 0.0
        _policy /= _policy.sum(axis=1, keepdims=True)
    _p = rng.dirichlet(np.ones(_n), size=(_n, _actions)) * 0.98 + 0.02 / _n
    _expected = np.zeros((_n, _actions, _n))
    for _g in range(_n):
        _own = sum(_policy[_g, _a] * _p[_g, _a, _g] for _a in range(_actions))
        for _s in range(_n):
            for _a in range(_actions):
                _expected[_s, _a, _g] = np.log(_own / _p[_s, _a, _g])
    _c = rng.uniform(-_size, _size, size=_n)
    _c[:2] = _size, -_size
    expect.close(
        pair_distance(np.log(_p) + _c, _policy.copy()),
        _expected,
        f"the distance read off a critic with c(g) up to {_size:g}",
        hint="c(g) cancels; is the exponential safe for large logits, and the goal's "
        "policy used?",
        atol=1e-3,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. A distance from recordings
#
# *medium · 25 minutes · 5 points*
#
# `walks` holds the states of recorded walks, shape (walks, T + 1), with states from 0 to `n` - 1, each
# of which occurs. From every time $t$ of every walk, the last one included, look ahead $k=0,1,\dots$
# steps to the end of the walk, with weights proportional to $\gamma^k$ that sum to one. Add them up: how
# much weight falls on $g$, starting from all times at which the walk is in $s$? Divided by its sum over
# $g$ that is $\hat p(g\mid s)$. Return $\log\hat p(g\mid g)-\log\hat p(g\mid s)$, shape (n, n), and `far`
# where $g$ never follows $s$.
#
# <details><summary>Hint</summary>
#
# Two loops, over $t$ and over $k$, do for all walks at once: `np.add.at(table, (rows, columns), weight)`
# adds the weight once for each entry, repeated ones too.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "recorded_distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def recorded_distance(walks, n, gamma, far):
    """Distances (n, n) from walks (W, T + 1) of states, by counting."""
    ### BEGIN SOLUTION
    table = np.zeros((n, n))
    steps = walks.shape[1]
    for t in range(steps):
        weights = gamma ** np.arange(steps - t)
        weights = weights / weights.sum()
        for k, weight in enumerate(weights):
            np.add.at(table, (walks[:, t], walks[:, t + k]), weight)
    table = table / table.sum(axis=1, keepdims=True)
    seen = table > 0
    logs = np.log(np.where(seen, table, 1.0))
    return np.where(seen, np.diag(logs)[None, :] - logs, far)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "recorded_distance-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# One walk 0, 1, 2 at gamma 1/2: from 0 the weights are 4/7, 2/7, 1/7; from 1 they are 2/3, 1/3.
expect.close(
    recorded_distance(np.array([[0, 1, 2]]), 3, 0.5, 99.0),
    [[0.0, np.log(7 / 3), np.log(7)], [99.0, 0.0, np.log(3)], [99.0, 99.0, 0.0]],
    "the distance from one walk",
    hint="time 0 counts, weights sum to one from each start, and the last state is a "
    "start too",
)

# %% nbgrader={"grade": true, "grade_id": "recorded_distance-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("recorded_distance")
for _n, _w, _steps, _gamma in ((4, 3, 6, 0.7), (3, 20, 9, 0.9), (6, 5, 4, 0.5)):
    _walks = rng.integers(_n, size=(_w, _steps))
    _walks[0, : min(_n, _steps)] = np.arange(min(_n, _steps))
    if _steps < _n:
        _walks[1, : _n - _steps] = np.arange(_steps, _n)
    _weight = {}
    for _walk in _walks.tolist():
        for _t in range(_steps):
            _whole = sum(_gamma**_k for _k in range(_steps - _t))
            for _k in range(_steps - _t):
                _pair = _walk[_t], _walk[_t + _k]
                _weight[_pair] = _weight.get(_pair, 0.0) + _gamma**_k / _whole
    _starts = [sum(_weight.get((_s, _g), 0.0) for _g in range(_n)) for _s in range(_n)]
    _expected = np.full((_n, _n), 55.0)
    for _s, _g in _weight:
        _here = _weight[_s, _g] / _starts[_s]
        _expected[_s, _g] = np.log(_weight[_g, _g] / _starts[_g] / _here)
    expect.close(
        recorded_distance(_walks.copy(), _n, _gamma, 55.0),
        _expected,
        f"the distance from {_w} walks",
        hint="compare with a loop over walks, times and steps ahead",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The best policy's distance
#
# *hard · 30 minutes · 6 points*
#
# `P[s, a, x]` is the chance that action $a$ in $s$ leads to $x$. Return $\min_\pi d^\pi(s,g)$, shape
# (S, S): each goal has a best policy of its own. Every goal can be reached from every state. Exact to
# four digits, for $\gamma$ up to 0.97.
#
# <details><summary>Hint 1</summary>
#
# Maximise $h(s,g)=\mathbb E[\gamma^H]$. What is $h(g,g)$? And what is $h(s,g)$ after the best first step?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Repeat $h(s,g)\leftarrow\max_a\gamma\sum_xP(x\mid s,a)\,h(x,g)$ with $h(g,g)=1$, from the identity.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "best_distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_distance(P, gamma):
    """Smallest successor distances (S, S) over policies; P (S, A, S)."""
    ### BEGIN SOLUTION
    h = np.eye(len(P))
    for _ in range(int(60 / (1 - gamma))):
        h = gamma * (P @ h).max(axis=1)
        np.fill_diagonal(h, 1.0)
    return -np.log(h)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "best_distance-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Three states in a row; action 0 goes left, action 1 right, and the ends are walls.
_row = np.eye(3)[[[0, 1], [0, 2], [1, 2]]]
expect.close(
    best_distance(_row, 0.9),
    -np.log(0.9) * np.array([[0, 1, 2], [1, 0, 1], [2, 1, 0]]),
    "the distance in a row of three",
    hint="without chance each step of a shortest path costs -log(gamma)",
    atol=1e-4,
)
# In 0 the safe action waits with chance one half, the bold one stays with chance 0.9.
_choice = np.array([[[0.5, 0.5], [0.9, 0.1]], [[1.0, 0.0], [1.0, 0.0]]])
expect.close(
    best_distance(_choice, 0.8),
    [[0.0, -np.log(0.4 / 0.6)], [-np.log(0.8), 0.0]],
    "the distance with a better and a worse action",
    hint="the best action maximises E[gamma^H], and who is at the goal has arrived",
    atol=1e-4,
)

# %% nbgrader={"grade": true, "grade_id": "best_distance-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
import itertools

from goalward.course.assignments import hidden

rng = hidden.rng("best_distance")
for _n, _actions, _gamma in ((3, 2, 0.6), (4, 2, 0.9), (3, 3, 0.97)):
    _P = rng.dirichlet(np.full(_n, 0.5), size=(_n, _actions)) * 0.95 + 0.05 / _n
    _best = np.full((_n, _n), np.inf)
    for _plan in itertools.product(range(_actions), repeat=_n):
        _chain = np.array([_P[_s, _a] for _s, _a in enumerate(_plan)])
        _visits = sum(
            _gamma**_t * np.linalg.matrix_power(_chain, _t)
            for _t in range(int(40 / (1 - _gamma)))
        )
        _best = np.minimum(_best, np.log(np.diag(_visits) / _visits))
    expect.close(
        best_distance(_P.copy(), _gamma),
        _best,
        f"the least distance over all {_actions**_n} plans",
        hint="each goal has a best plan of its own; compare with an enumeration",
        rtol=3e-4,
        atol=3e-4,
    )
### END HIDDEN TESTS
