# %% [markdown]
# # Example-based control: show what done looks like, and average before the logarithm
#
# *Kyle Hatch, Benjamin Eysenbach, Rafael Rafailov, Tianhe Yu, Ruslan Salakhutdinov, Sergey Levine,
# Chelsea Finn: Contrastive Example-Based Control. L4DC 2023,
# [arXiv 2307.13101](https://arxiv.org/abs/2307.13101).*
#
# **Nobody wrote a reward. You have recordings without labels, and twenty snapshots of the finished
# job. Is that enough to do the job?**
#
# Below, the job is to be in one of two opposite corners, and the snapshots (white dots) come from
# both. Both maps use the same exact model of the future. They differ in one line of code: whether the
# exponential is taken before the snapshots are averaged, or not at all. On the left the arrows lead to
# one of the corners. On the right, whoever is not close to a corner already cannot decide and ends in a
# door in the middle.
#
# You need [Contrastive Value Learning](cvl.ipynb), which turns a log ratio of futures into values for
# a known reward; what is needed from it is said again here. The symbols are those of the
# [notation page](../0_start/notation.ipynb). Reading takes about 40 minutes, running about a minute on
# a laptop. Afterwards you can
#
# - derive, with Bayes' rule, why an average over examples is a probability of success;
# - say what happens when logarithms are averaged in its place, and when it matters;
# - compare this to learning a reward first, with exact answers for both;
# - test how both bear wrong examples.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures

here = chapter.begin("laeo")

# %%
from goalward.methods.laeo import LAEO, best_example, log_mean_exp, mean_log
from goalward.tabular import dynamic_programming, mdp, successor
from goalward.tabular.grid import ACTIONS, MOVES, Grid

rooms = Grid.parse(
    """
    ....#....
    ....#....
    .........
    ....#....
    ##.###.##
    ....#....
    ....#....
    .........
    ....#....
    """
)
gamma, horizon, n_states, n_actions = 0.95, 50, rooms.states, len(ACTIONS)
# One move in ten is random.
P = 0.9 * rooms.P + 0.1 * rooms.P.mean(axis=1, keepdims=True)
aimless = mdp.uniform_policy(n_states, n_actions)
measure = successor.successor_measure(P, aimless, gamma)
marginal = measure.mean(axis=(0, 1))
near = [rooms.index(*cell) for cell in ((8, 8), (8, 7), (7, 8))]
far = [rooms.index(*cell) for cell in ((0, 0), (0, 1), (1, 0))]
done = {
    "one corner": np.isin(range(n_states), near),
    "two corners": np.isin(range(n_states), near + far),
}


def success(scores, task):
    """The exact chance that the greedy policy is found in success, from any start."""
    policy = dynamic_programming.greedy(scores)
    future = successor.state_successor_measure(P, policy, gamma)
    return (future @ done[task]).mean()


def exact_logits(cells):
    """The perfect critic on some cells, log p(x | s, a) / p(x)."""
    return np.log(measure[:, :, cells]) - np.log(marginal[cells])


# %% tags=["hide-input"]
def draw_scores(ax, scores, cells, title):
    """The best action's score in each cell, its arrow, and the examples."""
    image = figures.heatmap(ax, rooms.image(scores.max(axis=1)), title)
    best = scores.argmax(axis=1)
    moves = rooms.next_state[np.arange(n_states), best] != np.arange(n_states)
    (down, right), (rows, cols) = MOVES[best[moves]].T, rooms.cells[moves].T
    ax.quiver(
        cols, rows, right, down, angles="xy", color="white", scale=18, width=0.012,
        pivot="mid",
    )  # fmt: skip
    edge = figures.COLORS["second"]
    ax.plot(*rooms.cells[cells].T[::-1], "o", color="white", mec=edge, mew=2, ms=6)
    return image


fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.4))
orders = {"average, then logarithm": log_mean_exp, "average of logarithms": mean_log}
for ax, (title, aggregate) in zip(axes, orders.items(), strict=True):
    scores = aggregate(exact_logits(near + far))
    title = f"{title}\nsuccess {success(scores, 'two corners'):.2f}"
    image = draw_scores(ax, scores, near + far, title)
    fig.colorbar(image, ax=ax, label="score, nats", location="bottom", shrink=0.8)
here.show(
    fig,
    alt="Two maps of four rooms with success examples in two opposite corners. Left: "
    "the corners are bright and arrows lead to one of them, success 0.80. Right: "
    "the doors in the middle are as bright, and outside the corners arrows lead "
    "to the doors, success 0.29.",
    caption="The same exact model, the same examples. Left: the logarithm of the "
    "average ratio. Right: the average of the logarithms, which the released "
    "code maximises by default. Arrows: the best move, where it leads to "
    "another cell.",
    lead=True,
)

# %% [markdown]
# The sizes of what follows, at the three scales.

# %%
size = here.sizes(
    #             smoke         laptop                   gpu
    seeds=        (5,           5,                       10),
    episodes=     ((20, 200),   (20, 50, 200, 1_000),    (20, 50, 200, 1_000, 10_000)),
    wrong=        ((0, 5),      (0, 2, 5, 10),           (0, 2, 5, 10)),
    table_batch=  (32,          256,                     1_024),
    walks=        (20,          200,                     2_000),
    steps=        (40,          2_000,                   50_000),
    batch=        (16,          64,                      1_024),
)  # fmt: skip

