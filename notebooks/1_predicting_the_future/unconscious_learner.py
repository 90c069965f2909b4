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
# - break each assumption on purpose and predict the damage;
# - join two models that were trained apart, and say what limits the joint.

# %%
import jax
import jax.numpy as jnp
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
    """log p(x, y) / p(x) p(y) of the two modalities that are left when `out` is summed out."""
    pair = joint.sum(axis=out)
    return np.log(pair / np.outer(pair.sum(axis=1), pair.sum(axis=0)))


tables = {"A with B\n(given)": log_ratio(joint, 2), "B with C\n(given)": log_ratio(joint, 0),
          "A with C\n(never seen)": log_ratio(joint, 1)}  # fmt: skip
fig, panels = plt.subplots(1, 3, figsize=(6.4, 2.7))
for ax, (name, table) in zip(panels, tables.items(), strict=True):
    picture = figures.heatmap(ax, table, name, cmap=figures.DIVERGING, vmin=-2, vmax=2)
fig.colorbar(picture, ax=panels, shrink=0.8, label="log ratio", extend="min")
here.show(
    fig,
    alt="Three square tables of log ratios. A with B is high along the diagonal, B with C along the "
    "other diagonal, and A with C along that other diagonal too, more blurred.",
    caption="How much more likely than chance is it to meet two letters together? The right table "
    "was computed from the other two alone and is exact: multiply the ratios like matrices, each "
    "caption weighed by how common it is.",
    lead=True,
)

# %% [markdown]
# The sizes of everything below. `laptop` has the authors' dimensions, number of pairs and batch.

# %%
size = here.sizes(
    #             smoke           laptop                        gpu
    seeds=        (5,             5,                            20),
    rows=         (400,           5_000,                        5_000),
    check=        (64,            992,                          992),
    steps=        (20,            800,                          2_500),
    banks=        ((10, 100),     (10, 30, 100, 300, 1_000, 5_000), (10, 100, 1_000, 5_000)),
    samples=      ((10, 100, 1_000), (10, 100, 1_000, 10_000),  (10, 100, 1_000, 10_000, 100_000)),
    monte_carlo=  (400_000,       400_000,                      400_000),
)  # fmt: skip

# %% [markdown]
# ## Integrate the caption out
#
# Contrastive learning estimates a **ratio**, not a probability: the best critic of $A$ and $B$ is
#
# $$f(A,B)=\log\frac{p(A,B)}{p(A)\,p(B)}$$
#
# up to a constant, and likewise $f(B,C)$. Suppose $A$ and $C$ are **independent given $B$**: once you
# know the caption, the photograph says nothing more about the sound. Call this assumption **(1)**. Then
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
# how well it fits both. The right-hand side is a log-sum-exp (LSE); it needs assumption (1) and assumption
# **(2)**, that the critics are log ratios. No pair $(A,C)$ enters, and $A$ and $C$ need not even live
# in the same space.
#
# **Predict before you run.** Suppose photograph and sound share something that no caption mentions: wind
# bends the trees and howls in the microphone. Will (1) make too much of a matching pair or too
# little?
#
# <details><summary>Answer</summary>
#
# Too little. All that $A$ tells about $C$ has to pass through $B$, and the wind does not. Formula (1)
# gives the ratio of a world in which captions with photographs and captions with sounds are as they
# are, and the wind in the picture is independent of the wind in the sound.
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

errors = {}
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
    print(f"{name}: by hand against library {np.abs(np.log(by_hand) - by_library).max():.0e},",
          f"library against truth {errors[name]:.2g}")  # fmt: skip
print(getsource(method.lse_scores))

