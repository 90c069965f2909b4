# %% [markdown]
# # Where will I be? Tabular RL and JAX in one sitting
#
# **If I do this now and carry on as usual, where will I be later?**
#
# Every chapter of this course is about that question. This one answers it exactly, in a world so
# small that you can see all of it: two rooms and a door. It takes 60 to 90 minutes. You need Python with NumPy, linear algebra and a
# little probability; no reinforcement learning (RL) and no JAX.
#
# Afterwards you can
#
# - write a small decision problem as tables, and compute what any policy leads to by solving a
#   linear system;
# - compute a *successor measure* in four ways, and read plans off it;
# - say what InfoNCE learns and why, and prove it on an example that you can enumerate;
# - write a training loop in JAX that runs five random seeds at once.

# %%
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures
from goalward.tabular import dynamic_programming, grid, mdp, paths, successor

here = chapter.begin("refresher")

# %%
size = here.sizes(
    #            smoke   laptop   gpu
    walks=      (500,    10_000,  1_000_000),
    transitions=(2_000,  20_000,  300_000),
    steps=      (200,    3_000,   40_000),
    batch=      (64,     128,     1_024),
    seeds=      (5,      5,       10),
)  # fmt: skip

# %% [markdown]
# ## A world is a table
#
# Our world has 25 cells. A **state** $s$ is the cell you are in. An **action** $a$ is one of up,
# down, left, right, stay. What an action does is written in one table: $P(s'\mid s,a)$ is the
# probability that action $a$ in state $s$ leads to the next state $s'$. Here a move into a wall
# leaves you where you are, and nothing is random, so each row of the table holds a single 1.
#
# A **policy** $\pi(a\mid s)$ says how you act: the probability of each action in each state. Ours
# is aimless: all five actions are equally likely. States, actions, $P$ and $\pi$ together are all
# there is. (With a reward, which comes in a moment, this is a *Markov decision process*. "Markov"
# means that the next state depends on the present state and action, and on nothing earlier.)

# %%
rooms = grid.Grid.parse(
    """
    #########
    #...#...#
    #...#...#
    #.......#
    #...#...#
    #########
    """
)
P, states, actions = rooms.P, rooms.states, len(grid.ACTIONS)
aimless = mdp.uniform_policy(states, actions)
home, far = rooms.index(1, 1), rooms.index(4, 7)
print("P has shape", P.shape, "= (states, actions, next states)")
right = grid.ACTIONS.index("right")
print(
    "from home",
    rooms.cells[home],
    "right leads to",
    rooms.cells[P[home, right].argmax()],
)

# %% [markdown]
# Let the policy act and you get a **trajectory** $s_0,a_0,s_1,a_1,s_2,\dots$ Here are some, from
# the top left corner.

# %%
gamma = 0.9
rng = np.random.default_rng(0)
walks, _ = mdp.sample_trajectories(
    P, aimless, rng, n=size.walks, horizon=200, start=np.full(size.walks, home)
)
stops = rng.geometric(
    1 - gamma, size=size.walks
)  # 1, 2, 3, ... steps: the clock, see below
found = walks[
    np.arange(size.walks), np.minimum(stops, 200)
]  # a clock beyond 200: 1 in a billion
crossed = np.flatnonzero(rooms.cells[found, 1] > 4)[
    0
]  # the first that stops in the far room

fig, axes = plt.subplots(1, 2, figsize=(6.4, 2.5))
blank = rooms.image(np.zeros(states))
figures.heatmap(axes[0], blank, "Three walks from one corner", cmap="Greys", vmax=1)
for walk, color, shift in zip(
    (0, 1, crossed), ("ours", "second", "third"), (-0.2, 0.0, 0.2), strict=True
):
    cells = rooms.cells[walks[walk, : stops[walk] + 1]] + shift
    axes[0].plot(cells[:, 1], cells[:, 0], color=figures.COLORS[color])
    axes[0].plot(
        cells[-1, 1], cells[-1, 0], "o", color=figures.COLORS[color], markersize=8
    )
exact = successor.state_successor_measure(P, aimless, gamma)
image = figures.heatmap(
    axes[1], rooms.image(exact[home]), "Where they stop, exactly", norm="log"
)
fig.colorbar(image, ax=axes[1], label="probability")
here.show(
    fig,
    alt="Left: three coloured random walks from the top left corner of two rooms, each ending in a "
    "dot, one of them in the far room. Right: a heat map of where such walks stop; bright near the start, dark in the far room.",
    caption="Each walk is stopped at a random time (dot). The one through the door is a rare one. "
    "Over many walks, the stops make the map on the right: the successor measure of the corner. By the end of this page you can compute it "
    "in four ways.",
    lead=True,
)

# %% [markdown]
# ## Acting turns the table into a Markov chain
#
# Average over the actions that the policy takes, and the actions disappear:
#
# $$P_\pi(s'\mid s)=\sum_a\pi(a\mid s)\,P(s'\mid s,a).$$
#
# In words: the chance to go from $s$ to $s'$ is the chance of each action times the chance that it
# leads there. $P_\pi$ is a square matrix whose rows sum to one. Its powers look further ahead:
# $(P_\pi^t)(s'\mid s)$ is the probability of being in $s'$ after $t$ steps.
#
# **Predict before you run.** Home is a corner. What is the probability of still being there after
# one step?
#
# <details><summary>Answer</summary>
#
# Three in five. Up and left bump into walls, and staying stays.
#
# </details>

