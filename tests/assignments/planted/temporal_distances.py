"""Planted answers to the exercises of temporal_distances: wrong ones lose points."""

import jax
import jax.numpy as jnp
import numpy as np

# What the notebook's other cells define; an answer is run together with them.
chain_distance = pair_distance = recorded_distance = best_distance = None


# %% chain_distance right: an absorbing goal, one solve a goal
def chain_distance(P, gamma):
    S = len(P)
    out = [[0.0] * S for _ in range(S)]
    for g in range(S):
        others = [s for s in range(S) if s != g]
        A = np.eye(S - 1) - gamma * P[np.ix_(others, others)]
        h = np.linalg.solve(A, gamma * P[others, g])
        for s, value in zip(others, h, strict=True):
            out[s][g] = -float(np.log(value))
    return out


# %% chain_distance right: JAX, by iteration
def chain_distance(P, gamma):
    P = jnp.asarray(P)
    eye = jnp.eye(len(P))
    h = jax.lax.fori_loop(0, 2000, lambda _, h: jnp.where(eye > 0, 1.0, gamma * P @ h), eye)
    return -jnp.log(h)


# %% chain_distance wrong: divides by the start
def chain_distance(P, gamma):
    M = np.linalg.inv(np.eye(len(P)) - gamma * P)
    return np.log(np.diag(M))[:, None] - np.log(M)


# %% chain_distance wrong: not divided
def chain_distance(P, gamma):
    return -np.log((1 - gamma) * np.linalg.inv(np.eye(len(P)) - gamma * P))


# %% chain_distance wrong: time 0 does not count
def chain_distance(P, gamma):
    M = P @ np.linalg.inv(np.eye(len(P)) - gamma * P)
    return np.log(np.diag(M))[None, :] - np.log(M)


# %% chain_distance wrong: goal before start
def chain_distance(P, gamma):
    M = np.linalg.inv(np.eye(len(P)) - gamma * P)
    return (np.log(np.diag(M))[None, :] - np.log(M)).T


# %% chain_distance wrong: expected steps times the price of one
def chain_distance(P, gamma):
    S = len(P)
    out = np.zeros((S, S))
    for g in range(S):
        others = np.flatnonzero(np.arange(S) != g)
        out[others, g] = np.linalg.solve(np.eye(S - 1) - P[np.ix_(others, others)], np.ones(S - 1))
    return -np.log(gamma) * out


# %% chain_distance wrong: forgets the discount in the sum
def chain_distance(P, gamma):
    M = np.linalg.inv(np.eye(len(P)) - 0.8 * P)
    return np.log(np.diag(M))[None, :] - np.log(M)


# %% chain_distance wrong: a constant for each pair
def chain_distance(P, gamma):
    return -np.log(gamma) * (1 - np.eye(len(P)))


# %% chain_distance wrong: works in place
def chain_distance(P, gamma):
    P *= -gamma
    P += np.eye(len(P))
    M = np.linalg.inv(P)
    return np.log(np.diag(M))[None, :] - np.log(M)


# %% chain_distance wrong: too few steps of time
def chain_distance(P, gamma):
    M = sum(gamma**t * np.linalg.matrix_power(P, t) for t in range(15))
    M = np.maximum(M, 1e-12)
    return np.log(np.diag(M))[None, :] - np.log(M)


# %% pair_distance right: loops
def pair_distance(logits, policy):
    S, A, _ = logits.shape
    out = np.zeros(logits.shape)
    for g in range(S):
        top = max(logits[g, a, g] for a in range(A))
        own = sum(policy[g, a] * np.exp(logits[g, a, g] - top) for a in range(A))
        for s in range(S):
            for a in range(A):
                out[s, a, g] = top + np.log(own) - logits[s, a, g]
    return out.tolist()


# %% pair_distance right: logsumexp in JAX
def pair_distance(logits, policy):
    n = len(logits)
    f = jnp.asarray(logits)[jnp.arange(n), :, jnp.arange(n)]
    shift = f.max(axis=1)
    own = jax.nn.logsumexp(f - shift[:, None], axis=1, b=jnp.asarray(policy))
    return (shift - logits) + own


