"""Planted answers to the exercises of contrastive_rl: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np


# %% draw_futures wrong: lets the future be the present
def draw_futures(t, T, gamma, n, seed):
    chance = gamma ** np.arange(T - t + 1)
    return t + np.random.default_rng(seed).choice(T - t + 1, size=n, p=chance / chance.sum())


# %% draw_futures wrong: clips in place of renormalising
def draw_futures(t, T, gamma, n, seed):
    return np.minimum(t + np.random.default_rng(seed).geometric(1 - gamma, size=n), T)


# %% draw_futures wrong: uniform over the rest of the recording
def draw_futures(t, T, gamma, n, seed):
    return np.random.default_rng(seed).integers(t + 1, T + 1, size=n)


# %% draw_futures wrong: returns offsets
def draw_futures(t, T, gamma, n, seed):
    offsets = np.arange(1, T - t + 1)
    chance = gamma**offsets / (gamma**offsets).sum()
    return np.random.default_rng(seed).choice(offsets, size=n, p=chance)


# %% draw_futures wrong: runs past the end
def draw_futures(t, T, gamma, n, seed):
    return t + np.random.default_rng(seed).geometric(1 - gamma, size=n)


# %% draw_futures wrong: never draws the last state
def draw_futures(t, T, gamma, n, seed):
    offsets = np.arange(1, max(T - t, 2))
    chance = gamma**offsets / (gamma**offsets).sum()
    return t + np.random.default_rng(seed).choice(offsets, size=n, p=chance)


# %% draw_futures wrong: ignores the seed
def draw_futures(t, T, gamma, n, seed):
    offsets = np.arange(1, T - t + 1)
    chance = gamma**offsets / (gamma**offsets).sum()
    return t + np.random.default_rng(0).choice(offsets, size=n, p=chance)


# %% draw_futures wrong: weighs by the discount of the far end
def draw_futures(t, T, gamma, n, seed):
    offsets = np.arange(1, T - t + 1)
    chance = gamma ** (T - t - offsets)
    return t + np.random.default_rng(seed).choice(offsets, size=n, p=chance / chance.sum())


# %% draw_futures wrong: the seed is ignored
def draw_futures(t, T, gamma, n, seed):
    offsets = np.arange(1, T - t + 1)
    chance = gamma**offsets
    return t + np.random.default_rng().choice(offsets, size=n, p=chance / chance.sum())


# %% draw_futures wrong: the right numbers of each, sorted
def draw_futures(t, T, gamma, n, seed):
    offsets = np.arange(1, T - t + 1)
    chance = gamma**offsets
    draws = np.random.default_rng(seed).choice(offsets, size=n, p=chance / chance.sum())
    return t + np.sort(draws)


# %% draw_futures wrong: half of the draws, twice
def draw_futures(t, T, gamma, n, seed):
    offsets = np.arange(1, T - t + 1)
    chance = gamma**offsets
    half = np.random.default_rng(seed).choice(offsets, size=(n + 1) // 2, p=chance / chance.sum())
    return t + np.tile(half, 2)[:n]


# %% draw_futures wrong: one draw a stratum, shuffled
def draw_futures(t, T, gamma, n, seed):
    rng = np.random.default_rng(seed)
    u = (rng.permutation(n) + rng.uniform()) / n * (1 - gamma ** (T - t))
    return t + np.clip(np.floor(np.log1p(-u) / np.log(gamma)) + 1, 1, T - t).astype(int)


# %% draw_futures right: rejection, in a loop
def draw_futures(t, T, gamma, n, seed):
    rng = np.random.default_rng(seed)
    kept = np.empty(0, dtype=int)
    while len(kept) < n:
        draws = t + rng.geometric(1 - gamma, size=2 * n)
        kept = np.concatenate([kept, draws[draws <= T]])
    return kept[:n]


# %% draw_futures right: inverse distribution function in JAX
def draw_futures(t, T, gamma, n, seed):
    u = jax.random.uniform(jax.random.key(seed), (n,)) * (1 - gamma ** (T - t))
    delta = jnp.floor(jnp.log1p(-u) / jnp.log(gamma)) + 1
    return t + jnp.clip(delta, 1, T - t).astype(int)


# %% nce_loss wrong: a plain mean over the table
def nce_loss(logits):
    sign = 1 - 2 * np.eye(len(logits))
    return np.logaddexp(0, sign * logits).mean(), (
        1 / (1 + np.exp(-logits)) - np.eye(len(logits))
    ) / logits.size


# %% nce_loss wrong: InfoNCE
def nce_loss(logits):
    def loss(f):
        return -jnp.mean(jnp.diagonal(jax.nn.log_softmax(f, axis=1)))

    return jax.value_and_grad(loss)(jnp.asarray(logits, dtype=float))


# %% nce_loss wrong: divides the negatives by the whole table
def nce_loss(logits):
    def loss(f):
        own = jnp.eye(len(f))
        terms = jax.nn.softplus((1 - 2 * own) * f)
        return jnp.sum(own * terms) / len(f) + jnp.sum((1 - own) * terms) / f.size

    return jax.value_and_grad(loss)(jnp.asarray(logits, dtype=float))


# %% nce_loss wrong: overflows
def nce_loss(logits):
    with np.errstate(all="ignore"):
        b, own = len(logits), np.eye(len(logits), dtype=bool)
        p = 1 / (1 + np.exp(-logits))
        loss = -np.log(p[own]).mean() - np.log(1 - p[~own]).mean()
        return loss, np.where(own, (p - 1) / b, p / (b * (b - 1)))


# %% nce_loss wrong: the sign of the gradient
def nce_loss(logits):
    def loss(f):
        own = jnp.eye(len(f))
        weight = own / len(f) + (1 - own) / (len(f) * (len(f) - 1))
        return jnp.sum(weight * jax.nn.softplus((1 - 2 * own) * f))

    value, gradient = jax.value_and_grad(loss)(jnp.asarray(logits, dtype=float))
    return value, -gradient


# %% nce_loss wrong: the diagonal counts as a negative too
def nce_loss(logits):
    def loss(f):
        b = len(f)
        return jnp.mean(jax.nn.softplus(-jnp.diagonal(f))) + jnp.sum(jax.nn.softplus(f)) / (
            b * (b - 1)
        )

    return jax.value_and_grad(loss)(jnp.asarray(logits, dtype=float))


# %% nce_loss wrong: only the loss
def nce_loss(logits):
    own = np.eye(len(logits), dtype=bool)
    return np.logaddexp(0, -logits[own]).mean() + np.logaddexp(0, logits[~own]).mean()


# %% nce_loss wrong: calls the library
def nce_loss(logits):
    from goalward.losses.contrastive import binary_nce

    return jax.value_and_grad(binary_nce)(jnp.asarray(logits, dtype=float))


# %% nce_loss wrong: no gradient beyond a hundred
def nce_loss(logits):
    b, own = len(logits), np.eye(len(logits))
    weight = own / b + (1 - own) / (b * (b - 1))
    value = np.sum(weight * np.logaddexp(0, (1 - 2 * own) * logits))
    gradient = weight * (0.5 * (1 + np.tanh(logits / 2)) - own)
    return value, np.where(np.abs(logits) > 100, 0.0, gradient)


# %% nce_loss right: loops
def nce_loss(logits):
    b, value, gradient = len(logits), 0.0, np.zeros(np.shape(logits))
    for i in range(b):
        for j in range(b):
            x = logits[i, j]
            p = 0.5 * (1 + np.tanh(x / 2))
            if i == j:
                value += np.logaddexp(0, -x) / b
                gradient[i, j] = (p - 1) / b
            else:
                value += np.logaddexp(0, x) / b / (b - 1)
                gradient[i, j] = p / b / (b - 1)
    return [value, gradient]


# %% nce_loss right: JAX differentiates
def nce_loss(logits):
    def loss(f):
        positive = jax.nn.log_sigmoid(jnp.diagonal(f))
        negative = jax.nn.log_sigmoid(-f)
        rest = negative.sum() - jnp.diagonal(negative).sum()
        return -positive.mean() - rest / (len(f) * (len(f) - 1))

    return jax.value_and_grad(loss)(jnp.asarray(logits, dtype=jnp.float32))


# %% best_critic wrong: counts the present
def best_critic(P, policy, visits, gamma):
    chain = np.einsum("sa,sax->sx", policy, P)
    onward = np.linalg.inv(np.eye(len(P)) - gamma * chain)
    future = (1 - gamma) * (np.eye(len(P))[:, None] + gamma * P @ onward)
    return np.log(future) - np.log(np.einsum("sa,sag->g", visits, future))


# %% best_critic wrong: a uniform marginal
def best_critic(P, policy, visits, gamma):
    chain = np.einsum("sa,sax->sx", policy, P)
    future = (1 - gamma) * P @ np.linalg.inv(np.eye(len(P)) - gamma * chain)
    return np.log(future) + np.log(len(P))


# %% best_critic wrong: the marginal ignores the visits
def best_critic(P, policy, visits, gamma):
    chain = np.einsum("sa,sax->sx", policy, P)
    future = (1 - gamma) * P @ np.linalg.inv(np.eye(len(P)) - gamma * chain)
    return np.log(future) - np.log(future.mean(axis=(0, 1)))


# %% best_critic wrong: forgets the marginal
def best_critic(P, policy, visits, gamma):
    chain = np.einsum("sa,sax->sx", policy, P)
    return np.log((1 - gamma) * P @ np.linalg.inv(np.eye(len(P)) - gamma * chain))


# %% best_critic wrong: one step ahead only
def best_critic(P, policy, visits, gamma):
    return np.log(P + 1e-12) - np.log(np.einsum("sa,sag->g", visits, P) + 1e-12)


# %% best_critic wrong: the transposed chain
def best_critic(P, policy, visits, gamma):
    chain = np.einsum("sa,sax->sx", policy, P).T
    future = np.abs((1 - gamma) * P @ np.linalg.inv(np.eye(len(P)) - gamma * chain))
    return np.log(future) - np.log(np.einsum("sa,sag->g", visits, future))


# %% best_critic wrong: follows a uniform policy
def best_critic(P, policy, visits, gamma):
    future = (1 - gamma) * P @ np.linalg.inv(np.eye(len(P)) - gamma * P.mean(axis=1))
    return np.log(future) - np.log(np.einsum("sa,sag->g", visits, future))


# %% best_critic wrong: a discount too many
def best_critic(P, policy, visits, gamma):
    chain = np.einsum("sa,sax->sx", policy, P)
    future = P @ (np.eye(len(P)) + 0 * chain)
    for _ in range(500):
        future = (1 - gamma**2) * P + gamma**2 * np.einsum("sax,xg->sag", P, np.einsum(
            "xa,xag->xg", policy, future))  # fmt: skip
    return np.log(future) - np.log(np.einsum("sa,sag->g", visits, future))


# %% best_critic right: a sum over time
def best_critic(P, policy, visits, gamma):
    chain = (policy[:, :, None] * P).sum(axis=1)
    total, step = 0 * P, (1 - gamma) * P
    for _ in range(800):
        total = total + step
        step = gamma * step @ chain
    usual = (visits[:, :, None] * total).sum(axis=(0, 1))
    return np.log(total / usual)


# %% best_critic right: the Bellman equation, iterated in JAX
def best_critic(P, policy, visits, gamma):
    P, policy = jnp.asarray(P), jnp.asarray(policy)

    def backup(_, M):
        return (1 - gamma) * P + gamma * jnp.einsum("sax,xb,xbg->sag", P, policy, M)

    M = jax.lax.fori_loop(0, 600, backup, P)
    return jnp.log(M) - jnp.log(jnp.tensordot(jnp.asarray(visits), M, 2))


# %% disguise_and_repair wrong: changes single goals, so the loss changes
def disguise(f, wanted):
    g = f.copy()
    for s, a in enumerate(wanted):
        g[s, a] = f[s].max(axis=0) + 1.5
    return g


def repair(f, p):
    return f - jax.nn.logsumexp(jnp.asarray(f), axis=2, b=jnp.asarray(p), keepdims=True)


# %% disguise_and_repair wrong: too small a bonus
def disguise(f, wanted):
    g = f.copy()
    g[np.arange(len(f)), wanted] += 1.0
    return g


def repair(f, p):
    return f - jax.nn.logsumexp(jnp.asarray(f), axis=2, b=jnp.asarray(p), keepdims=True)


# %% disguise_and_repair wrong: forgets the marginal
def disguise(f, wanted):
    g = f.copy()
    g[np.arange(len(f)), wanted] += np.ptp(f) + 2
    return g


def repair(f, p):
    return f - jax.nn.logsumexp(jnp.asarray(f), axis=2, keepdims=True)


# %% disguise_and_repair wrong: sums over actions
def disguise(f, wanted):
    g = f.copy()
    g[np.arange(len(f)), wanted] += np.ptp(f) + 2
    return g


def repair(f, p):
    return f - np.log((p * np.exp(f)).sum(axis=1, keepdims=True))


# %% disguise_and_repair wrong: overflows
def disguise(f, wanted):
    g = f.copy()
    g[np.arange(len(f)), wanted] += np.ptp(f) + 2
    return g


def repair(f, p):
    with np.errstate(all="ignore"):
        return f - np.log((p * np.exp(f)).sum(axis=2, keepdims=True))


# %% disguise_and_repair wrong: a softmax in place of its logarithm
def disguise(f, wanted):
    g = f.copy()
    g[np.arange(len(f)), wanted] += np.ptp(f) + 2
    return g


def repair(f, p):
    return jax.nn.softmax(jnp.asarray(f) + jnp.log(jnp.asarray(p)), axis=2)


# %% disguise_and_repair wrong: the wanted action of the first state everywhere
def disguise(f, wanted):
    g = f.copy()
    g[:, wanted[0]] += np.ptp(f) + 2
    return g


def repair(f, p):
    return f - jax.nn.logsumexp(jnp.asarray(f), axis=2, b=jnp.asarray(p), keepdims=True)


# %% disguise_and_repair wrong: nothing is repaired
def disguise(f, wanted):
    g = f.copy()
    g[np.arange(len(f)), wanted] += np.ptp(f) + 2
    return g


def repair(f, p):
    return f


# %% disguise_and_repair wrong: the same bonus for every critic, 1e6
def disguise(f, wanted):
    g = np.array(f, dtype=float)
    g[np.arange(len(f)), wanted] += 1e6
    return g


def repair(f, p):
    return f - jax.nn.logsumexp(jnp.asarray(f), axis=2, b=jnp.asarray(p), keepdims=True)


# %% disguise_and_repair wrong: the same bonus for every critic, 50.0
def disguise(f, wanted):
    g = np.array(f, dtype=float)
    g[np.arange(len(f)), wanted] += 50.0
    return g


def repair(f, p):
    return f - jax.nn.logsumexp(jnp.asarray(f), axis=2, b=jnp.asarray(p), keepdims=True)


# %% disguise_and_repair right: loops
def disguise(f, wanted):
    g = np.array(f)
    for s, a in enumerate(wanted):
        for b in range(f.shape[1]):
            if b != a:
                g[s, b] -= 10 + 2 * np.abs(f).max()
    return g


def repair(f, p):
    g = np.array(f, dtype=float)
    for s, a in np.ndindex(g.shape[:2]):
        top = g[s, a].max()
        g[s, a] -= top + np.log(sum(q * np.exp(x - top) for q, x in zip(p, f[s, a], strict=True)))
    return g


# %% disguise_and_repair right: JAX
def disguise(f, wanted):
    f = jnp.asarray(f)
    return f.at[jnp.arange(len(f)), jnp.asarray(wanted)].add(jnp.ptp(f) + 3)


def repair(f, p):
    return f - jax.nn.logsumexp(jnp.asarray(f) + jnp.log(jnp.asarray(p)), axis=-1, keepdims=True)


# %% imitate_or_choose wrong: clones the behaviour without the goal
def imitate_or_choose(P, policy, gamma):
    n, scores = len(P), np.zeros(2)
    chain = np.einsum("sa,sax->sx", policy, P)
    M = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)
    for g in range(n):
        for k, pi in enumerate((policy, np.eye(P.shape[1])[M[:, :, g].argmax(1)])):
            C = np.einsum("sa,sax->sx", pi, P)
            scores[k] += (1 - gamma) * np.linalg.solve(np.eye(n) - gamma * C, C[:, g]).mean() / n
    return scores


# %% imitate_or_choose wrong: cloning forgets the behaviour's own frequencies
def imitate_or_choose(P, policy, gamma):
    n, scores = len(P), np.zeros(2)
    chain = np.einsum("sa,sax->sx", policy, P)
    M = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)
    for g in range(n):
        clone = M[:, :, g] / M[:, :, g].sum(axis=1, keepdims=True)
        for k, pi in enumerate((clone, np.eye(P.shape[1])[M[:, :, g].argmax(1)])):
            C = np.einsum("sa,sax->sx", pi, P)
            scores[k] += (1 - gamma) * np.linalg.solve(np.eye(n) - gamma * C, C[:, g]).mean() / n
    return scores


# %% imitate_or_choose wrong: counts the present
def imitate_or_choose(P, policy, gamma):
    n, scores = len(P), np.zeros(2)
    chain = np.einsum("sa,sax->sx", policy, P)
    M = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)
    for g in range(n):
        clone = policy * M[:, :, g]
        clone /= clone.sum(axis=1, keepdims=True)
        for k, pi in enumerate((clone, np.eye(P.shape[1])[M[:, :, g].argmax(1)])):
            C = np.einsum("sa,sax->sx", pi, P)
            scores[k] += (1 - gamma) * np.linalg.inv(np.eye(n) - gamma * C)[:, g].mean() / n
    return scores


# %% imitate_or_choose wrong: the scores of the behaviour's values, not of the new policies
def imitate_or_choose(P, policy, gamma):
    n = len(P)
    chain = np.einsum("sa,sax->sx", policy, P)
    M = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)
    clone = policy[:, :, None] * M
    clone /= clone.sum(axis=1, keepdims=True)
    return (clone * M).sum(axis=1).mean(), M.max(axis=1).mean()


# %% imitate_or_choose wrong: swaps the two scores
def imitate_or_choose(P, policy, gamma):
    n, scores = len(P), np.zeros(2)
    chain = np.einsum("sa,sax->sx", policy, P)
    M = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)
    for g in range(n):
        clone = policy * M[:, :, g]
        clone /= clone.sum(axis=1, keepdims=True)
        for k, pi in enumerate((clone, np.eye(P.shape[1])[M[:, :, g].argmax(1)])):
            C = np.einsum("sa,sax->sx", pi, P)
            scores[k] += (1 - gamma) * np.linalg.solve(np.eye(n) - gamma * C, C[:, g]).mean() / n
    return scores[::-1]


# %% imitate_or_choose wrong: not normalised by the weight
def imitate_or_choose(P, policy, gamma):
    n, scores = len(P), np.zeros(2)
    chain = np.einsum("sa,sax->sx", policy, P)
    M = P @ np.linalg.inv(np.eye(n) - gamma * chain)
    for g in range(n):
        clone = policy * M[:, :, g]
        clone /= clone.sum(axis=1, keepdims=True)
        for k, pi in enumerate((clone, np.eye(P.shape[1])[M[:, :, g].argmax(1)])):
            C = np.einsum("sa,sax->sx", pi, P)
            scores[k] += np.linalg.solve(np.eye(n) - gamma * C, C[:, g]).mean() / n
    return scores


# %% imitate_or_choose wrong: one goal only
def imitate_or_choose(P, policy, gamma):
    n, scores = len(P), np.zeros(2)
    chain = np.einsum("sa,sax->sx", policy, P)
    M = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)
    clone = policy * M[:, :, 0]
    clone /= clone.sum(axis=1, keepdims=True)
    for k, pi in enumerate((clone, np.eye(P.shape[1])[M[:, :, 0].argmax(1)])):
        C = np.einsum("sa,sax->sx", pi, P)
        scores[k] = (1 - gamma) * np.linalg.solve(np.eye(n) - gamma * C, C[:, 0]).mean()
    return scores


# %% imitate_or_choose right: loops over states, iterated backups
def imitate_or_choose(P, policy, gamma):
    S, A, _ = P.shape
    M = P.copy()
    for _ in range(600):
        M = (1 - gamma) * P + gamma * P @ (policy[:, :, None] * M).sum(axis=1)
    clone_total = greedy_total = 0.0
    for g in range(S):
        copy, best = np.zeros(S), np.zeros(S)
        odds = [policy[s] * M[s, :, g] for s in range(S)]
        for _ in range(600):
            reach_copy = (1 - gamma) * P[:, :, g] + gamma * P @ copy
            reach_best = (1 - gamma) * P[:, :, g] + gamma * P @ best
            copy = np.array([odds[s] @ reach_copy[s] / odds[s].sum() for s in range(S)])
            best = np.array([reach_best[s, M[s, :, g].argmax()] for s in range(S)])
        clone_total += copy.mean() / S
        greedy_total += best.mean() / S
    return clone_total, greedy_total


# %% imitate_or_choose right: all goals at once, in JAX
def imitate_or_choose(P, policy, gamma):
    P, policy = jnp.asarray(P), jnp.asarray(policy)
    eye = jnp.eye(len(P))
    M = (1 - gamma) * P @ jnp.linalg.inv(eye - gamma * jnp.einsum("sa,sax->sx", policy, P))
    odds = policy[:, :, None] * M

    def mean_score(rule):
        chains = jnp.einsum("sag,sax->gsx", rule, P)
        reached = (1 - gamma) * jnp.linalg.inv(eye - gamma * chains) @ chains
        return jnp.diagonal(reached, axis1=0, axis2=2).mean()

    greedy = jax.nn.one_hot(M.argmax(axis=1), P.shape[1], axis=1)
    return [mean_score(odds / odds.sum(axis=1, keepdims=True)), mean_score(greedy)]