# %% [markdown]
# ## From snapshots to a probability of success
#
# Let $e=1$ be the event that the job is done, with an unknown chance $p(e{=}1\mid s)$ in each state.
# The recordings visit states with marginal $p(s)$. The snapshots are draws of *successful* states,
# $s^*\sim p(s\mid e{=}1)$. What we would like to know of an action is the chance of being in success
# when the clock stops, at a random time as in the successor measure:
#
# $$Q(s,a)=\sum_{s_+}p(s_+\mid s,a)\;p(e{=}1\mid s_+).$$
#
# The second factor is what nobody wrote down. Bayes' rule turns it around,
#
# $$p(e{=}1\mid s_+)=p(e{=}1)\,\frac{p(s_+\mid e{=}1)}{p(s_+)},$$
#
# and put into the first line the sum becomes an average over snapshots:
#
# $$\boxed{\;Q(s,a)=p(e{=}1)\;\mathbb E_{s^*\sim p(s\mid e=1)}\Big[\frac{p(s^*\mid s,a)}{p(s^*)}\Big]
# =p(e{=}1)\;\mathbb E_{s^*}\big[e^{f(s,a,s^*)}\big]\;}\tag{1}$$
#
# with the critic of [Contrastive Value Learning](cvl.ipynb), $f(s,a,s_+)=\log p(s_+\mid s,a)-\log
# p(s_+)$: the log ratio of the chance that the future of $(s,a)$ stops in $s_+$ to the marginal. It is
# learned by telling the future of a pair from the futures of others. For a batch of $B$ pairs, each
# with a future $s_+^{(i)}$ a geometric number of steps later in its recording, and
# $f_{ij}=f(s_i,a_i,s_+^{(j)})$, the loss is
#
# $$-\frac1B\sum_i\log\sigma(f_{ii})-\frac1{B(B-1)}\sum_{i\ne j}\log\sigma(-f_{ij}),\qquad
# \sigma(x)=\frac1{1+e^{-x}},$$
#
# a yes-or-no question for every pair; its best answer is $f$, with no constant left free. No reward
# and no snapshot enters. In words, equation (1) asks: *how many times more likely than chance does
# this action make states like these?* The factor $p(e{=}1)$ is the same for all actions, so it is not
# needed to act.
#
# It is also the value of a reward, $r(s)=(1-\gamma)\,p(s\mid e{=}1)/p(s)$ for arriving in $s$. Nobody
# computes that reward; it is **implicit**.
#
# Check both readings in five random worlds. Here success is a matter of chance in every state, and
# each possible snapshot counts by its probability.

# %%
gaps = {"probability of success": 0.0, "value of the implicit reward": 0.0}
for seed in range(5):
    rng = np.random.default_rng(seed)
    world, policy = mdp.random_mdp(rng, 20, 4), rng.dirichlet(np.ones(4), size=20)
    p, chance = rng.dirichlet(np.ones(20)), rng.uniform(size=20)
    prior = chance @ p
    snapshots = chance * p / prior
    logits = np.log(successor.successor_measure(world, policy, gamma)) - np.log(p)
    average = np.exp(log_mean_exp(logits, snapshots))

    stopped, _ = dynamic_programming.policy_evaluation(
        world, policy, world @ ((1 - gamma) * chance), gamma
    )
    implicit = (1 - gamma) * snapshots / p
    value, _ = dynamic_programming.policy_evaluation(
        world, policy, world @ implicit, gamma
    )
    for name, off in zip(
        gaps, (prior * average / stopped - 1, average / value - 1), strict=True
    ):
        gaps[name] = max(gaps[name], np.abs(off).max())
for name, gap in gaps.items():
    print(f"{name:29s} largest relative difference {gap:.1e}")

# %% [markdown]
# ## Where does the logarithm go?
#
# Acting needs only the order of actions, so maximising $\log Q$ is as good as maximising $Q$. That is
#
# $$\log\tfrac1K\sum_{k=1}^Ke^{f(s,a,s^*_k)}\qquad\text{(log-mean-exp)}$$
#
# for $K$ snapshots. The public code offers this as an option. Its default draws one snapshot for each
# state of a batch and maximises $f(s,a,s^*)$. On average that is
#
# $$\tfrac1K\sum_{k=1}^Kf(s,a,s^*_k)\qquad\text{(mean of logarithms)},$$
#
# a lower bound by Jensen's inequality. By hand, for two actions and two snapshots, one near and one
# far:

# %%
from inspect import getsource

# Action 0 goes for one snapshot, action 1 for neither.
ratios = np.array([[8.0, 0.02], [0.5, 0.5]])
for a in range(2):
    total, logs = 0.0, 0.0
    for k in range(2):
        total += ratios[a, k] / 2
        logs += np.log(ratios[a, k]) / 2
    print(
        f"action {a}: log of the mean {np.log(total):6.2f}, mean of the logs "
        f"{logs:6.2f}"
    )
print(
    "library: ",
    log_mean_exp(np.log(ratios)).round(2),
    mean_log(np.log(ratios)).round(2),
    "\n",
)
print(getsource(log_mean_exp).split('"""')[2])

