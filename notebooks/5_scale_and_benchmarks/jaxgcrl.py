# %% [markdown]
# # Goals without rewards, in one program
#
# *Michał Bortkiewicz, Władysław Pałucki, Vivek Myers, Tadeusz Dziarmaga, Tomasz Arczewski, Łukasz
# Kuciński, Benjamin Eysenbach: Accelerating Goal-Conditioned RL Algorithms and Research. ICLR 2025,
# [arXiv 2408.11052](https://arxiv.org/abs/2408.11052).*
#
# **An agent that makes its own data can learn to reach goals without any reward. Which of its many
# small choices matter, and how fast can one find out?**
#
# [Contrastive RL](../1_predicting_the_future/contrastive_rl.ipynb) learned from walks that somebody
# else had recorded. Here the agent walks itself. It acts, remembers, learns from what it remembers,
# and acts a little better. The paper puts all of that into one compiled program, *JaxGCRL*: many
# copies of an environment, the memory, the relabelling of goals and the learner. What took days takes
# minutes, so its authors could ask which energy, which contrastive loss and which network the agent
# should have.
#
# We first measure where such speed comes from. Then we take one answer apart, exactly. The most used
# contrastive loss leaves something free that decides between actions, and a small penalty removes it:
# the losses of the two critics below differ by less than 0.0001. Last, we train whole agents, and ask
# whether what was true in the table is what matters there. At first it is not, and a straight line turns
# out to be a strong rival.
#
# | | |
# | --- | --- |
# | Time | 75 minutes to read and play; the code runs in about a minute |
# | You need | the [refresher](../0_start/refresher.ipynb): contrastive losses, `scan` and `vmap`; [contrastive RL](../1_predicting_the_future/contrastive_rl.ipynb): a critic as a log ratio |
# | Afterwards you can | say which part of compiling makes a rollout fast; derive what a contrastive loss leaves free, and how to see it; relabel goals; train an agent that acts, and compare it fairly |

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures
from goalward.methods import jaxgcrl
from goalward.tabular.grid import MOVES, Grid
from goalward.tabular.mdp import uniform_policy
from goalward.tabular.successor import successor_measure

here = chapter.begin("jaxgcrl")

# %% tags=["hide-input"]
from goalward.course.figures import COLORS

_grid = Grid.parse(".....\n..#..\n..#..\n..#..\n.....")
_M = successor_measure(_grid.P[:, :4], uniform_policy(22, 4), 0.9)
_goal = _grid.index(0, 4)


def draw_moves(ax, values, goal, title):
    """The action of the largest value in each cell, towards one goal."""
    figures.heatmap(ax, _grid.image(np.zeros(22)), title, cmap="Greys", vmin=0, vmax=4)
    ax.title.set_size(9.5)
    chosen = values[:, :, goal].argmax(axis=1)
    best = _M[:, :, goal].max(axis=1)
    good = _M[np.arange(22), chosen, goal] >= best * (1 - 1e-9)
    (down, right), (rows, cols) = MOVES[chosen].T, _grid.cells.T
    away = np.arange(22) != goal
    for mask, color in ((good, COLORS["ours"]), (~good, COLORS["second"])):
        at = mask & away
        ax.quiver(
            cols[at], rows[at], right[at], down[at], color=color,
            angles="xy", pivot="mid", scale=8, width=0.014,
        )  # fmt: skip
    row, col = _grid.cells[goal]
    ax.plot(col, row, "k*", ms=12)
    ax.set_xlabel(f"{good[away].sum()} of 21 right", fontsize=9)


_penalties, _tilts = (0, 0.01, 0.1, 1), (0, 1, 2)
_cases = [(weight, tilt) for weight in _penalties for tilt in _tilts]
_noise = np.random.default_rng(0).normal(size=(88, 1)) * np.ones((88, 22))
_tilted = jnp.array(np.stack([tilt * _noise for _, tilt in _cases]), jnp.float32)
_weights = jnp.array([weight for weight, _ in _cases], jnp.float32)
_steps = {"smoke": 200, "laptop": 600, "gpu": 3000}[here.scale]


def _frames(name):
    """Logits of each penalty and tilt, after exact descent."""
    table = jnp.array(_M.reshape(88, 22), jnp.float32)
    F = jaxgcrl.descend(name, table, _tilted, _weights, steps=_steps)
    return dict(zip(_cases, np.array(F).reshape(-1, 22, 4, 22), strict=True))


_explored = {"forward": _frames("forward")}
fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.5))
draw_moves(axes[0], _M, _goal, "exact")
draw_moves(axes[1], _explored["forward"][0, 2], _goal, "InfoNCE")
draw_moves(axes[2], _explored["forward"][0.1, 2], _goal, "InfoNCE + penalty")
here.show(
    fig,
    alt="Three small mazes with an arrow in each cell and a star in the upper right "
    "corner. Left: the exact best moves lead to the star. Middle: most arrows do not. "
    "Right: they do.",
    caption="The moves that a critic likes best, towards the star. Both learned "
    "critics began with the same random tilt and came within 0.0001 nats of the least "
    "possible InfoNCE loss. Orange arrows are wrong.",
    lead=True,
)

# %% [markdown]
# ## One rollout, four ways
#
# The world is a **point maze**. Its state is a position in a room of 5 × 5 cells with a wall in it; an
# action is a velocity, at most 0.2 cells a step along each axis; walls stop it. A goal is a position,
# and the point is *near* it within half a cell. An episode has 100 steps. It starts in the lower left
# cell, with a goal drawn evenly from the free space.
#
# We let it take random steps, in four ways: a loop in NumPy; a loop in Python around a compiled step;
# a compiled loop (`scan`); and a compiled loop over many environments side by side (`vmap`). Here are
# all sizes of this page; the marked column is this run's.

# %%
size = here.sizes(
    #                smoke       laptop       gpu
    seeds=          (5,          5,           5),
    copies=         ((1, 16),    (1, 32, 1024), (1, 1024, 16384)),
    walk_steps=     (50,         200,         200),
    table_steps=    (200,        600,         3_000),
    batches=        (50,         3_000,       10_000),
    envs=           (16,         64,          512),
    rounds=         (1,          15,          60),
    updates=        (10,         100,         100),
    agent_batch=    (16,         64,          256),
    episodes=       (16,         128,         512),
)  # fmt: skip

# %%
import time
from functools import partial

from goalward.envs.point_maze import MARGIN, PointMaze

grid = Grid.parse(".....\n..#..\n..#..\n..#..\n.....")
env = PointMaze(grid, speed=0.2, reach=0.5, horizon=100, start_cell=grid.index(4, 0))
free = np.pad(grid.numbers >= 0, 1)


def move(position, action):
    """One step in NumPy: rows first, then columns, up to the next wall's face."""
    position = position.copy()
    for axis in (0, 1):
        velocity = 0.2 * min(max(action[axis], -1), 1)
        cell = np.floor(position + 0.5).astype(int)
        ahead = cell.copy()
        ahead[axis] += int(np.sign(velocity))
        target = position[axis] + velocity
        if not free[ahead[0] + 1, ahead[1] + 1]:
            face = cell[axis] + np.sign(velocity) * (0.5 - MARGIN)
            target = min(target, face) if velocity > 0 else max(target, face)
        position[axis] = target
    return position


