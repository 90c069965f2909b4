"""What is taken on its record, and what brings a chapter back."""

import ast
import json
import shutil
from pathlib import Path

import pytest

import toy
from goalward.course import papers
from goalward.course.run import proof, record
from goalward.course.run.fingerprint import LIBRARY, fingerprint, frame, reached


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course, each chapter recorded as if it had just run, and of its library."""
    folder = tmp_path_factory.mktemp("recorded")
    root, library = folder / "course", folder / "goalward"
    shutil.copytree(LIBRARY, library, ignore=shutil.ignore_patterns("static", "__pycache__"))
    for slug, source in papers.chapters(toy.ROOT).items():
        pair = papers.pair_of(source)
        for file in (source, pair):
            copy = root / file.relative_to(toy.ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        write(root, slug, fingerprint=fingerprint(source), frame=frame(source))
    (root / "jupytext.toml").touch()
    return folder


@pytest.fixture
def course(recorded: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The course and its library, free to be changed."""
    copy = shutil.copytree(recorded, tmp_path / "copy")
    return copy / "course", copy / "goalward"


def write(root: Path, slug: str, **changed: object) -> None:
    entry = {"scale": "laptop", "versions": record.versions(), "claims": [], **changed}
    path = record.claims_file(root, slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"records": {"laptop": entry}}))


@pytest.fixture(autouse=True)
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs have tests of their own; here each is sound unless its notebook says no."""
    monkeypatch.setattr(
        proof.notebook,
        "verify",
        lambda source: ["wrong"] if papers.pair_of(source).read_text() == "no" else [],
    )


def test_an_untouched_course_is_proven(course: tuple[Path, Path]) -> None:
    root, library = course
    assert proof.proven(root, library) == list(papers.chapters(toy.ROOT))


def change_a_number(path: Path) -> None:
    """Add one to the last number in a module's code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    numbers = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) is int]
    numbers[-1].value += 1
    path.write_text(ast.unparse(tree), encoding="utf-8")


@pytest.mark.parametrize(
    "module", ["methods/td_infonce.py", "losses/contrastive.py", "tabular/successor.py"]
)
def test_one_changed_number_brings_back_the_chapters_that_reach_it(
    module: str, course: tuple[Path, Path]
) -> None:
    root, library = course
    change_a_number(library / module)
    name = "goalward." + module.removesuffix(".py").replace("/", ".")
    far = [
        slug
        for slug, source in papers.chapters(root).items()
        if name not in reached([source.read_text("utf-8")])
    ]
    assert proof.proven(root, library) == far
    assert 0 < len(far) < len(papers.chapters(root))


def test_a_changed_comment_brings_back_nothing(course: tuple[Path, Path]) -> None:
    root, library = course
    path = library / "methods" / "td_infonce.py"
    path.write_text(path.read_text("utf-8") + "\n# A last word.\n", encoding="utf-8")
    assert proof.proven(root, library) == list(papers.chapters(toy.ROOT))


def test_what_shows_the_chapters_brings_back_all(course: tuple[Path, Path]) -> None:
    root, library = course
    change_a_number(library / "course" / "claims.py")
    assert proof.proven(root, library) == []


def test_what_builds_the_book_brings_back_nothing(course: tuple[Path, Path]) -> None:
    root, library = course
    (library / "course" / "book" / "build.py").write_text("x = 1\n")
    assert proof.proven(root, library) == list(papers.chapters(toy.ROOT))


@pytest.mark.parametrize("package", ["python", "jax", "numpy", "matplotlib"])
def test_another_installed_version_brings_back_all(
    package: str, course: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = record.versions() | {package: "0.0.1"}
    monkeypatch.setattr(proof, "versions", lambda: other)
    assert proof.proven(*course) == []


def test_a_changed_cell_a_lost_record_and_an_unsound_pair_bring_back_theirs(
    course: tuple[Path, Path],
) -> None:
    root, library = course
    known = papers.chapters(root)
    first, second, third, *others = known
    known[first].write_text(known[first].read_text("utf-8") + "\n# %%\nmore = 1\n", "utf-8")
    record.claims_file(root, second).unlink()
    papers.pair_of(known[third]).write_text("no")
    assert proof.proven(root, library) == others


def test_each_has_its_day_once_in_five() -> None:
    names = [f"chapter {i}" for i in range(13)]
    days = [proof.turn(names, day) for day in range(100, 105)]
    assert sorted(name for day in days for name in day) == sorted(names)
    assert max(map(len, days)) == 3
    assert proof.turn(names, 105) == days[0]


def test_the_day_is_that_of_the_newest_commit(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    seconds = int(toy.git(root, "log", "-1", "--format=%ct"))
    assert proof.today(root) == seconds // 86_400
    shutil.rmtree(root / ".git")
    assert abs(proof.today(root) - seconds // 86_400) <= 1
