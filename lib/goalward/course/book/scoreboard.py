"""The scoreboard: every recorded claim, what the paper says and what came out, at a glance first.

On top stands a strip of marks for each chapter, then what was not reproduced and why, then all rows
in one table, which a small script filters. Without the script everything is there to be read.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from goalward.course import papers
from goalward.course.book import about, gallery, marks
from goalward.course.claims import (
    DOES_NOT_HOLD,
    MARKS,
    NOT_REPRODUCED,
    format_measured,
    format_ratio,
)
from goalward.course.run import record

PAGE = "course/claims"
_SOURCES = {"paper": "the paper", "oracle": "an exact oracle", "prototype": "ours"}
_FRESHNESS = {
    "current": "",
    "stale": " · <b>stale</b>: the code changed since",
    "dated": " · as of its date",
}
_HEAD = ("Claim", "Verdict", "Measured", "Paper", "Ratio", "Bound")
_WHAT = (
    "Each chapter ends by holding what it measured against what its paper says. The bound was set "
    "before the measurement and says where it comes from. *Reproduced*: the whole interval meets "
    "the bound, and the paper's number where it has one. *Weaker than the paper*: our bound is met "
    "or the direction shows, the paper's size does not. *Not reproduced*: neither, and the row "
    "says why. Where the paper has no number and states no order, the bound is ours: it *holds* or "
    "it *does not hold*, and is counted apart. *Ratio* is measured over the paper's number."
)


def page(root: Path) -> str:
    """The page, from the records of all chapters."""
    return of_rows(record.scoreboard(root, papers.chapters(root)), papers.chapters(root))


def of_rows(rows: Sequence[dict[str, Any]], sources: dict[str, Path]) -> str:
    """The page, from rows as `record.scoreboard` gives them, and each chapter's source."""
    if not rows:
        return f"# The scoreboard of claims\n\n{_WHAT}\n\nNo claim has been recorded yet.\n"
    slugs = list(dict.fromkeys(row["slug"] for row in rows))
    misses = {
        "Not reproduced": [row for row in rows if row["verdict"] == NOT_REPRODUCED],
        "Bounds of ours that do not hold": [r for r in rows if r["verdict"] == DOES_NOT_HOLD],
    }
    text = [
        "# The scoreboard of claims",
        _WHAT,
        f"**{marks.totals(rows)}**",
        "## Chapter by chapter",
        "A mark is a claim, and leads to its row.",
        _raw(marks.LEGEND, _strips(rows, slugs)),
        "## What was not reproduced, and why",
    ]
    for name, chosen in misses.items():
        listed = _raw("".join(['<ul class="misses">', *map(_miss, chosen), "</ul>"]))
        text += [f"### {name}", listed if chosen else "None."]
    text += ["## All claims", _raw(_filters(rows), _table(rows, sources))]
    return "\n\n".join(text) + "\n"


def _raw(*pieces: str) -> str:
    return "\n".join(["```{raw} html", *pieces, "```"])


def _identifier(row: dict[str, Any]) -> str:
    """What a row is linked to by."""
    return "claim-" + re.sub(r"[^\w-]+", "-", f"{row['slug']}-{row['claim']}{_suffix(row)}")


def _suffix(row: dict[str, Any]) -> str:
    return "" if row["scale"] == "laptop" else f"-{row['scale']}"


def _strips(rows: Sequence[dict[str, Any]], slugs: Iterable[str]) -> str:
    """A line for each chapter: its name, and a mark for each of its claims."""
    lines = []
    for slug in slugs:
        groups = marks.groups(row for row in rows if row["slug"] == slug)
        told = "".join(
            f'<span class="group"><span class="name">{name}</span>'
            f'<span class="marks" aria-hidden="true">{"".join(map(_mark, chosen))}</span>'
            f'<span class="visually-hidden">{marks.in_words(chosen)}.</span></span>'
            for name, chosen in groups.items()
        )
        lines.append(f'<li><a href="#chapter-{slug}">{escape(gallery.short(slug))}</a>{told}</li>')
    return "\n".join(['<ul class="strips">', *lines, "</ul>"])


def _mark(row: dict[str, Any]) -> str:
    # For the mouse: with the keyboard one goes to the chapter's rows, and reads them.
    return (
        f'<a class="{marks.CLASSES[row["verdict"]]}" tabindex="-1" href="#{_identifier(row)}" '
        f'title="{escape(row["statement"])}">{MARKS[row["verdict"]]}</a>'
    )


