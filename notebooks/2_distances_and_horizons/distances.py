# %% [markdown]
# # Side by side: every distance of the part, on one maze
#
# **Eight ways to say how far it is, all from the same aimless walks. Which one is
# right, and which one would you follow?**
#
# The chapters of this part differ in what they call a distance. Here each gets the same
# recordings, a table in place of a network, and is run until hardly anything changes any
# more; what remains is the idea. An exact answer stands beside them.
#
# This page belongs to no paper. Read it after the part's chapters; it names the one
# that each piece comes from. Reading takes about 10 minutes, running a few seconds.
# Afterwards you can
#
# - say of each distance *whose* it is: the walker's, the best policy's, or an
#   optimist's;
# - tell an error of scale from an error of order, and which of them costs success;
# - choose what to repair first when an agent does not arrive.

# %%
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures

here = chapter.begin("distances")

# %% [markdown]
# ## The maze and the question
#
# OGBench's large maze has 46 free cells. There are four moves; one move in ten goes in
# a random direction, and bumping into a wall means staying. Stop a clock after each
# step with probability $1-\gamma$, where $\gamma=0.9$. With $H$ the time at which a
# policy $\pi$ first meets the goal $g$, the question is the **optimal successor
# distance**
#
# $$d^*(s,g)=\min_\pi\,-\log\mathbb E\big[\gamma^{H}\mid s\big],$$
#
# which [Temporal distances](temporal_distances.ipynb) derives. We divide it by
# $-\log\gamma$, so that its unit is one certain step. Value iteration gives it exactly.

# %%
from goalward.envs.ogbench_grids import MOVES, mazes
from goalward.methods import mqe, ogbench, tmd
from goalward.tabular import distances, mdp, paths, quasimetrics

maze, gamma, horizon = mazes()["large"], 0.9, 20
n_states, unit = maze.grid.states, -np.log(gamma)
P = 0.9 * maze.P + 0.1 * maze.P.mean(axis=1, keepdims=True)
aimless = mdp.uniform_policy(n_states, MOVES)
exact = distances.optimal_successor_distance(P, gamma) / unit
elsewhere = ~np.eye(n_states, dtype=bool)  # all pairs of different cells
goal = maze.tasks[0][1]

size = here.sizes(
    #         smoke         laptop                      gpu
    seeds=   (5,            5,                          20),
    walks=   ((100, 300),   (100, 300, 1_000, 3_000),   (100, 300, 1_000, 10_000)),
    sweeps=  (10,           60,                         200),
)  # fmt: skip

# %% [markdown]
# The recordings are aimless walks of 20 steps from anywhere. Much of the maze is never
# seen in one walk: that is what a distance has to piece together.
#
# ## Eight distances
#
# Each is a table $d((s,a),g)$ for acting and $d(s,g)$ to look at. $\hat P$ and
# $\hat\pi$ are what counting the walks says of the world and of the walker. Where a
# method has $d(s,g)$ alone (the walker by steps, both expectiles), $d((s,a),g)$ looks one
# step of $\hat P$ ahead and averages there: keep that in mind when they turn out well.
#
# | name | what it is | whose distance | chapter |
# |---|---|---|---|
# | counted futures | $-\log$ of the mean of $\gamma^H$ over visits; a goal not met before the walk ends counts 0 | the walker's, cut off | [contrastive RL](../1_predicting_the_future/contrastive_rl.ipynb), at its optimum |
# | with detours | the same, then no detour may be shorter | the walker's, pieced together | [temporal distances](temporal_distances.ipynb) |
# | walker, by steps | the exact distance of $\hat\pi$ in $\hat P$; what one-step and $n$-step SARSA both end at | the walker's | [SHARSA](sharsa.ipynb)'s value |
# | expectile 0.7 | $V\leftarrow$ the 0.7-expectile of $-1+\gamma V(s')$ over recorded next states, turned into steps | between walker and optimist | [HIQL](hiql.ipynb)'s value |
# | expectile 0.9 | the same with 0.9 | nearer to the optimist | |
# | MQE | backed up through a waypoint some steps ahead, $\lambda=0.8$, $p=0.2$, 16 sweeps (200 change its error by 0.2 of a step) | between walker and the best | [MQE](mqe.ipynb) |
# | TMD | one step, free choice of action, no detours; until nothing changes | the best policy's in $\hat P$ | [TMD](tmd.ipynb) |
# | shortest path | one step for every transition that was ever seen | the optimist's | quasimetric RL, see [TMD](tmd.ipynb) |
#
# **Predict before you run.** Which of them is nearest to $d^*$? Which is best to act
# on? Are these the same?
#
# <details><summary>Answer</summary>
#
# TMD is nearest, and good to act on. After it the question splits: the shortest path is
# the second nearest and, from 300 walks, the worst to follow; the walker's own distance
# is off by more than thirty steps and as good to follow as any.
#
# </details>

