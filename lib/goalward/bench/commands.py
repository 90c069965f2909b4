"""`goalward bench …`: what the command line calls."""

import argparse
import sys
from pathlib import Path

from goalward.bench.official import commands as official
from goalward.bench.offline.options import EXTRACTION, SIZES
from goalward.bench.online import commands as online
from goalward.bench.records import commands as records
from goalward.bench.runs.options import Add, add_options, chosen, share_cores


def register(add: Add) -> None:
    """Add the commands to the command line."""
    training = add(
        "train",
        _train,
        "train a method on a data set of OGBench; go on where an earlier run was stopped",
        "goalward bench train contrastive_rl --env pointmaze-medium-navigate-v0 --steps 20000 "
        "--seeds 2 --batch 256 --width 64 --eval-every 5000 --eval-episodes 5 "
        "--data data/pointmaze-medium-navigate-v0.npz --out runs/crl",
    )
    training.add_argument(
        "method",
        metavar="METHOD",
        help="gcbc, gcivl, gciql, hiql, qrl, contrastive_rl, stable_contrastive_rl, c_learning, "
        "td_infonce, temporal_distances, tmd or mqe",
    )
    training.add_argument(
        "--env", required=True, metavar="NAME", help="the data set, such as antmaze-large-stitch-v0"
    )
    training.add_argument(
        "--steps", type=int, required=True, metavar="N", help="updates in all; the paper's: 1000000"
    )
    training.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the run's folder; again to go on"
    )
    training.add_argument(
        "--data", type=Path, metavar="FILE", help="a data file; else the downloaded one is used"
    )
    add_options(
        training,
        ("seeds", int, "K", "learners side by side (1)"),
        ("seed", int, "S", "from which everything random follows (0)"),
        *SIZES,
        ("learning-rate", float, "R", "Adam's step size (0.0003)"),
        *EXTRACTION,
        ("log-every", int, "N", "updates between lines of metrics.jsonl (500)"),
        ("eval-every", int, "N", "updates between evaluations (100000)"),
        ("eval-episodes", int, "N", "episodes of each task in an evaluation (50)"),
        ("eval-workers", int, "N", "threads that step the environments then (1)"),
        ("checkpoint-every", int, "N", "updates between checkpoints (50000)"),
        ("keep", int, "N", "how many checkpoints to keep (3)"),
    )

    collecting = add(
        "collect",
        _collect,
        "make a data set as OGBench's authors made theirs: point mazes, cubes, scenes, puzzles "
        "(also in pictures: visual-), powder worlds",
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

    official.register(add)
    online.register(add)
    records.register(add)


def _collect(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from goalward.bench.data.collect import collect, official_size
    from goalward.bench.data.names import parse

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


def _train(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from goalward.bench.offline.settings import Settings
    from goalward.bench.offline.train import Run

    share_cores(getattr(options, "seeds", 1))

    settings = Settings(**chosen(options, Settings))
    with tqdm(unit="update", file=sys.stderr, disable=None, smoothing=0.1) as bar:
        run = Run(settings, options.out, options.data, say=lambda line: bar.write(line, sys.stdout))
        run.go(bar)
    assert run.success is not None
    several = f", mean of {settings.seeds} seeds (lowest to highest)" if settings.seeds > 1 else ""
    print(f"success after {run.step} updates{several}")
    for task, rates in enumerate(run.success.T, 1):
        spread = f"  ({rates.min():.3f} to {rates.max():.3f})" if settings.seeds > 1 else ""
        print(f"  task {task}  {rates.mean():.3f}{spread}")
    print(f"  all     {run.success.mean():.3f}")
    print(f"metrics: {options.out / 'metrics.jsonl'}; settings: {options.out / 'config.json'}")
    return 0
