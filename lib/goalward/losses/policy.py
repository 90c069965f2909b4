r"""Policy extraction: losses that turn a critic into a policy. Means over a batch, to minimise.

`max_q` and `ddpg_bc` take the same arguments, so that they can stand in for one another: `q`, the
critic's value of an action that the policy proposes, through which the gradient flows; `log_prob`
of that action; `data_log_prob` of the recorded action; and two weights. `awr` proposes no action.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Rows = Float[Array, " batch"]
Weight = float | Float[Array, ""]
ActorLoss = Callable[..., Array]
"""`(q, log_prob, data_log_prob, bc, entropy)` to a scalar."""


def max_q(
    q: Rows, log_prob: Rows, data_log_prob: Rows, bc: float = 0.0, entropy: Weight = 0.0
) -> Float[Array, ""]:
    r"""$(1-\lambda)\,\mathbb E[\eta\log\pi(a) - q(a)] - \lambda\,\mathbb E[\log\pi(a_d)]$.

    The actor of contrastive RL (Eysenbach et al. 2022): $a_d$ is the recorded action;
    $\lambda$ is `bc`, 0 online and 0.05 offline in their code; $\eta$ is `entropy`.
    """
    return (1 - bc) * jnp.mean(entropy * log_prob - q) - bc * jnp.mean(data_log_prob)


def ddpg_bc(
    q: Rows, log_prob: Rows, data_log_prob: Rows, bc: float = 1.0, entropy: Weight = 0.0
) -> Float[Array, ""]:
    r"""$\mathbb E[\eta\log\pi(a) - q(a)]\,/\,\mathrm{sg}\,\mathbb E|q| - \beta\,
    \mathbb E[\log\pi(a_\text{data})]$.

    DDPG+BC (Fujimoto & Gu 2021): dividing by the size of the values makes $\beta$, the weight
    `bc`, mean the same whatever the critic's units are.
    """
    scale = jax.lax.stop_gradient(jnp.mean(jnp.abs(q))) + 1e-6
    return jnp.mean(entropy * log_prob - q) / scale - bc * jnp.mean(data_log_prob)


def awr(
    advantage: Rows, data_log_prob: Rows, sharpness: float = 10.0, cap: float = 100.0
) -> Float[Array, ""]:
    r"""$-\mathbb E[\min(e^{\alpha A}, c)\,\log\pi(a_\text{data})]$: imitate what did well.

    Advantage-weighted regression (Peng et al. 2019) with a capped weight, through which no
    gradient flows, as in OGBench (Park et al. 2025).

    Args:
        advantage: how much better than usual the recorded action was, $A$.
        data_log_prob: of the recorded action.
        sharpness: $\alpha$, the inverse of a temperature; at 0 this is cloning.
        cap: the largest weight, $c$.
    """
    exponent = jnp.minimum(sharpness * advantage, jnp.log(cap))  # before exp: no overflow
    return -jnp.mean(jax.lax.stop_gradient(jnp.exp(exponent)) * data_log_prob)
