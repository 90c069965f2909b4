"""Give a played-with chapter back as it was committed, keeping the reader's copy beside it."""

import os
import shutil
import subprocess
from pathlib import Path

from goalward.course.errors import Problem
from goalward.course.papers import pair_of


def restore(root: Path, source: Path) -> list[str]:
    """Restore both files of a chapter's pair from the last commit.

    Returns:
        What was done, a line each.

    Raises:
        Problem: if there is no git, or the chapter was never committed.
    """
    slug = source.stem
    files = [source, pair_of(source)]
    committed = {f: _committed(root, f) for f in files}
    if committed[source] is None:
        raise Problem(f"{slug} was never committed: there is nothing to restore it from")
    changed = [f for f, old in committed.items() if old is not None and _contents(f) != old]
    added = [f for f, old in committed.items() if old is None and f.exists()]
    if not changed and not added:
        return [f"{slug} is as it was committed: nothing to restore"]
    lines = []
    mine = _free_name(source)
    for file in changed + added:
        if file.exists():
            copy = mine.with_suffix(file.suffix)
            shutil.copyfile(file, copy)
            lines.append(f"your copy: {copy.relative_to(root)}")
    for file in changed:
        old = committed[file]
        assert old is not None
        _write(file, old)
        lines.append(f"restored:  {file.relative_to(root)}")
    for file in added:
        file.unlink()
    if any((root / "figures" / slug).glob("*")) and _git(
        root, "status", "--porcelain", "--", f"figures/{slug}"
    ):
        lines.append(
            f"figures/{slug} differs too: `git restore figures/{slug}` gives back what it recorded"
        )
    return lines


def _free_name(source: Path) -> Path:
    """`slug.mine.ipynb`, or the first numbered one that is free."""
    number = 1
    while True:
        suffix = "" if number == 1 else f".{number}"
        name = source.with_name(f"{source.stem}.mine{suffix}.ipynb")
        if not name.exists() and not name.with_suffix(".py").exists():
            return name
        number += 1


def _contents(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _write(file: Path, data: bytes) -> None:
    new = file.with_name(f".{file.name}.new")
    try:
        with new.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(new, file)
    finally:
        new.unlink(missing_ok=True)


def _committed(root: Path, file: Path) -> bytes | None:
    name = file.relative_to(root).as_posix()
    if not _git(root, "ls-tree", "--name-only", "HEAD", "--", name):
        return None
    return _git(root, "show", f"HEAD:./{name}")


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True)
    except OSError as error:
        raise Problem("restore needs git, which is not installed here") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise Problem(f"restore needs a clone made with git: {said[0]}")
    return done.stdout
