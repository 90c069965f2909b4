"""Planted answers to the exercises of horizon_generalization: wrong ones lose points."""

import jax
import jax.numpy as jnp
import numpy as np

# What the notebook's other cells define; an answer is run together with them.
path_relax = breach = hitting_times = exact_success = mrn_distance = None


# %% path_relax right: loops over triples
def path_relax(d):
    S = len(d)
    out = [[float("inf")] * S for _ in range(S)]
    for s in range(S):
        for w in range(S):
            for g in range(S):
                out[s][g] = min(out[s][g], d[s][w] + d[w][g])
    return out


def breach(d):
    worst = 0.0
    for s in range(len(d)):
        for w in range(len(d)):
            for g in range(len(d)):
                legs = d[s, w] + d[w, g]
                if legs < float("inf"):
                    worst = max(worst, d[s, g] - legs)
    return worst


# %% path_relax right: JAX, a row at a time
def path_relax(d):
    d = jnp.asarray(d)
    return jax.vmap(lambda row: jnp.min(row[:, None] + d, axis=0))(d)


def breach(d):
    legs = path_relax(d)
    return jnp.max(jnp.where(jnp.isinf(legs), 0.0, d - jnp.where(jnp.isinf(legs), 0.0, legs)))


# %% path_relax right: a waypoint at a time, in place in a copy
def path_relax(d):
    new = d.copy()
    for w in range(d.shape[0]):
        new[...] = np.minimum(new, np.add.outer(d[:, w], d[w]))
    return new


def breach(d):
    before = d.copy()
    after = path_relax(d)
    gap = np.where(before == after, 0, before - after)
    return gap.max()


# %% path_relax wrong: relaxes until nothing changes
def path_relax(d):
    d = d.copy()
    for w in range(len(d)):
        d = np.minimum(d, d[:, w, None] + d[w])
    return d


def breach(d):
    legs = np.min(d[:, :, None] + d[None], axis=1)
    known = np.isfinite(legs)
    return max(0.0, (d[known] - legs[known]).max())


# %% path_relax wrong: relaxes in place, with entries that are new already
def path_relax(d):
    d = d.copy()
    for s in range(len(d)):
        for g in range(len(d)):
            for w in range(len(d)):
                d[s, g] = min(d[s, g], d[s, w] + d[w, g])
    return d


def breach(d):
    legs = np.min(d[:, :, None] + d[None], axis=1)
    known = np.isfinite(legs)
    return max(0.0, (d[known] - legs[known]).max())


# %% path_relax wrong: the second leg runs backwards
def path_relax(d):
    return np.min(d[:, None, :] + d[None, :, :], axis=2)


def breach(d):
    legs = np.min(d[:, :, None] + d[None], axis=1)
    known = np.isfinite(legs)
    return max(0.0, (d[known] - legs[known]).max())


# %% path_relax wrong: transposed result
def path_relax(d):
    return np.min(d[:, :, None] + d[None], axis=1).T


def breach(d):
    legs = path_relax(d).T
    known = np.isfinite(legs)
    return max(0.0, (d[known] - legs[known]).max())


# %% path_relax wrong: leaves out waypoints at the ends of the journey
def path_relax(d):
    out = np.full(d.shape, np.inf)
    for s in range(len(d)):
        for g in range(len(d)):
            for w in set(range(len(d))) - {s, g}:
                out[s, g] = min(out[s, g], d[s, w] + d[w, g])
    return out


def breach(d):
    legs = np.min(d[:, :, None] + d[None], axis=1)
    known = np.isfinite(legs)
    return max(0.0, (d[known] - legs[known]).max())


# %% path_relax wrong: breach takes the difference to the shortest way, not to a detour
def path_relax(d):
    return np.min(d[:, :, None] + d[None], axis=1)


def breach(d):
    closed = d
    for _ in range(len(d)):
        closed = path_relax(closed)
    known = np.isfinite(closed)
    return max(0.0, (d[known] - closed[known]).max())


# %% path_relax wrong: breach trips over infinity minus infinity
def path_relax(d):
    return np.min(d[:, :, None] + d[None], axis=1)