def _miss(row: dict[str, Any]) -> str:
    ratio = format_ratio(row)
    numbers = [
        f"measured {escape(format_measured(row))}",
        f"the paper says {escape(row['paper'])}",
        f"ratio {ratio}" if ratio else "",
        f"bound {_bound(row)}",
    ]
    why = f'<p class="why"><em>Why:</em> {escape(row["reason"])}</p>' if row["reason"] else ""
    return (
        f'<li><p><b class="bad">{MARKS[row["verdict"]]}</b> '
        f'<a href="#{_identifier(row)}">{escape(row["statement"])}</a></p>'
        f"<p>{escape(gallery.short(row['slug']))}: {', '.join(filter(None, numbers))}</p>{why}</li>"
    )


def _filters(rows: Sequence[dict[str, Any]]) -> str:
    """Three choices, shown by the script that makes them work."""
    parts = sorted({papers.places()[row["slug"]] for row in rows})
    choices = {
        "part": ("Part", {str(part): f"{part}. {papers.PARTS[part]}" for part in parts}),
        "verdict": ("Verdict", {v: v for v in MARKS if any(r["verdict"] == v for r in rows)}),
        "from": (
            "Bound from",
            {s: t for s, t in _SOURCES.items() if any(r["bound_from"] == s for r in rows)},
        ),
    }
    fields = []
    for name, (label, options) in choices.items():
        listed = "".join(
            f'<option value="{escape(value)}">{escape(text)}</option>'
            for value, text in options.items()
        )
        fields.append(
            f'<label>{label} <select name="{name}"><option value="">all</option>{listed}'
            "</select></label>"
        )
    return (
        f'<form class="filters" hidden>{"".join(fields)}<output role="status">'
        f"{len(rows)} of {len(rows)} claims</output></form>"
    )


def _table(rows: Sequence[dict[str, Any]], sources: dict[str, Path]) -> str:
    """All rows; the roles stay when a phone shows each row as a card."""
    head = "".join(f'<th role="columnheader" scope="col">{name}</th>' for name in _HEAD)
    body = []
    for slug in dict.fromkeys(row["slug"] for row in rows):
        own = [row for row in rows if row["slug"] == slug]
        for scale in dict.fromkeys(row["scale"] for row in own):
            chosen = [row for row in own if row["scale"] == scale]
            body.append(_chapter(chosen, sources[slug]))
    return "\n".join(
        [
            '<table class="claims-table" role="table">',
            "<caption>What was measured, and what the paper says</caption>",
            f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>',
            *body,
            "</table>",
            '<script src="../_static/book/scoreboard.js"></script>',
        ]
    )


def _chapter(rows: Sequence[dict[str, Any]], source: Path) -> str:
    row = rows[0]
    commit = f" · commit <code>{escape(row['commit'])}</code>" if row.get("commit") else ""
    where = f"{row['scale'].capitalize()} scale · {row['date']} · {escape(row['device'])}{commit}"
    page = f"../{source.parent.name}/{source.stem}.html"
    anchor = f"chapter-{row['slug']}{_suffix(row)}"
    head = (
        f'<tr class="chapter" role="row" id="{anchor}"><th role="rowheader" scope="rowgroup" '
        f'colspan="{len(_HEAD)}"><a href="{page}">{escape(about.title(source))}</a>'
        f"<small>{where}{_FRESHNESS[row['freshness']]}</small></th></tr>"
    )
    part = papers.places()[row["slug"]]
    return "\n".join(
        [f'<tbody role="rowgroup" data-part="{part}">', head, *map(_row, rows), "</tbody>"]
    )


def _row(row: dict[str, Any]) -> str:
    verdict = (
        f'<b class="{marks.CLASSES[row["verdict"]]}">{MARKS[row["verdict"]]} {row["verdict"]}</b>'
    )
    verdict += " <b>(stale)</b>" if row["stale"] else ""
    seeds = "exact" if row["seeds"] is None else f"{row['seeds']} seeds: {row['covers']}"
    why = f'<span class="why"><em>Why:</em> {escape(row["reason"])}</span>' if row["reason"] else ""
    cells = (
        verdict,
        escape(format_measured(row)),
        escape(row["paper"]),
        format_ratio(row) or "–",
        _bound(row),
    )
    listed = "".join(
        f'<td role="cell" data-label="{name}">{text}</td>'
        for name, text in zip(_HEAD[1:], cells, strict=True)
    )
    return (
        f'<tr role="row" id="{_identifier(row)}" data-verdict="{row["verdict"]}" '
        f'data-from="{row["bound_from"]}"><th role="rowheader" scope="row">'
        f"{escape(row['statement'])} <small>{escape(seeds)}</small>{why}</th>{listed}</tr>"
    )


def _bound(row: dict[str, Any]) -> str:
    """What was asked for, where that comes from, and how it follows from the paper's number."""
    sign = escape(row["bound"].replace(">=", "≥").replace("<=", "≤"))
    source = "; ".join(filter(None, (_SOURCES[row["bound_from"]], row.get("tolerance"))))
    return f"{sign} <small>({escape(source)})</small>"
