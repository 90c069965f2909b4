# %% [markdown]
# # The unconscious learner: comparing what was never paired
#
# *Yongwei Che, Benjamin Eysenbach: The "Law" of the Unconscious Contrastive Learner: Probabilistic
# Alignment of Unpaired Modalities. ICLR 2025, [arXiv 2501.11326](https://arxiv.org/abs/2501.11326).*
#
# **You have photographs with captions, and captions with sounds. Which sound belongs to which
# photograph?**
#
# Nobody ever recorded a photograph and a sound together. Still, people train one model on (photograph,
# caption) pairs and (caption, sound) pairs, compare photographs with sounds, and it often works. Why
# should it? Call the three **modalities** $A$ (photograph), $B$ (caption) and $C$ (sound). In the
# picture each is one of twelve letters on a ring, so that everything can be counted. You are given
# the two tables on the left. The one on the right follows from them: by a matrix product.
#
# You need InfoNCE from the [refresher](../0_start/refresher.ipynb). Nothing moves in time here; the
# chapter belongs to this part because a critic of states and futures is one such pair of modalities.
# The symbols are those of the [notation page](../0_start/notation.ipynb). Reading takes about 45
# minutes, running about a minute on a laptop. Afterwards you can
#
# - compute how likely two things belong together from what each shares with a third;
# - say why the plain comparison of representations gives the right *ranking*, and under which
#   assumptions;
# - break each assumption on purpose, and tell the damage from what merely came with it;
# - join two models that were trained apart, and say what limits the joint.

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter, figures

here = chapter.begin("unconscious_learner")

# %%
letters = 12
away = np.abs(np.arange(letters)[:, None] - np.arange(letters))
blur = np.exp(-0.5 * np.minimum(away, letters - away) ** 2)
blur /= blur.sum(axis=1, keepdims=True)
p_B = np.linspace(1, 2, letters) / np.linspace(1, 2, letters).sum()
joint = np.einsum("b,ba,bc->abc", p_B, blur, blur[:, ::-1])  # C is heard mirrored


def log_ratio(joint, out):
    """log p(x, y) / p(x) p(y) of the two that are left when `out` is summed out."""
    pair = joint.sum(axis=out)
    return np.log(pair / np.outer(pair.sum(axis=1), pair.sum(axis=0)))


# %% tags=["hide-input"]
fig, panels = plt.subplots(1, 3, figsize=(6.4, 2.7))
for ax, out, name in zip(
    panels,
    (2, 0, 1),
    ("A with B\n(given)", "B with C\n(given)", "A with C\n(never seen)"),
    strict=True,
):
    picture = figures.heatmap(
        ax, log_ratio(joint, out), name, cmap=figures.DIVERGING, vmin=-2, vmax=2
    )
fig.colorbar(picture, ax=panels, shrink=0.8, label="log ratio", extend="min")
here.show(
    fig,
    alt="Three square tables of log ratios. A with B is high along the diagonal, B "
    "with C along the other diagonal, and A with C along that other diagonal too, "
    "more blurred.",
    caption="How much more likely than chance is it to meet two letters together? The "
    "right table was computed from the other two alone and is exact: multiply the "
    "ratios like matrices, each caption weighed by how common it is.",
    lead=True,
)

# %% [markdown]
# The sizes of everything below. `laptop` has the authors' dimensions, number of pairs, batch and
# number of updates.

# %%
# fmt: off
size = here.sizes(
    #            smoke         laptop        gpu
    seeds=      (5,            5,            20),
    rows=       (400,          5_000,        5_000),
    check=      (64,           992,          992),
    steps=      (30,           2_400,        2_400),
    banks=      ((10, 100),    (10, 100, 1_000, 10_000, 100_000),
                                             (10, 1_000, 100_000, 1_000_000)),
    samples=    ((10, 100, 1_000),
                               (10, 100, 1_000, 10_000),
                                             (10, 100, 1_000, 10_000, 100_000)),
    monte_carlo=(400_000,      400_000,      400_000),
)
# fmt: on

# %% [markdown]
# ## Integrate the caption out
#
# Contrastive learning estimates a **ratio**, not a probability: the best critic of $A$ and $B$ is
#
# $$f(A,B)=\log\frac{p(A,B)}{p(A)\,p(B)}$$
#
# up to a constant, and likewise $f(B,C)$. Suppose $A$ and $C$ are independent given $B$: once you
# know the caption, the photograph says nothing more about the sound. Call this assumption
# **independence**. Then
#
# $$\frac{p(C\mid A)}{p(C)}=\sum_Bp(B\mid A)\,\frac{p(C\mid B)}{p(C)}
# =\sum_Bp(B)\;\frac{p(A,B)}{p(A)p(B)}\;\frac{p(B,C)}{p(B)p(C)}.$$
#
# Put the critics in:
#
# $$\log\frac{p(C\mid A)}{p(C)}=\log\,\mathbb E_{B\sim p(B)}\Big[e^{f(A,B)+f(B,C)}\Big]
# \approx\log\frac1N\sum_{i=1}^Ne^{f(A,b_i)+f(b_i,C)}.\qquad(1)$$
#
# In words: take a **bank** of captions $b_1,\dots,b_N$; each one votes for the match of $A$ and $C$ with
# how well it fits both. The right-hand side is a log-sum-exp (LSE). It needs independence, and a
# second assumption, **ratios**: that the critics are log ratios. No pair $(A,C)$ enters, and $A$ and
# $C$ need not even live in the same space.
#
# **Predict before you run.** Suppose photograph and sound share something that no caption mentions: wind
# bends the trees and howls in the microphone. Will (1) make too much of matching pairs or too
# little?
#
# <details><summary>Answer</summary>
#
# Too little on average, whatever is shared. Formula (1) gives the ratio of another world, the **Markov
# twin**: captions with photographs and captions with sounds are as they are, but the wind in the picture is
# independent of the wind in the sound. Averaged over the pairs $(A,C)$ that really occur, a wrong log ratio
# falls short of the right one by the Kullback-Leibler divergence of the two pair laws, which is never
# negative. A *single* pair may well get too much: where the wind works against the caption, those
# that only the caption would join. Both are counted below.
#
# </details>
#
# ## By hand, then the library
#
# First with loops, on the letters, and once more on a world with wind: with probability 0.3 the
# sound is the mirror of the *photograph*, whatever the caption says. The library takes a bank; a finite
# alphabet is a bank in which each letter carries its probability.

