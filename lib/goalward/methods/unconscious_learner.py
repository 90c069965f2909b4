r"""Contrast A with B and B with C; compare A with C.

Che & Eysenbach 2025, "The 'Law' of the Unconscious Contrastive Learner". A contrastive critic
$f(x, y)$ estimates $\log p(y \mid x) / p(y)$. Where A and C are independent given B, integrating B
out of two such ratios gives the third; where codes of B are uniform on the sphere, that integral is
an increasing function of the cosine between the codes of A and C.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from goalward.losses.contrastive import symmetric_info_nce
from goalward.nets.unit import unit
from goalward.protocol import ADAM, Key, LearnerState, Metrics, gradient_step, initial_state

Pairs = tuple[tuple[Array, Array], ...]
"""For each pair of modalities, rows of the one and the matching rows of the other."""


def lse_scores(
    ab: Float[np.ndarray, "a bank"], bc: Float[np.ndarray, "bank c"]
) -> Float[np.ndarray, "a c"]:
    r"""$\log \frac1N \sum_i e^{f(A, b_i) + f(b_i, C)}$ over a bank of samples $b_i \sim p(B)$.

    Che & Eysenbach 2025, Lemma 1: estimates $\log p(C \mid A) / p(C)$ where A and C are
    independent given B. It is biased low for a small bank.

    Args:
        ab: log ratios of every A with every entry of the bank.
        bc: log ratios of the same entries, in the same order, with every C.
    """
    top_a, top_c = (
        np.where(np.isneginf(top), 0.0, top)  # a critic may rule a pair out
        for top in (ab.max(axis=1, keepdims=True), bc.max(axis=0, keepdims=True))
    )
    total = np.exp(ab - top_a) @ np.exp(bc - top_c)
    with np.errstate(divide="ignore"):
        scores = np.log(total) + top_a + top_c
        for i, j in np.argwhere(total < 1e-280):  # both maxima far apart: the product underflows
            scores[i, j] = np.logaddexp.reduce(ab[i] + bc[:, j])
    return scores - np.log(len(bc))


def effective_sample_size(
    ab: Float[np.ndarray, "a bank"], bc: Float[np.ndarray, "bank c"]
) -> Float[np.ndarray, "a c"]:
    r"""How many entries of the bank carry the sum, $(\sum_i w_i)^2 / \sum_i w_i^2$.

    From 1 to the bank's size; 0 where every entry is ruled out.
    """
    once, twice = lse_scores(ab, bc), lse_scores(2 * ab, 2 * bc)
    exponent = np.full_like(once, -np.inf)
    np.subtract(2 * once, twice, out=exponent, where=~np.isneginf(once))
    return np.asarray(len(bc) * np.exp(exponent))


def log_vmf_integral(kappa: Float[np.ndarray, "*batch"] | float, d: int) -> np.ndarray:
    r"""$\log \mathbb E_b[e^{\kappa\,e^\top b}]$ for b uniform on the unit sphere in d dimensions.

    The normaliser of the von Mises-Fisher distribution,
    $\Gamma(\tfrac d2)(2/\kappa)^{d/2-1} I_{d/2-1}(\kappa)$, by its power series: all terms are
    positive, so that nothing cancels.

    Raises:
        ValueError: `d` is below 2, or a `kappa` is negative.
    """
    kappa = np.asarray(kappa, dtype=np.float64)
    if d < 2 or (kappa < 0).any():
        raise ValueError("log_vmf_integral takes d >= 2 and kappa >= 0")
    k = np.arange(1, int(1.5 * kappa.max(initial=0.0)) + 60)  # the largest term is near kappa / 2
    with np.errstate(divide="ignore"):
        steps = 2 * np.log(kappa[..., None] / 2) - np.log(k * (k - 1 + d / 2))
    return np.asarray(np.logaddexp.reduce(np.cumsum(steps, axis=-1), axis=-1, initial=0.0))


def sphere_bridge(cosine: Float[np.ndarray, "*batch"] | float, tau: float, d: int) -> np.ndarray:
    r"""The law: $\log p(C \mid A)/p(C)$ from $\cos = \phi_A^\top \phi_C$, an increasing function.

    For critics $\tau\,\phi_A^\top\phi_B$ and $\tau\,\phi_B^\top\phi_C$ of unit vectors with
    $\phi_B$ uniform on the sphere (Che & Eysenbach 2025, Lemma 2), up to the critics' constants.

    Raises:
        ValueError: as `log_vmf_integral`.
    """
    length = np.sqrt(np.maximum(2 + 2 * np.asarray(cosine, dtype=np.float64), 0.0))
    return log_vmf_integral(tau * length, d)


def gaussian_bridge(
    a: Float[np.ndarray, "*batch d"], c: Float[np.ndarray, "*batch d"], variance: float
) -> Float[np.ndarray, "*batch"]:
    r"""The law without unit vectors: $\log\mathbb E_b[e^{-\|a-b\|^2/2-\|b-c\|^2/2}]$.

    For $b \sim \mathcal N(0, vI)$; as v grows it tends to $-\tfrac14\|a-c\|^2$ plus a constant
    (Che & Eysenbach 2025, Lemma 3).
    """
    v, d = variance, a.shape[-1]
    squares = np.sum(a**2, axis=-1) + np.sum(c**2, axis=-1)
    exponent = v * np.sum(a * c, axis=-1) - (v + 1) / 2 * squares
    return np.asarray(exponent / (2 * v + 1) - d / 2 * np.log(2 * v + 1))


@dataclass(frozen=True)
class UnconsciousLearner:
    """The learner: unit codes of several modalities, contrasted in the pairs that it is given.

    Attributes:
        encoder: a Linen module from an observation to its code; each name below has its own
            parameters, and the code is scaled to length one.
        pairs: names of the two encoders of each pair. A name that stands in two pairs is one
            shared encoder: `(("a", "b"), ("b", "c"))` is the paper's learner,
            `(("a", "b1"), ("b2", "c"))` two separate models.
        batch_size: matching rows of each pair in a batch.
        learning_rate: where the state's step size starts.
        transform: the optimiser without its step size.
        scale: where the learned factor tau of each pair's cosines starts.
    """

    encoder: nn.Module
    pairs: tuple[tuple[str, str], ...]
    batch_size: int = 64
    learning_rate: float = 3e-3
    transform: optax.GradientTransformation = ADAM
    scale: float = 1 / 0.07

    def init(self, key: Key, example: Pairs) -> LearnerState:
        """Fresh parameters of every encoder, and a scale for each pair."""
        encoders: dict[str, PyTree] = {}
        for names, sides in zip(self.pairs, example, strict=True):
            for name, side in zip(names, sides, strict=True):
                if name not in encoders:
                    key, key_init = jax.random.split(key)
                    encoders[name] = self.encoder.init(key_init, side)
        log_scale = jnp.full(len(self.pairs), jnp.log(self.scale))
        params = {"encoders": encoders, "log_scale": log_scale}
        return initial_state(params, self.transform, self.learning_rate)

    def batch(self, data: Pairs, key: Key) -> Pairs:
        """For each pair, matching rows drawn with replacement, independently of the others."""
        keys = jax.random.split(key, len(data))
        rows = [
            jax.random.randint(k, (self.batch_size,), 0, len(x))
            for k, (x, _) in zip(keys, data, strict=True)
        ]
        return tuple((x[i], y[i]) for i, (x, y) in zip(rows, data, strict=True))

    def loss(
        self, params: PyTree, state: LearnerState, batch: Pairs, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """The sum over pairs of the symmetric InfoNCE of scaled cosines."""
        losses = [
            symmetric_info_nce(self.logits(params, i, x, y)) for i, (x, y) in enumerate(batch)
        ]
        return jnp.sum(jnp.stack(losses)), {}

    def update(self, state: LearnerState, batch: Pairs, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step."""
        return gradient_step(self.loss, state, batch, key, self.transform)

    def encode(self, params: PyTree, name: str, x: Float[Array, "n dim"]) -> Float[Array, "n d"]:
        """Unit codes of one modality by the encoder of that name."""
        code = jnp.asarray(self.encoder.apply(params["encoders"][name], x))
        return unit(code)

    def logits(self, params: PyTree, pair: int, x: Array, y: Array) -> Float[Array, "rows columns"]:
        """The critic of the pair of that number: scaled cosines of every row with every column."""
        first, second = self.pairs[pair]
        cosines = self.encode(params, first, x) @ self.encode(params, second, y).T
        return jnp.exp(params["log_scale"][pair]) * cosines
