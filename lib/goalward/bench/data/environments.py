"""The benchmark's environments, made so that a seed decides all that is random in them."""

import atexit
import os
import sys
import tempfile
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from goalward.bench.data.names import Mendable, Name


def make(name: Name, **settings: Any) -> Any:
    """The environment of a data set, from the `ogbench` package (a `gymnasium.Env`).

    Args:
        settings: as the environment takes them; `max_episode_steps` too.
    """
    if name.visual:
        _check_rendering()
    with warnings.catch_warnings(), _scratch():
        # Gymnasium warns that infinite bounds lose precision as float32.
        warnings.filterwarnings("ignore", message=".*precision lowered")
        import gymnasium
        import ogbench  # noqa: F401  (registers the environments)

        env = gymnasium.make(name.environment, disable_env_checker=True, **settings)
        _fix_action_space(env.unwrapped)
    if name.visual:
        atexit.register(_close_renderer, weakref.ref(env.unwrapped))
    return env


@cache
def _check_rendering() -> None:
    """MuJoCo chooses how to draw when it is first imported: without a screen, if it may."""
    if sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mujoco

            mujoco.Renderer(mujoco.MjModel.from_xml_string("<mujoco/>"), 8, 8).close()
    except Exception as error:  # of whatever library draws
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise Mendable(
            f"pictures cannot be drawn on this machine ({reason}): install EGL (libegl1) and set "
            "MUJOCO_GL=egl, or take a data set without visual- in its name"
        ) from error


def _close_renderer(env: Any) -> None:
    """Before the drawing library is unloaded; afterwards it would complain."""
    for attribute in ("_renderer", "custom_renderer"):
        if getattr(env(), attribute, None) is not None:
            getattr(env(), attribute).close()


@contextmanager
def _scratch() -> Iterator[None]:
    """Mazes are built by way of temporary files that their package leaves behind: not so here."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def _fix_action_space(env: Any) -> None:
    """One action space for an environment that makes a new, unseeded one at each look."""
    if isinstance(getattr(type(env), "action_space", None), property):
        space = env.action_space
        env.__class__ = type(type(env).__name__, (type(env),), {"action_space": space})


@contextmanager
def seeded(env: Any, *numbers: int) -> Iterator[np.random.Generator]:
    """Everything random in an environment, and in the package's scripts, follows from `numbers`.

    They draw from the environment's generator, its action space's and NumPy's global one, which is
    put back at the end. Call `env.reset(seed=...)` inside with an integer from the generator given.
    """
    rng = np.random.default_rng(numbers)
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002
    env.unwrapped.action_space.seed(int(rng.integers(2**31)))
    try:
        yield rng
    finally:
        np.random.set_state(before)  # noqa: NPY002
