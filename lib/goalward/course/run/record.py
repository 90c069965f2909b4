"""What `goalward run` leaves behind: files moved into place together, and the record of claims.

A run writes all its files below `.goalward/` first, marks them ready, and only then moves them to
where they belong. Killed before the mark, nothing has happened; killed after it, the next command
finishes the moves. Either way no chapter is ever half-written.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from tempfile import mkdtemp
from types import TracebackType
from typing import Any

from goalward.course.errors import Problem
from goalward.course.papers import chapters, pair_of
from goalward.course.run.fingerprint import fingerprint

STAGING = ".goalward"
PACKAGES = ("jax", "jaxlib", "flax", "numpy", "optax", "matplotlib", "mujoco")
# What a run may need on the disk, in bytes.
ROOM = 1_000_000
NEEDED = {"claim", "measured", "low", "high", "bound", "kind", "verdict", "scale"}
"""What a claim says of itself."""
# What may change from one run to the next of an unchanged chapter.
_PASSING = ("date", "seconds")


class Stage:
    """A folder for the files of one run, until `place` moves them into the repository.

    Use as a context: what was not placed at its end is thrown away. The folder is locked as long
    as the process lives, so that another command can tell a running stage from an abandoned one.

    Args:
        root: the repository.
        name: whose files these are, for messages.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name

    def __enter__(self) -> "Stage":
        with _exclusively(self.root):
            self.folder = Path(mkdtemp(prefix=f"{self.name}-", dir=self.root / STAGING))
            self._lock = (self.folder / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.out = self.folder / "out"
        self.out.mkdir()
        try:
            # Better to learn of a full disk now than after a minute's computing.
            (self.folder / "room").write_bytes(bytes(ROOM))
            (self.folder / "room").unlink()
        except OSError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not (self.folder / "ready").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def put(self, target: Path, data: bytes) -> None:
        """Stage the new contents of a file in the repository, on the disk for good."""
        if target.is_file() and target.read_bytes() == data:
            return
        path = self.folder / "new" / target.relative_to(self.root)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def place(self) -> None:
        """Move all staged files to where they belong."""
        with _exclusively(self.root):
            for folder in (self.folder / "new").rglob("*/"):
                _sync(folder)
            (self.folder / "ready").touch()
            _sync(self.folder)
            _move(self.root, self.folder)


def recover(root: Path) -> list[str]:
    """Finish the moves of a run that was killed, throw away what a killed run left unfinished.

    Returns:
        The names of the chapters whose files were put in place.
    """
    if not (root / STAGING).is_dir():
        return []
    finished = []
    with _exclusively(root):
        for folder in sorted(p for p in (root / STAGING).iterdir() if p.is_dir()):
            with (folder / "lock").open("a") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its run is alive
                if (folder / "ready").exists():
                    _move(root, folder)
                    finished.append(folder.name.rpartition("-")[0])
                else:
                    shutil.rmtree(folder, ignore_errors=True)
    return finished


def _move(root: Path, folder: Path) -> None:
    new = folder / "new"
    for path in sorted(p for p in new.rglob("*") if p.is_file()):
        target = root / path.relative_to(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
        _sync(target.parent)
    shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _exclusively(root: Path) -> Iterator[None]:
    """Only one command at a time makes, moves or clears stages."""
    staging = root / STAGING
    staging.mkdir(exist_ok=True)
    with (staging / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def claims_file(root: Path, slug: str) -> Path:
    """Where a chapter's records lie."""
    return root / "figures" / slug / "claims.json"


def records(root: Path, slug: str) -> dict[str, dict[str, Any]]:
    """A chapter's records by scale; none if it never ran.

    Raises:
        Problem: if the file cannot be read.
    """
    path = claims_file(root, slug)
    if not path.is_file():
        return {}
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["records"]
    except (ValueError, KeyError, TypeError) as error:
        name = path.relative_to(root)
        raise Problem(f"{name} is damaged: `goalward run {slug}` writes it anew") from error
    return found


def read_claims(path: Path) -> list[dict[str, Any]]:
    """The claims that a chapter left which was run as a script.

    Raises:
        Problem: the file cannot be read or holds no claims.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise Problem(f"{path} is damaged: run the chapter again") from error
    good = isinstance(rows, list) and all(isinstance(r, dict) and {*r} >= NEEDED for r in rows)
    if not (good and rows):
        raise Problem(
            f"{path} holds no claims of a run: name the claims.json in the folder that "
            "GOALWARD_OUT named (those on record are shown without --file)"
        )
    return rows


def with_record(root: Path, slug: str, record: dict[str, Any]) -> bytes:
    """The contents of a chapter's claims file with a new record.

    The record replaces the one of its own scale only. Where it differs from that in nothing but
    date and seconds, the old one stays.
    """
    try:
        known = records(root, slug)
    except Problem:
        known = {}
    old = known.get(record["scale"], {})
    if _lasting(old) != _lasting(json.loads(json.dumps(record))):
        known[record["scale"]] = record
    ordered = {scale: known[scale] for scale in ("laptop", "gpu") if scale in known}
    text = json.dumps({"slug": slug, "records": ordered}, indent=1, ensure_ascii=False)
    return (text + "\n").encode()


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in record.items() if k not in _PASSING}


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    found = {"python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def scoreboard(root: Path, slugs: dict[str, Path]) -> list[dict[str, Any]]:
    """Every recorded claim of some chapters, as `goalward claims --json` prints it.

    A row's `freshness` is `current`, `stale` (the code changed since; `stale` is true) or `dated`
    (a GPU run: it carries date, commit and device instead).
    """
    rows = []
    for slug, source in slugs.items():
        known = records(root, slug)
        now = fingerprint(source) if "laptop" in known else ""
        for scale, record in known.items():
            stale = scale == "laptop" and record["fingerprint"] != now
            freshness = "dated" if scale == "gpu" else "stale" if stale else "current"
            for claim in record["claims"]:
                rows.append(
                    {
                        "slug": slug,
                        **claim,
                        "scale": scale,
                        "stale": stale,
                        "freshness": freshness,
                        "date": record["date"],
                        "device": record["device"],
                        "commit": record.get("commit"),
                    }
                )
    return rows


def stale(root: Path) -> list[str]:
    """The chapters whose code is not the recorded one, or that have no record or notebook."""
    found = []
    for slug, source in chapters(root).items():
        record = records(root, slug).get("laptop")
        current = record is not None and record["fingerprint"] == fingerprint(source)
        if not current or not pair_of(source).is_file():
            found.append(slug)
    return found
