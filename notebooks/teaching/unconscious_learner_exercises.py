# %% [markdown]
# # Exercises: The unconscious learner
#
# This assignment belongs to the chapter [The unconscious learner](unconscious_learner.ipynb); keep it
# open beside you. 4 exercises, 20 points, about 105 minutes. You code the vote of a bank, find what it
# cannot know, and derive the law twice: on the sphere and for Gaussian codes.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers. Leave the
#   arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. Further checks are hidden and use other sizes and seeds.
# - `goalward assignments check` followed by this notebook's name says at home where you stand.
#
# All logarithms are natural. The symbols are the chapter's.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# A small world p(a, b, c): the caption b is fair; a and c follow it, and sometimes each other.
follows = np.array([[0.8, 0.2], [0.3, 0.7]])
windy = 0.6 * np.einsum("b,ba,bc->abc", np.full(2, 0.5), follows, follows)
windy += 0.4 * np.einsum("b,ba,ac->abc", np.full(2, 0.5), follows, np.eye(2))

# %% [markdown]
# ## 1. The vote of a bank
#
# *easy · 20 minutes · 5 points*
#
# `ab[i, k]` is $f(A_i,b_k)$ and `bc[k, j]` is $f(b_k,C_j)$, with a bank of $N$ captions $b_k$. Return the
# scores of equation (1), shape (n, m): the logarithm of the *mean* of
# $e^{f(A_i,b_k)+f(b_k,C_j)}$ over the bank. Entries may be as large as 1,000 or as small as −1,000; the
# answer must stay finite and accurate.
#
# <details><summary>Hint</summary>
#
# Take the largest exponent out of the sum, for each pair $(i,j)$ by itself. Small sizes: an array of
# shape (n, N, m) is fine.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "vote", "locked": false, "schema_version": 3, "solution": true, "task": false}
def vote(ab, bc):
    """Log mean over the bank, (n, m); ab (n, N), bc (N, m)."""
    ### BEGIN SOLUTION
    exponents = ab[:, :, None] + bc[None, :, :]
    top = exponents.max(axis=1)
    return top + np.log(np.exp(exponents - top[:, None, :]).mean(axis=1))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "vote-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    vote(np.log([[1.0, 3.0]]), np.log([[2.0, 1.0, 1.0], [4.0, 1.0, 0.5]])),
    np.log([[7.0, 2.0, 1.25]]),
    "the vote of a bank of two",
    hint="(1 * 2 + 3 * 4) / 2 = 7: products add up, and the mean divides by the bank's size",
)
expect.close(
    vote(np.array([[900.0, 0.0]]), np.array([[50.0], [-700.0]])),
    [[950.0 - np.log(2)]],
    "the vote with an exponent of 950",
    hint="take the largest exponent out before exponentiating",
)

# %% nbgrader={"grade": true, "grade_id": "vote-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
import math

from goalward.course.assignments import hidden

rng = hidden.rng("vote")
for _n, _bank, _m, _scale in ((3, 5, 4, 1.0), (2, 40, 3, 30.0), (4, 6, 2, 400.0)):
    _ab = rng.normal(0, _scale, size=(_n, _bank)).clip(-1000, 1000)
    _bc = rng.normal(0, _scale, size=(_bank, _m)).clip(-1000, 1000)
    _expected = np.zeros((_n, _m))
    for _i in range(_n):
        for _j in range(_m):
            _sums = sorted(_ab[_i, _k] + _bc[_k, _j] for _k in range(_bank))
            _rest = math.fsum(math.exp(_s - _sums[-1]) for _s in _sums)
            _expected[_i, _j] = _sums[-1] + math.log(_rest / _bank)
    expect.close(
        vote(_ab.copy(), _bc.copy()), _expected, "the vote of a random bank", atol=1e-3
    )