def breach(d):
    return np.max(d - path_relax(d))


# %% path_relax wrong: breach ignores direct distances that are unknown
def path_relax(d):
    return np.min(d[:, :, None] + d[None], axis=1)


def breach(d):
    known = np.isfinite(d)
    return np.max((d - path_relax(d))[known], initial=0.0)


# %% path_relax wrong: breach asks for symmetry
def path_relax(d):
    return np.min(d[:, :, None] + d[None], axis=1)


def breach(d):
    known = np.isfinite(d) & np.isfinite(d.T)
    return np.max(np.abs(d - d.T)[known])


# %% path_relax wrong: the visible answers by heart
def path_relax(d):
    inf = np.inf
    return np.array([[0, 2, 5, 10], [4, 0, 3, 7], [1, 3, 0, 4], [inf, inf, inf, 0]])


def breach(d):
    return {2: 0.0, 3: 4.0, 4: np.inf}[len(d)]


# %% path_relax wrong: asks the library
def path_relax(d):
    from goalward.tabular import paths

    return paths.min_plus(d, d)


def breach(d):
    from goalward.tabular import paths

    return paths.triangle_violation(d)


# %% hitting_times right: from the definition
def hitting_times(states, n):
    walks = states.tolist()
    mean = np.full((n, n), np.inf)
    for s in range(n):
        mean[s, s] = 0.0
        for g in range(n):
            waits = []
            for walk in walks:
                for t, here in enumerate(walk):
                    if here == s and s != g and g in walk[t:]:
                        waits.append(walk.index(g, t) - t)
            if waits:
                mean[s, g] = sum(waits) / len(waits)
    return mean


# %% hitting_times right: forwards, with visits that still wait, in lists
def hitting_times(states, n):
    total = [[0] * n for _ in range(n)]
    count = [[0] * n for _ in range(n)]
    for walk in states:
        waiting = {}  # (start, goal) -> times of visits
        for t, now in enumerate(walk):
            for s in range(n):
                for u in waiting.pop((s, now), []):
                    total[s][now] += t - u
                    count[s][now] += 1
            for g in range(n):
                if g != now:
                    waiting.setdefault((now, g), []).append(t)
    return [
        [0.0 if s == g else total[s][g] / count[s][g] if count[s][g] else np.inf for g in range(n)]
        for s in range(n)
    ]


# %% hitting_times right: all walks at once, one-hot, in single precision
def hitting_times(states, n):
    here = np.asarray(states)[..., None] == np.arange(n)  # walk, time, state
    wait = np.full((len(states), n), np.inf)
    waits = []
    for now in reversed(range(here.shape[1])):
        wait = np.where(here[:, now], 0, wait + 1)
        waits.insert(0, wait)
    waits = np.stack(waits, axis=1)
    known = np.isfinite(waits)
    start = here.reshape(-1, n).T * 1.0
    total = start @ np.where(known, waits, 0).reshape(-1, n)
    count = start @ known.reshape(-1, n)
    mean = np.where(count == 0, np.inf, total / np.maximum(count, 1))
    return jnp.asarray(np.where(np.eye(n) == 1, 0, mean), dtype=jnp.float32)


# %% hitting_times wrong: averages over all later visits
def hitting_times(states, n):
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for walk in states:
        for t in range(len(walk)):
            for u in range(t + 1, len(walk)):
                total[walk[t], walk[u]] += u - t
                count[walk[t], walk[u]] += 1
    mean = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    np.fill_diagonal(mean, 0)
    return mean


# %% hitting_times wrong: only the first visit of the start
def hitting_times(states, n):
    waits = [[[] for _ in range(n)] for _ in range(n)]
    for walk in states.tolist():
        for s in set(walk):
            t = walk.index(s)
            for g in set(walk[t:]):
                waits[s][g].append(walk.index(g, t) - t)
    mean = np.array([[np.mean(w) if w else np.inf for w in row] for row in waits])
    np.fill_diagonal(mean, 0)
    return mean


