# %% [markdown]
# # Imitating past successes: copying what worked can undo what you knew
#
# *Benjamin Eysenbach, Soumith Udatha, Sergey Levine, Ruslan Salakhutdinov: Imitating Past Successes
# can be Very Suboptimal. NeurIPS 2022, [arXiv 2206.03378](https://arxiv.org/abs/2206.03378).*
#
# **If you do again whatever led to the outcome that you now want, do you get better?**
#
# Two buses leave your village. Bus A always goes to the beach. Bus B goes to the beach six times in
# ten and to the lake four times in ten. On half of the days you want the beach, on the others the
# lake. You keep a diary: which bus you took, where you ended up. Each year you live by last year's
# diary: on a beach day you draw, at random, one of the days that ended at the beach, and take that
# day's bus. You only ever imitate successes. Look where it takes you.
#
# You need the [refresher](../0_start/refresher.ipynb), above all the successor measure and policy
# evaluation. The symbols are those of the [notation page](../0_start/notation.ipynb). Reading takes
# about 45 minutes, running well under a minute on a laptop. Afterwards you can
#
# - say what cloning of relabelled data converges to, in one formula, and why that may be worse than
#   what you started with;
# - split a step of it into one half that helps and one that hurts;
# - repair it, and say which part of the repair does what;
# - tell a policy that ranks the actions wrongly from one that is only soft;
# - prove that one variant improves every state, and check the proof on random worlds;
# - say exactly which assumption the repair needs, and show what happens without it.

# %%
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures
from goalward.methods import imitating_past_successes as method

here = chapter.begin("imitating_past_successes")

# %% tags=["hide-input"]
_buses = method.bandit_outcomes(np.array([[[1.0, 0.0], [0.6, 0.4]]]))
_wanted = np.array([[0.5, 0.5]])
fig, ax = plt.subplots(figsize=(6.4, 3.0))
for _step, _color, _name in (
    (method.normalised_ocbc, "ours", "normalised"),
    (method.ocbc, "second", "imitation"),
):
    _policy, _values = np.array([[[0.9, 0.1], [0.1, 0.9]]]), []
    for _ in range(13):
        _values.append(method.goal_values(_policy, _buses)[0].mean())
        _policy = _step(_policy, _wanted, _buses)
    ax.plot(_values, "o-", color=figures.COLORS[_color], markersize=4)
    figures.direct_label(ax, 12, _values[-1], _name, figures.COLORS[_color], (8, 0))
ax.axhline(0.7, color=figures.COLORS["exact"], lw=0.8, ls="--")
figures.direct_label(ax, 0, 0.7, "best possible", "black", (0, 9), ha="left")
ax.set(
    xlabel="round of imitation",
    ylabel="chance of the place you want",
    ylim=(0.45, 0.75),
)
here.show(
    fig,
    alt="Chance of ending at the wanted place against rounds. Both curves start at "
    "0.66. The normalised variant rises to the dashed best, 0.7. Plain imitation "
    "drops to 0.625 after one round and sinks towards 0.5.",
    caption="You start with what you know: the right bus nine days in ten. Imitating "
    "your own successes loses a part of it in the first year and all of it in the "
    "end. The repair of this chapter, from the same diary, finds the best.",
    lead=True,
)

# %% [markdown]
# This recipe has many names: hindsight imitation, goal-conditioned supervised learning,
# reward-conditioned policies, return-conditioned sequence models. The paper calls them all
# **outcome-conditioned behavioural cloning (OCBC)**. Its appeal is that it is supervised learning
# and nothing else. Here are the sizes of what follows; `gpu` has the authors' network.

# %%
size = here.sizes(
    #              smoke     laptop    gpu
    bandits=       (40,      200,      2_000),
    mdps=          (12,      100,      1_000),
    mdp_rounds=    (5,       100,      200),
    rounds=        (5,       100,      200),
    seeds=         (5,       5,        10),
    train_rounds=  (2,       4,        20),
    episodes=      (60,      500,      2_000),
    steps=         (20,      1_000,    10_000),
    widths=        ((64,),   (64, 64), (400, 300)),
)  # fmt: skip

# %% [markdown]
# ## What cloning learns
#
# A **commanded goal** $g'$ is drawn from $p(g')$, and the policy $\pi(a\mid s,g')$ acts. Later an
# **outcome** $g$ is read off the trajectory: a state $s_+$ that was met after a geometric number of
# steps, as everywhere in this part. **Relabelling** writes that outcome over the command: the data
# become triples (state, action, outcome), and the command is forgotten. Write
#
# $$Q^{g'}(s,a,g)=p(s_+=g\mid s,a)\quad\text{under the policy commanded to }g',$$
#
# the successor measure of the goal. For $g=g'$ it is the goal-reaching value: the expected
# discounted reward when arrival at $g$ pays $1-\gamma$ in each step.
#
# Cloning maximises $\log\pi(a\mid s,g)$ over the triples. With enough data it finds the conditional,
# and Bayes' rule says what that is:
#
# $$\pi_{\text{OCBC}}(a\mid s,g)=p(a\mid s,s_+=g)\;\propto\;
# \underbrace{\bar\pi(a\mid s)}_{\text{how often}}\;
# \underbrace{\bar Q(s,a,g)}_{\text{how good}}.\qquad(1)$$
#
# Here $\bar\pi(a\mid s)=\sum_{g'}p(g'\mid s)\,\pi(a\mid s,g')$ is the **average policy**: what the
# data do in $s$, whoever was commanded. And $\bar Q(s,a,g)$ is the average of $Q^{g'}(s,a,g)$ over
# the commands of those who took $a$ in $s$. In words: *an action is cloned in proportion to how often
# it was taken for any reason, times how often the outcome followed.*
#
# Read (1) from left to right and it is two steps.
#
# 1. **Average.** Replace $\pi(\cdot\mid s,g)$ by $\bar\pi(\cdot\mid s)$: forget what you knew about
#    $g$. This may lose anything.
# 2. **Re-weight.** Multiply by $Q$ and normalise. For fixed $Q$ this can only help, by an amount that
#    is easy to compute:
#
# $$\sum_a\frac{\pi(a)Q(a)}{\sum_b\pi(b)Q(b)}\,Q(a)-\sum_a\pi(a)Q(a)
# =\frac{\mathbb E[Q^2]-\mathbb E[Q]^2}{\mathbb E[Q]}
# =\frac{\operatorname{Var}_\pi[Q]}{\mathbb E_\pi[Q]}\;\ge\;0.\qquad(2)$$
#
# Nothing makes the gain of the second step exceed the loss of the first.
#
# **Predict before you run.** Take the best policy for the buses: A for the beach, B for the lake.
# What is the average policy when both places are wanted equally often? And which bus will the clone
# take on a beach day?
#
# <details><summary>Answer</summary>
#
# The average takes each bus half of the time. On days that ended at the beach you had taken bus A
# with weight $0.5\cdot1$ and bus B with weight $0.5\cdot0.6$. So the clone takes A with probability
# $1/1.6=0.625$. On lake days it takes B, always. Success is
# $\frac12(0.625\cdot1+0.375\cdot0.6)+\frac12\cdot0.4=0.625$, where it was 0.7.
#
# </details>
#
# ## By hand, then the library
#
# The diary as an enumeration: each entry has a command, a bus, an outcome, and a probability. The
# clone counts all entries with the outcome. A second reader of the same diary is pickier: they count
# an entry only if the outcome is what had been *commanded* that day.

