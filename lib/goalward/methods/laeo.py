r"""Contrastive example-based control: the task is a handful of states in which it is done.

Hatch, Eysenbach, Rafailov et al. 2023, "Contrastive Example-Based Control" (LAEO, learning to
achieve examples offline). A critic $f(s, a, s_+)$ learns from unlabelled recordings the log ratio
of the discounted future of $(s, a)$ to the marginal $p(s_+)$ of the data. Its exponential, averaged
over success examples, is proportional to the probability that the future state is a success: no
reward is learned, and nothing is bootstrapped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Shaped

from goalward.baselines.future_model import FutureModel
from goalward.data.goals import HindsightTransitions
from goalward.data.trajectories import Dataset
from goalward.protocol import Key, Params

AnyArray = Array | np.ndarray

Logits = Float[AnyArray, "*pairs examples"]
Weights = Float[AnyArray, " examples"] | None
"""How much each example counts, summing to one; None counts all the same."""

Aggregate = Callable[[Any], Any]
"""From the logits of all examples, on the last axis, to one score."""

ExampleData = tuple[Dataset, Shaped[Array, "examples ..."]]
"""Unlabelled recordings, and states in which the task is done."""


def log_mean_exp(logits: Logits, weights: Weights = None) -> Float[AnyArray, "*pairs"]:
    r"""$\log\mathbb E_{s^*}[e^{f(s,a,s^*)}]$: the log of the value, up to a constant.

    With the exact log ratio, $p(e{=}1)\,\mathbb E_{s^*}[e^{f}]$ is the probability that the state
    at a discounted future time is a success (Hatch et al. 2023, by Bayes' rule).
    """
    xp = _library(logits)
    share = _share(logits, weights)
    counted = xp.where(share > 0, logits, -xp.inf)  # without weight there is no say, however large
    largest = counted.max(axis=-1, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, 0.0)
    total = xp.sum(xp.exp(counted - largest) * share, axis=-1)
    possible = total > 0
    return xp.where(possible, xp.log(xp.where(possible, total, 1.0)) + largest[..., 0], -xp.inf)


def mean_log(logits: Logits, weights: Weights = None) -> Float[AnyArray, "*pairs"]:
    r"""$\mathbb E_{s^*}[f(s,a,s^*)]$: what the released code maximises by default.

    Never above `log_mean_exp` (Jensen). A future has to contain every example to score high.
    """
    xp, share = _library(logits), _share(logits, weights)
    return xp.sum(xp.where(share > 0, logits, 0.0) * share, axis=-1)


def best_example(logits: Logits, weights: Weights = None) -> Float[AnyArray, "*pairs"]:
    r"""$\max_{s^*} f(s,a,s^*)$: the most likely example with any weight alone counts."""
    return _library(logits).where(_share(logits, weights) > 0, logits, -np.inf).max(axis=-1)


def _share(logits: AnyArray, weights: AnyArray | None) -> Any:
    return np.full(logits.shape[-1], 1 / logits.shape[-1]) if weights is None else weights


def _library(logits: AnyArray) -> Any:
    return np if isinstance(logits, np.ndarray) else jnp


@struct.dataclass
class ExampleFutures(HindsightTransitions):
    """Transitions with a future each, and the success examples."""

    examples: Any


@dataclass(frozen=True, kw_only=True)
class LAEO(FutureModel):
    """The learner: the model alone, or with an actor that makes the examples likely.

    The data are a `Dataset`; with an actor, a pair of a `Dataset` and the success examples.

    Attributes:
        aggregate: how the examples' logits make one score.
    """

    bc: float = 0.5
    aggregate: Aggregate = log_mean_exp

    def batch(self, data: Dataset | ExampleData, key: Key) -> HindsightTransitions:
        """States and actions with a future each; for the actor, the examples as well."""
        if isinstance(data, Dataset):
            return super().batch(data, key)
        recordings, examples = data
        return ExampleFutures(**vars(super().batch(recordings, key)), examples=examples)

    def task_value(
        self, params: Params, batch: ExampleFutures, action: Shaped[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """The score of an action in each state; the smallest of the critics' scores."""
        logits = self.scores(params, batch.state, action, batch.examples, "pairwise")
        return self.aggregate(logits).min(axis=0)

    def action_values(
        self,
        params: Params,
        states: Shaped[Array, "rows ..."],
        examples: Shaped[Array, "examples ..."],
    ) -> Float[Array, "rows actions"]:
        """The score of every one of a few actions, for any set of success examples."""
        return self.aggregate(self.log_ratios(params, states, examples)).min(axis=0)
