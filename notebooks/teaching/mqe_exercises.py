# %% [markdown]
# # Exercises: multistep quasimetric estimation
#
# Four exercises to the chapter [Look ahead, but stop at the goal](mqe.ipynb); keep it open
# beside you. 20 points, about 95 minutes. You draw waypoints, find what the loss is least at, write one
# sweep, and then the sweep that stops at the goal, which with joining is exact where nothing is left to
# chance.
#
# - Use NumPy (or JAX, if you import it), in any style: loops or not. `goalward` itself is not there when you are graded.
# - Your functions get NumPy arrays and plain numbers and leave them as they are. They return arrays
#   or numbers and have 10 seconds a call.
# - Write your answer in place of the line that raises `NotImplementedError`, then run the check
#   below it. No message means that the check passes.
# - When you hand in, further checks with other sizes and seeds decide about most of the points. At
#   home `goalward assignments check` says where you stand.
#
# Throughout, `P[s, a, x]` is the probability that action $a$ in state $s$ leads to $x$,
# `policy[s, a]` the behaviour $\beta(a\mid s)$, and `h[s, g]` $=e^{-d(s,g)}$. A waypoint lies $k\ge1$
# steps ahead: $k=1$ with probability $p$, else $\Pr(k)=(1-\lambda)\lambda^{k-1}$.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