# %% [markdown]
# **Predict before you run.** In which tasks do the two agree? Think of one corner, and of two.
#
# <details><summary>Answer</summary>
#
# The mean of logarithms is the logarithm of the *geometric* mean. It is large only if **every** snapshot
# is likely. With one corner, whatever makes one of its cells likely makes its neighbours likely too, and
# both agree. With two opposite corners, going to one makes the other unlikely, and a single small factor
# ruins a geometric mean. The best compromise is to stay where both remain possible: in the middle.
#
# </details>
#
# A third aggregate stands beside the two: `best example` takes the largest log ratio alone.

# %%
aggregates = {
    "log-mean-exp": log_mean_exp,
    "mean of logs": mean_log,
    "best example": best_example,
}
exact_success = {}
for task, cells in (("one corner", near), ("two corners", near + far)):
    goal = done[task].astype(float)
    best, _ = dynamic_programming.value_iteration(P, P @ goal, gamma)
    exact_success[task] = {
        "aimless": (successor.state_successor_measure(P, aimless, gamma) @ goal).mean(),
        **{
            name: success(agg(exact_logits(cells)), task)
            for name, agg in aggregates.items()
        },
        "optimal": success(best, task),
    }
    print(
        task,
        {name: float(value.round(3)) for name, value in exact_success[task].items()},
    )

# %% [markdown]
# With the right order of average and logarithm, one greedy step on an aimless walker's model is nearly
# optimal in both tasks. With the logarithm inside, the task with two ways to succeed goes from 0.80 to
# 0.29.
#
# The learner is a model of the future, trained by the loss above; the task comes in when it is asked:

# %%
print(getsource(LAEO.action_values))

# %% [markdown]
# ## The usual route: learn a reward first
#
# The natural alternative is a **reward classifier**. Train $D(s)$ to tell snapshots from recorded states,
# call it the reward, and run reinforcement learning. What does the best classifier say? If both classes
# have the same weight,
#
# $$D(s)=\frac{p(s\mid e{=}1)}{p(s\mid e{=}1)+p(s)},$$
#
# which grows with the implicit reward, but saturates: near one, twice as many snapshots in a cell barely
# raise it.
# A **positive-unlabelled** (PU) classifier knows that recordings hold successes as well, a share
# $\eta=p(e{=}1)$ of them. The loss of the recordings as negatives, less what the successes among them
# contribute, is what the true failures would cost; so it minimises
#
# $$\eta\,\mathbb E_{s^*}\big[-\log D(s^*)\big]+\mathbb E_{s}\big[-\log(1-D(s))\big]
# -\eta\,\mathbb E_{s^*}\big[-\log(1-D(s^*))\big].$$
#
# With the right $\eta$ its optimum is $\eta\,p(s\mid e{=}1)/p(s)$, the chance of success itself: the
# implicit reward, up to a factor.
#
# On a reward one runs **fitted Q-iteration**: for recorded transitions $(s,a,s')$, move $Q(s,a)$ towards
# $r(s')+\gamma\max_{a'}Q(s',a')$, again and again. In a table, with counted transitions, it can be run
# to its end.
#
# So there are two questions, and they can be asked apart: *which reward*, and *which estimator of its
# value*. Four ways, all by counting on the same recordings with twenty snapshots, so that nothing
# depends on training:
#
# 1. **LAEO**: implicit reward, averaged over recorded futures;
# 2. **implicit + Q**: the same reward, by Q-iteration on counted transitions;
# 3. **classifier + Q**: the best classifier's reward, by the same Q-iteration;
# 4. **LAEO, chained**: as LAEO, but the futures are put together from counted single steps, as in
#    [TD InfoNCE](td_infonce.ipynb). Like LAEO it asks what the *recorded* walkers would reach, and
#    like Q-iteration it joins pieces of different walks.

# %%
from goalward.baselines import fitted_q, mc_info_nce
from goalward.methods import td_infonce

ways = {
    "LAEO": "ours",
    "implicit + Q": "third",
    "classifier + Q": "second",
    "LAEO, chained": "sixth",
}


def snapshots_of(task, seed, wrong=0, n=20):
    """Success examples of a task; the first `wrong` are cells from anywhere."""
    rng = np.random.default_rng(100 + seed)
    drawn = rng.choice(np.flatnonzero(done[task]), n)
    drawn[:wrong] = rng.integers(n_states, size=wrong)
    return drawn


class Counts:
    """What one data set says, counted once for every set of snapshots."""

    def __init__(self, seed, n):
        self.walks = mdp.sample_trajectories(
            P, aimless, np.random.default_rng(seed), n, horizon
        )
        self.futures = mc_info_nce.by_counts(*self.walks, n_states, n_actions, gamma)
        self.marginal = mc_info_nce.future_marginal(self.walks[0], n_states, gamma)
        self.tried = self.futures.sum(axis=2) > 0
        steps = td_infonce.transition_counts(*self.walks, n_states, n_actions)
        self.chained = td_infonce.td_fixed_point(steps, n_actions, gamma)

    def scores(self, snapshots):
        """Action scores of the four ways."""
        star = np.bincount(snapshots, minlength=n_states) / len(snapshots)
        implicit = np.divide(
            star, self.marginal, out=np.zeros(n_states), where=self.marginal > 0
        )
        classifier = star / (star + self.marginal + 1e-12)
        yield np.where(self.tried, self.futures @ implicit, -np.inf)
        for reward in (implicit, classifier):
            yield fitted_q.by_counts(*self.walks, reward, n_actions, gamma)
        yield np.where(self.tried, self.chained @ implicit, -np.inf)


