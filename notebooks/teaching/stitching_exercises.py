# %% [markdown]
# # Exercises: stitching
#
# Four exercises to the chapter [Joining halves of two journeys](stitching.ipynb); keep it open beside
# you. 20 points, about 90 minutes. You write both ways to learn a value, the exact score that
# compares them, and the weight with which C-learning bootstraps.
#
# - Use NumPy or JAX, in any style: loops or not. `goalward` itself is not there when you are graded.
# - Your functions get NumPy arrays and plain numbers and leave them as they are. They return arrays
#   and have 10 seconds a call.
# - Write your answer in place of the line that raises `NotImplementedError`, then run the check
#   below it. No message means that the check passes.
# - When you hand in, further checks with other sizes and seeds decide about most of the points. At
#   home `goalward assignments check` says where you stand.
#
# A world of $S$ states and $A$ actions is its table of next states, `next_state[s, a]`. `arrived[s]`
# is True where the goal is reached.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# %% [markdown]
# ## 1. What followed
#
# *easy · 20 minutes · 4 points*
#
# One episode: `box[t]` is the cell where the box lies at time $t = 0, \dots, T$, or -1 while it is
# carried. For each move $t = 0, \dots, T - 1$ the Monte Carlo target of the goal is $\gamma^k$. Here
# $k$ is the number of steps from the *next* time, $t + 1$, until the box first lies at the goal: 0
# if it lies there at $t + 1$. It is 0 (the target, not $k$) if the box never lies there again before
# the episode ends. Return all $T$ targets.
#
# <details><summary>Hint 1</summary>
#
# Go backwards in time. If the box lies at the goal at $t + 1$, the target is 1. If not, it is one step
# further away than from the next move.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The target of the last move is 1 or 0.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "mc_targets", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mc_targets(box, goal, gamma):
    """The target of every move, (T,); box (T + 1,) cells or -1, goal a cell."""
    ### BEGIN SOLUTION
    targets, ahead = np.zeros(len(box) - 1), 0.0
    for t in reversed(range(len(box) - 1)):
        ahead = 1.0 if box[t + 1] == goal else gamma * ahead
        targets[t] = ahead
    return targets
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mc_targets-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_box = np.array([3, 3, -1, -1, 5, 5, -1, 2, 2])
_answer = expect.array(mc_targets(_box.copy(), 5, 0.5), (8,), "mc_targets for goal 5")
assert _answer[3] != 0.5, (
    "at time 4 the box lies at 5, so the target of move 3 is 1: k counts from the next state"
)
expect.close(
    _answer,
    [0.125, 0.25, 0.5, 1, 1, 0, 0, 0],
    "mc_targets for goal 5",
    hint="only later times count, and only the first of them",
)
expect.close(
    mc_targets(_box.copy(), 3, 0.5), [1, 0, 0, 0, 0, 0, 0, 0], "mc_targets for goal 3"
)
expect.close(
    mc_targets(_box.copy(), 7, 0.5), np.zeros(8), "mc_targets, never at the goal"
)