# %% pair_distance wrong: averages logits
def pair_distance(logits, policy):
    own = np.einsum("gag,ga->g", logits, policy)
    return own - logits


# %% pair_distance wrong: the best action at the goal
def pair_distance(logits, policy):
    return np.einsum("gag->ga", logits).max(axis=1) - logits


# %% pair_distance wrong: the same action at the goal
def pair_distance(logits, policy):
    own = np.einsum("gag->ag", logits)
    return own[None] - logits


# %% pair_distance wrong: a uniform policy
def pair_distance(logits, policy):
    own = np.einsum("gag->ga", logits)
    top = own.max(axis=1)
    return np.log(np.exp(own - top[:, None]).mean(axis=1)) + top - logits


# %% pair_distance wrong: overflows
def pair_distance(logits, policy):
    own = np.einsum("gag->ga", logits)
    with np.errstate(all="ignore"):
        return np.log((policy * np.exp(own)).sum(axis=1)) - logits


# %% pair_distance wrong: the sign
def pair_distance(logits, policy):
    own = np.einsum("gag->ga", logits)
    top = own.max(axis=1)
    at = np.log((policy * np.exp(own - top[:, None])).sum(axis=1)) + top
    return logits - at


# %% pair_distance wrong: at the start in place of the goal
def pair_distance(logits, policy):
    own = np.einsum("gag->ga", logits)
    top = own.max(axis=1)
    at = np.log((policy * np.exp(own - top[:, None])).sum(axis=1)) + top
    return at[:, None, None] - logits


# %% pair_distance wrong: zero wherever the state is the goal
def pair_distance(logits, policy):
    own = np.einsum("gag->ga", logits)
    top = own.max(axis=1)
    at = np.log((policy * np.exp(own - top[:, None])).sum(axis=1)) + top
    return np.where(np.eye(len(own), dtype=bool)[:, None], 0.0, at - logits)


# %% pair_distance wrong: writes into the logits
def pair_distance(logits, policy):
    own = np.einsum("gag->ga", logits).copy()
    top = own.max(axis=1)
    at = np.log((policy * np.exp(own - top[:, None])).sum(axis=1)) + top
    logits *= -1
    logits += at
    return logits


# %% recorded_distance right: one walk at a time
def recorded_distance(walks, n, gamma, far):
    table = [[0.0] * n for _ in range(n)]
    for walk in walks.tolist():
        for t, s in enumerate(walk):
            rest = walk[t:]
            whole = sum(gamma**k for k in range(len(rest)))
            for k, g in enumerate(rest):
                table[s][g] += gamma**k / whole
    table = np.array(table)
    table /= table.sum(axis=1)[:, None]
    with np.errstate(divide="ignore"):
        d = np.log(table.diagonal()) - np.log(table)
    return np.where(np.isinf(d), far, d)


# %% recorded_distance right: JAX and one-hot codes
def recorded_distance(walks, n, gamma, far):
    code = jax.nn.one_hot(walks, n)
    T = code.shape[1]
    k = jnp.arange(T)[None, :] - jnp.arange(T)[:, None]
    weight = jnp.where(k >= 0, gamma ** jnp.maximum(k, 0), 0.0)
    weight = weight / weight.sum(axis=1, keepdims=True)
    p = jnp.einsum("wts,tu,wug->sg", code, weight, code)
    p = p / p.sum(axis=1, keepdims=True)
    return jnp.where(p > 1e-9, jnp.log(jnp.diag(p)) - jnp.log(jnp.maximum(p, 1e-9)), far)


# %% recorded_distance wrong: futures begin one step ahead
def recorded_distance(walks, n, gamma, far):
    table = np.zeros((n, n))
    for t in range(walks.shape[1] - 1):
        w = gamma ** np.arange(walks.shape[1] - t - 1)
        for k, x in enumerate(w / w.sum()):
            np.add.at(table, (walks[:, t], walks[:, t + k + 1]), x)
    table /= np.maximum(table.sum(axis=1, keepdims=True), 1e-12)
    logs = np.log(np.where(table > 0, table, 1))
    return np.where(table > 0, np.diag(logs) - logs, far)


