"""Writing files whole or not at all, and reading what a stranger has left."""

import os
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile

from goalward.course.errors import Problem

LARGEST = 10 << 20


def replace(file: Path, text: str, mode: int = 0o644) -> None:
    """Put a text in a file's place, so that nobody ever finds half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as new:
        try:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
            os.chmod(new.name, mode)
            os.replace(new.name, file)
        except BaseException:
            os.unlink(new.name)
            raise


def read_untrusted(file: Path) -> bytes:
    """The contents of a file that a student has handed in.

    Raises:
        Problem: if it is a link, no ordinary file, or very large.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Problem(f"the notebook cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Problem("the notebook is not an ordinary file")
        if status.st_size > LARGEST:
            size = status.st_size / 2**20
            raise Problem(f"the notebook has {size:.0f} MB; at most {LARGEST >> 20} are read")
        return os.read(descriptor, LARGEST)
    finally:
        os.close(descriptor)
