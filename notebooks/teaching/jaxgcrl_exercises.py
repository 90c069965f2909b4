# %% [markdown]
# # Exercises: JaxGCRL
#
# Four exercises to the chapter [Goals without rewards, in one program](jaxgcrl.ipynb); keep it open
# beside you. 20 points, about 80 minutes. You write the energies and the losses that the chapter compares, the relabelling that makes
# their pairs, and the sums behind "updates to data".
#
# - Use NumPy and JAX, in any style: loops or not. `goalward` itself is not there when you are graded.
# - Your functions get NumPy arrays and plain numbers and leave them as they are. They return arrays
#   or numbers and have 10 seconds a call.
# - Write your answer in place of the line that raises `NotImplementedError`, then run the check
#   below it. No message means that the check passes.
# - When you hand in, further checks with other sizes and seeds decide about most of the points. At
#   home `goalward assignments check` says where you stand.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax  # noqa: F401
import jax.numpy as jnp  # noqa: F401
import numpy as np

# Two codes of states and actions, three of goals. For exercise 1.
PHI = np.array([[1.0, 2.0], [0.0, -1.0]])
PSI = np.array([[1.0, 2.0], [3.0, 0.0], [-2.0, 1.0]])
# A table of logits: anchors in rows, candidates in columns. For exercise 2.
LOGITS = np.array([[2.0, 0.0, -1.0], [1.0, 1.0, 0.0], [0.0, -2.0, 3.0]])

# %% [markdown]
# ## 1. Five energies
#
# *easy · 20 minutes · 5 points*
#
# Write `energies(phi, psi, name)`: the energy of each code in `phi`, shape (m, d), with each code in
# `psi`, shape (n, d), as an array of shape (m, n). No code is zero.
#
# | `name` | energy |
# | --- | --- |
# | `"l2"` | $-\sqrt{\lVert\phi-\psi\rVert_2^2+10^{-6}}$ |
# | `"squared_l2"` | $-\lVert\phi-\psi\rVert_2^2$ |
# | `"l1"` | $-\lVert\phi-\psi\rVert_1$ |
# | `"dot"` | $\phi\cdot\psi$ |
# | `"cosine"` | $\phi\cdot\psi\,/\,(\lVert\phi\rVert_2\lVert\psi\rVert_2)$ |
#
# Codes may lie far from the origin and close together: then a difference of large numbers in single
# precision is not good enough. NumPy computes in double precision.
#
# <details><summary>Hint 1</summary>
#
# `phi[:, None] - psi[None]` holds all differences.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# For the cosine each code is divided by *its own* length: a norm along the last axis, kept as a
# column.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "energies", "locked": false, "schema_version": 3, "solution": true, "task": false}
def energies(phi, psi, name):
    """The energy of all pairs: (m, n)."""
    ### BEGIN SOLUTION
    difference = phi[:, None, :] - psi[None, :, :]
    squares = (difference**2).sum(axis=-1)
    if name == "l2":
        return -np.sqrt(squares + 1e-6)
    if name == "squared_l2":
        return -squares
    if name == "l1":
        return -np.abs(difference).sum(axis=-1)
    products = phi @ psi.T
    if name == "dot":
        return products
    lengths = (
        np.linalg.norm(phi, axis=1)[:, None] * np.linalg.norm(psi, axis=1)[None, :]
    )
    return products / lengths
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "energies-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    energies(PHI.copy(), PSI.copy(), "squared_l2"),
    [[0, -8, -10], [-10, -10, -8]],
    "the squared distances of PHI and PSI",
    hint="one row for each code in phi; the sign makes near codes the likely ones",
)
expect.close(
    energies(PHI.copy(), PSI.copy(), "l2")[0],
    [-1e-3, -np.sqrt(8), -np.sqrt(10)],
    "the distances of the first code",
    atol=1e-6,
    hint="the small number stands under the root",
)
expect.close(
    energies(PHI.copy(), PSI.copy(), "l1"), [[0, -4, -4], [-4, -4, -4]], "the 1-norms"
)
expect.close(
    energies(PHI.copy(), PSI.copy(), "dot"), [[5, 3, 0], [-2, 0, -1]], "the products"
)
expect.close(
    energies(PHI.copy(), PSI.copy(), "cosine")[0],
    [1, 1 / np.sqrt(5), 0],
    "the cosines of the first code",
    hint="a code and itself have cosine 1",
)

