"""Hostile answers harm nothing, get nothing for their cell, and leave the others their points."""

import os
import socket
import time
from pathlib import Path

import psutil
import pytest

import toy_assignment
from goalward.course.assignments import grading, sandbox, source

LIMITS = sandbox.Limits(call_seconds=1, cell_seconds=1, memory=1 << 30)
LOCKED = [
    pytest.param(
        way,
        marks=pytest.mark.skipif(not sandbox.works(way), reason=f"isolation by {way} not here"),
    )
    for way in (sandbox.BUBBLEWRAP, sandbox.UNSHARE)
]
HOSTILE = {
    **{what: code for _, _, what, code in toy_assignment.planted("hostile")},
    "a syntax error": "def twice(x)\n    return 2 * x",
    "a null byte": "def twice(x):\n    return 2 * x\0",
    "a magic": "%run something\n!rm -rf ~\ndef twice(x):\n    return get_ipython()",
    "the library": "import goalward.tabular as t\ndef twice(x):\n    return t.twice(x)",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_cell_gets_nothing_and_the_others_what_they_earn(what: str) -> None:
    answer = toy_assignment.answer(twice=HOSTILE[what])
    begun = time.monotonic()
    marks = grading.grade(toy_assignment.assignment(), answer.cells, sandbox.strongest(), LIMITS)
    assert time.monotonic() - begun < 40
    assert [m.points for m in marks.marks] == [0, 0, 3, 4, 3, 4], marks
    assert all(mark.comment for mark in marks.marks[:2])


@pytest.mark.parametrize("isolation", LOCKED)
def test_a_worker_sees_no_files_and_no_network(isolation: str, tmp_path: Path) -> None:
    secret = tmp_path / "gradebook.db"
    secret.write_text("marks")
    door = socket.create_server(("127.0.0.1", 0))
    spy = f"""
import os, socket
def spy():
    found = []
    for path in {[str(secret), str(toy_assignment.FILE), __file__, "/etc/passwd", "/etc/shadow"]!r}:
        try: found.append(open(path).read(20))
        except OSError: pass
    for path in ("/usr/evil", "/evil", "/etc/evil", {str(tmp_path / "evil")!r}):
        try: open(path, "w").write("x"); found.append(path)
        except OSError: pass
    try: socket.create_connection({door.getsockname()!r}, timeout=1); found.append("our socket")
    except OSError: pass
    try: socket.create_connection(("10.0.0.1", 80), timeout=1); found.append("a network")
    except OSError as error: found += [str(error)] * (error.errno != 101)  # 101: unreachable
    for folder, inner, files in os.walk("/"):
        inner[:] = [name for name in inner if name not in ("proc", "usr", "site-packages")]
        found += [os.path.join(folder, name) for name in files if name.endswith("_exercises.py")]
        found += [folder] * ("goalward" in inner)
    for name in os.listdir("/proc"):
        if name.isdigit():
            try: command = open(f"/proc/{{name}}/cmdline").read()
            except OSError: continue
            if "pytest" in command: found.append(command)
    try: os.setuid(0); found.append("root")
    except OSError: pass
    open("own", "w").write("mine"); assert open("own").read() == "mine"
    return found
"""
    with door, grading.Student([("spy", spy)], isolation) as student:
        assert student.call("spy", [], {}) == []
    assert secret.read_text() == "marks"
    assert list(tmp_path.iterdir()) == [secret]


@pytest.mark.parametrize("isolation", LOCKED)
def test_a_folder_holds_only_so_much(isolation: str) -> None:
    fill = """
def fill():
    written = 0
    try:
        for i in range(1000):
            with open(f"f{i}", "wb") as file: written += file.write(b"x" * (1 << 20))
    except OSError: pass
    return written
"""
    limits = sandbox.Limits(files=8 << 20)
    with grading.Student([("fill", fill)], isolation, limits) as student:
        assert student.call("fill", [], {}) <= 8 << 20


@pytest.mark.parametrize("isolation", LOCKED)
def test_nothing_is_left_running(isolation: str) -> None:
    before = set(psutil.pids())
    daemon = """
import os, time
def leave():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(1000)
        os._exit(0)
    return 1
"""
    with grading.Student([("leave", daemon)], isolation) as student:
        assert student.call("leave", [], {}) == 1
    time.sleep(0.3)
    left = [psutil.Process(p) for p in set(psutil.pids()) - before if psutil.pid_exists(p)]
    assert [p for p in left if _is_ours(p)] == []


def _is_ours(process: psutil.Process) -> bool:
    try:
        return sandbox.PROGRAM in process.cmdline()
    except psutil.Error:
        return False


@pytest.mark.parametrize("isolation", LOCKED)
def test_a_worker_has_no_rights(isolation: str) -> None:
    code = "import os\ndef status():\n    return open('/proc/self/status').read(), os.getuid()\n"
    with grading.Student([("status", code)], isolation) as student:
        status, user = student.call("status", [], {})
    assert "NoNewPrivs:\t1" in status
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert f"{kind}:\t{0:016x}" in status
    assert os.geteuid() != 0 or user > 100_000


def test_plain_isolation_still_has_limits() -> None:
    answer = toy_assignment.answer(twice=HOSTILE["a memory bomb"])
    marks = grading.grade(toy_assignment.assignment(), answer.cells, sandbox.PLAIN, LIMITS)
    assert [m.points for m in marks.marks] == [0, 0, 3, 4, 3, 4]


def test_where_there_are_no_tools_the_isolation_is_plain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox.works.cache_clear()
    try:
        assert sandbox.strongest() == sandbox.PLAIN
    finally:
        sandbox.works.cache_clear()


def test_the_hostile_did_no_lasting_harm() -> None:
    """The reference still gets all points, and the checker still sees wrong answers."""
    assignment, isolation = toy_assignment.assignment(), sandbox.strongest()
    right = toy_assignment.answer()
    assert grading.grade(assignment, right.cells, isolation).points == source.POINTS
    wrong = toy_assignment.answer(twice="def twice(x):\n    return x")
    assert grading.grade(assignment, wrong.cells, isolation).points == 14
