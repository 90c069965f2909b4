# %% [markdown]
# # Notation: one symbol, one name
#
# **What does a symbol mean, and what is it called in the code?**
#
# Every chapter uses the symbols on this page, and the code uses the names beside them. Papers
# differ in their letters and, worse, in what they count; each chapter translates its paper into
# this page's terms and says where it had to.
#
# ## The world
#
# | symbol | in words | in code |
# | --- | --- | --- |
# | $s$, $s'$ | state now, state one step later | `state`, `next_state` |
# | $a$, $a'$ | action now, action one step later | `action`, `next_action` |
# | $g$ | a state that is asked for | `goal` |
# | $s_+$ | a state that is met later on | `future` |
# | $P(s'\mid s,a)$ | probability that action $a$ in $s$ leads to $s'$ | `P[s, a, next_state]` |
# | $\pi(a\mid s)$ | policy: probability of action $a$ in state $s$ | `policy[s, a]` |
# | $\pi(a\mid s,g)$ | policy that is told the goal | `policy[s, g, a]` |
# | $P_\pi(s'\mid s)$ | the Markov chain that the policy makes of $P$ | `state_transitions(P, policy)` |
# | $r(s,a)$, $r(s_+)$ | reward, paid on leaving $s$ with $a$, or on arriving in $s_+$ | `reward[s, a]`, `reward[s]` |
# | $\beta(a\mid s)$ | behaviour policy: the one that made the recordings | `policy` |
# | $J$ | score of a policy that is told goals: the probability of being at the goal when the clock stops | `goal_reaching` |
# | $t$, $T$ | time step, number of transitions in a trajectory | `t`, `horizon`; states then have `T + 1` entries |
#
# ## The future
#
# | symbol | in words | in code |
# | --- | --- | --- |
# | $\gamma$ | discount: probability that the clock goes on after a step, $0\le\gamma<1$ | `gamma` |
# | $H$ | horizon: the number of steps looked at | `horizon` |
# | $K$ | the random step at which the clock stops, $\Pr(K=k)=(1-\gamma)\gamma^{k-1}$, mean $1/(1-\gamma)$ | `offset` |
# | $p^\pi(s_+\mid s,a)$, $M^\pi$ | successor measure: where you are when the clock stops | `successor_measure(P, policy, gamma, start="next")` |
# | $p(s_+)$ | marginal: how often a state occurs in the data | `marginal` |
# | $V^\pi(s)$, $Q^\pi(s,a)$ | expected discounted sum of rewards | `V`, `Q` from `policy_evaluation` |
# | $V^*$, $Q^*$ | the same under the best policy | `V`, `Q` from `value_iteration` |
#
# ## Learning
#
# | symbol | in words | in code |
# | --- | --- | --- |
# | $f(x, y)$ | critic: how well candidate $y$ fits anchor $x$ (often $x=(s,a)$, $y=s_+$) | `critic`; its values `logits` |
# | $\phi$, $\psi$ | representations of the anchor and of the candidate | `phi`, `psi` |
# | $\theta$, $\bar\theta$ | trained parameters, and their slow copy (the target) | `params`, `target_params` |
# | $\tau$ | how far the copy moves at each update, $\bar\theta\leftarrow(1-\tau)\bar\theta+\tau\theta$ | `tau` |
# | $\alpha$ | step size | `learning_rate` |
# | $B$ | number of examples in a batch | `batch` (its leading axis) |
# | $w$ | importance weight: how much an example counts | `weights` |
# | $\kappa$ | expectile: how much more the better outcomes count, $\frac12$ for the mean | `kappa` |
# | $\mathrm{sg}(\cdot)$ | stop-gradient: the value, treated as a constant | `jax.lax.stop_gradient` |
# | $\eta$ | how much a policy's entropy counts | `entropy`, `entropy_weight` |
# | $\rho$ | how much the squared log partition function of InfoNCE's rows counts | `partition_penalty` |
# | $\mathrm{CE}$ | softmax cross entropy | in `info_nce`, `td_info_nce` |
# | | source of randomness, split and passed on by hand | `key` |
#
# ## Distances
#
# | symbol | in words | in code |
# | --- | --- | --- |
# | $d(x,y)$ | quasimetric: the cost of getting from $x$ to $y$ | `d[x, y]` |
# | $D$ | moves on a shortest path | `grid.distances` |
# | $-\log\mathbb E[\gamma^{H(s,g)}]$ | successor distance, in nats; $H(s,g)$ is the step of the first visit | `successor_distance(P, policy, gamma)` |
# | $c(g)$ | potential: what a critic adds to minus a distance | `potential` |
# | $\min_w d(s,w)+d(w,g)$ | path relaxation: the best detour | `min_plus(d, d)` |
# | $h(s,g)$ | expected steps to first reach $g$ under a policy | `hitting_times(P, policy)` |
# | $s_k$, $\lambda$ | waypoint $k$ steps ahead, with $\Pr(k)=(1-\lambda)\lambda^{k-1}$ | `waypoint_operator`, `lam` |
# | $\beta$ | how sharply a policy prefers near over far, $\pi\propto e^{-\beta d}$, or high values, $\pi\propto e^{\beta Q}$ | `beta` |
# | $\mathcal I$, $\mathcal T$, $\mathcal P^*$ | rules for distances over states and pairs: choosing is free, one step backed up, no detour is shorter | `action_invariance`, `one_step_backup`, `floyd_warshall` |
# | $D_T(d,d')=e^{d-d'}-d$ | loss whose mean is least where $e^{-d}$ is the mean of $e^{-d'}$ | `linex` |
#
# ## Conventions
#
# - **Probabilities sum to one.** The successor measure carries its factor $1-\gamma$, so it is a
#   distribution over states and can be compared with any other. Many papers leave the factor out;
#   theirs is ours divided by $1-\gamma$.
# - **The future begins with the next state.** `start="next"` is the default; see below for the
#   other one.
# - **Logits `[i, j]`:** row $i$ is the anchor, column $j$ the candidate. The candidate that belongs
#   to anchor $i$ stands on the diagonal.
# - **Logarithms are natural**, so information, entropy and losses are in nats (1 nat = 1.44 bits).
# - **A quasimetric need not be symmetric.** $d(x,y)$ is the cost from the first argument *to* the
#   second. It is zero from a state to itself and obeys the triangle inequality,
#   $d(x,z)\le d(x,y)+d(y,z)$.
# - **Rows and columns of a grid** count from the top left. Actions are ordered up, down, left,
#   right, stay.
# - **Shapes** are written in annotations: `Float[Array, "batch dim"]` is a floating-point JAX array
#   with two axes of those names.
# - **Seeds first:** what is trained with several seeds has a leading axis for them.
# - **Letters with two jobs.** $c$ is an arbitrary function of the anchor in InfoNCE, the size of a
#   representation in interpolation, a radius in horizon generalization, and a potential where it takes
#   a goal; $H$ is a random step where it takes a state and a goal; $\beta$ is a policy where it takes
#   arguments, a sharpness where it does not; $\tau$ scales cosines in the unconscious learner
#   and is a threshold on the analysis page; $\rho$ bounds log ratios in contrastive values and is a
#   correlation in interpolation; $\alpha$ sharpens a policy's weights in OGBench; $h$ is
#   $e^{-d}$ and $p$ the share of single steps in multistep quasimetrics. A chapter says which it means.
#
# ## Two ways to count the present, and how to convert
#
# Does the future include now? Papers disagree. Our default counts from the **next** state on; with
# `start="current"` the present counts too:
#
# $$M_\text{next}(s_+\mid s,a)=(1-\gamma)\sum_{t\ge1}\gamma^{t-1}\Pr(s_t=s_+),$$
#
# $$M_\text{current}(s_+\mid s,a)=(1-\gamma)\sum_{t\ge0}\gamma^{t}\Pr(s_t=s_+).$$
#
# Take the term $t=0$ out of the second sum. What remains is $\gamma$ times the first, so
#
# $$M_\text{current}(s_+\mid s,a)=(1-\gamma)\,\mathbb 1[s_+=s]+\gamma\,M_\text{next}(s_+\mid s,a).$$
#
# In words: with probability $1-\gamma$ the clock stops at once and finds you where you are;
# otherwise it finds you where the other clock would. Both sum to one. Here they are for a walker in
# the middle of a corridor that always moves right, at $\gamma=0.5$:

