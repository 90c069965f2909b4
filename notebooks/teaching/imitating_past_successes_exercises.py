# %% [markdown]
# # Exercises: Imitating past successes
#
# This assignment belongs to the chapter
# [Imitating past successes](imitating_past_successes.ipynb); keep it open beside you. 5 exercises,
# 20 points, about 105 minutes. You build the cloning step and its repair for a bandit, find where
# repeated cloning ends, carry the guaranteed improvement to a Markov decision process, and code the
# filter that the guarantee asks for.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers. Leave the
#   arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. Further checks are hidden and use other sizes and seeds.
# - `goalward assignments check` followed by this notebook's name says at home where you stand.
#
# A bandit has $A$ actions and $G$ goals. `R[a, g]` is $p(g\mid a)$, the chance that action $a$ ends
# at goal $g$; `p[g]` is how often $g$ is commanded; `policy[g, a]` is $\pi(a\mid g)$, so each of its
# rows sums to one.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

buses = np.array([[1.0, 0.0], [0.6, 0.4]])  # bus A, bus B; beach, lake

# %% [markdown]
# ## 1. Clone a bandit
#
# *easy · 15 minutes · 4 points*
#
# Goals are commanded with `p`, actions drawn from `policy`, outcomes from `R`; then every day is
# relabelled with its outcome. Return what cloning learns from infinitely many days, the table
# $p(a\mid\text{outcome}=g)$, shape (G, A). Every outcome happens with some positive chance.
#
# <details><summary>Hint</summary>
#
# Bayes' rule. How often is action $a$ taken, over all commands? The command has no other influence on
# the outcome.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "clone", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clone(policy, R, p):
    """What cloning relabelled days learns, (G, A); policy (G, A), R (A, G), p (G,)."""
    ### BEGIN SOLUTION
    how_often = p @ policy
    together = how_often * R.T
    return together / together.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "clone-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    clone(np.eye(2), buses, np.array([0.5, 0.5])),
    [[0.625, 0.375], [0.0, 1.0]],
    "the clone of the best policy for the buses",
    hint="rows are goals; on days that ended at the beach, how many had begun with bus A?",
)

# %% nbgrader={"grade": true, "grade_id": "clone-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("clone")
for _actions, _goals in ((4, 3), (2, 5)):
    _R = rng.dirichlet(np.ones(_goals), size=_actions)
    _policy = rng.dirichlet(np.ones(_actions), size=_goals)
    _p = rng.dirichlet(np.ones(_goals))
    _days = {}
    for _command in range(_goals):
        for _a in range(_actions):
            for _g in range(_goals):
                _chance = _p[_command] * _policy[_command, _a] * _R[_a, _g]
                _days[_g, _a] = _days.get((_g, _a), 0.0) + _chance
    _table = np.array(
        [[_days[_g, _a] for _a in range(_actions)] for _g in range(_goals)]
    )
    expect.close(
        clone(_policy.copy(), _R.copy(), _p.copy()),
        _table / _table.sum(axis=1, keepdims=True),
        "the clone of a random bandit",
        hint="compare with an enumeration of all (command, action, outcome)",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Repair it
#
# *easy · 15 minutes · 4 points*
#
# Normalised cloning does not know `R`. It has learned two things: `cloned[g, a]`, the action given the
# outcome, and `average[a]`, the action alone. Return the repaired policy (G, A), with the collecting
# policy `base[g, a]` as its base. Where `average[a]` is zero, `cloned[:, a]` and `base[:, a]` are zero
# as well; return zero there. An average may be as small as $10^{-9}$: divide by it all the same,
# without a floor.
#
# <details><summary>Hint</summary>
#
# Equation (4) of the chapter, then divide each row by its sum. `np.divide` takes `where` and `out`.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "repaired", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired(cloned, average, base):
    """The normalised policy (G, A); cloned and base (G, A), average (A,)."""
    ### BEGIN SOLUTION
    safe = np.where(average > 0, average, 1.0)
    weights = cloned / safe * base
    return weights / weights.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "repaired-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    repaired(
        np.array([[0.625, 0.375], [0.0, 1.0]]),
        np.array([0.5, 0.5]),
        np.full((2, 2), 0.5),
    ),
    [[0.625, 0.375], [0.0, 1.0]],
    "the repair with an average of one half each and a uniform base",
    hint="a constant average and a constant base change nothing",
)
expect.close(
    repaired(
        np.array([[0.2, 0.8], [0.5, 0.5]]), np.array([0.2, 0.8]), np.full((2, 2), 0.5)
    ),
    [[0.5, 0.5], [0.8, 0.2]],
    "the repair with an uneven average",
    hint="an action cloned as often as it is taken says nothing about the goal",
)