# %% recorded_distance wrong: weights not renormalised
def recorded_distance(walks, n, gamma, far):
    table = np.zeros((n, n))
    for t in range(walks.shape[1]):
        for k in range(walks.shape[1] - t):
            np.add.at(table, (walks[:, t], walks[:, t + k]), (1 - gamma) * gamma**k)
    table /= table.sum(axis=1, keepdims=True)
    logs = np.log(np.where(table > 0, table, 1))
    return np.where(table > 0, np.diag(logs) - logs, far)


# %% recorded_distance wrong: the tail falls on the last state
def recorded_distance(walks, n, gamma, far):
    table = np.zeros((n, n))
    T = walks.shape[1]
    for t in range(T):
        w = (1 - gamma) * gamma ** np.arange(T - t)
        w[-1] = 1 - w[:-1].sum()
        for k, x in enumerate(w):
            np.add.at(table, (walks[:, t], walks[:, t + k]), x)
    table /= table.sum(axis=1, keepdims=True)
    logs = np.log(np.where(table > 0, table, 1))
    return np.where(table > 0, np.diag(logs) - logs, far)


# %% recorded_distance wrong: the last state is no start
def recorded_distance(walks, n, gamma, far):
    table = 1e-12 * np.eye(n)
    for t in range(walks.shape[1] - 1):
        w = gamma ** np.arange(walks.shape[1] - t)
        for k, x in enumerate(w / w.sum()):
            np.add.at(table, (walks[:, t], walks[:, t + k]), x)
    table /= table.sum(axis=1, keepdims=True)
    logs = np.log(np.where(table > 0, table, 1))
    return np.where(table > 0, np.diag(logs) - logs, far)


# %% recorded_distance wrong: adds repeated pairs once
def recorded_distance(walks, n, gamma, far):
    table = np.zeros((n, n))
    for t in range(walks.shape[1]):
        w = gamma ** np.arange(walks.shape[1] - t)
        for k, x in enumerate(w / w.sum()):
            table[walks[:, t], walks[:, t + k]] += x
    table /= table.sum(axis=1, keepdims=True)
    logs = np.log(np.where(table > 0, table, 1))
    return np.where(table > 0, np.diag(logs) - logs, far)


# %% recorded_distance wrong: rows not normalised
def recorded_distance(walks, n, gamma, far):
    table = np.zeros((n, n))
    for t in range(walks.shape[1]):
        w = gamma ** np.arange(walks.shape[1] - t)
        for k, x in enumerate(w / w.sum()):
            np.add.at(table, (walks[:, t], walks[:, t + k]), x)
    logs = np.log(np.where(table > 0, table, 1))
    return np.where(table > 0, np.diag(logs) - logs, far)


# %% recorded_distance wrong: first visits only
def recorded_distance(walks, n, gamma, far):
    total, starts = np.zeros((n, n)), np.zeros(n)
    for walk in walks.tolist():
        for t, s in enumerate(walk):
            starts[s] += 1
            for g in set(walk[t:]):
                total[s, g] += gamma ** walk[t:].index(g)
    h = total / starts[:, None]
    return np.where(h > 0, -np.log(np.where(h > 0, h, 1)), far)


# %% recorded_distance wrong: ignores far
def recorded_distance(walks, n, gamma, far):
    table = np.zeros((n, n))
    for t in range(walks.shape[1]):
        w = gamma ** np.arange(walks.shape[1] - t)
        for k, x in enumerate(w / w.sum()):
            np.add.at(table, (walks[:, t], walks[:, t + k]), x)
    table /= table.sum(axis=1, keepdims=True)
    logs = np.log(np.where(table > 0, table, 1))
    return np.where(table > 0, np.diag(logs) - logs, 99.0)


# %% best_distance right: policy iteration, one goal at a time
def best_distance(P, gamma):
    S, A, _ = P.shape
    out = np.zeros((S, S))
    for g in range(S):
        plan = np.full((S, A), 1 / A)
        for _ in range(40):
            chain = np.einsum("sa,sax->sx", plan, P)
            chain[g] = 0
            h = np.linalg.solve(np.eye(S) - gamma * chain, np.eye(S)[g])
            plan = np.eye(A)[(P @ h).argmax(axis=1)]
        out[:, g] = -np.log(h)
    return out


