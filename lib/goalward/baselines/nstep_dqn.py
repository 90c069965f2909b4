r"""Deep Q-learning with targets of several steps, on a combination lock of known values.

Mnih et al. 2015 with the $n$-step targets of Sutton 1988. The *lock* has $H$ states in a line; in
each, one of two actions is the right one and moves on, the other stays. Every step costs 1 until
the end, so $Q^*$ is known and the error of a learned $Q$ can be measured.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

from goalward.data.goals import Items
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


@struct.dataclass
class Lock:
    """A combination lock, and what a learner on it varies: arrays, so that variants are a vmap.

    Attributes:
        codes: (H, bits) what is seen of each state; of the end nothing is seen.
        right: (H,) the action that moves on, 0 or 1.
        n: steps in a target.
        tau: how fast the target network follows.
        errors: how often the expert that goes on after the first action is wrong.
    """

    codes: Items
    right: Items
    n: Items
    tau: Items
    errors: Items


def lock(rng: np.random.Generator, length: int, bits: int, n: int, tau: float = 0.01) -> Lock:
    """A lock of random combination, each state told by random signs; the expert errs by 10 %.

    No two states have the same signs: they could not be told apart.

    Raises:
        ValueError: there are more states than ways to set that many signs.
    """
    if length > 2**bits:
        raise ValueError(f"{bits} signs tell at most {2**bits} states apart, not {length}")
    numbers = rng.choice(2**bits, size=length, replace=False)
    codes = (2.0 * (numbers[:, None] >> np.arange(bits) & 1) - 1).astype(np.float32)
    right = rng.integers(2, size=length)
    return Lock(codes, right, np.int32(n), np.float32(tau), np.float32(0.1))


def exact_values(right: np.ndarray, gamma: float) -> Float[np.ndarray, "states 2"]:
    r"""$Q^*$: $-(1-\gamma^d)/(1-\gamma)$ for the right action, $d$ steps from the end."""
    length = len(right)
    best = -(1 - gamma ** (length - np.arange(length))) / (1 - gamma)
    wrong = -1 + gamma * best
    is_right = right[:, None] == np.arange(2)
    return np.where(is_right, best[:, None], wrong[:, None])


@dataclass(frozen=True)
class NStepDQN:
    """Q-learning with a slow target network; `batch` draws states and actions evenly.

    Attributes:
        network: from a state's code to two numbers, which `scale` makes values of.
        gamma: the discount.
        most: the largest `n` of any lock.
        batch_size: targets in a batch.
        learning_rate: of Adam.
        scale: the values of a network's output 1.
    """

    network: nn.Module
    gamma: float = 0.99
    most: int = 8
    batch_size: int = 128
    learning_rate: float = 1e-3
    scale: float = 10.0

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: dict[str, Array]) -> LearnerState:
        """Fresh parameters."""
        params = self.network.init(key, example["state"])
        return initial_state(params, ADAM, self.learning_rate)

    def batch(self, data: Lock, key: Key) -> dict[str, Array]:
        """A random action in a random state, then an expert that errs now and then, `n` steps."""
        length, shape = len(data.right), (self.batch_size,)
        key_state, key_action, key_errors = jax.random.split(key, 3)
        start = jax.random.randint(key_state, shape, 0, length)
        first = jax.random.randint(key_action, shape, 0, 2)
        errs = jax.random.bernoulli(key_errors, data.errors, (self.most, *shape))
        place, paid, worth = start, jnp.zeros(shape), jnp.ones(shape)
        for k in range(self.most):
            right = data.right[jnp.minimum(place, length - 1)]
            moves = (first == right) if k == 0 else ~errs[k]
            counts = (k < data.n) & (place < length)
            paid = paid - worth * counts
            place = place + (moves & counts)
            worth = worth * jnp.where(k < data.n, self.gamma, 1.0)
        ended = place == length
        return {
            "state": data.codes[start],
            "action": first,
            "paid": paid,
            "ahead": data.codes[jnp.minimum(place, length - 1)],
            "worth": jnp.where(ended, 0.0, worth),
            "tau": data.tau,
        }

    def values(self, params: Params, codes: Array) -> Float[Array, "batch 2"]:
        """Q of both actions."""
        return self.scale * self.network.apply(params, codes)  # type: ignore[operator]

    def loss(
        self, params: Params, state: LearnerState, batch: dict[str, Array], key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """The mean square of the temporal difference of `n` steps."""
        ahead = self.values(state.target_params, batch["ahead"]).max(axis=1)
        target = batch["paid"] + batch["worth"] * jax.lax.stop_gradient(ahead)
        q = jnp.take_along_axis(
            self.values(params, batch["state"]), batch["action"][:, None], axis=1
        )[:, 0]
        return jnp.mean((q - target) ** 2), {}

    def update(
        self, state: LearnerState, batch: dict[str, Array], key: Key
    ) -> tuple[LearnerState, Metrics]:
        """One Adam step, and one of the target network."""
        return gradient_step(self.loss, state, batch, key, ADAM, batch["tau"])  # type: ignore
