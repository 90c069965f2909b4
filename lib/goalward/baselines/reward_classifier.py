r"""A reward learned from success examples: a classifier of examples against recorded states.

The usual route to example-based control: learn a reward, then run reinforcement learning on it.
The classifier's probability is the reward of arriving in a state. Two losses: plain logistic
classification, and positive-unlabelled learning, which knows that recordings hold successes too
(du Plessis, Niu & Sugiyama 2015; for rewards, Zolna et al. 2020).
"""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.data import sampling
from goalward.data.goals import take
from goalward.data.trajectories import Dataset
from goalward.protocol import ADAM, Key, LearnerState, Metrics, gradient_step, initial_state

ExampleData = tuple[Dataset, Shaped[Array, "examples ..."]]
Examples = Float[Array, " examples"]
Recorded = Float[Array, " recorded"]
ClassifierLoss = Callable[[Array, Array], Array]
"""From the logits of examples and of recorded states to a scalar."""


def logistic(example_logits: Examples, recorded_logits: Recorded) -> Float[Array, ""]:
    r"""Examples are positives, recordings negatives, of equal weight in total.

    The best probability is $D=\frac{p^*}{p^*+p}$, with $p^*$ the density of examples and $p$ that
    of recorded states.
    """
    return jnp.mean(jax.nn.softplus(-example_logits)) + jnp.mean(jax.nn.softplus(recorded_logits))


@dataclass(frozen=True)
class PositiveUnlabelled:
    r"""Recordings are unlabelled: a share `prior` of them are successes.

    $\eta\,\mathbb E_{p^*}[\ell_+] + \mathbb E_p[\ell_-] - \eta\,\mathbb E_{p^*}[\ell_-]$ with the
    prior $\eta$ and the logistic losses $\ell_\pm$. The best probability is $\eta p^*/p$, the
    chance that a state is a success, where $\eta$ is right.
    """

    prior: float

    def __call__(self, example_logits: Examples, recorded_logits: Recorded) -> Float[Array, ""]:
        # softplus(-x) - softplus(x) = -x
        return jnp.mean(jax.nn.softplus(recorded_logits)) - self.prior * jnp.mean(example_logits)


@struct.dataclass
class ExampleBatch:
    """Success examples and recorded states, as many of each."""

    example: Shaped[Array, "batch ..."]
    recorded: Shaped[Array, "batch ..."]


@dataclass(frozen=True)
class RewardClassifier:
    """The learner; its data are a pair of a `Dataset` and success examples.

    Attributes:
        network: a Linen module from states to one logit, in a last axis of length 1.
        objective: `logistic` or a `PositiveUnlabelled`.
        batch_size: examples in a batch, and recorded states.
        learning_rate: where the state's step size starts.
        transform: the optimiser without its step size.
    """

    network: nn.Module
    objective: ClassifierLoss = logistic
    batch_size: int = 256
    learning_rate: float = 3e-4
    transform: optax.GradientTransformation = ADAM

    def init(self, key: Key, example: ExampleBatch) -> LearnerState:
        """Fresh parameters, shaped for the example batch."""
        params = self.network.init(key, example.example)
        return initial_state(params, self.transform, self.learning_rate)

    def batch(self, data: ExampleData, key: Key) -> ExampleBatch:
        """Examples drawn with replacement, and the next states of uniform transitions."""
        recordings, examples = data
        key_example, key_recorded = jax.random.split(key)
        rows = jax.random.randint(key_example, (self.batch_size,), 0, len(examples))
        _, following = sampling.transitions(recordings, key_recorded, self.batch_size)
        return ExampleBatch(examples[rows], take(recordings.observations, following))

    def loss(
        self, params: PyTree, state: LearnerState, batch: ExampleBatch, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """The objective on the logits of both."""
        logits = (self.logits(params, x) for x in (batch.example, batch.recorded))
        return self.objective(*logits), {}

    def logits(self, params: PyTree, states: Shaped[Array, "rows ..."]) -> Float[Array, " rows"]:
        """The logit that each state is a success."""
        return jnp.asarray(self.network.apply(params, states))[..., 0]

    def reward(self, params: PyTree, states: Shaped[Array, "rows ..."]) -> Float[Array, " rows"]:
        """The learned reward of arriving in each state, between 0 and 1."""
        return jax.nn.sigmoid(self.logits(params, states))

    def update(
        self, state: LearnerState, batch: ExampleBatch, key: Key
    ) -> tuple[LearnerState, Metrics]:
        """One gradient step."""
        return gradient_step(self.loss, state, batch, key, self.transform)
