r"""Planning and inference by interpolating contrastive representations.

Eysenbach, Myers, Salakhutdinov, Levine 2024, "Inference via Interpolation". Two parts: a learner
for the representations $\psi$ and the matrix $A$ of the critic
$f(x, x') = -\frac12\|A\psi(x) - \psi(x')\|^2$, and `GaussMarkov`, which answers questions about the
representations of a time series in closed form.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int, PyTree

from goalward.losses.contrastive import half_squares, info_nce, symmetric_info_nce
from goalward.protocol import Batch, Key, LearnerState, Metrics, gradient_step, initial_state

AnyArray = Array | np.ndarray
Pairs = Callable[[PyTree, Key], Batch]


@dataclass(frozen=True, eq=False)
class GaussMarkov:
    r"""The chain $\psi' \mid \psi \sim \mathcal N(\frac{c}{c+1}A\psi, \frac{c}{c+1}I)$.

    It follows from a critic $-\frac12\|A\psi-\psi'\|^2$ that is the log of $p(x'|x)/p(x')$ up to a
    function of $x$, and a marginal $\mathcal N(0, cI)$ (Eysenbach et al. 2024). Every
    method computes in the library and the precision of `A`: NumPy in float64, or JAX under jit.

    Attributes:
        A: Maps a representation to the mean of the next one, up to the factor c / (c + 1).
        c: Variance of each coordinate of the marginal over representations; positive.
    """

    A: Float[AnyArray, "d d"]
    c: Any

    def predict(
        self, past: Float[AnyArray, "*batch d"]
    ) -> tuple[Float[AnyArray, "*batch d"], Float[AnyArray, "d d"]]:
        """Mean and covariance of the next representation given the present one."""
        shrink = self.c / (self.c + 1)
        return shrink * past @ self.A.T, shrink * self._eye

    def retrodict(
        self, future: Float[AnyArray, "*batch d"]
    ) -> tuple[Float[AnyArray, "*batch d"], Float[AnyArray, "d d"]]:
        r"""Mean and covariance of the representation one step before.

        $\mathcal N(\Sigma A^\top\psi', \Sigma)$ with
        $\Sigma^{-1} = \frac{c}{c+1}A^\top A + \frac1c I$: Bayes with the *normalised* kernel and
        the prior $\mathcal N(0, cI)$.
        """
        precision = self.c / (self.c + 1) * self.A.T @ self.A + self._eye / self.c
        cov = self._xp.linalg.inv(precision)
        return future @ self.A @ cov, cov

    def waypoints(
        self, start: Float[AnyArray, "*batch d"], end: Float[AnyArray, "*batch d"], n: int
    ) -> tuple[Float[AnyArray, "*batch n d"], Float[AnyArray, "nd nd"]]:
        r"""Mean and covariance of the n representations between two given ones.

        The mean solves $M\mu=\eta$ with `precision` $M$ and
        $\eta=(A\psi_0, 0, \dots, 0, A^\top\psi_{n+1})$; the covariance is $M^{-1}$ for every pair
        of ends. One step of the chain is one of the n + 1 strides between the ends.
        """
        eta = self._linear_term(start, end, n)
        cov = self._xp.linalg.inv(self.precision(n))
        return (eta.reshape(*eta.shape[:-2], -1) @ cov).reshape(eta.shape), cov

    def precision(self, n: int) -> Float[AnyArray, "nd nd"]:
        r"""The block-tridiagonal precision of n waypoints given both ends.

        Diagonal blocks $\frac{c+1}{c}I+\frac{c}{c+1}A^\top A$; block $(i+1, i)$ is $-A$ and block
        $(i, i+1)$ is $-A^\top$.
        """
        below = self._xp.eye(n, k=-1, dtype=self.A.dtype)
        chain = self._xp.kron(below, self.A)
        return self._xp.kron(self._xp.eye(n, dtype=self.A.dtype), self._diagonal) - chain - chain.T

    def smooth(
        self, start: Float[AnyArray, "*batch d"], end: Float[AnyArray, "*batch d"], n: int
    ) -> tuple[Float[AnyArray, "*batch n d"], Float[AnyArray, "n d d"]]:
        """Mean and covariance of each waypoint by block elimination: linear in n, not cubic.

        A pass forward removes the past (the filter) and a pass backward adds the future (the
        smoother); `waypoints` gives the same means, and these covariances on its diagonal.
        """
        inv, eta = self._xp.linalg.inv, self._linear_term(start, end, n)
        filtered_cov = [inv(self._diagonal)]
        filtered = [eta[..., 0, :] @ filtered_cov[0]]
        for i in range(1, n):
            filtered_cov.append(inv(self._diagonal - self.A @ filtered_cov[-1] @ self.A.T))
            filtered.append((eta[..., i, :] + filtered[-1] @ self.A.T) @ filtered_cov[-1])
        means, covs = [filtered[-1]], [filtered_cov[-1]]
        for i in range(n - 2, -1, -1):
            gain = filtered_cov[i] @ self.A.T
            means.append(filtered[i] + means[-1] @ gain.T)
            covs.append(filtered_cov[i] + gain @ covs[-1] @ gain.T)
        return self._xp.stack(means[::-1], axis=-2), self._xp.stack(covs[::-1])

    def sample(
        self,
        noise: Float[AnyArray, "samples n d"],
        start: Float[AnyArray, " d"],
        end: Float[AnyArray, " d"],
    ) -> Float[AnyArray, "samples n d"]:
        """Paths of n waypoints from the posterior; `noise` is standard normal, one path a row."""
        mean, cov = self.waypoints(start, end, noise.shape[1])
        root = self._xp.linalg.cholesky(cov)
        return mean + (noise.reshape(len(noise), -1) @ root.T).reshape(noise.shape)

    @property
    def consistency(self) -> Float[AnyArray, " d"]:
        r"""Singular values of $A$ over $\sqrt{(c+1)/c}$: all 1 where $\mathcal N(0,cI)$ is kept.

        Only then do the transition and the marginal fit together; a diagnostic after training.
        """
        values = self._xp.linalg.svd(self.A, compute_uv=False)
        return values / self._xp.sqrt((self.c + 1) / self.c)

    @property
    def _xp(self) -> Any:
        return np if isinstance(self.A, np.ndarray) else jnp

    @property
    def _eye(self) -> AnyArray:
        return self._xp.eye(len(self.A), dtype=self.A.dtype)

    @property
    def _diagonal(self) -> AnyArray:
        return (self.c + 1) / self.c * self._eye + self.c / (self.c + 1) * self.A.T @ self.A

    def _linear_term(self, start: AnyArray, end: AnyArray, n: int) -> AnyArray:
        if n < 1:
            raise ValueError(f"the number of waypoints must be at least 1, not {n}")
        zeros = self._xp.zeros((*start.shape[:-1], n - 1, start.shape[-1]), dtype=self.A.dtype)
        first, last, join = start @ self.A.T, end @ self.A, self._xp.concatenate
        return join([first[..., None, :], zeros], -2) + join([zeros, last[..., None, :]], -2)


def temporal_logits(
    past: Float[Array, "batch d"], future: Float[Array, "batch2 d"], A: Float[Array, "d d"]
) -> Float[Array, "batch batch2"]:
    r"""The critic $-\frac12\|A\psi_i-\psi'_j\|^2$ of every past with every future.

    The sum over coordinates, not the mean: the scale is what makes the exponential a density ratio.
    """
    return half_squares(past @ A.T, future)


def cayley(X: Float[Array, "d d"]) -> Float[Array, "d d"]:
    r"""The orthogonal matrix $(I+S)(I-S)^{-1}$ of the antisymmetric $S=X-X^\top$."""
    S = X - X.T
    eye = jnp.eye(len(X), dtype=X.dtype)
    return jnp.linalg.solve((eye - S).T, (eye + S).T).T


def dual_norm_penalty(
    codes: Float[Array, "*batch d"], log_multiplier: Float[Array, ""], c: float
) -> Float[Array, ""]:
    r"""A Lagrange term that holds the mean square of a coordinate at or below c.

    Minimised in both arguments: $\lambda$ pulls the codes in, and
    $\log\lambda\,(c-\ell_2)$ raises $\lambda$ while the mean square $\ell_2$ is above c.
    """
    size = jnp.mean(codes**2)
    stop = jax.lax.stop_gradient
    return stop(jnp.exp(log_multiplier)) * size + log_multiplier * (c - stop(size))


def nearest(bank: Float[Array, "m d"], queries: Float[Array, "*batch d"]) -> Int[Array, "*batch"]:
    """Index of the bank's entry nearest to each query: how a representation is decoded."""
    return jnp.argmax(half_squares(queries, bank), axis=-1)


@dataclass(frozen=True)
class TemporalContrastive:
    """Learns the encoder and the matrix A by contrasting a future with other series' futures.

    Attributes:
        encoder: Observation to representation.
        pairs: Draws a batch from the data: an observation and a later one of the same series, each
            with a leading batch axis.
        transform: Direction of a step, such as `optax.scale_by_adam()`.
        learning_rate: Step size, kept in the state.
        symmetric: Also contrast pasts given a future. The default is the loss of the theory. A
            traced truth value will do.
        c: Bound on the mean square of a coordinate (`dual_norm_penalty`); None leaves it free.
        orthogonal: Keep A orthogonal by `cayley` in place of a free matrix.
    """

    encoder: nn.Module
    pairs: Pairs
    transform: optax.GradientTransformation
    learning_rate: float = 3e-4
    symmetric: bool | Array = False
    c: float | None = None
    orthogonal: bool = False

    def init(self, key: Key, example: Batch) -> LearnerState:
        """A fresh encoder, A = I, and the multiplier 1e-3 of the norm constraint."""
        codes, weights = self.encoder.init_with_output(key, example[0])
        d = codes.shape[-1]
        params = {
            "encoder": weights,
            "A": jnp.zeros((d, d)) if self.orthogonal else jnp.eye(d),
            "log_multiplier": jnp.asarray(np.log(1e-3), jnp.float32),
        }
        return initial_state(params, self.transform, self.learning_rate)

    def batch(self, data: PyTree, key: Key) -> Batch:
        """Pairs of an observation and a future one."""
        return self.pairs(data, key)

    def loss(
        self, params: PyTree, state: LearnerState, batch: Batch, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """InfoNCE of the batch's futures given its pasts, and the norm constraint."""
        past, future = (self.encode(params, x) for x in batch)
        logits = temporal_logits(past, future, self.transition(params))
        nce = jnp.where(self.symmetric, symmetric_info_nce(logits), info_nce(logits))
        metrics = {"info_nce": nce, "mean_square": jnp.mean(past**2)}
        if self.c is None:
            return nce, metrics
        codes = jnp.concatenate([past, future])
        return nce + dual_norm_penalty(codes, params["log_multiplier"], self.c), metrics

    def update(self, state: LearnerState, batch: Batch, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step on the encoder, A and the multiplier."""
        return gradient_step(self.loss, state, batch, key, self.transform)

    def encode(self, params: PyTree, x: Float[Array, "*batch obs"]) -> Float[Array, "*batch d"]:
        r"""The representation $\psi(x)$."""
        return jnp.asarray(self.encoder.apply(params["encoder"], x))

    def transition(self, params: PyTree) -> Float[Array, "d d"]:
        """The matrix A."""
        return cayley(params["A"]) if self.orthogonal else params["A"]

    def chain(self, params: PyTree, codes: Float[Array, "m d"]) -> GaussMarkov:
        """The learned chain, with c measured as the mean square of a coordinate of `codes`."""
        return GaussMarkov(self.transition(params), jnp.mean(codes**2))
