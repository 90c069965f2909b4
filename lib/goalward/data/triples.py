"""Three modalities with a known joint law: two views of a hidden vector, all Gaussian."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class GaussianTriple:
    """Jointly Gaussian A, B and C, stacked in this order.

    Attributes:
        mean: of the stacked vector.
        cov: its covariance.
        dims: how many coordinates belong to A, B and C.
    """

    mean: Float[np.ndarray, " total"]
    cov: Float[np.ndarray, "total total"]
    dims: tuple[int, int, int]

    def sample(self, rng: np.random.Generator, n: int) -> list[Float[np.ndarray, "n dim"]]:
        """n draws of A, B and C, one array each; rows match."""
        noise = rng.normal(size=(n, len(self.mean)))
        rows = self.mean + noise @ np.linalg.cholesky(self.cov).T
        return np.split(rows, np.cumsum(self.dims)[:2], axis=1)

    def log_ratio(
        self,
        x: Float[np.ndarray, "n dim_x"],
        y: Float[np.ndarray, "m dim_y"],
        names: str = "ac",
    ) -> Float[np.ndarray, "n m"]:
        r"""The exact $\log p(y \mid x) / p(y)$ of every x with every y, in nats.

        Args:
            names: which two of `a`, `b` and `c` these are.
        """
        i, j = (self._part(name) for name in names)
        gain = np.linalg.solve(self.cov[i, i], self.cov[i, j]).T
        expected = self.mean[j] + (x - self.mean[i]) @ gain.T
        left = self.cov[j, j] - gain @ self.cov[i, j]
        given = np.linalg.cholesky(np.linalg.inv(left))
        alone = np.linalg.cholesky(np.linalg.inv(self.cov[j, j]))
        given_x, given_y = expected @ given, y @ given
        squares = np.sum(given_x**2, 1)[:, None] + np.sum(given_y**2, 1) - 2 * given_x @ given_y.T
        marginal = np.sum(((y - self.mean[j]) @ alone) ** 2, 1)
        logs = np.log(np.diag(given)).sum() - np.log(np.diag(alone)).sum()
        return logs - 0.5 * (squares - marginal)

    def markov(self) -> "GaussianTriple":
        """The triple with the same pairs (A, B) and (B, C) in which B makes A and C independent."""
        a, b, c = (self._part(name) for name in "abc")
        cov = self.cov.copy()
        cov[a, c] = cov[a, b] @ np.linalg.solve(cov[b, b], cov[b, c])
        cov[c, a] = cov[a, c].T
        return GaussianTriple(self.mean, cov, self.dims)

    def _part(self, name: str) -> slice:
        ends = np.cumsum((0, *self.dims))
        k = "abc".index(name)
        return slice(int(ends[k]), int(ends[k + 1]))


def two_views(
    hidden: Float[np.ndarray, "dim_b dim_b"],
    view_a: Float[np.ndarray, "dim_a dim_b"],
    view_c: Float[np.ndarray, "dim_c dim_b"],
    noise: float,
    shared: float = 0.0,
    mean: Float[np.ndarray, " dim_b"] | None = None,
) -> GaussianTriple:
    r"""$A = V_A B + \sigma\epsilon_A + s\zeta$ and $C = V_C B + \sigma\epsilon_C + s\zeta$.

    Args:
        hidden: covariance of B.
        noise: $\sigma$, standard deviation of what is private to A and to C.
        shared: $s$, standard deviation of what A and C share beside B; they then depend on each
            other given B.
        mean: of B; zero if left out.

    Raises:
        ValueError: something is shared although A and C differ in size.
    """
    dims = (len(view_a), len(hidden), len(view_c))
    if shared and dims[0] != dims[2]:
        raise ValueError(f"A and C must have equal sizes to share noise, not {dims[0]}, {dims[2]}")
    views = np.vstack([view_a, np.eye(len(hidden)), view_c])
    cov = views @ hidden @ views.T
    for k in (0, dims[0] + dims[1]):
        size = dims[0] if k == 0 else dims[2]
        cov[k : k + size, k : k + size] += (noise**2 + shared**2) * np.eye(size)
    if shared:
        cross = shared**2 * np.eye(dims[0])
        cov[: dims[0], -dims[2] :] += cross
        cov[-dims[2] :, : dims[0]] += cross
    return GaussianTriple(views @ (np.zeros(dims[1]) if mean is None else mean), cov, dims)


def random_triple(
    rng: np.random.Generator,
    dims: tuple[int, int, int] = (32, 16, 32),
    noise: float = 2.0,
    shared: float = 0.0,
) -> GaussianTriple:
    r"""`two_views` with everything drawn from U(-1, 1) (the synthetic set-up of Che & Eysenbach).

    B has covariance $M^\top M$; M, the mean and both views are random.
    """
    a, b, c = dims
    root, view_a, view_c = (rng.uniform(-1, 1, size=s) for s in ((b, b), (a, b), (c, b)))
    mean = rng.uniform(-1, 1, size=b)
    return two_views(root.T @ root, view_a, view_c, noise, shared, mean)
