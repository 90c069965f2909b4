# %% [markdown]
# # Welcome: see the future of a random walk
#
# **Somebody walks about at random. Where will they be a while from now?**
#
# That is the smallest case of what this course is about: a program that can tell where it will be
# can learn to reach goals when nobody hands it a reward. Here you see the answer, and how to work
# with a chapter. It takes about 10 minutes.
#
# You learn it by doing. So before anything else, run the three cells below (click a cell, then press
# `Shift`+`Enter`) and move the slider. Code that only draws, as that of the third, is folded: it is
# one click away, and you need not read it to follow.

# %%
import matplotlib.pyplot as plt

from goalward.course import chapter, figures
from goalward.tabular import grid, mdp, successor

here = chapter.begin("welcome")

# %%
rooms = grid.Grid.parse(
    """
    #############
    #.....#.....#
    #.....#.....#
    #...........#
    #.....#.....#
    #.....#.....#
    #############
    """
)
start = rooms.index(1, 2)
aimless = mdp.uniform_policy(rooms.states, len(grid.ACTIONS))


def look_ahead(gamma):
    """Where an aimless walker is found when it is stopped at a random time."""
    return successor.state_successor_measure(rooms.P, aimless, gamma)[start]


# %% tags=["hide-input"]
def frame(gamma):
    fig, ax = plt.subplots(figsize=(6.4, 3.4))
    picture = rooms.image(look_ahead(gamma))
    shown = figures.heatmap(ax, picture, norm="log", vmin=1e-4, vmax=0.4)
    row, column = rooms.cells[start]
    ax.plot(column, row, "o", color="white", markeredgecolor="black", markersize=9)
    ax.set_title(f"γ = {gamma}: about {1 / (1 - gamma):.0f} steps ahead")
    fig.colorbar(shown, ax=ax, label="probability (log scale)", shrink=0.85)
    return fig


def alt(gamma):
    here_now, farthest = look_ahead(gamma)[start], look_ahead(gamma)[-1]
    return (
        f"Two rooms joined by a door, at γ = {gamma}. The walker starts in the left "
        f"room (dot), is found there with probability {here_now:.2g}, and in the far "
        f"corner of the right room with probability {farthest:.2g}."
    )


patience = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999]
here.explore({"γ": patience}, frame, alt=alt, start=[2])