# %%
from inspect import getsource

buses = np.array([[[1.0, 0.0], [0.6, 0.4]]])  # R[bandit, a, g]: how often a ends at g
best = np.eye(2)[None]  # policy[bandit, g, a]: bus A for the beach, bus B for the lake
half, mostly_beach = np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]])  # p(g)

cloned, picky = np.zeros((2, 2)), np.zeros((2, 2))
for command in range(2):
    for bus in range(2):
        for outcome in range(2):
            chance = half[0, command] * best[0, command, bus] * buses[0, bus, outcome]
            cloned[outcome, bus] += chance
            if command == outcome:
                picky[outcome, bus] += chance
cloned /= cloned.sum(axis=1, keepdims=True)
picky /= picky.sum(axis=1, keepdims=True)

by_library = method.ocbc(best, half, method.bandit_outcomes(buses))[0]
for name, table in {
    "by hand": cloned, "by the library": by_library, "the picky reader": picky
}.items():  # fmt: skip
    print(f"{name}: beach {table[0]}, lake {table[1]} (bus A, bus B)")
print(getsource(method.ocbc))

# %% [markdown]
# The picky reader keeps the best policy. Remember them: they are the repair in disguise.
#
# Now both half-steps of each round, from the best policy, at even wishes and when you want the
# beach nine times in ten.


# %%
def rounds_of(step, policy, R, p, rounds):
    """Success before the first round and after each, of each bandit; the policies."""
    outcomes, policies = method.bandit_outcomes(R), [policy]
    for _ in range(rounds):
        policies.append(step(policies[-1], p, outcomes))
    return np.array([success(policy, R, p) for policy in policies]), policies


def success(policy, R, p):
    return (method.goal_values(policy, method.bandit_outcomes(R)) * p).sum(axis=1)


# %% tags=["hide-input"]
fig, panels = plt.subplots(1, 2, figsize=(6.4, 3.0))
for ax, p in zip(panels, (half, mostly_beach), strict=True):
    after, policies = rounds_of(method.ocbc, best, buses, p, 5)
    habits = [method.average_policy(q, p)[:, None] for q in policies[:-1]]
    averaged = np.array([success(np.tile(q, (1, 2, 1)), buses, p) for q in habits])
    teeth = np.append(np.column_stack([after[:-1], averaged]), after[-1])
    ax.plot(np.arange(11) / 2, teeth, color=figures.COLORS["muted"], lw=1.2)
    ax.plot(np.arange(6), after, "o", color=figures.COLORS["ours"], ms=6)
    ax.plot(np.arange(5) + 0.5, averaged, "v", color=figures.COLORS["second"], ms=6)
    ax.axhline(after[0], color=figures.COLORS["exact"], lw=0.8, ls="--")
    ax.set(title=f"beach wanted {p[0, 0]:.0%} of the days", xlabel="round")
panels[0].set_ylabel("chance of the place you want")
panels[0].set_ylim(0.46, 0.72)
for x, y, text, color, offset in (
    (0.5, 0.5, "average", "second", (-5, -14)),
    (1, 0.625, "re-weight", "ours", (8, 6)),
):
    figures.direct_label(panels[0], x, y, text, figures.COLORS[color], offset)
here.show(
    fig,
    alt="Two sawtooth curves that start on a dashed line, the best possible. Each "
    "averaging step falls below, each re-weighting step rises, but never back to where "
    "it started; the peaks sink, on the left towards 0.5.",
    caption="One round is a fall and a rise. Averaging forgets which goal an action "
    "was for (orange triangles); re-weighting by the outcome (blue dots) wins back a "
    "part.",
)

# %% [markdown]
# ## Where it comes to rest: it matches what you command
#
# One bad round could be bad luck with the start. So iterate, in a bandit, from the uniform policy.
# Sum (1) over commands to see what happens to the average policy:
#
# $$\bar\pi(a)\;\leftarrow\;\sum_g p(g)\,
# \frac{\bar\pi(a)\,p(g\mid a)}{\sum_b\bar\pi(b)\,p(g\mid b)}.\qquad(3)$$
#
# If you have met mixture models you know this line: it is expectation maximisation (EM) for the
# weights of a mixture with fixed components $p(g\mid a)$. Every round of EM raises the likelihood of
# the "data" $p(g)$ under the mixture, so every round of OCBC lowers
#
# $$\mathrm{KL}\Big(p(g)\;\Big\|\;\sum_a\bar\pi(a)\,p(g\mid a)\Big),$$
#
# until it cannot be lowered any further. In words: **iterated OCBC makes outcomes as frequent as
# they are commanded.** It does not make them happen *when* they are commanded. For the buses and even
# wishes, the lake should turn up on half of all days. Bus B brings it most often, so you take bus B
# always. (This reading of the limit, and its proof through EM, are ours.)

# %%
uniform = np.full((1, 2, 2), 0.5)
ends = {}
for name, p in {"even wishes": half, "beach 90%": mostly_beach}.items():
    reached, policies = rounds_of(method.ocbc, uniform, buses, p, 300)
    shares = np.array([method.average_policy(q, p)[0, 0] for q in policies])  # of bus A
    ends[name] = reached[:, 0], shares, policies[-1][0]

one_round = float(success(cloned[None], buses, half)[0])  # from the best policy
even_success, beach_success = ends["even wishes"][0], ends["beach 90%"][0]
for k in (0, 1, 2, 5, 20, 300):
    print(f"even wishes, round {k}: success {even_success[k]:.3f}")
surer = np.array([[[1.0, 0.0], [0.2, 0.8]]])  # bus B reaches the lake 80% of the time
numbers = {  # as computed, and by pencil
    "even wishes, one round": (even_success[1], 0.625),
    "even wishes, limit": (even_success[-1], 0.5),
    "even wishes, one round from the best": (one_round, 0.625),
    "even wishes, limit, a surer bus B": (
        rounds_of(method.ocbc, uniform, surer, half, 300)[0][-1, 0], 0.8),
    "beach 90%, limit": (beach_success[-1], 0.88),
    "beach 90%, limit, share of bus A": (ends["beach 90%"][1][-1], 0.75),
    "beach 90%, limit, bus B on beach days": (ends["beach 90%"][2][0, 1], 1 / 6),
}  # fmt: skip
for name, (value, exact) in numbers.items():
    print(f"{name}: {value:.4f}, by pencil {exact:.4f}")


# %% tags=["hide-input"]
def mismatch(share, p):
    produced = np.stack([share, 1 - share], axis=1) @ buses[0]
    return np.sum(p * np.log(p / produced), axis=1)


