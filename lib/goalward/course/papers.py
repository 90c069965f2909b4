"""The fifty papers, the parts of the course, and where each chapter lies."""

import csv
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from goalward.course.errors import Problem, Usage

PARTS = {
    0: "Start",
    1: "Predicting the future",
    2: "Distances and horizons",
    3: "Exploration and skills",
    4: "Generative models of the future",
    5: "Scale and benchmarks",
    6: "Models, memory and robustness",
    7: "Assistance, language models and robots",
    8: "Reliable supervised learning and science",
    9: "Analysis",
}
# Chapters of part 0, which stand for no paper, in reading order.
START = ("welcome", "notation", "refresher")
# Chapters that stand for no paper and close a part: they compare its papers' methods. Part 9 has no
# papers: its one page looks at recorded runs.
CLOSING = {1: "estimators", 2: "distances", 9: "analysis"}


@dataclass(frozen=True)
class Paper:
    """One paper: a row of papers.tsv.

    `arxiv` and `venue` are empty where none is known. `prerequisites` are the slugs of the chapters
    to read first: those whose ideas this one starts from, less what they ask for themselves.
    """

    part: int
    order: int
    slug: str
    title: str
    short: str
    authors: str
    year: int
    arxiv: str
    venue: str
    prerequisites: tuple[str, ...]

    @property
    def url(self) -> str:
        """Where the paper can be read; empty where none is known."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""


@cache
def papers() -> tuple[Paper, ...]:
    """All papers, in the order of the course."""
    with (Path(__file__).parent / "papers.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tuple(
        Paper(
            part=int(row["part"]),
            order=int(row["order"]),
            slug=row["slug"],
            title=row["title"],
            short=row["short"],
            authors=row["authors"],
            year=int(row["year"]),
            arxiv=row["arxiv"],
            venue=row["venue"],
            prerequisites=tuple(filter(None, row["prerequisites"].split(","))),
        )
        for row in rows
    )


def part_folder(part: int) -> str:
    """The folder of a part below `notebooks`, such as `1_predicting_the_future`."""
    return f"{part}_{PARTS[part].lower().replace(',', '').replace(' ', '_')}"


def repository(start: Path | None = None) -> Path:
    """The checkout that holds the chapters: around `start` (the current folder), or the package's.

    Raises:
        Problem: if there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "notebooks").is_dir() and (folder / "jupytext.toml").is_file():
            return folder
    raise Problem("no chapters here: go to a clone of the Goalward repository and try again")


def places() -> dict[str, int]:
    """The part of every chapter that there is or will be, in reading order."""
    found = dict.fromkeys(START, 0)
    for part in PARTS:
        found |= {paper.slug: part for paper in papers() if paper.part == part}
        if part in CLOSING:
            found[CLOSING[part]] = part
    return found


def chapters(root: Path) -> dict[str, Path]:
    """The chapters that exist, in reading order: slug and source file."""
    found = {
        slug: root / "notebooks" / part_folder(part) / f"{slug}.py"
        for slug, part in places().items()
    }
    return {slug: path for slug, path in found.items() if path.is_file()}


def pair_of(source: Path) -> Path:
    """The notebook beside a chapter's source."""
    return source.with_suffix(".ipynb")


def status(root: Path, slug: str) -> str:
    """`chapter` where the paper has one, else `planned`."""
    return "chapter" if slug in chapters(root) else "planned"


def choose(root: Path, slugs: Iterable[str]) -> dict[str, Path]:
    """The named chapters, all of them if none is named: slug and source file.

    Raises:
        Usage: if a name is not a chapter's; the message names near ones.
    """
    known = chapters(root)
    wanted = list(dict.fromkeys(slugs))
    for slug in wanted:
        if slug in known:
            continue
        if slug in places():
            raise Usage(f"{slug} is planned and has no chapter yet; `goalward papers` lists those")
        near = difflib.get_close_matches(slug, places(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`goalward papers` lists them"
        raise Usage(f"no chapter is called {slug!r}; {hint}")
    return {slug: known[slug] for slug in wanted} if wanted else known
