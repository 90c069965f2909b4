# %% [markdown]
# # A folder of runs: what a few seeds can and cannot say
#
# **Some methods, some data sets, a few seeds each: who is better, and how sure can you
# be?**
#
# A benchmark leaves a folder of numbers behind, and a table of means hides most of what
# they say. This page reads such a folder, draws it, and says of each difference how far
# the seeds can carry it. It belongs to no paper; it holds the course's implementation
# of [OGBench](../5_scale_and_benchmarks/ogbench.ipynb)'s agents against the official
# one, and both against the published table.
#
# The next cell names the folder. What you see here are runs that come with the course.
# To analyse your own, name the folder that you gave to `goalward bench train … --out`
# (or one that holds several such folders) and run all cells; a run may still be going
# on. Reading takes about 20 minutes, running about 20 seconds. Afterwards you can
#
# - choose a statistic that one lucky goal does not decide;
# - put an interval around it that respects how the runs were made;
# - tell "no difference was found" from "there is no difference".

# %%
RUNS = "runs"  # beside this page; your own may be "../../runs"

# %%
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures

here = chapter.begin("analysis")

# %% tags=["hide-input"]
from goalward.bench.records import runs as recorded

SHORT = {"gcbc": "GCBC", "gcivl": "GCIVL", "gciql": "GCIQL", "qrl": "QRL", "crl": "CRL",
         "contrastive_rl": "CRL", "hiql": "HIQL", "td_infonce": "TD InfoNCE",
         "stable_contrastive_rl": "stable CRL", "c_learning": "C-learning",
         "temporal_distances": "CMD", "tmd": "TMD", "mqe": "MQE"}  # fmt: skip
dots = {}
for (side, method), by_env in recorded.by_method(
    recorded.load_runs(here.beside(RUNS), lambda line: None)
).items():
    env, run = next(iter(by_env.items()))
    dots.setdefault(env, {})[SHORT.get(method, method), side] = run.success[-1].mean(1)
env = max(dots, key=lambda name: len(dots[name]))
names = list(dict.fromkeys(name for name, _ in dots[env]))
fig, ax = plt.subplots(figsize=(6.4, 0.9 + 0.34 * len(names)))
for (name, side), rates in dots[env].items():
    ours = side == recorded.OURS
    y = names.index(name) + (-0.16 if ours else 0.16)
    color = figures.COLORS["ours" if ours else "second"]
    ax.plot(
        rates,
        np.full(len(rates), y),
        "o" if ours else "D",
        color=color,
        ms=6,
        alpha=0.6,
    )
ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
ax.set(xlim=(-0.03, 1), xlabel=f"success on {env.removesuffix('-v0')}")
handles = [
    plt.Line2D([], [], marker=m, color=figures.COLORS[c], lw=0, label=label)
    for m, c, label in (("o", "ours", "ours"), ("D", "second", "others"))
]
fig.legend(handles=handles, loc="outside upper left", ncols=2, labelcolor="linecolor")
told = "; ".join(
    f"{name} {side} {rates.min():.2f} to {rates.max():.2f}"
    for (name, side), rates in dots[env].items()
)
here.show(
    fig,
    alt=f"A dot for each seed of each method on {env}, success at the end: {told}.",
    caption="Every mark is a seed: the same method, data and settings, other luck. "
    "Which of these methods is better than which?",
)

# %%
size = here.sizes(
    #             smoke   laptop   gpu
    resamples=   (200,    5_000,   50_000),
    thresholds=  (21,     101,     101),
    explored=    (1,      12,      12),  # methods
)  # fmt: skip

# %% [markdown]
# ## What is there
#
# A *run* trains several *seeds* side by side: the same method on the same data, with
# other initial networks, other batches and other luck. From time to time each seed's
# policy is sent to the benchmark's five fixed *goals*, several episodes each; its
# *success* at a goal is the share of episodes that end there. So an evaluation is a
# small table, seeds by goals. Where seeds train side by side, an update of all of them
# counts as one. Runs of `goalward bench online` are read as well: there, what is counted
# is steps of the environments, all goals are one, and success is the share of episodes
# that ever reach theirs.

# %%
from goalward.bench.data.names import NAMES
from goalward.bench.records import runs as recorded

runs = recorded.by_method(recorded.load_runs(here.beside(RUNS)))
here.table(
    recorded.HEAD,
    recorded.table(r for by_env in runs.values() for r in by_env.values()),
)

# %% [markdown]
# Everything below compares the two sides of a method after the *same* number of
# updates: the last one at which both were evaluated; the next cell prints it. Where
# methods got different numbers of updates, what is said of two methods is said of these
# runs, not of who learns faster. Summaries over data sets use those that every method
# was trained on, on both sides, and no others; where there is none, they are left out.
#
# In the runs that come with the course the numbers differ. After 5,000 updates GCIVL
# and GCIQL rarely succeeded (0.02 ours, 0.13 and 0.14 official); a trial of ours with
# other seeds showed GCIVL to need 30,000, so both got that many on both sides, in place
# of the shorter runs. HIQL and QRL got 10,000. Updates per second in the table above
# were measured while other work shared the machine; "How fast", further below, has a
# fairer clock.

# %%
from goalward.evaluation import aggregate
from goalward.evaluation.intervals import interval