_opposed = vote(np.array([[0.0, -1000.0]]), np.array([[-1000.0], [0.0]]))
expect.close(
    _opposed, [[-1000.0]], "the vote where no caption fits both sides", atol=1e-3
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. What the captions cannot tell
#
# *medium · 25 minutes · 5 points*
#
# Equation (1) believes in the **Markov twin** of the world: the joint distribution that has the same
# pairs $(A,B)$ and $(B,C)$, and in which $A$ and $C$ are independent given $B$. Write two functions.
#
# - `twin(joint)`: the twin of `joint[a, b, c]`, an array of the same shape. Every $b$ has positive
#   probability.
# - `missed(joint)`: how much $A$ and $C$ share beside $B$, in nats: the conditional mutual information
#   $\sum_{a,b,c}p(a,b,c)\log\frac{p(a,b,c)}{p_\text{twin}(a,b,c)}$, where a term with $p=0$ counts zero.
#
# <details><summary>Hint</summary>
#
# $p_\text{twin}(a,b,c)=p(a,b)\,p(b,c)/p(b)$.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "twin", "locked": false, "schema_version": 3, "solution": true, "task": false}
def twin(joint):
    """The joint (A, B, C) with the same two pairs, and A independent of C given B."""
    ### BEGIN SOLUTION
    ab, bc, b = joint.sum(axis=2), joint.sum(axis=0), joint.sum(axis=(0, 2))
    return ab[:, :, None] * bc[None, :, :] / b[None, :, None]
    ### END SOLUTION


def missed(joint):
    """Conditional mutual information of A and C given B, in nats."""
    ### BEGIN SOLUTION
    some = joint > 0
    return float(np.sum(joint[some] * np.log(joint[some] / twin(joint)[some])))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "twin-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_answer = expect.array(twin(windy.copy()), (2, 2, 2), "the twin")
expect.close(_answer.sum(axis=2), windy.sum(axis=2), "the twin's pair (A, B)")
expect.close(_answer.sum(axis=0), windy.sum(axis=0), "the twin's pair (B, C)")
for _b in range(2):
    _table = _answer[:, _b] / _answer[:, _b].sum()
    _product = np.outer(_table.sum(axis=1), _table.sum(axis=0))
    expect.close(
        _table,
        _product,
        f"A and C given b = {_b}",
        hint="they should be independent there",
    )
_copy = np.einsum(
    "b,ac->abc", [0.5, 0.5], np.eye(2) / 2
)  # C is a copy of A; B is a coin
expect.close(missed(_copy), np.log(2), "what a coin misses about a copy")

# %% nbgrader={"grade": true, "grade_id": "twin-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
import math

from goalward.course.assignments import hidden

rng = hidden.rng("twin")
for _shape in ((3, 4, 2), (2, 3, 5)):
    _joint = rng.dirichlet(np.full(math.prod(_shape), 0.5)).reshape(_shape)
    _joint[0, 0, 0] = 0.0
    _joint /= _joint.sum()
    _expected, _nats = np.zeros(_shape), 0.0
    for _b in range(_shape[1]):
        _slice = _joint[:, _b]
        for _a in range(_shape[0]):
            for _c in range(_shape[2]):
                _given = sum(_slice[_a]) * sum(_slice[:, _c]) / sum(sum(_slice))
                _expected[_a, _b, _c] = _given
                if _slice[_a, _c] > 0:
                    _nats += _slice[_a, _c] * math.log(_slice[_a, _c] / _given)
    expect.close(twin(_joint.copy()), _expected, "the twin of a random world")
    expect.close(
        missed(_joint.copy()), _nats, "what a random world shares beside B", atol=1e-4
    )
    expect.close(
        missed(_expected.copy()), 0.0, "what a Markov world shares beside B", atol=1e-4
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The law on the sphere
#
# *medium · 25 minutes · 5 points*
#
# Compute $\log\mathbb E[e^{\kappa\,e^\top b}]$ for $b$ uniform on the unit sphere in $d$ dimensions and a fixed unit
# vector $e$: equation (2), for $0\le\kappa\le2000$ and $2\le d\le64$. At $\kappa=2000$ the expectation itself has more than 800
# digits, and the largest terms of the series hardly fewer.
#
# <details><summary>Hint 1</summary>
#
# Work with logarithms of the terms. From one term to the next, what is added?
# $2\log(\kappa/2)-\log k-\log(k-1+d/2)$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The largest term is at $k<\kappa/2$, so 4,000 terms are plenty. The term $k=0$ is 1. `np.logaddexp.reduce`
# adds in logarithms; $\kappa=0$ wants some care.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "log_average", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_average(kappa, d):
    """log E[exp(kappa e.b)], a number, for b uniform on the sphere in d dimensions."""
    ### BEGIN SOLUTION
    if kappa == 0:
        return 0.0
    k = np.arange(1, 4000)
    terms = np.cumsum(2 * np.log(kappa / 2) - np.log(k) - np.log(k - 1 + d / 2))
    return float(np.logaddexp(0.0, np.logaddexp.reduce(terms)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "log_average-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(log_average(0.0, 5), 0.0, "the log average at kappa = 0")
expect.close(log_average(2.0, 3), np.log(np.sinh(2.0) / 2.0), "the log average at kappa = 2, d = 3",
             hint="in three dimensions the average is sinh(kappa) / kappa")  # fmt: skip
expect.close(log_average(1500.0, 3), 1500.0 - np.log(3000.0), "the log average at kappa = 1500, d = 3",
             rtol=1e-3, hint="stay in logarithms throughout")  # fmt: skip

# %% nbgrader={"grade": true, "grade_id": "log_average-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("log_average")
_angle = (
    (np.arange(100_000) + 0.5) * np.pi / 100_000
)  # between b and e; density sin^(d - 2)
for _d in (2, 4, int(rng.integers(5, 30)), 64):
    for _kappa in (
        float(rng.uniform(0.01, 1)),
        float(rng.uniform(1, 30)),
        float(rng.uniform(800, 2000)),
    ):
        _density = np.sin(_angle) ** (_d - 2)
        _mean = (
            np.sum(np.exp(_kappa * (np.cos(_angle) - 1)) * _density) / _density.sum()
        )
        expect.close(
            log_average(_kappa, _d),
            _kappa + np.log(_mean),
            "the log average for another kappa and d",
            rtol=1e-3,
            atol=1e-3,
            hint="compare with an average over the angle between b and e",
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The law for Gaussian codes
#
# *hard · 35 minutes · 5 points*
#
# Two critics of unequal sharpness, $f(a,b)=-\frac{\alpha}{2}\lVert a-b\rVert^2$ and
# $f(b,c)=-\frac12\lVert b-c\rVert^2$, and a shared code $b\sim\mathcal N(0,vI)$ in $d$ dimensions. Derive
# $\log\mathbb E_b[e^{f(a,b)+f(b,c)}]$ in closed form and return it for all pairs: rows of `a` (n, d) with
# rows of `c` (m, d), shape (n, m). For $\alpha=1$ it is the chapter's `gaussian_bridge`.
#
# <details><summary>Hint 1</summary>
#
# Coordinates separate, so do $d=1$ first. Collect the exponent in powers of $b$:
# $-\frac12Pb^2+hb-\frac12(\alpha a^2+c^2)$. What are $P$ and $h$, once the exponent of the Gaussian's density is
# in as well?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $\int e^{-Pb^2/2+hb}\,db=\sqrt{2\pi/P}\;e^{h^2/2P}$, and the density brings $1/\sqrt{2\pi v}$.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "gaussian_law", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gaussian_law(a, c, v, alpha):
    """Log average over b, (n, m); a (n, d), c (m, d), v and alpha positive numbers."""
    ### BEGIN SOLUTION
    precision = alpha + 1 + 1 / v
    pull = alpha * a[:, None, :] + c[None, :, :]
    fixed = alpha * np.sum(a**2, axis=1)[:, None] + np.sum(c**2, axis=1)
    volume = a.shape[1] * np.log(v * precision)
    return 0.5 * (np.sum(pull**2, axis=2) / precision - fixed - volume)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gaussian_law-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    gaussian_law(np.zeros((1, 2)), np.zeros((1, 2)), 1.0, 1.0),
    [[-np.log(3.0)]],
    "the law at a = c = 0, v = 1, alpha = 1, d = 2",
    hint="each dimension brings -log(1 + v (alpha + 1)) / 2",
)
expect.close(
    gaussian_law(np.array([[1.0]]), np.array([[2.0], [0.0]]), 0.5, 1.0),
    [[-2.5 + 9 / 8 - np.log(2.0) / 2, -0.5 + 1 / 8 - np.log(2.0) / 2]],
    "the law at v = 1/2, alpha = 1, d = 1",
)

# %% nbgrader={"grade": true, "grade_id": "gaussian_law-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("gaussian_law")
for _n, _m, _d in ((2, 3, 1), (3, 2, 4)):
    _v, _alpha = float(rng.uniform(0.3, 4)), float(rng.uniform(1.5, 5))
    _a, _c = rng.normal(size=(_n, _d)), rng.normal(size=(_m, _d))
    _b = np.linspace(-12, 12, 20_001) * np.sqrt(_v)
    _density = np.exp(-0.5 * _b**2 / _v)
    _density /= _density.sum()
    _expected = np.zeros((_n, _m))
    for _i in range(_n):
        for _j in range(_m):
            for _k in range(_d):
                _f = (
                    -0.5 * _alpha * (_a[_i, _k] - _b) ** 2
                    - 0.5 * (_b - _c[_j, _k]) ** 2
                )
                _expected[_i, _j] += np.log(np.sum(_density * np.exp(_f)))
    expect.close(
        gaussian_law(_a.copy(), _c.copy(), _v, _alpha),
        _expected,
        "the law for unequal sharpness",
        atol=1e-3,
        hint="integrate one coordinate numerically and compare",
    )
### END HIDDEN TESTS