# %%
from inspect import getsource

from goalward.methods import unconscious_learner as method

windy = 0.7 * joint
for a in range(letters):
    windy[a, :, letters - 1 - a] += 0.3 * joint.sum(axis=2)[a]

errors, shortfall = {}, {}
for name, world in (("independent given B", joint), ("windy", windy)):
    AB, BC, AC = log_ratio(world, 2), log_ratio(world, 0), log_ratio(world, 1)
    weight = world.sum(axis=(0, 2))
    by_hand = np.zeros((letters, letters))
    for a in range(letters):
        for c in range(letters):
            for b in range(letters):
                by_hand[a, c] += weight[b] * np.exp(AB[a, b] + BC[b, c])
    by_library = method.lse_scores(AB, BC + np.log(letters * weight)[:, None])
    errors[name] = np.abs(by_library - AC).max()
    shortfall[name] = np.sum(world.sum(axis=1) * (AC - by_library))
    same = np.abs(np.log(by_hand) - by_library).max()
    print(f"{name}: by hand against library {same:.0e},",
          f"library against truth {errors[name]:.2g}")  # fmt: skip
print(f"windy, averaged over the pairs that occur: {shortfall['windy']:.3f} nats short")
print(getsource(method.lse_scores))

# %% [markdown]
# Independent given $B$: exact. With wind: wrong by more than half a nat somewhere, and short on average.
#
# ## How large must the bank be?
#
# In the wild you cannot sum over all captions; you sample. Take the simplest world in which all
# three ratios are known: scalars $B\sim\mathcal N(0,1)$, $A=B+\text{noise}$ and $C=-B+\text{noise}$, noise of
# standard deviation 0.8, and optionally a noise that $A$ and $C$ *share*. Everything is jointly Gaussian, so each
# log ratio is a closed form. Even the wrong answer is: with shared noise a large bank tends to the log
# ratio of the Markov twin. Here the sharing works against the caption: $B$ pushes $A$ and $C$ apart, the
# shared noise pushes them the same way.

# %%
from goalward.data.triples import random_triple, two_views

one = np.ones((1, 1))
rng = np.random.default_rng(0)
misses, floors = {}, {}
for shared in (0.0, 0.8):
    world = two_views(one, one, -one, noise=0.8, shared=shared)
    A, _, C = world.sample(rng, 200)
    exact = world.log_ratio(A, C)
    floors[shared] = np.sqrt(np.mean((world.markov().log_ratio(A, C) - exact) ** 2))
    misses[shared] = np.zeros((20, len(size.samples)))  # twenty banks of each size
    for seed in range(20):
        for k, n in enumerate(size.samples):
            bank = world.sample(rng, n)[1]
            left, right = world.log_ratio(A, bank, "ab"), world.log_ratio(bank, C, "bc")
            scores = method.lse_scores(left, right)
            misses[shared][seed, k] = np.sqrt(np.mean((scores - exact) ** 2))
slopes = [np.polyfit(np.log(size.samples), np.log(row), 1)[0] for row in misses[0.0]]

A, _, C = world.sample(rng, 2_000)
matched = np.diag(world.markov().log_ratio(A, C) - world.log_ratio(A, C))
joined = np.sign(A[:, 0]) != np.sign(C[:, 0])  # as the caption would have it
print(f"shared noise, matching pairs: {-matched.mean():.3f} nats short on average;",
      f"too much for {np.mean(matched[joined] > 0):.0%} of the pairs of opposite sign",
      f"and {np.mean(matched[~joined] > 0):.0%} of the others")  # fmt: skip

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.0))
for shared, color, marker, name in (
    (0.0, "ours", "o", "nothing shared"),
    (0.8, "second", "s", "shared noise"),
):
    figures.band(
        ax, size.samples, misses[shared], figures.COLORS[color], marker=marker, ms=4
    )
    end = (size.samples[-1], misses[shared][:, -1].mean())
    figures.direct_label(
        ax, *end, name, figures.COLORS[color], (0, 32 - 25 * shared), ha="right"
    )
ax.axhline(floors[0.8], color=figures.COLORS["exact"], lw=0.8, ls="--")
figures.direct_label(ax, 1e3, floors[0.8], "its closed form", "black", (0, -10))
ax.set(
    xscale="log",
    yscale="log",
    xlabel="captions in the bank",
    ylabel="error (nats, r.m.s.)",
)
here.show(
    fig,
    alt="Error against bank size on logarithmic axes. With nothing shared it falls "
    "along "
    "a straight line of slope minus one half. With shared noise it soon lies on a "
    "dashed line just below 0.5 nats.",
    caption="With the exact ratios of both pairs, the bank's error falls like "
    "$N^{-1/2}$ if A and C are independent given B. If they share noise it falls to a "
    "floor that no bank removes, and the floor is known in advance.",
)

# %% [markdown]
# ## The law: why plain comparison ranks correctly
#
# Few people use (1). They compare $\phi_A^\top\phi_C$ directly, a number that training never saw.
# Here is why that works. Let the critics be scaled cosines of **unit** representations,
# $f(A,B)=\tau\,\phi_A^\top\phi_B$ and $f(B,C)=\tau\,\phi_B^\top\phi_C$, with one shared $\phi_B$. ($\tau$ is a
# learned factor here, as in the paper; it has nothing to do with a target network.) Then the sum
# in the exponent of (1) is $\tau\,(\phi_A+\phi_C)^\top\phi_B$. InfoNCE spreads representations over the
# sphere; the third assumption, **uniformity**, says that it succeeds, and $\phi_B$ is uniform there. The average over a
# uniform vector can depend on the *length* of $\phi_A+\phi_C$ only, and
#
# $$\lVert\phi_A+\phi_C\rVert=\sqrt{2+2\,\phi_A^\top\phi_C}.$$
#
# So $\log p(C\mid A)/p(C)=g(\phi_A^\top\phi_C)$: a function of the cosine alone. The average is the
# normaliser of the von Mises-Fisher distribution, the Gaussian's cousin on the sphere; with
# $\kappa=\tau\lVert\phi_A+\phi_C\rVert$ and the modified Bessel function $I$,
#
# $$g=\log\Big[\Gamma(\tfrac d2)\big(\tfrac2\kappa\big)^{d/2-1}I_{d/2-1}(\kappa)\Big]
# =\log\sum_{k\ge0}\frac{\Gamma(d/2)}{k!\,\Gamma(k+d/2)}\Big(\frac{\kappa^2}4\Big)^k.\qquad(2)$$
#
# Every term of the series grows with $\kappa$, so $g$ is **increasing**. That is the law: *rank by the cosine
# and you have ranked by the likelihood ratio.* Nobody told the representations of $A$ and $C$ to be comparable.
#
# The same happens without unit length: for $f(a,b)=-\frac12\lVert a-b\rVert^2$ and $b\sim\mathcal N(0,vI)$ the
# integral is a Gaussian one, and for large $v$ it tends to $-\frac14\lVert a-c\rVert^2$, the plain squared
# distance (`gaussian_bridge`). Note the square: for the distance itself there is no such formula.

