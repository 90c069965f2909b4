"""Planted answers to the exercises of td_infonce: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np


# %% weighed_future wrong: softmax over the batch
def weighed_future(target_logits, random_states, n_states):
    return jax.nn.softmax(target_logits, axis=0) @ np.eye(n_states)[random_states]


# %% weighed_future wrong: softmax over the whole table
def weighed_future(target_logits, random_states, n_states):
    weights = np.exp(target_logits - target_logits.max())
    return weights / weights.sum() @ np.eye(n_states)[random_states]


# %% weighed_future wrong: multiplies by the marginal once more
def weighed_future(target_logits, random_states, n_states):
    future = jax.nn.softmax(target_logits, axis=1) @ np.eye(n_states)[random_states]
    future = future * np.bincount(random_states, minlength=n_states)
    return future / future.sum(axis=1, keepdims=True)


# %% weighed_future wrong: averages the weights of a state where it should add them
def weighed_future(target_logits, random_states, n_states):
    future = jax.nn.softmax(target_logits, axis=1) @ np.eye(n_states)[random_states]
    future = future / np.maximum(np.bincount(random_states, minlength=n_states), 1)
    return future / future.sum(axis=1, keepdims=True)


# %% weighed_future wrong: keeps only the last draw of a state
def weighed_future(target_logits, random_states, n_states):
    weights = np.asarray(jax.nn.softmax(target_logits, axis=1))
    future = np.zeros((len(target_logits), n_states))
    future[:, random_states] += weights
    return future


# %% weighed_future wrong: no weights
def weighed_future(target_logits, random_states, n_states):
    often = np.bincount(random_states, minlength=n_states) / len(random_states)
    return np.tile(often, (len(target_logits), 1))


# %% weighed_future wrong: does not normalise the weights
def weighed_future(target_logits, random_states, n_states):
    return np.exp(target_logits) @ np.eye(n_states)[random_states] / len(random_states)


# %% weighed_future wrong: overflows
def weighed_future(target_logits, random_states, n_states):
    with np.errstate(all="ignore"):
        weights = np.exp(target_logits) / np.exp(target_logits).sum(axis=1, keepdims=True)
    return weights @ np.eye(n_states)[random_states]


# %% weighed_future wrong: subtracts a different number from each logit
def weighed_future(target_logits, random_states, n_states):
    logits = target_logits - target_logits.max(axis=0)
    return jax.nn.softmax(logits, axis=1) @ np.eye(n_states)[random_states]


# %% weighed_future wrong: the most likely state alone
def weighed_future(target_logits, random_states, n_states):
    return np.eye(n_states)[random_states[target_logits.argmax(axis=1)]]


# %% weighed_future wrong: transposed
def weighed_future(target_logits, random_states, n_states):
    return (jax.nn.softmax(target_logits, axis=1) @ np.eye(n_states)[random_states]).T


# %% weighed_future wrong: the visible answer by heart
def weighed_future(target_logits, random_states, n_states):
    even, uneven = [0.25, 0, 0.5, 0.25, 0], [0.125, 0, 0.625, 0.25, 0]
    return [even, uneven if target_logits.any() else even]


# %% weighed_future right: loops in NumPy
def weighed_future(target_logits, random_states, n_states):
    p = np.zeros((len(target_logits), n_states))
    for i, row in enumerate(target_logits):
        w = [np.exp(x - max(row)) for x in row]
        for j, state in enumerate(random_states):
            p[i, state] += w[j] / sum(w)
    return p


# %% weighed_future right: scatter in JAX
def weighed_future(target_logits, random_states, n_states):
    w = jax.nn.softmax(jnp.asarray(target_logits))
    return jnp.zeros((w.shape[0], n_states)).at[:, random_states].add(w)


# %% weighed_future right: one histogram a row, as a list
def weighed_future(target_logits, random_states, n_states):
    answer = []
    for row in target_logits:
        counts = np.bincount(random_states, np.exp(row - np.max(row)), n_states)
        answer.append((counts / counts.sum()).tolist())
    return answer


# %% two_term_loss wrong: forgets the weight 1 - γ
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.mean(jnp.diagonal(jax.nn.log_softmax(next_logits)))
    weights = jax.nn.softmax(target_logits)
    return first - gamma * jnp.mean(jnp.sum(weights * jax.nn.log_softmax(random_logits), axis=1))


# %% two_term_loss wrong: γ and 1 - γ swapped
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.mean(jnp.diagonal(jax.nn.log_softmax(next_logits)))
    weights = jax.nn.softmax(target_logits)
    second = -jnp.mean(jnp.sum(weights * jax.nn.log_softmax(random_logits), axis=1))
    return gamma * first + (1 - gamma) * second


# %% two_term_loss wrong: softmax over the batch in the first term
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.mean(jnp.diagonal(jax.nn.log_softmax(next_logits, axis=0)))
    weights = jax.nn.softmax(target_logits)
    second = -jnp.mean(jnp.sum(weights * jax.nn.log_softmax(random_logits), axis=1))
    return (1 - gamma) * first + gamma * second


# %% two_term_loss wrong: weights over the batch
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.mean(jnp.diagonal(jax.nn.log_softmax(next_logits)))
    weights = jax.nn.softmax(target_logits, axis=0)
    second = -jnp.mean(jnp.sum(weights * jax.nn.log_softmax(random_logits), axis=1))
    return (1 - gamma) * first + gamma * second


# %% two_term_loss wrong: the cross entropy the wrong way round
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.mean(jnp.diagonal(jax.nn.log_softmax(next_logits)))
    chances = jax.nn.softmax(random_logits)
    second = -jnp.mean(jnp.sum(chances * jax.nn.log_softmax(target_logits), axis=1))
    return (1 - gamma) * first + gamma * second


# %% two_term_loss wrong: uniform weights
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.mean(jnp.diagonal(jax.nn.log_softmax(next_logits)))
    return (1 - gamma) * first - gamma * jnp.mean(jax.nn.log_softmax(random_logits))


# %% two_term_loss wrong: mean over the random states where it should sum
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.mean(jnp.diagonal(jax.nn.log_softmax(next_logits)))
    weights = jax.nn.softmax(target_logits)
    return (1 - gamma) * first - gamma * jnp.mean(weights * jax.nn.log_softmax(random_logits))


# %% two_term_loss wrong: summed over the batch
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.sum(jnp.diagonal(jax.nn.log_softmax(next_logits)))
    second = -jnp.sum(jax.nn.softmax(target_logits) * jax.nn.log_softmax(random_logits))
    return (1 - gamma) * first + gamma * second


# %% two_term_loss wrong: every next state is a positive
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    first = -jnp.mean(jax.nn.log_softmax(next_logits))
    weights = jax.nn.softmax(target_logits)
    second = -jnp.mean(jnp.sum(weights * jax.nn.log_softmax(random_logits), axis=1))
    return (1 - gamma) * first + gamma * second


# %% two_term_loss wrong: random states as negatives in the first term
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    own = jnp.diagonal(next_logits)
    others = jnp.concatenate([own[:, None], random_logits], axis=1)
    first = -jnp.mean(jax.nn.log_softmax(others)[:, 0])
    weights = jax.nn.softmax(target_logits)
    second = -jnp.mean(jnp.sum(weights * jax.nn.log_softmax(random_logits), axis=1))
    return (1 - gamma) * first + gamma * second


# %% two_term_loss wrong: underflows
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    def softmax(x):
        return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)

    with np.errstate(all="ignore"):
        first = -np.log(np.diagonal(softmax(next_logits))).mean()
        second = -(softmax(target_logits) * np.log(softmax(random_logits))).sum(axis=1).mean()
    return (1 - gamma) * first + gamma * second


# %% two_term_loss wrong: the visible answers by heart
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    return {0.0: 0.752574, 1.0: 1.555147}.get(gamma, 1.474890)


# %% two_term_loss wrong: calls the library
from goalward.losses.contrastive import td_info_nce as two_term_loss


# %% two_term_loss right: loops in NumPy
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    def log_softmax(row):
        row = row - row.max()
        return row - np.log(np.exp(row).sum())

    losses = []
    for i, (near, far, target) in enumerate(
        zip(next_logits, random_logits, target_logits, strict=True)
    ):
        second = -np.dot(np.exp(log_softmax(target)), log_softmax(far))
        losses.append(-(1 - gamma) * log_softmax(near)[i] + gamma * second)
    return np.mean(losses)


# %% two_term_loss right: logsumexp in JAX, as an array of no axes
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    lse = jax.scipy.special.logsumexp
    weights = jax.lax.stop_gradient(jax.nn.softmax(target_logits))
    near = lse(next_logits, axis=1) - jnp.diag(next_logits)
    far = lse(random_logits, axis=1) - (weights * random_logits).sum(axis=1)
    return ((1 - gamma) * near + gamma * far).mean()


# %% semi_gradient wrong: no stop-gradient
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        weights = jax.nn.softmax(f[next_pair][:, random_state], axis=1)
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        return -(1 - gamma) * near.mean() - gamma * (weights * ranked).sum(axis=1).mean()

    return jax.grad(loss)(jnp.asarray(table))


# %% semi_gradient wrong: stop-gradient around the prediction too
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        weights = jax.nn.softmax(f[next_pair][:, random_state], axis=1)
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        far = jax.lax.stop_gradient((weights * ranked).sum(axis=1).mean())
        return -(1 - gamma) * near.mean() - gamma * far

    return jax.grad(loss)(jnp.asarray(table))


# %% semi_gradient wrong: stops the prediction and not the weights
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        weights = jax.nn.softmax(f[next_pair][:, random_state], axis=1)
        ranked = jax.lax.stop_gradient(jax.nn.log_softmax(f[pair][:, random_state], axis=1))
        return -(1 - gamma) * near.mean() - gamma * (weights * ranked).sum(axis=1).mean()

    return jax.grad(loss)(jnp.asarray(table))


# %% semi_gradient wrong: clears the rows of next pairs, so that only some of the flow stops
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        weights = jax.nn.softmax(f[next_pair][:, random_state], axis=1)
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        return -(1 - gamma) * near.mean() - gamma * (weights * ranked).sum(axis=1).mean()

    gradient = np.array(jax.grad(loss)(jnp.asarray(table)))
    gradient[np.setdiff1d(next_pair, pair)] = 0
    return gradient


# %% semi_gradient wrong: repeated entries count once
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def softmax(logits):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    near = softmax(table[np.ix_(pair, next_state)]) - np.eye(len(pair))
    weights = softmax(table[np.ix_(next_pair, random_state)])
    far = softmax(table[np.ix_(pair, random_state)]) - weights
    gradient = np.zeros(table.shape)
    gradient[np.ix_(pair, next_state)] += (1 - gamma) * near / len(pair)
    gradient[np.ix_(pair, random_state)] += gamma * far / len(pair)
    return gradient


# %% semi_gradient wrong: the positives alone in the first term
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def softmax(logits):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    near = softmax(table[np.ix_(pair, next_state)]) - np.eye(len(pair))
    weights = softmax(table[np.ix_(next_pair, random_state)])
    far = softmax(table[np.ix_(pair, random_state)]) - weights
    gradient = np.zeros(table.shape)
    np.add.at(gradient, (pair, next_state), (1 - gamma) * np.diagonal(near) / len(pair))
    np.add.at(gradient, np.ix_(pair, random_state), gamma * far / len(pair))
    return gradient


# %% semi_gradient wrong: bootstraps from the pair itself, off by one in time
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        weights = jax.lax.stop_gradient(jax.nn.softmax(f[pair][:, random_state], axis=1))
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        return -(1 - gamma) * near.mean() - gamma * (weights * ranked).sum(axis=1).mean()

    return jax.grad(loss)(jnp.asarray(table))


# %% semi_gradient wrong: weights of the next states where they belong to random states
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        weights = jax.lax.stop_gradient(jax.nn.softmax(f[next_pair][:, next_state], axis=1))
        ranked = jax.nn.log_softmax(f[pair][:, next_state], axis=1)
        return -(1 - gamma) * near.mean() - gamma * (weights * ranked).sum(axis=1).mean()

    return jax.grad(loss)(jnp.asarray(table))


# %% semi_gradient wrong: no discount
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    weights = jax.nn.softmax(jnp.asarray(table)[next_pair][:, random_state], axis=1)

    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        return -near.mean() - gamma * (weights * ranked).sum(axis=1).mean()

    return jax.grad(loss)(jnp.asarray(table))


# %% semi_gradient wrong: a sum over the batch
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    weights = jax.nn.softmax(jnp.asarray(table)[next_pair][:, random_state], axis=1)

    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        return -(1 - gamma) * near.sum() - gamma * (weights * ranked).sum()

    return jax.grad(loss)(jnp.asarray(table))


# %% semi_gradient wrong: the step against the gradient
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    weights = jax.nn.softmax(jnp.asarray(table)[next_pair][:, random_state], axis=1)

    def loss(f):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        return (1 - gamma) * near.mean() + gamma * (weights * ranked).sum(axis=1).mean()

    return jax.grad(loss)(jnp.asarray(table))


# %% semi_gradient wrong: the visible answers by heart
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    if gamma == 0:
        rows = [[0.243571, -0.141304, -0.102267], [0.127623, -0.156100, 0.028477]]
        rows += [[-0.214387, 0.096146, 0.118241], [0, 0, 0]]
    else:
        rows = [[0.228244, -0.162345, -0.065898], [0.154417, -0.138110, -0.016308]]
        rows += [[-0.144977, 0.020108, 0.124869], [0, 0, 0]]
    return np.array(rows)


# %% semi_gradient right: by hand in NumPy
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def softmax(logits):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    B = len(pair)
    near = softmax(table[np.ix_(pair, next_state)]) - np.eye(B)
    weights = softmax(table[np.ix_(next_pair, random_state)])
    far = softmax(table[np.ix_(pair, random_state)]) - weights
    gradient = np.zeros(table.shape)
    np.add.at(gradient, np.ix_(pair, next_state), (1 - gamma) * near / B)
    np.add.at(gradient, np.ix_(pair, random_state), gamma * far / B)
    return gradient


# %% semi_gradient right: with stop_gradient in JAX, two arguments
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def loss(f, f_target):
        near = jnp.diagonal(jax.nn.log_softmax(f[pair][:, next_state], axis=1))
        weights = jax.nn.softmax(f_target[next_pair][:, random_state], axis=1)
        weights = jax.lax.stop_gradient(weights)
        ranked = jax.nn.log_softmax(f[pair][:, random_state], axis=1)
        return -(1 - gamma) * near.mean() - gamma * (weights * ranked).sum(axis=1).mean()

    table = jnp.asarray(table)
    return jax.grad(loss)(table, table)


# %% semi_gradient right: finite differences in NumPy
def semi_gradient(table, pair, next_state, next_pair, random_state, gamma):
    def log_softmax(x):
        x = x - x.max(axis=1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    w = np.exp(log_softmax(table[next_pair][:, random_state]))

    def loss(f):
        near = np.diagonal(log_softmax(f[pair][:, next_state])).mean()
        far = (w * log_softmax(f[pair][:, random_state])).sum(axis=1).mean()
        return -(1 - gamma) * near - gamma * far

    gradient = np.zeros_like(table)
    for place in np.ndindex(table.shape):
        bump = np.zeros_like(table)
        bump[place] = 1e-5
        gradient[place] = (loss(table + bump) - loss(table - bump)) / 2e-5
    return gradient


# %% best_critic wrong: forgets the marginal of the new critic
def best_critic(f, arrive, follow, p, gamma):
    q = p * np.exp(f)
    q /= q.sum(axis=1, keepdims=True)
    return np.log((1 - gamma) * arrive + gamma * follow @ q)


# %% best_critic wrong: adds the marginal of the new critic
def best_critic(f, arrive, follow, p, gamma):
    q = p * np.exp(f)
    q /= q.sum(axis=1, keepdims=True)
    return np.log((1 - gamma) * arrive + gamma * follow @ q) + np.log(p)


# %% best_critic wrong: forgets the marginal of the old critic
def best_critic(f, arrive, follow, p, gamma):
    q = np.exp(f)
    q /= q.sum(axis=1, keepdims=True)
    return np.log((1 - gamma) * arrive + gamma * follow @ q) - np.log(p)


# %% best_critic wrong: does not normalise the prediction
def best_critic(f, arrive, follow, p, gamma):
    return np.log((1 - gamma) * arrive + gamma * follow @ (p * np.exp(f))) - np.log(p)


# %% best_critic wrong: normalises over the pairs
def best_critic(f, arrive, follow, p, gamma):
    q = p * np.exp(f)
    q /= q.sum(axis=0)
    return np.log((1 - gamma) * arrive + gamma * follow @ q) - np.log(p)


# %% best_critic wrong: γ and 1 - γ swapped
def best_critic(f, arrive, follow, p, gamma):
    q = p * np.exp(f)
    q /= q.sum(axis=1, keepdims=True)
    return np.log(gamma * arrive + (1 - gamma) * follow @ q) - np.log(p)


# %% best_critic wrong: steps backwards in time
def best_critic(f, arrive, follow, p, gamma):
    q = p * np.exp(f)
    q /= q.sum(axis=1, keepdims=True)
    return np.log((1 - gamma) * arrive + gamma * follow.T @ q) - np.log(p)


# %% best_critic wrong: averages logits where it should average distributions
def best_critic(f, arrive, follow, p, gamma):
    f = f - np.log((p * np.exp(f)).sum(axis=1, keepdims=True))
    return (1 - gamma) * np.log(arrive / p) + gamma * follow @ f


# %% best_critic wrong: returns the distribution
def best_critic(f, arrive, follow, p, gamma):
    q = p * np.exp(f)
    q /= q.sum(axis=1, keepdims=True)
    return (1 - gamma) * arrive + gamma * follow @ q


# %% best_critic wrong: bootstraps from the same pair
def best_critic(f, arrive, follow, p, gamma):
    q = p * np.exp(f)
    q /= q.sum(axis=1, keepdims=True)
    return np.log((1 - gamma) * arrive + gamma * q) - np.log(p)


# %% best_critic wrong: the visible answers by heart
def best_critic(f, arrive, follow, p, gamma):
    answers = [[0.447965, 0.264617, 0.287418], [0.504772, 0.303396, 0.191831]]
    if p[0] == 0.5:
        answers = [[0.518460, 0.239281, 0.242260], [0.574633, 0.267998, 0.157370]]
    return np.log(arrive if gamma == 0 else answers) - np.log(p)


# %% best_critic right: loops in NumPy
def best_critic(f, arrive, follow, p, gamma):
    pairs, states = f.shape
    new = np.zeros((pairs, states))
    for i in range(pairs):
        for x in range(states):
            y = (1 - gamma) * arrive[i, x]
            for k in range(pairs):
                ratio = np.exp(f[k] - f[k, x])  # of every candidate to x
                y += gamma * follow[i, k] * p[x] / np.dot(p, ratio)
            new[i, x] = np.log(y / p[x])
    return new


# %% best_critic right: JAX, with another constant in each row
def best_critic(f, arrive, follow, p, gamma):
    q = jax.nn.softmax(f + jnp.log(p), axis=1)
    new = jnp.log((1 - gamma) * arrive + gamma * jnp.matmul(follow, q)) - jnp.log(p)
    return new - new.max(axis=1, keepdims=True) + jnp.arange(len(f))[:, None]


# %% best_critic right: many Newton steps on the loss itself
def best_critic(f, arrive, follow, p, gamma):
    def read(logits):
        e = p * np.exp(logits - logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    y = (1 - gamma) * arrive + gamma * follow @ read(f)
    new = np.zeros_like(f)
    for _ in range(60):
        new += (y - read(new)) / np.maximum(read(new), y)
    return new


# %% patience wrong: one step too patient
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future, mass = np.zeros((len(states), n_states)), 0.0
    for t in range(T - 1, -1, -1):
        future, mass = np.eye(n_states)[states[:, t + 1]] + gamma * future, 1 + gamma * mass
        if T - t > keep:
            np.add.at(total, (states[:, t], actions[:, t]), future / mass)
            np.add.at(count, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]


# %% patience wrong: ignores keep
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future, mass = np.zeros((len(states), n_states)), 0.0
    for t in range(T - 1, -1, -1):
        future, mass = np.eye(n_states)[states[:, t + 1]] + gamma * future, 1 + gamma * mass
        np.add.at(total, (states[:, t], actions[:, t]), future / mass)
        np.add.at(count, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]


# %% patience wrong: does not renormalise the cut-off future
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future = np.zeros((len(states), n_states))
    for t in range(T - 1, -1, -1):
        future = np.eye(n_states)[states[:, t + 1]] + gamma * future
        if T - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), (1 - gamma) * future)
            np.add.at(count, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]


# %% patience wrong: long futures count more
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total = np.zeros((n_states, n_actions, n_states))
    future = np.zeros((len(states), n_states))
    for t in range(T - 1, -1, -1):
        future = np.eye(n_states)[states[:, t + 1]] + gamma * future
        if T - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), future)
    return total / np.maximum(total.sum(axis=2, keepdims=True), 1e-9)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]


# %% patience wrong: counts the present state
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future, mass = np.eye(n_states)[states[:, T]], 1.0
    for t in range(T - 1, -1, -1):
        future, mass = np.eye(n_states)[states[:, t]] + gamma * future, 1 + gamma * mass
        if T - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), future / mass)
            np.add.at(count, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]


# %% patience wrong: no discount
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future = np.zeros((len(states), n_states))
    for t in range(T - 1, -1, -1):
        future = np.eye(n_states)[states[:, t + 1]] + future
        if T - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), future / (T - t))
            np.add.at(count, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]


# %% patience wrong: every future ends after keep steps
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    for t in range(T - keep + 1):
        for i in range(len(states)):
            weights = gamma ** np.arange(keep)
            seen = np.bincount(states[i, t + 1 : t + 1 + keep], weights / weights.sum(), n_states)
            total[states[i, t], actions[i, t]] += seen
            count[states[i, t], actions[i, t]] += 1
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]


# %% patience wrong: anchors that share a pair at the same step count once
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future, mass = np.zeros((len(states), n_states)), 0.0
    for t in range(T - 1, -1, -1):
        future, mass = np.eye(n_states)[states[:, t + 1]] + gamma * future, 1 + gamma * mass
        if T - t >= keep:
            total[states[:, t], actions[:, t]] += future / mass
            count[states[:, t], actions[:, t]] += 1
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]


# %% patience wrong: all the data at every size
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future, mass = np.zeros((len(states), n_states)), 0.0
    for t in range(T - 1, -1, -1):
        future, mass = np.eye(n_states)[states[:, t + 1]] + gamma * future, 1 + gamma * mass
        if T - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), future / mass)
            np.add.at(count, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    row = [abs(patient_average(states, actions, n, k, gamma, j) - exact).mean() for j in keeps]
    row.append(abs(chain_steps(states, actions, n, k, gamma) - exact).mean())
    return [row for _ in sizes]


# %% patience wrong: squared errors
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future, mass = np.zeros((len(states), n_states)), 0.0
    for t in range(T - 1, -1, -1):
        future, mass = np.eye(n_states)[states[:, t + 1]] + gamma * future, 1 + gamma * mass
        if T - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), future / mass)
            np.add.at(count, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    return [
        [
            ((patient_average(states[:m], actions[:m], n, k, gamma, j) - exact) ** 2).mean()
            for j in keeps
        ]
        + [((chain_steps(states[:m], actions[:m], n, k, gamma) - exact) ** 2).mean()]
        for m in sizes
    ]


# %% patience wrong: the table transposed
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    total, count = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions, 1))
    future, mass = np.zeros((len(states), n_states)), 0.0
    for t in range(T - 1, -1, -1):
        future, mass = np.eye(n_states)[states[:, t + 1]] + gamma * future, 1 + gamma * mass
        if T - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), future / mass)
            np.add.at(count, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(count, 1)


def error_table(states, actions, exact, gamma, sizes, keeps):
    n, k = exact.shape[:2]
    rows = [
        [
            abs(patient_average(states[:m], actions[:m], n, k, gamma, j) - exact).mean()
            for j in keeps
        ]
        + [abs(chain_steps(states[:m], actions[:m], n, k, gamma) - exact).mean()]
        for m in sizes
    ]
    return np.array(rows).T


# %% patience wrong: the visible answers by heart
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    answer = np.zeros((n_states, n_actions, n_states))
    answer[0, 0, 1:], answer[1, 1, 1:] = [5 / 7, 2 / 7], [1 / 3, 2 / 3]
    if keep == 1:
        answer[2, 0, 1:] = [1, 0]
    if len(states) > 1:
        answer[0, 0, 1:], answer[2, 0, 1:] = [5 / 14, 9 / 14], [1 / 3, 2 / 3]
    return answer


def error_table(states, actions, exact, gamma, sizes, keeps):
    return [[0.320106, 0.301587, 0.284722], [0.277778, 0.314815, 0.277778]]


# %% patience right: loops forward in time, lists
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    answer = np.zeros((n_states, n_actions, n_states))
    for s in range(n_states):
        for a in range(n_actions):
            futures = []
            for path, moves in zip(states, actions, strict=True):
                last = len(path) - 1
                for t in range(last):
                    if path[t] == s and moves[t] == a and last - t >= keep:
                        ahead = path[t + 1 :]
                        weights = np.array([gamma**k for k in range(len(ahead))])
                        one_hot = ahead[:, None] == np.arange(n_states)
                        futures.append(weights @ one_hot / weights.sum())
            if futures:
                answer[s, a] = np.mean(futures, axis=0)
    return answer


def error_table(states, actions, exact, gamma, sizes, keeps):
    rows = []
    S, A, _ = exact.shape
    for n in sizes:
        row = []
        for keep in keeps:
            row.append(
                np.mean(np.abs(patient_average(states[:n], actions[:n], S, A, gamma, keep) - exact))
            )
        row.append(np.mean(np.abs(chain_steps(states[:n], actions[:n], S, A, gamma) - exact)))
        rows.append(row)
    return rows


# %% patience right: one matrix of discounts, and its own chain
def patient_average(states, actions, n_states, n_actions, gamma, keep):
    T = states.shape[1] - 1
    ahead = np.arange(1, T + 1)[None, :] - np.arange(T)[:, None]
    discounts = np.where(ahead > 0, gamma ** np.maximum(ahead - 1, 0), 0)
    discounts /= discounts.sum(axis=1, keepdims=True)
    futures = np.einsum("tu,iux->itx", discounts, np.eye(n_states)[states[:, 1:]])
    pairs = np.eye(n_states * n_actions)[states[:, :T] * n_actions + actions[:, :T]]
    pairs = pairs * (T - np.arange(T) >= keep)[None, :, None]
    count = pairs.sum(axis=(0, 1))
    mean = np.einsum("itp,itx->px", pairs, futures) / np.maximum(count, 1)[:, None]
    return jnp.asarray(mean.reshape(n_states, n_actions, n_states))


def error_table(states, actions, exact, gamma, sizes, keeps):
    table = np.zeros((len(sizes), len(keeps) + 1))
    for i, n in enumerate(sizes):
        index = states[:n] * exact.shape[1] + actions[:n]  # its own chain, by repetition
        follow = np.zeros((exact[..., 0].size,) * 2)
        for walk in index:
            for one, two in zip(walk[:-1], walk[1:], strict=True):
                follow[one, two] += 1
        follow /= np.maximum(follow.sum(axis=1, keepdims=True), 1)
        arrive = follow.reshape(len(follow), *exact.shape[:2]).sum(axis=2)
        q = np.zeros_like(arrive)
        for _ in range(400):
            q = (1 - gamma) * arrive + gamma * follow @ q
        for j, keep in enumerate(keeps):
            found = patient_average(states[:n], actions[:n], *exact.shape[:2], gamma, keep)
            table[i, j] = np.abs(found - exact).mean()
        table[i, -1] = np.abs(q.reshape(exact.shape) - exact).mean()
    return table


# %% two_term_loss wrong: the logarithm of a softmax, safe only where rows are shifted as a whole
def two_term_loss(next_logits, random_logits, target_logits, gamma):
    own = jnp.log(jnp.diagonal(jax.nn.softmax(jnp.asarray(next_logits), axis=1)))
    weights = jax.nn.softmax(jnp.asarray(target_logits), axis=1)
    far = jnp.sum(weights * jnp.log(jax.nn.softmax(jnp.asarray(random_logits), axis=1)), axis=1)
    return -jnp.mean((1 - gamma) * own + gamma * far)
