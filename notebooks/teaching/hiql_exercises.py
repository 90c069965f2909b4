# %% [markdown]
# # Exercises: HIQL
#
# Five exercises to the chapter [HIQL: one noisy value, asked two easy questions](hiql.ipynb); keep it
# open beside you. 20 points, about 115 minutes. You compute how often noise picks the wrong way, turn
# that into the chance to arrive, write the loss of the value, say where subgoals lie in recorded
# data, and extract both levels from one table.
#
# - Use NumPy and JAX, in any style: loops or not. `goalward` itself is not there when you are graded.
# - Your functions get NumPy arrays and plain numbers and leave them as they are. They return arrays
#   or numbers and have 10 seconds a call.
# - Write your answer in place of the line that raises `NotImplementedError`, then run the check
#   below it. No message means that the check passes.
# - When you hand in, further checks with other sizes and seeds decide about most of the points. At
#   home `goalward assignments check` says where you stand.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
from math import erf

import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np


def Phi(x):
    """The normal distribution function: how likely a standard normal number is below x."""
    return (1 + erf(x / 2**0.5)) / 2


# %% [markdown]
# ## 1. A coin flip
#
# *easy · 15 minutes · 3 points*
#
# You stand on a line, `T` steps from the goal. The value of a state at distance $d$ from the goal is
# $\hat V=-d\,(1+\sigma z)$, with a standard normal $z$ of its own for every state. You compare the two
# states that lie `k` steps from you, one on the way to the goal, the other away from it. Write
# `wrong_chance(T, k, sigma)`: how likely is it that the state *away* from the goal has the larger
# value? `T` is larger than `k` or equal to it, and `sigma` is above 0. Return a number, exact, not an
# estimate from random draws.
#
# <details><summary>Hint 1</summary>
#
# The difference of two independent normal numbers is normal. What is its mean, and what its variance?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The two states are at distances $T-k$ and $T+k$. A mean of $2k$; and both distances enter the
# variance, squared. `Phi` is given above.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "wrong_chance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def wrong_chance(T, k, sigma):
    """How likely the state k steps away from the goal looks better than the one k steps nearer."""
    ### BEGIN SOLUTION
    spread = sigma * ((T - k) ** 2 + (T + k) ** 2) ** 0.5
    return Phi(-2 * k / spread)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "wrong_chance-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_z = np.random.default_rng(0).normal(size=(2, 400_000))
for _T, _k, _sigma in ((6, 1, 0.4), (20, 5, 0.3)):
    _near, _away = -(_T - _k) * (1 + _sigma * _z[0]), -(_T + _k) * (1 + _sigma * _z[1])
    expect.close(
        wrong_chance(_T, _k, _sigma),
        np.mean(_away > _near),
        f"wrong_chance at T={_T}, k={_k}, sigma={_sigma}",
        rtol=0,
        atol=0.004,
        hint="400,000 draws of both values say so",
    )

# %% nbgrader={"grade": true, "grade_id": "wrong_chance-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from math import erfc

from goalward.course.assignments import hidden

_rng = hidden.rng("wrong_chance")
for _ in range(12):
    _k = int(_rng.integers(1, 20))
    _T, _sigma = _k + int(_rng.integers(0, 60)), float(_rng.uniform(0.05, 1.5))
    _answer = wrong_chance(_T, _k, _sigma)
    # The complementary error function, with distances in units of k.
    expect.close(
        _answer,
        erfc(1 / (_sigma * ((_T / _k) ** 2 + 1) ** 0.5)) / 2,
        f"wrong_chance at T={_T}, k={_k}, sigma={_sigma:.3f}",
    )
