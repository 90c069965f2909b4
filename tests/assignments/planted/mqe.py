"""Planted answers to the exercises of mqe: wrong ones lose points."""

import numpy as np

# What the notebook's other cells define; an answer is run together with them.
stopped_backup = None


# %% draw_offsets right: inverse of the distribution function
def draw_offsets(seed, left, lam, p):
    u, v = np.random.default_rng(seed).uniform(size=(2, len(left)))
    far = np.floor(np.log1p(-u) / np.log(lam)).astype(int) + 1 if lam > 0 else 1 + 0 * left
    return np.clip(np.where(v < p, 1, far), 1, left)


# %% draw_offsets right: a walk of coins, row by row
def draw_offsets(seed, left, lam, p):
    rng = np.random.default_rng(seed)
    out = []
    for room in left.tolist():
        k = 1
        if rng.random() >= p:
            while k < room and rng.random() < lam:
                k += 1
        out.append(k)
    return out


# %% draw_offsets right: JAX, the chances written out
def draw_offsets(seed, left, lam, p):
    import jax
    import jax.numpy as jnp

    one, two = jax.random.split(jax.random.key(seed))
    steps = jnp.arange(1, left.max() + 1)
    chance = (1 - lam) * lam ** (steps - 1.0)
    drawn = jax.random.choice(one, steps, left.shape, p=chance.at[-1].set(lam ** (left.max() - 1)))
    return jnp.minimum(jnp.where(jax.random.bernoulli(two, p, left.shape), 1, drawn), left)


# %% draw_offsets wrong: always one step
def draw_offsets(seed, left, lam, p):
    return np.ones_like(left)


# %% draw_offsets wrong: the mean in place of a draw
def draw_offsets(seed, left, lam, p):
    return np.minimum(left, round(p + (1 - p) / (1 - lam)))


# %% draw_offsets wrong: lam is taken for the chance to stop
def draw_offsets(seed, left, lam, p):
    rng = np.random.default_rng(seed)
    offsets = rng.geometric(lam, size=left.shape)
    return np.minimum(np.where(rng.random(left.shape) < p, 1, offsets), left)


# %% draw_offsets wrong: counts from zero
def draw_offsets(seed, left, lam, p):
    rng = np.random.default_rng(seed)
    offsets = rng.geometric(1 - lam, size=left.shape) - 1
    return np.minimum(np.where(rng.random(left.shape) < p, 1, offsets), left)


# %% draw_offsets wrong: draws again what lies beyond the end
def draw_offsets(seed, left, lam, p):
    rng = np.random.default_rng(seed)
    offsets = np.where(rng.random(left.shape) < p, 1, rng.geometric(1 - lam, size=left.shape))
    while (offsets > left).any():
        offsets = np.where(offsets > left, rng.geometric(1 - lam, size=left.shape), offsets)
    return offsets


# %% draw_offsets wrong: one coin for all rows
def draw_offsets(seed, left, lam, p):
    rng = np.random.default_rng(seed)
    offsets = rng.geometric(1 - lam, size=left.shape)
    return np.minimum(np.ones_like(left) if rng.random() < p else offsets, left)


# %% draw_offsets wrong: forgets the seed
def draw_offsets(seed, left, lam, p):
    rng = np.random.default_rng(0)
    offsets = rng.geometric(1 - lam, size=left.shape)
    return np.minimum(np.where(rng.random(left.shape) < p, 1, offsets), left)


# %% draw_offsets wrong: no single steps
def draw_offsets(seed, left, lam, p):
    return np.minimum(np.random.default_rng(seed).geometric(1 - lam, size=left.shape), left)


# %% draw_offsets wrong: ignores the end
def draw_offsets(seed, left, lam, p):
    rng = np.random.default_rng(seed)
    offsets = rng.geometric(1 - lam, size=left.shape)
    return np.where(rng.random(left.shape) < p, 1, offsets)


# %% linex_slope right: JAX differentiates, bisection finds
def linex_slope(d, targets, offsets, gamma):
    import jax
    import jax.numpy as jnp

    targets, offsets = jnp.asarray(targets), jnp.asarray(offsets)
    return jax.grad(lambda x: jnp.mean(gamma**offsets * jnp.exp(x - targets) - x))(float(d))


