"""Verdicts, on cases whose answer is plain."""

import json
import math
import re

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
        assert claims.judge("a", "…", measured=1e-6, **common).verdict == claims.HOLDS
        assert claims.judge("a", "…", measured=1e-4, **common).verdict == claims.DOES_NOT_HOLD


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
    common = {"measured": FIVE, "kind": "statistical", "bound": bound, "null": null, "reason": "r"}
    row = claims.judge("a", "…", **{**COMMON, **common, "bound_from": "paper"})
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
    assert "does not hold" in claims.to_text([row])


@pytest.mark.parametrize(
    ("bound", "number", "tolerance", "verdict"),
    [
        (">= 8", None, "", claims.HOLDS),
        (">= 10", None, "", claims.DOES_NOT_HOLD),  # whatever its direction: there is no paper
        (">= 8", 9.0, "", claims.REPRODUCED),
        (">= 8", 7.0, "", claims.REPRODUCED),
        (">= 8", 10.0, "", claims.WEAKER),  # the bound is met, the paper's number is not
        (">= 8", 10.0, "its spread is 2", claims.REPRODUCED),
        ("> 8", 9.2, "", claims.WEAKER),
        ("<= 12", 11.0, "", claims.REPRODUCED),
        ("<= 12", 10.0, "", claims.WEAKER),
        (">= 10", 20.0, "", claims.WEAKER),  # the direction alone
        (">= 10", 20.0, "its spread is 10", claims.WEAKER),
        ("in [8, 12]", 10.0, "", claims.REPRODUCED),
        ("in [9.5, 12]", 10.0, "", claims.WEAKER),  # the direction alone
    ],
)
def test_a_row_with_a_number_in_the_paper_is_held_against_it(
    bound, number, tolerance, verdict
) -> None:
    evidence = {"measured": FIVE, "kind": "statistical", "null": 0.0, "bound_from": "prototype"}
    row = claims.judge(
        "a", "…", bound=bound, number=number, tolerance=tolerance, **{**COMMON, **evidence}
    )
    assert row.verdict == verdict


def test_exact_rows_are_held_against_the_papers_number_too() -> None:
    common = {**COMMON, "kind": "exact", "bound": "<= 0.5", "number": 0.2}
    assert claims.judge("a", "…", measured=0.1, **common).verdict == claims.REPRODUCED
    assert claims.judge("a", "…", measured=0.3, **common).verdict == claims.WEAKER
    assert claims.judge("a", "…", measured=0.6, **common).verdict == claims.NOT_REPRODUCED


def test_a_range_that_leaves_the_papers_number_out_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves the paper's number 3 out"):
        claims.judge("a", "…", measured=1, kind="exact", bound="in [0, 2]", number=3.0, **COMMON)


@pytest.mark.parametrize(
    ("bound", "value", "text"),
    [
        ("in [1.1249, 1.1251]", 1.125, "1.125"),
        ("< 0.5", 0.4999, "0.4999"),
        (">= 10", 9.996, "9.996"),
        (">= 0.1", 0.2, "0.200"),
        ("<= 1e-7", 1.04e-7, "1.04e−07"),
    ],
)
def test_a_number_never_looks_outside_a_bound_that_it_meets(bound, value, text) -> None:
    row = claims.judge("a", "…", measured=value, kind="exact", bound=bound, **COMMON).row()
    assert claims.format_measured(row) == text


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_what_is_shown_lies_on_the_same_side(limit, value) -> None:
    row = {"bound": f">= {limit!r}", "kind": "exact", "measured": value}
    shown = float(claims.format_measured(row).replace("−", "-"))
    assert (shown >= limit) == (value >= limit)


def test_measured_paper_and_ratio_stand_side_by_side() -> None:
    common = {**COMMON, "paper": "about 1500", "kind": "exact", "bound": ">= 100"}
    row = claims.judge("a", "…", measured=3000.0, number=1500.0, **common).row()
    assert claims.format_ratio(row) == "2.00"
    assert re.search("3000.*about 1500.*2.00", claims.to_html([row]), re.DOTALL)
    assert claims.format_ratio(row | {"number": 0.0}) == ""
    assert claims.format_ratio(row | {"number": None}) == ""
    loose = row | {"bound_from": "prototype", "tolerance": "its spread"}
    assert claims.format_bound(loose) == ">= 100 (ours; its spread)"


def test_rows_of_the_paper_and_of_ours_are_counted_apart() -> None:
    words = (claims.REPRODUCED, claims.WEAKER, claims.NOT_REPRODUCED, claims.HOLDS)
    said = claims.tally([{"verdict": word} for word in words])
    assert said == "1 of 3 claims of papers reproduced, 1 weaker; 1 of 1 bounds of ours hold"
    assert claims.tally([]) == "nothing judged"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5, "1234"), (0.012345, "0.0123"), (12345.0, "1.2e+04"), (-0.5, "−0.500")],
)
def test_numbers_have_three_digits(value, text) -> None:
    assert claims.format_number(value) == text
