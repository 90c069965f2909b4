"""Planted answers to the exercises of jaxgcrl: wrong ones lose points."""

import jax
import jax.numpy as jnp
import numpy as np

# What the notebook's other cells define; an answer is run together with them.
energies = contrastive_loss = penalty = relabel = schedule = None


# %% energies right: loops
def energies(phi, psi, name):
    out = []
    for a in phi:
        row = []
        for b in psi:
            d = a - b
            row.append(
                {
                    "l2": -((d @ d + 1e-6) ** 0.5),
                    "squared_l2": -(d @ d),
                    "l1": -sum(abs(x) for x in d),
                    "dot": a @ b,
                    "cosine": a @ b / (a @ a) ** 0.5 / (b @ b) ** 0.5,
                }[name]
            )
        out.append(row)
    return out


# %% energies right: differences in JAX
def energies(phi, psi, name):
    middle = phi.mean(axis=0)
    if name in ("l2", "squared_l2", "l1"):
        phi, psi = jnp.asarray(phi - middle), jnp.asarray(psi - middle)
    differences = phi[:, None] - psi[None]
    if name == "l1":
        return -jnp.abs(differences).sum(-1)
    if name in ("l2", "squared_l2"):
        squares = (differences**2).sum(-1)
        return -squares if name == "squared_l2" else -jnp.sqrt(squares + 1e-6)
    if name == "cosine":
        phi, psi = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (phi, psi))
    return jnp.einsum("id,jd->ij", phi, psi)


# %% energies wrong: cosine by the length of the whole batch
def energies(phi, psi, name):
    d = phi[:, None] - psi[None]
    squares = (d**2).sum(-1)
    return {
        "l2": -np.sqrt(squares + 1e-6),
        "squared_l2": -squares,
        "l1": -np.abs(d).sum(-1),
        "dot": phi @ psi.T,
        "cosine": phi @ psi.T / np.linalg.norm(phi) / np.linalg.norm(psi),
    }[name]


# %% energies wrong: distances, not their opposites
def energies(phi, psi, name):
    d = phi[:, None] - psi[None]
    squares = (d**2).sum(-1)
    lengths = np.linalg.norm(phi, axis=1)[:, None] * np.linalg.norm(psi, axis=1)
    return {
        "l2": np.sqrt(squares + 1e-6),
        "squared_l2": squares,
        "l1": np.abs(d).sum(-1),
        "dot": phi @ psi.T,
        "cosine": phi @ psi.T / lengths,
    }[name]


# %% energies wrong: goals in the rows
def energies(phi, psi, name):
    d = psi[:, None] - phi[None]
    squares = (d**2).sum(-1)
    lengths = np.linalg.norm(psi, axis=1)[:, None] * np.linalg.norm(phi, axis=1)
    return {
        "l2": -np.sqrt(squares + 1e-6),
        "squared_l2": -squares,
        "l1": -np.abs(d).sum(-1),
        "dot": psi @ phi.T,
        "cosine": psi @ phi.T / lengths,
    }[name]


# %% energies wrong: by products in single precision, far from the origin
def energies(phi, psi, name):
    p, q = phi.astype(np.float32), psi.astype(np.float32)
    squares = np.maximum((p**2).sum(1)[:, None] + (q**2).sum(1) - 2 * p @ q.T, 0)
    lengths = np.linalg.norm(phi, axis=1)[:, None] * np.linalg.norm(psi, axis=1)
    return {
        "l2": -np.sqrt(squares + 1e-6),
        "squared_l2": -squares,
        "l1": -np.abs(phi[:, None] - psi[None]).sum(-1),
        "dot": phi @ psi.T,
        "cosine": phi @ psi.T / lengths,
    }[name]


# %% energies wrong: the small number outside the root
def energies(phi, psi, name):
    d = phi[:, None] - psi[None]
    squares = (d**2).sum(-1)
    lengths = np.linalg.norm(phi, axis=1)[:, None] * np.linalg.norm(psi, axis=1)
    return {
        "l2": -np.sqrt(squares) - 1e-6,
        "squared_l2": -squares,
        "l1": -np.abs(d).sum(-1),
        "dot": phi @ psi.T,
        "cosine": phi @ psi.T / lengths,
    }[name]


