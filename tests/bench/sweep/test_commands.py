"""`goalward sweep` as it is typed; what runs on Ray is replaced, but for its outcomes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

pytest.importorskip("ogbench")
pytest.importorskip("orbax.checkpoint")
from goalward import cli
from goalward.bench.offline import presets
from goalward.bench.sweep import cluster, process
from goalward.bench.sweep.plan import Trial
from goalward.bench.sweep.process import FINISHED, LOG, STARTS
from goalward.course.run import doctor

FILE = """
out = "runs"
command = "bench train"
[fixed]
env = "pointmaze-medium-navigate-v0"
steps = 100
[grid]
method = ["gcbc", "hiql", "qrl"]
"""
Outcomes = Callable[..., Iterator[dict[Trial, str]]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.toml").write_text(FILE)
    return "sweep.toml"


@pytest.fixture
def on_ray(monkeypatch: pytest.MonkeyPatch) -> Callable[[Outcomes], None]:
    """Replaces what runs the trials."""
    monkeypatch.setattr(cluster, "connected", lambda _: nullcontext())

    def replace(outcomes: Outcomes) -> None:
        monkeypatch.setattr(cluster, "outcomes", outcomes)

    return replace


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = cli.main(["sweep", *arguments])
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("goalward: ")
    return status, line


def folder(method: str) -> Path:
    return Path("runs") / f"{method},pointmaze-medium-navigate-v0"


def begin(trial: Trial, sweep: str = "", words: str = "") -> None:
    trial.folder.mkdir(parents=True, exist_ok=True)
    with (trial.folder / STARTS).open("a") as file:
        file.write(json.dumps({"sweep": sweep, "node": "n1"}) + "\n")
    (trial.folder / LOG).write_text(f"{words}\n")


def finish(trial: Trial) -> None:
    (trial.folder / "metrics.jsonl").write_text('{"step": 100, "success": 1.0, "seconds": 60}\n')
    (trial.folder / FINISHED).write_text(json.dumps(trial.arguments))


def test_help_has_an_example_that_parses_and_says_what_the_status_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["sweep", "--help"])
    told = capsys.readouterr().out
    example, _, status = told.partition("example:\n")[2].partition("\n\n")
    assert callable(cli._parser().parse_args(example.split()[1:]).command)
    assert "number of trials that failed" in status


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from goalward import cli\n"
        "try: cli.main(['sweep', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'jax', 'ray', 'tomllib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_a_dry_run_starts_nothing_and_says_how_far_all_has_come(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sweep", file, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:4]] == [[str(n), "new", "0%"] for n in (1, 2, 3)]
    assert [line.split()[-1] for line in lines[1:4]] == [
        f"runs/{method},pointmaze-medium-navigate-v0/{LOG}" for method in ("gcbc", "hiql", "qrl")
    ]
    assert lines[4] == "3 trials of 1 core; how long they take is known once one has logged"
    assert [p.name for p in tmp_path.iterdir()] == [file]

    folder("gcbc").mkdir(parents=True)
    line = '{"step": 50, "success": 1.0, "seconds": 60}\n'
    (folder("gcbc") / "metrics.jsonl").write_text(line)
    assert cli.main(["sweep", file, "--dry-run", "--jobs", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:5] == ["1", "begun", "50%", "–", "1.00"]
    assert lines[4] == (
        "3 trials of 1 core; 1 begun; about 5.0 minutes of work left; 2.5 minutes with 2 at a time"
    )


def test_what_is_missing_runs_and_the_status_counts_what_failed(
    file: str, on_ray: Callable[[Outcomes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[list[str]] = []

    def outcomes(
        trials: Sequence[Trial], resources: object, sweep: str, jobs: int | None
    ) -> Iterator[dict[Trial, str]]:
        given.append([trial.arguments[2] for trial in trials])
        assert (str(resources), jobs) == ("1 core", 2)
        yield {}
        for trial in trials:
            begin(trial, sweep, f"goalward: {trial.arguments[2]} is no good")
        yield {}
        begin(trials[0], sweep)
        for trial in trials:
            if trial.arguments[2] == "hiql":
                finish(trial)
        yield {trial: "" if trial.arguments[2] == "hiql" else "exit status 1" for trial in trials}

    on_ray(outcomes)
    command = ["sweep", file, "--jobs", "2"]
    assert cli.main(command) == 2
    said = capsys.readouterr()
    assert f"begun on n1: {folder('qrl') / LOG}\n" in said.out
    assert f"begun again (1) on n1: {folder('gcbc') / LOG}\n" in said.out
    assert f"finished: {folder('hiql') / LOG}\n" in said.out
    assert f"failed (exit status 1): {folder('qrl') / LOG}\n" in said.out
    assert [line.split()[:2] for line in said.out.splitlines()[-4:]] == [
        ["state", "progress"], ["failed", "0%"], ["finished", "100%"], ["failed", "0%"]
    ]  # fmt: skip
    assert said.err.splitlines()[1] == f"goalward: {folder('qrl') / LOG}: qrl is no good"
    assert cli.main(command) == 2
    assert given == [["gcbc", "hiql", "qrl"], ["gcbc", "qrl"]]


def test_nothing_is_left(
    file: str, on_ray: Callable[[Outcomes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def outcomes(trials: Sequence[Trial], *_: object) -> Iterator[dict[Trial, str]]:
        for trial in trials:
            begin(trial)
            finish(trial)
        yield dict.fromkeys(trials, "")

    on_ray(outcomes)
    assert cli.main(["sweep", file]) == 0
    capsys.readouterr()
    on_ray(lambda *_: pytest.fail("started"))
    assert cli.main(["sweep", file]) == 0
    assert "3 trials of 1 core; 3 finished\n" in capsys.readouterr().out


def test_the_status_is_what_a_shell_can_tell(
    file: str, on_ray: Callable[[Outcomes], None], tmp_path: Path
) -> None:
    (tmp_path / file).write_text(FILE + f"seed = {list(range(100))}\n")
    on_ray(lambda trials, *_: iter([dict.fromkeys(trials, "exit status 1")]))
    assert cli.main(["sweep", file]) == 125


def test_two_sweeps_and_ctrl_c(
    file: str, on_ray: Callable[[Outcomes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def outcomes(trials: Sequence[Trial], *_: object) -> Iterator[dict[Trial, str]]:
        yield {}
        for more in ([], ["--trial", "1"]):  # meanwhile, in another terminal
            status, line = complaint(capsys, file, *more)
            assert status == 1
            assert "another sweep is at work in" in line
        raise KeyboardInterrupt

    on_ray(outcomes)
    assert complaint(capsys, file) == (130, "goalward: stopped; the same command goes on")


def test_one_trial_without_ray(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def run_trial(trial: Trial, resources: object, place: str, sweep: str) -> int:
        asked.append((trial.arguments[2], str(resources), place, sweep))
        begin(trial, sweep, "goalward: no")
        return 3

    monkeypatch.setattr(process, "run_trial", run_trial)
    status, line = complaint(capsys, file, "--trial", "2")
    assert (status, line) == (3, f"goalward: {folder('hiql') / LOG}: no")
    assert asked == [("hiql", "1 core", str(Path.cwd()), "")]
    for number in ("0", "4"):
        status, line = complaint(capsys, file, "--trial", number)
        assert status == 2
        assert line.endswith(f"--trial is at least 1 and at most 3, not {number}")

    def lost(*_: object) -> int:
        raise process.Lost("killed by signal 9")

    monkeypatch.setattr(process, "run_trial", lost)
    status, line = complaint(capsys, file, "--trial", "1")
    assert status == 1
    assert line.endswith("killed by signal 9; the same command goes on")


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--trial", "1"]])
def test_a_name_that_is_none_begins_nothing(
    more: list[str],
    file: str,
    tmp_path: Path,
    on_ray: Callable[[Outcomes], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_ray(lambda *_: pytest.fail("started"))
    (tmp_path / file).write_text(FILE.replace("qrl", "qlr"))
    status, line = complaint(capsys, file, *more)
    assert status == 2
    assert f"{file}: no method is called 'qlr': did you mean qrl?" in line
    assert [p.name for p in tmp_path.iterdir()] == [file]


def test_the_gpus_are_left_to_the_trials(file: str, tmp_path: Path) -> None:
    """Whoever starts a sweep knows the names, and yet no device is taken."""
    methods = [*presets.METHODS]
    (tmp_path / file).write_text(FILE.partition("method =")[0] + f"method = {methods}\n")
    acting = FILE.replace("bench train", "bench online").partition("[grid]")[0]
    acting = acting.replace('env = "pointmaze-medium-navigate-v0"', 'physics = "native"')
    grid = '[grid]\nmethod = ["sac_her", "contrastive_rl"]\nenv = ["point-maze", "ant-u-maze"]\n'
    (tmp_path / "online.toml").write_text(acting + grid)
    code = (
        "from goalward import cli\nfrom jax._src import xla_bridge\n"
        f"assert cli.main(['sweep', '{file}', '--dry-run']) == 0\n"
        "assert cli.main(['sweep', 'online.toml', '--dry-run']) == 0\n"
        "print(xla_bridge.backends_are_initialized())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


def test_a_wrong_call_is_one_line(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status, told in (
        (["no.toml"], 2, "no.toml cannot be read"),
        ([file, "--jobs", "0"], 2, "--jobs is at least 1, not 0"),
        ([file, "--address", "nowhere"], 1, "--address is HOST:PORT"),
        ([], 2, "FILE"),
    ):
        got, line = complaint(capsys, *arguments)
        assert got == status
        assert told in line
    assert not list(Path("runs").glob("*/"))


def test_the_extra_is_missing(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "ray" else find(name))
    assert cli.main(["sweep", file, "--dry-run"]) == 0
    capsys.readouterr()
    status, line = complaint(capsys, file)
    assert status == 1
    assert "make setup-cluster" in line
