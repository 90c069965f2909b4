# %% [markdown]
# # Exercises: Interpolation
#
# They belong to the chapter [Interpolation](interpolation.ipynb); keep it open beside you. Five
# exercises, about 115 minutes, 20 points. You build what the chapter used ready-made: the loss that
# shapes the codes, the constant that this loss cannot see, one function that answers every question
# about a chain, its fast version, and an experiment whose outcome you predict.
#
# - Use NumPy and JAX (`np`, `jax`, `jnp` are there), nothing else; `goalward` itself is not
#   available.
# - Your functions get NumPy arrays and plain numbers and return arrays or numbers. Leave the
#   arguments as they are. How you write the functions is up to you: loops or none, other names
#   inside, extra helper functions.
# - Run the cell under each exercise: it prints nothing if all is well, and says what is wrong if not.
#   `goalward assignments check NOTEBOOK` does the same for the whole notebook.
# - Hidden tests use other numbers, sizes and seeds. A call may take 10 seconds and 2 GB. Answers in
#   single precision are good enough.
#
# The symbols are the chapter's: a code $\psi$ has $d$ coordinates, $A$ is a $d\times d$ matrix (not
# symmetric, and not always a rotation), $c>0$ is the scale. Codes stand in **rows**: `past[i]` is
# one code.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax
import jax.numpy as jnp
import numpy as np