# %%
print(getsource(method.log_vmf_integral))


def on_sphere(rng, n, d):
    points = rng.normal(size=(n, d))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


formula_gap, rng = 0.0, np.random.default_rng(1)
for d, tau in ((8, 3.0), (4, 2.0)):
    A, C = on_sphere(rng, 1, d), on_sphere(rng, 5, d)
    bank = on_sphere(rng, size.monte_carlo, d)
    sampled = method.lse_scores(tau * A @ bank.T, tau * bank @ C.T)
    formula_gap = max(
        formula_gap, np.abs(sampled - method.sphere_bridge(A @ C.T, tau, d)).max()
    )
A, C = 0.7 * rng.normal(size=(2, 5, 2))
bank = 0.7 * rng.normal(size=(size.monte_carlo, 2))
far = [((points[:, None] - bank) ** 2).sum(axis=2) for points in (A, C)]
sampled = np.diag(method.lse_scores(-0.5 * far[0], -0.5 * far[1].T))
gaussian_gap = np.abs(sampled - method.gaussian_bridge(A, C, 0.49)).max()
print(f"formula against samples: sphere {formula_gap:.4f}, Gaussian {gaussian_gap:.4f}")

# %% [markdown]
# And if the representations of $B$ are *not* uniform? Let them be von Mises-Fisher themselves, crowded
# around one direction $e$ with concentration $\lambda$. The integral is still exact,
# $\log Z(\lVert\tau(\phi_A+\phi_C)+\lambda e\rVert)-\log Z(\lambda)$ with $Z$ the series in (2), but it depends on where
# $\phi_A$ and $\phi_C$ point. We draw 400 random pairs and ask how well the cosine ranks them.

# %%
from goalward.evaluation.retrieval import rank_correlation, retrieval_accuracy

cosines, crowding = np.linspace(-1, 1, 41), np.array([0, 1, 2, 4, 8, 16, 32])
laws = {tau: method.sphere_bridge(cosines, tau, 8) for tau in (2, 8, 32)}
agreement = []
A, C = on_sphere(rng, 400, 8), on_sphere(rng, 400, 8)
for crowd in crowding:
    pull = 8 * (A + C) + crowd * np.eye(8)[0]
    ratio = method.log_vmf_integral(np.linalg.norm(pull, axis=1), 8)
    agreement.append(rank_correlation(np.sum(A * C, axis=1), ratio))

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.0))
for (tau, g), color, ls in zip(
    laws.items(), ("third", "ours", "fifth"), ("-", "--", "-."), strict=True
):
    left.plot(cosines, g / tau, color=figures.COLORS[color], ls=ls)
    figures.direct_label(left, 1, g[-1] / tau, f"τ = {tau}", figures.COLORS[color])
right.plot(crowding, agreement, "o-", color=figures.COLORS["second"])
left.set(xlabel="cosine of A and C", title="log ratio, divided by τ")
right.set(xlabel="crowding λ of B's codes", title="rank agreement", ylim=(0, 1.05))
here.show(
    fig,
    alt="Left: three increasing curves of the log ratio against the cosine, for three "
    "values of tau. Right: rank agreement of cosine and exact ratio, 1 without "
    "crowding, falling below 0.2 as the codes of B crowd together.",
    caption="Left: the law. Whatever τ is, a larger cosine means a larger ratio. "
    "Right: "
    "it rests on uniform codes. When they crowd around one direction, the cosine ranks "
    "ever worse (d = 8, τ = 8).",
)

# %% [markdown]
# ## Learned: the authors' synthetic world
#
# Now nothing is given but pairs. A hidden vector $B\in\mathbb R^{16}$ is Gaussian; $A$ and $C$ in $\mathbb R^{32}$ are
# random linear views of it plus a private noise of standard deviation 2. The networks do not know that anything is
# linear. We train in three worlds:
#
# - **nothing shared**: as just said;
# - **shared noise**: $A$ and $C$ have another noise of standard deviation 4 *in common*. This is the paper's
#   test of independence;
# - its **Markov twin**: the same noise of standard deviation 4, drawn for $A$ and for $C$ apart. The pairs $(A,B)$ and
#   $(B,C)$ have the same law as with shared noise.
#
# The twin is a control. With shared noise two things change at once: $A$ and $C$ share something, and each of
# them is noisier. The twin is as noisy and shares nothing.
#
# In each world we train on 5,000 pairs $(A,B)$ and another 5,000 pairs $(B,C)$ and compare
#
# - **shared**: one encoder for $B$, used in both losses: the unconscious learner;
# - **separate**: two encoders for $B$; two models trained apart;
# - **supervised**: trained on 5,000 pairs $(A,C)$, which the others never see.
#
# Each score is either the plain cosine of $A$ and $C$ (*direct*) or (1) over a bank of 1,000 fresh
# captions (*LSE*). For separate models the same captions, in the same order, go through both encoders of
# $B$. The measure: among 32 candidates, is the true partner on top? Chance is 1/32. Since the world is
# Gaussian we also know what is possible at all: retrieval by the exact log ratio.
#
# One `UnconsciousLearner` trains all of them at once: it takes a tuple of pairs of names, and each name is
# an encoder. Nothing is shared between models but the clock. The step size, 0.003, was chosen on a
# prototype, once for all models.
#
# **Predict before you run.** (a) For the shared model, which score will find more partners: the plain
# cosine, which needs all three assumptions, or the LSE, which needs two? (b) Will the shared model do
# better with shared noise or in the twin?
#
# <details><summary>Answer</summary>
#
# (a) The plain cosine. The LSE asks for less in theory but estimates its average from a sample, and with
# sharp critics few captions of that sample count. The law has done the same integral exactly.
#
# (b) Neither. It sees pairs of the same law in both worlds, so it becomes the same model; it can neither use
# what is shared beside $B$ nor be misled by it.
#
# </details>