# %% nbgrader={"grade": true, "grade_id": "energies-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("energies")
for _m, _n, _d, _far in ((4, 3, 5, 0.0), (2, 6, 3, 0.0), (3, 3, 4, 1e4)):
    _phi, _psi = _far + _rng.normal(size=(_m, _d)), _far + _rng.normal(size=(_n, _d))
    _psi[0] = _phi[1]
    _rows = {
        name: np.zeros((_m, _n)) for name in ("l2", "squared_l2", "l1", "dot", "cosine")
    }
    for _i in range(_m):
        for _j in range(_n):
            _pairs = list(zip(_phi[_i].tolist(), _psi[_j].tolist(), strict=True))
            _square = sum((a - b) ** 2 for a, b in _pairs)
            _product = sum(a * b for a, b in _pairs)
            _rows["l2"][_i, _j] = -((_square + 1e-6) ** 0.5)
            _rows["squared_l2"][_i, _j] = -_square
            _rows["l1"][_i, _j] = -sum(abs(a - b) for a, b in _pairs)
            _rows["dot"][_i, _j] = _product
            _both = sum(a * a for a, _ in _pairs) * sum(b * b for _, b in _pairs)
            _rows["cosine"][_i, _j] = _product / _both**0.5
    for _name, _wanted in _rows.items():
        if _far and _name in ("dot", "cosine"):
            continue
        expect.close(
            energies(_phi.copy(), _psi.copy(), _name),
            _wanted,
            f"{_name} of {_m} and {_n} codes" + " far from the origin" * bool(_far),
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Losses on a table of logits
#
# *medium · 25 minutes · 6 points*
#
# `F[i, j]` scores candidate $j$ for anchor $i$, and the positives lie on the diagonal. Write
#
# 1. `contrastive_loss(F, name)`, a number, for a table of shape (B, B) with $B\ge2$:
#
# | `name` | loss |
# | --- | --- |
# | `"forward"` | $-\frac1B\sum_i\left(F_{ii}-\log\sum_je^{F_{ij}}\right)$ |
# | `"backward"` | the same with the sum over anchors, $\log\sum_je^{F_{ji}}$ |
# | `"symmetric"` | the mean of the two |
# | `"dpo"` | $-\frac1{B^2}\sum_{ij}\log\sigma(F_{ii}-F_{ij})$ with $\sigma(x)=1/(1+e^{-x})$ |
# | `"ipo"` | $\frac1{B^2}\sum_{ij}(F_{ii}-F_{ij}-1)^2$ |
# | `"forward_backward"` | $\frac1B\sum_i\left(-F_{ii}+\frac12\frac1{B-1}\sum_{j\ne i}F_{ij}^2\right)$ |
#
# 2. `penalty(F)`, the mean over anchors of the *square* of $\log\sum_je^{F_{ij}}$.
#
# Logits may be as large as ±2000, within a row and between rows: nothing may overflow.
#
# <details><summary>Hint 1</summary>
#
# $\log\sum_je^{x_j}=m+\log\sum_je^{x_j-m}$ with the largest $x_j$ as $m$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $-\log\sigma(x)=\log(1+e^{-x})$, which `np.logaddexp(0, -x)` computes without overflow.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def contrastive_loss(F, name):
    """A number."""
    ### BEGIN SOLUTION
    B, own = len(F), np.diagonal(F)
    if name == "forward":
        return np.mean(np.logaddexp.reduce(F, axis=1) - own)
    if name == "backward":
        return np.mean(np.logaddexp.reduce(F, axis=0) - own)
    if name == "symmetric":
        return (contrastive_loss(F, "forward") + contrastive_loss(F, "backward")) / 2
    margins = own[:, None] - F
    if name == "dpo":
        return np.mean(np.logaddexp(0, -margins))
    if name == "ipo":
        return np.mean((margins - 1) ** 2)
    others = (F**2).sum() - (own**2).sum()
    return -own.mean() + 0.5 * others / (B * (B - 1))
    ### END SOLUTION


def penalty(F):
    """A number, at least 0."""
    ### BEGIN SOLUTION
    return np.mean(np.logaddexp.reduce(F, axis=1) ** 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "losses-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

for _name, _wanted in (
    ("forward", 0.3622753),
    ("backward", 0.2741674),
    ("symmetric", 0.3182213),
    ("dpo", 0.3685187),
    ("ipo", 3.2222222),
    ("forward_backward", -1.5),
):
    expect.close(
        contrastive_loss(LOGITS.copy(), _name),
        _wanted,
        f"{_name} of LOGITS",
        hint="rows are anchors, columns are candidates",
    )
expect.close(
    penalty(LOGITS.copy()), 5.8360643, "the penalty of LOGITS", hint="a mean of squares"
)

# %% nbgrader={"grade": true, "grade_id": "losses-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
import math

from goalward.course.assignments import hidden

_rng = hidden.rng("losses")


def _log_sum(values):
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))


