# %% [markdown]
# # Three rules turn anybody's distance into the best one
#
# *Vivek Myers, Bill Chunyuan Zheng, Benjamin Eysenbach, Sergey Levine: Offline Goal-conditioned
# Reinforcement Learning with Quasimetric Representations, 2025,
# [arXiv 2509.20478](https://arxiv.org/abs/2509.20478).*
#
# **You have watched somebody wander about. What is the best way, in a world where luck decides?**
#
# There are two ways to learn from recordings how far a goal is. You can look at whole recordings and
# see how long it took. That tells you how long *this wanderer* takes. Or you can
# put single steps together to a best way, with a maximum over actions at every step; where actions are
# continuous, that maximum has to be searched for. The method of this chapter, *temporal metric
# distillation* (TMD), starts with the first and is led to the answer of the second by three rules that
# every best distance obeys. None of the rules asks for a best action.
#
# You need [temporal distances](temporal_distances.ipynb), whose contrastive distance is where TMD
# starts, and tabular values from the [refresher](../0_start/refresher.ipynb). No network is
# trained: everything is a table. Reading takes about an hour, the code less than
# a minute. Afterwards you can
#
# - write down the three rules, and say what happens when one is missing;
# - say why a distance that starts too low is never repaired;
# - tell averaging over luck from hoping for the best of it, and say which part of a method does
#   which;
# - say where a loss whose pull does not fade with distance is needed, and what its safety clip costs.

# %%
from functools import partial

import numpy as np

from goalward.course import chapter

here = chapter.begin("tmd")

# %% [markdown]
# ## A world with slips and a gamble
#
# A five by five house with a few walls. There are four moves, and with probability 0.1 your foot
# slips and the move is a random one. The cell in the top right corner is a **teleporter**: whatever
# you do there, you come out in the bottom right corner with probability $\tfrac12$, the *luck*, and
# in the bottom left corner otherwise. The wanderer's habits $\beta(a\mid s)$ are random: in each cell
# other shares of the four moves, none below 2.5%. Sizes of what follows, for this run in the column
# with the mark:

# %%
from goalward.methods import tmd
from goalward.tabular import mdp, paths, quasimetrics
from goalward.tabular.grid import Grid

size = here.sizes(
    #            smoke            laptop                       gpu
    mdps=       (2,               5,                           50),
    seeds=      (5,               10,                          50),
    walks=      ((30, 100, 300, 900), (100, 300, 1000, 3000, 10_000),
                 (100, 300, 1000, 3000, 10_000, 30_000)),
    steps=      (20,              300,                         3000),
)  # fmt: skip
house = Grid.parse(".....\n.##..\n.....\n..##.\n.....")
S, A, discount = house.states, 4, 0.9
entry, lucky, unlucky = (house.index(*c) for c in ((0, 4), (4, 4), (4, 0)))
away = ~np.eye(S, dtype=bool)


def world(luck=0.5, slip=0.1):
    P = house.P[:, :A]
    P = (1 - slip) * P + slip * P.mean(axis=1, keepdims=True)
    P[entry] = 0.0
    P[entry, :, lucky], P[entry, :, unlucky] = luck, 1 - luck
    return P


def habits(seed):
    return 0.025 + 0.9 * np.random.default_rng(seed).dirichlet([0.7] * A, size=S)


P, beta = world(), habits(0)

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from goalward.course import figures
from goalward.course.figures import COLORS

MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])


def draw_map(ax, d, title):
    """Distance to the lucky exit in certain steps, and the move of the least one."""
    steps = d[:S, lucky] / -np.log(discount)
    figures.heatmap(
        ax, house.image(np.minimum(steps, 30)), title, vmin=0, vmax=30, cmap="YlGnBu"
    )
    chosen = tmd.greedy(d, S)[:, lucky]
    for s, (row, col) in enumerate(house.cells):
        ink = "white" if steps[s] > 17 else "black"
        ax.text(col, row - 0.23, f"{steps[s]:.0f}", color=ink, ha="center", va="center",
                fontsize=8.5)  # fmt: skip
        if s in (entry, lucky):
            ax.text(col, row + 0.22, "T" if s == entry else "★", color=ink, ha="center",
                    va="center", fontsize=8.5, weight="bold")  # fmt: skip
            continue
        if chosen[s].max() < 0.3:  # all four are equally good
            ax.text(col, row + 0.22, "?", color=ink, ha="center", va="center",
                    fontsize=8.5)  # fmt: skip
            continue
        for (down, right), share in zip(MOVES, chosen[s], strict=True):
            if share > 0:
                ax.annotate(
                    "",
                    (col + 0.3 * right, row + 0.2 + 0.24 * down),
                    (col - 0.12 * right, row + 0.2 - 0.1 * down),
                    arrowprops={"arrowstyle": "->", "color": ink, "lw": 1.0},
                )


_start = tmd.behaviour_distance(P, beta, discount)
_rules = (
    partial(quasimetrics.action_invariance, n_states=S),
    partial(quasimetrics.one_step_backup, P=P, gamma=discount),
    paths.floyd_warshall,
)
fig, panels = plt.subplots(1, 3, figsize=(6.4, 2.35))
for _ax, _d, _title in zip(
    panels,
    (_start, tmd.iterate(_start, _rules, 5)[-1], tmd.shortest_paths(P, discount)),
    ("the wanderer's", "after five sweeps of TMD", "with luck every time"),
    strict=True,
):
    draw_map(_ax, _d, _title)
here.show(
    fig,
    alt="Three maps of the house with a number and an arrow in each cell, and a star "
    "in the bottom right corner. Left, numbers up to 41, and some arrows that make "
    "detours; middle, at most 8, and arrows straight to the star or to the teleporter "
    "in the top right corner; right, at most 6, and a question mark for an arrow.",
    caption="How far to the star, in units of one certain step, for three distances, "
    "and the move that each calls best. T is the teleporter. Right: the shortest way "
    "over anything that ever happens; a slip may happen after every move, so all four "
    "moves look the same (?).",
    lead=True,
)