grid_of_shares = np.linspace(0.001, 0.999, 200)
fig, panels = plt.subplots(1, 2, figsize=(6.4, 2.7), sharey=True)
for ax, p, (_, path, _) in zip(
    panels, (half, mostly_beach), ends.values(), strict=True
):
    black = figures.COLORS["exact"]
    valley = mismatch(grid_of_shares, p)
    ax.plot(grid_of_shares, valley, color=figures.COLORS["second"])
    ax.plot(path[:20], mismatch(path[:20], p), "o", color=black, ms=4)
    ax.plot(path[0], mismatch(path[:1], p), "o", color="white", mec=black, ms=8)
    ax.set(title=f"beach wanted {p[0, 0]:.0%} of the days", xlabel="share of bus A")
panels[0].set(ylabel="mismatch (nats)", ylim=(-0.03, 0.75))
here.show(
    fig,
    alt="Two curves of the mismatch against the share of bus A. Dots walk downhill "
    "from share 0.5 to the minimum: at share 0 on the left, at 0.75 on the right.",
    caption="Twenty rounds from the uniform policy (open circle). They walk down the "
    "mismatch, to its minimum and no further. Success is not what they climb: on the "
    "left it sinks after the first round.",
)

# %% [markdown]
# On the left the first round *helps*, from 0.500 to 0.625, and the following rounds take it all
# back. Who stops after one round, or looks at one, sees nothing wrong.
#
# ## The repair: divide by the average
#
# The average $\bar\pi$ in (1) can be learned: clone the action *without* the outcome. Divide it
# out, and put back the policy that was following the command:
#
# $$\pi_N(a\mid s,g)\;\propto\;\frac{\pi_{\text{OCBC}}(a\mid s,g)}{\bar\pi(a\mid s)}\;\pi(a\mid s,g)
# \;\propto\;\bar Q(s,a,g)\,\pi(a\mid s,g).\qquad(4)$$
#
# This is **normalised OCBC**: two supervised problems in place of one. No averaging is left, only
# the re-weighting. In a bandit $Q$ is a property of the bandit, and (2) says that no round can hurt.
# After $k$ rounds $\pi\propto\pi_0\,p(g\mid a)^k$, which tends to the best action.
#
# Two buses prove little, and (4) changes two things at once: it **divides** by the average, and it
# **multiplies** by the policy that followed the command. So here are all four combinations, on
# random bandits: four actions, three goals, random chances, random wishes, random first policies.
# The library's functions take one bandit a state, so all of them are one call.
#
# There is a third thing to keep apart: how the policy is used. A policy proportional to $(1,0.6)$
# prefers the right action, and takes the wrong one three times in eight. That is no mistake about
# what is good, it is **softness**. So every policy is evaluated twice: as it samples, and with its
# likeliest action alone, its **best action**. The authors act with the combination "divide only",
# $\pi\propto\bar Q$, and evaluate it by its best action.

# %%
print(getsource(method.normalised_ocbc))


def multiply_only(policy, commanded, outcomes):
    weights = method.ocbc(policy, commanded, outcomes) * policy
    return weights / weights.sum(axis=-1, keepdims=True)


def divide_only(policy, commanded, outcomes):
    flat = np.ones_like(policy)
    return method.normalised_ocbc(policy, commanded, outcomes, base=flat)


def best_action(policy):
    """The likeliest action, always; equally likely ones share."""
    likeliest = policy > policy.max(axis=-1, keepdims=True) * (1 - 1e-9)
    return likeliest / likeliest.sum(axis=-1, keepdims=True)


rng = np.random.default_rng(0)
n = size.bandits
chances = rng.dirichlet(np.full(3, 0.5), size=(n, 4))  # [bandit, action, goal]
wishes = rng.dirichlet(np.ones(3), size=n)
first = rng.dirichlet(np.ones(4), size=(n, 3))
optimum = (wishes * chances.max(axis=1)).sum(axis=1)
factors = {
    "OCBC": method.ocbc, "divide only": divide_only,
    "multiply only": multiply_only, "normalised": method.normalised_ocbc,
}  # fmt: skip
curves, by_best = {}, {}
for name, step in factors.items():
    reached, policies = rounds_of(step, first, chances, wishes, 50)
    curves[name] = reached / optimum
    by_best[name] = success(best_action(policies[-1]), chances, wishes) / optimum
here.table(
    ["share of the best success, 50 rounds", "as it samples", "best action"],
    [[name, f"{curves[name][-1].mean():.3f}", f"{by_best[name].mean():.3f}"]
     for name in factors],
)  # fmt: skip

# %% [markdown]
# *Divide only* has every action in the right order, $\pi\propto p(g\mid a)$: its best action is
# perfect from the first round on. It is only soft, and stays so. *Multiply only* is sharp, both
# columns agree, but it still carries the average along, and becomes sure of wrong actions. OCBC is
# soft *and* wrong. So dividing cures the order, multiplying cures the softness, and who wants a
# policy that samples well needs both. Who takes the best action needs the division alone.
#
# One number more: does iterated OCBC really end at the least mismatch? The mismatch is a convex
# function of $\bar\pi$, so a tangent plane lies below it everywhere; the most that the plane promises
# to gain, $\max_a\sum_g p(g)\,p(g\mid a)/\sum_b\bar\pi(b)p(g\mid b)-1$, bounds what is left to
# gain. No solver is needed to know that one has arrived.

# %%
# EM in 20 bandits, 3,000 rounds from the uniform policy.
R, p = chances[:20], wishes[:20]
limit = rounds_of(method.ocbc, np.full((20, 3, 4), 0.25), R, p, 3_000)[1][-1]
produced = np.einsum("ba,bag->bg", method.average_policy(limit, p), R)
gap = np.einsum("bg,bag->ba", p / produced, R).max(axis=1) - 1
print(f"largest possible distance from the least mismatch: {gap.max():.1e} nats")

# %% [markdown]
# ## More than one step: what the guarantee needs
#
# In a Markov decision process $Q$ depends on the policy that acts afterwards, and there (4) has a
# catch. A guarantee for goal $g$ needs $Q^g(s,a,g)$, the future under the policy that is *commanded
# to $g$*. Relabelled data mix the commands: they give $\bar Q$, what follows $a$ when the traveller
# had all sorts of errands. If you had $Q^g$, then
#
# $$\pi'(a\mid s,g)\propto Q^g(s,a,g)\,\pi(a\mid s,g)$$
#
# gains $\operatorname{Var}/\mathbb E$ in expected $Q^g$ at *every* state, by (2), and the policy
# improvement theorem turns this into: $V(s,g)$ falls at no state, for no goal. Which data give
# $Q^g$? Those whose command equals their outcome: the picky reader's. The paper gets there by a
# filter, which keeps a relabelled trajectory only if it is about as likely under the new goal as
# under the command that produced it. We do without sampling: everything is solved exactly, by
# `outcome_probabilities` (one successor measure for each command) and Bayes' rule.
#
# The test: random worlds of five states, every state a goal, random commands, random first policies.
# For each world and round we compare $V(s,g)$ before and after, over all states and goals.

# %%
from goalward.tabular import mdp
from goalward.tabular.dynamic_programming import value_iteration

discount = 0.9


