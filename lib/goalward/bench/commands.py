"""`goalward bench collect`: what the command line calls."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

Add = Callable[..., argparse.ArgumentParser]


def register(add: Add) -> None:
    """Add the commands to the command line."""
    collecting = add(
        "collect",
        _collect,
        "make a data set as OGBench's authors made theirs: point mazes, cubes, scenes, puzzles",
        "goalward bench collect --env pointmaze-medium-navigate-v0 --episodes 100 --out data",
    )
    collecting.add_argument(
        "--env", required=True, metavar="NAME", help="the data set, such as cube-single-play-v0"
    )
    collecting.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where NAME.npz and NAME-val.npz go"
    )
    collecting.add_argument(
        "--episodes",
        type=int,
        metavar="N",
        help="episodes for training; a tenth as many more for validation; by default the "
        "benchmark's own number",
    )
    collecting.add_argument(
        "--steps", type=int, metavar="T", help="steps an episode; by default the benchmark's own"
    )
    collecting.add_argument(
        "--seed", type=int, default=0, metavar="S", help="same seed, same bytes; 0 by default"
    )
    collecting.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes; the data do not depend on it"
    )


def _collect(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from goalward.bench.collect import collect, official_size
    from goalward.bench.names import parse

    name = parse(options.env)
    official_episodes, official_steps = official_size(name)
    episodes = official_episodes if options.episodes is None else options.episodes
    steps = official_steps if options.steps is None else options.steps
    total = episodes + max(1, episodes // 10)
    with tqdm(total=total, unit="episode", file=sys.stderr, disable=None, leave=False) as bar:
        paths = collect(
            name, options.out, episodes, steps, options.seed, options.jobs, tick=bar.update
        )
    for path in paths:
        print(path)
    return 0
