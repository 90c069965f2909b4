"""Files move into place together or not at all, and records outlive other runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import toy
from goalward.course.errors import Problem
from goalward.course.run import record
from goalward.course.run.fingerprint import fingerprint

FILES = {"a/one.txt": b"new one", "b/two.txt": b"new two", "b/three.txt": b"new three"}
# Stages and places three files, and kills itself before the n-th system call that changes a disk.
KILLED = """
import os, signal, sys
from pathlib import Path
from goalward.course.run import record

root, moment = Path(sys.argv[1]), int(sys.argv[2])
count = 0

def deadly(call):
    def counted(*arguments, **options):
        global count
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return counted

for name in ("fsync", "replace", "mkdir", "unlink", "rmdir"):
    setattr(os, name, deadly(getattr(os, name)))
with record.Stage(root, "welcome") as stage:
    for name in ("a/one.txt", "b/two.txt", "b/three.txt"):
        stage.put(root / name, b"new " + Path(name).stem.encode())
    stage.place()
os.kill(os.getpid(), signal.SIGTERM)
"""


def contents(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in FILES if (root / name).exists()}


def stages(root: Path) -> list[Path]:
    return [p for p in (root / ".goalward").glob("*") if p.is_dir()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "one.txt").write_bytes(b"old one")
    (tmp_path / "b" / "two.txt").write_bytes(b"old two")
    return tmp_path


def test_staged_files_are_placed(root: Path) -> None:
    before = contents(root)
    with record.Stage(root, "welcome") as stage:
        for name, data in FILES.items():
            stage.put(root / name, data)
        assert contents(root) == before
        stage.place()
    assert contents(root) == FILES
    assert stages(root) == []


def test_what_is_not_placed_is_thrown_away(root: Path) -> None:
    before = contents(root)
    with record.Stage(root, "welcome") as stage:
        stage.put(root / "a/one.txt", b"new")
    assert contents(root) == before
    assert stages(root) == []


def test_killed_at_any_moment_all_files_are_old_or_all_new(root: Path) -> None:
    """One run for each moment until a run survives."""
    before = contents(root)
    outcomes = []
    for moment in range(1, 60):
        for name, data in before.items():
            (root / name).write_bytes(data)
        (root / "b" / "three.txt").unlink(missing_ok=True)
        done = subprocess.run([sys.executable, "-c", KILLED, root, str(moment)])
        record.recover(root)
        outcomes.append(contents(root))
        assert outcomes[-1] in (before, FILES), moment
        assert stages(root) == [], moment
        if done.returncode == -signal.SIGTERM:
            break
    assert done.returncode == -signal.SIGTERM
    assert before in outcomes
    # Some kill fell between the renames and was rolled forward.
    assert outcomes.count(FILES) >= 3


def test_a_running_stage_is_left_alone(root: Path) -> None:
    with record.Stage(root, "welcome") as stage:
        stage.put(root / "a/one.txt", b"new one")
        assert record.recover(root) == []
        assert stages(root) == [stage.folder]
        stage.place()
    assert (root / "a/one.txt").read_bytes() == b"new one"


def test_a_file_that_is_the_same_is_not_touched(root: Path) -> None:
    before = os.stat(root / "a/one.txt")
    with record.Stage(root, "welcome") as stage:
        stage.put(root / "a/one.txt", b"old one")
        stage.place()
    after = os.stat(root / "a/one.txt")
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def row(claim: str = "two", **changes: Any) -> dict[str, Any]:
    return {
        "claim": claim,
        "statement": "It is two.",
        "paper": "2",
        "measured": 2.0,
        "low": 2.0,
        "high": 2.0,
        "bound": "in [2, 2]",
        "bound_from": "oracle",
        "kind": "exact",
        "verdict": "reproduced",
        "seeds": None,
        **changes,
    }


def entry(scale: str = "laptop", **changes: Any) -> dict[str, Any]:
    return {
        "scale": scale,
        "device": "a processor",
        "date": "2026-11-01",
        "seconds": 3.0,
        "fingerprint": "f",
        "claims": [row()],
        **changes,
    }


def keep(root: Path, slug: str, new: dict[str, Any]) -> bytes:
    path = record.claims_file(root, slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(record.with_record(root, slug, new))
    return path.read_bytes()


def test_a_record_replaces_that_of_its_own_scale(tmp_path: Path) -> None:
    keep(tmp_path, "welcome", entry())
    keep(tmp_path, "welcome", entry("gpu", device="a GPU"))
    keep(tmp_path, "welcome", entry(fingerprint="g"))
    found = record.records(tmp_path, "welcome")
    assert list(found) == ["laptop", "gpu"]
    assert found["laptop"]["fingerprint"] == "g"
    assert found["gpu"]["device"] == "a GPU"


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"date": "2026-12-24", "seconds": 99.0}, True),
        ({"fingerprint": "g"}, False),
        ({"device": "another"}, False),
        ({"claims": [row(measured=2.1)]}, False),
    ],
)
def test_time_alone_changes_no_record(changes: dict, same: bool, tmp_path: Path) -> None:
    before = keep(tmp_path, "welcome", entry())
    assert (keep(tmp_path, "welcome", entry(**changes)) == before) is same


def test_a_damaged_record_is_one_line_and_can_be_written_anew(tmp_path: Path) -> None:
    path = record.claims_file(tmp_path, "welcome")
    path.parent.mkdir(parents=True)
    path.write_text('{"records": ')
    with pytest.raises(Problem, match=r"goalward run welcome"):
        record.records(tmp_path, "welcome")
    assert json.loads(keep(tmp_path, "welcome", entry()))["records"]["laptop"] == entry()


def test_laptop_rows_go_stale_and_gpu_rows_are_dated(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    source = toy.source(root)
    keep(root, "welcome", entry(fingerprint=fingerprint(source)))
    keep(root, "welcome", entry("gpu", fingerprint="old", commit="abc", device="a GPU"))
    laptop, gpu = record.scoreboard(root, {"welcome": source})
    assert (laptop["stale"], laptop["freshness"]) == (False, "current")
    source.write_text(toy.QUICK.replace("value = 2", "value = 3"))
    laptop, gpu = record.scoreboard(root, {"welcome": source})
    assert (laptop["stale"], laptop["freshness"]) == (True, "stale")
    assert (gpu["stale"], gpu["freshness"], gpu["commit"]) == (False, "dated", "abc")


def test_a_chapter_is_stale_without_a_record_or_a_notebook(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    source = toy.source(root)
    assert record.stale(root) == ["welcome"]
    keep(root, "welcome", entry(fingerprint=fingerprint(source)))
    assert record.stale(root) == ["welcome"]
    source.with_suffix(".ipynb").write_text("{}")
    assert record.stale(root) == []


def test_versions_are_told() -> None:
    assert set(record.versions()) == {"python", *record.PACKAGES}
    assert "missing" not in record.versions().values()


RECORDED = sorted((toy.ROOT / "figures").glob("*/claims.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.parent.name)
def test_the_records_of_the_course_are_current(path: Path) -> None:
    from goalward.course.papers import chapters

    source = chapters(toy.ROOT)[path.parent.name]
    for row in record.scoreboard(toy.ROOT, {source.stem: source}):
        assert not row["stale"], f"goalward run {source.stem}"
