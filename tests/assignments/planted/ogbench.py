"""Planted answers to the exercises of ogbench: wrong ones lose points, right ones do not."""

import jax.numpy as jnp
import numpy as np


# %% expectile wrong: a quantile
def expectile(x, w, kappa):
    order = np.argsort(x)
    share = np.cumsum(w[order]) / w.sum()
    return x[order][np.searchsorted(share, kappa)]


# %% expectile wrong: forgets the weights
def expectile(x, w, kappa):
    v = x.mean()
    for _ in range(200):
        c = np.where(x > v, kappa, 1 - kappa)
        v = (c * x).sum() / c.sum()
    return v


# %% expectile wrong: leans to the low side
def expectile(x, w, kappa):
    v = x.mean()
    for _ in range(200):
        c = w * np.where(x > v, 1 - kappa, kappa)
        v = (c * x).sum() / c.sum()
    return v


# %% expectile wrong: one step from the mean
def expectile(x, w, kappa):
    v = (w * x).sum() / w.sum()
    c = w * np.where(x > v, kappa, 1 - kappa)
    return (c * x).sum() / c.sum()


# %% expectile wrong: a mixture of mean and maximum
def expectile(x, w, kappa):
    mean = (w * x).sum() / w.sum()
    return mean + (2 * kappa - 1) * (x.max() - mean)


# %% expectile wrong: calls the library
def expectile(x, w, kappa):
    from goalward.methods import ogbench

    return ogbench.expectile(x, w, kappa)


# %% expectile wrong: twelve reweightings
def expectile(x, w, kappa):
    v = (w * x).sum() / w.sum()
    for _ in range(12):
        c = w * np.where(x > v, kappa, 1 - kappa)
        v = (c * x).sum() / c.sum()
    return v


# %% expectile wrong: sorts its argument in place
def expectile(x, w, kappa):
    order = np.argsort(x)
    x[:], w[:] = x[order], w[order]
    low, high = x[0], x[-1]
    for _ in range(100):
        v = (low + high) / 2
        pull = (w * np.where(x > v, kappa, 1 - kappa) * (x - v)).sum()
        low, high = (v, high) if pull > 0 else (low, v)
    return v


# %% expectile right: reweighted means
def expectile(x, w, kappa):
    v = float(np.average(x, weights=w))
    for _ in range(500):
        c = [wi * (kappa if xi > v else 1 - kappa) for xi, wi in zip(x, w, strict=True)]
        v = sum(ci * xi for ci, xi in zip(c, x, strict=True)) / sum(c)
    return v


# %% expectile right: in JAX
def expectile(x, w, kappa):
    x, w = jnp.asarray(x), jnp.asarray(w)
    v = jnp.mean(x)
    for _ in range(60):
        c = w * jnp.where(x >= v, kappa, 1 - kappa)
        v = jnp.sum(c * x) / jnp.sum(c)
    return v


# %% goal_table wrong: the tail is thrown away
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    ends = np.flatnonzero(terminals)
    table = np.full((n, n), (1 - p_current - p_future) / n)
    for i in range(n):
        table[i, i] += p_current
        for j in range(i + 1, ends[ends >= i][0] + 1):
            table[i, j] += p_future * (1 - gamma) * gamma ** (j - i - 1)
    return table


# %% goal_table wrong: the tail is shared out
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    ends = np.flatnonzero(terminals)
    table = np.full((n, n), (1 - p_current - p_future) / n)
    for i in range(n):
        table[i, i] += p_current
        end = ends[ends >= i][0]
        if end == i:
            table[i, i] += p_future
            continue
        w = gamma ** np.arange(end - i)
        table[i, i + 1 : end + 1] += p_future * w / w.sum()
    return table


# %% goal_table wrong: counts from the present
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    ends = np.flatnonzero(terminals)
    table = np.full((n, n), (1 - p_current - p_future) / n)
    for i in range(n):
        table[i, i] += p_current
        end = ends[ends >= i][0]
        for j in range(i, end):
            table[i, j] += p_future * (1 - gamma) * gamma ** (j - i)
        table[i, end] += p_future * gamma ** (end - i)
    return table


# %% goal_table wrong: runs into the next episode
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    table = np.full((n, n), (1 - p_current - p_future) / n)
    for i in range(n):
        table[i, i] += p_current
        for j in range(i + 1, n - 1):
            table[i, j] += p_future * (1 - gamma) * gamma ** (j - i - 1)
        table[i, n - 1] += p_future * gamma ** max(n - 2 - i, 0)
    return table