# %%


def in_steps(discounted):
    """A discounted probability of arriving, as a number of certain steps."""
    with np.errstate(divide="ignore"):
        return -np.log(np.maximum(discounted, 0.0)) / unit


def states_and_pairs(table):
    """d(s, g) and d((s, a), g) of a table over states and pairs, in steps."""
    pairs = table[n_states:, :n_states].reshape(n_states, MOVES, n_states)
    return table[:n_states, :n_states] / unit, pairs / unit


def all_distances(states, actions):
    """The eight, from one data set."""
    walked = tmd.count(states, actions, n_states, MOVES)
    counted = tmd.monte_carlo(states, actions, n_states, MOVES, gamma)
    yield "counted futures", states_and_pairs(counted)
    yield "with detours", states_and_pairs(paths.floyd_warshall(counted))

    arrive = distances.pair_hitting_transform(
        walked.P, walked.policy, gamma, start="next"
    )
    whole = distances.hitting_transform(walked.P, walked.policy, gamma)
    yield "walker, by steps", (in_steps(whole), in_steps(arrive))

    steps = walked.P * walked.tried[:, :, None]
    for kappa in (0.7, 0.9):
        V = ogbench.gcivl(steps, gamma, kappa)  # -(1 - gamma^d) / (1 - gamma)
        after = 1 + (1 - gamma) * (walked.P @ V)
        yield f"expectile {kappa}", (in_steps(1 + (1 - gamma) * V), in_steps(after))

    waypoints = mqe.empirical_operator(
        states, actions, n_states, MOVES, gamma, lam=0.8, p=0.2
    )
    arrived = np.exp(-counted[:n_states, :n_states])
    swept, q = mqe.sweeps(waypoints, arrived, 16)
    yield "MQE", (in_steps(swept[-1]), in_steps(q))

    table = counted
    for _ in range(size.sweeps):
        table = quasimetrics.sweep(table, walked.P, gamma)
    yield "TMD", states_and_pairs(table)
    yield "shortest path", states_and_pairs(tmd.shortest_paths(walked.P, gamma))


# %% [markdown]
# Each is judged twice. Its **error** is the mean of $|d(s,g)-d^*(s,g)|$ in steps over
# all pairs of different cells; what is unknown, or longer, counts as 60 steps, three
# times the longest way.
# Its **success** is $\mathbb E[\gamma^H]$ of the policy that takes the action of least
# $d((s,a),g)$, equally good ones sharing, as a share of the best possible; a linear
# solve gives it, no rollouts.


# %%
def success(pairs):
    return tmd.arrival(P, quasimetrics.greedy(pairs), gamma)[elsewhere].mean()


_, exact_pairs = states_and_pairs(tmd.optimal_distance(P, gamma))
best, aimless_success = success(exact_pairs), success(np.zeros_like(exact_pairs))
good_moves = quasimetrics.greedy(exact_pairs) > 0


def judge(states, pairs):
    """Error, error after the best rescaling, success, share of best moves."""
    d = np.minimum(states, 60.0)[elsewhere]
    scale = (d @ exact[elsewhere]) / (d @ d)
    right = (quasimetrics.greedy(pairs) * good_moves).sum(axis=2)[elsewhere].mean()
    return (
        np.abs(d - exact[elsewhere]).mean(),
        np.abs(scale * d - exact[elsewhere]).mean(),
        success(pairs) / best,
        right,
    )


