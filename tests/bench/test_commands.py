"""`goalward bench` as it is typed: what it prints, and its complaints in one line."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ogbench")
pytest.importorskip("orbax.checkpoint")
from goalward import cli
from goalward.bench.offline import train as room
from goalward.bench.offline.evaluate import Arena
from goalward.course.run import doctor

NAME = "pointmaze-medium-navigate-v0"
TINY = [
    *("--seeds=2", "--batch=32", "--width=16", "--log-every=10"),
    *("--eval-every=10", "--eval-episodes=1", "--checkpoint-every=10"),
]
ONLINE = ["online", "contrastive_rl", "--env", "point-maze", "--out", "r"]


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit status and the one line of a command that fails."""
    status = cli.main(["bench", *map(str, arguments)])
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("goalward: ")
    return status, line


@pytest.mark.parametrize("command", [[], ["train"], ["collect"], ["compare"], ["online"], ["show"]])
def test_help_has_an_example_that_parses(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["bench", *command, "--help"])
    assert end.value.code == 0
    example = capsys.readouterr().out.partition("example:\n")[2].strip()
    assert example.startswith(" ".join(["goalward", "bench", *command]))
    assert callable(cli._parser().parse_args(example.split()[1:]).command)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from goalward import cli\n"
        "try: cli.main(['bench', 'train', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'jax', 'ogbench', 'orbax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_collect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--episodes", "3", "--steps", "20"]
    assert cli.main(["bench", "collect", "--env", NAME, *size, "--out", str(tmp_path)]) == 0
    train_file, val_file = capsys.readouterr().out.split()
    assert Path(train_file) == tmp_path / f"{NAME}.npz"
    assert Path(val_file) == tmp_path / f"{NAME}-val.npz"


def test_train_and_go_on(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "Arena", partial(Arena, max_steps=10))
    out = tmp_path / "run"
    command = ["bench", "train", "gcbc", "--env", NAME, "--data", str(data), "--out", str(out)]
    assert cli.main([*command, "--steps", "20", *TINY]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("update 10: success 0.")
    assert lines[2] == "success after 20 updates, mean of 2 seeds (lowest to highest)"
    assert lines[3].startswith("  task 1  0.")
    assert lines[-1].endswith(f"{out / 'config.json'}")
    config = json.loads((out / "config.json").read_text())
    assert config.items() >= {"steps": 20, "seeds": 2, "batch": 32, "width": 16, "keep": 3}.items()

    assert cli.main([*command, "--steps", "30", *TINY]) == 0
    assert "going on from the checkpoint of update 20" in capsys.readouterr().out
    status, line = complaint(capsys, *command[1:], "--steps", "30")
    assert status == 1
    assert "seeds was 2, now 1, batch was 32, now 1024, width was 16, now 512" in line


def test_one_seed_has_no_spread(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Done:
        step, success = 10, np.array([[0.5, 1.0]])

        def __init__(self, *_: object, **__: object) -> None:
            """Whatever is asked for."""

        def go(self, bar: object) -> None:
            """There is nothing left to do."""

    monkeypatch.setattr(room, "Run", Done)
    assert cli.main(["bench", "train", "gcbc", "--env", NAME, "--steps", "10", "--out", "r"]) == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        "success after 10 updates",
        "  task 1  0.500",
        "  task 2  1.000",
        "  all     0.750",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["train", "gcbc", "--steps", "1", "--out", "r"], 2, "--env"),
        (["train", "sac", "--env", NAME, "--steps", "1", "--out", "r"], 2, "did you mean sharsa"),
        (["train", "gcbc", "--env", "maze", "--steps", "1", "--out", "r"], 2, "called 'maze'"),
        (["train", "gcbc", "--env", NAME, "--steps", "0", "--out", "r"], 2, "--steps must be"),
        (["train", "gcbc", "--env", NAME, "--steps", "x", "--out", "r"], 2, "invalid int"),
        (
            ["train", "gcbc", "--env", NAME, "--steps", "1", "--out", "r", "--data", "no.npz"],
            1,
            "there is no file no.npz",
        ),
        (["collect", "--env", "antmaze-giant-stitch-v0", "--out", "r"], 2, "expert"),
        ([*ONLINE, "--steps", "1e3", "--energy", "cos"], 2, "did you mean cosine"),
        ([*ONLINE, "--steps", "1e3", "--loss", "simmetric"], 2, "did you mean symmetric"),
        ([*ONLINE, "--steps", "1.5"], 2, "invalid int value: '1.5'"),
        ([*ONLINE, "--steps", "1e3", "--capacity", "100"], 2, "take at least 15872"),
        ([*ONLINE[:3], "maze", *ONLINE[4:], "--steps", "9"], 2, "did you mean point-maze"),
        ([*ONLINE[:3], "no.py:Body", *ONLINE[4:], "--steps", "9"], 1, "there is no file no.py"),
        (["show", "r"], 1, "holds no run"),
        (["collect", "--env", NAME, "--out", "r", "--episodes", "0"], 2, "at least 1"),
        (["collect", "--env", NAME, "--out", "r", "--seed", str(2**32)], 2, "--seed is at least 0"),
        (
            ["train", "gcbc", "--env", NAME, "--steps", "1", "--out", "r", "--seed", str(2**64)],
            2,
            "at most 4294967295",
        ),
    ],
)
def test_a_wrong_call_is_one_line(
    arguments: list[str],
    status: int,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    got, line = complaint(capsys, *arguments)
    assert got == status
    assert told in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sign", ["[", "]", "\\"])
def test_a_folder_whose_checkpoints_could_not_be_read_is_refused(
    sign: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / f"a{sign}b"
    arguments = ["--env", NAME, "--steps", "1", "--data", str(data), "--out", str(folder / "run")]
    status, line = complaint(capsys, "train", "gcbc", *arguments)
    assert status == 1
    assert f"holds {sign!r}: a checkpoint below such a folder could not be read again" in line
    assert not folder.exists()


def test_a_missing_extra_names_its_mend(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "ogbench" else find(name))
    status, line = complaint(capsys, "collect", "--env", NAME, "--out", "r")
    assert status == 1
    assert "make setup-bench" in line


def test_a_bare_node_measures_what_it_has_the_packages_for(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "ogbench" else find(name))
    monkeypatch.setitem(sys.modules, "ogbench", None)
    path = tmp_path / "list.toml"
    path.write_text('[[part]]\nname = "one"\ncommand = "{python} --version"\nseconds = 30\n')
    assert cli.main(["bench", "record", str(path), "--out", str(tmp_path / "out")]) == 0
    assert "one: done" in capsys.readouterr().out
    official = ("--env", NAME, "--data", data, "--official", tmp_path)
    status, line = complaint(capsys, "parity", "gciql", *official)
    assert status == 1
    assert "make setup-bench" in line