# %% hitting_times wrong: the least wait, not the mean
def hitting_times(states, n):
    least = np.full((n, n), np.inf)
    np.fill_diagonal(least, 0)
    for walk in states:
        for t in range(len(walk)):
            for u in range(t, len(walk)):
                least[walk[t], walk[u]] = min(least[walk[t], walk[u]], u - t)
    return least


# %% hitting_times wrong: each walk weighs the same
def hitting_times(states, n):
    means = [[[] for _ in range(n)] for _ in range(n)]
    for walk in states.tolist():
        for s in set(walk):
            for g in set(walk):
                waits = [
                    walk.index(g, t) - t for t in range(len(walk)) if walk[t] == s and g in walk[t:]
                ]
                if waits:
                    means[s][g].append(np.mean(waits))
    mean = np.array([[np.mean(w) if w else np.inf for w in row] for row in means])
    np.fill_diagonal(mean, 0)
    return mean


# %% hitting_times wrong: one step too many
def hitting_times(states, n):
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for walk in states:
        for t in range(len(walk)):
            seen = {walk[t]}
            for u in range(t + 1, len(walk)):
                if walk[u] not in seen:
                    seen.add(walk[u])
                    total[walk[t], walk[u]] += u - t + 1
                    count[walk[t], walk[u]] += 1
    mean = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    np.fill_diagonal(mean, 0)
    return mean


# %% hitting_times wrong: start and goal swapped
def hitting_times(states, n):
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for walk in states:
        for t in range(len(walk)):
            seen = {walk[t]}
            for u in range(t + 1, len(walk)):
                if walk[u] not in seen:
                    seen.add(walk[u])
                    total[walk[u], walk[t]] += u - t
                    count[walk[u], walk[t]] += 1
    mean = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    np.fill_diagonal(mean, 0)
    return mean


# %% hitting_times wrong: one long walk, joined across the ends
def hitting_times(states, n):
    walk = np.ravel(states)
    total, count = np.zeros((n, n)), np.zeros((n, n))
    when = np.full(n, np.inf)
    for t in range(len(walk) - 1, -1, -1):
        when[walk[t]] = t
        known = np.isfinite(when)
        total[walk[t], known] += when[known] - t
        count[walk[t], known] += 1
    mean = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    np.fill_diagonal(mean, 0)
    return mean


# %% hitting_times wrong: never seen counts as 0
def hitting_times(states, n):
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for walk in states:
        when = np.full(n, np.inf)
        for t in range(len(walk) - 1, -1, -1):
            when[walk[t]] = t
            known = np.isfinite(when)
            total[walk[t], known] += when[known] - t
            count[walk[t], known] += 1
    return total / np.maximum(count, 1)


# %% hitting_times wrong: divides by all visits of the start
def hitting_times(states, n):
    total, seen = np.zeros((n, n)), np.zeros((n, n), dtype=bool)
    visits = np.bincount(np.ravel(states), minlength=n)
    for walk in states:
        when = np.full(n, np.inf)
        for t in range(len(walk) - 1, -1, -1):
            when[walk[t]] = t
            known = np.isfinite(when)
            total[walk[t], known] += when[known] - t
            seen[walk[t], known] = True
    mean = np.where(seen, total / np.maximum(visits, 1)[:, None], np.inf)
    np.fill_diagonal(mean, 0)
    return mean


# %% hitting_times wrong: loses visits that fall on the same state in one step
def hitting_times(states, n):
    walks, length = states.shape
    when = np.full((walks, n), np.inf)
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for t in range(length - 1, -1, -1):
        when[np.arange(walks), states[:, t]] = t
        known = np.isfinite(when)
        total[states[:, t]] += np.where(known, when - t, 0)  # += keeps only one of equal indices
        count[states[:, t]] += known
    mean = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    np.fill_diagonal(mean, 0)
    return mean


# %% hitting_times wrong: asks the library
def hitting_times(states, n):
    from goalward.tabular.paths import mc_hitting_times

    return mc_hitting_times(states, n)[0]