judged, first = {}, {}
for seed in range(size.seeds):
    rng = np.random.default_rng(seed)
    walks = mdp.sample_trajectories(P, aimless, rng, max(size.walks), horizon)
    for n in size.walks:
        for name, found in all_distances(*(x[:n].astype(int) for x in walks)):
            judged.setdefault((name, n), []).append(judge(*found))
            if seed == 0 and n == 300:
                first[name] = found[0]
judged = {key: np.array(rows) for key, rows in judged.items()}
names = list(first)
print(f"best success {best:.3f}; walking aimlessly, {aimless_success / best:.2f} of it")

# %% tags=["hide-input"]
fig, panels = plt.subplots(3, 3, figsize=(6.4, 6.0))
shown = {"exact": exact, **first}
for ax, (name, table) in zip(panels.flat, shown.items(), strict=True):
    picture = maze.grid.image(np.minimum(table[:, goal], 60))
    drawn = figures.heatmap(ax, picture, vmin=0, vmax=60)
    title = name
    if name != "exact":
        error, _, share, _ = judged[name, 300].mean(axis=0)
        title = f"{name}\noff by {error:.1f}, success {share:.2f}"
    ax.set_title(title, fontsize=8.5)
    ax.plot(*maze.grid.cells[goal][::-1], "*", color="white", mec="black", ms=9)
fig.colorbar(
    drawn, ax=panels, shrink=0.6, label="steps to the star (60: unknown or longer)"
)
told = "; ".join(
    f"{n} {judged[n, 300][:, 0].mean():.1f} and {judged[n, 300][:, 2].mean():.2f}"
    for n in names
)
here.show(
    fig,
    alt="Nine maps of one maze, coloured by the distance of each cell to a starred "
    "goal "
    "in a corner. Mean error in steps and success for 300 walks: " + told + ".",
    caption="How far is it to the star? The exact answer and eight others from the "
    "same 300 walks of 20 steps (maps: first data set; numbers: means of five). On "
    "this scale, TMD and the shortest path look like the exact map; one of them is the "
    "worst to follow.",
    lead=True,
)

# %% [markdown]
# ## Near the truth, and of no use
#
# Put the two judgements against each other.

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.6))
places = {
    "walker, by steps": (0, 8), "MQE": (6, -12), "TMD": (4, -12),
    "expectile 0.7": (-6, -12), "expectile 0.9": (-6, -12), "with detours": (-6, -8),
    "counted futures": (-6, 6), "shortest path": (6, 0),
}  # fmt: skip
for name in names:
    x, _, y, _ = judged[name, 300].mean(axis=0)
    color = figures.COLORS["second" if name == "shortest path" else "ours"]
    ax.plot(x, y, "s" if name == "shortest path" else "o", color=color, ms=6)
    ha = {"walker, by steps": "center"}.get(
        name, "left" if places[name][0] >= 0 else "right"
    )
    figures.direct_label(ax, x, y, name, color, places[name], ha=ha)
ax.axhline(aimless_success / best, color="grey", ls="--", lw=1)
figures.direct_label(
    ax, 45, aimless_success / best, "aimless", "grey", (0, 5), ha="right"
)
ax.set(xscale="symlog", xlim=(0, 60), ylim=(0, 1.1))
ax.set_xticks([0, 1, 3, 10, 30], ["0", "1", "3", "10", "30"])
ax.minorticks_off()
ax.set(xlabel="mean error, steps", ylabel="success, share of the best")
here.show(
    fig,
    alt="Success against mean error, one mark a distance, 300 walks. Error and "
    "success: " + told + ".",
    caption="Left is near the truth, up is useful (300 walks, means of five data "
    "sets). The square is the shortest path: second nearest, and the last to follow.",
)

# %% tags=["hide-input"]
here.table(
    ("300 walks", "off by", "off by, rescaled", "success", "best move"),
    [
        (name, f"{e:.2f}", f"{r:.2f}", f"{s:.3f}", f"{m:.0%}")
        for name in names
        for e, r, s, m in [judged[name, 300].mean(axis=0)]
    ],
)

# %%
means = np.array([judged[name, 300].mean(axis=0) for name in names])
for column, what in ((0, "error"), (1, "error after rescaling"), (3, "best moves")):
    together = np.corrcoef(means[:, column], means[:, 2])[0, 1]
    print(f"over the eight, correlation of success with {what:22s} {together:6.2f}")

