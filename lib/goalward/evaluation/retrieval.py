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
    """Spearman's correlation: 1 where y is an increasing function of x.

    Equal values share the mean of their ranks, so their order in the arrays does not matter.

    Raises:
        ValueError: the sizes differ, or all values of one side are equal.
    """
    if x.size != y.size:
        raise ValueError(f"rank_correlation pairs values: sizes {x.size} and {y.size} differ")
    centred = [rank - rank.mean() for rank in (_ranks(x.ravel()), _ranks(y.ravel()))]
    norms = [np.linalg.norm(rank) for rank in centred]
    if min(norms) == 0:
        raise ValueError("rank_correlation needs values that differ: all of one side are equal")
    return float(centred[0] @ centred[1] / (norms[0] * norms[1]))


def _ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]
