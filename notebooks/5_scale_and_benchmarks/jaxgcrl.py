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
# the two critics below have the same loss to the last digit. Last, we train whole agents, and ask
# whether what was true in the table is what matters there. Not everything is.
#
# | | |
# | --- | --- |
# | Time | 75 minutes to read and play; the code runs in about a minute |
# | You need | the [refresher](../0_start/refresher.ipynb): contrastive losses, `scan` and `vmap`; [contrastive RL](../1_predicting_the_future/contrastive_rl.ipynb): a critic as a log ratio |
# | Afterwards you can | say which part of compiling makes a rollout fast; derive what a contrastive loss leaves free, and how to see it; relabel goals; train an agent that acts, and compare it fairly |

# %%
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures

here = chapter.begin("jaxgcrl")

# %% tags=["hide-input"]
import jax
import jax.numpy as jnp

from goalward.course.figures import COLORS
from goalward.methods import jaxgcrl
from goalward.tabular.grid import MOVES, Grid
from goalward.tabular.mdp import uniform_policy
from goalward.tabular.successor import successor_measure

_grid = Grid.parse(".....\n..#..\n..#..\n..#..\n.....")
_M = successor_measure(_grid.P[:, :4], uniform_policy(22, 4), 0.9)
_goal = _grid.index(0, 4)


def draw_moves(ax, values, goal, title):
    """The action of the largest value in each cell, towards one goal."""
    figures.heatmap(ax, _grid.image(np.zeros(22)), title, cmap="Greys", vmin=-0.1)
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


def _frames(loss):
    """Logits of each penalty and tilt, after exact descent."""
    table = jnp.array(_M.reshape(88, 22), jnp.float32)
    F = jaxgcrl.descend(loss, table, _tilted, _weights, steps=_steps)
    return dict(zip(_cases, np.array(F).reshape(-1, 22, 4, 22), strict=True))


_explored = {"forward": _frames(jaxgcrl.forward)}
fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.5))
draw_moves(axes[0], _M, _goal, "exact")
draw_moves(axes[1], _explored["forward"][0, 2], _goal, "InfoNCE")
draw_moves(axes[2], _explored["forward"][0.1, 2], _goal, "InfoNCE + penalty")
here.show(
    fig,
    alt="Three small mazes with an arrow in each cell and a star in the upper right "
    "corner. Left: the exact best moves lead to the star. Middle: most arrows do not. "
    "Right: nearly all do.",
    caption="The moves that a critic likes best, towards the star. Both learned "
    "critics began with the same random tilt and came to the least possible InfoNCE "
    "loss. Orange arrows are wrong.",
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
    return state.observation


@jax.jit
def by_scan(state, actions):
    def one(state, action):
        return jax.vmap(env.step, in_axes=(0, 0, None))(state, action, key), None

    return jax.lax.scan(one, state, actions)[0].observation


def speed(walk, actions, repeats=5):
    """Environment steps a second; the first call, which compiles, does not count."""
    jax.block_until_ready(walk(actions))
    rates = []
    for _ in range(repeats):
        begun = time.perf_counter()
        jax.block_until_ready(walk(actions))
        rates.append(actions.shape[0] * actions.shape[1] / (time.perf_counter() - begun))
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
ends = [by_numpy(random[1]), by_compiled_steps(random[1]), by_scan(starts(1), random[1])]
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
    f"{size.copies[-1]}. Two level lines for loops in Python with one environment: NumPy at "
    f"{rates['NumPy']:.0e}, a compiled step at {rates['compiled step']:.0e}.",
    caption="The same random steps, on the machine that recorded this page. The left "
    "end of the curve is a compiled loop over one environment.",
)

# %% [markdown]
# TEXT rollout

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
# TEXT table

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
            loss, jnp.array(M, jnp.float32), jnp.array(first, jnp.float32),
            jnp.array(penalties, jnp.float32), steps=size.table_steps,
        )
    )
    for name, loss in jaxgcrl.POPULATION.items()
}  # fmt: skip


def accuracy(F):
    """How often the best action by F is one of the best by M."""
    return jaxgcrl.greedy_accuracy(F.reshape(22, 4, 22), M4)


def tilt_of(F):
    """Standard deviation over (s, a) of the row offsets, in nats."""
    return jaxgcrl.offsets(F - log_ratio, known, axis=1).std()


