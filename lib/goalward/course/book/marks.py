"""Verdicts as marks: for a glance, and in words for who cannot see them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from goalward.course.claims import (
    DOES_NOT_HOLD,
    HOLDS,
    MARKS,
    NOT_JUDGED,
    NOT_REPRODUCED,
    OF_THE_PAPER,
    REPRODUCED,
    WEAKER,
)

GROUPS = {"Paper": OF_THE_PAPER, "Ours": (HOLDS, DOES_NOT_HOLD)}
"""Rows that are held against the paper, and rows of ours: never counted together."""

CLASSES = {
    REPRODUCED: "good",
    HOLDS: "good",
    WEAKER: "weaker",
    NOT_REPRODUCED: "bad",
    DOES_NOT_HOLD: "bad",
    NOT_JUDGED: "none",
}
"""The class of goalward.css that colours a verdict's mark."""

LEGEND = (
    '<p class="legend">Against the paper: <b class="good">✔</b> reproduced, '
    '<b class="weaker">◐</b> weaker than the paper, <b class="bad">✘</b> not reproduced. '
    'Bounds of ours, where the paper has no number: <b class="good">✔</b> holds, '
    '<b class="bad">✘</b> does not hold.</p>'
)


def groups(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each group that has any, in the order of the verdicts, the good ones first."""
    rows = list(rows)
    found = {
        name: [row for verdict in verdicts for row in rows if row["verdict"] == verdict]
        for name, verdicts in GROUPS.items()
    }
    return {name: chosen for name, chosen in found.items() if chosen}


def in_words(rows: Sequence[dict[str, Any]]) -> str:
    """How many rows have each verdict: 5 reproduced, 1 not reproduced."""
    counts = Counter(row["verdict"] for row in rows)
    said = []
    for verdict in (*OF_THE_PAPER, HOLDS, DOES_NOT_HOLD):
        if count := counts[verdict]:
            plural = {HOLDS: "hold", DOES_NOT_HOLD: "do not hold"}.get(verdict, verdict)
            said.append(f"{count} {verdict if count == 1 else plural}")
    return ", ".join(said)


def totals(rows: Sequence[dict[str, Any]]) -> str:
    """All rows in a sentence or two, those of ours apart."""
    named = {"Paper": "claims of papers", "Ours": "bounds of ours"}
    return " ".join(
        f"{len(chosen)} {named[name]}: {in_words(chosen)}." for name, chosen in groups(rows).items()
    )


def plain(rows: Sequence[dict[str, Any]]) -> str:
    """The marks of some rows, one a row."""
    return "".join(MARKS[row["verdict"]] for row in rows)


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """The marks of one group, coloured; who cannot see them hears the counts."""
    runs = dict.fromkeys(row["verdict"] for row in rows)
    inner = "".join(
        f'<b class="{CLASSES[verdict]}">'
        f"{plain([row for row in rows if row['verdict'] == verdict])}</b>"
        for verdict in runs
    )
    return f'<span class="marks" role="img" aria-label="{escape(in_words(rows))}">{inner}</span>'