# %% nbgrader={"grade": true, "grade_id": "repaired-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("repaired")
for _actions, _goals, _unused, _seldom in (
    (3, 4, 0, 0.5),
    (5, 2, 1, 0.5),
    (4, 3, 0, 1e-9),
):
    _R = rng.dirichlet(np.ones(_goals), size=_actions)
    _base = rng.dirichlet(np.ones(_actions), size=_goals)
    _base[:, :_unused] = 0.0
    _base[1:, -1] *= (
        _seldom  # the last action is taken for a goal that is seldom wanted
    )
    _base /= _base.sum(axis=1, keepdims=True)
    _p = rng.dirichlet(np.ones(_goals))
    _p[0] *= _seldom
    _p /= _p.sum()
    # The answer never needs the average: base times chance, as if R were known.
    _expected, _cloned, _average = np.zeros((3, _goals, _actions))
    for _g in range(_goals):
        for _a in range(_actions):
            _average[:, _a] += _p[_g] * _base[_g, _a]
    for _g in range(_goals):
        for _a in range(_actions):
            _expected[_g, _a] = _base[_g, _a] * _R[_a, _g]
            _cloned[_g, _a] = _average[0, _a] * _R[_a, _g]
    _cloned /= _cloned.sum(axis=1, keepdims=True)
    _answer = repaired(_cloned.copy(), _average[0].copy(), _base.copy())
    expect.close(
        _answer,
        _expected / _expected.sum(axis=1, keepdims=True),
        "the repair of a random bandit"
        + (" with an action that nobody takes" if _unused else ""),
        hint="is the average divided out, the base multiplied on, each row normalised?",
    )
    _new = expect.array(_answer, (_goals, _actions), "the repair")
    _gain = np.sum(_p * np.sum((_new - _base) * _R.T, axis=1))
    assert _gain >= -1e-6, "the repair lowers the success of a bandit"
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Where does cloning rest?
#
# *medium · 25 minutes · 5 points*
#
# Repeat cloning until it stops changing. Return the average policy $\bar\pi$, shape (A,), at which it
# comes to rest, starting from the uniform policy. What is tested is the outcome that it produces,
# $\sum_a\bar\pi(a)\,p(g\mid a)$: its mismatch $\mathrm{KL}(p\,\|\,\cdot)$ must be within $10^{-3}$ nats
# of the least possible. All goals are commanded, and every one is reached by some action.
#
# <details><summary>Hint 1</summary>
#
# The average policy after a round needs only the average policy before it: equation (3).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The rounds are slow near the end. 10,000 of them in NumPy take a tenth of a second.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "resting_point", "locked": false, "schema_version": 3, "solution": true, "task": false}
def resting_point(R, p):
    """The average policy (A,) at which repeated cloning comes to rest; R (A, G), p (G,)."""
    ### BEGIN SOLUTION
    weights = np.full(len(R), 1 / len(R))
    for _ in range(10_000):
        weights = weights * (R @ (p / (weights @ R)))
    return weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "resting_point-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

for _p, _rest, _hint in (
    ([0.5, 0.5], [0.0, 1.0], "bus B brings the lake as often as it can be had"),
    ([0.9, 0.1], [0.75, 0.25], "outcomes become as frequent as they are commanded"),
):
    _weights = expect.array(
        resting_point(buses.copy(), np.array(_p)), (2,), "the average policy"
    )
    assert abs(_weights.sum() - 1) < 1e-4, "the average policy does not sum to one"
    assert _weights.min() > -1e-6, "the average policy has a negative entry"
    _more = np.sum(_p * np.log((np.array(_rest) @ buses) / (_weights @ buses)))
    assert _more <= 1.01e-3, f"the mismatch at wishes {_p} can be lowered: {_hint}"