def best_values(P):
    """V*(s, g): what the best policy for each goal reaches."""
    paid = (1 - discount) * P
    ways = [value_iteration(P, paid[:, :, g], discount)[1] for g in range(len(P))]
    return np.stack(ways, axis=1)


def values_of(P, policy):
    outcomes = method.outcome_probabilities(P, policy, discount)
    return method.goal_values(policy, outcomes)


def own_squared(policy, commanded, outcomes):  # own successes with the square of Q
    twice = method.own_successes(policy, commanded, outcomes) ** 2
    weights = np.divide(twice, policy, out=np.zeros_like(twice), where=policy > 0)
    return weights / weights.sum(axis=-1, keepdims=True)


everywhere = np.full(5, 0.2)
worlds = [
    (
        mdp.random_mdp(rng, 5, 3, 0.3),
        rng.dirichlet(np.ones(3), size=(5, 5)),
        rng.dirichlet(np.ones(5)),
    )
    for _ in range(size.mdps)
]
arms = {
    "OCBC": method.ocbc, "normalised": method.normalised_ocbc,
    "own successes": method.own_successes, "own, squared": own_squared,
    "divide only": divide_only,
}  # fmt: skip
looks = [k for k in (0, 1, 2, 3, 5, 8, 12, 20, 30, 50, 100) if k <= size.mdp_rounds]
best_J = np.array([everywhere @ best_values(P) @ p for P, _, p in worlds])
average_V, sharp_V, worst_change = {}, {}, {}
for name, step in arms.items():
    J, by_best, worst = [], [], []
    for P, policy, p in worlds:
        V, policies = method.iterate(
            step, P, policy, p, everywhere, discount, size.mdp_rounds
        )
        J.append(everywhere @ V @ p)
        sharp = [everywhere @ values_of(P, best_action(policies[k])) @ p for k in looks]
        by_best.append(sharp)
        worst.append(np.diff(V, axis=0).min())
    average_V[name], sharp_V[name] = np.array(J), np.array(by_best)
    worst_change[name] = np.array(worst)
falls = {
    k: (np.diff(J).min(axis=1) < -1e-9).astype(float) for k, J in average_V.items()
}
here.table(
    ["", *map(str, looks), "best action", "ever falls", "ends lower"],
    [[name, *(f"{J[:, k].mean():.3f}" for k in looks),
      f"{sharp_V[name][:, -1].mean():.3f}", f"{falls[name].mean():.0%}",
      f"{(J.max(axis=1) - J[:, -1] > 1e-3).mean():.0%}"]
     for name, J in average_V.items()],
)  # fmt: skip
print(f"best possible: {best_J.mean():.3f}")

# %% tags=["hide-input"]
tint = {
    "OCBC": "second", "normalised": "ours", "own successes": "third",
    "divide only": "fourth",
}  # fmt: skip
fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.4), width_ratios=(1.7, 1))
for k, name in enumerate(["OCBC", "normalised", "own successes"]):
    color = figures.COLORS[tint[name]]
    rounds = np.arange(1, size.mdp_rounds + 1)
    figures.band(left, rounds, average_V[name][:, 1:], color)
    spread = k + 0.3 * np.linspace(-1, 1, size.mdps)
    right.plot(spread, worst_change[name], ".", color=color, ms=4)
sharp = sharp_V["divide only"].mean(axis=0)[1:]
left.plot(looks[1:], sharp, "--", color=figures.COLORS["fourth"])
left.axhline(best_J.mean(), color=figures.COLORS["exact"], lw=0.8, ls=":")
left.set(xlabel="round", ylabel="success, mean over worlds", ylim=(0.2, 0.5))
left.set_xscale("log")
left.set_xticks([k for k in looks if k in (1, 2, 5, 12, 30, 100)])
left.set_xticklabels([k for k in looks if k in (1, 2, 5, 12, 30, 100)])
left.minorticks_off()
for text, x, y, color in (
    ("best possible", 1.0, 0.485, "exact"),
    ("divide only, best action", 2.3, 0.448, "fourth"),
    ("own successes", 45, 0.385, "third"),
    ("normalised", 1.5, 0.375, "ours"),
    ("OCBC", 30, 0.245, "second"),
):
    left.text(x, y, text, color=figures.COLORS[color], ha="left" if x < 5 else "center")
right.axhline(0, color=figures.COLORS["exact"], lw=0.8)
right.set_xticks(range(3), ["OCBC", "norm.", "own"])
right.set_title("worst change of a value", fontsize=10.5)
here.show(
    fig,
    alt="Left: success over a hundred rounds on a logarithmic axis, against the best "
    "possible, 0.474. OCBC stays below 0.29. Normalised rises fastest and flattens at "
    "0.43. Own successes rises later, crosses normalised between rounds 20 and 30 and "
    "nears the best. Divide only, by its best action, is dashed: 0.45 after one round, "
    "0.47 after three. Right: one dot a world, the worst change of any value in any "
    "round: down to -0.2 for OCBC, below zero in most worlds for normalised, never "
    "below zero for own successes.",
    caption="Left: success over rounds (bands: 95% intervals over worlds). Normalised "
    "is ahead at first and then stands still at nine tenths of the best; own "
    "successes, the step with $Q^g$, passes it and goes on. Right: only own successes "
    "improves every state of every world in every round.",
)

# %% [markdown]
# So the two promises have to be kept apart. *With the task's own $Q$* the improvement is a theorem,
# and the dots on the right agree with it. *With all relabelled data* normalising is not guaranteed:
# in four worlds of five the success falls in some round, in every second world it ends below its
# peak.
#
# Is own successes only more careful because it is slower? No: its square, $\pi\,(Q^g)^2$, is ahead of
# normalised in every round and still nears the best. Nor is normalised too hasty: slowed to the
# fourth root of the ratio and given 400 rounds it ends at 0.426 as well (not computed on this page).
# What holds it back is the one thing in which the two differ, the mixture of futures in $\bar Q$.
#
# The dashed line is the surprise. The authors' own variant, divide only, has no guarantee either;
# as it samples it reaches no more than 0.24. Its best action has 99% of what is possible after
# three rounds.
#
# ## A windy house with a favourite room
#
# The authors' experiments command goals that are not evenly spread. Here is that idea in a world that
# can be solved: four rooms, five actions, and **wind**: in each step, with probability 0.3, a random
# move replaces the chosen one. 80% of the commands ask for the upper left room. All start from the
# uniform policy, and again both factors are switched on and off.

# %%
from goalward.tabular.grid import MOVES, Grid

house = Grid.parse("""
    #########
    #...#...#
    #.......#
    #...#...#
    ##.###.##
    #...#...#
    #.......#
    #...#...#
    #########
""")
S, A = house.states, 5
favourite = (house.cells < 4).all(axis=1)
skewed = np.where(favourite, 0.8 / favourite.sum(), 0.2 / (~favourite).sum())
even = np.full(S, 1 / S)
clueless = np.full((S, S, A), 1 / A)
kinds = {"favourite goals": favourite, "other goals": ~favourite}


def windy(wind):
    return (1 - wind) * house.P + wind * house.P.mean(axis=1, keepdims=True)


