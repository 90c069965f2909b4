"""Planted answers to the exercises of stitching: wrong ones lose points, right ones don't."""

import jax
import jax.numpy as jnp
import numpy as np


# %% mc_targets right: forwards, with index
def mc_targets(box, goal, gamma):
    out = []
    cells = box.tolist()
    for t in range(len(cells) - 1):
        rest = cells[t + 1 :]
        out.append(gamma ** rest.index(goal) if goal in rest else 0.0)
    return out


# %% mc_targets right: JAX scan
def mc_targets(box, goal, gamma):
    def back(ahead, here):
        now = jnp.where(here, 1.0, gamma * ahead)
        return now, now

    return jax.lax.scan(back, 0.0, jnp.asarray(box[1:] == goal), reverse=True)[1]


# %% mc_targets wrong: counts from the present state
def mc_targets(box, goal, gamma):
    targets, ahead = np.zeros(len(box) - 1), float(box[-1] == goal)
    for t in reversed(range(len(box) - 1)):
        ahead = 1.0 if box[t] == goal else gamma * ahead
        targets[t] = ahead
    return targets


# %% mc_targets wrong: counts the move itself
def mc_targets(box, goal, gamma):
    targets, ahead = np.zeros(len(box) - 1), 0.0
    for t in reversed(range(len(box) - 1)):
        ahead = gamma if box[t + 1] == goal else gamma * ahead
        targets[t] = ahead
    return targets


# %% mc_targets wrong: sums over all visits
def mc_targets(box, goal, gamma):
    targets, ahead = np.zeros(len(box) - 1), 0.0
    for t in reversed(range(len(box) - 1)):
        ahead = float(box[t + 1] == goal) + gamma * ahead
        targets[t] = ahead
    return targets


# %% mc_targets wrong: forgets the discount
def mc_targets(box, goal, gamma):
    return np.array([float(goal in box[t + 1 :]) for t in range(len(box) - 1)])


# %% mc_targets wrong: the last visit
def mc_targets(box, goal, gamma):
    at = np.flatnonzero(box == goal)
    return [
        gamma ** (at[-1] - t - 1) if len(at) and at[-1] > t else 0.0 for t in range(len(box) - 1)
    ]


# %% mc_targets wrong: nothing but zeros
def mc_targets(box, goal, gamma):
    return np.zeros(len(box) - 1)


# %% mc_targets wrong: writes into the episode
def mc_targets(box, goal, gamma):
    box[box != goal] = -1
    out, ahead = np.zeros(len(box) - 1), 0.0
    for t in reversed(range(len(box) - 1)):
        ahead = 1.0 if box[t + 1] == goal else gamma * ahead
        out[t] = ahead
    return out


# %% td_values right: breadth-first search
def td_values(next_state, seen, arrived, gamma):
    S, A = seen.shape
    d = np.where(arrived, 0.0, np.inf)
    for _ in range(S):
        d = np.minimum(d, np.where(seen, d[next_state] + 1, np.inf).min(axis=1))
    return np.where(seen, gamma ** d[next_state], 0.0)


# %% td_values right: loops until nothing changes
def td_values(next_state, seen, arrived, gamma):
    S, A = seen.shape
    Q, changed = [[0.0] * A for _ in range(S)], True
    while changed:
        changed = False
        for s in range(S):
            for a in range(A):
                if seen[s, a]:
                    x = next_state[s, a]
                    new = 1.0 if arrived[x] else gamma * max(Q[x])
                    changed |= new != Q[s][a]
                    Q[s][a] = new
    return Q


# %% td_values right: JAX
def td_values(next_state, seen, arrived, gamma):
    hit, mask, after = jnp.asarray(arrived)[next_state], jnp.asarray(seen), jnp.asarray(next_state)

    def sweep(_, Q):
        return jnp.where(hit, 1.0, gamma * Q.max(axis=1)[after]) * mask

    return jax.lax.fori_loop(0, len(seen) + 1, sweep, jnp.zeros(seen.shape))


# %% td_values wrong: bootstraps from unseen actions
def td_values(next_state, seen, arrived, gamma):
    Q = np.zeros(seen.shape)
    for _ in range(len(seen) + 1):
        Q = np.where(arrived[next_state], 1.0, gamma * Q.max(axis=1)[next_state])
    return Q * seen


