"""Networks that read images and choices: OGBench's encoder, and where state and goal meet.

Park et al. 2025: a small residual network (Espeholt et al. 2018, "IMPALA") reads state and goal
together, the one's bands beside the other's, or each by itself.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.nets.normalized import FAN_AVG

XAVIER = nn.initializers.xavier_uniform()
"""One object, so that equal networks compare equal and share compiled code."""


class ImpalaEncoder(nn.Module):
    """Three stages of a convolution, a pooling that halves the size, and residual blocks.

    Attributes:
        channels: of each stage in turn.
        blocks: residual blocks a stage, two convolutions each; 1 is OGBench's `impala_small`.
        out: dimension of the encoding.
    """

    channels: tuple[int, ...] = (16, 32, 32)
    blocks: int = 1
    out: int = 512

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "*batch height width bands"]
    ) -> Float[Array, "*batch {self.out}"]:
        """Encode images with values from 0 to 255."""
        x = images.reshape(-1, *images.shape[-3:]).astype(jnp.float32) / 255.0
        for channels in self.channels:
            x = _Convolution(channels)(x)
            x = nn.max_pool(x, (3, 3), (2, 2), "SAME")
            for _ in range(self.blocks):
                inner = _Convolution(channels)(nn.relu(x))
                x = x + _Convolution(channels)(nn.relu(inner))
        x = nn.relu(x).reshape(*images.shape[:-3], -1)
        return nn.gelu(nn.Dense(self.out, kernel_init=FAN_AVG)(x))


class _Convolution(nn.Module):
    """Kernels of 3 by 3 pixels that leave the size as it is."""

    channels: int

    @nn.compact
    def __call__(self, x: Float[Array, "batch h w bands"]) -> Float[Array, "batch h w channels"]:
        kernel = self.param("kernel", XAVIER, (3, 3, x.shape[-1], self.channels))
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        return _convolve(x, kernel) + bias


def _plain(x: Array, kernel: Array) -> Array:
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


# Under a vmap over seeds, where every copy has kernels of its own, XLA's convolution and even more
# its gradient are many times slower than one copy after the other.
_one_by_one = sequential_vmap(_plain)
_gradients_one_by_one = sequential_vmap(
    lambda x, kernel, cotangent: jax.vjp(_plain, x, kernel)[1](cotangent)
)
_convolve = jax.custom_vjp(_one_by_one)
_convolve.defvjp(
    lambda x, kernel: (_one_by_one(x, kernel), (x, kernel)),
    lambda kept, cotangent: _gradients_one_by_one(*kept, cotangent),
)


class EarlyFusion(nn.Module):
    """State and goal read as one image with the bands of both.

    Attributes:
        encoder: of the joint image.
    """

    encoder: nn.Module

    def __call__(
        self, state: Shaped[Array, "*batch h w bands"], goal: Shaped[Array, "*batch h w bands"]
    ) -> tuple[Float[Array, "*batch code"], Float[Array, "*batch 0"]]:
        """One code of both, in the state's place; nothing in the goal's."""
        code = self.encoder(jnp.concatenate([state, goal], axis=-1))
        return code, code[..., :0]


class LateFusion(nn.Module):
    """State and goal read one by one.

    Attributes:
        state_encoder: of the state.
        goal_encoder: of the goal; None leaves it as it is.
    """

    state_encoder: nn.Module
    goal_encoder: nn.Module | None = None

    def __call__(
        self, state: Shaped[Array, "*batch h w bands"], goal: Shaped[Array, "..."]
    ) -> tuple[Float[Array, "*batch code"], Shaped[Array, "..."]]:
        """A code of each."""
        code = self.state_encoder(state)
        return code, goal if self.goal_encoder is None else self.goal_encoder(goal)


class Reading(nn.Module):
    """A critic, value or policy on what a reader makes of state and goal.

    Copies in an ensemble share the reader (see `goalward.baselines.offline.init_members`).

    Attributes:
        shared: the reader, from a state and a goal to their codes; None leaves them as they are.
        network: what it is read for.
        actions: how many there are, where they are choices: the network is given a one-hot vector.
    """

    shared: nn.Module | None
    network: nn.Module
    actions: int | None = None

    def __call__(self, anchor: PyTree, goal: Shaped[Array, "batch *goal"]) -> Any:
        """What the network says of each anchor, a state or a `(state, action)`, for its goal."""
        return self.network(*self._read(anchor, goal))

    def pairwise(
        self, anchors: PyTree, goals: Shaped[Array, "batch *goal"]
    ) -> Float[Array, "batch batch"]:
        """The critic's logits of all pairs; the reader must not mix state and goal."""
        return self.network.pairwise(*self._read(anchors, goals))  # type: ignore[no-any-return]

    def sample(
        self,
        state: Shaped[Array, "batch *state"],
        goal: Shaped[Array, "batch *goal"],
        *rest: Any,
    ) -> tuple[Shaped[Array, "batch *action"], Float[Array, " batch"]]:
        """The policy's actions and their log probabilities."""
        return self.network.sample(*self._read(state, goal), *rest)  # type: ignore[no-any-return]

    def log_prob(
        self,
        state: Shaped[Array, "batch *state"],
        goal: Shaped[Array, "batch *goal"],
        action: Shaped[Array, "batch *action"],
    ) -> Float[Array, " batch"]:
        """The policy's log probability of recorded actions."""
        return self.network.log_prob(*self._read(state, goal), action)  # type: ignore

    def _read(self, anchor: PyTree, goal: Array) -> tuple[PyTree, Array]:
        state, *action = jax.tree.leaves(anchor)
        if self.shared is not None:
            state, goal = self.shared(state, goal)
        if self.actions is not None:
            action = [jax.nn.one_hot(a, self.actions) for a in action]
        return (state, *action) if action else state, goal
