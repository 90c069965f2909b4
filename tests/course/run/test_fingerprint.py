"""Fingerprints change with what is computed, and with nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.course.run.fingerprint import (
    LIBRARY,
    code_cells,
    fingerprint,
    hash_text,
    reached,
    tree_text,
)

CHAPTER = '''\
# %% [markdown]
# # A title

# %%
from goalward.tabular import successor
from goalward.losses.contrastive import loss

gamma = 0.9
rows = [1, 2, 3]

# %%
def f(x):
    """Twice."""
    return 2 * x


f(gamma)
'''

LIBRARY_FILES = {
    "__init__.py": "",
    "tabular/__init__.py": "",
    "tabular/mdp.py": "SIZE = 5\n",
    "tabular/successor.py": '"""Doc."""\nimport goalward.tabular.mdp\n\ndef g():\n    return 1\n',
    "tabular/other.py": "A = 1\n",
    "losses/__init__.py": "",
    "losses/contrastive.py": "from . import helper\nfrom ..tabular.deep import z\nloss = 1\n",
    "losses/helper.py": "B = 2\n",
    "tabular/deep.py": "z = 3\n",
    "course/__init__.py": "",
    "course/chapter.py": "from goalward.tabular import other\n",
    "cli.py": "C = 3\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name, text in LIBRARY_FILES.items():
        path = tmp_path / "goalward" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "goalward"


@pytest.fixture
def chapter(tmp_path: Path) -> Path:
    path = tmp_path / "chapter.py"
    path.write_text(CHAPTER)
    return path


UNCHANGED = {
    "comment": CHAPTER.replace("gamma = 0.9", "# Why.\ngamma = 0.9  # the discount"),
    "layout": CHAPTER.replace("rows = [1, 2, 3]", "rows = [\n    1,\n    2,\n    3,\n]\n\n"),
    "quotes and brackets": CHAPTER.replace("2 * x", "(2 * x)"),
    "docstring": CHAPTER.replace("Twice.", "The double."),
    "no docstring": CHAPTER.replace('    """Twice."""\n', ""),
    "prose": CHAPTER.replace("# # A title", "# # Another title\n#\n# x = 3"),
    "a header": "# ---\n# jupyter: {}\n# ---\n\n" + CHAPTER,
    "an empty cell": CHAPTER + "\n# %%\n# Nothing.\n",
}
CHANGED = {
    "number": CHAPTER.replace("0.9", "0.95"),
    "name": CHAPTER.replace("gamma", "discount"),
    "order": CHAPTER.replace("[1, 2, 3]", "[1, 3, 2]"),
    "shown value": CHAPTER.replace("f(gamma)\n", ""),
    "cells joined": CHAPTER.replace("\n# %%\ndef", "\ndef"),
    "import": CHAPTER.replace("import successor", "import other as successor"),
}


@pytest.mark.parametrize("text", UNCHANGED.values(), ids=UNCHANGED)
def test_what_computes_the_same_has_the_same_fingerprint(
    text: str, chapter: Path, library: Path
) -> None:
    before = fingerprint(chapter, library)
    chapter.write_text(text)
    assert fingerprint(chapter, library) == before


@pytest.mark.parametrize("text", CHANGED.values(), ids=CHANGED)
def test_what_computes_otherwise_has_another(text: str, chapter: Path, library: Path) -> None:
    before = fingerprint(chapter, library)
    assert text != CHAPTER
    chapter.write_text(text)
    assert fingerprint(chapter, library) != before


def test_modules_are_reached_through_others(library: Path) -> None:
    assert reached(code_cells(CHAPTER), library) == [
        "goalward.losses",
        "goalward.losses.contrastive",
        "goalward.losses.helper",
        "goalward.tabular",
        "goalward.tabular.deep",
        "goalward.tabular.mdp",
        "goalward.tabular.successor",
    ]


def test_the_course_is_left_out_with_what_it_reaches(library: Path) -> None:
    assert reached(["from goalward.course import chapter\nimport goalward.cli"], library) == []


@pytest.mark.parametrize(
    ("module", "text", "same"),
    [
        (
            "tabular/successor.py",
            '"""Other."""\n# Why.\nimport goalward.tabular.mdp\n\n\ndef g():\n  return (1)',
            True,
        ),
        ("tabular/successor.py", "import goalward.tabular.mdp\n\ndef g():\n    return 2\n", False),
        ("tabular/mdp.py", "SIZE = 6\n", False),
        ("losses/helper.py", "B = 3\n", False),
        ("tabular/deep.py", "z = 4\n", False),
        ("tabular/other.py", "A = 2\n", True),
        ("course/chapter.py", "D = 4\n", True),
        ("cli.py", "C = 4\n", True),
    ],
)
def test_a_library_module_counts_if_it_is_reached(
    module: str, text: str, same: bool, chapter: Path, library: Path
) -> None:
    before = fingerprint(chapter, library)
    (library / module).write_text(text)
    assert (fingerprint(chapter, library) == before) is same


def test_the_real_library_is_followed() -> None:
    found = reached(["from goalward.tabular import successor"], LIBRARY)
    assert "goalward.tabular.successor" in found
    assert all(not name.startswith("goalward.course") for name in found)


def test_every_version_of_python_writes_the_same_tree() -> None:
    """The expected text is written out: whichever Python runs this must agree with it."""
    assert tree_text('x: int = f(1, *a, k="b")  # why') == (
        "Module(body=[AnnAssign(target=Name(id='x', ctx=Store()), "
        "annotation=Name(id='int', ctx=Load()), value=Call(func=Name(id='f', ctx=Load()), "
        "args=[Constant(value=1), Starred(value=Name(id='a', ctx=Load()), ctx=Load())], "
        "keywords=[keyword(arg='k', value=Constant(value='b'))]), simple=1)])"
    )
    assert tree_text('def f(a=None):\n    "Doc."\n') == (
        "Module(body=[FunctionDef(name='f', args=arguments(args=[arg(arg='a')], "
        "defaults=[Constant()]))])"
    )
    assert tree_text("f'a{x:>{n}.2f}' 'b' f'{y!r}'") == tree_text("f'a{x:>{n}.2f}b{y!r}'")


def test_a_notebooks_magic_stands_for_itself() -> None:
    assert tree_text("%matplotlib inline") == "%matplotlib inline"


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_texts_hash_with_their_borders(a: list[str], b: list[str]) -> None:
    assert (hash_text(*a) == hash_text(*b)) is (a == b)


@given(st.integers(0, 20), st.integers(0, 20))
def test_numbers_count(a: int, b: int) -> None:
    assert (tree_text(f"f({a}, k={b})") == tree_text(f"f({b}, k={a})")) is (a == b)
