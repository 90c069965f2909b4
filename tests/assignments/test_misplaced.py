"""Whatever a platform makes of a notebook's name: it is graded, or named with its mend."""

from pathlib import Path

import pytest

from goalward.course.assignments.misplaced import misplaced

KNOWN = ("td_infonce", "cvl", "interpolation")
EXPECTED = "td_infonce/td_infonce_exercises.ipynb"


def put(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("{}")
    return folder


@pytest.mark.parametrize(
    "path",
    [
        "bob/td_infonce/td_infonce_exercises (1).ipynb",
        "bob/td_infonce/bob_td_infonce_exercises.ipynb",
        "bob/td_infonce/td_infonce/td_infonce_exercises.ipynb",
        "bob/TD_InfoNCE/td_infonce_exercises.ipynb",
        "bob/td_infonce_exercises.ipynb",
        "bob/td_infonce/td_infonce_exercises-Copy1.ipynb",
        "bob/td_infonce_exercises/td_infonce_exercises.ipynb",
        "bob/td_infonce/td_infonce_exercises.IPYNB",
        "bob/homework.ipynb",
        "bob.ipynb",
    ],
)
def test_each_is_named_with_what_to_rename_it_to(path: str, tmp_path: Path) -> None:
    put(tmp_path, f"ann/{EXPECTED}", path)
    assert misplaced(tmp_path, ["td_infonce"], KNOWN) == [
        f"{path} is not graded: rename it to bob/{EXPECTED}"
    ]


def test_what_lies_right_or_belongs_to_another_assignment_is_passed_over(tmp_path: Path) -> None:
    put(
        tmp_path,
        f"ann/{EXPECTED}",
        "ann/.ipynb_checkpoints/td_infonce_exercises-checkpoint.ipynb",
        "__MACOSX/ann/._td_infonce_exercises.ipynb",
        "bob/cvl/cvl_exercises.ipynb",
        "bob/interpolation_exercises.ipynb",
        "readme.txt",
    )
    assert misplaced(tmp_path, ["td_infonce"], KNOWN) == []


def test_nobody_is_missing_without_a_word(tmp_path: Path) -> None:
    put(tmp_path, "kim/notes.txt", "lee/all.zip", f"max/{EXPECTED}", "max/td_infonce/old.ipynb")
    assert misplaced(tmp_path, ["td_infonce"], KNOWN) == [
        "lee/all.zip is not graded: unpack it",
        f"max/td_infonce/old.ipynb is not graded: max/{EXPECTED} is there and is taken",
        f"kim has no notebook: kim/{EXPECTED} is looked for",
    ]


def test_where_several_are_graded_an_unknown_one_is_not_guessed(tmp_path: Path) -> None:
    put(tmp_path, "bob/homework.ipynb", "bob/my_cvl.ipynb")
    assert misplaced(tmp_path, ["td_infonce", "cvl"], KNOWN) == [
        "bob/homework.ipynb is not graded: rename it to bob/SLUG/SLUG_exercises.ipynb",
        "bob/my_cvl.ipynb is not graded: rename it to bob/cvl/cvl_exercises.ipynb",
    ]
