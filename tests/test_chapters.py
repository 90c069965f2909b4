"""Every chapter at smoke scale, and one at laptop scale held against its record."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from goalward.course import papers
from goalward.course.claims import GOOD
from goalward.course.run import record

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted(papers.chapters(ROOT).values())


def laptop_rows(chapter: Path) -> list[dict]:
    """What the chapter's recorded run at laptop scale claimed."""
    return record.records(ROOT, chapter.stem).get("laptop", {"claims": []})["claims"]


def run(chapter: Path, scale: str, out: Path, timeout: float) -> list[dict]:
    """Run a chapter as a plain script; return its rows of claims."""
    environment = {**os.environ, "GOALWARD_SCALE": scale, "GOALWARD_OUT": str(out)}
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", chapter],
        env=environment,
        cwd=out,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    claims = out / "claims.json"
    return json.loads(claims.read_text(encoding="utf-8")) if claims.exists() else []


@pytest.mark.chapter
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_runs_and_its_exact_claims_hold(chapter: Path, tmp_path: Path) -> None:
    rows = run(chapter, "smoke", tmp_path, timeout=120)
    recorded = {row["claim"]: row["verdict"] for row in laptop_rows(chapter)}
    for row in rows:
        if row["kind"] == "exact" and row["verdict"] not in GOOD:
            assert row["verdict"] == recorded.get(row["claim"]), row
    if chapter.parent.name[0] != "0":
        assert len(rows) >= 3
        assert any(r["kind"] == "exact" for r in rows)


def todays_chapter() -> Path:
    """One recorded chapter, in rotation by the day of the newest commit."""
    recorded = [c for c in CHAPTERS if (ROOT / "figures" / c.stem / "claims.json").exists()]
    if not recorded:
        pytest.skip("no chapter is recorded")
    try:
        command = ["git", "log", "-1", "--format=%ct"]
        seconds = float(subprocess.check_output(command, cwd=ROOT, stderr=subprocess.DEVNULL))
    except (OSError, subprocess.CalledProcessError):
        seconds = time.time()
    return recorded[int(seconds // 86_400) % len(recorded)]


@pytest.mark.chapter
def test_a_chapter_measures_what_it_recorded(tmp_path: Path) -> None:
    """Same seeds, so nearly the same numbers: exact equality would ask for the same machine."""
    chapter = todays_chapter()
    recorded = {row["claim"]: row for row in laptop_rows(chapter)}
    measured = {row["claim"]: row for row in run(chapter, "laptop", tmp_path, timeout=400)}
    assert measured.keys() == recorded.keys()
    for claim, row in measured.items():
        assert row["verdict"] == recorded[claim]["verdict"], claim
        if row["kind"] == "statistical":
            old, new = recorded[claim], {k: float(row[k]) for k in ("measured", "low", "high")}
            width = float(old["high"]) - float(old["low"])
            assert new["measured"] == pytest.approx(float(old["measured"]), abs=width, rel=0.02)