# %% [markdown]
# ## What the wanderer's distance knows
#
# Let $H$ be the number of steps until $g$ is first met, and let a clock stop after each step with
# probability $1-\gamma$ (here $\gamma=0.9$). The chance of getting there before the clock stops is
# $\mathbb E[\gamma^H]$; its negative logarithm is the **successor distance**, in nats:
#
# $$d^\beta(s,g)=-\log\mathbb E_\beta[\gamma^H\mid s],\qquad
# d^\beta((s,a),g)=-\log\mathbb E_\beta[\gamma^H\mid s,a].$$
#
# With the best policy for each goal in place of $\beta$ it is the **optimal distance** $d^*$, which
# is what we want. Where nothing is random, $d^*$ is $-\log\gamma$ times the number of steps; so
# $d/(-\log\gamma)$ reads as "that many certain steps", the unit of the maps. A contrastive critic
# fits $d^\beta$ from whole recordings, as [temporal distances](temporal_distances.ipynb) shows.
#
# We put states *and* pairs of state and action into one table: $d(x,y)$ where $x$ and $y$ may each
# be a state or a pair. To hit a pair $(g,a)$ is to reach $g$ and then to choose $a$ there, so
# $d^\beta(x,(g,a))=d^\beta(x,g)-\log\beta(a\mid g)$. With 21 states and 84 pairs the table has 105
# rows and columns.
#
# A **quasimetric** obeys the triangle inequality $d(x,z)\le d(x,y)+d(y,z)$: no detour is shorter. A
# network built as a quasimetric imposes it on whatever it fits.
#
# **Predict before you run.** Take the wanderer's exact table, and shorten it by every detour there
# is until no detour is shorter. By how much do the distances between states fall?
#
# <details><summary>Answer</summary>
#
# Not at all. Whoever goes to $y$ first and from there to $z$ has arrived at $z$ at the latest when
# that is done, so a wanderer's own distance is a quasimetric already. The triangle inequality can
# mend errors of an *estimate*; it cannot make a wanderer walk better. A claim below checks it.
#
# </details>
#
# ## Three rules
#
# The optimal distance obeys three rules that the wanderer's does not all obey. Make each an operator
# that enforces it.
#
# 1. **Choosing is free.** You can take any action at once, so from a state to its own pair it is no
#    way at all. *Action invariance*: $\;\mathcal I(d)(s,(s,a))=0$.
# 2. **One step, then on.** What an action leads to is an average over next states, of the chance of
#    arrival $e^{-d}$ and not of $d$ itself, and costs one step:
#    $\;\mathcal T(d)((s,a),y)=-\log\mathbb E_{P(s'\mid s,a)}\big[e^{-d(s',y)}\big]-\log\gamma$.
# 3. **No detour is shorter.** *Closure*: $\;\mathcal P(d)(x,z)=\min_y d(x,y)+d(y,z)$, repeated until
#    nothing changes, $\mathcal P^*$. The $y$ runs over states and pairs.
#
# No rule speaks of a best action. But put the first into the third, with $y=(s,a)$:
#
# $$d(s,g)\;\le\;d(s,(s,a))+d((s,a),g)\;=\;d((s,a),g)\quad\text{for every }a.$$
#
# In words: a state is as near as its nearest action. The minimum over actions is a triangle. That
# is why TMD needs no maximum of its own: the metric, which a network can have built in, takes it.
#
# The paper's Theorem 3: if $\beta$ tries every action everywhere, then
# $(\mathcal P^*\circ\mathcal T\circ\mathcal I)^n\,d^\beta\to d^*$, also where outcomes are random.
# The argument is a squeeze. Each operator keeps order (larger tables in, nowhere smaller tables out),
# and a sweep leaves $d^*$ as it is. So a start that lies between $d^*$ and "infinitely far" stays between
# $d^*$ and what the sweeps make of "infinitely far". The latter falls to $d^*$: its chances of arrival
# rise from zero at least as fast as in value iteration. And $d^\beta$ does lie above $d^*$: nobody is faster than the best. A start
# below $d^*$ is not covered; keep that in mind.
#
# ## By hand, then the library
#
# Three states. In 0 you may walk (to 1, certainly) or gamble (to 2 with probability ½, else you stay).
# In 1 you may walk on to 2 or back to 0. In 2 everything leads back to 0. One sweep, with loops, from
# the distance of who tosses a coin:

# %%
from inspect import getsource

tiny = np.zeros((3, 2, 3))  # P[s, a, s']: action 0 walks, action 1 gambles
tiny[0, 0, 1] = tiny[1, 0, 2] = tiny[1, 1, 0] = tiny[2, :, 0] = 1.0
tiny[0, 1, [0, 2]] = 0.5
coin = mdp.uniform_policy(3, 2)
d = before = tmd.behaviour_distance(tiny, coin, discount)


def pair(s, a):
    return 3 + 2 * s + a


d = d.copy()
for s in range(3):  # I: choosing is free
    for a in range(2):
        d[s, pair(s, a)] = 0.0
backed = d.copy()
for s in range(3):  # T: one step, then on
    for a in range(2):
        for y in range(9):
            if y != pair(s, a):
                mean = sum(tiny[s, a, x] * np.exp(-d[x, y]) for x in range(3))
                backed[pair(s, a), y] = -np.log(mean) - np.log(discount)
d, changed = backed, True
while changed:  # P*: no detour is shorter
    shorter = np.array([[min(d[x] + d[:, z]) for z in range(9)] for x in range(9)])
    changed = not np.allclose(d, shorter, rtol=0, atol=1e-15)
    d = shorter

assert np.allclose(d, quasimetrics.sweep(before, tiny, discount), atol=1e-12)
ends = tmd.iterate(before, [partial(quasimetrics.sweep, P=tiny, gamma=discount)], 60)
for name, table in {
    "coin": before, "one sweep": d, "60 sweeps": ends[-1],
    "optimal": tmd.optimal_distance(tiny, discount),
    "luck every time": tmd.shortest_paths(tiny, discount),
}.items():  # fmt: skip
    walk, gamble = np.exp(-table[[pair(0, 0), pair(0, 1)], 2])
    print(
        f"{name:>15}: arrival at 2 from 0 by walking {walk:.4f}, gambling {gamble:.4f}"
    )

# %%
for part in (quasimetrics.one_step_backup, quasimetrics.backup, quasimetrics.sweep):
    print(getsource(part))

# %% [markdown]
# Walking arrives with $\gamma^2=0.81$. Gambling solves $h=\gamma(\tfrac12+\tfrac12h)$, so
# $h=0.818$: a little better. Sixty sweeps find both. The last line is the **shortest way over
# whatever may happen**: it says that the gamble arrives in one step, 0.9. That is the distance that
# quasimetric RL (QRL) fits: the largest quasimetric in which every recorded step costs at most one
# step. Where nothing is random it is exact.
#
# ## Each rule is needed
#
# Back to the house. We run the sweeps with all rules, and with one left out. Two rivals join: value
# iteration from the same start, which takes the minimum over actions itself and has no closure; and
# TMD without the wanderer's distance, from "infinitely far".

# %%
exact, start = (
    tmd.optimal_distance(P, discount),
    tmd.behaviour_distance(P, beta, discount),
)
nowhere = np.where(np.eye(len(start)) > 0, 0.0, np.inf)


def rules(P, left_out="", closure=paths.floyd_warshall, gamma=discount):
    operators = {
        "I": partial(quasimetrics.action_invariance, n_states=len(P)),
        "T": partial(quasimetrics.one_step_backup, P=P, gamma=gamma),
        "P": closure,
    }
    return [operator for name, operator in operators.items() if name != left_out]


def value_iteration(d):
    backed = quasimetrics.one_step_backup(d, P, discount)
    nearest_action = backed[S:].reshape(S, A, -1).min(axis=1)
    backed[:S] = np.minimum(d[:S], nearest_action)
    return backed


def error(d, to=exact):
    return np.abs(d - to)[:S, :S][away].max()


