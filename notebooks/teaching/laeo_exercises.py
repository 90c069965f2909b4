# %% [markdown]
# # Exercises: example-based control
#
# This assignment belongs to the chapter [Example-based control](laeo.ipynb); keep it open beside you.
# 4 exercises, 20 points, about 90 minutes. You aggregate success examples safely, get a ratio of
# densities out of two kinds of classifier, compute a chance of success that nobody wrote down, and
# build the smallest world in which it matters where the logarithm stands.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers. Leave the
#   arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. Further checks are hidden and use other sizes and seeds.
# - `goalward assignments check` followed by this notebook's name says at home where you stand.
#
# As in the chapter, $p(s)$ is the marginal of the recordings and $p^*(s)=p(s\mid e{=}1)$ that of the
# success examples. The future is counted from the next state on.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# One state, two actions, three success examples.
logits = np.array([[[2.0, -3.0, 0.5], [0.2, 0.1, -0.4]]])

# %% [markdown]
# ## 1. Score the examples
#
# *easy · 15 minutes · 4 points*
#
# `f[s, a, k]` is the critic's logit of example $k$, and `weights[k]` the share of that example; the
# shares are positive and sum to one. Return the scores, shape (S, A). `how` is one of three strings:
#
# - `"log-mean-exp"`: the logarithm of the weighted average of $e^f$;
# - `"mean of logs"`: the weighted average of $f$;
# - `"best example"`: the largest $f$, whatever the shares.
#
# Logits may be as large as 2,000 in size, where `np.exp` is infinite or zero. The answer is finite all
# the same.
#
# <details><summary>Hint</summary>
#
# What happens to the log-mean-exp if you add the same number to all logits of a row? Choose that
# number well.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "score_examples", "locked": false, "schema_version": 3, "solution": true, "task": false}
def score_examples(f, weights, how):
    """Scores (S, A) of logits f (S, A, K) with the examples' shares (K,)."""
    ### BEGIN SOLUTION
    if how == "mean of logs":
        return f @ weights
    largest = f.max(axis=2)
    if how == "best example":
        return largest
    return largest + np.log(np.exp(f - largest[..., None]) @ weights)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "score_examples-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_thirds = np.full(3, 1 / 3)
_uneven = np.array([0.2, 0.5, 0.3])
for _how, _shares, _expected in (
    ("log-mean-exp", _thirds, [[1.1082946, -0.0010360]]),
    ("log-mean-exp", _uneven, [[0.6918066, -0.0020400]]),
    ("mean of logs", _uneven, [[-0.95, -0.03]]),
    ("best example", _uneven, [[2.0, 0.2]]),
):
    expect.close(
        score_examples(logits.copy(), _shares.copy(), _how),
        _expected,
        f"the {_how} with shares {_shares.round(2)}",
        hint="the shares weigh the exponentials or the logits; examples are the last axis",
    )
expect.close(
    score_examples(np.array([[[1000.0, 0.0]]]), np.full(2, 0.5), "log-mean-exp"),
    [[1000 - np.log(2)]],
    "the log-mean-exp of a large logit",
    rtol=1e-6,
    hint="subtract the largest logit before the exponential",
)

# %% nbgrader={"grade": true, "grade_id": "score_examples-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
import math

from goalward.course.assignments import hidden

