"""Planted answers to unconscious_learner: wrong ones lose points, right ones do not."""

import jax
import jax.numpy as jnp
import numpy as np


# %% vote wrong: a sum, not a mean
def vote(ab, bc):
    both = ab[:, :, None] + bc[None]
    top = both.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(both - top).sum(axis=1, keepdims=True)))[:, 0]


# %% vote wrong: overflows
def vote(ab, bc):
    with np.errstate(all="ignore"):
        return np.log(np.exp(ab) @ np.exp(bc) / len(bc))


# %% vote wrong: the mean of the exponents
def vote(ab, bc):
    return (ab[:, :, None] + bc[None]).mean(axis=1)


# %% vote wrong: the best caption alone
def vote(ab, bc):
    return (ab[:, :, None] + bc[None]).max(axis=1) - np.log(len(bc))


# %% vote wrong: multiplies the logarithms
def vote(ab, bc):
    return np.array(jax.nn.logsumexp(ab[:, :, None] * bc[None], axis=1)) - np.log(len(bc))


# %% vote wrong: divides by the number of rows
def vote(ab, bc):
    return np.array(jax.nn.logsumexp(ab[:, :, None] + bc[None], axis=1)) - np.log(len(ab))


# %% vote wrong: transposed
def vote(ab, bc):
    return np.array(jax.nn.logsumexp(ab[:, :, None] + bc[None], axis=1)).T - np.log(len(bc))


# %% vote wrong: underflows where no caption fits both sides
def vote(ab, bc):
    top_a, top_c = ab.max(axis=1, keepdims=True), bc.max(axis=0)
    with np.errstate(divide="ignore"):
        return top_a + top_c + np.log(np.exp(ab - top_a) @ np.exp(bc - top_c) / len(bc))


# %% vote wrong: calls the library
def vote(ab, bc):
    from goalward.methods.unconscious_learner import lse_scores

    return lse_scores(ab, bc)


# %% vote right: loops
def vote(f, g):
    import math

    out = np.empty((len(f), g.shape[1]))
    for i in range(len(f)):
        for j in range(g.shape[1]):
            total = -math.inf
            for k in range(len(g)):
                total = np.logaddexp(total, f[i, k] + g[k, j])
            out[i, j] = total - math.log(len(g))
    return out


# %% vote right: JAX
def vote(ab, bc):
    return jax.nn.logsumexp(ab[:, :, None] + bc[None], axis=1, b=1 / ab.shape[1])


# %% twin wrong: independent without B
def twin(joint):
    return np.einsum("ab,c->abc", joint.sum(axis=2), joint.sum(axis=(0, 1)))


def missed(joint):
    some = joint > 0
    return np.sum(joint[some] * np.log(joint[some] / twin(joint)[some]))


# %% twin wrong: forgets to divide by p(b)
def twin(joint):
    return joint.sum(axis=2)[:, :, None] * joint.sum(axis=0)[None]


def missed(joint):
    some = joint > 0
    return np.sum(joint[some] * np.log(joint[some] / twin(joint)[some]))


# %% twin wrong: mutual information without the condition
def twin(joint):
    b = joint.sum(axis=(0, 2))
    return joint.sum(axis=2)[:, :, None] * joint.sum(axis=0)[None] / b[:, None]


def missed(joint):
    ac = joint.sum(axis=1)
    product = np.outer(ac.sum(axis=1), ac.sum(axis=0))
    some = ac > 0
    return np.sum(ac[some] * np.log(ac[some] / product[some]))


# %% twin wrong: bits
def twin(joint):
    b = joint.sum(axis=(0, 2))
    return joint.sum(axis=2)[:, :, None] * joint.sum(axis=0)[None] / b[:, None]


def missed(joint):
    some = joint > 0
    return np.sum(joint[some] * np.log2(joint[some] / twin(joint)[some]))


# %% twin wrong: nan where a probability is zero
def twin(joint):
    b = joint.sum(axis=(0, 2))
    return joint.sum(axis=2)[:, :, None] * joint.sum(axis=0)[None] / b[:, None]


def missed(joint):
    with np.errstate(all="ignore"):
        return np.sum(joint * np.log(joint / twin(joint)))


# %% twin wrong: the divergence the other way round
def twin(joint):
    b = joint.sum(axis=(0, 2))
    return joint.sum(axis=2)[:, :, None] * joint.sum(axis=0)[None] / b[:, None]


def missed(joint):
    other, some = twin(joint), joint > 0
    return np.sum(other[some] * np.log(other[some] / joint[some]))


# %% twin wrong: keeps the world
def twin(joint):
    return joint