def by_numpy(actions):
    at = grid.cells[grid.index(4, 0)].astype(float)
    for action in actions[:, 0]:
        at = move(at, action)
    return at[None]


key = jax.random.key(1)  # the maze has no noise of its own: the key decides nothing
step = jax.jit(jax.vmap(env.step, in_axes=(0, 0, None)))


def starts(copies):
    centre = np.tile(grid.cells[grid.index(4, 0)], (copies, 1))
    return jax.vmap(env.at)(jnp.array(centre, float), jnp.zeros((copies, 2)))


def by_compiled_steps(actions):
    state = starts(1)
    for action in actions:
        state = step(state, action, key)
    return state


@jax.jit
def by_scan(state, actions):
    def one(state, action):
        return jax.vmap(env.step, in_axes=(0, 0, None))(state, action, key), None

    return jax.lax.scan(one, state, actions)[0]


def speed(walk, actions, repeats=5):
    """Environment steps a second; the first call, which compiles, does not count."""
    jax.block_until_ready(walk(actions))
    rates = []
    for _ in range(repeats):
        begun = time.perf_counter()
        jax.block_until_ready(walk(actions))
        rates.append(
            actions.shape[0] * actions.shape[1] / (time.perf_counter() - begun)
        )
    return np.median(rates)


rng = np.random.default_rng(1)
random = {
    N: rng.uniform(-1, 1, (size.walk_steps, N, 2)).astype("f4") for N in size.copies
}
rates = {
    "NumPy": speed(by_numpy, random[1]),
    "compiled step": speed(by_compiled_steps, random[1]),
}
for N, actions in random.items():
    rates[N] = speed(partial(by_scan, starts(N)), actions)
ends = [
    by_numpy(random[1]),
    by_compiled_steps(random[1]).observation,
    by_scan(starts(1), random[1]).observation,
]
same_walk = max(np.abs(np.array(end) - ends[0]).max() for end in ends)
faster = rates[size.copies[-1]] / rates["NumPy"]
print(f"the three loops end {same_walk:.0e} cells apart")

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 2.9))
_middle = [rates[c] for c in size.copies]
ax.loglog(size.copies, _middle, "o-", color=COLORS["ours"])
ax.annotate(
    "compiled loop",
    (size.copies[1], _middle[1]),
    (6, -14),
    textcoords="offset points",
    color=COLORS["ours"],
)
for _name, _style in (("NumPy", "--"), ("compiled step", ":")):
    ax.axhline(rates[_name], ls=_style, color=COLORS["second"])
    ax.text(
        size.copies[-1],
        rates[_name] * 1.15,
        f"{_name}, loop in Python, one environment",
        ha="right",
        fontsize=9,
    )
ax.set(xlabel="environments side by side", ylabel="environment steps / s")
here.show(
    fig,
    alt="Log-log plot of steps a second against environments side by side: a rising "
    "curve for the compiled loop, "
    f"from {rates[1]:.0e} with one environment to {rates[size.copies[-1]]:.0e} with "
    f"{size.copies[-1]}. Two level lines for loops in Python, one environment: "
    f"NumPy at {rates['NumPy']:.0e}, a compiled step at {rates['compiled step']:.0e}.",
    caption="The same random steps, on the machine that recorded this page. The left "
    "end of the curve is a compiled loop over one environment.",
)

# %% [markdown]
# All three loops walk the same way, to rounding. Compiling the step alone makes it slower than NumPy's:
# the call costs more than the step (a compiled addition in its place was no faster, measured outside
# this page). Between the dotted line and the left end of the curve nothing changed but where the loop
# runs: the step is compiled in both, and both return all of the state. Along the curve nothing changes
# but how many environments take that step together.
#
# An agent does more than walk. In the program that trains the agents below, a round is 100 steps in
# each of 64 environments and then 100 updates. Timed apart from this page, with evaluations left out,
# six sevenths of a round's time went into the updates. A fast environment makes learning fast only
# where the environment was slow; the authors' bodies, with contacts and joints, are slower than
# a point.
#
# ## What a contrastive loss leaves free
#
# A critic $f(s,a,g)$ is trained on a batch of $B$ pairs: state and action $(s_i,a_i)$, and a goal $g_i$
# that was reached later. The table of logits is $F_{ij}=f(s_i,a_i,g_j)$, with the true pairs on the
# diagonal. *Forward* InfoNCE asks each row which goal is its own,
#
# $$L_\rightarrow=-\frac1B\sum_i\Big(F_{ii}-\log\sum_j e^{F_{ij}}\Big).$$
#
# *Backward* InfoNCE asks each column, with $\log\sum_je^{F_{ji}}$ in its place, and *symmetric* both.
# Forward InfoNCE by hand, for three pairs:

# %%
from inspect import getsource

from goalward.losses import contrastive, preferences

F = np.array([[2.0, 1.0, 0.0], [0.5, 0.0, -1.0], [3.0, 3.0, 2.0]], "f4")
by_hand = 0.0
for i in range(3):
    by_hand -= (F[i, i] - np.log(sum(np.exp(F[i, j]) for j in range(3)))) / 3
tilted = F + np.array([[5.0], [0.0], [-2.0]], "f4")
graded = jax.jit(jax.value_and_grad(contrastive.info_nce))
loss, gradient = graded(F)
print("forward InfoNCE by hand       ", by_hand.round(5))
print("library                       ", loss.round(5))
print("rows tilted by 5, 0 and -2    ", graded(tilted)[0].round(5))
print("sums of the gradient's rows   ", np.array(gradient).sum(axis=1).round(6))
flat_loss, flat_gradient = jax.jit(jax.value_and_grad(preferences.flat_nce))(F)
flat_gap = np.abs(np.array(flat_gradient - gradient)).max()
print(f"FlatNCE: its value {flat_loss:.0f}, gradients differ by {flat_gap:.0e}")
print(getsource(jaxgcrl.forward))