# %% [markdown]
# Independent given $B$: exact. With wind: wrong by more than half a nat somewhere.
#
# ## How large must the bank be?
#
# In the wild you cannot sum over all captions; you sample. Take the simplest world in which all
# three ratios are known: scalars $B\sim\mathcal N(0,1)$, $A=B+\text{noise}$ and $C=-B+\text{noise}$, noise of
# standard deviation 0.8, and optionally a noise that $A$ and $C$ *share*. Everything is jointly Gaussian, so each
# log ratio is a closed form. Even the wrong answer is: with shared noise a large bank tends to the log
# ratio of the **Markov** world, which has the same pairs $(A,B)$ and $(B,C)$ and no sharing.

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
            scores = method.lse_scores(
                world.log_ratio(A, bank, "ab"), world.log_ratio(bank, C, "bc")
            )
            misses[shared][seed, k] = np.sqrt(np.mean((scores - exact) ** 2))
slopes = [np.polyfit(np.log(size.samples), np.log(row), 1)[0] for row in misses[0.0]]

fig, ax = plt.subplots(figsize=(6.4, 3.0))
for shared, color, name in (
    (0.0, "ours", "nothing shared"),
    (0.8, "second", "shared noise"),
):
    figures.band(
        ax, size.samples, misses[shared], figures.COLORS[color], marker="o", ms=4
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
    alt="Error against bank size on logarithmic axes. With nothing shared it falls along a straight "
    "line of slope minus one half. With shared noise it soon lies on a dashed line just below 0.5 nats.",
    caption="With the exact ratios of both pairs, the bank's error falls like $N^{-1/2}$ if A and C are "
    "independent given B. If they share noise it falls to a floor that no bank removes, and "
    "the floor is known in advance.",
)

# %% [markdown]
# ## The law: why plain comparison ranks correctly
#
# Few people use (1). They compare $\phi_A^\top\phi_C$ directly, a number that training never saw.
# Here is why that works. Let the critics be scaled cosines of **unit** representations,
# $f(A,B)=\tau\,\phi_A^\top\phi_B$ and $f(B,C)=\tau\,\phi_B^\top\phi_C$, with one shared $\phi_B$. ($\tau$ is a
# learned factor here, as in the paper; it has nothing to do with a target network.) Then the sum
# in the exponent of (1) is $\tau\,(\phi_A+\phi_C)^\top\phi_B$. InfoNCE spreads representations over the
# sphere; assumption **(3)** says that it succeeds, and $\phi_B$ is uniform there. The average over a
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
slopes_of_law, agreement = [], []
A, C = on_sphere(rng, 400, 8), on_sphere(rng, 400, 8)
fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.0))
for tau, color in ((2, "third"), (8, "ours"), (32, "fifth")):
    g = method.sphere_bridge(cosines, tau, 8)
    slopes_of_law.append(np.diff(g).min())
    left.plot(cosines, g / tau, color=figures.COLORS[color])
    figures.direct_label(left, 1, g[-1] / tau, f"τ = {tau}", figures.COLORS[color])
for crowd in crowding:
    pull = 8 * (A + C) + crowd * np.eye(8)[0]
    exact = method.log_vmf_integral(np.linalg.norm(pull, axis=1), 8)
    agreement.append(rank_correlation(np.sum(A * C, axis=1), exact))
right.plot(crowding, agreement, "o-", color=figures.COLORS["second"])
left.set(xlabel="cosine of A and C", title="log ratio, divided by τ")
right.set(xlabel="crowding λ of B's codes", title="rank agreement", ylim=(0, 1.05))
here.show(
    fig,
    alt="Left: three increasing curves of the log ratio against the cosine, for three values of tau. "
    "Right: rank agreement of cosine and exact ratio, 1 without crowding, falling below 0.2 as "
    "the codes of B crowd together.",
    caption="Left: the law. Whatever τ is, a larger cosine means a larger ratio. Right: it rests on "
    "uniform codes. When they crowd around one direction, the cosine ranks ever worse (d = 8, τ = 8).",
)