# %% nbgrader={"grade": true, "grade_id": "mc_targets-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("mc_targets")
for _T, _gamma in ((12, 0.9), (40, 0.95), (1, 0.7), (25, 0.6)):
    _box = _rng.integers(-1, 4, size=_T + 1)
    for _goal in range(4):
        _expected = []
        for _t in range(_T):
            _later = [k for k in range(_T - _t) if _box[_t + 1 + k] == _goal]
            _expected.append(_gamma ** _later[0] if _later else 0.0)
        _given = _box.copy()
        expect.close(
            expect.array(mc_targets(_given, _goal, _gamma), (_T,), "the targets"),
            _expected,
            f"mc_targets of {_T} moves",
        )
        assert np.array_equal(_given, _box), (
            "mc_targets must leave the episode as it is"
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Only what was seen
#
# *medium · 25 minutes · 6 points*
#
# `seen[s, a]` says which moves some episode has made. Return the table $Q$, shape (S, A), that
# satisfies, for every seen move,
#
# $$Q(s, a) = \begin{cases} 1 & \text{if the next state } s' \text{ has arrived}\\
# \gamma \max_{a' \text{ seen in } s'} Q(s', a') & \text{otherwise.}\end{cases}$$
#
# Unseen moves have value 0 and are never bootstrapped from; where no action is seen in $s'$, the
# maximum is 0. Be exact: iterate until nothing changes, however long the way is.
#
# <details><summary>Hint 1</summary>
#
# Start with zeros. In a deterministic world each sweep makes the values right that are one
# step further away.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# If unseen entries stay exactly 0, the plain maximum over actions does the rest.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "td_values", "locked": false, "schema_version": 3, "solution": true, "task": false}
def td_values(next_state, seen, arrived, gamma):
    """The bootstrapped table (S, A) from seen moves; arrived (S,) booleans."""
    ### BEGIN SOLUTION
    values = np.zeros(seen.shape)
    while True:
        ahead = gamma * values.max(axis=1)[next_state]
        new = np.where(arrived[next_state], 1.0, ahead) * seen
        if np.array_equal(new, values):
            return values
        values = new
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "td_values-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Five states in a row: action 0 goes left, action 1 right. The goal is the last.
_row = np.array([[0, 1], [0, 2], [1, 3], [2, 4], [3, 4]])
_end = np.array([False, False, False, False, True])
_all = np.ones((5, 2), bool)
expect.close(
    td_values(_row.copy(), _all.copy(), _end.copy(), 0.5),
    [[0.0625, 0.125], [0.0625, 0.25], [0.125, 0.5], [0.25, 1], [0.5, 1]],
    "td_values in a row of five states, everything seen",
    hint="the move that arrives has value 1, the one before it gamma",
)
_some = _all.copy()
_some[2, 1] = False
expect.close(
    td_values(_row.copy(), _some.copy(), _end.copy(), 0.5),
    [[0, 0], [0, 0], [0, 0], [0.25 * 0, 1], [0.5, 1]],
    "td_values where nobody has gone right from state 2",
    hint="an unseen move has value 0, and no value flows through it",
)

# %% nbgrader={"grade": true, "grade_id": "td_values-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("td_values")
_cases = [(30, 3, 0.9, 0.5), (60, 2, 0.8, 0.7), (40, 4, 0.95, 0.3)]
for _S, _A, _gamma, _share in _cases:
    _next = _rng.integers(_S, size=(_S, _A))
    _seen = _rng.uniform(size=(_S, _A)) < _share
    _goal = np.zeros(_S, bool)
    _goal[_rng.choice(_S, 2, replace=False)] = True
    _distance = np.where(_goal, 0.0, np.inf)
    for _ in range(_S):  # breadth-first search, a layer at a time
        for _s in range(_S):
            for _a in range(_A):
                if _seen[_s, _a] and _distance[_next[_s, _a]] + 1 < _distance[_s]:
                    _distance[_s] = _distance[_next[_s, _a]] + 1
    _expected = np.where(_seen, _gamma ** _distance[_next], 0.0)
    _given = (_next.copy(), _seen.copy(), _goal.copy())
    expect.close(
        expect.array(td_values(*_given, _gamma), (_S, _A), "the values"),
        _expected,
        f"td_values of a random world of {_S} states",
    )
    assert all(
        np.array_equal(x, y) for x, y in zip(_given, (_next, _seen, _goal), strict=True)
    ), "td_values must leave its arguments as they are"
# A long corridor: every step counts.
_S = int(_rng.integers(250, 300))
_next = np.stack(
    [np.maximum(np.arange(_S) - 1, 0), np.minimum(np.arange(_S) + 1, _S - 1)], 1
)
_goal = np.arange(_S) == _S - 1
_expected = 0.99 ** np.maximum(_S - 1.0 - _next, 0)
expect.close(
    td_values(_next.copy(), np.ones((_S, 2), bool), _goal.copy(), 0.99),
    _expected,
    "td_values of a long corridor",
    hint="iterate until nothing changes",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Success without rollouts
#
# *medium · 20 minutes · 5 points*
#
# `policy[s, a]` gives the chance of each action. Return, for every state, the exact chance of having
# arrived at least once within `steps` moves. A state that has arrived counts with 0 moves. What
# happens after the first arrival does not matter.
#
# <details><summary>Hint 1</summary>
#
# With $h$ moves left: 1 where arrived; elsewhere the average over actions of the chance with $h - 1$
# moves left, in the next state.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `chance[next_state]` has shape (S, A).
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "success_within", "locked": false, "schema_version": 3, "solution": true, "task": false}
def success_within(policy, next_state, arrived, steps):
    """The chance to arrive within so many moves, (S,); policy and next_state (S, A)."""
    ### BEGIN SOLUTION
    chance = arrived.astype(float)
    for _ in range(steps):
        ahead = (policy * chance[next_state]).sum(axis=1)
        chance = np.where(arrived, 1.0, ahead)
    return chance
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "success_within-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_row = np.array([[0, 1], [0, 2], [1, 3], [2, 4], [3, 4]])
_end = np.array([False, False, False, False, True])
_half = np.full((5, 2), 0.5)
expect.close(
    success_within(_half.copy(), _row.copy(), _end.copy(), 0),
    [0, 0, 0, 0, 1],
    "success_within 0 steps",
)
expect.close(
    success_within(_half.copy(), _row.copy(), _end.copy(), 3),
    [0, 0.125, 0.25, 0.625, 1],
    "success_within 3 steps of a random walk in a row",
    hint="once arrived is enough: the walk may not leave the goal again",
)

# %% nbgrader={"grade": true, "grade_id": "success_within-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("success_within")
for _S, _A, _steps in ((12, 3, 1), (20, 2, 7), (35, 4, 30)):
    _next = _rng.integers(_S, size=(_S, _A))
    _policy = _rng.dirichlet(np.full(_A, 0.6), size=_S)
    _goal = _rng.uniform(size=_S) < 0.1
    _goal[int(_rng.integers(_S))] = True
    _chain = np.zeros((_S, _S))
    for _s in range(_S):
        for _a in range(_A):
            _chain[_s, _next[_s, _a]] += _policy[_s, _a]
    _chain[_goal] = np.eye(_S)[_goal]
    _expected = np.linalg.matrix_power(_chain, _steps)[:, _goal].sum(1)
    _given = (_policy.copy(), _next.copy(), _goal.copy())
    expect.close(
        expect.array(success_within(*_given, _steps), (_S,), "the chances"),
        _expected,
        f"success_within {_steps} steps in a random world of {_S} states",
    )
    assert all(
        np.array_equal(x, y)
        for x, y in zip(_given, (_policy, _next, _goal), strict=True)
    ), "success_within must leave its arguments as they are"
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The weight of C-learning
#
# *hard · 25 minutes · 5 points*
#
# C-learning learns a logit $f(s, a, g)$ with $e^{f} = p(s_+ = g \mid s, a) / p(g)$: how much more often
# $g$ lies in the future of $(s, a)$ than anywhere. The future $s_+$ is the state after a geometric
# number of steps, counted from the next state. Its temporal-difference version bootstraps: the future
# of $s'$ is most of the future of $s$. Write two functions.
#
# 1. `ratio_backup(f, P, policy, p, gamma)`: the right-hand side of the identity that the exact ratio
#    satisfies, shape (S, A, S):
#    $$e^{f(s, a, g)} = (1 - \gamma)\, \frac{P(g \mid s, a)}{p(g)} + \gamma \sum_{x} P(x \mid s, a)
#    \sum_{a'} \pi(a' \mid x)\, e^{f(x, a', g)}.$$
# 2. `td_weights(first, second)`: the weight that the paper's code gives each row of a batch. `first` and
#    `second` are the logits of two target networks, shape (n,). Take the smaller one of each row, clip
#    it to [-10, 20], exponentiate, and divide by the mean over the batch.
#
# <details><summary>Hint 1</summary>
#
# First average over $a'$ in every state $x$, which leaves (S, S); then over $x$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Weights that were divided by their mean have mean 1.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "ratio_backup", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ratio_backup(f, P, policy, p, gamma):
    """One backup (S, A, S) of the ratio e^f; P (S, A, S), policy (S, A), p (S,)."""
    ### BEGIN SOLUTION
    onward = np.einsum("xb,xbg->xg", policy, np.exp(f))
    return (1 - gamma) * P / p + gamma * P @ onward
    ### END SOLUTION


def td_weights(first, second):
    """Weights (n,) of mean 1 from the logits of two target networks."""
    ### BEGIN SOLUTION
    weights = np.exp(np.clip(np.minimum(first, second), -10, 20))
    return weights / weights.mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ratio_backup-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Two states, two actions that lead to state 0 and to state 1.
_P = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
_policy = np.array([[0.25, 0.75], [0.25, 0.75]])
_p = np.array([0.5, 0.5])
_f = np.log(np.array([[[2.0, 1.0], [1.0, 3.0]], [[4.0, 1.0], [1.0, 1.0]]]))
expect.close(
    ratio_backup(_f.copy(), _P.copy(), _policy.copy(), _p.copy(), 0.0),
    [[[2, 0], [0, 2]], [[2, 0], [0, 2]]],
    "ratio_backup at gamma = 0",
    hint="the first term: P(g | s, a) divided by p(g)",
)
expect.close(
    ratio_backup(_f.copy(), _P.copy(), _policy.copy(), _p.copy(), 0.5),
    [[[1.625, 1.25], [0.875, 1.5]], [[1.625, 1.25], [0.875, 1.5]]],
    "ratio_backup at gamma = 0.5",
    hint="average e^f over the next action, not f",
)
_first, _second = np.array([0.0, 5.0, 60.0]), np.array([1.0, 0.0, 60.0])
_w = expect.array(td_weights(_first.copy(), _second.copy()), (3,), "td_weights")
expect.close(_w.mean(), 1.0, "the mean of td_weights")
expect.close(_w[0] / _w[1], 1.0, "two rows whose smaller logit is 0: their ratio")
expect.close(
    np.log(_w[2] / _w[0]),
    20.0,
    "a row with logits 60: its logarithm",
    hint="clip at 20",
)

# %% nbgrader={"grade": true, "grade_id": "ratio_backup-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("ratio_backup")
for _S, _A, _gamma in ((4, 3, 0.8), (7, 2, 0.95)):
    _P = _rng.dirichlet(np.ones(_S), size=(_S, _A))
    _policy = _rng.dirichlet(np.ones(_A), size=_S)
    _p = _rng.dirichlet(np.ones(_S) * 3)
    _follow = np.einsum("sa,sax->sx", _policy, _P)
    _future = (1 - _gamma) * _P @ np.linalg.inv(np.eye(_S) - _gamma * _follow)
    _exact = np.log(_future / _p)
    _given = (_exact.copy(), _P.copy(), _policy.copy(), _p.copy())
    expect.close(
        expect.array(ratio_backup(*_given, _gamma), (_S, _A, _S), "the backup"),
        np.exp(_exact),
        "ratio_backup of the exact ratio, which should not change",
    )
    assert all(
        np.array_equal(x, y)
        for x, y in zip(_given, (_exact, _P, _policy, _p), strict=True)
    ), "ratio_backup must leave its arguments as they are"
    _f = _rng.normal(size=(_S, _A, _S))
    _expected = np.zeros((_S, _A, _S))
    for _s in range(_S):
        for _a in range(_A):
            for _g in range(_S):
                _sum = (1 - _gamma) * _P[_s, _a, _g] / _p[_g]
                for _x in range(_S):
                    for _b in range(_A):
                        _sum += (
                            _gamma
                            * _P[_s, _a, _x]
                            * _policy[_x, _b]
                            * np.exp(_f[_x, _b, _g])
                        )
                _expected[_s, _a, _g] = _sum
    expect.close(
        ratio_backup(_f.copy(), _P.copy(), _policy.copy(), _p.copy(), _gamma),
        _expected,
        "ratio_backup of random logits",
    )
_first, _second = _rng.normal(scale=12, size=(2, 60))
_first[0], _second[0] = -30.0, 50.0
_lower = [min(max(min(x, y), -10), 20) for x, y in zip(_first, _second, strict=True)]
_weights = [np.exp(x) for x in _lower]
_given = (_first.copy(), _second.copy())
_w = expect.array(td_weights(*_given), (60,), "td_weights")
expect.close(_w, np.array(_weights) * 60 / sum(_weights), "td_weights of 60 rows")
expect.close(
    np.log(_w / _w[0]), np.array(_lower) + 10, "logarithms of td_weights of 60 rows"
)
assert np.array_equal(np.stack(_given), np.stack([_first, _second])), (
    "td_weights must leave its arguments as they are"
)
### END HIDDEN TESTS
