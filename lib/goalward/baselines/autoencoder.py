"""An autoencoder as a representation of observations."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, PyTree

from goalward.protocol import Batch, Key, LearnerState, Metrics, gradient_step, initial_state


@dataclass(frozen=True)
class Autoencoder:
    """Learns to restore an observation from a code with fewer numbers.

    Attributes:
        encoder: Observation to code.
        decoder: Code to observation.
        batch_size: Observations a step, drawn with replacement.
        transform: Direction of a step, such as `optax.scale_by_adam()`.
        learning_rate: Step size, kept in the state.
    """

    encoder: nn.Module
    decoder: nn.Module
    batch_size: int
    transform: optax.GradientTransformation
    learning_rate: float = 3e-4

    def init(self, key: Key, example: Batch) -> LearnerState:
        """Fresh encoder and decoder."""
        key_encoder, key_decoder = jax.random.split(key)
        code, encoder = self.encoder.init_with_output(key_encoder, example)
        params = {"encoder": encoder, "decoder": self.decoder.init(key_decoder, code)}
        return initial_state(params, self.transform, self.learning_rate)

    def batch(self, data: Float[Array, "*series obs"], key: Key) -> Batch:
        """Uniform observations from all series and times."""
        flat = data.reshape(-1, data.shape[-1])
        return flat[jax.random.randint(key, (self.batch_size,), 0, len(flat))]

    def loss(
        self, params: PyTree, state: LearnerState, batch: Batch, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """Squared error of the restored observation, summed over its coordinates."""
        restored = self.decoder.apply(params["decoder"], self.encode(params, batch))
        return jnp.mean(jnp.sum((restored - batch) ** 2, axis=-1)), {}

    def update(self, state: LearnerState, batch: Batch, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step on encoder and decoder."""
        return gradient_step(self.loss, state, batch, key, self.transform)

    def encode(self, params: PyTree, x: Float[Array, "*batch obs"]) -> Float[Array, "*batch d"]:
        """The code."""
        return jnp.asarray(self.encoder.apply(params["encoder"], x))