# %% [markdown]
# Add any number to a row, and nothing happens. The loss is the same, and the gradient's rows sum to
# zero, so gradient descent will never notice. And FlatNCE, which the paper lists as a loss of its own,
# has the value 1 whatever the logits, but the gradient of forward InfoNCE: another name, not another
# loss.
#
# > **Predict before you run.** The actor picks $\arg\max_a f(s,a,g)$. Whose problem is a number
# > $c(s,a)$ that is added to a row, and whose is a number $c(g)$ that is added to a column?
#
# <details><summary>Answer</summary>
#
# Rows are pairs of state *and action*: $c(s,a)$ differs between the actions of one state and can
# change the best one, for all goals alike. $c(g)$ is the same for all actions, and no choice hears
# of it.
#
# </details>
#
# How bad can it be? In a grid we need no sampling. Let $M(s,a,g)$ be the successor measure of a walker
# who moves at random in the 22 free cells (up, down, left, right; $\gamma=0.9$): the probability that
# $g$ is where the clock stops. Let $p(g)$ be its mean over the 88 equally likely pairs $(s,a)$. In the
# limit of many pairs the loss above is the average over $(s,a)$ of
#
# $$\log\Big(B\sum_g p(g)\,e^{F(s,a,g)}\Big)-\sum_g M(s,a,g)\,F(s,a,g),$$
#
# which is least at $F=\log M/p+c(s,a)$, for *any* $c$. The paper's other losses have their own limits
# (in `goalward.methods.jaxgcrl`), and their own freedom: backward leaves a $c(g)$, symmetric a
# constant. DPO, $-\log\sigma(F_{ii}-F_{ij})$, and IPO, $(F_{ii}-F_{ij}-1)^2$, see only differences
# within a row, so they leave $c(s,a)$ too. Three are not differences at all: *logistic* tells true
# pairs from false ones by a sigmoid and has its best logits at $\log M/p-\log(B-1)$; SPPO,
# $(F_{ij}\mp1)^2$, and FB, $-F_{ii}+\frac12F_{ij}^2$, are least squares.
#
# The repair is a **penalty** on the log partition function of each row,
#
# $$+\;\rho\,\frac1B\sum_i\Big(\log\sum_je^{F_{ij}}\Big)^2,$$
#
# with $\rho=0.1$ in the paper. It asks the sum to be 1 in every row, and then $c=-\log B$ for all.
#
# We give each loss a table of logits of its own and follow the exact gradient (Adam, its step falling
# from 0.1 to 0). Tables start flat, at zero, or **tilted**: a random number of deviation 2 nats for each
# $(s,a)$, added to its row, as a network might happen to start. Then we ask for each state and each
# other goal whether the best action by $F$ is one of the best by $M$.

# %%
M4 = successor_measure(grid.P[:, :4], uniform_policy(22, 4), 0.9)
M, log_ratio = M4.reshape(88, 22), np.log(M4 / M4.mean(axis=(0, 1))).reshape(88, 22)
known = M > 1e-3
tilts = np.random.default_rng(0).normal(size=(size.seeds, 88, 1)) * np.ones((1, 1, 22))
# A flat start and tilted ones, each without and with the penalty.
first = np.concatenate([0 * tilts[:1], 0 * tilts[:1], 2 * tilts, 2 * tilts])
penalties = np.repeat([0, 0.1, 0, 0.1], [1, 1, size.seeds, size.seeds])
learned = {
    name: np.array(
        jaxgcrl.descend(
            name, jnp.array(M, jnp.float32), jnp.array(first, jnp.float32),
            jnp.array(penalties, jnp.float32), steps=size.table_steps,
        )
    )
    for name in jaxgcrl.POPULATION
}  # fmt: skip


def accuracy(F):
    """How often the best action by F is one of the best by M."""
    return jaxgcrl.greedy_accuracy(F.reshape(22, 4, 22), M4)


def tilt_of(F):
    """Standard deviation over (s, a) of the row offsets, in nats."""
    return jaxgcrl.offsets(F - log_ratio, known, axis=1).std()


free_part = {
    "forward": "rows", "backward": "columns", "symmetric": "constant",
    "logistic": "nothing", "DPO": "rows", "IPO": "rows", "SPPO": "nothing",
    "FB": "nothing",
}  # fmt: skip
n = size.seeds
groups = {
    "flat, ρ = 0": [0], "flat, ρ = 0.1": [1],
    "tilted, ρ = 0": range(2, 2 + n), "tilted, ρ = 0.1": range(2 + n, 2 + 2 * n),
}  # fmt: skip
shares = {
    name: [np.mean([accuracy(Fs[k]) for k in ks]) for ks in groups.values()]
    for name, Fs in learned.items()
}
one = learned["forward"][2]
untilted = one - jaxgcrl.offsets(one - log_ratio, known, axis=1)[:, None]
print("forward, tilted: right", accuracy(one).__round__(2), end="; ")
print("its offsets taken out:", accuracy(untilted).__round__(2))

# %% tags=["hide-input"]
here.table(
    ("share of best actions that are right", "leaves free", *groups),
    [
        (name, free_part[name], *(f"{share:.2f}" for share in shares[name]))
        for name in shares
    ],
)

# %% [markdown]
# Three things to read off.
#
# - **Freedom leaves in what the start puts in.** From a tilted start forward InfoNCE chooses little
#   better than chance (0.26 here, as ties are rare), although its logits are right in every other
#   respect: take each row's offset out, and all its choices are right. A flat start is better, but
#   not without fault, and ten times the steps change nothing: each row of the table keeps the sum 0 under
#   plain gradient descent, and those of $\log M/p$ have other sums. That alone leaves 0.08 nats of tilt
#   and 0.97 of the choices right; Adam, which scales each entry's step by itself, makes it 0.14 nats
#   (computed outside this page).
# - **Backward and symmetric need no penalty.** They lose the tilt by themselves, since they compare rows.
# - **What a loss leaves free does not explain the paper's ranking.** It finds SPPO and FB among the
#   worst. In the table they choose as well as any: their best logits rise with $M/p$, and nothing more is
#   asked of them here. Logistic is merely slow: from the tilted starts it
#   chooses right in 0.95 after 3,000 steps and in all after 10,000 (computed outside this page).
#
# ### With sampled pairs
#
# An agent has batches, not expectations. Batches of 128 pairs, Adam with a step that falls from 0.05,
# the same tilted starts; the *tilt* is the standard deviation over $(s,a)$ of what is added to the rows.

# %%
import optax

CUMULATIVE = jnp.array(M.cumsum(axis=1), jnp.float32)


@jax.jit
@partial(jax.vmap, in_axes=(None, 0, None))
@partial(jax.vmap, in_axes=(0, None, 0))
def from_batches(start, weights, key):
    """Adam on batches of 128 pairs; weights of forward, backward and the penalty."""
    adam = optax.adam(optax.cosine_decay_schedule(0.05, size.batches))

    def loss(F, anchor, goal):
        columns = jax.nn.one_hot(goal, 22, axis=0)
        logits = jnp.matmul(F[anchor], columns, precision="highest")
        penalty = jnp.mean(jax.nn.logsumexp(logits, axis=1) ** 2)
        forward = contrastive.info_nce(logits)
        backward = contrastive.info_nce(logits, axis=0)
        return weights @ jnp.stack([forward, backward, penalty])

    def step(carry, key):
        F, moments = carry
        key_anchor, key_goal = jax.random.split(key)
        anchor = jax.random.randint(key_anchor, (128,), 0, 88)
        drawn = jax.random.uniform(key_goal, (128, 1))
        goal = jnp.minimum((CUMULATIVE[anchor] < drawn).sum(axis=1), 21)
        direction, moments = adam.update(jax.grad(loss)(F, anchor, goal), moments)
        return (F + direction, moments), None

    keys = jax.random.split(key, size.batches)
    return jax.lax.scan(step, (start, adam.init(start)), keys)[0][0]