# %%
print(getsource(method.UnconsciousLearner.loss))

from flax import linen as nn

from goalward.nets.mlp import MLP
from goalward.training.loop import train

pairs = (("a", "b"), ("b", "c"), ("a1", "b1"), ("b2", "c2"), ("a3", "c3"))
learner = method.UnconsciousLearner(MLP((32, 16, 8), nn.relu), pairs)
plain, noisy = (
    [random_triple(np.random.default_rng(s), shared=k) for s in range(size.seeds)]
    for k in (0.0, 4.0)
)
worlds = plain + noisy + [world.markov() for world in noisy]
copies = len(worlds)
clean, sharing, twin = (slice(k, k + size.seeds) for k in range(0, copies, size.seeds))
recorded, spreads, checks, banks = [], [], [], []
for i, world in enumerate(worlds):
    rng = np.random.default_rng(100 + i % size.seeds)
    ab, bc, ac = (world.sample(rng, size.rows) for _ in range(3))
    spreads.append([x.std() for x in ab])
    ab, bc, ac = (
        [np.float32(x / s) for x, s in zip(draw, spreads[i], strict=True)]
        for draw in (ab, bc, ac)
    )
    recorded.append(tuple(map(tuple, (ab[:2], bc[1:], ab[:2], bc[1:], ac[::2]))))
    checks.append(world.sample(rng, size.check))
    banks.append(world.sample(rng, 1_000)[1])
data = jax.tree.map(lambda *x: np.stack(x), *recorded)

early, trained, models = size.steps // 3, None, {}
for first, last in ((0, early), (early, size.steps)):
    trained, _ = train(
        learner, data, jax.random.key(0), last - first, seeds=copies, data_axis=0,
        states=trained, first=first, log_every=early // 10,
        progress=here.progress(f"all models, to step {last}"),
    )  # fmt: skip
    models[last] = trained.params

# %% [markdown]
# Now the scores, within batches of 32.

# %%
names = sorted({name for pair in pairs for name in pair})


@jax.jit
@jax.vmap
def encode(params, views):
    """Codes of the check data by every encoder, and of the bank by those of B."""
    codes = {n: learner.encode(params, n, views[n[0]]) for n in names}
    for n in ("b", "b1", "b2"):
        codes["bank " + n] = learner.encode(params, n, views["bank"])
    return codes


def codes_of(step, banks, part=slice(None), rows=None):
    """For each world: all codes at that step, and the learned factors tau."""
    views = []
    for check, spread, bank in zip(checks[part], spreads[part], banks, strict=True):
        scaled = zip("abc", check, spread, strict=True)
        views.append({name: np.float32(x[:rows] / s) for name, x, s in scaled})
        views[-1]["bank"] = np.float32(bank / spread[1])
    params = jax.tree.map(lambda leaf: leaf[part], models[step])
    codes = encode(params, jax.tree.map(lambda *x: np.stack(x), *views))
    codes["tau"] = np.exp(np.asarray(params["log_scale"]))
    codes = {name: np.asarray(code, float) for name, code in codes.items()}
    return [{name: code[i] for name, code in codes.items()} for i in range(len(views))]


def batches(rows):
    return rows.reshape(-1, 32, rows.shape[1])


def direct(code, first, second):
    """Cosines within batches of 32."""
    return batches(code[first]) @ batches(code[second]).swapaxes(1, 2)


def bank_scores(x, y, left, right):
    """Equation (1) within batches, from codes that are multiplied by their factors."""
    both = zip(batches(x), batches(y), strict=True)
    return np.stack([method.lse_scores(u @ left.T, right @ v.T) for u, v in both])


def lse(code, way, n=1_000):
    """Equation (1) within batches, over the first n captions, with learned factors."""
    first, second, bank_first, bank_second, k = way
    left, right = code["tau"][k : k + 2]
    left, right = left * code[bank_first][:n], right * code[bank_second][:n]
    return bank_scores(code[first], code[second], left, right)


def by_ratio(world, check):
    """Exact log ratios within batches, as that world has them."""
    both = zip(batches(check[0]), batches(check[2]), strict=True)
    return np.stack([world.log_ratio(u, v) for u, v in both])


shared_way = ("a", "c", "bank b", "bank b", 0)
separate_way = ("a1", "c2", "bank b1", "bank b2", 2)
kinds = {
    "exact ratio": lambda i, code: by_ratio(worlds[i], checks[i]),
    "supervised": lambda i, code: direct(code, "a3", "c3"),
    "shared, direct": lambda i, code: direct(code, "a", "c"),
    "shared, LSE": lambda i, code: lse(code, shared_way),
    "separate, LSE": lambda i, code: lse(code, separate_way),
    "separate, direct": lambda i, code: direct(code, "a1", "c2"),
}
accuracy = {name: np.zeros(copies) for name in kinds}
for i, code in enumerate(codes_of(size.steps, banks)):
    for name, score in kinds.items():
        accuracy[name][i] = retrieval_accuracy(score(i, code))
print(f"{'':17s}{'nothing shared':>15s}{'shared noise':>15s}{'its twin':>15s}")
for name, values in accuracy.items():
    means = [values[part].mean() for part in (clean, sharing, twin)]
    print(f"{name:17s}" + "".join(f"{mean:15.3f}" for mean in means))

# %% tags=["hide-input"]
fig, panels = plt.subplots(1, 3, figsize=(6.4, 3.2), sharey=True)
tint = ("exact", "third", "ours", "sixth", "fifth", "second")
for ax, part, title in zip(
    panels,
    (clean, sharing, twin),
    ("nothing shared", "shared noise", "its Markov twin"),
    strict=True,
):
    for k, (name, color) in enumerate(zip(accuracy, tint, strict=True)):
        values = accuracy[name][part]
        ax.barh(k, values.mean(), color=figures.COLORS[color], alpha=0.8)
        ax.plot(values, np.full(len(values), k), "o", color="white", mec="black", ms=4)
    ax.axvline(1 / 32, color=figures.COLORS["muted"], ls="--", lw=1)
    ax.set_title(title, fontsize=10)
    ax.set_xlim(0, 1.05)
    ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
