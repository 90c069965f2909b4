r"""SHARSA: two cloned flows, and a value of several steps that picks the best subgoal.

Park, Frans, Mann, Eysenbach, Kumar & Levine 2025, "Horizon Reduction Makes RL Scalable". A long way
is hard twice: a value carries its errors through as many backups as there are steps, and a policy
must know what a far goal asks for here. Both ways are shortened by $n$. The high level clones
subgoals $w=s_{t+n}$, the low level clones actions towards them, both as flows; a value of $n$ steps
at a time, of the data's own behaviour and without any maximum, only chooses among proposals.

`goalward.tabular.subgoals` has the same in tables, where success is computed exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.baselines.offline import OfflineActor, apply_members, init_members
from goalward.data.goals import HindsightTransitions
from goalward.data.nstep_goals import NStepBatch, nstep_batch
from goalward.data.trajectories import Dataset
from goalward.losses.flow import flow_matching
from goalward.losses.values import cross_entropy
from goalward.nets.flow import integrate
from goalward.protocol import Key, LearnerState, Metrics, Params

Velocity = Callable[[Array, Array], Array]


@dataclass(frozen=True, kw_only=True)
class SHARSA(OfflineActor):
    r"""The agent; `actor` is the low level's field of velocities $v_\ell((s, w), x, t)$.

    Attributes:
        high_actor: the high level's field $v_h((s, g), x, t)$, over subgoals.
        value: logits $V(s, g)$ of values between 0 and 1.
        critic: logits $Q((s, w), g)$; two copies are trained.
        actions: how many numbers an action has.
        subgoal_steps: $n$.
        aggregate: how $V$'s target joins the two critics, `jnp.min` or `jnp.mean`.
        candidates: $N$, subgoals proposed at each step.
        flow_steps: of Euler's method.
        end_is_success: see `goalward.data.nstep_goals.nstep_goal`.
    """

    high_actor: nn.Module
    value: nn.Module
    critic: nn.Module
    actions: int
    subgoal_steps: int = 25
    aggregate: Callable[..., Array] = jnp.min
    candidates: int = 32
    flow_steps: int = 10
    end_is_success: bool = False
    tau: float = 0.005

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.subgoal_steps, self.candidates, self.flow_steps) < 1:
            raise ValueError("subgoal_steps, candidates and flow_steps must be at least 1")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """Parameters under "actor", "high_actor", "value" and "critic" (both)."""
        assert isinstance(example, NStepBatch)
        keys, state, goal = jax.random.split(key, 4), example.state, example.goal
        low, t = (state, example.low_goal), jnp.zeros((len(state), 1))
        return {
            "actor": self.actor.init(keys[0], low, example.action, t),  # type: ignore[union-attr]
            "high_actor": self.high_actor.init(keys[1], (state, goal), goal, t),
            "value": self.value.init(keys[2], state, goal),
            "critic": init_members(self.critic, keys[3], 2, (state, goal), goal),
        }

    def draw(self, data: Dataset, key: Key) -> NStepBatch:
        """Transitions with goals and subgoals for the value and for each level."""
        return nstep_batch(
            data,
            key,
            self.batch_size,
            self.gamma,
            self.value_goals,
            self.actor_goals,
            self.subgoal_steps,
            self.tail,
            self.goal_entries,
            self.end_is_success,
        )

    def loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """`value_loss`, `critic_loss` and the two flows' losses, added up."""
        assert isinstance(batch, NStepBatch)
        parts = self.parts(params, state.target_params, batch, *jax.random.split(key))
        return jnp.sum(jnp.stack(list(parts.values()))), parts

    def parts(
        self, params: Params, target_params: Params, batch: NStepBatch, key_high: Key, key_low: Key
    ) -> dict[str, Float[Array, ""]]:
        """The loss of each network; the keys are for the noise of the two flows."""
        return {
            "value": self.value_loss(params, target_params, batch),
            "critic": self.critic_loss(params, batch),
            "high_actor": flow_matching(
                self._high(params, batch.state, batch.actor_goal), batch.subgoal, key_high
            ),
            "actor": flow_matching(
                self._low(params, batch.state, batch.low_goal), batch.action, key_low
            ),
        }

    def value_loss(
        self, params: Params, target_params: Params, batch: NStepBatch
    ) -> Float[Array, ""]:
        r"""$V(s,g)$ follows $\min_j\bar Q_j(s,w,g)$ at the subgoal that the data took."""
        told = (batch.state, batch.value_subgoal), batch.goal
        q = jax.nn.sigmoid(apply_members(self.critic, target_params["critic"], *told))
        v = self.value.apply(params["value"], batch.state, batch.goal)
        return jnp.mean(cross_entropy(jnp.asarray(v), self.aggregate(q, axis=0)))

    def critic_loss(self, params: Params, batch: NStepBatch) -> Float[Array, ""]:
        r"""$Q_j(s,w,g)$ follow $\gamma^{\tilde n}$ if $g$ is reached, else
        $\gamma^{\tilde n}V(w,g)$."""
        held = jax.lax.stop_gradient(params["value"])
        v = jax.nn.sigmoid(jnp.asarray(self.value.apply(held, batch.value_next, batch.goal)))
        target = batch.reward + self.gamma**batch.steps * batch.mask * v
        told = (batch.state, batch.value_subgoal), batch.goal
        q = apply_members(self.critic, params["critic"], *told)
        return jnp.sum(jnp.mean(cross_entropy(q, target), axis=1))

    def propose_subgoals(
        self, params: Params, state: Array, goal: Array, key: Key
    ) -> Float[Array, "candidates dim"]:
        """Draws from the high level for one state and goal."""
        x0 = jax.random.normal(key, (self.candidates, *goal.shape))
        field = self._high(params, _copies(state, len(x0)), _copies(goal, len(x0)))
        return integrate(field, x0, self.flow_steps)

    def choose_subgoal(
        self, params: Params, state: Array, goal: Array, proposed: Float[Array, "candidates dim"]
    ) -> Float[Array, " dim"]:
        r"""The proposal of largest $\min_jQ_j(s,w,g)$."""
        here, there = _copies(state, len(proposed)), _copies(goal, len(proposed))
        q = apply_members(self.critic, params["critic"], (here, proposed), there)
        return proposed[jnp.argmax(jnp.min(q, axis=0))]

    def follow(self, params: Params, state: Array, subgoal: Array, key: Key) -> Array:
        """A draw from the low level, its entries clipped to [-1, 1]."""
        x0 = jax.random.normal(key, (1, self.actions))
        field = self._low(params, state[None], subgoal[None])
        return jnp.clip(integrate(field, x0, self.flow_steps)[0], -1, 1)

    def act(
        self,
        state: LearnerState,
        observation: Shaped[Array, "..."],
        goal: Shaped[Array, "..."],
        carry: PyTree,
        key: Key,
        temperature: float | Array = 1.0,
    ) -> tuple[Shaped[Array, "..."], PyTree]:
        """The low level's action towards the best of `candidates` subgoals.

        The temperature changes nothing: flows need their noise, and the choice is greedy already.
        """
        key_high, key_low = jax.random.split(key)
        proposed = self.propose_subgoals(state.params, observation, goal, key_high)
        subgoal = self.choose_subgoal(state.params, observation, goal, proposed)
        return self.follow(state.params, observation, subgoal, key_low), carry

    def _high(self, params: Params, state: Array, goal: Array) -> Velocity:
        told = (state, goal)
        return lambda x, t: self.high_actor.apply(params["high_actor"], told, x, t)  # type: ignore

    def _low(self, params: Params, state: Array, subgoal: Array) -> Velocity:
        told = (state, subgoal)
        return lambda x, t: self.actor.apply(params["actor"], told, x, t)  # type: ignore


def _copies(row: Array, count: int) -> Array:
    return jnp.broadcast_to(row, (count, *row.shape))
