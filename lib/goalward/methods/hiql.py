r"""HIQL: one value, two policies; the far goal gives a subgoal, the subgoal gives an action.

Park, Ghosh, Eysenbach & Levine 2023, "HIQL: Offline Goal-Conditioned RL with Latent States as
Actions". A learned value errs more the further the goal is. Far from it, the values of two
neighbouring states differ by less than the error, so a policy cannot tell actions apart; but it can
tell apart states that lie $k$ steps ahead, and for a goal that near it can tell actions apart. The
same value $V(s,g)=v(s,\phi([s;g]))$ serves both: the high level names a state $k$ steps ahead by
its representation $\phi$, the low level acts towards what was named. In OGBench's version (Park et
al. 2025).
"""

from dataclasses import dataclass
from math import erf

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from goalward.baselines.gcivl import GCIVL
from goalward.baselines.offline import apply_members, init_members
from goalward.data.goal_mixtures import SubgoalBatch, ValueBatch, goal_batch, subgoal_batch
from goalward.data.goals import HindsightTransitions
from goalward.data.trajectories import Dataset
from goalward.losses.policy import awr
from goalward.nets.subgoals import to_sphere
from goalward.protocol import Key, LearnerState, Metrics, Params

Rows = Shaped[Array, "batch ..."]


@dataclass(frozen=True, kw_only=True)
class HIQL(GCIVL):
    r"""The agent; `actor` is the low level, told a representation where others are told a goal.

    Attributes:
        representation: a Linen module `representation(state, goal)`, $\phi$, of length $\sqrt d$.
        value: a Linen module `value(state, representation)`, $v$; two copies are trained.
        high_actor: a Gaussian of deviation 1 as `goalward.nets.plain_policies.UnitGaussianPolicy`,
            over representations; called, it gives the mean.
        subgoal_steps: $k$, how far ahead a subgoal lies.
        kappa: the expectile of the value, between 0 and 1.
        sharpness: $\beta$ of the low level.
        high_sharpness: $\beta$ of the high level.
        low_level_represents: whether the low level's loss trains $\phi$ too, as the benchmark has
            it for images; else the value's loss alone does.
    """

    representation: nn.Module
    high_actor: nn.Module
    subgoal_steps: int = 25
    kappa: float = 0.7
    sharpness: float = 3.0
    high_sharpness: float = 3.0
    low_level_represents: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.subgoal_steps < 1:
            raise ValueError(f"subgoal_steps must be at least 1, not {self.subgoal_steps}")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """Parameters under "representation", "value" (both), "actor" and "high_actor"."""
        assert isinstance(example, SubgoalBatch)
        keys = jax.random.split(key, 4)
        state, goal = example.state, example.actor_goal
        z, representation = self.representation.init_with_output(keys[0], state, goal)
        named, high_actor = self.high_actor.init_with_output(keys[1], state, goal)
        if named.shape != z.shape:
            raise ValueError(
                f"high_actor gives {named.shape[-1]} numbers, but representation {z.shape[-1]}: "
                "make them the same"
            )
        return {
            "representation": representation,
            "value": init_members(self.value, keys[2], 2, state, z),
            "actor": self.actor.init(keys[3], state, z),  # type: ignore[union-attr]
            "high_actor": high_actor,
        }

    def draw(self, data: Dataset, key: Key) -> SubgoalBatch:
        """Transitions with goals for the value and for each level."""
        return subgoal_batch(
            data,
            key,
            self.batch_size,
            self.gamma,
            self.value_goals,
            self.actor_goals,
            self.subgoal_steps,
            self.tail,
            self.goal_entries,
        )

    def loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """`value_loss`, `extract` (the low level) and `extract_high`, added up."""
        assert isinstance(batch, SubgoalBatch)
        value = self.value_loss(params, state.target_params, batch)
        low, high = self.extract(params, batch), self.extract_high(params, batch)
        return value + low + high, {"value": value, "actor": low, "high_actor": high}

    def value_loss(
        self, params: Params, target_params: Params, batch: ValueBatch
    ) -> Float[Array, ""]:
        r"""Action-free implicit Q-learning (eq. 4), GCIVL's loss of $V(s,g)=v(s,\phi([s;g]))$.

        In the equation the error's own sign chooses its weight; in the benchmark's code, and here,
        the target values choose it.
        Its gradient trains $v$ and $\phi$. The target $\bar V=\bar v(s,\phi([s;g]))$ averages
        $v$ alone: $\phi$ is the present one there too, without a gradient.
        """
        held = jax.lax.stop_gradient(params["representation"])
        return super().value_loss(params, target_params | {"representation": held}, batch)

    def extract_high(self, params: Params, batch: SubgoalBatch) -> Float[Array, ""]:
        r"""The high level: name states $w=s_{t+k}$, and rather those closer to $g$.

        $-\mathbb E[e^{\beta_h(V(w,g)-V(s_t,g))}\log\pi^h(\phi([s_t;w])\mid s_t,g)]$, whose gradient
        reaches $\pi^h$ alone. The weight is capped at 100, here and in `extract`.
        """
        state, goal = batch.state, batch.actor_goal
        advantage = self.advantage(params, state, batch.subgoal_state, goal)
        z = jax.lax.stop_gradient(self.represent(params, state, batch.subgoal))
        log_prob = self.high_actor.apply(params["high_actor"], state, goal, z, method="log_prob")
        return awr(advantage, log_prob, self.high_sharpness)  # type: ignore[arg-type]

    def extract(self, params: Params, batch: ValueBatch) -> Float[Array, ""]:
        r"""The low level: imitate, and rather actions that led closer to $w=s_{t+k}$.

        $-\mathbb E[e^{\beta_\ell(V(s_{t+1},w)-V(s_t,w))}\log\pi^\ell(a_t\mid s_t,\phi([s_t;w]))]$.
        """
        assert isinstance(batch, SubgoalBatch)
        advantage = self.advantage(params, batch.state, batch.next_state, batch.low_goal)
        return awr(advantage, self.data_log_prob(params, batch), self.sharpness)

    def data_log_prob(self, params: Params, batch: HindsightTransitions) -> Float[Array, " batch"]:
        r"""Log density of the recorded actions, told $\phi([s_t;s_{t+k}])$."""
        assert isinstance(batch, SubgoalBatch)
        z = self.represent(params, batch.state, batch.low_goal)
        z = z if self.low_level_represents else jax.lax.stop_gradient(z)
        return self.actor.apply(  # type: ignore
            params["actor"], batch.state, z, batch.action, method="log_prob"
        )

    def advantage(
        self, params: Params, state: Rows, later: Rows, goal: Rows
    ) -> Float[Array, " batch"]:
        """How much closer to the goal a later state is, by the mean of both heads; held fixed."""
        held = jax.lax.stop_gradient(params)
        return (self.values(held, later, goal) - self.values(held, state, goal)).mean(axis=0)

    def values(self, params: Params, state: Rows, goal: Rows) -> Float[Array, "2 batch"]:
        r"""Both heads' $v(s,\phi([s;g]))$; they share $\phi$."""
        z = self.represent(params, state, goal)
        return apply_members(self.value, params["value"], state, z)

    def represent(self, params: Params, state: Rows, goal: Rows) -> Float[Array, "batch dim"]:
        r"""$\phi([s;g])$."""
        return self.representation.apply(params["representation"], state, goal)  # type: ignore

    def name_subgoal(
        self, params: Params, state: Rows, goal: Rows, key: Key, temperature: float | Array = 1.0
    ) -> Float[Array, "batch dim"]:
        r"""A draw from $\pi^h(\cdot\mid s,g)$, brought to the length of representations."""
        mean: Array = self.high_actor.apply(params["high_actor"], state, goal)  # type: ignore
        return to_sphere(mean + temperature * jax.random.normal(key, mean.shape))

    def propose(
        self, params: Params, state: Rows, goal: Rows, key: Key, temperature: float | Array = 1.0
    ) -> tuple[Rows, Float[Array, " batch"]]:
        """Actions of the low level towards what the high level names, and their log densities."""
        key_high, key_low = jax.random.split(key)
        z = self.name_subgoal(params, state, goal, key_high, temperature)
        return super().propose(params, state, z, key_low, temperature)