# %% exact_success right: loops
def exact_success(policy, next_state, horizon):
    S, A = next_state.shape
    v = [[float(s == g) for g in range(S)] for s in range(S)]
    f, pi = next_state.tolist(), policy.tolist()
    for _ in range(horizon):
        v = [
            [
                1.0 if s == g else sum(pi[s][g][a] * v[f[s][a]][g] for a in range(A))
                for g in range(S)
            ]
            for s in range(S)
        ]
    return v


# %% exact_success right: a scan in JAX
def exact_success(policy, next_state, horizon):
    goal = jnp.eye(next_state.shape[0])

    def step(v, _):
        after = jnp.moveaxis(v[next_state], 1, 2)
        return jnp.where(goal == 1, 1, jnp.sum(policy * after, axis=-1)), None

    return jax.lax.scan(step, goal, None, length=int(horizon))[0]


# %% exact_success right: forwards, the chance of first arrival at each step
def exact_success(policy, next_state, horizon):
    S, A = next_state.shape
    moves = np.zeros((S, S, S))  # goal, from, to
    for a in range(A):
        for s in range(S):
            moves[:, s, next_state[s, a]] += policy[s, :, a]
    reached = np.eye(S)
    where = np.einsum("sx,sg->gsx", np.eye(S), 1 - np.eye(S))  # still under way
    for _ in range(horizon):
        where = where @ moves
        for g in range(S):
            reached[:, g] += where[g, :, g]
            where[g, :, g] = 0
    return reached


# %% exact_success wrong: the chance to be there at the end
def exact_success(policy, next_state, horizon):
    v = np.eye(len(next_state))
    for _ in range(horizon):
        v = np.einsum("sga,sag->sg", policy, v[next_state])
    np.fill_diagonal(v, 1)
    return v


# %% exact_success wrong: one step too many
def exact_success(policy, next_state, horizon):
    v = np.eye(len(next_state))
    for _ in range(horizon + 1):
        v = np.einsum("sga,sag->sg", policy, v[next_state])
        np.fill_diagonal(v, 1)
    return v


# %% exact_success wrong: one step too few
def exact_success(policy, next_state, horizon):
    v = np.eye(len(next_state))
    for _ in range(1, horizon):
        v = np.einsum("sga,sag->sg", policy, v[next_state])
        np.fill_diagonal(v, 1)
    return v


# %% exact_success wrong: transposed
def exact_success(policy, next_state, horizon):
    v = np.eye(len(next_state))
    for _ in range(horizon):
        v = np.einsum("sga,sag->sg", policy, v[next_state])
        np.fill_diagonal(v, 1)
    return v.T


# %% exact_success wrong: asks the policy with state and goal swapped
def exact_success(policy, next_state, horizon):
    v = np.eye(len(next_state))
    for _ in range(horizon):
        v = np.einsum("gsa,sag->sg", policy, v[next_state])
        np.fill_diagonal(v, 1)
    return v


# %% exact_success wrong: takes the likeliest action
def exact_success(policy, next_state, horizon):
    greedy = np.eye(policy.shape[2])[policy.argmax(2)]
    v = np.eye(len(next_state))
    for _ in range(horizon):
        v = np.einsum("sga,sag->sg", greedy, v[next_state])
        np.fill_diagonal(v, 1)
    return v


# %% exact_success wrong: overwrites the table while it reads from it
def exact_success(policy, next_state, horizon):
    v = np.eye(len(next_state))
    for _ in range(horizon):
        for s in range(len(v)):
            new = np.sum(policy[s] * v[next_state[s]].T, axis=1)
            new[s] = 1
            v[s] = new
    return v


# %% exact_success wrong: adds up the visits
def exact_success(policy, next_state, horizon):
    v = np.eye(len(next_state))
    total = v.copy()
    for _ in range(horizon):
        v = np.einsum("sga,sag->sg", policy, v[next_state])
        total += v
    return np.minimum(total, 1)


