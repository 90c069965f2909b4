"""Planted answers to the exercises of crtr: wrong ones lose points."""

import heapq

import jax
import jax.numpy as jnp
import numpy as np

# What the notebook's other cells define; an answer is run together with them.
conditional_critic = informations = crtr_batch = spearman = expansions = None


# %% informations right: loops and one large table
def conditional_critic(joints):
    out = np.zeros(joints.shape)
    for c, joint in enumerate(joints):
        for x in range(len(joint)):
            for y in range(len(joint)):
                out[c, x, y] = np.log(joint[x, y] / (joint[x].sum() * joint[:, y].sum()))
    return out


def informations(joints, p):
    C, n = joints.shape[:2]
    big = np.zeros((C * n, C * n))
    for c in range(C):
        big[c * n : c * n + n, c * n : c * n + n] = p[c] * joints[c]
    outer = np.outer(big.sum(1), big.sum(0))
    on = big > 0
    total = (big[on] * np.log(big[on] / outer[on])).sum()
    within = sum(p[c] * (joints[c] * conditional_critic(joints)[c]).sum() for c in range(C))
    return [total, within]


# %% informations right: JAX
def conditional_critic(joints):
    joints = jnp.asarray(joints)
    log = jnp.log(joints)
    return log - jnp.log(joints.sum(2, keepdims=True)) - jnp.log(joints.sum(1, keepdims=True))


def informations(joints, p):
    within = jnp.einsum("c,cxy,cxy->", p, joints, conditional_critic(joints))
    return jnp.stack([within + jnp.sum(jnp.asarray(p) * -jnp.log(p)), within])


# %% informations wrong: the denominator of the row alone
def conditional_critic(joints):
    return np.log(joints / joints.sum(axis=2, keepdims=True))


def informations(joints, p):
    within = p @ (joints * conditional_critic(joints)).sum(axis=(1, 2))
    return within - np.sum(p * np.log(p)), within


# %% informations wrong: divides by the row's sum twice
def conditional_critic(joints):
    rows = joints.sum(axis=2)
    return np.log(joints / rows[:, :, None] / rows[:, None, :])


def informations(joints, p):
    within = p @ (joints * conditional_critic(joints)).sum(axis=(1, 2))
    return within - np.sum(p * np.log(p)), within


# %% informations wrong: contexts equally likely
def conditional_critic(joints):
    return np.log(joints / joints.sum(2)[:, :, None] / joints.sum(1)[:, None, :])


def informations(joints, p):
    within = (joints * conditional_critic(joints)).sum(axis=(1, 2)).mean()
    return within + np.log(len(p)), within


# %% informations wrong: the two change places
def conditional_critic(joints):
    return np.log(joints / joints.sum(2)[:, :, None] / joints.sum(1)[:, None, :])


def informations(joints, p):
    within = p @ (joints * conditional_critic(joints)).sum(axis=(1, 2))
    return within, within - np.sum(p * np.log(p))


# %% informations wrong: bits
def conditional_critic(joints):
    return np.log(joints / joints.sum(2)[:, :, None] / joints.sum(1)[:, None, :])


def informations(joints, p):
    within = p @ (joints * conditional_critic(joints)).sum(axis=(1, 2)) / np.log(2)
    return within - np.sum(p * np.log2(p)), within


# %% informations wrong: the entropy is left out
def conditional_critic(joints):
    return np.log(joints / joints.sum(2)[:, :, None] / joints.sum(1)[:, None, :])


def informations(joints, p):
    within = p @ (joints * conditional_critic(joints)).sum(axis=(1, 2))
    return within, within


# %% informations wrong: normalises its argument in place
def conditional_critic(joints):
    joints /= joints.sum(axis=2, keepdims=True)
    return np.log(joints / joints.mean(axis=1, keepdims=True))


def informations(joints, p):
    within = p @ (joints * conditional_critic(joints)).sum(axis=(1, 2))
    return within - np.sum(p * np.log(p)), within


