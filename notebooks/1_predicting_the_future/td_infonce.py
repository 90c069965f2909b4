# %% [markdown]
# # TD InfoNCE: predict the far future from single steps
#
# *Chongyi Zheng, Ruslan Salakhutdinov, Benjamin Eysenbach: Contrastive Difference Predictive
# Coding. ICLR 2024, [arXiv 2310.20141](https://arxiv.org/abs/2310.20141).*
#
# **Can you learn where you will be in a hundred steps if you only ever look at one step?**
#
# You have watched somebody wander over a five by five grid for 3,000 steps. Now you must say where
# a wanderer who stands in a corner and moves up will be, some time later. One way is to look up
# every visit to that corner and average what came afterwards. Another is to learn what one step
# does, from all 3,000 of them, and to chain steps together. The picture below shows both, from the
# same data, beside the exact answer.
#
# You need the [refresher](../0_start/refresher.ipynb): the successor measure, InfoNCE, `scan`
# and `vmap`. The symbols are those of the [notation page](../0_start/notation.ipynb). Reading
# takes about 60 minutes, running about one minute on a laptop. Afterwards you can
#
# - derive the TD InfoNCE loss from the Bellman equation and say what each term does;
# - show which other classical algorithm has exactly the same answer, and why the two still differ;
# - measure how much data a method saves, with an interval, and see how such a number can mislead;
# - explain why one method can join two recorded paths into a new one and the other cannot.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures

here = chapter.begin("td_infonce")

# %%
from goalward.baselines import mc_info_nce
from goalward.methods import td_infonce
from goalward.tabular import mdp, successor
from goalward.tabular import paths as shortest_paths
from goalward.tabular.grid import ACTIONS, Grid

grid, gamma, horizon = Grid.open(5, 5), 0.95, 100
n_states, n_actions = grid.states, len(ACTIONS)
random_policy = mdp.uniform_policy(n_states, n_actions)
exact = successor.successor_measure(grid.P, random_policy, gamma)
corner, up = grid.index(4, 0), ACTIONS.index("up")

states, actions = mdp.sample_trajectories(
    grid.P, random_policy, np.random.default_rng(0), n=30, horizon=horizon
)
averaged = mc_info_nce.by_counts(states, actions, n_states, n_actions, gamma)
chained = td_infonce.td_fixed_point(
    td_infonce.transition_counts(states, actions, n_states, n_actions), n_actions, gamma
)

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.6))
for ax, table, title in zip(
    axes, (averaged, chained, exact), ("average", "chain steps", "exact"), strict=True
):
    off = np.abs(table - exact).mean()
    title = f"{title}\n(mean error {off:.4f})" if table is not exact else title
    picture = figures.heatmap(
        ax, grid.image(table[corner, up]), title, vmin=0, vmax=0.14
    )
    ax.plot(0, 4, "o", color="white", markersize=7)
    ax.annotate(
        "", (0, 3), (0, 4), arrowprops={"arrowstyle": "->", "color": "white", "lw": 1.5}
    )
fig.colorbar(picture, ax=axes, label="probability", shrink=0.8)
here.show(
    fig,
    alt="Three heat maps of where a wanderer who moves up from the lower left corner "
    "will be. The average over recorded futures is blotchy; chaining single steps "
    "looks like the exact map, bright at the start and fading with distance.",
    caption="Where will you be, if you stand in the lower left corner (dot) and go "
    "up? Left and middle use the same 3,000 recorded steps; mean errors are "
    "over all states and actions. Chaining steps comes closer to the exact "
    "answer: steps recorded anywhere count, and no future is cut off.",
    lead=True,
)

# %% [markdown]
# The sizes of everything below, at the three scales. `laptop` is what you see here; `gpu` has the
# paper's data sizes and number of gradient steps.

# %%
size = here.sizes(
    #             smoke           laptop                      gpu
    seeds=        (5,             5,                          10),
    transitions=  ((500, 1_000, 2_000, 4_000), (1_000, 10_000, 100_000, 10_000_000),
                   (1_000, 10_000, 100_000, 1_000_000, 10_000_000)),
    steps=        (100,           2_000,                      50_000),
    batch=        (32,            64,                         256),
    step_size_factors=((0.33, 1, 3), (0.33, 1, 3), (0.01, 0.03, 0.1, 0.33, 1, 3)),
    counted=      (2,             7,                          7),
    stitching_steps=(100,         2_500,                      10_000),
)  # fmt: skip

# %% [markdown]
# ## A Bellman equation for the future
#
# Stop the wanderer at a random time: after each step, with probability $1-\gamma$. Where you then
# find them is the **successor measure**,
#
# $$p^\pi(s_+\mid s,a)=(1-\gamma)\sum_{t\ge1}\gamma^{t-1}\Pr(s_t=s_+\mid s_0=s,a_0=a,\pi).$$
#
# Here $s_+$ is the future state, $\gamma$ the discount and $\pi$ the policy that acts from step 1
# on. We count from the *next* state, as the paper's loss does. Split off the first step:
#
# $$p^\pi(s_+\mid s,a)=\underbrace{(1-\gamma)\,P(s_+\mid s,a)}_{\text{stop after one step}}
# +\underbrace{\gamma\,\mathbb E_{s'\sim P,\;a'\sim\pi}\big[p^\pi(s_+\mid s',a')\big]}_{\text{go on
# from there}}.$$
#
# In words: either you stop now and are in the next state, or you go on, and then the future of
# $(s,a)$ is the future of $(s',a')$. The right-hand side needs one transition and a prediction.
# This is the Bellman equation, with a whole distribution where a value used to be.
#
# ## What InfoNCE learns, and what it needs
#
# From the refresher: InfoNCE trains a **critic** $f(s,a,s_+)$ to pick the true future out of a
# line-up of random states. Draw futures of $B$ pairs, $s_+^{(i)}\sim p^\pi(\cdot\mid s_i,a_i)$,
# compare each with the futures of the others, and minimise
#
# $$-\frac1B\sum_{i}\log\frac{e^{f(s_i,a_i,s_+^{(i)})}}{\sum_j e^{f(s_i,a_i,s_+^{(j)})}}.$$
#
# With enough candidates the best critic is
#
# $$f^*(s,a,s_+)=\log\frac{p^\pi(s_+\mid s,a)}{p(s_+)}+c(s,a),$$
#
# the log ratio between the future of $(s,a)$ and the **marginal** $p(s_+)$ of the candidates. The
# constant $c(s,a)$ is arbitrary: adding it to a row of logits leaves every softmax as it was. So
# to get a probability back you multiply by the marginal and normalise over all states:
#
# $$\hat p(s_+\mid s,a)=\frac{p(s_+)\,e^{f(s,a,s_+)}}{\sum_x p(x)\,e^{f(s,a,x)}}.$$
#
# The catch is the phrase "draw futures of $(s,a)$". A recorded future shows what *that* trajectory
# did next. It needs a whole trajectory, made by the very policy you ask about, and long enough.
# We call this **Monte Carlo InfoNCE**.
#
# ## The step that makes it TD
#
# Put the Bellman equation in place of the positives. The first part is easy: with weight
# $1-\gamma$, the positive is the next state $s'$. The second part asks for futures of $(s',a')$,
# which nobody recorded. But we have a critic that claims to know how likely each state is there.
# So draw *random* states $r_1,\dots,r_R$ from the marginal and **weigh** them:
#
# $$w_j=\frac{e^{\bar f(s',a',r_j)}}{\sum_k e^{\bar f(s',a',r_k)}}\;\approx\;
# \frac1R\,\frac{p^\pi(r_j\mid s',a')}{p(r_j)}.$$
#
# Random states, weighed by $w$, behave like samples from the future of $(s',a')$. That is
# importance sampling, and the weights are nothing but the critic's own softmax. The constant $c$
# cancels. The bar on $\bar f$ says that this is the **target critic**, a copy through which no
# gradient flows. Altogether:
#
# $$\mathcal L=(1-\gamma)\;\mathrm{CE}\big(f(s,a,[s',\text{other }s']),\;\text{own }s'\big)
# \;+\;\gamma\;\mathrm{CE}\big(f(s,a,[r_1,\dots,r_R]),\;\mathrm{sg}(w)\big).$$
#
# $\mathrm{CE}(\text{logits},\text{target})$ is the cross entropy $-\sum_j\text{target}_j
# \log\mathrm{softmax}_j(\text{logits})$, and $\mathrm{sg}$ stops the gradient. In words: *rank your
# next state above other next states; and rank random states as your next state would rank them.*
#
# **Predict before you run.** Set $\gamma=0$. What does the critic learn then? And what happens if
# you drop the weights, that is, use $w_j=1/R$?
#
# <details><summary>Answer</summary>
#
# With $\gamma=0$ only the first term is left: plain InfoNCE on next states, a model of one step.
# With uniform weights the second term pulls every row of the softmax towards the marginal: the
# critic learns $(1-\gamma)P(s_+\mid s,a)+\gamma\,p(s_+)$. It knows one step and nothing beyond.
#
# </details>
#
# ## The loss, by hand
#
# Three transitions, four random states, and loops. `f_next[i, j]` is $f(s_i,a_i,s'_j)$,
# `f_random[i, j]` is $f(s_i,a_i,r_j)$ and `f_target[i, j]` is $\bar f(s'_i,a'_i,r_j)$.

