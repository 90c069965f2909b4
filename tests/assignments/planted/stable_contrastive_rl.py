"""Planted answers to the exercises of stable_contrastive_rl: wrong ones lose points."""

import jax
import jax.numpy as jnp
import numpy as np


# %% layer_norm_dense wrong: normalises over the batch
def layer_norm_dense(x, weights, bias, eps):
    h = x @ weights + bias
    n = (h - h.mean(axis=0)) / np.sqrt(h.var(axis=0) + eps)
    return n, np.maximum(n, 0)


# %% layer_norm_dense wrong: cuts before it normalises
def layer_norm_dense(x, weights, bias, eps):
    h = np.maximum(x @ weights + bias, 0)
    n = (h - h.mean(axis=1, keepdims=True)) / np.sqrt(h.var(axis=1, keepdims=True) + eps)
    return n, np.maximum(n, 0)


# %% layer_norm_dense wrong: forgets the bias
def layer_norm_dense(x, weights, bias, eps):
    h = x @ weights
    n = (h - h.mean(axis=1, keepdims=True)) / np.sqrt(h.var(axis=1, keepdims=True) + eps)
    return n, np.maximum(n, 0)


# %% layer_norm_dense wrong: does not subtract the mean
def layer_norm_dense(x, weights, bias, eps):
    h = x @ weights + bias
    n = h / np.sqrt((h**2).mean(axis=1, keepdims=True) + eps)
    return n, np.maximum(n, 0)


# %% layer_norm_dense wrong: divides by the variance
def layer_norm_dense(x, weights, bias, eps):
    h = x @ weights + bias
    n = (h - h.mean(axis=1, keepdims=True)) / (h.var(axis=1, keepdims=True) + eps)
    return n, np.maximum(n, 0)


# %% layer_norm_dense wrong: the unbiased variance
def layer_norm_dense(x, weights, bias, eps):
    h = x @ weights + bias
    n = (h - h.mean(axis=1, keepdims=True)) / np.sqrt(h.var(axis=1, ddof=1, keepdims=True) + eps)
    return n, np.maximum(n, 0)


# %% layer_norm_dense wrong: leaves out eps
def layer_norm_dense(x, weights, bias, eps):
    h = x @ weights + bias
    n = (h - h.mean(axis=1, keepdims=True)) / h.std(axis=1, keepdims=True)
    return n, np.maximum(n, 0)


# %% layer_norm_dense wrong: calls the library
def layer_norm_dense(x, weights, bias, eps):
    from goalward.nets.stable import StableMLP

    net = StableMLP((weights.shape[1], weights.shape[1]), last_scale=1.0)
    params = net.init(jax.random.key(0), jnp.asarray(x))
    n = np.asarray(net.apply(params, jnp.asarray(x)))
    return n, np.maximum(n, 0)


# %% layer_norm_dense right: row by row
def layer_norm_dense(x, weights, bias, eps):
    rows = []
    for example in x:
        units = np.array([example @ column for column in weights.T]) + bias
        centred = units - sum(units) / len(units)
        rows.append(centred / (sum(centred**2) / len(units) + eps) ** 0.5)
    return rows, [[max(u, 0.0) for u in row] for row in rows]


# %% layer_norm_dense right: JAX
def layer_norm_dense(x, weights, bias, eps):
    h = jnp.asarray(x) @ jnp.asarray(weights) + bias
    n = jax.nn.standardize(h, axis=-1, epsilon=eps)
    return n, jax.nn.relu(n)


# %% cold_start wrong: normal weights
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(outputs, x.shape[1])) * scale / 6
    V = rng.normal(size=(outputs, y.shape[1])) * scale / 6
    f = x @ W.T @ V @ y.T
    own, B = np.diagonal(f), len(x)
    other = np.logaddexp(0, f).sum() - np.logaddexp(0, own).sum()
    nce = np.logaddexp(0, -own).mean() + other / B / (B - 1)
    return W, V, nce, (np.logaddexp.reduce(f, axis=1) - own).mean()


# %% cold_start wrong: positive weights only
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(seed)
    W, V = (rng.uniform(0, scale, size=(outputs, z.shape[1])) for z in (x, y))
    f = x @ W.T @ V @ y.T
    own, B = np.diagonal(f), len(x)
    other = np.logaddexp(0, f).sum() - np.logaddexp(0, own).sum()
    nce = np.logaddexp(0, -own).mean() + other / B / (B - 1)
    return W, V, nce, (np.logaddexp.reduce(f, axis=1) - own).mean()


# %% cold_start wrong: exactly zero
def cold_start(x, y, outputs, scale, seed):
    W, V = np.zeros((outputs, x.shape[1])), np.zeros((outputs, y.shape[1]))
    return W, V, 2 * np.log(2), np.log(len(x))


