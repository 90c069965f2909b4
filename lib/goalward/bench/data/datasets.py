"""OGBench's data files: find or fetch them, check them, and put them on the device.

A file holds flat arrays over the rows of all episodes: `observations`, `actions`, `terminals`
(true on the last row of each episode, whose action was never taken), the physics' `qpos` and
`qvel`, and `button_states` where there are buttons. Training uses the first three. Observations are
vectors, or images of bytes that stay bytes on the device; actions are vectors, or numbers of
choices.
"""

import hashlib
import http.client
import os
import shutil
import sys
import tempfile
import urllib.request
import zipfile
import zlib
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from goalward.bench.data.names import Mendable, Name
from goalward.bench.data.recipes import EXTRAS
from goalward.data.trajectories import Dataset, from_flat

FIELDS = ("observations", "actions", "terminals")
FOLDER = Path("~/.ogbench/data")
"""Where the benchmark's package keeps what it downloads."""

OTHER_LAYOUTS = ("next_observations", "timeouts")
"""Fields of files in which a row is a transition, so that episodes end elsewhere."""

Arrays = dict[str, np.ndarray]


def read(path: Path) -> Arrays:
    """The arrays of a data file, checked; vectors as float32, choices as int32.

    Raises:
        Mendable: the file is not there, is damaged, or is not what the benchmark's format says.
    """
    if not path.is_file():
        raise Mendable(f"there is no file {path}: name a data file with --data")
    if not zipfile.is_zipfile(path):
        raise Mendable(
            f"{path} is no .npz file, or only a part of one: fetch or collect it anew, or name "
            "another with --data"
        )
    try:
        with path.open("rb") as raw:
            file = np.load(raw, allow_pickle=False)
            others = [name for name in OTHER_LAYOUTS if name in file]
            arrays = {name: file[name] for name in (*FIELDS, *EXTRAS) if name in file}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise Mendable(f"{path} is damaged ({_line(error)}): fetch or collect it anew") from error
    if others:
        raise Mendable(
            f"{path} holds {others[0]}: a row of it is a transition, and its terminals do not mark "
            "the row after an episode's last one; give the file as downloaded or collected"
        )
    return _checked(path, arrays)


def load(
    path: Path,
    observation: tuple[int, ...] | None = None,
    action: int | None = None,
    discrete: bool = False,
) -> Dataset:
    """A data file, checked, on the device.

    Args:
        observation: the shape of what the environment observes, to compare with the file's.
        action: how many numbers its actions have.
        discrete: they are choices instead, among `action`.

    Raises:
        Mendable: as `read`, or the file belongs to another environment.
    """
    arrays = read(path)
    other = "is it another environment's data?"
    found, wanted = arrays["observations"].shape[1:], observation
    if wanted is not None and found != wanted:
        raise Mendable(
            f"{path} has observations of {_times(found)} numbers where the environment's have "
            f"{_times(wanted)}: {other}"
        )
    if action is not None:
        actions = arrays["actions"]
        here = "one choice" if actions.ndim == 1 else f"{actions.shape[1]} numbers"
        there = f"one choice among {action}" if discrete else str(action)
        if discrete != (actions.ndim == 1) or (not discrete and actions.shape[1] != action):
            raise Mendable(
                f"{path} has actions of {here} where the environment's have {there}: {other}"
            )
        if discrete and actions.max() >= action:
            raise Mendable(
                f"{path} has an action {actions.max()} where the environment's are numbered from 0 "
                f"to {action - 1}: {other}"
            )
    # Put there directly: `jnp.asarray` would copy twice, which counts with pictures.
    return from_flat(*(jax.device_put(arrays.pop(field)) for field in FIELDS))