counts = {(k, n): Counts(k, n) for k in range(size.seeds) for n in size.episodes}
largest = size.episodes[-1]


def outcomes(task, seed, episodes, wrong=0):
    """The success of each way of scoring."""
    scored = counts[seed, episodes].scores(snapshots_of(task, seed, wrong))
    return [success(scores, task) for scores in scored]


by_episodes = {
    task: np.array(
        [[outcomes(task, k, n) for n in size.episodes] for k in range(size.seeds)]
    )
    for task in done
}
by_wrong = np.array(
    [
        [outcomes("one corner", k, largest, w) for w in size.wrong]
        for k in range(size.seeds)
    ]
)
for task, values in by_episodes.items():
    at_last = dict(zip(ways, values[:, -1].mean(axis=0).round(2).tolist(), strict=True))
    print(f"{task}, {largest} episodes:", at_last)

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.2), sharey=True, width_ratios=(1, 1.35))
for ax, (task, values) in zip(axes, by_episodes.items(), strict=True):
    for w, color in enumerate(ways.values()):
        figures.band(
            ax, size.episodes, values[:, :, w], figures.COLORS[color], marker="o", ms=4
        )
    for name in ("optimal", "aimless"):
        ax.axhline(
            exact_success[task][name], color=figures.COLORS["muted"], ls="--", lw=1
        )
    ax.set(xscale="log", ylim=(0, 0.9), xlabel="recorded episodes")
    ax.set_title(task)
    ax.set_xticks(size.episodes, [f"{n:,}" for n in size.episodes])
    ax.minorticks_off()
axes[0].set_ylabel("probability of success")
figures.direct_label(
    axes[0], size.episodes[0], 0.06, "aimless", figures.COLORS["muted"], (0, 5)
)
figures.direct_label(
    axes[0], size.episodes[0], 0.71, "optimal", figures.COLORS["muted"], (0, 5)
)
ends = by_episodes["two corners"][:, -1].mean(axis=0)
for (way, color), end, lift in zip(ways.items(), ends, (-7, -5, 16, 4), strict=True):
    figures.direct_label(
        axes[1], size.episodes[-1], end, way, figures.COLORS[color], (6, lift)
    )
here.show(
    fig,
    alt="Probability of success against recorded episodes, for one corner and for "
    "two. The two ways that use Q-iteration, and LAEO with chained futures, are "
    "near the optimum from 50 episodes on; LAEO climbs slowly and reaches seven "
    "tenths of it for one corner, nine tenths for two, at 1,000 episodes.",
    caption="Perfect optimisation on the same counts, five data sets (bands: 95% "
    "intervals). Which reward is learned hardly matters here. How its value "
    "is estimated matters a great deal.",
)

# %% [markdown]
# In a table the usual route beats LAEO. Not by its reward, and not because Q-iteration improves on the
# walkers: LAEO with *chained* futures asks the very question that LAEO asks, and is level with the two
# Q-learners. What costs LAEO a quarter of its success at 1,000 episodes is averaging whole recorded
# futures, which is noisy; the exact model, one greedy step ahead of aimless walkers, is as good as the
# optimum. (That recordings end after 50 steps costs nothing: with infinitely many of them LAEO is at 0.70
# and 0.80 too, computed outside this page.) If the paper's method has an advantage, it lies elsewhere. One
# place the paper names is robustness.
#
# ## Wrong snapshots
#
# Somebody was careless, and some of the twenty snapshots show random cells. The saturating classifier
# should suffer most. Take a cell that the recordings visit as often as the average one, $p(s)=1/68$. If
# one of twenty snapshots shows it, the best classifier says $D=\frac{1/20}{1/20+1/68}=0.77$, and if seven
# do, $0.96$: the one wrong snapshot pays four fifths of what seven right ones pay. The implicit reward,
# $p(s\mid e{=}1)/p(s)$, is in proportion, a seventh.

# %%
wrong_five = size.wrong.index(5)
kept = by_wrong[:, wrong_five] / by_wrong[:, 0]  # five wrong, over none
print(
    "kept with five wrong:",
    dict(zip(ways, kept.mean(axis=0).round(2).tolist(), strict=True)),
)
pays = {}
for name, snapshots in (("one", 1), ("seven", 7)):
    star = snapshots / 20
    pays[name] = star / (star + marginal.mean())
    print(
        f"{name} of 20 snapshots: classifier {pays[name]:.2f}, implicit "
        f"{star / marginal.mean():.1f}"
    )

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.0))
for w, (way, color) in enumerate(ways.items()):
    figures.band(
        ax,
        size.wrong,
        by_wrong[:, :, w],
        figures.COLORS[color],
        marker="o",
        markersize=4,
    )
    lift = {"ours": -6, "third": 6, "second": 0, "sixth": -2}[color]
    figures.direct_label(
        ax,
        size.wrong[-1],
        by_wrong[:, -1, w].mean(),
        way,
        figures.COLORS[color],
        (7, lift),
    )