# %% goal_table wrong: transposed
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    ends = np.flatnonzero(terminals)
    table = np.full((n, n), (1 - p_current - p_future) / n)
    for i in range(n):
        table[i, i] += p_current
        end = ends[ends >= i][0]
        for j in range(i + 1, end):
            table[i, j] += p_future * (1 - gamma) * gamma ** (j - i - 1)
        table[i, end] += p_future * gamma ** max(end - i - 1, 0)
    return table.T


# %% goal_table wrong: no random goals
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    ends = np.flatnonzero(terminals)
    table = np.zeros((n, n))
    for i in range(n):
        table[i, i] += p_current
        end = ends[ends >= i][0]
        for j in range(i + 1, end):
            table[i, j] += p_future * (1 - gamma) * gamma ** (j - i - 1)
        table[i, end] += p_future * gamma ** max(end - i - 1, 0)
    return table


# %% goal_table wrong: a sum of 200 terms
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    ends = np.flatnonzero(terminals)
    table = np.full((n, n), (1 - p_current - p_future) / n)
    for i in range(n):
        table[i, i] += p_current
        end = ends[ends >= i][0]
        for k in range(1, 201):
            table[i, min(i + k, end)] += p_future * (1 - gamma) * gamma ** (k - 1)
    return table


# %% goal_table wrong: marks the first row of its argument
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    ends = np.flatnonzero(terminals)
    table = np.full((n, n), (1 - p_current - p_future) / n)
    for i in range(n):
        table[i, i] += p_current
        end = ends[ends >= i][0]
        for j in range(i + 1, end):
            table[i, j] += p_future * (1 - gamma) * gamma ** (j - i - 1)
        table[i, end] += p_future * gamma ** max(end - i - 1, 0)
    terminals[0] = True
    return table


# %% goal_table right: vectorised
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    at = np.arange(n)
    end = np.array([i + np.argmax(terminals[i:]) for i in range(n)])
    ahead = at[None, :] - at[:, None]
    inside = (ahead >= 1) & (at[None, :] < end[:, None])
    future = np.where(inside, (1 - gamma) * gamma ** np.maximum(ahead - 1, 0.0), 0.0)
    future[at, end] = 1 - future.sum(axis=1)
    return p_current * np.eye(n) + p_future * future + (1 - p_current - p_future) / n


# %% goal_table right: a long sum, in JAX at the end
def goal_table(terminals, gamma, p_current, p_future):
    n = len(terminals)
    future = np.zeros((n, n))
    for i in range(n):
        j, left = i, 1.0
        while not terminals[j] and left > 1e-12:
            j += 1
            stop = 1 - gamma if not terminals[j] else 1.0
            future[i, j] += left * stop
            left *= 1 - stop
        if terminals[i]:
            future[i, i] = 1.0
    rest = 1 - p_current - p_future
    return p_current * jnp.eye(n) + p_future * jnp.asarray(future) + rest * jnp.full((n, n), 1 / n)


# %% fit_qrl_tabular wrong: roads without a direction
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), np.inf)
    d[states, next_states] = 1.0
    d[next_states, states] = 1.0
    np.fill_diagonal(d, 0.0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return np.where(np.isinf(d), far, d)


# %% fit_qrl_tabular wrong: one relaxation only
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), np.inf)
    d[states, next_states] = 1.0
    np.fill_diagonal(d, 0.0)
    d = (d[:, :, None] + d[None]).min(axis=1)
    return np.where(np.isinf(d), far, d)


# %% fit_qrl_tabular wrong: a bump moves a state away from itself
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), np.inf)
    np.fill_diagonal(d, 0.0)
    d[states, next_states] = 1.0
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return np.where(np.isinf(d), far, d)


# %% fit_qrl_tabular wrong: transposed
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), np.inf)
    d[next_states, states] = 1.0
    np.fill_diagonal(d, 0.0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return np.where(np.isinf(d), far, d)


# %% fit_qrl_tabular wrong: only recorded steps
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), float(far))
    d[states, next_states] = 1.0
    np.fill_diagonal(d, 0.0)
    return d


