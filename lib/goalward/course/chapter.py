"""What makes a notebook a chapter: its scale, figures, explorers, claims and exercises.

A chapter begins with `here = chapter.begin(slug)`. Run by hand it shows everything and writes
nothing; under `goalward run` the same calls leave the claims and the lead picture in the folder
that `GOALWARD_OUT` names.
"""

import html
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
from IPython import get_ipython
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from goalward.course import cache, claims, explore, figures, papers
from goalward.course.progress import bar
from goalward.course.scale import SCALES, current_scale
from goalward.training.loop import Progress


def begin(slug: str) -> "Chapter":
    """Start a chapter: choose the scale, the figures' style and the compilation cache.

    At smoke scale a program runs for a moment and takes long to compile: there XLA spends little
    work on making it fast.

    Raises:
        ValueError: if `GOALWARD_SCALE` names no scale.
    """
    _keep_neighbours_off_the_path()
    figures.use_style()
    cache.use()
    scale = current_scale()
    if scale == "smoke":
        jax.config.update("jax_disable_most_optimizations", True)
    return Chapter(slug, scale)


class Chapter:
    """A chapter that is being run."""

    def __init__(self, slug: str, scale: str) -> None:
        self.slug = slug
        self.scale = scale
        self.claims: list[claims.Claim] = []
        out = os.environ.get("GOALWARD_OUT")
        self._out = Path(out) if out else None
        self._figures = 0

    def sizes(self, **table: tuple[Any, Any, Any]) -> SimpleNamespace:
        """Show each size at smoke, laptop and gpu scale; return this run's."""
        head = ["size", *("▸ " * (scale == self.scale) + scale for scale in SCALES)]
        rows = [
            [name.replace("_", " "), *map(_show_size, values)] for name, values in table.items()
        ]
        self._display(HTML(_html_table(head, rows)))
        column = SCALES.index(self.scale)
        return SimpleNamespace(**{name: values[column] for name, values in table.items()})

    def beside(self, name: str) -> Path:
        """A file or folder named from the chapter's own folder, wherever the chapter runs."""
        folder = papers.part_folder(papers.places()[self.slug])
        return papers.repository() / "notebooks" / folder / name

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a table of words and numbers; the first cell of each row names it."""
        text = "\n".join("  ".join(row) for row in (head, *rows))
        table = _html_table(head, rows, ";white-space:nowrap")
        self._display({"text/html": table, "text/plain": text}, raw=True)

    def show(self, fig: Figure, *, alt: str, caption: str, lead: bool = False) -> None:
        """Show a figure: its picture, the text for who cannot see it, what to notice.

        Args:
            fig: the figure; it is closed.
            alt: what the picture shows, in words.
            caption: what to notice, below the picture.
            lead: whether it stands for the chapter in the README and the book.
        """
        self._figures += 1
        width = round(fig.get_figwidth() * 96)
        data = figures.png(fig)
        if lead and self._out is not None:
            (self._out / "lead.png").write_bytes(data)
        self._display(
            {"image/png": figures.base64_text(data), "text/plain": alt},
            raw=True,
            metadata={"image/png": {"alt": alt, "width": width}},
        )
        self._display(Markdown(f"**Figure {self._figures}.** {caption}"))

    def explore(
        self,
        sliders: Mapping[str, Sequence[Any]],
        frame: Callable[..., Figure],
        *,
        alt: Callable[..., str],
        start: Sequence[int] | None = None,
    ) -> None:
        """Show sliders over precomputed frames; see `goalward.course.explore.explorer`."""
        self._display(explore.explorer(sliders, frame, alt, start))

    def progress(self, label: str) -> Progress:
        """A progress bar for `goalward.training.loop.train`; silent under `goalward run`."""
        return bar(label, silent=self._out is not None)

    def claim(self, claim: str, statement: str, **evidence: Any) -> None:
        """Hold a claim against what was just measured; see `goalward.course.claims.judge`.

        Raises:
            ValueError: if the chapter has this claim already, or as `judge`.
        """
        if any(c.claim == claim for c in self.claims):
            raise ValueError(
                f"claim {claim!r} is judged already: restart the kernel or name it anew"
            )
        self.claims.append(claims.judge(claim, statement, scale=self.scale, **evidence))

    def exercise(self, check: Callable[[Callable[..., Any]], None], student: Any) -> None:
        """Say in one line whether an exercise is not attempted, wrong (why) or right."""
        print(attempt(check, student))

    def conclude(self) -> None:
        """Show the table of claims; leave it in the output folder under `goalward run`."""
        rows = [c.row() for c in self.claims]
        self._display(
            {"text/html": claims.to_html(rows), "text/plain": claims.to_text(rows)}, raw=True
        )
        if self._out is not None:
            text = json.dumps(rows, indent=1, ensure_ascii=False)
            (self._out / "claims.json").write_text(text + "\n", encoding="utf-8")

    def _display(self, *what: Any, **options: Any) -> None:
        # A plain script has nobody to show a picture to.
        if get_ipython() is not None:
            display(*what, **options)


class _NotAttempted(Exception):
    """The student's function returned nothing."""


def attempt(check: Callable[[Callable[..., Any]], None], student: Callable[..., Any]) -> str:
    """Run a visible check on a student's function; the verdict as one line."""
    name = getattr(student, "__name__", "your function")

    def guarded(*args: Any, **kwargs: Any) -> Any:
        result = student(*args, **kwargs)
        if result is None:
            raise _NotAttempted
        return result

    try:
        check(guarded)
    except _NotAttempted:
        return f"… {name}: not attempted yet (it returns nothing)"
    except AssertionError as error:
        return f"✘ {name}: {_first_line(error)}"
    except Exception as error:
        return f"✘ {name}: it raised {type(error).__name__}: {_first_line(error)}"
    return f"✔ {name}: all checks pass"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]], style: str = "") -> str:
    columns = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{html.escape(name)}</th>'
        + "".join(f"<td>{html.escape(value)}</td>" for value in values)
        + "</tr>"
        for name, *values in rows
    )
    return (
        f'<div style="overflow-x:auto{style}"><table><thead><tr>{columns}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _show_size(value: Any) -> str:
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}".replace(",", " ")
    if isinstance(value, tuple | list):
        return ", ".join(map(_show_size, value))
    return str(value)


def _keep_neighbours_off_the_path() -> None:
    """A script's or kernel's folder comes first on Python's path, where a chapter such as
    `ogbench.py` would hide the package of its name."""
    sys.path[:] = [p for p in sys.path if Path(p).resolve().parent.name != "notebooks"]
