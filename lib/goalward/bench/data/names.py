"""What OGBench's data sets are called, and what a name says: environment, family, how collected.

Park et al. 2025, "OGBench: Benchmarking Offline Goal-Conditioned RL".
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches


class Mendable(ValueError):
    """Something that a person can mend: the message is one line and says how."""


class Unknown(Mendable):
    """What was asked for does not exist or makes no sense."""


LARGEST_SEED = 2**32 - 1


def check_seed(seed: int) -> None:
    """A seed must have a random sequence of its own.

    Raises:
        Unknown: it is negative, or one whose lower 32 bits, which are all that JAX keeps, are
            another seed's.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise Unknown(f"--seed is at least 0 and at most {LARGEST_SEED}, not {seed}")


@dataclass(frozen=True)
class Name:
    """A data set's name, such as pointmaze-medium-navigate-v0, taken apart.

    Attributes:
        text: the whole name.
        family: pointmaze, antmaze, humanoidmaze, antsoccer, cube, scene, puzzle or powderworld.
        size: which maze, or how many things; empty for scene.
        kind: how it was collected: navigate, stitch, explore, play or noisy.
        visual: whether it shows pictures of a world that has a data set of states too.
    """

    text: str
    family: str
    size: str
    kind: str
    visual: bool = False

    @property
    def environment(self) -> str:
        """The environment's own name: the data set's without the word for its kind."""
        return _join("visual" if self.visual else "", self.family, self.size, "v0")

    @property
    def images(self) -> bool:
        """Whether observations are images of unsigned bytes; else they are real numbers."""
        return self.visual or self.discrete

    @property
    def discrete(self) -> bool:
        """Whether an action is one of a few; else it is a vector."""
        return self.family == "powderworld"


def _join(*parts: str) -> str:
    return "-".join(part for part in parts if part)


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
    "powderworld": dict.fromkeys(("easy", "medium", "hard"), ("play",)),
}
_VISUAL = ("antmaze", "humanoidmaze", "cube", "scene", "puzzle")

NAMES: dict[str, Name] = {
    name.text: name
    for visual in (False, True)
    for family, sizes in _FAMILIES.items()
    if not visual or family in _VISUAL
    for size, kinds in sizes.items()
    for kind in kinds
    for text in [_join("visual" if visual else "", family, size, kind, "v0")]
    for name in [Name(text, family, size, kind, visual)]
}
"""The 85 data sets: 47 of states, 35 of pictures, 3 of powder worlds."""


def parse(text: str) -> Name:
    """The data set of that name.

    Raises:
        Unknown: there is none.
    """
    if text in NAMES:
        return NAMES[text]
    _explain(text)
    near = get_close_matches(text, NAMES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "one is pointmaze-medium-navigate-v0"
    raise Unknown(f"OGBench has no data set called {text!r}: {hint}")


_VARIANTS = {
    r"-singletask(-task[1-5])?(?=-v0$)": "has a reward for one goal",
    r"-oraclerep(?=-v0$)": "shows goals in another representation",
}


def _explain(text: str) -> None:
    """Say what a name of the benchmark is that names no data set trained here.

    Raises:
        Unknown: it is one.
    """
    for pattern, what in _VARIANTS.items():
        same = re.sub(pattern, "", text)
        if same != text and same in NAMES:
            raise Unknown(f"{text} {what} and is not trained here: the same data are {same}")
        if same != text and (kinds := _kinds(same)):
            raise Unknown(
                f"{text} is an environment that {what}, and is not trained here: take a data set, "
                f"such as {kinds[0]}"
            )
    if kinds := _kinds(text):
        raise Unknown(
            f"{text} is an environment, and lacks the kind of data: take {' or '.join(kinds)}"
        )


def _kinds(environment: str) -> list[str]:
    """The data sets of an environment."""
    return [name.text for name in NAMES.values() if name.environment == environment]