# %% crtr_batch right: all at once, by the inverse distribution function
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    who = np.tile(rng.permutation(M)[: B // R], R)
    t = rng.integers(0, T, size=B)
    left = T - t
    offset = np.floor(np.log1p(-rng.uniform(size=B) * (1 - gamma**left)) / np.log(gamma)) + 1
    return np.stack([who, t, t + np.clip(offset, 1, left).astype(int)], axis=1)


# %% crtr_batch right: JAX
def crtr_batch(seed, M, T, B, R, gamma):
    a, b, c = jax.random.split(jax.random.key(seed), 3)
    who = jnp.repeat(jax.random.permutation(a, M)[: B // R], R)
    t = jax.random.randint(b, (B,), 0, T)
    k = jnp.arange(1, T + 1)
    logits = jnp.where(k <= (T - t)[:, None], (k - 1) * jnp.log(gamma), -jnp.inf)
    return jnp.stack([who, t, t + 1 + jax.random.categorical(c, logits)], axis=1)


# %% crtr_batch wrong: trajectories with replacement
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in np.repeat(rng.integers(M, size=B // R), R):
        t = rng.integers(T)
        w = gamma ** np.arange(T - t)
        rows.append([m, t, t + 1 + rng.choice(T - t, p=w / w.sum())])
    return np.array(rows)


# %% crtr_batch wrong: copies share anchor and offset
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in rng.choice(M, size=B // R, replace=False):
        t = rng.integers(T)
        w = gamma ** np.arange(T - t)
        rows += [[m, t, t + 1 + rng.choice(T - t, p=w / w.sum())]] * R
    return np.array(rows)


# %% crtr_batch wrong: copies share the anchor
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in rng.choice(M, size=B // R, replace=False):
        t = rng.integers(T)
        w = gamma ** np.arange(T - t)
        rows += [[m, t, t + 1 + rng.choice(T - t, p=w / w.sum())] for _ in range(R)]
    return np.array(rows)


# %% crtr_batch wrong: the tail is cut to the last state
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in np.repeat(rng.choice(M, size=B // R, replace=False), R):
        t = rng.integers(T)
        rows.append([m, t, min(T, t + rng.geometric(1 - gamma))])
    return np.array(rows)


# %% crtr_batch wrong: offsets are uniform
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in np.repeat(rng.choice(M, size=B // R, replace=False), R):
        t = rng.integers(T)
        rows.append([m, t, rng.integers(t + 1, T + 1)])
    return np.array(rows)


# %% crtr_batch wrong: the future may be the present
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in np.repeat(rng.choice(M, size=B // R, replace=False), R):
        t = rng.integers(T)
        w = gamma ** np.arange(T - t + 1)
        rows.append([m, t, t + rng.choice(T - t + 1, p=w / w.sum())])
    return np.array(rows)


# %% crtr_batch wrong: the first trajectories always
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in np.repeat(np.arange(B // R), R):
        t = rng.integers(T)
        w = gamma ** np.arange(T - t)
        rows.append([m, t, t + 1 + rng.choice(T - t, p=w / w.sum())])
    return np.array(rows)


# %% crtr_batch wrong: consecutive trajectories from a random one on
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in np.repeat((rng.integers(M) + np.arange(B // R)) % M, R):
        t = rng.integers(T)
        w = gamma ** np.arange(T - t)
        rows.append([m, t, t + 1 + rng.choice(T - t, p=w / w.sum())])
    return np.array(rows)


# %% crtr_batch wrong: every seventh trajectory from a random one on
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in np.repeat((rng.integers(M) + 7 * np.arange(B // R)) % M, R):
        t = rng.integers(T)
        w = gamma ** np.arange(T - t)
        rows.append([m, t, t + 1 + rng.choice(T - t, p=w / w.sum())])
    return np.array(rows)


# %% crtr_batch wrong: R trajectories, B / R times each
def crtr_batch(seed, M, T, B, R, gamma):
    rng = np.random.default_rng(seed)
    rows = []
    for m in np.repeat(rng.choice(M, size=R, replace=False), B // R):
        t = rng.integers(T)
        w = gamma ** np.arange(T - t)
        rows.append([m, t, t + 1 + rng.choice(T - t, p=w / w.sum())])
    return np.array(rows)


# %% spearman right: sorts and averages runs
def spearman(x, y):
    def ranks(v):
        values, place, counts = np.unique(v, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        return (ends - (counts - 1) / 2)[place]

    a, b = ranks(x), ranks(y)
    a, b = a - a.mean(), b - b.mean()
    return (a @ b) / np.sqrt((a @ a) * (b @ b))


# %% spearman right: signs of all pairs, JAX
def spearman(x, y):
    a = jnp.sign(jnp.asarray(x)[:, None] - jnp.asarray(x)[None]).sum(1)
    b = jnp.sign(jnp.asarray(y)[:, None] - jnp.asarray(y)[None]).sum(1)
    return jnp.vdot(a, b) / jnp.linalg.norm(a) / jnp.linalg.norm(b)


# %% spearman wrong: ties in the order of the array
def spearman(x, y):
    return np.corrcoef(x.argsort().argsort(), y.argsort().argsort())[0, 1]


# %% spearman wrong: the values themselves
def spearman(x, y):
    return np.corrcoef(x, y)[0, 1]


# %% spearman wrong: argsort once
def spearman(x, y):
    return np.corrcoef(x.argsort(), y.argsort())[0, 1]


# %% spearman wrong: equal values share the smallest rank
def spearman(x, y):
    a = (x[:, None] > x[None]).sum(1)
    b = (y[:, None] > y[None]).sum(1)
    return np.corrcoef(a, b)[0, 1]


# %% spearman wrong: the formula without ties
def spearman(x, y):
    def ranks(v):
        return (v[:, None] > v[None]).sum(1) + ((v[:, None] == v[None]).sum(1) + 1) / 2

    n = len(x)
    return 1 - 6 * np.sum((ranks(x) - ranks(y)) ** 2) / (n * (n**2 - 1))


# %% spearman wrong: share of pairs in the same order
def spearman(x, y):
    return np.mean(np.sign(x[:, None] - x) * np.sign(y[:, None] - y))


# %% spearman wrong: always one
def spearman(x, y):
    return 1.0


# %% expansions right: a heap
def expansions(next_state, h, start, goal, budget):
    if start == goal:
        return 0
    queue, seen, n = [(h[start], start)], {start}, 0
    while queue and n < budget:
        _, s = heapq.heappop(queue)
        n += 1
        children = [int(c) for c in next_state[s]]
        if goal in children:
            return n
        for c in children:
            if c not in seen:
                seen.add(c)
                heapq.heappush(queue, (h[c], c))
    return -1


# %% expansions right: arrays
def expansions(next_state, h, start, goal, budget):
    if start == goal:
        return 0
    opened = np.zeros(len(h), dtype=bool)
    closed = np.zeros(len(h), dtype=bool)
    opened[start] = True
    for n in range(budget):
        waiting = opened & ~closed
        if not waiting.any():
            break
        s = np.where(waiting, h, np.inf).argmin()
        closed[s] = True
        if (next_state[s] == goal).any():
            return np.int64(n + 1)
        opened[next_state[s]] = True
    return np.int64(-1)


# %% expansions wrong: stops when the goal is taken from the queue
def expansions(next_state, h, start, goal, budget):
    queue, seen, n = [(h[start], start)], {start}, 0
    while queue and n < budget:
        _, s = heapq.heappop(queue)
        if s == goal:
            return n
        n += 1
        for c in next_state[s].tolist():
            if c not in seen:
                seen.add(c)
                heapq.heappush(queue, (h[c], c))
    return -1


# %% expansions wrong: never found
def expansions(next_state, h, start, goal, budget):
    return -1


# %% expansions wrong: breadth first
def expansions(next_state, h, start, goal, budget):
    if start == goal:
        return 0
    queue, seen, n = [start], {start}, 0
    while queue and n < budget:
        s = queue.pop(0)
        n += 1
        children = next_state[s].tolist()
        if goal in children:
            return n
        for c in children:
            if c not in seen:
                seen.add(c)
                queue.append(c)
    return -1


# %% expansions wrong: keeps the best child only
def expansions(next_state, h, start, goal, budget):
    if start == goal:
        return 0
    s, seen = start, {start}
    for n in range(1, budget + 1):
        children = [c for c in next_state[s].tolist() if c not in seen]
        if goal in children:
            return n
        if not children:
            return -1
        s = min(children, key=lambda c: h[c])
        seen.add(s)
    return -1


# %% expansions wrong: the largest h first
def expansions(next_state, h, start, goal, budget):
    if start == goal:
        return 0
    queue, seen, n = [(-h[start], start)], {start}, 0
    while queue and n < budget:
        _, s = heapq.heappop(queue)
        n += 1
        children = next_state[s].tolist()
        if goal in children:
            return n
        for c in children:
            if c not in seen:
                seen.add(c)
                heapq.heappush(queue, (-h[c], c))
    return -1


# %% expansions wrong: forgets what was open
def expansions(next_state, h, start, goal, budget):
    if start == goal:
        return 0
    queue, n = [(h[start], start)], 0
    while queue and n < budget:
        _, s = heapq.heappop(queue)
        n += 1
        children = next_state[s].tolist()
        if goal in children:
            return n
        for c in children:
            heapq.heappush(queue, (h[c], c))
    return -1


# %% expansions wrong: ignores the budget
def expansions(next_state, h, start, goal, budget):
    if start == goal:
        return 0
    queue, seen, n = [(h[start], start)], {start}, 0
    while queue:
        _, s = heapq.heappop(queue)
        n += 1
        children = next_state[s].tolist()
        if goal in children:
            return n
        for c in children:
            if c not in seen:
                seen.add(c)
                heapq.heappush(queue, (h[c], c))
    return -1
