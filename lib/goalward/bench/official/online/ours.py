"""Our loop in JaxGCRL's environment: `python -m` of this file in the Python that has its packages.

The same protocol as `theirs`: each order is so many rounds of our loop.
"""

import time
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from goalward.bench.official.online.theirs import Say, about, main
from goalward.bench.official.online.worlds import NEEDS, prepare, world


def serve(asked: dict[str, Any], say: Say, orders: Iterable[str]) -> None:
    """Train for so many rounds at each order."""
    try:
        import jax

        from goalward.bench.official.online.brax_env import with_starts
        from goalward.bench.official.timers import Silent
        from goalward.bench.online.presets import agent
        from goalward.bench.online.settings import OnlineSettings
        from goalward.training.online import train

        prepare(asked["official"])
        found = world(asked["env"])
    except ModuleNotFoundError as error:
        lacking = [name for name in NEEDS if find_spec(name) is None]
        say({"missing": lacking or [error.name]})
        return
    begun = time.perf_counter()
    settings, seeds, key = (
        OnlineSettings(**asked["ours"]),
        asked["seeds"],
        jax.random.key(asked["seed"]),
    )
    env = with_starts(found, asked["episode"], settings.envs, key)
    learner = agent(settings, env)
    states = None

    def seconds() -> float:
        nonlocal states
        begun = time.perf_counter()
        states, _ = train(
            learner,
            env,
            settings.sizes,
            key,
            asked["rounds"],
            seeds=seeds,
            states=states,
            log_every=asked["rounds"],
            progress=Silent(),
        )
        jax.block_until_ready(states)
        return time.perf_counter() - begun

    seconds()
    say({**about(), "first": time.perf_counter() - begun})
    for _ in orders:
        say({"seconds": seconds()})


if __name__ == "__main__":
    main(serve)
