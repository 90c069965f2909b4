# %% [markdown]
# # Exercises: temporal metric distillation
#
# Five exercises to the chapter [Three rules turn anybody's distance into the best one](tmd.ipynb);
# keep it open beside you. 20 points, about 105 minutes. You write the three rules, the loss that
# teaches a network the second of them, and then find the best way from recorded walks alone.
#
# - Use NumPy and JAX, in any style: loops or not. `goalward` itself is not there when you are graded.
# - Your functions get NumPy arrays and plain numbers and leave them as they are. They return arrays
#   or numbers and have 10 seconds a call.
# - Write your answer in place of the line that raises `NotImplementedError`, then run the check
#   below it. No message means that the check passes.
# - When you hand in, further checks with other sizes and seeds decide about most of the points. At
#   home `goalward assignments check` says where you stand.
#
# In exercises 1 to 3 a table `d` of distances in nats has a row and a column for each of $S$ states,
# and then for each of the $S\cdot A$ pairs: the pair $(s,a)$ is number `S + s * A + a`. `d[x, y]` is
# the distance from $x$ to $y$.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np


def some_table(rng, n_states, n_actions):
    """A table of distances between 0.1 and 4 nats, zero on the diagonal."""
    n = n_states * (1 + n_actions)
    return rng.uniform(0.1, 4.0, size=(n, n)) * (1 - np.eye(n))


# %% [markdown]
# ## 1. Choosing is free
#
# *easy · 15 minutes · 3 points*
#
# Return the table after action invariance: $d(s,(s,a))=0$ for every state $s$ and action $a$, and every
# other entry as it was.
#
# <details><summary>Hint</summary>
#
# Only from a state to its *own* pairs. From another state you still have to get to $s$ first, and
# from the pair $(s,a)$ there is no way back for free.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "free_choice", "locked": false, "schema_version": 3, "solution": true, "task": false}
def free_choice(d, n_states):
    """The table (S + S A, S + S A) with d(s, (s, a)) = 0."""
    ### BEGIN SOLUTION
    n_actions = len(d) // n_states - 1
    free = d.copy()
    for s in range(n_states):
        first = n_states + s * n_actions
        free[s, first : first + n_actions] = 0.0
    return free
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "free_choice-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_d = some_table(np.random.default_rng(0), 2, 2)
_expected = _d.copy()
_expected[[0, 0, 1, 1], [2, 3, 4, 5]] = 0.0
expect.close(
    free_choice(_d.copy(), 2),
    _expected,
    "the table of two states and two actions",
    hint="state 0 has the pairs 2 and 3, state 1 the pairs 4 and 5",
)

