"""Planted answers to the exercises of laeo: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np


# %% score_examples wrong: overflows
def score_examples(f, weights, how):
    if how == "mean of logs":
        return f @ weights
    if how == "best example":
        return f.max(axis=2)
    return np.log(np.exp(f) @ weights)


# %% score_examples wrong: forgets the shares
def score_examples(f, weights, how):
    if how == "mean of logs":
        return f.mean(axis=2)
    largest = f.max(axis=2)
    if how == "best example":
        return largest
    return largest + np.log(np.exp(f - largest[..., None]).mean(axis=2))


# %% score_examples wrong: sums in place of averaging
def score_examples(f, weights, how):
    if how == "mean of logs":
        return f @ weights
    if how == "best example":
        return f.max(axis=2)
    return jax.nn.logsumexp(f, axis=2)


# %% score_examples wrong: the logarithm inside
def score_examples(f, weights, how):
    return f.max(axis=2) if how == "best example" else f @ weights


# %% score_examples wrong: the logarithm outside for both
def score_examples(f, weights, how):
    largest = f.max(axis=2)
    if how == "best example":
        return largest
    return largest + np.log(np.exp(f - largest[..., None]) @ weights)


# %% score_examples wrong: the largest of all actions
def score_examples(f, weights, how):
    if how == "mean of logs":
        return f @ weights
    if how == "best example":
        return f.max(axis=(1, 2))
    largest = f.max(axis=2)
    return largest + np.log(np.exp(f - largest[..., None]) @ weights)


# %% score_examples wrong: subtracts the largest and forgets it
def score_examples(f, weights, how):
    if how == "mean of logs":
        return f @ weights
    largest = f.max(axis=2)
    if how == "best example":
        return largest
    return np.log(np.exp(f - largest[..., None]) @ weights)


# %% score_examples wrong: clips large logits
def score_examples(f, weights, how):
    if how == "mean of logs":
        return f @ weights
    if how == "best example":
        return f.max(axis=2)
    return np.log(np.exp(np.clip(f, -700, 700)) @ weights)


# %% score_examples wrong: calls the library
def score_examples(f, weights, how):
    from goalward.methods import laeo

    names = {"log-mean-exp": "log_mean_exp", "mean of logs": "mean_log"}
    return getattr(laeo, names.get(how, "best_example"))(f, weights)


# %% score_examples right: loops
def score_examples(f, weights, how):
    scores = np.zeros(f.shape[:2])
    for s in range(f.shape[0]):
        for a in range(f.shape[1]):
            row = list(f[s, a])
            if how == "best example":
                scores[s, a] = max(row)
            elif how == "mean of logs":
                scores[s, a] = sum(w * x for w, x in zip(weights, row, strict=True))
            else:
                score = -np.inf
                for w, x in zip(weights, row, strict=True):
                    score = np.logaddexp(score, x + np.log(w))
                scores[s, a] = score
    return scores


# %% score_examples right: JAX
def score_examples(f, weights, how):
    ways = {
        "log-mean-exp": lambda: jax.nn.logsumexp(jnp.asarray(f), axis=-1, b=weights),
        "mean of logs": lambda: jnp.einsum("sak,k->sa", f, weights),
        "best example": lambda: jnp.max(f, axis=-1),
    }
    return ways[how]()


# %% ratios wrong: the probability itself
def ratio_from_logistic(D, examples, recorded):
    return D * recorded / examples


def ratio_from_unlabelled(D, prior):
    return D / prior


# %% ratios wrong: the chapter's equal weights
def ratio_from_logistic(D, examples, recorded):
    return D / (1 - D)


def ratio_from_unlabelled(D, prior):
    return D / prior


# %% ratios wrong: counts upside down
def ratio_from_logistic(D, examples, recorded):
    return D / (1 - D) * examples / recorded


def ratio_from_unlabelled(D, prior):
    return D / prior


# %% ratios wrong: ratio upside down
def ratio_from_logistic(D, examples, recorded):
    return (1 - D) / np.maximum(D, 1e-9) * recorded / examples


def ratio_from_unlabelled(D, prior):
    return D / prior


# %% ratios wrong: logits
def ratio_from_logistic(D, examples, recorded):
    D = np.clip(D, 1e-6, 1 - 1e-6)
    return np.log(D / (1 - D)) + np.log(recorded / examples)


def ratio_from_unlabelled(D, prior):
    return D / prior


# %% ratios wrong: the prior multiplies
def ratio_from_logistic(D, examples, recorded):
    return D / (1 - D) * recorded / examples


def ratio_from_unlabelled(D, prior):
    return D * prior


# %% ratios wrong: odds of the unlabelled
def ratio_from_logistic(D, examples, recorded):
    return D / (1 - D) * recorded / examples


def ratio_from_unlabelled(D, prior):
    return D / (1 - np.minimum(D, 0.999)) / prior


# %% ratios wrong: ignores the prior
def ratio_from_logistic(D, examples, recorded):
    return D / (1 - D) * recorded / examples


def ratio_from_unlabelled(D, prior):
    return D


# %% ratios wrong: the share of examples is taken of all states
def ratio_from_logistic(D, examples, recorded):
    return D / (1 - D) * (examples + recorded) / examples


def ratio_from_unlabelled(D, prior):
    return D / prior


# %% ratios wrong: hard-coded visible answer
def ratio_from_logistic(D, examples, recorded):
    return [1.0, 3.0, 0.0] if examples == recorded else [1.0, 4.0]


def ratio_from_unlabelled(D, prior):
    return [1.0, 10.0, 0.0]


# %% ratios right: loops
def ratio_from_logistic(D, examples, recorded):
    ratios = []
    for d in D:
        other = (1 - d) / recorded
        ratios.append(d / examples / other)
    return ratios


def ratio_from_unlabelled(D, prior):
    return [d / prior for d in D]


# %% ratios right: JAX, through the logit
def ratio_from_logistic(D, examples, recorded):
    logit = jax.scipy.special.logit(jnp.asarray(D))
    return jnp.exp(logit + jnp.log(recorded) - jnp.log(examples))


def ratio_from_unlabelled(D, prior):
    return jnp.divide(D, prior)


# %% success_chance wrong: forgets the clock's chance to stop
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    paid = P @ (prior * np.bincount(examples, minlength=n) / len(examples) / marginal)
    chain = np.einsum("sa,sax->sx", policy, P)
    V = np.linalg.solve(np.eye(n) - gamma * chain, (policy * paid).sum(axis=1))
    return paid + gamma * P @ V


# %% success_chance wrong: forgets the prior
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    paid = P @ ((1 - gamma) * np.bincount(examples, minlength=n) / len(examples) / marginal)
    chain = np.einsum("sa,sax->sx", policy, P)
    V = np.linalg.solve(np.eye(n) - gamma * chain, (policy * paid).sum(axis=1))
    return paid + gamma * P @ V


# %% success_chance wrong: forgets the marginal
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    paid = P @ ((1 - gamma) * prior * np.bincount(examples, minlength=n) / len(examples))
    chain = np.einsum("sa,sax->sx", policy, P)
    V = np.linalg.solve(np.eye(n) - gamma * chain, (policy * paid).sum(axis=1))
    return paid + gamma * P @ V


# %% success_chance wrong: counts examples without dividing by their number
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    paid = P @ ((1 - gamma) * prior * np.bincount(examples, minlength=n) / marginal)
    chain = np.einsum("sa,sax->sx", policy, P)
    V = np.linalg.solve(np.eye(n) - gamma * chain, (policy * paid).sum(axis=1))
    return paid + gamma * P @ V


# %% success_chance wrong: an example seen twice counts once
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    star = np.isin(np.arange(n), examples) / len(set(examples.tolist()))
    paid = P @ ((1 - gamma) * prior * star / marginal)
    chain = np.einsum("sa,sax->sx", policy, P)
    V = np.linalg.solve(np.eye(n) - gamma * chain, (policy * paid).sum(axis=1))
    return paid + gamma * P @ V


# %% success_chance wrong: pays in the present state
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    star = np.bincount(examples, minlength=n) / len(examples)
    paid = ((1 - gamma) * prior * star / marginal)[:, None] * np.ones(policy.shape)
    chain = np.einsum("sa,sax->sx", policy, P)
    V = np.linalg.solve(np.eye(n) - gamma * chain, (policy * paid).sum(axis=1))
    return paid + gamma * P @ V


# %% success_chance wrong: the best policy's values
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    paid = P @ ((1 - gamma) * prior * np.bincount(examples, minlength=n) / len(examples) / marginal)
    V = np.zeros(n)
    for _ in range(500):
        V = (paid + gamma * P @ V).max(axis=1)
    return paid + gamma * P @ V


# %% success_chance wrong: an even policy
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    paid = P @ ((1 - gamma) * prior * np.bincount(examples, minlength=n) / len(examples) / marginal)
    V = np.linalg.solve(np.eye(n) - gamma * P.mean(axis=1), paid.mean(axis=1))
    return paid + gamma * P @ V


# %% success_chance wrong: the transposed chain
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    paid = P @ ((1 - gamma) * prior * np.bincount(examples, minlength=n) / len(examples) / marginal)
    chain = np.einsum("sa,sax->xs", policy, P)
    V = np.linalg.solve(np.eye(n) - gamma * chain, (policy * paid).sum(axis=1))
    return paid + gamma * P @ V


# %% success_chance wrong: hard-coded visible answers
def success_chance(P, policy, marginal, examples, prior, gamma):
    return [[2 / 3], [1 / 3]] if gamma else [[0.0, 1.0], [0.0, 0.0]]


# %% success_chance right: the successor measure, averaged over examples
def success_chance(P, policy, marginal, examples, prior, gamma):
    n = len(marginal)
    walk = (policy[:, :, None] * P).sum(axis=1)
    onward = np.linalg.inv(np.eye(n) - gamma * walk)
    measure = (1 - gamma) * np.einsum("sax,xy->say", P, onward)
    return prior * (measure / marginal)[:, :, examples].mean(axis=2)


# %% success_chance right: JAX, by repeated backups
def success_chance(P, policy, marginal, examples, prior, gamma):
    P, policy = jnp.asarray(P), jnp.asarray(policy)
    star = jnp.zeros(len(marginal)).at[examples].add(1 / len(examples))
    reward = (1 - gamma) * prior * star / marginal

    def backup(_, Q):
        return jnp.einsum("sax,x->sa", P, reward + gamma * jnp.sum(policy * Q, axis=1))

    return jax.lax.fori_loop(0, 400, backup, jnp.zeros(policy.shape))


# %% success_chance right: loops until nothing changes
def success_chance(P, policy, marginal, examples, prior, gamma):
    states, actions = policy.shape
    reward = [0.0] * states
    for x in examples:
        reward[x] += (1 - gamma) * prior / len(examples) / marginal[x]
    Q = np.zeros((states, actions))
    for _ in range(300):
        V = [reward[x] + gamma * sum(policy[x] * Q[x]) for x in range(states)]
        Q = np.array([[sum(P[s, a] * V) for a in range(actions)] for s in range(states)])
    return Q


# %% dithering_world wrong: forgets that a mean halves
def dithering_world(behaviour, factor):
    x = 0.5
    y = x / (3 * factor)
    e = y**2 / (2 * x * factor)
    return np.array([[x, e, 1 - x - e], [e, x, 1 - x - e], [y, y, 1 - 2 * y]])


# %% dithering_world wrong: the compromise is too good
def dithering_world(behaviour, factor):
    x, y = 0.5, 0.4
    e = y**2 / (2 * x * factor**2)
    return np.array([[x, e, 1 - x - e], [e, x, 1 - x - e], [y, y, 1 - 2 * y]])


# %% dithering_world wrong: averages one example only
def dithering_world(behaviour, factor):
    x = 0.5
    y = x / (1.2 * factor)
    e = y**2 / (2 * x * factor**2)
    return np.array([[x, e, 1 - x - e], [e, x, 1 - x - e], [y, y, 1 - 2 * y]])


# %% dithering_world wrong: nothing left for the third place
def dithering_world(behaviour, factor):
    x = 0.5
    y = x / (3 * factor)
    e = y**2 / (2 * x * factor**2)
    M = np.array([[x, e], [e, x], [y, y]])
    return np.concatenate([M, np.zeros((3, 1))], axis=1)


# %% dithering_world wrong: impossible futures
def dithering_world(behaviour, factor):
    y = 0.5 / (3 * factor)
    return np.array([[0.5, 0.0, 0.5], [0.0, 0.5, 0.5], [y, y, 1 - 2 * y]])


# %% dithering_world wrong: transposed
def dithering_world(behaviour, factor):
    x = 0.5
    y = x / (3 * factor)
    e = y**2 / (2 * x * factor**2)
    return np.array([[x, e, 1 - x - e], [e, x, 1 - x - e], [y, y, 1 - 2 * y]]).T


# %% dithering_world wrong: the compromise is action 0
def dithering_world(behaviour, factor):
    x = 0.5
    y = x / (3 * factor)
    e = y**2 / (2 * x * factor**2)
    return np.array([[y, y, 1 - 2 * y], [x, e, 1 - x - e], [e, x, 1 - x - e]])


# %% dithering_world wrong: all actions are the same
def dithering_world(behaviour, factor):
    return np.full((3, 3), 1 / 3)


# %% dithering_world wrong: the answer for the visible factor
def dithering_world(behaviour, factor):
    x, y, e = 0.5, 0.08, 0.0016
    return np.array([[x, e, 1 - x - e], [e, x, 1 - x - e], [y, y, 1 - 2 * y]])


# %% dithering_world wrong: both other actions go for the same success
def dithering_world(behaviour, factor):
    x = 0.5
    y = x / (3 * factor)
    e = y**2 / (2 * x * factor**2)
    return np.array([[x, e, 1 - x - e], [x, e, 1 - x - e], [y, y, 1 - 2 * y]])


# %% dithering_world right: a sure hit, in JAX
def dithering_world(behaviour, factor):
    together = 0.2 / factor
    miss = 0.9 * (together / factor) ** 2
    hits = jnp.array([[0.99, miss], [miss, 0.99], [together, together]])
    return jnp.concatenate([hits, 1 - hits.sum(axis=1, keepdims=True)], axis=1)


# %% dithering_world right: halves the numbers until the conditions hold
def dithering_world(behaviour, factor):
    M = np.zeros((3, 3))
    together, miss = 0.3, 0.3
    while True:
        M[:, :2] = [[0.6, miss], [miss, 0.6], [together, together]]
        M[:, 2] = 1 - M[:, 0] - M[:, 1]
        ratios = M[:, :2] / (behaviour @ M)[:2]
        if ratios[:2].mean(axis=1).max() < factor * ratios[2].mean():
            together /= 2
        elif np.sqrt(ratios[2].prod()) < factor * np.sqrt(ratios[:2].prod(axis=1).max()):
            miss /= 2
        else:
            return M


# %% score_examples wrong: one largest logit for the whole table
def score_examples(f, weights, how):
    if how == "mean of logs":
        return f @ weights
    if how == "best example":
        return f.max(axis=2)
    with np.errstate(all="ignore"):
        return f.max() + np.log(np.exp(f - f.max()) @ weights)
