"""Contrastive losses on tables of logits.

Everywhere `logits[i, j]` scores candidate `j` for anchor `i`, and the positives, where there are
any, lie on the diagonal. All losses are means over anchors, in nats.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def info_nce(logits: Float[Array, "batch batch"], axis: int = 1) -> Float[Array, ""]:
    r"""Cross entropy of picking each anchor's positive among all candidates.

    $-\frac1B\sum_i \log \frac{e^{f_{ii}}}{\sum_j e^{f_{ij}}}$ (van den Oord et al. 2018, eq. 4).
    The best logits are $\log p(y \mid x) / p(y)$ plus any function of the anchor. With `axis=0`
    the roles of anchor and candidate change places.

    Raises:
        ValueError: there is nothing to choose from, because there is a single candidate.
    """
    if logits.shape[axis] < 2:
        raise ValueError("info_nce needs negatives: give it a batch of at least 2")
    return -jnp.mean(jnp.diagonal(jax.nn.log_softmax(logits, axis=axis)))


def symmetric_info_nce(logits: Float[Array, "batch batch"]) -> Float[Array, ""]:
    """The mean of `info_nce` over rows and over columns (Radford et al. 2021)."""
    return 0.5 * (info_nce(logits, axis=1) + info_nce(logits, axis=0))


def binary_nce(logits: Float[Array, "batch batch"]) -> Float[Array, ""]:
    r"""Logistic loss of telling positives (diagonal) from negatives (everything else).

    Positives and negatives weigh the same in total, so the best logits are
    $\log p(y \mid x) / p(y)$ without a free term (Gutmann & Hyvarinen 2010).

    Raises:
        ValueError: there is no negative, because the batch has a single row.
    """
    batch = len(logits)
    if batch < 2:
        raise ValueError("binary_nce needs negatives: give it a batch of at least 2")
    positive = jax.nn.softplus(-jnp.diagonal(logits))
    negative = jnp.where(jnp.eye(batch, dtype=bool), 0.0, jax.nn.softplus(logits))
    return jnp.mean(positive) + jnp.sum(negative) / (batch * (batch - 1))


def td_info_nce(
    next_logits: Float[Array, "batch batch"],
    random_logits: Float[Array, "batch candidates"],
    target_logits: Float[Array, "batch candidates"],
    gamma: float | Float[Array, ""],
) -> Float[Array, ""]:
    r"""InfoNCE whose far-future positives are bootstrapped (Zheng et al. 2024).

    $(1-\gamma)\,\mathrm{CE}(f(s, a, s'_{1:B}), \text{own } s') +
    \gamma\,\mathrm{CE}(f(s, a, r_{1:R}), \mathrm{softmax}\,\bar f(s', a', r_{1:R}))$.
    The softmax is the importance weight that turns random states into futures of $(s', a')$;
    no gradient flows through it.

    Args:
        next_logits: $f(s_i, a_i, s'_j)$, the next states of the batch.
        random_logits: $f(s_i, a_i, r_j)$, states drawn from the marginal.
        target_logits: $\bar f(s'_i, a'_i, r_j)$, the target critic on the same random states.
    """
    weights = jax.lax.stop_gradient(jax.nn.softmax(target_logits, axis=1))
    bootstrap = -jnp.sum(weights * jax.nn.log_softmax(random_logits, axis=1), axis=1)
    return (1 - gamma) * info_nce(next_logits) + gamma * jnp.mean(bootstrap)


def c_learning(
    next_logits: Float[Array, " batch"],
    random_logits: Float[Array, "batch *candidates"],
    target_logits: Float[Array, "batch *candidates"],
    gamma: float | Float[Array, ""],
    clip: float = 20.0,
) -> Float[Array, ""]:
    r"""Temporal-difference logistic loss of C-learning (Eysenbach et al. 2021).

    $(1-\gamma)\,\ell(f(s, a, s')) + \gamma\,w\,\ell(f(s, a, r)) + \ell(-f(s, a, r))$ with
    $\ell(x) = \log(1 + e^{-x})$ and the importance weight
    $w = \min(e^{\bar f(s', a', r)}, \text{clip})$, through which no gradient flows.

    Args:
        next_logits: $f(s_i, a_i, s'_i)$.
        random_logits: $f(s_i, a_i, r_j)$, states drawn from the marginal: several for each
            anchor, or one.
        target_logits: $\bar f(s'_i, a'_i, r_j)$, the target critic on the same random states.
        clip: the largest importance weight; the authors' code uses 20.
    """
    capped = jnp.minimum(target_logits, jnp.log(clip))  # before exp, so that nothing overflows
    weights = jax.lax.stop_gradient(jnp.exp(capped))
    positive = jax.nn.softplus(-next_logits)
    bootstrap = weights * jax.nn.softplus(-random_logits)
    negative = jax.nn.softplus(random_logits)
    return (1 - gamma) * jnp.mean(positive) + jnp.mean(gamma * bootstrap + negative)


def log_ratio_to_density(
    logits: Float[Array, "*anchors candidates"],
    log_marginal: Float[Array, " candidates"],
    normalise: bool = True,
) -> Float[Array, "*anchors candidates"]:
    r"""Turn $\log p(y \mid x) / p(y)$ back into $p(y \mid x)$ over all candidates.

    Normalise where the logits have a free term in the anchor (`info_nce`, `td_info_nce`); not
    where they have none (`binary_nce`, `c_learning`).

    Args:
        log_marginal: of the distribution that the negatives were drawn from.
    """
    joint = logits + log_marginal
    return jax.nn.softmax(joint, axis=-1) if normalise else jnp.exp(joint)


def half_squares(
    x: Float[Array, "*batch dim"], y: Float[Array, "columns dim"]
) -> Float[Array, "*batch columns"]:
    r"""Logits $-\frac12\|x_i-y_j\|^2$ of all pairs, by a product: no array of differences.

    Far from the origin the product would lose them to rounding, so it counts from the y's mean.
    """
    centre = jax.lax.stop_gradient(jnp.mean(y, axis=0))
    x, y = x - centre, y - centre
    return x @ y.T - 0.5 * (jnp.sum(x**2, axis=-1)[..., None] + jnp.sum(y**2, axis=-1))
