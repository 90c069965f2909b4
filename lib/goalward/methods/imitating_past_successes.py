r"""Normalised outcome-conditioned imitation, exactly and with networks.

Eysenbach, Udatha, Levine & Salakhutdinov 2022, "Imitating Past Successes can be Very Suboptimal".
Trajectories are collected by $\pi(a \mid s, g')$ for commanded goals $g'$, then relabelled with the
outcome $g$ that followed. Tables are indexed `policy[state, goal, action]` and
`outcomes[commanded, state, action, goal]`; a bandit is the case of one state.
"""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree

from goalward.data.goals import GoalFutures, goal_futures
from goalward.data.trajectories import Dataset
from goalward.protocol import ADAM, Key, LearnerState, Metrics, gradient_step, initial_state
from goalward.tabular.mdp import Transitions, is_distribution, validate

GoalPolicy = Float[np.ndarray, "states goals actions"]
Outcomes = Float[np.ndarray, "goals states actions goals"]
Commanded = Float[np.ndarray, "states goals"]
AveragePolicy = Float[np.ndarray, "states actions"]

Step = Callable[[GoalPolicy, Commanded, Outcomes], GoalPolicy]
"""One round of imitation: `ocbc`, `normalised_ocbc` or `own_successes`."""


def discounted_visits(
    P: Transitions, policy: GoalPolicy, gamma: float
) -> Float[np.ndarray, "goals states states"]:
    r"""For each commanded goal $(1-\gamma)\sum_{t\ge0}\gamma^t\Pr(s_t = x)$ from each state.

    `goalward.tabular.successor.state_successor_measure`, for all policies in one solve.

    Raises:
        ValueError: a table is not one of probabilities, or `gamma` is outside [0, 1).
    """
    validate(P)
    if not is_distribution(policy) or not 0 <= gamma < 1:
        raise ValueError("each row policy[s, g] must sum to one and gamma must be in [0, 1)")
    identity = np.eye(len(P))
    chains = np.einsum("sga,sax->gsx", policy, P)
    return (1 - gamma) * np.linalg.solve(identity - gamma * chains, identity[None])


def outcome_probabilities(P: Transitions, policy: GoalPolicy, gamma: float) -> Outcomes:
    r"""$Q^{g'}(s, a, g) = p(s_+ = g \mid s, a)$ under the policy commanded to $g'$.

    One successor measure for each commanded goal; every state is a goal.

    Raises:
        ValueError: as `discounted_visits`.
    """
    visits = discounted_visits(P, policy, gamma)
    outcomes = (P.reshape(-1, len(P)) @ visits).reshape(-1, *P.shape)
    return np.maximum(outcomes, 0.0)  # the solve may round a zero to below zero


def bandit_outcomes(R: Float[np.ndarray, "bandits actions goals"]) -> Outcomes:
    """Bandits' $p(g | a)$ as a table of outcomes: one state a bandit, no policy to depend on."""
    return np.broadcast_to(R, (R.shape[2], *R.shape))


def commanded_given_state(
    P: Transitions,
    policy: GoalPolicy,
    p_goal: Float[np.ndarray, " goals"],
    start: Float[np.ndarray, " states"],
    gamma: float,
) -> Commanded:
    r"""$p(g' \mid s)$: whose trajectory a state of the data belongs to.

    States are drawn from trajectories with discounted weights $(1-\gamma)\gamma^t$, $t \ge 0$.

    Args:
        p_goal: how often each goal is commanded.
        start: of the first state.

    Raises:
        ValueError: as `discounted_visits`.
    """
    visits = np.maximum(start @ discounted_visits(P, policy, gamma), 0.0)
    return _normalise(visits.T * p_goal, p_goal)


def average_policy(policy: GoalPolicy, commanded: Commanded) -> AveragePolicy:
    r"""$\bar\pi(a \mid s) = \sum_{g'} p(g' \mid s)\,\pi(a \mid s, g')$: how the data act."""
    return np.einsum("sc,sca->sa", commanded, policy)


def ocbc(policy: GoalPolicy, commanded: Commanded, outcomes: Outcomes) -> GoalPolicy:
    r"""What cloning relabelled data learns: $p(a \mid s, s_+ = g)$ (Eysenbach et al. 2022, eq. 1).

    Proportional to $\sum_{g'} p(g' \mid s)\,\pi(a \mid s, g')\,Q^{g'}(s, a, g)$; the average policy
    where the outcome never follows.
    """
    joint = np.einsum("sca,csag->sga", commanded[:, :, None] * policy, outcomes)
    return _normalise(joint, average_policy(policy, commanded)[:, None, :])


def normalised_ocbc(
    policy: GoalPolicy, commanded: Commanded, outcomes: Outcomes, base: GoalPolicy | None = None
) -> GoalPolicy:
    r"""The repair: $\pi_N \propto \text{base} \cdot \pi_{\text{OCBC}} / \bar\pi$.

    With the collecting policy as the base (the default) this is Eysenbach et al. 2022, eq. 2; the
    authors' code acts with a uniform base.
    """
    cloned = ocbc(policy, commanded, outcomes)
    average = np.broadcast_to(average_policy(policy, commanded)[:, None, :], cloned.shape)
    ratio = np.divide(cloned, average, out=np.zeros_like(cloned), where=average > 0)
    return _normalise((policy if base is None else base) * ratio, policy)


def own_successes(policy: GoalPolicy, commanded: Commanded, outcomes: Outcomes) -> GoalPolicy:
    r"""Clone only what reached its own command: $\pi(a \mid s, g)\,Q^g(s, a, g)$, normalised.

    No state's value decreases, by the policy improvement theorem:
    $\mathbb E_{\pi Q}[Q] - \mathbb E_\pi[Q] = \mathrm{Var}_\pi[Q] / \mathbb E_\pi[Q] \ge 0$.
    `commanded` plays no role; it makes all steps alike.
    """
    return _normalise(policy * np.einsum("gsag->sga", outcomes), policy)


