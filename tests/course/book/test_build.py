"""The book before a browser sees it: its parts, its refusals, one small build."""

import ast
import base64
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from pybtex.database import parse_file

import toy
from goalward.course import papers
from goalward.course.book import api, build, content, engine, finish, pages, vendor
from goalward.course.errors import Problem
from goalward.course.run.notebook import convert

ROOT = Path(__file__).parents[3]
CONFIG = yaml.safe_load((ROOT / "book.yml").read_text(encoding="utf-8"))
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
        "789c63f8ffff3f0005fe02fe0def46b80000000049454e44ae426082"
    )
).decode()


def notebook(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    nb = nbformat.v4.new_notebook(cells=list(cells))
    nb.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "py"}}
    return nb


def picture(*alts: str | None) -> nbformat.NotebookNode:
    """A code cell that shows a picture for each text; None leaves the text out."""
    cell = nbformat.v4.new_code_cell("show()", execution_count=1)
    for alt in alts:
        metadata = {} if alt is None else {"image/png": {"alt": alt, "width": 10}}
        data = {"image/png": PIXEL}
        cell.outputs.append(nbformat.v4.new_output("display_data", data, metadata=metadata))
    return cell


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one page, as small as the build takes it."""
    root = tmp_path / "repository"
    folder = root / "notebooks" / "0_start"
    folder.mkdir(parents=True)
    (root / "jupytext.toml").touch()
    shutil.copyfile(ROOT / "notebooks" / "references.bib", root / "notebooks" / "references.bib")
    (folder / "welcome.py").write_text("# %% [markdown]\n# # Welcome\n")
    page(root, "# Welcome\n\n$x^2$")
    named = ["0_start/welcome", *content.PAGES, "api/index"]
    listed = [{"file": name} for name in named if name != "index"]
    configure(root, toc={"format": "jb-book", "root": "index", "chapters": listed})
    return root


def page(root: Path, text: str, *cells: nbformat.NotebookNode) -> Path:
    path = root / "notebooks" / "0_start" / "welcome.ipynb"
    nbformat.write(notebook(nbformat.v4.new_markdown_cell(text), *cells), path)
    return path


def configure(root: Path, **changes: object) -> None:
    path = root / "book.yml"
    config = yaml.safe_load(path.read_text()) if path.exists() else CONFIG
    path.write_text(yaml.safe_dump(config | changes))


def test_the_table_of_contents_names_every_chapter_and_overview_that_exists() -> None:
    notebooks = ROOT / "notebooks"
    sources = {p.relative_to(notebooks).with_suffix("") for p in notebooks.glob("[0-9]_*/*.py")}
    overviews = {p.relative_to(notebooks).with_suffix("") for p in notebooks.glob("[0-9]_*/*.md")}
    named = build.toc_pages(CONFIG["toc"])
    generated = {*content.PAGES, "api/index"}
    written = {p.as_posix() for p in sources | overviews if not p.name.endswith("_exercises")}
    assert set(named) == written | generated
    assert len(named) == len(set(named))


def test_chapters_stand_in_the_table_in_the_order_of_the_course() -> None:
    named = [page.split("/")[-1] for page in build.toc_pages(CONFIG["toc"])]
    places = [named.index(slug) for slug in papers.chapters(ROOT)]
    assert places == sorted(places)


SOLVED = """\
# %% [markdown]
# # Exercises: hello

# %% nbgrader={"grade": false, "grade_id": "secret_sum", "locked": false, "solution": true}
def secret_sum(values):
    ### BEGIN SOLUTION
    return sum(value for value in values if value is not None)
    ### END SOLUTION
"""


def solutions(exercises: Path) -> list[str]:
    """The code between the marks of an assignment's source: solutions and hidden tests."""
    marks = "SOLUTION|HIDDEN TESTS"
    pattern = rf"### BEGIN ({marks})\n(.*?)### END \1"
    return [m[2] for m in re.finditer(pattern, exercises.read_text("utf-8"), re.DOTALL)]


def without_space(text: str) -> str:
    return re.sub(r"\s|\\n|<[^>]*>", "", text)


def test_the_book_is_made_without_any_assignment(tmp_path: Path) -> None:
    content.copy(ROOT, tmp_path / "source")
    copied = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not [p for p in copied if "_exercises" in p.name]
    texts = [without_space(p.read_text("utf-8")) for p in copied if p.suffix in (".ipynb", ".md")]
    assert texts
    for exercises in (ROOT / "notebooks").rglob("*_exercises.py"):
        assert solutions(exercises)
        for solution in map(without_space, solutions(exercises)):
            # One short line may well be said in a chapter too.
            assert len(solution) < 60 or not any(solution in page for page in texts), solution


