r"""Stable contrastive RL: the same algorithm, with the choices that make it hold on images.

Zheng, Eysenbach, Walke et al. 2024, "Stabilizing Contrastive RL: Techniques for Robotic Goal
Reaching from Offline Data". Each of their decisions is one argument, free of the others:

- the balance of the loss: `binary_nce` weighs a batch's negatives by $1/(B-1)$;
- normalisation before each nonlinearity, and cold last layers: `goalward.nets.stable.StableMLP`
  and `ShallowEncoder` in the critic and the actor;
- augmentation: `crop`, for the imitation term alone;
- Monte Carlo or temporal differences: `bootstrap`;
- large batches: `batch_size`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from goalward.baselines.c_learning import CLearningControl
from goalward.data.crops import JointCrop
from goalward.data.goals import HindsightTransitions, mix_goals
from goalward.losses.contrastive import binary_nce
from goalward.protocol import Key, LearnerState, Params


@dataclass(frozen=True, kw_only=True)
class StableContrastiveRL(CLearningControl):
    r"""The agent: two critics of which it trusts the smaller, and an actor that imitates a little.

    Attributes:
        bootstrap: learn from single steps by `CLearningControl`'s loss, as the released code does
            by default, or else from whole futures.
        contrast: the loss on the table of logits, where futures are whole.
        crop: shifts images in the imitation term; critic and values see them as recorded.
        random_goals: none by default: the actor trains on real futures.
    """

    bootstrap: bool = False
    contrast: Callable[[Array], Array] = binary_nce
    crop: JointCrop | None = None
    random_goals: float = 0.0

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        """Own future against the other rows' futures; or C-learning."""
        if self.bootstrap:
            return super().critic_loss(params, state, batch, key)
        logits = self.scores(params, batch.state, batch.action, batch.goal, method="pairwise")
        return jnp.mean(jax.vmap(self.contrast)(logits))

    def extract(self, params: Params, batch: HindsightTransitions, key: Key) -> Float[Array, ""]:
        """The actor's loss; only the imitated pair of state and goal is cropped."""
        key_crop, key_actor = jax.random.split(key)
        goal = mix_goals(batch.goal, self.random_goals)
        action, log_prob = self.propose(params, batch.state, goal, key_actor)
        q = self.value(jax.lax.stop_gradient(params), batch.state, action, goal)
        imitated = batch
        if self.crop is not None:
            seen, aim = self.crop(key_crop, batch.state, batch.goal)
            imitated = batch.replace(state=seen, goal=aim)  # type: ignore[attr-defined]
        data_log_prob = self.data_log_prob(params, imitated)
        return self.actor_loss(q, log_prob, data_log_prob, self.bc, self.entropy)


def cold_start_matrix(
    anchors: Float[np.ndarray, "batch inputs"], futures: Float[np.ndarray, "batch outputs"]
) -> Float[np.ndarray, "inputs outputs"]:
    r"""What drives two cold last layers: half the covariance of their inputs, $A$.

    With $f_{ij}=(Wx_i)^\top(Vy_j)$ and both factors near zero, every logit's slope in
    `binary_nce` is that at zero, $-\frac1{2B}$ on the diagonal and $\frac1{2B(B-1)}$ off it, so
    that $-\partial L/\partial W=VA^\top$ and $-\partial L/\partial V=WA$ with
    $A=\frac12\widehat{\mathrm{Cov}}(x,y)$, the unbiased estimate from matched rows. Gradient
    descent with step $\eta$ multiplies the leading pair of directions by
    $1+\eta\,\sigma_{\max}(A)$ a step.

    Args:
        anchors: inputs of the anchors' last layer.
        futures: inputs of the futures' last layer, row by row the positives.
    """
    x, y = anchors - anchors.mean(axis=0), futures - futures.mean(axis=0)
    return 0.5 * x.T @ y / (len(x) - 1)