def by_kind(V):
    """Success from a random start; last axis: favourite goals, other goals."""
    reached = even @ V
    return np.stack([reached[..., which].mean(axis=-1) for which in kinds.values()], -1)


P, V_best = windy(0.3), best_values(windy(0.3))
looks = [k for k in range(size.rounds + 1) if k <= 10 or k % 5 == 0]
sampled, sharp, last = {}, {}, {}
for name, step in factors.items():
    V, policies = method.iterate(step, P, clueless, skewed, even, discount, size.rounds)
    sampled[name], last[name] = by_kind(V), policies[-1]
    by_best = [values_of(P, best_action(policies[k])) for k in looks]
    sharp[name] = by_kind(np.array(by_best))
    if name == "normalised":
        fallen = (np.diff(V, axis=0).min(axis=0) < -1e-4).mean()
here.table(
    ["favourite / other goals", "as it samples", "best action"],
    [["best possible", "", " / ".join(f"{x:.3f}" for x in by_kind(V_best))]] +
    [[name, *(" / ".join(f"{x:.3f}" for x in way[name][-1])
              for way in (sampled, sharp))] for name in factors],
)  # fmt: skip
print(f"normalised: {fallen:.0%} of the values V(s, g) fall in some round")

# %% tags=["hide-input"]
fig, panels = plt.subplots(2, 2, figsize=(6.4, 4.6), sharex=True, sharey=True)
for ax, name in zip(panels.flat, factors, strict=True):
    for i, color in enumerate(("ours", "second")):
        line = {"color": figures.COLORS[color]}
        ax.plot(np.arange(1, size.rounds + 1), sampled[name][1:, i], **line)
        ax.plot(looks[1:], sharp[name][1:, i], "--", **line)
    ax.axhline(by_kind(V_best).mean(), color=figures.COLORS["exact"], lw=0.8, ls=":")
    ax.set(title=name, xscale="log", ylim=(0, 0.52))
    ax.set_xticks([k for k in (1, 3, 10, 30, 100) if k <= size.rounds])
    ax.set_xticklabels([k for k in (1, 3, 10, 30, 100) if k <= size.rounds])
    ax.minorticks_off()
for ax in panels[1]:
    ax.set_xlabel("round")
for ax in panels[:, 0]:
    ax.set_ylabel("success")
panels[0, 0].text(30, 0.32, "favourite", color=figures.COLORS["ours"], ha="center")
panels[0, 0].text(4, 0.15, "other", color=figures.COLORS["second"], ha="center")
panels[0, 1].text(10, 0.39, "best action", ha="center")
panels[0, 1].text(10, 0.14, "as it samples", ha="center")
here.show(
    fig,
    alt="Four panels over a hundred rounds, dotted the best possible, 0.45. OCBC: by "
    "its best action favourite goals stay near the best until round 20 and end at "
    "0.38, other goals fall to 0.09 by round 10 and end at 0.12; as it samples, 0.14 "
    "and 0.07. Divide only: best action on the dotted line throughout, as it samples "
    "0.08 and 0.10. Multiply only: both ways alike, favourite goals reach the best, "
    "other goals peak at round 6 and fall to 0.37. Normalised: both kinds reach 0.45 "
    "within ten rounds, the other goals end at 0.44.",
    caption="The two factors, off and on, in the windy house: solid as it samples, "
    "dashed with the best action; blue the favourite goals, orange the others. Upper "
    "row: nothing is multiplied on, and sampling stays soft. Left column: nothing is "
    "divided out, and the other goals are unlearnt.",
)

# %% [markdown]
# After one round the best action of *every* arm is right: the table that a clueless walker's
# relabelled trips give ranks the actions well in this house. What the arms differ in is whether
# they keep it. OCBC does not: by round ten it has unlearnt the goals outside the favourite room. (A
# longer view is harder on all who multiply: at a discount of 0.97, not shown, normalised comes back
# to 0.60 and 0.58 of a possible 0.66, and divide only still has 0.66 by its best action.)
#
# Is it the average, or are the data spoiled as well? Take the data of the last round of OCBC and read
# them three ways: cloned, divided by their average, and each command's own successes alone.

# %%
commanded = method.commanded_given_state(P, last["OCBC"], skewed, even, discount)
outcomes = method.outcome_probabilities(P, last["OCBC"], discount)
data = last["OCBC"], commanded, outcomes
own = method.own_successes(*data)
readings = {
    "cloned": method.ocbc(*data),
    "divided": divide_only(*data),
    "own successes": own / np.where(last["OCBC"] > 0, last["OCBC"], 1),  # Q alone
}
for name, policy in readings.items():
    favourites, others = by_kind(values_of(P, best_action(policy)))
    print(f"{name:13s} best action: favourite {favourites:.3f}, other {others:.3f}")
stays = best_action(readings["cloned"])
staying = stays[range(S), range(S), 4][~favourite].mean()
passing = commanded[~favourite][:, favourite].sum(axis=1).mean()
print(
    f"the clone stays at {staying:.0%} of the other goals, where {passing:.0%} of the"
)
print("travellers that come by are on an errand to the favourite room;")
stays[range(S), range(S)] = np.eye(A)[4]
print(f"if it had to stay at its goal: other {by_kind(values_of(P, stays))[1]:.3f}")

# %% tags=["hide-input"]
corner = house.index(7, 7)
fig, panels = plt.subplots(1, 3, figsize=(6.4, 2.6))
for ax, (name, policy) in zip(panels, readings.items(), strict=True):
    chosen = best_action(policy)
    V = house.image(values_of(P, chosen)[:, corner])
    picture = figures.heatmap(ax, V, name, vmin=0, vmax=V_best[:, corner].max())
    drift = chosen[:, corner] @ MOVES
    arrows = {"color": "white", "scale": 16, "width": 0.012, "pivot": "mid"}
    ax.quiver(*house.cells.T[::-1], drift[:, 1], -drift[:, 0], **arrows)
    ax.plot(7, 7, "*", color="black", mec="white", markersize=12)
fig.colorbar(picture, ax=panels, shrink=0.8, label="success")
here.show(
    fig,
    alt="Three maps of the four rooms, the goal in the lower right corner; arrows are "
    "best actions. Cloned: success is near zero everywhere; arrows lead into the "
    "goal's room, but in the three cells around the star they point up or left, away "
    "from it. Divided: arrows lead to the star, success rises to 0.85; one cell, the "
    "upper left of the star's room, has 0.31 beside neighbours of 0.6. Own successes: "
    "the same with 0.54 in that cell.",
    caption="The data of OCBC's last round, read in three ways and asked for the "
    "star; arrows are best actions, colours the success from each cell. Cloned, they "
    "lead into the star's room and turn away beside the star. Divided by the average "
    "they arrive; only from the upper left cell of that room they do not. Own "
    "successes arrive from everywhere.",
)

