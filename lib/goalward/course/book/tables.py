"""Tables and links of the pages that the book writes itself."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from goalward.course import papers
from goalward.course.book import about


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], cards: bool = False
) -> str:
    """A MyST table whose cells are Markdown; the first row and the first column are headings.

    Args:
        caption: what the table shows.
        head: what the columns are called.
        rows: its rows.
        cards: on a phone show each row as a card, without the head: for cells that say what they
            are.
    """
    lines = [f"````{{list-table}} {caption}", ":header-rows: 1", ":stub-columns: 1"]
    lines += [":class: cards"] * cards + [""]
    for row in (head, *rows):
        for column, text in enumerate(row):
            lines.append(f"{'  -' if column else '* -'} {' '.join(text.split())}")
    return "\n".join([*lines, "````"])


def link(root: Path, slug: str) -> str:
    """A link from a generated page to a chapter's page, named by its first heading."""
    source = papers.chapters(root)[slug]
    return f"[{about.title(source)}](../{source.parent.name}/{slug}.ipynb)"


def name(root: Path, paper: papers.Paper) -> str:
    """A paper's short name, linked to its chapter where it has one: for a page one folder deep."""
    if papers.status(root, paper.slug) != "chapter":
        return paper.short
    return f"[{paper.short}](../{papers.part_folder(paper.part)}/{paper.slug}.ipynb)"
