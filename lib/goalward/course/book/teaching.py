"""What the page for teachers takes from the repository: hours, syllabuses, what exists by now."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from goalward.course import papers
from goalward.course.assignments import source
from goalward.course.book import about, prerequisites
from goalward.course.book.tables import name, table
from goalward.course.run import notebook, record

_QUARTERS = {0: "", 15: "¼", 30: "½", 45: "¾"}


@dataclass(frozen=True)
class Session:
    """A stretch of time with a class, on a chapter; where `slug` is empty, on something else."""

    when: str
    what: str
    slug: str
    taught: int
    """Minutes in class."""
    home: int = 0
    """Minutes at home: the rest of the chapter, and its assignment."""


def _week(number: int, theme: str, *slugs: str) -> list[Session]:
    return [Session(f"{number} · {theme}", "", slug, 90, 120) for slug in slugs]


COURSE = (
    Session("1 · Where will I be?", "Set up, and play", "welcome", 60),
    Session("1 · Where will I be?", "To look things up in", "notation", 0, 30),
    Session("1 · Where will I be?", "", "refresher", 120, 120),
    *_week(2, "The future by contrast", "td_infonce", "contrastive_rl"),
    *_week(3, "What the future is good for", "interpolation", "cvl"),
    *_week(4, "Hindsight and its limits", "imitating_past_successes", "stitching"),
    *_week(5, "Distances", "horizon_generalization", "temporal_distances"),
    *_week(6, "Shortest paths, shorter horizons", "tmd", "hiql"),
    *_week(7, "Exploring without rewards", "single_goal_crl", "emergent_exploration"),
    *_week(8, "Skills", "csf", "control_maximization"),
    *_week(9, "One model, every reward", "infom", "onestep_fb"),
    *_week(10, "At full size", "jaxgcrl", "ogbench"),
    *_week(11, "Models and memory", "self_predictive", "memory_vs_credit"),
    *_week(12, "For somebody else", "esr"),
    Session("12 · For somebody else", "Projects are shown", "", 90, 120),
)
"""Twelve weeks of three hours in class and about four at home."""

WORKSHOP = (
    Session("Day 1, 9:00", "Set up, and play", "welcome", 45),
    Session("Day 1, 9:45", "In pairs: predict, then run", "refresher", 105),
    Session("Day 1, 11:30", "Questions", "notation", 30),
    Session("Day 1, 13:00", "In pairs: predict, then run", "td_infonce", 105),
    Session("Day 1, 15:00", "Its assignment, as far as it goes", "td_infonce", 90),
    Session("Day 2, 9:00", "In pairs: predict, then run", "horizon_generalization", 90),
    Session("Day 2, 10:45", "Its assignment, the first exercises", "horizon_generalization", 60),
    Session("Day 2, 13:00", "In pairs: predict, then run", "interpolation", 90),
    Session("Day 2, 14:45", "The assignment that you like best", "", 60),
    Session("Day 2, 15:45", "The scoreboard: which claims hold, and why not all?", "", 45),
)
"""Two days of about six hours."""


def length(minutes: int) -> str:
    """A time in hours, to the quarter: 1½ h."""
    hours, rest = divmod(round(minutes / 15) * 15, 60)
    return f"{hours or ''}{_QUARTERS[rest]} h" if hours or rest else "–"


def course(root: Path) -> str:
    """The syllabus of twelve weeks, chapter by chapter."""
    rows = [(s.when, _told(root, s), length(s.taught), length(s.home)) for s in COURSE]
    head = ("Week", "Chapter", "In class", "At home")
    total = (
        f"In all {length(sum(s.taught for s in COURSE))} in class and "
        f"{length(sum(s.home for s in COURSE))} at home."
    )
    return "\n\n".join([table("Twelve weeks", head, rows), f"{total} {_exist(root, COURSE)}"])


def workshop(root: Path) -> str:
    """The programme of two days."""
    rows = [(s.when, _told(root, s), length(s.taught)) for s in WORKSHOP]
    programme = table("Two days", ("When", "What", "How long"), rows)
    return f"{programme}\n\n{_exist(root, WORKSHOP)}"


def hours(root: Path) -> str:
    """How long each chapter that exists takes: as it says itself, as recorded, as its tasks say."""
    rows = []
    for slug, path in papers.chapters(root).items():
        recorded = record.records(root, slug).get("laptop")
        rows.append(
            (
                _chapter(root, slug),
                about.reading(path),
                f"{recorded['seconds']:.0f} s" if recorded else "–",
                _assignment(source.source_of(root, slug)),
            )
        )
    head = ("Chapter", "Reading and playing", "Its code runs in", "Assignment")
    return table("The chapters so far, and how long they take", head, rows)


def _assignment(path: Path) -> str:
    if not path.is_file():
        return "none yet"
    exercises = source.of_cells(path.stem, notebook.convert(path).cells).exercises
    minutes = sum(exercise.minutes for exercise in exercises)
    return f"{len(exercises)} exercises, {minutes} minutes"


def _exist(root: Path, sessions: Iterable[Session]) -> str:
    """How many of the chapters exist, and what to do about the others."""
    slugs = dict.fromkeys(s.slug for s in sessions if s.slug)
    missing = len(slugs) - len(slugs.keys() & papers.chapters(root).keys())
    if not missing:
        return f"All its {len(slugs)} chapters exist."
    return (
        f"Of its {len(slugs)} chapters {len(slugs) - missing} exist so far. The {missing} marked "
        "*planned* are not written yet: until they are, discuss the paper itself in that session, "
        "or take a chapter that exists in its place, if the table below allows it."
    )


def _told(root: Path, session: Session) -> str:
    if not session.slug:
        return session.what
    chapter = _chapter(root, session.slug)
    return f"{chapter}: {session.what[0].lower()}{session.what[1:]}" if session.what else chapter


def _chapter(root: Path, slug: str) -> str:
    paper = next((p for p in papers.papers() if p.slug == slug), None)
    if paper is None:
        return f"[{slug.capitalize()}](../{papers.part_folder(papers.places()[slug])}/{slug}.ipynb)"
    named = name(root, paper)
    return named if papers.status(root, slug) == "chapter" else f"{named} (*planned*)"


INSERTS: dict[str, Callable[[Path], str]] = {
    "hours": hours,
    "course": course,
    "workshop": workshop,
    "prerequisites": prerequisites.told,
}
"""What a page may ask for with a line `<!-- goalward: hours -->`, each made for one folder deep."""
