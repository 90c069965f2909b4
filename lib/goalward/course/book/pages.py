"""The pages that the book writes itself: course map, scoreboard of claims, status, bibliography."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from goalward.course import papers
from goalward.course.claims import MARKS, format_measured
from goalward.course.run import record

_SOURCES = {"paper": "the paper", "oracle": "an exact oracle", "prototype": "ours"}
_FRESHNESS = {
    "current": "",
    "stale": " · **stale**: the code changed since",
    "dated": " · as of its date",
}


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A MyST table whose cells are Markdown; the first row and the first column are headings."""
    lines = [f"````{{list-table}} {caption}", ":header-rows: 1", ":stub-columns: 1", ""]
    for row in (head, *rows):
        for column, text in enumerate(row):
            lines.append(f"{'  -' if column else '* -'} {' '.join(text.split())}")
    return "\n".join([*lines, "````"])


def link(root: Path, slug: str) -> str:
    """A link from a generated page to a chapter's page, named by its first heading."""
    source = papers.chapters(root)[slug]
    return f"[{title(source)}](../{source.parent.name}/{slug}.ipynb)"


def name(root: Path, paper: papers.Paper) -> str:
    """A paper's short name, linked to its chapter where it has one: for a page one folder deep."""
    if papers.status(root, paper.slug) != "chapter":
        return paper.short
    return f"[{paper.short}](../{papers.part_folder(paper.part)}/{paper.slug}.ipynb)"


def title(source: Path) -> str:
    """A chapter's title: its first heading."""
    for line in source.read_text(encoding="utf-8").splitlines():
        if line.startswith("# # "):
            return line.removeprefix("# # ").strip()
    return source.stem


def _papers_table(root: Path, part: int) -> str:
    rows = []
    for paper in papers.papers():
        if paper.part == part:
            full = f"[{paper.title}]({paper.url})" if paper.url else paper.title
            status = papers.status(root, paper.slug)
            rows.append((name(root, paper), full, str(paper.year), status))
    return table(f"Part {part}, in reading order", ("Chapter", "Paper", "Year", "Status"), rows)


def part_table(root: Path, folder: str) -> str:
    """What a part's overview page ends with: its papers, those with a chapter linked."""
    part = int(folder.split("_")[0])
    return f"\n## The papers of this part\n\n{_papers_table(root, part)}\n"


def course_map(root: Path) -> str:
    """All papers, part by part, and which have a chapter."""
    everything = papers.papers()
    parts = dict.fromkeys(paper.part for paper in everything)
    done = sum(papers.status(root, paper.slug) == "chapter" for paper in everything)
    text = [
        "# The course map",
        f"{len(everything)} papers in {len(parts)} parts; {done} have a chapter so far. "
        "A planned one is listed so that you see where the course is going.",
    ]
    for part in parts:
        text += [f"## Part {part}. {papers.PARTS[part]}", _papers_table(root, part)]
    return "\n\n".join(text) + "\n"


def scoreboard(root: Path) -> str:
    """Every recorded claim, chapter by chapter: what the paper says, what came out."""
    known = papers.chapters(root)
    rows = record.scoreboard(root, known)
    counts = Counter(row["verdict"] for row in rows)
    total = ", ".join(f"{counts[verdict]} {verdict}" for verdict in MARKS if counts[verdict])
    text = [
        "# The scoreboard of claims",
        "Each chapter ends by holding what it measured against what its paper says. The bound was "
        "set before the measurement and says where it comes from. *Reproduced*: the whole "
        "interval meets the bound. *Weaker than the paper*: the interval shows the direction, not "
        "the size. *Not reproduced*: neither, and the row says why.",
        f"**{len(rows)} claims: {total}.**" if rows else "No claim has been recorded yet.",
    ]
    for slug in known:
        for scale in dict.fromkeys(row["scale"] for row in rows if row["slug"] == slug):
            chosen = [row for row in rows if (row["slug"], row["scale"]) == (slug, scale)]
            text += [f"## {link(root, slug)}", _provenance(chosen[0]), _claims_table(chosen)]
    return "\n\n".join(text) + "\n"


def _provenance(row: dict[str, Any]) -> str:
    commit = f" · commit `{row['commit']}`" if row.get("commit") else ""
    where = f"{row['scale'].capitalize()} scale · {row['date']} · {row['device']}{commit}"
    return where + _FRESHNESS[row["freshness"]]


def _claims_table(rows: Sequence[dict[str, Any]]) -> str:
    head = ("Claim", "Verdict", "Measured", "Bound", "Bound from", "Paper says", "Seeds")
    body = []
    for row in rows:
        verdict = f"{MARKS[row['verdict']]} {row['verdict']}"
        verdict += " **(stale)**" if row["stale"] else ""
        seeds = "exact" if row["seeds"] is None else f"{row['seeds']} ({row['covers']})"
        bound = row["bound"].replace(">=", "≥").replace("<=", "≤")
        bound = bound.replace("<", "\\<").replace(">", "\\>")
        source = _SOURCES[row["bound_from"]]
        body.append(
            (row["statement"], verdict, format_measured(row), bound, source, row["paper"], seeds)
        )
    reasons = [f"- *{row['statement']}*: {row['reason']}" for row in rows if row["reason"]]
    why = ["Why not, or not in full:", "\n".join(reasons)] if reasons else []
    return "\n\n".join([table("What was measured, and what the paper says", head, body), *why])


def status(root: Path) -> str:
    """When and on what each chapter was run, and with which versions."""
    rows, missing = [], []
    for slug in papers.chapters(root):
        known = record.records(root, slug)
        if not known:
            missing.append(link(root, slug))
        for scale, entry in known.items():
            versions = ", ".join(f"{name} {number}" for name, number in entry["versions"].items())
            seconds = f"{entry['seconds']:.0f} s"
            rows.append(
                (link(root, slug), scale, seconds, entry["date"], entry["device"], versions)
            )
    head = ("Chapter", "Scale", "Run time", "Date", "Machine", "Versions")
    text = [
        "# Status",
        "When each chapter was last run from top to bottom, how long that took, compilation "
        "included, and with which versions. The figures and numbers in this book come from these "
        "runs.",
        table("The recorded runs", head, rows) if rows else "No run has been recorded yet.",
    ]
    if missing:
        text.append(f"Without a recorded run: {', '.join(missing)}.")
    return "\n\n".join(text) + "\n"


def bibliography(root: Path) -> str:
    """Everything in `notebooks/references.bib`."""
    return (
        "# Bibliography\n\nThe papers of the chapters written so far, and the work that they and "
        "the library build on.\n\n```{bibliography}\n:all:\n```\n"
    )


PAGES: dict[str, Callable[[Path], str]] = {
    "course/map": course_map,
    "course/claims": scoreboard,
    "course/status": status,
    "course/bibliography": bibliography,
}
