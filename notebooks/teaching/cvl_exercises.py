# %% [markdown]
# # Exercises: Contrastive Value Learning
#
# This assignment belongs to the chapter [Contrastive Value Learning](cvl.ipynb); keep it open beside
# you. 4 exercises, 20 points, about 85 minutes. You read values off a log ratio, move the reward from
# states to actions, turn a constant that no loss can see into a different policy, and make the reward
# a vector.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers. Leave the
#   arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. Further checks are hidden and use other sizes and seeds.
# - `goalward assignments check` followed by this notebook's name says at home where you stand.
#
# As in the chapter, the future is counted from the next state on, and the successor measure
# `measure[s, a, x]` is $p(x\mid s,a)$: each of its rows sums to one.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# One state, two actions, three candidate futures.
logits = np.array([[[0.5, -1.0, 0.0], [-0.3, 0.8, 0.1]]])

# %% [markdown]
# ## 1. Values from logits
#
# *easy · 15 minutes · 4 points*
#
# `f[s, a, j]` is the critic's logit of candidate $x_j$, `reward[j]` what arriving there pays, and
# `marginal[j]` the candidate's probability; the probabilities sum to one. Return $Q(s,a)$, shape
# (S, A), by equation (1) of the chapter. If `normalise` is true, first divide $e^{f(s,a,x)}$ by its
# mean over the marginal, for each state and action separately.
#
# <details><summary>Hint</summary>
#
# The expectation is a sum over $j$ with the weights `marginal`. Under normalising, the weights
# $\text{marginal}_j\,e^{f_j}$ of a row sum to one.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "values_from_logits", "locked": false, "schema_version": 3, "solution": true, "task": false}
def values_from_logits(f, reward, marginal, gamma, normalise):
    """Q of each state and action, (S, A); f (S, A, N), reward and marginal (N,)."""
    ### BEGIN SOLUTION
    weights = np.exp(f) * marginal
    if normalise:
        weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights @ reward) / (1 - gamma)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "values_from_logits-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_pay, _even = np.array([1.0, 0.0, 2.0]), np.full(3, 1 / 3)
expect.close(
    values_from_logits(logits.copy(), _pay.copy(), _even.copy(), 0.5, False),
    [[2.4324808475, 1.9674364394]],
    "Q without normalising",
    hint="average the reward times the exponential, then think of the number of steps",
)
expect.close(
    values_from_logits(logits.copy(), _pay.copy(), _even.copy(), 0.5, True),
    [[2.4190934, 1.4496618]],
    "Q with normalising",
    hint="the weights of each row should sum to one",
)

# %% nbgrader={"grade": true, "grade_id": "values_from_logits-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden
from goalward.tabular import dynamic_programming as _dp
from goalward.tabular import mdp as _mdp
from goalward.tabular import successor as _successor

