"""Planted answers to tmd: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np


# %% free_choice wrong: free from everywhere
def free_choice(d, n_states):
    free = d.copy()
    free[:n_states, n_states:] = 0.0
    return free


# %% free_choice wrong: from the pair to its state
def free_choice(d, n_states):
    A = len(d) // n_states - 1
    free = d.copy()
    for s in range(n_states):
        for a in range(A):
            free[n_states + s * A + a, s] = 0.0
    return free


# %% free_choice wrong: both directions
def free_choice(d, n_states):
    A = len(d) // n_states - 1
    free = d.copy()
    for s in range(n_states):
        for a in range(A):
            free[n_states + s * A + a, s] = free[s, n_states + s * A + a] = 0.0
    return free


# %% free_choice wrong: action by action in place of state by state
def free_choice(d, n_states):
    A = len(d) // n_states - 1
    free = d.copy()
    for s in range(n_states):
        for a in range(A):
            free[s, n_states + a * n_states + s] = 0.0
    return free


# %% free_choice wrong: in place
def free_choice(d, n_states):
    A = len(d) // n_states - 1
    for s in range(n_states):
        d[s, n_states + s * A : n_states + (s + 1) * A] = 0.0
    return d


# %% free_choice wrong: the first action alone
def free_choice(d, n_states):
    A = len(d) // n_states - 1
    free = d.copy()
    free[np.arange(n_states), n_states + A * np.arange(n_states)] = 0.0
    return free


# %% free_choice wrong: two actions whatever there are
def free_choice(d, n_states):
    free = d.copy()
    for s in range(n_states):
        free[s, n_states + 2 * s : n_states + 2 * s + 2] = 0.0
    return free


# %% free_choice wrong: between actions of one state too
def free_choice(d, n_states):
    A = len(d) // n_states - 1
    free = d.copy()
    for s in range(n_states):
        own = slice(n_states + s * A, n_states + (s + 1) * A)
        free[s, own] = 0.0
        free[own, own] = 0.0
    return free


# %% free_choice wrong: nothing
def free_choice(d, n_states):
    return d.copy()


# %% free_choice right: a mask
def free_choice(d, n_states):
    A = len(d) // n_states - 1
    own = np.kron(np.eye(n_states), np.ones(A)) > 0
    free = np.array(d)
    free[:n_states, n_states:][own] = 0.0
    return free


# %% free_choice right: JAX
def free_choice(d, n_states):
    A = d.shape[0] // n_states - 1
    pairs = jnp.arange(n_states * A)
    return jnp.asarray(d).at[pairs // A, n_states + pairs].set(0.0)


# %% one_step wrong: averages distances
def one_step(d, P, gamma):
    n = len(P)
    backed = d.copy()
    backed[n:] = P.reshape(-1, n) @ d[:n] - np.log(gamma)
    np.fill_diagonal(backed, np.diag(d))
    return backed


# %% one_step wrong: the best outcome
def one_step(d, P, gamma):
    n = len(P)
    backed = d.copy()
    for k, row in enumerate(P.reshape(-1, n)):
        backed[n + k] = d[:n][row > 0].min(axis=0) - np.log(gamma)
    np.fill_diagonal(backed, np.diag(d))
    return backed


# %% one_step wrong: no step is counted
def one_step(d, P, gamma):
    n = len(P)
    least = d[:n].min(axis=0)
    backed = d.copy()
    backed[n:] = least - np.log(P.reshape(-1, n) @ np.exp(least - d[:n]))
    np.fill_diagonal(backed, np.diag(d))
    return backed


# %% one_step wrong: the step brings nearer
def one_step(d, P, gamma):
    n = len(P)
    least = d[:n].min(axis=0)
    backed = d.copy()
    backed[n:] = least - np.log(P.reshape(-1, n) @ np.exp(least - d[:n])) + np.log(gamma)
    np.fill_diagonal(backed, np.diag(d))
    return backed


# %% one_step wrong: underflows
def one_step(d, P, gamma):
    n = len(P)
    backed = d.copy()
    with np.errstate(divide="ignore"):
        backed[n:] = -np.log(gamma * P.reshape(-1, n) @ np.exp(-d[:n]))
    np.fill_diagonal(backed, np.diag(d))
    return backed


# %% one_step wrong: a floor against underflow
def one_step(d, P, gamma):
    n = len(P)
    backed = d.copy()
    backed[n:] = -np.log(gamma * P.reshape(-1, n) @ np.exp(-d[:n]) + 1e-300)
    np.fill_diagonal(backed, np.diag(d))
    return backed


# %% one_step wrong: the diagonal too
def one_step(d, P, gamma):
    n = len(P)
    least = d[:n].min(axis=0)
    backed = d.copy()
    backed[n:] = least - np.log(gamma * P.reshape(-1, n) @ np.exp(least - d[:n]))
    return backed


# %% one_step wrong: only columns of states
def one_step(d, P, gamma):
    n = len(P)
    least = d[:n, :n].min(axis=0)
    backed = d.copy()
    backed[n:, :n] = least - np.log(gamma * P.reshape(-1, n) @ np.exp(least - d[:n, :n]))
    return backed


# %% one_step wrong: averages over where one comes from
def one_step(d, P, gamma):
    n = len(P)
    least = d[:n].min(axis=0)
    backed = d.copy()
    back = np.transpose(P, (2, 1, 0)).reshape(-1, n)
    backed[n:] = least - np.log(gamma * back @ np.exp(least - d[:n]) + 1e-12)
    np.fill_diagonal(backed, np.diag(d))
    return backed


# %% one_step wrong: in place
def one_step(d, P, gamma):
    n = len(P)
    kept = np.diag(d).copy()
    least = d[:n].min(axis=0)
    d[n:] = least - np.log(gamma * P.reshape(-1, n) @ np.exp(least - d[:n]))
    np.fill_diagonal(d, kept)
    return d


# %% one_step wrong: the rows of states take the best action
def one_step(d, P, gamma):
    n = len(P)
    least = d[:n].min(axis=0)
    backed = d.copy()
    backed[n:] = least - np.log(gamma * P.reshape(-1, n) @ np.exp(least - d[:n]))
    backed[:n] = np.minimum(d[:n], backed[n:].reshape(n, -1, len(d)).min(axis=1))
    np.fill_diagonal(backed, np.diag(d))
    return backed


# %% one_step right: loops
def one_step(d, P, gamma):
    S, A, _ = P.shape
    out = d.tolist()
    for s in range(S):
        for a in range(A):
            for y in range(len(out)):
                if y != S + s * A + a:
                    low = min(d[x, y] for x in range(S))
                    total = sum(P[s, a, x] * np.exp(low - d[x, y]) for x in range(S))
                    out[S + s * A + a][y] = low - np.log(total * gamma)
    return out


# %% one_step right: JAX's logsumexp with weights
def one_step(d, P, gamma):
    S, A, _ = P.shape
    pairs = -jax.scipy.special.logsumexp(
        -jnp.asarray(d)[None, :S], b=gamma * jnp.asarray(P).reshape(S * A, S, 1), axis=1
    )
    new = jnp.concatenate([jnp.asarray(d)[:S], pairs])
    return jnp.where(jnp.eye(len(d)) > 0, d, new)


# %% no_detour wrong: one waypoint
def no_detour(d):
    return np.stack([np.min(row[:, None] + d, axis=0) for row in d])


# %% no_detour wrong: three rounds, up to eight legs
def no_detour(d):
    for _ in range(3):
        d = np.stack([np.min(row[:, None] + d, axis=0) for row in d])
    return d


# %% no_detour wrong: five rounds, up to 32 legs
def no_detour(d):
    for _ in range(5):
        d = np.stack([np.min(row[:, None] + d, axis=0) for row in d])
    return d


# %% no_detour wrong: the way back is as long
def no_detour(d):
    c = np.minimum(d, d.T)
    for y in range(len(c)):
        c = np.minimum(c, c[:, [y]] + c[[y]])
    return c


# %% no_detour wrong: in place
def no_detour(d):
    for y in range(len(d)):
        np.minimum(d, d[:, [y]] + d[[y]], out=d)
    return d


# %% no_detour wrong: counts legs
def no_detour(d):
    c = np.where(np.isfinite(d) & (d > 0), 1.0, d)
    for y in range(len(c)):
        c = np.minimum(c, c[:, [y]] + c[[y]])
    return c


# %% no_detour wrong: waypoints in the innermost loop, once
def no_detour(d):
    c = d.copy()
    n = len(c)
    for x in range(n):
        for z in range(n):
            c[x, z] = min(c[x, y] + c[y, z] for y in range(n))
    return c


# %% no_detour wrong: the last waypoint is left out
def no_detour(d):
    c = d.copy()
    for y in range(len(c) - 1):
        c = np.minimum(c, c[:, [y]] + c[[y]])
    return c


# %% no_detour wrong: the widest leg in place of the sum
def no_detour(d):
    c = d.copy()
    for y in range(len(c)):
        c = np.minimum(c, np.maximum(c[:, [y]], c[[y]]))
    return c


# %% no_detour right: rounds until nothing changes
def no_detour(d):
    while True:
        new = np.stack([np.min(row[:, None] + d, axis=0) for row in d])
        if (new == d).all():
            return new
        d = new


# %% no_detour right: three loops
def no_detour(d):
    c = d.tolist()
    n = len(c)
    for y in range(n):
        for x in range(n):
            for z in range(n):
                if c[x][y] + c[y][z] < c[x][z]:
                    c[x][z] = c[x][y] + c[y][z]
    return c


# %% no_detour right: JAX, six doublings
def no_detour(d):
    c = jnp.asarray(d)
    for _ in range(6):
        c = jnp.min(c[:, :, None] + c[None], axis=1)
    return c


# %% pull wrong: no clip
def pull(d, targets, chances, linear_beyond):
    with np.errstate(over="ignore"):
        rise = np.exp(d - targets)
    return chances @ (rise - d), chances @ (rise - 1)


# %% pull wrong: the gap is clipped, and nothing else
def pull(d, targets, chances, linear_beyond):
    rise = np.exp(np.minimum(d - targets, linear_beyond))
    return chances @ (rise - d), chances @ (rise - 1)


# %% pull wrong: the exponential's slope beyond the clip
def pull(d, targets, chances, linear_beyond):
    gap = d - targets
    rise = np.exp(np.minimum(gap, linear_beyond))
    return chances @ np.where(gap > linear_beyond, gap, rise - d), chances @ (rise - 1)


# %% pull wrong: one average target
def pull(d, targets, chances, linear_beyond):
    gap = d - chances @ targets
    if gap > linear_beyond:
        return gap, 1.0
    return np.exp(gap) - d, np.exp(gap) - 1


# %% pull wrong: all outcomes alike
def pull(d, targets, chances, linear_beyond):
    gap = d - targets
    rise = np.exp(np.minimum(gap, linear_beyond))
    far = gap > linear_beyond
    return np.where(far, gap, rise - d).mean(), np.where(far, 1.0, rise - 1).mean()


# %% pull wrong: the sign of the gap
def pull(d, targets, chances, linear_beyond):
    gap = targets - d
    rise = np.exp(np.minimum(gap, linear_beyond))
    far = gap > linear_beyond
    return chances @ np.where(far, gap, rise - d), chances @ np.where(far, 1.0, rise - 1)


# %% pull wrong: the clip is always 3
def pull(d, targets, chances, linear_beyond):
    gap = d - targets
    rise = np.exp(np.minimum(gap, 3.0))
    return chances @ np.where(gap > 3, gap, rise - d), chances @ np.where(gap > 3, 1.0, rise - 1)


# %% pull wrong: forgets minus d
def pull(d, targets, chances, linear_beyond):
    gap = d - targets
    rise = np.exp(np.minimum(gap, linear_beyond))
    far = gap > linear_beyond
    return chances @ np.where(far, gap, rise), chances @ np.where(far, 1.0, rise)


# %% pull wrong: beyond the clip minus d stays
def pull(d, targets, chances, linear_beyond):
    gap = d - targets
    rise = np.exp(np.minimum(gap, linear_beyond))
    far = gap > linear_beyond
    return chances @ np.where(far, gap - d, rise - d), chances @ np.where(far, 0.0, rise - 1)


# %% pull right: a loop
def pull(d, targets, chances, linear_beyond):
    loss = slope = 0.0
    for p, t in zip(chances, targets):
        if d - t > linear_beyond:
            loss += p * (d - t)
            slope += p
        else:
            loss += p * (np.exp(d - t) - d)
            slope += p * (np.exp(d - t) - 1)
    return [loss, slope]


# %% pull right: JAX's gradient
def pull(d, targets, chances, linear_beyond):
    def loss(x):
        gap = x - targets
        rise = jnp.exp(jnp.minimum(gap, linear_beyond))
        return jnp.sum(chances * jnp.where(gap > linear_beyond, gap, rise - x))

    return jnp.stack(jax.value_and_grad(loss)(jnp.asarray(d, jnp.float32)))


# %% best_chances wrong: the walker's own chance
def best_chances(states, actions, n_states, n_actions, gamma):
    P = np.zeros((n_states, n_states))
    np.add.at(P, (states[:, :-1], states[:, 1:]), 1.0)
    P /= np.maximum(P.sum(axis=1, keepdims=True), 1)
    h = np.eye(n_states)
    for _ in range(300):
        h = np.where(np.eye(n_states) > 0, 1.0, gamma * P @ h)
    return h


# %% best_chances wrong: the best recorded outcome
def best_chances(states, actions, n_states, n_actions, gamma):
    d = np.where(np.eye(n_states) > 0, 0.0, np.inf)
    for s, x in zip(states[:, :-1].ravel(), states[:, 1:].ravel()):
        if s != x:
            d[s, x] = 1
    for y in range(n_states):
        d = np.minimum(d, d[:, [y]] + d[[y]])
    return gamma**d


# %% best_chances wrong: counts the action that was not taken
def best_chances(states, actions, n_states, n_actions, gamma):
    P = np.zeros((n_states, n_actions, n_states))
    np.add.at(P, (states[:, :-1], actions[:, 1:], states[:, 1:]), 1.0)
    P /= np.maximum(P.sum(axis=2, keepdims=True), 1)
    h = np.eye(n_states)
    for _ in range(300):
        h = np.where(np.eye(n_states) > 0, 1.0, gamma * (P @ h).max(axis=1))
    return h


# %% best_chances wrong: repeated steps count once
def best_chances(states, actions, n_states, n_actions, gamma):
    P = np.zeros((n_states, n_actions, n_states))
    P[states[:, :-1], actions[:, :-1], states[:, 1:]] = 1.0
    P /= np.maximum(P.sum(axis=2, keepdims=True), 1)
    h = np.eye(n_states)
    for _ in range(300):
        h = np.where(np.eye(n_states) > 0, 1.0, gamma * (P @ h).max(axis=1))
    return h


# %% best_chances wrong: joins the end of a walk to the next one's start
def best_chances(states, actions, n_states, n_actions, gamma):
    s, a = states.ravel(), actions.ravel()
    P = np.zeros((n_states, n_actions, n_states))
    np.add.at(P, (s[:-1], a[:-1], s[1:]), 1.0)
    P /= np.maximum(P.sum(axis=2, keepdims=True), 1)
    h = np.eye(n_states)
    for _ in range(300):
        h = np.where(np.eye(n_states) > 0, 1.0, gamma * (P @ h).max(axis=1))
    return h


# %% best_chances wrong: a single sweep
def best_chances(states, actions, n_states, n_actions, gamma):
    P = np.zeros((n_states, n_actions, n_states))
    np.add.at(P, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1.0)
    P /= np.maximum(P.sum(axis=2, keepdims=True), 1)
    with np.errstate(divide="ignore"):
        d = -np.log(np.maximum(np.eye(n_states), gamma * P.max(axis=1)))
    for y in range(n_states):
        d = np.minimum(d, d[:, [y]] + d[[y]])
    return np.exp(-d)


# %% best_chances wrong: the discount is forgotten
def best_chances(states, actions, n_states, n_actions, gamma):
    P = np.zeros((n_states, n_actions, n_states))
    np.add.at(P, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1.0)
    P /= np.maximum(P.sum(axis=2, keepdims=True), 1)
    h = np.eye(n_states)
    for _ in range(300):
        h = np.where(np.eye(n_states) > 0, 1.0, (P @ h).max(axis=1))
    return h


# %% best_chances wrong: who is at the goal goes on
def best_chances(states, actions, n_states, n_actions, gamma):
    P = np.zeros((n_states, n_actions, n_states))
    np.add.at(P, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1.0)
    P /= np.maximum(P.sum(axis=2, keepdims=True), 1)
    h = np.zeros((n_states, n_states))
    for _ in range(300):
        h = np.eye(n_states) + gamma * (P @ h).max(axis=1)
    return h * (1 - gamma)


# %% best_chances wrong: what was never tried may lead anywhere
def best_chances(states, actions, n_states, n_actions, gamma):
    P = np.zeros((n_states, n_actions, n_states))
    np.add.at(P, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1.0)
    total = P.sum(axis=2, keepdims=True)
    P = np.where(total > 0, P / np.maximum(total, 1), 1 / n_states)
    h = np.eye(n_states)
    for _ in range(300):
        h = np.where(np.eye(n_states) > 0, 1.0, gamma * (P @ h).max(axis=1))
    return h


# %% best_chances wrong: three rounds
def best_chances(states, actions, n_states, n_actions, gamma):
    P = np.zeros((n_states, n_actions, n_states))
    np.add.at(P, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1.0)
    P /= np.maximum(P.sum(axis=2, keepdims=True), 1)
    h = np.eye(n_states)
    for _ in range(3):
        h = np.where(np.eye(n_states) > 0, 1.0, gamma * (P @ h).max(axis=1))
    return h


# %% best_chances right: the three rules in a table
def best_chances(states, actions, n_states, n_actions, gamma):
    S, A = n_states, n_actions
    P = np.zeros((S, A, S))
    np.add.at(P, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1.0)
    P = P.reshape(-1, S) / np.maximum(P.reshape(-1, S).sum(axis=1, keepdims=True), 1)
    d = np.where(np.eye(S + S * A) > 0, 0.0, np.inf)
    for _ in range(int(14 / (1 - gamma))):
        d[np.repeat(np.arange(S), A), S + np.arange(S * A)] = 0.0
        with np.errstate(divide="ignore"):
            d[S:] = -np.log(gamma * P @ np.exp(-d[:S]))
        np.fill_diagonal(d, 0.0)
        for y in range(len(d)):
            d = np.minimum(d, d[:, [y]] + d[[y]])
    return np.exp(-d[:S, :S])


# %% best_chances right: dictionaries
def best_chances(states, actions, n_states, n_actions, gamma):
    led = {}
    for walk, acts in zip(states.tolist(), actions.tolist()):
        for t in range(len(walk) - 1):
            led.setdefault(walk[t], {}).setdefault(acts[t], []).append(walk[t + 1])
    h = np.eye(n_states)
    for _ in range(int(15 / (1 - gamma))):
        new = np.eye(n_states)
        for s, by_action in led.items():
            new[s] = np.max([gamma * h[x].mean(axis=0) for x in by_action.values()], axis=0)
        np.fill_diagonal(new, 1.0)
        h = new
    return h


# %% best_chances right: JAX
def best_chances(states, actions, n_states, n_actions, gamma):
    s, a, x = states[:, :-1].ravel(), actions[:, :-1].ravel(), states[:, 1:].ravel()
    P = jnp.zeros((n_states, n_actions, n_states)).at[s, a, x].add(1.0)
    P = P / jnp.maximum(P.sum(axis=-1, keepdims=True), 1)
    eye = jnp.eye(n_states)

    def back(_, h):
        return jnp.maximum(eye, gamma * (P @ h).max(axis=1))

    return jax.lax.fori_loop(0, 400, back, eye)
