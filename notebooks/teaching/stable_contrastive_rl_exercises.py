# %% [markdown]
# # Exercises: Stable contrastive RL
#
# This assignment belongs to the chapter [Stable contrastive RL](stable_contrastive_rl.ipynb); keep it
# open beside you. 4 exercises, 20 points, about 80 minutes. You write the four switches yourself: a
# normalised layer, a cold start, the balanced loss with its slope, and a crop for two pictures.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers. Leave the
#   arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. Further checks are hidden and use other sizes and seeds.
# - `goalward assignments check` followed by this notebook's name says at home where you stand.
#
# Where a seed is given, your random numbers may come from `np.random.default_rng(seed)` or
# `jax.random.key(seed)`: only their distribution is tested.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

rows = np.array([[1.0, -1.0], [2.0, 0.5], [0.0, 3.0]])
kernel = np.array([[1.0, 0.0, -1.0, 2.0], [0.5, 1.0, 0.0, -1.0]])

# %% [markdown]
# ## 1. A normalised layer
#
# *easy · 15 minutes · 4 points*
#
# `x` has shape (B, n), `weights` (n, m), `bias` (m,). Compute the dense layer's values, then bring each
# row to mean 0 and variance 1 (the variance is the mean square of what is left after subtracting the
# mean; add `eps` to it before the root), then cut at zero. Return two arrays (B, m): the normalised
# values before the cut, and the layer's output.
#
# <details><summary>Hint</summary>
#
# The statistics are those of one example over its units, not of one unit over the batch. What would
# happen to a batch with a single row otherwise?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "layer_norm_dense", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm_dense(x, weights, bias, eps):
    """Normalised values and output of a layer, both (B, m); x (B, n), weights (n, m), bias (m,)."""
    ### BEGIN SOLUTION
    values = x @ weights + bias
    values = values - values.mean(axis=1, keepdims=True)
    normalised = values / np.sqrt((values**2).mean(axis=1, keepdims=True) + eps)
    return normalised, np.maximum(normalised, 0.0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "layer_norm_dense-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_answer = layer_norm_dense(
    rows.copy(), kernel.copy(), np.array([0.0, 0.1, 0.0, 0.0]), 1e-6
)
assert isinstance(_answer, list | tuple), "return two arrays"
assert len(_answer) == 2, "return two arrays"
_values = expect.array(_answer[0], (3, 4), "the normalised values")
expect.close(
    _values.mean(axis=1), np.zeros(3), "the mean of each row", hint="one row, all units"
)
expect.close(
    _values[0],
    [0.061958, -0.805452, -0.867409, 1.610903],
    "the normalised values of the first row",
    rtol=1e-3,
    hint="variance 1, and the bias belongs to the dense layer",
)
expect.close(
    _answer[1],
    np.maximum(_values, 0),
    "the layer's output",
    hint="the nonlinearity comes after the normalisation",
)

# %% nbgrader={"grade": true, "grade_id": "layer_norm_dense-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("layer_norm_dense")
for _B, _n, _m, _eps in ((1, 3, 6, 1e-6), (7, 4, 5, 1e-6), (5, 2, 9, 0.5)):
    _x, _w, _b = (
        rng.normal(size=(_B, _n)),
        rng.normal(size=(_n, _m)),
        rng.normal(size=_m),
    )
    _want = np.empty((_B, _m))
    for _i in range(_B):
        _h = [
            float(_b[_j] + sum(_x[_i, _k] * _w[_k, _j] for _k in range(_n)))
            for _j in range(_m)
        ]
        _mean = sum(_h) / _m
        _var = sum((_u - _mean) ** 2 for _u in _h) / _m
        _want[_i] = [(_u - _mean) / (_var + _eps) ** 0.5 for _u in _h]
    _normalised, _output = layer_norm_dense(_x.copy(), _w.copy(), _b.copy(), _eps)
    expect.close(
        _normalised, _want, f"the normalised values of {_B} rows", rtol=1e-4, atol=1e-4
    )
    expect.close(
        _output,
        np.clip(_want, 0, None),
        f"the output of {_B} rows",
        rtol=1e-4,
        atol=1e-4,
    )
