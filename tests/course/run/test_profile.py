"""What a chapter costs, told on one whose compilations are known."""

from pathlib import Path

import pytest

from goalward.course.errors import Problem
from goalward.course.run.profile import Profile, profile, report

LEARNS = """\
# %%
import jax
import jax.numpy as jnp


def _run(x):
    return jax.lax.scan(lambda c, _: (jnp.tanh(c), None), x, length=3)[0]


for size in (2, 3):
    jax.jit(_run)(jnp.ones(size))
"""


def test_compilations_are_counted(tmp_path: Path) -> None:
    source = tmp_path / "learns.py"
    source.write_text(LEARNS)
    found = profile("learns", source, "smoke")
    assert found.loops == 2
    assert found.compiled >= 2
    assert found.compiling > 0
    assert found.tracing > 0
    assert 0.1 < found.cpu < 60
    assert "_run" in {name for name, _, _ in found.slowest}
    assert not (tmp_path / "claims.json").exists()


def test_a_chapter_that_fails_is_one_line(tmp_path: Path) -> None:
    source = tmp_path / "fails.py"
    source.write_text("# %%\n1 / 0\n")
    with pytest.raises(Problem, match="fails: ZeroDivisionError"):
        profile("fails", source, "smoke")


def test_what_is_over_the_budget_is_marked() -> None:
    dear = Profile("dear", "smoke", 15.1, 9, 3.0, 1.0, 3, (("_run", 3, 2.0),))
    told = "\n".join(report(dear))
    assert "15.1 s (over 15)" in told
    assert "3 (over 2)" in told
    cheap = Profile("cheap", "laptop", 59.0, 9, 3.0, 1.0, 2, ())
    assert "over" not in "\n".join(report(cheap))