panels[1].set_xlabel("true partner found")
panels[0].set_yticks(range(len(accuracy)), accuracy)
panels[0].invert_yaxis()
found = {k: [v[p].mean() for p in (clean, sharing, twin)] for k, v in accuracy.items()}
here.show(
    fig,
    alt="Bars of retrieval accuracy, five dots each, with nothing shared, with shared "
    "noise and in its twin. "
    + " ".join(f"{k}: {v[0]:.2f}, {v[1]:.2f}, {v[2]:.2f}." for k, v in found.items()),
    caption="One in 32 (dashed: chance), five seeds. Left: the unconscious learner is "
    "nearly as good as the supervised one. Two models trained apart cannot be compared "
    "directly, but the bank joins them. Middle and right: to the shared model it makes "
    "no difference whether the noise is shared. Only the supervised model, which sees "
    "pairs of A and C, gains from sharing.",
)

# %% [markdown]
# Four things to notice.
#
# **The law holds.** *Shared, direct* never saw a pair $(A,C)$ and comes close to the model that saw
# nothing else.
#
# **Separate models need the bank.** Their two spaces have nothing to do with each other: direct comparison is
# chance. The LSE never compares across spaces, and works.
#
# **The better-founded score is the worse one.** *Shared, LSE* finds fewer partners than *shared, direct*. That
# is the price of a bank of 1,000, as we shall see with a larger one.
#
# **Sharing costs the shared model nothing.** From left to middle its accuracy falls, and it is tempting to
# blame the broken assumption. The twin acquits it: the same noise kept private costs as much. What hurts is that
# $A$ and $C$ are noisier. Sharing only gives the supervised model something more to see: the broken assumption
# shows in what the shared model *misses*, not in what it loses.
#
# ## Uniformity, looked at
#
# Whether codes are uniform takes one line to check. The eigenvalues of $\mathbb E[\phi_B\phi_B^\top]$, the
# shares of the directions, sum to one; for uniform codes in eight dimensions each is 1/8. We look at the shared
# model with nothing shared, after a third of the training and at its end. Then we compare its LSE with the law,
# pair by pair, over a large bank and a small one, and with perfectly uniform codes in the place of the bank's.

# %%
few = min(160, size.check)
large = [
    world.sample(np.random.default_rng(900 + i), size.banks[-1])[1]
    for i, world in enumerate(worlds[clean])
]
codes = {step: codes_of(step, large, clean, few) for step in models}
shares = {
    step: np.array([np.linalg.eigvalsh(c["bank b"].T @ c["bank b"]) for c in every])
    for step, every in codes.items()
}
shares = {step: every[:, ::-1] / size.banks[-1] for step, every in shares.items()}
for step, every in shares.items():
    print(f"step {step}, shares of the directions {every.mean(axis=0).round(3)}")


def off_the_law(code, bank, d):
    """LSE scores less the law in d dimensions: mean and standard deviation."""
    x, y = (code["tau"][k] * code[name] for k, name in enumerate("ac"))
    length = np.linalg.norm(batches(x)[:, :, None] + batches(y)[:, None], axis=-1)
    miss = bank_scores(x, y, bank, bank) - method.log_vmf_integral(length, d)
    return miss.mean(), miss.std()


uniform = on_sphere(np.random.default_rng(6), size.banks[-1], 8)
print("step  captions  codes    law in d  mean miss  spread (nats)")
for step, n, who, d in (
    (early, None, "learned", 8),
    (early, None, "learned", 7),
    (size.steps, None, "learned", 8),
    (size.steps, None, "uniform", 8),
    (size.steps, 1_000, "learned", 8),
    (size.steps, 1_000, "uniform", 8),
):
    every = codes[step]
    bank_codes = [c["bank b"] if who == "learned" else uniform for c in every]
    misses_law = [
        off_the_law(c, b[:n], d) for c, b in zip(every, bank_codes, strict=True)
    ]
    mean, spread = np.mean(misses_law, axis=0)
    n = n or size.banks[-1]
    print(f"{step:4d} {n:9,d}  {who}  {d:8d}  {mean:+9.2f}  {spread:6.2f}")

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.0))
for (step, every), color, marker in zip(
    shares.items(), ("second", "ours"), ("s", "o"), strict=True
):
    ink = figures.COLORS[color]
    figures.band(left, range(1, 9), every, ink, marker=marker, ms=4)
    k, offset = (1, (-2, -16)) if color == "ours" else (3, (4, 8))
    figures.direct_label(left, k + 1, every[:, k].mean(), f"step {step:,}", ink, offset)
left.axhline(1 / 8, color=figures.COLORS["exact"], lw=1, ls="--")
left.set(xlabel="direction", title="shares of B's codes", ylim=(0, 0.22))
code = codes[size.steps][0]
cosine = direct(code, "a", "c")[0]
for n, color, marker, where in (
    (1_000, "second", "s", 0.14),
    (size.banks[-1], "ours", "o", 0.04),
):
    ink = figures.COLORS[color]
    points = lse(code, shared_way, n)[0]
    right.plot(cosine.ravel(), points.ravel(), marker, color=ink, ms=2.5, alpha=0.6)
    right.annotate(
        f"{marker.replace('o', '●').replace('s', '■')} {n:,} captions",
        (0.98, where),
        xycoords="axes fraction",
        ha="right",
        color=ink,
    )
line = np.linspace(-1, 1, 100)
law = method.sphere_bridge(line, code["tau"][:2].mean(), 8)
right.plot(line, law, color=figures.COLORS["exact"])
right.set(xlabel="cosine of A and C", title="LSE score (line: the law)")
low = [every[:, -1].mean() for every in shares.values()]
here.show(
    fig,
    alt="Left: shares of the eight directions in the codes of B, in falling order, at "
    "two "
    "steps, with a dashed line at one eighth. Both begin near 0.18. The smallest is "
    f"{low[0]:.3f} after a third of the training and {low[1]:.3f} at its end. Right: "
    "LSE scores of one batch against cosines. Those from 1,000 captions scatter widely "
    "about the law's curve; those from the largest bank lie close to it.",
    caption="Left: after a third of the training one direction of eight is nearly "
    "empty; "
    "at its end all are in use, though not equally (dashed: uniform). Right: with "
    "1,000 "
    "captions the scores scatter about the law, with a hundred times as many they "
    "follow it.",
)