_normalised, _ = layer_norm_dense(30 * _x, _w.copy(), np.zeros(_m), 1e-6)
_again, _ = layer_norm_dense(_x.copy(), _w.copy(), np.zeros(_m), 1e-6)
expect.close(
    _normalised, _again, "invariance to the input's scale", rtol=1e-3, atol=1e-3
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. A cold start
#
# *easy · 15 minutes · 5 points*
#
# `x` (B, n) and `y` (B, m) are what enters the last layers of the two networks. Draw weights $W$
# (outputs, n) and $V$ (outputs, m), each entry uniform between `-scale` and `scale`, all independent. The
# logits are $f_{ij}=(Wx_i)^\top(Vy_j)$. Return four things: `W`, `V`, the balanced loss (1) of the
# chapter, and InfoNCE, the mean over rows of $-\log\big(e^{f_{ii}}/\sum_je^{f_{ij}}\big)$. Logits of size 500
# must do no harm.
#
# <details><summary>Hint 1</summary>
#
# You know both losses at scale $10^{-12}$ without running anything. Use it as a check.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.logaddexp(0, z)` is $\log(1+e^z)$ without overflow; `np.logaddexp.reduce` sums a row.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "cold_start", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cold_start(x, y, outputs, scale, seed):
    """W (outputs, n), V (outputs, m), the balanced NCE loss and InfoNCE; x (B, n), y (B, m)."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    W = rng.uniform(-scale, scale, size=(outputs, x.shape[1]))
    V = rng.uniform(-scale, scale, size=(outputs, y.shape[1]))
    logits = (x @ W.T) @ (y @ V.T).T
    B = len(x)
    positive = np.diagonal(logits)
    strangers = np.logaddexp(0, logits).sum() - np.logaddexp(0, positive).sum()
    nce = np.logaddexp(0, -positive).mean() + strangers / (B * (B - 1))
    info_nce = (np.logaddexp.reduce(logits, axis=1) - positive).mean()
    return W, V, nce, info_nce
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cold_start-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_W, _V, _nce, _info = cold_start(rows.copy(), rows[:, ::-1].copy(), 4, 1e-12, 0)
_W, _V = expect.array(_W, (4, 2), "W"), expect.array(_V, (4, 2), "V")
assert 1e-14 < np.abs(_W).max() <= 1e-12, (
    "the entries of W should fill the range up to the scale"
)
expect.close(_nce, 1.3862944, "the balanced loss of a cold start", hint="log 2 twice")
expect.close(
    _info, 1.0986123, "InfoNCE of a cold start with three rows", hint="three candidates"
)

# %% nbgrader={"grade": true, "grade_id": "cold_start-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("cold_start")
for _B, _outputs, _scale in ((5, 3, 0.5), (8, 2, 0.1), (4, 6, 30.0), (9, 3, 1e-12)):
    _x, _y = rng.normal(size=(_B, 4)), rng.normal(size=(_B, 3))
    _W, _V, _nce, _info = cold_start(
        _x.copy(), _y.copy(), _outputs, _scale, int(rng.integers(10**6))
    )
    _W, _V = expect.array(_W, (_outputs, 4), "W"), expect.array(_V, (_outputs, 3), "V")
    assert max(np.abs(_W).max(), np.abs(_V).max()) <= _scale * (1 + 1e-6), (
        "entries beyond the scale"
    )
    _own = _other = _soft = 0.0
    for _i in range(_B):
        _row = [float((_W @ _x[_i]) @ (_V @ _y[_j])) for _j in range(_B)]
        _own += np.logaddexp(0, -_row[_i]) / _B
        _other += sum(np.logaddexp(0, _f) for _j, _f in enumerate(_row) if _j != _i)
        _top = max(_row)
        _soft += (_top + np.log(sum(np.exp(_f - _top) for _f in _row)) - _row[_i]) / _B
    _want = _own + _other / (_B * (_B - 1))
    expect.close(
        _nce, _want, "the balanced loss of your own W and V", rtol=1e-4, atol=1e-4
    )
    expect.close(_info, _soft, "InfoNCE of your own W and V", rtol=1e-4, atol=1e-4)
_x = np.ones((2, 60))
_W, _V, *_ = cold_start(_x, _x.copy(), 50, 2.0, int(rng.integers(10**6)))
for _name, _drawn in (("W", np.asarray(_W)), ("V", np.asarray(_V))):
    # 3,000 draws: six standard errors.
    assert abs(_drawn.mean()) < 6 * 1.155 / 3000**0.5, (
        f"the entries of {_name} should average zero"
    )
    assert abs((_drawn**2).mean() - 4 / 3) < 6 * 1.193 / 3000**0.5, (
        f"is {_name} uniform?"
    )
    assert abs((_drawn**4).mean() - 3.2) < 6 * 4.267 / 3000**0.5, f"is {_name} uniform?"
assert abs(np.mean(np.asarray(_W) * np.asarray(_V))) < 6 * 1.333 / 3000**0.5, (
    "are W and V independent?"
)
_W2, *_ = cold_start(_x, _x.copy(), 50, 2.0, int(rng.integers(10**6, 10**7)))
assert not np.allclose(_W, _W2), "another seed should give other weights"
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The balanced loss and its slope
#
# *medium · 25 minutes · 5 points*
#
# `logits` has shape (B, B), own futures on the diagonal. Return the balanced loss (1) and its derivative in
# every logit, shape (B, B). Derive the slope on paper first: it says which entries pull up and which push
# down, and why nothing is left to do when the logits are the log ratio.
#
# <details><summary>Hint 1</summary>
#
# The derivative of $\log(1+e^{-z})$ is $-1/(1+e^z)$. What is that at a very large $z$?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With all logits zero, every row of the slope sums to zero. If yours do not, look at the weights.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "balanced_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def balanced_loss(logits):
    """The balanced NCE loss and its slope (B, B) in the logits (B, B)."""
    ### BEGIN SOLUTION
    B = len(logits)
    own = np.eye(B)
    weight = own / B + (1 - own) / (B * (B - 1))
    sign = 1 - 2 * own
    margin = sign * logits
    loss = (weight * np.logaddexp(0, margin)).sum()
    slope = weight * sign * np.exp(-np.logaddexp(0, -margin))
    return loss, slope
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "balanced_loss-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_loss, _slope = balanced_loss(np.zeros((3, 3)))
expect.close(
    _loss, 1.3862944, "the loss of a table of zeros", hint="both classes weigh the same"
)
_slope = expect.array(_slope, (3, 3), "the slope")
expect.close(
    _slope.sum(axis=1), np.zeros(3), "the sum of each row of the slope at zero"
)
expect.close(
    _slope[0, 0], -1 / 6, "the slope of an own future at zero", hint="a mean over rows"
)

# %% nbgrader={"grade": true, "grade_id": "balanced_loss-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden


def _slow_loss(f):
    size, total = len(f), 0.0
    for i in range(size):
        for j in range(size):
            if i == j:
                total += np.logaddexp(0, -f[i, j]) / size
            else:
                total += np.logaddexp(0, f[i, j]) / (size * (size - 1))
    return total


rng = hidden.rng("balanced_loss")
for _B in (2, 4, 7):
    _f = rng.normal(size=(_B, _B)) * 2
    _loss, _slope = balanced_loss(_f.copy())
    expect.close(_loss, _slow_loss(_f), f"the loss of {_B} rows", rtol=1e-4)
    _numeric = np.empty((_B, _B))
    for _i, _j in np.ndindex(_B, _B):
        _step = np.zeros((_B, _B))
        _step[_i, _j] = 1e-5
        _numeric[_i, _j] = (_slow_loss(_f + _step) - _slow_loss(_f - _step)) / 2e-5
    expect.close(
        _slope, _numeric, f"the slope of {_B} rows, by finite differences", atol=1e-5
    )
_far = np.array([[800.0, -900.0], [900.0, -800.0]])
_loss, _slope = balanced_loss(_far.copy())
expect.close(_loss, 850.0, "the loss of very large logits", rtol=1e-4)
expect.close(
    _slope, [[0.0, 0.0], [0.5, -0.5]], "the slope of very large logits", atol=1e-5
)

# At the log ratio the slope vanishes on average: all batches of three from a small joint table.
_joint = rng.dirichlet(np.ones(4)).reshape(2, 2)
_ratio = np.log(_joint / np.outer(_joint.sum(axis=1), _joint.sum(axis=0)))
_pull = np.zeros((2, 2))
_pairs = [(a, b) for a in range(2) for b in range(2)]
for _batch in ((p, q, r) for p in _pairs for q in _pairs for r in _pairs):
    _chance = np.prod([_joint[p] for p in _batch])
    _f = np.array([[_ratio[p[0], q[1]] for q in _batch] for p in _batch])
    _slope = np.asarray(balanced_loss(_f)[1])
    for _i, _j in np.ndindex(3, 3):
        _pull[_batch[_i][0], _batch[_j][1]] += _chance * _slope[_i, _j]
expect.close(_pull, np.zeros((2, 2)), "the average slope at the log ratio", atol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# ## 4. One crop for two pictures
#
# *medium · 25 minutes · 6 points*
#
# `state` and `goal` are pictures, shape (B, H, W). For each row draw a shift: two integers, independent and
# uniform on $0,\dots,2\,\text{pad}$. Pad both pictures of the row by `pad` pixels on each side, repeating the
# border, and cut out the window of size (H, W) whose upper left corner lies at the shift. Both pictures of a
# row share the shift; rows have their own. Return the cropped states, the cropped goals, and the shifts
# (B, 2), rows first.
#
# <details><summary>Hint 1</summary>
#
# `np.pad(..., mode="edge")` repeats the border. Pad the last two axes only.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A shift equal to `pad` in both entries gives the picture back unchanged.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "joint_crop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def joint_crop(state, goal, pad, seed):
    """Cropped states and goals (B, H, W), and the shifts (B, 2) that they share row by row."""
    ### BEGIN SOLUTION
    B, height, width = state.shape
    shifts = np.random.default_rng(seed).integers(0, 2 * pad + 1, size=(B, 2))
    cropped = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        windows = [
            p[i : i + height, j : j + width]
            for p, (i, j) in zip(padded, shifts, strict=True)
        ]
        cropped.append(np.stack(windows))
    return cropped[0], cropped[1], shifts
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "joint_crop-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_state = np.arange(2 * 4 * 5).reshape(2, 4, 5)
_seen, _aim, _shifts = joint_crop(_state.copy(), _state + 100, 1, 0)
_shifts = expect.array(_shifts, (2, 2), "the shifts")
assert set(_shifts.ravel()) <= {0, 1, 2}, "with pad 1 a shift is 0, 1 or 2"
_seen = expect.array(_seen, (2, 4, 5), "the cropped states")
expect.close(
    expect.array(_aim, (2, 4, 5), "the cropped goals") - _seen,
    np.full((2, 4, 5), 100),
    "goal minus state, where the goal is the state plus 100",
    hint="both pictures of a row share the shift",
)

# %% nbgrader={"grade": true, "grade_id": "joint_crop-hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("joint_crop")
for _B, _H, _W, _pad in ((6, 5, 7, 2), (4, 9, 6, 3), (3, 4, 4, 1)):
    _state, _goal = rng.normal(size=(2, _B, _H, _W))
    _answer = joint_crop(_state.copy(), _goal.copy(), _pad, int(rng.integers(10**6)))
    _shifts = expect.array(_answer[2], (_B, 2), "the shifts")
    for _what, _images, _got in (
        ("states", _state, _answer[0]),
        ("goals", _goal, _answer[1]),
    ):
        _want = np.empty_like(_images)
        for _b, _i, _j in np.ndindex(_B, _H, _W):
            _r = min(max(_i + int(_shifts[_b, 0]) - _pad, 0), _H - 1)
            _c = min(max(_j + int(_shifts[_b, 1]) - _pad, 0), _W - 1)
            _want[_b, _i, _j] = _images[_b, _r, _c]
        expect.close(
            _got, _want, f"the cropped {_what}, given the shifts that you return"
        )
_many = np.zeros((1500, 1, 1))
*_, _shifts = joint_crop(_many, _many.copy(), 2, int(rng.integers(10**6)))
_shifts = expect.array(_shifts, (1500, 2), "the shifts of many rows").astype(int)
assert (_shifts.min(), _shifts.max()) == (0, 4), (
    "with pad 2 the shifts should run from 0 to 4"
)
_table = np.zeros((5, 5))
np.add.at(_table, (_shifts[:, 0], _shifts[:, 1]), 1)
# Binomial, 1,500 draws of probability 1/25: mean 60, deviation 7.6; more than six deviations.
assert np.abs(_table - 60).max() < 48, "each pair of shifts should be equally likely"
*_, _others = joint_crop(_many, _many.copy(), 2, int(rng.integers(10**6, 10**7)))
assert not np.array_equal(_shifts, np.asarray(_others)), (
    "another seed should give other shifts"
)
### END HIDDEN TESTS
