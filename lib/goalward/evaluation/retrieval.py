"""Retrieval: pick what belongs together, from scores of all pairs."""

import numpy as np
from jaxtyping import Float


def retrieval_accuracy(scores: Float[np.ndarray, "*batches rows columns"]) -> float:
    """Share of rows whose own column (the diagonal) has the highest score; chance is 1 / rows.

    Ties count as the first of the tied columns.

    Raises:
        ValueError: the last two axes differ.
    """
    rows, columns = scores.shape[-2:]
    if rows != columns:
        raise ValueError(f"scores must be square, row i belongs to column i, not {scores.shape}")
    return float(np.mean(scores.argmax(axis=-1) == np.arange(rows)))


def rank_correlation(x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."]) -> float:
    """Spearman's correlation: 1 where y is an increasing function of x. Ties are broken by order.

    Raises:
        ValueError: the sizes differ.
    """
    if x.size != y.size:
        raise ValueError(f"rank_correlation pairs values: sizes {x.size} and {y.size} differ")
    ranks = [np.argsort(np.argsort(values.ravel())) for values in (x, y)]
    centred = [rank - rank.mean() for rank in ranks]
    return float(centred[0] @ centred[1] / (centred[0] @ centred[0]))