over_states = partial(tmd.closure_over_states, n_states=S)
runs = {
    "all three rules": tmd.iterate(start, rules(P), 40),
    "without T": tmd.iterate(start, rules(P, "T"), 40),
    "without I": tmd.iterate(start, rules(P, "I"), 40),
    "without P": tmd.iterate(start, rules(P, "P"), 40),
    "P over states only": tmd.iterate(start, rules(P, closure=over_states), 40),
    "value iteration": tmd.iterate(start, [value_iteration], 40),
    "TMD from nowhere": tmd.iterate(nowhere, rules(P), 40),
}
errors = {name: [error(d) for d in tables] for name, tables in runs.items()}
looks = [1, 2, 3, 5, 10, 20, 40]
here.table(
    ["largest error after", *map(str, looks)],
    [[name, *(f"{e[n]:.2g}" for n in looks)] for name, e in errors.items()],
)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.4))
for _name, _color, _dash, _x, _y, _text in (
    ("all three rules", "ours", "-", 11, 1e-9, "all three rules"),
    ("TMD from nowhere", "sixth", "--", 11, 5e-11, "dashed: from nowhere"),
    ("value iteration", "fourth", "-.", 24, 1e-3, "value iteration"),
    ("without T", "fifth", ":", 24, 0.12, "without T"),
    (
        "without I",
        "second",
        "-",
        9,
        20.0,
        "without I, without P, or P over states only",
    ),
):
    _curve = np.where(np.isfinite(errors[_name]), errors[_name], np.nan)
    ax.semilogy(_curve, _dash, color=COLORS[_color])
    ax.text(_x, _y, _text, color=COLORS[_color], va="center")
ax.set(xlabel="sweeps", ylabel="largest error, nats", ylim=(1e-13, 100))
here.show(
    fig,
    alt="Largest error on a logarithmic axis against sweeps. With all three rules it "
    "falls steadily to below 1e-12 after 40 sweeps; started from nowhere it runs just "
    "above; value iteration stays above 1 for seven rounds and ends a thousand times "
    "higher. "
    "Without T it stays at 0.86, without I or P at 5.8.",
    caption="Largest error of the distance between states. Every rule is needed: "
    "without *I* or *P* the wanderer's distance stays as it is (three lines in one), "
    "without *T* it falls once.",
)

# %% [markdown]
# *Without $\mathcal I$* a state and its actions are joined only by the wanderer's habits;
# *without $\mathcal P$* nothing carries news from pairs to states. Either way the states' rows keep
# the wanderer's numbers, however long one waits. The same happens if detours may only lead over
# states, as the paper's definition of $\mathcal P$ is printed: the triangle that takes the minimum
# goes over a pair, so the proof needs pairs. *Without $\mathcal T$* there is one improvement, by the
# best detours through first actions, and then nothing more.
#
# Two things look like the method's merit and are not. The wanderer's distance as a start is here worth
# less than one sweep: after one sweep more, the run from nowhere is nearer, at every point of the
# curve. (In sixty random worlds, not run here, it is worth two to eight sweeps.) And the lead over value iteration is bought: a sweep closes a table of 105 rows, about a
# million additions, where a round of value iteration for 21 goals takes 37,000. What the closure
# buys is reach: in one sweep news travels along whole chains of pairs. In a table TMD is a long way
# round to the answer of value iteration; its point is a network, into which the closure is built.
#
# %%
assert all(
    later < earlier
    for later, earlier in zip(
        errors["TMD from nowhere"][2:], errors["all three rules"][1:], strict=False
    )
)

# %% [markdown]
# ### A start that is too low stays too low
#
# States' rows only fall. What if the start is an estimate, with errors in both directions? We add
# noise to each entry of the wanderer's table, and sweep it 60 times.

# %%
noisy = {}
for sigma in (0.1, 0.3, 1.0):
    for name, sign in (("upwards only", np.abs), ("both ways", np.array)):
        ends = []
        for seed in range(5):
            noise = sign(np.random.default_rng(seed).normal(size=start.shape)) * sigma
            begin = np.maximum(start + noise, 0) * (1 - np.eye(len(start)))
            end = tmd.iterate(begin, rules(P), 60)[-1]
            arrived = tmd.arrival(P, tmd.greedy(end, S), discount)[away].mean()
            ends.append((error(end), arrived))
        noisy[sigma, name] = np.mean(ends, axis=0)
here.table(
    ["noise, nats", *(f"{n}: {w}" for n in ("upwards only", "both ways")
                      for w in ("error", "arrival"))],
    [[f"{s}", *(f"{x:.3f}" for n in ("upwards only", "both ways")
                for x in noisy[s, n])] for s in (0.1, 0.3, 1.0)],
)  # fmt: skip

# %% [markdown]
# Noise upwards is gone in the end; noise downwards is there for good. (*Arrival* is the chance
# $\mathbb E[\gamma^H]$ of the greedy policy, averaged over all pairs of start and goal; the optimum is
# 0.662, a uniform policy gets 0.154.) This is about tables, where nothing pulls a state's row up. A
# network's distance may rise again; whether it does is not tested here.
#
# ## From walks
#
# Now forget $P$ and $\beta$. We have walks of ten steps from random cells, and count: $\hat P$,
# $\hat\beta$, and the **Monte Carlo** estimate $\hat d^\beta((s,a),g)$, in which $e^{-d}$ is the mean
# of $\gamma^H$ over the visits of $(s,a)$, zero where the walk ended before it met $g$. Every distance
# is acted on greedily, $\arg\min_a d((s,a),g)$, ties shared, and its arrival is computed exactly.
#
# | name | the table |
# | --- | --- |
# | Monte Carlo | $\hat d^\beta$: what the critic of contrastive RL (CRL) fits |
# | Monte Carlo, closed | $\mathcal P^*\hat d^\beta$: the same in a quasimetric network, contrastive metric distillation (CMD) |
# | TMD | 20 sweeps on $\hat P$ from $\hat d^\beta$ |
# | shortest, best outcome | QRL's distance; an action is as good as its best recorded outcome |
# | shortest, average outcome | the same distance between states, actions judged by $\mathcal T$, the average |
#
# Each seed draws other habits and other walks.


# %%
def tables_from(states, actions):
    """Every table that we compare, from the same walks."""
    counts = tmd.count(states, actions, S, A)
    measured = tmd.monte_carlo(states, actions, S, A, discount)
    shortest = tmd.shortest_paths(counts.P, discount)
    _, step, closed = ops = rules(counts.P)
    return {
        "Monte Carlo": measured,
        "Monte Carlo, closed": closed(measured),
        "TMD": tmd.iterate(measured, ops, 20)[-1],
        "shortest, best outcome": shortest,
        "shortest, average outcome": step(shortest),
        "shortest, common outcomes": tmd.shortest_paths(
            np.where(counts.P > 0.2, counts.P, 0.0), discount
        ),
        "Monte Carlo, average outcome": step(measured),
        "TMD, one sweep": tmd.iterate(measured, ops, 1)[-1],
        "TMD from nowhere": tmd.iterate(nowhere, ops, 20)[-1],
        "TMD without T": tmd.iterate(measured, rules(counts.P, "T"), 1)[-1],
        "TMD without I": tmd.iterate(measured, rules(counts.P, "I"), 20)[-1],
        "TMD without P": tmd.iterate(measured, rules(counts.P, "P"), 20)[-1],
    }


def arrives(policy):
    """The chance of arrival, averaged over all pairs of start and goal."""
    return tmd.arrival(P, policy, discount)[away].mean()


