"""Running chapters: real kernels, and everything that can go wrong in one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest

import toy
from goalward.course.papers import chapters
from goalward.course.run import notebook
from goalward.course.run.execute import Result, Runner


def run(root: Path, scale: str = "laptop", timeout: float = 60, jobs: int = 2) -> list[Result]:
    runner = Runner(root, scale, timeout)
    return runner.run_all(chapters(root), jobs, done=lambda result: None)


def cells(*code: str) -> str:
    return "# %% [markdown]\n# # A toy\n\n" + "\n".join(f"# %%\n{c}\n" for c in code)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose two chapters ran once, committed."""
    root = toy.repository(
        tmp_path_factory.mktemp("recorded"), welcome=toy.QUICK, notation=toy.QUICK
    )
    assert [r.problem for r in run(root)] == ["", ""]
    toy.commit(root)
    return root


def test_a_run_leaves_a_sound_pair_its_picture_and_its_claims(recorded: Path) -> None:
    for slug in ("welcome", "notation"):
        assert notebook.verify(toy.source(recorded, slug)) == []
        folder = recorded / "figures" / slug
        assert (folder / "lead.png").read_bytes() == b"a picture"
        entry = json.loads((folder / "claims.json").read_text())["records"]["laptop"]
        assert entry["claims"][0]["verdict"] == "reproduced"
        assert {"seeds", "versions", "device", "date", "seconds", "fingerprint"} <= entry.keys()
    assert not [p for p in (recorded / ".goalward").iterdir() if p.is_dir()]
    nb = nbformat.read(toy.source(recorded).with_suffix(".ipynb"), as_version=4)
    nbformat.validate(nb)
    assert [c.execution_count for c in nb.cells if c.cell_type == "code"] == [1, 2, 3]
    state = nb.metadata["widgets"][notebook.WIDGETS]["state"]
    assert "LinkModel" in {model["model_name"] for model in state.values()}


def test_running_again_changes_not_a_byte(recorded: Path) -> None:
    before = toy.tree(recorded)
    results = run(recorded, jobs=1)
    assert [(r.problem, r.changed) for r in results] == [("", False)] * 2
    assert toy.tree(recorded) == before
    assert toy.git(recorded, "status", "--porcelain") == ""


