"""Planted answers to the exercises of hiql: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np

# What the notebook's other cells define; an answer is run together with them.
Phi = wrong_chance = None


# %% wrong_chance right: the ratio of the chapter's formula
def wrong_chance(T, k, sigma):
    return Phi(-(2**0.5) / (sigma * np.sqrt((T / k) ** 2 + 1)))


# %% wrong_chance right: JAX
def wrong_chance(T, k, sigma):
    return jax.scipy.stats.norm.cdf(-2.0 * k, scale=sigma * jnp.hypot(T - k, T + k))


# %% wrong_chance wrong: forgets that the nearer state errs too
def wrong_chance(T, k, sigma):
    return Phi(-(2**0.5) / (sigma * T / k))


# %% wrong_chance wrong: neighbours whatever k
def wrong_chance(T, k, sigma):
    return Phi(-(2**0.5) / (sigma * (T**2 + 1) ** 0.5))


# %% wrong_chance wrong: the chance to be right
def wrong_chance(T, k, sigma):
    return Phi(2 * k / (sigma * ((T - k) ** 2 + (T + k) ** 2) ** 0.5))


# %% wrong_chance wrong: noise of constant size
def wrong_chance(T, k, sigma):
    return Phi(-(2**0.5) * k / sigma)


# %% wrong_chance wrong: one error in place of two
def wrong_chance(T, k, sigma):
    return Phi(-2 * k / (sigma * (T + k)))


# %% wrong_chance wrong: a thousand draws
def wrong_chance(T, k, sigma):
    z = np.random.default_rng(0).normal(size=(2, 1000))
    return np.mean(-(T + k) * (1 + sigma * z[1]) > -(T - k) * (1 + sigma * z[0]))


# %% wrong_chance wrong: a coin flip
def wrong_chance(T, k, sigma):
    return 0.5


# %% arrival_chance right: a power of the matrix
def arrival_chance(T, k, sigma, steps):
    n = T + steps + 2

    def c(d):
        if d <= k:
            return 1 - wrong_chance(d, 1, sigma)
        h, low = wrong_chance(d, k, sigma), wrong_chance(k, 1, sigma)
        return 1 - h - low + 2 * h * low

    P = np.zeros((n, n))
    P[0, 0] = P[-1, -1] = 1
    for d in range(1, n - 1):
        P[d, d - 1], P[d, d + 1] = c(d), 1 - c(d)
    return np.linalg.matrix_power(P, steps)[T, 0]


# %% arrival_chance right: backwards in time, loops
def arrival_chance(T, k, sigma, steps):
    low = wrong_chance(k, 1, sigma)
    right = []
    for d in range(T + steps + 1):
        if d <= k:
            right.append(1 - wrong_chance(max(d, 1), 1, sigma))
        else:
            h = wrong_chance(d, k, sigma)
            right.append((1 - h) * (1 - low) + h * low)
    v = [1.0] + [0.0] * (T + steps + 1)
    for _ in range(steps):
        v = (
            [1.0]
            + [right[d] * v[d - 1] + (1 - right[d]) * v[d + 1] for d in range(1, T + steps + 1)]
            + [0.0]
        )
    return v[T]


# %% arrival_chance wrong: one level
def arrival_chance(T, k, sigma, steps):
    n = T + steps + 2
    P = np.zeros((n, n))
    P[0, 0] = P[-1, -1] = 1
    for d in range(1, n - 1):
        P[d, d + 1] = wrong_chance(d, 1, sigma)
        P[d, d - 1] = 1 - P[d, d + 1]
    return np.linalg.matrix_power(P, steps)[T, 0]


# %% arrival_chance wrong: both levels have to be right
def arrival_chance(T, k, sigma, steps):
    n = T + steps + 2
    P = np.zeros((n, n))
    P[0, 0] = P[-1, -1] = 1
    for d in range(1, n - 1):
        c = 1 - wrong_chance(d, 1, sigma)
        if d > k:
            c = (1 - wrong_chance(d, k, sigma)) * (1 - wrong_chance(k, 1, sigma))
        P[d, d - 1], P[d, d + 1] = c, 1 - c
    return np.linalg.matrix_power(P, steps)[T, 0]


# %% arrival_chance wrong: a subgoal even where the goal is nearer
def arrival_chance(T, k, sigma, steps):
    n = T + steps + 2
    P = np.zeros((n, n))
    P[0, 0] = P[-1, -1] = 1
    for d in range(1, n - 1):
        h, low = wrong_chance(d, k, sigma), wrong_chance(k, 1, sigma)
        c = (1 - h) * (1 - low) + h * low
        P[d, d - 1], P[d, d + 1] = c, 1 - c
    return np.linalg.matrix_power(P, steps)[T, 0]


# %% arrival_chance wrong: leaves the goal again
def arrival_chance(T, k, sigma, steps):
    n = T + steps + 2
    P = np.zeros((n, n))
    P[0, 1] = P[-1, -1] = 1
    for d in range(1, n - 1):
        c = 1 - wrong_chance(d, 1, sigma)
        if d > k:
            h, low = wrong_chance(d, k, sigma), wrong_chance(k, 1, sigma)
            c = (1 - h) * (1 - low) + h * low
        P[d, d - 1], P[d, d + 1] = c, 1 - c
    return np.linalg.matrix_power(P, steps)[T, 0]


# %% arrival_chance wrong: a wall right behind the start
def arrival_chance(T, k, sigma, steps):
    n = T + 1
    P = np.zeros((n, n))
    P[0, 0] = 1
    for d in range(1, n):
        c = 1 - wrong_chance(d, 1, sigma)
        if d > k:
            h, low = wrong_chance(d, k, sigma), wrong_chance(k, 1, sigma)
            c = (1 - h) * (1 - low) + h * low
        P[d, d - 1] = c
        P[d, min(d + 1, n - 1)] += 1 - c
    return np.linalg.matrix_power(P, steps)[T, 0]


# %% arrival_chance wrong: the low level walks to the far goal
def arrival_chance(T, k, sigma, steps):
    n = T + steps + 2
    P = np.zeros((n, n))
    P[0, 0] = P[-1, -1] = 1
    for d in range(1, n - 1):
        c = 1 - wrong_chance(d, 1, sigma)
        if d > k:
            h, low = wrong_chance(d, k, sigma), wrong_chance(d, 1, sigma)
            c = (1 - h) * (1 - low) + h * low
        P[d, d - 1], P[d, d + 1] = c, 1 - c
    return np.linalg.matrix_power(P, steps)[T, 0]


# %% arrival_chance wrong: certain to arrive if there is time
def arrival_chance(T, k, sigma, steps):
    return float(steps >= T)


# %% twin_loss right: JAX
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        at_goal = state == goal
        q = jnp.where(at_goal, 0.0, -1 + gamma * V_bar[:, next_state, goal])
        A = q.min(0) - V_bar[:, state, goal].mean(0)
        w = jnp.where(A >= 0, kappa, 1 - kappa)
        return jnp.mean(jnp.sum(w * (q - V[:, state, goal]) ** 2, axis=0))

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% twin_loss right: row by row
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    total, gradient, B = 0.0, np.zeros_like(V), len(state)
    for s, x, g in zip(state, next_state, goal, strict=True):
        q = np.zeros(2) if s == g else -1 + gamma * V_bar[:, x, g]
        w = kappa if min(q) - sum(V_bar[:, s, g]) / 2 >= 0 else 1 - kappa
        for i in range(2):
            total += w * (q[i] - V[i, s, g]) ** 2 / B
            gradient[i, s, g] += 2 * w * (V[i, s, g] - q[i]) / B
    return total, gradient


# %% twin_loss wrong: a pair that occurs twice counts once in the gradient
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    m = state != goal
    q = -1.0 * m + gamma * m * V_bar[:, next_state, goal]
    w = np.where(q.min(0) >= V_bar[:, state, goal].mean(0), kappa, 1 - kappa)
    e = q - V[:, state, goal]
    G = np.zeros(V.shape)
    G[:, state, goal] += -2 * w * e / len(state)
    return (w * e**2).sum() / len(state), G


# %% twin_loss wrong: each table's own error chooses its weight
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        q = jnp.where(state == goal, 0.0, -1 + gamma * V_bar[:, next_state, goal])
        e = q - V[:, state, goal]
        return jnp.mean(jnp.sum(jnp.where(e >= 0, kappa, 1 - kappa) * e**2, axis=0))

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% twin_loss wrong: both regress on the smaller target
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        q = jnp.where(state == goal, 0.0, -1 + gamma * V_bar[:, next_state, goal]).min(0)
        w = jnp.where(q - V_bar[:, state, goal].mean(0) >= 0, kappa, 1 - kappa)
        return jnp.mean(jnp.sum(w * (q - V[:, state, goal]) ** 2, axis=0))

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% twin_loss wrong: the mean target chooses the weight
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        q = jnp.where(state == goal, 0.0, -1 + gamma * V_bar[:, next_state, goal])
        w = jnp.where((q - V_bar[:, state, goal]).mean(0) >= 0, kappa, 1 - kappa)
        return jnp.mean(jnp.sum(w * (q - V[:, state, goal]) ** 2, axis=0))

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% twin_loss wrong: the expectile upside down
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        q = jnp.where(state == goal, 0.0, -1 + gamma * V_bar[:, next_state, goal])
        w = jnp.where(q.min(0) - V_bar[:, state, goal].mean(0) >= 0, 1 - kappa, kappa)
        return jnp.mean(jnp.sum(w * (q - V[:, state, goal]) ** 2, axis=0))

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% twin_loss wrong: nothing ends at the goal
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        q = -1.0 * (state != goal) + gamma * V_bar[:, next_state, goal]
        w = jnp.where(q.min(0) - V_bar[:, state, goal].mean(0) >= 0, kappa, 1 - kappa)
        return jnp.mean(jnp.sum(w * (q - V[:, state, goal]) ** 2, axis=0))

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% twin_loss wrong: forgets the discount
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        q = jnp.where(state == goal, 0.0, -1 + V_bar[:, next_state, goal])
        w = jnp.where(q.min(0) - V_bar[:, state, goal].mean(0) >= 0, kappa, 1 - kappa)
        return jnp.mean(jnp.sum(w * (q - V[:, state, goal]) ** 2, axis=0))

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% twin_loss wrong: the learned tables in place of their copies choose the weight
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        q = jnp.where(state == goal, 0.0, -1 + gamma * V_bar[:, next_state, goal])
        w = jnp.where(q.min(0) - V[:, state, goal].mean(0) >= 0, kappa, 1 - kappa)
        return jnp.mean(jnp.sum(w * (q - V[:, state, goal]) ** 2, axis=0))

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% twin_loss wrong: the mean over both tables
def twin_loss(V, V_bar, state, next_state, goal, gamma, kappa):
    def loss(V):
        q = jnp.where(state == goal, 0.0, -1 + gamma * V_bar[:, next_state, goal])
        w = jnp.where(q.min(0) - V_bar[:, state, goal].mean(0) >= 0, kappa, 1 - kappa)
        return jnp.mean(w * (q - V[:, state, goal]) ** 2)

    return jax.value_and_grad(loss)(jnp.asarray(V))


# %% subgoal_rows right: a loop
def subgoal_rows(now, goal, own, last, k):
    low = [min(n + k, e) for n, e in zip(now, last, strict=True)]
    high = [min(x, g) if o else x for x, g, o in zip(low, goal, own, strict=True)]
    return [low, high]


# %% subgoal_rows right: JAX
def subgoal_rows(now, goal, own, last, k):
    low = jnp.where(now + k > last, last, now + k)
    return jnp.array([low, jnp.where(own & (goal < low), goal, low)])


# %% subgoal_rows wrong: crosses into the next trajectory
def subgoal_rows(now, goal, own, last, k):
    low = now + k
    return np.stack([low, np.where(own, np.minimum(low, goal), low)])


# %% subgoal_rows wrong: every goal is a bound
def subgoal_rows(now, goal, own, last, k):
    low = np.minimum(now + k, last)
    return np.stack([low, np.minimum(low, goal)])


# %% subgoal_rows wrong: the low level is clipped at the goal too
def subgoal_rows(now, goal, own, last, k):
    low = np.minimum(now + k, last)
    high = np.where(own, np.minimum(low, goal), low)
    return np.stack([high, high])


# %% subgoal_rows wrong: the high level is never clipped at the goal
def subgoal_rows(now, goal, own, last, k):
    low = np.minimum(now + k, last)
    return np.stack([low, low])


# %% subgoal_rows wrong: any goal that lies ahead is a bound
def subgoal_rows(now, goal, own, last, k):
    low = np.minimum(now + k, last)
    return np.stack([low, np.where((goal >= now) & (goal <= last), np.minimum(low, goal), low)])


# %% subgoal_rows wrong: one step short of the end
def subgoal_rows(now, goal, own, last, k):
    low = np.minimum(now + k, last - 1)
    return np.stack([low, np.where(own, np.minimum(low, goal), low)])


# %% subgoal_rows wrong: overwrites the rows it was given
def subgoal_rows(now, goal, own, last, k):
    now += k
    low = np.minimum(now, last)
    return np.stack([low, np.where(own, np.minimum(low, goal), low)])


# %% both_levels right: pair by pair
def both_levels(n_high, n_low, V, next_state, beta, cap):
    S, A = next_state.shape

    def weight(x):
        return cap if beta * x > np.log(cap) else np.exp(beta * x)

    pi = np.full((S, S, A), 1 / A)
    for s in range(S):
        low = np.full((S, A), 1 / A)
        for w in range(S):
            row = [n_low[s, a, w] * weight(V[next_state[s, a], w] - V[s, w]) for a in range(A)]
            if np.any(n_low[s, :, w] > 0):
                low[w] = np.array(row) / np.sum(row)
        for g in range(S):
            if n_high[s, :, g].any():
                h = np.array([n_high[s, w, g] * weight(V[w, g] - V[s, g]) for w in range(S)])
                pi[s, g] = h / h.sum() @ low
    return pi


# %% both_levels right: JAX
def both_levels(n_high, n_low, V, next_state, beta, cap):
    A = next_state.shape[1]
    V = jnp.asarray(V)
    cut = lambda x: jnp.exp(jnp.minimum(x, jnp.log(cap)))  # noqa: E731
    low = n_low * cut(beta * (V[next_state] - V[:, None]))
    t = low.sum(1, keepdims=True)
    low = jnp.where(t > 0, low / jnp.where(t > 0, t, 1.0), 1 / A)
    high = n_high * cut(beta * (V[None] - V[:, None]))
    pi = jnp.einsum("swg,saw->sga", high, low)
    t = pi.sum(2, keepdims=True)
    return jnp.where(t > 0, pi / jnp.where(t > 0, t, 1.0), 1 / A)


# %% both_levels wrong: the low level is told the far goal
def both_levels(n_high, n_low, V, next_state, beta, cap):
    A = next_state.shape[1]
    low = n_low * np.exp(np.minimum(beta * (V[next_state] - V[:, None]), np.log(cap)))
    t = low.sum(1, keepdims=True)
    low = np.where(t > 0, low / np.where(t > 0, t, 1), 1 / A)
    return np.swapaxes(low, 1, 2)


# %% both_levels wrong: no values, only cloning
def both_levels(n_high, n_low, V, next_state, beta, cap):
    A = next_state.shape[1]
    t = n_low.sum(1, keepdims=True)
    low = np.where(t > 0, n_low / np.where(t > 0, t, 1), 1 / A)
    pi = np.einsum("swg,saw->sga", n_high, low)
    t = pi.sum(2, keepdims=True)
    return np.where(t > 0, pi / np.where(t > 0, t, 1), 1 / A)


# %% both_levels wrong: no cap
def both_levels(n_high, n_low, V, next_state, beta, cap):
    A = next_state.shape[1]
    low = n_low * np.exp(np.minimum(beta * (V[next_state] - V[:, None]), 500))
    t = low.sum(1, keepdims=True)
    low = np.where(t > 0, low / np.where(t > 0, t, 1), 1 / A)
    high = n_high * np.exp(np.minimum(beta * (V[None] - V[:, None]), 500))
    pi = np.einsum("swg,saw->sga", high, low)
    t = pi.sum(2, keepdims=True)
    return np.where(t > 0, pi / np.where(t > 0, t, 1), 1 / A)


# %% both_levels wrong: the low level is not normalised
def both_levels(n_high, n_low, V, next_state, beta, cap):
    A = next_state.shape[1]
    low = n_low * np.exp(np.minimum(beta * (V[next_state] - V[:, None]), np.log(cap)))
    high = n_high * np.exp(np.minimum(beta * (V[None] - V[:, None]), np.log(cap)))
    pi = np.einsum("swg,saw->sga", high, low)
    t = pi.sum(2, keepdims=True)
    return np.where(t > 0, pi / np.where(t > 0, t, 1), 1 / A)


# %% both_levels wrong: the temperature divides
def both_levels(n_high, n_low, V, next_state, beta, cap):
    A, b = next_state.shape[1], 1 / beta if beta else 0.0
    low = n_low * np.exp(np.minimum(b * (V[next_state] - V[:, None]), np.log(cap)))
    t = low.sum(1, keepdims=True)
    low = np.where(t > 0, low / np.where(t > 0, t, 1), 1 / A)
    high = n_high * np.exp(np.minimum(b * (V[None] - V[:, None]), np.log(cap)))
    pi = np.einsum("swg,saw->sga", high, low)
    t = pi.sum(2, keepdims=True)
    return np.where(t > 0, pi / np.where(t > 0, t, 1), 1 / A)


# %% both_levels wrong: the likeliest subgoal alone
def both_levels(n_high, n_low, V, next_state, beta, cap):
    S, A = next_state.shape
    low = n_low * np.exp(np.minimum(beta * (V[next_state] - V[:, None]), np.log(cap)))
    t = low.sum(1, keepdims=True)
    low = np.where(t > 0, low / np.where(t > 0, t, 1), 1 / A)
    high = n_high * np.exp(np.minimum(beta * (V[None] - V[:, None]), np.log(cap)))
    pi = np.swapaxes(low, 1, 2)[np.arange(S)[:, None], high.argmax(1)]
    return np.where(high.sum(1)[:, :, None] > 0, pi, 1 / A)


# %% both_levels wrong: values read from goal to state
def both_levels(n_high, n_low, V, next_state, beta, cap):
    V, A = V.T, next_state.shape[1]
    low = n_low * np.exp(np.minimum(beta * (V[next_state] - V[:, None]), np.log(cap)))
    t = low.sum(1, keepdims=True)
    low = np.where(t > 0, low / np.where(t > 0, t, 1), 1 / A)
    high = n_high * np.exp(np.minimum(beta * (V[None] - V[:, None]), np.log(cap)))
    pi = np.einsum("swg,saw->sga", high, low)
    t = pi.sum(2, keepdims=True)
    return np.where(t > 0, pi / np.where(t > 0, t, 1), 1 / A)


# %% both_levels wrong: uniform everywhere
def both_levels(n_high, n_low, V, next_state, beta, cap):
    S, A = next_state.shape
    return np.full((S, S, A), 1 / A)


# %% both_levels wrong: normalises the counts in place
def both_levels(n_high, n_low, V, next_state, beta, cap):
    A = next_state.shape[1]
    n_low *= np.exp(np.minimum(beta * (V[next_state] - V[:, None]), np.log(cap)))
    t = n_low.sum(1, keepdims=True)
    low = np.where(t > 0, n_low / np.where(t > 0, t, 1), 1 / A)
    high = n_high * np.exp(np.minimum(beta * (V[None] - V[:, None]), np.log(cap)))
    pi = np.einsum("swg,saw->sga", high, low)
    t = pi.sum(2, keepdims=True)
    return np.where(t > 0, pi / np.where(t > 0, t, 1), 1 / A)