# %%
rng = np.random.default_rng(1)
f_next, f_random, f_target = (
    rng.normal(size=(3, 3)),
    rng.normal(size=(3, 4)),
    rng.normal(size=(3, 4)),
)


def by_hand(f_next, f_random, f_target, gamma):
    loss = 0.0
    for i in range(len(f_next)):
        chance_of_own = np.exp(f_next[i, i]) / np.exp(f_next[i]).sum()
        loss -= (1 - gamma) * np.log(chance_of_own)
        weight = np.exp(f_target[i]) / np.exp(f_target[i]).sum()
        for j in range(f_random.shape[1]):
            chance = np.exp(f_random[i, j]) / np.exp(f_random[i]).sum()
            loss -= gamma * weight[j] * np.log(chance)
    return loss / len(f_next)


# %%
from inspect import getsource

from goalward.losses import contrastive

loops = by_hand(f_next, f_random, f_target, gamma)
library = jax.jit(contrastive.td_info_nce)(f_next, f_random, f_target, gamma)
print(f"by hand {loops:.6f}   library {float(library):.6f}\n")
print(getsource(contrastive.td_info_nce))

# %% [markdown]
# The last three lines are all there is. The learner around them is as short: it draws a batch,
# asks the critic for three tables of logits, and calls the loss. Its network is an argument. In
# this chapter it is a table with one number for each $(s,a,s_+)$; on a robot it is two deep towers.

# %%
print(getsource(td_infonce.TDInfoNCE.loss))

# %% [markdown]
# ## Where it comes to rest: the successor representation
#
# Let the candidates be *all* states, each counted as often as the marginal says. Then the softmax
# over candidates is the normalised estimate itself, $q_f(x\mid s,a)\propto p(x)e^{f(s,a,x)}$, and
# for one pair $(s,a)$ the loss is a single cross entropy:
#
# $$\mathcal L_{s,a}(f)=-\sum_x y(x\mid s,a)\,\log q_f(x\mid s,a)+\text{const},\qquad
# y(\cdot\mid s,a)=(1-\gamma)\hat P(\cdot\mid s,a)+\gamma\,\hat{\mathbb E}\,
# \big[q_{\bar f}(\cdot\mid s',a')\big].$$
#
# $\hat P$ and $\hat{\mathbb E}$ are averages over the recorded visits to $(s,a)$. A cross entropy
# is least where both distributions agree. So one full minimisation of the TD InfoNCE loss does
#
# $$q(\cdot\mid s,a)\;\leftarrow\;(1-\gamma)\hat P(\cdot\mid s,a)
# +\gamma\,\hat{\mathbb E}\,\big[q(\cdot\mid s',a')\big].$$
#
# Look at it again. This is the expected update of the tabular **successor representation** (SR),
# which Dayan proposed in 1993: $M(s,a)\leftarrow(1-\gamma)e_{s'}+\gamma M(s',a')$, with $e_{s'}$ the
# one-hot vector of $s'$. Repeat it and both end in the same place, the exact answer for the world
# that the *counts* describe:
#
# $$q=(1-\gamma)\,(I-\gamma\hat C)^{-1}\hat P.$$
#
# $\hat C$ holds the recorded frequencies of $(s,a)\to(s',a')$. This is called the
# **certainty-equivalent** answer: take the counts at their word and solve. We check it three ways:
# the repeated minimisation against the linear solve; the gradient of the library's own loss at that
# point; and, with the counts replaced by the true probabilities, against the exact successor
# measure.

# %%
states, actions = mdp.sample_trajectories(
    grid.P, random_policy, np.random.default_rng(2), n=100, horizon=horizon
)
counts = td_infonce.transition_counts(states, actions, n_states, n_actions)
solved = td_infonce.td_fixed_point(counts, n_actions, gamma)

follow = counts / counts.sum(axis=1, keepdims=True)  # (s, a) -> (s', a')
arrive = follow.reshape(-1, n_states, n_actions).sum(axis=2)  # (s, a) -> s'
q = np.full((n_states * n_actions, n_states), 1 / n_states)
for _ in range(600):
    q = (1 - gamma) * arrive + gamma * follow @ q  # one full minimisation of the loss
minimised = q.reshape(solved.shape)

world = np.einsum("sax,xb->saxb", grid.P, random_policy).reshape(counts.shape)
true_counts = td_infonce.td_fixed_point(world, n_actions, gamma)

print("repeated minimisation against the solve:", np.abs(minimised - solved).max())
print("solve with the true world against exact:", np.abs(true_counts - exact).max())

# %%
small = mdp.random_mdp(np.random.default_rng(3), states=4, actions=2)
s, a = mdp.sample_trajectories(
    small, mdp.uniform_policy(4, 2), np.random.default_rng(4), n=5, horizon=100
)
rest = td_infonce.td_fixed_point(td_infonce.transition_counts(s, a, 4, 2), 2, gamma)
marginal = np.bincount(s[:, 1:].ravel(), minlength=4) / s[:, 1:].size
pair, next_pair = (s * 2 + a)[:, :-1].ravel(), (s * 2 + a)[:, 1:].ravel()
future = s[:, 1:].ravel()  # all next states are candidates, as often as they occur


def full_batch_loss(f, f_target):
    logits = f[pair][:, future]
    return contrastive.td_info_nce(
        logits, logits, f_target[next_pair][:, future], gamma
    )


at_rest = np.log(rest.reshape(8, 4) / marginal).astype(np.float32)
gradient = jax.jit(jax.grad(full_batch_loss))
gradient_at_rest = np.abs(gradient(at_rest, at_rest)).max()
gradient_elsewhere = np.abs(gradient(0 * at_rest, 0 * at_rest)).max()
print(f"largest gradient at the fixed point {gradient_at_rest:.1e}")
print(f"largest gradient elsewhere          {gradient_elsewhere:.1e}")