def linex_minimum(targets, offsets, gamma):
    low, high = -20.0, 60.0
    for _ in range(80):
        middle = (low + high) / 2
        slope = np.mean(gamma**offsets * np.exp(middle - targets)) - 1
        low, high = (low, middle) if slope > 0 else (middle, high)
    return middle


# %% linex_slope right: loops
def linex_slope(d, targets, offsets, gamma):
    total = 0.0
    for t, k in zip(targets, offsets, strict=True):
        total += gamma**k * np.exp(d - t) - 1
    return total / len(targets)


def linex_minimum(targets, offsets, gamma):
    return np.log(len(targets)) - np.logaddexp.reduce(offsets * np.log(gamma) - targets)


# %% linex_slope wrong: averages distances
def linex_slope(d, targets, offsets, gamma):
    return np.mean(gamma**offsets * np.exp(d - targets)) - 1


def linex_minimum(targets, offsets, gamma):
    return np.mean(targets - offsets * np.log(gamma))


# %% linex_slope wrong: one discount for all
def linex_slope(d, targets, offsets, gamma):
    return np.mean(gamma * np.exp(d - targets)) - 1


def linex_minimum(targets, offsets, gamma):
    return -np.log(np.mean(gamma * np.exp(-targets)))


# %% linex_slope wrong: no discount
def linex_slope(d, targets, offsets, gamma):
    return np.mean(np.exp(d - targets)) - 1


def linex_minimum(targets, offsets, gamma):
    return -np.log(np.mean(np.exp(-targets)))


# %% linex_slope wrong: sums in place of means
def linex_slope(d, targets, offsets, gamma):
    return np.sum(gamma**offsets * np.exp(d - targets) - 1)


def linex_minimum(targets, offsets, gamma):
    return -np.log(np.sum(gamma**offsets * np.exp(-targets)))


# %% linex_slope wrong: the loss in place of its slope
def linex_slope(d, targets, offsets, gamma):
    return np.mean(gamma**offsets * np.exp(d - targets) - d)


def linex_minimum(targets, offsets, gamma):
    return -np.log(np.mean(gamma**offsets * np.exp(-targets)))


# %% linex_slope wrong: the smallest target
def linex_slope(d, targets, offsets, gamma):
    return np.mean(gamma**offsets * np.exp(d - targets)) - 1


def linex_minimum(targets, offsets, gamma):
    return np.min(targets - offsets * np.log(gamma))


# %% linex_slope wrong: the mean discount apart from the mean target
def linex_slope(d, targets, offsets, gamma):
    return np.mean(gamma**offsets) * np.mean(np.exp(d - targets)) - 1


def linex_minimum(targets, offsets, gamma):
    return -np.log(np.mean(gamma**offsets) * np.mean(np.exp(-targets)))


# %% waypoint_backup right: adds terms
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = (policy[:, :, None] * P).sum(axis=1)
    q, reached = np.zeros(P.shape[:2] + h.shape[1:]), P.copy()
    for k in range(1, 3000):
        share = (1 - p) * (1 - lam) * lam ** (k - 1) + p * (k == 1)
        q += share * gamma**k * (reached @ h)
        reached = reached @ chain
        if k > 1 and share * gamma**k < 1e-12:
            break
    return q


# %% waypoint_backup right: a fixed point, JAX
def waypoint_backup(h, P, policy, gamma, lam, p):
    import jax.numpy as jnp

    chain, h = jnp.einsum("sa,sax->sx", policy, P), jnp.asarray(h)
    u = h
    for _ in range(1500):
        u = (1 - lam) * h + lam * gamma * chain @ u
    return gamma * jnp.einsum("sax,xg->sag", P, p * h + (1 - p) * u)


# %% waypoint_backup wrong: single steps only
def waypoint_backup(h, P, policy, gamma, lam, p):
    return gamma * P @ h


# %% waypoint_backup wrong: one discount however far
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    further = (1 - lam) * np.linalg.solve(np.eye(len(P)) - lam * chain, h)
    return gamma * P @ (p * h + (1 - p) * further)