arms = {
    "forward": (1, 0, 0), "forward + penalty": (1, 0, 0.1),
    "backward": (0, 1, 0), "symmetric": (0.5, 0.5, 0),
}  # fmt: skip
found = from_batches(
    jnp.array(2 * tilts, jnp.float32),
    jnp.array(list(arms.values()), jnp.float32),
    jax.random.split(jax.random.key(1), size.seeds),
)
sampled = dict(zip(arms, np.array(found), strict=True))
right = {name: np.array([accuracy(F) for F in Fs]) for name, Fs in sampled.items()}
tilt = {name: np.array([tilt_of(F) for F in Fs]) for name, Fs in sampled.items()}
remains = {
    name: np.array([
        jaxgcrl.unexplained(F - log_ratio, known, free_part[name.split()[0]])
        for F in Fs
    ])
    for name, Fs in sampled.items()
}  # fmt: skip
for name in arms:
    print(
        f"{name:18} right {right[name].mean():.2f}, tilt {tilt[name].mean():.2f} nats,",
        f"error once the free part is out {remains[name].mean():.2f}",
    )

# %% [markdown]
# The errors that sampling leaves, about 0.2 nats, cost each loss a tenth of its choices; four times the
# batches leave 0.13 nats and cost half of that (outside). The tilt costs forward InfoNCE half of its
# choices, however long it learns. The tilt is also the sharper test of an implementation. Computed outside
# this page: with the penalty's sum over the wrong axis, the share of right choices falls only from 0.90 to
# 0.81, but 0.33 nats of tilt stay; and without its square the penalty does nothing (0.38, 1.99 nats).
#
# ### Play: loss, penalty, tilt
#
# Which of the three losses notices the first slider, and which the second?

# %% tags=["hide-input"]
_explored |= {name: _frames(name) for name in ("backward", "IPO")}


def frame(penalty, tilt):
    fig, axes = plt.subplots(1, 3, figsize=(5.6, 2.3))
    for ax, (name, by_case) in zip(axes, _explored.items(), strict=True):
        draw_moves(ax, by_case[penalty, tilt], _goal, name)
    return fig


here.explore(
    {"penalty ρ": _penalties, "tilt (nats)": _tilts},
    frame,
    alt=lambda penalty, tilt: (
        f"Best moves by critics of three losses with penalty {penalty} and a tilt of "
        f"{tilt}. Share right, over all goals: "
        + ", ".join(
            f"{name} {accuracy(F[penalty, tilt]):.2f}" for name, F in _explored.items()
        )
        + "."
    ),
    start=(0, 2),
)

# %% [markdown]
# ## A whole agent
#
# Now the point maze, and nothing recorded. The **critic** encodes state and action as $\phi(s,a)$, the
# goal as $\psi(g)$, and scores them by an *energy*. The paper prefers the distance (L2),
#
# $$f(s,a,g)=-\lVert\phi(s,a)-\psi(g)\rVert_2,$$
#
# and lists the cosine of the two among its worst. Its loss is forward plus backward InfoNCE plus the
# penalty. The **actor** $\pi(a\mid s,g)$, a Gaussian squashed by a tanh, minimises
#
# $$\mathbb E_{a\sim\pi}\big[\eta\log\pi(a\mid s,g)-f(s,a,g)\big]$$
#
# on remembered states, each with its own future as the goal. The weight $\eta$ is learned, so that the
# entropy stays near −1 nat. There is no reward anywhere.
#
# The rival has one. **SAC+HER** is the soft actor-critic with hindsight relabelling: a step costs 1
# unless it ends near the goal, then nothing; two critics learn the discounted sum of that by temporal
# differences, each target taking the smaller of the two at the next state; the actor follows the smaller
# value. Half of the goals are commanded, half futures. It has the same actor, as wide networks and the
# same rounds, and a choice of two step sizes.
#
# Energy and loss enter as weights: an agent's logits are a weighted sum of L2 and cosine, its loss of
# forward, backward and penalty. So all four agents, five seeds each, are *one* program:
#
# - **L2**: symmetric, $\rho=0.1$, as the paper advises.
# - **L2, forward alone**, without penalty: the loss that the table found wanting.
# - **cosine**: symmetric, without penalty. A cosine lies in $[-1,1]$, so the sum over a row of 64 is at
#   least $64/e$, and a penalty that asks for 1 would only push all cosines down.
# - **10 × cosine**: the same with a fixed *temperature* of 0.1. It can tell unlikely goals from likely
#   ones by a factor of $e^{20}$ in place of $e^2$.

# %%
from goalward.baselines.sac_her import SACHER
from goalward.baselines.td3_her import Within
from goalward.nets.critics import InnerProductCritic
from goalward.nets.energies import COSINE, L2
from goalward.nets.normalized import GoalValue, NormalizedMLP
from goalward.nets.policies import TanhGaussianPolicy
from goalward.training.online import Rounds, fresh_states, train

rounds = Rounds(
    envs=size.envs, unroll=100, updates=size.updates, capacity=size.envs * 1_000
)
common = {
    "gamma": 0.97, "batch_size": size.agent_batch, "goal_entries": (0, 1), "bc": 0.0,
    "actor": TanhGaussianPolicy(2, (64, 64), log_std_range=(-5, 2)),
    "target_entropy": -1.0, "learning_rate": 1e-3,
}  # fmt: skip
encoder = NormalizedMLP((64, 64, 16))
crl = jaxgcrl.MixedContrastiveRL(
    critic=InnerProductCritic(encoder, encoder.copy()), energies=(L2, COSINE),
    random_goals=0.0, **common,
)  # fmt: skip
kinds = {  # weights of the energies, of the losses (forward, backward), and ρ
    "L2": ((1, 0), (1, 1), 0.1),
    "L2, forward alone": ((1, 0), (1, 0), 0.0),
    "cosine": ((0, 1), (1, 1), 0.0),
    "10 × cosine": ((0, 10), (1, 1), 0.0),
}
mixtures = jaxgcrl.Mixture(
    *(
        jnp.repeat(jnp.array(w, jnp.float32), n, axis=0)
        for w in zip(*kinds.values(), strict=True)
    )
)
test_goals = jnp.array(
    grid.cells[np.random.default_rng(6).integers(22, size=size.episodes)]
    + np.random.default_rng(7).uniform(-0.5, 0.5, (size.episodes, 2)),
    jnp.float32,
)


def follow(policy):
    """(goals, steps, 2) positions of copies, each told another goal."""
    state = starts(len(test_goals)).replace(goal=test_goals)

    def one(state, key):
        action = policy(state.observation, key)
        state = jax.vmap(env.step, in_axes=(0, 0, None))(state, action, key)
        return state, state.observation

    keys = jax.random.split(jax.random.key(5), env.horizon)
    return jnp.swapaxes(jax.lax.scan(one, state, keys)[1], 0, 1)


def straight(position, key):
    """Nothing learned: straight towards the goal, walls or not."""
    way = (test_goals - position) / env.speed
    return way / jnp.maximum(1, jnp.abs(way).max(axis=1, keepdims=True))


@jax.jit
@partial(jax.vmap, in_axes=(0, None))
def walk(actor, noise):
    """An actor's paths; noise 0: its mean actions, 1: sampled ones."""
    act = partial(crl.propose, {"actor": actor})
    return follow(lambda position, key: act(position, test_goals, key, noise)[0])


