"""How OGBench's authors made their data sets, where that needs no trained expert: an episode each.

Point mazes: an oracle walks from cell to cell along a shortest path, with Gaussian noise of
deviation 0.5 on its actions. Cubes, scenes and puzzles: the package's scripted hands, either
following a noisy plan (`play`) or reacting to what they see, with noise and some random actions
(`noisy`). Powder worlds: half of the strokes are random, the others fill the world, draw a line or
a square. Ants and humanoids were steered by experts that the package does not hold.

Park et al. 2025, "OGBench: Benchmarking Offline Goal-Conditioned RL"; the numbers are those of the
scripts in `data_gen_scripts` of its repository (seohongpark/ogbench).
"""

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from goalward.bench.data.environments import make, seeded
from goalward.bench.data.names import Mendable, Name

Rows = dict[str, np.ndarray]
"""The fields of a data file, one row a time step."""
Cell = tuple[int, int]
"""Row and column in a maze's map."""

EXTRAS = ("qpos", "qvel", "button_states")
"""What a data file holds beside what training uses: the state of the physics and of buttons."""
WALK_NOISE = 0.5
STITCH_STEPS = 4
"""How many cells away a goal of a stitch data set lies."""
HAND_NOISE = 0.1
NOISE_SHAPE = np.array([1.0, 1.0, 1.0, 3.0, 10.0])
"""The noisy hand's noise in position (3), yaw and gripper, in multiples of the episode's level."""
RANDOM_ACTIONS = {"cube": 0.1, "scene": 0.1, "puzzle": 0.2}
RANDOM_STROKES = 0.5
DRAWINGS = {"Fill": 1 / 7, "Line": 3 / 7, "Square": 3 / 7}
"""What a powder world's painter draws, and how often it begins each."""
STROKE = 3
"""Actions that make one stroke: what, and its two coordinates."""
WITHOUT_EXPERT = ("pointmaze", *RANDOM_ACTIONS, "powderworld")
"""The families that have a recipe here."""
STACKING = {
    "single": (0.0, 0.0),
    "double": (0.0, 0.25),
    "triple": (0.05, 0.35),
    "quadruple": (0.1, 0.5),
}
"""Between which bounds an episode's probability of stacking cubes is drawn."""

TRIES = 100
"""How often a scene is made again whose cube was lost."""


def episode(name: Name, steps: int, seed: int, number: int) -> Rows:
    """One episode's rows: `steps` transitions and the last state.

    A scene whose cube was lost is made again, as the benchmark drops such episodes.

    Args:
        name: of a family in `WITHOUT_EXPERT`.
        number: which episode of the data set; it and the seed decide all that is random.

    Raises:
        Mendable: pictures are asked for, and this machine cannot draw them; or each of `TRIES`
            scenes lost its cube.
    """
    env = _environment(name, steps)
    with seeded(env, seed, number) as rng:
        walk = {"pointmaze": _walk, "powderworld": _paint}.get(name.family, _handle)
        for _ in range(TRIES):
            rows = walk(env, name, rng)
            if name.family != "scene" or in_sight(rows["qpos"]):
                return rows
    raise Mendable(
        f"episode {number} of {name} lost its cube in each of {TRIES} tries: take another --seed"
    )


@cache
def _environment(name: Name, steps: int) -> Any:
    settings: dict[str, Any] = {"max_episode_steps": steps + 1}
    if name.family != "powderworld":
        settings["terminate_at_goal"] = False
    if name.family != "pointmaze":
        settings["mode"] = "data_collection"
    return make(name, **settings)


class _Recorder:
    """Steps an environment and keeps what a data file keeps."""

    def __init__(self, env: Any, observation: np.ndarray) -> None:
        self.env, self.observation = env, observation
        self.lists: dict[str, list] = {}

    def step(self, action: Any) -> tuple[dict[str, Any], bool]:
        """What the environment tells, and whether the episode is over."""
        following, _, terminated, truncated, info = self.env.step(action)
        row = {
            "observations": self.observation,
            "actions": action,
            "terminals": terminated or truncated,
        }
        row |= {k: info[f"prev_{k}"] for k in EXTRAS if f"prev_{k}" in info}
        for field, value in row.items():
            self.lists.setdefault(field, []).append(value)
        self.observation = following
        return info, terminated or truncated

    def rows(self) -> Rows:
        """The fields in the types of the benchmark's files."""
        types = {
            "observations": np.uint8 if self.observation.dtype == np.uint8 else np.float32,
            "actions": np.int32 if isinstance(self.lists["actions"][0], int) else np.float32,
            "terminals": bool,
            "button_states": np.int64,
        }
        return {k: np.array(v, dtype=types.get(k, np.float32)) for k, v in self.lists.items()}