# %% [markdown]
# So TD InfoNCE and the SR share their fixed point. What differs is the *loss*: cross entropy of a
# softmax here, squared error there. Hold on to the shared fixed point until you meet the factor of 20
# that the paper reports between the two.
#
# A third TD method shares the fixed point as well, as long as no ratio there exceeds its limit of 20.
# **C-learning** (Eysenbach et al. 2021) asks yes or no, is this state a future?, with the logistic loss
# $\ell(z)=\log(1+e^{-z})$:
#
# $$(1-\gamma)\,\ell\big(f(s,a,s')\big)+\gamma\,w\,\ell\big(f(s,a,r)\big)
# +\ell\big(-f(s,a,r)\big),\qquad w=\min\big(e^{\bar f(s',a',r)},\,20\big).$$
#
# In words: the next state is a future; a random state $r$ is one as far as the target critic thinks
# so; and it is also an example of what is none. At its best $e^{f}$ is the same ratio of future to
# marginal, and since nothing is normalised, no constant $c(s,a)$ stays free.
#
# ## Without any training: averaging hits a floor, chaining does not
#
# Training adds noise of its own, so first look at what each method would find if its optimisation
# were perfect. For the three TD methods that is the linear solve. For Monte Carlo InfoNCE it is the
# average over recorded futures. Both are counting, exact, and take seconds.
#
# The data: a uniformly random policy on the five by five grid, in episodes of $T=100$ steps from
# random cells. The error is the mean of $|\hat p(s_+\mid s,a)-p^\pi(s_+\mid s,a)|$ over all
# $25\times5\times25$ entries. Guessing $1/25$ everywhere has error 0.020.

# %%
episodes = max(size.transitions) // horizon  # of a seed; smaller sets are its beginning
rng = np.random.default_rng(10)
actions = rng.integers(
    n_actions, size=(size.seeds * episodes, horizon + 1), dtype=np.int8
)
states = np.empty_like(actions)
states[:, 0] = rng.integers(n_states, size=len(states))
move = grid.next_state.astype(np.int8)
for t in range(horizon):
    states[:, t + 1] = move[states[:, t], actions[:, t]]


def recorded(seed, n):
    """The first n transitions of a seed's data: states and actions of trajectories."""
    rows = slice(seed * episodes, seed * episodes + n // horizon)
    return states[rows], actions[rows]


def error(estimate):
    return np.abs(estimate - exact).mean(axis=(-1, -2, -3))


counted = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000][: size.counted]
td_exact, mc_exact = np.zeros((2, size.seeds, len(counted)))
for seed in range(size.seeds):
    for k, n in enumerate(counted):
        s, a = recorded(seed, n)
        transition_table = td_infonce.transition_counts(s, a, n_states, n_actions)
        td_exact[seed, k] = error(
            td_infonce.td_fixed_point(transition_table, n_actions, gamma)
        )
        mc_exact[seed, k] = error(
            mc_info_nce.by_counts(s, a, n_states, n_actions, gamma)
        )
floor = error(mc_info_nce.infinite_data_limit(grid.P, random_policy, gamma, horizon))
print("transitions     ", counted)
print("chaining   error", td_exact.mean(axis=0).round(4))
print(
    "averaging  error",
    mc_exact.mean(axis=0).round(4),
    f"-> {floor:.4f} with infinite data",
)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.4))
figures.band(ax, counted, td_exact, figures.COLORS["ours"])
figures.band(ax, counted, mc_exact, figures.COLORS["second"])
ax.axhline(floor, color=figures.COLORS["second"], linestyle="--", linewidth=1)
figures.direct_label(
    ax, counted[-1], td_exact[:, -1].mean(), "chain steps\n(TD)", figures.COLORS["ours"]
)
figures.direct_label(
    ax,
    counted[-1],
    mc_exact[:, -1].mean(),
    "average\nfutures",
    figures.COLORS["second"],
)
figures.direct_label(
    ax,
    np.sqrt(counted[0] * counted[-1]),
    floor,
    "floor: cut-off futures",
    figures.COLORS["second"],
    (0, -10),
)
ax.set(
    xscale="log",
    yscale="log",
    xlabel="transitions in the data",
    ylabel="mean absolute error",
)
here.show(
    fig,
    alt="Error against number of transitions, both axes logarithmic. Chaining steps "
    "falls steadily by a factor of about three for every factor ten in data. "
    "Averaging futures falls at first and then stays on a dashed floor near 0.006.",
    caption="Perfect optimisation, five seeds (bands: 95% intervals). Chaining "
    "follows the slope -1/2 that you expect of an average; averaging futures "
    "runs into a floor that no amount of data removes.",
)

# %% [markdown]
# Where does the floor come from? A recorded trajectory ends. From $t$ steps before the end you can
# only draw futures up to $t$ steps ahead, so real code *renormalises*: it divides the geometric
# distribution by the mass that fits. That shifts weight to the near future. The effect is largest
# for the last states of each episode, and more episodes do not help, since each has an end. The
# dashed line is this bias, computed exactly by `infinite_data_limit`. A TD method never sees it:
# the last transition of an episode is as good as any other.
#
# Keep the consequence in mind. *Perfectly optimised, a method with a floor never gets below it*, however
# many samples it has. The ratio "how many times more samples" then says mostly at which data size
# somebody stopped.
#
# ## How many samples does it save? The procedure, before the measurement
#
# The paper reports that TD InfoNCE needs about 1500 times fewer samples than Monte Carlo InfoNCE and
# about 20 times fewer than the TD successor representation. We now train every method by stochastic
# gradient descent (SGD) and measure these ratios. The rules are fixed first:
#
# 1. **Data.** Five seeds, each with its own data; every method sees the same data. The sizes are in
#    the table above; a smaller data set is the beginning of the larger.
# 2. **Training.** Tables, the same batch size and number of steps for all. Every method gets its
#    own three step sizes, a factor of about three apart. We choose the one with the lowest mean
#    error at the second-largest data size, use it at all sizes, and show the sweep.
# 3. **Level.** For one seed, take the baseline's error at the largest data size $n_{\max}$.
# 4. **Ratio.** Find the smallest $n$ at which TD InfoNCE's error is at or below that level, by
#    straight lines between the measured points on logarithmic axes. The ratio is $n_{\max}/n$.
# 5. **The other way round.** If TD InfoNCE never gets that low, swap roles: find the $n$ at which the
#    baseline reaches TD InfoNCE's error at $n_{\max}$. The ratio is $n/n_{\max}$, below 1.
# 6. **Interval.** Geometric mean over seeds, with Student's $t$ on the logarithms. If TD InfoNCE is
#    already low enough at the smallest size, that size counts, and the ratio is a lower bound.
#
# The successor representation enters twice. Its classical update moves $M(s,a)$ a fraction of the way
# to its target: plain SGD on the squared error. The same squared error can also be given to Adam,
# the optimiser that the other methods use. The paper does not tell us which it was.
#
# **Predict before you run.** The fixed points of TD InfoNCE and the SR are equal. Which ratio do you
# expect between them? And how does the Monte Carlo ratio change if $n_{\max}$ grows tenfold?
#
# <details><summary>Answer</summary>
#
# Equal fixed points mean that with perfect optimisation the ratio is exactly 1. Whatever else is
# measured is a property of the optimisers. The Monte Carlo ratio grows tenfold too: the baseline
# sits on its floor, TD InfoNCE passes that floor at the same $n$ as before.
#
# </details>