@dataclass(frozen=True, kw_only=True)
class ValueAlone(GCIVL):
    """The value without policies, where states are numbers: it needs no action.

    A row is a success where the state is the goal, in whichever row of the data.
    """

    actor: nn.Module | None = None

    def draw(self, data: Dataset, key: Key) -> ValueBatch:
        """Transitions with goals for the value."""
        goals = self.value_goals
        batch = goal_batch(data, key, self.batch_size, self.gamma, goals, goals, self.tail)
        mask = (batch.state != batch.goal).astype(jnp.float32)
        return batch.replace(reward=-mask, mask=mask)  # type: ignore[attr-defined,no-any-return]

    def loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """`value_loss` alone."""
        assert isinstance(batch, ValueBatch)
        return self.value_loss(params, state.target_params, batch), {}


def p_wrong(distance: float, sigma: float, steps: float = 1.0) -> float:
    r"""How likely a noisy value sends a walker the wrong way along a line, exactly.

    The goal is $T$ away; the value of a state $d$ from it is $-d(1+\sigma z)$, with a standard
    normal $z$ of its own for each state. The walker compares the states $k$ to both sides, which
    lie $T-k$ and $T+k$ from the goal. The wrong one wins with probability
    $\Phi(-\sqrt2\,/\,(\sigma\sqrt{(T/k)^2+1}))$.

    Args:
        distance: $T$.
        sigma: $\sigma$, above 0.
        steps: $k$; 1 compares the states next to the walker's.
    """
    return (1 + erf(-1 / (sigma * np.hypot(distance / steps, 1)))) / 2


def chain_success(
    distance: int, sigma: float, horizon: int, steps: int | None = None
) -> Float[np.ndarray, " time"]:
    r"""Chance of having reached the goal after 0 to `horizon` steps, the noise new at every look.

    With `steps` $=k$ a subgoal is chosen $k$ to one side, then a step towards it: right if both
    choices are, or neither is. Within $k$ of the goal it is itself the subgoal. Without `steps`
    only the step is chosen. So the distance to the goal is a Markov chain that ends at 0.
    """
    furthest = distance + horizon
    right = np.ones(furthest + 1)
    for d in range(1, furthest + 1):
        right[d] -= p_wrong(d, sigma)
        if steps is not None and d > steps:
            high, low = p_wrong(d, sigma, steps), p_wrong(steps, sigma)
            right[d] = (1 - high) * (1 - low) + high * low
    at = np.eye(furthest + 1)[distance]
    arrived = [at[0]]
    for _ in range(horizon):
        nearer, further = (at * right)[1:], (at * (1 - right))[1:-1]
        at = np.append(nearer, 0.0) + np.concatenate([[at[0], 0.0], further])
        arrived.append(at[0])
    return np.array(arrived)