# %%
import numpy as np

from goalward.course import chapter
from goalward.tabular import grid, mdp, successor

here = chapter.begin("notation")
corridor = grid.Grid.open(1, 7)
right = np.eye(len(grid.ACTIONS))[[grid.ACTIONS.index("right")] * corridor.states]
for start in ("next", "current"):
    row = successor.state_successor_measure(corridor.P, right, 0.5, start)[2]
    print(
        f"{start:>8}:", "  ".join(f"{p:.4f}" for p in row), " sum", round(row.sum(), 12)
    )

# %% [markdown]
# The walker stands in the third cell. Under `next` the first number that is not zero belongs to the
# fourth cell, where it is one step later; under `current` it belongs to the third. What runs past
# the end piles up in the last cell.
#
# The formula holds in any world. The next cell adds up both sums term by term in a random one, for
# every state, action and future state, and then converts each into the other:

# %%
rng = np.random.default_rng(0)
gamma, states, actions = 0.9, 6, 3
P = mdp.random_mdp(rng, states, actions)
policy = rng.dirichlet(np.ones(actions), size=states)
chain = mdp.state_transitions(P, policy)

present = np.repeat(np.eye(states)[:, None, :], actions, axis=1)
where = [present, P]  # where[t][s, a] is the distribution of the state after t steps
while len(where) < 400:
    where.append(where[-1] @ chain)
counts_next = (1 - gamma) * sum(gamma ** (t - 1) * where[t] for t in range(1, 400))
counts_current = (1 - gamma) * sum(gamma**t * where[t] for t in range(400))

to_current = (1 - gamma) * present + gamma * counts_next
to_next = (counts_current - (1 - gamma) * present) / gamma
solved = successor.successor_measure(P, policy, gamma, start="next")
for name, error in {
    "next → current": to_current - counts_current,
    "current → next": to_next - counts_next,
    "the library's  ": solved - counts_next,
}.items():
    print(f"{name}: largest error below 1e-12: {np.abs(error).max() < 1e-12}")

# %% [markdown]
# To convert a paper that counts the present: find where it writes $\gamma^t$ with $t$ from 0, and
# use `to_next` above. Getting this wrong is the most common mistake in code of this kind, and one
# of the hardest to see: at $\gamma$ near 1 the two differ by little, except at the state itself.
#
# Next: the [refresher](refresher.ipynb), which uses most of these symbols once.