def missed(joint):
    return np.log(2)


# %% twin right: loops
def twin(p):
    out = np.zeros(p.shape)
    for b in range(p.shape[1]):
        mass = p[:, b].sum()
        out[:, b] = np.outer(p[:, b].sum(1), p[:, b].sum(0)) / mass
    return out


def missed(p):
    import math

    q, total = twin(p), 0.0
    for index in np.ndindex(p.shape):
        if p[index] > 0:
            total += p[index] * math.log(p[index] / q[index])
    return total


# %% twin right: JAX and conditionals
def twin(joint):
    joint = jnp.asarray(joint)
    b = joint.sum((0, 2))
    return jnp.einsum("b,ba,bc->abc", b, (joint.sum(2) / b).T, joint.sum(0) / b[:, None])


def missed(joint):
    ratio = jnp.where(joint > 0, joint / twin(joint), 1.0)
    return jnp.sum(joint * jnp.log(ratio))


# %% log_average wrong: overflows
def log_average(kappa, d):
    with np.errstate(all="ignore"):
        term, total = 1.0, 1.0
        for k in range(1, 3000):
            term = np.float64(term) * (kappa / 2) ** 2 / (k * (k - 1 + d / 2))
            total += term
        return float(np.log(total))


# %% log_average wrong: too few terms
def log_average(kappa, d):
    if kappa == 0:
        return 0.0
    k = np.arange(1, 40)
    terms = np.cumsum(2 * np.log(kappa / 2) - np.log(k) - np.log(k - 1 + d / 2))
    return np.logaddexp(0.0, np.logaddexp.reduce(terms))


# %% log_average wrong: forgets the term k = 0
def log_average(kappa, d):
    if kappa == 0:
        return 0.0
    k = np.arange(1, 4000)
    return np.logaddexp.reduce(np.cumsum(2 * np.log(kappa / 2) - np.log(k) - np.log(k - 1 + d / 2)))


# %% log_average wrong: kappa not halved
def log_average(kappa, d):
    if kappa == 0:
        return 0.0
    k = np.arange(1, 6000)
    terms = np.cumsum(2 * np.log(kappa) - np.log(k) - np.log(k - 1 + d / 2))
    return np.logaddexp(0.0, np.logaddexp.reduce(terms))


# %% log_average wrong: off by one in the dimension
def log_average(kappa, d):
    if kappa == 0:
        return 0.0
    k = np.arange(1, 4000)
    terms = np.cumsum(2 * np.log(kappa / 2) - np.log(k) - np.log(k + d / 2))
    return np.logaddexp(0.0, np.logaddexp.reduce(terms))


# %% log_average wrong: infinite at zero
def log_average(kappa, d):
    with np.errstate(all="ignore"):
        k = np.arange(1, 4000)
        terms = np.cumsum(2 * np.log(kappa / 2) - np.log(k) - np.log(k - 1 + d / 2))
        return (
            np.logaddexp.reduce(terms)
            if kappa < 1e-9
            else np.logaddexp(0, np.logaddexp.reduce(terms))
        )


# %% log_average wrong: three dimensions only
def log_average(kappa, d):
    import math

    return 0.0 if kappa == 0 else kappa + math.log(-math.expm1(-2 * kappa) / (2 * kappa))


# %% log_average wrong: the Gaussian approximation
def log_average(kappa, d):
    return kappa**2 / (2 * d)


# %% log_average wrong: the leading term for large kappa
def log_average(kappa, d):
    import math

    if kappa < 40:
        k = np.arange(1, 400)
        if kappa == 0:
            return 0.0
        terms = np.cumsum(2 * np.log(kappa / 2) - np.log(k) - np.log(k - 1 + d / 2))
        return np.logaddexp(0.0, np.logaddexp.reduce(terms))
    order = d / 2 - 1
    bessel = kappa - 0.5 * math.log(2 * math.pi * kappa)
    return math.lgamma(d / 2) + order * math.log(2 / kappa) + bessel


# %% log_average wrong: two terms for large kappa
def log_average(kappa, d):
    import math

    if kappa < 40:
        k = np.arange(1, 400)
        if kappa == 0:
            return 0.0
        terms = np.cumsum(2 * np.log(kappa / 2) - np.log(k) - np.log(k - 1 + d / 2))
        return np.logaddexp(0.0, np.logaddexp.reduce(terms))
    order = d / 2 - 1
    bessel = kappa - 0.5 * math.log(2 * math.pi * kappa)
    bessel += math.log(max(1 - (4 * order**2 - 1) / (8 * kappa), 1e-9))
    return math.lgamma(d / 2) + order * math.log(2 / kappa) + bessel