rng = hidden.rng("score_examples")
for _states, _actions, _k in ((4, 3, 6), (1, 2, 1), (3, 3, 3)):
    _f = 2 * rng.normal(size=(_states, _actions, _k))
    _w = rng.dirichlet(np.full(_k, 2.0))
    _terms = [[list(zip(_w, row, strict=True)) for row in table] for table in _f]
    _expected = {
        "log-mean-exp": [
            [math.log(math.fsum(w * math.exp(x) for w, x in row)) for row in t]
            for t in _terms
        ],
        "mean of logs": [
            [math.fsum(w * x for w, x in row) for row in t] for t in _terms
        ],
        "best example": [[max(x for _, x in row) for row in t] for t in _terms],
    }
    for _how, _truth in _expected.items():
        expect.close(score_examples(_f.copy(), _w.copy(), _how), _truth, f"the {_how}")
    # a number added to a row's logits is added to its score, whatever the other rows are
    _sign = (-1.0) ** np.arange(_states * _actions).reshape(_states, _actions, 1)
    for _size in (1990.0, -1990.0, 1990.0 * _sign, -1990.0 * _sign):
        _row = _size + rng.normal(size=(_states, _actions, 1))
        expect.close(
            score_examples(_f + _row, _w.copy(), "log-mean-exp") - _row[..., 0],
            _expected["log-mean-exp"],
            "the log-mean-exp of logits near 2,000 in size, that size taken away",
            atol=2e-3,
        )
# within a row, too, logits may lie 4,000 apart
_f = np.array([[[2000.0, -2000.0, 0.0], [-2000.0, -1999.0, 1.0]]])
_w = np.array([0.2, 0.5, 0.3])
expect.close(
    score_examples(_f.copy(), _w.copy(), "log-mean-exp"),
    [[2000 + math.log(0.2), 1 + math.log(0.3)]],
    "the log-mean-exp of logits 4,000 apart",
    atol=2e-3,
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. From a classifier to a ratio
#
# *easy · 15 minutes · 4 points*
#
# Somebody trained a classifier and gives you its best probabilities $D(s)$, shape (N,). You want the
# ratio $p^*(s)/p(s)$, shape (N,), the implicit reward up to a factor. Write two functions.
#
# - `ratio_from_logistic(D, examples, recorded)`: the logistic loss was **summed** over all
#   `examples` success examples (positives) and all `recorded` recorded states (negatives). In the
#   chapter both classes had the same weight; here each single state has.
# - `ratio_from_unlabelled(D, prior)`: positive-unlabelled learning that was told the share `prior`
#   of successes among the recordings. Its best probability is not a comparison of two classes: it is
#   the chance $p(e{=}1\mid s)$ that the state is a success. Bayes' rule, as in the chapter, says how
#   that is related to the ratio.
#
# <details><summary>Hint 1</summary>
#
# Draw one of all the states at random. If it shows $s$, how likely is it an example?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# What does a classifier answer that sees no difference, that is, where $p^*=p$?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "ratios", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ratio_from_logistic(D, examples, recorded):
    """The ratio (N,) of examples' density to recordings', from probabilities D (N,)."""
    ### BEGIN SOLUTION
    odds = D / (1 - D)
    return odds * recorded / examples
    ### END SOLUTION


def ratio_from_unlabelled(D, prior):
    """The same ratio from a positive-unlabelled classifier's probabilities D (N,)."""
    ### BEGIN SOLUTION
    return D / prior
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ratios-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    ratio_from_logistic(np.array([0.5, 0.75, 0.0]), 20, 20),
    [1.0, 3.0, 0.0],
    "the ratio from a classifier of as many examples as recordings",
    hint="three in four states that look like this are examples: odds of three to one",
)
expect.close(
    ratio_from_logistic(np.array([0.2, 0.5]), 20, 80),
    [1.0, 4.0],
    "the ratio with four times as many recordings",
    hint="where the two densities are equal, only one state in five is an example",
)
expect.close(
    ratio_from_unlabelled(np.array([0.1, 1.0, 0.0]), 0.1),
    [1.0, 10.0, 0.0],
    "the ratio from a positive-unlabelled classifier",
    hint="its best probability is the chance that the state is a success",
)