ax.set(
    ylim=(0, 0.8),
    xlabel="wrong snapshots among twenty",
    ylabel="probability of success",
)
here.show(
    fig,
    alt="Probability of success against the number of wrong snapshots, from none to "
    "ten. The implicit reward with Q-iteration stays at the optimum. The "
    "classifier's reward falls from 0.7 to 0.3 and loses most of its lead over "
    "LAEO, which falls from 0.5 to 0.25.",
    caption="One corner, 1,000 recorded episodes, five data sets (bands: 95% "
    "intervals). With the same Q-iteration the implicit reward does not "
    "notice ten wrong snapshots; the classifier's reward does.",
)

# %% [markdown]
# So the implicit reward with Q-iteration is robust, and a reward from a classifier is not. But LAEO falls
# as well, although its reward is the implicit one. Is that noise? No: chained, without the noise, it falls
# just as much. It is the question asked: what would an *aimless* walker reach? A wrong snapshot next door
# is likelier for him than three right cells two rooms away. Q-iteration asks what the best walker would
# reach, and for him the corner pays most.
#
# ## Learned by gradient descent
#
# Now the contrastive critic itself, in two worlds. The first is the table, on 1,000 episodes and five data
# sets; both tasks are asked of the same critic. The second is the same four rooms as a *continuous* maze: a
# point with a noisy velocity, seen through one place cell a grid cell. The recordings are of people
# who head for random places, not for the corner, and stray in three moves of ten. Twenty snapshots show
# positions in the corner. All networks here are tables, or linear maps of the place cells. In the maze four
# methods compete:
#
# - **LAEO**, and **LAEO, mean of logs**: the same critic, with the two aggregates;
# - **classifier + Q**: a logistic classifier, then fitted Q-iteration on its probabilities;
# - **PU + Q**: the same with the positive-unlabelled classifier, told the right share of successes.
#
# **Cloning** at its best is the recorded behaviour. Critics and Q-learners have equal data, steps, batches
# and the same four step sizes, of which each keeps its best. The classifiers come on top, with as many
# steps and one step size, 0.03. No critic sees a snapshot while it learns.

# %%
from dataclasses import replace
from functools import partial

from goalward.baselines.reward_classifier import (
    PositiveUnlabelled,
    RewardClassifier,
    logistic,
)
from goalward.data import trajectories
from goalward.envs.point_maze import PointMaze
from goalward.evaluation.errands import Errands
from goalward.nets.action_heads import ActionHeadsCritic
from goalward.nets.critics import EmbeddingCritic
from goalward.nets.mlp import MLP
from goalward.training.loop import fresh_states, train
from goalward.training.together import Together

maze = PointMaze(rooms, speed=0.8, noise=0.1, horizon=horizon)
errands = Errands(maze)
is_done = jnp.asarray(done["one corner"], jnp.float32)
clock = (1 - gamma) * gamma ** np.arange(horizon)  # the chance to stop at each step
seeds, rates = size.seeds, (0.001, 0.003, 0.01, 0.03)
runs = seeds * len(rates)


@jax.jit
def record(key):
    keys = jax.random.split(key, 4)
    starts = jax.vmap(maze.reset)(jax.random.split(keys[0], seeds * size.walks))
    position, action = errands.record(starts, keys[1])
    corner = errands.centres[jax.random.choice(keys[2], jnp.array(near), (seeds, 20))]
    snapshot = corner + jax.random.uniform(
        keys[3], corner.shape, minval=-0.45, maxval=0.45
    )
    seen = errands.observe(position), action, is_done[maze.cell(position)]
    return *seen, errands.observe(snapshot)


def windows(states, actions):
    """Data of all seeds; each run, a seed and a step size, uses its seed's part."""
    data = trajectories.from_trajectories(states, actions)
    part = int(data.size) // seeds
    first = np.repeat(np.arange(seeds) * part, len(rates))
    return data.window(first, np.full(runs, part)), trajectories.window_axes(data)


places, moves, in_success, examples = map(np.asarray, record(jax.random.key(4)))
cloning = (in_success[:, 1:] @ clock).reshape(seeds, -1).mean(axis=1)
share = float(in_success[:, 1:].mean())
in_maze, axes = windows(places, moves)
walks = [counts[k, largest].walks for k in range(seeds)]
in_table, table_axes = windows(
    *(np.concatenate(part).astype(np.int8) for part in zip(*walks, strict=True))
)
snapshots = jnp.repeat(examples, len(rates), axis=0)

# %% [markdown]
# Six learners make two compiled programs: first the two critics and the two classifiers side by side,
# then Q-iteration on both learned rewards.

# %%
shared = {"gamma": gamma, "actor": None, "actions": n_actions}
model = LAEO(
    critic=EmbeddingCritic(n_states, n_actions), batch_size=size.table_batch, **shared
)
laeo = LAEO(
    critic=ActionHeadsCritic(n_actions, MLP((n_actions * 16,)), MLP((16,))),
    batch_size=size.batch,
    **shared,
)
plain, pu = (
    RewardClassifier(MLP((1,)), objective, size.batch)
    for objective in (logistic, PositiveUnlabelled(share))
)
q_iteration = fitted_q.FittedQ(
    MLP((n_actions,)), gamma, batch_size=size.batch, tau=0.01
)