def scores(n, length):
    """Arrival of each table's greedy policy over that of the best, a value a seed."""
    best = arrives(tmd.greedy(exact, S))
    found = []
    for seed in range(size.seeds):
        walks = mdp.sample_trajectories(
            P, habits(seed), np.random.default_rng([seed, n, length]), n, length
        )
        tables = tables_from(*walks)
        found.append(
            {name: arrives(tmd.greedy(d, S)) / best for name, d in tables.items()}
        )
        found[-1]["bias"] = (tables["TMD"] - exact)[:S, :S][away].mean()
    return {name: np.array([f[name] for f in found]) for name in found[0]}


by_walks = {n: scores(n, 10) for n in size.walks}

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.8))
for _name, _color, _dash, _x, _y in (
    ("TMD", "ours", "o-", 1.0, 1.0),
    ("shortest, average outcome", "third", "s--", 1.25, 0.865),
    ("Monte Carlo, closed", "fourth", "^-", 1.05, 0.745),
    ("Monte Carlo", "second", "v-", 20.0, 0.815),
    ("shortest, best outcome", "fifth", "D-", 4.8, 0.475),
):
    _curve = np.array([by_walks[n][_name] for n in size.walks]).T
    figures.band(ax, size.walks, _curve, COLORS[_color], ls=_dash[1:], marker=_dash[0])
    ax.text(_x * size.walks[0], _y, _name, color=COLORS[_color], va="center")
ax.axhline(0.154 / 0.662, color=COLORS["muted"], lw=0.8, ls=":")
ax.text(size.walks[0], 0.18, "a uniform policy", color=COLORS["muted"], va="top")
ax.set(
    xscale="log", xlabel="walks of ten steps", ylabel="arrival / best", ylim=(0, 1.1)
)
here.show(
    fig,
    alt="Arrival over the best possible against the number of walks, five curves. TMD "
    "and the shortest way judged by average outcomes start above 0.9 and are near one "
    "from the second point; Monte Carlo rises slowly, its closed version above it; "
    "the shortest way judged by best outcomes falls to the line of a uniform policy.",
    caption="More walks help everybody except who hopes for the best outcome (orange "
    "diamonds): sooner or later every slip has been seen after every move. The same "
    "distance between states is fine once actions are judged by their average (green "
    "squares).",
)

# %% [markdown]
# TMD is at the optimum from a few hundred walks on. Monte Carlo is not, even
# from 10,000. Why? Three suspects, and one table to question them: the same 10,000 steps, cut into walks
# of other lengths.

