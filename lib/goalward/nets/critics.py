"""Critics free of a metric's axioms: a table, the distance of two encoders, an MLP on pairs.

A critic scores how likely a goal is to lie in a state's future. ``critic(state, goal)`` scores
matching rows; ``critic.pairwise(states, goals)`` gives the logits of all pairs, row = state
(anchor), column = goal (candidate). Myers et al. 2025, Appendix F.3, compares the last two with
quasimetrics (see `goalward.nets.quasimetric`).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

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
