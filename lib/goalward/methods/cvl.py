r"""Contrastive Value Learning: action values from a contrastive model of the future, without TD.

Mazoure, Eysenbach, Nachum & Tompson 2022, "Contrastive Value Learning: Implicit Models for Simple
Offline RL". The critic $f(s, a, s_+)$ estimates the log ratio of the probability that $s_+$ lies
in the discounted future of $(s, a)$ to its marginal $p(s_+)$. It is learned without rewards; a
reward of states turns it into action values afterwards.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from goalward.baselines.future_model import FutureModel
from goalward.data.goals import HindsightTransitions
from goalward.data.rewards import RewardedData, RewardedFutures, rewarded_futures
from goalward.data.trajectories import Dataset
from goalward.protocol import Key, Params

AnyArray = Array | np.ndarray


def reward_weighted_q(
    log_ratio: Float[AnyArray, "*pairs futures"],
    reward: Float[AnyArray, " futures"],
    gamma: float,
    marginal: Float[AnyArray, " futures"] | None = None,
    normalise: bool = False,
) -> Float[AnyArray, "*pairs"]:
    r"""$Q(s,a)=\frac1{1-\gamma}\,\mathbb E_{s_+\sim p}\big[e^{f(s,a,s_+)}\,r(s_+)\big]$.

    With the exact log ratio these are the values of the policy that made the data, for a reward
    paid on arriving in a state (Mazoure et al. 2022). Computes in the library and precision of
    `log_ratio`.

    Args:
        log_ratio: the critic's logits; the future is counted from the next state on.
        reward: of each candidate future.
        gamma: the discount that the critic was trained with.
        marginal: the probability of each candidate; left out where they are draws from $p$.
        normalise: divide $e^f$ by its mean over the marginal. Needed where the logits have a free
            term in the anchor, as InfoNCE's do; elsewhere it removes errors common to a row.
    """
    xp = np if isinstance(log_ratio, np.ndarray) else jnp
    if normalise:
        log_ratio = log_ratio - log_ratio.max(axis=-1, keepdims=True)
    share = 1 / log_ratio.shape[-1] if marginal is None else marginal
    weights = xp.exp(log_ratio) * share
    if normalise:
        weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ reward / (1 - gamma)


class FourierFeatures(NamedTuple):
    r"""Random features whose inner product is $e^{x^\top y}$ on average (Rahimi & Recht 2007).

    $F(x)=e^{\|x\|^2/2}\sqrt{2/D}\,\cos(\omega^\top x+b)$ with standard normal $\omega$ and uniform
    $b$. They make the average over candidates one fixed vector,
    $Q(s,a)\approx\frac1{1-\gamma}F(\phi(s,a))^\top\,\mathbb E_{s_+\sim p}[F(\psi(s_+))\,r(s_+)]$.
    """

    frequencies: Float[Array, "dim features"]
    phases: Float[Array, " features"]

    @classmethod
    def draw(cls, key: Key, dim: int, features: int) -> "FourierFeatures":
        """Fresh features of vectors of `dim` entries; the error falls as their number's root."""
        key_frequencies, key_phases = jax.random.split(key)
        return cls(
            jax.random.normal(key_frequencies, (dim, features)),
            jax.random.uniform(key_phases, (features,), maxval=2 * jnp.pi),
        )

    def __call__(
        self, x: Float[Array, "*batch dim"], offset: float | Array = 0.0
    ) -> Float[Array, "*batch features"]:
        r"""The features of each vector, times $e^{-\text{offset}}$.

        In single precision the size $e^{\|x\|^2/2}$ overflows for vectors longer than 13.3. An
        `offset` of about the largest $\|x\|^2/2$ keeps it finite; values then lack a factor that
        all of them share.

        Raises:
            ValueError: a feature overflows (seen outside jit only).
        """
        waves = jnp.cos(x @ self.frequencies + self.phases)
        size = jnp.exp(0.5 * jnp.sum(x**2, axis=-1, keepdims=True) - offset)
        features = size * jnp.sqrt(2 / len(self.phases)) * waves
        if not isinstance(features, jax.core.Tracer) and not jnp.isfinite(features).all():
            raise ValueError(
                "a feature overflows: shorten the vectors, or give an offset of about their "
                "largest squared length over 2"
            )
        return features


@dataclass(frozen=True, kw_only=True)
class CVL(FutureModel):
    """The learner: the model alone, or with an actor that improves on the data for one reward.

    The data are a `Dataset`; with an actor, a pair of a `Dataset` and the reward of each row.

    Attributes:
        normalise: as in `reward_weighted_q`.
    """

    normalise: bool = False

    def batch(self, data: Dataset | RewardedData, key: Key) -> HindsightTransitions:
        """States and actions with a future each; for the actor, rewarded draws as well."""
        if isinstance(data, Dataset):
            return super().batch(data, key)
        return rewarded_futures(
            *data, key, self.batch_size, self.gamma, self.tail, self.goal_entries
        )

    def task_value(
        self, params: Params, batch: RewardedFutures, action: Shaped[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """The smallest of the critics' values of an action in each state.

        Smallest as a value: where rewards are negative, smaller ratios make larger values.
        """
        logits = self.scores(params, batch.state, action, batch.candidate, "pairwise")
        q = reward_weighted_q(logits, batch.reward, self.gamma, normalise=self.normalise)
        return jnp.min(q, axis=0)

    def action_values(
        self,
        params: Params,
        states: Shaped[Array, "rows ..."],
        futures: Shaped[Array, "columns ..."],
        reward: Float[Array, " columns"],
        marginal: Float[Array, " columns"] | None = None,
    ) -> Float[Array, "rows actions"]:
        """The value of every one of a few actions, for any reward: the smallest of the critics'."""
        logits = self.log_ratios(params, states, futures)
        q = reward_weighted_q(logits, reward, self.gamma, marginal, self.normalise)
        return jnp.min(q, axis=0)
