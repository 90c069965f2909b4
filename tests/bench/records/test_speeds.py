"""Comparisons of speed, read back from what `goalward bench compare` writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toy
from goalward.bench.records.speeds import HEAD, load_speeds, table

RATES = {"official": (1, [4.0, 5.0, 2.0]), "ours, a dispatch an update": (1, [1.0, 1.0, 1.0]),
         "ours, scanned": (1, [8.0, 6.0, 10.0]),
         "ours, scanned, 3 seeds in all": (3, [2000.0, 1200.0, 900.0])}  # fmt: skip


def record(path: Path, rates: dict[str, Any] = RATES, **settings: Any) -> Path:
    """A file as `compare` writes it."""
    rows = [{"name": n, "seeds": seeds, "repeats": r} for n, (seeds, r) in rates.items()]
    found = {"method": "gcbc", "batch": 256, "width": 64, "device": "cpu (cpu)"} | settings
    path.write_text(json.dumps(found | {"updates_per_second": rows}))
    return path


def test_a_comparison_is_read_as_it_was_measured(tmp_path: Path) -> None:
    record(tmp_path / "a.json", method="gciql")
    record(tmp_path / "b.json", dict(list(RATES.items())[:3]), batch=1024, width=512)
    record(tmp_path / "c.json")
    found = load_speeds(tmp_path, pytest.fail)
    assert [(s.method, s.batch) for s in found] == [("gcbc", 256), ("gciql", 256), ("gcbc", 1024)]
    assert found[0].ours == {1: (8.0, 6.0, 10.0), 3: (2000.0, 1200.0, 900.0)}
    # Student's t with two degrees of freedom on the logarithms of the repeats' ratios.
    logs = np.log([8 / 4, 6 / 5, 10 / 2])
    half = 4.302653 * logs.std(ddof=1) / 3**0.5
    by_hand = np.exp([logs.mean(), logs.mean() - half, logs.mean() + half])
    np.testing.assert_allclose(found[0].times_official(), by_hand, rtol=1e-5)
    assert found[0].times_official(3)[0] == pytest.approx((500 * 240 * 450) ** (1 / 3))
    assert (found[0].most_seeds, found[2].most_seeds) == (3, 1)
    shown = [dict(zip(HEAD, row, strict=True)) for row in table(found)]
    assert shown[0]["ours, more seeds"] == "1,200 (3)"
    assert shown[0]["times in all"] == "377.98"
    assert shown[2] == dict(
        zip(HEAD, ("gcbc", "1024 × 512", "4", "8", "2.29", "–", "–", "cpu (cpu)"), strict=True)
    )


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.write_text("{"), "no record"),
        (lambda path: path.write_text("[1]"), "no record"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "no record"),
        (lambda path: record(path, width=None), "no record"),
        (
            lambda path: path.write_text(
                path.with_name("whole.json").read_text().replace('"official"', "3")
            ),
            "lacks the official",
        ),
        (lambda path: record(path, {"official": RATES["official"]}), "lacks the official"),
        (lambda path: record(path, dict(list(RATES.items())[1:])), "lacks the official"),
        (lambda path: record(path, RATES | {"official": (1, [])}), "two repeats"),
        (lambda path: record(path, RATES | {"official": (1, [2.0])}), "two repeats"),
        (lambda path: record(path, RATES | {"official": (1, [1.0, 0.0])}), "two repeats"),
        (lambda path: record(path, RATES | {"official": (1, [1.0, float("nan")])}), "two repeats"),
        (lambda path: record(path, RATES | {"official": (1, [1.0, 2.0])}), "different numbers"),
    ],
)
def test_what_cannot_be_used_is_left_out_in_one_line(tmp_path: Path, spoil: Any, why: str) -> None:
    record(tmp_path / "whole.json", method="qrl")
    spoil(tmp_path / "bad.json")
    said: list[str] = []
    assert [s.method for s in load_speeds(tmp_path, said.append)] == ["qrl"]
    assert len(said) == 1
    assert "bad.json is left out: " in said[0]
    assert why in said[0]
    assert "\n" not in said[0]


def test_no_folder_is_no_comparison(tmp_path: Path) -> None:
    assert load_speeds(tmp_path / "none", pytest.fail) == []


def test_the_recorded_comparisons_are_whole() -> None:
    found = load_speeds(toy.ROOT / "notebooks" / "9_analysis" / "runs" / "speeds", pytest.fail)
    assert {(s.method, s.batch, s.width) for s in found} >= {
        (method, *sizes)
        for method in ("gcbc", "gcivl", "gciql", "qrl", "contrastive_rl", "hiql")
        for sizes in ((256, 64), (1024, 512))
    }
