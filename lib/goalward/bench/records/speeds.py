"""Recorded comparisons of speed, read back: the files that `goalward bench compare` has written."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from goalward.bench.data.names import Mendable
from goalward.evaluation.intervals import Interval, ratio_interval

HEAD = ("method", "batch × width", "official", "ours", "times", "ours, more seeds", "times in all",
        "device")  # fmt: skip


@dataclass(frozen=True)
class Speed:
    """Updates per second of a method, ours and the official implementation's on one machine.

    Attributes:
        method: what was trained.
        batch: transitions in a batch.
        width: units of each hidden layer.
        device: where.
        official: a number a repeat.
        ours: by how many seeds trained side by side, a number a repeat for the updates of all.
    """

    method: str
    batch: int
    width: int
    device: str
    official: tuple[float, ...]
    ours: Mapping[int, tuple[float, ...]]

    @property
    def most_seeds(self) -> int:
        """How many learners there were at the most."""
        return max(self.ours)

    def times_official(self, seeds: int = 1) -> Interval:
        """How many times the official implementation's updates so many seeds of ours make.

        The mean over repeats, each beside the other's in its turn, and its 95% interval.
        """
        return ratio_interval(self.ours[seeds], self.official)


def load_speeds(folder: str | Path, say: Callable[[str], Any] = print) -> list[Speed]:
    """The comparisons in a folder, small sizes first; none if there is no such folder.

    Args:
        folder: where to look.
        say: told in one line of each file that is left out.
    """
    found = []
    for path in Path(folder).glob("*.json"):
        try:
            found.append(_read(json.loads(path.read_text(encoding="utf-8"))))
        except (Mendable, OSError, ValueError, TypeError, KeyError) as error:
            why = error if isinstance(error, Mendable) else "no record of `goalward bench compare`"
            say(f"{path} is left out: {why}")
    return sorted(found, key=lambda s: (s.batch, s.width, s.method, s.device))


def table(speeds: Sequence[Speed]) -> list[tuple[str, ...]]:
    """The rows of `HEAD`: medians, in updates per second of all seeds together."""
    rows: list[tuple[str, ...]] = []
    for speed in speeds:
        most = speed.most_seeds
        more = (f"{_told(speed.ours[most])} ({most})", f"{speed.times_official(most)[0]:.2f}")
        rows.append(
            (
                speed.method,
                f"{speed.batch} × {speed.width}",
                _told(speed.official),
                _told(speed.ours[1]),
                f"{speed.times_official()[0]:.2f}",
                *(more if most > 1 else ("–", "–")),
                speed.device,
            )
        )
    return rows


def _told(rates: Sequence[float]) -> str:
    return f"{median(rates):,.3g}" if median(rates) < 1000 else f"{median(rates):,.0f}"


def _read(found: Any) -> Speed:
    official: tuple[float, ...] = ()
    ours = {}
    for row in found["updates_per_second"]:
        rates = tuple(float(rate) for rate in row["repeats"])
        if len(rates) < 2 or not all(0 < rate < float("inf") for rate in rates):
            raise Mendable("it lacks two repeats of updates per second: take --repeats 3")
        who = str(row["name"])
        if who == "official":
            official = rates
        elif who.startswith("ours, scanned"):
            ours[int(row["seeds"])] = rates
    if not official or 1 not in ours:
        raise Mendable("it lacks the official implementation or one seed of ours")
    if len({len(official), *map(len, ours.values())}) > 1:
        raise Mendable("its contenders have different numbers of repeats")
    return Speed(
        str(found["method"]), int(found["batch"]), int(found["width"]), str(found["device"]),
        official, ours,
    )  # fmt: skip