def test_smoke_records_nothing_and_gpu_only_its_record(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    before = toy.tree(root)
    (result,) = run(root, "smoke")
    assert (result.problem, result.good) == ("", 1)
    assert result.claims[0]["scale"] == "smoke"
    assert toy.tree(root) == before
    (result,) = run(root, "gpu")
    assert result.problem == ""
    assert toy.tree(root).keys() - before.keys() == {"figures/welcome/claims.json"}
    entries = json.loads((root / "figures/welcome/claims.json").read_text())["records"]
    assert list(entries) == ["gpu"]
    assert entries["gpu"]["commit"] == toy.git(root, "rev-parse", "--short=12", "HEAD").strip()


FAULTS = {
    "an error": (
        cells("x = 1", "# Why.\nx / 0", "y = 2"),
        "cell [2] `# Why.`: ZeroDivisionError: division by zero",
    ),
    "a long cell": (
        cells("x = 1", "import time\ntime.sleep(60)"),
        "cell [2] `import time` took longer than 4 s (--timeout allows more)",
    ),
    "a dead kernel": (
        cells("import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"),
        "cell [2] `os.kill(os.getpid(), signal.SIGKILL)`: the kernel died; "
        "was there memory enough?",
    ),
    "a warning": (
        cells("import sys", "print('careful', file=sys.stderr)"),
        "cell [2] `print('careful', file=sys.stderr)` wrote to standard error: careful",
    ),
    "a syntax error": (cells("x = = 1"), "cell [1] `x = = 1`: SyntaxError: invalid syntax"),
}


@pytest.mark.parametrize(
    ("names", "timeout"),
    [(("an error", "a dead kernel", "a warning"), 120), (("a long cell", "a syntax error"), 4)],
)
def test_a_failing_chapter_says_where_and_leaves_the_old_pair(
    names: tuple[str, ...], timeout: float, tmp_path: Path
) -> None:
    slugs = dict(zip(("welcome", "notation", "refresher"), names, strict=False))
    root = toy.repository(tmp_path, **{slug: FAULTS[name][0] for slug, name in slugs.items()})
    for slug in slugs:
        toy.source(root, slug).with_suffix(".ipynb").write_text("the old pair")
    before = toy.tree(root)
    for result in run(root, timeout=timeout):
        # IPython adds where a syntax error stands in a file that nobody sees.
        assert re.sub(r" \(\d+.*", "", result.problem) == FAULTS[slugs[result.slug]][1]
    assert toy.tree(root) == before
    assert not [p for p in (root / ".goalward").iterdir() if p.is_dir()]


def test_one_broken_chapter_does_not_stop_the_others(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.BROKEN, notation=toy.QUICK)
    welcome, notation = run(root)
    assert "ZeroDivisionError" in welcome.problem
    assert notation.problem == ""
    assert notebook.verify(toy.source(root, "notation")) == []
    assert not toy.source(root).with_suffix(".ipynb").exists()


def test_a_source_that_changes_meanwhile_is_not_recorded(tmp_path: Path) -> None:
    change = "from pathlib import Path\nPath('welcome.py').write_text('# %%\\nx = 2\\n')"
    root = toy.repository(tmp_path, welcome=cells("x = 1", change))
    (result,) = run(root)
    assert "changed while it ran" in result.problem
    assert not toy.source(root).with_suffix(".ipynb").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except OSError:
        pytest.skip("a full disk needs mount")
    if done.returncode:
        pytest.skip("a full disk needs the right to mount one")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_one_line_and_leaves_everything(small_disk: Path) -> None:
    big = cells("import random\nprint(random.Random(0).randbytes(1_000_000).hex())")
    root = toy.repository(small_disk / "repository", welcome=big)
    toy.source(root).with_suffix(".ipynb").write_text("the old pair")
    before = toy.tree(root)
    status, _, errors = toy.goalward(root, "run")
    assert status == 1
    (line,) = errors.strip().splitlines()
    assert line.startswith("goalward: welcome: No space left on device")
    assert toy.tree(root) == before
    assert not [p for p in (root / ".goalward").iterdir() if p.is_dir()]
    # Not a byte left: not even a stage can be made.
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filling").write_bytes(b"0" * 2_000_000)
    status, _, errors = toy.goalward(root, "run")
    assert status == 1
    assert len(errors.strip().splitlines()) == 1
    assert "No space left on device" in errors
    assert {k: v for k, v in toy.tree(root).items()} == before


def kernels_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_run_leaves_no_kernel_and_no_half_pair(
    end: signal.Signals, tmp_path: Path
) -> None:
    """Killed at start-up, in the middle of a cell; then the next command clears up."""
    slow = cells(
        "from pathlib import Path", "Path('../../running').touch()\nimport time\ntime.sleep(60)"
    )
    root = toy.repository(tmp_path, welcome=slow)
    toy.source(root).with_suffix(".ipynb").write_text("the old pair")
    before = toy.tree(root)
    process = toy.start(root, "run")
    deadline = time.monotonic() + 60
    while not (root / "running").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    kernels = kernels_of(process)
    assert kernels
    process.send_signal(end)
    _, errors = process.communicate(timeout=30)
    if end == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert errors.strip().splitlines() == [
            "goalward: stopped; nothing was changed that was not finished"
        ]
    assert psutil.wait_procs(kernels, timeout=10)[1] == []
    (root / "running").unlink()
    assert toy.tree(root) == before
    assert toy.goalward(root, "claims")[0] == 0
    assert not [p for p in (root / ".goalward").iterdir() if p.is_dir()]
    assert toy.git(root, "status", "--porcelain", "--untracked-files=no") == ""


def test_a_chapter_run_by_hand_writes_nothing(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    before = toy.tree(root)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GOALWARD")}
    subprocess.run(
        [sys.executable, toy.source(root)],
        cwd=root,
        env=environment,
        check=True,
        capture_output=True,
    )
    assert toy.tree(root) == before


REAL = """\
# %% [markdown]
# # A real toy

# %%
import matplotlib.pyplot as plt
import numpy as np

from goalward.course import chapter

here = chapter.begin("welcome")
size = here.sizes(seeds=(5, 5, 10))

# %%
fig, ax = plt.subplots()
ax.plot([0, 1], [0, 1])
here.show(fig, alt="A rising line.", caption="It rises.", lead=True)


# %%
def frame(k):
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, k])
    return fig


here.explore({"k": [1, 2, 3]}, frame, alt=lambda k: f"A line up to {k}.")

# %%
bar = here.progress("Nothing")
here.claim(
    "one", "One.", paper="1", measured=1.0, bound="in [1, 1]", bound_from="oracle", kind="exact"
)
here.conclude()
"""


def test_the_course_api_leaves_its_claims_and_picture_reproducibly(tmp_path: Path) -> None:
    """The real calls of a chapter, twice in fresh kernels: the same bytes."""
    one = toy.repository(tmp_path / "one", welcome=REAL)
    two = toy.repository(tmp_path / "two", welcome=REAL)
    for root in (one, two):
        (result,) = run(root)
        assert result.problem == ""
        assert (result.good, len(result.claims)) == (1, 1)
    assert notebook.verify(toy.source(one)) == []
    trees = [toy.tree(root) for root in (one, two)]
    records = [json.loads(tree.pop("figures/welcome/claims.json")) for tree in trees]
    for entry in records:
        assert entry["records"]["laptop"].pop("seconds") > 0
    assert records[0] == records[1]
    assert trees[0] == trees[1]
    assert trees[0]["figures/welcome/lead.png"].startswith(b"\x89PNG")
