"""No learner takes a discount of one or beyond, whichever way it draws its futures."""

import importlib
import inspect
import math
import pkgutil
from functools import partial

import jax
import numpy as np
import pytest

import goalward.baselines
import goalward.methods
from goalward.data import trajectories


def learners() -> list[type]:
    """Every dataclass of methods and baselines with a discount and a loss."""
    found = {}
    for room in (goalward.methods, goalward.baselines):
        for module in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
            for name, kind in inspect.getmembers(importlib.import_module(module.name)):
                fields = getattr(kind, "__dataclass_fields__", {})
                if inspect.isclass(kind) and hasattr(kind, "loss") and "gamma" in fields:
                    found[name] = kind
    return [found[name] for name in sorted(found)]


def test_they_are_found() -> None:
    names = {kind.__name__ for kind in learners()}
    assert {"TDInfoNCE", "ContrastiveRL", "HIQL", "FittedQ", "QRL", "GCIVL"} <= names
    assert {"DistanceCritic", "VIP", "CLearning", "SuccessorRepresentation"} <= names


@pytest.mark.parametrize("gamma", [1.0, 1.0 - 1e-9, 1.5, -0.1, math.nan])
@pytest.mark.parametrize("kind", learners(), ids=lambda kind: kind.__name__)
def test_a_discount_of_one_or_beyond_is_refused(kind: type, gamma: float) -> None:
    """When a learner is made, or at its first draw, before anything else is looked at."""
    learner = object.__new__(kind)
    object.__setattr__(learner, "gamma", gamma)
    rows = np.zeros((2, 5), np.int32)
    draw = partial(learner.batch, trajectories.from_trajectories(rows, rows), jax.random.key(0))
    with pytest.raises(ValueError, match="discount gamma must be at least 0 and below 1"):
        getattr(learner, "__post_init__", draw)()