# %% [markdown]
# Both are guilty. Dividing the very same data lifts the other goals from 0.12 to 0.34 of a possible
# 0.45, about two thirds of what was lost; taking each command's own futures in place of the mixture
# brings the last third. The order matters: with the average left in, own futures alone help nothing
# (0.01, not computed on this page). What the average does is plain to see: two in three of those who
# are at another goal were sent to the favourite room, and the clone does not stay there. That is a
# part of the loss and not all: made to stay at its goal, it would still have only half of what is
# possible.
#
# ## What the wind does
#
# Cloning cannot tell an outcome that an action *caused* from one that merely *followed*: a lucky gust
# is imitated like skill. To see that alone, take away the favourite (all goals equally often) and the
# ignorance: start at the *best* policy.
#
# Without wind nothing is lost, and that can be proved: whoever walks a shortest way to one place
# walks a shortest way to each place on it, so all relabelled trips are perfect too. With wind,
# trips end where nobody was heading.

# %%
winds = (0.0, 0.1, 0.3)
from_best, dips = {}, {}
wishes_of_house = {"even": even, "80% one room": skewed}
for wind in winds:
    world, V = windy(wind), best_values(windy(wind))
    onward = (1 - discount) * np.eye(S) + discount * V
    expert = best_action(np.round(np.einsum("sax,xg->sga", world, onward), 9))
    setting = (world, expert, even, even, discount, size.rounds)
    V_cloned, policies = method.iterate(method.ocbc, *setting)
    greedy = [values_of(world, best_action(policies[k])) for k in looks]
    from_best[wind] = (even @ V_cloned @ even / (even @ V @ even),
                       even @ np.array(greedy) @ even / (even @ V @ even))  # fmt: skip
    if wind == 0:
        lost = np.abs(np.diff(V_cloned, axis=0)).max()
for wind in (0.0, 0.3):
    for wish, p in wishes_of_house.items():
        for name in ("OCBC", "divide only"):
            setting = (windy(wind), clueless, p, even, discount, size.rounds)
            V, policies = method.iterate(factors[name], *setting)
            greedy = [values_of(windy(wind), best_action(policies[k])) for k in looks]
            dips[wind, wish, name] = even @ V @ p, even @ np.array(greedy) @ p
here.table(
    ["from the uniform policy", "best possible", "OCBC samples", "OCBC best action",
     "its lowest", "divide only, best action"],
    [[f"wind {wind}, commands {wish}", f"{even @ best_values(windy(wind)) @ p:.3f}",
      *(f"{way[-1]:.3f}" for way in dips[wind, wish, "OCBC"]),
      f"{dips[wind, wish, 'OCBC'][1][1:].min():.3f}",
      f"{dips[wind, wish, 'divide only'][1][-1]:.3f}"]
     for wind in (0.0, 0.3) for wish, p in wishes_of_house.items()],
)  # fmt: skip

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2))
for wind, color in zip(winds, ("ours", "third", "second"), strict=True):
    line = {"color": figures.COLORS[color]}
    left.plot(from_best[wind][0], **line)
    left.plot(looks, from_best[wind][1], "--", **line)
    end = from_best[wind][0][-1]
    figures.direct_label(
        left, size.rounds, end, f"wind {wind:g}", line["color"], (0, -9), ha="right"
    )
left.set(title="from the best policy", xlabel="round", ylim=(0, 1.05))
left.set_ylabel("success over the best possible")
values, greedy = dips[0.0, "80% one room", "OCBC"]
color = figures.COLORS["second"]
right.plot(values, color=color)
right.plot(looks, greedy, "--", color=color)
right.plot(looks, dips[0.0, "80% one room", "divide only"][1], "--",
           color=figures.COLORS["fourth"])  # fmt: skip
right.set(title="no wind, 80% one room", xlabel="round", ylim=(0, 0.75))
right.set_ylabel("success")
right.text(45, 0.69, "divide only", color=figures.COLORS["fourth"])
right.text(47, 0.48, "OCBC", color=color)
here.show(
    fig,
    alt="Left, from the best policy, success over the best possible: without wind it "
    "stays at 1; at wind 0.1 it falls to 0.46 as it samples and 0.63 by its best "
    "action; at wind 0.3 to 0.24 and 0.56. Right, from the uniform policy without "
    "wind: OCBC as it samples climbs to the best, 0.67, within a hundred rounds; its "
    "best action starts there, dips below 0.3 at rounds 15 to 20 and comes back; "
    "divide only stays at the best.",
    caption="Solid as it samples, dashed with the best action. Left: OCBC from the "
    "best policy, all goals equally often. Only wind makes it forget. Right: from the "
    "uniform policy, without wind, most commands to one room: OCBC arrives, after a "
    "long dip.",
)

# %% [markdown]
# The best policy is a resting place without wind. In the wind it is none, and the best action goes
# down with the samples, so this is no mere softness.
#
# The right panel and the table start from the uniform policy again. Without wind OCBC climbs to the
# best by itself, with both kinds of commands. (Not so everywhere: in sixty random worlds without any
# chance it ended at 86% of the best, from random policies. That is not computed on this page.) Its
# best action dips on the way. As far as we could learn, the paper finds both methods equal where
# goals are balanced, and OCBC worse where they are biased, by the best action. In a still house
# this is what a look at round 20 shows (0.66 and 0.67 with balanced goals, 0.28 and 0.67 with
# biased ones), and what a look at round 100 does not: there nothing is left to tell them apart. In
# the wind the difference stays, with balanced goals as well.
#
# ## Learned: two networks and a few hundred episodes
#
# So far nothing was estimated. Now both methods get episodes, not tables: in each round, episodes
# of 40 steps in the windy house with the skewed commands; the networks see two coordinates of the
# state and of the outcome. `NormalisedOCBC` trains both networks by cross entropy on the same
# relabelled batch. The conditional network alone *is* OCBC, so the two methods have equal networks,
# steps and step size. The normalised one is the authors' variant, divide only: its ratio is all
# that two networks can hold. (A policy that is multiplied on would be the product of the ratios of
# all rounds.) Each method collects its next data by sampling from its own policy. We tried step
# sizes of 0.002, 0.005 and 0.01; 0.005 was the best for both on the other goals. What the policies
# then do is evaluated exactly.

# %%
print(getsource(method.NormalisedOCBC.loss))
print(getsource(method.NormalisedOCBC.log_ratio))

# %%
import jax
import jax.numpy as jnp

from goalward.data import trajectories
from goalward.nets.mlp import MLP
from goalward.training.loop import train

steps_each = 40
copies = 2 * size.seeds  # every seed of OCBC, then every seed of normalised
learner = method.NormalisedOCBC(
    MLP((*size.widths, A)), MLP((size.widths[0], A)), discount, 128,
    learning_rate=5e-3, tau=0.05,
)  # fmt: skip
features = jnp.asarray((house.cells - 4) / 2, jnp.float32)


@jax.jit
@jax.vmap
def tabulate(state):
    """The cloned policy and the ratio, for all pairs of state and goal."""
    pairs = jnp.repeat(features, S, axis=0), jnp.tile(features, (S, 1))
    cloned = jnp.exp(learner.log_cloned(state.params, *pairs))
    ratio = jnp.exp(learner.log_ratio(state, *pairs))
    return cloned.reshape(S, S, A), ratio.reshape(S, S, A)


