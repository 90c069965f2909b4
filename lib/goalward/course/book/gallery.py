"""The home page: every chapter a card; and the same as a page for JupyterLab."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from goalward.course import papers
from goalward.course.book import about, marks
from goalward.course.run import record

HOME = "index"
PICTURES = "_static/gallery"
"""Where the site keeps the cards' pictures."""

FIRST = "welcome"
WHAT = (
    "Goalward is a course on self-supervised reinforcement learning: how a program learns to reach "
    "goals when nobody hands it a reward. Each chapter takes one paper, rebuilds its small example "
    "on your laptop, and checks what the paper says against exact answers."
)


def lab_file(root: Path) -> Path:
    """The page that JupyterLab opens on: written when it starts, never committed."""
    return root / "notebooks" / "index.md"


def page(root: Path) -> str:
    """The book's home page."""
    known = papers.chapters(root)
    rows = {slug: _claims(root, slug) for slug in known}
    everything = [row for chosen in rows.values() for row in chosen]
    text = [
        "# Goalward",
        WHAT,
        *_raw(_start(root), f"<p>{_progress(known, everything)}</p>", marks.LEGEND),
    ]
    for part, places in _parts():
        planned = [slug for slug in places if slug not in known]
        text.append(f"## {_heading(part)}")
        cards = [_card(root, slug, rows[slug]) for slug in places if slug in known]
        text += _raw(_list("cards", cards), _list("planned", map(_planned, planned)))
    return "\n\n".join(text) + "\n"


def write_pictures(root: Path, site: Path) -> None:
    """Put the cards' pictures into a finished site."""
    folder = site / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    for slug in papers.chapters(root):
        if shown := about.picture(root, slug):
            (folder / f"{slug}.webp").write_bytes(about.thumbnail(shown))


def write_lab_page(root: Path) -> Path:
    """Write the page that JupyterLab opens on; return its place."""
    path = lab_file(root)
    path.write_text(lab_page(root), encoding="utf-8")
    return path


def lab_page(root: Path) -> str:
    """The home page for JupyterLab, which knows Markdown and no style sheet of ours."""
    known = papers.chapters(root)
    everything = [row for slug in known for row in _claims(root, slug)]
    first = _pair(known[FIRST]) if FIRST in known else ""
    text = [
        "# Goalward",
        WHAT,
        f"**Start here: [{about.title(known[FIRST])}]({first})**" if first else "",
        f"{_progress(known, everything)} ✔ reproduced, or a bound of ours holds; ◐ weaker than the "
        "paper; ✘ not reproduced, or does not hold.",
    ]
    for part, places in _parts():
        text.append(f"## {_heading(part)}")
        if here := [slug for slug in places if slug in known]:
            rows = (_lab_row(root, slug, known[slug]) for slug in here)
            text.append("\n".join(['<table width="100%">', *rows, "</table>"]))
        if planned := [short(slug) for slug in places if slug not in known]:
            text.append(f"Planned: {', '.join(planned)}.")
    return "\n\n".join(filter(None, text)) + "\n"


def _parts() -> Iterable[tuple[int, list[str]]]:
    """The parts and the chapters that each has or will have, in reading order."""
    places = papers.places()
    for part in papers.PARTS:
        yield part, [slug for slug, where in places.items() if where == part]


def _heading(part: int) -> str:
    return f"Part {part}. {papers.PARTS[part]}" if part else papers.PARTS[part]


def _claims(root: Path, slug: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = record.records(root, slug).get("laptop", {}).get("claims", [])
    return rows


def _raw(*pieces: str) -> list[str]:
    return ["\n".join(["```{raw} html", *filter(None, pieces), "```"])]


def _list(kind: str, items: Iterable[str]) -> str:
    inside = "\n".join(items)
    return f'<ul class="{kind}">\n{inside}\n</ul>' if inside else ""


def _start(root: Path) -> str:
    known = papers.chapters(root)
    if FIRST not in known:
        return ""
    return (
        f'<p class="start"><a href="{_address(known[FIRST])}">Start here</a> '
        f"{escape(about.title(known[FIRST]))}</p>"
    )


def _progress(known: dict[str, Path], rows: list[dict[str, Any]]) -> str:
    course = papers.papers()
    done = sum(paper.slug in known for paper in course)
    text = f"{done} of {len(course)} papers have their chapter. {marks.totals(rows)}"
    return text.strip()


def _address(source: Path) -> str:
    return f"{source.parent.name}/{source.stem}.html"


def _pair(source: Path) -> str:
    return f"{source.parent.name}/{source.stem}.ipynb"


def _minutes(root: Path, source: Path) -> str:
    """How long a chapter takes: to read, as it says; its code, as recorded."""
    said = about.reading(source)
    recorded = record.records(root, source.stem).get("laptop")
    runs = f"code {recorded['seconds']:.0f} s" if recorded else "not run yet"
    return " · ".join([said, runs] if said != "–" else [runs])


def _card(root: Path, slug: str, rows: list[dict[str, Any]]) -> str:
    source = papers.chapters(root)[slug]
    shown = about.picture(root, slug)
    image = (
        f'<div class="picture"><img src="{PICTURES}/{slug}.webp" alt="{escape(shown.alt)}" '
        'loading="lazy"></div>'
        if shown
        else ""
    )
    groups = "".join(
        f"<div><dt>{name}</dt><dd>{marks.picture(chosen)}</dd></div>"
        for name, chosen in marks.groups(rows).items()
    )
    return (
        f'<li class="part-{papers.places()[slug]}">{image}\n'
        f'<h3><a href="{_address(source)}">{escape(about.title(source))}</a></h3>\n'
        f'<p class="question">{escape(about.question(source))}</p>\n'
        f'<p class="minutes">{_minutes(root, source)}</p>'
        + (f'\n<dl class="verdicts">{groups}</dl>' if groups else "")
        + "</li>"
    )


def _planned(slug: str) -> str:
    paper = next((p for p in papers.papers() if p.slug == slug), None)
    more = f" {escape(paper.title)}, {paper.year}." if paper else ""
    return f"<li><b>{escape(short(slug))}</b>{more} Planned.</li>"


def short(slug: str) -> str:
    """A chapter's short name."""
    names = {paper.slug: paper.short for paper in papers.papers()}
    return names.get(slug, slug.replace("_", " ").capitalize())


def _lab_row(root: Path, slug: str, source: Path) -> str:
    """A chapter's row; JupyterLab lets plain HTML pass, and follows its links."""
    lead = root / "figures" / slug / "lead.png"
    shown = about.picture(root, slug) if lead.is_file() else None
    image = (
        f'<img src="../figures/{slug}/lead.png" width="240" alt="{escape(shown.alt)}">'
        if shown
        else ""
    )
    said = [
        f'<b><a href="{_pair(source)}">{escape(about.title(source))}</a></b>',
        escape(about.question(source)),
        _minutes(root, source),
        *(
            f"{name}: {marks.plain(chosen)} {marks.in_words(chosen)}"
            for name, chosen in marks.groups(_claims(root, slug)).items()
        ),
    ]
    return f'<tr><td width="260">{image}</td><td>{"<br>".join(filter(None, said))}</td></tr>'