# %% [markdown]
# ## Learned: the authors' synthetic world
#
# Now nothing is given but pairs. A hidden vector $B\in\mathbb R^{16}$ is Gaussian; $A$ and $C$ in $\mathbb R^{32}$ are
# random linear views of it plus noise of standard deviation 2. Optionally $A$ and $C$ share a noise of
# standard deviation 4. The networks do not know that anything is linear. We train on 5,000 pairs
# $(A,B)$ and another 5,000 pairs $(B,C)$ and compare
#
# - **shared**: one encoder for $B$, used in both losses: the unconscious learner;
# - **separate**: two encoders for $B$; two models trained apart;
# - **supervised**: trained on 5,000 pairs $(A,C)$, which the others never see.
#
# Each score is either the plain cosine of $A$ and $C$ (*direct*) or (1) over a bank of 1,000 training
# captions (*LSE*). For separate models the same captions, in the same order, go through both encoders of
# $B$. The measure: among 32 candidates, is the true partner on top? Chance is 1/32. Since the world is
# Gaussian we also know what is possible at all: retrieval by the exact log ratio.
#
# One `UnconsciousLearner` trains all of them at once: it takes a tuple of pairs of names, and each name is
# an encoder. Nothing is shared between models but the clock. The step size, 0.003, was chosen on a
# prototype, once for all models.
#
# **Predict before you run.** For the shared model, which score will find more partners: the plain cosine,
# which needs assumptions (1), (2) and (3), or the LSE, which needs only (1) and (2)?
#
# <details><summary>Answer</summary>
#
# The plain cosine. The LSE asks for less in theory but estimates its average from a sample, and with
# sharp critics few captions of that sample count. The law has done the same integral exactly.
#
# </details>

# %%
print(getsource(method.UnconsciousLearner.loss))

from flax import linen as nn

from goalward.nets.mlp import MLP
from goalward.training.loop import train

pairs = (("a", "b"), ("b", "c"), ("a1", "b1"), ("b2", "c2"), ("a3", "c3"))
learner = method.UnconsciousLearner(MLP((32, 16, 8), nn.relu), pairs)
worlds = [
    random_triple(np.random.default_rng(s), shared=k)
    for k in (0.0, 4.0)
    for s in range(size.seeds)
]
copies, recorded, checks = len(worlds), [], []
for i, world in enumerate(worlds):
    rng = np.random.default_rng(100 + i % size.seeds)
    ab, bc, ac = (world.sample(rng, size.rows) for _ in range(3))
    spread = [x.std() for x in ab]
    a, b = (np.float32(x / s) for x, s in zip(ab[:2], spread[:2], strict=True))
    b2, c2 = (np.float32(x / s) for x, s in zip(bc[1:], spread[1:], strict=True))
    a3, c3 = np.float32(ac[0] / spread[0]), np.float32(ac[2] / spread[2])
    recorded.append(((a, b), (b2, c2), (a, b), (b2, c2), (a3, c3)))
    checks.append((world.sample(rng, size.check), spread))
data = jax.tree.map(lambda *x: jnp.stack(x), *recorded)
trained, _ = train(
    learner, data, jax.random.key(0), size.steps, seeds=copies, data_axis=0,
    progress=here.progress("all models"),
)  # fmt: skip

# %%
views = {
    name: jnp.array([np.float32(x[k] / s[k]) for x, s in checks])
    for k, name in enumerate("abc")
}
views["bank"] = data[1][0]


@jax.jit
@jax.vmap
def encode(params, views):
    """Codes of the check data by every encoder, and of the bank by those of B."""
    codes = {
        name: learner.encode(params, name, views[name[0]])
        for pair in pairs
        for name in pair
    }
    banks = {
        "bank " + n: learner.encode(params, n, views["bank"]) for n in ("b", "b1", "b2")
    }
    return codes | banks


codes = {k: np.asarray(v, float) for k, v in encode(trained.params, views).items()}
factors = np.exp(np.asarray(trained.params["log_scale"], float))


def direct(i, first, second):
    """Cosines within batches of 32."""
    x, y = (codes[name][i].reshape(-1, 32, 8) for name in (first, second))
    return x @ y.swapaxes(1, 2)


