"""`goalward bench collect | train | reference | parity | compare`: what the command line calls."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Add = Callable[..., argparse.ArgumentParser]


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
    _options(
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

    referring = add(
        "reference",
        _reference,
        "train the official implementation, as a yardstick for runs of ours on the same data",
        "goalward bench reference gciql --env pointmaze-medium-navigate-v0 "
        "--data data/pointmaze-medium-navigate-v0.npz --official ../ogbench "
        "--python ../ogbench/venv/bin/python --steps 5000 --seeds 4 --out runs/official/gciql",
    )
    _official_options(referring)
    referring.add_argument("--steps", type=int, required=True, metavar="N", help="updates in all")
    referring.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder of the seeds' folders"
    )
    _options(
        referring,
        ("seeds", int, "K", "runs, one after the other (1)"),
        ("seed", int, "S", "of the first run; the next count on (0)"),
        *SIZES,
        ("learning-rate", float, "R", "Adam's step size (0.0003)"),
        *EXTRACTION,
        ("eval-every", int, "N", "updates between evaluations (100000)"),
        ("eval-episodes", int, "N", "episodes of each task in an evaluation (50)"),
    )

    equalling = add(
        "parity",
        _parity,
        "see whether a method is the official one: loss, gradient and actions from the same "
        "parameters and batch",
        "goalward bench parity hiql --env pointmaze-medium-navigate-v0 "
        "--data data/pointmaze-medium-navigate-v0.npz --official ../ogbench "
        "--python ../ogbench/venv/bin/python",
    )
    _official_options(equalling)
    _options(equalling, *EXTRACTION)

    comparing = add(
        "compare",
        _compare,
        "time a method against the official implementation, side by side on this machine",
        "goalward bench compare contrastive_rl --env pointmaze-medium-navigate-v0 "
        "--data data/pointmaze-medium-navigate-v0.npz --official ../ogbench "
        "--python ../ogbench/venv/bin/python --batch 256 --width 64 --out compare.json",
    )
    _official_options(comparing)
    comparing.add_argument(
        "--out", type=Path, required=True, metavar="FILE.json", help="where what was found goes"
    )
    _options(
        comparing,
        ("updates", int, "N", "timed in each repeat (500)"),
        ("repeats", int, "N", "how often each is timed, in turn (3)"),
        ("warmup", int, "N", "updates made before and not timed (100)"),
        *SIZES,
        *EXTRACTION,
        ("seeds", int, "K", "time K learners of ours at once too"),
    )


SIZES = (
    (
        "batch",
        int,
        "B",
        "transitions in a batch (1024; 256 of images; in runs of tmd 512, of mqe 256)",
    ),
    ("width", int, "W", "units of each of three hidden layers (512)"),
)
EXTRACTION = (
    ("extraction", str, "E", "how the policy follows the values: ddpg_bc or awr (the benchmark's)"),
    ("alpha", float, "R", "imitation's weight in ddpg_bc, sharpness in awr (the benchmark's)"),
)


def _options(
    parser: argparse.ArgumentParser, *options: tuple[str, Callable[[str], Any], str, str]
) -> None:
    """Options with defaults that the settings know: left out here, and not imported for this."""
    for option, kind, letter, told in options:
        parser.add_argument(
            f"--{option}", type=kind, metavar=letter, help=told, default=argparse.SUPPRESS
        )


def _official_options(parser: argparse.ArgumentParser) -> None:
    """What every command needs that runs the official code."""
    parser.add_argument(
        "method",
        metavar="METHOD",
        help="gcbc, gcivl, gciql, qrl, contrastive_rl, hiql; temporal_distances, tmd "
        "or mqe, from their authors' forks",
    )
    for name, form, letter, told in (
        ("env", str, "NAME", "the data set"),
        ("data", Path, "FILE", "its data file, on which both train"),
        (
            "official",
            Path,
            "CHECKOUT",
            "a clone of the repository seohongpark/ogbench; of vivekmyers/tmd-release for "
            "temporal_distances and tmd, of WJ2003B/mqe-release for mqe",
        ),
    ):
        parser.add_argument(f"--{name}", type=form, required=True, metavar=letter, help=told)
    parser.add_argument(
        "--python",
        type=os.path.expanduser,
        default=sys.executable,
        metavar="PYTHON",
        help="runs the official code: it needs jax, flax, optax, numpy, distrax and "
        "ml_collections; by default the one that runs this",
    )


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
    from dataclasses import fields

    from tqdm import tqdm

    from goalward.bench.offline.settings import Settings
    from goalward.bench.offline.train import Run

    _devices(getattr(options, "seeds", 1))

    asked = vars(options)
    settings = Settings(**{f.name: asked[f.name] for f in fields(Settings) if f.name in asked})
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


def _reference(options: argparse.Namespace) -> int:
    from dataclasses import fields

    from tqdm import tqdm

    from goalward.bench.official.reference import reference
    from goalward.bench.offline.settings import Settings

    asked = vars(options)
    wanted = Settings(**{f.name: asked[f.name] for f in fields(Settings) if f.name in asked})
    total = wanted.steps * wanted.seeds
    with tqdm(total=total, unit="update", file=sys.stderr, disable=None) as bar:
        folders = reference(
            wanted,
            options.data,
            options.official,
            options.python,
            options.out,
            bar.update,
            say=lambda line: bar.write(line, sys.stdout),
        )
    print(f"runs: {', '.join(map(str, folders))}")
    return 0


def _parity(options: argparse.Namespace) -> int:
    from goalward.bench.official.parity import UPDATES, parity

    asked = vars(options)
    chosen = {name: asked[name] for name, *_ in EXTRACTION if name in asked}
    found = parity(
        options.method, options.env, options.data, options.official, options.python, **chosen
    )
    print(f"{options.method} after {UPDATES} official updates; largest differences, relative")
    for name, difference in {"loss": found.loss, **found.gradient}.items():
        print(f"  {name if name == 'loss' else f'gradient of {name}':28}{difference:.1e}")
    print(f"  {'actions (absolute)':28}{found.action:.1e}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    # Two processes share a GPU's memory; JAX reads this when it first looks for devices.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from dataclasses import fields

    from tqdm import tqdm

    from goalward.bench.official.compare import Comparison, compare, stages

    _devices(getattr(options, "seeds", 1))

    asked = vars(options)
    wanted = Comparison(**{f.name: asked[f.name] for f in fields(Comparison) if f.name in asked})
    with tqdm(total=stages(wanted), file=sys.stderr, disable=None, leave=False) as bar:
        lines = compare(
            wanted, options.data, options.official, options.python, options.out, bar.update
        )
    print("\n".join(lines))
    print(f"written to {options.out}")
    return 0


def _devices(seeds: int) -> None:
    """Let a CPU's cores count as devices, as many as divide the seeds: each trains its share."""
    import jax

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = int(os.environ.get("NPROC", cores or 1))  # as many as XLA takes itself
    count = max(n for n in range(1, max(1, seeds) + 1) if seeds % n == 0 and n <= cores)
    # Too late where JAX has begun, and not needed where its own variable says how many.
    if count > 1 and "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", count)