# %% [markdown]
# Over these eight, success does not go with the error, nor with the error after the best
# rescaling; it goes with the last column, how likely the chosen move is a best one. To
# act is to compare the actions of *one* cell with each other. The walker's distance is
# more than thirty steps too long on average, and its differences still point the right
# way.
#
# The shortest path is too short by less than a step, and points nowhere. Two
# explanations offer themselves. Perhaps that is too much after all, since
# neighbouring actions differ by less. Or the fault is not in $d(s,g)$ but in the step
# before it: $d((s,a),g)$ is judged by the best cell that $a$ was ever seen to lead to,
# and a random slip leads to any neighbour. Keep its $d(s,g)$ and average one step of
# $\hat P$ over it instead:


# %%
def averaged(n):
    """The shortest path's d(s, g), with the mean over next states, not the best."""
    found = []
    for seed in range(size.seeds):
        rng = np.random.default_rng(seed)
        walks = mdp.sample_trajectories(P, aimless, rng, max(size.walks), horizon)
        walked = tmd.count(*(x[:n] for x in walks), n_states, MOVES)
        d, pairs = states_and_pairs(tmd.shortest_paths(walked.P, gamma))
        found.append(
            [success(walked.P @ d), (quasimetrics.greedy(pairs) > 0).sum(axis=2).mean()]
        )
    return np.transpose(found)


repaired, tied = averaged(300)
repaired = repaired / best
print(f"shortest path: {tied.mean():.1f} of 4 moves are equally good on average")
print(f"the same d(s, g), one step averaged: success {repaired.mean():.3f}")

# %% [markdown]
# It is the second. With one averaged step the same distance is as good to follow as
# TMD's. Optimism about *states* costs less than a step here; optimism about *outcomes*
# costs the policy.
#
# ## With more walks

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.4))
drawn = ("counted futures", "with detours", "TMD", "shortest path")
tints = ("third", "fourth", "ours", "second")
marks = ("^", "v", "o", "s")
for name, tint, mark in zip(drawn, tints, marks, strict=True):
    rows = np.stack([judged[name, n][:, 2] for n in size.walks], axis=1)
    color = figures.COLORS[tint]
    figures.band(ax, size.walks, rows, color, marker=mark, ms=5)
    side = -8 if name == "with detours" else 4 * (name == "TMD")
    figures.direct_label(ax, size.walks[-1], rows[:, -1].mean(), name, color, (8, side))
ax.set(xscale="log", ylim=(0, 1.08), xlabel="recorded walks", ylabel="success")
ax.set_xticks(size.walks, [f"{n:,}" for n in size.walks])
ax.minorticks_off()
ends = "; ".join(
    f"{n} from {judged[n, size.walks[0]][:, 2].mean():.2f} "
    f"to {judged[n, size.walks[-1]][:, 2].mean():.2f}"
    for n in drawn
)
here.show(
    fig,
    alt="Success against the number of walks, four lines: " + ends + ".",
    caption="Success with more of the same walks (95% intervals over data sets). The "
    "shortest path, better than counted futures at 100 walks, gets worse: sooner or "
    "later every move has been seen to slip into every neighbour. An aimless walker "
    f"has {aimless_success / best:.2f}.",
)

# %% [markdown]
# ## Play: one distance at a time
#
# Choose a distance; the map shows it beside the exact one, the title the success over
# all pairs, for the first data set of 300 walks.


# %% tags=["hide-input"]
def frame(name):
    fig, (left, right) = plt.subplots(1, 2, figsize=(5.2, 2.6))
    for ax, table, title in (
        (left, exact, "exact"),
        (right, first[name], f"{name}: {judged[name, 300][0, 2]:.2f} of the best"),
    ):
        picture = maze.grid.image(np.minimum(table[:, goal], 60))
        figures.heatmap(ax, picture, vmin=0, vmax=60)
        ax.set_title(title, fontsize=9)
        ax.plot(*maze.grid.cells[goal][::-1], "*", color="white", mec="black", ms=9)
    return fig