SHORT = {
    "gcbc": "GCBC",
    "gcivl": "GCIVL",
    "gciql": "GCIQL",
    "qrl": "QRL",
    "crl": "CRL",
    "contrastive_rl": "CRL",
    "hiql": "HIQL",
    "td_infonce": "TD InfoNCE",
    "stable_contrastive_rl": "stable CRL",
    "c_learning": "C-learning",
    "temporal_distances": "CMD",
    "tmd": "TMD",
    "mqe": "MQE",
}
found, twins = {}, {}
for (side, method), by_env in runs.items():
    for env, run in by_env.items():
        if run.seeds > 1:
            label = SHORT.get(method, method)
            found.setdefault((side, label), {})[env] = run
            twins.setdefault((label, env), []).append(run)
        else:
            print(
                f"{side} {method} on {env} has one seed, so no interval: left out below"
            )
if not found:
    raise ValueError(
        "no run has two seeds: train with --seeds 4, or again with another --seed"
    )

sides = list(dict.fromkeys(side for side, _ in found))
main = recorded.OURS if recorded.OURS in sides else sides[0]
rival = next((side for side in sides if side != main), None)
everywhere = dict.fromkeys(env for by_env in found.values() for env in by_env)
envs = sorted(everywhere, key=[*NAMES, *everywhere].index)
methods = [
    m
    for m in dict.fromkeys([*SHORT.values(), *(m for _, m in found)])
    if (main, m) in found
]
both = [m for m in methods if (rival, m) in found]
shared, lacking = aggregate.shared(found)
shared.sort(key=envs.index)
step = {
    cell: recorded.last_shared_step(sides_there) for cell, sides_there in twins.items()
}
units = " or ".join(
    dict.fromkeys(run.unit for runs in found.values() for run in runs.values())
)
hues = list(figures.COLORS.values())
color = {m: hues[i % len(hues)] for i, m in enumerate(methods)}


def at_end(side, method, env):
    """Success of each seed (rows) at each goal where the two sides are compared."""
    return found[side, method][env].at(step[method, env])


def scores(side, method, where=shared):
    """One table (seeds, goals) for each data set."""
    return [at_end(side, method, env) for env in where]


def plain(env):
    return env.removesuffix("-v0")


def told(estimate, digits=2):
    """An estimate and its interval."""
    middle, low, high = (f"{x:.{digits}f}".replace("-", "−") for x in estimate)
    return f"{middle} [{low}, {high}]"


print("compared after so many updates")
for env in envs:
    counts = [f"{m} {step[m, env]:,}" for m in methods if (m, env) in step]
    print(f"{plain(env)}: {', '.join(counts)}")
if lacking:
    print(
        "summaries use",
        ", ".join(map(plain, shared)) or "nothing: no data set has all methods",
    )
    print(*lacking, sep="\n")

# %% [markdown]
# ## Learning curves
#
# Look at curves before you look at any number. Do they still rise? Then the ranking is
# one of speed, not of what the methods would reach. Does one seed fall while the others
# rise? Then the mean is nobody's success. The bands are 95% Student intervals for the
# mean over seeds, wide because the seeds are few. In the runs that come with the course
# each line has two evaluations, and 16 of 24 still rise: more updates may change the
# order.