# %%
from functools import partial

from goalward.baselines import c_learning, successor_representation
from goalward.data import trajectories
from goalward.nets.critics import GoalTableCritic
from goalward.protocol import ADAM
from goalward.training.loop import fresh_states, train
from goalward.training.together import Together

critic, batch = GoalTableCritic(n_states, n_actions), size.batch
shared = {"gamma": gamma, "batch_size": batch}
representation = partial(
    successor_representation.SuccessorRepresentation, n_states, n_actions, **shared
)
methods = {  # learner, and the middle of its three step sizes
    "TD InfoNCE": (td_infonce.TDInfoNCE(critic, tau=1.0, **shared), 0.005),
    "SR, TD rule": (representation(), 2.0),
    "SR, Adam": (representation(transform=ADAM), 0.001),
    "C-learning": (c_learning.CLearning(critic, tau=1.0, **shared), 0.01),
    "MC InfoNCE": (mc_info_nce.MCInfoNCE(critic, **shared), 0.003),
}
together = Together(tuple(learner for learner, _ in methods.values()))

# %% [markdown]
# Methods × seeds × data sizes × step sizes are one compiled program: the five learners train side by
# side, each as if it were alone. All runs share one copy of the data; a run differs from the next in
# its step sizes, which live in its state, and in its *window*: where its data begin and how many
# transitions belong to it.
#
# The SR's table is the estimate. A critic's logits have to be turned into probabilities with the
# marginal that its negatives came from. For the TD methods that is the marginal of the next states;
# for Monte Carlo InfoNCE, the marginal of the drawn futures. C-learning's ratios are not normalised.

# %%
data = trajectories.from_trajectories(states, actions)
axes = trajectories.window_axes(data)
seeds, sizes = size.seeds, np.array(size.transitions)
factors = np.array(size.step_size_factors)
middles = np.array([middle for _, middle in methods.values()])
tuning_size, other_sizes = sizes[-2], np.delete(sizes, -2)


def next_state_marginal(s):
    return np.bincount(s[:, 1:].ravel(), minlength=n_states) / s[:, 1:].size


def density(name, params, transitions):
    """The estimates (m, seeds, states, actions, states) of trained runs."""
    shape = (len(transitions), seeds, n_states, n_actions, n_states)
    if name.startswith("SR"):
        return np.asarray(params).reshape(shape)
    if name == "MC InfoNCE":
        marginal = partial(mc_info_nce.future_marginal, n_states=n_states, gamma=gamma)
    else:
        marginal = next_state_marginal
    p = [[marginal(recorded(k, n)[0]) for k in range(seeds)] for n in transitions]
    ratios = np.exp(np.asarray(params["params"]["table"], np.float64).reshape(shape))
    joint = ratios * np.array(p)[:, :, None, None, :]
    return joint if name == "C-learning" else joint / joint.sum(axis=-1, keepdims=True)


def run(step_sizes, transitions, label):
    """Train: step sizes (m, methods), m data sizes; errors (m, seeds) by method."""
    shape = (len(transitions), seeds)
    runs = shape[0] * seeds
    first = np.broadcast_to(np.arange(seeds) * episodes * horizon, shape).ravel()
    windows = data.window(first, np.repeat(transitions, seeds))
    start = fresh_states(together, windows, jax.random.key(1), runs, axes)
    rates = np.repeat(step_sizes, seeds, axis=0).astype(np.float32)
    trained, _ = train(
        together, windows, jax.random.key(1), size.steps, seeds=runs, data_axis=axes,
        states=start.replace(learning_rate=jnp.asarray(rates)),
        progress=here.progress(label),
    )  # fmt: skip
    return {
        name: error(density(name, params, transitions))
        for name, params in zip(methods, trained.params, strict=True)
    }


sweeps = run(factors[:, None] * middles, np.full(len(factors), tuning_size), "tuning")
chosen = {name: int(sweep.mean(axis=1).argmin()) for name, sweep in sweeps.items()}
best = middles * factors[list(chosen.values())]
elsewhere = run(np.tile(best, (len(other_sizes), 1)), other_sizes, "all data sizes")
curves = {  # (seeds, sizes)
    name: np.insert(errors, len(sizes) - 2, sweeps[name][chosen[name]], axis=0).T
    for name, errors in elsewhere.items()
}
print("data sizes  ", *sizes)
for name, errors in curves.items():
    print(f"{name:12}", *errors.mean(axis=0).round(4))

# %% tags=["hide-input"]
colors = dict(zip(methods, ("ours", "third", "sixth", "fourth", "second"), strict=True))
fig, panels = plt.subplots(1, len(methods), figsize=(6.4, 2.5), sharey=True)
for ax, (name, (_, middle)) in zip(panels, methods.items(), strict=True):
    rates = middle * factors
    figures.band(
        ax, rates, sweeps[name].T, figures.COLORS[colors[name]], marker="o", ms=3
    )
    best = chosen[name]
    ax.plot(rates[best], sweeps[name][best].mean(), "o", ms=9, mfc="none", mec="black")
    ax.set(xscale="log", yscale="log", ylim=(1.5e-3, 3e-2))
    ax.set_title(
        name.replace(", ", ",\n").replace(" InfoNCE", "\nInfoNCE"), fontsize=9.5
    )
    ax.tick_params(which="minor", labelbottom=False, labelleft=False)
fig.supxlabel("step size", fontsize=10.5)
panels[0].set_ylabel("mean absolute error")
here.show(
    fig,
    alt="Five small panels, one a method: error against step size. Each curve is "
    "lowest at one of its three step sizes, which is circled.",
    caption=f"Tuning: the error at {tuning_size:,} transitions for the step sizes "
    "tried. The circled ones are used from here on. A constant step that is "
    "too large leaves noise, one that is too small does not arrive in time.",
)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 4.0))
ax.plot(counted, td_exact.mean(axis=0), color=figures.COLORS["exact"], linewidth=0.9)
ax.plot(
    counted,
    mc_exact.mean(axis=0),
    color=figures.COLORS["exact"],
    linewidth=0.9,
    linestyle=":",
)
label_height = {}
for name, values in sorted(curves.items(), key=lambda item: item[1][:, -1].mean()):
    figures.band(
        ax, sizes, values, figures.COLORS[colors[name]], marker="o", markersize=4
    )
    lowest = max(label_height.values(), default=0) * 1.22  # keep labels apart
    label_height[name] = max(values[:, -1].mean(), lowest)
    figures.direct_label(
        ax, sizes[-1], label_height[name], name, figures.COLORS[colors[name]], (9, 0)
    )
figures.direct_label(
    ax, counted[-1], td_exact[:, -1].mean(), "TD, perfect", "black", (4, -2)
)
figures.direct_label(
    ax, counted[1], mc_exact[:, 1].mean(), "MC, perfect", "black", (6, 8)
)
ax.set(
    xscale="log",
    yscale="log",
    xlabel="transitions in the data",
    ylabel="mean absolute error",
)
here.show(
    fig,
    alt="Error against number of transitions for five trained methods. MC InfoNCE "
    "flattens out highest, a little below its dotted line; C-learning and the "
    "successor representation with Adam flatten out lower, almost equal; TD InfoNCE "
    "and the successor representation with its classical rule lowest, close together.",
    caption="Trained by SGD, tuned step sizes, five seeds (bands: 95% intervals); "
    "thin black lines: perfect optimisation. All TD methods aim at the same "
    "thin line and leave it where the errors of training take over. Monte Carlo "
    "aims at the dotted line, which has a floor, and ends a little below it.",
)