# %% losses right: JAX
def contrastive_loss(F, name):
    F = jnp.asarray(F)
    own = jnp.diagonal(F)
    forward = jnp.mean(jax.nn.logsumexp(F, axis=1) - own)
    backward = jnp.mean(jax.nn.logsumexp(F, axis=0) - own)
    lead = own[:, None] - F
    off = 1 - jnp.eye(len(F))
    return {
        "forward": forward,
        "backward": backward,
        "symmetric": 0.5 * (forward + backward),
        "dpo": -jnp.mean(jax.nn.log_sigmoid(lead)),
        "ipo": jnp.mean((lead - 1) ** 2),
        "forward_backward": jnp.mean(-own + 0.5 * (off * F**2).sum(1) / (len(F) - 1)),
    }[name]


def penalty(F):
    return jnp.mean(jax.nn.logsumexp(jnp.asarray(F), axis=1) ** 2)


# %% losses right: loops
def contrastive_loss(F, name):
    def log_sum(x):
        return max(x) + np.log(sum(np.exp(v - max(x)) for v in x))

    B, total = len(F), 0.0
    for i in range(B):
        if name in ("forward", "symmetric"):
            total += (log_sum(F[i]) - F[i, i]) * (0.5 if name == "symmetric" else 1)
        if name in ("backward", "symmetric"):
            total += (log_sum(F[:, i]) - F[i, i]) * (0.5 if name == "symmetric" else 1)
        if name == "forward_backward":
            total -= F[i, i]
        for j in range(B):
            margin = F[i, i] - F[i, j]
            if name == "dpo":
                total += (np.log1p(np.exp(-abs(margin))) + max(-margin, 0)) / B
            if name == "ipo":
                total += (margin - 1) ** 2 / B
            if name == "forward_backward" and j != i:
                total += 0.5 * F[i, j] ** 2 / (B - 1)
    return total / B


def penalty(F):
    top = F.max(axis=1)
    return ((top + np.log(np.exp(F - top[:, None]).sum(axis=1))) ** 2).mean()


# %% losses wrong: overflows with large logits
def contrastive_loss(F, name):
    own = np.diagonal(F)
    forward = np.mean(np.log(np.exp(F).sum(1)) - own)
    backward = np.mean(np.log(np.exp(F).sum(0)) - own)
    lead, B = own[:, None] - F, len(F)
    return {
        "forward": forward,
        "backward": backward,
        "symmetric": (forward + backward) / 2,
        "dpo": np.mean(np.log(1 + np.exp(-lead))),
        "ipo": np.mean((lead - 1) ** 2),
        "forward_backward": -own.mean() + ((F**2).sum() - (own**2).sum()) / (2 * B * (B - 1)),
    }[name]


def penalty(F):
    return np.mean(np.log(np.exp(F).sum(1)) ** 2)


# %% losses wrong: rows and columns change places
def contrastive_loss(F, name):
    own = np.diagonal(F)
    forward = np.mean(np.logaddexp.reduce(F, axis=0) - own)
    backward = np.mean(np.logaddexp.reduce(F, axis=1) - own)
    lead, B = own[None, :] - F, len(F)
    return {
        "forward": forward,
        "backward": backward,
        "symmetric": (forward + backward) / 2,
        "dpo": np.mean(np.logaddexp(0, -lead)),
        "ipo": np.mean((lead - 1) ** 2),
        "forward_backward": -own.mean() + ((F**2).sum() - (own**2).sum()) / (2 * B * (B - 1)),
    }[name]


def penalty(F):
    return np.mean(np.logaddexp.reduce(F, axis=0) ** 2)