def learn(name, learner, data, axes, step_sizes):
    """The parameters of all runs; step sizes of shape (runs,) or (runs, learners)."""
    key, number = jax.random.key(7), len(step_sizes)
    start = fresh_states(learner, data, key, number, axes)
    state, _ = train(
        learner, data, key, size.steps, seeds=number, data_axis=axes,
        states=start.replace(learning_rate=jnp.asarray(step_sizes, jnp.float32)),
        progress=here.progress(name),
    )  # fmt: skip
    return state.params


swept, fixed = np.tile(rates, seeds), np.full(runs, 0.03)
table_params, params, *judges = learn(
    "critics and classifiers",
    Together((model, laeo, plain, pu), own_data=True),
    (in_table, in_maze, (in_maze, snapshots), (in_maze, snapshots)),
    (table_axes, axes, (axes, 0), (axes, 0)),
    np.stack([swept, swept, fixed, fixed], axis=1),
)
rewards = jax.jit(jax.vmap(plain.reward, in_axes=(0, None)))
both = jnp.concatenate([rewards(judge, in_maze.observations) for judge in judges])
twice = in_maze.window(np.tile(in_maze.first, 2), np.tile(in_maze.size, 2))
q_params = learn("Q", q_iteration, (twice, both), (axes, 0), np.tile(swept, 2))

# %% [markdown]
# First the table. The step size is the one with which log-mean-exp has the best mean success in one
# corner.

# %%
everywhere = jnp.arange(n_states)
ratios_of = jax.jit(jax.vmap(lambda p: model.log_ratios(p, everywhere, everywhere)[0]))
logits = np.asarray(ratios_of(table_params), dtype=float)
logits = logits.reshape(seeds, len(rates), n_states, n_actions, n_states)


def asked_of_table(task, aggregate):
    """Success (seeds, step sizes) of the learned critics."""
    cells = [snapshots_of(task, k) for k in range(seeds)]
    return np.array(
        [
            [success(aggregate(f[..., cells[k]]), task) for f in logits[k]]
            for k in range(seeds)
        ]
    )


best_rate = asked_of_table("one corner", log_mean_exp).mean(axis=0).argmax()
print(f"step size {rates[best_rate]}")
learned = {}
for task in done:
    for name, aggregate in aggregates.items():
        learned[task, name] = asked_of_table(task, aggregate)[:, best_rate]
        print(f"{task:11s} {name:13s} success {learned[task, name].round(2)}")

# %% [markdown]
# Learned critics do worse than the exact one: 0.45 in place of 0.70 with one corner, where counting the same
# recordings had 0.51. With two corners the order is still that of the exact maps, 0.69 for log-mean-exp and
# 0.30 for the mean of logarithms.
#
# Now the point maze. Each policy is greedy, starts once in the centre of each cell, and is scored by the
# chance to be in success when the clock stops.


# %%
@jax.jit
def returns(which, params, q_params, snapshots):
    """Each run's success, by one of the aggregates or by the Q-learner's values."""

    def one(params, q_params, snapshots):
        ways = [
            partial(replace(laeo, aggregate=a).action_values, params)
            for a in aggregates.values()
        ]
        ways.append(lambda seen, _: q_iteration.q(q_params, seen))
        visited = errands.greedy(
            lambda seen: jax.lax.switch(which, ways, seen, snapshots), jax.random.key(5)
        )
        return jnp.mean(is_done[maze.cell(visited[:, 1:])] @ clock)

    return jax.vmap(one)(params, q_params, snapshots).reshape(seeds, len(rates))


rivals = [
    jax.tree.map(
        lambda leaf, half=half: leaf[half * runs : (half + 1) * runs], q_params
    )
    for half in range(2)
]
asked = {
    "LAEO": (0, rivals[0]),
    "LAEO, mean of logs": (1, rivals[0]),
    "classifier + Q": (3, rivals[0]),
    "PU + Q": (3, rivals[1]),
    "LAEO, best example": (2, rivals[0]),
}
sweeps = {
    name: np.asarray(returns(which, params, values, snapshots))
    for name, (which, values) in asked.items()
}
final = {name: sweep[:, sweep.mean(axis=0).argmax()] for name, sweep in sweeps.items()}
print(f"cloning            mean {cloning.mean():.2f}")
for name, values in final.items():
    best = rates[sweeps[name].mean(axis=0).argmax()]
    print(f"{name:18s} mean {values.mean():.2f} at {best}, each {values.round(2)}")

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.4))
lifts = {"LAEO": 4, "LAEO, mean of logs": -10, "classifier + Q": -4, "PU + Q": 6}
for name, color in zip(lifts, ("ours", "sixth", "second", "third"), strict=True):
    sweep = sweeps[name]
    figures.band(ax, rates, sweep, figures.COLORS[color], marker="o", markersize=4)
    label, end = name.replace(", ", ",\n"), sweep[:, -1].mean()
    figures.direct_label(
        ax, rates[-1], end, label, figures.COLORS[color], (8, lifts[name])
    )
