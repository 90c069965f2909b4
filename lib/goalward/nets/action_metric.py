"""One distance for states, and for states in which an action is already chosen."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from goalward.nets.quasimetric import mrn


class ActionMetric(nn.Module):
    r"""Critic ``f(x, y) = -d(x, y)`` between points that are states, or states with an action.

    A state is encoded by $\psi$, a pair `(state, action)` by $\phi$, into one space; $d$ is the
    metric residual network there. So all of $d(s,g)$, $d((s,a),g)$, $d(s,(s,a))$ and
    $d((s,a),(g,a'))$ are there, and obey the triangle inequality together.

    Attributes:
        state_encoder: $\psi$; None where all points have an action.
        action_encoder: $\phi$, told a state and an action side by side.
        components: of the metric residual network, see `goalward.nets.quasimetric.mrn`.
        scaled: divide by the square root of the number of outputs of the encoders.
    """

    state_encoder: nn.Module | None
    action_encoder: nn.Module
    components: int = 8
    scaled: bool = False

    def __call__(self, x: PyTree, y: PyTree) -> Float[Array, " batch"]:
        """Minus the distance from each point to its own."""
        return -self.distance(self.encode(x), self.encode(y))

    def pairwise(self, x: PyTree, y: PyTree, hold: bool = False) -> Float[Array, "rows columns"]:
        """Entry `[i, j]` is minus the distance from point i to point j.

        With `hold` no gradient reaches the encodings of `y`.
        """
        to = self.encode(y)
        to = jax.lax.stop_gradient(to) if hold else to
        return -self.distance(self.encode(x)[:, None], to[None])

    def encode(self, point: PyTree) -> Float[Array, "*batch latent"]:
        """The encoding of a state, or of a tuple `(state, action)`."""
        if isinstance(point, tuple):
            return self.action_encoder(jnp.concatenate(point, axis=-1))  # type: ignore
        if self.state_encoder is None:
            raise ValueError("without a state_encoder each point is a tuple (state, action)")
        return self.state_encoder(point)  # type: ignore[no-any-return]

    def distance(
        self, x: Float[Array, "*#batch latent"], y: Float[Array, "*#batch latent"]
    ) -> Float[Array, "..."]:
        """From one encoding to another."""
        d = mrn(x, y, self.components)
        return d / jnp.sqrt(x.shape[-1]) if self.scaled else d