def lse(i, first, second, bank_first, bank_second, pair, n=1_000):
    """Equation (1) within batches of 32, with the learned factors, over the first n captions."""
    x, y = (codes[name][i].reshape(-1, 32, 8) for name in (first, second))
    left, right = (
        factors[i, pair] * codes[bank_first][i],
        factors[i, pair + 1] * codes[bank_second][i],
    )
    return np.stack(
        [
            method.lse_scores(u @ left[:n].T, right[:n] @ v.T)
            for u, v in zip(x, y, strict=True)
        ]
    )


shared_way, separate_way = (
    ("a", "c", "bank b", "bank b", 0),
    ("a1", "c2", "bank b1", "bank b2", 2),
)
accuracy = {name: np.zeros(copies) for name in (
    "exact ratio", "supervised", "shared, direct", "shared, LSE", "separate, LSE", "separate, direct")}  # fmt: skip
agree = np.zeros(copies)
for i, world in enumerate(worlds):
    A, _, C = (x.reshape(-1, 32, x.shape[1]) for x in checks[i][0])
    results = {
        "exact ratio": np.stack(
            [world.log_ratio(u, v) for u, v in zip(A, C, strict=True)]
        ),
        "supervised": direct(i, "a3", "c3"),
        "shared, direct": direct(i, "a", "c"),
        "shared, LSE": lse(i, *shared_way),
        "separate, LSE": lse(i, *separate_way),
        "separate, direct": direct(i, "a1", "c2"),
    }
    agree[i] = rank_correlation(results["shared, direct"], results["shared, LSE"])
    for name, scores in results.items():
        accuracy[name][i] = retrieval_accuracy(scores)
clean, noisy = slice(size.seeds), slice(size.seeds, None)

# %%
fig, panels = plt.subplots(1, 2, figsize=(6.4, 3.0), sharey=True)
tint = ("exact", "third", "ours", "sixth", "fifth", "second")
for ax, part, title in (
    (panels[0], clean, "nothing shared"),
    (panels[1], noisy, "shared noise"),
):
    for k, (name, color) in enumerate(zip(accuracy, tint, strict=True)):
        values = accuracy[name][part]
        ax.barh(k, values.mean(), color=figures.COLORS[color], alpha=0.8)
        ax.plot(values, np.full(len(values), k), "o", color="white", mec="black", ms=4)
    ax.axvline(1 / 32, color=figures.COLORS["muted"], ls="--", lw=1)
    ax.set(title=title, xlabel="true partner found", xlim=(0, 1.03))
panels[0].set_yticks(range(len(accuracy)), accuracy)
panels[0].invert_yaxis()
here.show(
    fig,
    alt="Bars of retrieval accuracy, five dots each. With nothing shared: exact ratio near 1, "
    "supervised and shared direct near 0.95, shared LSE 0.8, separate LSE 0.55, separate direct at "
    "chance. With shared noise: exact 1, supervised 0.9, shared direct 0.65, the others lower.",
    caption="One in 32 (dashed: chance), five seeds. Left: the unconscious learner is nearly as good "
    "as the supervised one. Two models trained apart cannot be compared directly, but the bank joins "
    "them. Right: what A and C share beside B helps the supervised model only.",
)

# %% [markdown]
# Three things to notice.
#
# **The law holds.** *Shared, direct* never saw a pair $(A,C)$ and comes close to the model that saw
# nothing else. Direct and LSE scores agree in rank.
#
# **Separate models need the bank.** Their two spaces have nothing to do with each other: direct comparison is
# chance. The LSE never compares across spaces, and works.
#
# **The better-founded score is the worse one.** *Shared, LSE* finds fewer partners than *shared, direct*. The
# next figure shows how few of its captions really count.

