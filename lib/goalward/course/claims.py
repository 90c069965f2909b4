"""Claims: what a paper says, what we measured, and whether the one meets the other."""

import html
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

KINDS = ("exact", "statistical")
SOURCES = ("paper", "oracle", "prototype")
REPRODUCED = "reproduced"
WEAKER = "weaker than the paper"
NOT_REPRODUCED = "not reproduced"
HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
NOT_JUDGED = "not judged"
MARKS = {
    REPRODUCED: "✔",
    WEAKER: "◐",
    NOT_REPRODUCED: "✘",
    HOLDS: "✔",
    DOES_NOT_HOLD: "✘",
    NOT_JUDGED: "–",
}
OF_THE_PAPER = (REPRODUCED, WEAKER, NOT_REPRODUCED)
"""The verdicts of rows for which the paper has a number or an order; the others are of ours."""
GOOD = (REPRODUCED, HOLDS)
MIN_SEEDS = 5
_BOUND = re.compile(r"\s*(<=|>=|<|>)\s*(\S+)\s*$")
_RANGE = re.compile(r"\s*in\s*\[\s*([^,\s]+)\s*,\s*([^,\s]+)\s*\]\s*$")


@dataclass(frozen=True)
class Bound:
    """The values that a claim allows, between `low` and `high`; `strict` leaves the ends out."""

    low: float
    high: float
    strict: bool = False

    @classmethod
    def parse(cls, text: str) -> "Bound":
        """Read `>= 100`, `< 0.5` or `in [0.9, 1.1]`.

        Raises:
            ValueError: if the text is not of that form.
        """
        try:
            if match := _RANGE.match(text):
                return cls(float(match[1]), float(match[2]))
            if match := _BOUND.match(text):
                sign, value = match[1], float(match[2])
                low, high = (value, math.inf) if sign[0] == ">" else (-math.inf, value)
                return cls(low, high, strict=len(sign) == 1)
        except ValueError:
            pass
        raise ValueError(f"bound {text!r} should read like '>= 100', '< 0.5' or 'in [0.9, 1.1]'")

    def allows(self, low: float, high: float) -> bool:
        """Whether all of [low, high] meets the bound."""
        if self.strict:
            return self.low < low and high < self.high
        return self.low <= low and high <= self.high

    def with_number(self, number: float) -> "Bound":
        """The bound with the paper's number as its limit, where that asks for more."""
        if math.isinf(self.high):
            return Bound(max(self.low, number), self.high, self.strict and number <= self.low)
        if math.isinf(self.low):
            return Bound(self.low, min(self.high, number), self.strict and number >= self.high)
        return self

    def has_direction(self, low: float, high: float, null: float) -> bool:
        """Whether [low, high] lies wholly on the bound's side of `null`."""
        if math.isinf(self.high):
            return low > null
        if math.isinf(self.low):
            return high < null
        return low > null if (self.low + self.high) / 2 > null else high < null


@dataclass(frozen=True)
class Claim:
    """One row of the scoreboard."""

    claim: str
    statement: str
    paper: str
    measured: float
    low: float
    high: float
    bound: str
    bound_from: str
    kind: str
    verdict: str
    seeds: int | None
    covers: str
    scale: str
    reason: str
    number: float | None = None
    tolerance: str = ""

    def row(self) -> dict[str, Any]:
        """The row as JSON takes it: an infinite number becomes a string."""
        return {
            name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def judge(
    claim: str,
    statement: str,
    *,
    scale: str,
    paper: str,
    bound: str,
    bound_from: str,
    kind: str,
    measured: Any = None,
    interval: tuple[float, float, float] | None = None,
    seeds: int | None = None,
    covers: str = "",
    null: float | None = None,
    reason: str = "",
    number: float | None = None,
    tolerance: str = "",
) -> Claim:
    """Hold what was measured against a claim's bound, and against the paper.

    Where the paper has a number for this quantity, a row is `reproduced` if its whole interval
    meets the bound and that number as well, `weaker than the paper` if it meets the bound alone, or
    shows no more than the direction. Where the paper states an order (`bound_from="paper"`), the
    bound is the paper's. All other rows are ours: they hold or they don't.

    Args:
        claim: a short identifier, unique in its chapter.
        statement: what the paper says, in our words.
        scale: the scale of this run; a statistical claim is not judged at `smoke`.
        paper: the paper's own number, or `—`.
        bound: what must hold, as `Bound.parse` reads it; set before measuring.
        bound_from: `paper`, `oracle` or `prototype`.
        kind: `exact` (one number against an oracle) or `statistical` (one value per seed).
        measured: the number, or the values, one per seed.
        interval: estimate, low end, high end, where the chapter computes its own interval.
        seeds: how many seeds stand behind `interval`.
        covers: what the seeds vary: data, initialisation or both.
        null: the value that means "no effect" (0 for a difference, 1 for a ratio): an interval
            that misses the bound but lies on its side of `null` is `weaker than the paper`.
        reason: why, for the reader, where the claim does not hold.
        number: the paper's own number for what is measured, where it has one.
        tolerance: how the bound follows from `number`, where it is looser than that: then meeting
            the bound is enough.

    Raises:
        ValueError: for an unknown kind or source, fewer than 5 seeds, values that are NaN, or a
            range that leaves the paper's number out.
    """
    if kind not in KINDS or bound_from not in SOURCES:
        raise ValueError(
            f"claim {claim!r}: kind is one of {', '.join(KINDS)} and bound_from one of "
            f"{', '.join(SOURCES)}, not {kind!r} and {bound_from!r}"
        )
    # Here, so that showing recorded claims does not wait for JAX.
    from goalward.evaluation.intervals import interval as seeds_interval

    limits = Bound.parse(bound)
    asked = limits if number is None or tolerance else limits.with_number(number)
    ranged = not math.isinf(limits.low) and not math.isinf(limits.high)
    if number is not None and ranged and not limits.allows(number, number):
        raise ValueError(f"claim {claim!r}: {bound} leaves the paper's number {number:g} out")
    if kind == "exact":
        value = low = high = float(measured)
    elif interval is not None:
        value, low, high = map(float, interval)
    else:
        values = np.asarray(measured, dtype=float)
        seeds = values.size
        if values.ndim == 1 and seeds >= MIN_SEEDS:
            value, low, high = seeds_interval(values)
    if kind == "statistical" and (seeds is None or seeds < MIN_SEEDS):
        raise ValueError(f"claim {claim!r} needs at least {MIN_SEEDS} seeds, not {seeds}")
    if math.isnan(value) or math.isnan(low) or math.isnan(high):
        raise ValueError(f"claim {claim!r}: what was measured is not a number")

    met = limits.allows(low, high)
    directed = null is not None and limits.has_direction(low, high, null)
    if number is None and bound_from != "paper":
        verdict = HOLDS if met else DOES_NOT_HOLD
    elif met and asked.allows(low, high):
        verdict = REPRODUCED
    elif met or (kind == "statistical" and directed):
        verdict = WEAKER
    else:
        verdict = NOT_REPRODUCED
    if kind == "statistical" and scale == "smoke":
        verdict = NOT_JUDGED
    return Claim(
        claim=claim,
        statement=statement,
        paper=paper,
        measured=value,
        low=low,
        high=high,
        bound=bound,
        bound_from=bound_from,
        kind=kind,
        verdict=verdict,
        seeds=seeds,
        covers=covers,
        scale=scale,
        reason="" if verdict in (*GOOD, NOT_JUDGED) else reason,
        number=number,
        tolerance=tolerance,
    )


def format_number(value: float | str, digits: int = 3) -> str:
    """So many significant digits, in the shortest form."""
    value = float(value)
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("inf", "∞").replace("-", "−")
    if 0.001 <= abs(value) < 10_000:
        places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:.{places}f}".replace("-", "−")
    return f"{value:.{max(1, digits - 2)}e}".replace("-", "−")


