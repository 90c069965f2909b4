"""Ours and JaxGCRL side by side, in its environments: whether they agree, and how fast each is.

Both run in the Python that has its packages, each in a process of its own, on the same
environment with the same sizes, in turns.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from platform import machine
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import goalward
from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.official.checkout import Official, commit
from goalward.bench.official.compare import writable
from goalward.bench.official.online.agent import Config, agent, our_params
from goalward.bench.official.online.worlds import ENVS, METHOD
from goalward.bench.official.parity import largest, tree_of
from goalward.bench.runs.files import write_whole
from goalward.data.goals import HindsightTransitions
from goalward.protocol import Params

INSTALLED = "jaxgcrl"
"""Stands for the package that their Python has, in the place of a checkout."""
UPDATES = 20
"""Made before parity is looked at, so that Adam's moments are not zero."""
SIZES = {"observation": 10, "action": 2, "goal_entries": (4, 5, 6)}
"""Of their reacher."""
KEPT = 10_000
"""Steps of each environment that both keep."""


@dataclass(frozen=True)
class OnlineParity:
    """Largest differences, each relative to the largest number of its kind.

    Attributes:
        loss: of the sum of all losses.
        gradient: of each network's gradient, by our name for the network.
        parameters: of each network's parameters after one step of Adam.
        step: of what the step added to them; rounding of the parameters alone makes this 1e-4.
    """

    loss: float
    gradient: dict[str, float]
    parameters: dict[str, float]
    step: dict[str, float]


@dataclass(frozen=True)
class Race:
    """What to time.

    Attributes:
        env: one of `ENVS`.
        envs: environments of each side.
        episode: steps of an episode, and one.
        unroll: steps of each environment in a round.
        rounds: timed in each repeat.
        repeats: how often each side is timed, in turn.
        batch: transitions in a batch.
        width: units of each hidden layer.
        seeds: learners of ours at once, in a last row, if more than one.
    """

    env: str
    envs: int = 256
    episode: int = 1001
    unroll: int = 62
    rounds: int = 1
    repeats: int = 3
    batch: int = 256
    width: int = 256
    seeds: int = 1

    def __post_init__(self) -> None:
        check_env(self.env)
        for field in ("envs", "unroll", "rounds", "repeats", "batch", "width", "seeds"):
            if getattr(self, field) < 1:
                raise Unknown(f"--{field} must be at least 1, not {getattr(self, field)}")
        if not 3 <= self.episode <= 1001:
            raise Unknown(f"--episode must be between 3 and 1001, not {self.episode}")
        if self.envs * (self.episode - 1) % self.batch:
            fit = self.batch // np.gcd(self.batch, self.episode - 1)
            near = int(max(1, round(self.envs / fit)) * fit)
            raise Unknown(
                "JaxGCRL wants --envs times (--episode - 1) to be a multiple of --batch: take "
                f"--envs {near}"
            )

    @property
    def updates(self) -> int:
        """Of a round: every step of a window of each environment is used once."""
        return self.envs * (self.episode - 1) // self.batch


def check_env(env: str) -> None:
    """See that both sides have the environment.

    Raises:
        Unknown: they have not.
    """
    if env not in ENVS:
        raise Unknown(f"beside JaxGCRL there is no {env!r}: take {', '.join(ENVS)}")


def parity(
    official: str, python: str, energy: str = "norm", loss: str = "sym_infonce"
) -> OnlineParity:
    """Compare losses, gradients and one step, from the same parameters and relabelled batch.

    Args:
        official: a checkout of JaxGCRL, or `jaxgcrl` for the package that their Python has.
        python: that has its packages.
        energy: by their name, see `agent.ENERGIES`.
        loss: by their name, see `agent.LOSSES`.

    Raises:
        Mendable: something is not there, or the official code fails.
    """
    config = Config(energy=energy, loss=loss, width=64, encoding=16)
    asked = {"parity": True, "seed": 0, "config": config.theirs, "updates": UPDATES, **SIZES}
    with _process("theirs", official, python, asked) as theirs, tempfile.TemporaryDirectory() as at:
        path = Path(at) / "snapshot.npz"
        theirs.ask({"snapshot": str(path)})
        with np.load(path) as file:
            told = tree_of(file)
    return judged(config, told)


def judged(config: Config, told: dict[str, Any]) -> OnlineParity:
    """Our losses, gradients and step beside those of a snapshot."""
    ours: Any = agent(config, SIZES["action"], SIZES["goal_entries"])  # type: ignore[arg-type]
    rows = {name: jnp.asarray(value) for name, value in told["batch"].items()}
    batch = HindsightTransitions(next_state=rows["state"], next_goal=rows["goal"], **rows)
    params = our_params(told["params"])
    state = ours.init(jax.random.key(0), batch)
    if jax.tree.map(jnp.shape, state.params) != jax.tree.map(jnp.shape, params):
        raise Mendable("JaxGCRL's networks have other shapes than ours: is it version 0.2.8?")
    moments = optax.ScaleByAdamState(
        count=jnp.asarray(told["count"]), mu=our_params(told["mu"]), nu=our_params(told["nu"])
    )
    state = state.replace(params=params, opt_state=moments)
    key = jax.random.key(0)
    (loss, _), gradient = jax.jit(jax.value_and_grad(ours.loss, has_aux=True))(
        params, state, batch, key
    )
    after, _ = jax.jit(ours.update)(state, batch, key)

    def apart(mine: Params, his: Params) -> float:
        return largest(jax.tree.map(jnp.subtract, mine, his)) / largest(his)

    def moved(to: Params, begin: Params) -> Params:
        return jax.tree.map(jnp.subtract, to, begin)

    wanted, arrived = our_params(told["gradient"]), our_params(told["after"])
    return OnlineParity(
        loss=abs(float(loss) - float(told["loss"])) / abs(float(told["loss"])),
        gradient={part: apart(gradient[part], wanted[part]) for part in wanted},
        parameters={part: apart(after.params[part], arrived[part]) for part in wanted},
        step={
            part: apart(*(moved(to[part], params[part]) for to in (after.params, arrived)))
            for part in wanted
        },
    )


