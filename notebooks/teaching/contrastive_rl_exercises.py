# %% [markdown]
# # Exercises: Contrastive RL
#
# This assignment belongs to the chapter [Contrastive RL](contrastive_rl.ipynb); keep it open beside
# you. 5 exercises, 20 points, about 100 minutes. You draw futures, write the loss, compute what it
# converges to, find out which critics may be compared across actions, and let imitation and one greedy
# step compete in small worlds.
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
# All symbols are the chapter's. Tables are indexed in this order: state, action, goal.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import jax
import jax.numpy as jnp
import numpy as np


def ring(cells, slip=0.1):
    """A ring of cells, P of shape (cells, 3, cells): step left, stay, step right; slips at random."""
    cell = np.arange(cells)
    moves = np.stack([np.eye(cells)[(cell + d) % cells] for d in (-1, 0, 1)], axis=1)
    return (1 - slip) * moves + slip * moves.mean(axis=1, keepdims=True)


# %% [markdown]
# ## 1. Draw a future
#
# *easy · 15 minutes · 3 points*
#
# A recording has the states $s_0,\dots,s_T$. You stand at time $t<T$ and want futures: times
# $t+\delta$ with $\delta\ge1$ and $\Pr(\delta)\propto\gamma^{\delta-1}$, but never beyond the end of the
# recording. So the geometric distribution is cut off after $T-t$ steps and *renormalised*.
#
# Arguments: `t` and `T`, whole numbers with `t < T`; `gamma` between 0 and 1; `n`, how many futures to
# draw, independently; `seed`, a whole number for the generator of your choice. Return the `n` times (not
# the offsets), an array of whole numbers of shape `(n,)`.
#
# <details><summary>Hint 1</summary>
#
# Write down the probabilities of all $T-t$ offsets and divide by their sum.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.random.default_rng(seed).choice(values, size=n, p=probabilities)` draws from any finite
# distribution.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "draw_futures", "locked": false, "schema_version": 3, "solution": true, "task": false}
def draw_futures(t, T, gamma, n, seed):
    """n times after t and at most T, geometric in their distance from t; shape (n,)."""
    ### BEGIN SOLUTION
    offsets = np.arange(1, T - t + 1)
    chance = gamma ** (offsets - 1.0)
    return t + np.random.default_rng(seed).choice(
        offsets, size=n, p=chance / chance.sum()
    )
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "draw_futures-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _check_futures(times, t, T, gamma, n):
    times = expect.array(times, (n,), "the times")
    assert (times == np.round(times)).all(), "the times: they must be whole numbers"
    assert times.min() > t, "the times: the future begins after t, not at t"
    assert times.max() <= T, "the times: a future lies beyond the end of the recording"
    mass = np.array([gamma**k for k in range(T - t)])
    mass = mass / mass.sum()
    seen = np.array([(times == t + 1 + k).mean() for k in range(T - t)])
    # Six standard deviations: a right answer fails once in many millions of draws.
    spread = 6 * np.sqrt(mass * (1 - mass) / n) + 20 / n
    worst = int(np.argmax(np.abs(seen - mass) - spread))
    assert (np.abs(seen - mass) <= spread).all(), (
        f"the times: with gamma = {gamma:.2f} and {T - t} steps left, {worst + 1} steps ahead came up "
        f"with frequency {seen[worst]:.3f}: is the distribution geometric, and cut off, not clipped?"
    )


_check_futures(draw_futures(2, 6, 0.7, 20_000, 0), 2, 6, 0.7, 20_000)
_only = draw_futures(0, 1, 0.9, 50, 1)
expect.close(
    _only,
    np.ones(50),
    "the times with one step left",
    hint="only one future is possible",
)

# %% nbgrader={"grade": true, "grade_id": "draw_futures-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("draw_futures")
for _ in range(3):
    t, left = int(rng.integers(0, 20)), int(rng.integers(5, 12))
    gamma, seed = float(rng.uniform(0.6, 0.95)), int(rng.integers(10_000))
    _check_futures(
        draw_futures(t, t + left, gamma, 50_000, seed), t, t + left, gamma, 50_000
    )