# %% [markdown]
# ## 1. A waypoint that stays in the recording
#
# *easy · 20 minutes · 4 points*
#
# Write `draw_offsets(seed, left, lam, p)`. `left` is an array of whole numbers of shape (B,), at least 1:
# how many steps each recording has left. Return an array of shape (B,) of random offsets $k$, drawn
# independently as above, but never beyond the end: an offset that would be larger than `left[i]`
# becomes `left[i]`. (So all of the probability beyond the end lies on the last state.) The
# integer `seed` decides everything: the same seed, the same draws. $0\le\lambda<1$, $0\le p\le1$.
#
# <details><summary>Hint 1</summary>
#
# `np.random.default_rng(seed)` has `geometric(q, size)`, which counts from 1 and stops with probability
# $q$ at each step. Which $q$ has mean $1/(1-\lambda)$?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Two kinds of chance: a coin for "single step", and the geometric. Draw both for all rows and choose with
# `np.where`.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "draw_offsets", "locked": false, "schema_version": 3, "solution": true, "task": false}
def draw_offsets(seed, left, lam, p):
    """Random offsets to waypoints, (B,), none beyond the end of its recording."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    offsets = rng.geometric(1 - lam, size=left.shape)
    single = rng.uniform(size=left.shape) < p
    return np.minimum(np.where(single, 1, offsets), left)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "draw_offsets-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _drawn(seed, left, lam, p):
    answer = draw_offsets(seed, left.copy(), lam, p)
    answer = expect.array(answer, left.shape, "the offsets")
    assert np.array_equal(answer, answer.round()), "offsets are whole numbers of steps"
    assert answer.min() >= 1, "a waypoint lies at least one step ahead"
    assert np.all(answer <= left), "a waypoint lies beyond the end of its recording"
    return answer


_left = np.full(20_000, 6)
_answer = _drawn(0, _left, 0.7, 0.2)
_share = np.mean(_answer == 1)
assert abs(_share - 0.44) < 0.02, (
    "with lam = 0.7, p = 0.2 a share of 0.2 + 0.8 * 0.3 = 0.44 takes one step, "
    f"not {_share:.3f}"
)
_share = np.mean(_answer == 6)
assert abs(_share - 0.8 * 0.7**5) < 0.02, (
    "with 6 steps left the last gets 0.8 * 0.7^5 = 0.134 of the draws, "
    f"not {_share:.3f}"
)
assert np.array_equal(_answer, _drawn(0, _left, 0.7, 0.2)), (
    "the same seed should give the same draws"
)
assert not np.array_equal(_answer, _drawn(1, _left, 0.7, 0.2)), (
    "another seed, other draws"
)
assert np.all(_drawn(0, _left, 0.9, 1.0) == 1), "p = 1: single steps only"

# %% nbgrader={"grade": true, "grade_id": "draw_offsets-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("draw_offsets")
for _ in range(4):
    _lam, _p = _rng.uniform(0.3, 0.95), _rng.uniform(0.05, 0.6)
    _left = _rng.permutation(np.repeat([1, 2, 5, 12, 40], 8000))
    _seed = int(_rng.integers(1000))
    _answer = expect.array(
        draw_offsets(_seed, _left.copy(), _lam, _p), _left.shape, "the offsets"
    )
    for _steps in (1, 2, 5, 12, 40):
        _share = (1 - _p) * (1 - _lam) * _lam ** np.arange(_steps)
        _share[-1] = (1 - _p) * _lam ** (_steps - 1)
        _share[0] += _p
        _own = _answer[_left == _steps]
        _counts = np.array([np.sum(_own == k) for k in range(1, _steps + 1)])
        assert _counts.sum() == len(_own), "offsets from 1 to the number of steps left"
        _spread = np.sqrt(_share * (1 - _share) * len(_own)) + 1
        _off = np.abs(_counts - _share * len(_own)) / _spread
        assert _off.max() < 6, (
            f"lam {_lam:.2f}, p {_p:.2f}, {_steps} steps left: a share of "
            f"{_counts[_off.argmax()] / len(_own):.3f} takes {_off.argmax() + 1} "
            f"steps; it should be {_share[_off.argmax()]:.3f}"
        )
    _full = _answer[_left == 40] - _answer[_left == 40].mean()
    _lag = np.mean(_full[1:] * _full[:-1]) / np.mean(_full**2)
    assert abs(_lag) < 0.06, "the rows should be drawn independently of each other"
    _other = draw_offsets(_seed + 1, _left.copy(), _lam, _p)
    assert not np.array_equal(_answer, _other), "another seed should give other draws"
    _again = draw_offsets(_seed, _left.copy(), _lam, _p)
    assert np.array_equal(_answer, _again), "the same seed should give the same draws"
### END HIDDEN TESTS

# %% [markdown]
# ## 2. What the loss is least at
#
# *easy · 15 minutes · 4 points*
#
# The loss of a distance $d$ for one target $d'$ from a waypoint $k$ steps ahead is
# $L(d)=\gamma^{k}e^{d-d'}-d$. `targets` and `offsets`, both of shape (B,), hold $d'$ and $k$.
#
# 1. `linex_slope(d, targets, offsets, gamma)` returns a number, the slope of the mean loss at `d`.
# 2. `linex_minimum(targets, offsets, gamma)` returns the one number $d$ at which the mean loss is
#    least.
#
# <details><summary>Hint</summary>
#
# The slope is zero at the minimum. Which factor of the mean does not depend on the row?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "linex_slope", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linex_slope(d, targets, offsets, gamma):
    """The derivative of the mean loss at d: a number."""
    ### BEGIN SOLUTION
    return np.mean(gamma**offsets * np.exp(d - targets)) - 1
    ### END SOLUTION


def linex_minimum(targets, offsets, gamma):
    """The distance of least mean loss: a number."""
    ### BEGIN SOLUTION
    return -np.log(np.mean(gamma**offsets * np.exp(-targets)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "linex_slope-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_targets, _offsets = np.array([0.0, 3.0]), np.array([2, 1])
expect.close(
    linex_slope(0.0, _targets.copy(), _offsets.copy(), 0.5),
    (0.25 + 0.5 * np.exp(-3)) / 2 - 1,
    "the slope at 0 for targets 0 and 3, offsets 2 and 1, gamma 0.5",
)
expect.close(
    linex_minimum(np.array([1.5]), np.array([3]), 0.5),
    1.5 + 3 * np.log(2),
    "the minimum for one target, 1.5, three steps ahead",
    hint="one target: the distance is the target and the steps in between",
)
expect.close(
    linex_minimum(_targets.copy(), _offsets.copy(), 0.5),
    -np.log((0.25 + 0.5 * np.exp(-3)) / 2),
    "the minimum for the two targets",
    hint="average probabilities, each with its own discount",
)

# %% nbgrader={"grade": true, "grade_id": "linex_slope-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("linex_slope")
for _ in range(4):
    _size, _gamma = int(_rng.integers(2, 30)), _rng.uniform(0.6, 0.95)
    _targets = _rng.uniform(0, 5, _size)
    _offsets = _rng.integers(1, 12, _size)

    def _loss(d, targets=_targets, offsets=_offsets, gamma=_gamma):
        return np.mean(
            [
                gamma**k * np.exp(d - t) - d
                for t, k in zip(targets, offsets, strict=True)
            ]
        )

    for _d in _rng.uniform(-1, 4, 3):
        _slope = (_loss(_d + 1e-5) - _loss(_d - 1e-5)) / 2e-5
        expect.close(
            linex_slope(float(_d), _targets.copy(), _offsets.copy(), _gamma),
            _slope,
            f"the slope at {_d:.2f} of {_size} random targets",
            rtol=1e-3,
            atol=1e-4,
        )
    _low, _high = -5.0, 30.0
    for _ in range(120):  # the loss is convex: three parts, keep two
        _left, _right = _low + (_high - _low) / 3, _high - (_high - _low) / 3
        _low, _high = (_low, _right) if _loss(_left) < _loss(_right) else (_left, _high)
    expect.close(
        linex_minimum(_targets.copy(), _offsets.copy(), _gamma),
        (_low + _high) / 2,
        f"the minimum of {_size} random targets",
        rtol=1e-3,
        atol=1e-3,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. One sweep
#
# *medium · 25 minutes · 5 points*
#
# Write `waypoint_backup(h, P, policy, gamma, lam, p)`. It returns, of shape (S, A, S),
#
# $$q(s,a,g)=\mathbb E_\beta\big[\gamma^{k}\,h(s_k,g)\,\big|\,s,a\big],$$
#
# the average over $k$ and over the $k$ steps: the first is taken with $a$ in $s$, all others by the
# policy. There is no end and no cut-off; $0\le\lambda<1$. Nothing stops at the goal here: use `h` as it
# is, whatever its diagonal.
#
# <details><summary>Hint 1</summary>
#
# From the next state on, everything is a matrix: the chain $C(x\mid s)=\sum_a\beta(a\mid s)P(x\mid s,a)$.
# After one step you stop with probability $p+(1-p)(1-\lambda)$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $\sum_{j\ge0}(\lambda\gamma C)^{j}=(I-\lambda\gamma C)^{-1}$. Or add terms until they no longer count.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "waypoint_backup", "locked": false, "schema_version": 3, "solution": true, "task": false}
def waypoint_backup(h, P, policy, gamma, lam, p):
    """The expected discounted h at the waypoint, for every state, action and goal."""
    ### BEGIN SOLUTION
    chain = np.einsum("sa,sax->sx", policy, P)
    identity = np.eye(len(P))
    further = (1 - lam) * np.linalg.solve(identity - lam * gamma * chain, h)
    return gamma * P @ (p * h + (1 - p) * further)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "waypoint_backup-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Two cells; action 0 stays, action 1 changes over. The walker stays three times in four.
_P = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
_policy = np.full((2, 2), [0.75, 0.25])
_h = np.array([[1.0, 0.2], [0.1, 1.0]])
expect.close(
    waypoint_backup(_h.copy(), _P.copy(), _policy.copy(), 0.9, 0.5, 1.0),
    0.9 * np.array([[_h[0], _h[1]], [_h[1], _h[0]]]),
    "q with single steps only",
    hint="p = 1: the waypoint is the next state",
)
# With the walker who always stays, the first step decides where the waypoint is.
_still = np.full((2, 2), [1.0, 0.0])
_worth = 0.5 * 0.9 / (1 - 0.5 * 0.9)  # the mean of 0.9^k for lam = 0.5
expect.close(
    waypoint_backup(_h.copy(), _P.copy(), _still.copy(), 0.9, 0.5, 0.0),
    _worth * np.array([[_h[0], _h[1]], [_h[1], _h[0]]]),
    "q with a walker who stays, lam = 0.5, p = 0",
    hint="the discount is gamma^k, k from 1 on",
)
# After one step the walker is at x, after two at C x, ...
_step, _sum = _P @ _h, 0
for _k in range(1, 400):
    _sum = _sum + (0.8 * 0.5 * 0.5 ** (_k - 1) + 0.2 * (_k == 1)) * 0.9**_k * _step
    _step = _P @ np.linalg.matrix_power(np.array([[0.75, 0.25], [0.25, 0.75]]), _k) @ _h
expect.close(
    waypoint_backup(_h.copy(), _P.copy(), _policy.copy(), 0.9, 0.5, 0.2),
    _sum,
    "q with lam = 0.5, p = 0.2",
)

# %% nbgrader={"grade": true, "grade_id": "waypoint_backup-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("waypoint_backup")


def _chain_sum(h, P, policy, gamma, lam, p, terms=1500):
    """Equation (1), one offset after the other."""
    chain = np.array(
        [
            [
                sum(policy[s, a] * P[s, a, x] for a in range(P.shape[1]))
                for x in range(len(P))
            ]
            for s in range(len(P))
        ]
    )
    total, where = 0, P
    for k in range(1, terms):
        share = (1 - p) * (1 - lam) * lam ** (k - 1) + (p if k == 1 else 0)
        total = total + share * gamma**k * where @ h
        where = where @ chain
    return total


for _size, _lam, _p in ((3, 0.0, 0.3), (4, 0.6, 0.0), (5, 0.9, 0.25), (7, 0.97, 0.1)):
    _P = _rng.dirichlet(np.full(_size, 0.4), size=(_size, 3))
    _policy = _rng.dirichlet(np.ones(3), size=_size)
    _gamma = float(_rng.uniform(0.8, 0.97))
    _h = _rng.uniform(0.01, 1, (_size, _size))
    _given = _h.copy(), _P.copy(), _policy.copy()
    _answer = waypoint_backup(*_given, _gamma, _lam, _p)
    expect.close(
        _answer,
        _chain_sum(_h, _P, _policy, _gamma, _lam, _p),
        f"q of a random world of {_size} states, lam {_lam}, p {_p}",
        rtol=1e-3,
    )
    for _before, _after in zip((_h, _P, _policy), _given, strict=True):
        assert np.array_equal(_before, _after), "leave the arguments as they are"
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Stop at the goal
#
# *hard · 35 minutes · 7 points*
#
# The same look ahead, but who meets the goal on the way stops there. With $H_g\ge1$ the time of the
# first visit of $g$ after the start, the waypoint is $s_{\min(k,H_g)}$:
#
# $$q(s,a,g)=\mathbb E_\beta\big[\gamma^{\min(k,H_g)}\,h(s_{\min(k,H_g)},g)\,\big|\,s,a\big].$$
#
# 1. `stopped_backup(h, P, policy, gamma, lam, p)` returns it, of shape (S, A, S). The diagonal of
#    `h` is 1. The start does not count as a visit, even if $s=g$. Here $0\le\lambda\le1$: with
#    $\lambda=1$ and $p=0$ only the goal ends the look.
# 2. `learn(P, policy, gamma, lam, p, sweeps)` starts with `h` the identity matrix (nothing known)
#    and repeats `sweeps` times: `q` by your backup; $h(s,g)=\max_a q(s,a,g)$ and $h(g,g)=1$; then join
#    until nothing changes any more, $h(s,g)\leftarrow\max_w h(s,w)\,h(w,g)$. It returns `h`, of shape
#    (S, S).
#
# <details><summary>Hint 1</summary>
#
# One goal at a time. Let $u(s)$ be the value of standing in $s$, at least one step after the start,
# with a geometric look still going on: $u(g)=1$, else
# $u(s)=(1-\lambda)\,h(s,g)+\lambda\gamma\sum_x C(x\mid s)\,u(x)$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# That is a linear system for each goal. The first step ends the look with probability $p$ more.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Joining a product of probabilities is joining a sum of distances: go through the waypoints one by
# one, as Floyd and Warshall do.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "stopped_backup", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stopped_backup(h, P, policy, gamma, lam, p):
    """The expected discounted h at the waypoint or the goal, whichever comes first."""
    ### BEGIN SOLUTION
    n = len(P)
    chain = np.einsum("sa,sax->sx", policy, P)
    q = np.zeros((n, P.shape[1], n))
    for g in range(n):
        stops = np.where(np.arange(n) == g, 1.0, (1 - lam) * h[:, g])
        moves = np.where(np.arange(n)[:, None] == g, 0.0, lam * gamma * chain)
        u = np.linalg.solve(np.eye(n) - moves, stops)
        q[:, :, g] = gamma * P @ (p * h[:, g] + (1 - p) * u)
    return q
    ### END SOLUTION


def learn(P, policy, gamma, lam, p, sweeps):
    """The table h after some sweeps with stop and join."""
    ### BEGIN SOLUTION
    n = len(P)
    h = np.eye(n)
    for _ in range(sweeps):
        h = stopped_backup(h, P, policy, gamma, lam, p).max(axis=1)
        h[np.arange(n), np.arange(n)] = 1.0
        for w in range(n):
            h = np.maximum(h, h[:, w, None] * h[None, w])
    return h
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "stopped_backup-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# A ring of four cells with one direction; action 0 goes on, action 1 stays.
_P = np.stack([np.roll(np.eye(4), 1, axis=1), np.eye(4)], axis=1)
_policy = np.full((4, 2), [1.0, 0.0])
_h = np.where(np.eye(4) > 0, 1.0, 0.01)
_q = expect.array(
    stopped_backup(_h.copy(), _P.copy(), _policy.copy(), 0.9, 0.5, 0.0), (4, 2, 4), "q"
)
expect.close(
    _q[0, 0, 1],
    0.9,
    "q to the next cell",
    hint="the first step meets the goal: stop there",
)
expect.close(
    _q[0, 0, 2],
    0.5 * 0.9 * 0.01 + 0.5 * 0.81,
    "q to the cell after that",
    hint="half of the looks end at the next cell, all others at the goal",
)
expect.close(
    _q[0, 0, 0],
    0.5 * 0.9 * 0.01 + 0.25 * 0.81 * 0.01 + 0.125 * 0.729 * 0.01 + 0.125 * 0.9**4,
    "q from a cell all round to itself",
    hint="the start does not count as a visit",
)
_all = stopped_backup(_h.copy(), _P.copy(), _policy.copy(), 0.9, 1.0, 0.0)
expect.close(
    np.asarray(_all)[0, 0],
    0.9 ** np.array([4, 1, 2, 3]),
    "q with lam = 1: the goal alone",
)
_steps = (np.arange(4)[None, :] - np.arange(4)[:, None]) % 4
expect.close(
    learn(_P.copy(), _policy.copy(), 0.9, 0.5, 0.2, 1),
    0.9**_steps,
    "h of the ring after one sweep",
    hint="join until nothing changes: without chance one sweep is enough",
)

# %% nbgrader={"grade": true, "grade_id": "stopped_backup-hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("stopped_backup")


def _forward(h, P, policy, gamma, lam, p, terms=500):
    """Push the probability of still looking forward in time, goal by goal."""
    n, m = P.shape[:2]
    chain = np.array(
        [
            [sum(policy[s, a] * P[s, a, x] for a in range(m)) for x in range(n)]
            for s in range(n)
        ]
    )
    share = (1 - p) * (1 - lam) * lam ** np.arange(terms)
    share[0] += p
    share[-1] += 1 - share.sum()
    later = np.cumsum(share[::-1])[::-1]
    q = np.zeros((n, m, n))
    for g in range(n):
        looking = P.copy()
        for k in range(1, terms + 1):
            q[:, :, g] += gamma**k * looking[:, :, g] * later[k - 1]
            looking = looking * (np.arange(n) != g)
            q[:, :, g] += gamma**k * share[k - 1] * looking @ h[:, g]
            looking = looking @ chain
    return q


for _size, _lam, _p in ((3, 0.0, 0.3), (4, 0.7, 0.0), (5, 0.9, 0.25), (4, 1.0, 0.1)):
    _P = _rng.dirichlet(np.full(_size, 0.4), size=(_size, 3))
    _policy = _rng.dirichlet(np.ones(3), size=_size)
    _gamma = float(_rng.uniform(0.8, 0.92))
    _h = _rng.uniform(0.01, 0.9, (_size, _size))
    np.fill_diagonal(_h, 1.0)
    _given = _h.copy(), _P.copy(), _policy.copy()
    expect.close(
        stopped_backup(*_given, _gamma, _lam, _p),
        _forward(_h, _P, _policy, _gamma, _lam, _p),
        f"q of a random world of {_size} states, lam {_lam}, p {_p}",
        rtol=1e-3,
    )
    for _before, _after in zip((_h, _P, _policy), _given, strict=True):
        assert np.array_equal(_before, _after), "leave the arguments as they are"
    for _sweeps in (1, 3):
        _known = np.eye(_size)
        for _ in range(_sweeps):
            _known = _forward(_known, _P, _policy, _gamma, _lam, _p).max(axis=1)
            np.fill_diagonal(_known, 1.0)
            for _ in range(_size):
                _known = np.max(_known[:, :, None] * _known[None], axis=1)
        expect.close(
            learn(_P.copy(), _policy.copy(), _gamma, _lam, _p, _sweeps),
            _known,
            f"h of a random world of {_size} states after {_sweeps} sweeps",
            rtol=1e-3,
        )

# No chance: from any cell of a random map, the discounted number of moves, after one sweep.
_size = 9
_next = np.stack([_rng.permutation(_size), _rng.permutation(_size)], axis=1)
_moves, _now = np.full((_size, _size), np.inf), np.eye(_size, dtype=bool)
for _count in range(2 * _size):
    _moves[_now & np.isinf(_moves)] = _count
    _now = _now[_next].any(axis=1)
_policy = _rng.dirichlet(np.ones(2), size=_size)
expect.close(
    learn(np.eye(_size)[_next], _policy, 0.9, 0.95, 0.2, 1),
    np.where(np.isinf(_moves), 0.0, 0.9 ** np.minimum(_moves, 99)),
    "h of a world without chance after one sweep",
)
### END HIDDEN TESTS