def compare(
    wanted: Race, official: str, python: str, out: Path, tick: Callable[[], Any] = lambda: None
) -> list[str]:
    """Time both, write what was found to `out`, and return the table's lines.

    Args:
        wanted: what to time.
        official: as for `parity`.
        python: that has JaxGCRL's packages.
        out: a JSON file.
        tick: called `stages` times.

    Raises:
        Mendable: something is not there, or one side fails.
    """
    writable(out)
    config = Config(batch=wanted.batch, width=wanted.width)
    asked = asdict(wanted) | {"parity": False, "seed": 0, "config": config.theirs, "kept": KEPT}
    asked |= {"ours": asdict(config), "updates": wanted.updates}
    sides = {"JaxGCRL": ("theirs", 1), "ours": ("ours", 1)}
    if wanted.seeds > 1:
        sides[f"ours, {wanted.seeds} seeds in all"] = ("ours", wanted.seeds)
    with ExitStack() as stack:
        timers = {}
        for name, (program, seeds) in sides.items():
            words = asked | {"seeds": seeds}
            timers[name] = stack.enter_context(_process(program, official, python, words))
            tick()
        if len({timer.told["device"] for timer in timers.values()}) > 1:
            raise Mendable("the two sides run on different devices: set JAX_PLATFORMS for both")
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(wanted.repeats):
            for name, timer in timers.items():
                taken[name].append(float(timer.ask({"epoch": 1})["seconds"]))
                tick()
        told = {name: timer.told for name, timer in timers.items()}
    rows = []
    for name, (_, seeds) in sides.items():
        middle = median(taken[name])
        rows.append(
            {
                "name": name,
                "seeds": seeds,
                "first_seconds": round(told[name]["first"], 1),
                "seconds": [round(seconds, 4) for seconds in taken[name]],
                "env_steps_per_second": round(
                    seeds * wanted.rounds * wanted.envs * wanted.unroll / middle, 1
                ),
                "updates_per_second": round(seeds * wanted.rounds * wanted.updates / middle, 2),
                "times_official": round(seeds * median(taken["JaxGCRL"]) / middle, 3),
            }
        )
    found = {
        "method": METHOD,
        **asdict(wanted),
        "updates": wanted.updates,
        "commit": "installed" if official == INSTALLED else commit(Path(official)),
        "device": told["ours"]["device"],
        "machine": f"{machine()}, {os.cpu_count()} cores",
        "versions": told["JaxGCRL"]["versions"],
        "rows": rows,
    }
    write_whole(out, json.dumps(found, indent=1) + "\n")
    return table(found)


def stages(wanted: Race) -> int:
    """How often `compare` says that it is further."""
    return (2 + (wanted.seeds > 1)) * (1 + wanted.repeats)


def table(found: dict[str, Any]) -> list[str]:
    """The lines to print of what was found."""
    lines = [
        f"{found['method']} beside JaxGCRL in {found['env']}: {found['envs']} environments, "
        f"{found['unroll']} steps of each and {found['updates']} updates a round, batch "
        f"{found['batch']}, width {found['width']}, on {found['device']}",
        "a second, acting, relabelling and updates included; median of "
        f"{found['repeats']} times {found['rounds']} rounds",
    ]
    for row in found["rows"]:
        lines.append(
            f"  {row['name']:24}{row['env_steps_per_second']:11.1f} steps"
            f"{row['updates_per_second']:10.1f} updates{row['times_official']:8.2f} times"
            f"   (first round and compilation {row['first_seconds']:.0f} s)"
        )
    return lines


@contextmanager
def _process(program: str, official: str, python: str, asked: dict[str, Any]) -> Iterator[Official]:
    """A side at work in their Python, which sees this library and nothing beside it."""
    checkout = "" if official == INSTALLED else str(Path(official).resolve())
    if checkout and not (Path(checkout) / "jaxgcrl/agents/crl/crl.py").is_file():
        raise Mendable(
            f"{official} is no checkout of JaxGCRL: clone MichalBortkiewicz/JaxGCRL and name that "
            f"folder with --official, or name the installed package: --official {INSTALLED}"
        )
    assert goalward.__file__ is not None
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "goalward").symlink_to(Path(goalward.__file__).resolve().parent)
        order = asked | {"official": checkout}
        words = ("-m", f"goalward.bench.official.online.{program}")
        with Official(python, Path(folder), order, words, {"PYTHONPATH": folder}) as side:
            yield side
