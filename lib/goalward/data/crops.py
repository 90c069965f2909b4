"""Random crops of images: shifts by a few pixels, the same for a state and its goal."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from goalward.protocol import Key

Images = Shaped[Array, "batch height width bands"]


@dataclass(frozen=True)
class JointCrop:
    """Pad by repeating the border, then cut out a window of the old size at a random place.

    State and goal of a row share the window, so what lies between them does not change. In each
    batch, a coin decides whether there is any crop at all (Zheng et al. 2024, released code).

    Attributes:
        pad: pixels added on each side: the largest shift.
        probability: of cropping a batch.
    """

    pad: int = 4
    probability: float = 0.5

    def __post_init__(self) -> None:
        if self.pad < 1 or not 0 <= self.probability <= 1:
            raise ValueError(
                "JointCrop needs pad >= 1 and a probability from 0 to 1, not "
                f"{self.pad} and {self.probability}"
            )

    def __call__(self, key: Key, state: Images, goal: Images) -> tuple[Images, Images]:
        """States and goals, cropped or not."""
        key_coin, key_offset = jax.random.split(key)
        offsets = jax.random.randint(key_offset, (len(state), 2), 0, 2 * self.pad + 1)
        coin = jax.random.bernoulli(key_coin, self.probability)
        # Shifting by `pad` cuts the old image out again.
        offsets = jnp.where(coin, offsets, self.pad)

        def cut(image: Array, offset: Array) -> Array:
            sides = [(self.pad, self.pad), (self.pad, self.pad), (0, 0)]
            padded = jnp.pad(image, sides, mode="edge")
            return jax.lax.dynamic_slice(padded, (*offset, 0), image.shape)

        return jax.vmap(cut)(state, offsets), jax.vmap(cut)(goal, offsets)
