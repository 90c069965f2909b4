"""Every chapter at smoke scale, or on its record; one at laptop scale held against its record."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import quick
from goalward.course import papers
from goalward.course.claims import GOOD
from goalward.course.run import proof, record

ROOT = Path(__file__).parents[1]
CHAPTERS = papers.chapters(ROOT)


def laptop_rows(chapter: Path) -> list[dict]:
    """What the chapter's recorded run at laptop scale claimed."""
    return record.records(ROOT, chapter.stem).get("laptop", {"claims": []})["claims"]


def run(chapter: Path, scale: str, out: Path, timeout: float) -> list[dict]:
    """Run a chapter as a plain script; return its rows of claims."""
    around = dict(os.environ) if scale == "smoke" else quick.optimised()
    environment = around | {"GOALWARD_SCALE": scale, "GOALWARD_OUT": str(out)}
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


@pytest.fixture(scope="module")
def on_record() -> list[str]:
    """The chapters that are taken on their record today."""
    proven = proof.proven(ROOT)
    again = list(proven) if os.environ.get("ALL") else proof.turn(proven, proof.today(ROOT))
    return [slug for slug in proven if slug not in again]


@pytest.mark.chapter
@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_chapter_runs_or_ran(
    slug: str,
    on_record: list[str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Its exact claims hold at smoke scale; or its record says that exactly this code has run."""
    record_property("chapters", "on record" if slug in on_record else "ran")
    if slug in on_record:
        return
    rows = run(CHAPTERS[slug], "smoke", tmp_path, timeout=120)
    recorded = {row["claim"]: row["verdict"] for row in laptop_rows(CHAPTERS[slug])}
    for row in rows:
        if row["kind"] == "exact" and row["verdict"] not in GOOD:
            assert row["verdict"] == recorded.get(row["claim"]), row
    if papers.places()[slug]:
        assert len(rows) >= 3
        assert any(row["kind"] == "exact" for row in rows)


def todays_chapter() -> Path:
    """One recorded chapter, in rotation by the day of the newest commit."""
    recorded = [c for c in CHAPTERS.values() if laptop_rows(c)]
    if not recorded:
        pytest.skip("no chapter is recorded")
    return recorded[proof.today(ROOT) % len(recorded)]


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