# %% [markdown]
# Read the table from below. With 1,000 captions perfectly uniform codes scatter as much as the learned ones do:
# that scatter is the luck of the bank. With 100,000, uniform codes miss by 0.5 nats and the learned ones by nearly
# twice that, and half a nat too high on average. The difference is not the bank's: the codes are not uniform.
# After a third of the training the mean miss is a full nat, and it is gone if we ask for the law in *seven*
# dimensions: the learner nearly lived on a smaller sphere then. Its codes are not uniform there either, and the
# spread stays. The ranking hardly notices any of this: with the large bank, cosine and LSE agree almost perfectly (the number is below).
#
# ## What limits the bank
#
# We let the bank grow, and put beside the learned critics the exact ones, for which only the bank is at fault.

# %%
curves = {
    k: np.zeros((size.seeds, len(size.banks))) for k in ("exact", "shared", "separate")
}
counted, agree = np.zeros((2, size.seeds))
for i, code in enumerate(codes[size.steps]):
    world, bank, (A, _, C) = worlds[i], large[i], (x[:few] for x in checks[i])
    for k, n in enumerate(size.banks):
        exact_bank = [
            method.lse_scores(
                world.log_ratio(u, bank[:n], "ab"), world.log_ratio(bank[:n], v, "bc")
            )
            for u, v in zip(batches(A), batches(C), strict=True)
        ]
        curves["exact"][i, k] = retrieval_accuracy(np.stack(exact_bank))
        curves["separate"][i, k] = retrieval_accuracy(lse(code, separate_way, n))
        learned = lse(code, shared_way, n)
        curves["shared"][i, k] = retrieval_accuracy(learned)
    agree[i] = rank_correlation(direct(code, "a", "c"), learned)
    left, right = (t * code["bank b"][:1_000] for t in code["tau"][:2])
    sizes = method.effective_sample_size(
        code["a"][:32] @ left.T, right @ code["c"][:32].T
    )
    counted[i] = np.median(np.diag(sizes))
print("learned factors", np.mean([c["tau"] for c in codes[size.steps]], axis=0).round())
print(
    f"captions that count for a matching pair, of 1,000: {counted.mean():.1f} (median)"
)
print(f"largest bank: rank correlation of cosine and LSE {agree.mean():.3f}")
print("captions" + "".join(f"{n:9,d}" for n in size.banks))
for name, values in curves.items():
    print(f"{name:8s}" + "".join(f"{mean:9.2f}" for mean in values.mean(axis=0)))

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.0))
for values, color, marker in zip(
    curves.values(), ("exact", "sixth", "fifth"), ("^", "o", "s"), strict=True
):
    figures.band(ax, size.banks, values, figures.COLORS[color], marker=marker, ms=4)
top = accuracy["supervised"][clean].mean()
ax.axhline(top, color=figures.COLORS["third"], ls="--", lw=1)
for name, k, color, offset, side in (
    ("shared", 1, "sixth", (-6, 6), "right"),
    ("exact critics", 3, "exact", (12, -8), "left"),
    ("separate", 3, "fifth", (8, -12), "left"),
):
    k = min(k, len(size.banks) - 1)
    height = curves[name.split()[0]][:, k].mean()
    figures.direct_label(
        ax, size.banks[k], height, name, figures.COLORS[color], offset, ha=side
    )
figures.direct_label(
    ax, size.banks[0], top, "supervised, no bank", figures.COLORS["third"], (0, -9)
)
ax.set(
    xscale="log",
    xlabel="captions in the bank",
    ylabel="true partner found",
    ylim=(0, 1.02),
)
end = {name: values[:, -1].mean() for name, values in curves.items()}
here.show(
    fig,
    alt="Accuracy by LSE against the size of the bank: three rising curves. With the "
    f"largest bank exact critics are at {end['exact']:.2f} and the shared model at "
    f"{end['shared']:.2f}, near the dashed line of the supervised model; the separate "
    f"models are at {end['separate']:.2f}.",
    caption="The exact critics need a large bank as well; up to 10,000 captions they "
    "find "
    "fewer partners than the learned shared model. At 100,000 the bank is large "
    "enough, "
    "and what the separate models still lack is their own.",
)

# %% [markdown]
# With factors $\tau$ beyond 50, a caption has to be very close to both $A$ and $C$ to have a say. Of a thousand,
# one or two do. So about half of what separate models lack at 1,000 captions is the bank: the exact critics are
# hardly better there, and all three curves rise. The rest stays at 100,000, and lies in critics that are no log
# ratios. Why it costs the shared model so little, whose critics are cosines of eight numbers as well, this page
# does not test. More data alone does not mend it. Outside this page, in three of the worlds and with a bank of
# 100,000, we gave the separate models twenty times the pairs (accuracy 0.76 became 0.80); then also three times the
# steps (0.82), codes of sixteen numbers (0.86), and batches of 256 (0.93).
#
# ## What shared noise does, exactly
#
# How much is there to gain from what $A$ and $C$ share? The world tells us at *every* noise. Retrieval by the exact
# ratio uses everything; retrieval by the twin's ratio uses what passes through $B$. The pairs $(A,B)$ and
# $(B,C)$ fix the twin and nothing else: what $B$ leaves in $A$ and $C$ may agree, be independent or be opposite,
# and the pairs look the same. One may still *guess*. We guess that a quarter of the variance which $B$ leaves in
# each coordinate is shared with the same coordinate of the other; and once more, that it is opposite.

# %%
from goalward.data.triples import GaussianTriple

noises = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0])


def guessed(world, part):
    """The twin, but that part of what B leaves in A and C is shared by coordinate."""
    cov = world.markov().cov.copy()
    a, b, c = slice(0, 32), slice(32, 48), slice(48, 80)
    left = np.diag(cov[a, a] - cov[a, b] @ np.linalg.solve(cov[b, b], cov[b, a])).mean()
    for rows, columns in ((a, c), (c, a)):
        cov[rows, columns] += part * left * np.eye(32)
    return GaussianTriple(world.mean, cov, world.dims)


believed = {
    "exact ratio": lambda world: world,
    "twin's ratio": lambda world: world.markov(),
    "guess: agrees": lambda world: guessed(world, 0.25),
    "guess: opposite": lambda world: guessed(world, -0.25),
}
possible = {name: np.zeros((size.seeds, len(noises))) for name in believed}
for seed in range(size.seeds):
    for k, noise in enumerate(noises):
        world = random_triple(np.random.default_rng(seed), shared=noise)
        check = world.sample(np.random.default_rng(seed), size.check)
        for name, belief in believed.items():
            found_by = by_ratio(belief(world), check)
            possible[name][seed, k] = retrieval_accuracy(found_by)