# %% losses wrong: the penalty is not squared
def contrastive_loss(F, name):
    own = np.diagonal(F)
    forward = np.mean(np.logaddexp.reduce(F, axis=1) - own)
    backward = np.mean(np.logaddexp.reduce(F, axis=0) - own)
    lead, B = own[:, None] - F, len(F)
    return {
        "forward": forward,
        "backward": backward,
        "symmetric": (forward + backward) / 2,
        "dpo": np.mean(np.logaddexp(0, -lead)),
        "ipo": np.mean((lead - 1) ** 2),
        "forward_backward": -own.mean() + ((F**2).sum() - (own**2).sum()) / (2 * B * (B - 1)),
    }[name]


def penalty(F):
    return np.mean(np.logaddexp.reduce(F, axis=1))


# %% losses wrong: the penalty on candidates
def contrastive_loss(F, name):
    own = np.diagonal(F)
    forward = np.mean(np.logaddexp.reduce(F, axis=1) - own)
    backward = np.mean(np.logaddexp.reduce(F, axis=0) - own)
    lead, B = own[:, None] - F, len(F)
    return {
        "forward": forward,
        "backward": backward,
        "symmetric": (forward + backward) / 2,
        "dpo": np.mean(np.logaddexp(0, -lead)),
        "ipo": np.mean((lead - 1) ** 2),
        "forward_backward": -own.mean() + ((F**2).sum() - (own**2).sum()) / (2 * B * (B - 1)),
    }[name]


def penalty(F):
    return np.mean(np.logaddexp.reduce(F, axis=0) ** 2)


# %% losses wrong: positives among the negatives
def contrastive_loss(F, name):
    own = np.diagonal(F)
    forward = np.mean(np.logaddexp.reduce(F, axis=1) - own)
    backward = np.mean(np.logaddexp.reduce(F, axis=0) - own)
    lead = own[:, None] - F
    return {
        "forward": forward,
        "backward": backward,
        "symmetric": forward + backward,
        "dpo": np.mean(np.logaddexp(0, -lead)),
        "ipo": np.mean((lead - 1) ** 2),
        "forward_backward": -own.mean() + (F**2).mean() / 2,
    }[name]


def penalty(F):
    return np.mean(np.logaddexp.reduce(F, axis=1) ** 2)


# %% relabel right: uniform numbers and cumulative sums
def relabel(trajectory, gamma, draws, seed):
    rng = np.random.default_rng(seed)
    columns = []
    for i in range(len(trajectory)):
        later = [j for j in range(i + 1, len(trajectory)) if trajectory[j] == trajectory[i]]
        if not later:
            columns.append(np.full(draws, i))
            continue
        mass = np.cumsum([gamma**j for j in range(len(later))])
        columns.append(later[0] + np.searchsorted(mass / mass[-1], rng.random(draws)))
    return np.stack(columns, axis=1)


# %% relabel right: JAX
def relabel(trajectory, gamma, draws, seed):
    i = jnp.arange(len(trajectory))
    ahead = i[None, :] - i[:, None]
    allowed = (ahead > 0) & (jnp.asarray(trajectory)[:, None] == jnp.asarray(trajectory)[None])
    logits = jnp.where(allowed, ahead * jnp.log(gamma), -1e9) + jnp.where(ahead == 0, -5e8, 0.0)
    logits = jnp.where((ahead == 0) & ~allowed.any(1, keepdims=True), 0.0, logits)
    return jax.random.categorical(jax.random.key(seed), logits, shape=(draws, len(trajectory)))


# %% relabel wrong: across episodes
def relabel(trajectory, gamma, draws, seed):
    rng = np.random.default_rng(seed)
    T = len(trajectory)
    out = np.full((draws, T), T - 1)
    for i in range(T - 1):
        w = gamma ** np.arange(T - 1 - i)
        out[:, i] = i + 1 + rng.choice(T - 1 - i, size=draws, p=w / w.sum())
    return out


# %% relabel wrong: clipped to the last step
def relabel(trajectory, gamma, draws, seed):
    rng = np.random.default_rng(seed)
    T = len(trajectory)
    out = np.zeros((draws, T), int)
    for i in range(T):
        last = max(j for j in range(T) if trajectory[j] == trajectory[i])
        out[:, i] = np.minimum(i + rng.geometric(1 - gamma, size=draws), last)
    return out