ax.axhline(cloning.mean(), color=figures.COLORS["muted"], linestyle="--", linewidth=1)
figures.direct_label(
    ax, rates[0], cloning.mean(), "cloning", figures.COLORS["muted"], (0, 8)
)
ax.set(xscale="log", ylim=(0, 0.6), xlabel="step size", ylabel="probability of success")
ax.set_xticks(rates, rates)
ax.minorticks_off()
here.show(
    fig,
    alt="Probability of success in the point maze against step size, for LAEO with "
    "both aggregates and two learned rewards with fitted Q-iteration. Each reaches "
    "0.4 to 0.46 at its best step size; the bands overlap; cloning is a dashed line "
    "near zero.",
    caption="Point maze, one corner, five data sets (bands: 95% intervals). Each "
    "method keeps its best step size for the claims below.",
)

# %% [markdown]
# Twenty positions and no reward make a policy that succeeds far more often than the people who were
# recorded. LAEO needs no backup for that. The two Q-learners are level with it or a little above, and
# care less about the step size. So the paper's advantage over learned rewards does not show here. Much
# hangs on the initial weights and batches: on the same five data sets and at the same step size, three
# other draws of them give LAEO 0.22, 0.36 and 0.35 in place of 0.40 (computed outside this page).
#
# And there is a surprise. Asked of the *same* critics, the mean of logarithms, the wrong quantity, is
# above the right one at three of the four step sizes, and with each at its best it has 0.46 against 0.40,
# which is within the noise (0.36, 0.36 and 0.37 in the three other draws). In the exact task with one
# corner all aggregates agreed at 0.70. A guess: the learned critic errs, and an exponential lets the one
# example decide whose logit is overrated most, while a mean of twenty logits averages such errors away. If
# so, the aggregate that listens to the largest logit alone should do worst, and in the maze it does, with
# 0.28 (0.18, 0.27 and 0.23 in the other draws); in the table, where the critic errs too, the three are
# level. So the default of the public code may be a fair choice for one way to succeed and a rough critic.
# For several ways to succeed it is not.
#
# ## Play: how the snapshots are shared out, and how they are aggregated
#
# Twenty snapshots from the two corners, an exact model, three aggregates. Move some snapshots from one
# corner to the other.


# %% tags=["hide-input"]
def frame(name, upper):
    weights = np.repeat([(20 - upper) / 60, upper / 60], 3)
    cells, weights = np.array(near + far)[weights > 0], weights[weights > 0]
    scores = aggregates[name](exact_logits(cells), weights)
    fig, ax = plt.subplots(figsize=(4.2, 3.6))
    title = f"success in either corner {success(scores, 'two corners'):.2f}"
    draw_scores(ax, scores, cells, title)
    return fig


here.explore(
    {"aggregate": list(aggregates), "of 20 in the upper left": [0, 5, 10]},
    frame,
    alt=lambda name, upper: (
        f"Map of scores and greedy arrows for the aggregate {name} with {upper} of 20 "
        "snapshots in the upper left corner and the others in the lower right."
    ),
    start=(1, 2),
)

# %% [markdown]
# With the mean of logarithms, 5 of 20 snapshots in the upper left count for nothing: everybody goes to the
# lower right. An even split leaves most in the middle. With the log-mean-exp the border between the
# corners' regions moves a little from the one to the other.
#
# ## What the paper claims, checked
#
# The bounds marked "ours" come from a prototype with other code. Those of the comparisons with learned
# rewards come from the paper: better means a difference above zero. They were set before measuring.

