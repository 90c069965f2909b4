"""What the benchmark's tests share: one small data set, and what has been compiled."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What is compiled here is not compiled again in the processes that are killed."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    yield Path(settings["jax_compilation_cache_dir"])
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty episodes of a hundred steps in the medium point maze."""
    pytest.importorskip("ogbench")
    from goalward.bench.data.collect import collect
    from goalward.bench.data.names import parse

    name = parse("pointmaze-medium-navigate-v0")
    return collect(name, tmp_path_factory.mktemp("data"), 20, 100)[0]


@pytest.fixture(scope="session")
def navigated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Twelve episodes of sixty steps in the same maze, and those for validation."""
    from goalward.bench.data.collect import collect
    from goalward.bench.data.names import parse

    name = parse("pointmaze-medium-navigate-v0")
    return collect(name, tmp_path_factory.mktemp("navigated"), 12, 60, seed=3)
