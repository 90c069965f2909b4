r"""CRTR: contrastive learning that cannot win by naming the puzzle (Ziarko et al. 2025).

A batch takes every trajectory `repeats` times, so that some negatives come from the anchor's own
trajectory: what is constant in it, the *context*, tells nothing about them. One encoder
$\psi$ serves both states, and the logits are minus a squared distance.

The exact half of the file says what either sampling aims at, in worlds small enough to enumerate.
A world is one table of joint probabilities $p(x, x_+\mid c)$ for each context $c$; both states
reveal the context, and all contexts are equally likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from goalward.data.sampling import repeated_future_pairs
from goalward.data.trajectories import Dataset
from goalward.losses.contrastive import half_squares, symmetric_info_nce
from goalward.protocol import (
    ADAM,
    Key,
    LearnerState,
    Metrics,
    Params,
    check_discount,
    gradient_step,
    initial_state,
)

Joint = Float[np.ndarray, "states futures"]
Joints = Sequence[Float[np.ndarray, "_ _"]]
"""One table a context; contexts may have different numbers of states."""


@dataclass(frozen=True)
class CRTR:
    """Contrastive representations for temporal reasoning.

    Its data is a pair: how often a trajectory is repeated in a batch (1 is plain temporal
    contrastive learning), and the trajectories.

    Attributes:
        encoder: $\\psi$, of both states.
        batch_size: pairs in a batch; `repeats` divides it.
        gamma: futures lie a geometric number of steps ahead, at least one; the tail beyond the
            end of a trajectory is renormalised.
        scale: logits are $-\\text{scale}$ times the mean squared difference of two encodings.
        learning_rate: of Adam.
    """

    encoder: nn.Module
    batch_size: int = 128
    gamma: float = 0.9
    scale: float = 4.0
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: dict[str, Array]) -> LearnerState:
        """Fresh parameters; ``example`` is a batch."""
        params = self.encoder.init(key, example["state"])
        return initial_state(params, ADAM, self.learning_rate)

    def batch(self, data: tuple[int | Int[Array, ""], Dataset], key: Key) -> dict[str, Array]:
        """States and futures; `repeats` consecutive rows share a trajectory."""
        repeats, recorded = data
        anchor, future = repeated_future_pairs(recorded, key, self.batch_size, repeats, self.gamma)
        return {"state": recorded.observations[anchor], "future": recorded.observations[future]}

    def logits(self, params: Params, states: Array, futures: Array) -> Float[Array, "rows columns"]:
        r"""$f_{ij}=-\text{scale}\,\frac1d\|\psi(x_i)-\psi(x_{+,j})\|^2$ of all pairs."""
        x, y = self.encode(params, states), self.encode(params, futures)
        return 2 * self.scale / x.shape[-1] * half_squares(x, y)

    def encode(self, params: Params, states: Array) -> Float[Array, "rows features"]:
        r"""$\psi$; a search prefers states whose encoding is near that of the goal."""
        return jnp.asarray(self.encoder.apply(params, states))

    def loss(
        self, params: Params, state: LearnerState, batch: dict[str, Array], key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """InfoNCE over rows and over columns."""
        return symmetric_info_nce(self.logits(params, batch["state"], batch["future"])), {}

    def update(
        self, state: LearnerState, batch: dict[str, Array], key: Key
    ) -> tuple[LearnerState, Metrics]:
        """One Adam step."""
        return gradient_step(self.loss, state, batch, key, ADAM)


def log_ratio(joint: Joint) -> Float[np.ndarray, "states futures"]:
    r"""$\log\frac{p(x_+\mid x)}{p(x_+)}$ of a table $p(x, x_+)$: the best critic against $p(x_+)$.

    Of one context's table it is the best critic against negatives of the same context.
    """
    with np.errstate(divide="ignore"):
        return np.log(joint) - np.log(joint.sum(1)[:, None]) - np.log(joint.sum(0))


def information(joint: Joint) -> float:
    r"""$I(X; X_+)$ of a table of joint probabilities, in nats."""
    possible = joint > 0
    return float(np.sum(joint[possible] * log_ratio(joint)[possible]))


def all_contexts(joints: Joints) -> Float[np.ndarray, "all all"]:
    """The joint table over contexts: blocks on the diagonal, for states that reveal theirs."""
    sizes = np.cumsum([0, *(len(joint) for joint in joints)])
    table = np.zeros((sizes[-1], sizes[-1]))
    for low, high, joint in zip(sizes[:-1], sizes[1:], joints, strict=True):
        table[low:high, low:high] = joint / len(joints)
    return table


class Decomposition(NamedTuple):
    """$I(X;X_+)=I(X;X_+\\mid C)+H(C)$, each term computed on its own; in nats."""

    total: float
    within: float
    context: float


def decompose(joints: Joints) -> Decomposition:
    """How much of what the states tell of each other is the context."""
    within = float(np.mean([information(joint) for joint in joints]))
    return Decomposition(information(all_contexts(joints)), within, float(np.log(len(joints))))


def one_negative_loss(critic: Float[np.ndarray, "states futures"], joint: Joint) -> float:
    r"""InfoNCE in expectation with a single negative from $p(x_+)$ of the same table.

    $\mathbb E_{x, x_+, y}\,\log\bigl(1+e^{f(x, y)-f(x, x_+)}\bigr)$, $y\sim p(x_+)$ independent.
    """
    gap = critic[:, None, :] - critic[:, :, None]
    return float(np.sum(joint[:, :, None] * joint.sum(0) * np.logaddexp(0, gap)))
