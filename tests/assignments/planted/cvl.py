"""Planted answers to the exercises of cvl: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np


# %% values_from_logits wrong: forgets the number of steps
def values_from_logits(f, reward, marginal, gamma, normalise):
    weights = np.exp(f) * marginal
    if normalise:
        weights = weights / weights.sum(axis=2, keepdims=True)
    return weights @ reward


# %% values_from_logits wrong: takes candidates as equally likely
def values_from_logits(f, reward, marginal, gamma, normalise):
    weights = np.exp(f) / len(reward)
    if normalise:
        weights = weights / weights.sum(axis=2, keepdims=True)
    return weights @ reward / (1 - gamma)


# %% values_from_logits wrong: always normalises
def values_from_logits(f, reward, marginal, gamma, normalise):
    weights = np.exp(f) * marginal
    weights = weights / weights.sum(axis=2, keepdims=True)
    return weights @ reward / (1 - gamma)


# %% values_from_logits wrong: never normalises
def values_from_logits(f, reward, marginal, gamma, normalise):
    return (np.exp(f) * marginal) @ reward / (1 - gamma)


# %% values_from_logits wrong: normalises over actions
def values_from_logits(f, reward, marginal, gamma, normalise):
    weights = np.exp(f) * marginal
    if normalise:
        weights = weights / weights.sum(axis=1, keepdims=True)
    return weights @ reward / (1 - gamma)


# %% values_from_logits wrong: no exponential
def values_from_logits(f, reward, marginal, gamma, normalise):
    weights = f * marginal
    if normalise:
        weights = weights / weights.sum(axis=2, keepdims=True)
    return weights @ reward / (1 - gamma)


# %% values_from_logits wrong: softmax without the marginal
def values_from_logits(f, reward, marginal, gamma, normalise):
    weights = np.asarray(jax.nn.softmax(f, axis=2)) if normalise else np.exp(f) * marginal
    return weights @ reward / (1 - gamma)


# %% values_from_logits wrong: hard-coded visible answer
def values_from_logits(f, reward, marginal, gamma, normalise):
    return [[2.41909462, 1.44965652]] if normalise else [[2.43248085, 1.96744004]]


# %% values_from_logits wrong: calls the library
def values_from_logits(f, reward, marginal, gamma, normalise):
    from goalward.methods.cvl import reward_weighted_q

    return reward_weighted_q(f, reward, gamma, marginal, normalise)


# %% values_from_logits right: loops
def values_from_logits(f, reward, marginal, gamma, normalise):
    Q = []
    for row in f:
        Q.append([])
        for logits in row:
            weights = [m * np.exp(x) for m, x in zip(marginal, logits, strict=True)]
            total = sum(weights) if normalise else 1.0
            paid = sum(w * r for w, r in zip(weights, reward, strict=True)) / total
            Q[-1].append(paid / (1 - gamma))
    return Q


# %% values_from_logits right: JAX, with a softmax
def values_from_logits(f, reward, marginal, gamma, normalise):
    joint = jnp.asarray(f) + jnp.log(marginal)
    weights = jax.nn.softmax(joint) if normalise else jnp.exp(joint)
    return jnp.einsum("saj,j->sa", weights, reward) / (1 - gamma)


# %% values_of_actions wrong: the chapter's discount
def values_of_actions(measure, policy, reward, gamma):
    return reward + measure @ (policy * reward).sum(axis=1) / (1 - gamma)


# %% values_of_actions wrong: forgets the reward at once
def values_of_actions(measure, policy, reward, gamma):
    return gamma / (1 - gamma) * (measure @ (policy * reward).sum(axis=1))


# %% values_of_actions wrong: discounts the first reward away
def values_of_actions(measure, policy, reward, gamma):
    return (1 - gamma) * reward + gamma * (measure @ (policy * reward).sum(axis=1))


# %% values_of_actions wrong: averages actions evenly
def values_of_actions(measure, policy, reward, gamma):
    return reward + gamma / (1 - gamma) * (measure @ reward.mean(axis=1))


# %% values_of_actions wrong: pays the best action later
def values_of_actions(measure, policy, reward, gamma):
    return reward + gamma / (1 - gamma) * (measure @ reward.max(axis=1))


# %% values_of_actions wrong: no sum over time
def values_of_actions(measure, policy, reward, gamma):
    return reward + gamma * (measure @ (policy * reward).sum(axis=1))


# %% values_of_actions wrong: forgets the policy
def values_of_actions(measure, policy, reward, gamma):
    return reward + gamma / (1 - gamma) * (measure @ reward.sum(axis=1))


# %% values_of_actions wrong: hard-coded visible answer
def values_of_actions(measure, policy, reward, gamma):
    return np.array([[4 / 3], [2 / 3]])


# %% values_of_actions right: loops
def values_of_actions(measure, policy, reward, gamma):
    states, actions = reward.shape
    Q = np.zeros((states, actions))
    for s in range(states):
        for a in range(actions):
            Q[s, a] = reward[s, a]
            for x in range(states):
                for b in range(actions):
                    paid = policy[x, b] * reward[x, b]
                    Q[s, a] += gamma / (1 - gamma) * measure[s, a, x] * paid
    return Q


# %% values_of_actions right: one einsum in JAX
def values_of_actions(measure, policy, reward, gamma):
    total = jnp.einsum("sax,xb,xb->sa", measure, policy, reward)
    return jnp.asarray(reward) + gamma * total / (1 - gamma)


# %% free_term wrong: raises the wanted action without looking
def free_term(f, reward, marginal, wanted):
    c = np.log(2) * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=1, keepdims=True)


# %% free_term wrong: shouts, and reads neither critic nor reward
def free_term(f, reward, marginal, wanted):
    return 50 * (np.eye(f.shape[1])[wanted] - 1 / f.shape[1])


# %% free_term wrong: levels only
def free_term(f, reward, marginal, wanted):
    c = -np.log((np.exp(f) * marginal) @ reward)
    return c - c.mean(axis=1, keepdims=True)


# %% free_term wrong: forgets to centre
def free_term(f, reward, marginal, wanted):
    return -np.log((np.exp(f) * marginal) @ reward) + np.log(2) * np.eye(f.shape[1])[wanted]


# %% free_term wrong: adds two to the value's logarithm
def free_term(f, reward, marginal, wanted):
    c = -np.log((np.exp(f) * marginal) @ reward) + 2 * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=1, keepdims=True)


# %% free_term wrong: raises the wanted action alone, as far as the best other one needs
def free_term(f, reward, marginal, wanted):
    raw = (np.exp(f) * marginal) @ reward
    c = np.zeros(f.shape[:2])
    for s in range(len(f)):
        others = np.delete(raw[s], wanted[s])
        c[s, wanted[s]] = np.log(2 * others.max() / raw[s, wanted[s]])
    return c - c.mean(axis=1, keepdims=True)


# %% free_term wrong: levels the mean logit in place of the value
def free_term(f, reward, marginal, wanted):
    c = -(f * marginal).sum(axis=2) + np.log(2) * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=1, keepdims=True)


# %% free_term wrong: forgets the reward
def free_term(f, reward, marginal, wanted):
    c = -np.log((np.exp(f) * marginal).sum(axis=2)) + np.log(2) * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=1, keepdims=True)


# %% free_term wrong: takes candidates as equally likely
def free_term(f, reward, marginal, wanted):
    c = -np.log(np.exp(f) @ reward) + np.log(2) * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=1, keepdims=True)


# %% free_term wrong: centres over states
def free_term(f, reward, marginal, wanted):
    c = -np.log((np.exp(f) * marginal) @ reward) + np.log(2) * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=0, keepdims=True)


# %% free_term wrong: divides in place of subtracting the logarithm
def free_term(f, reward, marginal, wanted):
    c = 1 / ((np.exp(f) * marginal) @ reward) + np.log(2) * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=1, keepdims=True)


# %% free_term wrong: makes the wanted action look worst
def free_term(f, reward, marginal, wanted):
    c = -np.log((np.exp(f) * marginal) @ reward) - np.log(2) * np.eye(f.shape[1])[wanted]
    return c - c.mean(axis=1, keepdims=True)


# %% free_term right: loops, and raising the value before its logarithm
def free_term(f, reward, marginal, wanted):
    c = []
    for s in range(f.shape[0]):
        row = []
        for a in range(f.shape[1]):
            raw = 0.0
            for j in range(f.shape[2]):
                raw += marginal[j] * np.exp(f[s, a, j]) * reward[j]
            row.append(np.log((2.0 if a == wanted[s] else 1.0) / raw))
        c.append([entry - sum(row) / len(row) for entry in row])
    return c


# %% free_term right: JAX, in the space of logarithms
def free_term(f, reward, marginal, wanted):
    raw = jax.scipy.special.logsumexp(jnp.asarray(f) + jnp.log(marginal * reward), axis=2)
    c = jnp.log(2.0) * jax.nn.one_hot(jnp.asarray(wanted), f.shape[1]) - raw
    return c - c.mean(axis=1, keepdims=True)


# %% wave_values wrong: forgets the mean over draws
def waves(x, frequencies, phases):
    size = np.exp((x**2).sum(axis=1, keepdims=True) / 2)
    return size * np.sqrt(2 / len(phases)) * np.cos(x @ frequencies + phases)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    xi = reward @ waves(psi, frequencies, phases)
    return waves(phi, frequencies, phases) @ xi / (1 - gamma)


# %% wave_values wrong: only unit vectors
def waves(x, frequencies, phases):
    return np.sqrt(2 * np.e / len(phases)) * np.cos(x @ frequencies + phases)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    xi = reward @ waves(psi, frequencies, phases) / len(reward)
    return waves(phi, frequencies, phases) @ xi / (1 - gamma)


# %% wave_values wrong: no number of features
def waves(x, frequencies, phases):
    return np.exp((x**2).sum(axis=1, keepdims=True) / 2) * np.cos(x @ frequencies + phases)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    xi = reward @ waves(psi, frequencies, phases) / len(reward)
    return waves(phi, frequencies, phases) @ xi / (1 - gamma)


# %% wave_values wrong: forgets the phases
def waves(x, frequencies, phases):
    size = np.exp((x**2).sum(axis=1, keepdims=True) / 2)
    return size * np.sqrt(2 / len(phases)) * np.cos(x @ frequencies)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    xi = reward @ waves(psi, frequencies, phases) / len(reward)
    return waves(phi, frequencies, phases) @ xi / (1 - gamma)


# %% wave_values wrong: forgets the number of steps
def waves(x, frequencies, phases):
    size = np.exp((x**2).sum(axis=1, keepdims=True) / 2)
    return size * np.sqrt(2 / len(phases)) * np.cos(x @ frequencies + phases)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    xi = reward @ waves(psi, frequencies, phases) / len(reward)
    return waves(phi, frequencies, phases) @ xi


# %% wave_values wrong: the exact average in place of the features
def waves(x, frequencies, phases):
    size = np.exp((x**2).sum(axis=1, keepdims=True) / 2)
    return size * np.sqrt(2 / len(phases)) * np.cos(x @ frequencies + phases)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    return np.exp(phi @ psi.T) @ reward / len(reward) / (1 - gamma)


# %% wave_values wrong: averages reward and features apart
def waves(x, frequencies, phases):
    size = np.exp((x**2).sum(axis=1, keepdims=True) / 2)
    return size * np.sqrt(2 / len(phases)) * np.cos(x @ frequencies + phases)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    xi = reward.mean() * waves(psi, frequencies, phases).mean(axis=0)
    return waves(phi, frequencies, phases) @ xi / (1 - gamma)


# %% wave_values wrong: sine
def waves(x, frequencies, phases):
    size = np.exp((x**2).sum(axis=1, keepdims=True) / 2)
    return size * np.sqrt(2 / len(phases)) * np.sin(x @ frequencies + phases)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    xi = reward @ waves(psi, frequencies, phases) / len(reward)
    return waves(phi, frequencies, phases) @ xi / (1 - gamma)


# %% wave_values right: loops over vectors, all pairs
def waves(x, frequencies, phases):
    rows = []
    for vector in x:
        angles = vector @ frequencies + phases
        rows.append(np.exp(vector @ vector / 2) * np.cos(angles) * (2 / len(angles)) ** 0.5)
    return np.array(rows)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    table = waves(phi, frequencies, phases) @ waves(psi, frequencies, phases).T
    return (table * reward).mean(axis=1) / (1 - gamma)


# %% wave_values right: JAX
def waves(x, frequencies, phases):
    x = jnp.asarray(x)
    size = jnp.exp(0.5 * jnp.linalg.norm(x, axis=1) ** 2)[:, None]
    return size * jnp.sqrt(2.0 / phases.shape[0]) * jnp.cos(x @ frequencies + phases)


def wave_values(phi, psi, reward, gamma, frequencies, phases):
    psi_waves = waves(psi, frequencies, phases)
    xi = jnp.mean(jnp.asarray(reward)[:, None] * psi_waves, axis=0)
    return jnp.dot(waves(phi, frequencies, phases), xi) / (1 - gamma)
