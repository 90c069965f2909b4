r"""CMD: contrastive metric distillation, or how to read a distance off a contrastive critic.

Myers, Zheng, Dragan, Levine & Eysenbach 2024, "Learning Temporal Distances: Contrastive Successor
Features Can Provide a Metric Structure for Decision-Making". The best logits of a contrastive loss
are $f(s,g)=\log p_\gamma(g\mid s)/p(g)$: not a distance. Their *change of variables*
$f(g,g)-f(s,g)$ is one, the successor distance (exact tables: `goalward.tabular.distances`).

In finite worlds `StateContrast` learns the logits of all pairs of states. Its critic may be a free
table, a quasimetric less a potential (CMD-1: `PotentialCritic`), or anything else with `pairwise`.
CMD-2 fits a quasimetric to the change of variables of a finished critic: `distillation`. Time 0
counts as a future: else the diagonal speaks of coming back. `CMD` is CMD-1 as a benchmark's agent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Shaped

from goalward.baselines.goal_actor_critic import GoalActor
from goalward.baselines.metric_actor_critic import MetricActorCritic
from goalward.baselines.offline import apply_members, init_members
from goalward.data.goal_mixtures import ValueBatch
from goalward.data.goals import HindsightTransitions
from goalward.data.sampling import geometric_offsets
from goalward.losses.contrastive import symmetric_info_nce
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

Table = Float[Array | np.ndarray, "states goals"]
Rows = Shaped[Array, "batch ..."]


def optimal_critic(
    measure: Float[np.ndarray, "states goals"], marginal: Float[np.ndarray, " goals"]
) -> Float[np.ndarray, "states goals"]:
    r"""$f^*(s,g)=\log p_\gamma(g\mid s)/p(g)$: what contrastive losses converge to.

    Args:
        measure: $p_\gamma(g\mid s)$, with `start="current"`.
        marginal: $p(g)$, of the goals in the data.
    """
    with np.errstate(divide="ignore"):
        return np.log(measure) - np.log(marginal)


def change_of_variables(logits: Table) -> Table:
    r"""$d(s,g)=f(g,g)-f(s,g)$, from the logits of all pairs of states (Myers et al. 2024).

    Whatever `logits` holds that depends on the goal alone cancels; a term in the state stays.
    """
    return logits.diagonal()[None, :] - logits


def counted_info_nce(table: Table, counts: Table, axis: int = 1) -> Float[Array, ""]:
    r"""`goalward.losses.contrastive.info_nce` of a batch that holds few different states.

    `counts[s, g]` is how often anchor s and candidate g were drawn as a pair: row sums $n(s)$,
    column sums $n(g)$, sum B. With `axis=1` it is
    $-\frac1B\sum n(s,g)f(s,g)+\frac1B\sum_s n(s)\log\sum_g n(g)e^{f(s,g)}$.
    """
    others = jnp.log(jnp.sum(counts, axis=1 - axis, keepdims=True))  # candidates in the batch
    total = jax.nn.logsumexp(table + others, axis=axis)
    own = jnp.sum(counts * table) - jnp.sum(jnp.sum(counts, axis=axis) * total)
    return -own / jnp.sum(counts)


def distillation(
    d: Float[Array, "batch batch"],
    logits: Float[Array, "batch batch"],
    at_goal: Float[Array, " batch"],
    weight: Float[Array, ""] | float,
    margin: float,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""CMD-2's loss in the metric, and the one in the dual weight $\lambda$, to be minimised too.

    Where a goal did follow a state, the distance may not exceed the target
    $\hat d_{ij}=f(g_j,g_j)-f(s_i,g_j)$; elsewhere it is pushed up to the target, no further: with
    $\ell_+=\frac1B\sum_i(d_{ii}-\hat d_{ii})_+^2$ and
    $\ell_-=\frac1{B^2}\sum_{i\ne j}(\hat d_{ij}-d_{ij})_+^2$ the losses are
    $\ell_++\ell_-/\lambda$ and $\lambda(\epsilon-\ell_+)$.

    Args:
        logits: $f(s_i,g_j)$ of a contrastive critic.
        at_goal: $f(g_j,g_j)$.
        weight: $\lambda>0$; it grows while $\ell_+$ is above the margin $\epsilon$.
    """
    target = jax.lax.stop_gradient(at_goal[None, :] - logits)
    above = jnp.mean(jax.nn.relu(jnp.diagonal(d - target)) ** 2)
    apart = ~jnp.eye(len(d), dtype=bool)
    below = jnp.mean(jnp.where(apart, jax.nn.relu(target - d), 0.0) ** 2)
    held = jax.lax.stop_gradient(above)
    return above + below / jax.lax.stop_gradient(weight), weight * (margin - held)


