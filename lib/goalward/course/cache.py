"""Compiled code, kept between runs: a chapter's second run starts fast.

A cache is a convenience: one that is broken, full or not writable is mended or passed over, and
never counts as a fault of the chapter that happens to run.
"""

import os
import tempfile
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

VARIABLE = "JAX_COMPILATION_CACHE_DIR"
CHECKED = ".checked"
"""A file whose time says until when entries were looked at."""
ENTRIES = "*-cache"
# JAX warns of its own files, and compiles: nothing is lost but time.
NOTICE = "Error (reading|writing) persistent compilation cache entry"


def use() -> None:
    """Keep what JAX compiles in the user's cache, or where its own variable says."""
    import jax  # `goalward run` needs `folders` alone

    warnings.filterwarnings("ignore", message=NOTICE)
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else _users("XDG_CACHE_HOME", ".cache") / "goalward" / "jax"
    if named and "://" in named:
        return  # not on this machine
    writable = _is_writable(folder)
    jax.config.update("jax_enable_compilation_cache", writable)
    if not writable:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    drop_broken(folder)


def folders(instead: Path) -> dict[str, str]:
    """What libraries keep goes into folders of our own where the home's cannot be written.

    Args:
        instead: where those folders are made.

    Returns:
        Variables for the environment of a kernel; none where all is well.
    """
    kept = _users("XDG_CACHE_HOME", ".cache")
    changed = {} if _may_write(kept / "goalward") else {"XDG_CACHE_HOME": str(instead / "cache")}
    matplotlibs = (kept / "matplotlib", _users("XDG_CONFIG_HOME", ".config") / "matplotlib")
    if "MPLCONFIGDIR" not in os.environ and not all(map(_may_write, matplotlibs)):
        changed["MPLCONFIGDIR"] = str(instead / "matplotlib")
    for folder in changed.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    return changed


def _users(variable: str, name: str) -> Path:
    """A folder of the user's, by its variable or in the home folder."""
    return Path(os.environ.get(variable) or Path(os.path.expanduser("~")) / name)


def _may_write(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def drop_broken(folder: Path) -> list[Path]:
    """Throw away entries that a kill or a full disk has cut off; JAX would keep them for good.

    Only what was written since the last look is looked at.

    Returns:
        The entries that were thrown away.
    """
    stamp = folder / CHECKED
    dropped = []
    with suppress(OSError):  # another process may be at work here
        since = stamp.stat().st_mtime_ns if stamp.exists() else 0
        entries = [(path, path.stat().st_mtime_ns) for path in folder.glob(ENTRIES)]
        for path, written in entries:
            if written >= since and not _is_whole(path.read_bytes()):
                path.unlink(missing_ok=True)
                dropped.append(path)
        if entries:
            stamp.touch()
            newest = max(written for _, written in entries)
            os.utime(stamp, ns=(newest, newest))
    return dropped


def _is_whole(entry: bytes) -> bool:
    """Whether a compressed entry goes on to its end; one of a kind unknown here is left alone."""
    if entry[:1] == b"\x78":
        try:
            decompressor = zlib.decompressobj()
            decompressor.decompress(entry)
        except zlib.error:
            return False
        return decompressor.eof
    if entry[:4] == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard
        except ImportError:
            return True
        try:
            zstandard.ZstdDecompressor().decompress(entry)
        except zstandard.ZstdError:
            return False
        return True
    return bool(entry)


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