# %% tags=["hide-input"]
rows = -(-len(envs) // 2)
fig, panels = plt.subplots(
    rows, 2, figsize=(6.4, 2.5 * rows), sharey=True, squeeze=False
)
for ax in panels.flat[len(envs) :]:
    ax.set_visible(False)
for ax, env in zip(panels.flat, envs, strict=False):
    for m in methods:
        if env in found[main, m]:
            run = found[main, m][env]
            figures.band(
                ax, run.steps / 1000, run.success.mean(2).T, color[m], marker="o", ms=3
            )
    ax.set(title=plain(env), ylim=(0, 1), xlim=(0, None))
# Curves end at different places, so names stand above.
handles = [
    plt.Line2D([], [], color=color[m], marker="o", ms=3, label=m) for m in methods
]
fig.legend(
    handles=handles,
    loc="outside upper left",
    ncols=6,
    labelcolor="linecolor",
    handlelength=1,
    columnspacing=1.2,
)
fig.supxlabel(f"thousand {units}", fontsize=10.5)
fig.supylabel("success, mean over goals", fontsize=10.5)
best = {
    env: max((at_end(main, m, env).mean(), m) for m in methods if env in found[main, m])
    for env in envs
}
here.show(
    fig,
    alt=f"Learning curves with bands of {', '.join(methods)}, one panel a data set. At "
    "the end the "
    + "; ".join(
        f"highest on {plain(e)} is {m} with {v:.2f}" for e, (v, m) in best.items()
    )
    + ".",
    caption=f"Success while training ({main}): mean over seeds and goals, 95% "
    "intervals over seeds.",
)

# %% [markdown]
# ## One number for a method
#
# Many scores, one number: which? The mean is decided by whoever wins or loses
# everything. The median throws almost all scores away and jumps. The **interquartile
# mean** (IQM) is the mean of the middle half: sort all scores, of all seeds, goals and
# data sets, cut a quarter off at each end, average the rest. A score on the border
# counts in part. The **optimality gap** is how much is missing to full success on
# average. All three weigh each data set the same.
#
# For its interval, pretend that the seeds at hand are all the seeds there are, and run
# the benchmark again: draw as many seeds as there are, with replacement, *within each
# data set*, and compute the statistic anew; do this thousands of times; the middle 95%
# of what comes out is the interval. Two things matter. The drawing is *stratified*,
# because no rerun would turn a run on one maze into one on another. And a seed is drawn
# with all its goals, because they test one and the same policy.
#
# **Predict before you look.** With four seeds, is such an interval too wide or too
# narrow?
#
# <details><summary>Answer</summary>
#
# Too narrow. Draws from four values have three quarters of the variance of fresh seeds,
# because they are drawn around their own mean. In simulations with four data sets and
# Gaussian seeds, which this page does not run, intervals that are meant to contain the
# truth 95 times in 100 did so 85 to 89 times with four seeds, 90 to 93 times with 8,
# and 92 to 95 times with 16 and 32. Read the bars below as "at least this unsure".
# Student's interval, further below, has no such fault for Gaussian seeds, but works for
# means only.
#
# </details>


# %%
def missing(values, weights):
    return aggregate.optimality_gap(values, weights, 1.0)


statistics = {
    "IQM": aggregate.interquartile_mean,
    "mean": aggregate.mean,
    "optimality gap": missing,
}
summary = {
    key: {
        name: aggregate.stratified_interval(
            scores(*key), statistic, resamples=size.resamples
        )
        for name, statistic in statistics.items()
    }
    for key in found
    if shared
}
pairs = [side for side in (main, rival) if side]

# %% tags=["hide-input"]
look = {main: ("o", figures.COLORS["ours"]), rival: ("D", figures.COLORS["second"])}
shift = dict(zip(pairs, (-0.14, 0.14) if rival else (0.0,), strict=True))


def marks(ax, estimates, names, label=True):
    """A mark and a bar for each side of each method, the methods from top to bottom."""
    for side in pairs:
        marker, tint = look[side]
        for y, m in enumerate(names):
            if (side, m) in estimates:
                middle, low, high = estimates[side, m]
                ax.plot([low, high], [y + shift[side]] * 2, color=tint, lw=2.2)
                ax.plot(
                    middle,
                    y + shift[side],
                    marker,
                    color=tint,
                    ms=5.5,
                    mec="white",
                    mew=0.6,
                )
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    if label:
        ax.legend(
            handles=[
                plt.Line2D([], [], marker=look[s][0], color=look[s][1], lw=2.2, label=s)
                for s in pairs
            ],
            labelcolor="linecolor",
            ncols=2,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            borderaxespad=0,
        )


if not shared:
    print("no summary: no data set has runs of all methods")
else:
    fig, ax = plt.subplots(figsize=(6.4, 0.9 + 0.42 * len(methods)))
    marks(ax, {key: estimates["IQM"] for key, estimates in summary.items()}, methods)
    ax.set(
        xlim=(-0.02, 1),
        xlabel=f"interquartile mean of success, data sets: {len(shared)}",
    )
    here.show(
        fig,
        alt="Interquartile means with intervals: "
        + "; ".join(
            f"{m} {side} {told(summary[side, m]['IQM'])}"
            for m in methods
            for side in pairs
            if (side, m) in summary
        )
        + ".",
        caption="Where two bars hardly overlap, the seeds can tell the methods apart. "
        "Where they do, look at the difference itself, below: it has a smaller "
        "interval than the two bars suggest.",
        lead=True,
    )

# %% tags=["hide-input"]
if shared:
    here.table(
        ("method", "implementation", *statistics),
        [
            (m, side, *(told(summary[side, m][name]) for name in statistics))
            for m in methods
            for side in pairs
            if (side, m) in summary
        ],
    )

# %% [markdown]
# ## The whole distribution
#
# A single number cannot say whether a method solves half of the goals always or all of
# them half of the time. The **performance profile** can: for each threshold $\tau$, the
# share of seeds and goals with success above $\tau$. A profile that lies above another
# everywhere belongs to the better method by *every* statistic that rewards success;
# where two cross, the winner depends on what you ask. The area below a profile is the
# mean.

# %%
taus = np.linspace(0, 1, size.thresholds)
profiles = {
    (side, m): aggregate.profile_band(scores(side, m), taus, resamples=size.resamples)
    for side, m in found
    if shared
}

# %% tags=["hide-input"]
if not shared:
    print("no profiles: no data set has runs of all methods")
else:
    half = len(taus) // 2
    fig, panels = plt.subplots(
        1, len(pairs), figsize=(3.2 * len(pairs), 3.1), sharey=True, squeeze=False
    )
    for ax, side in zip(panels[0], pairs, strict=True):
        for m in methods:
            if (side, m) in found:
                middle, low, high = profiles[side, m]
                ax.plot(taus, middle, color=color[m], label=m, drawstyle="steps-post")
                ax.fill_between(
                    taus, low, high, color=color[m], alpha=0.18, lw=0, step="post"
                )
        ax.set(title=side, xlabel="threshold τ", xlim=(0, 1), ylim=(0, 1))
    panels[0, 0].set_ylabel("share above τ")
    panels[0, 0].legend(
        labelcolor="linecolor", handlelength=0.8, labelspacing=0.2, loc="upper right"
    )
    here.show(
        fig,
        alt="Falling curves, one a method: the share of seeds and goals above each "
        "threshold. Above one half: "
        + ", ".join(f"{m} {profiles[main, m][0][half]:.2f}" for m in methods)
        + ".",
        caption="Performance profiles with 95% bands, each threshold by itself. A "
        "curve that is flat in the middle belongs to a method that solves a goal "
        "always or never.",
    )

# %% [markdown]
# ## How often one beats the other
#
# The **probability of improvement** of X over Y: take a random goal, a random seed of X
# and one of Y; how often does X score higher? Ties count half. It is Mann and Whitney's
# statistic, averaged over goals and data sets, and says how *often*, not by how *much*:
# a method may beat another nearly always by nearly nothing.

# %%
beats = {}
for x in methods:
    for y in methods:
        both_have = [e for e in envs if e in found[main, x] and e in found[main, y]]
        where = shared or both_have
        if x != y and where:
            sides_of = ([at_end(main, m, env) for env in where] for m in (x, y))
            beats[x, y] = aggregate.improvement_interval(
                *sides_of, resamples=size.resamples
            )

# %% tags=["hide-input"]
grid = np.array(
    [[beats[x, y].mean if (x, y) in beats else 0.5 for y in methods] for x in methods]
)
if beats:
    width = 1.6 + 0.75 * len(methods)
    fig, ax = plt.subplots(figsize=(min(width, 6.4), 0.8 + 0.5 * len(methods)))
    figures.heatmap(ax, grid, cmap=figures.DIVERGING, vmin=0, vmax=1, aspect="auto")
    for (x, y), (p, low, high) in beats.items():
        ax.text(
            methods.index(y),
            methods.index(x),
            f"{p:.2f}",
            ha="center",
            va="center",
            fontsize=10,
            color="white" if abs(p - 0.5) > 0.3 else "black",
            weight="normal" if low <= 0.5 <= high else "bold",
        )
    ax.set_xticks(range(len(methods)), methods)
    ax.set_yticks(range(len(methods)), methods)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    clear = sum(low > 0.5 for _, low, _ in beats.values())
    here.show(
        fig,
        alt="Matrix of probabilities that the row's method scores higher than the "
        "column's. "
        + (
            "; ".join(
                f"{x} over {y} {p.mean:.2f}"
                for (x, y), p in beats.items()
                if p.low > 0.5
            )
            or "The seeds decide none"
        )
        + ".",
        caption=f"The row's method against the column's ({main}). Bold: the 95% "
        f"interval excludes one half; that holds for {clear} of {len(beats) // 2} "
        "pairs."
        + (
            ""
            if shared
            else " Each number is of the data sets that its two methods share."
        ),
    )
elif len(methods) > 1:
    print("no two methods have runs on the same data set: nothing to compare")
else:
    print("one method only: nothing to compare it with")

# %% [markdown]
# ## Goal by goal
#
# Before you explain a difference, find out where it comes from. Often two goals of five
# make it.

# %%
goals = max(
    run.success.shape[2] for by_env in found.values() for run in by_env.values()
)
lines = []
for m in methods:
    for env in envs:
        per_side = [
            at_end(s, m, env).mean(0) for s in pairs if env in found.get((s, m), {})
        ]
        if per_side:
            cells = [
                " | ".join(f"{x:.2f}" for x in goal)
                for goal in zip(*per_side, strict=True)
            ]
            cells += ["–"] * (goals - len(cells))
            lines.append(
                (m, plain(env), *cells, " | ".join(f"{x.mean():.2f}" for x in per_side))
            )
print("success" + (f": {main} | {rival}" if rival else ""))
here.table(
    ("method", "data set", *(f"goal {k + 1}" for k in range(goals)), "all"), lines
)

# %% [markdown]
# ## Side by side with the official implementation
#
# The same data files, network sizes, batches, step sizes and numbers of updates; only
# the code differs (pairs of runs of which this is not true are left out). If it does
# the same computation, the differences are luck, and 0 lies inside most of the
# intervals.
#
# Seeds of two implementations do not pair up, so the interval is Welch's: Student's t
# with the degrees of freedom that two unequal variances leave. Each says something
# about its own row. Of twenty such intervals one misses the truth on average, so a
# single row that excludes 0 is no news. Where no seed of either side ever differs from
# another (all zeros, say), there is no spread to make an interval of: such rows are
# marked and not counted. The last rows average each method's, and all.

# %%
pair_of = {
    (m, env): tuple(at_end(side, m, env).mean(1) for side in (main, rival))
    for m in both
    for env in envs
    if env in found[main, m]
    and env in found[rival, m]
    and not recorded.differing(found[main, m][env], found[rival, m][env])
}
varies = {
    cell: max(np.ptp(side) for side in pair) > 0 for cell, pair in pair_of.items()
}
differ = {cell: aggregate.difference_interval([pair]) for cell, pair in pair_of.items()}
of_method = {
    m: [pair for (name, _), pair in pair_of.items() if name == m]
    for m in both
    if any(name == m for name, _ in pair_of)
}
means = {m: aggregate.difference_interval(group) for m, group in of_method.items()}
if differ:
    overall = aggregate.difference_interval(list(pair_of.values()))


def zero(estimate):
    if estimate.low > 0:
        return "above 0"
    return "below 0" if estimate.high < 0 else "contains 0"


judged = [zero(d) for cell, d in differ.items() if varies[cell]]
inside = judged.count("contains 0")

# %% tags=["hide-input"]
if differ:
    table = [
        (
            m,
            plain(env),
            *(f"{x.mean():.2f}" for x in pair),
            told(differ[m, env]) if varies[m, env] else f"{differ[m, env].mean:.2f}",
            zero(differ[m, env]) if varies[m, env] else "no spread",
        )
        for (m, env), pair in pair_of.items()
    ]
    table += [
        (m, f"mean of {len(of_method[m])}", "", "", told(mean, 3), zero(mean))
        for m, mean in means.items()
    ]
    table.append(("all", "mean of the rows", "", "", told(overall, 3), zero(overall)))
    here.table(("method", "data set", main, rival, "difference", "its interval"), table)
    rows = [
        (f"{m} {plain(env).removeprefix('pointmaze-')}", d, m, varies[m, env])
        for (m, env), d in differ.items()
    ]
    rows += [(f"{m}, mean", d, m, True) for m, d in means.items()]
    rows.append(("mean of all", overall, "", True))
    fig, ax = plt.subplots(figsize=(6.4, 1.0 + 0.21 * len(rows)))
    for y, (_, (middle, low, high), m, spreads) in enumerate(rows):
        tint = color.get(m, figures.COLORS["exact"])
        if spreads:
            ax.plot([low, high], [y, y], color=tint, lw=2.2)
        shape = "D" if y >= len(differ) else "o" if spreads else "x"
        ax.plot(middle, y, shape, color=tint, ms=5)
    ax.axhline(len(differ) - 0.5, color=figures.COLORS["muted"], lw=0.8)
    ax.axvline(0, color=figures.COLORS["muted"], lw=1, ls="--")
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=9)
    ax.set(ylim=(len(rows) - 0.5, -0.5), xlabel=f"success, {main} − {rival}")
    here.show(
        fig,
        alt="Differences in success with intervals, one row a method and data set, "
        f"then means. {inside} of {len(judged)} intervals contain zero; "
        f"{len(differ) - len(judged)} without spread have none. Means: "
        + "; ".join(f"{m} {told(d, 3)}" for m, d in means.items())
        + f"; all {told(overall, 3)}.",
        caption=f"{main.capitalize()} − {rival} with 95% intervals: {inside} of "
        f"{len(judged)} contain 0. A cross has no spread, and so no interval. Wide "
        "intervals that contain 0 have found nothing. Below the line: each method's "
        "mean over data sets, and the mean of all.",
    )