print("noise          " + "".join(f"{noise:6.0f}" for noise in noises))
for name, values in possible.items():
    print(f"{name:15s}" + "".join(f"{mean:6.2f}" for mean in values.mean(axis=0)))

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.3))
for (name, values), color, style, rise in zip(
    possible.items(),
    ("exact", "fourth", "fifth", "second"),
    ("-", "-", "--", ":"),
    (7, 0, -7, 6),
    strict=True,
):
    ink = figures.COLORS[color]
    figures.band(ax, noises, values, ink, ls=style)
    figures.direct_label(ax, 8, values[:, -1].mean(), name, ink, (6, rise))
for name, color, side, marker in (
    ("supervised", "third", "right", "s"),
    ("shared, direct", "ours", "right", "o"),
):
    ink, means = figures.COLORS[color], found[name]
    ax.plot([0, 4], means[:2], marker, color=ink, ms=6)
    ax.plot([4], means[2:], marker, color=ink, mfc="none", mew=1.5, ms=10)
    figures.direct_label(ax, 4, means[1], f"{name}     ", ink, (0, 0), ha=side)
ax.set(
    xlabel="standard deviation of the noise that A and C share",
    ylabel="true partner found",
    ylim=(0, 1.08),
)
here.show(
    fig,
    alt="Accuracy against the size of the shared noise. The exact ratio stays at one; "
    "the "
    "twin's ratio falls from one to below 0.4 at noise 8. The guess that a quarter is "
    "shared stays near one, the opposite guess falls fastest. At noise 4 the "
    "supervised "
    f"model is at {found['supervised'][1]:.2f} with shared noise and at "
    f"{found['supervised'][2]:.2f} in the twin, the shared model at "
    f"{found['shared, direct'][1]:.2f} and {found['shared, direct'][2]:.2f}.",
    caption="Lines: retrieval by known ratios where noise is shared. Dots: learned "
    "models, filled where noise is shared, hollow in the twin. The two of the shared "
    "model coincide; in the twin the supervised model (hollow square) falls below it.",
)

# %% [markdown]
# The right guess is worth nearly all that was missed, the opposite one costs, from noise 4 on, most of what there
# was, and no pair $(A,B)$ or $(B,C)$ tells which is right. What the shared model lacks to the twin's ratio are its
# own errors. In the twin it even finds more partners than the supervised model. But it saw twice as many pairs:
# given 10,000 of its own, the supervised model draws level (0.67 and 0.67 on fresh data, not computed on this page).
#
# ## Play: the law and its samples
#
# Choose how sharp the critics are (τ) and how many captions you have. Line: the law. Dots: equation
# (1) with one bank of uniform codes in eight dimensions.

# %%
sharpness, bank_sizes = [2, 8, 32], [10, 1_000, 10_000]
play_bank = on_sphere(np.random.default_rng(5), bank_sizes[-1], 8)
angles = np.arccos(np.linspace(-1, 1, 15))
around = np.cos(angles)[:, None] * np.eye(8)[0] + np.sin(angles)[:, None] * np.eye(8)[1]
sampled = {
    (tau, n): method.lse_scores(
        tau * play_bank[:n, :1].T, tau * play_bank[:n] @ around.T
    )[0]
    for tau in sharpness
    for n in bank_sizes
}

# %% tags=["hide-input"]


def frame(tau, n):
    law = method.sphere_bridge(np.cos(angles), tau, 8)
    fig, ax = plt.subplots(figsize=(6.4, 2.8))
    ax.plot(np.cos(angles), law, color=figures.COLORS["exact"])
    ax.plot(np.cos(angles), sampled[tau, n], "o", color=figures.COLORS["ours"])
    ax.set(xlabel="cosine of A and C", ylabel="log ratio")
    ax.set_title(f"largest error {np.abs(sampled[tau, n] - law).max():.2f} nats")
    return fig


def describe(tau, n):
    miss = sampled[tau, n] - method.sphere_bridge(np.cos(angles), tau, 8)
    return (
        f"The law's curve at tau {tau} and scores from {n} captions; the largest error "
        f"is {np.abs(miss).max():.2f} nats."
    )


here.explore(
    {"τ": sharpness, "captions": bank_sizes}, frame, alt=describe, start=(1, 1)
)

# %% [markdown]
# At $\tau=2$ a thousand captions will do. At $\tau=32$ even ten thousand miss by up to 0.8 nats: whether some
# caption lies close to a given direction is a matter of luck. The dots are still in order, which is all
# that ranking needs.
#
# ## What the paper claims, checked
#
# We know the paper's results from its abstract, its code and public reviews, which give no numbers for the
# synthetic world. Where a bound is "ours" it was set from an early prototype of 800 steps before this run; that of
# the control was set to match the intervals of the others, before this run but after it was known that the control had
# acquitted the sharing. One measurement was made finer after a first look: the power of the bank's size is fitted to
# twenty banks; with five its interval reached just beyond the bound.

