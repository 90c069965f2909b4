"""Writing files whole or not at all, and reading what a stranger has left."""

import os
import re
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile

from goalward.course.errors import Problem

LARGEST = 64 << 20
"""Bytes of a file that are read: outputs count here, and are thrown away then."""
_HALVES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def writable(text: str) -> str:
    """A text that UTF-8 can write: a replacement character stands for each half surrogate pair.

    JSON may hold such halves, and so may Python's strings.
    """
    return _HALVES.sub("\ufffd", text)


def one_line(text: str) -> str:
    """A text that can be shown in one line of a terminal, without what would steer it."""
    return _CONTROLS.sub(" ", writable(text)).strip()


def readable_name(path: Path) -> str:
    """The name of a file or folder as text; bytes that are no UTF-8 or no letters are spelled."""
    text = os.fsencode(path.name).decode("utf-8", errors="backslashreplace")
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def replace(file: Path, text: str, mode: int = 0o644) -> None:
    """Put a text in a file's place, so that nobody ever finds half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as new:
        try:
            new.write(writable(text))
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
            raise Problem(
                f"the notebook has {size:.0f} MB; at most {LARGEST >> 20} are read: clear its "
                "outputs and save it"
            )
        with open(descriptor, "rb", closefd=False) as opened:
            return opened.read(LARGEST)
    finally:
        os.close(descriptor)