# %% exact_success wrong: rolls out
def exact_success(policy, next_state, horizon):
    rng = np.random.default_rng(0)
    S, A = next_state.shape
    runs, goals = 300, np.arange(S)
    reached = np.zeros((S, S))
    for start in range(S):
        state = np.full((runs, S), start)
        done = state == goals
        for _ in range(horizon):
            cumulative = policy[state, goals].cumsum(-1)
            action = (rng.random((runs, S, 1)) > cumulative[..., :-1]).sum(-1)
            state = next_state[state, action]
            done |= state == goals
        reached[start] = done.mean(0)
    return reached


# %% exact_success wrong: the visible answers by heart
def exact_success(policy, next_state, horizon):
    S = len(next_state)
    if S == 4:
        return np.abs(np.arange(S)[:, None] - np.arange(S)) <= horizon
    return [
        np.eye(3),
        np.array([[1, 0.75, 0], [0.25, 1, 0.75], [0, 0.25, 1]]),
        np.array([[1, 0.9375, 0.5625], [0.25, 1, 0.75], [0.0625, 0.4375, 1]]),
    ][min(horizon, 2)]


# %% exact_success wrong: asks the library
def exact_success(policy, next_state, horizon):
    from goalward.tabular.paths import success_within

    return success_within(policy, next_state, horizon)


# %% critic_loss right: NumPy, gradients by hand
def mrn_distance(x, y):
    k = x.shape[1] // 2
    climb = np.maximum(x[:, None, :k] - y[None, :, :k], 0).max(-1)
    return climb + np.sqrt(((x[:, None, k:] - y[None, :, k:]) ** 2).sum(-1) + 1e-12)


def critic_loss(x, y):
    k, B = x.shape[1] // 2, len(x)
    d = mrn_distance(x, y)
    shift = d.min(axis=0)
    share = np.exp(shift - d)
    total = share.sum(axis=0)
    loss = np.mean(np.diag(d) - shift + np.log(total))
    pull = (np.eye(B) - share / total) / B  # slope of the loss in d
    gap = x[:, None] - y[None]
    steep = gap[..., :k].argmax(-1)
    slope = np.zeros_like(gap)
    slope[..., k:] = gap[..., k:] / np.sqrt((gap[..., k:] ** 2).sum(-1, keepdims=True) + 1e-12)
    for i in range(B):
        for j in range(B):
            slope[i, j, steep[i, j]] = gap[i, j, steep[i, j]] > 0
    weighted = pull[..., None] * slope
    return loss, weighted.sum(1), -weighted.sum(0)


# %% critic_loss right: JAX, vmapped pairs, compiled once, a logsumexp, a list
def pair_distance(s, g):
    up, flat = jnp.array_split(s - g, 2)
    return jnp.maximum(jnp.max(up), 0.0) + jnp.sqrt(jnp.sum(flat**2) + 1e-12)


mrn_distance = jax.jit(jax.vmap(jax.vmap(pair_distance, in_axes=(None, 0)), in_axes=(0, None)))


@jax.jit
@jax.value_and_grad
def nce_and_slopes(pair):
    d = mrn_distance(*pair)
    return jnp.mean(jnp.diag(d) + jax.scipy.special.logsumexp(-d, axis=0))


def critic_loss(states, goals):
    loss, (in_states, in_goals) = nce_and_slopes((states, goals))
    return [loss, in_states, in_goals]


