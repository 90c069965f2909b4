"""Some physics steps under a held control, by MJX in JAX, by Warp, or by MuJoCo itself.

All three take and return the same few numbers, a body at a time, and are vmapped alike.
"""

import copy
import importlib.metadata
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array, Float
from mujoco import rollout

Now = tuple[Array, Array, Array]
Advance = Callable[[Array, Array, Array, Array], Now]
"""`(qpos, qvel, warmstart, control) -> (qpos, qvel, warmstart)`."""

KINDS = ("jax", "warp", "native")
BLOWN = 1e9
"""Positions and velocities beyond this are no physics any more: they become NaN."""

CONTACTS, ROWS = 2**15, 64
"""Warp's buffers: contacts of all bodies together, and rows of constraints of each."""


def check_physics(kind: str) -> None:
    """Refuse physics that are not known or not installed, with what mends it."""
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, 1, 0)[0]
        raise ValueError(f"unknown physics {kind!r}: did you mean {near!r}? ({', '.join(KINDS)})")
    if kind != "native":
        mjx = _version("mujoco-mjx")
        if mjx is None:
            raise ValueError(
                f"physics {kind!r} needs mujoco-mjx: install 'goalward[online]', or take 'native'"
            )
        if mjx != mujoco.__version__:
            raise ValueError(
                f"mujoco-mjx {mjx} does not fit mujoco {mujoco.__version__}: "
                f"install 'mujoco-mjx=={mujoco.__version__}'"
            )
    if kind == "warp":
        wanted = next(
            line.partition("==")[2].partition(";")[0].strip()
            for line in importlib.metadata.requires("mujoco-mjx") or ()
            if line.startswith("warp-lang")
        )
        warp = _version("warp-lang")
        if warp != wanted:
            found = "is not installed" if warp is None else f"{warp} does not fit"
            raise ValueError(
                f"physics 'warp': warp-lang {found}: install 'goalward[warp]', "
                f"which brings warp-lang {wanted}"
            )


def advance(model: mujoco.MjModel, substeps: int, kind: str) -> Advance:
    """The function that makes `substeps` physics steps of a model."""
    return _native(model, substeps) if kind == "native" else _mjx(model, substeps, kind)


def _mjx(model: mujoco.MjModel, substeps: int, kind: str) -> Advance:
    from mujoco import mjx

    room = {"naconmax": CONTACTS, "njmax": ROWS} if kind == "warp" else {}
    # The environment may first be used inside a trace, to which these arrays must not belong.
    with jax.ensure_compile_time_eval():
        physics = mjx.put_model(model, impl=kind)
        blank = mjx.make_data(model, impl=kind, **room)

    def run(
        qpos: Float[Array, " nq"],
        qvel: Float[Array, " nv"],
        warmstart: Float[Array, " nv"],
        control: Float[Array, " nu"],
    ) -> tuple[Array, Array, Array]:
        def step(now: Now, _: None) -> tuple[Now, None]:
            # Only these three go on: the rest of `Data` follows from them.
            qpos, qvel, warmstart = now
            data = blank.replace(qpos=qpos, qvel=qvel, qacc_warmstart=warmstart, ctrl=control)
            with _links_apart():
                data = mjx.step(physics, data)
            return (data.qpos, data.qvel, data.qacc_warmstart), None

        return jax.lax.scan(step, (qpos, qvel, warmstart), None, length=substeps)[0]

    return run


@contextmanager
def _links_apart() -> Iterator[None]:
    """A barrier after each link of a chain, while MJX is traced.

    XLA for CPUs would compute each link anew for everything that hangs on it, in loops within
    loops: a second for one pose of an arm of ten links, which now takes under a millisecond.
    """
    from mujoco.mjx._src import scan

    tree = scan.body_tree

    def apart(model: Any, f: Callable[..., Any], *rest: Any, **options: Any) -> Any:
        return tree(model, lambda *x: jax.lax.optimization_barrier(f(*x)), *rest, **options)

    scan.body_tree = apart
    try:
        yield
    finally:
        scan.body_tree = tree


def _native(model: mujoco.MjModel, substeps: int) -> Advance:
    model = copy.copy(model)
    # MuJoCo would put a body whose numbers are no numbers back to its start, and go on.
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    threads = os.cpu_count() or 1
    rest = np.concatenate([[0.0], model.qpos0, np.zeros(model.nv)])
    data = [mujoco.MjData(model) for _ in range(threads)]

    def steps(*arrays: Array) -> tuple[np.ndarray, ...]:
        lead = arrays[0].shape[:-1]
        flat = [np.asarray(a, np.float64).reshape(-1, a.shape[-1]) for a in arrays]
        qpos, qvel, warmstart, control = flat
        start = np.concatenate([np.zeros((len(qpos), 1)), qpos, qvel], axis=1)
        lost = ~np.isfinite(start).all(axis=1)
        start[lost] = rest
        path, _ = rollout.rollout(
            model,
            data[: min(threads, len(qpos))],
            start,
            np.repeat(control[:, None], substeps, axis=1),
            initial_warmstart=warmstart,
            persistent_pool=True,
        )
        path = np.concatenate([start[:, None], path], axis=1)[..., 1:]
        path = np.where(np.abs(path) < BLOWN, path, np.nan)
        path[lost] = np.nan
        velocities = path[..., model.nq :]
        last = (velocities[:, -1] - velocities[:, -2]) / model.opt.timestep
        after = (path[:, -1, : model.nq], velocities[:, -1], last)
        return tuple(a.astype(np.float32).reshape(*lead, a.shape[-1]) for a in after)

    def run(
        qpos: Float[Array, " nq"],
        qvel: Float[Array, " nv"],
        warmstart: Float[Array, " nv"],
        control: Float[Array, " nu"],
    ) -> tuple[Array, Array, Array]:
        like = tuple(
            jax.ShapeDtypeStruct((size,), jnp.float32) for size in (model.nq, model.nv, model.nv)
        )
        return jax.pure_callback(
            steps, like, qpos, qvel, warmstart, control, vmap_method="broadcast_all"
        )

    return run


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