def paths(states, k, noise=0.0):
    """The paths of the k-th agent's seeds."""
    actors = jax.device_get(states.learner.params["actor"])
    actors = jax.tree.map(lambda leaf: leaf[n * k : n * k + n], actors)
    return np.array(walk(actors, noise))


def near_goal(path):
    return np.linalg.norm(path - np.array(test_goals)[:, None], axis=-1) <= env.reach


def learn(agent, states, variants, label, parts):
    """Train, and after each part of the rounds see whose goals are near, and when."""
    count, curve = len(states.round) // n, []
    for _ in range(parts):
        states, _ = train(
            agent, env, rounds, jax.random.key(1), size.rounds // parts,
            seeds=n * count, states=states, log_every=size.rounds // parts,
            variants=variants, progress=here.progress(label),
        )  # fmt: skip
        curve.append([near_goal(paths(states, k)) for k in range(count)])
    return states, curve


parts = min(3, size.rounds)
states = fresh_states(crl, env, rounds, jax.random.key(1), len(kinds) * n, mixtures)
states, curve = learn(crl, states, mixtures, "contrastive RL", parts)

# %%
sac = SACHER(
    critic=GoalValue((64, 64)), reached=Within(env.reach), random_goals=0.5, **common
)
step_sizes = (1e-3, 1e-2)
sac_states = fresh_states(sac, env, rounds, jax.random.key(1), len(step_sizes) * n)
learner = sac_states.learner.replace(learning_rate=jnp.repeat(jnp.array(step_sizes), n))
sac_states, sac_curve = learn(
    sac, sac_states.replace(learner=learner), None, "SAC+HER", parts
)
names = (*kinds, *(f"SAC+HER, step {rate:g}" for rate in step_sizes))
# Of (parts, agents, seeds, goals, steps): whether the copy is near its goal.
is_near = np.concatenate([curve, sac_curve], axis=1)
success = dict(zip(names, is_near.any(axis=4).mean(axis=3).swapaxes(0, 1), strict=True))
near = dict(zip(names, is_near.mean(axis=(3, 4)).swapaxes(0, 1), strict=True))
# The baseline's better step size, by the very evaluation that it is compared on.
baseline = max(list(success)[len(kinds) :], key=lambda name: success[name][-1].mean())
line = near_goal(np.array(follow(straight)))
by_sampling = [near_goal(paths(states, k, 1.0)) for k in range(len(kinds))]
by_sampling += [near_goal(paths(sac_states, k, 1.0)) for k in range(len(step_sizes))]
for name, noisy in zip(success, by_sampling, strict=True):
    print(
        f"{name:20} success {success[name][-1].mean():.2f}",
        f"{success[name][-1].round(2)}, near {near[name][-1].mean():.2f};",
        f"sampling {noisy.any(axis=2).mean():.2f}, near {noisy.mean():.2f}",
    )
print(
    f"a straight line      success {line.any(axis=1).mean():.2f},",
    f"near {line.mean():.2f}",
)

# %% tags=["hide-input"]
_env_steps = rounds.envs * 100 * size.rounds // parts * (1 + np.arange(parts)) / 1000
_styles = {
    "L2": ("ours", "o"), "L2, forward alone": ("fifth", "s"),
    "10 × cosine": ("third", "^"),
    "cosine": ("fourth", "v"), baseline: ("second", "D"),
}  # fmt: skip
fig, axes = plt.subplots(1, 2, figsize=(6.6, 3.6), sharex=True, sharey=True)
for ax, _of, _title in zip(
    axes,
    (success, near),
    ("ever near the goal", "share of the time near it"),
    strict=True,
):
    for _name, (_color, _marker) in _styles.items():
        ax.plot(
            _env_steps, _of[_name].mean(axis=1), _marker + "-", ms=4.5,
            color=COLORS[_color], label=_name,
        )  # fmt: skip
    _level = {"ever near the goal": line.any(axis=1)}.get(_title, line).mean()
    ax.axhline(_level, ls=":", color="black", lw=1.2, label="a straight line")
    ax.set(title=_title, xlabel="thousand environment steps", ylim=(0, 1))
axes[0].set_ylabel(f"mean of {n} seeds")
fig.legend(
    *axes[0].get_legend_handles_labels(),
    loc="outside lower center",
    ncols=3,
    fontsize=8,
)
here.show(
    fig,
    alt="Two panels of learning curves, success and share of time near. At the "
    "end, success and time near: "
    + "; ".join(
        f"{_name} {success[_name][-1].mean():.2f} and {near[_name][-1].mean():.2f}"
        for _name in _styles
    )
    + f". A dotted line in each panel, at {line.any(axis=1).mean():.2f} and "
    f"{line.mean():.2f}.",
    caption="Agents that act by their mean action, after each few rounds, on the same "
    f"{size.episodes} goals. Of SAC+HER the better of two step sizes. Dotted: a point "
    "that walks straight towards the goal and has learned nothing.",
)

# %% [markdown]
# What the curves say, and what they do not:
#
# - **It learns, and a straight line does as well.** Without any reward the agent comes to three
#   quarters of its goals, from 96,000 steps that it made itself. A point that walks straight at its
#   goal, walls or not, comes to 0.79. By their mean actions no agent is better than that here.
# - **The rival's step size weighs more than the method.** At the same step size as the others SAC+HER
#   reaches 0.54 of its goals, at ten times that 0.69: most of the lead is gone. Between 0.001 and 0.01 the
#   step size hardly matters to contrastive RL (0.75 to 0.81; 0.65 at 0.0003; other seeds, computed outside
#   this page).
# - **Mean or sample?** Acting as they sample, L2, forward alone and 10 × cosine come to 0.83 to 0.85 of
#   their goals, and are near them for less of the time. The order of the three is gone. (A straight line
#   gains as well by noise: 0.85 with Gaussian noise of half the largest action, outside.)
# - **Faster is not better.** With four times the rounds (outside, other seeds) SAC+HER reaches 0.94 to
#   0.99 at step sizes of 0.001, 0.003 and 0.01: it has learned to walk around the wall. L2 stays at 0.77 to 0.80, and
#   in 95 % of its goals it succeeds or fails as the straight line does; ten times the rounds bring it
#   to 0.83. We tried to lift that, at four times the rounds: without the penalty 0.81 to 0.85, forward
#   alone 0.85 to 0.89, batches of 256 0.84, half of the actor's goals commanded 0.84, $\gamma=0.99$
#   0.80 and $\gamma=0.9$ 0.75, a target entropy of −2 0.78. None comes up to the rival. The actor may
#   have a share in it: by the best of 81 actions in each step, as its own critic has it, the agent comes
#   to 0.87 and 0.91 (two times five seeds), where its actor comes to 0.80; but on some seeds to no more
#   than the actor, and by the best of nine actions to 0.38. Why the actor keeps to the straight line we
#   do not know. In *this* small world a long run belongs to the value.
# - **The cosine lacks a temperature, or time.** Multiplied by 10, it does nearly as well as L2. With four
#   times the rounds it does without: 0.80, and 0.75 to 0.79 with a penalty (outside).
#
# ### Does the tilt decide here?
#
# In the table a tilt cost half of the choices. For a trained critic we can ask the same. Take
# remembered states, 16 random actions in each, and a thousand goals from the same memory. The row's
# term is the log mean of $e^{f(s,a,g)}$ over the goals; at $f=\log M/p$ it is 0 but for the choice of
# goals. How much of the difference between actions is a difference of that term, and how often is
# another action the best once it is taken out?