# %% nbgrader={"grade": true, "grade_id": "resting_point-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("resting_point")
for _actions, _goals in ((3, 3), (5, 3), (4, 6)):
    _R = 0.02 / _goals + 0.98 * rng.dirichlet(np.full(_goals, 0.5), size=_actions)
    _p = 0.02 / _goals + 0.98 * rng.dirichlet(np.ones(_goals))
    _weights = expect.array(
        resting_point(_R.copy(), _p.copy()), (_actions,), "the average policy"
    )
    assert abs(_weights.sum() - 1) < 1e-4, "the average policy does not sum to one"
    assert _weights.min() > -1e-6, "the average policy has a negative entry"
    # What is left to gain after so many rounds, a tangent plane says, is below 1e-5 here.
    _rest = np.full(_actions, 1 / _actions)
    for _ in range(20_000):
        _rest = _rest * (_R @ (_p / (_rest @ _R)))
    _more = np.sum(_p * np.log((_rest @ _R) / (_weights @ _R)))
    assert _more <= 1.01e-3, (
        "the mismatch with the commands can still be lowered: is it really the resting point?"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Improve every state
#
# *hard · 35 minutes · 5 points*
#
# Now a Markov decision process, `P[s, a, x]`, where every state is a goal, and `policy[s, g, a]`. Let
# $Q^g(s,a,g)$ be the probability of being at $g$ when a clock stops that runs on after each step with
# probability $\gamma$, counted from the next state, under the policy commanded to $g$ itself. Make
# `rounds` guaranteed steps, $\pi\leftarrow\pi\,Q^g/\text{sum}$, with $Q$ computed anew in each, and return
# $V(s,g)=\sum_a\pi(a\mid s,g)\,Q^g(s,a,g)$ before the first round and after each one: shape
# (rounds + 1, S, S). The probabilities are positive, so that no sum is zero.
#
# <details><summary>Hint 1</summary>
#
# For one goal: $V=P_\pi\big((1-\gamma)\,e_g+\gamma V\big)$ with the chain $P_\pi$ of the policy commanded
# to $g$ and the one-hot vector $e_g$. A linear system.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $Q^g(s,a,g)=\sum_xP(x\mid s,a)\,\big((1-\gamma)\mathbb 1[x=g]+\gamma V(x,g)\big)$.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "guaranteed_steps", "locked": false, "schema_version": 3, "solution": true, "task": false}
def guaranteed_steps(P, policy, gamma, rounds):
    """Values (rounds + 1, S, S) of state and goal; P (S, A, S), policy (S, G=S, A)."""
    ### BEGIN SOLUTION
    n = len(P)
    current, values = policy.copy(), []
    for _ in range(rounds + 1):
        Q = np.zeros_like(current)
        for g in range(n):
            moves = np.einsum("sa,sax->sx", current[:, g], P)
            value = np.linalg.solve(
                np.eye(n) - gamma * moves, (1 - gamma) * moves[:, g]
            )
            Q[:, g] = (1 - gamma) * P[:, :, g] + gamma * P @ value
        values.append((current * Q).sum(axis=2))
        current = current * Q / values[-1][:, :, None]
    return np.array(values)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "guaranteed_steps-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Two states; action 0 stays with chance 0.9, action 1 leaves with chance 0.9.
_stay = np.array([[[0.9, 0.1], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]]])
_half = np.full((2, 2, 2), 0.5)
_values = expect.array(
    guaranteed_steps(_stay.copy(), _half.copy(), 0.0, 1), (2, 2, 2), "the values"
)
expect.close(_values[0], np.full((2, 2), 0.5), "V of the uniform policy at gamma = 0")
expect.close(
    _values[1],
    np.full((2, 2), 0.82),
    "V after one round at gamma = 0",
    hint="with probability 0.9 an action of chance 0.9, with probability 0.1 one of chance 0.1",
)
_values = expect.array(
    guaranteed_steps(_stay.copy(), _half.copy(), 0.8, 40), (41, 2, 2), "the values"
)
assert np.diff(_values, axis=0).min() > -1e-6, (
    "a round lowered a value: the steps should never do that"
)
expect.close(
    _values[-1], np.full((2, 2), 0.9), "V after many rounds at gamma = 0.8", atol=1e-3
)