def test_an_assignment_beside_a_chapter_is_left_out(root: Path, tmp_path: Path) -> None:
    page(root, "# Welcome").with_name("welcome_exercises.ipynb").write_text("{}")
    content.copy(root, tmp_path / "source")
    assert [p.name for p in (tmp_path / "source").rglob("*.ipynb")] == ["welcome.ipynb"]
    assert content.pairs(root) == ["0_start/welcome"]


def test_links_to_exercises_are_words_in_the_book(root: Path, tmp_path: Path) -> None:
    text = "Work in [the notebook](welcome_exercises.ipynb) or [the map](../course/map.md)."
    page(root, f"# Welcome\n\n{text}")
    content.copy(root, tmp_path / "source")
    (copied,) = (tmp_path / "source").rglob("*.ipynb")
    assert "Work in the notebook or [the map](../course/map.md)." in copied.read_text()


def test_a_readers_own_copies_are_no_pages(root: Path, tmp_path: Path) -> None:
    pair = page(root, "# Welcome")
    for name in ("welcome.mine.ipynb", "welcome.mine.2.ipynb", "welcome_exercises.mine.ipynb"):
        pair.with_name(name).write_text("{}")
    content.copy(root, tmp_path / "source")
    assert [p.name for p in (tmp_path / "source").rglob("*.ipynb")] == ["welcome.ipynb"]
    assert content.pairs(root) == ["0_start/welcome"]


def test_an_assignment_in_the_table_of_contents_is_refused(root: Path) -> None:
    page(root, "# Welcome").with_name("welcome_exercises.ipynb").write_text("{}")
    listed = [{"file": "0_start/welcome_exercises"}]
    configure(root, toc={"format": "jb-book", "root": "index", "chapters": listed})
    with pytest.raises(Problem, match="0_start/welcome_exercises: solutions stay out of the book"):
        build.build(quiet=True, root=root)


def test_a_page_gets_what_it_asks_for(root: Path) -> None:
    text = "# Hi\n\n<!-- goalward: hours -->\n\nBye. <!-- goalward: nothing -->\n"
    filled = content.fill(root, "0_start/hi.md", text)
    assert filled.startswith("# Hi\n\n````{list-table} The chapters so far")
    assert filled.endswith("\n````\n\nBye. <!-- goalward: nothing -->\n")
    with pytest.raises(Problem, match=r"notebooks/0_start/hi.md asks for 'lunch', .* hours, "):
        content.fill(root, "0_start/hi.md", "<!-- goalward: lunch -->")


@pytest.mark.slow
def test_a_small_book(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "api_pages", lambda package: {"index": "# The library\n"})
    pair = page(root, "# Welcome\n\n$x^2$, [the map](../course/map.md)", picture("A dot."))
    before = pair.read_bytes()
    exercises = root / "notebooks" / "teaching" / "welcome_exercises.py"
    exercises.parent.mkdir()
    exercises.write_text(SOLVED)
    nbformat.write(convert(exercises), exercises.with_suffix(".ipynb"))
    configure(root, repository={**CONFIG["repository"], "url": "https://github.com/some/where"})
    site = build.build(tmp_path / "site", quiet=True, root=root)
    assert site == tmp_path / "site"
    html = (site / "0_start" / "welcome.html").read_text()
    assert 'alt="A dot."' in html
    assert "https://mybinder.org/v2/gh/some/where/main" in html
    assert "https://colab.research.google.com/github/some/where/blob/main/notebooks/" in html
    assert pair.read_bytes() == before == (site / "_sources/0_start/welcome.ipynb").read_bytes()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    (solution,) = map(without_space, solutions(exercises))
    for file in (p for p in site.rglob("*") if p.is_file()):
        assert "_exercises" not in file.name
        assert solution not in without_space(file.read_text("utf-8", errors="ignore")), file

    # Another build that fails leaves the site as it was, and says why, one line a warning.
    page(root, "# Welcome\n\n[gone](gone.md)\n\n### Deeper\n")
    with pytest.raises(Problem) as caught:
        build.build(tmp_path / "site", quiet=True, root=root)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the book has 2 warning(s):"
    assert any("notebooks/0_start/welcome.ipynb, cell 1" in line for line in lines[1:])
    assert any("gone.md" in line for line in lines[1:])
    assert (site / "0_start" / "welcome.html").read_text() == html
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []

    # Without a repository no page offers to open it elsewhere.
    page(root, "# Welcome")
    configure(root, repository=CONFIG["repository"])
    build.build(tmp_path / "site", quiet=True, root=root)
    html = (site / "0_start" / "welcome.html").read_text()
    assert "mybinder" not in html
    assert "colab" not in html