def _checked(path: Path, arrays: Arrays) -> Arrays:
    missing = [field for field in FIELDS if field not in arrays]
    if missing:
        raise Mendable(f"{path} has no {_list(missing)}: a data file has {_list(FIELDS)}")
    images = arrays["observations"].dtype == np.uint8 and arrays["observations"].ndim == 4
    choices = np.issubdtype(arrays["actions"].dtype, np.integer) and arrays["actions"].ndim == 1
    for field, special, instead in (
        ("observations", images, "images, uint8 of shape (rows, height, width, bands)"),
        ("actions", choices, "integers, one a row"),
    ):
        values = arrays[field]
        if special:
            continue
        if values.ndim != 2 or not np.issubdtype(values.dtype, np.floating):
            raise Mendable(
                f"{field} of {path} are {values.dtype} of shape {values.shape}: they must be "
                f"float32, one row a time step, or {instead}"
            )
        arrays[field] = values.astype(np.float32, copy=False)
        bad = ~np.isfinite(arrays[field]).all(axis=1)
        if bad.any():
            raise Mendable(
                f"{field} of {path} are not finite in {bad.sum()} rows, first in row "
                f"{int(bad.argmax())}: drop those episodes"
            )
    if choices:
        if len(arrays["actions"]) and arrays["actions"].min() < 0:
            raise Mendable(f"actions of {path} are choices numbered from 0, but some are negative")
        arrays["actions"] = arrays["actions"].astype(np.int32)
    ends = arrays["terminals"]
    if ends.ndim != 1 or not np.isin(ends, (0, 1)).all():
        raise Mendable(
            f"terminals of {path} are {ends.dtype} of shape {ends.shape}: they must be one True or "
            "False a row"
        )
    rows = {field: len(values) for field, values in arrays.items()}
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{count} of {field}" for field, count in rows.items())
        raise Mendable(f"{path} has {told}: all fields must have the same number of rows")
    ends = arrays["terminals"] = ends.astype(bool)
    if not len(ends) or not ends[-1]:
        raise Mendable(f"{path} stops within an episode: terminals must be True in the last row")
    if ends[0] or (ends[1:] & ends[:-1]).any():
        raise Mendable(
            f"{path} has episodes of a single row: give the file as downloaded or collected, in "
            "which terminals mark only the row after an episode's last transition"
        )
    return arrays


def locate(name: Name, data: Path | None) -> Path:
    """The data file to train on: `data` if given, else the downloaded one, else a download.

    Raises:
        Mendable: it is not there and cannot be downloaded.
    """
    if data is not None:
        return data
    folder = FOLDER.expanduser()
    path = folder / f"{name.text}.npz"
    if not path.exists():
        download(name, folder)
    return path


def download(name: Name, folder: Path) -> None:
    """Fetch a data set and its validation part from where the benchmark's package says.

    Both files are fetched to a folder of their own and checked before they get their final names:
    whatever stops a download, no half file is ever taken for a whole one.

    Raises:
        Mendable: it cannot be fetched, or what came is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{name.text}-", dir=folder))
    try:
        parts = [staging / f"{name.text}{part}.npz" for part in ("", "-val")]
        for path in parts:
            _fetch(path)
            read(path)
        for path in parts:
            os.replace(path, folder / path.name)
    except (OSError, http.client.HTTPException, Mendable) as error:
        reason = "it came incomplete" if isinstance(error, Mendable) else _line(error)
        raise Mendable(
            f"{name.text} could not be downloaded ({reason}): name a local file with --data FILE, "
            f"or make one with `goalward bench collect --env {name.text} --out DIR`"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetch(path: Path) -> None:
    from ogbench.utils import DATASET_URL

    with (
        urllib.request.urlopen(f"{DATASET_URL}/{path.name}", timeout=60) as answer,
        path.open("wb") as file,
        tqdm.wrapattr(
            answer,
            "read",
            total=getattr(answer, "length", None),
            desc=path.name,
            file=sys.stderr,
            disable=None,
        ) as source,
    ):
        shutil.copyfileobj(source, file)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _list(words: tuple[str, ...] | list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
