r"""Temporal metric distillation (TMD): from anybody's distance to the optimal one.

Myers, Zheng, Eysenbach & Levine 2025, "Offline Goal-conditioned Reinforcement Learning with
Quasimetric Representations" (arXiv 2509.20478). Tables over states and state-action pairs as in
`goalward.tabular.quasimetrics`, whose operators this file iterates; exact starts, starts from data,
and the policy that a table stands for. `TMD` at the end is the network's learner: the operators
become losses, and the closure is what its architecture keeps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from goalward.baselines.metric_actor_critic import MetricActorCritic
from goalward.data.goals import HindsightTransitions
from goalward.losses.contrastive import info_nce
from goalward.losses.distances import linex, pairs_mean
from goalward.protocol import Key, LearnerState, Params
from goalward.tabular import distances, quasimetrics
from goalward.tabular.goals import goal_reaching
from goalward.tabular.mdp import Policy, Transitions
from goalward.tabular.paths import floyd_warshall
from goalward.tabular.quasimetrics import GoalPolicy, Pairs, Table, action_invariance

Operator = Callable[[Table], Table]


def behaviour_distance(P: Transitions, policy: Policy, gamma: float) -> Table:
    r"""$\mathcal C(\pi)$: the successor distance of one policy, what contrastive learning fits.

    From a pair, arrival counts from the next state on, so the way from $(s,a)$ to $s$ is a return.

    Raises:
        ValueError: as `goalward.tabular.distances.hitting_transform`.
    """
    pairs = distances.pair_hitting_transform(P, policy, gamma, start="next")
    return _joint(distances.hitting_transform(P, policy, gamma), pairs, policy)


def optimal_distance(P: Transitions, gamma: float) -> Table:
    """The oracle: the same for the best policy of each goal, who chooses a goal's action at once.

    Raises:
        ValueError: as `goalward.tabular.distances.optimal_hitting_transform`.
    """
    pairs = distances.optimal_pair_hitting_transform(P, gamma, start="next")
    states = distances.optimal_hitting_transform(P, gamma)
    return _joint(states, pairs, np.ones(P.shape[:2]))


def shortest_paths(P: Transitions, gamma: float) -> Table:
    r"""The rival: $-\log\gamma$ a step along outcomes that may happen, however rarely.

    The largest quasimetric with $d((s,a),s')\le-\log\gamma$ wherever $P(s'\mid s,a)>0$, which is
    what quasimetric RL (Wang et al. 2023) fits to recorded steps. Never above the optimal distance:
    every action is judged by its best outcome.
    """
    n = len(P)
    d = np.full((n + n * P.shape[1],) * 2, np.inf)
    d[n:, :n] = np.where(P.reshape(-1, n) > 0, -np.log(gamma), np.inf)
    np.fill_diagonal(d, 0.0)
    return floyd_warshall(action_invariance(d, n))


def closure_over_states(d: Table, n_states: int) -> Table:
    r"""No detour by a *state* is shorter: $\mathcal P$ as the paper prints it, to its fixed point.

    The detour that carries the argument, by the pair $(s,a)$, is not looked at.
    """
    closed = d.copy()
    for y in range(n_states):
        np.minimum(closed, closed[:, y, None] + closed[None, y], out=closed)
    return closed


def iterate(d: Table, operators: Sequence[Operator], sweeps: int) -> list[Table]:
    """The table before the first sweep and after each; a sweep applies the operators in turn."""
    tables = [d]
    for _ in range(sweeps):
        for operator in operators:
            d = operator(d)
        tables.append(d)
    return tables


class Counts(NamedTuple):
    """What recorded walks say without any further assumption."""

    P: Transitions
    r"""$\hat P$: shares of next states; rows of zeros where a pair was never tried."""
    policy: Policy
    r"""$\hat\pi$: shares of actions; uniform where a state was never left."""
    tried: Float[np.ndarray, "states actions"]
    """How often each action was taken in each state."""


def count(
    states: Int[np.ndarray, "walks steps"],
    actions: Int[np.ndarray, "walks steps"],
    n_states: int,
    n_actions: int,
) -> Counts:
    """Count the steps of walks as `goalward.tabular.mdp.sample_trajectories` records them."""
    steps = np.zeros((n_states, n_actions, n_states))
    np.add.at(steps, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1.0)
    tried = steps.sum(axis=2)
    left = tried.sum(axis=1, keepdims=True)
    policy = np.where(left > 0, tried / np.maximum(left, 1), 1 / n_actions)
    return Counts(steps / np.maximum(tried, 1)[:, :, None], policy, tried)


def monte_carlo(
    states: Int[np.ndarray, "walks steps"],
    actions: Int[np.ndarray, "walks steps"],
    n_states: int,
    n_actions: int,
    gamma: float,
) -> Table:
    r"""$\hat{\mathcal C}$: the behaviour's distance from walks, without a model.

    $e^{-d((s,a),g)}$ is the mean of $\gamma^H$ over all recorded steps $(s,a)$, where $g$ is next
    met $H\ge1$ steps later; a goal not met before the walk ends counts as zero.
    """
    walks = np.arange(len(states))
    ahead = np.full((len(states), n_states), np.inf)  # when each state is met next
    total = np.zeros((n_states, n_actions, n_states))
    for t in reversed(range(states.shape[1] - 1)):
        ahead[walks, states[:, t + 1]] = t + 1
        np.add.at(total, (states[:, t], actions[:, t]), gamma ** (ahead - t))
    counts = count(states, actions, n_states, n_actions)
    pairs = total / np.maximum(counts.tried, 1)[:, :, None]
    arrive = np.einsum("sa,sag->sg", counts.policy, pairs)
    return _joint(arrive, pairs, counts.policy)


def greedy(d: Table, n_states: int) -> GoalPolicy:
    """For each goal the action of the least $d((s,a),g)$; equally good ones share."""
    return quasimetrics.greedy(_pairs(d, n_states))


def arrival(P: Transitions, policy: GoalPolicy, gamma: float) -> Float[np.ndarray, "states goals"]:
    r"""$\mathbb E[\gamma^H]$ of a policy that is told the goal: it arrives before the clock stops.

    Raises:
        ValueError: as `goalward.tabular.goals.goal_reaching`.
    """
    there = goal_reaching(P, policy, gamma, start="current")
    return there / np.diag(there)


def _pairs(d: Table, n_states: int) -> Pairs:
    return d[n_states:, :n_states].reshape(n_states, -1, n_states)


def _joint(states: Float[np.ndarray, "states goals"], pairs: Pairs, policy: Policy) -> Table:
    with np.errstate(divide="ignore"):  # what is never met is infinitely far
        nats = [np.maximum(-np.log(arrive), 0.0) for arrive in (states, pairs)]
    return distances.joint_distance(nats[0], nats[1], policy)


@dataclass(frozen=True, kw_only=True)
class TMD(MetricActorCritic):
    r"""The agent, in OGBench's frame; a row's goal is a future of its own trajectory.

    In the authors' release the action invariance has weight 1 and $\psi(g)$ learns from the
    one-step loss too; the paper has $\zeta$, and holds $\psi(g)$ still.

    Attributes:
        zeta: $\zeta$, the weight of the one-step loss.
        action_weight: of the action invariance; $\zeta$ if None.
        temperature: what distances are divided by to make logits of them; the square root of the
            encodings' size in the release.
        linear_beyond: $t$ of the one-step loss, see `goalward.losses.distances.linex`.
        diagonal: the share of rows' own goals in it, see `pairs_mean` there.
        hold_goals: whether it leaves $\psi(g)$ as it is.
    """

    zeta: float = 0.1
    action_weight: float | None = None
    temperature: float = 512**0.5
    linear_beyond: float = 3.0
    diagonal: float = 0.5
    hold_goals: bool = True

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""$L_\text{NCE}+w_{\mathcal I}L_{\mathcal I}+\zeta L_{\mathcal T}$, by each copy."""
        weight = self.zeta if self.action_weight is None else self.action_weight
        return (
            self.contrastive(params, batch)
            + weight * self.action_invariance(params, batch)
            + self.zeta * self.one_step(params, batch)
        )

    def contrastive(self, params: Params, batch: HindsightTransitions) -> Float[Array, ""]:
        r"""Each goal finds the state and action that it comes after, among those of all rows.

        $-\frac1B\sum_j\log\frac{e^{-d((s_j,a_j),g_j)/\tau}}{\sum_i e^{-d((s_i,a_i),g_j)/\tau}}$.
        """
        logits = -self.distances(params, (batch.state, batch.action), batch.goal)
        return jnp.mean(jax.vmap(lambda f: info_nce(f, axis=0))(logits / self.temperature))

    def action_invariance(self, params: Params, batch: HindsightTransitions) -> Float[Array, ""]:
        r"""$\overline{d(s_i,(s_i,a_i))}$: an action that is only chosen has cost nothing yet."""
        return jnp.mean(self.distance(params, batch.state, (batch.state, batch.action)))

    def one_step(self, params: Params, batch: HindsightTransitions) -> Float[Array, ""]:
        r"""$d((s_i,a_i),g_j)$ fitted to $d(s'_i,g_j)-\log\gamma$ by `linex`, all goals $j$.

        No gradient flows through the next state's distance.
        """
        now = batch.state, batch.action
        here = self.distances(params, now, batch.goal, self.hold_goals)
        ahead = jax.lax.stop_gradient(self.distances(params, batch.next_state, batch.goal))
        loss = linex(here, ahead, jnp.log(self.gamma), self.linear_beyond)
        return pairs_mean(loss, self.diagonal)
