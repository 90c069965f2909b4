"""Checkpoints that survive a kill, a full disk and damage: the newest good one is found again.

Orbax writes each checkpoint whole or not at all. It notices little of what happens to the files
later, so a list of their checksums is added, and looked at before anything is read.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import SingleDeviceSharding
from jaxtyping import PyTree

from goalward.bench.data.datasets import fingerprint
from goalward.bench.data.names import Mendable

SUMS = "sums.json"
FULL = "No space left on device"
ROOM = 2.0
"""Free space asked for before a checkpoint is written, in multiples of the state's size."""


class Checkpoints:
    """The checkpoints of a run, one folder a step.

    Args:
        folder: where they lie; damaged ones are moved to `damaged` beside it.
        keep: how many; older ones are deleted.
        say: told a line about each that is damaged.
        unit: what steps count.
    """

    def __init__(
        self, folder: Path, keep: int, say: Callable[[str], Any], unit: str = "update"
    ) -> None:
        self.folder, self.keep, self.say, self.unit = folder, keep, say, unit
        self.manager = self._open()

    def _open(self) -> ocp.CheckpointManager:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=self.keep,
            enable_async_checkpointing=False,
            cleanup_tmp_directories=True,
        )
        return ocp.CheckpointManager(self.folder.absolute(), options=options)

    @property
    def newest(self) -> int | None:
        """The step of the newest checkpoint."""
        return self.manager.latest_step()

    def save(self, step: int, states: PyTree) -> None:
        """Write a checkpoint, then delete what is older than the `keep` newest.

        Raises:
            Mendable: it cannot be written; earlier checkpoints are as they were.
        """
        if step == self.newest:
            return
        size = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(states))
        try:
            free = shutil.disk_usage(self.folder).free
            if free < ROOM * size:
                raise OSError(
                    f"{ROOM * size / 1e6:.1f} MB are needed and {free / 1e6:.1f} MB are free"
                )
            args = ocp.args.Composite(states=ocp.args.StandardSave(states))
            with _quiet():
                self.manager.save(step, args=args)
            folder = self.folder / str(step)
            told = {"shapes": _shapes(states), "files": _sums(folder)}
            (folder / f".{SUMS}").write_text(json.dumps(told))
            os.replace(folder / f".{SUMS}", folder / SUMS)
        # Orbax and its storage report a full disk in many ways.
        except Exception as error:
            reason = str(error).splitlines()[0]
            if FULL in reason:
                reason = FULL
            kept = "there is none before it" if self.newest is None else f"{self.newest} is kept"
            raise Mendable(
                f"the checkpoint of {self.unit} {step} cannot be written to {self.folder} "
                f"({reason}); {kept}: make room and repeat the command"
            ) from error

    def restore(self, example: PyTree) -> tuple[int, PyTree] | None:
        """The newest good checkpoint and its step, or None where there is no checkpoint.

        Args:
            example: states of the same shapes; `jax.eval_shape`'s will do.

        Raises:
            Mendable: the checkpoints are of another learner, or none can be read.
        """
        steps = sorted(self.manager.all_steps(), reverse=True)
        # The first checkpoint of a run that was killed before its list was written.
        just_begun = len(steps) == 1 and not (self.folder / str(steps[0]) / SUMS).exists()
        for step in steps:
            states = self._read(step, example)
            if states is not None:
                return step, states
            self._put_aside(step)
        if steps and not just_begun:
            raise Mendable(
                f"no checkpoint in {self.folder} can be read: begin anew with another --out"
            )
        return None

    def _read(self, step: int, example: PyTree) -> PyTree | None:
        folder = self.folder / str(step)
        try:
            told = json.loads((folder / SUMS).read_text())
            if told["files"] != _sums(folder):
                return None
        except (OSError, ValueError, KeyError):
            return None
        if told["shapes"] != _shapes(example):
            raise Mendable(
                f"the checkpoints in {self.folder} are of other networks than this command's: "
                "another version of the library made them; begin anew with another --out"
            )
        here = SingleDeviceSharding(jax.devices()[0])
        wanted = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), example
        )
        args = ocp.args.Composite(states=ocp.args.StandardRestore(wanted))
        return self.manager.restore(step, args=args)["states"]

    def _put_aside(self, step: int) -> None:
        aside = self.folder.with_name("damaged") / str(step)
        aside.parent.mkdir(exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.move(self.folder / str(step), aside)
        self.manager.close()
        self.manager = self._open()
        older = "" if self.newest is None else f"; that of {self.unit} {self.newest} is tried"
        self.say(
            f"the checkpoint of {self.unit} {step} is incomplete or damaged and was moved to "
            f"{aside}{older}"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the storage's threads from printing the stack of an error that is told in a line."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _shapes(states: PyTree) -> list[str]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(states)
    return [f"{jax.tree_util.keystr(at)} {leaf.dtype}{list(leaf.shape)}" for at, leaf in leaves]


def _sums(folder: Path) -> dict[str, str]:
    """The checksum of each file but the list itself."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name.lstrip(".") != SUMS)
    return {p.relative_to(folder).as_posix(): fingerprint(p) for p in files}