def format_measured(row: dict[str, Any]) -> str:
    """The measured value with its interval, where it has one.

    Three digits, or as many as it takes for each number to look on its own side of the bound.
    """
    limits = Bound.parse(row["bound"])
    shown = []
    for name in ("measured",) if row["kind"] == "exact" else ("measured", "low", "high"):
        value = float(row[name])
        for digits in range(3, 18):
            text = format_number(value, digits)
            rounded = float(text.replace("−", "-").replace("∞", "inf"))
            if limits.allows(rounded, rounded) == limits.allows(value, value):
                break
        shown.append(text)
    return shown[0] if len(shown) == 1 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def format_ratio(row: dict[str, Any]) -> str:
    """Measured over the paper's number; empty where the paper has none, or it is zero."""
    number = row.get("number")
    if not number or not math.isfinite(float(row["measured"])):
        return ""
    return format_number(float(row["measured"]) / float(number))


def format_bound(row: dict[str, Any]) -> str:
    """The bound, where it comes from, and how it follows from the paper's number."""
    source = row["bound_from"].replace("prototype", "ours")
    return f"{row['bound']} ({'; '.join(filter(None, (source, row.get('tolerance'))))})"


def tally(rows: Sequence[dict[str, Any]]) -> str:
    """How many rows are as the paper says, and how many of our own hold, counted apart."""
    paper = [r["verdict"] for r in rows if r["verdict"] in OF_THE_PAPER]
    ours = [r["verdict"] for r in rows if r["verdict"] in (HOLDS, DOES_NOT_HOLD)]
    said = []
    if paper:
        said.append(f"{paper.count(REPRODUCED)} of {len(paper)} claims of papers reproduced")
        if weaker := paper.count(WEAKER):
            said[-1] += f", {weaker} weaker"
    if ours:
        said.append(f"{ours.count(HOLDS)} of {len(ours)} bounds of ours hold")
    return "; ".join(said) or "nothing judged"


def to_html(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as an accessible table."""
    columns: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
        ("claim", lambda r: r["statement"]),
        ("measured", format_measured),
        ("paper", lambda r: r["paper"]),
        ("ratio", format_ratio),
        ("bound", format_bound),
        ("seeds", lambda r: "exact" if r["seeds"] is None else f"{r['seeds']} ({r['covers']})"),
        ("verdict", lambda r: f"{MARKS[r['verdict']]} {r['verdict']}"),
    )
    head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name, _ in columns)
    body = ""
    for row in rows:
        cells = "".join(
            f'<td style="text-align:left">{html.escape(f(row))}</td>' for _, f in columns
        )
        body += f"<tr>{cells}</tr>\n"
        if row["reason"]:
            body += (
                f'<tr><td colspan="{len(columns)}" style="text-align:left">'
                f"<em>Why:</em> {html.escape(row['reason'])}</td></tr>\n"
            )
    return (
        '<div style="overflow-x:auto"><table class="claims">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
    )


def to_text(rows: Sequence[dict[str, Any]]) -> str:
    """The rows for a terminal, one line each."""
    return "\n".join(
        f"{MARKS[r['verdict']]} {r['claim']}: {format_measured(r)} (bound {r['bound']}) "
        f"{r['verdict']}"
        for r in rows
    )
