"""A played-with chapter comes back, and the reader's copy stays."""

from pathlib import Path

import pytest

import toy
from goalward.course.errors import Problem
from goalward.course.run.restore import restore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    toy.source(root).with_suffix(".ipynb").write_text("{}\n")
    toy.commit(root)
    return root


def test_both_files_come_back_and_the_copies_stay(root: Path) -> None:
    source = toy.source(root)
    pair = source.with_suffix(".ipynb")
    source.write_text("# mine\n")
    pair.write_text('{"mine": 1}')
    lines = restore(root, source)
    assert len(lines) == 4
    assert source.read_text() == toy.QUICK
    assert pair.read_text() == "{}\n"
    assert source.with_name("welcome.mine.py").read_text() == "# mine\n"
    assert source.with_name("welcome.mine.ipynb").read_text() == '{"mine": 1}'
    assert toy.git(root, "status", "--porcelain") == ""


def test_a_second_copy_gets_a_number(root: Path) -> None:
    source = toy.source(root)
    for text in ("# first\n", "# second\n", "# third\n"):
        source.write_text(text)
        restore(root, source)
    names = sorted(p.name for p in source.parent.glob("*.mine*"))
    assert names == ["welcome.mine.2.py", "welcome.mine.3.py", "welcome.mine.py"]
    assert source.with_name("welcome.mine.3.py").read_text() == "# third\n"
    assert toy.git(root, "status", "--porcelain") == ""


def test_only_what_changed_is_copied(root: Path) -> None:
    source = toy.source(root)
    source.with_suffix(".ipynb").write_text("[]")
    assert len(restore(root, source)) == 2
    assert not source.with_name("welcome.mine.py").exists()


def test_a_deleted_file_comes_back(root: Path) -> None:
    pair = toy.source(root).with_suffix(".ipynb")
    pair.unlink()
    restore(root, toy.source(root))
    assert pair.read_text() == "{}\n"


def test_an_untouched_chapter_needs_nothing(root: Path) -> None:
    before = toy.tree(root)
    assert "nothing to restore" in restore(root, toy.source(root))[0]
    assert toy.tree(root) == before


def test_records_that_differ_are_named_and_left(root: Path) -> None:
    file = root / "figures" / "welcome" / "claims.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    toy.source(root).write_text("# mine\n")
    assert "git restore figures/welcome" in restore(root, toy.source(root))[-1]
    assert file.read_text() == "{}"


def test_what_was_never_committed_cannot_come_back(root: Path) -> None:
    source = toy.source(root, "notation")
    source.write_text("# new\n")
    with pytest.raises(Problem, match="never committed"):
        restore(root, source)
    assert source.read_text() == "# new\n"


def test_outside_git_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "welcome.py"
    source.write_text("# a download\n")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(Problem, match="clone made with git"):
        restore(tmp_path, source)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Problem, match="git, which is not installed"):
        restore(tmp_path, source)