# %% nbgrader={"grade": true, "grade_id": "guaranteed_steps-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("guaranteed_steps")
for _n, _m, _gamma in ((3, 2, 0.7), (5, 3, 0.9)):
    _P = rng.dirichlet(np.ones(_m + 1), size=(_n, _m)) @ rng.dirichlet(
        np.ones(_n), size=_m + 1
    )
    _policy = rng.dirichlet(np.ones(_m), size=(_n, _n))
    _expected, _now = np.zeros((3, _n, _n)), _policy.copy()
    for _round in range(3):
        for _g in range(_n):
            _follow = np.array(
                [
                    [
                        sum(_now[_s, _g, _a] * _P[_s, _a, _x] for _a in range(_m))
                        for _x in range(_n)
                    ]
                    for _s in range(_n)
                ]
            )
            _V, _reach = np.zeros(_n), _follow[:, _g]
            for _t in range(600):  # the series over arrival times
                _V, _reach = _V + (1 - _gamma) * _gamma**_t * _reach, _follow @ _reach
            _expected[_round, :, _g] = _V
            _onward = (1 - _gamma) * np.eye(_n)[_g] + _gamma * _V
            for _s in range(_n):
                _row = _now[_s, _g] * (_P[_s] @ _onward)
                _now[_s, _g] = _row / _row.sum()
    _answer = guaranteed_steps(_P.copy(), _policy.copy(), _gamma, 2)
    _values = expect.array(_answer, (3, _n, _n), "the values")
    expect.close(
        _values[0],
        _expected[0],
        "V before the first round",
        hint="state first, then goal",
    )
    expect.close(
        _values, _expected, "V after each round", hint="is Q computed anew, per goal?"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 5. The filter
#
# *medium · 15 minutes · 2 points*
#
# Sampled data give $Q^g$ only where a trajectory is about as likely under the new goal as under its
# command. `log_commanded[i, t]` and `log_relabelled[i, t]` are the logarithms of
# $\pi(a_t\mid s_t,\cdot)$ of trajectory $i$ under both goals; only the first `lengths[i]` steps count.
# Return a boolean array: which trajectories have
# $w=\prod_t\frac{\pi(a_t\mid s_t,g_\text{relabelled})}{\pi(a_t\mid s_t,g_\text{commanded})}$ in
# $[1-\epsilon,1+\epsilon]$? Trajectories may have a thousand steps: a product of that many small
# numbers underflows.
#
# <details><summary>Hint</summary>
#
# Add logarithms, of the ratio and not of each policy by itself, and mask the steps beyond the length.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "accepted", "locked": false, "schema_version": 3, "solution": true, "task": false}
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    """Which trajectories may stay, (n,) booleans; log-probabilities (n, T), lengths (n,)."""
    ### BEGIN SOLUTION
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    log_w = np.where(counts, log_relabelled - log_commanded, 0.0).sum(axis=1)
    return (log_w >= np.log(1 - epsilon)) & (log_w <= np.log(1 + epsilon))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "accepted-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_commanded = np.log([[0.5, 0.5, 0.9], [0.5, 0.5, 0.9], [0.5, 0.5, 0.9]])
_relabelled = np.log([[0.5, 0.5, 0.1], [0.25, 1.0, 0.9], [0.5, 0.6, 0.9]])
expect.close(
    accepted(_commanded.copy(), _relabelled.copy(), np.array([2, 3, 3]), 0.1),
    [1, 1, 0],
    "which of three trajectories stay",
    hint="the first ends before its third step, the second's ratios cancel, the third's w is 1.2",
)

# %% nbgrader={"grade": true, "grade_id": "accepted-hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("accepted")
_n, _T, _epsilon = 60, 1200, 0.3
_commanded = rng.uniform(0.05, 0.4, size=(_n, _T))
_lengths = rng.integers(_T // 2, _T, size=_n)
# Just inside and just outside of [0.7, 1.3], where other intervals end elsewhere.
_near = np.array([0.71, 0.72, 1.28, 1.29, 0.69, 0.68, 1.31, 1.32, 1.0, 0.5, 2.0, 0.8])
_wanted = rng.permutation(np.tile(_near, _n // len(_near)))
_relabelled = _commanded * np.exp(rng.normal(0, 0.1, size=(_n, _T)))
for _i in range(_n):  # put the wanted weight into the first step
    _rest = 1.0
    for _t in range(1, _lengths[_i]):
        _rest *= _relabelled[_i, _t] / _commanded[_i, _t]
    _relabelled[_i, 0] = _commanded[_i, 0] * _wanted[_i] / _rest
expect.close(
    accepted(np.log(_commanded), np.log(_relabelled), _lengths.copy(), _epsilon),
    (np.abs(_wanted - 1) <= _epsilon).astype(float),
    "which of many long trajectories stay",
    hint="is the weight relabelled over commanded, over the counted steps only, on both sides of 1?",
)
### END HIDDEN TESTS
