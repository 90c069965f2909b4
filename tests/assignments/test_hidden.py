"""Hidden cases follow from the teacher's secret and the exercise, and from nothing else."""

from pathlib import Path

import pytest

from goalward.course.assignments import hidden


def drawn(exercise: str) -> float:
    return float(hidden.rng(exercise).random())


def test_cases_follow_from_secret_and_exercise(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    for secret in ("spring", "autumn"):
        monkeypatch.setenv(hidden.VARIABLE, secret)
        for exercise in ("twice", "total"):
            assert drawn(exercise) == drawn(exercise)
            seen.add(drawn(exercise))
    assert len(seen) == 4


def test_the_nearest_secret_is_taken_and_the_environments_before_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(hidden.VARIABLE, raising=False)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for folder, secret in ((tmp_path, "far"), (tmp_path / "a", "near")):
        (folder / hidden.FILE).write_text(secret + "\n")
    assert hidden.secret(inner) == "near"
    monkeypatch.setenv(hidden.VARIABLE, "own")
    assert hidden.secret(inner) == "own"
