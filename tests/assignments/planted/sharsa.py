"""Planted answers to sharsa: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np


# %% nstep_targets wrong: gamma to the n at the end
def nstep_targets(rewards, values, n, gamma, arrived):
    T, out = len(rewards), []
    for t in range(T):
        m = min(n, T - t)
        x = sum(gamma**k * rewards[t + k] for k in range(m))
        out.append(x + (t + m < T or not arrived) * gamma**n * values[t + m])
    return np.array(out)


# %% nstep_targets wrong: one discount for the value
def nstep_targets(rewards, values, n, gamma, arrived):
    T, out = len(rewards), []
    for t in range(T):
        m = min(n, T - t)
        x = sum(gamma**k * rewards[t + k] for k in range(m))
        out.append(x + (t + m < T or not arrived) * gamma * values[t + m])
    return np.array(out)


# %% nstep_targets wrong: bootstraps after the end
def nstep_targets(rewards, values, n, gamma, arrived):
    T, out = len(rewards), []
    for t in range(T):
        m = min(n, T - t)
        x = sum(gamma**k * rewards[t + k] for k in range(m))
        out.append(x + gamma**m * values[t + m])
    return np.array(out)


# %% nstep_targets wrong: every end is an arrival
def nstep_targets(rewards, values, n, gamma, arrived):
    T, out = len(rewards), []
    for t in range(T):
        m = min(n, T - t)
        x = sum(gamma**k * rewards[t + k] for k in range(m))
        out.append(x + (t + m < T) * gamma**m * values[t + m])
    return np.array(out)


# %% nstep_targets wrong: undiscounted rewards
def nstep_targets(rewards, values, n, gamma, arrived):
    T, out = len(rewards), []
    for t in range(T):
        m = min(n, T - t)
        x = rewards[t : t + m].sum()
        out.append(x + (t + m < T or not arrived) * gamma**m * values[t + m])
    return np.array(out)


# %% nstep_targets wrong: single steps
def nstep_targets(rewards, values, n, gamma, arrived):
    after = values[1:].copy()
    after[-1] *= not arrived
    return rewards + gamma * after


# %% nstep_targets wrong: the whole return
def nstep_targets(rewards, values, n, gamma, arrived):
    x, out = (0.0 if arrived else values[-1]), []
    for r in rewards[::-1]:
        x = r + gamma * x
        out.append(x)
    return np.array(out[::-1])


# %% nstep_targets wrong: blanks the last value in place
def nstep_targets(rewards, values, n, gamma, arrived):
    values[-1] *= not arrived
    T = len(rewards)
    ms = [min(n, T - t) for t in range(T)]
    return np.array(
        [
            sum(gamma**k * rewards[t + k] for k in range(m)) + gamma**m * values[t + m]
            for t, m in enumerate(ms)
        ]
    )


# %% nstep_targets wrong: a constant
def nstep_targets(rewards, values, n, gamma, arrived):
    return np.array([7.0, 4.0, 4.0]) if arrived else np.array([7.0, 14.0, 24.0])


# %% nstep_targets right: repeated backups
def nstep_targets(rewards, values, n, gamma, arrived):
    x = np.array(values, dtype=float)
    if arrived:
        x[-1] = 0.0
    for _ in range(n):
        x[:-1] = rewards + gamma * x[1:]
    return x[:-1]


# %% nstep_targets right: JAX
def nstep_targets(rewards, values, n, gamma, arrived):
    x = jnp.asarray(values).at[-1].multiply(0.0 if arrived else 1.0)
    for _ in range(n):
        x = jnp.concatenate([rewards + gamma * x[1:], x[-1:]])
    return x[:-1]


# %% rest wrong: one step's discount
def rest(P, r, features, gamma, n):
    ahead, paid = np.eye(len(P)), np.zeros(len(P))
    for k in range(n):
        paid, ahead = paid + gamma**k * ahead @ r, ahead @ P
    return np.linalg.solve(features.T @ (features - gamma * ahead @ features), features.T @ paid)


# %% rest wrong: single steps
def rest(P, r, features, gamma, n):
    return np.linalg.solve(features.T @ (features - gamma * P @ features), features.T @ r)


# %% rest wrong: rewards of a single step
def rest(P, r, features, gamma, n):
    ahead = np.linalg.matrix_power(P, n)
    return np.linalg.solve(features.T @ (features - gamma**n * ahead @ features), features.T @ r)


# %% rest wrong: the projection of the exact values
def rest(P, r, features, gamma, n):
    V = np.linalg.solve(np.eye(len(P)) - gamma * P, r)
    return np.linalg.lstsq(features, V, rcond=None)[0]


# %% rest wrong: the least squared temporal difference
def rest(P, r, features, gamma, n):
    ahead, paid = np.eye(len(P)), np.zeros(len(P))
    for k in range(n):
        paid, ahead = paid + gamma**k * ahead @ r, ahead @ P
    return np.linalg.lstsq(features - gamma**n * ahead @ features, paid, rcond=None)[0]


# %% rest wrong: the chain backwards
def rest(P, r, features, gamma, n):
    ahead, paid = np.eye(len(P)), np.zeros(len(P))
    for k in range(n):
        paid, ahead = paid + gamma**k * ahead @ r, ahead @ P.T
    return np.linalg.solve(features.T @ (features - gamma**n * ahead @ features), features.T @ paid)


# %% rest wrong: discounts the rewards in place
def rest(P, r, features, gamma, n):
    ahead, paid = np.eye(len(P)), np.zeros(len(P))
    for _ in range(n):
        paid, ahead = paid + ahead @ r, ahead @ P
        r *= gamma
    return np.linalg.solve(features.T @ (features - gamma**n * ahead @ features), features.T @ paid)


# %% rest wrong: too few rounds of iteration
def rest(P, r, features, gamma, n):
    theta, inverse = np.zeros(features.shape[1]), np.linalg.pinv(features)
    for _ in range(2):
        x = features @ theta
        for _ in range(n):
            x = r + gamma * P @ x
        theta = inverse @ x
    return theta


# %% rest right: backups of the columns
def rest(P, r, features, gamma, n):
    columns, paid = features, np.zeros(len(P))
    for _ in range(n):
        columns, paid = gamma * P @ columns, r + gamma * P @ paid
    return np.linalg.solve(features.T @ (features - columns), features.T @ paid)


# %% rest right: JAX
def rest(P, r, features, gamma, n):
    P, F = jnp.asarray(P), jnp.asarray(features)
    M = jnp.linalg.matrix_power(gamma * P, n)
    paid = sum(jnp.linalg.matrix_power(gamma * P, k) @ r for k in range(n))
    return jnp.linalg.solve(F.T @ (F - M @ F), F.T @ paid)


# %% flow wrong: noise and data exchanged
def flow(W, c, x0, x1, t, steps):
    s = t[:, None]
    error = (s * x0 + (1 - s) * x1) @ W + s * c - (x1 - x0)
    x = x0
    for k in range(steps):
        x = x + (x @ W + k / steps * c) / steps
    return np.mean(error**2), x


# %% flow wrong: the velocity backwards
def flow(W, c, x0, x1, t, steps):
    s = t[:, None]
    error = ((1 - s) * x0 + s * x1) @ W + s * c - (x0 - x1)
    x = x0
    for k in range(steps):
        x = x + (x @ W + k / steps * c) / steps
    return np.mean(error**2), x


# %% flow wrong: a sum over entries
def flow(W, c, x0, x1, t, steps):
    s = t[:, None]
    error = ((1 - s) * x0 + s * x1) @ W + s * c - (x1 - x0)
    x = x0
    for k in range(steps):
        x = x + (x @ W + k / steps * c) / steps
    return np.mean(np.sum(error**2, axis=1)), x


# %% flow wrong: the time at a step's end
def flow(W, c, x0, x1, t, steps):
    s = t[:, None]
    error = ((1 - s) * x0 + s * x1) @ W + s * c - (x1 - x0)
    x = x0
    for k in range(steps):
        x = x + (x @ W + (k + 1) / steps * c) / steps
    return np.mean(error**2), x


# %% flow wrong: whole steps
def flow(W, c, x0, x1, t, steps):
    s = t[:, None]
    error = ((1 - s) * x0 + s * x1) @ W + s * c - (x1 - x0)
    x = x0
    for k in range(steps):
        x = x + x @ W + k / steps * c
    return np.mean(error**2), x


# %% flow wrong: one step
def flow(W, c, x0, x1, t, steps):
    s = t[:, None]
    error = ((1 - s) * x0 + s * x1) @ W + s * c - (x1 - x0)
    return np.mean(error**2), x0 + x0 @ W


# %% flow wrong: the field transposed
def flow(W, c, x0, x1, t, steps):
    s = t[:, None]
    error = ((1 - s) * x0 + s * x1) @ W.T + s * c - (x1 - x0)
    x = x0
    for k in range(steps):
        x = x + (x @ W.T + k / steps * c) / steps
    return np.mean(error**2), x


# %% flow wrong: moves the noise in place
def flow(W, c, x0, x1, t, steps):
    s = t[:, None]
    error = ((1 - s) * x0 + s * x1) @ W + s * c - (x1 - x0)
    for k in range(steps):
        x0 += (x0 @ W + k / steps * c) / steps
    return np.mean(error**2), x0


# %% flow right: JAX
def flow(W, c, x0, x1, t, steps):
    v = lambda x, s: x @ W + s * c  # noqa: E731
    s = jnp.asarray(t)[:, None]
    error = v((1 - s) * x0 + s * x1, s) - (x1 - x0)
    ends = jax.lax.fori_loop(0, steps, lambda k, x: x + v(x, k / steps) / steps, jnp.asarray(x0))
    return jnp.mean(error**2), ends


# %% flow right: a list, row by row
def flow(W, c, x0, x1, t, steps):
    total, ends = 0.0, []
    for a, b, s in zip(x0, x1, t, strict=True):
        total += np.mean((((1 - s) * a + s * b) @ W + s * c - b + a) ** 2)
        for k in range(steps):
            a = a + (a @ W + k / steps * c) / steps
        ends.append(a)
    return [total / len(x0), np.array(ends)]


# %% best wrong: ties to all
def best(law, score, count):
    upto = np.array([law[score <= x].sum() for x in score])
    below = np.array([law[score < x].sum() for x in score])
    return upto**count - below**count


# %% best wrong: ties evenly
def best(law, score, count):
    upto = np.array([law[score <= x].sum() for x in score])
    below = np.array([law[score < x].sum() for x in score])
    return (upto**count - below**count) / np.array([np.sum(score == x) for x in score])


# %% best wrong: ties in order
def best(law, score, count):
    order = np.argsort(score, kind="stable")
    kept = np.zeros(len(law))
    kept[order] = np.diff(np.cumsum(law[order]) ** count, prepend=0)
    return kept


# %% best wrong: the worst
def best(law, score, count):
    kept = np.zeros(len(law))
    for x in np.unique(score):
        group = score == x
        more, above = law[score >= x].sum(), law[score > x].sum()
        if law[group].sum():
            kept[group] = (more**count - above**count) * law[group] / law[group].sum()
    return kept


# %% best wrong: always the best there is
def best(law, score, count):
    top = law * (score == score[law > 0].max())
    return top / top.sum()


# %% best wrong: not a number where nothing is proposed
def best(law, score, count):
    upto = np.array([law[score <= x].sum() for x in score])
    below = np.array([law[score < x].sum() for x in score])
    level = np.array([law[score == x].sum() for x in score])
    with np.errstate(all="ignore"):
        return (upto**count - below**count) * law / (law * level / law)


# %% best wrong: tries all draws
def best(law, score, count):
    import itertools

    kept = np.zeros(len(law))
    for draws in itertools.product(range(len(law)), repeat=count):
        top = [w for w in draws if score[w] == score[list(draws)].max()]
        for w in top:
            kept[w] += np.prod(law[list(draws)]) / len(top)
    return kept


# %% best wrong: one draw
def best(law, score, count):
    return law


# %% best wrong: draws at random
def best(law, score, count):
    rng = np.random.default_rng(0)
    draws = rng.choice(len(law), size=(2000, count), p=law)
    kept = draws[np.arange(2000), score[draws].argmax(axis=1)]
    return np.bincount(kept, minlength=len(law)) / 2000


# %% best right: by sorting
def best(law, score, count):
    levels, group = np.unique(score, return_inverse=True)
    mass = np.bincount(group, weights=law, minlength=len(levels))
    chance = np.diff(np.cumsum(mass) ** count, prepend=0)
    return np.where(law > 0, law * chance[group] / np.maximum(mass[group], 1e-300), 0)


# %% best right: loops over proposals
def best(law, score, count):
    out = []
    for p, x in zip(law, score, strict=True):
        upto = sum(q for q, y in zip(law, score, strict=True) if y <= x)
        below = sum(q for q, y in zip(law, score, strict=True) if y < x)
        same = upto - below
        out.append(p * (upto**count - below**count) / same if p > 0 else 0.0)
    return out
