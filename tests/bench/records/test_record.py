"""Measurements with a time limit: each part leaves its line, whatever becomes of it."""

import json
import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from goalward.bench.data.names import Mendable
from goalward.bench.records.parts import parts
from goalward.bench.records.record import LOG, Part, read, run
from goalward.bench.records.tower import share, tower_flops
from goalward.cli import main


def python(code: str) -> str:
    return "{python} -c " + shlex.quote(code)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict], float]:
    out = tmp_path_factory.mktemp("record")
    child = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(60)']); print(p.pid, flush=True); time.sleep(60)"
    )
    wanted = [
        Part("good", python('import os; print(os.environ["MINE"])'), 30, {"MINE": "{word}"}),
        Part("slow", python(child), 1.5),
        Part("bad", python('raise SystemExit("no data here")'), 30),
        Part("lacking", "{python} {somewhere}", 30),
        Part("absent", "no-such-program-anywhere", 30),
        Part("last", python("print(7)"), 30),
    ]
    begun = time.perf_counter()
    lines = run(wanted, out, {"word": "here"})
    return out, lines, time.perf_counter() - begun


def test_each_part_leaves_its_line_and_the_next_runs(recorded: tuple) -> None:
    out, lines, _ = recorded
    kept = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    assert kept == lines
    told = {line["part"]: line for line in kept}
    assert {name: line["status"] for name, line in told.items()} == {
        "good": "done",
        "slow": "out of time",
        "bad": "failed",
        "lacking": "left out",
        "absent": "failed",
        "last": "done",
    }
    assert told["good"]["output"] == ["here"]
    assert told["last"]["output"] == ["7"]
    assert told["bad"]["reason"] == "no data here"
    assert told["lacking"]["reason"] == "it needs --with somewhere=..."
    for line in kept:
        assert line["device"].startswith("cpu")
        assert "jax" in line["versions"]
        assert "commit" in line


def test_a_part_out_of_time_ends_with_all_that_it_started(recorded: tuple) -> None:
    _, lines, seconds = recorded
    slow = lines[1]
    assert 1.5 <= slow["seconds"] < 10
    assert seconds < 60
    (pid,) = slow["output"]
    for _ in range(50):
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("what the part started goes on")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"has no \[\[part\]\]"),
        ("[[part]", "is no TOML"),
        ('[[part]]\nname = "a"', "needs name, command and seconds"),
        ('[[part]]\nname = "a"\ncommand = "b"\nseconds = 0', "seconds must be above 0"),
        ('[[part]]\nname = "a"\ncommand = "b"\nseconds = 1\n' * 2, "two parts of the same name"),
    ],
)
def test_a_damaged_list_says_how_to_mend_it(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "list.toml"
    path.write_text(text)
    with pytest.raises(Mendable, match=told):
        read(path)


def test_a_list_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text('[[part]]\nname = "a"\ncommand = "b {out}"\nseconds = 2\nvariables = {X = "1"}')
    assert read(path) == [Part("a", "b {out}", 2, {"X": "1"})]
    with pytest.raises(Mendable, match="cannot be read"):
        read(tmp_path / "none.toml")


@pytest.mark.parametrize("tiny", [False, True])
def test_every_command_of_the_default_list_is_understood(
    tiny: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each is parsed by the command line itself, whose work is replaced."""
    names = ("env", "data", "ogbench", "ogbench_python", "jaxgcrl", "jaxgcrl_python", "notebooks")
    known = dict.fromkeys(names, "x") | {"python": sys.executable, "out": str(tmp_path)}
    seen = []
    for module in ("official", "online"):
        for work in ("_compare", "_online"):
            place = f"goalward.bench.{module}.commands.{work}"
            monkeypatch.setattr(place, lambda o: seen.append(o) or 0, raising=False)
    for part in parts(tiny):
        words = shlex.split(part.command.format(**known))
        if words[1:3] == ["-m", "goalward.cli"]:
            assert main(words[3:]) == 0
    assert len(seen) == 5


def test_the_tower_is_counted_and_timed() -> None:
    # Two blocks of two layers: forward 4 products of (8, 16) and (16, 16), twice that backward.
    assert tower_flops(4, 16, 8) == 3 * 4 * (2 * 8 * 16 * 16)
    found = share(4, 16, 8, 16, seconds=0.01)
    assert found["share"] == pytest.approx(
        found["tower_flops_per_second"] / found["product_flops_per_second"]
    )
    assert found["share"] > 0


def test_unknown_parts_and_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "record", "--out", str(tmp_path), "--only", "towr"]) != 0
    assert "tower" in capsys.readouterr().err
    assert main(["bench", "record", "--out", str(tmp_path), "--with", "x"]) != 0
    assert "NAME=VALUE" in capsys.readouterr().err