# %% waypoint_backup wrong: no discount for the first step
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    further = (1 - lam) * np.linalg.solve(np.eye(len(P)) - lam * gamma * chain, h)
    return P @ (p * h + (1 - p) * further)


# %% waypoint_backup wrong: the policy is ignored
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = P.mean(axis=1)
    further = (1 - lam) * np.linalg.solve(np.eye(len(P)) - lam * gamma * chain, h)
    return gamma * P @ (p * h + (1 - p) * further)


# %% waypoint_backup wrong: stops at the mean
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    k = round(1 / (1 - lam))
    far = gamma**k * P @ np.linalg.matrix_power(chain, k - 1) @ h
    return p * gamma * P @ h + (1 - p) * far


# %% waypoint_backup wrong: averages distances
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    d, cost, reached = -np.log(h), 0.0, P
    for k in range(1, 800):
        share = (1 - p) * (1 - lam) * lam ** (k - 1) + p * (k == 1)
        cost = cost + share * (reached @ d - k * np.log(gamma))
        reached = reached @ chain
    return np.exp(-cost)


# %% waypoint_backup wrong: p and 1 - p are swapped
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    further = (1 - lam) * np.linalg.solve(np.eye(len(P)) - lam * gamma * chain, h)
    return gamma * P @ ((1 - p) * h + p * further)


# %% waypoint_backup wrong: the chain runs backwards
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->xs", policy, P)
    further = (1 - lam) * np.linalg.solve(np.eye(len(P)) - lam * gamma * chain, h)
    return gamma * P @ (p * h + (1 - p) * further)


# %% waypoint_backup wrong: changes h in place
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    further = (1 - lam) * np.linalg.solve(np.eye(len(P)) - lam * gamma * chain, h)
    h *= p
    h += (1 - p) * further
    return gamma * P @ h


# %% waypoint_backup wrong: cut off after ten steps
def waypoint_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    q, reached = 0.0, P
    for k in range(1, 11):
        share = (1 - p) * (1 - lam) * lam ** (k - 1) + p * (k == 1)
        q = q + share * gamma**k * (reached @ h)
        reached = reached @ chain
    return q


# %% stopped_backup right: forward in time
def stopped_backup(h, P, policy, gamma, lam, p):
    n, m = P.shape[:2]
    chain = np.einsum("sa,sax->sx", policy, P)
    q = np.zeros((n, m, n))
    for g in range(n):
        looking, paid, share = P.copy(), gamma, p + (1 - p) * (1 - lam)
        for _ in range(900):
            q[:, :, g] += paid * looking[:, :, g]
            looking[:, :, g] = 0
            q[:, :, g] += paid * share * looking @ h[:, g]
            looking, paid, share = (1 - share) * looking @ chain, paid * gamma, 1 - lam
    return q


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.eye(len(P))
    for _ in range(sweeps):
        q = stopped_backup(h, P, policy, gamma, lam, p)
        h = np.maximum(q.max(axis=1), np.eye(len(P)))
        for _ in range(len(P)):
            h = np.max(h[:, :, None] * h[None], axis=1)
    return h


# %% stopped_backup right: all goals at once, by repetition
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0, (1 - lam) * h + lam * gamma * chain @ u)
    return gamma * np.einsum("sax,xg->sag", P, p * h + (1 - p) * u)


def learn(P, policy, gamma, lam, p, sweeps):
    n = len(P)
    h = np.eye(n)
    for _ in range(sweeps):
        d = np.full((n, n), np.inf)
        best = stopped_backup(h, P, policy, gamma, lam, p).max(axis=1)
        d[best > 0] = -np.log(best[best > 0])
        d[range(n), range(n)] = 0
        for w in range(n):
            d = np.minimum(d, np.add.outer(d[:, w], d[w]))
        h = np.exp(-d)
    return h


# %% stopped_backup wrong: never stops at the goal
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    inverse = np.linalg.pinv(np.eye(len(P)) - lam * gamma * chain)
    return gamma * P @ (p * h + (1 - p) * (1 - lam) * inverse @ h)


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.eye(len(P))
    for _ in range(sweeps):
        h = np.maximum(stopped_backup(h, P, policy, gamma, lam, p).max(axis=1), np.eye(len(P)))
        for w in range(len(P)):
            h = np.maximum(h, h[:, w, None] * h[None, w])
    return h


