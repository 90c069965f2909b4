"""Names of the benchmark that name no data set trained here are told what they are."""

import re

import pytest

from goalward.bench.data.names import LARGEST_SEED, Unknown, check_seed, parse


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "pointmaze-medium-navigate-singletask-v0",
            "has a reward for one goal and is not trained here: the same data are "
            "pointmaze-medium-navigate-v0",
        ),
        (
            "cube-single-play-singletask-task3-v0",
            "has a reward for one goal and is not trained here: the same data are "
            "cube-single-play-v0",
        ),
        (
            "humanoidmaze-giant-navigate-oraclerep-v0",
            "shows goals in another representation and is not trained here: the same data are "
            "humanoidmaze-giant-navigate-v0",
        ),
        (
            "pointmaze-medium-singletask-v0",
            "is an environment that has a reward for one goal, and is not trained here: take a "
            "data set, such as pointmaze-medium-navigate-v0",
        ),
        (
            "pointmaze-medium-v0",
            "is an environment, and lacks the kind of data: take pointmaze-medium-navigate-v0 or "
            "pointmaze-medium-stitch-v0",
        ),
    ],
)
def test_a_variant_is_named_as_what_it_is(text: str, told: str) -> None:
    with pytest.raises(Unknown, match=f"^{re.escape(f'{text} {told}')}$"):
        parse(text)


@pytest.mark.parametrize("text", ["pointmaze-medium-navigate-singletask-task9-v0", "oraclerep"])
def test_what_is_no_variant_is_unknown(text: str) -> None:
    with pytest.raises(Unknown, match="has no data set called"):
        parse(text)


def test_a_seed_has_a_sequence_of_its_own() -> None:
    check_seed(0)
    check_seed(LARGEST_SEED)
    for seed in (-1, LARGEST_SEED + 1, 2**64):
        with pytest.raises(Unknown, match=f"at most 4294967295, not {seed}$"):
            check_seed(seed)
