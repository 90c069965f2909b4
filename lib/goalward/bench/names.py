"""What OGBench's data sets are called, and what a name says: environment, family, how collected.

Park et al. 2025, "OGBench: Benchmarking Offline Goal-Conditioned RL".
"""

from dataclasses import dataclass
from difflib import get_close_matches


class Mendable(ValueError):
    """Something that a person can mend: the message is one line and says how."""


class Unknown(Mendable):
    """What was asked for does not exist or makes no sense."""


@dataclass(frozen=True)
class Name:
    """A data set's name, such as pointmaze-medium-navigate-v0, taken apart.

    Attributes:
        text: the whole name.
        family: pointmaze, antmaze, humanoidmaze, antsoccer, cube, scene or puzzle.
        size: which maze, or how many things; empty for scene.
        kind: how it was collected: navigate, stitch, explore, play or noisy.
    """

    text: str
    family: str
    size: str
    kind: str

    @property
    def environment(self) -> str:
        """The environment's own name: the data set's without the word for its kind."""
        return "-".join(part for part in (self.family, self.size, "v0") if part)


_MAZES = ("medium", "large", "giant", "teleport")
_FAMILIES: dict[str, dict[str, tuple[str, ...]]] = {
    "pointmaze": dict.fromkeys(_MAZES, ("navigate", "stitch")),
    "antmaze": {
        **dict.fromkeys(("medium", "large", "teleport"), ("navigate", "stitch", "explore")),
        "giant": ("navigate", "stitch"),
    },
    "humanoidmaze": dict.fromkeys(("medium", "large", "giant"), ("navigate", "stitch")),
    "antsoccer": dict.fromkeys(("arena", "medium"), ("navigate", "stitch")),
    "cube": dict.fromkeys(("single", "double", "triple", "quadruple"), ("play", "noisy")),
    "scene": {"": ("play", "noisy")},
    "puzzle": dict.fromkeys(("3x3", "4x4", "4x5", "4x6"), ("play", "noisy")),
}

NAMES: dict[str, Name] = {
    name.text: name
    for family, sizes in _FAMILIES.items()
    for size, kinds in sizes.items()
    for kind in kinds
    for name in [Name("-".join(p for p in (family, size, kind, "v0") if p), family, size, kind)]
}
"""The 47 data sets whose observations are states (not images)."""


def parse(text: str) -> Name:
    """The data set of that name.

    Raises:
        Unknown: there is none, or its observations are images.
    """
    if text in NAMES:
        return NAMES[text]
    if text.startswith(("visual-", "powderworld-")):
        raise Unknown(
            f"{text} has images for observations, which no method here encodes yet: take a data "
            "set of states, such as antmaze-medium-navigate-v0"
        )
    near = get_close_matches(text, NAMES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "one is pointmaze-medium-navigate-v0"
    raise Unknown(f"OGBench has no data set of states called {text!r}: {hint}")