# %% [markdown]
# Now the ratios, by the procedure above.


# %%
def needed(errors, level):
    """The smallest data size with an error at or below the level, or None."""
    reached = np.flatnonzero(errors <= level)
    if len(reached) == 0:
        return None
    k = reached[0]
    if k == 0:
        return float(sizes[0])
    x, y = np.log(sizes[k - 1 : k + 1]), np.log(errors[k - 1 : k + 1])
    return float(np.exp(x[0] + (np.log(level) - y[0]) * (x[1] - x[0]) / (y[1] - y[0])))


def sample_ratio(ours, baseline):
    n = needed(ours, baseline[-1])
    return sizes[-1] / n if n is not None else needed(baseline, ours[-1]) / sizes[-1]


from goalward.evaluation.intervals import ratio_interval

ours = curves["TD InfoNCE"]
ratios = {}
for name in list(methods)[1:]:
    per_seed = np.array([sample_ratio(ours[k], curves[name][k]) for k in range(seeds)])
    ratios[name] = tuple(ratio_interval(per_seed, np.ones(seeds)))
    mean, low, high = ratios[name]
    print(f"{name:12s} needs {mean:8.3g} times the samples [{low:.3g}, {high:.3g}]")

# %% [markdown]
# Read the four rows with the two figures in mind, and with some numbers that this page does not compute.
# First, the same procedure with four times the steps (8,000). There every method prefers the smallest of
# its three step sizes.
#
# | needs, for each sample of TD InfoNCE | 2,000 steps | 8,000 steps |
# | --- | --- | --- |
# | SR, TD rule | 0.012 | 0.028 [0.007, 0.12] |
# | SR, Adam | 346 | 27 [5, 155] |
# | C-learning | 355 | 95 [42, 215] |
# | MC InfoNCE | 1738 | 685 [495, 948] |
#
# **Monte Carlo InfoNCE** is biased, and TD InfoNCE passes its best error with a few thousand
# transitions, so the ratio is ten million divided by a few thousand. The effect is real and large. Its
# size was chosen together with $n_{\max}$, the length of the episodes and the budget. Even the floor of
# 0.0059 can be dodged: here Monte Carlo ends at 0.0051, and with 8,000 small steps at 0.0031. The cut-off
# makes futures look too near, unfinished training makes them look too much alike, and the tuned step size
# stops where the two partly cancel: a fifth of the uniform distribution mixed into the infinite-data answer
# would bring its error from 0.0059 to 0.0019.
#
# **C-learning** has no such bias. Its flat end is not a wrong target: with four times the steps its error
# falls from 0.0030 to 0.0017, as TD InfoNCE's falls from 0.0019 to 0.0012. Only a part of it is noise of
# the steps: on one data set of 300,000 transitions a run of 2,000 steps has error 0.0029, and the average
# of eight such runs still 0.0021 (TD InfoNCE: 0.0019 and 0.0013).
#
# **The successor representation** is the instructive one. Its fixed point *is* that of TD InfoNCE.
# With the squared error under Adam it ends above TD InfoNCE, and since the curves are nearly flat
# there, a small difference in height becomes a factor of 346, and of 27 at the larger budget. That height
# is mostly noise: the average of the eight runs has error 0.0011, below TD InfoNCE's 0.0013. With its
# own classical update and a tuned step size it ends *below* TD InfoNCE, and the measured 0.0118 means
# that TD InfoNCE needs 85 times *more* samples than the SR. So a factor of 20 over the SR is a statement
# about how the SR was stepped, not about what it can know from the data; and 346 says no more about
# either method than 0.0118 does. Flat curves make ratios fragile: always look at the curves first.
#
# Is TD InfoNCE then no more than an awkward SR? In a table, about that. The SR needs a *row with one
# entry for every state*. TD InfoNCE needs a critic that can score a state it is shown, so it goes
# where states are images or joint angles and cannot be listed. That is what the paper built it for.
#
# ## Stitching: two halves of two paths make a third
#
# So far the policy was given. To reach goals, let the policy depend on a **commanded goal** $g$:
# the critic becomes $f(s,a,g,s_+)$, and the next action in the bootstrap is the one that makes $g$
# most likely,
#
# $$a'=\arg\max_a\Big[f(s',a,g,g)-\log\sum_j e^{f(s',a,g,r_j)}\Big].$$
#
# The subtracted term is needed. Raw critic values of different actions must not be compared, since
# each row has its own free constant $c$; the log sum over random states takes it off.
#
# Note that the goal enters twice, in two roles: as the command that the policy follows, and as the
# future that is scored. During training they are different states, drawn independently: "if you
# followed commands to $g$, how likely would you meet $s_+$?"
#
# Two data sets, following the paper. **Stitching**: four Z-shaped paths that share the middle
# column. We ask for pairs of corners that no path connects, such as upper left to lower left.
# **Shortcut**: for each of three tasks 95% of the recorded paths take a long detour and 5% a short
# way. Monte Carlo InfoNCE gets the benefit of perfect optimisation here: the counted averages, and
# for actions that nobody took, the marginal that an untrained critic stands for.

# %%
letters = dict(zip("udlrs", range(n_actions), strict=True))
zigzags = {
    (0, 0): "rrddddrr",
    (0, 4): "llddddll",
    (4, 4): "lluuuull",
    (4, 0): "rruuuurr",
}
detours = {  # start: (long path, short path); both end in the same cell
    (0, 0): ("rrrrddddllll", "dddd"),
    (1, 1): ("urrrddddlu", "rrdd"),
    (3, 1): ("rrruuulldd", "ur"),
}
length = 20  # each path waits in its last cell until step 20


def follow_moves(start, moves):
    path = [grid.index(*start)]
    chosen_actions = [letters[m] for m in moves.ljust(length + 1, "s")]
    for action in chosen_actions[:-1]:
        path.append(grid.next_state[path[-1], action])
    return path, chosen_actions


recordings = [follow_moves(start, moves) for start, moves in zigzags.items()] * 15
for start, (long, short) in detours.items():
    recordings += [follow_moves(start, long)] * 19 + [follow_moves(start, short)]
paths, path_actions = (np.array(x) for x in zip(*recordings, strict=True))
records = trajectories.from_trajectories(paths, path_actions)
half = 60 * length
both = records.window(np.repeat([0, half], seeds), np.full(2 * seeds, half))

goal_critic = GoalTableCritic(n_states, n_actions, goals=n_states)
agent = td_infonce.TDInfoNCE(
    goal_critic, gamma, td_infonce.GreedyAction(n_actions),
    batch_size=size.batch, learning_rate=0.02, tau=0.1,
)  # fmt: skip
trained, _ = train(
    agent, both, jax.random.key(2), size.stitching_steps, seeds=2 * seeds,
    data_axis=trajectories.window_axes(records),
    progress=here.progress("TD InfoNCE, goals"),
)  # fmt: skip
table = np.asarray(trained.params["params"]["table"])
table = table.reshape(2, seeds, n_states, n_actions, n_states, n_states)
reach = {}  # (method, data set) -> p(goal | s, a): (seeds, state, action, goal)
moves_left = []  # data set -> fewest recorded moves from each state to each goal
for d, part in enumerate((slice(60), slice(60, 120))):
    chances = next_state_marginal(paths[part]) * np.exp(table[d])
    chances /= chances.sum(axis=-1, keepdims=True)
    reach["TD InfoNCE", d] = np.einsum("ksagg->ksag", chances)  # the commanded goal

    seen = np.zeros((n_states, n_actions, 1), dtype=bool)
    seen[paths[part, :-1], path_actions[part, :-1]] = True
    one_move = np.where(np.eye(n_states), 0.0, np.inf)
    from_state, action, _ = np.nonzero(seen)
    to_state = grid.next_state[from_state, action]
    one_move[from_state, to_state] = np.where(from_state == to_state, 0, 1)
    moves_left.append(shortest_paths.floyd_warshall(one_move))
    averaged = mc_info_nce.by_counts(
        paths[part], path_actions[part], n_states, n_actions, gamma
    )
    untrained = mc_info_nce.future_marginal(paths[part], n_states, gamma)
    reach["MC InfoNCE", d] = np.tile(
        np.where(seen, averaged, untrained), (seeds, 1, 1, 1)
    )

