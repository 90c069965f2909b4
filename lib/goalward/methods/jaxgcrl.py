r"""JaxGCRL: what a contrastive loss leaves free, exactly, and an agent of any mixture of them.

Bortkiewicz et al. 2025 (arXiv 2408.11052) put environment, replay and learner into one program and
compare energies and contrastive losses. Here is what decides between their losses in a table: the
loss of infinitely many pairs, and how much of the logits it does not determine. In a finite process
$M$ is the table of $p(g \mid s, a)$, one row for each of the equally likely pairs $(s, a)$, and
$p$ its mean over rows. Logits $F$ have the same shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jaxtyping import Array, Bool, Float

from goalward.baselines.goal_actor_critic import GoalActorCritic
from goalward.data.goals import HindsightTransitions
from goalward.data.trajectories import Dataset
from goalward.losses.contrastive import info_nce
from goalward.nets.energies import COSINE, DOT, L2, Energy
from goalward.protocol import Key, LearnerState, Metrics, Params

Table = Float[Array, "anchors goals"]
Size = float | Float[Array, ""]
Population = Callable[[Table, Table, Size], Array]
"""(F, M, batch) to the mean loss over all batches of that size, up to a constant."""


def log_partition(F: Table, M: Table, batch: Size) -> Float[Array, " anchors"]:
    r"""$\log\left(B\,\mathbb E_{p(g)}e^{F(s,a,g)}\right)$, the limit of $\mathrm{lse}_jF_{ij}$."""
    return jnp.log(batch) + jax.nn.logsumexp(F, axis=1, b=M.mean(axis=0))


def forward(F: Table, M: Table, batch: Size) -> Array:
    """InfoNCE over goals, in the limit of many negatives. Best: the log ratio + $c(s,a)$."""
    return jnp.mean(log_partition(F, M, batch) - jnp.sum(M * F, axis=1))


def backward(F: Table, M: Table, batch: Size) -> Array:
    """InfoNCE over pairs (s, a), in the same limit. Best: the log ratio + $c(g)$."""
    columns = jnp.log(batch) + jax.nn.logsumexp(F, axis=0, b=1 / len(F))
    return jnp.sum(M.mean(axis=0) * columns) - jnp.mean(jnp.sum(M * F, axis=1))


def symmetric(F: Table, M: Table, batch: Size) -> Array:
    """The mean of the two. Best: the log ratio + a constant."""
    return 0.5 * (forward(F, M, batch) + backward(F, M, batch))


def logistic(F: Table, M: Table, batch: Size) -> Array:
    """All pairs told apart with equal weights. Best: the log ratio - log(B - 1)."""
    negatives = (batch - 1) * jnp.sum(M.mean(axis=0) * jax.nn.softplus(F), axis=1)
    return jnp.mean(jnp.sum(M * jax.nn.softplus(-F), axis=1) + negatives) / batch


def dpo(F: Table, M: Table, batch: Size) -> Array:
    """Of a positive and a negative, the positive. Best: the log ratio + $c(s,a)$."""
    weight = (1 - 1 / batch) * M[:, :, None] * M.mean(axis=0)
    return jnp.mean(jnp.sum(weight * jax.nn.softplus(F[:, None, :] - F[:, :, None]), axis=(1, 2)))


def ipo(F: Table, M: Table, batch: Size) -> Array:
    """A lead of 1, by least squares. The best logits have a free $c(s,a)$."""
    p = M.mean(axis=0)
    own, other = jnp.sum(M * F, axis=1), jnp.sum(p * F, axis=1)
    squares = jnp.sum((M + p) * F**2, axis=1)
    return (1 - 1 / batch) * jnp.mean(squares - 2 * own * other - 2 * (own - other))


def sppo(F: Table, M: Table, batch: Size) -> Array:
    """Targets +1 and -1, by least squares. Best: (M - kp) / (M + kp) with k = (B - 1) / B."""
    others = (1 - 1 / batch) * jnp.sum(M.mean(axis=0) * (F + 1) ** 2, axis=1)
    return jnp.mean(jnp.sum(M * (F - 1) ** 2, axis=1) + others)


def forward_backward(F: Table, M: Table, batch: Size) -> Array:
    """Least squares to the ratio. Best: M / p."""
    return jnp.mean(jnp.sum(0.5 * M.mean(axis=0) * F**2 - M * F, axis=1))


POPULATION: dict[str, Population] = {
    "forward": forward, "backward": backward, "symmetric": symmetric, "logistic": logistic,
    "DPO": dpo, "IPO": ipo, "SPPO": sppo, "FB": forward_backward,
}  # fmt: skip


def descend(
    name: str,
    M: Table,
    starts: Float[Array, "runs anchors goals"],
    penalties: Float[Array, " runs"],
    *,
    steps: int = 300,
    batch: float = 128.0,
    learning_rate: float = 0.1,
) -> Float[Array, "runs anchors goals"]:
    r"""Logits after exact gradient steps on a loss plus $\rho\,\overline{\log^2 Z}$, by run.

    Adam, whose step size falls from `learning_rate` to 0 along a cosine; $Z$ as in
    `log_partition`. The name is one of `POPULATION`, and all losses are one compiled program.
    """
    number = list(POPULATION).index(name)
    return _descend(number, M, starts, penalties, batch, steps, learning_rate)


@partial(jax.jit, static_argnums=(5, 6))
def _descend(
    number: int | Array,
    M: Table,
    starts: Float[Array, "runs anchors goals"],
    penalties: Float[Array, " runs"],
    batch: Size,
    steps: int,
    learning_rate: float,
) -> Float[Array, "runs anchors goals"]:
    adam = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))

    def total(F: Table, penalty: Array) -> Array:
        loss = jax.lax.switch(number, tuple(POPULATION.values()), F, M, batch)
        return loss + penalty * jnp.mean(log_partition(F, M, batch) ** 2)

    def run(F: Table, penalty: Array) -> Table:
        def step(carry: tuple, _: None) -> tuple[tuple, None]:
            F, moments = carry
            direction, moments = adam.update(jax.grad(total)(F, penalty), moments)
            return (F + direction, moments), None

        return jax.lax.scan(step, (F, adam.init(F)), None, steps)[0][0]

    return jax.vmap(run)(starts, penalties)


def greedy_accuracy(
    F: Float[np.ndarray, "states actions goals"], M: Float[np.ndarray, "states actions goals"]
) -> float:
    """Share of (state, other goal) whose best action by F is one of the best by M."""
    best = M.max(axis=1, keepdims=True) * (1 - 1e-9) <= M
    chosen = np.take_along_axis(best, F.argmax(axis=1)[:, None], axis=1)[:, 0]
    return float(chosen[~np.eye(len(F), dtype=bool)].mean())


def offsets(
    error: Float[np.ndarray, "anchors goals"], known: Bool[np.ndarray, "anchors goals"], axis: int
) -> Float[np.ndarray, "..."]:
    """Mean error of each row (axis 1) or column (axis 0) over the entries that count."""
    return np.where(known, error, 0.0).sum(axis=axis) / known.sum(axis=axis)


def unexplained(
    error: Float[np.ndarray, "anchors goals"], known: Bool[np.ndarray, "anchors goals"], free: str
) -> float:
    """Root mean square of the errors, once what the loss leaves free is removed.

    Args:
        error: logits minus the exact log ratio.
        known: the entries that count.
        free: "rows", "columns", "constant" or "nothing".

    Raises:
        ValueError: `free` is none of these.
    """
    if free == "rows":
        error = error - offsets(error, known, axis=1)[:, None]
    elif free == "columns":
        error = error - offsets(error, known, axis=0)[None, :]
    elif free == "constant":
        error = error - error[known].mean()
    elif free != "nothing":
        raise ValueError(f"free is rows, columns, constant or nothing, not {free!r}")
    return float(np.sqrt(np.mean(error[known] ** 2)))


@struct.dataclass
class Mixture:
    """Which energy and which loss, as weights: several agents are one program.

    Attributes:
        energies: of the agent's energies.
        losses: of InfoNCE over rows (forward) and over columns (backward).
        penalty: of the squared log partition function of the rows.
    """

    energies: Float[Array, "*seeds energies"]
    losses: Float[Array, "*seeds 2"]
    penalty: Float[Array, "*seeds"]


@dataclass(frozen=True, kw_only=True)
class MixedContrastiveRL(GoalActorCritic):
    """Contrastive RL whose data is a pair, its `Mixture` and what it draws from.

    Attributes:
        energies: what the weights of the mixture belong to.
    """

    energies: tuple[Energy, ...] = (L2, DOT, COSINE)

    def init(self, key: Key, example: tuple[Mixture, HindsightTransitions]) -> LearnerState:  # type: ignore[override]
        """Fresh parameters, the same for every mixture."""
        return super().init(key, example[1])

    def batch(  # type: ignore[override]
        self, data: tuple[Mixture, Dataset], key: Key
    ) -> tuple[Mixture, HindsightTransitions]:
        """The mixture, and transitions with goals from their own future."""
        return data[0], super().batch(data[1], key)

    def loss(  # type: ignore[override]
        self,
        params: Params,
        state: LearnerState,
        batch: tuple[Mixture, HindsightTransitions],
        key: Key,
    ) -> tuple[Float[Array, ""], Metrics]:
        """Critic and actor, each by the mixture's energy."""
        mixture, rows = batch
        return super().loss(params | {"mixture": mixture}, state, rows, key)

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        """The weighted losses, and the penalty."""
        mixture = params["mixture"]
        scores = self.scores(params, batch.state, batch.action, batch.goal, method="pairwise")

        def one(logits: Array) -> Array:
            losses = jnp.stack([info_nce(logits, axis=1), info_nce(logits, axis=0)])
            penalty = jnp.mean(jax.nn.logsumexp(logits, axis=1) ** 2)
            return jnp.sum(mixture.losses * losses) + mixture.penalty * penalty

        return jnp.mean(jax.vmap(one)(scores))

    def scores(
        self, params: Params, state: Array, action: Array, goal: Array, method: str | None = None
    ) -> Float[Array, "ensemble batch *pairs"]:
        """Each critic's weighted energies of matching rows or of all pairs, from one encoding."""
        form = "rows" if method is None else "pairs"

        def one(weights: Params) -> Array:
            anchor = self.critic.apply(weights, (state, action), method="encode_anchor")
            future = self.critic.apply(weights, goal, method="encode_future")
            each = [getattr(energy, form)(anchor, future) for energy in self.energies]
            return jnp.tensordot(params["mixture"].energies, jnp.stack(each), 1)

        return jax.vmap(one)(params["critic"])
