"""Losses that fit values to targets, one number a row, to be averaged."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def expectile(
    error: Float[Array, "*batch"],
    kappa: float | Float[Array, ""],
    advantage: Float[Array, "*#batch"] | None = None,
) -> Float[Array, "*batch"]:
    r"""$|\kappa - \mathbb 1\{A < 0\}|\,u^2$, the asymmetric square of an error $u$.

    The constant $v$ that minimises its mean over $u = x - v$ is the $\kappa$-expectile of $x$: the
    mean for $\kappa = 1/2$, towards the maximum as $\kappa \to 1$ (Newey & Powell 1987; Kostrikov
    et al. 2022, eq. 5).

    Args:
        error: target minus prediction, $u$.
        kappa: between 0 and 1: how much an error from below weighs; one from above weighs the
            rest.
        advantage: $A$, whose sign chooses the weight; the error itself if left out.
    """
    sign = error if advantage is None else advantage
    return jnp.where(sign >= 0, kappa, 1 - kappa) * error**2


def cross_entropy(
    logit: Float[Array, "*batch"], target: Float[Array, "*#batch"]
) -> Float[Array, "*batch"]:
    r"""$-y\log\sigma(x)-(1-y)\log(1-\sigma(x))$, for values between 0 and 1, in nats.

    The constant $x$ that minimises its mean over targets $y$ has $\sigma(x)$ at their mean, as the
    square of the error would; near 0 and 1 its gradient does not fade.

    Args:
        logit: $x$, of which $\sigma(x)=1/(1+e^{-x})$ is the value.
        target: $y$, in [0, 1].
    """
    return jax.nn.softplus(logit) - target * logit
