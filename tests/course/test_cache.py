"""A broken, full or read-only cache is mended or passed over, and stops no chapter."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from goalward.course import cache

PROGRAM = """
import warnings
warnings.simplefilter("error")
from goalward.course import cache
cache.use()
import jax
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
print(int(jax.jit(lambda x: x * 3 + 1)(2)))
"""


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, cache.VARIABLE: str(folder)}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("noticed", [True, False])
def test_an_entry_that_was_cut_off_is_replaced(noticed: bool, tmp_path: Path) -> None:
    for _ in range(2):  # the second looks at what the first has written
        assert run(tmp_path).stdout == "7\n"
    whole = {p: p.read_bytes() for p in tmp_path.glob(cache.ENTRIES)}
    assert whole
    for path, data in whole.items():
        times = path.stat()
        path.write_bytes(data[:100])
        if not noticed:  # as if it had been looked at before
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns - 10**9))
    done = run(tmp_path)
    assert (done.stdout, done.stderr) == ("7\n", "")
    for path, data in whole.items():
        assert (path.read_bytes() == data[:100]) is not noticed
        assert not noticed or zlib.decompress(path.read_bytes())


@pytest.mark.parametrize("what", ["a file in its place", "a folder nobody may write"])
def test_without_a_folder_to_write_all_goes_on(what: str, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    if what == "a file in its place":
        folder.write_text("")
    else:
        folder = Path("/proc/kept")
    done = run(folder)
    assert (done.stdout, done.stderr) == ("7\n", "")


def test_kernels_get_folders_where_the_home_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.folders(tmp_path / "own") == {}
    monkeypatch.setenv("HOME", "/dev/null")  # nobody makes a folder there
    found = cache.folders(tmp_path / "own")
    assert found.keys() == {"XDG_CACHE_HOME", "MPLCONFIGDIR"}
    for folder in found.values():
        assert Path(folder).is_relative_to(tmp_path / "own")
        assert Path(folder).is_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.setenv("MPLCONFIGDIR", "/proc/mine")
    assert cache.folders(tmp_path / "own") == {}


def test_only_new_entries_are_looked_at(tmp_path: Path) -> None:
    good, bad = tmp_path / "a-cache", tmp_path / "b-cache"
    good.write_bytes(zlib.compress(b"all" * 100))
    bad.write_bytes(zlib.compress(b"all" * 100)[:-3])
    assert cache.drop_broken(tmp_path) == [bad]
    assert cache.drop_broken(tmp_path) == []
    (tmp_path / "c-cache").write_bytes(b"")
    (tmp_path / "d-cache").write_bytes(b"of another kind")
    assert cache.drop_broken(tmp_path) == [tmp_path / "c-cache"]
    assert cache.drop_broken(tmp_path / "nowhere") == []