# %% relabel wrong: uniform over what comes later
def relabel(trajectory, gamma, draws, seed):
    rng = np.random.default_rng(seed)
    T = len(trajectory)
    out = np.zeros((draws, T), int)
    for i in range(T):
        later = [j for j in range(i + 1, T) if trajectory[j] == trajectory[i]] or [i]
        out[:, i] = rng.choice(later, size=draws)
    return out


# %% relabel wrong: the present counts
def relabel(trajectory, gamma, draws, seed):
    rng = np.random.default_rng(seed)
    T = len(trajectory)
    out = np.zeros((draws, T), int)
    for i in range(T):
        later = np.array([j for j in range(i, T) if trajectory[j] == trajectory[i]])
        w = gamma ** (later - i)
        out[:, i] = rng.choice(later, size=draws, p=w / w.sum())
    return out


# %% relabel wrong: every draw the same
def relabel(trajectory, gamma, draws, seed):
    rng = np.random.default_rng(seed)
    T = len(trajectory)
    out = np.zeros(T, int)
    for i in range(T):
        later = np.array([j for j in range(i + 1, T) if trajectory[j] == trajectory[i]] or [i])
        w = gamma ** (later - i)
        out[i] = rng.choice(later, p=w / w.sum())
    return np.tile(out, (draws, 1))


# %% relabel wrong: the same seed whatever is asked
def relabel(trajectory, gamma, draws, seed):
    rng = np.random.default_rng(0)
    T = len(trajectory)
    out = np.zeros((draws, T), int)
    for i in range(T):
        later = np.array([j for j in range(i + 1, T) if trajectory[j] == trajectory[i]] or [i])
        w = gamma ** (later - i)
        out[:, i] = rng.choice(later, size=draws, p=w / w.sum())
    return out


# %% schedule right: in one line each
def schedule(envs, episode, batch, unroll, steps):
    import math

    rows = envs * (episode - 1)
    if rows % batch != 0:
        return None
    return (
        rows // batch,
        batch * unroll / (episode - 1),
        math.ceil(steps / (envs * unroll)) * (rows // batch),
    )


# %% schedule wrong: the last step of a window is kept
def schedule(envs, episode, batch, unroll, steps):
    updates, rest = divmod(envs * episode, batch)
    if rest:
        return None
    return updates, envs * unroll / updates, -(-steps // (envs * unroll)) * updates


# %% schedule wrong: the ratio the wrong way round
def schedule(envs, episode, batch, unroll, steps):
    updates, rest = divmod(envs * (episode - 1), batch)
    if rest:
        return None
    return updates, updates / (envs * unroll), -(-steps // (envs * unroll)) * updates


# %% schedule wrong: rounds rounded down
def schedule(envs, episode, batch, unroll, steps):
    updates, rest = divmod(envs * (episode - 1), batch)
    if rest:
        return None
    return updates, envs * unroll / updates, steps // (envs * unroll) * updates


# %% schedule wrong: uneven batches are rounded
def schedule(envs, episode, batch, unroll, steps):
    updates = max(1, envs * (episode - 1) // batch)
    return updates, envs * unroll / updates, -(-steps // (envs * unroll)) * updates


# %% schedule wrong: one round too many where it comes out even
def schedule(envs, episode, batch, unroll, steps):
    updates, rest = divmod(envs * (episode - 1), batch)
    if rest:
        return None
    return updates, envs * unroll / updates, (steps // (envs * unroll) + 1) * updates


# %% schedule right: by counting
def schedule(envs, episode, batch, unroll, steps):
    rows = [1] * (envs * (episode - 1))
    if len(rows) % batch:
        return None
    updates, taken, total = len(rows) // batch, 0, 0
    while taken < steps:
        taken += envs * unroll
        total += updates
    return np.array([updates, envs * unroll / updates, total])
