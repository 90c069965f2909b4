"""The pages that the book writes itself: course map, status, bibliography."""

from collections.abc import Callable
from pathlib import Path

from goalward.course import papers
from goalward.course.book import prerequisites
from goalward.course.book.tables import link, name, table
from goalward.course.run import record


def _papers_table(root: Path, part: int) -> str:
    rows = []
    for paper in papers.papers():
        if paper.part == part:
            full = f"[{paper.title}]({paper.url})" if paper.url else paper.title
            status = papers.status(root, paper.slug)
            rows.append((name(root, paper), full, str(paper.year), status))
    head = ("Chapter", "Paper", "Year", "Status")
    return table(f"Part {part}, in reading order", head, rows, cards=True)


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
        "## What to read before what",
        prerequisites.drawing(root),
        prerequisites.told(root),
    ]
    for part in parts:
        text += [f"## Part {part}. {papers.PARTS[part]}", _papers_table(root, part)]
    return "\n\n".join(text) + "\n"


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
        table("The recorded runs", head, rows, cards=True)
        if rows
        else "No run has been recorded yet.",
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
    "course/status": status,
    "course/bibliography": bibliography,
}
