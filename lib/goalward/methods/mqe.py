r"""MQE: a quasimetric that is backed up through a random waypoint, many steps ahead.

Zheng, Myers, Eysenbach & Levine 2025, "Multistep Quasimetric Learning for Scalable
Goal-conditioned Reinforcement Learning" (arXiv 2511.07730). `MQE` is the agent; all else is exact.
A table `h[s, g]` holds $h=e^{-d}$: averages are taken of probabilities, not distances. One sweep:

$$q(s,a,g)\leftarrow\mathbb E\big[\gamma^{k}\,h(s_{k},g)\,\big|\,s,a\big],\qquad
h(s,g)\leftarrow\max_a q(s,a,g),\quad h(g,g)=1 .$$

The waypoint $s_k$ lies $k$ steps ahead on the way that the behaviour policy takes: $k=1$ with
probability $p$, else $\Pr(k)=(1-\lambda)\lambda^{k-1}$. With $p=1$, or $\lambda=0$, this is one
step of value iteration; the larger $\lambda$, the further a sweep looks, and the more it takes over
of the behaviour.

An *operator* holds the average, done once for all sweeps: the discounted probability of each
waypoint, `operator[s, a, x]`, or `operator[s, a, x, g]` where it depends on the goal.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from goalward.baselines.metric_actor_critic import MetricActorCritic
from goalward.data.goal_mixtures import WaypointBatch, waypoint_batch
from goalward.data.goals import HindsightTransitions
from goalward.data.trajectories import Dataset
from goalward.losses.distances import linex, pairs_mean
from goalward.protocol import Key, LearnerState, Params, check_discount
from goalward.tabular import quasimetrics
from goalward.tabular.mdp import Policy, Transitions, state_transitions
from goalward.tabular.paths import floyd_warshall

Pairs = Float[np.ndarray, "states actions goals"]
States = Float[np.ndarray, "states goals"]
Operator = Float[np.ndarray, "states actions states *goals"]
Errors = Float[np.ndarray, "number states goals"]


@dataclass(frozen=True, kw_only=True)
class MQE(MetricActorCritic):
    r"""The agent, in OGBench's frame; a row's goal is a future of its own trajectory.

    Attributes:
        lam: $\lambda$: a waypoint lies a geometric number of steps ahead, without the clip at the
            goal $1/(1-\lambda)$ on average.
        single: $p$, the share of rows whose waypoint is the next state.
        linear_beyond: $t$ of the backup's loss, see `goalward.losses.distances.linex`.
        diagonal: the share of rows' own goals in it, see `pairs_mean` there.
        in_probability: whether the action invariance is $(e^{-d}-1)^2$, as in a later version of
            the authors' code, not $d^2$.
    """

    lam: float = 0.95
    single: float = 0.2
    linear_beyond: float = 5.0
    diagonal: float = 0.5
    in_probability: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_discount(self.lam)
        if not 0 <= self.single <= 1:
            raise ValueError(f"single must be a probability, not {self.single}")

    def draw(self, data: Dataset, key: Key) -> WaypointBatch:
        """Transitions with goals and a waypoint, not beyond the value's goal."""
        return waypoint_batch(
            data,
            key,
            self.batch_size,
            self.gamma,
            self.value_goals,
            self.actor_goals,
            self.lam,
            self.single,
            self.tail,
            self.goal_entries,
        )

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""$L_{\mathcal T_\beta}+L_{\mathcal I}$, by each copy."""
        assert isinstance(batch, WaypointBatch)
        return self.multistep(params, batch) + self.action_invariance(params, batch)

    def multistep(self, params: Params, batch: WaypointBatch) -> Float[Array, ""]:
        r"""$d((s_i,a_i),g_j)$ fitted to $d(w_i,g_j)-k_i\log\gamma$ by `linex`, all goals $j$.

        $w_i$ is the waypoint, $k_i$ steps ahead. No gradient flows through its distance.
        """
        here = self.distances(params, (batch.state, batch.action), batch.goal)
        ahead = jax.lax.stop_gradient(self.distances(params, batch.waypoint, batch.goal))
        log_discount = batch.steps[:, None] * jnp.log(self.gamma)
        return pairs_mean(linex(here, ahead, log_discount, self.linear_beyond), self.diagonal)

    def action_invariance(self, params: Params, batch: HindsightTransitions) -> Float[Array, ""]:
        r"""$\overline{d(s_i,(s_i,a_i))^2}$: an action that is only chosen has cost nothing yet."""
        d = self.distance(params, batch.state, (batch.state, batch.action))
        return jnp.mean((jnp.exp(-d) - 1) ** 2 if self.in_probability else d**2)


def waypoint_weights(lam: float, p: float, steps: int) -> Float[np.ndarray, " steps"]:
    r"""$\Pr(k)$ for $k=1$ to `steps`; whatever would lie further is counted at the last one."""
    _check(lam, p)
    weights = (1 - p) * (1 - lam) * lam ** np.arange(steps, dtype=float)
    weights[-1] = (1 - p) * lam ** (steps - 1)
    weights[0] += p
    return weights


def waypoint_operator(
    P: Transitions, policy: Policy, gamma: float, lam: float, p: float, stop_at_goal: bool = False
) -> Operator:
    r"""$\mathbb E[\gamma^k\,1(s_k=x)\mid s,a]$, without any cut-off: `[s, a, x]`.

    Args:
        stop_at_goal: the waypoint is the goal itself where the way meets it first: $k$ becomes
            $\min(k,H_g)$, with $H_g\ge1$ the time of the first visit. The result then has a last
            axis for the goal. With $\lambda=1$ and $p=0$ it waits for the goal alone: Monte Carlo.

    Raises:
        ValueError: a table is not one of probabilities, or `gamma`, `lam` or `p` out of range.
    """
    _check(lam, p)
    check_discount(gamma)
    chain = state_transitions(P, policy)
    identity = np.eye(len(P))
    # From the next state on: stop here with probability 1 - lambda, or pay a step and go on.
    if not stop_at_goal:
        further = (1 - lam) * np.linalg.inv(identity - lam * gamma * chain)
        return np.maximum(0.0, gamma * P @ (p * identity + (1 - p) * further))
    operator = np.empty((*P.shape, len(P)))
    for g in range(len(P)):
        stop = np.where(identity[g] > 0, 1.0, 1 - lam)
        going_on = (identity[g] == 0)[:, None] * lam * gamma * chain
        further = np.linalg.solve(identity - going_on, np.diag(stop))
        operator[..., g] = gamma * P @ (p * identity + (1 - p) * further)
    return np.maximum(0.0, operator)  # rounding may leave 1e-16 where nothing leads


def empirical_operator(
    states: Int[np.ndarray, "trajectories time"],
    actions: Int[np.ndarray, "trajectories time"],
    n_states: int,
    n_actions: int,
    gamma: float,
    lam: float,
    p: float,
    stop_at_goal: bool = False,
) -> Operator:
    """As `waypoint_operator`, the mean over all visits of a pair in recorded trajectories.

    No waypoint lies beyond the end of its trajectory: further ones become the last state, with the
    discount of the steps that it really takes. A pair that was never tried has a row of zeros. The
    last state of a trajectory starts nothing, and its action was not taken.
    """
    horizon = states.shape[1] - 1
    weights = waypoint_weights(lam, p, horizon)
    times, goals = np.arange(horizon), np.arange(n_states)
    pair = (states * n_actions + actions)[:, :-1]
    shape = (n_states * n_actions, n_states, *([n_states] if stop_at_goal else []))
    total = np.zeros(np.prod(shape))
    seeking = np.ones((*pair.shape, n_states), dtype=bool)  # goals not met yet, [i, t, g]
    for k in range(1, horizon + 1):
        offset = np.minimum(k, horizon - times)
        reached = states[:, times + offset]
        entry, weight = pair * n_states + reached, np.broadcast_to(gamma**offset, pair.shape)
        if stop_at_goal:
            # Who meets its goal now stops there, however far the waypoint was to lie.
            met = reached[..., None] == goals
            share = np.where(met, weights[k - 1 :].sum(), weights[k - 1])
            weight = (weight[..., None] * share)[seeking]
            entry = (entry[..., None] * n_states + goals)[seeking]
            seeking &= ~met
        else:
            weight = weight * weights[k - 1]
        total += np.bincount(entry.ravel(), weight.ravel(), minlength=total.size)
    count = np.bincount(pair.ravel(), minlength=shape[0])
    mean = total.reshape(shape[0], -1) / np.maximum(count, 1)[:, None]
    return mean.reshape(n_states, n_actions, *shape[1:])


def backup(operator: Operator, h: States) -> Pairs:
    r"""$q(s,a,g)=\mathbb E[\gamma^k h(s_k,g)\mid s,a]$."""
    axes = "sax,xg->sag" if operator.ndim == 3 else "saxg,xg->sag"
    return np.einsum(axes, operator, h, optimize=True)


def over_actions(q: Pairs) -> States:
    r"""$h(s,g)=\max_a q(s,a,g)$ and $h(g,g)=1$.

    The maximum is what $d(s,(s,a))=0$ and the triangle inequality give:
    $d(s,g)\le d(s,(s,a))+d((s,a),g)$ for every action.
    """
    return np.where(np.eye(len(q), dtype=bool), 1.0, q.max(axis=1))


def sweeps(
    operator: Operator, h: States, number: int, relax: bool = False, errors: Errors | None = None
) -> tuple[Float[np.ndarray, "sweeps states goals"], Pairs]:
    """The tables after 0, 1, … `number` sweeps, and the $q$ that the last one is made of.

    Args:
        relax: join ways after every sweep, as a quasimetric does by construction; in `q` too.
        errors: nats added to the distances after each sweep, as by an imprecise learner; a distance
            stays zero or more, and zero from a goal to itself.
    """
    tables, q = [h], backup(operator, h)
    for n in range(number):
        q = backup(operator, tables[-1])
        h = over_actions(q)
        if errors is not None:
            h = np.where(np.eye(len(h), dtype=bool), 1.0, np.minimum(1.0, h * np.exp(-errors[n])))
        if relax:
            h = joined(h)
            q = np.max(q[..., None] * h, axis=2)  # the pair's way to w, and on from there
        tables.append(h)
    return np.array(tables), q


def joined(h: States) -> States:
    r"""The table with every detour that is shorter, $h(s,g)=\max_w h(s,w)\,h(w,g)$, to the end."""
    return np.exp(-floyd_warshall(distance(h)))


def distance(h: Float[np.ndarray, "*table"]) -> Float[np.ndarray, "*table"]:
    r"""$d=-\log h$ in nats; `inf` where $h$ is zero."""
    with np.errstate(divide="ignore"):
        return np.maximum(0.0, -np.log(h))


def greedy(q: Pairs) -> quasimetrics.GoalPolicy:
    """The policy of least $-\\log q$; equally good actions share.

    Distances are compared, not their exponentials: far from a goal those differ by less than any
    absolute tolerance.
    """
    return quasimetrics.greedy(distance(q))


def _check(lam: float, p: float) -> None:
    for name, value in (("lam", lam), ("p", p)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value}")
