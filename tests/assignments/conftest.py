"""What the tests of assignments share: one look at what nbgrader asks again and again."""

import functools
import importlib.util
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_version() -> Iterator[None]:
    """For each new gradebook nbgrader starts a process whose answer is that of its release."""
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec("nbgrader"):
            from nbgrader import api

            patch.setattr(api, "get_alembic_version", functools.cache(api.get_alembic_version))
        yield