# %% nbgrader={"grade": true, "grade_id": "ratios-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("ratios")
for _n in (2, 5, 9):
    # a world where success is a matter of chance in every state
    _p, _chance = rng.dirichlet(np.ones(_n)), rng.uniform(0.05, 0.95, size=_n)
    _prior = float(_chance @ _p)
    _star = _chance * _p / _prior
    _examples, _recorded = int(rng.integers(5, 50)), int(rng.integers(60, 900))
    _both = _examples * _star + _recorded * _p  # how many of all states show each
    expect.close(
        ratio_from_logistic(_examples * _star / _both, _examples, _recorded),
        _chance / _prior,
        "the ratio from a classifier that saw fewer examples than recordings",
        rtol=1e-3,
    )
    expect.close(
        ratio_from_unlabelled(_chance.copy(), _prior),
        _chance / _prior,
        "the ratio from a positive-unlabelled classifier",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The implicit reward
#
# *medium · 30 minutes · 6 points*
#
# Compute the chance of success when the clock stops, $Q(s,a)$ of equation (1), without a critic. You
# get the transition probabilities `P[s, a, x]`, the `policy[s, a]` that made the recordings, the
# `marginal[x]` of the recordings, the `examples` as an array of state numbers (a state may appear more
# than once), the share of successes `prior`, which is $p(e{=}1)$, and `gamma`. Take as $p^*(x)$ the
# share of state $x$ among the examples. Return $Q$, shape (S, A).
#
# <details><summary>Hint 1</summary>
#
# $Q$ is the value of a reward for *arriving* in a state. How does a reward for arriving enter the
# Bellman equation?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# First solve for the values of states, a linear system with as many unknowns as states. Then take one
# step back to the actions.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "success_chance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def success_chance(P, policy, marginal, examples, prior, gamma):
    """Q (S, A); P (S, A, S), policy (S, A), marginal (S,), examples (K,) state numbers."""
    ### BEGIN SOLUTION
    states = len(marginal)
    star = np.bincount(examples, minlength=states) / len(examples)
    on_arrival = P @ ((1 - gamma) * prior * star / marginal)
    chain = np.einsum("sa,sax->sx", policy, P)
    V = np.linalg.solve(
        np.eye(states) - gamma * chain, (policy * on_arrival).sum(axis=1)
    )
    return on_arrival + gamma * P @ V
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "success_chance-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# Two states that swap at every step. Success is to be in state 1, half of the time.
_swap = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
expect.close(
    success_chance(
        _swap.copy(), np.ones((2, 1)), np.full(2, 0.5), np.array([1, 1]), 0.5, 0.5
    ),
    [[2 / 3], [1 / 3]],
    "the chance of success for two states that swap",
    hint="the clock stops after one step with chance 1/2, after two with 1/4: 1/2 + 1/8 + 1/32 + ...",
)
# From state 0, action 1 leads to state 1, action 0 back to 0; state 1 leads to 0.
_choice = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
expect.close(
    success_chance(
        _choice.copy(),
        np.array([[0.5, 0.5], [0.5, 0.5]]),
        np.array([2 / 3, 1 / 3]),
        np.array([1]),
        1 / 3,
        0.0,
    ),
    [[0.0, 1.0], [0.0, 0.0]],
    "the chance of success at discount 0",
    hint="at discount 0 the clock stops after one step: it counts only where that step leads",
)

# %% nbgrader={"grade": true, "grade_id": "success_chance-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden
from goalward.tabular import mdp as _mdp
from goalward.tabular import successor as _successor

rng = hidden.rng("success_chance")
for _states, _actions, _k, _gamma in ((5, 3, 12, 0.9), (7, 2, 1, 0.6), (4, 4, 30, 0.0)):
    _P = _mdp.random_mdp(rng, _states, _actions)
    _policy = rng.dirichlet(np.ones(_actions), size=_states)
    _p = rng.dirichlet(np.full(_states, 3.0))
    _shown = rng.integers(_states, size=_k)
    _prior = float(rng.uniform(0.05, 0.3))
    _measure = _successor.successor_measure(_P, _policy, _gamma)
    _expected = _prior * np.mean([_measure[:, :, x] / _p[x] for x in _shown], axis=0)
    expect.close(
        success_chance(
            _P.copy(), _policy.copy(), _p.copy(), _shown.copy(), _prior, _gamma
        ),
        _expected,
        f"the chance of success at discount {_gamma}, against the average ratio",
        rtol=1e-3,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Where the logarithms part
#
# *hard · 30 minutes · 6 points*
#
# Build the smallest world in which the place of the logarithm decides. There is one state to decide in,
# with three actions, and the clock stops in one of three places: two places of success and a third for
# everything else. You choose $M$, shape (3, 3): `M[a, x]` is the probability that the clock stops in
# place $x$ after action $a$. Places 0 and 1 are the successes. There are two success examples, one of
# each. The marginal is $p=\sum_a\beta_a\,M_a$ for a recorded policy `behaviour` $\beta$, shape (3,),
# which you are given.
#
# For a number `factor` > 1, return an $M$ with
#
# 1. positive entries, at least $10^{-15}$, and rows that sum to one;
# 2. an action 0 or 1 whose *average ratio* over the two examples is at least `factor` times that of
#    action 2;
# 3. for action 2 a *mean of logarithms* of the two ratios that exceeds those of both other actions by
#    at least $\log(\text{factor})$.
#
# So whoever averages first never takes action 2, and whoever averages logarithms always does. `factor`
# goes up to 100. Many answers are right.
#
# <details><summary>Hint 1</summary>
#
# Action 0 for one success, action 1 for the other, action 2 for a little of both. Three numbers
# describe such a world.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# In the difference of two means of logarithms, $p$ cancels. And a mean over two logarithms halves
# their sum.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "dithering_world", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dithering_world(behaviour, factor):
    """M (3, 3), the chance of each place after each action; behaviour (3,), factor a number."""
    ### BEGIN SOLUTION
    hit = 0.5
    both = hit / (3 * factor)
    miss = both**2 / (2 * hit * factor**2)
    rows = [[hit, miss], [miss, hit], [both, both]]
    return np.array([[*row, 1 - sum(row)] for row in rows])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "dithering_world-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _holds(M, behaviour, factor):
    assert M.min() >= 1e-15, "an entry of M is not positive"
    assert np.abs(M.sum(axis=1) - 1).max() < 1e-5, "a row of M does not sum to one"
    ratios = (M / (behaviour @ M))[:, :2]
    average, logs = ratios.mean(axis=1), np.log(ratios).mean(axis=1)
    assert average[:2].max() >= 0.999 * factor * average[2], (
        "no action's average ratio is `factor` times that of action 2"
    )
    assert logs[2] >= logs[:2].max() + np.log(factor) - 1e-3, (
        "the mean of logarithms of action 2 is not log(factor) above both others"
    )


_behaviour = np.full(3, 1 / 3)
_holds(
    expect.array(dithering_world(_behaviour.copy(), 2.0), (3, 3), "M"), _behaviour, 2.0
)

# %% nbgrader={"grade": true, "grade_id": "dithering_world-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("dithering_world")
for _factor in (1.5, 5.0, 30.0, 100.0):
    _behaviour = rng.dirichlet(np.full(3, 2.0))
    _M = expect.array(dithering_world(_behaviour.copy(), _factor), (3, 3), "M")
    assert _M.min() >= 1e-15, f"an entry of M is not positive at factor {_factor}"
    assert np.abs(_M.sum(axis=1) - 1).max() < 1e-5, "a row of M does not sum to one"
    _p = [sum(_behaviour[a] * _M[a, x] for a in range(3)) for x in range(3)]
    _mean = [(_M[a, 0] / _p[0] + _M[a, 1] / _p[1]) / 2 for a in range(3)]
    _geometric = [np.sqrt(_M[a, 0] / _p[0] * _M[a, 1] / _p[1]) for a in range(3)]
    assert max(_mean[0], _mean[1]) >= 0.999 * _factor * _mean[2], (
        f"at factor {_factor} the average ratio does not prefer another action by enough"
    )
    assert _geometric[2] >= 0.999 * _factor * max(_geometric[0], _geometric[1]), (
        f"at factor {_factor} the mean of logarithms does not prefer action 2 by enough"
    )
### END HIDDEN TESTS