# %%
lengths = (1, 10, 100)
by_length = {n: scores(10 * size.walks[2] // n, n) for n in lengths}
rows = [name for name in by_length[10] if name != "bias"]
here.table(
    ["arrival / best, walks of", *(f"{n} steps" for n in lengths)],
    [[name, *(f"{by_length[n][name].mean():.3f}" for n in lengths)] for name in rows],
)


# %%
def truncated(length, beta):
    """The Monte Carlo estimate from infinitely many walks of this length."""
    chain, share = mdp.state_transitions(P, beta), np.full(S, 1 / S)
    within, met = [], np.eye(S)
    for _ in range(length):
        within.append(discount * P @ met)  # [s, a, g], one step more allowed each time
        met = np.einsum("sa,sag->sg", beta, within[-1])
        np.fill_diagonal(met, 1.0)
    total, visits = 0.0, 0.0
    for left in reversed(within):  # the first step of a walk has most steps left
        total = total + share[:, None, None] * left
        visits, share = visits + share, share @ chain
    d = nowhere.copy()
    with np.errstate(divide="ignore"):
        d[S:, :S] = -np.log(total / visits[:, None, None]).reshape(-1, S)
    return d


best = arrives(tmd.greedy(exact, S))
for name, make in {
    "infinitely many walks of ten steps": lambda pi: truncated(10, pi),
    "infinitely many, never cut off": lambda pi: tmd.behaviour_distance(
        P, pi, discount
    ),
}.items():
    each = [arrives(tmd.greedy(make(habits(k)), S)) for k in range(size.seeds)]
    print(f"{name}: arrival / best {np.mean(each) / best:.3f}")
walks = mdp.sample_trajectories(P, beta, np.random.default_rng(0), 1000, 10)
visits = np.quantile(tmd.count(*walks, S, A).tried, [0, 0.1, 0.5])
print("visits of a pair in 1000 walks, least, 10%, half:", visits.round().astype(int))
print(f"shortest ways, error: {error(tmd.shortest_paths(P, discount)):.3f} nats")
bias = [f"{by_walks[n]['bias'].mean():.4f}" for n in size.walks[1:]]
print(f"TMD minus the optimum, mean, from {size.walks[1:]} walks: {', '.join(bias)}")
lost = [(w["TMD"] - w["TMD without T"]).mean() for w in by_walks.values()]
print(f"lost without T, from {size.walks} walks: {', '.join(f'{x:.3f}' for x in lost)}")
for sharp in (10, 30, 100):
    soft = [
        np.swapaxes(beta[..., None] * np.exp(-sharp * d[S:, :S].reshape(S, A, S)), 1, 2)
        for d in (start, exact)
    ]
    drawn = [arrives(p / p.sum(axis=2, keepdims=True)) / best for p in soft]
    print(f"drawn, sharpness {sharp}: wanderer {drawn[0]:.3f}, optimal {drawn[1]:.3f}")

# %% [markdown]
# *It is the wanderer's distance, not the best one?* That costs little here: greedy actions on the exact
# $d^\beta$ arrive nearly as often as the best (second line). *The walks are cut off after ten steps?*
# No: infinitely many such walks would do as well (first line). What is left is **noise**: in 1,000 walks
# the rare pairs are visited a few times only (third line), and a small difference between actions
# drowns. (With uniform habits as many walks give 0.94; not run here.) With more walks Monte Carlo does
# rise. What helps sooner is one $\mathcal T$ on top of it, which averages over next states (its row in
# the table), or the closure, which helps most where walks are short. At length 1 a walk is one step, Monte Carlo knows neighbours alone, and closing it finds
# most ways. That is *stitching* by the triangle inequality.
#
# And QRL? Its distance between states is below $d^*$, by a quarter of a nat at most, and with averages
# over outcomes it loses hardly anything in any column. What ruins it is choosing by the best outcome:
# a threshold that admits only outcomes with a share above 0.2 (*common outcomes*) repairs it too, for
# who knows that slips are rarer. So in this house TMD and QRL differ not because the distance is
# optimistic, but because the *action* is judged by hope. (It is judged so in a quasimetric over states
# and pairs. QRL with a learned model of the next state, as in OGBench, need not judge so.) Where the
# distance itself misleads is near the teleporter: make luck rare in the explorer below, and look who
# still walks to it.
#
# TMD has an error of its own: a least detour over noisy numbers is too small on average, as every
# minimum of estimates is. The bias is printed above; it is small here, and shrinks with data.
#
# Finally the ablations. In walks too, every rule is needed (the last three rows). What is lost without
# $\mathcal T$ depends on the data (printed above): two to four hundredths from few walks, 0.003
# from 1,000, where $\mathcal I$ and the closure do most of the work, and more again from 10,000. The
# Monte Carlo start is not needed: *from nowhere* ends at the same table. (From ten walks of 100 steps, not run
# here, the start is too low in places, by 0.03 nats.)
#
# One more thing the scores hide: every policy here is greedy. Drawn in proportion to
# $\beta(a\mid s)\,e^{-\lambda d((s,a),g)}$, with the same sharpness $\lambda$, the *exact optimal* table arrives less often than
# the wanderer's (last lines) until $\lambda$ is large, because its distances differ less between actions, a
# fifth as much on average (scaled up to match, it is ahead from $\lambda=10$ on; not run here). Who
# compares distances by soft policies compares their scale.
#
# ## Which loss teaches a network an average of probabilities?
#
# A network cannot be told $\mathcal T$; it has to be pulled there by samples. Let $d$ be the distance
# to learn and $d'$ that from the next state, plus $-\log\gamma$, a constant target. The paper's loss is
#
# $$D_T(d,d')=e^{d-d'}-d.$$
#
# Its mean over random $d'$ is least at $d=-\log\mathbb E[e^{-d'}]$ (set the derivative
# $e^{d}\,\mathbb E[e^{-d'}]-1$ to zero): the average that $\mathcal T$ asks for, from one sample a
# time. So are those of two familiar losses on probabilities $p=e^{-d}$ and $p'=e^{-d'}$, the squared
# error $(p-p')^2$ and the binary cross entropy $-p'\log p-(1-p')\log(1-p)$. The squared error of
# distances, $(d-d')^2$, is not: it finds the mean of $d'$, which is another number. The three differ
# in how hard they pull:


# %%
def d_t(d, target, linear_beyond=3.0):
    gap = d - target
    return np.where(
        gap > linear_beyond, 1.0, np.exp(np.minimum(gap, linear_beyond)) - 1
    )


def squared(d, target):
    p, q = np.exp(-d), np.exp(-target)
    return -2 * p * (p - q)


def cross_entropy(d, target):
    p, q = np.exp(-np.maximum(d, 1e-6)), np.exp(-target)
    return q - (1 - q) * p / (1 - p)


class Plain:
    def __call__(self, slope):
        return slope


class Adam:  # the usual optimiser: each slope divided by its own recent size
    def __init__(self):
        self.mean, self.square, self.n = 0.0, 0.0, 0

    def __call__(self, slope):
        self.n += 1
        self.mean = 0.9 * self.mean + 0.1 * slope
        self.square = 0.999 * self.square + 0.001 * slope**2
        size = np.sqrt(self.square / (1 - 0.999**self.n)) + 1e-8
        return self.mean / (1 - 0.9**self.n) / size


def descend(slope, optimiser, rate, steps, target=10.0):
    d, step = np.array([1.0, 5.0, 15.0]), optimiser()
    for _ in range(steps):
        d = np.maximum(d - rate * step(slope(d, target)), 0.0)
    return d


losses = {"D_T": d_t, "squared": squared, "cross entropy": cross_entropy}
ways = {
    "plain, 0.1": (Plain, 0.1, 400),
    "plain, 1": (Plain, 1.0, 400),
    "plain, 1, 4000 steps": (Plain, 1.0, 4000),
    "Adam, 1": (Adam, 1.0, 400),
    "Adam, 1, 4000 steps": (Adam, 1.0, 4000),
}
ends = {
    name: {way: descend(loss, *how) for way, how in ways.items()}
    for name, loss in losses.items()
}
here.table(
    ["target 10: ends from 1, 5, 15", *ways],
    [[name, *(" / ".join(f"{x:.2f}" for x in e) for e in row.values())]
     for name, row in ends.items()],
)  # fmt: skip

# %% [markdown]
# $D_T$ arrives from everywhere. The other two stay far off with plain steps: at $d=15$ and $d'=10$ both
# probabilities are below a ten-thousandth, and so is their slope. Adam, which divides each slope by its
# own recent size, repairs much of that, for one number at a time: given 4000 steps, the cross entropy
# arrives from everywhere, the squared error not from 1. (So does the cross entropy with plain steps of
# 100, given 40,000; not run here. But then near distances overshoot.)
#
# In formulas: at its minimum $D_T$ has curvature $e^{d-d'}=1$ *at every distance*; the squared error has
# $2e^{-2d'}$, the cross entropy $e^{-d'}/(1-e^{-d'})$. One step size fits all distances in the
# first case only. So the loss should matter where distances in nats are long. To see whether that is
# all, we learn the house's whole table: in place of $\mathcal T$, one step of gradient descent on the
# pairs' rows, between $\mathcal I$ and $\mathcal P^*$. Shorter discounts make the same house longer, in
# nats. Every loss gets the same four step sizes, and its best one is drawn. A second house has a
# teleporter without luck: it always leads to the same exit.


# %%
def learn(name, rate, gamma, steps, P):
    """How far off each distance is after so many steps of a loss in place of T."""
    d, (free, _, closed) = tmd.behaviour_distance(P, beta, gamma), rules(P)
    weights = P.reshape(-1, S)
    for _ in range(steps):
        d = free(d)
        pairs, ahead = d[S:, :S], d[:S, :S] - np.log(gamma)
        if name == "D_T":  # the mean over next states of the loss of each
            # the authors' clip of 3 counts before the step is added
            each = d_t(pairs[:, None], ahead[None], 3 + np.log(gamma))
            slope = np.einsum("rx,rxg->rg", weights, each)
        else:
            slope = losses[name](pairs, -np.log(weights @ np.exp(-ahead)))
        d[S:, :S] = np.maximum(pairs - rate * slope, 0.0)
        d = closed(d)
    return np.abs(d - tmd.optimal_distance(P, gamma))[:S, :S]


gammas, rates = (0.9, 0.6, 0.3), (0.1, 0.3, 1.0, 3.0)
farthest, farthest_without_luck = (
    [tmd.optimal_distance(Q, g)[:S, :S].max() for g in gammas]
    for Q in (P, world(luck=1.0))
)


def largest_errors(P):
    return {
        name: np.array(
            [[learn(name, r, g, size.steps, P).max() for r in rates] for g in gammas]
        )
        for name in losses
    }


taught, taught_without_luck = largest_errors(P), largest_errors(world(luck=1.0))
for name in ("squared", "cross entropy"):
    off = learn(name, rates[taught[name][-1].argmin()], gammas[-1], size.steps, P)
    s, g = np.unravel_index(off.argmax(), off.shape)
    print(f"{name}: off by {off.max():.2f} from {house.cells[s]} to {house.cells[g]}")

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.3))
_d = np.linspace(0.3, 17, 200)
for _name, _color, _dash in (
    ("D_T", "ours", "-"),
    ("squared", "second", "--"),
    ("cross entropy", "fourth", "-."),
):
    left.semilogy(_d, np.abs(losses[_name](_d, 10.0)), _dash, color=COLORS[_color])
    right.plot(
        farthest, taught[_name].min(axis=1), _dash, marker="o", color=COLORS[_color]
    )
    right.plot(
        farthest_without_luck, taught_without_luck[_name].min(axis=1), ls=":", lw=1,
        marker="s", mfc="white", color=COLORS[_color],
    )  # fmt: skip
for _x, _y, _text, _color in (
    (1.2, 4.0, "D_T", "ours"),
    (10.4, 4e-4, "cross entropy", "fourth"),
    (0.4, 3e-7, "squared", "second"),
):
    left.text(_x, _y, _text, color=COLORS[_color])
