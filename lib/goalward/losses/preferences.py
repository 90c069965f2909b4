r"""Contrastive losses borrowed from preference learning, and two more of JaxGCRL's.

The table of logits is that of `goalward.losses.contrastive`: `logits[i, j]` scores candidate `j`
for anchor `i`, positives on the diagonal. Bortkiewicz et al. 2025 (arXiv 2408.11052) compare them
with InfoNCE; where a mean runs over all pairs, the diagonal is among them, as in their code.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Logits = Float[Array, "batch batch"]
Loss = Float[Array, ""]


def dpo(logits: Logits) -> Loss:
    r"""$-\frac1{B^2}\sum_{ij}\log\sigma(f_{ii}-f_{ij})$: the positive is preferred to each other.

    After direct preference optimisation (Rafailov et al. 2023). A function of the anchor is free.

    Raises:
        ValueError: there is no negative, because the batch has a single row.
    """
    return jnp.mean(jax.nn.softplus(-_lead(logits)))


def ipo(logits: Logits) -> Loss:
    r"""$\frac1{B^2}\sum_{ij}(f_{ii}-f_{ij}-1)^2$: the positive leads each other by 1.

    After identity preference optimisation (Azar et al. 2024). A function of the anchor is free.

    Raises:
        ValueError: there is no negative, because the batch has a single row.
    """
    return jnp.mean((_lead(logits) - 1) ** 2)


def sppo(logits: Logits) -> Loss:
    r"""$\frac1{B^2}\sum_{ij}w_{ij}(f_{ij}-y_{ij})^2$ with $y=\pm1$: 1 on the diagonal, else -1.

    After self-play preference optimisation (Wu et al. 2024). The diagonal weighs $w_{ii}=B$, so
    that positives and negatives count about the same; elsewhere $w=1$. Nothing is free.

    Raises:
        ValueError: there is no negative, because the batch has a single row.
    """
    eye = jnp.eye(_size(logits))
    weight = 1 + (len(logits) - 1) * eye
    return jnp.mean(weight * (logits - (2 * eye - 1)) ** 2)


def forward_backward(logits: Logits) -> Loss:
    r"""$\frac1B\sum_i\left[-f_{ii}+\frac12\frac1{B-1}\sum_{j\ne i}f_{ij}^2\right]$.

    The least squares of forward-backward representations (Touati & Ollivier 2021), without their
    bootstrap. The best logits are the ratio $p(y \mid x) / p(y)$ itself, not its logarithm.

    Raises:
        ValueError: there is no negative, because the batch has a single row.
    """
    others = jnp.where(jnp.eye(_size(logits), dtype=bool), 0.0, logits)
    return -jnp.mean(jnp.diagonal(logits)) + 0.5 * jnp.sum(others**2) / (logits.size - len(logits))


def flat_nce(logits: Logits) -> Loss:
    r"""$\frac1B\sum_i e^{c_i-\mathrm{sg}(c_i)}$ with $c_i=\log\sum_j e^{f_{ij}-f_{ii}}$.

    FlatNCE (Chen et al. 2021). Its value is 1 whatever the logits, and its gradient is exactly
    that of `info_nce`: another name, not another loss.

    Raises:
        ValueError: there is no negative, because the batch has a single row.
    """
    excess = jax.nn.logsumexp(-_lead(logits), axis=1)
    return jnp.mean(jnp.exp(excess - jax.lax.stop_gradient(excess)))


def _lead(logits: Logits) -> Logits:
    """By how much each anchor's positive is ahead of each candidate."""
    _size(logits)
    return jnp.diagonal(logits)[:, None] - logits


def _size(logits: Logits) -> int:
    if len(logits) < 2:
        raise ValueError("a contrastive loss needs negatives: give it a batch of at least 2")
    return len(logits)
