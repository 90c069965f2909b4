"""A critic for finitely many actions: one trunk reads the state, one head an action answers."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class ActionHeadsCritic(nn.Module):
    """Critic ``f(s, a, x) = phi(s)[a] . psi(x)``: all actions cost one pass through the trunk.

    With one-hot states and encoders of a single layer, both are plain tables.

    Attributes:
        actions: how many actions; they are integers from 0.
        state_encoder: the trunk; its last width is `actions` times the width of `future_encoder`.
        future_encoder: psi.
    """

    actions: int
    state_encoder: nn.Module
    future_encoder: nn.Module

    def __call__(
        self,
        anchor: tuple[Float[Array, "*batch dim"], Int[Array, "*batch"]],
        future: Float[Array, "*batch dim"],
    ) -> Float[Array, "*batch"]:
        """Logit of each anchor `(state, action)` with its own future."""
        return jnp.sum(self.encode_anchor(anchor) * self.encode_future(future), axis=-1)

    def pairwise(
        self,
        anchors: tuple[Float[Array, "rows dim"], Int[Array, " rows"]],
        futures: Float[Array, "columns dim"],
    ) -> Float[Array, "rows columns"]:
        """Logits of all pairs."""
        return self.encode_anchor(anchors) @ self.encode_future(futures).T

    def encode_anchor(
        self, anchor: tuple[Float[Array, "*batch dim"], Int[Array, "*batch"]]
    ) -> Float[Array, "*batch width"]:
        """The representation of each state and action."""
        state, action = anchor
        return jnp.take_along_axis(self._heads(state), action[..., None, None], axis=-2)[..., 0, :]

    def encode_future(self, future: Float[Array, "*batch dim"]) -> Float[Array, "*batch width"]:
        """The representation of each candidate future."""
        return self.future_encoder(future)  # type: ignore[no-any-return]

    def _heads(self, state: Array) -> Array:
        code = self.state_encoder(state)
        return code.reshape(*code.shape[:-1], self.actions, -1)