# %% [markdown]
# You see two rooms from above, joined by a door. A walker starts at the dot and steps up, down,
# left, right or stays, all with the same probability. It is stopped at a random time: after each
# step with probability $1-\gamma$. The colour of a cell is the probability that it is stopped
# *there*. This map is called the **successor measure**; it is what most of this course is about.
# The number $\gamma$ (gamma), between 0 and 1, says how patiently you look ahead.
#
# **Predict before you move on.** Put the slider to $\gamma=0.999$. Which cell is the brightest, and
# by how much?
#
# <details><summary>Answer</summary>
#
# The start, but barely: 0.025 there against 0.016 in the far corner. A walker that wanders for a
# thousand steps has all but forgotten where it began. Each cell is entered as easily as it is left
# (a bump into a wall counts as staying), so in the long run all 51 cells are equally likely,
# $1/51\approx0.020$ each. A long look ahead is not a clear one. This is why learning about the far
# future is hard, and why the papers in this course are interesting.
#
# </details>
#
# ## Who this is for
#
# You know Python, some linear algebra (you can read $A^{-1}b$) and some probability (you can read
# $p(x\mid y)$). You need no reinforcement learning and no JAX: the [refresher](refresher.ipynb)
# teaches what chapter 1 uses in an hour or an hour and a half. If you know both, go straight to
# [the first chapter](../1_predicting_the_future/td_infonce.ipynb). No GPU is needed anywhere in the
# chapters.
#
# ## How a chapter is built
#
# 1. **The question**, in a sentence and a picture, with the time it takes and what you should know.
# 2. **The idea**, in small equations. Each is followed by what it says in words. Now and then you
#    are asked to predict what comes out before you run a cell. Do say it aloud or write it down: a
#    guess that turns out wrong is the fastest way to learn, and a guess nobody made cannot turn out
#    wrong.
# 3. **The algorithm**, first in a few plain lines on a tiny example, then the library's own code,
#    and a check that the two agree.
# 4. **The experiment**, with figures. The caption says what to notice.
# 5. **Play**: sliders. They move here and also in the book on the web, where no Python runs.
# 6. **Claims**: what the paper says, held against what you just measured.
# 7. **What differs from the paper**, as a list. A small example is not the whole truth.
# 8. **Scaling up**: the one command that runs the same method at the paper's size.
# 9. **Exercises**, with difficulty and minutes, and a check that tells you at once what is right
#    and what is not.
#
# ## What a claim is
#
# A paper says "ours needs twenty times fewer samples". A chapter turns that into a *claim*: a
# number that we measure, a bound that it must meet, and where the bound comes from (the paper, an
# exact answer, or an earlier trial of ours). The bound is written down before the number is
# measured and is never moved afterwards. There are two kinds.
#
# - **Exact** claims are identities: two ways to compute one thing agree, up to a stated tolerance.
# - **Statistical** claims depend on chance. They are measured with at least five random seeds (of
#   both sides together, where two sets of runs are compared) and come with a 95% confidence
#   interval, the range that the true value plausibly lies in.
#
# | verdict | means |
# | --- | --- |
# | ✔ reproduced | it came out as the paper says: the whole interval meets the bound, and the paper's number where it has one |
# | ◐ weaker than the paper | the effect points the same way, but is not as large |
# | ✘ not reproduced | it did not come out; the row stays and says why |
# | ✔ holds, ✘ does not hold | a bound of ours, where the paper has no number: counted apart |
# | – not judged | a statistical claim at smoke scale, where the numbers are too small to mean anything |
#
# A row that is not reproduced is not an embarrassment. It is often the most instructive row of a
# chapter. `goalward claims` prints the scoreboard of the whole course, and marks rows as stale when
# the code behind them has changed.
#
# ## Three sizes of everything
#
# | scale | takes | for |
# | --- | --- | --- |
# | `smoke` | seconds | checking that every cell runs |
# | `laptop` | under a minute and a half a chapter, on two cores | reading and playing; the default |
# | `gpu` | minutes to hours, on a GPU | larger sizes, up to the paper's own |
#
# The method is the same code at all three; only the sizes change, and each chapter shows them side
# by side. Choose with the environment variable `GOALWARD_SCALE`, or run a chapter from a terminal:
# `goalward run td_infonce --scale gpu`. `goalward doctor` looks at your machine and says what will
# run on it and how long it will take.
#
# ## How to work in JupyterLab
#
# `make lab` opens JupyterLab with every chapter. Each one is a *pair* of files: `td_infonce.ipynb`,
# the notebook with its figures, which you open and play with, and `td_infonce.py`, the same text
# and code as a plain file, which is easy to edit, review and compare. When you save the notebook,
# the plain file follows.
#
# - `Shift`+`Enter` runs a cell and moves on. **Run → Restart Kernel and Run All Cells** runs the
#   chapter from the top.
# - Change anything you like: a discount, a maze, a loss. Cells below do not update on their own;
#   run them again.
# - In doubt, restart the kernel and run all. A chapter always works from top to bottom.
# - Want the original back? `goalward restore td_infonce` in a terminal restores the chapter and
#   keeps your version beside it.
#
# ## Where to go from here
#
# - [Notation](notation.ipynb): every symbol and its name in the code, to look things up.
# - [Refresher](refresher.ipynb): tabular reinforcement learning and JAX in one sitting.
# - [Contrastive difference predictive coding](../1_predicting_the_future/td_infonce.ipynb): learn
#   the map above from experience alone.
# - [Inference via interpolation](../1_predicting_the_future/interpolation.ipynb): the states
#   between here and there, from a small linear system.
# - [Horizon generalization](../2_distances_and_horizons/horizon_generalization.ipynb): train on
#   near goals, reach far ones.