left.set(
    xlabel="d, where the target is 10", ylabel="size of the slope", ylim=(1e-11, 90)
)
for _text, _x, _y, _color in (
    ("squared", 6.4, 0.42, "second"),
    ("cross\nentropy", 10.2, 0.3, "fourth"),
    ("without luck", 10.2, 0.085, "muted"),
    ("D_T", 4.0, -0.045, "ours"),
):
    right.text(_x, _y, _text, color=COLORS[_color], ha="right")
right.set(
    xlabel="longest optimal distance, nats",
    ylabel=f"largest error, {size.steps} steps",
    ylim=(-0.07, 0.85),
)
here.show(
    fig,
    alt="Left: size of the slope against d for a target of 10. That of D_T is about 1 "
    "up to a dip to zero at 10, rises to 20 at 13 and is 1 beyond; those of the "
    "squared error and the cross entropy fall exponentially with d. Right: error "
    "against longest distance. All three are near zero at 0.9 nats; at 10 nats D_T is "
    "still at zero, the others between 0.6 and 0.7. Dotted lines, without luck, stay "
    "below 0.1.",
    caption="Left: only *D_T* pulls at every distance (beyond 13 the clip holds it at "
    "1). Right: the house at three discounts, each loss at its best of four step "
    "sizes. With long distances only *D_T* learns the table; but where the teleporter "
    "knows no luck (dotted, squares) every loss nearly does.",
)

# %% [markdown]
# Long distances are not all it takes. Without luck every loss gets within a tenth of a nat, also at
# eleven nats: the closure puts long ways together from short legs, and short legs every loss learns. (In a
# corridor of 40 cells with slips, ten nats long at $\gamma=0.8$, all three losses are exact to four
# digits; not run here.) What no detour can put together is an *average over outcomes that are all far*.
# That is the teleporter (or slips: at 0.5 without luck the rivals are 0.43 and 0.25 off, not run here).
# The largest error of both rivals is on the way from it to a cell far from both
# exits, and it is close to $\log2=0.69$, the price of counting one exit in place of two.
#
# Stretched budgets: at $\gamma=0.3$ step sizes up to 1000 bring the squared error to 0.65 and the cross
# entropy nowhere (not run here). With ten times as many steps (not run here) the squared error still is 0.68 off
# there and the cross entropy 0.21. And every loss is lost with a step size of 3 at $\gamma=0.9$:
# one step below the truth, and the table never comes back.
#
# ### What the safety clip costs
#
# $e^{d-d'}$ overflows where $d$ is far above $d'$. So the authors' code replaces the loss by $d-d'$
# itself where that is more than 3 (the library's `linex` does the same; it is the loss's name in
# statistics, linear on one side and exponential on the other). Harmless? Let an action lead to the goal at once
# with some luck, and else to a place 10 nats away.

# %%
import jax
import jax.numpy as jnp

from goalward.losses.distances import linex

grid_d, grid_target = np.meshgrid(np.linspace(0, 15, 40), [0.0, 4.0, 10.0])
by_library = jax.jit(jax.vmap(jax.grad(partial(linex, linear_beyond=3.0))))(
    jnp.array(grid_d.ravel()), jnp.array(grid_target.ravel())
)
assert np.allclose(by_library, d_t(grid_d, grid_target).ravel(), rtol=1e-4, atol=1e-5)


def clipped_end(luck, begin, linear_beyond):
    d, chances, targets = begin, np.array([luck, 1 - luck]), np.array([0.0, 10.0])
    for _ in range(2000):
        d = d - 0.1 * (chances @ d_t(d, targets, linear_beyond)).clip(-5, 5)
    return d


lucks = (0.6, 0.4, 0.2, 0.03)
here.table(
    ["luck", "right", "no clip, from 15", "clip at 3, from 15", "clip at 3, from 1"],
    [[f"{p}", f"{-np.log(p + (1 - p) * np.exp(-10)):.2f}",
      *(f"{clipped_end(p, b, t):.2f}" for b, t in ((15, np.inf), (15, 3.0), (1, 3.0)))]
     for p in lucks],
)  # fmt: skip

# %% [markdown]
# With the clip a distance far above its targets stops near the *unlucky* one whenever luck is below
# one half: beyond the clip the lucky outcome pulls with slope 1 only, and the unlucky one can hold
# against it. From below it finds the right place, unless luck is under $e^{-3}\approx0.05$: then the
# right answer itself lies beyond the clip. (Without the clip every slope was cut at 5, so that the
# first steps do not explode.) So the clip is harmless as long as a distance follows its targets
# closely, as in the house, where every table above was learned with it. At $\gamma=0.995$, 3 nats are
# 600 steps: a rare shortcut that saves more than that is where to look for trouble.
#
# ## Play: how rare must luck be?
#
# The house with other luck in the teleporter, the wanderer's table (0 sweeps) and what becomes of
# it; `hope` is the shortest way over what may happen, judged by average outcomes. Numbers
# are certain steps to the star, as in the first picture. At which luck do the arrows of the top row
# leave the teleporter alone?

# %% tags=["hide-input"]
_lucks, _tables = [0.05, 0.3, 0.9], ["0 sweeps", "1 sweep", "10 sweeps", "hope"]


def played(luck, which):
    P = world(luck)
    if which == "hope":
        shortest = tmd.shortest_paths(P, discount)
        return P, quasimetrics.one_step_backup(shortest, P, discount)
    begin = tmd.behaviour_distance(P, beta, discount)
    return P, tmd.iterate(begin, rules(P), int(which.split()[0]))[-1]


def _told(luck, which):
    P, d = played(luck, which)
    best = tmd.arrival(P, tmd.greedy(tmd.optimal_distance(P, discount), S), discount)
    got = tmd.arrival(P, tmd.greedy(d, S), discount)
    return got[away].mean() / best[away].mean(), (got / best)[:, lucky].min()


def _frame(luck, which):
    fig, ax = plt.subplots(figsize=(3.4, 3.5))
    mean, worst = _told(luck, which)
    draw_map(ax, played(luck, which)[1], f"luck {luck}, {which}")
    ax.set_xlabel(f"arrival / best: all {mean:.3f}, worst to ★ {worst:.2f}", fontsize=9)
    return fig


here.explore(
    {"luck": _lucks, "distance": _tables},
    _frame,
    alt=lambda luck, which: (
        f"Map of the house with luck {luck}, {which}: greedy actions arrive "
        f"{_told(luck, which)[0]:.3f} as often as the best on average over all pairs, "
        f"{_told(luck, which)[1]:.2f} from the worst cell to the star; from the "
        f"teleporter's neighbour below the distance to the star is "
        f"{played(luck, which)[1][house.index(1, 4), lucky] / -np.log(discount):.0f} "
        "certain steps."
    ),
    start=(1, 0),
)

# %% [markdown]
# After ten sweeps they do at a luck of 0.05 alone, where the teleporter is a trap; after one sweep also
# at 0.3, too early. Hope walks into it at every
# luck; at 0.05, from the worst cell, it arrives three quarters as often as the best. In the average
# over all pairs that is half a percent.
#
# ## The claims, checked
#
# Exact rows are about the house and random worlds (8 to 25 states, 2 to 4 actions, habits that try every action). Rows
# about walks are over seeds that draw habits and walks. Bounds come from the theorems (*oracle*), from
# the paper's order, or were set before the measurement from an early prototype (*ours*). The paper's
# numbers in the rows about walks are success in the maze with teleporters of OGBench
# (`pointmaze-teleport-stitch`), with networks: we compare the order with it, not the number.