# %%
curves = {
    name: np.array([[retrieval_accuracy(lse(i, *way, n=n)) for n in size.banks] for i in range(size.seeds)])
    for name, way in (("shared", shared_way), ("separate", separate_way))
}  # fmt: skip
x, y, bank = (codes[name][0] for name in ("a", "c", "bank b"))
ess = method.effective_sample_size(
    factors[0, 0] * x[:32] @ bank[:1_000].T, factors[0, 1] * bank[:1_000] @ y[:32].T
)
matched = np.median(np.diag(ess))
print(f"learned factors {factors[clean].mean(axis=0).round(1)}")
print(
    f"captions that count for a matching pair, of {min(1_000, size.rows)}: {matched:.1f} (median)"
)

fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.0))
cosine, score = direct(0, "a", "c")[0], lse(0, *shared_way)[0]
left.plot(cosine.ravel(), score.ravel(), ".", color=figures.COLORS["muted"], ms=3)
left.plot(np.diag(cosine), np.diag(score), "o", color=figures.COLORS["ours"], ms=4)
line = np.linspace(-1, 1, 100)
left.plot(
    line,
    method.sphere_bridge(line, factors[0, :2].mean(), 8),
    color=figures.COLORS["exact"],
)
left.set(
    xlabel="cosine of A and C", ylabel="LSE score", title="law (line), learned (dots)"
)
for name, color in (("shared", "sixth"), ("separate", "fifth")):
    figures.band(
        right, size.banks, curves[name], figures.COLORS[color], name, marker="o", ms=4
    )
right.set(
    xscale="log", xlabel="captions in the bank", title="accuracy by LSE", ylim=(0, 1)
)
here.show(
    fig,
    alt="Left: LSE score against cosine for one batch: an increasing cloud along the black curve of "
    "the law, matching pairs at the top right. Right: accuracy by LSE rises with the size of the bank "
    "for shared and separate models and has not levelled off.",
    caption="Left: learned scores (grey; matching pairs blue) follow the law's curve, scattered by the "
    "choice of 1,000 captions. Right: more captions help, and 5,000 are not enough.",
)

# %% [markdown]
# With factors $\tau$ near 30, a caption has to be very close to both $A$ and $C$ to have a say. Of a thousand,
# two or three do.
#
# ## What shared noise does, exactly
#
# For the assumption about independence the world tells us what to expect at *every* noise: retrieval by
# the exact ratio uses everything, retrieval by the Markov world's ratio uses what passes through $B$,
# and a method that sees only the pairs $(A,B)$ and $(B,C)$ has no way to know more.

# %%
noises = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0])
possible = {name: np.zeros((size.seeds, len(noises))) for name in ("all", "through B")}
for seed in range(size.seeds):
    for k, noise in enumerate(noises):
        world = random_triple(np.random.default_rng(seed), shared=noise)
        A, _, C = world.sample(np.random.default_rng(seed), size.check)
        A, C = A.reshape(-1, 32, 32), C.reshape(-1, 32, 32)
        for name, source in (("all", world), ("through B", world.markov())):
            scores = np.stack(
                [source.log_ratio(u, v) for u, v in zip(A, C, strict=True)]
            )
            possible[name][seed, k] = retrieval_accuracy(scores)

fig, ax = plt.subplots(figsize=(6.4, 3.0))
figures.band(ax, noises, possible["all"], figures.COLORS["exact"], "exact ratio")
figures.band(ax, noises, possible["through B"], figures.COLORS["fourth"], "through B")
for name, color, side in (
    ("supervised", "third", "left"),
    ("shared, direct", "ours", "right"),
):
    means = [accuracy[name][part].mean() for part in (clean, noisy)]
    ax.plot([0, 4], means, "o", color=figures.COLORS[color], ms=7)
    figures.direct_label(
        ax, 4, means[1], f"   {name}   ", figures.COLORS[color], (0, 0), ha=side
    )