# %% tags=["hide-input"]
exact = {"paper": "—", "bound_from": "oracle", "kind": "exact"}
over_banks = exact | {"kind": "statistical", "covers": "banks"}
paper = {
    "bound_from": "paper",
    "kind": "statistical",
    "covers": "worlds, data, initialisation",
}
ours = paper | {"bound_from": "prototype"}
direct_, joined, best = (
    accuracy[k] for k in ("shared, direct", "separate, LSE", "supervised")
)
here.claim(
    "identity",
    "Finite alphabet, A and C independent given B: equation (1) is exact (largest "
    "error)",
    measured=errors["independent given B"],
    bound="<= 1e-12",
    **exact,
)
here.claim(
    "identity_needs_independence",
    "The same with sharing beside B: it is not",
    measured=errors["windy"],
    bound="> 0.1",
    **exact | {"bound_from": "prototype"},
)
here.claim(
    "bank_rate",
    "Exact critics: the error falls with the bank's size to this power",
    measured=slopes,
    bound="in [-0.6, -0.4]",
    **over_banks,
)
here.claim(
    "sharing_floor",
    "Exact critics, shared noise: error of the largest bank over its closed form",
    measured=misses[0.8][:, -1] / floors[0.8],
    bound="in [0.9, 1.1]",
    **over_banks,
)
here.claim(
    "law",
    "Formula of the law against 400,000 samples (largest difference, nats)",
    measured=formula_gap,
    bound="<= 0.005",
    **exact,
)
here.claim(
    "law_increases",
    "The law increases with the cosine (smallest step on a grid)",
    measured=min(np.diff(g).min() for g in laws.values()),
    bound="> 0",
    **exact | {"paper": "increasing", "bound_from": "paper"},
)
here.claim(
    "direct_works",
    "Accuracy of the shared model's plain cosine (chance 0.031)",
    paper="works",
    measured=direct_[clean],
    bound="> 0.85",
    **ours,
)
here.claim(
    "direct_near_supervised",
    "The same over the supervised model's",
    paper="about 1 (figures)",
    measured=direct_[clean] / best[clean],
    bound="> 0.9",
    **ours,
)
here.claim(
    "same_ranking",
    "Rank correlation of direct and LSE scores, shared model, largest bank",
    paper="1 (theory)",
    measured=agree,
    bound="> 0.9",
    **ours,
)
here.claim(
    "separate_direct_fails",
    "Accuracy of the plain cosine between separate models (chance 0.031)",
    paper="chance",
    measured=accuracy["separate, direct"][clean],
    bound="< 0.1",
    **ours,
)
here.claim(
    "separate_lse_works",
    "Accuracy of LSE between separate models, bank of 1,000",
    paper="works",
    measured=joined[clean],
    bound="> 0.4",
    **ours,
)
here.claim(
    "separate_lse_near_supervised",
    "The same over the supervised model's",
    paper="near 1 (figures)",
    measured=joined[clean] / best[clean],
    bound="> 0.9",
    null=1 / 32,
    **paper,
    reason="Of 1,000 captions one or two count. With 100,000 the ratio is "
    f"{np.mean(curves['separate'][:, -1] / best[clean]):.2f}; the rest lies in the "
    "learned critics.",
)
here.claim(
    "noise_hurts",
    "What the shared model loses from nothing shared to shared noise",
    paper="above 0 (figures)",
    measured=direct_[clean] - direct_[sharing],
    bound="> 0",
    **paper,
)
here.claim(
    "sharing_costs_nothing",
    "Of this, what sharing itself costs: the shared model in the twin minus with "
    "sharing",
    paper="—",
    measured=direct_[twin] - direct_[sharing],
    bound="in [-0.05, 0.05]",
    **ours,
)
here.claim(
    "sharing_helps_who_sees_pairs",
    "What sharing gives the supervised model: with shared noise minus in the twin",
    paper="—",
    measured=best[sharing] - best[twin],
    bound="> 0.15",
    **ours,
)
here.conclude()

# %% [markdown]
# The last three rows belong together. The paper takes the fall of the first as the price of the broken assumption. The
# control says that the noise itself has that price, and that sharing helps only who sees pairs of $A$ and $C$.
#
# ## What differs from the paper
#
# 1. **Temperature in the LSE.** The released code leaves the learned factor out of (1) although it trains
#    with it. We put it in: (1) needs log ratios.
# 2. **Distance.** The code's distance critic uses $-\lVert\cdot\rVert$, not its square; the Gaussian law needs
#    the square. We train scaled cosines only.
# 3. **Encoders.** Paper: layers of the input's width, half of it, and 8, with batch normalisation. Here:
#    32, 16 and 8 for every modality, no normalisation, inputs divided by one standard deviation.
# 4. **Training.** Paper: 32 epochs of 5,000 pairs, batches of 64 (about 2,500 steps), Adam with step size
#    0.01, cut to a tenth at the end. Here: 2,400 steps, 0.003, constant.
# 5. **Factor.** Paper: learned, starting near 1. Here: learned, starting at $1/0.07$.
# 6. **Seeds.** Paper: 20. Here: 5 (`gpu` has 20).
# 7. **Check data.** Always fresh here. In the released notebook the unconscious model seems to be
#    scored on training points.
# 8. **Shared noise.** Paper: several sizes, from 0 to 32. Here: one, with its twin as a control, which the paper has not.
# 9. **Left out.** Images with sounds (CLIP, CLAP and LanguageBind on AudioSet), and navigation by
#    language, where states are the shared modality between actions and instructions.
#
# What the toy does not show: whether real representations are uniform (the paper's tests do not
# reject it for CLIP and CLAP), and how far a caption leaves photograph and sound independent.
#
# ## Scaling up
#
# ```
# goalward run unconscious_learner --scale gpu
# ```
#
# runs this chapter with 20 seeds and a bank of a million captions (no such run is recorded yet). On AudioSet, public
# reviews of the paper quote, for images to sounds among models trained apart, Recall@10 of 14% by direct
# comparison and 62% by LSE; for LanguageBind, trained jointly, 70% direct and 58% by LSE, rising to 70% with
# half a million captions in the bank. In our small world the picture is the same: joint models compare
# directly, separate ones need the bank, and with a large bank the LSE of a joint model comes up to its cosine.
#
# ## Exercises
#
# The assignment has four exercises.
# Work in [the exercise notebook](unconscious_learner_exercises.ipynb)
# that `make lab` puts beside this chapter. Each exercise has hints and a check cell, and shows
# a solution after an attempt. `goalward assignments check NOTEBOOK` says where you stand.
#
# 1. **The vote of a bank** (easy, 20 minutes): equation (1), safe against overflow.
# 2. **What the captions cannot tell** (medium, 25 minutes): the world that (1) believes in, and how many
#    nats it misses.
# 3. **The law on the sphere** (medium, 25 minutes): the series in (2), for $\kappa$ up to 2,000.
# 4. **The law for Gaussian codes** (hard, 35 minutes): the integral without unit vectors, with critics of
#    unequal sharpness.
#
# ## Where to go from here
#
# - [Interpolation](interpolation.ipynb) uses the same trick, a Gaussian marginal over codes, to infer what
#   lies between.
# - [TD InfoNCE](td_infonce.ipynb): its softmax weights are the same votes, over random states.
# - Che, Eysenbach: *The "law" of the unconscious contrastive learner*, ICLR 2025; code at
#   [YongweiChe/UnconsciousContrastiveLearner](https://github.com/YongweiChe/UnconsciousContrastiveLearner).
# - Wang, Isola: *Understanding contrastive representation learning through alignment and uniformity on the
#   hypersphere*, ICML 2020: why codes become uniform.
# - Girdhar, El-Nouby, Liu, Singh, Alwala, Joulin, Misra: *ImageBind: one embedding space to bind them all*,
#   CVPR 2023: six modalities through one.