# %% td_values wrong: unseen moves get a value
def td_values(next_state, seen, arrived, gamma):
    Q = np.zeros(seen.shape)
    for _ in range(len(seen) + 1):
        best = np.where(seen, Q, 0).max(axis=1)
        Q = np.where(arrived[next_state], 1.0, gamma * best[next_state])
    return Q


# %% td_values wrong: discounts the arriving move
def td_values(next_state, seen, arrived, gamma):
    Q = np.zeros(seen.shape)
    for _ in range(len(seen) + 1):
        Q = gamma * np.where(arrived[next_state], 1.0, Q.max(axis=1)[next_state]) * seen
    return Q


# %% td_values wrong: the mean over actions
def td_values(next_state, seen, arrived, gamma):
    Q = np.zeros(seen.shape)
    for _ in range(1000):
        Q = np.where(arrived[next_state], 1.0, gamma * Q.mean(axis=1)[next_state]) * seen
    return Q


# %% td_values wrong: a hundred sweeps
def td_values(next_state, seen, arrived, gamma):
    Q = np.zeros(seen.shape)
    for _ in range(100):
        Q = np.where(arrived[next_state], 1.0, gamma * Q.max(axis=1)[next_state]) * seen
    return Q


# %% td_values wrong: arrival of the present state
def td_values(next_state, seen, arrived, gamma):
    Q = np.zeros(seen.shape)
    for _ in range(len(seen) + 1):
        Q = np.where(arrived[:, None], 1.0, gamma * Q.max(axis=1)[next_state]) * seen
    return Q


# %% td_values wrong: marks moves as seen
def td_values(next_state, seen, arrived, gamma):
    Q = np.zeros(seen.shape)
    for _ in range(len(seen) + 1):
        Q = np.where(arrived[next_state], 1.0, gamma * Q.max(axis=1)[next_state]) * seen
    seen[:] = True
    return Q


# %% success_within right: matrices
def success_within(policy, next_state, arrived, steps):
    S = len(arrived)
    chain = np.zeros((S, S))
    for a in range(policy.shape[1]):
        chain[np.arange(S), next_state[:, a]] += policy[:, a]
    chain[arrived] = np.eye(S)[arrived]
    return np.linalg.matrix_power(chain, steps) @ arrived.astype(float)


# %% success_within right: JAX
def success_within(policy, next_state, arrived, steps):
    goal, chance = jnp.asarray(arrived), jnp.asarray(arrived, jnp.float32)
    for _ in range(steps):
        chance = jnp.where(goal, 1.0, jnp.sum(policy * chance[next_state], axis=1))
    return chance


# %% success_within wrong: at the goal at the end
def success_within(policy, next_state, arrived, steps):
    chance = arrived.astype(float)
    for _ in range(steps):
        chance = (policy * chance[next_state]).sum(axis=1)
    return chance


# %% success_within wrong: one step too many
def success_within(policy, next_state, arrived, steps):
    chance = arrived.astype(float)
    for _ in range(steps + 1):
        chance = np.where(arrived, 1.0, (policy * chance[next_state]).sum(axis=1))
    return chance


# %% success_within wrong: the best action
def success_within(policy, next_state, arrived, steps):
    chance = arrived.astype(float)
    for _ in range(steps):
        chance = np.where(arrived, 1.0, chance[next_state].max(axis=1))
    return chance


# %% success_within wrong: a uniform policy
def success_within(policy, next_state, arrived, steps):
    chance = arrived.astype(float)
    for _ in range(steps):
        chance = np.where(arrived, 1.0, chance[next_state].mean(axis=1))
    return chance


# %% success_within wrong: the goal itself does not count
def success_within(policy, next_state, arrived, steps):
    chance = arrived.astype(float)
    for _ in range(steps):
        chance = np.where(arrived, 1.0, (policy * chance[next_state]).sum(axis=1))
    return np.where(arrived, 0.0, chance)


# %% success_within wrong: makes the goal absorbing in place
def success_within(policy, next_state, arrived, steps):
    next_state[arrived] = np.flatnonzero(arrived)[:, None]
    chance = arrived.astype(float)
    for _ in range(steps):
        chance = (policy * chance[next_state]).sum(axis=1)
    return chance


# %% ratio_backup right: loops
def ratio_backup(f, P, policy, p, gamma):
    S, A = policy.shape
    out = np.zeros((S, A, S))
    for s in range(S):
        for a in range(A):
            for x in range(S):
                ahead = sum(policy[x, b] * np.exp(f[x, b]) for b in range(A))
                out[s, a] += gamma * P[s, a, x] * ahead
            out[s, a] += (1 - gamma) * P[s, a] / p
    return out