# %% tags=["hide-input"]
exact_claim = {
    "paper": "exact",
    "bound": "<= 1e-8",
    "bound_from": "oracle",
    "kind": "exact",
}
here.claim(
    "probability",
    "The average ratio over success examples, times p(e=1), is the probability of "
    "success (largest relative difference, five random worlds)",
    measured=gaps["probability of success"],
    **exact_claim,
)
here.claim(
    "implicit_reward",
    "It is also the exact value of the reward (1-γ) p(s | e=1) / p(s) (largest "
    "relative difference)",
    measured=gaps["value of the implicit reward"],
    **exact_claim,
)
two, one = exact_success["two corners"], exact_success["one corner"]
exact_claim |= {"paper": "—", "bound_from": "prototype"}
here.claim(
    "nearly_optimal",
    "Exact model, two corners: success of log-mean-exp, over the optimum",
    measured=two["log-mean-exp"] / two["optimal"],
    **exact_claim | {"bound": "> 0.95"},
)
here.claim(
    "logarithm_inside",
    "Exact model, two corners: success of log-mean-exp, over that of the mean of logs",
    measured=two["log-mean-exp"] / two["mean of logs"],
    **exact_claim | {"bound": "> 2"},
)
here.claim(
    "one_corner_agrees",
    "Exact model, one corner: success of log-mean-exp, over that of the mean of logs",
    measured=one["log-mean-exp"] / one["mean of logs"],
    **exact_claim | {"bound": ("in [0.99, 1.01]")},
)
ours = {
    "paper": "—",
    "bound_from": "prototype",
    "kind": "statistical",
    "covers": "data and start",
}
here.claim(
    "learned",
    "Learned critic, one corner: success, as a multiple of cloning at its best (the "
    "recorded, aimless behaviour)",
    measured=learned["one corner", "log-mean-exp"] / one["aimless"],
    bound="> 4",
    null=1.0,
    **ours | {"paper": "better"},
)
last = by_episodes["one corner"][:, -1]
here.claim(
    "chaining_wins_in_a_table",
    "Counting the largest data set, one corner: success of classifier + Q minus that "
    "of LAEO",
    measured=last[:, 2] - last[:, 0],
    bound="> 0",
    null=0.0,
    **ours | {"covers": ("data and examples")},
)
papers = {"bound": "> 0", "bound_from": "paper", "null": 0.0}
here.claim(
    "robust",
    "Share of its success that a method keeps with five of twenty examples wrong: "
    "LAEO minus classifier + Q",
    measured=kept[:, 0] - kept[:, 2],
    **ours | papers | {"paper": "more robust", "covers": "data and examples"},
    reason=(
        "Both lose about four tenths, and the difference is within the noise of "
        "five data sets."
    ),
)
here.claim(
    "maze_cloning",
    "Point maze: LAEO minus cloning at its best",
    measured=final["LAEO"] - cloning,
    **ours | papers | {"paper": "better"},
)
why = (
    "The difference is within the noise of five data sets. That bootstrapping is easy "
    "in a small maze which the data cover, and hard on the paper's robots and images, "
    "is our guess, not tested."
)
here.claim(
    "maze_classifier",
    "Point maze: LAEO minus classifier + Q",
    measured=final["LAEO"] - final["classifier + Q"],
    **ours | papers | {"paper": "better"},
    reason=why,
)
here.claim(
    "maze_pu",
    "Point maze: LAEO minus positive-unlabelled classifier + Q",
    measured=final["LAEO"] - final["PU + Q"],
    **ours | papers | {"paper": "better"},
    reason=why,
)
here.conclude()

# %% [markdown]
# ## What differs from the paper
#
# 1. **Tasks.** Paper: simulated robot arms and a kitchen, from states and images. Here: four rooms, as a
#    table and as a point maze.
# 2. **Aggregate.** Public code: by default one random example for each state, hence the mean of
#    logarithms. Here: log-mean-exp over all examples; the mean is shown beside it.
# 3. **Policy.** Paper: a Gaussian actor with behaviour cloning (weight 0.5 in the example command). Here:
#    the best of five actions; the learner has the actor, and its tests train it.
# 4. **Critics.** Public code: two, of which the smaller score counts. Here: one (`ensemble=2` gives two).
# 5. **Weight of positives.** Public code: the plain mean over all pairs of a batch. Here: positives and
#    negatives weigh the same in total. The difference is one constant in every logit.
# 6. **Examples.** Public code: 200. Here: 20.
# 7. **Discount, networks, steps.** Public code: 0.99, two hidden layers of 1024, representations of 256
#    numbers, batches of 1024, 500,000 steps. Here: 0.95, tables and linear maps, and the sizes above.
# 8. **Baselines.** Ours; the positive-unlabelled one is told the true share of successes.
#
# What the toy does not show: success that depends on what a state does not reveal, images, and data so
# narrow that a learned reward is wrong where the policy goes.
#
# ## Scaling up
#
# The same chapter with ten seeds, larger batches and 25 times the steps (we have no recorded run of it
# yet):
#
# ```
# goalward run laeo --scale gpu
# ```
#
# On a robot `critic` becomes two towers and `actor` a tanh-Gaussian policy; the data are then a pair of
# recordings and examples. We could not recover the numbers of the paper's tables and print none.
#
# ## Exercises
#
# The assignment, 20 points, about 90 minutes:
#
# 1. **Score the examples** (easy, 15 minutes). Three aggregates, with shares, safe for large logits.
# 2. **From a classifier to a ratio** (easy, 15 minutes). Undo both kinds of classifier.
# 3. **The implicit reward** (medium, 30 minutes). The chance of success, from transitions and examples.
# 4. **Where the logarithms part** (hard, 30 minutes). Build the smallest world in which the two
#    aggregates choose differently.
#
# Work in [the exercise notebook](laeo_exercises.ipynb)
# that `make lab` puts beside this chapter. Each exercise has hints and a check cell, and shows
# a solution after an attempt. `goalward assignments check NOTEBOOK` says where you stand.
#
# ## Where to go from here
#
# - [Contrastive Value Learning](cvl.ipynb) is the same model with a known reward; this chapter is the case
#   where the reward is $p(s\mid e{=}1)/p(s)$.
# - [Contrastive RL](contrastive_rl.ipynb) is the case of a single example, the goal.
# - [Imitating past successes](imitating_past_successes.ipynb) looks at another way to use what worked, and
#   at how it fails.
# - Eysenbach, Levine, Salakhutdinov: *Replacing rewards with examples: example-based policy search via
#   recursive classification*, NeurIPS 2021: the same task with backups.
# - Fu, Singh, Ghosh, Yang, Levine: *Variational inverse control with events*, NeurIPS 2018.
# - Zolna et al.: *Offline learning from demonstrations and unlabeled experience*, 2020: positive-unlabelled
#   rewards.