# %% [markdown]
# The agent now acts: in each state it takes the action after which the goal is most likely, ties
# broken at random. It has 8 moves, exactly the length of the stitched path. We follow it (arrows),
# and compute its chance of arriving exactly.


# %%
def best_actions(chances):
    """The greedy policy (state, goal, action), ties shared."""
    best = chances >= chances.max(axis=1, keepdims=True) - 1e-6
    return np.swapaxes(best / best.sum(axis=1, keepdims=True), 1, 2)


def walk(policy, start, goal, moves, rng):
    """Greedy steps; the cells visited, and whether the last of them is the goal."""
    path = [start]
    while path[-1] != goal and len(path) <= moves:
        action = rng.choice(n_actions, p=policy[path[-1], goal])
        path.append(int(grid.next_state[path[-1], action]))
    return path, path[-1] == goal


corners = [((0, 0), (4, 0)), ((4, 0), (0, 0)), ((0, 4), (4, 4)), ((4, 4), (0, 4))]
shortcuts = list(zip(detours, [(4, 0), (3, 3), (2, 2)], strict=True))
arrives, walked = {}, {}
for name in ("TD InfoNCE", "MC InfoNCE"):
    for d, tasks in enumerate((corners, shortcuts)):
        ends = [(grid.index(*start), grid.index(*goal)) for start, goal in tasks]
        policies = [best_actions(reach[name, d][k]) for k in range(seeds)]
        chance = [
            shortest_paths.success_within(p, grid.next_state, 8) for p in policies
        ]
        arrives[name, d] = np.array([[c[end] for end in ends] for c in chance])
        rng = np.random.default_rng(0)
        walked[name, d] = [walk(policies[0], *end, 8, rng) for end in ends]
    print(f"{name}: unseen pairs reached {arrives[name, 0].mean():.0%},",
          f"shortcuts taken {arrives[name, 1].mean():.0%}")  # fmt: skip

# %% tags=["hide-input"]
from itertools import pairwise

fig, panels = plt.subplots(2, 4, figsize=(6.4, 3.7))
for row, name in enumerate(("TD InfoNCE", "MC InfoNCE")):
    for ax, (start, goal), (path, done) in zip(
        panels[row], corners, walked[name, 0], strict=True
    ):
        figures.heatmap(ax, np.ones(grid.shape), cmap="Greys", vmin=0, vmax=8)
        for recording in paths[:4]:
            ax.plot(
                *grid.cells[recording].T[::-1], color="white", linewidth=5, zorder=1
            )
        trail = grid.cells[path]
        color = figures.COLORS["ours" if name == "TD InfoNCE" else "second"]
        arrow = {"arrowstyle": "->", "color": color, "lw": 1.8, "shrinkA": 0}
        for cell, there in pairwise(trail):
            if (cell != there).any():
                ax.annotate(
                    "", there[::-1], cell[::-1], arrowprops=arrow | {"shrinkB": 0}
                )
        ax.plot(start[1], start[0], "o", color=color, markersize=8)
        ax.plot(goal[1], goal[0], "*", color="black", markersize=11)
        ax.set_xlabel("reached" if done else "not reached", fontsize=9.5)
    panels[row, 0].set_ylabel(name, fontsize=10.5)
fates = {
    name: [done for _, done in walked[name, 0]]
    for name in ("TD InfoNCE", ("MC InfoNCE"))
}
lucky = [str(i + 1) for i, done in enumerate(fates["MC InfoNCE"]) if done]
luck = f" (in panel {' and '.join(lucky)} it got there by chance)" if lucky else ""
here.show(
    fig,
    alt="Eight small grids, four for each method. The recorded Z-shaped paths are "
    "drawn as white lines that share the middle column. TD InfoNCE goes along the "
    "upper or lower edge to the middle column, along it, and turns to the goal. "
    f"Monte Carlo InfoNCE wanders; it reaches the goal in {len(lucky)} of its four "
    "grids.",
    caption="Corner to corner, where no recorded path (white) connects the two. TD "
    "InfoNCE follows one recording to the middle column and another one from "
    "there. Monte Carlo InfoNCE has never seen a trajectory from this start "
    f"to this goal and wanders: {arrives['MC InfoNCE', 0].mean():.0%} of its "
    f"tries arrive within 8 moves{luck}.",
)

# %% [markdown]
# Numbers say more than arrows. From the upper left corner, going right, the lower left corner is 8
# moves away. If you then wait there, the exact probability of being found there is
# $(1-\gamma)\sum_{t\ge8}\gamma^{t-1}=\gamma^7$.

# %%
first_moves = [(0, 0, "right"), (4, 0, "right"), (0, 4, "left"), (4, 4, "left")]
stitched = {}
for name in ("TD InfoNCE", "MC InfoNCE"):
    stitched[name] = np.array(
        [
            reach[name, 0][
                :, grid.index(r, c), ACTIONS.index(action), grid.index(*goal)
            ]
            for (r, c, action), (_, goal) in zip(first_moves, corners, strict=True)
        ]
    ).T  # (seeds, pairs)
    print(
        f"{name}: p(goal) after the right first move",
        stitched[name].mean(axis=0).round(3),
    )
print(f"exact: {gamma**7:.3f}")

# %% [markdown]
# Monte Carlo gives the right first move probability zero: nobody who made it went on to that corner.
# For moves that nobody has tried its table holds the marginal, and so it is drawn to the unknown and
# bumps into walls. (Forbid it the untried moves, and it still arrives in only 25% of its tries, computed
# outside this page.) TD InfoNCE is close to the exact value, although no trajectory contains both ends:
# the prediction travelled backwards through the middle column, one Bellman backup at a time.
#
# Now the shortcuts. For the first move of the short and of the long way, three exact values stand
# beside the two estimates: of walking on as recorded; of the best that can be put together from
# *recorded* moves; and what twenty recorded steps can show of walking on. A path that arrives after
# $k$ steps and then waits is worth $\gamma^{k-1}$; of a recording cut off after 20 steps, the
# renormalised share is $(\gamma^{k-1}-\gamma^{20})/(1-\gamma^{20})$.

# %%
rows = []
for (start, goal), ways in zip(shortcuts, detours.values(), strict=True):
    for way, moves in zip(("long", "short"), ways, strict=True):
        s, a, g = grid.index(*start), letters[moves[0]], grid.index(*goal)
        walk_on = gamma ** (len(moves) - 1)
        recorded_best = gamma ** moves_left[1][grid.next_state[s, a], g]
        cut_off = (walk_on - gamma**length) / (1 - gamma**length)
        td, mc = (
            reach[name, 1][:, s, a, g].mean() for name in ("TD InfoNCE", ("MC InfoNCE"))
        )
        values = (walk_on, recorded_best, td, cut_off, mc)
        rows.append([f"{start} to {goal}, {way}", *(f"{v:.2f}" for v in values)])
