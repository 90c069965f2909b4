"""The command line: its help, its answers, its complaints in one line."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import toy
from goalward import cli
from goalward.course import chapter
from goalward.course.run import doctor

COMMANDS = ("run", "restore", "claims", "papers", "book", "doctor")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = toy.repository(tmp_path, welcome=toy.QUICK, notation=toy.QUICK)
    monkeypatch.chdir(root)
    return root


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status and the one line of a command that fails."""
    status = cli.main(arguments)
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("goalward: ")
    return status, line


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    example = capsys.readouterr().out.partition("example:\n")[2].strip()
    assert example.startswith(f"goalward {command}")
    options = cli._parser().parse_args(example.split()[1:])
    assert callable(options.command)


def test_help_starts_at_once() -> None:
    """It imports nothing heavy."""
    code = (
        "import sys; from goalward import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'jax', 'nbformat', 'IPython', 'jupytext'} & set(sys.modules)))"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "module",
    ["papers"]
    + [
        f"run.{name}"
        for name in ["fingerprint", "execute", "record", "restore", "notebook", "doctor"]
    ],
)
def test_running_chapters_does_not_import_jax(module: str) -> None:
    code = f"import sys, goalward.course.{module}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["run", "welcom"], 2, "did you mean welcome"),
        (["run", "ors"], 2, "planned"),
        (["run", "--scale", "huge"], 2, "smoke, laptop, gpu"),
        (["run", "--jobs", "0"], 2, "at least 1"),
        (["run", "--jobs", "many"], 2, "invalid int"),
        (["run", "--timeout", "-1"], 2, "seconds above 0"),
        (["claims", "nothing"], 2, "no chapter is called"),
        (["restore", "nothing"], 2, "no chapter is called"),
        (["restore"], 2, "SLUG"),
        (["fly"], 2, "invalid choice"),
        (["assignments", "fly"], 2, "invalid choice"),
    ],
)
def test_a_wrong_call_is_one_line(
    arguments: list[str],
    status: int,
    told: str,
    root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    got, line = complaint(capsys, *arguments)
    assert got == status
    assert told in line
    assert toy.git(root, "status", "--porcelain") == ""


@pytest.mark.parametrize("group", [[], ["bench"], ["assignments"]])
def test_a_command_without_more_prints_its_help(
    group: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(group) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"usage: {' '.join(['goalward', *group])} [-h] COMMAND")
    assert said.err == ""


def test_a_tilde_is_the_home_folder_after_an_equals_sign_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    parse = cli._parser().parse_args
    assert parse(["book", "--out=~/site"]).out == tmp_path / "site"
    assert parse(["assignments", "check", "~/a.ipynb"]).notebook == tmp_path / "a.ipynb"
    train = ["bench", "train", "gcbc", "--env=e", "--steps=1", "--out=~/r", "--data=~/d.npz"]
    assert parse(train).data == tmp_path / "d.npz"
    assert parse(train).out == tmp_path / "r"
    assert parse(["book", "--out=~nobody-here/site"]).out == Path("~nobody-here/site")


@pytest.mark.parametrize("extra", doctor.EXTRAS)
def test_there_is_a_make_target_for_each_extra(extra: str) -> None:
    assert f"make setup-{extra} " in doctor.mend(extra)
    command = ["make", "--dry-run", "--always-make", f"setup-{extra}"]
    done = subprocess.run(command, cwd=toy.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (installs,) = re.findall(r"Installing goalward\[(.+)\]", done.stdout)
    assert extra in installs.split(",")


def test_what_a_terminal_cannot_write_is_spelled() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "goalward.cli", "papers"],
        capture_output=True,
        cwd=toy.ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2714 td_infonce" in done.stdout


@pytest.mark.parametrize(
    ("command", "module", "mend"),
    [
        (["run", "welcome"], "nbclient", "make setup-lab"),
        (["book"], "jupyter_book", "make setup-book"),
    ],
)
def test_a_missing_extra_names_its_mend(
    command: list[str],
    module: str,
    mend: str,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == module else find(name))
    status, line = complaint(capsys, *command)
    assert status == 1
    assert mend in line
    assert "make setup" in line


def test_papers_as_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["papers", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 50
    assert all({"part", "slug", "title", "year", "status"} <= row.keys() for row in rows)
    assert next(r for r in rows if r["slug"] == "ors")["prerequisites"] == ["hiql", "infom"]
    assert {row["status"] for row in rows} == {"planned"}


def test_papers_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["papers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 58
    assert lines[0] == "1. Predicting the future"


def test_claims_before_any_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims"]) == 0
    assert "no claims are recorded yet" in capsys.readouterr().out
    assert cli.main(["claims", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_claims_of_a_chapter_that_ran_as_a_script(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOALWARD_OUT", str(tmp_path))
    here = chapter.Chapter("welcome", "smoke")
    evidence = {"measured": 1e-9, "paper": "—", "bound_from": "oracle", "kind": "exact"}
    here.claim("small", "It is small.", bound="<= 1e-5", **evidence)
    here.claim("large", "It is large.", bound=">= 1", **evidence)
    here.conclude()
    capsys.readouterr()
    path = tmp_path / "claims.json"
    assert cli.main(["claims", "--file", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path} at smoke scale",
        "✔ small: 1.0e−09 (bound <= 1e-5) holds",
        "✘ large: 1.0e−09 (bound >= 1) does not hold",
        "1 of 2 bounds of ours hold",
    ]
    assert cli.main(["claims", "--json", "--file", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(path.read_text())
    for text in ("[]", "{}", "[1]", '[{"claim": "small"}]'):
        path.write_text(text)
        status, line = complaint(capsys, "claims", "--file", str(path))
        assert (status, "holds no claims of a run" in line) == (1, True)
    path.write_text("[")
    assert (
        "is damaged: run the chapter again" in complaint(capsys, "claims", "--file", str(path))[1]
    )
    assert "No such file" in complaint(capsys, "claims", "--file", str(tmp_path / "no.json"))[1]
    status, line = complaint(capsys, "claims", "welcome", "--file", str(path))
    assert (status, "leave out SLUG or --file" in line) == (2, True)


def test_a_day_with_the_course(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run, look, change, run what is stale, carry prose over, restore: as a reader would."""

    def said(*arguments: str, status: int = 0) -> str:
        assert cli.main(arguments) == status
        return capsys.readouterr().out

    assert "recorded" in said("run", "--jobs", "2")
    toy.commit(root)
    assert "every chapter is as recorded" in said("run", "--stale")

    rows = json.loads(said("claims", "--json"))
    wanted = "slug claim statement paper measured low high bound bound_from kind verdict seeds"
    assert all({*wanted.split(), "scale", "stale"} <= row.keys() for row in rows)
    assert [row["stale"] for row in rows] == [False, False]
    assert "2 of 2 claims of papers reproduced" in said("claims")
    assert "1 of 1 claims of papers reproduced" in said("claims", "welcome")

    source = toy.source(root)
    source.write_text(source.read_text().replace("Two cells", "Three cells"))
    assert "welcome: prose carried over" in said("run", "--prose")
    assert "welcome: unchanged" in said("run", "--prose", "welcome")
    changed = toy.git(root, "status", "--porcelain").split()[1::2]
    assert changed == ["notebooks/0_start/welcome.ipynb", "notebooks/0_start/welcome.py"]

    source.write_text(source.read_text().replace("value = 2", "value = 3"))
    assert cli.main(["run", "--prose", "welcome"]) == 1
    assert "not only its prose" in capsys.readouterr().err
    assert [row["stale"] for row in json.loads(said("claims", "--json"))] == [True, False]
    assert "stale: the code changed since" in said("claims", "welcome")
    table = said("run", "--stale")
    assert "welcome" in table
    assert "notation" not in table

    assert "your copy: notebooks/0_start/welcome.mine.ipynb" in said("restore", "welcome")
    assert source.read_text() == toy.QUICK
    assert "value = 3" in source.with_name("welcome.mine.py").read_text()
    assert toy.git(root, "status", "--porcelain").split() == ["M", "figures/welcome/claims.json"]


def test_what_a_killed_run_left_is_finished_by_the_next_command(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = root / ".goalward" / "welcome-abc"
    (folder / "new" / "figures").mkdir(parents=True)
    (folder / "new" / "figures" / "a.txt").write_text("new")
    (folder / "ready").touch()
    assert cli.main(["claims"]) == 0
    assert "finished what a stopped run of welcome had left" in capsys.readouterr().err
    assert (root / "figures" / "a.txt").read_text() == "new"
    assert not folder.exists()


def test_doctor_says_what_runs_here(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    report = capsys.readouterr().out
    for told in ("processor", "memory", "free disk", "devices", "jax 0.", "chromium"):
        assert told in report
    assert "welcome                  will run; never measured" in report
    assert "GB" in report


def test_doctor_says_what_hinders(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "memory_gb", lambda: 1.0)
    monkeypatch.setattr(doctor, "has_extra", lambda name: False)
    cli.main(["doctor"])
    report = capsys.readouterr().out
    assert "will not run: install first: make setup-lab (" in report
    assert "; needs 2 GB" in report
