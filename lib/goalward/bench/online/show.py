"""What a run has learnt, as pictures: a film of some goals side by side, and a strip of moments.

Bodies are drawn by MuJoCo (without a screen where `MUJOCO_GL=egl`). What it cannot draw is seen
from above: the first two numbers of the goal, the way there, and walls where there are some.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.online.settings import OnlineSettings
from goalward.bench.online.train import Run
from goalward.bench.runs.checkpoints import Checkpoints
from goalward.bench.runs.files import locked
from goalward.protocol import Agent, GoalEnvironment, Key

SIDE = 160
"""Width and height of a picture, in pixels."""
FRAMES = 100
"""Pictures of a film, at most."""
MOMENTS = 6
"""Pictures of a strip for each goal."""
MILLISECONDS = 50
WALL, FREE = (90, 90, 100), (250, 250, 250)
WAY, HERE, THERE = (0, 114, 178), (0, 60, 110), (213, 94, 0)

Picture = UInt8[np.ndarray, "side side 3"]
Draw = Callable[[Any, int], Picture]
"""From the states of an episode and the number of one of them to a picture."""


def show(
    run: Path,
    out: Path,
    goals: int = 4,
    learner: int = 0,
    above: bool = False,
    say: Callable[[str], Any] = print,
) -> list[Path]:
    """Act for the first goals of the evaluation as the newest checkpoint says, and film it.

    Args:
        run: the run's folder, at which no other command is at work.
        out: the folder for `film.webp` and `strip.webp`.
        goals: how many.
        learner: which of the seeds.
        above: whether to draw from above in any case.
        say: told a line when there is news.

    Returns:
        The two files.

    Raises:
        Mendable: there is no run or checkpoint in the folder.
        Unknown: there is no such learner or no goal to show.
    """
    settings = read(run)
    if not _screen():
        os.environ.setdefault("MUJOCO_GL", "egl")  # which MuJoCo reads when it is imported
    if goals < 1:
        raise Unknown(f"--goals must be at least 1, not {goals}")
    if not 0 <= learner < settings.seeds:
        raise Unknown(f"--learner is one of 0 to {settings.seeds - 1}, not {learner}")
    made = Run(settings, run, say)
    if not (run / "checkpoints").is_dir():
        raise Mendable(f"{run} has no checkpoint yet: let `bench online` come to its first")
    with locked(run):
        checkpoints = Checkpoints(run / "checkpoints", settings.keep, say, "step")
        try:
            found = made.read(checkpoints)
        finally:
            checkpoints.manager.close()
    if found is None:
        raise Mendable(f"{run} has no checkpoint yet: let `bench online` come to its first")
    step, states = found
    acting = jax.tree.map(lambda leaf: leaf[learner], states.learner)
    keys = jax.random.split(jax.random.key(made.probe.seed), made.probe.episodes)[:goals]
    episodes = episode(made.agent, made.env, acting, keys)
    number = len(keys)
    reached = int(episodes.success[:, 1:].any(axis=1).sum())
    say(f"the learner of seed {learner} after step {step}: {reached} of {number} goals reached")
    each = [jax.tree.map(lambda leaf, n=n: leaf[n], episodes) for n in range(number)]
    draw = _drawing(made.env, episodes, above, say)
    out.mkdir(parents=True, exist_ok=True)
    return [_film(each, draw, out / "film.webp"), _strip(each, draw, out / "strip.webp")]


def read(run: Path) -> OnlineSettings:
    """The settings of a run.

    Raises:
        Mendable: there are none, or they are not of a run that learnt while acting.
    """
    path = run / "config.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise Mendable(f"{run} holds no run: name a folder that `bench online` wrote") from None
    except ValueError:
        raise Mendable(f"{path} is damaged: it cannot be known what the run was") from None
    names = {field.name for field in fields(OnlineSettings)}
    if not isinstance(told, dict) or not {"method", "env", "steps", "unroll"} <= told.keys():
        raise Mendable(f"{run} is no run of `bench online`, so there is nothing to film")
    # A setting that is younger than the run has its default.
    return OnlineSettings(**{name: told[name] for name in names & told.keys()})


@partial(jax.jit, static_argnums=(0, 1))
def episode(agent: Agent, env: GoalEnvironment, learner: Any, keys: Key) -> Any:
    """The states of an episode for each key, as `GoalReaching` goes through them."""

    def one(key: Key) -> Any:
        key_start, key_steps = jax.random.split(key)
        first = env.reset(key_start)

        def step(before: Any, key: Key) -> tuple[Any, Any]:
            key_act, key_env = jax.random.split(key)
            action, _ = agent.act(learner, before.observation, before.goal, (), key_act, 0.0)
            over = before.terminated | before.truncated
            after = env.step(before, action, key_env)
            after = jax.tree.map(lambda old, new: jnp.where(over, old, new), before, after)
            return after, after

        _, later = jax.lax.scan(step, first, jax.random.split(key_steps, env.horizon))
        return jax.tree.map(lambda a, rest: jnp.concatenate([a[None], rest]), first, later)

    return jax.vmap(one)(keys)


def _drawing(env: GoalEnvironment, episodes: Any, above: bool, say: Callable[[str], Any]) -> Draw:
    if above or not hasattr(env, "posed"):
        return partial(from_above, env, bounds(env, episodes))
    import mujoco

    if mujoco.GLContext.__module__ == "mujoco.glfw" and not _screen():
        say("MuJoCo was told of no way to draw without a screen (MUJOCO_GL=egl): drawn from above")
        return partial(from_above, env, bounds(env, episodes))
    try:
        renderer = mujoco.Renderer(env.model, SIDE, SIDE)  # type: ignore[attr-defined]
    except Exception as error:  # each way to a screen fails in its own way
        say(f"MuJoCo cannot render here ({type(error).__name__}): drawn from above")
        return partial(from_above, env, bounds(env, episodes))

    def rendered(states: Any, number: int) -> Picture:
        now = jax.tree.map(lambda leaf: leaf[number], states)
        renderer.update_scene(env.posed(now))  # type: ignore[attr-defined]
        return np.asarray(renderer.render())

    return rendered


def _screen() -> bool:
    return sys.platform != "linux" or "DISPLAY" in os.environ


def bounds(env: GoalEnvironment, episodes: Any) -> np.ndarray:
    """The corner of the smallest numbers and the side of the square that pictures show."""
    grid = getattr(env, "grid", None)
    if grid is not None:
        return np.array([-0.5, -0.5, max(grid.shape)])
    seen = np.concatenate([_places(env, episodes).reshape(-1, 2), _goals(episodes).reshape(-1, 2)])
    low, high = np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)
    side = max(1.2 * float(np.max(high - low)), 4 * float(env.reach))
    return np.array([*((low + high - side) / 2), side])


def from_above(env: GoalEnvironment, view: np.ndarray, states: Any, number: int) -> Picture:
    """A picture from above: the way so far, the place now, the goal with what counts as near.

    Rows run down and columns to the right in a maze, whose positions are (row, column); elsewhere
    the first number runs to the right and the second up.
    """
    grid = getattr(env, "grid", None)
    scale = SIDE / view[2]

    def pixel(place: np.ndarray) -> tuple[float, float]:
        first, second = (place - view[:2]) * scale
        return (second, first) if grid is not None else (first, SIDE - second)

    image = Image.new("RGB", (SIDE, SIDE), FREE if grid is None else WALL)
    pen = ImageDraw.Draw(image)
    if grid is not None:
        for cell in grid.cells:
            x, y = pixel(cell - 0.5)
            pen.rectangle([x, y, x + scale - 1, y + scale - 1], fill=FREE)
    way = [pixel(place) for place in _places(env, states)[: number + 1]]
    x, y = pixel(_goals(states)[number])
    near = float(env.reach) * scale
    pen.ellipse([x - near, y - near, x + near, y + near], outline=THERE, width=2)
    pen.ellipse([x - 3, y - 3, x + 3, y + 3], fill=THERE)
    if len(way) > 1:
        pen.line(way, fill=WAY, width=2)
    x, y = way[-1]
    pen.ellipse([x - 5, y - 5, x + 5, y + 5], fill=HERE)
    return np.asarray(image)


def _places(env: GoalEnvironment, states: Any) -> np.ndarray:
    """The first two numbers of what should be the goal, in each state."""
    entries = np.resize(np.array(env.goal_entries), max(2, len(env.goal_entries)))[:2]
    return np.asarray(states.observation)[..., entries]


def _goals(states: Any) -> np.ndarray:
    goal = np.asarray(states.goal)
    return goal[..., np.resize(np.arange(goal.shape[-1]), 2)]


def _length(states: Any) -> int:
    """States of an episode until it is over."""
    over = np.asarray(states.terminated | states.truncated)
    return int(np.argmax(over)) + 1 if over.any() else len(over)


def _film(each: list[Any], draw: Draw, path: Path) -> Path:
    last = max(_length(states) for states in each) - 1
    numbers = np.unique(np.linspace(0, last, FRAMES).astype(int))
    pictures = [
        Image.fromarray(_row([draw(states, int(number)) for states in each])) for number in numbers
    ]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0, quality=70
    )
    return path


def _strip(each: list[Any], draw: Draw, path: Path) -> Path:
    """One row a goal; moments from its beginning to its end, left to right."""
    rows = []
    for states in each:
        numbers = np.linspace(0, _length(states) - 1, MOMENTS).astype(int)
        rows.append(_row([draw(states, int(number)) for number in numbers]))
        rows.append(np.full((4, rows[0].shape[1], 3), 255, np.uint8))
    Image.fromarray(np.concatenate(rows[:-1])).save(path, quality=80)
    return path


def _row(pictures: list[Picture]) -> np.ndarray:
    gap = np.full((SIDE, 4, 3), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)