def td_weights(first, second):
    raw = [float(np.exp(min(20, max(-10, min(x, y))))) for x, y in zip(first, second, strict=True)]
    return [w / (sum(raw) / len(raw)) for w in raw]


# %% ratio_backup right: JAX, weights by a softmax
def ratio_backup(f, P, policy, p, gamma):
    onward = jnp.sum(policy[:, :, None] * jnp.exp(f), axis=1)
    return (1 - gamma) * P / p[None, None, :] + gamma * jnp.einsum("sax,xg->sag", P, onward)


def td_weights(first, second):
    lower = jnp.clip(jnp.minimum(first, second), -10.0, 20.0)
    return len(first) * jax.nn.softmax(lower)


# %% ratio_backup wrong: averages logits
def ratio_backup(f, P, policy, p, gamma):
    onward = np.exp(np.einsum("xb,xbg->xg", policy, f))
    return (1 - gamma) * P / p + gamma * P @ onward


def td_weights(first, second):
    w = np.exp(np.clip(np.minimum(first, second), -10, 20))
    return w / w.mean()


# %% ratio_backup wrong: no division by p
def ratio_backup(f, P, policy, p, gamma):
    return (1 - gamma) * P + gamma * P @ np.einsum("xb,xbg->xg", policy, np.exp(f))


def td_weights(first, second):
    w = np.exp(np.clip(np.minimum(first, second), -10, 20))
    return w / w.mean()


# %% ratio_backup wrong: p of the state in place of the goal
def ratio_backup(f, P, policy, p, gamma):
    onward = np.einsum("xb,xbg->xg", policy, np.exp(f))
    return (1 - gamma) * P / p[:, None, None] + gamma * P @ onward


def td_weights(first, second):
    w = np.exp(np.clip(np.minimum(first, second), -10, 20))
    return w / w.mean()


# %% ratio_backup wrong: the best next action
def ratio_backup(f, P, policy, p, gamma):
    return (1 - gamma) * P / p + gamma * P @ np.exp(f).max(axis=1)


def td_weights(first, second):
    w = np.exp(np.clip(np.minimum(first, second), -10, 20))
    return w / w.mean()


# %% ratio_backup wrong: returns what it was given
def ratio_backup(f, P, policy, p, gamma):
    return np.exp(f)


def td_weights(first, second):
    w = np.exp(np.clip(np.minimum(first, second), -10, 20))
    return w / w.mean()


# %% ratio_backup wrong: weights with the larger twin
def ratio_backup(f, P, policy, p, gamma):
    return (1 - gamma) * P / p + gamma * P @ np.einsum("xb,xbg->xg", policy, np.exp(f))


def td_weights(first, second):
    w = np.exp(np.clip(np.maximum(first, second), -10, 20))
    return w / w.mean()


# %% ratio_backup wrong: weights not clipped from below
def ratio_backup(f, P, policy, p, gamma):
    return (1 - gamma) * P / p + gamma * P @ np.einsum("xb,xbg->xg", policy, np.exp(f))


def td_weights(first, second):
    w = np.exp(np.minimum(np.minimum(first, second), 20))
    return w / w.mean()


# %% ratio_backup wrong: weights that sum to one
def ratio_backup(f, P, policy, p, gamma):
    return (1 - gamma) * P / p + gamma * P @ np.einsum("xb,xbg->xg", policy, np.exp(f))


def td_weights(first, second):
    w = np.exp(np.clip(np.minimum(first, second), -10, 20))
    return w / w.sum()


# %% ratio_backup wrong: even weights
def ratio_backup(f, P, policy, p, gamma):
    return (1 - gamma) * P / p + gamma * P @ np.einsum("xb,xbg->xg", policy, np.exp(f))


def td_weights(first, second):
    return np.ones(len(first))


# %% ratio_backup wrong: clips the logits in place
def ratio_backup(f, P, policy, p, gamma):
    return (1 - gamma) * P / p + gamma * P @ np.einsum("xb,xbg->xg", policy, np.exp(f))


def td_weights(first, second):
    np.minimum(first, second, out=first)
    np.clip(first, -10, 20, out=first)
    w = np.exp(first)
    return w / w.mean()