# %% fit_qrl_tabular wrong: leaves infinities
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), np.inf)
    d[states, next_states] = 1.0
    np.fill_diagonal(d, 0.0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return d


# %% fit_qrl_tabular wrong: far in the place of infinity
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), float(far))
    d[states, next_states] = 1.0
    np.fill_diagonal(d, 0.0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return d


# %% fit_qrl_tabular wrong: far in the place of infinity, where it is positive
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), float(far) if far > 0 else np.inf)
    d[states, next_states] = 1.0
    np.fill_diagonal(d, 0.0)
    for k in range(n):
        d = np.minimum(d, d[:, [k]] + d[[k]])
    return np.where(np.isinf(d), far, d)


# %% fit_qrl_tabular right: repeated squaring
def fit_qrl_tabular(states, next_states, n, far):
    d = np.full((n, n), np.inf)
    d[states, next_states] = 1.0
    d[np.arange(n), np.arange(n)] = 0.0
    for _ in range(n):
        d = (d[:, :, None] + d[None]).min(axis=1)
    d[~np.isfinite(d)] = far
    return d


# %% fit_qrl_tabular right: breadth first
def fit_qrl_tabular(states, next_states, n, far):
    roads = [set() for _ in range(n)]
    for s, t in zip(states, next_states, strict=True):
        roads[int(s)].add(int(t))
    table = []
    for s in range(n):
        steps, front = {s: 0}, [s]
        for x in front:
            for y in roads[x]:
                if y not in steps:
                    steps[y] = steps[x] + 1
                    front.append(y)
        table.append([float(steps.get(g, far)) for g in range(n)])
    return jnp.array(table)


# %% transitions wrong: joins episodes
def transitions(observations, actions, terminals):
    n = len(terminals)
    rows = np.arange(n - 1)
    return rows, np.minimum(np.arange(n) + 1, n - 1), observations[1:], np.r_[np.ones(n - 1), 0.0]


# %% transitions wrong: a file that is cut off
def transitions(observations, actions, terminals):
    i = np.arange(len(terminals))
    rows = np.flatnonzero(~terminals)
    after = np.where(terminals, i, np.minimum(i + 1, len(i) - 1))
    return rows, after, observations[after[rows]], (~terminals).astype(float)


# %% transitions wrong: shifted by one
def transitions(observations, actions, terminals):
    last = terminals.copy()
    last[-1] = True
    i = np.arange(len(last))
    rows = np.flatnonzero(~last)
    return rows, np.where(last, i, i + 1), observations[rows], (~last).astype(float)


# %% transitions wrong: the last row's next is the first of the next episode
def transitions(observations, actions, terminals):
    last = terminals.copy()
    last[-1] = True
    rows = np.flatnonzero(~last)
    after = np.minimum(np.arange(len(last)) + 1, len(last) - 1)
    return rows, after, observations[rows + 1], (~last).astype(float)


# %% transitions wrong: valid the other way round
def transitions(observations, actions, terminals):
    last = terminals.copy()
    last[-1] = True
    i = np.arange(len(last))
    rows = np.flatnonzero(~last)
    return rows, np.where(last, i, i + 1), observations[rows + 1], last.astype(float)


# %% transitions wrong: row numbers that are no integers
def transitions(observations, actions, terminals):
    last = terminals.copy()
    last[-1] = True
    rows = np.flatnonzero(~last)
    after = np.arange(len(last)) + (~last).astype(float)
    return rows, after, observations[rows + 1], (~last).astype(float)


# %% transitions wrong: ends the file in its argument
def transitions(observations, actions, terminals):
    terminals[-1] = True
    i = np.arange(len(terminals))
    rows = np.flatnonzero(~terminals)
    return rows, np.where(terminals, i, i + 1), observations[rows + 1], (~terminals).astype(float)


# %% transitions right: loops
def transitions(observations, actions, terminals):
    n, rows, after, seen, valid = len(terminals), [], [], [], []
    for i in range(n):
        if terminals[i] or i == n - 1:
            after.append(i)
            valid.append(0.0)
        else:
            rows.append(i)
            after.append(i + 1)
            seen.append(observations[i + 1])
            valid.append(1.0)
    return rows, after, seen, valid


# %% transitions right: in JAX
def transitions(observations, actions, terminals):
    n = len(terminals)
    valid = jnp.asarray(~np.r_[terminals[:-1], True])
    after = jnp.arange(n) + valid
    rows = jnp.flatnonzero(valid)
    return rows, after, jnp.asarray(observations)[after[rows]], valid.astype(float)