def goal_values(policy: GoalPolicy, outcomes: Outcomes) -> Commanded:
    r"""$V(s, g)$: how likely the commanded goal is the outcome, from each state."""
    return np.einsum("sga,gsag->sg", policy, outcomes)


def iterate(
    step: Step,
    P: Transitions,
    policy: GoalPolicy,
    p_goal: Float[np.ndarray, " goals"],
    start: Float[np.ndarray, " states"],
    gamma: float,
    rounds: int,
) -> tuple[Float[np.ndarray, "times states goals"], list[GoalPolicy]]:
    """Collect, relabel and clone with infinite data: V(s, g) and policy, first and each round.

    Raises:
        ValueError: as `discounted_visits`.
    """
    outcomes = outcome_probabilities(P, policy, gamma)
    values, policies = [goal_values(policy, outcomes)], [policy]
    for _ in range(rounds):
        commanded = commanded_given_state(P, policies[-1], p_goal, start, gamma)
        policies.append(step(policies[-1], commanded, outcomes))
        outcomes = outcome_probabilities(P, policies[-1], gamma)
        values.append(goal_values(policies[-1], outcomes))
    return np.array(values), policies


def _normalise(rows: Float[np.ndarray, "..."], fallback: Float[np.ndarray, "..."]) -> np.ndarray:
    total = rows.sum(axis=-1, keepdims=True)
    return np.where(total > 0, rows / np.where(total > 0, total, 1.0), fallback)


@dataclass(frozen=True)
class NormalisedOCBC:
    """The learner: one network clones actions given the outcome, one clones them without.

    Attributes:
        conditional: a Linen module from state and goal, side by side, to a logit for each action.
        marginal: a Linen module from the state to a logit for each action.
        gamma: the discount that outcomes are drawn with.
        batch_size: relabelled examples in a batch.
        learning_rate: where the state's step size starts.
        transform: the optimiser without its step size.
        tau: how far the slow copy, whose marginal the agent divides by, moves at each update.
        floor: added to the conditional's probabilities, and twice to the marginal's, so that a
            rare action's ratio stays bounded (the authors' code: 1e-5).
    """

    conditional: nn.Module
    marginal: nn.Module
    gamma: float
    batch_size: int = 256
    learning_rate: float = 5e-4
    transform: optax.GradientTransformation = ADAM
    tau: float = 0.01
    floor: float = 1e-5

    def init(self, key: Key, example: GoalFutures) -> LearnerState:
        """Fresh parameters of both networks, shaped for the example batch."""
        key_conditional, key_marginal = jax.random.split(key)
        pair = jnp.concatenate([example.state, example.future], axis=-1)
        params = {
            "conditional": self.conditional.init(key_conditional, pair),
            "marginal": self.marginal.init(key_marginal, example.state),
        }
        return initial_state(params, self.transform, self.learning_rate)

    def batch(self, data: Dataset, key: Key) -> GoalFutures:
        """States and actions, each relabelled with an outcome; the commanded goal is not used."""
        return goal_futures(data, key, self.batch_size, self.gamma)

    def loss(
        self, params: PyTree, state: LearnerState, batch: GoalFutures, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """Cross entropy of the recorded action, with the outcome and without."""
        conditional = self.log_cloned(params, batch.state, batch.future)
        marginal = self.log_average(params, batch.state)
        losses = [
            -jnp.mean(jnp.take_along_axis(table, batch.action[:, None], axis=-1))
            for table in (conditional, marginal)
        ]
        return losses[0] + losses[1], {"conditional": losses[0], "marginal": losses[1]}

    def update(
        self, state: LearnerState, batch: GoalFutures, key: Key
    ) -> tuple[LearnerState, Metrics]:
        """One gradient step on both networks and one step of the slow copy."""
        return gradient_step(self.loss, state, batch, key, self.transform, self.tau)

    def log_cloned(self, params: PyTree, state: Array, goal: Array) -> Float[Array, "*batch a"]:
        r"""$\log\pi_{\text{OCBC}}(a \mid s, g)$, outcome-conditioned behavioural cloning."""
        pair = jnp.concatenate([state, goal], axis=-1)
        return jax.nn.log_softmax(jnp.asarray(self.conditional.apply(params["conditional"], pair)))

    def log_average(self, params: PyTree, state: Array) -> Float[Array, "*batch a"]:
        r"""$\log\bar\pi(a \mid s)$."""
        return jax.nn.log_softmax(jnp.asarray(self.marginal.apply(params["marginal"], state)))

    def log_ratio(self, state: LearnerState, observation: Array, goal: Array) -> Array:
        """Log of cloned over average policy, with floors: up to a constant, the log of Q."""
        cloned = jnp.exp(self.log_cloned(state.params, observation, goal)) + self.floor
        average = jnp.exp(self.log_average(state.target_params, observation)) + 2 * self.floor
        return jnp.log(cloned) - jnp.log(average)

    def act(
        self,
        state: LearnerState,
        observation: Array,
        goal: Array,
        carry: PyTree,
        key: Key,
        temperature: float = 1.0,
    ) -> tuple[Int[Array, "*batch"], PyTree]:
        """Draw an action in proportion to the ratio (uniform base); greedy at temperature 0."""
        logits = self.log_ratio(state, observation, goal)
        noise = jax.random.gumbel(key, logits.shape)
        return jnp.argmax(logits + temperature * noise, axis=-1), carry
