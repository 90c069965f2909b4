"""The official implementation: a checkout of its repository, at work in a process of its own."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from goalward.baselines.metric_actor_critic import MetricActorCritic
from goalward.baselines.offline import OfflineActor
from goalward.bench.data.names import Mendable, Name, Unknown, parse
from goalward.bench.offline.presets import METHODS
from goalward.bench.offline.tuning import LAYERS
from goalward.methods.hiql import HIQL
from goalward.methods.sharsa import SHARSA

OFFICIAL = {
    "gcbc": "gcbc",
    "gcivl": "gcivl",
    "gciql": "gciql",
    "hiql": "hiql",
    "qrl": "qrl",
    "contrastive_rl": "crl",
    "temporal_distances": "cmd",
    "tmd": "tmd",
    "mqe": "mqe",
    "sharsa": "sharsa",
}
"""What the official code calls our methods."""

_OGBENCH, _TMD = "seohongpark/ogbench", "vivekmyers/tmd-release"
REPOSITORIES = {
    "temporal_distances": _TMD,
    "tmd": _TMD,
    "mqe": "WJ2003B/mqe-release",
    "sharsa": "seohongpark/horizon-reduction",
}
"""Where the official code is that is not the benchmark's: forks of it, by the methods' authors."""
AT_ROOT = ("sharsa",)
"""Methods whose official agents lie at the root of their repository, not in `impls`."""

_SETTINGS = {
    "zeta": "zeta",
    "linear_beyond": "t",
    "diagonal": "diag_backup",
    "hold_goals": "stopgrad_psi_backup",
    "lam": "lambda_",
    "single": "next_state_sample",
}
"""What our quasimetric agents' settings are called there."""

NEEDS = ("jax", "flax", "optax", "numpy", "distrax", "ml_collections")
"""What the official agents import."""
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "distrax")


class Official:
    """The official code in a process of its own; called, it times a number of updates.

    Args:
        python: which has its packages.
        impls: the folder of its agents.
        asked: what `order` gives.
        program: what Python runs; by default `goalward.bench.official.program`.
        variables: of the environment, beside those of this process.

    Raises:
        Mendable: it does not run.
    """

    def __init__(
        self,
        python: str,
        impls: Path,
        asked: dict[str, Any],
        program: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        found = shutil.which(python)
        if found is None:
            raise Mendable(f"there is no {python} to run: name a Python with --python")
        self.python = python
        if not program:
            text = Path(__file__).with_name("program.py").read_text(encoding="utf-8")
            program = ("-c", text)
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [os.path.abspath(found), *program, json.dumps(asked)],
            cwd=impls,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            # A checkout stays as it is.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(variables or {})},
        )
        try:
            self.told = self._answer()
        except BaseException:
            self.close()
            raise

    def __call__(self, updates: int) -> float:
        """The seconds of so many updates."""
        return float(self.ask({"updates": updates})["seconds"])

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """The answer to an order, see `goalward.bench.official.program`."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: its last words say why
            print(json.dumps(order), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            self.errors.seek(0)
            words = self.errors.read().strip().splitlines() or [f"exit status {status}"]
            raise Mendable(
                f"the official code fails ({words[-1]}): does {self.python} have the versions "
                "that the checkout asks for?"
            )
        answer: dict[str, Any] = json.loads(line)
        if "missing" in answer:
            names = " ".join(answer["missing"])
            raise Mendable(
                f"{self.python} lacks what the official code imports: install it with "
                f"`{self.python} -m pip install {names}`, or name another Python with --python"
            )
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def __enter__(self) -> "Official":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def shared(method: str, env: str) -> Name:
    """The data set's name, where the official code has the method and observations are states.

    Raises:
        Unknown: it has not, or they are not.
    """
    name = parse(env)
    if method in METHODS and method not in OFFICIAL:
        raise Unknown(f"the official code has no {method}; it has {', '.join(OFFICIAL)}")
    if name.images:
        raise Unknown(f"{env} has images: the official code is run on states alone")
    return name


def order(
    method: str, agent: Any, data: Path, batch: int, width: int, warmup: int, seed: int = 0
) -> dict[str, Any]:
    """What `goalward.bench.official.program` is told to train the same agent as ours."""
    return {
        "agent": OFFICIAL[method],
        "config": official_settings(agent, batch, width),
        "data": str(data.resolve()),
        "needs": NEEDS,
        "packages": PACKAGES,
        "seed": seed,
        "warmup": warmup,
    }


def official_settings(agent: Any, batch: int, width: int) -> dict[str, Any]:
    """Our learner's settings in the official names; each agent takes those that it has."""
    assert isinstance(agent, OfflineActor)
    hidden, goals = [width] * LAYERS, agent.actor_goals
    settings = {
        "batch_size": batch,
        "actor_hidden_dims": hidden,
        "value_hidden_dims": hidden,
        "latent_dim": width,
        "lr": agent.learning_rate,
        "discount": agent.gamma,
        "actor_p_curgoal": goals.current,
        "actor_p_trajgoal": goals.trajectory,
        "actor_p_randomgoal": goals.random,
        "actor_geom_sample": goals.geometric,
    }
    if isinstance(agent, HIQL):
        settings |= {
            "low_alpha": agent.sharpness,
            "high_alpha": agent.high_sharpness,
            "subgoal_steps": agent.subgoal_steps,
            "low_actor_rep_grad": agent.low_level_represents,
        }
        return settings
    if isinstance(agent, SHARSA):
        targets = agent.value_goals
        return settings | {
            "subgoal_steps": agent.subgoal_steps,
            "q_agg": agent.aggregate.__name__,
            "num_samples": agent.candidates,
            "flow_steps": agent.flow_steps,
            "value_p_curgoal": targets.current,
            "value_p_trajgoal": targets.trajectory,
            "value_p_randomgoal": targets.random,
            "value_geom_sample": targets.geometric,
        }
    if isinstance(agent, MetricActorCritic):
        parts = agent.critic.components
        settings |= {"components": parts, "mrn_components": parts, "critic_batch_size": batch}
        settings |= {_SETTINGS[k]: v for k, v in vars(agent).items() if k in _SETTINGS}
    for alpha, loss in (("sharpness", "awr"), ("bc", "ddpgbc")):
        if (value := getattr(agent, alpha, None)) is not None:
            return settings | {"actor_loss": loss, "alpha": value}
    return settings


def impls_of(checkout: Path, method: str) -> Path:
    """The folder of the official agents, the method's among them."""
    impls = checkout if method in AT_ROOT else checkout / "impls"
    repository = REPOSITORIES.get(method, _OGBENCH)
    for file in ("agents/__init__.py", "utils/datasets.py", f"agents/{OFFICIAL[method]}.py"):
        if not (impls / file).is_file():
            raise Mendable(
                f"{checkout} is no checkout of {method}'s official code (it has no "
                f"{(impls / file).relative_to(checkout)}): "
                f"clone its repository, {repository}, and name that folder with --official"
            )
    return impls.resolve()


def commit(checkout: Path) -> str:
    """The commit of a checkout, `unknown` where git does not say, with `+` if changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(checkout), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != checkout.resolve():
            return "unknown"  # a copy within some other repository
        return git("rev-parse", "HEAD") + "+" * bool(git("status", "--porcelain", "--", "impls"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
