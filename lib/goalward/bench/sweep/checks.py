"""Whether a command would refuse a trial's settings, by its own checks, before any trial begins.

Nothing here touches a device: whoever starts a sweep leaves the GPUs to its trials.
"""

import argparse
import re
from collections.abc import Callable

from goalward.bench.data.names import Mendable, Unknown, parse
from goalward.bench.runs.options import chosen


def _train(asked: argparse.Namespace) -> None:
    from goalward.bench.offline.presets import learner
    from goalward.bench.offline.settings import Settings

    settings = Settings(**chosen(asked, Settings))
    learner(settings.method, parse(settings.env), settings.options(1))


def _online(asked: argparse.Namespace) -> None:
    from goalward.bench.online import environments, presets
    from goalward.bench.online.settings import OnlineSettings

    settings = OnlineSettings(**chosen(asked, OnlineSettings))
    presets.check(settings)
    environments.known(settings.env, settings.physics)


CHECKS: dict[str, Callable[[argparse.Namespace], None]] = {
    "bench train": _train,
    "bench online": _online,
}
"""The commands that a sweep may run."""


def check(command: str, asked: argparse.Namespace) -> None:
    """See that a command would not refuse its settings.

    Raises:
        Unknown: it would; options are called as in a sweep file.
    """
    try:
        CHECKS[command](asked)
    except Mendable as error:
        raise Unknown(re.sub(r"(?<!\S)--(?=[a-z])", "", str(error))) from None
