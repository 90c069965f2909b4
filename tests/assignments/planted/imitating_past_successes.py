"""Planted answers to imitating_past_successes: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np


# %% clone wrong: forgets how often an action is taken
def clone(policy, R, p):
    return (R / R.sum(axis=0)).T


# %% clone wrong: keeps the command's own policy in place of the average
def clone(policy, R, p):
    weights = policy * R.T
    return weights / weights.sum(axis=1, keepdims=True)


# %% clone wrong: averages the commands evenly
def clone(policy, R, p):
    weights = policy.mean(axis=0) * R.T
    return weights / weights.sum(axis=1, keepdims=True)


# %% clone wrong: transposed
def clone(policy, R, p):
    weights = (p @ policy)[:, None] * R
    return weights / weights.sum(axis=0)


# %% clone wrong: normalises over goals
def clone(policy, R, p):
    weights = (p @ policy) * R.T
    return weights / weights.sum(axis=0)


# %% clone wrong: does not normalise
def clone(policy, R, p):
    return (p @ policy) * R.T


# %% clone wrong: weighs outcomes by the commands
def clone(policy, R, p):
    joint = np.einsum("g,ga,ag->ga", p, policy, R)
    return joint / joint.sum(axis=1, keepdims=True)


# %% clone wrong: hard-coded visible answer
def clone(policy, R, p):
    return np.array([[0.625, 0.375], [0.0, 1.0]])


# %% clone wrong: calls the library
def clone(policy, R, p):
    from goalward.methods import imitating_past_successes as method

    return method.ocbc(policy[None], p[None], method.bandit_outcomes(R[None]))[0]


# %% clone right: loops
def clone(behaviour, chances, wish):
    goals, actions = behaviour.shape
    answer = [[0.0] * actions for _ in range(goals)]
    for outcome in range(goals):
        for command in range(goals):
            for action in range(actions):
                weight = wish[command] * behaviour[command, action]
                answer[outcome][action] += weight * chances[action, outcome]
        total = sum(answer[outcome])
        answer[outcome] = [x / total for x in answer[outcome]]
    return answer


# %% clone right: softmax of logarithms in JAX
def clone(policy, R, p):
    log_average = jnp.log(jnp.einsum("g,ga->a", p, policy))
    return jax.nn.softmax(log_average + jnp.log(jnp.asarray(R).T), axis=-1)


# %% repaired wrong: no base
def repaired(cloned, average, base):
    ratio = np.divide(cloned, average, out=np.zeros_like(cloned), where=average > 0)
    return ratio / ratio.sum(axis=1, keepdims=True)


# %% repaired wrong: multiplies by the average
def repaired(cloned, average, base):
    weights = cloned * average * base
    return weights / weights.sum(axis=1, keepdims=True)


# %% repaired wrong: no division by the average
def repaired(cloned, average, base):
    weights = cloned * base
    return weights / weights.sum(axis=1, keepdims=True)


# %% repaired wrong: not normalised
def repaired(cloned, average, base):
    return np.divide(cloned * base, average, out=np.zeros_like(cloned), where=average > 0)


# %% repaired wrong: normalises the wrong axis
def repaired(cloned, average, base):
    weights = np.divide(cloned * base, average, out=np.zeros_like(cloned), where=average > 0)
    return weights / weights.sum(axis=0, keepdims=True)


# %% repaired wrong: nan where nobody acts
def repaired(cloned, average, base):
    with np.errstate(all="ignore"):
        weights = cloned / average * base
    return weights / weights.sum(axis=1, keepdims=True)


# %% repaired wrong: greedy
def repaired(cloned, average, base):
    weights = np.divide(cloned * base, average, out=np.zeros_like(cloned), where=average > 0)
    return np.eye(cloned.shape[1])[weights.argmax(axis=1)]


# %% repaired wrong: the floors of the authors' code
def repaired(cloned, average, base):
    weights = (cloned + 1e-5) / (average + 2e-5) * base
    return weights / weights.sum(axis=1, keepdims=True)


# %% repaired wrong: a small floor
def repaired(cloned, average, base):
    weights = cloned / np.maximum(average, 1e-8) * base
    return weights / weights.sum(axis=1, keepdims=True)


# %% repaired right: replaces what is not a number
def repaired(cloned, average, base):
    with np.errstate(all="ignore"):
        weights = np.nan_to_num(cloned / average) * base
    return weights / weights.sum(axis=1, keepdims=True)


# %% repaired right: loops
def repaired(c, m, b):
    out = np.zeros(c.shape)
    for g in range(c.shape[0]):
        for a in range(c.shape[1]):
            if m[a] > 0:
                out[g, a] = b[g, a] * c[g, a] / m[a]
        out[g] /= out[g].sum()
    return out.tolist()


# %% repaired right: JAX
def repaired(cloned, average, base):
    weights = jnp.where(average > 0, cloned * base / jnp.maximum(average, 1e-12), 0.0)
    return weights / jnp.sum(weights, axis=-1, keepdims=True)


# %% resting_point wrong: a single round
def resting_point(R, p):
    w = np.full(len(R), 1 / len(R))
    return w * (R @ (p / (w @ R)))


# %% resting_point wrong: too few rounds
def resting_point(R, p):
    w = np.full(len(R), 1 / len(R))
    for _ in range(10):
        w = w * (R @ (p / (w @ R)))
    return w


# %% resting_point wrong: the best action of each goal
def resting_point(R, p):
    return np.bincount(R.argmax(axis=0), weights=p, minlength=len(R))


# %% resting_point wrong: commands counted evenly
def resting_point(R, p):
    w = np.full(len(R), 1 / len(R))
    for _ in range(5000):
        w = w * (R @ (np.full(len(p), 1 / len(p)) / (w @ R)))
    return w


# %% resting_point wrong: matches by least squares
def resting_point(R, p):
    w = np.linalg.lstsq(R.T, p, rcond=None)[0]
    w = np.maximum(w, 0)
    return w / w.sum()


# %% resting_point wrong: the action closest to the wishes
def resting_point(R, p):
    return np.eye(len(R))[np.argmax(R @ p)]


# %% resting_point wrong: weights outcomes instead of dividing by them
def resting_point(R, p):
    w = np.full(len(R), 1 / len(R))
    for _ in range(2000):
        w = w * (R @ (p * (w @ R)))
        w = w / w.sum()
    return w


# %% resting_point wrong: stops a hundredth of a nat too early
def resting_point(R, p):
    w = np.full(len(R), 1 / len(R))
    slope = R @ (p / (w @ R))
    while slope.max() - w @ slope > 1e-2:
        w = w * slope
        slope = R @ (p / (w @ R))
    return w


# %% resting_point right: stops within a thousandth of a nat
def resting_point(R, p):
    w = np.full(len(R), 1 / len(R))
    slope = R @ (p / (w @ R))
    while slope.max() - w @ slope > 9e-4:
        w = w * slope
        slope = R @ (p / (w @ R))
    return w


# %% resting_point right: whole policies, cloned again and again
def resting_point(R, p):
    policy = np.full(R.T.shape, 1 / len(R))
    for _ in range(8000):
        joint = (p @ policy)[None, :] * R.T
        policy = joint / joint.sum(axis=1, keepdims=True)
    return p @ policy


# %% resting_point right: in JAX, inside a loop of its own
def resting_point(R, p):
    R, p = jnp.asarray(R), jnp.asarray(p)
    start = jnp.full(R.shape[0], 1 / R.shape[0])
    w = jax.lax.fori_loop(0, 20_000, lambda _, w: w * (R @ (p / (w @ R))), start)
    return w / w.sum()


# %% guaranteed_steps wrong: relabelled data, the average policy's future
def guaranteed_steps(P, policy, gamma, rounds):
    n, now, out = len(P), policy.copy(), []
    for _ in range(rounds + 1):
        chain = np.einsum("sa,sax->sx", now.mean(axis=1), P)
        M = (1 - gamma) * np.linalg.inv(np.eye(n) - gamma * chain)
        Q = np.moveaxis(P @ M, 2, 1)
        out.append((now * Q).sum(axis=2))
        now = now * Q / out[-1][:, :, None]
    return np.array(out)


# %% guaranteed_steps wrong: counts the present
def guaranteed_steps(P, policy, gamma, rounds):
    n, now, out = len(P), policy.copy(), []
    for _ in range(rounds + 1):
        Q = np.zeros_like(now)
        for g in range(n):
            chain = np.einsum("sa,sax->sx", now[:, g], P)
            M = (1 - gamma) * np.linalg.inv(np.eye(n) - gamma * chain)
            Q[:, g] = gamma * P @ M[:, g] + (1 - gamma) * np.eye(n)[:, g : g + 1]
        out.append((now * Q).sum(axis=2))
        now = now * Q / out[-1][:, :, None]
    return np.array(out)


# %% guaranteed_steps wrong: forgets 1 - gamma
def guaranteed_steps(P, policy, gamma, rounds):
    n, now, out = len(P), policy.copy(), []
    for _ in range(rounds + 1):
        Q = np.zeros_like(now)
        for g in range(n):
            chain = np.einsum("sa,sax->sx", now[:, g], P)
            Q[:, g] = P @ np.linalg.inv(np.eye(n) - gamma * chain)[:, g]
        out.append((now * Q).sum(axis=2))
        now = now * Q / out[-1][:, :, None]
    return np.array(out)


# %% guaranteed_steps wrong: Q of the first round throughout
def guaranteed_steps(P, policy, gamma, rounds):
    n, now, out = len(P), policy.copy(), []
    Q = np.zeros_like(now)
    for g in range(n):
        chain = np.einsum("sa,sax->sx", now[:, g], P)
        Q[:, g] = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)[:, g]
    for _ in range(rounds + 1):
        out.append((now * Q).sum(axis=2))
        now = now * Q / out[-1][:, :, None]
    return np.array(out)


# %% guaranteed_steps wrong: goal before state
def guaranteed_steps(P, policy, gamma, rounds):
    n, now, out = len(P), policy.copy(), []
    for _ in range(rounds + 1):
        Q = np.zeros_like(now)
        for g in range(n):
            chain = np.einsum("sa,sax->sx", now[:, g], P)
            Q[:, g] = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)[:, g]
        V = (now * Q).sum(axis=2)
        out.append(V.T)
        now = now * Q / V[:, :, None]
    return np.array(out)


# %% guaranteed_steps wrong: greedy steps
def guaranteed_steps(P, policy, gamma, rounds):
    n, now, out = len(P), policy.copy(), []
    for _ in range(rounds + 1):
        Q = np.zeros_like(now)
        for g in range(n):
            chain = np.einsum("sa,sax->sx", now[:, g], P)
            Q[:, g] = (1 - gamma) * P @ np.linalg.inv(np.eye(n) - gamma * chain)[:, g]
        out.append((now * Q).sum(axis=2))
        now = np.eye(now.shape[2])[Q.argmax(axis=2)]
    return np.array(out)


# %% guaranteed_steps right: sums the series for all goals at once
def guaranteed_steps(P, policy, gamma, rounds):
    now, out = policy.copy(), []
    for _ in range(rounds + 1):
        chains = np.einsum("sga,sax->gsx", now, P)
        future = np.eye(len(P)) * np.ones((len(P), 1, 1))
        total = np.zeros_like(chains)
        for t in range(int(30 / (1 - gamma))):
            total += (1 - gamma) * gamma**t * future
            future = np.einsum("gsx,gxy->gsy", chains, future)
        Q = np.einsum("sax,gxg->sga", P, total)
        V = np.einsum("sga,sga->sg", now, Q)
        out.append(V)
        now = now * Q / V[..., None]
    return np.stack(out)


# %% guaranteed_steps right: JAX, one goal at a time under vmap
def guaranteed_steps(P, policy, gamma, rounds):
    P, pi = jnp.asarray(P), jnp.asarray(policy)

    def value(pi_g, g):
        chain = jnp.einsum("sa,sax->sx", pi_g, P)
        arrive = (1 - gamma) * jnp.linalg.inv(jnp.eye(len(P)) - gamma * chain)[:, g]
        return P @ arrive

    tables = []
    for _ in range(rounds + 1):
        Q = jax.vmap(value, in_axes=(1, 0), out_axes=1)(pi, jnp.arange(len(P)))
        V = jnp.sum(pi * Q, axis=-1)
        tables.append(V)
        pi = pi * Q / V[..., None]
    return jnp.stack(tables)


# %% accepted wrong: counts all steps
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    w = np.exp((log_relabelled - log_commanded).sum(axis=1))
    return np.abs(w - 1) <= epsilon


# %% accepted wrong: only bounds from above
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    return np.exp(((log_relabelled - log_commanded) * counts).sum(axis=1)) <= 1 + epsilon


# %% accepted wrong: only bounds from below
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    return np.exp(((log_relabelled - log_commanded) * counts).sum(axis=1)) >= 1 - epsilon


# %% accepted wrong: averages over steps
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    total = ((log_relabelled - log_commanded) * counts).sum(axis=1) / lengths
    return np.abs(np.exp(total) - 1) <= epsilon


# %% accepted wrong: underflows
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    with np.errstate(all="ignore"):
        top, bottom = (np.exp((x * counts).sum(axis=1)) for x in (log_relabelled, log_commanded))
        return np.abs(top / bottom - 1) <= epsilon


# %% accepted wrong: forgets the last step
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None] - 1
    return np.abs(np.exp(((log_relabelled - log_commanded) * counts).sum(axis=1)) - 1) <= epsilon


# %% accepted wrong: accepts everything of the visible case's pattern
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    return np.arange(len(lengths)) < 2


# %% accepted wrong: an interval for the logarithm
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    return np.abs(((log_relabelled - log_commanded) * counts).sum(axis=1)) <= epsilon


# %% accepted wrong: from 1 / (1 + epsilon)
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    total = ((log_relabelled - log_commanded) * counts).sum(axis=1)
    return np.abs(total) <= np.log(1 + epsilon)


# %% accepted wrong: up to 1 / (1 - epsilon)
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    total = ((log_relabelled - log_commanded) * counts).sum(axis=1)
    return np.abs(total) <= -np.log(1 - epsilon)


# %% accepted wrong: the reciprocal weight
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    counts = np.arange(log_commanded.shape[1]) < lengths[:, None]
    w = np.exp(((log_commanded - log_relabelled) * counts).sum(axis=1))
    return np.abs(w - 1) <= epsilon


# %% accepted right: loops
def accepted(a, b, n, eps):
    keep = []
    for i, length in enumerate(n):
        w = 1.0
        for t in range(length):
            w *= np.exp(b[i, t] - a[i, t])
        keep.append(bool(1 - eps <= w <= 1 + eps))
    return keep


# %% accepted right: cumulative sums
def accepted(log_commanded, log_relabelled, lengths, epsilon):
    running = np.cumsum(log_relabelled - log_commanded, axis=1)
    w = np.exp(running[np.arange(len(lengths)), lengths - 1])
    return (w > 1 - epsilon) * (w < 1 + epsilon)
