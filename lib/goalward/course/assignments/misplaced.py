"""What was handed in and does not lie where it is looked for: named, so that nobody is left out.

Learning platforms rename files, put a name in front, or nest folders.
"""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from goalward.course.assignments.files import readable_name
from goalward.course.assignments.source import SUFFIX

NOTEBOOK = ".ipynb"
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
DEPTH = 6
"""How many folders deep notebooks are looked for."""


def misplaced(submissions: Path, chosen: Collection[str], known: Collection[str]) -> list[str]:
    """A line for each notebook and each student that grading passes over, and what mends it.

    Args:
        submissions: the folder that should hold `STUDENT/SLUG/SLUG_exercises.ipynb`.
        chosen: the assignments that are graded now.
        known: all assignments; a notebook of another one in its place is passed over silently.
    """
    known = {*chosen, *known}
    lines, heard = [], set()
    for path in _files(submissions):
        inner = path.relative_to(submissions)
        student = inner.parts[0] if len(inner.parts) > 1 else ""
        if inner.parts[1:] in [(slug, f"{slug}{SUFFIX}{NOTEBOOK}") for slug in known]:
            heard.add(student)
            continue
        said = _named(submissions, path, chosen, known)
        if said:
            lines.append(said)
            heard.add(student)
    for folder in sorted(p for p in submissions.iterdir() if p.is_dir()):
        if not _hidden(folder.name) and folder.name not in heard:
            wanted = next(iter(chosen)) if len(chosen) == 1 else "SLUG"
            name = readable_name(folder)
            lines.append(f"{name} has no notebook: {_place(name, wanted)} is looked for")
    return lines


def _named(submissions: Path, path: Path, chosen: Collection[str], known: Collection[str]) -> str:
    """What to say of a file that is not in its place; nothing if it belongs to another time."""
    inner = path.relative_to(submissions)
    shown = "/".join(readable_name(Path(part)) for part in inner.parts)
    if path.suffix.lower() != NOTEBOOK:
        return f"{shown} is not graded: unpack it"
    slug = _slug(inner, chosen, known)
    if slug is not None and slug not in chosen:
        return ""
    student = readable_name(Path(inner.parts[0] if len(inner.parts) > 1 else path.stem))
    target = _place(student, slug or "SLUG")
    if slug and os.path.lexists(
        submissions / (inner.parts[0]) / slug / f"{slug}{SUFFIX}{NOTEBOOK}"
    ):
        return f"{shown} is not graded: {target} is there and is taken"
    return f"{shown} is not graded: rename it to {target}"


def _slug(inner: Path, chosen: Collection[str], known: Collection[str]) -> str | None:
    """The assignment that a path speaks of, else the only one that is graded."""
    path = _plain("/".join(inner.parts))
    found = [slug for slug in known if _plain(slug) in path]
    if found:
        return max(found, key=len)
    return next(iter(chosen)) if len(chosen) == 1 else None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _place(student: str, slug: str) -> str:
    return f"{student}/{slug}/{slug}{SUFFIX}{NOTEBOOK}"


def _files(submissions: Path) -> Iterator[Path]:
    """Notebooks, by their names in any spelling, and archives, in the order of their paths."""
    for folder, inner, names in os.walk(submissions):
        here = Path(folder)
        depth = len(here.relative_to(submissions).parts)
        inner[:] = sorted(n for n in inner if not _hidden(n)) if depth < DEPTH else []
        # A folder, or a link, may be called like a notebook too.
        for name in sorted([*names, *inner]):
            suffix = Path(name).suffix.lower()
            if not _hidden(name) and (suffix == NOTEBOOK or (suffix in ARCHIVES and name in names)):
                yield here / name


def _hidden(name: str) -> bool:
    """What systems and editors leave behind: `.DS_Store`, `._name`, `.ipynb_checkpoints`."""
    return name.startswith(".") or name == "__MACOSX"