# %% nbgrader={"grade": true, "grade_id": "free_choice-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("free_choice")
for _S, _A in ((4, 3), (3, 5), (6, 1)):
    _d = some_table(rng, _S, _A)
    _expected = _d.copy()
    _pair = _S
    for _s in range(_S):
        for _a in range(_A):
            _expected[_s, _pair] = 0.0
            _pair += 1
    expect.close(
        free_choice(_d.copy(), _S),
        _expected,
        f"the table of {_S} states and {_A} actions",
        hint="which entries become zero, and do all others stay?",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 2. One step, then on
#
# *medium · 20 minutes · 4 points*
#
# Return the table after the backup: in the rows of pairs
#
# $$d((s,a),y)\leftarrow-\log\sum_{s'}P(s'\mid s,a)\,e^{-d(s',y)}-\log\gamma$$
#
# for every $y$, state or pair, except on the diagonal. Rows of states and the diagonal stay as they were. Distances may
# be as large as 2000 nats: $e^{-2000}$ is zero in any floating-point number, and the answer is finite
# all the same.
#
# <details><summary>Hint 1</summary>
#
# `P[s, a]` averages over the first $S$ rows of the table.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Take the smallest of the distances out of the sum first: $-\log\sum_ip_ie^{-d_i}=m-\log\sum_ip_ie^{m-d_i}$.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "one_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def one_step(d, P, gamma):
    """The table (S + S A, S + S A) after one backup; P (S, A, S)."""
    ### BEGIN SOLUTION
    n = len(P)
    least = d[:n].min(axis=0)
    mean = P.reshape(-1, n) @ np.exp(least - d[:n])
    backed = d.copy()
    backed[n:] = least - np.log(mean) - np.log(gamma)
    np.fill_diagonal(backed, np.diag(d))
    return backed
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "one_step-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Action 0 stays, action 1 leaves with probability one half.
_P = np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
_d = some_table(np.random.default_rng(1), 2, 2)
_d[:2, :2] = [[0.0, np.log(3.0)], [np.log(3.0), 0.0]]
_found = expect.array(one_step(_d.copy(), _P.copy(), 0.5), (6, 6), "the table")
expect.close(_found[:2], _d[:2], "the rows of states")
expect.close(np.diag(_found), np.diag(_d), "the diagonal")
expect.close(
    _found[2:4, 1],
    [np.log(6.0), np.log(3.0)],
    "the way to state 1 from the pairs of state 0",
    hint="e^-d is 1/3 from state 0 and 1 from state 1; the step halves it",
)

# %% nbgrader={"grade": true, "grade_id": "one_step-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("one_step")
for _S, _A, _scale in ((4, 3, 1.0), (5, 2, 1.0), (3, 2, 500.0)):
    _P = rng.dirichlet(np.full(_S, 0.7), size=(_S, _A))
    _gamma = rng.uniform(0.5, 0.95)
    _d = _scale * some_table(rng, _S, _A)
    _expected = _d.copy()
    for _s in range(_S):
        for _a in range(_A):
            for _y in range(len(_d)):
                if _y == _S + _s * _A + _a:
                    continue
                _nearest = min(_d[_x, _y] for _x in range(_S))
                _mean = 0.0
                for _x in range(_S):
                    _mean += _P[_s, _a, _x] * np.exp(_nearest - _d[_x, _y])
                _expected[_S + _s * _A + _a, _y] = (
                    _nearest - np.log(_mean) - np.log(_gamma)
                )
    expect.close(
        one_step(_d.copy(), _P.copy(), _gamma),
        _expected,
        f"the table of {_S} states and {_A} actions"
        + (" with distances up to 2000 nats" if _scale > 1 else ""),
        hint="average e^-d over next states, then take the logarithm, then add the step",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. No detour is shorter
#
# *medium · 20 minutes · 4 points*
#
# Return the closure of a table: the distances after every detour, by one waypoint or by many, has been
# tried. All entries are at least 0, and the diagonal is zero. There are up to 60 rows. (An entry of the
# answer is never infinite, though some of `d` may be.)
#
# <details><summary>Hint</summary>
#
# One round of two-leg journeys, $\min_yd(x,y)+d(y,z)$, finds detours by one waypoint. What finds the
# rest?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "no_detour", "locked": false, "schema_version": 3, "solution": true, "task": false}
def no_detour(d):
    """The largest table below d in which no detour is shorter."""
    ### BEGIN SOLUTION
    closed = d.copy()
    for y in range(len(d)):
        closed = np.minimum(closed, closed[:, [y]] + closed[[y]])
    return closed
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "no_detour-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_ring = np.where(np.eye(6) > 0, 0.0, np.inf)
for _s in range(6):
    _ring[_s, (_s + 1) % 6] = 1.0  # one way round
expect.close(
    no_detour(_ring.copy()),
    [[(_z - _x) % 6 for _z in range(6)] for _x in range(6)],
    "a ring of six with steps in one direction",
    hint="from 0 to 5 the way leads by 1, 2, 3 and 4",
)

# %% nbgrader={"grade": true, "grade_id": "no_detour-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("no_detour")
import heapq

for _n, _known in ((12, 1.0), (40, 0.08), (60, 0.0)):
    _d = rng.exponential(1.0, size=(_n, _n)) ** 2
    _d[rng.random((_n, _n)) >= _known] = np.inf
    _order = rng.permutation(
        _n
    )  # a ring in random order, so that everything is reached
    _d[_order, np.roll(_order, -1)] = rng.uniform(0.5, 1.5, size=_n)
    np.fill_diagonal(_d, 0.0)
    _expected = np.full((_n, _n), np.inf)
    for _x in range(_n):  # Dijkstra
        _queue = [(0.0, _x)]
        while _queue:
            _far, _y = heapq.heappop(_queue)
            if _expected[_x, _y] <= _far:
                continue
            _expected[_x, _y] = _far
            for _z in np.flatnonzero(np.isfinite(_d[_y])):
                heapq.heappush(_queue, (_far + _d[_y, _z], int(_z)))
    expect.close(
        no_detour(_d.copy()),
        _expected,
        f"the closure of a table with {_n} rows",
        hint="is there a longer chain of legs that is shorter in sum?",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. A loss for averages
#
# *medium · 20 minutes · 4 points*
#
# A pair leads to outcome $i$ with chance $p_i$, and from there the target distance is $d'_i$ (the step
# included). The loss of a distance $d$ is $\sum_ip_i\,\ell(d-d'_i,d)$ with
#
# $$\ell(\delta,d)=\begin{cases}\delta&\text{where }\delta>c,\\e^{\delta}-d&\text{elsewhere,}\end{cases}$$
#
# where $c$ is the clip, `linear_beyond`. Return two numbers: the loss, and its slope in $d$ (the derivative, away from
# the jumps). With $\delta$ as large as 1000 both stay finite.
#
# <details><summary>Hint</summary>
#
# The slope of the first case is 1. That of the second? And `np.where` computes both branches: keep
# the one not taken finite.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "pull", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pull(d, targets, chances, linear_beyond):
    """The loss at the number d and its slope: two numbers; targets, chances (n,)."""
    ### BEGIN SOLUTION
    gap = d - targets
    rise = np.exp(np.minimum(gap, linear_beyond))
    loss = np.where(gap > linear_beyond, gap, rise - d)
    slope = np.where(gap > linear_beyond, 1.0, rise - 1.0)
    return chances @ loss, chances @ slope
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "pull-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_targets, _chances = np.array([1.0, 3.0]), np.array([0.25, 0.75])
_least = -np.log(0.25 * np.exp(-1.0) + 0.75 * np.exp(-3.0))
expect.close(
    pull(_least, _targets.copy(), _chances.copy(), 3.0),
    [1.0 - _least, 0.0],
    "loss and slope where the loss is least, with all gaps within the clip",
    hint="at d = -log(sum of p e^-d') the slope is zero",
)
expect.close(
    pull(900.0, np.array([1.0]), np.array([1.0]), 3.0),
    [899.0, 1.0],
    "loss and slope far beyond the clip",
)

# %% nbgrader={"grade": true, "grade_id": "pull-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("pull")
for _clip in (3.0, 5.0, 1.0):
    for _d in rng.uniform(0.5, 12.0, size=4):
        _targets = rng.uniform(0.0, 12.0, size=7)
        _targets = np.where(  # not on the jump itself
            np.abs(_d - _targets - _clip) < 0.05, _targets + 0.2, _targets
        )
        _chances = rng.dirichlet(np.ones(7))

        def _loss(x, _targets=_targets, _chances=_chances, _clip=_clip):
            total = 0.0
            for _p, _t in zip(_chances, _targets, strict=True):
                total += _p * (x - _t if x - _t > _clip else np.exp(x - _t) - x)
            return total

        _slope = (_loss(_d + 1e-5) - _loss(_d - 1e-5)) / 2e-5
        expect.close(
            pull(float(_d), _targets.copy(), _chances.copy(), _clip),
            [_loss(_d), _slope],
            f"loss and slope with a clip at {_clip:g}",
            hint="compare the slope with a finite difference; which targets lie beyond the clip?",
            rtol=1e-3,
        )
expect.close(
    pull(1000.0, np.array([0.0, 999.0]), np.array([0.5, 0.5]), 3.0),
    [0.5 * 1000.0 + 0.5 * (np.e - 1000.0), 0.5 + 0.5 * (np.e - 1.0)],
    "loss and slope with one gap of 1000",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 5. From walks to the best way
#
# *hard · 30 minutes · 5 points*
#
# Walks are recorded as `states[i, t]` and `actions[i, t]`: action `actions[i, t]` led from `states[i, t]`
# to `states[i, t + 1]`. Both have the same number of columns; the last action of a walk was not taken. Count
# $\hat P$, and return the table $e^{-d^*(s,g)}$, shape (S, S), of the *optimal* successor distance in
# the counted world: the largest chance of ever getting from $s$ to $g$ before a clock stops that runs
# on after each step with probability $\gamma$. It is 1 on the diagonal and 0 where no recorded way leads.
# A pair that was never tried cannot be chosen. Correct to $10^{-4}$.
#
# <details><summary>Hint 1</summary>
#
# Sweep with the three rules from "infinitely far", or do value iteration on the chances:
# $h(s,g)=\max_a\gamma\sum_{s'}\hat P(s'\mid s,a)\,h(s',g)$ with $h(g,g)=1$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Rounds from below lack at most $\gamma^n$ after $n$ of them.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "best_chances", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_chances(states, actions, n_states, n_actions, gamma):
    """The chances (S, S); states, actions (walks, steps)."""
    ### BEGIN SOLUTION
    P = np.zeros((n_states, n_actions, n_states))
    np.add.at(P, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1.0)
    P = P / np.maximum(P.sum(axis=2, keepdims=True), 1)
    there = np.eye(n_states)
    chance = there
    for _ in range(int(np.ceil(np.log(1e-6) / np.log(gamma)))):
        chance = np.where(there > 0, 1.0, gamma * (P @ chance).max(axis=1))
    return chance
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "best_chances-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# State 0: action 0 walks to 1; action 1 gambles, and was lucky in one case of two.
_states = np.array([[0, 1, 2], [0, 2, 0], [0, 0, 1]])
_actions = np.array([[0, 0, 1], [1, 0, 1], [1, 0, 1]])
_found = expect.array(
    best_chances(_states.copy(), _actions.copy(), 3, 2, 0.9), (3, 3), "the chances"
)
expect.close(np.diag(_found), np.ones(3), "the diagonal")
expect.close(
    _found[0, 2],
    0.45 / 0.55,
    "the chance of getting from 0 to 2",
    hint="walking gives 0.81; gambling until it works, h = 0.9 (1/2 + h/2)",
)
expect.close(_found[1, 0], 0.81, "the chance of getting from 1 to 0, by 2")

# %% nbgrader={"grade": true, "grade_id": "best_chances-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("best_chances")
for _S, _A, _gamma, _walks, _steps in (
    (5, 3, 0.9, 8, 6),
    (8, 2, 0.95, 40, 8),
    (4, 2, 0.6, 3, 3),
):
    _P = rng.dirichlet(np.full(_S, 0.3), size=(_S, _A))
    _states = np.zeros((_walks, _steps), dtype=np.int64)
    _actions = rng.integers(_A, size=(_walks, _steps))
    _states[:, 0] = rng.integers(_S, size=_walks)
    for _t in range(1, _steps):
        for _i in range(_walks):
            _states[_i, _t] = rng.choice(
                _S, p=_P[_states[_i, _t - 1], _actions[_i, _t - 1]]
            )
    _led = {}
    for _i in range(_walks):
        for _t in range(_steps - 1):
            _key = (int(_states[_i, _t]), int(_actions[_i, _t]))
            _led.setdefault(_key, []).append(int(_states[_i, _t + 1]))
    _expected = np.zeros((_S, _S))
    for _g in range(_S):
        _h = [float(_s == _g) for _s in range(_S)]
        for _ in range(300):
            _new = list(_h)
            for _s in range(_S):
                if _s != _g:
                    _tried = [
                        _gamma * sum(_h[_x] for _x in _led[_s, _a]) / len(_led[_s, _a])
                        for _a in range(_A)
                        if (_s, _a) in _led
                    ]
                    _new[_s] = max(_tried, default=0.0)
            _h = _new
        _expected[:, _g] = _h
    expect.close(
        best_chances(_states.copy(), _actions.copy(), _S, _A, _gamma),
        _expected,
        f"the chances in a world of {_S} states from {_walks} walks",
        hint="is the best recorded action taken at every step, and its average outcome?",
        atol=1e-4,
    )
### END HIDDEN TESTS