def _walk(env: Any, name: Name, rng: np.random.Generator) -> Rows:
    """A walk through a point maze: to goal after goal (navigate), or to one close by (stitch)."""
    maze = env.unwrapped
    free = [(int(i), int(j)) for i, j in np.argwhere(maze.maze_map == 0)]
    corners = [cell for cell in free if not is_hallway(maze.maze_map, cell)]
    start = free[rng.integers(len(free))]
    if name.kind == "navigate":
        goal = corners[rng.integers(len(corners))]
    else:
        near = [c for c, d in distances(maze.maze_map, start).items() if d == STITCH_STEPS]
        goal = near[rng.integers(len(near))] if near else start
    observation, _ = env.reset(
        seed=int(rng.integers(2**31)),
        options={"task_info": {"init_ij": start, "goal_ij": goal}},
    )
    recorder, over, ways = _Recorder(env, observation), False, {}
    while not over:
        here, there = maze.get_xy(), maze.cur_goal_xy
        cells = maze.xy_to_ij(here), maze.xy_to_ij(there)
        if cells not in ways:
            ways[cells], _ = maze.get_oracle_subgoal(here, there)
        direction = ways[cells] - here
        direction = direction / (np.linalg.norm(direction) + 1e-6)
        action = np.clip(direction + WALK_NOISE * rng.standard_normal(2), -1, 1)
        info, over = recorder.step(action)
        if info["success"] and name.kind == "navigate":
            maze.set_goal(corners[rng.integers(len(corners))])
    return recorder.rows()


def is_hallway(maze: Int[np.ndarray, "rows columns"], cell: Cell) -> bool:
    """Whether a free cell has free neighbours on two opposite sides only: no goal of the walker.

    Args:
        maze: 0 where a cell is free; walls all around.
    """
    i, j = cell
    sides = [bool(maze[i - 1, j]), bool(maze[i + 1, j]), bool(maze[i, j - 1]), bool(maze[i, j + 1])]
    return sides in ([False, False, True, True], [True, True, False, False])


def distances(maze: Int[np.ndarray, "rows columns"], start: Cell) -> dict[Cell, int]:
    """Steps from a cell to each cell that can be reached, by breadth-first search.

    Args:
        maze: 0 where a cell is free; walls all around.
    """
    steps, frontier = {start: 0}, [start]
    while frontier:
        following = []
        for i, j in frontier:
            for cell in ((i - 1, j), (i, j - 1), (i + 1, j), (i, j + 1)):
                if not maze[cell] and cell not in steps:
                    steps[cell] = steps[i, j] + 1
                    following.append(cell)
        frontier = following
    return steps


def _handle(env: Any, name: Name, rng: np.random.Generator) -> Rows:
    """A scripted hand that is given one thing after another to do."""
    hands = _hands(env, name)
    observation, info = env.reset(seed=int(rng.integers(2**31)))
    p_stack = rng.uniform(*STACKING[name.size]) if name.family == "cube" else 0.5
    level = rng.uniform(0, HAND_NOISE)
    p_random = RANDOM_ACTIONS[name.family] if name.kind == "noisy" else 0.0
    recorder, over = _Recorder(env, observation), False
    hand = hands[info["privileged/target_task"]]
    hand.reset(observation, info)
    while not over:
        if rng.random() < p_random:
            action = rng.uniform(-1, 1, env.action_space.shape)
        else:
            action = np.asarray(hand.select_action(recorder.observation, info))
            if name.kind == "noisy":
                action = action + level * NOISE_SHAPE * rng.standard_normal(action.shape)
        info, over = recorder.step(np.clip(action, -1, 1))
        if hand.done:
            seen, told = env.unwrapped.set_new_target(p_stack=p_stack)
            hand = hands[told["privileged/target_task"]]
            hand.reset(seen, told)
    return recorder.rows()


def _paint(env: Any, name: Name, rng: np.random.Generator) -> Rows:
    """Strokes in a powder world: at random, or one after the other of a drawing."""
    behaviors = import_module("ogbench.powderworld.behaviors")
    drawings = [getattr(behaviors, f"{shape}Behavior")(env=env) for shape in DRAWINGS]

    def begin() -> Any:
        drawing = drawings[rng.choice(len(drawings), p=list(DRAWINGS.values()))]
        drawing.reset(observation, told)
        return drawing

    observation, told = env.reset(seed=int(rng.integers(2**31)))
    world, recorder = env.unwrapped, _Recorder(env, observation)
    drawing, step, over = begin(), 0, False
    while not over:
        if step % STROKE == 0:
            if rng.random() < RANDOM_STROKES:
                stroke = world.sample_semantic_action()
            else:
                stroke = drawing.select_action(observation, told)
        _, over = recorder.step(int(world.semantic_action_to_action(*stroke)))
        step += 1
        if drawing.done:
            drawing = begin()
    return recorder.rows()


def _hands(env: Any, name: Name) -> dict[str, Any]:
    """The package's script for each thing that there is to do."""
    style = "plan" if name.kind == "play" else "markov"
    things = {"cube": ["cube"], "puzzle": ["button"]}.get(
        name.family, ["cube", "button", "drawer", "window"]
    )
    hands = {}
    for thing in things:
        module = import_module(f"ogbench.manipspace.oracles.{style}.{thing}_{style}")
        script = getattr(module, f"{thing.title()}{style.title()}Oracle")
        settings: dict[str, Any] = {"noise": HAND_NOISE, "noise_smoothing": 0.5}
        if style == "markov":
            settings = {"min_norm": 0.4}
            if name.family == "scene" and thing == "cube":
                settings["max_step"] = 100
        if name.family == "puzzle":
            settings["gripper_always_closed"] = True
        hands[thing] = script(env=env, **settings)
    return hands


def in_sight(qpos: Float[np.ndarray, "rows positions"]) -> bool:
    """Whether the cube of a scene was never out of sight, except in the drawer.

    Args:
        qpos: an episode's positions of joints and things, as MuJoCo orders them.
    """
    y, z = qpos[:, 15], qpos[:, 16]
    lost = (y <= -0.3) & ((z < 0.06) | (z > 0.08))
    return not (lost | (y >= 0.29)).any()