def ou_series(rho, count, steps, seed):
    """Ornstein-Uhlenbeck series to play with, (count, steps): mean 0, correlation rho a step."""
    noise = np.random.default_rng(seed).normal(size=(count, steps))
    series = noise.copy()
    for t in range(1, steps):
        series[:, t] = rho * series[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return series - series.mean()


# %% [markdown]
# ## 1. The loss, and which way it pushes A
#
# *easy · 15 minutes · 3 points*
#
# You have $B$ pairs of codes: `past[i]` and the code `future[i]` that followed it. The critic scores
# every past with every future,
#
# $$f_{ij}=-\tfrac12\,\lVert A\,\psi_i-\psi'_j\rVert^2,$$
#
# and InfoNCE asks each past to pick its own future out of all $B$:
#
# $$L=-\frac1B\sum_{i=1}^B\log\frac{e^{f_{ii}}}{\sum_{j=1}^B e^{f_{ij}}}.$$
#
# Write `loss_and_gradient(past, future, A)`. It returns two things: the loss $L$ (a number) and its
# gradient $\partial L/\partial A$, of shape $(d,d)$. Both must be right for large codes too, where
# every $e^{f_{ij}}$ of a row is too small for the computer.
#
# <details><summary>Hint 1: the gradient</summary>
#
# Two ways. Let JAX do it: write the loss as a function of $A$ alone, and look up a function of JAX
# that gives value and gradient at once. Or by hand: with $w_{ij}$ the softmax of row $i$,
# $\partial L/\partial f_{ij}=\frac1B(w_{ij}-\mathbb 1[i=j])$, and the chain rule does the rest.
#
# </details>
#
# <details><summary>Hint 2: large codes</summary>
#
# $\log\sum_je^{f_{ij}}=m+\log\sum_je^{f_{ij}-m}$ for any $m$. Which $m$ keeps one term at 1? JAX has
# this ready-made.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "loss_and_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def loss_and_gradient(past, future, A):
    """InfoNCE of the pairs (B, d), (B, d), and its gradient with respect to A, (d, d)."""
    ### BEGIN SOLUTION
    gaps = (past @ A.T)[:, None, :] - future[None, :, :]
    logits = -0.5 * np.sum(gaps**2, axis=-1)
    highest = logits.max(axis=1, keepdims=True)
    softmax = np.exp(logits - highest)
    total = softmax.sum(axis=1, keepdims=True)
    loss = np.mean(highest[:, 0] + np.log(total[:, 0]) - np.diag(logits))
    pull = (softmax / total - np.eye(len(past))) / len(past)
    return loss, -np.einsum("ij,ija,ib->ab", pull, gaps, past)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "loss_and_gradient-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_past = np.array([[1.0, 0.0], [-2.0, 1.0], [0.0, 2.0]])
_future = np.array([[0.5, 1.0], [-1.0, -1.0], [1.0, 0.0]])
_A = np.array([[0.9, -0.6], [0.4, 0.7]])

_answer = loss_and_gradient(_past.copy(), _future.copy(), _A.copy())
assert _answer is not None, "nothing came back: not attempted, or a `return` is missing"
assert isinstance(_answer, tuple | list), "return two things: the loss and its gradient"
assert len(_answer) == 2, (
    f"return two things, the loss and its gradient, not {len(_answer)}"
)
_loss = float(expect.array(_answer[0], (), "the loss"))
for _slip, _why in {
    3.080092: "that is the sum over the pairs, not their mean",
    1.331181: "that is the loss of a past given its future: over which index does the sum in "
    "the denominator run?",
    1.178939: "that is the symmetric loss; only futures are contrasted here",
    1.573690: "is the ½ in the critic?",
    0.898916: "the critic sums over coordinates, it does not average",
    1.690821: "A or Aᵀ? With codes in rows, A applied to every past is not `past @ A`",
}.items():
    assert abs(_loss - _slip) > 1e-3, f"the loss is {_loss:.4f}: {_why}"
expect.close(_loss, 1.026697, "the loss of three pairs")

# The gradient against the slopes of your own loss.
_gradient = expect.array(_answer[1], (2, 2), "the gradient")
for _i, _j in ((0, 1), (1, 1)):
    _nudge = np.zeros((2, 2))
    _nudge[_i, _j] = 1e-2
    _up, _ = loss_and_gradient(_past.copy(), _future.copy(), _A + _nudge)
    _down, _ = loss_and_gradient(_past.copy(), _future.copy(), _A - _nudge)
    _slope = (float(_up) - float(_down)) / 2e-2
    assert abs(_gradient[_i, _j] - _slope) < 2e-3, (
        f"raising A[{_i}, {_j}] a little changes your loss at a rate of {_slope:.3f}, and your "
        f"gradient says {_gradient[_i, _j]:.3f}"
    )

# %% nbgrader={"grade": true, "grade_id": "loss_and_gradient-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import expect, hidden


def _loss_by_loops(past, future, A):
    """The sums of the task, one pair at a time, in double precision."""
    total = 0.0
    for i, now in enumerate(past):
        scores = [-0.5 * sum((A @ now - then) ** 2) for then in future]
        top = max(scores)
        total += top + np.log(sum(np.exp(score - top) for score in scores)) - scores[i]
    return total / len(past)


def _slopes(past, future, A):
    """Central differences of the loss, entry by entry."""
    slopes = np.zeros_like(A)
    for place in np.ndindex(A.shape):
        nudge = np.zeros_like(A)
        nudge[place] = 1e-5
        up, down = (_loss_by_loops(past, future, A + sign * nudge) for sign in (1, -1))
        slopes[place] = (up - down) / 2e-5
    return slopes


_rng = hidden.rng("loss_and_gradient")
for _size, _d in ((6, 3), (4, 5)):
    _past, _future = _rng.normal(size=(2, _size, _d))
    _A = _rng.normal(size=(_d, _d))
    _expected = _loss_by_loops(_past, _future, _A), _slopes(_past, _future, _A)
    _answer = loss_and_gradient(_past, _future, _A)
    assert isinstance(_answer, tuple | list), "two things are asked for"
    _case = f"of {_size} pairs of codes with {_d} coordinates"
    expect.close(_answer[0], _expected[0], f"the loss {_case}", rtol=1e-3, atol=1e-4)
    expect.close(
        _answer[1], _expected[1], f"the gradient {_case}", rtol=1e-3, atol=1e-3
    )

# Codes so large that the exponential of every score of a row is zero.
_past, _future = 60 * _rng.normal(size=(2, 6, 3))
_A = _rng.normal(size=(3, 3))
_expected = _loss_by_loops(_past, _future, _A), _slopes(_past, _future, _A)
_answer = loss_and_gradient(_past, _future, _A)
expect.close(_answer[0], _expected[0], "the loss of large codes", rtol=1e-3, atol=0.1)
_off = 0.01 * np.abs(_expected[1]).max()
expect.close(
    _answer[1], _expected[1], "the gradient at large codes", rtol=0.01, atol=_off
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. What the critic leaves out
#
# *medium · 20 minutes · 4 points*
#
# The best critic is a log ratio *up to something that depends on the past only*. InfoNCE cannot see
# that something: add any number to a whole row of scores and the softmax stays as it is. But Bayes'
# rule backwards needs it, and it is why equation (2) of the chapter has a factor in front of
# $A^\top A$. Find it.
#
# Take the chapter's two densities, the prediction (1) and the marginal:
#
# $$p(\psi'\mid\psi)=\mathcal N\big(\psi';\,\tfrac c{c+1}A\psi,\,\tfrac c{c+1}I\big),\qquad
# p(\psi')=\mathcal N(\psi';\,0,\,cI).$$
#
# Write `log_ratio(A, c, now, later)`: for every `now[i]` of `now`, shape $(m,d)$, and every `later[j]`
# of `later`, shape $(k,d)$, the log ratio
#
# $$\log\frac{p(\psi'=\texttt{later}_j\mid\psi=\texttt{now}_i)}{p(\psi'=\texttt{later}_j)},$$
#
# as an array of shape $(m,k)$, in nats.
#
# <details><summary>Hint 1</summary>
#
# The log density of $\mathcal N(\mu,vI)$ in $d$ dimensions at $x$ is
# $-\frac d2\log(2\pi v)-\frac1{2v}\lVert x-\mu\rVert^2$. Subtracting two of them is already a full
# answer; the next hint makes it shorter.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# On paper: multiply out the squares. What contains $\psi'$ is exactly what the critic contains. Two
# terms are left over: one with $d$ and $c$ alone, one with $\lVert A\psi\rVert^2$.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "log_ratio", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_ratio(A, c, now, later):
    """log p(later[j] | now[i]) - log p(later[j]) in nats, shape (m, k)."""
    ### BEGIN SOLUTION
    mapped = now @ A.T
    critic = -0.5 * np.sum((mapped[:, None, :] - later[None, :, :]) ** 2, axis=-1)
    left_out = 0.5 * len(A) * np.log(c + 1) + np.sum(mapped**2, axis=-1) / (2 * (c + 1))
    return critic + left_out[:, None]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "log_ratio-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

# One coordinate: averaged over the marginal, a ratio of densities is 1, whatever the past.
_axis = np.linspace(-20, 20, 4_001)
_marginal = np.exp(-0.5 * _axis**2 / 2.0)
_marginal /= _marginal.sum()
_rows = expect.array(
    log_ratio(np.array([[0.5]]), 2.0, np.array([[1.0], [-3.0]]), _axis[:, None].copy()),
    (2, 4_001),
    "the log ratio of two pasts and 4,001 futures",
)
_bend = (_rows[0, 2_400] - 2 * _rows[0, 2_000] + _rows[0, 1_600]) / 4**2
assert abs(_bend + 1) < 1e-2, (
    "along ψ' the log ratio should bend like the critic, with second derivative -1: is the marginal "
    "subtracted, and do both densities have their own variance?"
)
_slope = (_rows[1, 2_200] - _rows[1, 1_800]) / 4
assert abs(_slope + 1.5) < 1e-2, (
    f"around ψ' = 0 the log ratio should rise at a rate of Aψ = -1.5, not {_slope:.3f}, as the critic "
    "does"
)
_average = np.exp(_rows) @ _marginal
for _past, _value in zip((1, -3), _average, strict=True):
    assert abs(_value - 1) < 2e-3, (
        f"for ψ = {_past} the ratio averages to {_value:.4f} over the marginal, but a ratio of two "
        "densities averages to 1: the part that depends on ψ alone is not right"
    )

# Two coordinates, and a matrix that is not symmetric.
_A = np.array([[0.9, -0.6], [0.4, 0.7]])
_now = np.array([[1.0, 0.0], [-0.5, 1.0]])
_later = np.array([[0.4, 0.8], [-1.0, 0.3], [1.1, -0.6]])
expect.close(
    log_ratio(_A, 1.5, _now, _later),
    [[0.905291, -0.699709, 0.590291], [0.090541, 1.165541, -1.729459]],
    "the log ratio of two pasts and three futures",
    hint="is A the right way round, rows for the past, and does each coordinate count in log(…)?",
)

# %% nbgrader={"grade": true, "grade_id": "log_ratio-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import expect, hidden


def _log_normal(x, mean, cov):
    """Log density of a Gaussian with any covariance, by its determinant and a linear solve."""
    centred = x - mean
    return -0.5 * (
        centred @ np.linalg.solve(cov, centred) + np.linalg.slogdet(2 * np.pi * cov)[1]
    )


_rng = hidden.rng("log_ratio")
for _d, _m, _k in ((1, 3, 2), (3, 2, 5), (5, 4, 4)):
    _A = _rng.normal(size=(_d, _d))
    _c = float(np.exp(_rng.uniform(-1, 2)))
    _now, _later = _rng.normal(size=(_m, _d)), _rng.normal(size=(_k, _d))
    _eye = np.eye(_d)
    _expected = [
        [
            _log_normal(y, _c / (_c + 1) * _A @ x, _c / (_c + 1) * _eye)
            - _log_normal(y, np.zeros(_d), _c * _eye)
            for y in _later
        ]
        for x in _now
    ]
    _case = f"the log ratio of {_m} pasts and {_k} futures with {_d} coordinates"
    expect.close(
        log_ratio(_A, _c, _now, _later), _expected, _case, rtol=1e-3, atol=1e-3
    )

# Averaged over the marginal the ratio is 1: Gauss-Hermite quadrature in the plane.
_nodes, _weights = np.polynomial.hermite_e.hermegauss(40)
_A, _c = _rng.normal(size=(2, 2)), float(_rng.uniform(0.5, 2))
_A /= np.linalg.norm(_A, 2)
_grid = np.sqrt(_c) * np.stack(np.meshgrid(_nodes, _nodes), -1).reshape(-1, 2)
_now = _rng.uniform(-1, 1, size=(3, 2))
_values = expect.array(
    log_ratio(_A, _c, _now, _grid), (3, 1_600), "the log ratio on a grid"
)
_average = np.exp(_values) @ np.outer(_weights, _weights).ravel() / (2 * np.pi)
assert np.abs(_average - 1).max() < 5e-3, (
    "averaged over the marginal, the ratio should be 1"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Every question is one linear system
#
# *medium · 30 minutes · 5 points*
#
# What comes next, what came before, what lies between: three questions, one answer. A chain of
# `length` codes $\psi_0,\psi_1,\dots$ starts with $\psi_0\sim\mathcal N(0,cI)$ and takes steps
#
# $$\psi_{t+1}\mid\psi_t\sim\mathcal N\big(\tfrac c{c+1}A\psi_t,\ \tfrac c{c+1}I\big).$$
#
# You know its codes at some times: `codes[k]` is the code at time `times[k]` (`times` ascends, and
# has at least one entry and at most `length` − 1). What are the others?
#
# Write `infer(A, c, length, times, codes)`. It returns two arrays:
#
# - the posterior **means** of all codes, shape `(length, d)`; at the known times, the codes you were
#   given;
# - the posterior **covariance of each code**, shape `(length, d, d)`; zeros at the known times.
#
# With `times = [0]` this is prediction, with `times = [length - 1]` retrodiction, with both ends the
# chapter's waypoints.
#
# Before you run: the chapter's matrix $M$ in (3) has equal blocks all along its diagonal. Yours does
# not. Why are the blocks of the first and of the last code special?
#
# <details><summary>Hint 1: two ways in</summary>
#
# *By precision:* collect the quadratic terms of the whole chain's exponent in one matrix of
# `length` × `length` blocks. *By covariance:* write down the joint covariance of all codes and use
# the textbook formula for conditioning a Gaussian. Both are fine. The first has fewer places to go
# wrong.
#
# </details>
#
# <details><summary>Hint 2: by precision</summary>
#
# One step contributes $\frac{c+1}{2c}\lVert\psi_{t+1}-\frac c{c+1}A\psi_t\rVert^2$ to minus the
# exponent: a block on the diagonal for $\psi_t$, one for $\psi_{t+1}$, and two beside it. Add them up,
# step by step. The start adds one more block. Answer to the question above: the first code has a
# prior but no predecessor; the last has no successor.
#
# </details>
#
# <details><summary>Hint 3: conditioning by precision</summary>
#
# Split the matrix into unknown ($u$) and known ($k$) codes. The exponent is
# $-\frac12\psi_u^\top M_{uu}\psi_u-\psi_u^\top M_{uk}\psi_k+\dots$ Where is its maximum in $\psi_u$,
# and what is its curvature there?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "infer", "locked": false, "schema_version": 3, "solution": true, "task": false}
def infer(A, c, length, times, codes):
    """Posterior means (length, d) and covariances (length, d, d) of a chain's codes."""
    ### BEGIN SOLUTION
    d, shrink = len(A), c / (c + 1)
    M = np.zeros((length, d, length, d))
    M[0, :, 0] = np.eye(d) / c
    for t in range(length - 1):
        M[t, :, t] += shrink * A.T @ A
        M[t + 1, :, t + 1] += np.eye(d) / shrink
        M[t + 1, :, t] -= A
        M[t, :, t + 1] -= A.T

    free = np.setdiff1d(np.arange(length), times)
    among = M[free][:, :, free].reshape(len(free) * d, len(free) * d)
    pull = -np.einsum("fakb,kb->fa", M[free][:, :, times], codes)
    inverse = np.linalg.inv(among)

    means, covs = np.zeros((length, d)), np.zeros((length, d, d))
    means[times] = codes
    means[free] = (inverse @ pull.ravel()).reshape(-1, d)
    for k, t in enumerate(free):
        covs[t] = inverse[k * d : (k + 1) * d, k * d : (k + 1) * d]
    return means, covs
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "infer-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _inferred(A, c, length, times, codes):
    """The answer's two arrays, with their shapes checked."""
    A, codes = np.array(A, dtype=float), np.array(codes, dtype=float)
    answer = infer(A, c, length, np.array(times), codes)
    assert answer is not None, (
        "nothing came back: not attempted, or a `return` is missing"
    )
    assert isinstance(answer, tuple | list), (
        "return two arrays: the means and the covariances"
    )
    assert len(answer) == 2, (
        f"return two arrays, means and covariances, not {len(answer)}"
    )
    size = codes.shape[1]
    return (
        expect.array(answer[0], (length, size), "the means"),
        expect.array(answer[1], (length, size, size), "the covariances"),
    )


# One coordinate, one step: A = 0.8, c = 2.
_means, _covs = _inferred([[0.8]], 2.0, 2, [0], [[1.5]])
expect.close(
    _means[0], [1.5], "the mean at a known time", hint="give the known code back"
)
expect.close(
    _covs[0], [[0.0]], "the covariance at a known time", hint="it is known: zero"
)
expect.close(_means[1], [0.8], "the predicted mean", hint="this is equation (1)")
expect.close(
    _covs[1], [[2 / 3]], "the variance of the prediction", hint="this is equation (1)"
)

_means, _covs = _inferred([[0.8]], 2.0, 2, [1], [[1.5]])
assert abs(_covs[0, 0, 0] - 0.877193) > 1e-3, (
    "looking back, the variance is 0.8772: that multiplies the critic by the prior without what "
    "exercise 2 found, the part that depends on the past alone"
)
assert abs(_covs[0, 0, 0] - 1.5625) > 1e-3, (
    "looking back, the prior of the first code is missing"
)
expect.close(
    _covs[0], [[1.079137]], "the variance looking back", hint="this is equation (2)"
)
expect.close(
    _means[0], [1.294964], "the mean looking back", hint="this is equation (2)"
)

# The chapter's riddle: a quarter turn, c large, one waypoint between (1, 0) and (-1, 0).
_means, _ = _inferred([[0, -1], [1, 0]], 1000.0, 3, [0, 2], [[1, 0], [-1, 0]])
assert abs(_means[1] - [0, 1]).max() < 0.02, (
    f"between (1, 0) and (-1, 0) a process of quarter turns passes (0, 1), not "
    f"({_means[1, 0]:.2f}, {_means[1, 1]:.2f}): which of A and Aᵀ belongs to the past?"
)

# A matrix that is not symmetric: waypoints, then two known codes inside the chain.
_A = [[0.9, -0.6], [0.4, 0.7]]
_means, _covs = _inferred(_A, 2.0, 5, [0, 4], [[1.0, 0.5], [-0.8, 1.2]])
expect.close(
    _means[1:4],
    [[0.548804, 0.560373], [0.243088, 0.655474], [-0.120611, 0.897659]],
    "the mean of three waypoints",
    rtol=1e-3,
    hint="which of A and Aᵀ stands below the diagonal?",
)
expect.close(
    _covs[2],
    [[0.872792, 0.033068], [0.033068, 0.738517]],
    "the covariance of the middle waypoint",
    rtol=1e-3,
    hint="AᵀA or AAᵀ? And it is a block of the inverse of the whole matrix of the unknown codes",
)
_means, _ = _inferred(_A, 2.0, 5, [1, 3], [[1.0, 0.5], [-0.8, 1.2]])
expect.close(
    _means,
    [
        [0.947139, -0.080465],
        [1.0, 0.5],
        [0.250272, 1.022603],
        [-0.8, 1.2],
        [-0.96, 0.346667],
    ],
    "the means with times 1 and 3 known",
    rtol=1e-3,
    hint="unknown codes may stand before, between and after the known ones",
)

# %% nbgrader={"grade": true, "grade_id": "infer-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import expect, hidden


def _conditional(A, c, length, times, codes):
    """The same from the joint covariance of the whole chain: no precision matrix enters."""
    size, gain = len(A), c / (c + 1)
    # Every code as a combination of independent noises, one per time.
    parts = np.zeros((length, size, length, size))
    parts[0, :, 0] = np.sqrt(c) * np.eye(size)
    for t in range(1, length):
        parts[t] = np.tensordot(gain * A, parts[t - 1], axes=1)
        parts[t, :, t] += np.sqrt(gain) * np.eye(size)
    flat = parts.reshape(length * size, length * size)
    joint = flat @ flat.T
    seen = np.concatenate([np.arange(t * size, (t + 1) * size) for t in times])
    weights = np.linalg.solve(joint[np.ix_(seen, seen)], joint[seen]).T
    left = joint - weights @ joint[seen]
    blocks = [
        left[t * size : (t + 1) * size, t * size : (t + 1) * size]
        for t in range(length)
    ]
    return (weights @ np.ravel(codes)).reshape(length, size), np.array(blocks)


_rng = hidden.rng("infer")
for _name, _d, _length, _times in (
    ("three steps after the only known code", 2, 4, [0]),
    ("up to four steps before the only known code", 3, 5, [4]),
    ("between the two ends", 3, 7, [0, 6]),
    ("one waypoint, one coordinate", 1, 3, [0, 2]),
    ("around a known code inside the chain", 2, 6, [2]),
    (
        "with codes known at random times",
        2,
        9,
        np.sort(_rng.choice(9, size=3, replace=False)).tolist(),
    ),
):
    _A = _rng.normal(size=(_d, _d))
    _A *= 1.1 / np.linalg.norm(_A, 2)
    _c = float(_rng.uniform(0.5, 6))
    _codes = np.sqrt(_c) * _rng.normal(size=(len(_times), _d))
    _expected = _conditional(_A, _c, _length, _times, _codes)
    _answer = infer(_A, _c, _length, np.array(_times), _codes)
    assert isinstance(_answer, tuple | list), "two arrays are asked for"
    expect.close(_answer[0], _expected[0], f"the mean {_name}", rtol=1e-3, atol=2e-3)
    expect.close(
        _answer[1], _expected[1], f"the covariance {_name}", rtol=1e-3, atol=2e-3
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4. A thousand waypoints
#
# *hard · 25 minutes · 4 points*
#
# For $n$ waypoints the chapter's system (3) has $nd$ unknowns. Solved whole it costs memory like
# $(nd)^2$ and time like $(nd)^3$. But its matrix $M$ couples neighbours only. Use that.
#
# Write `waypoints(A, c, start, end, n)`: the posterior means of the $n$ codes between `start` and
# `end`, shape $(n,d)$, at a cost **linear in $n$**. A chain of 1,000 waypoints with 18 coordinates
# must be done within a call's 10 seconds and 2 GB; the whole matrix alone would take 2.6 GB.
#
# <details><summary>Hint 1: eliminate</summary>
#
# Row 1 of (3) gives $\mu_1=S_1(\eta_1+A^\top\mu_2)$ with $S_1=D^{-1}$. Put that into row 2: now
# $\mu_1$ is gone, and row 2 has the same form as row 1 had, with another matrix and another right
# side. What are $S_2$ and $m_2$ in $\mu_2=m_2+S_2A^\top\mu_3$?
#
# </details>
#
# <details><summary>Hint 2: forward</summary>
#
# $S_1=D^{-1}$, $m_1=S_1\eta_1$; then $S_i=(D-AS_{i-1}A^\top)^{-1}$ and
# $m_i=S_i(\eta_i+Am_{i-1})$, where $\eta_1=A\psi_0$, $\eta_n=A^\top\psi_{n+1}$ and all others are
# zero. With $n=1$ both ends feed the same waypoint.
#
# </details>
#
# <details><summary>Hint 3: backward</summary>
#
# The last waypoint has no later one: $\mu_n=m_n$. Now hint 1's formula gives $\mu_{n-1}$, and so on
# down.
#
# </details>
#
# <details><summary>Hint 4: too slow?</summary>
#
# A loop in NumPy takes well under a tenth of a millisecond a waypoint. The same loop over JAX arrays
# takes a millisecond or more, which fits, but not by far; `jax.lax.scan` makes it fast.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "waypoints", "locked": false, "schema_version": 3, "solution": true, "task": false}
def waypoints(A, c, start, end, n):
    """Posterior means (n, d) of n waypoints between two codes, in time linear in n."""
    ### BEGIN SOLUTION
    d = len(A)
    D = (c + 1) / c * np.eye(d) + c / (c + 1) * A.T @ A
    eta = np.zeros((n, d))
    eta[0] += A @ start
    eta[-1] += A.T @ end

    S, m = [np.linalg.inv(D)], []
    m.append(S[0] @ eta[0])
    for i in range(1, n):
        S.append(np.linalg.inv(D - A @ S[-1] @ A.T))
        m.append(S[-1] @ (eta[i] + A @ m[-1]))

    mu = np.zeros((n, d))
    mu[-1] = m[-1]
    for i in range(n - 2, -1, -1):
        mu[i] = m[i] + S[i] @ A.T @ mu[i + 1]
    return mu
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "waypoints-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
import time

from goalward.course.assignments import expect

_A = np.array([[0.9, -0.6], [0.4, 0.7]])
_start, _end = np.array([1.0, 0.5]), np.array([-0.8, 1.2])
expect.close(
    waypoints(_A.copy(), 2.0, _start.copy(), _end.copy(), 1),
    [[0.250272, 1.022603]],
    "a single waypoint",
    rtol=1e-3,
    hint="both ends feed it: the start through A, the end through Aᵀ",
)
_means = waypoints(_A.copy(), 2.0, _start.copy(), _end.copy(), 3)
_means = expect.array(_means, (3, 2), "the means of three waypoints")
expect.close(
    _means[2],
    [-0.120611, 0.897659],
    "the last of three waypoints",
    rtol=1e-3,
    hint="it is what the forward pass ends with; look there",
)
expect.close(
    _means[:2],
    [[0.548804, 0.560373], [0.243088, 0.655474]],
    "the first two of three waypoints, the last being right",
    rtol=1e-3,
    hint="look at the pass backward",
)

# A straight line, nearly: A = I and c large. Then a long chain.
_line = np.linspace(_start, _end, 5)[1:-1]
expect.close(
    waypoints(np.eye(2), 1e3, _start.copy(), _end.copy(), 3),
    _line,
    "the mean with A = I and c = 1,000, nearly a straight line",
    atol=1e-2,
)
_since = time.perf_counter()
_means = waypoints(0.9 * np.eye(18), 4.0, np.ones(18), np.ones(18), 1_000)
_took = time.perf_counter() - _since
_means = expect.array(_means, (1_000, 18), "the means of 1,000 waypoints")
assert _took < 10, (
    f"1,000 waypoints took {_took:.0f} seconds: work with d by d blocks, never with the whole matrix"
)
assert np.abs(_means - _means[::-1]).max() < 1e-3, (
    "with a symmetric A and equal ends, a long chain should read the same from both ends"
)

# %% nbgrader={"grade": true, "grade_id": "waypoints-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
import time

from goalward.course.assignments import expect, hidden


def _between(A, c, first, last, count):
    """Conditional mean of the middle of a chain given its ends, from the joint covariance."""
    size, total, gain = len(A), count + 2, c / (c + 1)
    blocks = np.zeros((total, total, size, size))
    variance = c * np.eye(size)
    for t in range(total):
        blocks[t, t] = variance
        for later in range(t + 1, total):
            blocks[later, t] = gain * A @ blocks[later - 1, t]
            blocks[t, later] = blocks[later, t].T
        variance = gain**2 * A @ variance @ A.T + gain * np.eye(size)
    joint = blocks.transpose(0, 2, 1, 3).reshape(total * size, total * size)
    ends = np.r_[0:size, (total - 1) * size : total * size]
    weights = np.linalg.solve(joint[np.ix_(ends, ends)], joint[ends]).T
    return (weights @ np.r_[first, last]).reshape(total, size)[1:-1]


_rng = hidden.rng("waypoints")
for _d, _n in ((2, 1), (3, 2), (2, 9)):
    _A = _rng.normal(size=(_d, _d))
    _A *= 1.1 / np.linalg.norm(_A, 2)
    _c = float(_rng.uniform(0.5, 6))
    _start, _end = np.sqrt(_c) * _rng.normal(size=(2, _d))
    _expected = _between(_A, _c, _start, _end, _n)
    _case = f"the mean with n = {_n} and {_d} coordinates"
    expect.close(
        waypoints(_A, _c, _start, _end, _n), _expected, _case, rtol=1e-3, atol=2e-3
    )

# A long Ornstein-Uhlenbeck chain: seen from a frame that turns along, it has no direction, and the
# weights of the two ends are those of a single coordinate.
_d, _n, _rho = 18, 1_000, float(_rng.uniform(0.97, 0.99))
_Q, _ = np.linalg.qr(_rng.normal(size=(_d, _d)))
_c = _rho**2 / (1 - _rho**2)
_start, _end = np.sqrt(_c) * _rng.normal(size=(2, _d))
_steps = np.arange(1, _n + 1)
_whole = 1 - _rho ** (2.0 * (_n + 1))
_forward = (_rho**_steps - _rho ** (2.0 * (_n + 1) - _steps)) / _whole
_turned, _back = [_start], [_end]
for _ in range(_n):
    _turned.append(_Q @ _turned[-1])
    _back.append(_Q.T @ _back[-1])
_expected = _forward[:, None] * _turned[1:] + (_forward[:, None] * _back[1:])[::-1]
_begun = time.perf_counter()
_means = waypoints(_Q / _rho, _c, _start, _end, _n)
_seconds = time.perf_counter() - _begun
expect.close(_means, _expected, "the mean in a chain of 1,000", rtol=1e-3, atol=0.02)
assert _seconds < 10, (
    "1,000 waypoints took more than 10 seconds: the cost should be linear in n"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Predict the scale, then train
#
# *medium · 25 minutes · 4 points*
#
# The chapter says that the scale of a representation is not free: the data set it. Here is a small
# experiment that shows it. You are given recorded series of one number each, `series` of shape
# `(count, steps)`, with mean zero and in whatever **unit** they were measured. Look at them at
# a stride of `stride` steps: a pair is $(x_t,x_{t+\text{stride}})$, both from the same series.
# Learn the simplest possible encoder, $\psi(x)=w\,x$, and the $1\times1$ matrix $A=a$:
#
# - make all pairs that there are, and let $B$ be their number;
# - minimise exercise 1's loss over $w$ and $a$, on all $B$ pairs at once (each past against all $B$
#   futures), until nothing changes any more: this is a small problem without noise, and the minimum
#   is asked for;
# - measure the scale $c$, the mean of $\psi(x)^2$ over *all* entries of `series`.
#
# Write `learn_chain(series, stride)`, which returns the two numbers $(c,a)$.
#
# **Predict first.** For Ornstein-Uhlenbeck series with correlation $\rho$ a step, what $c$ and what
# $a$ do you expect at stride $k$? What happens to $c$ if every number is multiplied by 100? Write it
# down, then run. `ou_series(0.9, 80, 4, seed=0)` of the given cell makes series to try.
#
# The tests compare with the exact minimum, to 2% in $c$ and 1% in $a$. There are 100 to 240 pairs, and
# their correlation lies between 0.65 and 0.95.
#
# <details><summary>Hint 1: minimising</summary>
#
# Plain gradient descent is enough. Divide the series by their standard deviation first, and start at
# $w=a=1$; a step size of 0.1 and 1,000 steps will do. Take `jax.grad`, and put the loop into
# `jax.lax.fori_loop` inside `jax.jit`; then it takes a second.
#
# </details>
#
# <details><summary>Hint 2: the prediction</summary>
#
# What is the correlation of $x_t$ and $x_{t+k}$ in such a series? The chapter's section on the hidden
# chain has $c$ and $A$ for any correlation. With 240 pairs, expect to find $c$ within a quarter or so; with more, closer.
#
# </details>
#
# <details><summary>Hint 3: why there is only one minimum</summary>
#
# Multiply out the square. What depends on the past alone cancels in the softmax. What is left is
# linear in $w^2a$ and in $w^2$, and the loss is convex in these two numbers.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "learn_chain", "locked": false, "schema_version": 3, "solution": true, "task": false}
def learn_chain(series, stride):
    """Scale c and factor a of the best one-number chain of the series at a stride."""
    ### BEGIN SOLUTION
    x = jnp.asarray(series / np.std(series))
    past, future = x[:, :-stride].ravel(), x[:, stride:].ravel()

    def objective(params):
        w, a = params
        scores = -0.5 * (a * w * past[:, None] - w * future[None, :]) ** 2
        return jnp.mean(jax.nn.logsumexp(scores, axis=1) - jnp.diag(scores))

    slope = jax.grad(objective)
    descend = jax.jit(
        lambda p: jax.lax.fori_loop(0, 1_000, lambda _, q: q - 0.1 * slope(q), p)
    )
    w, a = descend(jnp.ones(2))
    return float(jnp.mean((w * x) ** 2)), float(a)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "learn_chain-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_series = ou_series(0.9, 80, 4, seed=0)
for _stride, _unit, _best in ((1, 1.0, (3.9230, 1.1462)), (2, 100.0, (1.5851, 1.3740))):
    _pair = learn_chain(_unit * _series, _stride)
    _c, _a = expect.array(_pair, (2,), "the pair (c, a)")
    expect.close(
        _a,
        _best[1],
        f"a at stride {_stride}, for series in a unit of {_unit:g},",
        rtol=0.01,
        hint="are both codes of a pair from one series and `stride` steps apart, and does each past "
        "choose among the futures, until nothing changes any more?",
    )
    expect.close(
        _c,
        _best[0],
        f"c at stride {_stride}, for series in a unit of {_unit:g},",
        rtol=0.02,
        hint="is the ½ in the critic, is c the mean of the squared codes, and did w settle?",
    )

# %% nbgrader={"grade": true, "grade_id": "learn_chain-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import expect, hidden


def _exact_minimum(series, stride):
    """(c, a) by Newton's method on the two numbers in which the loss is convex."""
    pairs = [
        (row[t], row[t + stride]) for row in series for t in range(len(row) - stride)
    ]
    now, then = np.array(pairs).T / np.sqrt(np.mean(series**2))
    features = np.stack([np.outer(now, then), np.tile(-0.5 * then**2, (len(now), 1))])
    own = np.stack([np.diag(feature) for feature in features])

    def value(theta):
        scores = np.tensordot(theta, features, 1)
        top = scores.max(axis=1)
        return np.mean(top + np.log(np.exp(scores - top[:, None]).sum(1)) - theta @ own)

    theta = np.array([1.0, 1.0])
    for _ in range(50):
        scores = np.tensordot(theta, features, 1)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        average = np.sum(weights * features, axis=2)
        gradient = np.mean(average - own, axis=1)
        curvature = np.einsum("ij,aij,bij->ab", weights, features, features) / len(now)
        step = np.linalg.solve(curvature - average @ average.T / len(now), gradient)
        while value(theta - step) > value(theta) + 1e-12:
            step /= 2
        theta = theta - step
        if np.abs(gradient).max() < 1e-10:
            break
    return np.array([theta[1], theta[0] / theta[1]])


_rng = hidden.rng("learn_chain")
for _kind, _count, _steps, _stride, _power in (
    ("a few steps apart", 20, 8, 3, 1.0),
    ("one step apart, with noise that is not Gaussian,", 30, 5, 1, 1.8),
):
    _correlation = 0.0
    while (
        not 0.7 < _correlation < 0.94
    ):  # where a finite sample gives a scale to be learned
        _rho = _rng.uniform(0.75, 0.92) ** (1 / _stride)
        _noise = _rng.normal(size=(_count, _steps))
        _noise = np.sign(_noise) * np.abs(_noise) ** _power
        _series = _noise / np.std(_noise)
        for _t in range(1, _steps):
            _series[:, _t] = (
                _rho * _series[:, _t - 1] + np.sqrt(1 - _rho**2) * _series[:, _t]
            )
        _series -= _series.mean()
        _correlation = np.corrcoef(
            _series[:, :-_stride].flat, _series[:, _stride:].flat
        )[0, 1]
    _series *= np.exp(_rng.uniform(-3, 3))
    _expected = _exact_minimum(_series, _stride)
    _pair = expect.array(learn_chain(_series.copy(), _stride), (2,), "the pair (c, a)")
    expect.close(_pair[1], _expected[1], f"a for pairs {_kind}", rtol=0.01)
    expect.close(_pair[0], _expected[0], f"c for pairs {_kind}", rtol=0.02)
### END HIDDEN TESTS

# %% [markdown]
# ## And then
#
# You now hold all pieces of a planner: codes learned by contrast (exercises 1 and 5), their exact
# meaning (2), and the inference (3 and 4). The chapter ends its maze with an open question: *how many*
# strides lie between two codes? `infer` with `times = [0]` gives the density of the code $k$ steps on
# for every $k$. Which $k$ makes the end likeliest? There are no points for this one.
