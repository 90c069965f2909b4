r"""Energies: what a critic makes of the two encodings $\phi(s,a)$ and $\psi(g)$.

Bortkiewicz et al. 2025 (arXiv 2408.11052) compare five. Each scores matching rows or all pairs; a
larger value means a likelier future. All pairs come from one product of matrices where the formula
allows it, without an array of all differences.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.losses.contrastive import half_squares
from goalward.nets.critics import InnerProductCritic

Codes = Float[Array, "*batch features"]

SOFTENING = 1e-6
"""Added under the root, as in the authors' code: the gradient is finite where encodings meet."""


@dataclass(frozen=True)
class Energy:
    """An energy as two functions of $\\phi$ and $\\psi$.

    Attributes:
        rows: of matching rows, (…, features) and (…, features) to (…).
        pairs: of all pairs, (rows, features) and (columns, features) to (rows, columns).
    """

    rows: Callable[[Array, Array], Array]
    pairs: Callable[[Array, Array], Array]


class EnergyCritic(InnerProductCritic):
    """A critic over two encoders with any energy in the place of their inner product.

    Attributes:
        energy: one of this file's, or another.
    """

    energy: Energy | None = None

    def __call__(
        self, anchor: PyTree, future: Shaped[Array, "batch *dim"]
    ) -> Float[Array, " batch"]:
        """Energy of each anchor with its own future."""
        return self._energy.rows(self.encode_anchor(anchor), self.encode_future(future))

    def pairwise(
        self, anchors: PyTree, futures: Shaped[Array, "columns *dim"]
    ) -> Float[Array, "rows columns"]:
        """Energies of all pairs."""
        return self._energy.pairs(self.encode_anchor(anchors), self.encode_future(futures))

    @property
    def _energy(self) -> Energy:
        return L2 if self.energy is None else self.energy


def squares(phi: Codes, psi: Codes) -> Float[Array, "*batch"]:
    r"""$\|\phi-\psi\|^2$ of matching rows."""
    return jnp.sum((phi - psi) ** 2, axis=-1)


def square_pairs(
    phi: Float[Array, "rows features"], psi: Float[Array, "columns features"]
) -> Float[Array, "rows columns"]:
    r"""$\|\phi_i-\psi_j\|^2$ of all pairs, by one product, counted from the mean of $\psi$."""
    # Cancellation leaves little of a small distance: no fast, short products here.
    with jax.default_matmul_precision("highest"):
        return jnp.maximum(-2 * half_squares(phi, psi), 0.0)


def product_pairs(
    phi: Float[Array, "rows features"], psi: Float[Array, "columns features"]
) -> Float[Array, "rows columns"]:
    r"""$\phi_i\cdot\psi_j$ of all pairs."""
    return phi @ psi.T


def unit(codes: Codes) -> Codes:
    """Each row divided by its own length."""
    return codes / jnp.sqrt(jnp.sum(codes**2, axis=-1, keepdims=True) + SOFTENING)


def soft_root(squared: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    r"""$\sqrt{x+10^{-6}}$."""
    return jnp.sqrt(squared + SOFTENING)


L2 = Energy(
    lambda phi, psi: -soft_root(squares(phi, psi)),
    lambda phi, psi: -soft_root(square_pairs(phi, psi)),
)
r"""$-\sqrt{\|\phi-\psi\|^2+10^{-6}}$, which the authors recommend (`norm` in their code)."""

SQUARED_L2 = Energy(
    lambda phi, psi: -squares(phi, psi),
    lambda phi, psi: -square_pairs(phi, psi),
)
r"""$-\|\phi-\psi\|^2$ (`l2` in their code since 2025)."""

L1 = Energy(
    lambda phi, psi: -jnp.sum(jnp.abs(phi - psi), axis=-1),
    lambda phi, psi: -jnp.sum(jnp.abs(phi[:, None] - psi[None, :]), axis=-1),
)
r"""$-\|\phi-\psi\|_1$; no product gives all pairs of it."""

DOT = Energy(lambda phi, psi: jnp.sum(phi * psi, axis=-1), product_pairs)
r"""$\phi\cdot\psi$."""

COSINE = Energy(
    lambda phi, psi: jnp.sum(unit(phi) * unit(psi), axis=-1),
    lambda phi, psi: product_pairs(unit(phi), unit(psi)),
)
r"""$\phi\cdot\psi\,/\,(\|\phi\|\|\psi\|)$, each row by its own length, without a temperature."""

ENERGIES = {"l2": L2, "squared_l2": SQUARED_L2, "l1": L1, "dot": DOT, "cosine": COSINE}
"""By name, for whoever takes one from a command line."""