here.explore(
    {"distance": names},
    frame,
    alt=lambda name: f"The exact map and {name}, first data set, 300 walks.",
    start=(0,),
)

# %% [markdown]
# ## Checked
#
# No paper makes this comparison; the bounds are directions that follow from what the
# operators are.

# %% tags=["hide-input"]
walks = mdp.sample_trajectories(P, aimless, np.random.default_rng(0), 300, horizon)
walked = tmd.count(*walks, n_states, MOVES)
optimum = distances.optimal_successor_distance(walked.P, gamma)
table = tmd.monte_carlo(*(x.astype(int) for x in walks), n_states, MOVES, gamma)
for _ in range(250):
    table = quasimetrics.sweep(table, walked.P, gamma)
optimist = tmd.shortest_paths(walked.P, gamma)[:n_states, :n_states]
here.claim(
    "tmd_is_optimal_in_the_counts",
    "TMD from 300 walks, 250 sweeps: largest distance to the exact optimum of the "
    "counted world, nats",
    paper="equal (Theorem 3)",
    measured=np.abs(table[:n_states, :n_states] - optimum).max(),
    bound="<= 1e-6", bound_from="paper", kind="exact",
)  # fmt: skip
here.claim(
    "shortest_path_is_below",
    "The shortest path is nowhere longer than the optimum of the counted world: "
    "largest excess, nats",
    paper="—",
    measured=max(0.0, (optimist - optimum).max()),
    bound="<= 1e-9", bound_from="oracle", kind="exact",
)  # fmt: skip
ours = {"paper": "—", "kind": "statistical", "covers": "data",
        "bound_from": "prototype", "bound": "> 0", "null": 0.0}  # fmt: skip


def column(name, k):
    return judged[name, 300][:, k]


here.claim(
    "near_but_useless",
    "300 walks: the shortest path is nearer to the truth than the walker's distance "
    "(steps)",
    measured=column("walker, by steps", 0) - column("shortest path", 0), **ours,
)  # fmt: skip
here.claim(
    "far_but_useful",
    "300 walks: the walker's distance is better to follow than the shortest path "
    "(share of the best success)",
    measured=column("walker, by steps", 2) - column("shortest path", 2), **ours,
)  # fmt: skip
here.claim(
    "detours_help",
    "300 walks: what the triangle inequality adds to counted futures (share of the "
    "best success)",
    measured=column("with detours", 2) - column("counted futures", 2), **ours,
)  # fmt: skip
here.claim(
    "averaging_repairs",
    "300 walks: what averaging one step adds to the shortest path (share of the best "
    "success)",
    measured=repaired - column("shortest path", 2), **ours,
)  # fmt: skip
here.conclude()

# %% [markdown]
# ## What this page does not show
#
# 1. **Networks.** Tables are run to their fixed points. What a network makes of the
#    same loss is another question; [Temporal distances](temporal_distances.ipynb)
#    trains small ones.
# 2. **Noise in the values.** Here a model is counted and every bootstrap is exact.
#    With noise that grows with distance, differences between actions drown:
#    [HIQL](hiql.ipynb) computes how fast, and what a hierarchy saves.
# 3. **Distances of representations.** [Horizon
#    generalization](horizon_generalization.ipynb), [CRTR](crtr.ipynb) and the networks
#    of [Stitching](stitching.ipynb) learn theirs by gradient descent; they are compared
#    in their chapters.
# 4. **Other walkers.** A walk without aim is kind to the walker's distance: its best
#    action is the best action. A walker with habits (in each cell shares drawn from a
#    Dirichlet of a half, mixed with a fifth of chance; computed outside this page, 300
#    walks, ten walkers) costs it 3% of the best success on average, and TMD 1.5%. Such
#    walks leave up to three of the 184 pairs of cell and move untried, where the walks
#    above leave none. The distances need a next cell for those too: we let them stay put.
#    Forbidding the untried moves when acting changes nothing. Much of the loss is theirs:
#    of the two walkers who tried everything, the walker's distance costs half a percent
#    and TMD 0.1%; with three pairs untried, 7% to 10% and 1% to 8%. [Imitating past
#    successes](../1_predicting_the_future/imitating_past_successes.ipynb) shows a
#    behaviour for which the walker's best action is not the best.