# %%
chain = mdp.state_transitions(P, aimless)
print("still at home after 1 step:", chain[home, home].round(3))
print(
    "after 1000 steps:",
    np.linalg.matrix_power(chain, 1000)[home, home].round(3),
    "= 1 / 25",
)

# %% [markdown]
# ## The discount is a clock that may stop at any step
#
# Give each state and action a **reward** $r(s,a)$. A policy is judged by the **value**, the
# expected sum of rewards in which what comes later counts less:
#
# $$V^\pi(s)=\mathbb E\Big[\sum_{t\ge0}\gamma^t\,r(s_t,a_t)\;\Big|\;s_0=s\Big],\qquad 0\le\gamma<1.$$
#
# The **discount** $\gamma$ has a concrete meaning. Imagine a clock. After each step it stops with
# probability $1-\gamma$. Then $\gamma^t$ is just the chance that it still runs after $t$ steps, and
# $V^\pi$ is the expected sum of rewards until it stops. The step $K$ at which it stops is
# geometric:
#
# $$\Pr(K=k)=(1-\gamma)\,\gamma^{k-1},\quad k=1,2,\dots,\qquad \mathbb E[K]=\frac1{1-\gamma}.$$
#
# At $\gamma=0.9$ you look 10 steps ahead on average, at $0.99$ a hundred. But "on average" hides
# much: the most likely single stop is always the very next step.

# %%
fig, ax = plt.subplots(figsize=(6.4, 2.6))
k = np.arange(1, 41)
for discount, color, x in ((0.5, "ours", 2), (0.9, "second", 8), (0.97, "third", 24)):
    chance = (1 - discount) * discount ** (k - 1)
    ax.plot(k, chance, ".-", color=figures.COLORS[color])
    text = f"γ = {discount}: mean {1 / (1 - discount):.0f} steps"
    figures.direct_label(
        ax, x, chance[x - 1], text, figures.COLORS[color], offset=(6, 9)
    )
ax.set(xlabel="step k at which the clock stops", ylabel="probability", ylim=(0, None))
here.show(
    fig,
    alt="Probability of stopping at step k for three discounts. All three fall from the first step "
    "on; at 0.5 steeply, at 0.97 so slowly that the curve looks almost flat.",
    caption="The geometric clock. A larger discount stretches the curve, but it never moves the "
    "peak away from k = 1.",
)

# %% [markdown]
# How do you compute $V^\pi$? Split off the first step. What follows is the same problem again, one
# step later, if the clock still runs:
#
# $$V^\pi=r_\pi+\gamma P_\pi V^\pi,\qquad r_\pi(s)=\sum_a\pi(a\mid s)\,r(s,a).$$
#
# This is the **Bellman equation**. For a small world it is a linear system,
# $(I-\gamma P_\pi)V^\pi=r_\pi$, and you solve it. For a large one you turn it into a loop: start
# anywhere, put the right-hand side in place of $V$, repeat. Each round shrinks the largest error by
# at least the factor $\gamma$, because averaging ($P_\pi$) cannot make the largest error larger.
#
# Let the reward be 1 for each step that begins in the far corner.

# %%
reward = np.zeros((states, actions))
reward[far] = 1.0
r_pi = (aimless * reward).sum(axis=1)

V = np.linalg.solve(np.eye(states) - gamma * chain, r_pi)
guess, gaps = np.zeros(states), []
for _ in range(100):
    gaps.append(np.abs(guess - V).max())
    guess = r_pi + gamma * chain @ guess

_, library = dynamic_programming.policy_evaluation(P, aimless, reward, gamma)
print("agrees with the library:", np.allclose(V, library, rtol=0, atol=1e-12))

# %%
fig, ax = plt.subplots(figsize=(6.4, 2.6))
rounds = np.arange(100)
ax.semilogy(rounds, gaps, color=figures.COLORS["ours"])
ax.semilogy(rounds, gaps[0] * gamma**rounds, "--", color=figures.COLORS["exact"])
figures.direct_label(
    ax,
    60,
    gaps[60],
    "largest error",
    figures.COLORS["ours"],
    offset=(-8, -16),
    ha="right",
)
figures.direct_label(
    ax,
    45,
    gaps[0] * gamma**45,
    "promised: γ each round",
    figures.COLORS["exact"],
    offset=(4, 10),
)
ax.set(xlabel="round of iteration", ylabel="error of the values")
here.show(
    fig,
    alt="The largest error of the values against the round of iteration, on a logarithmic axis: a "
    "line that falls below a dashed straight line, the promised rate, and ends parallel to it.",
    caption="Iterating the Bellman equation. The error falls by the discount at every round, as "
    "promised, or faster: a patient agent (γ near 1) has to iterate longer.",
)