ax.set(
    xlabel="standard deviation of the noise that A and C share",
    ylabel="true partner found",
)
ax.set_ylim(0, 1.05)
here.show(
    fig,
    alt="Accuracy against the size of the shared noise. The exact ratio stays at one; what passes "
    "through B falls from one to below 0.4 at noise 8. Without shared noise both learned models lie "
    "near 0.95. At noise 4 the supervised one is at 0.88, the shared one at 0.63; what passes through B "
    "allows 0.8.",
    caption="Lines: what is possible, exactly. Dots: learned (at 0 they coincide). At noise 4 about half "
    "of what the shared model misses the captions could not tell it; the rest are its own errors.",
)

# %% [markdown]
# ## Play: the law and its samples
#
# Choose how sharp the critics are (τ) and how many captions you have. Line: the law. Dots: equation
# (1) with one bank of uniform codes in eight dimensions.

# %%
sharpness, bank_sizes = [2, 8, 32], [10, 1_000, 10_000]
play_bank = on_sphere(np.random.default_rng(5), bank_sizes[-1], 8)
angles = np.arccos(np.linspace(-1, 1, 15))
around = np.cos(angles)[:, None] * np.eye(8)[0] + np.sin(angles)[:, None] * np.eye(8)[1]


def play(tau, n):
    bank = play_bank[:n]
    sampled = method.lse_scores(tau * bank[:, 0][None], tau * bank @ around.T)[0]
    return sampled, method.sphere_bridge(np.cos(angles), tau, 8)


def frame(tau, n):
    sampled, exact = play(tau, n)
    fig, ax = plt.subplots(figsize=(6.4, 2.8))
    ax.plot(np.cos(angles), exact, color=figures.COLORS["exact"])
    ax.plot(np.cos(angles), sampled, "o", color=figures.COLORS["ours"])
    ax.set(xlabel="cosine of A and C", ylabel="log ratio")
    ax.set_title(f"largest error {np.abs(sampled - exact).max():.2f} nats")
    return fig


here.explore(
    {"τ": sharpness, "captions": bank_sizes},
    frame,
    alt=lambda tau, n: (
        f"The law's curve at tau {tau} and scores from {n} captions; the largest error is "
        f"{np.abs(np.subtract(*play(tau, n))).max():.2f} nats."
    ),
    start=(1, 1),
)

# %% [markdown]
# At $\tau=2$ a thousand captions will do. At $\tau=32$ even ten thousand miss by up to 0.8 nats: whether some
# caption lies close to a given direction is a matter of luck. The dots are still in order, which is all
# that ranking needs.
#
# ## What the paper claims, checked
#
# We know the paper's results from its abstract, its code and public reviews; where a bound is "ours"
# it was set from an early prototype before this run. One measurement was made finer after a first look: the
# power of the bank's size is fitted to twenty banks; with five its interval reached just beyond the bound.

# %%
exact = {"paper": "—", "bound_from": "oracle", "kind": "exact"}
banks = exact | {"kind": "statistical", "covers": "banks"}
paper = {
    "bound_from": "paper",
    "kind": "statistical",
    "covers": "worlds, data, initialisation",
}
ours = paper | {"bound_from": "prototype"}
plain, joined, best = (
    accuracy[k] for k in ("shared, direct", "separate, LSE", "supervised")
)
here.claim("identity", "Finite alphabet, A and C independent given B: equation (1) is exact "
           "(largest error)", measured=errors["independent given B"], bound="<= 1e-12", **exact)  # fmt: skip
here.claim("identity_needs_independence", "The same with sharing beside B: it is not",
           measured=errors["windy"], bound="> 0.1", **exact | {"bound_from": "prototype"})  # fmt: skip
here.claim("bank_rate", "Exact critics: the error falls with the bank's size to this power",
           measured=slopes, bound="in [-0.6, -0.4]", **banks)  # fmt: skip
here.claim("sharing_floor", "Exact critics, shared noise: error of the largest bank over its closed "
           "form", measured=misses[0.8][:, -1] / floors[0.8], bound="in [0.9, 1.1]", **banks)  # fmt: skip