# %%
from dataclasses import replace

tried = np.random.default_rng(2).uniform(-1, 1, (16, 2)).astype("f4")
many = replace(crl, batch_size=16 * size.agent_batch)


@jax.jit
@jax.vmap
def critic_table(params, mixture, replay):
    """Logits of 48 remembered states × 16 actions, for many remembered goals."""
    rows = many.batch((mixture, replay.view()), jax.random.key(3))[1]
    state, action = jnp.repeat(rows.state[:48], 16, axis=0), jnp.tile(tried, (48, 1))
    told = params | {"mixture": mixture}
    return crl.scores(told, state, action, rows.goal, method="pairwise")[0]


memories = jax.tree.map(lambda leaf: leaf[:, 0], jax.device_get(states.blocks.replay))
tables = np.array(critic_table(states.learner.params, mixtures, memories))
tables = tables.reshape(len(tables), -1, 16, tables.shape[-1])
row = np.log(np.exp(tables).mean(axis=3, keepdims=True))  # what the penalty acts on
between = tables.std(axis=2).mean(axis=(1, 2))
tilt_between = row.std(axis=2).mean(axis=(1, 2))
changed = (tables.argmax(axis=2) != (tables - row).argmax(axis=2)).mean(axis=(1, 2))
for name, *told in zip(
    kinds, *(np.split(x, len(kinds)) for x in (between, tilt_between, changed)),
    strict=True,
):  # fmt: skip
    spread, tilted, other = (x.mean() for x in told)
    print(
        f"{name:20} actions differ by {spread:.2f}, of that tilt {tilted:.2f};",
        f"without it {other:.2f} of the best actions change",
    )

# %% [markdown]
# Forward alone has the largest tilt, as it should: more than half of what tells its actions apart, in
# place of less than a third. For the others it is not nothing: without it one best action in five is
# another with L2 and 10 × cosine, one in nine with the cosine. After 15 rounds success follows neither:
# **the freedom that decides in the table is there in the agent, and is not yet what limits it.**
#
# It comes late. Longer runs (outside, five other seeds), with the two changes taken apart; the tilt as a
# share of what tells actions apart:
#
# | loss | success after 60 rounds | after 120 | tilt's share after 60 | after 120 |
# | --- | --- | --- | --- | --- |
# | forward | 0.86 | 0.76 | 0.72 | 0.88 |
# | forward + penalty | 0.81 | 0.80 | 0.33 | 0.32 |
# | symmetric | 0.81 | 0.87 | 0.33 | 0.29 |
#
# At 60 rounds forward alone is ahead. Then its tilt has grown, and it falls back; with the penalty, or
# with backward beside it, it does not. Is it the tilt? Walk by its critic after 120 rounds, taking the
# best of 25 actions in each step: 0.28 of the goals. Take the row's term out first: 0.61. (Such a walk
# depends on the actions that are tried: after 60 rounds 0.53 with 25 of them, 0.88 with 81.) On five more
# seeds forward alone went from 0.86 to 0.68, and to 0.79 after 150 rounds.
#
# ### Where it gets to
#
# How far are the goals that are reached? Moves on the grid from the start, share of goals ever near, by
# the last agents:


# %%
where = np.floor(np.array(test_goals) + 0.5).astype(int)
moves = grid.distances[grid.index(4, 0), [grid.index(*cell) for cell in where]]
last = dict(zip(names, is_near[-1].any(axis=3), strict=True))
noisy = dict(zip(names, np.any(by_sampling, axis=3), strict=True))
for name, came in (
    ("L2", last["L2"]), ("L2, sampling", noisy["L2"]), (baseline, last[baseline]),
    ("a straight line", line.any(axis=1)[None]),
):  # fmt: skip
    told = ", ".join(
        f"{low} to {high} moves {came[:, (moves >= low) & (moves <= high)].mean():.2f}"
        for low, high in ((0, 3), (4, 6), (7, 8))
    )
    print(f"{name:20} {told}")
final, missed = paths(states, 0)[:, :, -1], ~last["L2"]
face = (abs(final[..., 1] - 1.5) < 0.1) & (final[..., 0] > 0.5) & (final[..., 0] < 3.5)
print(f"of L2's misses {face[missed].mean():.2f} end at the wall's near face")

# %% tags=["hide-input"]
_moments = (4, 12, 25, 50, 99)
_path = paths(states, 0)[np.argsort(success["L2"][-1])[n // 2]]
_near = near_goal(_path)
fig, axes = plt.subplots(1, len(_moments), figsize=(6.8, 1.75))
for ax, _t in zip(axes, _moments, strict=True):
    figures.heatmap(
        ax, _grid.image(np.zeros(22)), f"step {_t + 1}", cmap="Greys", vmin=0, vmax=4
    )
    ax.title.set_size(9)
    for _mask, _color in ((_near[:40, _t], "ours"), (~_near[:40, _t], "second")):
        _lines = np.stack([_path[:40, _t], np.array(test_goals[:40])])[:, _mask]
        ax.plot(*_lines.transpose(2, 0, 1)[::-1], "-", lw=0.6, color=COLORS[_color])
        ax.plot(*_lines[0].T[::-1], "o", ms=3, color=COLORS[_color])
    ax.set_xlabel(f"{_near[:40, _t].sum()} of {len(_near[:40])}", fontsize=9)
here.show(
    fig,
    alt=f"Five moments of {len(_near[:40])} copies of one agent, each with its goal: "
    + ", ".join(
        f"after {_t + 1} steps {_near[:40, _t].sum()} are near theirs"
        for _t in _moments
    )
    + ". In the end the others stand at the left face of the wall.",
    caption="One agent, the seed of median success, told many goals. Dots are its "
    "copies, thin lines lead to their goals; blue ones are near.",
)

# %% [markdown]
# All know what is near. Behind the wall contrastive RL is ahead of SAC+HER at this time, and that is where
# its lead lies. What it misses it misses in one way: its copies press against the wall, level with a goal
# behind it (0.88 of the misses). They walk as the crow flies, and the straight line fails there too. With
# noise more of them come past the wall.
#
# ## Goals from the future
#
# A memory of whole walks is needed for all this. From a row with $n$ steps left in its episode, the
# goal is where the agent was $\delta$ steps later, with $\Pr(\delta)\propto\gamma^{\delta}$ for
# $1\le\delta\le n$: a geometric distribution, cut at the end and scaled to sum to 1. The library draws
# it by the inverse of its distribution function:

# %%
from goalward.data.sampling import future_pairs, geometric_offsets

replay = jax.tree.map(lambda leaf: leaf[0], memories)
lefts = (1, 3, 10, 30, 99)


@jax.jit
def drawn_offsets(key):
    lengths = jnp.repeat(jnp.array(lefts), 20_000)
    return geometric_offsets(key, lengths, 0.97).reshape(len(lefts), -1)


def truncated_geometric(left, gamma=0.97):
    mass = [gamma**delta for delta in range(1, left + 1)]
    return np.array(mass) / sum(mass)


offsets = np.array(drawn_offsets(jax.random.key(2)))
variation = []
for left, drawn in zip(lefts, offsets, strict=True):
    counted = np.bincount(drawn, minlength=left + 1)[1:] / len(drawn)
    variation.append(np.abs(counted - truncated_geometric(left)).sum() / 2)
data = jax.tree.map(jnp.asarray, replay).view()
now, future = jax.jit(partial(future_pairs, batch=20_000, gamma=0.97))(
    data, jax.random.key(3)
)
# Each episode has a goal of its own, by which one can tell episodes apart.
strangers = np.any(
    np.array(data.commanded)[now] != np.array(data.commanded)[future], axis=1
)
print(
    "total variation", np.round(variation, 3), "pairs across a reset", strangers.sum()
)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 2.6))
for _left, _drawn, _color in zip(
    lefts[2:], offsets[2:], ("third", "fourth", "ours"), strict=True
):
    _counts = np.bincount(_drawn, minlength=_left + 1)[1:] / len(_drawn)
    ax.plot(np.arange(1, _left + 1), _counts, ".", ms=4, color=COLORS[_color])
    ax.plot(np.arange(1, _left + 1), truncated_geometric(_left), color=COLORS[_color])
    figures.direct_label(
        ax,
        _left,
        truncated_geometric(_left)[-1],
        f"{_left} left",
        COLORS[_color],
        (-4, 8),
    )
