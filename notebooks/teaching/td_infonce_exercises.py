# %% [markdown]
# # Exercises: TD InfoNCE
#
# This assignment belongs to the chapter [TD InfoNCE](td_infonce.ipynb); keep it open beside you.
# 5 exercises, 20 points, about 110 minutes. You build the method from its parts: the weights, the
# loss, the gradient that an optimiser gets, and the point where it all comes to rest. Then you
# repeat the chapter's main comparison in a small world and try to repair the loser.
#
# The rules:
#
# - Use NumPy and JAX only, not `goalward`. Loops or not: any correct style passes.
# - Your functions get NumPy arrays and plain numbers, and return arrays or numbers. Leave the
#   arguments as they are. One call may take 10 seconds.
# - Run the check cell under each exercise. It says what is wrong. More checks are hidden; they use
#   other sizes and other seeds, so make your function work for every size.
# - `goalward assignments check` followed by this notebook's name says at home where you stand.
#
# Pairs $(s,a)$ are numbered: pair $i$ stands for state $\lfloor i/A\rfloor$ and action
# $i \bmod A$, with $A$ actions. All other symbols are the chapter's.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax
import jax.numpy as jnp
import numpy as np


def chain_steps(states, actions, n_states, n_actions, gamma):
    """The certainty-equivalent future (S, A, S) of recorded trajectories: perfect TD InfoNCE.

    states and actions have shape (n, T + 1); rows of pairs that were never left are zero.
    """
    pairs = n_states * n_actions
    index = states * n_actions + actions
    counts = np.zeros((pairs, pairs))
    np.add.at(counts, (index[:, :-1].ravel(), index[:, 1:].ravel()), 1)
    next_pairs = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    next_states = next_pairs.reshape(pairs, n_states, n_actions).sum(axis=2)
    future = (1 - gamma) * np.linalg.solve(
        np.eye(pairs) - gamma * next_pairs, next_states
    )
    return future.reshape(n_states, n_actions, n_states)


def corridor_walks(n, steps, seed, cells=7):
    """n random walks of some steps in a corridor; action 0 goes left, 1 right, walls stop you."""
    rng = np.random.default_rng(seed)
    actions = rng.integers(2, size=(n, steps + 1))
    states = np.empty_like(actions)
    states[:, 0] = rng.integers(cells, size=n)
    for t in range(steps):
        states[:, t + 1] = np.clip(states[:, t] + 2 * actions[:, t] - 1, 0, cells - 1)
    return states, actions


def corridor_exact(gamma, cells=7):
    """The exact future (S, A, S) of a random walker in the corridor."""
    cell = np.arange(cells)
    move = np.stack(
        [np.eye(cells)[np.clip(cell + d, 0, cells - 1)] for d in (-1, 1)], axis=1
    )
    return (1 - gamma) * move @ np.linalg.inv(np.eye(cells) - gamma * move.mean(axis=1))


