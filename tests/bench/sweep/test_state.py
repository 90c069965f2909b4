"""What a trial's folder says of it, while it is being written too; and how long the rest takes."""

import json
from pathlib import Path

import pytest

from goalward.bench.sweep.plan import Trial
from goalward.bench.sweep.process import FINISHED, LOG, STARTS
from goalward.bench.sweep.state import HEAD, Screen, Watch, estimate, last_words, table


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    made = Trial(tmp_path / "a", ("bench", "train", "gcbc"), ("gcbc", "maze"), 200)
    made.folder.mkdir()
    return made


def write(trial: Trial, *entries: dict, how: str = "a", end: str = "") -> None:
    with (trial.folder / "metrics.jsonl").open(how) as file:
        file.write("".join(json.dumps(entry) + "\n" for entry in entries) + end)


def told(trial: Trial, *entries: dict, name: str) -> None:
    (trial.folder / name).write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_a_trial_that_is_watched(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trial.folder.parent)
    watch = Watch(trial, "mine")
    assert watch.look().row == ("begun", "0%", "–", "–", "0", "–", f"a/{LOG}")
    write(trial, {"step": 50, "updates_per_second": 1234.5, "seconds": 2.0})
    write(trial, {"step": 50, "success": [[0, 1], [1, 1]], "seconds": 3.0}, end='{"step": 1')
    assert watch.look().row[1:4] == ("25%", "1,234 updates/s", "0.75")
    write(trial, end='00, "seconds": 4.0}\n')
    assert watch.look().row[1:4] == ("50%", "1,234 updates/s", "0.75")
    assert (watch.step, watch.seconds) == (100, 4.0)
    starts = [{"sweep": s, "node": n} for s, n in (("old", "x"), ("mine", "y"), ("mine", "z"))]
    told(trial, *starts, name=STARTS)
    assert watch.look().row[4:6] == ("1", "z")
    told(trial, *starts[:2], name=STARTS)
    assert watch.look().row[4:6] == ("0", "y")


def test_what_a_run_that_goes_on_has_dropped_is_forgotten(trial: Trial) -> None:
    """It writes its metrics anew, up to its checkpoint."""
    watch = Watch(trial)
    write(trial, {"step": 50, "seconds": 1}, {"step": 100, "success": 1.0, "seconds": 2})
    assert watch.look().row[1:4] == ("50%", "–", "1.00")
    part = trial.folder / "part"
    part.write_text('{"step": 50, "seconds": 1}\n')
    part.replace(trial.folder / "metrics.jsonl")
    assert watch.look().row[1:4] == ("25%", "–", "–")
    # A new file may by chance be as long as what was read.
    part.write_text('{"step": 60, "seconds": 1}\n')
    part.replace(trial.folder / "metrics.jsonl")
    assert watch.look().step == 60


def test_a_run_that_learns_while_acting(trial: Trial) -> None:
    """Its steps are those asked for, among which resets; speed and success are its own."""
    write(trial, {"step": 100, "env_steps": [90, 91], "env_steps_per_second": 1e4})
    write(trial, {"step": 100, "env_steps": [90, 91], "success_any": [0.5, 1.0], "success": [9]})
    write(trial, {"step": 100, "updates_per_second": 3, "env_steps_per_second": 1e4})
    assert Watch(trial).look().row[1:4] == ("50%", "10,000 steps/s", "0.75")


def test_only_the_command_says_that_it_has_finished(trial: Trial) -> None:
    write(trial, {"step": 200, "success": 1.0})
    assert Watch(trial).look().state == "begun"
    (trial.folder / FINISHED).write_text(json.dumps(["bench", "train", "hiql"]))
    assert Watch(trial).look().state == "begun"
    (trial.folder / FINISHED).write_text(json.dumps(trial.arguments)[:-3])
    assert Watch(trial).look().state == "begun"
    (trial.folder / FINISHED).write_text(json.dumps(trial.arguments))
    assert Watch(trial).look().state == "finished"
    assert Watch(Trial(trial.folder / "no", (), ("", ""), 1)).look().state == "new"


def test_more_steps_than_asked_for_are_all_of_them(trial: Trial) -> None:
    write(trial, {"step": 231})
    assert Watch(trial).look().row[1] == "100%"


def watch(kind: tuple[str, str], state: str, step: int, seconds: float) -> Watch:
    made = Watch(Trial(Path("out/x"), (), kind, 100))
    made.state, made.step, made.seconds = state, step, seconds
    return made


def test_the_rest_takes_as_long_as_the_like_of_it() -> None:
    a, b, c = ("m", "a"), ("m", "b"), ("m", "c")
    assert estimate([watch(a, "new", 0, 0)]) is None
    done = [watch(a, "finished", 100, 50), watch(b, "finished", 100, 500)]
    assert estimate(done) == 0
    # 100 steps at 0.5 s, 40 at 5 s; of its kind nothing is known: 100 at the median of all.
    left = [watch(a, "new", 0, 0), watch(b, "begun", 60, 300), watch(c, "new", 0, 0)]
    assert estimate([*done, *left]) == pytest.approx(50 + 200 + 500)
    assert estimate([watch(a, "begun", 130, 65)]) == 0


def test_one_table(tmp_path: Path) -> None:
    lines = table([watch(("m", "a"), "begun", 50, 1), watch(("m", "b"), "finished", 100, 1)])
    assert lines[0].split() == list(HEAD)
    assert lines[1].split()[:2] == ["begun", "50%"]
    columns = [line.index("out/x") for line in lines[1:]] + [lines[0].index("log")]
    assert len(set(columns)) == 1


def test_why_a_command_failed(tmp_path: Path) -> None:
    log = tmp_path / LOG
    assert last_words(log) == "it said nothing"
    log.write_text("== start\ngoalward: no method is called 'x'\n\n")
    assert last_words(log) == "no method is called 'x'"


def test_a_terminal_shows_what_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    several = [watch(("m", "a"), state, 50, 1) for state in ["waiting"] * 3 + ["running"] * 9]
    Screen().draw(several)
    assert capsys.readouterr().err == ""  # no terminal
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "9")
    screen = Screen()
    screen.live = True
    screen.draw(several)
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == screen.drawn == 7
    assert shown.splitlines()[-1] == "9 running, 3 waiting"
    assert max(map(len, shown.splitlines())) < 40
    screen.draw(several)
    assert capsys.readouterr().err == f"\x1b[7F\x1b[J{shown}"
    screen.clear()
    screen.clear()
    assert capsys.readouterr().err == "\x1b[7F\x1b[J"