# %% cold_start wrong: hard-coded losses
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(seed)
    W, V = (rng.uniform(-scale, scale, size=(outputs, z.shape[1])) for z in (x, y))
    return W, V, 2 * np.log(2), np.log(len(x))


# %% cold_start wrong: the softmax runs over anchors
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(seed)
    W, V = (rng.uniform(-scale, scale, size=(outputs, z.shape[1])) for z in (x, y))
    f = x @ W.T @ V @ y.T
    own, B = np.diagonal(f), len(x)
    other = np.logaddexp(0, f).sum() - np.logaddexp(0, own).sum()
    nce = np.logaddexp(0, -own).mean() + other / B / (B - 1)
    return W, V, nce, (np.logaddexp.reduce(f, axis=0) - own).mean()


# %% cold_start wrong: overflows
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(seed)
    W, V = (rng.uniform(-scale, scale, size=(outputs, z.shape[1])) for z in (x, y))
    f = x @ W.T @ V @ y.T
    own, B = np.diagonal(f), len(x)
    other = np.log1p(np.exp(f)).sum() - np.log1p(np.exp(own)).sum()
    nce = np.log1p(np.exp(-own)).mean() + other / B / (B - 1)
    return W, V, nce, (np.log(np.exp(f).sum(axis=1)) - own).mean()


# %% cold_start wrong: ignores the seed
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(0)
    W, V = (rng.uniform(-scale, scale, size=(outputs, z.shape[1])) for z in (x, y))
    f = x @ W.T @ V @ y.T
    own, B = np.diagonal(f), len(x)
    other = np.logaddexp(0, f).sum() - np.logaddexp(0, own).sum()
    nce = np.logaddexp(0, -own).mean() + other / B / (B - 1)
    return W, V, nce, (np.logaddexp.reduce(f, axis=1) - own).mean()


# %% cold_start wrong: the same draw for both networks
def cold_start(x, y, outputs, scale, seed):
    W, V = (
        np.random.default_rng(seed).uniform(-scale, scale, size=(outputs, z.shape[1]))
        for z in (x, y)
    )
    f = x @ W.T @ V @ y.T
    own, B = np.diagonal(f), len(x)
    other = np.logaddexp(0, f).sum() - np.logaddexp(0, own).sum()
    nce = np.logaddexp(0, -own).mean() + other / B / (B - 1)
    return W, V, nce, (np.logaddexp.reduce(f, axis=1) - own).mean()


# %% cold_start wrong: the second network's weights are the first's, reversed
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(seed)
    W = rng.uniform(-scale, scale, size=(outputs, x.shape[1]))
    V = W[:, ::-1][:, : y.shape[1]]
    f = x @ W.T @ V @ y.T
    own, B = np.diagonal(f), len(x)
    other = np.logaddexp(0, f).sum() - np.logaddexp(0, own).sum()
    nce = np.logaddexp(0, -own).mean() + other / B / (B - 1)
    return W, V, nce, (np.logaddexp.reduce(f, axis=1) - own).mean()


# %% cold_start wrong: the second network's weights are the first's, with other signs and order
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(seed)
    W = rng.uniform(-scale, scale, size=(outputs, x.shape[1]))
    V = -W[::-1][:, : y.shape[1]]
    f = x @ W.T @ V @ y.T
    own, B = np.diagonal(f), len(x)
    other = np.logaddexp(0, f).sum() - np.logaddexp(0, own).sum()
    nce = np.logaddexp(0, -own).mean() + other / B / (B - 1)
    return W, V, nce, (np.logaddexp.reduce(f, axis=1) - own).mean()


# %% cold_start right: JAX
def cold_start(x, y, outputs, scale, seed):
    keys = jax.random.split(jax.random.key(seed))
    W = jax.random.uniform(keys[0], (outputs, x.shape[1]), minval=-scale, maxval=scale)
    V = jax.random.uniform(keys[1], (outputs, y.shape[1]), minval=-scale, maxval=scale)
    f = (jnp.asarray(x) @ W.T) @ (jnp.asarray(y) @ V.T).T
    stranger = ~jnp.eye(len(x), dtype=bool)
    nce = jax.nn.softplus(-jnp.diagonal(f)).mean()
    nce += jnp.mean(jax.nn.softplus(f), where=stranger)
    return W, V, nce, -jnp.diagonal(jax.nn.log_softmax(f, axis=1)).mean()