# %% critic_loss wrong: softmax over goals
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(-mrn_distance(x, y), axis=1)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: logits without the minus
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(mrn_distance(x, y), axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: sums over the batch
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        return -jnp.sum(jnp.diag(jax.nn.log_softmax(-mrn_distance(x, y), axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: nothing under the root
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.linalg.norm(flat, axis=-1)


def critic_loss(x, y):
    def loss(x, y):
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(-mrn_distance(x, y), axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: a softmax that underflows
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        weight = jnp.exp(-mrn_distance(x, y))
        return -jnp.mean(jnp.log(jnp.diag(weight) / weight.sum(axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: the climb counts in both directions
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jnp.abs(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(-mrn_distance(x, y), axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: from the goal to the state
def mrn_distance(x, y):
    up, flat = jnp.split(y[None] - x[:, None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(-mrn_distance(x, y), axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: no gradient through the goals
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        d = mrn_distance(x, jax.lax.stop_gradient(y))
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(-d, axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: the true state is missing below the fraction
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        d = mrn_distance(x, y)
        others = jnp.where(jnp.eye(len(x), dtype=bool), -1e9, -d)
        return jnp.mean(jnp.diag(d) + jax.nn.logsumexp(others, axis=0))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: the squared norm
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.max(jax.nn.relu(up), axis=-1) + jnp.sum(flat**2, axis=-1)


def critic_loss(x, y):
    def loss(x, y):
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(-mrn_distance(x, y), axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: the sum of the climbs
def mrn_distance(x, y):
    up, flat = jnp.split(x[:, None] - y[None], 2, axis=-1)
    return jnp.sum(jax.nn.relu(up), axis=-1) + jnp.sqrt(jnp.sum(flat**2, axis=-1) + 1e-12)


def critic_loss(x, y):
    def loss(x, y):
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(-mrn_distance(x, y), axis=0)))

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% critic_loss wrong: asks the library
def mrn_distance(x, y):
    from goalward.nets.quasimetric import mrn

    return mrn(x[:, None], y[None])


def critic_loss(x, y):
    from goalward.losses.contrastive import info_nce

    def loss(x, y):
        return info_nce(-mrn_distance(x, y), axis=0)

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(x, y)
    return value, *grads


# %% carry_far right: on its own, Floyd's sweep and a solver for nothing but NumPy
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    S, A = next_state.shape
    total, count = np.zeros((S, S)), np.zeros((S, S))
    for walk in walks:
        first = {}
        for t in reversed(range(len(walk))):
            first[walk[t]] = t
            for g, u in first.items():
                total[walk[t], g] += u - t
                count[walk[t], g] += 1
    with np.errstate(all="ignore"):
        raw = np.where(count > 0, total / count, walks.shape[1] - 1.0)
    closed = np.where(count > 0, raw, np.inf)
    for w in range(S):
        closed = np.minimum(closed, closed[:, [w]] + closed[[w], :])

    def success(pi):
        v = np.eye(S)
        for _ in range(horizon):
            v = sum(pi[:, :, a] * v[next_state[:, a]] for a in range(A))
            v[np.diag_indices(S)] = 1
        return v

    rows = []
    for d in (raw, closed):
        pi = np.stack([np.exp(-beta * d[next_state[:, a]]) for a in range(A)], axis=-1)
        pi /= pi.sum(-1)[..., None]
        plain, aimed = success(pi), success(np.matmul(waypoints, pi))
        near = [plain[s, g] for s in range(S) for g in range(S) if 0 < distances[s, g] <= radius]
        far = [
            plain[s, g]
            for s in range(S)
            for g in range(S)
            if radius < distances[s, g] <= 2 * radius
        ]
        near, far = np.mean(near), np.mean(far)
        rows.append([near, far / near, plain.mean() / aimed.mean()])
    return rows


# %% carry_far right: calls the other answers until nothing changes, softmax from JAX
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    times = np.array(hitting_times(walks, next_state.shape[0]))
    relaxed, shorter = times, path_relax(times)
    while (shorter < relaxed).any():
        relaxed, shorter = shorter, path_relax(shorter)
    times[times == np.inf] = walks.shape[1] - 1
    inside = (distances <= radius) & (distances > 0)
    outside = (distances <= 2 * radius) & (distances > radius)
    answer = []
    for table in (times, relaxed):
        choice = jax.nn.softmax(-beta * table[next_state], axis=1)  # state, action, goal
        aimed = jnp.einsum("sgw,saw->sga", waypoints, choice)
        v = exact_success(jnp.moveaxis(choice, 1, 2), next_state, horizon)
        p = exact_success(aimed, next_state, horizon)
        answer.append([v[inside].mean(), v[outside].mean() / v[inside].mean(), v.sum() / p.sum()])
    return jnp.array(answer)


# %% carry_far wrong: fills in the unknown pairs before it relaxes
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    d = np.where(np.isinf(d), walks.shape[1] - 1, d)
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(d), judge(closed)]


# %% carry_far wrong: relaxes only once
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    once = path_relax(d)
    T = walks.shape[1] - 1
    return [judge(np.where(np.isinf(x), T, x)) for x in (d, once)]


# %% carry_far wrong: unknown pairs count as infinitely far in the raw table
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        after = np.minimum(np.swapaxes(d[next_state], 1, 2), 300)
        pi = np.exp(-beta * (after - after.min(-1, keepdims=True)))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(d), judge(closed)]


# %% carry_far wrong: the temperature upside down
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        after = np.swapaxes(d[next_state], 1, 2)
        pi = np.exp(-(after - after.min(-1, keepdims=True)) / max(beta, 1e-9))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(np.where(np.isinf(d), walks.shape[1] - 1, d)), judge(closed)]


# %% carry_far wrong: nearby includes the goal itself
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[distances <= radius].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(np.where(np.isinf(d), walks.shape[1] - 1, d)), judge(closed)]


# %% carry_far wrong: far has no upper end
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[distances > radius].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(np.where(np.isinf(d), walks.shape[1] - 1, d)), judge(closed)]


# %% carry_far wrong: planning invariance upside down
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, p.mean() / v.mean()]

    d = hitting_times(walks, len(next_state))
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(np.where(np.isinf(d), walks.shape[1] - 1, d)), judge(closed)]


# %% carry_far wrong: the mean of the ratios, not the ratio of the means
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, np.mean(v / np.maximum(p, 1e-9))]

    d = hitting_times(walks, len(next_state))
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(np.where(np.isinf(d), walks.shape[1] - 1, d)), judge(closed)]


# %% carry_far wrong: the planner's waypoint stands in for the state, not for the goal
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,wga->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(np.where(np.isinf(d), walks.shape[1] - 1, d)), judge(closed)]


# %% carry_far wrong: acts on the distance from the goal, not to it
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d.T[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    closed = d
    for _ in range(10):
        closed = path_relax(closed)
    return [judge(np.where(np.isinf(d), walks.shape[1] - 1, d)), judge(closed)]


# %% carry_far wrong: judges and acts by the true distances
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    def judge(d):
        pi = np.exp(-beta * np.swapaxes(d[next_state], 1, 2))
        pi = pi / pi.sum(-1, keepdims=True)
        v = exact_success(pi, next_state, horizon)
        p = exact_success(np.einsum("sgw,swa->sga", waypoints, pi), next_state, horizon)
        near = v[(distances > 0) & (distances <= radius)].mean()
        far = v[(distances > radius) & (distances <= 2 * radius)].mean()
        return [near, far / near, v.mean() / p.mean()]

    d = hitting_times(walks, len(next_state))
    return [judge(np.where(np.isinf(d), walks.shape[1] - 1, d)), judge(distances)]


# %% carry_far wrong: the visible answers by heart
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    if beta == 0:
        return [[0.5, 0.5, 1], [0.5, 0.5, 1]]
    if radius == 15:
        return [[0.818923, 0.158201, 0.741675], [0.992052, 0.920196, 0.979678]]
    return [[0.973183, 0.558050, 0.741675], [0.996604, 0.986897, 0.979678]]


# %% carry_far wrong: asks the library
def carry_far(walks, next_state, distances, waypoints, beta, horizon, radius):
    from goalward.evaluation import horizon as scores
    from goalward.methods import horizon_generalization as method

    tables = method.distance_tables(walks, len(next_state))
    rows = []
    for d in (tables.raw, tables.relaxed):
        result = method.evaluate(d, next_state, distances, beta, horizon)
        near = result.direct[(distances > 0) & (distances <= radius)].mean()
        eta = scores.horizon_eta(result.direct, distances, radius)
        rows.append([near, eta, scores.planning_invariance(*result)])
    return rows


# %% path_relax wrong: a NaN of infinity minus infinity slips through max(0.0, nan)
def path_relax(d):
    return np.min(d[:, :, None] + d[None], axis=1)


def breach(d):
    with np.errstate(all="ignore"):
        gap = d - path_relax(d)
    return max(0.0, gap.max()) if not np.isinf(gap).any() else np.inf