seed = int(rng.integers(10_000))
first, second = (np.asarray(draw_futures(0, 30, 0.95, 200, seed + k)) for k in range(2))
assert (first != second).any(), "the times: another seed must give other draws"
### END HIDDEN TESTS

# %% [markdown]
# ## 2. The loss, without loops
#
# *easy · 15 minutes · 3 points*
#
# `logits[i, j]` is $f(s_i,a_i,s_+^{(j)})$; the own futures stand on the diagonal. The balanced NCE loss is
#
# $$\mathcal L=-\frac1B\sum_i\log\sigma(f_{ii})-\frac1{B(B-1)}\sum_{i\ne j}\log\big(1-\sigma(f_{ij})\big).$$
#
# Argument: `logits`, shape `(B, B)`, with $B\ge2$. Return a pair: the loss, a number, and its gradient
# with respect to the logits, shape `(B, B)`. Logits may be as large as $\pm1000$; neither result may
# then be infinite or `nan`.
#
# <details><summary>Hint 1</summary>
#
# $-\log\sigma(x)=\log(1+e^{-x})$, and `np.logaddexp(0, -x)` computes it without overflow.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The gradient of $-\log\sigma(x)$ is $\sigma(x)-1$, that of $-\log(1-\sigma(x))$ is $\sigma(x)$.
# `jax.grad` of the right expression will do as well.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "nce_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nce_loss(logits):
    """The balanced NCE loss and its gradient, a number and an array (B, B)."""
    ### BEGIN SOLUTION
    batch = len(logits)
    own = np.eye(batch)
    weight = own / batch + (1 - own) / (batch * (batch - 1))
    value = np.sum(weight * np.logaddexp(0, (1 - 2 * own) * logits))
    probability = np.exp(-np.logaddexp(0, -logits))
    return value, weight * (probability - own)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "nce_loss-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _slow_loss(f):
    size, total = len(f), 0.0
    for i in range(size):
        for j in range(size):
            p = 1 / (1 + np.exp(-f[i, j]))
            total -= np.log(p) / size if i == j else np.log(1 - p) / (size * (size - 1))
    return total


def _check_loss(f):
    expected, slope = _slow_loss(f), np.zeros_like(f)
    for i, j in np.ndindex(f.shape):
        bump = np.zeros_like(f)
        bump[i, j] = 1e-5
        slope[i, j] = (_slow_loss(f + bump) - _slow_loss(f - bump)) / 2e-5
    answer = nce_loss(f.copy())
    assert answer is not None, "nce_loss: not attempted, it returns nothing"
    assert len(answer) == 2, "nce_loss: return two things, the loss and its gradient"
    hint = "positives and negatives weigh the same in total"
    expect.close(answer[0], expected, "the loss", rtol=1e-4, atol=1e-5, hint=hint)
    expect.close(answer[1], slope, "the gradient", rtol=1e-3, atol=1e-5, hint=hint)


_check_loss(np.array([[0.0, 1.0], [-2.0, 0.5]]))
_check_loss(np.array([[1.0, -1.0, 0.3], [0.2, 2.0, -0.4], [0.0, 0.7, -1.0]]))

# %% nbgrader={"grade": true, "grade_id": "nce_loss-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("nce_loss")
for _ in range(3):
    size = int(rng.integers(4, 8))
    _check_loss(rng.normal(size=(size, size)) * 1.5)