# %% [markdown]
# ## 1. Random states, weighed
#
# *easy · 15 minutes · 3 points*
#
# Nobody recorded the future of $(s',a')$. TD InfoNCE draws $R$ random states $r_1,\dots,r_R$ from
# the marginal instead, the same ones for the whole batch, and weighs them by the target critic:
#
# $$w_{ij}=\frac{e^{\bar f(s'_i,a'_i,r_j)}}{\sum_k e^{\bar f(s'_i,a'_i,r_k)}}.$$
#
# Weighed like this they stand for samples of the future of $(s'_i,a'_i)$. Make the claim visible:
# turn them into a distribution over states. The probability of state $x$ is the weight of all
# random states that are $x$,
#
# $$\hat p(x\mid s'_i,a'_i)=\sum_{j:\,r_j=x}w_{ij}.$$
#
# Arguments:
#
# - `target_logits`, shape `(B, R)`: entry `[i, j]` is $\bar f(s'_i,a'_i,r_j)$;
# - `random_states`, shape `(R,)`: the number of each random state, some of them repeated;
# - `n_states`: how many states there are; they are numbered from 0.
#
# Return $\hat p$, shape `(B, n_states)`. A state that was not drawn gets 0. Logits may be large, and
# `np.exp(1000.0)` is infinite: what may you subtract from a row of logits without changing $w$?
#
# <details><summary>Hint 1</summary>
#
# Subtract from each row its largest logit. The exponentials are then at most 1.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Write "is $r_j$ the state $x$?" as a table of zeros and ones with shape `(R, n_states)`. The sum
# over $j$ is then a matrix product.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Where is the marginal $p(x)$? It is in the draw: a frequent state stands in `random_states` often.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "weighed_future", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weighed_future(target_logits, random_states, n_states):
    """The distribution over states that the weighed random states stand for, (B, n_states)."""
    ### BEGIN SOLUTION
    weights = np.exp(target_logits - target_logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ np.eye(n_states)[random_states]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "weighed_future-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_logits = np.log([[1.0, 1, 1, 1], [1, 3, 2, 2]])
_drawn, _answer = (
    np.array([0, 2, 2, 3]),
    [[0.25, 0, 0.5, 0.25, 0], [0.125, 0, 0.625, 0.25, 0]],
)
expect.close(
    weighed_future(np.zeros((2, 4)), _drawn.copy(), 5),
    [_answer[0]] * 2,
    "with equal logits, the probability of a state",
    hint="all weights are 1/4 then, and a state's probability is how often it was drawn",
)
expect.close(
    weighed_future(_logits.copy(), _drawn.copy(), 5),
    _answer,
    "the probability of a state",
    hint="in row 1 the weights are 1/8, 3/8, 2/8, 2/8, and the second and third are both state 2",
)
expect.close(
    weighed_future(_logits + np.array([[1000], [-1000]]), _drawn.copy(), 5),
    _answer,
    "after a constant was added to each row of logits, the probability of a state",
    atol=1e-3,
    hint="the constant cancels",
)

# %% nbgrader={"grade": true, "grade_id": "weighed_future-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden
from goalward.tabular import mdp, successor

_rng = hidden.rng("weighed_future")
_logits = 2 * _rng.normal(size=(12, 21))
_drawn = _rng.integers(5, size=21)  # of 6 states: the last is never drawn
_right = np.zeros((12, 6))
for _i in range(12):
    _total = sum(np.exp(_logits[_i, _j]) for _j in range(21))
    for _j in range(21):
        _right[_i, _drawn[_j]] += np.exp(_logits[_i, _j]) / _total
_given = weighed_future(_logits.copy(), _drawn.copy(), 6)
expect.close(_given, _right, "with random logits, the probability of a state")

# Draw every state exactly as often as the marginal says: the true ratios give the true future.
_P = mdp.random_mdp(_rng, 6, 2)
_truth = successor.successor_measure(_P, mdp.uniform_policy(6, 2), 0.9).reshape(12, 6)
_often = _rng.permutation(np.arange(1, 7))
_drawn = _rng.permutation(np.repeat(np.arange(6), _often))
_ratios = np.log(_truth / (_often / 21)) + 3 * _rng.normal(size=(12, 1))
_given = weighed_future(_ratios[:, _drawn], _drawn.copy(), 6)
expect.close(
    _given, _truth, "with the exact critic of a small world, the probability of a state"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. The loss
#
# *easy · 10 minutes · 3 points*
#
# Write the two-term loss of the chapter, averaged over the rows of the batch:
#
# $$\frac1B\sum_i\Big[-(1-\gamma)\log\frac{e^{f(s_i,a_i,s'_i)}}{\sum_j e^{f(s_i,a_i,s'_j)}}
# -\gamma\sum_j w_{ij}\log\frac{e^{f(s_i,a_i,r_j)}}{\sum_k e^{f(s_i,a_i,r_k)}}\Big].$$
#
# Arguments:
#
# - `next_logits`, shape `(B, B)`: entry `[i, j]` is $f(s_i,a_i,s'_j)$;
# - `random_logits`, shape `(B, R)`: entry `[i, j]` is $f(s_i,a_i,r_j)$;
# - `target_logits`, shape `(B, R)`: entry `[i, j]` is $\bar f(s'_i,a'_i,r_j)$, which makes the
#   weights $w$ as in Exercise 1;
# - `gamma`: the discount.
#
# Return one number. It must survive large logits here too.
#
# <details><summary>Hint 1</summary>
#
# $\log\mathrm{softmax}$ is never computed as the logarithm of a softmax: $e^{-1000}$ is 0, and its
# logarithm is $-\infty$. Look for a function in `jax.nn`, or subtract the largest logit and then the
# logarithm of the sum.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Row $i$'s own next state is column $i$: the first term needs the diagonal.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "two_term_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    """The TD InfoNCE loss, a number; shapes (B, B), (B, R), (B, R)."""
    ### BEGIN SOLUTION
    own = jnp.diagonal(jax.nn.log_softmax(next_logits, axis=1))
    far = jnp.sum(
        jax.nn.softmax(target_logits, axis=1)
        * jax.nn.log_softmax(random_logits, axis=1),
        axis=1,
    )
    return -jnp.mean((1 - gamma) * own + gamma * far)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "two_term_loss-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_next = np.array([[2, 0, -1], [0.5, 1, 0], [-1, 1, 0]])
_random = np.array([[1.0, 0], [0, 2], [-1, 1]])
_target = np.array([[0.0, 1], [3, 0], [-1, -2]])
for _gamma, _value, _hint in (
    (
        0.0,
        0.752574,
        "only the first term counts: pick the diagonal out of each row of next_logits",
    ),
    (
        1.0,
        1.555147,
        "only the second term counts: the weights come from target_logits, row by row",
    ),
    (0.9, 1.474890, "how are the two terms mixed?"),
):
    expect.close(
        two_term_loss(_next.copy(), _random.copy(), _target.copy(), _gamma),
        _value,
        f"at γ = {_gamma} the loss",
        hint=_hint,
    )
_shift = np.array([[1000.0], [-1000], [7]])
expect.close(
    two_term_loss(_next + _shift, _random - _shift, _target + _shift, 0.9),
    1.474890,
    "after constants were added to the rows of logits, the loss",
    atol=1e-3,
    hint="they must not matter, however large they are",
)

# %% nbgrader={"grade": true, "grade_id": "two_term_loss-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("two_term_loss")


def _slow_loss(following, random, target, gamma):
    total = 0.0
    for i in range(len(following)):
        total -= (1 - gamma) * np.log(
            np.exp(following[i, i]) / sum(np.exp(following[i]))
        )
        weight = np.exp(target[i]) / sum(np.exp(target[i]))
        log_chance = random[i] - np.log(sum(np.exp(random[i])))
        for j in range(random.shape[1]):
            total -= gamma * weight[j] * log_chance[j]
    return total / len(following)


for _ in range(3):
    _gamma, _near = _rng.uniform(0.6, 0.9), 2 * _rng.normal(size=(5, 5))
    _far, _weigh = 2 * _rng.normal(size=(2, 5, 8))
    _right = _slow_loss(_near, _far, _weigh, _gamma)
    _given = two_term_loss(_near.copy(), _far.copy(), _weigh.copy(), _gamma)
    expect.close(_given, _right, "with 5 rows and 8 random states, the loss")
_sure, _surely = 30 * np.eye(5), 30 * np.eye(5, 8)
_given = two_term_loss(_sure.copy(), _surely.copy(), _surely.copy(), _gamma)
expect.close(_given, 0.0, "if the critic is sure and right, the loss")


def _log_softmax(rows):
    shifted = rows - rows.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


# Logits that differ by thousands, within rows and between them: e^-1000 is 0, its logarithm is not.
_near, _far, _weigh = (
    1000.0 * _rng.uniform(-1, 1, size=shape) for shape in ((5, 5), (5, 8), (5, 8))
)
_own, _ahead = np.diag(_log_softmax(_near)), np.exp(_log_softmax(_weigh))
_right = -np.mean(
    (1 - _gamma) * _own + _gamma * (_ahead * _log_softmax(_far)).sum(axis=1)
)
_given = two_term_loss(_near.copy(), _far.copy(), _weigh.copy(), _gamma)
expect.close(
    _given, _right, "with logits that lie a thousand apart, the loss", rtol=1e-4
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The gradient that the optimiser gets
#
# *medium · 25 minutes · 5 points*
#
# The value of the loss does not show whether a gradient flows through the weights $w$. The update
# does. Take the critic of the chapter's first experiment: one `table`, where `table[i, x]` is
# $f$ of pair $i$ and state $x$. It is the critic and the target critic at once ($\tau=1$, so $\bar f$
# is always as new as $f$). A batch is made of numbers:
#
# - `table`, shape `(N, S)`: the critic, for $N$ pairs and $S$ states;
# - `pair`, shape `(B,)`: the pairs $(s_i,a_i)$;
# - `next_state`, shape `(B,)`: the states $s'_i$;
# - `next_pair`, shape `(B,)`: the pairs $(s'_i,a'_i)$;
# - `random_state`, shape `(R,)`: the random states $r_j$;
# - `gamma`: the discount.
#
# So $f(s_i,a_i,s'_j)$ is `table[pair[i], next_state[j]]`, and $\bar f(s'_i,a'_i,r_j)$ is
# `table[next_pair[i], random_state[j]]`. The same pair may stand in the batch several times.
#
# Return the gradient of the loss of Exercise 2 with respect to `table`, shape `(N, S)`, with the
# weights $w$ held constant, as $\mathrm{sg}(w)$ demands. (The gradient itself, not the step against
# it.)
#
# **Think first.** A row of the table is used only as a `next_pair`. What is its gradient?
#
# <details><summary>Answer</summary>
#
# Zero. It enters only through the weights, and those are constants.
#
# </details>
#
# <details><summary>Why hold the weights constant at all?</summary>
#
# The second term is a cross entropy, $\mathrm{CE}=H(w)+\mathrm{KL}(w\,\|\,\text{prediction})$. Only
# the second part says how good the prediction is. With a gradient through $w$ the critic could also
# make the *target* easier to predict, by making $w$ less spread out. It would then come to rest at a
# future that is not the true one.
#
# </details>
#
# <details><summary>Hint 1</summary>
#
# With JAX: write an inner function of `table` alone that returns the loss, and give it to `jax.grad`.
# One of the three tables of logits needs `jax.lax.stop_gradient`. Indexing such as
# `table[pair][:, next_state]` works for JAX arrays; turn `table` into one first.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# By hand: the derivative of $-\sum_j y_j\log\mathrm{softmax}_j(z)$ with respect to $z$ is
# $\mathrm{softmax}(z)-y$ if $y$ sums to 1. Then carry the derivative of each logit back to the entry
# of the table that it came from. In NumPy `g[rows, columns] += d` counts a repeated entry once;
# `np.add.at` counts it every time.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "semi_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    """The gradient of the TD InfoNCE loss for one batch, shape (N, S)."""
    ### BEGIN SOLUTION
    weights = jax.nn.softmax(jnp.asarray(table)[next_pair][:, random_state], axis=1)

    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        return (
            -(1 - gamma) * near.mean() - gamma * (weights * ranked).sum(axis=1).mean()
        )

    return jax.grad(loss)(jnp.asarray(table))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "semi_gradient-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_table = np.array([[0.5, -1, 0], [1, 0, -0.5], [0, 0.3, 1.2], [-1, 2, 0.4]])
_batch = [[0, 2, 0, 1], [1, 0, 2, 1], [2, 1, 3, 3], [0, 2, 2, 1, 0]]
_answers = {
    0.0: [
        [0.243571, -0.141304, -0.102267],
        [0.127623, -0.156100, 0.028477],
        [-0.214387, 0.096146, 0.118241],
        [0, 0, 0],
    ],
    0.8: [
        [0.228244, -0.162345, -0.065898],
        [0.154417, -0.138110, -0.016308],
        [-0.144977, 0.020108, 0.124869],
        [0, 0, 0],
    ],
}
expect.close(
    semi_gradient(_table.copy(), *map(np.array, _batch), 0.0),
    _answers[0.0],
    "at γ = 0 (the first term alone) the gradient",
    hint="pair 0 stands in the batch twice, and each row has negatives as well as a positive",
)
_gradient = expect.array(
    semi_gradient(_table.copy(), *map(np.array, _batch), 0.8), (4, 3), "the gradient"
)
assert np.abs(_gradient[3]).max() < 1e-6, (
    "row 3 of the table is only a next pair, so it enters only through the weights, and yet its "
    f"gradient is {_gradient[3].round(4)}: hold the weights constant"
)
expect.close(
    _gradient,
    _answers[0.8],
    "at γ = 0.8 the gradient",
    hint="the first term passed at γ = 0, so look at the second: weights, random states, and mean",
)

# %% nbgrader={"grade": true, "grade_id": "semi_gradient-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_rng = hidden.rng("semi_gradient")


def _frozen_loss(logits, targets):
    """The mean cross entropy of rows of logits against rows of targets."""
    scale = np.log(np.exp(logits) @ np.ones(logits.shape[1]))
    return np.mean(scale - np.einsum("ij,ij->i", targets, logits))


def _differences(table, pair, following, next_pair, random, gamma):
    """Central differences of the loss, its targets left alone."""
    weights = np.exp(table[np.ix_(next_pair, random)])
    weights /= weights.sum(axis=1)[:, None]
    slopes = np.zeros(table.shape)
    for place in np.ndindex(*table.shape):
        sides = []
        for step in (1e-5, -1e-5):
            moved = table.copy()
            moved[place] += step
            near = _frozen_loss(moved[np.ix_(pair, following)], np.eye(len(pair)))
            far = _frozen_loss(moved[np.ix_(pair, random)], weights)
            sides.append((1 - gamma) * near + gamma * far)
        slopes[place] = (sides[0] - sides[1]) / 2e-5
    return slopes


_table, _gamma = 1.5 * _rng.normal(size=(6, 3)), _rng.uniform(0.4, 0.9)
_indices = [_rng.integers(m, size=k) for m, k in ((6, 24), (3, 24), (6, 24), (3, 48))]
_right = _differences(_table, *_indices, _gamma)
_given = semi_gradient(_table.copy(), *(i.copy() for i in _indices), _gamma)
expect.close(
    _given, _right, "with 24 transitions of 6 pairs, the gradient", rtol=1e-3, atol=2e-5
)

# A batch of all transitions of a small world, at the critic where TD InfoNCE comes to rest.
_pair = np.repeat(np.arange(6), 4)
_future = np.concatenate([_rng.permutation(3)[[0, 0, 1, 2]] for _ in range(6)])
_next_pair = 2 * _future + _rng.integers(2, size=24)  # 2 actions
_arrive, _follow = np.zeros((6, 3)), np.zeros((6, 6))
np.add.at(_arrive, (_pair, _future), 1 / 4)
np.add.at(_follow, (_pair, _next_pair), 1 / 4)
_q = np.full((6, 3), 1 / 3)
for _ in range(200):
    _q = 0.2 * _arrive + 0.8 * _follow @ _q
_rest = np.log(_q / (np.bincount(_future) / 24)) + _rng.normal(size=(6, 1))
_given = semi_gradient(
    _rest.copy(), _pair, _future, _next_pair, np.tile(_future, 2), 0.8
)
expect.close(
    _given, np.zeros((6, 3)), "at the critic where TD InfoNCE should rest, the gradient"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 4. One minimisation is one backup
#
# *medium · 20 minutes · 4 points*
#
# Now let every state be a candidate, counted as often as the marginal $p$ says, and let the data be
# complete. What is left is one cross entropy for each pair $i$. Its target comes from the current
# critic $f$; it is minimised over a new critic $f'$, with $f$ held fixed:
#
# $$\mathcal L_i(f')=-(1-\gamma)\sum_x \hat P_{ix}\log q_{f'}(x\mid i)
# -\gamma\sum_k\hat C_{ik}\sum_x q_f(x\mid k)\log q_{f'}(x\mid i),\qquad
# q_f(x\mid i)=\frac{p(x)\,e^{f_{ix}}}{\sum_y p(y)\,e^{f_{iy}}}.$$
#
# Arguments:
#
# - `f`, shape `(N, S)`: the current critic; each row may be off by a constant of its own;
# - `arrive`, shape `(N, S)`: $\hat P$, how often pair $i$ was followed by state $x$, as frequencies;
# - `follow`, shape `(N, N)`: $\hat C$, how often pair $i$ was followed by pair $k$, as frequencies;
# - `p`, shape `(S,)`: the marginal, positive and summing to 1;
# - `gamma`: the discount.
#
# Return the minimiser $f'$: logits, shape `(N, S)`. There are many, since the constant of a row is
# free; any of them counts.
#
# <details><summary>Hint 1</summary>
#
# Both sums have the factor $\log q_{f'}(x\mid i)$. Gather them into a single cross entropy
# $-\sum_x y_{ix}\log q_{f'}(x\mid i)$. It is least where $q_{f'}=y$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# You know the distribution that $p(x)\,e^{f'_{ix}}$ must be proportional to. Solve for $f'_{ix}$.
#
# </details>
#
# <details><summary>What this is good for</summary>
#
# Start at $f=0$ and apply your function again and again: you train TD InfoNCE without any noise. Each
# round is one Bellman backup of the successor representation. The hidden checks do just this, and
# compare with the exact future.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "best_critic", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_critic(f, arrive, follow, p, gamma):
    """Logits (N, S) that minimise the loss on all states, with f as the target critic."""
    ### BEGIN SOLUTION
    joint = p * np.exp(f - f.max(axis=1, keepdims=True))
    prediction = joint / joint.sum(axis=1, keepdims=True)
    mixture = (1 - gamma) * arrive + gamma * follow @ prediction
    return np.log(mixture) - np.log(p)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "best_critic-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _read(logits, p):
    """The distributions that a critic stands for."""
    scores = expect.array(logits, (len(logits), len(p)), "the critic") + np.log(p)
    scores = np.exp(scores - np.max(scores, axis=1)[:, None])
    return scores / np.sum(scores, axis=1)[:, None]


_f = np.array([[0.0, 1, -1], [2, 0, 0.5]])
_arrive, _follow = (
    np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]),
    np.array([[0.25, 0.75], [0.6, 0.4]]),
)
_flat, _uneven = np.ones(3) / 3, np.array([0.5, 0.3, 0.2])
for _p, _gamma, _answer, _what, _hint in (
    (
        _uneven,
        0.0,
        _arrive,
        "at γ = 0, q of your critic",
        "only the next state counts; q is the softmax of your logits + log p",
    ),
    (
        _flat,
        0.6,
        [[0.447965, 0.264617, 0.287418], [0.504772, 0.303396, 0.191831]],
        "with a uniform marginal, q of your critic",
        "it should be the mixture of the next state and of what f predicts at the next pair",
    ),
    (
        _uneven,
        0.6,
        [[0.518460, 0.239281, 0.242260], [0.574633, 0.267998, 0.157370]],
        "with an uneven marginal, q of your critic",
        "p stands in q of f and in q of the new critic",
    ),
):
    _new = best_critic(_f.copy(), _arrive.copy(), _follow.copy(), _p.copy(), _gamma)
    expect.array(_new, (2, 3), "the critic")
    expect.close(_read(_new, _p), _answer, _what, hint=_hint)
_new = best_critic(
    _f + np.array([[5], [-5]]), _arrive.copy(), _follow.copy(), _p.copy(), _gamma
)
expect.close(
    _read(_new, _p),
    _answer,
    "after a constant was added to each row of f, q of your critic",
    hint="f predicts a distribution, which sums to 1 whatever the constant is",
)

# %% nbgrader={"grade": true, "grade_id": "best_critic-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden
from goalward.tabular import mdp, successor

_rng = hidden.rng("best_critic")
_gamma, _p = _rng.uniform(0.6, 0.9), _rng.dirichlet(np.full(4, 3.0))
_f, _arrive = 2 * _rng.normal(size=(8, 4)), _rng.dirichlet(np.ones(4), size=8)
_follow = _rng.dirichlet(np.ones(8), size=8)
_right = np.zeros((8, 4))
for _i, _x in np.ndindex(8, 4):
    _right[_i, _x] = (1 - _gamma) * _arrive[_i, _x]
    for _k in range(8):
        _chance = _p[_x] * np.exp(_f[_k, _x]) / sum(_p * np.exp(_f[_k]))
        _right[_i, _x] += _gamma * _follow[_i, _k] * _chance
_given = best_critic(_f.copy(), _arrive.copy(), _follow.copy(), _p.copy(), _gamma)
expect.array(_given, (8, 4), "the critic")
expect.close(_read(_given, _p), _right, "for a random critic, q of the new critic")

_P, _policy = mdp.random_mdp(_rng, 4, 2), _rng.dirichlet(np.ones(2), size=4)
_truth = successor.successor_measure(_P, _policy, 0.6).reshape(8, 4)
_arrive = _P.reshape(8, 4)
_follow = np.einsum("ix,xb->ixb", _arrive, _policy).reshape(8, 8)
_p = _rng.dirichlet(np.full(4, 3.0))
_f = np.log(_truth / _p) + 3 * _rng.normal(size=(8, 1))
_given = best_critic(_f, _arrive.copy(), _follow.copy(), _p.copy(), 0.6)
expect.array(_given, (8, 4), "the critic")
expect.close(_read(_given, _p), _truth, "if f is exact, q of the new critic")
_f = np.zeros((8, 4))
for _ in range(40):
    _f = np.asarray(
        best_critic(_f, _arrive.copy(), _follow.copy(), _p.copy(), 0.6), dtype=float
    )
expect.close(_read(_f, _p), _truth, "after 40 rounds from f = 0, q of the critic")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Experiment: averaging hits a floor. Can patience repair it?
#
# *hard · 40 minutes · 5 points*
#
# Monte Carlo InfoNCE, perfectly optimised, averages recorded futures. A trajectory has $T$
# transitions, $s_0,a_0,\dots,s_T,a_T$. From step $t<T$ there are $L=T-t$ steps left to see, and the
# cut-off, renormalised future is
#
# $$F_t(x)=\frac{\sum_{k=1}^{L}\gamma^{k-1}\,\mathbb 1[s_{t+k}=x]}{\sum_{k=1}^{L}\gamma^{k-1}}.$$
#
# Where $L$ is small this shows too much of the near future. So be patient: use only anchors with at
# least `keep` steps left. There is a price, since fewer anchors are left to average.
#
# **a)** `patient_average(states, actions, n_states, n_actions, gamma, keep)`. `states` and `actions`
# have shape `(n, T + 1)`. For each pair $(s,a)$ return the plain mean of $F_t$ over all anchors, in
# all trajectories, with $s_t=s$, $a_t=a$ and $L\ge$ `keep` $\ge1$. Shape
# `(n_states, n_actions, n_states)`. A pair without an anchor gets zeros. `keep` chooses the anchors;
# each future still runs to the end of its trajectory. The last action was never taken, so $t=T$ is no
# anchor.
#
# **b)** `error_table(states, actions, exact, gamma, sizes, keeps)`. One row for each number in
# `sizes`, with the first so many trajectories as the data. One column for each number in `keeps`,
# and a last column for `chain_steps`, which is given above. The entry is the error: the mean of
# |estimate − `exact`| over all entries, where `exact` has shape `(n_states, n_actions, n_states)`.
# Return shape `(len(sizes), len(keeps) + 1)`.
#
# **Then run it.** Predict first: along a row and down a column, where does the error fall? Copy this
# into a cell of your own:
#
# ```python
# states, actions = corridor_walks(3000, 100, seed=1)
# keeps = (1, 20, 40, 60, 90)
# print(error_table(states, actions, corridor_exact(0.95), 0.95, (10, 100, 1000, 3000), keeps).round(4))
# ```
#
# <details><summary>What you should see</summary>
#
# Down the first column (`keep` = 1) the error soon stops falling: that is the floor. In the column
# `keep` = 60 it keeps falling. With 10 trajectories, though, great patience costs more than it brings,
# as only a few anchors of each trajectory are left: the best `keep` grows with the data. The last
# column is below all others in its row. It never had to wait: every transition counts, the last one
# of a trajectory too. With few trajectories luck has a say, so try other seeds.
#
# </details>
#
# <details><summary>Hint 1</summary>
#
# Go backwards in time. Both the top and the bottom of $F_t$ follow from those of step $t+1$: multiply
# by γ and add what happens next. All trajectories can do this together.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Keep two sums for each pair: of the futures, and of how many there were. Many anchors may share a
# pair, also at the same step; see Hint 2 of Exercise 3.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "patience", "locked": false, "schema_version": 3, "solution": true, "task": false}
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    """The mean future (S, A, S) over anchors with at least `keep` steps left."""
    ### BEGIN SOLUTION
    horizon = states.shape[1] - 1
    total = np.zeros((n_states, n_actions, n_states))
    anchors = np.zeros((n_states, n_actions, 1))
    future, mass = np.zeros((len(states), n_states)), 0.0
    for t in reversed(range(horizon)):
        future = np.eye(n_states)[states[:, t + 1]] + gamma * future
        mass = 1 + gamma * mass
        if horizon - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), future / mass)
            np.add.at(anchors, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(anchors, 1)
    ### END SOLUTION


def error_table(states, actions, exact, gamma, sizes, keeps):
    """Mean absolute errors, a row a size; a column for each `keep`, the last for chain_steps."""
    ### BEGIN SOLUTION
    shape = exact.shape[:2]
    table = np.zeros((len(sizes), len(keeps) + 1))
    for row, n in enumerate(sizes):
        data = states[:n], actions[:n]
        estimates = [patient_average(*data, *shape, gamma, keep) for keep in keeps]
        estimates.append(chain_steps(*data, *shape, gamma))
        table[row] = [np.abs(estimate - exact).mean() for estimate in estimates]
    return table
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "patience-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

_states, _actions = (
    np.array([[0, 1, 2, 1], [0, 2, 2, 2]]),
    np.array([[0, 1, 0, 0], [0, 0, 0, 1]]),
)
for _rows, _keep, _futures, _what, _hint in (
    (
        1,
        1,
        {(0, 0): [0, 5 / 7, 2 / 7], (1, 1): [0, 1 / 3, 2 / 3], (2, 0): [0, 1, 0]},
        "for a single trajectory, keep = 1 and γ = 1/2, the mean future",
        "from (0, 0) the next states 1, 2, 1 weigh 1, 1/2, 1/4, divided by their sum 7/4",
    ),
    (
        1,
        2,
        {(0, 0): [0, 5 / 7, 2 / 7], (1, 1): [0, 1 / 3, 2 / 3]},
        "for the same trajectory and keep = 2, the mean future",
        "from t = 1 there are 2 steps left and from t = 2 there is 1; the futures stay as they were",
    ),
    (
        2,
        1,
        {
            (0, 0): [0, 5 / 14, 9 / 14],
            (1, 1): [0, 1 / 3, 2 / 3],
            (2, 0): [0, 1 / 3, 2 / 3],
        },
        "for two trajectories and keep = 1, the mean future",
        "(2, 0) has three anchors, two of them at the same t: each counts once, whatever its L",
    ),
):
    _answer = np.zeros((3, 2, 3))
    for _place, _row in _futures.items():
        _answer[_place] = _row
    expect.close(
        patient_average(
            _states[:_rows].copy(), _actions[:_rows].copy(), 3, 2, 0.5, _keep
        ),
        _answer,
        _what,
        hint=_hint,
    )
_uniform = np.full((3, 2, 3), 1 / 3)
_table = error_table(_states.copy(), _actions.copy(), _uniform, 0.5, (1, 2), (1, 2))
expect.close(
    _table,
    [[0.320106, 0.301587, 0.284722], [0.277778, 0.314815, 0.277778]],
    "the table of errors",
    hint="rows are sizes, columns are `keeps` and then chain_steps; an error is a plain mean",
)

# %% nbgrader={"grade": true, "grade_id": "patience-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden
from goalward.tabular import mdp

_rng = hidden.rng("patience")


def _slow_average(states, actions, shape, gamma, keep):
    seen = {}
    last = states.shape[1] - 1
    for i, t in np.ndindex(len(states), last):
        if last - t < keep:
            continue
        heard = np.zeros(shape[0])
        for k in range(t + 1, last + 1):
            heard[states[i, k]] += gamma ** (k - t - 1)
        seen.setdefault((states[i, t], actions[i, t]), []).append(heard / heard.sum())
    average = np.zeros((*shape, shape[0]))
    for place, rows in seen.items():
        average[place] = sum(rows) / len(rows)
    return average


def _slow_chain(states, actions, shape, gamma):
    """The fixed point of the recorded transitions, by repetition."""
    q = np.zeros((*shape, shape[0]))
    for _ in range(200):
        bootstrap, visits = np.zeros_like(q), np.zeros((*shape, 1))
        for i, t in np.ndindex(len(states), states.shape[1] - 1):
            place = states[i, t], actions[i, t]
            bootstrap[place] += gamma * q[states[i, t + 1], actions[i, t + 1]]
            bootstrap[place][states[i, t + 1]] += 1 - gamma
            visits[place] += 1
        q = bootstrap / np.maximum(visits, 1)
    return q


_shape, _last, _gamma = (4, 2), 7, _rng.uniform(0.6, 0.9)
_policy = _rng.dirichlet(np.ones(2), size=_shape[0])
_policy[0] = [1, 0]  # a pair that is never visited
_states, _actions = mdp.sample_trajectories(
    mdp.random_mdp(_rng, *_shape, concentration=0.5), _policy, _rng, n=6, horizon=_last
)
for _keep in (1, 3, _last):
    _right = _slow_average(_states, _actions, _shape, _gamma, _keep)
    _given = patient_average(_states.copy(), _actions.copy(), *_shape, _gamma, _keep)
    expect.close(
        _given, _right, f"with keep = {_keep} of {_last} steps, the mean future"
    )
_exact = _rng.dirichlet(np.ones(_shape[0]), size=_shape)
_sizes, _keeps, _right = (2, 6, 3), (_last - 1, 1, 4, 2), np.zeros((3, 5))
for _i, _n in enumerate(_sizes):
    _data = _states[:_n], _actions[:_n], _shape, _gamma
    _tables = [_slow_average(*_data, _keep) for _keep in _keeps] + [_slow_chain(*_data)]
    _right[_i] = [
        sum(abs(e - x) for e, x in zip(t.flat, _exact.flat, strict=True))
        for t in _tables
    ]
_given = error_table(
    _states.copy(), _actions.copy(), _exact.copy(), _gamma, _sizes, _keeps
)
expect.close(_given, _right / _exact.size, "for random walks, the table of errors")
### END HIDDEN TESTS

# %% [markdown]
# ## Where to go from here
#
# You have everything that the method is made of. With `semi_gradient` and a loop you can train it on
# batches drawn from `corridor_walks`: what error do you reach, and does a smaller step help at the
# end? Then leave out the stop-gradient, and see where the critic comes to rest.
