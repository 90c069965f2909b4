"""One set-up for all tests: shapes checked, little compiled, skips counted."""

import json
import os
from collections import Counter
from pathlib import Path

import quick

# Before JAX starts: workers run side by side, one thread each.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.update(quick.settings())

import jax
import jaxtyping
import pytest
from hypothesis import settings

# One device in every worker from here on, whatever a command under test asks for.
jax.devices()

# Annotated shapes and types are checked on each call, in tests only. The course room is left out:
# its callers are notebooks, and its own tests say what it takes.
ROOMS = [
    "tabular",
    "losses",
    "nets",
    "envs",
    "data",
    "baselines",
    "methods",
    "evaluation",
    "training",
]
jaxtyping.install_import_hook([f"goalward.{room}" for room in ROOMS], "typecheck.check")

settings.register_profile("goalward", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("goalward")


PASSED = Path(__file__).parent / "assignments" / "passed.json"
"""The fingerprints of the assignments whose planted answers have all been judged rightly."""
_skips: Counter[str] = Counter()
_passed: dict[str, str] = {}
_runs: dict[str, Counter[str]] = {kind: Counter() for kind in ("chapters", "assignments")}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--record` keeps what passed on record."""
    parser.addoption("--record", action="store_true", help="keep which assignments passed")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember why each test was skipped, and what was run or taken on its record."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skips[reason.removeprefix("Skipped: ")] += 1
    if report.when == "call":
        for name, value in report.user_properties:
            if name in _runs:
                _runs[name][str(value)] += 1
            if name == "judged" and report.passed:
                slug, fingerprint = str(value).split()
                _passed[slug] = fingerprint


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The last lines: what was run and what was taken on its record; how many skipped, and why."""
    if hasattr(config, "workerinput"):
        return
    if config.getoption("--record") and _passed:
        known = json.loads(PASSED.read_text("utf-8")) if PASSED.exists() else {}
        PASSED.write_text(json.dumps(known | _passed, indent=1, sort_keys=True) + "\n", "utf-8")
        print(f"recorded: {', '.join(sorted(_passed))}")
    for name, counts in _runs.items():
        if counts:
            print(f"{name}: {counts['ran']} run, {counts['on record']} taken on their record")
    reasons = "; ".join(f"{count}: {reason}" for reason, count in sorted(_skips.items()))
    print(f"skipped tests: {sum(_skips.values())}" + (f" ({reasons})" if reasons else ""))