size = int(rng.integers(3, 6))
large = 1000.0 * np.where(np.eye(size) > 0, 1.0, -1.0)
value, slope = nce_loss(large.copy())
expect.close(value, 0.0, "the loss of large logits that are right", atol=1e-6)
expect.close(slope, np.zeros_like(large), "its gradient", atol=1e-6)
value, slope = nce_loss(-large)
expect.close(value, 2000.0, "the loss of large logits that are wrong", rtol=1e-4)
expect.close(slope.sum(), 0.0, "the sum of its gradient", atol=1e-4)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The critic at its optimum
#
# *medium · 20 minutes · 4 points*
#
# Compute what NCE converges to with infinite data,
#
# $$f^*(s,a,g)=\log p^\pi(g\mid s,a)-\log p(g),\qquad p(g)=\sum_{s,a}\rho(s,a)\,p^\pi(g\mid s,a).$$
#
# The successor measure counts from the next state on, and its weights add up to one:
# $p^\pi(g\mid s,a)=(1-\gamma)\sum_{t\ge1}\gamma^{t-1}\Pr(s_t=g)$. The pair $(s,a)$ is drawn as often as it
# was recorded, with probability $\rho(s,a)$.
#
# Arguments: `P`, shape `(S, A, S)`; `policy`, shape `(S, A)`, which acts from the next state on; `visits`,
# shape `(S, A)`, the $\rho$ above; `gamma`. Return $f^*$, shape `(S, A, S)`. All entries are finite in the
# tests.
#
# <details><summary>Hint 1</summary>
#
# First the chain over states: `chain[s, x]` sums `policy[s, a] * P[s, a, x]` over the actions.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $\sum_{t\ge1}\gamma^{t-1}P\,C^{t-1}=P\,(I-\gamma C)^{-1}$ for the chain $C$: `np.linalg.inv` or `solve`.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "best_critic", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_critic(P, policy, visits, gamma):
    """The log ratio of future to marginal, shape (S, A, S)."""
    ### BEGIN SOLUTION
    chain = np.einsum("sa,sax->sx", policy, P)
    future = (1 - gamma) * P @ np.linalg.inv(np.eye(len(P)) - gamma * chain)
    return np.log(future) - np.log(np.einsum("sa,sag->g", visits, future))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "best_critic-visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _check_critic(P, policy, visits, gamma):
    S, A, _ = P.shape
    walk = np.stack([sum(policy[s, a] * P[s, a] for a in range(A)) for s in range(S)])
    there, total = P.copy(), np.zeros_like(P)
    for t in range(600):
        total += (1 - gamma) * gamma**t * there
        there = there @ walk
    common = sum(visits[s, a] * total[s, a] for s in range(S) for a in range(A))
    expected = np.log(total / common)
    answer = best_critic(P.copy(), policy.copy(), visits.copy(), gamma)
    expect.close(
        answer, expected, "the critic", rtol=1e-3, atol=1e-3,
        hint="does the future begin at the next state? Is the marginal weighed by the visits?",
    )  # fmt: skip


_check_critic(ring(4), np.full((4, 3), 1 / 3), np.full((4, 3), 1 / 12), 0.5)

# %% nbgrader={"grade": true, "grade_id": "best_critic-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("best_critic")
for _ in range(3):
    S, A = int(rng.integers(3, 7)), int(rng.integers(2, 4))
    P = rng.dirichlet(np.full(S, 2.0), size=(S, A))
    policy = rng.dirichlet(np.ones(A), size=S)
    visits = rng.dirichlet(np.ones(S * A)).reshape(S, A)
    _check_critic(P, policy, visits, float(rng.uniform(0.6, 0.95)))
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Same loss, other actions
#
# *medium · 20 minutes · 5 points*
#
# InfoNCE sees a critic only through $\mathrm{softmax}_g\,[f(s,a,g)+\log p(g)]$, one distribution over goals
# for each pair. Show that this leaves the policy open, and then close it. Write two functions.
#
# `disguise(f, wanted)`: `f` has shape `(S, A, G)`, `wanted` holds one action for each state, shape `(S,)`.
# Return a critic of the same shape whose InfoNCE loss is exactly that of `f`, whatever the marginal, but
# whose greedy action $\arg\max_a$ is `wanted[s]` in state `s` for *every* goal, by a margin of at least 1.
#
# `repair(f, p)`: `p` is the marginal over goals, shape `(G,)`. Return
#
# $$\tilde f(s,a,g)=f(s,a,g)-\log\sum_xp(x)\,e^{f(s,a,x)},$$
#
# which is the same for `f` and for its disguise. Adding 1000 to a row of `f` must not overflow.
#
# <details><summary>Hint 1</summary>
#
# Which numbers may you add to `f` without changing a softmax over its last axis?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# How much is enough? More than the largest difference between any two entries of `f`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Before you exponentiate, subtract each row's largest entry; add it back after the logarithm.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "disguise_and_repair", "locked": false, "schema_version": 3, "solution": true, "task": false}
def disguise(f, wanted):
    """A critic (S, A, G) of the same InfoNCE loss that prefers the wanted actions."""
    ### BEGIN SOLUTION
    bonus = f.max() - f.min() + 1.5
    return (
        f + bonus * (np.arange(f.shape[1]) == np.asarray(wanted)[:, None])[:, :, None]
    )
    ### END SOLUTION