free_part = {
    "forward": "rows", "backward": "columns", "symmetric": "constant",
    "logistic": "constant", "DPO": "rows", "IPO": "rows", "SPPO": "nothing",
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
straight = learned["forward"][2]
straight = straight - jaxgcrl.offsets(straight - log_ratio, known, 1)[:, None]
print("forward, tilted: right", accuracy(learned["forward"][2]).__round__(2), end="; ")
print("its offsets taken out:", accuracy(straight).__round__(2))

# %% tags=["hide-input"]
here.table(
    ("share of best actions that are right", "leaves free", *groups),
    [
        (name, free_part[name], *(f"{share:.2f}" for share in shares[name]))
        for name in shares
    ],
)

# %% [markdown]
# TEXT batches

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
# TEXT explorer

# %% tags=["hide-input"]
_explored |= {
    name: _frames(loss)
    for name, loss in (("backward", jaxgcrl.backward), ("IPO", jaxgcrl.ipo))
}


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
# TEXT agent

# %%
from goalward.baselines.sac_her import SACHER
from goalward.baselines.td3_her import Within
from goalward.evaluation.goal_reaching import GoalReaching
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
each = [np.repeat(np.array(w, "f4"), n, axis=0) for w in zip(*kinds.values(), strict=True)]
mixtures = jaxgcrl.Mixture(*map(jnp.array, each))
every = min(5, size.rounds)
states, history = train(
    crl, env, rounds, jax.random.key(1), size.rounds, seeds=len(kinds) * n,
    log_every=every, probe=GoalReaching(env, crl, size.episodes), variants=mixtures,
    progress=here.progress("contrastive RL"),
)  # fmt: skip

# %%
sac = SACHER(
    critic=GoalValue((64, 64)), reached=Within(env.reach), random_goals=0.5, **common
)
step_sizes = (1e-3, 3e-3, 1e-2)
runs = len(step_sizes) * n
sac_states = fresh_states(sac, env, rounds, jax.random.key(1), runs)
learner = sac_states.learner.replace(
    learning_rate=jnp.repeat(jnp.array(step_sizes), n)
)
sac_states, sac_history = train(
    sac, env, rounds, jax.random.key(1), size.rounds, seeds=runs,
    states=sac_states.replace(learner=learner), log_every=every,
    probe=GoalReaching(env, sac, size.episodes), progress=here.progress("SAC+HER"),
)  # fmt: skip


def by_kind(metric):
    """(seeds, logs) of each agent."""
    names = (*kinds, *(f"SAC+HER, step {rate:g}" for rate in step_sizes))
    told = np.concatenate([history[metric], sac_history[metric]])
    return dict(zip(names, np.split(told, len(names)), strict=True))


success, near = by_kind("success_any"), by_kind("time_near_goal")
# The baseline's better step size, by the very evaluation that it is compared on.
baseline = max(list(success)[len(kinds) :], key=lambda name: success[name][:, -1].mean())
for name in success:
    print(
        f"{name:20} success {success[name][:, -1].mean():.2f}",
        f"{success[name][:, -1].round(2)}, near {near[name][:, -1].mean():.2f}",
    )

# %% tags=["hide-input"]
_env_steps = history["env_steps"][0] / 1000
_styles = {
    "L2": ("ours", "o"), "L2, forward alone": ("fifth", "s"), "10 × cosine": ("third", "^"),
    "cosine": ("fourth", "v"), baseline: ("second", "D"),
}  # fmt: skip
fig, axes = plt.subplots(1, 2, figsize=(6.6, 3.1), sharex=True, sharey=True)
for ax, _of, _title in zip(
    axes, (success, near), ("ever near the goal", "share of the time near it"), strict=True
):
    for _name, (_color, _marker) in _styles.items():
        ax.plot(
            _env_steps, _of[_name].mean(axis=0), _marker + "-", ms=4.5,
            color=COLORS[_color], label=_name,
        )  # fmt: skip
    ax.set(title=_title, xlabel="thousand environment steps", ylim=(0, 1))
axes[0].set_ylabel(f"mean of {n} seeds")
axes[0].legend(fontsize=8, loc="upper left")
here.show(
    fig,
    alt="Two panels of learning curves, success and share of time near the goal. At the "
    "end, success and time near: "
    + "; ".join(
        f"{_name} {success[_name][:, -1].mean():.2f} and {near[_name][:, -1].mean():.2f}"
        for _name in _styles
    )
    + ".",
    caption="Agents that act by their mean action, after each few rounds, on the same "
    f"{size.episodes} goals. Of SAC+HER the better of two step sizes.",
)

# %% [markdown]
# TEXT tilt

# %%
tried = np.random.default_rng(2).uniform(-1, 1, (16, 2)).astype("f4")


@jax.jit
@jax.vmap
def critic_table(params, mixture, replay):
    """Logits of remembered states × 16 actions, and of their own goals."""
    rows = crl.batch((mixture, replay.view()), jax.random.key(3))[1]
    rows = jax.tree.map(lambda leaf: leaf[:48], rows)
    state, action = jnp.repeat(rows.state, 16, axis=0), jnp.tile(tried, (len(rows.state), 1))
    told = params | {"mixture": mixture}
    return crl.scores(told, state, action, rows.goal, method="pairwise")[0]


memories = jax.tree.map(lambda leaf: leaf[:, 0], states.blocks.replay)
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
# TEXT strip

# %%
@partial(jax.jit, static_argnums=0)
def walk(agent, actor):
    """Positions of 22 copies of an agent, each told another cell's centre."""
    goals = jnp.array(grid.cells, jnp.float32)
    start = jax.vmap(env.at)(jnp.tile(goals[grid.index(4, 0)], (22, 1)), goals)

    def one(state, _):
        action, _ = agent.propose({"actor": actor}, state.observation, goals, key, 0.0)
        state = jax.vmap(env.step, in_axes=(0, 0, None))(state, action, key)
        return state, state.observation

    return jax.lax.scan(one, start, None, env.horizon)[1]


middle_run = np.argsort(success["L2"][:, -1])[n // 2]
actor = jax.tree.map(lambda leaf: leaf[middle_run], states.learner.params["actor"])
path = np.array(walk(crl, actor))

# %% tags=["hide-input"]
_moments = (4, 12, 25, 50, 99)
fig, axes = plt.subplots(1, len(_moments), figsize=(6.8, 1.75))
for ax, _t in zip(axes, _moments, strict=True):
    figures.heatmap(ax, _grid.image(np.zeros(22)), f"step {_t + 1}", cmap="Greys", vmin=-0.1)
    ax.title.set_size(9)
    _there = np.linalg.norm(path[_t] - grid.cells, axis=1) <= env.reach
    for _mask, _color in ((_there, "ours"), (~_there, "second")):
        for _at, _to in zip(path[_t][_mask], grid.cells[_mask], strict=True):
            ax.plot(*np.stack([_at, _to])[:, ::-1].T, "-", lw=0.7, color=COLORS[_color])
        ax.plot(*path[_t][_mask].T[::-1], "o", ms=3.5, color=COLORS[_color])
    ax.set_xlabel(f"{_there.sum()} of 22", fontsize=9)
here.show(
    fig,
    alt="Five moments of one agent in 22 copies, each told another cell: "
    + ", ".join(
        f"after {_t + 1} steps {int((np.linalg.norm(path[_t] - grid.cells, axis=1) <= env.reach).sum())} are near their goals"
        for _t in _moments
    )
    + ".",
    caption="One agent (the seed of median success), told the centre of each of the 22 "
    "cells. Dots are copies, thin lines lead to their goals; blue ones are near.",
)

# %% [markdown]
# TEXT relabel

# %%
from goalward.data.sampling import future_pairs, geometric_offsets

replay = jax.tree.map(lambda leaf: leaf[0, 0], states.blocks.replay)
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
data = replay.view()
now, future = jax.jit(partial(future_pairs, batch=20_000, gamma=0.97))(
    data, jax.random.key(3)
)
# Each episode has a goal of its own, by which one can tell episodes apart.
strangers = np.any(np.array(data.commanded)[now] != np.array(data.commanded)[future], axis=1)
print("total variation", np.round(variation, 3), "pairs across a reset", strangers.sum())

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 2.6))
for _left, _drawn, _color in zip(lefts[2:], offsets[2:], ("third", "fourth", "ours"), strict=True):
    _counts = np.bincount(_drawn, minlength=_left + 1)[1:] / len(_drawn)
    ax.plot(np.arange(1, _left + 1), _counts, ".", ms=4, color=COLORS[_color])
    ax.plot(np.arange(1, _left + 1), truncated_geometric(_left), color=COLORS[_color])
    figures.direct_label(
        ax, _left, truncated_geometric(_left)[-1], f"{_left} left", COLORS[_color], (-4, 8)
    )
ax.set(xlabel="steps ahead", ylabel="share of the goals", ylim=(0, None))
here.show(
    fig,
    alt="Shares of goals by how many steps ahead they lie, for rows with 10, 30 and 99 "
    "steps left in their episode. Dots of 20,000 draws each lie on three falling curves, "
    "which end where the episode ends; the fewer steps are left, the higher the curve.",
    caption="How far ahead the goals lie. Lines: the geometric distribution, cut at the "
    "episode's end and divided by what is left of it. Dots: draws.",
)

# %% [markdown]
# TEXT claims

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
        "Once its free part is out, forward InfoNCE has the log ratio: root mean square "
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
        f"{size.copies[-1]} environments in a compiled loop over a loop in NumPy, steps a "
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
    return told[name][:, -1]


_same_step = list(success)[len(kinds)]
for _id, _words, _paper, _measured, _bound, _from, _null in (
    (
        "reaches_goals",
        "L2 with symmetric InfoNCE and penalty reaches its goals",
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
        reason=REASONS.get(_id, ""),
    )
here.conclude()