here.claim("law", "Formula of the law against 400,000 samples (largest difference, nats)",
           measured=formula_gap, bound="<= 0.005", **exact)  # fmt: skip
here.claim("law_increases", "The law increases with the cosine (smallest step on a grid)",
           measured=min(slopes_of_law), bound="> 0", **exact | {"paper": "increasing"})  # fmt: skip
here.claim("direct_works", "Accuracy of the shared model's plain cosine (chance 0.031)",
           paper="works", measured=plain[clean], bound="> 0.85", null=1 / 32, **ours)  # fmt: skip
here.claim("direct_near_supervised", "The same over the supervised model's", paper="about 1",
           measured=plain[clean] / best[clean], bound="> 0.9", null=1 / 32, **paper)  # fmt: skip
here.claim("same_ranking", "Rank correlation of direct and LSE scores, shared model",
           paper="monotone", measured=agree[clean], bound="> 0.9", null=0.0, **paper)  # fmt: skip
here.claim("separate_direct_fails", "Accuracy of the plain cosine between separate models",
           paper="chance", measured=accuracy["separate, direct"][clean], bound="< 0.1", **paper)  # fmt: skip
here.claim("separate_lse_works", "Accuracy of LSE between separate models",
           paper="works", measured=joined[clean], bound="> 0.4", null=1 / 32, **ours)  # fmt: skip
here.claim("separate_lse_near_supervised", "The same over the supervised model's", paper="near 1",
           measured=joined[clean] / best[clean], bound="> 0.9", null=1 / 32, **paper,
           reason="With learned factors near 30 only a few of 1,000 captions carry the average; "
           "accuracy still rises at 5,000.")  # fmt: skip
here.claim("sharing_hurts", "Shared noise: accuracy of the supervised model minus the shared model's",
           paper="degrades", measured=best[noisy] - plain[noisy], bound="> 0.15", null=0.0, **ours)  # fmt: skip
here.conclude()

# %% [markdown]
# ## What differs from the paper
#
# 1. **Temperature in the LSE.** The released code leaves the learned factor out of (1) although it trains
#    with it. We put it in: (1) needs log ratios.
# 2. **Distance.** The code's distance critic uses $-\lVert\cdot\rVert$, not its square; the Gaussian law needs
#    the square. We train scaled cosines only.
# 3. **Encoders.** Paper: layers of the input's width, half of it, and 8, with batch normalisation. Here:
#    32, 16 and 8 for every modality, no normalisation, inputs divided by one standard deviation.
# 4. **Training.** Paper: 32 epochs of 5,000 pairs, batches of 64 (about 2,500 steps), Adam with step size
#    0.01, cut to a tenth at the end. Here: 800 steps, 0.003, constant; `gpu` has 2,500.
# 5. **Factor.** Paper: learned, starting near 1. Here: learned, starting at $1/0.07$.
# 6. **Seeds.** Paper: 20. Here: 5 (`gpu` has 20).
# 7. **Check data.** Always fresh here. In the released notebook the unconscious model seems to be
#    scored on training points.
# 8. **Left out.** Images with sounds (CLIP, CLAP and LanguageBind on AudioSet), and navigation by
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
# runs this chapter with 20 seeds and 2,500 steps (no such run is recorded yet). On AudioSet, public
# reviews of the paper quote, for images to sounds among models trained apart, Recall@10 of 14% by direct
# comparison and 62% by LSE; for LanguageBind, trained jointly, 70% direct and 58% by LSE, rising to 70% with
# half a million captions in the bank. In our small world the picture is the same: joint models compare
# directly, separate ones need the bank, and the bank is never large enough.
#
# ## Exercises
#
# The assignment has four exercises. `make assignments` writes the student notebook to
# `assignments/release/unconscious_learner/unconscious_learner_exercises.ipynb`;
# `goalward assignments check NOTEBOOK` says where you stand.
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