here.table(
    [
        "first move",
        "exact: walk on",
        "best recorded",
        "TD InfoNCE",
        "exact: cut off",
        "MC",
    ],
    rows,
)

# %% [markdown]
# Both methods rank the short way first, and both agents take it. Their numbers tell what each of them
# estimates.
#
# **Monte Carlo**: exactly the cut-off value, in all six rows. That is the floor of the first half of
# this chapter again: its numbers are low because recordings end, not because of where the walkers
# went.
#
# **TD InfoNCE** has no cut-off. In two of the three tasks its number for the long way is a little above the
# value of simply walking on (0.61 for 0.57, 0.65 for 0.63): whoever has set off finds no recorded way back.
# Only from (1, 1) to (3, 3) the long way crosses a recording of another task, which leads over to the
# short way, and there the number is that of the better path: put together from moves that no single
# walker made. That is **off-policy reasoning**, learning about one policy from the data of others, and
# one row of six shows it. TD InfoNCE does not know that one could simply turn round, since nobody
# did: the value of an untried move is that of the marginal.
#
# For two of the three short ways TD InfoNCE is below the exact value (0.76 for 0.86, 0.90 for 0.95). One
# recording in twenty shows them, and such numbers scatter: three other runs, with 10,000 steps, give 0.70,
# 0.95 and 0.96 for the first; with half the recordings short, 0.86 to 0.91 (computed outside this page). In
# the paper's figure the Monte Carlo agent misses the short way at the first cell; in a table, with perfect
# optimisation, it does not.
#
# ## Play: how long must an episode be?
#
# Two things decide how badly a recorded future is cut off: how far you look ahead ($\gamma$) and how
# long an episode lasts ($T$).

# %%
discounts, lengths = [0.5, 0.8, 0.95], [25, 50, 100]
grid_of_lengths = np.array([5, 10, 25, 50, 100, 200])


def mc_floor(gamma, T):
    truth = successor.successor_measure(grid.P, random_policy, gamma)
    limit = mc_info_nce.infinite_data_limit(grid.P, random_policy, gamma, T)
    return np.abs(limit - truth).mean()


floors = {g: [mc_floor(g, T) for T in grid_of_lengths] for g in discounts}


# %% tags=["hide-input"]
def frame(gamma, T):
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.7), width_ratios=(1, 1.5))
    truth = successor.successor_measure(grid.P, random_policy, gamma)[corner, up]
    figures.heatmap(
        left, grid.image(truth), f"exact future, γ = {gamma}", vmin=0, vmax=0.3
    )
    left.plot(0, 4, "o", color="white", markersize=7)
    for g in discounts:
        color = figures.COLORS["second" if g == gamma else "muted"]
        right.plot(
            grid_of_lengths, floors[g], color=color, linewidth=2.5 if g == gamma else 1
        )
        figures.direct_label(
            right, grid_of_lengths[-1], floors[g][-1], f"γ = {g}", color
        )
    right.plot(T, mc_floor(gamma, T), "o", color=figures.COLORS["second"], markersize=9)
    right.set(xscale="log", yscale="log", xlabel="episode length T")
    right.set_title(f"floor of averaging: {mc_floor(gamma, T):.4f}")
    right.set_xticks(grid_of_lengths, grid_of_lengths)
    right.minorticks_off()
    return fig


here.explore(
    {"γ": discounts, "T": lengths},
    frame,
    alt=lambda gamma, T: (
        f"Left: the exact future of the lower left corner at discount {gamma}. Right: "
        "the error of averaging futures with infinite data against episode length; at "
        f"length {T} it is {mc_floor(gamma, T):.4f}."
    ),
    start=(2, 2),
)

# %% [markdown]
# Move γ from 0.5 to 0.95: the future spreads over the grid, and the floor rises with it. Then make the
# episodes longer: once $T$ is well above $1/(1-\gamma)$, the floor falls roughly like $1/T$. Only the last
# $1/(1-\gamma)$ steps or so of each episode are affected much, and they become a smaller part of it. When
# somebody reports that Monte
# Carlo needs a thousand times more samples, ask for γ and $T$.
#
# ## What the paper claims, checked
#
# The bounds come from the paper or from an exact argument (the 0.08 of the stitched value, marked "ours",
# from a prototype). They were set before the measurement, with two exceptions: the last two rows were put
# into this form after first results had been seen. And
# the Monte Carlo row is a close call, true of this budget. The procedure above stayed as written, but we
# ran it three times: twice the step sizes were shifted, for all methods alike, until each method's best
# one lay inside its sweep, and once the number of steps was raised. The ratio came out as 2990, 1603
# (with an interval that reached below 1500) and 1738; at four times the steps it is 685. It moves with
# choices that the paper does not report. A ✔ in the Adam row says *at least* 20: 346 is seventeen times
# the paper's number, and no confirmation of it.

# %% tags=["hide-input"]
here.claim(
    "fixed_point",
    "The repeated full minimisation of the loss ends at the certainty-equivalent "
    "successor measure (largest difference)",
    paper="—",
    measured=np.abs(minimised - solved).max(),
    bound="<= 1e-5",
    bound_from="oracle",
    kind="exact",
)
here.claim(
    "stationary",
    "The library's loss has no gradient at the fixed point of the successor "
    "representation",
    paper="—",
    measured=gradient_at_rest,
    bound="<= 1e-5",
    bound_from="oracle",
    kind="exact",
)
here.claim(
    "exact_world",
    "With the true transition probabilities the fixed point is the exact successor "
    "measure",
    paper="—",
    measured=np.abs(true_counts - exact).max(),
    bound="<= 1e-8",
    bound_from="oracle",
    kind="exact",
)
here.claim(
    "fewer_than_mc",
    "Samples that Monte Carlo InfoNCE needs, for each that TD InfoNCE needs",
    paper="about 1500",
    number=1500,
    interval=ratios["MC InfoNCE"],
    seeds=seeds,
    covers="data and batches",
    bound=">= 1500",
    bound_from="paper",
    kind="statistical",
    null=1.0,
    reason="The Monte Carlo error stops falling; the ratio is the largest data "
    "size over the size at which TD InfoNCE passes that level, so it scales "
    "with the largest size tried.",
)
here.claim(
    "fewer_than_sr",
    "Samples that the successor representation (classical TD rule, tuned) needs, for "
    "each that TD InfoNCE needs",
    paper="about 20",
    number=20,
    interval=ratios["SR, TD rule"],
    seeds=seeds,
    covers="data and batches",
    bound=">= 20",
    bound_from="paper",
    kind="statistical",
    null=1.0,
    reason="Both have the same fixed point. With a tuned step the classical rule "
    "comes as close to it as TD InfoNCE does in the same number of steps.",
)
here.claim(
    "fewer_than_sr_adam",
    "Samples that the successor representation under Adam (tuned) needs, for each "
    "that TD InfoNCE needs",
    paper="about 20",
    number=20,
    interval=ratios["SR, Adam"],
    seeds=seeds,
    covers="data and batches",
    bound=">= 20",
    bound_from="paper",
    kind="statistical",
    null=1.0,
    reason=(
        "The ratio compares two nearly flat curves; it depends on the noise of a "
        "constant step."
    ),
)
reference = min(2, len(counted) - 1)  # 10,000 transitions
here.claim(
    "beats_perfect_mc",
    f"Error of TD (solved) on {counted[reference]:,} transitions, over that of "
    f"averaging (perfect) on {counted[-1]:,}",
    paper="—",
    measured=td_exact[:, reference] / mc_exact[:, -1],
    bound="< 1",
    bound_from="oracle",
    kind="statistical",
    covers="data",
    null=1.0,
)
here.claim(
    "stitches",
    "Share of corner pairs, never seen together, that TD InfoNCE reaches by the "
    "shortest recorded way",
    paper="all (figure)",
    number=1,
    measured=arrives["TD InfoNCE", 0].mean(axis=1),
    bound=">= 1",
    bound_from="paper",
    kind="statistical",
    covers="batches",
    null=0.0,
)
here.claim(
    "stitched_value",
    "TD InfoNCE's probability of the goal after the right first move, distance from "
    "the exact value",
    paper="—",
    measured=np.abs(stitched["TD InfoNCE"] - gamma**7).max(axis=1),
    bound=("<= 0.08"),
    bound_from="prototype",
    kind="statistical",
    covers="batches",
)
here.claim(
    "mc_cannot_stitch",
    "The same probability under Monte Carlo InfoNCE, perfectly optimised (largest of "
    "four pairs)",
    paper="no sensible action (figure)",
    measured=stitched["MC InfoNCE"].max(),
    bound=("<= 1e-8"),
    bound_from="oracle",
    kind="exact",
)
here.claim(
    "shortcuts",
    "Share of the three shortcuts, 5% of the recordings, that TD InfoNCE takes in at "
    "most 8 moves",
    paper="all (figure)",
    number=1,
    measured=arrives["TD InfoNCE", 1].mean(axis=1),
    bound=">= 1",
    bound_from="paper",
    kind="statistical",
    covers="batches",
    null=0.0,
)
here.conclude()