ax.set(xlabel="steps ahead", ylabel="share of the goals", ylim=(0, None))
here.show(
    fig,
    alt="Shares of goals by how many steps ahead they lie, for rows with 10, 30 and 99 "
    "steps left in their episode. Dots of 20,000 draws lie on three falling curves, "
    "which end where the episode ends; the fewer steps are left, the higher the curve.",
    caption="How far ahead goals lie. Lines: the geometric distribution, cut at the "
    "episode's end and divided by what is left of it. Dots: draws.",
)

# %% [markdown]
# No pair crosses a reset. And the fewer steps are left, the nearer the goals: near an episode's end the
# agent learns only about its next moves.
#
# ## The claims, checked
#
# The paper shows curves on robots, and no number of it belongs to a point in a maze. Bounds named *paper*
# are its orders; the others follow from theory (*oracle*) or from an earlier implementation on other
# seeds (ours), and were fixed before this run; but two rows, the time near the goal beside SAC+HER and the
# temperature, were written down after a first look at agents of these seeds. Seeds cover tilts and batches in the table; networks,
# exploration and commanded goals in the agents. All agents are judged on the same goals, by their mean
# actions. The bound on the goals that L2 reaches says little: the straight line meets it as well.

# %% tags=["hide-input"]
_F = np.random.default_rng(5).normal(size=(8, 8)).astype("f4") * 3


@jax.jit
def _gradients(F):
    plain, flat = jax.grad(contrastive.info_nce)(F), jax.grad(preferences.flat_nce)(F)
    penalty = jax.grad(lambda F: jnp.mean(jax.nn.logsumexp(F, axis=1) ** 2))(F)
    return plain, plain + 0.1 * penalty, flat


_plain, _penalised, _flat = map(np.array, _gradients(_F))
for _id, _words, _measured, _bound in (
    (
        "rows_sum_to_zero",
        "Each row of forward InfoNCE's gradient sums to zero: largest sum",
        np.abs(_plain.sum(axis=1)).max(),
        "<= 1e-6",
    ),
    (
        "penalised_rows_do_not",
        "With the penalty none does: smallest sum",
        np.abs(_penalised.sum(axis=1)).min(),
        "> 1e-6",
    ),
    (
        "flat_nce",
        "FlatNCE has the gradient of forward InfoNCE: largest difference",
        np.abs(_flat - _plain).max(),
        "<= 1e-6",
    ),
):
    here.claim(
        _id,
        _words,
        paper="—",
        measured=_measured,
        bound=_bound,
        bound_from="oracle",
        kind="exact",
    )
for _id, _words, _measured, _bound, _null in (
    (
        "tilted_forward",
        "Forward InfoNCE from a tilted start: share of right choices",
        right["forward"],
        "<= 0.6",
        1.0,
    ),
    (
        "tilted_with_penalty",
        "The same with the penalty",
        right["forward + penalty"],
        ">= 0.8",
        0.25,
    ),
    (
        "penalty_gap",
        "What the penalty gains, from the same starts",
        right["forward + penalty"] - right["forward"],
        ">= 0.3",
        0.0,
    ),
    (
        "tilted_symmetric",
        "Symmetric InfoNCE from a tilted start, without penalty",
        right["symmetric"],
        ">= 0.8",
        0.25,
    ),
    (
        "tilt_stays",
        "Tilt that forward InfoNCE keeps, in nats (2 at the start)",
        tilt["forward"],
        ">= 1",
        0.0,
    ),
    (
        "penalty_removes_tilt",
        "with the penalty, in nats",
        tilt["forward + penalty"],
        "<= 0.1",
        1.0,
    ),
    (
        "symmetric_removes_tilt",
        "with symmetric InfoNCE, in nats",
        tilt["symmetric"],
        "<= 0.1",
        1.0,
    ),
    (
        "forward_error",
        "Its free part out, forward InfoNCE has the log ratio: root mean square "
        "error, nats",
        remains["forward"],
        "<= 0.3",
        1.0,
    ),
    ("backward_error", "and backward", remains["backward"], "<= 0.3", 1.0),
    ("symmetric_error", "and symmetric", remains["symmetric"], "<= 0.3", 1.0),
):
    here.claim(
        _id,
        _words,
        paper="—",
        measured=_measured,
        bound=_bound,
        bound_from="prototype",
        kind="statistical",
        covers="tilts and batches",
        null=_null,
    )
here.claim(
    "same_walk",
    "NumPy, a compiled step and a compiled loop walk alike: largest gap, cells",
    paper="—",
    measured=same_walk,
    bound="<= 1e-4",
    bound_from="oracle",
    kind="exact",
)
if here.scale != "smoke":  # a few short loops measure nothing
    here.claim(
        "many_at_once",
        f"{size.copies[-1]} environments in a compiled loop over a NumPy loop, steps a "
        "second: ratio",
        paper="— (whole training: up to 22 times other code)",
        measured=faster,
        bound=">= 20",
        bound_from="prototype",
        kind="exact",
    )
here.claim(
    "relabelled",
    "Goals lie a truncated geometric number of steps ahead: largest total variation",
    paper="—",
    measured=max(variation),
    bound="< 0.03",
    bound_from="oracle",
    kind="exact",
)
here.claim(
    "no_strangers",
    "Of 20,000 pairs in an agent's memory, those across a reset",
    paper="—",
    measured=strangers.sum(),
    bound="<= 0",
    bound_from="oracle",
    kind="exact",
)


