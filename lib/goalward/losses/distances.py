"""Losses that fit distances in nats to targets, one number a row, to be averaged."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def linex(
    distance: Float[Array, "*#batch"],
    target: Float[Array, "*#batch"],
    log_discount: float | Float[Array, "*#batch"] = 0.0,
    linear_beyond: float = jnp.inf,
) -> Float[Array, "..."]:
    r"""$w\,e^{d - d'} - d$ with $w=\gamma^k$: fits $e^{-d}$ to the mean of $w\,e^{-d'}$.

    The constant $d$ that minimises its mean is $-\log\mathbb E[w\,e^{-d'}]$: probabilities are
    averaged, not distances. Up to terms without $d$ it is the Bregman divergence of $-\log$
    between the two probabilities, and its slope $w\,e^{d-d'}-1$ does not vanish where both are
    tiny (Myers et al. 2025, arXiv 2509.20478, App. E; the linear-exponential loss of Varian 1975).

    Args:
        distance: $d$, in nats.
        target: $d'$, in nats; held still by the caller where it is bootstrapped.
        log_discount: $\log w$, such as $k\log\gamma$ where the target lies $k$ steps ahead.
        linear_beyond: where $d-d'$ is larger than this, the loss is $d-d'$ itself, of slope 1: the
            exponential cannot overflow. As in the authors' code, the value jumps there.
    """
    gap = distance - target
    # The minimum also keeps the branch not taken, and its gradient, finite.
    rise = jnp.exp(jnp.minimum(gap, linear_beyond) + log_discount)
    return jnp.where(gap > linear_beyond, gap, rise - distance)


def pairs_mean(table: Float[Array, "*members batch batch"], diagonal: float) -> Float[Array, ""]:
    r"""$(1-w)\,\overline{\ell_{ij}} + w\,\overline{\ell_{ii}}$: all pairs, and each row's own more.

    Args:
        table: losses $\ell_{ij}$ of row i with the goal of row j.
        diagonal: $w$, between 0 and 1; a row's own goal is one that it really came to.
    """
    own = jnp.diagonal(table, axis1=-2, axis2=-1)
    return (1 - diagonal) * jnp.mean(table) + diagonal * jnp.mean(own)