# %% stopped_backup wrong: the start counts as a visit
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0, (1 - lam) * h + lam * gamma * chain @ u)
    q = gamma * P @ (p * h + (1 - p) * u)
    return np.where(at_goal[:, None, :], 1.0, q)


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.eye(len(P))
    for _ in range(sweeps):
        h = stopped_backup(h, P, policy, gamma, lam, p).max(axis=1)
        for w in range(len(P)):
            h = np.maximum(h, h[:, w, None] * h[None, w])
    return h


# %% stopped_backup wrong: joins once, not to the end
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0, (1 - lam) * h + lam * gamma * chain @ u)
    return gamma * P @ (p * h + (1 - p) * u)


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.eye(len(P))
    for _ in range(sweeps):
        h = np.maximum(stopped_backup(h, P, policy, gamma, lam, p).max(axis=1), np.eye(len(P)))
        h = np.max(h[:, :, None] * h[None], axis=1)
    return h


# %% stopped_backup wrong: does not join
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0, (1 - lam) * h + lam * gamma * chain @ u)
    return gamma * P @ (p * h + (1 - p) * u)


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.eye(len(P))
    for _ in range(sweeps):
        h = np.maximum(stopped_backup(h, P, policy, gamma, lam, p).max(axis=1), np.eye(len(P)))
    return h


# %% stopped_backup wrong: the average action in place of the best
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0, (1 - lam) * h + lam * gamma * chain @ u)
    return gamma * P @ (p * h + (1 - p) * u)


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.eye(len(P))
    for _ in range(sweeps):
        q = stopped_backup(h, P, policy, gamma, lam, p)
        h = np.maximum(np.einsum("sa,sag->sg", policy, q), np.eye(len(P)))
        for w in range(len(P)):
            h = np.maximum(h, h[:, w, None] * h[None, w])
    return h


# %% stopped_backup wrong: a goal that is met counts without its discount
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0 / gamma, (1 - lam) * h + lam * gamma * chain @ u)
    return gamma * P @ (p * h + (1 - p) * u)


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.eye(len(P))
    for _ in range(sweeps):
        h = np.maximum(stopped_backup(h, P, policy, gamma, lam, p).max(axis=1), np.eye(len(P)))
        for w in range(len(P)):
            h = np.maximum(h, h[:, w, None] * h[None, w])
    return h


# %% stopped_backup wrong: shortest paths, whatever the world does
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0, (1 - lam) * h + lam * gamma * chain @ u)
    return gamma * P @ (p * h + (1 - p) * u)


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.maximum(np.eye(len(P)), gamma * (P.max(axis=1) > 0.5))
    for w in range(len(P)):
        h = np.maximum(h, h[:, w, None] * h[None, w])
    return h


# %% stopped_backup wrong: forgets the single steps
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0, (1 - lam) * h + lam * gamma * chain @ u)
    return gamma * P @ u


def learn(P, policy, gamma, lam, p, sweeps):
    h = np.eye(len(P))
    for _ in range(sweeps):
        h = np.maximum(stopped_backup(h, P, policy, gamma, lam, p).max(axis=1), np.eye(len(P)))
        for w in range(len(P)):
            h = np.maximum(h, h[:, w, None] * h[None, w])
    return h


# %% stopped_backup wrong: one sweep, whatever the number
def stopped_backup(h, P, policy, gamma, lam, p):
    chain = np.einsum("sa,sax->sx", policy, P)
    at_goal = np.eye(len(P), dtype=bool)
    u = h.copy()
    for _ in range(1500):
        u = np.where(at_goal, 1.0, (1 - lam) * h + lam * gamma * chain @ u)
    return gamma * P @ (p * h + (1 - p) * u)


def learn(P, policy, gamma, lam, p, sweeps):
    h = stopped_backup(np.eye(len(P)), P, policy, gamma, lam, p).max(axis=1)
    h = np.maximum(h, np.eye(len(P)))
    for w in range(len(P)):
        h = np.maximum(h, h[:, w, None] * h[None, w])
    return h
