"""Each committed notebook is what `goalward run` wrote from its source."""

from pathlib import Path

import pytest

from goalward.course import papers
from goalward.course.run import notebook

CHAPTERS = papers.chapters(Path(__file__).parents[1])


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_pair_is_what_its_source_says(slug: str) -> None:
    assert notebook.verify(CHAPTERS[slug]) == []


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_chapter_has_no_header_that_a_save_would_change(slug: str) -> None:
    assert CHAPTERS[slug].read_text(encoding="utf-8").startswith("# %% [markdown]\n# # ")