def _last(told, name):
    return told[name][-1]


_same_step = list(success)[len(kinds)]
_short = "the mean meets the bound, the interval of five seeds does not"
_tuned = (
    "ten times the step size suits SAC+HER better and closes most of the lead that it "
    "leaves at the others' step size (see the row with the same step size)"
)
_reasons = {
    "over_sac": _tuned,
    "over_sac_by_far": _tuned,
    "over_sac_same_step": _short,
    "temperature": _short,
}
for _id, _words, _paper, _measured, _bound, _from, _null in (
    (
        "reaches_goals",
        "L2 with symmetric InfoNCE and penalty reaches its goals (a straight line: "
        f"{line.any(axis=1).mean():.2f})",
        "— (other tasks)",
        _last(success, "L2"),
        ">= 0.7",
        "prototype",
        0.0,
    ),
    (
        "over_sac",
        "and more of them than SAC+HER at the better of its step sizes",
        "better in most environments",
        _last(success, "L2") - _last(success, baseline),
        "> 0",
        "paper",
        0.0,
    ),
    (
        "over_sac_by_far",
        "by at least 0.2",
        "— (other tasks)",
        _last(success, "L2") - _last(success, baseline),
        ">= 0.2",
        "prototype",
        0.0,
    ),
    (
        "over_sac_same_step",
        "and at least 0.2 more than SAC+HER at the same step size",
        "— (other tasks)",
        _last(success, "L2") - _last(success, _same_step),
        ">= 0.2",
        "prototype",
        0.0,
    ),
    (
        "near_over_sac",
        "It is near its goal for longer than SAC+HER at the better step size",
        "better in most environments",
        _last(near, "L2") - _last(near, baseline),
        "> 0",
        "paper",
        0.0,
    ),
    (
        "over_cosine",
        "It is near for longer than with the cosine: difference in the share of time",
        "cosine worst",
        _last(near, "L2") - _last(near, "cosine"),
        ">= 0.3",
        "prototype",
        0.0,
    ),
    (
        "temperature",
        "The rival: a fixed temperature of 0.1 makes up for most of that",
        "—",
        _last(near, "10 × cosine") - _last(near, "cosine"),
        ">= 0.2",
        "prototype",
        0.0,
    ),
):
    here.claim(
        _id,
        _words,
        paper=_paper,
        measured=_measured,
        bound=_bound,
        bound_from=_from,
        kind="statistical",
        covers="all but the evaluation's goals",
        null=_null,
        reason=_reasons.get(_id, ""),
    )
here.conclude()

# %% [markdown]
# ## What differs from the paper
#
# 1. **World.** A point in a maze, with state and goal two numbers; the paper has fourteen and more
#    tasks of bodies on Brax and MuJoCo MJX.
# 2. **Time.** 96,000 environment steps and 1,500 updates; the paper runs ten million steps and more.
#    Here 64 steps come to an update, there (released defaults) 16.
# 3. **Sizes.** Two layers of 64 with layer normalisation, encodings of 16 numbers, batches of 64,
#    $\gamma=0.97$, step size 0.001; the released agent has two layers of 256 without normalisation,
#    64 numbers, batches of 256, $\gamma=0.99$ and 0.0003.
# 4. **Loss.** The paper's symmetric loss is the sum of both directions, as for our agents; in the tables
#    we take the mean, which weighs a penalty twice as much against it.
# 5. **Entropy's target.** −1 nat for two actions, as in the released code (half an action's nat each).
# 6. **Relabelling** in the released code draws a window of steps, and for each row one of the later rows
#    in it. Ours has the episode in place of the window, and no table of pairs.
# 7. **Names.** The released code calls the distance `norm` and its square `l2`; the paper's first code
#    had the root in `l2`. Its binary loss has no negatives in the released version; ours has.
# 8. **Left out.** Width, depth and layer normalisation, the updates per step, the actor's goals, and the
#    other energies: `goalward sweep` runs such grids.
#
# ## Scaling up
#
# The same learner, with the released networks, in this maze on a laptop, on bodies on a GPU, and a grid
# of its settings (`goalward sweep`, in [the guide](sweeps.md)):
#
# ```
# goalward bench online contrastive_rl --env point-maze --steps 100000 --seeds 4 --out runs/maze
# goalward bench online contrastive_rl --env ant --envs 512 --steps 10000000 --seeds 4 --out runs/ant
# goalward bench online sac_her --env ant --envs 512 --steps 10000000 --seeds 4 --out runs/ant-sac
# goalward bench show runs/ant
# ```
#
# [Learning while acting](online.md) is the guide, with what such runs came to on two processor cores: in
# `reacher`, a two-joint arm, contrastive RL is ahead of SAC+HER and TD3+HER at both step sizes tried.
# Beside the authors' code
# (`goalward bench parity contrastive_rl`, with their packages at hand): the same loss, gradients and
# update to rounding. We have no recorded run on a GPU yet. The authors report ten million steps of the
# ant in about ten minutes, and about 40 % success in the hardest of its mazes after 300 million.
# This chapter with more of everything:
#
# ```
# goalward run jaxgcrl --scale gpu
# ```
#
# ## Exercises
#
# Four exercises, 20 points, about 80 minutes, in [the exercise notebook](jaxgcrl_exercises.ipynb) that
# `make lab` puts beside this chapter. `goalward assignments check NOTEBOOK` says where you stand.
#
# 1. **Five energies** (easy, 20 minutes). All pairs, and safe far from the origin.
# 2. **Losses on a table of logits** (medium, 25 minutes). Six losses and the penalty, safe for large
#    logits.
# 3. **Futures from a window** (medium, 25 minutes). Relabel without crossing a reset.
# 4. **Updates to data** (easy, 10 minutes). The arithmetic of a round.
#
# ## Where to go from here
#
# [Contrastive RL](../1_predicting_the_future/contrastive_rl.ipynb) is the same critic on recorded data.
# [Temporal distances](../2_distances_and_horizons/temporal_distances.ipynb) turns the freedom $c(g)$ into
# a potential and the rest into a distance. [OGBench](ogbench.ipynb) is the benchmark for agents that may
# not act while they learn.
#
# **References.** Bortkiewicz et al. 2025, *Accelerating Goal-Conditioned RL Algorithms and Research*
# (ICLR). Eysenbach, Zhang, Levine, Salakhutdinov 2022, *Contrastive Learning as Goal-Conditioned
# Reinforcement Learning* (NeurIPS). Haarnoja et al. 2018, *Soft Actor-Critic Algorithms and
# Applications*. Andrychowicz et al. 2017, *Hindsight Experience Replay* (NeurIPS). Chen et al. 2021,
# *Simpler, Faster, Stronger: Breaking The log-K Curse On Contrastive Learners With FlatNCE*. Rafailov et
# al. 2023, *Direct Preference Optimization* (NeurIPS). Freeman et al. 2021, *Brax* (NeurIPS).