else:
    print("one implementation only: nothing to put beside it")

# %% [markdown]
# The mean of all is the narrowest, and hides the most: a method that gains and one that
# loses cancel in it. In the runs that come with the course it is 0 to two digits, while
# HIQL's mean is 0.10 above and GCIVL's 0.08 below, each with an interval that just
# reaches 0. No row has shown that the two implementations are the same; what can be
# said is how large a difference each interval leaves open.
#
# ## Beside the published table
#
# The paper trains each agent on a million transitions, for a million updates with a
# step size of 0.0003, with networks of three layers of 512 units and batches of 1,024,
# evaluates with 50 episodes a goal, and reports means and standard deviations over 8
# seeds. **Compare the first table on this page**: our runs have less data, smaller
# networks and batches, and far fewer updates, so their numbers are not expected to be
# the paper's. What may be compared is the pattern: who can stitch, and who cannot. In
# the runs that come with the course that of CRL is missing on both sides: it scores no
# lower on pieces than on whole walks, with the official code as with ours. (The
# published numbers come from a transcription, as in the
# [chapter](../5_scale_and_benchmarks/ogbench.ipynb).)

# %% tags=["hide-input"]
COLUMNS = ("GCBC", "GCIVL", "GCIQL", "QRL", "CRL", "HIQL")
PAPER = {  # mean and standard deviation in %
    "pointmaze-medium-navigate-v0": (
        (9, 6),
        (63, 6),
        (53, 8),
        (82, 5),
        (29, 7),
        (79, 5),
    ),
    "pointmaze-large-navigate-v0": (
        (29, 6),
        (45, 5),
        (34, 3),
        (86, 9),
        (39, 7),
        (58, 5),
    ),
    "pointmaze-medium-stitch-v0": (
        (23, 18),
        (70, 14),
        (21, 9),
        (80, 12),
        (0, 1),
        (74, 6),
    ),
    "pointmaze-large-stitch-v0": ((7, 5), (12, 6), (31, 2), (84, 15), (0, 0), (13, 6)),
}
published = {
    env: dict(zip(COLUMNS, cells, strict=True)) for env, cells in PAPER.items()
}
known = [env for env in envs if env in published]
if known:
    rows = -(-len(known) // 2)
    fig, panels = plt.subplots(
        rows,
        2,
        figsize=(6.4, 0.5 + (0.7 + 0.3 * len(methods)) * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for ax in panels.flat[len(known) :]:
        ax.set_visible(False)
    for ax, env in zip(panels.flat, known, strict=False):
        measured = {
            (s, m): interval(at_end(s, m, env).mean(1))
            for (s, m), by_env in found.items()
            if env in by_env and m in methods
        }
        marks(ax, measured, methods, label=False)
        for y, m in enumerate(methods):
            if m in published[env]:
                middle, spread = (x / 100 for x in published[env][m])
                ax.errorbar(
                    middle,
                    y,
                    xerr=spread,
                    fmt="|",
                    ms=13,
                    mew=2,
                    lw=1,
                    zorder=0,
                    color=figures.COLORS["exact"],
                )
        ax.set(title=plain(env), xlim=(-0.03, 1))
    handles = [
        plt.Line2D([], [], marker=look[s][0], color=look[s][1], label=s) for s in pairs
    ]
    handles += [
        plt.Line2D([], [], marker="|", ms=11, mew=2, color="black", label="paper")
    ]
    fig.legend(
        handles=handles, loc="outside upper left", ncols=3, labelcolor="linecolor"
    )
    fig.supxlabel("success, mean over goals", fontsize=10.5)
    here.show(
        fig,
        alt="One panel a data set with the success of each method here, with "
        "intervals, and in the paper. "
        + "; ".join(
            f"{m} on {plain(env)}: {at_end(main, m, env).mean():.2f}, paper "
            f"{published[env][m][0] / 100:.2f}"
            for env in known
            for m in methods
            if m in published[env] and env in found[main, m]
        )
        + ".",
        caption="Small networks and few updates here, the paper's sizes there: "
        "coloured bars are 95% intervals for the mean, thin black ones the paper's "
        "standard deviation over seeds.",
    )
else:
    print("none of these data sets is in the table of point mazes")

# %% [markdown]
# ## How fast
#
# `goalward bench compare` times both implementations on one machine: the same data,
# networks and batches, a stretch of one, a stretch of the other, and again, so that
# whatever else the machine does falls on both. Compilation and evaluation are left out.
# A ratio is the mean over these turns, its interval says how much the turns differ;
# another machine may have another ratio.
#
# An update costs arithmetic, which no program avoids, and everything around it: drawing
# a batch, handing the work to the device, waiting. The official code does the latter
# anew for each update, on the host; ours keeps the data on the device and makes
# hundreds of updates in one go. Several seeds at once share what is left, and spread
# over a CPU's cores.
#
# **Predict before you look.** Does that pay more with small networks or with large
# ones?
#
# <details><summary>Answer</summary>
#
# With small ones, where the arithmetic is quick? For two of the six it clearly does
# (GCBC and QRL); GCIQL gains more at the larger; for the others the intervals of the
# two sizes overlap. "Small" is smaller than it seems: an update of GCIQL with 64 units
# and batches of 256 is 109 million additions and multiplications, 1.85 ms for one core
# of the machine used here that does nothing else (timed outside this page). That is 540
# updates a second for a core, of which ours makes 223: two fifths of its time is this
# arithmetic, and the rest is not. Four seeds side by side gain more there than our loop
# does. QRL gains most at either size; ours computes the same quasimetric with fewer
# operations.
#
# </details>

# %%
from goalward.bench.records import speeds

timed = speeds.load_speeds(here.beside(f"{RUNS}/speeds"))
here.table(speeds.HEAD, speeds.table(timed))

# %% tags=["hide-input"]
sizes = list(dict.fromkeys((s.batch, s.width) for s in timed))
names = [
    m
    for m in dict.fromkeys(SHORT.values())
    if any(SHORT.get(s.method) == m for s in timed)
]
if sizes:
    fig, panels = plt.subplots(
        1,
        len(sizes),
        figsize=(3.2 * len(sizes), 1.1 + 0.34 * len(names)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for ax, (batch, width) in zip(panels[0], sizes, strict=True):
        ax.axvline(1, color=figures.COLORS["muted"], lw=1, ls="--")
        alike = [
            s
            for s in timed
            if (s.batch, s.width) == (batch, width) and s.method in SHORT
        ]
        drawn = [(s, 1, "ours", "o", -0.14) for s in alike]
        drawn += [
            (s, s.most_seeds, "third", "s", 0.14) for s in alike if s.most_seeds > 1
        ]
        for s, seeds, tint, marker, aside in drawn:
            middle, low, high = s.times_official(seeds)
            y, tint = names.index(SHORT[s.method]) + aside, figures.COLORS[tint]
            ax.plot([low, high], [y, y], color=tint, lw=2.2)
            ax.plot(middle, y, marker, color=tint, ms=5.5, mec="white", mew=0.6)
        ax.set(
            title=f"batch {batch:,}, width {width}",
            yticks=range(len(names)),
            yticklabels=names,
            ylim=(len(names) - 0.5, -0.5),
        )
    most = max(s.most_seeds for s in timed)
    handles = [
        plt.Line2D([], [], marker="o", color=figures.COLORS["ours"], label="one seed")
    ]
    if most > 1:
        handles.append(
            plt.Line2D(
                [],
                [],
                marker="s",
                color=figures.COLORS["third"],
                label=f"{most} seeds, all updates counted",
            )
        )
    fig.legend(
        handles=handles, loc="outside upper left", ncols=2, labelcolor="linecolor"
    )
    fig.supxlabel(
        "updates per second: times the official implementation's", fontsize=10.5
    )
    here.show(
        fig,
        alt="How many times the official implementation's updates per second ours "
        "makes. "
        + "; ".join(
            f"{SHORT.get(s.method, s.method)} at batch {s.batch:,}: one seed "
            f"{told(s.times_official())}"
            for s in timed
        )
        + ".",
        caption="Right of the dashed line ours is faster. Bars: 95% intervals over "
        "repeats on one machine.",
    )
else:
    print(
        f"no comparison in {RUNS}/speeds: make one with `goalward bench compare … "
        "--out FILE.json`"
    )

# %% [markdown]
# ## Play: goal by goal while training
#
# One method at a time; a row a data set, a column a goal. Look for goals that are won
# and lost again.


# %% tags=["hide-input"]
def frame(m):
    drawn = [env for env in envs if env in found[main, m]][:4]
    height = 0.7 + 0.7 * len(drawn)
    fig, panels = plt.subplots(
        len(drawn),
        goals,
        figsize=(4.6, height),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="none",  # twenty panels in a grid need no solver
    )
    fig.subplots_adjust(
        0.05, 0.55 / height, 0.99, 1 - 0.25 / height, hspace=0.55, wspace=0.15
    )
    for line, env in zip(panels, drawn, strict=True):
        for side in pairs:
            if env in found.get((side, m), {}):
                run = found[side, m][env]
                few = slice(
                    None, None, 1 + len(run.steps) // 20
                )  # the frames stay small
                for ax, rates in zip(
                    line, np.moveaxis(run.success[few], 2, 0), strict=False
                ):
                    figures.band(
                        ax, run.steps[few] / 1000, rates.T, look[side][1], lw=1.3
                    )
        line[0].set_title(plain(env), fontsize=9.5)
    panels[0, 0].set(ylim=(-0.05, 1.05), yticks=(0, 1))
    names = ", ".join(
        f"{hue}: {side}" for hue, side in zip(("blue", "orange"), pairs, strict=False)
    )
    fig.supxlabel(f"thousand {units}; {names}", fontsize=9.5)
    return fig


here.explore(
    {"method": methods[: size.explored]},
    frame,
    alt=lambda m: (
        f"{m}: success at each goal while training. At the end "
        + ", ".join(
            f"{plain(e)} {at_end(main, m, e).mean():.2f}"
            for e in envs
            if e in found[main, m]
        )
    ),
)

# %% [markdown]
# ## Checked
#
# Three identities hold for any runs. The bounds of the other rows were set before there
# were any runs: that our implementation is not worse than the official one (the
# interval of the difference contains 0 or lies above it), that it is not worse by more
# than 0.05, a margin that *can* be missed by too few seeds, and two directions from the
# paper's table. Where many intervals are looked at together, they are widened
# (Bonferroni) so that all of them hold at once with 95% confidence. The last two rows
# are about speed on a CPU: never slower at the paper's sizes, and 2.5 times at small
# ones. Each is judged by the method with the lowest interval; a bound that holds for it
# holds for all.

# %%
area = 0.0
for key, by_env in found.items():
    values, weights = aggregate.pool(scores(*key, by_env))
    edges = np.unique([0.0, *values, 1.0])
    below = aggregate.performance_profile(values, weights, edges[:-1]) @ np.diff(edges)
    means_of = [table.mean() for table in scores(*key, by_env)]
    area = max(area, abs(below - np.mean(means_of)))
selves = [scores(*key, by_env) for key, by_env in found.items()]
even = max(abs(aggregate.improvement(own, own) - 0.5) for own in selves)
turned = [abs(p.mean + beats[y, x].mean - 1) for (x, y), p in beats.items()]
counted = [pair for cell, pair in pair_of.items() if varies[cell]]
behind = min((sum(map(len, pair)) for pair in counted), default=0)

# %% tags=["hide-input"]
exact = {"paper": "—", "bound_from": "oracle", "kind": "exact"}
here.claim(
    "area_is_the_mean",
    "The area below a performance profile is the mean success (largest deviation)",
    measured=area,
    bound="<= 1e-9",
    **exact,
)
here.claim(
    "one_of_two",
    "The probabilities of improvement of X over Y and of Y over X add up to one "
    "(largest deviation)",
    measured=max(turned, default=0.0),
    bound="<= 1e-9",
    **exact,
)
here.claim(
    "even_with_itself",
    "The probability of improvement of a method over itself is one half (largest "
    "deviation)",
    measured=even,
    bound="<= 1e-9",
    **exact,
)


def seeds(side, names, where):
    """Behind each difference: the seeds of both its sides, where there are fewest."""
    return 2 * min(found[side, m][e].seeds for m in names for e in where)


if counted and behind >= 5:
    drawn = {
        "kind": "statistical",
        "covers": "initialisation, batches",
        "paper": "—",
        "bound_from": "prototype",
        "seeds": behind,
    }

    def upper(groups):
        """The smallest upper end over groups of pairs, all together at 95%."""
        level = 1 - 0.05 / len(groups)
        low = min(aggregate.difference_interval(group, level).high for group in groups)
        return low, low, low

    here.claim(
        "as_good_overall",
        f"Success, {main} − {rival}, mean over methods and data sets: upper end of its "
        "95% interval (below 0 would mean worse)",
        interval=upper([list(pair_of.values())]),
        bound=">= 0",
        **drawn,
        reason="averaged over all rows the official implementation scores higher.",
    )
    here.claim(
        "as_good_by_method",
        "The same for each method's mean over data sets: the smallest upper end of "
        f"{len(of_method)}",
        interval=upper(list(of_method.values())),
        bound=">= 0",
        **drawn,
        reason="for one of the methods the official implementation scores higher.",
    )
    here.claim(
        "as_good_everywhere",
        "The same for each method on each data set: the smallest upper end of "
        f"{len(counted)} that have a spread",
        interval=upper([[pair] for pair in counted]),
        bound=">= 0",
        **drawn,
        reason="on one of the data sets the official implementation of one method "
        "scores higher.",
    )
    here.claim(
        "not_much_worse",
        f"Success, {main} − {rival}, mean over methods and data sets",
        interval=overall,
        bound=">= -0.05",
        **drawn,
        reason="the interval reaches below the margin: more seeds would tell.",
    )

stitch = [env for env in known if "stitch" in env]
whole = [env.replace("stitch", "navigate") for env in stitch]
short = "these runs are far shorter and smaller than the paper's."


def on_paper(method, where):
    """The paper's success, mean over data sets."""
    return round(np.mean([published[env][method][0] for env in where]) / 100, 2)


if (
    {"QRL", "CRL"} <= {*methods}
    and stitch
    and all(env in found[main, m] for env in stitch for m in ("QRL", "CRL"))
):
    here.claim(
        "distances_stitch",
        f"Success of QRL − CRL on the data sets to be stitched ({len(stitch)})",
        paper=f"{on_paper('QRL', stitch) - on_paper('CRL', stitch):.2f}",
        number=on_paper("QRL", stitch) - on_paper("CRL", stitch),
        bound="> 0",
        bound_from="paper",
        kind="statistical",
        covers="initialisation, batches",
        seeds=seeds(main, ("QRL", "CRL"), stitch),
        null=0.0,
        reason=f"QRL after {step['QRL', stitch[0]]:,} updates, CRL after "
        f"{step['CRL', stitch[0]]:,}; " + short,
        interval=aggregate.difference_interval(
            [
                tuple(at_end(main, m, env).mean(1) for m in ("QRL", "CRL"))
                for env in stitch
            ]
        ),
    )
if (
    "CRL" in methods
    and whole
    and all(env in found[main, "CRL"] for env in stitch + whole)
):
    here.claim(
        "monte_carlo_cannot_stitch",
        "Success of CRL on whole walks (navigate) − on pieces (stitch), same mazes",
        paper=f"{on_paper('CRL', whole) - on_paper('CRL', stitch):.2f}",
        number=on_paper("CRL", whole) - on_paper("CRL", stitch),
        bound="> 0",
        bound_from="paper",
        kind="statistical",
        covers="initialisation, batches",
        seeds=seeds(main, ("CRL",), stitch + whole),
        null=0.0,
        reason=short,
        interval=aggregate.difference_interval(
            [
                tuple(at_end(main, "CRL", env).mean(1) for env in two)
                for two in zip(whole, stitch, strict=True)
            ]
        ),
    )
for claim, (batch, width), bound, why in (
    (
        "never_slower",
        (1024, 512),
        ">= 1",
        "one of the methods is not clearly faster: at these sizes nearly all of an "
        "update is arithmetic, which both do.",
    ),
    (
        "faster_when_small",
        (256, 64),
        ">= 2.5",
        "we expected the loop around an update to be most of the official code's time, "
        "and of ours hardly any; it is neither. Several seeds at once get closer.",
    ),
):
    ratios = [s.times_official() for s in timed if (s.batch, s.width) == (batch, width)]
    repeats = sum(
        2 * len(s.official) for s in timed if (s.batch, s.width) == (batch, width)
    )
    if repeats >= 5:
        here.claim(
            claim,
            f"Updates per second with batches of {batch:,} and {width} units, {main} / "
            f"official, one seed: the least of {len(ratios)} methods",
            interval=min(ratios, key=lambda r: r.low),
            bound=bound,
            bound_from="prototype",
            paper="—",
            kind="statistical",
            covers="repeats on one machine",
            seeds=repeats,
            null=1.0,
            reason=why,
        )
here.conclude()

# %% [markdown]
# ## What these numbers do not say
#
# 1. **Other data.** All seeds train on the same file. The intervals say what other
#    seeds would do with it, nothing about another recording of the same maze, and
#    nothing about other mazes.
# 2. **Other settings.** Each method has the benchmark's own settings, which were tuned
#    at the paper's sizes. With smaller networks and fewer updates the ranking may be
#    one of robustness to that.
# 3. **No difference.** An interval around 0 is not a proof of equality. Look at how
#    wide it is: that is the difference that you cannot exclude.
# 4. **Looking often.** Whoever looks at forty intervals finds two, on average, that
#    exclude the truth. Decide before the runs which few you will judge by, as the
#    claims above do; treat the rest as questions for new seeds.
#
# ## Your own runs
#
# ```
# goalward bench collect --env pointmaze-medium-navigate-v0 --episodes 100 --out data
# goalward bench train gcbc --env pointmaze-medium-navigate-v0 --steps 4000 --seeds 4 \
#     --batch 256 --width 64 --log-every 500 --eval-every 1000 --eval-episodes 3 \
#     --data data/pointmaze-medium-navigate-v0.npz --out runs/gcbc
# ```
#
# leaves a folder in `runs` in about five minutes on a laptop; set `RUNS = "../../runs"`
# at the top. Give all methods the same `--eval-every`. Runs that differ in `--seed`
# only are joined, so seeds may be added later; the page refuses to mix runs of one
# method with other sizes. Compare methods with at least four seeds; ten are better, and
# cost little here: seeds of a run train side by side.
#
# ## References
#
# - Agarwal, Schwarzer, Castro, Courville, Bellemare: *Deep reinforcement learning at
#   the edge of the statistical precipice*, NeurIPS 2021, for the interquartile mean,
#   profiles, the probability of improvement and their stratified bootstrap.
# - Park, Frans, Eysenbach, Levine: *OGBench: benchmarking offline goal-conditioned RL*,
#   ICLR 2025.
# - [OGBench in tables](../5_scale_and_benchmarks/ogbench.ipynb), where the same agents
#   are exact and seeds are not needed.