expect.close(
    wrong_chance(10, 5, 0.5),
    0.10295160536603415,
    "wrong_chance at T=10, k=5, sigma=0.5",
    hint="the state that is nearer to the goal errs too",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Two levels on a line
#
# *medium · 25 minutes · 4 points*
#
# The same line, and now you walk. At each step, at distance $d$ from the goal, with noise that is new
# at every look:
#
# - if $d\le k$ you compare your two neighbours for the goal itself;
# - if $d>k$ you first choose the better of the two states $k$ steps to either side as your subgoal,
#   then compare your two neighbours for that *subgoal*, which is $k$ away. A wrong subgoal and then a
#   wrong step lead to the right.
#
# The better neighbour is where you step. At the goal you stay. Write
# `arrival_chance(T, k, sigma, steps)`: the chance that you are at the goal after at most `steps` steps
# from distance `T`, exactly. The line has no end behind you. Think of $T$ up to 50 and 200 steps.
#
# <details><summary>Hint 1</summary>
#
# Your distance is a Markov chain: one less with some chance that depends on the distance, else one
# more. Keep an array with the chance of each distance, and push it forward.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# In `steps` steps you cannot get further away than `T + steps`. So an array of that size and one is
# long enough.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# With $h$ and $\ell$ the chances of exercise 1 for subgoal and step, a step is right with
# $(1-h)(1-\ell)+h\ell$. What are distance and look-ahead for each of the two?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "arrival_chance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def arrival_chance(T, k, sigma, steps):
    """How likely the two-level walker reaches the goal from T within so many steps."""
    ### BEGIN SOLUTION
    furthest = T + steps + 1
    right = np.zeros(furthest + 1)
    low = wrong_chance(k, 1, sigma)
    for d in range(1, furthest + 1):
        if d <= k:
            right[d] = 1 - wrong_chance(d, 1, sigma)
        else:
            high = wrong_chance(d, k, sigma)
            right[d] = (1 - high) * (1 - low) + high * low
    chance = np.zeros(furthest + 1)
    chance[T] = 1.0
    for _ in range(steps):
        new = np.zeros_like(chance)
        new[0] = chance[0]
        new[:-1] += (right * chance)[1:]
        new[2:] += ((1 - right) * chance)[1:-1]
        chance = new
    return chance[0]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "arrival_chance-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(arrival_chance(3, 2, 0.2, 2), 0.0, "the chance to go 3 steps in 2")
expect.close(
    arrival_chance(1, 4, 0.7, 1),
    Phi(-(0.5**0.5) * 2 / (0.7 * 2**0.5)) * -1 + 1,
    "the chance to make one step from next door, sigma = 0.7",
)
_rng = np.random.default_rng(3)


def _walk(T, k, sigma, steps, n=40_000):
    """Walkers that draw every value they look at: the share that arrives."""

    def value(d):
        return -np.abs(d) * (1 + sigma * _rng.normal(size=n))

    d = np.full(n, T)
    for _step in range(steps):
        towards = np.where((value(d - k) > value(d + k)) | (d <= k), -1, 1)
        gap = np.minimum(d, k)
        step = np.where(value(gap - 1) > value(gap + 1), towards, -towards)
        d = np.where(d == 0, 0, d + step)
    return np.mean(d == 0)


for _T, _k, _sigma, _steps in ((6, 3, 0.5, 12), (5, 2, 0.8, 15)):
    expect.close(
        arrival_chance(_T, _k, _sigma, _steps),
        _walk(_T, _k, _sigma, _steps),
        f"arrival_chance at T={_T}, k={_k}, sigma={_sigma}, {_steps} steps",
        rtol=0,
        atol=0.012,
        hint="40,000 walkers who draw all their values say so",
    )

# %% nbgrader={"grade": true, "grade_id": "arrival_chance-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from math import erfc

from goalward.course.assignments import hidden

_rng = hidden.rng("arrival_chance")


def _power(T, k, sigma, steps):
    """By a power of the chain's matrix."""
    n = T + steps + 5

    def wrong(ratio):
        return erfc(1 / (sigma * (ratio**2 + 1) ** 0.5)) / 2

    chain = np.zeros((n, n))
    chain[0, 0] = 1
    for d in range(1, n):
        c = 1 - wrong(d)
        if d > k:
            c = 1 - wrong(d / k) - wrong(k) + 2 * wrong(d / k) * wrong(k)
        chain[d, d - 1] = c
        chain[d, min(d + 1, n - 1)] += 1 - c
    return np.linalg.matrix_power(chain, steps)[T, 0]


for _T, _k, _sigma, _steps in (
    (50, 7, 0.3, 150),
    (50, 50, 0.3, 150),
    (50, 1, 0.2, 200),
    (12, 30, 0.5, 60),
    (9, 3, float(_rng.uniform(0.2, 0.9)), 9),
    (int(_rng.integers(15, 30)), int(_rng.integers(3, 9)), 0.4, 80),
):
    expect.close(
        arrival_chance(_T, _k, _sigma, _steps),
        _power(_T, _k, _sigma, _steps),
        f"arrival_chance at T={_T}, k={_k}, sigma={_sigma:.3f}, {_steps} steps",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Twin values, one expectile
#
# *medium · 25 minutes · 5 points*
#
# The value's loss. Two tables `V[i, s, g]` are learned, shape (2, S, S); two slow copies `V_bar`, of the
# same shape, make the targets. A batch has $B$ transitions: integer arrays `state`, `next_state`,
# `goal`. For a row with $s\ne g$ the reward is $r=-1$ and $m=1$; where $s=g$ both are 0. With
#
# $$q_i=r+\gamma\,m\,\bar V_i(s',g),\qquad A=\min_i q_i-\tfrac12\bigl(\bar V_1(s,g)+\bar V_2(s,g)\bigr),
# \qquad L=\frac1B\sum_{\text{rows}}\ \sum_{i}w(A)\,\bigl(q_i-V_i(s,g)\bigr)^2,$$
#
# where $w(A)=\kappa$ if $A\ge0$ and $1-\kappa$ if not. Write
# `twin_loss(V, V_bar, state, next_state, goal, gamma, kappa)`. It returns two things: the loss $L$, and
# its gradient in `V`, shape (2, S, S). A pair may occur in several rows. `V_bar` is held fixed.
#
# <details><summary>Hint 1</summary>
#
# `V[:, state, goal]` has shape (2, B).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# By hand: `np.add.at` adds where an index occurs several times, `+=` does not. Or write the loss in
# JAX and take `jax.value_and_grad`.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "twin_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    """The loss, and its gradient in V (2, S, S)."""
    ### BEGIN SOLUTION
    m = (state != goal).astype(float)
    q = -m + gamma * m * V_bar[:, next_state, goal]
    A = q.min(axis=0) - V_bar[:, state, goal].mean(axis=0)
    w = np.where(A >= 0, kappa, 1 - kappa)
    error = q - V[:, state, goal]
    gradient = np.zeros(V.shape)
    for i in range(2):
        np.add.at(gradient[i], (state, goal), -2 * w * error[i] / len(state))
    return (w * error**2).sum() / len(state), gradient
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "twin_loss-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Three states in a row; the goal is 2. Both tables are alike, and so are their copies.
_bar = np.tile([[0.0, -1, -3], [-1, 0, -1], [-2, -1, 0]], (2, 1, 1))
_now = np.zeros((2, 3, 3))


def _one(s, x, g, now=_now, bar=_bar, kappa=0.9):
    """The loss of a batch of one row, gamma 0.5."""
    rows = [np.array([i]) for i in (s, x, g)]
    answer = twin_loss(now.copy(), bar.copy(), *rows, 0.5, kappa)
    assert answer is not None, "twin_loss returns None: not attempted?"
    return expect.array(answer[0], (), "the loss")


expect.close(
    _one(0, 1, 2),
    0.9 * 2 * 1.5**2,
    "the loss of going from 0 to 1 for goal 2",
    hint="q = -1 - 0.5 * 1, better than the copies' -3: so weight 0.9, for two tables",
)
expect.close(
    _one(1, 0, 2),
    0.1 * 2 * 2.5**2,
    "the loss of going from 1 to 0 for goal 2",
    hint="q = -1 - 0.5 * 3, worse than the copies' -1: so weight 0.1",
)
expect.close(
    _one(2, 1, 2, now=_now - 3),
    0.9 * 2 * 3**2,
    "the loss at the goal, where the tables say -3",
    hint="at the goal the target is 0, whatever comes next",
)
_split = _bar.copy()
_split[1] -= 2
expect.close(
    _one(0, 1, 2, bar=_split),
    0.9 * (1.5**2 + 2.5**2),
    "the loss where the second copy is lower by 2",
    hint="each table has its own target; the smaller of both chooses the weight",
)
_batch = [np.array([0, 0, 1]), np.array([1, 1, 0]), np.array([2, 2, 2])]
_gradient = expect.array(
    twin_loss(_now.copy(), _bar.copy(), *_batch, 0.5, 0.9)[1], (2, 3, 3), "the gradient"
)
expect.close(
    _gradient[0],
    [[0, 0, 2 * 0.9 * 2 * 1.5 / 3], [0, 0, 0.1 * 2 * 2.5 / 3], [0, 0, 0]],
    "the gradient in the first table, for a batch that has one row twice",
    hint="a pair that occurs twice counts twice",
)

# %% nbgrader={"grade": true, "grade_id": "twin_loss-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("twin_loss")


def _by_rows(V, V_bar, state, after, goal, gamma, kappa):
    total = 0.0
    for s, x, g in zip(state.tolist(), after.tolist(), goal.tolist(), strict=True):
        targets = [0.0 if s == g else -1 + gamma * V_bar[i, x, g] for i in (0, 1)]
        better = min(targets) >= (V_bar[0, s, g] + V_bar[1, s, g]) / 2
        for i in (0, 1):
            total += (kappa if better else 1 - kappa) * (targets[i] - V[i, s, g]) ** 2
    return total / len(state)


for _S, _B, _gamma, _kappa in (
    (4, 9, 0.9, 0.7),
    (7, 60, 0.98, 0.95),
    (3, 40, 0.5, 0.5),
):
    _V, _V_bar = _rng.normal(-4, 2, size=(2, 2, _S, _S))
    _rows = [_rng.integers(_S, size=_B) for _ in range(3)]
    _rows[0][:3] = _rows[2][:3]  # some are at their goal
    _loss, _slope = twin_loss(
        _V.copy(), _V_bar.copy(), *(r.copy() for r in _rows), _gamma, _kappa
    )
    expect.close(
        _loss, _by_rows(_V, _V_bar, *_rows, _gamma, _kappa), f"the loss of {_B} rows"
    )
    _slope = expect.array(_slope, (2, _S, _S), "the gradient")
    for _i in np.ndindex(2, _S, _S):
        _up, _down = _V.copy(), _V.copy()
        _up[_i] += 1e-4
        _down[_i] -= 1e-4
        _change = _by_rows(_up, _V_bar, *_rows, _gamma, _kappa) - _by_rows(
            _down, _V_bar, *_rows, _gamma, _kappa
        )
        expect.close(
            _slope[_i],
            _change / 2e-4,
            f"the gradient at {_i}, against finite differences",
            rtol=1e-3,
            atol=1e-4,
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Where subgoals may lie
#
# *easy · 20 minutes · 3 points*
#
# All trajectories stand one after the other in one data set; a state is its row's number. For a batch
# of rows `now` you get, all of shape (B,):
#
# - `last`: the last row of the same trajectory;
# - `goal`: the row of the high level's goal;
# - `own`: whether that goal was drawn from the row's own trajectory. If not, it comes from anywhere,
#   even where it happens to lie in the same trajectory.
#
# Write `subgoal_rows(now, goal, own, last, k)`. It returns an integer array of shape (2, B). Row 0: what
# the low level is told, the state `k` steps ahead, or the trajectory's last. Row 1: what the high level
# shall name: the same state, unless its goal is of its own trajectory and comes first; then the goal.
#
# <details><summary>Hint</summary>
#
# A goal from anywhere is no bound, even where its number is small.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "subgoal_rows", "locked": false, "schema_version": 3, "solution": true, "task": false}
def subgoal_rows(now, goal, own, last, k):
    """The low level's goals and the high level's targets, as rows: (2, B)."""
    ### BEGIN SOLUTION
    low = np.minimum(now + k, last)
    return np.stack([low, np.where(own, np.minimum(low, goal), low)])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "subgoal_rows-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Two trajectories, rows 0 to 9 and 10 to 14.
_now, _last = np.array([2, 2, 8, 11]), np.array([9, 9, 9, 14])
_goal, _own = np.array([4, 8, 9, 3]), np.array([True, True, True, False])
expect.close(
    subgoal_rows(_now.copy(), _goal.copy(), _own.copy(), _last.copy(), 3),
    [[5, 5, 9, 14], [4, 5, 9, 14]],
    "the rows, k = 3",
    hint="only a goal of the row's own trajectory can come first",
)

# %% nbgrader={"grade": true, "grade_id": "subgoal_rows-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("subgoal_rows")
for _k in (1, 4, 25):
    _lengths = _rng.integers(3, 20, size=12)
    _ends = np.cumsum(_lengths) - 1
    _now = _rng.integers(_ends[-1], size=200)
    _now = _now[~np.isin(_now, _ends)]
    _last = _ends[np.searchsorted(_ends, _now)]
    _own = _rng.uniform(size=len(_now)) < 0.5
    _later = np.array(
        [_rng.integers(n, e + 1) for n, e in zip(_now, _last, strict=True)]
    )
    _goal = np.where(_own, _later, _rng.integers(_ends[-1], size=len(_now)))
    _goal[:20] = _later[:20]  # some from anywhere lie ahead by chance
    _rows = [[], []]
    for _n, _g, _o, _e in zip(_now, _goal, _own, _last, strict=True):
        _place = _n
        for _ in range(_k):
            _place = _place + (_place < _e)
        _rows[0].append(_place)
        _rows[1].append(_g if _o and _g < _place else _place)
    expect.close(
        subgoal_rows(_now.copy(), _goal.copy(), _own.copy(), _last.copy(), _k),
        _rows,
        f"the rows of {len(_now)} transitions, k = {_k}",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Both levels from one table
#
# *hard · 30 minutes · 5 points*
#
# You have a table of values `V[s, g]`, a table of next states `next_state[s, a]` (the world is
# deterministic), and two counts from recorded data: `n_high[s, w, g]`, how often state $w$ was passed
# some steps after $s$ on the way to $g$, and `n_low` at $(s,a,w)$, how often action $a$ was taken in $s$ on
# the way to $w$. Advantage-weighted imitation at its optimum is
#
# $$\pi^h(w\mid s,g)\propto n_{\text{high}}\;\min\bigl(e^{\beta(V(w,g)-V(s,g))},\,c\bigr),\qquad
# \pi^\ell(a\mid s,w)\propto n_{\text{low}}\;\min\bigl(e^{\beta(V(s',w)-V(s,w))},\,c\bigr),$$
#
# with $s'$ the next state. Where nothing was recorded (all counts of a row are 0), $\pi^\ell$ is uniform
# over actions, and so is the combined policy at a pair $(s,g)$ of which $n_{\text{high}}$ has nothing.
# Write `both_levels(n_high, n_low, V, next_state, beta, cap)`: the policy of both levels together,
# $\pi(a\mid s,g)=\sum_w\pi^h(w\mid s,g)\,\pi^\ell(a\mid s,w)$, shape (S, G, A) = (S, S, A).
#
# <details><summary>Hint 1</summary>
#
# `V[next_state]` has the axes state, action, goal: which entries are $V(s',w)$?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The weight is the smaller of two numbers: `np.minimum(np.exp(x), cap)`, or, before it can overflow,
# `np.exp(np.minimum(x, np.log(cap)))`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Normalise each level before you combine: `high` over its second axis, `low` over its second. Then
# `np.einsum("swg,saw->sga", high, low)`.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "both_levels", "locked": false, "schema_version": 3, "solution": true, "task": false}
def both_levels(n_high, n_low, V, next_state, beta, cap):
    """What both levels do together: pi[s, g, a]."""
    ### BEGIN SOLUTION
    actions = next_state.shape[1]

    def weight(advantage):
        return np.exp(np.minimum(beta * advantage, np.log(cap)))

    low = n_low * weight(V[next_state] - V[:, None, :])
    total = low.sum(axis=1, keepdims=True)
    low = np.where(total > 0, low / np.where(total > 0, total, 1), 1 / actions)
    high = n_high * weight(V[None, :, :] - V[:, None, :])
    total = high.sum(axis=1, keepdims=True)
    high = high / np.where(total > 0, total, 1)
    policy = np.einsum("swg,saw->sga", high, low)
    known = n_high.sum(axis=1) > 0
    return np.where(known[:, :, None], policy, 1 / actions)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "both_levels-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Five states in a row, left and right; the value is minus the distance.
_line = np.arange(5)
_next = np.clip(_line[:, None] + np.array([-1, 1]), 0, 4)
_V = -np.abs(_line[:, None] - _line) * 1.0
_n_high, _n_low = np.zeros((5, 5, 5)), np.ones((5, 2, 5))
_n_high[2, 0, 4] = _n_high[2, 3, 4] = 1  # from 2 for goal 4: once by 0, once by 3
_answer = expect.array(
    both_levels(_n_high.copy(), _n_low.copy(), _V.copy(), _next.copy(), 0.0, 100.0),
    (5, 5, 2),
    "the policy",
)
expect.close(_answer.sum(axis=2), np.ones((5, 5)), "the sum over actions")
expect.close(_answer[2, 4], [0.5, 0.5], "the policy at beta = 0, where n_low is even")
_answer = both_levels(
    _n_high.copy(), _n_low.copy(), _V.copy(), _next.copy(), 1.0, 100.0
)
_h = (
    np.exp([-2.0, 1.0]) / np.exp([-2.0, 1.0]).sum()
)  # subgoals 0 and 3, V from -2 to -4, -1
_l = np.exp([1.0, -1.0]) / np.exp([1.0, -1.0]).sum()  # towards 0: left and right
expect.close(
    np.asarray(_answer)[2, 4],
    _h[0] * _l + _h[1] * _l[::-1],
    "the policy in state 2 for goal 4, beta = 1",
    hint="the high level compares V(w, g), the low level V(s', w)",
)
expect.close(
    np.asarray(_answer)[1, 4], [0.5, 0.5], "the policy at a pair without records"
)
_answer = both_levels(_n_high.copy(), _n_low.copy(), _V.copy(), _next.copy(), 5.0, 3.0)
_h = np.array([np.exp(-10), 3]) / (np.exp(-10) + 3)
_l = np.array([3, np.exp(-5)]) / (np.exp(-5) + 3)
expect.close(
    np.asarray(_answer)[2, 4],
    _h[0] * _l + _h[1] * _l[::-1],
    "the policy in state 2 for goal 4, beta = 5, cap = 3",
    hint="no weight is above the cap",
)

# %% nbgrader={"grade": true, "grade_id": "both_levels-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("both_levels")


def _pair_by_pair(n_high, n_low, V, next_state, beta, cap):
    S, A = next_state.shape
    policy = np.full((S, S, A), 1 / A)
    for s in range(S):
        towards = np.full((S, A), 1 / A)
        for w in range(S):
            found = [
                n_low[s, a, w]
                * min(np.exp(beta * (V[next_state[s, a], w] - V[s, w])), cap)
                for a in range(A)
            ]
            if sum(found) > 0:
                towards[w] = np.array(found) / sum(found)
        for g in range(S):
            names = [
                n_high[s, w, g] * min(np.exp(beta * (V[w, g] - V[s, g])), cap)
                for w in range(S)
            ]
            if sum(names) > 0:
                policy[s, g] = sum(n * t for n, t in zip(names, towards, strict=True))
                policy[s, g] /= sum(names)
    return policy


for _S, _A, _beta, _cap in ((5, 3, 0.0, 100.0), (8, 2, 1.5, 100.0), (11, 4, 4.0, 5.0)):
    _next = _rng.integers(_S, size=(_S, _A))
    _V = _rng.normal(-3, 2, size=(_S, _S))
    _n_high = _rng.integers(0, 5, size=(_S, _S, _S)) * (
        _rng.uniform(size=(_S, 1, _S)) < 0.8
    )
    _n_low = _rng.integers(0, 4, size=(_S, _A, _S)) * (
        _rng.uniform(size=(_S, 1, _S)) < 0.8
    )
    _args = [_n_high * 1.0, _n_low * 1.0, _V, _next]
    expect.close(
        both_levels(*(x.copy() for x in _args), _beta, _cap),
        _pair_by_pair(*_args, _beta, _cap),
        f"the policy in a random world of {_S} states, beta = {_beta}, cap = {_cap}",
    )
### END HIDDEN TESTS