for _B, _scale in ((2, 1.0), (5, 2.0), (4, 600.0)):
    _F = _rng.normal(size=(_B, _B)) * _scale
    if _scale > 100:
        _F = np.clip(_F + _rng.normal(size=(_B, 1)) * 600, -2000, 2000)
    _rows = [_log_sum(_F[i].tolist()) for i in range(_B)]
    _columns = [_log_sum(_F[:, i].tolist()) for i in range(_B)]
    _own = [float(_F[i, i]) for i in range(_B)]
    _forward = sum(r - o for r, o in zip(_rows, _own, strict=True)) / _B
    _backward = sum(c - o for c, o in zip(_columns, _own, strict=True)) / _B
    _dpo = _ipo = _fb = 0.0
    for _i in range(_B):
        _fb -= _own[_i] / _B
        for _j in range(_B):
            _margin = _own[_i] - float(_F[_i, _j])
            _dpo += (max(-_margin, 0) + math.log1p(math.exp(-abs(_margin)))) / _B**2
            _ipo += (_margin - 1) ** 2 / _B**2
            _fb += 0.5 * float(_F[_i, _j]) ** 2 / (_B - 1) / _B * (_i != _j)
    _told = f"a table of {_B} × {_B}" + " with large logits" * (_scale > 100)
    for _name, _wanted in (
        ("forward", _forward),
        ("backward", _backward),
        ("symmetric", (_forward + _backward) / 2),
        ("dpo", _dpo),
        ("ipo", _ipo),
        ("forward_backward", _fb),
    ):
        expect.close(contrastive_loss(_F.copy(), _name), _wanted, f"{_name} of {_told}")
    expect.close(
        penalty(_F.copy()), sum(r**2 for r in _rows) / _B, f"the penalty of {_told}"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Futures from a window
#
# *medium · 25 minutes · 5 points*
#
# The replay buffer gives a window of consecutive steps of one environment. `trajectory[i]` is the
# number of the episode that step $i$ belongs to; episodes follow each other. For each step a goal is
# drawn from its own episode's later steps, $\Pr(j)\propto\gamma^{j-i}$ for $j>i$ in the same episode.
# The last step of an episode in the window has no later one: it gets itself.
#
# Write `relabel(trajectory, gamma, draws, seed)`: an integer array of shape (draws, T), `draws`
# independent choices of $j$ for each of the T steps. The same seed gives the same choices, another
# seed others.
#
# <details><summary>Hint 1</summary>
#
# `np.random.default_rng(seed)` has `choice` with `p=`: one step of the window after the other.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The weights of the steps $i+1,\dots,e$, with $e$ the last step of the episode in the window, are
# divided by their sum; what lies beyond $e$ gets nothing.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "relabel", "locked": false, "schema_version": 3, "solution": true, "task": false}
def relabel(trajectory, gamma, draws, seed):
    """Indices of goals: (draws, T) integers."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    T = len(trajectory)
    chosen = np.zeros((draws, T), dtype=int)
    for i in range(T):
        later = np.flatnonzero((trajectory == trajectory[i]) & (np.arange(T) > i))
        if len(later) == 0:
            chosen[:, i] = i
            continue
        weights = gamma ** (later - i)
        chosen[:, i] = rng.choice(later, size=draws, p=weights / weights.sum())
    return chosen
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "relabel-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_episodes = np.array([4, 4, 4, 7, 7, 9])
_chosen = expect.array(
    relabel(_episodes.copy(), 0.5, 2000, 0), (2000, 6), "relabel(…, draws=2000)"
)
expect.close(
    [_chosen[:, i].min() for i in range(6)],
    [1, 2, 2, 4, 4, 5],
    "the earliest goal of each step",
    hint="later steps of the same episode; the last step gets itself",
)
expect.close(
    [_chosen[:, i].max() for i in range(6)],
    [2, 2, 2, 4, 4, 5],
    "the latest goal of each step",
    hint="no goal lies in another episode",
)
expect.close(
    np.mean(_chosen[:, 0] == 1), 2 / 3, "how often step 0 gets step 1", atol=0.05
)
expect.close(relabel(_episodes.copy(), 0.5, 2000, 0), _chosen, "the same seed again")
assert not np.array_equal(relabel(_episodes.copy(), 0.5, 2000, 1), _chosen), (
    "relabel: another seed should give other choices"
)

# %% nbgrader={"grade": true, "grade_id": "relabel-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("relabel")
for _lengths in ((5, 3, 1, 6), (12,)):
    _gamma, _draws = float(_rng.uniform(0.5, 0.95)), 20_000
    _names = _rng.permutation(20)[: len(_lengths)]
    _episodes = np.repeat(_names, _lengths)
    _T = len(_episodes)
    _chosen = relabel(_episodes.copy(), _gamma, _draws, int(_rng.integers(2**31)))
    _chosen = expect.array(_chosen, (_draws, _T), "relabel").astype(int)
    assert np.all((_chosen >= 0) & (_chosen < _T)), "goals are steps of the window"
    _end = 0
    for _length in _lengths:
        _start, _end = _end, _end + _length
        for _i in range(_start, _end):
            _wanted = np.zeros(_T)
            _mass = [_gamma ** (j - _i) for j in range(_i + 1, _end)]
            if _mass:
                _wanted[_i + 1 : _end] = np.array(_mass) / sum(_mass)
            else:
                _wanted[_i] = 1.0
            _share = np.bincount(_chosen[:, _i], minlength=_T) / _draws
            assert np.abs(_share - _wanted).sum() / 2 < 0.03, (
                f"step {_i} of a window with episodes of {_lengths} steps: its goals are off "
                f"by {np.abs(_share - _wanted).sum() / 2:.2f} in total variation"
            )
    _first, _second = _chosen[:-1, 0], _chosen[1:, 0]
    assert abs(np.corrcoef(_first, _second)[0, 1]) < 0.05, "draws are independent"
    _other = np.corrcoef(_chosen[:, 0], _chosen[:, 1])[0, 1]
    assert abs(_other) < 0.05, "steps draw independently of each other"
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Updates to data
#
# *easy · 10 minutes · 4 points*
#
# A round of the authors' program takes `unroll` steps in each of `envs` environments. Then it draws a
# window of `episode` steps from each environment, drops the last step of each, and cuts all that is
# left into batches of `batch`, each used for one update. It refuses sizes where that does not come
# out even.
#
# Write `schedule(envs, episode, batch, unroll, steps)`, which returns three numbers: the updates in a
# round; how many environment steps there are for each update; and the number of updates made once
# at least `steps` environment steps are taken in whole rounds. Where the batches do not come out
# even, return `None`.
#
# <details><summary>Hint</summary>
#
# With 512 environments, episodes of 1001 steps, batches of 256 and 62 steps a round there are 2,000
# updates in a round.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "schedule", "locked": false, "schema_version": 3, "solution": true, "task": false}
def schedule(envs, episode, batch, unroll, steps):
    """(updates a round, steps an update, updates in all), or None."""
    ### BEGIN SOLUTION
    updates, rest = divmod(envs * (episode - 1), batch)
    if rest:
        return None
    rounds = -(-steps // (envs * unroll))
    return updates, envs * unroll / updates, rounds * updates
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "schedule-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(
    schedule(512, 1001, 256, 62, 10_000_000),
    [2000, 15.872, 632_000],
    "the authors' schedule for ten million steps",
    hint="a round is 31,744 steps, and 315 rounds are not enough",
)
expect.close(
    schedule(512, 1000, 256, 62, 1000),
    [1998, 31744 / 1998, 1998],
    "the schedule with episodes of 1000 steps, for 1000 steps: a single round",
)
assert schedule(10, 12, 7, 5, 100) is None, "110 steps make no whole batches of 7"

# %% nbgrader={"grade": true, "grade_id": "schedule-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("schedule")
for _case in range(20):
    _envs, _unroll, _batch = (int(x) for x in _rng.integers(2, 40, size=3))
    _episode = int(_rng.integers(3, 60))
    if _case % 2:
        _envs = _batch * int(_rng.integers(1, 4))
    _steps = _envs * _unroll * int(_rng.integers(1, 9)) - int(_rng.integers(0, 2))
    _asked = (_envs, _episode, _batch, _unroll, _steps)
    _got, _rows = schedule(*_asked), _envs * (_episode - 1)
    if _rows % _batch:
        assert _got is None, f"schedule{_asked}: {_rows} rows make no whole batches"
        continue
    _updates, _taken, _total = _rows // _batch, 0, 0
    while _taken < _steps:
        _taken, _total = _taken + _envs * _unroll, _total + _updates
    expect.close(
        _got, [_updates, _envs * _unroll / _updates, _total], f"schedule{_asked}"
    )
### END HIDDEN TESTS
