"""Runs of the official implementation in our form: to be compared with ours, seed by seed.

The official agent trains in its own process, by its own loop, on the same file with the same sizes
and settings; it acts in the same `Arena`. Each seed is a run's folder, as `goalward bench train`
writes it, so that `goalward.bench.records.runs` reads both.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from goalward.bench.data.datasets import fingerprint, load
from goalward.bench.data.names import Mendable, Unknown, check_seed
from goalward.bench.official.checkout import Official, commit, impls_of, order, shared
from goalward.bench.offline.evaluate import Arena
from goalward.bench.offline.presets import learner
from goalward.bench.offline.settings import Settings
from goalward.bench.runs.files import write_whole

UNUSED = ("log_every", "eval_workers", "checkpoint_every", "keep")
"""Settings without a meaning for official runs."""


def reference(
    wanted: Settings,
    data: Path,
    checkout: Path,
    python: str,
    out: Path,
    tick: Callable[[int], Any] = lambda updates: None,
    say: Callable[[str], Any] = lambda line: None,
) -> list[Path]:
    """Train the official agent `wanted.seeds` times and return the folders of the runs.

    A seed's folder is written when it is done; one that is there and done is not made again.

    Args:
        wanted: as for a run of ours; logs come with the evaluations, checkpoints not at all.
        data: the data file.
        checkout: of the official repository.
        python: that has the official code's packages.
        out: the folder of the seeds' folders.
        tick: told the updates that are done.
        say: told a line when there is news.

    Raises:
        Mendable: something is not there, the official code fails, or a folder holds another run.
    """
    name = shared(wanted.method, wanted.env)
    if wanted.steps < 2:
        raise Unknown("--steps must be at least 2 here: the first update compiles")
    check_seed(wanted.seed + wanted.seeds - 1)
    arena = Arena(name, 1)
    held = load(data, arena.observation, arena.action)
    agent = learner(wanted.method, name, wanted.options(arena.action))
    told = {
        "implementation": "official",
        "commit": commit(checkout),
        "data": fingerprint(data),
        "transitions": int(held.size),
    }
    folders = []
    for seed in range(wanted.seed, wanted.seed + wanted.seeds):
        folder = out / f"seed{seed}"
        asked = asdict(replace(wanted, seeds=1, seed=seed)) | told
        folders.append(folder)
        if _done(folder, asked):
            say(f"seed {seed} is there already")
            tick(wanted.steps)
            continue
        first = 1  # the first update, which compiles
        words = order(wanted.method, agent, data, wanted.batch, wanted.width, first, seed)
        with Official(python, impls_of(checkout, wanted.method), words) as official:
            about = {k: official.told[k] for k in ("device", "versions", "parameters")}
            entries = _train(official, arena, wanted, seed, tick)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = "".join(json.dumps(entry) + "\n" for entry in entries)
            write_whole(folder / "metrics.jsonl", lines)
            write_whole(folder / "config.json", json.dumps(asked | about, indent=1) + "\n")
        except OSError as error:
            raise Mendable(
                f"{folder} cannot be written ({error.strerror or error}): make room, or name "
                "another folder with --out"
            ) from error
        say(f"seed {seed}: success {np.mean(entries[-1]['success']):.3f}")
    return folders


def _train(
    official: Official, arena: Arena, wanted: Settings, seed: int, tick: Callable[[int], Any]
) -> list[dict[str, Any]]:
    def policy(observations: np.ndarray, goals: np.ndarray, step: int) -> np.ndarray:
        order = {"observations": observations[0].tolist(), "goals": goals[0].tolist()}
        return np.array([official.ask(order)["actions"]])

    entries: list[dict[str, Any]] = []
    step, seconds = 1, 0.0
    while step < wanted.steps:
        goal = min(wanted.steps, (step // wanted.eval_every + 1) * wanted.eval_every)
        took = official(goal - step)
        rate = round((goal - step) / took, 2)
        seconds += took
        tick(goal - step + (step == 1))
        step = goal
        entries.append({"step": step, "updates_per_second": rate, "seconds": round(seconds, 3)})
        success = arena.rates(policy, wanted.eval_episodes, (seed, step))
        entries.append({"step": step, "success": success.tolist(), "seconds": round(seconds, 3)})
    return entries


def _done(folder: Path, asked: dict[str, Any]) -> bool:
    path = folder / "config.json"  # written last
    if not path.exists():
        return False
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Mendable(f"{path} is damaged: name another folder with --out") from error
    differing = [k for k, value in asked.items() if k not in UNUSED and old.get(k) != value]
    if differing:
        raise Mendable(
            f"{folder} holds another run (its {', '.join(differing)} differ): name another folder "
            "with --out, or repeat that run's command"
        )
    return True
