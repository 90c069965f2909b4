"""The few types that everyone shares: what a learner, an agent and an environment are.

A *learner* is a frozen, hashable dataclass of hyper-parameters and networks. Everything that
changes lives in its state, one pytree: so a learner is scanned over time, vmapped over seeds,
jitted once and checkpointed whole.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jaxtyping import Array, Bool, Float, Int, PyTree

Key = Array
"""A JAX random key: one per call, split explicitly."""

Batch = PyTree
"""Arrays with a leading batch axis."""

Params = PyTree
Metrics = Mapping[str, Array]


@struct.dataclass
class LearnerState:
    """All that a learner changes while it learns.

    Attributes:
        params: the trained parameters.
        target_params: their exponential moving average (the same pytree where there is none).
        opt_state: the optimiser's moments.
        step: the number of updates made.
        learning_rate: the step size. It lives here, not in the learner, so that
            seeds × step sizes are one vmap and one compilation.
    """

    params: Params
    target_params: Params
    opt_state: Any
    step: Int[Array, "*seeds"]
    learning_rate: Float[Array, "*seeds"]


@runtime_checkable
class Learner(Protocol):
    """What `goalward.training.loop.train` needs of a method or a baseline."""

    def init(self, key: Key, example: Batch) -> LearnerState:
        """The state before the first update, with parameters shaped for `example`."""

    def batch(self, data: PyTree, key: Key) -> Batch:
        """A random batch, drawn from the data inside jit."""

    def loss(
        self, params: Params, state: LearnerState, batch: Batch, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """The scalar to minimise in `params`, and what to log beside it."""

    def update(self, state: LearnerState, batch: Batch, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step."""


@runtime_checkable
class Actor(Protocol):
    """Something that acts, as its state says."""

    def act(
        self,
        state: Any,
        observation: Array,
        goal: Array,
        carry: PyTree,
        key: Key,
        temperature: float = 1.0,
    ) -> tuple[Array, PyTree]:
        """An action and the memory for the next call; `carry` is `()` without memory.

        Temperature 0 is greedy.
        """


@runtime_checkable
class Agent(Learner, Actor, Protocol):
    """A learner that also acts."""


@runtime_checkable
class EnvironmentState(Protocol):
    """What an environment shows after a step."""

    observation: Array
    goal: Array
    reward: Float[Array, ""]
    success: Bool[Array, ""]
    terminated: Bool[Array, ""]
    truncated: Bool[Array, ""]


@runtime_checkable
class Environment(Protocol):
    """Something to act in: pure, so that `jax.vmap` gives as many copies as one likes."""

    def reset(self, key: Key) -> Any:
        """A fresh episode (an `EnvironmentState`)."""

    def step(self, state: Any, action: Array, key: Key) -> Any:
        """The state one time step later."""


@runtime_checkable
class GoalEnvironment(Environment, Protocol):
    """An environment whose goals are some entries of an observation, to be reached in a ball.

    Attributes:
        observation_size: how many numbers an observation has.
        action_size: how many numbers an action has; each lies in [-1, 1].
        goal_entries: which entries of an observation are compared with the goal.
        reach: success is a Euclidean distance of at most this.
        horizon: steps until an episode is truncated.
    """

    @property
    def observation_size(self) -> int: ...

    @property
    def action_size(self) -> int: ...

    @property
    def goal_entries(self) -> tuple[int, ...]: ...

    @property
    def reach(self) -> float: ...

    @property
    def horizon(self) -> int: ...


def check_discount(gamma: float | Array) -> None:
    """Refuse a discount that is not below 1 in single precision; a traced one is taken as it is.

    Raises:
        ValueError: it is below 0, 1, or so near to 1 that rounding makes it 1.
    """
    if not isinstance(gamma, jax.core.Tracer) and not 0 <= np.float32(gamma) < 1:
        raise ValueError(f"the discount gamma must be at least 0 and below 1, not {gamma}")


LossFn = Callable[[Params, LearnerState, Batch, Key], tuple[Float[Array, ""], Metrics]]


ADAM = optax.scale_by_adam()
"""Adam's direction; one object, so that equal learners compare equal and share compiled code."""

PLAIN = optax.identity()
"""The gradient itself: plain stochastic gradient descent."""


def initial_state(
    params: Params, transform: optax.GradientTransformation, learning_rate: float
) -> LearnerState:
    """A learner's state before its first update, the target equal to the parameters."""
    # A weakly typed leaf changes its type in the first update, and with it all compiled code.
    params = jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, leaf.dtype), params)
    return LearnerState(
        params=params,
        target_params=params,
        opt_state=transform.init(params),
        step=jnp.zeros((), jnp.int32),
        learning_rate=jnp.asarray(learning_rate, jnp.float32),
    )


def gradient_step(
    loss: LossFn,
    state: LearnerState,
    batch: Batch,
    key: Key,
    transform: optax.GradientTransformation,
    tau: float = 1.0,
) -> tuple[LearnerState, Metrics]:
    r"""One step of $\theta \leftarrow \theta - \alpha\,T(\nabla_\theta L)$ and of its average.

    Args:
        loss: $L(\theta)$, for example a learner's `loss`.
        state: parameters, moments, step size $\alpha$.
        batch: what the loss is evaluated on.
        key: randomness for the loss.
        transform: $T$, a *direction* such as `optax.scale_by_adam()`: the step size comes from
            the state.
        tau: the target moves by $\bar\theta \leftarrow (1-\tau)\bar\theta + \tau\theta$; 1 keeps
            it equal to the parameters.
    """
    (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(
        state.params, state, batch, key
    )
    direction, opt_state = transform.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(
        state.params, jax.tree.map(lambda d: -state.learning_rate * d, direction)
    )
    state = state.replace(  # type: ignore[attr-defined]
        params=params,
        target_params=optax.incremental_update(params, state.target_params, tau),
        opt_state=opt_state,
        step=state.step + 1,
    )
    return state, {"loss": value, **metrics}
