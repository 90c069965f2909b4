"""The list of papers, and finding a chapter by its slug."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import toy
from goalward.course import papers
from goalward.course.errors import Problem, Usage


def test_there_are_fifty_papers_in_eight_parts() -> None:
    rows = papers.papers()
    assert len({p.slug for p in rows}) == len({p.title for p in rows}) == 50
    assert [len([p for p in rows if p.part == n]) for n in range(1, 9)] == [8, 8, 8, 6, 7, 5, 4, 4]
    for n in range(1, 9):
        assert [p.order for p in rows if p.part == n] == list(
            range(1, 1 + sum(p.part == n for p in rows))
        )
    assert rows == tuple(sorted(rows, key=lambda p: (p.part, p.order)))


@pytest.mark.parametrize("paper", papers.papers(), ids=lambda p: p.slug)
def test_a_paper_is_told_in_full(paper: papers.Paper) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", paper.slug)
    assert paper.title
    assert paper.short
    assert paper.authors
    assert 2022 <= paper.year <= 2026
    assert re.fullmatch(r"(2[2-6](0[1-9]|1[0-2])\.\d{5})?", paper.arxiv)
    if paper.arxiv:  # its first four digits are the year and month
        assert paper.year == 2000 + int(paper.arxiv[:2])
        assert paper.url.endswith(paper.arxiv)
    assert re.fullmatch(r"([A-Za-z0-9]+ 20\d\d)?", paper.venue)


def test_a_prerequisite_is_an_earlier_chapter() -> None:
    # Earlier in the course: so there is no way round in a circle, and nothing asks for itself.
    slugs = [p.slug for p in papers.papers()]
    for place, paper in enumerate(papers.papers()):
        assert set(paper.prerequisites) <= set(slugs[:place]), paper.slug
        assert len(paper.prerequisites) == len(set(paper.prerequisites)) <= 3


def test_no_prerequisite_is_implied_by_another() -> None:
    needed: dict[str, set[str]] = {}  # all that comes before a chapter, however far
    for paper in papers.papers():
        for direct in paper.prerequisites:
            others = set(paper.prerequisites) - {direct}
            assert not any(direct in needed[other] for other in others), (paper.slug, direct)
        needed[paper.slug] = set(paper.prerequisites).union(
            *(needed[direct] for direct in paper.prerequisites)
        )
    assert needed["mqe"] == {
        "tmd",
        "temporal_distances",
        "horizon_generalization",
        "contrastive_rl",
    }


def test_a_chapter_links_those_to_read_first() -> None:
    existing = papers.chapters(toy.ROOT)
    for paper in papers.papers():
        for before in paper.prerequisites:
            if {paper.slug, before} <= existing.keys():
                text = existing[paper.slug].read_text(encoding="utf-8")
                assert f"{before}.ipynb" in text, f"{paper.slug} does not link {before}"


def test_parts_have_folders() -> None:
    assert papers.part_folder(0) == "0_start"
    assert papers.part_folder(1) == "1_predicting_the_future"
    assert papers.part_folder(6) == "6_models_memory_and_robustness"
    assert papers.part_folder(9) == "9_analysis"
    known = {papers.part_folder(part) for part in papers.PARTS}
    present = {
        p.name for p in (toy.ROOT / "notebooks").iterdir() if p.is_dir() and p.name[0] != "."
    }
    assert present <= known | {"teaching"}  # the assignments' sources


def test_a_chapter_is_a_file_at_its_place(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, notation=toy.QUICK, welcome=toy.QUICK)
    assert papers.chapters(root) == {
        "welcome": toy.source(root),
        "notation": toy.source(root, "notation"),
    }
    assert papers.status(root, "td_infonce") == "planned"
    path = root / "notebooks" / "1_predicting_the_future" / "td_infonce.py"
    path.parent.mkdir()
    path.write_text("")
    assert papers.status(root, "td_infonce") == "chapter"
    assert papers.chapters(root)["td_infonce"] == path
    assert list(papers.choose(root, ["td_infonce", "welcome"])) == ["td_infonce", "welcome"]
    path.with_name("estimators.py").write_text("")  # closes the part, for no paper
    assert list(papers.choose(root, [])) == ["welcome", "notation", "td_infonce", "estimators"]


def test_a_wrong_slug_is_told_near_ones(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    with pytest.raises(Usage, match="did you mean td_infonce"):
        papers.choose(root, ["td_info_nce"])
    with pytest.raises(Usage, match="planned"):
        papers.choose(root, ["hiql"])
    with pytest.raises(Usage, match="goalward papers"):
        papers.choose(root, ["xyzzy"])


def test_the_repository_is_found_from_inside_it(tmp_path: Path) -> None:
    root = toy.repository(tmp_path / "a", welcome=toy.QUICK)
    assert papers.repository(root / "notebooks" / "0_start") == root
    assert papers.repository(root) == root
    # From elsewhere, it is the checkout that the package lies in.
    assert papers.repository(tmp_path) == toy.ROOT


def test_without_a_repository_the_mend_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(papers, "__file__", str(tmp_path / "site-packages" / "papers.py"))
    with pytest.raises(Problem, match="clone"):
        papers.repository(tmp_path)


@pytest.mark.parametrize("slug", papers.places())
def test_no_chapter_hides_a_module(slug: str) -> None:
    """A script's folder comes first on Python's path: its neighbours hide modules of their name.

    `chapter.begin` takes the folder off the path, but what Python itself needs comes before that.
    """
    assert slug not in sys.stdlib_module_names


@pytest.mark.parametrize("how", ["script", "kernel"])
def test_a_chapter_finds_the_package_that_its_neighbour_is_named_after(
    how: str, tmp_path: Path
) -> None:
    pytest.importorskip("ogbench")
    folder = tmp_path / "notebooks" / "5_scale_and_benchmarks"
    folder.mkdir(parents=True)
    (folder / "ogbench.py").write_text("raise SystemExit('the chapter, not the package')\n")
    code = (
        "from goalward.course import chapter\nchapter.begin('jaxgcrl')\n"
        "from importlib.util import find_spec\nprint(find_spec('ogbench').origin)\n"
    )
    (folder / "jaxgcrl.py").write_text(code)
    # A kernel has '' in front, which stands for the folder that it was started in.
    way = {"script": ["jaxgcrl.py"], "kernel": ["-c", code]}[how]
    done = subprocess.run([sys.executable, *way], cwd=folder, capture_output=True, text=True)
    assert "site-packages" in done.stdout, done.stderr