policies, trained = np.tile(clueless, (copies, 1, 1, 1)), None
scores = np.zeros((2, copies, size.train_rounds + 1, 2))  # sampled, best; kind of goal
for k in range(size.train_rounds + 1):
    for i, policy in enumerate(policies):
        scores[0, i, k] = by_kind(values_of(P, policy))
        scores[1, i, k] = by_kind(values_of(P, best_action(policy)))
    if k == size.train_rounds:
        break
    goals = rng.choice(S, size=(copies, size.episodes), p=skewed)
    walks = [
        mdp.sample_goal_trajectories(P, q, g, rng, steps_each)
        for q, g in zip(policies, goals, strict=True)
    ]
    states, actions = map(np.concatenate, zip(*walks, strict=True))
    data = trajectories.from_trajectories(np.asarray(features)[states], actions)
    block = size.episodes * steps_each
    data = data.window(np.arange(copies) * block, np.full(copies, block))
    trained, _ = train(
        learner, data, jax.random.key(k), size.steps, seeds=copies, states=trained,
        data_axis=trajectories.window_axes(data),
        progress=here.progress(f"round {k + 1}"),
    )  # fmt: skip
    cloned, ratio = (np.asarray(table, float) for table in tabulate(trained))
    policies = np.concatenate([cloned[: size.seeds], ratio[size.seeds :]])
    policies /= policies.sum(axis=-1, keepdims=True)
learned = {"OCBC": scores[:, : size.seeds], "divide only": scores[:, size.seeds :]}
here.table(
    ["networks, favourite / other goals", "as they sample", "best action"],
    [[name, *(" / ".join(f"{x:.3f}" for x in way[:, -1].mean(axis=0)) for way in ways)]
     for name, ways in learned.items()],
)  # fmt: skip

