"""Each committed notebook is what `goalward run` wrote from its source."""

from pathlib import Path

import pytest

from goalward.course import notebook, papers

CHAPTERS = papers.chapters(Path(__file__).parents[1])


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_pair_is_what_its_source_says(slug: str) -> None:
    assert notebook.verify(CHAPTERS[slug]) == []
