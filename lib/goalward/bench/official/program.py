"""The official agents at work: a program for the Python that has their packages, not a module.

`goalward.bench.official.compare` runs it in the folder `impls` of a checkout and tells it in JSON
what to do. It answers in lines of JSON: one when it is warm, then one an order: `{"updates": n}`
trains and gives the seconds, `{"observations": ..., "goals": ...}` gives the actions without
noise, `{"snapshot": file}` writes parameters, a batch, its loss and gradient to an npz file. The
loop is that of the official `main.py` without its logs and evaluations: NumPy draws a batch on the
host, one jitted call makes an update.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from inspect import signature
from typing import Any


def serve(asked: dict[str, Any], say: Callable[[dict], Any], orders: Iterable[str]) -> None:
    """Make the agent, warm it up, then do as each order says."""
    try:
        jax, np = import_module("jax"), import_module("numpy")
        settings = import_module(f"agents.{asked['agent']}")
        agents, datasets = import_module("agents").agents, import_module("utils.datasets")
    except ModuleNotFoundError as error:
        lacking = [name for name in asked["needs"] if find_spec(name) is None]
        say({"missing": lacking or [error.name]})
        return

    config = settings.get_config()
    for key, value in asked["config"].items():
        if key in config:  # not every agent has every setting
            config[key] = tuple(value) if isinstance(value, list) else value

    # The form in which the official code loads a file: the last row of an episode is never drawn.
    file = np.load(asked["data"])
    ends = file["terminals"].astype(np.float32)
    rows = datasets.Dataset.create(
        observations=file["observations"].astype(np.float32),
        actions=file["actions"].astype(np.float32),
        terminals=np.maximum(ends, np.append(ends[1:], np.float32(1))),
        valids=1 - ends,
    )
    np.random.seed(asked["seed"])
    data = getattr(datasets, config["dataset_class"])(rows, config)
    example = data.sample(1)
    create = agents[asked["agent"]].create
    takes = signature(create).parameters
    # Some want to know how long they will train; none of the official losses depends on it.
    more = {"train_steps": 1_000_000} if "train_steps" in takes else {}
    whole = "example_batch" in takes
    seen = [example] if whole else [example["observations"], example["actions"]]
    agent = create(asked["seed"], *seen, config, **more)

    def seconds(updates: int) -> float:
        nonlocal agent
        begun = time.perf_counter()
        for _ in range(updates):
            agent, told = agent.update(data.sample(config["batch_size"]))
        jax.block_until_ready((agent, told))
        return time.perf_counter() - begun

    seconds(asked["warmup"])
    device = jax.devices()[0]
    trained = {k: v for k, v in agent.network.params.items() if not k.startswith("modules_target_")}
    say(
        {
            "device": f"{device.platform} ({device.device_kind})",
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(trained)),
            "versions": {"python": sys.version.split()[0], **_versions(asked["packages"])},
        }
    )
    for line in orders:
        order = json.loads(line)
        if "updates" in order:
            say({"seconds": seconds(order["updates"])})
            continue
        if "snapshot" in order:
            params, batch = agent.network.params, data.sample(config["batch_size"])
            (loss, _), gradient = jax.value_and_grad(
                lambda p, batch=batch: agent.total_loss(batch, p, rng=jax.random.PRNGKey(0)),
                has_aux=True,
            )(params)
            parts = {"params": params, "gradient": gradient, "batch": batch, "loss": loss}
            np.savez(
                order["snapshot"],
                **{
                    "/".join(str(getattr(at, "key", at)) for at in path): np.asarray(leaf)
                    for path, leaf in jax.tree_util.tree_flatten_with_path(parts)[0]
                },
            )
            say({"written": order["snapshot"]})
            continue
        seen, goals = (np.asarray(order[part], np.float32) for part in ("observations", "goals"))
        # Without noise the key has no effect; flows cannot be without, and are asked row by row.
        acts = agent.sample_actions(seen, goals, seed=jax.random.PRNGKey(0), temperature=0.0)
        say({"actions": np.asarray(acts).tolist()})


def _versions(packages: list[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    # What others print goes to standard error: standard output is for the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(
        json.loads(sys.argv[1]),
        lambda answer: print(json.dumps(answer), file=answers, flush=True),
        sys.stdin,
    )