# %% best_distance right: value iteration in JAX
def best_distance(P, gamma):
    P = jnp.asarray(P)
    eye = jnp.eye(len(P)) > 0
    one = jnp.where(eye, 1.0, 0.0)
    h = jax.lax.fori_loop(
        0, 3000, lambda _, h: jnp.where(eye, 1.0, gamma * jnp.max(P @ h, axis=1)), one
    )
    return -jnp.log(h)


# %% best_distance right: in nats, a distance at a time
def best_distance(P, gamma):
    d = np.where(np.eye(len(P)) > 0, 0.0, 60.0)
    for _ in range(4000):
        ahead = -np.log(gamma * np.einsum("sax,xg->sag", P, np.exp(-d)))
        d = np.where(np.eye(len(P)) > 0, 0.0, ahead.min(axis=1))
    return d


# %% best_distance wrong: the uniform policy
def best_distance(P, gamma):
    M = np.linalg.inv(np.eye(len(P)) - gamma * P.mean(axis=1))
    return np.log(np.diag(M)) - np.log(M)


# %% best_distance wrong: a lucky step, not a likely one
def best_distance(P, gamma):
    S = len(P)
    d = np.where(np.eye(S) > 0, 0.0, np.inf)
    step = np.where(P.max(axis=1) > 0, -np.log(gamma), np.inf)
    for _ in range(S):
        d = np.minimum(d, (step[:, :, None] + d[None]).min(axis=1))
    return d


# %% best_distance wrong: averages distances
def best_distance(P, gamma):
    S = len(P)
    d = np.zeros((S, S))
    for _ in range(5000):
        d = (P @ d).min(axis=1) - np.log(gamma)
        np.fill_diagonal(d, 0.0)
    return d


# %% best_distance wrong: the worst policy
def best_distance(P, gamma):
    h = np.eye(len(P))
    for _ in range(3000):
        h = gamma * (P @ h).min(axis=1)
        np.fill_diagonal(h, 1.0)
    return -np.log(np.maximum(h, 1e-300))


# %% best_distance right: most visits to the goal, then the ratio
def best_distance(P, gamma):
    S = len(P)
    h = np.eye(S)
    for _ in range(3000):
        h = (1 - gamma) * np.eye(S) + gamma * (P @ h).max(axis=1)
    return np.log(np.diag(h)) - np.log(h)


# %% best_distance wrong: time 0 does not count
def best_distance(P, gamma):
    h = np.eye(len(P))
    for _ in range(3000):
        h = gamma * (P @ h).max(axis=1)
        np.fill_diagonal(h, 1.0)
    return -np.log(gamma * (P @ h).max(axis=1))


# %% best_distance wrong: one plan for all goals
def best_distance(P, gamma):
    h = np.eye(len(P))
    for _ in range(2000):
        h = gamma * (P @ h).max(axis=1)
        np.fill_diagonal(h, 1.0)
    plan = (P @ h).mean(axis=2).argmax(axis=1)
    M = np.linalg.inv(np.eye(len(P)) - gamma * P[np.arange(len(P)), plan])
    return np.log(np.diag(M)) - np.log(np.maximum(M, 1e-300))


# %% best_distance wrong: few rounds
def best_distance(P, gamma):
    h = np.eye(len(P))
    for _ in range(6):
        h = gamma * (P @ h).max(axis=1)
        np.fill_diagonal(h, 1.0)
    return -np.log(np.maximum(h, 1e-300))


# %% best_distance wrong: forgets the discount
def best_distance(P, gamma):
    h = np.eye(len(P))
    for _ in range(3000):
        h = 0.9 * (P @ h).max(axis=1)
        np.fill_diagonal(h, 1.0)
    return -np.log(h)


# %% best_distance wrong: writes into P
def best_distance(P, gamma):
    P *= gamma
    h = np.eye(len(P))
    for _ in range(3000):
        h = (P @ h).max(axis=1)
        np.fill_diagonal(h, 1.0)
    return -np.log(h)