# %% [markdown]
# ## What differs from the paper
#
# We could not find every setting of the paper's tabular experiment; what we chose instead is marked.
#
# 1. **Discount and episode length.** Paper: not found. Here: $\gamma=0.95$, $T=100$ (ours). The Monte
#    Carlo ratio depends on both.
# 2. **Gradient steps.** Paper: 50,000. Here: 2,000; `--scale gpu` has 50,000.
# 3. **Data sizes.** Paper: $10^3$ to $10^7$. Here: the same range, with $10^6$ left out on a laptop.
# 4. **Tuning.** Paper: not found. Here: three step sizes for every method, shown; constant steps.
# 5. **The baseline SR.** Paper: one. Here: two, the classical rule and Adam, since this decides the
#    comparison.
# 6. **Random states in the second term.** The public code draws goals; we draw next states, so that
#    both terms have negatives from one marginal and the fixed point is exact.
# 7. **Target critic.** Public code: moving average with $\tau=0.005$. Here: none in the first
#    experiment ($\tau=1$), $\tau=0.1$ for stitching.
# 8. **Twin critics, normalised representations.** The public code takes the smaller of two critics
#    with unit-length representations. A table has neither.
# 9. **Policy.** Paper: a network trained to make the commanded goal likely. Here: the best action,
#    found by trying all five.
#
# What a five by five grid does not show: generalisation between states, exploration, continuous
# actions, learning from images. There the paper's comparison is between networks, and none of our
# ratios carries over.
#
# ## Scaling up
#
# The same chapter with the paper's data sizes, 50,000 gradient steps, ten seeds and six step sizes for
# each method is one command, meant for one GPU (we have no recorded run of it yet):
#
# ```
# goalward run td_infonce --scale gpu
# ```
#
# It records its own row of claims beside the laptop's. On robots the learner stays what it is;
# `critic` becomes two towers, and a policy network takes the place of trying all actions. The paper's
# offline results on AntMaze, success in percent, mean ± standard deviation, from the authors'
# [project page](https://chongyi-zheng.github.io/td_infonce/):
#
# | | TD InfoNCE | QRL | Contrastive RL | GCBC | DT | IQL | TD3+BC |
# |---|---|---|---|---|---|---|---|
# | umaze | 84.9 ± 1.2 | 76.8 ± 2.3 | 79.8 ± 1.6 | 65.4 | 65.6 | 87.5 | 78.6 |
# | umaze-diverse | 91.7 ± 1.3 | 80.1 ± 1.3 | 77.6 ± 2.8 | 60.9 | 51.2 | 62.2 | 71.4 |
# | medium-play | 86.8 ± 1.7 | 76.5 ± 2.1 | 72.6 ± 2.9 | 58.1 | 1.0 | 71.2 | 10.6 |
# | medium-diverse | 82.0 ± 3.4 | 73.4 ± 1.9 | 71.5 ± 1.3 | 67.3 | 0.6 | 70.0 | 3.0 |
# | large-play | 47.0 ± 2.5 | 52.9 ± 2.8 | 48.6 ± 4.4 | 32.4 | 0.0 | 39.6 | 0.2 |
# | large-diverse | 55.6 ± 3.6 | 51.5 ± 3.8 | 54.1 ± 5.5 | 36.9 | 0.2 | 47.5 | 0.0 |
#
# *Contrastive RL* is Monte Carlo InfoNCE with a policy network. The others are offline methods too:
# quasimetric RL (QRL) learns a distance that obeys the triangle inequality; goal-conditioned behaviour
# cloning (GCBC) and the decision transformer (DT, a sequence model) imitate recordings that reached the
# goal; implicit Q-learning (IQL) and TD3+BC (an actor and two critics, with a penalty for leaving the
# recorded actions) learn values of a given reward. On four of six mazes TD InfoNCE leads Contrastive RL
# clearly; on the two large ones they are within their spread.
#
# ## Exercises
#
# The assignment of this chapter has five exercises, 20 points, about 110 minutes:
#
# 1. **Random states, weighed** (easy, 15 minutes): turn random states and their weights $w$ into the
#    future of $(s',a')$ that they stand for.
# 2. **The loss** (easy, 10 minutes): write both of its terms, safe for large logits.
# 3. **The gradient that the optimiser gets** (medium, 25 minutes): return the gradient of one batch,
#    and find out what the stop-gradient changes.
# 4. **One minimisation is one backup** (medium, 20 minutes): find the critic that minimises the loss
#    on all states, and see the successor representation appear.
# 5. **Experiment: averaging hits a floor. Can patience repair it?** (hard, 40 minutes): average only
#    anchors far from the end of their episode, and measure what that brings and what it costs.
#
# Work in [the exercise notebook](td_infonce_exercises.ipynb)
# that `make lab` puts beside this chapter. Each exercise has hints and a check cell, and shows
# a solution after an attempt. `goalward assignments check NOTEBOOK` says where you stand.
#
# ## Where to go from here
#
# - [Contrastive RL](contrastive_rl.ipynb), the next chapter, turns the critic into a policy.
# - [Interpolation](interpolation.ipynb) asks what lies *between* now and the future that you predict.
# - [Side by side](estimators.ipynb) puts all estimators of this part into one world.
# - [Horizon generalization](../2_distances_and_horizons/horizon_generalization.ipynb) asks when a
#   policy learned on near goals reaches far ones; stitching is one way to get there.
# - Zheng, Salakhutdinov, Eysenbach: *Contrastive Difference Predictive Coding*, ICLR 2024.
# - Dayan: *Improving generalization for temporal difference learning: the successor representation*,
#   Neural Computation 1993.
# - Eysenbach, Salakhutdinov, Levine: *C-learning: learning to achieve goals via recursive
#   classification*, ICLR 2021.
# - Eysenbach, Zhang, Levine, Salakhutdinov: *Contrastive learning as goal-conditioned reinforcement
#   learning*, NeurIPS 2022.
# - van den Oord, Li, Vinyals: *Representation learning with contrastive predictive coding*, 2018.