# %% tags=["hide-input"]
fig, panels = plt.subplots(1, 2, figsize=(6.4, 3.2), sharey=True)
for i, (ax, kind) in enumerate(zip(panels, kinds, strict=True)):
    for name, color in (("OCBC", "second"), ("divide only", "fourth")):
        rounds, color = np.arange(size.train_rounds + 1), figures.COLORS[color]
        figures.band(ax, rounds, learned[name][0][:, :, i], color)
        figures.band(ax, rounds, learned[name][1][:, :, i], color, ls="--")
        known = [k for k in looks if k <= size.train_rounds]
        ax.plot(known, sharp[name][: len(known), i], ":", color=color)
    ax.set(title=kind, xlabel="round", ylim=(0, 0.5))
    ax.set_xticks(range(0, size.train_rounds + 1, max(1, size.train_rounds // 4)))
for text, x, y, color in (
    ("divide only", 0.27, 0.285, "fourth"),
    ("OCBC", 0.75, 0.105, "second"),
):
    panels[1].text(x * size.train_rounds, y, text, color=figures.COLORS[color])
panels[0].text(size.train_rounds, 0.32, "best action", ha="right")
panels[0].text(size.train_rounds, 0.11, "as it samples", ha="right")
panels[0].set_ylabel("success")
here.show(
    fig,
    alt="Success over four rounds of networks, five seeds. Best action, dashed: for "
    "the favourite goals both methods reach 0.3; for the others divide only keeps "
    "0.27 while OCBC falls from 0.24 to 0.14. As they sample, solid, all end at 0.1 "
    "or below. Dotted, the exact best actions lie higher: 0.45, and 0.30 for OCBC's "
    "other goals at the end.",
    caption="Networks on sampled episodes (five seeds, 95% bands): dashed with the "
    "best action, solid as they sample, dotted the exact best action (one line on the "
    "left, where both agree). Equal on favourite goals, apart on the others, as in "
    "the exact answer.",
)

# %% [markdown]
# The networks keep the order and not the height: 0.27 where the exact table has 0.45. No
# single change closes the gap. Four times the steps give divide only 0.30 on the other goals, four
# times the batch 0.30, twice the width 0.26, ten times the episodes 0.28, episodes of 150 steps
# 0.26, and one-hot cells in place of two coordinates 0.33; OCBC stays between 0.12 and 0.15 in all
# of these. One-hot cells, four times the steps and ten times the episodes together give 0.42, and
# 0.28 for OCBC, where the exact numbers are 0.45 and 0.30. (None of these is computed on this
# page.)
#
# ## Play: other wishes, other buses
#
# Choose how often you want the beach, and how often bus B brings you to the lake. Orange: imitation
# from the best policy; purple, dashed: imitation from the uniform one; blue: normalised, from the
# uniform one.

# %% tags=["hide-input"]
wish_values, lake_values = [0.5, 0.8, 0.99], [0.2, 0.4, 0.8]


def play(beach, lake):
    R, p = np.array([[[1.0, 0.0], [1 - lake, lake]]]), np.array([[beach, 1 - beach]])
    ways = ((method.ocbc, best, "second"), (method.ocbc, uniform, "fourth"),
            (method.normalised_ocbc, uniform, "ours"))  # fmt: skip
    return [
        (rounds_of(step, begin, R, p, 20)[0][:, 0], color)
        for step, begin, color in ways
    ]


def frame(beach, lake):
    fig, ax = plt.subplots(figsize=(6.4, 2.8))
    curves = play(beach, lake)
    for (values, color), dash in zip(curves, ("-", "--", "-"), strict=True):
        ax.plot(values, dash, color=figures.COLORS[color])
    ax.axhline(curves[0][0][0], color=figures.COLORS["exact"], lw=0.8, ls="--")
    for k, name, color, lift in (
        (2, "normalised", "ours", 10),
        (0, "imitation", "second", -10),
    ):
        end = curves[k][0][-1]
        figures.direct_label(
            ax, 20, end, name, figures.COLORS[color], (0, lift), ha="right"
        )
    ax.set(xlabel="round", ylabel="success", ylim=(0.35, 1.05))
    ax.set_title(
        f"best {curves[0][0][0]:.3f}, imitation ends at {curves[0][0][-1]:.3f}"
    )
    return fig


here.explore(
    {"beach wanted": wish_values, "lake by bus B": lake_values},
    frame,
    alt=lambda beach, lake: (
        f"Success over 20 rounds, beach wanted {beach:.0%} of the days, lake by bus B "
        f"{lake:.0%}: the best is {play(beach, lake)[0][0][0]:.3f}; imitation ends at "
        f"{play(beach, lake)[0][0][-1]:.3f} from the best policy, at "
        f"{play(beach, lake)[1][0][-1]:.3f} from the uniform one, and normalised at "
        f"{play(beach, lake)[2][0][-1]:.3f}."
    ),
    start=(0, 1),
)

# %% [markdown]
# At 0.99 all three end close together: with hardly any conflict between goals, averaging loses
# little. At even wishes imitation ends 0.1, 0.2 and 0.1 below the best, for a bus B that reaches
# the lake in 20%, 40% and 80% of the cases. There the loss at rest is half the smaller of bus B's
# two chances: it is largest for a bus of which nobody knows where it will end, and none for a bus
# that always gets there.
#
# ## What the paper claims, checked
#
# Bounds come from the paper, from a proof, or were set before the measurement from an early
# prototype ("ours").

# %% tags=["hide-input"]
bandits = {"bound_from": "prototype", "kind": "statistical", "covers": "bandits"}
oracle = {"paper": "—", "bound_from": "oracle", "kind": "exact"}
paper_exact = {"bound_from": "paper", "kind": "exact"}
here.claim(
    "one_step_worse",
    "One round of OCBC from a good policy can lower its success (relative change, two "
    "buses)",
    paper="−13% (its own example)",
    number=-0.13,
    measured=one_round / 0.7 - 1,
    bound="< 0",
    reason="another example: the paper's could not be found; ours was not chosen to "
    "lose much",
    **paper_exact,
)
here.claim(
    "closed_forms",
    "Success and policies of the two buses against pencil and paper (largest "
    "difference)",
    measured=max(abs(value - exact) for value, exact in numbers.values()),
    bound="<= 1e-3",
    **oracle,
)
here.claim(
    "matches_commands",
    "Iterated OCBC ends where outcomes match commands best (excess mismatch, nats, 20 "
    "bandits)",
    measured=gap.max(),
    bound="<= 1e-3",
    **oracle,
)
here.claim(
    "ocbc_suboptimal",
    "Success of OCBC after 50 rounds over the best possible, random bandits",
    paper="can be very suboptimal",
    measured=curves["OCBC"][-1],
    bound="< 0.93",
    null=1.0,
    **bandits,
)
here.claim(
    "normalised_optimal",
    "The same for normalised OCBC",
    paper="—",
    measured=curves["normalised"][-1],
    bound="> 0.98",
    **bandits,
)
here.claim(
    "bandit_guarantee",
    "Normalised OCBC lowers success in no bandit and no round (smallest change)",
    paper="guaranteed",
    measured=np.diff(curves["normalised"], axis=0).min(),
    bound=">= -1e-12",
    **paper_exact,
)
here.claim(
    "mdp_guarantee",
    "With each task's own data it lowers no value of any state and goal (smallest "
    "change, random worlds)",
    paper="guaranteed under assumptions",
    measured=worst_change["own successes"].min(),
    bound=">= -1e-12",
    **paper_exact,
)
here.claim(
    "ocbc_not_monotone",
    "Share of random worlds in which a round of OCBC lowers success",
    paper="not zero",
    measured=falls["OCBC"],
    bound="> 0",
    bound_from="paper",
    kind="statistical",
    covers="worlds",
)
here.claim(
    "lossless_without_luck",
    "Without wind OCBC keeps every value of the best policy (largest change in any "
    "round)",
    measured=lost,
    bound="<= 1e-9",
    **oracle,
)
others = {name: sharp[name][-1, 1] for name in ("divide only", "OCBC")}
here.claim(
    "rare_goals_exact",
    "Windy house, goals outside the favourite room, best action: success of the "
    "authors' variant minus OCBC",
    paper="positive (biased goals)",
    measured=others["divide only"] - others["OCBC"],
    bound="> 0",
    **paper_exact,
)
others = {name: learned[name][1][:, -1, 1] for name in learned}
here.claim(
    "rare_goals_learned",
    "The same with networks, paired by seed",
    paper="positive (biased goals)",
    measured=others["divide only"] - others["OCBC"],
    bound="> 0",
    bound_from="paper",
    kind="statistical",
    covers="data and initialisation",
    null=0.0,
)
here.conclude()

# %% [markdown]
# ## What differs from the paper
#
# 1. **Example.** The paper's own example loses 13%; we could not find its numbers. Ours is the two
#    buses, which lose 10.7%.
# 2. **Letters.** The paper's tasks and outcomes $e$ are our goals $g$; its data policy $\beta$ is our
#    $\pi$.
# 3. **Outcomes.** The authors' code draws two uniform time steps of an episode; we draw a geometric
#    offset, so that $Q$ is the successor measure.
# 4. **Base of (4).** The code acts with a uniform base, $\pi\propto\bar Q$, and is evaluated by the
#    best action. This is "divide only" here, and what the networks do. "Normalised" multiplies onto
#    the previous policy, as (4) says; it is shown exactly only.
# 5. **Filter.** The paper keeps a relabelled trajectory if its importance weight lies within
#    $1\pm\epsilon$. Exactly solved worlds need no filter: "own successes" is what it aims at. The
#    learned run has none (in the released loss it is commented out). Exercise 5 is the filter.
# 6. **Worlds.** The paper: point mass, pusher, door, lunar lander, claw, with discretised actions.
#    Here: bandits, random processes, a windy house.
# 7. **Network.** 400 and 300 units, batches of 256, step size 5e-4, up to a million steps there; 64
#    and 64, 128, 5e-3, and 1,000 steps a round here. `gpu` has the widths.
# 8. **Slow copy.** $\tau=0.01$ there, 0.05 here, for the shorter training.
#
# What the toys do not show: long horizons with few successes, where $\bar\pi$ in the denominator is
# small and noisy, and continuous actions, where the ratio has to be sampled from.
#
# ## Scaling up
#
# ```
# goalward run imitating_past_successes --scale gpu
# ```
#
# runs this chapter with the authors' widths, ten seeds and twenty rounds (no such run is recorded
# yet). The paper's results are curves of success within a distance of 0.05; we could not recover
# their numbers. The plots in the authors' repository, for a point mass among rooms with biased
# goals, run between 0.3 and 0.6, and are noisy.
#
# ## Exercises
#
# The assignment has five exercises.
# Work in [the exercise notebook](imitating_past_successes_exercises.ipynb)
# that `make lab` puts beside this chapter. Each exercise has hints and a check cell, and shows
# a solution after an attempt. `goalward assignments check NOTEBOOK` says where you stand.
#
# 1. **Clone a bandit** (easy, 15 minutes): equation (1) for one state.
# 2. **Repair it** (easy, 15 minutes): equation (4) from what cloning alone can learn.
# 3. **Where does cloning rest?** (medium, 25 minutes): the average policy that matches the commands.
# 4. **Improve every state** (hard, 35 minutes): the guaranteed step in a Markov decision process.
# 5. **The filter** (medium, 15 minutes): which relabelled trajectories may stay.
#
# ## Where to go from here
#
# - [TD InfoNCE](td_infonce.ipynb) learns $Q^{g'}(s,a,g)$ itself, from single steps, and picks the
#   best action: it never averages policies.
# - [Interpolation](interpolation.ipynb) plans with representations of the same future.
# - Eysenbach, Udatha, Levine, Salakhutdinov: *Imitating past successes can be very suboptimal*,
#   NeurIPS 2022; the authors' code is at
#   [Sou0602/Normalized_OCBC](https://github.com/Sou0602/Normalized_OCBC).
# - Ghosh, Gupta, Reddy, Fu, Devin, Eysenbach, Levine: *Learning to reach goals via iterated
#   supervised learning*, ICLR 2021: the cloning that is analysed here.
# - Paster, McIlraith, Ba: *You can't count on luck: why decision transformers and RvS fail in
#   stochastic environments*, NeurIPS 2022: the wind of this chapter, for returns in place of goals.
# - Peters, Schaal: *Reinforcement learning by reward-weighted regression for operational space
#   control*, ICML 2007: the picky reader, in robotics.