# %% tags=["hide-input"]
from itertools import pairwise

_exact = {"bound_from": "oracle", "kind": "exact"}
_worst = dict.fromkeys(("end", "below", "rise", "kept", "closed"), 0.0)
_worst |= {"noT": np.inf, "hope": -np.inf}
for _seed in range(size.mdps):
    _rng = np.random.default_rng(_seed)
    _n, _m = int(_rng.integers(8, 26)), int(_rng.integers(2, 5))
    _P = mdp.random_mdp(_rng, _n, _m, 0.3)
    _pi = 0.9 * _rng.dirichlet(np.ones(_m), size=_n) + 0.1 / _m
    _best, _d0 = (
        tmd.optimal_distance(_P, discount), tmd.behaviour_distance(_P, _pi, discount)
    )  # fmt: skip
    _all = tmd.iterate(_d0, rules(_P), 150)
    _gap = np.abs(_all[-1] - _best)[:_n, :_n]
    _new = {
        "end": _gap.max(),
        "below": max((_best - d).max() for d in _all),
        "rise": max((_b - _a)[:_n].max() for _a, _b in pairwise(_all)),
        "closed": np.abs(paths.floyd_warshall(_d0) - _d0)[:_n, :_n].max(),
        "kept": max(
            np.abs(tmd.iterate(_d0, rules(_P, out), 50)[-1] - _d0)[:_n, :_n].max()
            for out in "IP"
        ),
        "hope": (tmd.shortest_paths(_P, discount) - _best)[:_n, :_n][
            ~np.eye(_n, dtype=bool)
        ].max(),
    }
    for _name, _value in _new.items():
        _worst[_name] = max(_worst[_name], _value)
    _without = tmd.iterate(_d0, rules(_P, "T"), 50)[-1]
    _worst["noT"] = min(_worst["noT"], np.abs(_without - _best)[:_n, :_n].max())

here.claim(
    "optimal",
    "150 sweeps lead from any policy's distance to the optimal one (largest error, "
    "random worlds, nats)",
    paper="0 in the limit (Theorem 3)",
    number=0.0,
    tolerance="what 150 sweeps leave",
    measured=_worst["end"],
    bound="<= 1e-6",
    **_exact,
)
here.claim(
    "from_above",
    "No sweep falls below the optimum or raises a state's row (largest breach)",
    paper="0 (proof of Theorem 3)",
    number=0.0,
    tolerance="rounding",
    measured=max(_worst["below"], _worst["rise"]),
    bound="<= 1e-9",
    **_exact,
)
here.claim(
    "triangle_adds_nothing",
    "Closing a policy's exact distance changes no distance between states (largest "
    "change)",
    paper="0 (it is a quasimetric)",
    number=0.0,
    tolerance="rounding",
    measured=_worst["closed"],
    bound="<= 1e-8",
    **_exact,
)
here.claim(
    "i_and_p_needed",
    "Without I, or without P, 50 sweeps change no distance between states",
    paper="—",
    measured=_worst["kept"],
    bound="<= 1e-8",
    **_exact,
)
here.claim(
    "t_needed",
    "Without T an error stays after 50 sweeps (largest error, least over the worlds)",
    paper="—",
    measured=_worst["noT"],
    bound="> 0.05",
    bound_from="prototype",
    kind="exact",
)
here.claim(
    "hope_is_optimistic",
    "The shortest way over what may happen is nowhere longer than the optimal distance "
    "(largest excess)",
    paper="—",
    measured=_worst["hope"],
    bound="<= 1e-9",
    **_exact,
)
_targets = np.random.default_rng(0).uniform(0.5, 8, size=(20, 6))
_low, _high = np.zeros(20), np.full(20, 9.0)
for _ in range(80):  # golden section on the mean loss itself
    _a, _b = _high - 0.618034 * (_high - _low), _low + 0.618034 * (_high - _low)
    _fa, _fb = (
        (np.exp(x[:, None] - _targets) - x[:, None]).mean(axis=1) for x in (_a, _b)
    )
    _high, _low = np.where(_fa < _fb, _b, _high), np.where(_fa < _fb, _low, _a)
here.claim(
    "minimiser",
    "The mean of D_T over targets is least at minus the log of their mean probability "
    "(largest difference)",
    paper="0 (App. E)",
    number=0.0,
    tolerance="of the search",
    measured=np.abs(_low + np.log(np.exp(-_targets).mean(axis=1))).max(),
    bound="<= 1e-4",
    **_exact,
)
here.claim(
    "pull_d_t",
    "Gradient descent on D_T reaches 10 from 1, 5 and 15 (largest distance left)",
    paper="—",
    measured=np.abs(ends["D_T"]["plain, 0.1"] - 10).max(),
    bound="<= 0.01",
    bound_from="prototype",
    kind="exact",
)
here.claim(
    "pull_others",
    "In the same steps the other two losses get near from nowhere (least distance "
    "left)",
    paper="—",
    measured=min(
        np.abs(ends[n]["plain, 0.1"] - 10).min() for n in ("squared", "cross entropy")
    ),
    bound="> 3",
    bound_from="prototype",
    kind="exact",
)
here.claim(
    "long_distances",
    "At the longest distances D_T learns the table better than either rival at its "
    "best step size (error of the better rival minus that of D_T, nats)",
    paper="29.3 against 16.1 and 15.1",
    measured=min(taught[n][-1].min() for n in ("squared", "cross entropy"))
    - taught["D_T"][-1].min(),
    bound="> 0",
    bound_from="paper",
    kind="exact",
)
_many = by_walks[size.walks[2]]
_stat = {"kind": "statistical", "covers": "habits and walks"}
here.claim(
    "tmd_near_best",
    f"TMD from {size.walks[2]} walks: arrival over the best possible",
    paper="—",
    measured=_many["TMD"],
    bound=">= 0.98",
    bound_from="prototype",
    **_stat,
)
here.claim(
    "monte_carlo_far",
    "Monte Carlo from the same walks",
    paper="—",
    measured=_many["Monte Carlo"],
    bound="<= 0.85",
    bound_from="prototype",
    null=1.0,
    **_stat,
)
here.claim(
    "hope_far",
    "The shortest way, judged by best outcomes, from the same walks",
    paper="—",
    measured=_many["shortest, best outcome"],
    bound="<= 0.4",
    bound_from="prototype",
    null=1.0,
    **_stat,
)
here.claim(
    "hope_falls",
    f"and it gets worse with data ({size.walks[3]} walks minus {size.walks[1]})",
    paper="—",
    measured=by_walks[size.walks[3]]["shortest, best outcome"]
    - by_walks[size.walks[1]]["shortest, best outcome"],
    bound="< 0",
    bound_from="prototype",
    null=0.0,
    **_stat,
)
for _id, _one, _other, _text, _numbers, _why in (
    ("tmd_over_cmd", "TMD", "Monte Carlo, closed", "TMD over closed Monte Carlo (CMD)",
     "29.3 against 15.7", ""),
    ("cmd_over_crl", "Monte Carlo, closed", "Monte Carlo",
     "Closed Monte Carlo (CMD) over Monte Carlo (CRL)", "15.7 against 4.1", ""),
    ("cmd_over_qrl", "Monte Carlo, closed", "shortest, best outcome",
     "CMD over the shortest way judged by best outcomes (QRL)", "15.7 against 8.6", ""),
    ("cmd_over_qrl_average", "Monte Carlo, closed", "shortest, average outcome",
     "CMD over the shortest way judged by average outcomes (QRL with a model)",
     "15.7 against 8.6",
     "with actions judged by the average, the shortest way stays near TMD at every "
     "number of walks and any length (figure and table): the distance between "
     "states is off by a quarter of a nat at most. What QRL's networks lose in the "
     "paper is not in this table."),
    ("i_ablated", "TMD", "TMD without I", "TMD over TMD without I", "29.3 against 13.3",
     ""),
    ("t_ablated", "TMD", "TMD without T", "TMD over TMD without T", "29.3 against 18.5",
     ""),
    ("start_ablated", "TMD", "TMD from nowhere", "TMD over TMD without the Monte Carlo "
     "start (no contrastive loss)", "29.3 against 9.8",
     "from both starts the sweeps end at the same table (errors after 40 sweeps in "
     "the first table of this page), so in a table the start can only save sweeps. "
     "What it does for a network in training is not tested here."),
):  # fmt: skip
    here.claim(
        _id,
        f"{_text}: difference of arrival over the best, {size.walks[2]} walks",
        paper=_numbers,
        measured=_many[_one] - _many[_other],
        bound="> 0",
        bound_from="paper",
        null=0.0,
        reason=_why,
        **_stat,
    )
