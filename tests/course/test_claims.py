"""Verdicts, on cases whose answer is plain."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.course import claims
from goalward.course.claims import Bound

COMMON = {"scale": "laptop", "paper": "—", "bound_from": "oracle"}
FIVE = [9.0, 10.0, 10.0, 10.0, 11.0]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">= 100", (100, 200), (99.9, 200)),
        ("> 0", (0.1, 1), (0, 1)),
        ("<= 1e-5", (0, 1e-5), (0, 2e-5)),
        ("< 0.5", (0, 0.4), (0, 0.5)),
        ("in [0.9, 1.1]", (0.9, 1.1), (0.8, 1.0)),
    ],
)
def test_bounds_read_as_written(text, inside, outside) -> None:
    assert Bound.parse(text).allows(*inside)
    assert not Bound.parse(text).allows(*outside)


@pytest.mark.parametrize("text", ["100", "=> 3", ">= much", "in [1]", ""])
def test_a_bound_that_does_not_read_is_refused(text) -> None:
    with pytest.raises(ValueError, match="should read like"):
        Bound.parse(text)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_an_interval_inside_is_allowed_and_one_across_is_not(edge, width) -> None:
    assert Bound.parse(f">= {edge!r}").allows(edge, edge + width)
    assert not Bound.parse(f">= {edge!r}").allows(edge - 1, edge + width)


def test_exact_claims_are_judged_at_every_scale() -> None:
    for scale in ("smoke", "laptop", "gpu"):
        common = {**COMMON, "scale": scale, "kind": "exact", "bound": "<= 1e-5"}
        assert claims.judge("a", "…", measured=1e-6, **common).verdict == claims.REPRODUCED
        assert claims.judge("a", "…", measured=1e-4, **common).verdict == claims.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("bound", "null", "verdict"),
    [
        (">= 8", 0.0, claims.REPRODUCED),  # the whole interval, about [9.1, 10.9]
        (">= 10", 0.0, claims.WEAKER),  # the mean meets it, the interval does not
        (">= 20", 1.0, claims.WEAKER),
        (">= 20", 10.0, claims.NOT_REPRODUCED),  # the interval holds the null
        (">= 20", None, claims.NOT_REPRODUCED),
        ("<= 5", 20.0, claims.WEAKER),
        ("<= 5", 0.0, claims.NOT_REPRODUCED),
        ("in [15, 25]", 0.0, claims.WEAKER),
    ],
)
def test_a_statistical_claim_needs_its_whole_interval(bound, null, verdict) -> None:
    row = claims.judge(
        "a", "…", measured=FIVE, kind="statistical", bound=bound, null=null, reason="r", **COMMON
    )
    assert row.verdict == verdict
    assert row.seeds == 5
    assert (row.reason == "r") == (verdict != claims.REPRODUCED)
    assert row.low < row.measured < row.high


def test_statistics_are_not_judged_at_smoke_scale() -> None:
    common = {**COMMON, "scale": "smoke", "kind": "statistical", "bound": ">= 0"}
    assert claims.judge("a", "…", measured=FIVE, **common).verdict == claims.NOT_JUDGED


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        ({"measured": [1.0] * 4, "kind": "statistical"}, "at least 5 seeds"),
        ({"interval": (1, 0, 2), "kind": "statistical"}, "at least 5 seeds"),
        ({"measured": math.nan, "kind": "exact"}, "not a number"),
        ({"measured": 1.0, "kind": "guess"}, "kind is one of"),
    ],
)
def test_weak_evidence_is_refused(evidence, message) -> None:
    with pytest.raises(ValueError, match=message):
        claims.judge("a", "…", bound=">= 0", **evidence, **COMMON)


def test_a_row_is_json_even_when_infinite() -> None:
    row = claims.judge(
        "a", "…", interval=(math.inf, 100, math.inf), seeds=5, bound=">= 100", kind="statistical",
        **COMMON,
    ).row()  # fmt: skip
    assert json.loads(json.dumps(row, allow_nan=False))["high"] == "inf"
    assert claims.format_measured(row) == "∞ [100, ∞]"


def test_the_table_escapes_and_explains() -> None:
    row = claims.judge(
        "a", "x < y", measured=1.0, kind="exact", bound="<= 0.5", reason="a & b", **COMMON
    ).row()
    page = claims.to_html([row])
    assert "x &lt; y" in page
    assert "a &amp; b" in page
    assert "not reproduced" in claims.to_text([row])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5, "1234"), (0.012345, "0.0123"), (12345.0, "1.2e+04"), (-0.5, "−0.500")],
)
def test_numbers_have_three_digits(value, text) -> None:
    assert claims.format_number(value) == text