# %% [markdown]
# ## The successor measure: one map that answers for every reward
#
# A value depends on the reward. Ask a question that does not: **when the clock stops, where am I?**
# Start in $s$, take action $a$, follow $\pi$ afterwards. The state at the random step $K$ has the
# distribution
#
# $$M^\pi(s_+\mid s,a)=\sum_{k\ge1}\Pr(K=k)\Pr(s_k=s_+)=(1-\gamma)\sum_{k\ge1}\gamma^{k-1}\Pr(s_k=s_+\mid s,a).$$
#
# This is the **successor measure** (also: discounted state occupancy). We write $s_+$ for a state
# met in the future. For each $(s,a)$ it is a distribution over states: it sums to one. The counting
# begins with the *next* state; the [notation page](notation.ipynb) shows the other custom and how
# to convert.
#
# Splitting off the first step works here too. Either the clock stops at once and finds you in $s'$,
# or it runs on from there:
#
# $$M^\pi(s_+\mid s,a)=(1-\gamma)\,P(s_+\mid s,a)+\gamma\sum_{s'}P(s'\mid s,a)\,\bar M^\pi(s_+\mid s'),$$
#
# where $\bar M^\pi(s_+\mid s)=\sum_a\pi(a\mid s)M^\pi(s_+\mid s,a)$ averages over the first action.
# As matrices, $\bar M=(1-\gamma)P_\pi+\gamma P_\pi\bar M$, and so
#
# $$\bar M=(1-\gamma)(I-\gamma P_\pi)^{-1}P_\pi=(1-\gamma)\sum_{k\ge1}\gamma^{k-1}P_\pi^k .$$
#
# That is three ways to compute it: solve, add up powers, or walk and count where the clock stops
# you.

# %%
solved = (1 - gamma) * np.linalg.solve(np.eye(states) - gamma * chain, chain)

summed, after_k = np.zeros((states, states)), chain
for k in range(1, 400):
    summed += (1 - gamma) * gamma ** (k - 1) * after_k
    after_k = after_k @ chain

counted = np.bincount(found, minlength=states) / size.walks