here.conclude()

# %% [markdown]
# ## What differs from the paper
#
# 1. **No network.** The paper trains two encoders, $\psi(s)$ and $\phi(s,a)$, and puts a quasimetric
#    (MRN, eight components) over both; the rules become losses: backward InfoNCE for the start,
#    $\zeta\,(\mathcal L_{\mathcal I}+\mathcal L_{\mathcal T})$ for the rules with $\zeta=0.01$ to 0.1. Here all
#    is a table; the rules hold exactly, one after the other.
# 2. **Order.** There all losses pull at once, and the contrastive loss keeps pulling towards the
#    wanderer. Here the wanderer's distance is the start, and then leaves the stage.
# 3. **Closure.** $\mathcal P$ is printed with $y$ over states; the proof uses pairs, and so do we. We
#    close a table from above. A quasimetric network is fitted to an estimate as a whole, and may lie
#    above it in one place and below it in another.
# 4. **Convention.** The paper's state row carries a $-\log\gamma$; in ours $\mathcal T$ carries it and
#    the state row is $-\log\mathbb E_\beta[e^{-d((s,a),g)}]$. At the goal $H=0$ for a state; from a pair
#    the next state is the first that counts.
# 5. **Support.** The theorem wants $\beta>0$ everywhere. In walks a pair never tried is infinitely
#    far.
# 6. **Clip.** The paper says 5, its code 3; 3 here. Its code also weighs the pairs of a batch that
#    belong together by an extra ½.
# 7. **Policy.** There a network imitates and improves (DDPG+BC); here the nearest action is taken.
# 8. **World and score.** OGBench's mazes, success within the episode there; 21 cells and the
#    discounted chance of arrival here, averaged over all starts and goals.
#
# What the house does not show: what the contrastive start is worth to a network (29.3 with, 9.8
# without, in the paper), and the stop-gradient in $\mathcal L_{\mathcal T}$ (29.3 with, 18.7 without);
# noise in the gradient; long horizons (its longest distance is that of nine certain steps);
# continuous actions, where the metric's minimum goes over actions that nobody took.
#
# ## Scaling up
#
# ```
# goalward run tmd --scale gpu
# goalward bench train tmd --help
# ```
#
# The first runs this page with 50 seeds and ten times the steps (no such run is recorded yet). The
# second trains the networks on the benchmark's mazes; see its options. The paper's success rates in percent
# (six seeds, five tasks each; GCIQL and GCIVL are Q-learning and V-learning that are told the goal):
#
# | data | TMD | CMD | CRL | QRL | GCIQL | GCIVL |
# | --- | --- | --- | --- | --- | --- | --- |
# | humanoidmaze-medium-stitch | 68.5 | 64.8 | 36.2 | 18.0 | 12.1 | 12.3 |
# | humanoidmaze-large-stitch | 23.0 | 9.3 | 4.0 | 3.5 | 0.5 | 1.2 |
# | humanoidmaze-giant-navigate | 9.2 | 5.0 | 0.7 | 0.4 | 0.5 | 0.2 |
# | antmaze-medium-navigate | 93.6 | 92.4 | 94.9 | 87.9 | – | – |
# | antmaze-large-stitch | 37.3 | 29.0 | 10.8 | 18.4 | 7.5 | 18.5 |
# | antmaze-teleport-explore | 49.6 | 0.2 | 19.5 | 2.3 | 7.3 | 32.0 |
# | pointmaze-teleport-stitch | 29.3 | 15.7 | 4.1 | 8.6 | 25.2 | 44.4 |
# | scene-noisy | 19.6 | 4.0 | 1.2 | 9.1 | 25.9 | 26.4 |
# | visual-antmaze-large-stitch | 26.6 | 8.1 | 11.1 | 0.6 | 0.1 | 0.8 |
#
# TMD leads its own family but once (CRL on antmaze-medium-navigate). On pointmaze-teleport-stitch and
# scene-noisy GCIVL is better, on the latter GCIQL too.
#
# ## Exercises
#
# 20 points, about 105 minutes.
#
# 1. **Choosing is free** (easy, 15 minutes): the first rule on a table of states and pairs.
# 2. **One step, then on** (medium, 20 minutes): the backup, averages where they belong.
# 3. **No detour is shorter** (medium, 20 minutes): the closure, over states and pairs.
# 4. **A loss for averages** (medium, 20 minutes): $D_T$ with its clip, and its slope.
# 5. **From walks to the best way** (hard, 30 minutes): counts, then the best chances of arrival.
#
# Work in [the exercise notebook](tmd_exercises.ipynb)
# that `make lab` puts beside this chapter. Each exercise has hints and a check cell, and shows
# a solution after an attempt. `goalward assignments check NOTEBOOK` says where you stand.
#
# ## Where to go from here
#
# [Temporal distances](temporal_distances.ipynb) is where the start comes from.
# [MQE](mqe.ipynb) replaces the single step of $\mathcal T$ by a random waypoint further along the
# recording: faster, at the price of a bias. [Horizon generalization](horizon_generalization.ipynb)
# shows what the closure alone does for walks in a world without luck.
#
# **References.** Myers, Zheng, Eysenbach, Levine 2025: this chapter's paper; code at
# [vivekmyers/tmd-release](https://github.com/vivekmyers/tmd-release). Myers et al. 2024, *Learning
# Temporal Distances* (ICML): the successor distance and CMD. Wang, Torralba, Isola, Zhang 2023,
# *Optimal Goal-Reaching Reinforcement Learning via Quasimetric Learning* (ICML): QRL. Eysenbach et
# al. 2022, *Contrastive Learning as Goal-Conditioned Reinforcement Learning* (NeurIPS). Park et al.
# 2025, *OGBench* (ICLR). Varian 1975, *A Bayesian Approach to Real Estate Assessment*: the
# linear-exponential loss.