rng = hidden.rng("values_from_logits")
for _states, _actions, _gamma in ((4, 2, 0.8), (6, 3, 0.5)):
    _P = _mdp.random_mdp(rng, _states, _actions)
    _policy = rng.dirichlet(np.ones(_actions), size=_states)
    _reward, _p = rng.normal(size=_states), rng.dirichlet(np.ones(_states))
    _exact, _ = _dp.policy_evaluation(_P, _policy, _P @ _reward, _gamma)
    _f = np.log(_successor.successor_measure(_P, _policy, _gamma)) - np.log(_p)
    expect.close(
        values_from_logits(_f.copy(), _reward.copy(), _p.copy(), _gamma, False),
        _exact,
        "Q from an exact log ratio, against dynamic programming",
    )
    _free = rng.normal(size=(_states, _actions, 1))
    expect.close(
        values_from_logits(_f + _free, _reward.copy(), _p.copy(), _gamma, True),
        _exact,
        "Q with a free term added to each row, and normalised",
    )
    expect.close(
        values_from_logits(_f + _free, _reward.copy(), _p.copy(), _gamma, False),
        np.exp(_free[..., 0]) * _exact,
        "Q with a free term added to each row, not normalised",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 2. A reward for acting
#
# *medium · 20 minutes · 5 points*
#
# Let the reward be paid for an action rather than an arrival: `reward[s, a]`, earned at once, and then
# for every later pair, discounted,
#
# $$Q(s,a)=r(s,a)+\mathbb E\Big[\sum_{t\ge1}\gamma^{t}\,r(s_t,a_t)\Big].$$
#
# You have the successor measure of the policy, `measure[s, a, x]`, and the policy itself,
# `policy[x, b]`. Return $Q$, shape (S, A), without solving an equation and without the transition
# probabilities.
#
# <details><summary>Hint 1</summary>
#
# What does being in state $x$ pay on average, if the policy chooses the action there?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The chapter's sum has $\gamma^{t-1}$ in it. Compare.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "values_of_actions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def values_of_actions(measure, policy, reward, gamma):
    """Q (S, A) for rewards of pairs; measure (S, A, S), policy and reward (S, A)."""
    ### BEGIN SOLUTION
    paid_in_state = (policy * reward).sum(axis=1)
    later = measure @ paid_in_state
    return reward + gamma / (1 - gamma) * later
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "values_of_actions-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Two states that swap at every step, one action: the measure alternates.
_gamma = 0.5
_swap = np.array([[[1 / 3, 2 / 3]], [[2 / 3, 1 / 3]]])
expect.close(
    values_of_actions(_swap.copy(), np.ones((2, 1)), np.array([[1.0], [0.0]]), _gamma),
    [[4 / 3], [2 / 3]],
    "Q of two states that swap, where only the first pays",
    hint="from the first state you are paid now, in two steps, in four: 1 + 1/4 + 1/16 + ...",
)

# %% nbgrader={"grade": true, "grade_id": "values_of_actions-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden
from goalward.tabular import dynamic_programming as _dp
from goalward.tabular import mdp as _mdp
from goalward.tabular import successor as _successor

rng = hidden.rng("values_of_actions")
for _states, _actions, _gamma in ((5, 3, 0.9), (3, 4, 0.6), (4, 2, 0.0)):
    _P = _mdp.random_mdp(rng, _states, _actions)
    _policy = rng.dirichlet(np.ones(_actions), size=_states)
    _reward = rng.normal(size=(_states, _actions))
    _exact, _ = _dp.policy_evaluation(_P, _policy, _reward, _gamma)
    _measure = _successor.successor_measure(_P, _policy, _gamma)
    expect.close(
        values_of_actions(_measure, _policy.copy(), _reward.copy(), _gamma),
        _exact,
        f"Q at discount {_gamma}, against dynamic programming",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. A constant that no loss can see
#
# *medium · 20 minutes · 5 points*
#
# InfoNCE does not notice if you add $c(s,a)$ to a row of its logits. Raw values do. You are given a
# critic `f` (S, A, N), positive rewards (N,), the candidates' probabilities (N,), and in `wanted[s]`
# the action that should look best. Return $c$, shape (S, A), such that in every state, once
# `c[:, :, None]` has been added to `f`, the raw (unnormalised) value of the wanted action is *exactly
# twice* that of every other action: the critic's own opinion is gone, and yours stands in its place.
# At the same time $c$ must average to zero over the actions of each state.
#
# <details><summary>Hint 1</summary>
#
# What does adding $c$ to the logits of a row do to its raw value?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# First make all raw values of a state equal. Then raise one. Then subtract the mean: does that change
# which is larger?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "free_term", "locked": false, "schema_version": 3, "solution": true, "task": false}
def free_term(f, reward, marginal, wanted):
    """c (S, A) that makes wanted[s] look best; f (S, A, N), reward, marginal (N,), wanted (S,)."""
    ### BEGIN SOLUTION
    raw = (np.exp(f) * marginal) @ reward
    c = -np.log(raw) + np.log(2) * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=1, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "free_term-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _looks_best(c, f, reward, marginal, wanted):
    raw = (np.exp(f + c[:, :, None]) * marginal) @ reward
    chosen = raw[np.arange(len(wanted)), wanted]
    others = raw[~np.eye(raw.shape[1], dtype=bool)[wanted]].reshape(len(raw), -1)
    assert np.abs(c.mean(axis=1)).max() < 1e-4, (
        "c should average to zero over each state's actions"
    )
    off = np.abs(np.log(chosen[:, None] / others / 2)).max(axis=1)
    assert off.max() < 1e-3, (
        f"in state {int(np.argmax(off))} the wanted action's raw value is not twice "
        "that of every other action"
    )


for _wanted in (np.array([0]), np.array([1])):
    _case = (logits, np.array([1.0, 0.5, 2.0]), np.full(3, 1 / 3), _wanted)
    _c = expect.array(free_term(*(part.copy() for part in _case)), (1, 2), "c")
    _looks_best(_c, *_case)

# %% nbgrader={"grade": true, "grade_id": "free_term-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden


def _twice_as_good(c, f, reward, marginal, wanted):
    for s in range(f.shape[0]):
        raw = []
        for a in range(f.shape[1]):
            terms = [
                marginal[j] * np.exp(f[s, a, j] + c[s, a]) * reward[j]
                for j in range(f.shape[2])
            ]
            raw.append(sum(terms))
        for a in range(f.shape[1]):
            if a != wanted[s]:
                assert abs(raw[wanted[s]] / raw[a] - 2) < 2e-3, (
                    "some wanted action does not look twice as good as another"
                )


rng = hidden.rng("free_term")
for _states, _actions, _n in ((4, 3, 5), (6, 2, 3), (3, 5, 8)):
    _f = 3 * rng.normal(size=(_states, _actions, _n))
    _reward, _p = rng.uniform(0.1, 2, size=_n), rng.dirichlet(np.ones(_n))
    _wanted = rng.integers(_actions, size=_states)
    _c = free_term(_f.copy(), _reward.copy(), _p.copy(), _wanted.copy())
    _c = expect.array(_c, (_states, _actions), "c")
    assert np.abs(_c.mean(axis=1)).max() < 1e-4, (
        "c does not average to zero over the actions"
    )
    _twice_as_good(_c, _f, _reward, _p, _wanted)
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Random waves
#
# *hard · 30 minutes · 6 points*
#
# Given `frequencies` $\omega$ with shape (d, D) and `phases` $b$ with shape (D,), the features of a
# vector $x$ of $d$ numbers are the chapter's
#
# $$F(x)_k=e^{\|x\|^2/2}\,\sqrt{2/D}\;\cos(\omega_k^\top x+b_k),$$
#
# with $\omega_k$ the $k$-th column. Write two functions. `waves(x, frequencies, phases)` returns the
# features of each row of `x` (n, d), shape (n, D). `wave_values(phi, psi, reward, gamma, frequencies,
# phases)` returns the approximate values of n anchors, shape (n,): `phi` (n, d) are their
# representations, `psi` (m, d) those of m draws from the marginal, and `reward` (m,) what those pay.
# Done well, this takes of the order of $(n+m)\,D$ operations beside the features, and not $n\,m\,D$.
#
# <details><summary>Hint 1</summary>
#
# Compute the one vector $\xi$ first. It has D entries and does not depend on the anchors.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $\xi$ is a *mean* over draws.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "wave_values", "locked": false, "schema_version": 3, "solution": true, "task": false}
def waves(x, frequencies, phases):
    """Random Fourier features (n, D) of the rows of x (n, d)."""
    ### BEGIN SOLUTION
    size = np.exp((x**2).sum(axis=1, keepdims=True) / 2)
    return size * np.sqrt(2 / len(phases)) * np.cos(x @ frequencies + phases)
    ### END SOLUTION


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    """Approximate values (n,) of anchors phi (n, d); psi (m, d), reward (m,)."""
    ### BEGIN SOLUTION
    xi = reward @ waves(psi, frequencies, phases) / len(reward)
    return waves(phi, frequencies, phases) @ xi / (1 - gamma)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "wave_values-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_rng = np.random.default_rng(0)
_x = np.array([[0.6, -0.8], [0.0, 0.5]])
_w, _b = np.array([[1.0, -0.5, 2.0], [0.3, 1.2, 0.0]]), np.array([0.1, 2.0, 4.0])
expect.close(
    waves(_x.copy(), _w.copy(), _b.copy())[0],
    [
        np.exp(0.5) * np.sqrt(2 / 3) * np.cos(angle)
        for angle in (0.6 - 0.24 + 0.1, -0.3 - 0.96 + 2.0, 1.2 + 4.0)
    ],
    "the features of a unit vector",
    hint="each wave has its own frequency (a column) and phase",
)
_phi, _psi = 0.5 * _rng.normal(size=(3, 2)), 0.5 * _rng.normal(size=(50, 2))
_pay = _rng.uniform(size=50)
_w, _b = _rng.normal(size=(2, 100_000)), _rng.uniform(0, 2 * np.pi, size=100_000)
expect.close(
    wave_values(_phi.copy(), _psi.copy(), _pay.copy(), 0.9, _w, _b),
    np.exp(_phi @ _psi.T) @ _pay / 50 / (1 - 0.9),
    "the value from 100,000 features, against the average itself",
    rtol=0.05,
    hint="a mean over the draws, and then the number of steps",
)

# %% nbgrader={"grade": true, "grade_id": "wave_values-hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("wave_values")
for _n, _m, _d, _D in ((2, 3, 4, 5), (4, 1, 1, 3), (100, 150, 3, 64)):
    _phi, _psi = 0.6 * rng.normal(size=(_n, _d)), 0.6 * rng.normal(size=(_m, _d))
    _pay, _gamma = rng.normal(size=_m), rng.uniform(0.3, 0.9)
    _w, _b = rng.normal(size=(_d, _D)), rng.uniform(0, 2 * np.pi, size=_D)

    def _one(vector, k, w=_w, b=_b, D=_D):
        angle = sum(vector[i] * w[i, k] for i in range(len(vector))) + b[k]
        return np.exp(np.dot(vector, vector) / 2) * np.sqrt(2 / D) * np.cos(angle)

    _expected_psi = np.array(
        [[_one(y, k) for k in range(min(_D, 5))] for y in _psi[:20]]
    )
    expect.close(
        np.asarray(waves(_psi.copy(), _w.copy(), _b.copy()))[:20, :5],
        _expected_psi,
        "the features of random vectors",
    )
    _angles = {
        name: np.einsum("id,dk->ik", x, _w) + _b
        for name, x in (("f", _phi), ("p", _psi))
    }
    _scale = {
        name: np.exp(0.5 * np.linalg.norm(x, axis=1) ** 2)
        for name, x in (("f", _phi), ("p", _psi))
    }
    _table = {
        name: _scale[name][:, None] * np.cos(_angles[name]) for name in ("f", "p")
    }
    _kernel = 2 / _D * (_table["f"] @ _table["p"].T)
    expect.close(
        wave_values(
            _phi.copy(), _psi.copy(), _pay.copy(), _gamma, _w.copy(), _b.copy()
        ),
        (_kernel * _pay).mean(axis=1) / (1 - _gamma),
        "the values from the given features",
        rtol=1e-3,
        atol=1e-4,
    )
### END HIDDEN TESTS
