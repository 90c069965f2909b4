"""Write a data set as OGBench's authors made theirs, so that no stop spoils or loses anything.

Each episode (`goalward.bench.data.recipes`) has a seed of its own, so the data do not depend on how
many processes made them; and a file of its own until all are there, so that a stopped call,
even by a kill or a full disk, goes on where it was.
"""

import os
import signal
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib.metadata import version
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from goalward.bench.data.names import Mendable, Name, Unknown, check_seed
from goalward.bench.data.recipes import WITHOUT_EXPERT, episode


def official_size(name: Name) -> tuple[int, int]:
    """Episodes and steps an episode of the benchmark's own data set (its training part)."""
    if name.kind == "stitch":
        return 5000, 200
    if name.family == "pointmaze":
        return (500, 2000) if name.size == "giant" else (1000, 1000)
    if name.family == "powderworld":
        return {"easy": 1000, "medium": 3000, "hard": 5000}[name.size], 1000
    return {"triple": 3000, "quadruple": 5000, "4x5": 3000, "4x6": 5000}.get(name.size, 1000), 1000


def collect(
    name: Name,
    out: Path,
    episodes: int,
    steps: int,
    seed: int = 0,
    jobs: int = 1,
    tick: Callable[[], Any] = lambda: None,
) -> tuple[Path, Path]:
    """Write the two files of a data set, for training and (a tenth as many episodes) validation.

    The same arguments give the same bytes, whatever `jobs` is. Files appear whole or not at all.
    Finished episodes are kept in a hidden folder beside them until all are there, so that the same
    call goes on where one was stopped. Memory holds one episode a process, not the data set.

    Args:
        out: the folder.
        episodes: for training.
        steps: transitions in each; the file has one row more, for the last state.
        jobs: processes.
        tick: called after each episode, those of an earlier call included.

    Raises:
        Unknown: the recipe needs an expert, or the sizes make no sense.
        Mendable: the files are already there, a kept episode is damaged, the call was stopped by
            hand, or one of its processes was killed.
    """
    if name.family not in WITHOUT_EXPERT:
        raise Unknown(
            f"{name.text} was collected by a trained expert that is not public: download the data "
            f"set itself, or collect one of a {', '.join(WITHOUT_EXPERT)}"
        )
    if min(episodes, steps, jobs) < 1:
        raise Unknown("--episodes, --steps and --jobs must be at least 1")
    check_seed(seed)
    paths = out / f"{name.text}.npz", out / f"{name.text}-val.npz"
    total = episodes + max(1, episodes // 10)
    made_with = "-".join(f"{package}{version(package)}" for package in ("ogbench", "mujoco"))
    kept = out / f".{name.text}-steps{steps}-seed{seed}-{made_with}"
    joined = kept.with_name(f"{kept.name}-joined{episodes}")
    if joined.exists():
        for _ in range(total):
            tick()
        _deliver(joined, paths)
        if all(path.exists() for path in paths):
            return paths
    for path in paths:
        _free(path)
    kept.mkdir(parents=True, exist_ok=True)
    files = [kept / f"{number}.npz" for number in range(total)]
    missing = [number for number, file in enumerate(files) if not file.exists()]
    for _ in range(total - len(missing)):
        tick()
    try:
        for _ in _map(partial(_keep, name, steps, seed, kept), missing, jobs):
            tick()
        for path, chosen in zip(paths, (files[:episodes], files[episodes:]), strict=True):
            join(chosen, kept / path.name)
    except (KeyboardInterrupt, BrokenProcessPool) as stop:
        died = isinstance(stop, BrokenProcessPool)
        done = sum(file.exists() for file in files)
        raise Mendable(
            f"{'a process died' if died else 'stopped'} after {done} of {total} episodes, kept in "
            f"{kept}; the same command goes on from there"
            f"{', with fewer --jobs if memory is short' if died else ''}"
        ) from None
    # The new name says that both files are whole and only have to be moved.
    kept.rename(joined)
    _deliver(joined, paths)
    return paths


def join(files: Sequence[Path], path: Path) -> None:
    """Write a file of the arrays of several, end to end, with one of them in memory at a time.

    Its bytes are those of `np.savez_compressed` with the concatenated arrays.

    Args:
        files: with the same fields, `terminals` among them, of the same types and shapes but for
            the number of rows.

    Raises:
        Mendable: one is damaged; it is deleted.
    """
    rows = sum(len(_read(file, "terminals")) for file in files)
    with np.load(files[0]) as first:
        fields = first.files
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
            for field in fields:
                # As NumPy does: there is room for more than 4 GB.
                with whole.open(f"{field}.npy", "w", force_zip64=True) as member:
                    for number, file in enumerate(files):
                        part = _read(file, field)
                        if number == 0:
                            header = np.lib.format.header_data_from_array_1_0(part)
                            header["shape"] = (rows, *part.shape[1:])
                            np.lib.format.write_array_header_1_0(member, header)
                        member.write(part.data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _free(path: Path) -> None:
    if path.exists():
        raise Mendable(f"{path} is already there: name another folder with --out, or delete it")


def _deliver(joined: Path, paths: Sequence[Path]) -> None:
    """Move the files out of the folder in which they were made, as far as not yet done."""
    names = [path.name for path in paths]
    for file in joined.iterdir():
        if file.name not in names:
            file.unlink()
    for path in paths:
        whole = joined / path.name
        if whole.exists():
            _free(path)
            os.replace(whole, path)
    joined.rmdir()


def _map(make: Callable[[int], Any], numbers: list[int], jobs: int) -> Iterator[Any]:
    if jobs == 1 or not numbers:
        yield from map(make, numbers)
        return
    # Fresh processes: a fork of one with threads (JAX's) may hang.
    others = active_children()
    pool = ProcessPoolExecutor(min(jobs, len(numbers)), get_context("spawn"), _begin_worker)
    try:
        yield from pool.map(make, numbers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        # A worker that was killed while it waited for work keeps the others from ever hearing
        # that there is none. What they leave is whole, so they need not be asked.
        for worker in active_children():
            if worker not in others:
                worker.terminate()
                worker.join()


def _begin_worker() -> None:
    """A worker leaves Ctrl-C to the process that began it, and ends with it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _keep(name: Name, steps: int, seed: int, folder: Path, number: int) -> None:
    """Make an episode and its file: whole or not at all, whenever this is killed."""
    path = folder / f"{number}.npz"
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, **episode(name, steps, seed, number))  # type: ignore[arg-type]
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _read(path: Path, field: str) -> np.ndarray:
    """A field of a kept episode; a damaged file is deleted."""
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            values: np.ndarray = file[field]
            return values
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        path.unlink()
        raise Mendable(f"{path} was damaged and is deleted: repeat the command") from error