def test_a_folder_that_is_no_book_is_left_alone(root: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_text("dear")
    with pytest.raises(Problem, match="holds something that is no book"):
        build.build(tmp_path / "letters", quiet=True, root=root)
    assert (tmp_path / "letters" / "mine.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("toc: [", "book.yml is no YAML"),
        ("title: x", "needs a `toc:`"),
        ("", "needs a `toc:`"),
        ("toc: {root: 0_start/welcome}", "whose `root:` is index, the gallery"),
        (
            "toc: {root: index, chapters: [{file: 0_start/nowhere}]}",
            "names 0_start/nowhere, which does not exist",
        ),
    ],
)
def test_a_bad_configuration_is_named(root: Path, text: str, says: str) -> None:
    (root / "book.yml").write_text(text)
    with pytest.raises(Problem, match=says) as caught:
        build.build(quiet=True, root=root)
    assert "\n" not in str(caught.value)


def test_a_missing_configuration_is_named(root: Path) -> None:
    (root / "book.yml").unlink()
    with pytest.raises(Problem, match=r"there is no .*book.yml"):
        build.build(quiet=True, root=root)


def test_a_chapter_outside_the_table_is_named(root: Path) -> None:
    shutil.copyfile(page(root, "# Hello"), root / "notebooks" / "0_start" / "extra.ipynb")
    with pytest.raises(Problem, match=r"does not name 0_start/extra"):
        build.build(quiet=True, root=root)


def test_a_chapter_that_was_never_run_is_named(root: Path) -> None:
    (root / "notebooks" / "0_start" / "welcome.ipynb").unlink()
    with pytest.raises(Problem, match=r"has not been run yet: `goalward run welcome`"):
        build.build(quiet=True, root=root)


def test_alternative_text_reaches_the_cell() -> None:
    nb = notebook(nbformat.v4.new_markdown_cell("# Hello"), picture("A dot."))
    content.add_alternative_text(nb, "x.ipynb")
    assert nb.cells[1].metadata["mystnb"]["image"]["alt"] == "A dot."


def test_alternative_text_is_also_read_from_the_output_itself() -> None:
    nb = notebook(picture("A dot."))
    nb.cells[0].outputs[0].metadata = {"alt": "The same dot."}
    content.add_alternative_text(nb, "x.ipynb")
    assert nb.cells[0].metadata["mystnb"]["image"]["alt"] == "The same dot."


@pytest.mark.parametrize(
    ("alts", "says"), [([None], "without alternative text"), (["one", "two"], "two pictures")]
)
def test_a_picture_that_nobody_describes_is_named(alts: list[str | None], says: str) -> None:
    with pytest.raises(Problem, match=rf"x.ipynb, cell 2.*{says}"):
        content.add_alternative_text(notebook(picture("A dot."), picture(*alts)), "x.ipynb")


def test_warnings_name_the_place_as_the_author_knows_it(tmp_path: Path) -> None:
    output = (
        f"{tmp_path}/1_part/a.ipynb:30004: WARNING: cross-reference target not found: 'b' [myst]\n"
        f"{tmp_path}/1_part/index.md:7: WARNING: too deep\n"
        f"{tmp_path}/1_part/index.md:7: WARNING: too deep\n"
        "WARNING: unknown value\n"
        "all is well\n"
    )
    assert engine.warnings(output, tmp_path) == [
        "  notebooks/1_part/a.ipynb, cell 3: cross-reference target not found: 'b' [myst]",
        "  notebooks/1_part/index.md, line 7: too deep",
        "  unknown value",
    ]


def test_markup_that_screen_readers_stumble_over_is_mended() -> None:
    page = '<dl class="py"><dt>f(<dl>\n<dd>a</dd>\n<dd>b</dd>\n</dl>\n)</dt><dd>text</dd></dl>'
    assert finish.mend_markup(page) == (
        '<dl class="py"><dt>f(<div>\n<div class="argument">a</div>\n<div class="argument">b</div>'
        "</div>\n)</dt><dd>text</dd></dl>"
    )


def test_a_page_carries_no_script_that_it_does_not_need() -> None:
    page = (
        '<head>\n  <script defer src="../_static/scripts/fontawesome.js?digest=55c2"></script>\n'
        '    <script src="../searchindex.js"></script>\n'
        '<script>window.MathJax = {"tex": {}}</script>\n'
        '<script defer="defer" src="_static/mathjax/tex-chtml-full.js?v=9"></script>\n'
        '<script src="../_static/doctools.js?v=9"></script></head><body><p>{}</p></body>'
    )
    light = finish.lighten(page.replace("{}", "Plain."))
    assert light.count("<script") == 1
    assert "doctools" in light
    assert "searchindex" in finish.lighten(page, search=True)
    for needs in ('<span class="math notranslate">x</span>', '<div class="output text_html">'):
        assert finish.lighten(page.replace("{}", needs)).count("<script") == 3


def test_the_library_pages_name_everything_public() -> None:
    package = ROOT / "lib" / "goalward"
    made = api.api_pages(package)
    for path in package.rglob("*.py"):
        if path.name.startswith("_") or path.parent.name == "checks":
            continue
        names = path.relative_to(package).with_suffix("").parts
        room = "_".join(names[:-1] or names)
        module = ".".join(("goalward", *names))
        assert f"```{{py:module}} {module}\n" in made[room]
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
                assert re.search(rf"{{py:(function|class)}} {node.name}\b", made[room])


def test_every_room_has_a_description() -> None:
    library = ROOT / "lib" / "goalward"
    rooms = {".".join(p.parent.relative_to(library).parts) for p in library.rglob("[!_]*.py")}
    rooms = rooms - {"", "course.checks"} | {p.stem for p in library.glob("[!_]*.py")}
    assert rooms <= set(api.ROOMS)


def test_docstrings_become_markdown() -> None:
    text = """Solve $Ax=b$.

    Args:
        A: square,
            well conditioned.
        *rest: more.

    Returns:
        The solution.

    Raises:
        ValueError: it is singular.

    Source: Gauss.
    """
    assert api.markdown(text) == (
        "Solve $Ax=b$.\n\n**Args**\n\n- `A`: square, well conditioned.\n- `*rest`: more.\n\n"
        "**Returns**\n\nThe solution.\n\n"
        "**Raises**\n\n- `ValueError`: it is singular.\n\n**Source** Gauss."
    )
    assert api.markdown(None) == ""


def test_the_map_lists_all_papers_and_links_those_with_a_chapter() -> None:
    text = pages.course_map(ROOT)
    for paper in papers.papers():
        assert paper.title in text
    linked = re.findall(r"\]\(\.\./\d_\w+/(\w+)\.ipynb\)", text.partition("## Part 1")[2])
    assert linked == [p.slug for p in papers.papers() if papers.status(ROOT, p.slug) == "chapter"]
    assert text.count("\n  - planned") == len(papers.papers()) - len(linked)


def test_the_status_page_says_when_and_on_what(root: Path) -> None:
    assert "Without a recorded run: [Welcome]" in pages.status(root)
    toy.record(root, "", toy.judged())
    text = pages.status(root)
    for part in ("51 s", "2026-01-31", "a processor, 2 cores", "python 3.12.0, jax 0.10.2"):
        assert f"  - {part}\n" in text
    assert "Without a recorded run" not in text


def test_every_chapter_s_paper_is_in_the_bibliography() -> None:
    entries = parse_file(str(ROOT / "notebooks" / "references.bib")).entries.values()
    known = {entry.fields.get("eprint"): entry for entry in entries}
    for paper in papers.papers():
        if papers.status(ROOT, paper.slug) == "chapter":
            assert known[paper.arxiv].fields["title"].replace("{", "").replace("}", "") == (
                paper.title
            )
            assert known[paper.arxiv].fields["year"] == venue_year(paper)


def venue_year(paper: papers.Paper) -> str:
    found = re.search(r"\d{4}", paper.venue)
    return found[0] if found else str(paper.year)


@pytest.mark.parametrize("folder", [vendor.STATIC, ROOT / "tests" / "browser" / "static"])
def test_vendored_files_are_the_published_ones(folder: Path) -> None:
    assert vendor.changed(folder) == []
    named = {name for package in vendor.versions(folder) for name in package["files"]}
    kept = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    ours = {"VERSIONS.json", "requirejs/LICENSE", "html-manager/LICENSE"}
    assert {n for n in kept - named if not n.startswith("book/")} <= ours
    assert any("LICENSE" in name for name in kept)


def test_a_changed_vendored_file_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    shutil.copytree(ROOT / "tests" / "browser" / "static", folder)
    (folder / "axe.min.js").write_text("changed")
    (folder / "LICENSE-axe-core").unlink()
    assert vendor.changed(folder) == ["axe.min.js", "LICENSE-axe-core"]
