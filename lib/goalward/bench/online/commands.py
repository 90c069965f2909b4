"""`goalward bench online | show`: learn while acting, and see what was learnt."""

import argparse
import sys
from pathlib import Path

from goalward.bench.runs.options import Add, add_options, chosen, share_cores


def register(add: Add) -> None:
    """Add the commands to the command line."""
    acting = add(
        "online",
        _online,
        "let a method act and learn at once; go on where an earlier run was stopped",
        "goalward bench online contrastive_rl --env point-maze --steps 100000 --seeds 2 "
        "--envs 64 --unroll 100 --updates 100 --width 64 --gamma 0.97 --learning-rate 1e-3 "
        "--out runs/maze",
    )
    acting.add_argument("method", metavar="METHOD", help="contrastive_rl, sac_her or td3_her")
    acting.add_argument(
        "--env",
        required=True,
        metavar="NAME",
        help="point-maze; reacher, ant or another body on MuJoCo; or path/to/file.py:name, yours",
    )
    acting.add_argument(
        "--steps",
        type=_count,
        required=True,
        metavar="N",
        help="steps of each learner's environments in all, resets included; whole rounds are made",
    )
    acting.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the run's folder; again to go on"
    )
    add_options(
        acting,
        ("seeds", int, "K", "learners side by side, each in environments of its own (1)"),
        ("seed", int, "S", "from which everything random follows (0)"),
        ("envs", int, "N", "environments of each learner (256)"),
        ("unroll", int, "N", "steps of each environment in a round (62)"),
        ("updates", int, "N", "gradient steps in a round (one for each 16 steps)"),
        ("warmup-rounds", int, "N", "rounds at the beginning that only collect (0)"),
        ("batch", int, "B", "transitions in a batch (256)"),
        ("width", int, "W", "units of each hidden layer (256)"),
        ("depth", int, "D", "hidden layers of each network (2)"),
        ("learning-rate", float, "R", "Adam's step size (0.0003)"),
        ("gamma", float, "G", "the discount (0.99)"),
        ("energy", str, "E", "contrastive_rl: l2, squared_l2, l1, dot or cosine (l2)"),
        (
            "loss",
            str,
            "L",
            "contrastive_rl: forward, backward, symmetric (their sum, as in the paper), logistic, "
            "dpo, ipo, sppo or forward_backward (symmetric)",
        ),
        ("penalty", float, "R", "contrastive_rl: of the squared log partition function (0.1)"),
        ("capacity", _count, "N", "transitions kept for each learner (10000 an environment)"),
        ("blocks", int, "N", "parts of the environments, shared by the devices (1)"),
        ("physics", str, "P", "of a body: jax, warp (NVIDIA) or native (CPU, in threads) (jax)"),
        ("eval-every", _count, "N", "steps between evaluations (a twentieth of the run)"),
        ("eval-episodes", int, "N", "episodes of an evaluation, always the same ones (128)"),
        ("checkpoint-every", _count, "N", "steps between checkpoints (a tenth of the run)"),
        ("keep", int, "N", "how many checkpoints to keep (2)"),
    )
    acting.add_argument(
        "--light-checkpoints",
        action="store_true",
        help="leave the replay buffer out of checkpoints, and fill it again when the run goes on",
    )

    showing = add(
        "show",
        _show,
        "film what a run of `bench online` has learnt, from its newest checkpoint",
        "goalward bench show runs/maze",
    )
    showing.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    showing.add_argument(
        "--goals", type=int, default=4, metavar="N", help="how many goals of the evaluation (4)"
    )
    showing.add_argument("--learner", type=int, default=0, metavar="K", help="which seed's (0)")
    showing.add_argument(
        "--above", action="store_true", help="draw from above even where MuJoCo could render"
    )
    showing.add_argument(
        "--out", type=Path, metavar="DIR", help="where film.webp and strip.webp go; the run's"
    )


def _count(text: str) -> int:
    """A whole number, also written as 1e6."""
    number = float(text)
    if not number.is_integer():
        raise ValueError
    return int(number)


_count.__name__ = "int"  # what argparse calls it


def _online(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from goalward.bench.online.settings import OnlineSettings
    from goalward.bench.online.train import Run

    settings = OnlineSettings(**chosen(options, OnlineSettings))
    share_cores(settings.blocks)
    with tqdm(unit="step", unit_scale=True, file=sys.stderr, disable=None, smoothing=0.1) as bar:
        run = Run(settings, options.out, say=lambda line: bar.write(line, sys.stdout))
        run.go(bar)
    several = f", mean of {settings.seeds} seeds (lowest to highest)" if settings.seeds > 1 else ""
    print(f"after {run.step:,} steps{several}")
    for name, title in (("success_any", "goals reached"), ("time_near_goal", "time near them")):
        rates = run.measured[name]
        spread = f"  ({rates.min():.3f} to {rates.max():.3f})" if settings.seeds > 1 else ""
        print(f"  {title:14}  {rates.mean():.3f}{spread}")
    print(f"metrics: {options.out / 'metrics.jsonl'}; settings: {options.out / 'config.json'}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from goalward.bench.online.show import show

    for path in show(
        options.run, options.out or options.run, options.goals, options.learner, options.above
    ):
        print(path)
    return 0