# %% cold_start right: loops
def cold_start(x, y, outputs, scale, seed):
    rng = np.random.default_rng(seed)
    V = scale * (2 * rng.random((outputs, y.shape[1])) - 1)
    W = scale * (2 * rng.random((outputs, x.shape[1])) - 1)
    B, nce, info = len(x), 0.0, 0.0
    for i in range(B):
        row = [float((W @ x[i]) @ (V @ y[j])) for j in range(B)]
        nce += np.logaddexp(0, -row[i]) / B
        nce += sum(np.logaddexp(0, row[j]) for j in range(B) if j != i) / (B * (B - 1))
        info += (max(row) + np.log(sum(np.exp(f - max(row)) for f in row)) - row[i]) / B
    return W, V, nce, info


# %% balanced_loss wrong: every entry weighs the same
def balanced_loss(logits):
    B = len(logits)
    sign = 1 - 2 * np.eye(B)
    margin = sign * logits
    return np.logaddexp(0, margin).mean(), sign * np.exp(-np.logaddexp(0, -margin)) / B**2


# %% balanced_loss wrong: strangers weigh 1 / B
def balanced_loss(logits):
    B = len(logits)
    own = np.eye(B)
    weight = own / B + (1 - own) / B**2
    sign = 1 - 2 * own
    margin = sign * logits
    return (weight * np.logaddexp(0, margin)).sum(), weight * sign / (1 + np.exp(-margin))


# %% balanced_loss wrong: the slope of the margin
def balanced_loss(logits):
    B = len(logits)
    own = np.eye(B)
    weight = own / B + (1 - own) / (B * (B - 1))
    margin = (1 - 2 * own) * logits
    return (weight * np.logaddexp(0, margin)).sum(), weight * np.exp(-np.logaddexp(0, -margin))


# %% balanced_loss wrong: overflows
def balanced_loss(logits):
    B = len(logits)
    own = np.eye(B)
    weight = own / B + (1 - own) / (B * (B - 1))
    sign = 1 - 2 * own
    grown = np.exp(sign * logits)
    return (weight * np.log(1 + grown)).sum(), weight * sign * grown / (1 + grown)


# %% balanced_loss wrong: sums where it should average
def balanced_loss(logits):
    B = len(logits)
    own = np.eye(B)
    weight = own + (1 - own) / (B - 1)
    sign = 1 - 2 * own
    margin = sign * logits
    return (weight * np.logaddexp(0, margin)).sum(), weight * sign * np.exp(
        -np.logaddexp(0, -margin)
    )


# %% balanced_loss wrong: InfoNCE
def balanced_loss(logits):
    B = len(logits)
    chance = np.asarray(jax.nn.softmax(logits, axis=1))
    loss = -np.diagonal(np.asarray(jax.nn.log_softmax(logits, axis=1))).mean()
    return loss, (chance - np.eye(B)) / B


# %% balanced_loss wrong: calls the library
def balanced_loss(logits):
    from goalward.losses.contrastive import binary_nce

    return jax.value_and_grad(binary_nce)(jnp.asarray(logits))


# %% balanced_loss right: JAX differentiates
def balanced_loss(logits):
    def loss(f):
        stranger = ~jnp.eye(len(f), dtype=bool)
        return jax.nn.softplus(-jnp.diagonal(f)).mean() + jnp.mean(
            jax.nn.softplus(f), where=stranger
        )

    return jax.value_and_grad(loss)(jnp.asarray(logits, float))


# %% balanced_loss right: loops
def balanced_loss(logits):
    B = len(logits)
    total, slope = 0.0, np.zeros((B, B))
    for i in range(B):
        for j in range(B):
            z, w = logits[i, j], 1 / B if i == j else 1 / (B * (B - 1))
            side = -1.0 if i == j else 1.0
            total += w * np.logaddexp(0, side * z)
            slope[i, j] = w * side * 0.5 * (1 + np.tanh(side * z / 2))
    return total, slope