def repair(f, p):
    """The critic (S, A, G) without its free function of state and action."""
    ### BEGIN SOLUTION
    joint = jnp.asarray(f) + jnp.log(jnp.asarray(p))
    return f - jax.nn.logsumexp(joint, axis=2, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "disguise_and_repair-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _distribution(f, p):
    weight = p * np.exp(f - f.max(axis=2, keepdims=True))
    return weight / weight.sum(axis=2, keepdims=True)


def _check_disguise(f, wanted, p):
    hidden_critic = expect.array(
        disguise(f.copy(), wanted.copy()), f.shape, "the disguised critic"
    )
    expect.close(
        _distribution(hidden_critic, p), _distribution(f, p), "the softmax of the disguised critic",
        rtol=1e-3, atol=1e-5, hint="only a number that is the same for all goals of a row is free",
    )  # fmt: skip
    for s in range(len(f)):
        others = np.delete(hidden_critic[s], wanted[s], axis=0)
        margin = (hidden_critic[s, wanted[s]] - others).min()
        assert margin >= 0.99, (
            f"the disguised critic: the margin in state {s} is {margin:.2f}, not 1"
        )
    expected = np.log(_distribution(f, p) / p)
    expect.close(
        repair(f.copy(), p.copy()),
        expected,
        "the repaired critic",
        rtol=1e-3,
        atol=1e-3,
    )
    again = repair(hidden_critic.copy(), p.copy())
    expect.close(again, expected, "the repaired disguise", rtol=1e-3, atol=1e-3)


_f = np.array(
    [[[1.0, 0.0, -1.0], [0.0, 2.0, 0.5]], [[0.3, 0.1, 0.0], [-1.0, 0.0, 4.0]]]
)
_check_disguise(_f, np.array([1, 0]), np.array([0.5, 0.25, 0.25]))

# %% nbgrader={"grade": true, "grade_id": "disguise_and_repair-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("disguise_and_repair")
for scale in (1.0, 4.0):
    S, A, G = int(rng.integers(3, 6)), int(rng.integers(2, 5)), int(rng.integers(3, 7))
    f = scale * rng.normal(size=(S, A, G))
    _check_disguise(f, rng.integers(A, size=S), rng.dirichlet(np.ones(G) * 3))
p = rng.dirichlet(np.ones(G) * 3)
expected = np.log(_distribution(f, p) / p)
far = f + 1000.0 * rng.choice([-1.0, 1.0], size=(S, A, 1))
expect.close(
    repair(far, p),
    expected,
    "the repaired critic with rows far away",
    rtol=1e-2,
    atol=1e-2,
)
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Imitate or choose
#
# *hard · 30 minutes · 5 points*
#
# Repeat the chapter's main comparison in any world. From the behaviour `policy` and its successor measure
# $M(g\mid s,a)$ (from the next state on, with the weight $1-\gamma$) make two goal-conditioned policies:
#
# - **cloning**: $\pi(a\mid s,g)\propto\text{policy}(a\mid s)\,M(g\mid s,a)$;
# - **greedy**: the action with the largest $M(g\mid s,a)$; should several be equal, any of them.
#
# Score each: for every goal $g$ compute the successor measure of $\pi(\cdot\mid\cdot,g)$ *at* $g$ from every
# state (first action drawn from $\pi$ as well), and average over all states and goals.
#
# Arguments: `P`, shape `(S, A, S)`; `policy`, shape `(S, A)`; `gamma`. Return two numbers: the score of
# cloning and the score of greedy. In the tests no goal is unreachable and no two actions are equal.
#
# <details><summary>Hint 1</summary>
#
# Write a helper first: the successor measure over states of a chain $C$ is $(1-\gamma)(I-\gamma C)^{-1}C$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Each goal has its own policy, its own chain, and its own solve. You need one column of the result.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "imitate_or_choose", "locked": false, "schema_version": 3, "solution": true, "task": false}
def imitate_or_choose(P, policy, gamma):
    """The scores of cloning and of one greedy step, two numbers."""
    ### BEGIN SOLUTION
    n = len(P)

    def chain_of(pi):
        return np.einsum("sa,sax->sx", pi, P)

    M = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain_of(policy))
    scores = np.zeros(2)
    for g in range(n):
        clone = policy * M[:, :, g]
        clone = clone / clone.sum(axis=1, keepdims=True)
        choose = np.eye(P.shape[1])[M[:, :, g].argmax(axis=1)]
        for k, pi in enumerate((clone, choose)):
            C = chain_of(pi)
            reached = (1 - gamma) * np.linalg.solve(np.eye(n) - gamma * C, C[:, g])
            scores[k] += reached.mean() / n
    return scores[0], scores[1]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "imitate_or_choose-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect


