"""Critics free of a metric's axioms: a table, the distance of two encoders, an MLP on pairs.

A critic scores how likely a goal is to lie in a state's future. ``critic(state, goal)`` scores
matching rows; ``critic.pairwise(states, goals)`` gives the logits of all pairs, row = state
(anchor), column = goal (candidate). Myers et al. 2025, Appendix F.3, compares the last two with
quasimetrics (see `goalward.nets.quasimetric`).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree, Shaped

from goalward.nets.mlp import MLP

# Keeps the norm's gradient finite where both encodings coincide.
SOFTENING = 1e-12


class TableCritic(nn.Module):
    """One free logit for each (anchor, candidate) pair, both given as indices."""

    anchors: int
    candidates: int

    def setup(self) -> None:
        shape = (self.anchors, self.candidates)
        self.table = self.param("table", nn.initializers.zeros, shape)

    def __call__(
        self, anchor: Int[Array, "*batch"], candidate: Int[Array, "*batch"]
    ) -> Float[Array, "*batch"]:
        """Logit of each anchor with its own candidate."""
        return self.table[anchor, candidate]

    def pairwise(
        self, anchors: Int[Array, " rows"], candidates: Int[Array, " columns"]
    ) -> Float[Array, "rows columns"]:
        """Logits of all pairs."""
        return self.table[anchors[:, None], candidates[None, :]]


class GoalTableCritic(nn.Module):
    """One free logit for each (state, action, commanded goal) and future, all given as indices.

    With `goals=1` there is one policy and the commanded goal is ignored.
    """

    states: int
    actions: int
    goals: int = 1

    def setup(self) -> None:
        shape = (self.states * self.actions * self.goals, self.states)
        self.table = self.param("table", nn.initializers.zeros, shape)

    def __call__(
        self,
        anchor: tuple[Int[Array, "*batch"], Int[Array, "*batch"], Int[Array, "*batch"]],
        future: Int[Array, "*batch"],
    ) -> Float[Array, "*batch"]:
        """Logit of each anchor `(state, action, goal)` with its own future."""
        return self.table[self._row(*anchor), future]

    def pairwise(
        self,
        anchors: tuple[Int[Array, " rows"], Int[Array, " rows"], Int[Array, " rows"]],
        futures: Int[Array, " columns"],
    ) -> Float[Array, "rows columns"]:
        """Logits of all pairs."""
        # Picking columns by a product is exact, and its gradient is much faster than a scatter.
        columns = jax.nn.one_hot(futures, self.states, axis=0)
        return jnp.matmul(self.table[self._row(*anchors)], columns, precision="highest")

    def _row(self, state: Array, action: Array, goal: Array) -> Array:
        return (state * self.actions + action) * self.goals + jnp.minimum(goal, self.goals - 1)


class EmbeddingCritic(nn.Module):
    """Critic ``f(s, a, g) = phi(s, a) . psi(g)`` with a free vector for each pair and each goal.

    States and actions are indices; an anchor is ``(state, action)``.
    """

    states: int
    actions: int
    dim: int = 32

    def setup(self) -> None:
        init = nn.initializers.normal(self.dim**-0.25)
        self.phi = self.param("phi", init, (self.states * self.actions, self.dim))
        self.psi = self.param("psi", init, (self.states, self.dim))

    def __call__(
        self,
        anchor: tuple[Int[Array, "*batch"], Int[Array, "*batch"]],
        goal: Int[Array, "*batch"],
    ) -> Float[Array, "*batch"]:
        """Logit of each anchor with its own goal."""
        return jnp.sum(self._anchor(*anchor) * self.psi[goal], axis=-1)

    def pairwise(
        self,
        anchors: tuple[Int[Array, " rows"], Int[Array, " rows"]],
        goals: Int[Array, " columns"],
    ) -> Float[Array, "rows columns"]:
        """Logits of all pairs."""
        return self._anchor(*anchors) @ self.psi[goals].T

    def _anchor(self, state: Array, action: Array) -> Array:
        return self.phi[state * self.actions + action]


class InnerProductCritic(nn.Module):
    """Critic ``f(x, y) = phi(x) . psi(y)`` of two encoders; an anchor may be a tuple of arrays.

    Attributes:
        anchor_encoder: of the anchor's arrays, joined along the last axis.
        future_encoder: of the candidate.
        observation_encoder: applied first to the state (the anchor's first array) and to the
            candidate, if given: images, say, from which both towers then read.
    """

    anchor_encoder: nn.Module
    future_encoder: nn.Module
    observation_encoder: nn.Module | None = None

    def __call__(
        self, anchor: PyTree, future: Shaped[Array, "batch *dim"]
    ) -> Float[Array, " batch"]:
        """Logit of each anchor with its own future."""
        return jnp.sum(self.encode_anchor(anchor) * self.encode_future(future), axis=-1)

    def pairwise(
        self, anchors: PyTree, futures: Shaped[Array, "columns *dim"]
    ) -> Float[Array, "rows columns"]:
        """Logits of all pairs."""
        return self.encode_anchor(anchors) @ self.encode_future(futures).T

    def encode_anchor(self, anchor: PyTree) -> Float[Array, "rows features"]:
        """``phi``."""
        first, *rest = jax.tree.leaves(anchor)
        if self.observation_encoder is not None:
            first = self.observation_encoder(first)
        return self.anchor_encoder(jnp.concatenate([first, *rest], axis=-1))

    def encode_future(self, future: Shaped[Array, "columns *dim"]) -> Float[Array, "columns out"]:
        """``psi``."""
        if self.observation_encoder is not None:
            future = self.observation_encoder(future)
        return self.future_encoder(future)


class L2Critic(nn.Module):
    """Critic ``f(s, g) = -||phi(s) - psi(g)||``: two encoders, so ``d(s, s)`` need not be zero."""

    state_encoder: nn.Module
    goal_encoder: nn.Module

    def __call__(
        self, state: Float[Array, "*batch state_dim"], goal: Float[Array, "*batch goal_dim"]
    ) -> Float[Array, "*batch"]:
        """Logit of each state with its own goal."""
        return -_norm(self.state_encoder(state) - self.goal_encoder(goal))

    def pairwise(
        self, states: Float[Array, "rows state_dim"], goals: Float[Array, "columns goal_dim"]
    ) -> Float[Array, "rows columns"]:
        """Logits of all pairs."""
        phi, psi = self.state_encoder(states), self.goal_encoder(goals)
        return -_norm(phi[:, None] - psi[None, :])


class MLPCritic(nn.Module):
    """Critic ``f(s, g)``: a multilayer perceptron on the pair, free of any distance structure."""

    widths: tuple[int, ...] = (32, 32)

    def setup(self) -> None:
        # A dense layer on [s, g] is a layer on s plus a layer on g: this spares the concatenation
        # of all pairs.
        self.state_layer = nn.Dense(self.widths[0])
        self.goal_layer = nn.Dense(self.widths[0], use_bias=False)
        self.tail = MLP((*self.widths[1:], 1), activation=nn.swish)

    def __call__(
        self, state: Float[Array, "*batch state_dim"], goal: Float[Array, "*batch goal_dim"]
    ) -> Float[Array, "*batch"]:
        """Logit of each state with its own goal."""
        hidden = jax.nn.swish(self.state_layer(state) + self.goal_layer(goal))
        return self.tail(hidden)[..., 0]

    def pairwise(
        self, states: Float[Array, "rows state_dim"], goals: Float[Array, "columns goal_dim"]
    ) -> Float[Array, "rows columns"]:
        """Logits of all pairs."""
        hidden = self.state_layer(states)[:, None] + self.goal_layer(goals)[None, :]
        return self.tail(jax.nn.swish(hidden))[..., 0]


def _norm(difference: Float[Array, "*batch dim"]) -> Float[Array, "*batch"]:
    return jnp.sqrt(jnp.sum(difference**2, axis=-1) + SOFTENING)