class PotentialCritic(nn.Module):
    r"""CMD-1: $f(s,g)=c(g)-d(s,g)$, a potential of the goal and a critic that is minus a metric.

    Since $d(g,g)=0$, the best logits fit only with $c(g)=f(g,g)$ and $d$ the successor distance.
    """

    critic: nn.Module
    potential: nn.Module

    def pairwise(
        self, states: Shaped[Array, "rows *dim"], goals: Shaped[Array, "columns *dim"]
    ) -> Float[Array, "rows columns"]:
        """Logits of all pairs."""
        return self.potential(goals)[:, 0][None, :] + self.critic.pairwise(states, goals)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class StateContrast:
    """Contrastive learning in a world of few states: logits of all pairs, and counts of a batch.

    Attributes:
        critic: with `pairwise(states, goals)`.
        features: what the critic sees of the numbers of the states, all at once.
        states: how many there are.
        gamma: futures lie a geometric number of steps ahead; renormalised at a walk's end.
        batch_size: pairs in a batch, the goals of the others being each state's negatives.
        learning_rate: where the state's step size starts.
        rows: weight of the softmax over goals (forward InfoNCE), the rest goes to the softmax over
            states (backward); 1/2 is symmetric InfoNCE.
        first: 0 where the present counts as a future, as it should, or 1.
        anchors: share of each walk, from its start, from which the pairs set out.
        transform: the optimiser without its step size.
    """

    critic: nn.Module
    features: Callable[[Int[Array, " states"]], Shaped[Array, "states *dim"]]
    states: int
    gamma: float = 0.9
    batch_size: int = 128
    learning_rate: float = 1e-2
    rows: float = 0.5
    first: int = 0
    anchors: float = 1.0
    transform: optax.GradientTransformation = ADAM

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: Table) -> LearnerState:
        """Fresh parameters."""
        seen = self.features(jnp.arange(self.states))
        params = self.critic.init(key, seen, seen, method="pairwise")
        return initial_state(params, self.transform, self.learning_rate)

    def batch(self, data: Int[Array, "walks time"], key: Key) -> Table:
        """How often each pair of a state and a future of it is drawn from the walks."""
        key_walk, key_time, key_offset = jax.random.split(key, 3)
        n, last = data.shape[0], data.shape[1] - 1
        shape = (self.batch_size,)
        walk = jax.random.randint(key_walk, shape, 0, n)
        time = jax.random.randint(key_time, shape, 0, max(1, round(self.anchors * last)))
        ahead = geometric_offsets(key_offset, last - time, self.gamma, first=self.first)
        anchor, future = (jax.nn.one_hot(data[walk, t], self.states) for t in (time, time + ahead))
        return anchor.T @ future

    def logits(self, params: Params) -> Table:
        """Of all pairs of states."""
        seen = self.features(jnp.arange(self.states))
        return jnp.asarray(self.critic.apply(params, seen, seen, method="pairwise"))

    def loss(
        self, params: Params, state: LearnerState, batch: Table, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """InfoNCE over rows and over columns."""
        table = self.logits(params)
        forward, backward = (counted_info_nce(table, batch, axis) for axis in (1, 0))
        return self.rows * forward + (1 - self.rows) * backward, {}

    def update(self, state: LearnerState, batch: Table, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step."""
        return gradient_step(self.loss, state, batch, key, self.transform)


@dataclass(frozen=True, kw_only=True)
class CMD(MetricActorCritic):
    r"""The agent, in OGBench's frame: goals are futures of the row's own trajectory.

    Both ends of a distance are a state and an action, and one encoder reads both: a goal comes
    with the recorded action $a'$ of another row, which says nothing of the goal.

    The paper's critic has a potential, and `symmetric_info_nce` for its loss. The authors' version
    for OGBench has none, and `goalward.losses.logistic.all_pairs_nce`. In both, logits are divided
    by the square root of the encodings' size: a metric that is `scaled`. Offsets of goals start
    at 1 here as in that version, while in the paper's derivation the present counts too.

    Attributes:
        potential: a Linen module from goals to one number, $c$; each copy of the metric has its
            own.
        contrast: the loss of the table of logits.
    """

    potential: nn.Module | None = None
    contrast: Callable[[Array], Array] = symmetric_info_nce

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """Parameters under "actor", "critic" and, where there is one, "potential"."""
        key_actor, key_critic, key_potential = jax.random.split(key, 3)
        start = example.state, example.action
        there = with_anothers_action(example.goal, example.action)
        params = GoalActor.init_params(self, key_actor, example) | {
            "critic": init_members(self.critic, key_critic, self.ensemble, start, there)
        }
        if self.potential is None:
            return params
        potential = init_members(self.potential, key_potential, self.ensemble, example.goal)
        return params | {"potential": potential}

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""The contrast of $c(g_j)-d((s_i,a_i),(g_j,a'_j))$, for rows $i$ and goals $j$."""
        there = with_anothers_action(batch.goal, batch.action)
        logits = -self.distances(params, (batch.state, batch.action), there)
        if self.potential is not None:
            c = apply_members(self.potential, params["potential"], batch.goal)
            logits += jnp.swapaxes(c, 1, 2)  # (members, goals, 1): one number a column
        return jnp.mean(jax.vmap(self.contrast)(logits))

    def extract(self, params: Params, batch: HindsightTransitions, key: Key) -> Float[Array, ""]:
        r"""The actor's loss on $-d((s,\mu(s,g)),(g,a'))$; the potential has no say in it."""
        assert isinstance(batch, ValueBatch)
        goal, held = batch.actor_goal, jax.lax.stop_gradient(params)
        action, log_prob = self.propose(params, batch.state, goal, key, 0.0)
        there = with_anothers_action(goal, batch.action)
        q = self.value(held, batch.state, action, there)
        return self.actor_loss(
            q, log_prob, self.data_log_prob(params, batch), self.bc, self.entropy
        )


def with_anothers_action(goal: Rows, action: Rows) -> tuple[Rows, Rows]:
    """Each goal with the action of the row before."""
    return goal, jnp.roll(action, 1, axis=0)
