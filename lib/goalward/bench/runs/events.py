"""Event files: a run's curves as TensorBoard shows them, with `tensorboard --logdir`.

One curve a seed: the losses, and success by task and over all. They repeat what `metrics.jsonl`
says and hold nothing else, so a run that goes on writes them anew: what was logged after its
checkpoint is gone from both.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class Events:
    """Event files that are being written, one folder a seed.

    Args:
        folder: where they go; those of an earlier start are deleted.
        seeds: learners in the run.
        begun: when the run began, in seconds since 1970, its interruptions left out.
    """

    def __init__(self, folder: Path, seeds: int, begun: float) -> None:
        for old in folder.glob("seed*/*tfevents*"):
            old.unlink()
        self.begun, self.files = begun, []
        for seed in range(seeds):
            place = folder / f"seed{seed}"
            place.mkdir(parents=True, exist_ok=True)
            file = RecordWriter((place / f"events.out.tfevents.{time.time():.6f}").open("wb"))
            self.files.append(file)
            self._write(file, Event(file_version="brain.Event:2", wall_time=begun))

    def add(self, entry: dict[str, Any]) -> None:
        """What a line of `metrics.jsonl` says."""
        for seed, file in enumerate(self.files):
            values = [Summary.Value(tag=k, simple_value=v) for k, v in _scalars(entry, seed)]
            self._write(
                file,
                Event(
                    step=entry["step"],
                    wall_time=self.begun + entry["seconds"],
                    summary=Summary(value=values),
                ),
            )

    def close(self) -> None:
        """Close the files."""
        for file in self.files:
            file.close()

    def _write(self, file: RecordWriter, event: Event) -> None:
        file.write(event.SerializeToString())
        file.flush()


def _scalars(entry: dict[str, Any], seed: int) -> Iterator[tuple[str, float]]:
    """The curves' names and a seed's numbers."""
    for name, value in entry.items():
        if name == "success":
            yield "success/mean", float(np.mean(value[seed]))
            for task, rate in enumerate(value[seed], 1):
                yield f"success/task {task}", rate
        elif name in ("success_any", "time_near_goal"):
            yield f"success/{name.replace('_', ' ')}", value[seed]
        elif name.endswith("_per_second") or name == "compile_seconds":
            yield f"speed/{name.replace('_', ' ')}", value
        elif name not in ("step", "seconds"):
            yield f"training/{name}", value[seed]