print(
    f"solve against powers:  {np.abs(solved - summed).max():.0e}, the largest difference"
)
print(f"solve against library: {np.abs(solved - exact).max():.0e}")
print(f"solve against {size.walks} walks: {np.abs(solved[home] - counted).max():.4f}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(6.4, 1.9))
maps = {
    "Linear solve": solved[home],
    "Power series": summed[home],
    f"{size.walks} walks": counted,
}
for ax, (name, row) in zip(axes, maps.items(), strict=True):
    image = figures.heatmap(ax, rooms.image(row), name, vmin=0, vmax=solved[home].max())
fig.colorbar(image, ax=axes, label="probability", shrink=0.8)
here.show(
    fig,
    alt="Three heat maps of the successor measure from the top left corner, computed by solving, by "
    "a power series and by counting walks. They look the same.",
    caption="Three ways, one map. The first two agree to rounding. The walks carry sampling noise, "
    "which shrinks with the square root of their number.",
)

# %% [markdown]
# Once you have $M$, the value of **any** reward is a sum. With $Q^\pi(s,a)$ for the value of
# starting with action $a$,
#
# $$Q^\pi(s,a)=r(s,a)+\frac{\gamma}{1-\gamma}\sum_{s_+}M^\pi(s_+\mid s,a)\,r_\pi(s_+).$$
#
# The first term is the reward now. The second is the average reward where the clock stops you,
# times the number of steps that you expect to be left. Dynamics and policy sit in $M$, wishes in
# $r$, and the two are kept apart. This is why so much of the course learns $M$, or something like
# it, before anybody says what it is for.

# %%
M = successor.successor_measure(P, aimless, gamma)  # (states, actions, states)
by_map = reward + gamma / (1 - gamma) * M @ r_pi
by_bellman, _ = dynamic_programming.policy_evaluation(P, aimless, reward, gamma)
print(
    f"largest difference between the two Q tables: {np.abs(by_map - by_bellman).max():.0e}"
)

# %% [markdown]
# ## Learn it from experience, one step at a time
#
# All three ways need something that you may not have: the table $P$, or whole walks from the state
# you ask about. A fourth way needs only single steps $(s,a,s',a')$ of somebody's experience. It
# keeps a table of guesses $\hat M$ and nudges it toward the Bellman equation's right-hand side,
# with the sampled $s',a'$ in place of the averages:
#
# $$\hat M(\cdot\mid s,a)\;\leftarrow\;\hat M(\cdot\mid s,a)+\alpha\Big[\underbrace{(1-\gamma)\,\mathbf e_{s'}+\gamma\,\hat M(\cdot\mid s',a')}_{\text{target}}-\hat M(\cdot\mid s,a)\Big].$$
#
# Here $\mathbf e_{s'}$ is the row that is 1 at $s'$ and 0 elsewhere, and $\alpha$ is the step size.
# This is **temporal-difference** (TD) learning: the guess at one time learns from the guess one
# step later. It uses a guess to improve a guess, which is called *bootstrapping*. The form that
# takes the next action from the data is called SARSA, after the letters $s,a,r,s',a'$. What it
# learns here is the **successor representation**.
#
# **Predict before you run.** We try a large step size, a small one, and one that shrinks as
# $1/\sqrt n$ with the number $n$ of visits. Which is best early, and which is best late?
#
# <details><summary>Answer</summary>
#
# Large steps learn fast and then rattle around: each new sample overwrites a good part of what was
# known. Small steps average over many samples, but take long to get anywhere. A shrinking step has
# both: fast at first, calm later.
#
# </details>

# %%
checkpoints = sorted(set(np.geomspace(100, size.transitions, 25).astype(int).tolist()))
# One stream of experience a row, one row a seed.
S, A = mdp.sample_trajectories(P, aimless, rng, n=size.seeds, horizon=size.transitions)
each = np.arange(size.seeds)


def td_errors(step_size):
    """Total variation to the exact map, averaged over (s, a): one row a seed."""
    guess = np.full((size.seeds, states, actions, states), 1 / states)
    visits = np.zeros((size.seeds, states, actions))
    errors = []
    for t in range(size.transitions):
        now, then = (each, S[:, t], A[:, t]), (each, S[:, t + 1], A[:, t + 1])
        visits[now] += 1
        target = gamma * guess[then]
        target[each, S[:, t + 1]] += 1 - gamma
        guess[now] += step_size(visits[now])[:, None] * (target - guess[now])
        if t + 1 in checkpoints:
            errors.append(0.5 * np.abs(guess - M).sum(axis=-1).mean(axis=(1, 2)))
    return np.array(errors).T


curves = {
    "α = 0.5": td_errors(lambda n: np.full_like(n, 0.5)),
    "α = 0.1": td_errors(lambda n: np.full_like(n, 0.1)),
    "α = 1/√n": td_errors(lambda n: 1 / np.sqrt(n)),
}

# %%
fig, ax = plt.subplots(figsize=(6.4, 3))
looks = {"α = 0.5": ("second", 0), "α = 0.1": ("third", 6), "α = 1/√n": ("ours", -6)}
for name, (color, up) in looks.items():
    figures.band(ax, checkpoints, curves[name], figures.COLORS[color])
    end = curves[name][:, -1].mean()
    figures.direct_label(
        ax, checkpoints[-1], end, name, figures.COLORS[color], offset=(5, up)
    )
ax.set(
    xscale="log",
    xlabel="steps of experience",
    ylabel="error (total variation)",
    ylim=(0, None),
)
here.show(
    fig,
    alt="Error of the learned successor measure against steps of experience for three step sizes: "
    "the largest levels off high; the small one starts slowly; the shrinking one is low throughout.",
    caption="Temporal differences. Total variation is half the summed absolute difference: 0 for "
    "equal distributions, 1 for disjoint ones. Lines are means over seeds, bands 95% confidence "
    "intervals. A constant step ends on a floor that its size sets.",
)

# %% [markdown]
# Keep that floor in mind. In chapter 1 a paper compares its method with this one, and how the step
# size was chosen decides part of the answer.
#
# ## A goal is a column of the map
#
# Now say that you want to be in state $g$. Give the reward $1-\gamma$ for each step that arrives in
# $g$. The value of this wish is $M^\pi(g\mid s,a)$, the probability that the clock finds you there.
# So **the column $g$ of the successor measure is a goal-conditioned value function**, and the whole
# table holds the value functions of all goals at once.
#
# You can act on it: in each state take the action with the largest $M^\pi(g\mid s,a)$. But $M^\pi$
# describes the aimless policy. Does climbing an aimless walker's map lead anywhere?
#
# **Predict:** from how many of the 600 pairs of a start and another goal does the greedy climber
# arrive?
#
# <details><summary>Answer</summary>
#
# From all of them. Let $h(s)$ be the chance that the clock, allowed to stop at once, finds you in
# $g$. Away from $g$ it satisfies $h(s)=\gamma\cdot$(average of $h$ over the places one step away),
# so it is strictly smaller than the largest $h$ among them: there is always a step up, and staying
# is never one. A climber therefore goes up until there is nothing higher. The only such place is
# $g$. (In this world the next state is certain, so $M^\pi(g\mid s,a)=h(s')$, and the largest $M$
# *is* the step to the highest neighbour.)
#
# </details>

# %%
arrived = np.eye(
    states, dtype=bool
)  # arrived[s, g]: the climber that started in s has been at g
climber = np.repeat(np.arange(states)[:, None], states, axis=1)
taken = np.zeros((states, states), dtype=int)
goals = np.arange(states)[None, :]
for _ in range(2 * states):
    best = M.transpose(0, 2, 1)[climber, goals].argmax(axis=-1)
    climber = np.where(arrived, climber, rooms.next_state[climber, best])
    taken += ~arrived
    arrived |= climber == goals
pairs = ~np.eye(states, dtype=bool)
print(f"arrived: {arrived[pairs].sum()} of {pairs.sum()}")
print(
    "longer than the shortest path:", (taken > rooms.distances)[pairs].sum(), "of them"
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(6.4, 2.2))
for ax, goal, name in (
    (axes[0], far, "Goal: far corner"),
    (axes[1], home, "Goal: home"),
):
    figures.heatmap(ax, rooms.image(M[:, :, goal].mean(axis=1)), name, norm="log")
    direction = grid.MOVES[M[:, :, goal].argmax(axis=1)]
    moving = np.arange(states) != goal
    (rows, columns), (down, right) = rooms.cells[moving].T, direction[moving].T
    ax.quiver(
        columns, rows, right, -down, color="white", pivot="mid", scale=14, width=0.012
    )
    ax.plot(
        *rooms.cells[goal][::-1],
        "*",
        color="white",
        markeredgecolor="black",
        markersize=14,
    )
here.show(
    fig,
    alt="Two maps of the column of the successor measure, for a goal in each of two opposite "
    "corners. White arrows show the best action in each cell; they lead through the door to the goal.",
    caption="Two columns of one table, and the greedy action in each cell. Nobody trained for either goal.",
)

# %% [markdown]
# Here the climber even takes shortest paths. That is a gift of this small world: in general it
# takes the way that a random walk finds easily, which can be longer.
#
# What would the *best* policy for each goal do? Repeat the Bellman equation with the best action in
# place of the average one. This is **value iteration**,
# $Q(s,a)\leftarrow r(s,a)+\gamma\sum_{s'}P(s'\mid s,a)\max_{a'}Q(s',a')$. The best policy walks
# straight to $g$ and stays. It is there for the first time after $1+D(s',g)$ steps, where $D$
# counts the moves on a shortest path, so the clock finds it there exactly if it has not stopped
# earlier:
#
# $$Q^*_g(s,a)=\gamma^{\,D(s',g)}.$$

# %%
optimal = np.stack(
    [
        dynamic_programming.value_iteration(
            P, (1 - gamma) * P[:, :, goal], gamma, tol=1e-12
        )[0]
        for goal in range(states)
    ],
    axis=-1,
)
by_distance = gamma ** rooms.distances[rooms.next_state]
print(f"largest difference: {np.abs(optimal - by_distance).max():.0e}")
print(
    "largest violation of the triangle inequality:",
    paths.triangle_violation(rooms.distances),
)

# %% [markdown]
# Turn it around: $\log Q^*/\log\gamma$ is a distance. It need not be symmetric (make the door
# one-way, and the way back becomes impossible), but going from $x$ to $z$ by way of $y$ can never
# be shorter than the best way from $x$ to $z$: $D(x,z)\le D(x,y)+D(y,z)$. A cost with this
# **triangle inequality**, and zero from a place to itself, is a **quasimetric**. Part 2 of the
# course builds it into the network, so that what is learned about short trips carries over to long
# ones.
#
# ## Ratios: learn by telling apart
#
# Tables end where images begin. Methods for large worlds do not store $M$; they train a function by
# a game. To see what the game teaches, leave the rooms for a moment. You look out of the window,
# see the weather $x$, and guess what a passer-by carries, $y$. The table holds the probability of
# each pair.

# %%
weather, carried = ("sun", "rain", "snow"), ("hat", "umbrella", "boots", "sunglasses")
joint = np.array(
    [
        [0.12, 0.02, 0.02, 0.24],
        [0.04, 0.20, 0.05, 0.01],
        [0.10, 0.03, 0.16, 0.01],
    ]
)
p_x, p_y = joint.sum(axis=1), joint.sum(axis=0)
log_ratio = np.log(joint / (p_x[:, None] * p_y[None, :]))  # log p(y | x) / p(y)

fig, ax = plt.subplots(figsize=(6.4, 2.4))
ax.imshow(log_ratio, cmap=figures.DIVERGING, vmin=-2.5, vmax=2.5, aspect="auto")
ax.set_xticks(range(4), carried)
ax.set_yticks(range(3), weather)
for i in range(3):
    for j in range(4):
        ink = "white" if abs(log_ratio[i, j]) > 1.6 else "black"
        ax.text(j, i, f"{log_ratio[i, j]:+.2f}", ha="center", va="center", color=ink)
ax.spines[:].set_visible(False)
ax.tick_params(length=0)
here.show(
    fig,
    alt="A table of three kinds of weather by four things carried, with the logarithm of the density "
    "ratio in each cell; umbrella is high in rain, sunglasses are high in sun and very low otherwise.",
    caption="log p(y | x) / p(y), in nats: how much the weather speaks for (positive) or against "
    "(negative) an item, compared with how common the item is anyway.",
)

# %% [markdown]
# **The game.** You are shown the weather $x$ (the **anchor**) and $N$ items (the **candidates**).
# One was carried in that weather, drawn from $p(y\mid x)$; the others are drawn from $p(y)$,
# whatever the weather. Which is the one? Bayes' rule gives the best answer. If candidate $j$ is the
# one, the probability of what you see is $p(y_j\mid x)\prod_{i\ne j}p(y_i)$. Divide by
# $\prod_i p(y_i)$, which does not depend on $j$:
#
# $$\Pr(j\text{ is the one})=\frac{p(y_j\mid x)/p(y_j)}{\sum_i p(y_i\mid x)/p(y_i)}=\mathrm{softmax}_j\Big[\log\frac{p(y_j\mid x)}{p(y_j)}\Big].$$
#
# **InfoNCE** trains scores $f(x,y)$, the *critic*, to give this answer: it is the cross entropy of
# the softmax of the scores. In a batch of $N$ pairs the items of the other pairs serve as the wrong
# candidates. With $f_{ij}=f(x_i,y_j)$,
#
# $$\mathcal L=-\frac1N\sum_i\log\frac{e^{f_{ii}}}{\sum_j e^{f_{ij}}}.$$
#
# Cross entropy is smallest at the true probabilities, so the best critic is
#
# $$f^*(x,y)=\log\frac{p(y\mid x)}{p(y)}+c(x).$$
#
# The number $c(x)$ is free: adding the same amount to all scores of a row cancels in the softmax.
# **InfoNCE knows which candidate fits an anchor best, but not how well they fit altogether.** To
# get probabilities back, multiply by $p(y)$ and normalise each row.
#
# A second game, **binary NCE**, shows one pair at a time and asks: real or shuffled? Its answer is
# a logistic function of $f$, and nothing cancels: the best critic is $\log p(y\mid x)/p(y)$ with no
# free term. Here is the first game in plain loops, beside the library:

# %%
import inspect

from goalward.losses import contrastive


def info_nce_by_loops(logits):
    total = 0.0
    for i in range(len(logits)):
        everything = sum(np.exp(logits[i, j]) for j in range(len(logits)))
        total -= np.log(np.exp(logits[i, i]) / everything)
    return total / len(logits)


scores = np.random.default_rng(1).normal(size=(5, 5))
difference = info_nce_by_loops(scores) - float(contrastive.info_nce(scores))
print(f"loops and library agree: {abs(difference) < 1e-6}\n")
print(inspect.getsource(contrastive.info_nce))

# %% [markdown]
# ## JAX in five moves
#
# The library's version is written in JAX. JAX is NumPy with function transformations: each takes a
# function and returns a new one.
#
# **Move 1: arrays.** `jax.numpy` has NumPy's names. Arrays never change in place; `x.at[0].set(7)`
# gives a changed copy. Numbers have 32 bits, so expect 7 digits, not 16.
#
# **Move 2: `vmap`** turns a function of one thing into a function of many at once. **Move 3:
# `grad`** gives a function that computes the gradient. **Move 4: `jit`** compiles, so that later
# calls are fast.
#
# The next cell uses all of them for a proof by enumeration. A batch of two pairs can come out in
# $12\times12=144$ ways. We compute the loss of every one, average with their probabilities, and
# have the *exact* expected loss as a function of the score table. If the theory is right, its
# gradient vanishes at the log ratio, with any $c(x)$ added, but not with something added to a
# column.

# %%
import jax
import jax.numpy as jnp

pair = jnp.array([(x, y) for x in range(3) for y in range(4)])
batches = jnp.array([(i, j) for i in range(12) for j in range(12)])  # which two pairs
chance = jnp.array(joint.ravel())[batches].prod(axis=1)


def expected(loss):
    """The expected loss of a score table over all batches of two pairs."""

    def one_batch(table, batch):
        x, y = pair[batch].T
        return loss(table[x[:, None], y[None, :]])

    return lambda table: jnp.sum(
        chance * jax.vmap(one_batch, in_axes=(None, 0))(table, batches)
    )


ratio = jnp.array(log_ratio)
c = jnp.array([3.0, -1.0, 0.5])
score_tables = {
    "the log ratio": ratio,
    "plus c(x), a number a row": ratio + c[:, None],
    "plus a number a column": ratio + jnp.array([1.0, 0.0, 0.0, -1.0]),
}
steepness = {}
for game, loss in {
    "InfoNCE": contrastive.info_nce,
    "binary NCE": contrastive.binary_nce,
}.items():
    gradient = jax.jit(jax.grad(expected(loss)))
    for name, table in score_tables.items():
        steepness[game, name] = float(jnp.abs(gradient(table)).max())
        verdict = "an optimum" if steepness[game, name] < 1e-6 else "not an optimum"
        print(
            f"{game:>10}, {name:<26}: largest gradient {steepness[game, name]:.0e}, {verdict}"
        )

# %% [markdown]
# Just as derived: InfoNCE leaves rows free, binary NCE leaves nothing free, and neither tolerates a
# shift of a column.
#
# **Move 5: randomness and loops, both explicit.** JAX has no hidden random state. You hold a
# **key**, you split it, and you use each part once; the same key always gives the same numbers. And
# a Python loop over thousands of small steps wastes most of its time between the steps;
# **`jax.lax.scan`** compiles the whole loop: it carries a state from step to step and stacks up
# what each step reports.

# %%
key = jax.random.key(0)
key_a, key_b = jax.random.split(key)
print("same key, same number:", jax.random.normal(key_a) == jax.random.normal(key_a))
print("another key, another:", jax.random.normal(key_a) == jax.random.normal(key_b))


def add(total, number):
    total = total + number
    return total, total  # what to carry on, what to report


print("scan adds up:", jax.lax.scan(add, 0, jnp.arange(1, 6))[1])

# %% [markdown]
# ## All together: a goal-conditioned value function, learned by a game
#
# Back to the two rooms. Let the anchor be a state $s$, drawn uniformly, and the candidate a future
# state $s_+\sim\bar M(\cdot\mid s)$, the place where the clock stops. Play the first game with a
# table of $25\times25$ scores. It should come to
#
# $$f(s,s_+)=\log\frac{\bar M(s_+\mid s)}{p(s_+)}+c(s),\qquad p(s_+)=\frac1{25}\sum_s\bar M(s_+\mid s).$$
#
# The training loop below is the pattern of every chapter: sample a batch, take a gradient step,
# `scan` over steps, `vmap` over seeds, `jit` the whole. The step size falls linearly to zero.

# %%
M_bar = jnp.array(solved)
marginal = M_bar.mean(axis=0)
cumulative = jnp.cumsum(M_bar, axis=1)


def sample_pairs(key):
    key_anchor, key_future = jax.random.split(key)
    anchor = jax.random.randint(key_anchor, (size.batch,), 0, states)
    u = jax.random.uniform(key_future, (size.batch, 1))
    return anchor, (u > cumulative[anchor]).sum(axis=1)


def loss(table, anchor, future):
    return contrastive.info_nce(table[anchor][:, future])


def error(table):
    """Total variation between the learned and the exact map, averaged over states."""
    learned = contrastive.log_ratio_to_density(table, jnp.log(marginal))
    return 0.5 * jnp.abs(learned - M_bar).sum(axis=1).mean()


def train(key):
    def step(table, inputs):
        key, step_size = inputs
        gradient = jax.grad(loss)(table, *sample_pairs(key))
        return table - step_size * gradient, error(table)

    schedule = jnp.linspace(20.0, 0.0, size.steps)
    return jax.lax.scan(
        step, jnp.zeros((states, states)), (jax.random.split(key, size.steps), schedule)
    )


tables, errors = jax.jit(jax.vmap(train))(
    jax.random.split(jax.random.key(1), size.seeds)
)
knowing_nothing = float(error(jnp.zeros((states, states))))
final = np.array(jax.vmap(error)(tables))
print(
    f"error before: {knowing_nothing:.3f}   after, {size.seeds} seeds: {final.round(3)}"
)

# %%
fig, ax = plt.subplots(figsize=(6.4, 2.8))
shown = np.unique(np.geomspace(1, size.steps - 1, 40).astype(int))
figures.band(ax, shown, np.array(errors)[:, shown], figures.COLORS["ours"])
ax.axhline(knowing_nothing, color=figures.COLORS["muted"], linestyle="--")
figures.direct_label(
    ax,
    1,
    knowing_nothing,
    "knowing only how common each state is",
    figures.COLORS["muted"],
    offset=(0, 8),
)
ax.set(
    xscale="log",
    xlabel="gradient step",
    ylabel="error (total variation)",
    ylim=(0, knowing_nothing * 1.2),
)
here.show(
    fig,
    alt="Error of the map learned by InfoNCE against the gradient step, mean and band over seeds: it "
    "starts at the dashed line of knowing nothing and falls steadily to a small fraction of it.",
    caption="Nobody shows the table a probability. It is only asked, again and again, which of the "
    "states in a batch came from this anchor. The band over seeds is as thin as the line.",
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(6.4, 2.2))
learned = np.array(contrastive.log_ratio_to_density(tables[0], jnp.log(marginal)))
door = rooms.index(3, 4)
limits = {"vmin": 0, "vmax": solved[door].max()}
figures.heatmap(axes[0], rooms.image(solved[door]), "Exact, from the door", **limits)
image = figures.heatmap(
    axes[1], rooms.image(learned[door]), "Learned by the game", **limits
)
fig.colorbar(image, ax=axes, label="probability", shrink=0.85)
here.show(
    fig,
    alt="Two heat maps of the successor measure from the door, exact and learned; they look alike.",
    caption="The same map as before, from the cell in the door, read off the scores: times the "
    "marginal, each row normalised.",
)

# %% [markdown]
# You have learned a goal-conditioned value function without a reward, by contrast alone. One thing
# was too easy: the futures came from the exact $\bar M$. With real data you have walks that end,
# and walks of other policies than yours. Chapter 1 removes that crutch by putting the Bellman
# equation *inside* the game. The library's training loop, `goalward.training.loop.train`, is the
# one above with a progress bar.
#
# ## Play: how far, and from how many walks?

# %%
plays = {}
for discount in (0.5, 0.9, 0.97):
    horizon = int(np.ceil(np.log(1e-4) / np.log(discount)))
    generator = np.random.default_rng(2)
    trial, _ = mdp.sample_trajectories(
        P, aimless, generator, 1000, horizon, np.full(1000, door)
    )
    clock = np.minimum(generator.geometric(1 - discount, size=1000), horizon)
    plays[discount] = trial[np.arange(1000), clock]


def play(discount, number):
    truth = successor.state_successor_measure(P, aimless, discount)[door]
    return truth, np.bincount(plays[discount][:number], minlength=states) / number


def frame(discount, number):
    fig, axes = plt.subplots(1, 2, figsize=(6.4, 2.3))
    truth, estimate = play(discount, number)
    off = 0.5 * np.abs(truth - estimate).sum()
    figures.heatmap(axes[0], rooms.image(truth), "exact", vmin=0, vmax=0.3)
    title = f"{number} walk{'s' * (number > 1)}: error {off:.2f}"
    image = figures.heatmap(axes[1], rooms.image(estimate), title, vmin=0, vmax=0.3)
    fig.colorbar(image, ax=axes, label="probability", shrink=0.85)
    return fig


def alt(discount, number):
    truth, estimate = play(discount, number)
    off = 0.5 * np.abs(truth - estimate).sum()
    return (
        f"Exact successor measure from the door at γ = {discount}, beside the estimate from "
        f"{number} walks; their total variation is {off:.2f}."
    )


here.explore(
    {"γ": [0.5, 0.9, 0.97], "walks": [1, 10, 100, 1000]}, frame, alt=alt, start=[1, 2]
)

# %% [markdown]
# At which $\gamma$ do you need more walks for the same error? Look at how many cells the map
# spreads over: a thousand walks over 25 cells leave 40 for each, over 3 cells more than 300.
#
# ## What was checked
#
# What can be checked exactly is checked here, against an answer that was computed in another way.
# The last row is statistical: it varies with the random seed, and its bound (a tenth of the error
# that knowing nothing makes) was fixed beforehand.

# %%
identity = {"paper": "—", "bound_from": "oracle", "kind": "exact"}
here.claim(
    "contraction",
    "After k rounds of the Bellman equation the largest error is γ^k of the first, or less (worst ratio)",
    measured=max(gaps[k] / (gaps[0] * gamma**k) for k in range(1, 100)),
    bound="<= 1",
    **identity,
)
here.claim(
    "solve_equals_series",
    "Solving the linear system and adding up powers give the same successor measure",
    measured=np.abs(solved - summed).max(),
    bound="<= 1e-10",
    **identity,
)
here.claim(
    "value_from_map",
    "The successor measure times the reward is the value",
    measured=np.abs(by_map - by_bellman).max(),
    bound="<= 1e-10",
    **identity,
)
here.claim(
    "climbing_arrives",
    "Climbing the aimless walker's map reaches every goal from everywhere (share of pairs)",
    measured=arrived[pairs].mean(),
    bound=">= 1",
    **identity,
)
here.claim(
    "value_is_distance",
    "The best goal-conditioned value is γ to the power of the shortest path",
    measured=np.abs(optimal - by_distance).max(),
    bound="<= 1e-8",
    **identity,
)

# %%
here.claim(
    "infonce_optimum",
    "The gradient of InfoNCE vanishes at the log ratio plus any c(x)",
    measured=max(steepness["InfoNCE", name] for name in list(score_tables)[:2]),
    bound="<= 1e-6",
    **identity,
)
here.claim(
    "binary_nce_optimum",
    "The gradient of binary NCE vanishes at the log ratio itself",
    measured=steepness["binary NCE", "the log ratio"],
    bound="<= 1e-6",
    **identity,
)
here.claim(
    "game_teaches_map",
    "Playing InfoNCE leaves a tenth or less of the error of knowing nothing",
    paper="—",
    measured=final / knowing_nothing,
    bound="<= 0.1",
    bound_from="oracle",
    kind="statistical",
    covers="data",
    null=1.0,
)
here.conclude()

# %% [markdown]
# ## At scale
#
# Nothing here needs a GPU, but the sizes in the last column of the table at the top can be had:
# `goalward run refresher --scale gpu`.
#
# ## Exercises
#
# Each check says in one line what it found. Replace `return None` with your answer and run the cell
# again, as often as you like. NumPy or JAX, loops or not: any correct style passes.
#
# **1. The clock** (easy, 5 minutes). Return the probabilities that the clock stops at step
# $1,\dots,n$.
#
# <details><summary>Hint</summary>
#
# They do not sum to one: with probability $\gamma^n$ the clock is still running.
#
# </details>

# %%
from goalward.course.checks import refresher as checks


def clock(gamma, n):
    """The probabilities of stopping at steps 1, ..., n."""
    return None


here.exercise(checks.clock, clock)

# %% [markdown]
# **2. The map by iteration** (medium, 15 minutes). Start from a table of zeros, `M[s, a, x]`, and
# apply the successor measure's Bellman equation $n$ times. What do the rows sum to?
#
# <details><summary>Hint</summary>
#
# First average over the next action: `bar = (policy[:, :, None] * M).sum(axis=1)`. Then `P @ bar`
# averages over next states.
#
# </details>
#
# <details><summary>Answer to the question</summary>
#
# $1-\gamma^n$: the clock has stopped by step $n$, or it has not and the zeros stand for what comes
# later.
#
# </details>


# %%
def iterate_measure(P, policy, gamma, n):
    """The successor measure after n rounds from zero, shape (states, actions, states)."""
    return None


here.exercise(checks.iterate_measure, iterate_measure)

# %% [markdown]
# **3. One step of temporal differences** (medium, 10 minutes). Return a *new* table after one
# update with the step $(s,a,s',a')$. Leave the table you were given unchanged.
#
# <details><summary>Hint</summary>
#
# Compute the target from the old table first. It matters when $(s',a')=(s,a)$.
#
# </details>


# %%
def td_step(M, s, a, next_s, next_a, gamma, alpha):
    """The table after one SARSA-style update of M[s, a]."""
    return None


here.exercise(checks.td_step, td_step)

# %% [markdown]
# **4. InfoNCE that does not overflow** (harder, 20 minutes). Return the InfoNCE loss of a square
# table of logits, correct even where the logits are in the thousands. `info_nce_by_loops` above is
# not: try it on `1000 * scores`.
#
# <details><summary>Hint</summary>
#
# The loss does not change when you add a number to a row. Which number makes the largest exponent
# 0?
#
# </details>


# %%
def stable_info_nce(logits):
    """The mean cross entropy of the diagonal, rows being anchors."""
    return None


here.exercise(checks.stable_info_nce, stable_info_nce)

# %% [markdown]
# ## Where to go from here
#
# - [Chapter 1](../1_predicting_the_future/td_infonce.ipynb) joins temporal differences and InfoNCE,
#   and counts how much data that saves.
# - [Inference via interpolation](../1_predicting_the_future/interpolation.ipynb) asks what lies
#   between here and there.
# - [Horizon generalization](../2_distances_and_horizons/horizon_generalization.ipynb) builds on the
#   triangle inequality.
# - [Notation](notation.ipynb) lists every symbol with its name in the code.
#
# **References.** P. Dayan, "Improving generalization for temporal difference learning: the
# successor representation", *Neural Computation*, 1993. R. Sutton and A. Barto, *Reinforcement
# Learning: An Introduction*, 2nd edition, 2018. M. Gutmann and A. Hyvärinen, "Noise-contrastive
# estimation", *AISTATS*, 2010. A. van den Oord, Y. Li and O. Vinyals, "Representation learning with
# contrastive predictive coding", 2018. J. Bradbury et al., *JAX: composable transformations of
# Python+NumPy programs*, 2018.