# %% joint_crop wrong: separate shifts
def joint_crop(state, goal, pad, seed):
    rng = np.random.default_rng(seed)
    B, H, W = state.shape
    out = []
    for images in (state, goal):
        shifts = rng.integers(0, 2 * pad + 1, size=(B, 2))
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        out.append(np.stack([p[i : i + H, j : j + W] for p, (i, j) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop wrong: never the largest shift
def joint_crop(state, goal, pad, seed):
    B, H, W = state.shape
    shifts = np.random.default_rng(seed).integers(0, 2 * pad, size=(B, 2))
    out = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        out.append(np.stack([p[i : i + H, j : j + W] for p, (i, j) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop wrong: one shift for the batch
def joint_crop(state, goal, pad, seed):
    B, H, W = state.shape
    i, j = np.random.default_rng(seed).integers(0, 2 * pad + 1, size=2)
    pads = [(0, 0), (pad, pad), (pad, pad)]
    out = [np.pad(z, pads, mode="edge")[:, i : i + H, j : j + W] for z in (state, goal)]
    return out[0], out[1], np.tile([i, j], (B, 1))


# %% joint_crop wrong: pads with zeros
def joint_crop(state, goal, pad, seed):
    B, H, W = state.shape
    shifts = np.random.default_rng(seed).integers(0, 2 * pad + 1, size=(B, 2))
    out = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)])
        out.append(np.stack([p[i : i + H, j : j + W] for p, (i, j) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop wrong: columns first
def joint_crop(state, goal, pad, seed):
    B, H, W = state.shape
    shifts = np.random.default_rng(seed).integers(0, 2 * pad + 1, size=(B, 2))
    out = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        out.append(np.stack([p[i : i + H, j : j + W] for p, (j, i) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop wrong: rolls around the border
def joint_crop(state, goal, pad, seed):
    shifts = np.random.default_rng(seed).integers(0, 2 * pad + 1, size=(len(state), 2))
    out = [
        np.stack([np.roll(z, (pad - i, pad - j), (0, 1)) for z, (i, j) in zip(images, shifts)])
        for images in (state, goal)
    ]
    return out[0], out[1], shifts


# %% joint_crop wrong: the same shift down and right
def joint_crop(state, goal, pad, seed):
    B, H, W = state.shape
    shifts = np.repeat(np.random.default_rng(seed).integers(0, 2 * pad + 1, size=(B, 1)), 2, 1)
    out = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        out.append(np.stack([p[i : i + H, j : j + W] for p, (i, j) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop wrong: leaves the pictures alone
def joint_crop(state, goal, pad, seed):
    return state, goal, np.full((len(state), 2), pad)


# %% joint_crop wrong: a fixed table of shifts, from where the seed says
def joint_crop(state, goal, pad, seed):
    (B, H, W), side = state.shape, 2 * pad + 1
    codes = (np.arange(B) + seed) % side**2
    shifts = np.stack([codes // side, codes % side], axis=1)
    out = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        out.append(np.stack([p[i : i + H, j : j + W] for p, (i, j) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop wrong: a fixed table in an order of its own, turned by the seed
def joint_crop(state, goal, pad, seed):
    (B, H, W), side = state.shape, 2 * pad + 1
    table = np.random.default_rng(0).permutation(side**2)
    codes = table[(np.arange(B) * 7 + seed) % side**2]
    shifts = np.stack([codes // side, codes % side], axis=1)
    out = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        out.append(np.stack([p[i : i + H, j : j + W] for p, (i, j) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop wrong: every pair of shifts once, then shuffled
def joint_crop(state, goal, pad, seed):
    (B, H, W), side = state.shape, 2 * pad + 1
    codes = np.random.default_rng(seed).permutation(np.arange(B) % side**2)
    shifts = np.stack([codes // side, codes % side], axis=1)
    out = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        out.append(np.stack([p[i : i + H, j : j + W] for p, (i, j) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop wrong: rows in pairs share their shift
def joint_crop(state, goal, pad, seed):
    (B, H, W), side = state.shape, 2 * pad + 1
    shifts = np.random.default_rng(seed).integers(0, side, size=((B + 1) // 2, 2))
    shifts = np.repeat(shifts, 2, axis=0)[:B]
    out = []
    for images in (state, goal):
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad)], mode="edge")
        out.append(np.stack([p[i : i + H, j : j + W] for p, (i, j) in zip(padded, shifts)]))
    return out[0], out[1], shifts


# %% joint_crop right: indices
def joint_crop(state, goal, pad, seed):
    B, H, W = state.shape
    shifts = np.random.default_rng(seed).integers(0, 2 * pad + 1, size=(B, 2))
    row = np.clip(np.arange(H) + shifts[:, :1] - pad, 0, H - 1)
    col = np.clip(np.arange(W) + shifts[:, 1:] - pad, 0, W - 1)
    which = np.arange(B)[:, None, None], row[:, :, None], col[:, None, :]
    return state[which], goal[which], shifts


# %% joint_crop right: JAX slices
def joint_crop(state, goal, pad, seed):
    B, H, W = state.shape
    shifts = jax.random.randint(jax.random.key(seed), (B, 2), 0, 2 * pad + 1)
    pads = [(0, 0), (pad, pad), (pad, pad)]

    def cut(image, shift):
        return jax.lax.dynamic_slice(image, tuple(shift), (H, W))

    both = [
        jax.vmap(cut)(jnp.pad(jnp.asarray(z), pads, mode="edge"), shifts) for z in (state, goal)
    ]
    return both[0], both[1], shifts