# %% log_average right: lgamma and math
def log_average(kappa, d):
    import math

    if kappa == 0:
        return 0.0
    logs = [
        math.lgamma(d / 2)
        - math.lgamma(k + 1)
        - math.lgamma(k + d / 2)
        + 2 * k * math.log(kappa / 2)
        for k in range(4000)
    ]
    top = max(logs)
    return top + math.log(math.fsum(math.exp(x - top) for x in logs))


# %% log_average right: integrates over the angle
def log_average(kappa, d):
    t = (jnp.arange(40_000) + 0.5) * jnp.pi / 40_000
    log_density = (d - 2) * jnp.log(jnp.sin(t))
    inside = jax.nn.logsumexp(kappa * (jnp.cos(t) - 1) + log_density)
    return kappa + inside - jax.nn.logsumexp(log_density)


# %% gaussian_law wrong: alpha ignored
def gaussian_law(a, c, v, alpha):
    squares = (a**2).sum(1)[:, None] + (c**2).sum(1)
    return (v * a @ c.T - (v + 1) / 2 * squares) / (2 * v + 1) - a.shape[1] / 2 * np.log(2 * v + 1)


# %% gaussian_law wrong: no volume
def gaussian_law(a, c, v, alpha):
    P = alpha + 1 + 1 / v
    pull = alpha * a[:, None] + c[None]
    return 0.5 * ((pull**2).sum(2) / P - alpha * (a**2).sum(1)[:, None] - (c**2).sum(1))


# %% gaussian_law wrong: volume of one dimension
def gaussian_law(a, c, v, alpha):
    P = alpha + 1 + 1 / v
    pull = alpha * a[:, None] + c[None]
    fixed = alpha * (a**2).sum(1)[:, None] + (c**2).sum(1)
    return 0.5 * ((pull**2).sum(2) / P - fixed - np.log(v * P))


# %% gaussian_law wrong: sharpness on the wrong side
def gaussian_law(a, c, v, alpha):
    P = alpha + 1 + 1 / v
    pull = a[:, None] + alpha * c[None]
    fixed = (a**2).sum(1)[:, None] + alpha * (c**2).sum(1)
    return 0.5 * ((pull**2).sum(2) / P - fixed - a.shape[1] * np.log(v * P))


# %% gaussian_law wrong: v a standard deviation
def gaussian_law(a, c, v, alpha):
    v = v**2
    P = alpha + 1 + 1 / v
    pull = alpha * a[:, None] + c[None]
    fixed = alpha * (a**2).sum(1)[:, None] + (c**2).sum(1)
    return 0.5 * ((pull**2).sum(2) / P - fixed - a.shape[1] * np.log(v * P))


# %% gaussian_law wrong: the limit of a wide marginal
def gaussian_law(a, c, v, alpha):
    gap = ((a[:, None] - c[None]) ** 2).sum(2)
    return -0.5 * alpha / (alpha + 1) * gap - a.shape[1] / 2 * np.log(1 + v * (alpha + 1))


# %% gaussian_law wrong: Monte Carlo with few samples
def gaussian_law(a, c, v, alpha):
    b = np.random.default_rng(0).normal(size=(2000, a.shape[1])) * np.sqrt(v)
    left = -0.5 * alpha * ((a[:, None] - b[None]) ** 2).sum(2)
    right = -0.5 * ((b[:, None] - c[None]) ** 2).sum(2)
    return np.log(np.exp(left) @ np.exp(right) / len(b))


# %% gaussian_law right: loops over coordinates
def gaussian_law(a, c, v, alpha):
    import math

    out = np.zeros((len(a), len(c)))
    for i, x in enumerate(a):
        for j, y in enumerate(c):
            for s, t in zip(x, y, strict=True):
                P, h = alpha + 1 + 1 / v, alpha * s + t
                out[i, j] += h * h / (2 * P) - (alpha * s * s + t * t) / 2 - math.log(P * v) / 2
    return out


# %% gaussian_law right: two Gaussian convolutions in JAX
def gaussian_law(a, c, v, alpha):
    # b given a is Gaussian around m with variance s; then average the second factor.
    s = v / (1 + alpha * v)
    m = alpha * s * a[:, None, :]
    first = -0.5 * jnp.sum(a**2, -1)[:, None] * alpha / (1 + alpha * v) - 0.5 * a.shape[
        1
    ] * jnp.log1p(alpha * v)
    second = -0.5 * jnp.sum((m - c[None]) ** 2, -1) / (1 + s) - 0.5 * a.shape[1] * jnp.log1p(s)
    return first + second
