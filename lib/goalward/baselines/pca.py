"""Principal component analysis as a representation of observations."""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float


@struct.dataclass
class PCA:
    """The affine map onto the directions of largest variance.

    Attributes:
        mean: Mean of the observations it was fitted to.
        components: Orthonormal rows, the direction of largest variance first.
    """

    mean: Float[Array, " obs"]
    components: Float[Array, "d obs"]

    def encode(self, x: Float[Array, "*batch obs"]) -> Float[Array, "*batch d"]:
        """Coordinates along the components."""
        return (x - self.mean) @ self.components.T


def fit_pca(observations: Float[Array, "n obs"], d: int) -> PCA:
    """Fit to observations, by singular value decomposition of the centred matrix.

    Raises:
        ValueError: If there are not d directions to keep.
    """
    if not 1 <= d <= min(observations.shape):
        raise ValueError(
            f"PCA of {observations.shape} data keeps 1 to {min(observations.shape)} "
            f"components, not {d}"
        )
    mean = observations.mean(axis=0)
    _, _, directions = jnp.linalg.svd(observations - mean, full_matrices=False)
    return PCA(mean, directions[:d])