def _sum_over_time(walk, gamma):
    power, total = walk.copy(), np.zeros_like(walk)
    for t in range(600):
        total += (1 - gamma) * gamma**t * power
        power = power @ walk
    return total


def _check_scores(P, policy, gamma):
    S, A, _ = P.shape
    onward = np.eye(S) * (1 - gamma) + gamma * _sum_over_time(
        np.stack([policy[s] @ P[s] for s in range(S)]), gamma
    )
    M = np.stack([P[:, a] @ onward for a in range(A)], axis=1)
    expected = {"cloning": 0.0, "greedy": 0.0}
    for g in range(S):
        rules = {"cloning": [], "greedy": []}
        for s in range(S):
            joint = [policy[s, a] * M[s, a, g] for a in range(A)]
            rules["cloning"].append(np.array(joint) / sum(joint) @ P[s])
            rules["greedy"].append(P[s, max(range(A), key=lambda a: M[s, a, g])])
        for name, rows in rules.items():
            expected[name] += _sum_over_time(np.stack(rows), gamma)[:, g].mean() / S
    answer = imitate_or_choose(P.copy(), policy.copy(), gamma)
    assert answer is not None, "imitate_or_choose: not attempted, it returns nothing"
    assert len(answer) == 2, "imitate_or_choose: return two scores, cloning and greedy"
    for value, name in zip(answer, expected, strict=True):
        expect.close(
            value, expected[name], f"the score of {name}", rtol=1e-3, atol=1e-5,
            hint="one solve a goal; the future begins at the next state; a mean over states and goals",
        )  # fmt: skip


_check_scores(ring(5), np.tile([0.5, 0.2, 0.3], (5, 1)), 0.8)

# %% nbgrader={"grade": true, "grade_id": "imitate_or_choose-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

rng = hidden.rng("imitate_or_choose")
for _ in range(3):
    S, A = int(rng.integers(3, 7)), int(rng.integers(2, 4))
    P = rng.dirichlet(np.full(S, 0.8), size=(S, A)) * 0.97 + 0.03 / S
    policy = 0.9 * rng.dirichlet(np.full(A, 2.0), size=S) + 0.1 / A
    _check_scores(P, policy, float(rng.uniform(0.6, 0.95)))
### END HIDDEN TESTS
