"""`goalward bench reference | parity | compare`: ours beside the authors' own code."""

import argparse
import os
import sys
from pathlib import Path

from goalward.bench.offline.options import EXTRACTION, SIZES
from goalward.bench.runs.options import Add, add_options, chosen, share_cores


def register(add: Add) -> None:
    """Add the commands to the command line."""
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
    add_options(
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
    add_options(equalling, *EXTRACTION)

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
    add_options(
        comparing,
        ("updates", int, "N", "timed in each repeat (500)"),
        ("repeats", int, "N", "how often each is timed, in turn (3)"),
        ("warmup", int, "N", "updates made before and not timed (100)"),
        *SIZES,
        *EXTRACTION,
        ("seeds", int, "K", "time K learners of ours at once too"),
    )


def _official_options(parser: argparse.ArgumentParser) -> None:
    """What every command needs that runs the official code."""
    parser.add_argument(
        "method",
        metavar="METHOD",
        help="gcbc, gcivl, gciql, qrl, contrastive_rl, hiql; temporal_distances, tmd, mqe "
        "or sharsa, from their authors' repositories",
    )
    for name, form, letter, told in (
        ("env", str, "NAME", "the data set"),
        ("data", Path, "FILE", "its data file, on which both train"),
        (
            "official",
            Path,
            "CHECKOUT",
            "a clone of the repository seohongpark/ogbench; of vivekmyers/tmd-release for "
            "temporal_distances and tmd, of WJ2003B/mqe-release for mqe, of "
            "seohongpark/horizon-reduction for sharsa",
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


def _reference(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from goalward.bench.official.reference import reference
    from goalward.bench.offline.settings import Settings

    wanted = Settings(**chosen(options, Settings))
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
    told = {name: asked[name] for name, *_ in EXTRACTION if name in asked}
    found = parity(
        options.method, options.env, options.data, options.official, options.python, **told
    )
    print(f"{options.method} after {UPDATES} official updates; largest differences, relative")
    for name, difference in {"loss": found.loss, **found.gradient}.items():
        print(f"  {name if name == 'loss' else f'gradient of {name}':28}{difference:.1e}")
    print(f"  {'actions (absolute)':28}{found.action:.1e}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    # Two processes share a GPU's memory; JAX reads this when it first looks for devices.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from tqdm import tqdm

    from goalward.bench.official.compare import Comparison, compare, stages

    share_cores(getattr(options, "seeds", 1))
    wanted = Comparison(**chosen(options, Comparison))
    with tqdm(total=stages(wanted), file=sys.stderr, disable=None, leave=False) as bar:
        lines = compare(
            wanted, options.data, options.official, options.python, options.out, bar.update
        )
    print("\n".join(lines))
    print(f"written to {options.out}")
    return 0
