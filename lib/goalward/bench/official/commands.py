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
    _official_options(equalling, data=False)
    add_options(equalling, *EXTRACTION)

    comparing = add(
        "compare",
        _compare,
        "time a method against the official implementation, side by side on this machine",
        "goalward bench compare contrastive_rl --env pointmaze-medium-navigate-v0 "
        "--data data/pointmaze-medium-navigate-v0.npz --official ../ogbench "
        "--python ../ogbench/venv/bin/python --batch 256 --width 64 --out compare.json",
    )
    _official_options(comparing, data=False)
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
        ("envs", int, "N", "beside JaxGCRL: environments of each side (256)"),
        ("episode", int, "T", "beside JaxGCRL: steps of an episode, and one (1001)"),
        ("unroll", int, "N", "beside JaxGCRL: steps of each environment in a round (62)"),
        ("rounds", int, "N", "beside JaxGCRL: rounds timed in each repeat (1)"),
    )


def _official_options(parser: argparse.ArgumentParser, data: bool = True) -> None:
    """What every command needs that runs the official code.

    Args:
        parser: of the command.
        data: whether a data file is always needed; else not beside JaxGCRL.
    """
    online = "" if data else "; beside JaxGCRL (contrastive_rl): reacher, ant or no-physics"
    package = "" if data else "; of MichalBortkiewicz/JaxGCRL, or `jaxgcrl` if it is installed"
    parser.add_argument(
        "method",
        metavar="METHOD",
        help="gcbc, gcivl, gciql, qrl, contrastive_rl, hiql; temporal_distances, tmd, mqe "
        "or sharsa, from their authors' repositories",
    )
    for name, form, letter, told in (
        ("env", str, "NAME", "the data set" + online),
        ("data", Path, "FILE", "its data file, on which both train"),
        (
            "official",
            Path,
            "CHECKOUT",
            "a clone of the repository seohongpark/ogbench; of vivekmyers/tmd-release for "
            "temporal_distances and tmd, of WJ2003B/mqe-release for mqe, of "
            "seohongpark/horizon-reduction for sharsa" + package,
        ),
    ):
        needed = data or name != "data"
        parser.add_argument(f"--{name}", type=form, required=needed, metavar=letter, help=told)
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
    if _online(options):
        return _online_parity(options)
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
    if _online(options):
        return _online_compare(options)
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


def _online(options: argparse.Namespace) -> bool:
    """Whether what is asked for is a comparison beside JaxGCRL.

    Raises:
        Unknown: another method than JaxGCRL's, options of the other kind, or no data file.
    """
    from goalward.bench.data.names import Unknown
    from goalward.bench.official.online.worlds import ENVS, METHOD, OFFLINE_ONLY, ONLINE_ONLY

    asked = vars(options)
    online = options.env in ENVS
    for name in OFFLINE_ONLY if online else ONLINE_ONLY:
        if asked.get(name) is not None:
            where = "beside JaxGCRL" if online else f"for a data set; JaxGCRL has {', '.join(ENVS)}"
            raise Unknown(f"--{name} means nothing {where}: leave it out")
    if online and options.method != METHOD:
        raise Unknown(f"beside JaxGCRL there is {METHOD} alone, not {options.method}")
    if not online and options.data is None:
        raise Unknown(f"name a data file with --data, or as --env one of {', '.join(ENVS)}")
    return online


def _online_parity(options: argparse.Namespace) -> int:
    from goalward.bench.official.online.agent import ENERGIES, LOSSES
    from goalward.bench.official.online.parity import UPDATES, parity

    print(f"{options.method} after {UPDATES} updates of JaxGCRL; largest differences, relative")
    print(f"  {'energy, loss':28}{'loss':>10}{'gradient':>10}{'added':>10}{'after':>10}")
    pairs = [(energy, next(iter(LOSSES))) for energy in ENERGIES]
    pairs += [(next(iter(ENERGIES)), loss) for loss in LOSSES]
    for energy, loss in dict.fromkeys(pairs):
        found = parity(str(options.official), options.python, energy, loss)
        parts = (found.gradient, found.added, found.parameters)
        numbers = (found.loss, *(max(part.values()) for part in parts))
        print(f"  {f'{energy}, {loss}':28}" + "".join(f"{n:10.1e}" for n in numbers))
    print(
        "not imitated: their cosine divides by the length of the whole batch, their binary_nce has "
        "no negatives, their actor never has layer norm"
    )
    return 0


def _online_compare(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from goalward.bench.official.online.compare import Race, compare, stages

    wanted = Race(**chosen(options, Race))
    with tqdm(total=stages(wanted), file=sys.stderr, disable=None, leave=False) as bar:
        lines = compare(wanted, str(options.official), options.python, options.out, bar.update)
    print("\n".join(lines))
    print(f"written to {options.out}")
    return 0
