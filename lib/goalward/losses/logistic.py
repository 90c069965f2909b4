"""Logistic losses on tables of logits in which all pairs weigh the same."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def all_pairs_nce(logits: Float[Array, "batch batch"]) -> Float[Array, ""]:
    r"""Mean logistic loss over all $B^2$ pairs of telling the diagonal from the rest.

    $\frac1{B^2}\sum_{ij} \mathrm{BCE}(\sigma(f_{ij}), \mathbb 1\{i = j\})$. The single positive of
    a row meets $B - 1$ negatives of the same weight, so the best logits are
    $\log p(y \mid x) / p(y) - \log(B - 1)$, where `goalward.losses.contrastive.binary_nce` balances
    the two kinds. This is the critic's loss in OGBench's contrastive RL (Park et al. 2025).
    """
    return jnp.mean(jax.nn.softplus(logits)) - jnp.trace(logits) / logits.size
